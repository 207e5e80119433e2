//! How the Intelligence API says what is wrong: `{title, status, detail,
//! errorCode}`, and two answers of another shape for callers without a key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::openapi::{Content, ObjectBuilder, Ref, RefOr, Response as Described, ResponseBuilder, Type};
use utoipa::{IntoResponses, ToSchema};

use crate::door::RequestId;
use crate::fault::Fault;
use crate::problem::{MEDIA_TYPE, json_as, retry_after, title};

/// The body of most failures of this API.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IntelligenceProblem)]
pub(super) struct Problem {
    /// The reason phrase of the status.
    title: &'static str,
    /// The status once more.
    status: u16,
    /// One sentence for the person who reads.
    detail: String,
    /// The stable code; the text may change, this does not.
    #[schema(examples("SUBSCRIPTION_SUBSCRIPTION_NOTFOUND"))]
    error_code: Cow<'static, str>,
    /// The request's id, as in the header `x-request-id` and in the log.
    instance: String,
}

/// The body for a caller without a valid key.
#[derive(Serialize, ToSchema)]
pub(super) struct Unauthorized {
    /// Always the same word.
    #[schema(examples("Unauthorized"))]
    error: &'static str,
}

/// What a caller is told whose `Authorization` has an unknown scheme.
const SCHEMES: &str = "The Authorization header must use the scheme Bearer or AppKey (case-insensitive).";

/// Says a fault in the words of the Intelligence API.
pub(super) fn say(fault: &Fault, request: &RequestId) -> Response {
    match fault.code {
        // Clients of this API know these two by their bodies.
        "credentials-scheme" => return (StatusCode::UNAUTHORIZED, SCHEMES).into_response(),
        _ if fault.status == StatusCode::UNAUTHORIZED => {
            return json_as("application/json", fault.status, &Unauthorized { error: "Unauthorized" });
        }
        _ => {}
    }
    let (status, error_code) = words(fault);
    let detail = match status {
        StatusCode::INTERNAL_SERVER_ERROR => format!("{} (support id {request})", fault.detail),
        _ => fault.detail.clone(),
    };
    let body =
        Problem { title: title(status), status: status.as_u16(), detail, error_code, instance: request.to_string() };
    json_as(MEDIA_TYPE, status, &body)
}

/// Returns status and `errorCode`. The API knows neither 409 nor 410: what a
/// subscription's state forbids is a bad request there, and the code names the
/// verb and the state.
fn words(fault: &Fault) -> (StatusCode, Cow<'static, str>) {
    let error_code = match fault.code {
        "callback-failed" => "SUBSCRIPTION_CALLBACK_FAILED",
        "callback-uri-illegal" => "SUBSCRIPTION_URI_ILLEGAL",
        "callback-header-empty" => "SUBSCRIPTION_EMPTY_HEADER",
        "trigger-unknown" => "SUBSCRIPTION_TRIGGER_NOTFOUND",
        "trigger-failed" => "SUBSCRIPTION_TRIGGER_FAILED",
        "subscription-not-found" => "SUBSCRIPTION_SUBSCRIPTION_NOTFOUND",
        "knowledge-model-unknown" | "knowledge-model-not-published" => "KM_MODEL_NOTFOUND",
        "record-unknown" => "KM_RECORD_NOTFOUND",
        "sort-illegal" => "SORT_UNKNOWN_FIELD",
        "sort-opposite" => "SORT_HAS_OPPOSITE",
        "not-implemented" => "GENERAL_NOT_IMPLEMENTED",
        "sort-empty" => "SORT_IS_EMPTY",
        "query-malformed" | "parameter-mismatch" => "GENERAL_PARAMETER_MISSMATCH",
        "body-field-missing" | "body-empty" | "fields-missing" => "GENERAL_PARAMETER_MISSING",
        "parameter-illegal"
        | "body-malformed"
        | "request-malformed"
        | "field-unknown"
        | "kpi-unknown"
        | "filter-unknown"
        | "filter-expression-invalid"
        | "search-invalid" => "GENERAL_PARAMETER_ILLEGAL",
        code if forbidden_by_state(fault) => {
            let name = code.to_ascii_uppercase().replace('-', "_");
            return (StatusCode::BAD_REQUEST, format!("SUBSCRIPTION_{name}").into());
        }
        _ => match fault.status {
            StatusCode::FORBIDDEN => "ADMIN_ACCESS_ERROR",
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "GENERAL_NOTFOUND_PATH",
            StatusCode::TOO_MANY_REQUESTS => "LIMIT_RATE_EXCEEDED",
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => "ADMIN_FATAL_ERROR",
            _ => "GENERAL_CONSTRAINT_VIOLATION",
        },
    };
    (fault.status, error_code.into())
}

