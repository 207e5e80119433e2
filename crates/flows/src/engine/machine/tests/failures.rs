//! What becomes of failed bundles: reactions by class, directives, and runs
//! that go on from where a bundle failed.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::engine::{Incomplete, Place, Retry};

/// Two bundles, of which the first fails at module 3 with an error of `class`.
fn failing(class: &str, dlq: bool, handler: &str) -> String {
    format!(
        r#"
metadata: {{ scenario: {{ dlq: {dlq} }} }}
flow:
  - {{ id: 1, module: "builtin:BasicRepeater", mapper: {{ repeats: 2 }} }}
  - {{ id: 2, module: "util:ComposeTransformer", mapper: {{ value: "bundle {{{{1.i}}}}" }} }}
  - id: 3
    module: loopwright:Fail
    filter: {{ conditions: [[{{ a: "{{{{1.i}}}}", o: "number:equal", b: 1 }}]] }}
    mapper: {{ message: "no", type: {class} }}
    onerror: [{handler}]
"#
    )
}

/// Says how a run ends, whether the second bundle was reached, and what was
/// set aside.
fn outcome(flow: &str) -> String {
    let mut machine = Machine::new(compiled(flow), facts(1), Vec::new(), START);
    let happened = told(&mut machine);
    let ending = happened.lines().last().unwrap_or_default().split(':').next().unwrap_or_default().to_owned();
    let others = if happened.contains("bundle 2") { "goes on" } else { "stops" };
    let retry = |incomplete: &Incomplete| match incomplete.retry {
        Retry::Never => "stored".to_owned(),
        Retry::Every { interval, count } => format!("stored, {count} times every {} min", interval.as_secs() / 60),
        Retry::BackOff { at_least: None } => "stored, tried again".to_owned(),
        Retry::BackOff { at_least: Some(span) } => format!("stored, tried again after {} min", span.as_secs() / 60),
    };
    let aside: Vec<String> = machine.take_incomplete().iter().map(retry).collect();
    [ending, others.into(), aside.join(", ")].join(" | ")
}

