//! What `mining` asks of its neighbours, as narrow as it can be said.
//!
//! The two traits are implemented for `pools::Pools` and `events::Events`
//! where those are known; a test implements them in a few lines.

use base::db::Tx;
use base::{BoxFuture, Timestamp};
use serde_json::Value as Json;

use crate::Error;


/// Where data models are found.
pub trait DataModels: Send + Sync {
    /// Finds a data model by id, by `POOL/KEY`, or by a key that is unique.
    fn find<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<pools::DataModel, Error>>;
}

/// A field of a signal, named and typed as the event will show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The attribute's id.
    pub id: String,
    /// Its value when the trigger was evaluated.
    pub value: Json,
    /// `INT`, `FLOAT`, `DATE` or `STRING`.
    pub kind: &'static str,
    /// Whether this is the record's identifier.
    pub is_identifier: bool,
}

/// The fact that a trigger fired for a record instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The knowledge model's id, `package.key`.
    pub knowledge_model: String,
    /// The trigger's id in it.
    pub trigger: String,
    /// Unique per trigger: appending the same key twice appends once.
    pub key: String,
    /// The record instance as text.
    pub identifier: String,
    /// The same in its own type.
    pub typed_identifier: Json,
    /// Identifier first, then the trigger's outputs.
    pub fields: Vec<Field>,
    /// The instant of the evaluation, on the process clock.
    pub evaluated_at: Timestamp,
}

/// Where signals go.
pub trait Outbox: Send + Sync {
    /// Appends signals of one trigger to its log, in the caller's transaction.
    fn append(&self, tx: &mut dyn Tx, signals: &[Signal]) -> Result<(), Error>;

    /// Says, after the transaction is durable, that there is something new.
    fn nudge(&self, knowledge_model: &str, trigger: &str);
}
