//! What callers see of runs, in the words of the API.
//!
//! The API tells the state of a run twice: in an old block (`state`) and in a
//! new one (`status`), and both must always be there. Both are derived here
//! from the few states that `decide` knows.
//!
//! One thing surprises every client once: a run whose Python task raised ends,
//! in the old block, as `INTERNAL_ERROR` with the result `FAILED`, though
//! nothing is wrong inside; its task says `TERMINATED`. That is what the real
//! service answers for serverless tasks, so it is the default here;
//! [`FailedRuns`] is the switch.

use base::Timestamp;
use serde_json::Value as Json;

use crate::run::{Detail, Overriding, ResultState, Run, RunCause, RunState, RunType, StopReason, TaskRun, TaskState};
use crate::settings::{JobSettings, Task};
use crate::{JobId, RunId};

/// How a failed run ends in the old block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailedRuns {
    /// As `INTERNAL_ERROR`, as serverless tasks do.
    #[default]
    InternalError,
    /// As `TERMINATED`, as others report of notebooks.
    Terminated,
}

/// The old block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateBlock {
    /// `life_cycle_state`
    pub life_cycle: &'static str,
    /// `result_state`, once it has ended.
    pub result: Option<&'static str>,
    /// `state_message`
    pub message: String,
    /// `queue_reason`, while it waits.
    pub queue_reason: Option<String>,
    /// `user_cancelled_or_timedout`
    pub user_cancelled_or_timedout: bool,
}

/// The new block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusBlock {
    /// `state`
    pub state: &'static str,
    /// `termination_details`, once it has ended.
    pub termination: Option<Termination>,
    /// `queue_details.code`, while it waits.
    pub queue_code: Option<&'static str>,
}

/// Why it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// `code`
    pub code: &'static str,
    /// `type`
    pub kind: &'static str,
    /// `message`
    pub message: String,
}

/// A parameter of the job as a run sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterView {
    /// Its name.
    pub name: String,
    /// Its default, if the job declares it.
    pub default: Option<String>,
    /// Its value, if the run set it.
    pub value: Option<String>,
}

/// A run, or one attempt of a task asked for as if it were a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// `job_id`; a submitted run has none (the wire says 0).
    pub job: Option<JobId>,
    /// `run_id`, also `number_in_job`.
    pub run: RunId,
    /// `job_run_id`: the same, but for an attempt of a task the run it belongs to.
    pub job_run: RunId,
    /// `original_attempt_run_id`
    pub original: RunId,
    /// `attempt_number`
    pub attempt: u32,
    /// `run_name`
    pub name: String,
    /// `trigger`
    pub cause: RunCause,
    /// `run_type`
    pub kind: RunType,
    /// `creator_user_name`
    pub creator: String,
    /// `run_page_url`
    pub page_url: String,
    /// `start_time`: when it was asked for, or for a task run when its process started.
    pub start: Option<Timestamp>,
    /// `end_time`, once it has ended.
    pub end: Option<Timestamp>,
    /// `queue_duration`: how long it waited for its turn.
    pub queue_duration_ms: u64,
    /// `run_duration`: from start to end.
    pub run_duration_ms: u64,
    /// `state`
    pub state: StateBlock,
    /// `status`
    pub status: StatusBlock,
    /// `tasks`: the latest attempt of each.
    pub tasks: Vec<TaskRunView>,
    /// Attempts before the latest ones (for `include_history`).
    pub history: Vec<TaskRunView>,
    /// `iterations`, of an attempt of a `for_each_task`.
    pub iterations: Vec<TaskRunView>,
    /// `job_parameters`
    pub job_parameters: Vec<ParameterView>,
    /// `overriding_parameters`
    pub overriding: Overriding,
    /// The settings of the run.
    pub settings: JobSettings,
}

