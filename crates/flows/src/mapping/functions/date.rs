//! Dates as points in time: writing, reading and moving them. A date that
//! comes as a text without an offset, and every unit of a day and longer, is
//! counted in the time zone of the flow.

use base::Timestamp;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use super::{ANY, Function, at, function, number_at, text_at, whole_at};
use crate::mapping::dates::{self, MONTHS, WEEKDAYS};
use crate::mapping::evaluate::Surroundings;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("formatDate", "formatDate(date; format; [time zone])", 2, 3, |arguments, around| {
        if arguments[0].is_empty() {
            return Ok(Value::Absent);
        }
        let time = zoned(&arguments[0], around)?.with_time_zone(zone(arguments, around));
        Ok(Value::text(dates::format(&time, &text_at(arguments, 1))))
    }),
    function("parseDate", "parseDate(text; format; [time zone])", 2, 3, |arguments, around| {
        if arguments[0].is_empty() {
            return Ok(Value::Absent);
        }
        if let Value::Date(_) = arguments[0] {
            return Ok(arguments[0].clone());
        }
        let now = in_zone(around.now(), zone(arguments, around))?;
        dates::parse(&text_at(arguments, 0), &text_at(arguments, 1), &now).map(Value::Date)
    }),
    function("addSeconds", "addSeconds(date; number)", 2, 2, |arguments, around| later(arguments, around, 1.0)),
    function("addMinutes", "addMinutes(date; number)", 2, 2, |arguments, around| later(arguments, around, 60.0)),
    function("addHours", "addHours(date; number)", 2, 2, |arguments, around| later(arguments, around, 3_600.0)),
    function("addDays", "addDays(date; number)", 2, 2, |arguments, around| {
        shift(arguments, around, |days| Span::new().try_days(days))
    }),
    function("addMonths", "addMonths(date; number)", 2, 2, |arguments, around| {
        shift(arguments, around, |months| Span::new().try_months(months))
    }),
    function("addYears", "addYears(date; number)", 2, 2, |arguments, around| {
        shift(arguments, around, |years| Span::new().try_years(years))
    }),
    function("setSecond", "setSecond(date; 0 to 59)", 2, 2, |arguments, around| {
        set(arguments, around, |time, second| moved(time, Span::new().try_seconds(second - i64::from(time.second()))))
    }),
    function("setMinute", "setMinute(date; 0 to 59)", 2, 2, |arguments, around| {
        set(arguments, around, |time, minute| moved(time, Span::new().try_minutes(minute - i64::from(time.minute()))))
    }),
    function("setHour", "setHour(date; 0 to 23)", 2, 2, |arguments, around| {
        set(arguments, around, |time, hour| {
            // The hour of the clock, also on a day that has 23 or 25 of them.
            let date = time.date().checked_add(Span::new().try_days(hour.div_euclid(24)).map_err(outside)?);
            let hour = i8::try_from(hour.rem_euclid(24)).unwrap_or(0);
            let clock = time.time().with().hour(hour).build().map_err(outside)?;
            date.map_err(outside)?.to_datetime(clock).to_zoned(time.time_zone().clone()).map_err(outside)
        })
    }),
    function("setDay", "setDay(date; 1 to 7 from Sunday, or English name)", 2, 2, |arguments, around| {
        let day = number_or_name(arguments, &WEEKDAYS)?;
        change(arguments, around, |time| {
            let today = i64::from(time.weekday().to_sunday_zero_offset()) + 1;
            moved(time, Span::new().try_days(day - today))
        })
    }),
    function("setDate", "setDate(date; 1 to 31)", 2, 2, |arguments, around| {
        set(arguments, around, |time, day| moved(time, Span::new().try_days(day - i64::from(time.day()))))
    }),
    function("setMonth", "setMonth(date; 1 to 12, or English name)", 2, 2, |arguments, around| {
        let month = number_or_name(arguments, &MONTHS)?;
        change(arguments, around, |time| moved(time, Span::new().try_months(month - i64::from(time.month()))))
    }),
    function("setYear", "setYear(date; year)", 2, 2, |arguments, around| {
        set(arguments, around, |time, year| moved(time, Span::new().try_years(year - i64::from(time.year()))))
    }),
    function("dateDifference", "dateDifference(date; earlier date; [unit])", 2, 3, |arguments, around| {
        if arguments[0].is_empty() || arguments[1].is_empty() {
            return Ok(Value::Absent);
        }
        let (left, right) = (zoned(&arguments[0], around)?, zoned(&arguments[1], around)?);
        let millis = left.timestamp().as_millisecond() - right.timestamp().as_millisecond();
        // Whole units only, cut off towards zero.
        Ok(Value::Int(match text_at(arguments, 2).as_str() {
            "" | "milliseconds" => millis,
            "seconds" => millis / 1_000,
            "minutes" => millis / 60_000,
            "hours" => millis / 3_600_000,
            "days" => calendar_units(&left, &right, jiff::Unit::Day)?,
            "weeks" => calendar_units(&left, &right, jiff::Unit::Day)? / 7,
            "months" => calendar_units(&left, &right, jiff::Unit::Month)?,
            other => {
                return Err(format!(
                    "\"{other}\" is not a unit: milliseconds, seconds, minutes, hours, days, weeks or months"
                ));
            }
        }))
    }),
    function("dateMax", "dateMax(date; date; …)", 1, ANY, |arguments, around| {
        Ok(all(arguments, around)?.into_iter().max().map_or(Value::Absent, Value::Date))
    }),
    function("dateMin", "dateMin(date; date; …)", 1, ANY, |arguments, around| {
        Ok(all(arguments, around)?.into_iter().min().map_or(Value::Absent, Value::Date))
    }),
];

