//! Flows of a package as command lines of Celonis export and import them: an
//! archive with a blueprint for each flow and `metadata.json`, a look at what
//! they name, and an import that can be tried.

use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body::{self, DOCUMENT_BYTES_MAX, Query};
use crate::caller::{self, Caller};
use crate::fault::{self, Fault, Voice};
use crate::{problem, rights};

/// Where this interface lies.
pub(crate) const PREFIX: &str = "/ems-automation/api";

/// Returns the routes below [`PREFIX`].
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/root/{package}/export/assets", get(export))
        .route("/root/{package}/export/assets/analyze", get(analyze))
        .route("/root/{package}/import/assets", post(import))
        .fallback(fault::unknown_path)
        .method_not_allowed_fallback(fault::unknown_method)
        .layer(body::at_most(DOCUMENT_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), caller::sign_in))
        .layer(from_fn_with_state(problem::say as Voice, fault::speak))
}

/// Whether an import is only tried.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Try {
    dry_run: Option<String>,
}

async fn may(app: &App, actor: &base::Actor, package: &str) -> Result<(), Fault> {
    app.access.package(actor, package).await?;
    rights::use_package(app, actor, package).await
}

/// Hands the drafts of a package on as an archive.
async fn export(State(app): State<App>, Caller(actor): Caller, Path(package): Path<String>) -> Result<Response, Fault> {
    may(&app, &actor, &package).await?;
    let archive = app.flows.export_package(&package).await?;
    let file = "attachment; filename=\"action-flows.zip\"";
    let headers = [(CONTENT_TYPE, "application/zip"), (CONTENT_DISPOSITION, file)];
    Ok((headers, archive).into_response())
}

/// Tells what the flows of a package name.
async fn analyze(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &package).await?;
    Ok(Json(app.flows.package_metadata(&package).await?))
}

/// Brings an archive into a package, as drafts.
async fn import(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(package): Path<String>,
    Query(tried): Query<Try>,
    request: Request,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &package).await?;
    rights::edit_package(&app, &actor, &package).await?;
    rights::edit_flows(&app, &actor).await?;
    let bytes = file_of(request).await?;
    let dry_run = tried.dry_run.as_deref() == Some("true");
    let options = flows::ImportOptions { key: None, package: Some(package), dry_run };
    let flows = app.flows.import(&actor, &bytes, options).await?;
    let told = |flow: &flows::ImportedFlow| {
        let log: Vec<String> = flow.notices.iter().map(ToString::to_string).collect();
        json!({
            "key": flow.key,
            "file": flow.file,
            "name": flow.name,
            "eventType": if flow.replaces { "UPDATE" } else { "CREATE" },
            "status": "SUCCESS",
            "unmapped": flow.unmapped,
            "unknownModules": flow.unknown_modules,
            "log": log,
        })
    };
    let log: Vec<Value> = flows.iter().map(told).collect();
    Ok(Json(json!({ "status": "SUCCESS", "dryRun": dry_run, "eventLog": log })))
}

/// Takes the file out of a form.
async fn file_of(request: Request) -> Result<axum::body::Bytes, Fault> {
    let no_form = |error: axum::extract::multipart::MultipartRejection| {
        Fault::new(StatusCode::BAD_REQUEST, "form-malformed", error.body_text())
    };
    let mut form = Multipart::from_request(request, &()).await.map_err(no_form)?;
    while let Some(field) = form.next_field().await.map_err(|error| body::broken_form("file", &error))? {
        if field.name() == Some("file") {
            return field.bytes().await.map_err(|error| body::broken_form("file", &error));
        }
    }
    Err(Fault::invalid("file", "file-missing", "the form has no part \"file\""))
}
