//! What is told of each operation.

use base::Timestamp;

use super::Machine;
use crate::modules;
use crate::program::Step;
use crate::run::{Operation, OperationStatus};
use crate::value::Value;

impl Machine {
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
        let judged = self.judged.take().filter(|(id, at, _)| *id == step.id && **at == *path);
        if self.operation_count > self.recorded_max {
            return;
        }
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
        // Why a bundle did not pass is said with its values.
        let detail = detail.filter(|_| !(self.program.is_confidential && status == OperationStatus::Filtered));
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
            filter: judged.map(|(_, _, judgement)| judgement),
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
