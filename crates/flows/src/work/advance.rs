//! One run on its way, from barrier to barrier.

use std::sync::Arc;
use std::time::Duration;

use base::error::chain;
use base::work::Backoff;
use base::{Causes, Timestamp};
use tokio_util::sync::CancellationToken;

use super::Taken;
use super::aftermath::aftermath;
use super::call::Called;
use super::load::Obstacle;
use super::perform::For;
use crate::engine::{Ending, Intent, Machine, Stop};
use crate::error::Error;
use crate::feedback;
use crate::flows::{Behind, Flows};
use crate::modules::{Class, ModuleError, Plan};
use crate::program::Program;
use crate::run::RunId;
use crate::tables::{self, Aftermath, Asked, Barrier, Came, Then};

/// Waits between the attempts of an effect.
const BETWEEN_ATTEMPTS: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_mins(1) };

/// A run in a task's hands: its machine stands at the effect that was asked for.
pub(crate) struct Held {
    run: RunId,
    whose: Whose,
    machine: Machine,
    program: Arc<Program>,
    asked: Option<InFlight>,
    /// What led to each start bundle.
    causes: Vec<Causes>,
    /// How often the program died while it was in hand, if that is suspect.
    suspect: Option<u32>,
}

/// Whose run it is, and what started it.
#[derive(Clone)]
pub(super) struct Whose {
    pub(super) flow: String,
    pub(super) started_by: String,
}

/// An effect that was asked for.
pub(super) struct InFlight {
    pub(super) intent: Intent,
    pub(super) attempt: u32,
    pub(super) asked_at: Timestamp,
    /// Not before this time.
    pub(super) at: Timestamp,
}

/// How a run leaves a task's hands.
pub(super) enum Parted {
    /// It has ended, or is held, or is not to be worked on now.
    Through,
    /// It is to be taken up again.
    Again,
    /// It goes on at a later time.
    Sleeps(Box<Held>),
}

/// How far a machine walked.
pub(super) enum Walked {
    Effect(Intent),
    End(Ending),
}

impl Held {
    pub(super) fn new(
        run: RunId,
        whose: Whose,
        machine: Machine,
        program: Arc<Program>,
        asked: Option<InFlight>,
        causes: Vec<Causes>,
        suspect: Option<u32>,
    ) -> Self {
        Held { run, whose, machine, program, asked, causes, suspect }
    }

    pub(super) fn run(&self) -> RunId {
        self.run
    }

    /// Tells whether it waits for another flow, or for a person.
    pub(super) fn calls(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.intent.plan.is_woken())
    }

    /// Returns when it goes on.
    pub(super) fn wakes_at(&self) -> Option<Timestamp> {
        self.asked.as_ref().map(|asked| asked.at)
    }

    /// Returns what led to an effect: to the start bundle below which it is, or
    /// to all of them where these were brought together.
    fn causes_of(&self, intent: &Intent) -> Causes {
        let start = self.program.start_step().map(|step| self.program.steps[step].id);
        let first = intent.path.split('/').next().and_then(|place| place.split_once('.'));
        let bundle = first.and_then(|(module, number)| {
            let is_start = module.parse().ok() == start;
            number.parse::<usize>().ok().filter(|_| is_start)
        });
        let causes = match bundle.and_then(|number| self.causes.get(number.checked_sub(1)?)) {
            Some(causes) => causes.clone(),
            None => Causes::together(&self.causes),
        };
        feedback::of_run(causes, &self.program.start, &self.whose.flow, self.run)
    }
}

impl InFlight {
    /// Takes an intent that the machine has just come to.
    pub(super) fn new(intent: Intent, now: Timestamp) -> Self {
        let at = match &intent.plan {
            Plan::Wait(span) => now.plus(*span),
            _ => now,
        };
        InFlight { intent, attempt: 1, asked_at: now, at }
    }

    /// Returns how it stands in the row of its run.
    pub(super) fn row(&self) -> Asked {
        Asked {
            number: self.intent.number,
            module: self.intent.module,
            path: self.intent.path.to_string(),
            at: self.asked_at,
            attempt: self.attempt,
            safe: self.intent.is_safe,
            begun: true,
        }
    }

    /// Returns how its run stands meanwhile.
    pub(super) fn then(&self, now: Timestamp) -> Then {
        if self.at > now { Then::Wakes(self.at) } else { Then::GoesOn }
    }
}

