//! The inputs of a `for_each_task`: a JSON array, an item per iteration.

use serde_json::Value as Json;

/// Iterations that one task may have.
const ITERATIONS_MAX: usize = 1_000;

/// Reads the array; the error is for the person who wrote it.
pub(crate) fn read(text: &str) -> Result<Vec<Json>, String> {
    let items = match serde_json::from_str(text) {
        Ok(Json::Array(items)) => items,
        Ok(_) => return Err(format!("\"{}\" is not a JSON array", start_of(text))),
        Err(error) => return Err(format!("\"{}\" is not a JSON array: {error}", start_of(text))),
    };
    if items.len() > ITERATIONS_MAX {
        return Err(format!("there are {} inputs, and {ITERATIONS_MAX} are allowed", items.len()));
    }
    Ok(items)
}

/// Returns what stands for a JSON value in a text: a text without its quotes.
pub(crate) fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Errors quote no more than this of what may be long.
fn start_of(text: &str) -> String {
    text.chars().take(60).collect()
}
