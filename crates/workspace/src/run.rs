//! Runs and task runs: what is recorded of them.

use std::collections::BTreeMap;

use base::{Actor, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::settings::{Body, JobSettings, Task};
use crate::{JobId, RunId};

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunType {
    /// A job was run.
    JobRun,
    /// Settings were submitted for one run.
    SubmitRun,
}

impl RunType {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            RunType::JobRun => "JOB_RUN",
            RunType::SubmitRun => "SUBMIT_RUN",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [RunType::JobRun, RunType::SubmitRun].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Why a run was started. The API calls it the trigger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunCause {
    /// Somebody asked for it.
    #[default]
    OneTime,
    /// It was its time.
    Periodic,
    /// The run before of a continuous job had ended.
    Continuous,
    /// A task of another run asked for it.
    RunJobTask,
}

impl RunCause {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            RunCause::OneTime => "ONE_TIME",
            RunCause::Periodic => "PERIODIC",
            RunCause::Continuous => "CONTINUOUS",
            RunCause::RunJobTask => "RUN_JOB_TASK",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let all = [RunCause::OneTime, RunCause::Periodic, RunCause::Continuous, RunCause::RunJobTask];
        all.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// What came of a run, or of an attempt of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResultState {
    /// It did what it was to do.
    Success,
    /// The last tasks did, though others failed.
    SuccessWithFailures,
    /// It failed.
    Failed,
    /// It took longer than it may, and was stopped.
    TimedOut,
    /// Somebody stopped it.
    Canceled,
    /// It was skipped, because too many runs of the job were active.
    MaximumConcurrentRunsReached,
    /// It was passed over, because `run_if` asked for something else.
    Excluded,
    /// It was passed over, because a task before it failed.
    UpstreamFailed,
    /// It was passed over, because a task before it was stopped.
    UpstreamCanceled,
    /// It was passed over, because it is disabled.
    Disabled,
}

impl ResultState {
    /// All of them.
    pub const ALL: [ResultState; 10] = [
        ResultState::Success,
        ResultState::SuccessWithFailures,
        ResultState::Failed,
        ResultState::TimedOut,
        ResultState::Canceled,
        ResultState::MaximumConcurrentRunsReached,
        ResultState::Excluded,
        ResultState::UpstreamFailed,
        ResultState::UpstreamCanceled,
        ResultState::Disabled,
    ];

    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ResultState::Success => "SUCCESS",
            ResultState::SuccessWithFailures => "SUCCESS_WITH_FAILURES",
            ResultState::Failed => "FAILED",
            ResultState::TimedOut => "TIMEDOUT",
            ResultState::Canceled => "CANCELED",
            ResultState::MaximumConcurrentRunsReached => "MAXIMUM_CONCURRENT_RUNS_REACHED",
            ResultState::Excluded => "EXCLUDED",
            ResultState::UpstreamFailed => "UPSTREAM_FAILED",
            ResultState::UpstreamCanceled => "UPSTREAM_CANCELED",
            ResultState::Disabled => "DISABLED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.as_str() == text)
    }

    /// Tells whether a task after this one may count it as done well. What was
    /// passed over on purpose does not stand in anyone's way.
    pub(crate) fn is_success(self) -> bool {
        matches!(self, ResultState::Success | ResultState::Excluded | ResultState::Disabled)
    }

    pub(crate) fn is_failure(self) -> bool {
        matches!(self, ResultState::Failed | ResultState::TimedOut | ResultState::UpstreamFailed)
    }

    pub(crate) fn is_canceled(self) -> bool {
        matches!(self, ResultState::Canceled | ResultState::UpstreamCanceled)
    }
}

/// Why something is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for it.
    Canceled,
    /// It took longer than it may.
    TimedOut,
}

impl StopReason {
    pub(crate) fn result(self) -> ResultState {
        match self {
            StopReason::Canceled => ResultState::Canceled,
            StopReason::TimedOut => ResultState::TimedOut,
        }
    }
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Waits for another run of its job to end.
    Queued,
    /// Its tasks run, or are about to.
    Active,
    /// No further task starts, and those that run are being stopped.
    Stopping(StopReason),
    /// Nothing more will happen.
    Ended(ResultState),
}

impl RunState {
    /// Tells whether something more will happen.
    pub fn is_open(self) -> bool {
        !matches!(self, RunState::Ended(_))
    }
}

