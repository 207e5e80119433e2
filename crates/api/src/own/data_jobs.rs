//! Data jobs, their runs, and the calls by which clients of the original start
//! and watch them.

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use base::Actor;
use http::StatusCode;
use pools::{DataJob, DataJobSpec, DataRun, DataRunId, Pool, RunState, StatementRun};
use serde_json::{Value, json};

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Lists the data jobs of a pool.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    Ok(Json(app.pools.data_jobs(pool.id).await?.iter().map(job_form).collect()))
}

/// Makes a data job, or puts the one of this name anew.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    body::Json(spec): body::Json<DataJobSpec>,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    Ok(Json(job_form(&app.pools.put_data_job(&actor, pool.id, None, spec).await?)))
}

/// Shows a data job.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let (_, job) = known(&app, &actor, &pool, &job, Permission::UsePool).await?;
    Ok(Json(job_form(&job)))
}

/// Puts what a data job does anew, or makes one of this name.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
    body::Json(spec): body::Json<DataJobSpec>,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    let before = match app.pools.data_job(pool.id, &job).await {
        Ok(before) => Some(before),
        Err(pools::Error::UnknownDataJob { .. }) if spec.name.trim() == job => None,
        Err(error) => return Err(error.into()),
    };
    let after = app.pools.put_data_job(&actor, pool.id, before.as_ref().map(|before| before.id), spec).await?;
    let mut form = job_form(&after);
    form["changed"] = json!(before.as_ref() != Some(&after));
    Ok(Json(form))
}

/// Deletes a data job with its runs.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    app.pools.delete_data_job(&actor, pool.id, job.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for a run.
pub(super) async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    let run = app.pools.run_data_job(&actor, pool.id, job.id).await?;
    Ok((StatusCode::ACCEPTED, Json(run_form(&run))))
}

/// Lists the runs of a data job, the newest first.
pub(super) async fn runs(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Vec<Value>>, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::UsePool).await?;
    Ok(Json(app.pools.data_runs(pool.id, job.id).await?.iter().map(run_form).collect()))
}

/// Shows a run with its statements.
pub(super) async fn show_run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job, run)): Path<(String, String, String)>,
) -> Result<Json<Value>, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::UsePool).await?;
    let (run, statements) = app.pools.data_run(pool.id, run_id(&run)?).await?;
    if run.job != job.id {
        return Err(pools::Error::UnknownDataRun { run: run.id }.into());
    }
    let mut form = run_form(&run);
    form["statements"] = statements.iter().map(statement_form).collect();
    Ok(Json(form))
}

/// Cancels a run.
pub(super) async fn cancel_run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job, run)): Path<(String, String, String)>,
) -> Result<Json<Value>, Fault> {
    let (pool, _) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    Ok(Json(run_form(&app.pools.cancel_data_run(&actor, pool.id, run_id(&run)?).await?)))
}

/// Starts a data job as clients of the original do. Full or delta is all one
/// here: what a statement reads is up to the statement.
pub(crate) async fn execute(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    let run = app.pools.run_data_job(&actor, pool.id, job.id).await?;
    Ok(Json(json!({ "id": run.id, "jobId": job.id, "status": status_word(run.state) })))
}

/// Tells how the last run of each data job stands, as a bare array.
pub(crate) async fn statuses(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let runs = app.pools.last_data_runs(pool.id).await?;
    let forms = runs.iter().map(|run| {
        json!({
            "id": run.id,
            "jobId": run.job,
            "jobName": run.spec.name,
            "status": status_word(run.state),
            "startDate": run.started_at.map(base::Timestamp::as_millis),
            "endDate": run.ended_at.map(base::Timestamp::as_millis),
            "errorMessage": run.error,
        })
    });
    Ok(Json(forms.collect()))
}

/// Cancels what waits or runs of a data job.
pub(crate) async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    app.pools.cancel_data_job(&actor, pool.id, job.id).await?;
    Ok(StatusCode::OK)
}

async fn known(app: &App, actor: &Actor, pool: &str, job: &str, right: Permission) -> Result<(Pool, DataJob), Fault> {
    let pool = rights::pool(app, actor, pool, right).await?;
    let job = app.pools.data_job(pool.id, job).await?;
    Ok((pool, job))
}

fn run_id(text: &str) -> Result<DataRunId, Fault> {
    text.parse().map_err(|_| Fault::not_found("data-run-unknown", format!("run \"{text}\" does not exist")))
}

fn job_form(job: &DataJob) -> Value {
    let mut form = json!(job.spec);
    form["id"] = json!(job.id);
    form["nextAt"] = json!(job.next_at);
    form["createdAt"] = json!(job.created_at);
    form["createdBy"] = json!(job.created_by);
    form["changedAt"] = json!(job.changed_at);
    form
}

fn run_form(run: &DataRun) -> Value {
    json!({
        "id": run.id,
        "job": run.job,
        "state": run.state.as_str(),
        "cause": run.cause.as_str(),
        "error": run.error,
        "createdAt": run.created_at,
        "createdBy": run.created_by,
        "startedAt": run.started_at,
        "endedAt": run.ended_at,
    })
}

fn statement_form(statement: &StatementRun) -> Value {
    let ended = statement.ended.as_ref();
    let state = match ended {
        None => "OPEN",
        Some(end) if end.error.is_some() => "ERROR",
        Some(_) => "DONE",
    };
    json!({
        "place": statement.place,
        "transformation": statement.transformation,
        "number": statement.number,
        "line": statement.line,
        "verb": statement.verb.as_str(),
        "target": statement.target,
        "state": state,
        "commit": ended.and_then(|end| end.number),
        "upserted": ended.map(|end| end.upserted),
        "deleted": ended.map(|end| end.deleted),
        "durationMs": ended.map(|end| end.ended_at.as_millis() - end.started_at.as_millis()),
        "error": ended.and_then(|end| end.error.as_deref()),
    })
}

/// The states in the words of the original.
fn status_word(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "QUEUED",
        RunState::Running => "RUNNING",
        RunState::Done => "SUCCESS",
        RunState::Error => "FAIL",
        RunState::Canceled => "CANCEL",
    }
}
