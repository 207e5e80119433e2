//! How data integration says what is wrong: a list of `errors` for what was
//! sent, and `{reference, message, shortMessage}` for everything else.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::door::RequestId;
use crate::fault::Fault;
use crate::problem::{json_as, title};

/// Says a fault in the words of data integration.
pub(super) fn say(fault: &Fault, request: &RequestId) -> Response {
    if fault.code == "pool-name-taken" {
        // Clients look for this very code on a 400.
        return errors(StatusCode::BAD_REQUEST, Some("name"), &fault.detail, "name.unique", fault);
    }
    if fault.status == StatusCode::BAD_REQUEST {
        return errors(fault.status, fault.attribute.as_deref(), &fault.detail, fault.code, fault);
    }
    let body = json!({
        "reference": request.to_string(),
        "message": fault.detail,
        "shortMessage": title(fault.status),
    });
    json_as("application/json", fault.status, &body)
}

fn errors(status: StatusCode, attribute: Option<&str>, error: &str, error_code: &str, fault: &Fault) -> Response {
    let place = fault.place.map(|place| json!({ "line": place.line, "column": place.column }));
    let body = json!({
        "errors": [{
            "attribute": attribute,
            "error": error,
            "errorCode": error_code,
            "additionalInfo": place,
        }],
    });
    json_as("application/json", status, &body)
}
