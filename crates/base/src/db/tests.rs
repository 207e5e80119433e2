//! What holds for every database under the waist.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::testing::{self, ThrowAway};

const TABLES: &[Migration] = &[Migration {
    name: "test/0001_notes",
    sql: "CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL, weight DOUBLE PRECISION, raw BYTEA);
          CREATE INDEX notes_by_text ON notes (text);",
}];

fn check_on_every_engine(check: impl Fn(Db<Control>)) {
    testing::on_every_engine(&[TABLES], check);
}

fn insert(tx: &mut dyn Tx, id: i64, text: &str) -> Result<u64, Error> {
    tx.execute("INSERT INTO notes (id, text) VALUES ($1, $2)", args![id, text])
}

fn write<T: Send + 'static>(
    db: &Db<Control>,
    work: impl Fn(&mut dyn Tx) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    db.write_blocking("test.write", work)
}

fn query(db: &Db<Control>, sql: &'static str) -> Vec<Row> {
    db.read_blocking("test.read", move |tx| tx.query(sql, args![])).expect("a read")
}

fn ids(db: &Db<Control>) -> Vec<i64> {
    query(db, "SELECT id FROM notes ORDER BY id").iter().map(|row| row.get(0).expect("an id")).collect()
}

#[test]
fn what_was_written_is_read_back() {
    check_on_every_engine(|db| {
        write(&db, |tx| {
            tx.execute(
                "INSERT INTO notes (raw, text, id, weight) VALUES ($4, $2, $1, $3)",
                args![i64::MIN, "it's $5", 0.5, vec![0u8, 255]],
            )
        })
        .expect("an insert");
        let row = query(&db, "SELECT id, text, weight, raw, NULL FROM notes").remove(0);
        assert_eq!(row.get::<i64>(0).unwrap(), i64::MIN);
        assert_eq!(row.get::<String>(1).unwrap(), "it's $5");
        assert!((row.get::<f64>(2).unwrap() - 0.5).abs() < f64::EPSILON);
        assert_eq!(row.get::<Vec<u8>>(3).unwrap(), vec![0, 255]);
        assert_eq!(row.get::<Option<String>>(4).unwrap(), None);
        assert!(matches!(row.get::<String>(4), Err(Error::Shape { column: 4 })));
        assert!(matches!(row.get::<String>(5), Err(Error::Shape { column: 5 })));
    });
}

#[test]
fn expressions_answer_with_the_same_values() {
    check_on_every_engine(|db| {
        write(&db, |tx| {
            let sets: Vec<_> = (1..=1_000).map(|id| args![id, "x", 1.5].to_vec()).collect();
            tx.execute_many("INSERT INTO notes (id, text, weight) VALUES ($1, $2, $3)", &sets)
        })
        .expect("a thousand rows");
        let sql = "SELECT COUNT(*), SUM(id), -SUM(id) * 10000000, EXISTS (SELECT 1 FROM notes), 1, 'x' || text, \
                   SUM(weight), 2 > 3 FROM notes WHERE id > 0 GROUP BY text";
        let row = query(&db, sql).remove(0);
        let expected = [
            Value::Int(1_000),
            Value::Int(500_500),
            Value::Int(-5_005_000_000_000),
            Value::Int(1),
            Value::Int(1),
            Value::Text("xx".into()),
            Value::Real(1_500.0),
            Value::Int(0),
        ];
        assert_eq!(row, Row::new(expected.to_vec()));
    });
}

#[test]
fn a_statement_may_return_what_it_did() {
    check_on_every_engine(|db| {
        let returned = write(&db, |tx| {
            insert(tx, 1, "a")?;
            tx.execute("INSERT INTO notes (id, text) VALUES (2, 'b') RETURNING id", args![])?;
            tx.query("UPDATE notes SET weight = $1 WHERE id = $2 RETURNING text, weight", args![3, 1])
        });
        let row = returned.expect("an update").remove(0);
        assert_eq!((row.get::<String>(0).unwrap(), row.get::<f64>(1).unwrap()), ("a".into(), 3.0));
        assert_eq!(ids(&db), [1, 2]);
    });
}

