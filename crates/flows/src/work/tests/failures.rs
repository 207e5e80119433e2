//! Flows that fail too often are switched off, and say so.

use parking_lot::Mutex;

use super::*;
use crate::feedback::{FlowNotice, NoticeKind, Notices};
use crate::flow::FlowState;

#[derive(Default)]
struct Told(Mutex<Vec<FlowNotice>>);

impl Notices for Told {
    fn tell(&self, notice: FlowNotice) -> base::BoxFuture<'_, bool> {
        self.0.lock().push(notice);
        Box::pin(async { true })
    }
}

/// A flow on a signal that fails with `class` unless the item says `ok`.
fn signal(class: &str, head: &str) -> String {
    format!(
        r#"
{head}
flow:
  - {{ id: 1, module: "loopwright:Signal", parameters: {{ knowledgeModel: p.k, trigger: T }} }}
  - {{ id: 2, module: "util:SetVariable2", mapper: {{ name: a, value: b }} }}
  - id: 3
    module: loopwright:Fail
    filter: {{ conditions: [[{{ a: "{{{{1.ok}}}}", o: "notexist" }}]] }}
    mapper: {{ message: "no", type: {class} }}
"#
    )
}

async fn state(flows: &Flows, key: &str) -> (FlowState, u64) {
    let flow = flows.get(key).await.expect("a flow").info;
    (flow.state, flow.waiting)
}

async fn come(flows: &Arc<Flows>, key: &str, item: u32, payload: Json) {
    flows.accept(&format!("flow.{key}"), &item.to_string(), payload).await.expect("room");
    flows.run_until_idle().await;
}

#[tokio::test]
async fn three_failures_in_a_row_switch_a_flow_off_and_people_are_told() {
    for (engine, _guard, house) in houses() {
        let told = Arc::new(Told::default());
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.set_notices(told.clone());
        publish(&flows, "f", &signal("RuntimeError", "")).await;
        come(&flows, "f", 1, json!({})).await;
        come(&flows, "f", 2, json!({})).await;
        come(&flows, "f", 3, json!({"ok": 1})).await;
        for item in 4..=5 {
            come(&flows, "f", item, json!({})).await;
            assert_eq!(state(&flows, "f").await.0, FlowState::Active, "{engine}: a success begins the count anew");
        }
        come(&flows, "f", 6, json!({})).await;
        come(&flows, "f", 7, json!({"ok": 1})).await;
        assert_eq!(state(&flows, "f").await, (FlowState::SwitchedOff, 1), "what comes waits");
        let notices = told.0.lock().clone();
        assert_eq!(notices.len(), 1);
        assert_eq!((notices[0].kind, notices[0].flow.as_str()), (NoticeKind::SwitchedOff, "f"));
        assert_eq!(
            notices[0].text,
            "The flow \"f\" was switched off: 3 runs in a row failed, the last one because module 3 (loopwright:Fail) \
             failed: RuntimeError: no. What comes for it waits on its hook. See to the cause, then switch it on again \
             with POST /api/v1/flows/f/activate."
        );
        let info = flows.get("f").await.expect("a flow").info;
        assert_eq!(info.switched_off.as_ref(), Some(&notices[0].text));
        let row = flows.audit(None, 1).await.expect("rows").remove(0);
        assert_eq!((row.verb.as_str(), row.actor_name.as_str()), ("deactivate", "Loopwright (flows)"));

        flows.activate(&ann(), "f").await.expect("it is switched on");
        flows.run_until_idle().await;
        assert_eq!(state(&flows, "f").await, (FlowState::Active, 0));
        come(&flows, "f", 8, json!({})).await;
        assert_eq!(state(&flows, "f").await.0, FlowState::Active, "the count began anew");
    }
}

