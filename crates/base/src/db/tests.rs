//! What holds for every database under the waist.

use super::*;

const TABLES: &[Migration] = &[Migration {
    name: "test/0001_notes",
    sql: "CREATE TABLE notes (id BIGINT PRIMARY KEY, text TEXT NOT NULL, weight DOUBLE PRECISION, raw BYTEA);",
}];

fn open() -> (tempfile::TempDir, Db<Control>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open_sqlite(folder.path(), &[TABLES], Options::default()).expect("a new database opens");
    (folder, db)
}

#[test]
fn what_was_written_is_read_back() {
    let (_folder, db) = open();
    db.write_blocking("test.insert", |tx| {
        tx.execute(
            "INSERT INTO notes (raw, text, id, weight) VALUES ($4, $2, $1, $3)",
            args![1, "it's $5", 0.5, vec![0u8, 255]],
        )
    })
    .expect("an insert");
    let row = db
        .read_blocking("test.read", |tx| tx.query_one("SELECT id, text, weight, raw FROM notes", args![]))
        .expect("a read")
        .expect("one row");
    assert_eq!(row.get::<i64>(0).unwrap(), 1);
    assert_eq!(row.get::<String>(1).unwrap(), "it's $5");
    assert!((row.get::<f64>(2).unwrap() - 0.5).abs() < f64::EPSILON);
    assert_eq!(row.get::<Vec<u8>>(3).unwrap(), vec![0, 255]);
}

#[test]
fn a_refused_closure_leaves_its_neighbours_alone() {
    let (_folder, db) = open();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answers = runtime.block_on(async {
        let insert = |id: i64| {
            db.write("test.insert", move |tx| tx.execute("INSERT INTO notes (id, text) VALUES ($1, 'x')", args![id]))
        };
        // All three are queued before the first is awaited, so they fold.
        let (first, double, second) = (insert(1), insert(1), insert(2));
        futures::future::join3(first, double, second).await
    });
    assert!(answers.0.is_ok());
    assert!(matches!(answers.1, Err(Error::Constraint { .. })));
    assert!(answers.2.is_ok());
    let rows = db.read_blocking("test.read", |tx| tx.query("SELECT id FROM notes", args![])).expect("a read");
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_full_disk_is_an_error_and_the_state_before_it_is_intact() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { pages_max: 16, ..Options::default() };
    let db: Db<Control> = Db::open_sqlite(folder.path(), &[TABLES], options).expect("a new database opens");
    let write = |id: i64, bytes: usize| {
        db.write_blocking("test.insert", move |tx| {
            tx.execute("INSERT INTO notes (id, text) VALUES ($1, $2)", args![id, "x".repeat(bytes)])
        })
    };
    write(1, 10).expect("a small row fits");
    assert!(matches!(write(2, 1 << 20), Err(Error::Full)));
    write(3, 10).expect("a small row still fits");
    let rows =
        db.read_blocking("test.read", |tx| tx.query("SELECT id FROM notes ORDER BY id", args![])).expect("a read");
    assert_eq!(rows.iter().map(|row| row.get::<i64>(0).unwrap()).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_changed_migration_stops_the_start() {
    let (folder, db) = open();
    drop(db);
    let changed = &[Migration { name: "test/0001_notes", sql: "CREATE TABLE notes (id BIGINT)" }];
    let again = Db::<Control>::open_sqlite(folder.path(), &[changed], Options::default());
    assert!(matches!(again, Err(Error::Failed { .. })));
}
