//! The engine at work: what is due is taken up, effects are performed, and
//! each result is committed together with the next intent.
//!
//! One loop owns the runs. It reads the agenda, starts what schedules and
//! hooks ask for, and hands runs that are due to tasks, a bounded number at a
//! time; a run is in one hand at most. Most runs never stand on the agenda:
//! what arrives while there is room starts its run in the transaction that
//! accepts it ([`door`]), and is brought here already walking. A task walks its
//! machine to the next effect, commits (the barrier), performs the effect,
//! walks on. A run that sleeps is given back: its row says when it goes on, and
//! whether its machine is still in memory by then only decides if a replay is
//! needed.
//!
//! What was in hand when the program ended is found by the mark in its row, and
//! its effect in flight stands there too. It is performed again, with the same
//! key, if that is safe; else the run is held in doubt, and a person decides.

mod advance;
mod aftermath;
mod ask;
mod begin;
mod call;
mod count;
mod ended;
pub(crate) mod databricks;
pub(crate) mod door;
pub(crate) mod history;
mod load;
mod mail;
pub(crate) mod perform;
mod push;
mod start;
mod store;
mod watch;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base::error::chain;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::flows::Flows;
use crate::run::{RunId, RunState};
use crate::tables::{self, Aftermath, Agenda, Barrier, Then};

use advance::{Held, Parted};
pub(crate) use aftermath::Attempt;
use load::Rows;
use start::Started;

/// Longest time without a look at the agenda.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_mins(1);
/// How long a look waits for more room while more waits than can be taken up.
/// A look costs a read and a flush however much it takes up.
const LOOK_PATIENCE: Duration = Duration::from_millis(5);
/// What is due at once is looked for after so long.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
/// Wait before the database is tried again.
pub(crate) const DATABASE_RETRY: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(1) };
/// Runs that are found in hand at the start in one transaction.
const TAKEN_BACK_AT_ONCE: u32 = 1_000;

/// What the loop remembers.
#[derive(Default)]
struct Desk {
    tasks: JoinSet<(RunId, Parted)>,
    in_hand: HashMap<tokio::task::Id, RunId>,
    runs: HashSet<RunId>,
    /// Sleeping runs whose machines are still here.
    warm: HashMap<RunId, Held>,
    /// More waits than could be taken up.
    is_short: bool,
    /// When there will be something to do.
    next: Option<Timestamp>,
}

/// What is there of a run that is taken in hand.
enum Taken {
    /// Its machine.
    Held(Box<Held>),
    /// What is stored of it.
    Rows(Box<Rows>),
}

impl Desk {
    /// Tells whether a look at the agenda would take up much, or all there is.
    fn has_room(&self, concurrency: usize) -> bool {
        !self.is_short || self.tasks.is_empty() || self.tasks.len() + concurrency.div_ceil(4) <= concurrency
    }
}