#[tokio::test]
async fn warnings_and_failures_of_data_never_switch_a_flow_off() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        for (key, class, head) in [
            ("data", "DataError", ""),
            ("double", "DuplicateDataError", ""),
            ("timeout", "ModuleTimeoutError", ""),
            ("nobody", "ConnectionError", ""),
            ("stored", "DataError", "metadata: { scenario: { dlq: true } }"),
        ] {
            publish(&flows, key, &signal(class, head)).await;
            for item in 1..=5 {
                come(&flows, key, item, json!({})).await;
            }
            assert_eq!(state(&flows, key).await, (FlowState::Active, 0), "{key}");
        }
    }
}

#[tokio::test]
async fn an_imported_flow_that_starts_at_once_is_switched_off_by_its_first_failure() {
    let blueprint = |class: &str| {
        json!({"name": "F", "metadata": {"scenario": {"maxErrors": 3}}, "flow": [
            {"id": 1, "module": "loopwright:Signal", "parameters": {"knowledgeModel": "p.k", "trigger": "T"}},
            {"id": 2, "module": "loopwright:Fail", "mapper": {"message": "no", "type": class}},
        ]})
        .to_string()
    };
    for (_engine, _guard, mut house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "first", &blueprint("RuntimeError")).await;
        come(&flows, "first", 1, json!({"n": 1})).await;
        // The trigger is committed last, so the item was not processed.
        assert_eq!(state(&flows, "first").await, (FlowState::SwitchedOff, 1));
        publish(&flows, "data", &blueprint("DataError")).await;
        come(&flows, "data", 1, json!({"n": 1})).await;
        assert_eq!(state(&flows, "data").await, (FlowState::Active, 0), "the same data fails in the same way");

        house.options.limits.instant_errors_max = 2;
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 2);
        publish(&flows, "second", &blueprint("RuntimeError")).await;
        come(&flows, "second", 1, json!({"n": 1})).await;
        assert_eq!(state(&flows, "second").await, (FlowState::SwitchedOff, 1));
        let runs = flows.runs("second", 10).await.expect("runs");
        assert_eq!(runs.len(), 2, "it went back once and was tried again");
        let inputs = [
            flows.run_details(runs[0].id).await.expect("a run").input,
            flows.run_details(runs[1].id).await.expect("a run").input,
        ];
        assert_eq!(inputs[0], inputs[1]);
    }
}

#[tokio::test]
async fn an_inconsistency_switches_a_flow_off_at_once() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "f", &signal("InconsistencyError", "")).await;
        come(&flows, "f", 1, json!({})).await;
        assert_eq!(state(&flows, "f").await.0, FlowState::SwitchedOff);
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_tried_again_later_and_later() {
    let scheduled = r#"
metadata: { loopwright: { retries: 0 } }
scheduling: { type: indefinitely, interval: 86400 }
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://x.example/a" } }
"#;
    let returning = r#"
metadata: { scenario: { autoCommitTriggerLast: true }, loopwright: { retries: 0 } }
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example/{{1.n}}" } }
"#;
    for (engine, _guard, house) in houses() {
        for (seed, key, text) in [(1, "scheduled", scheduled), (2, "returning", returning)] {
            let http = Arc::new(ScriptedHttp::default());
            let flows = house.engine(http.clone(), seed);
            publish(&flows, key, text).await;
            for _ in 0..20 {
                http.push_error(base::http::HttpError::UnknownHost { host: "x.example".into() });
            }
            if key == "returning" {
                flows.accept("flow.returning", "1", json!({"n": 1})).await.expect("room");
            }
            house.clock.advance(Duration::from_hours(24));
            flows.run_until_idle().await;
            for (attempt, minutes) in [1, 2, 5, 10, 60, 180, 720, 1_440].into_iter().enumerate() {
                assert_eq!(http.requests().len(), attempt + 1, "{engine}, {key}");
                house.clock.advance(Duration::from_secs(minutes * 60 - 1));
                flows.run_until_idle().await;
                assert_eq!(http.requests().len(), attempt + 1, "{engine}, {key}: not before its time");
                house.clock.advance(Duration::from_secs(1));
                flows.run_until_idle().await;
            }
            assert_eq!(http.requests().len(), 9);
            assert_eq!(state(&flows, key).await.0, FlowState::SwitchedOff, "{engine}, {key}");
            let why = flows.get(key).await.expect("a flow").info.switched_off.expect("a reason");
            assert!(why.contains("it failed 9 times in a row"), "{why}");
        }
    }
}

