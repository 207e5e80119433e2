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
//! The words of this crate: a *case* is one run of the business process, its
//! *events* stand in the order of (time, sorting column, arrival). A *record
//! instance* is what a trigger watches, an order or a vendor. The instances
//! that satisfy a trigger are its *matched set*; one that enters it begins an
//! *episode* and fires a *signal*. A *root* is the event log at one commit. The
//! *process clock* is what NOW() reads; a *deadline* is an instant of it at
//! which time alone changes an answer.
//!
//! What holds, always:
//!
//! * Triggers are evaluated at commits and at deadlines, nowhere else; nothing
//!   polls. The only reader of the process clock is this crate.
//! * A signal fires exactly once per episode: the matched set, the number up
//!   to which a model has fired and the appended events share a transaction
//!   that is conditional on nobody else having written.
//! * The same evaluator takes all cases or a list of touched ones, so the two
//!   cannot disagree; a property test holds them to it, and what fires to a
//!   naive oracle that looks at everything at every instant.
//! * The cost of a commit grows with the commit: a trigger looks at the cases
//!   that it touches, that are due, and that a shared figure passes on its way.
//!   What cannot be followed like that runs at its own pace and delays nobody.
//! * A model whose evaluation fails stops alone, and catches up later.
//! * A cap holds signals back in order and loses none.
//! * An episode ends once and never before it began; those that have not ended
//!   are the matched set.
//! * What matched before a trigger was published, or before its logic or the
//!   joins of its data model changed, is known and does not fire.
//! * What a knowledge model says about a trigger is obeyed or refused; what has
//!   no effect elsewhere is [told](Notice).
//! * A question holds a root, never a lock, while it is answered.
//! * A data model that cannot be followed is reported, rests, and keeps no
//!   other one from being followed; what its models match is kept meanwhile.
//! * What does not fit into the memory for data models is refused with the
//!   figures.
//!
//! What does not hold: where a table was replaced or flushed by hand before
//! anybody evaluated its last commits, the log is loaded at the head of its
//! pool, and what entered and left again in those commits fires no signal.
//!
//! Read on in this order:
//!
//! 1. [`value`], [`calendar`], [`ports`]: values, working time, and what is
//!    asked of the neighbours;
//! 2. [`pql`], [`log`], [`evaluate`]: from text to plan, from rows to roots,
//!    from both to answers;
//! 3. `knowledge_model`, `notices`, `unheard`, `model_check`, `trigger`: what a person
//!    writes, checked; `versions` and `difference`: what was published when;
//! 4. `figures`, `reach`: what several cases share, kept up to date, and how far
//!    a change reaches; `detect`: what PQL cannot say;
//! 5. `clock`, `matched_set`, `crossings`, `watch`: who matches a trigger, until
//!    when, and who is asked when a figure moves;
//! 6. `pace`, `tables`, `live`, `post`, `presence`, `standing`: what is sent
//!    when, what is stored, what is in memory, how the second follows the rows
//!    and the first follows the second, and what becomes of data that cannot be
//!    loaded;
//! 7. `data`, `description`, [`explore`], [`backtest`], [`episodes`]: what others
//!    ask of a model, by its own names, and of what became of its instances;
//! 8. [`Mining`], the facade, and `work`, which follows in the background.

mod error;
pub mod value;
pub mod calendar;
mod dates;
pub mod ports;
pub mod pql;
pub mod log;
pub mod evaluate;
mod detect;
mod tree;
mod model_form;
mod knowledge_model;
mod notices;
mod unheard;
mod model_check;
mod figures;
mod reach;
mod trigger;
mod clock;
mod matched_set;
mod crossings;
mod watch;
mod pace;
mod tables;
mod live;
mod post;
mod presence;
mod standing;
mod views;
mod difference;
mod versions;
pub mod episodes;
mod data;
mod description;
mod mining;
mod work;
pub mod explore;
pub mod backtest;

pub use data::{DataAnswer, DataQuestion, FIELDS_MAX, FieldSummary, Header, QuestionFault, RECORDS_MAX, Search};
pub use description::{FieldShown, FilterShown, KpiShown, ModelDescription, RecordShown};
pub use difference::{Change, KeyDifference, ModelDifference, ObjectDifference};
pub use error::{Error, ModelMistake};
pub use knowledge_model::{About, ColumnType, Direction, Source};
pub use mining::Mining;
pub use notices::Notice;
pub use ports::{DataModelNews, DataModels, Outbox, Reason, Signal};
pub use presence::{DataModelState, DataModelView, LoadView};
pub use standing::Fate;
pub use value::{Answer, AnswerColumn, Type, Value};
pub use versions::{Findings, VersionView, Which};
pub use views::{
    Class, ClockView, Counters, FieldView, Following, Held, Matched, ModelStanding, ModelSummary, ModelTexts, Preview,
    Publication, RecordView, TriggerStanding, TriggerView,
};

use base::db::Migration;

/// The tables of this crate.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "mining/0001_models", sql: include_str!("../migrations/0001_models.sql") },
    Migration { name: "mining/0002_triggers", sql: include_str!("../migrations/0002_triggers.sql") },
    Migration { name: "mining/0003_models", sql: include_str!("../migrations/0003_models.sql") },
    Migration { name: "mining/0004_episodes", sql: include_str!("../migrations/0004_episodes.sql") },
];

#[cfg(test)]
mod tests;
