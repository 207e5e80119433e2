//! JSON texts and what they say.

use serde_json::Value as Json;

use super::{Behaviour, Call, Class, Module, ModuleError, nothing_is_json};
use crate::value::Value;

/// Reads a JSON text. An object is one bundle, an array one for each element,
/// anything else one with `value`.
pub const PARSE: Module = Module {
    name: "json:ParseJSON",
    versions: &[1],
    schema: include_str!("parse.json"),
    behaviour: Behaviour::Pure(parse),
    is_json: |_, field| field == "json",
};

/// Writes a value as JSON text; the safe way to put any text into JSON.
pub const TRANSFORM: Module = Module {
    name: "json:TransformToJSON",
    versions: &[1],
    schema: include_str!("transform.json"),
    behaviour: Behaviour::Pure(transform),
    is_json: nothing_is_json,
};

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

fn transform(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let json = call.input.field("object").to_json();
    let indent = match call.parameters.get("space") {
        Some(Json::String(space)) if space == "tab" => "\t".to_owned(),
        Some(Json::String(space)) => " ".repeat(space.parse().unwrap_or(0)),
        Some(Json::Number(space)) => " ".repeat(space.as_u64().unwrap_or(0).min(10) as usize),
        _ => String::new(),
    };
    let text = if indent.is_empty() { json.to_string() } else { indented(&json, &indent) };
    Ok(vec![Value::collection([("json", Value::text(text))])])
}

fn indented(json: &Json, indent: &str) -> String {
    use serde::Serialize as _;
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    json.serialize(&mut serializer).expect("a JSON value can be written into memory");
    String::from_utf8_lossy(&bytes).into_owned()
}
