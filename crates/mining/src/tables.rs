//! The SQL of this crate: plain functions over a transaction.

mod episodes;

use std::collections::HashMap;
use std::sync::Arc;

use base::args;
use base::db::{Error, Row, Tx};
use base::{Timestamp, db::Value};
use pools::DataModelId;

use crate::clock::ProcessClock;
use crate::knowledge_model::Source;
use crate::matched_set::{Enter, Standing, Stored, read_back, written};
use crate::ports::Signal;
use crate::trigger::Noted;
use crate::views::{Matched, ModelSummary};

#[cfg(test)]
pub(crate) use episodes::KEPT as EPISODES_KEPT;
pub(crate) use episodes::{Moment, counts as episode_counts, episodes, move_episodes, untime};

/// How far a model has fired, as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Counts owners; whoever has an older one must not write.
    pub(crate) epoch: u64,
    /// Counts closures of this epoch.
    pub(crate) step: u64,
    /// Every commit up to here has fired.
    pub(crate) through: u64,
    /// At this instant of the process clock.
    pub(crate) at: Timestamp,
}

const MODEL: &str = "SELECT m.id, m.package, m.model_key, m.display_name, m.version, m.changed_at, v.published_at
    FROM mining_models m LEFT JOIN mining_versions v ON v.model = m.id AND v.version = m.version";

fn summary(row: &Row) -> Result<ModelSummary, Error> {
    let version: u64 = row.get(4)?;
    Ok(ModelSummary {
        id: row.get(0)?,
        package: row.get(1)?,
        key: row.get(2)?,
        display_name: row.get(3)?,
        published: (version > 0).then_some(version),
        changed_at: row.get(5)?,
        published_at: row.get(6)?,
    })
}

pub(crate) fn models(tx: &mut dyn Tx) -> Result<Vec<ModelSummary>, Error> {
    tx.query(&format!("{MODEL} ORDER BY m.id"), args![])?.iter().map(summary).collect()
}

pub(crate) fn model(tx: &mut dyn Tx, id: &str) -> Result<Option<ModelSummary>, Error> {
    tx.query_one(&format!("{MODEL} WHERE m.id = $1"), args![id])?.as_ref().map(summary).transpose()
}

pub(crate) fn draft(tx: &mut dyn Tx, id: &str) -> Result<Option<String>, Error> {
    let row = tx.query_one("SELECT draft FROM mining_models WHERE id = $1", args![id])?;
    row.map(|row| row.get(0)).transpose()
}

pub(crate) fn put_draft(tx: &mut dyn Tx, model: &ModelSummary, text: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO mining_models (id, package, model_key, display_name, draft, changed_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, 0)
         ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, draft = excluded.draft,
            changed_at = excluded.changed_at",
        args![&model.id, &model.package, &model.key, &model.display_name, text, model.changed_at],
    )?;
    Ok(())
}

/// Returns text and data model of the published version.
pub(crate) fn published(tx: &mut dyn Tx, id: &str) -> Result<Option<(Source, DataModelId)>, Error> {
    let row = tx.query_one(
        "SELECT v.text, v.bases, v.data_model FROM mining_versions v
         JOIN mining_models m ON m.id = v.model AND m.version = v.version WHERE m.id = $1",
        args![id],
    )?;
    row.map(|row| Ok((source(&row, 0)?, row.get(2)?))).transpose()
}

/// Lists the published models of a data model: id and text.
pub(crate) fn published_on(tx: &mut dyn Tx, data_model: DataModelId) -> Result<Vec<(String, Source)>, Error> {
    let rows = tx.query(
        "SELECT m.id, v.text, v.bases FROM mining_versions v
         JOIN mining_models m ON m.id = v.model AND m.version = v.version
         WHERE v.data_model = $1 ORDER BY m.id",
        args![data_model],
    )?;
    rows.iter().map(|row| Ok((row.get(0)?, source(row, 1)?))).collect()
}

