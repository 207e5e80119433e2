//! Compose a string.

use crate::modules::{Behaviour, Module};
use crate::value::Value;

/// Makes a text of what is mapped into it.
pub const COMPOSE: Module = module!(
    "util:ComposeTransformer",
    versions[1],
    Behaviour::Pure(|call| {
        let text = call.input.field("value").to_text();
        Ok(vec![Value::collection([("value", Value::text(text))])])
    })
);
