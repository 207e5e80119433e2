//! The machine that walks through a program.
//!
//! [`Machine`] is a pure function with a memory: given the start bundles and,
//! one after the other, what came of its effects, it always asks for the same
//! effects in the same order. It walks depth first, bundle by bundle, until
//! the next effect, and stops there with an [`Intent`]. The world is none of
//! its business; `work` performs the intent between two commits and gives the
//! result back.

mod machine;
mod place;
mod scope;
pub(crate) mod shared;
mod variables;

pub use machine::{Ending, Facts, Intent, Machine, Stop};
pub use place::{Incomplete, Place, Retry};
pub use variables::Variables;
