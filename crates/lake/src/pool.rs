//! One pool as everyone sees it.
//!
//! The tables of a pool at its last commit are one immutable [`View`]. The
//! writer alone puts a new one in its place; readers take the one that is
//! there and keep it as long as they like.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use parking_lot::{Mutex, RwLock};
use pools::{Change, CommitNumber, Committed, PoolId, PushJobId, TablesError};
use tokio::sync::watch;

use crate::error::failed;
use crate::ledger::Ledger;
use crate::log::{Segment, read_after};
use crate::pace::Errand;
use crate::plan::materialised;
use crate::rest::{Delta, Held};
use crate::run::Run;
use crate::table::Table;

/// Changes kept in memory for those who follow along; older ones are read from
/// the log.
const RECENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Jobs that are remembered once the log has let go of them.
const JOBS_REMEMBERED: usize = 100_000;

/// The tables of a pool at one commit, by name in lower case.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) head: CommitNumber,
    pub(crate) tables: BTreeMap<String, Arc<Table>>,
}

/// Where those who change a table at rest wait for each other.
#[derive(Default)]
pub(crate) struct Desk {
    /// The Delta log, while nobody works on it; `None` if it has to be opened
    /// anew.
    pub(crate) delta: tokio::sync::Mutex<Option<Delta>>,
    /// The work that is being done.
    pub(crate) errand: Mutex<Option<Arc<Errand>>>,
    /// The files that someone may still read.
    pub(crate) held: Held,
}

/// One pool.
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    pub(crate) folder: PathBuf,
    view: RwLock<Arc<View>>,
    head: watch::Sender<CommitNumber>,
    memory: Mutex<Memory>,
    desks: Mutex<HashMap<String, Arc<Desk>>>,
}

/// A change kept in memory, its rows perhaps not.
#[derive(Debug)]
struct Recent {
    change: Arc<Change>,
    in_a_run: bool,
    /// The size of its record.
    bytes: usize,
}

/// What is remembered of commits beside the tables.
#[derive(Debug, Default)]
struct Memory {
    jobs: HashMap<PushJobId, Committed>,
    jobs_in_order: VecDeque<PushJobId>,
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// Runs that the log names.
    runs: BTreeMap<CommitNumber, Arc<Run>>,
    segments: Vec<Segment>,
    consumers: BTreeMap<String, Consumer>,
    broken: Option<String>,
}

/// Someone who follows along.
#[derive(Debug)]
struct Consumer {
    through: CommitNumber,
    /// Since when it has been behind without moving; of no meaning while it is
    /// at the head.
    behind_since: Timestamp,
}

/// What a commit adds to a pool's memory.
pub(crate) struct News {
    pub(crate) job: PushJobId,
    pub(crate) committed: Committed,
    pub(crate) change: Arc<Change>,
    /// The rows of the change, if they lie in a run.
    pub(crate) run: Option<Arc<Run>>,
    /// The size of its record.
    pub(crate) bytes: usize,
}

impl Memory {
    fn learn(&mut self, job: PushJobId, committed: Committed) {
        if self.jobs.insert(job, committed).is_none() {
            self.jobs_in_order.push_back(job);
        }
    }

    fn keep(&mut self, news: News) {
        self.learn(news.job, news.committed);
        let in_a_run = news.run.is_some();
        self.runs.extend(news.run.map(|run| (news.committed.number, run)));
        self.recent_bytes += news.bytes;
        self.recent.push_back(Recent { change: news.change, in_a_run, bytes: news.bytes });
        while self.recent_bytes > RECENT_BYTES_MAX && self.recent.len() > 1 {
            self.recent_bytes -= self.recent.pop_front().expect("there are several").bytes;
        }
    }

    fn light(&self, change: Arc<Change>, in_a_run: bool) -> Light {
        if !in_a_run {
            return Light::Whole(change);
        }
        let run = self.runs.get(&change.number).cloned();
        Light::InRun(change, run)
    }
}

impl Pool {
    /// Makes a pool without tables.
    pub(crate) fn new(id: PoolId, data: &Path) -> Self {
        Pool {
            id,
            folder: data.join(id.to_string()),
            view: RwLock::default(),
            head: watch::Sender::new(0),
            memory: Mutex::default(),
            desks: Mutex::default(),
        }
    }

