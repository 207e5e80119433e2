//! Playing the log: history in one job, then live, step by step on the
//! model's process clock.

use std::time::Duration;

use anyhow::Result;
use base::Timestamp;
use indicatif::{ProgressBar, ProgressStyle};
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
        let style = ProgressStyle::with_template("{bar:32} {pos:>5}/{len} rows  {per_sec}  {eta} left  {msg}")
            .expect("the template is well-formed");
        let bar = ProgressBar::new(log.len() as u64).with_style(style);
        Ok(Replay { log, plan, bar, step: 0 })
    }

    /// Returns how many rows the log has.
    pub(super) fn rows(&self) -> usize {
        self.log.len()
    }

    /// Pushes everything before the live part, in one job of several chunks.
    pub(super) async fn history(&mut self, client: &Client) -> Result<u64> {
        self.bar.set_message("history");
        let ends: Timestamp = example::HISTORY_ENDS.parse().expect("the example's own date");
        let push = Push::create(client, &self.plan).await?;
        let mut rows = 0;
        while let Some((count, csv)) = self.log.take_until(ends, false, CHUNK_ROWS) {
            push.chunk("history.csv", csv.as_bytes()).await?;
            rows += count as u64;
            self.bar.inc(count as u64);
        }
        push.execute().await?;
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
