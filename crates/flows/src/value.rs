//! What travels in bundles.
//!
//! A [`Value`] knows more than JSON: dates, bytes, whole numbers of 64 bits
//! that never pass through a double (run ids have 18 digits), and *absent*,
//! which is not null: an absent field is left out of what is built from it.

mod conversion;
mod xml;

use std::sync::Arc;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::{Map, Number, Value as Json};

pub(crate) use conversion::read_time_of_day;
pub use conversion::{FieldType, convert};
pub(crate) use xml::{read_xml, write_xml};

/// Named values in the order in which they were set.
pub type Collection = IndexMap<String, Value>;

/// One value. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing was there, or it is to be left out.
    #[default]
    Absent,
    /// Nothing, on purpose.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// A point in time.
    Date(Timestamp),
    /// Bytes.
    Buffer(Bytes),
    /// Values in order.
    Array(Arc<Vec<Value>>),
    /// Values by name.
    Collection(Arc<Collection>),
}

impl Value {
    /// Makes a text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Value::Text(Arc::from(text.as_ref()))
    }

    /// Makes a number; a whole one where it is whole and exact.
    pub fn number(number: f64) -> Self {
        // 2^53: beyond it a double no longer knows its neighbours.
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            Value::Int(number as i64)
        } else {
            Value::Float(number)
        }
    }

    /// Makes an array.
    pub fn array(values: Vec<Value>) -> Self {
        Value::Array(Arc::new(values))
    }

    /// Makes a collection from names and values; absent ones are left out.
    pub fn collection<K: Into<String>>(fields: impl IntoIterator<Item = (K, Value)>) -> Self {
        let fields = fields.into_iter().filter(|(_, value)| *value != Value::Absent);
        Value::Collection(Arc::new(fields.map(|(name, value)| (name.into(), value)).collect()))
    }

    /// Returns the field of a collection; absent if there is none.
    pub fn field(&self, name: &str) -> Value {
        match self {
            Value::Collection(fields) => fields.get(name).cloned().unwrap_or_default(),
            _ => Value::Absent,
        }
    }

    /// Returns the word for what it is, as fields of modules name their types;
    /// `absent` and `null` for the two sorts of nothing.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Absent => "absent",
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::Float(_) => "number",
            Value::Text(_) => "text",
            Value::Date(_) => "date",
            Value::Buffer(_) => "buffer",
            Value::Array(_) => "array",
            Value::Collection(_) => "collection",
        }
    }

    /// Tells whether there is anything: neither absent nor null.
    pub fn exists(&self) -> bool {
        !matches!(self, Value::Absent | Value::Null)
    }

    /// Tells whether the value is absent, null or an empty text.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::Absent | Value::Null => true,
            Value::Text(text) => text.is_empty(),
            _ => false,
        }
    }

    /// Returns the text of a text value.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Tells whether a condition that comes to this value holds.
    pub fn truth(&self) -> bool {
        match self {
            Value::Absent | Value::Null => false,
            Value::Bool(truth) => *truth,
            Value::Int(number) => *number != 0,
            Value::Float(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Date(_) | Value::Buffer(_) | Value::Array(_) | Value::Collection(_) => true,
        }
    }

    /// Converts to a number, where the value is one or its text reads as one.
    /// A date is its milliseconds.
    pub fn to_number(&self) -> Option<Value> {
        match self {
            Value::Int(_) | Value::Float(_) => Some(self.clone()),
            Value::Bool(truth) => Some(Value::Int((*truth).into())),
            Value::Date(time) => Some(Value::Int(time.as_millis())),
            Value::Text(text) => read_number(text),
            _ => None,
        }
    }

    /// Converts to a double.
    pub fn to_f64(&self) -> Option<f64> {
        match self.to_number()? {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Converts to a whole number, rounding down.
    pub fn to_i64(&self) -> Option<i64> {
        match self.to_number()? {
            Value::Int(number) => Some(number),
            Value::Float(number) => Some(number.floor() as i64),
            _ => None,
        }
    }

    /// Converts to text, as in a template that has other text beside it.
    /// Arrays of simple values are joined by commas; what has structure
    /// becomes JSON.
    pub fn to_text(&self) -> String {
        match self {
            Value::Absent | Value::Null => String::new(),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Text(text) => text.to_string(),
            Value::Date(time) => time.to_string(),
            Value::Buffer(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Value::Array(values) => {
                let simple = values.iter().all(|value| !matches!(value, Value::Array(_) | Value::Collection(_)));
                if simple {
                    values.iter().map(Value::to_text).collect::<Vec<_>>().join(",")
                } else {
                    self.to_json().to_string()
                }
            }
            Value::Collection(_) => self.to_json().to_string(),
        }
    }

    /// Converts to bytes, as in the body of a request.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Value::Buffer(bytes) => bytes.clone(),
            _ => Bytes::from(self.to_text()),
        }
    }

    /// Reads JSON. Every value of JSON has its value here.
    pub fn from_json(json: Json) -> Self {
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(truth),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::text(text),
            Json::Array(values) => Value::array(values.into_iter().map(Value::from_json).collect()),
            Json::Object(fields) => {
                Value::collection(fields.into_iter().map(|(name, value)| (name, Value::from_json(value))))
            }
        }
    }

    /// Writes JSON for the outside: dates as ISO 8601, bytes as Base64 where
    /// they are not text.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Absent | Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Int(number) => Json::Number((*number).into()),
            Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Value::Text(text) => Json::String(text.to_string()),
            Value::Date(time) => Json::String(time.to_string()),
            Value::Buffer(bytes) => Json::String(match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => BASE64.encode(bytes),
            }),
            Value::Array(values) => Json::Array(values.iter().map(Value::to_json).collect()),
            Value::Collection(fields) => {
                Json::Object(fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
            }
        }
    }

    /// Returns how many bytes it holds, roughly.
    pub fn size(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Buffer(bytes) => bytes.len(),
            Value::Array(values) => values.iter().map(Value::size).sum::<usize>() + 8,
            Value::Collection(fields) => {
                fields.iter().map(|(name, value)| name.len() + value.size()).sum::<usize>() + 8
            }
            _ => 8,
        }
    }

    /// Writes JSON that [`Value::from_stored`] reads back as exactly this
    /// value, for the journal.
    pub fn to_stored(&self) -> Json {
        let marked = |mark: &str, content: Json| Json::Object(Map::from_iter([(mark.to_owned(), content)]));
        match self {
            Value::Absent => marked("$absent", Json::Null),
            Value::Date(time) => marked("$date", time.as_micros().into()),
            Value::Buffer(bytes) => marked("$bytes", BASE64.encode(bytes).into()),
            Value::Float(number) if !number.is_finite() => marked("$number", number.to_string().into()),
            Value::Array(values) => Json::Array(values.iter().map(Value::to_stored).collect()),
            Value::Collection(fields) => {
                let content = fields.iter().map(|(name, value)| (name.clone(), value.to_stored())).collect();
                // A user's field may be called like one of our marks.
                if fields.len() == 1 && fields.keys().all(|name| name.starts_with('$')) {
                    marked("$fields", Json::Object(content))
                } else {
                    Json::Object(content)
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => self.to_json(),
        }
    }

    /// Reads what [`Value::to_stored`] wrote.
    pub fn from_stored(json: Json) -> Self {
        match json {
            Json::Array(values) => Value::array(values.into_iter().map(Value::from_stored).collect()),
            Json::Object(fields) => {
                if fields.len() == 1
                    && let Some((mark, content)) = fields.iter().next()
                    && let Some(value) = unmarked(mark, content)
                {
                    return value;
                }
                Value::Collection(Arc::new(
                    fields.into_iter().map(|(name, value)| (name, Value::from_stored(value))).collect(),
                ))
            }
            simple => Value::from_json(simple),
        }
    }
}

fn unmarked(mark: &str, content: &Json) -> Option<Value> {
    match (mark, content) {
        ("$absent", _) => Some(Value::Absent),
        ("$date", content) => Some(Value::Date(Timestamp::from_micros(content.as_i64()?))),
        ("$bytes", Json::String(text)) => Some(Value::Buffer(BASE64.decode(text).ok()?.into())),
        ("$number", Json::String(text)) => Some(Value::Float(text.parse().ok()?)),
        ("$fields", Json::Object(fields)) => Some(Value::Collection(Arc::new(
            fields.iter().map(|(name, value)| (name.clone(), Value::from_stored(value.clone()))).collect(),
        ))),
        _ => None,
    }
}

/// Reads a text as a number the way a person writes one; blanks around it do
/// not matter.
pub(crate) fn read_number(text: &str) -> Option<Value> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Int(whole));
    }
    // Rust also reads "inf" and "nan", which nobody means as a number.
    let first = text.trim_start_matches(['-', '+']).chars().next()?;
    if first.is_ascii_digit() || first == '.' { text.parse().ok().map(Value::number) } else { None }
}

#[cfg(test)]
mod tests;
