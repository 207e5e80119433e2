//! The engine at work: what is due is taken up, effects are performed, and
//! each result is committed together with the next intent.
//!
//! One loop owns the runs. It reads the agenda, starts what schedules and
//! hooks ask for, and hands runs that are due to tasks, a bounded number at a
//! time; a run is in one hand at most. A task walks its machine to the next
//! effect, commits (the barrier), performs the effect, walks on. A run that
//! sleeps is given back: its row says when it goes on, and whether its machine
//! is still in memory by then only decides if a replay is needed.
//!
//! What was in flight when the program ended is found by its intent without a
//! result. It is performed again, with the same key, if that is safe; else the
//! run is held in doubt, and a person decides.

mod advance;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::db::Tx;
use base::error::chain;
use base::{Actor, Timestamp, audit};
use serde_json::json;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::feedback::{self, PauseNotice};
use crate::flows::{Flows, hook_of};
use crate::program::{Program, Start};
use crate::run::{RunId, RunState};
use crate::tables::{self, Agenda, Barrier, FlowRow, NewRun, Then};

use advance::Held;

/// Longest time without a look at the agenda.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_mins(1);
/// Wait before the database is tried again.
const DATABASE_RETRY: Duration = Duration::from_secs(1);
/// Runs that are started from one hook in one transaction.
const STARTS_AT_ONCE: usize = 100;

/// What the loop remembers.
#[derive(Default)]
struct Desk {
    tasks: JoinSet<(RunId, Option<Held>)>,
    in_hand: HashMap<tokio::task::Id, RunId>,
    runs: HashSet<RunId>,
    /// Sleeping runs whose machines are still here.
    warm: HashMap<RunId, Held>,
}

