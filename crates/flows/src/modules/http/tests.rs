mod wire;

use std::sync::Arc;

use base::Timestamp;
use base::testing::{ScriptedHttp, reply};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::api_key_auth::API_KEY_AUTH;
use super::download_file::DOWNLOAD_FILE;
use super::get_file::GET_FILE;
use super::make_request::MAKE_REQUEST;
use super::oauth::OAUTH;
use super::resolve_url::RESOLVE_URL;
use super::send_data::SEND_DATA;
use super::*;
use crate::engine::{Facts, Machine, Stop};
use crate::modules::{Behaviour, Module};
use crate::modules::{Call, Class, ModuleError, Plan, Settled};
use crate::program::Program;
use crate::value::Value;

fn planned(module: &Module, parameters: &Json, mapper: Json) -> Result<HttpCall, ModuleError> {
    let Behaviour::Effect(plan) = module.behaviour else { unreachable!("HTTP is an effect") };
    let input = Value::from_json(mapper);
    let parameters = parameters.as_object().cloned().unwrap_or_default();
    let mut variables = crate::engine::Variables::default();
    match plan(&mut Call {
        module: 1,
        parameters: &parameters,
        input: &input,
        variables: &mut variables,
        semantics: &crate::semantics::Semantics::default(),
    })? {
        Plan::Http(call) => Ok(*call),
        _ => unreachable!("HTTP plans HTTP"),
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
    let (settled, may_help) = send(&call, &http, &[], "0a1b", None, Timestamp::EPOCH).await;
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
    for (url, expected) in [
        ("https://x/a?id=1&access_token=s3cret&b", "https://x/a?id=1&access_token=(not shown)&b"),
        ("https://ann:s3cret@x/a", "https://(not shown)@x/a"),
        ("https://x/a@b?id=1", "https://x/a@b?id=1"),
    ] {
        let input = Value::from_json(json!({"url": url, "multipartBodyContent": [
            {"name": "password", "fieldType": "file", "data": "s3cret"}, {"key": "api_key", "value": "s3cret"}]}));
        let shown = redacted_input(&input);
        assert_eq!(shown.field("url").to_text(), expected);
        assert!(!shown.to_json().to_string().contains("s3cret"), "{}", shown.to_json());
    }
}

#[test]
fn a_run_shares_cookies_also_after_it_was_replayed() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://a.example/login", shareCookies: true } }
  - { id: 3, module: "http:ActionSendData", mapper: { url: "https://a.example/next", shareCookies: true } }
  - { id: 4, module: "http:ActionSendData", mapper: { url: "https://a.example/apart" } }
"#;
    let program = Arc::new(Program::compile(flow).expect("a flow"));
    let facts = Facts {
        run: "00000000-0000-7000-8000-000000000001".parse().expect("an id"),
        flow: "f".into(),
        name: "F".into(),
        variables: Value::Null,
        seed: 1,
    };
    let mut machine = Machine::new(program, facts, vec![Value::Null], Timestamp::EPOCH);
    let mut sent = Vec::new();
    while let Stop::Effect(intent) = machine.walk(100) {
        let Plan::Http(call) = &intent.plan else { unreachable!("HTTP plans HTTP") };
        sent.push(call.jar.as_ref().and_then(|jar| jar.header(&call.url)));
        let mut settled = settle(call, reply(200, ""));
        settled.cookies.extend(Cookie::read("sid=1; Path=/", &call.url));
        // What a replay is given is what was read from the journal.
        let journal = settled.to_stored().to_string();
        let read = serde_json::from_str(&journal).ok().and_then(Settled::from_stored);
        machine.settle(read.expect("what was written"), Timestamp::EPOCH);
    }
    assert_eq!(sent, [None, Some("sid=1".to_owned()), None]);
}
