//! The scheduling object as it stands in files, and how it is checked.

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{CatchUp, NotASchedule, Rule, Schedule, Window};
use crate::schedule::cron::CronRule;
use crate::time::Timestamp;

/// Seconds that an interval must have at least.
const INTERVAL_SECONDS_MIN: u64 = 60;
/// Seconds of an interval, if nothing is said.
const INTERVAL_SECONDS_USUAL: u64 = 900;

/// Fields that we do not know are let pass: exported files hold more than is
/// documented.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    #[serde(flatten)]
    rule: RuleDocument,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    between: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    restrict: Option<Vec<WindowDocument>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catch_up: Option<CatchUp>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum RuleDocument {
    Immediately,
    OnDemand,
    Indefinitely {
        #[serde(default)]
        interval: Option<u64>,
    },
    Once {
        date: String,
    },
    Dates {
        dates: Vec<String>,
    },
    Daily {
        time: String,
    },
    Weekly {
        days: Vec<i8>,
        time: String,
    },
    Monthly {
        days: Vec<i8>,
        time: String,
    },
    Yearly {
        months: Vec<i8>,
        days: Vec<i8>,
        time: String,
    },
    Cron {
        cron: String,
    },
}

#[derive(Serialize, Deserialize)]
struct WindowDocument {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<i8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    months: Vec<i8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<(String, String)>,
}

impl TryFrom<Document> for Schedule {
    type Error = NotASchedule;

    fn try_from(document: Document) -> Result<Self, NotASchedule> {
        let zone = zone(document.timezone.as_deref().unwrap_or("UTC"))?;
        let rule = match document.rule {
            RuleDocument::Immediately => Rule::Immediately,
            RuleDocument::OnDemand => Rule::OnDemand,
            RuleDocument::Indefinitely { interval } => every(interval.unwrap_or(INTERVAL_SECONDS_USUAL))?,
            RuleDocument::Once { date } => Rule::Once { at: moment(&date, &zone)? },
            RuleDocument::Dates { dates } => Rule::Dates { at: moments(&dates, &zone)? },
            RuleDocument::Daily { time } => Rule::Daily { at: time_of_day(&time)? },
            RuleDocument::Weekly { days, time } => {
                Rule::Weekly { days: numbers("days", days, 0, 6)?, at: time_of_day(&time)? }
            }
            RuleDocument::Monthly { days, time } => {
                Rule::Monthly { days: numbers("days", days, 1, 31)?, at: time_of_day(&time)? }
            }
            RuleDocument::Yearly { months, days, time } => Rule::Yearly {
                months: numbers("months", months, 1, 12)?,
                days: numbers("days", days, 1, 31)?,
                at: time_of_day(&time)?,
            },
            RuleDocument::Cron { cron } => Rule::Cron(CronRule::parse(&cron)?.into()),
        };
        let between = match document.between {
            Some((start, end)) => {
                let (from, to) = (moment(&start, &zone)?, moment(&end, &zone)?);
                if from > to {
                    return refuse(format!("\"between\" ends (\"{end}\") before it begins (\"{start}\")"));
                }
                Some((from, to))
            }
            None => None,
        };
        let restrict = document.restrict.unwrap_or_default().into_iter().map(window).collect::<Result<_, _>>()?;
        // An interval counts from the beginning of its time, if that is known.
        let anchor = between.map_or(Timestamp::EPOCH, |(start, _)| start);
        Ok(Schedule { rule, zone, between, restrict, anchor, catch_up: document.catch_up.unwrap_or_default() })
    }
}

