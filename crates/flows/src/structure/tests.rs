use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn order() -> Structure {
    Structure::read(&json!({"strict": true, "spec": [
        {"name": "id", "type": "integer", "required": true},
        {"name": "paid", "type": "boolean", "default": false},
        {"name": "due", "type": "date"},
        {"name": "note", "type": "text", "validate": {"max": 5}},
        {"name": "tags", "type": "array", "spec": {"type": "text"}},
        {"name": "lines", "type": "array", "spec": [
            {"name": "sku", "type": "text", "required": true, "validate": {"pattern": "^[A-Z]-\\d+$"}},
            {"name": "count", "type": "number"}]},
        {"name": "to", "type": "collection", "spec": [{"name": "city", "type": "text"}]},
    ]}))
    .expect("a structure")
}

fn told(found: &[Mismatch]) -> String {
    found.iter().map(|mismatch| format!("{mismatch}\n")).collect()
}

fn check(value: Json, expected: Expect) {
    let shown = match order().check(&Value::from_json(value)) {
        Ok(()) => "right\n".into(),
        Err(found) => told(&found),
    };
    expected.assert_eq(&shown);
}

#[test]
fn all_that_is_wrong_is_told_with_its_place() {
    check(
        json!({"id": 7, "paid": true, "lines": [{"sku": "A-1", "count": 2.5}], "to": {"city": "Bonn"}}),
        expect![[r"
        right
    "]],
    );
    // A form has nothing but texts.
    check(
        json!({"id": "7", "paid": "true", "due": "2026-01-31"}),
        expect![[r"
        right
    "]],
    );
    check(
        json!({"id": "seven", "paid": 1, "due": "soon", "note": "too long", "tags": "a", "to": [],
               "lines": [{"sku": "A-1"}, {"sku": "b", "count": "x"}, {}, 5], "extra": 1}),
        expect![[r#"
            id: "seven" is not a number
            paid: 1 is not true or false
            due: "soon" is not a date such as 2026-02-03T09:15:00Z
            note: 8 letters is more than 5
            lines[2].sku: "b" does not have the form ^[A-Z]-\d+$
            lines[2].count: "x" is not a number
            lines[3].sku: missing value of required parameter
            lines[4]: the number 5 is not a collection
            to: an array of 0 is not a collection
            extra: the structure has no such item
        "#]],
    );
    check(
        json!({}),
        expect![[r"
        id: missing value of required parameter
    "]],
    );
    check(
        json!(5),
        expect![[r"
        value: 5 is not a collection
    "]],
    );
}

#[test]
fn what_arrived_is_converted_to_its_types() {
    let fitted = |data: Json| match order().fit(&Value::from_json(data)) {
        Ok(value) => value.to_json().to_string(),
        Err(mismatch) => mismatch.to_string(),
    };
    assert_eq!(
        fitted(json!({"due": "2026-03-01", "id": "7", "tags": "a", "lines": [{"count": "3", "sku": "A-1"}]})),
        r#"{"due":"2026-03-01T00:00:00.000Z","id":7,"tags":["a"],"lines":[{"count":3,"sku":"A-1"}],"paid":false}"#
    );
    assert_eq!(fitted(json!({"due": "soon", "lines": 1})), "id: missing value of required parameter");
    let stored = serde_json::to_string(&order()).expect("JSON");
    assert_eq!(serde_json::from_str::<Structure>(&stored).expect("a structure"), order());
}

fn check_shape(value: Json, expected: Expect) {
    let shown = match order().shape(&Value::from_json(value), &TimeZone::UTC) {
        Ok(value) => value.to_json().to_string(),
        Err(found) => told(&found),
    };
    expected.assert_eq(&shown);
}

#[test]
fn mapped_values_take_the_shape_of_the_structure() {
    check_shape(
        json!({"note": "", "due": "2026-01-31 10:00", "tags": "one", "id": "912345678901234567", "paid": "",
               "lines": {"count": "2.50", "sku": "A-1"}}),
        expect![[
            r#"{"id":912345678901234567,"paid":false,"due":"2026-01-31T10:00:00.000Z","tags":["one"],"lines":[{"sku":"A-1","count":2.5}]}"#
        ]],
    );
    check_shape(json!({"id": 1, "note": null, "paid": "no"}), expect![[r#"{"id":1,"paid":true,"note":null}"#]]);
    check_shape(
        json!({"id": "x", "more": 1}),
        expect![[r#"
        id: "x" is not a number
        more: the structure has no such item
    "#]],
    );
}

#[test]
fn a_structure_is_written_as_it_is_read() {
    let document = order().to_json();
    assert_eq!(Structure::read(&document), Ok(order()), "{document}");
}

#[test]
fn what_is_no_structure_is_told() {
    for (document, expected) in [
        (json!("x"), "a structure is a list of fields"),
        (json!({}), "\"spec\" must be a list of fields"),
        (json!([{"type": "text"}]), "spec[1] has no \"name\""),
        (json!([{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]), "the field \"a\" stands twice"),
        (
            json!([{"name": "a", "type": "collection", "spec": [{"name": "b", "type": "txt"}]}]),
            "\"b\" has the type \"txt\": text, number, integer, boolean, date, time, buffer, collection and array are \
             types",
        ),
    ] {
        assert_eq!(Structure::read(&document).expect_err(expected), expected);
    }
}

fn check_learn(sample: &str, expected: Expect) {
    let shown = match Structure::learn_text(sample) {
        Ok(structure) => structure.to_json()["spec"].to_string(),
        Err(problem) => problem,
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_structure_is_learnt_from_a_sample() {
    check_learn(
        r#"{"id": 1, "open": true, "none": null, "to": {"city": "Bonn"}, "lines": [{"sku": "A"}, {"sku": null, "n": 1}], "mixed": [1, "a"]}"#,
        expect![[
            r#"[{"name":"id","type":"number"},{"name":"open","type":"boolean"},{"name":"none","type":"any"},{"name":"to","type":"collection","spec":[{"name":"city","type":"text"}]},{"name":"lines","type":"array","spec":{"type":"collection","spec":[{"name":"sku","type":"text"},{"name":"n","type":"number"}]}},{"name":"mixed","type":"array","spec":{"type":"text"}}]"#
        ]],
    );
    check_learn(r#"[{"a": 1}, {"b": "x"}]"#, expect![[r#"[{"name":"a","type":"number"},{"name":"b","type":"text"}]"#]]);
    check_learn(
        "Order;Due date\n1;2026-01-01",
        expect![[r#"[{"name":"Order","type":"text"},{"name":"Due date","type":"text"}]"#]],
    );
    check_learn(
        "<order id='1'><line>a</line></order>",
        expect![[
            r#"[{"name":"order","type":"array","spec":{"type":"collection","spec":[{"name":"line","type":"array","spec":{"type":"collection","spec":[{"name":"_value","type":"text"}]}},{"name":"_attributes","type":"collection","spec":[{"name":"id","type":"text"}]}]}}]"#
        ]],
    );
    check_learn("", expect!["the sample is empty"]);
    check_learn("{", expect!["the sample is not JSON: EOF while parsing an object at line 1 column 1"]);
    check_learn("a,a", expect![[r#"the column "a" stands twice"#]]);
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i32>().prop_map(Json::from),
        "[ -~]{0,6}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec(("[a-d]", inner), 0..4).prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What a structure is learnt from is right by it, and its form is kept.
    #[test]
    fn a_sample_fits_the_structure_that_is_learnt_from_it(
        fields in prop::collection::vec(("[a-d]", any_json()), 0..4)
    ) {
        let sample = Value::from_json(Json::Object(fields.into_iter().collect()));
        let learnt = Structure { strict: true, ..Structure::learn(&sample) };
        prop_assert_eq!(learnt.check(&sample), Ok(()), "{}", learnt.to_json());
        prop_assert_eq!(Structure::read(&learnt.to_json()), Ok(learnt));
    }

    /// What was shaped is right, and shaping it again changes nothing.
    #[test]
    fn what_was_shaped_is_right(sample in any_json()) {
        if let Ok(shaped) = order().shape(&Value::from_json(sample), &TimeZone::UTC) {
            prop_assert_eq!(order().check(&shaped), Ok(()));
            prop_assert_eq!(order().shape(&shaped, &TimeZone::UTC), Ok(shaped));
        }
    }
}
