//! Data jobs, their runs, and the calls by which clients of the original start
//! and watch them.

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use base::{Actor, Timestamp};
use http::StatusCode;
use pools::{DataJob, DataJobSpec, DataRun, DataRunId, Pool, RunState, StatementRun};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

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
) -> Result<Json<Vec<Shown>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    Ok(Json(app.pools.data_jobs(pool.id).await?.into_iter().map(Shown::from).collect()))
}

/// Makes a data job, or puts the one of this name anew.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    body::Json(spec): body::Json<DataJobSpec>,
) -> Result<Json<Shown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    Ok(Json(app.pools.put_data_job(&actor, pool.id, None, spec).await?.into()))
}

/// Shows a data job.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Shown>, Fault> {
    let (_, job) = known(&app, &actor, &pool, &job, Permission::UsePool).await?;
    Ok(Json(job.into()))
}

/// Puts what a data job does anew, or makes one of this name.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
    body::Json(spec): body::Json<DataJobSpec>,
) -> Result<Json<Shown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    let before = match app.pools.data_job(pool.id, &job).await {
        Ok(before) => Some(before),
        Err(pools::Error::UnknownDataJob { .. }) if spec.name.trim() == job => None,
        Err(error) => return Err(error.into()),
    };
    let after = app.pools.put_data_job(&actor, pool.id, before.as_ref().map(|before| before.id), spec).await?;
    let changed = Some(before.as_ref() != Some(&after));
    Ok(Json(Shown { changed, ..after.into() }))
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
) -> Result<(StatusCode, Json<RunShown>), Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    let run = app.pools.run_data_job(&actor, pool.id, job.id).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// Lists the runs of a data job, the newest first.
pub(super) async fn runs(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Vec<RunShown>>, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::UsePool).await?;
    Ok(Json(app.pools.data_runs(pool.id, job.id).await?.into_iter().map(RunShown::from).collect()))
}

/// Shows a run with its statements.
pub(super) async fn show_run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job, run)): Path<(String, String, String)>,
) -> Result<Json<RunWithStatements>, Fault> {
    let (pool, job) = known(&app, &actor, &pool, &job, Permission::UsePool).await?;
    let (run, statements) = app.pools.data_run(pool.id, run_id(&run)?).await?;
    if run.job != job.id {
        return Err(pools::Error::UnknownDataRun { run: run.id }.into());
    }
    let statements = statements.into_iter().map(StatementShown::from).collect();
    Ok(Json(RunWithStatements { run: run.into(), statements }))
}

/// Cancels a run.
pub(super) async fn cancel_run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job, run)): Path<(String, String, String)>,
) -> Result<Json<RunShown>, Fault> {
    let (pool, _) = known(&app, &actor, &pool, &job, Permission::AdminPool).await?;
    Ok(Json(app.pools.cancel_data_run(&actor, pool.id, run_id(&run)?).await?.into()))
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

/// A data job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataJob)]
pub(super) struct Shown {
    #[serde(flatten)]
    #[schema(value_type = DataJobText)]
    spec: DataJobSpec,
    id: String,
    /// When it starts by itself next.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// Something is different from before; told when it is put.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changed: Option<bool>,
}

/// For the document: what a person writes to make a data job.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataJobText)]
#[expect(dead_code, reason = "it stands for the type that the pools have of it")]
pub(super) struct DataJobText {
    /// What people read; unique in the pool, case aside.
    name: String,
    /// The data connection to whose schema it belongs; nothing is *Global*.
    connection: Option<String>,
    /// What is done, in order.
    #[schema(required = true)]
    transformations: Vec<Transformation>,
    /// When it starts by itself.
    #[schema(value_type = Option<Object>)]
    schedule: Option<Value>,
    /// It starts when one of these tables has changed.
    #[serde(default)]
    on_change_of: Vec<String>,
    /// Whether schedule and changes start it; so it is if nothing is said. By
    /// hand it always starts.
    #[schema(required = true)]
    enabled: bool,
}

/// For the document: a named piece of a data job.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it stands for the type that the pools have of it")]
struct Transformation {
    name: String,
    /// SQL statements with a semicolon between them; `sql` means the same.
    statements: String,
}

/// A run of a data job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataJobRun)]
pub(super) struct RunShown {
    id: String,
    job: String,
    state: &'static str,
    /// What started it.
    cause: &'static str,
    #[schema(required = true)]
    error: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    ended_at: Option<Timestamp>,
}

/// A run of a data job with its statements.
#[derive(Serialize, ToSchema)]
#[schema(as = DataJobRunWithStatements)]
pub(super) struct RunWithStatements {
    #[serde(flatten)]
    run: RunShown,
    statements: Vec<StatementShown>,
}

/// A statement of a run.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataJobStatement)]
struct StatementShown {
    place: usize,
    transformation: String,
    /// In its transformation, from 1.
    number: usize,
    /// Where it begins.
    line: usize,
    verb: &'static str,
    target: String,
    /// `OPEN`, `DONE` or `ERROR`.
    state: &'static str,
    #[schema(required = true)]
    commit: Option<u64>,
    #[schema(required = true)]
    upserted: Option<u64>,
    #[schema(required = true)]
    deleted: Option<u64>,
    #[schema(required = true)]
    duration_ms: Option<i64>,
    #[schema(required = true)]
    error: Option<String>,
}

impl From<DataJob> for Shown {
    fn from(job: DataJob) -> Self {
        let DataJob { id, spec, next_at, created_at, created_by, changed_at, .. } = job;
        Shown { spec, id: id.to_string(), next_at, created_at, created_by, changed_at, changed: None }
    }
}

impl From<DataRun> for RunShown {
    fn from(run: DataRun) -> Self {
        RunShown {
            id: run.id.to_string(),
            job: run.job.to_string(),
            state: run.state.as_str(),
            cause: run.cause.as_str(),
            error: run.error,
            created_at: run.created_at,
            created_by: run.created_by,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

impl From<StatementRun> for StatementShown {
    fn from(statement: StatementRun) -> Self {
        let ended = statement.ended.as_ref();
        let state = match ended {
            None => "OPEN",
            Some(end) if end.error.is_some() => "ERROR",
            Some(_) => "DONE",
        };
        StatementShown {
            place: statement.place,
            transformation: statement.transformation,
            number: statement.number,
            line: statement.line,
            verb: statement.verb.as_str(),
            target: statement.target,
            state,
            commit: ended.and_then(|end| end.number),
            upserted: ended.map(|end| end.upserted),
            deleted: ended.map(|end| end.deleted),
            duration_ms: ended.map(|end| end.ended_at.as_millis() - end.started_at.as_millis()),
            error: ended.and_then(|end| end.error.clone()),
        }
    }
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
