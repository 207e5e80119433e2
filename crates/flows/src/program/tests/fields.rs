//! What the fields of a module come to: converted to their types, shaped by a
//! structure, escaped in JSON text.

use std::sync::Arc;

use base::chance::SeededChance;
use base::{Chance, Timestamp};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use crate::engine::{Facts, Machine, Stop};
use crate::mapping::Surroundings;
use crate::program::{Program, Structures};
use crate::semantics::Semantics;
use crate::structure::Structure;
use crate::value::Value;

struct Around(Value, SeededChance);

impl Surroundings for Around {
    fn bundle(&self, module: u32) -> Option<Value> {
        (module == 1).then(|| self.0.clone())
    }
    fn name(&self, _name: &str) -> Option<Value> {
        None
    }
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH
    }
    fn chance(&self) -> &dyn Chance {
        &self.1
    }
    fn zone(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone")
    }
}

fn bundle() -> Value {
    Value::from_json(json!({
        "text": "say \"hi\"\\\n\u{e4}", "number": 7, "big": 912_345_678_901_234_567_i64, "half": 0.5, "yes": true,
        "none": null, "list": [1, 2], "object": {"a": "\""}, "json": "{\"a\": 1}", "digits": "0123", "three": "3",
        "empty": "", "day": "2026-07-01 10:00", "inject": "\", \"admin\": true, \"x\": \"",
    }))
}

/// Evaluates the fields of the second module of a flow.
fn comes_to(node: Json, structures: &Structures, escapes: bool) -> String {
    let mut node = node;
    node["id"] = 2.into();
    let document = json!({"flow": [{"id": 1, "module": "loopwright:Manual"}, node],
                          "metadata": {"loopwright": {"escapeJson": escapes}}});
    let program = Program::compile_with(&document.to_string(), structures, &Semantics::default()).expect("a flow");
    let around = Around(bundle(), SeededChance::new(1));
    match program.steps[1].mapper.evaluate(&around) {
        Ok(value) => value.to_json().to_string(),
        Err((field, problem)) => format!("{field}: {problem}"),
    }
}

/// Maps a field of the type that `metadata.expect` says.
fn check(spec: Json, mapped: Json, expected: Expect) {
    let mut spec = spec;
    spec["name"] = "f".into();
    let mut mapper = json!({"other": "{{1.three}}"});
    if !mapped.is_null() {
        mapper["f"] = mapped;
    }
    let node = json!({"module": "util:SetVariables", "mapper": mapper, "metadata": {"expect": [spec]}});
    expected.assert_eq(&comes_to(node, &Structures::new(), true));
}

