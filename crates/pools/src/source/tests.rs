//! Sources from the outside: what they bring, once, wherever the process ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::chance::SeededChance;
use base::db::{Control, Db};
use base::foreign::{ForeignBatch, ForeignColumn, ForeignCursor, ForeignError, ForeignQuery, ForeignType};
use base::http::HeaderValue;
use base::testing::{self, ScriptedHttp, reply};
use base::time::SimClock;
use base::{Actor, BoxFuture, Clock};
use expect_test::{Expect, expect};
use parking_lot::Mutex;

use super::work::{Step, Turn, next_turn};
use super::*;
use crate::memory::MemTables;
use crate::rows::Cell;
use crate::{Error, Pools, SEQ_COLUMN, Tables};

/// A database that answers with rows of numbers after the watermark.
#[derive(Default)]
struct Numbers {
    /// What is there.
    rows: Mutex<Vec<i64>>,
    /// Where each question began, and how many rows it asked for.
    asked: Mutex<Vec<String>>,
}

impl Foreign for Numbers {
    fn open(&self, query: ForeignQuery) -> BoxFuture<'_, Result<Box<dyn ForeignCursor>, ForeignError>> {
        let watermark = query.watermark.expect("a watermark");
        self.asked.lock().push(format!("{:?}", watermark.after));
        let after = watermark.after.map_or(i64::MIN, |after| after.parse().expect("a number"));
        let mut rows: Vec<i64> = self.rows.lock().iter().copied().filter(|row| *row > after).collect();
        rows.sort_unstable();
        rows.truncate(query.rows_max.map_or(usize::MAX, |most| most as usize));
        let columns = vec![ForeignColumn { name: "id".into(), column_type: ForeignType::Integer }];
        Box::pin(async move { Ok(Box::new(Answer { columns, rows }) as Box<dyn ForeignCursor>) })
    }
}

struct Answer {
    columns: Vec<ForeignColumn>,
    rows: Vec<i64>,
}

impl ForeignCursor for Answer {
    fn columns(&self) -> &[ForeignColumn] {
        &self.columns
    }

    fn next(&mut self) -> BoxFuture<'_, Result<ForeignBatch, ForeignError>> {
        let rows: Vec<i64> = self.rows.drain(..self.rows.len().min(2)).collect();
        let watermark = rows.last().map(i64::to_string);
        let rows = rows.into_iter().map(|row| vec![Some(row.to_string())]).collect();
        Box::pin(async move { Ok(ForeignBatch { rows, watermark }) })
    }
}

/// Everything that outlives a process.
struct House {
    db: Db<Control>,
    tables: Arc<MemTables>,
    folder: tempfile::TempDir,
    clock: Arc<SimClock>,
    chance: Arc<SeededChance>,
    http: Arc<ScriptedHttp>,
    numbers: Arc<Numbers>,
    keys: Arc<KeyRing>,
    actor: Actor,
    pool: PoolId,
    _guard: testing::DatabaseGuard,
}

impl House {
    async fn new() -> Self {
        let (_, guard, db) = testing::databases(&[base::MIGRATIONS, crate::MIGRATIONS]).swap_remove(0);
        House::on(db, guard).await
    }

    async fn on(db: Db<Control>, guard: testing::DatabaseGuard) -> Self {
        let chance = Arc::new(SeededChance::new(1));
        let mut house = House {
            db,
            tables: Arc::new(MemTables::new()),
            folder: tempfile::tempdir().expect("a temporary folder"),
            clock: Arc::new(SimClock::default()),
            keys: Arc::new(KeyRing::generate(&*chance)),
            chance,
            http: Arc::default(),
            numbers: Arc::default(),
            actor: Actor::system("test"),
            pool: PoolId::new(Timestamp::EPOCH, &SeededChance::new(2)),
            _guard: guard,
        };
        std::fs::create_dir_all(house.path("in")).expect("a folder");
        std::fs::create_dir_all(house.path("done")).expect("a folder");
        house.pool = house.pools().create(&house.actor, "p").await.expect("a pool").id;
        house
    }

