//! What becomes of a value that is mapped into a field of another type.
//!
//! Source: the table "Type coercion" of the public documentation of the
//! original engine. What cannot be converted is a mistake of the bundle, and
//! its sentence names both sides.

use jiff::tz::TimeZone;

use super::Value;
use crate::mapping::to_date;

/// Types of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Whatever comes.
    Any,
    /// A text.
    Text,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// A whole number that is not negative.
    UnsignedInteger,
    /// True or false.
    Boolean,
    /// A point in time.
    Date,
    /// A time of the day, as `hours:minutes:seconds`.
    Time,
    /// Values by name.
    Collection,
    /// Values in order.
    Array,
    /// Bytes.
    Buffer,
}

impl FieldType {
    /// Finds the type that a specification of fields names. Types that only
    /// say how a text is entered (url, email …) are texts. What is selected may
    /// be of any type, and so may what nobody knows.
    pub fn named(name: &str) -> Self {
        match name {
            "text" | "url" | "email" | "filename" | "password" | "editor" | "cert" | "path" => FieldType::Text,
            "number" => FieldType::Number,
            "integer" => FieldType::Integer,
            "uinteger" | "port" => FieldType::UnsignedInteger,
            "boolean" => FieldType::Boolean,
            "date" | "timestamp" => FieldType::Date,
            "time" => FieldType::Time,
            "collection" => FieldType::Collection,
            "array" => FieldType::Array,
            "buffer" => FieldType::Buffer,
            _ => FieldType::Any,
        }
    }
}

impl FieldType {
    /// Returns the name under which a specification has it.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldType::Any => "any",
            FieldType::Text => "text",
            FieldType::Number => "number",
            FieldType::Integer => "integer",
            FieldType::UnsignedInteger => "uinteger",
            FieldType::Boolean => "boolean",
            FieldType::Date => "date",
            FieldType::Time => "time",
            FieldType::Collection => "collection",
            FieldType::Array => "array",
            FieldType::Buffer => "buffer",
        }
    }
}

/// Converts a value for a field. Absent and null stay what they are: whether
/// the field may be empty is not a question of its type. Dates without an
/// offset are in `zone`.
pub fn convert(value: Value, to: FieldType, zone: &TimeZone) -> Result<Value, String> {
    if !value.exists() {
        return Ok(value);
    }
    match to {
        FieldType::Any => Ok(value),
        FieldType::Text => to_text(value),
        FieldType::Number => to_number(value),
        FieldType::Integer | FieldType::UnsignedInteger => {
            let number = to_number(value)?;
            match number {
                Value::Int(whole) if to == FieldType::Integer || whole >= 0 => Ok(number),
                Value::Int(whole) => Err(format!("{whole} is negative")),
                other => Err(format!("{} is not a whole number", other.to_text())),
            }
        }
        FieldType::Boolean => Ok(Value::Bool(match value {
            Value::Bool(truth) => truth,
            Value::Text(text) => !text.is_empty() && &*text != "false",
            // Any number, 0 too: so it is in the original.
            _ => true,
        })),
        FieldType::Date => match (&value, to_date(&value, zone)) {
            (Value::Date(_) | Value::Text(_), Some(time)) => Ok(Value::Date(time)),
            _ => Err(misfit(&value, "a date such as 2026-02-03T09:15:00Z")),
        },
        FieldType::Time => match &value {
            Value::Text(text) => match read_time_of_day(text) {
                Some(seconds) => {
                    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
                    Ok(Value::text(format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)))
                }
                None => Err(misfit(&value, "a time such as 14:30:00")),
            },
            _ => Err(misfit(&value, "a time such as 14:30:00")),
        },
        FieldType::Collection => match value {
            Value::Collection(_) => Ok(value),
            other => Err(misfit(&other, "a collection")),
        },
        FieldType::Array => Ok(match value {
            Value::Array(_) => value,
            other => Value::array(vec![other]),
        }),
        FieldType::Buffer => match value {
            Value::Buffer(_) => Ok(value),
            Value::Array(_) | Value::Collection(_) => Err(misfit(&value, "bytes")),
            other => Ok(Value::Buffer(other.to_bytes())),
        },
    }
}

fn to_text(value: Value) -> Result<Value, String> {
    match &value {
        Value::Text(_) => Ok(value),
        Value::Collection(_) => Err(misfit(&value, "a text; map one of its items, or use json:TransformToJSON")),
        Value::Array(values) if values.iter().any(|each| matches!(each, Value::Array(_) | Value::Collection(_))) => {
            Err(misfit(&value, "a text; use map(…; key) and join(…; separator), or json:TransformToJSON"))
        }
        Value::Buffer(bytes) if std::str::from_utf8(bytes).is_err() => {
            Err(misfit(&value, "a text: they are not UTF-8"))
        }
        other => Ok(Value::text(other.to_text())),
    }
}

fn to_number(value: Value) -> Result<Value, String> {
    match value {
        Value::Int(_) | Value::Float(_) => Ok(value),
        Value::Text(_) => value.to_number().ok_or_else(|| misfit(&value, "a number")),
        other => Err(misfit(&other, "a number")),
    }
}

fn misfit(value: &Value, wanted: &str) -> String {
    let what = match value {
        Value::Absent | Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(_) | Value::Float(_) => format!("the number {}", value.to_text()),
        Value::Text(text) => format!("\"{}\"", text.chars().take(60).collect::<String>()),
        Value::Date(_) => format!("the date {}", value.to_text()),
        Value::Buffer(bytes) => format!("{} bytes", bytes.len()),
        Value::Array(values) => format!("an array of {}", values.len()),
        Value::Collection(_) => "a collection".to_owned(),
    };
    let verb = if matches!(value, Value::Buffer(_)) { "are" } else { "is" };
    format!("{what} {verb} not {wanted}")
}

