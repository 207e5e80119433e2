//! Basic trigger.

use serde_json::Value as Json;

use crate::modules::{Behaviour, Call, Module, ModuleError};
use crate::value::Value;

/// Begins a run with bundles that stand in its settings.
pub const BASIC_TRIGGER: Module = module!("util:BasicTrigger", versions[1], Behaviour::Loop(bundles));

fn bundles(call: &mut Call<'_>) -> Result<Vec<Value>, ModuleError> {
    let entries = call.parameters.get("values").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let bundle = |entry: &Json| {
        let fields = entry.get("spec").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        Value::collection(fields.iter().filter_map(|field| {
            let value = field.get("value").cloned().unwrap_or_default();
            Some((field.get("name")?.as_str()?, Value::from_json(value)))
        }))
    };
    Ok(entries.iter().map(bundle).collect())
}
