//! Operations: is it alive, is it ready, how much has it done.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::figures;

/// Whether the program takes work already.
///
/// The listeners are open while the program starts: a probe gets an answer
/// that says so, instead of a refused connection.
#[derive(Default)]
pub struct Readiness {
    ready: AtomicBool,
    loading: Mutex<BTreeSet<String>>,
    stopping: CancellationToken,
}

impl Readiness {
    /// Says that the program takes work.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Tells whether the program takes work.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Says that the program stops: answers that would go on for ever end.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Waits until the program stops.
    pub(crate) async fn stopped(&self) {
        self.stopping.cancelled().await;
    }

    /// Names something that is still being loaded, such as a model. It is
    /// told, and does not keep the rest from being ready.
    pub fn loading(&self, name: &str) {
        self.loading.lock().insert(name.to_owned());
    }

    /// Says that something has been loaded.
    pub fn loaded(&self, name: &str) {
        self.loading.lock().remove(name);
    }
}

/// Answers as long as the process serves at all.
pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// Tells whether the program takes work, and what is still being loaded.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let loading: Vec<String> = app.readiness.loading.lock().iter().cloned().collect();
    let (status, word) = if app.readiness.is_ready() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting")
    };
    (status, Json(json!({ "status": word, "loading": loading }))).into_response()
}

/// Writes the counters for Prometheus. Where a facade cannot tell its own, the
/// others are there all the same.
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let mut text = String::new();
    app.metrics.write(&mut text);
    if let Ok(figures) = figures::read(&app).await {
        figures.write(&mut text);
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
