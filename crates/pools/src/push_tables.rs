//! The SQL of push jobs that come in groups, and of chunks that are kept.

use base::Timestamp;
use base::args;
use base::db::{Error, Tx};

use crate::push_job::{PushJob, PushJobSpec};
use crate::{PoolId, PushJobId, tables};

/// The jobs of a table that wait, in order of execution.
pub(crate) fn queued(tx: &mut dyn Tx, pool: PoolId, table: &str, limit: usize) -> Result<Vec<PushJob>, Error> {
    let rows = tx.query(
        "SELECT id FROM push_jobs WHERE state = 'QUEUED' AND pool = $1 AND table_key = $2 ORDER BY turn LIMIT $3",
        args![pool, table.to_ascii_lowercase(), limit],
    )?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        jobs.extend(tables::job(tx, row.get(0)?)?);
    }
    Ok(jobs)
}

/// Says by whose commit the rows of a job come in; `None` is its own.
pub(crate) fn set_leader(tx: &mut dyn Tx, id: PushJobId, leader: Option<PushJobId>) -> Result<(), Error> {
    tx.execute("UPDATE push_jobs SET led_by = $2 WHERE id = $1", args![id, leader.map(|leader| leader.to_string())])?;
    Ok(())
}

pub(crate) fn leader(tx: &mut dyn Tx, id: PushJobId) -> Result<Option<PushJobId>, Error> {
    let row = tx.query_one("SELECT led_by FROM push_jobs WHERE id = $1 AND led_by IS NOT NULL", args![id])?;
    row.map(|row| row.get(0)).transpose()
}

pub(crate) fn set_spec(tx: &mut dyn Tx, id: PushJobId, spec: &PushJobSpec) -> Result<(), Error> {
    tx.execute("UPDATE push_jobs SET spec = $2 WHERE id = $1", args![id, tables::json(spec)])?;
    Ok(())
}

/// The newest first, those of continuous push among them.
pub(crate) fn recent(tx: &mut dyn Tx, pool: PoolId, limit: usize) -> Result<Vec<PushJob>, Error> {
    let rows = tx.query("SELECT id FROM push_jobs WHERE pool = $1 ORDER BY id DESC LIMIT $2", args![pool, limit])?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        jobs.extend(tables::job(tx, row.get(0)?)?);
    }
    Ok(jobs)
}

/// Forgets files of continuous push that ended before; tells how many.
pub(crate) fn forget_items(tx: &mut dyn Tx, before: Timestamp, limit: usize) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM push_jobs WHERE id IN (SELECT id FROM push_jobs WHERE continuous = 1 AND changed_at < $1 \
         AND state IN ('DONE', 'ERROR', 'CANCELED') AND kept_until IS NULL LIMIT $2)",
        args![before, limit],
    )
}

// Kept chunks.

pub(crate) fn set_kept(tx: &mut dyn Tx, id: PushJobId, until: Option<Timestamp>) -> Result<(), Error> {
    tx.execute("UPDATE push_jobs SET kept_until = $2 WHERE id = $1", args![id, until])?;
    Ok(())
}

pub(crate) fn kept_until(tx: &mut dyn Tx, id: PushJobId) -> Result<Option<Timestamp>, Error> {
    let row = tx.query_one("SELECT kept_until FROM push_jobs WHERE id = $1 AND kept_until IS NOT NULL", args![id])?;
    row.map(|row| row.get(0)).transpose()
}

/// Jobs whose chunks are kept, those that are to go first before the others;
/// only those that are due, if a time is given.
pub(crate) fn kept(tx: &mut dyn Tx, due: Option<Timestamp>, limit: usize) -> Result<Vec<PushJobId>, Error> {
    let rows = match due {
        Some(due) => tx.query(
            "SELECT id FROM push_jobs WHERE kept_until IS NOT NULL AND kept_until <= $1 ORDER BY kept_until LIMIT $2",
            args![due, limit],
        )?,
        None => tx.query(
            "SELECT id FROM push_jobs WHERE kept_until IS NOT NULL ORDER BY kept_until LIMIT $1",
            args![limit],
        )?,
    };
    rows.iter().map(|row| row.get(0)).collect()
}

/// Gives the chunks of one job to another.
pub(crate) fn move_chunks(tx: &mut dyn Tx, from: PushJobId, to: PushJobId) -> Result<u64, Error> {
    tx.execute("UPDATE push_job_chunks SET job = $2 WHERE job = $1", args![from, to])
}