/// One attempt of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRunView {
    /// `run_id`
    pub run: RunId,
    /// `task_key`
    pub key: String,
    /// The task's settings; the wire repeats some of them.
    pub task: Task,
    /// What only some tasks have, such as the outcome of a condition.
    pub detail: Detail,
    /// `resolved_values`, where they were asked for and are known.
    pub resolved: Option<Json>,
    /// `attempt_number`
    pub attempt: u32,
    /// `run_page_url`
    pub page_url: String,
    /// `start_time`
    pub start: Option<Timestamp>,
    /// `end_time`
    pub end: Option<Timestamp>,
    /// `execution_duration`
    pub execution_duration_ms: u64,
    /// `state`
    pub state: StateBlock,
    /// `status`
    pub status: StatusBlock,
}

/// The output of one attempt of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputView {
    /// `metadata`: the attempt, as a run.
    pub metadata: RunView,
    /// `error`: the exception in one line.
    pub error: Option<String>,
    /// `error_trace`
    pub error_trace: Option<String>,
    /// `logs`: the end of what it printed, so far.
    pub logs: String,
    /// `logs_truncated`: something stood before that.
    pub logs_truncated: bool,
    /// What only some sorts of tasks have.
    pub of_body: BodyOutput,
}

/// The output that only some sorts of tasks have.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum BodyOutput {
    /// None.
    #[default]
    Plain,
    /// Of a notebook: what it ended with, and whether that was longer. What
    /// it printed is not shown over the API.
    Notebook {
        /// The value, if it called `dbutils.notebook.exit`.
        exit: Option<(String, bool)>,
    },
    /// Of a run of another job: that run, once it is there.
    RunJob {
        /// The run.
        run: Option<RunId>,
    },
    /// Of SQL.
    Sql {
        /// The statements, as they are in the file now.
        text: String,
        /// Where they went.
        warehouse: String,
        /// Names each of them.
        lookup_keys: Vec<String>,
    },
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunsQuery {
    /// Only runs that this actor may see; all where there is none.
    pub viewer: Option<base::Actor>,
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only those that are not over (`Some(true)`), or only those that are.
    pub active: Option<bool>,
    /// Only of this type.
    pub kind: Option<RunType>,
    /// Only from this time on.
    pub start_from: Option<Timestamp>,
    /// Only up to this time.
    pub start_to: Option<Timestamp>,
    /// At most so many: 1 to 24; 0 and nothing as the API says.
    pub limit: Option<u32>,
    /// Where the page before ended.
    pub page_token: Option<String>,
}

/// How many runs there are, for a status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Waiting for their turn.
    pub queued: u64,
    /// Running or being stopped.
    pub active: u64,
    /// Ended well.
    pub succeeded: u64,
    /// Ended with a failure or a timeout.
    pub failed: u64,
    /// Stopped by somebody.
    pub canceled: u64,
    /// Never started.
    pub skipped: u64,
}

/// What views depend on beside the rows.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) public_url: String,
    pub(crate) workspace_id: u64,
    pub(crate) failed_runs: FailedRuns,
    pub(crate) now: Timestamp,
}

impl Sight {
    /// Shows a run with the attempts of its tasks, in order of task and attempt.
    pub(crate) fn run(&self, run: &Run, tasks: &[TaskRun]) -> RunView {
        let of_tasks = tasks.iter().filter(|task| task.parent.is_none());
        let (latest, history): (Vec<&TaskRun>, Vec<&TaskRun>) = of_tasks.partition(|task| is_latest(task, tasks));
        RunView {
            job: run.job,
            run: run.id,
            job_run: run.id,
            original: run.id,
            attempt: 0,
            name: run.name.clone(),
            cause: run.cause,
            kind: run.kind,
            creator: run.creator.clone(),
            page_url: self.page_url(run, run.id),
            start: Some(run.created_at),
            end: run.ended_at,
            queue_duration_ms: millis(Some(run.created_at), run.started_at.or(run.ended_at).unwrap_or(self.now)),
            run_duration_ms: millis(Some(run.created_at), run.ended_at.unwrap_or(self.now)),
            state: self.state_of_run(run, &latest),
            status: status_of_run(run, &latest),
            tasks: latest.into_iter().filter_map(|task| self.task_run(run, task)).collect(),
            history: history.into_iter().filter_map(|task| self.task_run(run, task)).collect(),
            iterations: Vec::new(),
            job_parameters: parameters(run),
            overriding: run.overriding.clone(),
            settings: run.settings.clone(),
        }
    }

