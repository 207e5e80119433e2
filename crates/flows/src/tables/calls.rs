//! Runs that other runs started.

use base::Timestamp;
use base::args;
use base::db::{Error, Tx};

use crate::run::RunId;

/// Returns how many callers a run has above it.
pub(crate) fn call_depth(tx: &mut dyn Tx, run: RunId) -> Result<u32, Error> {
    let row = tx.query_one("SELECT depth FROM flow_calls WHERE child = $1", args![run])?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Returns the flows of a run and of all that called it, one above the other.
pub(crate) fn flows_above(tx: &mut dyn Tx, run: RunId) -> Result<Vec<String>, Error> {
    let mut flows = Vec::new();
    let mut next = Some(run);
    while let Some(run) = next {
        let sql = "SELECT runs.flow, flow_calls.caller FROM runs \
                   LEFT JOIN flow_calls ON flow_calls.child = runs.id AND flow_calls.waits = 1 WHERE runs.id = $1";
        let Some(row) = tx.query_one(sql, args![run])? else { break };
        flows.push(row.get(0)?);
        next = row.get(1)?;
    }
    Ok(flows)
}

pub(crate) fn add_call(tx: &mut dyn Tx, child: RunId, caller: RunId, depth: u32, waits: bool) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO flow_calls (child, caller, depth, waits) VALUES ($1, $2, $3, $4) ON CONFLICT (child) DO NOTHING",
        args![child, caller, depth, waits],
    )?;
    Ok(())
}

/// Lets a live run sleep until then.
pub(crate) fn sleep_until(tx: &mut dyn Tx, run: RunId, at: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE runs SET wakes_at = $2 WHERE id = $1 AND state = 'live'", args![run, at])?;
    Ok(())
}

/// Returns what a run gave back.
pub(crate) fn outputs(tx: &mut dyn Tx, run: RunId) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT outputs FROM run_outputs WHERE run = $1", args![run])?;
    row.map(|row| row.get(0)).transpose()
}
