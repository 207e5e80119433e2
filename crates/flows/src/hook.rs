//! Hooks: queues of data that start runs.
//!
//! Whoever brings data names a hook and a key.
//! [`accept`](crate::Flows::accept) returns after the item is durable; the same
//! key is stored once, so that a bringer who is unsure may simply bring it
//! again. Items leave their queue in the order in which they came.
//!
//! Signals come through the event subscriptions. A *webhook* is a hook with an
//! address of its own, at which anyone who knows the address may knock:
//!
//! * [`structure`]: what they must hold, given by hand or learned from one;
//! * [`webhook`]: its settings, a request, and the answer;
//! * `mail`: mails as data;
//! * `gate`: what is remembered between requests.

pub(crate) mod webhook;
pub(crate) mod gate;
mod mail;

pub use mail::read_mail;
pub use webhook::{
    Answer, Arrival, Brought, Expected, HookSettings, Learning, OnMismatch, Response, Webhook, WebhookDetails,
    WebhookInfo, queue_of,
};

/// What became of an item that was brought to a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored and will start a run.
    Stored,
    /// It had been stored before under the same key.
    Known,
}
