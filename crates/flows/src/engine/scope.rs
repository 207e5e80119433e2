//! What can be seen from a place in a run: the bundles of the modules before.
//!
//! A scope is a chain of bundles, newest first; the bundles of one loop share
//! the rest of the chain.

use std::sync::Arc;

use base::chance::SeededChance;
use base::{Chance, Timestamp};
use jiff::tz::TimeZone;

use super::machine::Facts;
use super::shared;
use crate::mapping::Surroundings;
use crate::semantics::Semantics;
use crate::value::Value;

/// A place in a run. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Scope(Option<Arc<Link>>);

struct Link {
    module: u32,
    bundle: Value,
    path: Arc<str>,
    before: Scope,
}

impl Scope {
    /// Stands in the path for the cycle of the run; no module has this id.
    pub(super) const CYCLE: u32 = 0;

    /// Returns the place where a cycle begins: the first is nowhere yet.
    pub(super) fn of_cycle(cycle: u64) -> Scope {
        if cycle == 1 { Scope::default() } else { Scope::default().with(Scope::CYCLE, Value::Absent, Some(cycle)) }
    }

    /// Returns the place with these bundles, the oldest first, and this path.
    pub(super) fn restored(bundles: &[(u32, Value)], path: &str) -> Scope {
        let mut turns = path.split('/').filter_map(|part| part.split_once('.')).peekable();
        let mut scope = Scope::default();
        for (module, bundle) in bundles {
            let turn = turns.next_if(|(of, _)| of.parse() == Ok(*module)).and_then(|(_, turn)| turn.parse().ok());
            scope = scope.with(*module, bundle.clone(), turn);
        }
        scope
    }

    /// Returns all bundles, the oldest first.
    pub(super) fn bundles(&self) -> Vec<(u32, Value)> {
        let mut bundles = Vec::new();
        let mut scope = self;
        while let Some(link) = &scope.0 {
            bundles.push((link.module, link.bundle.clone()));
            scope = &link.before;
        }
        bundles.reverse();
        bundles
    }

    /// Returns the place before the newest bundle of a module, and how many
    /// bundles lie before it.
    pub(super) fn before(&self, module: u32) -> Option<(Scope, usize)> {
        let mut scope = self;
        while let Some(link) = &scope.0 {
            if link.module == module {
                return Some((link.before.clone(), link.before.bundles().len()));
            }
            scope = &link.before;
        }
        None
    }

    /// Returns the place behind a bundle of `module`. In a loop the bundle has
    /// a number, which becomes part of the path.
    pub(super) fn with(&self, module: u32, bundle: Value, turn: Option<u64>) -> Scope {
        let path = match turn {
            None => self.path(),
            Some(turn) => {
                let before = self.path();
                let separator = if before.is_empty() { "" } else { "/" };
                format!("{before}{separator}{module}.{turn}").into()
            }
        };
        Scope(Some(Arc::new(Link { module, bundle, path, before: self.clone() })))
    }

    /// Returns which bundles led here, such as `1.2/5.1`.
    pub(super) fn path(&self) -> Arc<str> {
        self.0.as_ref().map_or_else(|| Arc::from(""), |link| link.path.clone())
    }

    /// Returns the newest bundle.
    pub(super) fn newest(&self) -> Value {
        self.0.as_ref().map(|link| link.bundle.clone()).unwrap_or_default()
    }

    pub(super) fn find(&self, module: u32) -> Option<Value> {
        let mut scope = self;
        while let Some(link) = &scope.0 {
            if link.module == module {
                return Some(link.bundle.clone());
            }
            scope = &link.before;
        }
        None
    }
}

impl Drop for Link {
    /// Takes a long chain apart link by link, because the nested drops of ten
    /// thousand links would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.before.0.take();
        while let Some(link) = next {
            next = match Arc::try_unwrap(link) {
                Ok(mut link) => link.before.0.take(),
                Err(_) => None,
            };
        }
    }
}

/// What mappings can see at a place in a run.
pub(super) struct View<'a> {
    pub(super) scope: &'a Scope,
    pub(super) facts: &'a Facts,
    pub(super) chance: &'a SeededChance,
    pub(super) now: Timestamp,
    /// Key of the operation, where there is one.
    pub(super) key: &'a str,
    /// The module that takes what begins the run, if there is one.
    pub(super) start_module: Option<u32>,
    /// The first bundle that began the run.
    pub(super) start: &'a Value,
    pub(super) zone: &'a TimeZone,
    pub(super) semantics: &'a Semantics,
}

impl View<'_> {
    /// Returns the bundle that led here from the beginning: of several that
    /// began the run, the one below which this place is.
    fn begun_with(&self) -> Value {
        self.start_module.and_then(|module| self.scope.find(module)).unwrap_or_else(|| self.start.clone())
    }
}

impl Surroundings for View<'_> {
    fn bundle(&self, module: u32) -> Option<Value> {
        self.scope.find(module)
    }

    fn name(&self, name: &str) -> Option<Value> {
        match name {
            // Tutorials write `{{celonis.case_id}}` for what began the run.
            "celonis" => Some(self.begun_with()),
            "executionId" | "executionID" => Some(Value::text(self.facts.run.to_string())),
            "operationKey" => Some(Value::text(self.key)),
            "var" => {
                let scenario = Value::collection([
                    ("name", Value::text(&self.facts.name)),
                    ("id", Value::text(&self.facts.flow)),
                    ("executionId", Value::text(self.facts.run.to_string())),
                ]);
                let others = [("input", self.begun_with()), ("scenario", scenario)];
                Some(Value::collection(shared::told(&self.facts.variables).into_iter().chain(others)))
            }
            _ => None,
        }
    }

    fn semantics(&self) -> &Semantics {
        self.semantics
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn chance(&self) -> &dyn Chance {
        self.chance
    }

    fn zone(&self) -> TimeZone {
        self.zone.clone()
    }
}
