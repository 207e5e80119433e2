//! The event log in memory: the tables of a data model, joined and in order.
//!
//! [`EventLog`] is a *root*: cloning it costs a few thousand pointers, and a
//! commit is applied to a clone, copying only the blocks that it touches. So a
//! query holds a root for as long as it likes and never holds up a commit, and
//! the cost of a push grows with the push, not with the log.
//!
//! * [`blocks`]: vectors and maps that share what two roots have in common;
//! * [`table`]: typed columns, rows that live and die, keys;
//! * [`sides`]: which table of a join is the N-side;
//! * [`event_log`]: joins resolved to row numbers, cases with their events in
//!   order, and what a commit touches;
//! * [`load`]: from the rows of a pool to a root.
//!
//! Decisions that the rows do not make for us: events of a case stand in the
//! order of (time, sorting column, arrival); a row whose case, activity or time
//! is missing is no event and is only counted; of several rows of the case table
//! with one key the last arrival counts; keys with a missing part join nothing,
//! and keys that repeat on both sides of a join are refused.

mod blocks;
mod table;
mod sides;
mod event_log;
mod load;

pub use blocks::Chunked;
pub use event_log::{Applied, Case, EventLog, Touched};
pub use load::{load, load_at};
pub use table::{ColumnData, NO_CODE, NO_ROW, Table};
