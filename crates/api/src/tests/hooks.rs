//! The door of webhooks: what comes in, what is refused, and what the caller
//! is told. The flood comes through a real listener.

use std::collections::BTreeSet;
use std::time::Duration;

use expect_test::expect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Makes a hook and returns its path.
async fn hook(house: &House, name: &str, settings: Value) -> String {
    let made = house.call(&format!("PUT /api/v1/hooks/{name}"), settings.to_string()).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    made.json()["path"].as_str().expect("an address").to_owned()
}

/// Sends what a stranger sends: no credentials, but perhaps headers.
async fn knock(house: &House, what: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = request(what, None, body);
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
        request.headers_mut().append(name, value.parse().expect("a value"));
    }
    send(&house.main, request).await
}

/// Makes an active flow that takes from a hook and ends at once.
async fn flow(house: &House, key: &str, text: &str) {
    for (what, body) in [
        (format!("PUT /api/v1/flows/{key}"), text),
        (format!("POST /api/v1/flows/{key}/publish"), ""),
        (format!("POST /api/v1/flows/{key}/activate"), ""),
    ] {
        let answer = house.call(&what, body.to_owned()).await;
        assert!(answer.status.is_success(), "{what}: {}", answer.body);
    }
}

const MAIL: &str = "From: Ann <ann@x.example>\r\nTo: orders@y.example\r\nSubject: Order 4711\r\nMessage-ID: <1@x>\r\n\r\nIt is\r\n..late\r\n";

const MAIL_FLOW: &str = r#"flow:
  - { id: 1, module: "gateway:CustomMailHook", parameters: { hook: mails, maxResults: 1 } }
"#;

#[tokio::test]
async fn a_mail_is_posted_as_it_was_sent() {
    let house = House::open().await;
    let path = hook(&house, "mails", json!({})).await;
    flow(&house, "takes", MAIL_FLOW).await;
    let kind = [("content-type", "message/rfc822")];
    assert_eq!(knock(&house, &format!("POST {path}"), &kind, MAIL).await.status, StatusCode::OK);
    let broken = knock(&house, &format!("POST {path}"), &kind, "\r\nno headers").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST, "{}", broken.body);
    let bundle = at_work(&house, bundle_of_run(&house, 1)).await;
    assert_eq!((&bundle["subject"], &bundle["from"]["name"]), (&json!("Order 4711"), &json!("Ann")));
}

/// Speaks with the listener for mails; returns the codes of its answers.
async fn speak(address: std::net::SocketAddr, lines: &[&str]) -> Vec<String> {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let mut codes = Vec::new();
    for line in [&[""][..], lines].concat() {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).await.expect("it reads");
        }
        let mut answer = String::new();
        // The last line of an answer has a blank behind its code.
        while !answer.lines().last().is_some_and(|last| last.get(3..4) == Some(" ") && answer.ends_with('\n')) {
            let mut bytes = [0; 1_024];
            let count = stream.read(&mut bytes).await.expect("it answers");
            assert!(count > 0, "{line}: it went away after {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..count]).expect("text"));
        }
        codes.push(answer.lines().last().expect("a line")[..3].to_owned());
    }
    codes
}

