//! Start when a run ends.

use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// The end of a run of a workspace starts the flow. Parameters: `connection`,
/// `job`, `results`, `exceeds`.
pub const RUN_ENDED: Module = module!("databricks:RunEnded", versions[1], Behaviour::Start(ended));

/// What is brought is the bundle already.
fn ended(told: Value) -> Value {
    told
}
