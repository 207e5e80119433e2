//! Runs, and what is stored of their operations.

use base::args;
use base::db::{Error, Row, Tx};
use base::{Causes, Timestamp};
use serde_json::Value as Json;

use super::journal::{ASKED_COLUMNS, Asked, IN_HAND, asked, asked_args, tally};
use super::{long, outcomes};
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
    insert(tx, run, input, causes, run.now, None, 0)
}

/// Inserts a run that is in the engine's hands from the beginning.
pub(crate) fn insert_run_in_hand(tx: &mut dyn Tx, run: &NewRun, input: &str, causes: &[Causes]) -> Result<(), Error> {
    insert(tx, run, input, causes, IN_HAND, None, 0)
}

/// Inserts a run that has walked to its first effect already.
pub(crate) fn insert_begun_run(
    tx: &mut dyn Tx,
    run: &NewRun,
    input: &str,
    causes: &[Causes],
    asked: &Asked,
    wakes_at: Timestamp,
    operation_count: u64,
) -> Result<(), Error> {
    insert(tx, run, input, causes, wakes_at, Some(asked), operation_count)
}

fn insert(
    tx: &mut dyn Tx,
    run: &NewRun,
    input: &str,
    causes: &[Causes],
    wakes_at: Timestamp,
    asked: Option<&Asked>,
    operation_count: u64,
) -> Result<(), Error> {
    let is_known = causes.iter().any(|causes| !causes.is_empty());
    let chains = is_known.then(|| serde_json::to_string(causes).expect("chains are texts"));
    let reference = long::keep(tx, run.id, input)?;
    let input = reference.as_deref().unwrap_or(input);
    let mut args = args![
        run.id,
        &run.flow,
        &run.version,
        run.started_by,
        wakes_at,
        input,
        &run.variables,
        run.seed,
        operation_count,
        run.now,
        chains
    ]
    .to_vec();
    args.extend(asked_args(asked));
    outcomes::add(tx, run, causes)?;
    tx.execute(
        "INSERT INTO runs (id, flow, version, started_by, state, wakes_at, input, variables, seed, operations, started_at, \
         causes, asked, asked_module, asked_path, asked_at, attempt, safe, begun) \
         VALUES ($1, $2, $3, $4, 'live', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        &args,
    )?;
    Ok(())
}

/// Inserts a run that came to its end without an effect.
pub(crate) fn insert_ended(
    tx: &mut dyn Tx,
    run: &NewRun,
    input: &str,
    causes: &[Causes],
    outcome: Outcome,
    reason: Option<&str>,
    operation_count: u64,
) -> Result<(), Error> {
    insert(tx, run, input, causes, run.now, None, operation_count)?;
    tx.execute(
        "UPDATE runs SET state = 'ended', outcome = $2, reason = $3, ended_at = $4 WHERE id = $1",
        args![run.id, outcome.word(), reason, run.now],
    )?;
    tally(tx, &run.flow, outcome)
}

/// Inserts a run that was not started, so that whoever looks for it reads why.
pub(crate) fn insert_unstarted(tx: &mut dyn Tx, run: &NewRun, reason: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO runs (id, flow, version, started_by, state, outcome, reason, wakes_at, input, variables, seed, \
         operations, started_at, ended_at) \
         VALUES ($1, $2, $3, $4, 'ended', 'warning', $5, $6, '[]', $7, $8, 0, $6, $6)",
        args![run.id, &run.flow, &run.version, run.started_by, reason, run.now, &run.variables, run.seed],
    )?;
    tally(tx, &run.flow, Outcome::Warning)
}

/// Tells whether a flow has a run that has not ended, or an incomplete
/// execution: where runs follow one another, the next one waits for it.
pub(crate) fn has_open_run(tx: &mut dyn Tx, flow: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM incomplete WHERE flow = $1 AND state = 'open' LIMIT 1";
    Ok(has_live_run(tx, flow)? || tx.query_one(sql, args![flow])?.is_some())
}

/// Tells whether a flow has a run that has not ended.
pub(crate) fn has_live_run(tx: &mut dyn Tx, flow: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM runs WHERE flow = $1 AND state <> 'ended' LIMIT 1";
    Ok(tx.query_one(sql, args![flow])?.is_some())
}

