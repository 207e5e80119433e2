//! Update a record.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::{Act, Change};

/// Sets fields of a record. Mapper: `key`, `data`, `upsert`, `overwriteArrays`.
pub const UPDATE_RECORD: Module = module!("datastore:UpdateRecord", versions[1], Behaviour::Effect(update));

fn update(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let (key, data) = (super::key(call)?, super::data(call)?);
    let (adds, overwrites_arrays) = (call.input.field("upsert").truth(), call.input.field("overwriteArrays").truth());
    super::plan(call, Act::Change(Change::Update { key, data, adds, overwrites_arrays }))
}
