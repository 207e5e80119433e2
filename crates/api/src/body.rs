//! Bodies and query strings, read so that a mistake is named with its place.
//!
//! The content type is not looked at: clients send JSON as text, as nothing,
//! and as JSON, and what counts is whether it reads as JSON.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::fault::{Fault, Place};

/// Bytes of a JSON or YAML body at most. Chunks of a push job have their own limit.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = whole(Bytes::from_request(request, state).await)?;
        parse(&bytes).map(Json)
    }
}

/// A JSON body that may be left out; an empty one is `None`.
pub(crate) struct MaybeJson<T>(pub(crate) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for MaybeJson<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = whole(Bytes::from_request(request, state).await)?;
        if bytes.trim_ascii().is_empty() {
            return Ok(MaybeJson(None));
        }
        parse(&bytes).map(|value| MaybeJson(Some(value)))
    }
}

/// A body of text, kept as it was written.
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = whole(Bytes::from_request(request, state).await)?;
        match String::from_utf8(bytes.into()) {
            Ok(text) if text.trim().is_empty() => {
                Err(Fault::new(StatusCode::BAD_REQUEST, "body-empty", "the body is empty"))
            }
            Ok(text) => Ok(Text(text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let place = place_of(&error.as_bytes()[..valid]);
                let detail = format!("the body is not UTF-8 at line {} column {}", place.line, place.column);
                Err(Fault::new(StatusCode::BAD_REQUEST, "body-not-text", detail).at(place))
            }
        }
    }
}

/// Parameters of the query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(error) => {
                let text = error.body_text();
                let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                let detail = format!("the query string does not fit: {what}");
                Err(Fault::new(StatusCode::BAD_REQUEST, "query-malformed", detail))
            }
        }
    }
}

/// Reads a JSON text, or tells where it is wrong.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if bytes.trim_ascii().is_empty() {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "body-empty", "the body is empty, JSON was expected"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let place = Place { line: error.line(), column: error.column() };
        let (code, what) = match error.classify() {
            serde_json::error::Category::Data => ("body-mismatch", "the body does not fit"),
            _ => ("body-malformed", "the body is not valid JSON"),
        };
        Fault::new(StatusCode::BAD_REQUEST, code, format!("{what}: {error}")).at(place)
    })
}

/// Returns the bytes of a body that is not too long.
fn whole(read: Result<Bytes, BytesRejection>) -> Result<Bytes, Fault> {
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let detail = format!("the body is longer than {DOCUMENT_BYTES_MAX} bytes");
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-long", detail)
        }
        status => Fault::new(status, "body-broken", rejection.body_text()),
    })
}

fn place_of(before: &[u8]) -> Place {
    let line = before.split(|byte| *byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Place { line, column }
}
