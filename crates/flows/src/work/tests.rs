//! The engine over a real database, with time, chance and the network in the
//! test's hands.

mod again;
mod calls;
mod counts;
mod crash;
mod databricks;
mod failures;
mod incomplete;
mod services;
mod storage;
mod stores;
mod tasks;
mod feedback;
mod outcomes;
mod history;
mod start;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use base::chance::SeededChance;
use base::db::{self, Db};
use base::http::{Http, Method};
use base::secret::KeyRing;
use base::testing::{DatabaseGuard, ScriptedHttp, databases};
use base::time::SimClock;
use base::{Actor, Secret, Timestamp};
use serde_json::{Value as Json, json};

use super::*;
use crate::connection::{ConnectionSpec, Credentials};
use crate::flows::{Decision, Options};
use crate::hook::Accepted;
use crate::run::{OperationStatus, Outcome, RunDetails};

const EXAMPLE: &str = include_str!("../../../../examples/purchase-to-pay/flows/score-late-order.yaml");

/// An engine that can be dropped and built anew over the same database.
struct House {
    db: Db<db::Flows>,
    clock: Arc<SimClock>,
    options: Options,
}

impl House {
    fn engine(&self, http: Arc<dyn Http>, seed: u64) -> Arc<Flows> {
        let keys = Arc::new(KeyRing::generate(&SeededChance::new(1)));
        let chance = Arc::new(SeededChance::new(seed));
        Arc::new(Flows::new(self.db.clone(), http, keys, self.clock.clone(), chance, self.options.clone()))
    }
}

fn houses() -> Vec<(&'static str, DatabaseGuard, House)> {
    let made = databases::<db::Flows>(&[base::MIGRATIONS, crate::MIGRATIONS]);
    let house = |db| House { db, clock: Arc::new(SimClock::default()), options: Options::default() };
    made.into_iter().map(|(engine, guard, db)| (engine, guard, house(db))).collect()
}

fn ann() -> Actor {
    Actor { administrator: false, ..Actor::system("ann") }
}

async fn publish(flows: &Flows, key: &str, text: &str) {
    flows.put(&ann(), key, text).await.expect("the text is read");
    flows.publish(&ann(), key).await.expect("the flow is published");
    flows.activate(&ann(), key).await.expect("the flow is activated");
}

async fn only_run(flows: &Flows, key: &str) -> RunDetails {
    let runs = flows.runs(key, 10).await.expect("runs");
    assert_eq!(runs.len(), 1, "{runs:?}");
    flows.run_details(runs[0].id).await.expect("a run")
}

