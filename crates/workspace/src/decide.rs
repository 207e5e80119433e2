//! What happens next in a run: a pure function.
//!
//! [`decide`] takes a run with the attempts of its tasks, something that
//! happened, and the time. It returns the same with the next states, and what
//! must be done in the world once these are recorded. It knows no process and
//! no clock; a crash between recording and doing is healed by looking at the
//! folder of the task, not here.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Timestamp;
use serde_json::Value as Json;

use crate::RunId;
use crate::run::{Detail, ResultState, Run, RunState, StopReason, TaskRun, TaskState};
use crate::settings::{Body, Dependency, JobSettings, Outcome, RunIf, Task};
use crate::view::stop_message;

/// A run with all attempts of its tasks, in order of task and attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// The run.
    pub run: Run,
    /// The attempts.
    pub attempts: Vec<TaskRun>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time has passed, or the run is new.
    Look,
    /// There is a place for a pending attempt.
    Place(RunId),
    /// The process of an attempt is over.
    Ended {
        /// Which attempt.
        attempt: RunId,
        /// How it ended.
        ending: Ending,
        /// The number that the next attempt gets, if there is one.
        next: RunId,
    },
    /// The inputs of a `for_each_task` are known.
    Opened {
        /// Its attempt.
        attempt: RunId,
        /// An input for each iteration, and the number that it gets.
        iterations: Vec<(RunId, Json)>,
        /// The number that the next attempt gets, if there is one.
        next: RunId,
    },
    /// Somebody asked the run to stop.
    Cancel,
}

/// What is known of a process that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// How it ended.
    pub how: How,
    /// How long it ran, if its supervisor could tell.
    pub ran: Option<Duration>,
    /// The exception in one line, if it printed one.
    pub error: Option<String>,
    /// The exception with its traceback.
    pub error_trace: Option<String>,
    /// What the task has set for those behind it.
    pub values: BTreeMap<String, Json>,
}

impl Ending {
    /// An ending of which nothing else is known.
    pub fn plain(how: How) -> Self {
        Ending { how, ran: None, error: None, error_trace: None, values: BTreeMap::new() }
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It is gone, and so is its supervisor, without a word.
    Gone,
    /// There never was one.
    NotStarted(String),
    /// The server did the task itself, and it went well; a condition has an answer.
    Done(Option<bool>),
    /// The server could not do the task itself.
    Refused(String),
}

/// What must be done once the next states are recorded. (Starting is not among
/// it: that an attempt is in flight is a state, so whoever looks at the run
/// attends to it, and no crash can lose the deed.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the process of an attempt to end.
    Stop(RunId),
    /// End the process of an attempt.
    Kill(RunId),
}

/// Tells whether a new run may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Start,
    /// It waits for its turn.
    Queue,
    /// It is skipped.
    Skip,
}

/// Decides what becomes of a new run while `active` others of its job are.
pub fn admit(settings: &JobSettings, queue: Option<bool>, active: u64) -> Admission {
    let is_queued = queue.unwrap_or_else(|| settings.is_queued());
    match active < u64::from(settings.max_concurrent_runs) {
        true => Admission::Start,
        // With room for no run at all there is nothing to wait for.
        false if is_queued && settings.max_concurrent_runs > 0 => Admission::Queue,
        false => Admission::Skip,
    }
}

/// Decides what follows from an input. `grace` is how long a process that is
/// asked to end has before it is killed.
pub fn decide(execution: Execution, input: &Input, now: Timestamp, grace: Duration) -> (Execution, Vec<Effect>) {
    let mut next = Step { now, grace, effects: Vec::new(), run: execution.run, attempts: execution.attempts };
    match input {
        Input::Look => {}
        Input::Place(attempt) => next.place(*attempt),
        // A loop that has been opened ends with its iterations, and not otherwise.
        Input::Ended { attempt, .. } if next.is_opened(*attempt) => {}
        Input::Ended { attempt, ending, next: id } => next.end(*attempt, ending, *id),
        Input::Opened { attempt, iterations, next: id } => next.open(*attempt, iterations, *id),
        Input::Cancel => next.stop_run(StopReason::Canceled),
    }
    // What is due may end iterations, and these the task that they belong to,
    // which may be tried again at once.
    for _ in 0..2 {
        next.follow_iterations();
        next.watch_times();
    }
    next.follow_iterations();
    next.unblock();
    next.warn_of_duration();
    next.conclude();
    (Execution { run: next.run, attempts: next.attempts }, next.effects)
}

