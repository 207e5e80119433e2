//! How fast rows come to rest.
//!
//! What happens in the background has a budget of processor time and of bytes
//! for all tables together, so that pushes and queries do not feel it. Whoever
//! waits for a flush does not care for that: an errand can be told to hurry at
//! any time, and is when memory runs short. An errand whose sender has gone
//! gives up at its next step.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pools::TablesError;

use crate::error::failed;

/// Work that was left undone in quiet times can be caught up with to this
/// extent.
const CREDIT: Duration = Duration::from_secs(1);

/// The budget that all errands share.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_per_second: u64,
    cpu_share: f64,
    /// When everything spent so far is paid for.
    paid_at: Mutex<Option<Instant>>,
}

impl Budget {
    /// Makes a budget of bytes, and of a share of one core.
    pub(crate) fn new(bytes_per_second: u64, cpu_share: f64) -> Self {
        Budget { bytes_per_second, cpu_share, paid_at: Mutex::default() }
    }

    /// Takes down what was spent and returns when the next may be.
    fn spend(&self, now: Instant, bytes: u64, worked: Duration) -> Instant {
        let for_bytes = bytes as f64 / self.bytes_per_second.max(1) as f64;
        let for_work = worked.as_secs_f64() / self.cpu_share.clamp(0.01, 1.0);
        let mut paid_at = self.paid_at.lock();
        let cost = Duration::from_secs_f64(for_bytes.max(for_work));
        let begins = paid_at.map_or(now, |at| at.max(now.checked_sub(CREDIT).unwrap_or(now)));
        *paid_at.insert(begins + cost)
    }
}

#[derive(Debug)]
struct State {
    hurries: bool,
    is_given_up: bool,
    worked_since: Instant,
}

/// One piece of work on a table at rest.
#[derive(Debug)]
pub(crate) struct Errand {
    budget: Arc<Budget>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Errand {
    /// Begins one that keeps to the budget, unless it has to hurry.
    pub(crate) fn new(budget: Arc<Budget>, hurries: bool) -> Self {
        let state = State { hurries, is_given_up: false, worked_since: Instant::now() };
        Errand { budget, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Lets go of the budget: somebody waits.
    pub(crate) fn hurry(&self) {
        self.state.lock().hurries = true;
        self.changed.notify_all();
    }

    fn give_up(&self) {
        self.state.lock().is_given_up = true;
        self.changed.notify_all();
    }

    /// Waits after a step that moved so many bytes until the next may be. Only
    /// for threads that may wait.
    pub(crate) fn step(&self, bytes: u64) -> Result<(), TablesError> {
        let mut state = self.state.lock();
        if !state.hurries {
            let now = Instant::now();
            let until = self.budget.spend(now, bytes, now - state.worked_since);
            while !state.hurries && !state.is_given_up && Instant::now() < until {
                self.changed.wait_until(&mut state, until);
            }
        }
        state.worked_since = Instant::now();
        if state.is_given_up { Err(failed("nobody waits for it any more")) } else { Ok(()) }
    }
}

/// Makes an errand give up when its sender is dropped.
#[derive(Debug)]
pub(crate) struct Sender(pub(crate) Arc<Errand>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_kept_over_time() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let budget = Budget::new(100, 0.25);
        assert_eq!(budget.spend(at(10), 100, Duration::ZERO), at(11), "a second's worth of bytes");
        assert_eq!(budget.spend(at(11), 0, Duration::from_secs(1)), at(15), "a second's work is four of the budget");
        assert_eq!(budget.spend(at(15), 300, Duration::from_millis(500)), at(18), "the dearer of the two counts");
        assert_eq!(budget.spend(at(60), 300, Duration::ZERO), at(62), "a minute of quiet is worth one second");
    }

    #[test]
    fn who_hurries_does_not_wait() {
        let errand = Arc::new(Errand::new(Arc::new(Budget::new(1, 0.25)), false));
        std::thread::scope(|scope| {
            let working = scope.spawn(|| errand.step(1 << 40));
            errand.hurry();
            assert!(working.join().unwrap().is_ok());
        });
        drop(Sender(errand.clone()));
        assert!(errand.step(0).is_err());
    }
}
