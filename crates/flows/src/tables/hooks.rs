//! Hooks and their items.

use base::Timestamp;
use base::args;
use base::db::{Error, Tx};

use crate::run::RunId;

pub(crate) fn make_hook(tx: &mut dyn Tx, hook: &str, flow: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO hooks (hook, flow, arrived, waiting) VALUES ($1, $2, 0, 0) ON CONFLICT (hook) DO NOTHING",
        args![hook, flow],
    )?;
    Ok(())
}

/// Returns how many items wait on a hook; nothing if there is no such hook.
pub(crate) fn waiting(tx: &mut dyn Tx, hook: &str) -> Result<Option<u64>, Error> {
    let row = tx.query_one("SELECT waiting FROM hooks WHERE hook = $1", args![hook])?;
    row.map(|row| row.get(0)).transpose()
}

pub(crate) fn has_item(tx: &mut dyn Tx, hook: &str, key: &str) -> Result<bool, Error> {
    Ok(tx.query_one("SELECT 1 FROM hook_items WHERE hook = $1 AND key = $2", args![hook, key])?.is_some())
}

pub(crate) fn add_item(tx: &mut dyn Tx, hook: &str, key: &str, payload: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE hooks SET arrived = arrived + 1, waiting = waiting + 1 WHERE hook = $1 RETURNING arrived";
    let Some(row) = tx.query_one(sql, args![hook])? else { return Ok(()) };
    tx.execute(
        "INSERT INTO hook_items (hook, number, key, payload, arrived_at) VALUES ($1, $2, $3, $4, $5)",
        args![hook, row.get::<u64>(0)?, key, payload, now],
    )?;
    Ok(())
}

/// Takes the oldest waiting items of a hook for a run and returns their payloads.
pub(crate) fn take_items(tx: &mut dyn Tx, hook: &str, run: RunId, items_max: u32) -> Result<Vec<String>, Error> {
    let sql = "SELECT number, payload FROM hook_items WHERE hook = $1 AND run IS NULL ORDER BY number LIMIT $2";
    let rows = tx.query(sql, args![hook, items_max])?;
    let mut payloads = Vec::with_capacity(rows.len());
    for row in &rows {
        payloads.push(row.get::<Option<String>>(1)?.unwrap_or_default());
        tx.execute(
            "UPDATE hook_items SET run = $3, payload = NULL WHERE hook = $1 AND number = $2",
            args![hook, row.get::<u64>(0)?, run],
        )?;
    }
    tx.execute("UPDATE hooks SET waiting = waiting - $2 WHERE hook = $1", args![hook, rows.len()])?;
    Ok(payloads)
}
