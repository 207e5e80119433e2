//! Who am I, and where do I sign in: what clients ask first.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::caller::Caller;

/// The header by which clients learn the workspace's number.
const ORG_ID: &str = "x-databricks-org-id";
/// The number, as in the addresses of its pages.
const WORKSPACE_ID: u64 = 1;

/// Tells the caller who it is.
pub(super) async fn me(Caller(actor): Caller) -> Response {
    let body = Json(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": actor.id,
        "userName": actor.name,
        "displayName": actor.name,
        "active": true,
        "emails": [],
        "groups": if actor.administrator { json!([{ "display": "admins" }]) } else { json!([]) },
        "entitlements": [{ "value": "workspace-access" }],
    }));
    let mut response = body.into_response();
    response.headers_mut().insert(ORG_ID, HeaderValue::from(WORKSPACE_ID));
    response
}

/// Tells where to sign in. Asked without credentials.
pub(super) async fn discovery(headers: HeaderMap) -> Json<Value> {
    // A client that reached this listener by some name reaches the sign-in by
    // the same one.
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("localhost");
    Json(json!({
        "oidc_endpoint": format!("http://{host}/oidc"),
        "workspace_id": WORKSPACE_ID.to_string(),
        "account_id": "00000000-0000-0000-0000-000000000000",
        "cloud": "AWS",
    }))
}
