//! The writer: the one thread that changes what pools hold.
//!
//! It takes what waits, decides each job in its turn, writes one group per
//! pool, syncs it once, and shows the result. So as many commits share a sync
//! as arrive during one, and nothing about a pool ever changes in two places.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::RwLock;
use pools::rows::Schema;
use pools::{Commit, CommitNumber, Committed, PoolId, PushJobId, TablesError};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::apply::apply;
use crate::decide::{Staged, decide};
use crate::disk::Disk;
use crate::dropping::dropped;
use crate::error::{Error, failed};
use crate::hot::Layer;
use crate::lake::Options;
use crate::log::{Log, Refused};
use crate::pace::Budget;
use crate::plan::{Plan, plan};
use crate::pool::{News, Pool, View};
use crate::rest::Rest;
use crate::run::{self, Kind, Run, Yard};
use crate::table::Table;
use crate::wal::{Record, write_record};

/// Tasks that wait for the writer at most.
pub(crate) const QUEUE_LENGTH: usize = 1024;

/// Jobs that share a sync at most, and their rows, so that a group does not
/// take all memory.
const GROUP_JOBS_MAX: usize = 256;
const GROUP_ROWS_MAX: usize = 500_000;

/// What the writer is asked to do.
pub(crate) enum Task {
    /// Makes a job durable and visible.
    Commit(Job),
    /// Marks what of a table goes to rest now: everything up to a commit.
    Seal {
        pool: PoolId,
        table: String,
        ceiling: CommitNumber,
        reply: oneshot::Sender<Option<(Arc<Table>, CommitNumber)>>,
    },
    /// Shows what has come to rest, and lets go of it elsewhere.
    Rested { pool: PoolId, table: String, rest: Arc<Rest>, reply: oneshot::Sender<()> },
    /// Shows a layer that has left memory where it was in memory before.
    Spilled { pool: PoolId, table: String, before: Arc<Layer>, after: Layer, reply: oneshot::Sender<()> },
    /// Cuts what nobody needs from a pool's log.
    Cut { pool: PoolId },
    /// Takes down the consumers of a pool.
    NoteConsumers { pool: PoolId },
}

/// A job that waits to be committed.
pub(crate) struct Job {
    pub(crate) commit: Commit,
    pub(crate) rows: JobRows,
    /// It is refused unless this is still the last commit that changed the
    /// table; 0 if there was none.
    pub(crate) only_after: Option<CommitNumber>,
    pub(crate) reply: oneshot::Sender<Result<Committed, Unmade>>,
}

/// The rows of a job.
pub(crate) enum JobRows {
    /// In memory.
    Memory(Vec<Staged>),
    /// On disk, with a plan that may be out of date.
    Disk(Plan),
    /// On disk, to be planned when its turn has come.
    Unplanned(Arc<Run>, Arc<[(Kind, Schema)]>),
    /// None, and no columns either: the table is dropped.
    Dropped,
}

/// Why a commit was not made.
#[derive(Clone, Debug)]
pub(crate) enum Unmade {
    /// It cannot be.
    Refused(TablesError),
    /// The table has changed since the job was planned: plan it again.
    Overtaken,
}

impl From<TablesError> for Unmade {
    fn from(error: TablesError) -> Self {
        Unmade::Refused(error)
    }
}

impl Job {
    /// Returns how many rows it has in memory.
    fn rows(&self) -> usize {
        match &self.rows {
            JobRows::Memory(pieces) => pieces.iter().map(|piece| piece.content().len()).sum(),
            JobRows::Disk(_) | JobRows::Unplanned(..) | JobRows::Dropped => 0,
        }
    }
}

/// What the writer and everyone else have in common.
pub(crate) struct Shared {
    pub(crate) data: std::path::PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn base::Clock>,
    pub(crate) options: Options,
    /// The number of the next run.
    pub(crate) next_run: Arc<AtomicU64>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) pools: RwLock<HashMap<PoolId, Arc<Pool>>>,
}

impl Shared {
    /// Returns a pool; one that nobody has written to yet is empty.
    pub(crate) fn pool(&self, id: PoolId) -> Arc<Pool> {
        if let Some(pool) = self.pools.read().get(&id) {
            return pool.clone();
        }
        self.pools.write().entry(id).or_insert_with(|| Arc::new(Pool::new(id, &self.data))).clone()
    }

