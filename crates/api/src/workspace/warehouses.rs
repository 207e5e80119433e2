//! SQL warehouses over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workspace::Warehouse;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;

/// What is said about a warehouse.
#[derive(Deserialize)]
pub(super) struct Settings {
    name: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Lists the warehouses.
pub(super) async fn list(State(app): State<App>, Caller(_): Caller) -> Result<Json<Value>, Fault> {
    let warehouses = app.workspace.warehouses().await?;
    let shown: Vec<Value> = warehouses.iter().map(shown).collect();
    Ok(Json(json!({ "warehouses": shown })))
}

/// Shows a warehouse.
pub(super) async fn get(
    State(app): State<App>,
    Caller(_): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(shown(&app.workspace.warehouse(&id).await?)))
}

/// Makes a warehouse.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(settings): body::Json<Settings>,
) -> Result<Json<Value>, Fault> {
    let name = settings.name.unwrap_or_default();
    let made = app.workspace.create_warehouse(&actor, &name, kept(settings.rest)?).await?;
    Ok(Json(json!({ "id": made.id })))
}

/// Changes a warehouse.
pub(super) async fn edit(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(settings): body::Json<Settings>,
) -> Result<Json<Value>, Fault> {
    app.workspace.edit_warehouse(&actor, &id, settings.name.as_deref(), kept(settings.rest)?).await?;
    Ok(Json(json!({})))
}

/// Removes a warehouse.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_warehouse(&actor, &id).await?;
    Ok(Json(json!({})))
}

/// Starts a warehouse.
pub(super) async fn start(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.run_warehouse(&actor, &id, true).await?;
    Ok(Json(json!({})))
}

/// Stops a warehouse.
pub(super) async fn stop(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.run_warehouse(&actor, &id, false).await?;
    Ok(Json(json!({})))
}

/// Lets through what changes nothing here and is given back as it came: one
/// engine answers for all warehouses, whatever their size.
fn kept(settings: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    const KEPT: [&str; 11] = [
        "cluster_size",
        "min_num_clusters",
        "max_num_clusters",
        "auto_stop_mins",
        "enable_photon",
        "enable_serverless_compute",
        "warehouse_type",
        "spot_instance_policy",
        "tags",
        "channel",
        "creator_name",
    ];
    for name in settings.keys() {
        if !KEPT.contains(&name.as_str()) && name != "id" {
            let detail = format!("\"{name}\" is not supported by the warehouses of this workspace");
            return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail));
        }
    }
    let mut settings = settings;
    settings.remove("id");
    settings.remove("creator_name");
    Ok(settings)
}

fn shown(warehouse: &Warehouse) -> Value {
    let (state, health) = if warehouse.is_running { ("RUNNING", "HEALTHY") } else { ("STOPPED", "HEALTHY") };
    let mut shown = json!({
        "id": warehouse.id,
        "name": warehouse.name,
        "cluster_size": "2X-Small",
        "min_num_clusters": 1,
        "max_num_clusters": 1,
        "num_clusters": i32::from(warehouse.is_running),
        "num_active_sessions": 0,
        "auto_stop_mins": 0,
        "warehouse_type": "PRO",
        "creator_name": warehouse.creator,
        "state": state,
        "health": { "status": health },
    });
    for (name, value) in &warehouse.settings {
        shown[name] = value.clone();
    }
    shown
}
