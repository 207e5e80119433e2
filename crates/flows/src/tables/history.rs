//! Looking for runs, ending them before their time, and forgetting them.

use std::collections::HashSet;

use base::Timestamp;
use base::args;
use base::db::{Error, Tx, Value};

use super::aftermath::wake_caller;
use super::journal::{IN_HAND, tally};
use super::runs::{RUN_COLUMNS, run_row};
use super::{long, outcomes};
use crate::history::{Alike, RunFilter, Standing};
use crate::run::{Outcome, RunId, RunInfo, RunState, goes_on};

/// Runs that are read at once while a text is searched for.
const SEARCHED_AT_ONCE: u32 = 200;

/// Reads runs that fit all but the text of a filter, the newest before `before` first.
pub(crate) fn find(
    tx: &mut dyn Tx,
    filter: &RunFilter,
    before: Option<RunId>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<RunInfo>, Error> {
    let ways = ways(&filter.standings, now);
    // Each way is asked for alone, because each has an index of its own and
    // databases use one at a time when they are asked for an order.
    let asked: Vec<&[String]> = if ways.is_empty() { vec![&[]] } else { ways.chunks(1).collect() };
    let mut runs = Vec::new();
    for ways in asked {
        let (conditions, args) = conditions(filter, ways, before, limit);
        for row in tx.query(&format!("SELECT {RUN_COLUMNS} FROM runs{conditions}"), &args)? {
            runs.push(run_row(&row)?);
        }
    }
    runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.id));
    runs.truncate(limit as usize);
    Ok(runs)
}

/// Counts the runs that started in the window of a filter, those together that
/// are alike.
pub(crate) fn alike(tx: &mut dyn Tx, filter: &RunFilter, now: Timestamp) -> Result<Vec<Alike>, Error> {
    let window = RunFilter { from: filter.from, to: filter.to, ..RunFilter::default() };
    let (conditions, args) = wheres(&window, &[], None);
    let mut standing = String::from("CASE");
    for each in Standing::ALL.into_iter().filter(|each| *each != Standing::Error) {
        for way in ways(&[each], now) {
            standing.push_str(&format!(" WHEN {way} THEN '{}'", each.word()));
        }
    }
    // A run that ended without a word for it failed.
    standing.push_str(&format!(" ELSE '{}' END", Standing::Error.word()));
    let sql = format!("SELECT flow, started_by, {standing}, COUNT(*) FROM runs{conditions} GROUP BY 1, 2, 3");
    let rows = tx.query(&sql, &args)?;
    let alike = rows.iter().map(|row| {
        let standing = Standing::named(&row.get::<String>(2)?).expect("the words are those of the question");
        Ok(Alike { flow: row.get(0)?, started_by: row.get(1)?, standing, count: row.get(3)? })
    });
    alike.collect()
}

/// Searches among the runs before `before` for those in which the filter's text
/// stands. Looks at no more than `looked_at_max`; the second part is where it
/// stopped, if there may be more.
pub(crate) fn search(
    tx: &mut dyn Tx,
    filter: &RunFilter,
    before: Option<RunId>,
    now: Timestamp,
    limit: u32,
    looked_at_max: u32,
) -> Result<(Vec<RunInfo>, Option<RunId>), Error> {
    let needle = Needle::new(filter.text.as_deref().unwrap_or_default());
    let confidential = confidential_versions(tx)?;
    let ways = ways(&filter.standings, now);
    let (mut found, mut last, mut looked_at) = (Vec::new(), before, 0);
    loop {
        let (conditions, args) = conditions(filter, &ways, last, SEARCHED_AT_ONCE);
        let rows = tx.query(&format!("SELECT {RUN_COLUMNS}, input FROM runs{conditions}"), &args)?;
        let is_whole = rows.len() < SEARCHED_AT_ONCE as usize;
        for row in rows {
            let run = run_row(&row)?;
            last = Some(run.id);
            looked_at += 1;
            let mut stands = needle.is_in(&run.id.to_string()) || needle.is_in(run.reason.as_deref().unwrap_or(""));
            // What a retry began with is the state of another run, which no history shows.
            if !stands && !confidential.contains(&run.version) {
                stands = !goes_on(&run.started_by) && needle.is_in(&long::fetch(tx, row.get(11)?)?)
                    || is_in_results(tx, &needle, run.id)?;
            }
            if stands {
                found.push(run);
            }
            if found.len() >= limit as usize || looked_at >= looked_at_max {
                return Ok((found, last));
            }
        }
        if is_whole {
            return Ok((found, None));
        }
    }
}