impl From<Schedule> for Document {
    fn from(schedule: Schedule) -> Self {
        let text = |time: civil::Time| time.strftime("%H:%M").to_string();
        let rule = match schedule.rule {
            Rule::Immediately => RuleDocument::Immediately,
            Rule::OnDemand => RuleDocument::OnDemand,
            Rule::Every { micros } => RuleDocument::Indefinitely { interval: Some(micros.unsigned_abs() / 1_000_000) },
            Rule::Once { at } => RuleDocument::Once { date: at.to_string() },
            Rule::Dates { at } => RuleDocument::Dates { dates: at.iter().map(Timestamp::to_string).collect() },
            Rule::Daily { at } => RuleDocument::Daily { time: text(at) },
            Rule::Weekly { days, at } => RuleDocument::Weekly { days, time: text(at) },
            Rule::Monthly { days, at } => RuleDocument::Monthly { days, time: text(at) },
            Rule::Yearly { months, days, at } => RuleDocument::Yearly { months, days, time: text(at) },
            Rule::Cron(cron) => RuleDocument::Cron { cron: cron.text().to_owned() },
        };
        let windows = schedule.restrict.into_iter().map(|window| WindowDocument {
            days: window.days,
            months: window.months,
            time: window.time.map(|(from, to)| (text(from), text(to))),
        });
        let windows: Vec<_> = windows.collect();
        Document {
            rule,
            between: schedule.between.map(|(start, end)| (start.to_string(), end.to_string())),
            restrict: (!windows.is_empty()).then_some(windows),
            timezone: schedule.zone.iana_name().filter(|name| *name != "UTC").map(str::to_owned),
            catch_up: Some(schedule.catch_up).filter(|catch_up| *catch_up != CatchUp::default()),
        }
    }
}

fn refuse<T>(problem: String) -> Result<T, NotASchedule> {
    Err(NotASchedule { problem })
}

pub(super) fn zone(name: &str) -> Result<TimeZone, NotASchedule> {
    if name.eq_ignore_ascii_case("UTC") {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name)
        .map_err(|_| NotASchedule { problem: format!("\"{name}\" is not a time zone such as \"Europe/Berlin\"") })
}

pub(super) fn every(seconds: u64) -> Result<Rule, NotASchedule> {
    if seconds < INTERVAL_SECONDS_MIN {
        return refuse(format!(
            "an interval of {seconds} s is shorter than {INTERVAL_SECONDS_MIN} s (\"interval\" counts seconds)"
        ));
    }
    match i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000)) {
        Some(micros) => Ok(Rule::Every { micros }),
        None => refuse(format!("an interval of {seconds} s is too long")),
    }
}

/// With an offset, or a reading in the schedule's zone.
fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, NotASchedule> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let reading = text.parse::<civil::DateTime>().ok();
    match reading.and_then(|reading| super::instant(reading, zone)) {
        Some(at) => Ok(at),
        None => refuse(format!("\"{text}\" is not a date and time such as 2026-02-03T09:15:00Z")),
    }
}

/// In order, each once.
fn moments(texts: &[String], zone: &TimeZone) -> Result<Vec<Timestamp>, NotASchedule> {
    if texts.is_empty() {
        return refuse("\"dates\" is empty".to_owned());
    }
    let mut moments = texts.iter().map(|text| moment(text, zone)).collect::<Result<Vec<_>, _>>()?;
    moments.sort_unstable();
    moments.dedup();
    Ok(moments)
}

fn time_of_day(text: &str) -> Result<civil::Time, NotASchedule> {
    let parts = text.split_once(':').filter(|(hour, minute)| hour.len() <= 2 && minute.len() == 2);
    let time = parts.and_then(|(hour, minute)| civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok());
    match time {
        Some(time) => Ok(time),
        None => refuse(format!("\"{text}\" is not a time of day such as \"08:30\"")),
    }
}

fn numbers(name: &str, mut numbers: Vec<i8>, min: i8, max: i8) -> Result<Vec<i8>, NotASchedule> {
    if numbers.is_empty() {
        return refuse(format!("\"{name}\" is empty"));
    }
    within(name, &numbers, min, max)?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn within(name: &str, numbers: &[i8], min: i8, max: i8) -> Result<(), NotASchedule> {
    match numbers.iter().find(|number| !(min..=max).contains(*number)) {
        Some(number) => refuse(format!("{number} in \"{name}\" is not within {min} to {max}")),
        None => Ok(()),
    }
}

fn window(document: WindowDocument) -> Result<Window, NotASchedule> {
    within("days", &document.days, 0, 6)?;
    within("months", &document.months, 1, 12)?;
    let time = match document.time {
        // A day may be said to end at 24:00, which no clock shows.
        Some((from, to)) => Some((time_of_day(&from)?, time_of_day(if to == "24:00" { "00:00" } else { &to })?)),
        None => None,
    };
    Ok(Window { days: document.days, months: document.months, time })
}
