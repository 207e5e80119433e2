//! Incomplete executions: what people do about them, and what became of each,
//! told attempt by attempt.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use base::{Clock, Timestamp};
use serde_json::Value as Json;

use super::checks::find_node;
use super::reference::{Again, Place, SetAside, Told};
use super::report::{Property, broken};
use super::world::{Fate, World, root};
use crate::error::Error;
use crate::incomplete::{IncompleteId, IncompleteInfo, IncompleteState, RetryVersion};
use crate::run::{Outcome, RunDetails, RunId, RunState};
use crate::tables;
use crate::value::Value;

/// Waits of the engine before it tries again by itself, in minutes.
pub(super) const RETRY_MINUTES: [u64; 3] = [1, 2, 5];

/// What is known of incomplete executions between two looks.
#[derive(Default)]
pub(super) struct Desk {
    /// All that were ever seen, and how they stood.
    seen: BTreeMap<IncompleteId, IncompleteState>,
    /// Attempts that people began, of which one, and with which version.
    by_hand: HashMap<RunId, (IncompleteId, String)>,
    /// Runs that were seen as attempts at it, or as those in which it failed.
    links: BTreeSet<(RunId, IncompleteId)>,
    /// A person may have begun one of its attempts.
    may_be_by_hand: BTreeSet<IncompleteId>,
    /// Closed by people, and when; not so surely where there was no answer.
    closed: BTreeMap<IncompleteId, Closed>,
    /// How often a person has tried one in the end, and those that are left.
    tries: BTreeMap<IncompleteId, u32>,
    left: BTreeSet<IncompleteId>,
}

#[derive(Clone, Copy)]
struct Closed {
    state: IncompleteState,
    at: Timestamp,
    is_sure: bool,
}

/// One, as the reference tells it.
struct Record {
    id: IncompleteId,
    flow: String,
    version: String,
    place: Place,
    class: &'static str,
    again: Again,
    attempts: u32,
    /// Nobody knows whether so many more count.
    unsure: u32,
    run: RunId,
    state: IncompleteState,
    /// When it is tried again by itself, at the earliest.
    due: Option<Timestamp>,
    /// The run that it comes from in the end.
    root: RunId,
}

/// All of them, attempt by attempt.
#[derive(Default)]
pub(super) struct Chains {
    records: Vec<Record>,
    /// The first run of each run that goes on with something.
    pub(super) roots: BTreeMap<RunId, RunId>,
}

impl Desk {
    fn link(&mut self, infos: &[IncompleteInfo]) {
        let runs = infos.iter().flat_map(|info| info.retry_run.into_iter().chain([info.run]).map(|run| (run, info.id)));
        self.links.extend(runs);
    }
}

impl Again {
    fn wait(self, attempts: u32) -> Option<Duration> {
        let minutes = match self {
            Again::Never => None,
            Again::Every { minutes, count } => Some(minutes).filter(|_| attempts < count),
            Again::BackOff => RETRY_MINUTES.get(attempts as usize).copied(),
        };
        minutes.map(Duration::from_mins)
    }
}

// What people do.

impl World {
    async fn open_incompletes(&self, place: usize) -> Vec<IncompleteInfo> {
        self.engine.incompletes(&self.flows[place].key, true, 10_000).await.unwrap_or_default()
    }

    /// Lets a person go on with an open one, if there is one.
    pub(super) async fn retry(&mut self, place: usize) {
        let open = self.open_incompletes(place).await;
        if !open.is_empty() {
            let info = self.lots.pick(&open).clone();
            self.retry_by_hand(place, &info).await;
        }
    }

