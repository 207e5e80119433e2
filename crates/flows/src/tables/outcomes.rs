//! Which runs began with which signal, and who listens to which trigger.

use base::causes::Link;
use base::db::{Error, Row, Tx};
use base::{Causes, Timestamp, args};

use super::NewRun;
use crate::feedback::HOOK;
use crate::outcomes::{ActedOn, Listening};
use crate::run::{Outcome, RunId, STARTED_BY_FLOW};

/// Runs that are kept for each trigger.
const KEPT: u64 = if cfg!(test) { 50 } else { 100_000 };

/// How many there are more before some are forgotten.
const FORGOTTEN_AT_ONCE: u64 = if cfg!(test) { 10 } else { 1_000 };

/// Takes note of the signals that a new run begins with: the last links of what
/// led to its start bundles. What another flow calls acts for that one.
pub(super) fn add(tx: &mut dyn Tx, run: &NewRun, causes: &[Causes]) -> Result<(), Error> {
    if run.started_by == STARTED_BY_FLOW {
        return Ok(());
    }
    let mut known: Vec<&Link> = Vec::new();
    for link in causes.iter().filter_map(|causes| causes.links().last()) {
        if link.names()[0] == HOOK || known.contains(&link) {
            continue;
        }
        known.push(link);
        let [model, trigger, record] = link.names();
        let row = tx.query_one(
            "INSERT INTO signal_run_counts (model, trigger_id, runs) VALUES ($1, $2, 1) \
             ON CONFLICT (model, trigger_id) DO UPDATE SET runs = signal_run_counts.runs + 1 RETURNING runs",
            args![model, trigger],
        )?;
        let number: u64 = row.ok_or(Error::Shape { column: 0 })?.get(0)?;
        tx.execute(
            "INSERT INTO signal_runs (model, trigger_id, number, record, flow, run, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![model, trigger, number, record, &run.flow, run.id, run.now],
        )?;
        if number > KEPT && number.is_multiple_of(FORGOTTEN_AT_ONCE) {
            forget(tx, model, trigger, number - KEPT)?;
        }
    }
    Ok(())
}

fn forget(tx: &mut dyn Tx, model: &str, trigger: &str, through: u64) -> Result<(), Error> {
    let own = args![model, trigger, through];
    tx.execute(
        "UPDATE signal_run_counts SET forgotten = (SELECT MAX(started_at) FROM signal_runs \
         WHERE signal_runs.model = $1 AND signal_runs.trigger_id = $2 AND number <= $3) \
         WHERE model = $1 AND trigger_id = $2",
        own,
    )?;
    tx.execute("DELETE FROM signal_runs WHERE model = $1 AND trigger_id = $2 AND number <= $3", own)?;
    Ok(())
}

/// Keeps how a run has ended that is about to be forgotten.
pub(super) fn keep_outcome(tx: &mut dyn Tx, run: RunId, outcome: Option<Outcome>) -> Result<(), Error> {
    let word = outcome.unwrap_or(Outcome::Error).word();
    tx.execute("UPDATE signal_runs SET outcome = $2 WHERE run = $1", args![run, word])?;
    Ok(())
}

/// Reads the runs that began with signals of a trigger and started at a time or
/// later; the second part is when the last one that was forgotten had started.
pub(crate) fn acted_on(
    tx: &mut dyn Tx,
    (model, trigger): (&str, &str),
    since: Timestamp,
) -> Result<(Vec<ActedOn>, Option<Timestamp>), Error> {
    let rows = tx.query(
        "SELECT s.record, s.flow, s.run, s.started_at, COALESCE(runs.outcome, s.outcome) FROM signal_runs s \
         LEFT JOIN runs ON runs.id = s.run \
         WHERE s.model = $1 AND s.trigger_id = $2 AND s.started_at >= $3 ORDER BY s.started_at, s.number",
        args![model, trigger, since],
    )?;
    let run = |row: &Row| {
        let outcome: Option<String> = row.get(4)?;
        let outcome = outcome.map(|word| Outcome::named(&word).ok_or(Error::Shape { column: 4 })).transpose()?;
        Ok(ActedOn { record: row.get(0)?, flow: row.get(1)?, run: row.get(2)?, started_at: row.get(3)?, outcome })
    };
    let runs = rows.iter().map(run).collect::<Result<Vec<_>, Error>>()?;
    let sql = "SELECT forgotten FROM signal_run_counts WHERE model = $1 AND trigger_id = $2";
    let forgotten = tx.query_one(sql, args![model, trigger])?.map_or(Ok(None), |row| row.get(0))?;
    Ok((runs, forgotten))
}

/// Takes note that a flow listens to a trigger, if that is not known. One that
/// has had signals before this was written down has listened since the first.
pub(crate) fn note_listening(
    tx: &mut dyn Tx,
    flow: &str,
    (model, trigger): (&str, &str),
    now: Timestamp,
) -> Result<(), Error> {
    let sql = "SELECT 1 FROM flow_listening WHERE flow = $1 AND model = $2 AND trigger_id = $3";
    if tx.query_one(sql, args![flow, model, trigger])?.is_some() {
        return Ok(());
    }
    let sql = "SELECT MIN(started_at) FROM runs WHERE flow = $1 AND started_by = 'signal'";
    let first: Option<Timestamp> = tx.query_one(sql, args![flow])?.map_or(Ok(None), |row| row.get(0))?;
    tx.execute(
        "INSERT INTO flow_listening (flow, model, trigger_id, since) VALUES ($1, $2, $3, $4)",
        args![flow, model, trigger, first.unwrap_or(now)],
    )?;
    Ok(())
}

/// Lists the flows that have listened to a trigger, the first one first.
pub(crate) fn listening_to(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<Vec<Listening>, Error> {
    let sql = "SELECT flow, model, trigger_id, since FROM flow_listening WHERE model = $1 AND trigger_id = $2 \
               ORDER BY since, flow";
    tx.query(sql, args![model, trigger])?.iter().map(listening).collect()
}

/// Lists the triggers to which a flow has listened, the first one first.
pub(crate) fn listening_of(tx: &mut dyn Tx, flow: &str) -> Result<Vec<Listening>, Error> {
    let sql = "SELECT flow, model, trigger_id, since FROM flow_listening WHERE flow = $1 \
               ORDER BY since, model, trigger_id";
    tx.query(sql, args![flow])?.iter().map(listening).collect()
}

fn listening(row: &Row) -> Result<Listening, Error> {
    Ok(Listening { flow: row.get(0)?, knowledge_model: row.get(1)?, trigger: row.get(2)?, since: row.get(3)? })
}
