//! Reading: bringing the next events of those who need them to hand.
//!
//! Followers that keep up share one read at the end of their log. Those that
//! lag wait for a piece of it, the furthest behind first. No log is read
//! twice at a time; whoever asks meanwhile is served by the next read.

use std::collections::{BTreeSet, VecDeque};
use std::ops::RangeInclusive;

use base::Timestamp;

use super::{LOOK_EVERY, Order, PAUSE_AFTER_TROUBLE, Roster};
use crate::event::{Event, Offset, TriggerRef};
use crate::log::Log;
use crate::subscription::SubscriptionId;
use crate::tables::{LogId, LogRow};

/// Events read from a log at once …
pub(crate) const READ_EVENTS: usize = 256;
/// … and bytes, if nobody else wants to read; an event that is larger alone.
const READ_BYTES_MAX: usize = 4 << 20;
/// However many want to read, each read may bring so many bytes.
const READ_BYTES_MIN: usize = 64 << 10;
/// Bytes of events held in memory, over all logs.
pub(crate) const WINDOW_BYTES_MAX: usize = 64 << 20;

/// What is at hand of all logs, in the order in which it was read.
///
/// When the room is used up, what was read first is given back first: most
/// likely it was used, and whoever still needs it reads it again.
#[derive(Default)]
pub(super) struct Window {
    bytes: usize,
    pieces: VecDeque<Piece>,
    /// The number of the next piece.
    next_piece: u64,
    /// Those who waited for a read that did not come to the end of their log:
    /// they will be back.
    lagging: BTreeSet<SubscriptionId>,
}

struct Piece {
    number: u64,
    log: LogId,
    offsets: RangeInclusive<Offset>,
}

impl Window {
    /// Takes note that a log is given up.
    pub(super) fn forget_log(&mut self, id: LogId, log: &mut Log) {
        self.bytes -= log.forget_all();
        self.pieces.retain(|piece| piece.log != id);
    }

    /// Takes note that a subscription is gone.
    pub(super) fn forget_reader(&mut self, id: SubscriptionId) {
        self.lagging.remove(&id);
    }

    /// Returns how much a read may bring while so many wait for one: what is
    /// read for them and for those who will be back shall fit into half of the
    /// window, so that nobody drives out what another has not got round to.
    fn share(&self, waiting: usize) -> usize {
        let readers = self.lagging.len().max(waiting).max(1);
        (WINDOW_BYTES_MAX / 2 / readers).clamp(READ_BYTES_MIN, READ_BYTES_MAX)
    }
}

impl Roster {
    /// Notes that a trigger's log has grown; tells whether anybody cares.
    pub(crate) fn nudge(&mut self, trigger: &TriggerRef) -> bool {
        let Some(log) = self.log_of.get(trigger) else { return false };
        self.unread.insert(*log);
        true
    }

    pub(super) fn read_what_is_missing(&mut self, orders: &mut Vec<Order>) {
        let mut still_unread = BTreeSet::new();
        let (mut missing, mut waiting) = (Vec::new(), 0);
        for log in std::mem::take(&mut self.unread) {
            let Some(known) = self.logs.get_mut(&log) else { continue };
            if known.reading {
                still_unread.insert(log);
                continue;
            }
            let cursors = known.waiting.iter().filter_map(|id| self.seats.get(id));
            let after = cursors.map(|seat| seat.subscription.standing.cursor).min().unwrap_or(known.head);
            waiting += known.waiting.len();
            known.reading = true;
            missing.push((log, after));
        }
        self.unread = still_unread;
        let bytes_max = self.window.share(waiting);
        orders.extend(missing.into_iter().map(|(log, after)| Order::Read { log, after, bytes_max }));
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
            if last < row.head {
                self.window.lagging.insert(id);
            } else {
                self.window.lagging.remove(&id);
            }
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
        let Some(known) = self.logs.get_mut(&log) else { return };
        let followers = std::mem::take(&mut known.followers);
        for id in &followers {
            self.schedule(*id, now);
        }
        if let Some(known) = self.logs.get_mut(&log) {
            known.followers = followers;
        }
    }

    /// Keeps events at hand, and makes room for them.
    fn remember(&mut self, log: LogId, events: Vec<Event>) {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let offsets = first.offset..=last.offset;
        if let Some(known) = self.logs.get_mut(&log) {
            let number = self.window.next_piece;
            self.window.next_piece += 1;
            self.window.bytes += known.remember(number, events);
            self.window.pieces.push_back(Piece { number, log, offsets });
        }
        // The latest piece stays, however large it is: somebody waits for it.
        while self.window.bytes > WINDOW_BYTES_MAX && self.window.pieces.len() > 1 {
            let Some(oldest) = self.window.pieces.pop_front() else { return };
            if let Some(known) = self.logs.get_mut(&oldest.log) {
                self.window.bytes -= known.forget(oldest.number, oldest.offsets);
            }
        }
    }

    /// Returns how many bytes of events are at hand.
    #[cfg(test)]
    pub(crate) fn window_bytes(&self) -> usize {
        self.window.bytes
    }

    fn holds(&self, log: LogId, offset: Offset) -> bool {
        self.logs.get(&log).is_some_and(|log| log.window.contains_key(&offset))
    }
}
