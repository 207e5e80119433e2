//! A run as it is seen from outside, and its operations.

use base::{Causes, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;

base::id! {
    /// Names a run of a flow.
    pub RunId
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It goes on by itself, now or when it wakes.
    Live,
    /// An effect was in flight when the program ended, and it is not known
    /// whether it happened. A person decides.
    InDoubt,
    /// It cannot go on with this program, e.g. because modules changed. A
    /// person decides.
    Parked,
    /// It came to its end.
    Ended,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing was wrong.
    Success,
    /// It came to the end, but something on the way deserves a look.
    Warning,
    /// A module failed and nothing in the flow handled it.
    Error,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunInfo {
    /// Its id.
    pub id: RunId,
    /// Key of the flow.
    pub flow: String,
    /// Content hash of the version it runs, whatever was published since.
    pub version: String,
    /// What started it: `signal`, `schedule`, `manual`.
    pub started_by: String,
    /// Where it stands.
    pub state: RunState,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it is not simply a success.
    pub reason: Option<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it goes on, if it sleeps.
    pub wakes_at: Option<Timestamp>,
    /// How many operations it has recorded.
    pub operations: u64,
}

/// How an operation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationStatus {
    /// Fine.
    Success,
    /// It answered, with a status that says failure.
    Warning,
    /// It failed.
    Error,
    /// The filter at its entrance did not let the bundle pass.
    Filtered,
}

/// One step processing one bundle.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// 1, 2, 3 … in the run.
    pub number: u64,
    /// Id of the module in the flow.
    pub module: u32,
    /// Kind of the module, such as `http:MakeRequest`.
    pub kind: String,
    /// Which bundles led here: `1.2/5.1` is the first bundle of module 5 below
    /// the second one of module 1.
    pub path: String,
    /// How it went.
    pub status: OperationStatus,
    /// HTTP status, where there is one.
    pub status_code: Option<u16>,
    /// What the module was given, its secrets blotted out.
    pub input: Json,
    /// The bundles that it gave.
    pub output: Vec<Json>,
    /// What went wrong, or why a bundle did not pass.
    pub detail: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// Everything about a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// As in a list.
    #[serde(flatten)]
    pub info: RunInfo,
    /// Start bundles.
    pub input: Vec<Json>,
    /// What led to each of them; empty if nothing is known of any.
    pub causes: Vec<Causes>,
    /// What happened, in order.
    pub operations: Vec<Operation>,
}

/// How many runs there are of each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Live ones, sleeping ones included.
    pub running: u64,
    /// Ended as success.
    pub succeeded: u64,
    /// Ended as warning.
    pub warning: u64,
    /// Ended as error.
    pub failed: u64,
    /// In doubt or parked: a person decides.
    pub held: u64,
}
