//! Dates as people write and count them: parts, rounding, formats, zones.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use crate::calendar::{days_since_1970, to_wall};
use crate::pql::plan::{ClockPart, DatePart, Unit};
use crate::value::date_in_range;

const DAY: i64 = 86_400_000;

/// Finds a time zone by its name; `UTC` is UTC itself.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if ["UTC", "Etc/UTC", "GMT", "Z"].iter().any(|utc| utc.eq_ignore_ascii_case(name)) {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok()
}

fn civil(millis: i64) -> Option<DateTime> {
    Some(TimeZone::UTC.to_datetime(Timestamp::from_millisecond(millis).ok()?))
}

fn zoned(millis: i64) -> Option<Zoned> {
    Some(Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC))
}

/// Returns a part of a date.
pub(crate) fn part(part: DatePart, millis: i64) -> Option<i64> {
    let of_day = millis.rem_euclid(DAY);
    let day = civil(millis)?.date();
    Some(match part {
        DatePart::Year => day.year().into(),
        DatePart::Quarter => ((day.month() - 1) / 3 + 1).into(),
        DatePart::Month => day.month().into(),
        DatePart::Week => day.iso_week_date().week().into(),
        DatePart::Day => day.day().into(),
        DatePart::DayOfWeek => day.weekday().to_sunday_zero_offset().into(),
        DatePart::DaysInMonth => day.days_in_month().into(),
        DatePart::Hours => of_day / 3_600_000,
        DatePart::Minutes => of_day / 60_000 % 60,
        DatePart::Seconds => of_day / 1_000 % 60,
        DatePart::Millis => of_day % 1_000,
    })
}

/// Sets back all that is smaller than a part.
pub(crate) fn round(part: DatePart, millis: i64) -> Option<i64> {
    let step = match part {
        DatePart::Millis => 1,
        DatePart::Seconds => 1_000,
        DatePart::Minutes => 60_000,
        DatePart::Hours => 3_600_000,
        _ => DAY,
    };
    let day = civil(millis)?.date();
    let first = match part {
        DatePart::Year => Date::new(day.year(), 1, 1).ok()?,
        DatePart::Quarter => Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok()?,
        DatePart::Month | DatePart::DaysInMonth => day.first_of_month(),
        DatePart::Week => {
            let since_monday = day.weekday().since(Weekday::Monday);
            day.checked_sub(Span::new().days(since_monday)).ok()?
        }
        _ => return Some(millis.div_euclid(step) * step),
    };
    Some(days_since_1970(first) * DAY)
}

/// Moves a date by a number of units; the last day of a month stays one when
/// months are added.
pub(crate) fn add(unit: Unit, millis: i64, count: f64) -> Option<i64> {
    let whole = |count: f64| (count.abs() < 9.0e18).then_some(count as i64);
    let moved = match unit {
        Unit::Months | Unit::Years => {
            let count = whole(count.trunc())?;
            let span = if unit == Unit::Months {
                Span::new().try_months(count).ok()?
            } else {
                Span::new().try_years(count).ok()?
            };
            let before = civil(millis)?;
            let mut after = before.checked_add(span).ok()?;
            if unit == Unit::Months && before.date().day() == before.date().days_in_month() {
                after = after.date().last_of_month().to_datetime(after.time());
            }
            days_since_1970(after.date()) * DAY + millis.rem_euclid(DAY)
        }
        _ => millis.checked_add(whole((count * unit.millis()).round())?)?,
    };
    date_in_range(moved).then_some(moved)
}

/// Brings a date from the wall of one zone to that of another. A time that the
/// first wall skips is read by the offset after the change, one that it repeats
/// is the first.
pub(crate) fn convert(from: &TimeZone, to: &TimeZone, millis: i64) -> Option<i64> {
    let instant = from.to_ambiguous_timestamp(civil(millis)?).earlier().ok()?;
    let moved = to_wall(to, instant.as_millisecond());
    date_in_range(moved).then_some(moved)
}

/// Says what is wrong with a format, if anything.
pub(crate) fn fault_of_format(format: &str) -> Option<String> {
    let written = strtime::format(format, &zoned(0)?);
    written.err().map(|error| {
        format!("'{format}' is no format: {error}; write it of %Y %m %d %H %M %S %b %B %a %A %y %j and the like")
    })
}

/// Writes a date in a format.
pub(crate) fn write(format: &str, millis: i64) -> Option<String> {
    strtime::format(format, &zoned(millis)?).ok()
}

/// Reads a date in a format. What the format does not name is the first of
/// its kind: a year alone is its first day, a day alone its midnight.
pub(crate) fn read(format: &str, text: &str) -> Option<i64> {
    let mut read = strtime::parse(format, text.trim()).ok()?;
    if let Ok(instant) = read.to_timestamp() {
        return Some(instant.as_millisecond()).filter(|millis| date_in_range(*millis));
    }
    if read.to_date().is_err() {
        if read.year().is_none() {
            read.set_year(Some(1970)).ok()?;
        }
        if read.month().is_none() {
            read.set_month(Some(1)).ok()?;
        }
        if read.day().is_none() {
            read.set_day(Some(1)).ok()?;
        }
    }
    let time = read.to_time().unwrap_or_default();
    let millis = days_since_1970(read.to_date().ok()?) * DAY
        + time.duration_since(jiff::civil::Time::midnight()).as_millis() as i64;
    date_in_range(millis).then_some(millis)
}

/// Returns what the clock of a zone shows.
pub(crate) fn clock(part_of: ClockPart, zone: &TimeZone, now: i64) -> Option<i64> {
    let wall = to_wall(zone, now);
    match part_of {
        ClockPart::Today => round(DatePart::Day, wall),
        ClockPart::Hour => part(DatePart::Hours, wall),
        ClockPart::Minute => part(DatePart::Minutes, wall),
    }
}

/// Returns the next instant after `now` at which, on the wall of a zone, a
/// time begins that is a multiple of `every` milliseconds, or the clocks
/// change.
pub(crate) fn next_wall_boundary(zone: &TimeZone, every: i64, now: i64) -> i64 {
    let wall = to_wall(zone, now);
    let regular = now + ((wall.div_euclid(every) + 1) * every - wall);
    let change = Timestamp::from_millisecond(now)
        .ok()
        .and_then(|now| zone.following(now).next())
        .map_or(i64::MAX, |change| change.timestamp().as_millisecond());
    if change > now { regular.min(change) } else { regular }
}
