//! What went wrong, before it is said in any product's words.
//!
//! Every surface fails in its own shape: problem details here, `errorCode`
//! there, `error_code` elsewhere. A handler does not know on which surface it
//! stands, so it returns a [`Fault`]; the response travels with the fault in
//! its extensions, and the layer of the surface ([`speak`]) gives it a body.
//! That is also the one place where a fault is logged.
//!
//! What cannot happen here: an internal cause reaching a caller. It goes to
//! the log, with the request's id beside it, and the caller gets that id.

use std::borrow::Cow;
use std::error::Error;
use std::panic::AssertUnwindSafe;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::error::chain;
use base::{Coded, Kind};
use futures::FutureExt;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tracing::{error, warn};

use crate::door::{AskedPath, RequestId};

/// Bytes of a refusal by the framework that are read.
const FRAMEWORK_TEXT_BYTES_MAX: usize = 2_048;

/// A line and a column of a text, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Something that is wrong in a document that was sent or stored.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Mistake {
    /// Which part, such as `records.ORDER.CITY`.
    pub(crate) path: String,
    /// Its line, counted from 1.
    pub(crate) line: u64,
    /// What is wrong there, and the mend.
    pub(crate) detail: String,
}

/// All of them. A fault is handed from function to function, so it is small.
#[derive(Clone, Debug)]
pub(crate) struct Mistakes(pub(crate) Vec<Mistake>);

/// Something that went wrong with a request.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// What the caller should do about it, in HTTP's words.
    pub(crate) status: StatusCode,
    /// The stable kebab-case slug.
    pub(crate) code: &'static str,
    /// One sentence for the person who reads.
    pub(crate) detail: String,
    /// Which field or parameter is meant, where one is.
    pub(crate) attribute: Option<Cow<'static, str>>,
    /// Where in the body, where that is known.
    pub(crate) place: Option<Place>,
    /// What is wrong in a document, place by place, where there is one.
    pub(crate) mistakes: Option<Box<Mistakes>>,
    /// For the log, never for the caller.
    cause: Option<Box<str>>,
}

impl Fault {
    /// Makes a fault that the caller can correct.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Fault { status, code, detail: detail.into(), attribute: None, place: None, mistakes: None, cause: None }
    }

    /// Makes the fault of a field or parameter that is not as it must be.
    pub(crate) fn invalid(
        attribute: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Fault { attribute: Some(attribute.into()), ..Fault::new(StatusCode::BAD_REQUEST, code, detail) }
    }

    /// Makes the fault of something that is not there.
    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Fault::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// Adds what is wrong in a document, place by place.
    pub(crate) fn in_places(self, mistakes: Vec<Mistake>) -> Self {
        Fault { mistakes: Some(Box::new(Mistakes(mistakes))), ..self }
    }

    /// Makes the fault of a handler that panicked.
    pub(crate) fn panicked() -> Self {
        Fault { cause: Some("a handler panicked".into()), ..Fault::internal() }
    }

    /// Says in which place of the body the fault lies.
    pub(crate) fn at(self, place: Place) -> Self {
        Fault { place: Some(place), ..self }
    }

    /// Makes the fault of a request that the framework refused in plain text.
    async fn of_framework(status: StatusCode, text: Body) -> Self {
        let text = to_bytes(text, FRAMEWORK_TEXT_BYTES_MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        if status.is_server_error() {
            return Fault { cause: Some(text.into()), ..Fault::internal() };
        }
        Fault::new(status, "request-malformed", text)
    }

    fn internal() -> Self {
        let detail = "something failed inside; please report the request id";
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    fn log(&self, request: &RequestId) {
        match (&self.cause, self.status) {
            (Some(cause), StatusCode::INTERNAL_SERVER_ERROR) => {
                error!(request.id = %request, code = self.code, "a request failed: {cause}");
            }
            (Some(cause), _) => warn!(request.id = %request, code = self.code, "a request was put off: {cause}"),
            // A caller's mistake is not our error.
            (None, _) => {}
        }
    }
}

/// Whatever a facade refuses becomes a fault by its kind and code.
///
/// This covers every error of ours because `Fault` itself is not `Coded`.
impl<E: Coded> From<E> for Fault {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let mut detail = sentence(&error);
        if let Some(advice) = error.advice() {
            detail.push_str("; ");
            detail.push_str(advice);
        }
        let fault = Fault::new(status_of(kind), error.code(), detail);
        match kind {
            Kind::Internal => {
                Fault { code: error.code(), cause: Some(chain(&error).to_string().into()), ..Fault::internal() }
            }
            Kind::Unavailable => Fault { cause: Some(chain(&error).to_string().into()), ..fault },
            _ => fault,
        }
    }
}

/// Returns the text of an error with its causes, which a caller may read
/// because the error is about what the caller sent.
fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        cause = error.source();
    }
    text
}

fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Gone => StatusCode::GONE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// How a surface says what is wrong.
pub(crate) type Voice = fn(&Fault, &RequestId) -> Response;

/// Gives the faults of a surface their body, a handler's panic among them.
pub(crate) async fn speak(State(voice): State<Voice>, request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| Fault::panicked().into_response());
    let fault = match response.extensions_mut().remove::<Fault>() {
        Some(fault) => fault,
        None if is_unspoken(&response) => {
            let (parts, body) = response.into_parts();
            response = parts.status.into_response();
            *response.headers_mut() = parts.headers;
            Fault::of_framework(parts.status, body).await
        }
        None => return response,
    };
    fault.log(&id);
    let mut spoken = voice(&fault, &id);
    spoken.extensions_mut().insert(Spoken);
    // `Retry-After` and `Allow` were set where they were known.
    for (name, value) in response.headers() {
        if !matches!(*name, http::header::CONTENT_TYPE | http::header::CONTENT_LENGTH) {
            spoken.headers_mut().insert(name, value.clone());
        }
    }
    spoken
}

/// Marks an answer that a surface has given its body, for surfaces around it.
#[derive(Clone, Copy)]
struct Spoken;

/// Marks an answer that is not to be given another body, whatever its status.
pub(crate) fn spoken(mut response: Response) -> Response {
    response.extensions_mut().insert(Spoken);
    response
}

/// Tells whether the framework refused a request by itself, a path that is not
/// UTF-8, say. It does so in plain text, and no handler does.
fn is_unspoken(response: &Response) -> bool {
    if response.extensions().get::<Spoken>().is_some() {
        return false;
    }
    let is_failure = response.status().is_client_error() || response.status().is_server_error();
    let kind = response.headers().get(http::header::CONTENT_TYPE);
    is_failure && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"))
}

/// Answers a path that no route has.
pub(crate) async fn unknown_path(request: Request) -> Fault {
    let (method, path) = (request.method(), AskedPath::of(&request));
    Fault::not_found("path-unknown", format!("there is nothing at {method} {path}"))
}

/// Answers a method that a route does not have.
pub(crate) async fn unknown_method(request: Request) -> Fault {
    let detail = format!("{} is not possible at {}", request.method(), AskedPath::of(&request));
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method-unknown", detail)
}
