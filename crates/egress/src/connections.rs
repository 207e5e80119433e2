//! Connections that stay open between calls.
//!
//! Whoever calls drives the connection itself: there is no task behind it and
//! nothing to wake on another thread, which is half of what a small call costs
//! otherwise. While it is idle nobody looks at a connection; whether the other
//! side has closed it is found out before it is used again.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_rustls::MaybeHttpsStream;
use parking_lot::Mutex;
use tokio::time::Instant;
use tower::Service;

use crate::egress::Socket;

/// Connections that are idle at most, over all hosts.
const IDLE_MAX: usize = 1_024;
/// An idle connection is closed after this time …
const IDLE_TIME: Duration = Duration::from_mins(1);
/// … and looked for so often.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = MaybeHttpsStream<Socket>;
type Origin = (Scheme, Authority);

/// Why there is no answer.
pub(crate) enum Failure {
    /// No connection came about.
    Connect(BoxError),
    /// It broke.
    Broken(hyper::Error),
}

/// An answer, as far as it was read.
pub(crate) struct Answer {
    pub(crate) parts: http::response::Parts,
    pub(crate) body: Bytes,
    pub(crate) truncated: bool,
}

/// Makes connections by way of `C`, and keeps them.
pub(crate) struct Connections<C> {
    connector: C,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    by_origin: HashMap<Origin, Vec<(Open, Instant)>>,
    count: usize,
    /// Somebody looks for those that were idle for too long.
    swept: bool,
}

/// An open connection: the handle, and the machine that moves its bytes.
struct Open {
    sender: SendRequest<Full<Bytes>>,
    machine: http1::Connection<Stream, Full<Bytes>>,
    /// The machine has come to its end.
    over: bool,
}

impl<C> Connections<C>
where
    C: Service<Uri, Response = Stream, Error = BoxError> + Clone + Send + Sync + 'static,
    C::Future: Send,
{
    pub(crate) fn new(connector: C) -> Arc<Self> {
        Arc::new(Connections { connector, idle: Mutex::default() })
    }

    /// Sends a request to the host of its address and reads the answer, at
    /// most `bytes_max` bytes of its body.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Answer, Failure> {
        let (origin, mut request) = to_origin(request);
        loop {
            let kept = self.take(&origin);
            let was_kept = kept.is_some();
            let mut open = match kept {
                Some(open) => open,
                None => self.connect(&origin).await?,
            };
            if was_kept && !open.is_well().await {
                continue;
            }
            match open.exchange(request, bytes_max).await {
                Ok(answer) => {
                    if !answer.truncated && open.is_well().await {
                        self.keep(origin, open);
                    }
                    return Ok(answer);
                }
                // It was closed before anything left: that was no attempt.
                Err((_, Some(unsent))) if was_kept => request = unsent,
                Err((error, _)) => return Err(Failure::Broken(error)),
            }
        }
    }

    async fn connect(&self, origin: &Origin) -> Result<Open, Failure> {
        let (scheme, authority) = origin.clone();
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build();
        let uri = uri.map_err(|error| Failure::Connect(error.into()))?;
        let mut connector = self.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx)).await.map_err(Failure::Connect)?;
        let stream = connector.call(uri).await.map_err(Failure::Connect)?;
        let (sender, machine) = http1::handshake(stream).await.map_err(Failure::Broken)?;
        Ok(Open { sender, machine, over: false })
    }

    /// Takes the connection that was used last.
    fn take(&self, origin: &Origin) -> Option<Open> {
        let mut idle = self.idle.lock();
        let (open, _) = idle.by_origin.get_mut(origin)?.pop()?;
        idle.count -= 1;
        Some(open)
    }

    fn keep(self: &Arc<Self>, origin: Origin, open: Open) {
        let mut idle = self.idle.lock();
        if idle.count >= IDLE_MAX {
            idle.make_room();
        }
        idle.count += 1;
        idle.by_origin.entry(origin).or_default().push((open, Instant::now()));
        if !idle.swept {
            idle.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Closes what was idle for too long, until nothing is idle any more.
async fn sweep<C>(connections: Weak<Connections<C>>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(connections) = connections.upgrade() else { return };
        let mut idle = connections.idle.lock();
        let mut count = 0;
        idle.by_origin.retain(|_, kept| {
            kept.retain(|(_, since)| since.elapsed() < IDLE_TIME);
            count += kept.len();
            !kept.is_empty()
        });
        idle.count = count;
        if count == 0 {
            idle.swept = false;
            return;
        }
    }
}

impl Idle {
    /// Closes a connection of some host. A host that is busy has few idle ones,
    /// so it is hardly ever hit.
    fn make_room(&mut self) {
        while self.count >= IDLE_MAX {
            let Some((origin, kept)) = self.by_origin.iter_mut().next() else { return };
            if kept.is_empty() {
                let origin = origin.clone();
                self.by_origin.remove(&origin);
            } else {
                kept.remove(0);
                self.count -= 1;
            }
        }
    }
}

impl Open {
    /// Tells whether the next request may go this way.
    async fn is_well(&mut self) -> bool {
        let Open { sender, machine, over } = self;
        poll_fn(|cx| {
            *over = *over || Pin::new(&mut *machine).poll(cx).is_ready();
            Poll::Ready(!*over && sender.is_ready())
        })
        .await
    }

    /// Sends a request and reads the answer. A request of which nothing was
    /// sent comes back with the error.
    async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        bytes_max: usize,
    ) -> Result<Answer, (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let Open { sender, machine, over } = self;
        let mut talk = pin!(async {
            let answer = sender.try_send_request(request).await.map_err(|mut refused| {
                let unsent = refused.take_message();
                (refused.into_error(), unsent)
            })?;
            let (parts, body) = answer.into_parts();
            let (body, truncated) = read_at_most(body, bytes_max).await.map_err(|error| (error, None))?;
            Ok(Answer { parts, body, truncated })
        });
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(done) = talk.as_mut().poll(cx) {
                    return Poll::Ready(done);
                }
                // What ended the machine, an error or the end of the answer,
                // is what the talk hears next.
                if *over || Pin::new(&mut *machine).poll(cx).is_pending() {
                    return talk.as_mut().poll(cx);
                }
                *over = true;
            }
        })
        .await
    }
}

/// Splits a request into whom it goes to and what is sent there.
fn to_origin(mut request: Request<Full<Bytes>>) -> (Origin, Request<Full<Bytes>>) {
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let scheme = parts.scheme.unwrap_or(Scheme::HTTP);
    let authority = parts.authority.unwrap_or_else(|| Authority::from_static("localhost"));
    let standard = if scheme == Scheme::HTTPS { 443 } else { 80 };
    let host = match authority.port_u16() {
        Some(port) if port != standard => HeaderValue::try_from(format!("{}:{port}", authority.host())),
        _ => HeaderValue::from_str(authority.host()),
    };
    if let Ok(host) = host {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    ((scheme, authority), request)
}

async fn read_at_most(mut body: hyper::body::Incoming, bytes_max: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = bytes_max - read.len();
        read.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            return Ok((read.into(), true));
        }
    }
    Ok((read.into(), false))
}
