//! Statements under way: what limits them, and how they are stopped.
//!
//! A statement has a limit of time and one of memory; all statements together
//! have one of memory and one of room on the disk, where big sorts put what
//! does not fit. A statement is stopped by its limits, by whoever cancels it,
//! and when nobody waits for its answer any more.
//!
//! A statement whose answer is taken page by page stays open in between: it
//! has not read more than was asked for, and holds on to the pool as it was at
//! its first page. (To run it again for each page would cost the work again,
//! and give no order to rows that have none.) It is closed after some minutes,
//! or earlier if there are too many.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use base::sql::{SqlAnswer, SqlError, SqlRunning};
use base::{Clock, Timestamp};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use futures::StreamExt as _;
use parking_lot::{Mutex, RwLock};
use pools::{PoolId, ViewDefinition};
use tokio_util::sync::CancellationToken;

use crate::lake::Options;
use crate::query::{Answering, json_rows, of_engine};
use crate::scope::Views;

/// Statements that rest between two pages at most, of all pools.
const OPEN_MAX: usize = 16;
/// Minutes that one may rest.
pub(crate) const OPEN_MINUTES: u64 = 5;

/// Everything that statements share.
pub(crate) struct Asking {
    clock: Arc<dyn Clock>,
    time_max: Duration,
    bytes_max: usize,
    all: Arc<GreedyMemoryPool>,
    environment: Arc<RuntimeEnv>,
    views: RwLock<BTreeMap<PoolId, Views>>,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    last: u64,
    statements: BTreeMap<u64, Entry>,
}

struct Entry {
    pool: PoolId,
    shown: SqlRunning,
    stop: CancellationToken,
    /// What rests between two pages.
    open: Option<Open>,
    rests_since: Timestamp,
}

/// A statement between two pages.
pub(crate) struct Open {
    answering: Answering,
    left: Option<RecordBatch>,
    /// The page that was shown last, for whoever did not get it.
    shown: SqlAnswer,
    number: u64,
}

