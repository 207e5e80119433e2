//! Asking a log in memory, and what a person would read of the answer.

use std::sync::Arc;

use base::Timestamp;

use crate::evaluate::answer;
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::value::Answer;

/// Answers a query at an instant of the process clock, or says what is wrong
/// with it.
pub(super) fn ask(log: &Arc<EventLog>, pql: &str, now: Timestamp) -> Result<Answer, String> {
    let vocabulary = Vocabulary::default();
    let plan = Checker::new(log.catalog().clone(), &vocabulary).query(pql).map_err(|faults| faults.to_string())?;
    Ok(answer(log.clone(), &plan, now.as_millis()))
}

/// Writes a row on a line, with bars between its cells.
pub(super) fn lines(answer: &Answer) -> String {
    let cells = |row: &Vec<crate::Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>();
    answer.rows.iter().map(|row| cells(row).join(" | ") + "\n").collect()
}

/// Writes what was answered, or what was said instead.
pub(super) fn told(log: &Arc<EventLog>, pql: &str, now: Timestamp) -> String {
    ask(log, pql, now).map_or_else(|said| said, |answer| lines(&answer))
}
