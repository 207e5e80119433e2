//! Faults on purpose: what goes wrong between a client and a workspace, made
//! to go wrong when a test says so.
//!
//! Off unless the program was set up with them. Rules lie in memory: they are
//! gone with the process. They act in front of everything else, as a bad
//! network would, so a request may be struck before it is known who sent it.
//! The control endpoint alone is never struck.

mod rule;
mod control;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::Clock;
use base::time::ShiftedClock;
use futures::{StreamExt, stream};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::problem;
use super::volumes::http_date;
use crate::app::App;
use crate::door::{AskedPath, RequestId};
use crate::fault::{Fault, spoken};
use crate::problem::json_as;

pub(super) use control::routes;
use rule::{Harm, Moment, Rule, Strike, Style};

/// Fault rules of the local workspace, and the clock that they can put off.
pub struct Faults {
    clock: Arc<ShiftedClock>,
    rules: Mutex<Rules>,
}

#[derive(Default)]
struct Rules {
    last_id: u64,
    in_force: Vec<Rule>,
}

impl Faults {
    /// Makes them without a rule. The clock must be the one that the workspace
    /// was handed.
    pub fn over(clock: Arc<ShiftedClock>) -> Self {
        Faults { clock, rules: Mutex::default() }
    }

    fn jump(&self, app: &App, seconds: i64) {
        if seconds != 0 {
            self.clock.jump(seconds.saturating_mul(1_000_000));
            tracing::warn!(seconds, "the clock of the local workspace jumps, as a fault rule says");
            // What has become due by it is due now.
            app.workspace.nudge();
        }
    }
}

/// Lets a request through, or does to it what the rules say.
pub(super) async fn strike(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(faults) = app.workspace_ways.faults.clone() else { return next.run(request).await };
    let path = AskedPath::of(&request).to_string();
    if path.starts_with(control::PREFIX) {
        return next.run(request).await;
    }
    let decided = rule::decide(&mut faults.rules.lock().in_force, request.method().as_str(), &path);
    let Some(Strike { jump_seconds, delay, harm }) = decided else { return next.run(request).await };
    faults.jump(&app, jump_seconds);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match harm {
        Harm::Nothing => next.run(request).await,
        Harm::Error { status, error_code, message, retry } => {
            let told = Told { status, error_code, message, retry };
            told.answer(&path, &RequestId::of(&request), &*faults.clock)
        }
        Harm::Drop(Moment::Before) => dropped(),
        Harm::Drop(Moment::After) => {
            // All of it: also what a handler does while its answer is read.
            whole(next.run(request).await).await;
            dropped()
        }
        Harm::Truncate(bytes) => truncated(next.run(request).await, bytes).await,
        Harm::ExpiredToken => Fault::from(workspace::Error::Unauthenticated).into_response(),
    }
}

/// An error on purpose.
struct Told {
    status: StatusCode,
    error_code: Option<String>,
    message: Option<String>,
    retry: Option<(Duration, Style)>,
}

impl Told {
    fn answer(self, path: &str, request: &RequestId, clock: &dyn Clock) -> Response {
        let message = self.message.as_deref().unwrap_or("a fault rule of this workspace says so");
        let (_, usual) = problem::words(&Fault::new(self.status, "fault-rule", ""));
        let error_code = self.error_code.as_deref().unwrap_or(match self.status.as_u16() {
            499 => "CANCELLED",
            504 => "DEADLINE_EXCEEDED",
            500..600 if usual == "BAD_REQUEST" => "INTERNAL_ERROR",
            _ => usual,
        });
        let mut body = if path.starts_with("/oidc/") {
            json!({ "error": error_code.to_ascii_lowercase(), "error_description": message })
        } else {
            problem::body(error_code, message, request)
        };
        let mut header = None;
        match self.retry {
            None => {}
            Some((after, Style::Seconds)) => header = Some(after.as_millis().div_ceil(1_000).to_string()),
            // A date has whole seconds, and is not to lie before the time that is meant.
            Some((after, Style::Date)) => {
                header = Some(http_date(clock.now().plus(after + Duration::from_millis(999))));
            }
            Some((after, Style::Details)) => {
                let info = json!({
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retry_delay": format!("{}s", after.as_secs_f64()),
                });
                if let Some(details) = body["details"].as_array_mut() {
                    details.push(info);
                }
            }
        }
        let mut response = spoken(json_as("application/json", self.status, &body as &Value));
        if let Some(value) = header.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}

/// Returns an answer that never comes: its body fails before a byte of its head
/// has been sent, whereupon the server closes the connection.
fn dropped() -> Response {
    let broken = stream::once(async { Err::<Bytes, _>(io::Error::other("a fault rule drops the connection")) });
    spoken(Response::new(Body::from_stream(broken)))
}

/// Returns the beginning of an answer, behind which the connection is closed.
async fn truncated(response: Response, bytes: usize) -> Response {
    let (mut parts, body) = whole(response).await.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let kept = body.slice(..bytes.min(body.len()));
    let end = stream::once(async {
        // What was written so far is sent while the body has nothing more.
        tokio::task::yield_now().await;
        Err(io::Error::other("a fault rule cuts the answer off"))
    });
    Response::from_parts(parts, Body::from_stream(stream::once(async { Ok(kept) }).chain(end)))
}

/// Reads an answer to its end.
async fn whole(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    Response::from_parts(parts, Body::from(body))
}
