//! Pauses between looks and between tries, and how many calls a workspace is
//! sent.

use std::collections::HashMap;
use std::time::Duration;

use base::{Chance, Timestamp};
use parking_lot::Mutex;

/// How calls to workspaces are paced.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    /// A run that has just begun is looked at after so long …
    pub first_look: Duration,
    /// … and an old one so often.
    pub longest_look: Duration,
    /// Calls that a workspace is sent in a second; several may go at once, up to
    /// two seconds' worth.
    pub calls_per_second: u32,
    /// For so long a call is tried again that was not answered, or that was
    /// answered by a failure that passes.
    pub patience: Duration,
    /// How long the record of calls is kept.
    pub calls_kept: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Pacing {
            first_look: Duration::from_secs(5),
            longest_look: Duration::from_mins(1),
            calls_per_second: 10,
            patience: Duration::from_mins(10),
            calls_kept: Duration::from_hours(24 * 90),
        }
    }
}

/// From so many open runs of one connection on, the open ones are listed, and
/// not asked for one by one.
pub(crate) const LIST_FROM: usize = 6;
/// Runs on a page of a list, at most.
pub(crate) const PAGE: usize = 24;
/// What a look at our own workspace costs is nothing to speak of.
const FIRST_LOOK_AT_HOME: Duration = Duration::from_millis(250);
/// The first wait before a call is tried again is drawn from this …
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// … and a later one from at most this.
const LONGEST_RETRY: Duration = Duration::from_secs(45);
/// Who asks for more patience than this is asked again after this.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

impl Pacing {
    /// Returns how long to wait before a run is looked at that is so old: a
    /// sixth of its age, within bounds.
    pub(crate) fn look_after(&self, age: Duration, is_home: bool) -> Duration {
        let first = if is_home { FIRST_LOOK_AT_HOME.min(self.first_look) } else { self.first_look };
        (age / 6).clamp(first, self.longest_look.max(first))
    }

    /// Returns how long to wait between two lists of so many open runs, the
    /// youngest of which is so old: a page costs a second at least.
    pub(crate) fn list_after(&self, age: Duration, runs: usize, is_home: bool) -> Duration {
        let pages = runs.div_ceil(PAGE) as u32;
        self.look_after(age, is_home).max(Duration::from_secs(pages.into()))
    }
}

/// Returns how long to wait before a call is tried again: drawn from nothing to
/// a bound that doubles with each try (full jitter), or what the other side
/// asked for and a little more, so that not all come back at once.
pub(crate) fn retry_after(failures: u32, asked: Option<u64>, chance: &dyn Chance) -> Duration {
    if let Some(seconds) = asked {
        let asked = Duration::from_secs(seconds).min(LONGEST_ASKED);
        return asked + Duration::from_secs(1).mul_f64(chance.fraction());
    }
    let doublings = failures.saturating_sub(1).min(16);
    let bound = FIRST_RETRY.saturating_mul(1 << doublings).min(LONGEST_RETRY);
    bound.mul_f64(chance.fraction())
}

/// How many calls each workspace may be sent: a bucket that fills with time.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<HashMap<String, Bucket>>);

struct Bucket {
    calls: f64,
    at: Timestamp,
}

impl Buckets {
    /// Takes leave for one call to a workspace; the error is how long to wait
    /// until there is some.
    pub(crate) fn take(&self, workspace: &str, per_second: u32, now: Timestamp) -> Result<(), Duration> {
        let rate = f64::from(per_second.max(1));
        let full = (rate * 2.0).max(1.0);
        let mut buckets = self.0.lock();
        let bucket = buckets.entry(workspace.to_owned()).or_insert(Bucket { calls: full, at: now });
        bucket.calls = (bucket.calls + now.since(bucket.at).as_secs_f64() * rate).min(full);
        bucket.at = bucket.at.max(now);
        if bucket.calls >= 1.0 {
            bucket.calls -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.calls) / rate).max(Duration::from_millis(1)))
    }
}

#[cfg(test)]
mod tests {
    use base::chance::SeededChance;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_older_a_run_the_rarer_the_looks() {
        let pacing = Pacing::default();
        for (age, expected) in [(0, 5), (30, 5), (60, 10), (120, 20), (360, 60), (86_400, 60)] {
            assert_eq!(pacing.look_after(s(age), false), s(expected), "{age} s old");
        }
        assert_eq!(pacing.look_after(s(0), true), Duration::from_millis(250));
        assert_eq!(pacing.list_after(s(0), 24, false), s(5));
        assert_eq!(pacing.list_after(s(0), 1_000, false), s(42), "a page costs a second");
        assert_eq!(pacing.list_after(s(600), 1_000, false), s(60));
    }

    #[test]
    fn a_call_is_tried_again_at_any_time_up_to_a_bound() {
        let chance = SeededChance::new(1);
        for failures in 1..40 {
            let bound = s(1 << (failures - 1).min(16)).min(LONGEST_RETRY);
            for _ in 0..20 {
                assert!(retry_after(failures, None, &chance) <= bound);
            }
        }
        let asked = retry_after(1, Some(30), &chance);
        assert!(asked >= s(30) && asked <= s(31), "{asked:?}");
        assert!(retry_after(1, Some(86_400), &chance) <= s(301));
    }

    #[test]
    fn a_workspace_is_sent_so_many_calls_and_no_more() {
        let buckets = Buckets::default();
        let mut now = Timestamp::EPOCH;
        let taken = |now| (0..100).filter(|_| buckets.take("https://a", 10, now).is_ok()).count();
        assert_eq!(taken(now), 20);
        assert_eq!(buckets.take("https://a", 10, now), Err(Duration::from_millis(100)));
        assert!(buckets.take("https://b", 10, now).is_ok(), "another one has its own");
        now = now.plus(s(1));
        assert_eq!(taken(now), 10);
        now = now.plus(s(3_600));
        assert_eq!(taken(now), 20);
    }
}
