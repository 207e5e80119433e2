//! Values held against a structure.

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::{Field, Inside, Mismatch, Structure};
use crate::pattern::Pattern;
use crate::value::{Collection, FieldType, Value, convert};

/// What becomes of an item that is empty, and of one that no field names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Takes what came from outside: defaults stand in, types are strict
    /// where what came says itself of which it is.
    Arrival,
    /// Makes a document: defaults stand in, what is empty is left out.
    Document,
    /// Fits a module's fields to their types; what is empty stays as it is.
    Fields,
}

struct Work<'a> {
    manner: Manner,
    strict: bool,
    zone: &'a TimeZone,
    found: &'a mut Vec<Mismatch>,
}

pub(super) fn arrived(structure: &Structure, value: &Value, found: &mut Vec<Mismatch>) -> Value {
    let mut work = Work { manner: Manner::Arrival, strict: structure.strict, zone: &TimeZone::UTC, found };
    work.items(&structure.fields, value, "")
}

pub(super) fn shape(structure: &Structure, value: &Value, zone: &TimeZone, found: &mut Vec<Mismatch>) -> Value {
    let mut work = Work { manner: Manner::Document, strict: structure.strict, zone, found };
    work.items(&structure.fields, value, "")
}

/// Converts the fields of a module to their types; the first that does not
/// fit is told.
pub(crate) fn fit(fields: &[Field], value: &Value, zone: &TimeZone) -> Result<Value, Mismatch> {
    let mut found = Vec::new();
    let mut work = Work { manner: Manner::Fields, strict: false, zone, found: &mut found };
    let fitted = work.items(fields, value, "");
    match found.into_iter().next() {
        None => Ok(fitted),
        Some(first) => Err(first),
    }
}

impl Work<'_> {
    fn refuse(&mut self, path: &str, text: impl Into<String>) -> Value {
        let path = if path.is_empty() { "value" } else { path };
        self.found.push(Mismatch { path: path.to_owned(), text: text.into() });
        Value::Absent
    }

    fn items(&mut self, fields: &[Field], value: &Value, path: &str) -> Value {
        let nothing = Collection::new();
        let items = match value {
            Value::Collection(items) => &**items,
            Value::Absent | Value::Null => &nothing,
            other => return self.refuse(path, format!("{} is not a collection", told(other))),
        };
        let mut shaped = Collection::new();
        if self.manner != Manner::Document {
            // They stay in the order in which they came.
            shaped.extend(items.iter().map(|(name, item)| (name.clone(), item.clone())));
        }
        for field in fields {
            let path = below(path, &field.name);
            let item = items.get(&field.name).unwrap_or(&Value::Absent);
            let item = self.field(field, item, &path);
            if item != Value::Absent {
                shaped.insert(field.name.clone(), item);
            }
        }
        for (name, item) in items.iter().filter(|(name, _)| fields.iter().all(|field| field.name != **name)) {
            if self.strict {
                self.refuse(&below(path, name), "the structure has no such item");
            } else if self.manner == Manner::Document {
                shaped.insert(name.clone(), item.clone());
            }
        }
        Value::Collection(shaped.into())
    }

    fn field(&mut self, field: &Field, value: &Value, path: &str) -> Value {
        let stands_in = match self.manner {
            Manner::Document => value.is_empty() && *value != Value::Null,
            Manner::Arrival => *value == Value::Absent,
            Manner::Fields => false,
        };
        if stands_in && !field.default.is_null() {
            return self.typed(field, &Value::from_json(field.default.clone()), path);
        }
        if value.is_empty() {
            if field.required {
                return self.refuse(path, "missing value of required parameter");
            }
            let is_left_out = self.manner == Manner::Document && *value != Value::Null;
            return match field.kind {
                _ if is_left_out => Value::Absent,
                // What is not filled in is off.
                FieldType::Boolean if *value != Value::Absent && *value != Value::Null => Value::Bool(false),
                _ => value.clone(),
            };
        }
        self.typed(field, value, path)
    }

    fn typed(&mut self, field: &Field, value: &Value, path: &str) -> Value {
        if self.manner == Manner::Arrival && !is_alike(field.kind, value) {
            return self.refuse(path, format!("{} is not {}", told(value), wanted(field.kind)));
        }
        let value = match convert(value.clone(), field.kind, self.zone) {
            Ok(value) => value,
            Err(problem) => return self.refuse(path, problem),
        };
        if let Some(problem) = beyond(&field.limits, &value) {
            return self.refuse(path, problem);
        }
        match (&field.inside, &value) {
            (Inside::Fields(fields), Value::Collection(_)) => self.items(fields, &value, path),
            (Inside::Elements(element), Value::Array(values)) => {
                let mut shaped = Vec::with_capacity(values.len());
                for (place, value) in values.iter().enumerate() {
                    shaped.push(self.field(element, value, &format!("{path}[{}]", place + 1)));
                }
                Value::array(shaped)
            }
            _ => value,
        }
    }
}

