//! Runs that go on from where an earlier one left off.
//!
//! The place holds the bundles that could be seen at the failed module, and no
//! stack. What was open below it is opened again when a bundle gets there: an
//! aggregator collects what comes of this one bundle, a repetition goes on
//! with its next round.

use std::sync::Arc;

use base::Timestamp;

use super::{Ending, Facts, Machine, Resumed, Sought, Todo, Variables};
use crate::engine::place::Place;
use crate::engine::scope::Scope;
use crate::modules::{Class, ModuleError};
use crate::program::{Next, Program, StepIndex};
use crate::run::{RunId, STARTED_BY_FLOW, STARTED_BY_OPERATION, goes_on};
use crate::value::Value;

impl Machine {
    /// Makes the machine of a run as it was started: with start bundles, or
    /// with the place from which it goes on.
    pub fn of_run(
        program: Arc<Program>,
        facts: Facts,
        started_by: &str,
        bundles: Vec<Value>,
        now: Timestamp,
        recorded_max: u64,
    ) -> Self {
        if !goes_on(started_by) {
            // What was filled into its form was written down as JSON.
            let is_filled = matches!(started_by, "manual" | STARTED_BY_FLOW | "replay");
            let bundles = match is_filled {
                true => bundles.into_iter().map(|bundle| program.form.restore(bundle, &program.zone)).collect(),
                false => bundles,
            };
            return Machine::recording(program, facts, bundles, now, recorded_max);
        }
        match bundles.first().and_then(|place| Place::from_stored(&place.to_json())) {
            Some(place) => {
                // Whoever goes on from an operation may have changed what its
                // filter looks at.
                let judged = started_by != STARTED_BY_OPERATION;
                Machine::resuming(program, facts, place, judged, now, recorded_max)
            }
            None => {
                let mut machine = Machine::empty(program, facts, now, recorded_max);
                let error = ModuleError::new(Class::InconsistencyError, "the stored execution cannot be read");
                machine.interrupt(error);
                machine
            }
        }
    }

    /// Makes the machine of a run that goes on from `place`.
    fn resuming(
        program: Arc<Program>,
        facts: Facts,
        place: Place,
        judged: bool,
        now: Timestamp,
        recorded_max: u64,
    ) -> Self {
        let mut machine = Machine::empty(program.clone(), facts, now, recorded_max);
        machine.variables = Variables::from_value(&place.variables);
        machine.start = place.start;
        place.cookies.into_iter().for_each(|cookie| machine.jar.add(cookie));
        let Some(step) = program.steps.iter().position(|step| step.id == place.module) else {
            let message = format!("this version has no module {} from which to go on", place.module);
            let error = ModuleError::new(Class::InvalidConfigurationError, message);
            machine.ending = Ending::failed(error.to_string(), Some(error));
            return machine;
        };
        let scope = Scope::restored(&place.bundles, &place.path);
        machine.resumed = Some(Resumed { module: place.module, path: place.path, origin: place.origin });
        machine.stack.push(Todo::Cycle);
        machine.stack.push(Todo::Enter { next: Next::Step(step), scope, judged });
        machine
    }

    /// The same, and records every operation.
    #[cfg(test)]
    pub(super) fn resumed(program: Arc<Program>, facts: Facts, place: Place, now: Timestamp) -> Self {
        Machine::resuming(program, facts, place, true, now, u64::MAX)
    }

    /// Looks out for the place from which an operation begins.
    pub(crate) fn seek(&mut self, module: u32, path: &str) {
        self.sought = Sought::For(module, path.to_owned());
    }

    /// Returns the place that was looked out for, if the machine has been there.
    pub(crate) fn sought(&self) -> Option<Place> {
        match &self.sought {
            Sought::Found(place) => Some((**place).clone()),
            _ => None,
        }
    }

    /// Keeps a place if it is the one that is looked out for.
    pub(super) fn pass_by(&mut self, module: u32, scope: &Scope) {
        if let Sought::For(sought, path) = &self.sought
            && *sought == module
            && **path == *scope.path()
        {
            self.sought = Sought::Found(Box::new(self.place(module, scope, None)));
        }
    }

    /// Returns where a bundle stands that comes to a module.
    pub(super) fn place(&self, module: u32, scope: &Scope, origin: Option<RunId>) -> Place {
        Place {
            module,
            path: scope.path().to_string(),
            bundles: scope.bundles(),
            start: self.start.clone(),
            variables: self.variables.to_value(),
            cookies: self.jar.cookies().to_vec(),
            origin,
        }
    }

    /// Returns the run whose keys an operation has.
    pub(super) fn key_base(&self, module: u32, path: &str) -> RunId {
        let resumed = self.resumed.as_ref().filter(|resumed| resumed.module == module && resumed.path == path);
        resumed.and_then(|resumed| resumed.origin).unwrap_or(self.facts.run)
    }

    /// Opens an aggregator for a bundle whose feeder ran before the run was
    /// resumed. Tells whether it could.
    pub(super) fn open_again(&mut self, aggregator: StepIndex, scope: &Scope) -> bool {
        let program = self.program.clone();
        let feeder = program.steps.iter().find(|step| step.feeds.contains(&aggregator));
        let Some((before, depth)) = feeder.and_then(|feeder| scope.before(feeder.id)) else { return false };
        if self.resumed.is_none() {
            return false;
        }
        self.push_below(Todo::Close { aggregator, items: Vec::new(), scope: before }, depth);
        true
    }

    /// Opens a repetition whose round was under way.
    pub(super) fn repeat_again(&mut self, repeat: StepIndex, last: Scope) {
        let program = self.program.clone();
        let step = &program.steps[repeat];
        let Some((before, depth)) = last.before(step.id).filter(|_| self.resumed.is_some()) else { return };
        let round = last.find(step.id).and_then(|bundle| bundle.field("i").to_i64()).unwrap_or(1).max(1) as u64;
        let input = step.mapper.evaluate(&self.view(&before, "")).unwrap_or_default();
        let rounds_max = super::control::rounds_max(&input);
        self.push_below(
            Todo::Repeat { step: repeat, round, rounds_max, last: Some(last), is_aside: false, scope: before },
            depth,
        );
    }

    /// Puts something below all that is to be done, and above what was opened
    /// further out.
    fn push_below(&mut self, todo: Todo, depth: usize) {
        let is_further_out = |todo: &Todo| match todo {
            Todo::Cycle => true,
            Todo::Close { scope, .. } | Todo::Repeat { scope, .. } => scope.bundles().len() < depth,
            _ => false,
        };
        let place = self.stack.iter().take_while(|todo| is_further_out(todo)).count();
        self.stack.insert(place, todo);
    }
}
