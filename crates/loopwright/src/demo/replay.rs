//! Playing the log: history in one job, then live, step by step on the
//! model's process clock.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use base::Timestamp;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use serde_json::json;

use super::example::{self, Log};
use crate::client::{Client, segment};
use crate::push::{Push, PushPlan, push_csv};

/// Rows of history in one chunk.
const CHUNK_ROWS: usize = 1_000;

/// The types of the log's columns. They are declared, because a case id is a
/// name even where it looks like a number.
const TYPES: [(&str, &str); 5] = [
    ("case_id", "STRING"),
    ("activity", "STRING"),
    ("resource", "STRING"),
    ("start_timestamp", "DATETIME"),
    ("timestamp", "DATETIME"),
];

/// A bar that shows rows, rate and the time left.
fn bar_of(rows: usize, part: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:32} {pos:>5}/{len} rows  {rate}  {eta} left  {msg}")
        .expect("the template is well-formed")
        .with_key("rate", |state: &ProgressState, line: &mut dyn Write| {
            // A line that cannot be written is a picture less, no failure.
            let _ = write!(line, "{:.0} rows/s", state.per_sec());
        });
    ProgressBar::new(rows as u64).with_style(style).with_message(part)
}

/// Plays one log into one pool.
pub(super) struct Replay {
    log: Log,
    plan: PushPlan,
    bar: ProgressBar,
    step: u64,
}

impl Replay {
    pub(super) fn new(pool: &str) -> Result<Self> {
        let log = Log::read()?;
        let plan = PushPlan {
            pool: pool.to_owned(),
            table: example::TABLE.to_owned(),
            types: TYPES.map(|(name, kind)| (name.to_owned(), kind.to_owned())).to_vec(),
            ..PushPlan::default()
        };
        let ends: Timestamp = example::HISTORY_ENDS.parse().expect("the example's own date");
        let bar = bar_of(log.rows_before(ends), "history");
        Ok(Replay { log, plan, bar, step: 0 })
    }

    /// Returns how many rows the log has.
    pub(super) fn rows(&self) -> usize {
        self.log.len()
    }

    /// Pushes everything before the live part, in one job of several chunks.
    pub(super) async fn history(&mut self, client: &Client) -> Result<u64> {
        let ends: Timestamp = example::HISTORY_ENDS.parse().expect("the example's own date");
        let push = Push::create(client, &self.plan).await?;
        let mut rows = 0;
        while let Some((count, csv)) = self.log.take_until(ends, false, CHUNK_ROWS) {
            push.chunk("history.csv", csv.as_bytes()).await?;
            rows += count as u64;
            self.bar.inc(count as u64);
        }
        push.execute().await?;
        self.bar.finish_and_clear();
        // The live part is played at another pace, so it has a bar of its own.
        self.bar = bar_of(self.log.len() - rows as usize, "live");
        Ok(rows)
    }

    /// Moves the process clock one step on, then pushes the rows up to it.
    /// Returns false after the last step.
    pub(super) async fn step(&mut self, client: &Client) -> Result<bool> {
        if self.step == example::STEPS {
            self.bar.finish_and_clear();
            return Ok(false);
        }
        self.step += 1;
        let ends: Timestamp = example::HISTORY_ENDS.parse().expect("the example's own date");
        let now = ends.plus(Duration::from_secs(example::STEP_SECONDS * self.step));
        self.bar.set_message(format!("live, {now}"));
        let clock = format!("/api/v1/models/{}/clock", segment(example::MODEL));
        client.post(&clock, &json!({ "now": now.to_string(), "speed": 0 })).await?;
        if let Some((count, csv)) = self.log.take_until(now, true, usize::MAX) {
            push_csv(client, &self.plan, csv.as_bytes()).await?;
            self.bar.inc(count as u64);
        }
        Ok(true)
    }
}
