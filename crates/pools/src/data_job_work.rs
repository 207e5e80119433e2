//! The worker of data jobs: starts runs whose time has come or whose tables
//! changed, and runs their statements, one after the other.
//!
//! A job never overlaps with itself, and the runs of a pool take turns, since
//! one may read what another writes. Each statement commits under a name made
//! of run and place. So a run that a crash cut short goes on with the first
//! statement that is not recorded, and one that was committed but not recorded
//! is recognised by the rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::Causes;
use base::error::chain;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::data_jobs::{next_of, queue_run};
use crate::data_run::{Cause, DataRun, RunState, StatementEnd, commit_id};
use crate::transformation::{Statement, Verb};
use crate::{DataRunId, Error, PoolId, Pools, TablesError, Transform, Transformed, data_job_tables as tables};

/// How long the worker rests where nobody nudges it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pools whose jobs run at the same time.
const RUNS_AT_ONCE: usize = 2;

/// What the worker and the verbs have in common.
#[derive(Default)]
pub(crate) struct DataJobs {
    /// Wakes the worker.
    pub(crate) nudge: Notify,
    /// Counts the runs that ended since the start.
    pub(crate) ended: watch::Sender<u64>,
    /// What stops the runs of this process.
    running: Mutex<HashMap<DataRunId, CancellationToken>>,
}

impl DataJobs {
    /// Stops a run, if it runs here.
    pub(crate) fn stop(&self, run: DataRunId) {
        if let Some(stop) = self.running.lock().get(&run) {
            stop.cancel();
        }
    }
}

impl Pools {
    /// Shows the tables which views there are. It comes before the first
    /// question.
    pub async fn show_views(&self) -> Result<(), Error> {
        for pool in self.list().await? {
            self.show_views_of(pool.id).await?;
        }
        Ok(())
    }

    async fn show_views_of(&self, pool: PoolId) -> Result<(), Error> {
        let views = self.db.read("pools.views", move |tx| Ok::<_, Error>(tables::views(tx, pool)?)).await?;
        self.tables.show_views(pool, views);
        Ok(())
    }

