//! The walk through a program.
//!
//! What is still to be done is a stack of [`Todo`]; the top is done first, so
//! a bundle runs through everything downstream before its next sibling. A loop
//! lies on the stack below the work of its current turn, an aggregator below
//! the loop that feeds it: when the loop is through, the aggregator is what
//! comes to the top, and closes. So nothing needs to be searched for or
//! counted, and a loop in a loop closes once per outer turn.

mod control;
mod telling;

use std::sync::Arc;

use base::Timestamp;
use base::chance::SeededChance;
use sha2::{Digest, Sha256};

use super::scope::{Scope, View};
use crate::filter::Verdict;
use crate::mapping::{Problem, Template};
use crate::modules::{self, Behaviour, Call, Class, Module, ModuleError, Plan, Settled};
use crate::program::{Next, Program, StepIndex};

use crate::run::{Operation, OperationStatus, Outcome, RunId};
use crate::value::{Collection, Value};

use telling::named;

/// What is fixed for a run from its beginning.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The run.
    pub run: RunId,
    /// Key of its flow.
    pub flow: String,
    /// Name of its flow.
    pub name: String,
    /// The flow's variables when the run began.
    pub variables: Value,
    /// Where its chance begins.
    pub seed: u64,
}

/// An effect that is to be performed.
#[derive(Clone)]
pub struct Intent {
    /// 1, 2, 3 … in the run.
    pub number: u64,
    /// Id of the module.
    pub module: u32,
    /// Which bundles led there.
    pub path: Arc<str>,
    /// The same for each repetition of this operation, different for any other.
    pub key: String,
    /// Repeating it does no harm.
    pub is_safe: bool,
    /// What is to be done.
    pub plan: Plan,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Success, warning or error.
    pub outcome: Outcome,
    /// Why it is no success.
    pub reason: Option<String>,
}

/// Why the machine stands still.
pub enum Stop {
    /// It needs an effect.
    Effect(Intent),
    /// It has taken as many steps as it may at once.
    Pause,
    /// It is through.
    End(Ending),
}

/// A run in motion.
pub struct Machine {
    program: Arc<Program>,
    facts: Facts,
    start: Value,
    chance: SeededChance,
    now: Timestamp,
    stack: Vec<Todo>,
    variables: Collection,
    pending: Option<Pending>,
    effects: u64,
    ending: Ending,
    operations: Vec<Operation>,
    operation_count: u64,
}

/// Something that is still to be done.
enum Todo {
    /// A bundle is to enter what comes next; `judged` if its filter has been asked.
    Enter { next: Next, scope: Scope, judged: bool },
    /// Bundles of a step are to go on, one after the other.
    Each { step: StepIndex, bundles: std::vec::IntoIter<Value>, turn: u64, numbered: bool, scope: Scope },
    /// An aggregator collects, until its feeder's operation is through.
    Close { aggregator: StepIndex, items: Vec<(Value, Value)>, scope: Scope },
    /// A router's routes are to be tried from `route` on.
    Routes { step: StepIndex, route: usize, taken: bool, scope: Scope },
    /// A repeat-until is to be judged, and perhaps repeated.
    Repeat { step: StepIndex, round: u64, rounds_max: u64, last: Option<Scope>, scope: Scope },
    /// An error route is under way for a failed bundle of `step`.
    Handler { step: StepIndex, scope: Scope },
}

/// An effect that was asked for.
struct Pending {
    step: StepIndex,
    scope: Scope,
    input: Value,
    since: Timestamp,
    path: Arc<str>,
}

impl Machine {
    /// Makes the machine of a run that begins with `bundles`.
    pub fn new(program: Arc<Program>, facts: Facts, bundles: Vec<Value>, now: Timestamp) -> Self {
        let chance = SeededChance::new(facts.seed);
        let mut machine = Machine {
            facts,
            start: bundles.first().cloned().unwrap_or_default(),
            chance,
            now,
            stack: Vec::new(),
            variables: Collection::new(),
            pending: None,
            effects: 0,
            ending: Ending { outcome: Outcome::Success, reason: None },
            operations: Vec::new(),
            operation_count: 0,
            program,
        };
        machine.begin(bundles);
        machine
    }