#[tokio::test]
async fn what_people_start_does_not_count() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "f", &signal("RuntimeError", "")).await;
        for _ in 0..5 {
            flows.run_once(&ann(), "f", json!({})).await.expect("a run");
            flows.run_until_idle().await;
        }
        assert_eq!(state(&flows, "f").await.0, FlowState::Active);
    }
}

#[tokio::test]
async fn a_run_ends_where_its_limits_are() {
    let loops = r#"
flow:
  - { id: 1, module: "builtin:BasicRepeater", mapper: { repeats: 10000 } }
  - { id: 2, module: "builtin:BasicRepeater", mapper: { repeats: 10000 } }
  - { id: 3, module: "util:SetVariable2", mapper: { name: a, value: "{{2.i}}" } }
"#;
    let naps = r#"
flow:
  - { id: 1, module: "util:FunctionSleep", mapper: { duration: 86400 } }
  - { id: 2, module: "util:SetVariable2", mapper: { name: a, value: b } }
"#;
    let large = r#"
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://x.example/large" } }
"#;
    for (_engine, _guard, mut house) in houses() {
        house.options.limits.operations_max = 5_000;
        house.options.limits.working_time_max = Duration::from_mins(1);
        house.options.limits.bundle_bytes_max = 1_000;
        house.options.limits.text_bytes_max = 2_000;
        let http = Arc::new(ScriptedHttp::default());
        http.push(200, &"x".repeat(2_000));
        let flows = house.engine(http, 1);
        let mut reasons = Vec::new();
        for (key, text) in [("loops", loops), ("naps", naps), ("large", large)] {
            flows.put(&ann(), key, text).await.expect("a flow");
            let run = flows.run_once(&ann(), key, json!({})).await.expect("a run");
            flows.run_until_idle().await;
            house.clock.advance(Duration::from_hours(24));
            flows.run_until_idle().await;
            reasons.push(flows.run_details(run).await.expect("a run").info.reason.unwrap_or_default());
        }
        assert_eq!(
            reasons,
            [
                "OperationsLimitExceededError: the run has taken more than 5000 operations",
                "",
                "module 1 (http:ActionSendData) failed: DataSizeLimitExceededError: it gave 2127 bytes, and at most 1000 \
                 are allowed",
            ]
        );
        let long = format!("name: \"{}\"\nflow: []", "x".repeat(2_000));
        let refused = flows.put(&ann(), "long", &long).await.expect_err("it is too long");
        assert_eq!(
            refused.to_string(),
            "the text of flow \"long\" cannot be read: it has 2017 bytes, and at most 2000 are allowed"
        );
    }
}

#[tokio::test]
async fn what_starts_at_the_door_counts_as_well() {
    for (_engine, _guard, house) in houses() {
        let told = Arc::new(Told::default());
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.set_notices(told.clone());
        publish(&flows, "f", &signal("RuntimeError", "metadata: { loopwright: { returnsItems: true } }")).await;
        let stop = CancellationToken::new();
        let engine = tokio::spawn(flows.clone().run(stop.clone()));
        flows.accept("flow.f", "1", json!({"n": 1})).await.expect("room");
        while told.0.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        // It went back each time, and is there when the flow is switched on again.
        assert_eq!(state(&flows, "f").await, (FlowState::SwitchedOff, 1));
        assert_eq!(flows.runs("f", 10).await.expect("runs").len(), 3);
        stop.cancel();
        engine.await.expect("the engine ends");
    }
}
