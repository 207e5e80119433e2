//! Dates as days of a calendar: their parts, weekends and working time, in the
//! time zone of the flow.

use jiff::civil::{Date, Time, Weekday};
use jiff::{Span, Zoned};

use super::date::{change, zoned};
use super::{Function, function, number_at};
use crate::mapping::evaluate::Surroundings;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("year", "year(date)", 1, 1, |arguments, around| part(arguments, around, |time| time.year().into())),
    function("month", "month(date)", 1, 1, |arguments, around| part(arguments, around, |time| time.month().into())),
    function("dayOfMonth", "dayOfMonth(date)", 1, 1, |arguments, around| {
        part(arguments, around, |time| time.day().into())
    }),
    function("dayOfWeek", "dayOfWeek(date)", 1, 1, |arguments, around| {
        part(arguments, around, |time| i64::from(time.weekday().to_sunday_zero_offset()) + 1)
    }),
    function("hour", "hour(date)", 1, 1, |arguments, around| part(arguments, around, |time| time.hour().into())),
    function("minute", "minute(date)", 1, 1, |arguments, around| part(arguments, around, |time| time.minute().into())),
    function("second", "second(date)", 1, 1, |arguments, around| part(arguments, around, |time| time.second().into())),
    function("daysInMonth", "daysInMonth(date)", 1, 1, |arguments, around| {
        part(arguments, around, |time| time.date().days_in_month().into())
    }),
    function("daysInYear", "daysInYear(date)", 1, 1, |arguments, around| {
        part(arguments, around, |time| time.date().days_in_year().into())
    }),
    function("daysInSplitWeek", "daysInSplitWeek(date)", 1, 1, |arguments, around| {
        part(arguments, around, |time| {
            let to_saturday = 6 - i64::from(time.weekday().to_sunday_zero_offset());
            let to_last = i64::from(time.date().days_in_month()) - i64::from(time.day());
            let days = (0..=to_saturday.min(to_last)).filter_map(|days| day_after(time.date(), days));
            days.filter(|day| !is_weekend(*day)).count() as i64
        })
    }),
    function("isWeekend", "isWeekend(date)", 1, 1, |arguments, around| {
        if arguments[0].is_empty() {
            return Ok(Value::Absent);
        }
        Ok(Value::Bool(is_weekend(zoned(&arguments[0], around)?.date())))
    }),
    function("startOfMonth", "startOfMonth(date)", 1, 1, |arguments, around| {
        change(arguments, around, |time| at(time, time.date().first_of_month(), Time::midnight()))
    }),
    function("endOfMonth", "endOfMonth(date)", 1, 1, |arguments, around| {
        change(arguments, around, |time| at(time, time.date().last_of_month(), Time::constant(23, 59, 59, 999_000_000)))
    }),
    function("addWeekDays", "addWeekDays(date; number)", 2, 2, |arguments, around| {
        let days = number_at(arguments, 1)?.trunc();
        if days.abs() > 1_000_000.0 {
            return Err("more than a million days".to_owned());
        }
        change(arguments, around, |time| {
            let (mut left, step) = (days.abs() as i64, if days < 0.0 { -1 } else { 1 });
            let mut day = time.date();
            while left > 0 {
                day = day_after(day, step).ok_or("the result lies outside the calendar")?;
                left -= i64::from(!is_weekend(day));
            }
            at(time, day, time.time())
        })
    }),
    function("weekDayDiff", "weekDayDiff(date; earlier date)", 2, 2, |arguments, around| {
        let whole_day = (Time::midnight(), Time::MAX);
        let millis = open_time(arguments, around, whole_day, true)?;
        Ok(millis.map_or(Value::Absent, |millis| Value::number(millis as f64 / 86_400_000.0)))
    }),
    function("workMinutesDiff", "workMinutesDiff(date; later date)", 2, 2, |arguments, around| {
        let office_hours = (Time::constant(9, 0, 0, 0), Time::constant(17, 0, 0, 0));
        let millis = open_time(arguments, around, office_hours, false)?;
        Ok(millis.map_or(Value::Absent, |millis| Value::number((millis as f64 / 60_000.0).trunc())))
    }),
];

/// Returns a part of the date in first place; without one there is none.
fn part(arguments: &[Value], around: &dyn Surroundings, part: impl FnOnce(&Zoned) -> i64) -> Result<Value, String> {
    if arguments[0].is_empty() {
        return Ok(Value::Absent);
    }
    Ok(Value::Int(part(&zoned(&arguments[0], around)?)))
}

fn day_after(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn at(time: &Zoned, date: Date, clock: Time) -> Result<Zoned, String> {
    let there = date.to_datetime(clock).to_zoned(time.time_zone().clone());
    there.map_err(|_| "the result lies outside the calendar".to_owned())
}

/// Days between two dates beyond which nobody counts working time.
const DAYS_MAX: i64 = 400_000;

/// Adds up the milliseconds from one date to the other that lie on Monday to
/// Friday between two times of the clock; negative if they stand the other way
/// round. The clock is that of the wall, so a day of 23 hours counts in full.
fn open_time(
    arguments: &[Value],
    around: &dyn Surroundings,
    (opens, closes): (Time, Time),
    is_later_first: bool,
) -> Result<Option<i64>, String> {
    if arguments[0].is_empty() || arguments[1].is_empty() {
        return Ok(None);
    }
    let (first, second) = (zoned(&arguments[0], around)?, zoned(&arguments[1], around)?);
    let (from, to) = if is_later_first { (second, first) } else { (first, second) };
    let sign = if from <= to { 1 } else { -1 };
    let (from, to) = if from <= to { (from, to) } else { (to, from) };
    // `Time::MAX` stands for the end of the day.
    let of_day = |time: Time| if time == Time::MAX { 86_400_000 } else { millis_of_day(time) };
    let days = i64::from(to.date().since(from.date()).map_or(0, |span| span.get_days()));
    if days > DAYS_MAX {
        return Err(format!("more than {DAYS_MAX} days lie between the dates"));
    }
    let millis = (0..=days).filter_map(|number| Some((number, day_after(from.date(), number)?)));
    let millis = millis.filter(|(_, day)| !is_weekend(*day)).map(|(number, _)| {
        let start = if number == 0 { millis_of_day(from.time()) } else { 0 };
        let end = if number == days { millis_of_day(to.time()) } else { 86_400_000 };
        (end.min(of_day(closes)) - start.max(of_day(opens))).max(0)
    });
    Ok(Some(sign * millis.sum::<i64>()))
}

fn millis_of_day(time: Time) -> i64 {
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    seconds * 1_000 + i64::from(time.subsec_nanosecond()) / 1_000_000
}
