//! Connections: the secrets that flows name and never contain.
//!
//! A secret goes in and never comes out: every answer here is without it.

use axum::Json;
use axum::extract::{Path, State};
use base::http::Identity;
use base::mail::MailSecurity;
use base::{Secret, Timestamp};
use flows::{
    CallInfo, ConnectionInfo, ConnectionSpec, ConnectionUse, Credentials, Grant, JobChoice, Slack, Smtp, Tested,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{self, Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A connection to be stored.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ConnectionToPut)]
pub(super) struct NewConnection {
    /// `app-key`, `bearer`, `basic`, `header`, `query`,
    /// `oauth-client-credentials`, `client-certificate`, `databricks-pat` (or
    /// `databricks`),
    /// `databricks-oauth`, `smtp`, `slack` or `slack-webhook`.
    kind: String,
    /// What is to be kept: `id:secret` of an app key, a token, a password, the
    /// value of a header, the address of a webhook (`url`). It may be called by
    /// any of these words.
    #[serde(alias = "key", alias = "token", alias = "password", alias = "value", alias = "url")]
    secret: Option<String>,
    /// The name that goes with a password.
    user: Option<String>,
    /// The name of the header that carries the value.
    header: Option<String>,
    /// The name of the parameter of the query that carries the value.
    parameter: Option<String>,
    /// Where tokens are given out.
    token_url: Option<String>,
    /// Who asks for a token.
    client_id: Option<String>,
    /// What a token is asked for, separated by blanks.
    scope: Option<String>,
    /// The client's secret goes into the body of the question for a token.
    #[serde(default)]
    secret_in_body: bool,
    /// A client certificate and those that vouch for it, in PEM; its private
    /// key is the secret.
    certificate: Option<String>,
    /// A mail server, or the workspace of a Databricks connection.
    host: Option<String>,
    /// Where a mail server listens; the usual port if nothing is said. A text of digits does as well, because that is
    /// what a variable of the environment is.
    #[schema(value_type = Option<u16>)]
    port: Option<Whole>,
    /// How the way to a mail server is protected: `starttls` (if nothing is
    /// said), `implicit` or `none`.
    tls: Option<String>,
    /// Who sends, where a mail does not say.
    from: Option<String>,
    /// Where the methods of Slack are, if not at Slack.
    base: Option<String>,
    /// Where the secret may go.
    origin: Option<String>,
    /// When it stops working.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// What it is called in flows that were drawn elsewhere: `connection:12`,
    /// `key:34`.
    #[serde(default)]
    imported_ids: Vec<String>,
}

/// A connection without its secret.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    name: String,
    kind: String,
    #[schema(required = true)]
    origin: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    imported_ids: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// It is always there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    built_in: bool,
    /// It has ended, or soon will.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    warning: Option<String>,
}

/// A connection, and who names it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConnectionWithUses)]
pub(super) struct Shown {
    #[serde(flatten)]
    connection: Connection,
    uses: Vec<ConnectionUse>,
}

/// Which calls are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WantedCalls {
    /// Calls before the one of this id; the latest if it is left out.
    before: Option<String>,
    /// Calls at most, 100 if nothing is said.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
}

/// Which jobs are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WantedJobs {
    /// Only jobs of exactly this name, but for its case.
    name: Option<String>,
}

/// Lists the calls to workspaces that were made with a connection.
pub(super) async fn calls(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(wanted): Query<WantedCalls>,
) -> Result<Json<Vec<CallInfo>>, Fault> {
    rights::manage_connections(&app, &actor).await?;
    let limit = wanted.limit.map_or(100, |limit| u32::try_from(limit.0).unwrap_or(u32::MAX));
    Ok(Json(app.flows.calls_of_connection(&name, wanted.before.as_deref(), limit).await?))
}

/// Lists the jobs of a connection's workspace, for whoever picks one.
pub(super) async fn jobs(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(wanted): Query<WantedJobs>,
) -> Result<Json<Vec<JobChoice>>, Fault> {
    rights::manage_connections(&app, &actor).await?;
    Ok(Json(app.flows.jobs_of_connection(&actor, &name, wanted.name.as_deref()).await?))
}

/// How to try a connection.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConnectionToTry)]
pub(super) struct Trial {
    /// What to call, where the kind does not say it.
    url: Option<String>,
}

/// Shows a connection, with the flows that name it.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Shown>, Fault> {
    rights::manage_connections(&app, &actor).await?;
    let info = app.flows.connection(&name).await?;
    let uses = app.flows.connection_uses(&info.name).await?;
    Ok(Json(Shown { connection: info.into(), uses }))
}

