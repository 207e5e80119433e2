//! The worker: looks for jobs that wait, and executes them.
//!
//! What is due stands in the database; a nudge only makes the worker look at
//! once. So nothing is lost where a nudge is, and an execute begins without
//! delay where it is not.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::error::chain;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::execution::{Outcome, summary};
use crate::push_job::{self, Input, State};
use crate::{Committed, Error, PoolId, Pools, PushJobId, import, push_tables, tables};

/// How long the worker rests where nobody nudges it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often what was kept is looked through.
const TIDY_EVERY: Duration = Duration::from_mins(1);
/// Tables looked at in one go.
const WAITING_MAX: usize = 1_000;

/// A table, its name without case.
type TableKey = (PoolId, String);
/// Whether it is known what became of a job.
type Executed = Result<bool, Error>;

impl Pools {
    /// Settles what a crash left behind: jobs that ran become DONE if their
    /// commit is there, else they wait for their turn again; files of the
    /// spool that nobody needs are removed. [`Pools::run`] begins with it.
    pub async fn recover(&self) -> Result<(), Error> {
        let left = self.db.read("pools.left", |tx| Ok::<_, Error>(tables::jobs_in(tx, State::Running)?)).await?;
        for (job, pool) in left {
            if self.running.lock().contains(&job) {
                continue;
            }
            self.recover_job(pool, job).await?;
        }
        self.sweep().await
    }

    async fn recover_job(&self, pool: PoolId, job: PushJobId) -> Result<(), Error> {
        let known = self.job(pool, job).await?;
        let leader = self.db.read("pools.leader", move |tx| Ok::<_, Error>(push_tables::leader(tx, job)?)).await?;
        if leader.is_some_and(|leader| self.running.lock().contains(&leader)) {
            return Ok(());
        }
        if let Some(committed) = self.tables.outcome(pool, leader.unwrap_or(job)).await? {
            let committed = match leader {
                // The rows are counted where they were committed.
                Some(_) => Committed { upserted: 0, deleted: 0, ..committed },
                None => committed,
            };
            let logs = vec!["the rows were committed before a restart".to_owned(), summary(committed)];
            return self.settle(&known, Outcome::Committed { committed, logs }).await.map(drop);
        }
        let now = self.clock.now();
        let next = push_job::next(State::Running, Input::Interrupted).expect("a job that runs can be interrupted");
        self.db
            .write("pools.requeue", move |tx| {
                tables::move_job(tx, job, State::Running, next, now)?;
                push_tables::set_leader(tx, job, None)?;
                Ok::<_, Error>(())
            })
            .await?;
        tracing::info!(push_job.id = %job, "a push job that was interrupted waits for its turn again");
        self.nudge.notify_one();
        Ok(())
    }

    async fn sweep(&self) -> Result<(), Error> {
        let spool = self.spool.clone();
        let listed = tokio::task::spawn_blocking(move || spool.list()).await;
        let files = match listed {
            Ok(Ok(files)) => files,
            Ok(Err(source)) => return Err(Error::Spool { file: "the folder".into(), source }),
            Err(_) => return Ok(()),
        };
        let needed = self.db.read("pools.open_chunks", |tx| Ok::<_, Error>(tables::open_chunks(tx)?)).await?;
        let mut needed: HashSet<_> = needed.into_iter().collect();
        needed.extend(self.db.read("pools.import_files", |tx| Ok::<_, Error>(import::files_needed(tx)?)).await?);
        let spool = self.spool.clone();
        let _ = tokio::task::spawn_blocking(move || spool.sweep(&files, &needed)).await;
        Ok(())
    }

    /// Executes push jobs until `stop`, several tables at once, the jobs of
    /// one table in order. A job that is being read then is broken off and
    /// begins anew after the next start.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut worker =
            Worker { pools: self.clone(), stop: stop.clone(), running: JoinSet::new(), busy: HashMap::new() };
        let mut recovered = false;
        let mut tidied = None;
        while !stop.is_cancelled() {
            let now = self.clock.now();
            if tidied.is_none_or(|tidied| now.since(tidied) >= TIDY_EVERY) {
                tidied = Some(now);
                if let Err(error) = self.tidy().await {
                    tracing::warn!(error = %chain(&error), "chunks that were kept cannot be removed; it is tried again");
                }
            }
            if let Err(error) = worker.look(&mut recovered).await {
                tracing::error!(error = %chain(&error), "push jobs cannot be looked for; they wait");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.nudge.notified() => {}
                Some(ended) = worker.running.join_next_with_id() => {
                    recovered &= worker.ended(ended);
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        while worker.running.join_next().await.is_some() {}
    }

    /// Executes what waits, one job after the other, until nothing waits any
    /// more or nobody knows what became of a job.
    pub async fn drain(&self) -> Result<(), Error> {
        let stop = CancellationToken::new();
        loop {
            let waiting = self.waiting().await?;
            if waiting.is_empty() {
                return Ok(());
            }
            for (job, _) in waiting {
                let known = self.execute_now(job, &stop).await?;
                if !known {
                    return Ok(());
                }
            }
        }
    }

    async fn waiting(&self) -> Result<Vec<(PushJobId, TableKey)>, Error> {
        let waiting = self.db.read("pools.waiting", |tx| Ok::<_, Error>(tables::waiting(tx, WAITING_MAX)?)).await?;
        Ok(waiting.into_iter().map(|(job, pool, table)| (job, (pool, table))).collect())
    }
}

struct Worker {
    pools: Arc<Pools>,
    stop: CancellationToken,
    running: JoinSet<Executed>,
    /// Which table each task works on.
    busy: HashMap<Id, TableKey>,
}

impl Worker {
    /// Starts what waits, as far as there is room.
    async fn look(&mut self, recovered: &mut bool) -> Result<(), Error> {
        if !*recovered {
            self.pools.recover().await?;
            *recovered = true;
        }
        if self.running.len() >= self.pools.options.jobs_at_once {
            return Ok(());
        }
        for (job, table) in self.pools.waiting().await? {
            if self.running.len() >= self.pools.options.jobs_at_once {
                break;
            }
            if self.busy.values().any(|busy| *busy == table) {
                continue;
            }
            let (pools, stop) = (self.pools.clone(), self.stop.clone());
            let task = self.running.spawn(async move { pools.execute_now(job, &stop).await });
            self.busy.insert(task.id(), table);
        }
        Ok(())
    }

    /// Makes room; false if the job must be asked what became of it.
    fn ended(&mut self, ended: Result<(Id, Executed), JoinError>) -> bool {
        match ended {
            Ok((task, outcome)) => {
                self.busy.remove(&task);
                if let Err(error) = &outcome {
                    tracing::error!(error = %chain(error), "a push job could not be recorded; it will be asked again");
                }
                outcome.unwrap_or(false)
            }
            Err(error) => {
                self.busy.remove(&error.id());
                tracing::error!(%error, "the task of a push job broke off; the job will be asked again");
                false
            }
        }
    }
}
