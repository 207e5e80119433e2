//! Saved SQL queries over HTTP: what a task of the type SQL names by its id.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workspace::SavedQuery;

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// A query that is made or changed.
#[derive(Deserialize)]
pub(super) struct Given {
    query: Option<Map<String, Value>>,
}

/// Which part of the list is asked for.
#[derive(Deserialize)]
pub(super) struct Part {
    page_size: Option<body::Whole>,
    page_token: Option<String>,
}

/// Saves a query.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(given): body::Json<Given>,
) -> Result<Json<Value>, Fault> {
    let made = app.workspace.create_query(&actor, checked(given)?).await?;
    Ok(Json(shown(&made)))
}

/// Shows a query.
pub(super) async fn get(
    State(app): State<App>,
    Caller(_): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(shown(&app.workspace.query(&id).await?)))
}

/// Changes a query: what is not named stays.
pub(super) async fn update(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(given): body::Json<Given>,
) -> Result<Json<Value>, Fault> {
    let changed = app.workspace.update_query(&actor, &id, checked(given)?).await?;
    Ok(Json(shown(&changed)))
}

/// Removes a query.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_query(&actor, &id).await?;
    Ok(Json(json!({})))
}

/// Lists the queries, page by page.
pub(super) async fn list(
    State(app): State<App>,
    Caller(_): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Fault> {
    let size = part.page_size.map_or(20, |size| size.clamped(1, 100));
    let after = part.page_token.filter(|token| !token.is_empty());
    let mut found = app.workspace.queries(after.as_deref(), size as u32 + 1).await?;
    let has_more = found.len() > size;
    found.truncate(size);
    let mut answer = json!({ "results": found.iter().map(shown).collect::<Vec<_>>() });
    if has_more && let Some(last) = found.last() {
        answer["next_page_token"] = json!(last.id);
    }
    Ok(Json(answer))
}

/// Refuses sessions of SQL drivers.
pub(super) async fn no_sessions(Caller(_): Caller) -> Fault {
    let detail = "sessions of SQL drivers are not there: execute statements with \"warehouse_id\"";
    Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
}

fn checked(given: Given) -> Result<Map<String, Value>, Fault> {
    const KNOWN: [&str; 9] = [
        "display_name",
        "query_text",
        "warehouse_id",
        "catalog",
        "schema",
        "description",
        "tags",
        "run_as_mode",
        "parameters",
    ];
    let mut query = given.query.unwrap_or_default();
    query.retain(|_, value| !value.is_null());
    for name in query.keys() {
        if !KNOWN.contains(&name.as_str()) {
            let detail = format!("\"query.{name}\" is not supported by this workspace: leave it out");
            return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail));
        }
    }
    if query.get("run_as_mode").is_some_and(|mode| mode != "VIEWER") {
        let detail = "\"query.run_as_mode\" is VIEWER here: a query has the rights of whoever runs it";
        return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail));
    }
    Ok(query)
}

fn shown(query: &SavedQuery) -> Value {
    let mut shown = json!({
        "id": query.id,
        "owner_user_name": query.owner,
        "lifecycle_state": "ACTIVE",
        "create_time": query.created_at.to_string(),
        "update_time": query.updated_at.to_string(),
    });
    for (name, value) in &query.document {
        shown[name] = value.clone();
    }
    shown
}
