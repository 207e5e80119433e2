//! The port through which HTTP requests leave.
//!
//! Nobody but the program opens a socket to the outside: the guard against
//! private addresses, the allow-list and the limits live there, in one file.
//! Everyone else holds an `Arc<dyn Http>`; tests hold a
//! [`ScriptedHttp`](crate::testing::ScriptedHttp).

use std::time::Duration;

use bytes::Bytes;
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::BoxFuture;
use crate::error::{Coded, Kind};

/// Begins the address of one of our own listeners, by name: `loopwright://this`
/// and `loopwright://workspace`.
pub const OURSELVES: &str = "loopwright://";

/// A request to be sent.
#[derive(Clone)]
pub struct Request {
    /// GET, POST …
    pub method: Method,
    /// Absolute address, `http` or `https`.
    pub url: String,
    /// Headers as they go out; `Host` and `Content-Length` are added.
    pub headers: HeaderMap,
    /// The body, empty for none.
    pub body: Bytes,
    /// Time for the whole call, the answer's body included.
    pub timeout: Duration,
    /// Bytes of the answer's body that are read; the rest is dropped and
    /// [`Response::truncated`] says so.
    pub response_bytes_max: usize,
    /// How many redirects are followed; none by default.
    pub redirects_max: u8,
}

impl Request {
    /// Makes a request without headers or body: 30 s, 16 MiB, no redirects.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Request {
            method,
            url: url.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(30),
            response_bytes_max: 16 << 20,
            redirects_max: 0,
        }
    }
}

impl Request {
    /// Returns the address as it may be shown: without user, password, query
    /// and fragment, all of which may hold secrets.
    pub fn shown_address(&self) -> String {
        shown(&self.url)
    }
}

/// Returns an address as it may be shown; see [`Request::shown_address`].
pub fn shown(url: &str) -> String {
    let address = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

impl std::fmt::Debug for Request {
    /// Shows method and address only: headers and body may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.shown_address())
    }
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct Response {
    /// 200, 404 …
    pub status: StatusCode,
    /// Headers as they came.
    pub headers: HeaderMap,
    /// The body, at most [`Request::response_bytes_max`] bytes of it.
    pub body: Bytes,
    /// The body was longer than was read.
    pub truncated: bool,
}

impl std::fmt::Debug for Response {
    /// Shows status and length only: an answer may be a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes{})", self.status, self.body.len(), if self.truncated { ", cut" } else { "" })
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not one that can be called.
    #[error("\"{url}\" is not an http or https address")]
    BadAddress {
        /// The address as given, without its query.
        url: String,
    },
    /// The program's egress rules forbid the target.
    #[error("calls to {target} are not allowed: {reason}")]
    Forbidden {
        /// Host, address and port.
        target: String,
        /// Which rule, and how to open it.
        reason: String,
    },
    /// The host's name has no address.
    #[error("cannot find the host \"{host}\"")]
    UnknownHost {
        /// The name.
        host: String,
    },
    /// Nobody accepted the connection.
    #[error("cannot connect to {target}: {detail}")]
    Connect {
        /// Host and port.
        target: String,
        /// What the operating system said.
        detail: String,
    },
    /// The other side's certificate or protocol was not accepted.
    #[error("cannot agree on TLS with {target}: {detail}")]
    Tls {
        /// Host and port.
        target: String,
        /// What the TLS library said.
        detail: String,
    },
    /// The time for the whole call ran out.
    #[error("no complete answer from {target} within {after_ms} ms")]
    Timeout {
        /// Host and port.
        target: String,
        /// How long it was waited for.
        after_ms: u64,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the connection to {target} broke: {detail}")]
    Broken {
        /// Host and port.
        target: String,
        /// What happened.
        detail: String,
    },
}

impl Coded for HttpError {
    fn kind(&self) -> Kind {
        match self {
            HttpError::BadAddress { .. } => Kind::Invalid,
            HttpError::Forbidden { .. } => Kind::Denied,
            _ => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            HttpError::BadAddress { .. } => "http-bad-address",
            HttpError::Forbidden { .. } => "http-forbidden",
            HttpError::UnknownHost { .. } => "http-unknown-host",
            HttpError::Connect { .. } => "http-connect",
            HttpError::Tls { .. } => "http-tls",
            HttpError::Timeout { .. } => "http-timeout",
            HttpError::Broken { .. } => "http-broken",
        }
    }
}

/// Sends requests to the outside.
pub trait Http: Send + Sync {
    /// Sends one request and waits for the whole answer. Any status is an
    /// answer; an error means that there was none.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_request_and_an_answer_holds_no_secret() {
        for (url, expected) in [
            ("https://example.org/a?token=s3cret", "GET https://example.org/a"),
            ("https://user:s3cret@example.org:8443/a/b#s3cret", "GET https://example.org:8443/a/b"),
            ("https://example.org?token=s3cret/@", "GET https://example.org"),
            ("loopwright://this/api", "GET loopwright://this/api"),
            ("no address", "GET no address"),
        ] {
            let mut request = Request::new(Method::GET, url);
            request.headers.insert("authorization", HeaderValue::from_static("Bearer s3cret"));
            assert_eq!(format!("{request:?}"), expected);
        }
        let answer = crate::testing::reply(200, r#"{"access_token": "s3cret"}"#);
        assert_eq!(format!("{answer:?}"), "200 OK (26 bytes)");
    }
}
