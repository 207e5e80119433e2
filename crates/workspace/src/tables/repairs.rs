//! The SQL of repairs.

use base::args;
use base::db::Tx;

use super::shape;
use crate::error::Error;
use crate::repair::Repair;
use crate::run::{Overriding, ResultState};
use crate::{JobId, RunId};

pub(crate) fn insert_repair(tx: &mut dyn Tx, run: RunId, repair: &Repair) -> Result<(), Error> {
    let place = repairs(tx, run)?.len();
    tx.execute(
        "INSERT INTO workspace_repairs (id, run_id, place, task_runs, created_at, result, message, overriding, started_at, \
         ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            repair.id,
            run,
            place,
            serde_json::to_string(&repair.task_runs).expect("numbers"),
            repair.created_at,
            repair.result.as_str(),
            &repair.message,
            serde_json::to_string(&repair.overriding).expect("parameters are texts"),
            repair.started_at,
            repair.ended_at
        ],
    )?;
    Ok(())
}

/// Returns the repairs of a run, in order.
pub(crate) fn repairs(tx: &mut dyn Tx, run: RunId) -> Result<Vec<Repair>, Error> {
    let rows = tx.query(
        "SELECT id, task_runs, created_at, result, message, overriding, started_at, ended_at FROM workspace_repairs \
         WHERE run_id = $1 ORDER BY place",
        args![run],
    )?;
    rows.iter()
        .map(|row| {
            Ok(Repair {
                id: row.get(0)?,
                task_runs: serde_json::from_str(&row.get::<String>(1)?).map_err(|_| shape(1))?,
                created_at: row.get(2)?,
                result: ResultState::parse(&row.get::<String>(3)?).ok_or_else(|| shape(3))?,
                message: row.get(4)?,
                overriding: serde_json::from_str(&row.get::<String>(5)?).map_err(|_| shape(5))?,
                started_at: row.get(6)?,
                ended_at: row.get(7)?,
            })
        })
        .collect()
}

pub(crate) fn save_overriding(tx: &mut dyn Tx, run: RunId, overriding: &Overriding) -> Result<(), Error> {
    let overriding = serde_json::to_string(overriding).expect("parameters are texts");
    tx.execute("UPDATE workspace_runs SET overriding = $2 WHERE id = $1", args![run, overriding])?;
    Ok(())
}

/// Lists runs that are not over, with the object whose rules count: of a job or
/// all, those that wait for their turn or all.
pub(crate) fn open_runs(tx: &mut dyn Tx, job: Option<JobId>, only_queued: bool) -> Result<Vec<(RunId, i64)>, Error> {
    let state = if only_queued { "state = 'queued'" } else { "state <> 'ended'" };
    let select = format!("SELECT id, COALESCE(job_id, id) FROM workspace_runs WHERE {state}");
    // The youngest first, or one that is stopped would let a queued one start.
    let order = "ORDER BY created_at DESC, id DESC";
    let rows = match job {
        Some(job) => tx.query(&format!("{select} AND job_id = $1 {order}"), args![job])?,
        None => tx.query(&format!("{select} {order}"), args![])?,
    };
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
