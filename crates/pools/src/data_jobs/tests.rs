//! Data jobs over an engine that knows a few statements by heart.

use std::sync::Arc;

use base::BoxFuture;
use base::chance::SeededChance;
use base::testing;
use base::time::SimClock;
use expect_test::{Expect, expect};
use std::time::Duration;
use tokio::sync::{Notify, watch};

use super::*;
use crate::memory::MemTables;
use crate::rows::{Cell, ColumnBuilder, ColumnType, Rows};
use crate::{
    Change, Commit, CommitNumber, Committed, Mode, Piece, PushJobId, Snapshot, TableInfo, Tables, TablesError,
    Transform, TransformationSpec, Transformed, ViewDefinition,
};

/// Inserts one row into the table that an INSERT names, and does what other
/// statements say only as far as the tests look.
#[derive(Default)]
struct Scripted {
    tables: MemTables,
    /// It stands still after the commit of a statement that holds this.
    stops_at: Option<&'static str>,
    reached: Notify,
    views: parking_lot::Mutex<Vec<ViewDefinition>>,
}

impl Scripted {
    async fn insert(&self, pool: PoolId, table: &str, job: PushJobId) -> Result<Committed, TablesError> {
        let mut column = ColumnBuilder::new("Id", ColumnType::Integer);
        column.push(Cell::Integer(1));
        self.tables.stage(pool, job, Piece::Upsert(Rows::new(vec![column.finish()]))).await?;
        let (table, at) = (table.to_owned(), Timestamp::EPOCH);
        self.tables.commit(Commit { pool, table, job, mode: Mode::Append, at, causes: base::Causes::NONE }).await
    }
}

impl Tables for Scripted {
    fn stage(&self, pool: PoolId, job: PushJobId, piece: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        self.tables.stage(pool, job, piece)
    }

    fn abandon(&self, job: PushJobId) {
        self.tables.abandon(job);
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        self.tables.commit(commit)
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

    fn last_change(&self, pool: PoolId, table: &str) -> Option<CommitNumber> {
        self.tables.last_change(pool, table)
    }

    fn flush<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        self.tables.flush(pool, table)
    }

    fn show_views(&self, _: PoolId, views: Vec<ViewDefinition>) {
        *self.views.lock() = views;
    }

    fn transform(&self, transform: Transform) -> BoxFuture<'_, Result<Transformed, TablesError>> {
        Box::pin(async move {
            let Transform { pool, job, statement, stop, .. } = transform;
            if let Some(committed) = self.tables.outcome(pool, job).await? {
                return Ok(Transformed::Committed(committed));
            }
            let mut words = statement.split_whitespace();
            match (words.next(), words.nth(1)) {
                (Some("INSERT"), Some(table)) => {
                    let committed = self.insert(pool, table, job).await?;
                    if self.stops_at.is_some_and(|word| statement.contains(word)) {
                        self.reached.notify_one();
                        std::future::pending::<()>().await;
                    }
                    Ok(Transformed::Committed(committed))
                }
                (Some("UPDATE"), _) => {
                    self.reached.notify_one();
                    stop.cancelled().await;
                    Err(TablesError::Stopped { detail: "it was cancelled".into() })
                }
                (Some("CREATE"), Some(name)) => {
                    Ok(Transformed::ViewMade(ViewDefinition { name: name.into(), query: "SELECT 1".into() }))
                }
                (Some("DELETE"), _) => Err(TablesError::Statement { detail: "there is no such column".into() }),
                _ => Ok(Transformed::Nothing),
            }
        })
    }
}

/// Everything that outlives a process.
struct House {
    db: base::db::Db<base::db::Control>,
    folder: tempfile::TempDir,
    clock: Arc<SimClock>,
    actor: Actor,
    _guard: testing::DatabaseGuard,
}

impl House {
    fn new() -> Self {
        let (_, guard, db) = testing::databases(&[base::MIGRATIONS, crate::MIGRATIONS]).swap_remove(0);
        let folder = tempfile::tempdir().expect("a temporary folder");
        House { db, folder, clock: Arc::default(), actor: Actor::system("test"), _guard: guard }
    }

