//! Tools: variables, sleep, texts, aggregation.

pub mod basic_trigger;
pub mod set_variables;
pub mod set_variable;
pub mod get_variables;
pub mod get_variable;
pub mod sleep;
pub mod increment;
pub mod compose;
pub mod switch;
pub mod text_aggregator;
pub mod numeric_aggregator;
pub mod table_aggregator;

use serde_json::{Map, Value as Json};

/// Returns the text between rows or columns that a setting names, and beside it
/// the setting that has another one.
fn separator<'a>(parameters: &'a Map<String, Json>, name: &str, other: &str, otherwise: &'static str) -> &'a str {
    let parameter = |name: &str| parameters.get(name).and_then(Json::as_str);
    match parameter(name) {
        None => otherwise,
        // Blueprints hold the two letters, not the character.
        Some("\\n") => "\n",
        Some("\\t") => "\t",
        Some("other") => parameter(other).unwrap_or_default(),
        Some(separator) => separator,
    }
}
