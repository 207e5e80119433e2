//! Serving endpoints over HTTP: make, deploy to, call.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use base::Actor;
use http::header::CONTENT_TYPE;
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use workspace::{Endpoint, EndpointConfig, EndpointLevel, Entity, EntityKind, UpdateState};

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;

/// Bytes of a call at most.
pub(super) const CALL_BYTES_MAX: usize = 16 << 20;
/// Says which entity has answered.
const SERVED_BY: HeaderName = HeaderName::from_static("served-model-name");

/// A new endpoint.
#[derive(Deserialize)]
pub(super) struct New {
    name: String,
    config: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Makes an endpoint.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(new): body::Json<New>,
) -> Result<Json<Value>, Fault> {
    let mut kept = Map::new();
    for (name, value) in new.rest {
        match name.as_str() {
            "tags" | "description" => {
                kept.insert(name, value);
            }
            "route_optimized" if value == Value::Bool(false) => {}
            _ if value.is_null() => {}
            _ => return Err(not_here(&format!("\"{name}\" of an endpoint is not there: leave it out"))),
        }
    }
    let Some(config) = new.config.filter(|config| !config.is_null()) else {
        let detail = "\"config\" is missing: an endpoint serves something from the beginning";
        return Err(Fault::invalid("config", "parameter-invalid", detail));
    };
    let made = app.workspace.create_endpoint(&actor, &new.name, &config, kept).await?;
    Ok(Json(shown(&made, EndpointLevel::Manage)))
}

/// Lists the endpoints.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let seen = app.workspace.endpoints_seen_by(&actor).await?;
    let endpoints: Vec<Value> = seen.iter().map(|(endpoint, level)| shown(endpoint, *level)).collect();
    Ok(Json(json!({ "endpoints": endpoints })))
}

/// Shows an endpoint.
pub(super) async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let (endpoint, level) = app.workspace.endpoint_for(&actor, &name, EndpointLevel::View).await?;
    Ok(Json(shown(&endpoint, level)))
}

/// Deploys another configuration.
pub(super) async fn deploy(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body::Json(config): body::Json<Value>,
) -> Result<Json<Value>, Fault> {
    let deployed = app.workspace.deploy_endpoint(&actor, &name, &config).await?;
    Ok(Json(shown(&deployed, EndpointLevel::Manage)))
}

/// Removes an endpoint.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_endpoint(&actor, &name).await?;
    Ok(Json(json!({})))
}

/// Shows what a served function has printed.
pub(super) async fn logs(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, entity)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let logs = app.workspace.endpoint_log(&actor, &name, &entity).await?;
    Ok(Json(json!({ "logs": logs })))
}

/// Calls an endpoint.
pub(super) async fn invoke(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Fault> {
    let bytes = body::whole(request, &()).await?;
    call(&app, &actor, &name, &bytes).await
}

/// Calls the endpoint that the body names as its model, as clients of chat
/// models do.
pub(super) async fn chat(State(app): State<App>, Caller(actor): Caller, request: Request) -> Result<Response, Fault> {
    let bytes = body::whole(request, &()).await?;
    let asked: Value = body::parse(&bytes)?;
    let Some(name) = asked["model"].as_str() else {
        return Err(Fault::invalid("model", "parameter-invalid", "\"model\" must name an endpoint"));
    };
    let (endpoint, _) = app.workspace.endpoint_for(&actor, name, EndpointLevel::Query).await?;
    let is_function = |entity: &Entity| matches!(entity.kind, EntityKind::Function { .. });
    if endpoint.config.is_some_and(|config| config.entities.iter().any(is_function)) {
        let detail = format!(
            "the endpoint \"{name}\" serves a Python function: call /serving-endpoints/{name}/invocations; chat goes \
             to endpoints with an external model"
        );
        return Err(Fault::invalid("model", "parameter-invalid", detail));
    }
    call(&app, &actor, name, &bytes).await
}

async fn call(app: &App, actor: &Actor, name: &str, bytes: &[u8]) -> Result<Response, Fault> {
    let served = app.workspace.invoke_endpoint(actor, name, bytes).await?;
    let status = StatusCode::from_u16(served.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = [(CONTENT_TYPE, "application/json".to_owned()), (SERVED_BY, served.entity)];
    Ok((status, headers, served.body).into_response())
}

fn not_here(detail: &str) -> Fault {
    Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
}

fn shown(endpoint: &Endpoint, level: EndpointLevel) -> Value {
    let ready = if endpoint.config.is_some() { "READY" } else { "NOT_READY" };
    let mut shown = json!({
        "id": endpoint.id,
        "name": endpoint.name,
        "creator": endpoint.creator,
        "creation_timestamp": endpoint.created_at.as_millis(),
        "last_updated_timestamp": endpoint.updated_at.as_millis(),
        "state": { "ready": ready, "config_update": endpoint.update.as_str() },
        "permission_level": level.as_str(),
        "route_optimized": false,
    });
    if let Some(config) = &endpoint.config {
        shown["config"] = shown_config(config, "DEPLOYMENT_READY", "", endpoint);
    }
    if let Some(config) = &endpoint.pending {
        let state = match endpoint.update {
            UpdateState::Failed => "DEPLOYMENT_FAILED",
            _ => "DEPLOYMENT_CREATING",
        };
        shown["pending_config"] = shown_config(config, state, &endpoint.message, endpoint);
        shown["pending_config"]["start_time"] = json!(endpoint.updated_at.as_millis());
    }
    for (name, value) in &endpoint.document {
        shown[name] = value.clone();
    }
    shown
}

fn shown_config(config: &EndpointConfig, deployment: &str, message: &str, endpoint: &Endpoint) -> Value {
    let entities: Vec<Value> = config
        .entities
        .iter()
        .map(|entity| {
            let mut shown = json!({
                "name": entity.name,
                "creator": endpoint.creator,
                "creation_timestamp": endpoint.updated_at.as_millis(),
                "state": { "deployment": deployment, "deployment_state_message": message },
            });
            match &entity.kind {
                EntityKind::Function { path, function } => shown["entity_name"] = json!(format!("{path}:{function}")),
                EntityKind::Upstream { model, .. } => shown["external_model"] = model.clone(),
            }
            if let Some(version) = &entity.entity_version {
                shown["entity_version"] = json!(version);
            }
            if !entity.environment.is_empty() {
                let variables: Map<String, Value> =
                    entity.environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
                shown["environment_vars"] = Value::Object(variables);
            }
            for (name, value) in &entity.kept {
                shown[name] = value.clone();
            }
            shown
        })
        .collect();
    let routes = config.routes.iter().map(
        |(name, share)| json!({ "served_model_name": name, "served_entity_name": name, "traffic_percentage": share }),
    );
    json!({
        "config_version": config.version,
        "served_entities": entities,
        "traffic_config": { "routes": routes.collect::<Vec<_>>() },
    })
}
