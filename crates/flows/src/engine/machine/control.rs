//! Routers, aggregators and repetitions: what a machine does with bundles that
//! do not simply go on.

use super::deciding::Way;
use super::{Machine, Todo};
use crate::engine::scope::Scope;
use crate::filter::Verdict;
use crate::modules::{Behaviour, Class, Gathered, Module, ModuleError};
use crate::program::{Next, StepIndex};
use crate::run::OperationStatus;
use crate::value::Value;

impl Machine {
    pub(super) fn try_route(&mut self, index: StepIndex, route: usize, taken: bool, scope: Scope) {
        let program = self.program.clone();
        let step = &program.steps[index];
        // The fallback is looked at after all others, wherever it stands.
        let order: Vec<usize> =
            (0..step.routes.len()).filter(|place| Some(*place) != step.fallback).chain(step.fallback).collect();
        let Some(place) = order.get(route) else { return };
        let entrance = step.routes[*place];
        let way = Way { of: index, place: Some(*place), to: entrance };
        if Some(*place) == step.fallback && taken {
            self.decide(way, &scope, false, Some("another route was taken"));
            return;
        }
        let passes = self.passes_into(way, &scope);
        self.stack.push(Todo::Routes { step: index, route: route + 1, taken: taken || passes, scope: scope.clone() });
        if passes {
            self.stack.push(Todo::Enter { next: entrance, scope, judged: true });
        }
    }

    /// Sends a bundle along the first branch whose condition holds.
    pub(super) fn choose(&mut self, index: StepIndex, scope: Scope) {
        let program = self.program.clone();
        let step = &program.steps[index];
        let mut why = Vec::new();
        for branch in &step.branches {
            let way = Way { of: index, place: Some(branch.place), to: branch.entrance };
            let verdict = match &branch.condition {
                None => {
                    self.decide(way, &scope, true, Some("no other branch was taken"));
                    Ok(Verdict::Passes)
                }
                Some(condition) => {
                    // It is told of the module that the branch leads to, or
                    // of the if-else itself where it leads to none.
                    let told_of = match branch.entrance {
                        Next::Step(first) => &program.steps[first],
                        _ => step,
                    };
                    let verdict = self.ask(condition, &scope, told_of, &scope);
                    if let Some((_, _, told)) = &mut self.judged {
                        told.name.clone_from(&branch.label);
                    }
                    self.decide(way, &scope, verdict == Ok(Verdict::Passes), None);
                    verdict
                }
            };
            let told = match verdict {
                Ok(Verdict::Passes) => {
                    self.stack.push(Todo::Enter { next: branch.entrance, scope, judged: false });
                    return;
                }
                Ok(Verdict::Stops(why)) => why,
                Err(problem) => problem.to_string(),
            };
            why.push(format!(
                "{}: {told}",
                branch.label.clone().unwrap_or_else(|| format!("branch {}", branch.place + 1))
            ));
        }
        let detail = Some(why.join("; "));
        self.tell(step, &scope.path(), OperationStatus::Filtered, &Value::Absent, &[], None, detail, self.now);
    }

    /// Lets a bundle that has come through a branch go on behind the merge.
    pub(super) fn come_back(&mut self, from: StepIndex, place: usize, scope: Scope) {
        let program = self.program.clone();
        let Next::Step(index) = program.steps[from].next else { return };
        let step = &program.steps[index];
        if let Some(Some(filter)) = step.merge_filters.get(place) {
            let detail = match self.ask(filter, &scope, step, &scope) {
                Ok(Verdict::Passes) => None,
                Ok(Verdict::Stops(why)) => Some(why),
                Err(problem) => Some(problem.to_string()),
            };
            if detail.is_some() {
                self.tell(step, &scope.path(), OperationStatus::Filtered, &Value::Absent, &[], None, detail, self.now);
                return;
            }
        }
        let mut fields = Vec::with_capacity(step.outputs.len());
        for output in &step.outputs {
            let value = output.mappings.get(place).map(|mapping| mapping.evaluate(&self.view(&scope, "")));
            match value.unwrap_or(Ok(Value::Absent)) {
                Ok(value) => fields.push((output.name.clone(), value)),
                Err((_, problem)) => {
                    let message = format!("{}: {problem}", output.name);
                    let error = ModuleError::new(Class::BundleValidationError, message);
                    self.fail(index, scope, &Value::Absent, error, None, self.now);
                    return;
                }
            }
        }
        let bundles = vec![Value::collection(fields)];
        self.tell(step, &scope.path(), OperationStatus::Success, &Value::Absent, &bundles, None, None, self.now);
        self.emit(index, bundles, scope);
    }