/// Returns when the run must be looked at again though nothing happens.
pub fn due(execution: &Execution) -> Option<Timestamp> {
    let is_active = execution.run.state == RunState::Active;
    let of_run = [run_deadline(&execution.run), warning_due(&execution.run)];
    let of_run = of_run.into_iter().flatten().filter(|_| is_active);
    let of_attempts = execution.attempts.iter().filter_map(|attempt| match attempt.state {
        TaskState::WaitingForRetry { until } => Some(until),
        TaskState::Running { deadline, .. } => deadline,
        TaskState::Stopping { kill_at, .. } => Some(kill_at),
        TaskState::Blocked | TaskState::Pending | TaskState::Ended { .. } => None,
    });
    of_attempts.chain(of_run).min()
}

/// Makes the first attempts of all tasks, numbered by `number`.
pub fn first_attempts(run: &Run, mut number: impl FnMut() -> RunId) -> Vec<TaskRun> {
    let tasks = run.settings.tasks.iter().enumerate();
    tasks
        .map(|(position, task)| {
            let id = number();
            TaskRun {
                id,
                run: run.id,
                task_key: task.task_key.clone(),
                position: position as u32,
                attempt: 0,
                original: id,
                parent: None,
                iteration: 0,
                detail: Detail::default(),
                state: TaskState::Blocked,
                message: String::new(),
                error: None,
                error_trace: None,
            }
        })
        .collect()
}

fn run_deadline(run: &Run) -> Option<Timestamp> {
    let limit = run.settings.timeout_seconds;
    run.started_at.filter(|_| limit > 0).map(|start| start.plus(Duration::from_secs(limit)))
}

/// Returns when a run takes too long, unless that was said already.
fn warning_due(run: &Run) -> Option<Timestamp> {
    let (limit, start) = (run.settings.duration_limit()?, run.started_at?);
    run.warned_at.is_none().then(|| start.plus(limit))
}

struct Step {
    now: Timestamp,
    grace: Duration,
    effects: Vec<Effect>,
    run: Run,
    attempts: Vec<TaskRun>,
}

impl Step {
    /// A pending attempt starts: from here on there may be a process.
    fn place(&mut self, id: RunId) {
        let (now, is_active) = (self.now, self.run.state == RunState::Active);
        let Some(index) = self.attempts.iter().position(|attempt| attempt.id == id) else { return };
        if !is_active || self.attempts[index].state != TaskState::Pending {
            return;
        }
        let limit = self.task_of(index).timeout_seconds;
        let deadline = (limit > 0).then(|| now.plus(Duration::from_secs(limit)));
        self.attempts[index].state = TaskState::Running { since: now, deadline };
    }

    /// The process of an attempt is over: what does that mean for its task?
    fn end(&mut self, id: RunId, ending: &Ending, next: RunId) {
        let Some(index) = self.attempts.iter().position(|attempt| attempt.id == id) else { return };
        let state = self.attempts[index].state;
        let result = match (state, &ending.how) {
            (TaskState::Stopping { reason, .. }, _) => reason.result(),
            (TaskState::Running { .. }, How::Exited(0) | How::Done(_)) => ResultState::Success,
            (TaskState::Running { .. }, _) => ResultState::Failed,
            // It was counted before.
            _ => return,
        };
        let since = state.started_at();
        let at = match (since, ending.ran) {
            (Some(since), Some(ran)) => since.plus(ran).min(self.now),
            _ => self.now,
        };
        let attempt = &mut self.attempts[index];
        attempt.state = TaskState::Ended { result, since, at };
        attempt.message = message_of(result, &ending.how);
        attempt.detail.values.clone_from(&ending.values);
        if let How::Done(answer) = ending.how {
            attempt.detail.answer = answer;
        }
        if result == ResultState::Failed {
            attempt.error = Some(ending.error.clone().unwrap_or_else(|| error_of(&ending.how)));
            attempt.error_trace.clone_from(&ending.error_trace);
        }
        if self.may_retry(index, result) {
            self.retry(index, next);
        }
    }

