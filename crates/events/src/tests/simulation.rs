//! Random lives of subscriptions: verbs, answers, time, clocks set back and
//! crashes in any order, all of it drawn from one seed.
//!
//! A crash drops the engine with everything that it had not saved and opens
//! another one on the same database; receivers may have received what they
//! never got to acknowledge. After every act the books are checked against
//! what the receivers saw:
//!
//! * *conservation*: every event up to the durable cursor was acknowledged, or
//!   stands on record as passed over; all later ones are still in the log;
//! * *order*: within a generation, events are first seen in the order of their
//!   offsets, one call at a time;
//! * *identity*: an offset has one id and one byte string for ever, alone or in
//!   a batch, a batch of the same extent too, and every call is signed;
//! * *pace*: nobody is called more often within a second than its limit and
//!   what was saved up allow, what failed in a batch is tried alone, and there
//!   are never more calls than slots;
//! * *thrift*: what was acknowledged is sent again only after a crash or for a
//!   replay;
//! * *retention*: nothing leaves a log that somebody still waits for, and its
//!   accounts are right;
//! * *telling*: every change of a state is told in one notice, over crashes;
//! * *silence*: after a pause, a suspension or a delete is answered, no call
//!   starts;
//! * *diagram*: a verb is accepted exactly where the diagram has an arrow;
//! * *eight hours*: a failed subscription is suspended then, and not before;
//! * *liveness*: once the receivers are well, everybody catches up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use base::Chance;
use base::http::HttpError;
use base::testing::{databases, reply};

use super::receivers::{Reader, Receivers};
use super::*;
use crate::signature::SigningKey;

/// Seeds that every test run lives through, and acts in each.
const SEEDS: u64 = 32;
const ACTS: usize = 250;
/// Seeds on engines other than SQLite, where there is one.
const SEEDS_ELSEWHERE: u64 = 4;

const EIGHT_HOURS: Duration = Duration::from_hours(8);

/// One life.
struct World {
    seed: u64,
    chance: SeededChance,
    house: House,
    receivers: Arc<Receivers>,
    subscriptions: Vec<SubscriptionId>,
    failed_since: BTreeMap<SubscriptionId, Timestamp>,
    appended: u64,
    tale: Vec<String>,
    /// Which verb met which state, and what became of batches.
    been: BTreeSet<(&'static str, &'static str)>,
}

impl World {
    async fn begin(seed: u64) -> World {
        let receivers = Arc::new(Receivers::default());
        let house = House::build(receivers.clone(), Arc::new(NoHooks)).await;
        World::in_house(seed, house, receivers).await
    }

    async fn in_house(seed: u64, mut house: House, receivers: Arc<Receivers>) -> World {
        // Notices are followed to the end. In every fourth life little is kept.
        house.options.keep_deliveries = Duration::from_hours(100_000);
        if seed % 4 == 1 {
            house.options.queue_age_max = Duration::from_hours(12);
            house.options.queue_bytes_max = 10_000;
            house.options.keep_bytes = 1_000;
        }
        house.crash().await;
        let mut world = World {
            seed,
            chance: SeededChance::new(seed),
            house,
            receivers,
            subscriptions: Vec::new(),
            failed_since: BTreeMap::new(),
            appended: 0,
            tale: Vec::new(),
            been: BTreeSet::new(),
        };
        // Every third life has so few slots that there is always somebody who
        // waits for one.
        if seed.is_multiple_of(3) {
            world.house.options = Options { calls_max: 4, probes_max: 1, ..Options::default() };
            world.house.crash().await;
        }
        world.receivers.ledger.lock().calls_max = world.house.options.calls_max;
        for policy in [
            Policy::default(),
            Policy { rate_per_second: Some(2), ..Policy::default() },
            Policy { batch_events_max: 5, ..Policy::default() },
            Policy {
                batch_events_max: 100,
                on_error: OnError::Skip,
                on_rejection: OnRejection::Reject,
                retry_pauses_ms: vec![1_000],
                ..Policy::default()
            },
            Policy { on_error: OnError::Skip, ..Policy::default() },
            Policy { on_rejection: OnRejection::Reject, on_suspension: OnSuspension::Keep, ..Policy::default() },
            Policy { retry_pauses_ms: vec![], ..Policy::default() },
        ] {
            world.subscribe(policy).await;
        }
        world
    }