impl Asking {
    /// Makes the limits; `scratch` is a folder for nothing else, which is made
    /// when it is first needed.
    pub(crate) fn new(scratch: &Path, clock: Arc<dyn Clock>, options: &Options) -> EngineResult<Self> {
        // What a process that was killed has left there is of no use.
        let _ = std::fs::remove_dir_all(scratch);
        std::fs::create_dir_all(scratch)?;
        let scratch = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![scratch.to_owned()]))
            .with_max_temp_directory_size(options.sql_scratch_bytes_max);
        Ok(Asking {
            clock,
            time_max: options.sql_time_max,
            bytes_max: options.sql_bytes_max,
            all: Arc::new(GreedyMemoryPool::new(options.sql_bytes_max.saturating_mul(2))),
            environment: RuntimeEnvBuilder::new().with_disk_manager_builder(scratch).build_arc()?,
            views: RwLock::default(),
            under_way: Mutex::default(),
        })
    }

    /// Returns what one statement may use.
    pub(crate) fn environment(&self) -> Arc<RuntimeEnv> {
        let own = Limited { own: GreedyMemoryPool::new(self.bytes_max), all: self.all.clone() };
        Arc::new(RuntimeEnv { memory_pool: Arc::new(own), ..(*self.environment).clone() })
    }

    /// Returns how long a statement may work.
    pub(crate) fn time_max(&self) -> Duration {
        self.time_max
    }

    /// Returns the views of a pool.
    pub(crate) fn views(&self, pool: PoolId) -> Views {
        self.views.read().get(&pool).cloned().unwrap_or_default()
    }

    /// Takes up which views a pool has.
    pub(crate) fn set_views(&self, pool: PoolId, views: Vec<ViewDefinition>) {
        let views = views.into_iter().map(|view| (view.name.to_ascii_lowercase(), view)).collect();
        self.views.write().insert(pool, Arc::new(views));
    }

    /// Takes down that a statement begins, until what it returns is dropped.
    pub(crate) fn begin(self: &Arc<Self>, pool: PoolId, statement: &str, asked_by: &str) -> Begun {
        self.close_stale();
        let now = self.clock.now();
        let stop = CancellationToken::new();
        let mut under_way = self.under_way.lock();
        under_way.last += 1;
        let id = under_way.last;
        let shown = SqlRunning {
            id: id.to_string(),
            statement: statement.to_owned(),
            asked_by: asked_by.to_owned(),
            since: now,
            between_pages: false,
        };
        let entry = Entry { pool, shown, stop: stop.clone(), open: None, rests_since: now };
        under_way.statements.insert(id, entry);
        let work = Work { stop, left: self.time_max, time_max: self.time_max };
        Begun { asking: self.clone(), id, work, stays: false }
    }

    /// Lists the statements of a pool.
    pub(crate) fn running(&self, pool: PoolId) -> Vec<SqlRunning> {
        let under_way = self.under_way.lock();
        let of_pool = under_way.statements.values().filter(|entry| entry.pool == pool);
        of_pool.map(|entry| SqlRunning { between_pages: entry.open.is_some(), ..entry.shown.clone() }).collect()
    }

    /// Stops a statement, or closes it between two pages.
    pub(crate) fn cancel(&self, pool: PoolId, id: &str) -> bool {
        let Ok(id) = id.parse::<u64>() else { return false };
        let mut under_way = self.under_way.lock();
        let Some(entry) = under_way.statements.get(&id).filter(|entry| entry.pool == pool) else { return false };
        entry.stop.cancel();
        if entry.open.is_some() {
            under_way.statements.remove(&id);
        }
        true
    }

    /// Closes what has rested for too long, and the oldest of too many.
    pub(crate) fn close_stale(&self) {
        let now = self.clock.now();
        let patience = Duration::from_mins(OPEN_MINUTES);
        let mut under_way = self.under_way.lock();
        under_way.statements.retain(|_, entry| entry.open.is_none() || now.since(entry.rests_since) < patience);
        let mut resting: Vec<(Timestamp, u64)> = Vec::new();
        for (id, entry) in under_way.statements.iter().filter(|(_, entry)| entry.open.is_some()) {
            resting.push((entry.rests_since, *id));
        }
        resting.sort_unstable();
        for (_, id) in resting.iter().take(resting.len().saturating_sub(OPEN_MAX)) {
            under_way.statements.remove(id);
        }
    }

    /// Takes up a statement again that rests; the page is a page of it.
    pub(crate) fn resume(self: &Arc<Self>, pool: PoolId, cursor: &str) -> Result<Resumed, SqlError> {
        self.close_stale();
        let gone = || SqlError::PageGone { cursor: cursor.to_owned(), minutes: OPEN_MINUTES };
        let (id, page) = cursor.split_once('.').ok_or_else(gone)?;
        let (id, page): (u64, u64) = (id.parse().map_err(|_| gone())?, page.parse().map_err(|_| gone())?);
        let mut under_way = self.under_way.lock();
        let entry = under_way.statements.get_mut(&id).filter(|entry| entry.pool == pool).ok_or_else(gone)?;
        let open = entry.open.take().ok_or_else(gone)?;
        if page == open.number {
            let shown = open.shown.clone();
            entry.open = Some(open);
            entry.rests_since = self.clock.now();
            return Ok(Resumed::Shown(shown));
        }
        if page != open.number + 1 {
            entry.open = Some(open);
            return Err(gone());
        }
        let work = Work { stop: entry.stop.clone(), left: self.time_max, time_max: self.time_max };
        Ok(Resumed::Next(Begun { asking: self.clone(), id, work, stays: false }, open))
    }
}

/// What is to be done for a page.
pub(crate) enum Resumed {
    /// It was shown before and is shown again.
    Shown(SqlAnswer),
    /// It is yet to be made.
    Next(Begun, Open),
}

