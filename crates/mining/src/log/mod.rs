//! The event log in memory: the tables of a data model, joined and in order.
//!
//! [`EventLog`] is a *root*. Most of it is a *base* that never changes: packed
//! columns, the events of a case one after the other. Beside it stands an
//! *overlay* of what came later, in small blocks that roots share. So cloning
//! a root costs next to nothing, a commit costs what it touches, a query holds
//! a root for as long as it likes, and none of that grows with the log. In the
//! background the overlay is *folded* into a new base from time to time.
//!
//! * [`blocks`]: vectors and maps that share what two roots have in common;
//! * [`narrow`], [`words`]: arrays as narrow as their values allow, and texts;
//! * [`column`], [`table`]: values, rows that live and die;
//! * [`keys`], [`groups`]: finding rows by their keys, and those that belong
//!   together;
//! * [`sides`]: which table of a join is the N-side;
//! * [`event_log`]: joins resolved to row numbers, cases with their events in
//!   order, and what a commit touches;
//! * [`build`], [`fold`], [`renumbering`], [`load`]: from rows to a base, from
//!   base and overlay to a base and which row is which, from the rows of a pool
//!   to a root;
//! * [`size`]: what it takes, and whether there is room.
//!
//! Decisions that the rows do not make for us: events of a case stand in the
//! order of (time, sorting column, arrival); a row whose case, activity or time
//! is missing is no event and is only counted; of several rows of the case table
//! with one key the last arrival counts; keys with a missing part join nothing,
//! and keys that repeat on both sides of a join are refused.

mod blocks;
mod narrow;
mod words;
mod column;
mod table;
mod keys;
mod groups;
mod sides;
mod event_log;
mod build;
mod fold;
mod renumbering;
mod load;
mod size;

pub use column::Column;
pub use event_log::{Applied, Case, EventLog, Touched};
pub use groups::Events;
pub use load::{load, load_at};
pub use size::{ColumnSize, Room, Size, TableSize};
pub use table::{NO_CODE, NO_ROW, Table};
pub use words::Words;

pub(crate) use column::Base;
pub(crate) use groups::Runs;
pub(crate) use narrow::{Bitmap, Ints, Narrow, PARALLEL_MIN, fill, map_ranges, threads};
pub(crate) use renumbering::Renumbering;
pub(crate) use words::{WordBlock, hash_number};
