//! Tasks: questions of flows to people.
//!
//! A run that asks sleeps as a row until somebody answers, however long that
//! takes, restarts included. An answer needs no account: whoever has the
//! task's link may give it, once. A task is *withdrawn* by the end of its run,
//! whatever ended that.

use base::{Secret, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::run::RunId;

base::id! {
    /// Names a task.
    pub TaskId
}

/// What somebody decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskDecision {
    /// Yes.
    Approved,
    /// No.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

impl TaskDecision {
    /// Returns the word for it, as in bundles and in the database.
    pub fn word(self) -> &'static str {
        match self {
            TaskDecision::Approved => "approved",
            TaskDecision::Rejected => "rejected",
            TaskDecision::Expired => "expired",
        }
    }

    pub(crate) fn named(word: &str) -> Option<Self> {
        let all = [TaskDecision::Approved, TaskDecision::Rejected, TaskDecision::Expired];
        all.into_iter().find(|decision| decision.word() == word)
    }
}

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Somebody may answer.
    Open,
    /// Somebody has, or its deadline has.
    Answered,
    /// Its run ended before.
    Withdrawn,
}

/// A line below the text of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
pub struct TaskField {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub value: String,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Task)]
pub struct TaskInfo {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TaskId,
    /// How it stands.
    pub state: TaskState,
    /// One line.
    pub title: String,
    /// What there is to know.
    pub text: String,
    /// Names and values below it.
    pub fields: Vec<TaskField>,
    /// Who should answer.
    pub assignee: String,
    /// When nobody needs to answer any more.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub deadline: Option<Timestamp>,
    /// What counts as the answer then: `continue` (none), `approve`, `reject`
    /// or `fail`.
    pub otherwise: String,
    /// Key of the flow that asks.
    pub flow: String,
    /// Its run.
    #[schema(value_type = String)]
    pub run: RunId,
    /// Id of the module.
    pub module: u32,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// What was decided.
    #[schema(required = true)]
    pub decision: Option<TaskDecision>,
    /// What was said to it.
    #[schema(required = true)]
    pub comment: Option<String>,
    /// Who decided.
    #[schema(required = true)]
    pub answered_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub answered_at: Option<Timestamp>,
}

/// A task with the address at which anybody may answer it.
pub struct TaskDetails {
    /// The task.
    pub info: TaskInfo,
    /// The address. Who has it may answer.
    pub link: Secret,
}
