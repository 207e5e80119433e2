//! What can be seen from a place in a run: the bundles of the modules before.
//!
//! A scope is a chain of bundles, newest first; the bundles of one loop share
//! the rest of the chain.

use std::sync::Arc;

use base::chance::SeededChance;
use base::{Chance, Timestamp};

use super::machine::Facts;
use crate::mapping::Surroundings;
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

    fn find(&self, module: u32) -> Option<Value> {
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
    /// The bundle that began the run.
    pub(super) start: &'a Value,
}

impl Surroundings for View<'_> {
    fn bundle(&self, module: u32) -> Option<Value> {
        self.scope.find(module)
    }

    fn name(&self, name: &str) -> Option<Value> {
        match name {
            // Tutorials write `{{celonis.case_id}}` for what began the run.
            "celonis" => Some(self.start.clone()),
            "executionId" | "executionID" => Some(Value::text(self.facts.run.to_string())),
            "operationKey" => Some(Value::text(self.key)),
            "var" => Some(Value::collection([
                ("flow", self.facts.variables.clone()),
                ("input", self.start.clone()),
                (
                    "scenario",
                    Value::collection([
                        ("name", Value::text(&self.facts.name)),
                        ("id", Value::text(&self.facts.flow)),
                        ("executionId", Value::text(self.facts.run.to_string())),
                    ]),
                ),
            ])),
            _ => None,
        }
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn chance(&self) -> &dyn Chance {
        self.chance
    }
}
