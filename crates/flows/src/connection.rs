//! Connections: credentials that flows name and never contain.
//!
//! A connection's secret is sealed at rest and opened only while a request is
//! built. A connection may be bound to an *origin*, such as
//! `loopwright://workspace`; then its secret is sent nowhere else, whatever
//! address a mapping comes to.
//!
//! A flow names a connection by its name. One that was drawn elsewhere has a
//! number instead, `connection:12` or `key:34`; a connection may say which of
//! these it stands for.

mod token;
mod discovery;
mod service;
pub(crate) mod built_in;
pub(crate) mod standing;
pub(crate) mod trial;

use std::sync::Arc;

use base::http::{HeaderName, HeaderValue, Request};
use base::http::{Http, Identity, Tls};
use base::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::databricks::address;
use crate::databricks::problem::Facts;
use crate::modules::http::{HttpCall, with_query};
use crate::modules::{Class, ModuleError};

pub(crate) use service::SLACK;
pub use service::{Slack, Smtp, security_named};
pub use token::Grant;
pub(crate) use token::Tokens;

/// What a connection presents.
#[derive(Clone)]
pub enum Credentials {
    /// `Authorization: AppKey base64(id:secret)`; kind `app-key`. The secret
    /// is `id:secret`, or what already stands after `AppKey`.
    AppKey(Secret),
    /// `Authorization: Bearer …`; kinds `bearer` and `databricks-pat`.
    Bearer(Secret),
    /// `Authorization: Basic …`; kind `basic`.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: Secret,
    },
    /// A header of any name; kind `header`.
    Header {
        /// Its name.
        header: String,
        /// Its value.
        value: Secret,
    },
    /// A parameter of the query; kind `query`.
    Query {
        /// Its name.
        parameter: String,
        /// Its value.
        value: Secret,
    },
    /// `Authorization: Bearer …` with a token that is fetched; kinds
    /// `oauth-client-credentials` and `databricks-oauth`.
    OAuth(Grant),
    /// A certificate shown while TLS is agreed on; kind `client-certificate`.
    Certificate(Identity),
    /// A mail server; kind `smtp`.
    Smtp(Smtp),
    /// A Slack app, or whoever understands the same calls; kinds `slack` and
    /// `slack-webhook`.
    Slack(Slack),
    /// What proves to our own listeners that a flow calls them. Nobody types
    /// it in; see [`built_in`].
    Ourselves(Secret),
}

/// A connection to be put.
#[derive(Clone)]
pub struct ConnectionSpec {
    /// One of [`KINDS`]; must fit the credentials.
    pub kind: String,
    /// What it presents.
    pub credentials: Credentials,
    /// Where the secret may go, such as `https://adb-1.azuredatabricks.net`;
    /// anywhere if nothing is given.
    pub origin: Option<String>,
    /// When it stops working. A `databricks-pat` must say.
    pub expires_at: Option<Timestamp>,
    /// What it is called in flows that were drawn elsewhere: `connection:12`,
    /// `key:34`.
    pub imported_ids: Vec<String>,
}

/// Kinds of connections.
pub const KINDS: [&str; 12] = [
    "app-key",
    "bearer",
    "basic",
    "header",
    "query",
    "oauth-client-credentials",
    "client-certificate",
    "databricks-pat",
    "databricks-oauth",
    "smtp",
    "slack",
    "slack-webhook",
];

/// A connection without its secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    /// What flows call it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Where the secret may go.
    pub origin: Option<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// What it is called in flows that were drawn elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imported_ids: Vec<String>,
    /// When it was last put.
    pub updated_at: Timestamp,
    /// It is always there, and holds no secret that somebody typed in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub built_in: bool,
    /// Says that it has ended, or soon will.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// A connection opened for the moment in which a request is built.
pub struct Unsealed {
    name: String,
    kind: String,
    /// When it was put: a token that was fetched before is another's.
    updated_at: Timestamp,
    tokens: Arc<Tokens>,
    credentials: Credentials,
    origin: Option<String>,
    expires_at: Option<Timestamp>,
}

