//! The background of the workspace: one loop that moves the runs.
//!
//! It wakes when a verb nudges it, when a process is over, and when something
//! is due; then it records what follows (`record`) and
//! acts. What it holds in memory (timers, pending attempts, who is attended)
//! is rebuilt from the rows whenever it starts: that is all there is to
//! recovery. Every attempt that is in flight and not attended is attended,
//! whether it was intended a moment ago or by a server that is no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base::error::chain;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::RunId;
use crate::decide::{Effect, Ending, How, Input, due};
use crate::error::Error;
use crate::folder::{TaskFile, TaskFolder};
use crate::parameters::{self, References};
use crate::process;
use crate::record::{Moved, advance, effective_parameters};
use crate::run::{RunState, TaskRun, TaskState};
use crate::secrets::SecretRef;
use crate::workspace::Workspace;
use crate::{decide::Execution, files, tables};

/// Runs that are moved in one transaction.
const RUNS_AT_ONCE: usize = 100;
/// How long it waits after the database refused.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);
/// The longest time it sleeps, for a clock that jumps.
const SLEEP_MAX: Duration = Duration::from_mins(1);

impl Workspace {
    /// Makes the loop look at every run that is not over. [`Workspace::run`]
    /// begins with it.
    pub async fn recover(&self) -> Result<(), Error> {
        let open = self.db.read("workspace.recover", tables::runs_to_watch).await?;
        if !open.is_empty() {
            info!(runs = open.len(), "open job runs are taken up");
        }
        self.to_look_at.lock().extend(open);
        self.nudge();
        Ok(())
    }

