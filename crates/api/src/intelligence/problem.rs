//! How the Intelligence API says what is wrong: `{title, status, detail,
//! errorCode}`, and two answers of another shape for callers without a key.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::door::RequestId;
use crate::fault::Fault;
use crate::problem::{json_as, title};

/// Says a fault in the words of the Intelligence API.
pub(super) fn say(fault: &Fault, request: &RequestId) -> Response {
    match fault.code {
        // Clients of this API know these two by their bodies.
        "credentials-scheme" => {
            let text = "The Authorization header must use the scheme Bearer or AppKey (case-insensitive).";
            return (StatusCode::UNAUTHORIZED, text).into_response();
        }
        _ if fault.status == StatusCode::UNAUTHORIZED => {
            return json_as("application/json", fault.status, &json!({ "error": "Unauthorized" }));
        }
        _ => {}
    }
    let (status, error_code) = words(fault);
    let detail = match status {
        StatusCode::INTERNAL_SERVER_ERROR => format!("{} (support id {request})", fault.detail),
        _ => fault.detail.clone(),
    };
    let body = json!({
        "title": title(status),
        "status": status.as_u16(),
        "detail": detail,
        "errorCode": error_code,
        "instance": request.to_string(),
    });
    json_as("application/problem+json", status, &body)
}

/// Returns status and `errorCode`. The API knows neither 409 nor 410: what a
/// subscription's state forbids is a bad request there.
fn words(fault: &Fault) -> (StatusCode, &'static str) {
    let error_code = match fault.code {
        "callback-failed" => "SUBSCRIPTION_CALLBACK_FAILED",
        "callback-uri-illegal" => "SUBSCRIPTION_URI_ILLEGAL",
        "callback-header-empty" => "SUBSCRIPTION_EMPTY_HEADER",
        "trigger-unknown" => "SUBSCRIPTION_TRIGGER_NOTFOUND",
        "subscription-not-found" => "SUBSCRIPTION_SUBSCRIPTION_NOTFOUND",
        "knowledge-model-unknown" | "knowledge-model-not-published" => "KM_MODEL_NOTFOUND",
        "record-unknown" => "KM_RECORD_NOTFOUND",
        "sort-illegal" => "SORT_UNKNOWN_FIELD",
        "query-malformed" | "parameter-mismatch" => "GENERAL_PARAMETER_MISSMATCH",
        "parameter-missing" => "GENERAL_PARAMETER_MISSING",
        "parameter-illegal" | "body-malformed" | "body-empty" => "GENERAL_PARAMETER_ILLEGAL",
        _ => match fault.status {
            StatusCode::FORBIDDEN => "ADMIN_ACCESS_ERROR",
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "GENERAL_NOTFOUND_PATH",
            StatusCode::TOO_MANY_REQUESTS => "LIMIT_RATE_EXCEEDED",
            StatusCode::CONFLICT | StatusCode::GONE => return (StatusCode::BAD_REQUEST, "SUBSCRIPTION_STATE_ILLEGAL"),
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => "ADMIN_FATAL_ERROR",
            _ => "GENERAL_CONSTRAINT_VIOLATION",
        },
    };
    (fault.status, error_code)
}
