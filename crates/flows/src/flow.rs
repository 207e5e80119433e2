//! A flow as it is seen from outside: its draft, its version, its state.

use base::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// Whether events and schedules start a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowState {
    /// Only a person starts it.
    Inactive,
    /// Its schedule or hook is on.
    Active,
    /// It was on, and was stopped because it feeds itself. Its items wait until
    /// somebody activates it.
    Paused,
}

/// A flow in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowInfo {
    /// What it is called in addresses and files.
    pub key: String,
    /// What people read.
    pub name: String,
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

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It runs, but perhaps not as meant.
    Warning,
    /// It does not run.
    Error,
}

/// Something noteworthy in a flow's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// How much it matters.
    pub severity: Severity,
    /// Id of the module, where it is about one.
    pub module: Option<u32>,
    /// Which field of the module, such as `mapper.url`.
    pub field: Option<String>,
    /// What is noteworthy, and the fix where it is plain.
    pub text: String,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(module) = self.module {
            write!(f, "module {module}")?;
            if let Some(field) = &self.field {
                write!(f, ", {field}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.text)
    }
}
