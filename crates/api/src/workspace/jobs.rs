//! Jobs: create, get, list, update, reset, delete.

use axum::extract::State;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::{ApiVersion, Job, JobId, JobsQuery, Level};

use super::number::Number;
use super::within;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// What a job may have more of than one answer shows.
const LISTS: [&str; 4] = ["tasks", "job_clusters", "environments", "parameters"];

/// Which job is meant.
#[derive(Deserialize)]
pub(super) struct Which {
    job_id: Number,
    page_token: Option<String>,
}

/// What becomes of a job's settings.
#[derive(Deserialize)]
pub(super) struct Change {
    job_id: Number,
    #[serde(default)]
    new_settings: Option<Value>,
    #[serde(default)]
    fields_to_remove: Vec<String>,
}

/// Which jobs are wanted.
#[derive(Deserialize)]
pub(super) struct Wanted {
    limit: Option<u32>,
    name: Option<String>,
    page_token: Option<String>,
    offset: Option<u32>,
    #[serde(default)]
    expand_tasks: bool,
}

/// Makes a job.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    Extension(version): Extension<ApiVersion>,
    body::Json(settings): body::Json<Value>,
) -> Result<Json<Value>, Fault> {
    let id = app.workspace.create_job(&actor, settings, version).await?;
    Ok(Json(json!({ "job_id": id })))
}

/// Shows a job.
pub(super) async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Fault> {
    let id = JobId(which.job_id.0);
    app.workspace.require_job(&actor, id, Level::View).await?;
    let mut shown = wire(&app.workspace.job(id).await?, Tasks::Shown);
    if let Some(next) = within::cut(&mut shown["settings"], &LISTS, which.page_token.as_deref())? {
        shown["has_more"] = true.into();
        shown["next_page_token"] = next.into();
    }
    Ok(Json(shown))
}

/// Lists jobs, newest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Fault> {
    let tasks = if wanted.expand_tasks { Tasks::Shown } else { Tasks::LeftOut };
    let Wanted { limit, name, page_token, offset, .. } = wanted;
    let page = app.workspace.jobs(JobsQuery { limit, name, page_token, offset, viewer: Some(actor) }).await?;
    // Clients stop at a missing array as they stop at an empty one.
    let mut answer = json!({ "has_more": page.next.is_some() });
    if !page.items.is_empty() {
        answer["jobs"] = page.items.iter().map(|job| wire(job, tasks)).collect();
    }
    if let Some(next) = page.next {
        answer["next_page_token"] = next.into();
    }
    if let Some(previous) = page.previous {
        answer["prev_page_token"] = previous.into();
    }
    Ok(Json(answer))
}

/// Replaces the settings that are named, and removes others.
pub(super) async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(change): body::Json<Change>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_job(&actor, JobId(change.job_id.0), Level::Manage).await?;
    let changes = change.new_settings.unwrap_or_else(|| json!({}));
    app.workspace.update_job(&actor, JobId(change.job_id.0), changes, change.fields_to_remove).await?;
    Ok(Json(json!({})))
}

/// Replaces all settings.
pub(super) async fn reset(
    State(app): State<App>,
    Caller(actor): Caller,
    Extension(version): Extension<ApiVersion>,
    body::Json(change): body::Json<Change>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_job(&actor, JobId(change.job_id.0), Level::Manage).await?;
    let settings = change
        .new_settings
        .ok_or_else(|| Fault::invalid("new_settings", "parameter-missing", "\"new_settings\" is missing"))?;
    app.workspace.reset_job(&actor, JobId(change.job_id.0), settings, version).await?;
    Ok(Json(json!({})))
}

/// Removes a job. Its runs go on and can still be read.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(which): body::Json<Which>,
) -> Result<Json<Value>, Fault> {
    app.workspace.require_job(&actor, JobId(which.job_id.0), Level::Manage).await?;
    app.workspace.delete_job(&actor, JobId(which.job_id.0)).await?;
    Ok(Json(json!({})))
}

/// Whether a list shows what its jobs consist of.
#[derive(Clone, Copy, PartialEq)]
enum Tasks {
    Shown,
    LeftOut,
}

fn wire(job: &Job, tasks: Tasks) -> Value {
    let mut settings = job.settings.document();
    if let (Tasks::LeftOut, Value::Object(settings)) = (tasks, &mut settings) {
        settings.retain(|word, _| !LISTS.contains(&word.as_str()));
    }
    json!({
        "job_id": job.id,
        "creator_user_name": job.creator,
        "run_as_user_name": job.owner.as_ref().map_or(&job.creator, |owner| &owner.name),
        "created_time": job.created_at.as_millis(),
        "settings": settings,
    })
}
