//! What the data says: event log, PQL, knowledge models, triggers, signals.
//!
//! A *data model* says which tables of a pool belong together and which of them
//! tells the story of a case. Here its rows become an [event log](log) in
//! memory: joined, in order, shared between those who ask and the commit that
//! comes next. [PQL](pql) asks it questions; a *knowledge model* gives names to
//! questions; a *trigger* is a question whose answer is watched.
//!
//! ```text
//!   commit n ─▶ root n ─▶ touched cases ─┐
//!                                        ├─▶ difference ─▶ one transaction: set, number, events
//!   the clock reaches a deadline ────────┘
//! ```
//!
//! What holds, always:
//!
//! * Triggers are evaluated at commits and at deadlines, nowhere else; nothing
//!   polls. The only reader of the process clock is this crate.
//! * The same evaluator takes all cases or a list of touched ones, so the two
//!   cannot disagree; a property test holds them to it.
//! * A signal is fired exactly once per episode: the matched set, the number up
//!   to which a model has fired and the appended events share a transaction
//!   that is conditional on nobody else having written.
//! * What matched before a trigger was published, or before its logic changed,
//!   is known and does not fire.
//!
//! Read on in this order: [`value`], [`pql`], [`log`], [`evaluate`], then the
//! knowledge model, its triggers, the watch, and [`Mining`], the facade.

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
mod views;
mod mining;
mod work;

pub use error::Error;
pub use mining::Mining;
pub use ports::{DataModels, Outbox, Signal};
pub use value::{Answer, AnswerColumn, Type, Value};
pub use views::{
    Class, ClockView, Counters, FieldView, Matched, ModelSummary, ModelTexts, Publication, RecordView, TriggerView,
};

use base::db::Migration;

/// The tables of this crate.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "mining/0001_models", sql: include_str!("../migrations/0001_models.sql") }];

#[cfg(test)]
mod tests;