    fn draw(&self, below: u64) -> u64 {
        self.chance.number() % below
    }

    fn tell(&mut self, what: impl Into<String>) {
        self.tale.push(what.into());
    }

    async fn subscribe(&mut self, policy: Policy) {
        let id = self.house.subscribe().await;
        let secret = self.house.events.read_secret(&ada(), id).await.expect("the owner reads it");
        self.house.events.set_policy(&ada(), id, policy.clone()).await.expect("the settings are in bounds");
        let generation = self.house.standing(id).await.generation;
        let reader = Reader { key: SigningKey::new(&secret).ok(), generation, policy, ..Reader::default() };
        self.receivers.ledger.lock().readers.insert(id, reader);
        self.subscriptions.push(id);
    }

    async fn step(&self) {
        self.receivers.ledger.lock().now = self.house.clock.now();
        self.house.events.step().await;
    }

    async fn act(&mut self) {
        match self.draw(100) {
            0..25 => {
                let count = if self.draw(5) == 0 { 12 } else { 1 + self.draw(4) };
                // One key in five was there before.
                let first = (self.appended + 1).saturating_sub(self.draw(5) / 4);
                let keys = first.max(1)..=self.appended + count;
                self.tell(format!("append {keys:?}"));
                self.appended += count;
                self.house.append(keys).await;
            }
            25..68 => self.answer().await,
            68..70 => {
                self.tell("the clock is set back by an hour");
                self.house.clock.set(self.house.clock.now().minus(Duration::from_hours(1)));
                self.receivers.ledger.lock().set_back();
            }
            70..86 => {
                const SPANS_MS: [u64; 9] = [1, 50, 50, 1_200, 20_000, 150_000, 150_000, 3_600_000, 5 * 3_600_000];
                let span = Duration::from_millis(SPANS_MS[self.draw(SPANS_MS.len() as u64) as usize]);
                self.tell(format!("{span:?} pass"));
                self.house.clock.advance(span);
            }
            86..90 => self.crash().await,
            _ => self.verb().await,
        }
        self.step().await;
    }

    /// Lets a receiver answer.
    async fn answer(&mut self) {
        let open = self.receivers.ledger.lock().open.len() as u64;
        if open == 0 {
            return;
        }
        let place = self.draw(open) as usize;
        // In every other life the receivers are in a bad way.
        let kind = if self.seed.is_multiple_of(2) { self.draw(20) } else { 9 + self.draw(11) };
        let call = self.receivers.ledger.lock().close(place, kind <= 10);
        let broken = HttpError::Broken { target: "receiver".into(), detail: "the answer was lost".into() };
        let answer = match kind {
            0..=10 => Ok(reply(200, "")),
            11 => Ok(reply(400, "no")),
            12 => Ok(reply(410, "gone")),
            13 => Err(HttpError::Timeout { target: "receiver".into(), after_ms: 30_000 }),
            14 => Err(broken),
            15 => {
                let mut busy = reply(429, "");
                busy.headers.insert("retry-after", base::http::HeaderValue::from_static("5"));
                Ok(busy)
            }
            _ => Ok(reply(500, "oh")),
        };
        self.tell(format!("answer {} at {:?} with kind {kind}", call.subscription, call.extent));
        if call.extent.start() < call.extent.end() {
            self.been.insert(("a batch", if kind <= 10 { "received" } else { "not received" }));
        }
        call.answer.send(answer).expect("the engine waits for it");
        self.step().await;
    }

    async fn crash(&mut self) {
        self.tell("crash");
        self.receivers.ledger.lock().forget();
        self.house.crash().await;
    }

