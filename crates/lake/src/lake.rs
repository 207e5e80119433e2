//! The facade: all pools' rows behind the two ports.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use base::{BoxFuture, Clock};
use parking_lot::{Mutex, RwLock};
use pools::rows::Schema;
use pools::{
    Change, Commit, CommitNumber, Committed, ParquetHead, Piece, PoolId, PushJobId, Rows, Snapshot, TableInfo, Tables,
    TablesError,
};
use pools::{Explored, Transform, Transformed, ViewDefinition};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::asking::Asking;
use crate::decide::Staged;
use crate::disk::{Disk, RealDisk};
use crate::error::{Error, failed};
use crate::flusher::{self, Haste, ask, gone};
use crate::hot::Layer;
use crate::lookup;
use crate::open;
use crate::pace::Budget;
use crate::parquet_piece::ParquetPiece;
use crate::pool::Pool;
use crate::pressure;
use crate::reading::Reading;
use crate::rounds::Rounds;
use crate::run::{Kind, Run};
use crate::staging::{Load, Staging};
use crate::table::Table;
use crate::writer::{Job, JobRows, QUEUE_LENGTH, Shared, Task, Unmade, Writer};

/// How the rows are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// A segment of the log is closed when it has grown beyond this.
    pub segment_bytes_max: u64,
    /// The rows of a push job are in memory up to this, and else on disk.
    pub staged_bytes_max: u64,
    /// Pending rows of a table are in memory up to this, and else on disk.
    pub hot_bytes_max: u64,
    /// Changes that a slow consumer has not released are kept up to this.
    pub retained_bytes_max: u64,
    /// A consumer that has been behind for longer, without moving, is no
    /// longer waited for.
    pub consumer_patience: Duration,
    /// Pending rows whose flush rewrites little or nothing rest after this.
    pub flush_after: Duration,
    /// Pending rows of any table rest after this at the latest.
    pub freshness: Duration,
    /// Pending rows rest when they are this big.
    pub flush_bytes: u64,
    /// Pending rows that replace others rest when they are this share of the
    /// rows at rest.
    pub flush_share: f64,
    /// A file at rest is closed when it has grown to this.
    pub file_bytes_max: u64,
    /// Small files of about one size are joined when there are more.
    pub small_files_max: usize,
    /// Rows come to rest at this many bytes a second, unless someone waits for
    /// it or memory runs short.
    pub flush_bytes_per_second: u64,
    /// And with this share of a processor core.
    pub flush_cpu_share: f64,
    /// Files that no longer count, and the log of what counted when, are kept
    /// for so long: readers may still be at them.
    pub retention: Duration,
    /// A statement may take this long.
    pub sql_time_max: Duration,
    /// A statement of a data job may take this long.
    pub transform_time_max: Duration,
    /// A statement may hold this much memory, all together twice as much.
    pub sql_bytes_max: usize,
    /// What does not fit into memory may take so much room on the disk.
    pub sql_scratch_bytes_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Options {
            segment_bytes_max: 16 * MIB,
            staged_bytes_max: 16 * MIB,
            hot_bytes_max: 512 * MIB,
            retained_bytes_max: 1024 * MIB,
            consumer_patience: Duration::from_mins(15),
            flush_after: Duration::from_secs(5),
            freshness: Duration::from_mins(15),
            flush_bytes: 256 * MIB,
            flush_share: 0.05,
            file_bytes_max: 64 * MIB,
            small_files_max: 7,
            flush_bytes_per_second: 32 * MIB,
            flush_cpu_share: 0.25,
            retention: Duration::from_hours(7 * 24),
            sql_time_max: Duration::from_mins(1),
            transform_time_max: Duration::from_hours(1),
            sql_bytes_max: 512 * MIB as usize,
            sql_scratch_bytes_max: 4 * 1024 * MIB,
        }
    }
}

