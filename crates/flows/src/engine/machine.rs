//! The walk through a program.
//!
//! What is still to be done is a stack of [`Todo`]; the top is done first, so
//! a bundle runs through everything downstream before its next sibling. A loop
//! lies on the stack below the work of its current turn, an aggregator below
//! the loop that feeds it: when the loop is through, the aggregator is what
//! comes to the top, and closes. So nothing needs to be searched for or
//! counted, and a loop in a loop closes once per outer turn.

mod control;
mod deciding;
mod failing;
mod resuming;
mod responses;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base::chance::SeededChance;
use sha2::{Digest, Sha256};

use super::place::{Incomplete, Place, Retry};
use super::scope::{Scope, View};
use super::variables::Variables;
use crate::filter::Judgement;
use crate::mapping::{Problem, Template};
use crate::modules::{self, Behaviour, Call, Class, Module, ModuleError, Plan, Settled};
use crate::program::{Next, Program, StepIndex};

use crate::run::{Choice, Operation, OperationStatus, Outcome, RunId};
use crate::value::Value;

use responses::Responses;
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
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// Success, warning or error.
    pub outcome: Outcome,
    /// Why it is no success.
    pub reason: Option<String>,
    /// The failure that nothing handled, if it was one.
    pub error: Option<ModuleError>,
    /// What it gives back to whoever called the flow.
    pub outputs: Option<Value>,
}

impl Ending {
    fn failed(reason: String, error: Option<ModuleError>) -> Self {
        Ending { outcome: Outcome::Error, reason: Some(reason), error, outputs: None }
    }

    /// Returns what it means to those who wait for an answer: `Ok`, or why
    /// there will be none.
    pub(crate) fn for_callers(&self) -> Result<(), String> {
        match self.outcome {
            Outcome::Success | Outcome::Warning => Ok(()),
            Outcome::Error | Outcome::Cancelled => Err(self.reason.clone().unwrap_or_default()),
        }
    }
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
    start_module: Option<u32>,
    chance: SeededChance,
    now: Timestamp,
    stack: Vec<Todo>,
    variables: Variables,
    /// Cookies that requests share.
    jar: modules::http::Jar,
    pending: Option<Pending>,
    effects: u64,
    ending: Ending,
    operations: Vec<Operation>,
    operation_count: u64,
    /// What was decided between the operations.
    choices: Vec<Choice>,
    /// What the last filter said, and of which module and path it will be told.
    judged: Option<(u32, Arc<str>, Judgement)>,
    responses: Responses,
    /// Operations up to this number are recorded, later ones only counted.
    recorded_max: u64,
    /// Failed bundles set aside since the last barrier.
    incomplete: Vec<Incomplete>,
    /// A failed bundle was set aside, now or before.
    has_set_aside: bool,
    /// It goes on from where an earlier run left off, at this operation, whose
    /// keys are those of another run or its own.
    resumed: Option<Resumed>,
    /// Cycles begun so far.
    cycle: u64,
    /// What the effects up to this one did is committed.
    committed: u64,
    /// Time in effects other than waiting.
    worked: Duration,
    /// A place that somebody wants to find again.
    sought: Sought,
    /// What a module does that does not exist here is asked for, and does not fail.
    asks_for_unknown: bool,
}

/// A place in a run that is looked out for.
enum Sought {
    Nothing,
    /// Where a module gets a bundle by a path.
    For(u32, String),
    Found(Box<Place>),
}

/// How a resumed run differs from any other.
struct Resumed {
    module: u32,
    path: String,
    origin: Option<RunId>,
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
    /// A repeat-until is to be judged, and perhaps repeated; a bundle of this round may have been set aside.
    Repeat { step: StepIndex, round: u64, rounds_max: u64, last: Option<Scope>, is_aside: bool, scope: Scope },
    /// An error route is under way for a failed bundle of `step`.
    Handler { step: StepIndex, scope: Scope, error: ModuleError },
    /// A cycle ends when this comes to the top.
    Cycle,
}

/// What is asked for of an effect.
struct Ask {
    path: Arc<str>,
    key: String,
    is_safe: bool,
    plan: Plan,
}

/// An effect that was asked for.
struct Pending {
    step: StepIndex,
    scope: Scope,
    input: Value,
    since: Timestamp,
    path: Arc<str>,
    is_work: bool,
}

impl Machine {
    /// Makes the machine of a run that begins with `bundles`, and records every
    /// operation.
    pub fn new(program: Arc<Program>, facts: Facts, bundles: Vec<Value>, now: Timestamp) -> Self {
        Machine::recording(program, facts, bundles, now, u64::MAX)
    }

