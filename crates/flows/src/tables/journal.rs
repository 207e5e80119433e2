//! The journal: what came of the effects of runs, and the barriers by which
//! runs move on.
//!
//! The effect that is in flight stands in the row of its run, so a barrier
//! writes one row of the journal and changes one row of a run. A run that is
//! in the engine's hands has [`IN_HAND`] for the time at which it goes on: no
//! look at what is due finds it, and if the program dies they all can be found.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx, Value};

use super::aftermath::{
    Aftermath, cannot_commit, has_no_room, record_aftermath, uncommitted, wake_caller, without_room,
};
use super::history::keep_late;
use super::long;
use crate::run::{Operation, Outcome, RunId, RunState};

/// When a run goes on that is in the engine's hands.
pub(crate) const IN_HAND: Timestamp = Timestamp::from_micros(i64::MAX);

/// An effect of which it is known what came of it.
#[derive(Clone, Debug)]
pub(crate) struct JournalRow {
    pub(crate) number: u64,
    pub(crate) module: u32,
    pub(crate) path: String,
    pub(crate) settled_at: Timestamp,
    pub(crate) result: String,
}

pub(crate) fn journal(tx: &mut dyn Tx, run: RunId) -> Result<Vec<JournalRow>, Error> {
    let sql = "SELECT number, module, path, settled_at, result FROM journal WHERE run = $1 ORDER BY number";
    let mut journal = Vec::new();
    for row in tx.query(sql, args![run])? {
        journal.push(JournalRow {
            number: row.get(0)?,
            module: row.get(1)?,
            path: row.get(2)?,
            settled_at: row.get(3)?,
            result: long::fetch(tx, row.get(4)?)?,
        });
    }
    Ok(journal)
}

/// An effect that a run has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) module: u32,
    pub(crate) path: String,
    pub(crate) at: Timestamp,
    pub(crate) attempt: u32,
    pub(crate) safe: bool,
    /// It may have been tried.
    pub(crate) begun: bool,
}

pub(super) const ASKED_COLUMNS: &str = "asked, asked_module, asked_path, asked_at, attempt, safe, begun";

/// Reads the effect in flight from the columns from `first` on.
pub(super) fn asked(row: &Row, first: usize) -> Result<Option<Asked>, Error> {
    let Some(number) = row.get::<Option<u64>>(first)? else { return Ok(None) };
    Ok(Some(Asked {
        number,
        module: row.get(first + 1)?,
        path: row.get(first + 2)?,
        at: row.get(first + 3)?,
        attempt: row.get(first + 4)?,
        safe: row.get(first + 5)?,
        begun: row.get(first + 6)?,
    }))
}

pub(super) fn asked_args(asked: Option<&Asked>) -> [Value; 7] {
    match asked {
        None => [const { Value::Null }; 7],
        Some(asked) => [
            asked.number.into(),
            asked.module.into(),
            asked.path.as_str().into(),
            asked.at.into(),
            asked.attempt.into(),
            asked.safe.into(),
            asked.begun.into(),
        ],
    }
}

/// What one commit at a barrier holds.
#[derive(Clone, Debug)]
pub(crate) struct Barrier {
    pub(crate) run: RunId,
    pub(crate) flow: String,
    pub(crate) now: Timestamp,
    /// What came of the effect that was in flight.
    pub(crate) settled: Option<Came>,
    /// The effect that is in flight from here on.
    pub(crate) asked: Option<Asked>,
    /// How many operations there were so far.
    pub(crate) operation_count: u64,
    /// Operations that are stored, because they will not be recomputed.
    pub(crate) stored: Vec<Operation>,
    pub(crate) then: Then,
    /// What it means beyond the run.
    pub(crate) aftermath: Aftermath,
}

/// What came of an effect, for the journal.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub(crate) effect: Asked,
    pub(crate) result: String,
}

/// How a run stands after a barrier.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    /// It stays in hand.
    GoesOn,
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
    if let Some(why) = has_no_room(tx, barrier.run, &barrier.flow, &barrier.aftermath)? {
        let (aftermath, end) = without_room(&barrier.aftermath, &why);
        let mut cut = Barrier { aftermath, ..barrier.clone() };
        let goes_on = end.is_none();
        if let Some((outcome, reason)) = end {
            cut.asked = None;
            cut.then = Then::Ended(outcome, reason);
        }
        return Ok(record(tx, &cut)? && goes_on);
    }
    if let Some(why) = cannot_commit(tx, barrier.run, &barrier.aftermath)? {
        let (aftermath, (outcome, reason)) = uncommitted(&barrier.aftermath, &why);
        let then = Then::Ended(outcome, reason);
        let live = record(tx, &Barrier { aftermath, asked: None, then, ..barrier.clone() })?;
        tracing::error!(run = %barrier.run, why, live, "a cycle cannot be committed");
        return Ok(false);
    }
    let (state, outcome, reason, wakes_at, ended_at) = match &barrier.then {
        Then::GoesOn => ("live", None, None, IN_HAND, None),
        Then::Wakes(at) => ("live", None, None, *at, None),
        Then::Ended(outcome, reason) => {
            ("ended", Some(outcome.word()), reason.as_deref(), barrier.now, Some(barrier.now))
        }
        Then::Held(RunState::InDoubt, reason) => ("in-doubt", None, Some(reason.as_str()), barrier.now, None),
        Then::Held(_, reason) => ("parked", None, Some(reason.as_str()), barrier.now, None),
    };
    let mut args = args![barrier.run, state, outcome, reason, wakes_at, ended_at, barrier.operation_count].to_vec();
    args.extend(asked_args(barrier.asked.as_ref()));
    let touched = tx.execute(
        "UPDATE runs SET state = $2, outcome = $3, reason = $4, wakes_at = $5, ended_at = $6, operations = $7, \
         asked = $8, asked_module = $9, asked_path = $10, asked_at = $11, attempt = $12, safe = $13, begun = $14, \
         deaths = 0 WHERE id = $1 AND state = 'live'",
        &args,
    )?;
    if touched == 0 {
        if let Some(Came { effect, result }) = &barrier.settled
            && !barrier.aftermath.is_confidential
        {
            keep_late(tx, barrier.run, effect.number, result, barrier.now)?;
        }
        return Ok(false);
    }
    if let Some(Came { effect, result }) = &barrier.settled {
        let reference = long::keep(tx, barrier.run, result)?;
        let held = reference.as_ref().unwrap_or(result);
        tx.execute(
            "INSERT INTO journal (run, number, module, path, attempt, asked_at, settled_at, result) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            args![
                barrier.run,
                effect.number,
                effect.module,
                &effect.path,
                effect.attempt,
                effect.at,
                barrier.now,
                held
            ],
        )?;
    }
    record_aftermath(tx, barrier.run, &barrier.flow, &barrier.aftermath, barrier.now)?;
    if let Then::Ended(outcome, _) = &barrier.then {
        tally(tx, &barrier.flow, *outcome)?;
    }
    store(tx, barrier.run, &barrier.stored)?;
    Ok(true)
}

