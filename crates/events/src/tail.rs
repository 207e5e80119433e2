//! Looking on: reading a trigger's log without a subscription.
//!
//! Whoever writes a receiver wants to see what it will be sent, before there
//! is anything that could receive it. Looking on moves no cursor and holds
//! nothing back.

use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;

use crate::error::Error;
use crate::event::{self, EventField, EventId, Offset, TriggerRef};
use crate::events::Events;
use crate::tables;

/// Events that one look returns at most.
const TAIL_MAX: usize = 1_000;
/// A nudge that got lost is made up for by a look at the log.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A piece of a trigger's log, for people who look on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The last offset of the log; 0 if nothing was ever appended.
    pub head: Offset,
    /// The first offset that is still kept, or that will be the next.
    pub first_kept: Offset,
    /// The events, in order.
    pub events: Vec<Tailed>,
}

/// An event as a callback would have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tailed {
    /// Its position.
    pub offset: Offset,
    /// Its id, the `webhook-id` of a call that carries it.
    pub id: EventId,
    /// When the condition became true.
    pub at: Timestamp,
    /// The body of the call.
    pub body: Bytes,
}

/// An event that was found by its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// Its key.
    pub key: String,
    /// Its position.
    pub offset: Offset,
    /// Its id.
    pub id: EventId,
    /// When the condition became true.
    pub at: Timestamp,
    /// What the record looked like.
    pub fields: Vec<EventField>,
}

impl Events {
    /// Finds the events of a trigger that have one of these keys and are still
    /// kept, in the order of their offsets.
    pub async fn fired(&self, trigger: &TriggerRef, keys: Vec<String>) -> Result<Vec<Fired>, Error> {
        let trigger = trigger.clone();
        self.ports
            .db
            .read("events.fired", move |tx| {
                let Some(log) = tables::known_log(tx, &trigger)? else { return Ok(Vec::new()) };
                let mut found = Vec::new();
                for key in keys {
                    let Some(event) = tables::event_of_key(tx, log.log, &key)? else { continue };
                    let event::Event { offset, id, at, document } = event;
                    found.push(Fired { key, offset, id, at, fields: event::fields_of(&document) });
                }
                found.sort_by_key(|fired| fired.offset);
                Ok(found)
            })
            .await
    }

    /// Returns the events of a trigger after an offset as the callback of
    /// `subscriber` would have them, for people who look on; at most 1,000, and
    /// none of a trigger that never fired.
    pub async fn tail(
        &self,
        trigger: &TriggerRef,
        subscriber: &str,
        after: Offset,
        limit: usize,
    ) -> Result<Tail, Error> {
        let (trigger, subscriber) = (trigger.clone(), subscriber.to_owned());
        let limit = limit.min(TAIL_MAX);
        self.ports
            .db
            .read("events.tail", move |tx| {
                let Some(log) = tables::known_log(tx, &trigger)? else {
                    return Ok(Tail { head: Offset::START, first_kept: Offset(1), events: Vec::new() });
                };
                let (log, events) = tables::read_log(tx, log.log, after, limit)?;
                let tailed = |event: &event::Event| Tailed {
                    offset: event.offset,
                    id: event.id,
                    at: event.at,
                    body: event::body_for(&subscriber, &trigger, event),
                };
                Ok(Tail { head: log.head, first_kept: log.trimmed.next(), events: events.iter().map(tailed).collect() })
            })
            .await
    }

    /// Waits until the log of a trigger has grown past an offset, at most
    /// `patience`; tells whether it has.
    pub async fn grown(&self, trigger: &TriggerRef, after: Offset, patience: Duration) -> Result<bool, Error> {
        let mut nudges = self.grew.subscribe();
        let wait = async {
            while !self.has_grown(trigger, after).await? {
                let nudged = async {
                    // Whoever was too slow to hear all nudges looks for himself.
                    while let Ok(other) = nudges.recv().await {
                        if other == *trigger {
                            return;
                        }
                    }
                };
                // After the time it looks anyway.
                tokio::time::timeout(LOOK_EVERY, nudged).await.ok();
            }
            Ok(true)
        };
        match tokio::time::timeout(patience, wait).await {
            Ok(grown) => grown,
            Err(_) => self.has_grown(trigger, after).await,
        }
    }

    async fn has_grown(&self, trigger: &TriggerRef, after: Offset) -> Result<bool, Error> {
        let trigger = trigger.clone();
        let log = self.ports.db.read("events.grown", move |tx| tables::known_log(tx, &trigger)).await?;
        Ok(log.is_some_and(|log| log.head > after))
    }
}
