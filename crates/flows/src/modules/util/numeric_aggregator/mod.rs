//! Numeric aggregator.

use serde_json::Value as Json;

use crate::modules::{Behaviour, Class, Gathered, Module, ModuleError};
use crate::value::Value;

/// Makes one number of the numbers of its feeder's bundles.
pub const NUMERIC_AGGREGATOR: Module =
    module!("util:FunctionAggregator2", versions[1], Behaviour::Aggregator(aggregate));

/// Of nothing the count and the sum are 0, the others nothing.
fn aggregate(gathered: &Gathered<'_>) -> Result<Value, ModuleError> {
    let refused = |class, message: String| Err(ModuleError::new(class, message));
    let function = gathered.parameters.get("fn").and_then(Json::as_str).unwrap_or("sum");
    if function == "count" {
        return Ok(Value::collection([("result", Value::Int(gathered.items.len() as i64))]));
    }
    let mut numbers = Vec::new();
    for value in gathered.items.iter().map(|item| item.field("value")).filter(|value| !value.is_empty()) {
        match value.to_f64() {
            Some(number) => numbers.push(number),
            None => return refused(Class::BundleValidationError, format!("\"{}\" is not a number", value.to_text())),
        }
    }
    let count = numbers.len() as f64;
    let result = match function {
        "sum" => Some(numbers.iter().sum()),
        "avg" => Some(numbers.iter().sum::<f64>() / count).filter(|mean| mean.is_finite()),
        "max" => numbers.into_iter().reduce(f64::max),
        "min" => numbers.into_iter().reduce(f64::min),
        other => {
            let message = format!("\"{other}\" is not a function: sum, avg, count, max or min");
            return refused(Class::InvalidConfigurationError, message);
        }
    };
    Ok(Value::collection([("result", result.map_or(Value::Null, Value::number))]))
}
