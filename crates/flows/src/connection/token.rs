//! Tokens that a connection fetches for itself: OAuth 2.0, client credentials
//! (RFC 6749, section 4.4).
//!
//! A token is kept in memory only. Some time before it ends one of those who
//! need it fetches the next, while the others go on with the one that there is;
//! where none holds any more, one fetches it and the others wait for that. What
//! the other side does not accept any more is forgotten.
//!
//! Databricks says itself where its tokens are given out: the address of a
//! workspace leads to it, by two documents (`discovery`).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::http::{HeaderValue, Http, Method, Request};
use base::{Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::discovery;
use crate::modules::http::urlencoded;
use crate::modules::{Class, ModuleError};

/// A token that would end sooner than this is fetched anew.
const SPARE: Duration = Duration::from_secs(30);
/// The next token is fetched at most so long before this one ends, or behind
/// half of its life.
const EARLY_MAX: Duration = Duration::from_mins(20);
/// After an early try that did not work out, the next comes so much later.
const EARLY_AGAIN: Duration = Duration::from_secs(30);
/// How long a token holds of which the server does not say it.
const HOLDS_BY_DEFAULT: Duration = Duration::from_mins(10);

/// What is needed to be given a token.
#[derive(Clone)]
pub struct Grant {
    /// Where tokens are given out; empty where a workspace says it itself.
    pub token_url: String,
    /// The workspace that says where.
    pub workspace: Option<String>,
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
pub(crate) struct Tokens(Mutex<HashMap<String, Arc<Shelf>>>);

/// The token of one connection.
#[derive(Default)]
struct Shelf {
    held: Mutex<Option<Held>>,
    /// In the hands of whoever fetches one.
    fetching: tokio::sync::Mutex<()>,
}

struct Held {
    token: Secret,
    of: Timestamp,
    /// From here on somebody fetches the next one.
    early: Timestamp,
    until: Timestamp,
}

impl Grant {
    pub(super) fn sealable(&self) -> Json {
        json!({"tokenUrl": self.token_url, "workspace": self.workspace, "clientId": self.client_id, "clientSecret": self.client_secret.expose(),
               "scope": self.scope, "inBody": self.in_body})
    }

    pub(super) fn opened(json: &Json) -> Option<Self> {
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Grant {
            token_url: text("tokenUrl")?,
            workspace: text("workspace"),
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
        let shelf = self.0.lock().entry(name.to_owned()).or_default().clone();
        let known = shelf.holds(of, now);
        let _fetching = match &known {
            Some((token, false)) => return Ok(token.clone()),
            // Somebody fetches the next one already, and this one still holds.
            Some((token, true)) => match shelf.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(token.clone()),
            },
            None => shelf.fetching.lock().await,
        };
        // Somebody may have fetched it meanwhile.
        if let Some((token, false)) = shelf.holds(of, now) {
            return Ok(token);
        }
        match (fetched(name, of, grant, http, now).await, known) {
            (Ok(held), _) => {
                let token = held.token.clone();
                *shelf.held.lock() = Some(held);
                Ok(token)
            }
            (Err(error), Some((token, _))) => {
                tracing::warn!(connection = name, %error, "the next token is not given yet; this one still holds");
                if let Some(held) = shelf.held.lock().as_mut() {
                    held.early = now.plus(EARLY_AGAIN);
                }
                Ok(token)
            }
            (Err(error), None) => Err(error),
        }
    }

    pub(super) fn forget(&self, name: &str) -> bool {
        let shelf = self.0.lock().get(name).cloned();
        shelf.is_some_and(|shelf| shelf.held.lock().take().is_some())
    }

    /// Forgets a token that was refused, unless another has taken its place.
    pub(super) fn refused(&self, name: &str, used: &str) -> bool {
        let Some(shelf) = self.0.lock().get(name).cloned() else { return false };
        let mut held = shelf.held.lock();
        if held.as_ref().is_some_and(|held| held.token.expose() == used) {
            *held = None;
        }
        true
    }
}

impl Shelf {
    /// Returns the token if it still holds, and whether it is time for the next.
    fn holds(&self, of: Timestamp, now: Timestamp) -> Option<(Secret, bool)> {
        let held = self.held.lock();
        let held = held.as_ref().filter(|held| held.of == of && held.until > now)?;
        Some((held.token.clone(), held.early <= now))
    }
}

async fn fetched(
    name: &str,
    of: Timestamp,
    grant: &Grant,
    http: &dyn Http,
    now: Timestamp,
) -> Result<Held, ModuleError> {
    let found;
    let grant = match (&grant.workspace, grant.token_url.is_empty()) {
        (Some(workspace), true) => {
            let token_url = discovery::token_url(name, workspace, http).await?;
            found = Grant { token_url, ..grant.clone() };
            &found
        }
        _ => grant,
    };
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
    let life = json["expires_in"].as_u64().or_else(|| json["expires_in"].as_str()?.parse().ok());
    let life = life.map_or(HOLDS_BY_DEFAULT, Duration::from_secs);
    let until = now.plus(life.saturating_sub(SPARE));
    let early = now.plus(life.saturating_sub((life / 2).min(EARLY_MAX)));
    Ok(Held { token: Secret::new(token), of, early: early.min(until), until })
}
