//! Jobs, and pages of lists.

use base::Timestamp;

use crate::JobId;
use crate::settings::JobSettings;

/// Named work.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// Name of the actor who made it; never empty.
    pub creator: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it is; [`JobSettings::document`] is its JSON form.
    pub settings: JobSettings,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobsQuery {
    /// At most so many: 1 to 100.
    pub limit: Option<u32>,
    /// Only jobs of this name, whatever the case.
    pub name: Option<String>,
    /// Where the page before ended.
    pub page_token: Option<String>,
    /// The old way to page: how many to pass over.
    pub offset: Option<u32>,
}

/// Some items of a list, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// A place in a list that is sorted by time and number, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) micros: i64,
    pub(crate) id: i64,
}

impl Cursor {
    /// Before everything.
    pub(crate) const START: Cursor = Cursor { micros: i64::MAX, id: i64::MAX };

    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (micros, id) = token.split_once('-')?;
        Some(Cursor { micros: micros.parse().ok()?, id: id.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.micros, self.id)
    }
}
