//! What flows have done about signals: since when a flow has listened to a
//! trigger, and which runs began with which of its signals.
//!
//! A signal is known by its link, the last of the chain of causes with which
//! it came to its hook. Whoever knows what became of the records joins the two;
//! here nobody knows what a record is.

use base::Timestamp;

use crate::run::{Outcome, RunId};

/// That a flow listens, or has listened, to a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Key of the flow.
    pub flow: String,
    /// The knowledge model.
    pub knowledge_model: String,
    /// The trigger in it.
    pub trigger: String,
    /// Since it was active for the first time.
    pub since: Timestamp,
}

/// That a run began with a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActedOn {
    /// The record, as the signal's link names it.
    pub record: String,
    /// Key of the flow.
    pub flow: String,
    /// The run; it may be forgotten by now.
    pub run: RunId,
    /// When it started.
    pub started_at: Timestamp,
    /// How it ended; nothing while it has not.
    pub outcome: Option<Outcome>,
}

/// The runs that began with signals of a trigger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acts {
    /// In the order of their starts.
    pub runs: Vec<ActedOn>,
    /// Of runs that started from then on none is missing; nothing if none is
    /// missing at all.
    pub complete_from: Option<Timestamp>,
}