pub(super) fn tally(tx: &mut dyn Tx, flow: &str, outcome: Outcome) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO run_tallies (flow, outcome, runs) VALUES ($1, $2, 1) \
         ON CONFLICT (flow, outcome) DO UPDATE SET runs = run_tallies.runs + 1",
        args![flow, outcome.word()],
    )?;
    Ok(())
}

/// Stores operations as they are, and forgets what they would be recomputed from.
fn store(tx: &mut dyn Tx, run: RunId, operations: &[Operation]) -> Result<(), Error> {
    if operations.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = operations.iter().map(|operation| super::runs::operation_args(run, operation)).collect();
    tx.execute_many(
        "INSERT INTO operations (run, number, module, kind, path, status, status_code, input, output, detail, \
         started_at, ended_at, filter) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (run, number) DO NOTHING",
        &rows,
    )?;
    tx.execute("DELETE FROM journal WHERE run = $1", args![run])?;
    tx.execute("UPDATE runs SET input = '[]' WHERE id = $1", args![run])?;
    long::forget(tx, run)
}

/// Remembers whether the effect in flight may have been tried; a run that is
/// given back `wakes_at` a time.
pub(crate) fn set_begun(tx: &mut dyn Tx, run: RunId, begun: bool, wakes_at: Option<Timestamp>) -> Result<(), Error> {
    let sql = "UPDATE runs SET begun = $2, wakes_at = COALESCE($3, wakes_at) WHERE id = $1 AND state = 'live'";
    tx.execute(sql, args![run, begun, wakes_at])?;
    Ok(())
}

/// Marks runs as in hand.
pub(crate) fn take_in_hand(tx: &mut dyn Tx, runs: &[RunId]) -> Result<(), Error> {
    let sets: Vec<Vec<Value>> = runs.iter().map(|run| args![run, IN_HAND].to_vec()).collect();
    tx.execute_many("UPDATE runs SET wakes_at = $2 WHERE id = $1 AND state = 'live'", &sets)?;
    Ok(())
}

/// Finds the runs that were in hand when the program ended, at most so many,
/// and makes them due. Returns how many there were.
pub(crate) fn take_back(tx: &mut dyn Tx, now: Timestamp, runs_max: u32) -> Result<u64, Error> {
    tx.execute(
        "UPDATE runs SET wakes_at = $1, deaths = deaths + 1 WHERE id IN \
         (SELECT id FROM runs WHERE state = 'live' AND wakes_at = $2 ORDER BY id LIMIT $3)",
        args![now, IN_HAND, runs_max],
    )
}

/// Marks a run before the engine looks whether it can be walked at all.
pub(crate) fn set_deaths(tx: &mut dyn Tx, run: RunId, deaths: u32) -> Result<(), Error> {
    tx.execute("UPDATE runs SET deaths = $2 WHERE id = $1 AND state = 'live'", args![run, deaths])?;
    Ok(())
}

/// Lets a held run go on, its effect in flight as if it had not been tried;
/// tells whether it was held.
pub(crate) fn release(tx: &mut dyn Tx, run: RunId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE runs SET state = 'live', reason = NULL, wakes_at = $2, begun = 0, deaths = 0 \
               WHERE id = $1 AND (state = 'in-doubt' OR state = 'parked')";
    Ok(tx.execute(sql, args![run, now])? > 0)
}

/// Ends a held run as an error; tells whether it was held.
pub(crate) fn abandon(tx: &mut dyn Tx, run: RunId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE runs SET state = 'ended', outcome = 'error', ended_at = $2 \
               WHERE id = $1 AND (state = 'in-doubt' OR state = 'parked') RETURNING flow";
    let Some(row) = tx.query_one(sql, args![run, now])? else { return Ok(false) };
    tally(tx, &row.get::<String>(0)?, Outcome::Error)?;
    wake_caller(tx, run, now)?;
    Ok(true)
}
