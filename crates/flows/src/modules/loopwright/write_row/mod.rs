//! One row into a pool.

use super::push_rows;
use crate::modules::{Behaviour, Call, Class, Module, ModuleError, Plan};
use crate::value::Value;

/// Writes one row, over the one that has the same key.
pub const WRITE_ROW: Module = module!("loopwright:WriteRow", versions[1], Behaviour::Effect(write));

fn write(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    match call.input.field("row") {
        row @ Value::Collection(_) => push_rows::plan(call, &row),
        other if other.is_empty() => {
            let message = "missing value of required parameter \"row\"";
            Err(ModuleError::new(Class::BundleValidationError, message))
        }
        _ => Err(ModuleError::new(Class::BundleValidationError, "row: it is no collection of named values")),
    }
}
