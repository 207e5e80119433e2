//! Reading: bringing the next events of those who need them to hand.
//!
//! Followers that keep up share one read at the end of their log. Those that
//! lag wait for a piece of it, the furthest behind first. No log is read
//! twice at a time; whoever asks meanwhile is served by the next read.

use std::collections::BTreeSet;

use base::Timestamp;

use super::{LOOK_EVERY, Order, PAUSE_AFTER_TROUBLE, Roster};
use crate::event::{Event, Offset, TriggerRef};
use crate::tables::{LogId, LogRow};

/// Events read from a log at once.
pub(crate) const READ_EVENTS: usize = 256;
/// Bytes of events held in memory, over all logs.
const WINDOW_BYTES_MAX: usize = 64 << 20;

impl Roster {
    /// Notes that a trigger's log has grown; tells whether anybody cares.
    pub(crate) fn nudge(&mut self, trigger: &TriggerRef) -> bool {
        let Some(log) = self.log_of.get(trigger) else { return false };
        self.unread.insert(*log);
        true
    }
    pub(super) fn read_what_is_missing(&mut self, orders: &mut Vec<Order>) {
        let mut still_unread = BTreeSet::new();
        for log in std::mem::take(&mut self.unread) {
            let Some(known) = self.logs.get_mut(&log) else { continue };
            if known.reading {
                still_unread.insert(log);
                continue;
            }
            let cursors = known.waiting.iter().filter_map(|id| self.seats.get(id));
            let after = cursors.map(|seat| seat.subscription.standing.cursor).min().unwrap_or(known.head);
            known.reading = true;
            orders.push(Order::Read { log, after });
        }
        self.unread = still_unread;
    }

    /// Takes what was read of a log.
    pub(crate) fn read(
        &mut self,
        log: LogId,
        after: Offset,
        read: Result<(LogRow, Vec<Event>), base::db::Error>,
        now: Timestamp,
    ) {
        let Some(known) = self.logs.get_mut(&log) else { return };
        known.reading = false;
        let (row, events) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::error!(%error, log, "a log cannot be read; it is tried again");
                self.look_at = self.look_at.min(now.plus(PAUSE_AFTER_TROUBLE));
                return;
            }
        };
        let grown = known.grows_to(row);
        let waiting = std::mem::take(&mut known.waiting);
        let last = events.last().map_or(after, |event| event.offset);
        self.remember(log, events);
        if grown {
            self.wake_followers(log, now);
        }
        for id in waiting {
            let Some(seat) = self.seats.get(&id) else { continue };
            let cursor = seat.subscription.standing.cursor;
            let was_asked_for = seat.may_be_called(row.head) && cursor >= after && cursor < last.max(after.next());
            if was_asked_for && !self.holds(log, cursor.next()) {
                // Never pass over a gap in silence: an operator must look.
                tracing::error!(subscription.id = %id, offset = %cursor.next(), "an event is missing from its log");
                continue;
            }
            self.schedule(id, now);
        }
    }

    /// Takes where all logs stand.
    pub(crate) fn looked(&mut self, looked: Result<Vec<LogRow>, base::db::Error>, now: Timestamp) {
        self.looking = false;
        self.look_at = now.plus(LOOK_EVERY);
        let rows = match looked {
            Ok(rows) => rows,
            Err(error) => {
                tracing::error!(%error, "the logs cannot be looked at; it is tried again");
                return;
            }
        };
        for row in rows {
            let Some(log) = self.logs.get(&row.log) else { continue };
            if row.head > log.head || !log.waiting.is_empty() {
                self.unread.insert(row.log);
            }
        }
    }

    pub(super) fn wake_followers(&mut self, log: LogId, now: Timestamp) {
        let Some(known) = self.logs.get(&log) else { return };
        for id in known.followers.clone() {
            self.schedule(id, now);
        }
    }

    /// Keeps events at hand. When the room is used up all of it is given back:
    /// what is needed is read again, and nobody has to keep accounts.
    fn remember(&mut self, log: LogId, events: Vec<Event>) {
        if self.window_bytes > WINDOW_BYTES_MAX {
            self.window_bytes = 0;
            for known in self.logs.values_mut() {
                known.forget();
            }
        }
        if let Some(known) = self.logs.get_mut(&log) {
            self.window_bytes += known.remember(events);
        }
    }

    fn holds(&self, log: LogId, offset: Offset) -> bool {
        self.logs.get(&log).is_some_and(|log| log.window.contains_key(&offset))
    }
}