    /// Gives a bundle to the aggregator that its loop lies upon.
    pub(super) fn collect(&mut self, index: StepIndex, scope: Scope, item: Value) {
        let program = self.program.clone();
        let step = &program.steps[index];
        let key = match step.group_by.as_ref().map(|template| self.evaluate(template, &scope)) {
            None => Value::Absent,
            Some(Ok(key)) => key,
            Some(Err(problem)) => {
                let error = ModuleError::new(Class::BundleValidationError, problem.to_string());
                self.fail(index, scope, &item, error, None, self.now);
                return;
            }
        };
        let is_open = |todo: &Todo| matches!(todo, Todo::Close { aggregator, .. } if *aggregator == index);
        if self.stack.iter().any(is_open) || self.open_again(index, &scope) {
            let open = self.stack.iter_mut().rfind(|todo| is_open(todo));
            if let Some(Todo::Close { items, .. }) = open {
                items.push((key, item));
            }
            return;
        }
        let message = "the bundle does not come from the source module of this aggregator";
        let error = ModuleError::new(Class::InvalidConfigurationError, message);
        self.fail(index, scope, &item, error, None, self.now);
    }

    pub(super) fn close(&mut self, index: StepIndex, items: Vec<(Value, Value)>, scope: Scope) {
        let program = self.program.clone();
        let step = &program.steps[index];
        let Some(Module { behaviour: Behaviour::Aggregator(aggregate), .. }) = step.module else { return };
        if items.is_empty() && (step.stop_if_empty || !program.rules.semantics.empty_aggregates) {
            return;
        }
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        for (key, item) in items {
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, group)) => group.push(item),
                None => groups.push((key, vec![item])),
            }
        }
        if groups.is_empty() {
            groups.push((Value::Absent, Vec::new()));
        }
        let grouped = step.group_by.is_some();
        let fields = step.mapper.names();
        let mut bundles = Vec::with_capacity(groups.len());
        for (key, items) in &groups {
            match aggregate(&Gathered { parameters: &step.parameters, fields: &fields, items }) {
                Ok(Value::Collection(fields)) if grouped => {
                    let mut fields = (*fields).clone();
                    fields.insert("key".into(), key.clone());
                    bundles.push(Value::collection(fields));
                }
                Ok(bundle) => bundles.push(bundle),
                Err(error) => {
                    let input = Value::array(items.clone());
                    self.fail(index, scope, &input, error, None, self.now);
                    return;
                }
            }
        }
        self.tell(step, &scope.path(), OperationStatus::Success, &Value::Absent, &bundles, None, None, self.now);
        self.emit(index, bundles, scope);
    }

    pub(super) fn reach_body_end(&mut self, repeat: StepIndex, scope: Scope) {
        let open = self.stack.iter_mut().rev().find_map(|todo| match todo {
            Todo::Repeat { step, last, .. } if *step == repeat => Some(last),
            _ => None,
        });
        match open {
            Some(last) => *last = Some(scope),
            None => self.repeat_again(repeat, scope),
        }
    }

    pub(super) fn judge_round(
        &mut self,
        index: StepIndex,
        round: u64,
        rounds_max: u64,
        last: Option<Scope>,
        is_aside: bool,
        scope: Scope,
    ) {
        if is_aside && last.is_none() {
            // What was set aside repeats by itself when it goes on.
            return;
        }
        let program = self.program.clone();
        let step = &program.steps[index];
        let verdict = match (&last, &step.until) {
            (Some(last), Some(until)) => self.ask(until, last, step, &scope),
            _ => Ok(Verdict::Stops("no bundle reached the end of the modules inside".into())),
        };
        let is_met = round > 0 && verdict == Ok(Verdict::Passes);
        if round > 0 {
            let way = Way { of: index, place: None, to: step.next };
            let round = scope.with(step.id, Value::Absent, Some(round));
            let reason = last.is_none().then_some("no bundle reached the end of the modules inside");
            self.decide(way, &round, is_met, reason);
        }
        if !is_met && round < rounds_max {
            let place = scope.with(step.id, Value::collection([("i", Value::Int(round as i64 + 1))]), Some(round + 1));
            self.stack.push(Todo::Repeat {
                step: index,
                round: round + 1,
                rounds_max,
                last: None,
                is_aside: false,
                scope,
            });
            self.stack.push(Todo::Enter { next: step.body, scope: place, judged: false });
            return;
        }
        let continues = step.parameters.get("whenExhausted").and_then(|text| text.as_str()) == Some("continue");
        if is_met || continues {
            let bundles = vec![last.map(|last| last.newest()).unwrap_or_default()];
            let input = Value::collection([("rounds", Value::Int(round as i64))]);
            self.tell(step, &scope.path(), OperationStatus::Success, &input, &bundles, None, None, self.now);
            self.emit(index, bundles, scope);
            return;
        }
        let why = match verdict {
            Ok(Verdict::Stops(why)) => why,
            Ok(Verdict::Passes) => String::new(),
            Err(problem) => problem.to_string(),
        };
        let message = format!("the condition did not hold within {rounds_max} repeats: {why}");
        self.fail(index, scope, &Value::Absent, ModuleError::new(Class::DataError, message), None, self.now);
    }
}

/// Reads how often a repeat-until repeats at most.
pub(super) fn rounds_max(input: &Value) -> u64 {
    input.field("repeats").to_i64().unwrap_or(20).clamp(1, 1_000_000) as u64
}
