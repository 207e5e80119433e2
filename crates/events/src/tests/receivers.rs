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
    /// So many calls may be open at a time.
    pub(super) calls_max: usize,
    pub(super) open: Vec<OpenCall>,
    pub(super) readers: BTreeMap<SubscriptionId, Reader>,
    pub(super) complaints: Vec<(Property, String)>,
    pub(super) calls: u64,
    /// Calls that carried more than one event.
    pub(super) batches: u64,
    /// Events in calls that the receiver had.
    pub(super) duplicates: u64,
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
    /// What each event looks like, in whatever form it comes.
    pub(super) events: BTreeMap<u64, Box<RawValue>>,
    /// What each call looked like, by its form and extent.
    pub(super) bodies: BTreeMap<(bool, u64, u64), (String, Bytes)>,
    /// What each event is called, alone or as the first of a batch.
    pub(super) ids: BTreeMap<u64, String>,
    pub(super) policy: Policy,
    /// The first event of a call that failed, until something changes.
    pub(super) failed_at: Option<u64>,
    /// When the calls of the last second began.
    pub(super) began: Vec<Timestamp>,
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
        let (subscription, extent) = ledger.note(&request);
        if self.well.load(Ordering::SeqCst) {
            ledger.receive(subscription, &extent);
            ledger.acknowledge(subscription, None, &extent);
            return Box::pin(async { Ok(reply(200, "")) });
        }
        let (answer, answered) = oneshot::channel();
        let generation = ledger.readers.get(&subscription).map_or(0, |reader| reader.generation);
        ledger.open.push(OpenCall { subscription, generation, extent, answer });
        Box::pin(async { answered.await.expect("only a crash drops an open call, and it drops this future too") })
    }
}

impl Ledger {
    pub(super) fn reader(&mut self, id: SubscriptionId) -> &mut Reader {
        self.readers.get_mut(&id).expect("who asks knows the receiver")
    }

    /// Notes that a receiver has what a call carried.
    pub(super) fn receive(&mut self, id: SubscriptionId, extent: &Extent) {
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.received.extend(extent.clone());
        }
    }

    /// Notes that a receiver has said so, if the engine will heed the answer: it
    /// does so within the generation of the call.
    pub(super) fn acknowledge(&mut self, id: SubscriptionId, generation: Option<u64>, extent: &Extent) {
        let Some(reader) = self.readers.get_mut(&id) else { return };
        if generation.is_none_or(|generation| generation == reader.generation) {
            reader.acknowledged.extend(extent.clone());
            reader.settled.extend(extent.clone());
            reader.failed_at = None;
        }
    }

    /// Takes an open call to be answered.
    pub(super) fn close(&mut self, place: usize, received: bool, told: bool) -> OpenCall {
        let call = self.open.remove(place);
        if received {
            self.receive(call.subscription, &call.extent);
        }
        if told {
            self.acknowledge(call.subscription, Some(call.generation), &call.extent);
        } else if let Some(reader) = self.readers.get_mut(&call.subscription)
            && call.generation == reader.generation
        {
            reader.failed_at = Some(*call.extent.start());
        }
        call
    }

    /// Notes that the engine crashed: nobody waits for an answer any more, and
    /// what it had not saved it will do again.
    pub(super) fn forget(&mut self) {
        self.hang_up();
        for reader in self.readers.values_mut() {
            reader.settled.clear();
        }
    }

    /// Notes that the engine is another one.
    pub(super) fn hang_up(&mut self) {
        self.open.clear();
        for reader in self.readers.values_mut() {
            reader.failed_at = None;
        }
    }

    /// Notes that the clock was set: a second is no longer a second.
    pub(super) fn clock_is_set(&mut self) {
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
        let (now, head, mut wrong) = (self.now, self.head, Vec::new());
        let is_second = self.open.iter().any(|call| call.subscription == id);
        let too_many = self.open.len() >= self.calls_max;
        // One that was made while the disk failed, and of which nobody ever heard.
        let Some(reader) = self.readers.get_mut(&id) else { return (id, first..=last) };
        self.calls += 1;
        self.batches += u64::from(first < last);
        self.duplicates += (first..=last).filter(|offset| reader.received.contains(offset)).count() as u64;
        if is_second {
            wrong.push((Property::Order, "two calls at once"));
        }
        if too_many {
            wrong.push((Property::Bounds, "more calls than slots"));
        }
        if (first..=last).any(|offset| reader.settled.contains(&offset)) {
            wrong.push((Property::Cursor, "sent again although it was acknowledged"));
        }
        if reader.silent {
            wrong.push((Property::Silence, "a call although it should be silent"));
        }
        // What is new does not travel with what was seen before.
        if [first, last].iter().any(|offset| header("loopwright-replay") != (*offset <= reader.reached).to_string()) {
            wrong.push((Property::Identity, "a replay is not called one, or something else is"));
        }
        if last > head {
            wrong.push((Property::Conservation, "a receiver sees what was never made durable"));
        }
        let mut valid = reader.keys.iter().filter(|(_, until)| until.is_none_or(|until| now < until));
        if !valid.all(|(key, _)| key.verify(call, at, signatures, &request.body, now).is_ok()) {
            wrong.push((Property::Signature, "a valid secret does not sign"));
        }
        wrong
            .extend(reader.read((first, last), call, &request.body).into_iter().map(|what| (Property::Identity, what)));
        let last_seen = reader.first_seen.last().copied().unwrap_or(0);
        if (first..=last).any(|offset| reader.first_seen.insert(offset) && offset < last_seen) {
            wrong.push((Property::Order, "out of order"));
        }
        wrong.extend(reader.paced((first, last), now).into_iter().map(|what| (Property::Bounds, what)));
        for part in [call, offsets, header("loopwright-attempt")] {
            reader.history.update(part.as_bytes());
        }
        reader.history.update(&request.body);
        self.complaints
            .extend(wrong.into_iter().map(|(property, what)| (property, format!("{id} at {offsets}: {what}"))));
        (id, first..=last)
    }
}