/// A statement that works.
pub(crate) struct Begun {
    asking: Arc<Asking>,
    id: u64,
    /// Its time, and who may stop it.
    pub(crate) work: Work,
    stays: bool,
}

impl Begun {
    /// Makes the first page, and lets the statement rest if `pages` and there
    /// is more.
    pub(crate) async fn first_page(
        self,
        answering: Answering,
        rows_max: usize,
        pages: bool,
    ) -> Result<SqlAnswer, SqlError> {
        let open = Open { answering, left: None, shown: SqlAnswer::default(), number: 0 };
        self.next_page(open, rows_max, pages).await
    }

    /// Makes the next page.
    pub(crate) async fn next_page(
        mut self,
        mut open: Open,
        rows_max: usize,
        pages: bool,
    ) -> Result<SqlAnswer, SqlError> {
        let mut answer = SqlAnswer { columns: open.answering.columns.clone(), ..SqlAnswer::default() };
        loop {
            let batch = match open.left.take() {
                Some(left) => left,
                None => match self.work.on(open.answering.stream.next()).await? {
                    Some(batch) => batch.map_err(of_engine)?,
                    None => break,
                },
            };
            let room = rows_max - answer.rows.len();
            answer.rows.extend(json_rows(&batch.slice(0, room.min(batch.num_rows())))?);
            if batch.num_rows() > room {
                open.left = Some(batch.slice(room, batch.num_rows() - room));
                answer.truncated = true;
                break;
            }
        }
        if pages {
            // The last page is kept too: its answer may get lost like any other.
            open.number += 1;
            answer.next = answer.truncated.then(|| format!("{}.{}", self.id, open.number + 1));
            open.shown = answer.clone();
            if answer.truncated || open.number > 1 {
                let mut under_way = self.asking.under_way.lock();
                if let Some(entry) = under_way.statements.get_mut(&self.id)
                    && !self.work.stop.is_cancelled()
                {
                    entry.open = Some(open);
                    entry.rests_since = self.asking.clock.now();
                    self.stays = true;
                }
            }
        }
        Ok(answer)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.stays {
            self.asking.under_way.lock().statements.remove(&self.id);
        }
    }
}

/// The time that a statement has left, and who may stop it.
pub(crate) struct Work {
    /// Stops it.
    pub(crate) stop: CancellationToken,
    left: Duration,
    time_max: Duration,
}

impl Work {
    /// Makes the work of a statement that somebody else looks after.
    pub(crate) fn new(stop: CancellationToken, time_max: Duration) -> Self {
        Work { stop, left: time_max, time_max }
    }

    /// Waits for a step of the engine. Only such steps count: a reader who
    /// takes his time is none of the statement's fault.
    pub(crate) async fn on<T>(&mut self, step: impl Future<Output = T>) -> Result<T, SqlError> {
        let begun = Instant::now();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(SqlError::Stopped { detail: "it was cancelled".into() }),
            done = tokio::time::timeout(self.left, step) => {
                self.left = self.left.saturating_sub(begun.elapsed());
                done.map_err(|_| SqlError::Stopped {
                    detail: format!(
                        "it took longer than {} s (setting \"sql_seconds_max\")", self.time_max.as_secs_f64()
                    ),
                })
            }
        }
    }
}

/// The memory of one statement, which is a part of the memory of all.
#[derive(Debug)]
struct Limited {
    own: GreedyMemoryPool,
    all: Arc<GreedyMemoryPool>,
}

impl std::fmt::Display for Limited {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a statement's share")
    }
}

impl MemoryPool for Limited {
    fn name(&self) -> &'static str {
        "statement"
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.all.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.all.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> EngineResult<()> {
        self.own.try_grow(reservation, additional)?;
        let granted: Result<(), DataFusionError> = self.all.try_grow(reservation, additional);
        if granted.is_err() {
            self.own.shrink(reservation, additional);
        }
        granted
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}