#[tokio::test]
async fn the_example_goes_from_a_signal_to_a_row() {
    for (engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        let secret = |kind: &str, credentials, origin: &str| ConnectionSpec {
            kind: kind.into(),
            credentials,
            origin: Some(origin.into()),
            expires_at: None,
            imported_ids: Vec::new(),
        };
        let token = secret("bearer", Credentials::Bearer(Secret::new("dapi-1")), "loopwright://workspace");
        let key = secret("app-key", Credentials::AppKey(Secret::new("id:secret")), "loopwright://this");
        flows.put_connection(&ann(), "local-workspace", token).await.expect("a connection");
        flows.put_connection(&ann(), "this-loopwright", key).await.expect("a connection");
        publish(&flows, "score-late-order", EXAMPLE).await;
        let variables = json!({"job_id": 912_345_678_901_234_567_i64, "pool": "p-1"});
        let Json::Object(variables) = variables else { unreachable!("it is an object") };
        flows.set_variables(&ann(), "score-late-order", variables).await.expect("variables");

        let body = json!({"triggerId": "LONG_WAIT", "eventId": "e", "identifier": "17", "fields": {
            "LAST_STEP": "Approve \"A\"", "WAITING_HOURS": 51.5, "THRESHOLD_HOURS": 24,
        }});
        assert_eq!(flows.accept("flow.score-late-order", "1", body.clone()).await.expect("room"), Accepted::Stored);
        assert_eq!(flows.accept("flow.score-late-order", "1", body).await.expect("room"), Accepted::Known);
        http.push(200, r#"{"run_id": 812345678901234567, "number_in_job": 1}"#);
        flows.run_until_idle().await;
        // The run sleeps as a row; each second it looks again.
        http.push(200, r#"{"state": {"life_cycle_state": "RUNNING"}}"#);
        house.clock.advance(Duration::from_secs(1));
        flows.run_until_idle().await;
        http.push(
            200,
            r#"{"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}, "tasks": [{"run_id": 5}]}"#,
        );
        http.push(
            200,
            r#"{"logs": "scoring\n{\"action\": \"expedite\", \"score\": 0.97, \"scored_at\": \"2026-01-01T00:00:00Z\"}\n"}"#,
        );
        http.push(200, r#"{"id": "j-1", "status": "NEW"}"#);
        http.push(200, "");
        http.push(200, "");
        http.push(200, r#"{"id": "j-1", "status": "DONE"}"#);
        house.clock.advance(Duration::from_secs(1));
        flows.run_until_idle().await;
        house.clock.advance(Duration::from_secs(1));
        flows.run_until_idle().await;

        let run = only_run(&flows, "score-late-order").await;
        assert_eq!((run.info.state, run.info.outcome), (RunState::Ended, Some(Outcome::Success)), "{engine}: {run:#?}");
        let sent = http.requests();
        let body = |place: usize| String::from_utf8_lossy(&sent[place].body).into_owned();
        let header = |place: usize, name: &str| sent[place].headers[name].to_str().expect("ASCII").to_owned();
        let run_now: Json = serde_json::from_str(&body(0)).expect("JSON");
        assert_eq!(run_now["job_id"], 912_345_678_901_234_567_i64);
        assert_eq!(
            run_now["job_parameters"],
            json!({"case_id": "17", "step": "Approve \"A\"", "waiting_hours": "51.5", "threshold_hours": "24"})
        );
        assert_eq!(run_now["idempotency_token"], header(0, "idempotency-key"));
        assert_eq!(header(0, "authorization"), "Bearer dapi-1");
        assert_eq!(sent[1].url, "loopwright://workspace/api/2.1/jobs/runs/get?run_id=812345678901234567");
        assert_eq!(sent[3].url, "loopwright://workspace/api/2.1/jobs/runs/get-output?run_id=5");
        assert_eq!(header(4, "authorization"), "AppKey aWQ6c2VjcmV0");
        assert_eq!(sent[5].url, "loopwright://this/integration/api/v1/data-push/p-1/jobs/j-1/chunks/upserted");
        assert!(body(5).contains("\"17\",\"expedite\",0.97,812345678901234567,2026-01-01T00:00:00Z\n"), "{}", body(5));
        assert_eq!((sent[6].method.clone(), sent.len()), (Method::POST, 8));
        let told = serde_json::to_string(&run).expect("JSON");
        assert!(!told.contains("dapi-1") && !told.contains("aWQ6c2VjcmV0"), "{told}");
    }
}

const POST_ONCE: &str = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example/pay", method: post, bodyType: raw, data: "{{1.n}}" } }
"#;

/// Takes a request and never answers, as when the program dies meanwhile.
struct Silence(ScriptedHttp);

impl Http for Silence {
    fn send(
        &self,
        request: base::http::Request,
    ) -> base::BoxFuture<'_, Result<base::http::Response, base::http::HttpError>> {
        drop(self.0.send(request));
        Box::pin(std::future::pending())
    }
}

async fn die_in_flight(house: &House, peer: Arc<Silence>) {
    let flows = house.engine(peer.clone(), 2);
    let mut work = std::pin::pin!(flows.run_until_idle());
    while peer.0.requests().is_empty() {
        tokio::select! {
            () = &mut work => {}
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn an_effect_that_is_not_safe_to_repeat_is_held_in_doubt() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "pay", POST_ONCE).await;
        flows.accept("flow.pay", "1", json!({"n": 7})).await.expect("room");
        let peer = Arc::new(Silence(ScriptedHttp::default()));
        die_in_flight(&house, peer.clone()).await;

        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 3);
        flows.run_until_idle().await;
        let run = only_run(&flows, "pay").await;
        assert_eq!(run.info.state, RunState::InDoubt);
        assert_eq!(run.info.reason.as_deref(), Some("module 2 may have sent its request at 2026-01-01T00:00:00.000Z"));
        assert!(http.requests().is_empty());

        http.push(200, "ok");
        flows.decide(&ann(), run.info.id, Decision::Repeat).await.expect("a decision");
        flows.run_until_idle().await;
        assert_eq!(only_run(&flows, "pay").await.info.outcome, Some(Outcome::Success));
        let key = |request: &base::http::Request| request.headers["idempotency-key"].clone();
        assert_eq!(key(&http.requests()[0]), key(&peer.0.requests()[0]));
        let again = flows.decide(&ann(), run.info.id, Decision::Abandon).await.expect_err("it has ended");
        assert!(matches!(again, Error::NotHeld { .. }));
    }
}

#[tokio::test]
async fn a_stop_before_an_effect_leaves_no_doubt() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "pay", POST_ONCE).await;
        flows.accept("flow.pay", "1", json!({"n": 7})).await.expect("room");
        let stop = CancellationToken::new();
        // The run is taken up before the stop is seen, and asks for its effect.
        let agenda = flows.agenda(&Desk::default()).await.expect("an agenda");
        let mut started = flows.start_runs(&agenda, 10).await.expect("runs start");
        let Some(Started::Walked(held)) = started.pop() else { panic!("a run stands at its first effect") };
        stop.cancel();
        assert!(matches!(flows.advance(held.run(), Some(Taken::Held(held)), &stop).await, Parted::Through));
        assert!(http.requests().is_empty());

        http.push(200, "ok");
        let flows = house.engine(http.clone(), 2);
        flows.run_until_idle().await;
        assert_eq!(only_run(&flows, "pay").await.info.outcome, Some(Outcome::Success));
    }
}

