//! When something is due.
//!
//! A [`Schedule`] is a checked rule; [`Schedule::next_after`] is its
//! arithmetic, pure and without a clock. Its text form is the scheduling
//! object that Action Flows and Make users know (`{"type": "daily", "time":
//! "08:30"}`), with two additions of ours: `{"type": "cron", "cron": "*/5 * *
//! * *"}` and `timezone`.
//!
//! Local times meet daylight saving like this. A time of day that is skipped
//! in spring happens as much later as the clocks were moved (02:30 becomes
//! 03:30); one that comes twice in autumn happens the first time only. A cron
//! text that repeats within the day (`*/15 * * * *`) follows real time
//! instead: it pauses for no gap and repeats through both passes.

mod cron;
mod document;

use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::{Coded, Kind};
use crate::time::Timestamp;

use cron::CronRule;
use document::Document;

/// Days looked through for the next date: 29 February can be eight years away.
const DAYS_MAX: usize = 366 * 9;

/// What is later than this was missed, as far as [`CatchUp::None`] goes.
pub const LATE_MAX: Duration = Duration::from_mins(5);

/// Tells when something happens, again and again, once, or never by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Schedule {
    rule: Rule,
    /// The zone in which times of day are meant.
    zone: TimeZone,
    /// Nothing happens before or after.
    between: Option<(Timestamp, Timestamp)>,
    /// Narrows an interval to parts of the week; empty for no limits.
    restrict: Vec<Window>,
    /// Where an interval begins to count.
    anchor: Timestamp,
    catch_up: CatchUp,
}

/// What becomes of times at which nothing could happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CatchUp {
    /// It happens once for all of them.
    #[default]
    One,
    /// They are left out.
    None,
}

/// What is to be done about a time that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// It is to happen now.
    pub happens: bool,
    /// When it is due again; nothing if it never is.
    pub next: Option<Timestamp>,
}

/// Says that a text or object is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule: {problem}")]
pub struct NotASchedule {
    /// What is wrong, with the value that was given.
    pub problem: String,
}

impl Coded for NotASchedule {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "schedule-invalid"
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Rule {
    /// As soon as something arrives: it has no time of its own.
    Immediately,
    /// When somebody asks.
    OnDemand,
    /// Every so many microseconds since the anchor.
    Every {
        micros: i64,
    },
    Once {
        at: Timestamp,
    },
    /// In order.
    Dates {
        at: Vec<Timestamp>,
    },
    Daily {
        at: civil::Time,
    },
    /// 0 is Sunday.
    Weekly {
        days: Vec<i8>,
        at: civil::Time,
    },
    Monthly {
        days: Vec<i8>,
        at: civil::Time,
    },
    Yearly {
        months: Vec<i8>,
        days: Vec<i8>,
        at: civil::Time,
    },
    /// Boxed, because it is ten times as large as the others.
    Cron(Box<CronRule>),
}

/// A part of the week in which an interval may happen. Empty lists do not limit.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    /// 0 is Sunday.
    days: Vec<i8>,
    months: Vec<i8>,
    /// From (included) to (excluded); it runs past midnight where `to` is
    /// earlier, and around the clock where it is the same.
    time: Option<(civil::Time, civil::Time)>,
}

impl Schedule {
    /// Reads the scheduling object from its JSON text.
    pub fn parse(text: &str) -> Result<Self, NotASchedule> {
        serde_json::from_str(text).map_err(|error| {
            // Our own texts come back wrapped in the parser's.
            let text = error.to_string();
            let problem = text.strip_prefix("not a schedule: ").unwrap_or(&text).to_owned();
            NotASchedule { problem }
        })
    }

    /// Makes a schedule from a cron text of five fields in a zone such as
    /// `Europe/Berlin`.
    pub fn cron(text: &str, zone: &str) -> Result<Self, NotASchedule> {
        Ok(Self::new(Rule::Cron(CronRule::parse(text)?.into()), document::zone(zone)?))
    }

    /// Makes a schedule from a Quartz cron text: six or seven fields with
    /// seconds first, and Sunday is day 1.
    pub fn quartz(text: &str, zone: &str) -> Result<Self, NotASchedule> {
        Ok(Self::new(Rule::Cron(CronRule::parse_quartz(text)?.into()), document::zone(zone)?))
    }

    /// Makes a schedule for every `seconds`, at least 60.
    pub fn every(seconds: u64) -> Result<Self, NotASchedule> {
        Ok(Self::new(document::every(seconds)?, TimeZone::UTC))
    }

    /// Makes a schedule for one point in time.
    pub fn once(at: Timestamp) -> Self {
        Self::new(Rule::Once { at }, TimeZone::UTC)
    }

    /// Makes a schedule that never happens by itself.
    pub fn on_demand() -> Self {
        Self::new(Rule::OnDemand, TimeZone::UTC)
    }

    fn new(rule: Rule, zone: TimeZone) -> Self {
        let catch_up = CatchUp::default();
        Schedule { rule, zone, between: None, restrict: Vec::new(), anchor: Timestamp::EPOCH, catch_up }
    }

    /// Lets an interval count from `anchor`, such as the time of activation,
    /// instead of 1970: so that not everything that is due every quarter of an
    /// hour is due in the same second. One with a beginning of its own counts
    /// from there.
    #[must_use]
    pub fn anchored_at(mut self, anchor: Timestamp) -> Self {
        if self.between.is_none() {
            self.anchor = anchor;
        }
        self
    }

