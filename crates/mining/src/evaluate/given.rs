//! Figures that are kept elsewhere and given to an evaluation.
//!
//! A figure that several cases share would have to be computed over everything
//! each time that one case is evaluated. Whoever keeps it up to date gives it
//! instead. Its groups are named so that the name outlives a root: places in a
//! frame do not, row numbers and keys do.

use std::sync::Arc;

use super::group_key::GroupKey;
use super::sight::Sight;
use super::worked::Calendars;
use crate::log::EventLog;
use crate::value::Value;

/// What a shared figure has one value for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Group {
    /// Everything.
    All,
    /// A row of a table, by its number.
    Row(u32),
    /// A combination of a DOMAIN_TABLE, keys that are looked up, or the name of
    /// a working calendar (no part: the one for those who name none).
    Key(Arc<[GroupKey]>),
}

impl Group {
    /// Names a combination of a DOMAIN_TABLE.
    pub(crate) fn key(values: &[Value]) -> Group {
        Group::Key(values.iter().cloned().map(GroupKey::from).collect())
    }

    /// Returns the values of a combination.
    pub(crate) fn values(&self) -> Option<Vec<Value>> {
        let Group::Key(parts) = self else { return None };
        Some(parts.iter().map(GroupKey::value).collect())
    }
}

/// Gives the values of shared figures, by the node that asks for them.
pub(crate) trait Given {
    /// Tells whether the figure of a node is kept.
    fn keeps(&self, node: u32) -> bool;

    /// Returns the value of a figure that is kept, for one group.
    fn value(&self, node: u32, group: &Group) -> Value;

    /// Returns the working calendars that a node goes by, if they are kept.
    fn calendars(&self, node: u32) -> Option<Arc<Calendars>>;

    /// Returns what is in scope with some cases of a root, if others look at
    /// the same.
    fn sight(&self, log: &Arc<EventLog>, cases: &[u32]) -> Option<Arc<Sight>>;
}
