//! Who am I, and where do I sign in: what clients ask first.

use axum::Json;
use axum::extract::State;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;

/// Tells the caller who it is. A service principal is named by its
/// application id.
pub(super) async fn me(Caller(actor): Caller) -> Json<Value> {
    Json(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": actor.id,
        "userName": actor.name,
        "displayName": actor.name,
        "active": true,
        "emails": [],
        "groups": if actor.administrator { json!([{ "display": "admins" }]) } else { json!([]) },
        "entitlements": [{ "value": "workspace-access" }],
    }))
}

/// Tells where to sign in. Asked without credentials.
pub(super) async fn discovery(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Json<Value> {
    let address = reached_by(&uri, &headers, &app.workspace.options().public_url);
    Json(json!({
        "oidc_endpoint": format!("{address}/oidc"),
        "workspace_id": app.workspace.options().workspace_id.to_string(),
        "account_id": "00000000-0000-0000-0000-000000000000",
        "cloud": "AWS",
        "token_federation_default_oidc_audiences": [],
    }))
}

/// Returns the address by which a client reached this listener, because it
/// reaches the sign-in by the same one. What the client did not say, or not
/// decently, stands in the address that we know ourselves by.
pub(super) fn reached_by(uri: &Uri, headers: &HeaderMap, public_url: &str) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (own_scheme, own_authority) = public_url.split_once("://").unwrap_or(("http", public_url));
    // Whoever unpacks TLS in front of us says so there.
    let forwarded = text("x-forwarded-proto").and_then(|list| list.split(',').next()).map(str::trim);
    let scheme = forwarded.filter(|scheme| ["http", "https"].contains(scheme)).unwrap_or(own_scheme);
    let host = text(HOST.as_str()).or_else(|| uri.authority().map(Authority::as_str));
    let host = host.filter(|host| !host.contains('@') && host.parse::<Authority>().is_ok());
    format!("{scheme}://{}", host.unwrap_or(own_authority))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_client_is_told_the_address_that_it_used() {
        for (host, forwarded, public_url, expected) in [
            (None, None, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            (Some("ws.example:8081"), None, "https://127.0.0.1:8081", "https://ws.example:8081"),
            (Some("ws.example"), Some("https"), "http://127.0.0.1:8081", "https://ws.example"),
            (Some("ws.example"), Some("https, http"), "http://127.0.0.1:8081", "https://ws.example"),
            (Some("ws.example"), Some("gopher"), "http://127.0.0.1:8081", "http://ws.example"),
            (Some("a@evil.example"), None, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            (Some("a b/c"), None, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
            (Some("[::1]:8081"), None, "http://127.0.0.1:8081", "http://[::1]:8081"),
        ] {
            let mut headers = HeaderMap::new();
            let mut say = |name: &'static str, value: Option<&'static str>| {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            };
            say("host", host);
            say("x-forwarded-proto", forwarded);
            assert_eq!(reached_by(&Uri::from_static("/"), &headers, public_url), expected, "{host:?} {forwarded:?}");
        }
    }
}
