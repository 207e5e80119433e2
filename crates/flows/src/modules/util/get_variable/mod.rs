//! Get variable.

use crate::modules::{Behaviour, Call, Module};
use crate::value::Value;

/// Reads a variable, also one that was set on another route.
pub const GET_VARIABLE: Module =
    module!("util:GetVariable2", versions[1], Behaviour::Pure(|call| Ok(vec![Value::collection([found(call)])])));

/// The one of old blueprints, whose bundle has it as `value`.
pub const GET_VARIABLE_1: Module = module!(
    "util:GetVariable",
    versions[1],
    Behaviour::Pure(|call| Ok(vec![Value::collection([("value", found(call).1)])]))
);

fn found(call: &Call<'_>) -> (String, Value) {
    let name = call.input.field("name").to_text();
    let value = call.variables.get(&name).cloned().unwrap_or_default();
    (name, value)
}
