//! The event subscription engine: telling others, in order, and never losing a word.
//!
//! Somebody fires *events*: a trigger's condition became true for a case. The
//! engine keeps them, and hands them to everyone who subscribed to the trigger:
//! signed, in order, again and again until the receiver has them. Why an
//! event was fired, this crate never knows.
//!
//! ```text
//!   append(tx, …)          ┌ cursor ─▶ POST, signed      (a receiver out there)
//!   ──────────▶ log of T ──┼ cursor ─▶ POST, signed
//!                1 2 3 4 … └ cursor ─▶ hook              (a flow in this program)
//! ```
//!
//! # Words
//!
//! * Each trigger has one *log*; an event's place in it is its [`Offset`], for
//!   ever. The last offset given out is the log's *head*.
//! * A [`Subscription`] is little more than a *cursor* into a log: ten thousand
//!   of them cost no more than their rows. The event right behind the cursor is
//!   its *head event*. Where events go is its [`Sink`].
//! * A *delivery* hands one event to one subscription; an [`Attempt`] is one
//!   try of it. An attempt at the head event of a failed subscription is a *probe*.
//! * A call carries one event, or by setting a *batch* of them: the head event
//!   and those right behind it. The receiver has all of a batch or none.
//! * The *pace* of a subscription is how fast it is called, and with how many
//!   events at once: its limit, and what its receiver's answers have taught.
//! * A call waits for a slot in a *lane*: the fast, the slow, or that of probes.
//! * The *generation* rises whenever a subscription starts over. What comes
//!   back from an older one is *late*, and counts for nothing.
//! * A *notice* tells the owner of a subscription what nobody asked for: that
//!   it failed, was suspended, is active again. An *alert* is a notice that a
//!   failed one comes closer to its suspension. A [`Notifier`] takes them to
//!   people.
//! * *Retention* is how much a log keeps: delivered events for replays, queued
//!   ones for whoever *lags*. Paused ones and kept queues lag too.
//! * In memory each subscription has a *seat*. A verb *holds* the seat while it
//!   commits; whoever saves the row has the seat's *pen*.
//!
//! # The states
//!
//! ```text
//!                  create
//!                    │
//!                    ▼           pause
//!             ┌────────────┐ ───────────────────────────────▶ ┌────────────┐
//!   ┌───────▶ │   ACTIVE   │                                  │   PAUSED   │
//!   │         └────────────┘ ◀─────────────────────────────── └────────────┘
//!   │ attempts   │      ▲        resume, resume from latest,
//!   │ used up    │      │        update, replay
//!   │            │      │
//!   │            ▼      │ the head event is received;
//!   │         ┌────────────┐  update, replay
//!   │         │   FAILED   │
//!   │         └────────────┘
//!   │            │ 8 hours, by setting more or less (ACTIVE, if nothing waits)
//!   │            ▼
//!   │ update  ┌────────────┐
//!   └──────── │ SUSPENDED  │   the queue is destroyed, or by setting kept
//!             └────────────┘
//!
//!   any state ──delete──▶ the end       ACTIVE ──update, replay──▶ ACTIVE, anew
//!   by setting:  ACTIVE, FAILED ──declined──▶ REJECTED ──update, replay──▶ ACTIVE
//!   FAILED, REJECTED ──skip one; extract, if nothing was left──▶ ACTIVE
//!   any state but SUSPENDED with its queue destroyed ──too far behind──▶ SUSPENDED,
//!                the queue destroyed, on record
//!   SKIP_ERRORS: where it would fail or be rejected, the event is passed over,
//!                on record, and the subscription is ACTIVE
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
//! * **Order.** Only the head event is tried, alone or at the head of a batch,
//!   and never twice at once; within a generation a receiver first sees events
//!   by increasing offset.
//! * **Identity.** (subscription, offset) is one event id and one byte string
//!   for ever, over retries, replays and restarts.
//! * **The cursor never lies.** It does not pass an event without its success
//!   or its record; what a crash forgets is delivered again, never lost.
//! * **Telling.** Every durable change of a state is told in one notice, written
//!   in the commit of the change: a crash neither swallows nor repeats it. It
//!   is sent at least once. Hooks tell nobody.
//! * **Retention.** Nothing is removed from a log while a subscription still
//!   holds it. Whoever lags too far is suspended first, with a durable record
//!   of what that costs, and was told at 80 % of the way, if it got there slowly.
//! * **Silence.** After a pause, a suspension or a delete is answered, no call
//!   starts.
//!
//! # What cannot happen here
//!
//! * An offset is given out twice: it moves in the transaction that appends.
//! * A receiver sees an event whose append was rolled back: the engine reads
//!   only what is committed.
//! * Slow receivers use up the slots of the others ([`Options::calls_max`]):
//!   those that are known to be slow get a quarter of them, and probes have a
//!   few of their own. Only as many as fall silent all at once hold slots until
//!   their first timeout.
//! * An event that is wrong costs its neighbours in a batch their delivery: a
//!   batch that fails is none of the attempts that are counted against anyone,
//!   and its head event is tried alone.
//! * A receiver is called more often than its limit allows: over any second no
//!   more than the limit and as much again that was saved up, restarts included.
//! * A slow database or a large event fills the memory: above 2,000 unsaved
//!   results no call starts, a read brings about 4 MiB at most, and above 64 MiB
//!   of events at hand those that were read first are given back.
//! * A dead receiver fills the disk: queues have a largest size and age
//!   ([`Options::queue_bytes_max`], [`Options::queue_age_max`]).
//! * Notices hold up deliveries: sending them is a chore of its own.
//! * A secret leaves through a log, an audit row or an error: headers and
//!   signing secrets lie sealed, and addresses are shown without their query.
//! * A call or a pause without an end: calls have a timeout, those of hooks
//!   too, pauses a longest length, and both keep it when the clock is set back. Only a deadline by
//!   the wall clock, the suspension, goes where the clock goes.
//!
//! # How it is built: decide, record, act
//!
//! 1. [`decide`] says what becomes of a subscription; so do the little
//!    functions of `policy` (how long to wait), `pace` (how fast to go) and
//!    `delivery` (what an answer means). All of it is pure.
//! 2. A *verb* records its decision in one transaction with its audit row,
//!    before it is answered. What *deliveries* achieve is recorded in groups,
//!    at most 50 ms or 1,000 results later: a crash in between repeats calls,
//!    with the same id and bytes, and loses nothing. A notice is recorded with
//!    the decision that it tells of.
//! 3. The engine acts. Its schedule, the `roster`, lives in memory and is
//!    rebuilt from rows; [`Events::run`] asks it what is due, makes the calls,
//!    and feeds their outcomes back as the next inputs.
//!
//! # Reading on
//!
//! In the order of the `mod` lines below. Whoever has ten minutes reads
//! `subscription` and `diagram` (what it is, and what becomes of it), `roster`
//! (whose turn it is) and `change` (how a verb gets in between); then
//! `tests/simulation.rs`, which lives through it all by seed.

