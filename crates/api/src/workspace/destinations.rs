//! Notification destinations, which are told how runs went.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::{Destination, ShownDestination};

use super::table::Table;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Destinations in an answer at most.
const PAGE_MAX: usize = 100;
const PAGE_DEFAULT: usize = 20;

/// Returns the routes of notification destinations.
pub(super) fn routes() -> Table {
    use axum::routing::get;
    Table::new()
        .route("/api/2.0/notification-destinations", get(list).post(create))
        .route("/api/2.0/notification-destinations/{id}", get(show).patch(change).delete(delete))
}

/// A destination, as it is sent.
#[derive(Deserialize)]
struct Sent {
    display_name: Option<String>,
    config: Option<Value>,
}

/// Which of them are wanted.
#[derive(Deserialize)]
struct Wanted {
    page_size: Option<usize>,
    page_token: Option<String>,
}

async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    let name = sent.display_name.unwrap_or_default();
    let config = sent.config.unwrap_or(Value::Null);
    Ok(Json(wire(&app.workspace.create_destination(&actor, &name, &config).await?)))
}

/// Everybody may see which there are, to name them in jobs; not where they are.
async fn list(State(app): State<App>, Caller(_): Caller, Query(wanted): Query<Wanted>) -> Result<Json<Value>, Fault> {
    let size = match wanted.page_size {
        None | Some(0) => PAGE_DEFAULT,
        Some(size) => size.min(PAGE_MAX),
    };
    let start: usize = match wanted.page_token.as_deref() {
        None | Some("") => 0,
        Some(token) => token.parse().map_err(|_| {
            let detail = format!("\"{token}\" is not a page token of this list");
            Fault::invalid("page_token", "parameter-invalid", detail)
        })?,
    };
    let all = app.workspace.destinations().await?;
    let shown: Vec<Value> = all.iter().skip(start).take(size).map(head).collect();
    let end = start.saturating_add(shown.len());
    let mut answer = json!({ "results": shown });
    if end < all.len() {
        answer["next_page_token"] = end.to_string().into();
    }
    Ok(Json(answer))
}

async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    Ok(Json(wire(&app.workspace.destination(&actor, &id).await?)))
}

async fn change(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    let (name, config) = (sent.display_name.as_deref(), sent.config.as_ref());
    Ok(Json(wire(&app.workspace.change_destination(&actor, &id, name, config).await?)))
}

async fn delete(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    app.workspace.delete_destination(&actor, &id).await?;
    Ok(Json(json!({})))
}

fn head(destination: &Destination) -> Value {
    json!({
        "id": destination.id,
        "display_name": destination.display_name,
        "destination_type": destination.sort.as_str(),
    })
}

fn wire(shown: &ShownDestination) -> Value {
    let mut wire = head(&shown.destination);
    wire["config"] = shown.config.clone();
    wire
}
