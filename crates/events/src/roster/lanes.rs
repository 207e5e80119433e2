//! Lanes: who gets one of the slots for calls, and in which order.
//!
//! ```text
//!   fast   ●●●●●●●●●●●●●●●●●●●●   whatever is free
//!   slow   ●●●●●                  at most a quarter of the slots
//!   probe  ●                      slots of their own
//! ```
//!
//! Those whose calls take long, by the average or because the last one timed
//! out, use the *slow* lane: however many they are, three quarters of the
//! slots are not theirs. A call of the fast lane that is still in flight after
//! a second counts as slow from then on, so that no slow one joins it. Probes
//! of failed subscriptions neither take a slot from the healthy nor wait
//! behind them. Whatever happens, there are never more calls than slots.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use base::Timestamp;

use crate::pace::SLOW_AFTER;
use crate::subscription::SubscriptionId;

/// So many of the slots that are not for probes are for slow calls: one in …
const SLOW_ONE_IN: usize = 4;

/// Where a call waits and flies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Fast,
    Slow,
    Probe,
}

/// How many calls there may be at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    /// Those of active subscriptions.
    ordinary: usize,
    /// Those of failed ones.
    probes: usize,
}

impl Slots {
    /// Parts `calls_max` slots, of which `probes_max` are for probes; each
    /// kind has at least one, and probes have no more than half.
    pub(crate) fn new(calls_max: usize, probes_max: usize) -> Self {
        let calls = calls_max.max(2);
        let probes = probes_max.clamp(1, calls / 2);
        Slots { ordinary: calls - probes, probes }
    }

    fn slow(self) -> usize {
        (self.ordinary / SLOW_ONE_IN).max(1)
    }
}

/// Who waits for a slot, and who has one.
pub(super) struct Lanes {
    slots: Slots,
    /// Whose turn it is, in order.
    fast: VecDeque<SubscriptionId>,
    slow: VecDeque<SubscriptionId>,
    probes: VecDeque<SubscriptionId>,
    /// Calls in flight, and what they count as.
    flights: BTreeMap<SubscriptionId, Flight>,
    slow_flights: usize,
    probe_flights: usize,
    /// When calls of the fast lane will count as slow.
    ageing: BTreeSet<(Timestamp, SubscriptionId)>,
}

#[derive(Clone, Copy)]
enum Flight {
    Fast { slow_at: Timestamp },
    Slow,
    Probe,
}

impl Lanes {
    pub(super) fn new(slots: Slots) -> Self {
        Lanes {
            slots,
            fast: VecDeque::new(),
            slow: VecDeque::new(),
            probes: VecDeque::new(),
            flights: BTreeMap::new(),
            slow_flights: 0,
            probe_flights: 0,
            ageing: BTreeSet::new(),
        }
    }

    /// Lets somebody wait for a slot.
    pub(super) fn queue(&mut self, lane: Lane, id: SubscriptionId) {
        match lane {
            Lane::Fast => self.fast.push_back(id),
            Lane::Slow => self.slow.push_back(id),
            Lane::Probe => self.probes.push_back(id),
        }
    }

    /// Returns who is next, as long as there is a slot in the right lane. The
    /// slow come before the fast: they have so few slots that the fast will not
    /// miss them, and among many fast ones they would never get any.
    pub(super) fn next(&mut self) -> Option<(Lane, SubscriptionId)> {
        if self.probe_flights < self.slots.probes
            && let Some(id) = self.probes.pop_front()
        {
            return Some((Lane::Probe, id));
        }
        if self.flights.len() - self.probe_flights >= self.slots.ordinary {
            return None;
        }
        if self.slow_flights < self.slots.slow()
            && let Some(id) = self.slow.pop_front()
        {
            return Some((Lane::Slow, id));
        }
        self.fast.pop_front().map(|id| (Lane::Fast, id))
    }

    /// Notes that a call begins.
    pub(super) fn take_off(&mut self, lane: Lane, id: SubscriptionId, now: Timestamp) {
        let flight = match lane {
            Lane::Fast => {
                let slow_at = now.plus(SLOW_AFTER);
                self.ageing.insert((slow_at, id));
                Flight::Fast { slow_at }
            }
            Lane::Slow => {
                self.slow_flights += 1;
                Flight::Slow
            }
            Lane::Probe => {
                self.probe_flights += 1;
                Flight::Probe
            }
        };
        self.flights.insert(id, flight);
    }

    /// Notes that a call has ended.
    pub(super) fn land(&mut self, id: SubscriptionId) {
        match self.flights.remove(&id) {
            Some(Flight::Fast { slow_at }) => {
                self.ageing.remove(&(slow_at, id));
            }
            Some(Flight::Slow) => self.slow_flights -= 1,
            Some(Flight::Probe) => self.probe_flights -= 1,
            None => {}
        }
    }

    /// Lets calls that have been in flight for long count as slow.
    pub(super) fn age(&mut self, now: Timestamp) {
        while let Some((slow_at, id)) = self.ageing.first().copied() {
            if slow_at > now {
                return;
            }
            self.ageing.pop_first();
            self.flights.insert(id, Flight::Slow);
            self.slow_flights += 1;
        }
    }

    /// Follows a clock that was set back.
    pub(super) fn set_back(&mut self, span: Duration) {
        for (slow_at, id) in std::mem::take(&mut self.ageing) {
            let slow_at = slow_at.minus(span);
            self.ageing.insert((slow_at, id));
            self.flights.insert(id, Flight::Fast { slow_at });
        }
    }
}