/// The rows of all pools.
///
/// A lake has threads of its own: one writer, and a few on which it reads and
/// flushes, so that it works under any caller's runtime. Dropping it waits for
/// the writer; what is not at rest stays in the log.
pub struct Lake {
    shared: Arc<Shared>,
    staged: Mutex<HashMap<PushJobId, Arc<Mutex<Option<Staging>>>>>,
    tasks: Option<mpsc::Sender<Task>>,
    writer: Option<JoinHandle<()>>,
    pub(crate) asking: Arc<Asking>,
    runtime: Threads,
    /// Held while the folder is in use; the system lets go of it even if we
    /// are killed.
    _lock: File,
}

impl Lake {
    /// Opens a data folder, or makes it, and replays its log.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>, options: Options) -> Result<Lake, Error> {
        Lake::open_on(Arc::new(RealDisk), folder, clock, options)
    }

    /// Opens a data folder on a disk of one's own choice.
    pub(crate) fn open_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Lake, Error> {
        let refused = |source| Error::Disk { path: folder.to_owned(), source };
        let data = std::path::absolute(folder).map_err(refused)?;
        disk.make_folder(&data).map_err(refused)?;
        let lock = open::lock(&data)?;
        let runtime = Threads::start().map_err(refused)?;
        let asking = Asking::new(&data.join("~scratch"), clock.clone(), &options);
        let asking = Arc::new(asking.map_err(|error| refused(std::io::Error::other(error)))?);
        let budget = Arc::new(Budget::new(options.flush_bytes_per_second, options.flush_cpu_share));
        let (next_run, pools) = (Arc::default(), RwLock::default());
        let shared = Arc::new(Shared { data, disk, clock, options, next_run, budget, pools });
        let logs = open::pools(&shared, runtime.handle())?;
        let (tasks, waiting) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer::new(shared.clone(), logs);
        let writer = std::thread::Builder::new()
            .name("lake-writer".into())
            .spawn(move || writer.run(waiting))
            .map_err(refused)?;
        Ok(Lake {
            shared,
            staged: Mutex::default(),
            tasks: Some(tasks),
            writer: Some(writer),
            asking,
            runtime,
            _lock: lock,
        })
    }

    /// Brings rows to rest until told to stop. What is still pending then
    /// stays in the log.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let step = self.shared.options.flush_after.clamp(Duration::from_millis(100), Duration::from_secs(1));
        let mut ticks = tokio::time::interval(step);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let Ok(tasks) = self.tasks() else { return };
        let mut rounds = Rounds::new(self.shared.clone(), tasks.clone(), self.runtime().clone());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            self.asking.close_stale();
            tokio::select! {
                () = stop.cancelled() => return,
                () = rounds.go() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.relieve_all() => {}
            }
        }
    }

    async fn relieve_all(&self) {
        let pools: Vec<_> = self.shared.pools.read().values().cloned().collect();
        for pool in pools {
            self.relieve(&pool, self.shared.options.hot_bytes_max).await;
        }
    }

    /// Moves pending rows of a pool to disk where they are too many for memory.
    pub(crate) async fn relieve(&self, pool: &Arc<Pool>, bytes_max: u64) {
        for (place, table) in &pool.view().tables {
            for before in pressure::layers_to_spill(table, bytes_max) {
                if let Err(error) = self.spill(pool, place, before).await {
                    pressure::complain(pool.id, &table.name, &error);
                    break;
                }
            }
        }
    }

    async fn spill(&self, pool: &Arc<Pool>, table: &str, before: Arc<Layer>) -> Result<(), TablesError> {
        let (yard, layer) = (self.shared.yard(pool), before.clone());
        let after = self.read(move || pressure::spill(&yard, &layer)).await?;
        let (reply, shown) = oneshot::channel();
        ask(self.tasks()?, Task::Spilled { pool: pool.id, table: table.to_owned(), before, after, reply }).await?;
        shown.await.map_err(|_| gone())
    }

    async fn flush_up_to(&self, pool: PoolId, table: &str, ceiling: CommitNumber) -> Result<u64, TablesError> {
        let tasks = self.tasks()?.clone();
        let flush = flusher::flush(self.shared.clone(), tasks, pool, table.to_owned(), ceiling, Haste::Waited);
        // On our own threads, and to its end even if nobody waits for it.
        self.runtime().spawn(flush).await.map_err(failed)?
    }

    /// Puts a table at rest in order, as the background does.
    #[cfg(test)]
    pub(crate) async fn tidy(&self, pool: PoolId, table: &str) -> Result<crate::tidy::Tidied, TablesError> {
        let tidy = crate::tidy::tidy(self.shared.clone(), self.tasks()?.clone(), pool, table.to_owned());
        self.runtime().spawn(tidy).await.map_err(failed)?
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Commits what was staged for a job if its table is still as it was when
    /// commit `number` had changed it.
    pub(crate) async fn commit_after(&self, commit: Commit, number: CommitNumber) -> Result<Committed, TablesError> {
        self.commit_staged(commit, Some(number)).await
    }

    /// Commits pieces that were never staged.
    pub(crate) async fn commit_pieces(
        &self,
        commit: Commit,
        pieces: Vec<Staged>,
        only_after: Option<CommitNumber>,
    ) -> Result<Committed, TablesError> {
        of_unmade(self.ask_for(commit, JobRows::Memory(pieces), only_after).await)
    }

    /// Drops a table.
    pub(crate) async fn commit_drop(&self, commit: Commit) -> Result<Committed, TablesError> {
        of_unmade(self.ask_for(commit, JobRows::Dropped, None).await)
    }

    /// Commits what was staged.
    async fn commit_staged(&self, commit: Commit, only_after: Option<CommitNumber>) -> Result<Committed, TablesError> {
        let staging = self.staged.lock().remove(&commit.job);
        let Some(staging) = staging.and_then(|staging| staging.lock().take()) else {
            return self.commit_pieces(commit, Vec::new(), only_after).await;
        };
        let load = if staging.is_spilled() { self.read(move || staging.finish()).await? } else { staging.finish()? };
        match load {
            Load::Memory(pieces) => self.commit_pieces(commit, pieces, only_after).await,
            Load::Run(run, pieces) => self.commit_run(commit, Arc::new(run), pieces.into(), only_after).await,
        }
    }

    pub(crate) fn tasks(&self) -> Result<&mpsc::Sender<Task>, TablesError> {
        self.tasks.as_ref().ok_or_else(gone)
    }

    /// Returns how long a statement of a data job may work.
    pub(crate) fn transform_time_max(&self) -> Duration {
        self.shared.options.transform_time_max
    }

    pub(crate) fn runtime(&self) -> &Handle {
        self.runtime.handle()
    }

    pub(crate) fn pool(&self, id: PoolId) -> Arc<Pool> {
        self.shared.pool(id)
    }

    fn new_staging(&self, pool: PoolId) -> Arc<Mutex<Option<Staging>>> {
        let yard = self.shared.yard(&self.pool(pool));
        Arc::new(Mutex::new(Some(Staging::new(yard, self.shared.options.staged_bytes_max))))
    }

    async fn ask_for(
        &self,
        commit: Commit,
        rows: JobRows,
        only_after: Option<CommitNumber>,
    ) -> Result<Committed, Unmade> {
        let (reply, committed) = oneshot::channel();
        ask(self.tasks()?, Task::Commit(Job { commit, rows, only_after, reply })).await?;
        committed.await.map_err(|_| gone())?
    }

    /// Commits a job whose rows are on disk.
    async fn commit_run(
        &self,
        commit: Commit,
        run: Arc<Run>,
        pieces: Arc<[(Kind, Schema)]>,
        only_after: Option<CommitNumber>,
    ) -> Result<Committed, TablesError> {
        for _ in 0..PLANS_MAX {
            let pool = self.pool(commit.pool);
            if let Some(committed) = pool.committed(commit.job) {
                return Ok(committed);
            }
            let shared = self.shared.clone();
            let (planned, run, pieces) = (commit.clone(), run.clone(), pieces.clone());
            let plan = self.read(move || {
                let table = pool.table(&planned.table);
                shared.plan(&pool, table.as_deref(), &planned, &run, &pieces)
            });
            match self.ask_for(commit.clone(), JobRows::Disk(plan.await?), only_after).await {
                Err(Unmade::Overtaken) => {}
                done => return of_unmade(done),
            }
        }
        // The table changes faster than the job can be fitted to it: so it is
        // planned where nothing else can happen, and everyone waits.
        of_unmade(self.ask_for(commit, JobRows::Unplanned(run, pieces), only_after).await)
    }

    /// Computes on a thread where it may take its time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, TablesError> + Send + 'static,
    ) -> Result<T, TablesError> {
        self.runtime().spawn_blocking(work).await.map_err(failed)?
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        // A flush under way asks the writer too; it is not waited for.
        self.runtime.stop();
        self.tasks = None;
        if let Some(writer) = self.writer.take() {
            // The thread reports its own end.
            let _ = writer.join();
        }
    }
}

