//! Tools: variables, sleep, text aggregation.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::{Behaviour, Call, Class, Module, ModuleError, Plan, nothing_is_json};
use crate::value::{Collection, Value};

/// Longest sleep: a year. Blueprints of others stop at 300 seconds.
const SLEEP_SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// Sets several variables; they are the bundle too.
pub const SET_VARIABLES: Module = Module {
    name: "util:SetVariables",
    versions: &[1],
    schema: include_str!("set-variables.json"),
    behaviour: Behaviour::Pure(set_variables),
    is_json: nothing_is_json,
};

/// Sets one variable.
pub const SET_VARIABLE: Module = Module {
    name: "util:SetVariable2",
    versions: &[1],
    schema: include_str!("set-variable.json"),
    behaviour: Behaviour::Pure(set_variable),
    is_json: nothing_is_json,
};

/// Reads a variable, also one that was set on another route.
pub const GET_VARIABLE: Module = Module {
    name: "util:GetVariable2",
    versions: &[1],
    schema: include_str!("get-variable.json"),
    behaviour: Behaviour::Pure(get_variable),
    is_json: nothing_is_json,
};

/// Lets time pass; a sleeping run is a row.
pub const SLEEP: Module = Module {
    name: "util:FunctionSleep",
    versions: &[1],
    schema: include_str!("sleep.json"),
    behaviour: Behaviour::Effect(sleep),
    is_json: nothing_is_json,
};

/// Joins the texts of its feeder's bundles.
pub const TEXT_AGGREGATOR: Module = Module {
    name: "util:TextAggregator",
    versions: &[1],
    schema: include_str!("text-aggregator.json"),
    behaviour: Behaviour::Aggregator(join),
    is_json: nothing_is_json,
};

fn set_variables(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let mut bundle = Collection::new();
    if let Value::Array(entries) = call.input.field("variables") {
        for entry in entries.iter() {
            let name = entry.field("name").to_text();
            let value = entry.field("value");
            call.variables.insert(name.clone(), value.clone());
            bundle.insert(name, value);
        }
    }
    Ok(vec![Value::collection(bundle)])
}

fn set_variable(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let (name, value) = (call.input.field("name").to_text(), call.input.field("value"));
    call.variables.insert(name.clone(), value.clone());
    Ok(vec![Value::collection([(name, value)])])
}

fn get_variable(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let name = call.input.field("name").to_text();
    let value = call.variables.get(&name).cloned().unwrap_or_default();
    Ok(vec![Value::collection([(name, value)])])
}

fn sleep(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let duration = call.input.field("duration");
    match duration.to_f64() {
        Some(seconds) if (0.0..=SLEEP_SECONDS_MAX).contains(&seconds) => {
            Ok(Plan::Wait(Duration::from_secs_f64(seconds)))
        }
        _ => Err(ModuleError::new(
            Class::BundleValidationError,
            format!("\"{}\" is not a number of seconds between 0 and a year", duration.to_text()),
        )),
    }
}

fn join(parameters: &Map<String, Json>, items: Vec<Value>) -> Value {
    let parameter = |name: &str| parameters.get(name).and_then(Json::as_str).unwrap_or_default();
    let separator = match parameter("rowSeparator") {
        // Blueprints hold the two letters, not the character.
        "\\n" => "\n",
        "\\t" => "\t",
        "other" => parameter("otherRowSeparator"),
        separator => separator,
    };
    let texts: Vec<String> = items.iter().map(|item| item.field("value").to_text()).collect();
    Value::collection([("text", Value::text(texts.join(separator)))])
}
