//! Bodies and query strings, read so that a mistake is named with its place.
//!
//! The content type is not looked at: clients send JSON as text, as nothing,
//! and as JSON, and what counts is whether it reads as JSON.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::multipart::MultipartError;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use futures::{StreamExt, stream};
use http::StatusCode;
use http::request::Parts;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess};
use serde::{Deserialize, Deserializer, Serialize};

use crate::fault::{Fault, Place};

/// Bytes of a JSON or YAML body at most. Chunks of a push job have their own limit.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// How long a body may be silent.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How long a document may take as a whole: a byte now and then is no way to
/// send one. Chunks take as long as they take.
const DOCUMENT_TIME_MAX: Duration = Duration::from_mins(2);

/// Says that a body was silent for too long.
#[derive(Debug)]
struct Silence;

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body stopped coming")
    }
}

impl Error for Silence {}

/// How long the bodies of a surface may be, for the message.
#[derive(Clone, Copy)]
pub(crate) struct BytesMax(usize);

/// Returns the layer that limits the bodies of a surface.
pub(crate) fn at_most(bytes: usize) -> (DefaultBodyLimit, Extension<BytesMax>) {
    (DefaultBodyLimit::max(bytes), Extension(BytesMax(bytes)))
}

/// Lets a body end with an error when nothing has come for some time, so that
/// a caller who fell silent does not hold what was taken up for it.
pub(crate) fn without_silence(request: Request, silence_max: Duration) -> Request {
    request.map(|body| {
        let pieces = Some(body.into_data_stream());
        let timed = stream::unfold(pieces, move |pieces| async move {
            let mut pieces = pieces?;
            match tokio::time::timeout(silence_max, pieces.next()).await {
                Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
                Ok(Some(Err(error))) => Some((Err(error), None)),
                Ok(None) => None,
                Err(_) => Some((Err(axum::Error::new(Silence)), None)),
            }
        });
        // Whoever unpacks a body asks once more behind its end.
        Body::from_stream(timed.fuse())
    })
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = whole(request, state).await?;
        parse(&bytes).map(Json)
    }
}

/// A JSON body that may be left out; an empty one is `None`, and so is `null`.
pub(crate) struct MaybeJson<T>(pub(crate) Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for MaybeJson<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = whole(request, state).await?;
        if bytes.trim_ascii().is_empty() {
            return Ok(MaybeJson(None));
        }
        parse(&bytes).map(MaybeJson)
    }
}

/// A body of text, kept as it was written.
pub(crate) struct Text(pub(crate) String);

impl<S: Send + Sync> FromRequest<S> for Text {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let bytes = whole(request, state).await?;
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
                Err(misfit_of_query(what))
            }
        }
    }
}

/// Says which parameter does not fit; the framework writes its name in front.
fn misfit_of_query(what: &str) -> Fault {
    let code = if what.contains("duplicate field") { "parameter-illegal" } else { "query-malformed" };
    match what.split_once(": ") {
        Some((name, what)) if what.starts_with("must be") => {
            Fault::invalid(name.to_owned(), code, format!("\"{name}\" {what}"))
        }
        Some((name, what)) => Fault::invalid(name.to_owned(), code, format!("\"{name}\" does not fit: {what}")),
        None => Fault::new(StatusCode::BAD_REQUEST, code, format!("the query string does not fit: {what}")),
    }
}

/// A whole number of the query string, or of a body that asks the same: digits,
/// from 0 to what a database can count.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(crate) u64);

impl Whole {
    /// Returns the nearest number between two.
    pub(crate) fn clamped(self, min: usize, max: usize) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX).clamp(min, max)
    }
}

/// A share of the query string, from 0 to 1.
#[derive(Clone, Copy)]
pub(crate) struct Share(pub(crate) f64);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
        let given = || text.chars().take(100).collect::<String>();
        share
            .map(Share)
            .ok_or_else(|| serde::de::Error::custom(format!("must be a number from 0 to 1, not \"{}\"", given())))
    }
}

