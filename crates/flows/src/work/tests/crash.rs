//! Crashes at every sort of place, by a seed.
//!
//! The peer keeps a ledger of what it did. It may vanish before it does what
//! it was asked, or after; and the engine may die whenever it looks at the
//! clock. After each death an engine is built anew over the same database. At
//! the end every run must have ended once, with the same operations as a run
//! that nothing disturbed, and the ledger must show that nothing was done
//! again after the run had gone on.

use std::collections::HashMap;

use base::http::{HttpError, Request, Response};
use base::testing::reply;
use base::{BoxFuture, Clock};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use super::*;

const SEEDS: u64 = 20;

/// A router in a loop in an aggregator, with sleeps, a repetition, and effects
/// of both sorts.
const FLOW: &str = r#"
metadata: { loopwright: { retries: 100 } }
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - { id: 2, module: "builtin:BasicRepeater", mapper: { repeats: 3 } }
  - { id: 3, module: "http:ActionSendData", mapper: { url: "https://x/order/{{1.n}}/{{2.i}}", method: post } }
  - id: 4
    module: builtin:BasicRouter
    routes:
      - flow:
          - id: 5
            module: loopwright:RepeatUntil
            filter: { conditions: [[{ a: "{{2.i}}", o: "number:notequal", b: 2 }]] }
            flow:
              - { id: 6, module: "util:FunctionSleep", mapper: { duration: 30 } }
              - { id: 7, module: "http:ActionSendData", mapper: { url: "https://x/poll/{{1.n}}/{{2.i}}/{{5.i}}", parseResponse: true } }
            until: { conditions: [[{ a: "{{7.data.round}}", o: "number:greaterorequal", b: 2 }]] }
          - { id: 8, module: "builtin:BasicAggregator", parameters: { feeder: 2 }, mapper: { round: "{{5.data.round}}", luck: "{{random}}" } }
          - { id: 9, module: "http:ActionSendData", mapper: { url: "https://x/sum/{{1.n}}/{{length(8.array)}}", method: put } }
      - flow:
          - { id: 10, module: "http:ActionSendData", mapper: { url: "https://x/note/{{1.n}}/{{2.i}}", method: post, headers: [{ name: x-key, value: "{{operationKey}}" }] } }
"#;

/// What may go wrong, decided by seed, operation and how often it was tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    VanishBefore,
    VanishAfter,
    NobodyThere,
}

struct Peer {
    seed: Option<u64>,
    /// Keys in the order in which something was done for them.
    ledger: Mutex<Vec<(String, String)>>,
    tries: Mutex<HashMap<String, u32>>,
    crash: Arc<Notify>,
}

pub(super) fn roll(seed: u64, what: &str, time: u32) -> u8 {
    Sha256::digest(format!("{seed}/{what}/{time}"))[0]
}

impl Peer {
    fn fate(&self, key: &str, is_safe: bool) -> Fate {
        let Some(seed) = self.seed else { return Fate::Fine };
        let mut tries = self.tries.lock();
        let time = tries.entry(key.to_owned()).or_default();
        *time += 1;
        match roll(seed, key, *time) {
            0..=39 => Fate::VanishBefore,
            40..=79 => Fate::VanishAfter,
            80..=109 if is_safe => Fate::NobodyThere,
            _ => Fate::Fine,
        }
    }
}

impl Http for Peer {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let key = request.headers["idempotency-key"].to_str().expect("ASCII").to_owned();
        let fate = self.fate(&key, request.method != Method::POST);
        if matches!(fate, Fate::Fine | Fate::VanishAfter) {
            self.ledger.lock().push((key, request.url.clone()));
        }
        Box::pin(async move {
            match fate {
                Fate::Fine => {
                    let round = request.url.rsplit('/').next().unwrap_or_default();
                    Ok(reply(200, &format!("{{\"round\": {round}}}")))
                }
                Fate::NobodyThere => Err(HttpError::UnknownHost { host: "x".into() }),
                Fate::VanishBefore | Fate::VanishAfter => {
                    self.crash.notify_one();
                    std::future::pending().await
                }
            }
        })
    }
}

/// A clock at whose sight the engine may die.
pub(super) struct DeadlyClock {
    clock: Arc<SimClock>,
    seed: Option<u64>,
    looks: Mutex<u32>,
    crash: Arc<Notify>,
}

impl DeadlyClock {
    pub(super) fn new(clock: Arc<SimClock>, seed: Option<u64>, crash: Arc<Notify>) -> Self {
        DeadlyClock { clock, seed, looks: Mutex::new(0), crash }
    }
}

impl Clock for DeadlyClock {
    fn now(&self) -> Timestamp {
        if let Some(seed) = self.seed {
            let mut looks = self.looks.lock();
            *looks += 1;
            if roll(seed, "clock", *looks) < 4 {
                self.crash.notify_one();
            }
        }
        self.clock.now()
    }
}