#[test]
fn each_class_has_its_reaction() {
    let mut table = String::new();
    for class in [
        "RuntimeError",
        "DataError",
        "BundleValidationError",
        "DuplicateDataError",
        "ConnectionError",
        "RateLimitError",
        "ModuleTimeoutError",
        "OutOfSpaceError",
        "InvalidAccessTokenError",
        "InvalidConfigurationError",
        "UnexpectedError",
        "MaxResultsExceededError",
        "MaxFileSizeExceededError",
        "IncompleteDataError",
        "InconsistencyError",
        "ScenarioTimeoutError",
        "OperationsLimitExceededError",
        "DataSizeLimitExceededError",
        "ExecutionInterruptedError",
    ] {
        let without = outcome(&failing(class, false, ""));
        assert_eq!(without, "error | stops | ", "{class} without stored executions");
        writeln!(table, "{class}: {}", outcome(&failing(class, true, "")).trim_end()).expect("memory suffices");
    }
    expect![[r"
        RuntimeError: error | stops |
        DataError: warning | goes on | stored
        BundleValidationError: warning | goes on | stored
        DuplicateDataError: warning | goes on | stored
        ConnectionError: warning | goes on | stored, tried again
        RateLimitError: warning | goes on | stored, tried again after 20 min
        ModuleTimeoutError: warning | goes on | stored, tried again
        OutOfSpaceError: warning | goes on | stored, tried again
        InvalidAccessTokenError: error | stops | stored
        InvalidConfigurationError: error | stops | stored
        UnexpectedError: error | stops | stored
        MaxResultsExceededError: error | stops | stored
        MaxFileSizeExceededError: error | stops | stored
        IncompleteDataError: error | stops |
        InconsistencyError: error | stops |
        ScenarioTimeoutError: error | stops |
        OperationsLimitExceededError: error | stops |
        DataSizeLimitExceededError: error | stops |
        ExecutionInterruptedError: error | stops |
    "]]
    .assert_eq(&table);
}

#[test]
fn each_directive_has_its_outcome() {
    let mut table = String::new();
    for (directive, mapper) in [
        ("Ignore", "{}"),
        ("Resume", "{ value: x }"),
        ("Commit", "{}"),
        ("Rollback", "{}"),
        ("Break", "{}"),
        ("Break", "{ retry: true }"),
        ("Break", "{ retry: true, count: 10000, interval: 44640 }"),
        ("Break", "{ retry: true, count: 10001 }"),
        ("Break", "{ retry: true, interval: 0 }"),
    ] {
        let handler = format!(r#"{{ id: 4, module: "builtin:{directive}", mapper: {mapper} }}"#);
        for dlq in [true, false] {
            let stores = if dlq { "stores" } else { "does not store" };
            let outcome = outcome(&failing("RuntimeError", dlq, &handler));
            writeln!(table, "{directive} {mapper}, {stores}: {}", outcome.trim_end()).expect("memory suffices");
        }
    }
    expect![[r"
        Ignore {}, stores: success | goes on |
        Ignore {}, does not store: success | goes on |
        Resume { value: x }, stores: success | goes on |
        Resume { value: x }, does not store: success | goes on |
        Commit {}, stores: success | stops |
        Commit {}, does not store: success | stops |
        Rollback {}, stores: error | stops |
        Rollback {}, does not store: error | stops |
        Break {}, stores: warning | goes on | stored
        Break {}, does not store: error | stops |
        Break { retry: true }, stores: success | goes on | stored, 3 times every 15 min
        Break { retry: true }, does not store: error | stops |
        Break { retry: true, count: 10000, interval: 44640 }, stores: success | goes on | stored, 10000 times every 44640 min
        Break { retry: true, count: 10000, interval: 44640 }, does not store: error | stops |
        Break { retry: true, count: 10001 }, stores: error | stops |
        Break { retry: true, count: 10001 }, does not store: error | stops |
        Break { retry: true, interval: 0 }, stores: error | stops |
        Break { retry: true, interval: 0 }, does not store: error | stops |
    "]]
    .assert_eq(&table);
}

#[test]
fn the_first_module_is_never_stored() {
    let flow = r#"
metadata: { scenario: { dlq: true } }
flow:
  - id: 1
    module: loopwright:Fail
    mapper: { message: "no", type: ConnectionError }
    onerror: [{ id: 2, module: "builtin:Break", mapper: { retry: true } }]
"#;
    check(
        flow,
        &[json!({})],
        expect![[r"
            1 error (ConnectionError: no) 
            error: module 1 (loopwright:fail) failed: connectionerror: no; module 2 (builtin:break) could not store it: it is the first module
        "]],
    );
}

/// One bundle that fails at module 2; `handler` is its error route.
fn routed(handler: &str) -> String {
    format!(
        r#"
metadata: {{ scenario: {{ dlq: true }} }}
flow:
  - {{ id: 1, module: "util:ComposeTransformer", mapper: {{ value: start }} }}
  - id: 2
    module: loopwright:Fail
    mapper: {{ message: "no", type: DataError, detail: {{ row: 7 }} }}
    onerror:
{handler}
  - {{ id: 9, module: "util:ComposeTransformer", mapper: {{ value: "after {{{{2.value}}}}" }} }}
"#
    )
}

#[test]
fn an_error_route_sees_what_failed_and_may_branch() {
    check(
        &routed(
            r#"
      - id: 3
        module: builtin:BasicRouter
        routes:
          - flow:
            - { id: 4, module: "util:ComposeTransformer", mapper: { value: "{{2.error.type}}: {{2.error.message}} in row {{2.error.detail.row}} of {{1.value}}" }, filter: { conditions: [[{ a: "{{2.error.type}}", o: "text:equal", b: DataError }]] } }
            - { id: 5, module: "builtin:Resume", mapper: { value: "{{4.value}}" } }
          - flow:
            - { id: 6, module: "builtin:Rollback", filter: { conditions: [[{ a: "{{2.error.type}}", o: "text:notequal", b: DataError }]] } }
"#,
        ),
        &[json!({})],
        expect![[r#"
            1 success {"value":"start"}
            2 error (DataError: no) 
            4 success {"value":"DataError: no in row 7 of start"}
            9 success {"value":"after DataError: no in row 7 of start"}
            6 filtered ("DataError" text:notequal "DataError") 
            success
        "#]],
    );
}

#[test]
fn a_handler_may_stand_in_an_error_route() {
    let nested = |inner: &str| {
        format!(
            r#"
      - id: 3
        module: loopwright:Fail
        mapper: {{ message: "worse", type: ConnectionError }}
        onerror: [{inner}]
      - {{ id: 5, module: "builtin:Resume", mapper: {{ value: "{{{{3.value}}}}" }} }}
"#
        )
    };
    check(
        &routed(&nested(r#"{ id: 4, module: "builtin:Resume", mapper: { value: mended } }"#)),
        &[json!({})],
        expect![[r#"
            1 success {"value":"start"}
            2 error (DataError: no) 
            3 error (ConnectionError: worse) 
            9 success {"value":"after mended"}
            success
        "#]],
    );
    // What fails in an error route and has no handler there ends the run.
    check(
        &routed(&nested("")),
        &[json!({})],
        expect![[r#"
            1 success {"value":"start"}
            2 error (DataError: no) 
            3 error (ConnectionError: worse) 
            error: module 3 (loopwright:fail) failed: connectionerror: worse
        "#]],
    );
}

/// Numbers go to a peer, one by one, in a loop in a loop; `peer` answers.
fn loops(peer: &str) -> String {
    format!(
        r#"
metadata: {{ scenario: {{ dlq: true }} }}
flow:
  - {{ id: 1, module: "loopwright:Manual" }}
  - {{ id: 2, module: "util:SetVariable2", mapper: {{ name: v, value: kept, scope: execution }} }}
  - {{ id: 3, module: "builtin:BasicFeeder", mapper: {{ array: "{{{{1.outer}}}}" }} }}
  - {{ id: 4, module: "builtin:BasicFeeder", mapper: {{ array: "{{{{3.inner}}}}" }} }}
  - {{ id: 5, module: "http:ActionSendData", mapper: {{ url: "{peer}" }} }}
  - {{ id: 6, module: "util:GetVariable2", mapper: {{ name: v }} }}
  - {{ id: 7, module: "builtin:BasicAggregator", parameters: {{ feeder: 4 }}, mapper: {{ n: "{{{{4.value}}}}", v: "{{{{6.v}}}}" }} }}
  - {{ id: 8, module: "builtin:BasicAggregator", parameters: {{ feeder: 3 }}, mapper: {{ all: "{{{{7.array}}}}" }} }}
  - {{ id: 9, module: "util:ComposeTransformer", mapper: {{ value: "{{{{1.name}}}} {{{{length(8.array)}}}}" }} }}
"#
    )
}

#[test]
fn a_stored_bundle_goes_on_with_all_that_it_could_see() {
    let start = Value::from_json(json!({"name": "Ann", "outer": [{"inner": [1, 2]}, {"inner": [3]}]}));
    let broken = loops("https://x/{{if(4.value = 2; 599; 200)}}");
    let mut machine = Machine::new(compiled(&broken), facts(1), vec![start], START);
    expect![[r#"
        1 success {"name":"Ann","outer":[{"inner":[1,2]},{"inner":[3]}]}
        2 @1.1 success {"v":"kept"}
        3 @1.1 success {"inner":[1,2]} {"inner":[3]}
        4 @1.1/3.1 success {"value":1} {"value":2}
        5 @1.1/3.1/4.1 success {"statusCode":200,"data":null}
        6 @1.1/3.1/4.1 success {"v":"kept"}
        5 @1.1/3.1/4.2 error (ConnectionError: nobody is there) 
        7 @1.1/3.1 success {"array":[{"n":1,"v":"kept"}],"__IMTAGGLENGTH__":1}
        4 @1.1/3.2 success {"value":3}
        5 @1.1/3.2/4.1 success {"statusCode":200,"data":null}
        6 @1.1/3.2/4.1 success {"v":"kept"}
        7 @1.1/3.2 success {"array":[{"n":3,"v":"kept"}],"__IMTAGGLENGTH__":1}
        8 @1.1 success {"array":[{"all":[{"n":1,"v":"kept"}]},{"all":[{"n":3,"v":"kept"}]}],"__IMTAGGLENGTH__":2}
        9 @1.1 success {"value":"Ann 2"}
        warning: module 5 (http:actionsenddata) failed: connectionerror: nobody is there; it is stored as an incomplete execution
    "#]]
    .assert_eq(&told(&mut machine));
    let stored = machine.take_incomplete().remove(0).place;
    assert_eq!(Place::from_stored(&stored.to_stored()), Some(stored.clone()));
    let seen: Vec<u32> = stored.bundles.iter().map(|(id, _)| *id).collect();
    assert_eq!(seen, [1, 2, 3, 4]);
    assert_eq!(stored.told(&compiled(&broken))["4"]["value"], 2);
    let confidential = broken.replace("dlq: true", "dlq: true, confidential: true");
    assert!(stored.told(&compiled(&confidential)).is_empty());

    // The mended flow is another version; both aggregators get this one bundle.
    let mut machine = Machine::resumed(compiled(&loops("https://x/200")), facts(2), stored, START);
    expect![[r#"
        5 @1.1/3.1/4.2 success {"statusCode":200,"data":null}
        6 @1.1/3.1/4.2 success {"v":"kept"}
        7 @1.1/3.1 success {"array":[{"n":2,"v":"kept"}],"__IMTAGGLENGTH__":1}
        8 @1.1 success {"array":[{"all":[{"n":2,"v":"kept"}]}],"__IMTAGGLENGTH__":1}
        9 @1.1 success {"value":"Ann 1"}
        success
    "#]]
    .assert_eq(&told(&mut machine));
}

#[test]
fn a_repetition_goes_on_with_its_next_round() {
    let flow = |peer: &str| {
        format!(
            r#"
metadata: {{ scenario: {{ dlq: true }} }}
flow:
  - {{ id: 1, module: "loopwright:Manual" }}
  - id: 2
    module: loopwright:RepeatUntil
    mapper: {{ repeats: 3 }}
    flow:
      - {{ id: 3, module: "http:ActionSendData", mapper: {{ url: "{peer}" }} }}
    until: {{ conditions: [[{{ a: "{{{{2.i}}}}", o: "number:equal", b: 3 }}]] }}
  - {{ id: 4, module: "util:ComposeTransformer", mapper: {{ value: "done" }} }}
"#
        )
    };
    let broken = flow("https://x/{{if(2.i = 2; 599; 200)}}");
    let mut machine = Machine::new(compiled(&broken), facts(1), vec![Value::from_json(json!({}))], START);
    expect![[r#"
        1 success {}
        3 @1.1/2.1 success {"statusCode":200,"data":null}
        3 @1.1/2.2 error (ConnectionError: nobody is there) 
        warning: module 3 (http:actionsenddata) failed: connectionerror: nobody is there; it is stored as an incomplete execution
    "#]]
    .assert_eq(&told(&mut machine));
    let stored = machine.take_incomplete().remove(0).place;
    let mut machine = Machine::resumed(compiled(&flow("https://x/200")), facts(2), stored, START);
    expect![[r#"
        3 @1.1/2.2 success {"statusCode":200,"data":null}
        3 @1.1/2.3 success {"statusCode":200,"data":null}
        2 @1.1 success {"statusCode":200,"data":null}
        4 @1.1 success {"value":"done"}
        success
    "#]]
    .assert_eq(&told(&mut machine));
}

/// The places at which module 5 got its answer.
fn answered(happened: &str) -> Vec<String> {
    let lines = happened.lines().filter(|line| line.starts_with("5 ") && line.contains(" success "));
    lines.filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect()
}

proptest! {
    /// What fails and goes on later comes to the same effects as what never
    /// failed: none lost, none twice.
    #[test]
    fn what_goes_on_does_what_was_left(outer in prop::collection::vec(prop::collection::vec(0..6_u8, 0..5), 0..5), failing in 0..6_u8) {
        let outer: Vec<Json> = outer.iter().map(|inner| json!({ "inner": inner })).collect();
        let start = || vec![Value::from_json(json!({"name": "Ann", "outer": outer}))];
        let whole = compiled(&loops("https://x/200"));
        let mut expected = answered(&told(&mut Machine::new(whole.clone(), facts(1), start(), START)));
        let broken = compiled(&loops(&format!("https://x/{{{{if(4.value = {failing}; 599; 200)}}}}")));
        let mut machine = Machine::new(broken.clone(), facts(1), start(), START);
        let mut done = answered(&told(&mut machine));
        for (number, incomplete) in machine.take_incomplete().into_iter().enumerate() {
            // One attempt fails at the same place, the next one gets through.
            let mut again = Machine::resumed(broken.clone(), facts(2), incomplete.place.clone(), START);
            prop_assert!(answered(&told(&mut again)).is_empty());
            let same = again.take_incomplete().remove(0).place;
            prop_assert_eq!(&same, &incomplete.place);
            let mut last = Machine::resumed(whole.clone(), facts(3 + number as u8), same, START);
            done.extend(answered(&told(&mut last)));
        }
        done.sort();
        expected.sort();
        prop_assert_eq!(done, expected);
    }
}

/// The key of the first effect of a machine.
fn first_key(machine: &mut Machine) -> String {
    loop {
        match machine.walk(100) {
            Stop::Effect(intent) => return intent.key,
            Stop::Pause => {}
            Stop::End(_) => panic!("there is no effect"),
        }
    }
}

#[test]
fn an_attempt_has_the_same_key_where_nobody_answered_and_else_another() {
    let flow = |status: &str| {
        let head = "metadata: { scenario: { dlq: true } }\nflow:";
        let parameters = "{ handleErrors: true }";
        format!(
            "{head}\n  - {{ id: 1, module: \"loopwright:Manual\" }}\n  - {{ id: 2, module: \"http:ActionSendData\", parameters: {parameters}, mapper: {{ url: \"https://x/{status}\" }} }}\n"
        )
    };
    let start = || vec![Value::from_json(json!({}))];
    let key = first_key(&mut Machine::new(compiled(&flow("599")), facts(1), start(), START));
    let mut failed = Machine::new(compiled(&flow("599")), facts(1), start(), START);
    told(&mut failed);
    let place = failed.take_incomplete().remove(0).place;
    assert_eq!(first_key(&mut Machine::resumed(compiled(&flow("599")), facts(2), place.clone(), START)), key);
    // And the next attempt after that one, too.
    let mut again = Machine::resumed(compiled(&flow("599")), facts(2), place.clone(), START);
    told(&mut again);
    let place_again = again.take_incomplete().remove(0).place;
    assert_eq!(first_key(&mut Machine::resumed(compiled(&flow("599")), facts(3), place_again, START)), key);
    let answered = Place { origin: None, ..place };
    assert_ne!(first_key(&mut Machine::resumed(compiled(&flow("599")), facts(2), answered, START)), key);
}

#[test]
fn a_resumed_run_sets_aside_what_ends_any_other() {
    let flow = r#"
metadata: { scenario: { dlq: true } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "loopwright:Fail", mapper: { message: "no", type: RuntimeError } }
"#;
    let mut machine = Machine::new(compiled(flow), facts(1), vec![Value::from_json(json!({}))], START);
    assert!(told(&mut machine).ends_with("error: module 2 (loopwright:fail) failed: runtimeerror: no\n"));
    assert_eq!(machine.take_incomplete(), []);
    let place = Place {
        module: 2,
        path: "1.1".into(),
        bundles: vec![(1, Value::from_json(json!({})))],
        start: Value::Absent,
        variables: Value::Absent,
        cookies: Vec::new(),
        origin: None,
    };
    let mut machine = Machine::resumed(compiled(flow), facts(2), place.clone(), START);
    told(&mut machine);
    assert_eq!(machine.take_incomplete()[0].place.module, 2);

    let elsewhere = Place { module: 77, ..place };
    let mut machine = Machine::resumed(compiled(flow), facts(2), elsewhere, START);
    check_end(
        &mut machine,
        expect!["error: invalidconfigurationerror: this version has no module 77 from which to go on"],
    );
}

fn check_end(machine: &mut Machine, expected: Expect) {
    expected.assert_eq(told(machine).trim_end());
}

#[test]
fn a_bad_status_is_seen_wherever_a_condition_looks_at_it() {
    let flow = |look: &str| {
        format!(
            r#"
flow:
  - {{ id: 1, module: "http:ActionSendData", mapper: {{ url: "https://x/500" }} }}
  - id: 2
    module: builtin:BasicRouter
    routes:
      - flow:
        - {look}
"#
        )
    };
    let condition = r#"[[{ a: "{{1.statusCode}}", o: "number:equal", b: 500 }]]"#;
    for (look, outcome) in [
        (
            r#"{ id: 3, module: "util:ComposeTransformer", mapper: { value: "{{1.statusCode}}" } }"#.to_owned(),
            "warning",
        ),
        (
            format!(
                r#"{{ id: 3, module: "util:ComposeTransformer", mapper: {{ value: a }}, filter: {{ conditions: {condition} }} }}"#
            ),
            "success",
        ),
        (
            format!(
                r#"{{ id: 3, module: "builtin:BasicIfElse", branches: [{{ type: condition, conditions: {condition}, flow: [] }}] }}"#
            ),
            "success",
        ),
    ] {
        let happened = play(&flow(&look), &[json!({})]);
        assert!(happened.lines().last().is_some_and(|line| line.starts_with(outcome)), "{look}: {happened}");
    }
}
