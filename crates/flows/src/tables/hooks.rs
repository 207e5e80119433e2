//! Hooks and their items.

use base::args;
use base::db::{Error, Row, Tx, Value};
use base::{Causes, Timestamp};

use super::FlowRow;
use crate::run::RunId;

pub(crate) fn make_hook(tx: &mut dyn Tx, hook: &str, flow: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO hooks (hook, flow, arrived, waiting) VALUES ($1, $2, 0, 0) ON CONFLICT (hook) DO NOTHING",
        args![hook, flow],
    )?;
    Ok(())
}

/// What waits on a hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

/// Returns what waits on a hook; nothing if there is no such hook.
pub(crate) fn queue(tx: &mut dyn Tx, hook: &str) -> Result<Option<Queue>, Error> {
    let row = tx.query_one("SELECT waiting, waiting_bytes FROM hooks WHERE hook = $1", args![hook])?;
    row.map(|row| Ok(Queue { items: row.get(0)?, bytes: row.get(1)? })).transpose()
}

/// Returns how many items wait on a hook; nothing if there is no such hook.
pub(crate) fn waiting(tx: &mut dyn Tx, hook: &str) -> Result<Option<u64>, Error> {
    Ok(queue(tx, hook)?.map(|queue| queue.items))
}

pub(crate) fn has_item(tx: &mut dyn Tx, hook: &str, key: &str) -> Result<bool, Error> {
    Ok(tx.query_one("SELECT 1 FROM hook_items WHERE hook = $1 AND key = $2", args![hook, key])?.is_some())
}

/// An item that waits on its hook.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    /// What its bringer calls it.
    pub(crate) key: String,
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
    let sql = "UPDATE hooks SET arrived = arrived + 1, waiting = waiting + 1, waiting_bytes = waiting_bytes + $2 \
               WHERE hook = $1 RETURNING arrived";
    let Some(row) = tx.query_one(sql, args![hook, payload.len()])? else { return Ok(()) };
    let causes = Some(causes.to_string()).filter(|text| !text.is_empty());
    tx.execute(
        "INSERT INTO hook_items (hook, number, key, payload, causes, arrived_at) VALUES ($1, $2, $3, $4, $5, $6)",
        args![hook, row.get::<u64>(0)?, key, payload, causes, now],
    )?;
    Ok(())
}

/// Returns the oldest items that wait on a hook.
pub(crate) fn waiting_items(tx: &mut dyn Tx, hook: &str, items_max: u32) -> Result<Vec<Item>, Error> {
    let sql =
        "SELECT number, payload, causes, key FROM hook_items WHERE hook = $1 AND run IS NULL ORDER BY number LIMIT $2";
    let read = |row: &Row| {
        let causes: Option<String> = row.get(2)?;
        Ok(Item {
            number: row.get(0)?,
            key: row.get(3)?,
            payload: row.get::<Option<String>>(1)?.unwrap_or_default(),
            causes: causes.and_then(|text| Causes::parse(&text).ok()).unwrap_or_default(),
        })
    };
    tx.query(sql, args![hook, items_max])?.iter().map(read).collect()
}

/// Takes waiting items of a hook for a run, with so many bytes. Returns how
/// many of them still waited.
pub(crate) fn take_items(tx: &mut dyn Tx, hook: &str, run: RunId, items: &[u64], bytes: usize) -> Result<usize, Error> {
    let sets: Vec<Vec<Value>> = items.iter().map(|number| args![hook, *number, run].to_vec()).collect();
    let sql =
        "UPDATE hook_items SET run = $3, payload = NULL, causes = NULL WHERE hook = $1 AND number = $2 AND run IS NULL";
    let taken = tx.execute_many(sql, &sets)?;
    let sql = "UPDATE hooks SET waiting = waiting - $2, waiting_bytes = waiting_bytes - $3 WHERE hook = $1";
    tx.execute(sql, args![hook, taken, bytes])?;
    Ok(usize::try_from(taken).unwrap_or(usize::MAX))
}