/// Tells whether a subscription refused a verb, in its present state or at all.
fn forbidden_by_state(fault: &Fault) -> bool {
    const VERBS: [&str; 4] = ["pause-", "resume-", "replay-", "extract-"];
    matches!(fault.status, StatusCode::CONFLICT | StatusCode::GONE)
        || VERBS.iter().any(|verb| fault.code.starts_with(verb))
}

/// For the document: what any operation of this API may answer instead of what
/// was asked for.
pub(crate) struct Problems;

impl Problems {
    /// Returns the answers with status and name.
    pub(crate) fn described() -> Vec<(&'static str, &'static str, Described)> {
        let of = |schema: &str| Content::new(Some(Ref::from_schema_name(schema)));
        let problem = |description: &str| {
            ResponseBuilder::new().description(description).content(MEDIA_TYPE, of("IntelligenceProblem"))
        };
        let text = ObjectBuilder::new().schema_type(Type::String).examples([SCHEMES]);
        let no_key = ResponseBuilder::new()
            .description("There is no valid key: an object. The scheme is unknown: a sentence.")
            .content("application/json", of("Unauthorized"))
            .content("text/plain", Content::new(Some(text)));
        let later = |description: &str| problem(description).header("Retry-After", retry_after());
        [
            ("400", "IntelligenceBadRequest", problem("The request is not as it must be, or a state forbids it.")),
            ("401", "IntelligenceUnauthorized", no_key),
            ("403", "IntelligenceForbidden", problem("`ADMIN_ACCESS_ERROR`: a right is missing.")),
            ("404", "IntelligenceNotFound", problem("There is nothing of this name.")),
            ("408", "IntelligenceTooSlow", problem("The body did not come in time.")),
            ("413", "IntelligenceTooLong", problem("The body is too long.")),
            ("429", "IntelligenceTooMany", later("`LIMIT_RATE_EXCEEDED`: too many requests are under way.")),
            ("500", "IntelligenceFailed", problem("`ADMIN_FATAL_ERROR`: the detail has the id to report.")),
            ("503", "IntelligenceUnavailable", later("`ADMIN_FATAL_ERROR`: not now; try again later.")),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: StatusCode, code: &'static str) -> (u16, String) {
        let (status, code) = words(&Fault::new(status, code, "a detail"));
        (status.as_u16(), code.into_owned())
    }

    #[test]
    fn every_refusal_of_a_state_keeps_its_own_code() {
        for (status, slug, code) in [
            (409, "pause-while-failed", "SUBSCRIPTION_PAUSE_WHILE_FAILED"),
            (409, "resume-from-latest-while-active", "SUBSCRIPTION_RESUME_FROM_LATEST_WHILE_ACTIVE"),
            (409, "extract-while-paused", "SUBSCRIPTION_EXTRACT_WHILE_PAUSED"),
            (410, "replay-forgotten", "SUBSCRIPTION_REPLAY_FORGOTTEN"),
            (400, "replay-ahead", "SUBSCRIPTION_REPLAY_AHEAD"),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(told(status, slug), (400, code.to_owned()));
        }
    }

    #[test]
    fn a_mistake_of_ours_carries_its_support_id() {
        assert_eq!(told(StatusCode::INTERNAL_SERVER_ERROR, "database"), (500, "ADMIN_FATAL_ERROR".to_owned()));
        assert_eq!(told(StatusCode::SERVICE_UNAVAILABLE, "stopping"), (503, "ADMIN_FATAL_ERROR".to_owned()));
    }
}
