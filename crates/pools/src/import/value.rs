//! What a log says of one thing: a typed value, or a text that may be one.

use std::borrow::Cow;

use crate::csv::{NumberFormat, read_boolean, read_iso};
use crate::rows::{Cell, ColumnType};
use crate::schema::text_of;

/// A value as a log states it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Float(f64),
    /// Microseconds since 1970, UTC.
    Time(i64),
    Boolean(bool),
    /// A text that the log calls a text.
    Text(String),
    /// A text that may stand for a number or a time: JSON has no other way to
    /// write a time, and some programs write numbers so too.
    Loose(String),
}

/// One field of a row: name and value. A row lacks what is nothing.
pub(crate) type Field = (String, Value);

/// What the values of a column may all be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fits {
    integer: bool,
    float: bool,
    time: bool,
    boolean: bool,
}

impl Fits {
    /// Everything fits where nothing was seen.
    pub(crate) const ALL: Fits = Fits { integer: true, float: true, time: true, boolean: true };

    /// Looks at one more value.
    pub(crate) fn see(&mut self, value: &Value) {
        let other = match value {
            Value::Integer(_) => Fits { integer: true, float: true, time: false, boolean: false },
            Value::Float(_) => Fits { integer: false, float: true, time: false, boolean: false },
            Value::Time(_) => Fits { integer: false, float: false, time: true, boolean: false },
            Value::Boolean(_) => Fits { integer: false, float: false, time: false, boolean: true },
            Value::Text(_) => Fits { integer: false, float: false, time: false, boolean: false },
            Value::Loose(_) => Fits {
                integer: self.integer && cell(value, ColumnType::Integer).is_some(),
                float: self.float && cell(value, ColumnType::Float).is_some(),
                time: self.time && cell(value, ColumnType::Time).is_some(),
                boolean: self.boolean && cell(value, ColumnType::Boolean).is_some(),
            },
        };
        self.integer &= other.integer;
        self.float &= other.float;
        self.time &= other.time;
        self.boolean &= other.boolean;
    }

    /// Tells whether all values seen are of a type.
    pub(crate) fn allow(self, column_type: ColumnType) -> bool {
        match column_type {
            ColumnType::Integer => self.integer,
            ColumnType::Float => self.float,
            ColumnType::Time => self.time,
            ColumnType::Boolean => self.boolean,
            ColumnType::Text => true,
        }
    }

    /// Returns the narrowest type of all values; text where nothing was seen.
    pub(crate) fn narrowest(self) -> ColumnType {
        if self == Fits::ALL {
            return ColumnType::Text;
        }
        let order = [ColumnType::Integer, ColumnType::Float, ColumnType::Time, ColumnType::Boolean];
        order.into_iter().find(|column_type| self.allow(*column_type)).unwrap_or(ColumnType::Text)
    }
}

/// Returns a value as a column of this type holds it; `None` if it cannot.
/// Texts are borrowed from the value, so they are made by [`text`].
pub(crate) fn cell(value: &Value, column_type: ColumnType) -> Option<Cell<'_>> {
    let numbers = || NumberFormat::new(None, None);
    Some(match (value, column_type) {
        (Value::Integer(value), ColumnType::Integer) => Cell::Integer(*value),
        (Value::Integer(value), ColumnType::Float) => Cell::Float(*value as f64),
        (Value::Float(value), ColumnType::Float) => Cell::Float(*value),
        (Value::Time(micros), ColumnType::Time) => Cell::Time(*micros),
        (Value::Boolean(value), ColumnType::Boolean) => Cell::Boolean(*value),
        (Value::Text(text) | Value::Loose(text), ColumnType::Text) => Cell::Text(text),
        (Value::Text(text) | Value::Loose(text), ColumnType::Integer) => Cell::Integer(numbers().guess_integer(text)?),
        (Value::Text(text) | Value::Loose(text), ColumnType::Float) => {
            let integer = numbers().guess_integer(text).map(|value| value as f64);
            Cell::Float(integer.or_else(|| numbers().guess_float(text))?)
        }
        (Value::Text(text) | Value::Loose(text), ColumnType::Time) => Cell::Time(read_iso(text)?),
        (Value::Text(text) | Value::Loose(text), ColumnType::Boolean) => {
            // `1` and `y` are more often codes.
            let is_word = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
            Cell::Boolean(read_boolean(text).filter(|_| is_word)?)
        }
        _ => return None,
    })
}

/// Returns the text that stands for a value in a column of texts.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) | Value::Loose(text) => Cow::Borrowed(text),
        Value::Integer(value) => Cow::Owned(text_of(Cell::Integer(*value))),
        Value::Float(value) => Cow::Owned(text_of(Cell::Float(*value))),
        Value::Time(micros) => Cow::Owned(text_of(Cell::Time(*micros))),
        Value::Boolean(value) => Cow::Owned(text_of(Cell::Boolean(*value))),
    }
}