/// Tries a connection. Whatever comes of it is an answer.
pub(super) async fn test(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body::MaybeJson(trial): body::MaybeJson<Trial>,
) -> Result<Json<Tested>, Fault> {
    rights::manage_connections(&app, &actor).await?;
    let trial = trial.unwrap_or_default();
    Ok(Json(app.flows.test_connection(&actor, &name, trial.url.as_deref()).await?))
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
        if self.kind == "smtp" {
            return self.read_smtp();
        }
        let secret = Secret::new(needed("secret", self.secret)?);
        let mut origin = self.origin;
        let credentials = match self.kind.as_str() {
            "slack" => Credentials::Slack(Slack::Bot { token: secret, base: self.base }),
            "slack-webhook" => Credentials::Slack(Slack::Webhook { url: secret }),
            "databricks-oauth" => {
                origin = Some(needed("host", self.host.clone().or_else(|| origin.take()))?);
                Credentials::OAuth(Grant {
                    // A workspace says itself where its tokens are given out.
                    token_url: self.token_url.unwrap_or_default(),
                    workspace: None,
                    client_id: needed("clientId", self.client_id)?,
                    client_secret: secret,
                    scope: Some(self.scope.unwrap_or_else(|| "all-apis".to_owned())),
                    in_body: self.secret_in_body,
                })
            }
            "app-key" => Credentials::AppKey(secret),
            "bearer" | "databricks-pat" | "databricks" => Credentials::Bearer(secret),
            "basic" => Credentials::Basic { user: needed("user", self.user)?, password: secret },
            "header" => Credentials::Header { header: needed("header", self.header)?, value: secret },
            "query" => Credentials::Query { parameter: needed("parameter", self.parameter)?, value: secret },
            "oauth-client-credentials" => Credentials::OAuth(Grant {
                token_url: needed("tokenUrl", self.token_url)?,
                workspace: None,
                client_id: needed("clientId", self.client_id)?,
                client_secret: secret,
                scope: self.scope,
                in_body: self.secret_in_body,
            }),
            "client-certificate" => Credentials::Certificate(Identity {
                certificates: needed("certificate", self.certificate)?,
                key: secret,
            }),
            other => {
                let kinds: Vec<String> = flows::CONNECTION_KINDS.iter().map(|kind| format!("\"{kind}\"")).collect();
                let detail = format!("\"{other}\" is not a kind of connection: {} are", kinds.join(", "));
                return Err(Fault::invalid("kind", "connection-kind-unknown", detail));
            }
        };
        if let ("databricks-pat" | "databricks", Some(host), None) = (self.kind.as_str(), &self.host, &origin) {
            origin = Some(host.clone());
        }
        let (expires_at, imported_ids) = (self.expires_at, self.imported_ids);
        Ok(ConnectionSpec { kind: self.kind, credentials, origin, expires_at, imported_ids })
    }

    fn read_smtp(self) -> Result<ConnectionSpec, Fault> {
        let security = match self.tls.as_deref() {
            None => MailSecurity::StartTls,
            Some(word) => flows::security_named(word).ok_or_else(|| {
                let detail = format!("\"{word}\" is not \"starttls\", \"implicit\" or \"none\"");
                Fault::invalid("tls", "connection-incomplete", detail)
            })?,
        };
        let secret = self.secret.filter(|secret| !secret.is_empty());
        let login = match (self.user.filter(|user| !user.is_empty()), secret) {
            (None, None) => None,
            (user, secret) => Some((needed("user", user)?, Secret::new(needed("password", secret)?))),
        };
        let port = match self.port {
            None => Smtp::usual_port(security),
            Some(port) => u16::try_from(port.0).map_err(|_| {
                let detail = format!("a port is a number from 0 to 65535, and not {}", port.0);
                Fault::invalid("port", "connection-incomplete", detail)
            })?,
        };
        let credentials = Credentials::Smtp(Smtp {
            host: needed("host", self.host)?,
            port,
            security,
            login,
            from: needed("from", self.from)?,
        });
        let (expires_at, imported_ids) = (self.expires_at, self.imported_ids);
        Ok(ConnectionSpec { kind: self.kind, credentials, origin: None, expires_at, imported_ids })
    }
}

fn needed(field: &'static str, value: Option<String>) -> Result<String, Fault> {
    let missing = || Fault::invalid(field, "connection-incomplete", format!("\"{field}\" is missing"));
    value.filter(|value| !value.is_empty()).ok_or_else(missing)
}

impl From<ConnectionInfo> for Connection {
    fn from(info: ConnectionInfo) -> Self {
        let ConnectionInfo { name, kind, origin, expires_at, imported_ids, updated_at, built_in, warning } = info;
        Connection { name, kind, origin, expires_at, imported_ids, updated_at, built_in, warning }
    }
}
