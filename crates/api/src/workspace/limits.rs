//! How often the workspace may be called, where it is to refuse as a real one
//! does.
//!
//! A real workspace counts for itself, not for each token: so does this one.
//! What is counted is a window of the clock that begins anew, which lets
//! through twice as much at its edge; clients that stay below are never refused.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::{Clock, Timestamp};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Method, StatusCode};
use parking_lot::Mutex;

use crate::fault::Fault;

const SECOND_MILLIS: i64 = 1_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// How often the routes of the local workspace may be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkspaceLimits {
    /// As often as somebody likes.
    #[default]
    Off,
    /// As often as Databricks says.
    Databricks,
}

/// So many requests of some routes in a window of the clock.
#[derive(Debug)]
struct Limit {
    /// What it is about, for the message.
    what: &'static str,
    is_about: fn(&Method, &str) -> bool,
    requests_max: u64,
    window_millis: i64,
}

/// The limits that Databricks names for a workspace.
const LIMITS: [Limit; 5] = [
    Limit {
        what: "runs started by run-now",
        is_about: |_, path| is_of_jobs(path, "/run-now"),
        requests_max: 20,
        window_millis: SECOND_MILLIS,
    },
    Limit {
        what: "jobs created",
        is_about: |_, path| is_of_jobs(path, "/create"),
        requests_max: 20,
        window_millis: SECOND_MILLIS,
    },
    Limit {
        what: "jobs created and runs submitted",
        is_about: |_, path| is_of_jobs(path, "/create") || is_of_jobs(path, "/runs/submit"),
        requests_max: 10_000,
        window_millis: HOUR_MILLIS,
    },
    Limit {
        what: "calls of runs/get",
        is_about: |_, path| is_of_jobs(path, "/runs/get"),
        requests_max: 100,
        window_millis: SECOND_MILLIS,
    },
    Limit {
        what: "calls of serving endpoints",
        is_about: |method, path| method == Method::POST && path.starts_with("/serving-endpoints/"),
        requests_max: 200,
        window_millis: SECOND_MILLIS,
    },
];

fn is_of_jobs(path: &str, end: &str) -> bool {
    ["2.0", "2.1", "2.2"].iter().any(|version| {
        path.strip_prefix("/api/")
            .and_then(|path| path.strip_prefix(version))
            .is_some_and(|path| path.strip_prefix("/jobs") == Some(end))
    })
}

/// What was counted of each limit: the number of the window, and requests in it.
type Counts = [(i64, u64); LIMITS.len()];

/// Counts a request, unless there is no room for it: then it tells which limit
/// stands against it, and after how many seconds there is room again.
fn ask(counts: &mut Counts, method: &Method, path: &str, now: Timestamp) -> Result<(), (&'static Limit, u64)> {
    let millis = now.as_millis();
    let about: Vec<usize> = (0..LIMITS.len()).filter(|place| (LIMITS[*place].is_about)(method, path)).collect();
    for place in &about {
        let (limit, count) = (&LIMITS[*place], &mut counts[*place]);
        let window = millis.div_euclid(limit.window_millis);
        if count.0 != window {
            *count = (window, 0);
        }
        if count.1 >= limit.requests_max {
            let left = limit.window_millis - millis.rem_euclid(limit.window_millis);
            return Err((limit, u64::try_from(left).unwrap_or(0).div_ceil(1_000)));
        }
    }
    for place in about {
        counts[place].1 += 1;
    }
    Ok(())
}

/// Counts the requests to a workspace.
#[derive(Clone)]
pub(super) struct Meter {
    limits: WorkspaceLimits,
    clock: Arc<dyn Clock>,
    counts: Arc<Mutex<Counts>>,
}

impl Meter {
    /// Makes one with these limits.
    pub(super) fn new(limits: WorkspaceLimits, clock: Arc<dyn Clock>) -> Self {
        Meter { limits, clock, counts: Arc::default() }
    }
}

/// Lets a request through if there is room for it.
pub(super) async fn pass(State(meter): State<Meter>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let Some(route) = route.filter(|_| meter.limits == WorkspaceLimits::Databricks) else {
        return next.run(request).await;
    };
    let asked = ask(&mut meter.counts.lock(), request.method(), &route, meter.clock.now());
    let Err((limit, seconds)) = asked else { return next.run(request).await };
    let span = if limit.window_millis == SECOND_MILLIS { "a second" } else { "an hour" };
    let detail = format!(
        "Current request has to be retried: {} {} are possible in {span}; there is room in {seconds} s",
        limit.requests_max, limit.what
    );
    let mut response = Fault::new(StatusCode::TOO_MANY_REQUESTS, "rate-limit-exceeded", detail).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_has_room_for_so_many() {
        let mut counts = Counts::default();
        let mut ask = |path: &str, millis: i64| {
            let asked = super::ask(&mut counts, &Method::POST, path, Timestamp::from_millis(millis));
            asked.map_err(|(limit, seconds)| (limit.requests_max, seconds))
        };
        for _ in 0..20 {
            assert_eq!(ask("/api/2.1/jobs/run-now", 0), Ok(()));
        }
        // All versions share the room.
        assert_eq!(ask("/api/2.2/jobs/run-now", 999), Err((20, 1)));
        assert_eq!(ask("/api/2.2/jobs/list", 999), Ok(()));
        assert_eq!(ask("/api/2.2/jobs/run-now", 1_000), Ok(()));
        for call in 0..10_000 {
            assert_eq!(ask("/api/2.1/jobs/runs/submit", call), Ok(()));
        }
        assert_eq!(ask("/api/2.1/jobs/create", 20_500), Err((10_000, 3_580)));
        assert_eq!(ask("/api/2.1/jobs/create", HOUR_MILLIS), Ok(()));
        for _ in 0..200 {
            assert_eq!(ask("/serving-endpoints/{name}/invocations", 0), Ok(()));
        }
        assert_eq!(ask("/serving-endpoints/{name}/invocations", 0), Err((200, 1)));
    }
}
