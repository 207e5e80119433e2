//! Hooks and their items.

use base::args;
use base::db::{Error, Row, Tx};
use base::{Causes, Timestamp};

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

/// An item that waits on its hook.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    number: u64,
    pub(crate) payload: String,
    /// What led to it, itself last; empty if that is not known.
    pub(crate) causes: Causes,
}

pub(crate) fn add_item(
    tx: &mut dyn Tx,
    hook: &str,
    key: &str,
    payload: &str,
    causes: &Causes,
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "UPDATE hooks SET arrived = arrived + 1, waiting = waiting + 1 WHERE hook = $1 RETURNING arrived";
    let Some(row) = tx.query_one(sql, args![hook])? else { return Ok(()) };
    let causes = Some(causes.to_string()).filter(|text| !text.is_empty());
    tx.execute(
        "INSERT INTO hook_items (hook, number, key, payload, causes, arrived_at) VALUES ($1, $2, $3, $4, $5, $6)",
        args![hook, row.get::<u64>(0)?, key, payload, causes, now],
    )?;
    Ok(())
}

/// Returns the oldest items that wait on a hook.
pub(crate) fn waiting_items(tx: &mut dyn Tx, hook: &str, items_max: u32) -> Result<Vec<Item>, Error> {
    let sql = "SELECT number, payload, causes FROM hook_items WHERE hook = $1 AND run IS NULL ORDER BY number LIMIT $2";
    let read = |row: &Row| {
        let causes: Option<String> = row.get(2)?;
        Ok(Item {
            number: row.get(0)?,
            payload: row.get::<Option<String>>(1)?.unwrap_or_default(),
            causes: causes.and_then(|text| Causes::parse(&text).ok()).unwrap_or_default(),
        })
    };
    tx.query(sql, args![hook, items_max])?.iter().map(read).collect()
}

/// Takes waiting items of a hook for a run.
pub(crate) fn take_items(tx: &mut dyn Tx, hook: &str, run: RunId, items: &[Item]) -> Result<(), Error> {
    for item in items {
        tx.execute(
            "UPDATE hook_items SET run = $3, payload = NULL, causes = NULL WHERE hook = $1 AND number = $2",
            args![hook, item.number, run],
        )?;
    }
    tx.execute("UPDATE hooks SET waiting = waiting - $2 WHERE hook = $1", args![hook, items.len()])?;
    Ok(())
}
