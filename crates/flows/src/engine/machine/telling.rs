//! What becomes of a failed bundle, and what is told of each operation.

use base::Timestamp;

use super::{Ending, Machine, Todo};
use crate::engine::scope::Scope;
use crate::modules::{self, Directive, ModuleError};
use crate::program::{Step, StepIndex};
use crate::run::{Operation, OperationStatus, Outcome};
use crate::value::Value;

impl Machine {
    pub(super) fn follow(&mut self, directive: Directive, input: Value, step: &Step) {
        let handler = self.stack.iter().rposition(|todo| matches!(todo, Todo::Handler { .. }));
        match directive {
            Directive::Ignore => {}
            Directive::Resume => {
                if let Some(Todo::Handler { step, scope }) = handler.map(|place| &self.stack[place]) {
                    let (failed, scope) = (*step, scope.clone());
                    self.emit(failed, vec![input], scope);
                }
            }
            Directive::Commit => self.stack.clear(),
            Directive::Rollback => {
                self.stack.clear();
                self.ending =
                    Ending { outcome: Outcome::Error, reason: Some(format!("{} stopped the run", named(step))) };
            }
        }
    }

    /// Takes the error route of a failed step; without one the run ends here.
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
        self.tell(step, &scope.path(), OperationStatus::Error, input, &[], status_code, Some(text.clone()), since);
        let Some(entrance) = step.on_error else {
            self.stack.clear();
            self.ending = Ending { outcome: Outcome::Error, reason: Some(format!("{} failed: {text}", named(step))) };
            return;
        };
        let told =
            Value::collection([("type", Value::text(error.class.as_str())), ("message", Value::text(&error.message))]);
        let place = scope.with(step.id, Value::collection([("error", told)]), None);
        self.stack.push(Todo::Handler { step: index, scope });
        self.stack.push(Todo::Enter { next: entrance, scope: place, judged: false });
    }

    pub(super) fn warn(&mut self, reason: String) {
        if self.ending.outcome == Outcome::Success {
            self.ending = Ending { outcome: Outcome::Warning, reason: Some(reason) };
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an operation has these parts; a struct would only name them twice")]
    pub(super) fn tell(
        &mut self,
        step: &Step,
        path: &str,
        status: OperationStatus,
        input: &Value,
        output: &[Value],
        status_code: Option<u16>,
        detail: Option<String>,
        since: Timestamp,
    ) {
        self.operation_count += 1;
        let is_http = modules::http::NAMES.contains(&step.module_name.as_str());
        let shown = |value: &Value, redact: fn(&Value) -> Value| {
            if is_http { redact(value).to_json() } else { value.to_json() }
        };
        let (input, output) = if self.program.is_confidential {
            (serde_json::Value::Null, Vec::new())
        } else {
            let output = output.iter().map(|bundle| shown(bundle, modules::http::redacted_output)).collect();
            (shown(input, modules::http::redacted_input), output)
        };
        self.operations.push(Operation {
            number: self.operation_count,
            module: step.id,
            kind: step.module_name.clone(),
            path: path.to_owned(),
            status,
            status_code,
            input,
            output,
            detail,
            started_at: since,
            ended_at: self.now,
        });
    }
}

/// Names a step for messages.
pub(super) fn named(step: &Step) -> String {
    match &step.label {
        Some(label) => format!("module {} \"{label}\"", step.id),
        None => format!("module {} ({})", step.id, step.module_name),
    }
}
