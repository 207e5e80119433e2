//! Values that travel into statements and out of rows.

use crate::time::Timestamp;

/// A value of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `BIGINT`; also booleans (0, 1) and timestamps (microseconds).
    Int(i64),
    /// `DOUBLE PRECISION`.
    Real(f64),
    /// `TEXT`.
    Text(String),
    /// `BYTEA`.
    Blob(Vec<u8>),
}

macro_rules! into_value {
    ($($from:ty => |$value:ident| $into:expr;)+) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self { $into }
        })+
    };
}

into_value! {
    i64 => |value| Value::Int(value);
    i32 => |value| Value::Int(value.into());
    u32 => |value| Value::Int(value.into());
    u16 => |value| Value::Int(value.into());
    // Counters and commit numbers stay far below 2^63.
    u64 => |value| Value::Int(value as i64);
    usize => |value| Value::Int(value as i64);
    bool => |value| Value::Int(value.into());
    f64 => |value| Value::Real(value);
    &str => |value| Value::Text(value.to_owned());
    String => |value| Value::Text(value);
    &String => |value| Value::Text(value.clone());
    &[u8] => |value| Value::Blob(value.to_vec());
    Vec<u8> => |value| Value::Blob(value);
    Timestamp => |value| Value::Int(value.as_micros());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// Reads a column as a type; `None` where the stored value has another form.
pub trait FromValue: Sized {
    /// Turns the stored value into the type.
    fn from_value(value: Value) -> Option<Self>;
}

macro_rules! from_value {
    ($($into:ty => |$value:ident| $pattern:pat => $result:expr;)+) => {
        $(impl FromValue for $into {
            fn from_value($value: Value) -> Option<Self> {
                match $value { $pattern => $result, _ => None }
            }
        })+
    };
}

from_value! {
    i64 => |value| Value::Int(number) => Some(number);
    u64 => |value| Value::Int(number) => u64::try_from(number).ok();
    u32 => |value| Value::Int(number) => u32::try_from(number).ok();
    i32 => |value| Value::Int(number) => i32::try_from(number).ok();
    u16 => |value| Value::Int(number) => u16::try_from(number).ok();
    usize => |value| Value::Int(number) => usize::try_from(number).ok();
    bool => |value| Value::Int(number) => Some(number != 0);
    String => |value| Value::Text(text) => Some(text);
    Vec<u8> => |value| Value::Blob(bytes) => Some(bytes);
    Timestamp => |value| Value::Int(micros) => Some(Timestamp::from_micros(micros));
}

impl FromValue for f64 {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Real(number) => Some(number),
            // SQLite gives a whole number back as an integer.
            Value::Int(number) => Some(number as f64),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}
