use expect_test::{Expect, expect};

use super::*;

fn form() -> Form {
    let document = json!([
        {"name": "order_id", "type": "text", "required": true, "label": "Order", "validate": {"pattern": "^[0-9]+$"}},
        {"name": "amount", "type": "number", "validate": {"min": 0, "max": 1000}},
        {"name": "copies", "type": "uinteger", "required": true, "default": 1},
        {"name": "urgent", "type": "boolean", "default": false},
        {"name": "due", "type": "date", "help": "When it must be there."},
        {"name": "action", "type": "select", "options": [{"value": "expedite", "label": "Expedite"}, {"value": "wait"}]},
        {"name": "buyer", "type": "collection", "spec": [{"name": "mail", "type": "email", "required": true}]},
        {"name": "lines", "type": "array", "spec": [{"name": "net", "type": "number"}], "validate": {"maxItems": 2}},
        {"name": "tags", "type": "array", "spec": {"type": "text"}},
    ]);
    Form::read(&document).expect("an example is a list of fields")
}

fn check(input: Json, expected: Expect) {
    let shown = match form().fill(&Value::from_json(input), &TimeZone::UTC) {
        Ok(value) => value.to_json().to_string(),
        Err(misfits) => misfits.iter().map(Misfit::to_string).collect::<Vec<_>>().join("\n"),
    };
    expected.assert_eq(&shown);
}

