//! Structures read off samples.

use serde_json::Value as Json;

use super::{Field, Inside, Structure};
use crate::value::{FieldType, Value, read_xml};

/// What was seen of a value.
enum Seen {
    /// Nothing, or null, which may stand for anything.
    Nothing,
    /// Values that have nothing in common.
    Anything,
    Simple(FieldType),
    Array(Box<Seen>),
    Items(Vec<(String, Seen)>),
}

pub(super) fn structure_of(sample: &Value) -> Structure {
    let seen = match seen(sample) {
        // Of a list it is the structure of its elements.
        Seen::Array(element) if matches!(*element, Seen::Items(_)) => *element,
        seen => seen,
    };
    let fields = match seen {
        Seen::Items(items) => items.into_iter().map(|(name, seen)| seen.into_field(&name)).collect(),
        Seen::Nothing => Vec::new(),
        other => vec![other.into_field("value")],
    };
    Structure { fields, strict: false }
}

pub(super) fn structure_of_text(sample: &str) -> Result<Structure, String> {
    let sample = sample.trim_start_matches('\u{feff}').trim();
    match sample.chars().next() {
        None => Err("the sample is empty".into()),
        Some('{' | '[') => {
            let json: Json =
                serde_json::from_str(sample).map_err(|problem| format!("the sample is not JSON: {problem}"))?;
            Ok(structure_of(&Value::from_json(json)))
        }
        Some('<') => Ok(structure_of(&read_xml(sample.as_bytes())?)),
        Some(_) => columns(sample),
    }
}

/// Reads the first row of a CSV text. The delimiter is the one that it has
/// most of.
fn columns(sample: &str) -> Result<Structure, String> {
    let first = sample.lines().next().unwrap_or_default();
    let count = |letter: &u8| first.bytes().filter(|byte| byte == letter).count();
    let delimiter = [b',', b';', b'\t'].into_iter().rev().max_by_key(count).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(true).from_reader(first.as_bytes());
    let headers = reader.headers().map_err(|problem| format!("the sample is not CSV: {problem}"))?;
    let mut fields: Vec<Field> = Vec::new();
    for header in headers.iter().map(str::trim) {
        if header.is_empty() {
            return Err(format!("column {} of the sample has no name", fields.len() + 1));
        }
        if fields.iter().any(|known| known.name == header) {
            return Err(format!("the column \"{header}\" stands twice"));
        }
        fields.push(Field::new(header, FieldType::Text));
    }
    Ok(Structure { fields, strict: false })
}

fn seen(sample: &Value) -> Seen {
    match sample {
        Value::Absent | Value::Null => Seen::Nothing,
        Value::Bool(_) => Seen::Simple(FieldType::Boolean),
        Value::Int(_) | Value::Float(_) => Seen::Simple(FieldType::Number),
        Value::Text(_) => Seen::Simple(FieldType::Text),
        Value::Date(_) => Seen::Simple(FieldType::Date),
        Value::Buffer(_) => Seen::Simple(FieldType::Buffer),
        Value::Array(elements) => Seen::Array(elements.iter().map(seen).fold(Seen::Nothing, both).into()),
        Value::Collection(items) => Seen::Items(items.iter().map(|(name, item)| (name.clone(), seen(item))).collect()),
    }
}

/// Returns what has room for either.
fn both(one: Seen, other: Seen) -> Seen {
    match (one, other) {
        (Seen::Nothing, seen) | (seen, Seen::Nothing) => seen,
        (Seen::Simple(one), Seen::Simple(other)) => Seen::Simple(if one == other { one } else { FieldType::Text }),
        (Seen::Array(one), Seen::Array(other)) => Seen::Array(both(*one, *other).into()),
        (Seen::Items(mut items), Seen::Items(others)) => {
            for (name, other) in others {
                match items.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => *known = both(std::mem::replace(known, Seen::Nothing), other),
                    None => items.push((name, other)),
                }
            }
            Seen::Items(items)
        }
        _ => Seen::Anything,
    }
}

impl Seen {
    fn into_field(self, name: &str) -> Field {
        let (kind, inside) = match self {
            Seen::Nothing | Seen::Anything => (FieldType::Any, Inside::Anything),
            Seen::Simple(kind) => (kind, Inside::Anything),
            Seen::Array(element) => (FieldType::Array, Inside::Elements(element.into_field("").into())),
            Seen::Items(items) => {
                let fields = items.into_iter().map(|(name, seen)| seen.into_field(&name)).collect();
                (FieldType::Collection, Inside::Fields(fields))
            }
        };
        Field { inside, ..Field::new(name, kind) }
    }
}
