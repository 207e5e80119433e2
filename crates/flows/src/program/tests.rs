mod fields;

use expect_test::{Expect, expect};

use super::*;

fn check(text: &str, expected: Expect) {
    let told = match Program::compile(text) {
        Ok(program) => {
            let lines: Vec<String> =
                program.notices.iter().map(|notice| format!("{:?}: {notice}\n", notice.severity)).collect();
            lines.concat()
        }
        Err(problem) => format!("unreadable: {problem}\n"),
    };
    expected.assert_eq(&told);
}

#[test]
fn a_bare_name_is_answered_with_the_place_that_is_meant() {
    check(
        r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 4, module: "http:ActionSendData", mapper: { url: "https://x/run-now", parseResponse: true } }
  - { id: 7, module: "http:ActionSendData", mapper: { url: "https://x/runs/get?run_id={{run_id}}" } }
"#,
        expect![[r#"
            Warning: module 7, mapper.url: "run_id" stands for nothing: write {{4.data.run_id}}
        "#]],
    );
}

#[test]
fn what_would_not_run_is_an_error_and_what_may_is_a_warning() {
    check(
        r#"{"name": "x", "flow": [
            {"id": 1, "module": "sheets:AddRow", "version": 4, "parameters": [], "mapper": {"text": "{{2.a}} {{JSON.stringify(1)}}"}},
            {"id": 1, "module": "builtin:Ignore", "version": 1, "mapper": null},
            {"id": 3, "module": "builtin:BasicAggregator", "version": 1, "parameters": {"feeder": 9}, "mapper": {}},
            {"id": 4, "module": "util:FunctionSleep", "version": 2, "mapper": {"duration": "{{1.a +}}"},
             "filter": {"name": "n", "conditions": [[{"a": "{{1.x}}", "o": "date:before", "b": "x"}]]}}
        ], "metadata": {"version": 1}}"#,
        expect![[r#"
            Warning: module 1: module "sheets:AddRow" does not exist here: a run fails when it comes to it
            Warning: module 1, mapper.text: "(" does not belong here (at position 25)
            Error: module 1: the id 1 stands twice
            Error: module 1: "builtin:Ignore" can only stand in an error route
            Warning: module 4, version: version 2 is not known, it runs as version 1
            Warning: module 4, mapper.duration: a value is missing before "}}" (at position 8)
            Warning: module 4, filter: operator "date:before" does not exist: the condition never holds
            Error: module 3, parameters.feeder: the source module must come before the aggregator
        "#]],
    );
}

#[test]
fn what_is_not_acted_on_is_said() {
    let scenario = |settings: &str| {
        format!(r#"{{"flow": [{{"id": 1, "module": "loopwright:Manual"}}], "metadata": {{"scenario": {settings}}}}}"#)
    };
    check(&scenario(r#"{"slots": null, "freshVariables": false, "sequential": true}"#), expect![[""]]);
    check(
        &scenario(r#"{"slots": 3, "freshVariables": true}"#),
        expect![[r#"
        Warning: metadata.scenario.slots: how many runs there may be at the same time cannot be set: it is as many as the engine takes; write "sequential": true for one after the other
        Warning: metadata.scenario.freshVariables: a run keeps the flow's variables as they were when it began; what changes meanwhile is for the next one
    "#]],
    );
}

#[test]
fn a_text_that_is_no_flow_says_where() {
    check(
        "flow: [",
        expect![[r"
        unreadable: error: line 1 column 7: unclosed bracket '['
         --> <input>:1:7
          |
        1 | flow: [
          |       ^ unclosed bracket '['
    "]],
    );
    check(
        r#"{"flow": 7}"#,
        expect![[r"
        unreadable: invalid type: integer `7`, expected a sequence
    "]],
    );
}

#[test]
fn containers_of_the_original_api_are_opened() {
    let inside = r#"{"name": "n", "flow": [{"id": 1, "module": "loopwright:Manual"}]}"#;
    for text in [
        inside.to_owned(),
        format!(r#"{{"code": "OK", "response": {{"blueprint": {inside}}}}}"#),
        format!(r#"{{"blueprint": {}, "scheduling": "{{}}"}}"#, serde_json::Value::from(inside)),
        format!("\u{feff}{inside}"),
    ] {
        assert_eq!(Program::compile(&text).expect("a blueprint").name, "n", "{text}");
    }
}

#[test]
fn the_example_flow_has_nothing_noteworthy() {
    check(include_str!("../../../../examples/purchase-to-pay/flows/score-late-order.yaml"), expect![[""]]);
}

#[test]
fn a_merge_belongs_to_the_if_else_before_it() {
    let problems = |flow: &str| -> Vec<String> {
        Program::compile(flow).expect("it can be read").errors().map(ToString::to_string).collect()
    };
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "builtin:BasicMerge" }
  - { id: 3, module: "builtin:BasicIfElse", branches: [{ type: else, merge: true }, { type: else }, { type: condition }] }
  - { id: 4, module: "builtin:BasicMerge", outputs: [{ name: x, mappings: [] }] }
"#;
    assert_eq!(
        problems(flow),
        [
            "module 2: a merge stands right behind an if-else",
            "module 3, branches: only one branch can take all others",
            "module 3, branches[3]: a branch needs conditions, or the type \"else\"",
            "module 4, outputs: \"x\" has 0 mappings, and 1 branches come back",
        ]
    );
    let alone = "flow: [{ id: 1, module: \"loopwright:Manual\" }, { id: 2, module: \"builtin:BasicIfElse\", \
                 branches: [{ type: else, merge: true }] }]";
    assert_eq!(problems(alone), ["module 2, branches: a branch comes back, and no merge stands behind"]);
}

#[test]
fn in_yaml_only_true_and_false_are_no_texts() {
    let flow = "variables: { n: no, y: yes, on: off, is: true }\nflow: [{ id: 1, module: \"loopwright:Manual\" }]";
    let program = Program::compile(flow).expect("a flow that can be read");
    let told = serde_json::to_string(&program.variables).expect("JSON");
    assert_eq!(told, r#"{"n":"no","y":"yes","on":"off","is":true}"#);
}
