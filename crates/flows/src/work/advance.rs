//! One run on its way: from its journal to the effect in flight, and on from
//! barrier to barrier.

use std::sync::Arc;
use std::time::Duration;

use base::error::chain;
use base::work::Backoff;
use base::{Causes, Timestamp};
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::DATABASE_RETRY;
use crate::connection::Unsealed;
use crate::engine::{Ending, Facts, Intent, Machine, Stop};
use crate::error::Error;
use crate::flows::{Flows, purpose_of};
use crate::modules::{Class, ModuleError, Plan, Settled, http};
use crate::program::Program;
use crate::run::{Operation, RunId, RunState};
use crate::tables::{self, Asked, Barrier, Then};
use crate::value::Value;

/// Waits between the attempts of an effect.
const BETWEEN_ATTEMPTS: Backoff = Backoff { first: Duration::from_secs(1), cap: Duration::from_mins(1) };

/// A run in a task's hands: its machine stands at the effect that was asked for.
pub(super) struct Held {
    run: RunId,
    machine: Machine,
    program: Arc<Program>,
    asked: Option<InFlight>,
    /// What led to each start bundle.
    causes: Vec<Causes>,
}

impl Held {
    /// Returns what led to an effect: to the start bundle below which it is, or
    /// to all of them where these were brought together.
    fn causes_of(&self, intent: &Intent) -> Causes {
        let start = self.program.start_step().map(|step| self.program.steps[step].id);
        let first = intent.path.split('/').next().and_then(|place| place.split_once('.'));
        let bundle = first.and_then(|(module, number)| {
            let is_start = module.parse().ok() == start;
            number.parse::<usize>().ok().filter(|_| is_start)
        });
        match bundle.and_then(|number| self.causes.get(number.checked_sub(1)?)) {
            Some(causes) => causes.clone(),
            None => Causes::together(&self.causes),
        }
    }
}

struct InFlight {
    intent: Intent,
    attempt: u32,
    /// Not before this time.
    at: Timestamp,
}

/// What keeps a run from being taken up.
enum Obstacle {
    /// It has ended or is held.
    NotLive,
    /// A person decides.
    Hold(RunState, String),
    /// Nothing can be said now.
    Later(Error),
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Obstacle::Later(error)
    }
}

impl Flows {
    /// Moves a run on until it ends, sleeps, or the engine is to stop. Returns
    /// its machine if it goes on later.
    pub(super) async fn advance(&self, run: RunId, warm: Option<Held>, stop: &CancellationToken) -> Option<Held> {
        let held = match warm {
            Some(held) => Ok(held),
            None => self.load(run).await,
        };
        let mut held = match held {
            Ok(held) => held,
            Err(Obstacle::NotLive) => return None,
            Err(Obstacle::Hold(state, reason)) => {
                self.hold(run, state, reason, stop).await;
                return None;
            }
            Err(Obstacle::Later(error)) => {
                tracing::warn!(%run, error = %chain(&error), "a run cannot be loaded");
                tokio::time::sleep(DATABASE_RETRY).await;
                return None;
            }
        };
        loop {
            let settled = match held.asked.take() {
                None => None,
                Some(asked) if stop.is_cancelled() => {
                    // Nothing was sent, so there will be no doubt about it.
                    if let Err(error) = self.set_begun(run, &asked.intent, false).await {
                        tracing::warn!(%run, error = %chain(&error), "a run will be in doubt without need");
                    }
                    return None;
                }
                Some(asked) if asked.at > self.clock.now() => {
                    held.asked = Some(asked);
                    return Some(held);
                }
                Some(asked) => {
                    let causes = held.causes_of(&asked.intent);
                    let (settled, may_help) = self.perform(&asked.intent, &causes).await;
                    let tries_again = may_help && asked.intent.is_safe && asked.attempt <= held.program.retries;
                    if tries_again {
                        let at = BETWEEN_ATTEMPTS.retry_at(asked.attempt, self.clock.now(), &*self.chance);
                        let asked = InFlight { attempt: asked.attempt + 1, at, ..asked };
                        if !self.record_again(&held, &asked, stop).await {
                            return None;
                        }
                        held.asked = Some(asked);
                        continue;
                    }
                    Some((asked.intent.number, settled))
                }
            };
            let now = self.clock.now();
            let settled = settled.map(|(number, settled)| {
                let stored = settled.to_stored().to_string();
                held.machine.settle(settled, now);
                (number, stored)
            });
            let stopped = self.walk(&mut held.machine).await;
            let (asked, then) = match stopped {
                Walked::Effect(intent) => {
                    let at = match &intent.plan {
                        Plan::Wait(span) => now.plus(*span),
                        Plan::Http(_) | Plan::Nothing(_) => now,
                    };
                    (Some(InFlight { intent, attempt: 1, at }), Then::Wakes(at))
                }
                Walked::End(ending) => (None, Then::Ended(ending.outcome, ending.reason)),
            };
            let barrier = Barrier {
                run,
                now,
                settled,
                asked: asked.as_ref().map(|asked| row_of(&asked.intent)),
                again: None,
                operations: self.kept(held.machine.take_operations()),
                operation_count: held.machine.operation_count(),
                then,
            };
            if !self.record(barrier, stop).await || asked.is_none() {
                return None;
            }
            held.asked = asked;
        }
    }