/// How long a personal access token holds of which nobody said it.
const TOKEN_LIFE: std::time::Duration = std::time::Duration::from_hours(24 * 90);

impl ConnectionInfo {
    /// Says that the address of a workspace is not a usual one; it may be right
    /// all the same.
    pub(crate) fn unusual_host(&self) -> Option<String> {
        let origin = self.origin.as_ref().filter(|_| self.kind.starts_with("databricks"))?;
        let remark = address::read(origin).ok()?.remarks.into_iter().next()?;
        Some(format!("connection \"{}\": {remark}", self.name))
    }
}

impl ConnectionSpec {
    /// Completes a connection to a workspace: its address is mended as far as it
    /// is plain what was meant, and a token without an end has one in 90 days,
    /// which is what Databricks recommends.
    pub(crate) fn completed(mut self, now: Timestamp) -> Result<Self, String> {
        if self.kind == "databricks" {
            "databricks-pat".clone_into(&mut self.kind);
        }
        if !matches!(self.kind.as_str(), "databricks-pat" | "databricks-oauth") {
            return Ok(self);
        }
        if let Some(pasted) = &self.origin {
            let origin = address::read(pasted)?.origin;
            if let Credentials::OAuth(grant) = &mut self.credentials
                && grant.token_url.is_empty()
            {
                grant.workspace = Some(origin.clone());
            }
            self.origin = Some(origin);
        }
        if self.kind == "databricks-pat" && self.expires_at.is_none() {
            self.expires_at = Some(now.plus(TOKEN_LIFE));
        }
        Ok(self)
    }

    /// Checks that a connection is complete; the error is a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let secret = match (self.kind.as_str(), &self.credentials) {
            ("app-key", Credentials::AppKey(secret))
            | ("bearer" | "databricks-pat", Credentials::Bearer(secret))
            | ("basic", Credentials::Basic { password: secret, .. })
            | ("header", Credentials::Header { value: secret, .. })
            | ("query", Credentials::Query { value: secret, .. })
            | (
                "oauth-client-credentials" | "databricks-oauth",
                Credentials::OAuth(Grant { client_secret: secret, .. }),
            )
            | ("slack", Credentials::Slack(Slack::Bot { token: secret, .. }))
            | ("slack-webhook", Credentials::Slack(Slack::Webhook { url: secret }))
            | ("client-certificate", Credentials::Certificate(Identity { key: secret, .. })) => secret,
            ("smtp", Credentials::Smtp(smtp)) => {
                smtp.check()?;
                return self.check_rest();
            }
            (kind, _) if KINDS.contains(&kind) => return Err(format!("its secret is not one of kind \"{kind}\"")),
            (kind, _) => return Err(format!("\"{kind}\" is not a kind: {} are", KINDS.join(", "))),
        };
        if secret.expose().trim().is_empty() {
            return Err("its secret is empty".into());
        }
        if let Credentials::Header { header, .. } = &self.credentials
            && HeaderName::from_bytes(header.as_bytes()).is_err()
        {
            return Err(format!("\"{header}\" is not the name of a header"));
        }
        match &self.credentials {
            Credentials::Certificate(identity) => {
                for (part, text) in [("certificate", identity.certificates.as_str()), ("private key", secret.expose())]
                {
                    if !text.contains("-----BEGIN ") {
                        return Err(format!("its {part} is not PEM"));
                    }
                }
            }
            Credentials::OAuth(grant) if grant.workspace.is_none() && origin_of(&grant.token_url).is_none() => {
                return Err(format!("\"{}\" is not the address of a token", grant.token_url));
            }
            Credentials::Slack(slack) => slack.check()?,
            _ if HeaderValue::from_str(secret.expose().trim()).is_err() => {
                return Err("its secret has letters that cannot be sent".into());
            }
            _ => {}
        }
        self.check_rest()
    }

    fn check_rest(&self) -> Result<(), String> {
        if let Some(id) = self.imported_ids.iter().find(|id| !is_imported_id(id)) {
            return Err(format!("\"{id}\" is not an id such as connection:12 or key:34"));
        }
        if self.kind == "databricks-oauth" && self.origin.is_none() {
            return Err("the address of its workspace is missing, such as https://adb-1.azuredatabricks.net".into());
        }
        if self.kind == "databricks-pat" && self.expires_at.is_none() {
            return Err("a personal access token needs its expiry date".into());
        }
        match &self.origin {
            Some(origin) if origin_of(origin).is_none() => {
                Err(format!("\"{origin}\" is not an origin such as https://host"))
            }
            _ => Ok(()),
        }
    }

    /// Returns what is sealed, as one text.
    pub(crate) fn sealable(&self) -> Secret {
        let json = match &self.credentials {
            Credentials::AppKey(secret) => serde_json::json!({"appKey": secret.expose()}),
            Credentials::Bearer(secret) => serde_json::json!({"bearer": secret.expose()}),
            Credentials::Basic { user, password } => serde_json::json!({"user": user, "password": password.expose()}),
            Credentials::Header { header, value } => serde_json::json!({"header": header, "value": value.expose()}),
            Credentials::Query { parameter, value } => {
                serde_json::json!({"parameter": parameter, "value": value.expose()})
            }
            Credentials::OAuth(grant) => serde_json::json!({"grant": grant.sealable()}),
            Credentials::Certificate(Identity { certificates, key }) => {
                serde_json::json!({"certificates": certificates, "key": key.expose()})
            }
            Credentials::Smtp(smtp) => serde_json::json!({"smtp": smtp.sealable()}),
            Credentials::Slack(slack) => serde_json::json!({"slack": slack.sealable()}),
            Credentials::Ourselves(_) => serde_json::Value::Null,
        };
        Secret::new(json.to_string())
    }
}

