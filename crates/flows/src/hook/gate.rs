//! What is remembered between requests: webhooks by their address, and
//! how often each was called.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use parking_lot::Mutex;

use super::Webhook;

/// A webhook is looked up anew after so long a time: whoever changes something
/// says so ([`Gate::forget`]), but perhaps in another process.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// Webhooks that are remembered.
const REMEMBERED_MAX: usize = 4_096;
/// Requests are counted over so long a time.
const RATE_WINDOW: Duration = Duration::from_secs(10);

/// The memory of the gate.
#[derive(Default)]
pub(crate) struct Gate(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    by_token: HashMap<String, (Timestamp, Arc<Webhook>)>,
    /// Raised whenever everything is forgotten, so that what was read before
    /// is not remembered after.
    generation: u64,
    /// Beginning of the window, and requests in it, by the name of the hook.
    rates: HashMap<String, (Timestamp, u64)>,
}

impl Gate {
    /// Returns the webhook with this token's hash, if it is remembered, or the
    /// generation with which it may be remembered.
    pub(crate) fn find(&self, hash: &str, now: Timestamp) -> Result<Arc<Webhook>, u64> {
        let memory = self.0.lock();
        match memory.by_token.get(hash) {
            Some((read_at, webhook)) if now.since(*read_at) < REMEMBERED_FOR => Ok(webhook.clone()),
            _ => Err(memory.generation),
        }
    }

    /// Remembers a webhook that was read in a generation.
    pub(crate) fn remember(&self, hash: String, webhook: Arc<Webhook>, generation: u64, now: Timestamp) {
        let mut memory = self.0.lock();
        if memory.generation != generation {
            return;
        }
        if memory.by_token.len() >= REMEMBERED_MAX {
            memory.by_token.clear();
        }
        memory.by_token.insert(hash, (now, webhook));
    }

    /// Forgets all webhooks, because something about one has changed.
    pub(crate) fn forget(&self) {
        let mut memory = self.0.lock();
        memory.by_token.clear();
        memory.generation += 1;
    }

    /// Counts a request to a hook. If it is one too many, tells when there is
    /// room again, in seconds; with a limit of 0 there always is.
    pub(crate) fn count(&self, hook: &str, requests_max: u64, now: Timestamp) -> Result<(), u64> {
        if requests_max == 0 {
            return Ok(());
        }
        let mut memory = self.0.lock();
        if memory.rates.len() >= REMEMBERED_MAX {
            memory.rates.retain(|_, (begun, _)| now.since(*begun) < RATE_WINDOW);
        }
        let (begun, requests) = memory.rates.entry(hook.to_owned()).or_insert((now, 0));
        let gone = now.since(*begun);
        if gone >= RATE_WINDOW {
            (*begun, *requests) = (now, 0);
        } else if *requests >= requests_max {
            return Err((RATE_WINDOW.saturating_sub(gone)).as_secs().max(1));
        }
        *requests += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_requests_in_a_window_and_then_a_time_to_wait() {
        let (gate, start) = (Gate::default(), Timestamp::EPOCH);
        let count = |seconds: u64| gate.count("h", 3, start.plus(Duration::from_secs(seconds)));
        assert_eq!([count(0), count(1), count(2)], [Ok(()); 3]);
        assert_eq!(count(4), Err(6));
        assert_eq!(count(9), Err(1));
        assert_eq!(gate.count("other", 3, start.plus(Duration::from_secs(9))), Ok(()));
        assert_eq!(count(10), Ok(()));
        for _ in 0..10 {
            assert_eq!(gate.count("h", 0, start), Ok(()), "0 is no limit");
        }
    }
}
