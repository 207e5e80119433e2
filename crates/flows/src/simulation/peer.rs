//! The peer that all flows of a life talk to, and its ledger: what it was
//! asked, by whom, how often, and what it answered.
//!
//! The ledger complains at once about a request that should not have come: a
//! settled effect again, another request under a known key, one in doubt
//! without a decision. What a run did as a whole is judged later, in `checks`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::http::{Http, HttpError, Request, Response};
use base::testing::reply;
use base::time::SimClock;
use base::{BoxFuture, Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::ground::Life;
use super::reference::Reply;
use super::report::Property;

/// The port of one life; all lives share the ledger.
pub(super) struct Peer {
    pub(super) life: Life,
    pub(super) number: u32,
    pub(super) clock: Arc<SimClock>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
}

/// What the peer remembers.
#[derive(Default)]
pub(super) struct Ledger {
    /// Effects of each run, in the order in which they came.
    pub(super) runs: BTreeMap<String, Vec<Effect>>,
    /// Which effect has a key.
    keys: HashMap<String, (String, usize)>,
    /// Calls that wait for an answer.
    pub(super) open: Vec<Call>,
    pub(super) complaints: Vec<(Property, String)>,
    /// Every call is answered at once, and well, once it has recovered.
    pub(super) is_well: bool,
    /// So many calls until it has recovered; some are not answered.
    pub(super) recovers_in: u64,
    /// How often a person has said that a run's effect may be repeated.
    pub(super) permits: HashMap<String, u32>,
    /// So many effects of a run are settled, as its rows say after a crash.
    pub(super) settled: HashMap<String, usize>,
    /// Runs that were cancelled, and what they had asked by then.
    cancelled: HashMap<String, usize>,
    pub(super) calls: u64,
    pub(super) repeated: u64,
}

/// An effect, as the peer knows it.
pub(super) struct Effect {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) body: String,
    luck: String,
    is_safe: bool,
    pub(super) first_at: Timestamp,
    /// Which of all calls asked for it first, and last.
    pub(super) first_call: u64,
    pub(super) last_call: u64,
    /// In which life it was asked last.
    life: u32,
    /// The last answer, and when.
    pub(super) answer: Option<(Reply, Timestamp)>,
    /// How often it was asked in that life.
    pub(super) times: u32,
    /// The run that came with its key first: an attempt may have that of the
    /// run before.
    pub(super) key_of: String,
}

/// A call that waits.
pub(super) struct Call {
    run: String,
    place: usize,
    answer: oneshot::Sender<Result<Response, HttpError>>,
}