    /// Makes a machine that records its first `recorded_max` operations, and
    /// counts all. What a machine did can be had from another one that is led
    /// the same way, so whoever only wants to come on need not pay for a record.
    pub fn recording(
        program: Arc<Program>,
        facts: Facts,
        bundles: Vec<Value>,
        now: Timestamp,
        recorded_max: u64,
    ) -> Self {
        let mut machine = Machine::empty(program, facts, now, recorded_max);
        machine.start = bundles.first().cloned().unwrap_or_default();
        machine.begin(bundles);
        machine
    }

    fn empty(program: Arc<Program>, facts: Facts, now: Timestamp, recorded_max: u64) -> Self {
        Machine {
            chance: SeededChance::new(facts.seed),
            facts,
            start: Value::Absent,
            now,
            stack: Vec::new(),
            variables: Variables::default(),
            pending: None,
            effects: 0,
            ending: Ending { outcome: Outcome::Success, reason: None, error: None, outputs: None },
            operations: Vec::new(),
            operation_count: 0,
            choices: Vec::new(),
            incomplete: Vec::new(),
            has_set_aside: false,
            resumed: None,
            cycle: 1,
            committed: 0,
            worked: Duration::ZERO,
            sought: Sought::Nothing,
            asks_for_unknown: false,
            start_module: program.start_step().map(|step| program.steps[step].id),
            jar: modules::http::Jar::default(),
            judged: None,
            responses: Responses::default(),
            recorded_max,
            program,
        }
    }

