//! The SQL of this crate: plain functions over a transaction.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};
use serde_json::Value as Json;

use crate::connection::ConnectionInfo;
use crate::run::{Counts, Operation, OperationStatus, Outcome, RunId, RunInfo, RunState};

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

const FLOW_COLUMNS: &str = "key, name, draft, published, version, active, next_at, variables, updated_at";

fn flow_row(row: &Row) -> Result<FlowRow, Error> {
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

// Connections.

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

// Hooks.

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

// Runs.

/// A run to be inserted.
#[derive(Clone, Debug)]
pub(crate) struct NewRun {
    pub(crate) id: RunId,
    pub(crate) flow: String,
    /// Hash of the text that it runs.
    pub(crate) version: String,
    pub(crate) started_by: &'static str,
    pub(crate) variables: String,
    pub(crate) seed: u64,
    pub(crate) now: Timestamp,
}

/// Inserts a run that is due at once; `input` is a JSON array of start bundles.
pub(crate) fn insert_run(tx: &mut dyn Tx, run: &NewRun, input: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO runs (id, flow, version, started_by, state, wakes_at, input, variables, seed, operations, started_at) \
         VALUES ($1, $2, $3, $4, 'live', $5, $6, $7, $8, 0, $5)",
        args![run.id, &run.flow, &run.version, run.started_by, run.now, input, &run.variables, run.seed],
    )?;
    Ok(())
}

/// Tells whether a flow has a run that has not ended.
pub(crate) fn has_open_run(tx: &mut dyn Tx, flow: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM runs WHERE flow = $1 AND state <> 'ended' LIMIT 1";
    Ok(tx.query_one(sql, args![flow])?.is_some())
}

const RUN_COLUMNS: &str =
    "id, flow, version, started_by, state, outcome, reason, wakes_at, started_at, ended_at, operations";

fn run_row(row: &Row) -> Result<RunInfo, Error> {
    let state = match row.get::<String>(4)?.as_str() {
        "live" => RunState::Live,
        "in-doubt" => RunState::InDoubt,
        "parked" => RunState::Parked,
        "ended" => RunState::Ended,
        _ => return Err(Error::Shape { column: 4 }),
    };
    let outcome = match row.get::<Option<String>>(5)?.as_deref() {
        None => None,
        Some("success") => Some(Outcome::Success),
        Some("warning") => Some(Outcome::Warning),
        Some("error") => Some(Outcome::Error),
        Some(_) => return Err(Error::Shape { column: 5 }),
    };
    Ok(RunInfo {
        id: row.get(0)?,
        flow: row.get(1)?,
        version: row.get(2)?,
        started_by: row.get(3)?,
        state,
        outcome,
        reason: row.get(6)?,
        wakes_at: if state == RunState::Live { Some(row.get(7)?) } else { None },
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        operations: row.get(10)?,
    })
}

pub(crate) fn runs(tx: &mut dyn Tx, flow: &str, limit: u32) -> Result<Vec<RunInfo>, Error> {
    let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE flow = $1 ORDER BY id DESC LIMIT $2");
    tx.query(&sql, args![flow, limit])?.iter().map(run_row).collect()
}

/// A run with what it began with.
#[derive(Clone, Debug)]
pub(crate) struct RunRow {
    pub(crate) info: RunInfo,
    pub(crate) input: String,
    pub(crate) variables: String,
    pub(crate) seed: u64,
}

pub(crate) fn run(tx: &mut dyn Tx, id: RunId) -> Result<Option<RunRow>, Error> {
    let sql = format!("SELECT {RUN_COLUMNS}, input, variables, seed FROM runs WHERE id = $1");
    let Some(row) = tx.query_one(&sql, args![id])? else { return Ok(None) };
    let seed: i64 = row.get(13)?;
    Ok(Some(RunRow { info: run_row(&row)?, input: row.get(11)?, variables: row.get(12)?, seed: seed as u64 }))
}

pub(crate) fn counts(tx: &mut dyn Tx) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for row in tx.query("SELECT state, outcome, COUNT(*) FROM runs GROUP BY state, outcome", args![])? {
        let (state, outcome, number): (String, Option<String>, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match (state.as_str(), outcome.as_deref()) {
            ("live", _) => counts.running += number,
            ("ended", Some("success")) => counts.succeeded += number,
            ("ended", Some("warning")) => counts.warning += number,
            ("ended", _) => counts.failed += number,
            _ => counts.held += number,
        }
    }
    Ok(counts)
}

pub(crate) fn operations(tx: &mut dyn Tx, run: RunId) -> Result<Vec<Operation>, Error> {
    let sql = "SELECT number, module, kind, path, status, status_code, input, output, detail, started_at, ended_at \
               FROM operations WHERE run = $1 ORDER BY number";
    tx.query(sql, args![run])?.iter().map(operation_row).collect()
}