#[test]
fn what_is_filled_in_is_converted_and_the_rest_has_its_default() {
    check(json!({"order_id": 17}), expect![[r#"{"order_id":"17","copies":1,"urgent":false}"#]]);
    check(
        json!({
            "order_id": "17", "amount": "12.50", "copies": "3", "urgent": "true", "due": "2026-02-03", "action": "wait",
            "buyer": {"mail": "a@x.example", "floor": 2}, "lines": [{"net": "1"}], "tags": ["a", 2], "more": [1],
        }),
        expect![[
            r#"{"order_id":"17","amount":12.5,"copies":3,"urgent":true,"due":"2026-02-03T00:00:00.000Z","action":"wait","buyer":{"mail":"a@x.example","floor":2},"lines":[{"net":1}],"tags":["a","2"],"more":[1]}"#
        ]],
    );
    // A form sends an empty text for what was left empty.
    check(
        json!({"order_id": "17", "amount": "", "due": null, "copies": ""}),
        expect![[r#"{"order_id":"17","copies":1,"urgent":false}"#]],
    );
}

#[test]
fn dates_are_dates_again_after_they_were_written_down() {
    let document = json!([
        {"name": "due", "type": "date"},
        {"name": "note", "type": "text"},
        {"name": "lines", "type": "array", "spec": [{"name": "at", "type": "date"}, {"name": "net", "type": "number"}]},
        {"name": "days", "type": "array", "spec": {"type": "date"}},
        {"name": "buyer", "type": "collection", "spec": [{"name": "since", "type": "timestamp"}]},
    ]);
    let form = Form::read(&document).expect("a form");
    let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
    let input = json!({
        "due": "2026-02-03", "note": "2026-02-03", "lines": [{"at": "2026-07-01 10:00", "net": 5}],
        "days": ["2026-02-03T00:00:00Z"], "buyer": {"since": "3.2.2026"}, "more": "2026-02-03",
    });
    let filled = form.fill(&Value::from_json(input), &berlin).expect("it fits");
    let restored = form.restore(Value::from_json(filled.to_json()), &berlin);
    assert_eq!(restored, filled);
    assert_eq!(restored.field("due"), Value::Date("2026-02-02T23:00:00Z".parse().expect("a time")));
    assert_eq!(restored.field("note"), Value::text("2026-02-03"));
    assert_eq!(restored.field("more"), Value::text("2026-02-03"));
    // What an earlier version of the flow let in stays what it is.
    let other = Value::from_json(json!({"due": "soon", "lines": 5, "days": null}));
    assert_eq!(form.restore(other.clone(), &berlin), other);
}

#[test]
fn all_that_does_not_fit_is_named() {
    check(json!({}), expect![[r#""order_id" is missing: it must be a text"#]]);
    check(
        json!({
            "order_id": "a", "amount": "much", "copies": -1, "due": "soon", "action": "pray", "buyer": {},
            "lines": [{"net": 1}, {"net": "x"}],
        }),
        expect![[r#"
            "order_id" must match ^[0-9]+$
            "amount" does not fit: "much" is not a number
            "copies" does not fit: -1 is negative
            "due" does not fit: "soon" is not a date such as 2026-02-03T09:15:00Z
            "action" is "pray", not one of expedite, wait
            "buyer.mail" is missing: it must be a text
            "lines[2].net" does not fit: "x" is not a number"#]],
    );
    check(
        json!({"order_id": "1", "amount": 1000.5, "lines": [{}, {}, {}]}),
        expect![[r#"
            "amount" must be at most 1000
            "lines" has 3 items, and at most 2 are taken"#]],
    );
}

#[test]
fn the_form_is_a_json_schema() {
    let schema = form().schema("Late");
    expect![[r#"
        {
          "type": "object",
          "properties": {
            "order_id": {
              "type": "string",
              "title": "Order",
              "pattern": "^[0-9]+$"
            },
            "amount": {
              "type": "number",
              "minimum": 0,
              "maximum": 1000
            },
            "copies": {
              "type": "integer",
              "minimum": 0,
              "default": 1
            },
            "urgent": {
              "type": "boolean",
              "default": false
            },
            "due": {
              "type": "string",
              "format": "date-time",
              "description": "When it must be there."
            },
            "action": {
              "oneOf": [
                {
                  "const": "expedite",
                  "title": "Expedite"
                },
                {
                  "const": "wait"
                }
              ]
            },
            "buyer": {
              "type": "object",
              "properties": {
                "mail": {
                  "type": "string",
                  "format": "email"
                }
              },
              "required": [
                "mail"
              ]
            },
            "lines": {
              "type": "array",
              "items": {
                "type": "object",
                "properties": {
                  "net": {
                    "type": "number"
                  }
                }
              },
              "maxItems": 2
            },
            "tags": {
              "type": "array",
              "items": {
                "type": "string"
              }
            }
          },
          "required": [
            "order_id"
          ],
          "$schema": "https://json-schema.org/draft/2020-12/schema",
          "title": "Late"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&schema).expect("JSON"));
}

#[test]
fn the_example_of_the_reference_is_a_form() {
    let page = include_str!("../../../../docs/reference/runs.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let blueprint = crate::blueprint::Blueprint::read(&format!("{example}flow: []\n")).expect("a document");
    let form = Form::read(blueprint.inputs()).expect("a form");
    let filled = form.fill(&Value::from_json(json!({"order": 17, "action": "wait"})), &TimeZone::UTC).expect("it fits");
    assert_eq!(filled.to_json(), json!({"order": "17", "days": 5, "action": "wait"}));
    // Older documents say it so.
    let old = r#"{"flow": [], "io": {"input_spec": [{"name": "a", "type": "number"}], "output_spec": []}}"#;
    let blueprint = crate::blueprint::Blueprint::read(old).expect("a document");
    assert!(!Form::read(blueprint.inputs()).expect("a form").is_empty());
}

#[test]
fn what_is_no_form_is_refused() {
    for (document, expected) in [
        (json!({"a": 1}), "the inputs of a flow must be a list of fields"),
        (json!([{"type": "text"}]), r#"an input has no "name": {"type":"text"}"#),
        (json!([{"name": "a", "validate": {"pattern": "("}}]), "the input \"a\": its pattern: "),
    ] {
        let refused = Form::read(&document).expect_err("it is no form");
        assert!(refused.starts_with(expected), "{refused}");
    }
    assert!(Form::read(&Json::Null).expect("no inputs").is_empty());
}
