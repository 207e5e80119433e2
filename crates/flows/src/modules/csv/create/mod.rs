//! Create CSV.

use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde_json::Value as Json;

use crate::modules::csv::delimiter;
use crate::modules::{Behaviour, Class, Gathered, Module, ModuleError};
use crate::value::Value;

/// Writes the items that are ticked, for each bundle of its feeder.
pub const CREATE: Module = module!("csv:CreateCSV", versions[1], Behaviour::Aggregator(create));

/// The same with columns of a data structure, each of which is mapped.
pub const CREATE_ADVANCED: Module = module!("csv:CreateCSVAdvanced", versions[1], Behaviour::Aggregator(create));

fn create(gathered: &Gathered<'_>) -> Result<Value, ModuleError> {
    let parameter = |name: &str| gathered.parameters.get(name);
    let text = |name: &str| parameter(name).and_then(Json::as_str).unwrap_or_default();
    let has_headers = parameter("includeHeaders").and_then(Json::as_bool).unwrap_or(true);
    let ending =
        if matches!(text("newline"), "crlf" | "\r\n" | "\\r\\n") { Terminator::CRLF } else { Terminator::Any(b'\n') };
    // The original quotes everything, so that a text of digits stays a text.
    let mut writer = WriterBuilder::new()
        .delimiter(delimiter(text("delimiter"), text("otherDelimiter"))?)
        .quote_style(QuoteStyle::Always)
        .terminator(ending)
        .flexible(true)
        .from_writer(Vec::new());
    let headers = has_headers.then(|| gathered.fields.to_vec());
    let rows = gathered.items.iter().map(|item| gathered.fields.iter().map(|field| cell(&item.field(field))).collect());
    let written = headers
        .into_iter()
        .chain(rows)
        .filter(|row: &Vec<String>| !row.is_empty())
        .try_for_each(|row| writer.write_record(row));
    let unwritten =
        |problem: String| ModuleError::new(Class::RuntimeError, format!("the CSV cannot be written: {problem}"));
    written.map_err(|problem| unwritten(problem.to_string()))?;
    let bytes = writer.into_inner().map_err(|problem| unwritten(problem.to_string()))?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    // Lines are ended, the text is not.
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(Value::collection([("text", Value::text(text))]))
}

/// A value as the original writes it, which is what JavaScript makes of it.
fn cell(value: &Value) -> String {
    match value {
        Value::Collection(_) => "[object Object]".to_owned(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_text(),
    }
}
