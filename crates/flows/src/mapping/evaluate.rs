//! From an expression to a value.
//!
//! The rules are those of a language that grew on JavaScript: texts that read
//! as numbers count as numbers, a missing place is absent and no error. What
//! is an error: a function that does not exist, and arguments that a function
//! cannot use.

use std::cmp::Ordering;

use base::{Chance, Timestamp};
use jiff::tz::TimeZone;

use super::expression::{Binary, Expression, Form, Root, Segment};
use super::{Problem, functions, is_larger, too_large};
use crate::semantics::{self, Semantics};
use crate::value::Value;

/// What an expression can see.
pub trait Surroundings {
    /// Returns the bundle of an earlier module on the same path.
    fn bundle(&self, module: u32) -> Option<Value>;
    /// Returns what a name stands for, beyond those of the language.
    fn name(&self, name: &str) -> Option<Value>;
    /// Returns the recorded time: the same again when a run is replayed.
    fn now(&self) -> Timestamp;
    /// Returns the recorded source of chance.
    fn chance(&self) -> &dyn Chance;
    /// Returns how open points of the language are read.
    fn semantics(&self) -> &Semantics {
        &semantics::DEFAULTS
    }
    /// Returns how many bytes a value on the way may have. A run is limited by
    /// what its operations give; others limit each step.
    fn value_bytes_max(&self) -> usize {
        usize::MAX
    }
    /// Returns the time zone of the flow, for dates that do not name one.
    fn zone(&self) -> TimeZone {
        TimeZone::UTC
    }
}

/// Comes to the value of an expression.
pub fn evaluate(expression: &Expression, around: &dyn Surroundings) -> Result<Value, Problem> {
    match &expression.form {
        Form::Literal(value) => Ok(value.clone()),
        Form::Reference(root, path) => {
            let start = match root {
                Root::Module(id) => around.bundle(*id).unwrap_or_default(),
                Root::Name(name) => named(name, around),
            };
            follow(start, path, around)
        }
        Form::Call { name, function, arguments } => match function {
            Some(function) => function.call(arguments, around, expression.at),
            None => Err(Problem { at: expression.at, text: functions::unknown(name) }),
        },
        Form::Negative(operand) => {
            let value = evaluate(operand, around)?;
            match value.to_number() {
                Some(Value::Int(number)) => Ok(number.checked_neg().map_or(Value::Absent, Value::Int)),
                Some(Value::Float(number)) => Ok(Value::Float(-number)),
                _ => Ok(Value::Absent),
            }
        }
        Form::Binary(operator, left, right) => {
            let value = binary(*operator, left, right, around)?;
            within(around, [&value], expression.at)?;
            Ok(value)
        }
    }
}

/// Refuses values that are larger together than one may be.
pub(super) fn within<'a>(
    around: &dyn Surroundings,
    values: impl IntoIterator<Item = &'a Value>,
    at: usize,
) -> Result<(), Problem> {
    let most = around.value_bytes_max();
    if most < usize::MAX && is_larger(values, most) {
        return Err(Problem { at, text: too_large(most) });
    }
    Ok(())
}

fn named(name: &str, around: &dyn Surroundings) -> Value {
    match KEYWORDS.iter().find(|keyword| keyword.name == name) {
        Some(keyword) => (keyword.value)(around),
        None => around.name(name).unwrap_or_default(),
    }
}

/// A name that the language itself knows.
pub(super) struct Keyword {
    /// As it is written.
    pub(super) name: &'static str,
    /// What it stands for, in a sentence.
    pub(super) summary: &'static str,
    value: fn(&dyn Surroundings) -> Value,
}

const fn keyword(name: &'static str, summary: &'static str, value: fn(&dyn Surroundings) -> Value) -> Keyword {
    Keyword { name, summary, value }
}

/// All of them.
pub(super) static KEYWORDS: [Keyword; 17] = [
    keyword("null", "Nothing, on purpose.", |_| Value::Null),
    keyword("true", "True.", |_| Value::Bool(true)),
    keyword("false", "False.", |_| Value::Bool(false)),
    keyword("emptystring", "A text without letters.", |_| Value::text("")),
    keyword("emptyarray", "An array without elements.", |_| Value::array(Vec::new())),
    keyword("space", "A blank.", |_| Value::text(" ")),
    keyword("tab", "A tab.", |_| Value::text("\t")),
    keyword("newline", "The end of a line.", |_| Value::text("\n")),
    keyword("carriagereturn", "A carriage return.", |_| Value::text("\r")),
    keyword("nbsp", "A blank at which no line is broken.", |_| Value::text("\u{a0}")),
    keyword("ignore", "The field counts as not filled in.", |_| Value::Absent),
    // `erase` empties a field where a module updates; null does so elsewhere.
    keyword("erase", "Empties the field where a module updates something.", |_| Value::Null),
    keyword("now", "The time of the operation, as a date.", |around| Value::Date(around.now())),
    keyword("timestamp", "The time of the operation, in seconds since 1970.", |around| {
        Value::Int(around.now().as_millis().div_euclid(1_000))
    }),
    keyword("pi", "The number 3.14159…", |_| Value::Float(std::f64::consts::PI)),
    keyword("random", "A random number, at least 0 and below 1.", |around| Value::Float(around.chance().fraction())),
    keyword("uuid", "A new UUID of version 4.", |around| Value::text(uuid_v4(around.chance()))),
];

