//! The workspace's own pages, and how a person signs in to them.
//!
//! The pages call the API that every other client calls, with a token. Who has
//! none yet signs in with an app key: people are the same on both listeners,
//! and tokens are the workspace's own.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use base::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use workspace::{JobId, Level, LogPlace, RunId};

use super::number::Number;
use super::table::Table;
use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::{body, ui};

/// How long a person stays signed in.
const SESSION: Duration = Duration::from_hours(12);

/// Returns the routes that need no token: pages, their files, and the sign-in.
/// All other paths belong to the API, which tells a stranger nothing.
pub(super) fn routes() -> Table {
    let mut routes = Table::new().route("/login", post(login));
    for path in ["/", "/jobs", "/jobs/{*rest}", "/runs", "/settings/{*rest}", "/assets/{*file}", "/icon.svg"] {
        routes = routes.route(path, get(ui::serve_workspace));
    }
    routes
}

/// Returns the routes of the pages that need a token.
pub(super) fn behind_sign_in() -> Table {
    Table::new().route("/api/2.0/loopwright/logs", get(logs)).route("/api/2.0/loopwright/next-run", get(next_run))
}

/// How far somebody has read, in bytes.
#[derive(Deserialize)]
struct Place {
    run_id: Number,
    #[serde(default)]
    output: u64,
    #[serde(default)]
    errors: u64,
}

/// Reads on in what a task has printed, of whatever sort it is.
async fn logs(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Query(place): body::Query<Place>,
) -> Result<Json<Value>, Fault> {
    let run = RunId(place.run_id.0);
    app.workspace.require_run(&actor, run, Level::View).await?;
    let piece = app.workspace.logs(run, LogPlace { output: place.output, errors: place.errors }).await?;
    let next = json!({ "output": piece.next.output, "errors": piece.next.errors });
    Ok(Json(json!({ "output": piece.output, "errors": piece.errors, "next": next })))
}

/// Which job is meant.
#[derive(Deserialize)]
struct WhichJob {
    job_id: Number,
}

/// Tells when a job runs by itself next, in milliseconds; nothing if it does
/// not, is paused, or waits for its own run to end.
async fn next_run(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Query(which): body::Query<WhichJob>,
) -> Result<Json<Value>, Fault> {
    let job = JobId(which.job_id.0);
    app.workspace.require_job(&actor, job, Level::View).await?;
    let next = app.workspace.next_run_of(job).await?;
    Ok(Json(json!({ "next_run_time": next.map(base::Timestamp::as_millis) })))
}

/// An app key of the program, written as `id:secret`.
#[derive(Deserialize)]
struct Login {
    key: String,
}

/// Exchanges an app key for a token that ends by itself.
async fn login(State(app): State<App>, body::Json(login): body::Json<Login>) -> Result<Json<Value>, Fault> {
    let header = Secret::new(format!("AppKey {}", STANDARD.encode(login.key.trim())));
    let actor = app.access.authenticate(Some(header.expose())).await?;
    let (info, token) = app.workspace.create_token(&actor, "signed in with a browser", Some(SESSION)).await?;
    let expires_at = info.expires_at.map(base::Timestamp::as_millis);
    Ok(Json(json!({ "token": token.expose(), "expiry_time": expires_at })))
}
