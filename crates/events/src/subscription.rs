//! A subscription, and everything that can happen to it.
//!
//! [`decide`] is the state diagram. It is a pure function: what a subscription
//! is, what happens, and what lies around it go in; what it becomes comes out.
//! No clock, no chance and no database: the golden table in `tests/` prints
//! the diagram from this code, a simulation replays it, a crash repeats it.
//!
//! An attempt carries the generation in which it began. Whoever changes what
//! is to be delivered (replay, resume, update, extraction, suspension) raises
//! the generation, and what still comes back from the old one is ignored.

use std::time::Duration;

use base::error::Kind;
use base::{Timestamp, id};

use crate::callback::Sink;
use crate::event::{Offset, TriggerRef};
use crate::policy::{self, OnError, OnRejection, OnSuspension, Patience, Policy};

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

/// The moving part of a subscription: what [`decide`] turns over.
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

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// Stop, and let events queue.
    Pause,
    /// Go on where it was paused.
    Resume,
    /// Go on with fresh events only.
    ResumeFromLatest,
    /// The definition is replaced.
    Update,
    /// Start again at this offset; 0 means as early as possible.
    Replay {
        /// The first event to be delivered again.
        from: Offset,
    },
    /// The owner takes events out by hand.
    Extract {
        /// The last one taken.
        through: Offset,
    },
    /// The end.
    Delete,
    /// An attempt came to an end.
    Attempted {
        /// The generation in which it began.
        generation: u64,
        /// Which event it carried.
        offset: Offset,
        /// How it ended.
        outcome: Outcome,
        /// A fraction in `0.0..1.0`, for jitter.
        luck: f64,
    },
    /// Time has passed.
    Clock,
}

/// How an attempt ended, as far as decisions depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has the event.
    Delivered,
    /// It may work later.
    Failed(Patience),
    /// The receiver says that this event is wrong.
    Declined,
    /// The receiver says that it is gone for good.
    Gone,
    /// A hook of this program has no room.
    Busy,
}

/// What lies around a subscription when something happens to it.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Its delivery settings.
    pub policy: &'a Policy,
    /// The last offset of its log.
    pub head: Offset,
    /// Everything up to here has been removed from the log.
    pub trimmed: Offset,
    /// The present time.
    pub now: Timestamp,
}

/// What a subscription becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing changes.
    Stays,
    /// It goes on like this.
    Becomes(Standing),
    /// It goes on like this, and these events were passed over without
    /// success, which is put on record with the same commit.
    Skips(Standing, Skipped),
    /// It ends, and its queue with it.
    Ends,
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
    /// The queue was destroyed by a suspension.
    Suspension,
}

impl SkipReason {
    /// All of them.
    pub const ALL: [SkipReason; 6] = [
        SkipReason::Errors,
        SkipReason::Rejection,
        SkipReason::ResumedFromLatest,
        SkipReason::ReplayedAhead,
        SkipReason::Extracted,
        SkipReason::Suspension,
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
            SkipReason::Suspension => "suspension",
        }
    }
}

/// Why something cannot happen to a subscription now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its state forbids the verb.
    #[error("it is {}", state.word())]
    State {
        /// What was asked for.
        verb: Verb,
        /// Its state.
        state: State,
    },
    /// The replay begins before the subscription was made, or before its queue
    /// was destroyed.
    #[error("its events begin at offset {first}")]
    BeforeStart {
        /// The first that it has.
        first: Offset,
    },
    /// The replay begins where the log is no longer kept.
    #[error("events before offset {first} are no longer kept")]
    Forgotten {
        /// The first that is still there.
        first: Offset,
    },
    /// The replay begins where there are no events yet.
    #[error("the next event will have offset {next}")]
    Ahead {
        /// The one that comes next.
        next: Offset,
    },
}

/// What a caller can ask for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// [`Input::Pause`].
    Pause,
    /// [`Input::Resume`].
    Resume,
    /// [`Input::ResumeFromLatest`].
    ResumeFromLatest,
    /// [`Input::Replay`].
    Replay,
    /// [`Input::Extract`].
    Extract,
}

impl Verb {
    /// Returns the words for it, as they stand in "cannot … subscription".
    pub fn words(self) -> &'static str {
        match self {
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::ResumeFromLatest => "resume from latest",
            Verb::Replay => "replay",
            Verb::Extract => "extract from",
        }
    }
}

impl Refusal {
    /// Returns what was asked for.
    pub fn verb(&self) -> Verb {
        match self {
            Refusal::State { verb, .. } => *verb,
            Refusal::BeforeStart { .. } | Refusal::Forgotten { .. } | Refusal::Ahead { .. } => Verb::Replay,
        }
    }

