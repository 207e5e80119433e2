//! The SQL of data jobs, their runs, and views.

use base::args;
use base::db::{Error, Row, Tx};
use base::{Causes, Timestamp};

use crate::data_run::{Cause, DataRun, RunState, StatementEnd};
use crate::{CommitNumber, DataJob, DataJobId, DataRunId, PoolId, ViewDefinition};

/// Runs that a list shows at most.
const RUNS_LISTED_MAX: usize = 1_000;

const JOB: &str = "id, pool, spec, next_at, created_at, created_by, changed_at";

fn json_of<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, Error> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|_| Error::Shape { column })
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own documents are JSON")
}

fn job_of(row: &Row) -> Result<DataJob, Error> {
    Ok(DataJob {
        id: row.get(0)?,
        pool: row.get(1)?,
        spec: json_of(row, 2)?,
        next_at: row.get(3)?,
        created_at: row.get(4)?,
        created_by: row.get(5)?,
        changed_at: row.get(6)?,
    })
}

pub(crate) fn insert_job(tx: &mut dyn Tx, job: &DataJob) -> Result<bool, Error> {
    let inserted = tx.execute(
        "INSERT INTO data_jobs (id, pool, name_key, spec, next_at, created_at, created_by, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (pool, name_key) DO NOTHING",
        args![
            job.id,
            job.pool,
            job.spec.name.to_lowercase(),
            json(&job.spec),
            job.next_at,
            job.created_at,
            &job.created_by,
            job.changed_at
        ],
    )?;
    Ok(inserted == 1)
}

pub(crate) fn update_job(tx: &mut dyn Tx, job: &DataJob) -> Result<(), Error> {
    tx.execute(
        "UPDATE data_jobs SET name_key = $2, spec = $3, next_at = $4, changed_at = $5 WHERE id = $1",
        args![job.id, job.spec.name.to_lowercase(), json(&job.spec), job.next_at, job.changed_at],
    )?;
    Ok(())
}

pub(crate) fn delete_job(tx: &mut dyn Tx, id: DataJobId) -> Result<(), Error> {
    tx.execute("DELETE FROM data_jobs WHERE id = $1", args![id])?;
    Ok(())
}

pub(crate) fn job(tx: &mut dyn Tx, id: DataJobId) -> Result<Option<DataJob>, Error> {
    tx.query_one(&format!("SELECT {JOB} FROM data_jobs WHERE id = $1"), args![id])?.as_ref().map(job_of).transpose()
}

pub(crate) fn job_named(tx: &mut dyn Tx, pool: PoolId, name: &str) -> Result<Option<DataJob>, Error> {
    tx.query_one(
        &format!("SELECT {JOB} FROM data_jobs WHERE pool = $1 AND name_key = $2"),
        args![pool, name.to_lowercase()],
    )?
    .as_ref()
    .map(job_of)
    .transpose()
}

/// By name.
pub(crate) fn jobs(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<DataJob>, Error> {
    let rows = tx.query(&format!("SELECT {JOB} FROM data_jobs WHERE pool = $1 ORDER BY name_key"), args![pool])?;
    rows.iter().map(job_of).collect()
}

/// Jobs whose time has come.
pub(crate) fn due_jobs(tx: &mut dyn Tx, now: Timestamp) -> Result<Vec<DataJob>, Error> {
    let rows = tx.query(
        &format!("SELECT {JOB} FROM data_jobs WHERE next_at IS NOT NULL AND next_at <= $1 ORDER BY next_at"),
        args![now],
    )?;
    rows.iter().map(job_of).collect()
}

pub(crate) fn set_next(tx: &mut dyn Tx, id: DataJobId, next_at: Option<Timestamp>) -> Result<(), Error> {
    tx.execute("UPDATE data_jobs SET next_at = $2 WHERE id = $1", args![id, next_at])?;
    Ok(())
}

// Watched tables.

pub(crate) fn watches(tx: &mut dyn Tx) -> Result<Vec<(DataJobId, PoolId, String, CommitNumber)>, Error> {
    let rows = tx.query(
        "SELECT watch.job, job.pool, watch.table_key, watch.seen FROM data_job_watches watch \
         JOIN data_jobs job ON job.id = watch.job ORDER BY watch.job, watch.table_key",
        args![],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).collect()
}

pub(crate) fn set_watches(tx: &mut dyn Tx, job: DataJobId, seen: &[(String, CommitNumber)]) -> Result<(), Error> {
    tx.execute("DELETE FROM data_job_watches WHERE job = $1", args![job])?;
    for (table, number) in seen {
        tx.execute(
            "INSERT INTO data_job_watches (job, table_key, seen) VALUES ($1, $2, $3)",
            args![job, table, *number],
        )?;
    }
    Ok(())
}

pub(crate) fn set_seen(tx: &mut dyn Tx, job: DataJobId, table: &str, number: CommitNumber) -> Result<(), Error> {
    tx.execute("UPDATE data_job_watches SET seen = $3 WHERE job = $1 AND table_key = $2", args![job, table, number])?;
    Ok(())
}

// Runs.

const RUN: &str = "id, job, pool, state, cause, spec, error, created_at, created_by, started_at, ended_at, causes";

fn run_of(row: &Row) -> Result<DataRun, Error> {
    Ok(DataRun {
        id: row.get(0)?,
        job: row.get(1)?,
        pool: row.get(2)?,
        state: RunState::of(&row.get::<String>(3)?).ok_or(Error::Shape { column: 3 })?,
        cause: Cause::of(&row.get::<String>(4)?).ok_or(Error::Shape { column: 4 })?,
        spec: json_of(row, 5)?,
        error: row.get(6)?,
        created_at: row.get(7)?,
        created_by: row.get(8)?,
        started_at: row.get(9)?,
        ended_at: row.get(10)?,
        causes: row.get::<Option<String>>(11)?.and_then(|text| Causes::parse(&text).ok()).unwrap_or_default(),
    })
}

pub(crate) fn insert_run(tx: &mut dyn Tx, run: &DataRun) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO data_job_runs (id, job, pool, state, cause, spec, created_at, created_by, causes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            run.id,
            run.job,
            run.pool,
            run.state.as_str(),
            run.cause.as_str(),
            json(&run.spec),
            run.created_at,
            &run.created_by,
            Some(run.causes.to_string()).filter(|text| !text.is_empty())
        ],
    )?;
    Ok(())
}