    fn is_opened(&self, id: RunId) -> bool {
        self.attempts.iter().any(|attempt| attempt.id == id && attempt.detail.iterations.is_some())
    }

    /// The inputs of a `for_each_task` are there: its iterations come to be.
    fn open(&mut self, id: RunId, inputs: &[(RunId, Json)], next: RunId) {
        let Some(index) = self.attempts.iter().position(|attempt| attempt.id == id) else { return };
        let parent = self.attempts[index].clone();
        let is_loop = matches!(self.task_of(index).body, Body::ForEachTask(_));
        if !is_loop || !parent.state.is_in_flight() || parent.detail.iterations.is_some() {
            return;
        }
        // A parent that is being stopped gets none; it ends as it is.
        let inputs = if matches!(parent.state, TaskState::Running { .. }) { inputs } else { &[] };
        self.attempts[index].detail.iterations = Some(inputs.len() as u32);
        self.attempts[index].detail.next = Some(next);
        let key = self.nested_key(index);
        // Behind all attempts of the same task: the order of the rows.
        let mut at = self.attempts.iter().rposition(|other| other.position == parent.position).unwrap_or(index);
        for (number, (id, input)) in inputs.iter().enumerate() {
            at += 1;
            let iteration = TaskRun {
                id: *id,
                task_key: key.clone(),
                attempt: 0,
                original: *id,
                parent: Some(parent.id),
                iteration: number as u32,
                detail: Detail { input: Some(input.clone()), ..Detail::default() },
                state: TaskState::Blocked,
                ..parent.clone()
            };
            self.attempts.insert(at, iteration);
        }
    }

    /// Lets iterations go while there is room for them, and ends a
    /// `for_each_task` whose iterations have all ended.
    fn follow_iterations(&mut self) {
        let open = |attempt: &TaskRun| attempt.state.is_in_flight() && attempt.detail.iterations.is_some();
        let parents: Vec<usize> = (0..self.attempts.len()).filter(|index| open(&self.attempts[*index])).collect();
        for index in parents {
            let (parent, state) = (self.attempts[index].id, self.attempts[index].state);
            let of_parent = |attempt: &&mut TaskRun| attempt.parent == Some(parent);
            let Body::ForEachTask(each) = &self.run.settings.tasks[self.attempts[index].position as usize].body else {
                continue;
            };
            let room = each.concurrency.unwrap_or(1) as usize;
            let is_under_way =
                |attempt: &TaskRun| attempt.state != TaskState::Blocked && attempt.state.result().is_none();
            let mut under_way =
                self.attempts.iter().filter(|attempt| attempt.parent == Some(parent) && is_under_way(attempt)).count();
            if matches!(state, TaskState::Running { .. }) && self.run.state == RunState::Active {
                let blocked = self.attempts.iter_mut().filter(of_parent);
                for attempt in blocked.filter(|attempt| attempt.state == TaskState::Blocked) {
                    if under_way >= room {
                        break;
                    }
                    attempt.state = TaskState::Pending;
                    under_way += 1;
                }
            }
            self.end_when_all_have(index, parent);
        }
    }

