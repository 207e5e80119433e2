//! How patient a subscription is: its retries, probes and deadlines.
//!
//! Everything here is arithmetic over values. Chance comes in as `luck`, a
//! fraction in `0.0..1.0` that the caller drew. Each pause that is named here
//! is spread by 20 % to either side.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A receiver's `Retry-After` is believed up to here.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);
/// A receiver that did not answer in time is left alone at least this long:
/// asking an overloaded one sooner makes it slower still.
const AFTER_TIMEOUT_MIN: Duration = Duration::from_mins(1);
/// The longest pause before a local hook without room is asked again.
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// The highest limit of calls per second that can be set.
pub(crate) const RATE_PER_SECOND_MAX: u32 = 100_000;
/// The largest batch that can be set.
const BATCH_EVENTS_MAX: u32 = 100;

/// What happens to an event whose attempts are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It stays queued, and the subscription fails.
    Keep,
    /// It is lost, on record, and the subscription goes on (`SKIP_ERRORS`).
    Skip,
}

/// What it means when the receiver answers that the event itself is wrong
/// (a 3xx or 4xx that does not ask for patience).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRejection {
    /// The same as any other error: it is tried again.
    Retry,
    /// The subscription is rejected at once.
    Reject,
}

/// What a suspension does to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnSuspension {
    /// It is destroyed; the events are lost.
    Destroy,
    /// It is kept until an update sets the subscription going again.
    Keep,
}

/// The delivery settings of one subscription. Every pause is spread by 20 % to
/// either side; a receiver that asks for patience gets up to an hour of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Pauses between the attempts of an active subscription; there is one
    /// attempt more than there are pauses.
    pub retry_pauses_ms: Vec<u64>,
    /// Time for a whole call, the answer included.
    pub timeout_ms: u64,
    /// First pause between the probes of a failed subscription; each is twice
    /// the one before.
    pub probe_first_ms: u64,
    /// Longest pause between probes, if it is longer than the first one: each
    /// can be set without a look at the other.
    pub probe_max_ms: u64,
    /// A subscription that has been failed for so long is suspended.
    pub suspend_after_ms: u64,
    /// Its owner is alerted when it has been failed for so long, each time
    /// once, and not after it was suspended. At most 10, increasing.
    pub alert_after_ms: Vec<u64>,
    /// What happens to an event whose attempts are used up.
    pub on_error: OnError,
    /// What it means when the receiver says that the event itself is wrong.
    pub on_rejection: OnRejection,
    /// What a suspension does to the queue.
    pub on_suspension: OnSuspension,
    /// Calls per second at most, with up to a second's worth of them, and at
    /// least one, saved up; nothing means as many as the receiver bears.
    pub rate_per_second: Option<u32>,
    /// Events that one call carries at most. With 1 its body is an event, with
    /// more it is an array of them.
    pub batch_events_max: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            retry_pauses_ms: vec![1_000, 5_000, 30_000, 120_000],
            timeout_ms: 30_000,
            probe_first_ms: 15_000,
            probe_max_ms: 300_000,
            suspend_after_ms: 8 * 3_600_000,
            alert_after_ms: vec![3_600_000, 4 * 3_600_000, 7 * 3_600_000],
            on_error: OnError::Keep,
            on_rejection: OnRejection::Retry,
            on_suspension: OnSuspension::Destroy,
            rate_per_second: None,
            batch_events_max: 1,
        }
    }
}

impl Policy {
    /// Refuses settings that no receiver and no operator would survive.
    pub fn check(&self) -> Result<(), Error> {
        const DAY_MS: u64 = 24 * 3_600_000;
        let bounds = [
            ("retryPausesMs", self.retry_pauses_ms.len() as u64, 0, 20),
            ("retryPausesMs", self.retry_pauses_ms.iter().copied().max().unwrap_or(0), 0, DAY_MS),
            ("timeoutMs", self.timeout_ms, 100, 300_000),
            ("probeFirstMs", self.probe_first_ms, 100, DAY_MS),
            ("probeMaxMs", self.probe_max_ms, 100, DAY_MS),
            ("suspendAfterMs", self.suspend_after_ms, 1_000, 365 * DAY_MS),
            ("alertAfterMs", self.alert_after_ms.len() as u64, 0, 10),
            ("ratePerSecond", self.rate_per_second.unwrap_or(1).into(), 1, RATE_PER_SECOND_MAX.into()),
            ("batchEventsMax", self.batch_events_max.into(), 1, BATCH_EVENTS_MAX.into()),
        ];
        for (setting, value, min, max) in bounds {
            if value < min || value > max {
                return Err(Error::PolicyOutOfBounds { setting, value, min, max });
            }
        }
        let mut min = 1;
        for after_ms in &self.alert_after_ms {
            let (setting, value, max) = ("alertAfterMs", *after_ms, 365 * DAY_MS);
            if value < min || value > max {
                return Err(Error::PolicyOutOfBounds { setting, value, min, max });
            }
            min = value + 1;
        }
        Ok(())
    }

