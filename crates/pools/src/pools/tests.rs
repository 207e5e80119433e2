//! Data integration from the outside: the verbs on every database engine, and
//! a process that ends between any two steps.

mod causes;
mod continuous;
mod kept;

use std::future::Future;
use std::path::Path;

use base::BoxFuture;
use base::chance::SeededChance;
use base::error::{Coded, Kind};
use base::testing;
use base::time::SimClock;
use bytes::Bytes;
use expect_test::{Expect, expect};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::memory::MemTables;
use crate::rows::{Cell, Rows};
use crate::{Change, Commit, CommitNumber, Committed, ParquetHead, Piece, PushType, SEQ_COLUMN, Snapshot};

/// Everything that outlives a process, and what is needed to start one.
struct House {
    db: Db<Control>,
    tables: Arc<MemTables>,
    folder: tempfile::TempDir,
    clock: Arc<SimClock>,
    chance: Arc<SeededChance>,
    actor: Actor,
    _guard: Option<testing::DatabaseGuard>,
}

impl House {
    fn new() -> Self {
        let (_, guard, db) = testing::databases(&[base::MIGRATIONS, crate::MIGRATIONS]).swap_remove(0);
        House { _guard: Some(guard), ..House::on(db) }
    }

    fn on(db: Db<Control>) -> Self {
        House {
            db,
            tables: Arc::new(MemTables::new()),
            folder: tempfile::tempdir().expect("a temporary folder"),
            clock: Arc::new(SimClock::default()),
            chance: Arc::new(SeededChance::new(1)),
            actor: Actor::system("test"),
            _guard: None,
        }
    }

    fn pools(&self) -> Pools {
        self.pools_over(self.tables.clone(), Options::default())
    }

    fn pools_over(&self, tables: Arc<dyn Tables>, options: Options) -> Pools {
        let spool = self.folder.path().join("spool");
        Pools::with_options(self.db.clone(), tables, spool, self.clock.clone(), self.chance.clone(), options)
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("spool")).map_or(0, Iterator::count)
    }

    /// Draws a table without what is ours.
    async fn see(&self, pool: PoolId, table: &str) -> String {
        let Ok(seen) = self.tables.scan(pool, table, None).await else { return "no table".into() };
        let columns = seen.rows.columns().iter();
        let ours = [SEQ_COLUMN, crate::CHANGE_DATE_COLUMN];
        let columns: Vec<_> = columns.filter(|column| !ours.contains(&column.name.as_str())).collect();
        let rows = (0..seen.rows.len()).map(|row| {
            let cells = columns.iter().map(|column| match column.cell(row) {
                Cell::Null => "-".to_owned(),
                cell => crate::schema::text_of(cell),
            });
            cells.collect::<Vec<_>>().join(" ")
        });
        rows.collect::<Vec<_>>().join(", ")
    }

    /// Makes, fills and executes a job, as a client does.
    async fn push(&self, pools: &Pools, pool: PoolId, spec: PushJobSpec, text: &str) -> PushJobId {
        let job = pools.create_job(&self.actor, pool, spec).await.unwrap().id;
        add(pools, pool, job, ChunkKind::Upsert, text).await.unwrap();
        pools.execute(&self.actor, pool, job).await.unwrap();
        job
    }
}

async fn add(pools: &Pools, pool: PoolId, job: PushJobId, kind: ChunkKind, text: &str) -> Result<Chunk, Error> {
    let mut upload = pools.add_chunk(pool, job, kind, "orders.csv").await?;
    // In small bites, as a network brings it.
    for bite in text.as_bytes().chunks(7) {
        upload.write(Bytes::copy_from_slice(bite)).await?;
    }
    upload.finish().await
}

fn keyed(table: &str) -> PushJobSpec {
    PushJobSpec { keys: vec!["Id".into()], ..PushJobSpec::csv(table) }
}

