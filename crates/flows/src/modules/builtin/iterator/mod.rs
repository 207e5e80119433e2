//! Iterator.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::{Collection, Value};

/// Makes a bundle of each element of an array.
pub const ITERATOR: Module = module!("builtin:BasicFeeder", versions[1], Behaviour::Loop(iterate));

fn iterate(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let elements = match call.input.field("array") {
        Value::Array(elements) => elements.to_vec(),
        Value::Absent | Value::Null => Vec::new(),
        single => vec![single],
    };
    Ok(numbered(elements))
}

/// Makes bundles of values, each of which knows its place and their number.
pub(in crate::modules) fn numbered(values: Vec<Value>) -> Vec<Value> {
    let length = Value::Int(values.len() as i64);
    let bundle = |(place, value): (usize, Value)| {
        let mut fields = match value {
            Value::Collection(fields) => (*fields).clone(),
            other => Collection::from_iter([("value".to_owned(), other)]),
        };
        fields.insert("__IMTINDEX__".into(), Value::Int(place as i64 + 1));
        fields.insert("__IMTLENGTH__".into(), length.clone());
        Value::collection(fields)
    };
    values.into_iter().enumerate().map(bundle).collect()
}
