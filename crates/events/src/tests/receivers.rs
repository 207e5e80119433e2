//! Everybody's receivers in a simulated life: they write down what they see
//! and complain about what should not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use base::BoxFuture;
use base::http::{HttpError, Method, Request, Response};
use base::testing::reply;
use bytes::Bytes;
use parking_lot::Mutex;
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
    pub(super) open: Vec<OpenCall>,
    pub(super) readers: BTreeMap<SubscriptionId, Reader>,
    pub(super) complaints: Vec<String>,
}

/// A call that waits for its answer.
pub(super) struct OpenCall {
    pub(super) subscription: SubscriptionId,
    pub(super) generation: u64,
    pub(super) offset: u64,
    pub(super) answer: oneshot::Sender<Result<Response, HttpError>>,
}

/// What one receiver knows.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) key: Option<SigningKey>,
    pub(super) acknowledged: BTreeSet<u64>,
    /// Acknowledged, and known to an engine that has not crashed since.
    pub(super) settled: BTreeSet<u64>,
    pub(super) bodies: BTreeMap<u64, (String, Bytes)>,
    pub(super) generation: u64,
    pub(super) first_seen: BTreeSet<u64>,
    pub(super) silent: bool,
}

impl base::http::Http for Receivers {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        if request.method == Method::HEAD {
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let mut ledger = self.ledger.lock();
        let (subscription, offset) = ledger.note(&request);
        if self.well.load(Ordering::SeqCst) {
            ledger.acknowledge(subscription, None, offset);
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let (answer, answered) = oneshot::channel();
        let generation = ledger.reader(subscription).generation;
        ledger.open.push(OpenCall { subscription, generation, offset, answer });
        Box::pin(async { answered.await.expect("only a crash drops an open call, and it drops this future too") })
    }
}

impl Ledger {
    pub(super) fn reader(&mut self, id: SubscriptionId) -> &mut Reader {
        self.readers.entry(id).or_default()
    }

    /// Notes that a receiver has an event, and whether the engine will heed
    /// the answer: it does so within the generation of the call.
    pub(super) fn acknowledge(&mut self, id: SubscriptionId, generation: Option<u64>, offset: u64) {
        let reader = self.reader(id);
        reader.acknowledged.insert(offset);
        if generation.is_none_or(|generation| generation == reader.generation) {
            reader.settled.insert(offset);
        }
    }

    /// Takes an open call to be answered.
    pub(super) fn close(&mut self, place: usize, with_success: bool) -> OpenCall {
        let call = self.open.remove(place);
        if with_success {
            self.acknowledge(call.subscription, Some(call.generation), call.offset);
        }
        call
    }

    /// Notes that the engine crashed: nobody waits for an answer any more, and
    /// what it had not saved it will do again.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        for reader in self.readers.values_mut() {
            reader.settled.clear();
        }
    }

    /// Looks at a call that begins.
    pub(super) fn note(&mut self, request: &Request) -> (SubscriptionId, u64) {
        let header = |name: &str| request.headers[name].to_str().expect("our headers are text");
        let id: SubscriptionId = header("loopwright-subscription").parse().expect("an id");
        let offset: u64 = header("loopwright-offset").parse().expect("an offset");
        let (event, at, signatures) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
        let (now, mut wrong) = (self.now, Vec::new());
        if self.open.iter().any(|call| call.subscription == id) {
            wrong.push("two calls at once");
        }
        let reader = self.reader(id);
        if reader.settled.contains(&offset) {
            wrong.push("sent again although it was acknowledged");
        }
        if reader.silent {
            wrong.push("a call although it should be silent");
        }
        let key = reader.key.as_ref().expect("the secret was read before the first call");
        if key.verify(event, at, signatures, &request.body, now).is_err() {
            wrong.push("a wrong signature");
        }
        let content = (event.to_owned(), request.body.clone());
        if *reader.bodies.entry(offset).or_insert_with(|| content.clone()) != content {
            wrong.push("another content under the same offset");
        }
        let last = reader.first_seen.last().copied().unwrap_or(0);
        if reader.first_seen.insert(offset) && offset < last {
            wrong.push("out of order");
        }
        self.complaints.extend(wrong.into_iter().map(|what| format!("{id} at {offset}: {what}")));
        (id, offset)
    }
}
