//! Connections: credentials that flows name and never contain.
//!
//! A connection's secret is sealed at rest and opened only while a request is
//! built. A connection may be bound to an *origin*, such as
//! `loopwright://workspace`; then its secret is sent nowhere else, whatever
//! address a mapping comes to.

use base::http::{HeaderName, HeaderValue, Request};
use base::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use crate::modules::{Class, ModuleError};

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
}

/// A connection to be put.
#[derive(Clone)]
pub struct ConnectionSpec {
    /// `app-key`, `bearer`, `databricks-pat`, `basic` or `header`; must fit
    /// the credentials.
    pub kind: String,
    /// What it presents.
    pub credentials: Credentials,
    /// Where the secret may go, such as `https://adb-1.azuredatabricks.net`;
    /// anywhere if nothing is given.
    pub origin: Option<String>,
    /// When it stops working. A `databricks-pat` must say.
    pub expires_at: Option<Timestamp>,
}

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
    /// When it was last put.
    pub updated_at: Timestamp,
}

/// A connection opened for the moment in which a request is built.
pub struct Unsealed {
    name: String,
    credentials: Credentials,
    origin: Option<String>,
    expires_at: Option<Timestamp>,
}

impl ConnectionSpec {
    /// Checks that a connection is complete; the error is a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let secret = match (self.kind.as_str(), &self.credentials) {
            ("app-key", Credentials::AppKey(secret))
            | ("bearer" | "databricks-pat", Credentials::Bearer(secret))
            | ("basic", Credentials::Basic { password: secret, .. })
            | ("header", Credentials::Header { value: secret, .. }) => secret,
            (kind @ ("app-key" | "bearer" | "databricks-pat" | "basic" | "header"), _) => {
                return Err(format!("its secret is not one of kind \"{kind}\""));
            }
            (kind, _) => {
                return Err(format!("\"{kind}\" is not a kind: app-key, bearer, databricks-pat, basic or header"));
            }
        };
        if secret.expose().trim().is_empty() {
            return Err("its secret is empty".into());
        }
        if let Credentials::Header { header, .. } = &self.credentials
            && HeaderName::from_bytes(header.as_bytes()).is_err()
        {
            return Err(format!("\"{header}\" is not the name of a header"));
        }
        if HeaderValue::from_str(secret.expose().trim()).is_err() {
            return Err("its secret has letters that cannot be sent".into());
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
        };
        Secret::new(json.to_string())
    }
}

impl Unsealed {
    /// Puts a connection together from its row and its opened secret; nothing
    /// if the secret has another form.
    pub(crate) fn new(info: ConnectionInfo, opened: &Secret) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(opened.expose()).ok()?;
        let secret = |name: &str| json[name].as_str().map(Secret::new);
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        let credentials = if let Some(key) = secret("appKey") {
            Credentials::AppKey(key)
        } else if let Some(token) = secret("bearer") {
            Credentials::Bearer(token)
        } else if let Some(user) = text("user") {
            Credentials::Basic { user, password: secret("password")? }
        } else {
            Credentials::Header { header: text("header")?, value: secret("value")? }
        };
        Some(Unsealed { name: info.name, credentials, origin: info.origin, expires_at: info.expires_at })
    }

    /// Adds the credentials to a request, if they may go where it goes.
    pub(crate) fn apply(&self, request: &mut Request, now: Timestamp) -> Result<(), ModuleError> {
        let refused = |message: String| ModuleError::new(Class::InvalidConfigurationError, message);
        if let Some(expired) = self.expires_at.filter(|expiry| *expiry <= now) {
            return Err(refused(format!("connection \"{}\" expired on {expired}", self.name)));
        }
        if let Some(origin) = &self.origin {
            let target = origin_of(&request.url);
            if target.is_none() || target != origin_of(origin) {
                return Err(refused(format!("connection \"{}\" may only be used for {origin}", self.name)));
            }
        }
        // A redirect would carry the credentials to wherever it points.
        request.redirects_max = 0;
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
        };
        let unusable = || refused(format!("the credentials of connection \"{}\" cannot be sent", self.name));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        request.headers.insert(name, value);
        Ok(())
    }
}

/// Returns scheme, host and port of an address; nothing if it is none.
fn origin_of(address: &str) -> Option<(String, String, Option<u16>)> {
    let url = url::Url::parse(address).ok()?;
    let host = url.host_str()?.to_ascii_lowercase();
    Some((url.scheme().to_owned(), host, url.port_or_known_default()))
}

#[cfg(test)]
mod tests;
