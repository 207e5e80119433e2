//! What is kept of conversations with workspaces, and the record of calls.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::databricks::CallInfo;
use crate::databricks::act::{Kind, Known};
use crate::run::RunId;

/// A conversation, as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    pub(crate) run: RunId,
    pub(crate) effect: u64,
    pub(crate) flow: String,
    /// Hash of the flow's text.
    pub(crate) version: String,
    pub(crate) module: String,
    pub(crate) connection: String,
}

/// Something under way in a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) of: Conversation,
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) since: Timestamp,
    pub(crate) look_at: Timestamp,
    pub(crate) failing_since: Option<Timestamp>,
}

/// What a conversation waits for.
#[derive(Clone, Debug)]
pub(crate) struct ToWatch {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) since: Timestamp,
    pub(crate) look_at: Timestamp,
}

/// Reads what is known, and how what was waited for has ended.
pub(crate) fn known(tx: &mut dyn Tx, run: RunId, effect: u64) -> Result<Option<Known>, Error> {
    let sql = "SELECT known, ended FROM databricks_effects WHERE run = $1 AND effect = $2";
    let Some(row) = tx.query_one(sql, args![run, effect])? else { return Ok(None) };
    let mut known: Known = serde_json::from_str(&row.get::<String>(0)?).map_err(|_| Error::Shape { column: 0 })?;
    let ended: Option<String> = row.get(1)?;
    known.ended = ended.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| Error::Shape { column: 1 })?;
    Ok(Some(known))
}

/// Keeps what is known, and what is waited for from here on, unless its end is
/// known already.
pub(crate) fn keep_known(
    tx: &mut dyn Tx,
    of: &Conversation,
    known: &Known,
    watch: Option<&ToWatch>,
    now: Timestamp,
) -> Result<(), Error> {
    let text = serde_json::to_string(known).expect("it is plain data");
    tx.execute(
        "INSERT INTO databricks_effects (run, effect, flow, version, module, connection, known, kind, watched, since, \
         look_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
         ON CONFLICT (run, effect) DO UPDATE SET known = $7, kind = $8, watched = $9, since = $10, \
         look_at = CASE WHEN databricks_effects.ended IS NOT NULL THEN NULL \
         ELSE COALESCE(databricks_effects.look_at, $11) END",
        args![
            of.run,
            of.effect,
            &of.flow,
            &of.version,
            &of.module,
            &of.connection,
            text,
            watch.map(|watch| watch.kind.word()),
            watch.map(|watch| watch.id.clone()),
            watch.map_or(now, |watch| watch.since),
            watch.map(|watch| watch.look_at)
        ],
    )?;
    Ok(())
}

/// Tells whether the end of what a conversation waits for is known.
pub(crate) fn has_ended(tx: &mut dyn Tx, run: RunId, effect: u64) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM databricks_effects WHERE run = $1 AND effect = $2 AND ended IS NOT NULL";
    Ok(tx.query_one(sql, args![run, effect])?.is_some())
}

const OPEN: &str = "SELECT e.run, e.effect, e.flow, e.version, e.module, e.connection, e.kind, e.watched, e.since, \
     e.look_at, e.failing_since FROM databricks_effects AS e JOIN runs ON runs.id = e.run \
     WHERE e.look_at IS NOT NULL AND runs.state <> 'ended'";

fn open_row(row: &Row) -> Result<Open, Error> {
    Ok(Open {
        of: Conversation {
            run: row.get(0)?,
            effect: row.get(1)?,
            flow: row.get(2)?,
            version: row.get(3)?,
            module: row.get(4)?,
            connection: row.get(5)?,
        },
        kind: Kind::named(&row.get::<String>(6)?).ok_or(Error::Shape { column: 6 })?,
        id: row.get(7)?,
        since: row.get(8)?,
        look_at: row.get(9)?,
        failing_since: row.get(10)?,
    })
}

/// Returns everything that is waited for, by connection.
pub(crate) fn open_conversations(tx: &mut dyn Tx) -> Result<Vec<Open>, Error> {
    tx.query(&format!("{OPEN} ORDER BY e.connection, e.look_at, e.run"), args![])?.iter().map(open_row).collect()
}

/// Notes when somebody looks again, and since when nobody could.
pub(crate) fn look_again(
    tx: &mut dyn Tx,
    of: &Conversation,
    look_at: Timestamp,
    failing_since: Option<Timestamp>,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE databricks_effects SET look_at = $3, failing_since = $4 WHERE run = $1 AND effect = $2 AND ended IS NULL",
        args![of.run, of.effect, look_at, failing_since],
    )?;
    Ok(())
}