impl Flows {
    /// Does the work of the engine until told to stop: starts runs, wakes
    /// them, performs their effects. What was in flight when it last ended is
    /// taken up first. When told to stop it lets effects in flight come to
    /// their end, for a while, and starts no new ones.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.watch_signals().await;
        self.work(&stop, false).await;
    }

    /// Works until nothing is due; what sleeps goes on sleeping.
    #[cfg(test)]
    pub(crate) async fn run_until_idle(self: &Arc<Self>) {
        self.work(&CancellationToken::new(), true).await;
    }

    async fn work(self: &Arc<Self>, stop: &CancellationToken, until_idle: bool) {
        let mut desk = Desk::default();
        let mut cut_off_at = None;
        loop {
            if stop.is_cancelled() {
                cut_off_at.get_or_insert_with(|| Instant::now() + self.options.grace);
            }
            let mut wait = LOOK_AT_LEAST_EVERY;
            if !stop.is_cancelled() {
                match self.take_up(&mut desk, stop).await {
                    Ok(next) => {
                        if let Some(next) = next {
                            wait = wait.min(next.since(self.clock.now()).max(Duration::from_millis(1)));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "the agenda of the flows cannot be read");
                        wait = DATABASE_RETRY;
                    }
                }
            }
            if desk.tasks.is_empty() && (until_idle || stop.is_cancelled()) {
                return;
            }
            tokio::select! {
                biased;
                Some(done) = desk.tasks.join_next_with_id() => self.put_down(&mut desk, done, stop),
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                () = sleep_until(cut_off_at) => {
                    tracing::warn!(runs = desk.tasks.len(), "effects in flight did not end in time");
                    desk.tasks.shutdown().await;
                    return;
                }
                () = self.nudge.notified(), if !stop.is_cancelled() => {}
                () = tokio::time::sleep(wait), if !stop.is_cancelled() => {}
            }
        }
    }

    /// Asks again for all signals that start active flows: asking twice is
    /// harmless, and a crash may have come between asking and remembering.
    async fn watch_signals(&self) {
        let flows = match self.db.read("flows.list", tables::flows).await {
            Ok(flows) => flows,
            Err(error) => {
                tracing::error!(error = %chain(&error), "the active flows cannot be read");
                return;
            }
        };
        for flow in flows.iter().filter(|flow| flow.active) {
            let Some(hash) = &flow.published else { continue };
            let watched = match self.program(hash).await {
                Ok(program) => self.watch(&flow.key, &program).await,
                Err(error) => Err(error),
            };
            if let Err(error) = watched {
                tracing::error!(flow.key, error = %chain(&error), "an active flow cannot listen to its signal");
            }
        }
    }

    /// Starts what is to be started, hands runs that are due to tasks, and
    /// returns when there will be more.
    async fn take_up(self: &Arc<Self>, desk: &mut Desk, stop: &CancellationToken) -> Result<Option<Timestamp>, Error> {
        let mut agenda = self.agenda(desk).await?;
        if self.start_runs(&agenda).await? {
            agenda = self.agenda(desk).await?;
        }
        for run in agenda.runs {
            if desk.tasks.len() >= self.options.concurrency {
                break;
            }
            if !desk.runs.insert(run) {
                continue;
            }
            let warm = desk.warm.remove(&run);
            let (flows, stop) = (self.clone(), stop.clone());
            let task = desk.tasks.spawn(async move { (run, flows.advance(run, warm, &stop).await) });
            desk.in_hand.insert(task.id(), run);
        }
        Ok(agenda.next)
    }

    async fn agenda(&self, desk: &Desk) -> Result<Agenda, Error> {
        // Those in hand are due too, so room is left for them.
        let runs_max = self.options.concurrency + desk.runs.len();
        let now = self.clock.now();
        Ok(self.db.read("flows.agenda", move |tx| tables::agenda(tx, now, runs_max)).await?)
    }

    fn put_down(
        self: &Arc<Self>,
        desk: &mut Desk,
        done: Result<(tokio::task::Id, (RunId, Option<Held>)), JoinError>,
        stop: &CancellationToken,
    ) {
        match done {
            Ok((task, (run, held))) => {
                desk.in_hand.remove(&task);
                desk.runs.remove(&run);
                if let Some(held) = held
                    && desk.warm.len() < self.options.warm_max
                {
                    desk.warm.insert(run, held);
                }
            }
            Err(error) => {
                let Some(run) = desk.in_hand.remove(&error.id()) else { return };
                tracing::error!(%run, %error, "a run broke the engine and is parked");
                // It stays in hand until that is written: whoever took it up
                // before would break again, at once.
                let (flows, stop) = (self.clone(), stop.clone());
                let reason = "the engine failed on this run; see the log".to_owned();
                let task = desk.tasks.spawn(async move {
                    flows.hold(run, RunState::Parked, reason, &stop).await;
                    (run, None)
                });
                desk.in_hand.insert(task.id(), run);
            }
        }
    }

    /// Returns the published program of a flow, if it has one. One that can no longer be read
    /// must not keep all others from running, so it counts as none.
    pub(crate) async fn published(&self, flow: &FlowRow) -> Result<Option<Arc<Program>>, Error> {
        let Some(hash) = &flow.published else { return Ok(None) };
        match self.program(hash).await {
            Ok(program) => Ok(Some(program)),
            Err(error @ Error::BadDocument { .. }) => {
                tracing::error!(flow.key, error = %chain(&error), "a published flow can no longer be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts runs for schedules and hooks; tells whether there were any.
    async fn start_runs(&self, agenda: &Agenda) -> Result<bool, Error> {
        let mut started = false;
        for flow in &agenda.schedules {
            let (Some(program), Some(due)) = (self.published(flow).await?, flow.next_at) else { continue };
            let run = self.new_run(flow, &program, "schedule");
            let next =
                program.schedule.as_ref().and_then(|schedule| schedule.clone().anchored_at(due).next_after(run.now));
            let is_sequential = program.is_sequential;
            started |= self
                .db
                .write("flows.start_scheduled", move |tx| {
                    if !tables::move_schedule(tx, &run.flow, due, next)? {
                        return Ok(false);
                    }
                    if is_sequential && tables::has_open_run(tx, &run.flow)? {
                        return Ok(false);
                    }
                    tables::insert_run(tx, &run, "[{}]", &[])?;
                    Ok::<_, Error>(true)
                })
                .await?;
        }
        // While more runs are due than can be worked on, items wait on their
        // hook: that is where they are counted, and held back at the source.
        let has_room = agenda.runs.len() <= self.options.concurrency;
        for (hook, flow) in agenda.hooks.iter().filter(|_| has_room) {
            let Some(program) = self.published(flow).await? else { continue };
            // A version that starts on something else leaves the queue alone.
            if hook_of(&flow.key, &program).as_ref() != Some(hook) {
                continue;
            }
            let Start::Signal { results_max, .. } = program.start else { continue };
            let is_sequential = program.is_sequential;
            let starts = if is_sequential { 1 } else { STARTS_AT_ONCE.min(2 * self.options.concurrency) };
            let runs: Vec<_> = (0..starts).map(|_| self.new_run(flow, &program, "signal")).collect();
            let (hook, returns_max) = (hook.clone(), self.options.returns_per_hour_max);
            started |= self
                .db
                .write("flows.start_from_hook", move |tx| {
                    let mut started = false;
                    for run in &runs {
                        if is_sequential && tables::has_open_run(tx, &run.flow)? {
                            break;
                        }
                        let (items, found) =
                            feedback::starting(tx, &run.flow, &hook, results_max, returns_max, run.now)?;
                        if !items.is_empty() {
                            tables::take_items(tx, &hook, run.id, &items)?;
                            let (payloads, causes): (Vec<_>, Vec<_>) =
                                items.into_iter().map(|item| (item.payload, item.causes)).unzip();
                            tables::insert_run(tx, run, &format!("[{}]", payloads.join(",")), &causes)?;
                            started = true;
                        } else if let Some(found) = found {
                            // What came before it has started with another run.
                            let waiting = tables::waiting(tx, &hook)?.unwrap_or(0);
                            pause(tx, run, &found.text(&run.flow, waiting))?;
                            break;
                        } else {
                            break;
                        }
                    }
                    Ok::<_, Error>(started)
                })
                .await?;
        }
        if started {
            // More may wait than was started at once.
            self.nudge.notify_one();
        }
        self.tell_of_pauses().await?;
        Ok(started)
    }

    /// Tells people of flows that were paused, until they are told.
    async fn tell_of_pauses(&self) -> Result<(), Error> {
        for (flow, at, text) in self.db.read("flows.untold", tables::untold).await? {
            tracing::warn!(flow.key = flow, text, "a flow feeds itself and is paused");
            if let Some(notices) = self.notices.get()
                && !notices.tell(PauseNotice { flow: flow.clone(), at, text }).await
            {
                continue;
            }
            self.db.write("flows.told", move |tx| tables::set_told(tx, &flow, at)).await?;
        }
        Ok(())
    }

    /// Holds a run. While the database refuses that, the run stays in hand.
    async fn hold(&self, run: RunId, state: RunState, reason: String, stop: &CancellationToken) {
        tracing::warn!(%run, reason, "a run is held until a person decides");
        let now = self.clock.now();
        loop {
            let reason = reason.clone();
            let held = self.db.write("flows.hold", move |tx| {
                let Some(row) = tables::run(tx, run)? else { return Ok(false) };
                let barrier = Barrier {
                    run,
                    now,
                    settled: None,
                    asked: None,
                    again: None,
                    operations: Vec::new(),
                    operation_count: row.info.operations,
                    then: Then::Held(state, reason.clone()),
                };
                tables::record(tx, &barrier)
            });
            let Err(error) = held.await else { return };
            tracing::error!(%run, error = %chain(&error), "a run cannot be held yet");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(DATABASE_RETRY) => {}
            }
        }
    }
}

/// Pauses the flow of a run that is not started.
fn pause(tx: &mut dyn Tx, run: &NewRun, why: &str) -> Result<(), Error> {
    tables::pause(tx, &run.flow, why, run.now)?;
    tables::insert_unstarted(tx, run, why)?;
    let actor = Actor::system("flows");
    let (before, after) = (json!({"active": true}), json!({"active": true, "paused": why}));
    audit::record(tx, &actor, "pause", "flow", &run.flow, Some(&before), Some(&after), run.now)?;
    Ok(())
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