#[test]
fn a_field_is_converted_to_the_type_that_the_document_says() {
    check(json!({"type": "number"}), json!("{{1.three}}"), expect![[r#"{"other":"3","f":3}"#]]);
    check(
        json!({"type": "number"}),
        json!("{{1.text}}"),
        expect![[r#"
        f: "say "hi"\
        ä" is not a number"#]],
    );
    check(json!({"type": "integer"}), json!("{{1.half}}"), expect!["f: 0.5 is not a whole number"]);
    check(json!({"type": "uinteger"}), json!("-{{1.three}}"), expect!["f: -3 is negative"]);
    check(json!({"type": "boolean"}), json!("{{1.empty}}"), expect![[r#"{"other":"3","f":false}"#]]);
    check(json!({"type": "boolean"}), json!("false"), expect![[r#"{"other":"3","f":false}"#]]);
    check(json!({"type": "boolean"}), json!(0), expect![[r#"{"other":"3","f":true}"#]]);
    check(json!({"type": "date"}), json!("{{1.day}}"), expect![[r#"{"other":"3","f":"2026-07-01T08:00:00.000Z"}"#]]);
    check(json!({"type": "date"}), json!("soon"), expect![[r#"f: "soon" is not a date such as 2026-02-03T09:15:00Z"#]]);
    check(json!({"type": "time"}), json!("9:30"), expect![[r#"{"other":"3","f":"09:30:00"}"#]]);
    check(
        json!({"type": "text"}),
        json!("{{1.object}}"),
        expect!["f: a collection is not a text; map one of its items, or use json:TransformToJSON"],
    );
    check(json!({"type": "text"}), json!("{{1.list}}"), expect![[r#"{"other":"3","f":"1,2"}"#]]);
    check(json!({"type": "text"}), json!("{{1.big}}"), expect![[r#"{"other":"3","f":"912345678901234567"}"#]]);
    check(json!({"type": "collection"}), json!("{{1.three}}"), expect![[r#"f: "3" is not a collection"#]]);
    check(json!({"type": "array"}), json!("{{1.three}}"), expect![[r#"{"other":"3","f":["3"]}"#]]);
    check(
        json!({"type": "array", "spec": {"type": "number"}}),
        json!(["1", "{{1.text}}"]),
        expect![[r#"
        f[2]: "say "hi"\
        ä" is not a number"#]],
    );
    check(
        json!({"type": "array", "spec": [{"name": "n", "type": "number", "required": true}]}),
        json!([{"n": "1"}, {"n": ""}]),
        expect!["f[2].n: missing value of required parameter"],
    );
    check(json!({"type": "select", "multiple": true}), json!("a"), expect![[r#"{"other":"3","f":["a"]}"#]]);
    check(
        json!({"type": "text", "validate": {"enum": ["a", "b"]}}),
        json!("c"),
        expect![[r#"f: "c" is none of "a", "b""#]],
    );
    check(json!({"type": "somebody's own"}), json!("{{1.object}}"), expect![[r#"{"other":"3","f":{"a":"\""}}"#]]);
}

#[test]
fn what_is_required_must_be_there() {
    let required = || json!({"type": "text", "required": true});
    for nothing in
        [json!(null), json!(""), json!("{{1.nowhere}}"), json!("{{1.none}}"), json!("{{ignore}}"), json!("{{erase}}")]
    {
        check(required(), nothing, expect!["f: missing value of required parameter"]);
    }
    // What need not be there may be left out, or emptied.
    check(json!({"type": "number"}), json!(null), expect![[r#"{"other":"3"}"#]]);
    check(json!({"type": "number"}), json!(""), expect![[r#"{"other":"3","f":""}"#]]);
    check(json!({"type": "number"}), json!("{{ignore}}"), expect![[r#"{"other":"3"}"#]]);
    check(json!({"type": "number"}), json!("{{erase}}"), expect![[r#"{"other":"3","f":null}"#]]);
}

#[test]
fn without_a_specification_the_schema_of_the_module_counts() {
    let of =
        |mapper: Json| comes_to(json!({"module": "http:ActionSendData", "mapper": mapper}), &Structures::new(), true);
    assert_eq!(
        of(json!({"timeout": "{{1.three}}", "parseResponse": "false"})),
        r#"{"timeout":3,"parseResponse":false}"#
    );
    assert_eq!(of(json!({"timeout": "{{1.text}}"})), "timeout: \"say \"hi\"\\\nä\" is not a number");
    assert_eq!(of(json!({"headers": {"name": "A", "value": "1"}})), r#"{"headers":[{"name":"A","value":"1"}]}"#);
}

#[test]
fn a_flow_has_the_zone_that_it_names() {
    let problems = |zone: &str| -> Vec<String> {
        let document = json!({"flow": [{"id": 1, "module": "loopwright:Manual"}],
                              "metadata": {"loopwright": {"zone": zone}}});
        let program = Program::compile(&document.to_string()).expect("a flow");
        program.errors().map(ToString::to_string).collect()
    };
    assert_eq!(problems("Europe/Berlin"), Vec::<String>::new());
    assert_eq!(problems(""), Vec::<String>::new());
    assert_eq!(problems("Berlin"), ["metadata.loopwright.zone: \"Berlin\" is not a time zone such as Europe/Berlin"]);
}

fn order() -> Structure {
    Structure::read(&json!([
        {"name": "id", "type": "number", "required": true},
        {"name": "at", "type": "date"},
        {"name": "note", "type": "text"},
        {"name": "open", "type": "boolean", "default": true},
    ]))
    .expect("a structure")
}

#[test]
fn json_and_csv_take_the_shape_of_a_structure() {
    let structures = Structures::from([("order".to_owned(), order()), ("77".to_owned(), order())]);
    let mapper = json!({"note": "", "id": "{{1.three}}", "at": "{{1.day}}"});
    let shaped = r#"{"id":3,"at":"2026-07-01T08:00:00.000Z","open":true}"#;
    for kind in [json!("order"), json!(77), json!("77")] {
        let node = json!({"module": "json:CreateJSON", "parameters": {"type": kind}, "mapper": mapper});
        assert_eq!(comes_to(node, &structures, true), shaped);
    }
    let node = json!({"module": "json:AggregateToJSON", "parameters": {"type": "order", "feeder": 1}, "mapper": {}});
    assert_eq!(comes_to(node, &structures, true), "id: missing value of required parameter");
    // One that is not here is rebuilt from what the document says of the fields.
    let expect = json!([{"name": "id", "type": "number"}, {"name": "note", "type": "text"}]);
    for module in ["json:CreateJSON", "csv:SomethingElse"] {
        let node = json!({"module": module, "parameters": {"type": 5, "feeder": 1}, "mapper": mapper,
                          "metadata": {"expect": expect}});
        assert_eq!(comes_to(node, &structures, true), r#"{"id":3,"at":"2026-07-01 10:00"}"#, "{module}");
    }
}

#[test]
fn any_module_of_csv_with_a_source_is_an_aggregator() {
    let node = |module: &str| {
        json!({"id": 3, "module": module, "parameters": {"feeder": 2}, "mapper": {"b": "{{2.value}}", "a": 1},
        "metadata": {"expect": [{"name": "a", "type": "text"}, {"name": "b", "type": "text"}, {"name": "c", "type": "text"}]}})
    };
    let played = |module: &str| {
        let iterator = json!({"id": 2, "module": "builtin:BasicFeeder", "mapper": {"array": "{{1.rows}}"}});
        let flow = json!({"flow": [{"id": 1, "module": "loopwright:Manual"}, iterator, node(module)]});
        let program = Arc::new(Program::compile(&flow.to_string()).expect("a flow"));
        assert_eq!(program.errors().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
        let facts = Facts {
            run: "00000000-0000-7000-8000-000000000001".parse().expect("an id"),
            flow: "f".into(),
            name: "F".into(),
            variables: Value::Null,
            seed: 1,
        };
        let rows = Value::from_json(json!({"rows": ["x", {"n": 1}, [1, {"n": 1}], "say \"hi\""]}));
        let mut machine = Machine::new(program, facts, vec![rows], Timestamp::EPOCH);
        assert!(matches!(machine.walk(100), Stop::End(_)));
        let last = machine.take_operations().pop().expect("an operation");
        last.output[0]["text"].as_str().unwrap_or_default().to_owned()
    };
    for module in ["csv:CreateCSV", "csv:CreateCSVAdvanced", "csv:NobodyKnowsThis"] {
        let rows = [
            r#""a","b","c""#,
            r#""1","x","""#,
            r#""1","","""#,
            r#""1","1,[object Object]","""#,
            r#""1","say ""hi""","""#,
        ];
        assert_eq!(played(module), rows.join("\n"));
    }
}

#[test]
fn the_version_of_a_flow_is_named_by_its_text_and_its_structures() {
    let text = r#"flow: [{ id: 1, module: "loopwright:Manual" }, { id: 2, module: "json:CreateJSON", parameters: { type: order } }]"#;
    let without = Program::compile(text).expect("a flow");
    assert_eq!(
        without.notices.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["module 2, parameters.type: there is no structure \"order\": its fields are written as they come"]
    );
    let with = |structure: Structure| {
        Program::compile_with(
            text,
            &Structures::from([("order".into(), structure), ("other".into(), order())]),
            &Semantics::default(),
        )
        .expect("a flow")
    };
    let strict = with(Structure { strict: true, ..order() });
    assert_eq!(with(order()).hash, with(order()).hash);
    assert!(with(order()).hash != without.hash && with(order()).hash != strict.hash);
    assert_eq!(strict.structures.keys().collect::<Vec<_>>(), ["order"]);
}

#[test]
fn mapped_values_are_escaped_in_every_field_of_json_text() {
    let nodes = |text: &str| {
        [
            (
                "data",
                json!({"module": "http:ActionSendData", "mapper": {"bodyType": "raw", "contentType": "application/json", "data": text}}),
            ),
            (
                "data",
                json!({"module": "http:ActionSendDataOAuth", "mapper": {"bodyType": "raw", "contentType": "custom", "data": text,
                "headers": [{"name": "content-type", "value": "application/vnd.api+json"}]}}),
            ),
            (
                "jsonStringBodyContent",
                json!({"module": "http:MakeRequest", "mapper": {"contentType": "json", "jsonStringBodyContent": text}}),
            ),
            ("json", json!({"module": "json:ParseJSON", "mapper": {"json": text}})),
        ]
    };
    for (text, expected) in [
        (r#"{"a": "{{1.text}}"}"#, json!({"a": "say \"hi\"\\\n\u{e4}"})),
        (r#"{"a": "{{1.inject}}"}"#, json!({"a": "\", \"admin\": true, \"x\": \""})),
        (r#"{"a": {{1.text}}}"#, json!({"a": "say \"hi\"\\\n\u{e4}"})),
        (r#"{"a": {{1.inject}}}"#, json!({"a": "\", \"admin\": true, \"x\": \""})),
        (r#"{"a": {{1.number}}, "b": "{{1.number}}"}"#, json!({"a": 7, "b": "7"})),
        (r#"{"a": {{1.big}}}"#, json!({"a": 912_345_678_901_234_567_i64})),
        (r#"{"a": {{1.half}}, "b": {{1.yes}}}"#, json!({"a": 0.5, "b": true})),
        (r#"{"a": {{1.nowhere}}, "b": {{1.none}}, "c": "{{1.nowhere}}"}"#, json!({"a": null, "b": null, "c": ""})),
        (r#"{"a": {{1.object}}, "b": {{1.list}}}"#, json!({"a": {"a": "\""}, "b": [1, 2]})),
        (r#"{"a": {{1.json}}}"#, json!({"a": {"a": 1}})),
        (r#"{"a": {{1.digits}}, "b": {{1.empty}}}"#, json!({"a": "0123", "b": ""})),
        (
            r#"{"a": {{now}}, "b": "{{now}}"}"#,
            json!({"a": "1970-01-01T00:00:00.000Z", "b": "1970-01-01T00:00:00.000Z"}),
        ),
        (
            r#"{"{{1.text}}": 1, "b\"{{1.text}}": [{{1.text}}, "x"]}"#,
            json!({"say \"hi\"\\\n\u{e4}": 1, "b\"say \"hi\"\\\n\u{e4}": ["say \"hi\"\\\n\u{e4}", "x"]}),
        ),
    ] {
        for (field, node) in nodes(text) {
            let told = comes_to(node.clone(), &Structures::new(), true);
            let fields: Json = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
            let body = fields[field].as_str().unwrap_or_default();
            assert_eq!(
                serde_json::from_str::<Json>(body).ok(),
                Some(expected.clone()),
                "{text} in {}: {body}",
                node["module"]
            );
        }
    }
    // A blueprint keeps the manners of its origin, and what is no JSON is left alone.
    let raw = |kind: &str, escapes: bool| {
        let mapper = json!({"bodyType": "raw", "contentType": kind, "data": "{\"a\": \"{{1.inject}}\"}"});
        comes_to(json!({"module": "http:ActionSendData", "mapper": mapper}), &Structures::new(), escapes)
    };
    assert!(raw("application/json", false).contains(r#"\"admin\": true"#));
    assert!(!raw("text/plain", true).contains(r#"\\\"admin"#));
}