    /// Returns where runs of a pool are made.
    pub(crate) fn yard(&self, pool: &Pool) -> Yard {
        Yard::new(self.disk.clone(), run::folder_in(&pool.folder), self.next_run.clone())
    }

    /// Plans a job on disk.
    pub(crate) fn plan(
        &self,
        pool: &Pool,
        table: Option<&Table>,
        commit: &Commit,
        run: &Arc<Run>,
        pieces: &Arc<[(Kind, Schema)]>,
    ) -> Result<Plan, TablesError> {
        plan(&self.yard(pool), table, commit, run, pieces, self.options.staged_bytes_max)
    }

    /// Returns the last commit of a pool that may come to rest: all that
    /// consumers are done with, unless they hold up too much.
    pub(crate) fn ceiling(&self, pool: &Pool) -> CommitNumber {
        if pool.log_bytes() > self.options.retained_bytes_max {
            return CommitNumber::MAX;
        }
        pool.released(self.clock.now(), self.options.consumer_patience)
    }
}

/// The writer's own state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    logs: HashMap<PoolId, Log>,
}

impl Writer {
    /// Makes the writer over logs that a restart has replayed.
    pub(crate) fn new(shared: Arc<Shared>, logs: HashMap<PoolId, Log>) -> Self {
        Writer { shared, logs }
    }

    /// Works until nobody can ask for anything any more.
    pub(crate) fn run(mut self, mut tasks: mpsc::Receiver<Task>) {
        let mut group = Vec::new();
        while let Some(task) = tasks.blocking_recv() {
            let mut next = Some(task);
            while let Some(task) = next {
                match task {
                    Task::Commit(job) => group.push(job),
                    other => {
                        self.commit(std::mem::take(&mut group));
                        self.other(other);
                    }
                }
                let rows: usize = group.iter().map(Job::rows).sum();
                let has_room = group.len() < GROUP_JOBS_MAX && rows < GROUP_ROWS_MAX;
                next = if has_room { tasks.try_recv().ok() } else { None };
            }
            self.commit(std::mem::take(&mut group));
        }
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let mut by_pool: BTreeMap<PoolId, Vec<Job>> = BTreeMap::new();
        for job in jobs {
            by_pool.entry(job.commit.pool).or_default().push(job);
        }
        for (pool, jobs) in by_pool {
            self.commit_group(&self.shared.pool(pool), jobs);
        }
    }

    fn commit_group(&mut self, pool: &Pool, jobs: Vec<Job>) {
        let log = match self.log(pool) {
            Ok(log) => log,
            Err(error) => return refuse(jobs.into_iter().map(|job| job.reply), &error),
        };
        let first = log.next();
        let mut draft = Draft {
            shared: &self.shared,
            pool,
            now: self.shared.clock.now(),
            ceiling: self.shared.ceiling(pool),
            next: first,
            tables: pool.view().tables.clone(),
            records: Vec::new(),
            run_bytes: 0,
            news: Vec::new(),
            by_job: HashMap::new(),
        };
        let mut waiting = Vec::new();
        for job in jobs {
            // A fault in the decision must cost the one job, not the thread.
            let added = catch_unwind(AssertUnwindSafe(|| draft.add(&job)));
            match added.unwrap_or_else(|_| Err(failed("a push job could not be understood").into())) {
                Ok(committed) if committed.number < first => answer(job.reply, Ok(committed)),
                Ok(committed) => waiting.push((job.reply, committed)),
                Err(error) => answer(job.reply, Err(error)),
            }
        }
        if draft.records.is_empty() {
            return;
        }
        let log = self.logs.get_mut(&pool.id).expect("it was opened above");
        let runs: Vec<_> = draft.news.iter().filter_map(|news| news.run.clone()).collect();
        // From here on a restart may find them named.
        for run in &runs {
            run.keep();
        }
        match log.append(&draft.records, draft.run_bytes) {
            Ok(()) => {
                let view = View { head: draft.next - 1, tables: draft.tables };
                pool.publish(view, draft.news, log.segments(), draft.now);
                for (reply, committed) in waiting {
                    answer(reply, Ok(committed));
                }
            }
            Err(refused) => {
                let error = match refused {
                    Refused::Full => {
                        for run in &runs {
                            run.let_go();
                        }
                        TablesError::Full
                    }
                    Refused::Broken(detail) => {
                        pool.break_down(&detail);
                        TablesError::BrokenDisk { detail }
                    }
                };
                refuse(waiting.into_iter().map(|(reply, _)| reply), &error);
            }
        }
    }