    async fn retry_by_hand(&mut self, place: usize, info: &IncompleteInfo) {
        let flow = &self.flows[place];
        let kind = |hash: &String| find_node(&flow.versions[hash]["flow"], info.module).map(|node| &node["module"]);
        let published = flow.current.first().filter(|_| flow.current.len() == 1);
        let version = match published.filter(|published| kind(published) == kind(&info.version)) {
            Some(published) if self.lots.one_in(2) => (RetryVersion::Published, published.clone()),
            _ => (RetryVersion::Same, info.version.clone()),
        };
        let (key, id) = (flow.key.clone(), info.id);
        // No two attempts begin in the same moment.
        self.clock.advance(Duration::from_millis(1));
        self.tell(format!("retry {id} with {:?}", version.0));
        let answer = self.engine.retry_incomplete(&root(), &key, id, version.0).await;
        if matches!(answer, Err(Error::NotOpen { .. })) {
            return;
        }
        match self.fate("retry", answer) {
            Fate::Done(run) => {
                self.desk.by_hand.insert(run, (id, version.1));
                self.report.count("incomplete", "tried by people", 1);
            }
            Fate::Not => {}
            Fate::Unclear => drop(self.desk.may_be_by_hand.insert(id)),
        }
    }

    /// Lets a person resolve or delete an open one, if there is one.
    pub(super) async fn close(&mut self, place: usize) {
        let open = self.open_incompletes(place).await;
        if !open.is_empty() {
            let id = self.lots.pick(&open).id;
            self.close_by_hand(place, id).await;
        }
    }

    async fn close_by_hand(&mut self, place: usize, id: IncompleteId) {
        let key = self.flows[place].key.clone();
        let state = *self.lots.pick(&[IncompleteState::Resolved, IncompleteState::Deleted]);
        self.clock.advance(Duration::from_millis(1));
        self.tell(format!("{id} is to be {state:?}"));
        let at = self.clock.now();
        let answer = match state {
            IncompleteState::Deleted => self.engine.delete_incomplete(&root(), &key, id).await,
            _ => self.engine.resolve_incomplete(&root(), &key, id).await,
        };
        if matches!(answer, Err(Error::NotOpen { .. })) {
            return;
        }
        let is_sure = match self.fate("close", answer) {
            Fate::Done(()) => true,
            Fate::Not => return,
            Fate::Unclear => false,
        };
        self.desk.closed.insert(id, Closed { state, at, is_sure });
        self.report.count("incomplete", "closed by people", 1);
    }

    /// In the end people see to what is not tried again by itself. Tells how
    /// many are still to be waited for.
    pub(super) async fn see_to_incomplete(&mut self) -> usize {
        let mut waited_for = 0;
        for place in 0..self.flows.len() {
            let open = self.open_incompletes(place).await;
            self.desk.link(&open);
            for info in open {
                if self.desk.left.contains(&info.id) {
                    continue;
                }
                waited_for += 1;
                if info.retry_at.is_some() && self.flows[place].active {
                    continue;
                }
                if let Some(attempt) = info.retry_run
                    && self.engine.run_details(attempt).await.is_ok_and(|run| run.info.state != RunState::Ended)
                {
                    continue;
                }
                let tries = self.desk.tries.entry(info.id).or_default();
                *tries += 1;
                let is_first = *tries == 1;
                if !self.flows[place].manner.sequential && self.lots.one_in(4) {
                    self.desk.left.insert(info.id);
                } else if is_first {
                    self.retry_by_hand(place, &info).await;
                } else {
                    self.close_by_hand(place, info.id).await;
                }
            }
        }
        waited_for
    }

    /// Reads those of a flow, and compares them with what was seen before.
    pub(super) async fn see_incomplete(&mut self, place: usize, when: &str) {
        let key = self.flows[place].key.clone();
        let Ok(infos) = self.engine.incompletes(&key, false, 10_000).await else { return };
        let open = infos.iter().filter(|info| info.state == IncompleteState::Open).count() as u64;
        if open > self.options.limits.incomplete_max {
            let max = self.options.limits.incomplete_max;
            broken(Property::SetAside, format!("{when}: {open} are open in {key}, and {max} are allowed"));
        }
        self.desk.link(&infos);
        for info in infos {
            let before = self.desk.seen.insert(info.id, info.state);
            if before.is_some_and(|before| before != IncompleteState::Open && before != info.state) {
                let text = format!("{when}: {} was {before:?}, and is {:?}", info.id, info.state);
                broken(Property::SetAside, text);
            }
        }
    }
}

// What became of them.