    /// Shows an attempt of a task as if it were a run.
    pub(crate) fn attempt_as_run(&self, run: &Run, task: &TaskRun) -> RunView {
        let (start, end) = (task.state.started_at(), end_of(task.state));
        RunView {
            run: task.id,
            original: task.original,
            attempt: task.attempt,
            name: task.task_key.clone(),
            page_url: self.page_url(run, task.id),
            start,
            end,
            queue_duration_ms: 0,
            run_duration_ms: millis(start, end.unwrap_or(self.now)),
            state: state_of_task(task),
            status: status_of_task(task),
            tasks: Vec::new(),
            history: Vec::new(),
            ..self.run(run, &[])
        }
    }

    /// Shows the iterations of an attempt: the latest attempt of each.
    pub(crate) fn iterations(&self, run: &Run, parent: RunId, tasks: &[TaskRun]) -> Vec<TaskRunView> {
        let own = tasks.iter().filter(|task| task.parent == Some(parent) && is_latest(task, tasks));
        own.filter_map(|task| self.task_run(run, task)).collect()
    }

    fn task_run(&self, run: &Run, task: &TaskRun) -> Option<TaskRunView> {
        let (start, end) = (task.state.started_at(), end_of(task.state));
        Some(TaskRunView {
            run: task.id,
            key: task.task_key.clone(),
            task: run.task_of(task)?.clone(),
            detail: task.detail.clone(),
            resolved: None,
            attempt: task.attempt,
            page_url: self.page_url(run, task.id),
            start,
            end,
            execution_duration_ms: millis(start, end.unwrap_or(self.now)),
            state: state_of_task(task),
            status: status_of_task(task),
        })
    }

    fn page_url(&self, run: &Run, id: RunId) -> String {
        let job = run.job.map_or(0, |job| job.0);
        format!("{}/?o={}#job/{job}/run/{id}", self.public_url, self.workspace_id)
    }

    fn state_of_run(&self, run: &Run, tasks: &[&TaskRun]) -> StateBlock {
        let life_cycle = match run.state {
            RunState::Queued => "QUEUED",
            RunState::Active if tasks.iter().any(|task| task.attempt > 0 || task.state.started_at().is_some()) => {
                "RUNNING"
            }
            RunState::Active => "PENDING",
            RunState::Stopping(_) => "TERMINATING",
            RunState::Ended(ResultState::MaximumConcurrentRunsReached) => "SKIPPED",
            RunState::Ended(ResultState::Failed) if self.failed_runs == FailedRuns::InternalError => "INTERNAL_ERROR",
            RunState::Ended(_) => "TERMINATED",
        };
        StateBlock {
            life_cycle,
            result: match run.state {
                RunState::Ended(result) => Some(result.as_str()),
                _ => None,
            },
            message: run.message.clone(),
            queue_reason: (run.state == RunState::Queued).then(|| run.message.clone()),
            user_cancelled_or_timedout: matches!(
                run.state,
                RunState::Stopping(_) | RunState::Ended(ResultState::Canceled | ResultState::TimedOut)
            ),
        }
    }
}

fn is_latest(task: &TaskRun, all: &[TaskRun]) -> bool {
    let place = |task: &TaskRun| (task.position, task.parent, task.iteration);
    !all.iter().any(|other| place(other) == place(task) && other.attempt > task.attempt)
}

fn parameters(run: &Run) -> Vec<ParameterView> {
    let declared = run.settings.parameters.iter().map(|parameter| ParameterView {
        name: parameter.name.clone(),
        default: Some(parameter.default.clone()),
        value: run.overriding.job_parameters.get(&parameter.name).cloned(),
    });
    let others = run
        .overriding
        .job_parameters
        .iter()
        .filter(|(name, _)| !run.settings.parameters.iter().any(|parameter| parameter.name == **name))
        .map(|(name, value)| ParameterView { name: name.clone(), default: None, value: Some(value.clone()) });
    declared.chain(others).collect()
}

