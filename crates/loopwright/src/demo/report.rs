//! What the demo verified, for people and for the test that checks it from
//! outside.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;

/// One verified sentence, or one that turned out false.
#[derive(Serialize)]
pub(super) struct Check {
    /// What must be true.
    pub(super) sentence: String,
    /// The figures behind it, as they were read.
    pub(super) figures: String,
    /// Whether it is.
    pub(super) holds: bool,
}

/// The whole demo.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Id of the pool, to find its tables on the disk.
    pub(super) pool: String,
    /// Everything before this instant was pushed as history.
    pub(super) history_ends: String,
    /// The process clock was moved in steps of so many seconds …
    pub(super) step_seconds: u64,
    /// … so many times; after each, the rows up to it were pushed.
    pub(super) steps: u64,
    /// The events in order of their offsets, as the receiver saw them.
    pub(super) events: Vec<Json>,
    /// Rows of the table of recommended actions, read by SQL.
    pub(super) actions: Vec<Json>,
    /// Rows of the audit table, read by SQL.
    pub(super) audit: Vec<Json>,
    /// What was verified.
    pub(super) checks: Vec<Check>,
    /// How long it took.
    pub(super) seconds: f64,
}

impl Report {
    /// Adds a sentence.
    pub(super) fn check(&mut self, sentence: &str, holds: bool, figures: String) {
        self.checks.push(Check { sentence: sentence.to_owned(), figures, holds });
    }

    /// Tells whether every sentence holds.
    pub(super) fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }

    /// Writes the summary for people.
    pub(super) fn summary(&self, took: Duration) -> String {
        let mut text = String::from("\nThe loop, read back after the restart\n");
        for check in &self.checks {
            let mark = if check.holds { "✓" } else { "✗" };
            text.push_str(&format!("  {mark} {:<66} {}\n", check.sentence, check.figures));
        }
        let verdict = if self.holds() { "every step was verified" } else { "NOT every step was verified" };
        text.push_str(&format!("{verdict}, in {:.1} s\n", took.as_secs_f64()));
        text
    }
}
