//! Create JSON.

use crate::modules::json::written;
use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Writes its fields as a JSON text. What a field comes to decides how it is
/// written: numbers and truths without quotes, dates as ISO 8601; a field that
/// comes to nothing is left out.
pub const CREATE: Module = module!(
    "json:CreateJSON",
    versions[1],
    Behaviour::Pure(|call| {
        let json = written(&call.input.to_json(), call.parameters);
        Ok(vec![Value::collection([("json", Value::text(json))])])
    })
);
