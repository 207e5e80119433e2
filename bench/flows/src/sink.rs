//! What the flows call: it answers at once or after a while, and knows which
//! orders have come how often, and when.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What an order's name begins with; a number follows.
pub(crate) const ORDER: &[u8] = b"PO-";

/// A server that remembers its calls.
pub(crate) struct Sink {
    begun: Instant,
    delay_ms: AtomicU64,
    seen: Mutex<Seen>,
}

/// The calls so far.
#[derive(Default)]
struct Seen {
    /// By the number of the order: how often it came, and when first.
    orders: Vec<Order>,
    posts: u64,
    gets: u64,
    /// When the first and the latest call came.
    first: Option<Instant>,
    latest: Option<Instant>,
}

#[derive(Clone, Copy, Default)]
struct Order {
    times: u32,
    /// Microseconds since the sink began.
    first_us: u64,
}

impl Sink {
    pub(crate) fn new() -> Self {
        Sink { begun: Instant::now(), delay_ms: AtomicU64::new(0), seen: Mutex::default() }
    }

    /// Forgets all calls; answers come so late from now on.
    pub(crate) fn forget(&self, delay: Duration) {
        self.delay_ms.store(delay.as_millis() as u64, Ordering::Relaxed);
        *self.seen.lock() = Seen::default();
    }

    /// How often it was called, in all ways together.
    pub(crate) fn calls(&self) -> u64 {
        let seen = self.seen.lock();
        seen.posts + seen.gets
    }

    /// When an order came first.
    pub(crate) fn first_of(&self, number: u64) -> Option<Instant> {
        let seen = self.seen.lock();
        let order = seen.orders.get(number as usize).filter(|order| order.times > 0)?;
        Some(self.begun + Duration::from_micros(order.first_us))
    }

    /// When the latest call came.
    pub(crate) fn latest(&self) -> Option<Instant> {
        self.seen.lock().latest
    }

    pub(crate) fn seen(&self) -> Value {
        let seen = self.seen.lock();
        let distinct = seen.orders.iter().filter(|order| order.times > 0).count();
        let repeated: u64 = seen.orders.iter().map(|order| u64::from(order.times.saturating_sub(1))).sum();
        let spread = seen.first.zip(seen.latest).map(|(first, latest)| (latest - first).as_secs_f64());
        let ago = |moment: Option<Instant>| moment.map(|moment| moment.elapsed().as_secs_f64());
        json!({
            "calls": seen.posts, "gets": seen.gets, "distinct": distinct, "repeated": repeated,
            "first_to_latest_s": spread, "first_ago_s": ago(seen.first), "latest_ago_s": ago(seen.latest),
        })
    }

    /// Waits until it was called so often; tells whether it was.
    pub(crate) async fn wait_for(&self, calls: u64, at_most: Duration) -> bool {
        let end = Instant::now() + at_most;
        while self.calls() < calls {
            if Instant::now() > end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        true
    }

    fn note(&self, method: &Method, number: Option<u64>) {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        seen.first.get_or_insert(now);
        seen.latest = Some(now);
        if method == Method::GET {
            seen.gets += 1;
            return;
        }
        seen.posts += 1;
        let Some(number) = number.filter(|number| *number < 100_000_000) else { return };
        if seen.orders.len() <= number as usize {
            seen.orders.resize((number as usize + 1).next_power_of_two(), Order::default());
        }
        let order = &mut seen.orders[number as usize];
        order.times += 1;
        if order.times == 1 {
            order.first_us = (now - self.begun).as_micros() as u64;
        }
    }
}

/// Serves a sink for ever.
pub(crate) async fn serve(sink: Arc<Sink>, listener: TcpListener) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let sink = sink.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| answer(&sink, request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A caller that dies is what some measurements are about.
            let _ = connection.await;
        });
    }
}

async fn answer(sink: &Sink, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().clone();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    sink.note(&method, number_in(&body));
    let delay = sink.delay_ms.load(Ordering::Relaxed);
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let text = if method == Method::GET { r#"{"state":"running"}"# } else { r#"{"ok":true}"# };
    let response = Response::builder().header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from_static(text.as_bytes()))).expect("a response"))
}

/// Finds the number of an order in a body.
fn number_in(body: &[u8]) -> Option<u64> {
    let place = body.windows(ORDER.len()).position(|word| word == ORDER)? + ORDER.len();
    let digits = body[place..].iter().take_while(|letter| letter.is_ascii_digit());
    Some(digits.fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_found_in_bodies() {
        assert_eq!(number_in(br#"{"id": "PO-0000042", "total": 1500.6}"#), Some(42));
        assert_eq!(number_in(b"{}"), None);
    }

    #[test]
    fn a_second_call_for_an_order_is_a_repetition() {
        let sink = Sink::new();
        for number in [1, 2, 2] {
            sink.note(&Method::POST, Some(number));
        }
        sink.note(&Method::GET, None);
        let seen = sink.seen();
        let count = |name: &str| seen[name].as_u64();
        assert_eq!((count("calls"), count("gets")), (Some(3), Some(1)));
        assert_eq!((count("distinct"), count("repeated")), (Some(2), Some(1)));
    }
}
