//! Cron texts, with the `croner` crate behind.
//!
//! `croner` answers in readings of a clock on a wall; it is asked in UTC, so
//! that it knows nothing of zones, and the zone is applied here. Its own way
//! through daylight saving can answer with a time that has already been.

use chrono::{DateTime, Datelike, Timelike, Utc};
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, JobType};
use jiff::civil;
use jiff::tz::TimeZone;

use super::{NotASchedule, instant, local};
use crate::time::Timestamp;

/// Readings that may turn out to lie before the time asked for: clocks have
/// never been moved by more than a day.
const READINGS_BACK_HOURS: i64 = 25;

/// A checked cron text.
#[derive(Clone, Debug)]
pub(super) struct CronRule {
    text: String,
    cron: Cron,
    /// It names one time of day, which must neither be lost in a gap nor come twice.
    fixed: bool,
}

impl PartialEq for CronRule {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl CronRule {
    /// Reads five fields; what happens more often than every minute is not ours.
    pub(super) fn parse(text: &str) -> Result<Self, NotASchedule> {
        Self::new(text, CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build())
    }

    /// Reads the six or seven fields of Quartz.
    pub(super) fn parse_quartz(text: &str) -> Result<Self, NotASchedule> {
        Self::new(text, CronParser::builder().seconds(Seconds::Required).alternative_weekdays(true).build())
    }

    fn new(text: &str, parser: CronParser) -> Result<Self, NotASchedule> {
        let cron = parser.parse(text).map_err(|error| NotASchedule {
            problem: format!("\"{text}\" is not a cron text: {}", error.to_string().trim_end_matches('.')),
        })?;
        let fixed = cron.determine_job_type() == JobType::FixedTime;
        Ok(CronRule { text: text.to_owned(), cron, fixed })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.fixed { self.next_fixed(after, zone) } else { self.next_of_many(after, zone) }
    }

    /// One time of day: find the reading, then the instant that belongs to it.
    fn next_fixed(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut reading = local(after, zone)?.checked_sub(jiff::Span::new().hours(READINGS_BACK_HOURS)).ok()?;
        loop {
            reading = self.reading_after(reading, false)?;
            let next = instant(reading, zone)?;
            if next > after {
                return Some(next);
            }
        }
    }

    /// Many times of day: go along real time, from one move of the clocks to
    /// the next.
    fn next_of_many(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut from = jiff::Timestamp::from_microsecond(after.as_micros()).ok()?;
        let mut inclusive = false;
        loop {
            let offset = zone.to_offset(from);
            let reading = self.reading_after(offset.to_datetime(from), inclusive)?;
            let next = offset.to_timestamp(reading).ok()?;
            let moved = zone.following(from).find(|moved| moved.offset() != offset).map(|moved| moved.timestamp());
            match moved {
                Some(moved) if moved <= next => (from, inclusive) = (moved, true),
                _ => return Some(Timestamp::from_micros(next.as_microsecond())),
            }
        }
    }

    fn reading_after(&self, reading: civil::DateTime, inclusive: bool) -> Option<civil::DateTime> {
        // `croner` counts in whole seconds.
        let inclusive = inclusive && reading.subsec_nanosecond() == 0;
        let asked = TimeZone::UTC.to_timestamp(reading).ok()?;
        let asked: DateTime<Utc> = DateTime::from_timestamp(asked.as_second(), 0)?;
        let found = self.cron.find_next_occurrence(&asked, inclusive).ok()?;
        civil::DateTime::new(
            i16::try_from(found.year()).ok()?,
            i8::try_from(found.month()).ok()?,
            i8::try_from(found.day()).ok()?,
            i8::try_from(found.hour()).ok()?,
            i8::try_from(found.minute()).ok()?,
            i8::try_from(found.second()).ok()?,
            0,
        )
        .ok()
    }
}
