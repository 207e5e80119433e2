//! The control endpoint: administrators list, add and remove fault rules.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Path, Request, State};
use base::Actor;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::rule::{Rule, Sent, checked_jump};
use super::{Faults, Rules};
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::workspace::table::Table;

/// Where the endpoint is.
pub(super) const PREFIX: &str = "/__control/";
/// Rules that may be in force at once.
const RULES_MAX: usize = 100;

/// Returns the routes of the endpoint, which are there while faults are off,
/// too, and then say so.
pub(in crate::workspace) fn routes() -> Table {
    use axum::routing::{delete, get, post};
    Table::new()
        .route("/__control/faults", get(list).post(add))
        .route("/__control/faults/{id}", delete(remove))
        .route("/__control/clock", post(jump))
        .route("/__control/reset", post(reset))
}

/// By how much the clock jumps, at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jump {
    jump_seconds: i64,
}

async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let faults = permitted(&app, &actor)?;
    let rules: Vec<Value> = faults.rules.lock().in_force.iter().map(Rule::shown).collect();
    Ok(Json(json!({ "rules": rules, "clock_ahead_seconds": ahead(&faults) })))
}

async fn add(State(app): State<App>, Caller(actor): Caller, request: Request) -> Result<Json<Value>, Fault> {
    // Who may not is told so, whatever was sent.
    let faults = permitted(&app, &actor)?;
    let body::Json(sent) = body::Json::<Sent>::from_request(request, &()).await?;
    let paths =
        [crate::workspace::open_to_all(), crate::workspace::behind_sign_in()].map(|table| table.paths().to_vec());
    let mut rules = faults.rules.lock();
    if rules.in_force.len() >= RULES_MAX {
        let detail = format!("there are {RULES_MAX} rules already: remove some, or all by POST /__control/reset");
        return Err(Fault::invalid("rule", "parameter-invalid", detail));
    }
    let rule = Rule::read(rules.last_id + 1, sent, &paths.concat())?;
    rules.last_id += 1;
    let shown = rule.shown();
    tracing::warn!(rule = %shown, "a fault rule of the local workspace is in force");
    rules.in_force.push(rule);
    Ok(Json(shown))
}

async fn remove(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let faults = permitted(&app, &actor)?;
    let mut rules = faults.rules.lock();
    let before = rules.in_force.len();
    rules.in_force.retain(|rule| rule.id.to_string() != id);
    if rules.in_force.len() == before {
        return Err(Fault::not_found("fault-rule-not-found", format!("there is no fault rule {id}")));
    }
    Ok(Json(json!({})))
}

async fn jump(State(app): State<App>, Caller(actor): Caller, request: Request) -> Result<Json<Value>, Fault> {
    let faults = permitted(&app, &actor)?;
    let body::Json(Jump { jump_seconds }) = body::Json::<Jump>::from_request(request, &()).await?;
    faults.jump(&app, checked_jump(jump_seconds)?);
    Ok(Json(json!({ "clock_ahead_seconds": ahead(&faults) })))
}

async fn reset(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let faults = permitted(&app, &actor)?;
    let last_id = faults.rules.lock().last_id;
    // The number of a rule is never that of another one.
    *faults.rules.lock() = Rules { last_id, in_force: Vec::new() };
    faults.clock.set_right();
    app.workspace.nudge();
    Ok(Json(json!({})))
}

fn ahead(faults: &Faults) -> i64 {
    faults.clock.shift_micros() / 1_000_000
}

/// Returns the faults to an administrator, if there may be any.
fn permitted(app: &App, actor: &Actor) -> Result<Arc<Faults>, Fault> {
    if !actor.administrator {
        return Err(workspace::Error::AdministratorsOnly { user: actor.name.clone() }.into());
    }
    app.workspace_ways.faults.clone().ok_or_else(|| {
        let detail = "fault rules are off: start the server with the setting \"workspace_faults\" = true";
        Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
    })
}
