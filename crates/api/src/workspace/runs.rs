//! Runs: start, follow, read, stop.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use base::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workspace::{ApiVersion, JobId, Level, RunId, RunRequest, RunType, RunsQuery};

use super::number::Number;
use super::{repairs, run_view, within};
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Start a job. Words that would have to act here, and do not, are in `others`
/// and refused.
#[derive(Deserialize)]
pub(super) struct RunNow {
    job_id: Number,
    idempotency_token: Option<String>,
    job_parameters: Option<BTreeMap<String, String>>,
    python_params: Option<Vec<String>>,
    notebook_params: Option<Value>,
    python_named_params: Option<Value>,
    sql_params: Option<Value>,
    queue: Option<Queue>,
    only: Option<Vec<String>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
struct Queue {
    enabled: bool,
}

/// Which run is meant.
#[derive(Deserialize)]
pub(super) struct Which {
    run_id: Number,
    #[serde(default)]
    include_history: bool,
    #[serde(default)]
    include_resolved_values: bool,
    page_token: Option<String>,
}

/// Which runs are wanted.
#[derive(Deserialize)]
pub(super) struct Wanted {
    job_id: Option<Number>,
    #[serde(default)]
    active_only: bool,
    #[serde(default)]
    completed_only: bool,
    run_type: Option<String>,
    start_time_from: Option<i64>,
    start_time_to: Option<i64>,
    limit: Option<u32>,
    page_token: Option<String>,
    #[serde(default)]
    expand_tasks: bool,
}

/// Families of parameters, and the one sort of task that each of them reaches:
/// no job can have one here.
const FAMILIES: [(&str, &str); 4] = [
    ("jar_params", "spark_jar_task"),
    ("spark_submit_params", "spark_submit_task"),
    ("dbt_commands", "dbt_task"),
    ("pipeline_params", "pipeline_task"),
];

/// Starts a run of a job.
pub(super) async fn run_now(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(asked): body::Json<RunNow>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_job(&actor, JobId(asked.job_id.0), Level::ManageRun).await?;
    refuse_what_reaches_nothing(&app, &asked).await?;
    let mut request = RunRequest {
        only: asked.only.unwrap_or_default(),
        queue: asked.queue.map(|queue| queue.enabled),
        idempotency_token: asked.idempotency_token.filter(|token| !token.is_empty()),
        ..RunRequest::default()
    };
    request.overriding.job_parameters = asked.job_parameters.unwrap_or_default();
    // An empty family is sent by clients that do not set it.
    request.overriding.python_params = asked.python_params.filter(|list| !list.is_empty());
    request.overriding.notebook_params = named("notebook_params", asked.notebook_params)?;
    request.overriding.python_named_params = named("python_named_params", asked.python_named_params)?;
    request.overriding.sql_params = named("sql_params", asked.sql_params)?;
    let run = app.workspace.run_now(&actor, JobId(asked.job_id.0), request).await?;
    Ok(Json(json!({ "run_id": run, "number_in_job": run })))
}

/// Starts one run of settings that belong to no job.
pub(super) async fn submit(
    State(app): State<App>,
    Caller(actor): Caller,
    Extension(version): Extension<ApiVersion>,
    body::Json(document): body::Json<Value>,
) -> Result<Json<Value>, Fault> {
    let run = app.workspace.submit(&actor, document, version).await?;
    Ok(Json(json!({ "run_id": run })))
}

/// Shows a run.
pub(super) async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Fault> {
    let id = RunId(which.run_id.0);
    app.workspace.require_run(&actor, id, Level::View).await?;
    let view = match which.include_resolved_values {
        true => app.workspace.show_run_resolved(id).await?,
        false => app.workspace.show_run(id).await?,
    };
    let history = if which.include_history { run_view::History::Shown } else { run_view::History::LeftOut };
    let mut shown = run_view::run(&view, history);
    let words = ["tasks", "job_clusters", "environments", "job_parameters", "iterations"];
    if let Some(next) = within::cut(&mut shown, &words, which.page_token.as_deref())? {
        shown["has_more"] = true.into();
        shown["next_page_token"] = next.into();
    }
    if which.include_history {
        shown["repair_history"] = repairs::history(&app, id).await?;
    }
    Ok(Json(shown))
}

/// Shows what a task printed and how it failed.
pub(super) async fn get_output(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_run(&actor, RunId(which.run_id.0), Level::View).await?;
    let output = app.workspace.output(RunId(which.run_id.0)).await?;
    Ok(Json(run_view::output(&output)))
}

/// Lists runs, newest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Fault> {
    let active = match (wanted.active_only, wanted.completed_only) {
        (true, true) => {
            let detail = "\"active_only\" and \"completed_only\" exclude each other";
            return Err(Fault::invalid("active_only", "parameter-invalid", detail));
        }
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    let kind = match wanted.run_type.as_deref() {
        None => None,
        Some("JOB_RUN") => Some(RunType::JobRun),
        Some("SUBMIT_RUN") => Some(RunType::SubmitRun),
        Some(other) => {
            let detail = format!("\"{other}\" is not a run type of this workspace: \"JOB_RUN\" and \"SUBMIT_RUN\" are");
            return Err(Fault::invalid("run_type", "parameter-invalid", detail));
        }
    };
    let query = RunsQuery {
        viewer: Some(actor),
        job: wanted.job_id.map(|number| JobId(number.0)),
        active,
        kind,
        start_from: wanted.start_time_from.map(Timestamp::from_millis),
        start_to: wanted.start_time_to.map(Timestamp::from_millis),
        limit: wanted.limit,
        page_token: wanted.page_token,
    };
    let page = app.workspace.runs(query).await?;
    let mut answer = json!({ "has_more": page.next.is_some() });
    if !page.items.is_empty() {
        let tasks = wanted.expand_tasks;
        answer["runs"] = page.items.iter().map(|run| run_view::listed(run, tasks)).collect();
    }
    if let Some(next) = page.next {
        answer["next_page_token"] = next.into();
    }
    if let Some(previous) = page.previous {
        answer["prev_page_token"] = previous.into();
    }
    Ok(Json(answer))
}

/// Stops a run, soon; to stop one that has ended is no mistake.
pub(super) async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(which): body::Json<Which>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_run(&actor, RunId(which.run_id.0), Level::ManageRun).await?;
    app.workspace.cancel(&actor, RunId(which.run_id.0)).await?;
    Ok(Json(json!({})))
}

