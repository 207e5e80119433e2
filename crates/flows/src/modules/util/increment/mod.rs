//! Increment function.

use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Counts the bundles that come by in a run.
pub const INCREMENT: Module = module!("util:FunctionIncrement", versions[1], Behaviour::Pure(increment));

fn increment(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    if call.parameter("reset") == Some("scenario") {
        let message = "a counter that goes on from run to run is not there yet; count in a table instead";
        return Err(ModuleError::new(Class::InvalidConfigurationError, message));
    }
    // No variable of a user begins like that.
    let name = format!("\u{0}increment:{}", call.module);
    let number = call.variables.get(&name).and_then(Value::to_i64).unwrap_or(0) + 1;
    call.variables.insert(name, Value::Int(number));
    Ok(vec![Value::collection([("i", Value::Int(number))])])
}