/// Refuses what a run would still change after its end: whoever has cancelled
/// it was told that it starts nothing more.
pub(crate) fn expect_live(tx: &mut dyn Tx, run: RunId) -> Result<(), crate::error::Error> {
    match tx.query_one("SELECT 1 FROM runs WHERE id = $1 AND state = 'live'", args![run])? {
        Some(_) => Ok(()),
        None => Err(crate::error::Error::HasEnded { id: run }),
    }
}

pub(super) const RUN_COLUMNS: &str =
    "id, flow, version, started_by, state, outcome, reason, wakes_at, started_at, ended_at, operations";

pub(super) fn run_row(row: &Row) -> Result<RunInfo, Error> {
    let state = match row.get::<String>(4)?.as_str() {
        "live" => RunState::Live,
        "in-doubt" => RunState::InDoubt,
        "parked" => RunState::Parked,
        "ended" => RunState::Ended,
        _ => return Err(Error::Shape { column: 4 }),
    };
    let outcome = match row.get::<Option<String>>(5)?.as_deref() {
        None => None,
        Some(word) => Some(Outcome::named(word).ok_or(Error::Shape { column: 5 })?),
    };
    Ok(RunInfo {
        id: row.get(0)?,
        flow: row.get(1)?,
        version: row.get(2)?,
        started_by: row.get(3)?,
        state,
        outcome,
        reason: row.get(6)?,
        wakes_at: if state == RunState::Live { Some(row.get(7)?).filter(|at| *at != IN_HAND) } else { None },
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
    /// The effect in flight.
    pub(crate) asked: Option<Asked>,
    /// How often the program ended while it worked on it.
    pub(crate) deaths: u32,
}

pub(crate) fn run(tx: &mut dyn Tx, id: RunId) -> Result<Option<RunRow>, Error> {
    let sql = format!(
        "SELECT {RUN_COLUMNS}, input, variables, seed, causes, deaths, {ASKED_COLUMNS} FROM runs WHERE id = $1"
    );
    let Some(row) = tx.query_one(&sql, args![id])? else { return Ok(None) };
    let seed: i64 = row.get(13)?;
    let causes: Option<String> = row.get(14)?;
    Ok(Some(RunRow {
        info: run_row(&row)?,
        input: long::fetch(tx, row.get(11)?)?,
        variables: row.get(12)?,
        seed: seed as u64,
        causes: causes.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        deaths: row.get(15)?,
        asked: asked(&row, 16)?,
    }))
}

pub(crate) fn counts(tx: &mut dyn Tx) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    for row in tx.query("SELECT outcome, SUM(runs) FROM run_tallies GROUP BY outcome", args![])? {
        let (outcome, number): (String, u64) = (row.get(0)?, row.get(1)?);
        match outcome.as_str() {
            "success" => counts.succeeded = number,
            "warning" => counts.warning = number,
            "cancelled" => counts.cancelled = number,
            _ => counts.failed += number,
        }
    }
    let number = |row: Option<Row>| row.map_or(Ok(0), |row| row.get(0));
    counts.running = number(tx.query_one("SELECT COUNT(*) FROM runs WHERE state = 'live'", args![])?)?;
    let sql = "SELECT COUNT(*) FROM runs WHERE state = 'in-doubt' OR state = 'parked'";
    counts.held = number(tx.query_one(sql, args![])?)?;
    Ok(counts)
}

/// Reads the operations of a run that were stored because they are not
/// recomputed.
pub(crate) fn operations(tx: &mut dyn Tx, run: RunId) -> Result<Vec<Operation>, Error> {
    let sql = "SELECT number, module, kind, path, status, status_code, input, output, detail, started_at, ended_at, \
               filter FROM operations WHERE run = $1 ORDER BY number";
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
        filter: row.get::<Option<String>>(11)?.and_then(|text| serde_json::from_str(&text).ok()),
        started_at: row.get(9)?,
        ended_at: row.get(10)?,
    })
}

pub(super) fn operation_args(run: RunId, operation: &Operation) -> Vec<base::db::Value> {
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
        operation.ended_at,
        operation.filter.as_ref().map(|judgement| serde_json::to_string(judgement).expect("it is plain data"))
    ]
    .to_vec()
}
