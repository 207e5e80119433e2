//! The mapping language, as an editor asks about it.

use expect_test::{Expect, expect};

use super::*;

#[tokio::test]
async fn the_language_tells_what_there_is_of_it() {
    let house = House::open().await;
    let language = house.call("GET /api/v1/functions", "").await.json();
    let named = |list: &str, key: &str, name: &str| {
        let found = language[list].as_array().expect("a list").iter().find(|each| each[key] == name).cloned();
        found.unwrap_or_else(|| panic!("{list} has no {name}"))
    };
    expect![[r#"
        {
          "name": "addHours",
          "group": "date",
          "signature": "addHours(date; number)",
          "summary": "Moves a date by hours.",
          "examples": [
            {
              "template": "{{addHours(1.ordered; -24)}}",
              "result": "2026-01-29T16:45:10.250Z"
            }
          ]
        }"#]]
    .assert_eq(&format!("{:#}", named("functions", "name", "addHours")));
    expect![[r#"
        {
          "name": "now",
          "summary": "The time of the operation, as a date."
        }"#]]
    .assert_eq(&format!("{:#}", named("keywords", "name", "now")));
    expect![[r#"
        {
          "name": "=",
          "also": [
            "==",
            "==="
          ],
          "summary": "Equal, compared loosely: as numbers, as dates, else as texts."
        }"#]]
    .assert_eq(&format!("{:#}", named("operators", "name", "=")));
    expect![[r#"
        {
          "id": "text:equal:ci",
          "group": "text",
          "words": "Equal to (any case)",
          "unary": false
        }"#]]
    .assert_eq(&format!("{:#}", named("filterOperators", "id", "text:equal:ci")));
    assert_eq!(language["exampleBundle"]["id"], 4711);
    assert_eq!(house.call_as_stranger("GET /api/v1/functions").await.status, 403);
}

#[tokio::test]
async fn a_template_is_tried_and_a_mistake_is_an_answer() {
    let house = House::open().await;
    let check = async |body: Value, expected: Expect| {
        let answer = house.call("POST /api/v1/mapping/evaluate", body.to_string()).await;
        let body = answer.json();
        let told =
            if answer.status == 200 { body.to_string() } else { format!("{}: {}", body["code"], body["detail"]) };
        expected.assert_eq(&format!("{} {told}", answer.status.as_u16()));
    };
    let bundles = json!({"2": {"order": "4711", "days": 5}});
    check(json!({"template": "{{2.days * 2}}", "bundles": bundles}), expect![[r#"200 {"value":10,"kind":"number"}"#]])
        .await;
    check(
        json!({"template": "{{2.days}} days", "bundles": bundles, "kind": "number"}),
        expect![[r#"200 {"error":{"message":"\"5 days\" is not a number","start":0,"end":15}}"#]],
    )
    .await;
    check(json!({"template": "{{uper(2.order)}}", "bundles": bundles}), expect![[r#"200 {"error":{"message":"function \"uper\" does not exist, perhaps upper(text) is meant","start":2,"end":6,"fix":"upper"}}"#]]).await;
    check(
        json!({"template": "{{split(2.order)}}", "bundles": bundles}),
        expect![[r#"200 {"error":{"message":"split(text; separator) was given 1 argument","start":2,"end":7}}"#]],
    )
    .await;
    check(
        json!({"template": "{\"a\": \"{{2.order}}\"}", "bundles": bundles, "isJson": true}),
        expect![[r#"200 {"value":"{\"a\": \"4711\"}","kind":"text"}"#]],
    )
    .await;
    check(
        json!({"template": "x", "zone": "Nowhere"}),
        expect![[r#"400 "zone-unknown": "\"Nowhere\" is not a time zone; names are such as \"Europe/Berlin\"""#]],
    )
    .await;
    check(
        json!({"template": "x", "kind": "soup"}),
        expect![[r#"400 "kind-unknown": "\"soup\" is not a type of a field""#]],
    )
    .await;
    check(json!({"template": "x", "bundles": {"two": 1}}), expect![[r#"400 "body-malformed": "the body is not valid JSON: invalid value: expected key to be a number in quotes at line 1 column 28""#]]).await;
    check(json!({"template": "x", "bundle": {}}), expect![[r#"400 "body-mismatch": "the body does not fit at \"bundle\": unknown field `bundle`, expected one of `template`, `bundles`, `names`, `zone`, `kind`, `isJson` at line 1 column 24""#]]).await;
    check(
        json!({"template": "x".repeat(40_000)}),
        expect![[r#"400 "template-too-long": "the template has 40000 bytes; 32768 can be tried""#]],
    )
    .await;
    check(json!({"template": "x", "bundles": {"2": "x".repeat(2_000_000)}}), expect![[r#"400 "bundles-too-large": "the bundles have more than 1048576 bytes; leave out what the template does not use""#]]).await;
    let request = request("POST /api/v1/mapping/evaluate", Some(&app_key(&house.stranger)), r#"{"template": "x"}"#);
    assert_eq!(send(&house.main, request).await.status, 403);
}

#[tokio::test]
async fn conditions_are_tried_with_the_last_values() {
    let house = House::open().await;
    let check = async |body: Value, expected: Expect| {
        let answer = house.call("POST /api/v1/mapping/judge", body.to_string()).await;
        expected.assert_eq(&format!("{} {}", answer.status.as_u16(), answer.json()));
    };
    let conditions = json!([[{"a": "{{2.statusCode}}", "o": "number:equal", "b": "200"}]]);
    check(
        json!({"conditions": conditions, "bundles": {"2": {"statusCode": 401}}}),
        expect![[
            r#"200 {"passes":false,"any":[[{"left":401,"operator":"number:equal","right":"200","holds":false}]]}"#
        ]],
    )
    .await;
    check(
        json!({"conditions": conditions, "bundles": {"2": {"statusCode": 200}}}),
        expect![[r#"200 {"passes":true,"any":[[{"left":200,"operator":"number:equal","right":"200","holds":true}]]}"#]],
    )
    .await;
    check(
        json!({"conditions": [[{"a": "{{2.", "o": "exist"}]]}),
        expect![[r#"200 {"error":"a: the expression is not closed by \"}}\" (at position 5)"}"#]],
    )
    .await;
    let request = request("POST /api/v1/mapping/judge", Some(&app_key(&house.stranger)), r#"{"conditions": []}"#);
    assert_eq!(send(&house.main, request).await.status, 403);
}
