//! How fast a receiver is called, and with how much: what its answers teach.
//!
//! Three things, each arithmetic over values; a seat keeps them in memory, and
//! a restart learns them anew:
//!
//! * *Rate.* A bucket holds the calls that may be made now; the limit, if there
//!   is one, fills it. It begins empty, so that a restart is no loophole. A
//!   receiver that answers 429 halves the rate, down to one call per longest
//!   probe pause; each success adds a little, until the limit is all that
//!   holds it back.
//! * *Width.* How many events a batch carries: one at first, twice as many
//!   after each full batch that was received, one again after any failure. A
//!   receiver that comes back is not met with a hundred events at once, and
//!   an event that is wrong is soon alone.
//! * *Call time.* A moving average, to tell the slow from the fast.

use std::time::Duration;

use base::Timestamp;

use crate::diagram::Outcome;
use crate::policy::{Patience, Policy, RATE_PER_SECOND_MAX};

/// A receiver whose calls take longer is slow.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(1);
/// What one success adds to a rate that a receiver has lowered, in calls per
/// second.
const RECOVERY_PER_SUCCESS: f64 = 0.1;
/// The weight of the latest call in the average.
const LATEST_WEIGHT: f64 = 0.25;
/// No call is taken to be shorter, in seconds.
const CALL_SECONDS_MIN: f64 = 0.001;
const TOO_MANY_REQUESTS: u16 = 429;

/// What a seat has learnt about its receiver.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pace {
    /// Calls that could be made at the time of `filled_at`.
    saved_up: f64,
    filled_at: Timestamp,
    /// Calls per second that the receiver bears.
    bears: Bears,
    width: u32,
    call_seconds: CallSeconds,
    timed_out: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bears {
    /// It has not complained, or has recovered.
    Anything,
    Rate(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum CallSeconds {
    Unknown,
    Average(f64),
}

/// How a call ended, as far as it teaches anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lesson {
    pub(crate) outcome: Outcome,
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
    /// How many events it carried.
    pub(crate) events: u64,
}

impl Pace {
    /// Returns what is known before the first call.
    pub(crate) fn unknown(now: Timestamp) -> Self {
        Pace {
            saved_up: 0.0,
            filled_at: now,
            bears: Bears::Anything,
            width: 1,
            call_seconds: CallSeconds::Unknown,
            timed_out: false,
        }
    }

    /// Returns when the next call may begin: now, or later.
    pub(crate) fn ready_at(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        let Some(rate) = self.rate(policy) else { return now };
        let missing = 1.0 - self.saved_up_by(now, rate);
        // Less than a millionth of a call is a matter of rounding.
        if missing < 1e-6 {
            return now;
        }
        let wait_us = (missing / rate * 1e6).ceil() as u64;
        now.plus(Duration::from_micros(wait_us.max(1)))
    }

    /// Notes that a call begins.
    pub(crate) fn spend(&mut self, policy: &Policy, now: Timestamp) {
        self.fill(policy, now);
        self.saved_up = (self.saved_up - 1.0).max(0.0);
    }

    /// Fills the bucket up to now. Whoever is about to change the rate does so
    /// first.
    pub(crate) fn fill(&mut self, policy: &Policy, now: Timestamp) {
        // Where there is no limit nothing is saved up for one to come.
        self.saved_up = self.rate(policy).map_or(0.0, |rate| self.saved_up_by(now, rate));
        self.filled_at = now;
    }

    /// Returns how many events the next call may carry.
    pub(crate) fn width(&self, policy: &Policy) -> usize {
        self.width.min(policy.batch_events_max) as usize
    }

    /// Tells whether its calls are better kept out of the way of others.
    pub(crate) fn is_slow(&self) -> bool {
        self.timed_out || matches!(self.call_seconds, CallSeconds::Average(mean) if mean > SLOW_AFTER.as_secs_f64())
    }

    /// Learns from a call that has ended.
    pub(crate) fn learn(&mut self, lesson: Lesson, policy: &Policy, now: Timestamp) {
        let Lesson { outcome, status, took, events } = lesson;
        self.fill(policy, now);
        let took = took.as_secs_f64().max(CALL_SECONDS_MIN);
        let mean = match self.call_seconds {
            CallSeconds::Unknown => took,
            CallSeconds::Average(mean) => mean + (took - mean) * LATEST_WEIGHT,
        };
        self.call_seconds = CallSeconds::Average(mean);
        self.timed_out = outcome == Outcome::Failed(Patience::Overloaded);
        if outcome == Outcome::Delivered {
            self.bears = self.bears.more(policy);
            if events >= self.width(policy) as u64 {
                self.width = self.width.saturating_mul(2).min(policy.batch_events_max);
            }
        } else {
            self.width = 1;
        }
        if status == Some(TOO_MANY_REQUESTS) {
            // One call follows the other: that is as fast as it can have been.
            let so_far = self.rate(policy).unwrap_or(f64::INFINITY).min(1.0 / mean);
            self.bears = Bears::Rate(halved(so_far, policy));
        }
    }

    /// Forgets what belongs to another receiver, but not what the limit says.
    pub(crate) fn start_over(&mut self) {
        *self = Pace { saved_up: self.saved_up, ..Pace::unknown(self.filled_at) };
    }

    /// Begins with narrow batches again.
    pub(crate) fn narrow(&mut self) {
        self.width = 1;
    }

    /// Follows a clock that was set back.
    pub(crate) fn set_back(&mut self, span: Duration) {
        self.filled_at = self.filled_at.minus(span);
    }

    /// Returns the calls per second that may be made, if anything limits them.
    fn rate(&self, policy: &Policy) -> Option<f64> {
        match (policy.rate_per_second.map(f64::from), self.bears) {
            (limit, Bears::Anything) => limit,
            (None, Bears::Rate(rate)) => Some(rate),
            (Some(limit), Bears::Rate(rate)) => Some(limit.min(rate)),
        }
    }

    fn saved_up_by(&self, now: Timestamp, rate: f64) -> f64 {
        let more = now.since(self.filled_at).as_secs_f64() * rate;
        (self.saved_up + more).min(rate.max(1.0))
    }
}

impl Bears {
    fn more(self, policy: &Policy) -> Bears {
        let Bears::Rate(rate) = self else { return self };
        let raised = rate + RECOVERY_PER_SUCCESS;
        let top = policy.rate_per_second.unwrap_or(RATE_PER_SECOND_MAX);
        if raised >= f64::from(top) { Bears::Anything } else { Bears::Rate(raised) }
    }
}

fn halved(rate: f64, policy: &Policy) -> f64 {
    let least = 1_000.0 / policy.probe_max_ms as f64;
    (rate / 2.0).max(least)
}
