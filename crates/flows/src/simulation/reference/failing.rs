//! What becomes of a failed bundle, and how one that was set aside goes on.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::{Begins, End, Scope, Teller, Walk, id_of};
use crate::run::{OperationStatus, Outcome};
use crate::value::Value;

/// Where a failed bundle stands, with all that can be seen there.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct Place {
    pub(in crate::simulation) module: u32,
    pub(in crate::simulation) path: String,
    pub(in crate::simulation) scope: Scope,
    pub(in crate::simulation) start: Value,
    pub(in crate::simulation) counters: HashMap<u32, i64>,
    /// The run that had its key first, if its receiver may have heard of it.
    pub(in crate::simulation) origin: Option<String>,
    /// What its run gives back so far.
    pub(in crate::simulation) outputs: Option<Value>,
}

/// How it is tried again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) enum Again {
    Never,
    Every {
        minutes: u64,
        count: u32,
    },
    /// After the waits that the engine is set to.
    BackOff,
}

/// A failed bundle that is stored.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct SetAside {
    pub(in crate::simulation) place: Place,
    pub(in crate::simulation) class: &'static str,
    pub(in crate::simulation) again: Again,
    /// Requests and sleeps of its run by then, and requests alone.
    pub(in crate::simulation) steps: usize,
    pub(in crate::simulation) effects: usize,
    /// What the run has slept since the last request.
    pub(in crate::simulation) slept_seconds: u64,
}

/// Something that was open around a bundle that goes on.
pub(super) struct Reopened {
    /// How many bundles could be seen before it.
    depth: usize,
    before: Scope,
    id: u32,
    what: Opened,
}

enum Opened {
    Aggregator(Vec<(Value, Value)>),
    Round { round: i64, last: Scope },
}

/// What is done about a failure that no error route takes.
enum Reaction {
    End,
    Store(Again),
    StoreAndEnd,
}

/// As the table of the reference page has it.
fn reaction(class: &str) -> Reaction {
    match class {
        "DataError" | "BundleValidationError" | "DuplicateDataError" => Reaction::Store(Again::Never),
        "ConnectionError" | "ModuleTimeoutError" | "RateLimitError" | "OutOfSpaceError" => {
            Reaction::Store(Again::BackOff)
        }
        "InvalidConfigurationError" => Reaction::StoreAndEnd,
        _ => Reaction::End,
    }
}

/// Names the class that a flow's author wrote.
pub(super) fn class_named(name: &str) -> &'static str {
    const DRAWN: [&str; 3] = ["DataError", "ConnectionError", "InvalidConfigurationError"];
    DRAWN.iter().find(|known| **known == name).copied().unwrap_or("RuntimeError")
}

pub(super) fn path_of(scope: &Scope) -> String {
    let parts: Vec<String> = scope.iter().filter_map(|(id, _, turn)| turn.map(|turn| format!("{id}.{turn}"))).collect();
    parts.join("/")
}

impl<'a> Teller<'a> {
    pub(super) fn fail(&mut self, node: &'a Json, scope: &Scope, class: &'static str) -> Walk {
        self.done(node, OperationStatus::Error);
        let id = id_of(node);
        let Some(entrance) = node["onerror"].get(0) else { return self.react(id, scope, class) };
        self.failed.push((id, scope.clone(), class));
        let place = (id, Value::collection::<String>([]), None);
        self.enter(entrance, &[scope.as_slice(), &[place]].concat(), false)?;
        self.failed.pop();
        Ok(())
    }

    fn react(&mut self, id: u32, scope: &Scope, class: &'static str) -> Walk {
        let reaction = match reaction(class) {
            _ if !self.can_be_stored(id) => Reaction::End,
            // What it has done, the next attempt does not do again.
            Reaction::End if self.resumed.is_some() => Reaction::Store(Again::Never),
            reaction => reaction,
        };
        match reaction {
            Reaction::End => {
                self.ended_with = class;
                Err(End::Of(Outcome::Error))
            }
            Reaction::Store(again) => {
                self.outcome = self.outcome.max(Outcome::Warning);
                self.store(id, scope, class, again);
                Ok(())
            }
            Reaction::StoreAndEnd => {
                self.store(id, scope, class, Again::Never);
                self.ended_with = class;
                Err(End::Of(Outcome::Error))
            }
        }
    }

    fn can_be_stored(&self, id: u32) -> bool {
        let is_first = id == self.first && self.resumed.is_none();
        let kind = self.kind(id);
        let collects = kind.ends_with("Merge") || kind.contains("Aggregator");
        self.stores && !is_first && !collects && !self.in_error_routes.contains(&id)
    }

