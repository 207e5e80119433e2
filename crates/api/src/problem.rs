//! Problem details (RFC 9457): how our own surface says what is wrong.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::openapi::{
    Content, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response as Described, ResponseBuilder, Type,
};
use utoipa::{IntoResponses, OpenApi, ToSchema};

use crate::door::RequestId;
use crate::fault::{Fault, Mistake};

/// The body of every failure under `/api/v1`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The code as a name: it names the kind of problem, and is no address.
    #[serde(rename = "type")]
    #[schema(examples("urn:loopwright:problem:subscription-not-found"))]
    kind: String,
    /// The reason phrase of the status.
    title: &'static str,
    /// The status once more.
    status: u16,
    /// One sentence for the person who reads.
    detail: String,
    /// The request's id, as in the header `x-request-id` and in the log.
    instance: String,
    /// The stable slug; the text may change, this does not.
    #[schema(examples("subscription-not-found"))]
    code: &'static str,
    /// Which field or parameter is meant, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    /// Where in the body, counted from 1, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// Where in that line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    /// What is wrong in a document, place by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<Mistake>,
}

/// Says a fault as problem details.
pub(crate) fn say(fault: &Fault, request: &RequestId) -> Response {
    let body = Problem {
        kind: format!("urn:loopwright:problem:{}", fault.code),
        title: title(fault.status),
        status: fault.status.as_u16(),
        detail: fault.detail.clone(),
        instance: request.to_string(),
        code: fault.code,
        attribute: fault.attribute.as_deref().map(str::to_owned),
        line: fault.place.map(|place| place.line),
        column: fault.place.map(|place| place.column),
        mistakes: fault.mistakes.as_ref().map(|mistakes| mistakes.0.clone()).unwrap_or_default(),
    };
    json_as(MEDIA_TYPE, fault.status, &body)
}

/// The media type of problem details.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// For the document: what any operation of our own interface may answer
/// instead of what was asked for.
pub(crate) struct Problems;

impl Problems {
    /// Returns the answers with status and name.
    pub(crate) fn described() -> Vec<(&'static str, &'static str, Described)> {
        let with_body = |description: &str| {
            let body = Content::new(Some(Ref::from_schema_name("Problem")));
            ResponseBuilder::new().description(description).content(MEDIA_TYPE, body)
        };
        [
            ("400", "BadRequest", with_body("The request is not as it must be; the detail says how.")),
            ("401", "Unauthorized", with_body("The credentials are missing or not valid.")),
            ("403", "Forbidden", with_body("A right is missing, or the subscription is somebody else's.")),
            ("404", "NotFound", with_body("There is nothing of this name.")),
            ("408", "TooSlow", with_body("The body did not come in time.")),
            ("413", "TooLong", with_body("The body is too long.")),
            ("500", "Failed", with_body("Something failed inside; the instance is the id to report.")),
            ("503", "Unavailable", with_body("Not now; try again later.").header("Retry-After", retry_after())),
        ]
        .map(|(status, name, response)| (status, name, response.build()))
        .into()
    }
}

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Described>> {
        let refer = |name: &str| RefOr::Ref(Ref::from_response_name(name));
        Problems::described().iter().map(|(status, name, _)| ((*status).to_owned(), refer(name))).collect()
    }
}

/// For the document: the header that says when to come again.
pub(crate) fn retry_after() -> Header {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds to wait before the next try.")).build()
}

/// For the document: the bodies of failures.
#[derive(OpenApi)]
#[openapi(components(schemas(Problem, Mistake)))]
pub(crate) struct Document;

/// Answers with a JSON body of a named media type.
pub(crate) fn json_as(media_type: &'static str, status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_vec(body).expect("bodies of faults have text keys and finite numbers only");
    (status, [(CONTENT_TYPE, HeaderValue::from_static(media_type))], text).into_response()
}

/// Returns the reason phrase of a status.
pub(crate) fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Failed")
}