/// Notes how something ended, and wakes the run that waits for it. Tells
/// whether that was news.
pub(crate) fn note_end(tx: &mut dyn Tx, of: &Conversation, ended: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE databricks_effects SET ended = $3, look_at = NULL, failing_since = NULL \
               WHERE run = $1 AND effect = $2 AND ended IS NULL";
    if tx.execute(sql, args![of.run, of.effect, ended])? == 0 {
        return Ok(false);
    }
    // A run that is somewhere else, perhaps in a sleep, sleeps on.
    let sql = "UPDATE runs SET wakes_at = $2 WHERE id = $1 AND state = 'live' AND wakes_at > $2 AND asked = $3";
    tx.execute(sql, args![of.run, now, of.effect])?;
    Ok(true)
}

/// Forgets the conversations of a run that is forgotten.
pub(crate) fn forget_conversations(tx: &mut dyn Tx, run: RunId) -> Result<(), Error> {
    tx.execute("DELETE FROM databricks_effects WHERE run = $1", args![run])?;
    Ok(())
}

/// Adds a call to the record.
pub(crate) fn add_call_to_workspace(tx: &mut dyn Tx, call: &CallInfo) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO databricks_calls (id, at, connection, workspace, who, flow, version, run, operation, method, path, \
         token, databricks_run, status, error_code, duration_ms, request_hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        args![
            &call.id,
            call.at,
            &call.connection,
            &call.workspace,
            &call.who,
            call.flow.clone(),
            call.version.clone(),
            call.run.clone(),
            &call.operation,
            &call.method,
            &call.path,
            call.idempotency_token.clone(),
            call.databricks_run.clone(),
            call.status.map(i32::from),
            call.error_code.clone(),
            call.duration_ms,
            &call.request_hash
        ],
    )?;
    Ok(())
}

/// Reads the calls of a connection, the newest first, before an id if there is one.
pub(crate) fn calls_to_workspace(
    tx: &mut dyn Tx,
    connection: &str,
    before: Option<&str>,
    limit: u32,
) -> Result<Vec<CallInfo>, Error> {
    // Every id is less than this.
    let before = before.unwrap_or("~");
    let sql = "SELECT id, at, connection, workspace, who, flow, version, run, operation, method, path, token, \
               databricks_run, status, error_code, duration_ms, request_hash FROM databricks_calls \
               WHERE connection = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let read = |row: &Row| {
        Ok(CallInfo {
            id: row.get(0)?,
            at: row.get(1)?,
            connection: row.get(2)?,
            workspace: row.get(3)?,
            who: row.get(4)?,
            flow: row.get(5)?,
            version: row.get(6)?,
            run: row.get(7)?,
            operation: row.get(8)?,
            method: row.get(9)?,
            path: row.get(10)?,
            idempotency_token: row.get(11)?,
            databricks_run: row.get(12)?,
            status: row.get(13)?,
            error_code: row.get(14)?,
            duration_ms: row.get(15)?,
            request_hash: row.get(16)?,
        })
    };
    tx.query(sql, args![connection, before, limit])?.iter().map(read).collect()
}

/// Forgets calls that were made before a time; returns how many.
pub(crate) fn forget_calls_to_workspace(tx: &mut dyn Tx, before: Timestamp) -> Result<u64, Error> {
    tx.execute("DELETE FROM databricks_calls WHERE at < $1", args![before])
}

/// How far a flow that starts with the end of a run has looked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    /// Ends from before this time do not count.
    pub(crate) since: Timestamp,
    pub(crate) look_at: Timestamp,
    /// When somebody last could look.
    pub(crate) looked_at: Timestamp,
    /// Somebody said that a run may have ended.
    pub(crate) has_hints: bool,
}

/// Mark of a run that a hint named.
const HINT: i64 = 2;

/// Begins to listen, if the flow does not yet, or listened elsewhere.
pub(crate) fn listen(tx: &mut dyn Tx, flow: &str, connection: &str, now: Timestamp) -> Result<Listening, Error> {
    let sql = "SELECT since, look_at, connection, looked_at FROM databricks_starts WHERE flow = $1";
    if let Some(row) = tx.query_one(sql, args![flow])? {
        if row.get::<String>(2)? == connection {
            let sql = "SELECT 1 FROM databricks_open_runs WHERE flow = $1 AND long = $2 LIMIT 1";
            let has_hints = tx.query_one(sql, args![flow, HINT])?.is_some();
            return Ok(Listening { since: row.get(0)?, look_at: row.get(1)?, looked_at: row.get(3)?, has_hints });
        }
        forget_listening(tx, flow)?;
    }
    tx.execute(
        "INSERT INTO databricks_starts (flow, connection, since, looked_at, look_at) VALUES ($1, $2, $3, $3, $3)",
        args![flow, connection, now],
    )?;
    Ok(Listening { since: now, look_at: now, looked_at: now, has_hints: false })
}

