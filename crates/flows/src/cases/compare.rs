//! What is expected beside what there is.

use serde_json::Value as Json;

/// Letters of a value that a difference shows.
const SHOWN_MAX: usize = 160;

/// Compares `actual` with `expected` and adds a sentence for each difference.
///
/// A collection may have more than is expected; a list may not. A star in a
/// text stands for any letters, and a star alone for anything that is there.
/// Numbers are compared as numbers.
pub(super) fn compare(place: &str, expected: &Json, actual: &Json, differences: &mut Vec<String>) {
    match (expected, actual) {
        (Json::Object(expected), Json::Object(actual)) => {
            for (name, value) in expected {
                let place = join(place, name);
                compare(&place, value, actual.get(name).unwrap_or(&Json::Null), differences);
            }
        }
        (Json::Array(expected), Json::Array(actual)) => {
            for (number, value) in expected.iter().enumerate() {
                // Counted from 1, as everywhere in flows.
                let place = format!("{place}[{}]", number + 1);
                compare(&place, value, actual.get(number).unwrap_or(&Json::Null), differences);
            }
            if actual.len() > expected.len() {
                let more = short(&actual[expected.len()]);
                let (is, was) = (actual.len(), expected.len());
                differences.push(format!("{place}: {is} elements instead of {was}; the first one too many is {more}"));
            }
        }
        (expected, actual) if !is_same(expected, actual) => {
            let actual = if actual.is_null() { "nothing".into() } else { short(actual) };
            let expected = if expected.is_null() { "nothing".into() } else { short(expected) };
            differences.push(format!("{place}: expected {expected}, but it is {actual}"));
        }
        _ => {}
    }
}

fn join(place: &str, name: &str) -> String {
    let is_plain = name.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '-'));
    match (place.is_empty(), is_plain) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{place}.{name}"),
        (false, false) => format!("{place}.`{name}`"),
    }
}

fn is_same(expected: &Json, actual: &Json) -> bool {
    match (expected, actual) {
        (Json::String(pattern), actual) if pattern == "*" => !actual.is_null(),
        (Json::String(pattern), Json::String(text)) => fits(pattern, text),
        (Json::Number(expected), Json::Number(actual)) => expected == actual || expected.as_f64() == actual.as_f64(),
        _ => expected == actual,
    }
}

/// Tells whether a text fits a pattern in which a star stands for any letters.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    true
}

/// Writes a value in few letters.
pub(super) fn short(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