impl Flows {
    /// Does the work of the engine until told to stop: starts runs, wakes
    /// them, performs their effects. What was in flight when it last ended is
    /// taken up first. When told to stop it lets effects in flight come to
    /// their end, for a while, and starts no new ones.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.watch_signals().await;
        let nobody_waits = async {
            stop.cancelled().await;
            self.callers.close();
        };
        tokio::join!(self.work(&stop, false), self.forget_old_runs(&stop), nobody_waits);
    }

    /// Works until nothing is due; what sleeps goes on sleeping.
    #[cfg(test)]
    pub(crate) async fn run_until_idle(self: &Arc<Self>) {
        self.work(&CancellationToken::new(), true).await;
    }

    async fn work(self: &Arc<Self>, stop: &CancellationToken, until_idle: bool) {
        self.take_back(stop).await;
        let mut desk = Desk::default();
        let (_open, mut arriving) = self.door.open();
        let mut cut_off_at = None;
        let (mut looks, mut looks_by) = (true, None);
        loop {
            // Seen once in each round: told to stop in the middle of it, the
            // next round begins at once and sets the end of the grace.
            let is_stopping = stop.is_cancelled();
            if is_stopping && cut_off_at.is_none() {
                cut_off_at = Some(Instant::now() + self.options.grace);
                self.door.close();
            }
            let mut wait = LOOK_AT_LEAST_EVERY;
            if !is_stopping {
                let is_worthwhile = desk.has_room(self.options.concurrency);
                if looks && (is_worthwhile || self.is_simulated() || looks_by.is_some_and(|by| by <= Instant::now())) {
                    (looks, looks_by) = (false, None);
                    match self.take_up(&mut desk, stop).await {
                        // More may wait than was started at once.
                        Ok(true) => {
                            looks = until_idle;
                            self.nudge.notify_one();
                        }
                        Ok(false) => {}
                        Err(error) => {
                            tracing::warn!(error = %chain(&error), "the agenda of the flows cannot be read");
                            desk.next = Some(self.clock.now().plus(DATABASE_RETRY));
                        }
                    }
                }
                if looks {
                    let by = *looks_by.get_or_insert_with(|| Instant::now() + LOOK_PATIENCE);
                    wait = by.saturating_duration_since(Instant::now());
                } else if let Some(next) = desk.next {
                    wait = wait.min(next.since(self.clock.now()).max(SHORTEST_WAIT));
                }
            }
            tokio::select! {
                biased;
                Some(done) = desk.tasks.join_next_with_id() => {
                    self.put_down(&mut desk, done, stop);
                    while let Some(done) = desk.tasks.try_join_next_with_id() {
                        self.put_down(&mut desk, done, stop);
                    }
                    looks |= desk.is_short || until_idle;
                }
                Some(held) = arriving.recv() => self.take_in(&mut desk, held, &mut arriving, stop),
                () = std::future::ready(()), if desk.tasks.is_empty() && (is_stopping || (until_idle && !looks)) => return,
                () = stop.cancelled(), if !is_stopping => {}
                () = sleep_until(cut_off_at) => {
                    tracing::warn!(runs = desk.tasks.len(), "effects in flight did not end in time");
                    desk.tasks.shutdown().await;
                    return;
                }
                () = self.nudge.notified(), if !is_stopping => looks = true,
                () = self.let_pass(wait), if !is_stopping => looks = true,
            }
        }
    }

    /// Tells whether time, chance and disk are those of a simulation, in which
    /// what the machine's clock does must change nothing.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only a test has a clock that stands still"))]
    fn is_simulated(&self) -> bool {
        #[cfg(test)]
        return self.options.pauses.is_some();
        #[cfg(not(test))]
        false
    }

    /// Waits before the database is tried again.
    pub(crate) async fn pause(&self) {
        #[cfg(test)]
        if let Some(pauses) = &self.options.pauses {
            return pauses.notified().await;
        }
        tokio::time::sleep(DATABASE_RETRY).await;
    }

    /// Waits until it is time to look.
    async fn let_pass(&self, wait: Duration) {
        match self.is_simulated() {
            false => tokio::time::sleep(wait).await,
            // Whoever moves the clock of a simulation says so.
            true if wait > SHORTEST_WAIT => std::future::pending().await,
            true => tokio::task::yield_now().await,
        }
    }

    /// Finds what was in hand when the program last ended, and makes it due.
    async fn take_back(&self, stop: &CancellationToken) {
        let mut found = 0;
        loop {
            let now = self.clock.now();
            let taken = self.db.write("flows.take_back", move |tx| tables::take_back(tx, now, TAKEN_BACK_AT_ONCE));
            match taken.await {
                Ok(0) => break,
                Ok(runs) => found += runs,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "runs that were in hand cannot be taken up yet");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = self.pause() => {}
                    }
                }
            }
        }
        if found > 0 {
            tracing::info!(runs = found, "runs that were in hand when the program ended go on");
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

    /// Starts what is to be started, takes what is due in hand, hands all of it
    /// to tasks, and notes when there will be more. Tells whether runs have
    /// started.
    async fn take_up(self: &Arc<Self>, desk: &mut Desk, stop: &CancellationToken) -> Result<bool, Error> {
        let retried = self.take_up_incomplete().await?;
        for run in std::mem::take(&mut *self.cancelled.lock()) {
            desk.warm.remove(&run);
        }
        let agenda = self.agenda(desk).await?;
        desk.next = [agenda.next, retried].into_iter().flatten().min();
        // What waits on a hook may start when a run has ended.
        desk.is_short = !agenda.hooks.is_empty();
        let room = self.options.concurrency.saturating_sub(desk.tasks.len());
        let mut due: Vec<RunId> = agenda.runs.iter().copied().filter(|run| !desk.runs.contains(run)).collect();
        if due.len() > room {
            due.truncate(room);
            desk.is_short = true;
        }
        if !due.is_empty() {
            let taken = due.clone();
            self.db.write("flows.take_in_hand", move |tx| tables::take_in_hand(tx, &taken)).await?;
        }
        let room = room - due.len();
        let (warm, cold): (Vec<RunId>, Vec<RunId>) = due.into_iter().partition(|run| desk.warm.contains_key(run));
        for run in warm {
            let held = desk.warm.remove(&run).map(|held| Taken::Held(Box::new(held)));
            self.spawn(desk, run, held, stop);
        }
        for (run, rows) in self.read_runs(cold).await {
            self.spawn(desk, run, rows.map(|rows| Taken::Rows(Box::new(rows))), stop);
        }
        // What is due already came first.
        let started = self.start_runs(&agenda, room).await?;
        let has_started = !started.is_empty();
        for started in started {
            match started {
                Started::Unwalked(run) => self.spawn(desk, run, None, stop),
                Started::Walked(held) => self.spawn(desk, held.run(), Some(Taken::Held(held)), stop),
                Started::Ended => {}
            }
        }
        Ok(has_started)
    }

    /// Takes in runs that have started at the door.
    fn take_in(
        self: &Arc<Self>,
        desk: &mut Desk,
        held: Held,
        arriving: &mut UnboundedReceiver<Held>,
        stop: &CancellationToken,
    ) {
        let mut next = Some(held);
        while let Some(held) = next {
            self.spawn(desk, held.run(), Some(Taken::Held(Box::new(held))), stop);
            next = arriving.try_recv().ok();
        }
    }

    fn spawn(self: &Arc<Self>, desk: &mut Desk, run: RunId, taken: Option<Taken>, stop: &CancellationToken) {
        desk.runs.insert(run);
        let (flows, stop) = (self.clone(), stop.clone());
        let task = desk.tasks.spawn(async move { (run, flows.advance(run, taken, &stop).await) });
        desk.in_hand.insert(task.id(), run);
        self.door.set_in_hand(desk.tasks.len());
    }

    async fn agenda(&self, desk: &Desk) -> Result<Agenda, Error> {
        // Those in hand may be due too, so room is left for them; one more than
        // can be taken up tells that more wait.
        let runs_max = self.options.concurrency + desk.runs.len() + 1;
        let now = self.clock.now();
        Ok(self.db.read("flows.agenda", move |tx| tables::agenda(tx, now, runs_max)).await?)
    }

    /// Takes a run out of a task's hands.
    fn put_down(
        self: &Arc<Self>,
        desk: &mut Desk,
        done: Result<(tokio::task::Id, (RunId, Parted)), JoinError>,
        stop: &CancellationToken,
    ) {
        match done {
            Ok((task, (run, parted))) => {
                desk.in_hand.remove(&task);
                desk.runs.remove(&run);
                match parted {
                    Parted::Through => {}
                    Parted::Again if stop.is_cancelled() => {}
                    Parted::Again => self.spawn(desk, run, None, stop),
                    Parted::Sleeps(held) => {
                        // Who calls may have been woken before it lay down.
                        let wakes_at = if held.calls() { Some(self.clock.now()) } else { held.wakes_at() };
                        desk.next = [desk.next, wakes_at].into_iter().flatten().min();
                        if desk.warm.len() < self.options.warm_max {
                            desk.warm.insert(run, *held);
                        }
                    }
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
                    (run, Parted::Through)
                });
                desk.in_hand.insert(task.id(), run);
            }
        }
        self.door.set_in_hand(desk.tasks.len());
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
                    flow: row.info.flow,
                    now,
                    settled: None,
                    asked: row.asked,
                    operation_count: row.info.operations,
                    stored: Vec::new(),
                    then: Then::Held(state, reason.clone()),
                    aftermath: Aftermath::default(),
                };
                tables::record(tx, &barrier)
            });
            let Err(error) = held.await else { return };
            tracing::error!(%run, error = %chain(&error), "a run cannot be held yet");
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.pause() => {}
            }
        }
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
