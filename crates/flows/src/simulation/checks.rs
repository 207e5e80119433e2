//! The rows against what was answered, and each run against the reference.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use serde_json::Value as Json;

use super::author::Starts;
use super::calls::Calls;
use super::incomplete::{Chains, was_without_room};
use super::reference::{self, Begins, Reply, Told};
use super::report::{Property, broken};
use super::returned::Returned;
use super::world::{FlowBook, World, payload};
use crate::flow::{FlowInfo, FlowState};
use crate::run::{OperationStatus, Outcome, RunDetails, RunId, RunState, STARTED_BY_RETRY};

/// What is known of a run.
pub(super) struct RunBook {
    pub(super) flow: String,
    pub(super) started_by: String,
    /// Versions that it may have; once it was seen, the one that it has.
    versions: Vec<String>,
    input: Option<Vec<Json>>,
    ended: Option<Outcome>,
    pub(super) is_held: bool,
    pub(super) is_abandoned: bool,
    /// Somebody asked for its end.
    pub(super) may_be_cancelled: bool,
    /// A decision on it was not answered.
    pub(super) is_unclear: bool,
    /// The runs that it had started when it was cancelled.
    pub(super) called_at_most: Option<BTreeSet<RunId>>,
}

impl RunBook {
    /// Makes the book of a run that was answered as started, and not seen yet.
    pub(super) fn expected(flow: &str, versions: Vec<String>) -> Self {
        RunBook {
            flow: flow.to_owned(),
            started_by: "manual".into(),
            versions,
            input: None,
            ended: None,
            is_held: false,
            is_abandoned: false,
            may_be_cancelled: false,
            is_unclear: false,
            called_at_most: None,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    fn items(&self) -> impl Iterator<Item = u64> {
        self.input.iter().flatten().filter_map(|bundle| bundle["item"].as_u64())
    }
}

impl World {
    /// Reads all flows and runs, and compares them with what was answered.
    pub(super) async fn look(&mut self, when: &str) {
        for place in 0..self.flows.len() {
            let key = self.flows[place].key.clone();
            // Meanwhile the engine may take items; then it is looked again.
            let mut before = self.info(&key, when).await;
            let info = loop {
                for run in self.engine.runs(&key, 10_000).await.unwrap_or_default() {
                    // What has ended was read, and stays as it is.
                    let known = self.runs.get(&run.id);
                    if known.is_some_and(|known| known.ended.is_some() && known.ended == run.outcome) {
                        continue;
                    }
                    let details = self.engine.run_details(run.id).await.expect("a run is read");
                    self.see(place, &details, when);
                }
                let info = self.info(&key, when).await;
                if info.as_ref().map(|info| info.waiting) == before.as_ref().map(|info| info.waiting) {
                    break info;
                }
                before = info;
            };
            let Some(info) = info else { continue };
            self.compare(place, &info, when);
            self.see_incomplete(place, when).await;
            // All runs were seen: later ones begin with what is published.
            let published = self.engine.get(&key).await.expect("a flow is read").published;
            if let Some(text) = published {
                self.flows[place].current = vec![crate::program::hash_of(&text)];
            }
        }
        self.see_callers(when).await;
        let missing: Vec<RunId> = self.runs.iter().filter(|(_, run)| run.input.is_none()).map(|(id, _)| *id).collect();
        if let Some(run) = missing.first() {
            broken(Property::Conservation, format!("{when}: {run} was answered as started, and is lost"));
        }
    }

    async fn info(&self, key: &str, when: &str) -> Option<FlowInfo> {
        match self.engine.list().await {
            Ok(listed) => listed.into_iter().find(|info| info.key == key),
            Err(error) => broken(Property::Conservation, format!("{when}: the flows cannot be read: {error}")),
        }
    }

    fn see(&mut self, place: usize, run: &RunDetails, when: &str) {
        let flow = &self.flows[place];
        let (id, info) = (run.info.id, &run.info);
        let book = self.runs.entry(id).or_insert_with(|| RunBook {
            started_by: info.started_by.clone(),
            ..RunBook::expected(&flow.key, flow.current.clone())
        });
        if info.started_by == STARTED_BY_RETRY && book.input.is_none() {
            // Which of them it may be, its chain tells.
            book.started_by.clone_from(&info.started_by);
            book.versions = flow.versions.keys().cloned().collect();
        }
        if !book.versions.contains(&info.version) {
            broken(Property::Versions, format!("{when}: {id} runs {}, not {:?}", info.version, book.versions));
        }
        book.versions = vec![info.version.clone()];
        match &book.input {
            Some(input) if *input != run.input => {
                broken(Property::Conservation, format!("{when}: {id} began with {input:?}, and now {:?}", run.input));
            }
            _ => book.input = Some(run.input.clone()),
        }
        if book.ended.is_some() && info.state != RunState::Ended {
            broken(Property::Ending, format!("{when}: {id} had ended, and is {:?}", info.state));
        }
        if info.state == RunState::Parked {
            broken(Property::Ending, format!("{when}: {id} is parked: {:?}", info.reason));
        }
        book.is_held = info.state == RunState::InDoubt;
        if book.is_unclear {
            book.is_unclear = false;
            book.is_abandoned |= info.outcome == Some(Outcome::Error);
        }
        if info.outcome == Some(Outcome::Cancelled) {
            if !book.may_be_cancelled {
                broken(Property::Ending, format!("{when}: {id} is cancelled, and nobody asked for that"));
            }
            book.is_abandoned = true;
        }
        if info.state == RunState::Ended {
            book.ended = info.outcome;
        }
        let asked = |module: u32| is_request(&self.flows[place], &info.version, module);
        let settled = run
            .operations
            .iter()
            .filter(|operation| operation.status != OperationStatus::Filtered && asked(operation.module))
            .count();
        let mut ledger = self.ledger.lock();
        let name = id.to_string();
        let made = ledger.runs.get(&name).map_or(0, Vec::len);
        if settled > made {
            drop(ledger);
            broken(Property::Story, format!("{when}: {id} has {settled} results of {made} requests"));
        }
        ledger.settled.insert(name, settled);
    }

    fn compare(&mut self, place: usize, info: &FlowInfo, when: &str) {
        let taken = self.taken(place);
        let flow = &mut self.flows[place];
        let is_on = matches!(info.state, FlowState::Active);
        if is_on != flow.active {
            // Only a verb without an answer may have done that.
            flow.active = is_on;
            flow.frozen = None;
        }
        let items = taken + info.waiting;
        if items == flow.stored + 1 && flow.unclear && !flow.manner.returns {
            (flow.stored, flow.unclear) = (items, false);
        }
        // What was given back is counted in each of its runs; the end tells.
        if items != flow.stored && matches!(flow.manner.starts, Starts::Signal { .. }) && !flow.manner.returns {
            let text = format!("{} of {} items are there: {taken} taken, {} waiting", items, flow.stored, info.waiting);
            broken(Property::Conservation, format!("{when}: {}: {text}", flow.key));
        }
        if flow.frozen.is_some_and(|frozen| frozen != taken) {
            broken(
                Property::Order,
                format!("{when}: {} is paused, and went from {:?} to {taken}", flow.key, flow.frozen),
            );
        }
    }

    /// Returns how many items of a flow have begun runs.
    pub(super) fn taken(&self, place: usize) -> u64 {
        let key = &self.flows[place].key;
        self.runs.values().filter(|run| run.flow == *key).map(|run| run.items().count() as u64).sum()
    }

    // The end.

    /// Compares every run with the reference, and each flow with its promises.
    pub(super) async fn judge(&mut self) {
        let mut runs = Vec::new();
        for id in self.runs.keys().copied().collect::<Vec<_>>() {
            runs.push(self.engine.run_details(id).await.expect("a run is read"));
        }
        let place_of = |world: &World, run: &RunDetails| {
            world.flows.iter().position(|flow| flow.key == run.info.flow).expect("it is known")
        };
        // Who calls is told after who is called, and an attempt after what it
        // goes on with.
        runs.sort_by_key(|run| {
            let is_attempt = run.info.started_by == STARTED_BY_RETRY;
            (Reverse(place_of(self, run)), is_attempt, run.info.started_at, run.info.id)
        });
        let (mut chains, mut calls, mut returned) = (Chains::default(), Calls::default(), Returned::default());
        for run in &runs {
            let place = place_of(self, run);
            let (told, of) = if run.info.started_by == STARTED_BY_RETRY {
                let (number, at) = self.chain(&chains, run).await;
                (self.judge_run(place, run, Begins::At(&at), &calls), Some(number))
            } else {
                (self.judge_run(place, run, Begins::With(&run.input), &calls), None)
            };
            self.leave(&mut chains, run, &told, of).await;
            calls.note(run, &told);
            self.judge_told(place, run, &told);
            self.note_items(&mut returned, place, run, &told);
            let outcome = match (self.runs[&run.info.id].is_abandoned, run.info.outcome) {
                (true, _) => "abandoned",
                (_, Some(Outcome::Success)) => "success",
                (_, Some(Outcome::Warning)) => "warning",
                _ => "error",
            };
            self.report.count("runs", outcome, 1);
        }
        self.judge_left(&chains).await;
        self.judge_calls(&runs, &calls);
        self.judge_items(&returned);
        for place in 0..self.flows.len() {
            self.judge_order(place);
            self.judge_sequence(place, &chains);
        }
    }

    /// Items begin runs in the order of their arrival.
    fn judge_order(&self, place: usize) {
        let flow = &self.flows[place];
        let Starts::Signal { results_max } = flow.manner.starts else { return };
        let mut runs: Vec<(&RunId, &RunBook)> =
            self.runs.iter().filter(|(_, run)| run.flow == flow.key && run.items().next().is_some()).collect();
        runs.sort_by_key(|(_, run)| run.items().next());
        let mut next = 1;
        for (id, run) in runs {
            let items: Vec<u64> = run.items().collect();
            if items.len() > results_max as usize {
                broken(Property::Order, format!("{id} took {} items, and {results_max} are allowed", items.len()));
            }
            for item in items {
                if item != next && !flow.manner.returns {
                    broken(Property::Order, format!("{id} began with item {item} where {next} was due"));
                }
                next += 1;
            }
            let input = run.input.as_ref().expect("it was read");
            if input.iter().any(|bundle| *bundle != payload(bundle["item"].as_u64().unwrap_or(0))) {
                broken(Property::Conservation, format!("{id} began with something else: {input:?}"));
            }
        }
    }

    /// Where a flow is sequential, each run waits for the one before, and for
    /// all that is left of it.
    fn judge_sequence(&self, place: usize, chains: &Chains) {
        let flow = &self.flows[place];
        if !flow.manner.sequential {
            return;
        }
        let ledger = self.ledger.lock();
        let mut spans: BTreeMap<RunId, (u64, u64)> = BTreeMap::new();
        for id in self.runs.iter().filter(|(_, run)| run.flow == flow.key).map(|(id, _)| id) {
            for effect in ledger.runs.get(&id.to_string()).into_iter().flatten() {
                let span = spans.entry(chains.roots[id]).or_insert((u64::MAX, 0));
                *span = (span.0.min(effect.first_call), span.1.max(effect.last_call));
            }
        }
        let mut spans: Vec<((u64, u64), RunId)> = spans.into_iter().map(|(id, span)| (span, id)).collect();
        spans.sort();
        for pair in spans.windows(2) {
            if pair[1].0.0 < pair[0].0.1 {
                let (before, id) = (pair[0].1, pair[1].1);
                drop(ledger);
                broken(Property::Order, format!("{id} began before {before}, the run before it, was done"));
            }
        }
    }

    fn judge_run(&self, place: usize, run: &RunDetails, begins: Begins<'_>, calls: &Calls) -> Told {
        let (flow, id, book) = (&self.flows[place], run.info.id, &self.runs[&run.info.id]);
        let document = &flow.versions[&run.info.version];
        let ledger = self.ledger.lock();
        let made = ledger.runs.get(&id.to_string()).map(Vec::as_slice).unwrap_or_default();
        let answers = ledger.answers(&id.to_string());
        let told = reference::tell(document, &id.to_string(), begins, &answers, &calls.children);
        let fail = |property, what: String| -> ! {
            broken(property, format!("{id} of {}: {what}\n  document {document}\n  answers {answers:?}", flow.key))
        };
        if run.info.state != RunState::Ended {
            fail(Property::Liveness, format!("it never ended, and is {:?}", run.info.state));
        }
        // Only the first request at the place itself can be one that was made before.
        let again = begins.place().filter(|place| is_request(flow, &run.info.version, place.module));
        let mut earliest = run.info.started_at;
        for (number, (effect, expected)) in made.iter().zip(&told.effects).enumerate() {
            let same = (&effect.method, &effect.url, &effect.body) == (&expected.method, &expected.url, &expected.body);
            if !same {
                let found = (&effect.method, &effect.url, &effect.body);
                fail(Property::Story, format!("request {number} was {found:?}, not {expected:?}"));
            }
            let key_of = again.filter(|_| number == 0).and_then(|place| place.origin.clone());
            let key_of = key_of.unwrap_or_else(|| id.to_string());
            if effect.key_of != key_of {
                fail(Property::Keys, format!("{} has the key of {}, not of {key_of}", effect.url, effect.key_of));
            }
            earliest = later(earliest, expected.slept_seconds);
            for child in &expected.waited_for {
                earliest = earliest.max(calls.children[child].ended_at.unwrap_or(earliest));
            }
            if effect.first_at < earliest {
                fail(
                    Property::Timers,
                    format!("{} came at {}, and was due at {earliest}", effect.url, effect.first_at),
                );
            }
            if let Some((_, at)) = effect.answer {
                earliest = at;
            }
            let retries_max = if expected.is_safe { flow.manner.retries } else { 0 };
            if u64::from(effect.times) > 1 + retries_max {
                fail(Property::Once, format!("{} was tried {} times in one life", effect.url, effect.times));
            }
            let may_help = match effect.answer {
                Some((Reply::Nothing, _)) => true,
                Some((Reply::Number { status: 503, .. }, _)) => expected.evaluates,
                _ => false,
            };
            if may_help && expected.is_safe && effect.times == 0 {
                fail(Property::Once, format!("{} was not tried again", effect.url));
            }
        }
        if book.is_abandoned || was_without_room(run) {
            if made.len() > told.effects.len() {
                fail(
                    Property::Story,
                    format!("{} requests of an abandoned run, {} expected", made.len(), told.effects.len()),
                );
            }
            return told;
        }
        if made.len() != told.effects.len() {
            fail(Property::Story, format!("{} requests, and {} expected", made.len(), told.effects.len()));
        }
        if run.info.outcome != told.outcome {
            let (found, reason) = (run.info.outcome, &run.info.reason);
            fail(Property::Story, format!("it ended as {found:?} ({reason:?}), not {:?}", told.outcome));
        }
        let operations: Vec<_> = run.operations.iter().map(|each| (each.module, each.status)).collect();
        if operations != told.operations {
            fail(Property::Story, format!("its history is\n  {operations:?}, not\n  {:?}", told.operations));
        }
        let earliest = later(earliest, told.slept_seconds);
        if run.info.ended_at.is_none_or(|ended| ended < earliest) {
            fail(Property::Timers, format!("it ended at {:?}, and was due at {earliest}", run.info.ended_at));
        }
        told
    }
}

fn later(time: Timestamp, seconds: u64) -> Timestamp {
    time.plus(std::time::Duration::from_secs(seconds))
}

/// Tells whether a module of a version makes requests.
fn is_request(flow: &FlowBook, version: &str, module: u32) -> bool {
    let node = flow.versions.get(version).and_then(|document| find_node(&document["flow"], module));
    node.is_some_and(|node| node["module"] == "http:ActionSendData")
}

/// Finds a module by its id.
pub(super) fn find_node(nodes: &Json, module: u32) -> Option<&Json> {
    match nodes {
        Json::Array(nodes) => nodes.iter().find_map(|node| find_node(node, module)),
        Json::Object(node) => {
            if node.get("module").is_some() && node.get("id").and_then(Json::as_u64) == Some(module.into()) {
                return Some(nodes);
            }
            ["flow", "routes", "branches", "onerror"].iter().find_map(|part| find_node(node.get(*part)?, module))
        }
        _ => None,
    }
}
