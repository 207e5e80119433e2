//! Asking filters, and what is told of what they decide.
//!
//! A module that does something tells what its filter said with its operation.
//! Routers, if-elses, aggregators, repetitions and directives are no
//! operations, or later ones than their entrance, so what is decided there is
//! told apart, as a [`Choice`].

use super::Machine;
use crate::engine::scope::Scope;
use crate::filter::{Filter, Judgement, Verdict};
use crate::mapping::Problem;
use crate::modules::Behaviour;
use crate::program::{Next, Step, StepIndex};
use crate::run::{Choice, OperationStatus};
use crate::value::Value;

/// Where a choice was made.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// The module.
    pub(super) of: StepIndex,
    /// Which of its routes or branches, the first is 0; nothing for its own
    /// entrance or end.
    pub(super) place: Option<usize>,
    /// Where that leads.
    pub(super) to: Next,
}

impl Machine {
    /// Asks a filter about the bundle at `at`. What it said is kept for what is
    /// told next of `step` at `place`.
    pub(super) fn ask(&mut self, filter: &Filter, at: &Scope, step: &Step, place: &Scope) -> Result<Verdict, Problem> {
        let is_recorded = self.operation_count < self.recorded_max;
        if self.program.is_confidential || !is_recorded {
            return filter.judge(&self.view(at, ""));
        }
        let mut told = Judgement::default();
        let verdict = filter.judge_telling(&self.view(at, ""), &mut told);
        self.judged = Some((step.id, place.path(), told));
        verdict
    }

    /// Tells whether a bundle may enter a route of a router.
    pub(super) fn passes_into(&mut self, route: Way, scope: &Scope) -> bool {
        let program = self.program.clone();
        let router = &program.steps[route.of];
        if let Next::Step(first) = route.to
            && program.steps[first].filter.is_some()
        {
            return self.passes(first, scope, Some(route));
        }
        let is_fallback = route.place.is_some() && route.place == router.fallback;
        let reason = if is_fallback { "no other route was taken" } else { "it has no conditions" };
        self.decide(route, scope, true, Some(reason));
        true
    }

    /// Tells whether a bundle may enter a step, which perhaps a route leads to.
    pub(super) fn passes(&mut self, index: StepIndex, scope: &Scope, route: Option<Way>) -> bool {
        let program = self.program.clone();
        let step = &program.steps[index];
        let way = route.or_else(|| {
            let own = Way { of: index, place: None, to: Next::End };
            (step.filter.is_some() && !tells_at_once(step)).then_some(own)
        });
        let Some(filter) = &step.filter else { return true };
        let why = match self.ask(filter, scope, step, scope) {
            Ok(Verdict::Passes) => None,
            Ok(Verdict::Stops(why)) => Some(why),
            Err(problem) => Some(problem.to_string()),
        };
        if let Some(way) = way {
            self.decide(way, scope, why.is_none(), None);
        }
        let Some(why) = why else { return true };
        self.tell(step, &scope.path(), OperationStatus::Filtered, &Value::Absent, &[], None, Some(why), self.now);
        false
    }

    /// Records whether a bundle at `scope` goes a way: because of what the
    /// filter said that was asked last, or, where none was, for a reason in
    /// words.
    pub(super) fn decide(&mut self, way: Way, scope: &Scope, taken: bool, reason: Option<&str>) {
        let is_recorded = self.operation_count < self.recorded_max && (self.choices.len() as u64) < self.recorded_max;
        if !is_recorded {
            return;
        }
        let told = || self.judged.as_ref().map(|(_, _, told)| told.clone());
        self.choices.push(Choice {
            after: self.operation_count,
            module: self.program.steps[way.of].id,
            path: scope.path().to_string(),
            way: way.place.map(|place| place as u64 + 1),
            leads_to: match way.to {
                Next::Step(first) => Some(self.program.steps[first].id),
                Next::End | Next::BodyEnd(_) | Next::Merge { .. } => None,
            },
            taken,
            reason: reason.map(str::to_owned),
            filter: if reason.is_none() { told() } else { None },
        });
    }
}

/// Tells whether a step's entrance is told with its operation.
fn tells_at_once(step: &Step) -> bool {
    match step.module.map(|module| module.behaviour) {
        None => true,
        Some(behaviour) => match behaviour {
            Behaviour::Router
            | Behaviour::IfElse
            | Behaviour::Aggregator(_)
            | Behaviour::RepeatUntil
            | Behaviour::Directive(_) => false,
            Behaviour::Start(_)
            | Behaviour::Merge
            | Behaviour::Pure(_)
            | Behaviour::Loop(_)
            | Behaviour::Effect(_)
            | Behaviour::Respond(_) => true,
        },
    }
}
