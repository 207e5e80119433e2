//! Count records.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::Act;

/// Tells how many records a store has.
pub const COUNT_RECORDS: Module = module!("datastore:CountRecords", versions[1], Behaviour::Effect(count));

fn count(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    super::plan(call, Act::Count)
}