#[tokio::test]
async fn an_unanswered_effect_that_is_safe_to_repeat_is_tried_again() {
    let flow = r#"
metadata: { loopwright: { retries: 2 } }
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://x.example/a" } }
"#;
    for (_engine, _guard, house) in houses() {
        for (failures, outcome) in [(2, Outcome::Success), (3, Outcome::Error)] {
            let http = Arc::new(ScriptedHttp::default());
            for _ in 0..failures {
                http.push_error(base::http::HttpError::UnknownHost { host: "x.example".into() });
            }
            http.push(200, "{}");
            let flows = house.engine(http.clone(), failures);
            flows.put(&ann(), "get", flow).await.expect("a flow");
            let run = flows.run_once(&ann(), "get", json!({})).await.expect("a run");
            for _ in 0..=failures {
                flows.run_until_idle().await;
                house.clock.advance(Duration::from_secs(90));
            }
            let run = flows.run_details(run).await.expect("a run");
            assert_eq!(run.info.outcome, Some(outcome), "{run:?}");
            assert_eq!(http.requests().len(), 3);
            assert_eq!(run.operations.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_sleep_is_a_row_that_wakes_when_it_is_due_and_not_earlier() {
    let flow = r#"
flow:
  - { id: 1, module: "util:FunctionSleep", mapper: { duration: 86400 } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        flows.put(&ann(), "nap", flow).await.expect("a flow");
        let run = flows.run_once(&ann(), "nap", json!({})).await.expect("a run");
        flows.run_until_idle().await;
        let info = flows.run_details(run).await.expect("a run").info;
        assert_eq!(info.wakes_at, Some(info.started_at.plus(Duration::from_hours(24))));
        house.clock.advance(Duration::from_secs(86_399));
        let flows = house.engine(http.clone(), 2);
        flows.run_until_idle().await;
        assert_eq!(flows.run_details(run).await.expect("a run").info.state, RunState::Live);
        house.clock.advance(Duration::from_secs(1));
        flows.run_until_idle().await;
        assert_eq!(flows.run_details(run).await.expect("a run").info.outcome, Some(Outcome::Success));
    }
}

#[tokio::test]
async fn a_sequential_flow_keeps_the_order_of_arrival_and_the_limit_per_run() {
    let flow = r#"
metadata: { scenario: { sequential: true } }
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T, maxResults: 3 } }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example/{{1.n}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "in-order", flow).await;
        for n in 1..=7 {
            http.push(200, "{}");
            flows.accept("flow.in-order", &n.to_string(), json!({"n": n})).await.expect("room");
        }
        flows.run_until_idle().await;
        let asked: Vec<String> = http.requests().iter().map(|request| request.url.clone()).collect();
        assert_eq!(asked, (1..=7).map(|n| format!("https://x.example/{n}")).collect::<Vec<_>>());
        let runs = flows.runs("in-order", 10).await.expect("runs");
        let mut operations: Vec<u64> = runs.iter().map(|run| run.operations).collect();
        operations.sort_unstable();
        assert_eq!(operations, [2, 4, 4]);
    }
}

#[tokio::test]
async fn a_full_hook_is_busy_and_an_inactive_flow_lets_its_items_wait() {
    for (_engine, _guard, mut house) in houses() {
        house.options.hook_queue_max = 2;
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "pay", POST_ONCE).await;
        flows.deactivate(&ann(), "pay").await.expect("it is switched off");
        for key in ["a", "b"] {
            flows.accept("flow.pay", key, json!({})).await.expect("room");
        }
        let refused = flows.accept("flow.pay", "c", json!({})).await.expect_err("it is full");
        assert_eq!(refused.to_string(), "hook \"flow.pay\" is busy: items that wait for its flow: 2, with 4 bytes");
        assert_eq!(flows.accept("flow.pay", "a", json!({})).await.expect("it is known"), Accepted::Known);
        flows.run_until_idle().await;
        assert_eq!(flows.list().await.expect("flows")[0].waiting, 2);
        assert!(matches!(flows.accept("flow.none", "a", json!({})).await, Err(Error::UnknownHook { .. })));

        http.push(200, "");
        http.push(200, "");
        flows.activate(&ann(), "pay").await.expect("it is switched on");
        flows.run_until_idle().await;
        assert_eq!(flows.counts().await.expect("counts").succeeded, 2);
        assert_eq!(flows.list().await.expect("flows")[0].waiting, 0);
    }
}