    /// A process over what there is.
    fn pools(&self) -> Pools {
        let spool = self.path("spool");
        let pools = Pools::new(self.db.clone(), self.tables.clone(), spool, self.clock.clone(), self.chance.clone());
        pools.open_to_sources(Outside {
            http: self.http.clone(),
            foreign: self.numbers.clone(),
            keys: self.keys.clone(),
            folders: vec![self.folder.path().to_owned()],
        });
        pools
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, so many seconds ago by our clock.
    fn write(&self, name: &str, text: &str, seconds_ago: u64) {
        let path = self.path("in").join(name);
        std::fs::write(&path, text).expect("a file");
        let at = self.clock.now().minus(Duration::from_secs(seconds_ago)).as_micros();
        let at: SystemTime = UNIX_EPOCH + Duration::from_micros(at.unsigned_abs());
        std::fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(at)).expect("a time");
    }

    fn files(&self, folder: &str) -> String {
        let names = std::fs::read_dir(self.path(folder)).expect("a folder").flatten();
        let mut names: Vec<String> = names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names.join(" ")
    }

    fn folder_spec(&self, afterwards: Afterwards) -> SourceSpec {
        SourceSpec {
            origin: Origin::Folder(Folder {
                path: self.path("in"),
                pattern: "*".into(),
                settle_seconds: 10,
                afterwards,
            }),
            push: PushJobSpec::csv("Orders"),
            rhythm: Rhythm::Every { every_seconds: 60 },
        }
    }

    async fn put(&self, pools: &Pools, spec: SourceSpec, secrets: SourceSecrets) -> Source {
        pools.put_source(&self.actor, self.pool, "s", spec, secrets, None).await.expect("a source").0
    }

    /// Draws the first column of the table.
    async fn see(&self) -> String {
        let Ok(seen) = self.tables.scan(self.pool, "Orders", None).await else { return "no table".into() };
        let column = seen.rows.columns().iter().find(|column| column.name != SEQ_COLUMN).expect("a column");
        let cells = (0..seen.rows.len()).map(|row| match column.cell(row) {
            Cell::Null => "-".to_owned(),
            cell => crate::schema::text_of(cell),
        });
        cells.collect::<Vec<_>>().join(" ")
    }

