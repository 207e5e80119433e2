//! Handing events to a local port as the server would hand them to a callback.
//!
//! The call goes where the person at the keyboard points it, from this
//! person's machine, so it does not pass the guard of the server's own calls.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base::chance::SystemChance;
use base::time::SystemClock;
use base::{Clock, Secret};
use bytes::Bytes;
use events::signature::{self, SigningKey};
use http::Request;
use http_body_util::{BodyExt, Full};

use super::Event;
use crate::cli::short;
use crate::client;

/// A receiver has this time for an answer, as by default with the server.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// First and longest pause before an event is handed over again.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LONGEST: Duration = Duration::from_secs(30);
/// Pause before a port where nobody listens is tried again.
const PAUSE_KNOCK: Duration = Duration::from_millis(250);
/// Characters of an answer that are shown.
const ANSWER_CHARS: usize = 80;

/// The way to a local port.
pub(super) struct Forward {
    url: http::Uri,
    pool: client::Pool,
    secret: Secret,
    key: SigningKey,
    subscriber: String,
    skip_errors: bool,
    /// The secret was made here, so the person must be told.
    is_new: bool,
    /// Nobody listens at the moment, and the person was told.
    knocking: Cell<bool>,
}

/// How an event was taken.
pub(super) struct Forwarded {
    /// Nothing if there was no answer, and the event was passed over.
    pub(super) status: Option<u16>,
    pub(super) took_ms: u128,
}

/// How one call ended.
enum Ended {
    Answered(http::StatusCode, Bytes),
    /// Nobody listens.
    NotThere,
    Broken(String),
}

impl Forward {
    pub(super) fn new(url: &str, secret: Option<&str>, subscriber: &str, skip_errors: bool) -> Result<Self> {
        // `localhost:3000/hook` is what a person types.
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let url: http::Uri = url.parse().with_context(|| format!("\"{url}\" is not an address to forward to"))?;
        let given = secret.map(|secret| Secret::new(secret.trim()));
        let is_new = given.is_none();
        let secret = given.unwrap_or_else(|| signature::new_secret(&SystemChance));
        let key = SigningKey::new(&secret).context("the secret cannot be used")?;
        let knocking = Cell::new(false);
        let subscriber = subscriber.to_owned();
        Ok(Forward { url, pool: client::pool(), secret, key, subscriber, skip_errors, is_new, knocking })
    }

    /// Says what a receiver must know.
    pub(super) fn introduction(&self) -> String {
        let secret = if self.is_new { self.secret.expose() } else { "the given secret" };
        format!("forwarding to {}, signed with {secret}", self.url)
    }

    /// Hands an event over, again and again until it is taken or passed over,
    /// and tells each try.
    pub(super) async fn hand_over(&self, event: &Event, mut tell: impl FnMut(&str)) -> Result<Forwarded> {
        let mut attempt = 0;
        let mut pause = PAUSE_FIRST;
        loop {
            let begun = Instant::now();
            let ended = self.call(event, attempt + 1).await?;
            let took_ms = begun.elapsed().as_millis();
            if let Ended::NotThere = ended {
                // Not a try: nobody was there to make anything of it.
                if !self.knocking.replace(true) {
                    tell(&format!("waiting for {} …", self.url));
                }
                tokio::time::sleep(PAUSE_KNOCK).await;
                continue;
            }
            self.knocking.set(false);
            attempt += 1;
            let (status, said) = match &ended {
                Ended::Answered(status, _) if status.is_success() => {
                    tell(&format!("→ {} in {took_ms} ms", status.as_u16()));
                    return Ok(Forwarded { status: Some(status.as_u16()), took_ms });
                }
                Ended::Answered(status, body) => {
                    let said = short(&String::from_utf8_lossy(body), ANSWER_CHARS);
                    (Some(status.as_u16()), format!("{} in {took_ms} ms  {said}", status.as_u16()))
                }
                Ended::Broken(detail) => (None, detail.clone()),
                Ended::NotThere => unreachable!("it was dealt with above"),
            };
            if self.skip_errors {
                tell(&format!("→ {said}  passed over"));
                return Ok(Forwarded { status, took_ms });
            }
            tell(&format!("→ {said}  again in {} s", pause.as_secs()));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_LONGEST);
        }
    }

    async fn call(&self, event: &Event, attempt: u32) -> Result<Ended> {
        let now = SystemClock.now();
        let body = Bytes::copy_from_slice(event.body.get().as_bytes());
        let request = Request::post(self.url.clone())
            .header("content-type", "application/json")
            .header("user-agent", "Loopwright")
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", now.as_millis().div_euclid(1_000))
            .header("webhook-signature", self.key.sign(&event.id, now, &body))
            .header("loopwright-subscription", &self.subscriber)
            .header("loopwright-offset", event.offset)
            .header("loopwright-attempt", attempt)
            .header("loopwright-replay", "false")
            .body(Full::new(body))
            .with_context(|| format!("{} cannot be called", self.url))?;
        let exchange = async {
            let answer = match self.pool.request(request).await {
                Ok(answer) => answer,
                Err(error) if error.is_connect() => return Ended::NotThere,
                Err(error) => return Ended::Broken(format!("no answer: {error}")),
            };
            let status = answer.status();
            match answer.into_body().collect().await {
                Ok(body) => Ended::Answered(status, body.to_bytes()),
                Err(error) => Ended::Broken(format!("the answer broke off: {error}")),
            }
        };
        Ok(match tokio::time::timeout(CALL_TIMEOUT, exchange).await {
            Ok(ended) => ended,
            Err(_) => Ended::Broken(format!("no answer within {} s", CALL_TIMEOUT.as_secs())),
        })
    }
}
