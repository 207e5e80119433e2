//! Why something cannot happen to a subscription, in its present state or at all.
//!
//! Every verb in every state that forbids it has a code of its own, so that a
//! client need not parse a sentence to know what to do.

use base::error::Kind;

use crate::event::Offset;
use crate::subscription::State;

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
    /// There is no event that could be passed over.
    #[error("no event is queued")]
    NothingQueued,
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
    /// [`crate::Input::Pause`].
    Pause,
    /// [`crate::Input::Resume`].
    Resume,
    /// [`crate::Input::ResumeFromLatest`].
    ResumeFromLatest,
    /// [`crate::Input::Replay`].
    Replay,
    /// [`crate::Input::Extract`].
    Extract,
    /// [`crate::Input::SkipOne`].
    SkipOne,
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
            Verb::SkipOne => "skip an event of",
        }
    }
}

impl Refusal {
    /// Returns what was asked for.
    pub fn verb(&self) -> Verb {
        match self {
            Refusal::State { verb, .. } => *verb,
            Refusal::NothingQueued => Verb::SkipOne,
            Refusal::BeforeStart { .. } | Refusal::Forgotten { .. } | Refusal::Ahead { .. } => Verb::Replay,
        }
    }

    /// Returns what the caller should do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Refusal::State { .. } | Refusal::NothingQueued => Kind::Conflict,
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
                (Verb::SkipOne, Paused) => "skip-while-paused",
                (Verb::SkipOne, Suspended { .. }) => "skip-while-suspended",
                (Verb::SkipOne, _) => "skip-while-active",
            },
            Refusal::NothingQueued => "skip-nothing-queued",
            Refusal::BeforeStart { .. } => "replay-before-start",
            Refusal::Forgotten { .. } => "replay-forgotten",
            Refusal::Ahead { .. } => "replay-ahead",
        }
    }

    /// Returns what to do instead, as a part of a sentence.
    pub fn advice(&self) -> &'static str {
        use State::{Active, Failed, Paused, Rejected, Suspended};
        match self {
            Refusal::State { verb, state } => match (verb, state) {
                (Verb::Pause, Active | Paused) => "there is nothing to do",
                (Verb::Pause, Failed { .. }) => "update or replay it to set it going, then pause it",
                (Verb::Pause | Verb::Extract, Suspended { .. } | Rejected) => "nothing is delivered in this state",
                (Verb::Resume, Active | Paused) => "there is nothing to do",
                (Verb::Resume, Failed { .. }) => {
                    "it goes on by itself when its receiver is back; update or replay it to try at once"
                }
                (Verb::Resume, Rejected) => "update or replay it, or skip the event",
                (Verb::ResumeFromLatest, Active | Paused) => "pause it first, or replay it from a later offset",
                (Verb::ResumeFromLatest, Failed { .. } | Rejected) => "replay it from a later offset",
                (Verb::Resume | Verb::ResumeFromLatest | Verb::Replay | Verb::SkipOne, Suspended { .. }) => {
                    "update it to set it going"
                }
                (Verb::Replay, _) => "try again",
                (Verb::Extract | Verb::SkipOne, Paused) => "resume it first",
                (Verb::Extract | Verb::SkipOne, Active | Failed { .. } | Rejected) => {
                    "its events are delivered as they come"
                }
            },
            Refusal::NothingQueued => "update or replay it to set it going",
            Refusal::BeforeStart { .. } | Refusal::Forgotten { .. } => "ask for that offset or a later one, or for 0",
            Refusal::Ahead { .. } => "ask for that offset or an earlier one",
        }
    }
}