fn end_of(state: TaskState) -> Option<Timestamp> {
    match state {
        TaskState::Ended { at, .. } => Some(at),
        _ => None,
    }
}

fn millis(from: Option<Timestamp>, to: Timestamp) -> u64 {
    from.map_or(0, |from| u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX))
}

fn state_of_task(task: &TaskRun) -> StateBlock {
    let life_cycle = match task.state {
        TaskState::Blocked => "BLOCKED",
        TaskState::Pending => "PENDING",
        TaskState::WaitingForRetry { .. } => "WAITING_FOR_RETRY",
        TaskState::Running { .. } => "RUNNING",
        TaskState::Stopping { .. } => "TERMINATING",
        // What never ran was skipped, except when somebody stopped it first.
        TaskState::Ended { since: None, result, .. } if result != ResultState::Canceled => "SKIPPED",
        TaskState::Ended { .. } => "TERMINATED",
    };
    StateBlock {
        life_cycle,
        result: task.state.result().map(ResultState::as_str),
        message: task.message.clone(),
        queue_reason: None,
        user_cancelled_or_timedout: matches!(task.state, TaskState::Stopping { .. })
            || matches!(task.state.result(), Some(ResultState::Canceled | ResultState::TimedOut)),
    }
}

fn status_of_run(run: &Run, tasks: &[&TaskRun]) -> StatusBlock {
    let running = tasks.iter().any(|task| task.state.is_in_flight());
    let waiting = tasks.iter().any(|task| matches!(task.state, TaskState::WaitingForRetry { .. }));
    let started = tasks.iter().any(|task| task.state.started_at().is_some());
    let state = match run.state {
        RunState::Queued => "QUEUED",
        RunState::Active if waiting && !running => "WAITING",
        RunState::Active if started => "RUNNING",
        RunState::Active => "PENDING",
        RunState::Stopping(_) => "TERMINATING",
        RunState::Ended(_) => "TERMINATED",
    };
    StatusBlock {
        state,
        termination: match run.state {
            RunState::Ended(result) => Some(termination(result, &run.message)),
            _ => None,
        },
        queue_code: (run.state == RunState::Queued).then_some("MAX_CONCURRENT_RUNS_REACHED"),
    }
}

fn status_of_task(task: &TaskRun) -> StatusBlock {
    let state = match task.state {
        TaskState::Blocked => "BLOCKED",
        TaskState::Pending => "PENDING",
        TaskState::WaitingForRetry { .. } => "WAITING",
        TaskState::Running { .. } => "RUNNING",
        TaskState::Stopping { .. } => "TERMINATING",
        TaskState::Ended { .. } => "TERMINATED",
    };
    let termination = task.state.result().map(|result| termination(result, &task.message));
    StatusBlock { state, termination, queue_code: None }
}

fn termination(result: ResultState, message: &str) -> Termination {
    let (code, kind) = match result {
        ResultState::Success => ("SUCCESS", "SUCCESS"),
        ResultState::SuccessWithFailures => ("SUCCESS_WITH_FAILURES", "SUCCESS"),
        ResultState::Failed => ("RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
        // The platform's own canceling has a code of its own.
        ResultState::TimedOut => ("CANCELED", "CLIENT_ERROR"),
        ResultState::Canceled | ResultState::UpstreamCanceled => ("USER_CANCELED", "SUCCESS"),
        ResultState::MaximumConcurrentRunsReached => ("MAX_CONCURRENT_RUNS_EXCEEDED", "CLIENT_ERROR"),
        ResultState::Excluded => ("SKIPPED", "SUCCESS"),
        ResultState::UpstreamFailed => ("SKIPPED", "CLIENT_ERROR"),
        ResultState::Disabled => ("DISABLED", "SUCCESS"),
    };
    Termination { code, kind, message: message.to_owned() }
}

/// Says in the message of a run why it is being stopped.
pub(crate) fn stop_message(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Canceled => "Run cancelled.",
        StopReason::TimedOut => "Run timed out.",
    }
}