#[tokio::test]
async fn a_schedule_starts_runs_and_missed_times_only_one() {
    let flow = r#"
scheduling: { type: indefinitely, interval: 900 }
flow:
  - { id: 1, module: "util:SetVariable2", mapper: { name: at, value: "{{now}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "hourly", flow).await;
        let mut started = Vec::new();
        publish(&flows, "punctual", &flow.replace("interval: 900", "interval: 900, catchUp: none")).await;
        for minutes in [0, 14, 1, 60, 15, 4, 20] {
            house.clock.advance(Duration::from_secs(minutes * 60));
            flows.run_until_idle().await;
            let hourly = flows.runs("hourly", 100).await.expect("runs").len();
            started.push((hourly, flows.runs("punctual", 100).await.expect("runs").len()));
        }
        // What catches up starts once for four times that were missed, the
        // other not at all; less than five minutes late is in time for both.
        assert_eq!(started, [(0, 0), (0, 0), (1, 1), (2, 2), (3, 3), (3, 3), (4, 3)]);
    }
}

#[tokio::test]
async fn a_run_keeps_the_version_with_which_it_began() {
    let flow = |text: &str| {
        format!(
            r#"
flow:
  - {{ id: 1, module: "util:FunctionSleep", mapper: {{ duration: 60 }} }}
  - {{ id: 2, module: "util:SetVariable2", mapper: {{ name: text, value: {text} }} }}
"#
        )
    };
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "f", &flow("first")).await;
        let run = flows.run_once(&ann(), "f", json!({})).await.expect("a run");
        flows.run_until_idle().await;
        flows.put(&ann(), "f", &flow("second")).await.expect("a draft");
        assert_eq!(flows.publish(&ann(), "f").await.expect("a version"), 2);
        assert_eq!(flows.publish(&ann(), "f").await.expect("the same version"), 2);
        house.clock.advance(Duration::from_mins(1));
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 2);
        flows.run_until_idle().await;
        let run = flows.run_details(run).await.expect("a run");
        assert_eq!(run.operations[1].output, [json!({"text": "first"})]);
        assert_eq!(run.operations[1].status, OperationStatus::Success);
    }
}

