//! Flows, their texts and versions, and connections.

use base::Timestamp;
use base::args;
use base::causes::Link;
use base::db::{Error, Row, Tx};

use crate::connection::ConnectionInfo;
use crate::flow::FlowVersion;

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
    /// Until when nothing starts a run, because the last ones failed.
    pub(crate) held_until: Option<Timestamp>,
    /// Why it was switched off, if not by a person.
    pub(crate) switched_off: Option<String>,
    /// The package in which it lies.
    pub(crate) package: Option<String>,
    /// Variables of the team, and those of the organization; an object each.
    pub(crate) shared: [Option<String>; 2],
}

impl FlowRow {
    /// Tells whether items of its hook start runs.
    pub(crate) fn takes_items(&self) -> bool {
        self.active && self.paused.is_none() && self.held_until.is_none()
    }
}

pub(super) const FLOW_COLUMNS: &str = "key, name, draft, published, version, active, next_at, variables, updated_at, \
    paused, held_until, switched_off, package, \
    (SELECT s.variables FROM shared_variables s WHERE s.scope = 'team'), \
    (SELECT s.variables FROM shared_variables s WHERE s.scope = 'organization')";

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
        held_until: row.get(10)?,
        switched_off: row.get(11)?,
        package: row.get(12)?,
        shared: [row.get(13)?, row.get(14)?],
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

/// A version of a flow to be stored.
pub(crate) struct NewVersion<'a> {
    pub(crate) number: u64,
    pub(crate) hash: &'a str,
    pub(crate) by: &'a str,
    pub(crate) note: Option<&'a str>,
    pub(crate) of_version: Option<u64>,
}

pub(crate) fn add_version(tx: &mut dyn Tx, key: &str, new: &NewVersion<'_>, now: Timestamp) -> Result<(), Error> {
    let NewVersion { number, hash, by, note, of_version } = new;
    tx.execute(
        "INSERT INTO flow_versions (flow, number, hash, published_at, published_by, note, of_version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![key, *number, *hash, now, *by, note.map(str::to_owned), *of_version],
    )?;
    tx.execute("UPDATE flows SET published = $2, version = $3 WHERE key = $1", args![key, *hash, *number])?;
    Ok(())
}

/// Lists the versions of a flow, the newest first, each with its hash.
pub(crate) fn versions(tx: &mut dyn Tx, key: &str) -> Result<Vec<(FlowVersion, String)>, Error> {
    let sql = "SELECT number, published_at, published_by, note, of_version, hash FROM flow_versions WHERE flow = $1 \
               ORDER BY number DESC";
    let version = |row: &Row| {
        let version = FlowVersion {
            version: row.get(0)?,
            published_at: row.get(1)?,
            published_by: row.get(2)?,
            note: row.get(3)?,
            of_version: row.get(4)?,
            current: false,
        };
        Ok((version, row.get(5)?))
    };
    tx.query(sql, args![key])?.iter().map(version).collect()
}

/// Makes an older text the draft again.
pub(crate) fn set_draft(tx: &mut dyn Tx, key: &str, hash: &str, now: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE flows SET draft = $2, updated_at = $3 WHERE key = $1", args![key, hash, now])?;
    Ok(())
}

/// Forgets a text that nothing names any more. Tells whether it is gone.
pub(crate) fn forget_text(tx: &mut dyn Tx, hash: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM flow_texts WHERE hash = $1 \
               AND NOT EXISTS (SELECT 1 FROM flows WHERE draft = $1 OR published = $1) \
               AND NOT EXISTS (SELECT 1 FROM flow_versions WHERE hash = $1) \
               AND NOT EXISTS (SELECT 1 FROM runs WHERE version = $1) \
               AND NOT EXISTS (SELECT 1 FROM incomplete WHERE version = $1)";
    Ok(tx.execute(sql, args![hash])? > 0)
}

