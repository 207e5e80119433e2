//! Data pools: where tables, push jobs and data models live.

use base::Timestamp;

use crate::{Error, PoolId};

/// A data pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its id.
    pub id: PoolId,
    /// What people read; unique.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Name of who made it.
    pub created_by: String,
}

/// Figures for a status page. They count since the beginning, also what has
/// been deleted since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Pools there are.
    pub pools: u64,
    /// Rows that push jobs brought in.
    pub rows_in: u64,
    /// Push jobs that were made and not executed yet.
    pub jobs_new: u64,
    /// Push jobs that wait for their turn.
    pub jobs_queued: u64,
    /// Push jobs that run.
    pub jobs_running: u64,
    /// Push jobs that ended well.
    pub jobs_done: u64,
    /// Push jobs that ended in an error.
    pub jobs_failed: u64,
    /// Push jobs that were canceled.
    pub jobs_canceled: u64,
}

/// Letters a name has at most.
const NAME_LETTERS_MAX: usize = 255;

/// Lets through what can be a name: something visible, no control characters,
/// not endless.
pub(crate) fn named(noun: &'static str, name: &str) -> Result<String, Error> {
    let refuse = |detail| Err(Error::BadName { name: name.to_owned(), noun, detail });
    let trimmed = name.trim();
    if trimmed.is_empty() {
        return refuse("it is empty");
    }
    if trimmed.chars().count() > NAME_LETTERS_MAX {
        return refuse("it is longer than 255 letters");
    }
    if trimmed.chars().any(char::is_control) {
        return refuse("it holds control characters");
    }
    Ok(trimmed.to_owned())
}