    fn end_when_all_have(&mut self, index: usize, parent: RunId) {
        let latest: Vec<TaskRun> = self.latest_of(Some(parent)).cloned().collect();
        if latest.iter().any(|iteration| iteration.state.result().is_none()) {
            return;
        }
        let failed = latest.iter().filter(|one| !one.state.result().is_some_and(ResultState::is_success)).count();
        let how = match failed {
            0 => How::Done(None),
            _ => How::Refused(format!("{failed} of {} iterations did not succeed", latest.len())),
        };
        let next = self.attempts[index].detail.next.unwrap_or(parent);
        self.end(parent, &Ending::plain(how), next);
    }

    fn nested_key(&self, index: usize) -> String {
        match &self.run.settings.tasks[self.attempts[index].position as usize].body {
            Body::ForEachTask(each) => each.task.task_key.clone(),
            _ => String::new(),
        }
    }

    fn may_retry(&self, index: usize, result: ResultState) -> bool {
        let (task, attempt) = (self.task_of(index), i64::from(self.attempts[index].attempt));
        let is_wanted = match result {
            ResultState::Failed => true,
            ResultState::TimedOut => task.retry_on_timeout,
            _ => false,
        };
        let has_attempts_left = task.max_retries < 0 || attempt < task.max_retries;
        self.run.state == RunState::Active && is_wanted && has_attempts_left
    }

    /// Adds an attempt behind the one that failed.
    fn retry(&mut self, index: usize, id: RunId) {
        let pause = Duration::from_millis(self.task_of(index).min_retry_interval_millis);
        let failed = &self.attempts[index];
        let attempt = TaskRun {
            id,
            attempt: failed.attempt + 1,
            detail: Detail { input: failed.detail.input.clone(), ..Detail::default() },
            state: TaskState::WaitingForRetry { until: self.now.plus(pause) },
            message: String::new(),
            error: None,
            error_trace: None,
            ..failed.clone()
        };
        self.attempts.insert(index + 1, attempt);
    }

    /// Looks for what is due: retries, deadlines, processes that do not end.
    fn watch_times(&mut self) {
        if self.run.state == RunState::Active && run_deadline(&self.run).is_some_and(|deadline| deadline <= self.now) {
            self.stop_run(StopReason::TimedOut);
        }
        for index in 0..self.attempts.len() {
            match self.attempts[index].state {
                TaskState::WaitingForRetry { until } if until <= self.now => {
                    self.attempts[index].state = TaskState::Pending;
                }
                TaskState::Running { deadline: Some(deadline), .. } if deadline <= self.now => {
                    self.stop_attempt(index, StopReason::TimedOut);
                }
                TaskState::Stopping { since, reason, kill_at } if kill_at <= self.now => {
                    // It is killed again and again: the first time it may have
                    // been on its way to existence.
                    let kill_at = self.now.plus(self.grace);
                    self.attempts[index].state = TaskState::Stopping { since, reason, kill_at };
                    self.effects.push(Effect::Kill(self.attempts[index].id));
                }
                _ => {}
            }
        }
    }

    /// Remembers that the run takes longer than it should. It goes on.
    fn warn_of_duration(&mut self) {
        if self.run.state == RunState::Active && warning_due(&self.run).is_some_and(|due| due <= self.now) {
            self.run.warned_at = Some(self.now);
        }
    }

    fn stop_run(&mut self, reason: StopReason) {
        match self.run.state {
            RunState::Queued | RunState::Active => {}
            RunState::Stopping(_) | RunState::Ended(_) => return,
        }
        self.run.state = RunState::Stopping(reason);
        stop_message(reason).clone_into(&mut self.run.message);
        for index in 0..self.attempts.len() {
            self.stop_attempt(index, reason);
        }
    }