    /// Tells what is to be done at `now` about a time that was due at `due`:
    /// usually it happens, however late, and is due again at the first time
    /// that still lies ahead. One that does not catch up leaves out what is
    /// later than [`LATE_MAX`], and happens for a time since then.
    pub fn take(&self, due: Timestamp, now: Timestamp) -> Taken {
        // An interval keeps its beat.
        let schedule = self.clone().anchored_at(due);
        let in_time = now.minus(LATE_MAX);
        let happens = match self.catch_up {
            CatchUp::One => true,
            CatchUp::None if due >= in_time => true,
            CatchUp::None => {
                let before = Timestamp::from_micros(in_time.as_micros().saturating_sub(1));
                schedule.next_after(before).is_some_and(|latest| latest <= now)
            }
        };
        Taken { happens, next: schedule.next_after(now.max(due)) }
    }

    /// Tells whether it happens as soon as something arrives.
    pub fn is_immediate(&self) -> bool {
        self.rule == Rule::Immediately
    }

    /// Tells whether time alone can make it happen.
    pub fn is_timed(&self) -> bool {
        !matches!(self.rule, Rule::Immediately | Rule::OnDemand)
    }

    /// Returns the first time it happens after `after`; nothing if it never
    /// does again.
    ///
    /// The answer depends on nothing but `after`, so a schedule that slept
    /// through several times can be asked again from any of them.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = match self.between {
            Some((start, _)) => after.max(Timestamp::from_micros(start.as_micros().saturating_sub(1))),
            None => after,
        };
        let next = match &self.rule {
            Rule::Immediately | Rule::OnDemand => None,
            Rule::Every { micros } => self.next_of_interval(after, *micros),
            Rule::Once { at } => (*at > after).then_some(*at),
            Rule::Dates { at } => at.iter().copied().find(|at| *at > after),
            Rule::Daily { at } => self.next_on(after, *at, |_| true),
            Rule::Weekly { days, at } => self.next_on(after, *at, |date| days.contains(&weekday(date))),
            Rule::Monthly { days, at } => self.next_on(after, *at, |date| days.contains(&date.day())),
            Rule::Yearly { months, days, at } => {
                self.next_on(after, *at, |date| months.contains(&date.month()) && days.contains(&date.day()))
            }
            Rule::Cron(cron) => cron.next_after(after, &self.zone),
        }?;
        match self.between {
            Some((_, end)) if next > end => None,
            _ => Some(next),
        }
    }

    /// The next date that fits, at a time of day.
    fn next_on(&self, after: Timestamp, at: civil::Time, fits: impl Fn(civil::Date) -> bool) -> Option<Timestamp> {
        // The time of yesterday may have been pushed past midnight by a gap.
        let mut date = local(after, &self.zone)?.date().yesterday().ok()?;
        for _ in 0..DAYS_MAX {
            if fits(date) {
                let next = instant(date.to_datetime(at), &self.zone)?;
                if next > after {
                    return Some(next);
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn next_of_interval(&self, after: Timestamp, micros: i64) -> Option<Timestamp> {
        let mut after = after;
        for _ in 0..DAYS_MAX {
            let gone = after.as_micros().checked_sub(self.anchor.as_micros())?.div_euclid(micros);
            let steps = (gone + 1).checked_mul(micros)?;
            let next = Timestamp::from_micros(self.anchor.as_micros().checked_add(steps)?);
            // Nothing happens before counting begins.
            let next = next.max(self.anchor);
            let reading = local(next, &self.zone)?;
            if self.restrict.is_empty() || self.restrict.iter().any(|window| window.holds(reading)) {
                return Some(next);
            }
            // Leap to where a window may open, instead of trying each step.
            let opens = self.restrict.iter().map(|window| window.opens_after(reading)).min()?;
            let opens = instant(opens, &self.zone)?;
            after = Timestamp::from_micros(opens.as_micros() - 1).max(next);
        }
        None
    }
}

impl Window {
    fn holds(&self, reading: civil::DateTime) -> bool {
        let in_time = self.time.is_none_or(|(from, to)| {
            if from < to { (from..to).contains(&reading.time()) } else { reading.time() >= from || reading.time() < to }
        });
        in_time
            && (self.days.is_empty() || self.days.contains(&weekday(reading.date())))
            && (self.months.is_empty() || self.months.contains(&reading.month()))
    }

    /// A reading after which the window may hold: its time of day today, or
    /// the next midnight.
    fn opens_after(&self, reading: civil::DateTime) -> civil::DateTime {
        let midnight = reading.date().saturating_add(jiff::Span::new().days(1)).to_datetime(civil::Time::midnight());
        match self.time {
            Some((from, _)) if from > reading.time() => reading.date().to_datetime(from),
            _ => midnight,
        }
    }
}

/// 0 is Sunday, as in the scheduling object.
fn weekday(date: civil::Date) -> i8 {
    date.weekday().to_sunday_zero_offset()
}

/// What a clock on the wall of the zone shows.
fn local(at: Timestamp, zone: &TimeZone) -> Option<civil::DateTime> {
    let at = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    Some(zone.to_datetime(at))
}

/// When a clock on the wall of the zone shows this, or would have shown it.
fn instant(reading: civil::DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let at = zone.to_ambiguous_timestamp(reading).compatible().ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

#[cfg(test)]
mod tests;
