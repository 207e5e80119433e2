//! Incomplete executions at work: stored, tried again, resolved.

use expect_test::expect;

use super::*;
use crate::incomplete::{IncompleteInfo, IncompleteState, RetryVersion};

/// Posts each of two orders; what fails is stored.
fn orders(handler: &str, more: &str) -> String {
    format!(
        r#"
metadata: {{ scenario: {{ dlq: true{more} }}, loopwright: {{ retries: 0 }} }}
flow:
  - {{ id: 1, module: "loopwright:Signal", parameters: {{ knowledgeModel: p.k, trigger: T, maxResults: 2 }} }}
  - id: 2
    module: http:ActionSendData
    parameters: {{ handleErrors: true }}
    mapper: {{ url: "https://x.example/order/{{{{1.n}}}}", method: post }}
    onerror: [{handler}]
  - {{ id: 3, module: "http:ActionSendData", mapper: {{ url: "https://x.example/told/{{{{1.n}}}}" }} }}
"#
    )
}

const BREAK: &str = r#"{ id: 9, module: "builtin:Break", mapper: { retry: true, count: 2, interval: 30 } }"#;

fn lost(http: &ScriptedHttp) {
    http.push_error(base::http::HttpError::UnknownHost { host: "x.example".into() });
}

/// Publishes a flow and lets two orders come.
async fn two_orders(house: &House, http: &Arc<ScriptedHttp>, flow: &str) -> Arc<Flows> {
    let flows = house.engine(http.clone(), 1);
    publish(&flows, "orders", flow).await;
    for n in 1..=2 {
        flows.accept("flow.orders", &n.to_string(), json!({"n": n})).await.expect("room");
    }
    flows
}

async fn listed(flows: &Flows) -> Vec<IncompleteInfo> {
    flows.incompletes("orders", false, 10).await.expect("a list")
}

fn addresses(http: &ScriptedHttp) -> Vec<String> {
    let short = |url: &str| url.trim_start_matches("https://x.example/").to_owned();
    http.requests().iter().map(|request| short(&request.url)).collect()
}

#[tokio::test]
async fn what_failed_goes_on_by_itself_when_it_is_due() {
    for (engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        http.push(200, "");
        http.push(200, "");
        let flows = two_orders(&house, &http, &orders(BREAK, "")).await;
        flows.run_until_idle().await;
        assert_eq!(addresses(&http), ["order/1", "order/2", "told/2"], "{engine}: the other one goes on");
        let run = only_run(&flows, "orders").await;
        assert_eq!(run.info.outcome, Some(Outcome::Success), "it completes itself: {:?}", run.info.reason);
        let stored = listed(&flows).await.remove(0);
        assert_eq!((stored.module, stored.class.as_str(), stored.attempts), (2, "ConnectionError", 0));
        assert_eq!(stored.retry_at, Some(run.info.ended_at.expect("it ended").plus(Duration::from_mins(30))));
        let bundles = flows.incomplete("orders", stored.id).await.expect("it is there").bundles;
        assert_eq!(bundles["1"]["n"], 1);
        assert_eq!(bundles["2"]["error"]["type"], "ConnectionError");

        // The first attempt fails as well, in another life of the program.
        lost(&http);
        house.clock.advance(Duration::from_mins(29));
        let flows = house.engine(http.clone(), 2);
        flows.run_until_idle().await;
        assert_eq!(addresses(&http).len(), 3, "not before its time");
        house.clock.advance(Duration::from_mins(1));
        flows.run_until_idle().await;
        let stored = listed(&flows).await;
        assert_eq!((stored.len(), stored[0].attempts, stored[0].state), (1, 1, IncompleteState::Open));

        http.push(200, "");
        http.push(200, "");
        house.clock.advance(Duration::from_mins(30));
        let flows = house.engine(http.clone(), 3);
        flows.run_until_idle().await;
        assert_eq!(addresses(&http)[3..], ["order/1", "order/1", "told/1"]);
        let stored = listed(&flows).await.remove(0);
        assert_eq!((stored.state, stored.retry_at), (IncompleteState::Resolved, None));
        // Nobody answered, so all attempts were one operation to the receiver.
        let keys: Vec<_> = http.requests().iter().map(|each| each.headers["idempotency-key"].clone()).collect();
        assert_eq!((&keys[0], &keys[0]), (&keys[3], &keys[4]));
        let attempts = flows.runs("orders", 10).await.expect("runs");
        let started_by: Vec<&str> = attempts.iter().map(|run| run.started_by.as_str()).collect();
        assert_eq!(started_by, ["retry", "retry", "signal"]);
    }
}

