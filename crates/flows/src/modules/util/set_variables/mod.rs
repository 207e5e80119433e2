//! Set multiple variables.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::{Collection, Value};

/// Sets several variables; they are the bundle too.
pub const SET_VARIABLES: Module = module!("util:SetVariables", versions[1], Behaviour::Pure(set_variables));

fn set_variables(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let mut bundle = Collection::new();
    if let Value::Array(entries) = call.input.field("variables") {
        for entry in entries.iter() {
            let name = entry.field("name").to_text();
            let value = entry.field("value");
            call.variables.insert_in_scope(name.clone(), value.clone(), &call.input.field("scope"));
            bundle.insert(name, value);
        }
    }
    Ok(vec![Value::collection(bundle)])
}
