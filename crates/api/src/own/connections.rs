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

/// A connection to be stored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewConnection {
    /// `app-key`, `bearer`, `databricks-pat`, `basic` or `header`.
    kind: String,
    /// What is to be kept: `id:secret` of an app key, a token, a password, the
    /// value of a header. It may be called by any of these words.
    #[serde(alias = "key", alias = "token", alias = "password", alias = "value")]
    secret: Option<String>,
    /// The name that goes with a password.
    user: Option<String>,
    /// The name of the header that carries the value.
    header: Option<String>,
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
        let secret = Secret::new(needed("secret", self.secret)?);
        let credentials = match self.kind.as_str() {
            "app-key" => Credentials::AppKey(secret),
            "bearer" | "databricks-pat" => Credentials::Bearer(secret),
            "basic" => Credentials::Basic { user: needed("user", self.user)?, password: secret },
            "header" => Credentials::Header { header: needed("header", self.header)?, value: secret },
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

fn needed(field: &'static str, value: Option<String>) -> Result<String, Fault> {
    let missing = || Fault::invalid(field, "connection-incomplete", format!("\"{field}\" is missing"));
    value.filter(|value| !value.is_empty()).ok_or_else(missing)
}

impl From<ConnectionInfo> for Connection {
    fn from(info: ConnectionInfo) -> Self {
        let ConnectionInfo { name, kind, origin, expires_at, updated_at } = info;
        Connection { name, kind, origin, expires_at, updated_at }
    }
}