#[tokio::test]
async fn attempts_end_and_a_person_goes_on() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        http.push(200, "");
        http.push(200, "");
        let flows = two_orders(&house, &http, &orders(BREAK, "")).await;
        flows.run_until_idle().await;
        for _ in 0..2 {
            lost(&http);
            house.clock.advance(Duration::from_mins(30));
            flows.run_until_idle().await;
        }
        let stored = listed(&flows).await.remove(0);
        assert_eq!((stored.attempts, stored.retry_at, stored.state), (2, None, IncompleteState::Open));

        // The address was wrong; the published version has a better one.
        let mended = orders(BREAK, "").replace("x.example/order", "y.example/order");
        flows.put(&ann(), "orders", &mended).await.expect("a draft");
        http.push(200, "");
        http.push(200, "");
        let run = flows.retry_incomplete(&ann(), "orders", stored.id, RetryVersion::Draft).await.expect("it goes on");
        let again = flows.retry_incomplete(&ann(), "orders", stored.id, RetryVersion::Same).await;
        assert!(matches!(again, Err(Error::NotOpen { .. })), "one attempt at a time");
        flows.run_until_idle().await;
        assert_eq!(http.requests()[5].url, "https://y.example/order/1");
        let keys: Vec<_> = http.requests().iter().map(|each| each.headers["idempotency-key"].clone()).collect();
        assert_ne!(keys[0], keys[5], "another request is another operation");
        assert_eq!(flows.run_details(run).await.expect("a run").info.outcome, Some(Outcome::Success));
        assert_eq!(listed(&flows).await[0].state, IncompleteState::Resolved);
        let refused = flows.delete_incomplete(&ann(), "orders", stored.id).await.expect_err("it is done");
        assert_eq!(
            refused.to_string(),
            format!(
                "incomplete execution \"{}\" does not wait: it is done, an attempt is under way, or another run of its sequential flow",
                stored.id
            )
        );
        let verbs: Vec<String> =
            flows.audit(None, 10).await.expect("rows").into_iter().map(|entry| entry.verb).collect();
        assert!(verbs.contains(&"retry".to_owned()), "{verbs:?}");
    }
}

#[tokio::test]
async fn an_execution_that_gets_further_stays_the_same_one() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        http.push(200, "");
        http.push(200, "");
        let flows = two_orders(&house, &http, &orders(BREAK, "")).await;
        flows.run_until_idle().await;
        // The order is posted now; telling of it fails.
        http.push(200, "");
        lost(&http);
        house.clock.advance(Duration::from_mins(30));
        flows.run_until_idle().await;
        let stored = listed(&flows).await;
        assert_eq!((stored.len(), stored[0].module, stored[0].attempts), (1, 3, 0));
        // Module 3 has no handler: the engine's own delays hold, the first a minute.
        http.push(200, "");
        house.clock.advance(Duration::from_mins(1));
        flows.run_until_idle().await;
        assert_eq!(addresses(&http)[3..], ["order/1", "told/1", "told/1"], "what was done is not done again");
        assert_eq!(listed(&flows).await[0].state, IncompleteState::Resolved);
    }
}

#[tokio::test]
async fn runs_in_order_wait_for_an_incomplete_one() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        let one_by_one = orders("", ", sequential: true").replace("maxResults: 2", "maxResults: 1");
        let flows = two_orders(&house, &http, &one_by_one).await;
        flows.run_until_idle().await;
        assert_eq!(addresses(&http), ["order/1"]);
        assert_eq!(only_run(&flows, "orders").await.info.outcome, Some(Outcome::Warning));
        for _ in 0..4 {
            http.push(200, "");
        }
        house.clock.advance(Duration::from_mins(1));
        flows.run_until_idle().await;
        assert_eq!(addresses(&http)[1..], ["order/1", "told/1", "order/2", "told/2"]);
    }
}

#[tokio::test]
async fn the_end_of_a_run_in_order_wakes_whoever_waits_for_it() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        for (key, sequential) in [("in-order", true), ("all-at-once", false)] {
            let text = format!(
                "metadata: {{ scenario: {{ sequential: {sequential} }} }}\nflow:\n  - {{ id: 1, module: \
                 \"util:FunctionSleep\", mapper: {{ duration: 60 }} }}"
            );
            flows.put(&ann(), key, &text).await.expect("a flow");
            flows.run_once(&ann(), key, json!({})).await.expect("a run");
            flows.run_until_idle().await;
            house.clock.advance(Duration::from_mins(1));
            while futures_now(flows.nudge.notified()).await {}
            flows.run_until_idle().await;
            assert_eq!(only_run(&flows, key).await.info.outcome, Some(Outcome::Success));
            assert_eq!(futures_now(flows.nudge.notified()).await, sequential, "{key}");
        }
    }
}

