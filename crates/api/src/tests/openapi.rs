//! The document of our own interface and the Intelligence API, held against the routers and
//! against the copy that people read.

use std::collections::BTreeSet;

use expect_test::expect_file;
use http::Method;
use serde_json::Value;

use super::House;
use crate::surface::Surface;
use crate::{intelligence, openapi, own};

/// Returns what the document describes, as `GET /path`.
fn described(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().expect("a document has paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("a path has operations").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

fn routed(prefix: &str, surface: &Surface) -> Vec<String> {
    surface.operations().iter().map(|routed| format!("{} {prefix}{}", routed.method, routed.path)).collect()
}

#[test]
fn the_document_describes_exactly_what_is_routed() {
    let mut routes: BTreeSet<String> = BTreeSet::new();
    routes.extend(routed(intelligence::PREFIX, &intelligence::surface()));
    routes.extend(routed(intelligence::PREFIX, &intelligence::reads()));
    routes.extend(routed(own::PREFIX, &own::surface()));
    routes.extend(routed(own::PREFIX, &own::uploads()));
    routes.insert("GET /api/v1/openapi.json".to_owned());
    assert_eq!(described(&openapi::document()), routes);
}

/// No method but those that are described is answered at a described path.
#[tokio::test]
async fn what_is_not_described_is_not_possible() {
    let house = House::open().await;
    let described = described(&openapi::document());
    let paths: BTreeSet<&str> =
        described.iter().filter_map(|operation| operation.split_once(' ')).map(|(_, path)| path).collect();
    for path in paths {
        for method in [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
            let answer = house.call(&format!("{method} {}", path.replace(['{', '}'], "-")), "").await;
            let possible = answer.status != 405;
            assert_eq!(possible, described.contains(&format!("{method} {path}")), "{method} {path}: {}", answer.body);
            assert!(possible || !answer.header("allow").is_empty(), "{method} {path} says what else is possible");
        }
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_tells_its_errors() {
    let document = openapi::document();
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("a name");
            assert!(names.insert(name.to_owned()), "\"{name}\" names two operations");
            assert!(operation["summary"].is_string(), "{method} {path}");
            if name == "showDocument" {
                continue;
            }
            for status in ["400", "401", "403", "404", "500", "503"] {
                let known = &operation["responses"][status];
                assert!(known["$ref"].is_string(), "{method} {path} may answer {status}: {known}");
            }
        }
    }
}

/// Operations whose bodies the document does not tell yet. The list only
/// becomes shorter: whoever adds an operation tells its bodies by
/// `.takes_form::<…>()` and `.gives::<…>()`.
const UNTOLD: [&str; 0] = [];

#[test]
fn every_operation_tells_the_form_of_its_bodies() {
    let document = openapi::document();
    let untold = |content: &Value| content.get("application/json").is_some_and(|body| body.get("schema").is_none());
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let mut bodies: Vec<&Value> = vec![&operation["requestBody"]["content"]];
            bodies.extend(operation["responses"].as_object().expect("responses").values().map(|told| &told["content"]));
            if bodies.into_iter().any(untold) {
                found.push(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    let known: Vec<&String> = found.iter().filter(|operation| UNTOLD.contains(&operation.as_str())).collect();
    assert_eq!(known.len(), found.len(), "tell the form of their bodies: {found:#?}");
    assert_eq!(known.len(), UNTOLD.len(), "take those out of the list whose bodies are told");
}

#[test]
fn nothing_that_is_referred_to_is_missing() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a reference into the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(values) => values.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    let document = openapi::document();
    check(&document, &document);
}

/// Whoever changes the surface changes the copy: `UPDATE_EXPECT=1 cargo test`
/// writes it.
#[test]
fn the_copy_that_people_read_is_true() {
    let mut text = serde_json::to_string_pretty(&openapi::document()).expect("JSON");
    text.push('\n');
    expect_file!["../../../../docs/reference/openapi.json"].assert_eq(&text);
}

#[tokio::test]
async fn the_document_takes_no_key() {
    let house = House::open().await;
    let answer = house.call_with(None, "GET /api/v1/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json(), openapi::document());
    assert_eq!(house.call_with(None, "GET /api/v1/notices").await.status, 401);
}