fn uuid_v4(chance: &dyn Chance) -> String {
    let mut bytes = [0; 16];
    chance.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

fn follow(start: Value, path: &[Segment], around: &dyn Surroundings) -> Result<Value, Problem> {
    let mut value = start;
    for (place, segment) in path.iter().enumerate() {
        value = match segment {
            Segment::Name(name) => value.field(name),
            // At the end of a path the brackets stand for the array itself.
            Segment::First if place + 1 == path.len() => value,
            Segment::First => element(&value, 1),
            Segment::Index(index) => match evaluate(index, around)?.to_i64() {
                Some(index) => element(&value, index),
                None => Value::Absent,
            },
        };
    }
    Ok(value)
}

/// Returns the element at a place counted from 1, or from the end below 0.
pub(super) fn element(value: &Value, index: i64) -> Value {
    let Value::Array(values) = value else { return Value::Absent };
    let place = match index {
        0 => return Value::Absent,
        1.. => usize::try_from(index - 1).ok(),
        _ => usize::try_from(index.unsigned_abs()).ok().and_then(|back| values.len().checked_sub(back)),
    };
    place.and_then(|place| values.get(place)).cloned().unwrap_or_default()
}

fn binary(
    operator: Binary,
    left: &Expression,
    right: &Expression,
    around: &dyn Surroundings,
) -> Result<Value, Problem> {
    let left = evaluate(left, around)?;
    let truth = |value: &Value| around.semantics().truth(value);
    match operator {
        Binary::Or if truth(&left) => return Ok(Value::Bool(true)),
        Binary::And if !truth(&left) => return Ok(Value::Bool(false)),
        _ => {}
    }
    let right = evaluate(right, around)?;
    let zone = around.zone();
    let compare = || compare(&left, &right, &zone);
    Ok(match operator {
        Binary::Or | Binary::And => Value::Bool(truth(&right)),
        Binary::Equal => Value::Bool(equal(&left, &right, &zone)),
        Binary::NotEqual => Value::Bool(!equal(&left, &right, &zone)),
        Binary::Less => Value::Bool(compare().is_some_and(Ordering::is_lt)),
        Binary::LessOrEqual => Value::Bool(compare().is_some_and(Ordering::is_le)),
        Binary::Greater => Value::Bool(compare().is_some_and(Ordering::is_gt)),
        Binary::GreaterOrEqual => Value::Bool(compare().is_some_and(Ordering::is_ge)),
        Binary::Add => add(&left, &right),
        Binary::Subtract => calculate(&left, &right, i64::checked_sub, |a, b| a - b),
        Binary::Multiply => calculate(&left, &right, i64::checked_mul, |a, b| a * b),
        Binary::Divide => calculate(&left, &right, |_, _| None, |a, b| a / b),
        Binary::Remainder => calculate(&left, &right, i64::checked_rem, |a, b| a % b),
    })
}

/// Adds numbers; where one side is a text that is no number, joins texts.
fn add(left: &Value, right: &Value) -> Value {
    let number = |value: &Value| if value.is_empty() { Some(Value::Int(0)) } else { value.to_number() };
    let both_texts_empty = left.is_empty() && right.is_empty();
    match (number(left), number(right)) {
        (Some(left), Some(right)) if !both_texts_empty => calculate(&left, &right, i64::checked_add, |a, b| a + b),
        _ => Value::text(left.to_text() + &right.to_text()),
    }
}

fn calculate(
    left: &Value,
    right: &Value,
    exactly: impl Fn(i64, i64) -> Option<i64>,
    roughly: impl Fn(f64, f64) -> f64,
) -> Value {
    let number = |value: &Value| if value.is_empty() { Some(Value::Int(0)) } else { value.to_number() };
    match (number(left), number(right)) {
        (Some(Value::Int(a)), Some(Value::Int(b))) => match exactly(a, b) {
            Some(exact) => Value::Int(exact),
            None => Value::number(roughly(a as f64, b as f64)),
        },
        (Some(a), Some(b)) => Value::number(roughly(a.to_f64().unwrap_or(0.0), b.to_f64().unwrap_or(0.0))),
        _ => Value::Absent,
    }
}

/// Compares loosely: numbers where both read as numbers, dates by time, else
/// texts. Nothing equals only nothing. A text that is compared with a date and
/// has no offset is a time in `zone`.
pub(crate) fn equal(left: &Value, right: &Value, zone: &TimeZone) -> bool {
    match (left, right) {
        (Value::Absent | Value::Null, _) | (_, Value::Absent | Value::Null) => !left.exists() && !right.exists(),
        (Value::Bool(truth), Value::Text(text)) | (Value::Text(text), Value::Bool(truth)) => {
            **text == *truth.to_string()
        }
        (Value::Array(_) | Value::Collection(_), _) | (_, Value::Array(_) | Value::Collection(_)) => left == right,
        _ => compare(left, right, zone) == Some(Ordering::Equal),
    }
}

/// Orders two values as [`equal`] does; not at all where one is nothing.
pub(crate) fn compare(left: &Value, right: &Value, zone: &TimeZone) -> Option<Ordering> {
    if !left.exists() || !right.exists() {
        return None;
    }
    if let (Value::Date(_), _) | (_, Value::Date(_)) = (left, right)
        && let (Some(left), Some(right)) = (functions::to_date(left, zone), functions::to_date(right, zone))
    {
        return Some(left.cmp(&right));
    }
    match (left.to_number(), right.to_number()) {
        (Some(Value::Int(left)), Some(Value::Int(right))) => Some(left.cmp(&right)),
        (Some(left), Some(right)) => left.to_f64()?.partial_cmp(&right.to_f64()?),
        _ => Some(left.to_text().cmp(&right.to_text())),
    }
}