#[test]
fn a_refused_closure_leaves_its_neighbours_alone() {
    check_on_every_engine(|db| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (first, double, second) = runtime.block_on(async {
            let insert = |id: i64| db.write("test.insert", move |tx| insert(tx, id, "x"));
            // All three are queued before the first is awaited, so they fold.
            futures::future::join3(insert(1), insert(1), insert(2)).await
        });
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(double, Err(Error::Constraint { .. })), "{double:?}");
        assert_eq!(ids(&db), [1, 2]);
    });
}

#[test]
fn a_closure_that_refuses_leaves_nothing_behind() {
    check_on_every_engine(|db| {
        let refused = write(&db, |tx| {
            insert(tx, 1, "x")?;
            Err::<(), _>(Error::Failed { detail: "changed my mind".into() })
        });
        assert!(matches!(refused, Err(Error::Failed { detail }) if detail == "changed my mind"));
        assert_eq!(ids(&db), [0; 0]);
    });
}

#[test]
fn a_closure_that_goes_on_after_a_failed_statement_is_rolled_back() {
    check_on_every_engine(|db| {
        let careless = write(&db, |tx| {
            insert(tx, 1, "x")?;
            let _ = insert(tx, 1, "again");
            Ok(())
        });
        assert!(matches!(&careless, Err(Error::Failed { detail }) if detail.contains("went on")), "{careless:?}");
        assert_eq!(ids(&db), [0; 0]);
    });
}

#[test]
fn a_closure_that_panics_fails_alone() {
    check_on_every_engine(|db| {
        let wrote = write(&db, |tx| {
            insert(tx, 1, "x")?;
            panic!("nothing is here");
            #[expect(unreachable_code, reason = "it tells the type")]
            Ok(())
        });
        let read: Result<(), Error> = db.read_blocking("test.read", |_| panic!("in a {}", "read"));
        assert!(matches!(&wrote, Err(Error::Failed { detail }) if detail.contains("nothing is here")), "{wrote:?}");
        assert!(matches!(&read, Err(Error::Failed { detail }) if detail.contains("in a read")), "{read:?}");
        write(&db, |tx| insert(tx, 2, "x")).expect("the writer lives on");
        assert_eq!(ids(&db), [2]);
    });
}

#[test]
fn a_reader_cannot_write() {
    check_on_every_engine(|db| {
        let wrote = db.read_blocking("test.read", |tx| insert(tx, 1, "x"));
        assert!(matches!(wrote, Err(Error::Failed { .. })), "{wrote:?}");
    });
}

#[test]
fn a_wrong_statement_says_what_is_wrong() {
    check_on_every_engine(|db| {
        let error = db.read_blocking("test.read", |tx| tx.query("SELECT nonsense FROM notes", args![]));
        assert!(matches!(&error, Err(Error::Failed { detail }) if detail.contains("nonsense")), "{error:?}");
        assert_eq!(ids(&db), [0; 0], "the reader lives on");
    });
}

