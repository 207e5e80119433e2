//! Data stores: records by key that outlive runs.
//!
//! A store is for what a flow must know the next time: which orders it has
//! seen, what somebody answered. It has a name, limits, and perhaps a data
//! structure to which its records are converted.
//!
//! [`StoreCall`] is what a module asks for. Modules of stores are the
//! transactional ones of the original: with `autoCommit` a [`Change`] counts
//! at once; without it, the changes of a cycle wait until the cycle is
//! committed, and a rollback forgets them. What waits are the changes and not
//! the records that they lead to, so no change of another run is lost.

mod change;
mod search;

use base::Timestamp;
use serde_json::{Value as Json, json};

pub(crate) use change::Change;
pub(crate) use search::Search;

use crate::hook::Expected;
use crate::modules::{Class, ModuleError};
use crate::semantics::Semantics;
use crate::structure::Structure;
use crate::value::Value;
use jiff::tz::TimeZone;

/// What a store is set to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StoreSettings {
    /// What its records are made of, if that is said.
    pub structure: Option<Expected>,
    /// Numbers under which flows that were drawn elsewhere name it.
    pub imported_ids: Vec<u64>,
}

/// A store, as people see it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreInfo {
    /// What flows call it.
    pub name: String,
    /// What it is set to.
    pub settings: StoreSettings,
    /// How many records it has.
    pub records: u64,
    /// Bytes of their data.
    pub bytes: u64,
    /// When it or a record of it was last changed.
    pub updated_at: Timestamp,
}

impl StoreInfo {
    /// Writes it for the API.
    pub fn to_json(&self) -> Json {
        json!({
            "name": self.name,
            "structure": self.settings.structure.as_ref().map(Expected::to_json),
            "importedIds": self.settings.imported_ids,
            "records": self.records,
            "bytes": self.bytes,
            "updatedAt": self.updated_at,
        })
    }
}

/// A record of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// Its fields.
    pub data: Value,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How large stores may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Records of one store.
    pub records_max: u64,
    /// Bytes of one record.
    pub record_bytes_max: u64,
    /// Bytes of one store.
    pub bytes_max: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits { records_max: 100_000, record_bytes_max: 1 << 20, bytes_max: 256 << 20 }
    }
}

/// What a module asks of a store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoreCall {
    /// Name of the store, or `datastore:NUMBER` as a blueprint brought it.
    pub store: String,
    /// What is to be done there.
    pub(crate) act: Act,
}

/// What is to be done in a store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// Records change.
    Change(Change),
    /// One record is read; `is_wrapped` puts its fields below `data`.
    Get { key: String, is_wrapped: bool },
    /// Whether there is a record is asked.
    Exist { key: String },
    /// Records are looked for.
    Search(Search),
    /// Records are counted.
    Count,
}

/// Records as a run sees them: those of the store with its own changes, which
/// nobody else may see yet.
pub(crate) trait Shelf {
    /// Why it cannot be read.
    type Error;
    /// Returns the record of a key.
    fn record(&mut self, key: &str) -> Result<Option<Value>, Self::Error>;
    /// Calls `each` for the records in the order of their keys, while it
    /// returns true.
    fn each(&mut self, each: &mut dyn FnMut(&str, Value) -> bool) -> Result<(), Self::Error>;
    /// Returns how many records there are.
    fn count(&mut self) -> Result<u64, Self::Error>;
}

/// How a flow that asks reads open points, and what it may be given.
pub(crate) struct Asker<'a> {
    pub(crate) semantics: &'a Semantics,
    pub(crate) zone: &'a TimeZone,
    /// Bytes of what it is given at most.
    pub(crate) bytes_max: usize,
}

impl Act {
    /// Reads what is asked for. A change reads nothing.
    pub(crate) fn read<S: Shelf>(
        &self,
        shelf: &mut S,
        asker: &Asker<'_>,
    ) -> Result<Result<Vec<Value>, ModuleError>, S::Error> {
        let bundle = |name: &str, value: Value| Ok(vec![Value::collection([(name, value)])]);
        Ok(match self {
            Act::Change(_) => Ok(Vec::new()),
            Act::Get { key, is_wrapped } => match (shelf.record(key)?, is_wrapped) {
                (None, _) => Ok(vec![Value::collection::<String>([])]),
                (Some(data), false) => Ok(vec![data]),
                (Some(data), true) => Ok(vec![Value::collection([("key", Value::text(key)), ("data", data)])]),
            },
            Act::Exist { key } => bundle("exist", Value::Bool(shelf.record(key)?.is_some())),
            Act::Count => bundle("count", Value::Int(shelf.count()? as i64)),
            Act::Search(search) => search.run(shelf, asker)?,
        })
    }
}

/// Holds the data of a record against the structure of its store and the
/// limit of its size; returns it with its stored form.
pub(crate) fn judged(
    data: Value,
    structure: Option<&Structure>,
    limits: &StoreLimits,
) -> Result<(Value, String), ModuleError> {
    let data = match structure {
        None => data,
        Some(structure) => structure.fit(&data).map_err(|mismatch| {
            ModuleError::new(Class::BundleValidationError, format!("the record does not fit at {mismatch}"))
        })?,
    };
    let stored = data.to_stored().to_string();
    let (size, max) = (stored.len() as u64, limits.record_bytes_max);
    if size > max {
        let message =
            format!("the record has {size} bytes, and at most {max} are allowed (data_store_record_bytes_max)");
        return Err(ModuleError::new(Class::DataError, message));
    }
    Ok((data, stored))
}

/// Records in memory: of the cases of a flow, which touch no store.
pub(crate) type InMemory = std::collections::BTreeMap<String, Value>;

impl Shelf for InMemory {
    type Error = std::convert::Infallible;

    fn record(&mut self, key: &str) -> Result<Option<Value>, Self::Error> {
        Ok(self.get(key).cloned())
    }

    fn each(&mut self, each: &mut dyn FnMut(&str, Value) -> bool) -> Result<(), Self::Error> {
        for (key, data) in self.iter() {
            if !each(key, data.clone()) {
                break;
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<u64, Self::Error> {
        Ok(self.len() as u64)
    }
}

/// Does there what a module asks for; `key` is that of its operation.
pub(crate) fn perform_in_memory(shelf: &mut InMemory, call: &StoreCall, key: &str) -> Result<Vec<Value>, ModuleError> {
    let asker = Asker { semantics: &Semantics::default(), zone: &TimeZone::UTC, bytes_max: usize::MAX };
    let Act::Change(change) = &call.act else {
        return call.act.read(shelf, &asker).unwrap_or_else(|never| match never {});
    };
    let change = change.clone().with_key(key);
    let keys: Vec<String> = match change.key() {
        Some(key) => vec![key.to_owned()],
        None => shelf.keys().cloned().collect(),
    };
    for key in keys {
        match change.apply(shelf.get(&key).cloned())? {
            Some(data) => shelf.insert(key, judged(data, None, &StoreLimits::default())?.0),
            None => shelf.remove(&key),
        };
    }
    Ok(vec![change.told()])
}

#[cfg(test)]
mod tests;
