//! Runs of flows, as the browser and the command line start, find and end them.

use expect_test::expect;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{House, check};

const FLOW: &str = r#"
name: Expedite
interface:
  input:
    - { name: order, type: text, required: true, label: Order }
    - { name: days, type: integer, default: 5 }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "util:ComposeTransformer", filter: { name: Soon, conditions: [[{ a: "{{1.days}}", o: "number:less", b: "10" }]] }, mapper: { value: "{{1.order}} within {{1.days}} days" } }
"#;

/// Lets the engine work until nothing is due.
async fn work(house: &House) {
    let stop = CancellationToken::new();
    let engine = tokio::spawn(house.app.flows.clone().run(stop.clone()));
    while house.app.flows.counts().await.expect("counts").running > 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    engine.await.expect("the engine ends");
}

async fn started(house: &House, call: &str, body: &str) -> String {
    let answer = house.call(call, body.to_owned()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.json()["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_form_is_shown_filled_in_and_the_run_tells_what_happened() {
    let house = House::open().await;
    house.call("PUT /api/v1/flows/expedite", FLOW).await;
    let form = house.call("GET /api/v1/flows/expedite/form", "").await.json();
    assert_eq!(form["properties"]["order"], json!({"type": "string", "title": "Order"}));
    assert_eq!(house.call("GET /api/v1/flows/expedite/form?of=published", "").await.status, 409);
    check(
        &house.call("POST /api/v1/flows/expedite/run", r#"{"days": "x"}"#).await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:run-input-misfit",
          "title": "Bad Request",
          "status": 400,
          "detail": "the input of flow \"expedite\" does not fit: \"order\" is missing: it must be a text; \"days\" does not fit: \"x\" is not a number",
          "instance": "<1>",
          "code": "run-input-misfit"
        }
    "#]],
    );
    let run = started(&house, "POST /api/v1/flows/expedite/run?of=draft", r#"{"order": 17, "days": "7"}"#).await;
    work(&house).await;
    let mut told = house.call(&format!("GET /api/v1/runs/{run}"), "").await.json();
    assert_eq!(told["status"], "success");
    assert_eq!(told["input"], json!([{"order": "17", "days": 7}]));
    assert_eq!(
        told["modules"][1],
        json!({
            "module": 2, "kind": "util:ComposeTransformer", "operations": 1, "bundles": 1, "filtered": 0, "warnings": 0,
            "errors": 0, "durationMs": 0,
        })
    );
    assert_eq!(
        told["operations"][1]["filter"].take(),
        json!({"name": "Soon", "passes": true, "any": [[{"left": 7, "operator": "number:less", "right": "10", "holds": true}]]})
    );
    assert_eq!(told["operations"][1]["output"], json!([{"value": "17 within 7 days"}]));
}

#[tokio::test]
async fn a_module_runs_alone_and_a_run_again() {
    let house = House::open().await;
    house.call("PUT /api/v1/flows/expedite", FLOW).await;
    let value = async |run: &str| {
        let run = house.call(&format!("GET /api/v1/runs/{run}"), "").await.json();
        let last = run["operations"].as_array().and_then(|all| all.last().cloned()).unwrap_or_default();
        format!("{} {}", run["startedBy"], last["output"][0]["value"])
    };
    let given = r#"{"bundles": {"1": {"order": "18", "days": 99}}}"#;
    let alone = started(&house, "POST /api/v1/flows/expedite/modules/2/run", given).await;
    let typed = started(&house, "POST /api/v1/flows/expedite/modules/2/run", r#"{"input": {"value": "{{x}}"}}"#).await;
    let first = started(&house, "POST /api/v1/flows/expedite/run", r#"{"order": "17"}"#).await;
    house.call("PUT /api/v1/flows/expedite", FLOW.replace("within", "in")).await;
    let same = started(&house, &format!("POST /api/v1/runs/{first}/replay"), "").await;
    let draft = started(&house, &format!("POST /api/v1/runs/{first}/replay"), r#"{"of": "draft"}"#).await;
    work(&house).await;
    let mut told = Vec::new();
    for run in [alone, typed, first, same, draft] {
        told.push(value(&run).await);
    }
    assert_eq!(
        told,
        [
            r#""module" "18 within 99 days""#,
            r#""module" "{{x}}""#,
            r#""manual" "17 within 5 days""#,
            r#""replay" "17 within 5 days""#,
            r#""replay" "17 in 5 days""#,
        ]
    );
    for (call, status) in [
        ("POST /api/v1/flows/expedite/modules/1/run", 400),
        ("POST /api/v1/flows/expedite/modules/one/run", 404),
        ("POST /api/v1/runs/4711/replay", 404),
        ("POST /api/v1/runs/4711/cancel", 404),
    ] {
        assert_eq!(house.call(call, "").await.status, status, "{call}");
        assert_eq!(house.call_as_stranger(call).await.status, 403, "{call}");
    }
}

#[tokio::test]
async fn many_runs_are_run_again_and_each_that_cannot_be_is_told() {
    let house = House::open().await;
    house.call("PUT /api/v1/flows/expedite", FLOW).await;
    let first = started(&house, "POST /api/v1/flows/expedite/run", r#"{"order": "17"}"#).await;
    let alone = r#"{"bundles": {"1": {"order": "18", "days": 99}}}"#;
    started(&house, "POST /api/v1/flows/expedite/modules/2/run", alone).await;
    work(&house).await;
    let from_two = format!(r#"{{"runs": ["{first}", "4711"], "from": 2}}"#);
    let told = house.call("POST /api/v1/runs/replay", from_two).await.json();
    assert_eq!(
        (told["started"][0]["run"].as_str(), &told["refused"][0]["code"]),
        (Some(first.as_str()), &json!("run-unknown"))
    );
    let found = house.call("POST /api/v1/runs/replay", r#"{"where": {"flow": "expedite", "limit": 9}}"#).await.json();
    assert_eq!(
        (found["started"].as_array().map(Vec::len), found["refused"].as_array().map(Vec::len)),
        (Some(2), Some(1))
    );
    work(&house).await;
    let runs = house.call("GET /api/v1/runs?startedBy=operation", "").await.json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1));
    for (body, code) in [
        ("{}", "runs-unnamed"),
        (r#"{"runs": [], "where": {}}"#, "runs-unnamed"),
        (r#"{"runs": [], "from": "later"}"#, "body-mismatch"),
    ] {
        assert_eq!(house.call("POST /api/v1/runs/replay", body).await.json()["code"], code, "{body}");
    }
    assert_eq!(house.call_as_stranger("POST /api/v1/runs/replay").await.status, 403);
}

#[tokio::test]
async fn the_cases_of_a_flow_are_played() {
    let house = House::open().await;
    let cases =
        "tests:\n  - { name: fine, start: { order: 17 } }\n  - { name: not, start: { order: 17, days: soon } }\n";
    house.call("PUT /api/v1/flows/expedite", format!("{FLOW}{cases}")).await;
    let told = house.call("POST /api/v1/flows/expedite/test", "").await.json();
    assert_eq!(told["verdicts"][0]["differences"], json!([]));
    assert_eq!(told["verdicts"][1]["differences"][0], "start.days does not fit: \"soon\" is not a number");
    assert_eq!(house.call("POST /api/v1/flows/nobody/test", "").await.status, 404);
}

#[tokio::test]
async fn runs_are_found_page_by_page_and_cancelled() {
    let house = House::open().await;
    house.call("PUT /api/v1/flows/expedite", FLOW).await;
    for order in ["late-1", "late-2", "early-3"] {
        started(&house, "POST /api/v1/flows/expedite/run", &json!({ "order": order }).to_string()).await;
    }
    let found = async |query: &str| house.call(&format!("GET /api/v1/runs?{query}"), "").await.json();
    let count = |page: &Value| page["runs"].as_array().map_or(0, Vec::len);
    let page = found("limit=2&status=running").await;
    assert_eq!(count(&page), 2);
    let rest = found(&format!("limit=2&before={}", page["next"].as_str().expect("there is more"))).await;
    assert_eq!((count(&rest), &rest["next"]), (1, &Value::Null));
    let oldest = rest["runs"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(count(&found("text=LATE-").await), 2);
    assert_eq!(count(&found("flow=expedite&startedBy=signal").await), 0);
    assert_eq!(count(&found("from=2026-01-01T00:00:00Z").await), 3);
    assert_eq!(count(&found("to=2026-01-01T00:00:00Z").await), 0);
    let cancel = format!("POST /api/v1/runs/{oldest}/cancel");
    assert_eq!(house.call(&cancel, "").await.status, 204);
    assert_eq!(house.call(&cancel, "").await.json()["code"], "run-ended");
    let cancelled = found("status=cancelled,error").await;
    assert_eq!((count(&cancelled), cancelled["runs"][0]["status"].as_str()), (1, Some("cancelled")));
    let of_flow = house.call("GET /api/v1/flows/expedite/runs?status=running", "").await.json();
    assert_eq!(of_flow.as_array().map(Vec::len), Some(2));
    for (query, code) in
        [("status=gone", "status-unknown"), ("before=4711", "run-unknown"), ("flow=none", "flow-unknown")]
    {
        assert_eq!(found(query).await["code"], code);
    }
    assert_eq!(house.call_as_stranger("GET /api/v1/runs").await.status, 403);
}

#[tokio::test]
async fn each_choice_of_a_filter_is_counted() {
    let house = House::open().await;
    for flow in ["expedite", "other"] {
        house.call(&format!("PUT /api/v1/flows/{flow}"), FLOW).await;
    }
    let first = started(&house, "POST /api/v1/flows/expedite/run", r#"{"order": "17"}"#).await;
    started(&house, "POST /api/v1/flows/other/run", r#"{"order": "18"}"#).await;
    work(&house).await;
    started(&house, &format!("POST /api/v1/runs/{first}/replay"), "").await;
    let cancelled = started(&house, "POST /api/v1/flows/other/run", r#"{"order": "19"}"#).await;
    house.call(&format!("POST /api/v1/runs/{cancelled}/cancel"), "").await;
    let told = async |query: &str| {
        let found = house.call(&format!("GET /api/v1/runs?facets=true{query}"), "").await.json();
        let runs = found["runs"].as_array().expect("runs").len();
        format!("{runs} of {}", found["facets"])
    };
    expect![[r#"4 of {"flow":{"expedite":2,"other":2},"status":{"cancelled":1,"running":1,"success":2},"startedBy":{"manual":3,"replay":1}}"#]].assert_eq(&told("").await);
    // A choice that is made is told how many the others would be.
    expect![[
        r#"2 of {"flow":{"expedite":2,"other":2},"status":{"cancelled":1,"success":1},"startedBy":{"manual":2}}"#
    ]]
    .assert_eq(&told("&flow=other").await);
    expect![[r#"2 of {"flow":{"expedite":1,"other":1},"status":{"cancelled":1,"success":2},"startedBy":{"manual":2,"replay":1}}"#]].assert_eq(&told("&status=success,running&startedBy=manual").await);
    expect![[r#"0 of {"flow":{},"status":{},"startedBy":{}}"#]].assert_eq(&told("&from=2099-01-01T00:00:00Z").await);
    assert_eq!(house.call("GET /api/v1/runs", "").await.json().get("facets"), None);
    for (call, body) in [
        ("GET /api/v1/runs?facets=true&text=17", ""),
        ("GET /api/v1/flows/other/runs?facets=true", ""),
        ("POST /api/v1/runs/replay", r#"{"where": {"facets": true}}"#),
        ("GET /api/v1/runs?facets=yes", ""),
    ] {
        assert_eq!(house.call(call, body.to_owned()).await.status, 400, "{call}");
    }
}
