//! The verb `backtest` on the facade, and who is under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::Timestamp;
use serde_json::json;

use super::{Arrivals, Backtest, BacktestWanted, Cast, EndSet, Progress, Stretch, learned_ends, replay};
use crate::Error;
use crate::explore::{Slice, Wanted};
use crate::knowledge_model::{About, Filter, KnowledgeModel, Source, TriggerText};
use crate::log::EventLog;
use crate::mining::Mining;
use crate::post::blocking;
use crate::pql::operators::hint;
use crate::pql::parse;
use crate::trigger::{Trigger, check_model};
use crate::versions::Which;

/// The filter that says which cases are open.
const OPEN: &str = "OPEN";
/// What the parts of a backtest are called inside the model; nobody else can
/// have such a name.
const OUTCOME: &str = "backtest: outcome";
const FINISHED: &str = "backtest: finished";

/// Backtests that are under way, by number.
#[derive(Default)]
pub struct BacktestsUnderWay {
    running: parking_lot::Mutex<(u64, BTreeMap<u64, Running>)>,
}

/// A backtest that is under way.
#[derive(Clone)]
pub struct Running {
    /// Its number.
    pub number: u64,
    /// The knowledge model.
    pub model: String,
    /// The trigger.
    pub trigger: String,
    /// When it was asked for, on the wall clock.
    pub since: Timestamp,
    /// How far it is.
    pub progress: Arc<Progress>,
}

/// A place among those under way. Whoever gives it up, also by going away,
/// stops the replay.
struct Seat<'a> {
    all: &'a BacktestsUnderWay,
    number: u64,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.all.running.lock().1.remove(&self.number) {
            running.progress.stop();
        }
    }
}

impl BacktestsUnderWay {
    fn sit_down(&self, model: &str, trigger: &str, since: Timestamp) -> (Seat<'_>, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let mut running = self.running.lock();
        running.0 += 1;
        let number = running.0;
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        running.1.insert(number, Running { number, model, trigger, since, progress: progress.clone() });
        (Seat { all: self, number }, progress)
    }
}

impl Mining {
    /// Replays history on a trigger and tells what it would have fired.
    /// Whoever stops waiting for the answer stops the replay.
    pub async fn backtest(&self, model: &str, trigger: &str, wanted: BacktestWanted) -> Result<Backtest, Error> {
        let which = if wanted.draft { Which::Draft } else { Which::Published };
        let source = self.source(model, which).await?;
        let parsed = KnowledgeModel::of(&source)?;
        let data_model = self.data_models.find(parsed.data_model()).await?;
        let known = || parsed.triggers.iter().map(|trigger| trigger.id.value.as_str());
        if !known().any(|known| known == trigger) {
            let hint = hint(trigger, known());
            return Err(Error::UnknownTrigger { model: model.to_owned(), trigger: trigger.to_owned(), hint });
        }
        let (_seat, progress) = self.backtests.sit_down(model, trigger, self.clock.now());
        let mut tables = Vec::new();
        for name in &data_model.tables {
            let refused = || Error::BadDataModel {
                data_model: data_model.key.clone(),
                detail: format!("table \"{name}\" does not exist in its pool"),
            };
            let info = self.tables.table(data_model.pool, name).await?.ok_or_else(refused)?;
            let snapshot = self.tables.scan(data_model.pool, name, None).await?;
            tables.push((snapshot.rows, info.keys));
        }
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        blocking(move || {
            let known_by =
                wanted.known_by.iter().map(|(table, column)| (table.to_uppercase(), column.clone())).collect();
            let arrivals = Arrivals::new(&data_model, tables, &known_by)?;
            let stretch = Stretch::of(&wanted, &arrivals)?;
            let refused = |detail: String| Error::BadDataModel { data_model: data_model.key.clone(), detail };
            let root = EventLog::new(&data_model, &arrivals.until(stretch.from), 0).map_err(refused)?;
            let root = Arc::new(root);
            let ends = match &wanted.end_set {
                None => None,
                Some(EndSet::Activities(activities)) => Some(activities.clone()),
                Some(EndSet::Learned(share)) => Some(learn(&root, &wanted, *share)?),
            };
            let written = rewrite(&source, &trigger, &wanted, ends.as_deref())?;
            let published = check_model(&model, &written, &data_model, root.catalog()).map_err(in_our_words)?;
            let find = |id: &str| published.triggers.iter().find(|trigger| trigger.id == id).cloned();
            let trigger: Arc<Trigger> = find(&trigger).expect("it was among those of the text");
            let cast = Cast { trigger, outcome: find(OUTCOME), finished: find(FINISHED) };
            let found = replay(&data_model, &arrivals, root, stretch, &cast, &progress)?;
            Ok(Backtest { model, end_set: ends, ..found })
        })
        .await
    }

    /// Lists the backtests that are under way.
    pub fn backtests(&self) -> Vec<Running> {
        self.backtests.running.lock().1.values().cloned().collect()
    }