    fn pools(&self, tables: &Arc<Scripted>, seed: u64) -> Pools {
        let spool = self.folder.path().join("spool");
        Pools::new(self.db.clone(), tables.clone(), spool, self.clock.clone(), Arc::new(SeededChance::new(seed)))
    }
}

fn spec(sql: &str) -> DataJobSpec {
    DataJobSpec {
        name: "Nightly".into(),
        connection: None,
        transformations: vec![TransformationSpec { name: "Clean".into(), statements: sql.into() }],
        schedule: None,
        on_change_of: Vec::new(),
        enabled: true,
    }
}

async fn see(pools: &Pools, pool: PoolId, run: DataRunId, expected: Expect) {
    let (run, statements) = pools.data_run(pool, run).await.unwrap();
    let mut seen = format!("{} {} {}\n", run.cause.as_str(), run.state.as_str(), run.error.unwrap_or_default());
    for one in statements {
        let end = one.ended.map(|end| (end.number, end.upserted, end.error));
        seen += &format!("{} {} {} {end:?}\n", one.place, one.verb.as_str(), one.target);
    }
    expected.assert_eq(&seen);
}

#[tokio::test]
async fn what_stands_behind_a_statement_that_failed_does_not_run() {
    let house = House::new();
    let tables = Arc::new(Scripted::default());
    let pools = house.pools(&tables, 1);
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let sql = "INSERT INTO Log VALUES (1);\nDELETE FROM Log WHERE x = 1; INSERT INTO Log VALUES (2)";
    let job = pools.put_data_job(&house.actor, pool, None, spec(sql)).await.unwrap();
    let run = pools.run_data_job(&house.actor, pool, job.id).await.unwrap();
    assert_eq!(pools.run_data_job(&house.actor, pool, job.id).await.unwrap().id, run.id);
    pools.drain_data_jobs().await.unwrap();
    see(
        &pools,
        pool,
        run.id,
        expect![[r#"
            HAND ERROR transformation "Clean", statement 2, line 2: there is no such column
            1 INSERT Log Some((Some(1), 1, None))
            2 DELETE Log Some((None, 0, Some("there is no such column")))
            3 INSERT Log None
        "#]],
    )
    .await;
    let ended = pools.cancel_data_run(&house.actor, pool, run.id).await.unwrap_err();
    assert_eq!(ended.to_string(), format!("run \"{}\" cannot be canceled: it is ERROR", run.id));
}

#[tokio::test]
async fn a_run_that_a_crash_cut_short_goes_on_and_commits_nothing_twice() {
    let house = House::new();
    let tables = Arc::new(Scripted { stops_at: Some("(2)"), ..Scripted::default() });
    let before = house.pools(&tables, 1);
    let pool = before.create(&house.actor, "Purchasing").await.unwrap().id;
    let sql =
        "CREATE VIEW v AS SELECT 1; INSERT INTO Log VALUES (1); INSERT INTO Log VALUES (2); INSERT INTO Log VALUES (3)";
    let job = before.put_data_job(&house.actor, pool, None, spec(sql)).await.unwrap();
    let run = before.run_data_job(&house.actor, pool, job.id).await.unwrap();
    tokio::select! {
        outcome = before.drain_data_jobs() => panic!("it went through: {outcome:?}"),
        () = tables.reached.notified() => {}
    }
    drop(before);
    tables.views.lock().clear();
    let after = house.pools(&tables, 2);
    after.show_views().await.unwrap();
    assert_eq!(tables.views.lock().len(), 1);
    after.drain_data_jobs().await.unwrap();
    see(
        &after,
        pool,
        run.id,
        expect![[r"
            HAND DONE 
            1 VIEW v Some((None, 0, None))
            2 INSERT Log Some((Some(1), 1, None))
            3 INSERT Log Some((Some(2), 1, None))
            4 INSERT Log Some((Some(3), 1, None))
        "]],
    )
    .await;
    assert_eq!(tables.table(pool, "Log").await.unwrap().map(|table| table.rows), Some(3));
}

#[tokio::test]
async fn a_run_can_be_cancelled_while_it_runs() {
    let house = House::new();
    let tables = Arc::new(Scripted::default());
    let pools = house.pools(&tables, 1);
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let sql = "INSERT INTO Log VALUES (1); UPDATE Log SET x = 1; INSERT INTO Log VALUES (2)";
    let job = pools.put_data_job(&house.actor, pool, None, spec(sql)).await.unwrap();
    let run = pools.run_data_job(&house.actor, pool, job.id).await.unwrap();
    let cancelled = async {
        tables.reached.notified().await;
        assert_eq!(pools.cancel_data_job(&house.actor, pool, job.id).await.unwrap(), 1);
    };
    let (drained, ()) = tokio::join!(pools.drain_data_jobs(), cancelled);
    drained.unwrap();
    see(
        &pools,
        pool,
        run.id,
        expect![[r"
            HAND CANCELED 
            1 INSERT Log Some((Some(1), 1, None))
            2 UPDATE Log None
            3 INSERT Log None
        "]],
    )
    .await;
    pools.delete_data_job(&house.actor, pool, job.id).await.unwrap();
    assert!(pools.data_jobs(pool).await.unwrap().is_empty());
}

#[tokio::test]
async fn time_and_changes_start_a_job() {
    let house = House::new();
    let tables = Arc::new(Scripted::default());
    let pools = house.pools(&tables, 1);
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    tables.insert(pool, "Orders", PushJobId::from_bytes([1; 16])).await.unwrap();
    let mut both = spec("INSERT INTO Log VALUES (1)");
    both.on_change_of = vec!["ORDERS".into()];
    both.schedule = Some(base::schedule::Schedule::every(3_600).unwrap());
    let job = pools.put_data_job(&house.actor, pool, None, both).await.unwrap();
    let started = async || {
        pools.drain_data_jobs().await.unwrap();
        let runs = pools.data_runs(pool, job.id).await.unwrap();
        runs.iter().map(|run| run.cause.as_str()).collect::<Vec<_>>().join(" ")
    };
    // What was there before does not start it; two changes are one run.
    assert_eq!(started().await, "");
    tables.insert(pool, "Orders", PushJobId::from_bytes([2; 16])).await.unwrap();
    tables.insert(pool, "Orders", PushJobId::from_bytes([3; 16])).await.unwrap();
    assert_eq!(started().await, "CHANGE");
    assert_eq!(started().await, "CHANGE");
    // What was slept through is one run too.
    house.clock.advance(Duration::from_hours(5));
    assert_eq!(started().await, "SCHEDULE CHANGE");
    assert_eq!(started().await, "SCHEDULE CHANGE");
    let mut looping = spec("INSERT INTO orders VALUES (1)");
    (looping.name, looping.on_change_of) = ("Loop".into(), vec!["Log".into()]);
    let refused = pools.put_data_job(&house.actor, pool, None, looping).await.unwrap_err();
    expect![[
        r#"data job "Loop" cannot be kept: it watches table "log", which data job "Nightly" writes when table "orders" changes, and this job leads to that: the two would start each other without end"#
    ]]
    .assert_eq(&refused.to_string());
}

#[tokio::test]
async fn a_job_belongs_to_the_pool_or_to_one_of_its_connections() {
    let house = House::new();
    let tables = Arc::new(Scripted::default());
    let pools = house.pools(&tables, 1);
    let pool = pools.create(&house.actor, "Purchasing").await.unwrap().id;
    let on =
        |connection: &str| DataJobSpec { connection: Some(connection.into()), ..spec("INSERT INTO Log VALUES (1)") };
    let refused = pools.put_data_job(&house.actor, pool, None, on("erp")).await.unwrap_err();
    expect![[
        r#"data job "Nightly" cannot be kept: the pool has no connection "erp": name one of its sources, or leave it out for Global"#
    ]]
    .assert_eq(&refused.to_string());
    let job = pools.put_data_job(&house.actor, pool, None, on("Global")).await.unwrap();
    assert_eq!(job.spec.connection, None);
}
