//! Tasks: what flows ask people. Whoever may see flows sees them; whoever may
//! change flows may answer, and gets the link at which anybody may.

use axum::Json;
use axum::extract::{Path, State};
use flows::{Answerer, TaskDecision, TaskId, TaskInfo};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Tasks in one answer.
const TASKS_MAX: u32 = 1_000;

/// Which tasks are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// `open` (if nothing is said) or `all`.
    state: Option<String>,
}

/// A task, with its link for whoever may answer it.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskWithLink)]
pub(super) struct Shown {
    #[serde(flatten)]
    task: TaskInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    link: Option<String>,
}

/// What somebody decided.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskAnswer)]
pub(super) struct Answer {
    /// `approve` or `reject`.
    decision: String,
    /// What there is to say.
    #[serde(default)]
    comment: String,
}

/// Lists tasks.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<TaskInfo>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let only_open = match wanted.state.as_deref() {
        None | Some("open") => true,
        Some("all") => false,
        Some(other) => {
            let detail = format!("\"{other}\" is neither \"open\" nor \"all\"");
            return Err(Fault::invalid("state", "constraint-broken", detail));
        }
    };
    Ok(Json(app.flows.tasks(only_open, TASKS_MAX).await?))
}

/// Shows a task.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(task): Path<String>,
) -> Result<Json<Shown>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let details = app.flows.task(id(&task)?).await?;
    let may_answer = rights::run_flows(&app, &actor).await.is_ok();
    let link = may_answer.then(|| details.link.expose().to_owned());
    Ok(Json(Shown { task: details.info, link }))
}

/// Answers a task.
pub(super) async fn answer(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(task): Path<String>,
    body::Json(answer): body::Json<Answer>,
) -> Result<Json<TaskInfo>, Fault> {
    rights::run_flows(&app, &actor).await?;
    let decision = decision(&answer.decision)?;
    let answered = app.flows.answer_task(Some(id(&task)?), Answerer::Known(actor), decision, &answer.comment).await?;
    Ok(Json(answered))
}

/// Reads a decision.
fn decision(word: &str) -> Result<TaskDecision, Fault> {
    match word {
        "approve" => Ok(TaskDecision::Approved),
        "reject" => Ok(TaskDecision::Rejected),
        other => {
            let detail = format!("\"{other}\" is neither \"approve\" nor \"reject\"");
            Err(Fault::invalid("decision", "constraint-broken", detail))
        }
    }
}

fn id(text: &str) -> Result<TaskId, Fault> {
    let unknown = || Fault::new(StatusCode::NOT_FOUND, "task-unknown", format!("task \"{text}\" does not exist"));
    text.parse().map_err(|_| unknown())
}