/// What a run has to show for itself, without times.
type Story = Vec<(u64, u32, String, OperationStatus, Vec<Json>)>;

struct Played {
    stories: Vec<(Outcome, Story)>,
    ledger: Vec<(String, String)>,
    deaths: u32,
}

async fn play(house: &House, seed: Option<u64>) -> Played {
    let crash = Arc::new(Notify::new());
    // So many deaths look as if the run had caused them.
    let options = Options { deaths_max: u32::MAX, ..house.options.clone() };
    let peer = Arc::new(Peer { seed, ledger: Mutex::default(), tries: Mutex::default(), crash: crash.clone() });
    let clock = Arc::new(DeadlyClock::new(house.clock.clone(), seed, crash.clone()));
    let keys = Arc::new(KeyRing::generate(&SeededChance::new(1)));
    // The same ids and seeds of runs in each play, whatever dies meanwhile.
    let build = |seed: u64, clock: Arc<dyn Clock>| {
        let chance = Arc::new(SeededChance::new(seed));
        Arc::new(Flows::new(house.db.clone(), peer.clone(), keys.clone(), clock, chance, options.clone()))
    };
    let flows = build(0, house.clock.clone());
    publish(&flows, "f", FLOW).await;
    for n in 1..=2 {
        flows.accept("flow.f", &n.to_string(), json!({"n": n})).await.expect("room");
    }
    let agenda = flows.agenda(&Desk::default()).await.expect("an agenda");
    assert_eq!(flows.start_runs(&agenda, 10).await.expect("runs start").len(), 2);
    let mut deaths = 0;
    for life in 1..10_000 {
        let flows = build(life, clock.clone());
        let died = tokio::select! {
            biased;
            () = crash.notified() => true,
            () = flows.run_until_idle() => false,
        };
        // A dead program writes nothing more; here its last words are waited for.
        drop(flows);
        tokio::task::yield_now().await;
        house.db.write("test.flush", |_| Ok::<_, db::Error>(())).await.expect("the database lives on");
        let flows = build(0, house.clock.clone());
        deaths += u32::from(died);
        if died {
            continue;
        }
        house.clock.advance(Duration::from_secs(30));
        let runs = flows.runs("f", 10).await.expect("runs");
        if runs.iter().all(|run| run.state == RunState::Ended) {
            break;
        }
        for run in runs.iter().filter(|run| run.state == RunState::InDoubt) {
            flows.decide(&ann(), run.id, Decision::Repeat).await.expect("a decision");
        }
        assert!(runs.iter().all(|run| run.state != RunState::Parked), "{runs:?}");
    }
    let flows = build(0, house.clock.clone());
    let mut stories = Vec::new();
    for run in flows.runs("f", 10).await.expect("runs").iter().rev() {
        let run = flows.run_details(run.id).await.expect("a run");
        let operations = run.operations.iter().cloned();
        let story = operations.map(|each| (each.number, each.module, each.path, each.status, each.output)).collect();
        stories.push((run.info.outcome.expect("it has ended"), story));
    }
    let ledger = peer.ledger.lock().clone();
    Played { stories, ledger, deaths }
}

/// Checks that nothing was done again once something later was done for the
/// same run, whose number stands in the address.
fn assert_nothing_was_done_twice(ledger: &[(String, String)], seed: u64) {
    let mut last: HashMap<String, String> = HashMap::new();
    let mut finished: HashMap<String, Vec<String>> = HashMap::new();
    for (key, url) in ledger {
        let run = url.split('/').nth(4).expect("a run's number").to_owned();
        let before = finished.entry(run.clone()).or_default();
        assert!(!before.contains(key), "seed {seed}: {url} was done again after its run had gone on");
        if let Some(previous) = last.insert(run, key.clone())
            && previous != *key
        {
            before.push(previous);
        }
    }
}

#[tokio::test]
async fn a_run_that_dies_anywhere_tells_the_same_story_as_one_that_does_not() {
    let (_engine, _guard, house) = houses().remove(0);
    let reference = play(&house, None).await;
    assert_eq!(reference.deaths, 0);
    let mut deaths = 0;
    for seed in 1..=SEEDS {
        let (_engine, _guard, house) = houses().remove(0);
        let played = play(&house, Some(seed)).await;
        deaths += played.deaths;
        assert_nothing_was_done_twice(&played.ledger, seed);
        assert_eq!(played.stories, reference.stories, "seed {seed}");
        let mut done: Vec<_> = played.ledger.iter().collect();
        done.sort();
        done.dedup();
        let mut expected: Vec<_> = reference.ledger.iter().collect();
        expected.sort();
        assert_eq!(done, expected, "seed {seed}: everything was done");
    }
    assert!(deaths > SEEDS as u32, "the engine died only {deaths} times");
}