fn outside<E>(_: E) -> String {
    "the result lies outside the calendar".to_owned()
}

fn date_value(time: &Zoned) -> Value {
    Value::Date(Timestamp::from_micros(time.timestamp().as_microsecond()))
}

pub(super) fn in_zone(time: Timestamp, zone: TimeZone) -> Result<Zoned, String> {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).map_err(outside)?;
    Ok(time.to_zoned(zone))
}

/// Returns the zone in third place. Anything that is no name of a zone is
/// ignored, as the documentation says.
fn zone(arguments: &[Value], around: &dyn Surroundings) -> TimeZone {
    let name = text_at(arguments, 2);
    if name.is_empty() { around.zone() } else { TimeZone::get(&name).unwrap_or_else(|_| around.zone()) }
}

/// Reads a date argument in the time zone of the flow.
pub(super) fn zoned(value: &Value, around: &dyn Surroundings) -> Result<Zoned, String> {
    let zone = around.zone();
    let time = to_date(value, &zone).ok_or_else(|| format!("\"{}\" is not a date", value.to_text()))?;
    in_zone(time, zone)
}

/// Reads a value as a date: a date, or a text in one of the usual forms, which
/// is a time in `zone` where it names no offset.
pub(crate) fn to_date(value: &Value, zone: &TimeZone) -> Option<Timestamp> {
    match value {
        Value::Date(time) => Some(*time),
        // All forms name a year, so what is today plays no part.
        Value::Text(text) => dates::read(text, &jiff::Timestamp::UNIX_EPOCH.to_zoned(zone.clone())),
        _ => None,
    }
}

/// Changes the date in first place; without one there is nothing to change.
pub(super) fn change(
    arguments: &[Value],
    around: &dyn Surroundings,
    change: impl FnOnce(&Zoned) -> Result<Zoned, String>,
) -> Result<Value, String> {
    if arguments[0].is_empty() {
        return Ok(Value::Absent);
    }
    Ok(date_value(&change(&zoned(&arguments[0], around)?)?))
}

/// Sets a part of a date to the number in second place.
fn set(
    arguments: &[Value],
    around: &dyn Surroundings,
    part: impl FnOnce(&Zoned, i64) -> Result<Zoned, String>,
) -> Result<Value, String> {
    let number = whole_at(arguments, 1)?;
    change(arguments, around, |time| part(time, number))
}

/// Months that are too short clamp to their last day.
fn moved(time: &Zoned, span: Result<Span, jiff::Error>) -> Result<Zoned, String> {
    time.checked_add(span.map_err(outside)?).map_err(outside)
}

/// Adds a number of units of fixed length; fractions count.
fn later(arguments: &[Value], around: &dyn Surroundings, unit_s: f64) -> Result<Value, String> {
    let micros = (number_at(arguments, 1)? * unit_s * 1_000_000.0).round() as i64;
    change(arguments, around, |time| moved(time, Span::new().try_microseconds(micros)))
}

/// Adds a number of units of the calendar, rounded to a whole one.
fn shift(
    arguments: &[Value],
    around: &dyn Surroundings,
    span: impl FnOnce(i64) -> Result<Span, jiff::Error>,
) -> Result<Value, String> {
    let number = number_at(arguments, 1)?.round() as i64;
    change(arguments, around, |time| moved(time, span(number)))
}

/// Reads the number in second place, or the place of an English name, from 1.
fn number_or_name(arguments: &[Value], names: &[&str]) -> Result<i64, String> {
    let value = at(arguments, 1);
    if let Some(number) = value.to_i64() {
        return Ok(number);
    }
    let text = value.to_text().to_lowercase();
    let is_named = |name: &&str| text.len() >= 3 && name.to_lowercase().starts_with(&text);
    match names.iter().position(is_named) {
        Some(place) => Ok(place as i64 + 1),
        None => Err(format!("\"{}\" is neither a number nor one of {}", value.to_text(), names.join(", "))),
    }
}

fn calendar_units(left: &Zoned, right: &Zoned, unit: jiff::Unit) -> Result<i64, String> {
    let span = right.until((unit, left)).map_err(outside)?;
    Ok(if unit == jiff::Unit::Month { i64::from(span.get_months()) } else { i64::from(span.get_days()) })
}

/// Collects the dates of an array, or of all arguments.
fn all(arguments: &[Value], around: &dyn Surroundings) -> Result<Vec<Timestamp>, String> {
    let values = match arguments {
        [Value::Array(values)] => values.as_slice(),
        _ => arguments,
    };
    let zone = around.zone();
    let present = values.iter().filter(|value| !value.is_empty());
    present.map(|value| to_date(value, &zone).ok_or_else(|| format!("\"{}\" is not a date", value.to_text()))).collect()
}