/// Reads `hours:minutes[:seconds]` as seconds since midnight.
pub(crate) fn read_time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.trim().split(':');
    let mut part = |max: i64| {
        let digits = parts.next()?;
        let is_number = (1..=2).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
        let number: i64 = if is_number { digits.parse().ok()? } else { return None };
        (number <= max).then_some(number)
    };
    let (hours, minutes) = (part(23)?, part(59)?);
    let seconds = if text.matches(':').count() == 1 { 0 } else { part(59)? };
    parts.next().is_none().then_some((hours * 60 + minutes) * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value as Json, json};

    use super::*;

    fn check(value: Value, to: &str, expected: Expect) {
        let shown = match convert(value, FieldType::named(to), &TimeZone::UTC) {
            Ok(Value::Buffer(bytes)) => format!("bytes {bytes:?}"),
            Ok(value) => value.to_stored().to_string(),
            Err(problem) => problem,
        };
        expected.assert_eq(&shown);
    }

    fn of(json: Json) -> Value {
        Value::from_json(json)
    }

    #[test]
    fn a_field_converts_what_it_is_given() {
        check(of(json!([1])), "array", expect!["[1]"]);
        check(of(json!("a")), "array", expect![[r#"["a"]"#]]);
        check(of(json!(0)), "boolean", expect!["true"]);
        check(of(json!("")), "boolean", expect!["false"]);
        check(of(json!("false")), "boolean", expect!["false"]);
        check(of(json!("no")), "boolean", expect!["true"]);
        check(of(json!("ä")), "buffer", expect![[r#"bytes b"\xc3\xa4""#]]);
        check(of(json!(1.5)), "buffer", expect![[r#"bytes b"1.5""#]]);
        check(of(json!({"a": 1})), "collection", expect![[r#"{"a":1}"#]]);
        check(of(json!("1.50")), "number", expect!["1.5"]);
        check(of(json!("7")), "uinteger", expect!["7"]);
        check(of(json!(true)), "text", expect![[r#""true""#]]);
        check(of(json!([1, "b"])), "text", expect![[r#""1,b""#]]);
        check(
            Value::Date("2016-06-20T17:26:44.356Z".parse().expect("a time")),
            "text",
            expect![[r#""2016-06-20T17:26:44.356Z""#]],
        );
        check(of(json!("9:5")), "time", expect![[r#""09:05:00""#]]);
        check(Value::Null, "number", expect!["null"]);
        check(of(json!({"a": 1})), "select-of-somebody", expect![[r#"{"a":1}"#]]);
    }

    #[test]
    fn what_does_not_fit_is_told_with_both_sides() {
        check(of(json!("x")), "number", expect![[r#""x" is not a number"#]]);
        check(of(json!(true)), "number", expect!["true is not a number"]);
        check(of(json!(1.5)), "integer", expect!["1.5 is not a whole number"]);
        check(of(json!(-1)), "uinteger", expect!["-1 is negative"]);
        check(
            of(json!({"a": 1})),
            "text",
            expect!["a collection is not a text; map one of its items, or use json:TransformToJSON"],
        );
        check(
            of(json!([{"a": 1}])),
            "text",
            expect!["an array of 1 is not a text; use map(…; key) and join(…; separator), or json:TransformToJSON"],
        );
        check(of(json!([1])), "buffer", expect!["an array of 1 is not bytes"]);
        check(of(json!("soon")), "date", expect![[r#""soon" is not a date such as 2026-02-03T09:15:00Z"#]]);
        check(of(json!(5)), "date", expect!["the number 5 is not a date such as 2026-02-03T09:15:00Z"]);
        check(of(json!("24:00")), "time", expect![[r#""24:00" is not a time such as 14:30:00"#]]);
        check(Value::Buffer(vec![0xff].into()), "text", expect!["1 bytes are not a text: they are not UTF-8"]);
        check(of(json!("a")), "collection", expect![[r#""a" is not a collection"#]]);
    }

    #[test]
    fn every_form_of_a_date_that_is_documented_is_read() {
        for text in [
            "2016-06-20T17:26:44.356Z",
            "2016-06-20 19:26:44 GMT+02:00",
            "2016-06-20 19:26+0200",
            "2016-06-20 17:26:44",
            "2016-06-20",
            "2016/06/20 17:26:44",
            "2016/06/20 19:26:44+02:00",
            "2016/06/20 17:26",
            "2016/06/20 5:26 PM",
            "2016/06/20",
            "06/20/2016 17:26:44",
            "06/20/2016 19:26:44+02:00",
            "06/20/2016 17:26",
            "06/20/2016 5:26 PM",
            "06/20/2016",
            "20.6.2016 17:26:44",
            "20.6.2016 19:26:44+02:00",
            "20.6.2016 17:26",
            "20.6.2016",
        ] {
            let value = convert(Value::text(text), FieldType::Date, &TimeZone::UTC).expect(text);
            let Value::Date(time) = value else { panic!("{text} became {value:?}") };
            let expected = if text.contains(".356") {
                "2016-06-20T17:26:44.356Z"
            } else if text.contains(":44") {
                "2016-06-20T17:26:44.000Z"
            } else if text.contains(':') {
                "2016-06-20T17:26:00.000Z"
            } else {
                "2016-06-20T00:00:00.000Z"
            };
            assert_eq!(time.to_string(), expected, "{text}");
        }
    }
}