    async fn verb(&mut self) {
        let place = self.draw(self.subscriptions.len() as u64) as usize;
        let id = self.subscriptions[place];
        let before = self.house.events.roster().standing(id).expect("it has a seat");
        let state = before.state.word();
        let from = Offset(self.draw(self.appended + 3));
        let events = self.house.events.clone();
        let verb = match self.draw(23) {
            0..4 => "pause",
            4..8 => "resume",
            8..10 => "resume from latest",
            10..12 => "update",
            12..15 => "replay",
            15..18 => "extract",
            18..21 => "skip",
            _ => "delete",
        };
        let answer = match verb {
            "pause" => events.pause(&ada(), id).await.map(drop),
            "resume" => events.resume(&ada(), id).await.map(drop),
            "resume from latest" => events.resume_from_latest(&ada(), id).await.map(drop),
            "update" => events.update(&ada(), id, request("again")).await.map(drop),
            "replay" => events.replay(&ada(), id, from).await.map(drop),
            "extract" => events.extract(&ada(), id).await.map(drop),
            "skip" => events.skip_one(&ada(), id).await.map(drop),
            _ => events.delete(&ada(), id).await,
        };
        let out_of_range =
            matches!(&answer, Err(Error::Refused { refusal, .. }) if !matches!(refusal, Refusal::State { .. }));
        let allowed = match verb {
            "pause" => state == "active",
            "resume" | "resume from latest" => state == "paused",
            "replay" => state != "suspended" && !out_of_range,
            "extract" => !matches!(state, "active" | "paused"),
            // Whoever is failed or rejected has an event to be it with.
            "skip" => matches!(state, "failed" | "rejected"),
            _ => true,
        };
        self.tell(format!("{verb} {id}, which is {state}"));
        self.been.insert((verb, state));
        assert_eq!(answer.is_ok(), allowed, "{verb} while {state}: {answer:?}");
        let Some(after) = self.house.events.roster().standing(id) else {
            self.receivers.ledger.lock().reader(id).silent = true;
            self.subscriptions.remove(place);
            self.failed_since.remove(&id);
            self.subscribe(Policy { retry_pauses_ms: vec![1_000], ..Policy::default() }).await;
            return;
        };
        let mut ledger = self.receivers.ledger.lock();
        let reader = ledger.reader(id);
        // A refusal commits nothing: a crash may yet undo the state that it named.
        if allowed {
            reader.silent = !matches!(after.state, State::Active | State::Failed { .. });
        }
        if verb == "replay" && allowed {
            reader.settled.clear();
        }
        if after.generation != reader.generation {
            reader.generation = after.generation;
            reader.first_seen.clear();
            reader.failed_at = None;
        }
    }

    /// Compares the books with what the receivers saw.
    async fn check(&mut self) {
        let now = self.house.clock.now();
        let books = self.house.db.read("test.books", |tx| {
            let mut books = Vec::new();
            for stored in crate::tables::all(tx)? {
                let skips = crate::tables::skips(tx, stored.subscription.id)?;
                books.push((stored.subscription, skips));
            }
            Ok::<_, Error>(books)
        });
        for (subscription, skips) in books.await.expect("the books") {
            let (id, standing) = (subscription.id, subscription.standing);
            let mut ledger = self.receivers.ledger.lock();
            let reader = ledger.reader(id);
            for offset in subscription.birth.0 + 1..=standing.cursor.0 {
                let skipped =
                    skips.iter().any(|record| (record.skipped.first..=record.skipped.last).contains(&Offset(offset)));
                assert!(skipped || reader.acknowledged.contains(&offset), "{id}: {offset} is lost");
            }
            match standing.state {
                State::Failed { since } => {
                    assert!(now < since.plus(EIGHT_HOURS), "{id}: it should be suspended");
                    self.failed_since.insert(id, since);
                }
                State::Suspended { .. } => {
                    reader.silent = true;
                    let overtaken = standing.reason.starts_with("retention");
                    if overtaken {
                        self.been.insert(("fall behind", "suspended"));
                    }
                    if let Some(since) = self.failed_since.remove(&id).filter(|_| !overtaken) {
                        assert!(now >= since.plus(EIGHT_HOURS), "{id}: it was suspended too soon");
                    }
                }
                _ => {}
            }
            if standing.generation != reader.generation && !standing.delivers() {
                reader.generation = standing.generation;
            }
        }
        super::notices::follow(&self.house).await;
        super::retention::nothing_is_gone_that_somebody_waits_for(&self.house).await;
        let ledger = self.receivers.ledger.lock();
        assert!(ledger.complaints.is_empty(), "{:#?}", ledger.complaints);
    }