    /// Returns the folder of the log. No table's folder can have this name.
    pub(crate) fn log_folder(&self) -> PathBuf {
        self.folder.join("~log")
    }

    /// Returns the tables at the last commit.
    pub(crate) fn view(&self) -> Arc<View> {
        self.view.read().clone()
    }

    /// Watches the number of the last commit.
    pub(crate) fn head(&self) -> watch::Receiver<CommitNumber> {
        self.head.subscribe()
    }

    /// Finds a table, its name in any case.
    pub(crate) fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.view.read().tables.get(&name.to_ascii_lowercase()).cloned()
    }

    /// Returns the desk of a table.
    pub(crate) fn desk(&self, table: &str) -> Arc<Desk> {
        self.desks.lock().entry(table.to_ascii_lowercase()).or_default().clone()
    }

    /// Puts up the desk of a table that was found on disk.
    pub(crate) fn put_desk(&self, table: &str, desk: Desk) {
        self.desks.lock().insert(table.to_ascii_lowercase(), Arc::new(desk));
    }

    /// Returns how a job was committed.
    pub(crate) fn committed(&self, job: PushJobId) -> Option<Committed> {
        self.memory.lock().jobs.get(&job).copied()
    }

    /// Tells what is known about a job. Once the disk has failed, nobody knows
    /// of a job that was not committed before whether the next start will find
    /// it in the log.
    pub(crate) fn outcome(&self, job: PushJobId) -> Result<Option<Committed>, TablesError> {
        let memory = self.memory.lock();
        match (memory.jobs.get(&job), &memory.broken) {
            (Some(committed), _) => Ok(Some(*committed)),
            (None, None) => Ok(None),
            (None, Some(detail)) => Err(TablesError::BrokenDisk { detail: detail.clone() }),
        }
    }

    /// Takes down that the disk has failed under the log.
    pub(crate) fn break_down(&self, detail: &str) {
        self.memory.lock().broken = Some(detail.to_owned());
    }

    /// Puts a new view in place, after the commits that led to it.
    pub(crate) fn publish(&self, view: View, news: Vec<News>, segments: Vec<Segment>, now: Timestamp) {
        let head = view.head;
        self.remember(news);
        {
            let mut memory = self.memory.lock();
            memory.segments = segments;
            let shown = *self.head.borrow();
            for consumer in memory.consumers.values_mut().filter(|consumer| consumer.through >= shown) {
                consumer.behind_since = now;
            }
        }
        *self.view.write() = Arc::new(view);
        self.head.send_if_modified(|shown| std::mem::replace(shown, head) != head);
    }

    /// Takes up commits whose tables are yet to be shown.
    pub(crate) fn remember(&self, news: Vec<News>) {
        let mut memory = self.memory.lock();
        for news in news {
            memory.keep(news);
        }
    }

    /// Takes up what the ledger remembers.
    pub(crate) fn recall(&self, ledger: Ledger, now: Timestamp) {
        let mut memory = self.memory.lock();
        for (job, committed) in ledger.jobs {
            memory.learn(job, committed);
        }
        let consumers = ledger.consumers.into_iter();
        memory.consumers = consumers.map(|(name, through)| (name, Consumer { through, behind_since: now })).collect();
    }

    /// Returns what the ledger is to remember, and lets go of what is too much.
    pub(crate) fn ledger(&self) -> Ledger {
        let mut memory = self.memory.lock();
        let logged = memory.segments.first().map_or(0, |segment| segment.first);
        while memory.jobs_in_order.len() > JOBS_REMEMBERED {
            let oldest = memory.jobs_in_order[0];
            if memory.jobs.get(&oldest).is_some_and(|committed| committed.number >= logged) {
                break;
            }
            memory.jobs.remove(&oldest);
            memory.jobs_in_order.pop_front();
        }
        let jobs = memory.jobs_in_order.iter().map(|job| (*job, memory.jobs[job]));
        let consumers = memory.consumers.iter().map(|(name, consumer)| (name.clone(), consumer.through));
        Ledger { jobs: jobs.collect(), consumers: consumers.collect() }
    }

    /// Tells how far the slowest consumer is; the far end if there is none.
    /// One that has been behind for longer than `patience` is not waited for.
    pub(crate) fn released(&self, now: Timestamp, patience: Duration) -> CommitNumber {
        let memory = self.memory.lock();
        let waited_for = memory.consumers.values().filter(|consumer| now.since(consumer.behind_since) <= patience);
        waited_for.map(|consumer| consumer.through).min().unwrap_or(CommitNumber::MAX)
    }

    /// Takes down how far a consumer is; true if it was not known before, or
    /// takes its leave.
    pub(crate) fn release(&self, consumer: &str, through: CommitNumber, now: Timestamp) -> bool {
        let mut memory = self.memory.lock();
        if through == CommitNumber::MAX {
            return memory.consumers.remove(consumer).is_some();
        }
        memory.consumers.insert(consumer.to_owned(), Consumer { through, behind_since: now }).is_none()
    }

    /// Returns how many bytes of the log there are, runs included.
    pub(crate) fn log_bytes(&self) -> u64 {
        self.memory.lock().segments.iter().map(|segment| segment.bytes + segment.run_bytes).sum()
    }

    /// Returns the names of the files that the log names.
    pub(crate) fn named_files(&self) -> HashSet<String> {
        let memory = self.memory.lock();
        memory.runs.values().flat_map(|run| run.files()).map(|file| file.name.clone()).collect()
    }

    /// Lets go of the runs up to a commit: the log names them no more.
    pub(crate) fn let_go_of_runs(&self, through: CommitNumber) {
        let gone = {
            let mut memory = self.memory.lock();
            let stay = memory.runs.split_off(&(through + 1));
            std::mem::replace(&mut memory.runs, stay)
        };
        // Their files go now, or with their last reader.
        for run in gone.values() {
            run.let_go();
        }
    }

    /// Returns what the commits after a number changed, at most `limit` of
    /// them, and fewer if they are big. May read the disk.
    pub(crate) fn changes(&self, after: CommitNumber, limit: usize) -> Result<Vec<Change>, TablesError> {
        let mut changes = Vec::new();
        let mut bytes = 0;
        for change in self.light_changes(after, limit)? {
            match change {
                Light::Whole(change) => changes.push(change.as_ref().clone()),
                Light::InRun(change, run) => {
                    let run = run.ok_or(TablesError::Forgotten { gone: change.number })?;
                    bytes += run.bytes();
                    if bytes > RECENT_BYTES_MAX as u64 && !changes.is_empty() {
                        break;
                    }
                    changes.push(materialised(&change, &run)?);
                }
            }
        }
        Ok(changes)
    }

    fn light_changes(&self, after: CommitNumber, limit: usize) -> Result<Vec<Light>, TablesError> {
        let segments = {
            let memory = self.memory.lock();
            let head = *self.head.borrow();
            if after >= head {
                return Ok(Vec::new());
            }
            let oldest = memory.recent.front().map(|recent| recent.change.number);
            if let Some(oldest) = oldest.filter(|oldest| *oldest <= after + 1) {
                let skipped = (after + 1 - oldest) as usize;
                let changes = memory.recent.iter().skip(skipped).take(limit);
                return Ok(changes.map(|recent| memory.light(recent.change.clone(), recent.in_a_run)).collect());
            }
            memory.segments.clone()
        };
        let gone = segments.first().map_or(0, |segment| segment.first.saturating_sub(1));
        if after < gone {
            return Err(TablesError::Forgotten { gone });
        }
        match read_after(&segments, after, limit) {
            Ok(records) => {
                let memory = self.memory.lock();
                Ok(records.into_iter().map(|record| memory.light(record.change, record.run.is_some())).collect())
            }
            // Cut between the look at the list and the look at the file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let first = self.memory.lock().segments.first().map_or(0, |segment| segment.first);
                Err(TablesError::Forgotten { gone: first.saturating_sub(1) })
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// A change, its rows perhaps on disk still.
enum Light {
    Whole(Arc<Change>),
    /// Its run is gone if the log names it no more.
    InRun(Arc<Change>, Option<Arc<Run>>),
}
