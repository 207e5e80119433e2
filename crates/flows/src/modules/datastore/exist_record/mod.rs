//! Check the existence of a record.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::Act;

/// Tells whether there is a record. Mapper: `key`.
pub const EXIST_RECORD: Module = module!("datastore:ExistRecord", versions[1], Behaviour::Effect(exist));

fn exist(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let key = super::key(call)?;
    super::plan(call, Act::Exist { key })
}