#[tokio::test]
async fn the_engine_wakes_for_what_comes_and_stops_when_told() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        http.push(200, "ok");
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "pay", POST_ONCE).await;
        let stop = CancellationToken::new();
        let engine = tokio::spawn(flows.clone().run(stop.clone()));
        flows.accept("flow.pay", "1", json!({"n": 7})).await.expect("room");
        while flows.counts().await.expect("counts").succeeded == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        engine.await.expect("the engine ends");
        assert_eq!(http.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_replayed_run_sees_the_time_that_it_saw_before() {
    let flow = r#"
flow:
  - { id: 1, module: "util:FunctionSleep", mapper: { duration: 60 } }
  - { id: 2, module: "util:SetVariable2", mapper: { name: at, value: "{{now}}" } }
  - { id: 3, module: "util:FunctionSleep", mapper: { duration: 60 } }
  - { id: 4, module: "util:SetVariable2", mapper: { name: then, value: "{{2.at}}" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "twice", flow).await.expect("a flow");
        let run = flows.run_once(&ann(), "twice", json!({})).await.expect("a run");
        for life in 2..5 {
            house.engine(Arc::new(ScriptedHttp::default()), life).run_until_idle().await;
            house.clock.advance(Duration::from_mins(1));
        }
        let run = flows.run_details(run).await.expect("a run");
        let outputs: Vec<_> = run.operations.iter().map(|each| each.output[0].to_string()).collect();
        let time = "2026-01-01T00:01:00.000Z";
        let expected = ["{}".into(), format!("{{\"at\":\"{time}\"}}"), "{}".into(), format!("{{\"then\":\"{time}\"}}")];
        assert_eq!(outputs, expected);
    }
}

#[tokio::test]
async fn what_is_due_keeps_its_time_when_it_is_activated_or_published_again() {
    let flow = |interval: u32, name: &str| {
        format!(
            "name: {name}\nscheduling: {{ type: indefinitely, interval: {interval} }}\nflow:\n  - {{ id: 1, module: \"util:SetVariable2\", mapper: {{ name: a, value: b }} }}\n"
        )
    };
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "regular", &flow(3_600, "one")).await;
        let next_at = async || flows.list().await.expect("flows")[0].next_at.map(|at| at.as_millis() / 60_000);
        let first = next_at().await;
        house.clock.advance(Duration::from_mins(50));
        publish(&flows, "regular", &flow(3_600, "one")).await;
        assert_eq!(next_at().await, first, "activated again");
        publish(&flows, "regular", &flow(3_600, "two")).await;
        assert_eq!(next_at().await, first, "another version with the same schedule");
        publish(&flows, "regular", &flow(900, "two")).await;
        assert_eq!(next_at().await, first.map(|minutes| minutes + 5), "a schedule of 15 minutes begins now");
        flows.deactivate(&ann(), "regular").await.expect("it is switched off");
        flows.put(&ann(), "regular", &flow(900, "three")).await.expect("a draft");
        flows.publish(&ann(), "regular").await.expect("a version");
        assert_eq!(next_at().await, None, "what is off stays off");
    }
}

#[tokio::test]
async fn a_new_version_wakes_the_engine() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "pay", POST_ONCE).await;
        // Nothing else is to be seen of the wakes before.
        flows.run_until_idle().await;
        while futures_now(flows.nudge.notified()).await {}
        flows.put(&ann(), "pay", &POST_ONCE.replace("pay", "repay")).await.expect("a draft");
        flows.publish(&ann(), "pay").await.expect("a version");
        assert!(futures_now(flows.nudge.notified()).await);
    }
}

