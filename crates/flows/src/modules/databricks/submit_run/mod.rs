//! A run without a job.

use serde_json::{Map, Value as Json};

use crate::databricks::act::Act;
use crate::databricks::body::{self, invalid};
use crate::modules::{Behaviour, Call, Module, ModuleError, Plan};

/// Submits tasks as a run of their own, and waits for its end unless told otherwise.
pub const SUBMIT_RUN: Module = module!("databricks:SubmitRun", versions[1], Behaviour::Effect(submit));

fn submit(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let waits = call.parameters.get("wait").and_then(Json::as_bool).unwrap_or(true);
    let wait = if waits { Some(body::wait(call)?) } else { None };
    let tasks = body::json_field(call, "tasks")?;
    let tasks = match tasks {
        Some(Json::Array(tasks)) if !tasks.is_empty() => Json::Array(tasks),
        Some(task @ Json::Object(_)) => Json::Array(vec![task]),
        Some(_) => return Err(invalid("tasks: a list of tasks is needed, each with a \"task_key\"")),
        None => return Err(invalid("missing value of required parameter \"tasks\"")),
    };
    let mut sent = Map::from_iter([("tasks".to_owned(), tasks)]);
    for name in ["environments", "access_control_list", "run_as"] {
        if let Some(value) = body::json_field(call, name)? {
            sent.insert(name.to_owned(), value);
        }
    }
    let name = call.input.field("run_name").to_text();
    if !name.is_empty() {
        sent.insert("run_name".into(), name.into());
    }
    if let Some(seconds) = call.input.field("timeout_seconds").to_i64() {
        sent.insert("timeout_seconds".into(), seconds.into());
    }
    body::starting(call, &mut sent)?;
    sent.remove("only");
    let path = "/api/2.2/jobs/runs/submit";
    super::planned(call, SUBMIT_RUN.name, Act::Run { path, body: Json::Object(sent), job: None, wait })
}