#[tokio::test]
async fn a_mail_comes_by_smtp_to_the_hooks_that_are_there() {
    let house = House::open().await;
    let path = hook(&house, "mails", json!({})).await;
    let closed = hook(&house, "closed", json!({"addresses": ["10.0.0.0/8"]})).await;
    flow(&house, "takes", MAIL_FLOW).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let door = tokio::spawn(crate::take_mails(listener, house.app.clone(), stop.clone()));
    let token = |path: &str| path.rsplit('/').next().expect("a token").to_owned();
    let to = format!("RCPT TO:<{}@anything>", token(&path));
    let to_closed = format!("RCPT TO:<{}@anything>", token(&closed));
    let mail = format!("{}\r\n.", MAIL.trim_end());
    // The same mail again is stored once.
    for _ in 0..2 {
        let said = ["EHLO me", "MAIL FROM:<a@x>", "RCPT TO:<nobody@anything>", &to_closed, &to, "DATA", &mail, "QUIT"];
        let codes = speak(address, &said).await;
        assert_eq!(codes, ["220", "250", "250", "550", "550", "250", "354", "250", "221"]);
    }
    let codes = speak(address, &["DATA", "RCPT TO:<x@y>", "MAIL FROM:<a> SIZE=99999999999", "EXPN x", "QUIT"]).await;
    assert_eq!(codes, ["220", "503", "503", "552", "500", "221"]);
    let too_long =
        format!("Subject: x\r\n\r\n{}\r\n.", "y".repeat(70_000).repeat(house.app.hook_bytes_max / 70_000 + 1));
    let codes = speak(address, &["HELO me", "MAIL FROM:<>", &to, "DATA", &too_long, "QUIT"]).await;
    assert_eq!(codes, ["220", "250", "250", "250", "354", "552", "221"]);
    let bundle = at_work(&house, bundle_of_run(&house, 1)).await;
    assert_eq!(bundle["text"], json!("It is\r\n.late\r\n"));
    assert_eq!(house.app.flows.runs("takes", 10).await.expect("runs").len(), 1);
    stop.cancel();
    door.await.expect("it ends when it is told");
}

/// Lets the engine work while something else happens.
pub(super) async fn at_work<T>(house: &House, what: impl Future<Output = T>) -> T {
    let stop = CancellationToken::new();
    let engine = tokio::spawn(house.app.flows.clone().run(stop.clone()));
    let came = what.await;
    stop.cancel();
    engine.await.expect("an engine ends when it is told");
    came
}

/// Returns the start bundles of the runs of a flow, in the order of the runs.
async fn bundles(house: &House, key: &str) -> Vec<Vec<Value>> {
    let mut runs = house.app.flows.runs(key, 100_000).await.expect("runs");
    runs.reverse();
    let mut bundles = Vec::with_capacity(runs.len());
    for run in runs {
        bundles.push(house.app.flows.run_details(run.id).await.expect("a run").input);
    }
    bundles
}

/// Waits for the run with a number, from 1 on, and returns what its first
/// module gave.
async fn bundle_of_run(house: &House, number: usize) -> Value {
    loop {
        let runs = house.app.flows.runs("takes", 1_000).await.expect("runs");
        if runs.len() == number && runs[0].ended_at.is_some() {
            return house.app.flows.run_details(runs[0].id).await.expect("a run").operations[0].output[0].clone();
        }
        tokio::task::yield_now().await;
    }
}

const TAKES_ONE: &str =
    "flow: [{ id: 1, module: 'gateway:CustomWebHook', parameters: { hook: taken, maxResults: 1 } }]";