    /// Moves the runs until told to stop. The processes of tasks go on then,
    /// and are adopted by the next call, be it in another server.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut desk = Desk::default();
        let mut is_recovered = false;
        loop {
            if !is_recovered {
                match self.recover().await {
                    Ok(()) => is_recovered = true,
                    Err(error) => error!(error = %chain(&error), "open job runs cannot be taken up"),
                }
            }
            desk.gather(&self.to_look_at, self.clock.now());
            let is_done = self.work_off(&mut desk).await;
            let next = if is_recovered && is_done {
                desk.due().map(|due| due.since(self.clock.now()).min(SLEEP_MAX))
            } else {
                Some(AFTER_A_FAILURE)
            };
            tokio::select! {
                () = stop.cancelled() => return,
                ended = desk.watchers.join_next_with_id(), if !desk.watchers.is_empty() => {
                    if let Some(ended) = ended {
                        self.note_end(&mut desk, ended);
                    }
                }
                () = self.wake.notified() => {}
                () = sleep(next) => {}
            }
        }
    }

    /// Looks at once at what is due. Whoever moves the clock by hand calls this.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Moves runs until nothing moves any more; false if the database refused.
    async fn work_off(self: &Arc<Self>, desk: &mut Desk) -> bool {
        loop {
            desk.give_places(self.options.tasks_at_once_max);
            if desk.inputs.is_empty() {
                return true;
            }
            let batch: Vec<(RunId, Input)> = desk.inputs.iter().take(RUNS_AT_ONCE).cloned().collect();
            let count = batch.len();
            let (now, grace) = (self.clock.now(), self.options.stop_grace);
            let recorded = self.db.write("workspace.advance", move |tx| {
                let mut moved = Vec::new();
                for (run, input) in &batch {
                    moved.extend(advance(tx, *run, input, now, grace)?);
                }
                Ok::<_, Error>(moved)
            });
            match recorded.await {
                Ok(moved) => {
                    desk.forget(count);
                    // A run may have moved several times; only where it is now
                    // says what is in flight.
                    let mut latest: BTreeMap<RunId, Execution> = BTreeMap::new();
                    for moved in moved {
                        self.act(&moved);
                        latest.insert(moved.execution.run.id, moved.execution);
                    }
                    for execution in latest.into_values() {
                        self.take_in(desk, execution);
                    }
                    self.tell_of_changes();
                }
                Err(error) => {
                    // What happened is kept, and recorded later.
                    error!(error = %chain(&error), "job runs cannot be moved");
                    return false;
                }
            }
        }
    }

    /// Does what a recorded decision asks for.
    pub(crate) fn act(&self, moved: &Moved) {
        let run = &moved.execution.run;
        if let RunState::Ended(result) = run.state
            && moved.has_ended
        {
            info!(run.id = %run.id, run.name, run.result = result.as_str(), "job run ended");
        }
        for effect in &moved.effects {
            let (attempt, signal) = match effect {
                Effect::Stop(attempt) => (*attempt, Signal::TERM),
                Effect::Kill(attempt) => (*attempt, Signal::KILL),
            };
            let folder = self.task_folder(moved.execution.run.id, attempt);
            if let Err(error) = process::stop(&folder, signal) {
                warn!(task_run.id = %attempt, %error, "a task cannot be told to end");
            }
        }
    }

    /// Remembers what is next for a run, and attends to its processes.
    fn take_in(self: &Arc<Self>, desk: &mut Desk, execution: Execution) {
        let execution = Arc::new(execution);
        desk.remember(&execution);
        for attempt in execution.attempts.iter().filter(|attempt| attempt.state.is_in_flight()) {
            if !desk.attended.insert(attempt.id) {
                continue;
            }
            let (workspace, execution, id) = (self.clone(), execution.clone(), attempt.id);
            let watcher = desk.watchers.spawn(async move { workspace.conduct(&execution, id).await });
            desk.watched.insert(watcher.id(), (attempt.run, attempt.id));
        }
    }

    fn note_end(&self, desk: &mut Desk, ended: Result<(tokio::task::Id, Ending), tokio::task::JoinError>) {
        let (watcher, ending) = match ended {
            Ok((watcher, ending)) => (watcher, Some(ending)),
            Err(error) => {
                error!(%error, "the watcher of a task ended badly; it is attended anew");
                (error.id(), None)
            }
        };
        let Some((run, attempt)) = desk.watched.remove(&watcher) else { return };
        let input = if let Some(ending) = ending {
            Input::Ended { attempt, ending, next: RunId::new(&*self.chance) }
        } else {
            desk.attended.remove(&attempt);
            Input::Look
        };
        desk.inputs.push((run, input));
    }

    /// Starts the process of an attempt or adopts it, and waits for its end.
    async fn conduct(&self, execution: &Execution, attempt: RunId) -> Ending {
        let folder = self.task_folder(execution.run.id, attempt);
        if folder.claim().is_none() && folder.exit().is_none() {
            let prepared = match self.task_file(execution, attempt).await {
                Ok(task) => prepare(folder.clone(), task).await.map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = prepared {
                // A server before this one may have come further.
                process::forget_secrets(&folder);
                return Ending { how: How::NotStarted(why), ran: None, error: None, error_trace: None };
            }
        }
        process::attend(folder, self.options.supervisor.clone()).await
    }

    /// Says in full what a supervisor has to run.
    async fn task_file(&self, execution: &Execution, attempt: RunId) -> Result<TaskFile, Error> {
        let run = &execution.run;
        let attempt = execution.attempts.iter().find(|other| other.id == attempt).ok_or(Error::NoRun(attempt))?;
        let task = run.settings.task(&attempt.task_key).ok_or(Error::NoRun(attempt.id))?;
        let path = &task.spark_python_task.python_file;
        let file = files::disk_path(&self.files_folder(), path)?;
        if !file.is_file() {
            return Err(Error::NoFile(path.clone()));
        }
        let references = self.references(execution, attempt);
        let mut arguments = vec![file.to_string_lossy().into_owned()];
        for text in effective_parameters(task, &run.overriding) {
            arguments.push(parameters::resolve(text, &references)?);
        }
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        let own = self.options.environment.iter().map(|(name, value)| (text(name), text(value)));
        let mut environment: BTreeMap<String, String> = own.collect();
        let mut secrets = Vec::new();
        for (name, text) in run.settings.variables_of(task) {
            let value = self.reveal(&text, &mut secrets).await?;
            environment.insert(name, value);
        }
        Ok(TaskFile {
            program: self.options.python.to_string_lossy().into_owned(),
            arguments,
            // Where the real service starts a Python file: beside its own modules.
            directory: file.parent().unwrap_or(&self.folder).to_owned(),
            environment,
            secrets,
        })
    }

    /// Puts secrets in the place of their references, and lists them.
    async fn reveal(&self, text: &str, revealed: &mut Vec<String>) -> Result<String, Error> {
        let mut known = References::default();
        for name in parameters::references(text) {
            let Some(place) = SecretRef::parse(name) else { continue };
            let value = self.open_secret(&place).await?;
            revealed.push(value.expose().to_owned());
            known.values.insert(name.to_owned(), value.expose().to_owned());
        }
        parameters::resolve(text, &known)
    }

    fn references(&self, execution: &Execution, attempt: &TaskRun) -> References {
        let run = &execution.run;
        let job = run.job.map_or(0, |job| job.0).to_string();
        let started = run.started_at.unwrap_or(run.created_at);
        let mut values: BTreeMap<String, String> = [
            ("job.id", job.clone()),
            ("job_id", job),
            ("job.name", run.name.clone()),
            ("job.run_id", run.id.to_string()),
            ("parent_run_id", run.id.to_string()),
            ("job.start_time.timestamp_ms", started.as_millis().to_string()),
            ("job.start_time.iso_date", started.to_string().chars().take(10).collect()),
            ("task.name", attempt.task_key.clone()),
            ("task_key", attempt.task_key.clone()),
            ("task.run_id", attempt.id.to_string()),
            ("run_id", attempt.id.to_string()),
            ("task.execution_count", (attempt.attempt + 1).to_string()),
            ("task_retry_count", attempt.attempt.to_string()),
            ("workspace.id", self.options.workspace_id.to_string()),
            ("workspace.url", self.options.public_url.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for parameter in &run.settings.parameters {
            values.insert(format!("job.parameters.{}", parameter.name), parameter.default.clone());
        }
        for (name, value) in &run.overriding.job_parameters {
            values.insert(format!("job.parameters.{name}"), value.clone());
        }
        References { values }
    }
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

/// Writes what is to run. It waits for the disk, so it has a thread of its own.
async fn prepare(folder: TaskFolder, task: TaskFile) -> std::io::Result<()> {
    let written = tokio::task::spawn_blocking(move || folder.prepare(&task)).await;
    written.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

/// What the loop holds in memory. All of it can be rebuilt from the rows.
#[derive(Default)]
struct Desk {
    /// What has happened and is not recorded yet.
    inputs: Vec<(RunId, Input)>,
    /// When runs are to be looked at.
    timers: BTreeSet<(Timestamp, RunId)>,
    timer_of: HashMap<RunId, Timestamp>,
    /// Attempts that wait for a place: by time of the run, run and attempt.
    pending: BTreeSet<(Timestamp, RunId, RunId)>,
    /// Attempts that somebody attends to, or whose end is not recorded yet.
    attended: BTreeSet<RunId>,
    /// Run and attempt of each watcher.
    watched: HashMap<tokio::task::Id, (RunId, RunId)>,
    watchers: JoinSet<Ending>,
}

impl Desk {
    /// Collects the runs that verbs have touched, and those that are due.
    fn gather(&mut self, to_look_at: &parking_lot::Mutex<BTreeSet<RunId>>, now: Timestamp) {
        let touched = std::mem::take(&mut *to_look_at.lock());
        self.inputs.extend(touched.into_iter().map(|run| (run, Input::Look)));
        while let Some(&(due, run)) = self.timers.first() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            self.timer_of.remove(&run);
            self.inputs.push((run, Input::Look));
        }
    }

    fn due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Lets pending attempts start, oldest run first, while there are places.
    fn give_places(&mut self, most: usize) {
        let on_their_way = self.inputs.iter().filter(|(_, input)| matches!(input, Input::Place(_))).count();
        for _ in self.attended.len() + on_their_way..most {
            let Some((_, run, attempt)) = self.pending.pop_first() else { return };
            self.inputs.push((run, Input::Place(attempt)));
        }
    }

    fn remember(&mut self, execution: &Execution) {
        let run = &execution.run;
        if let Some(before) = self.timer_of.remove(&run.id) {
            self.timers.remove(&(before, run.id));
        }
        if let Some(due) = due(execution) {
            self.timers.insert((due, run.id));
            self.timer_of.insert(run.id, due);
        }
        for attempt in &execution.attempts {
            let place = (run.created_at, run.id, attempt.id);
            let is_ready = run.state == RunState::Active && attempt.state == TaskState::Pending;
            if is_ready {
                self.pending.insert(place)
            } else {
                self.pending.remove(&place)
            };
        }
    }

    /// Lets go of the first inputs, which are recorded.
    fn forget(&mut self, count: usize) {
        for (_, input) in self.inputs.drain(..count) {
            if let Input::Ended { attempt, .. } = input {
                self.attended.remove(&attempt);
            }
        }
    }
}
