//! Set variable.

use crate::modules::{Behaviour, Call, Module};
use crate::value::Value;

/// Sets one variable; it is the bundle too, under its own name.
pub const SET_VARIABLE: Module = module!(
    "util:SetVariable2",
    versions[1],
    Behaviour::Pure(|call| {
        let (name, value) = set(call);
        Ok(vec![Value::collection([(name, value)])])
    })
);

/// The one of old blueprints, whose bundle has it as `value`.
pub const SET_VARIABLE_1: Module = module!(
    "util:SetVariable",
    versions[1],
    Behaviour::Pure(|call| {
        let (_, value) = set(call);
        Ok(vec![Value::collection([("value", value)])])
    })
);

fn set(call: &mut Call<'_>) -> (String, Value) {
    let (name, value) = (call.input.field("name").to_text(), call.input.field("value"));
    call.variables.insert_in_scope(name.clone(), value.clone(), &call.input.field("scope"));
    (name, value)
}
