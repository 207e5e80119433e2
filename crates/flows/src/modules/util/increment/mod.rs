//! Increment function.

use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::value::Value;

/// Counts the bundles that come by in a run, or in all runs of its flow.
pub const INCREMENT: Module = module!("util:FunctionIncrement", versions[1], Behaviour::Effect(increment));

fn increment(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    if call.parameter("reset") == Some("scenario") {
        return Ok(Plan::Count);
    }
    // No variable of a user begins like that.
    let name = format!("\u{0}increment:{}", call.module);
    let number = call.variables.get(&name).and_then(Value::to_i64).unwrap_or(0) + 1;
    match call.parameter("reset") {
        Some("execution") => call.variables.insert(name, Value::Int(number)),
        _ => call.variables.insert_for_cycle(name, Value::Int(number)),
    }
    Ok(Plan::Nothing(vec![counted(number)]))
}

/// Makes the bundle of a number.
pub(crate) fn counted(number: i64) -> Value {
    Value::collection([("i", Value::Int(number))])
}
