mod conservation;
mod cycles;
mod failures;
mod judged;
mod pages;
mod semantics;
mod workspace;

use std::fmt::Write as _;

use base::http::StatusCode;
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::*;
use crate::engine::Stop;

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Leads a flow with start bundles to its end; HTTP is answered by status and
/// body from the address, such as `https://x/200/{"a":1}`.
fn lead(flow: &str, bundles: &[Json]) -> (Vec<Operation>, Ending) {
    let bundles = bundles.iter().cloned().map(Value::from_json).collect();
    lead_machine(&mut Machine::new(compiled(flow), facts(1), bundles, START))
}

/// Plays a flow as [`lead`] does, and writes what happened.
fn play(flow: &str, bundles: &[Json]) -> String {
    let bundles = bundles.iter().cloned().map(Value::from_json).collect();
    told(&mut Machine::new(compiled(flow), facts(1), bundles, START))
}

fn compiled(flow: &str) -> Arc<Program> {
    let program = Arc::new(Program::compile(flow).expect("a flow that can be read"));
    assert_eq!(program.errors().map(ToString::to_string).collect::<Vec<_>>(), Vec::<String>::new());
    program
}

fn facts(run: u8) -> Facts {
    Facts {
        run: format!("00000000-0000-7000-8000-{run:012}").parse().expect("an id"),
        flow: "f".into(),
        name: "F".into(),
        variables: Value::from_json(json!({"limit": 3})),
        seed: 1,
    }
}

fn lead_machine(machine: &mut Machine) -> (Vec<Operation>, Ending) {
    let mut store = crate::store::InMemory::new();
    loop {
        match machine.walk(100) {
            Stop::Pause => {}
            Stop::End(ending) => return (machine.take_operations(), ending),
            Stop::Effect(Intent { plan: Plan::Store(call), key, .. }) => {
                let result = crate::store::perform_in_memory(&mut store, &call, &key);
                machine.settle(Settled::new(result), START);
            }
            Stop::Effect(intent) => machine.settle(answer(&intent), START),
        }
    }
}

/// Walks to the end and writes what happened; what was set aside is left in
/// the machine.
fn told(machine: &mut Machine) -> String {
    let (operations, ending) = lead_machine(machine);
    let mut out = String::new();
    for operation in operations {
        let output: Vec<String> = operation.output.iter().map(short).collect();
        let detail = operation.detail.map(|text| format!(" ({text})")).unwrap_or_default();
        let status = format!("{:?}", operation.status).to_lowercase();
        let path = if operation.path.is_empty() { String::new() } else { format!(" @{}", operation.path) };
        writeln!(out, "{}{path} {status}{detail} {}", operation.module, output.join(" ")).expect("memory suffices");
    }
    let reason = ending.reason.map(|text| format!(": {text}")).unwrap_or_default();
    out + &format!("{:?}{reason}\n", ending.outcome).to_lowercase()
}

fn short(json: &Json) -> String {
    let mut json = json.clone();
    if let Json::Object(fields) = &mut json {
        for noise in ["headers", "fileSize", "__IMTINDEX__", "__IMTLENGTH__"] {
            fields.remove(noise);
        }
    }
    json.to_string()
}

/// Other flows give back what they are given.
fn answer(intent: &Intent) -> Settled {
    if let Plan::Flow(call) = &intent.plan {
        return Settled::new(Ok(vec![call.input.clone()]));
    }
    if let Plan::Databricks(operation) = &intent.plan {
        return workspace::answer(operation, &intent.key);
    }
    if let Some(settled) = answer_of_service(&intent.plan) {
        return settled;
    }
    let Plan::Http(call) = &intent.plan else {
        return Settled::new(Ok(vec![Value::collection::<String>([])]));
    };
    let path = call.url.strip_prefix("https://x/").expect("tests call https://x/");
    let (status, body) = path.split_once('/').unwrap_or((path, "null"));
    let status: StatusCode = status.parse().expect("a status");
    if status.as_u16() == 599 {
        let error = ModuleError::new(Class::ConnectionError, "nobody is there");
        return Settled::new(Err(error));
    }
    if !matches!(call.shape, modules::http::Shape::First | modules::http::Shape::Second) {
        return modules::http::settle(call, base::testing::reply(status.as_u16(), body));
    }
    let status = status.as_u16();
    if call.evaluate_errors && status >= 400 {
        let class = if status == 429 { Class::RateLimitError } else { Class::RuntimeError };
        let result = Err(ModuleError::new(class, format!("[{status}]")));
        return Settled { status_code: Some(status), ..Settled::new(result) };
    }
    let data = Value::from_json(serde_json::from_str(body).unwrap_or_default());
    let bundle = Value::collection([("statusCode", Value::Int(status.into())), ("data", data)]);
    Settled { status_code: Some(status), ..Settled::new(Ok(vec![bundle])) }
}

