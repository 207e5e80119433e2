//! Evaluating a plan over columns: for all rows, or for those of touched cases.
//!
//! An [`Evaluator`] stands on one root at one instant. Its scope is either
//! everything or a list of cases; the code is the same, only the frames differ:
//! a [`frame`] lists the rows of a table that take part, and every expression
//! yields a [`vector`] with one value per row of its frame.
//!
//! What depends on more than the cases in scope (a pull-up to a vendor, a
//! quantile over everything) is asked of the evaluator of the whole, which
//! keeps it for as long as the root lives.

mod vector;
mod frame;
mod evaluator;
mod scalar;
mod keys;
mod rows;
mod pattern;
mod worked;
mod moving;
mod aggregation;
mod window;
mod lookup;
mod process;
mod query;
mod names;

pub(crate) use aggregation::quantile_place;
pub use evaluator::Evaluator;
pub(crate) use evaluator::InScope;
pub use names::unheard;
pub use query::answer;
pub(crate) use vector::Places;
pub use vector::Vector;