    /// Returns the log of a pool, and starts one with its first commit.
    fn log(&mut self, pool: &Pool) -> Result<&mut Log, TablesError> {
        if !self.logs.contains_key(&pool.id) {
            let (disk, bytes_max) = (self.shared.disk.clone(), self.shared.options.segment_bytes_max);
            let log = Log::open(disk, &pool.log_folder(), pool.id, bytes_max, |_| {}).map_err(of_open)?;
            self.logs.insert(pool.id, log);
        }
        Ok(self.logs.get_mut(&pool.id).expect("it is there now"))
    }

    fn other(&mut self, task: Task) {
        match task {
            Task::Commit(job) => self.commit(vec![job]),
            Task::Seal { pool, table, ceiling, reply } => {
                let sealed = self.seal(&self.shared.pool(pool), &table, ceiling);
                // Whoever asked may have gone; then the seal does no harm.
                let _ = reply.send(sealed);
            }
            Task::Rested { pool, table, rest, reply } => {
                let pool = self.shared.pool(pool);
                self.rested(&pool, &table, rest);
                let _ = reply.send(());
                self.cut(&pool);
            }
            Task::Spilled { pool, table, before, after, reply } => {
                self.spilled(&self.shared.pool(pool), &table, &before, after);
                let _ = reply.send(());
            }
            Task::Cut { pool } => {
                let pool = self.shared.pool(pool);
                self.cut(&pool);
            }
            Task::NoteConsumers { pool } => {
                let pool = self.shared.pool(pool);
                if self.logs.contains_key(&pool.id) {
                    self.note(&pool);
                }
            }
        }
    }

    /// Seals the layers of a table up to a commit and returns the table with
    /// the last commit that is sealed, if there is any.
    fn seal(&self, pool: &Pool, table: &str, ceiling: CommitNumber) -> Option<(Arc<Table>, CommitNumber)> {
        let view = pool.view();
        let table = view.tables.get(&table.to_ascii_lowercase())?.clone();
        let through = table.layers.iter().map(|layer| layer.through).rfind(|through| *through <= ceiling)?;
        let sealed = Table::new(
            table.name.clone(),
            table.shape.clone(),
            table.changed_by,
            table.layers.clone(),
            through.max(table.sealed),
            table.rest.clone(),
        );
        self.put(pool, &view, sealed);
        Some((table, through))
    }

    fn rested(&self, pool: &Pool, table: &str, rest: Arc<Rest>) {
        let view = pool.view();
        let Some(table) = view.tables.get(&table.to_ascii_lowercase()) else { return };
        let layers = table.layers.iter().filter(|layer| layer.through > rest.through).cloned().collect();
        let sealed = table.sealed.max(rest.through);
        let table = Table::new(table.name.clone(), table.shape.clone(), table.changed_by, layers, sealed, rest);
        self.put(pool, &view, table);
    }

    fn spilled(&self, pool: &Pool, table: &str, before: &Arc<Layer>, after: Layer) {
        let view = pool.view();
        let Some(table) = view.tables.get(&table.to_ascii_lowercase()) else { return };
        // It may have come to rest meanwhile, or been merged with others.
        let Some(place) = table.layers.iter().position(|layer| Arc::ptr_eq(layer, before)) else { return };
        let mut layers = table.layers.clone();
        layers[place] = Arc::new(after);
        let (name, shape, rest) = (table.name.clone(), table.shape.clone(), table.rest.clone());
        self.put(pool, &view, Table::new(name, shape, table.changed_by, layers, table.sealed, rest));
    }

    fn put(&self, pool: &Pool, view: &View, table: Table) {
        let mut tables = view.tables.clone();
        tables.insert(table.name.to_ascii_lowercase(), Arc::new(table));
        let segments = self.logs.get(&pool.id).map(Log::segments).unwrap_or_default();
        pool.publish(View { head: view.head, tables }, Vec::new(), segments, self.shared.clock.now());
    }

