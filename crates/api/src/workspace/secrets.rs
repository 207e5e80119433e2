//! Secrets of the workspace: scopes and keys. A value goes in and never comes
//! out over the wire.

use axum::Json;
use axum::extract::State;
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Which scope is meant.
#[derive(Deserialize)]
pub(super) struct Scope {
    scope: String,
}

/// Which secret is meant.
#[derive(Deserialize)]
pub(super) struct Which {
    scope: String,
    key: String,
}

/// A value for a secret: a text, or bytes as base64.
#[derive(Deserialize)]
pub(super) struct Put {
    scope: String,
    key: String,
    string_value: Option<String>,
    bytes_value: Option<String>,
}

/// Makes a scope.
pub(super) async fn create_scope(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(scope): body::Json<Scope>,
) -> Result<Json<Value>, Fault> {
    app.workspace.create_scope(&actor, &scope.scope).await?;
    Ok(Json(json!({})))
}

/// Lists the scopes.
pub(super) async fn list_scopes(State(app): State<App>, Caller(_): Caller) -> Result<Json<Value>, Fault> {
    let scopes = app.workspace.scopes().await?;
    let scopes = scopes.iter().map(|scope| json!({ "name": scope.name, "backend_type": "DATABRICKS" }));
    Ok(Json(json!({ "scopes": scopes.collect::<Vec<_>>() })))
}

/// Removes a scope with its secrets.
pub(super) async fn delete_scope(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(scope): body::Json<Scope>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_scope(&actor, &scope.scope).await?;
    Ok(Json(json!({})))
}

/// Sets a secret.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(put): body::Json<Put>,
) -> Result<Json<Value>, Fault> {
    let value = match (put.string_value, put.bytes_value) {
        (Some(text), None) => text,
        (None, Some(encoded)) => decoded(&encoded)?,
        _ => {
            let detail = "exactly one of \"string_value\" and \"bytes_value\" must be given";
            return Err(Fault::invalid("string_value", "parameter-invalid", detail));
        }
    };
    app.workspace.put_secret(&actor, &put.scope, &put.key, &Secret::new(value)).await?;
    Ok(Json(json!({})))
}

/// Lists the keys of a scope.
pub(super) async fn list(
    State(app): State<App>,
    Caller(_): Caller,
    Query(scope): Query<Scope>,
) -> Result<Json<Value>, Fault> {
    let secrets = app.workspace.secrets(&scope.scope).await?;
    let secrets = secrets
        .iter()
        .map(|secret| json!({ "key": secret.key, "last_updated_timestamp": secret.updated_at.as_millis() }));
    Ok(Json(json!({ "secrets": secrets.collect::<Vec<_>>() })))
}

/// Removes a secret.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(which): body::Json<Which>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_secret(&actor, &which.scope, &which.key).await?;
    Ok(Json(json!({})))
}

/// Refuses to tell a secret: the real one does so too outside of jobs.
pub(super) async fn get(Caller(_): Caller, Query(which): Query<Which>) -> Fault {
    let Which { scope, key } = which;
    let detail = format!("secret \"{key}\" of scope \"{scope}\" can only be read from inside a job");
    Fault::new(StatusCode::BAD_REQUEST, "secret-not-readable", detail)
}

fn decoded(encoded: &str) -> Result<String, Fault> {
    let invalid = |detail: String| Fault::invalid("bytes_value", "parameter-invalid", detail);
    let bytes = BASE64.decode(encoded.trim()).map_err(|error| invalid(format!("it is not base64: {error}")))?;
    // Tasks get secrets as environment variables, which are texts.
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8, and tasks get secrets as text".to_owned()))
}