    /// Begins with the step that takes what starts a run. A flow without one
    /// begins each of its cycles with one bundle that nobody sees.
    fn begin(&mut self, bundles: Vec<Value>) {
        let program = self.program.clone();
        self.stack.push(Todo::Cycle);
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
                return Stop::End(self.ending());
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
        if pending.is_work {
            self.worked += now.since(pending.since);
        }
        settled.cookies.into_iter().for_each(|cookie| self.jar.add(cookie));
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
            Err(mut error) => {
                let is_rate_limit = error.class == Class::RateLimitError && settled.status_code == Some(429);
                if is_rate_limit && !program.rules.semantics.patience_is_rate_limit {
                    error.class = Class::RuntimeError;
                }
                self.fail(pending.step, pending.scope, &pending.input, error, settled.status_code, pending.since);
            }
        }
    }

    /// Takes the operations recorded since the last time.
    pub fn take_operations(&mut self) -> Vec<Operation> {
        std::mem::take(&mut self.operations)
    }

    /// Takes what was decided between the operations since the last time.
    pub fn take_choices(&mut self) -> Vec<Choice> {
        std::mem::take(&mut self.choices)
    }

    /// Returns how many operations there were in all.
    pub fn operation_count(&self) -> u64 {
        self.operation_count
    }

    /// Takes the failed bundles that were set aside since the last time.
    pub fn take_incomplete(&mut self) -> Vec<Incomplete> {
        std::mem::take(&mut self.incomplete)
    }

    /// Tells whether a failed bundle was ever set aside.
    pub fn has_set_aside(&self) -> bool {
        self.has_set_aside
    }

    /// Returns how long its effects have taken so far; waiting is none of it.
    pub fn worked(&self) -> Duration {
        self.worked
    }

    /// Tells whether it is still in its first cycle: nothing of it is
    /// committed as a whole.
    pub fn is_in_first_cycle(&self) -> bool {
        self.cycle == 1
    }

    /// Returns the last effect that is committed with its cycle; 0 for none.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Ends the run where it stands.
    pub fn interrupt(&mut self, error: ModuleError) -> Ending {
        self.stack.clear();
        self.pending = None;
        self.ending = Ending::failed(error.to_string(), Some(error));
        self.ending()
    }

    fn ending(&self) -> Ending {
        Ending { outputs: self.variables.outputs().cloned(), ..self.ending.clone() }
    }

    /// Ends a cycle, which commits it, and begins the next if there is one.
    fn end_cycle(&mut self) {
        let program = self.program.clone();
        self.variables.end_cycle();
        self.committed = self.effects;
        if self.resumed.is_some() || program.start_step().is_some() || self.cycle >= program.rules.cycles {
            return;
        }
        self.cycle += 1;
        self.stack.push(Todo::Cycle);
        self.stack.push(Todo::Enter { next: program.first, scope: Scope::of_cycle(self.cycle), judged: false });
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
            Todo::Cycle => self.end_cycle(),
            Todo::Close { aggregator, items, scope } => self.close(aggregator, items, scope),
            Todo::Routes { step, route, taken, scope } => self.try_route(step, route, taken, scope),
            Todo::Repeat { step, round, rounds_max, last, is_aside, scope } => {
                self.judge_round(step, round, rounds_max, last, is_aside, scope);
            }
        }
        None
    }

    fn enter(&mut self, index: StepIndex, scope: Scope, judged: bool) -> Option<Intent> {
        let program = self.program.clone();
        let step = &program.steps[index];
        self.pass_by(step.id, &scope);
        if !judged && !self.passes(index, &scope, None) {
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
            if self.asks_for_unknown {
                let plan = Plan::Nothing(Vec::new());
                return Some(self.stand_still(index, scope, input, Ask { path, key, is_safe: false, plan }));
            }
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
                let semantics = &program.rules.semantics;
                let variables = &mut self.variables;
                let mut call = Call { module: step.id, parameters, input: &input, variables, semantics };
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
                let semantics = &program.rules.semantics;
                let variables = &mut self.variables;
                let mut call = Call { module: step.id, parameters, input: &input, variables, semantics };
                match plan(&mut call) {
                    Ok(Plan::Nothing(bundles)) => {
                        self.tell(step, &path, OperationStatus::Success, &input, &bundles, None, None, self.now);
                        self.emit(index, bundles, scope);
                    }
                    Ok(mut plan) => {
                        let says_so =
                            parameters.contains_key("handleErrors") || input.field("stopOnHttpError").exists();
                        if let Plan::Http(http) = &mut plan {
                            http.evaluate_errors |= semantics.bad_status_is_error && !says_so;
                        }
                        plan.share(&self.jar);
                        let is_safe = match &plan {
                            Plan::Http(http) => {
                                step.sends_key
                                    || modules::http::has_safe_method(http)
                                    || modules::http::repeats_in_doubt(&step.parameters)
                            }
                            // A mail that was sent cannot be taken back.
                            Plan::Mail(_) => modules::http::repeats_in_doubt(&step.parameters),
                            Plan::Databricks(errand) => {
                                errand.is_safe() || modules::http::repeats_in_doubt(&step.parameters)
                            }
                            _ => true,
                        };
                        return Some(self.stand_still(index, scope, input, Ask { path, key, is_safe, plan }));
                    }
                    Err(error) => self.fail(index, scope, &input, error, None, self.now),
                }
            }
            Behaviour::Respond(read) => {
                let (parameters, semantics) = (&step.parameters, &program.rules.semantics);
                let variables = &mut self.variables;
                match read(&mut Call { module: step.id, parameters, input: &input, variables, semantics }) {
                    Ok(response) => self.respond(index, scope, &input, response),
                    Err(error) => self.fail(index, scope, &input, error, None, self.now),
                }
            }
            Behaviour::Aggregator(_) => self.collect(index, scope, input),
            Behaviour::Router => {
                self.stack.push(Todo::Routes { step: index, route: 0, taken: false, scope });
            }
            Behaviour::IfElse => self.choose(index, scope),
            Behaviour::RepeatUntil => {
                let rounds_max = control::rounds_max(&input);
                self.stack.push(Todo::Repeat { step: index, round: 0, rounds_max, last: None, is_aside: false, scope });
            }
            Behaviour::Directive(directive) => self.follow(directive, input, index, scope),
        }
        None
    }

    /// Stands still at a step until its effect is settled.
    fn stand_still(&mut self, step: StepIndex, scope: Scope, input: Value, ask: Ask) -> Intent {
        let Ask { path, key, is_safe, plan } = ask;
        self.effects += 1;
        let (number, module) = (self.effects, self.program.steps[step].id);
        let is_work = plan.is_work();
        self.pending = Some(Pending { step, scope, input, since: self.now, path: path.clone(), is_work });
        Intent { number, module, path, key, is_safe, plan }
    }

    /// Says that somebody knows what comes of modules that do not exist here.
    /// Their intents plan nothing.
    pub fn ask_for_unknown(&mut self) {
        self.asks_for_unknown = true;
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

    fn evaluate(&self, template: &Template, scope: &Scope) -> Result<Value, Problem> {
        template.evaluate(&self.view(scope, ""))
    }

    fn view<'a>(&'a self, scope: &'a Scope, key: &'a str) -> View<'a> {
        View {
            scope,
            facts: &self.facts,
            chance: &self.chance,
            now: self.now,
            key,
            start_module: self.start_module,
            start: &self.start,
            zone: &self.program.zone,
            semantics: &self.program.rules.semantics,
        }
    }

    /// Returns the key of an operation: 40 hexadecimal digits, because run-now
    /// takes 64 letters at most.
    fn key(&self, module: u32, path: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{}\n{module}\n{path}", self.key_base(module, path)));
        let mut key = hex::encode(hash.finalize());
        key.truncate(40);
        key
    }
}

#[cfg(test)]
mod tests;