fn operation_row(row: &Row) -> Result<Operation, Error> {
    let json = |column: usize| -> Result<Json, Error> {
        serde_json::from_str(&row.get::<String>(column)?).map_err(|_| Error::Shape { column })
    };
    Ok(Operation {
        number: row.get(0)?,
        module: row.get(1)?,
        kind: row.get(2)?,
        path: row.get(3)?,
        status: match row.get::<String>(4)?.as_str() {
            "success" => OperationStatus::Success,
            "warning" => OperationStatus::Warning,
            "error" => OperationStatus::Error,
            "filtered" => OperationStatus::Filtered,
            _ => return Err(Error::Shape { column: 4 }),
        },
        status_code: row.get(5)?,
        input: json(6)?,
        output: match json(7)? {
            Json::Array(bundles) => bundles,
            other => vec![other],
        },
        detail: row.get(8)?,
        started_at: row.get(9)?,
        ended_at: row.get(10)?,
    })
}

/// An effect as the journal has it.
#[derive(Clone, Debug)]
pub(crate) struct JournalRow {
    pub(crate) number: u64,
    pub(crate) module: u32,
    pub(crate) path: String,
    pub(crate) attempt: u32,
    pub(crate) safe: bool,
    pub(crate) begun: bool,
    pub(crate) asked_at: Timestamp,
    pub(crate) result: Option<String>,
    pub(crate) settled_at: Option<Timestamp>,
}

pub(crate) fn journal(tx: &mut dyn Tx, run: RunId) -> Result<Vec<JournalRow>, Error> {
    let sql = "SELECT number, module, path, attempt, safe, begun, asked_at, result, settled_at FROM journal \
               WHERE run = $1 ORDER BY number";
    let read = |row: &Row| {
        Ok(JournalRow {
            number: row.get(0)?,
            module: row.get(1)?,
            path: row.get(2)?,
            attempt: row.get(3)?,
            safe: row.get(4)?,
            begun: row.get(5)?,
            asked_at: row.get(6)?,
            result: row.get(7)?,
            settled_at: row.get(8)?,
        })
    };
    tx.query(sql, args![run])?.iter().map(read).collect()
}

/// What one commit at a barrier holds.
#[derive(Clone, Debug)]
pub(crate) struct Barrier {
    pub(crate) run: RunId,
    pub(crate) now: Timestamp,
    /// What came of the effect that was in flight: its number and result.
    pub(crate) settled: Option<(u64, String)>,
    /// The effect that is to be performed next.
    pub(crate) asked: Option<Asked>,
    /// The effect in flight is to be tried again: its number and the attempt.
    pub(crate) again: Option<(u64, u32)>,
    /// Operations since the last barrier, and how many there are in all.
    pub(crate) operations: Vec<Operation>,
    pub(crate) operation_count: u64,
    pub(crate) then: Then,
}

/// The row of an intent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) module: u32,
    pub(crate) path: String,
    pub(crate) key: String,
    pub(crate) safe: bool,
}

/// How a run stands after a barrier.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// It goes on at this time.
    Wakes(Timestamp),
    /// It is through.
    Ended(Outcome, Option<String>),
    /// A person decides; state and reason.
    Held(RunState, String),
}

/// Records a barrier. Tells whether the run was still live; if not, nothing
/// was recorded.
pub(crate) fn record(tx: &mut dyn Tx, barrier: &Barrier) -> Result<bool, Error> {
    let (state, outcome, reason, wakes_at, ended_at) = match &barrier.then {
        Then::Wakes(at) => ("live", None, None, *at, None),
        Then::Ended(outcome, reason) => {
            ("ended", Some(outcome_text(*outcome)), reason.clone(), barrier.now, Some(barrier.now))
        }
        Then::Held(RunState::InDoubt, reason) => ("in-doubt", None, Some(reason.clone()), barrier.now, None),
        Then::Held(_, reason) => ("parked", None, Some(reason.clone()), barrier.now, None),
    };
    let touched = tx.execute(
        "UPDATE runs SET state = $2, outcome = $3, reason = $4, wakes_at = $5, ended_at = $6, operations = $7 \
         WHERE id = $1 AND state = 'live'",
        args![barrier.run, state, outcome, reason, wakes_at, ended_at, barrier.operation_count],
    )?;
    if touched == 0 {
        return Ok(false);
    }
    if let Some((number, result)) = &barrier.settled {
        let touched = tx.execute(
            "UPDATE journal SET result = $3, settled_at = $4 WHERE run = $1 AND number = $2 AND result IS NULL",
            args![barrier.run, *number, result, barrier.now],
        )?;
        if touched == 0 {
            return Err(Error::Constraint {
                detail: format!("effect {number} of run {} was settled before", barrier.run),
            });
        }
    }
    if let Some((number, attempt)) = barrier.again {
        tx.execute(
            "UPDATE journal SET attempt = $3 WHERE run = $1 AND number = $2",
            args![barrier.run, number, attempt],
        )?;
    }
    if let Some(asked) = &barrier.asked {
        tx.execute(
            "INSERT INTO journal (run, number, module, path, key, attempt, safe, begun, asked_at) \
             VALUES ($1, $2, $3, $4, $5, 1, $6, 1, $7)",
            args![barrier.run, asked.number, asked.module, &asked.path, &asked.key, asked.safe, barrier.now],
        )?;
    }
    let rows: Vec<_> = barrier.operations.iter().map(|operation| operation_args(barrier.run, operation)).collect();
    tx.execute_many(
        "INSERT INTO operations (run, number, module, kind, path, status, status_code, input, output, detail, \
         started_at, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (run, number) DO NOTHING",
        &rows,
    )?;
    if matches!(barrier.then, Then::Ended(..)) {
        // The operations tell the story from here on; nothing will be replayed.
        tx.execute("DELETE FROM journal WHERE run = $1", args![barrier.run])?;
    }
    Ok(true)
}

