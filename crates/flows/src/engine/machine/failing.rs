//! What becomes of a failed bundle: its error route, the directives at the end
//! of it, and what the engine does where there is none.

use std::time::Duration;

use base::Timestamp;

use super::{Ending, Incomplete, Machine, Retry, Todo, named};
use crate::engine::scope::Scope;
use crate::modules::{Behaviour, Class, Directive, Module, ModuleError, Reaction};
use crate::program::{Next, Step, StepIndex};
use crate::run::{OperationStatus, Outcome};
use crate::value::Value;

/// Times that a Break tries again, if it does and nothing is said.
const BREAK_COUNT: i64 = 3;
/// At most.
const BREAK_COUNT_MAX: i64 = 10_000;
/// Minutes between them, if nothing is said.
const BREAK_MINUTES: i64 = 15;
/// At most: a month.
const BREAK_MINUTES_MAX: i64 = 44_640;

impl Machine {
    /// Does what a directive at the end of an error route says.
    pub(super) fn follow(&mut self, directive: Directive, input: Value, index: StepIndex, scope: Scope) {
        let program = self.program.clone();
        let step = &program.steps[index];
        let handler = self.stack.iter().rev().find_map(|todo| match todo {
            Todo::Handler { step: failed, scope, error } if step.handles == Some(*failed) => {
                Some((*failed, scope.clone(), error.clone()))
            }
            _ => None,
        });
        match directive {
            Directive::Ignore => {}
            Directive::Resume => {
                if let Some((failed, scope, _)) = handler {
                    self.emit(failed, vec![input], scope);
                }
            }
            Directive::Commit => {
                self.stack.clear();
                self.committed = self.effects;
            }
            Directive::Rollback => {
                self.stack.clear();
                self.ending = Ending::failed(format!("{} stopped the run", named(step)), None);
            }
            Directive::Break => {
                let Some((failed, place, error)) = handler else { return };
                match retry_of(&input) {
                    Ok(retry) => self.put_off(index, failed, place, error, retry),
                    Err(problem) => self.fail(index, scope, &input, problem, None, self.now),
                }
            }
        }
    }

    /// Stores the bundle of a failed step for later; where it cannot be stored,
    /// the run ends.
    fn put_off(&mut self, index: StepIndex, failed: StepIndex, scope: Scope, error: ModuleError, retry: Retry) {
        let program = self.program.clone();
        let (step, failed_step) = (&program.steps[index], &program.steps[failed]);
        if let Err(why) = self.can_store(failed) {
            let reason = format!("{} failed: {error}; {} could not store it: {why}", named(failed_step), named(step));
            self.end(reason, error);
            return;
        }
        if retry == Retry::Never {
            self.warn(format!("{} failed: {error}; it is stored as an incomplete execution", named(failed_step)));
        }
        self.set_aside(failed_step, &scope, error, retry);
    }

    /// Takes the error route of a failed step; without one the engine reacts.
    pub(super) fn fail(
        &mut self,
        index: StepIndex,
        scope: Scope,
        input: &Value,
        error: ModuleError,
        status_code: Option<u16>,
        since: Timestamp,
    ) {
        let program = self.program.clone();
        let step = &program.steps[index];
        let text = error.to_string();
        self.tell(step, &scope.path(), OperationStatus::Error, input, &[], status_code, Some(text), since);
        let Some(entrance) = step.on_error else {
            self.react(index, scope, error);
            return;
        };
        let place = scope.with(step.id, Value::collection([("error", error.told())]), None);
        self.stack.push(Todo::Handler { step: index, scope, error });
        self.stack.push(Todo::Enter { next: entrance, scope: place, judged: false });
    }

    /// Does what the class of a failure asks for where the flow says nothing.
    fn react(&mut self, index: StepIndex, scope: Scope, error: ModuleError) {
        let program = self.program.clone();
        let step = &program.steps[index];
        let reason = format!("{} failed: {error}", named(step));
        let reaction = match error.class.reaction() {
            _ if self.can_store(index).is_err() => Reaction::End,
            // What a resumed run has done must not be done again by the next
            // attempt, so that one begins here.
            Reaction::End if self.resumed.is_some() => Reaction::Store { retries: false },
            reaction => reaction,
        };
        match reaction {
            Reaction::End => self.end(reason, error),
            Reaction::Store { retries } => {
                let retry = if retries { Retry::BackOff { at_least: error.pause() } } else { Retry::Never };
                self.warn(format!("{reason}; it is stored as an incomplete execution"));
                self.set_aside(step, &scope, error, retry);
            }
            Reaction::StoreAndEnd => {
                self.set_aside(step, &scope, error.clone(), Retry::Never);
                self.end(reason, error);
            }
        }
    }

    /// Tells whether a failed bundle of a step can be stored, or why not.
    fn can_store(&self, index: StepIndex) -> Result<(), &'static str> {
        let step = &self.program.steps[index];
        if !self.program.rules.stores_incomplete {
            return Err("the flow does not store incomplete executions (metadata.scenario.dlq)");
        }
        if self.program.first == Next::Step(index) && self.resumed.is_none() {
            return Err("it is the first module");
        }
        if step.handles.is_some() {
            return Err("it stands in an error route");
        }
        // What these collected or were brought is not in the place.
        match step.module {
            Some(Module { behaviour: Behaviour::Merge | Behaviour::Aggregator(_), .. }) => {
                Err("what it collected is not stored")
            }
            _ => Ok(()),
        }
    }

    fn set_aside(&mut self, step: &Step, scope: &Scope, error: ModuleError, retry: Retry) {
        let base = self.key_base(step.id, &scope.path());
        let origin = error.class.leaves_open_what_happened().then_some(base);
        let place = self.place(step.id, scope, origin);
        self.has_set_aside = true;
        // Every repetition that is under way has this bundle inside.
        for todo in &mut self.stack {
            if let Todo::Repeat { is_aside, .. } = todo {
                *is_aside = true;
            }
        }
        self.incomplete.push(Incomplete { error, retry, place });
    }

    fn end(&mut self, reason: String, error: ModuleError) {
        self.stack.clear();
        self.ending = Ending::failed(reason, Some(error));
    }

    pub(super) fn warn(&mut self, reason: String) {
        if self.ending.outcome == Outcome::Success {
            self.ending.outcome = Outcome::Warning;
            self.ending.reason = Some(reason);
        }
    }
}

/// Reads what a Break is to do.
fn retry_of(input: &Value) -> Result<Retry, ModuleError> {
    let within = |name: &str, otherwise: i64, max: i64| match input.field(name) {
        value if value.is_empty() => Ok(otherwise),
        value => value.to_i64().filter(|number| (1..=max).contains(number)).ok_or_else(|| {
            let message = format!("{name}: \"{}\" is not a number from 1 to {max}", value.to_text());
            ModuleError::new(Class::BundleValidationError, message)
        }),
    };
    let count = within("count", BREAK_COUNT, BREAK_COUNT_MAX)?;
    let minutes = within("interval", BREAK_MINUTES, BREAK_MINUTES_MAX)?;
    if !input.field("retry").truth() {
        return Ok(Retry::Never);
    }
    Ok(Retry::Every { interval: Duration::from_mins(minutes as u64), count: count as u32 })
}