#[tokio::test]
async fn whatever_form_data_has_it_arrives_as_named_items() {
    let house = House::open().await;
    let path = hook(&house, "taken", json!({"withMethod": true})).await;
    flow(&house, "takes", TAKES_ONE).await;
    let form = "application/x-www-form-urlencoded";
    let multipart = "multipart/form-data; boundary=X";
    let parts = "--X\r\nContent-Disposition: form-data; name=\"who\"\r\n\r\nAnn\r\n\
                 --X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
                 Content-Type: image/png\r\n\r\n\u{1}\u{2}\r\n--X--\r\n";
    let cases: [(&str, &str, &str, &str); 14] = [
        ("GET ?OrderId=4711&DeliveryDate=2026-03-01", "", "", r#"{"OrderId":"4711","DeliveryDate":"2026-03-01"}"#),
        ("GET ?a=1&a=2&b[]=x&c=%C3%A4+b&d", "", "", r#"{"a":["1","2"],"b":["x"],"c":"ä b","d":""}"#),
        ("POST ?q=1", form, "a=1&q=2", r#"{"q":"2","a":"1"}"#),
        (
            "POST ?q=1",
            "application/json",
            r#"{"n": 1, "list": [1, {"a": null}]}"#,
            r#"{"q":"1","n":1,"list":[1,{"a":null}]}"#,
        ),
        ("PUT ", "application/vnd.x+json; charset=utf-8", "[1, 2]", r#"{"value":[1,2]}"#),
        ("POST ", "application/json", "\"text\"", r#"{"value":"text"}"#),
        ("POST ", form, r#"{"a": 1}"#, r#"{"a":1}"#),
        ("POST ", "", r#"[{"a": 1}]"#, r#"{"value":[{"a":1}]}"#),
        ("POST ", "text/plain", "just text", r#"{"value":"just text"}"#),
        ("POST ", "application/xml", "<a/>", r#"{"value":"<a/>"}"#),
        ("DELETE ?id=5", "", "", r#"{"id":"5"}"#),
        ("POST ", "application/json", "", "{}"),
        ("POST ", "application/json", r#"{"$bytes": "AQI="}"#, r#"{"$bytes":"AQI="}"#),
        (
            "POST ",
            multipart,
            parts,
            r#"{"who":"Ann","file":{"name":"a.bin","mime":"image/png","data":"\u0001\u0002"}}"#,
        ),
    ];
    let seen = at_work(&house, async {
        let mut seen = Vec::new();
        for (what, kind, body, _) in &cases {
            let (method, query) = what.split_once(' ').expect("a method");
            // Runs of the same millisecond stand in any order.
            house.clock.advance(Duration::from_millis(1));
            let headers: &[(&str, &str)] = if kind.is_empty() { &[] } else { &[("content-type", kind)] };
            let answer = knock(&house, &format!("{method} {path}{query}"), headers, (*body).to_owned()).await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "Accepted"), "{what} {kind} {body}");
            seen.push(bundle_of_run(&house, seen.len() + 1).await);
        }
        seen
    })
    .await;
    for ((what, kind, body, expected), mut seen) in cases.into_iter().zip(seen) {
        let method = seen.as_object_mut().expect("a bundle").remove("__IMTMETHOD__").expect("a method");
        assert_eq!(method.as_str(), what.split_once(' ').map(|(method, _)| method));
        let expected: Value = serde_json::from_str(expected).expect("JSON");
        assert_eq!(seen, expected, "{what} {kind} {body}");
    }
}

#[tokio::test]
async fn headers_and_the_text_of_json_are_there_for_who_asks() {
    let house = House::open().await;
    let path = hook(&house, "taken", json!({"withHeaders": true, "passThrough": true})).await;
    flow(&house, "takes", TAKES_ONE).await;
    let body = "{ \"a\": 1 }";
    let bundle = at_work(&house, async {
        let headers = [("content-type", "application/json"), ("X-Shop", "north")];
        knock(&house, &format!("POST {path}?q=1"), &headers, body).await;
        bundle_of_run(&house, 1).await
    })
    .await;
    let headers = json!([{"name": "content-type", "value": "application/json"}, {"name": "x-shop", "value": "north"}]);
    assert_eq!(bundle, json!({"q": "1", "value": body, "__IMTHEADERS__": headers}));
}

#[tokio::test]
async fn what_is_refused_is_said_and_leaves_nothing_behind() {
    let house = House::open().await;
    let structure = json!({"strict": true, "spec": [{"name": "rows", "type": "array", "spec": [
        {"name": "price", "type": "number", "required": true},
    ]}]});
    let path = hook(&house, "taken", json!({"structure": structure})).await;
    let json_kind = [("content-type", "application/json")];
    let post = |path: &str| format!("POST {path}");
    check(
        &knock(&house, "POST /hooks/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &json_kind, "{}").await,
        expect![[r#"
        404 application/problem+json
        {
          "type": "urn:loopwright:problem:hook-unknown",
          "title": "Not Found",
          "status": 404,
          "detail": "there is no hook at this address",
          "instance": "<1>",
          "code": "hook-unknown"
        }
    "#]],
    );
    check(
        &knock(&house, &post(&path), &json_kind, "{\"a\": ]").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:body-malformed",
          "title": "Bad Request",
          "status": 400,
          "detail": "the body is not valid JSON: expected value at line 1 column 7",
          "instance": "<1>",
          "code": "body-malformed",
          "line": 1,
          "column": 7
        }
    "#]],
    );
    check(
        &knock(&house, &post(&path), &json_kind, r#"{"rows": [{"price": 1}, {}]}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:hook-data-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the data does not fit at \"rows[2].price\": missing value of required parameter",
              "instance": "<1>",
              "code": "hook-data-mismatch"
            }
        "#]],
    );
    check(
        &knock(&house, &post(&path), &json_kind, r#"{"other": 1}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:hook-data-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the data does not fit at \"other\": the structure has no such item",
              "instance": "<1>",
              "code": "hook-data-mismatch"
            }
        "#]],
    );
    let long = "x".repeat((5 << 20) + 1);
    check(
        &knock(&house, &post(&path), &json_kind, long.clone()).await,
        expect![[r#"
        413 application/problem+json
        {
          "type": "urn:loopwright:problem:body-too-long",
          "title": "Payload Too Large",
          "status": 413,
          "detail": "the body is longer than 5242880 bytes",
          "instance": "<1>",
          "code": "body-too-long"
        }
    "#]],
    );
    let announced = [("content-length", "999999999")];
    check(
        &knock(&house, &post(&path), &announced, Body::empty()).await,
        expect![[r#"
        413 application/problem+json
        {
          "type": "urn:loopwright:problem:body-too-long",
          "title": "Payload Too Large",
          "status": 413,
          "detail": "the body is longer than 5242880 bytes",
          "instance": "<1>",
          "code": "body-too-long"
        }
    "#]],
    );
    let pieces = futures::stream::iter((0..6).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1 << 20]))));
    let chunked = [("transfer-encoding", "chunked")];
    let answer = knock(&house, &post(&path), &chunked, Body::from_stream(pieces)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.body);
    let broken = [("content-type", "multipart/form-data; boundary=X")];
    check(
        &knock(&house, &post(&path), &broken, "--X\r\nnothing").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:form-broken",
          "title": "Bad Request",
          "status": 400,
          "detail": "the form cannot be read: incomplete multipart stream",
          "instance": "<1>",
          "code": "form-broken",
          "attribute": "form"
        }
    "#]],
    );

    hook(&house, "taken", json!({"addresses": "10.0.0.0/8, 203.0.113.7"})).await;
    check(
        &knock(&house, &post(&path), &json_kind, "{}").await,
        expect![[r#"
            403 application/problem+json
            {
              "type": "urn:loopwright:problem:hook-closed",
              "title": "Forbidden",
              "status": 403,
              "detail": "this hook takes no requests from an address that is not known",
              "instance": "<1>",
              "code": "hook-closed"
            }
        "#]],
    );
    hook(&house, "taken", json!({"enabled": false})).await;
    check(
        &knock(&house, &post(&path), &json_kind, "{}").await,
        expect![[r#"
        410 application/problem+json
        {
          "type": "urn:loopwright:problem:hook-disabled",
          "title": "Gone",
          "status": 410,
          "detail": "this hook is switched off",
          "instance": "<1>",
          "code": "hook-disabled"
        }
    "#]],
    );
    hook(&house, "taken", json!({})).await;
    for method in ["HEAD", "OPTIONS"] {
        assert_eq!(knock(&house, &format!("{method} {path}"), &[], "").await.status, StatusCode::NO_CONTENT);
    }
    let shown = house.call("GET /api/v1/hooks/taken", "").await.json();
    assert_eq!((&shown["waiting"], &shown["refused"], &shown["ignored"]), (&json!(0), &json!(2), &json!(0)));
}

#[tokio::test]
async fn the_same_request_twice_starts_one_run() {
    let house = House::open().await;
    let path = hook(&house, "taken", json!({})).await;
    flow(&house, "takes", TAKES_ONE).await;
    at_work(&house, async {
        for header in
            [("Idempotency-Key", "k-1"), ("Idempotency-Key", "k-1"), ("webhook-id", "k-2"), ("webhook-id", "k-2")]
        {
            let answer = knock(&house, &format!("POST {path}?n=1"), &[header], "").await;
            assert_eq!(answer.body, "Accepted");
        }
        // What is accepted while the engine is busy begins a moment later.
        while bundles(&house, "takes").await.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(bundles(&house, "takes").await.len(), 2);
}

#[tokio::test]
async fn a_flow_answers_its_caller() {
    let house = House::open().await;
    flow(
        &house,
        "answering",
        r#"
flow:
  - { id: 1, module: "gateway:CustomWebHook" }
  - id: 2
    module: "builtin:BasicRouter"
    routes:
      - flow: [{ id: 3, module: "gateway:WebhookRespond", filter: { conditions: [[{ a: "{{1.kind}}", o: "text:equal", b: "page" }]] }, mapper: { status: "418", body: "<b>{{1.text}}</b>", headers: [{ key: Content-Type, value: text/html }, { key: X-Own, value: "1" }, { key: Content-Length, value: "3" }] } }]
      - flow: [{ id: 4, module: "gateway:WebhookRespond", filter: { conditions: [[{ a: "{{1.kind}}", o: "text:equal", b: "json" }]] }, mapper: { body: { kind: "{{1.kind}}", list: [1, "{{1.none}}"] } } }]
      - flow: [{ id: 5, module: "loopwright:Fail", filter: { conditions: [[{ a: "{{1.kind}}", o: "text:equal", b: "fail" }]] }, mapper: { message: "no such order" } }]
      - flow: [{ id: 6, module: "gateway:WebhookRespond", filter: { conditions: [[{ a: "{{1.kind}}", o: "text:equal", b: "bad" }]] }, mapper: { status: "99" } }]
"#,
    )
    .await;
    let shown = house.call("GET /api/v1/hooks/answering", "").await.json();
    assert_eq!(shown["flow"], "answering", "a flow that names no hook has one of its own");
    let path = shown["path"].as_str().expect("an address").to_owned();
    at_work(&house, async {
        let asked = async |query: &str| knock(&house, &format!("GET {path}?{query}"), &[], "").await;
        let page = asked("kind=page&text=hello").await;
        check(&page, expect![[r#"
            418 text/html
            <b>hello</b>
        "#]]);
        assert_eq!((page.header("x-own"), page.header("content-security-policy")), ("1", "sandbox"));
        check(&asked("kind=json").await, expect![[r#"
            200 application/json
            {
              "kind": "json",
              "list": [
                1,
                null
              ]
            }
        "#]]);
        check(&asked("kind=fail").await, expect![[r#"
            500 application/problem+json
            {
              "type": "urn:loopwright:problem:flow-failed",
              "title": "Internal Server Error",
              "status": 500,
              "detail": "the flow failed before it had an answer: module 5 (loopwright:Fail) failed: RuntimeError: no such order",
              "instance": "<1>",
              "code": "flow-failed"
            }
        "#]]);
        check(&asked("kind=bad").await, expect![[r#"
            500 application/problem+json
            {
              "type": "urn:loopwright:problem:flow-failed",
              "title": "Internal Server Error",
              "status": 500,
              "detail": "the flow failed before it had an answer: module 6 (gateway:WebhookRespond) failed: BundleValidationError: status: \"99\" is not a status from 100 to 999",
              "instance": "<1>",
              "code": "flow-failed"
            }
        "#]]);
        check(&asked("kind=other").await, expect![[r#"
            200 text/plain; charset=utf-8
            Accepted
        "#]]);
    })
    .await;
}

#[tokio::test]
async fn hooks_are_made_listed_and_removed_and_their_addresses_are_for_editors_only() {
    let house = House::open().await;
    let form = json!({"label": "Deliveries", "addresses": ["10.0.0.0/8"], "onMismatch": "ignore",
        "structure": [{"name": "OrderId", "type": "text", "required": true}]});
    let made = house.call("PUT /api/v1/hooks/deliveries", form.to_string()).await.json();
    let path = made["path"].as_str().expect("an address").to_owned();
    assert!(path.len() == "/hooks/".len() + 32, "{path}");
    check(
        &house.call("GET /api/v1/hooks", "").await,
        expect![[r#"
            200 application/json
            [
              {
                "name": "deliveries",
                "label": "Deliveries",
                "enabled": true,
                "addresses": [
                  "10.0.0.0/8"
                ],
                "withHeaders": false,
                "withMethod": false,
                "passThrough": false,
                "structure": {
                  "spec": [
                    {
                      "name": "OrderId",
                      "type": "text",
                      "required": true
                    }
                  ],
                  "strict": false
                },
                "onMismatch": "ignore",
                "flow": null,
                "learning": {
                  "state": "never"
                },
                "waiting": 0,
                "waitingBytes": 0,
                "refused": 0,
                "ignored": 0,
                "createdAt": "2026-01-01T00:00:00.000Z",
                "updatedAt": "2026-01-01T00:00:00.000Z"
              }
            ]
        "#]],
    );
    check(
        &house.call("PUT /api/v1/hooks/deliveries", r#"{"addresses": "10.0.0.0/99"}"#).await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:hook-address-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "\"10.0.0.0/99\" is not an address or a range such as 203.0.113.7 or 10.1.0.0/16",
          "instance": "<1>",
          "code": "hook-address-invalid",
          "attribute": "addresses"
        }
    "#]],
    );
    check(
        &house.call("PUT /api/v1/hooks/deliveries", r#"{"structure": {"fields": []}}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:hook-structure-invalid",
              "title": "Bad Request",
              "status": 400,
              "detail": "\"spec\" must be a list of fields",
              "instance": "<1>",
              "code": "hook-structure-invalid",
              "attribute": "structure"
            }
        "#]],
    );
    check(
        &house.call("PUT /api/v1/hooks/deliveries", r#"{"color": "red"}"#).await,
        expect![[r#"
            400 application/problem+json
            {
              "type": "urn:loopwright:problem:body-mismatch",
              "title": "Bad Request",
              "status": 400,
              "detail": "the body does not fit at \"color\": unknown field `color`, expected one of `label`, `enabled`, `addresses`, `withHeaders`, `withMethod`, `passThrough`, `structure`, `onMismatch`, `importedIds` at line 1 column 8",
              "instance": "<1>",
              "code": "body-mismatch",
              "attribute": "color",
              "line": 1,
              "column": 8
            }
        "#]],
    );
    check(
        &house.call("PUT /api/v1/hooks/a%20b", "").await,
        expect![[r#"
        400 application/problem+json
        {
          "type": "urn:loopwright:problem:name-invalid",
          "title": "Bad Request",
          "status": 400,
          "detail": "\"a b\" is not a name: use letters, digits, \".\", \"_\" and \"-\", at most 100",
          "instance": "<1>",
          "code": "name-invalid"
        }
    "#]],
    );

    house.grant_to_stranger_on_team("use-package").await;
    assert_eq!(house.call_as_stranger("DELETE /api/v1/hooks/deliveries").await.status, StatusCode::FORBIDDEN);
    let seen = house.call_as_stranger("GET /api/v1/hooks/deliveries").await;
    assert!(seen.status.is_success() && !seen.body.contains("/hooks/"), "{}", seen.body);

    let listening = house.call("POST /api/v1/hooks/deliveries/listen", "").await.json();
    assert_eq!(listening["learning"]["state"], "listening");
    house.call("PUT /api/v1/hooks/deliveries", "{}").await;
    assert_eq!(knock(&house, &format!("GET {path}?OrderId=1"), &[], "").await.body, "Accepted");
    let learning = house.call("GET /api/v1/hooks/deliveries", "").await.json()["learning"].clone();
    assert_eq!(
        (&learning["state"], &learning["items"]),
        (&json!("determined"), &json!([{"name": "OrderId", "type": "text"}]))
    );

    let renewed = house.call("POST /api/v1/hooks/deliveries/renew", "").await.json();
    assert_ne!(renewed["path"], json!(path));
    assert_eq!(knock(&house, &format!("GET {path}"), &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(house.call("DELETE /api/v1/hooks/deliveries", "").await.status, StatusCode::NO_CONTENT);
    check(
        &house.call("DELETE /api/v1/hooks/deliveries", "").await,
        expect![[r#"
        404 application/problem+json
        {
          "type": "urn:loopwright:problem:hook-unknown",
          "title": "Not Found",
          "status": 404,
          "detail": "hook \"deliveries\" does not exist",
          "instance": "<1>",
          "code": "hook-unknown"
        }
    "#]],
    );
}

/// A connection that asks one thing after the other, as any client would.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Posts a body; returns status and body of the answer.
    async fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await.expect("the listener reads");
        self.read.clear();
        loop {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if rest.len() >= length.unwrap_or(0) {
                    return (head[9..12].parse().expect("a status"), rest.to_owned());
                }
            }
            let mut piece = [0; 4_096];
            let length = self.stream.read(&mut piece).await.expect("the listener answers");
            assert!(length > 0, "the listener hung up");
            self.read.extend_from_slice(&piece[..length]);
        }
    }
}

fn is_long() -> bool {
    std::env::var_os("LOOPWRIGHT_TEST_LONG").is_some()
}

#[tokio::test]
async fn a_hook_names_the_structure_that_it_checks_with() {
    let house = House::open().await;
    let missing = house.call("PUT /api/v1/hooks/taken", r#"{"structure": "order"}"#).await;
    assert_eq!(
        (missing.status, missing.json()["code"].as_str()),
        (StatusCode::BAD_REQUEST, Some("hook-structure-unknown"))
    );
    let order = json!({"spec": [{"name": "id", "type": "number", "required": true}]});
    assert_eq!(house.call("PUT /api/v1/data-structures/order", order.to_string()).await.status, StatusCode::OK);
    let path = hook(&house, "taken", json!({"structure": "order"})).await;
    assert_eq!(house.call("GET /api/v1/hooks/taken", "").await.json()["structure"], "order");
    assert_eq!(knock(&house, &format!("GET {path}?a=1"), &[], "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(knock(&house, &format!("GET {path}?id=1"), &[], "").await.status, StatusCode::OK);
    let in_use = house.call("DELETE /api/v1/data-structures/order", "").await;
    assert_eq!(in_use.status, StatusCode::CONFLICT);
    expect![[
        r#""data structure \"order\" is what hook \"taken\" checks with: set another one there, or none, before""#
    ]]
    .assert_eq(&in_use.json()["detail"].to_string());
}

#[tokio::test]
async fn a_number_of_a_blueprint_is_mapped_to_a_hook() {
    let house = House::open().await;
    let map = async |imported: &str, body: &str| {
        house.call(&format!("PUT /api/v1/flow-imports/{imported}"), body.to_owned()).await
    };
    assert_eq!(map("hook:77", r#"{"name": "taken"}"#).await.status, StatusCode::NOT_FOUND);
    hook(&house, "taken", json!({})).await;
    assert_eq!(map("hook:77", r#"{"name": "taken"}"#).await.status, StatusCode::NO_CONTENT);
    assert_eq!(house.call("GET /api/v1/hooks/taken", "").await.json()["importedIds"], json!([77]));
    assert_eq!(house.call("GET /api/v1/flow-imports", "").await.json(), json!({"hook:77": "taken"}));
    let wrong = map("pool:1", r#"{"name": "taken"}"#).await;
    assert_eq!((wrong.status, wrong.json()["code"].as_str()), (StatusCode::BAD_REQUEST, Some("import-invalid")));
    let text = r#"{"flow": [{"id": 1, "module": "gateway:CustomWebHook", "parameters": {"hook": 77}}]}"#;
    flow(&house, "in", text).await;
    assert_eq!(house.call("GET /api/v1/flows/in", "").await.json()["hook"], "hook.taken");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_list_of_addresses_judges_who_called_it() {
    let house = House::open().await;
    let path = hook(&house, "taken", json!({"addresses": "203.0.113.0/24"})).await;
    let from = async |peer: &str, header: &'static str, value: &str| {
        let mut request = request(&format!("GET {path}?a=1"), None, "");
        request.extensions_mut().insert(crate::peer::Peer(format!("{peer}:4711").parse().expect("an address")));
        request.headers_mut().insert(header, value.parse().expect("a value"));
        let answer = send(&house.main, request).await;
        if answer.status == StatusCode::OK { answer.body } else { answer.json()["detail"].to_string() }
    };
    expect![[r#"
        Accepted
        "this hook takes no requests from 198.51.100.1"
        "this hook takes no requests from 198.51.100.1"
        Accepted
        "this hook takes no requests from 10.0.0.1"
        "this hook takes no requests from an address that is not known""#]]
    .assert_eq(
        &[
            from("10.0.0.1", "x-forwarded-for", "203.0.113.7").await,
            from("10.0.0.1", "x-forwarded-for", "203.0.113.7, 198.51.100.1").await,
            from("198.51.100.1", "x-forwarded-for", "203.0.113.7").await,
            from("10.0.0.1", "forwarded", "for=203.0.113.7;proto=https").await,
            from("10.0.0.1", "x-other", "203.0.113.7").await,
            from("10.0.0.1", "x-forwarded-for", "203.0.113.7, unknown").await,
        ]
        .join("\n"),
    );
    assert_eq!(house.app.flows.hook("taken").await.expect("it is there").info.waiting, 2);
}

/// Requests from many connections at once, as fast as they come. Whoever is
/// refused because the queue is full comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_flood_nothing_is_lost_and_nothing_is_doubled() {
    const CONNECTIONS: usize = 64;
    let requests: usize = if is_long() { 50_000 } else { 3_000 };
    let house = House::open().await;
    let path = hook(&house, "taken", json!({})).await;
    flow(&house, "takes", &TAKES_ONE.replace("maxResults: 1", "maxResults: 100")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let server = tokio::spawn(axum::serve(listener, crate::WithPeers(house.main.clone())).into_future());
    let refused = at_work(&house, async {
        let mut senders = tokio::task::JoinSet::new();
        for connection in 0..CONNECTIONS {
            let path = path.clone();
            senders.spawn(async move {
                let stream = TcpStream::connect(address).await.expect("the listener is there");
                let mut connection_of = Connection { stream, read: Vec::new() };
                let mut refused = 0;
                for n in (connection..requests).step_by(CONNECTIONS) {
                    loop {
                        match connection_of.post(&path, &format!("{{\"n\": {n}}}")).await {
                            (200, body) if body == "Accepted" => break,
                            (429 | 503, _) => {
                                refused += 1;
                                tokio::task::yield_now().await;
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
                refused
            });
        }
        let refused: u64 = senders.join_all().await.into_iter().sum();
        // What waits comes to its run without anybody asking.
        while house.app.flows.hook("taken").await.expect("a hook").info.waiting > 0 {
            tokio::task::yield_now().await;
        }
        refused
    })
    .await;
    server.abort();
    let mut seen = BTreeSet::new();
    let runs = bundles(&house, "takes").await;
    for bundle in runs.iter().flatten() {
        assert!(seen.insert(bundle["n"].as_u64().expect("a number")), "{bundle} came twice");
    }
    eprintln!("{requests} requests, {refused} came again, {} runs", runs.len());
    assert_eq!(seen.len(), requests);
    assert!(runs.iter().all(|run| run.len() <= 100));
}

/// 700 requests at 300 each five minutes, as the guide on pushing CSV has it.
#[tokio::test]
async fn requests_wait_for_the_schedule_and_come_in_order() {
    let house = House::open().await;
    let path = hook(&house, "taken", json!({})).await;
    let text = TAKES_ONE.replace("maxResults: 1", "maxResults: 300");
    flow(&house, "takes", &format!("scheduling: {{ type: indefinitely, interval: 300 }}\n{text}")).await;
    at_work(&house, async {
        for n in 0..700 {
            let answer = knock(&house, &format!("GET {path}?n={n}"), &[], "").await;
            assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "Accepted"));
        }
    })
    .await;
    assert_eq!(house.call("GET /api/v1/hooks/taken", "").await.json()["waiting"], 700);
    for runs in 1..=3 {
        house.clock.advance(Duration::from_mins(5));
        at_work(&house, async {
            while house
                .app
                .flows
                .runs("takes", 10)
                .await
                .expect("runs")
                .iter()
                .filter(|run| run.ended_at.is_some())
                .count()
                < runs
            {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let runs = bundles(&house, "takes").await;
    assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [300, 300, 100]);
    let numbers: Vec<String> =
        runs.iter().flatten().map(|bundle| bundle["n"].as_str().expect("a text").to_owned()).collect();
    assert_eq!(numbers, (0..700).map(|n| n.to_string()).collect::<Vec<_>>());
}