/// The largest that can be asked for.
pub(crate) const WHOLE_MAX: u64 = i64::MAX as u64;

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // In a JSON body it is a number, in a query string a text.
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && *number <= WHOLE_MAX);
        let given = || text.chars().take(100).collect::<String>();
        number.map(Whole).ok_or_else(|| {
            let detail = format!("must be a whole number from 0 to {WHOLE_MAX}, not \"{}\"", given());
            serde::de::Error::custom(detail)
        })
    }
}

/// A whole number of a JSON body, from 0 on. JSON does not tell `5` from
/// `5.0`, and some clients write the one for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Integer(pub(crate) u64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Integer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 on")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Integer, E> {
                Ok(Integer(value))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Integer, E> {
                // Up to here every whole number has an exact form.
                const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
                if value.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&value) {
                    return Ok(Integer(value as u64));
                }
                Err(E::invalid_value(serde::de::Unexpected::Float(value), &self))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// A JSON object. A bare struct would be read from an array too, by the places
/// of its fields, which is nothing that a document could say.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
            }
        }

        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

/// Reads a JSON text, or tells where it is wrong.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    if bytes.trim_ascii().is_empty() {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "body-empty", "the body is empty, JSON was expected"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        misfit_of_body(error.inner(), &path)
    })?;
    deserializer.end().map_err(|error| misfit_of_body(&error, "."))?;
    Ok(value)
}

/// Says which field of a body does not fit, and where it stands.
fn misfit_of_body(error: &serde_json::Error, path: &str) -> Fault {
    let place = Place { line: error.line(), column: error.column() };
    if !error.is_data() {
        let detail = format!("the body is not valid JSON: {error}");
        return Fault::new(StatusCode::BAD_REQUEST, "body-malformed", detail).at(place);
    }
    let what = error.to_string();
    // The path leads to the object in which a field is missing.
    let missing = what.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    let above = Some(path).filter(|path| *path != ".");
    let (field, code) = match (above, missing) {
        (Some(path), Some((name, _))) => (format!("{path}.{name}"), "body-field-missing"),
        (None, Some((name, _))) => (name.to_owned(), "body-field-missing"),
        (Some(path), None) => (path.to_owned(), "body-mismatch"),
        (None, None) => {
            return Fault::new(StatusCode::BAD_REQUEST, "body-mismatch", format!("the body does not fit: {what}"))
                .at(place);
        }
    };
    let detail = format!("the body does not fit at \"{field}\": {what}");
    Fault::invalid(field, code, detail).at(place)
}

/// Returns the bytes of a body that is not too long and not too slow.
pub(crate) async fn whole<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Fault> {
    let bytes_max = request.extensions().get::<BytesMax>().map_or(DOCUMENT_BYTES_MAX, |max| max.0);
    let read = tokio::time::timeout(DOCUMENT_TIME_MAX, Bytes::from_request(request, state)).await;
    let read: Result<Bytes, BytesRejection> = read.map_err(|_| too_slow())?;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(bytes_max),
        _ if is_silence(&rejection) => too_slow(),
        status => Fault::new(status, "body-broken", rejection.body_text()),
    })
}

/// Says why a form cannot be read.
pub(crate) fn broken_form(attribute: &'static str, error: &MultipartError) -> Fault {
    match error.status() {
        _ if is_silence(error) => too_slow(),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-long", "the form is longer than is taken here")
        }
        _ => Fault::invalid(attribute, "form-broken", format!("the form cannot be read: {}", error.body_text())),
    }
}

/// Says why a body that is streamed broke off.
pub(crate) fn broken_body(error: &axum::Error) -> Fault {
    if is_silence(error) {
        return too_slow();
    }
    Fault::new(StatusCode::BAD_REQUEST, "body-broken", format!("the body cannot be read: {error}"))
}

pub(crate) fn too_long(bytes_max: usize) -> Fault {
    let detail = format!("the body is longer than {bytes_max} bytes");
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-long", detail)
}

fn too_slow() -> Fault {
    Fault::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the body did not come in time")
}

fn is_silence(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Silence>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn place_of(before: &[u8]) -> Place {
    let line = before.split(|byte| *byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    Place { line, column }
}
