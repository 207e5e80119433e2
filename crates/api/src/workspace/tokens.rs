//! Personal access tokens: one's own, and everybody's for administrators.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::TokenInfo;

use super::table::Table;
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;

/// Returns the routes of tokens.
pub(super) fn routes() -> Table {
    use axum::routing::{get, post};
    Table::new()
        .route("/api/2.0/token/create", post(create))
        .route("/api/2.0/token/list", get(list))
        .route("/api/2.0/token/delete", post(delete))
        .route("/api/2.0/token-management/tokens", get(list_all))
        .route("/api/2.0/token-management/tokens/{id}", get(get_one).delete(delete_one))
        .route("/api/2.0/token-management/on-behalf-of/tokens", post(create_for))
}

/// A new token.
#[derive(Deserialize)]
struct New {
    application_id: Option<String>,
    comment: Option<String>,
    lifetime_seconds: Option<i64>,
}

/// Which token is meant.
#[derive(Deserialize)]
struct Which {
    token_id: String,
}

/// Reads a life in seconds; -1 and nothing ask for none.
pub(super) fn life_of(seconds: Option<i64>) -> Result<Option<Duration>, Fault> {
    match seconds {
        None | Some(-1) => Ok(None),
        Some(seconds) => match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Ok(Some(Duration::from_secs(seconds))),
            _ => {
                let detail = format!("lifetime_seconds {seconds} is not above 0; leave it out for a token that stays");
                Err(Fault::invalid("lifetime_seconds", "parameter-invalid", detail))
            }
        },
    }
}

async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::MaybeJson(new): body::MaybeJson<New>,
) -> Result<Json<Value>, Fault> {
    let new = new.unwrap_or(New { application_id: None, comment: None, lifetime_seconds: None });
    let life = life_of(new.lifetime_seconds)?;
    let (info, token) = app.workspace.create_token(&actor, &new.comment.unwrap_or_default(), life).await?;
    Ok(Json(json!({ "token_value": token.expose(), "token_info": wire(&info) })))
}

async fn create_for(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(new): body::Json<New>,
) -> Result<Json<Value>, Fault> {
    let Some(application_id) = new.application_id else {
        return Err(Fault::invalid("application_id", "body-field-missing", "\"application_id\" is missing"));
    };
    let life = life_of(new.lifetime_seconds)?;
    let comment = new.comment.unwrap_or_default();
    let (info, token) = app.workspace.create_token_for(&actor, &application_id, &comment, life).await?;
    Ok(Json(json!({ "token_value": token.expose(), "token_info": managed(&info) })))
}

async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let tokens = app.workspace.tokens(&actor).await?;
    let own = tokens.iter().filter(|token| token.owner.id == actor.id);
    Ok(Json(json!({ "token_infos": own.map(wire).collect::<Vec<_>>() })))
}

async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(which): body::Json<Which>,
) -> Result<Json<Value>, Fault> {
    app.workspace.revoke_token(&actor, &which.token_id).await?;
    Ok(Json(json!({})))
}

async fn list_all(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let tokens = app.workspace.all_tokens(&actor).await?;
    Ok(Json(json!({ "token_infos": tokens.iter().map(managed).collect::<Vec<_>>() })))
}

async fn get_one(State(app): State<App>, Caller(actor): Caller, Path(id): Path<String>) -> Result<Json<Value>, Fault> {
    let tokens = app.workspace.all_tokens(&actor).await?;
    let token = tokens.iter().find(|token| token.id == id).ok_or(workspace::Error::NoToken(id))?;
    Ok(Json(json!({ "token_info": managed(token) })))
}

async fn delete_one(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.all_tokens(&actor).await?;
    app.workspace.revoke_token(&actor, &id).await?;
    Ok(Json(json!({})))
}

fn wire(token: &TokenInfo) -> Value {
    json!({
        "token_id": token.id,
        "creation_time": token.created_at.as_millis(),
        "expiry_time": token.expires_at.map_or(-1, Timestamp::as_millis),
        "comment": token.comment,
    })
}

fn managed(token: &TokenInfo) -> Value {
    let mut wire = wire(token);
    wire["created_by_username"] = token.owner.name.as_str().into();
    wire["created_by_id"] = token.owner.id.as_str().into();
    wire["owner_id"] = token.owner.id.as_str().into();
    wire
}
