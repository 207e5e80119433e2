//! Variables of a run: the only way from one route to another.

use std::collections::BTreeSet;

use crate::value::{Collection, Value};

/// The variables of a run. Those of a cycle are gone when it ends.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    values: Collection,
    of_cycle: BTreeSet<String>,
}

/// Under this name lies what the run gives back; no name of a user begins so.
const OUTPUTS: &str = "\u{0}outputs";

impl Variables {
    /// Returns a variable.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Sets a variable until the run ends.
    pub fn insert(&mut self, name: String, value: Value) {
        self.of_cycle.remove(&name);
        self.values.insert(name, value);
    }

    /// Sets a variable until its cycle ends.
    pub fn insert_for_cycle(&mut self, name: String, value: Value) {
        self.of_cycle.insert(name.clone());
        self.values.insert(name, value);
    }

    /// Sets a variable for as long as its `scope` says: `roundtrip` is a cycle,
    /// which is also meant where nothing is said.
    pub fn insert_in_scope(&mut self, name: String, value: Value, scope: &Value) {
        match scope.as_text() {
            Some("execution") => self.insert(name, value),
            _ => self.insert_for_cycle(name, value),
        }
    }

    /// Sets what the run gives back to whoever called it.
    pub fn set_outputs(&mut self, outputs: Value) {
        self.insert(OUTPUTS.into(), outputs);
    }

    /// Returns what the run gives back.
    pub fn outputs(&self) -> Option<&Value> {
        self.get(OUTPUTS)
    }

    /// Forgets the variables of a cycle.
    pub(super) fn end_cycle(&mut self) {
        for name in std::mem::take(&mut self.of_cycle) {
            self.values.shift_remove(&name);
        }
    }

    /// Writes them down, those of the cycle apart.
    pub(super) fn to_value(&self) -> Value {
        let names = self.of_cycle.iter().map(Value::text).collect();
        Value::collection([("values", Value::collection(self.values.clone())), ("ofCycle", Value::array(names))])
    }

    /// Reads what [`Variables::to_value`] wrote.
    pub(super) fn from_value(value: &Value) -> Self {
        let values = match value.field("values") {
            Value::Collection(values) => (*values).clone(),
            _ => Collection::new(),
        };
        let of_cycle = match value.field("ofCycle") {
            Value::Array(names) => names.iter().map(Value::to_text).collect(),
            _ => BTreeSet::new(),
        };
        Variables { values, of_cycle }
    }
}