/// One execution of a job, or of settings submitted for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// The job, unless it was submitted.
    pub job: Option<JobId>,
    /// What started it.
    pub kind: RunType,
    /// What people read.
    pub name: String,
    /// Name of the actor who started it.
    pub creator: String,
    /// On whose behalf its tasks call the workspace. Runs from before this was
    /// kept have nobody.
    pub run_as: Option<Actor>,
    /// The task run that started it, if one did.
    pub launched_by: Option<RunId>,
    /// Why it was started.
    pub cause: RunCause,
    /// When it was said that it takes long.
    pub warned_at: Option<Timestamp>,
    /// The job's settings when the run was made; later changes do not reach it.
    pub settings: JobSettings,
    /// What the caller set.
    pub overriding: Overriding,
    /// Where it is.
    pub state: RunState,
    /// What there is to say about the state.
    pub message: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it left the queue.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Run {
    /// Finds what an attempt is an attempt of.
    pub(crate) fn task_of(&self, attempt: &TaskRun) -> Option<&Task> {
        let task = self.settings.tasks.get(attempt.position as usize)?;
        match &task.body {
            Body::ForEachTask(each) if attempt.parent.is_some() => Some(&each.task),
            _ => Some(task),
        }
    }
}

/// What the caller of a run set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overriding {
    /// Values for the parameters of the job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub job_parameters: BTreeMap<String, String>,
    /// A list that takes the place of every Python task's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python_params: Option<Vec<String>>,
    /// Values for the widgets of every notebook.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notebook_params: BTreeMap<String, String>,
    /// Values for the named parameters of every Python package's function.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub python_named_params: BTreeMap<String, String>,
    /// Values for the markers of all SQL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sql_params: BTreeMap<String, String>,
}

/// What a caller asks for beside the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRequest {
    /// Values for the parameters of the job, and for tasks.
    pub overriding: Overriding,
    /// The only tasks to run, if not all: `key`, `+key`, `key+`.
    pub only: Vec<String>,
    /// Whether the run may wait for its turn, where the caller says so.
    pub queue: Option<bool>,
    /// The same token gives the same run. At most 64 characters.
    pub idempotency_token: Option<String>,
}

/// Where an attempt of a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Waits for the tasks before it.
    Blocked,
    /// May start as soon as there is a place for it.
    Pending,
    /// A new attempt that waits for its time.
    WaitingForRetry {
        /// When it may start.
        until: Timestamp,
    },
    /// Intended and recorded; the process is there, or about to be.
    Running {
        /// When it was started.
        since: Timestamp,
        /// When it will be stopped.
        deadline: Option<Timestamp>,
    },
    /// Its process is being stopped.
    Stopping {
        /// When it was started.
        since: Timestamp,
        /// Why.
        reason: StopReason,
        /// When it will be killed, if it has not ended by itself.
        kill_at: Timestamp,
    },
    /// Nothing more will happen.
    Ended {
        /// What came of it.
        result: ResultState,
        /// When it was started, if it was.
        since: Option<Timestamp>,
        /// When it ended.
        at: Timestamp,
    },
}

impl TaskState {
    /// Returns what came of it, if it has ended.
    pub fn result(self) -> Option<ResultState> {
        match self {
            TaskState::Ended { result, .. } => Some(result),
            _ => None,
        }
    }

    /// Returns when its process was started, if it was.
    pub fn started_at(self) -> Option<Timestamp> {
        match self {
            TaskState::Running { since, .. } | TaskState::Stopping { since, .. } => Some(since),
            TaskState::Ended { since, .. } => since,
            TaskState::Blocked | TaskState::Pending | TaskState::WaitingForRetry { .. } => None,
        }
    }

    /// Tells whether there is, or may be, a process.
    pub fn is_in_flight(self) -> bool {
        matches!(self, TaskState::Running { .. } | TaskState::Stopping { .. })
    }
}

/// One attempt of a task within a run.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRun {
    /// Its number; the API treats it as a run.
    pub id: RunId,
    /// The run it belongs to.
    pub run: RunId,
    /// Which task.
    pub task_key: String,
    /// Place of the task in the settings.
    pub position: u32,
    /// 0 for the first attempt.
    pub attempt: u32,
    /// Number of the first attempt.
    pub original: RunId,
    /// The attempt of a `for_each_task` whose iteration this is.
    pub parent: Option<RunId>,
    /// Which iteration, from 0 on.
    pub iteration: u32,
    /// What only some tasks have.
    pub detail: Detail,
    /// Where it is.
    pub state: TaskState,
    /// What there is to say about the state.
    pub message: String,
    /// The exception in one line, if it failed with one.
    pub error: Option<String>,
    /// The exception with its traceback.
    pub error_trace: Option<String>,
}

/// What only some attempts have. It is stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// The input of an iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// What a task has set for those behind it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Json>,
    /// How a condition came out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<bool>,
    /// How many iterations a `for_each_task` has, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
    /// The number that the next attempt of a `for_each_task` gets, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<RunId>,
}
