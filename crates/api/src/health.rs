//! Operations: is it alive, is it ready, how much has it done.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use parking_lot::Mutex;
use serde_json::json;

use crate::app::App;

/// What the program still waits for before it takes work.
///
/// The program names the conditions while it starts and ticks them off. The
/// listener is already open then: a probe gets an answer that says what is
/// missing, instead of a refused connection.
#[derive(Default)]
pub struct Readiness {
    missing: Mutex<BTreeSet<String>>,
}

impl Readiness {
    /// Adds a condition, such as `models loaded`.
    pub fn wait_for(&self, condition: &str) {
        self.missing.lock().insert(condition.to_owned());
    }

    /// Ticks a condition off.
    pub fn met(&self, condition: &str) {
        self.missing.lock().remove(condition);
    }

    /// Returns what is still missing.
    pub fn missing(&self) -> Vec<String> {
        self.missing.lock().iter().cloned().collect()
    }
}

/// Answers as long as the process serves at all.
pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "status": "alive" }))
}

/// Tells whether the program takes work, and what it waits for if not.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let missing = app.readiness.missing();
    if missing.is_empty() {
        return Json(json!({ "status": "ready" })).into_response();
    }
    let body = Json(json!({ "status": "starting", "waiting_for": missing }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// Writes the counters for Prometheus.
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let mut text = String::new();
    app.metrics.write(&mut text);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
