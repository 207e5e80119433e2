//! JSON texts and what they say.

pub mod parse;
pub mod create;
pub mod transform;
pub mod aggregate;

use serde::Serialize as _;
use serde_json::{Map, Value as Json};

/// Writes JSON as the parameter `space` asks for: in one line, or indented by
/// a tab or by so many blanks.
fn written(json: &Json, parameters: &Map<String, Json>) -> String {
    let indent = match parameters.get("space") {
        Some(Json::String(space)) if space == "tab" => "\t".to_owned(),
        Some(Json::String(space)) => " ".repeat(space.parse().unwrap_or(0).min(10)),
        Some(Json::Number(space)) => " ".repeat(space.as_u64().unwrap_or(0).min(10) as usize),
        _ => String::new(),
    };
    if indent.is_empty() {
        return json.to_string();
    }
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    json.serialize(&mut serializer).expect("a JSON value can be written into memory");
    String::from_utf8_lossy(&bytes).into_owned()
}
