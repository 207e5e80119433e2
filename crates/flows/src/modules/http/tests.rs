use base::testing::{ScriptedHttp, reply};
use base::{Causes, Timestamp};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::make_request::MAKE_REQUEST;
use super::send_data::SEND_DATA;
use super::*;
use crate::modules::{Behaviour, Module};
use crate::modules::{Call, ModuleError, Plan};
use crate::value::{Collection, Value};

fn planned(module: &Module, parameters: &Json, mapper: Json) -> Result<HttpCall, ModuleError> {
    let Behaviour::Effect(plan) = module.behaviour else { unreachable!("HTTP is an effect") };
    let input = Value::from_json(mapper);
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    let mut variables = Collection::new();
    match plan(&mut Call { module: 1, parameters: &parameters, input: &input, variables: &mut variables })? {
        Plan::Http(call) => Ok(*call),
        Plan::Wait(_) | Plan::Nothing(_) => unreachable!("HTTP plans HTTP"),
    }
}

fn check(module: &Module, mapper: Json, expected: Expect) {
    let shown = match planned(module, &json!({}), mapper) {
        Ok(call) => {
            let headers: Vec<String> = call.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let body = String::from_utf8_lossy(&call.body).replace('\r', "");
            format!("{} {}\n{}{body}\n", call.method, call.url, headers.concat())
        }
        Err(error) => format!("{error}\n"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn bodies_of_every_type() {
    check(
        &SEND_DATA,
        json!({"url": "https://x/a?b=1#c", "method": "post", "qs": [{"name": "q", "value": "a b&c"}, {"name": "none"}],
               "bodyType": "raw", "contentType": "application/json", "data": "{}", "authUser": "ann", "authPass": "pw"}),
        expect![[r"
            POST https://x/a?b=1&q=a%20b%26c#c
            Authorization: Basic YW5uOnB3
            Content-Type: application/json
            {}
        "]],
    );
    check(
        &SEND_DATA,
        json!({"url": "https://x", "method": "post", "bodyType": "x_www_form_urlencoded",
               "formFields": [{"key": "a", "value": "1 2"}, {"key": "b", "value": "\u{e4}"}]}),
        expect![[r"
            POST https://x
            Content-Type: application/x-www-form-urlencoded
            a=1%202&b=%C3%A4
        "]],
    );
    check(
        &SEND_DATA,
        json!({"url": "https://x", "method": "post", "bodyType": "multipart_form_data", "formDataFields": [
            {"key": "note", "fieldType": "text", "value": "hello"},
            {"key": "file", "fieldType": "file", "fileName": "a\".csv", "data": "x,y\n"}]}),
        expect![[r#"
            POST https://x
            Content-Type: multipart/form-data; boundary=loopwright-33bb61474ac29adfc9e5e6ae9bbb0659
            --loopwright-33bb61474ac29adfc9e5e6ae9bbb0659
            Content-Disposition: form-data; name="note"

            hello
            --loopwright-33bb61474ac29adfc9e5e6ae9bbb0659
            Content-Disposition: form-data; name="file"; filename="a%22.csv"
            Content-Type: text/csv

            x,y

            --loopwright-33bb61474ac29adfc9e5e6ae9bbb0659--

        "#]],
    );
    check(
        &MAKE_REQUEST,
        json!({"url": "https://x", "method": "PUT", "contentType": "json", "jsonStringBodyContent": "{\"a\": 1}",
               "queryParameters": [{"name": "p", "value": "1"}]}),
        expect![[r#"
            PUT https://x?p=1
            Content-Type: application/json
            {"a": 1}
        "#]],
    );
}

#[test]
fn what_cannot_be_sent_is_said() {
    check(
        &SEND_DATA,
        json!({}),
        expect![[r#"
        BundleValidationError: missing value of required parameter "url"
    "#]],
    );
    check(
        &SEND_DATA,
        json!({"url": "https://x", "timeout": 301}),
        expect![[r#"
        BundleValidationError: "301" is not a timeout of 1 to 300 seconds
    "#]],
    );
    check(
        &MAKE_REQUEST,
        json!({"url": "https://x", "contentType": "json", "jsonStringBodyContent": "{"}),
        expect![[r"
        BundleValidationError: the body is not valid JSON: EOF while parsing an object at line 1 column 1
    "]],
    );
}

async fn answered(module: &Module, parameters: Json, mapper: Json, status: u16, body: &str) -> String {
    let call = planned(module, &parameters, mapper).expect("a call");
    let http = ScriptedHttp::new([Ok(reply(status, body))]);
    let (settled, may_help) = send(&call, &http, None, "0a1b", &Causes::NONE, Timestamp::EPOCH).await;
    assert_eq!(may_help, status == 429, "a receiver that asks for patience may be asked again");
    match settled.result {
        Ok(bundles) => bundles.iter().map(|bundle| bundle.to_json().to_string()).collect(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn answers_of_both_generations() {
    let parse = || json!({"url": "https://x", "parseResponse": true});
    let body = r#"{"run_id": 912345678901234567}"#;
    assert_eq!(
        answered(&SEND_DATA, json!({}), parse(), 200, body).await,
        r#"{"statusCode":200,"headers":[{"name":"content-type","value":"application/json"}],"cookieHeaders":[],"data":{"run_id":912345678901234567},"fileSize":30}"#
    );
    assert_eq!(
        answered(&MAKE_REQUEST, json!({}), parse(), 404, "gone").await,
        r#"{"statusCode":404,"headers":{"content-type":"application/json"},"data":"gone"}"#
    );
    assert_eq!(answered(&SEND_DATA, json!({"handleErrors": true}), parse(), 401, "no").await, "RuntimeError: [401] no");
    assert_eq!(answered(&SEND_DATA, json!({"handleErrors": true}), parse(), 429, "").await, "RateLimitError: [429] ");
    assert_eq!(
        answered(&SEND_DATA, json!({}), parse(), 200, "<html>").await,
        "DataError: the answer is not the JSON that it claims to be: expected value at line 1 column 1"
    );
}

#[test]
fn the_history_does_not_show_secrets() {
    let input = Value::from_json(json!({"url": "https://x", "authPass": "pw", "headers": [
        {"name": "Authorization", "value": "Bearer dapi"}, {"name": "X-Api-Key", "value": "k"}, {"name": "Accept", "value": "*/*"}]}));
    let shown = redacted_input(&input).to_json().to_string();
    assert!(!shown.contains("dapi") && !shown.contains("\"k\"") && !shown.contains("pw"), "{shown}");
    assert!(shown.contains("*/*"));
}