/// Tells whether something is there now.
async fn futures_now(future: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = future => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn items_wait_on_their_hook_while_the_engine_is_busy() {
    for (_engine, _guard, mut house) in houses() {
        house.options.concurrency = 1;
        house.options.hook_queue_max = 8;
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "pay", POST_ONCE).await;
        let accept = async |n: u32| flows.accept("flow.pay", &n.to_string(), json!({"n": n})).await;
        for n in 0..8 {
            accept(n).await.expect("room");
        }
        die_in_flight(&house, Arc::new(Silence(ScriptedHttp::default()))).await;
        assert_eq!(flows.list().await.expect("flows")[0].waiting, 7, "one became a run");
        accept(8).await.expect("room");
        assert!(matches!(accept(9).await, Err(Error::Busy { waiting: 8, .. })));

        let http = Arc::new(ScriptedHttp::default());
        for _ in 0..8 {
            http.push(200, "ok");
        }
        let flows = house.engine(http.clone(), 3);
        flows.run_until_idle().await;
        let counts = flows.counts().await.expect("counts");
        assert_eq!((counts.succeeded, counts.held), (8, 1), "all of them had their turn");
    }
}

/// Counts how often the engine looks.
struct CountedClock(Arc<SimClock>, std::sync::atomic::AtomicUsize);

impl base::Clock for CountedClock {
    fn now(&self) -> Timestamp {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.now()
    }
}

#[tokio::test]
async fn a_run_that_cannot_be_held_yet_does_not_keep_the_engine_hot() {
    for (engine, _guard, house) in houses() {
        if engine != "SQLite" {
            continue;
        }
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "pay", POST_ONCE).await;
        flows.accept("flow.pay", "1", json!({"n": 7})).await.expect("room");
        die_in_flight(&house, Arc::new(Silence(ScriptedHttp::default()))).await;
        // As on a disk that is full: it can be read, and not written.
        let full = "CREATE TRIGGER full BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'full'); END";
        house.db.write("test.fill", move |tx| tx.execute(full, base::args![])).await.expect("a trigger");

        let clock = Arc::new(CountedClock(house.clock.clone(), std::sync::atomic::AtomicUsize::new(0)));
        let keys = Arc::new(KeyRing::generate(&SeededChance::new(1)));
        let chance = Arc::new(SeededChance::new(3));
        let http = Arc::new(ScriptedHttp::default());
        let flows = Flows::new(house.db.clone(), http, keys, clock.clone(), chance, house.options.clone());
        let flows = Arc::new(flows);
        let stop = CancellationToken::new();
        let work = tokio::spawn(flows.clone().run(stop.clone()));
        for _ in 0..1_000 {
            assert_eq!(flows.counts().await.expect("counts").held, 0);
        }
        let looks = clock.1.load(std::sync::atomic::Ordering::Relaxed);
        assert!(looks < 50, "{looks} looks");

        let empty = "DROP TRIGGER full";
        house.db.write("test.empty", move |tx| tx.execute(empty, base::args![])).await.expect("no trigger");
        while flows.counts().await.expect("counts").held == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        work.await.expect("the engine ends");
    }
}

#[tokio::test]
async fn more_than_can_be_taken_up_at_once_is_not_left_lying() {
    for (_engine, _guard, mut house) in houses() {
        house.options.concurrency = 2;
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        let naps = "flow:\n  - { id: 1, module: \"util:FunctionSleep\", mapper: { duration: 60 } }\n";
        flows.put(&ann(), "naps", naps).await.expect("a draft");
        for _ in 0..3 {
            flows.run_once(&ann(), "naps", json!({})).await.expect("a run");
        }
        flows.run_until_idle().await;
        house.clock.advance(Duration::from_mins(1));
        // Nobody looks again by itself before a minute has passed: what the
        // first look leaves must be remembered.
        let mut desk = Desk::default();
        flows.take_up(&mut desk, &CancellationToken::new()).await.expect("a look");
        assert_eq!((desk.tasks.len(), desk.is_short), (2, true));
    }
}
