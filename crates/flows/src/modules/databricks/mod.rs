//! Modules that call a Databricks workspace, in the cloud or our own.
//!
//! They plan an [`Errand`] here; `databricks` says what it asks, and the
//! engine holds the conversation. Each names a connection in the setting
//! `connection`.

pub mod run_job_and_wait;
pub mod run_job;
pub mod submit_run;
pub mod get_run;
pub mod cancel_run;
pub mod repair_run;
pub mod list_jobs;
pub mod query_endpoint;
pub mod execute_statement;
pub mod upload_file;
pub mod write_rows;
pub mod run_ended;

use serde_json::{Map, Value as Json};

use crate::databricks::act::{Act, Errand, Wait};
use crate::databricks::body;
use crate::modules::{Call, ModuleError, Plan};

/// Plans a conversation.
fn planned(call: &Call<'_>, module: &'static str, act: Act) -> Result<Plan, ModuleError> {
    Ok(Plan::Databricks(Box::new(Errand { connection: body::connection(call)?, module, act })))
}

/// Plans to start a run of a job.
fn run_now(call: &Call<'_>, module: &'static str, wait: Option<Wait>) -> Result<Plan, ModuleError> {
    let job = body::needed_id(call, "job_id")?;
    let mut sent = Map::from_iter([("job_id".to_owned(), Json::from(job))]);
    body::parameters(call, &mut sent)?;
    body::starting(call, &mut sent)?;
    let path = "/api/2.2/jobs/run-now";
    planned(call, module, Act::Run { path, body: Json::Object(sent), job: Some(job), wait })
}