/// Mail is sent, rows are pushed, tables have two rows, and ann approves.
fn answer_of_service(plan: &Plan) -> Option<Settled> {
    use modules::http::Shape;
    use modules::loopwright::task::Question;

    let bundle = match plan {
        Plan::Mail(mail) => json!({"messageId": "<1@example.org>", "recipients": mail.to, "response": "250 queued"}),
        Plan::Push(push) => json!({"rows": push.rows, "job": "j-1", "status": "DONE"}),
        Plan::Ask(question) => match &**question {
            Question::New { task, waits: false } => {
                json!({"id": "t-1", "link": "https://loopwright.example/tasks/…", "title": task.title})
            }
            _ => json!({"decision": "approved", "approved": true, "comment": "fine", "by": "ann"}),
        },
        Plan::Http(call) if call.service.is_some() => {
            let body = match call.shape {
                Shape::Slack => r#"{"ok": true, "channel": "C1", "ts": "1767225600.000100"}"#,
                _ => r#"{"columns": [{"name": "id"}], "rows": [{"id": 1}, {"id": 2}], "truncated": false}"#,
            };
            return Some(modules::http::settle(call, base::testing::reply(200, body)));
        }
        _ => return None,
    };
    Some(Settled::new(Ok(vec![Value::from_json(bundle)])))
}

fn check(flow: &str, bundles: &[Json], expected: Expect) {
    expected.assert_eq(&play(flow, bundles));
}

