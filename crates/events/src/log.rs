//! A trigger's log, as far as it is held in memory.
//!
//! Followers that keep up all want the same few events at the end; these are
//! read once and shared. Whoever lags asks for a piece of the log to be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::event::{Event, Offset, TriggerRef};
use crate::load::{BATCH_BYTES_MAX, Form, Load, element_bytes_max};
use crate::subscription::SubscriptionId;
use crate::tables::LogRow;

/// Where a log stands, who follows it, and which of its events are at hand.
pub(crate) struct Log {
    /// Whose log it is.
    pub(crate) trigger: Arc<TriggerRef>,
    /// The last offset that is known to be there.
    pub(crate) head: Offset,
    pub(crate) followers: BTreeSet<SubscriptionId>,
    /// Events at hand.
    pub(crate) window: BTreeMap<Offset, AtHand>,
    /// Followers whose next event is not at hand.
    pub(crate) waiting: BTreeSet<SubscriptionId>,
    /// A piece of it is being read.
    pub(crate) reading: bool,
}

/// An event at hand, and which piece of reading brought it last.
pub(crate) struct AtHand {
    pub(crate) event: Arc<Event>,
    piece: u64,
}

impl Log {
    /// Takes up a log that somebody begins to follow.
    pub(crate) fn at(row: LogRow, trigger: TriggerRef) -> Self {
        Log {
            trigger: Arc::new(trigger),
            head: row.head,
            followers: BTreeSet::new(),
            window: BTreeMap::new(),
            waiting: BTreeSet::new(),
            reading: false,
        }
    }

    /// Takes over where the log stands; tells whether it has grown. Reads may
    /// come back out of order, and a log never shrinks.
    pub(crate) fn grows_to(&mut self, row: LogRow) -> bool {
        let grown = row.head > self.head;
        self.head = self.head.max(row.head);
        grown
    }

    /// Keeps the events of a piece of reading at hand; returns how many bytes
    /// that takes.
    pub(crate) fn remember(&mut self, piece: u64, events: Vec<Event>) -> usize {
        let mut bytes = 0;
        for event in events {
            let size = size_of(&event);
            if self.window.insert(event.offset, AtHand { event: Arc::new(event), piece }).is_none() {
                bytes += size;
            }
        }
        bytes
    }

    /// Forgets the events of a piece, but for those that a later piece brought
    /// again; returns how many bytes that gives back.
    pub(crate) fn forget(&mut self, piece: u64, offsets: RangeInclusive<Offset>) -> usize {
        let of_piece = |(offset, held): (&Offset, &AtHand)| (held.piece == piece).then_some(*offset);
        let known: Vec<Offset> = self.window.range(offsets).filter_map(of_piece).collect();
        let forgotten = known.iter().filter_map(|offset| self.window.remove(offset));
        forgotten.map(|held| size_of(&held.event)).sum()
    }

    /// Forgets all that is at hand; returns how many bytes that gives back.
    pub(crate) fn forget_all(&mut self) -> usize {
        std::mem::take(&mut self.window).values().map(|held| size_of(&held.event)).sum()
    }

    /// Returns what a call carries: the event behind a cursor, if it is at
    /// hand; in a batch also those that follow it without a gap, as far as they
    /// are at hand, but none behind `end`.
    pub(crate) fn load(&self, cursor: Offset, form: Form, end: Offset) -> Option<Load> {
        let first = &self.window.get(&cursor.next())?.event;
        let Form::Array { events_max } = form else { return Some(Load::One(first.clone())) };
        let mut events = vec![first.clone()];
        let mut bytes = element_bytes_max(&self.trigger, first);
        for (offset, AtHand { event, .. }) in self.window.range(first.offset.next()..) {
            bytes += element_bytes_max(&self.trigger, event);
            let follows = *offset == events[events.len() - 1].offset.next();
            if !follows || *offset > end || events.len() >= events_max || bytes > BATCH_BYTES_MAX {
                break;
            }
            events.push(event.clone());
        }
        Some(Load::Batch(events))
    }
}

pub(crate) fn size_of(event: &Event) -> usize {
    // What an entry costs besides its text, roughly.
    event.document.len() + 128
}
