//! Events as they stand in a log, and the bytes that a callback receives.
//!
//! A trigger has one log. An event gets its offset when it is appended and
//! keeps it for ever; what a subscription sees of it is derived from three
//! things that never change: the subscription's id, the trigger and the stored
//! event. So the body of (subscription, offset) is the same byte string at
//! every attempt, at every replay and after every restart.

use std::fmt;
use std::sync::Arc;

use base::db::{FromValue, Value};
use base::{Timestamp, id};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::SubscriptionId;

id! {
    /// Names an event. Derived from its trigger and key: whoever appends the
    /// same event again, on whichever machine, gets the same id.
    pub EventId
}

/// Names a trigger of a published knowledge model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerRef {
    /// The knowledge model, `package.key`.
    pub knowledge_model: String,
    /// The trigger's id in it.
    pub trigger: String,
}

impl TriggerRef {
    /// Names a trigger by the two parts of its name.
    pub fn new(knowledge_model: impl Into<String>, trigger: impl Into<String>) -> Self {
        TriggerRef { knowledge_model: knowledge_model.into(), trigger: trigger.into() }
    }
}

impl fmt::Display for TriggerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.knowledge_model, self.trigger)
    }
}

/// Position of an event in its trigger's log. The first event has 1; 0 is
/// "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// Before the first event.
    pub const START: Offset = Offset(0);

    /// Returns the offset after this one.
    pub fn next(self) -> Self {
        Offset(self.0 + 1)
    }

    /// Returns the offset before this one; the start stays the start.
    pub fn previous(self) -> Self {
        Offset(self.0.saturating_sub(1))
    }

    /// Returns how many offsets lie behind `earlier`, up to this one.
    pub fn since(self, earlier: Offset) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<Offset> for Value {
    fn from(offset: Offset) -> Self {
        Value::from(offset.0)
    }
}

impl FromValue for Offset {
    fn from_value(value: Value) -> Option<Self> {
        u64::from_value(value).map(Offset)
    }
}

/// A value that the trigger's record had when it fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventField {
    /// Name of the attribute.
    pub id: String,
    /// Its value.
    pub value: Json,
    /// `DATE`, `STRING`, `FLOAT` or `INT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The attribute identifies the record.
    pub is_identifier: bool,
}

/// An event on its way into a log.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What makes it this event and no other: appending the same key to the
    /// same trigger again changes nothing.
    pub key: String,
    /// The record's business key as text.
    pub identifier: String,
    /// The same key in its own type.
    pub typed_identifier: Json,
    /// What the record looked like.
    pub fields: Vec<EventField>,
    /// When the condition became true.
    pub at: Timestamp,
}

/// An event in its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, also the `webhook-id` of every call that carries it.
    pub id: EventId,
    /// Its position.
    pub offset: Offset,
    /// When the condition became true.
    pub at: Timestamp,
    /// The inner `event` object of the callback's body, as first written.
    pub document: Arc<str>,
}

/// Returns the id of the event that has this key in this trigger's log.
pub(crate) fn event_id(trigger: &TriggerRef, key: &str) -> EventId {
    let mut hash = Sha256::new();
    for part in [&trigger.knowledge_model, &trigger.trigger, key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    // Version 8 and the RFC's variant: a UUID of the maker's own making.
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    EventId::from_bytes(bytes)
}

/// Writes the inner object of the callback's body. It is written once, when
/// the event is appended, and stored as text.
pub(crate) fn document(id: EventId, event: &NewEvent) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        id: EventId,
        identifier: &'a str,
        typed_identifier: &'a Json,
        fields: &'a [EventField],
    }
    let document = Document {
        id,
        identifier: &event.identifier,
        typed_identifier: &event.typed_identifier,
        fields: &event.fields,
    };
    serde_json::to_string(&document).expect("texts, numbers and JSON values have a JSON form")
}

/// Reads the fields back that [`document`] wrote.
pub(crate) fn fields_of(document: &str) -> Vec<EventField> {
    #[derive(Deserialize)]
    struct Document {
        fields: Vec<EventField>,
    }
    serde_json::from_str(document).map(|document: Document| document.fields).unwrap_or_default()
}

/// Room for what stands around the event and the trigger's name in a body.
const BODY_HEAD_BYTES: usize = 192;

/// Writes the body of the call that hands `event` to `subscription`.
pub(crate) fn callback_body(subscription: SubscriptionId, trigger: &TriggerRef, event: &Event) -> Bytes {
    body_for(&subscription.to_string(), trigger, event)
}

/// Writes the same for somebody who looks on and has no subscription.
pub(crate) fn body_for(subscriber: &str, trigger: &TriggerRef, event: &Event) -> Bytes {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        // The wire's own name; it means the subscription.
        subscriber_id: &'a str,
        trigger_id: &'a str,
        offset: Offset,
        creation_date: Timestamp,
    }
    let body =
        Body { subscriber_id: subscriber, trigger_id: &trigger.trigger, offset: event.offset, creation_date: event.at };
    let mut text = Vec::with_capacity(event.document.len() + trigger.trigger.len() + BODY_HEAD_BYTES);
    serde_json::to_writer(&mut text, &body).expect("texts and numbers have a JSON form");
    // The stored text is the last field as it stands: to parse it again for
    // every call would cost more than all the rest here.
    text.pop();
    text.extend_from_slice(br#","event":"#);
    text.extend_from_slice(event.document.as_bytes());
    text.push(b'}');
    Bytes::from(text)
}
