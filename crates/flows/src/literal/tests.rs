use expect_test::expect;
use serde_json::{Value as Json, json};

use super::*;
use crate::blueprint;
use crate::program::Program;

const TOKEN: &str = "dapi0123456789abcdef0123456789abcdef";

fn flow(modules: &Json) -> Json {
    json!({"name": "F", "flow": modules})
}

fn told(document: &Json) -> String {
    let line = |literal: &Literal| format!("{literal:?} → {:?}", literal.home);
    find(document).iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn secrets_are_found_wherever_they_stand() {
    let document = flow(&json!([
        {"id": 1, "module": "http:ActionSendData", "mapper": {"url": "https://x.example/a?token=abcdefghijkl&b=1", "headers": [
            {"name": "Authorization", "value": format!("Bearer {TOKEN}")},
            {"name": "X-API-Key", "value": "0123456789abcdef"},
            {"name": "Accept", "value": "application/json"},
            {"name": "Authorization", "value": "Bearer {{3.token}}"}]}},
        {"id": 2, "module": "http:ActionSendData", "parameters": {"connection": "mine"}, "mapper": {"url": "https://x.example", "headers": [
            {"name": "authorization", "value": "Basic dXNlcjpwYXNzd29yZC1vZi1taW5l"}]}},
        {"id": 3, "module": "http:MakeRequest", "mapper": {"url": "https://x.example", "authUser": "me", "authPass": "a-long-password",
            "queryParameters": [{"name": "api_key", "value": "0123456789"}]}},
        {"id": 4, "module": "util:SetVariables", "mapper": {"variables": [
            {"name": "AppKey", "value": "id-of-key:secret-of-key"}, {"name": "tableName", "value": "ContiPush"}]}},
        {"id": 5, "module": "acme:Do", "parameters": {"deep": [{"password": "hunter2hunter2"}]},
            "mapper": {"text": "see xoxb-123456789012-abcdefghij, and AKIAIOSFODNN7EXAMPLE"}},
        {"id": 6, "module": "json:CreateJSON", "mapper": {"pem": "-----BEGIN PRIVATE KEY-----\nMIIabcdefghijkl\n-----END PRIVATE KEY-----\n"}},
    ]));
    let found = told(&document);
    for secret in [TOKEN, "abcdefghijkl", "a-long-password", "secret-of-key", "hunter2", "0123456789"] {
        assert!(!found.contains(secret), "{secret} is shown:\n{found}");
    }
    expect![[r#"
        module 1, mapper.headers[1].value: a Databricks token (dapi…) → Connection("bearer")
        module 1, mapper.headers[2].value: a secret header (0123…) → Connection("header")
        module 1, mapper.url: a secret in an address (abc…) → Connection("query")
        module 2, mapper.headers[1].value: a password (dXNl…) → Nowhere("the module has a connection already: take this one out by hand")
        module 3, mapper.authPass: a password (a-l…) → Connection("basic")
        module 3, mapper.queryParameters[1].value: a secret in an address (01…) → Connection("query")
        module 4, mapper.variables[1].value: a secret by the name of its variable (id-o…) → Nowhere("a variable cannot take a connection, and nothing reads it: take it out by hand")
        module 5, mapper.text: a Slack token (xoxb…) → Nowhere("make a connection of it, or take it from a variable of the environment, by hand")
        module 5, mapper.text: an AWS access key (AKIA…) → Nowhere("make a connection of it, or take it from a variable of the environment, by hand")
        module 5, parameters.deep[1].password: a secret by its name (hun…) → Nowhere("make a connection of it, by hand")
        module 6, mapper.pem: a private key (----…) → Nowhere("make a connection of it, or take it from a variable of the environment, by hand")"#]].assert_eq(&found);
}

#[test]
fn a_secret_moves_into_a_connection() {
    let document = flow(&json!([
        {"id": 1, "module": "http:ActionSendData", "version": 3, "parameters": {"handleErrors": true}, "mapper": {"url": "https://x.example/a", "headers": [
            {"name": "Authorization", "value": format!("Bearer {TOKEN}")}, {"name": "Accept", "value": "x"}]}},
        {"id": 2, "module": "http:ActionGetFile", "mapper": {"url": "https://x.example/b", "headers": [
            {"name": "Authorization", "value": format!("Bearer {TOKEN}")}]}},
        {"id": 3, "module": "http:MakeRequest", "mapper": {"url": "https://x.example/c?api_key=abcdef0123&x=1"}},
    ]));
    let moved = move_into_connections(&document, "databricks");
    let connections: Vec<_> = moved
        .connections
        .iter()
        .map(|(name, spec, of)| format!("{name}: {} of {} places", spec.kind, of.len()))
        .collect();
    assert_eq!(connections, ["databricks: bearer of 2 places", "databricks-2: query of 1 places"]);
    assert!(moved.left.is_empty());
    assert_eq!(find(&moved.document).len(), 0);
    let text = moved.document.to_string();
    assert!(!text.contains(TOKEN) && !text.contains("abcdef0123"));
    expect![[r"
        name: F
        flow:
        - id: 1
          module: http:ActionSendData
          version: 3
          parameters:
            handleErrors: true
            connection: databricks
          mapper:
            url: https://x.example/a
            headers:
            - name: Accept
              value: x
        - id: 2
          module: http:ActionGetFile
          mapper:
            url: https://x.example/b
            headers: []
          parameters:
            connection: databricks
        - id: 3
          module: http:MakeRequest
          mapper:
            url: https://x.example/c?x=1
          parameters:
            connection: databricks-2
    "]]
    .assert_eq(&blueprint::write(&moved.document, blueprint::Format::Yaml).expect("YAML"));
    Program::compile(&text).expect("it compiles");
}

#[test]
fn a_variable_that_is_only_sent_moves_with_its_headers() {
    let sender = |id: u32, value: &str| json!({"id": id, "module": "http:ActionSendData", "version": 3, "mapper": {"url": "https://x.example", "headers": [{"name": "Authorization", "value": value}]}});
    let variable = json!({"id": 21, "module": "util:SetVariables", "mapper": {"scope": "roundtrip", "variables": [
        {"name": "tableName", "value": "T"}, {"name": "App Key", "value": "bXk6a2V5LW9mLW1pbmU="}]}});
    let document = flow(&json!([variable, sender(5, "AppKey {{21.`App Key`}}"), sender(7, "AppKey {{21.`App Key`}}")]));
    let moved = move_into_connections(&document, "push");
    assert_eq!(moved.connections.len(), 1);
    assert_eq!(moved.connections[0].1.kind, "app-key");
    let parameters: Vec<&Json> =
        (1..3).map(|place| &moved.document["flow"][place]["parameters"]["connection"]).collect();
    assert_eq!(parameters, ["push", "push"]);
    assert_eq!(moved.document["flow"][0]["mapper"]["variables"][1]["value"], "");

    let used = json!({"id": 9, "module": "util:ComposeTransformer", "mapper": {"value": "key={{21.`App Key`}}"}});
    let document = flow(&json!([variable, sender(5, "AppKey {{21.`App Key`}}"), used]));
    let moved = move_into_connections(&document, "push");
    assert_eq!((moved.connections.len(), moved.left.len()), (0, 1));
    assert_eq!(moved.document, document, "nothing is half done");
    assert!(told(&document).contains("it is used in module 9, mapper.value"), "{}", told(&document));
}

#[test]
fn what_is_shown_to_people_has_dots_in_it() {
    for (name, text, expected) in [
        ("value", format!("Bearer {TOKEN}"), "Bearer dapi…"),
        ("data", format!("{{\"token\": \"{TOKEN}\"}}"), "{\"token\": \"dapi…\"}"),
        ("authPass", "secret!!".into(), "se…"),
        ("password", "secret!!".into(), "se…"),
        ("password", "{{1.x}}".into(), "{{1.x}}"),
        ("value", "Authorization: none".into(), "Authorization: none"),
    ] {
        assert_eq!(masked_value(name, &text), expected);
    }
}
