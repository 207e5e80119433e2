//! Secrets of the workspace: scopes, keys, and who may do what with them. A
//! value goes in, and comes out for tasks only.

use axum::Json;
use axum::extract::State;
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::SecretPermission;

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::{Caller, authorization};
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

/// A scope that is made.
#[derive(Deserialize)]
pub(super) struct NewScope {
    scope: String,
    initial_manage_principal: Option<String>,
    scope_backend_type: Option<String>,
}

/// Whose permission is meant.
#[derive(Deserialize)]
pub(super) struct Acl {
    scope: String,
    principal: String,
    permission: Option<String>,
}

/// Makes a scope.
pub(super) async fn create_scope(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(scope): body::Json<NewScope>,
) -> Result<Json<Value>, Fault> {
    if let Some(backend) = scope.scope_backend_type.filter(|word| word != "DATABRICKS") {
        let detail = format!("scopes of the type \"{backend}\" are not there: leave it out");
        return Err(Fault::new(http::StatusCode::NOT_IMPLEMENTED, "not-implemented", detail));
    }
    let everybody = match scope.initial_manage_principal.as_deref() {
        None | Some("") => false,
        Some("users") => true,
        Some(other) => {
            let detail = format!("\"initial_manage_principal\" can only be \"users\", not \"{other}\"");
            return Err(Fault::invalid("initial_manage_principal", "parameter-invalid", detail));
        }
    };
    app.workspace.create_scope_for(&actor, &scope.scope, everybody).await?;
    Ok(Json(json!({})))
}

/// Says what somebody may do with a scope.
pub(super) async fn put_acl(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(acl): body::Json<Acl>,
) -> Result<Json<Value>, Fault> {
    let word = acl.permission.unwrap_or_default();
    let permission = SecretPermission::parse(&word).ok_or_else(|| {
        let detail = format!("\"permission\" is READ, WRITE or MANAGE, not \"{word}\"");
        Fault::invalid("permission", "parameter-invalid", detail)
    })?;
    app.workspace.put_secret_acl(&actor, &acl.scope, &acl.principal, permission).await?;
    Ok(Json(json!({})))
}

/// Takes back what somebody may do with a scope.
pub(super) async fn delete_acl(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(acl): body::Json<Acl>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_secret_acl(&actor, &acl.scope, &acl.principal).await?;
    Ok(Json(json!({})))
}

/// Tells what somebody may do with a scope.
pub(super) async fn get_acl(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(acl): Query<Acl>,
) -> Result<Json<Value>, Fault> {
    let permission = app.workspace.secret_acl(&actor, &acl.scope, &acl.principal).await?;
    Ok(Json(json!({ "principal": acl.principal, "permission": permission.as_str() })))
}

/// Lists who may do what with a scope.
pub(super) async fn list_acls(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(scope): Query<Scope>,
) -> Result<Json<Value>, Fault> {
    let acls = app.workspace.secret_acls(&actor, &scope.scope).await?;
    let items =
        acls.iter().map(|(principal, permission)| json!({ "principal": principal, "permission": permission.as_str() }));
    Ok(Json(json!({ "items": items.collect::<Vec<_>>() })))
}

/// Lists the scopes.
pub(super) async fn list_scopes(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let scopes = app.workspace.readable_scopes(&actor).await?;
    let scopes = scopes.iter().map(|scope| json!({ "name": scope.name, "backend_type": "DATABRICKS" }));
    Ok(Json(json!({ "scopes": scopes.collect::<Vec<_>>() })))
}

/// Removes a scope with its secrets.
pub(super) async fn delete_scope(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(scope): body::Json<Scope>,
) -> Result<Json<Value>, Fault> {
    app.workspace.check_secret_permission(&actor, &scope.scope, SecretPermission::Manage).await?;
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
    app.workspace.check_secret_permission(&actor, &put.scope, SecretPermission::Write).await?;
    app.workspace.put_secret(&actor, &put.scope, &put.key, &Secret::new(value)).await?;
    Ok(Json(json!({})))
}

/// Lists the keys of a scope.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(scope): Query<Scope>,
) -> Result<Json<Value>, Fault> {
    app.workspace.check_secret_permission(&actor, &scope.scope, SecretPermission::Read).await?;
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
    app.workspace.check_secret_permission(&actor, &which.scope, SecretPermission::Write).await?;
    app.workspace.delete_secret(&actor, &which.scope, &which.key).await?;
    Ok(Json(json!({})))
}

/// Tells a secret to a task. Everybody else is refused, as by the real one.
pub(super) async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    headers: HeaderMap,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Fault> {
    let Which { scope, key } = which;
    let value = app.workspace.secret_for_task(&actor, authorization(&headers), &scope, &key).await?;
    Ok(Json(json!({ "key": key, "value": BASE64.encode(value.expose()) })))
}

fn decoded(encoded: &str) -> Result<String, Fault> {
    let invalid = |detail: String| Fault::invalid("bytes_value", "parameter-invalid", detail);
    let bytes = BASE64.decode(encoded.trim()).map_err(|error| invalid(format!("it is not base64: {error}")))?;
    // Tasks get secrets as environment variables, which are texts.
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8, and tasks get secrets as text".to_owned()))
}
