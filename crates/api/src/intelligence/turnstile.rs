//! So many management requests at once, and no more.
//!
//! Each may probe a callback for ten seconds or wait for the one writer of the
//! database. Whoever comes when the house is full is told so at once, instead
//! of making everybody slower.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// Counts the requests that are under way.
#[derive(Clone)]
pub(super) struct Turnstile {
    places: Arc<Semaphore>,
    places_max: usize,
}

impl Turnstile {
    /// Makes one for at most so many requests at once.
    pub(super) fn new(places_max: usize) -> Self {
        Turnstile { places: Arc::new(Semaphore::new(places_max.min(Semaphore::MAX_PERMITS))), places_max }
    }
}

/// Lets a request through if there is a place for it.
pub(super) async fn pass(State(turnstile): State<Turnstile>, request: Request, next: Next) -> Response {
    let Ok(_place) = turnstile.places.try_acquire() else {
        let detail = format!("{} requests to this API are under way already; try again", turnstile.places_max);
        return Fault::new(StatusCode::TOO_MANY_REQUESTS, "management-requests-too-many", detail).into_response();
    };
    next.run(request).await
}
