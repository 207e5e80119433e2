//! What one sees of subscriptions from outside: lists, pages, counts.

use base::Timestamp;

use crate::delivery::{Attempt, Verdict};
use crate::error::Error;
use crate::event::Offset;
use crate::subscription::{Skipped, Subscription, SubscriptionId};

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The first page is 0.
    pub page: u64,
    /// Entries on a page, at least 1.
    pub size: u64,
}

impl Default for Paging {
    fn default() -> Self {
        Paging { page: 0, size: 50 }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The entries.
    pub content: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// A subscription as it stands in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The subscription.
    pub subscription: Subscription,
    /// The last offset of its log.
    pub head: Offset,
    /// Events that wait for it.
    pub queued: u64,
}

/// The field by which a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortField {
    /// `id`.
    Id,
    /// `name`.
    Name,
    /// `knowledgeModelId`.
    KnowledgeModel,
    /// `triggerId`.
    Trigger,
    /// `ownerName`.
    OwnerName,
    /// `status`.
    State,
    /// `creationDate`.
    CreatedAt,
    /// `latestSucceedEvent`.
    LastSuccessAt,
    /// `offset`, `lastSuccessEventOffset`.
    LastSuccessOffset,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By which field.
    pub field: SortField,
    /// The largest first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Sort { field: SortField::CreatedAt, descending: false }
    }
}

impl Sort {
    /// Reads the wire's form: one field, in any case, with `+` or `-` before
    /// it. A `+` that was not escaped arrives as a space.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text.strip_prefix(['+', ' ']).unwrap_or(text)),
        };
        let field = match name.to_ascii_lowercase().as_str() {
            "id" => SortField::Id,
            "name" => SortField::Name,
            "knowledgemodelid" => SortField::KnowledgeModel,
            "triggerid" => SortField::Trigger,
            "ownername" => SortField::OwnerName,
            "status" => SortField::State,
            "creationdate" => SortField::CreatedAt,
            "latestsucceedevent" => SortField::LastSuccessAt,
            "offset" | "lastsuccesseventoffset" | "latestsucceedoffset" => SortField::LastSuccessOffset,
            _ => return Err(Error::SortIllegal { field: name.chars().take(100).collect() }),
        };
        Ok(Sort { field, descending })
    }
}

/// Which attempts are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those that ended so.
    pub verdict: Option<Verdict>,
    /// Only those that began at or after this time.
    pub from: Option<Timestamp>,
    /// Only those that began before this time.
    pub to: Option<Timestamp>,
}

/// Which attempts of all subscriptions are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only those of this one.
    pub subscription: Option<SubscriptionId>,
    /// Only those that ended so.
    pub verdict: Option<Verdict>,
    /// Only those of subscriptions that are in this state now; one of
    /// [`crate::State::WORDS`].
    pub state: Option<&'static str>,
    /// Only those that began at or after this time.
    pub from: Option<Timestamp>,
    /// Only those that began before this time.
    pub to: Option<Timestamp>,
}

/// An attempt, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// What it is called; empty if it was deleted.
    pub name: String,
    /// The attempt.
    pub attempt: Attempt,
}

/// A skip as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkipShown {
    /// What was passed over, and why.
    pub skipped: Skipped,
    /// The generation in which that was.
    pub generation: u64,
    /// When it was put on record.
    pub at: Timestamp,
}

/// Counts of one kind of subscriptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub subscriptions: u64,
    /// How many of them are failed, suspended or rejected.
    pub in_trouble: u64,
    /// Events delivered since the beginning, deleted subscriptions included.
    pub delivered: u64,
    /// Attempts failed since the beginning, deleted subscriptions included.
    pub failures: u64,
    /// Events that wait.
    pub queued: u64,
}

/// Counts, for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Events appended since the beginning, over all logs.
    pub events: u64,
    /// Subscriptions with a callback.
    pub callbacks: Tally,
    /// Subscriptions of hooks of this program.
    pub hooks: Tally,
}