impl World {
    /// Reads what an attempt began with, and finds what it goes on with.
    pub(super) async fn chain(&self, chains: &Chains, run: &RunDetails) -> (usize, Place) {
        let id = run.info.id;
        let row = self.db.read("simulation.run", move |tx| tables::run(tx, id)).await.expect("a run is read");
        let input: Json = serde_json::from_str(&row.expect("it is there").input).expect("it is JSON");
        let place = crate::engine::Place::from_stored(&input[0]).expect("it is a place");
        let fits = |record: &&(usize, &Record)| record.1.flow == run.info.flow && is_same(&record.1.place, &place);
        let all: Vec<(usize, &Record)> = chains.records.iter().enumerate().collect();
        let open = |record: &&(usize, &Record)| record.1.state == IncompleteState::Open;
        let started_at = run.info.started_at;
        let by_hand = self.desk.by_hand.get(&id);
        // Several of one run may stand at one place, closed or not.
        let is_likely = |record: &&(usize, &Record)| match by_hand {
            Some((of, _)) => record.1.id == *of,
            None => {
                let closed = self.desk.closed.get(&record.1.id);
                record.1.due.is_some_and(|due| due <= started_at) && closed.is_none_or(|closed| started_at <= closed.at)
            }
        };
        let fitting = || all.iter().filter(open).filter(fits);
        let is_linked = |record: &&(usize, &Record)| self.desk.links.contains(&(id, record.1.id));
        let found = fitting().find(is_linked).or_else(|| fitting().find(is_likely));
        let found = found.or_else(|| fitting().find(|_| by_hand.is_none()));
        let Some((number, record)) = found.copied() else {
            let known: Vec<_> = chains.records.iter().filter(|record| record.flow == run.info.flow).collect();
            let known: Vec<String> = known.iter().map(ToString::to_string).collect();
            let text = format!("{id} goes on at {place:?}, where nothing waits; there are {known:#?}");
            broken(Property::SetAside, text)
        };
        let fail = |what: String| -> ! { broken(Property::SetAside, format!("{id}, an attempt at {record}: {what}")) };
        if let Some(closed) = self.desk.closed.get(&record.id)
            && closed.is_sure
            && closed.at < started_at
        {
            fail(format!("it was {:?} before that", closed.state));
        }
        if let Some((_, version)) = by_hand {
            if *version != run.info.version {
                fail(format!("it runs {}, and a person has said {version}", run.info.version));
            }
        } else if !self.desk.may_be_by_hand.contains(&record.id) {
            if record.due.is_none_or(|due| started_at < due) {
                fail(format!("it began by itself at {started_at}, and was due at {:?}", record.due));
            }
            if run.info.version != record.version {
                fail(format!("it runs {}, and failed in {}", run.info.version, record.version));
            }
        }
        // With another version it is another request.
        if place.origin.is_some() != (record.place.origin.is_some() && run.info.version == record.version) {
            fail(format!("the key is that of {:?}", place.origin));
        }
        let origin = record.place.origin.clone().filter(|_| place.origin.is_some());
        (number, Place { origin, ..record.place.clone() })
    }

    /// Tells which of its failed bundles a run has stored: nothing of what
    /// stands in no barrier, and nothing for which there was no room.
    pub(super) async fn stored(&self, run: &RunDetails, told: &Told) -> Vec<SetAside> {
        let id = run.info.id;
        let journal = self.db.read("simulation.journal", move |tx| tables::journal(tx, id)).await;
        let settled = journal.expect("a journal is read").len();
        if run.info.operations == 0 {
            return Vec::new();
        }
        let had_room = !was_without_room(run);
        let is_stored = |each: &&SetAside| each.steps < settled || (each.steps == settled && had_room);
        told.set_aside.iter().filter(is_stored).cloned().collect()
    }

