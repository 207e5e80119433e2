//! The event subscription engine: trigger logs, subscriptions, offsets, signed delivery.

mod error;
mod event;
mod callback;
mod policy;
mod subscription;
mod delivery;
pub mod signature;
mod outlet;
mod roster;
mod view;
mod tables;
mod events;
mod work;

pub use callback::{Busy, Callback, LocalDelivery, LocalSink, NoHooks, Sink};
pub use delivery::{Attempt, Verdict};
pub use error::Error;
pub use event::{Event, EventField, EventId, NewEvent, Offset, TriggerRef};
pub use events::{Events, NewSubscription, Options, Ports};
pub use policy::{OnError, OnRejection, OnSuspension, Patience, Policy};
pub use subscription::{
    Around, Input, LastSuccess, Next, Outcome, Owner, Queue, Refusal, SkipReason, Skipped, Standing, State, Subscription,
    SubscriptionId, Verb, decide,
};
pub use view::{DeliveryFilter, Listed, Page, Paging, Sort, SortField, Status, Tally};

/// The tables of this crate.
pub const MIGRATIONS: &[base::db::Migration] = &[base::db::Migration {
    name: "events/0001_logs_and_subscriptions",
    sql: include_str!("../migrations/0001_logs_and_subscriptions.sql"),
}];

#[cfg(test)]
mod tests;
