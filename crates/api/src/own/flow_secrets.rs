//! Secrets that stand in the text of a flow, and their way into connections;
//! and variables that flows share.

use axum::Json;
use axum::extract::{Path, State};
use flows::literal::Literal;
use flows::{MovedSecrets, SharedScope};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Where secrets are moved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretsTarget)]
pub(super) struct Target {
    /// Name of the connection that is made; further ones get a number behind it.
    connection: String,
}

/// Finds the secrets in a draft; of each its first letters are shown.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<Json<Vec<Literal>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.literals(&flow).await?))
}

/// Moves the secrets in a draft into connections.
pub(super) async fn move_out(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    body::Json(target): body::Json<Target>,
) -> Result<Json<MovedSecrets>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    rights::manage_connections(&app, &actor).await?;
    Ok(Json(app.flows.move_literals(&actor, &flow, &target.connection).await?))
}

/// Shows the variables of the team or the organization.
pub(super) async fn shared(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(scope): Path<String>,
) -> Result<Json<Map<String, Value>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.shared_variables(scope_of(&scope)?).await?))
}

/// Sets the variables of the team or the organization.
pub(super) async fn set_shared(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(scope): Path<String>,
    body::Json(variables): body::Json<Map<String, Value>>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.set_shared_variables(&actor, scope_of(&scope)?, variables).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn scope_of(word: &str) -> Result<SharedScope, Fault> {
    SharedScope::named(word).ok_or_else(|| {
        let detail = format!("there are no variables of \"{word}\": of \"team\" and \"organization\" there are");
        Fault::not_found("variables-unknown", detail)
    })
}
