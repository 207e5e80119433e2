//! Evaluating a plan over columns: for all rows, or for those of touched cases.
//!
//! An [`Evaluator`] stands on one root at one instant. Its scope is either
//! everything or a list of cases; the code is the same, only the frames differ:
//! a [`frame`] lists the rows of a table that take part, and every expression
//! yields a [`vector`] with one value per row of its frame.
//!
//! A figure that several cases share and that is kept up to date elsewhere can be
//! [given]; then an evaluation for some cases looks at nothing but them.
//! Otherwise what depends on more than the cases in scope (a pull-up to a
//! vendor, a quantile over everything) is asked of the evaluator of the whole, which
//! keeps it for as long as the root lives.
//!
//! * [`evaluator`], [`places`], [`domains`], [`selection`], [`pull_up`]: from
//!   nodes to vectors, from grain to grain, and who satisfies a filter;
//! * [`vector`], [`operand`], [`row_list`], [`threads`]: what is read and
//!   written, in runs and on all processors;
//! * [`keys`], [`groups`], [`aggregation`], [`order`]: many values to one;
//! * [`query`]: select, group, order, cut.
//!
//! What comes out does not depend on how many threads there are.

mod threads;
mod row_list;
mod vector;
mod operand;
mod group_key;
mod frame;
mod evaluator;
mod places;
mod selection;
mod domains;
mod groups;
mod pull_up;
mod scalar;
mod keys;
mod order;
mod rows;
mod pattern;
mod worked;
mod moving;
mod exact_sum;
mod aggregation;
mod window;
mod lookup;
mod process;
mod query;
mod names;
mod given;
mod contributions;
mod reads;
mod sight;

pub(crate) use aggregation::{aggregate_list, quantile_place, sum_or_mean};
pub(crate) use contributions::Contribution;
pub use evaluator::Evaluator;
pub(crate) use evaluator::InScope;
pub(crate) use exact_sum::ExactSum;
pub(crate) use given::{Given, Group};
pub(crate) use group_key::{GroupKey, compare};
pub use names::{unheard, unheard_in_query};
pub(crate) use operand::Places;
pub use query::answer;
pub(crate) use reads::{has_shared, is_known, is_shared, stays_in_case};
pub(crate) use sight::{Sight, Sights};
pub use vector::Vector;
pub(crate) use worked::Calendars;
