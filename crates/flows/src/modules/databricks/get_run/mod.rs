//! How a run stands.

use serde_json::Value as Json;

use crate::databricks::act::Act;
use crate::databricks::body;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Looks once how a run stands; with the outputs of its tasks if it has ended.
pub const GET_RUN: Module = module!("databricks:GetRun", versions[1], Behaviour::Effect(get));

fn get(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let run = body::needed_id(call, "run_id")?;
    let outputs = call.parameters.get("outputs").and_then(Json::as_bool).unwrap_or(true);
    super::planned(call, GET_RUN.name, Act::Get { run, outputs })
}
