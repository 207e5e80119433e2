//! Whether more cases wait in an activity than usual at this hour of the week.

use std::collections::HashMap;

use super::story::{self, EndSet, Event};
use super::{Detector, Measure};
use crate::log::EventLog;
use crate::value::{Type, Value};

/// What is known of an activity with a backlog.
pub(super) const FIELDS: &[(&str, Type)] = &[("WAITING", Type::Int), ("USUAL", Type::Float), ("BOUND", Type::Float)];

const HOUR_MILLIS: i64 = 3_600_000;
const WEEK_MILLIS: i64 = 7 * 24 * HOUR_MILLIS;

/// Counts the open cases whose last activity is the same, now and at the same
/// hour of the weeks before. Weeks before the log began do not count.
pub(super) fn look(detector: &Detector, log: &EventLog, now: i64) -> Vec<Measure> {
    let Detector::Backlog { weeks, deviations, cases_min, end_activities } = detector else {
        return Vec::new();
    };
    let instants: Vec<i64> = (0..=i64::from(*weeks)).map(|week| now - week * WEEK_MILLIS).collect();
    let mut waiting: HashMap<u32, Vec<u64>> = HashMap::new();
    let mut last_intervals: Vec<Event> = Vec::new();
    let mut ends: HashMap<u32, u64> = HashMap::new();
    let mut begin = i64::MAX;
    let mut count = |activity: u32, from: i64, until: i64| {
        let counts = waiting.entry(activity).or_insert_with(|| vec![0; instants.len()]);
        for (place, instant) in instants.iter().enumerate() {
            counts[place] += u64::from((from..until).contains(instant));
        }
    };
    let activities = story::tell(log, now, |_, events: &[Event]| {
        begin = begin.min(events[0].1);
        for pair in events.windows(2) {
            count(pair[0].0, pair[0].1, pair[1].1);
        }
        let last = events[events.len() - 1];
        *ends.entry(last.0).or_default() += 1;
        last_intervals.push(last);
    });
    let ends = EndSet::of(end_activities).resolve(&activities, &ends);
    for (activity, from) in last_intervals {
        if !ends.contains(&activity) {
            count(activity, from, i64::MAX);
        }
    }
    let mut measures = Vec::new();
    let known = instants[1..].iter().filter(|instant| **instant >= begin).count();
    if known < 2 {
        return measures;
    }
    for (activity, counts) in waiting {
        let before = &counts[1..=known];
        let mean = before.iter().sum::<u64>() as f64 / known as f64;
        let square = |count: &u64| (*count as f64 - mean).powi(2);
        let deviation = (before.iter().map(square).sum::<f64>() / (known - 1) as f64).sqrt();
        let bound = mean + deviations * deviation;
        measures.push(Measure {
            identifier: activities.name(activity).clone(),
            values: vec![Value::Int(counts[0] as i64), Value::Float(mean), Value::Float(bound)],
            fires: counts[0] >= *cases_min && counts[0] as f64 > bound,
            due: None,
        });
    }
    measures
}

/// Returns the instant at which it has to look again, rows or none.
pub(crate) fn next_hour(now: i64) -> i64 {
    (now.div_euclid(HOUR_MILLIS) + 1) * HOUR_MILLIS
}
