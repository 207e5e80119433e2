//! Chores: what is done every few minutes, beside the deliveries.
//!
//! Each is due again some time after it has ended, so that one which takes
//! long never meets itself.

use std::time::Duration;

use base::Timestamp;

use super::{Order, Roster};
use crate::retention::Overdue;

/// What has grown old is removed.
pub(super) const TIDY_EVERY: Duration = Duration::from_mins(10);
/// Whoever falls too far behind is found out within this time.
pub(super) const WATCH_EVERY: Duration = Duration::from_mins(1);

impl Roster {
    pub(super) fn chores_due(&mut self, now: Timestamp, orders: &mut Vec<Order>) {
        if now >= self.tidy_at {
            // One at a time: the next is due when this one has ended.
            self.tidy_at = Timestamp::FAR_FUTURE;
            orders.push(Order::Tidy);
        }
        if now >= self.watch_at {
            self.watch_at = Timestamp::FAR_FUTURE;
            orders.push(Order::Watch);
        }
        if now >= self.tell_at && !self.telling {
            self.telling = true;
            self.tell_at = Timestamp::FAR_FUTURE;
            orders.push(Order::Tell);
        }
    }

    /// Notes that a tidying has ended, well or not.
    pub(crate) fn tidied(&mut self, now: Timestamp) {
        self.tidy_at = now.plus(TIDY_EVERY);
    }

    /// Takes who is too far behind: whoever still is stops holding on.
    pub(crate) fn watched(&mut self, overdue: &[Overdue], now: Timestamp) {
        self.watch_at = now.plus(WATCH_EVERY);
        for Overdue { id, generation } in overdue {
            let Some(seat) = self.seats.get_mut(id) else { continue };
            let Some(head) = self.logs.get(&seat.log).map(|log| log.head) else { continue };
            let standing = &seat.subscription.standing;
            // A verb is at it or was, or it has caught up: the next look will tell.
            if seat.held || standing.generation != *generation || standing.queued(head) == 0 {
                continue;
            }
            seat.is_overtaken(head, now);
            self.note_unsaved(*id, now);
            // Nothing is removed from the log before this is durable.
            self.save_at = now;
            self.schedule(*id, now);
        }
    }

    /// Sees to it that notices are sent at this time at the latest.
    pub(crate) fn tell_by(&mut self, at: Timestamp) {
        self.tell_at = self.tell_at.min(at);
    }

    /// Notes that sending notices has ended, well or not, and when there is
    /// more to send.
    pub(crate) fn told(&mut self, next: Option<Timestamp>) {
        self.telling = false;
        self.tell_by(next.unwrap_or(Timestamp::FAR_FUTURE));
    }
}