impl Reader {
    /// Reads what a call carries, and says what is wrong with it.
    fn read(&mut self, (first, last): (u64, u64), call: &str, body: &Bytes) -> Vec<&'static str> {
        let mut wrong = Vec::new();
        let content = (call.to_owned(), body.clone());
        let form = self.policy.batch_events_max > 1;
        if *self.bodies.entry((form, first, last)).or_insert_with(|| content.clone()) != content {
            wrong.push("another content under the same extent");
        }
        let (event, count) = call.split_once('+').unwrap_or((call, "1"));
        if *self.ids.entry(first).or_insert_with(|| event.to_owned()) != event {
            wrong.push("another id for the same event");
        }
        let events: Result<Vec<Box<RawValue>>, _> =
            if form { serde_json::from_slice(body) } else { serde_json::from_slice(body).map(|event| vec![event]) };
        let Ok(events) = events else { return vec!["a body that is not what was asked for"] };
        if events.len() as u64 != last + 1 - first || count != events.len().to_string() {
            wrong.push("a wrong number of events");
        }
        for (offset, event) in (first..=last).zip(&events) {
            if !self.is_known(offset, event) {
                wrong.push("another content under the same offset");
            }
        }
        wrong
    }

    /// Tells whether an event looks as it always did.
    pub(super) fn is_known(&mut self, offset: u64, event: &RawValue) -> bool {
        self.events.entry(offset).or_insert_with(|| event.to_owned()).get() == event.get()
    }

    /// Says what is wrong with the time and the extent of a call.
    fn paced(&mut self, (first, last): (u64, u64), now: Timestamp) -> Vec<&'static str> {
        let mut wrong = Vec::new();
        if last + 1 - first > self.policy.batch_events_max.into() {
            wrong.push("more events than a call may carry");
        }
        if self.failed_at == Some(first) && last > first {
            wrong.push("a batch although its first event was to be tried alone");
        }
        self.began.retain(|began| now.since(*began) < Duration::from_secs(1));
        self.began.push(now);
        // The limit, and as much again that was saved up.
        if self.policy.rate_per_second.is_some_and(|rate| self.began.len() > 2 * rate as usize) {
            wrong.push("more calls within a second than the limit allows");
        }
        wrong
    }
}