    /// Begins with the step that takes what starts a run; a flow without one
    /// begins with one bundle that nobody sees.
    fn begin(&mut self, bundles: Vec<Value>) {
        let program = self.program.clone();
        let Some(first) = program.start_step() else {
            self.stack.push(Todo::Enter { next: program.first, scope: Scope::default(), judged: false });
            return;
        };
        let step = &program.steps[first];
        let Some(Module { behaviour: Behaviour::Start(shape), .. }) = step.module else { return };
        let bundles: Vec<Value> = bundles.into_iter().map(shape).collect();
        self.start = bundles.first().cloned().unwrap_or_default();
        self.tell(step, "", OperationStatus::Success, &Value::Absent, &bundles, None, None, self.now);
        self.emit(first, bundles, Scope::default());
    }

    /// Walks on until an effect is needed, the run is through, or `steps_max`
    /// steps were taken.
    pub fn walk(&mut self, steps_max: usize) -> Stop {
        for _ in 0..steps_max {
            let Some(todo) = self.stack.pop() else {
                return Stop::End(self.ending.clone());
            };
            if let Some(intent) = self.take(todo) {
                return Stop::Effect(intent);
            }
        }
        Stop::Pause
    }

    /// Takes what came of the effect that was asked for. `now` is when it came.
    pub fn settle(&mut self, settled: Settled, now: Timestamp) {
        self.now = now;
        let Some(pending) = self.pending.take() else { return };
        let program = self.program.clone();
        let step = &program.steps[pending.step];
        match settled.result {
            Ok(bundles) => {
                let is_bad = settled.status_code.is_some_and(|code| code >= 400);
                let status = if is_bad { OperationStatus::Warning } else { OperationStatus::Success };
                if is_bad && !step.is_watched {
                    let code = settled.status_code.unwrap_or_default();
                    self.warn(format!("{} answered {code} and nothing in the flow looks at the status", named(step)));
                }
                self.tell(
                    step,
                    &pending.path,
                    status,
                    &pending.input,
                    &bundles,
                    settled.status_code,
                    None,
                    pending.since,
                );
                self.emit(pending.step, bundles, pending.scope);
            }
            Err(error) => {
                self.fail(pending.step, pending.scope, &pending.input, error, settled.status_code, pending.since);
            }
        }
    }

    /// Takes the operations recorded since the last time.
    pub fn take_operations(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }

    /// Forgets operations with higher numbers; they are only counted.
    pub fn forget_operations_after(&mut self, number: u64) {
        let kept = self.operations.partition_point(|operation| operation.number <= number);
        self.operations.truncate(kept);
    }

    /// Returns how many operations there were in all.
    pub fn operation_count(&self) -> u64 {
        self.operation_count
    }

    fn take(&mut self, todo: Todo) -> Option<Intent> {
        match todo {
            // An error route that ended without a directive drops its bundle too.
            Todo::Enter { next: Next::End, .. } | Todo::Handler { .. } => {}
            Todo::Enter { next: Next::BodyEnd(repeat), scope, .. } => self.reach_body_end(repeat, scope),
            Todo::Enter { next: Next::Merge { from, place }, scope, .. } => self.come_back(from, place, scope),
            Todo::Enter { next: Next::Step(step), scope, judged } => return self.enter(step, scope, judged),
            Todo::Each { step, mut bundles, turn, numbered, scope } => {
                if let Some(bundle) = bundles.next() {
                    let program = self.program.clone();
                    let place = scope.with(program.steps[step].id, bundle, numbered.then_some(turn));
                    self.stack.push(Todo::Each { step, bundles, turn: turn + 1, numbered, scope });
                    self.stack.push(Todo::Enter { next: program.steps[step].next, scope: place, judged: false });
                }
            }
            Todo::Close { aggregator, items, scope } => self.close(aggregator, items, scope),
            Todo::Routes { step, route, taken, scope } => self.try_route(step, route, taken, scope),
            Todo::Repeat { step, round, rounds_max, last, scope } => {
                self.judge_round(step, round, rounds_max, last, scope);
            }
        }
        None
    }

