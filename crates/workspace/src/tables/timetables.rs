//! The SQL of jobs that run by themselves.

use base::Timestamp;
use base::args;
use base::db::Tx;

use crate::JobId;
use crate::error::Error;

/// When a job runs by itself next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DueJob {
    pub(crate) job: JobId,
    /// Nothing while a continuous job runs, or when there is no further time.
    pub(crate) due_at: Option<Timestamp>,
    /// Runs of a continuous job that failed one after the other.
    pub(crate) failures: u32,
}

const DUE: &str = "SELECT job_id, due_at, failures FROM workspace_timetables";

fn due_of(row: &base::db::Row) -> Result<DueJob, Error> {
    Ok(DueJob { job: row.get(0)?, due_at: row.get(1)?, failures: row.get(2)? })
}

/// Finds when a job runs by itself, if it does.
pub(crate) fn due_job(tx: &mut dyn Tx, job: JobId) -> Result<Option<DueJob>, Error> {
    tx.query_one(&format!("{DUE} WHERE job_id = $1"), args![job])?.as_ref().map(due_of).transpose()
}

/// Lists jobs whose time has come, those that wait longest first.
pub(crate) fn due_jobs(tx: &mut dyn Tx, now: Timestamp, most: u32) -> Result<Vec<DueJob>, Error> {
    let sql = format!("{DUE} WHERE due_at <= $1 ORDER BY due_at, job_id LIMIT $2");
    tx.query(&sql, args![now, most])?.iter().map(due_of).collect()
}

/// Returns when the next job runs by itself.
pub(crate) fn next_due(tx: &mut dyn Tx) -> Result<Option<Timestamp>, Error> {
    let row = tx.query_one("SELECT MIN(due_at) FROM workspace_timetables", args![])?;
    Ok(row.map_or(Ok(None), |row| row.get(0))?)
}

pub(crate) fn put_due(tx: &mut dyn Tx, due: &DueJob) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO workspace_timetables (job_id, due_at, failures) VALUES ($1, $2, $3) \
         ON CONFLICT (job_id) DO UPDATE SET due_at = EXCLUDED.due_at, failures = EXCLUDED.failures",
        args![due.job, due.due_at, due.failures],
    )?;
    Ok(())
}

pub(crate) fn forget_due(tx: &mut dyn Tx, job: JobId) -> Result<(), Error> {
    tx.execute("DELETE FROM workspace_timetables WHERE job_id = $1", args![job])?;
    Ok(())
}