fn on_every_engine<F: Future<Output = ()>>(check: impl Fn(House) -> F) {
    testing::on_every_engine(&[base::MIGRATIONS, crate::MIGRATIONS], |db| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(check(House::on(db)));
    });
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Error>, kind: Kind, expected: Expect) {
    let error = answer.expect_err("a refusal");
    assert_eq!(error.kind(), kind);
    expected.assert_eq(&format!("{}: {error}", error.code()));
}

#[test]
fn pools_have_unique_names_and_are_found_by_both() {
    on_every_engine(|house| async move {
        let pools = house.pools();
        let made = pools.create(&house.actor, " Purchasing ").await.unwrap();
        assert_eq!(made.name, "Purchasing");
        pools.create(&house.actor, "Accounting").await.unwrap();
        refused(
            pools.create(&house.actor, "Purchasing").await,
            Kind::Conflict,
            expect![[r#"pool-name-taken: a data pool named "Purchasing" exists already"#]],
        );
        refused(
            pools.create(&house.actor, "").await,
            Kind::Invalid,
            expect![[r#"name-invalid: "" is no name for a data pool: it is empty"#]],
        );
        refused(
            pools.pool("Sales").await,
            Kind::NotFound,
            expect![[r#"pool-unknown: data pool "Sales" does not exist"#]],
        );
        assert_eq!(pools.pool(&made.id.to_string()).await.unwrap(), made);
        assert_eq!(pools.pool("Purchasing").await.unwrap(), made);
        let names: Vec<_> = pools.list().await.unwrap().into_iter().map(|pool| pool.name).collect();
        assert_eq!(names, ["Accounting", "Purchasing"]);
        let trail = house.db.read("test.audit", |tx| audit::page(tx, None, 10)).await.unwrap();
        assert_eq!(trail.len(), 2, "refusals leave no trace");
    });
}

#[test]
fn a_push_goes_its_way() {
    on_every_engine(|house| async move {
        let pools = house.pools();
        let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
        let job = pools.create_job(&house.actor, pool, keyed("Orders")).await.unwrap();
        assert_eq!(job.state, State::New);
        let chunk = add(&pools, pool, job.id, ChunkKind::Upsert, "Id;Name\n1;a\n").await.unwrap();
        assert_eq!((chunk.bytes, chunk.file_name.as_str()), (12, "orders.csv"));
        assert_eq!(pools.chunks(pool, job.id).await.unwrap(), [chunk]);
        assert_eq!(house.files(), 1);

        let executed = pools.execute(&house.actor, pool, job.id).await.unwrap();
        assert_eq!(executed.state, State::Queued);
        pools.drain().await.unwrap();
        let failed = pools.job(pool, job.id).await.unwrap();
        assert_eq!(failed.state, State::Error);
        expect![[r#"file "orders.csv": key column "Id" is missing; there are "Id;Name""#]].assert_eq(&failed.logs[0]);
        pools.delete(&house.actor, pool, job.id).await.unwrap();
        assert_eq!(house.files(), 0, "what was kept of it goes with it");

        let job = house.push(&pools, pool, keyed("Orders"), "Id,Name\n1,a\n2,b\n").await;
        pools.drain().await.unwrap();
        let done = pools.job(pool, job).await.unwrap();
        assert_eq!(done.state, State::Done);
        assert_eq!(done.committed, Some(Committed { number: 1, upserted: 2, deleted: 0 }));
        expect!["2 rows came in and 0 were deleted with commit 1"].assert_eq(&done.logs.join("\n"));
        assert_eq!(house.files(), 0);

        let job = pools.create_job(&house.actor, pool, keyed("ORDERS")).await.unwrap().id;
        add(&pools, pool, job, ChunkKind::Upsert, "id,name\n2,c\n3,d").await.unwrap();
        add(&pools, pool, job, ChunkKind::Delete, "ID\n1\n").await.unwrap();
        pools.execute(&house.actor, pool, job).await.unwrap();
        pools.drain().await.unwrap();
        assert_eq!(house.see(pool, "orders").await, "2 c, 3 d");

        let tables = pools.tables(pool).await.unwrap();
        assert_eq!(
            (tables[0].name.as_str(), tables[0].rows, tables[0].keys.as_slice()),
            ("Orders", 2, &["Id".to_owned()][..])
        );
        pools.delete(&house.actor, pool, job).await.unwrap();
        refused(
            pools.job(pool, job).await.map_err(|error| match error {
                Error::UnknownJob { .. } => Error::UnknownPool { pool: "just the job".into() },
                other => other,
            }),
            Kind::NotFound,
            expect![[r#"pool-unknown: data pool "just the job" does not exist"#]],
        );
        assert_eq!(house.see(pool, "Orders").await, "2 c, 3 d");
        let status = pools.status().await.unwrap();
        assert_eq!(status, Status { pools: 1, rows_in: 4, jobs_done: 2, jobs_failed: 1, ..Status::default() });
    });
}

#[test]
fn what_a_job_does_not_take() {
    on_every_engine(|house| async move {
        let pools = house.pools();
        let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
        let other = pools.create(&house.actor, "Accounting").await.unwrap().id;
        let spec = PushJobSpec { job_type: PushType::Replace, ..PushJobSpec::csv("Orders") };
        let job = pools.create_job(&house.actor, pool, spec).await.unwrap().id;
        let code = |error: Error| (error.kind(), error.code());

        let empty = pools.execute(&house.actor, pool, job).await.unwrap_err();
        assert_eq!(code(empty), (Kind::Conflict, "push-job-empty"));
        let deletes = add(&pools, pool, job, ChunkKind::Delete, "Id\n1").await.unwrap_err();
        assert_eq!(code(deletes), (Kind::Invalid, "push-job-keyless"));
        let elsewhere = pools.job(other, job).await.unwrap_err();
        assert_eq!(code(elsewhere), (Kind::NotFound, "push-job-unknown"));

        add(&pools, pool, job, ChunkKind::Upsert, "Id\n1").await.unwrap();
        pools.execute(&house.actor, pool, job).await.unwrap();
        let twice = pools.execute(&house.actor, pool, job).await.unwrap_err();
        assert_eq!(code(twice), (Kind::Conflict, "push-job-executed"));
        let late = add(&pools, pool, job, ChunkKind::Upsert, "Id\n2").await.unwrap_err();
        assert_eq!(code(late), (Kind::Conflict, "push-job-closed"));

        let canceled = pools.cancel(&house.actor, pool, job).await.unwrap();
        assert_eq!((canceled.state, house.files()), (State::Canceled, 0));
        pools.drain().await.unwrap();
        assert_eq!(house.see(pool, "Orders").await, "no table");
        let again = pools.cancel(&house.actor, pool, job).await.unwrap_err();
        assert_eq!(code(again), (Kind::Conflict, "push-job-state"));
        pools.delete(&house.actor, pool, job).await.unwrap();
        assert_eq!(pools.status().await.unwrap().jobs_canceled, 1);
    });
}

#[test]
fn data_models_have_versions() {
    on_every_engine(|house| async move {
        let pools = house.pools();
        let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
        house.push(&pools, pool, PushJobSpec::csv("Events"), "Case,Activity,Time\n1,a,2026-01-01\n").await;
        pools.drain().await.unwrap();
        let spec = |sorting: Option<&str>| DataModelSpec {
            name: String::new(),
            tables: vec!["Events".into()],
            foreign_keys: Vec::new(),
            activity: crate::ActivityTable {
                table: "events".into(),
                case_column: "case".into(),
                activity_column: "activity".into(),
                timestamp_column: "time".into(),
                end_timestamp_column: None,
                sorting_column: sorting.map(str::to_owned),
                case_table: None,
                case_table_column: None,
            },
        };
        let first = pools.put_data_model(&house.actor, pool, "p2p", spec(None)).await.unwrap().model;
        assert_eq!((first.version, first.name.as_str()), (1, "p2p"));
        let same = pools.put_data_model(&house.actor, pool, "p2p", spec(None)).await.unwrap().model;
        assert_eq!(same, first, "nothing changed, nothing is recorded");
        let second = pools.put_data_model(&house.actor, pool, "p2p", spec(Some("Activity"))).await.unwrap().model;
        assert_eq!((second.version, second.id), (2, first.id));
        refused(
            pools.put_data_model(&house.actor, pool, "p2p", spec(Some("Order"))).await,
            Kind::Invalid,
            expect![[r#"data-model-invalid: data model "p2p" cannot be kept: table "events" has no column "Order""#]],
        );
        refused(
            pools.put_data_model(&house.actor, pool, "p/2", spec(None)).await,
            Kind::Invalid,
            expect![[
                r#"name-invalid: "p/2" is no name for a data model: a key holds letters, digits, points, dashes and underscores"#
            ]],
        );
        assert_eq!(pools.data_models(pool).await.unwrap(), std::slice::from_ref(&second));
        assert_eq!(pools.data_model(pool, "p2p").await.unwrap(), second);
        assert_eq!(pools.data_model(pool, &second.id.to_string()).await.unwrap(), second);
        for reference in [second.id.to_string(), "p2p".into(), "Purchasing/p2p".into(), format!("{pool}/p2p")] {
            assert_eq!(pools.find_data_model(&reference).await.unwrap(), second, "{reference}");
        }
        let other = pools.create(&house.actor, "Accounting").await.unwrap().id;
        pools.put_data_model(&house.actor, other, "p2p", spec(None)).await.unwrap();
        refused(
            pools.find_data_model("p2p").await,
            Kind::Conflict,
            expect![[r#"data-model-ambiguous: 2 pools have a data model "p2p": write POOL/p2p"#]],
        );
    });
}

#[tokio::test]
async fn a_chunk_that_does_not_end_leaves_nothing() {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = pools.create_job(&house.actor, pool, PushJobSpec::csv("Orders")).await.unwrap().id;
    let mut upload = pools.add_chunk(pool, job, ChunkKind::Upsert, "a").await.unwrap();
    upload.write(Bytes::from(vec![b'x'; 3 << 20])).await.unwrap();
    assert_eq!(house.files(), 1);
    drop(upload);
    assert_eq!(house.files(), 0);
    assert_eq!(pools.chunks(pool, job).await.unwrap(), []);
}

#[tokio::test]
async fn a_full_spool_is_an_error_and_what_was_there_is_intact() {
    let house = House::new();
    let options = Options { spool_bytes_max: 20, chunk_bytes_max: 15, ..Options::default() };
    let pools = house.pools_over(house.tables.clone(), options);
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = pools.create_job(&house.actor, pool, PushJobSpec::csv("Orders")).await.unwrap().id;
    add(&pools, pool, job, ChunkKind::Upsert, "Id,Name\n1,a\n").await.unwrap();
    refused(
        add(&pools, pool, job, ChunkKind::Upsert, "Id,Name\n2,b\n").await,
        Kind::Unavailable,
        expect!["disk-full: the disk that holds uploaded chunks is full"],
    );
    let mut upload = pools.add_chunk(pool, job, ChunkKind::Upsert, "long.csv").await.unwrap();
    refused(
        upload.write(Bytes::from(vec![b'x'; 16])).await,
        Kind::TooLarge,
        expect![[r#"chunk-too-large: a chunk holds at most 15 bytes: split the file, or raise "chunk_bytes_max""#]],
    );
    drop(upload);
    assert_eq!(house.files(), 1);
    pools.execute(&house.actor, pool, job).await.unwrap();
    pools.drain().await.unwrap();
    assert_eq!(house.see(pool, "Orders").await, "1 a");
    // The room is free again.
    house.push(&pools, pool, PushJobSpec::csv("Orders"), "Id,Name\n2,b\n").await;
    pools.drain().await.unwrap();
    assert_eq!(house.see(pool, "Orders").await, "1 a, 2 b");
}

#[tokio::test]
async fn the_worker_begins_at_once_and_keeps_the_order_of_a_table() {
    let house = House::new();
    let pools = Arc::new(house.pools());
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let stop = CancellationToken::new();
    let worker = tokio::spawn(pools.clone().run(stop.clone()));
    let mut jobs = Vec::new();
    for round in 0..10 {
        let text = format!("Id,Name\n1,round{round}\n");
        jobs.push(house.push(&pools, pool, keyed("Orders"), &text).await);
        jobs.push(house.push(&pools, pool, keyed("Vendors"), &text).await);
    }
    for (place, job) in jobs.iter().enumerate() {
        let done = pools.settled(pool, *job).await.unwrap();
        assert_eq!(done.state, State::Done, "job {place}: {:?}", done.logs);
    }
    assert_eq!(house.see(pool, "Orders").await, "1 round9");
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(house.files(), 0);
}

/// Tables that stand still for ever at one step, as seen from the process that
/// is about to end.
struct StopsAt {
    tables: Arc<MemTables>,
    step: Step,
    reached: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    BeforeStage,
    AfterStage,
    BeforeCommit,
    AfterCommit,
    /// It does not stand still: the disk is full.
    FullAtCommit,
}

impl StopsAt {
    fn new(house: &House, step: Step) -> Self {
        StopsAt { tables: house.tables.clone(), step, reached: Notify::new() }
    }

    async fn here(&self, step: Step) {
        if self.step == step {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Tables for StopsAt {
    fn stage(&self, pool: PoolId, job: PushJobId, piece: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        Box::pin(async move {
            self.here(Step::BeforeStage).await;
            self.tables.stage(pool, job, piece).await?;
            self.here(Step::AfterStage).await;
            Ok(())
        })
    }

    fn abandon(&self, job: PushJobId) {
        self.tables.abandon(job);
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        Box::pin(async move {
            self.here(Step::BeforeCommit).await;
            if self.step == Step::FullAtCommit {
                return Err(TablesError::Full);
            }
            let committed = self.tables.commit(commit).await;
            self.here(Step::AfterCommit).await;
            committed
        })
    }

    fn outcome(&self, pool: PoolId, job: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>> {
        self.tables.outcome(pool, job)
    }

    fn list(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>> {
        self.tables.list(pool)
    }

    fn table<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>> {
        self.tables.table(pool, table)
    }

    fn scan_at<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        number: CommitNumber,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        self.tables.scan_at(pool, table, number)
    }

    fn scan<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        columns: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        self.tables.scan(pool, table, columns)
    }

    fn changes(
        &self,
        pool: PoolId,
        after: CommitNumber,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Change>, TablesError>> {
        self.tables.changes(pool, after, limit)
    }

    fn release(&self, pool: PoolId, consumer: &str, through: CommitNumber) {
        self.tables.release(pool, consumer, through);
    }

    fn head(&self, pool: PoolId) -> watch::Receiver<CommitNumber> {
        self.tables.head(pool)
    }

    fn parquet_head<'a>(&'a self, file: &'a Path, rows: usize) -> BoxFuture<'a, Result<ParquetHead, TablesError>> {
        self.tables.parquet_head(file, rows)
    }

    fn read_parquet<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Rows, TablesError>> {
        self.tables.read_parquet(file)
    }

    fn flush<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        self.tables.flush(pool, table)
    }
}

#[tokio::test]
async fn a_job_ends_exactly_once_wherever_the_process_ends() {
    for step in [Step::BeforeStage, Step::AfterStage, Step::BeforeCommit, Step::AfterCommit] {
        let house = House::new();
        let tables = Arc::new(StopsAt::new(&house, step));
        let before = house.pools_over(tables.clone(), Options::default());
        let pool = before.create(&house.actor, "Purchasing").await.unwrap().id;
        let job = house.push(&before, pool, PushJobSpec::csv("Orders"), "Id\n1\n").await;
        let waiting = house.push(&before, pool, PushJobSpec::csv("Orders"), "Id\n2\n").await;
        tokio::select! {
            outcome = before.drain() => panic!("it went through: {outcome:?}"),
            () = tables.reached.notified() => {}
        }
        assert_eq!(before.job(pool, job).await.unwrap().state, State::Running);
        drop(before);
        house.tables.restart();

        let after = house.pools();
        after.recover().await.unwrap();
        let recovered = after.job(pool, job).await.unwrap();
        let expected = if step == Step::AfterCommit { State::Done } else { State::Queued };
        assert_eq!(recovered.state, expected, "after a stop at {step:?}");
        after.drain().await.unwrap();
        for job in [job, waiting] {
            assert_eq!(after.job(pool, job).await.unwrap().state, State::Done, "after a stop at {step:?}");
        }
        assert_eq!(house.see(pool, "Orders").await, "1, 2", "after a stop at {step:?}");
        assert_eq!(house.files(), 0, "after a stop at {step:?}");
        let status = after.status().await.unwrap();
        assert_eq!((status.rows_in, status.jobs_done), (2, 2), "after a stop at {step:?}");
    }
}

#[tokio::test]
async fn files_that_nobody_needs_are_swept_away() {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = pools.create_job(&house.actor, pool, PushJobSpec::csv("Orders")).await.unwrap().id;
    add(&pools, pool, job, ChunkKind::Upsert, "Id\n1\n").await.unwrap();
    // An upload that the end of a process broke off.
    let orphan = ChunkId::new(house.clock.now(), &*house.chance);
    let spool = house.folder.path().join("spool");
    std::fs::write(spool.join(orphan.to_string()), "Id\n").unwrap();
    std::fs::write(spool.join("not ours"), "").unwrap();
    let mut going_on = pools.add_chunk(pool, job, ChunkKind::Upsert, "b").await.unwrap();
    going_on.write(Bytes::from(vec![b'x'; 2 << 20])).await.unwrap();
    assert_eq!(house.files(), 4);
    pools.recover().await.unwrap();
    assert_eq!(house.files(), 3);
    going_on.finish().await.unwrap();
    pools.recover().await.unwrap();
    assert_eq!(house.files(), 3);
}

#[tokio::test]
async fn a_disk_that_is_full_under_the_tables_ends_the_job_with_a_reason() {
    let house = House::new();
    let full = StopsAt::new(&house, Step::FullAtCommit);
    let pools = house.pools_over(Arc::new(full), Options::default());
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = house.push(&pools, pool, PushJobSpec::csv("Orders"), "Id\n1\n").await;
    pools.drain().await.unwrap();
    let failed = pools.job(pool, job).await.unwrap();
    assert_eq!((failed.state, house.files()), (State::Error, 0));
    expect!["the disk that holds the tables is full"].assert_eq(&failed.logs.join("\n"));
    assert_eq!(house.see(pool, "Orders").await, "no table");
}

#[tokio::test]
async fn a_stop_breaks_a_job_off_and_the_next_start_takes_it_up() {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let job = house.push(&pools, pool, PushJobSpec::csv("Orders"), "Id\n1\n").await;
    let behind = house.push(&pools, pool, PushJobSpec::csv("orders"), "Id\n2\n").await;
    let stop = CancellationToken::new();
    stop.cancel();
    assert!(!pools.execute_now(job, &stop).await.unwrap(), "nobody knows what became of it");
    assert_eq!(pools.job(pool, job).await.unwrap().state, State::Running);
    let error = pools.delete(&house.actor, pool, job).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "push-job-state"));
    // Nothing overtakes a job of its table, also while it stands still.
    pools.drain().await.unwrap();
    assert_eq!(pools.job(pool, behind).await.unwrap().state, State::Queued);

    pools.recover().await.unwrap();
    pools.drain().await.unwrap();
    assert_eq!(house.see(pool, "Orders").await, "1, 2");
}

#[tokio::test]
async fn a_file_that_the_tables_cannot_read_is_called_by_its_name() {
    let house = House::new();
    let pools = house.pools();
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let spec = PushJobSpec { file_type: crate::FileType::Parquet, ..PushJobSpec::csv("Orders") };
    let job = house.push(&pools, pool, spec, "PAR1").await;
    pools.drain().await.unwrap();
    let failed = pools.job(pool, job).await.unwrap();
    assert_eq!(failed.state, State::Error);
    expect![[r#"file "orders.csv": tables in memory do not read Parquet"#]].assert_eq(&failed.logs.join("\n"));
}
