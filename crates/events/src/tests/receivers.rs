//! Everybody's receivers in a simulated life: they write down what they see
//! and complain about what should not be.
//!
//! A call carries the events of an *extent*, from the first to the last; by
//! default these are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};

use base::BoxFuture;
use base::http::{HttpError, Method, Request, Response};
use base::testing::reply;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::*;
use crate::signature::SigningKey;

/// Everybody's receivers, behind one port.
#[derive(Default)]
pub(super) struct Receivers {
    pub(super) well: AtomicBool,
    pub(super) ledger: Mutex<Ledger>,
}

/// What the receivers saw, and what is wrong with it.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) now: Timestamp,
    /// So many calls may be open at a time.
    pub(super) calls_max: usize,
    pub(super) open: Vec<OpenCall>,
    pub(super) readers: BTreeMap<SubscriptionId, Reader>,
    pub(super) complaints: Vec<String>,
}

/// The offsets of the events that a call carries.
pub(super) type Extent = RangeInclusive<u64>;

/// A call that waits for its answer.
pub(super) struct OpenCall {
    pub(super) subscription: SubscriptionId,
    pub(super) generation: u64,
    pub(super) extent: Extent,
    pub(super) answer: oneshot::Sender<Result<Response, HttpError>>,
}

/// What one receiver knows.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) key: Option<SigningKey>,
    pub(super) acknowledged: BTreeSet<u64>,
    /// Acknowledged, and known to an engine that has not crashed since.
    pub(super) settled: BTreeSet<u64>,
    /// What each event looked like.
    pub(super) events: BTreeMap<u64, Box<RawValue>>,
    /// What each call looked like, by its extent.
    pub(super) calls: BTreeMap<(u64, u64), (String, Bytes)>,
    pub(super) generation: u64,
    pub(super) first_seen: BTreeSet<u64>,
    pub(super) silent: bool,
    pub(super) policy: Policy,
    /// The first event of a call that failed, until something changes.
    pub(super) failed_at: Option<u64>,
    /// When the calls of the last second began.
    pub(super) began: Vec<Timestamp>,
}

impl base::http::Http for Receivers {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        if request.method == Method::HEAD {
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let mut ledger = self.ledger.lock();
        let (subscription, extent) = ledger.note(&request);
        if self.well.load(Ordering::SeqCst) {
            ledger.acknowledge(subscription, None, extent);
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let (answer, answered) = oneshot::channel();
        let generation = ledger.reader(subscription).generation;
        ledger.open.push(OpenCall { subscription, generation, extent, answer });
        Box::pin(async { answered.await.expect("only a crash drops an open call, and it drops this future too") })
    }
}

impl Ledger {
    pub(super) fn reader(&mut self, id: SubscriptionId) -> &mut Reader {
        self.readers.entry(id).or_default()
    }

    /// Notes that a receiver has what a call carried, and whether the engine
    /// will heed the answer: it does so within the generation of the call.
    pub(super) fn acknowledge(&mut self, id: SubscriptionId, generation: Option<u64>, extent: Extent) {
        let reader = self.reader(id);
        reader.acknowledged.extend(extent.clone());
        if generation.is_none_or(|generation| generation == reader.generation) {
            reader.settled.extend(extent);
            reader.failed_at = None;
        }
    }

    /// Takes an open call to be answered.
    pub(super) fn close(&mut self, place: usize, with_success: bool) -> OpenCall {
        let call = self.open.remove(place);
        if with_success {
            self.acknowledge(call.subscription, Some(call.generation), call.extent.clone());
        } else {
            let reader = self.reader(call.subscription);
            if call.generation == reader.generation {
                reader.failed_at = Some(*call.extent.start());
            }
        }
        call
    }

    /// Notes that the engine crashed: nobody waits for an answer any more, and
    /// what it had not saved it will do again.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        for reader in self.readers.values_mut() {
            reader.settled.clear();
            reader.failed_at = None;
        }
    }

    /// Notes that the clock was set back: a second is no longer a second.
    pub(super) fn set_back(&mut self) {
        for reader in self.readers.values_mut() {
            reader.began.clear();
        }
    }

    /// Looks at a call that begins.
    pub(super) fn note(&mut self, request: &Request) -> (SubscriptionId, Extent) {
        let header = |name: &str| request.headers[name].to_str().expect("our headers are text");
        let id: SubscriptionId = header("loopwright-subscription").parse().expect("an id");
        let offsets = header("loopwright-offset");
        let (first, last) = offsets.split_once('-').unwrap_or((offsets, offsets));
        let (first, last): (u64, u64) = (first.parse().expect("an offset"), last.parse().expect("an offset"));
        let (call, at, signatures) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let (now, mut wrong) = (self.now, Vec::new());
        if self.open.iter().any(|call| call.subscription == id) {
            wrong.push("two calls at once");
        }
        if self.open.len() >= self.calls_max {
            wrong.push("more calls than slots");
        }
        let reader = self.reader(id);
        if (first..=last).any(|offset| reader.settled.contains(&offset)) {
            wrong.push("sent again although it was acknowledged");
        }
        if reader.silent {
            wrong.push("a call although it should be silent");
        }
        let key = reader.key.as_ref().expect("the secret was read before the first call");
        if key.verify(call, at, signatures, &request.body, now).is_err() {
            wrong.push("a wrong signature");
        }
        let content = (call.to_owned(), request.body.clone());
        if *reader.calls.entry((first, last)).or_insert_with(|| content.clone()) != content {
            wrong.push("another content under the same extent");
        }
        let events: Vec<Box<RawValue>> = if reader.policy.batch_events_max > 1 {
            serde_json::from_slice(&request.body).expect("an array")
        } else {
            vec![serde_json::from_slice(&request.body).expect("an object")]
        };
        if events.len() as u64 != last + 1 - first || events.len() > reader.policy.batch_events_max as usize {
            wrong.push("a wrong number of events");
        }
        for (offset, event) in (first..=last).zip(events) {
            if reader.events.entry(offset).or_insert_with(|| event.clone()).get() != event.get() {
                wrong.push("another content under the same offset");
            }
        }
        let last_seen = reader.first_seen.last().copied().unwrap_or(0);
        if (first..=last).any(|offset| reader.first_seen.insert(offset) && offset < last_seen) {
            wrong.push("out of order");
        }
        if reader.failed_at == Some(first) && last > first {
            wrong.push("a batch although its first event was to be tried alone");
        }
        reader.began.retain(|began| now.since(*began) < Duration::from_secs(1));
        reader.began.push(now);
        // The limit, and as much again that was saved up.
        if reader.policy.rate_per_second.is_some_and(|rate| reader.began.len() > 2 * rate as usize) {
            wrong.push("more calls within a second than the limit allows");
        }
        self.complaints.extend(wrong.into_iter().map(|what| format!("{id} at {offsets}: {what}")));
        (id, first..=last)
    }
}
