//! A subscription: what it is and how far it has come.
//!
//! The definition (name, sink, settings) changes when its owner says so. The
//! [`Standing`] changes all the time; what it may become, and by what, is the
//! subject of the next chapter, `diagram`.

use base::{Timestamp, id};

use crate::callback::Sink;
use crate::event::{Offset, TriggerRef};
use crate::policy::Policy;

id! {
    /// Names a subscription.
    pub SubscriptionId
}

/// A standing request to receive a trigger's events.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Its id; the wire calls it the subscriber's.
    pub id: SubscriptionId,
    /// What its owner calls it.
    pub name: String,
    /// Whose events it receives.
    pub trigger: TriggerRef,
    /// Who made it, and may manage it besides the administrators.
    pub owner: Owner,
    /// Where the events go.
    pub sink: Sink,
    /// How patient it is.
    pub policy: Policy,
    /// How far it has come.
    pub standing: Standing,
    /// Where the log stood when it was made: what is older was never its own.
    pub birth: Offset,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its definition last changed.
    pub updated_at: Timestamp,
}

/// Who made a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Id of the actor.
    pub id: String,
    /// The name that the actor had.
    pub name: String,
}

/// The moving part of a subscription: what [`decide`](crate::decide) turns over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands in the diagram.
    pub state: State,
    /// Why it stands there, for people; empty where there is nothing to say.
    pub reason: String,
    /// Raised whenever what is to be delivered changes.
    pub generation: u64,
    /// All up to here is done with: delivered, or passed over on record.
    pub cursor: Offset,
    /// Nothing up to here belongs to it: its birth, or where its queue was
    /// last destroyed.
    pub floor: Offset,
    /// All up to here it has seen before; an event at or below is a replay.
    pub reached: Offset,
    /// Failed attempts at the event behind the cursor, in this generation.
    pub attempts: u32,
    /// The event behind the cursor may not be tried before.
    pub due: Timestamp,
    /// The last event that was received.
    pub last_success: LastSuccess,
    /// Events delivered in all.
    pub delivered: u64,
    /// Attempts failed in all.
    pub failures: u64,
    /// How many alerts of its policy were raised since it failed.
    pub alerts: u32,
}

/// Where a subscription stands in the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Events are delivered as they come.
    Active,
    /// The receiver does not take them; it is probed with the oldest one.
    Failed {
        /// Since when.
        since: Timestamp,
    },
    /// Given up: nothing is tried until somebody updates it.
    Suspended {
        /// What became of its events.
        queue: Queue,
    },
    /// Its owner stopped it; events queue.
    Paused,
    /// The receiver said that an event is wrong; events queue.
    Rejected,
}

impl State {
    /// The words for all of them.
    pub const WORDS: [&'static str; 5] = ["active", "failed", "suspended", "paused", "rejected"];

    /// Returns the word for it, as the wire and the database write it.
    pub fn word(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Failed { .. } => "failed",
            State::Suspended { .. } => "suspended",
            State::Paused => "paused",
            State::Rejected => "rejected",
        }
    }
}

/// What became of the events of a suspended subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// They wait.
    Kept,
    /// They are lost, and so are those that come while it is suspended.
    Destroyed,
}

/// The last event that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastSuccess {
    /// There was none yet.
    None,
    /// This one.
    Event {
        /// Its position.
        offset: Offset,
        /// When the receiver had it.
        at: Timestamp,
    },
}

impl Standing {
    /// Returns the standing of a subscription that is made while the log
    /// stands at `birth`: it receives what comes after.
    pub fn new(birth: Offset) -> Self {
        Standing {
            state: State::Active,
            reason: String::new(),
            generation: 1,
            cursor: birth,
            floor: birth,
            reached: birth,
            attempts: 0,
            due: Timestamp::EPOCH,
            last_success: LastSuccess::None,
            delivered: 0,
            failures: 0,
            alerts: 0,
        }
    }

    /// Returns how many events wait for it.
    pub fn queued(&self, head: Offset) -> u64 {
        if self.queue_is_destroyed() { 0 } else { head.since(self.cursor) }
    }

    /// Tells whether the events behind the cursor are lost to it.
    pub fn queue_is_destroyed(&self) -> bool {
        self.state == State::Suspended { queue: Queue::Destroyed }
    }

    /// Tells whether the event behind the cursor is to be tried, once it is due.
    pub(crate) fn delivers(&self) -> bool {
        matches!(self.state, State::Active | State::Failed { .. })
    }

    /// Tells whether an event was seen before.
    pub(crate) fn is_replay(&self, offset: Offset) -> bool {
        offset <= self.reached
    }
}

/// Events that a subscription passed over without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The first.
    pub first: Offset,
    /// The last.
    pub last: Offset,
    /// Why.
    pub reason: SkipReason,
}

/// Why events were passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// The attempts were used up, and `SKIP_ERRORS` is set.
    Errors,
    /// The receiver said that the event is wrong, and `SKIP_ERRORS` is set.
    Rejection,
    /// The owner asked for fresh events only.
    ResumedFromLatest,
    /// The owner asked for a replay that begins further ahead.
    ReplayedAhead,
    /// The owner took them out by hand.
    Extracted,
    /// The owner passed over them by hand.
    ByHand,
    /// The queue was destroyed by a suspension.
    Suspension,
    /// It was too far behind: so much, or such old events, are not kept.
    Retention,
}

impl SkipReason {
    /// All of them.
    pub const ALL: [SkipReason; 8] = [
        SkipReason::Errors,
        SkipReason::Rejection,
        SkipReason::ResumedFromLatest,
        SkipReason::ReplayedAhead,
        SkipReason::Extracted,
        SkipReason::ByHand,
        SkipReason::Suspension,
        SkipReason::Retention,
    ];

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        SkipReason::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// Returns the word for it, as the database writes it.
    pub fn word(self) -> &'static str {
        match self {
            SkipReason::Errors => "errors",
            SkipReason::Rejection => "rejection",
            SkipReason::ResumedFromLatest => "resumed-from-latest",
            SkipReason::ReplayedAhead => "replayed-ahead",
            SkipReason::Extracted => "extracted",
            SkipReason::ByHand => "by-hand",
            SkipReason::Suspension => "suspension",
            SkipReason::Retention => "retention",
        }
    }
}
