//! The demo's own subscriber: a small web server on loopback.
//!
//! It does what every receiver should do: check the signature before reading,
//! keep what it has seen, and answer quickly. What it sees wrong is kept as a
//! sentence and fails the demo.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use base::time::SystemClock;
use base::{Clock, Secret};
use events::signature::SigningKey;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::client::{Client, segment};

/// Receives events until it is dropped.
pub(crate) struct Receiver {
    state: Arc<Seen>,
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

struct Seen {
    key: Mutex<Option<SigningKey>>,
    book: Mutex<Book>,
    count: watch::Sender<u64>,
}

/// What was seen.
#[derive(Clone, Default)]
pub(crate) struct Book {
    /// Event bodies, the first delivery of each offset.
    pub(crate) events: Vec<Json>,
    /// When each of them came.
    pub(crate) arrived: Vec<Instant>,
    /// Deliveries of an offset that had been seen before.
    pub(crate) repeats: u64,
    /// What was wrong, in words.
    pub(crate) complaints: Vec<String>,
}

impl Receiver {
    /// Starts the server on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("the receiver cannot listen")?;
        let address = listener.local_addr()?;
        let (count, _) = watch::channel(0);
        let state = Arc::new(Seen { key: Mutex::default(), book: Mutex::default(), count });
        let router = Router::new().route("/events", post(receive)).with_state(state.clone());
        let server = tokio::spawn(async move {
            // It ends only with the demo itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Receiver { state, address, server })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the callback.
    fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    /// Subscribes to a trigger over the public API and returns the
    /// subscription's id. From here on calls that bear its signature are
    /// believed, and no others.
    pub(crate) async fn subscribe(&self, main: &Client, model: &str, trigger: &str) -> Result<String> {
        let (model, trigger) = (segment(model), segment(trigger));
        let path = format!("/intelligence/api/knowledge-models/{model}/triggers/{trigger}/subscriptions");
        let callback = json!({ "uri": self.url(), "protocol": "HTTPS" });
        let made = main.post(&path, &json!({ "name": "receiver", "callbackInfo": callback })).await?;
        let id = made["id"].as_str().ok_or_else(|| anyhow!("the server did not name the subscription"))?.to_owned();
        let secret = main.get(&format!("/api/v1/subscriptions/{}/secret", segment(&id))).await?;
        let secret = Secret::new(secret["secret"].as_str().unwrap_or_default());
        let key = SigningKey::new(&secret).context("the subscription's secret cannot be used")?;
        *self.state.key.lock() = Some(key);
        Ok(id)
    }

    /// Returns what was seen so far.
    pub(crate) fn book(&self) -> Book {
        self.state.book.lock().clone()
    }

    /// Watches how many events were seen.
    pub(crate) fn count(&self) -> watch::Receiver<u64> {
        self.state.count.subscribe()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let arrived = Instant::now();
    let Some(key) = seen.key.lock().clone() else { return StatusCode::SERVICE_UNAVAILABLE };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let believed =
        key.verify(text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"), &body, SystemClock.now());
    let mut book = seen.book.lock();
    if let Err(error) = believed {
        book.complaints.push(format!("a call was not believed: {error}"));
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(event) = serde_json::from_slice::<Json>(&body) else {
        book.complaints.push("a body was not JSON".into());
        return StatusCode::BAD_REQUEST;
    };
    let offset = event["offset"].as_u64();
    let last = book.events.last().and_then(|event| event["offset"].as_u64());
    match (last, offset) {
        (_, None) => book.complaints.push("an event had no offset".into()),
        (Some(last), Some(offset)) if offset <= last => book.repeats += 1,
        (Some(last), Some(offset)) if offset > last + 1 => {
            book.complaints.push(format!("after offset {last} came {offset}"));
        }
        _ => {
            book.events.push(event);
            book.arrived.push(arrived);
            seen.count.send_replace(book.events.len() as u64);
        }
    }
    StatusCode::NO_CONTENT
}