/// Returns the flows that listen.
pub(crate) fn listening_flows(tx: &mut dyn Tx) -> Result<Vec<String>, Error> {
    tx.query("SELECT flow FROM databricks_starts ORDER BY flow", args![])?.iter().map(|row| row.get(0)).collect()
}

/// Ends the listening of a flow.
pub(crate) fn forget_listening(tx: &mut dyn Tx, flow: &str) -> Result<(), Error> {
    for table in ["databricks_starts", "databricks_open_runs", "databricks_ended_runs"] {
        tx.execute(&format!("DELETE FROM {table} WHERE flow = $1"), args![flow])?;
    }
    Ok(())
}

/// Notes when a flow looks next, and forgets ends that nobody lists any more.
pub(crate) fn look_for_ends_at(
    tx: &mut dyn Tx,
    flow: &str,
    at: Timestamp,
    looked_at: Option<Timestamp>,
) -> Result<(), Error> {
    // Workspaces forget their runs after 60 days.
    let old = at.minus(std::time::Duration::from_hours(24 * 61));
    tx.execute("DELETE FROM databricks_ended_runs WHERE flow = $1 AND seen_at < $2", args![flow, old])?;
    let sql = "UPDATE databricks_starts SET look_at = $2, looked_at = COALESCE($3, looked_at) WHERE flow = $1";
    tx.execute(sql, args![flow, at, looked_at])?;
    Ok(())
}

/// Returns the runs that a flow knows to be open, and whether it was told that
/// one takes too long.
pub(crate) fn open_runs(tx: &mut dyn Tx, flow: &str) -> Result<std::collections::HashMap<i64, bool>, Error> {
    let rows = tx.query("SELECT databricks_run, long FROM databricks_open_runs WHERE flow = $1", args![flow])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get::<i64>(1)? == 1))).collect()
}

/// Notes runs that are open.
pub(crate) fn add_open_runs(tx: &mut dyn Tx, flow: &str, runs: &std::collections::HashSet<i64>) -> Result<(), Error> {
    let rows: Vec<_> = runs.iter().map(|run| args![flow, *run].to_vec()).collect();
    tx.execute_many(
        "INSERT INTO databricks_open_runs (flow, databricks_run, long) VALUES ($1, $2, 0) \
         ON CONFLICT (flow, databricks_run) DO UPDATE SET long = CASE WHEN databricks_open_runs.long = 1 THEN 1 ELSE 0 END",
        &rows,
    )?;
    Ok(())
}

/// Notes a run that may have ended.
pub(crate) fn add_hint(tx: &mut dyn Tx, flow: &str, run: i64) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO databricks_open_runs (flow, databricks_run, long) VALUES ($1, $2, $3) \
         ON CONFLICT (flow, databricks_run) DO UPDATE SET long = CASE WHEN databricks_open_runs.long = 1 THEN 1 ELSE $3 END",
        args![flow, run, HINT],
    )?;
    Ok(())
}

/// Notes that a flow was told that a run takes too long.
pub(crate) fn tell_long(tx: &mut dyn Tx, flow: &str, run: i64) -> Result<(), Error> {
    let sql = "UPDATE databricks_open_runs SET long = 1 WHERE flow = $1 AND databricks_run = $2";
    tx.execute(sql, args![flow, run])?;
    Ok(())
}

/// Forgets that a run is open.
pub(crate) fn close_run(tx: &mut dyn Tx, flow: &str, run: i64) -> Result<(), Error> {
    tx.execute("DELETE FROM databricks_open_runs WHERE flow = $1 AND databricks_run = $2", args![flow, run])?;
    Ok(())
}

/// Returns the runs that have ended, and when, in milliseconds.
pub(crate) fn ended_runs(tx: &mut dyn Tx, flow: &str) -> Result<std::collections::HashMap<i64, i64>, Error> {
    let sql = "SELECT databricks_run, ended_at FROM databricks_ended_runs WHERE flow = $1";
    tx.query(sql, args![flow])?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Notes that a run has ended, and that the flow knows.
pub(crate) fn see_end(tx: &mut dyn Tx, flow: &str, run: i64, ended_at: i64, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO databricks_ended_runs (flow, databricks_run, ended_at, seen_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (flow, databricks_run) DO UPDATE SET ended_at = $3, seen_at = $4",
        args![flow, run, ended_at, now],
    )?;
    close_run(tx, flow, run)
}
