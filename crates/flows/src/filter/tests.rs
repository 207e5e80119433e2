use serde_json::json;

use super::*;

fn value(json: Json) -> Value {
    Value::from_json(json)
}

#[test]
fn every_operator_has_its_meaning() {
    for (left, operator, right, expected) in [
        (json!("x"), "exist", json!(null), true),
        (json!(""), "exist", json!(null), true),
        (json!(null), "exist", json!(null), false),
        (json!(null), "notexist", json!(null), true),
        (json!("Abc"), "text:equal", json!("abc"), false),
        (json!("Abc"), "text:equal:ci", json!("abc"), true),
        (json!("10"), "text:less", json!("7"), true),
        (json!("abc"), "text:contain", json!("b"), true),
        (json!("abc"), "text:notcontain", json!("b"), false),
        (json!("abc"), "text:startwith", json!("ab"), true),
        (json!("abc"), "text:notstartwith", json!("ab"), false),
        (json!("abc"), "text:endwith", json!("bc"), true),
        (json!("abc"), "text:notendwith:ci", json!("BC"), false),
        (json!("order 17"), "text:pattern", json!("\\d+"), true),
        (json!("order"), "text:notpattern", json!("\\d+"), true),
        (json!("order"), "text:pattern", json!("("), false),
        (json!("order"), "text:notpattern", json!("("), false),
        (json!(200), "number:equal", json!("200"), true),
        (json!(401), "number:notequal", json!(200), true),
        (json!("10"), "number:greater", json!("7"), true),
        (json!(7), "number:lessorequal", json!(7.0), true),
        (json!("seven"), "number:notequal", json!(7), false),
        (json!("2026-01-02"), "date:greater", json!("2026-01-01T23:00:00Z"), true),
        (json!("2026-01-02"), "date:equal", json!("02 Jan"), false),
        (json!("9:30"), "time:less", json!("10:00:00"), true),
        (json!(true), "boolean:equal", json!("true"), true),
        (json!(null), "boolean:equal", json!("false"), false),
        (json!(["a", "b"]), "array:contain", json!("b"), true),
        (json!(["a", "b"]), "array:notcontain:ci", json!("B"), false),
        (json!(["a", "b"]), "array:equal", json!(2), true),
        (json!(["a", "b"]), "array:greaterorequal", json!("3"), false),
        (json!("abc"), "text:startswith", json!("ab"), false),
    ] {
        assert_eq!(
            holds(operator, &value(left.clone()), &value(right.clone()), &TimeZone::UTC),
            expected,
            "{left} {operator} {right}"
        );
    }
}

#[test]
fn an_operator_that_nobody_knows_is_reported() {
    let mut unknown = Vec::new();
    let document = json!({"name": "late", "conditions": [[{"a": "{{1.x}}", "o": "date:before", "b": "{{now}}"}]]});
    Filter::read(&document, &mut |operator| unknown.push(operator.to_owned())).expect("a filter");
    assert_eq!(unknown, ["date:before"]);
}
