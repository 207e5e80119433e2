//! What happens to every request, whatever it asks for.
//!
//! It gets an id (its own, if it brought a decent one), a span, and a place in
//! the counters.

use std::fmt;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base::{Chance, Clock};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use tracing::{Instrument, debug, info_span};

use crate::metrics::Metrics;

base::id! {
    /// Names a request for which the caller brought no name.
    NewRequestId
}

/// The header that carries the id, both ways.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// Names a request in the answer and in the log.
#[derive(Clone)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    /// Returns the id that the door has given to a request.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<RequestId>().cloned().unwrap_or_else(|| RequestId(Arc::from("unknown")))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path as it was asked for; a nested surface sees only its own part.
#[derive(Clone)]
pub(crate) struct AskedPath(Arc<str>);

impl AskedPath {
    /// Returns the path of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let asked = request.extensions().get::<AskedPath>().cloned();
        asked.unwrap_or_else(|| AskedPath(request.uri().path().into()))
    }
}

impl fmt::Display for AskedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the door needs.
#[derive(Clone)]
pub(crate) struct Door {
    /// Which listener: a label of the counters.
    pub(crate) listener: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Lets a request through.
pub(crate) async fn pass(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let started = door.clock.now();
    let id = brought(&request).unwrap_or_else(|| {
        let id = NewRequestId::new(started, &*door.chance);
        RequestId(id.to_string().into())
    });
    let asked = AskedPath(request.uri().path().into());
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(asked);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    // A path without a route may hold anything, also a secret in the wrong
    // place, and would make endless counters.
    let route = route.unwrap_or_else(|| "(none)".to_owned());

    let span = info_span!("request", request.id = %id, http.method = %method, http.route = route);
    let mut response = next.run(request).instrument(span.clone()).await;

    let took = door.clock.now().since(started);
    door.metrics.count_request(door.listener, &method, &route, response.status(), took);
    span.in_scope(|| debug!(http.status = response.status().as_u16(), took_us = took.as_micros() as u64, "answered"));
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    // Answers may hold secrets and are old at once; only the browser's files
    // say otherwise.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}

/// Returns the id that the caller brought, if it is short and plain enough to
/// stand in a log line.
fn brought(request: &Request) -> Option<RequestId> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (plain && (8..=64).contains(&id.len())).then(|| RequestId(id.into()))
}