impl Flows {
    /// Moves a run on until it ends, sleeps, or the engine is to stop.
    pub(super) async fn advance(&self, run: RunId, taken: Option<Taken>, stop: &CancellationToken) -> Parted {
        let held = match taken {
            Some(Taken::Held(held)) => Ok(*held),
            Some(Taken::Rows(rows)) => self.load(run, *rows).await,
            None => match self.read_run(run).await {
                Ok(rows) => self.load(run, rows).await,
                Err(error) => Err(error.into()),
            },
        };
        let mut held = match held {
            Ok(held) => held,
            Err(Obstacle::NotLive) => return Parted::Through,
            Err(Obstacle::Hold(state, reason)) => {
                self.hold(run, state, reason, stop).await;
                return Parted::Through;
            }
            Err(Obstacle::Later(error)) => {
                tracing::warn!(%run, error = %chain(&error), "a run cannot be loaded");
                self.pause().await;
                return Parted::Again;
            }
        };
        loop {
            let mut settled = None;
            if let Some(asked) = held.asked.take() {
                if stop.is_cancelled() {
                    // Nothing was sent, so there will be no doubt about it. Who is
                    // woken by others may have been: its own time is the latest.
                    let at = if asked.intent.plan.is_woken() { self.clock.now() } else { asked.at };
                    let given_back = self.set_begun(run, &asked.intent, false, Some(at)).await;
                    if let Err(error) = given_back {
                        tracing::warn!(%run, error = %chain(&error), "a run will be in doubt without need");
                    }
                    return Parted::Through;
                }
                // Who calls another flow is woken when that has ended, and who
                // asks a person when that has answered.
                let is_call = asked.intent.plan.is_woken();
                if asked.at > self.clock.now() && !is_call {
                    held.asked = Some(asked);
                    return Parted::Sleeps(Box::new(held));
                }
                let causes = held.causes_of(&asked.intent);
                let (result, may_help) = match self.perform_within(&held, &asked, &causes).await {
                    Some(Ok(Called::Settled(settled))) => (settled, false),
                    Some(Ok(Called::Sleeps(at))) => {
                        held.asked = Some(InFlight { at, ..asked });
                        return Parted::Sleeps(Box::new(held));
                    }
                    Some(Err(Error::HasEnded { .. })) => {
                        self.is_cut_off(run);
                        return Parted::Through;
                    }
                    Some(Err(error)) => {
                        // Nothing is lost: the effect is performed again.
                        tracing::warn!(%run, error = %chain(&error), "an effect waits for the database");
                        self.pause().await;
                        held.asked = Some(asked);
                        continue;
                    }
                    None => {
                        let behind = Behind::Flow { flow: &held.whose.flow, version: &held.program.hash };
                        self.perform_in_time(&asked.intent, &For { causes: &causes, behind }).await
                    }
                };
                if may_help && asked.intent.is_safe && asked.attempt <= held.program.retries {
                    let at = BETWEEN_ATTEMPTS.retry_at(asked.attempt, self.clock.now(), &*self.chance);
                    held.asked = Some(InFlight { attempt: asked.attempt + 1, at, ..asked });
                    let again = held.asked.as_ref().map(InFlight::row);
                    let then = Then::Wakes(at);
                    if !self.record(barrier(&held, self.clock.now(), None, again, then), stop).await {
                        return Parted::Through;
                    }
                    continue;
                }
                settled = Some((asked, result));
            }
            let now = self.clock.now();
            while let Some(deaths) = held.suspect
                && let Err(error) = self.suspect_computes(run, deaths).await
            {
                tracing::warn!(%run, error = %chain(&error), "a suspect run waits for the database");
                if stop.is_cancelled() {
                    return Parted::Through;
                }
                self.pause().await;
            }
            let settled = settled.map(|(asked, result)| {
                let came = Came { effect: asked.row(), result: result.to_stored().to_string() };
                held.machine.settle(result, now);
                came
            });
            held.suspect = None;
            let walked = self.walk_within_limits(&mut held.machine).await;
            let ending = match &walked {
                Walked::End(ending) => Some(ending),
                Walked::Effect(_) => None,
            };
            let aftermath = aftermath(run, &held.whose, &held.program, &mut held.machine, ending, self.limits());
            let mut ended = None;
            let then = match walked {
                Walked::Effect(intent) => {
                    let asked = InFlight::new(intent, now);
                    let then = asked.then(now);
                    held.asked = Some(asked);
                    then
                }
                Walked::End(ending) => {
                    ended = Some(ending.for_callers());
                    Then::Ended(ending.outcome, ending.reason)
                }
            };
            let asked = held.asked.as_ref().map(InFlight::row);
            let mut barrier = barrier(&held, now, settled, asked, then);
            if held.asked.is_none() && held.program.is_confidential {
                barrier.stored = self.shown(held.machine.take_operations());
            }
            let may_start_more = aftermath.may_start_more();
            barrier.aftermath = aftermath;
            let responses = held.machine.take_responses();
            let goes_on = self.record(barrier, stop).await;
            if may_start_more {
                self.nudge.notify_one();
            }
            if !goes_on {
                self.is_cut_off(run);
                return Parted::Through;
            }
            // What a run answers is said when what led to it is durable.
            self.callers.tell(run, responses, ended);
            if held.asked.is_none() {
                return Parted::Through;
            }
        }
    }

