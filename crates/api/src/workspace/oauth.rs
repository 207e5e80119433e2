//! Signing in by OAuth: a service principal buys a token for its secret.
//!
//! Clients find the way by documents: the first names the sign-in's root, the
//! second its token endpoint. Errors of the token endpoint have the shape that
//! the OAuth standard gives them, and always a content type, because a client
//! that finds none gives up without a word.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde_json::{Value, json};

use super::identity::reached_by;
use super::table::Table;
use crate::app::App;
use crate::caller::authorization;

/// The one scope that there is.
const SCOPE: &str = "all-apis";

/// Returns the routes, which need no token.
pub(super) fn routes() -> Table {
    use axum::routing::{get, post};
    Table::new()
        .route("/oidc/v1/token", post(token))
        .route("/oidc/.well-known/oauth-authorization-server", get(metadata))
        .route("/oidc/.well-known/openid-configuration", get(metadata))
        .route("/.well-known/openid-configuration", get(metadata))
}

async fn metadata(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Json<Value> {
    let root = format!("{}/oidc", reached_by(&uri, &headers, &app.workspace.options().public_url));
    Json(json!({
        "issuer": root,
        "authorization_endpoint": format!("{root}/v1/authorize"),
        "token_endpoint": format!("{root}/v1/token"),
        "scopes_supported": [SCOPE],
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }))
}

/// Why no token is sold.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Client,
    Request(&'static str),
    Grant(String),
    Scope(String),
    Unavailable,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Refusal::Client => {
                let description =
                    "Client authentication failed: the client id or secret is unknown, expired or revoked";
                (StatusCode::UNAUTHORIZED, "invalid_client", description.to_owned())
            }
            Refusal::Request(what) => (StatusCode::BAD_REQUEST, "invalid_request", what.to_owned()),
            Refusal::Grant(grant) => {
                let description = format!("grant type \"{grant}\" is not supported: \"client_credentials\" is");
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", description)
            }
            Refusal::Scope(scope) => {
                let description = format!("scope \"{scope}\" is not supported: \"{SCOPE}\" is");
                (StatusCode::BAD_REQUEST, "invalid_scope", description)
            }
            Refusal::Unavailable => {
                let description = "the token could not be made, try again".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", description)
            }
        };
        let body = Json(json!({ "error": error, "error_description": description }));
        let mut response = (status, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        }
        response
    }
}

async fn token(State(app): State<App>, headers: HeaderMap, form: Bytes) -> Result<Response, Refusal> {
    let (client, secret) = asked(authorization(&headers), &form)?;
    let token = app.workspace.sign_in_principal(&client, &secret).await.map_err(|error| match error {
        workspace::Error::Unauthenticated => Refusal::Client,
        error => {
            tracing::warn!(error = %base::error::chain(&error), "a service principal could not sign in");
            Refusal::Unavailable
        }
    })?;
    let body = Json(json!({
        "access_token": token.text.expose(),
        "token_type": "Bearer",
        "expires_in": token.life.as_secs(),
        "scope": SCOPE,
    }));
    let mut response = body.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Reads who asks: from the header, or from the form.
fn asked(authorization: Option<&str>, form: &[u8]) -> Result<(String, Secret), Refusal> {
    let pairs: Vec<(String, String)> = fields(form);
    let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match field("grant_type") {
        Some("client_credentials") => {}
        Some(other) => return Err(Refusal::Grant(other.chars().take(100).collect())),
        None => return Err(Refusal::Request("\"grant_type\" is missing: send it in a form")),
    }
    if let Some(scope) = field("scope")
        && let Some(strange) = scope.split_whitespace().find(|scope| *scope != SCOPE)
    {
        return Err(Refusal::Scope(strange.chars().take(100).collect()));
    }
    if let Some(header) = authorization {
        let (scheme, encoded) = header.trim().split_once(' ').ok_or(Refusal::Client)?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(Refusal::Client);
        }
        let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = Secret::new(decoded.ok_or(Refusal::Client)?);
        let (client, secret) = decoded.expose().split_once(':').ok_or(Refusal::Client)?;
        return Ok((client.to_owned(), Secret::new(secret)));
    }
    match (field("client_id"), field("client_secret")) {
        (Some(client), Some(secret)) => Ok((client.to_owned(), Secret::new(secret))),
        _ => Err(Refusal::Client),
    }
}

/// Reads a form: pairs, with `+` for a space and `%` for the rest.
fn fields(form: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(form);
    let plain = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (plain(name), plain(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_stands_in_the_header_or_in_the_form() {
        let basic = format!("Basic {}", STANDARD.encode("id:s+cret"));
        for (header, form, expected) in [
            (Some(basic.as_str()), "grant_type=client_credentials&scope=all-apis", Ok("id s+cret")),
            (None, "grant_type=client_credentials&client_id=id&client_secret=s%2Bcret", Ok("id s+cret")),
            (None, "grant_type=client_credentials", Err(Refusal::Client)),
            (Some("Bearer x"), "grant_type=client_credentials", Err(Refusal::Client)),
            (None, "grant_type=password", Err(Refusal::Grant("password".into()))),
            (Some(&basic), "grant_type=client_credentials&scope=sql", Err(Refusal::Scope("sql".into()))),
            (None, "{}", Err(Refusal::Request("\"grant_type\" is missing: send it in a form"))),
        ] {
            let told = asked(header, form.as_bytes()).map(|(client, secret)| format!("{client} {}", secret.expose()));
            assert_eq!(told, expected.map(str::to_owned), "{form}");
        }
    }
}
