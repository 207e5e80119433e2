//! Parse JSON.

use serde_json::Value as Json;

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Reads a JSON text. An object is one bundle, an array one for each element,
/// anything else one with `value`.
pub const PARSE: Module =
    module!("json:ParseJSON", versions[1], Behaviour::Pure(parse), json | _, field | field == "json");

fn parse(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let input = call.input.field("json");
    let value = match &input {
        Value::Text(_) | Value::Buffer(_) => {
            let json: Json = serde_json::from_slice(&input.to_bytes()).map_err(|problem| {
                ModuleError::new(Class::BundleValidationError, format!("source is not valid JSON: {problem}"))
            })?;
            Value::from_json(json)
        }
        Value::Absent | Value::Null => {
            return Err(ModuleError::new(Class::BundleValidationError, "missing value of required parameter \"json\""));
        }
        // It has been parsed before, e.g. by an HTTP module.
        other => other.clone(),
    };
    Ok(match value {
        Value::Collection(_) => vec![value],
        Value::Array(values) => values.iter().map(as_bundle).collect(),
        scalar => vec![as_bundle(&scalar)],
    })
}

fn as_bundle(value: &Value) -> Value {
    match value {
        Value::Collection(_) => value.clone(),
        other => Value::collection([("value", other.clone())]),
    }
}