#[test]
fn a_migration_is_applied_once_and_neither_changed_nor_forgotten() {
    fn check(open: impl Fn(&[&[Migration]]) -> Result<Db<Control>, Error>) {
        let changed: &[Migration] = &[Migration { name: "test/0001_notes", sql: "CREATE TABLE notes (id BIGINT)" }];
        let more: &[Migration] = &[Migration { name: "test/0002_more", sql: "CREATE TABLE more (id BIGINT)" }];
        drop(open(&[TABLES]).expect("a new database"));
        let db = open(&[TABLES, more]).expect("the same one with a further step");
        write(&db, |tx| tx.execute("INSERT INTO more (id) VALUES (1)", args![])).expect("the step was made");
        drop(db);
        let older = open(&[TABLES]).err();
        assert!(matches!(&older, Some(Error::Failed { detail }) if detail.contains("newer version")), "{older:?}");
        let again = open(&[changed]).err();
        assert!(matches!(&again, Some(Error::Failed { detail }) if detail.contains("another text")), "{again:?}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    check(|migrations| Db::open_sqlite(folder.path(), migrations, Options::default()));
    if let Some(throw_away) = ThrowAway::make() {
        check(|migrations| Db::open_postgres_at(&throw_away.config, migrations, Options::default()));
    }
}

#[test]
fn a_read_that_lingers_is_stopped() {
    const ENDLESS: &str =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT MAX(i) FROM n";
    let check = |db: Db<Control>| {
        let long = db.read_blocking("test.long", |tx| tx.query(ENDLESS, args![]));
        assert!(matches!(long, Err(Error::TooSlow { .. })), "{long:?}");
        let many = db.read_blocking("test.many", |tx| {
            loop {
                tx.query("SELECT 1", args![])?;
            }
            #[expect(unreachable_code, reason = "the loop ends by the error")]
            Ok::<(), Error>(())
        });
        assert!(matches!(many, Err(Error::TooSlow { .. })), "{many:?}");
        assert_eq!(query(&db, "SELECT 1").len(), 1, "the reader lives on");
    };
    let options = || Options { read_time_max: Duration::from_millis(50), readers: 1, ..Options::default() };
    let folder = tempfile::tempdir().expect("a temporary folder");
    check(Db::open_sqlite(folder.path(), &[TABLES], options()).expect("a new database"));
    if let Some(throw_away) = ThrowAway::make() {
        check(Db::open_postgres_at(&throw_away.config, &[TABLES], options()).expect("a new database"));
    }
}

mod on_sqlite {
    use super::*;

    #[test]
    fn a_full_disk_is_an_error_and_the_state_before_it_is_intact() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = Options { pages_max: 16, ..Options::default() };
        let db: Db<Control> = Db::open_sqlite(folder.path(), &[TABLES], options).expect("a new database opens");
        let note = |id: i64, bytes: usize| write(&db, move |tx| insert(tx, id, &"x".repeat(bytes)));
        note(1, 10).expect("a small row fits");
        assert!(matches!(note(2, 1 << 20), Err(Error::Full)));
        note(3, 10).expect("a small row still fits");
        assert_eq!(ids(&db), [1, 3]);
    }
}

/// A broken disk cannot be had on demand, so an engine pretends.
mod on_a_broken_disk {
    use super::*;
    use crate::db::writer::{AnyRead, Session, Threads};

    struct Broken {
        runs: Arc<AtomicU32>,
    }

    fn broken() -> Error {
        Error::BrokenDisk { detail: "the sync failed".into() }
    }

    struct Nothing;

    impl Tx for Nothing {
        fn execute(&mut self, _sql: &str, _args: &[Value]) -> Result<u64, Error> {
            Ok(0)
        }

        fn query(&mut self, _sql: &str, _args: &[Value]) -> Result<Vec<Row>, Error> {
            Ok(Vec::new())
        }
    }

    impl Session for Broken {
        fn write(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error> {
            self.runs.fetch_add(1, Ordering::SeqCst);
            work(&mut Nothing);
            Err(broken())
        }

        fn read(&mut self, job: &mut dyn AnyRead) -> Result<(), Error> {
            job.run(Err(broken()));
            Err(broken())
        }
    }

    #[test]
    fn the_program_is_told_before_anybody_is_answered_and_nothing_is_tried_again() {
        let (stops, runs) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let seen = stops.clone();
        let options = Options {
            on_broken_disk: Arc::new(move |_| {
                seen.fetch_add(1, Ordering::SeqCst);
            }),
            ..Options::default()
        };
        let session = || Box::new(Broken { runs: runs.clone() });
        let threads = Threads::start(session(), vec![session()], &options);
        let db: Db<Control> = Db { inner: Arc::new(threads), file: PhantomData };
        let wrote = write(&db, |_| Ok(()));
        assert!(matches!(wrote, Err(Error::BrokenDisk { .. })));
        assert_eq!((stops.load(Ordering::SeqCst), runs.load(Ordering::SeqCst)), (1, 1));
        let read: Result<(), Error> = db.read_blocking("test.read", |_| Ok(()));
        assert!(matches!(read, Err(Error::BrokenDisk { .. })));
        assert_eq!(stops.load(Ordering::SeqCst), 2, "a read that meets it tells as well");
    }
}

mod on_postgres {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server that ends every session as soon as it has begun.
    #[test]
    fn a_session_that_ends_before_its_first_statement_is_a_lost_connection() {
        const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let server = std::thread::spawn(move || {
            let (mut session, _) = listener.accept().expect("a session");
            let mut startup = [0; 1_024];
            assert!(session.read(&mut startup).expect("a startup message") > 0);
            session.write_all(WELCOME).expect("a welcome");
        });
        let url = format!("postgresql://ada@{address}/books");
        let config = postgres::config(&url).expect("a connection URL");
        let opened: Result<Db<Control>, Error> = Db::open_postgres_at(&config, &[TABLES], Options::default());
        assert!(matches!(&opened, Err(Error::Unavailable { .. })), "{:?}", opened.err());
        server.join().expect("the server saw a session");
    }

    fn open() -> Option<(ThrowAway, Db<Control>)> {
        let throw_away = ThrowAway::make()?;
        let db = Db::open_postgres_at(&throw_away.config, &[TABLES], Options::default()).expect("a new database");
        Some((throw_away, db))
    }

    #[test]
    fn a_lost_connection_comes_back() {
        let Some((throw_away, db)) = open() else { return };
        write(&db, |tx| insert(tx, 1, "x")).expect("a row");
        throw_away.cut_connections();
        write(&db, |tx| insert(tx, 2, "x")).expect("a row on a new connection");
        throw_away.cut_connections();
        assert_eq!(ids(&db), [1, 2]);
    }

    #[test]
    fn a_transaction_that_loses_its_connection_runs_again() {
        let Some((throw_away, db)) = open() else { return };
        let throw_away = Arc::new(throw_away);
        let (runs, cutter) = (Arc::new(AtomicU32::new(0)), throw_away.clone());
        let seen = runs.clone();
        let wrote = write(&db, move |tx| {
            insert(tx, 1, "x")?;
            if seen.fetch_add(1, Ordering::SeqCst) == 0 {
                cutter.cut_connections();
            }
            insert(tx, 2, "x")
        });
        assert!(wrote.is_ok(), "{wrote:?}");
        assert_eq!((runs.load(Ordering::SeqCst), ids(&db)), (2, vec![1, 2]));
    }

    #[test]
    fn a_commit_that_loses_its_connection_is_said_to_be_unknown() {
        let Some((throw_away, db)) = open() else { return };
        let throw_away = Arc::new(throw_away);
        let cutter = throw_away.clone();
        let wrote = write(&db, move |tx| {
            insert(tx, 1, "x")?;
            cutter.cut_connections();
            Ok(())
        });
        assert!(
            matches!(&wrote, Err(Error::Unavailable { detail }) if detail.contains("while it committed")),
            "{wrote:?}"
        );
    }

    #[test]
    fn a_serialisation_conflict_runs_again() {
        let Some((throw_away, db)) = open() else { return };
        write(&db, |tx| insert(tx, 1, "x")).expect("a row");
        let runs = Arc::new(AtomicU32::new(0));
        let (seen, config) = (runs.clone(), throw_away.config.clone());
        // Somebody else changes the row between our reading and our writing.
        let wrote = write(&db, move |tx| {
            tx.query("SELECT text FROM notes WHERE id = 1", args![])?;
            if seen.fetch_add(1, Ordering::SeqCst) == 0 {
                testing::run_on(&config, "UPDATE control.notes SET text = 'theirs'").expect("a change");
            }
            tx.execute("UPDATE notes SET text = text || ' and ours'", args![])
        });
        assert!(wrote.is_ok(), "{wrote:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        let text = query(&db, "SELECT text FROM notes").remove(0).get::<String>(0).expect("a text");
        assert_eq!(text, "theirs and ours");
    }

    #[test]
    fn a_second_writer_is_kept_out() {
        let Some((throw_away, _db)) = open() else { return };
        let second = Db::<Control>::open_postgres_at(&throw_away.config, &[TABLES], Options::default());
        assert!(matches!(second.err(), Some(Error::Locked)));
        let other_file = Db::<Flows>::open_postgres_at(&throw_away.config, &[TABLES], Options::default());
        assert!(other_file.is_ok(), "another schema has another writer");
    }

    #[test]
    fn it_opens_inside_a_runtime() {
        let Some(throw_away) = ThrowAway::make() else { return };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let db = Db::<Control>::open_postgres_at(&throw_away.config, &[TABLES], Options::default());
            let db = db.expect("a new database");
            db.write("test.write", |tx| insert(tx, 1, "x")).await.expect("a row");
            drop(db);
        });
    }

    #[test]
    fn a_server_that_is_not_there_is_unavailable_and_its_password_is_not_shown() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("host={} user=u password=hunter2 dbname=d", folder.path().display());
        let error = Db::<Control>::open_postgres(&url, &[], Options::default()).err().expect("nobody is there");
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        let error = Db::<Control>::open_postgres("host=h password='hunter2", &[], Options::default());
        let shown = format!("{:?}", error.err());
        assert!(shown.contains("Failed") && !shown.contains("hunter2"), "{shown}");
    }
}
