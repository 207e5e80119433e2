//! Who may do what with a job, and with a serving endpoint.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::{Endpoint, EndpointLevel, EndpointRule, JobId, Level, Rule};

use super::table::Table;
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;

/// Returns the routes of permissions.
pub(super) fn routes() -> Table {
    use axum::routing::get;
    Table::new()
        .route("/api/2.0/permissions/jobs/{id}", get(show).put(replace).patch(add))
        .route("/api/2.0/permissions/jobs/{id}/permissionLevels", get(levels))
        .route(
            "/api/2.0/permissions/serving-endpoints/{id}",
            get(show_endpoint).put(replace_of_endpoint).patch(add_to_endpoint),
        )
        .route("/api/2.0/permissions/serving-endpoints/{id}/permissionLevels", get(levels_of_endpoint))
}

/// Rules, as they are sent.
#[derive(Deserialize)]
struct Sent {
    #[serde(default)]
    access_control_list: Value,
}

async fn show(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let job = job_of(&id)?;
    let rules = app.workspace.job_rules(&actor, job).await?;
    Ok(Json(wire(job, &rules)))
}

async fn replace(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    set(&app, &actor, &id, &sent, true).await
}

async fn add(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    set(&app, &actor, &id, &sent, false).await
}

async fn set(app: &App, actor: &base::Actor, id: &str, sent: &Sent, replaces: bool) -> Result<Json<Value>, Fault> {
    let job = job_of(id)?;
    app.workspace.require_job(actor, job, Level::Manage).await?;
    let wanted = Rule::read_list(&sent.access_control_list)?;
    let rules = app.workspace.set_job_rules(actor, job, wanted, replaces).await?;
    Ok(Json(wire(job, &rules)))
}

async fn levels(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    app.workspace.require_job(&actor, job_of(&id)?, Level::View).await?;
    let levels = Level::ALL
        .iter()
        .map(|level| json!({ "permission_level": level.as_str(), "description": level.description() }));
    Ok(Json(json!({ "permission_levels": levels.collect::<Vec<_>>() })))
}

async fn show_endpoint(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    let (endpoint, rules) = app.workspace.endpoint_rules(&actor, &id).await?;
    Ok(Json(wire_of_endpoint(&endpoint, &rules)))
}

async fn replace_of_endpoint(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    set_of_endpoint(&app, &actor, &id, &sent, true).await
}

async fn add_to_endpoint(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    body::Json(sent): body::Json<Sent>,
) -> Result<Json<Value>, Fault> {
    set_of_endpoint(&app, &actor, &id, &sent, false).await
}

async fn set_of_endpoint(
    app: &App,
    actor: &base::Actor,
    id: &str,
    sent: &Sent,
    replaces: bool,
) -> Result<Json<Value>, Fault> {
    let wanted = EndpointRule::read_list(&sent.access_control_list)?;
    let (endpoint, rules) = app.workspace.set_endpoint_rules(actor, id, wanted, replaces).await?;
    Ok(Json(wire_of_endpoint(&endpoint, &rules)))
}

async fn levels_of_endpoint(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.endpoint_rules(&actor, &id).await?;
    let levels = EndpointLevel::ALL
        .iter()
        .map(|level| json!({ "permission_level": level.as_str(), "description": level.description() }));
    Ok(Json(json!({ "permission_levels": levels.collect::<Vec<_>>() })))
}

fn wire_of_endpoint(endpoint: &Endpoint, rules: &[EndpointRule]) -> Value {
    let mut entries = vec![json!({
        "user_name": endpoint.creator,
        "display_name": endpoint.creator,
        "all_permissions": [{ "permission_level": "CAN_MANAGE", "inherited": false }],
    })];
    entries.extend(rules.iter().map(|rule| {
        json!({
            rule.principal.field(): rule.principal.name(),
            "display_name": rule.principal.name(),
            "all_permissions": [{ "permission_level": rule.level.as_str(), "inherited": false }],
        })
    }));
    entries.push(json!({
        "group_name": "admins",
        "all_permissions": [
            { "permission_level": "CAN_MANAGE", "inherited": true, "inherited_from_object": ["/serving-endpoints/"] },
        ],
    }));
    json!({
        "object_id": format!("/serving-endpoints/{}", endpoint.id),
        "object_type": "serving-endpoint",
        "access_control_list": entries,
    })
}

fn job_of(text: &str) -> Result<JobId, Fault> {
    text.parse().map(JobId).map_err(|_| {
        let detail = format!("\"{text}\" is not the number of a job");
        Fault::invalid("id", "parameter-invalid", detail)
    })
}

fn wire(job: JobId, rules: &[Rule]) -> Value {
    let entry = |rule: &Rule| {
        json!({
            rule.principal.field(): rule.principal.name(),
            "display_name": rule.principal.name(),
            "all_permissions": [{ "permission_level": rule.level.as_str(), "inherited": false }],
        })
    };
    let mut entries: Vec<Value> = rules.iter().map(entry).collect();
    // Administrators may everything, and clients expect to read so.
    if !rules.iter().any(|rule| rule.principal.name() == "admins") {
        entries.push(json!({
            "group_name": "admins",
            "all_permissions": [
                { "permission_level": "CAN_MANAGE", "inherited": true, "inherited_from_object": ["/jobs/"] },
            ],
        }));
    }
    json!({ "object_id": format!("/jobs/{job}"), "object_type": "job", "access_control_list": entries })
}
