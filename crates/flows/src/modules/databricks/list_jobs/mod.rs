//! Which jobs there are.

use crate::databricks::act::Act;
use crate::databricks::body::invalid;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Jobs if nothing is said.
const USUAL: i64 = 100;
/// Jobs at most.
const MOST: i64 = 10_000;

/// Lists the jobs of a workspace; each is a bundle.
pub const LIST_JOBS: Module = module!("databricks:ListJobs", versions[1], Behaviour::Effect(list));

fn list(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let name = Some(call.input.field("name").to_text()).filter(|name| !name.is_empty());
    let limit = match call.input.field("limit") {
        value if value.is_empty() => USUAL,
        value => value
            .to_i64()
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| invalid(format!("limit: \"{}\" is not a number from 1 to {MOST}", value.to_text())))?,
    };
    super::planned(call, LIST_JOBS.name, Act::List { name, limit: limit as usize })
}