    /// Performs an effect that is a change of our own tables, or is kept there
    /// while it is under way, if it is one. A
    /// run that has ended meanwhile is refused by [`Error::HasEnded`].
    async fn perform_within(&self, held: &Held, asked: &InFlight, causes: &Causes) -> Option<Result<Called, Error>> {
        let (run, flow, intent) = (held.run, &held.whose.flow, &asked.intent);
        Some(match &intent.plan {
            Plan::Flow(call) => self.call_flow(run, asked, call, causes).await,
            Plan::Count => self.count(run, flow, intent).await.map(Called::Settled),
            Plan::Store(call) => self.use_store(run, &held.program, intent, call).await.map(Called::Settled),
            Plan::Ask(question) => self.ask(run, flow, asked, question).await,
            Plan::Databricks(errand) => {
                let behind = Behind::Flow { flow, version: &held.program.hash };
                self.converse(run, asked, errand, &For { causes, behind }).await
            }
            _ => return None,
        })
    }

    /// Tells who waits for a run that somebody else has ended, or that ended
    /// for want of room.
    fn is_cut_off(&self, run: RunId) {
        let why = "the run was ended before it had answered; its history says why";
        self.callers.tell(run, Vec::new(), Some(Err(why.to_owned())));
    }

    /// Walks to the next effect, unless the run has taken all that it may.
    async fn walk_within_limits(&self, machine: &mut Machine) -> Walked {
        let limits = self.limits();
        let worked_out = |machine: &Machine| machine.worked() > limits.working_time_max;
        if worked_out(machine) {
            let message = format!("the run has worked longer than {} seconds", limits.working_time_max.as_secs());
            return Walked::End(machine.interrupt(ModuleError::new(Class::ScenarioTimeoutError, message)));
        }
        match self.walk_at_most(machine, limits.operations_max).await {
            Some(walked) => walked,
            None => {
                let message = format!("the run has taken more than {} operations", limits.operations_max);
                let error = ModuleError::new(Class::OperationsLimitExceededError, message);
                Walked::End(machine.interrupt(error))
            }
        }
    }

    /// Walks to the next effect; nothing comes of a way on which there are
    /// more operations than so many.
    pub(super) async fn walk_at_most(&self, machine: &mut Machine, operations_max: u64) -> Option<Walked> {
        loop {
            let stop = machine.walk(self.options.steps_at_once);
            if machine.operation_count() > operations_max {
                return None;
            }
            match stop {
                Stop::Effect(intent) => return Some(Walked::Effect(intent)),
                Stop::End(ending) => return Some(Walked::End(ending)),
                Stop::Pause => tokio::task::yield_now().await,
            }
        }
    }

    /// Walks to the next effect, and lets other runs go first now and then.
    pub(super) async fn walk(&self, machine: &mut Machine) -> Walked {
        loop {
            match machine.walk(self.options.steps_at_once) {
                Stop::Effect(intent) => return Walked::Effect(intent),
                Stop::End(ending) => return Walked::End(ending),
                Stop::Pause => tokio::task::yield_now().await,
            }
        }
    }

    /// Remembers whether an effect that is not safe to repeat may have been
    /// tried; a run that is given back goes on at `wakes_at`.
    pub(super) async fn set_begun(
        &self,
        run: RunId,
        intent: &Intent,
        begun: bool,
        wakes_at: Option<Timestamp>,
    ) -> Result<(), Error> {
        if intent.is_safe && wakes_at.is_none() {
            return Ok(());
        }
        let written = self.db.write("flows.set_begun", move |tx| tables::set_begun(tx, run, begun, wakes_at));
        Ok(written.await?)
    }

    /// Commits a barrier. While the database refuses it, the run stands still
    /// with its result in memory: an effect that happened must not be
    /// forgotten as long as there is a chance to write it down. Tells whether
    /// the run goes on.
    async fn record(&self, barrier: Barrier, stop: &CancellationToken) -> bool {
        let run = barrier.run;
        let barrier = Arc::new(barrier);
        loop {
            let shared = barrier.clone();
            match self.db.write("flows.barrier", move |tx| tables::record(tx, &shared)).await {
                Ok(live) => return live,
                Err(error) if stop.is_cancelled() => {
                    tracing::error!(%run, error = %chain(&error), "the last result of a run cannot be recorded");
                    return false;
                }
                Err(error) => {
                    tracing::warn!(%run, error = %chain(&error), "a run waits for the database");
                    self.pause().await;
                }
            }
        }
    }
}

fn barrier(held: &Held, now: Timestamp, settled: Option<Came>, asked: Option<Asked>, then: Then) -> Barrier {
    Barrier {
        run: held.run,
        flow: held.whose.flow.clone(),
        now,
        settled,
        asked,
        operation_count: held.machine.operation_count(),
        stored: Vec::new(),
        then,
        aftermath: Aftermath::default(),
    }
}
