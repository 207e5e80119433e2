//! `/hooks/{token}`: the door for requests from outside that start flows.
//!
//! Nobody signs in here: whoever knows the address may bring data. So nothing
//! of a request is read before the hook has let it in, no more is read than
//! may come, and only so much at once as the memory has room for. An address
//! that is not there is like any other that is not there.

mod answer;
mod data;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use flows::{Arrival, Error};
use http::header::{CONTENT_LENGTH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app::App;
use crate::body;
use crate::fault::Fault;
use crate::forwarded;
use crate::peer::Peer;

/// How long a request waits for room for its body.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(10);
/// When a caller is to come again whose hook has a full queue, in seconds.
const FULL_RETRY_S: u64 = 10;
/// Bodies that are held at once may have as many bytes as so many of the
/// longest ones.
const LONGEST_AT_ONCE: usize = 8;
/// Room is counted in pieces of so many bytes.
const PIECE_BYTES: usize = 1 << 10;
/// Headers that name a request, the same at each repetition.
const KEY_HEADERS: [&str; 2] = ["idempotency-key", "webhook-id"];

/// Returns the routes of the door.
pub(crate) fn routes(app: &App) -> Router<App> {
    let room = Room::new(app.hook_bytes_max);
    let take =
        move |State(app): State<App>, Path(token): Path<String>, request: Request| take(app, room, token, request);
    Router::new().route("/hooks/{token}", any(take)).layer(body::at_most(app.hook_bytes_max))
}

/// Takes a request: it knocks, is read, and is brought to its hook.
async fn take(app: App, room: Room, token: String, request: Request) -> Result<Response, Refusal> {
    let webhook = app.flows.knock(&token, address_of(&app, &request)).await?;
    // Browsers and previews ask these before they send anything.
    if matches!(*request.method(), Method::HEAD | Method::OPTIONS) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = room.enter(request.headers()).await?;
    let (method, headers, uri) = (request.method().clone(), request.headers().clone(), request.uri().clone());
    let bytes = body::whole(request, &()).await?;
    let data = data::read(uri.query(), &headers, bytes, webhook.passes_through()).await?;
    let arrival = Arrival {
        data,
        method: method.to_string(),
        headers: headers.iter().map(|(name, value)| (name.to_string(), text_of(value))).collect(),
        key: KEY_HEADERS.iter().find_map(|name| headers.get(*name)).map(text_of).filter(|key| !key.is_empty()),
        // Anybody may know the address, so only what we sent ourselves is believed.
        causes: app.flows.causes_of(&headers),
    };
    drop(headers);
    let brought = app.flows.bring(&webhook, arrival).await?;
    // It is stored: what is waited for from here on takes no room.
    drop(place);
    Ok(answer::response(brought.answer().await)?)
}

fn address_of(app: &App, request: &Request) -> Option<IpAddr> {
    let Peer(peer) = request.extensions().get::<Peer>()?;
    forwarded::caller_of(peer.ip(), request.headers(), &app.trusted_proxies)
}

fn text_of(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Room for the bodies that are read at the same time.
#[derive(Clone)]
struct Room {
    pieces: Arc<Semaphore>,
    bytes_max: usize,
}

impl Room {
    fn new(bytes_max: usize) -> Self {
        let pieces = pieces(bytes_max).saturating_mul(LONGEST_AT_ONCE).min(Semaphore::MAX_PERMITS);
        Room { pieces: Arc::new(Semaphore::new(pieces)), bytes_max }
    }

    /// Takes room for a body, or refuses it before a byte of it is read.
    async fn enter(&self, headers: &HeaderMap) -> Result<OwnedSemaphorePermit, Fault> {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        // One that does not say how long it will be may be the longest.
        let is_chunked = headers.contains_key(http::header::TRANSFER_ENCODING);
        let bytes = length.unwrap_or(if is_chunked { self.bytes_max } else { 0 });
        if bytes > self.bytes_max {
            return Err(body::too_long(self.bytes_max));
        }
        let wanted = u32::try_from(pieces(bytes)).unwrap_or(u32::MAX);
        match tokio::time::timeout(ROOM_WAIT_MAX, self.pieces.clone().acquire_many_owned(wanted)).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => {
                let detail = "too many requests are being read; try again";
                Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "hook-no-room", detail))
            }
        }
    }
}

fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE_BYTES).max(1)
}

/// Why a request is not taken, and when to come again.
struct Refusal {
    fault: Fault,
    retry_after_s: Option<u64>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal { fault, retry_after_s: None }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let retry_after_s = match &error {
            Error::HookRate { retry_after_s, .. } => Some(*retry_after_s),
            Error::Busy { .. } => Some(FULL_RETRY_S),
            _ => None,
        };
        Refusal { fault: error.into(), retry_after_s }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.fault.into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
