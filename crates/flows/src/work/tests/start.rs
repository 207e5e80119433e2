//! Runs that a person starts: with a form, of a draft, of one module, again.

use std::collections::BTreeMap;

use expect_test::expect;

use super::*;
use crate::{Again, Trial, Which};

const WITH_INPUTS: &str = r#"
name: Expedite an order
interface:
  input:
    - { name: order, type: text, required: true }
    - { name: days, type: integer, default: 5 }
flow:
  - { id: 1, module: "util:ComposeTransformer", mapper: { value: "{{var.input.order}} within {{var.input.days + 1}} days" } }
"#;

async fn told(flows: &Arc<Flows>, run: crate::RunId) -> String {
    flows.run_until_idle().await;
    let run = flows.run_details(run).await.expect("a run");
    let outputs: Vec<String> = run.operations.iter().map(|each| Json::from(each.output.clone()).to_string()).collect();
    let outcome = run.info.outcome.map_or("not ended", |outcome| outcome.word());
    format!("{} {outcome}: {}", run.info.started_by, outputs.join(" "))
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn what_is_filled_in_is_checked_converted_and_completed() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "expedite", WITH_INPUTS).await.expect("a draft");
        let run = flows.run_once(&ann(), "expedite", json!({"order": 17})).await.expect("a run");
        assert_eq!(told(&flows, run).await, r#"manual success: [{"value":"17 within 6 days"}]"#);
        let form = flows.form("expedite", Which::Usual).await.expect("a form");
        assert_eq!((&form["title"], &form["required"]), (&json!("Expedite an order"), &json!(["order"])));
        assert_eq!(
            refused(flows.run_once(&ann(), "expedite", json!({"days": "many"})).await),
            "the input of flow \"expedite\" does not fit: \"order\" is missing: it must be a text; \
             \"days\" does not fit: \"many\" is not a number"
        );
        assert_eq!(
            refused(flows.run_once(&ann(), "expedite", json!([1])).await),
            "the input of a run must be a JSON object"
        );
    }
}

const WITH_A_DATE: &str = r#"
metadata: { loopwright: { zone: Europe/Berlin } }
interface:
  input: [{ name: due, type: date, required: true }, { name: note }]
flow:
  - id: 1
    module: "util:SetVariables"
    mapper:
      variables:
        - { name: days, value: "{{(var.input.due - parseDate(\"2026-02-01\"; \"YYYY-MM-DD\")) / 86400000}}" }
        - { name: due, value: "{{var.input.due}}" }
        - { name: text, value: "at {{var.input.due}}, {{var.input.note}}" }
"#;

#[tokio::test]
async fn a_date_that_is_filled_in_is_a_date_for_every_run_of_it() {
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "dated", WITH_A_DATE).await.expect("a draft");
        let input = json!({"due": "2026-02-03", "note": "2026-02-03"});
        let run = flows.run_once(&ann(), "dated", input).await.expect("a run");
        let expected = concat!(
            r#"success: [{"days":2,"due":"2026-02-02T23:00:00.000Z","#,
            r#""text":"at 2026-02-02T23:00:00.000Z, 2026-02-03"}]"#
        );
        assert_eq!(told(&flows, run).await, format!("manual {expected}"));
        let again = flows.run_again(&ann(), run, &Again::default()).await.expect("a run");
        assert_eq!(told(&flows, again).await, format!("replay {expected}"));
        let details = flows.run_details(run).await.expect("a run");
        assert_eq!(details.input, [json!({"due": "2026-02-02T23:00:00.000Z", "note": "2026-02-03"})]);
        assert_eq!(
            refused(flows.run_once(&ann(), "dated", json!({"due": "soon"})).await),
            "the input of flow \"dated\" does not fit: \"due\" does not fit: \"soon\" is not a date such as \
             2026-02-03T09:15:00Z"
        );
        let call = "flow:\n  - { id: 1, module: \"loopwright:CallFlow\", parameters: { flow: dated, wait: false }, \
                    mapper: { input: { due: \"2026-02-03\", note: \"2026-02-03\" } } }";
        flows.put(&ann(), "calls", call).await.expect("a flow");
        flows.run_once(&ann(), "calls", json!({})).await.expect("a run");
        flows.run_until_idle().await;
        let called = flows.runs("dated", 1).await.expect("runs")[0].id;
        assert_eq!(told(&flows, called).await, format!("flow {expected}"));
    }
}

