//! Which runs began with which signal, and who listens since when.

use base::causes::{Causes, Link};
use base::{BoxFuture, Clock as _};

use super::*;
use crate::{ActedOn, Signals, SignalsError};

const FLOW: &str = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LATE, maxResults: 2 } }
  - { id: 2, module: "loopwright:Fail", filter: { conditions: [[{ a: "{{1.fails}}", o: exist }]] }, mapper: { message: "{{1.fails}}" } }
"#;

struct Heard;

impl Signals for Heard {
    fn watch(&self, _: &str, _: &str, _: &str) -> BoxFuture<'_, Result<(), SignalsError>> {
        Box::pin(async { Ok(()) })
    }

    fn unwatch(&self, _: &str) -> BoxFuture<'_, Result<(), SignalsError>> {
        Box::pin(async { Ok(()) })
    }
}

fn caused(record: &str) -> Causes {
    Causes::NONE.then(Link::new(["p.k", "SCORED", "far"])).then(Link::new(["p.k", "LATE", record]))
}

async fn bring(flows: &Flows, record: &str, payload: Json) {
    flows.accept_caused("flow.f", record, payload, caused(record)).await.expect("room");
}

async fn told(flows: &Flows) -> Vec<String> {
    let acts = flows.acted_on("p.k", "LATE", Timestamp::EPOCH).await.expect("runs");
    let mut told: Vec<String> = acts
        .runs
        .iter()
        .map(|ActedOn { record, flow, outcome, .. }| {
            format!("{flow} {record} {}", outcome.map_or("under way", |outcome| outcome.word()))
        })
        .collect();
    told.sort();
    told
}

#[tokio::test]
async fn a_run_is_known_by_each_signal_that_it_began_with() {
    for (engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.set_signals(Arc::new(Heard));
        flows.put(&ann(), "f", FLOW).await.expect("a draft");
        flows.publish(&ann(), "f").await.expect("it runs");
        assert_eq!(flows.listening_of("f").await.expect("a flow"), [], "it is not active yet");
        house.clock.advance(Duration::from_mins(1));
        let since = house.clock.now();
        flows.activate(&ann(), "f").await.expect("it listens");
        house.clock.advance(Duration::from_mins(1));
        flows.deactivate(&ann(), "f").await.expect("a flow");
        flows.activate(&ann(), "f").await.expect("it listens again");
        let listening = flows.listening_to("p.k", "LATE").await.expect("a list");
        assert_eq!(listening, flows.listening_of("f").await.expect("a flow"));
        assert_eq!((listening.len(), &*listening[0].flow, listening[0].since), (1, "f", since), "{engine}");

        bring(&flows, "1", json!({})).await;
        bring(&flows, "2", json!({})).await;
        flows.run_until_idle().await;
        bring(&flows, "3", json!({"fails": "badly"})).await;
        // Another engine goes on with what was accepted, and counts nothing twice.
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 2);
        flows.run_until_idle().await;
        let expected = ["f 1 success", "f 2 success", "f 3 error"];
        assert_eq!(told(&flows).await, expected, "{engine}");
        assert_eq!(flows.runs("f", 10).await.expect("runs").len(), 2, "two signals in one run");

        house.clock.advance(Duration::from_hours(24));
        assert_eq!(flows.forget_runs_before(house.clock.now()).await.expect("it is done"), 2);
        assert_eq!(told(&flows).await, expected, "{engine}: how they ended is still known");
        let other = flows.acted_on("p.k", "SCORED", Timestamp::EPOCH).await.expect("runs");
        assert_eq!(other.runs, [], "what led to the signal is not what it acts on");
    }
}

#[tokio::test]
async fn the_last_runs_of_a_trigger_are_kept() {
    for (engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "f", &FLOW.replace(", maxResults: 2", "")).await;
        for number in 0..75 {
            house.clock.advance(Duration::from_secs(1));
            bring(&flows, &number.to_string(), json!({})).await;
            flows.run_until_idle().await;
        }
        let acts = flows.acted_on("p.k", "LATE", Timestamp::EPOCH).await.expect("runs");
        let (first, last) = (acts.runs.first().expect("runs"), acts.runs.last().expect("runs"));
        assert_eq!((acts.runs.len(), &*first.record, &*last.record), (55, "20", "74"), "{engine}");
        let complete_from = acts.complete_from.expect("some are forgotten");
        assert!(complete_from <= first.started_at && complete_from > first.started_at.minus(Duration::from_secs(1)));
    }
}
