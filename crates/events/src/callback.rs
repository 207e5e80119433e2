//! Where events go.
//!
//! A callback is parsed at the door: whoever holds a [`Callback`] holds an
//! address that may be called and headers that may be sent. The headers often
//! carry a token, so their values are secrets: sealed at rest, opened only to
//! send them, and never given back to anyone.

use std::fmt;

use base::causes::Link;
use base::http::{HeaderMap, HeaderName, HeaderValue};
use base::{BoxFuture, Causes, Secret, Timestamp};
use bytes::Bytes;
use url::Url;

use crate::error::Error;
use crate::event::{EventId, Offset, TriggerRef};

/// Longest address, in characters.
const URI_CHARS_MAX: usize = 1_024;
/// Names and values of all headers together.
const HEADER_BYTES_MAX: usize = 8_192;
/// What a caller may set, besides names that begin with `x-`.
const HEADERS_ALLOWED: [&str; 5] = ["authorization", "content-type", "user-agent", "host", "accept"];

/// What a subscription delivers to, as its owner may see it.
#[derive(Clone, PartialEq, Eq)]
pub enum Sink {
    /// A receiver that is called over HTTP.
    Https {
        /// Its address.
        uri: String,
    },
    /// A hook of this program; see [`LocalSink`].
    Local {
        /// The hook's name.
        hook: String,
    },
}

impl fmt::Debug for Sink {
    /// Shows no secret: what is debugged ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sink::Https { uri } => write!(f, "Https({})", shown(uri)),
            Sink::Local { hook } => write!(f, "Local({hook})"),
        }
    }
}

/// An HTTP receiver: its address, and the headers that it wants to see.
#[derive(Clone)]
pub struct Callback {
    uri: String,
    headers: Vec<(HeaderName, Secret)>,
}

impl Callback {
    /// Checks an address and headers. `https` is asked for unless `allow_http`.
    pub fn parse(uri: &str, headers: &[(String, Secret)], allow_http: bool) -> Result<Self, Error> {
        let illegal = |reason: &'static str| Error::UriIllegal { uri: shown(uri), reason };
        if uri.is_empty() || uri.chars().count() > URI_CHARS_MAX {
            return Err(illegal("it must have 1 to 1024 characters"));
        }
        let url = Url::parse(uri).map_err(|_| illegal("it is not an absolute address"))?;
        match url.scheme() {
            "https" => {}
            "http" if allow_http => {}
            "http" => return Err(illegal("it must begin with https")),
            _ => return Err(illegal("it is neither http nor https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(illegal("credentials belong into a header"));
        }
        Ok(Callback { uri: uri.to_owned(), headers: parse_headers(headers)? })
    }

    /// Returns the address.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns the headers, ready to be sent.
    pub(crate) fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let mut value = HeaderValue::from_str(value.expose()).expect("values were checked at the door");
            value.set_sensitive(true);
            map.insert(name.clone(), value);
        }
        map
    }

    /// Writes the headers as the text that is sealed.
    pub(crate) fn headers_text(&self) -> Secret {
        let pairs: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        Secret::new(serde_json::to_string(&pairs).expect("pairs of texts have a JSON form"))
    }

    /// Rebuilds what was stored; it was checked when it came in.
    pub(crate) fn restore(uri: String, headers_text: &Secret) -> Option<Self> {
        let pairs: Vec<(String, String)> = serde_json::from_str(headers_text.expose()).ok()?;
        let mut headers = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            headers.push((HeaderName::try_from(name).ok()?, Secret::new(value)));
        }
        Some(Callback { uri, headers })
    }
}

impl fmt::Debug for Callback {
    /// Shows the address as far as it may be shown, and no header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callback({}, {} headers)", shown(&self.uri), self.headers.len())
    }
}

