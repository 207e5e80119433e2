//! What a barrier of a run means beyond the run: for the bundles that failed
//! in it, for its flow, for its items, and for the run that waits for it.

use std::time::Duration;

use base::Timestamp;
use base::args;
use base::db::{Error, Tx};
use base::{Actor, Causes, audit};
use serde_json::{Value as Json, json};

use super::hooks::add_item;
use super::incomplete::{add_incomplete, close_incomplete, fail_attempt, move_incomplete, open_incompletes, tried_by};
use super::long;
use crate::engine::Place;
use crate::incomplete::{IncompleteState, NewIncomplete};
use crate::modules::Class;
use crate::run::{Outcome, RunId, STARTED_BY_FLOW, STARTED_BY_RETRY, is_trial};
use crate::store::StoreLimits;

/// How far back the items of a run are looked for on its hook.
const ITEMS_LOOKED_AT: i64 = 100_000;

/// What a barrier means beyond its run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aftermath {
    /// What started the run.
    pub(crate) started_by: String,
    /// Failed bundles that were set aside.
    pub(crate) incomplete: Vec<NewIncomplete>,
    /// Those of a flow that can be open.
    pub(crate) incomplete_max: u64,
    /// Bytes of one of them.
    pub(crate) incomplete_bytes_max: usize,
    /// Where there is no room they are dropped; else the run ends.
    pub(crate) drops_data: bool,
    /// Nothing is kept of the flow's bundles.
    pub(crate) is_confidential: bool,
    /// Runs of the flow follow one another.
    pub(crate) is_sequential: bool,
    /// So many attempts at incomplete executions that fail within a time
    /// switch the flow off.
    pub(crate) failed_attempts_max: u64,
    /// That time.
    pub(crate) failed_attempts_within: Duration,
    /// What the run did in data stores counts from here on, or never, where it
    /// does not count at once.
    pub(crate) stores: Option<Box<StoreCommit>>,
    /// The run has ended.
    pub(crate) end: Option<End>,
}

/// What a run did in data stores that counts from here on.
#[derive(Clone, Debug)]
pub(crate) struct StoreCommit {
    /// The last effect of the cycles that are committed; 0 for none.
    pub(crate) up_to: u64,
    /// How large stores may become.
    pub(crate) limits: StoreLimits,
}

impl Aftermath {
    /// Tells whether the engine should look what is to be done now.
    pub(crate) fn may_start_more(&self) -> bool {
        let has_failed = |end: &End| end.outcome == Outcome::Error;
        // What waited for it goes on: its caller, or the next in order.
        let is_awaited = self.started_by == STARTED_BY_FLOW || self.is_sequential;
        !self.incomplete.is_empty() || self.end.as_ref().is_some_and(|end| has_failed(end) || is_awaited)
    }
}

/// How a run ended, for its flow.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Option<String>,
    pub(crate) outputs: Option<String>,
    pub(crate) failure: Failure,
    /// What it began with goes back to this hook if it failed.
    pub(crate) returns_to: Option<String>,
}

/// What a failed run means for its flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure {
    /// It counts towards the failures in a row.
    pub(crate) counts: bool,
    /// After so many in a row the flow is switched off.
    pub(crate) errors_max: u32,
    /// The same may do better later: waits before that, after each time.
    pub(crate) rerun_delays: Vec<Duration>,
    /// The flow is switched off whatever was before.
    pub(crate) is_final: bool,
}

/// Tells whether the failed bundles of a barrier can be stored; if not, why.
pub(super) fn has_no_room(
    tx: &mut dyn Tx,
    run: RunId,
    flow: &str,
    aftermath: &Aftermath,
) -> Result<Option<String>, Error> {
    if aftermath.incomplete.is_empty() {
        return Ok(None);
    }
    if let Some(large) = aftermath.incomplete.iter().find(|new| new.place.len() > aftermath.incomplete_bytes_max) {
        let (size, max) = (large.place.len(), aftermath.incomplete_bytes_max);
        return Ok(Some(format!(
            "an incomplete execution of {size} bytes is too large to be stored, {max} are allowed"
        )));
    }
    // What an attempt goes on with has its room already.
    let has_one = aftermath.started_by == STARTED_BY_RETRY && tried_by(tx, run)?.is_some();
    let new = aftermath.incomplete.len() as u64 - u64::from(has_one);
    let open = open_incompletes(tx, flow)?;
    if new > 0 && open + new > aftermath.incomplete_max {
        return Ok(Some(format!("{open} incomplete executions are open, and there is no room for more")));
    }
    Ok(None)
}

