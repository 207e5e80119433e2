//! Add or replace a record.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::{Act, Change};

/// Adds a record. Mapper: `key` (empty for a new one), `data`, `overwrite`.
pub const ADD_RECORD: Module = module!("datastore:AddRecord", versions[1], Behaviour::Effect(add));

fn add(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let (key, data) = (super::key_or_none(call)?, super::data(call)?);
    let overwrites = call.input.field("overwrite").truth();
    super::plan(call, Act::Change(Change::Add { key, data, overwrites }))
}