fn parse_headers(headers: &[(String, Secret)]) -> Result<Vec<(HeaderName, Secret)>, Error> {
    let mut parsed: Vec<(HeaderName, Secret)> = Vec::with_capacity(headers.len());
    let mut bytes = 0;
    for (name, value) in headers {
        if name.trim().is_empty() || value.expose().trim().is_empty() {
            return Err(Error::EmptyHeader);
        }
        bytes += name.len() + value.expose().len();
        let refused = |reason: &'static str| Error::HeaderRefused { name: name.clone(), reason };
        let header = HeaderName::try_from(name.as_str()).map_err(|_| refused("it is not a header name"))?;
        if !HEADERS_ALLOWED.contains(&header.as_str()) && !header.as_str().starts_with("x-") {
            return Err(refused(
                "only Authorization, Content-Type, User-Agent, Host, Accept and names that begin with X- may be set",
            ));
        }
        if HeaderValue::from_str(value.expose()).is_err() {
            return Err(refused("its value has characters that no header can carry"));
        }
        if parsed.iter().any(|(known, _)| *known == header) {
            return Err(refused("it is given twice"));
        }
        parsed.push((header, value.clone()));
    }
    if bytes > HEADER_BYTES_MAX {
        return Err(Error::HeadersTooLong { bytes, bytes_max: HEADER_BYTES_MAX });
    }
    Ok(parsed)
}

/// Returns an address as it may be shown: an error text travels far, and a
/// token may be in the query, a password before the `@`. Where there is an `@`
/// that may end a password, all before it is left out, even if it is more.
pub(crate) fn shown(uri: &str) -> String {
    let is_clean = Url::parse(uri).is_ok_and(|url| url.username().is_empty() && url.password().is_none());
    let without_credentials = match uri.split_once("://").zip(uri.rsplit_once('@')) {
        Some(((scheme, _), (_, rest))) if !is_clean => format!("{scheme}://{rest}"),
        _ => uri.to_owned(),
    };
    let address = without_credentials.split(['?', '#']).next().unwrap_or_default();
    address.chars().take(200).collect()
}

/// An event on its way into a hook of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalDelivery {
    /// The trigger that fired.
    pub trigger: TriggerRef,
    /// The event's position. (hook, trigger, offset) names a delivery: storing
    /// it a second time must change nothing.
    pub offset: Offset,
    /// The event's id.
    pub event_id: EventId,
    /// When the condition became true.
    pub at: Timestamp,
    /// The same JSON text that a callback would receive.
    pub body: Bytes,
}

impl LocalDelivery {
    /// Returns what led to whatever is done because of this event: what led to
    /// the event, as its field `causes` says, and the event itself.
    pub fn causes(&self) -> Causes {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let event = &body["event"];
        // The record may have an attribute of that name; ours stands behind it.
        let mut fields = event["fields"].as_array().into_iter().flatten().rev();
        let chain = fields.find(|field| field["id"] == "causes").and_then(|field| field["value"].as_str());
        let before = chain.and_then(|text| Causes::parse(text).ok()).unwrap_or_default();
        let record = event["identifier"].as_str().unwrap_or_default();
        before.then(Link::new([&self.trigger.knowledge_model, &self.trigger.trigger, record]))
    }
}

/// Says that a hook's queue has no room now. The delivery is tried again
/// later, for as long as it takes: a local subscription never fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hook has no room now")]
pub struct Busy;

/// Stores events in the hooks of this program.
pub trait LocalSink: Send + Sync {
    /// Stores a delivery durably; `Ok` means that it will not be lost. The
    /// engine tries nothing else of this hook and trigger meanwhile. If it takes
    /// longer than the subscription's timeout, the future is dropped and the
    /// hook counts as [`Busy`]: the same offset comes again.
    fn deliver(&self, hook: &str, delivery: LocalDelivery) -> BoxFuture<'_, Result<(), Busy>>;
}

/// The sink of a program that has no hooks: it is always busy.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl LocalSink for NoHooks {
    fn deliver(&self, _hook: &str, _delivery: LocalDelivery) -> BoxFuture<'_, Result<(), Busy>> {
        Box::pin(async { Err(Busy) })
    }
}
