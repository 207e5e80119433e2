//! Answers to those who brought the start bundles.
//!
//! A machine only notes them. They are no effects: nothing comes back, and a
//! caller is gone after a crash, so the journal does not know them. Whoever
//! walks the machine hands them on when what led to them is durable.

use std::collections::BTreeSet;

use super::Machine;
use crate::engine::scope::Scope;
use crate::hook::Response;
use crate::program::StepIndex;
use crate::run::OperationStatus;
use crate::value::Value;

/// What a machine has noted.
#[derive(Default)]
pub(super) struct Responses {
    noted: Vec<(Option<usize>, Response)>,
    /// Start bundles that have an answer; later ones do not count.
    answered: BTreeSet<Option<usize>>,
}

impl Machine {
    /// Takes the responses noted since the last time: each with the place of
    /// its start bundle, from 0 on, or nothing if it is below no single one.
    pub fn take_responses(&mut self) -> Vec<(Option<usize>, Response)> {
        std::mem::take(&mut self.responses.noted)
    }

    pub(super) fn respond(&mut self, index: StepIndex, scope: Scope, input: &Value, response: Response) {
        let program = self.program.clone();
        let path = scope.path();
        let start = program.start_step().map(|step| program.steps[step].id);
        let bundle = start.and_then(|start| bundle_of(&path, start));
        if self.responses.answered.insert(bundle) {
            self.responses.noted.push((bundle, response));
        }
        let bundles = vec![Value::collection::<String>([])];
        self.tell(&program.steps[index], &path, OperationStatus::Success, input, &bundles, None, None, self.now);
        self.emit(index, bundles, scope);
    }
}

/// Returns the place of the start bundle that a path is below: 1 for
/// `1.2/5.1`, if 1 is the module that starts.
fn bundle_of(path: &str, start: u32) -> Option<usize> {
    let (module, number) = path.split('/').next()?.split_once('.')?;
    let number: usize = number.parse().ok()?;
    (module.parse() == Ok(start)).then_some(number.checked_sub(1)?)
}
