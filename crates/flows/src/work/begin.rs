//! Runs that walk before they are written.
//!
//! Between the beginning of a run and its first effect nothing happens but
//! computing. So a run that begins with what a hook brought walks to that
//! effect, or to its end, before anything is written, and one transaction then
//! holds all of it: the run, its start bundles and its intent. Nobody has heard
//! of it until then; where the transaction finds things otherwise than they
//! were thought to be, the walk is forgotten.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base::db::{self, Tx};
use base::{Causes, Timestamp};
use serde_json::Value as Json;

use super::advance::{Held, InFlight, Whose};
use super::aftermath::aftermath;
use crate::engine::{Ending, Facts, Machine, Stop};
use crate::flows::Flows;
use crate::program::Program;
use crate::run::{Outcome, RunId};
use crate::tables::{self, Aftermath, Asked, FlowRow, NewRun, Then};
use crate::value::Value;

/// A run that has walked to its first effect, or to its end.
pub(super) struct Begun {
    run: NewRun,
    program: Arc<Program>,
    machine: Machine,
    first: First,
    aftermath: Aftermath,
}

enum First {
    Effect(InFlight),
    End(Ending),
}

/// What one transaction writes of it.
pub(super) struct BegunRow {
    run: NewRun,
    /// The start bundles as a JSON array, and what led to each of them.
    input: String,
    causes: Vec<Causes>,
    first: FirstRow,
    operation_count: u64,
}

enum FirstRow {
    Effect(Asked, Timestamp),
    End(Outcome, Option<String>, Aftermath),
}

impl Flows {
    /// Walks the machine of a new run to its first effect. Nothing comes of one
    /// that must be written first: it takes more than it may at once, fails in a
    /// way for which there must be room, or breaks the engine, and then the
    /// loop will park it.
    pub(super) fn begin(&self, flow: &FlowRow, program: &Arc<Program>, bundles: &[Json]) -> Option<Begun> {
        let run = self.new_run(flow, program, program.start.word());
        let facts = Facts {
            run: run.id,
            flow: flow.key.clone(),
            name: program.name.clone(),
            variables: Value::from_json(serde_json::from_str(&run.variables).unwrap_or(Json::Null)),
            seed: run.seed,
        };
        let walked = catch_unwind(AssertUnwindSafe(|| {
            let bundles = bundles.iter().cloned().map(Value::from_json).collect();
            let mut machine = Machine::recording(program.clone(), facts, bundles, run.now, 0);
            let stop = machine.walk(self.options.steps_at_once);
            (machine, stop)
        }));
        let (mut machine, stop) = walked.ok()?;
        if machine.operation_count() > self.limits().operations_max {
            return None;
        }
        let first = match stop {
            Stop::Effect(intent) => First::Effect(InFlight::new(intent, run.now)),
            Stop::End(ending) => First::End(ending),
            Stop::Pause => return None,
        };
        let ending = match &first {
            First::End(ending) => Some(ending),
            First::Effect(_) => None,
        };
        let whose = Whose { flow: run.flow.clone(), started_by: run.started_by.to_owned() };
        let aftermath = aftermath(run.id, &whose, program, &mut machine, ending, self.limits());
        if !aftermath.incomplete.is_empty() {
            return None;
        }
        Some(Begun { run, program: program.clone(), machine, first, aftermath })
    }

    /// Lets a run that was written go on: whoever waits for an answer is told,
    /// and what has an effect to perform is to be brought to the loop.
    pub(super) fn has_begun(&self, mut begun: Begun, causes: Vec<Causes>) -> Option<Held> {
        let run = begun.run.id;
        let responses = begun.machine.take_responses();
        match begun.first {
            First::End(ending) => {
                self.callers.tell(run, responses, Some(ending.for_callers()));
                if begun.aftermath.may_start_more() {
                    self.nudge.notify_one();
                }
                None
            }
            First::Effect(asked) => {
                self.callers.tell(run, responses, None);
                let whose = Whose { flow: begun.run.flow, started_by: begun.run.started_by.to_owned() };
                Some(Held::new(run, whose, begun.machine, begun.program, Some(asked), causes, None))
            }
        }
    }
}

impl Begun {
    pub(super) fn run(&self) -> &NewRun {
        &self.run
    }

    pub(super) fn row(&self, input: String, causes: Vec<Causes>) -> BegunRow {
        let first = match &self.first {
            First::Effect(asked) => {
                let wakes_at = match asked.then(self.run.now) {
                    Then::Wakes(at) => at,
                    _ => tables::IN_HAND,
                };
                FirstRow::Effect(asked.row(), wakes_at)
            }
            First::End(ending) => FirstRow::End(ending.outcome, ending.reason.clone(), self.aftermath.clone()),
        };
        BegunRow { run: self.run.clone(), input, causes, first, operation_count: self.machine.operation_count() }
    }
}

impl BegunRow {
    pub(super) fn id(&self) -> RunId {
        self.run.id
    }

    pub(super) fn insert(&self, tx: &mut dyn Tx) -> Result<(), db::Error> {
        let BegunRow { run, input, causes, operation_count, .. } = self;
        match &self.first {
            FirstRow::Effect(asked, wakes_at) => {
                tables::insert_begun_run(tx, run, input, causes, asked, *wakes_at, *operation_count)
            }
            FirstRow::End(outcome, reason, aftermath) => {
                tables::insert_ended(tx, run, input, causes, *outcome, reason.as_deref(), *operation_count)?;
                tables::record_aftermath(tx, run.id, &run.flow, aftermath, run.now)
            }
        }
    }
}