impl Http for Peer {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        if self.life.is_over() {
            // Nobody sends this: the program has ended, and does not know it yet.
            return Box::pin(std::future::pending());
        }
        let now = self.clock.now();
        let mut ledger = self.ledger.lock();
        let (run, place) = ledger.note(&request, self.number, now);
        let (answer, answered) = oneshot::channel();
        ledger.open.push(Call { run, place, answer });
        if ledger.is_well {
            let last = ledger.open.len() - 1;
            ledger.recovers_in = ledger.recovers_in.saturating_sub(1);
            let reply = match ledger.recovers_in % 4 {
                1 => Reply::Nothing,
                n => Reply::Number { status: 200, n: n % 3 + 1 },
            };
            ledger.answer(last, reply, now);
        }
        Box::pin(async {
            match answered.await {
                Ok(answer) => answer,
                // Only a crash forgets an open call.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

impl Ledger {
    fn complain(&mut self, property: Property, what: String) {
        self.complaints.push((property, what));
    }

    /// Notes a request; returns its run, and its place in it.
    fn note(&mut self, request: &Request, life: u32, now: Timestamp) -> (String, usize) {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (key, luck) = (header("idempotency-key").to_owned(), header("x-luck").to_owned());
        let method = request.method.to_string();
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let run = request.url.split('/').nth(3).unwrap_or_default().to_owned();
        self.calls += 1;
        let is_keyed = request.headers.contains_key("x-key");
        if is_keyed && header("x-key") != key {
            self.complain(Property::Keys, format!("{{{{operationKey}}}} is {}, and the key is {key}", header("x-key")));
        }
        let known = self.keys.get(&key).cloned();
        // An attempt repeats what another run has asked for.
        let repeats = known.as_ref().filter(|(owner, _)| *owner != run);
        let mut key_of = run.clone();
        if let Some((owner, place)) = repeats {
            let before = &self.runs[owner][*place];
            key_of.clone_from(&before.key_of);
            let same_url = before.url.replace(owner.as_str(), &run) == request.url;
            if !same_url || (&before.method, &before.body) != (&method, &body) {
                let (before, now) = (&before.url, &request.url);
                self.complaints.push((Property::Keys, format!("the key of {before} came with {now} {body}")));
            }
        }
        let Some((owner, place)) = known.filter(|(owner, _)| *owner == run) else {
            let effects = self.runs.entry(run.clone()).or_default();
            let place = effects.len();
            effects.push(Effect {
                is_safe: method != "POST" || is_keyed,
                method,
                url: request.url.clone(),
                body,
                luck,
                first_at: now,
                first_call: self.calls,
                last_call: self.calls,
                life,
                answer: None,
                times: 1,
                key_of,
            });
            // What was in flight may still be on its way here.
            let begun = self.cancelled.get(&run).is_some_and(|asked| place > *asked);
            if place > 0 && effects[place - 1].answer.is_none() && !begun {
                let before = effects[place - 1].url.clone();
                self.complain(Property::Once, format!("{} came before {before} was answered", request.url));
            }
            if begun {
                self.complain(Property::Ending, format!("{run} was cancelled, and asks for {}", request.url));
            }
            self.keys.insert(key, (run.clone(), place));
            return (run, place);
        };
        self.repeated += 1;
        let effects = &self.runs[&owner];
        let (count, known) = (effects.len(), &effects[place]);
        let url = &request.url;
        let same = (&known.method, &known.url, &known.body, &known.luck) == (&method, url, &body, &luck);
        let wrong = if !same {
            let before = (&known.method, &known.url, &known.body, &known.luck);
            Some((Property::Keys, format!("the key of {before:?} came with {:?}", (&method, url, &body, &luck))))
        } else if place + 1 < count {
            Some((Property::Once, format!("{url} was done again after its run had gone on")))
        } else if place < self.settled.get(&owner).copied().unwrap_or(0) {
            Some((Property::Once, format!("{url} was done again after its result was recorded")))
        } else if !known.is_safe && self.permits.get(&owner).copied().unwrap_or(0) == 0 {
            Some((Property::Doubt, format!("{url} is not safe to repeat, and was repeated without being asked")))
        } else if known.is_safe && known.life == life && !known.may_be_repeated() {
            Some((Property::Once, format!("{url} was done again though it was answered {:?}", known.answer)))
        } else if known.life == life && known.answer.is_some_and(|(_, at)| at >= now) {
            Some((Property::Timers, format!("{url} was tried again without a pause")))
        } else {
            None
        };
        if let Some((property, what)) = wrong {
            self.complain(property, what);
        }
        self.permits.remove(&owner);
        let effect = &mut self.runs.get_mut(&owner).expect("it owns the key")[place];
        effect.times = if effect.life == life { effect.times + 1 } else { 1 };
        (effect.life, effect.answer, effect.last_call) = (life, None, self.calls);
        (owner, place)
    }

    /// Notes that a run was cancelled.
    pub(super) fn cancel(&mut self, run: &str) {
        let asked = self.runs.get(run).map_or(0, Vec::len);
        self.cancelled.insert(run.to_owned(), asked);
    }

    /// Answers an open call.
    pub(super) fn answer(&mut self, place: usize, with: Reply, now: Timestamp) {
        let call = self.open.remove(place);
        let effect = &mut self.runs.get_mut(&call.run).expect("it has asked")[call.place];
        effect.answer = Some((with, now));
        let answer = match with {
            Reply::Number { status, n } => Ok(reply(status, &format!("{{\"n\": {n}}}"))),
            Reply::Garbage { status } => Ok(reply(status, "{oh")),
            Reply::Endless => Ok(Response { truncated: true, ..reply(200, "{") }),
            Reply::Nothing => Err(HttpError::Broken { target: "peer".into(), detail: "it hung up".into() }),
        };
        // Nobody is left to hear it if the program has just ended.
        let _ = call.answer.send(answer);
    }

    /// Returns the answers of a run's effects, as far as there are any.
    pub(super) fn answers(&self, run: &str) -> Vec<Reply> {
        let effects = self.runs.get(run).map(Vec::as_slice).unwrap_or_default();
        effects.iter().map_while(|effect| effect.answer.map(|(reply, _)| reply)).collect()
    }
}

impl Effect {
    /// Tells whether an engine that has not crashed may try again.
    fn may_be_repeated(&self) -> bool {
        match self.answer {
            Some((Reply::Nothing, _)) => true,
            Some((Reply::Number { status, .. } | Reply::Garbage { status }, _)) => {
                matches!(status, 429 | 502 | 503 | 504)
            }
            // Who is still waiting may not, nor who has an answer that is worth nothing.
            None | Some((Reply::Endless, _)) => false,
        }
    }
}