    /// Returns what the caller should do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Refusal::State { .. } => Kind::Conflict,
            Refusal::BeforeStart { .. } | Refusal::Ahead { .. } => Kind::Invalid,
            Refusal::Forgotten { .. } => Kind::Gone,
        }
    }

    /// Returns the stable slug: every verb in every state has its own.
    pub fn code(&self) -> &'static str {
        use State::{Active, Failed, Paused, Rejected, Suspended};
        match self {
            Refusal::State { verb, state } => match (verb, state) {
                (Verb::Pause, Failed { .. }) => "pause-while-failed",
                (Verb::Pause, Suspended { .. }) => "pause-while-suspended",
                (Verb::Pause, Rejected) => "pause-while-rejected",
                (Verb::Pause, Active | Paused) => "pause-while-paused",
                (Verb::Resume, Failed { .. }) => "resume-while-failed",
                (Verb::Resume, Suspended { .. }) => "resume-while-suspended",
                (Verb::Resume, Rejected) => "resume-while-rejected",
                (Verb::Resume, Active | Paused) => "resume-while-active",
                (Verb::ResumeFromLatest, Failed { .. }) => "resume-from-latest-while-failed",
                (Verb::ResumeFromLatest, Suspended { .. }) => "resume-from-latest-while-suspended",
                (Verb::ResumeFromLatest, Rejected) => "resume-from-latest-while-rejected",
                (Verb::ResumeFromLatest, Active | Paused) => "resume-from-latest-while-active",
                (Verb::Replay, _) => "replay-while-suspended",
                (Verb::Extract, Paused) => "extract-while-paused",
                (Verb::Extract, _) => "extract-while-active",
            },
            Refusal::BeforeStart { .. } => "replay-before-start",
            Refusal::Forgotten { .. } => "replay-forgotten",
            Refusal::Ahead { .. } => "replay-ahead",
        }
    }
}

/// Tells what a subscription becomes when something happens to it.
#[expect(clippy::match_same_arms, reason = "each arm is an arrow of the diagram")]
pub fn decide(s: &Standing, input: Input, around: &Around<'_>) -> Result<Next, Refusal> {
    match (s.state, input) {
        (_, Input::Delete) => Ok(Next::Ends),

        (State::Suspended { queue: Queue::Destroyed }, Input::Update) => Ok(s.restored(around)),
        (_, Input::Update) => Ok(Next::Becomes(s.active_again(around.now))),

        (State::Active, Input::Pause) => Ok(Next::Becomes(Standing { state: State::Paused, ..s.clone() })),
        (State::Paused, Input::Resume) => Ok(Next::Becomes(s.active_again(around.now))),
        (State::Paused, Input::ResumeFromLatest) => {
            Ok(s.active_again(around.now).moved_ahead(around.head, SkipReason::ResumedFromLatest))
        }

        (State::Suspended { .. }, Input::Replay { .. }) => Err(refusal(Verb::Replay, s.state)),
        (_, Input::Replay { from }) => s.replayed(from, around),

        (State::Active | State::Paused, Input::Extract { .. }) => Err(refusal(Verb::Extract, s.state)),
        (State::Suspended { queue: Queue::Destroyed }, Input::Extract { .. }) => Ok(Next::Stays),
        (_, Input::Extract { through }) => Ok(s.extracted(through)),

        (_, Input::Pause) => Err(refusal(Verb::Pause, s.state)),
        (_, Input::Resume) => Err(refusal(Verb::Resume, s.state)),
        (_, Input::ResumeFromLatest) => Err(refusal(Verb::ResumeFromLatest, s.state)),

        (_, Input::Attempted { generation, offset, .. }) if generation != s.generation || offset != s.cursor.next() => {
            Ok(Next::Stays)
        }
        (State::Suspended { .. } | State::Rejected, Input::Attempted { .. }) => Ok(Next::Stays),
        (_, Input::Attempted { outcome: Outcome::Delivered, .. }) => Ok(Next::Becomes(s.delivered(around.now))),
        // What fails behind a pause has no consequence: resuming begins anew.
        (State::Paused, Input::Attempted { .. }) => Ok(Next::Stays),
        (_, Input::Attempted { outcome, luck, .. }) => Ok(s.failed_once(outcome, luck, around)),

        (State::Failed { since }, Input::Clock) if around.now >= since.plus(around.policy.suspend_after()) => {
            Ok(Next::Becomes(s.suspended(around.policy)))
        }
        (_, Input::Clock) => Ok(Next::Stays),
    }
}