/// The threads on which a lake reads and flushes.
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> std::io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("lake").enable_all().build()?;
        Ok(Threads(Some(runtime)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("they run as long as the lake is open").handle()
    }

    /// Stops them without waiting, since a caller may be inside a runtime of
    /// its own, where nobody may wait.
    fn stop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A job on disk is planned so often while others change its table.
const PLANS_MAX: usize = 3;

fn of_unmade(made: Result<Committed, Unmade>) -> Result<Committed, TablesError> {
    made.map_err(|unmade| match unmade {
        Unmade::Refused(error) => error,
        Unmade::Overtaken => failed("a job was planned for another table"),
    })
}

pub(crate) fn info(table: &Table) -> Result<TableInfo, TablesError> {
    Ok(TableInfo {
        name: table.name.clone(),
        schema: table.shape.schema.clone(),
        rows: table.rows()?,
        keys: table.shape.keys.clone(),
        changed_by: table.changed_by,
    })
}

impl Tables for Lake {
    fn stage(&self, pool: PoolId, job: PushJobId, piece: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        Box::pin(async move {
            let staging = self.staged.lock().entry(job).or_insert_with(|| self.new_staging(pool)).clone();
            // Most pieces are small and only put aside.
            let piece = match staging.try_lock() {
                Some(mut staging) => match staging.as_mut().ok_or_else(gone)?.take(piece) {
                    Some(piece) => piece,
                    None => return Ok(()),
                },
                None => piece,
            };
            self.read(move || staging.lock().as_mut().ok_or_else(gone)?.add(piece)).await
        })
    }

    fn abandon(&self, job: PushJobId) {
        self.staged.lock().remove(&job);
    }

    /// Commits a job. What was staged for it is used up, also by an error; a
    /// job that is tried again is staged again.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        Box::pin(async move { self.commit_staged(commit, None).await })
    }

    fn outcome(&self, pool: PoolId, job: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>> {
        Box::pin(async move { self.pool(pool).outcome(job) })
    }

    fn list(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>> {
        let view = self.pool(pool).view();
        let tables =
            move || view.tables.values().filter(|table| !table.is_dropped()).map(|table| info(table)).collect();
        Box::pin(self.read(tables))
    }

    fn table<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>> {
        let table = self.pool(pool).table(table).filter(|table| !table.is_dropped());
        Box::pin(self.read(move || table.map(|table| info(&table)).transpose()))
    }

    fn columns<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<Schema>, TablesError>> {
        let table = self.pool(pool).table(table).filter(|table| !table.is_dropped());
        Box::pin(async move { Ok(table.map(|table| table.shape.schema.clone())) })
    }

    fn scan_at<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        number: CommitNumber,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        Box::pin(async move {
            let view = self.pool(pool).view();
            let unknown = || TablesError::UnknownTable { table: table.to_owned() };
            let known = view.tables.get(&table.to_ascii_lowercase()).ok_or_else(unknown)?;
            let (table, number) = known.at(number.min(view.head))?;
            if table.is_dropped() {
                return Err(unknown());
            }
            let rows = self.read(move || table.scan(&table.arrow_schema())).await?;
            Ok(Snapshot { number, rows })
        })
    }

    fn scan<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        columns: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        Box::pin(async move {
            let view = self.pool(pool).view();
            let number = view.head;
            let known = view.tables.get(&table.to_ascii_lowercase()).filter(|table| !table.is_dropped()).cloned();
            let table = known.ok_or_else(|| TablesError::UnknownTable { table: table.to_owned() })?;
            let wanted = match columns {
                None => table.arrow_schema(),
                Some(columns) => table.choose(&columns).map_err(|column| TablesError::Mismatch {
                    table: table.name.clone(),
                    detail: format!("it has no column \"{column}\""),
                })?,
            };
            let rows = self.read(move || table.scan(&wanted)).await?;
            Ok(Snapshot { number, rows })
        })
    }

    fn changes(
        &self,
        pool: PoolId,
        after: CommitNumber,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Change>, TablesError>> {
        let pool = self.pool(pool);
        Box::pin(self.read(move || pool.changes(after, limit)))
    }

    /// Says how far a consumer is. Rows come to rest in the background, and
    /// the log is cut, only as far as the slowest consumer is; one that is at
    /// [`CommitNumber::MAX`] takes its leave, and one that stays behind for too
    /// long is not waited for. Consumers outlive a restart.
    fn release(&self, pool: PoolId, consumer: &str, through: CommitNumber) {
        let is_news = self.pool(pool).release(consumer, through, self.shared.clock.now());
        if let (true, Ok(tasks)) = (is_news, self.tasks()) {
            // If the queue is full, the next cut takes it down.
            let _ = tasks.try_send(Task::NoteConsumers { pool });
        }
    }

    fn head(&self, pool: PoolId) -> watch::Receiver<CommitNumber> {
        self.pool(pool).head()
    }

    fn parquet_head<'a>(&'a self, file: &'a Path, rows: usize) -> BoxFuture<'a, Result<ParquetHead, TablesError>> {
        let file = file.to_owned();
        Box::pin(self.read(move || ParquetPiece::head(&file, rows)))
    }

    fn read_parquet<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Rows, TablesError>> {
        let file = file.to_owned();
        Box::pin(self.read(move || ParquetPiece::open(&file)?.rows()))
    }

    fn find<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        keys: Rows,
        columns: Vec<String>,
    ) -> BoxFuture<'a, Result<Rows, TablesError>> {
        let table = self.pool(pool).table(table);
        Box::pin(self.read(move || table.map_or(Ok(Rows::default()), |table| lookup::find(&table, &keys, &columns))))
    }

    fn flush<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        Box::pin(self.flush_up_to(pool, table, CommitNumber::MAX))
    }

    fn transform(&self, transform: Transform) -> BoxFuture<'_, Result<Transformed, TablesError>> {
        Box::pin(async move { self.run_transform(transform, "data job", &Reading::default()).await })
    }

    fn show_views(&self, pool: PoolId, views: Vec<ViewDefinition>) {
        self.asking.set_views(pool, views);
    }

    fn last_change(&self, pool: PoolId, table: &str) -> Option<CommitNumber> {
        self.pool(pool).table(table).map(|table| table.changed_by)
    }

    fn explore(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<Explored>, TablesError>> {
        Box::pin(self.explored(pool))
    }
}
