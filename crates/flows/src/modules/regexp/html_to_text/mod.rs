//! HTML to text.

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::Value;

/// Writes HTML as plain text. Mapper: `html`, `newline`, `uppercaseHeadings`.
pub const HTML_TO_TEXT: Module = module!("regexp:HTMLToText", versions[1], Behaviour::Pure(convert));

fn convert(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let newline = match call.input.field("newline").to_text().as_str() {
        "crlf" => "\r\n",
        "cr" => "\r",
        _ => "\n",
    };
    let text = super::html::to_text(&call.input.field("html").to_text(), call.input.field("uppercaseHeadings").truth());
    Ok(vec![Value::collection([("text", Value::text(text.replace('\n', newline)))])])
}
