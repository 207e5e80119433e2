//! A flow as it is seen from outside: its draft, its version, its state.

use base::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

/// Whether events and schedules start a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowState {
    /// Only a person starts it.
    Inactive,
    /// Its schedule or hook is on.
    Active,
    /// It was on, and was stopped because it feeds itself. Its items wait until
    /// somebody activates it.
    Paused,
    /// It was on, and was switched off because its runs failed. Its items wait
    /// until somebody activates it.
    SwitchedOff,
}

/// A flow in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowInfo {
    /// What it is called in addresses and files.
    pub key: String,
    /// What people read.
    pub name: String,
    /// Key of the package in which it lies, if it lies in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Whether events and schedules start it.
    pub state: FlowState,
    /// Number of the published version; nothing before the first.
    pub version: Option<u64>,
    /// The draft differs from the published version.
    pub draft_ahead: bool,
    /// Hook on which its items wait, if it starts on one.
    pub hook: Option<String>,
    /// Items that wait on the hook.
    pub waiting: u64,
    /// When its schedule starts it next.
    pub next_at: Option<Timestamp>,
    /// When its draft was last put.
    pub updated_at: Timestamp,
    /// Why it is paused, in whole sentences, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    /// Why it was switched off, in whole sentences, if not by a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switched_off: Option<String>,
}

/// Everything about a flow.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowDetails {
    /// As in a list.
    #[serde(flatten)]
    pub info: FlowInfo,
    /// The draft's text as it was put.
    pub draft: String,
    /// The published text.
    pub published: Option<String>,
    /// Values that were set for the flow's variables.
    pub variables: Map<String, Json>,
    /// What is noteworthy about the draft.
    pub notices: Vec<Notice>,
}

/// A publication of a flow.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlowVersion {
    /// Counted from 1.
    pub version: u64,
    /// When it was published.
    #[schema(value_type = String, format = DateTime)]
    pub published_at: Timestamp,
    /// By whom.
    pub published_by: String,
    /// What that person said about it.
    #[schema(required = true)]
    pub note: Option<String>,
    /// The version whose text was published again, if it was a rollback.
    #[schema(required = true)]
    pub of_version: Option<u64>,
    /// Whether it is the one that runs.
    pub current: bool,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It runs, but perhaps not as meant.
    Warning,
    /// It does not run.
    Error,
}

/// Something noteworthy in a flow's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = FlowNotice)]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// Id of the module, where it is about one.
    #[schema(required = true)]
    pub module: Option<u32>,
    /// Which field of the module, such as `mapper.url`.
    #[schema(required = true)]
    pub field: Option<String>,
    /// What is noteworthy, and the fix where it is plain.
    pub text: String,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.module, &self.field) {
            (Some(module), Some(field)) => write!(f, "module {module}, {field}: ")?,
            (Some(module), None) => write!(f, "module {module}: ")?,
            (None, Some(field)) => write!(f, "{field}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.text)
    }
}
