//! Delete a record.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::store::{Act, Change};

/// Removes a record. Mapper: `key`.
pub const DELETE_RECORD: Module = module!("datastore:DeleteRecord", versions[1], Behaviour::Effect(delete));

fn delete(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let key = super::key(call)?;
    super::plan(call, Act::Change(Change::Delete { key }))
}
