//! What the compatible subscription API promises beyond the happy path: its
//! limits, its tolerance, its error codes.

use axum::body::{Body, Bytes};
use events::SubscriptionId;
use expect_test::{Expect, expect};
use futures::{StreamExt, stream};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

use super::{ADMINISTRATOR, Answer, House, app_key, request, send};
use crate::App;
use crate::intelligence::CallbackBody;

const TRIGGER: &str = "/intelligence/api/knowledge-models/purchasing.late/triggers/LONG";
const WELL: &str = r#"{"name":"n","callbackInfo":{"uri":"https://example.com/a","protocol":"HTTPS"}}"#;

/// Shows status, code and detail of a refusal on one line.
fn told(answer: &Answer) -> String {
    let body = answer.json();
    let code = body.get("errorCode").or(body.get("code")).and_then(|code| code.as_str()).unwrap_or_default();
    let line = format!("{} {code}: {}", answer.status.as_u16(), body["detail"].as_str().unwrap_or_default());
    super::without_ids(&line)
}

impl House {
    /// Makes a subscription to the trigger of the published model.
    async fn subscribed(&self) -> String {
        self.http.push(200, "");
        let made = self.call(&format!("POST {TRIGGER}/subscriptions"), WELL).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Grants the stranger a permission on the model's package.
    async fn grant_to_stranger(&self, permission: &str) {
        let me = self.call_as_stranger("GET /api/v1/me").await.json();
        let body = json!({ "subject": me["id"], "permission": permission, "package": "purchasing" });
        assert_eq!(self.call("POST /api/v1/permissions", body.to_string()).await.status, 201);
    }

    /// Lets the trigger fire for so many records.
    async fn fire(&self, identifiers: std::ops::Range<u64>) {
        let trigger = events::TriggerRef::new("purchasing.late", "LONG");
        let at = self.app.clock.now();
        let new = identifiers.map(|n| events::NewEvent {
            key: n.to_string(),
            identifier: n.to_string(),
            typed_identifier: json!(n),
            fields: vec![events::EventField {
                id: "ORDER_ID".into(),
                value: json!(n),
                kind: "INT".into(),
                is_identifier: true,
            }],
            at,
        });
        let (events, new) = (self.app.events.clone(), new.collect::<Vec<_>>());
        let write = move |tx: &mut dyn base::db::Tx| events.append(tx, &trigger, &new);
        let appended = self.ports.db.write("tests.fire", write).await.expect("an append");
        self.app.events.announce(appended);
    }
}

async fn check_requests(house: &House, requests: &[(&str, &str)], expected: Expect) {
    let mut lines = String::new();
    for (what, body) in requests {
        lines.push_str(&told(&house.call(what, (*body).to_owned()).await));
        lines.push('\n');
    }
    expected.assert_eq(&lines);
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_named_by_its_field() {
    let house = House::open().await;
    house.published().await;
    let post = format!("POST {TRIGGER}/subscriptions");
    let with = |from: &str, to: &str| WELL.replace(from, to);
    let headers = |headers: &str| with("\"HTTPS\"", &format!("\"HTTPS\",\"headers\":{headers}"));
    let long = headers(&format!("{{\"X-A\":\"{}\",\"X-B\":\"{}\"}}", "a".repeat(4_096), "b".repeat(4_096)));
    let requests = [
        "[]".to_owned(),
        String::new(),
        "{".to_owned(),
        r#"{"callbackInfo":{"uri":"https://a","protocol":"HTTPS"}}"#.to_owned(),
        r#"{"name":"n","callbackInfo":{"protocol":"HTTPS"}}"#.to_owned(),
        r#"{"name":"n","callbackInfo":["https://a","HTTPS"]}"#.to_owned(),
        with("\"n\"", "5"),
        with("\"n\"", "\"  \""),
        with("\"n\"", &format!("\"{}\"", "n".repeat(1_025))),
        with("https://example.com/a", "http://example.com/a"),
        with("https://example.com/a", "example.com"),
        with("https://example.com/a", "https://me:secret@example.com/a"),
        with("https://example.com/a", &format!("https://{}", "a".repeat(1_024))),
        with("}}", "},\"configurations\":[\"SKIP_ERRORS\",\"SKIP_ERRORS\"]}"),
        with("}}", "},\"configurations\":[\"RETRY\"]}"),
        headers("{\"\":\"a\"}"),
        headers("{\"Accept\":\"\"}"),
        headers("{\"Cookie\":\"a\"}"),
        headers("{\"Accept\":\"a\",\"accept\":\"b\"}"),
        long,
    ];
    let requests: Vec<(&str, &str)> = requests.iter().map(|body| (post.as_str(), body.as_str())).collect();
    check_requests(&house, &requests, expect![[r#"
        400 GENERAL_CONSTRAINT_VIOLATION: the body does not fit: invalid type: sequence, expected an object at line 1 column 0
        400 GENERAL_PARAMETER_MISSING: the body is empty, JSON was expected
        400 GENERAL_PARAMETER_ILLEGAL: the body is not valid JSON: EOF while parsing an object at line 1 column 1
        400 GENERAL_PARAMETER_MISSING: the body does not fit at "name": missing field `name` at line 1 column 55
        400 GENERAL_PARAMETER_MISSING: the body does not fit at "callbackInfo.uri": missing field `uri` at line 1 column 47
        400 GENERAL_CONSTRAINT_VIOLATION: the body does not fit at "callbackInfo": invalid type: sequence, expected an object at line 1 column 27
        400 GENERAL_CONSTRAINT_VIOLATION: the body does not fit at "name": invalid type: integer `5`, expected a string at line 1 column 9
        400 GENERAL_CONSTRAINT_VIOLATION: the name of a subscription must have 1 to 1024 characters
        400 GENERAL_CONSTRAINT_VIOLATION: the name of a subscription must have 1 to 1024 characters
        400 SUBSCRIPTION_URI_ILLEGAL: the callback "http://example.com/a" cannot be used: it must begin with https
        400 SUBSCRIPTION_URI_ILLEGAL: the callback "example.com" cannot be used: it is not an absolute address
        400 SUBSCRIPTION_URI_ILLEGAL: the callback "https://example.com/a" cannot be used: credentials belong into a header
        400 SUBSCRIPTION_URI_ILLEGAL: the callback "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" cannot be used: it must have 1 to 1024 characters
        400 GENERAL_CONSTRAINT_VIOLATION: the body does not fit at "configurations": an entry stands there twice at line 1 column 125
        400 GENERAL_CONSTRAINT_VIOLATION: the body does not fit at "configurations[0]": unknown variant `RETRY`, expected `SKIP_ERRORS` at line 1 column 103
        400 SUBSCRIPTION_EMPTY_HEADER: a callback header needs a name and a value
        400 SUBSCRIPTION_EMPTY_HEADER: a callback header needs a name and a value
        400 GENERAL_CONSTRAINT_VIOLATION: the callback header "Cookie" cannot be set: only Authorization, Content-Type, User-Agent, Host, Accept and names that begin with X- may be set
        400 GENERAL_CONSTRAINT_VIOLATION: the callback header "accept" cannot be set: it is given twice
        400 GENERAL_CONSTRAINT_VIOLATION: the callback headers have 8198 bytes, more than the 8192 that are allowed
    "#]]).await;
}

#[tokio::test]
async fn whatever_is_optional_may_be_null_and_whatever_is_unknown_is_ignored() {
    let house = House::open().await;
    house.published().await;
    house.http.push(204, "");
    let body = r#"{"name":"n","colour":"blue","configurations":null,
        "callbackInfo":{"uri":"https://example.com/a","protocol":"HTTPS","headers":null,"retries":3}}"#;
    assert_eq!(house.call(&format!("POST {TRIGGER}/subscriptions"), body).await.status, 201);
}

#[tokio::test]
async fn addresses_are_read_as_clients_write_them() {
    let house = House::open().await;
    house.published().await;
    let id = house.subscribed().await;
    for path in [
        "/intelligence/api/subscriptions/".to_owned(),
        "//intelligence//api/subscriptions".to_owned(),
        "/intelligence/api/subscriptions?sort=+NAME&page=0&pageSize=9223372036854775807".to_owned(),
        "/intelligence/api/subscriptions?sort=%2Bname".to_owned(),
        "/intelligence/api/subscriptions?sort=-creationdate&verbose=true".to_owned(),
        "/intelligence/api/knowledge-models/purchasing%2Elate/triggers".to_owned(),
        "/intelligence/api/knowledge%2Dmodels/purchasing.late/triggers/%4CONG".to_owned(),
        format!("/intelligence/api/subscriptions//{id}/"),
        format!("/intelligence/api/subscriptions/{}", id.to_uppercase()),
    ] {
        let answer = house.call(&format!("GET {path}"), "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_query_string_that_does_not_fit_is_refused_with_the_code_of_the_original() {
    let house = House::open().await;
    let list = "GET /intelligence/api/subscriptions";
    let queries = [
        "page=-1",
        "page=1.0",
        "page=",
        "page=9223372036854775808",
        "pageSize=18446744073709551616",
        "pageSize=0",
        "pageSize=many",
        "sort=",
        "sort=-",
        "sort=colour",
        "sort=name,id",
        "sort=name&sort=id",
        "sort=--name",
    ];
    let requests: Vec<String> = queries.iter().map(|query| format!("{list}?{query}")).collect();
    let requests: Vec<(&str, &str)> = requests.iter().map(|what| (what.as_str(), "")).collect();
    check_requests(&house, &requests, expect![[r#"
        400 GENERAL_PARAMETER_MISSMATCH: "page" must be a whole number from 0 to 9223372036854775807, not "-1"
        400 GENERAL_PARAMETER_MISSMATCH: "page" must be a whole number from 0 to 9223372036854775807, not "1.0"
        400 GENERAL_PARAMETER_MISSMATCH: "page" must be a whole number from 0 to 9223372036854775807, not ""
        400 GENERAL_PARAMETER_MISSMATCH: "page" must be a whole number from 0 to 9223372036854775807, not "9223372036854775808"
        400 GENERAL_PARAMETER_MISSMATCH: "pageSize" must be a whole number from 0 to 9223372036854775807, not "18446744073709551616"
        400 GENERAL_CONSTRAINT_VIOLATION: "pageSize" must be at least 1
        400 GENERAL_PARAMETER_MISSMATCH: "pageSize" must be a whole number from 0 to 9223372036854775807, not "many"
        400 SORT_IS_EMPTY: "sort" names no field
        400 SORT_IS_EMPTY: "sort" names no field
        400 SORT_UNKNOWN_FIELD: subscriptions cannot be sorted by "colour"
        400 GENERAL_PARAMETER_ILLEGAL: "sort" takes exactly one field and one sign
        400 GENERAL_PARAMETER_ILLEGAL: the query string does not fit: duplicate field `sort`
        400 GENERAL_PARAMETER_ILLEGAL: "sort" takes exactly one field and one sign
    "#]]).await;
}

/// The table of error codes, from top to bottom, where other tests do not have
/// them.
#[tokio::test]
async fn every_code_of_the_catalogue_can_be_reached() {
    let house = House::open().await;
    house.published().await;
    house.http.push_error(base::http::HttpError::Timeout { target: "https://example.com".into(), after_ms: 10_000 });
    let id = SubscriptionId::from_bytes([7; 16]);
    let unknown = format!("PATCH /intelligence/api/subscriptions/{id}/pause");
    let create = format!("POST {TRIGGER}/subscriptions");
    let other_trigger = create.replace("LONG", "SHORT");
    let other_model = create.replace("purchasing.late", "purchasing.early");
    check_requests(
        &house,
        &[
            (&create, WELL),
            (&other_trigger, WELL),
            (&other_model, WELL),
            (&unknown, ""),
            ("DELETE /intelligence/api/subscriptions", ""),
            ("GET /intelligence/api/%ff", ""),
            ("GET /intelligence/api/knowledge-models/%ff/triggers", ""),
        ],
        expect![[r#"
            400 SUBSCRIPTION_CALLBACK_FAILED: the callback could not be reached: no complete answer from https://example.com within 10000 ms
            404 SUBSCRIPTION_TRIGGER_NOTFOUND: knowledge model "purchasing.late" has no trigger "SHORT"
            404 KM_MODEL_NOTFOUND: knowledge model "purchasing.early" does not exist
            404 SUBSCRIPTION_SUBSCRIPTION_NOTFOUND: there is no subscription "<1>"
            405 GENERAL_NOTFOUND_PATH: DELETE is not possible at /intelligence/api/subscriptions
            404 GENERAL_NOTFOUND_PATH: there is nothing at GET /intelligence/api/%ff
            400 GENERAL_PARAMETER_ILLEGAL: Invalid URL: Invalid UTF-8 in `model`
        "#]],
    )
    .await;
    let limits = events::Limits { subscriptions_max: 0, enforce: true, ..events::Limits::default() };
    let options = events::Options { limits, ..events::Options::default() };
    let events = events::Events::open(house.ports.clone(), options).await.expect("the same database");
    let full = crate::main_router(App { events, ..house.app.clone() });
    house.http.push(204, "");
    let answer = send(&full, request(&create, Some(&app_key(ADMINISTRATOR)), WELL)).await;
    expect!["400 SUBSCRIPTION_TRIGGER_FAILED: the trigger cannot be subscribed to: there are already 0 subscriptions, as many as are allowed"].assert_eq(&told(&answer));
}

#[tokio::test]
async fn whoever_comes_when_the_house_is_full_is_told_so_at_once() {
    let house = House::open().await;
    let app = App { management_requests_max: 1, ..house.app.clone() };
    let router = crate::main_router(app);
    let reached = Arc::new(Notify::new());
    let begun = reached.clone();
    // A body that begins and never goes on holds its place.
    let body = stream::once(async move {
        begun.notify_one();
        Ok::<_, std::io::Error>(Bytes::from_static(b"{"))
    });
    let body = Body::from_stream(body.chain(stream::pending()));
    let first = request(&format!("POST {TRIGGER}/subscriptions"), Some(&app_key(ADMINISTRATOR)), body);
    let waiting = tokio::spawn({
        let router = router.clone();
        async move { send(&router, first).await.status }
    });
    reached.notified().await;
    let list = || request("GET /intelligence/api/subscriptions", Some(&app_key(ADMINISTRATOR)), Body::empty());
    let answer = send(&router, list()).await;
    expect!["429 LIMIT_RATE_EXCEEDED: 1 requests to this API are under way already; try again"]
        .assert_eq(&told(&answer));
    assert_eq!(answer.header("retry-after"), "1");
    // What is no management of subscriptions goes on.
    let others = request("GET /intelligence/api/knowledge-models", Some(&app_key(ADMINISTRATOR)), Body::empty());
    assert_eq!(send(&router, others).await.status, 200);
    waiting.abort();
    assert!(waiting.await.is_err(), "it went away");
    assert_eq!(send(&router, list()).await.status, 200, "its place is free again");
}

#[tokio::test]
async fn a_subscription_is_its_owners_and_needs_rights_on_the_package() {
    let house = House::open().await;
    house.published().await;
    let id = house.subscribed().await;
    let path = format!("/intelligence/api/subscriptions/{id}");
    for what in [
        format!("GET {path}"),
        format!("DELETE {path}"),
        format!("PATCH {path}/pause"),
        format!("PATCH {path}/events"),
        format!("GET /api/v1/subscriptions/{id}/delivery"),
        format!("POST /api/v1/subscriptions/{id}/skip"),
        format!("GET /api/v1/subscriptions/{id}/skips"),
    ] {
        assert_eq!(house.call_as_stranger(&what).await.status, 403, "{what}");
    }
    let tail = "GET /api/v1/triggers/purchasing.late/LONG/events";
    let create = format!("POST {TRIGGER}/subscriptions");
    expect![[r#"403 permission-denied: "stranger" lacks the permission "use-package" on package "purchasing""#]]
        .assert_eq(&told(&house.call_as_stranger(tail).await));
    let stranger = app_key(&house.stranger);
    let subscribe = || request(&create, Some(&stranger), WELL);
    let mut refused = Vec::new();
    for permission in ["use-package", "edit-package"] {
        refused.push(told(&send(&house.main, subscribe()).await));
        house.grant_to_stranger(permission).await;
    }
    expect![[r#"
        403 ADMIN_ACCESS_ERROR: "stranger" lacks the permission "use-package" on package "purchasing"
        403 ADMIN_ACCESS_ERROR: "stranger" lacks the permission "edit-package" on package "purchasing""#]]
    .assert_eq(&refused.join("\n"));
    house.http.push(204, "");
    let made = send(&house.main, subscribe()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let own = house.call_as_stranger("GET /intelligence/api/subscriptions").await.json();
    assert_eq!((own["total"].as_u64(), &own["content"][0]["id"]), (Some(1), &made.json()["id"]));
    let all = house.call("GET /intelligence/api/subscriptions", "").await.json();
    assert_eq!(all["total"], 2, "an administrator sees all");
    assert_eq!(house.call_as_stranger("GET /api/v1/notices").await.status, 200);
}

#[tokio::test]
async fn what_is_taken_out_by_hand_is_what_the_document_says() {
    let house = House::open().await;
    house.published().await;
    let id = house.subscribed().await;
    house.fire(1..4).await;
    let tail = house.call("GET /api/v1/triggers/purchasing.late/LONG/events?after=1&limit=1&subscriber=ann", "").await;
    super::check(
        &tail,
        expect![[r#"
        200 application/json
        {
          "head": 3,
          "firstKept": 1,
          "events": [
            {
              "offset": 2,
              "id": "<1>",
              "at": "2026-01-01T00:00:00.000Z",
              "body": {
                "subscriberId": "ann",
                "triggerId": "LONG",
                "offset": 2,
                "creationDate": "2026-01-01T00:00:00.000Z",
                "event": {
                  "id": "<1>",
                  "identifier": "2",
                  "typedIdentifier": 2,
                  "fields": [
                    {
                      "id": "ORDER_ID",
                      "value": 2,
                      "type": "INT",
                      "isIdentifier": true
                    }
                  ]
                }
              }
            }
          ]
        }
    "#]],
    );
    let body = tail.json()["events"][0]["body"].to_string();
    serde_json::from_str::<CallbackBody>(&body).expect("an event is what the document says");

    let more = house.call("GET /api/v1/triggers/purchasing.late/LONG/events?after=2&waitSeconds=30", "").await.json();
    assert_eq!(more["events"].as_array().map(Vec::len), Some(1), "there was no need to wait");
    let none = house.call("GET /api/v1/triggers/purchasing.late/LONG/events?after=3", "").await.json();
    assert_eq!((&none["head"], &none["firstKept"], &none["events"]), (&json!(3), &json!(1), &json!([])));
    let bounds = [
        ("GET /api/v1/triggers/purchasing.late/LONG/events?limit=1001", ""),
        ("GET /api/v1/triggers/purchasing.late/LONG/events?waitSeconds=31", ""),
        ("GET /api/v1/triggers/purchasing.late/LONG/events?subscriber=", ""),
        ("GET /api/v1/triggers/purchasing.late/SHORT/events", ""),
    ];
    check_requests(
        &house,
        &bounds,
        expect![[r#"
        400 parameter-out-of-bounds: "limit" must lie between 1 and 1000
        400 parameter-out-of-bounds: "waitSeconds" must lie between 0 and 30
        400 parameter-out-of-bounds: "subscriber" must have 1 to 200 characters
        404 trigger-unknown: knowledge model "purchasing.late" has no trigger "SHORT"
    "#]],
    )
    .await;
    assert_eq!(house.call(&format!("DELETE /intelligence/api/subscriptions/{id}"), "").await.status, 204);
}

#[tokio::test]
async fn an_event_that_comes_ends_the_wait_for_it() {
    let house = Arc::new(House::open().await);
    house.published().await;
    let waiting = tokio::spawn({
        let house = house.clone();
        async move { house.call("GET /api/v1/triggers/purchasing.late/LONG/events?waitSeconds=30", "").await.json() }
    });
    house.fire(1..2).await;
    let tail = waiting.await.expect("an answer");
    assert_eq!(tail["events"][0]["offset"], 1);
    assert_eq!(tail["events"][0]["body"]["subscriberId"], "listener");
}

#[tokio::test]
async fn delivery_settings_are_shown_replaced_and_merged() {
    let house = House::open().await;
    house.published().await;
    let id = house.subscribed().await;
    let path = format!("/api/v1/subscriptions/{id}/delivery");
    super::check(
        &house.call(&format!("GET {path}"), "").await,
        expect![[r#"
        200 application/json
        {
          "retryPausesMs": [
            1000,
            5000,
            30000,
            120000
          ],
          "timeoutMs": 30000,
          "probeFirstMs": 15000,
          "probeMaxMs": 300000,
          "suspendAfterMs": 28800000,
          "alertAfterMs": [
            3600000,
            14400000,
            25200000
          ],
          "onError": "keep",
          "onRejection": "retry",
          "onSuspension": "destroy",
          "ratePerSecond": null,
          "batchEventsMax": 1
        }
    "#]],
    );
    let patched =
        house.call(&format!("PATCH {path}"), r#"{"timeoutMs":5e3,"ratePerSecond":10,"onError":"skip"}"#).await;
    assert_eq!((&patched.json()["timeoutMs"], &patched.json()["ratePerSecond"]), (&json!(5000), &json!(10)));
    let listed = house.call(&format!("GET /intelligence/api/subscriptions/{id}"), "").await.json();
    assert_eq!(listed["configurations"], json!(["SKIP_ERRORS"]));
    let patched = house.call(&format!("PATCH {path}"), r#"{"timeoutMs":null,"ratePerSecond":null}"#).await.json();
    assert_eq!(
        (&patched["timeoutMs"], &patched["ratePerSecond"], &patched["onError"]),
        (&json!(30000), &json!(null), &json!("skip"))
    );
    let put =
        house.call(&format!("PUT {path}"), r#"{"alertAfterMs":[7200000,3600000],"batchEventsMax":5}"#).await.json();
    assert_eq!((&put["alertAfterMs"], &put["onError"]), (&json!([3_600_000, 7_200_000]), &json!("keep")));
    assert_eq!(house.call(&format!("GET {path}"), "").await.json(), put);
    let (put, patch) = (format!("PUT {path}"), format!("PATCH {path}"));
    check_requests(
        &house,
        &[
            (&patch, r#"{"timeoutMs":99}"#),
            (&patch, r#"{"timeoutMs":100.5}"#),
            (&patch, r#"{"timeoutMs":-1}"#),
            (&patch, r#"{"timeout":100}"#),
            (&patch, "[]"),
            (&put, r#"{"batchEventsMax":101}"#),
            (&put, r#"{"ratePerSecond":4294967297}"#),
            (&put, r#"{"onError":"panic"}"#),
            (&put, r#"{"alertAfterMs":[1,1]}"#),
        ],
        expect![[r#"
            400 delivery-setting-out-of-bounds: the delivery setting "timeoutMs" is 99, it must lie between 100 and 300000
            400 body-mismatch: the body does not fit at "timeoutMs": invalid value: floating point `100.5`, expected a whole number from 0 on at line 1 column 18
            400 body-mismatch: the body does not fit at "timeoutMs": invalid type: integer `-1`, expected a whole number from 0 on at line 1 column 15
            400 body-mismatch: the body does not fit at "timeout": unknown field `timeout`, expected one of `retryPausesMs`, `timeoutMs`, `probeFirstMs`, `probeMaxMs`, `suspendAfterMs`, `alertAfterMs`, `onError`, `onRejection`, `onSuspension`, `ratePerSecond`, `batchEventsMax` at line 1 column 10
            400 body-mismatch: the body does not fit: invalid type: sequence, expected an object at line 1 column 0
            400 delivery-setting-out-of-bounds: the delivery setting "batchEventsMax" is 101, it must lie between 1 and 100
            400 delivery-setting-out-of-bounds: the delivery setting "ratePerSecond" is 4294967295, it must lie between 1 and 100000
            400 body-mismatch: the body does not fit at "onError": unknown variant `panic`, expected `keep` or `skip` at line 1 column 18
            400 delivery-setting-out-of-bounds: the delivery setting "alertAfterMs" is 1, it must lie between 2 and 31536000000
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_became_of_events_can_be_looked_up() {
    let house = House::open().await;
    house.published().await;
    let id = house.subscribed().await;
    house.fire(1..3).await;
    let (pause, latest) = (format!("PATCH /intelligence/api/subscriptions/{id}/pause"), "resume-from-latest");
    assert_eq!(house.call(&pause, "").await.status, 204);
    assert_eq!(house.call(&pause.replace("pause", latest), "").await.status, 204);
    super::check(
        &house.call(&format!("GET /api/v1/subscriptions/{id}/skips"), "").await,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 1,
          "skips": [
            {
              "first": 1,
              "last": 2,
              "reason": "resumed-from-latest",
              "generation": 2,
              "at": "2026-01-01T00:00:00.000Z"
            }
          ]
        }
    "#]],
    );
    let log = house.call(&format!("GET /api/v1/deliveries?subscription={id}&state=active&verdict=failed"), "").await;
    super::check(
        &log,
        expect![[r#"
        200 application/json
        {
          "page": 0,
          "pageSize": 50,
          "total": 0,
          "deliveries": []
        }
    "#]],
    );
    let skip = format!("POST /api/v1/subscriptions/{id}/skip");
    let rotate = format!("POST /api/v1/subscriptions/{id}/secret/rotate");
    check_requests(
        &house,
        &[
            (&skip, ""),
            (&rotate, r#"{"overlapHours":169}"#),
            (&rotate, r#"{"overlapHours":-0.5}"#),
            (&rotate, r#"{"overlapSeconds":60}"#),
            ("GET /api/v1/deliveries?state=asleep", ""),
            ("GET /api/v1/deliveries?from=yesterday", ""),
            ("GET /api/v1/deliveries?pageSize=0", ""),
            ("GET /api/v1/deliveries?subscription=4711", ""),
        ],
        expect![[r#"
            409 skip-while-active: cannot skip an event of subscription "<1>": it is active; its events are delivered as they come
            400 overlap-out-of-bounds: "overlapHours" must lie between 0 and 168
            400 overlap-out-of-bounds: "overlapHours" must lie between 0 and 168
            400 body-mismatch: the body does not fit at "overlapSeconds": unknown field `overlapSeconds`, expected `overlapHours` at line 1 column 17
            400 state-unknown: "asleep" is not a state: active, failed, suspended, paused, rejected are
            400 query-malformed: "from" does not fit: "yesterday" is not a date and time such as 2026-02-03T09:15:00Z
            400 constraint-broken: "pageSize" must be at least 1
            404 subscription-not-found: there is no subscription "4711"
        "#]],
    )
    .await;
    for body in ["", "null", "{}", r#"{"overlapHours":null}"#, r#"{"overlapHours":0}"#, r#"{"overlapHours":168}"#] {
        assert_eq!(house.call(&rotate, body).await.status, 200, "{body}");
    }
}
