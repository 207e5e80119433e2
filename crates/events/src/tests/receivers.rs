//! Everybody's receivers in a simulated life: they write down what they see
//! and complain about what should not be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use base::BoxFuture;
use base::http::{HttpError, Method, Request, Response};
use base::testing::reply;
use bytes::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::simulation::Property;
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
    /// The last offset of which the engine has said that it is durable.
    pub(super) head: u64,
    pub(super) open: Vec<OpenCall>,
    pub(super) readers: BTreeMap<SubscriptionId, Reader>,
    pub(super) complaints: Vec<(Property, String)>,
    pub(super) calls: u64,
    /// Calls with an event that the receiver had.
    pub(super) duplicates: u64,
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
    /// The secrets that it was given, and until when each of them signs.
    pub(super) keys: Vec<(SigningKey, Option<Timestamp>)>,
    /// It has the event, whatever the engine believes.
    pub(super) received: BTreeSet<u64>,
    /// It has said so, and the engine had to heed it: only what it says in the
    /// generation of the call counts, and after a replay it has to say it again.
    pub(super) acknowledged: BTreeSet<u64>,
    /// All up to here it was sent before a replay.
    pub(super) reached: u64,
    /// Acknowledged, and known to an engine that has not crashed since.
    pub(super) settled: BTreeSet<u64>,
    pub(super) bodies: BTreeMap<u64, (String, Bytes)>,
    pub(super) generation: u64,
    pub(super) first_seen: BTreeSet<u64>,
    pub(super) silent: bool,
    /// Its subscription was deleted.
    pub(super) ended: bool,
    /// A verb on it was not answered, and nobody knows whether it counts.
    pub(super) unclear: bool,
    /// All that it ever saw, as a digest.
    pub(super) history: Sha256,
}

impl base::http::Http for Receivers {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        if request.method == Method::HEAD {
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let mut ledger = self.ledger.lock();
        let (subscription, offset) = ledger.note(&request);
        if self.well.load(Ordering::SeqCst) {
            ledger.receive(subscription, offset);
            ledger.acknowledge(subscription, None, offset);
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let (answer, answered) = oneshot::channel();
        let generation = ledger.readers.get(&subscription).map_or(0, |reader| reader.generation);
        ledger.open.push(OpenCall { subscription, generation, offset, answer });
        Box::pin(async { answered.await.expect("only a crash drops an open call, and it drops this future too") })
    }
}

impl Ledger {
    pub(super) fn reader(&mut self, id: SubscriptionId) -> &mut Reader {
        self.readers.get_mut(&id).expect("who asks knows the receiver")
    }

    /// Notes that a receiver has an event.
    pub(super) fn receive(&mut self, id: SubscriptionId, offset: u64) {
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.received.insert(offset);
        }
    }

    /// Notes that a receiver has said so, if the engine will heed the answer: it
    /// does so within the generation of the call.
    pub(super) fn acknowledge(&mut self, id: SubscriptionId, generation: Option<u64>, offset: u64) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        if generation.is_none_or(|generation| generation == reader.generation) {
            reader.acknowledged.insert(offset);
            reader.settled.insert(offset);
        }
    }

    /// Takes an open call to be answered.
    pub(super) fn close(&mut self, place: usize, received: bool, told: bool) -> OpenCall {
        let call = self.open.remove(place);
        if received {
            self.receive(call.subscription, call.offset);
        }
        if told {
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
        let (now, head, mut wrong) = (self.now, self.head, Vec::new());
        let is_second = self.open.iter().any(|call| call.subscription == id);
        // One that was made while the disk failed, and of which nobody ever heard.
        let Some(reader) = self.readers.get_mut(&id) else { return (id, offset) };
        self.calls += 1;
        self.duplicates += u64::from(reader.received.contains(&offset));
        if is_second {
            wrong.push((Property::Order, "two calls at once"));
        }
        if reader.settled.contains(&offset) {
            wrong.push((Property::Cursor, "sent again although it was acknowledged"));
        }
        if reader.silent {
            wrong.push((Property::Silence, "a call although it should be silent"));
        }
        if header("loopwright-replay") != (offset <= reader.reached).to_string() {
            wrong.push((Property::Identity, "a replay is not called one, or something else is"));
        }
        if offset > head {
            wrong.push((Property::Conservation, "a receiver sees what was never made durable"));
        }
        let mut valid = reader.keys.iter().filter(|(_, until)| until.is_none_or(|until| now < until));
        if !valid.all(|(key, _)| key.verify(event, at, signatures, &request.body, now).is_ok()) {
            wrong.push((Property::Signature, "a valid secret does not sign"));
        }
        let content = (event.to_owned(), request.body.clone());
        if *reader.bodies.entry(offset).or_insert_with(|| content.clone()) != content {
            wrong.push((Property::Identity, "another content under the same offset"));
        }
        let last = reader.first_seen.last().copied().unwrap_or(0);
        if reader.first_seen.insert(offset) && offset < last {
            wrong.push((Property::Order, "out of order"));
        }
        for part in [event.as_bytes(), &offset.to_le_bytes(), header("loopwright-attempt").as_bytes(), &request.body] {
            reader.history.update(part);
        }
        self.complaints
            .extend(wrong.into_iter().map(|(property, what)| (property, format!("{id} at {offset}: {what}"))));
        (id, offset)
    }
}