    fn stop_attempt(&mut self, index: usize, reason: StopReason) {
        let attempt = &mut self.attempts[index];
        match attempt.state {
            TaskState::Blocked | TaskState::Pending | TaskState::WaitingForRetry { .. } => {
                attempt.state = TaskState::Ended { result: reason.result(), since: None, at: self.now };
                stop_message(reason).clone_into(&mut attempt.message);
            }
            TaskState::Running { since, .. } => {
                attempt.state = TaskState::Stopping { since, reason, kill_at: self.now.plus(self.grace) };
                self.effects.push(Effect::Stop(attempt.id));
            }
            TaskState::Stopping { .. } | TaskState::Ended { .. } => return,
        }
        let parent = self.attempts[index].id;
        for other in 0..self.attempts.len() {
            if self.attempts[other].parent == Some(parent) {
                self.stop_attempt(other, reason);
            }
        }
    }

    /// Lets tasks go whose upstream is done; passing over one task may let
    /// others go, so it looks until nothing moves.
    fn unblock(&mut self) {
        if self.run.state != RunState::Active {
            return;
        }
        loop {
            let mut has_moved = false;
            for index in 0..self.attempts.len() {
                // Iterations wait for room, not for other tasks.
                if self.attempts[index].state != TaskState::Blocked || self.attempts[index].parent.is_some() {
                    continue;
                }
                let Some(upstream) = self.results_before(index) else { continue };
                let task = self.task_of(index);
                let verdict = if task.disabled {
                    Err(ResultState::Disabled)
                } else if task.depends_on.iter().any(|dependency| self.is_other_arm(dependency)) {
                    Err(ResultState::Excluded)
                } else {
                    may_run(task.run_if, &upstream)
                };
                let attempt = &mut self.attempts[index];
                match verdict {
                    Ok(()) => attempt.state = TaskState::Pending,
                    Err(result) => {
                        attempt.state = TaskState::Ended { result, since: None, at: self.now };
                        pass_over_message(result).clone_into(&mut attempt.message);
                    }
                }
                has_moved = true;
            }
            if !has_moved {
                return;
            }
        }
    }

    /// Ends the run when its last task has ended.
    fn conclude(&mut self) {
        if !matches!(self.run.state, RunState::Active | RunState::Stopping(_)) {
            return;
        }
        if self.attempts.iter().any(|attempt| attempt.state.result().is_none()) {
            return;
        }
        let result = match self.run.state {
            RunState::Stopping(reason) => reason.result(),
            _ => self.result_of_tasks(),
        };
        if result == ResultState::Failed {
            self.run.message = self.failure_message();
        }
        self.run.state = RunState::Ended(result);
        self.run.ended_at = Some(self.now);
    }

    /// The tasks that nobody waits for decide how the run ended.
    fn result_of_tasks(&self) -> ResultState {
        let results = || self.latest().filter_map(|attempt| Some((attempt, attempt.state.result()?)));
        let is_last = |key: &str| !self.run.settings.tasks.iter().any(|task| depends_on(task, key));
        let has = |result| results().any(|(_, other)| other == result);
        if results().filter(|(attempt, _)| is_last(&attempt.task_key)).all(|(_, result)| result.is_success()) {
            return if results().all(|(_, result)| result.is_success()) {
                ResultState::Success
            } else {
                ResultState::SuccessWithFailures
            };
        }
        if !has(ResultState::Failed) && has(ResultState::TimedOut) {
            ResultState::TimedOut
        } else {
            ResultState::Failed
        }
    }

    fn failure_message(&self) -> String {
        let failed = self.latest().find(|attempt| attempt.state.result() == Some(ResultState::Failed));
        match failed {
            Some(attempt) => format!("Task {} failed with message: {}.", attempt.task_key, attempt.message),
            None => "A task failed.".into(),
        }
    }

    /// Returns what came of the tasks before one, once all of them have ended.
    fn results_before(&self, index: usize) -> Option<Vec<ResultState>> {
        let upstream = &self.task_of(index).depends_on;
        upstream.iter().map(|dependency| self.latest_named(&dependency.task_key)?.state.result()).collect()
    }

    /// Tells whether a condition came out differently than a dependency wants it.
    fn is_other_arm(&self, dependency: &Dependency) -> bool {
        let answer = self.latest_named(&dependency.task_key).and_then(|condition| condition.detail.answer);
        match (dependency.outcome, answer) {
            (Some(wanted), Some(answer)) => wanted != Outcome::from(answer),
            _ => false,
        }
    }

