//! How a Databricks workspace says what is wrong.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::door::{AskedPath, RequestId};
use crate::fault::Fault;
use crate::problem::json_as;

/// Says a fault as `{error_code, message, details}`.
pub(super) fn say(fault: &Fault, request: &RequestId) -> Response {
    let (status, error_code) = words(fault);
    json_as("application/json", status, &body(error_code, &fault.detail, request))
}

/// Returns the body of an error.
pub(super) fn body(error_code: &str, message: &str, request: &RequestId) -> Value {
    json!({
        "error_code": error_code,
        "message": message,
        "details": [{
            "@type": "type.googleapis.com/google.rpc.RequestInfo",
            "request_id": request.to_string(),
            "serving_data": "",
        }],
    })
}

/// Answers a path or a method that the API does not have: there, both are the
/// same mistake.
pub(super) async fn no_endpoint(request: Request) -> Fault {
    let detail = format!("No API found for '{} {}'", request.method(), AskedPath::of(&request));
    Fault::not_found("path-unknown", detail)
}

/// Returns status and `error_code`. Most follow from the status; some of our
/// slugs have a word of their own there, and a few another status.
pub(super) fn words(fault: &Fault) -> (StatusCode, &'static str) {
    let error_code = match fault.code {
        "body-malformed" | "body-empty" => "MALFORMED_REQUEST",
        "secret-not-readable" => "BAD_REQUEST",
        "task-type-not-supported" | "setting-not-supported" | "not-implemented" => {
            return (StatusCode::NOT_IMPLEMENTED, "NOT_IMPLEMENTED");
        }
        "run-active" | "repair-invalid" | "state-invalid" => return (StatusCode::BAD_REQUEST, "INVALID_STATE"),
        "file-too-large" => return (StatusCode::BAD_REQUEST, "MAX_NOTEBOOK_SIZE_EXCEEDED"),
        "body-too-long" | "served-function-failed" => return (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        "directory-not-empty" => return (StatusCode::BAD_REQUEST, "DIRECTORY_NOT_EMPTY"),
        "path-unknown" => "ENDPOINT_NOT_FOUND",
        _ => match fault.status {
            StatusCode::BAD_REQUEST => "INVALID_PARAMETER_VALUE",
            StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
            StatusCode::FORBIDDEN => "PERMISSION_DENIED",
            StatusCode::NOT_FOUND => "RESOURCE_DOES_NOT_EXIST",
            StatusCode::CONFLICT => "RESOURCE_ALREADY_EXISTS",
            StatusCode::TOO_MANY_REQUESTS => "REQUEST_LIMIT_EXCEEDED",
            StatusCode::NOT_IMPLEMENTED => "NOT_IMPLEMENTED",
            StatusCode::SERVICE_UNAVAILABLE => "TEMPORARILY_UNAVAILABLE",
            StatusCode::INTERNAL_SERVER_ERROR => "INTERNAL_ERROR",
            _ => "BAD_REQUEST",
        },
    };
    (fault.status, error_code)
}
