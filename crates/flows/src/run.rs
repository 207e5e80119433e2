//! A run as it is seen from outside, and its operations.

use std::sync::Arc;

use base::{Causes, Timestamp};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::filter::Judgement;

base::id! {
    /// Names a run of a flow.
    pub RunId
}

/// What is written of a run that goes on from an incomplete execution.
pub(crate) const STARTED_BY_RETRY: &str = "retry";

/// What is written of a run that goes on from an operation of an earlier one.
pub(crate) const STARTED_BY_OPERATION: &str = "operation";

/// Tells whether a run began in the middle of its flow: its input is the place
/// from which it goes on.
pub(crate) fn goes_on(started_by: &str) -> bool {
    matches!(started_by, STARTED_BY_RETRY | STARTED_BY_OPERATION)
}

/// Tells whether a person started a run to see what comes of it: how it ends
/// says nothing about the flow at work.
pub(crate) fn is_trial(started_by: &str) -> bool {
    matches!(started_by, "manual" | "module" | "replay" | STARTED_BY_OPERATION)
}

/// What is written of a run that another flow called.
pub(crate) const STARTED_BY_FLOW: &str = "flow";

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing was wrong.
    Success,
    /// It came to the end, but something on the way deserves a look.
    Warning,
    /// A module failed and nothing in the flow handled it.
    Error,
    /// A person ended it.
    Cancelled,
}

impl Outcome {
    /// Returns the word for it, as in answers and in the database.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Warning => "warning",
            Outcome::Error => "error",
            Outcome::Cancelled => "cancelled",
        }
    }

    /// Finds the outcome for a word.
    pub fn named(word: &str) -> Option<Self> {
        [Outcome::Success, Outcome::Warning, Outcome::Error, Outcome::Cancelled]
            .into_iter()
            .find(|outcome| outcome.word() == word)
    }
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
    /// What started it: `signal`, `webhook`, `schedule`, `manual`, `flow`
    /// (another flow), `retry` (of an incomplete execution), `replay` (with what
    /// an earlier run began with), `operation` (from an operation of an earlier
    /// run on) or `module` (a module alone).
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CaseOperation)]
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
    #[schema(required = true)]
    pub status_code: Option<u16>,
    /// What the module was given, its secrets blotted out.
    #[schema(value_type = Value)]
    pub input: Json,
    /// The bundles that it gave.
    #[schema(value_type = Vec<Value>)]
    pub output: Vec<Json>,
    /// What went wrong, or why a bundle did not pass.
    #[schema(required = true)]
    pub detail: Option<String>,
    /// What the filter at its entrance said, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub filter: Option<Judgement>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    pub ended_at: Timestamp,
}

/// Whether a bundle went a way, where that is no operation: into a route of a
/// router or a branch of an if-else, into an aggregator or a directive, or out
/// of a repetition. Ways behind the one that decided were not looked at.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunChoice)]
pub struct Choice {
    /// Number of the last operation before it; 0 if there was none.
    pub after: u64,
    /// Id of the module that the way belongs to.
    pub module: u32,
    /// Which bundles led there.
    pub path: String,
    /// Which of its routes or branches, the first is 1; nothing for its own
    /// filter, or the end of a repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub way: Option<u64>,
    /// Id of the module that the way leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub leads_to: Option<u32>,
    /// The bundle went there.
    pub taken: bool,
    /// Why, where no conditions decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reason: Option<String>,
    /// What the conditions said, unless the flow is confidential.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub filter: Option<Judgement>,
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
    /// What happened, in order; whoever looks at the run again shares it.
    pub operations: Arc<Vec<Operation>>,
    /// What was decided between them, in order. Nothing is kept of a
    /// confidential flow's after its end.
    pub choices: Arc<Vec<Choice>>,
    /// The effect that it waits for, if it has not ended.
    pub in_flight: Option<InFlight>,
    /// What came of the effect in flight after the run was cancelled. Nothing
    /// followed from it.
    pub late: Option<Operation>,
    /// Why the operations are not all there, in one sentence: they are
    /// recomputed from what the effects came to, and a later version of the
    /// program may come to something else.
    pub note: Option<String>,
}

/// An effect that a run waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// Id of the module in the flow.
    pub module: u32,
    /// Which bundles led there.
    pub path: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// 1 for the first one.
    pub attempt: u32,
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
    /// Ended by a person.
    pub cancelled: u64,
    /// In doubt or parked: a person decides.
    pub held: u64,
}
