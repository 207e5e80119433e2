//! So many requests a second and a day for each caller, told with every answer.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base::{Clock, Timestamp};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;

use crate::caller::Caller;
use crate::fault::Fault;

const SECOND_MILLIS: i64 = 1_000;
const DAY_MILLIS: i64 = 86_400_000;
/// Callers that are remembered before those of earlier days are forgotten.
const CALLERS_MAX: usize = 10_000;

/// How many requests a caller may make; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// In a second of the clock.
    pub per_second: u64,
    /// In a day, UTC.
    pub per_day: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits { per_second: 20, per_day: 6_000 }
    }
}

/// Counts the requests of each caller.
#[derive(Clone)]
pub(super) struct Meter {
    limits: RequestLimits,
    clock: Arc<dyn Clock>,
    callers: Arc<Mutex<HashMap<String, Counts>>>,
}

/// What a caller has asked for in a second and in a day, each by its number.
#[derive(Clone, Copy, Default)]
struct Counts {
    second: (i64, u64),
    day: (i64, u64),
}

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    limit: u64,
    remaining: u64,
    /// Seconds until there is room again; nothing while there is.
    reset: Option<u64>,
}

impl Counts {
    /// Counts a request, if there is room for it.
    fn ask(&mut self, limits: RequestLimits, now: Timestamp) -> Standing {
        let millis = now.as_millis();
        for (count, length) in [(&mut self.second, SECOND_MILLIS), (&mut self.day, DAY_MILLIS)] {
            let number = millis.div_euclid(length);
            if count.0 != number {
                *count = (number, 0);
            }
        }
        let of_day =
            Standing { limit: limits.per_day, remaining: limits.per_day.saturating_sub(self.day.1), reset: None };
        let seconds = |length: i64| ((length - millis.rem_euclid(length)) as u64).div_ceil(1_000);
        if limits.per_day > 0 && self.day.1 >= limits.per_day {
            return Standing { reset: Some(seconds(DAY_MILLIS)), ..of_day };
        }
        if limits.per_second > 0 && self.second.1 >= limits.per_second {
            return Standing { limit: limits.per_second, remaining: 0, reset: Some(seconds(SECOND_MILLIS)) };
        }
        self.second.1 += 1;
        self.day.1 += 1;
        // The budget that ends first is the one to know.
        let of_second = Standing {
            limit: limits.per_second,
            remaining: limits.per_second.saturating_sub(self.second.1),
            reset: None,
        };
        let of_day = Standing { remaining: limits.per_day.saturating_sub(self.day.1), ..of_day };
        match (limits.per_second, limits.per_day) {
            (0, _) => of_day,
            (_, 0) => of_second,
            _ if of_second.remaining < of_day.remaining => of_second,
            _ => of_day,
        }
    }
}

impl Meter {
    /// Makes one with these limits.
    pub(super) fn new(limits: RequestLimits, clock: Arc<dyn Clock>) -> Self {
        Meter { limits, clock, callers: Arc::default() }
    }

    fn ask(&self, caller: &str) -> Standing {
        let now = self.clock.now();
        let mut callers = self.callers.lock();
        if callers.len() >= CALLERS_MAX {
            let today = now.as_millis().div_euclid(DAY_MILLIS);
            callers.retain(|_, counts| counts.day.0 == today);
        }
        callers.entry(caller.to_owned()).or_default().ask(self.limits, now)
    }
}

/// Lets a request through if its caller has room, and tells how much is left.
pub(super) async fn pass(State(meter): State<Meter>, request: Request, next: Next) -> Response {
    let unlimited = meter.limits.per_second == 0 && meter.limits.per_day == 0;
    let caller = request.extensions().get::<Caller>().map(|Caller(actor)| actor.id.clone());
    let Some(caller) = caller.filter(|_| !unlimited) else { return next.run(request).await };
    let standing = meter.ask(&caller);
    let mut response = match standing.reset {
        None => next.run(request).await,
        Some(seconds) => {
            let detail = format!("at most {} requests are possible; there is room in {seconds} s", standing.limit);
            Fault::new(StatusCode::TOO_MANY_REQUESTS, "rate-limit-exceeded", detail).into_response()
        }
    };
    tell(response.headers_mut(), standing);
    response
}

fn tell(headers: &mut HeaderMap, standing: Standing) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(standing.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(standing.remaining));
    if let Some(seconds) = standing.reset {
        headers.insert("x-ratelimit-reset", HeaderValue::from(seconds));
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_that_ends_first_is_told() {
        let limits = RequestLimits { per_second: 2, per_day: 3 };
        let mut counts = Counts::default();
        let told: Vec<_> = [0, 10, 20, 1_000, 2_000, DAY_MILLIS]
            .into_iter()
            .map(|millis| {
                let Standing { limit, remaining, reset } = counts.ask(limits, Timestamp::from_millis(millis));
                (limit, remaining, reset)
            })
            .collect();
        let expected = [(2, 1, None), (2, 0, None), (2, 0, Some(1)), (3, 0, None), (3, 0, Some(86_398)), (2, 1, None)];
        assert_eq!(told, expected);
    }
}
