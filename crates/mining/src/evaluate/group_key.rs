//! Single values as keys, and in order.

use std::sync::Arc;

use super::vector::float;
use crate::value::Value;

/// A value as a part of a group's key; NULL is a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum GroupKey {
    Null,
    Int(i64),
    Float(u64),
    Date(i64),
    Text(Arc<str>),
}

impl GroupKey {
    /// Returns the value that is the key.
    pub(crate) fn value(&self) -> Value {
        match self {
            GroupKey::Null => Value::Null,
            GroupKey::Int(value) => Value::Int(*value),
            GroupKey::Float(bits) => Value::Float(f64::from_bits(*bits)),
            GroupKey::Date(value) => Value::Date(*value),
            GroupKey::Text(value) => Value::Text(value.clone()),
        }
    }
}

impl From<Value> for GroupKey {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => GroupKey::Null,
            Value::Int(value) => GroupKey::Int(value),
            // Both zeroes are one number.
            Value::Float(value) => GroupKey::Float((value + 0.0).to_bits()),
            Value::Date(value) => GroupKey::Date(value),
            Value::Text(value) => GroupKey::Text(value),
        }
    }
}

/// Orders two values of one type, NULL first.
pub(crate) fn compare(one: &Value, other: &Value) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    match (one, other) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Int(one), Value::Int(other)) | (Value::Date(one), Value::Date(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (one, other) => match (float(one), float(other)) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => Ordering::Equal,
        },
    }
}
