//! Runs, their journals and their operations.

use base::args;
use base::db::{Error, Row, Tx};
use base::{Causes, Timestamp};
use serde_json::Value as Json;

use crate::run::{Counts, Operation, OperationStatus, Outcome, RunId, RunInfo, RunState};

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

/// Inserts a run that is due at once; `input` is a JSON array of start bundles,
/// and `causes` are what led to each of them.
pub(crate) fn insert_run(tx: &mut dyn Tx, run: &NewRun, input: &str, causes: &[Causes]) -> Result<(), Error> {
    let is_known = causes.iter().any(|causes| !causes.is_empty());
    let causes = is_known.then(|| serde_json::to_string(causes).expect("chains are texts"));
    tx.execute(
        "INSERT INTO runs (id, flow, version, started_by, state, wakes_at, input, variables, seed, operations, started_at, \
         causes) VALUES ($1, $2, $3, $4, 'live', $5, $6, $7, $8, 0, $5, $9)",
        args![run.id, &run.flow, &run.version, run.started_by, run.now, input, &run.variables, run.seed, causes],
    )?;
    Ok(())
}

/// Inserts a run that was not started, so that whoever looks for it reads why.
pub(crate) fn insert_unstarted(tx: &mut dyn Tx, run: &NewRun, reason: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO runs (id, flow, version, started_by, state, outcome, reason, wakes_at, input, variables, seed, \
         operations, started_at, ended_at) \
         VALUES ($1, $2, $3, $4, 'ended', 'warning', $5, $6, '[]', $7, $8, 0, $6, $6)",
        args![run.id, &run.flow, &run.version, run.started_by, reason, run.now, &run.variables, run.seed],
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
    /// What led to each start bundle; empty if nothing is known of any.
    pub(crate) causes: Vec<Causes>,
}

pub(crate) fn run(tx: &mut dyn Tx, id: RunId) -> Result<Option<RunRow>, Error> {
    let sql = format!("SELECT {RUN_COLUMNS}, input, variables, seed, causes FROM runs WHERE id = $1");
    let Some(row) = tx.query_one(&sql, args![id])? else { return Ok(None) };
    let seed: i64 = row.get(13)?;
    let causes: Option<String> = row.get(14)?;
    Ok(Some(RunRow {
        info: run_row(&row)?,
        input: row.get(11)?,
        variables: row.get(12)?,
        seed: seed as u64,
        causes: causes.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
    }))
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