#[tokio::test]
async fn the_draft_and_the_published_version_run_when_asked_for() {
    let flow = |text: &str| {
        format!("flow:\n  - {{ id: 1, module: \"util:ComposeTransformer\", mapper: {{ value: {text} }} }}\n")
    };
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "f", &flow("first")).await.expect("a draft");
        let none = refused(flows.start(&ann(), "f", Which::Published, json!({})).await);
        assert_eq!(none, "flow \"f\" has no published version yet");
        flows.publish(&ann(), "f").await.expect("a version");
        flows.put(&ann(), "f", &flow("second")).await.expect("a draft");
        for (which, expected) in [(Which::Usual, "first"), (Which::Published, "first"), (Which::Draft, "second")] {
            let run = flows.start(&ann(), "f", which, json!({})).await.expect("a run");
            assert_eq!(told(&flows, run).await, format!(r#"manual success: [{{"value":"{expected}"}}]"#));
        }
    }
}

const CALLS: &str = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: T } }
  - id: 2
    module: "builtin:BasicRouter"
    routes:
      - flow:
          - id: 3
            module: "http:ActionSendData"
            filter: { conditions: [[{ a: "{{1.n}}", o: "number:greater", b: "100" }]] }
            mapper: { url: "https://x.example/{{celonis.case_id}}", method: post, bodyType: raw, data: '{"n": "{{1.n}}"}' }
"#;

#[tokio::test]
async fn one_module_runs_alone_with_given_bundles_or_typed_input() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        flows.put(&ann(), "calls", CALLS).await.expect("a draft");
        let bundles = BTreeMap::from([(1, json!({"n": "a \"b\"", "case_id": "17"}))]);
        let trial = Trial { input: None, bundles };
        http.push(200, "ok");
        let run = flows.run_module(&ann(), "calls", Which::Usual, 3, &trial).await.expect("a run");
        assert!(told(&flows, run).await.starts_with("module success: "));
        // What is typed in is taken as it is.
        let Json::Object(input) =
            json!({"url": "https://x.example/typed", "method": "put", "bodyType": "raw", "data": "{{1.n}}"})
        else {
            unreachable!("it is an object")
        };
        http.push(200, "ok");
        let trial = Trial { input: Some(input), bundles: BTreeMap::new() };
        let run = flows.run_module(&ann(), "calls", Which::Usual, 3, &trial).await.expect("a run");
        assert!(told(&flows, run).await.starts_with("module success: "));
        let sent: Vec<String> = http
            .requests()
            .iter()
            .map(|sent| format!("{} {} {}", sent.method, sent.url, String::from_utf8_lossy(&sent.body)))
            .collect();
        expect![[r#"
            POST https://x.example/17 {"n": "a "b""}
            PUT https://x.example/typed {{1.n}}"#]]
        .assert_eq(&sent.join("\n"));
        for (module, expected) in [
            (9, "flow \"calls\": there is no module 9"),
            (
                1,
                "flow \"calls\": module 1 (loopwright:Signal) cannot run alone: it begins runs; start the flow instead",
            ),
            (
                2,
                "flow \"calls\": module 2 (builtin:BasicRouter) cannot run alone: it does something with the modules around it",
            ),
        ] {
            let none = flows.run_module(&ann(), "calls", Which::Usual, module, &Trial::default()).await;
            assert_eq!(refused(none), expected);
        }
    }
}