fn refusal(verb: Verb, state: State) -> Refusal {
    Refusal::State { verb, state }
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

    fn active_again(&self, now: Timestamp) -> Standing {
        Standing {
            state: State::Active,
            reason: String::new(),
            generation: self.generation + 1,
            attempts: 0,
            due: now,
            ..self.clone()
        }
    }

    fn moved_ahead(self, to: Offset, reason: SkipReason) -> Next {
        if to <= self.cursor {
            return Next::Becomes(self);
        }
        let skipped = Skipped { first: self.cursor.next(), last: to, reason };
        Next::Skips(Standing { cursor: to, attempts: 0, ..self }, skipped)
    }

    /// The queue begins anew at the head; what was destroyed goes on record.
    fn restored(&self, around: &Around<'_>) -> Next {
        let anew = Standing { floor: around.head, ..self.active_again(around.now) };
        anew.moved_ahead(around.head, SkipReason::Suspension)
    }

    fn replayed(&self, from: Offset, around: &Around<'_>) -> Result<Next, Refusal> {
        let first = self.floor.max(around.trimmed).next();
        let from = if from == Offset::START { first } else { from };
        if from <= self.floor {
            return Err(Refusal::BeforeStart { first: self.floor.next() });
        }
        if from < first {
            return Err(Refusal::Forgotten { first });
        }
        if from > around.head.next() {
            return Err(Refusal::Ahead { next: around.head.next() });
        }
        let again = Standing { reached: self.reached.max(self.cursor), ..self.active_again(around.now) };
        if from > self.cursor {
            return Ok(again.moved_ahead(from.previous(), SkipReason::ReplayedAhead));
        }
        Ok(Next::Becomes(Standing { cursor: from.previous(), ..again }))
    }

    fn extracted(&self, through: Offset) -> Next {
        let anew = Standing { generation: self.generation + 1, ..self.clone() };
        anew.moved_ahead(through, SkipReason::Extracted)
    }

    fn delivered(&self, now: Timestamp) -> Standing {
        let offset = self.cursor.next();
        let state = if self.state == State::Paused { State::Paused } else { State::Active };
        Standing {
            state,
            reason: String::new(),
            cursor: offset,
            attempts: 0,
            due: now,
            last_success: LastSuccess::Event { offset, at: now },
            delivered: self.delivered + 1,
            ..self.clone()
        }
    }

    fn failed_once(&self, outcome: Outcome, luck: f64, around: &Around<'_>) -> Next {
        let Around { policy, now, .. } = *around;
        let tried = Standing { attempts: self.attempts + 1, failures: self.failures + 1, ..self.clone() };
        let skips = policy.on_error == OnError::Skip;
        let rejects = policy.on_rejection == OnRejection::Reject;
        let patience = match outcome {
            Outcome::Busy => {
                let due = now.plus(policy::busy_pause(self.attempts, luck));
                return Next::Becomes(Standing { due, failures: self.failures, ..tried });
            }
            Outcome::Declined if rejects && skips => return tried.skipped(SkipReason::Rejection, now),
            Outcome::Declined if rejects => {
                return Next::Becomes(Standing { state: State::Rejected, reason: "rejected".into(), ..tried });
            }
            Outcome::Gone if skips => return tried.skipped(SkipReason::Errors, now),
            Outcome::Gone => return Next::Becomes(tried.failing(Patience::Own, luck, around)),
            Outcome::Failed(patience) => patience,
            Outcome::Declined | Outcome::Delivered => Patience::Own,
        };
        if let State::Active = self.state
            && let Some(pause) = policy.retry_pause(tried.attempts, patience, luck)
        {
            return Next::Becomes(Standing { due: now.plus(pause), ..tried });
        }
        if skips {
            return tried.skipped(SkipReason::Errors, now);
        }
        Next::Becomes(tried.failing(patience, luck, around))
    }

    /// Failed it becomes or stays; either way the next probe is set.
    fn failing(self, patience: Patience, luck: f64, around: &Around<'_>) -> Standing {
        let since = match self.state {
            State::Failed { since } => since,
            _ => around.now,
        };
        let failed_for: Duration = around.now.since(since);
        let due = around.now.plus(around.policy.probe_pause(failed_for, patience, luck));
        Standing { state: State::Failed { since }, due, ..self }
    }

    fn skipped(self, reason: SkipReason, now: Timestamp) -> Next {
        let to = self.cursor.next();
        Standing { state: State::Active, reason: String::new(), due: now, ..self }.moved_ahead(to, reason)
    }

    fn suspended(&self, policy: &Policy) -> Standing {
        let hours = policy.suspend_after().as_secs_f64() / 3_600.0;
        let queue = match policy.on_suspension {
            OnSuspension::Destroy => Queue::Destroyed,
            OnSuspension::Keep => Queue::Kept,
        };
        Standing {
            state: State::Suspended { queue },
            reason: format!("failed for {hours:.1} h: {}", self.reason),
            generation: self.generation + 1,
            attempts: 0,
            ..self.clone()
        }
    }
}
