//! Hooks: queues of data that start runs.
//!
//! Whoever brings data (a signal, later a webhook) names a hook and a key.
//! [`accept`](crate::Flows::accept) returns after the item is durable; the same
//! key is stored once, so that a bringer who is unsure may simply bring it
//! again. Items leave their queue in the order in which they came.

/// What became of an item that was brought to a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored and will start a run.
    Stored,
    /// It had been stored before under the same key.
    Known,
}