/// Returns the barrier's end where its failed bundles have no room: the run
/// ends as an error, unless the flow would rather lose them.
pub(super) fn without_room(aftermath: &Aftermath, why: &str) -> (Aftermath, Option<(Outcome, Option<String>)>) {
    let kept = Aftermath { incomplete: Vec::new(), ..aftermath.clone() };
    if aftermath.drops_data {
        return (kept, None);
    }
    let reason = format!("{}: {why}", Class::OutOfSpaceError.as_str());
    let failure = Failure { counts: true, errors_max: u32::MAX, ..Failure::default() };
    let end = End {
        outcome: Outcome::Error,
        reason: Some(reason.clone()),
        outputs: None,
        failure: aftermath.end.as_ref().map_or(failure, |end| end.failure.clone()),
        returns_to: None,
    };
    (Aftermath { end: Some(end), ..kept }, Some((Outcome::Error, Some(reason))))
}

/// Tells why what a run did in data stores cannot be committed, if so.
pub(super) fn cannot_commit(tx: &mut dyn Tx, run: RunId, aftermath: &Aftermath) -> Result<Option<String>, Error> {
    match &aftermath.stores {
        Some(stores) if stores.up_to > 0 => super::stores::cannot_commit(tx, run, stores.up_to, &stores.limits),
        _ => Ok(None),
    }
}

/// Returns the barrier's end where a cycle cannot be committed: the run ends as
/// an error and its flow is switched off, as it is in the original.
pub(super) fn uncommitted(aftermath: &Aftermath, why: &str) -> (Aftermath, (Outcome, Option<String>)) {
    let reason = format!("{}: the cycle cannot be committed: {why}", Class::InconsistencyError.as_str());
    let failure = Failure { counts: true, errors_max: u32::MAX, rerun_delays: Vec::new(), is_final: true };
    let end = End { outcome: Outcome::Error, reason: Some(reason.clone()), outputs: None, failure, returns_to: None };
    let stores = aftermath.stores.as_ref().map(|stores| Box::new(StoreCommit { up_to: 0, ..(**stores).clone() }));
    (Aftermath { end: Some(end), stores, ..aftermath.clone() }, (Outcome::Error, Some(reason)))
}

/// Commits what a run did in data stores, or rolls it back when it ends.
fn record_stores(tx: &mut dyn Tx, run: RunId, aftermath: &Aftermath, now: Timestamp) -> Result<(), Error> {
    let Some(StoreCommit { up_to, limits }) = aftermath.stores.as_deref() else { return Ok(()) };
    if *up_to > 0 {
        super::stores::commit_changes(tx, run, *up_to, limits, now)?;
    }
    if aftermath.end.is_some() {
        super::stores::forget_changes(tx, run)?;
    }
    Ok(())
}

/// Records it, in the transaction of the barrier.
pub(crate) fn record_aftermath(
    tx: &mut dyn Tx,
    run: RunId,
    flow: &str,
    aftermath: &Aftermath,
    now: Timestamp,
) -> Result<(), Error> {
    record_stores(tx, run, aftermath, now)?;
    if aftermath.incomplete.is_empty() && aftermath.end.is_none() {
        return Ok(());
    }
    let started_by = aftermath.started_by.as_str();
    for new in &aftermath.incomplete {
        let Some(version) = version_of(tx, run)? else { break };
        let tried = if started_by == STARTED_BY_RETRY { tried_by(tx, run)? } else { None };
        let Some(tried) = tried else {
            add_incomplete(tx, flow, run, &version, new, now)?;
            continue;
        };
        let path = serde_json::from_str(&tried.place).ok().and_then(|place: Json| Place::from_stored(&place));
        let is_same = tried.module == new.module && path.is_some_and(|place| place.path == new.path);
        move_incomplete(tx, tried.id, run, &version, new, if is_same { tried.attempts + 1 } else { 0 }, now)?;
        if !tried.by_person {
            count_failed_attempt(tx, run, flow, &new.message, aftermath, now)?;
        }
    }
    let Some(end) = &aftermath.end else { return Ok(()) };
    if let Some(outputs) = &end.outputs {
        let sql = "INSERT INTO run_outputs (run, outputs) VALUES ($1, $2) ON CONFLICT (run) DO NOTHING";
        tx.execute(sql, args![run, outputs])?;
    }
    match started_by {
        STARTED_BY_RETRY => end_attempt(tx, run, flow, end, aftermath, now)?,
        // What people and other flows start says nothing about the flow at work.
        _ if is_trial(started_by) => {}
        STARTED_BY_FLOW => wake_caller(tx, run, now)?,
        _ => end_of_flow(tx, run, flow, end, now)?,
    }
    Ok(())
}

