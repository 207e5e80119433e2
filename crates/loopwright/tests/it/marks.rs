//! A small knowledge model whose trigger fires for every case that a push
//! marks, and how one subscribes to it.

use std::path::Path;

use http::Method;
use serde_json::{Value as Json, json};
use tokio::process::Command;

use crate::house::House;
use crate::receiver::Receiver;

pub(crate) const MODEL: &str = "marks.cases";
pub(crate) const TRIGGER: &str = "MARK";
const TABLE: &str = "Steps";
const MODEL_TEXT: &str = r#"kind: BASE
metadata: {key: cases, displayName: Cases, version: 1.0.0}
dataModelId: ${{data_model}}
records:
  - id: CASE
    displayName: Case
    pql: '"Steps_CASES"'
    identifier: {id: CASE_ID, displayName: Case, pql: '"Steps_CASES"."case_id"'}
    attributes:
      - {id: STEPS, displayName: Steps, columnType: integer, pql: 'PU_COUNT("Steps_CASES", "Steps"."activity")'}
filters:
  - {id: MARKED, displayName: Marked, pql: 'MATCH_ACTIVITIES(NODE[''mark'']) = 1'}
triggers:
  - {id: MARK, displayName: Marked, record: CASE, filterIds: [MARKED], outputs: [STEPS], itemLimit: 1000000}
"#;

/// A server that may call receivers on this machine.
pub(crate) async fn house(data: &Path) -> House {
    House::start_by(allowed(crate::house::command(data))).await
}

/// Lets a server call receivers on this machine.
pub(crate) fn allowed(mut command: Command) -> Command {
    command.env("LOOPWRIGHT_CALLBACK_HTTP", "true").env("LOOPWRIGHT_EGRESS_ALLOW", "127.0.0.0/8");
    command
}

/// Publishes the model over a table with one case that is not marked; returns
/// the pool.
pub(crate) async fn publish(house: &House) -> String {
    let pool = house.pool("marks").await;
    house.push(&pool, TABLE, &rows(&["nobody".to_owned()], "begin")).await;
    let data_model = json!({
        "key": "cases", "name": "cases", "tables": [TABLE], "foreignKeys": [],
        "activity": {
            "table": TABLE, "caseColumn": "case_id", "activityColumn": "activity", "timestampColumn": "timestamp",
        },
    });
    let path = format!("/api/v1/pools/{pool}/data-models/cases");
    let data_model = house.expect(Method::PUT, &path, data_model).await;
    let id = data_model["id"].as_str().expect("an id");
    house.expect(Method::PUT, "/api/v1/packages/marks", json!({ "name": "Marks" })).await;
    let text = MODEL_TEXT.replace("${{data_model}}", id);
    let (status, answer) = house.call(Method::PUT, &format!("/api/v1/models/{MODEL}"), text).await;
    assert_eq!(status, 200, "{answer}");
    house.expect(Method::POST, &format!("/api/v1/models/{MODEL}/publish"), json!({})).await;
    pool
}

/// Marks a case, which fires an event if it is new.
pub(crate) async fn mark(house: &House, pool: &str, case: &str) {
    house.push(pool, TABLE, &rows(&[case.to_owned()], "mark")).await;
}

/// Marks cases, if the server lives long enough to say that it is done.
pub(crate) async fn try_mark(house: &House, pool: &str, cases: &[String]) -> bool {
    house.try_push(pool, TABLE, &rows(cases, "mark")).await.is_some()
}

fn rows(cases: &[String], activity: &str) -> String {
    let mut csv = String::from("case_id,activity,timestamp\n");
    for case in cases {
        csv.push_str(&format!("{case},{activity},2026-01-01T00:00:00.000Z\n"));
    }
    csv
}

/// Returns the path of the trigger's subscriptions.
pub(crate) fn subscriptions() -> String {
    format!("/intelligence/api/knowledge-models/{MODEL}/triggers/{TRIGGER}/subscriptions")
}

/// Returns the definition of a subscription whose callback is a path of the
/// receiver.
pub(crate) fn definition(receiver: &Receiver, path: &str) -> Json {
    json!({ "name": path, "callbackInfo": { "uri": receiver.url(path), "protocol": "HTTPS" } })
}

/// Subscribes a path of the receiver, with delivery settings over the usual
/// ones; returns the subscription's id.
pub(crate) async fn subscribe(house: &House, receiver: &Receiver, path: &str, settings: Json) -> String {
    let made = house.expect(Method::POST, &subscriptions(), definition(receiver, path)).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let secret = house.expect(Method::GET, &format!("/api/v1/subscriptions/{id}/secret"), Json::Null).await;
    receiver.believe(path, secret["secret"].as_str().expect("a secret"));
    house.expect(Method::PATCH, &format!("/api/v1/subscriptions/{id}/delivery"), settings).await;
    id
}
