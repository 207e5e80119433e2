//! How states stand in columns: a word, and what belongs to it beside.

use base::Timestamp;

use crate::run::{ResultState, RunState, StopReason, TaskState};

pub(super) fn run_columns(state: RunState) -> (&'static str, Option<&'static str>) {
    match state {
        RunState::Queued => ("queued", None),
        RunState::Active => ("active", None),
        RunState::Stopping(reason) => ("stopping", Some(reason.result().as_str())),
        RunState::Ended(result) => ("ended", Some(result.as_str())),
    }
}

pub(super) fn run_state(state: &str, outcome: Option<&str>) -> Option<RunState> {
    Some(match state {
        "queued" => RunState::Queued,
        "active" => RunState::Active,
        "stopping" => RunState::Stopping(stop_reason(outcome?)?),
        "ended" => RunState::Ended(ResultState::parse(outcome?)?),
        _ => return None,
    })
}

fn stop_reason(outcome: &str) -> Option<StopReason> {
    [StopReason::Canceled, StopReason::TimedOut].into_iter().find(|reason| reason.result().as_str() == outcome)
}

/// The columns in which the state of an attempt stands.
pub(super) struct TaskColumns {
    pub(super) state: String,
    pub(super) outcome: Option<String>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) due_at: Option<Timestamp>,
    pub(super) ended_at: Option<Timestamp>,
}

impl TaskColumns {
    pub(super) fn of(state: TaskState) -> Self {
        let (name, outcome, due_at, ended_at) = match state {
            TaskState::Blocked => ("blocked", None, None, None),
            TaskState::Pending => ("pending", None, None, None),
            TaskState::WaitingForRetry { until } => ("waiting", None, Some(until), None),
            TaskState::Running { deadline, .. } => ("running", None, deadline, None),
            TaskState::Stopping { reason, kill_at, .. } => {
                ("stopping", Some(reason.result().as_str()), Some(kill_at), None)
            }
            TaskState::Ended { result, at, .. } => ("ended", Some(result.as_str()), None, Some(at)),
        };
        TaskColumns {
            state: name.to_owned(),
            outcome: outcome.map(str::to_owned),
            started_at: state.started_at(),
            due_at,
            ended_at,
        }
    }

    pub(super) fn read(&self) -> Option<TaskState> {
        Some(match self.state.as_str() {
            "blocked" => TaskState::Blocked,
            "pending" => TaskState::Pending,
            "waiting" => TaskState::WaitingForRetry { until: self.due_at? },
            "running" => TaskState::Running { since: self.started_at?, deadline: self.due_at },
            "stopping" => TaskState::Stopping {
                since: self.started_at?,
                reason: stop_reason(self.outcome.as_deref()?)?,
                kill_at: self.due_at?,
            },
            "ended" => TaskState::Ended {
                result: ResultState::parse(self.outcome.as_deref()?)?,
                since: self.started_at,
                at: self.ended_at?,
            },
            _ => return None,
        })
    }
}