    /// Runs data jobs until `stop`. A run that is under way then goes on after
    /// the next start.
    pub async fn run_data_jobs(self: Arc<Self>, stop: CancellationToken) {
        let mut running: JoinSet<PoolId> = JoinSet::new();
        let mut busy: HashSet<PoolId> = HashSet::new();
        while !stop.is_cancelled() {
            let looked = async {
                self.start_due_data_jobs().await?;
                self.open_data_runs().await
            };
            match looked.await {
                Err(error) => tracing::error!(error = %chain(&error), "data jobs cannot be looked for; they wait"),
                Ok(open) => {
                    for run in open {
                        if running.len() < RUNS_AT_ONCE && busy.insert(run.pool) {
                            let (pools, stop) = (self.clone(), stop.clone());
                            running.spawn(async move {
                                let pool = run.pool;
                                if let Err(error) = pools.execute_data_run(run, &stop).await {
                                    tracing::error!(error = %chain(&error), "a data job could not be recorded; it will go on");
                                    tokio::time::sleep(LOOK_EVERY).await;
                                }
                                pool
                            });
                        }
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.data_jobs.nudge.notified() => {}
                Some(ended) = running.join_next() => match ended {
                    Ok(pool) => { busy.remove(&pool); }
                    Err(error) => {
                        tracing::error!(%error, "the task of a data job broke off; it will go on");
                        // Which pool it was, nobody can tell: wait for the others.
                        while let Some(ended) = running.join_next().await { drop(ended); }
                        busy.clear();
                    }
                },
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Runs what waits, one run after the other, until nothing waits any more.
    pub async fn drain_data_jobs(&self) -> Result<(), Error> {
        let stop = CancellationToken::new();
        loop {
            self.start_due_data_jobs().await?;
            let mut open = self.open_data_runs().await?;
            if open.is_empty() {
                return Ok(());
            }
            self.execute_data_run(open.remove(0), &stop).await?;
        }
    }

    async fn open_data_runs(&self) -> Result<Vec<DataRun>, Error> {
        let mut open = self.db.read("pools.open_runs", |tx| Ok::<_, Error>(tables::open_runs(tx)?)).await?;
        // What a crash cut short comes first.
        open.sort_by_key(|run| (run.state != RunState::Running, run.id));
        Ok(open)
    }

    /// Queues runs of jobs whose time has come, and of those whose tables have
    /// changed. However often a table changed meanwhile, it is one run; and
    /// what changes during a run starts the next.
    async fn start_due_data_jobs(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let watched = self.db.read("pools.watches", |tx| Ok::<_, Error>(tables::watches(tx)?)).await?;
        let mut changed = Vec::new();
        for (job, pool, table, seen) in watched {
            if let Some(number) = self.tables.last_change(pool, &table).filter(|number| *number > seen) {
                changed.push((job, table, number));
            }
        }
        let is_due =
            self.db.read("pools.due", move |tx| Ok::<_, Error>(!tables::due_jobs(tx, now)?.is_empty())).await?;
        if changed.is_empty() && !is_due {
            return Ok(());
        }
        let ids: Vec<DataRunId> = changed.iter().map(|_| DataRunId::new(now, &*self.chance)).collect();
        let more: Vec<DataRunId> = (0..1_000).map(|_| DataRunId::new(now, &*self.chance)).collect();
        self.db
            .write("pools.start_due", move |tx| {
                for ((job, table, number), id) in changed.iter().zip(&ids) {
                    let Some(job) = tables::job(tx, *job)? else { continue };
                    queue_run(tx, &job, *id, Cause::Change, "a change of a table", &Causes::NONE, now)?;
                    tables::set_seen(tx, job.id, table, *number)?;
                }
                // What was slept through is made up for by one run.
                for (job, id) in tables::due_jobs(tx, now)?.iter().zip(&more) {
                    queue_run(tx, job, *id, Cause::Schedule, "the schedule", &Causes::NONE, now)?;
                    tables::set_next(tx, job.id, next_of(&job.spec, now))?;
                }
                Ok::<_, Error>(())
            })
            .await
    }

    /// Runs the statements of a run that are not recorded yet.
    async fn execute_data_run(&self, run: DataRun, stop: &CancellationToken) -> Result<(), Error> {
        let own = stop.child_token();
        self.data_jobs.running.lock().insert(run.id, own.clone());
        let executed = self.execute_statements(&run, &own).await;
        self.data_jobs.running.lock().remove(&run.id);
        let Some((state, error)) = executed? else { return Ok(()) };
        let (id, now) = (run.id, self.clock.now());
        self.db
            .write("pools.end_run", move |tx| {
                tables::end_run(tx, id, state, error.as_deref(), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        tracing::info!(data_job.run = %run.id, data_job.name = %run.spec.name, state = state.as_str(), "a data job has run");
        self.data_jobs.ended.send_modify(|count| *count += 1);
        self.data_jobs.nudge.notify_one();
        Ok(())
    }

    /// Returns how a run ended; nothing if it did not, or was ended by others.
    async fn execute_statements(
        &self,
        run: &DataRun,
        stop: &CancellationToken,
    ) -> Result<Option<(RunState, Option<String>)>, Error> {
        let (id, now) = (run.id, self.clock.now());
        let done = self
            .db
            .write("pools.start_run", move |tx| {
                tables::start_run(tx, id, now)?;
                let is_open = tables::run(tx, id)?.is_some_and(|run| !run.state.is_final());
                Ok::<_, Error>(if is_open { Some(tables::statements(tx, id)?) } else { None })
            })
            .await?;
        let Some(done) = done else { return Ok(None) };
        let statements = match run.spec.statements() {
            Ok(statements) => statements,
            Err(detail) => return Ok(Some((RunState::Error, Some(detail)))),
        };
        for (index, statement) in statements.iter().enumerate() {
            let place = index + 1;
            if done.iter().any(|(known, _)| *known == place) {
                continue;
            }
            let started_at = self.clock.now();
            let outcome = match statement.verb {
                Verb::Nothing => Ok(Transformed::Nothing),
                _ => self.execute_statement(run, place, statement, stop).await,
            };
            let outcome = match outcome {
                // Whoever stopped it has recorded why, or it goes on later.
                Err(TablesError::Stopped { .. }) if stop.is_cancelled() => return Ok(None),
                outcome => outcome,
            };
            let error = self.record_statement(run, place, statement, started_at, outcome).await?;
            if let Some(error) = error {
                return Ok(Some((RunState::Error, Some(error))));
            }
            if stop.is_cancelled() {
                return Ok(None);
            }
        }
        Ok(Some((RunState::Done, None)))
    }

    async fn execute_statement(
        &self,
        run: &DataRun,
        place: usize,
        statement: &Statement,
        stop: &CancellationToken,
    ) -> Result<Transformed, TablesError> {
        let job = commit_id(run.id, place);
        let transform = Transform {
            pool: run.pool,
            job,
            statement: statement.text.clone(),
            at: self.clock.now(),
            causes: run.causes.clone(),
            stop: stop.clone(),
        };
        match self.tables.transform(transform).await {
            // A commit that failed may have happened all the same.
            Err(error @ (TablesError::BrokenDisk { .. } | TablesError::Failed { .. })) => {
                match self.tables.outcome(run.pool, job).await {
                    Ok(Some(committed)) => Ok(Transformed::Committed(committed)),
                    _ => Err(error),
                }
            }
            done => done,
        }
    }

    /// Records how a statement ended, in one step with what it does to views;
    /// returns the sentence about it if it failed.
    async fn record_statement(
        &self,
        run: &DataRun,
        place: usize,
        statement: &Statement,
        started_at: base::Timestamp,
        outcome: Result<Transformed, TablesError>,
    ) -> Result<Option<String>, Error> {
        let mut end =
            StatementEnd { number: None, upserted: 0, deleted: 0, started_at, ended_at: self.clock.now(), error: None };
        let Statement { transformation, number, line, .. } = statement;
        let sentence = outcome
            .as_ref()
            .err()
            .map(|error| format!("transformation \"{transformation}\", statement {number}, line {line}: {error}"));
        match &outcome {
            Ok(Transformed::Committed(committed)) => {
                end.number = Some(committed.number);
                (end.upserted, end.deleted) = (committed.upserted, committed.deleted);
            }
            Ok(_) => {}
            Err(error) => end.error = Some(error.to_string()),
        }
        let changes_views = matches!(outcome, Ok(Transformed::ViewMade(_) | Transformed::ViewDropped(_)));
        let (id, pool) = (run.id, run.pool);
        self.db
            .write("pools.statement", move |tx| {
                if tables::run(tx, id)?.is_none() {
                    // The job was deleted meanwhile.
                    return Ok::<_, Error>(());
                }
                match &outcome {
                    Ok(Transformed::ViewMade(view)) => tables::put_view(tx, pool, view)?,
                    Ok(Transformed::ViewDropped(name)) => tables::drop_view(tx, pool, name)?,
                    _ => {}
                }
                Ok(tables::insert_statement(tx, id, place, &end)?)
            })
            .await?;
        if changes_views {
            self.show_views_of(run.pool).await?;
        }
        Ok(sentence)
    }
}