#[tokio::test]
async fn a_run_is_replayed_with_what_it_began_with() {
    let flow = |text: &str| {
        format!(
            "flow:\n  - {{ id: 1, module: \"loopwright:Signal\", parameters: {{ knowledgeModel: p.k, trigger: T }} }}\n  \
             - {{ id: 2, module: \"util:ComposeTransformer\", mapper: {{ value: \"{text} {{{{1.n}}}}\" }} }}\n"
        )
    };
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        publish(&flows, "f", &flow("first")).await;
        flows.accept("flow.f", "1", json!({"n": 7})).await.expect("room");
        flows.run_until_idle().await;
        let old = only_run(&flows, "f").await.info.id;
        flows.put(&ann(), "f", &flow("second")).await.expect("a draft");
        flows.publish(&ann(), "f").await.expect("a version");
        flows.put(&ann(), "f", &flow("third")).await.expect("a draft");
        for (which, text) in [
            (None, "first"),
            (Some(Which::Published), "second"),
            (Some(Which::Usual), "second"),
            (Some(Which::Draft), "third"),
        ] {
            let run = flows.run_again(&ann(), old, &Again { which, ..Again::default() }).await.expect("a run");
            assert_eq!(told(&flows, run).await, format!(r#"replay success: [{{"n":7}}] [{{"value":"{text} 7"}}]"#));
        }
    }
}

#[tokio::test]
async fn a_person_lets_a_run_take_what_waits() {
    let flow = r#"
scheduling: { type: indefinitely, interval: 300 }
flow:
  - { id: 1, module: "gateway:CustomWebHook", parameters: { maxResults: 2 } }
  - { id: 2, module: "util:TextAggregator", parameters: { feeder: 1 }, mapper: { value: "{{1.n}};" } }
"#;
    for (_engine, _guard, house) in houses() {
        let flows = house.engine(Arc::new(ScriptedHttp::default()), 1);
        flows.put(&ann(), "f", flow).await.expect("a draft");
        flows.publish(&ann(), "f").await.expect("a version");
        let hook = flows.get("f").await.expect("a flow").info.hook.expect("it has one");
        let waiting = async || match flows.start_waiting(&ann(), "f", Which::Usual).await {
            Ok(run) => told(&flows, run).await,
            Err(error) => error.to_string().replace(&hook, "H"),
        };
        for n in 1..=3 {
            flows.accept(&hook, &n.to_string(), json!({ "n": n })).await.expect("room");
        }
        assert_eq!(waiting().await, r#"manual success: [{"n":1},{"n":2}] [{"text":"1;2;"}]"#);
        assert_eq!(waiting().await, r#"manual success: [{"n":3}] [{"text":"3;"}]"#);
        assert_eq!(waiting().await, r#"nothing waits for flow "f": hook "H" has no item"#);
        flows.put(&ann(), "g", "flow: [{ id: 1, module: \"loopwright:Manual\" }]").await.expect("a draft");
        let none = flows.start_waiting(&ann(), "g", Which::Usual).await;
        assert_eq!(refused(none), r#"nothing waits for flow "g": it does not start on a hook"#);
    }
}

#[tokio::test]
async fn each_of_several_signals_of_a_run_has_its_own_case() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LATE, maxResults: 3 } }
  - { id: 2, module: "builtin:BasicFeeder", mapper: { array: "{{1.lines}}" } }
  - id: 3
    module: "builtin:BasicRouter"
    routes:
      - flow:
          - { id: 4, module: "http:ActionSendData", mapper: { url: "https://x.example/run-now", method: post, bodyType: raw, data: '{"notebook_params": {"case_id": "{{celonis.case_id}}", "event_type": "{{celonis.signal_name}}", "threshold_days": "5"}, "line": "{{2.value}}"}' } }
"#;
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "late", flow).await;
        for case in ["17", "18"] {
            let told =
                json!({"triggerId": "LATE", "eventId": case, "identifier": case, "fields": {"lines": ["a", "b"]}});
            flows.accept("flow.late", case, told).await.expect("room");
        }
        for _ in 0..4 {
            http.push(200, "{}");
        }
        flows.run_until_idle().await;
        let sent: Vec<String> =
            http.requests().iter().map(|sent| String::from_utf8_lossy(&sent.body).into_owned()).collect();
        expect![[r#"
            {"notebook_params": {"case_id": "17", "event_type": "LATE", "threshold_days": "5"}, "line": "a"}
            {"notebook_params": {"case_id": "17", "event_type": "LATE", "threshold_days": "5"}, "line": "b"}
            {"notebook_params": {"case_id": "18", "event_type": "LATE", "threshold_days": "5"}, "line": "a"}
            {"notebook_params": {"case_id": "18", "event_type": "LATE", "threshold_days": "5"}, "line": "b"}"#]]
        .assert_eq(&sent.join("\n"));
    }
}

/// The tutorial's flow: a signal starts a job, a repeater waits for it.
const TUTORIAL: &str = r#"
name: Delay mitigation
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LATE } }
  - id: 2
    module: "http:ActionSendData"
    mapper:
      url: "https://adb-1.1.azuredatabricks.net/api/2.1/jobs/run-now"
      method: post
      bodyType: raw
      contentType: application/json
      parseResponse: true
      data: |
        {
          "job_id": 12345,
          "notebook_params": {
            "case_id": "{{celonis.case_id}}",
            "event_type": "{{celonis.signal_name}}",
            "threshold_days": "5"
          }
        }
  - id: 3
    module: "builtin:BasicRouter"
    routes:
      - flow:
          - id: 4
            module: "builtin:BasicRepeater"
            filter: { name: Success, conditions: [[{ a: "{{2.statusCode}}", o: "number:equal", b: "200" }]] }
            mapper: { start: 1, repeats: 2, step: 1 }
          - { id: 5, module: "util:FunctionSleep", mapper: { duration: 30 } }
          - id: 6
            module: "http:ActionSendData"
            mapper: { url: "https://adb-1.1.azuredatabricks.net/api/2.1/jobs/runs/get?run_id={{2.data.run_id}}", method: get, parseResponse: true }
          - id: 7
            module: "builtin:BasicRouter"
            routes:
              - flow:
                  - id: 8
                    module: "util:ComposeTransformer"
                    filter: { name: Job Done, conditions: [[{ a: "{{6.data.state.life_cycle_state}}", o: "text:equal", b: TERMINATED }]] }
                    mapper: { value: "{{celonis.case_id}} of {{celonis.signal_name}} is done, turn {{4.i}}" }
              - flow:
                  - id: 9
                    module: "util:ComposeTransformer"
                    filter: { name: Still Running, conditions: [[{ a: "{{6.data.state.life_cycle_state}}", o: "text:notequal", b: TERMINATED }]] }
                    mapper: { value: "{{celonis.case_id}} of {{celonis.signal_name}} still runs" }
      - flow:
          - id: 10
            module: "util:ComposeTransformer"
            filter: { name: Failure, conditions: [[{ a: "{{2.statusCode}}", o: "number:notequal", b: "200" }]] }
            mapper: { value: "failed: {{2.statusCode}} for {{celonis.case_id}}" }
