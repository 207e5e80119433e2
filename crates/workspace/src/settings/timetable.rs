//! When a job runs by itself: `schedule`, `trigger` and `continuous`.
//!
//! A schedule is written as Quartz writes cron: six or seven fields, seconds
//! first, Sunday is 1, and `?` stands in one of the two fields for days. The
//! arithmetic is that of [`base::schedule`]; what Quartz writes otherwise than
//! it (a range around the end such as `FRI-MON`, a single `L` for Saturday) is
//! put into its words here, and what it does not know is refused.

use std::time::Duration;

use base::Timestamp;
use base::schedule::Schedule;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::JobSettings;
use super::check::says_nothing;
use crate::error::Error;
use crate::run::RunCause;

/// How long a continuous job rests before its next run.
const REST: Duration = Duration::from_secs(5);
/// How long it rests after a failure; after each further one, twice as long.
const REST_AFTER_A_FAILURE: Duration = Duration::from_secs(10);
const REST_MAX: Duration = Duration::from_hours(1);

/// Whether something happens by itself for the time being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PauseStatus {
    /// It does.
    #[default]
    Unpaused,
    /// It does not, until somebody resumes it.
    Paused,
}

/// Runs at times of day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CronSchedule {
    /// As Quartz writes cron.
    pub quartz_cron_expression: String,
    /// In which zone the times are meant, such as `Europe/Berlin`.
    pub timezone_id: String,
    /// Whether it happens.
    #[serde(default)]
    pub pause_status: PauseStatus,
}

/// Runs whenever something is the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Whether it happens.
    #[serde(default)]
    pub pause_status: PauseStatus,
    /// So much time has passed.
    pub periodic: Periodic,
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Periodic {
    /// How many.
    pub interval: u32,
    /// Of what.
    pub unit: PeriodicUnit,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PeriodicUnit {
    /// 3,600 seconds.
    Hours,
    /// 24 hours.
    Days,
    /// 7 days.
    Weeks,
}

/// Runs again whenever a run has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continuous {
    /// Whether it happens.
    #[serde(default)]
    pub pause_status: PauseStatus,
}

/// When a job runs by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Timetable {
    /// At times of day.
    Cron(Box<Schedule>),
    /// Every so often.
    Every(Duration),
    /// Again and again.
    Continuous,
}

impl Timetable {
    /// Returns when it first happens, if it begins to hold at `now`.
    pub(crate) fn first(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Timetable::Cron(schedule) => schedule.next_after(now),
            Timetable::Every(span) => Some(now.plus(*span)),
            Timetable::Continuous => Some(now),
        }
    }

    /// Returns when it happens again, once that of `due` has happened: the
    /// first time that still lies ahead, however many were slept through.
    pub(crate) fn next(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Timetable::Cron(schedule) => schedule.take(due, now).next,
            Timetable::Every(span) => {
                let (span, gone) = (span.as_micros() as i64, now.as_micros().saturating_sub(due.as_micros()).max(0));
                Some(Timestamp::from_micros(due.as_micros().saturating_add((gone / span + 1).saturating_mul(span))))
            }
            // Its run must end first.
            Timetable::Continuous => None,
        }
    }

    /// Returns what its runs say that they were started by.
    pub(crate) fn cause(&self) -> RunCause {
        match self {
            Timetable::Cron(_) | Timetable::Every(_) => RunCause::Periodic,
            Timetable::Continuous => RunCause::Continuous,
        }
    }
}

/// Returns how long a continuous job rests after so many failures in a row.
pub(crate) fn rest_after(failures: u32) -> Duration {
    match failures {
        0 => REST,
        many => REST_AFTER_A_FAILURE.saturating_mul(1 << (many - 1).min(16)).min(REST_MAX),
    }
}

impl JobSettings {
    /// Returns when the job runs by itself: nothing if it never does, or is paused.
    pub fn timetable(&self) -> Result<Option<Timetable>, Error> {
        let table = match (&self.schedule, &self.trigger, &self.continuous) {
            (Some(schedule), ..) => {
                let table = Timetable::Cron(Box::new(schedule.read()?));
                Some((schedule.pause_status, table))
            }
            (_, Some(trigger), _) => Some((trigger.pause_status, Timetable::Every(trigger.periodic.span()?))),
            (.., Some(continuous)) => Some((continuous.pause_status, Timetable::Continuous)),
            (None, None, None) => None,
        };
        Ok(table.filter(|(status, _)| *status == PauseStatus::Unpaused).map(|(_, table)| table))
    }

    /// Refuses what is no time, even of a job that is paused: it would be
    /// found out when somebody resumes it.
    pub(super) fn check_times(&self) -> Result<(), Error> {
        let given = [self.schedule.is_some(), self.trigger.is_some(), self.continuous.is_some()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let detail = "\"schedule\", \"trigger\" and \"continuous\" exclude each other: leave one of them";
            return Err(Error::Settings { detail: detail.into() });
        }
        if self.continuous.is_some() && self.max_concurrent_runs != 1 {
            let most = self.max_concurrent_runs;
            let detail =
                format!("a job with \"continuous\" has one run at a time: set max_concurrent_runs {most} to 1");
            return Err(Error::Settings { detail });
        }
        self.timetable().map(drop)
    }
}

