//! What receivers, and the network before them, may answer.

use std::time::Duration;

use base::http::{HeaderValue, HttpError, Response, StatusCode};
use base::testing::reply;

/// A way in which a call may end.
pub(super) struct Answer {
    /// As the report counts it.
    pub(super) name: &'static str,
    /// How often it comes in a good life, and in a bad one.
    pub(super) weights: [u64; 2],
    /// The receiver has the event.
    pub(super) received: bool,
    /// The engine hears so.
    pub(super) told: bool,
    pub(super) make: fn() -> Result<Response, HttpError>,
}

const fn fault(name: &'static str, make: fn() -> Result<Response, HttpError>) -> Answer {
    Answer { name, weights: [1, 3], received: false, told: false, make }
}

/// The receiver did its work, and the engine never hears of it.
const fn unheard(name: &'static str, make: fn() -> Result<Response, HttpError>) -> Answer {
    Answer { received: true, ..fault(name, make) }
}

const fn success(name: &'static str, weights: [u64; 2], make: fn() -> Result<Response, HttpError>) -> Answer {
    Answer { weights, received: true, told: true, ..fault(name, make) }
}

/// All of them.
pub(super) const ANSWERS: [Answer; 21] = [
    success("200", [30, 24], || Ok(reply(200, ""))),
    success("204", [2, 1], || Ok(reply(204, ""))),
    success("200 with an endless body", [1, 1], || Ok(Response { truncated: true, ..reply(200, "…") })),
    fault("connection refused", || Err(HttpError::Connect { target: target(), detail: "refused".into() })),
    fault("unknown host", || Err(HttpError::UnknownHost { host: target() })),
    fault("wrong certificate", || Err(HttpError::Tls { target: target(), detail: "expired".into() })),
    fault("reset before it was read", || Err(HttpError::Broken { target: target(), detail: "reset".into() })),
    unheard("reset after it was read", || Err(HttpError::Broken { target: target(), detail: "reset".into() })),
    unheard("answer lost", || Err(HttpError::Timeout { target: target(), after_ms: 30_000 })),
    fault("timeout", || Err(HttpError::Timeout { target: target(), after_ms: 30_000 })),
    fault("500", || Ok(reply(500, "oh"))),
    unheard("500 after the work was done", || Ok(reply(500, "oh"))),
    fault("500 with an endless body", || Ok(Response { truncated: true, ..reply(500, "…") })),
    fault("redirect", || Ok(with(reply(302, ""), "location", "https://elsewhere.example/"))),
    fault("400", || Ok(reply(400, "no"))),
    fault("410", || Ok(reply(410, "gone"))),
    fault("429", || Ok(reply(429, ""))),
    fault("429 with Retry-After", || Ok(with(reply(429, ""), "retry-after", "5"))),
    fault("429 with Retry-After of a day", || Ok(with(reply(429, ""), "retry-after", "86400"))),
    fault("503 with a date", || Ok(with(reply(503, ""), "retry-after", "Thu, 01 Jan 2026 06:00:00 GMT"))),
    fault("a status that nobody knows", || {
        Ok(Response { status: StatusCode::from_u16(999).expect("three digits"), ..reply(200, "\0\u{fffd}") })
    }),
];

/// No pause between attempts is longer than a receiver may ask for, jitter included.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(61);

fn target() -> String {
    "receiver".into()
}

fn with(mut response: Response, name: &'static str, value: &'static str) -> Response {
    response.headers.insert(name, HeaderValue::from_static(value));
    response
}
