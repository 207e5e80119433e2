//! Why filters passed or not, as the history tells it.

use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::{START, compiled, facts, lead, lead_machine};
use crate::engine::Machine;
use crate::value::Value;

fn check(flow: &str, bundle: Json, expected: Expect) {
    let (operations, _) = lead(flow, &[bundle]);
    let told: Vec<String> = operations
        .iter()
        .filter_map(|each| Some(format!("{} {}", each.module, serde_json::to_string(each.filter.as_ref()?).ok()?)))
        .collect();
    expected.assert_eq(&told.join("\n"));
}

/// Leads a flow and writes its choices.
fn check_choices(flow: &str, bundle: Json, expected: Expect) {
    let mut machine = Machine::new(compiled(flow), facts(1), vec![Value::from_json(bundle)], START);
    lead_machine(&mut machine);
    let lines: Vec<String> =
        machine.take_choices().iter().filter_map(|choice| serde_json::to_string(choice).ok()).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn each_route_says_why_it_was_taken_or_not() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "builtin:BasicRouter"
    parameters: { else: 0 }
    routes:
      - flow:
          - { id: 3, module: "util:SetVariable2", mapper: { name: a, value: b } }
      - flow:
          - id: 4
            module: "builtin:BasicRouter"
            filter: { name: Large, conditions: [[{ a: "{{1.net}}", o: "number:greater", b: "1000" }]] }
            routes:
              - flow:
                  - { id: 5, module: "util:SetVariable2", mapper: { name: a, value: b } }
      - flow:
          - { id: 6, module: "util:SetVariable2", filter: { conditions: [[{ a: "{{1.vendor}}", o: exist }]] }, mapper: { name: a, value: b } }
"#;
    check_choices(
        flow,
        json!({"net": 2000}),
        expect![[r#"
        {"after":1,"module":2,"path":"1.1","way":2,"leadsTo":4,"taken":true,"filter":{"name":"Large","passes":true,"any":[[{"left":2000,"operator":"number:greater","right":"1000","holds":true}]]}}
        {"after":1,"module":4,"path":"1.1","way":1,"leadsTo":5,"taken":true,"reason":"it has no conditions"}
        {"after":2,"module":2,"path":"1.1","way":3,"leadsTo":6,"taken":false,"filter":{"passes":false,"any":[[{"operator":"exist","holds":false}]]}}
        {"after":3,"module":2,"path":"1.1","way":1,"leadsTo":3,"taken":false,"reason":"another route was taken"}"#]],
    );
    check_choices(
        flow,
        json!({"net": 20}),
        expect![[r#"
            {"after":1,"module":2,"path":"1.1","way":2,"leadsTo":4,"taken":false,"filter":{"name":"Large","passes":false,"any":[[{"left":20,"operator":"number:greater","right":"1000","holds":false}]]}}
            {"after":2,"module":2,"path":"1.1","way":3,"leadsTo":6,"taken":false,"filter":{"passes":false,"any":[[{"operator":"exist","holds":false}]]}}
            {"after":3,"module":2,"path":"1.1","way":1,"leadsTo":3,"taken":true,"reason":"no other route was taken"}"#]],
    );
}

#[test]
fn each_branch_that_was_looked_at_says_why() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "builtin:BasicIfElse"
    branches:
      - { type: else, flow: [{ id: 5, module: "util:SetVariable2", mapper: { name: a, value: b } }] }
      - type: condition
        label: red
        conditions: [[{ a: "{{1.colour}}", o: "text:equal", b: red }]]
        flow: [{ id: 3, module: "util:SetVariable2", mapper: { name: a, value: b } }]
      - type: condition
        label: blue
        conditions: [[{ a: "{{1.colour}}", o: "text:equal", b: blue }]]
        flow: []
"#;
    check_choices(
        flow,
        json!({"colour": "blue"}),
        expect![[r#"
        {"after":1,"module":2,"path":"1.1","way":2,"leadsTo":3,"taken":false,"filter":{"name":"red","passes":false,"any":[[{"left":"blue","operator":"text:equal","right":"red","holds":false}]]}}
        {"after":1,"module":2,"path":"1.1","way":3,"taken":true,"filter":{"name":"blue","passes":true,"any":[[{"left":"blue","operator":"text:equal","right":"blue","holds":true}]]}}"#]],
    );
    check_choices(
        flow,
        json!({"colour": "green"}),
        expect![[r#"
        {"after":1,"module":2,"path":"1.1","way":2,"leadsTo":3,"taken":false,"filter":{"name":"red","passes":false,"any":[[{"left":"green","operator":"text:equal","right":"red","holds":false}]]}}
        {"after":1,"module":2,"path":"1.1","way":3,"taken":false,"filter":{"name":"blue","passes":false,"any":[[{"left":"green","operator":"text:equal","right":"blue","holds":false}]]}}
        {"after":1,"module":2,"path":"1.1","way":1,"leadsTo":5,"taken":true,"reason":"no other branch was taken"}"#]],
    );
}

#[test]
fn an_aggregator_says_what_it_took_and_a_repetition_why_it_went_on() {
    check_choices(
        r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "builtin:BasicFeeder", mapper: { array: "{{1.items}}" } }
  - id: 3
    module: "builtin:BasicAggregator"
    parameters: { feeder: 2 }
    filter: { conditions: [[{ a: "{{2.value}}", o: "number:greater", b: 1 }]] }
    mapper: { value: "{{2.value}}" }
"#,
        json!({"items": [1, 2]}),
        expect![[r#"
            {"after":2,"module":3,"path":"1.1/2.1","taken":false,"filter":{"passes":false,"any":[[{"left":1,"operator":"number:greater","right":"1","holds":false}]]}}
            {"after":3,"module":3,"path":"1.1/2.2","taken":true,"filter":{"passes":true,"any":[[{"left":2,"operator":"number:greater","right":"1","holds":true}]]}}"#]],
    );
    check_choices(
        r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "loopwright:RepeatUntil"
    filter: { conditions: [[{ a: "{{1.go}}", o: exist }]] }
    until: { conditions: [[{ a: "{{3.i}}", o: "number:equal", b: 2 }]] }
    mapper: { repeats: 5 }
    flow: [{ id: 3, module: "util:FunctionIncrement", parameters: { reset: execution } }]
"#,
        json!({"go": true}),
        expect![[r#"
            {"after":1,"module":2,"path":"1.1","taken":true,"filter":{"passes":true,"any":[[{"left":true,"operator":"exist","holds":true}]]}}
            {"after":2,"module":2,"path":"1.1/2.1","taken":false,"filter":{"passes":false,"any":[[{"left":1,"operator":"number:equal","right":"2","holds":false}]]}}
            {"after":3,"module":2,"path":"1.1/2.2","taken":true,"filter":{"passes":true,"any":[[{"left":2,"operator":"number:equal","right":"2","holds":true}]]}}"#]],
    );
}

#[test]
fn a_directive_says_why_it_was_followed_or_not() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "loopwright:Fail"
    mapper: { message: "{{1.why}}" }
    onerror:
      - id: 3
        module: "builtin:Resume"
        filter: { name: Known, conditions: [[{ a: "{{2.error.message}}", o: "text:contain", b: known }]] }
        mapper: { }
"#;
    check_choices(
        flow,
        json!({"why": "well known"}),
        expect![[
            r#"{"after":2,"module":3,"path":"1.1","taken":true,"filter":{"name":"Known","passes":true,"any":[[{"left":"well known","operator":"text:contain","right":"known","holds":true}]]}}"#
        ]],
    );
    check_choices(
        flow,
        json!({"why": "new"}),
        expect![[
            r#"{"after":2,"module":3,"path":"1.1","taken":false,"filter":{"name":"Known","passes":false,"any":[[{"left":"new","operator":"text:contain","right":"known","holds":false}]]}}"#
        ]],
    );
}

#[test]
fn every_condition_that_was_asked_is_told_with_its_values() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "builtin:BasicRouter"
    routes:
      - flow:
          - id: 3
            module: "http:ActionSendData"
            filter:
              name: Large
              conditions:
                - [{ a: "{{1.net}}", o: "number:greater", b: "1000" }, { a: "{{1.vendor}}", o: exist }]
                - [{ a: "{{1.text}}", o: "text:contain", b: "urgent" }]
            mapper: { url: "https://x/200/1" }
      - flow:
          - { id: 4, module: "util:SetVariable2", filter: { conditions: [[{ a: "{{1.none}}", o: exist }]] }, mapper: { name: a, value: b } }
"#;
    check(
        flow,
        json!({"net": 50, "text": "urgent!"}),
        expect![[r#"
            3 {"name":"Large","passes":true,"any":[[{"left":50,"operator":"number:greater","right":"1000","holds":false}],[{"left":"urgent!","operator":"text:contain","right":"urgent","holds":true}]]}
            4 {"passes":false,"any":[[{"operator":"exist","holds":false}]]}"#]],
    );
    // A condition behind the one that decided is not asked; a long value is cut.
    check(
        flow,
        json!({"net": 2000, "vendor": "V".repeat(300), "none": [1]}),
        expect![[r#"
            3 {"name":"Large","passes":true,"any":[[{"left":2000,"operator":"number:greater","right":"1000","holds":true},{"left":"VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV…","operator":"exist","holds":true}]]}
            4 {"passes":true,"any":[[{"left":[1],"operator":"exist","holds":true}]]}"#]],
    );
}

#[test]
fn the_branch_that_was_taken_says_why() {
    check(
        r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "builtin:BasicIfElse"
    branches:
      - type: condition
        label: red
        conditions: [[{ a: "{{1.colour}}", o: "text:equal", b: red }]]
        flow: [{ id: 3, module: "util:SetVariable2", mapper: { name: a, value: b } }]
      - type: condition
        label: blue
        conditions: [[{ a: "{{1.colour}}", o: "text:equal", b: blue }]]
        flow: [{ id: 4, module: "util:SetVariable2", mapper: { name: a, value: b } }]
"#,
        json!({"colour": "blue"}),
        expect![[
            r#"4 {"name":"blue","passes":true,"any":[[{"left":"blue","operator":"text:equal","right":"blue","holds":true}]]}"#
        ]],
    );
}

#[test]
fn a_confidential_flow_tells_no_values() {
    let flow = r#"
metadata: { scenario: { confidential: true } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "util:SetVariable2", filter: { conditions: [[{ a: "{{1.iban}}", o: "text:equal", b: none }]] }, mapper: { name: a, value: b } }
"#;
    check(flow, json!({"iban": "DE-4711"}), expect![""]);
    let (operations, _) = lead(flow, &[json!({"iban": "DE-4711"})]);
    assert!(operations.iter().all(|each| each.detail.is_none()), "{operations:?}");
    check_choices(
        r#"
metadata: { scenario: { confidential: true } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: "builtin:BasicRouter"
    routes:
      - flow:
          - { id: 3, module: "util:SetVariable2", filter: { conditions: [[{ a: "{{1.iban}}", o: exist }]] }, mapper: { name: a, value: b } }
"#,
        json!({"iban": "DE-4711"}),
        expect![[r#"{"after":1,"module":2,"path":"1.1","way":1,"leadsTo":3,"taken":true}"#]],
    );
}