/// Returns the number of the oldest item that waits on a hook.
pub(crate) fn oldest_waiting(tx: &mut dyn Tx, hook: &str) -> Result<Option<u64>, Error> {
    let sql = "SELECT MIN(number) FROM hook_items WHERE hook = $1 AND run IS NULL";
    tx.query_one(sql, args![hook])?.map_or(Ok(None), |row| row.get(0))
}

/// Lists the hooks whose first item that was taken came before a time.
pub(crate) fn hooks_with_old_items(tx: &mut dyn Tx, before: Timestamp) -> Result<Vec<String>, Error> {
    // Items come in order, so the first tells.
    let sql = "SELECT hook FROM hooks WHERE arrived > 0 AND $1 > (SELECT arrived_at FROM hook_items \
               WHERE hook_items.hook = hooks.hook AND run IS NOT NULL ORDER BY number LIMIT 1) ORDER BY hook";
    tx.query(sql, args![before])?.iter().map(|row| row.get(0)).collect()
}

/// Forgets items of a hook that came before a time and whose run is forgotten,
/// among the `looked_at_max` that come after number `after`; returns how many,
/// and where to go on if there may be more. An item that waits stays, and so
/// does one whose run may still give it back.
pub(crate) fn forget_items(
    tx: &mut dyn Tx,
    hook: &str,
    before: Timestamp,
    after: u64,
    looked_at_max: u32,
) -> Result<(u64, Option<u64>), Error> {
    let sql = "SELECT number, arrived_at FROM hook_items WHERE hook = $1 AND number > $2 ORDER BY number LIMIT $3";
    let rows = tx.query(sql, args![hook, after, looked_at_max])?;
    let Some(last) = rows.last() else { return Ok((0, None)) };
    let (last, arrived_at): (u64, Timestamp) = (last.get(0)?, last.get(1)?);
    let forgotten = tx.execute(
        "DELETE FROM hook_items WHERE hook = $1 AND number > $2 AND number <= $3 AND arrived_at < $4 \
         AND run IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = hook_items.run)",
        args![hook, after, last, before],
    )?;
    let is_more = rows.len() as u64 == u64::from(looked_at_max) && arrived_at < before;
    Ok((forgotten, is_more.then_some(last)))
}

/// Returns the flow that a hook belongs to.
pub(crate) fn flow_of_hook(tx: &mut dyn Tx, hook: &str) -> Result<Option<FlowRow>, Error> {
    let Some(row) = tx.query_one("SELECT flow FROM hooks WHERE hook = $1", args![hook])? else { return Ok(None) };
    super::flow(tx, &row.get::<String>(0)?)
}

/// Returns how many items wait on a hook, if its flow is as it was seen and
/// starts by itself.
pub(crate) fn waiting_as_seen(tx: &mut dyn Tx, hook: &str, seen: &FlowRow) -> Result<Option<u64>, Error> {
    let sql = "SELECT hooks.waiting FROM hooks JOIN flows ON flows.key = hooks.flow WHERE hooks.hook = $1 \
               AND flows.active = 1 AND flows.paused IS NULL AND flows.held_until IS NULL AND flows.published = $2 AND flows.variables = $3";
    let row = tx.query_one(sql, args![hook, seen.published.clone(), &seen.variables])?;
    row.map(|row| row.get(0)).transpose()
}

/// Remembers the key of an item whose run has started at once.
pub(crate) fn add_taken_item(tx: &mut dyn Tx, hook: &str, key: &str, run: RunId, now: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE hooks SET arrived = arrived + 1 WHERE hook = $1 RETURNING arrived";
    let Some(row) = tx.query_one(sql, args![hook])? else { return Ok(()) };
    tx.execute(
        "INSERT INTO hook_items (hook, number, key, arrived_at, run) VALUES ($1, $2, $3, $4, $5)",
        args![hook, row.get::<u64>(0)?, key, now, run],
    )?;
    Ok(())
}
