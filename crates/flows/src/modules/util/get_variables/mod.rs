//! Get multiple variables.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::Value;

/// Reads variables by their names, each of which is an item of the bundle.
pub const GET_VARIABLES: Module = module!("util:GetVariables", versions[1], Behaviour::Pure(get_variables));

fn get_variables(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let names = match call.input.field("variables") {
        Value::Array(names) => names.to_vec(),
        Value::Absent | Value::Null => Vec::new(),
        name => vec![name],
    };
    let found = names.iter().map(|name| {
        // Some blueprints have `{name: …}` in place of a name.
        let name = if let Value::Collection(_) = name { name.field("name").to_text() } else { name.to_text() };
        let value = call.variables.get(&name).cloned().unwrap_or_default();
        (name, value)
    });
    Ok(vec![Value::collection(found)])
}