#[tokio::test]
async fn an_attempt_that_another_run_blocks_goes_on_after_it() {
    let flow = orders("", ", sequential: true").replace("maxResults: 2", "maxResults: 1").replace(
        "  - { id: 3,",
        "  - { id: 7, module: \"util:FunctionSleep\", filter: { conditions: [[{ a: \"{{1.nap}}\", o: exist }]] }, \
         mapper: { duration: \"{{1.nap}}\" } }\n  - { id: 3,",
    );
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "orders", &flow).await;
        flows.accept("flow.orders", "1", json!({"n": 1, "nap": 1})).await.expect("room");
        flows.run_until_idle().await;
        http.push(200, "");
        flows.run_once(&ann(), "orders", json!({"n": 2, "nap": 3_600})).await.expect("a run");
        flows.run_until_idle().await;
        house.clock.advance(Duration::from_mins(30));
        flows.run_until_idle().await;
        assert_eq!(addresses(&http), ["order/1", "order/2"], "it is due, and another run sleeps");
        (0..3).for_each(|_| http.push(200, ""));
        house.clock.advance(Duration::from_mins(30));
        flows.run_until_idle().await;
        house.clock.advance(Duration::from_secs(1));
        flows.run_until_idle().await;
        assert_eq!(addresses(&http)[2..], ["told/2", "order/1", "told/1"]);
        assert_eq!(listed(&flows).await[0].state, IncompleteState::Resolved);
    }
}

#[tokio::test]
async fn attempts_that_wait_for_their_turn_hold_back_no_others() {
    let many = r#"
metadata: { scenario: { dlq: true, sequential: true } }
flow:
  - { id: 1, module: "builtin:BasicRepeater", mapper: { repeats: "{{var.input.repeats}}" } }
  - id: 2
    module: "loopwright:Fail"
    mapper: { message: no, type: ConnectionError }
    onerror: [{ id: 9, module: "builtin:Break", mapper: { retry: true, interval: 1 } }]
"#;
    let nap = "flow: [{ id: 1, module: \"util:FunctionSleep\", mapper: { duration: 86400 } }]";
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "many", many).await;
        flows.run_once(&ann(), "many", json!({"repeats": 150})).await.expect("a run");
        flows.run_until_idle().await;
        assert_eq!(flows.incompletes("many", true, 1_000).await.expect("a list").len(), 150);
        flows.put(&ann(), "many", nap).await.expect("a draft");
        flows.start(&ann(), "many", crate::Which::Draft, json!({})).await.expect("a run");
        flows.run_until_idle().await;
        house.clock.advance(Duration::from_secs(1));
        lost(&http);
        http.push(200, "");
        http.push(200, "");
        publish(&flows, "orders", &orders("", "")).await;
        flows.accept("flow.orders", "1", json!({"n": 1})).await.expect("room");
        flows.accept("flow.orders", "2", json!({"n": 2})).await.expect("room");
        flows.run_until_idle().await;
        (0..2).for_each(|_| http.push(200, ""));
        house.clock.advance(Duration::from_mins(2));
        flows.run_until_idle().await;
        assert_eq!(listed(&flows).await[0].state, IncompleteState::Resolved);
        assert_eq!(flows.incompletes("many", true, 1_000).await.expect("a list").len(), 150);
    }
}