    async fn runs(&self, pools: &Pools) -> String {
        let mut runs = pools.source_runs(self.pool, "s").await.expect("runs");
        runs.reverse();
        let lines = runs.iter().map(|run| {
            let detail = run.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            format!("{} {} {}{detail}", run.label, run.state.as_str(), run.rows)
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn url_spec() -> (SourceSpec, SourceSecrets) {
    let url =
        Url { address: String::new(), format: None, headers: Vec::new(), timeout_seconds: 30, bytes_max: 1_000_000 };
    let spec = SourceSpec {
        origin: Origin::Url(url),
        push: PushJobSpec::csv("Orders"),
        rhythm: Rhythm::Every { every_seconds: 60 },
    };
    let secrets = SourceSecrets {
        url: Some(Secret::new("https://example.org/orders?token=s3cret")),
        headers: [("x-api-key".to_owned(), Some(Secret::new("s3cret")))].into(),
        connection: None,
    };
    (spec, secrets)
}

fn numbers_spec(rows_max: Option<u64>, overlap: u64) -> (SourceSpec, SourceSecrets) {
    let watermark = WatermarkSpec { column: "id".into(), kind: WatermarkKind::Integer, start: None, overlap };
    let postgres = Postgres {
        query: format!("SELECT id FROM t WHERE id > {WATERMARK}"),
        watermark: Some(watermark),
        batch_rows: 2,
        rows_max,
        timeout_seconds: 30,
    };
    let keys = if overlap > 0 { vec!["id".to_owned()] } else { Vec::new() };
    let spec = SourceSpec {
        origin: Origin::Postgres(postgres),
        push: PushJobSpec { keys, ..PushJobSpec::csv("Orders") },
        rhythm: Rhythm::Every { every_seconds: 60 },
    };
    let secrets = SourceSecrets { connection: Some(Secret::new("host=h password=s3cret")), ..SourceSecrets::default() };
    (spec, secrets)
}

#[tokio::test]
async fn each_file_of_a_folder_comes_once() {
    for (_, guard, db) in testing::databases(&[base::MIGRATIONS, crate::MIGRATIONS]) {
        let house = House::on(db, guard).await;
        let pools = house.pools();
        house.write("a.csv", "Id\n1\n", 60);
        house.write("b.csv", "Id\n2,3\n", 60);
        house.write("c.json", "[{\"Id\": 4}]", 60);
        house.write("late.csv", "Id\n5\n", 0);
        house.put(&pools, house.folder_spec(Afterwards::Keep), SourceSecrets::default()).await;
        pools.drain_sources().await.unwrap();
        assert_eq!(house.see().await, "1 4", "b is bad, and the last one may still be written");
        expect![[r#"
            a.csv DONE 1
            b.csv ERROR 0: file "b.csv", line 2, column 2: the row has 2 fields where the header has 1; "3" is one too many; the chunks are kept until 2026-01-02T00:00:00.000Z: POST /api/v1/pools/019b76da-a800-7c57-89ec-1157912e0e17/push-jobs/019b76da-a800-79ca-9211-099d30d99f96/reload with other csvParsingOptions loads them again
            c.json DONE 1"#]]
        .assert_eq(&house.runs(&pools).await);

        house.clock.advance(Duration::from_mins(1));
        // Touched is not changed, and mended is.
        house.write("a.csv", "Id\n1\n", 20);
        house.write("b.csv", "Id\n2\n", 20);
        pools.drain_sources().await.unwrap();
        assert_eq!(house.see().await, "1 4 2 5");
        house.clock.advance(Duration::from_mins(1));
        pools.drain_sources().await.unwrap();
        let source = pools.source(house.pool, "s").await.unwrap();
        assert_eq!((source.rows_in, source.runs_done, source.runs_failed, source.failures), (4, 4, 1, 0));
        assert!(pools.bad_files(house.pool, "s").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn files_go_where_they_are_told_to_and_bad_ones_stay() {
    for (afterwards, expected) in [("move", ("bad.csv", "a.csv a.csv.1")), ("delete", ("bad.csv", "a.csv"))] {
        let house = House::new().await;
        let pools = house.pools();
        std::fs::write(house.path("done/a.csv"), "an old one").expect("a file");
        house.write("a.csv", "Id\n1\n", 60);
        house.write("bad.csv", "Id\n2,3\n", 60);
        let afterwards = match afterwards {
            "move" => Afterwards::Move(house.path("done")),
            _ => Afterwards::Delete,
        };
        house.put(&pools, house.folder_spec(afterwards), SourceSecrets::default()).await;
        pools.drain_sources().await.unwrap();
        assert_eq!((house.files("in").as_str(), house.files("done").as_str()), expected);
    }
}

#[tokio::test]
async fn a_process_may_end_between_any_two_steps() {
    // After so many steps the process ends; what was under way is taken up.
    for ends_after in 0..12 {
        let house = House::new().await;
        for name in ["a.csv", "b.csv", "c.csv"] {
            house.write(name, &format!("Id\n{name}\n"), 60);
        }
        let mut pools = house.pools();
        let spec = house.folder_spec(Afterwards::Move(house.path("done")));
        let id = house.put(&pools, spec, SourceSecrets::default()).await.id;
        let mut turn = Turn::default();
        for step in 0..40 {
            if step == ends_after {
                pools = house.pools();
                pools.recover().await.unwrap();
                turn = Turn::default();
            }
            match pools.step(id, &mut turn).await.unwrap() {
                Step::Pushing(..) => pools.drain().await.unwrap(),
                Step::More => {}
                Step::Rest => break,
            }
        }
        assert_eq!(house.see().await, "a.csv b.csv c.csv", "it ended after {ends_after} steps");
        assert_eq!(house.files("in"), "");
        assert_eq!(std::fs::read_dir(house.path("spool")).map_or(0, Iterator::count), 0);
    }
}

#[tokio::test]
async fn an_address_is_asked_for_what_has_changed() {
    let house = House::new().await;
    let pools = house.pools();
    let (spec, secrets) = url_spec();
    let mut first = reply(200, r#"[{"Id": 1}]"#);
    first.headers.insert("etag", HeaderValue::from_static("\"v1\""));
    let house_http = ScriptedHttp::new([Ok(first)]);
    let house = House { http: Arc::new(house_http), ..house };
    let pools = {
        drop(pools);
        house.pools()
    };
    house.put(&pools, spec.clone(), secrets.clone()).await;
    pools.drain_sources().await.unwrap();
    assert_eq!(house.see().await, "1");
    for (status, body) in [(304, ""), (200, r#"[{"Id": 1}]"#), (200, r#"[{"Id": 1}, {"Id": 2}]"#), (200, "[]")] {
        house.http.push(status, body);
        house.clock.advance(Duration::from_mins(1));
        pools.drain_sources().await.unwrap();
    }
    assert_eq!(house.see().await, "1 1 2", "the same content makes no commit");
    let requests = house.http.requests();
    assert_eq!(requests[1].headers["if-none-match"], "\"v1\"");
    assert_eq!(requests[1].headers["x-api-key"], "s3cret");
    assert_eq!(requests[1].redirects_max, 0, "a secret stays with its host");

    let source = pools.source(house.pool, "s").await.unwrap();
    let sources = format!("{source:?} {secrets:?}");
    assert!(!sources.contains("s3cret"), "{sources}");
    let Origin::Url(url) = &source.spec.origin else { panic!("an address") };
    assert_eq!(
        (url.address.as_str(), url.headers.as_slice()),
        ("https://example.org/orders", &["x-api-key".to_owned()][..])
    );
}

#[tokio::test]
async fn a_failing_address_is_left_alone_for_longer_each_time() {
    let house = House::new().await;
    let pools = house.pools();
    let (spec, secrets) = url_spec();
    house.put(&pools, spec, secrets).await;
    for _ in 0..3 {
        house.http.push(500, "");
        pools.drain_sources().await.unwrap();
        let next = pools.source(house.pool, "s").await.unwrap().next_at.unwrap();
        house.clock.set(next);
    }
    let source = pools.source(house.pool, "s").await.unwrap();
    assert_eq!((source.failures, source.runs_failed), (3, 1), "the same sentence is told once");
    expect!["url ERROR 0: https://example.org/orders answers 500 Internal Server Error"]
        .assert_eq(&house.runs(&pools).await);

    let now = house.clock.now();
    let wait = |failures, wait: Option<u64>| {
        let source = Source { failures, ..source.clone() };
        let trouble = Trouble { wait: wait.map(Duration::from_secs), ..Trouble::new("no") };
        next_turn(&source, Some(&trouble), now, 7).unwrap().since(now).as_secs()
    };
    assert!((24..=36).contains(&wait(1, None)));
    assert!((96..=144).contains(&wait(3, None)));
    assert!(wait(60, None) <= 4_320);
    assert_eq!(wait(1, Some(9_000)), 9_000, "an address that says when is taken at its word");
    let paused = Source { paused: true, ..source };
    assert_eq!(next_turn(&paused, None, now, 7), None);
}

#[tokio::test]
async fn a_query_goes_on_where_it_ended() {
    let house = House::new().await;
    let pools = house.pools();
    let (spec, secrets) = numbers_spec(Some(2), 0);
    *house.numbers.rows.lock() = vec![1, 2, 3, 4, 5];
    house.put(&pools, spec, secrets).await;
    pools.drain_sources().await.unwrap();
    assert_eq!(house.see().await, "1 2 3 4 5");
    house.numbers.rows.lock().push(9);
    house.clock.advance(Duration::from_mins(1));
    pools.drain_sources().await.unwrap();
    assert_eq!(house.see().await, "1 2 3 4 5 9");
    assert_eq!(pools.source(house.pool, "s").await.unwrap().cursor.watermark.as_deref(), Some("9"));
    expect![[r"
        2 rows up to 2 DONE 2
        2 rows after 2 up to 4 DONE 2
        1 rows after 4 up to 5 DONE 1
        1 rows after 5 up to 9 DONE 1"]]
    .assert_eq(&house.runs(&pools).await);
}

#[tokio::test]
async fn late_rows_are_found_in_the_overlap() {
    let house = House::new().await;
    let pools = house.pools();
    let (spec, secrets) = numbers_spec(None, 5);
    *house.numbers.rows.lock() = vec![10];
    house.put(&pools, spec, secrets).await;
    pools.drain_sources().await.unwrap();
    house.numbers.rows.lock().push(8);
    for _ in 0..3 {
        house.clock.advance(Duration::from_mins(1));
        pools.drain_sources().await.unwrap();
    }
    assert_eq!(house.numbers.asked.lock().join(" "), r#"None Some("5") Some("5") Some("5")"#);
    let mut rows: Vec<String> = house.see().await.split(' ').map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows, ["10", "8"]);
    assert_eq!(pools.source(house.pool, "s").await.unwrap().runs_done, 2, "what comes again makes no commit");
}

async fn refused(spec: SourceSpec, secrets: SourceSecrets, expected: Expect) {
    let house = House::new().await;
    let error =
        house.pools().put_source(&house.actor, house.pool, "s", spec, secrets, None).await.expect_err("a refusal");
    expected.assert_eq(&error.to_string());
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_its_mend() {
    let (spec, secrets) = numbers_spec(None, 0);
    refused(
        spec.clone(),
        SourceSecrets::default(),
        expect![[r#"source "s" cannot be kept: connection: it is missing"#]],
    )
    .await;
    let replace = SourceSpec { push: PushJobSpec { job_type: PushType::Replace, ..spec.push.clone() }, ..spec.clone() };
    refused(
        replace,
        secrets.clone(),
        expect![[
            r#"source "s" cannot be kept: type: REPLACE would leave only the rows since the watermark; say DELTA"#
        ]],
    )
    .await;
    let (late, _) = numbers_spec(None, 5);
    let keyless = SourceSpec { push: PushJobSpec::csv("Orders"), ..late };
    refused(
        keyless,
        secrets,
        expect![[r#"source "s" cannot be kept: overlap: rows that come again need keys to be known by"#]],
    )
    .await;
    let (spec, secrets) = url_spec();
    let ftp = SourceSecrets { url: Some(Secret::new("ftp://u:s3cret@example.org")), ..secrets };
    refused(
        spec,
        ftp,
        expect![[r#"source "s" cannot be kept: url: "ftp://example.org" is not an http or https address"#]],
    )
    .await;
}

#[tokio::test]
async fn putting_twice_changes_nothing_and_secrets_stay_with_their_host() {
    let house = House::new().await;
    let pools = house.pools();
    let (spec, secrets) = url_spec();
    let put =
        |spec: SourceSpec, secrets: SourceSecrets| pools.put_source(&house.actor, house.pool, "s", spec, secrets, None);
    assert!(put(spec.clone(), secrets.clone()).await.unwrap().1);
    assert!(!put(spec.clone(), secrets.clone()).await.unwrap().1);
    let kept = SourceSecrets { url: None, headers: [("x-api-key".to_owned(), None)].into(), connection: None };
    assert!(!put(spec.clone(), kept.clone()).await.unwrap().1, "what is not given stays");
    let elsewhere = SourceSecrets { url: Some(Secret::new("https://evil.example/")), ..kept };
    let error = put(spec, elsewhere).await.expect_err("the value would travel");
    assert!(error.to_string().contains("kept for the same host only"), "{error}");

    pools.pause_source(&house.actor, house.pool, "s").await.unwrap();
    pools.drain_sources().await.unwrap();
    assert!(house.http.requests().is_empty(), "a paused source does not look");
    house.http.push(200, r#"[{"Id": 1}]"#);
    pools.run_source(&house.actor, house.pool, "s").await.unwrap();
    pools.drain_sources().await.unwrap();
    assert_eq!(house.see().await, "1", "unless somebody asks");
    pools.delete_source(&house.actor, house.pool, "s").await.unwrap();
    assert!(matches!(pools.source(house.pool, "s").await, Err(Error::UnknownSource { .. })));
}

#[tokio::test]
async fn a_sample_brings_nothing() {
    let house = House::new().await;
    let pools = house.pools();
    house.write("a.csv", "Id;At\n1;2026-01-01\n", 60);
    let mut spec = house.folder_spec(Afterwards::Delete);
    spec.push.csv.separator = Some(";".into());
    let sample = pools.test_source(house.pool, "s", Some((spec, SourceSecrets::default()))).await.unwrap();
    assert_eq!(format!("{:?}", sample.rows), r#"[[Number(1), String("2026-01-01T00:00:00.000Z")]]"#);
    assert_eq!((house.see().await.as_str(), house.files("in").as_str()), ("no table", "a.csv"));
}
