//! What failed of a run is run again.

use serde_json::{Map, Value as Json};

use crate::databricks::act::Act;
use crate::databricks::body;
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};
use crate::value::Value;

/// Runs tasks of a run again that has ended, with the parameters that it had,
/// and waits for the end unless told otherwise.
pub const REPAIR_RUN: Module = module!("databricks:RepairRun", versions[1], Behaviour::Effect(repair));

fn repair(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let run = body::needed_id(call, "run_id")?;
    let waits = call.parameters.get("wait").and_then(Json::as_bool).unwrap_or(true);
    let wait = if waits { Some(body::wait(call)?) } else { None };
    let mut sent = Map::new();
    let tasks: Vec<Json> = match call.input.field("rerun_tasks") {
        Value::Array(tasks) => tasks.iter().map(|task| Json::String(task.to_text())).collect(),
        other => other.to_text().split(',').map(str::trim).filter(|task| !task.is_empty()).map(Json::from).collect(),
    };
    if tasks.is_empty() {
        sent.insert("rerun_all_failed_tasks".into(), true.into());
    } else {
        sent.insert("rerun_tasks".into(), tasks.into());
    }
    let dependent = call.input.field("rerun_dependent_tasks");
    if !dependent.is_empty() {
        let is_on = dependent.truth() && dependent.as_text() != Some("false");
        sent.insert("rerun_dependent_tasks".into(), is_on.into());
    }
    body::parameters(call, &mut sent)?;
    super::planned(call, REPAIR_RUN.name, Act::Repair { run, body: sent, wait })
}