/// Removes a run that has ended.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(which): body::Json<Which>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_run(&actor, RunId(which.run_id.0), Level::Manage).await?;
    app.workspace.delete_run(&actor, RunId(which.run_id.0)).await?;
    Ok(Json(json!({})))
}

/// Refuses parameters that would be taken and have no effect: that would be a
/// lie. Which job it is about comes first, for one that is not there.
async fn refuse_what_reaches_nothing(app: &App, asked: &RunNow) -> Result<(), Fault> {
    let Some((family, sort)) = FAMILIES.into_iter().find(|(family, _)| says_something(asked.others.get(*family)))
    else {
        return Ok(());
    };
    let job = app.workspace.job(JobId(asked.job_id.0)).await?;
    let detail = format!(
        "\"{family}\" only reach a \"{sort}\", which this workspace does not run, and job {} has none. Send what its \
         tasks take, or \"job_parameters\", to which their own parameters refer as {{{{job.parameters.NAME}}}}",
        job.id
    );
    Err(Fault::invalid(family, "parameter-family-mismatch", detail))
}

/// Reads a family of named parameters; an empty one may have any shape.
fn named(family: &'static str, value: Option<Value>) -> Result<BTreeMap<String, String>, Fault> {
    match value {
        Some(value) if says_something(Some(&value)) => serde_json::from_value(value).map_err(|error| {
            Fault::invalid(family, "parameter-invalid", format!("\"{family}\" is not an object of texts: {error}"))
        }),
        _ => Ok(BTreeMap::new()),
    }
}

/// Clients send what they do not set as null, or empty.
fn says_something(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(_) => true,
    }
}
