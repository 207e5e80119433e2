//! Get a record.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::Act;

/// Reads a record. Mapper: `key`, `returnWrapped`.
pub const GET_RECORD: Module = module!("datastore:GetRecord", versions[1], Behaviour::Effect(get));

fn get(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let (key, is_wrapped) = (super::key(call)?, call.input.field("returnWrapped").truth());
    super::plan(call, Act::Get { key, is_wrapped })
}
