//! Delete all records.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::{Act, Change};

/// Empties a store.
pub const DELETE_ALL_RECORDS: Module = module!("datastore:DeleteAllRecords", versions[1], Behaviour::Effect(clear));

fn clear(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    super::plan(call, Act::Change(Change::Clear))
}