fn is_in_results(tx: &mut dyn Tx, needle: &Needle, run: RunId) -> Result<bool, Error> {
    for row in tx.query("SELECT result FROM journal WHERE run = $1", args![run])? {
        if needle.is_in(&long::fetch(tx, row.get(0)?)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Versions of flows whose bundles are nobody's business. The texts are the
/// users' own, in JSON or YAML, so they are read roughly: too many only means
/// that less is searched.
fn confidential_versions(tx: &mut dyn Tx) -> Result<HashSet<String>, Error> {
    let sql = "SELECT hash FROM flow_texts \
               WHERE LOWER(REPLACE(REPLACE(text, ' ', ''), '\"', '')) LIKE '%confidential:true%'";
    tx.query(sql, args![])?.iter().map(|row| row.get(0)).collect()
}

/// A text that is searched for, as it is and as JSON writes it.
struct Needle {
    plain: String,
    escaped: String,
}

impl Needle {
    fn new(text: &str) -> Self {
        let plain = text.to_lowercase();
        let quoted = serde_json::to_string(&plain).expect("a text is JSON");
        Needle { escaped: quoted[1..quoted.len() - 1].to_owned(), plain }
    }

    fn is_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        text.contains(&self.plain) || text.contains(&self.escaped)
    }
}

/// What runs must be that stand in one of these ways: no two of the conditions
/// hold for the same run. Empty for all runs.
fn ways(standings: &[Standing], now: Timestamp) -> Vec<String> {
    let (now, in_hand) = (now.as_micros(), IN_HAND.as_micros());
    let mut ways = Vec::new();
    for standing in Standing::ALL.into_iter().filter(|standing| standings.contains(standing)) {
        match standing {
            // It is in hand, or waits for its turn.
            Standing::Running => ways.extend([
                format!("state = 'live' AND wakes_at <= {now}"),
                format!("state = 'live' AND wakes_at = {in_hand}"),
            ]),
            Standing::Sleeping => ways.push(format!("state = 'live' AND wakes_at > {now} AND wakes_at < {in_hand}")),
            Standing::Held => ways.push("(state = 'in-doubt' OR state = 'parked')".to_owned()),
            ended => ways.push(format!("state = 'ended' AND outcome = '{}'", ended.word())),
        }
    }
    ways
}

fn conditions(filter: &RunFilter, ways: &[String], before: Option<RunId>, limit: u32) -> (String, Vec<Value>) {
    let (mut sql, mut args) = wheres(filter, ways, before);
    args.push(limit.into());
    sql.push_str(&format!(" ORDER BY id DESC LIMIT ${}", args.len()));
    (sql, args)
}

fn wheres(filter: &RunFilter, ways: &[String], before: Option<RunId>) -> (String, Vec<Value>) {
    let mut conditions: Vec<String> = Vec::new();
    let mut args: Vec<Value> = Vec::new();
    let mut with = |condition: &str, value: Value| {
        args.push(value);
        conditions.push(condition.replace('?', &format!("${}", args.len())));
    };
    if let Some(flow) = &filter.flow {
        with("flow = ?", flow.into());
    }
    if let Some(by) = &filter.started_by {
        with("started_by = ?", by.into());
    }
    // An id begins with the time at which it was made, and is what there is an
    // index for.
    if let Some(from) = filter.from {
        with("id >= ?", first_id(from).into());
        with("started_at >= ?", from.into());
    }
    if let Some(to) = filter.to {
        with("started_at < ?", to.into());
    }
    if let Some(before) = before {
        with("id < ?", before.into());
    }
    match ways {
        [] => {}
        [way] => conditions.push(way.clone()),
        ways => conditions.push(format!("(({}))", ways.join(") OR ("))),
    }
    let mut sql = String::new();
    for (place, condition) in conditions.iter().enumerate() {
        sql.push_str(if place == 0 { " WHERE " } else { " AND " });
        sql.push_str(condition);
    }
    (sql, args)
}

/// Returns the least id of a run that can have been made at a time.
fn first_id(at: Timestamp) -> RunId {
    let mut bytes = [0; 16];
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).min((1 << 48) - 1);
    bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    RunId::from_bytes(bytes)
}

/// Ends a run before its time; tells whether it had not ended yet.
pub(crate) fn cancel(tx: &mut dyn Tx, run: RunId, reason: &str, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE runs SET state = 'ended', outcome = 'cancelled', reason = $2, wakes_at = $3, ended_at = $3 \
               WHERE id = $1 AND state <> 'ended' RETURNING flow";
    let Some(row) = tx.query_one(sql, args![run, reason, now])? else { return Ok(false) };
    tally(tx, &row.get::<String>(0)?, Outcome::Cancelled)?;
    wake_caller(tx, run, now)?;
    Ok(true)
}

/// Keeps what came of the effect that was in flight when its run was cancelled.
pub(super) fn keep_late(tx: &mut dyn Tx, run: RunId, effect: u64, result: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "SELECT 1 FROM runs WHERE id = $1 AND outcome = 'cancelled' AND asked = $2";
    if tx.query_one(sql, args![run, effect])?.is_none() {
        return Ok(());
    }
    let reference = long::keep(tx, run, result)?;
    tx.execute(
        "INSERT INTO late_results (run, settled_at, result) VALUES ($1, $2, $3) ON CONFLICT (run) DO NOTHING",
        args![run, now, reference.as_deref().unwrap_or(result)],
    )?;
    Ok(())
}

/// Returns what [`keep_late`] kept, and when that came.
pub(crate) fn late(tx: &mut dyn Tx, run: RunId) -> Result<Option<(Timestamp, String)>, Error> {
    let row = tx.query_one("SELECT settled_at, result FROM late_results WHERE run = $1", args![run])?;
    row.map(|row| Ok((row.get(0)?, long::fetch(tx, row.get(1)?)?))).transpose()
}

/// Reads which of the next `looked_at_max` runs after `after` ended before a
/// time; the second part is where to go on, if there may be more.
pub(crate) fn ended_before(
    tx: &mut dyn Tx,
    before: Timestamp,
    after: Option<RunId>,
    looked_at_max: u32,
) -> Result<(Vec<RunInfo>, Option<RunId>), Error> {
    let after = after.unwrap_or_else(|| first_id(Timestamp::EPOCH));
    let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3");
    // A run ends after it began, so later ids need no look.
    let rows = tx.query(&sql, args![after, first_id(before), looked_at_max])?;
    let mut runs = rows.iter().map(run_row).collect::<Result<Vec<_>, _>>()?;
    let next = runs.last().filter(|_| runs.len() as u64 == u64::from(looked_at_max)).map(|run| run.id);
    runs.retain(|run| run.state == RunState::Ended && run.ended_at.is_some_and(|at| at < before));
    Ok((runs, next))
}

/// Forgets a run with all that was kept for it.
pub(crate) fn forget(tx: &mut dyn Tx, run: &RunInfo) -> Result<(), Error> {
    outcomes::keep_outcome(tx, run.id, run.outcome)?;
    for sql in [
        "DELETE FROM operations WHERE run = $1",
        "DELETE FROM journal WHERE run = $1",
        "DELETE FROM run_outputs WHERE run = $1",
        "DELETE FROM flow_counts WHERE run = $1",
        "DELETE FROM store_changes WHERE run = $1",
        "DELETE FROM store_results WHERE run = $1",
        "DELETE FROM late_results WHERE run = $1",
        "DELETE FROM flow_calls WHERE child = $1",
        "DELETE FROM incomplete WHERE run = $1 AND state <> 'open'",
        "DELETE FROM runs WHERE id = $1",
    ] {
        tx.execute(sql, args![run.id])?;
    }
    long::forget(tx, run.id)?;
    super::forget_tasks(tx, run.id)?;
    super::forget_conversations(tx, run.id)?;
    // The text of a module alone was made for its run.
    if run.started_by == "module" {
        tx.execute(
            "DELETE FROM flow_texts WHERE hash = $1 \
             AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.version = flow_texts.hash) \
             AND NOT EXISTS (SELECT 1 FROM flow_versions WHERE flow_versions.hash = flow_texts.hash) \
             AND NOT EXISTS (SELECT 1 FROM flows WHERE flows.draft = flow_texts.hash OR flows.published = flow_texts.hash)",
            args![&run.version],
        )?;
    }
    Ok(())
}
