//! Notices: what people are told about their subscriptions.
//!
//! A *notice* says that something has changed which its owner wants to know
//! although nobody asked: a subscription failed, was suspended, is active
//! again. It is written in the very commit of the change, and handed to the
//! program's [`Notifier`] about a minute later, with whatever else has come up
//! by then. How it reaches a person (mail, a log, a chat) is the program's.
//!
//! A notifier may see a notice twice, if the program ends between sending and
//! noting so; the id is the same then.

use base::{BoxFuture, Timestamp};

use crate::subscription::{Owner, SubscriptionId};

/// Something that its owner, or an administrator, should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Rises from notice to notice; never given out twice.
    pub id: u64,
    /// What happened.
    pub kind: NoticeKind,
    /// To which subscription; nothing if it concerns all of them.
    pub subscription: Option<SubscriptionId>,
    /// What the subscription, or the flow, was called then; empty if there is
    /// none.
    pub name: String,
    /// Whose it is; nothing if it is for administrators.
    pub owner: Option<Owner>,
    /// When it happened.
    pub at: Timestamp,
    /// The news in whole sentences, for people.
    pub text: String,
}

/// What a notice tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoticeKind {
    /// It was made.
    Created,
    /// It was deleted.
    Deleted,
    /// Its receiver does not take its events.
    Failed,
    /// That is still so, and it comes closer to being suspended.
    Alert,
    /// It was given up.
    Suspended,
    /// Its receiver says that an event is wrong.
    Rejected,
    /// Its owner stopped it.
    Paused,
    /// Its owner lets it go on.
    Resumed,
    /// It is well after it was failed, rejected or suspended.
    ActiveAgain,
    /// So much waits for it, or for so long, that it will be given up soon.
    RetentionNear,
    /// There are almost as many subscriptions as there may be, or as many.
    TooManySubscriptions,
    /// Almost as many events came in today as may come in a day, or as many.
    TooManyEvents,
    /// A data model is not followed for now, and its triggers do not fire.
    DataModelRefused,
    /// A data model is followed again.
    DataModelBack,
    /// A flow feeds itself and was paused.
    FlowPaused,
    /// A flow failed too often and was switched off.
    FlowSwitchedOff,
    /// A connection of flows has ended, or soon will.
    ConnectionEnds,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [NoticeKind; 17] = [
        NoticeKind::Created,
        NoticeKind::Deleted,
        NoticeKind::Failed,
        NoticeKind::Alert,
        NoticeKind::Suspended,
        NoticeKind::Rejected,
        NoticeKind::Paused,
        NoticeKind::Resumed,
        NoticeKind::ActiveAgain,
        NoticeKind::RetentionNear,
        NoticeKind::TooManySubscriptions,
        NoticeKind::TooManyEvents,
        NoticeKind::DataModelRefused,
        NoticeKind::DataModelBack,
        NoticeKind::FlowPaused,
        NoticeKind::FlowSwitchedOff,
        NoticeKind::ConnectionEnds,
    ];

    /// Returns the word for it, as the wire and the database write it.
    pub fn word(self) -> &'static str {
        match self {
            NoticeKind::Created => "created",
            NoticeKind::Deleted => "deleted",
            NoticeKind::Failed => "failed",
            NoticeKind::Alert => "alert",
            NoticeKind::Suspended => "suspended",
            NoticeKind::Rejected => "rejected",
            NoticeKind::Paused => "paused",
            NoticeKind::Resumed => "resumed",
            NoticeKind::ActiveAgain => "active-again",
            NoticeKind::RetentionNear => "retention-near",
            NoticeKind::TooManySubscriptions => "too-many-subscriptions",
            NoticeKind::TooManyEvents => "too-many-events",
            NoticeKind::DataModelRefused => "data-model-refused",
            NoticeKind::DataModelBack => "data-model-back",
            NoticeKind::FlowPaused => "flow-paused",
            NoticeKind::FlowSwitchedOff => "flow-switched-off",
            NoticeKind::ConnectionEnds => "connection-ends",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        NoticeKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Takes notices to people.
pub trait Notifier: Send + Sync {
    /// Takes a batch, the oldest first; `Ok` means that it has taken
    /// responsibility for all of them. It is called again with the same ones
    /// if it failed for the moment, and never while it is still at it.
    fn notify(&self, notices: Vec<Notice>) -> BoxFuture<'_, Result<(), NotifyFailed>>;
}

/// Says why notices were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notices were not taken: {detail}")]
pub struct NotifyFailed {
    /// Trying again may help.
    pub transient: bool,
    /// What happened.
    pub detail: String,
}

/// A notifier for a program that has no other: notices go into its log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

impl Notifier for LogNotifier {
    fn notify(&self, notices: Vec<Notice>) -> BoxFuture<'_, Result<(), NotifyFailed>> {
        for notice in notices {
            let id = notice.subscription.map(|id| id.to_string()).unwrap_or_default();
            tracing::info!(subscription.id = %id, kind = notice.kind.word(), text = notice.text, "notice");
        }
        Box::pin(async { Ok(()) })
    }
}
