//! A sink made ready for use: secrets opened, keys prepared.
//!
//! Opening a seal and preparing a key cost more than a signature, so both are
//! done once, when a subscription takes its seat, and not at every call.

use std::sync::Arc;
use std::time::Duration;

use base::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use base::secret::KeyRing;
use base::{Chance, Secret, Timestamp, error};
use bytes::Bytes;

use crate::callback::{Callback, LocalDelivery, Sink};
use crate::delivery::{ANSWER_BYTES_KEPT, Attempt, Verdict, detail_of, outcome_of};
use crate::diagram::Outcome;
use crate::error::Error;
use crate::event::TriggerRef;
use crate::events::Ports;
use crate::load::Load;
use crate::signature::{self, SigningKey};
use crate::subscription::SubscriptionId;
use crate::tables::{Stored, StoredSecret};

/// An answer is read up to here; what is kept of it is less.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Where the calls of one subscription go.
pub(crate) enum Outlet {
    /// To a receiver.
    Https { uri: String, headers: HeaderMap, keys: Vec<ValidKey> },
    /// Into a hook of this program.
    Local { hook: String },
}

/// A key, and how long it signs.
pub(crate) struct ValidKey {
    key: SigningKey,
    valid_until: Option<Timestamp>,
}

/// One call, ready to be made.
pub(crate) struct Call {
    pub(crate) subscription: SubscriptionId,
    pub(crate) trigger: Arc<TriggerRef>,
    pub(crate) generation: u64,
    pub(crate) number: u32,
    pub(crate) replay: bool,
    pub(crate) load: Load,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) timeout: Duration,
}

/// A call that came to an end.
pub(crate) struct Finished {
    pub(crate) subscription: SubscriptionId,
    pub(crate) outcome: Outcome,
    /// The attempt as it goes into the log; the verdict is not known yet.
    pub(crate) attempt: Attempt,
}

impl Outlet {
    /// Opens what a stored subscription keeps sealed.
    pub(crate) fn open(keys: &KeyRing, stored: &Stored, secrets: &[StoredSecret]) -> Result<Self, Error> {
        let id = stored.subscription.id;
        let sealed = |source| Error::Sealed { id, source };
        let uri = match &stored.subscription.sink {
            Sink::Local { hook } => return Ok(Outlet::Local { hook: hook.clone() }),
            Sink::Https { uri } => uri.clone(),
        };
        let text = keys.open(&headers_purpose(id), &stored.headers_sealed).map_err(sealed)?;
        let callback = Callback::restore(uri, &text).ok_or(base::db::Error::Shape { column: 0 })?;
        let mut valid = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let text = keys.open(&secret_purpose(id), &secret.sealed).map_err(sealed)?;
            let key = SigningKey::new(&text).map_err(|_| base::db::Error::Shape { column: 1 })?;
            valid.push(ValidKey { key, valid_until: secret.valid_until });
        }
        Ok(Outlet::Https { uri: callback.uri().to_owned(), headers: callback.header_map(), keys: valid })
    }
}

/// Seals the headers of a callback.
pub(crate) fn seal_headers(keys: &KeyRing, id: SubscriptionId, callback: &Callback, chance: &dyn Chance) -> Vec<u8> {
    keys.seal(&headers_purpose(id), &callback.headers_text(), chance)
}

/// Seals a signing secret.
pub(crate) fn seal_secret(keys: &KeyRing, id: SubscriptionId, secret: &Secret, chance: &dyn Chance) -> Vec<u8> {
    keys.seal(&secret_purpose(id), secret, chance)
}

/// Opens a signing secret.
pub(crate) fn open_secret(keys: &KeyRing, id: SubscriptionId, secret: &StoredSecret) -> Result<Secret, Error> {
    keys.open(&secret_purpose(id), &secret.sealed).map_err(|source| Error::Sealed { id, source })
}

// The id is part of the purpose: a seal that is copied to another
// subscription's row does not open there.
fn headers_purpose(id: SubscriptionId) -> String {
    format!("events.headers/{id}")
}

