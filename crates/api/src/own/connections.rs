//! Connections: the secrets that flows name and never contain.
//!
//! A secret goes in and never comes out: every answer here is without it.

use axum::Json;
use axum::extract::{Path, State};
use base::{Secret, Timestamp};
use flows::{ConnectionInfo, ConnectionSpec, Credentials};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A connection to be stored. Which of the secret fields are needed depends on
/// the kind.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewConnection {
    /// `app-key`, `bearer`, `databricks-pat`, `basic` or `header`.
    kind: String,
    /// `id:secret` of an `app-key`.
    key: Option<String>,
    /// The token of a `bearer` or a `databricks-pat`.
    token: Option<String>,
    /// The name of a `basic`.
    user: Option<String>,
    /// The password of a `basic`.
    password: Option<String>,
    /// The name of a `header`.
    header: Option<String>,
    /// The value of a `header`.
    value: Option<String>,
    /// Where the secret may go.
    origin: Option<String>,
    /// When it stops working.
    expires_at: Option<Timestamp>,
}

/// A connection without its secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    name: String,
    kind: String,
    origin: Option<String>,
    expires_at: Option<Timestamp>,
    updated_at: Timestamp,
}

/// Lists the connections.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Connection>>, Fault> {
    rights::manage_connections(&app, &actor).await?;
    let connections = app.flows.connections().await?;
    Ok(Json(connections.into_iter().map(Connection::from).collect()))
}

/// Stores a connection; replaces one of the same name.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body::Json(new): body::Json<NewConnection>,
) -> Result<StatusCode, Fault> {
    rights::manage_connections(&app, &actor).await?;
    app.flows.put_connection(&actor, &name, new.read()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a connection.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::manage_connections(&app, &actor).await?;
    app.flows.delete_connection(&actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl NewConnection {
    /// Takes the fields that the kind needs.
    fn read(self) -> Result<ConnectionSpec, Fault> {
        let credentials = match self.kind.as_str() {
            "app-key" => Credentials::AppKey(needed("key", self.key)?),
            "bearer" | "databricks-pat" => Credentials::Bearer(needed("token", self.token)?),
            "basic" => Credentials::Basic {
                user: needed("user", self.user)?.expose().to_owned(),
                password: needed("password", self.password)?,
            },
            "header" => Credentials::Header {
                header: needed("header", self.header)?.expose().to_owned(),
                value: needed("value", self.value)?,
            },
            other => {
                let detail = format!(
                    "\"{other}\" is not a kind of connection: \"app-key\", \"bearer\", \"databricks-pat\", \
                     \"basic\" and \"header\" are"
                );
                return Err(Fault::invalid("kind", "connection-kind-unknown", detail));
            }
        };
        Ok(ConnectionSpec { kind: self.kind, credentials, origin: self.origin, expires_at: self.expires_at })
    }
}

fn needed(field: &'static str, value: Option<String>) -> Result<Secret, Fault> {
    match value {
        Some(value) if !value.is_empty() => Ok(Secret::new(value)),
        _ => Err(Fault::invalid(field, "connection-incomplete", format!("\"{field}\" is missing"))),
    }
}

impl From<ConnectionInfo> for Connection {
    fn from(info: ConnectionInfo) -> Self {
        let ConnectionInfo { name, kind, origin, expires_at, updated_at } = info;
        Connection { name, kind, origin, expires_at, updated_at }
    }
}
