//! Incomplete executions: failed bundles that wait to go on.
//!
//! Where a flow stores them (`metadata.scenario.dlq`), a bundle that fails is
//! set aside with everything that could be seen at the failed module, in the
//! same commit that records the failure, and the run goes on with the others.
//! A later attempt is a run of its own that begins at that module; when it
//! succeeds the execution is *resolved*. If it fails again, it is still the
//! same one: at the same module, or further on where it got further.

use base::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::engine::{Incomplete, Retry};
use crate::limits::Limits;
use crate::run::RunId;

base::id! {
    /// Names an incomplete execution.
    pub IncompleteId
}

impl IncompleteId {
    /// Returns the id of what failed at a place of a run: a replay that comes
    /// by again has the same.
    pub(crate) fn of(run: RunId, module: u32, path: &str) -> Self {
        let hash = Sha256::digest(format!("incomplete\n{run}\n{module}\n{path}"));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        IncompleteId::from_bytes(bytes)
    }
}

/// Where an incomplete execution stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IncompleteState {
    /// It waits, for its time or for a person.
    Open,
    /// It went on to its end, or a person says that it is done.
    Resolved,
    /// A person does not want it any more.
    Deleted,
}

/// An incomplete execution in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncompleteInfo {
    /// Its id.
    pub id: IncompleteId,
    /// Key of the flow.
    pub flow: String,
    /// The run in which it failed last.
    pub run: RunId,
    /// Content hash of the version in which it failed.
    pub version: String,
    /// Id of the module that failed.
    pub module: u32,
    /// Class of the failure.
    pub class: String,
    /// What happened.
    pub reason: String,
    /// Where it stands.
    pub state: IncompleteState,
    /// Attempts since it came to this module.
    pub attempts: u32,
    /// When it is tried again by itself.
    pub retry_at: Option<Timestamp>,
    /// The attempt under way.
    pub retry_run: Option<RunId>,
    /// Bytes that it takes.
    pub size: u64,
    /// When it failed first.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Everything about an incomplete execution.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncompleteDetails {
    /// As in a list.
    #[serde(flatten)]
    pub info: IncompleteInfo,
    /// Bundles by module, with the error of the one that failed; only that
    /// where the flow is confidential.
    pub bundles: Map<String, Json>,
}

/// Which version an attempt runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryVersion {
    /// The one in which it failed.
    #[default]
    Same,
    /// The published one.
    Published,
    /// The draft.
    Draft,
}

/// An incomplete execution to be recorded with the barrier of its run.
#[derive(Clone, Debug)]
pub(crate) struct NewIncomplete {
    pub(crate) id: IncompleteId,
    pub(crate) module: u32,
    pub(crate) path: String,
    pub(crate) class: &'static str,
    pub(crate) message: String,
    pub(crate) detail: String,
    pub(crate) place: String,
    pub(crate) retry: StoredRetry,
    /// Its place is not kept longer than it is needed.
    pub(crate) is_confidential: bool,
}

/// When it is tried again by itself: after each of the failed attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub(crate) struct StoredRetry {
    /// Waits in milliseconds; the last one goes on for the rest.
    delays_ms: Vec<u64>,
    /// How many attempts.
    count: u32,
}

impl StoredRetry {
    fn new(retry: Retry, limits: &Limits) -> Self {
        let ms = |span: std::time::Duration| span.as_millis() as u64;
        match retry {
            Retry::Never => StoredRetry { delays_ms: Vec::new(), count: 0 },
            Retry::Every { interval, count } => StoredRetry { delays_ms: vec![ms(interval)], count },
            Retry::BackOff { at_least } => {
                let least = at_least.map_or(0, ms);
                let delays_ms: Vec<u64> = limits.retry_delays.iter().map(|delay| ms(*delay).max(least)).collect();
                StoredRetry { count: delays_ms.len() as u32, delays_ms }
            }
        }
    }

    /// Returns when it is tried again after so many attempts have failed.
    pub(crate) fn next(&self, attempts: u32, now: Timestamp) -> Option<Timestamp> {
        if attempts >= self.count {
            return None;
        }
        let delay = self.delays_ms.get(attempts as usize).or(self.delays_ms.last())?;
        Some(now.plus(std::time::Duration::from_millis(*delay)))
    }
}

impl NewIncomplete {
    pub(crate) fn new(run: RunId, incomplete: &Incomplete, is_confidential: bool, limits: &Limits) -> Self {
        let place = &incomplete.place;
        NewIncomplete {
            id: IncompleteId::of(run, place.module, &place.path),
            module: place.module,
            path: place.path.clone(),
            class: incomplete.error.class.as_str(),
            message: incomplete.error.message.clone(),
            detail: incomplete.error.detail.to_stored().to_string(),
            place: place.to_stored().to_string(),
            retry: StoredRetry::new(incomplete.retry, limits),
            is_confidential,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn minutes(retry: Retry) -> Vec<i64> {
        let stored = StoredRetry::new(retry, &Limits::default());
        let start = Timestamp::from_millis(0);
        (0..).map_while(|attempts| stored.next(attempts, start)).map(|at| at.as_millis() / 60_000).collect()
    }

    #[test]
    fn attempts_come_when_they_are_due_and_end() {
        assert_eq!(minutes(Retry::Never), [0; 0]);
        assert_eq!(minutes(Retry::Every { interval: Duration::from_mins(15), count: 3 }), [15, 15, 15]);
        assert_eq!(minutes(Retry::BackOff { at_least: None }), [1, 10, 10, 30, 30, 30, 180, 180]);
        let patient = Retry::BackOff { at_least: Some(Duration::from_mins(20)) };
        assert_eq!(minutes(patient), [20, 20, 20, 30, 30, 30, 180, 180]);
    }
}
