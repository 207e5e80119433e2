//! Cycles of a run that nothing starts with data.

use expect_test::expect;
use serde_json::json;

use super::check;

fn counting(cycles: u64, scope: &str) -> String {
    format!(
        r#"
metadata: {{ scenario: {{ roundtrips: {cycles} }} }}
flow:
  - {{ id: 1, module: "util:GetVariable2", mapper: {{ name: count }} }}
  - {{ id: 2, module: "util:SetVariable2", mapper: {{ name: count, value: "{{{{1.count + 1}}}}", scope: {scope} }} }}
"#
    )
}

#[test]
fn without_a_trigger_there_are_exactly_so_many_cycles() {
    check(
        &counting(3, "execution"),
        &[json!({})],
        expect![[r#"
            1 success {}
            2 success {"count":1}
            1 @0.2 success {"count":1}
            2 @0.2 success {"count":2}
            1 @0.3 success {"count":2}
            2 @0.3 success {"count":3}
            success
        "#]],
    );
}

#[test]
fn a_variable_of_a_cycle_is_gone_in_the_next() {
    check(
        &counting(2, "roundtrip"),
        &[json!({})],
        expect![[r#"
            1 success {}
            2 success {"count":1}
            1 @0.2 success {}
            2 @0.2 success {"count":1}
            success
        "#]],
    );
}

#[test]
fn what_starts_with_data_has_one_cycle() {
    let flow = r#"
metadata: { scenario: { roundtrips: 5 } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "util:ComposeTransformer", mapper: { value: "{{1.n}}" } }
"#;
    check(
        flow,
        &[json!({"n": 1}), json!({"n": 2})],
        expect![[r#"
            1 success {"n":1} {"n":2}
            2 @1.1 success {"value":"1"}
            2 @1.2 success {"value":"2"}
            success
        "#]],
    );
}

#[test]
fn a_failure_ends_the_run_with_its_cycle() {
    let flow = r#"
metadata: { scenario: { roundtrips: 3 } }
flow:
  - { id: 1, module: "util:FunctionIncrement", parameters: { reset: execution } }
  - id: 2
    module: loopwright:Fail
    filter: { conditions: [[{ a: "{{1.i}}", o: "number:equal", b: 2 }]] }
    mapper: { message: "no more" }
"#;
    check(
        flow,
        &[json!({})],
        expect![[r#"
            1 success {"i":1}
            2 filtered ("1" number:equal "2") 
            1 @0.2 success {"i":2}
            2 @0.2 error (RuntimeError: no more) 
            error: module 2 (loopwright:fail) failed: runtimeerror: no more
        "#]],
    );
}