"#;

#[tokio::test]
async fn the_tutorials_words_resolve_in_nested_routes_and_loops() {
    for (_engine, _guard, house) in houses() {
        let http = Arc::new(ScriptedHttp::default());
        let flows = house.engine(http.clone(), 1);
        publish(&flows, "delay", TUTORIAL).await;
        let told = json!({"triggerId": "LATE", "eventId": "e", "identifier": "ORD-4711", "fields": {"HOURS": 51}});
        flows.accept("flow.delay", "1", told).await.expect("room");
        http.push(200, r#"{"run_id": 67890, "number_in_job": 1}"#);
        http.push(200, r#"{"state": {"life_cycle_state": "RUNNING"}}"#);
        http.push(200, r#"{"state": {"life_cycle_state": "TERMINATED"}}"#);
        for _ in 0..3 {
            flows.run_until_idle().await;
            house.clock.advance(Duration::from_secs(30));
        }
        let body: Json = serde_json::from_slice(&http.requests()[0].body).expect("JSON");
        let expected = json!({"case_id": "ORD-4711", "event_type": "LATE", "threshold_days": "5"});
        assert_eq!(body["notebook_params"], expected);
        assert!(http.requests()[1].url.ends_with("?run_id=67890"));
        let run = only_run(&flows, "delay").await;
        let said: Vec<&str> = run.operations.iter().filter_map(|each| each.output.first()?["value"].as_str()).collect();
        assert_eq!(said, ["ORD-4711 of LATE still runs", "ORD-4711 of LATE is done, turn 2"]);
        assert_eq!(run.info.outcome, Some(Outcome::Success));
    }
}