fn operation_args(run: RunId, operation: &Operation) -> Vec<base::db::Value> {
    let status = match operation.status {
        OperationStatus::Success => "success",
        OperationStatus::Warning => "warning",
        OperationStatus::Error => "error",
        OperationStatus::Filtered => "filtered",
    };
    args![
        run,
        operation.number,
        operation.module,
        &operation.kind,
        &operation.path,
        status,
        operation.status_code.map(i32::from),
        operation.input.to_string(),
        Json::from(operation.output.clone()).to_string(),
        operation.detail.clone(),
        operation.started_at,
        operation.ended_at
    ]
    .to_vec()
}

fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Warning => "warning",
        Outcome::Error => "error",
    }
}

/// Remembers whether the effect in flight may have been tried.
pub(crate) fn set_begun(tx: &mut dyn Tx, run: RunId, number: u64, begun: bool) -> Result<(), Error> {
    let sql = "UPDATE journal SET begun = $3 WHERE run = $1 AND number = $2 AND result IS NULL";
    tx.execute(sql, args![run, number, begun])?;
    Ok(())
}

/// Lets a held run go on, its effect in flight as if it had not been tried;
/// tells whether it was held.
pub(crate) fn release(tx: &mut dyn Tx, run: RunId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE runs SET state = 'live', reason = NULL, wakes_at = $2 \
               WHERE id = $1 AND state IN ('in-doubt', 'parked')";
    let touched = tx.execute(sql, args![run, now])?;
    tx.execute("UPDATE journal SET begun = 0 WHERE run = $1 AND result IS NULL", args![run])?;
    Ok(touched > 0)
}

/// Ends a held run as an error; tells whether it was held.
pub(crate) fn abandon(tx: &mut dyn Tx, run: RunId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE runs SET state = 'ended', outcome = 'error', ended_at = $2 \
               WHERE id = $1 AND state IN ('in-doubt', 'parked')";
    let touched = tx.execute(sql, args![run, now])?;
    if touched > 0 {
        tx.execute("DELETE FROM journal WHERE run = $1", args![run])?;
    }
    Ok(touched > 0)
}

/// What there is to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    /// Flows whose schedule is due.
    pub(crate) schedules: Vec<FlowRow>,
    /// Hooks with items whose flow is active, and the flow.
    pub(crate) hooks: Vec<(String, FlowRow)>,
    /// Runs that are due, the longest waiting first.
    pub(crate) runs: Vec<RunId>,
    /// When something that is not due yet will be.
    pub(crate) next: Option<Timestamp>,
}

pub(crate) fn agenda(tx: &mut dyn Tx, now: Timestamp, runs_max: usize) -> Result<Agenda, Error> {
    let sql = format!("SELECT {FLOW_COLUMNS} FROM flows WHERE next_at <= $1 AND active = 1");
    let schedules = tx.query(&sql, args![now])?.iter().map(flow_row).collect::<Result<Vec<_>, _>>()?;
    let mut hooks = Vec::new();
    for row in tx.query("SELECT hook, flow FROM hooks WHERE waiting > 0 ORDER BY hook", args![])? {
        if let Some(flow) = flow(tx, &row.get::<String>(1)?)?.filter(|flow| flow.active) {
            hooks.push((row.get(0)?, flow));
        }
    }
    let sql = "SELECT id FROM runs WHERE state = 'live' AND wakes_at <= $1 ORDER BY wakes_at, id LIMIT $2";
    let runs = tx.query(sql, args![now, runs_max])?.iter().map(|row| row.get(0)).collect::<Result<Vec<_>, _>>()?;
    let earliest = |row: Option<Row>| row.map_or(Ok(None), |row| row.get::<Option<Timestamp>>(0));
    let sql = "SELECT MIN(wakes_at) FROM runs WHERE state = 'live' AND wakes_at > $1";
    let run = earliest(tx.query_one(sql, args![now])?)?;
    let sql = "SELECT MIN(next_at) FROM flows WHERE next_at > $1 AND active = 1";
    let schedule = earliest(tx.query_one(sql, args![now])?)?;
    let next = [run, schedule].into_iter().flatten().min();
    Ok(Agenda { schedules, hooks, runs, next })
}