    /// Cuts from the log what is at rest and no consumer needs. The ledger
    /// takes down first what only the log knew.
    fn cut(&mut self, pool: &Pool) {
        let view = pool.view();
        let pending = view.tables.values().filter_map(|table| table.layers.first()).map(|layer| layer.first - 1).min();
        let through = pending.unwrap_or(view.head).min(self.shared.ceiling(pool));
        let Some(log) = self.logs.get_mut(&pool.id) else { return };
        let Some(through) = log.cuttable(through) else { return };
        if !self.note(pool) {
            return;
        }
        let log = self.logs.get_mut(&pool.id).expect("it is still there");
        if let Err(error) = log.cut(through) {
            warn!(pool = %pool.id, error = %error, "the log could not be cut; it will be tried again");
        }
        let segments = log.segments();
        let first = segments.first().map_or(0, |segment| segment.first);
        let view = View { head: view.head, tables: view.tables.clone() };
        pool.publish(view, Vec::new(), segments, self.shared.clock.now());
        pool.let_go_of_runs(first.saturating_sub(1));
    }

    fn note(&self, pool: &Pool) -> bool {
        let noted = pool.ledger().write(&*self.shared.disk, &pool.log_folder());
        if let Err(error) = &noted {
            warn!(pool = %pool.id, error = %error, "the ledger could not be written; it will be tried again");
        }
        noted.is_ok()
    }
}

/// A group of commits of one pool before it is durable.
struct Draft<'a> {
    shared: &'a Shared,
    pool: &'a Pool,
    now: base::Timestamp,
    ceiling: CommitNumber,
    next: CommitNumber,
    tables: BTreeMap<String, Arc<Table>>,
    records: Vec<Vec<u8>>,
    run_bytes: u64,
    news: Vec<News>,
    by_job: HashMap<PushJobId, Committed>,
}

impl Draft<'_> {
    /// Adds a job, or recognises it as one that is committed already.
    fn add(&mut self, job: &Job) -> Result<Committed, Unmade> {
        let (id, commit) = (job.commit.job, &job.commit);
        if let Some(committed) = self.pool.committed(id).or_else(|| self.by_job.get(&id).copied()) {
            return Ok(committed);
        }
        let place = commit.table.to_ascii_lowercase();
        let table = self.tables.get(&place).map(Arc::as_ref);
        if job.only_after.is_some_and(|number| number != table.map_or(0, |table| table.changed_by)) {
            return Err(TablesError::Moved { table: commit.table.clone() }.into());
        }
        let planned_now;
        let (decision, plan) = match &job.rows {
            JobRows::Memory(pieces) => (decide(table, commit, pieces, self.next)?, None),
            JobRows::Disk(plan) if plan.stands(table, commit) => (plan.decision(table, commit, self.next), Some(plan)),
            JobRows::Disk(_) => return Err(Unmade::Overtaken),
            JobRows::Dropped => (dropped(table, commit, self.next), None),
            JobRows::Unplanned(run, pieces) => {
                planned_now = self.shared.plan(self.pool, table, commit, run, pieces)?;
                (planned_now.decision(table, commit, self.next), Some(&planned_now))
            }
        };
        let (committed, change) = (decision.committed, Arc::new(decision.change));
        let run = plan.map(|plan| plan.run().clone());
        let files = run.as_ref().map(|run| run.files().to_vec());
        let record = Record { job: id, committed, keys: decision.shape.keys, change: change.clone(), run: files };
        let spilled = plan.map(|plan| plan.spilled(&change));
        let table = apply(table, &record, spilled, self.now, self.ceiling).map_err(failed)?;
        let bytes = write_record(&record);
        self.news.push(News { job: id, committed, change, run, bytes: bytes.len() });
        self.records.push(bytes);
        self.run_bytes += record.run_bytes();
        self.tables.insert(place, Arc::new(table));
        self.by_job.insert(id, committed);
        self.next += 1;
        Ok(committed)
    }
}

fn answer(reply: oneshot::Sender<Result<Committed, Unmade>>, result: Result<Committed, Unmade>) {
    // Whoever asked may have gone: the outcome can be asked for later.
    let _ = reply.send(result);
}

fn refuse(replies: impl Iterator<Item = oneshot::Sender<Result<Committed, Unmade>>>, error: &TablesError) {
    for reply in replies {
        answer(reply, Err(error.clone().into()));
    }
}

fn of_open(refused: Error) -> TablesError {
    match refused {
        Error::Disk { source, .. } if crate::disk::is_full(&source) => TablesError::Full,
        other => {
            error!(error = %other, "a log could not be opened");
            failed(other)
        }
    }
}