#[test]
fn a_bundle_runs_to_the_end_before_its_sibling() {
    check(
        r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "builtin:BasicFeeder", mapper: { array: "{{1.items}}" } }
  - id: 3
    module: builtin:BasicRouter
    routes:
      - flow:
        - { id: 4, module: "util:SetVariable2", mapper: { name: a, value: "{{2.value}}" }, filter: { conditions: [[{ a: "{{2.value}}", o: "number:less", b: 3 }]] } }
      - flow:
        - { id: 5, module: "util:GetVariable2", mapper: { name: a } }
"#,
        &[json!({"items": [1, 3]})],
        expect![[r#"
            1 success {"items":[1,3]}
            2 @1.1 success {"value":1} {"value":3}
            4 @1.1/2.1 success {"a":1}
            5 @1.1/2.1 success {"a":1}
            4 @1.1/2.2 filtered ("3" number:less "3") 
            5 @1.1/2.2 success {"a":1}
            success
        "#]],
    );
}

#[test]
fn the_fallback_comes_last_and_only_if_no_other_route_was_taken() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: builtin:BasicRouter
    parameters: { else: 0 }
    routes:
      - flow: [{ id: 3, module: "util:SetVariable2", mapper: { name: way, value: other } }]
      - flow: [{ id: 4, module: "util:SetVariable2", mapper: { name: way, value: big }, filter: { conditions: [[{ a: "{{1.n}}", o: "number:greater", b: "{{var.flow.limit}}" }]] } }]
"#;
    check(
        flow,
        &[json!({"n": 5})],
        expect![[r#"
        1 success {"n":5}
        4 @1.1 success {"way":"big"}
        success
    "#]],
    );
    check(
        flow,
        &[json!({"n": 2})],
        expect![[r#"
        1 success {"n":2}
        4 @1.1 filtered ("2" number:greater "3") 
        3 @1.1 success {"way":"other"}
        success
    "#]],
    );
}

#[test]
fn an_aggregator_closes_once_per_operation_of_its_feeder() {
    check(
        r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "builtin:BasicFeeder", mapper: { array: "{{1.orders}}" } }
  - { id: 3, module: "builtin:BasicRepeater", mapper: { start: 10, repeats: "{{2.value}}", step: 10 } }
  - { id: 4, module: "builtin:BasicAggregator", parameters: { feeder: 3 }, mapper: { n: "{{3.i}}" } }
  - { id: 5, module: "util:TextAggregator", parameters: { feeder: 2, rowSeparator: other, otherRowSeparator: "; " }, mapper: { value: "{{join(map(4.array; \"n\"); \"+\")}}" } }
"#,
        &[json!({"orders": [2, 0, 1]})],
        expect![[r#"
            1 success {"orders":[2,0,1]}
            2 @1.1 success {"value":2} {"value":0} {"value":1}
            3 @1.1/2.1 success {"i":10} {"i":20}
            4 @1.1/2.1 success {"array":[{"n":10},{"n":20}],"__IMTAGGLENGTH__":2}
            3 @1.1/2.2 success 
            4 @1.1/2.2 success {"array":[],"__IMTAGGLENGTH__":0}
            3 @1.1/2.3 success {"i":10}
            4 @1.1/2.3 success {"array":[{"n":10}],"__IMTAGGLENGTH__":1}
            5 @1.1 success {"text":"10+20; ; 10"}
            success
        "#]],
    );
}

#[test]
fn an_aggregator_groups() {
    check(
        r#"
flow:
  - { id: 1, module: "json:ParseJSON", mapper: { json: '[{"k":"a","v":1},{"k":"b","v":2},{"k":"a","v":3}]' } }
  - { id: 2, module: "builtin:BasicAggregator", parameters: { feeder: 1 }, mapper: { v: "{{1.v}}" }, flags: { groupBy: "{{1.k}}", stopIfEmpty: true } }
"#,
        &[json!({})],
        expect![[r#"
            1 success {"k":"a","v":1} {"k":"b","v":2} {"k":"a","v":3}
            2 success {"array":[{"v":1},{"v":3}],"__IMTAGGLENGTH__":2,"key":"a"} {"array":[{"v":2}],"__IMTAGGLENGTH__":1,"key":"b"}
            success
        "#]],
    );
}

#[test]
fn a_repetition_ends_early_when_its_condition_holds() {
    let flow = |limit: u32| {
        format!(
            r#"
flow:
  - id: 1
    module: loopwright:RepeatUntil
    mapper: {{ repeats: {limit} }}
    flow:
      - {{ id: 2, module: "util:FunctionSleep", mapper: {{ duration: 30 }} }}
      - {{ id: 3, module: "http:ActionSendData", mapper: {{ url: 'https://x/200/{{"round":{{{{1.i}}}}}}' }} }}
    until: {{ conditions: [[{{ a: "{{{{3.data.round}}}}", o: "number:equal", b: 2 }}]] }}
  - {{ id: 4, module: "util:SetVariable2", mapper: {{ name: rounds, value: "{{{{1.data.round}}}}" }} }}
"#
        )
    };
    check(
        &flow(20),
        &[json!({})],
        expect![[r#"
        2 @1.1 success {}
        3 @1.1 success {"statusCode":200,"data":{"round":1}}
        2 @1.2 success {}
        3 @1.2 success {"statusCode":200,"data":{"round":2}}
        1 success {"statusCode":200,"data":{"round":2}}
        4 success {"rounds":2}
        success
    "#]],
    );
    check(
        &flow(1),
        &[json!({})],
        expect![[r#"
        2 @1.1 success {}
        3 @1.1 success {"statusCode":200,"data":{"round":1}}
        1 error (DataError: the condition did not hold within 1 repeats: "1" number:equal "2") 
        error: module 1 (loopwright:repeatuntil) failed: dataerror: the condition did not hold within 1 repeats: "1" number:equal "2"
    "#]],
    );
}

#[test]
fn a_bad_status_is_red_and_not_green() {
    check(
        r#"
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://x/401" }, metadata: { designer: { name: Start the job } } }
  - { id: 2, module: "util:SetVariable2", mapper: { name: code, value: "{{1.statusCode}}" } }
"#,
        &[json!({})],
        expect![[r#"
            1 warning {"statusCode":401,"data":null}
            2 success {"code":401}
            warning: module 1 "start the job" answered 401 and nothing in the flow looks at the status
        "#]],
    );
    check(
        r#"
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://x/401" } }
  - id: 2
    module: builtin:BasicRouter
    routes:
      - flow: [{ id: 3, module: "util:SetVariable2", mapper: { name: way, value: success }, filter: { conditions: [[{ a: "{{1.statusCode}}", o: "number:equal", b: "200" }]] } }]
      - flow: [{ id: 4, module: "util:SetVariable2", mapper: { name: way, value: failure }, filter: { conditions: [[{ a: "{{1.statusCode}}", o: "number:notequal", b: "200" }]] } }]
"#,
        &[json!({})],
        expect![[r#"
            1 warning {"statusCode":401,"data":null}
            3 filtered ("401" number:equal "200") 
            4 success {"way":"failure"}
            success
        "#]],
    );
}

fn with_handler(handler: &str) -> String {
    format!(
        r#"
flow:
  - {{ id: 1, module: "builtin:BasicRepeater", mapper: {{ repeats: 2 }} }}
  - id: 2
    module: http:ActionSendData
    mapper: {{ url: "https://x/{{{{if(1.i = 1; 599; 200)}}}}" }}
    onerror:
      - {{ id: 3, module: "util:SetVariable2", mapper: {{ name: told, value: "{{{{2.error.type}}}}: {{{{2.error.message}}}}" }} }}
      {handler}
  - {{ id: 4, module: "util:SetVariable2", mapper: {{ name: data, value: "{{{{2.data}}}}" }} }}
"#
    )
}

#[test]
fn an_error_takes_its_route() {
    let start = r#"1 success {"i":1} {"i":2}
2 @1.1 error (ConnectionError: nobody is there) 
3 @1.1 success {"told":"ConnectionError: nobody is there"}
"#;
    let second = "2 @1.2 success {\"statusCode\":200,\"data\":null}\n4 @1.2 success {\"data\":null}\n";
    for (handler, rest) in [
        ("", format!("{second}success\n")),
        ("- { id: 5, module: \"builtin:Ignore\" }", format!("{second}success\n")),
        (
            "- { id: 5, module: \"builtin:Resume\", mapper: { data: \"instead of {{1.i}}\" } }",
            format!("4 @1.1 success {{\"data\":\"instead of 1\"}}\n{second}success\n"),
        ),
        ("- { id: 5, module: \"builtin:Commit\" }", "success\n".into()),
        ("- { id: 5, module: \"builtin:Rollback\" }", "error: module 5 (builtin:rollback) stopped the run\n".into()),
    ] {
        assert_eq!(play(&with_handler(handler), &[json!({})]), format!("{start}{rest}"), "{handler}");
    }
}

#[test]
fn a_mapping_that_cannot_be_computed_fails_its_module() {
    check(
        r#"
flow:
  - { id: 1, module: "util:SetVariable2", mapper: { name: a, value: "{{multiply(2; 3)}}" } }
"#,
        &[json!({})],
        expect![[r#"
            1 error (BundleValidationError: value: function "multiply" does not exist; use a * b (at position 3)) 
            error: module 1 (util:setvariable2) failed: bundlevalidationerror: value: function "multiply" does not exist; use a * b (at position 3)
        "#]],
    );
}

#[test]
fn a_signal_becomes_a_bundle_of_its_attributes() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Signal", parameters: { knowledgeModel: p.k, trigger: LONG_WAIT } }
  - { id: 2, module: "util:SetVariable2", mapper: { name: text, value: "{{celonis.case_id}} {{celonis.signal_name}} {{1.step}}" } }
"#;
    let as_callback = json!({
        "triggerId": "LONG_WAIT", "subscriptionId": "s-1",
        "event": {"id": "e-1", "identifier": "17", "typedIdentifier": 17, "fields": [
            {"id": "step", "value": "Approve", "type": "STRING", "isIdentifier": false},
            {"id": "waiting_hours", "value": 51.5, "type": "FLOAT", "isIdentifier": false},
        ]},
    });
    let as_told_at_home = json!({
        "triggerId": "LONG_WAIT", "eventId": "e-1", "identifier": "17",
        "fields": {"step": "Approve", "waiting_hours": 51.5},
    });
    for told in [as_callback, as_told_at_home] {
        check(
            flow,
            &[told],
            expect![[r#"
                1 success {"step":"Approve","waiting_hours":51.5,"case_id":"17","identifier":"17","signal_name":"LONG_WAIT","event_id":"e-1"}
                2 @1.1 success {"text":"17 LONG_WAIT Approve"}
                success
            "#]],
        );
    }
}

#[test]
fn ten_thousand_turns_do_not_overflow_the_stack() {
    let flow = r#"
flow:
  - { id: 1, module: "builtin:BasicRepeater", mapper: { repeats: 10000 } }
  - { id: 2, module: "builtin:BasicAggregator", parameters: { feeder: 1 }, mapper: { i: "{{1.i}}" } }
  - { id: 3, module: "util:SetVariable2", mapper: { name: sum, value: "{{sum(map(2.array; \"i\"))}}" } }
"#;
    assert!(play(flow, &[json!({})]).ends_with("3 success {\"sum\":50005000}\nsuccess\n"));
}

#[test]
fn what_is_not_kept_is_still_counted() {
    let flow = r#"
flow:
  - { id: 1, module: "builtin:BasicRepeater", mapper: { repeats: 50 } }
  - { id: 2, module: "util:SetVariable2", mapper: { name: a, value: "{{1.i}}" } }
"#;
    let program = Arc::new(Program::compile(flow).expect("a flow that can be read"));
    let run = "00000000-0000-7000-8000-000000000001".parse().expect("an id");
    let facts = Facts { run, flow: "f".into(), name: "F".into(), variables: Value::Absent, seed: 1 };
    let mut machine = Machine::recording(program, facts, Vec::new(), Timestamp::from_millis(0), 7);
    while matches!(machine.walk(10), Stop::Pause) {}
    let numbers: Vec<u64> = machine.take_operations().iter().map(|operation| operation.number).collect();
    assert_eq!((numbers, machine.operation_count()), ((1..=7).collect(), 51));
}

#[test]
fn a_bundle_takes_one_branch_and_comes_back_where_branches_merge() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "builtin:BasicFeeder", mapper: { array: "{{1.items}}" } }
  - id: 3
    module: builtin:BasicIfElse
    branches:
      - { type: else, label: others, merge: true, flow: [] }
      - { type: condition, label: low, merge: false, conditions: [[{ a: "{{2.value}}", o: "number:less", b: 2 }]], flow: [{ id: 4, module: "util:SetVariable2", mapper: { name: low, value: "{{2.value}}" } }] }
      - { type: condition, label: high, merge: true, conditions: [[{ a: "{{2.value}}", o: "number:greater", b: 4 }]], flow: [{ id: 5, module: "builtin:BasicRepeater", mapper: { start: "{{2.value}}", repeats: 2, step: 1 } }] }
      - { type: condition, label: off, disabled: true, conditions: [], flow: [] }
  - id: 6
    module: builtin:BasicMerge
    outputs: [{ name: n, mappings: ["just {{2.value}}", "{{5.i}}"] }]
    filters: [null, { conditions: [[{ a: "{{5.i}}", o: "number:notequal", b: 6 }]] }]
  - { id: 7, module: "builtin:BasicAggregator", parameters: { feeder: 2 }, mapper: { n: "{{6.n}}" } }
"#;
    check(
        flow,
        &[json!({"items": [1, 3, 5]})],
        expect![[r#"
            1 success {"items":[1,3,5]}
            2 @1.1 success {"value":1} {"value":3} {"value":5}
            4 @1.1/2.1 success {"low":1}
            6 @1.1/2.2 success {"n":"just 3"}
            5 @1.1/2.3 success {"i":5} {"i":6}
            6 @1.1/2.3/5.1 success {"n":5}
            6 @1.1/2.3/5.2 filtered ("6" number:notequal "6") 
            7 @1.1 success {"array":[{"n":"just 3"},{"n":5}],"__IMTAGGLENGTH__":2}
            success
        "#]],
    );
}