    /// Notes what a run leaves behind; `of` is what it was an attempt at.
    pub(super) async fn leave(&mut self, chains: &mut Chains, run: &RunDetails, told: &Told, of: Option<usize>) {
        let (id, version, flow) = (run.info.id, &run.info.version, &run.info.flow);
        let stored = self.stored(run, told).await;
        let root = of.map_or(id, |of| chains.records[of].root);
        chains.roots.insert(id, root);
        if let Some(of) = of {
            chains.records[of].due = None;
            self.report.count("incomplete", "attempts", 1);
        }
        if was_without_room(run) {
            self.report.count("incomplete", "without room", 1);
            // What an attempt goes on with has its room, unless somebody has closed it.
            let has_room = |of: usize| !self.desk.closed.contains_key(&chains.records[of].id);
            let own = usize::from(stored.is_empty() && of.is_some_and(has_room));
            if told.set_aside.len() <= stored.len() + own {
                let text = format!("{id} of {flow} ended for want of room, and needed none: {:?}", told.set_aside);
                broken(Property::SetAside, text);
            }
        }
        let failed_at = |each: &SetAside| {
            let ledger = self.ledger.lock();
            let effects = ledger.runs.get(&id.to_string()).map(Vec::as_slice).unwrap_or_default();
            let last = each.effects.checked_sub(1).and_then(|last| effects.get(last)?.answer);
            let at = last.map_or(run.info.started_at, |(_, at)| at);
            at.plus(Duration::from_secs(each.slept_seconds))
        };
        let engine = self.incomplete_ids(flow).await;
        let mut moved = false;
        for each in &stored {
            let new_id = IncompleteId::of(id, each.place.module, &each.place.path);
            let own = of.filter(|_| !std::mem::replace(&mut moved, true));
            // Whoever closed it meanwhile has closed what it was, or what it has come to.
            let own =
                own.filter(|of| !(self.desk.closed.contains_key(&chains.records[*of].id) && engine.contains(&new_id)));
            let at = failed_at(each);
            let Some(of) = own else {
                let place = each.place.clone();
                let due = each.again.wait(0).map(|wait| at.plus(wait));
                chains.records.push(Record {
                    id: new_id,
                    flow: flow.clone(),
                    version: version.clone(),
                    place,
                    class: each.class,
                    again: each.again,
                    attempts: 0,
                    unsure: 0,
                    run: id,
                    state: IncompleteState::Open,
                    due,
                    root,
                });
                self.report.count("incomplete", "stored", 1);
                continue;
            };
            let record = &mut chains.records[of];
            let is_same = (record.place.module, &record.place.path) == (each.place.module, &each.place.path);
            self.report.count("incomplete", if is_same { "failed again" } else { "moved on" }, 1);
            record.attempts = if is_same { record.attempts + 1 } else { 0 };
            record.unsure = if is_same { record.unsure } else { 0 };
            (record.run, record.version, record.class) = (id, version.clone(), each.class);
            (record.place, record.again) = (each.place.clone(), each.again);
            record.due = each.again.wait(record.attempts).map(|wait| at.plus(wait));
        }
        let Some(of) = of.filter(|_| stored.is_empty()) else { return };
        let record = &mut chains.records[of];
        match run.info.outcome {
            _ if self.runs[&id].is_abandoned => {
                record.unsure += u32::from(told.outcome == Some(Outcome::Error));
            }
            // Somebody may have closed it before that.
            Some(Outcome::Error) if self.desk.closed.contains_key(&record.id) => record.unsure += 1,
            Some(Outcome::Error) => record.attempts += 1,
            _ => record.state = IncompleteState::Resolved,
        }
    }

    async fn incomplete_ids(&self, flow: &str) -> BTreeSet<IncompleteId> {
        let all = self.engine.incompletes(flow, false, 10_000).await.expect("they are read");
        all.into_iter().map(|info| info.id).collect()
    }

    /// Compares what is left in the end with what the reference tells.
    pub(super) async fn judge_left(&mut self, chains: &Chains) {
        for place in 0..self.flows.len() {
            let key = self.flows[place].key.clone();
            let mut found: BTreeMap<IncompleteId, IncompleteInfo> = BTreeMap::new();
            for info in self.engine.incompletes(&key, false, 10_000).await.expect("they are read") {
                found.insert(info.id, info);
            }
            for record in chains.records.iter().filter(|record| record.flow == key) {
                let Some(info) = found.remove(&record.id) else {
                    broken(Property::SetAside, format!("{record} is lost"));
                };
                self.compare_left(record, &info).await;
                let word = match info.state {
                    IncompleteState::Open => "left open",
                    IncompleteState::Resolved => "resolved",
                    IncompleteState::Deleted => "deleted",
                };
                self.report.count("incomplete", word, 1);
            }
            if let Some(info) = found.values().next() {
                broken(Property::SetAside, format!("nothing in {key} has failed like that: {info:?}"));
            }
        }
    }

