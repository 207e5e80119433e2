//! What a conversation knows so far; most of it outlives the program.

use std::collections::HashMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::databricks::statement;
use crate::value::Value;

/// What is known so far. What is not skipped outlives the program.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The run that was started, or that is asked about.
    #[serde(default)]
    pub(crate) run: Option<i64>,
    /// The statement that was started.
    #[serde(default)]
    pub(crate) statement: Option<String>,
    /// What a conversation of several parts must remember.
    #[serde(default)]
    pub(crate) noted: Json,
    /// When the run or statement was started, in microseconds.
    #[serde(default)]
    pub(crate) since: Option<i64>,
    /// It took too long, and was cancelled.
    #[serde(default)]
    pub(crate) cancelled: bool,
    /// How often in a row there was no usable answer.
    #[serde(default)]
    pub(crate) failures: u32,
    /// Since when, in microseconds.
    #[serde(default)]
    pub(crate) failing_since: Option<i64>,
    /// When the next try is due, in microseconds.
    #[serde(default)]
    pub(crate) retry_at: Option<i64>,
    /// How the run or statement ended.
    #[serde(skip)]
    pub(crate) ended: Option<Json>,
    /// What was noted lately is still as it was.
    #[serde(skip)]
    pub(super) is_fresh: bool,
    #[serde(skip)]
    pub(super) outputs: HashMap<i64, Json>,
    #[serde(skip)]
    pub(super) listed: Vec<Json>,
    #[serde(skip)]
    pub(super) page: Option<String>,
    #[serde(skip)]
    pub(super) rows: Vec<Value>,
    #[serde(skip)]
    pub(super) result: Option<Json>,
    #[serde(skip)]
    pub(super) links: Vec<(String, Vec<(String, String)>)>,
    #[serde(skip)]
    pub(super) done: Option<Json>,
}

impl Known {
    pub(crate) fn since(&self, now: Timestamp) -> Timestamp {
        self.since.map_or(now, Timestamp::from_micros)
    }

    pub(super) fn take_result(&mut self, result: &Json) {
        self.links.extend(statement::links(result));
        let rows = result["data_array"].as_array().map_or(&[][..], Vec::as_slice).to_vec();
        self.take_rows(&rows);
        let next = statement::next_chunk(result);
        self.result = Some(json!({ "next": next }));
    }

    pub(super) fn take_rows(&mut self, rows: &[Json]) {
        let manifest = self.ended.as_ref().map(|ended| ended["manifest"].clone()).unwrap_or_default();
        self.rows.extend(rows.iter().map(|row| statement::row(&manifest, row)));
    }

    /// Takes the first part of a statement's result, which came with its end.
    pub(crate) fn begin_rows(&mut self) {
        if self.result.is_none()
            && let Some(ended) = &self.ended
            && statement::standing(ended) == statement::Standing::Succeeded
        {
            let first = ended["result"].clone();
            self.take_result(&first);
        }
    }
}

impl Known {
    /// Notes that it was kept as it is.
    pub(crate) fn was_kept(&mut self) {
        if self.noted.is_object() {
            self.noted["kept"] = true.into();
        }
    }
}
