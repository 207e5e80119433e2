//! What one call carries: an event, or a batch of them.
//!
//! By default a call carries one event, and its body is that event's object.
//! A subscription may ask for batches ([`crate::Policy::batch_events_max`]):
//! then the body is always an array, of the very objects that single calls
//! would have carried. A 2xx acknowledges all of it, anything else none.
//!
//! | | one event | a batch |
//! |---|---|---|
//! | body | `{…}` | `[{…},{…}]` |
//! | `webhook-id` | the event's id | of several: the first one's id, `+`, how many there are |
//! | `loopwright-offset` | `17` | of several: `17-42`, the first and the last |
//!
//! A batch of one is an array too: a receiver reads one form, whatever comes.
//! Its `webhook-id` is that of the event, so that a repetition is known as one
//! even if the setting has changed meanwhile.
//!
//! The same first event with the same extent has the same `webhook-id` and the
//! same bytes, for ever. But a repetition need not have the same extent: after
//! a failure the first event comes alone, and after a crash a batch may end
//! elsewhere. So whoever receives batches tells repetitions from news by the
//! `event.id` of each element, or by its `offset`; the `webhook-id` alone
//! would not do.

use std::sync::Arc;

use bytes::Bytes;

use crate::event::{self, Event, Offset, TriggerRef};
use crate::subscription::SubscriptionId;

/// A batch's body takes at most so many bytes; a larger event goes alone.
pub(crate) const BATCH_BYTES_MAX: usize = 256 << 10;

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One event's object.
    Object,
    /// An array of up to so many.
    Array { events_max: usize },
}

/// What one call carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// One event, as an object.
    One(Arc<Event>),
    /// At least one event, without a gap, as an array.
    Batch(Vec<Arc<Event>>),
}

impl Load {
    pub(crate) fn first(&self) -> &Event {
        match self {
            Load::One(event) => event,
            Load::Batch(events) => events.first().expect("a batch has at least one event"),
        }
    }

    /// Returns the offset of the last event.
    pub(crate) fn through(&self) -> Offset {
        match self {
            Load::One(event) => event.offset,
            Load::Batch(events) => events.last().expect("a batch has at least one event").offset,
        }
    }

    /// Returns how many events follow the first.
    fn more(&self) -> u64 {
        self.through().since(self.first().offset)
    }

    /// Returns the `webhook-id`.
    pub(crate) fn id(&self) -> String {
        match self.more() {
            0 => self.first().id.to_string(),
            more => format!("{}+{}", self.first().id, more + 1),
        }
    }

    /// Returns the `loopwright-offset`.
    pub(crate) fn offsets(&self) -> String {
        match self.more() {
            0 => self.first().offset.to_string(),
            _ => format!("{}-{}", self.first().offset, self.through()),
        }
    }

    /// Writes the body.
    pub(crate) fn body(&self, subscription: SubscriptionId, trigger: &TriggerRef) -> Bytes {
        let events = match self {
            Load::One(event) => return event::callback_body(subscription, trigger, event),
            Load::Batch(events) => events,
        };
        let bytes_max: usize = events.iter().map(|event| element_bytes_max(trigger, event)).sum();
        let mut body = Vec::with_capacity(bytes_max + 1);
        for event in events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(&event::callback_body(subscription, trigger, event));
        }
        body.push(b']');
        body.into()
    }
}

/// Returns how many bytes an event takes in an array at most.
pub(crate) fn element_bytes_max(trigger: &TriggerRef, event: &Event) -> usize {
    /// Names, ids, numbers and brackets.
    const FRAME: usize = 256;
    /// A control character is escaped to `\u0001`.
    const ESCAPED: usize = 6;
    FRAME + trigger.trigger.len() * ESCAPED + event.document.len()
}
