//! Flows, their texts and versions, and connections.

use base::Timestamp;
use base::args;
use base::causes::Link;
use base::db::{Error, Row, Tx};

use crate::connection::ConnectionInfo;

/// A row of `flows`.
#[derive(Clone, Debug)]
pub(crate) struct FlowRow {
    pub(crate) key: String,
    pub(crate) name: String,
    /// Hash of the draft's text.
    pub(crate) draft: String,
    /// Hash of the published text.
    pub(crate) published: Option<String>,
    pub(crate) version: Option<u64>,
    pub(crate) active: bool,
    pub(crate) next_at: Option<Timestamp>,
    pub(crate) variables: String,
    pub(crate) updated_at: Timestamp,
    /// Why it is paused, if it is.
    pub(crate) paused: Option<String>,
}

impl FlowRow {
    /// Tells whether items of its hook start runs.
    pub(crate) fn takes_items(&self) -> bool {
        self.active && self.paused.is_none()
    }
}

pub(super) const FLOW_COLUMNS: &str =
    "key, name, draft, published, version, active, next_at, variables, updated_at, paused";

pub(super) fn flow_row(row: &Row) -> Result<FlowRow, Error> {
    Ok(FlowRow {
        key: row.get(0)?,
        name: row.get(1)?,
        draft: row.get(2)?,
        published: row.get(3)?,
        version: row.get(4)?,
        active: row.get(5)?,
        next_at: row.get(6)?,
        variables: row.get(7)?,
        updated_at: row.get(8)?,
        paused: row.get(9)?,
    })
}

pub(crate) fn put_text(tx: &mut dyn Tx, hash: &str, text: &str) -> Result<(), Error> {
    tx.execute("INSERT INTO flow_texts (hash, text) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING", args![hash, text])?;
    Ok(())
}

pub(crate) fn text(tx: &mut dyn Tx, hash: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT text FROM flow_texts WHERE hash = $1", args![hash])?;
    row.map(|row| row.get(0)).transpose()
}

pub(crate) fn flow(tx: &mut dyn Tx, key: &str) -> Result<Option<FlowRow>, Error> {
    let row = tx.query_one(&format!("SELECT {FLOW_COLUMNS} FROM flows WHERE key = $1"), args![key])?;
    row.as_ref().map(flow_row).transpose()
}

pub(crate) fn flows(tx: &mut dyn Tx) -> Result<Vec<FlowRow>, Error> {
    tx.query(&format!("SELECT {FLOW_COLUMNS} FROM flows ORDER BY key"), args![])?.iter().map(flow_row).collect()
}

pub(crate) fn put_draft(tx: &mut dyn Tx, key: &str, name: &str, hash: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO flows (key, name, draft, active, variables, created_at, updated_at) \
         VALUES ($1, $2, $3, 0, '{}', $4, $4) \
         ON CONFLICT (key) DO UPDATE SET name = $2, draft = $3, updated_at = $4",
        args![key, name, hash, now],
    )?;
    Ok(())
}

pub(crate) fn set_variables(tx: &mut dyn Tx, key: &str, variables: &str) -> Result<(), Error> {
    tx.execute("UPDATE flows SET variables = $2 WHERE key = $1", args![key, variables])?;
    Ok(())
}

pub(crate) fn add_version(
    tx: &mut dyn Tx,
    key: &str,
    number: u64,
    hash: &str,
    by: &str,
    now: Timestamp,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO flow_versions (flow, number, hash, published_at, published_by) VALUES ($1, $2, $3, $4, $5)",
        args![key, number, hash, now, by],
    )?;
    tx.execute("UPDATE flows SET published = $2, version = $3 WHERE key = $1", args![key, hash, number])?;
    Ok(())
}

pub(crate) fn set_active(tx: &mut dyn Tx, key: &str, active: bool, next_at: Option<Timestamp>) -> Result<(), Error> {
    tx.execute(
        "UPDATE flows SET active = $2, next_at = $3, paused = NULL, paused_at = NULL, told = 1 WHERE key = $1",
        args![key, active, next_at],
    )?;
    Ok(())
}

