//! What the caller of a hook is told.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use flows::Answer;
use flows::value::Value;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::fault::{self, Fault};

/// What is said of a request that was stored, and of which no more is said.
const ACCEPTED: &str = "Accepted";
/// Headers that belong to the connection, and not to an answer.
const OF_THE_CONNECTION: [HeaderName; 6] = [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Returns the answer for the caller.
pub(super) fn response(answer: Answer) -> Result<Response, Fault> {
    match answer {
        Answer::Accepted => Ok((StatusCode::OK, ACCEPTED).into_response()),
        Answer::Failed { reason } => {
            let detail = format!("the flow failed before it had an answer: {reason}");
            Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "flow-failed", detail))
        }
        Answer::Response(response) => Ok(of_flow(response)),
    }
}

fn of_flow(given: flows::hook::Response) -> Response {
    // A status below 200 announces another answer, and there is none.
    let status = StatusCode::from_u16(given.status).ok().filter(|status| !status.is_informational());
    let status = status.unwrap_or(StatusCode::OK);
    let kind = match &given.body {
        Value::Array(_) | Value::Collection(_) => "application/json",
        Value::Buffer(_) => "application/octet-stream",
        _ => "text/plain; charset=utf-8",
    };
    let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if is_empty { Body::empty() } else { Body::from(given.body.to_bytes()) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !is_empty {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let mut has_kind = false;
    for (name, value) in given.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else { continue };
        if OF_THE_CONNECTION.contains(&name) {
            continue;
        }
        if name == CONTENT_TYPE && !has_kind {
            has_kind = true;
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    // A page that a flow writes may hold what a stranger has sent, and stands
    // under the same address as the browser UI: it must not act as a part of it.
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    fault::spoken(response)
}