    /// Returns the time that a call may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Returns how long a subscription may stay failed.
    pub fn suspend_after(&self) -> Duration {
        Duration::from_millis(self.suspend_after_ms)
    }

    /// Returns how many alerts are due when it has been failed for so long.
    pub(crate) fn alerts_due(&self, failed_for: Duration) -> u32 {
        let due = self.alert_after_ms.iter().filter(|after_ms| Duration::from_millis(**after_ms) <= failed_for);
        u32::try_from(due.count()).unwrap_or(u32::MAX)
    }

    /// Returns after what time failed the next alert comes, if so many were
    /// raised.
    pub(crate) fn next_alert(&self, raised: u32) -> Option<Duration> {
        let place = usize::try_from(raised).ok()?;
        self.alert_after_ms.get(place).copied().map(Duration::from_millis)
    }

    /// Returns the pause after so many failed attempts, or nothing if that was
    /// the last one.
    pub(crate) fn retry_pause(&self, failed_attempts: u32, patience: Patience, luck: f64) -> Option<Duration> {
        let place = usize::try_from(failed_attempts).ok()?.checked_sub(1)?;
        let own = Duration::from_millis(*self.retry_pauses_ms.get(place)?);
        Some(patience.stretch(jittered(own, luck)))
    }

    /// Returns the pause after so many failed attempts, where there has to be
    /// another one: none of its own if none is set, but the receiver may ask.
    pub(crate) fn pause_before_retry(&self, failed_attempts: u32, patience: Patience, luck: f64) -> Duration {
        self.retry_pause(failed_attempts, patience, luck).unwrap_or_else(|| patience.stretch(Duration::ZERO))
    }

    /// Returns the pause before the next probe of a subscription that has been
    /// failed for so long.
    ///
    /// "As long as it has already taken, and the first pause on top" doubles
    /// from probe to probe, and a restart knows where it stood without a
    /// counter. A receiver that asks for more patience than there is left
    /// before the suspension is asked half-way: no queue is destroyed while its
    /// owner believes that it is being waited for.
    pub(crate) fn probe_pause(&self, failed_for: Duration, patience: Patience, luck: f64) -> Duration {
        let first = Duration::from_millis(self.probe_first_ms);
        let max = Duration::from_millis(self.probe_max_ms.max(self.probe_first_ms));
        let own = jittered(failed_for.saturating_add(first).min(max), luck);
        let asked = patience.stretch(own);
        let left = self.suspend_after().saturating_sub(failed_for);
        if asked < left { asked } else { asked.min(own.max(left / 2)) }
    }

    /// Returns the longest pause that there can be between two attempts.
    pub(crate) fn pause_max(&self) -> Duration {
        let retry_ms = self.retry_pauses_ms.iter().copied().max().unwrap_or(0);
        let own = Duration::from_millis(retry_ms.max(self.probe_max_ms).max(self.probe_first_ms));
        jittered(own, 1.0).max(RETRY_AFTER_MAX)
    }
}

/// Returns the pause before a hook that had no room is asked again.
pub(crate) fn busy_pause(attempts: u32, luck: f64) -> Duration {
    let doubled = Duration::from_millis(50).saturating_mul(1 << attempts.min(10));
    jittered(doubled.min(BUSY_PAUSE_MAX), luck)
}

/// What the receiver asked for, in deed or in word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// Nothing in particular.
    #[default]
    Own,
    /// `Retry-After`.
    Asked(Duration),
    /// It did not answer in time.
    Overloaded,
}

impl Patience {
    fn stretch(self, own: Duration) -> Duration {
        match self {
            Patience::Own => own,
            Patience::Asked(asked) => own.max(asked.min(RETRY_AFTER_MAX)),
            Patience::Overloaded => own.max(AFTER_TIMEOUT_MIN),
        }
    }
}

/// Spreads a pause by 20 % to either side, so that subscriptions which failed
/// together do not come back together.
fn jittered(pause: Duration, luck: f64) -> Duration {
    pause.mul_f64(0.8 + 0.4 * luck.clamp(0.0, 1.0))
}
