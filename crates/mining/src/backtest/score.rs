//! How good the signals were, seen from the end: against a bad outcome.
//!
//! An instance is *bad* if it satisfies the outcome at the end of the replay,
//! and has been since it last began to. It is *good* if it does not and is
//! finished, and *undecided* if it does not and is still open. What was bad
//! when the replay began nobody could have warned of, so it does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Firing;
use crate::explore::Durations;

/// How good the signals were.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Instances that turned out bad during the replay.
    pub bad: u64,
    /// Those of them that fired.
    pub warned: u64,
    /// Those of them that fired before they were bad, not only then or later.
    pub warned_in_time: u64,
    /// Instances that fired and are good.
    pub false_alarms: u64,
    /// Instances that fired and are neither good nor bad yet.
    pub undecided: u64,
    /// Instances that were bad from the beginning on and do not count.
    pub bad_before: u64,
    /// Of the instances that fired and are decided, the share that is bad.
    pub precision: Option<f64>,
    /// Of the bad instances the share that fired.
    pub recall: Option<f64>,
    /// Of the bad instances the share that fired before they were bad.
    pub recall_in_time: Option<f64>,
    /// From the first signal to the outcome, in milliseconds, for those that
    /// fired in time.
    pub lead: Option<Durations>,
}

/// What is known at the end of a replay.
pub(crate) struct Ending {
    /// Bad instances, and since when in milliseconds.
    pub(crate) bad: BTreeMap<Arc<str>, i64>,
    /// Bad from the beginning to the end.
    pub(crate) bad_before: BTreeSet<Arc<str>>,
    /// Finished instances; `None` if all are taken as finished.
    pub(crate) finished: Option<BTreeSet<Arc<str>>>,
}

/// Compares signals with what became of their instances.
pub(crate) fn judge(firings: &[Firing], ending: &Ending) -> Score {
    let mut first: BTreeMap<&str, i64> = BTreeMap::new();
    for firing in firings {
        let at = firing.at.as_millis();
        first.entry(&firing.identifier).and_modify(|first| *first = at.min(*first)).or_insert(at);
    }
    let mut score = Score {
        bad: 0,
        warned: 0,
        warned_in_time: 0,
        false_alarms: 0,
        undecided: 0,
        bad_before: ending.bad_before.len() as u64,
        precision: None,
        recall: None,
        recall_in_time: None,
        lead: None,
    };
    let mut leads = Vec::new();
    for (identifier, since) in &ending.bad {
        if ending.bad_before.contains(identifier) {
            continue;
        }
        score.bad += 1;
        let Some(fired) = first.get(&**identifier) else { continue };
        score.warned += 1;
        if fired < since {
            score.warned_in_time += 1;
            leads.push(since - fired);
        }
    }
    for identifier in first.keys() {
        if ending.bad.contains_key(*identifier) {
            continue;
        }
        match &ending.finished {
            Some(finished) if !finished.contains(*identifier) => score.undecided += 1,
            _ => score.false_alarms += 1,
        }
    }
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    score.precision = share(score.warned, score.warned + score.false_alarms);
    score.recall = share(score.warned, score.bad);
    score.recall_in_time = share(score.warned_in_time, score.bad);
    score.lead = Durations::of(leads);
    score
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::super::Occasion;
    use super::*;

    #[test]
    fn signals_are_judged_from_the_end() {
        let fired = |identifier: &str, at: i64| Firing {
            identifier: identifier.into(),
            at: Timestamp::from_millis(at),
            occasion: Occasion::Data,
            episode: 1,
            fields: Vec::new(),
            left_at: None,
        };
        let firings =
            [fired("in time", 10), fired("in time", 60), fired("late", 50), fired("good", 5), fired("open", 5)];
        let ending = Ending {
            bad: [("in time", 40), ("late", 50), ("missed", 20), ("before", 0)].map(|(id, at)| (id.into(), at)).into(),
            bad_before: ["before".into()].into(),
            finished: Some(["good".into(), "in time".into()].into()),
        };
        let score = judge(&firings, &ending);
        assert_eq!((score.bad, score.warned, score.warned_in_time, score.bad_before), (3, 2, 1, 1));
        assert_eq!((score.false_alarms, score.undecided), (1, 1));
        assert_eq!(
            (score.precision, score.recall, score.recall_in_time),
            (Some(2.0 / 3.0), Some(2.0 / 3.0), Some(1.0 / 3.0))
        );
        assert_eq!(score.lead.map(|lead| (lead.count, lead.median)), Some((1, 30)));
        let nothing = judge(&[], &Ending { bad: BTreeMap::new(), bad_before: BTreeSet::new(), finished: None });
        assert_eq!((nothing.precision, nothing.recall, nothing.lead), (None, None, None));
    }
}
