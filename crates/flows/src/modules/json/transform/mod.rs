//! Transform to JSON.

use crate::modules::json::written;
use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Writes a value as JSON text; the safe way to put any text into JSON.
pub const TRANSFORM: Module = module!(
    "json:TransformToJSON",
    versions[1],
    Behaviour::Pure(|call| {
        let json = written(&call.input.field("object").to_json(), call.parameters);
        Ok(vec![Value::collection([("json", Value::text(json))])])
    })
);
