//! Flows, their texts and versions, and connections.

use base::Timestamp;
use base::args;
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
}

pub(super) const FLOW_COLUMNS: &str = "key, name, draft, published, version, active, next_at, variables, updated_at";

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
    tx.execute("UPDATE flows SET active = $2, next_at = $3 WHERE key = $1", args![key, active, next_at])?;
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