fn version_of(tx: &mut dyn Tx, run: RunId) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT version FROM runs WHERE id = $1", args![run])?;
    row.map(|row| row.get(0)).transpose()
}

fn end_attempt(
    tx: &mut dyn Tx,
    run: RunId,
    flow: &str,
    end: &End,
    aftermath: &Aftermath,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(tried) = tried_by(tx, run)? else { return Ok(()) };
    if end.outcome != Outcome::Error {
        close_incomplete(tx, tried.id, IncompleteState::Resolved, now)?;
        return Ok(());
    }
    let reason = end.reason.as_deref().unwrap_or_default();
    fail_attempt(tx, tried.id, reason, now)?;
    if tried.by_person { Ok(()) } else { count_failed_attempt(tx, run, flow, reason, aftermath, now) }
}

/// Counts an attempt that failed, and switches its flow off where there were
/// too many of late.
fn count_failed_attempt(
    tx: &mut dyn Tx,
    run: RunId,
    flow: &str,
    why: &str,
    aftermath: &Aftermath,
    now: Timestamp,
) -> Result<(), Error> {
    let (max, within) = (aftermath.failed_attempts_max, aftermath.failed_attempts_within);
    if max == 0 || within.is_zero() {
        return Ok(());
    }
    let sql = "INSERT INTO failed_attempts (flow, at, run) VALUES ($1, $2, $3) ON CONFLICT (flow, at, run) DO NOTHING";
    tx.execute(sql, args![flow, now, run])?;
    tx.execute("DELETE FROM failed_attempts WHERE flow = $1 AND at <= $2", args![flow, now.minus(within)])?;
    let sql = "SELECT COUNT(*), (SELECT active FROM flows WHERE key = $1) FROM failed_attempts WHERE flow = $1";
    let Some(row) = tx.query_one(sql, args![flow])? else { return Ok(()) };
    let (failed, active): (u64, Option<bool>) = (row.get(0)?, row.get(1)?);
    if failed < max || active != Some(true) {
        return Ok(());
    }
    // Whoever switches it on again begins anew.
    tx.execute("DELETE FROM failed_attempts WHERE flow = $1", args![flow])?;
    let seconds = within.as_secs();
    let text = format!(
        "{failed} attempts at incomplete executions failed within {seconds} seconds, the last one because {why}"
    );
    switch_off(tx, flow, &text, now)
}

/// Lets the run go on that waits for this one.
pub(super) fn wake_caller(tx: &mut dyn Tx, child: RunId, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE runs SET wakes_at = $2 WHERE state = 'live' AND id IN \
         (SELECT caller FROM flow_calls WHERE child = $1 AND waits = 1)",
        args![child, now],
    )?;
    Ok(())
}

/// Counts what a run that was started by itself means for its flow.
fn end_of_flow(tx: &mut dyn Tx, run: RunId, flow: &str, end: &End, now: Timestamp) -> Result<(), Error> {
    if end.outcome != Outcome::Error {
        let sql = "UPDATE flows SET failures = 0, reruns = 0 WHERE key = $1 AND (failures > 0 OR reruns > 0)";
        tx.execute(sql, args![flow])?;
        return Ok(());
    }
    let failure = &end.failure;
    let sql = "UPDATE flows SET failures = failures + $2, reruns = reruns + $3 WHERE key = $1 \
               RETURNING failures, reruns, active, next_at";
    let may_pass = !failure.rerun_delays.is_empty();
    let Some(row) = tx.query_one(sql, args![flow, failure.counts, may_pass])? else { return Ok(()) };
    let (failures, reruns, active, next_at): (u32, usize, bool, Option<Timestamp>) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let has_returned = match &end.returns_to {
        Some(hook) => return_items(tx, run, hook, now)?,
        None => false,
    };
    let reason = end.reason.as_deref().unwrap_or("it failed");
    if !active {
        return Ok(());
    }
    if failure.is_final {
        return switch_off(tx, flow, &format!("a run failed in a way that cannot be mended by itself: {reason}"), now);
    }
    if failure.counts && failures >= failure.errors_max {
        let runs = if failures == 1 { "a run failed".into() } else { format!("{failures} runs in a row failed") };
        return switch_off(tx, flow, &format!("{runs}, the last one because {reason}"), now);
    }
    if !may_pass || (next_at.is_none() && !has_returned) {
        return Ok(());
    }
    let Some(delay) = failure.rerun_delays.get(reruns.saturating_sub(1)) else {
        return switch_off(
            tx,
            flow,
            &format!("it failed {reruns} times in a row, the last time because {reason}"),
            now,
        );
    };
    let at = now.plus(*delay);
    let sql = if next_at.is_some() {
        "UPDATE flows SET next_at = $2 WHERE key = $1"
    } else {
        "UPDATE flows SET held_until = $2 WHERE key = $1"
    };
    tx.execute(sql, args![flow, at])?;
    Ok(())
}

