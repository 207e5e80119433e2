//! Every answer of every test of this crate, held against the document: what
//! it tells of an answer is there, and nothing is there that it does not tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use http::Method;
use serde_json::Value;

use crate::openapi;

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi::document);

/// Fails where a successful answer is another one than the document tells.
pub(super) fn hold(method: &Method, path: &str, body: &str) {
    let Some((template, operation)) = operation(method, path) else { return };
    let Some(told) = told(operation) else { return };
    let Ok(answer) = serde_json::from_str(body) else { return };
    let mut wrong = Vec::new();
    differences(told, &answer, "", &mut wrong);
    assert!(wrong.is_empty(), "{method} {template} answers otherwise than it is told:\n{}\n{body}", wrong.join("\n"));
}

/// Returns the form of the JSON that an operation answers with.
pub(super) fn told(operation: &Value) -> Option<&Value> {
    let responses = operation["responses"].as_object()?;
    let (_, answer) = responses.iter().find(|(status, _)| status.starts_with('2'))?;
    answer["content"]["application/json"].get("schema")
}

fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static Value)> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').skip(1).collect();
        let fit = template.iter().zip(&parts).all(|(told, part)| told.starts_with('{') || told == part);
        fit && template.len() == parts.len()
    };
    let paths = DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| fits(template));
    // Of several the one with the fewest names in it is meant.
    let (template, item) = paths.min_by_key(|(template, _)| template.matches('{').count())?;
    Some((template, item.get(method.as_str().to_lowercase())?))
}

fn resolved(schema: &'static Value) -> &'static Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => resolved(DOCUMENT.pointer(&reference[1..]).expect("another test looks for it")),
        None => schema,
    }
}

/// What an object is told to have.
#[derive(Default)]
struct Fields {
    known: BTreeMap<&'static str, &'static Value>,
    required: BTreeSet<&'static str>,
    /// It may have others.
    is_open: bool,
}

fn fields(schema: &'static Value, found: &mut Fields) {
    let schema = resolved(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fields(part, found);
    }
    let properties = schema["properties"].as_object();
    found.known.extend(properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)));
    found.required.extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
    let is_made_of_parts = schema.get("allOf").is_some();
    found.is_open |= schema.get("additionalProperties").is_some() || properties.is_none() && !is_made_of_parts;
}

fn differences(schema: &'static Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let schema = resolved(schema);
    for choices in ["oneOf", "anyOf"] {
        let Some(choices) = schema[choices].as_array() else { continue };
        let tries = choices.iter().map(|choice| {
            let mut wrong = Vec::new();
            differences(choice, value, at, &mut wrong);
            wrong
        });
        let nearest = tries.min_by_key(Vec::len).unwrap_or_default();
        return wrong.extend(nearest);
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        wrong.push(format!("{at} is {value}, which is none of {}", schema["enum"]));
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("allOf").is_some() => vec!["object"],
        // Anything.
        _ => return,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = kinds.contains(&kind) || kind == "integer" && kinds.contains(&"number");
    if !fits {
        return wrong.push(format!("{at} is {kind} and not {}", kinds.join(" or ")));
    }
    match value {
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                differences(&schema["items"], value, &format!("{at}[{place}]"), wrong);
            }
        }
        Value::Object(object) => {
            let mut told = Fields::default();
            fields(schema, &mut told);
            let missing = told.required.iter().filter(|name| !object.contains_key(**name));
            wrong.extend(missing.map(|name| format!("{at}.{name} is missing")));
            for (name, value) in object {
                match told.known.get(name.as_str()) {
                    Some(schema) => differences(schema, value, &format!("{at}.{name}"), wrong),
                    None if told.is_open => {
                        if let every @ Value::Object(_) = &schema["additionalProperties"] {
                            differences(every, value, &format!("{at}.{name}"), wrong);
                        }
                    }
                    None => wrong.push(format!("{at}.{name} is not told")),
                }
            }
        }
        _ => {}
    }
}
