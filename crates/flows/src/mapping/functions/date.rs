//! Dates and times. Without a zone everything is UTC.

use base::Timestamp;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use super::{Function, function, text_at, whole_at};
use crate::mapping::dates;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("formatDate", "formatDate(date; format; [time zone])", 2, 3, |arguments, _| {
        if arguments[0].is_empty() {
            return Ok(Value::Absent);
        }
        let time = zoned(&arguments[0], &zone(&text_at(arguments, 2)))?;
        Ok(Value::text(dates::format(&time, &text_at(arguments, 1))))
    }),
    function("parseDate", "parseDate(text; format; [time zone])", 2, 3, |arguments, _| {
        if arguments[0].is_empty() {
            return Ok(Value::Absent);
        }
        if let Value::Date(_) = arguments[0] {
            return Ok(arguments[0].clone());
        }
        let zone = zone(&text_at(arguments, 2));
        dates::parse(&text_at(arguments, 0), &text_at(arguments, 1), &zone).map(Value::Date)
    }),
    function("addSeconds", "addSeconds(date; number)", 2, 2, |arguments, _| shift(arguments, Span::try_seconds)),
    function("addMinutes", "addMinutes(date; number)", 2, 2, |arguments, _| shift(arguments, Span::try_minutes)),
    function("addHours", "addHours(date; number)", 2, 2, |arguments, _| shift(arguments, Span::try_hours)),
    function("addDays", "addDays(date; number)", 2, 2, |arguments, _| shift(arguments, Span::try_days)),
    function("addMonths", "addMonths(date; number)", 2, 2, |arguments, _| shift(arguments, Span::try_months)),
    function("addYears", "addYears(date; number)", 2, 2, |arguments, _| shift(arguments, Span::try_years)),
];

fn shift(arguments: &[Value], span: impl Fn(Span, i64) -> Result<Span, jiff::Error>) -> Result<Value, String> {
    if arguments[0].is_empty() {
        return Ok(Value::Absent);
    }
    let time = zoned(&arguments[0], &TimeZone::UTC)?;
    let number = whole_at(arguments, 1)?;
    let outside = |_| "the result lies outside the calendar".to_owned();
    // Months that are too short clamp to their last day.
    let shifted = span(Span::new(), number).and_then(|span| time.checked_add(span)).map_err(outside)?;
    Ok(Value::Date(Timestamp::from_micros(shifted.timestamp().as_microsecond())))
}

/// Anything that is no name of a zone is ignored, as the documentation says.
fn zone(name: &str) -> TimeZone {
    if name.is_empty() { TimeZone::UTC } else { TimeZone::get(name).unwrap_or(TimeZone::UTC) }
}

fn zoned(value: &Value, zone: &TimeZone) -> Result<Zoned, String> {
    let time = to_date(value).ok_or_else(|| format!("\"{}\" is not a date", value.to_text()))?;
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).map_err(|_| "the date lies outside the calendar")?;
    Ok(time.to_zoned(zone.clone()))
}

/// Reads a value as a date: a date, or a text in one of the usual forms.
pub(crate) fn to_date(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Date(time) => Some(*time),
        Value::Text(text) => dates::read(text),
        _ => None,
    }
}
