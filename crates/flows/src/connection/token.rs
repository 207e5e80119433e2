//! Tokens that a connection fetches for itself: OAuth 2.0, client credentials
//! (RFC 6749, section 4.4).
//!
//! A token is kept in memory only, and fetched again shortly before it ends,
//! or when the other side does not accept it any more.

use std::collections::HashMap;
use std::time::Duration;

use base::http::{HeaderValue, Http, Method, Request};
use base::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::modules::http::urlencoded;
use crate::modules::{Class, ModuleError};

/// A token that would end sooner than this is fetched anew.
const SPARE: Duration = Duration::from_secs(30);
/// How long a token holds of which the server does not say it.
const HOLDS_BY_DEFAULT: Duration = Duration::from_mins(10);

/// What is needed to be given a token.
#[derive(Clone)]
pub struct Grant {
    /// Where tokens are given out.
    pub token_url: String,
    /// Who asks.
    pub client_id: String,
    /// What proves it.
    pub client_secret: Secret,
    /// What is asked for, separated by blanks.
    pub scope: Option<String>,
    /// The proof goes into the body, for servers that do not read it from the
    /// header as the standard says.
    pub in_body: bool,
}

/// Tokens that were fetched.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, Held>>);

struct Held {
    token: Secret,
    of: Timestamp,
    until: Timestamp,
}

impl Grant {
    pub(super) fn sealable(&self) -> Json {
        json!({"tokenUrl": self.token_url, "clientId": self.client_id, "clientSecret": self.client_secret.expose(),
               "scope": self.scope, "inBody": self.in_body})
    }

    pub(super) fn opened(json: &Json) -> Option<Self> {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Grant {
            token_url: text("tokenUrl")?,
            client_id: text("clientId")?,
            client_secret: Secret::new(text("clientSecret")?),
            scope: text("scope"),
            in_body: json["inBody"].as_bool().unwrap_or(false),
        })
    }

    fn request(&self) -> Request {
        let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        form.extend(self.scope.clone().map(|scope| ("scope".to_owned(), scope)));
        let mut request = Request::new(Method::POST, &self.token_url);
        let secret = self.client_secret.expose();
        if self.in_body {
            form.push(("client_id".into(), self.client_id.clone()));
            form.push(("client_secret".into(), secret.to_owned()));
        } else {
            // Both parts are encoded as in a form before they are joined.
            let part = |text: &str| {
                let pair = urlencoded(&[(String::new(), text.to_owned())]);
                String::from_utf8_lossy(&pair[1..]).into_owned()
            };
            let pair = BASE64.encode(format!("{}:{}", part(&self.client_id), part(secret)));
            let mut value = HeaderValue::from_str(&format!("Basic {pair}")).expect("Base64 is plain letters");
            value.set_sensitive(true);
            request.headers.insert("authorization", value);
        }
        request.headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        request.headers.insert("accept", HeaderValue::from_static("application/json"));
        request.body = urlencoded(&form);
        request
    }
}

impl Tokens {
    /// Returns the token of a connection that was put at `of`; fetches one if
    /// none is there that still holds.
    pub(super) async fn token(
        &self,
        name: &str,
        of: Timestamp,
        grant: &Grant,
        http: &dyn Http,
        now: Timestamp,
    ) -> Result<Secret, ModuleError> {
        if let Some(held) = self.0.lock().get(name).filter(|held| held.of == of && held.until > now) {
            return Ok(held.token.clone());
        }
        let answer = http.send(grant.request()).await.map_err(|error| {
            let class = Class::ConnectionError;
            ModuleError::new(class, format!("connection \"{name}\" is given no token: {error}"))
        })?;
        // The body is not told: a server may say back what it was sent.
        let refused = |why: &str| {
            let message = format!("connection \"{name}\" is given no token: {why}");
            ModuleError::new(Class::InvalidConfigurationError, message)
        };
        let json: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        if !answer.status.is_success() {
            // A plain word is an error code; anything else may be what was sent.
            let is_code = |code: &&str| code.len() <= 40 && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
            let code = json["error"].as_str().filter(is_code).map(|code| format!(" ({code})")).unwrap_or_default();
            let error = refused(&format!("the answer is {}{code}", answer.status.as_u16()));
            let class = if answer.status.is_server_error() { Class::ConnectionError } else { error.class };
            return Err(ModuleError { class, ..error });
        }
        let token = json["access_token"].as_str().ok_or_else(|| refused("the answer has no \"access_token\""))?;
        let holds = json["expires_in"].as_u64().or_else(|| json["expires_in"].as_str()?.parse().ok());
        let holds = holds.map_or(HOLDS_BY_DEFAULT, Duration::from_secs).saturating_sub(SPARE);
        let token = Secret::new(token);
        self.0.lock().insert(name.to_owned(), Held { token: token.clone(), of, until: now.plus(holds) });
        Ok(token)
    }

    pub(super) fn forget(&self, name: &str) -> bool {
        self.0.lock().remove(name).is_some()
    }
}