/// Reads a published text, and behind it those that it extends.
pub(crate) fn source(row: &Row, place: usize) -> Result<Source, Error> {
    let bases: String = row.get(place + 1)?;
    let bases = serde_json::from_str(&bases)
        .map_err(|error| Error::Failed { detail: format!("the bases of a knowledge model cannot be read: {error}") })?;
    Ok(Source { text: row.get(place)?, bases })
}

pub(crate) fn published_data_models(tx: &mut dyn Tx) -> Result<Vec<DataModelId>, Error> {
    let rows = tx.query(
        "SELECT DISTINCT v.data_model FROM mining_versions v
         JOIN mining_models m ON m.id = v.model AND m.version = v.version ORDER BY v.data_model",
        args![],
    )?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// Makes a text the next version and returns its number.
pub(crate) fn publish(
    tx: &mut dyn Tx,
    id: &str,
    source: &Source,
    data_model: DataModelId,
    by: &str,
    now: Timestamp,
) -> Result<u64, Error> {
    let row =
        tx.query_one("UPDATE mining_models SET version = version + 1 WHERE id = $1 RETURNING version", args![id])?;
    let version: u64 = row.ok_or(Error::Failed { detail: "a knowledge model is gone".into() })?.get(0)?;
    tx.execute(
        "INSERT INTO mining_versions (model, version, text, bases, data_model, published_at, published_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![id, version, &source.text, serde_json::json!(source.bases).to_string(), data_model, now, by],
    )?;
    Ok(version)
}

/// Becomes the owner of a model's progress; whoever was it before can no
/// longer write. A model without progress starts at the one given.
pub(crate) fn take_over(tx: &mut dyn Tx, model: &str, through: u64, at: Timestamp) -> Result<Progress, Error> {
    let row = tx.query_one(
        "INSERT INTO mining_progress (model, epoch, step, fired_through, evaluated_at, busy)
         VALUES ($1, 1, 0, $2, $3, 0)
         ON CONFLICT (model) DO UPDATE SET epoch = mining_progress.epoch + 1, step = 0
         RETURNING epoch, step, fired_through, evaluated_at",
        args![model, through, at],
    )?;
    let row = row.ok_or(Error::Failed { detail: "a progress row did not come back".into() })?;
    Ok(Progress { epoch: row.get(0)?, step: row.get(1)?, through: row.get(2)?, at: row.get(3)? })
}

/// Returns how far a model has fired; nothing if it was never followed.
pub(crate) fn progress(tx: &mut dyn Tx, model: &str) -> Result<Option<Progress>, Error> {
    let row = tx.query_one(
        "SELECT epoch, step, fired_through, evaluated_at FROM mining_progress WHERE model = $1",
        args![model],
    )?;
    let read = |row: Row| Ok(Progress { epoch: row.get(0)?, step: row.get(1)?, through: row.get(2)?, at: row.get(3)? });
    row.map(read).transpose()
}

/// Returns the commit up to which the models on a data model have fired;
/// nothing if none has.
pub(crate) fn fired_through(tx: &mut dyn Tx, data_model: DataModelId) -> Result<Option<u64>, Error> {
    let mut through = None;
    for (model, _) in published_on(tx, data_model)? {
        let row = tx.query_one("SELECT fired_through FROM mining_progress WHERE model = $1", args![&model])?;
        let own: Option<u64> = row.map(|row| row.get(0)).transpose()?;
        through = through.max(own);
    }
    Ok(through)
}

/// Moves the progress on by one closure; false if somebody else owns it.
pub(crate) fn move_on(
    tx: &mut dyn Tx,
    model: &str,
    before: &Progress,
    through: u64,
    at: Timestamp,
    busy: bool,
) -> Result<bool, Error> {
    let touched = tx.execute(
        "UPDATE mining_progress SET step = step + 1, fired_through = $4, evaluated_at = $5, busy = $6
         WHERE model = $1 AND epoch = $2 AND step = $3",
        args![model, before.epoch, before.step, through, at, busy],
    )?;
    Ok(touched == 1)
}

/// Takes note of the triggers of a new version. A trigger that is new or means
/// something else starts silently, unless it asks to fire; one that is gone
/// matches nothing any more, and would be new if it came back. The instants are
/// of the process clock and of the wall clock.
pub(crate) fn put_triggers(
    tx: &mut dyn Tx,
    model: &str,
    triggers: &[Noted],
    (at, recorded): (Timestamp, Timestamp),
) -> Result<(), Error> {
    let mut before = logics(tx, model)?;
    for noted in triggers {
        let Noted { id: trigger, logic, .. } = noted;
        let Some(silent) = starts_silently(noted, before.remove(trigger).as_deref()) else { continue };
        tx.execute(
            "INSERT INTO mining_triggers (model, trigger_id, logic, silent, fired) VALUES ($1, $2, $3, $4, 0)
             ON CONFLICT (model, trigger_id) DO UPDATE SET logic = excluded.logic, silent = excluded.silent",
            args![model, trigger, logic, silent],
        )?;
    }
    for gone in before.keys() {
        tx.execute("UPDATE mining_triggers SET logic = '' WHERE model = $1 AND trigger_id = $2", args![model, gone])?;
        tx.execute(
            "UPDATE mining_matched SET matched = 0 WHERE model = $1 AND trigger_id = $2 AND matched <> 0",
            args![model, gone],
        )?;
        episodes::end_all(tx, (model, gone), at, recorded)?;
    }
    Ok(())
}

/// Returns the logic of each trigger that was published at least once; nothing
/// of one that is gone.
pub(crate) fn logics(tx: &mut dyn Tx, model: &str) -> Result<HashMap<String, String>, Error> {
    let known = tx.query("SELECT trigger_id, logic FROM mining_triggers WHERE model = $1", args![model])?;
    known.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Tells whether a trigger that is published starts silently; nothing if it goes
/// on as before.
pub(crate) fn starts_silently(noted: &Noted, before: Option<&str>) -> Option<bool> {
    match before {
        Some(same) if same == noted.logic => None,
        Some(before) if !before.is_empty() => Some(!noted.fire_changed),
        _ => Some(!noted.fire_existing),
    }
}

/// Returns whether a trigger is silent, and how many signals it fired.
pub(crate) fn trigger(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<(bool, u64), Error> {
    let row = tx.query_one(
        "SELECT silent, fired FROM mining_triggers WHERE model = $1 AND trigger_id = $2",
        args![model, trigger],
    )?;
    row.map_or(Ok((true, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(crate) fn keep_silence(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<(), Error> {
    tx.execute("UPDATE mining_triggers SET silent = 1 WHERE model = $1 AND trigger_id = $2", args![model, trigger])?;
    Ok(())
}

pub(crate) fn end_silence(tx: &mut dyn Tx, model: &str) -> Result<(), Error> {
    tx.execute("UPDATE mining_triggers SET silent = 0 WHERE model = $1 AND silent = 1", args![model])?;
    Ok(())
}

pub(crate) fn count_fired(tx: &mut dyn Tx, model: &str, trigger: &str, count: u64) -> Result<(), Error> {
    tx.execute(
        "UPDATE mining_triggers SET fired = fired + $3 WHERE model = $1 AND trigger_id = $2",
        args![model, trigger, count],
    )?;
    Ok(())
}

/// Signals of a trigger in shadow mode that are kept for people to look at.
const SHADOWS_KEPT: u64 = 1_000;

/// Records signals that are not sent.
pub(crate) fn shadow(tx: &mut dyn Tx, model: &str, trigger: &str, signals: &[Signal]) -> Result<(), Error> {
    let row = tx.query_one(
        "UPDATE mining_triggers SET shadowed = shadowed + $3 WHERE model = $1 AND trigger_id = $2
         RETURNING shadowed",
        args![model, trigger, signals.len() as u64],
    )?;
    let last: u64 = row.map_or(Ok(0), |row| row.get(0))?;
    let first = last - (signals.len() as u64).min(last);
    put_signals(tx, "mining_shadow", model, trigger, first, signals)?;
    tx.execute(
        "DELETE FROM mining_shadow WHERE model = $1 AND trigger_id = $2 AND place < $3",
        args![model, trigger, last.saturating_sub(SHADOWS_KEPT)],
    )?;
    Ok(())
}

/// Holds signals back, from a place on.
pub(crate) fn hold(tx: &mut dyn Tx, model: &str, trigger: &str, first: u64, signals: &[Signal]) -> Result<(), Error> {
    put_signals(tx, "mining_held", model, trigger, first, signals)
}

fn put_signals(
    tx: &mut dyn Tx,
    table: &str,
    model: &str,
    trigger: &str,
    first: u64,
    signals: &[Signal],
) -> Result<(), Error> {
    let set = |(place, signal): (usize, &Signal)| args![model, trigger, first + place as u64, written(signal)].to_vec();
    let sets: Vec<Vec<Value>> = signals.iter().enumerate().map(set).collect();
    let insert = format!("INSERT INTO {table} (model, trigger_id, place, signal) VALUES ($1, $2, $3, $4)");
    tx.execute_many(&insert, &sets)?;
    Ok(())
}

/// Lists signals that are held back, each with its place, the first ones.
pub(crate) fn held_signals(
    tx: &mut dyn Tx,
    model: &str,
    trigger: &str,
    limit: u64,
) -> Result<Vec<(u64, Signal)>, Error> {
    let rows = tx.query(
        "SELECT signal, place FROM mining_held WHERE model = $1 AND trigger_id = $2 ORDER BY place LIMIT $3",
        args![model, trigger, limit],
    )?;
    let places = rows.iter().map(|row| row.get(1)).collect::<Result<Vec<u64>, _>>()?;
    Ok(places.into_iter().zip(signals(&rows)?).collect())
}

/// Takes the first signals that are held back, in order.
pub(crate) fn unhold(tx: &mut dyn Tx, model: &str, trigger: &str, from: u64, until: u64) -> Result<Vec<Signal>, Error> {
    let own = args![model, trigger, from, until];
    let rows = tx.query(
        "SELECT signal FROM mining_held WHERE model = $1 AND trigger_id = $2 AND place >= $3 AND place < $4
         ORDER BY place",
        own,
    )?;
    tx.execute("DELETE FROM mining_held WHERE model = $1 AND trigger_id = $2 AND place >= $3 AND place < $4", own)?;
    signals(&rows)
}

/// Returns from which place to which signals are held back.
pub(crate) fn held(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<(u64, u64), Error> {
    let row = tx.query_one(
        "SELECT CAST(COALESCE(MIN(place), 0) AS BIGINT), CAST(COALESCE(MAX(place) + 1, 0) AS BIGINT)
         FROM mining_held WHERE model = $1 AND trigger_id = $2",
        args![model, trigger],
    )?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Lists what a trigger in shadow mode would have sent, the last ones.
pub(crate) fn shadows(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<Vec<Signal>, Error> {
    let rows = tx.query(
        "SELECT signal FROM mining_shadow WHERE model = $1 AND trigger_id = $2 ORDER BY place",
        args![model, trigger],
    )?;
    signals(&rows)
}

/// Returns how many signals a trigger has recorded instead of sending them.
pub(crate) fn count_shadowed(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<u64, Error> {
    let row = tx.query_one(
        "SELECT shadowed FROM mining_triggers WHERE model = $1 AND trigger_id = $2",
        args![model, trigger],
    )?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn signals(rows: &[Row]) -> Result<Vec<Signal>, Error> {
    let broken = || Error::Failed { detail: "a signal that was held back cannot be read".into() };
    rows.iter().map(|row| read_back(&row.get::<String>(0)?).ok_or_else(broken)).collect()
}

pub(crate) fn fired(tx: &mut dyn Tx) -> Result<u64, Error> {
    let row = tx.query_one("SELECT CAST(COALESCE(SUM(fired), 0) AS BIGINT) FROM mining_triggers", args![])?;
    row.map_or(Ok(0), |row| row.get(0))
}

pub(crate) fn stored(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<HashMap<Arc<str>, Stored>, Error> {
    let rows = tx.query(
        "SELECT identifier, matched, episode, since, fired_at FROM mining_matched WHERE model = $1 AND trigger_id = $2",
        args![model, trigger],
    )?;
    let mut stored = HashMap::new();
    for row in &rows {
        let one = Stored {
            standing: Standing::of(row.get(1)?),
            episode: row.get(2)?,
            since: row.get(3)?,
            fired_at: row.get(4)?,
        };
        stored.insert(Arc::from(row.get::<String>(0)?), one);
    }
    Ok(stored)
}

/// Takes note of instances that start to match; they fire unless that happens
/// silently.
pub(crate) fn enter(
    tx: &mut dyn Tx,
    model: &str,
    trigger: &str,
    enters: &[Enter],
    at: Timestamp,
    silent: bool,
) -> Result<(), Error> {
    let set = |enter: &Enter| {
        let fired_at = Some(at).filter(|_| !silent && !enter.quiet);
        args![model, trigger, &*enter.identifier, enter.episode, at, fired_at].to_vec()
    };
    let sets: Vec<Vec<Value>> = enters.iter().map(set).collect();
    tx.execute_many(
        "INSERT INTO mining_matched (model, trigger_id, identifier, matched, episode, since, fired_at)
         VALUES ($1, $2, $3, 1, $4, $5, $6)
         ON CONFLICT (model, trigger_id, identifier) DO UPDATE SET matched = 1, episode = excluded.episode,
            since = excluded.since, fired_at = COALESCE(excluded.fired_at, mining_matched.fired_at)",
        &sets,
    )?;
    Ok(())
}

pub(crate) fn leave(tx: &mut dyn Tx, model: &str, trigger: &str, leaves: &[Arc<str>]) -> Result<(), Error> {
    place(tx, model, trigger, leaves, Standing::Out)
}

pub(crate) fn displace(tx: &mut dyn Tx, model: &str, trigger: &str, displaced: &[Arc<str>]) -> Result<(), Error> {
    place(tx, model, trigger, displaced, Standing::Displaced)
}

fn place(
    tx: &mut dyn Tx,
    model: &str,
    trigger: &str,
    identifiers: &[Arc<str>],
    standing: Standing,
) -> Result<(), Error> {
    let set = |identifier: &Arc<str>| args![model, trigger, &**identifier, standing.code()].to_vec();
    let sets: Vec<Vec<Value>> = identifiers.iter().map(set).collect();
    tx.execute_many(
        "UPDATE mining_matched SET matched = $4 WHERE model = $1 AND trigger_id = $2 AND identifier = $3",
        &sets,
    )?;
    Ok(())
}

pub(crate) fn matched(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<Vec<Matched>, Error> {
    let rows = tx.query(
        "SELECT identifier, since, episode FROM mining_matched
         WHERE model = $1 AND trigger_id = $2 AND matched = 1 ORDER BY identifier",
        args![model, trigger],
    )?;
    rows.iter().map(|row| Ok(Matched { identifier: row.get(0)?, since: row.get(1)?, episode: row.get(2)? })).collect()
}

pub(crate) fn count_matched(tx: &mut dyn Tx, model: &str, trigger: &str) -> Result<u64, Error> {
    let row = tx.query_one(
        "SELECT COUNT(*) FROM mining_matched WHERE model = $1 AND trigger_id = $2 AND matched = 1",
        args![model, trigger],
    )?;
    row.map_or(Ok(0), |row| row.get(0))
}

pub(crate) fn clock(tx: &mut dyn Tx, data_model: DataModelId) -> Result<ProcessClock, Error> {
    let row = tx.query_one("SELECT shown, wall, speed FROM mining_clocks WHERE data_model = $1", args![data_model])?;
    row.map_or(Ok(ProcessClock::Wall), |row| {
        Ok(ProcessClock::Replay { shown: row.get(0)?, wall: row.get(1)?, speed: row.get(2)? })
    })
}

pub(crate) fn set_clock(
    tx: &mut dyn Tx,
    data_model: DataModelId,
    shown: Timestamp,
    wall: Timestamp,
    speed: f64,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO mining_clocks (data_model, shown, wall, speed) VALUES ($1, $2, $3, $4)
         ON CONFLICT (data_model) DO UPDATE SET shown = excluded.shown, wall = excluded.wall, speed = excluded.speed",
        args![data_model, shown, wall, speed],
    )?;
    Ok(())
}