/// Names the triggers that never act here, before they become an error about
/// an unknown field.
pub(super) fn check_triggers(document: &Json) -> Result<(), Error> {
    let refuse =
        |setting: &str, hint: &str| Err(Error::Unsupported { setting: setting.to_owned(), hint: format!(": {hint}") });
    let Some(trigger) = document.get("trigger").and_then(Json::as_object) else { return Ok(()) };
    for (word, value) in trigger {
        let is_known = ["pause_status", "periodic"].contains(&word.as_str());
        if !is_known && !says_nothing(value) {
            return refuse(&format!("trigger.{word}"), "\"trigger.periodic\", \"schedule\" and \"continuous\" are");
        }
    }
    Ok(())
}

impl Periodic {
    fn span(self) -> Result<Duration, Error> {
        let hours: u64 = match self.unit {
            PeriodicUnit::Hours => 1,
            PeriodicUnit::Days => 24,
            PeriodicUnit::Weeks => 7 * 24,
        };
        if !(1..=1_000).contains(&self.interval) {
            let detail = format!("trigger.periodic.interval {} is not between 1 and 1000", self.interval);
            return Err(Error::Settings { detail });
        }
        Ok(Duration::from_hours(hours * u64::from(self.interval)))
    }
}

/// The fields of Quartz: what each is called, its range, and the names in it.
const FIELDS: [(&str, u32, u32, &[&str]); 6] = [
    ("seconds", 0, 59, &[]),
    ("minutes", 0, 59, &[]),
    ("hours", 0, 23, &[]),
    ("day of month", 1, 31, &[]),
    ("month", 1, 12, &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]),
    ("day of week", 1, 7, &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]),
];
const DAY_OF_MONTH: usize = 3;
const DAY_OF_WEEK: usize = 5;

impl CronSchedule {
    fn read(&self) -> Result<Schedule, Error> {
        let text = self.quartz_cron_expression.trim();
        let refuse = |detail: String| {
            let place = "schedule.quartz_cron_expression";
            Err(Error::Settings { detail: format!("{place} \"{text}\": {detail}") })
        };
        let fields: Vec<String> = text.split_whitespace().map(str::to_ascii_uppercase).collect();
        if !(6..=7).contains(&fields.len()) {
            let detail = format!(
                "it has {} fields, and 6 or 7 are needed: seconds, minutes, hours, day of month, month, day of week, \
                 and maybe the year, such as \"0 30 8 * * ?\"",
                fields.len()
            );
            return refuse(detail);
        }
        if (fields[DAY_OF_MONTH] == "?") == (fields[DAY_OF_WEEK] == "?") {
            return refuse("exactly one of day of month (field 4) and day of week (field 6) must be \"?\"".into());
        }
        let mut words = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            let name = FIELDS.get(index).map_or("year", |field| field.0);
            let at_fault = |why: &str| format!("field {} ({name}) \"{field}\" {why}", index + 1);
            let word = match in_our_words(index, field) {
                Ok(word) => word,
                Err(why) => return refuse(at_fault(&why)),
            };
            let mut alone = ["*", "*", "*", "*", "*", "*", "*"].map(str::to_owned);
            alone[index].clone_from(&word);
            if Schedule::quartz(&alone.join(" "), "UTC").is_err() {
                return refuse(at_fault(&range_of(index)));
            }
            words.push(word);
        }
        if let Err(error) = Schedule::quartz("0 0 0 * * *", &self.timezone_id) {
            let detail = format!("schedule.timezone_id: {}", error.problem);
            return Err(Error::Settings { detail });
        }
        match Schedule::quartz(&words.join(" "), &self.timezone_id) {
            Ok(schedule) => Ok(schedule),
            Err(error) => refuse(error.problem),
        }
    }
}

fn range_of(index: usize) -> String {
    match FIELDS.get(index) {
        Some((_, least, most, [])) => format!("is not within {least} to {most}"),
        Some((_, least, most, names)) => {
            format!("is not within {least} to {most}, or {} to {}", names[0], names[names.len() - 1])
        }
        None => "is not a year, such as 2030".into(),
    }
}

/// Puts a field of Quartz into words that the arithmetic knows.
fn in_our_words(index: usize, field: &str) -> Result<String, String> {
    let Some((_, least, most, names)) = FIELDS.get(index) else { return Ok(field.to_owned()) };
    if index == DAY_OF_MONTH && (field.contains("LW") || field.contains("L-")) {
        return Err("is not supported: \"L\", \"15W\" and days from 1 to 31 are".into());
    }
    let number = |text: &str| {
        let named = names.iter().position(|name| *name == text).map(|place| place as u32 + least);
        named.or_else(|| text.parse().ok())
    };
    let parts = field.split(',').map(|part| {
        if index == DAY_OF_WEEK && part == "L" {
            // The last day of a week, as Quartz counts them.
            return Ok("7".to_owned());
        }
        let Some((from, to)) = part.split_once('-') else { return Ok(part.to_owned()) };
        match (number(from), number(to)) {
            (Some(from), Some(to)) if from > to => Ok(format!("{from}-{most},{least}-{to}")),
            (Some(from), None) if to.split_once('/').and_then(|(to, _)| number(to)).is_some_and(|to| from > to) => {
                Err("goes around the end in steps: write two ranges".to_owned())
            }
            _ => Ok(part.to_owned()),
        }
    });
    Ok(parts.collect::<Result<Vec<_>, String>>()?.join(","))
}