/// Pauses a flow; people are to be told.
pub(crate) fn pause(tx: &mut dyn Tx, key: &str, why: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE flows SET paused = $2, paused_at = $3, told = 0 WHERE key = $1", args![key, why, now])?;
    Ok(())
}

/// Lists the flows that are paused and of which nobody was told: key, time and
/// reason.
pub(crate) fn untold(tx: &mut dyn Tx) -> Result<Vec<(String, Timestamp, String)>, Error> {
    let sql = "SELECT key, paused_at, paused FROM flows WHERE told = 0 AND paused IS NOT NULL ORDER BY key";
    tx.query(sql, args![])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Remembers that people were told of a pause.
pub(crate) fn set_told(tx: &mut dyn Tx, key: &str, paused_at: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE flows SET told = 1 WHERE key = $1 AND paused_at = $2", args![key, paused_at])?;
    Ok(())
}

/// Counts how often a flow has come back to a link since then.
pub(crate) fn returns(tx: &mut dyn Tx, flow: &str, link: &Link, since: Timestamp) -> Result<u64, Error> {
    let sql = "SELECT COUNT(*) FROM flow_returns WHERE flow = $1 AND link = $2 AND at > $3";
    tx.query_one(sql, args![flow, link.to_string(), since])?.map_or(Ok(0), |row| row.get(0))
}

/// Notes that a flow has come back to a link, and forgets what is older.
pub(crate) fn add_return(
    tx: &mut dyn Tx,
    flow: &str,
    link: &Link,
    now: Timestamp,
    older_than: Timestamp,
) -> Result<(), Error> {
    tx.execute("DELETE FROM flow_returns WHERE flow = $1 AND at <= $2", args![flow, older_than])?;
    tx.execute("INSERT INTO flow_returns (flow, link, at) VALUES ($1, $2, $3)", args![flow, link.to_string(), now])?;
    Ok(())
}

/// Begins to count the returns of a flow anew.
pub(crate) fn forget_returns(tx: &mut dyn Tx, flow: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM flow_returns WHERE flow = $1", args![flow])?;
    Ok(())
}

/// Moves a schedule on, if it still stands where it was seen.
pub(crate) fn move_schedule(tx: &mut dyn Tx, key: &str, from: Timestamp, to: Option<Timestamp>) -> Result<bool, Error> {
    let sql = "UPDATE flows SET next_at = $3 WHERE key = $1 AND next_at = $2 AND active = 1";
    Ok(tx.execute(sql, args![key, from, to])? > 0)
}

pub(crate) fn put_connection(tx: &mut dyn Tx, info: &ConnectionInfo, sealed: &[u8]) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO connections (name, kind, origin, expires_at, sealed, updated_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (name) DO UPDATE SET kind = $2, origin = $3, expires_at = $4, sealed = $5, updated_at = $6",
        args![&info.name, &info.kind, info.origin.clone(), info.expires_at, sealed, info.updated_at],
    )?;
    Ok(())
}

fn connection_row(row: &Row) -> Result<ConnectionInfo, Error> {
    Ok(ConnectionInfo {
        name: row.get(0)?,
        kind: row.get(1)?,
        origin: row.get(2)?,
        expires_at: row.get(3)?,
        updated_at: row.get(4)?,
    })
}

pub(crate) fn connections(tx: &mut dyn Tx) -> Result<Vec<ConnectionInfo>, Error> {
    let sql = "SELECT name, kind, origin, expires_at, updated_at FROM connections ORDER BY name";
    tx.query(sql, args![])?.iter().map(connection_row).collect()
}

pub(crate) fn connection(tx: &mut dyn Tx, name: &str) -> Result<Option<(ConnectionInfo, Vec<u8>)>, Error> {
    let sql = "SELECT name, kind, origin, expires_at, updated_at, sealed FROM connections WHERE name = $1";
    let Some(row) = tx.query_one(sql, args![name])? else { return Ok(None) };
    Ok(Some((connection_row(&row)?, row.get(5)?)))
}

pub(crate) fn delete_connection(tx: &mut dyn Tx, name: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM connections WHERE name = $1", args![name])? > 0)
}
