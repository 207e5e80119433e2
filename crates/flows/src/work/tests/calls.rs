//! Flows that call one another.

use base::{Causes, Clock};

use super::*;
use crate::engine::Intent;
use crate::error::Error;
use crate::modules::{FlowCall, Plan};
use crate::value::Value;
use crate::work::Taken;
use crate::work::advance::{InFlight, Parted};

const PRICE: &str = r#"
interface: { input: [{ name: order, required: true }, { name: currency, default: EUR }], output: [{ name: price }] }
flow:
  - { id: 1, module: "scenario-service:StartSubscenario" }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example/price/{{var.input.order}}", method: post, parseResponse: true } }
  - { id: 3, module: "scenario-service:ReturnData", mapper: { price: "{{2.data}} {{var.input.currency}}" } }
"#;

fn caller(wait: bool) -> String {
    format!(
        r#"
flow:
  - {{ id: 1, module: "builtin:BasicRepeater", mapper: {{ repeats: 2 }} }}
  - {{ id: 2, module: "loopwright:CallFlow", parameters: {{ flow: price, wait: {wait} }}, mapper: {{ input: {{ order: "{{{{1.i}}}}" }} }} }}
  - {{ id: 3, module: "http:ActionSendData", mapper: {{ url: "https://x.example/told/{{{{encodeURL(2.price)}}}}" }} }}
"#
    )
}

async fn put(flows: &Flows, key: &str, text: &str) {
    flows.put(&ann(), key, text).await.expect("a flow");
}

async fn run(flows: &Arc<Flows>, key: &str, input: Json) -> RunDetails {
    let run = flows.run_once(&ann(), key, input).await.expect("a run");
    flows.run_until_idle().await;
    flows.run_details(run).await.expect("a run")
}

#[tokio::test]
async fn a_flow_waits_for_what_another_gives_back() {
    for (engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        for answer in ["17", "", "18", ""] {
            http.push(200, answer);
        }
        let flows = house.engine(http.clone(), 1);
        put(&flows, "price", PRICE).await;
        put(&flows, "all", &caller(true)).await;
        let called = run(&flows, "all", json!({})).await;
        assert_eq!(called.info.outcome, Some(Outcome::Success), "{engine}: {:?}", called.info);
        let urls: Vec<String> = http.requests().iter().map(|request| request.url.clone()).collect();
        assert_eq!(
            urls.iter().map(|url| &url[18..]).collect::<Vec<_>>(),
            ["price/1", "told/17%20EUR", "price/2", "told/18%20EUR"]
        );
        let children = flows.runs("price", 10).await.expect("runs");
        assert_eq!(children.iter().map(|run| run.started_by.as_str()).collect::<Vec<_>>(), ["flow", "flow"]);
    }
}

#[tokio::test]
async fn a_flow_starts_another_and_goes_on() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        for _ in 0..4 {
            http.push(200, "1");
        }
        let flows = house.engine(http.clone(), 1);
        put(&flows, "price", PRICE).await;
        put(&flows, "all", &caller(false)).await;
        let called = run(&flows, "all", json!({})).await;
        let id = called.operations[1].output[0]["executionId"].as_str().expect("an id").to_owned();
        assert!(flows.runs("price", 10).await.expect("runs").iter().any(|run| run.id.to_string() == id));
        assert_eq!(http.requests().len(), 4);
    }
}

#[tokio::test]
async fn a_call_that_is_performed_again_starts_nothing_twice() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        put(&flows, "price", PRICE).await;
        put(&flows, "all", &caller(true)).await;
        flows.run_once(&ann(), "all", json!({})).await.expect("a run");
        // The program dies while the other flow waits for its answer, twice.
        for _ in 0..2 {
            let peer = Arc::new(Silence(ScriptedHttp::default()));
            die_in_flight(&house, peer.clone()).await;
            let child = flows.runs("price", 10).await.expect("runs");
            assert_eq!(child.len(), 1);
            let engine = house.engine(Arc::new(ScriptedHttp::default()), 5);
            engine.run_until_idle().await;
            assert_eq!(flows.runs("price", 10).await.expect("runs").len(), 1);
            // It was not safe to repeat, and a person says to.
            flows.decide(&ann(), child[0].id, Decision::Repeat).await.expect("it is in doubt");
        }
        let http = Arc::new(ScriptedHttp::default());
        for _ in 0..4 {
            http.push(200, "1");
        }
        let engine = house.engine(http, 6);
        engine.run_until_idle().await;
        assert_eq!(engine.runs("price", 10).await.expect("runs").len(), 2, "one for each order");
        assert_eq!(only_run(&engine, "all").await.info.outcome, Some(Outcome::Success));
    }
}