#[tokio::test]
async fn too_many_attempts_that_fail_within_a_short_time_switch_the_flow_off() {
    for (_engine, _guard, mut house) in houses() {
        house.options.limits.failed_attempts_max = 3;
        let http = Arc::new(ScriptedHttp::default());
        let flows = two_orders(&house, &http, &orders(BREAK, "")).await;
        for n in 3..=4 {
            flows.accept("flow.orders", &n.to_string(), json!({"n": n})).await.expect("room");
        }
        (0..4).for_each(|_| lost(&http));
        flows.run_until_idle().await;
        let state = async || flows.list().await.expect("flows").remove(0);
        // What a person asks for says nothing about the flow.
        for stored in listed(&flows).await {
            lost(&http);
            flows.retry_incomplete(&ann(), "orders", stored.id, RetryVersion::Same).await.expect("it is tried");
        }
        flows.run_until_idle().await;
        assert_eq!((listed(&flows).await.len(), state().await.switched_off), (4, None));
        house.clock.advance(Duration::from_mins(30));
        (0..4).for_each(|_| lost(&http));
        flows.run_until_idle().await;
        let why = state().await.switched_off.expect("it is off");
        expect![[r#"The flow "orders" was switched off: 3 attempts at incomplete executions failed within 120 seconds, the last one because cannot find the host "x.example". What comes for it waits on its hook. See to the cause, then switch it on again with POST /api/v1/flows/orders/activate."#]].assert_eq(&why);
    }
}

#[tokio::test]
async fn where_there_is_no_room_the_run_ends_unless_it_may_lose_data() {
    for (_engine, _guard, mut house) in houses() {
        house.options.limits.incomplete_max = 0;
        for (key, more, outcome, sent) in
            [("keeps", "", Outcome::Error, 1), ("drops", ", dataloss: true", Outcome::Warning, 3)]
        {
            let http = Arc::new(ScriptedHttp::default());
            lost(&http);
            http.push(200, "");
            http.push(200, "");
            let flows = house.engine(http.clone(), 1 + sent as u64);
            publish(&flows, key, &orders("", more)).await;
            for n in 1..=2 {
                flows.accept(&format!("flow.{key}"), &n.to_string(), json!({"n": n})).await.expect("room");
            }
            flows.run_until_idle().await;
            let run = only_run(&flows, key).await;
            assert_eq!((run.info.outcome, http.requests().len()), (Some(outcome), sent), "{key}");
            assert!(flows.incompletes(key, false, 10).await.expect("a list").is_empty());
            if key == "keeps" {
                expect!["OutOfSpaceError: 0 incomplete executions are open, and there is no room for more"]
                    .assert_eq(run.info.reason.as_deref().unwrap_or_default());
            }
        }
    }
}

#[tokio::test]
async fn a_person_resolves_or_deletes() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        lost(&http);
        let flows = two_orders(&house, &http, &orders("", "")).await;
        flows.run_until_idle().await;
        let stored = listed(&flows).await;
        assert_eq!(stored.len(), 2);
        flows.resolve_incomplete(&ann(), "orders", stored[0].id).await.expect("it is open");
        flows.delete_incomplete(&ann(), "orders", stored[1].id).await.expect("it is open");
        house.clock.advance(Duration::from_hours(24));
        flows.run_until_idle().await;
        assert_eq!(http.requests().len(), 2, "neither is tried again");
        let states: Vec<IncompleteState> = listed(&flows).await.iter().map(|each| each.state).collect();
        assert!(states.contains(&IncompleteState::Resolved) && states.contains(&IncompleteState::Deleted));
        let gone = flows.incomplete("orders", stored[1].id).await.expect("it is listed");
        assert!(gone.bundles.is_empty());
        assert!(flows.incompletes("orders", true, 10).await.expect("a list").is_empty());
    }
}

#[tokio::test]
async fn of_a_confidential_flow_nothing_is_kept_that_is_done_with() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        (0..3).for_each(|_| lost(&http));
        let secret = orders("", ", confidential: true");
        let flows = two_orders(&house, &http, &secret).await;
        flows.accept("flow.orders", "3", json!({"n": "Meier"})).await.expect("room");
        flows.run_until_idle().await;
        let kept = || async {
            let sql = "SELECT (SELECT COUNT(*) FROM incomplete WHERE place LIKE '%bundles%') AS places, \
                       (SELECT COUNT(*) FROM runs WHERE input <> '[]') AS inputs";
            let row = house.db.read("test.kept", move |tx| tx.query_one(sql, base::args![])).await;
            let row = row.expect("a row").expect("a row");
            (row.get::<u64>(0).expect("a number"), row.get::<u64>(1).expect("a number"))
        };
        assert_eq!(kept().await, (3, 0));
        let stored = listed(&flows).await;
        flows.resolve_incomplete(&ann(), "orders", stored[0].id).await.expect("it is open");
        assert_eq!(kept().await, (2, 0), "by hand");
        let run = flows.retry_incomplete(&ann(), "orders", stored[1].id, RetryVersion::Same).await.expect("it goes on");
        flows.cancel(&ann(), run).await.expect("it has not ended");
        flows.run_until_idle().await;
        assert_eq!(kept().await, (2, 1), "a cancelled attempt keeps its place, and the execution is still open");
        flows.resolve_incomplete(&ann(), "orders", stored[1].id).await.expect("it is open");
        assert_eq!(kept().await, (1, 0));
        http.push(200, "");
        http.push(200, "");
        // Even if the version that goes on is not confidential.
        flows.put(&ann(), "orders", &orders("", "")).await.expect("a draft");
        flows.retry_incomplete(&ann(), "orders", stored[2].id, RetryVersion::Draft).await.expect("it goes on");
        flows.run_until_idle().await;
        assert_eq!(kept().await, (0, 0), "by the attempt itself");
        let states: Vec<IncompleteState> = listed(&flows).await.iter().map(|each| each.state).collect();
        assert_eq!(states, [IncompleteState::Resolved; 3]);
        let details = flows.incomplete("orders", stored[2].id).await.expect("it is listed");
        assert!(details.bundles.is_empty());
    }
}