/// Puts what a run began with back on its hook, in its old order; tells
/// whether there was anything. What failed bundles were stored goes on from
/// there and would be done twice.
fn return_items(tx: &mut dyn Tx, run: RunId, hook: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT input, causes FROM runs WHERE id = $1 \
               AND NOT EXISTS (SELECT 1 FROM incomplete WHERE incomplete.run = $1)";
    let Some(row) = tx.query_one(sql, args![run])? else { return Ok(false) };
    let payloads: Vec<Json> = serde_json::from_str(&long::fetch(tx, row.get(0)?)?).unwrap_or_default();
    let causes: Vec<String> =
        row.get::<Option<String>>(1)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let sql = "SELECT number FROM hook_items WHERE hook = $1 AND run = $2 \
               AND number > (SELECT arrived FROM hooks WHERE hook = $1) - $3 ORDER BY number";
    let mut numbers = tx.query(sql, args![hook, run, ITEMS_LOOKED_AT])?.into_iter();
    for (place, payload) in payloads.iter().enumerate() {
        let causes = causes.get(place).filter(|text| !text.is_empty()).cloned();
        match numbers.next() {
            Some(item) => {
                let payload = payload.to_string();
                tx.execute(
                    "UPDATE hook_items SET run = NULL, payload = $3, causes = $4 WHERE hook = $1 AND number = $2",
                    args![hook, item.get::<u64>(0)?, &payload, causes],
                )?;
                let sql = "UPDATE hooks SET waiting = waiting + 1, waiting_bytes = waiting_bytes + $2 WHERE hook = $1";
                tx.execute(sql, args![hook, payload.len()])?;
            }
            // It never lay there: its run started when it came.
            None => {
                let causes = causes.and_then(|text| Causes::parse(&text).ok()).unwrap_or_default();
                add_item(tx, hook, &format!("{run}/{place}"), &payload.to_string(), &causes, now)?;
            }
        }
    }
    Ok(!payloads.is_empty())
}

/// Switches a flow off, and sees to it that people are told.
fn switch_off(tx: &mut dyn Tx, flow: &str, why: &str, now: Timestamp) -> Result<(), Error> {
    let text = format!(
        "The flow \"{flow}\" was switched off: {why}. What comes for it waits on its hook. See to the cause, then \
         switch it on again with POST /api/v1/flows/{flow}/activate."
    );
    tx.execute(
        "UPDATE flows SET active = 0, next_at = NULL, held_until = NULL, switched_off = $2 WHERE key = $1",
        args![flow, &text],
    )?;
    let sql = "INSERT INTO flow_notices (flow, at, text) VALUES ($1, $2, $3) ON CONFLICT (flow, at) DO NOTHING";
    tx.execute(sql, args![flow, now, &text])?;
    let actor = Actor::system("flows");
    let (before, after) = (json!({"active": true}), json!({"active": false, "switchedOff": text}));
    audit::record(tx, &actor, "deactivate", "flow", flow, Some(&before), Some(&after), now)?;
    Ok(())
}

/// Lists what people are to be told of flows that were switched off.
pub(crate) fn untold_notices(tx: &mut dyn Tx) -> Result<Vec<(String, Timestamp, String)>, Error> {
    let rows = tx.query("SELECT flow, at, text FROM flow_notices ORDER BY at, flow", args![])?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// Forgets a notice, because people were told.
pub(crate) fn forget_notice(tx: &mut dyn Tx, flow: &str, at: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM flow_notices WHERE flow = $1 AND at = $2", args![flow, at])?;
    Ok(())
}

/// Lets flows start runs again whose time to wait is over.
pub(crate) fn release_held_flows(tx: &mut dyn Tx, now: Timestamp) -> Result<bool, Error> {
    Ok(tx.execute("UPDATE flows SET held_until = NULL WHERE held_until <= $1", args![now])? > 0)
}

/// Returns when the first flow may start runs again.
pub(crate) fn next_release(tx: &mut dyn Tx) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT MIN(held_until) FROM flows WHERE held_until IS NOT NULL";
    tx.query_one(sql, args![])?.map_or(Ok(None), |row| row.get(0))
}
