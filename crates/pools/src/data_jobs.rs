//! The verbs of data jobs.

use base::db::Tx;
use base::{Actor, Causes, Timestamp, audit};
use serde_json::json;

use crate::data_job::check_for_loops;
use crate::data_run::{Cause, DataRun, RunState, StatementRun};
use crate::pools::must_have_pool;
use crate::{DataJob, DataJobId, DataJobSpec, DataRunId, Error, Explored, PoolId, Pools, data_job_tables as tables};

impl Pools {
    /// Makes a data job, or puts what it does anew: the one of this id, or of
    /// this name.
    pub async fn put_data_job(
        &self,
        actor: &Actor,
        pool: PoolId,
        id: Option<DataJobId>,
        spec: DataJobSpec,
    ) -> Result<DataJob, Error> {
        let name = spec.name.clone();
        let bad = move |detail| Error::BadDataJob { name: name.clone(), detail };
        let spec = spec.checked().map_err(&bad)?;
        // What has changed up to now does not start it.
        let seen: Vec<_> =
            spec.watches().into_iter().map(|table| (self.tables.last_change(pool, &table), table)).collect();
        let seen: Vec<_> = seen.into_iter().map(|(number, table)| (table, number.unwrap_or(0))).collect();
        let (actor, now) = (actor.clone(), self.clock.now());
        let fresh = DataJobId::new(now, &*self.chance);
        let next_at = next_of(&spec, now);
        let job = self
            .db
            .write("pools.put_data_job", move |tx| {
                must_have_pool(tx, pool)?;
                let before = match id {
                    Some(id) => Some(data_job_of(tx, pool, id)?),
                    None => tables::job_named(tx, pool, &spec.name)?,
                };
                if let Some(before) = &before
                    && before.spec == spec
                {
                    return Ok(before.clone());
                }
                let others = tables::jobs(tx, pool)?.into_iter();
                let others = others.filter(|other| before.as_ref().is_none_or(|before| before.id != other.id));
                let others: Vec<_> = others.map(|other| other.spec).collect();
                if others.iter().any(|other| other.name.to_lowercase() == spec.name.to_lowercase()) {
                    return Err(Error::DataJobNameTaken { name: spec.name.clone() });
                }
                if let Some(connection) = &spec.connection
                    && crate::source::by_key(tx, pool, connection)?.is_none()
                {
                    return Err(bad(format!(
                        "the pool has no connection \"{connection}\": name one of its sources, or leave it out for Global"
                    )));
                }
                check_for_loops(&spec, &others).map_err(&bad)?;
                let job = DataJob {
                    id: before.as_ref().map_or(fresh, |before| before.id),
                    pool,
                    spec: spec.clone(),
                    next_at,
                    created_at: before.as_ref().map_or(now, |before| before.created_at),
                    created_by: before.as_ref().map_or(actor.name.clone(), |before| before.created_by.clone()),
                    changed_at: now,
                };
                let verb = match &before {
                    Some(_) => {
                        tables::update_job(tx, &job)?;
                        "update"
                    }
                    None => {
                        tables::insert_job(tx, &job)?;
                        "create"
                    }
                };
                tables::set_watches(tx, job.id, if spec.enabled { &seen } else { &[] })?;
                let before = before.map(|before| json!(before.spec));
                let after = json!(job.spec);
                let id = job.id.to_string();
                audit::record(tx, &actor, verb, "data-job", &id, before.as_ref(), Some(&after), now)?;
                Ok::<_, Error>(job)
            })
            .await?;
        self.data_jobs.nudge.notify_one();
        Ok(job)
    }

    /// Deletes a data job with its runs; one that runs is canceled first.
    pub async fn delete_data_job(&self, actor: &Actor, pool: PoolId, id: DataJobId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let open = self
            .db
            .write("pools.delete_data_job", move |tx| {
                let job = data_job_of(tx, pool, id)?;
                let open = tables::open_runs_of(tx, id)?;
                tables::delete_job(tx, id)?;
                let before = json!(job.spec);
                audit::record(tx, &actor, "delete", "data-job", &id.to_string(), Some(&before), None, now)?;
                Ok::<_, Error>(open)
            })
            .await?;
        for run in open {
            self.data_jobs.stop(run.id);
        }
        Ok(())
    }

