//! Push jobs: create, look, execute, delete.

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use pools::PushJobId;
use serde_json::Value;

use super::job_form;
use crate::app::App;
use crate::body::Text;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Makes a push job. The answer is a 200, not a 201: clients fail on anything
/// else.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    Text(text): Text,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let job = app.pools.create_job(&actor, pool.id, job_form::read(&text)?).await?;
    Ok(Json(job_form::write(&job)))
}

/// Lists the push jobs of a pool, as a bare array.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let jobs = app.pools.jobs(pool.id).await?;
    Ok(Json(jobs.iter().map(job_form::write).collect()))
}

/// Shows a push job.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let job = app.pools.job(pool.id, read_id(&job)?).await?;
    Ok(Json(job_form::write(&job)))
}

/// Executes a push job. A body says nothing here, so it is not read.
pub(super) async fn execute(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    app.pools.execute(&actor, pool.id, read_id(&job)?).await?;
    Ok(StatusCode::OK)
}

/// Deletes a push job. Its rows stay.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    app.pools.delete(&actor, pool.id, read_id(&job)?).await?;
    Ok(StatusCode::OK)
}

/// Reads the id of a job; what is not an id names none.
pub(super) fn read_id(job: &str) -> Result<PushJobId, Fault> {
    let unknown = |_| Fault::not_found("push-job-unknown", format!("push job \"{job}\" does not exist"));
    job.parse().map_err(unknown)
}
