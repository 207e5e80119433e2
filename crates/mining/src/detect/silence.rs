//! Whether a source has fallen silent.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Detector, Measure, story};
use crate::log::EventLog;
use crate::value::{Type, Value};

/// What is known of a silent source.
pub(super) const FIELDS: &[(&str, Type)] =
    &[("LAST_EVENT", Type::Date), ("SILENT_HOURS", Type::Float), ("LONGEST_PAUSE_HOURS", Type::Float)];

/// Compares the time since the last event of each source with its pauses.
pub(super) fn look(detector: &Detector, log: &EventLog, now: i64) -> Vec<Measure> {
    let Detector::Silence { column, quantile, factor, pauses_min } = detector else { return Vec::new() };
    let roles = &log.catalog().roles;
    let table = log.table(roles.activity_table);
    let time = table.column(roles.timestamp_column);
    let source = column.as_deref().and_then(|column| table.position(column)).map(|place| table.column(place));
    let mut times: HashMap<Option<Arc<str>>, Vec<i64>> = HashMap::new();
    for case in 0..log.case_count() {
        for row in log.case(case).events.iter() {
            let Value::Date(at) = time.value(row) else { continue };
            if at > now {
                break;
            }
            let source = match source.map(|source| source.value(row)) {
                None => None,
                Some(Value::Null) => continue,
                Some(Value::Text(text)) => Some(text),
                Some(other) => Some(other.to_string().into()),
            };
            times.entry(source).or_default().push(at);
        }
    }
    let mut measures = Vec::new();
    for (source, mut times) in times {
        times.sort_unstable();
        let mut pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if pauses.len() < (*pauses_min).max(1) {
            continue;
        }
        let (Some(longest), Some(last)) = (story::quantile(&mut pauses, *quantile), times.last()) else { continue };
        let bound = (longest as f64 * factor) as i64;
        let silent = now - last;
        let fires = silent > bound;
        let hours = |millis: i64| Value::Float(millis as f64 / 3_600_000.0);
        measures.push(Measure {
            identifier: source.unwrap_or_else(|| Arc::from("all")),
            values: vec![Value::Date(*last), hours(silent), hours(longest)],
            fires,
            due: (!fires).then_some(last + bound + 1),
        });
    }
    measures
}
