//! The matched set of a trigger as it is stored, and differences to it.
//!
//! A record instance is known to the set from the first time that it enters;
//! its episodes are counted from there, also after it has left.

use std::sync::Arc;

use base::Timestamp;
use serde_json::Value as Json;

use crate::ports::{Field, Signal};
use crate::value::Type;

/// How a record instance stands to the matched set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It was in it once.
    Out,
    /// It is in it.
    In,
    /// It had to make room for a newer one. It comes back when it has stopped
    /// to satisfy the trigger and starts again; else the two would push each
    /// other out for ever, firing each time.
    Displaced,
}

impl Standing {
    /// Reads what [`Standing::code`] wrote.
    pub(crate) fn of(code: i64) -> Self {
        match code {
            0 => Standing::Out,
            2 => Standing::Displaced,
            _ => Standing::In,
        }
    }

    /// Returns the number under which it is stored.
    pub(crate) fn code(self) -> i64 {
        match self {
            Standing::Out => 0,
            Standing::In => 1,
            Standing::Displaced => 2,
        }
    }
}

/// What is durable of a record instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Whether it matches.
    pub(crate) standing: Standing,
    /// For the how-manieth time.
    pub(crate) episode: u64,
    /// Since this instant.
    pub(crate) since: Timestamp,
}

/// A record instance that starts to match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Enter {
    pub(crate) identifier: Arc<str>,
    pub(crate) episode: u64,
    pub(crate) typed: Json,
    pub(crate) fields: Vec<Field>,
}

/// By how much the target differs from what is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Difference {
    pub(crate) enters: Vec<Enter>,
    /// They no longer satisfy the trigger.
    pub(crate) leaves: Vec<Arc<str>>,
    /// They do, but make room.
    pub(crate) displaced: Vec<Arc<str>>,
}

impl Difference {
    pub(crate) fn len(&self) -> usize {
        self.enters.len() + self.leaves.len() + self.displaced.len()
    }
}

/// Writes the signal of an instance that starts to match.
pub(crate) fn signal(model: &str, trigger: &str, enter: &Enter, at: Timestamp) -> Signal {
    let mut fields = enter.fields.clone();
    fields.push(Field {
        id: "evaluatedAt".to_owned(),
        value: Json::from(at.to_string()),
        kind: kind(Type::Date),
        is_identifier: false,
    });
    Signal {
        knowledge_model: model.to_owned(),
        trigger: trigger.to_owned(),
        key: format!("{trigger}/{}/{}", enter.identifier, enter.episode),
        identifier: enter.identifier.to_string(),
        typed_identifier: enter.typed.clone(),
        fields,
        evaluated_at: at,
    }
}

/// Names a type as the event does.
pub(crate) fn kind(field_type: Type) -> &'static str {
    match field_type {
        Type::Int => "INT",
        Type::Float => "FLOAT",
        Type::Date => "DATE",
        Type::String => "STRING",
    }
}