fn secret_purpose(id: SubscriptionId) -> String {
    format!("events.secret/{id}")
}

impl Call {
    /// Makes the call and returns how it ended. The timestamp is taken here,
    /// when the request is about to leave, and not when it was planned.
    pub(crate) async fn make(self, ports: Ports) -> Finished {
        let started_at = ports.clock.now();
        let body = self.load.body(self.subscription, &self.trigger);
        let (outcome, status, detail, answer) = match &*self.outlet {
            Outlet::Https { uri, headers, keys } => {
                let request = self.request(uri, headers, keys, body, started_at);
                let answered = ports.http.send(request).await;
                let outcome = outcome_of(&answered, ports.clock.now());
                match answered {
                    Ok(response) => {
                        let detail = detail_of(outcome, response.status);
                        (outcome, Some(response.status.as_u16()), detail, beginning_of(&response.body))
                    }
                    Err(failure) => (outcome, None, error::chain(&failure).to_string(), String::new()),
                }
            }
            Outlet::Local { hook } => {
                let event = self.load.first();
                let delivery = LocalDelivery {
                    trigger: TriggerRef::clone(&self.trigger),
                    offset: event.offset,
                    event_id: event.id,
                    at: event.at,
                    body,
                };
                match tokio::time::timeout(self.timeout, ports.local.deliver(hook, delivery)).await {
                    Ok(Ok(())) => (Outcome::Delivered, None, String::new(), String::new()),
                    Ok(Err(busy)) => (Outcome::Busy, None, busy.to_string(), String::new()),
                    Err(_) => {
                        let detail = format!("the hook did not answer within {} ms", self.timeout.as_millis());
                        (Outcome::Busy, None, detail, String::new())
                    }
                }
            }
        };
        let took = ports.clock.now().since(started_at);
        let attempt = Attempt {
            generation: self.generation,
            offset: self.load.first().offset,
            through: self.load.through(),
            event_id: self.load.first().id,
            number: self.number,
            started_at,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            verdict: Verdict::Late,
            status,
            detail,
            answer,
            next_at: None,
        };
        Finished { subscription: self.subscription, outcome, attempt }
    }

    fn request(&self, uri: &str, headers: &HeaderMap, keys: &[ValidKey], body: Bytes, at: Timestamp) -> Request {
        const NAMES: [HeaderName; 7] = [
            HeaderName::from_static("webhook-id"),
            HeaderName::from_static("webhook-timestamp"),
            HeaderName::from_static("webhook-signature"),
            HeaderName::from_static("loopwright-subscription"),
            HeaderName::from_static("loopwright-offset"),
            HeaderName::from_static("loopwright-attempt"),
            HeaderName::from_static("loopwright-replay"),
        ];
        let id = self.load.id();
        let valid = keys.iter().filter(|valid| valid.valid_until.is_none_or(|until| at < until));
        let signatures: Vec<String> = valid.map(|valid| valid.key.sign(&id, at, &body)).collect();
        let values = [
            id,
            signature::seconds(at).to_string(),
            signatures.join(" "),
            self.subscription.to_string(),
            self.load.offsets(),
            self.number.to_string(),
            self.replay.to_string(),
        ];
        let mut request = Request::new(Method::POST, uri);
        request.headers = headers.clone();
        request.headers.entry("content-type").or_insert(HeaderValue::from_static("application/json"));
        request.headers.entry("user-agent").or_insert(HeaderValue::from_static("Loopwright"));
        for (name, value) in NAMES.into_iter().zip(values) {
            let value = HeaderValue::try_from(value).expect("ids, numbers and base64 fit into a header");
            request.headers.insert(name, value);
        }
        request.body = body;
        request.timeout = self.timeout;
        request.response_bytes_max = ANSWER_BYTES_MAX;
        request
    }
}

/// Keeps the first bytes of an answer as text. A zero byte has no place in a
/// text column.
fn beginning_of(body: &[u8]) -> String {
    let kept = &body[..body.len().min(ANSWER_BYTES_KEPT)];
    String::from_utf8_lossy(kept).replace('\0', "\u{fffd}")
}