    /// Stops a backtest of a model; whoever waits for it is told.
    pub fn stop_backtest(&self, number: u64) -> Result<(), Error> {
        let running = self.backtests.running.lock();
        let found = running.1.get(&number).ok_or(Error::UnknownBacktest { number })?;
        found.progress.stop();
        Ok(())
    }
}

impl Running {
    /// Returns how much of it is done, from 0 to 1.
    pub fn share(&self) -> f64 {
        let total = self.progress.total.load(Ordering::Relaxed);
        if total == 0 { 0.0 } else { self.progress.done.load(Ordering::Relaxed) as f64 / total as f64 }
    }
}

/// Learns the end set from what is known when the replay begins.
fn learn(root: &Arc<EventLog>, wanted: &BacktestWanted, share: f64) -> Result<Vec<String>, Error> {
    let refused = |detail: &str| Error::BadBacktest { detail: detail.to_owned() };
    if wanted.from.is_none() {
        return Err(refused("an end set is learned from what was known at \"from\"; say where that is"));
    }
    let slice = Slice::cut(root, &crate::pql::check::Vocabulary::default(), &Wanted::default(), 0)?;
    let ends =
        learned_ends(slice.traces().filter_map(|trace| Some(&slice.activities[*trace.steps.last()? as usize])), share);
    if ends.is_empty() {
        return Err(refused("no end set could be learned: no activity ends enough of the cases known at \"from\""));
    }
    Ok(ends)
}

/// Reads the model anew, with the wishes of a backtest written into it.
fn rewrite(
    source: &Source,
    trigger: &str,
    wanted: &BacktestWanted,
    ends: Option<&[String]>,
) -> Result<KnowledgeModel, Error> {
    let mut model = KnowledgeModel::of(source)?;
    let refused = |detail: String| Error::BadBacktest { detail };
    for (id, value) in &wanted.variables {
        let known: Vec<&str> = model.variables.iter().map(|variable| variable.id.value.as_str()).collect();
        let hint = hint(id, known);
        let variable = model.variables.iter_mut().find(|variable| variable.id.value == *id);
        let variable = variable.ok_or_else(|| refused(format!("there is no variable \"{id}\"{hint}")))?;
        variable.value.clone_from(value);
    }
    if let Some(ends) = ends {
        let quoted: Vec<String> = ends.iter().map(|end| format!("'{}'", end.replace('\'', "''"))).collect();
        let condition = format!("MATCH_ACTIVITIES(ENDING[{}]) = 0", quoted.join(", "));
        let place = model.filters.iter().position(|filter| filter.id.value == OPEN);
        let place = place.ok_or_else(|| {
            refused(format!("the model has no filter \"{OPEN}\" that an end set could take the place of"))
        })?;
        model.filters[place] = filter(OPEN, &condition)?;
    }
    model.triggers.retain(|one| one.id.value == trigger);
    let record = model.triggers.first().map(|one| one.record.value.clone()).unwrap_or_default();
    if let Some(outcome) = &wanted.outcome {
        model.filters.push(filter(OUTCOME, outcome)?);
        model.triggers.push(watching(OUTCOME, &record)?);
        let finished = match &wanted.finished {
            Some(finished) => Some(finished.clone()),
            None => not_open(&model)?,
        };
        if let Some(finished) = finished {
            model.filters.push(filter(FINISHED, &finished)?);
            model.triggers.push(watching(FINISHED, &record)?);
        }
    }
    Ok(model)
}

/// Writes that a case does not satisfy the filter OPEN, if there is one.
fn not_open(model: &KnowledgeModel) -> Result<Option<String>, Error> {
    let Some(open) = model.filters.iter().find(|filter| filter.id.value == OPEN) else { return Ok(None) };
    Ok(Some(format!("NOT ({})", parse::condition(&open.pql.value)?)))
}

fn filter(id: &str, pql: &str) -> Result<Filter, Error> {
    let text = |text: &str| read(&json!(text).to_string());
    let about = About::default();
    Ok(Filter { id: text(id)?, about, pql: text(pql)?, filter_ids: Vec::new(), global: false })
}

fn watching(id: &str, record: &str) -> Result<TriggerText, Error> {
    read(&json!({ "id": id, "record": record, "filterIds": [id], "itemLimit": i64::MAX }).to_string())
}

/// JSON is YAML, and what is left out has its usual value.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_saphyr::from_str(text).map_err(|error| Error::BadBacktest { detail: error.to_string() })
}

/// Says which wish of the backtest is meant, where the model is not at fault.
fn in_our_words(error: Error) -> Error {
    match error {
        Error::InvalidModel { path, detail, .. } if path.contains(OUTCOME) => {
            Error::BadBacktest { detail: format!("the outcome is no condition on the record: {detail}") }
        }
        Error::InvalidModel { path, detail, .. } if path.contains(FINISHED) => {
            Error::BadBacktest { detail: format!("\"finished\" is no condition on the record: {detail}") }
        }
        error => error,
    }
}
