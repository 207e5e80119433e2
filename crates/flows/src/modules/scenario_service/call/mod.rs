//! Call a scenario.

use serde_json::Value as Json;

use crate::modules::{Behaviour, Call, Class, FlowCall, Module, ModuleError, Plan};
use crate::value::Value;

/// Starts another flow, and waits for what it gives back if it is to. The flow
/// is named as blueprints do, `SCN_` and its key.
pub const CALL: Module = module!("scenario-service:CallSubscenario", versions[1, 2], Behaviour::Effect(call));

/// The same in words of our own.
pub const CALL_FLOW: Module = module!("loopwright:CallFlow", versions[1], Behaviour::Effect(call_flow));

fn call(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let named = call.parameters.get("scenario").or_else(|| call.parameters.get("scenarioId"));
    let named = named.cloned().map_or_else(|| call.input.field("scenario"), Value::from_json).to_text();
    let waits = match call.parameters.get("shouldWaitForExecutionEnd").or(call.parameters.get("shouldWait")) {
        Some(Json::Bool(waits)) => *waits,
        _ => call.input.field("shouldWaitForExecutionEnd").truth(),
    };
    let flow = named.strip_prefix("SCN_").unwrap_or(&named).to_owned();
    plan(flow, call.input.field("data"), waits)
}

fn call_flow(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let waits = call.parameters.get("wait").and_then(Json::as_bool).unwrap_or(true);
    let flow = call.parameter("flow").map_or_else(|| call.input.field("flow").to_text(), str::to_owned);
    plan(flow, call.input.field("input"), waits)
}

fn plan(flow: String, input: Value, waits: bool) -> Result<Plan, ModuleError> {
    if flow.is_empty() {
        let message = "missing value of required parameter \"flow\"";
        return Err(ModuleError::new(Class::BundleValidationError, message));
    }
    let input = match input {
        Value::Collection(_) => input,
        Value::Absent | Value::Null => Value::collection::<String>([]),
        other => {
            let message = format!("the input of a flow is a collection, not \"{}\"", other.to_text());
            return Err(ModuleError::new(Class::BundleValidationError, message));
        }
    };
    Ok(Plan::Flow(FlowCall { flow, input, waits }))
}
