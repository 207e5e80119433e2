//! What can be done to records, as a function of the record before.

use serde_json::{Value as Json, json};

use crate::modules::{Class, ModuleError};
use crate::value::{Collection, Value};

/// A change of records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// A record is added; without a key it is given one.
    Add { key: String, data: Value, overwrites: bool },
    /// Fields of a record are set, the others stay.
    Update { key: String, data: Value, adds: bool, overwrites_arrays: bool },
    /// A record goes; none is there is no error.
    Delete { key: String },
    /// All records go.
    Clear,
}

impl Change {
    /// Returns whose record it changes; nothing means all.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Change::Add { key, .. } | Change::Update { key, .. } | Change::Delete { key } => Some(key),
            Change::Clear => None,
        }
    }

    /// Gives a key to a record that has none yet: the first 16 digits of that
    /// of the operation, so a repetition gives the same.
    pub(crate) fn with_key(mut self, operation: &str) -> Self {
        if let Change::Add { key, .. } = &mut self
            && key.is_empty()
        {
            operation.get(..16).unwrap_or(operation).clone_into(key);
        }
        self
    }

    /// Returns the bundle that the module gives.
    pub(crate) fn told(&self) -> Value {
        match self {
            Change::Add { key, .. } => Value::collection([("key", Value::text(key))]),
            _ => Value::collection::<String>([]),
        }
    }

    /// Returns what becomes of a record, or why it cannot be changed.
    pub(crate) fn apply(&self, before: Option<Value>) -> Result<Option<Value>, ModuleError> {
        match (self, before) {
            (Change::Add { key, overwrites: false, .. }, Some(_)) => {
                let message = format!("a record with the key \"{key}\" is there already");
                Err(ModuleError::new(Class::DuplicateDataError, message))
            }
            (Change::Add { data, .. }, _) => Ok(Some(filled(data))),
            (Change::Update { key, adds: false, .. }, None) => {
                let message = format!("there is no record with the key \"{key}\"");
                Err(ModuleError::new(Class::DataError, message))
            }
            (Change::Update { data, overwrites_arrays, .. }, before) => {
                Ok(Some(merged(&before.unwrap_or_else(nothing), data, *overwrites_arrays)))
            }
            (Change::Delete { .. } | Change::Clear, _) => Ok(None),
        }
    }

    pub(crate) fn to_stored(&self) -> Json {
        match self {
            Change::Add { key, data, overwrites } => {
                json!({"add": key, "data": data.to_stored(), "overwrites": overwrites})
            }
            Change::Update { key, data, adds, overwrites_arrays } => {
                json!({"update": key, "data": data.to_stored(), "adds": adds, "overwritesArrays": overwrites_arrays})
            }
            Change::Delete { key } => json!({"delete": key}),
            Change::Clear => json!("clear"),
        }
    }

    /// Reads what [`Change::to_stored`] wrote; nothing if it is something else.
    pub(crate) fn from_stored(json: &Json) -> Option<Self> {
        let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let is_on = |name: &str| json[name] == true;
        let data = || Value::from_stored(json["data"].clone());
        if let Some(key) = text("add") {
            return Some(Change::Add { key, data: data(), overwrites: is_on("overwrites") });
        }
        if let Some(key) = text("update") {
            let (adds, overwrites_arrays) = (is_on("adds"), is_on("overwritesArrays"));
            return Some(Change::Update { key, data: data(), adds, overwrites_arrays });
        }
        if let Some(key) = text("delete") {
            return Some(Change::Delete { key });
        }
        (json == "clear").then_some(Change::Clear)
    }
}

fn nothing() -> Value {
    Value::collection::<String>([])
}

fn filled(data: &Value) -> Value {
    if data.exists() { data.clone() } else { nothing() }
}

/// Sets what is filled in: an empty field stays as it was, `erase` empties it,
/// collections are merged, and arrays go on behind what was there.
fn merged(before: &Value, new: &Value, overwrites_arrays: bool) -> Value {
    match (before, new) {
        (_, Value::Absent) => before.clone(),
        (_, Value::Text(text)) if text.is_empty() => before.clone(),
        (Value::Collection(before), Value::Collection(new)) => {
            let mut fields: Collection = (**before).clone();
            for (name, value) in new.iter() {
                let old = fields.get(name).cloned().unwrap_or_default();
                let value = merged(&old, value, overwrites_arrays);
                if value != Value::Absent {
                    fields.insert(name.clone(), value);
                }
            }
            Value::Collection(fields.into())
        }
        (Value::Array(before), Value::Array(new)) if !overwrites_arrays => {
            Value::array(before.iter().chain(new.iter()).cloned().collect())
        }
        (Value::Absent | Value::Null, Value::Collection(_)) => merged(&nothing(), new, overwrites_arrays),
        _ => new.clone(),
    }
}
