//! Statistics of activities, and rework: what is done again.

use std::collections::HashMap;
use std::sync::Arc;

use super::durations::Durations;
use super::slice::Slice;

/// What there is to say about an activity.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityFigures {
    /// Its name.
    pub name: Arc<str>,
    /// Its events.
    pub events: u64,
    /// Cases in which it occurs.
    pub cases: u64,
    /// Cases that begin with it.
    pub starts: u64,
    /// Cases that end with it.
    pub ends: u64,
    /// Cases in which it occurs more than once.
    pub rework_cases: u64,
    /// Its events beyond the first of each case.
    pub rework_events: u64,
    /// Its events right after one of its own.
    pub self_loops: u64,
    /// Its events two after one of its own, with another activity between.
    pub ping_pongs: u64,
    /// Most events of it in one case.
    pub events_in_case_max: u64,
    /// From its event to the next one of the case; the last event has none.
    pub sojourn: Option<Durations>,
    /// From its start to its end, where the data model names both.
    pub service: Option<Durations>,
    /// First and last event, in milliseconds since 1970.
    pub seen: (i64, i64),
}

/// Rework over all activities.
#[derive(Clone, Debug, PartialEq)]
pub struct Rework {
    /// Cases that were looked at.
    pub cases: u64,
    /// Those in which some activity occurs more than once.
    pub rework_cases: u64,
    /// Events that were looked at.
    pub events: u64,
    /// Those that are not the first of their activity in their case.
    pub rework_events: u64,
    /// Most frequent first.
    pub activities: Vec<ActivityFigures>,
}

#[derive(Clone, Default)]
struct Counts {
    events: u64,
    cases: u64,
    starts: u64,
    ends: u64,
    rework_cases: u64,
    self_loops: u64,
    ping_pongs: u64,
    most: u64,
    sojourns: Vec<i64>,
    services: Vec<i64>,
    seen: Option<(i64, i64)>,
}

/// Looks at each activity of a slice.
pub(crate) fn look(slice: &Slice) -> Rework {
    let mut all = vec![Counts::default(); slice.activities.len()];
    let mut rework_cases = 0;
    for trace in slice.traces() {
        let mut in_case: HashMap<u32, u64> = HashMap::new();
        for (at, (step, time)) in trace.steps.iter().zip(trace.times).enumerate() {
            let counts = &mut all[*step as usize];
            counts.events += 1;
            *in_case.entry(*step).or_default() += 1;
            let before = |back: usize| at.checked_sub(back).map(|at| trace.steps[at]);
            counts.self_loops += u64::from(before(1) == Some(*step));
            counts.ping_pongs += u64::from(before(2) == Some(*step) && before(1) != Some(*step));
            counts.sojourns.extend(trace.times.get(at + 1).map(|next| next - time));
            counts.services.extend(trace.ends.get(at).copied().flatten().map(|end| end - time));
            let (first, last) = counts.seen.unwrap_or((*time, *time));
            counts.seen = Some((first.min(*time), last.max(*time)));
        }
        let ends = [trace.steps[0], trace.steps[trace.steps.len() - 1]];
        all[ends[0] as usize].starts += 1;
        all[ends[1] as usize].ends += 1;
        rework_cases += u64::from(in_case.values().any(|events| *events > 1));
        for (step, events) in in_case {
            let counts = &mut all[step as usize];
            counts.cases += 1;
            counts.rework_cases += u64::from(events > 1);
            counts.most = counts.most.max(events);
        }
    }
    let events = slice.event_count();
    let first_events: u64 = all.iter().map(|counts| counts.cases).sum();
    let mut activities: Vec<ActivityFigures> =
        slice.activities.iter().cloned().zip(all).map(|(name, counts)| figures(name, counts)).collect();
    activities.sort_by(|one, other| other.events.cmp(&one.events).then_with(|| one.name.cmp(&other.name)));
    let cases = slice.cases.len() as u64;
    Rework { cases, rework_cases, events, rework_events: events - first_events, activities }
}

fn figures(name: Arc<str>, counts: Counts) -> ActivityFigures {
    ActivityFigures {
        name,
        events: counts.events,
        cases: counts.cases,
        starts: counts.starts,
        ends: counts.ends,
        rework_cases: counts.rework_cases,
        rework_events: counts.events - counts.cases,
        self_loops: counts.self_loops,
        ping_pongs: counts.ping_pongs,
        events_in_case_max: counts.most,
        sojourn: Durations::of(counts.sojourns),
        service: Durations::of(counts.services),
        seen: counts.seen.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_again_is_counted() {
        let slice = Slice::of(&[
            ("1", &[("A", 0), ("A", 10), ("B", 30), ("A", 40)]),
            ("2", &[("A", 0), ("B", 5), ("A", 7), ("B", 9)]),
            ("3", &[("A", 3)]),
        ]);
        let rework = look(&slice);
        assert_eq!((rework.cases, rework.rework_cases, rework.events, rework.rework_events), (3, 2, 9, 4));
        let [a, b] = &rework.activities[..] else { panic!("two activities") };
        assert_eq!((a.events, a.cases, a.starts, a.ends), (6, 3, 3, 2));
        assert_eq!((a.rework_cases, a.rework_events, a.events_in_case_max), (2, 3, 3));
        assert_eq!((a.self_loops, a.ping_pongs, a.seen), (1, 2, (0, 40)));
        assert_eq!((b.self_loops, b.ping_pongs, b.rework_cases), (0, 1, 1));
        assert_eq!(b.sojourn.map(|took| (took.count, took.min, took.max)), Some((2, 2, 10)));
    }
}