/// Tells whether a value that came from outside may count as of a type. What
/// came as JSON says itself what it is; texts of forms are read.
fn is_alike(kind: FieldType, value: &Value) -> bool {
    match kind {
        // A form has one value where it could have several.
        FieldType::Array => matches!(value, Value::Array(_) | Value::Text(_)),
        FieldType::Boolean => match value {
            Value::Bool(_) => true,
            Value::Text(text) => matches!(&**text, "true" | "false"),
            _ => false,
        },
        _ => true,
    }
}

/// Tells what a value goes beyond, if it does.
fn beyond(limits: &Json, value: &Value) -> Option<String> {
    let number = |name: &str| limits.get(name).and_then(Json::as_f64);
    if let Some(Json::Array(allowed)) = limits.get("enum")
        && !matches!(value, Value::Array(_) | Value::Collection(_))
        && !allowed.iter().any(|each| Value::from_json(each.clone()).to_text().eq_ignore_ascii_case(&value.to_text()))
    {
        let allowed: Vec<String> =
            allowed.iter().map(|each| format!("\"{}\"", Value::from_json(each.clone()).to_text())).collect();
        return Some(format!("{} is none of {}", told(value), allowed.join(", ")));
    }
    let (size, unit) = match value {
        Value::Int(number) => (*number as f64, ""),
        Value::Float(number) => (*number, ""),
        Value::Text(text) => (text.chars().count() as f64, " letters"),
        Value::Array(values) => (values.len() as f64, " elements"),
        _ => return None,
    };
    let (least, most) = if unit == " elements" { ("minItems", "maxItems") } else { ("min", "max") };
    if let Some(most) = number(most).filter(|most| size > *most) {
        return Some(format!("{size}{unit} is more than {most}"));
    }
    if let Some(least) = number(least).filter(|least| size < *least) {
        return Some(format!("{size}{unit} is less than {least}"));
    }
    let pattern = limits.get("pattern").and_then(Json::as_str)?;
    let Value::Text(text) = value else { return None };
    // A pattern of another language that cannot be read refuses nothing.
    let fits = Pattern::read(pattern, "").and_then(|pattern| pattern.is_in(text)).unwrap_or(true);
    (!fits).then(|| format!("{} does not have the form {pattern}", told(value)))
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn wanted(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Array => "an array",
        FieldType::Boolean => "true or false",
        _ => "of its type",
    }
}

fn told(value: &Value) -> String {
    match value {
        Value::Absent | Value::Null => "nothing".into(),
        Value::Text(text) => format!("\"{}\"", text.chars().take(60).collect::<String>()),
        Value::Array(values) => format!("an array of {}", values.len()),
        Value::Collection(_) => "a collection".into(),
        Value::Buffer(bytes) => format!("a buffer of {} bytes", bytes.len()),
        other => other.to_text(),
    }
}