#[tokio::test]
async fn an_attempt_begins_only_where_its_execution_still_stands() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        http.push(200, "");
        http.push(200, "");
        let flows = two_orders(&house, &http, &orders(BREAK, "")).await;
        flows.run_until_idle().await;
        let id = listed(&flows).await[0].id;
        let seen = house.db.read("test.incomplete", move |tx| tables::incomplete(tx, id)).await.expect("it is read");
        let seen = seen.expect("it is there");
        // Between a look and the attempt another one comes and goes.
        lost(&http);
        flows.retry_incomplete(&ann(), "orders", id, RetryVersion::Same).await.expect("it goes on");
        flows.run_until_idle().await;
        assert_eq!(listed(&flows).await[0].attempts, 1);
        assert_eq!(flows.start_attempt(&seen, None).await.expect("it is looked at"), Attempt::NotOpen);
        assert_eq!(listed(&flows).await[0].attempts, 1);
    }
}

#[tokio::test]
async fn what_goes_on_by_itself_is_not_given_back() {
    let flow = r#"
metadata: { scenario: { dlq: true }, loopwright: { retries: 0, returnsItems: true, instantErrorsMax: 10 } }
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T, maxResults: 2 } }
  - id: 2
    module: http:ActionSendData
    mapper: { url: "https://x.example/order/{{1.n}}", method: post }
    onerror: [{ id: 9, module: "builtin:Break", mapper: { retry: true, count: 9, interval: 1 } }]
  - { id: 3, module: "util:FunctionSleep", mapper: { duration: 300 } }
  - { id: 4, module: "loopwright:Fail", mapper: { message: "no" } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        http.push(200, "");
        let flows = two_orders(&house, &http, flow).await;
        flows.run_until_idle().await;
        // While the other order sleeps, an attempt at the first one fails.
        lost(&http);
        house.clock.advance(Duration::from_mins(1));
        flows.run_until_idle().await;
        let run = flows.runs("orders", 10).await.expect("runs").pop().expect("the first one");
        assert_ne!(listed(&flows).await[0].run, run.id, "it failed again, in an attempt");
        lost(&http);
        house.clock.advance(Duration::from_mins(4));
        flows.run_until_idle().await;
        let ended = flows.run_details(run.id).await.expect("a run").info;
        assert_eq!(ended.outcome, Some(Outcome::Error), "{:?}", ended.reason);
        let begun = flows.runs("orders", 10).await.expect("runs");
        let begun = begun.iter().filter(|run| run.started_by == "signal").count();
        assert_eq!(begun, 1, "neither order is made again");
    }
}

#[tokio::test]
async fn a_round_that_is_set_aside_repeats_when_it_goes_on() {
    let flow = r#"
metadata: { scenario: { dlq: true }, loopwright: { retries: 0 } }
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - id: 2
    module: loopwright:RepeatUntil
    mapper: { repeats: 3 }
    until: { conditions: [[{ a: "{{3.data.ready}}", o: "text:equal", b: "yes" }]] }
    flow:
      - id: 3
        module: http:ActionSendData
        mapper: { url: "https://x.example/round/{{2.i}}", method: post, parseResponse: true }
        onerror: [{ id: 9, module: "builtin:Break", mapper: { retry: true, count: 3, interval: 1 } }]
  - { id: 4, module: http:ActionSendData, mapper: { url: "https://x.example/done", method: post } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        lost(&http);
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "orders", flow).await;
        flows.accept("flow.orders", "1", json!({})).await.expect("room");
        flows.run_until_idle().await;
        let run = flows.runs("orders", 10).await.expect("runs").remove(0);
        assert_eq!(run.outcome, Some(Outcome::Success), "the repetition itself has not failed: {:?}", run.reason);
        http.push(200, r#"{"ready": "no"}"#);
        http.push(200, r#"{"ready": "yes"}"#);
        http.push(200, "");
        house.clock.advance(Duration::from_mins(1));
        flows.run_until_idle().await;
        let states: Vec<IncompleteState> = listed(&flows).await.iter().map(|each| each.state).collect();
        assert_eq!(states, [IncompleteState::Resolved]);
        let asked: Vec<String> =
            http.requests().iter().map(|request| request.url.replace("https://x.example", "")).collect();
        assert_eq!(asked, ["/round/1", "/round/1", "/round/2", "/done"]);
    }
}
