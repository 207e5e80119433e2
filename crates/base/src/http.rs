//! The port through which HTTP requests leave.
//!
//! Nobody but the program opens a socket to the outside: the guard against
//! private addresses, the allow-list and the limits live there, in one file.
//! Everyone else holds an `Arc<dyn Http>`; tests hold a
//! [`ScriptedHttp`](crate::testing::ScriptedHttp).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::error::{Coded, Kind};
use crate::{BoxFuture, Secret, causes};

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
    /// What is different about TLS from here to there; nothing by default.
    pub tls: Option<Arc<Tls>>,
}

/// How TLS is spoken where it is not the usual way. It does not concern calls
/// to ourselves.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificates in PEM that are trusted besides the well-known authorities.
    pub authorities: Option<String>,
    /// Whoever answers is believed, whatever certificate it shows.
    pub believes_anybody: bool,
    /// Who we are to the other side.
    pub identity: Option<Identity>,
}

/// A client certificate.
#[derive(Clone)]
pub struct Identity {
    /// The certificate and those that vouch for it, in PEM.
    pub certificates: String,
    /// Its private key, in PEM.
    pub key: Secret,
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
            tls: None,
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

impl Request {
    /// Returns the request that a redirect asks for; nothing if the answer is
    /// none. As browsers do: 307 and 308 repeat the call, the others become a
    /// GET without a body. Credentials, and what led to the call, do not travel
    /// to another host: what says `Authorization` or `Cookie`, and every header
    /// whose value is marked as sensitive. Nor does a client certificate.
    pub fn redirected(&self, response: &Response) -> Option<Request> {
        if !response.status.is_redirection() {
            return None;
        }
        let location = response.headers.get(LOCATION)?.to_str().ok()?;
        let from = url::Url::parse(&self.url).ok()?;
        let to = from.join(location).ok()?;
        // Nobody outside may send us to ourselves, where we are known.
        let scheme = OURSELVES.trim_end_matches("://");
        if to.scheme() == scheme && from.scheme() != scheme {
            return None;
        }
        let mut next = self.clone();
        // The origin of what is not http, such as ourselves, is never the same as another.
        let origin =
            |url: &url::Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
        if origin(&from) != origin(&to) {
            let secret: Vec<HeaderName> = self
                .headers
                .iter()
                .filter(|(name, value)| {
                    value.is_sensitive() || **name == AUTHORIZATION || **name == COOKIE || **name == causes::HEADER
                })
                .map(|(name, _)| name.clone())
                .collect();
            for name in secret {
                next.headers.remove(name);
            }
            next.tls = self.tls.as_ref().map(|tls| Arc::new(Tls { identity: None, ..(**tls).clone() }));
        }
        if !matches!(response.status.as_u16(), 307 | 308) {
            next.method = if self.method == Method::HEAD { Method::HEAD } else { Method::GET };
            next.body = Bytes::new();
            next.headers.remove(CONTENT_TYPE);
        }
        next.url = to.into();
        Some(next)
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

    /// Returns where an address leads that is one of our own listeners, such as
    /// `loopwright://this/api`, under whatever name it was given; nothing where
    /// it is somebody else's.
    fn own_address(&self, url: &str) -> Option<String> {
        url.starts_with(OURSELVES).then(|| url.to_owned())
    }
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

    #[test]
    fn a_redirect_carries_no_secret_to_another_origin() {
        for (from, location, method, expected) in [
            ("https://a.example/x", "/y?z", Method::POST, "GET https://a.example/y?z authorization x-key plain"),
            ("https://a.example/x", "https://b.example/", Method::GET, "GET https://b.example/ plain"),
            ("https://a.example/x", "http://a.example/", Method::GET, "GET http://a.example/ plain"),
            ("https://a.example/x", "https://a.example:8443/", Method::HEAD, "HEAD https://a.example:8443/ plain"),
            (
                "https://a.example/x",
                "https://a.example:443/",
                Method::GET,
                "GET https://a.example/ authorization x-key plain",
            ),
            ("https://a.example/x", "", Method::GET, "GET https://a.example/x authorization x-key plain"),
        ] {
            let mut request = Request::new(method, from);
            let mut secret = HeaderValue::from_static("s3cret");
            request.headers.insert("authorization", secret.clone());
            secret.set_sensitive(true);
            request.headers.insert("x-key", secret);
            request.headers.insert("plain", HeaderValue::from_static("1"));
            request.tls = Some(Arc::new(Tls {
                identity: Some(Identity { certificates: String::new(), key: Secret::new("s3cret") }),
                ..Tls::default()
            }));
            let mut response = crate::testing::reply(302, "");
            response.headers.insert("location", HeaderValue::from_str(location).expect("a header"));
            let next = request.redirected(&response).expect("a redirect");
            let names: Vec<&str> = next.headers.keys().map(HeaderName::as_str).collect();
            assert_eq!(format!("{} {} {}", next.method, next.url, names.join(" ")), expected);
            let has_identity = next.tls.is_some_and(|tls| tls.identity.is_some());
            assert_eq!(has_identity, names.contains(&"x-key"), "{location}");
            response.headers.insert("location", HeaderValue::from_static("loopwright://this/api"));
            assert!(request.redirected(&response).is_none());
            response.status = StatusCode::OK;
            assert!(request.redirected(&response).is_none());
        }
    }
}