impl Unsealed {
    /// Puts a connection together from its row and its opened secret; nothing
    /// if the secret has another form.
    pub(crate) fn new(info: ConnectionInfo, opened: &Secret, tokens: Arc<Tokens>) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(opened.expose()).ok()?;
        let secret = |name: &str| json[name].as_str().map(Secret::new);
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let credentials = if let Some(key) = secret("appKey") {
            Credentials::AppKey(key)
        } else if let Some(token) = secret("bearer") {
            Credentials::Bearer(token)
        } else if let Some(user) = text("user") {
            Credentials::Basic { user, password: secret("password")? }
        } else if let Some(parameter) = text("parameter") {
            Credentials::Query { parameter, value: secret("value")? }
        } else if let Some(grant) = json.get("grant") {
            Credentials::OAuth(Grant::opened(grant)?)
        } else if let Some(smtp) = json.get("smtp") {
            Credentials::Smtp(Smtp::opened(smtp)?)
        } else if let Some(slack) = json.get("slack") {
            Credentials::Slack(Slack::opened(slack)?)
        } else if let Some(certificates) = text("certificates") {
            Credentials::Certificate(Identity { certificates, key: secret("key")? })
        } else {
            Credentials::Header { header: text("header")?, value: secret("value")? }
        };
        let ConnectionInfo { name, kind, origin, expires_at, updated_at, .. } = info;
        Some(Unsealed { name, kind, updated_at, tokens, credentials, origin, expires_at })
    }

    /// Puts together a connection that is not stored.
    pub(crate) fn put_together(
        name: String,
        kind: String,
        updated_at: Timestamp,
        tokens: Arc<Tokens>,
        credentials: Credentials,
        origin: Option<String>,
    ) -> Self {
        Unsealed { name, kind, updated_at, tokens, credentials, origin, expires_at: None }
    }

    /// Returns where a request goes that its module addresses to a service as
    /// it usually is; nothing where that is right.
    pub(crate) fn moved(&self, call: &HttpCall) -> Option<String> {
        let rest = call.url.strip_prefix(call.service?)?;
        match &self.credentials {
            Credentials::Slack(slack) => slack.moved(rest),
            Credentials::Ourselves(_) => None,
            _ => self.origin.as_ref().map(|origin| format!("{}{rest}", origin.trim_end_matches('/'))),
        }
    }

    /// Tells whether the address itself is a secret.
    pub(crate) fn hides_address(&self) -> bool {
        matches!(self.credentials, Credentials::Slack(Slack::Webhook { .. }))
    }

    /// Returns the mail server, if it may be used now.
    pub(crate) fn smtp(&self, now: Timestamp) -> Result<&Smtp, ModuleError> {
        self.must_hold(now)?;
        match &self.credentials {
            Credentials::Smtp(smtp) => Ok(smtp),
            _ => {
                let message =
                    format!("connection \"{}\" is of kind \"{}\", and mail needs \"smtp\"", self.name, self.kind);
                Err(Self::refused(message))
            }
        }
    }

    /// Adds the credentials to a request, if they may go where it goes. A
    /// token is fetched where there is none that still holds.
    pub(crate) async fn apply(
        &self,
        request: &mut Request,
        http: &dyn Http,
        now: Timestamp,
    ) -> Result<(), ModuleError> {
        self.judge(request, http.own_address(&request.url).as_deref(), now)?;
        let token = match &self.credentials {
            Credentials::OAuth(grant) => Some(self.tokens.token(&self.name, self.updated_at, grant, http, now).await?),
            _ => None,
        };
        self.add(request, token.as_ref())
    }

    /// Returns its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the workspace to which it leads; the error says that it leads to none.
    pub(crate) fn workspace(&self) -> Result<String, ModuleError> {
        let is_ours = matches!(self.credentials, Credentials::Ourselves(_));
        let fits = matches!(self.credentials, Credentials::Bearer(_) | Credentials::OAuth(_))
            || is_ours && self.origin.as_deref() == Some(built_in::BuiltIn::LocalWorkspace.origin());
        match &self.origin {
            Some(origin) if fits => Ok(origin.trim_end_matches('/').to_owned()),
            None if fits => Err(Self::refused(format!(
                "connection \"{}\" does not say where its workspace is: put it again with \"host\"",
                self.name
            ))),
            _ => Err(Self::refused(format!(
                "connection \"{}\" is of kind \"{}\" and leads to no workspace: make one of kind \"databricks-oauth\" \
                 or \"databricks-pat\", or take \"local-workspace\"",
                self.name, self.kind
            ))),
        }
    }

    /// Tells what is known of it, for whoever explains a refusal.
    pub(crate) fn facts(&self, workspace: &str) -> Facts {
        Facts {
            connection: self.name.clone(),
            workspace: workspace.to_owned(),
            is_principal: matches!(self.credentials, Credentials::OAuth(_)),
            expires_at: self.expires_at,
        }
    }

    /// Forgets the token that a request bore and the other side did not accept.
    /// Tells whether another can be tried.
    pub(crate) fn forget_used_token(&self, used: Option<&HeaderValue>) -> bool {
        let used = used.and_then(|used| used.to_str().ok()).and_then(|used| used.strip_prefix("Bearer "));
        matches!(self.credentials, Credentials::OAuth(_))
            && used.is_some_and(|used| self.tokens.refused(&self.name, used))
    }

    /// Forgets a token that the other side did not accept. Tells whether there
    /// was one, so that another can be tried.
    pub(crate) fn forget_token(&self) -> bool {
        matches!(self.credentials, Credentials::OAuth(_)) && self.tokens.forget(&self.name)
    }

    fn refused(message: String) -> ModuleError {
        ModuleError::new(Class::InvalidConfigurationError, message)
    }

    fn must_hold(&self, now: Timestamp) -> Result<(), ModuleError> {
        match self.expires_at.filter(|expiry| *expiry <= now) {
            Some(expired) => {
                let message = format!("connection \"{}\" expired on {expired}: put a new secret into it", self.name);
                Err(Self::refused(message))
            }
            None => Ok(()),
        }
    }

    /// Tells whether the credentials may be used now, for where a request
    /// goes; `own` is where that is one of our listeners by another name.
    fn judge(&self, request: &Request, own: Option<&str>, now: Timestamp) -> Result<(), ModuleError> {
        self.must_hold(now)?;
        let bound = match (&self.origin, &self.credentials) {
            (_, Credentials::Slack(slack)) => Some(slack.origin().to_owned()),
            (origin, _) => origin.clone(),
        };
        let Some(origin) = bound else { return Ok(()) };
        let is_there = |address: &str| origin_of(address).is_some_and(|there| Some(there) == origin_of(&origin));
        if is_there(&request.url) || own.is_some_and(is_there) {
            return Ok(());
        }
        let origin = if self.hides_address() { "its own address".into() } else { origin };
        Err(Self::refused(format!("connection \"{}\" may only be used for {origin}", self.name)))
    }

    fn add(&self, request: &mut Request, token: Option<&Secret>) -> Result<(), ModuleError> {
        let refused = Self::refused;
        let (name, value) = match &self.credentials {
            Credentials::AppKey(secret) => {
                let secret = secret.expose().trim();
                let encoded = if secret.contains(':') { BASE64.encode(secret) } else { secret.to_owned() };
                ("authorization", format!("AppKey {encoded}"))
            }
            Credentials::Bearer(secret) => ("authorization", format!("Bearer {}", secret.expose().trim())),
            Credentials::Basic { user, password } => {
                ("authorization", format!("Basic {}", BASE64.encode(format!("{user}:{}", password.expose()))))
            }
            Credentials::Header { header, value } => (header.as_str(), value.expose().trim().to_owned()),
            Credentials::Query { parameter, value } => {
                let pair = [(parameter.clone(), value.expose().trim().to_owned())];
                request.url = with_query(&request.url, &pair);
                return Ok(());
            }
            Credentials::Slack(Slack::Bot { token, .. }) => {
                ("authorization", format!("Bearer {}", token.expose().trim()))
            }
            // The address was the secret.
            Credentials::Slack(Slack::Webhook { .. }) => return Ok(()),
            Credentials::Smtp(_) => {
                return Err(refused(format!("connection \"{}\" is a mail server, and this is no mail", self.name)));
            }
            Credentials::Ourselves(seal) => ("authorization", format!("{} {}", built_in::SCHEME, seal.expose())),
            Credentials::OAuth(_) => {
                ("authorization", format!("Bearer {}", token.map(Secret::expose).unwrap_or_default()))
            }
            Credentials::Certificate(identity) => {
                let tls = request.tls.take().map(|tls| (*tls).clone()).unwrap_or_default();
                request.tls = Some(Arc::new(Tls { identity: Some(identity.clone()), ..tls }));
                return Ok(());
            }
        };
        let unusable = || refused(format!("the credentials of connection \"{}\" cannot be sent", self.name));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
        // What is sensitive does not follow a redirect to another origin.
        value.set_sensitive(true);
        request.headers.insert(name, value);
        Ok(())
    }
}

/// Tells whether a text names a connection as it was called elsewhere.
fn is_imported_id(id: &str) -> bool {
    let number = id.strip_prefix("connection:").or_else(|| id.strip_prefix("key:"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Returns scheme, host and port of an address; nothing if it is none.
pub(crate) fn origin_of(address: &str) -> Option<(String, String, Option<u16>)> {
    let url = url::Url::parse(address).ok()?;
    let host = url.host_str()?.to_ascii_lowercase();
    Some((url.scheme().to_owned(), host, url.port_or_known_default()))
}

#[cfg(test)]
mod tests;