pub(crate) fn set_active(tx: &mut dyn Tx, key: &str, active: bool, next_at: Option<Timestamp>) -> Result<(), Error> {
    tx.execute(
        "UPDATE flows SET active = $2, next_at = $3, paused = NULL, paused_at = NULL, told = 1, failures = 0, reruns = 0, \
         held_until = NULL, switched_off = NULL WHERE key = $1",
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
    tx.execute("DELETE FROM connection_imports WHERE connection = $1", args![&info.name])?;
    info.imported_ids.iter().try_for_each(|id| map_connection(tx, id, &info.name))
}

/// Lets a connection stand for what another may have stood for before.
pub(crate) fn map_connection(tx: &mut dyn Tx, imported: &str, connection: &str) -> Result<(), Error> {
    let sql = "INSERT INTO connection_imports (imported, connection) VALUES ($1, $2) \
               ON CONFLICT (imported) DO UPDATE SET connection = $2";
    tx.execute(sql, args![imported, connection])?;
    Ok(())
}

fn connection_row(row: &Row) -> Result<ConnectionInfo, Error> {
    Ok(ConnectionInfo {
        name: row.get(0)?,
        kind: row.get(1)?,
        origin: row.get(2)?,
        expires_at: row.get(3)?,
        updated_at: row.get(4)?,
        imported_ids: Vec::new(),
        built_in: false,
        warning: None,
    })
}

pub(crate) fn connections(tx: &mut dyn Tx) -> Result<Vec<ConnectionInfo>, Error> {
    let sql = "SELECT name, kind, origin, expires_at, updated_at FROM connections ORDER BY name";
    let mut infos = tx.query(sql, args![])?.iter().map(connection_row).collect::<Result<Vec<_>, _>>()?;
    for info in &mut infos {
        info.imported_ids = imported_ids(tx, &info.name)?;
    }
    Ok(infos)
}

/// Returns what a connection is called in flows that were drawn elsewhere.
pub(crate) fn imported_ids(tx: &mut dyn Tx, connection: &str) -> Result<Vec<String>, Error> {
    let sql = "SELECT imported FROM connection_imports WHERE connection = $1 ORDER BY imported";
    tx.query(sql, args![connection])?.iter().map(|row| row.get(0)).collect()
}

/// Returns the name of the connection for which a number stands; any other
/// text is a name already.
pub(crate) fn stands_for(tx: &mut dyn Tx, name: &str) -> Result<String, Error> {
    let imported = tx.query_one("SELECT connection FROM connection_imports WHERE imported = $1", args![name])?;
    imported.map_or_else(|| Ok(name.to_owned()), |row| row.get(0))
}

/// Remembers who stands behind a text of a flow. Whoever publishes it stands
/// behind it from then on; whoever only puts or runs it, if nobody does yet.
pub(crate) fn set_author(tx: &mut dyn Tx, flow: &str, hash: &str, author: &str, publishes: bool) -> Result<(), Error> {
    let or = if publishes { "DO UPDATE SET author = $3" } else { "DO NOTHING" };
    let sql =
        format!("INSERT INTO flow_authors (flow, hash, author) VALUES ($1, $2, $3) ON CONFLICT (flow, hash) {or}");
    tx.execute(&sql, args![flow, hash, author])?;
    Ok(())
}

/// Returns the id of who stands behind a text of a flow.
pub(crate) fn author(tx: &mut dyn Tx, flow: &str, hash: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT author FROM flow_authors WHERE flow = $1 AND hash = $2", args![flow, hash])?;
    row.map(|row| row.get(0)).transpose()
}

/// Lists the connections that end by then and of whose end nobody was told.
pub(crate) fn ending_untold(tx: &mut dyn Tx, by: Timestamp) -> Result<Vec<(String, Timestamp)>, Error> {
    let sql = "SELECT name, expires_at FROM connections WHERE expires_at <= $1 \
               AND (told_of IS NULL OR told_of <> expires_at) ORDER BY name";
    tx.query(sql, args![by])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Remembers that people were told of a connection's end.
pub(crate) fn set_told_of(tx: &mut dyn Tx, name: &str, expires_at: Timestamp) -> Result<(), Error> {
    tx.execute("UPDATE connections SET told_of = $2 WHERE name = $1", args![name, expires_at])?;
    Ok(())
}

/// Finds a connection by its name, or by what it is called elsewhere.
pub(crate) fn connection(tx: &mut dyn Tx, name: &str) -> Result<Option<(ConnectionInfo, Vec<u8>)>, Error> {
    let name = stands_for(tx, name)?;
    let sql = "SELECT name, kind, origin, expires_at, updated_at, sealed FROM connections WHERE name = $1";
    let Some(row) = tx.query_one(sql, args![&name])? else { return Ok(None) };
    let sealed = row.get(5)?;
    Ok(Some((ConnectionInfo { imported_ids: imported_ids(tx, &name)?, ..connection_row(&row)? }, sealed)))
}

pub(crate) fn delete_connection(tx: &mut dyn Tx, name: &str) -> Result<bool, Error> {
    tx.execute("DELETE FROM connection_imports WHERE connection = $1", args![name])?;
    Ok(tx.execute("DELETE FROM connections WHERE name = $1", args![name])? > 0)
}
