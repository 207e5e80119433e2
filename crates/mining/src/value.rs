//! Single values and tables of them: what leaves this crate as an answer.

use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use serde_json::Value as Json;

/// The four types of PQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// 64-bit integers.
    Int,
    /// Doubles.
    Float,
    /// Points in time, milliseconds, no zone.
    Date,
    /// Text.
    String,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Int => "INT",
            Type::Float => "FLOAT",
            Type::Date => "DATE",
            Type::String => "STRING",
        })
    }
}

/// Tells whether milliseconds since 1970 are a date of the years 1400 to 9999;
/// what a function computes outside of these is NULL.
pub(crate) fn date_in_range(millis: i64) -> bool {
    (-17_987_443_200_000..253_402_300_800_000).contains(&millis)
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Int(i64),
    /// A double.
    Float(f64),
    /// Milliseconds since 1970, UTC.
    Date(i64),
    /// A text.
    Text(Arc<str>),
}

impl Value {
    /// Returns the value as JSON; a date becomes text such as
    /// `2026-02-03T09:15:00.000Z`.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Int(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Date(millis) => Json::from(Timestamp::from_millis(*millis).to_string()),
            Value::Text(text) => Json::from(&**text),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Date(millis) => write!(f, "{}", Timestamp::from_millis(*millis)),
            Value::Text(text) => f.write_str(text),
        }
    }
}

/// A column of an [`Answer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerColumn {
    /// As named in the query, else the expression's text.
    pub name: String,
    /// What it holds.
    pub column_type: Type,
}

/// What a query returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The columns in order.
    pub columns: Vec<AnswerColumn>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}