    /// Lets everybody get well, and waits for them to catch up.
    async fn heal(&mut self) {
        self.tell("heal");
        if self.house.options.queue_age_max != Options::default().queue_age_max {
            // Whoever is far behind is given the time to get well.
            self.house.options = Options::default();
            self.crash().await;
        }
        self.receivers.well.store(true, Ordering::SeqCst);
        let open = std::mem::take(&mut self.receivers.ledger.lock().open);
        for call in open {
            self.receivers.ledger.lock().reader(call.subscription).acknowledged.extend(call.extent);
            call.answer.send(Ok(reply(200, ""))).expect("the engine waits for it");
        }
        self.step().await;
        for id in self.subscriptions.clone() {
            let standing = self.house.events.roster().standing(id).expect("it has a seat");
            let again = match standing.state {
                State::Active | State::Failed { .. } => continue,
                State::Paused => self.house.events.resume(&ada(), id).await,
                State::Rejected | State::Suspended { .. } => {
                    self.house.events.update(&ada(), id, request("well")).await
                }
            };
            let mut ledger = self.receivers.ledger.lock();
            let reader = ledger.reader(id);
            reader.silent = false;
            reader.first_seen.clear();
            reader.generation = again.expect("the diagram has this arrow").standing.generation;
        }
        // The longest probe interval, jitter included; and again up to an hour
        // for those who waited for a time that the clock has gone back from.
        for _ in 0..10 {
            self.house.clock.advance(Duration::from_mins(6));
            self.step().await;
        }
        // Those with a limit have no more than their calls per second.
        for _ in 0..self.appended {
            self.house.clock.advance(Duration::from_secs(1));
            self.step().await;
        }
        self.house.clock.advance(Duration::from_millis(50));
        self.step().await;
        self.check().await;
        for id in self.subscriptions.clone() {
            let listed = self.house.events.get(&ada(), id).await.expect("it is there");
            let standing = listed.subscription.standing;
            assert_eq!((standing.state, listed.queued), (State::Active, 0), "{id}: it did not catch up");
            assert_eq!(standing.cursor, Offset(self.appended));
        }
    }
}

/// Prints the seed and the tale of a life that ended in a panic.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}:\n  {}", self.seed, self.tale.join("\n  "));
        }
    }
}

/// Lives a life to its end, and tells where it has been.
async fn live(mut world: World) -> BTreeSet<(&'static str, &'static str)> {
    for _ in 0..ACTS {
        world.act().await;
        world.check().await;
    }
    world.heal().await;
    std::mem::take(&mut world.been)
}

#[tokio::test]
async fn no_life_loses_an_event_or_its_order() {
    let mut been = BTreeSet::new();
    for seed in 0..SEEDS {
        been.append(&mut live(World::begin(seed).await).await);
    }
    // A simulation that never comes to a place proves nothing about it.
    for verb in ["delete", "extract", "pause", "replay", "resume", "resume from latest", "skip", "update"] {
        for state in ["active", "failed", "paused", "rejected", "suspended"] {
            assert!(been.contains(&(verb, state)), "nobody ever tried to {verb} while {state}");
        }
    }
    assert!(been.contains(&("fall behind", "suspended")), "nobody ever fell too far behind");
    for end in ["received", "not received"] {
        assert!(been.contains(&("a batch", end)), "no batch was ever {end}");
    }
}

#[tokio::test]
async fn nor_does_a_life_on_another_engine() {
    for seed in 0..SEEDS_ELSEWHERE {
        for (engine, guard, db) in databases(&[base::MIGRATIONS, MIGRATIONS]).into_iter().skip(1) {
            eprintln!("on {engine}");
            let receivers = Arc::new(Receivers::default());
            let house = House::on(db, Box::new(guard), receivers.clone(), Arc::new(NoHooks)).await;
            live(World::in_house(seed, house, receivers).await).await;
        }
    }
}