pub(crate) fn run(tx: &mut dyn Tx, id: DataRunId) -> Result<Option<DataRun>, Error> {
    tx.query_one(&format!("SELECT {RUN} FROM data_job_runs WHERE id = $1"), args![id])?.as_ref().map(run_of).transpose()
}

/// The newest first.
pub(crate) fn runs(tx: &mut dyn Tx, job: DataJobId) -> Result<Vec<DataRun>, Error> {
    let rows = tx.query(
        &format!("SELECT {RUN} FROM data_job_runs WHERE job = $1 ORDER BY id DESC LIMIT $2"),
        args![job, RUNS_LISTED_MAX],
    )?;
    rows.iter().map(run_of).collect()
}

/// The last run of each job of a pool.
pub(crate) fn last_runs(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<DataRun>, Error> {
    let rows = tx.query(
        &format!(
            "SELECT {RUN} FROM data_job_runs run WHERE pool = $1 AND id = \
             (SELECT MAX(id) FROM data_job_runs other WHERE other.job = run.job) ORDER BY id DESC"
        ),
        args![pool],
    )?;
    rows.iter().map(run_of).collect()
}

/// Runs that wait or run, the oldest first.
pub(crate) fn open_runs(tx: &mut dyn Tx) -> Result<Vec<DataRun>, Error> {
    let rows = tx
        .query(&format!("SELECT {RUN} FROM data_job_runs WHERE state IN ('QUEUED', 'RUNNING') ORDER BY id"), args![])?;
    rows.iter().map(run_of).collect()
}

/// Runs of a job that wait or run, the oldest first.
pub(crate) fn open_runs_of(tx: &mut dyn Tx, job: DataJobId) -> Result<Vec<DataRun>, Error> {
    let rows = tx.query(
        &format!("SELECT {RUN} FROM data_job_runs WHERE job = $1 AND state IN ('QUEUED', 'RUNNING') ORDER BY id"),
        args![job],
    )?;
    rows.iter().map(run_of).collect()
}

pub(crate) fn start_run(tx: &mut dyn Tx, id: DataRunId, now: Timestamp) -> Result<bool, Error> {
    let started = tx.execute(
        "UPDATE data_job_runs SET state = 'RUNNING', started_at = $2 WHERE id = $1 AND state = 'QUEUED'",
        args![id, now],
    )?;
    Ok(started == 1)
}

pub(crate) fn end_run(
    tx: &mut dyn Tx,
    id: DataRunId,
    state: RunState,
    error: Option<&str>,
    now: Timestamp,
) -> Result<bool, Error> {
    let ended = tx.execute(
        "UPDATE data_job_runs SET state = $2, error = $3, ended_at = $4 \
         WHERE id = $1 AND state IN ('QUEUED', 'RUNNING')",
        args![id, state.as_str(), error, now],
    )?;
    Ok(ended == 1)
}

// Statements.

pub(crate) fn insert_statement(tx: &mut dyn Tx, run: DataRunId, place: usize, end: &StatementEnd) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO data_job_statements \
         (run, place, commit_number, upserted, deleted, started_at, ended_at, error) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (run, place) DO NOTHING",
        args![run, place, end.number, end.upserted, end.deleted, end.started_at, end.ended_at, end.error.as_deref()],
    )?;
    Ok(())
}

pub(crate) fn statements(tx: &mut dyn Tx, run: DataRunId) -> Result<Vec<(usize, StatementEnd)>, Error> {
    let rows = tx.query(
        "SELECT place, commit_number, upserted, deleted, started_at, ended_at, error FROM data_job_statements \
         WHERE run = $1 ORDER BY place",
        args![run],
    )?;
    let end_of = |row: &Row| {
        Ok((
            row.get(0)?,
            StatementEnd {
                number: row.get(1)?,
                upserted: row.get(2)?,
                deleted: row.get(3)?,
                started_at: row.get(4)?,
                ended_at: row.get(5)?,
                error: row.get(6)?,
            },
        ))
    };
    rows.iter().map(end_of).collect()
}

// Views.

pub(crate) fn put_view(tx: &mut dyn Tx, pool: PoolId, view: &ViewDefinition) -> Result<(), Error> {
    drop_view(tx, pool, &view.name)?;
    tx.execute(
        "INSERT INTO pool_views (pool, name_key, name, query) VALUES ($1, $2, $3, $4)",
        args![pool, view.name.to_ascii_lowercase(), &view.name, &view.query],
    )?;
    Ok(())
}

pub(crate) fn drop_view(tx: &mut dyn Tx, pool: PoolId, name: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM pool_views WHERE pool = $1 AND name_key = $2", args![pool, name.to_ascii_lowercase()])?;
    Ok(())
}

pub(crate) fn views(tx: &mut dyn Tx, pool: PoolId) -> Result<Vec<ViewDefinition>, Error> {
    let rows = tx.query("SELECT name, query FROM pool_views WHERE pool = $1 ORDER BY name_key", args![pool])?;
    rows.iter().map(|row| Ok(ViewDefinition { name: row.get(0)?, query: row.get(1)? })).collect()
}