    /// Walks to the next effect, and lets other runs go first now and then.
    async fn walk(&self, machine: &mut Machine) -> Walked {
        loop {
            match machine.walk(self.options.steps_at_once) {
                Stop::Effect(intent) => return Walked::Effect(intent),
                Stop::End(ending) => return Walked::End(ending),
                Stop::Pause => {
                    // A long way without an effect must not fill the memory
                    // with what will not be kept.
                    machine.forget_operations_after(self.options.operations_kept_max);
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Replays a run from its journal up to the effect that is in flight.
    async fn load(&self, run: RunId) -> Result<Held, Obstacle> {
        let (row, journal) = self
            .db
            .read("flows.load", move |tx| Ok::<_, Error>((tables::run(tx, run)?, tables::journal(tx, run)?)))
            .await?;
        let Some(row) = row.filter(|row| row.info.state == RunState::Live) else { return Err(Obstacle::NotLive) };
        let program = match self.program(&row.info.version).await {
            Ok(program) => program,
            Err(Error::BadDocument { detail, .. }) => {
                return Err(Obstacle::Hold(RunState::Parked, format!("changed by upgrade: {detail}")));
            }
            Err(error) => return Err(error.into()),
        };
        let parse = |text: &str| Value::from_json(serde_json::from_str(text).unwrap_or(Json::Null));
        let bundles = match parse(&row.input) {
            Value::Array(bundles) => bundles.to_vec(),
            _ => Vec::new(),
        };
        let facts = Facts {
            run,
            flow: row.info.flow,
            name: program.name.clone(),
            variables: parse(&row.variables),
            seed: row.seed,
        };
        let mut machine = Machine::new(program.clone(), facts, bundles, row.info.started_at);
        let mut asked = None;
        for effect in journal {
            let Walked::Effect(intent) = self.walk(&mut machine).await else {
                return Err(changed("the run would be through by now"));
            };
            if (intent.number, intent.module, &*intent.path) != (effect.number, effect.module, effect.path.as_str()) {
                return Err(changed(&format!("module {} would run where module {} ran", intent.module, effect.module)));
            }
            if let (Some(result), Some(settled_at)) = (effect.result, effect.settled_at) {
                let settled = serde_json::from_str(&result).ok().and_then(Settled::from_stored);
                let Some(settled) = settled else { return Err(changed("a recorded result cannot be read")) };
                machine.settle(settled, settled_at);
                continue;
            }
            if !effect.begun {
                self.set_begun(run, &intent, true).await?;
            } else if !effect.safe {
                let text = format!("module {} may have sent its request at {}", intent.module, effect.asked_at);
                return Err(Obstacle::Hold(RunState::InDoubt, text));
            }
            let at = row.info.wakes_at.unwrap_or(effect.asked_at);
            asked = Some(InFlight { intent, attempt: effect.attempt, at });
        }
        if asked.is_some() {
            // What led here was recorded in the barrier of its intent.
            machine.take_operations();
        }
        Ok(Held { run, machine, program, asked, causes: row.causes })
    }

    /// Performs an effect. The second part tells that trying again may help.
    async fn perform(&self, intent: &Intent, causes: &Causes) -> (Settled, bool) {
        let done = |result| (Settled { result, status_code: None }, false);
        let call = match &intent.plan {
            Plan::Nothing(bundles) => return done(Ok(bundles.clone())),
            Plan::Wait(_) => return done(Ok(vec![Value::collection::<String>([])])),
            Plan::Http(call) => call,
        };
        let connection = match &call.connection {
            None => None,
            Some(name) => match self.unseal(name).await {
                Ok(connection) => Some(connection),
                Err(error) => return done(Err(error)),
            },
        };
        http::send(call, &*self.http, connection.as_ref(), &intent.key, causes, self.clock.now()).await
    }

    async fn unseal(&self, name: &str) -> Result<Unsealed, ModuleError> {
        let refused = |message: String| ModuleError::new(Class::InvalidConfigurationError, message);
        let asked = name.to_owned();
        let row = self.db.read("flows.connection", move |tx| tables::connection(tx, &asked)).await;
        let row = row.map_err(|error| refused(format!("connection \"{name}\" cannot be read: {error}")))?;
        let (info, sealed) = row.ok_or_else(|| refused(format!("connection \"{name}\" does not exist")))?;
        let opened = self.keys.open(&purpose_of(name), &sealed).map_err(|error| refused(error.to_string()))?;
        Unsealed::new(info, &opened).ok_or_else(|| refused(format!("connection \"{name}\" is damaged")))
    }

    /// Remembers whether an effect that is not safe to repeat may have been tried.
    async fn set_begun(&self, run: RunId, intent: &Intent, begun: bool) -> Result<(), Error> {
        if intent.is_safe {
            return Ok(());
        }
        let number = intent.number;
        let written = self.db.write("flows.set_begun", move |tx| tables::set_begun(tx, run, number, begun));
        Ok(written.await?)
    }

    async fn record_again(&self, held: &Held, asked: &InFlight, stop: &CancellationToken) -> bool {
        let barrier = Barrier {
            run: held.run,
            now: self.clock.now(),
            settled: None,
            asked: None,
            again: Some((asked.intent.number, asked.attempt)),
            operations: Vec::new(),
            operation_count: held.machine.operation_count(),
            then: Then::Wakes(asked.at),
        };
        self.record(barrier, stop).await
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
                    tokio::time::sleep(DATABASE_RETRY).await;
                }
            }
        }
    }

    /// Cuts what is kept of operations to size.
    fn kept(&self, operations: Vec<Operation>) -> Vec<Operation> {
        let fits = |value: &Json| value.to_string().len() <= self.options.capture_bytes_max;
        let left_out = || json!("(left out: too long)");
        let mut kept: Vec<Operation> =
            operations.into_iter().filter(|each| each.number <= self.options.operations_kept_max).collect();
        for operation in &mut kept {
            if !fits(&operation.input) {
                operation.input = left_out();
            }
            if !fits(&Json::from(operation.output.clone())) {
                operation.output = vec![left_out()];
            }
        }
        kept
    }
}

/// How far a machine walked.
enum Walked {
    Effect(Intent),
    End(Ending),
}

fn changed(detail: &str) -> Obstacle {
    Obstacle::Hold(RunState::Parked, format!("changed by upgrade: {detail}"))
}

fn row_of(intent: &Intent) -> Asked {
    Asked {
        number: intent.number,
        module: intent.module,
        path: intent.path.to_string(),
        key: intent.key.clone(),
        safe: intent.is_safe,
    }
}
