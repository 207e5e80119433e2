//! Counters that go on from run to run.

use base::args;
use base::db::{Error, Tx};

use crate::run::RunId;

/// Counts one further, and returns the number; for the same effect of a run it
/// is always the same.
pub(crate) fn count(tx: &mut dyn Tx, flow: &str, module: u32, run: RunId, effect: u64) -> Result<i64, Error> {
    let sql = "SELECT value FROM flow_counts WHERE run = $1 AND number = $2";
    if let Some(row) = tx.query_one(sql, args![run, effect])? {
        return row.get(0);
    }
    let sql = "INSERT INTO flow_counters (flow, module, value) VALUES ($1, $2, 1) \
               ON CONFLICT (flow, module) DO UPDATE SET value = flow_counters.value + 1 RETURNING value";
    let row = tx.query_one(sql, args![flow, module])?;
    let value: i64 = row.map_or(Ok(1), |row| row.get(0))?;
    tx.execute(
        "INSERT INTO flow_counts (run, number, value) VALUES ($1, $2, $3) \
         ON CONFLICT (run) DO UPDATE SET number = excluded.number, value = excluded.value",
        args![run, effect, value],
    )?;
    Ok(value)
}
