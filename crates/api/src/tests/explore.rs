//! Exploration, backtest and why over our own interface; runs as event logs.

use axum::body::Body;
use expect_test::expect;
use tokio_util::sync::CancellationToken;

use super::{House, check};

const LATE: &str = "/api/v1/models/purchasing.late";

impl House {
    async fn explored(&self) {
        self.published().await;
        self.push_more().await;
    }

    async fn push_more(&self) {
        self.push_events(
            "CASE,STEP,AT\n1,Pay,2026-01-02T00:00:00Z\n2,Check,2026-01-01T02:00:00Z\n2,Pay,2026-01-01T05:00:00Z\n",
        )
        .await;
    }
}

#[tokio::test]
async fn the_process_is_drawn_and_told() {
    let house = House::open().await;
    house.explored().await;
    check(&house.call(&format!("GET {LATE}/map?activities=0.8&edges=1"), "").await, expect![""]);
    check(&house.call(&format!("GET {LATE}/variants?limit=1&order=median"), "").await, expect![""]);
    check(&house.call(&format!("GET {LATE}/cases?order=id&limit=1"), "").await, expect![""]);
    check(&house.call(&format!("GET {LATE}/cases/2"), "").await, expect![""]);
    check(&house.call(&format!("GET {LATE}/throughput?bins=2&filterIds=MANY_STEPS"), "").await, expect![""]);
    check(&house.call(&format!("GET {LATE}/activities?to=2025-01-01T00:00:00Z"), "").await, expect![""]);
    let allowed = r#"{"variants": [["Order", "Check", "Pay"]]}"#;
    check(&house.call(&format!("POST {LATE}/conformance"), allowed).await, expect![""]);
}

#[tokio::test]
async fn a_trigger_is_explained_and_replayed() {
    let house = House::open().await;
    house.explored().await;
    check(&house.call(&format!("GET {LATE}/triggers/LONG/why/2"), "").await, expect![""]);
    let wish = r#"{"outcome": "\"EVENTS\".\"STEP\" = 'Check'", "limit": 1}"#;
    check(&house.call(&format!("POST {LATE}/triggers/LONG/backtest"), wish).await, expect![""]);
    check(&house.call("GET /api/v1/backtests", "").await, expect![""]);
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let house = House::open().await;
    house.explored().await;
    for (what, body, code) in [
        ("GET /map?activities=2", "", "constraint-broken"),
        ("GET /map?within=near", "", "constraint-broken"),
        ("GET /variants?order=age", "", "constraint-broken"),
        ("GET /map?filter=1%20%3D", "", "pql-invalid"),
        ("GET /map?filterIds=NOPE", "", "filter-unknown"),
        ("GET /cases/77", "", "case-unknown"),
        ("GET /triggers/LONG/why/77", "", "instance-unknown"),
        ("GET /triggers/SHORT/why/1", "", "trigger-unknown"),
        ("POST /conformance", "{}", "allowed-path-invalid"),
        ("POST /triggers/SHORT/backtest", "", "trigger-unknown"),
        ("POST /triggers/LONG/backtest", r#"{"endSet": {"share": 0.1}}"#, "backtest-invalid"),
        ("POST /triggers/LONG/backtest", r#"{"everySeconds": 0}"#, "constraint-broken"),
    ] {
        let (method, path) = what.split_once(' ').expect("a method and a path");
        let answer = house.call(&format!("{method} {LATE}{path}"), body.to_owned()).await;
        assert_eq!(answer.json()["code"], code, "{what}: {}", answer.body);
    }
    assert_eq!(house.call("DELETE /api/v1/backtests/9", "").await.status, 404);
    for what in ["map", "cases/1", "triggers/LONG/why/1"] {
        assert_eq!(house.call_as_stranger(&format!("GET {LATE}/{what}")).await.status, 403, "{what}");
    }
}

#[tokio::test]
async fn runs_are_event_logs() {
    let house = House::open().await;
    let flow = "name: Note\nflow:\n  - { id: 1, module: 'util:SetVariable2', version: 1, mapper: { name: a, value: '1' } }\n";
    let put = house.call("PUT /api/v1/flows/note", flow).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let published = house.call("POST /api/v1/flows/note/publish", "").await;
    assert_eq!(published.status, 200, "{}", published.body);
    let run = house.call("POST /api/v1/flows/note/run", Body::empty()).await;
    assert_eq!(run.status, 202, "{}", run.body);
    let run = run.json()["id"].as_str().expect("a run has an id").parse().expect("an id");
    let stop = CancellationToken::new();
    let engine = tokio::spawn(house.app.flows.clone().run(stop.clone()));
    while house.app.flows.run_details(run).await.expect("a run").info.ended_at.is_none() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    engine.await.expect("an engine ends when it is told");
    check(&house.call("GET /api/v1/flows/events.csv", "").await, expect![""]);
    check(&house.call("GET /api/v1/jobs/events.csv?limit=5", "").await, expect![""]);
    assert_eq!(house.call_as_stranger("GET /api/v1/flows/events.csv").await.status, 403);
}
