//! The chain of causes through a run, and flows that feed themselves.

use base::causes::{self, Causes, Link};
use base::http::Request;
use expect_test::expect;
use parking_lot::Mutex;

use super::*;
use crate::feedback::{FlowNotice, Notices};
use crate::flow::FlowState;

/// Tells ourselves and a stranger; its author lies about what led to it.
const FLOW: &str = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LATE } }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "loopwright://this/push", method: post, headers: [{ name: Loopwright-Causes, value: "a/b/forged" }] } }
  - { id: 3, module: "http:ActionSendData", mapper: { url: "https://stranger.example/push", method: post } }
"#;

/// Two signals in one run: a call for each, then one for both.
const TOGETHER: &str = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LATE, maxResults: 2 } }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "loopwright://this/one", method: post } }
  - { id: 3, module: "builtin:BasicAggregator", parameters: { feeder: 1 }, mapper: { status: "{{2.statusCode}}" } }
  - { id: 4, module: "http:ActionSendData", mapper: { url: "loopwright://this/both", method: post } }
"#;

#[derive(Default)]
struct Told(Mutex<Vec<FlowNotice>>);

impl Notices for Told {
    fn tell(&self, notice: FlowNotice) -> base::BoxFuture<'_, bool> {
        self.0.lock().push(notice);
        Box::pin(async { true })
    }
}

fn link(record: &str) -> Link {
    Link::new(["p.k", "LATE", record])
}

fn header(request: &Request) -> Option<&str> {
    request.headers.get(causes::HEADER).map(|value| value.to_str().expect("plain letters"))
}

/// Lets a signal of `record` come that `before` led to; returns what the flow
/// told us led to its call, if it acted, each time by another engine.
async fn act(house: &House, told: &Arc<Told>, number: u64, record: &str, before: &Causes) -> Option<Causes> {
    let http = Arc::new(ScriptedHttp::default());
    http.push(200, "");
    http.push(200, "");
    let flows = house.engine(http.clone(), number);
    flows.set_notices(told.clone());
    let key = number.to_string();
    flows.accept_caused("flow.f", &key, json!({"n": number}), before.then(link(record))).await.expect("room");
    // A restart between the item and its run must not lose the chain.
    let flows = house.engine(http.clone(), number + 1_000);
    flows.set_notices(told.clone());
    flows.run_until_idle().await;
    let sent = http.requests();
    let [ours, strangers] = &sent[..] else {
        assert!(sent.is_empty(), "{sent:?}");
        return None;
    };
    assert_eq!(header(strangers), None, "a stranger is told nothing");
    Some(Causes::parse(header(ours).expect("we are told")).expect("a chain"))
}

#[tokio::test]
async fn a_flow_that_feeds_itself_is_paused_and_says_so() {
    for (engine, _guard, house) in houses() {
        let told = Arc::new(Told::default());
        publish(&house.engine(Arc::new(ScriptedHttp::default()), 99), "f", FLOW).await;
        let mut chain = Causes::NONE;
        for number in 1..=4 {
            chain = act(&house, &told, number, "4711", &chain).await.expect("it acts, and returns three times");
            assert_eq!(chain.links(), vec![link("4711"); number as usize], "{engine}");
            house.clock.advance(Duration::from_mins(5));
        }
        assert_eq!(act(&house, &told, 5, "4711", &chain).await, None, "{engine}: enough");
        assert_eq!(act(&house, &told, 6, "1", &Causes::NONE).await, None, "it is paused for all");

        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 7);
        let flow = flows.get("f").await.expect("the flow").info;
        assert_eq!((flow.state, flow.waiting), (FlowState::Paused, 2), "nothing is lost");
        expect![[r#"The flow "f" was paused because it feeds itself: what it did made the trigger p.k/LATE fire for the record "4711" again, 4 times within an hour, and at most 3 are allowed (the setting flow_returns_per_hour_max). Nothing is lost: 1 signal waits on its hook. See to it that the rows that it writes no longer make the trigger fire for the same record; then resume it with POST /api/v1/flows/f/activate."#]]
        .assert_eq(flow.paused.as_deref().unwrap_or_default());
        let notices = told.0.lock().clone();
        assert_eq!(notices.len(), 1, "{notices:?}");
        assert_eq!((Some(&notices[0].text), &*notices[0].flow), (flow.paused.as_ref(), "f"));
        let runs = flows.runs("f", 10).await.expect("runs");
        assert_eq!((runs.len(), runs[0].outcome), (5, Some(Outcome::Warning)));
        assert_eq!(runs[0].reason, flow.paused, "the log of runs tells why there is none");

        flows.activate(&ann(), "f").await.expect("somebody has looked at it");
        for _ in 0..4 {
            http.push(200, "");
        }
        flows.run_until_idle().await;
        assert_eq!(http.requests().len(), 4, "it goes on with what waits");
        let flow = flows.get("f").await.expect("the flow").info;
        assert_eq!((flow.state, flow.waiting, flow.paused), (FlowState::Active, 0, None));
    }
}

#[tokio::test]
async fn what_is_no_loop_goes_on() {
    for (engine, _guard, house) in houses() {
        let told = Arc::new(Told::default());
        publish(&house.engine(Arc::new(ScriptedHttp::default()), 99), "f", FLOW).await;
        let mut number = 0;
        // One record leads to the next.
        let mut chain = Causes::NONE;
        for record in 0..10 {
            number += 1;
            chain = act(&house, &told, number, &record.to_string(), &chain).await.expect("it acts");
        }
        // The same record, and nobody knows why.
        for _ in 0..10 {
            number += 1;
            act(&house, &told, number, "again", &Causes::NONE).await.expect("it acts");
        }
        // It comes back, but seldom.
        let mut chain = Causes::NONE;
        for _ in 0..10 {
            number += 1;
            chain = act(&house, &told, number, "seldom", &chain).await.expect("it acts");
            house.clock.advance(Duration::from_mins(21));
        }
        assert_eq!(*told.0.lock(), [], "{engine}");
    }
}

#[tokio::test]
async fn each_bundle_has_its_own_causes_and_an_aggregate_has_all() {
    for (engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        for _ in 0..3 {
            http.push(200, "");
        }
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "f", TOGETHER).await;
        for record in ["1", "2"] {
            let chain = Causes::NONE.then(link("far")).then(link(record));
            flows.accept_caused("flow.f", record, json!({"n": record}), chain).await.expect("room");
        }
        flows.run_until_idle().await;
        let sent = http.requests();
        let headers: Vec<_> = sent.iter().map(|request| header(request).unwrap_or_default()).collect();
        assert_eq!(
            headers,
            ["p.k/LATE/far > p.k/LATE/1", "p.k/LATE/far > p.k/LATE/2", "p.k/LATE/far > p.k/LATE/2 > p.k/LATE/1"],
            "{engine}"
        );
        let run = only_run(&flows, "f").await;
        assert_eq!(run.causes.len(), 2);
    }
}

#[tokio::test]
async fn a_run_that_a_person_starts_has_no_causes_but_one_that_a_flow_starts_has() {
    for (_, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "f", FLOW).await;
        let caused = Actor { causes: Causes::NONE.then(link("1")), ..ann() };
        for (actor, expected) in [(ann(), None), (caused, Some("p.k/LATE/1"))] {
            http.push(200, "");
            http.push(200, "");
            flows.run_once(&actor, "f", json!({})).await.expect("a run");
            flows.run_until_idle().await;
            let sent = http.requests();
            assert_eq!(header(&sent[sent.len() - 2]), expected);
        }
    }
}
