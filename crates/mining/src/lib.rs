//! What the data says: event log, PQL, knowledge models, triggers, signals.

mod error;
pub mod value;
pub mod ports;
pub mod pql;
pub mod log;
pub mod evaluate;
mod knowledge_model;
mod trigger;
mod clock;
mod watch;
mod tables;
mod live;
mod mining;
mod work;

pub use error::Error;
pub use mining::{
    Class, ClockView, Counters, FieldView, Matched, Mining, ModelSummary, ModelTexts, Publication, RecordView,
    TriggerView,
};
pub use ports::{DataModels, Outbox, Signal};
pub use value::{Answer, AnswerColumn, Type, Value};

use base::db::Migration;

/// The tables of this crate.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "mining/0001_models", sql: include_str!("../migrations/0001_models.sql") }];

#[cfg(test)]
mod tests;
