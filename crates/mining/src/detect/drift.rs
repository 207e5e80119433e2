//! Whether something is distributed otherwise than before.

use std::collections::HashMap;
use std::sync::Arc;

use super::story::{self, EndSet, Event};
use super::{Detector, Measure, Reference};
use crate::log::EventLog;
use crate::value::{Type, Value};

/// What is known of a drift of variants.
pub(super) const VARIANT_FIELDS: &[(&str, Type)] = &[
    ("DISTANCE", Type::Float),
    ("WINDOW_FROM", Type::Date),
    ("WINDOW_TO", Type::Date),
    ("GREW_MOST", Type::String),
    ("SHRANK_MOST", Type::String),
];

/// What is known of a drift of durations.
pub(super) const DURATION_FIELDS: &[(&str, Type)] = &[
    ("SOURCE", Type::String),
    ("TARGET", Type::String),
    ("HOURS_BEFORE", Type::Float),
    ("HOURS_NOW", Type::Float),
    ("FACTOR", Type::Float),
];

/// A finished case: when, and which variant.
type Finished = (i64, u32, u64);

/// Compares the variants of the last finished cases with those before.
pub(super) fn variants(detector: &Detector, log: &EventLog, now: i64) -> Vec<Measure> {
    let Detector::VariantDrift {
        window_cases,
        reference_cases,
        reference,
        distance: bound,
        windows_in_a_row,
        end_activities,
    } = detector
    else {
        return Vec::new();
    };
    let mut numbers: HashMap<Vec<u32>, u64> = HashMap::new();
    let mut cases: Vec<(Finished, u32)> = Vec::new();
    let mut ends: HashMap<u32, u64> = HashMap::new();
    let activities = story::tell(log, now, |case, events: &[Event]| {
        let (last, at) = events[events.len() - 1];
        *ends.entry(last).or_default() += 1;
        let sequence: Vec<u32> = events.iter().map(|(activity, _)| *activity).collect();
        let next = numbers.len() as u64;
        cases.push(((at, case, *numbers.entry(sequence).or_insert(next)), last));
    });
    let ends = EndSet::of(end_activities).resolve(&activities, &ends);
    let mut finished: Vec<Finished> =
        cases.into_iter().filter(|(_, last)| ends.contains(last)).map(|(case, _)| case).collect();
    finished.sort_unstable();

    let windows = (0..*windows_in_a_row)
        .map(|place| compare(&finished, place * window_cases, *window_cases, *reference_cases, *reference));
    let windows: Vec<Option<Compared>> = windows.collect();
    // A window that is not full yet says nothing.
    let fires = windows.iter().all(|window| window.as_ref().is_some_and(|window| window.distance > *bound));
    let Some(compared) = windows.into_iter().next().flatten() else { return Vec::new() };
    let mut texts: HashMap<u64, Value> = HashMap::new();
    for (sequence, number) in &numbers {
        if [compared.grew, compared.shrank].contains(&Some(*number)) {
            let names: Vec<&str> = sequence.iter().map(|activity| &**activities.name(*activity)).collect();
            texts.insert(*number, Value::Text(names.join(", ").into()));
        }
    }
    let text = |number: Option<u64>| number.and_then(|number| texts.get(&number).cloned()).unwrap_or(Value::Null);
    let values = vec![
        Value::Float(compared.distance),
        Value::Date(compared.from),
        Value::Date(compared.to),
        text(compared.grew),
        text(compared.shrank),
    ];
    vec![Measure { identifier: Arc::from("variants"), values, fires, due: None }]
}

struct Compared {
    distance: f64,
    from: i64,
    to: i64,
    grew: Option<u64>,
    shrank: Option<u64>,
}

/// Compares a window that ends `skipped` cases before the last; nothing if
/// there are too few cases.
fn compare(
    finished: &[Finished],
    skipped: usize,
    window: usize,
    reference: usize,
    which: Reference,
) -> Option<Compared> {
    let end = finished.len().checked_sub(skipped)?;
    let start = end.checked_sub(window)?;
    let known = match which {
        Reference::Before => &finished[start.checked_sub(reference)?..start],
        Reference::First if start >= reference => &finished[..reference],
        Reference::First => return None,
    };
    let window = &finished[start..end];
    let mut shares: HashMap<u64, f64> = HashMap::new();
    for (_, _, variant) in window {
        *shares.entry(*variant).or_default() += 1.0 / window.len() as f64;
    }
    for (_, _, variant) in known {
        *shares.entry(*variant).or_default() -= 1.0 / known.len() as f64;
    }
    let by_share = |one: &(&u64, &f64), other: &(&u64, &f64)| one.1.total_cmp(other.1).then(other.0.cmp(one.0));
    let most = shares.iter().max_by(by_share).filter(|(_, share)| **share > 0.0);
    let least = shares.iter().min_by(by_share).filter(|(_, share)| **share < 0.0);
    Some(Compared {
        distance: shares.values().map(|share| share.abs()).sum::<f64>() / 2.0,
        from: window.first()?.0,
        to: window.last()?.0,
        grew: most.map(|(variant, _)| *variant),
        shrank: least.map(|(variant, _)| *variant),
    })
}

/// Compares, for each pair of neighbouring activities, the last steps with
/// those before.
pub(super) fn durations(detector: &Detector, log: &EventLog, now: i64) -> Vec<Measure> {
    let Detector::DurationDrift { window_steps, reference_steps, quantile, factor, both_ways } = detector else {
        return Vec::new();
    };
    let mut steps: HashMap<(u32, u32), Vec<(i64, i64)>> = HashMap::new();
    let activities = story::tell(log, now, |_, events: &[Event]| {
        for pair in events.windows(2) {
            let ((source, from), (target, to)) = (pair[0], pair[1]);
            steps.entry((source, target)).or_default().push((to, to - from));
        }
    });
    let mut measures = Vec::new();
    for ((source, target), mut steps) in steps {
        let Some(start) = steps.len().checked_sub(window_steps + reference_steps) else { continue };
        steps.sort_unstable();
        let durations: Vec<i64> = steps[start..].iter().map(|(_, duration)| *duration).collect();
        let (before, window) = durations.split_at(*reference_steps);
        let (mut before, mut window) = (before.to_vec(), window.to_vec());
        let (Some(before), Some(current)) =
            (story::quantile(&mut before, *quantile), story::quantile(&mut window, *quantile))
        else {
            continue;
        };
        // From nothing to something is no factor.
        if before <= 0 {
            continue;
        }
        let grown = current as f64 / before as f64;
        let (source, target) = (activities.name(source), activities.name(target));
        let hours = |millis: i64| Value::Float(millis as f64 / 3_600_000.0);
        measures.push(Measure {
            identifier: format!("{source} → {target}").into(),
            values: vec![
                Value::Text(source.clone()),
                Value::Text(target.clone()),
                hours(before),
                hours(current),
                Value::Float(grown),
            ],
            fires: grown > *factor || (*both_ways && grown < 1.0 / *factor),
            due: None,
        });
    }
    measures
}