    fn enter(&mut self, index: StepIndex, scope: Scope, judged: bool) -> Option<Intent> {
        let program = self.program.clone();
        let step = &program.steps[index];
        if !judged && !self.passes(index, &scope) {
            return None;
        }
        let path = scope.path();
        let key = self.key(step.id, &path);
        let view = self.view(&scope, &key);
        let input = match step.mapper.evaluate(&view) {
            Ok(input) => input,
            Err((field, problem)) => {
                let error = ModuleError::new(Class::BundleValidationError, format!("{field}: {problem}"));
                self.fail(index, scope, &Value::Absent, error, None, self.now);
                return None;
            }
        };
        let Some(module) = step.module else {
            let message = format!("module \"{}\" does not exist here", step.module_name);
            let error = ModuleError::new(Class::InvalidConfigurationError, message);
            self.fail(index, scope, &input, error, None, self.now);
            return None;
        };
        match module.behaviour {
            // The first module took its bundles when the run began, and only
            // branches lead to a merge.
            Behaviour::Start(_) | Behaviour::Merge => {}
            Behaviour::Pure(compute) | Behaviour::Loop(compute) => {
                let parameters = &step.parameters;
                let mut call = Call { module: step.id, parameters, input: &input, variables: &mut self.variables };
                match compute(&mut call) {
                    Ok(bundles) => {
                        self.tell(step, &path, OperationStatus::Success, &input, &bundles, None, None, self.now);
                        self.emit(index, bundles, scope);
                    }
                    Err(error) => self.fail(index, scope, &input, error, None, self.now),
                }
            }
            Behaviour::Effect(plan) => {
                let parameters = &step.parameters;
                let mut call = Call { module: step.id, parameters, input: &input, variables: &mut self.variables };
                match plan(&mut call) {
                    Ok(Plan::Nothing(bundles)) => {
                        self.tell(step, &path, OperationStatus::Success, &input, &bundles, None, None, self.now);
                        self.emit(index, bundles, scope);
                    }
                    Ok(plan) => {
                        self.effects += 1;
                        let is_safe = match &plan {
                            Plan::Http(http) => {
                                step.sends_key
                                    || modules::http::has_safe_method(http)
                                    || modules::http::repeats_in_doubt(&step.parameters)
                            }
                            Plan::Wait(_) | Plan::Nothing(_) => true,
                        };
                        let number = self.effects;
                        let intent = Intent { number, module: step.id, path: path.clone(), key, is_safe, plan };
                        self.pending = Some(Pending { step: index, scope, input, since: self.now, path });
                        return Some(intent);
                    }
                    Err(error) => self.fail(index, scope, &input, error, None, self.now),
                }
            }
            Behaviour::Aggregator(_) => self.collect(index, scope, input),
            Behaviour::Router => {
                self.stack.push(Todo::Routes { step: index, route: 0, taken: false, scope });
            }
            Behaviour::IfElse => self.choose(index, scope),
            Behaviour::RepeatUntil => {
                let rounds_max = input.field("repeats").to_i64().unwrap_or(20).clamp(1, 1_000_000) as u64;
                self.stack.push(Todo::Repeat { step: index, round: 0, rounds_max, last: None, scope });
            }
            Behaviour::Directive(directive) => self.follow(directive, input, step),
        }
        None
    }

    /// Lets the bundles of an operation go on, and opens the aggregators that
    /// it feeds.
    fn emit(&mut self, index: StepIndex, bundles: Vec<Value>, scope: Scope) {
        let program = self.program.clone();
        let step = &program.steps[index];
        // The first aggregator shall close first, so it comes to lie on top.
        for aggregator in step.feeds.iter().rev() {
            self.stack.push(Todo::Close { aggregator: *aggregator, items: Vec::new(), scope: scope.clone() });
        }
        let loops =
            step.module.is_some_and(|module| matches!(module.behaviour, Behaviour::Loop(_) | Behaviour::Start(_)));
        let numbered = loops || bundles.len() > 1;
        self.stack.push(Todo::Each { step: index, bundles: bundles.into_iter(), turn: 1, numbered, scope });
    }

    fn passes(&mut self, index: StepIndex, scope: &Scope) -> bool {
        let program = self.program.clone();
        let step = &program.steps[index];
        let Some(filter) = &step.filter else { return true };
        let detail = match filter.judge(&self.view(scope, "")) {
            Ok(Verdict::Passes) => return true,
            Ok(Verdict::Stops(why)) => why,
            Err(problem) => problem.to_string(),
        };
        self.tell(step, &scope.path(), OperationStatus::Filtered, &Value::Absent, &[], None, Some(detail), self.now);
        false
    }

    fn evaluate(&self, template: &Template, scope: &Scope) -> Result<Value, Problem> {
        template.evaluate(&self.view(scope, ""))
    }

    fn view<'a>(&'a self, scope: &'a Scope, key: &'a str) -> View<'a> {
        View { scope, facts: &self.facts, chance: &self.chance, now: self.now, key, start: &self.start }
    }

    /// Returns the key of an operation: 40 hexadecimal digits, because run-now
    /// takes 64 letters at most.
    fn key(&self, module: u32, path: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{}\n{module}\n{path}", self.facts.run));
        let mut key = hex::encode(hash.finalize());
        key.truncate(40);
        key
    }
}

#[cfg(test)]
mod tests;