    /// Lists the data jobs of a pool by name.
    pub async fn data_jobs(&self, pool: PoolId) -> Result<Vec<DataJob>, Error> {
        self.db
            .read("pools.data_jobs", move |tx| {
                must_have_pool(tx, pool)?;
                Ok(tables::jobs(tx, pool)?)
            })
            .await
    }

    /// Returns a data job by its id or its name.
    pub async fn data_job(&self, pool: PoolId, id_or_name: &str) -> Result<DataJob, Error> {
        let asked = id_or_name.to_owned();
        self.db
            .read("pools.data_job", move |tx| {
                must_have_pool(tx, pool)?;
                let by_id = match asked.parse::<DataJobId>() {
                    Ok(id) => tables::job(tx, id)?.filter(|job| job.pool == pool),
                    Err(_) => None,
                };
                let found = match by_id {
                    Some(job) => Some(job),
                    None => tables::job_named(tx, pool, &asked)?,
                };
                found.ok_or(Error::UnknownDataJob { job: asked })
            })
            .await
    }

    /// Asks for a run. If one waits already, it is the one: it will see all
    /// that is there when it begins.
    pub async fn run_data_job(&self, actor: &Actor, pool: PoolId, id: DataJobId) -> Result<DataRun, Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let fresh = DataRunId::new(now, &*self.chance);
        let run = self
            .db
            .write("pools.run_data_job", move |tx| {
                let job = data_job_of(tx, pool, id)?;
                let run = queue_run(tx, &job, fresh, Cause::Hand, &actor.name, &actor.causes, now)?;
                let after = json!({ "run": run.id });
                audit::record(tx, &actor, "run", "data-job", &id.to_string(), None, Some(&after), now)?;
                Ok::<_, Error>(run)
            })
            .await?;
        self.data_jobs.nudge.notify_one();
        Ok(run)
    }

    /// Cancels all runs of a data job that wait or run, and returns how many.
    pub async fn cancel_data_job(&self, actor: &Actor, pool: PoolId, id: DataJobId) -> Result<usize, Error> {
        let open = self
            .db
            .read("pools.open_data_runs", move |tx| {
                data_job_of(tx, pool, id)?;
                Ok::<_, Error>(tables::open_runs_of(tx, id)?)
            })
            .await?;
        for run in &open {
            match self.cancel_data_run(actor, pool, run.id).await {
                // It has ended meanwhile.
                Ok(_) | Err(Error::DataRunEnded { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(open.len())
    }

    /// Cancels a run. Statements that are committed stay; the one that runs is
    /// broken off, unless it is being committed at this moment.
    pub async fn cancel_data_run(&self, actor: &Actor, pool: PoolId, id: DataRunId) -> Result<DataRun, Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let run = self
            .db
            .write("pools.cancel_data_run", move |tx| {
                let known = data_run_of(tx, pool, id)?;
                if !tables::end_run(tx, id, RunState::Canceled, None, now)? {
                    return Err(Error::DataRunEnded { run: id, state: known.state });
                }
                let (before, after) = (json!({ "state": known.state.as_str() }), json!({ "state": "CANCELED" }));
                let name = id.to_string();
                audit::record(tx, &actor, "cancel", "data-run", &name, Some(&before), Some(&after), now)?;
                data_run_of(tx, pool, id)
            })
            .await?;
        self.data_jobs.stop(id);
        self.data_jobs.ended.send_modify(|count| *count += 1);
        Ok(run)
    }

    /// Lists the runs of a data job, the newest first, at most 1,000.
    pub async fn data_runs(&self, pool: PoolId, id: DataJobId) -> Result<Vec<DataRun>, Error> {
        self.db
            .read("pools.data_runs", move |tx| {
                data_job_of(tx, pool, id)?;
                Ok(tables::runs(tx, id)?)
            })
            .await
    }

    /// Lists the last run of each data job of a pool, the newest first.
    pub async fn last_data_runs(&self, pool: PoolId) -> Result<Vec<DataRun>, Error> {
        self.db
            .read("pools.last_data_runs", move |tx| {
                must_have_pool(tx, pool)?;
                Ok(tables::last_runs(tx, pool)?)
            })
            .await
    }

    /// Returns a run with what became of its statements.
    pub async fn data_run(&self, pool: PoolId, id: DataRunId) -> Result<(DataRun, Vec<StatementRun>), Error> {
        let (run, ended) = self
            .db
            .read("pools.data_run", move |tx| {
                let run = data_run_of(tx, pool, id)?;
                let ended = tables::statements(tx, id)?;
                Ok::<_, Error>((run, ended))
            })
            .await?;
        let statements = run.spec.statements().unwrap_or_default().into_iter().enumerate();
        let statements = statements.map(|(index, statement)| StatementRun {
            place: index + 1,
            transformation: statement.transformation,
            number: statement.number,
            line: statement.line,
            verb: statement.verb,
            target: statement.target,
            ended: ended.iter().find(|(place, _)| *place == index + 1).map(|(_, end)| end.clone()),
        });
        let statements = statements.collect();
        Ok((run, statements))
    }

    /// Waits until a run has ended, and returns it.
    pub async fn settled_data_run(&self, pool: PoolId, id: DataRunId) -> Result<DataRun, Error> {
        let mut ended = self.data_jobs.ended.subscribe();
        loop {
            ended.borrow_and_update();
            let run = self.db.read("pools.data_run", move |tx| data_run_of(tx, pool, id)).await?;
            if run.state.is_final() || ended.changed().await.is_err() {
                return Ok(run);
            }
        }
    }

    /// Lists the tables and views of a pool with all that is known about them.
    pub async fn explore(&self, pool: PoolId) -> Result<Vec<Explored>, Error> {
        self.db.read("pools.known", move |tx| must_have_pool(tx, pool)).await?;
        Ok(self.tables.explore(pool).await?)
    }
}

/// Returns when the schedule starts a job next.
pub(crate) fn next_of(spec: &DataJobSpec, after: Timestamp) -> Option<Timestamp> {
    spec.schedule.as_ref().filter(|_| spec.enabled)?.next_after(after)
}

/// Queues a run, or returns the one that waits already.
pub(crate) fn queue_run(
    tx: &mut dyn Tx,
    job: &DataJob,
    fresh: DataRunId,
    cause: Cause,
    by: &str,
    causes: &Causes,
    now: Timestamp,
) -> Result<DataRun, Error> {
    let open = tables::open_runs_of(tx, job.id)?;
    let is_the_same = |run: &DataRun| run.state == RunState::Queued && run.spec == job.spec && run.causes == *causes;
    if let Some(waiting) = open.into_iter().find(|run| is_the_same(run)) {
        return Ok(waiting);
    }
    let run = DataRun {
        id: fresh,
        job: job.id,
        pool: job.pool,
        state: RunState::Queued,
        cause,
        causes: causes.clone(),
        spec: job.spec.clone(),
        error: None,
        created_at: now,
        created_by: by.to_owned(),
        started_at: None,
        ended_at: None,
    };
    tables::insert_run(tx, &run)?;
    Ok(run)
}

fn data_job_of(tx: &mut dyn Tx, pool: PoolId, id: DataJobId) -> Result<DataJob, Error> {
    must_have_pool(tx, pool)?;
    let known = tables::job(tx, id)?.filter(|job| job.pool == pool);
    known.ok_or_else(|| Error::UnknownDataJob { job: id.to_string() })
}

fn data_run_of(tx: &mut dyn Tx, pool: PoolId, id: DataRunId) -> Result<DataRun, Error> {
    let known = tables::run(tx, id)?.filter(|run| run.pool == pool);
    known.ok_or(Error::UnknownDataRun { run: id })
}

#[cfg(test)]
mod tests;
