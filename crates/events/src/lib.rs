//! The event subscription engine: telling others, in order, and never losing a word.
//!
//! Somebody fires *events*: a trigger's condition became true for a case. Each
//! trigger has one *log*, in which an event has an [`Offset`] for ever. A
//! [`Subscription`] is a standing request to receive what a log gets; it is
//! little more than a *cursor* into the log, so ten thousand of them cost no
//! more than their rows. The engine hands the event behind each cursor to the
//! subscription's [`Sink`], signed, one at a time, and moves the cursor when
//! the receiver has it. Why an event was fired, this crate never knows.
//!
//! ```text
//!   append(tx, …)          ┌ cursor ─▶ POST, signed      (a receiver out there)
//!   ──────────▶ log of T ──┼ cursor ─▶ POST, signed
//!                1 2 3 4 … └ cursor ─▶ hook              (a flow in this program)
//! ```
//!
//! # The states
//!
//! ```text
//!                   create
//!                     │      ┌──────────── update, replay
//!                     ▼      ▼     │
//!     resume …    ┌────────────┐   │    pause     ┌────────┐
//!        ┌───────▶│   ACTIVE   │───┴─────────────▶│ PAUSED │
//!        │        └────────────┘                  └────────┘
//!        │  attempts │      ▲ the head event is        │
//!        │  used up  ▼      │ received; update, replay │
//!        │        ┌────────────┐                       │
//!        │        │   FAILED   │                       │
//!        │        └────────────┘                       │
//!        │   8 hours │                                 │
//!        │           ▼           update                │
//!        │        ┌────────────┐ ───────▶ ACTIVE       │
//!        │        │ SUSPENDED  │                       │
//!        │        └────────────┘                       │
//!        └───── resume, resume from latest, update, replay
//!
//!     delete ends it from any state. By setting: ACTIVE or FAILED ──declined──▶
//!     REJECTED ──update, replay──▶ ACTIVE.
//! ```
//!
//! [`decide`] is this diagram as a function, and `tests/transitions.rs` prints
//! the whole table from it, with every refusal and its code.
//!
//! # What holds
//!
//! * **Conservation.** Every appended event is, for every subscription that was
//!   there, delivered, still queued, or covered by a durable record that says
//!   why not ([`Skipped`], a suspension, a delete).
//! * **Order.** Only the head is tried; within a generation a receiver first
//!   sees events by increasing offset. Offsets are never given out twice.
//! * **Identity.** (subscription, offset) is one event id and one byte string
//!   for ever, over retries, replays and restarts.
//! * **The cursor never lies.** It does not pass an event without its success
//!   or its record; what a crash forgets is delivered again, never lost.
//! * **Silence.** After a pause, a suspension or a delete is answered, no call
//!   starts.
//!
//! # How it is built: decide, record, act
//!
//! 1. [`decide`] says what becomes of a subscription; so do the little
//!    functions of `policy` (how long to wait) and `delivery` (what an answer
//!    means). All of it is pure.
//! 2. A *verb* records its decision in one transaction with its audit row,
//!    before it is answered. What *deliveries* achieve is recorded in groups,
//!    at most 50 ms or 1,000 results later: a crash in between repeats calls,
//!    with the same id and bytes, and loses nothing.
//! 3. The engine acts. Its schedule, the `roster`, lives in memory and is
//!    rebuilt from rows; [`Events::run`] asks it what is due, makes the calls,
//!    and feeds their outcomes back as the next inputs.
//!
//! # Reading on
//!
//! In this order: `event` and `callback` (what goes where), `subscription` and
//! `diagram` (what it is, and what becomes of it), `policy`, `delivery` and
//! [`signature`] (how a call looks and ends), `seat` and `roster` (whose turn it is),
//! `events` and `change` (the verbs), `work` (the loop), `tables` (the SQL);
//! then `tests/simulation.rs`, which lives through it all by seed.

mod error;
mod event;
mod callback;
mod subscription;
mod diagram;
mod refusal;
mod policy;
mod delivery;
pub mod signature;
mod outlet;
mod log;
mod seat;
mod roster;
mod events;
mod change;
mod secrets;
mod hooks;
mod work;
mod view;
mod tables;

pub use callback::{Busy, Callback, LocalDelivery, LocalSink, NoHooks, Sink};
pub use delivery::{Attempt, Verdict};
pub use diagram::{Around, Input, Next, Outcome, decide};
pub use error::Error;
pub use event::{Event, EventField, EventId, NewEvent, Offset, TriggerRef};
pub use events::{Events, NewSubscription, Options, Ports};
pub use policy::{OnError, OnRejection, OnSuspension, Patience, Policy};
pub use refusal::{Refusal, Verb};
pub use subscription::{LastSuccess, Owner, Queue, SkipReason, Skipped, Standing, State, Subscription, SubscriptionId};
pub use view::{DeliveryFilter, Listed, Page, Paging, Sort, SortField, Status, Tally};

/// The tables of this crate. They come after those of `base`.
pub const MIGRATIONS: &[base::db::Migration] = &[base::db::Migration {
    name: "events/0001_logs_and_subscriptions",
    sql: include_str!("../migrations/0001_logs_and_subscriptions.sql"),
}];

#[cfg(test)]
mod tests;