    fn latest_named(&self, key: &str) -> Option<&TaskRun> {
        self.latest().find(|attempt| attempt.task_key == key)
    }

    /// The last attempt of each task.
    fn latest(&self) -> impl Iterator<Item = &TaskRun> {
        self.latest_of(None)
    }

    /// The last attempt of each task, or of each iteration of one.
    fn latest_of(&self, parent: Option<RunId>) -> impl Iterator<Item = &TaskRun> {
        self.attempts.iter().enumerate().filter_map(move |(index, attempt)| {
            let place = |attempt: &TaskRun| (attempt.position, attempt.parent, attempt.iteration);
            let next = self.attempts.get(index + 1);
            (attempt.parent == parent && next.map(place) != Some(place(attempt))).then_some(attempt)
        })
    }

    fn task_of(&self, index: usize) -> &Task {
        self.run.task_of(&self.attempts[index]).expect("an attempt is one of a task of its run")
    }
}

fn depends_on(task: &Task, key: &str) -> bool {
    task.depends_on.iter().any(|dependency| dependency.task_key == key)
}

/// Tells whether a task may run after these, and if not, what comes of it.
fn may_run(run_if: RunIf, upstream: &[ResultState]) -> Result<(), ResultState> {
    let success = upstream.iter().filter(|result| result.is_success()).count();
    let failed = upstream.iter().filter(|result| result.is_failure()).count();
    let canceled = upstream.iter().any(|result| result.is_canceled());
    let (is_met, otherwise) = match run_if {
        _ if upstream.is_empty() => (true, ResultState::Excluded),
        // A branch that is passed over is passed over to its end.
        _ if upstream.iter().all(|result| *result == ResultState::Excluded) => (false, ResultState::Excluded),
        RunIf::AllSuccess => (success == upstream.len(), ResultState::UpstreamFailed),
        RunIf::AllDone => (true, ResultState::Excluded),
        RunIf::NoneFailed => (failed == 0 && success > 0, ResultState::UpstreamFailed),
        RunIf::AtLeastOneSuccess => (success > 0, ResultState::UpstreamFailed),
        RunIf::AllFailed => (failed == upstream.len(), ResultState::Excluded),
        RunIf::AtLeastOneFailed => (failed > 0, ResultState::Excluded),
    };
    match otherwise {
        _ if is_met => Ok(()),
        ResultState::UpstreamFailed if canceled && failed == 0 => Err(ResultState::UpstreamCanceled),
        otherwise => Err(otherwise),
    }
}

fn pass_over_message(result: ResultState) -> &'static str {
    match result {
        ResultState::UpstreamFailed => "An upstream task failed.",
        ResultState::UpstreamCanceled => "An upstream task was canceled.",
        ResultState::Disabled => "The task is disabled.",
        _ => "A condition before the task, or that of its run_if, was not met.",
    }
}

fn message_of(result: ResultState, how: &How) -> String {
    match (result, how) {
        (ResultState::Canceled, _) => stop_message(StopReason::Canceled).to_owned(),
        (ResultState::TimedOut, _) => stop_message(StopReason::TimedOut).to_owned(),
        (ResultState::Success, _) => String::new(),
        (_, How::Exited(_)) => "Workload failed, see run output for details".to_owned(),
        (_, other) => error_of(other),
    }
}

fn error_of(how: &How) -> String {
    match how {
        How::Exited(code) => format!("the process ended with exit code {code}"),
        How::Signaled(signal) => format!("the process was ended by signal {signal}"),
        How::Gone => "the process is gone and has left no exit status".to_owned(),
        How::NotStarted(why) => format!("the process could not be started: {why}"),
        How::Done(_) => "the task was done".to_owned(),
        How::Refused(why) => why.clone(),
    }
}
