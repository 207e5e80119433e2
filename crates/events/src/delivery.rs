//! Handing one event to a callback: the request, and what its answer means.
//!
//! A *delivery* is the handing over of one event to one subscription; an
//! *attempt* is one try of it. Every attempt carries the same `webhook-id` and
//! the same body, so that a receiver can tell a repetition from news; what that
//! means for batches is told in `load`.

use std::time::Duration;

use base::Timestamp;
use base::http::{HeaderMap, HttpError, Response, StatusCode};
use serde::Serialize;

use crate::diagram::Outcome;
use crate::event::{EventId, Offset};
use crate::policy::Patience;

/// So many bytes of an answer are kept for people.
pub(crate) const ANSWER_BYTES_KEPT: usize = 512;

/// How an attempt ended, as the delivery log says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The receiver has the event.
    Delivered,
    /// It has not, and the event stays queued.
    Failed,
    /// It has not, and the event was passed over.
    Skipped,
    /// It has not, and the subscription was rejected.
    Rejected,
    /// A hook had no room.
    Busy,
    /// It came back after what is to be delivered had changed, and counts for
    /// nothing.
    Late,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 6] =
        [Verdict::Delivered, Verdict::Failed, Verdict::Skipped, Verdict::Rejected, Verdict::Busy, Verdict::Late];

    /// Returns the word for it, as the wire and the database write it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Delivered => "delivered",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
            Verdict::Rejected => "rejected",
            Verdict::Busy => "busy",
            Verdict::Late => "late",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Verdict::ALL.into_iter().find(|verdict| verdict.word() == word)
    }
}

/// One try of a delivery, as the delivery log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The subscription's generation when it began.
    pub generation: u64,
    /// Which event; the first, if it carried several.
    pub offset: Offset,
    /// The last event that it carried.
    pub through: Offset,
    /// The first event's id.
    pub event_id: EventId,
    /// 1 for the first attempt of the event in this generation.
    pub number: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// The status of the answer; nothing if there was none.
    pub status: Option<u16>,
    /// Why there was no answer, or why it is not a success.
    pub detail: String,
    /// The first 512 bytes of the answer, as text.
    pub answer: String,
    /// When the event is tried next; nothing if it is not.
    pub next_at: Option<Timestamp>,
}

/// Tells what an answer means.
pub(crate) fn outcome_of(answer: &Result<Response, HttpError>, now: Timestamp) -> Outcome {
    let response = match answer {
        Ok(response) => response,
        Err(HttpError::Timeout { .. }) => return Outcome::Failed(Patience::Overloaded),
        Err(_) => return Outcome::Failed(Patience::Own),
    };
    match response.status {
        status if status.is_success() => Outcome::Delivered,
        StatusCode::GONE => Outcome::Gone,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Outcome::Failed(retry_after(&response.headers, now).map_or(Patience::Own, Patience::Asked))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Outcome::Failed(Patience::Own),
        status if status.is_server_error() => Outcome::Failed(Patience::Own),
        _ => Outcome::Declined,
    }
}

/// Says what an answer means, for people; nothing for a success.
pub(crate) fn detail_of(outcome: Outcome, status: StatusCode) -> String {
    match outcome {
        Outcome::Delivered => String::new(),
        Outcome::Gone => format!("{status}: the receiver says that it is gone for good"),
        Outcome::Declined => format!("{status}: the receiver does not accept the event"),
        Outcome::Failed(_) | Outcome::Busy => status.to_string(),
    }
}

/// Reads `Retry-After`: seconds, or an HTTP date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    http_date(text).map(|at| at.since(now))
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers may send today.
fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year, time, zone) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    if zone != "GMT" {
        return None;
    }
    format!("{year}-{month:02}-{day}T{time}Z").parse().ok()
}
