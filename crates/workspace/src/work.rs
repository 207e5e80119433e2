//! The background of the workspace: one loop that moves the runs.
//!
//! It wakes when a verb nudges it, when a process is over, and when something
//! is due; then it records what follows (`record`) and
//! acts. What it holds in memory (timers, pending attempts, who is attended)
//! is rebuilt from the rows whenever it starts: that is all there is to
//! recovery. Every attempt that is in flight and not attended is attended,
//! whether it was intended a moment ago or by a server that is no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base::error::chain;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::RunId;
use crate::conduct::Conducted;
use crate::decide::{Effect, Execution, Input, due};
use crate::error::Error;
use crate::process;
use crate::record::{Moved, advance};
use crate::retention::Sweeping;
use crate::run::{Run, RunState, TaskRun, TaskState};
use crate::tables;
use crate::workspace::Workspace;

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
        tokio::join!(self.run_runs(&stop), self.run_clockwork(&stop), self.run_notices(&stop));
    }

    async fn run_runs(self: &Arc<Self>, stop: &CancellationToken) {
        let mut desk = Desk::default();
        let mut is_recovered = false;
        let mut sweeping = Sweeping::default();
        loop {
            if !is_recovered {
                match self.recover().await {
                    Ok(()) => is_recovered = true,
                    Err(error) => error!(error = %chain(&error), "open job runs cannot be taken up"),
                }
            }
            if is_recovered && sweeping.is_due(self.clock.now()) {
                self.sweep_runs().await;
            }
            desk.gather(&self.to_look_at, self.clock.now());
            let is_done = self.work_off(&mut desk).await;
            let next = if is_recovered && is_done {
                let now = self.clock.now();
                let due = desk.due().map(|due| due.since(now).min(SLEEP_MAX));
                due.unwrap_or(Duration::MAX).min(sweeping.rest(now))
            } else {
                AFTER_A_FAILURE
            };
            tokio::select! {
                () = stop.cancelled() => return,
                ended = desk.watchers.join_next_with_id(), if !desk.watchers.is_empty() => {
                    if let Some(ended) = ended {
                        self.note_end(&mut desk, ended);
                    }
                }
                () = self.wake.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Looks at once at what is due. Whoever moves the clock by hand calls this.
    pub fn nudge(&self) {
        self.wake.notify_one();
        self.clock_wake.notify_one();
        self.notice_wake.notify_one();
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
                        self.wake_others(&moved);
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

    /// Wakes those for whom a recorded decision may have left something.
    fn wake_others(&self, moved: &Moved) {
        if moved.has_ended {
            self.clock_wake.notify_one();
        }
        if !moved.execution.run.settings.webhook_notifications.is_empty() {
            self.notice_wake.notify_one();
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
            let found = moved.execution.attempts.iter().find(|other| other.id == attempt);
            if !found.is_some_and(|found| needs_place(run, found)) {
                // Whoever conducts it sees that it is being stopped.
                continue;
            }
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
        for attempt in execution.attempts.iter().filter(|attempt| wants_attention(attempt)) {
            if desk.attended.contains_key(&attempt.id) {
                continue;
            }
            desk.attended.insert(attempt.id, needs_place(&execution.run, attempt));
            let (workspace, execution, id) = (self.clone(), execution.clone(), attempt.id);
            let watcher = desk.watchers.spawn(async move { workspace.conduct(&execution, id).await });
            desk.watched.insert(watcher.id(), (attempt.run, attempt.id));
        }
    }

    fn note_end(&self, desk: &mut Desk, ended: Result<(tokio::task::Id, Conducted), tokio::task::JoinError>) {
        let (watcher, conducted) = match ended {
            Ok((watcher, conducted)) => (watcher, Some(conducted)),
            Err(error) => {
                error!(%error, "the watcher of a task ended badly; it is attended anew");
                (error.id(), None)
            }
        };
        let Some((run, attempt)) = desk.watched.remove(&watcher) else { return };
        let next = RunId::new(&*self.chance);
        let input = match conducted {
            Some(Conducted::Over(ending)) => Input::Ended { attempt, ending, next },
            Some(Conducted::Opened(inputs)) => {
                let iterations = inputs.into_iter().map(|input| (RunId::new(&*self.chance), input)).collect();
                Input::Opened { attempt, iterations, next }
            }
            None => {
                desk.attended.remove(&attempt);
                Input::Look
            }
        };
        desk.inputs.push((run, input));
    }
}

/// Tells whether somebody has to attend to an attempt. A `for_each_task` whose
/// iterations are there is moved by them alone.
fn wants_attention(attempt: &TaskRun) -> bool {
    attempt.state.is_in_flight() && attempt.detail.iterations.is_none()
}

fn needs_place(run: &Run, attempt: &TaskRun) -> bool {
    run.task_of(attempt).is_none_or(|task| task.body.is_process())
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
    /// Attempts that need none.
    pending_here: BTreeSet<(Timestamp, RunId, RunId)>,
    /// Attempts that were given a place and are not recorded as running yet.
    placed: BTreeSet<RunId>,
    /// Attempts that somebody attends to, or whose end is not recorded yet, and
    /// whether they take up a place.
    attended: HashMap<RunId, bool>,
    /// Run and attempt of each watcher.
    watched: HashMap<tokio::task::Id, (RunId, RunId)>,
    watchers: JoinSet<Conducted>,
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
    /// What the server does itself needs none: a job that waits for another
    /// must not stand in its way.
    fn give_places(&mut self, most: usize) {
        for (_, run, attempt) in std::mem::take(&mut self.pending_here) {
            self.inputs.push((run, Input::Place(attempt)));
        }
        let on_their_way =
            self.inputs.iter().filter(|(_, input)| matches!(input, Input::Place(id) if self.placed.contains(id)));
        let taken = self.attended.values().filter(|takes_a_place| **takes_a_place).count();
        for _ in taken + on_their_way.count()..most {
            let Some((_, run, attempt)) = self.pending.pop_first() else { return };
            self.placed.insert(attempt);
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
            let list = if needs_place(run, attempt) { &mut self.pending } else { &mut self.pending_here };
            if is_ready {
                list.insert(place)
            } else {
                list.remove(&place)
            };
        }
    }

    /// Lets go of the first inputs, which are recorded.
    fn forget(&mut self, count: usize) {
        for (_, input) in self.inputs.drain(..count) {
            match input {
                Input::Ended { attempt, .. } | Input::Opened { attempt, .. } => drop(self.attended.remove(&attempt)),
                Input::Place(attempt) => drop(self.placed.remove(&attempt)),
                Input::Look | Input::Cancel => {}
            }
        }
    }
}