    async fn compare_left(&self, record: &Record, info: &IncompleteInfo) {
        let fail = |what: String| -> ! { broken(Property::SetAside, format!("{record}: {what}\n  {info:?}")) };
        let state = match self.desk.closed.get(&record.id) {
            Some(closed) if closed.is_sure || info.state == closed.state => closed.state,
            _ => record.state,
        };
        if info.state != state {
            fail(format!("it is {:?}, and should be {state:?}", info.state));
        }
        let is_counted = (record.attempts..=record.attempts + record.unsure).contains(&info.attempts);
        if !is_counted {
            fail(format!("{} attempts are counted", info.attempts));
        }
        let found = (info.run, &info.version, info.module, info.class.as_str());
        if found != (record.run, &record.version, record.place.module, record.class) {
            fail(format!("it failed in {found:?}"));
        }
        let row = {
            let id = record.id;
            self.db.read("simulation.incomplete", move |tx| tables::incomplete(tx, id)).await.expect("it is read")
        };
        let row = row.expect("it is there");
        let place =
            serde_json::from_str(&row.place).ok().and_then(|json: Json| crate::engine::Place::from_stored(&json));
        match (state, place) {
            (IncompleteState::Deleted, None) => {}
            (IncompleteState::Deleted, Some(_)) => fail("its data is still there".into()),
            (_, Some(place)) if is_same(&record.place, &place) => {}
            (_, place) => fail(format!("it stands at {place:?}")),
        }
        let wait = record.due.and_then(|_| record.again.wait(record.attempts));
        let due = wait.filter(|_| state == IncompleteState::Open).map(|wait| info.updated_at.plus(wait));
        if info.retry_at != due || due.is_some_and(|due| record.due.is_some_and(|earliest| due < earliest)) {
            fail(format!("it is tried again at {:?}, and that should be {due:?}", info.retry_at));
        }
    }
}

/// Tells whether a run ended because what failed could not be stored.
pub(super) fn was_without_room(run: &RunDetails) -> bool {
    run.info.reason.as_deref().is_some_and(|reason| reason.starts_with("OutOfSpaceError"))
}

/// Tells whether a stored place is the one that the reference tells. A bundle
/// of an answer has more in it than the reference knows.
fn is_same(told: &Place, stored: &crate::engine::Place) -> bool {
    let counters = |value: &Value| -> HashMap<u32, i64> {
        let Value::Collection(fields) = value.field("values") else { return HashMap::new() };
        let of = |name: &str| name.strip_prefix("\u{0}increment:")?.parse().ok();
        fields.iter().filter_map(|(name, value)| Some((of(name)?, value.to_i64()?))).collect()
    };
    told.module == stored.module
        && told.path == stored.path
        && told.start == stored.start
        && told.counters == counters(&stored.variables)
        && told.scope.len() == stored.bundles.len()
        && told.scope.iter().zip(&stored.bundles).all(|(told, stored)| told.0 == stored.0 && holds(&stored.1, &told.1))
        && stored.origin.is_none_or(|origin| told.origin.as_ref() == Some(&origin.to_string()))
}

/// Tells whether a value has all that the reference knows of it.
fn holds(found: &Value, told: &Value) -> bool {
    match (found, told) {
        (Value::Collection(found), Value::Collection(told)) => {
            told.iter().all(|(name, told)| found.get(name).is_some_and(|found| holds(found, told)))
        }
        (Value::Array(found), Value::Array(told)) => {
            found.len() == told.len() && found.iter().zip(told.iter()).all(|(found, told)| holds(found, told))
        }
        _ => found == told,
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Record { id, flow, run, place, class, again, attempts, state, due, .. } = self;
        let Place { module, path, .. } = place;
        write!(
            f,
            "{id} of {flow} ({class} at {module} @{path} in {run}, {state:?}, again {again:?}, {attempts} attempts, \
             due {due:?})"
        )
    }
}