// What goes where.
mod event;
mod callback;
// What a subscription is, and what becomes of it.
mod subscription;
mod diagram;
mod refusal;
mod policy;
mod pace;
// How a call looks, and how it ends.
mod load;
mod delivery;
pub mod signature;
mod outlet;
// Whose turn it is.
mod log;
mod seat;
mod roster;
// The verbs, and how they are carried out.
mod events;
mod secrets;
mod hooks;
mod change;
mod held;
mod view;
mod history;
mod tail;
// What people are told.
mod notice;
mod telling;
mod notifying;
// How much there may be.
mod retention;
mod limits;
mod error;
// The loop, and the SQL.
mod work;
mod tables;

pub use callback::{Busy, Callback, LocalDelivery, LocalSink, NoHooks, Sink};
pub use delivery::{Attempt, Verdict};
pub use diagram::{Around, Input, Next, Outcome, decide};
pub use error::Error;
pub use event::{Event, EventField, EventId, NewEvent, Offset, TriggerRef};
pub use events::{Events, Limits, NewSubscription, Options, Ports};
pub use log::Appended;
pub use notice::{LogNotifier, Notice, NoticeKind, Notifier, NotifyFailed};
pub use policy::{OnError, OnRejection, OnSuspension, Patience, Policy};
pub use refusal::{Refusal, Verb};
pub use subscription::{LastSuccess, Owner, Queue, SkipReason, Skipped, Standing, State, Subscription, SubscriptionId};
pub use tail::{Fired, Tail, Tailed};
pub use view::{DeliveryFilter, Listed, LogFilter, Logged, Page, Paging, SkipShown, Sort, SortField, Status, Tally};

/// The tables of this crate. They come after those of `base`.
pub const MIGRATIONS: &[base::db::Migration] = &[
    base::db::Migration {
        name: "events/0001_logs_and_subscriptions",
        sql: include_str!("../migrations/0001_logs_and_subscriptions.sql"),
    },
    base::db::Migration { name: "events/0002_batches", sql: include_str!("../migrations/0002_batches.sql") },
    base::db::Migration { name: "events/0003_notices", sql: include_str!("../migrations/0003_notices.sql") },
    base::db::Migration {
        name: "events/0004_attempts_by_key",
        sql: include_str!("../migrations/0004_attempts_by_key.sql"),
    },
];

#[cfg(test)]
mod tests;
