//! Push jobs: create, look, execute, delete.

use std::collections::HashMap;

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;
use pools::PushJobId;
use serde_json::Value;

use super::job_form;
use crate::app::App;
use crate::body::{Query, Text};
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
    Query(given): Query<HashMap<String, String>>,
) -> Result<Response, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let newest_by = given.get("duplicateRemovalColumn").filter(|column| !column.trim().is_empty()).cloned();
    match app.pools.execute_newest(&actor, pool.id, read_id(&job)?, newest_by).await {
        Ok(_) => Ok(StatusCode::OK.into_response()),
        Err(error) => Ok(put_off(error)),
    }
}

/// Says what is wrong and, where a limit is passed, when it begins anew.
fn put_off(error: pools::Error) -> Response {
    let retry_after_s = match &error {
        pools::Error::TooManyExecutions { retry_after_s, .. } => Some(*retry_after_s),
        _ => None,
    };
    let mut response = Fault::from(error).into_response();
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
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
pub(crate) fn read_id(job: &str) -> Result<PushJobId, Fault> {
    let unknown = |_| Fault::not_found("push-job-unknown", format!("push job \"{job}\" does not exist"));
    job.parse().map_err(unknown)
}
