//! Problem details (RFC 9457): how our own surface says what is wrong.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::door::RequestId;
use crate::fault::Fault;

/// The body of every failure under `/api/v1`.
#[derive(Serialize)]
struct Problem<'a> {
    /// The code as a name: it names the kind of problem, and is no address.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    /// The request's id, as in the header `x-request-id` and in the log.
    instance: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

/// Says a fault as problem details.
pub(crate) fn say(fault: &Fault, request: &RequestId) -> Response {
    let body = Problem {
        kind: format!("urn:loopwright:problem:{}", fault.code),
        title: title(fault.status),
        status: fault.status.as_u16(),
        detail: &fault.detail,
        instance: request.to_string(),
        code: fault.code,
        attribute: fault.attribute,
        line: fault.place.map(|place| place.line),
        column: fault.place.map(|place| place.column),
    };
    json_as("application/problem+json", fault.status, &body)
}

/// Answers with a JSON body of a named media type.
pub(crate) fn json_as(media_type: &'static str, status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).expect("bodies of faults have text keys and finite numbers only");
    (status, [(CONTENT_TYPE, HeaderValue::from_static(media_type))], text).into_response()
}

/// Returns the reason phrase of a status.
pub(crate) fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Failed")
}