    /// Does what a Break says.
    pub(super) fn put_off(&mut self, input: &Value) -> Walk {
        let Some((id, scope, class)) = self.failed.last().cloned() else { return Ok(()) };
        if !self.can_be_stored(id) {
            self.ended_with = class;
            return Err(End::Of(Outcome::Error));
        }
        let number = |name: &str, otherwise: i64| input.field(name).to_i64().unwrap_or(otherwise) as u64;
        let again = match input.field("retry").truth() {
            true => Again::Every { minutes: number("interval", 15), count: number("count", 3) as u32 },
            false => Again::Never,
        };
        if again == Again::Never {
            self.outcome = self.outcome.max(Outcome::Warning);
        }
        self.store(id, &scope, class, again);
        Ok(())
    }

    fn store(&mut self, id: u32, scope: &Scope, class: &'static str, again: Again) {
        let path = path_of(scope);
        let is_open = matches!(class, "ConnectionError" | "ModuleTimeoutError");
        let same = self.resumed.filter(|place| place.module == id && place.path == path);
        let owner = same.and_then(|place| place.origin.clone()).unwrap_or_else(|| self.run.to_owned());
        let place = Place {
            module: id,
            path,
            scope: scope.clone(),
            start: self.start.clone(),
            counters: self.counters.clone(),
            origin: is_open.then_some(owner),
            outputs: self.outputs.clone(),
        };
        self.set_aside.push(SetAside {
            place,
            class,
            again,
            steps: self.steps,
            effects: self.effects.len(),
            slept_seconds: self.slept,
        });
    }

    // Going on.

    /// Goes on at a place. What was open around it is opened when the bundle
    /// gets there, and closed when nothing is left inside.
    pub(super) fn go_on(&mut self, place: &'a Place) -> Walk {
        self.resumed = Some(place);
        self.start = place.start.clone();
        self.counters = place.counters.clone();
        self.outputs = place.outputs.clone();
        let (nodes, at, _) = self.places[&place.module];
        self.enter(&nodes[at], &place.scope, true)?;
        loop {
            let Some(deepest) = self.reopened.iter().map(|open| open.depth).max() else { return Ok(()) };
            let next = self.reopened.iter().position(|open| open.depth == deepest).expect("there is one");
            let Reopened { before, id, what, .. } = self.reopened.remove(next);
            match what {
                Opened::Aggregator(items) => self.close(id, items, &before)?,
                Opened::Round { round, last } => {
                    let (nodes, at, _) = self.places[&id];
                    let input = self.value(&nodes[at]["mapper"], &before);
                    let rounds_max = input.field("repeats").to_i64().unwrap_or(20);
                    self.rounds_of(&nodes[at], Some((round, last)), rounds_max, &before)?;
                }
            }
        }
    }

    /// Returns what an aggregator has collected, if a bundle of this place is
    /// for it.
    pub(super) fn open_aggregator(&mut self, id: u32, node: &Json, scope: &Scope) -> Option<&mut Vec<(Value, Value)>> {
        if let Some(open) = self.collected.iter().rposition(|(open, _)| *open == id) {
            return Some(&mut self.collected[open].1);
        }
        let is_open = |open: &Reopened| open.id == id;
        if !self.reopened.iter().any(is_open) {
            self.resumed?;
            let feeder = node["parameters"]["feeder"].as_u64()?;
            let depth = scope.iter().rposition(|(id, ..)| u64::from(*id) == feeder)?;
            let what = Opened::Aggregator(Vec::new());
            self.reopened.push(Reopened { depth, before: scope[..depth].to_vec(), id, what });
        }
        self.reopened.iter_mut().find(|open| is_open(open)).and_then(|open| match &mut open.what {
            Opened::Aggregator(items) => Some(items),
            Opened::Round { .. } => None,
        })
    }

    /// Notes that a bundle which goes on has come to the end of its round.
    pub(super) fn reopen_round(&mut self, id: u32, scope: &Scope) {
        if let Some(Reopened { what: Opened::Round { last, .. }, .. }) =
            self.reopened.iter_mut().find(|open| open.id == id)
        {
            *last = scope.clone();
            return;
        }
        let depth = scope.iter().rposition(|(of, ..)| *of == id).filter(|_| self.resumed.is_some());
        let Some(depth) = depth else { return };
        let round = scope[depth].1.field("i").to_i64().unwrap_or(1);
        let what = Opened::Round { round, last: scope.clone() };
        self.reopened.push(Reopened { depth, before: scope[..depth].to_vec(), id, what });
    }
}

impl Begins<'_> {
    /// Returns the place, if it goes on from one.
    pub(in crate::simulation) fn place(&self) -> Option<&Place> {
        match self {
            Begins::With(_) => None,
            Begins::At(place) => Some(place),
        }
    }
}