#[tokio::test]
async fn a_cancelled_run_lets_its_caller_go_on() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        put(&flows, "naps", "flow:\n  - { id: 1, module: \"util:FunctionSleep\", mapper: { duration: 86400 } }").await;
        let call = "flow:\n  - { id: 1, module: \"loopwright:CallFlow\", parameters: { flow: naps } }";
        put(&flows, "waits", call).await;
        let waiting = run(&flows, "waits", json!({})).await.info;
        assert_eq!(waiting.state, RunState::Live);
        let child = only_run(&flows, "naps").await.info.id;
        flows.cancel(&ann(), child).await.expect("it sleeps");
        flows.run_until_idle().await;
        let ended = flows.run_details(waiting.id).await.expect("a run").info;
        assert_eq!(ended.outcome, Some(Outcome::Error));
        assert!(ended.reason.expect("a reason").contains("of flow \"naps\" was cancelled"));
    }
}

/// The task of a run may be on its way to the database when somebody cancels.
#[tokio::test]
async fn a_caller_that_was_woken_before_a_stop_goes_on_at_once_after_it() {
    for (engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        put(&flows, "naps", "flow:\n  - { id: 1, module: \"util:FunctionSleep\", mapper: { duration: 86400 } }").await;
        let call = "flow:\n  - { id: 1, module: \"loopwright:CallFlow\", parameters: { flow: naps } }";
        put(&flows, "waits", call).await;
        let caller = flows.run_once(&ann(), "waits", json!({})).await.expect("a run");
        let stop = CancellationToken::new();
        let Parted::Sleeps(held) = flows.advance(caller, None, &stop).await else { panic!("it waits for the other") };
        let child = only_run(&flows, "naps").await.info.id;
        flows.cancel(&ann(), child).await.expect("it sleeps");
        // The engine has taken the caller in hand, and is told to stop.
        stop.cancel();
        flows.advance(caller, Some(Taken::Held(held)), &stop).await;
        let after = house.engine(Arc::new(ScriptedHttp::default()), 2);
        after.run_until_idle().await;
        assert_eq!(only_run(&after, "waits").await.info.outcome, Some(Outcome::Error), "{engine}");
    }
}

#[tokio::test]
async fn a_run_that_was_cancelled_calls_and_counts_no_more() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        put(&flows, "naps", "flow:\n  - { id: 1, module: \"util:FunctionSleep\", mapper: { duration: 86400 } }").await;
        let cancelled = run(&flows, "naps", json!({})).await.info.id;
        flows.cancel(&ann(), cancelled).await.expect("it sleeps");
        let call = FlowCall { flow: "naps".into(), input: Value::collection::<String>([]), waits: true };
        for plan in [Plan::Flow(call), Plan::Count] {
            let (path, key) = ("".into(), "a key".into());
            let intent = Intent { number: 1, module: 2, path, key, is_safe: true, plan };
            let refused = match intent.plan.clone() {
                Plan::Flow(call) => {
                    let asked = InFlight::new(intent, house.clock.now());
                    flows.call_flow(cancelled, &asked, &call, &Causes::default()).await.map(|_| ()).err()
                }
                _ => flows.count(cancelled, "naps", &intent).await.err(),
            };
            assert!(matches!(refused, Some(Error::HasEnded { id }) if id == cancelled), "{refused:?}");
        }
        assert_eq!(flows.runs("naps", 10).await.expect("runs").len(), 1);
    }
}

#[tokio::test]
async fn a_call_fails_with_a_reason() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http, 1);
        let call = |flow: &str, input: &str| {
            format!(
                r#"
flow:
  - {{ id: 1, module: "loopwright:CallFlow", parameters: {{ flow: {flow} }}, mapper: {{ input: {input} }} }}
"#
            )
        };
        put(&flows, "price", PRICE).await;
        put(&flows, "fails", "flow:\n  - { id: 1, module: \"loopwright:Fail\", mapper: { message: nope } }").await;
        put(&flows, "itself", &call("itself", "{}")).await;
        put(&flows, "alone", &format!("metadata: {{ scenario: {{ sequential: true }} }}{}", call("alone", "{}"))).await;
        let mut reasons = Vec::new();
        for (key, text) in
            [("nobody", call("nowhere", "{}")), ("empty", call("price", "{}")), ("failing", call("fails", "{}"))]
        {
            put(&flows, key, &text).await;
            reasons.push(run(&flows, key, json!({})).await.info.reason.unwrap_or_default());
        }
        assert_eq!(
            reasons[..2],
            [
                "module 1 (loopwright:CallFlow) failed: InvalidConfigurationError: flow \"nowhere\" does not exist",
                "module 1 (loopwright:CallFlow) failed: BundleValidationError: \"order\" is missing: it must \
                 be a text",
            ]
        );
        assert!(
            reasons[2].ends_with("ended as an error: module 1 (loopwright:Fail) failed: RuntimeError: nope"),
            "{reasons:?}"
        );

        let deep = run(&flows, "itself", json!({})).await.info;
        assert_eq!(deep.outcome, Some(Outcome::Error));
        assert!(deep.reason.expect("a reason").ends_with("flows call one another more than 10 deep"));
        assert_eq!(flows.runs("itself", 100).await.expect("runs").len(), 11);
        let alone = run(&flows, "alone", json!({})).await.info.reason.expect("a reason");
        assert!(alone.ends_with("flow \"alone\" is sequential and would wait for itself"), "{alone}");
    }
}
