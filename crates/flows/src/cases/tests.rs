use expect_test::{Expect, expect};
use serde_json::json;

use super::compare::{compare, fits};
use super::*;

/// The tutorial's flow: start a job, look at the status, wait, ask again.
const FLOW: &str = r#"
name: Run a job
variables: { job: 12345 }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - id: 2
    module: http:ActionSendData
    parameters: { connection: databricks }
    mapper:
      url: https://dbc.example/api/2.1/jobs/run-now
      method: post
      bodyType: raw
      contentType: application/json
      data: '{"job_id": {{var.flow.job}}, "notebook_params": {"case_id": "{{1.case_id}}"}}'
      parseResponse: true
  - id: 3
    module: builtin:BasicRouter
    routes:
      - flow:
        - { id: 4, module: "builtin:BasicRepeater", mapper: { start: 1, repeats: 2, step: 1 }, filter: { conditions: [[{ a: "{{2.statusCode}}", o: "number:equal", b: 200 }]] } }
        - { id: 5, module: "util:FunctionSleep", mapper: { duration: 30 } }
        - { id: 6, module: "http:ActionSendData", mapper: { url: "https://dbc.example/api/2.1/jobs/runs/get?run_id={{2.data.run_id}}", method: get, parseResponse: true } }
      - flow:
        - { id: 7, module: "mail:Invented", version: 1, mapper: { text: "{{2.statusCode}}" }, filter: { conditions: [[{ a: "{{2.statusCode}}", o: "number:notequal", b: 200 }]] } }
"#;

fn report(flow: &str, tests: &str) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(play(flow, Some(tests), &Structures::new(), &Semantics::default()))
}

fn check(flow: &str, tests: &str, expected: Expect) {
    let mut told = String::new();
    match report(flow, tests) {
        Err(problem) => told = format!("cannot be read: {problem}\n"),
        Ok(report) => {
            for verdict in &report.verdicts {
                let word = if verdict.holds() { "holds" } else { "differs" };
                told += &format!("{}: {word}\n", verdict.case);
                told.extend(verdict.differences.iter().map(|difference| format!("  {difference}\n")));
            }
            told += &format!("untouched: {:?}\n", report.untouched);
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn a_case_plays_what_the_outside_answers_and_judges_what_happened() {
    check(
        FLOW,
        r#"
tests:
  - name: the job is done at the second look
    start: { case_id: 'A "quoted" one' }
    answers:
      2: { status: 200, body: { run_id: 67890 } }
      6:
        - { status: 200, body: { state: { life_cycle_state: RUNNING } } }
        - { status: 200, body: { state: { life_cycle_state: TERMINATED } }, takesSeconds: 2 }
    expect:
      modules:
        2: { request: { method: POST, connection: databricks, body: { job_id: 12345, notebook_params: { case_id: 'A "quoted" one' } } } }
        5: 2
        6:
          request: { url: "https://dbc.example/*?run_id=67890" }
          outputs: [{ data: { state: { life_cycle_state: RUNNING } } }, { data: { state: { life_cycle_state: TERMINATED } } }]
        7: never
      waitedSeconds: 60
  - name: a token that is not accepted takes the other way
    variables: { job: 7 }
    answers:
      2: { status: 401, body: { error_code: UNAUTHENTICATED } }
      7: { bundles: [{ sent: true }] }
    expect:
      modules:
        2: { runs: 1, request: { body: { job_id: 7 } }, output: { statusCode: 401, data: { error_code: "*" } } }
        4: never
        7: { input: { text: 401 }, output: { sent: true } }
"#,
        expect![[r"
            the job is done at the second look: holds
            a token that is not accepted takes the other way: holds
            untouched: []
        "]],
    );
}

#[test]
fn what_differs_is_told_with_its_place() {
    check(
        FLOW,
        r#"
tests:
  - name: wrong in every way
    answers:
      2: { status: 200, body: { run_id: 67890 } }
      6: { status: 200, body: { state: RUNNING } }
      7: { bundles: [] }
    expect:
      outcome: warning
      reason: "*too late*"
      modules:
        2: { request: { method: PUT, headers: { content-type: text/plain }, body: { job_id: "12345" } }, runs: 2 }
        5: never
        6: { output: { data: { state: DONE }, statusCode: "*" }, outputs: [{ statusCode: 200 }] }
        7: 1
      returns: { a: 1 }
      response: { status: 200 }
      waitedSeconds: 30
      incomplete: 1
"#,
        expect![[r#"
            wrong in every way: differs
              outcome: expected warning, but it is success
              reason: expected "*too late*", but it is ""
              module 2: it ran once instead of 2 times
              module 2 request.method: expected "PUT", but it is "POST"
              module 2 request.headers.content-type: expected "text/plain", but it is "application/json"
              module 2 request.body.job_id: expected "12345", but it is 12345
              module 5: it ran 2 times instead of never
              module 6 outputs: 2 elements instead of 1; the first one too many is {"statusCode":200,"headers":[{"name":"content-type","value":"application/json"}],"data":{"state":"RUNNING"},"fileSize":19}
              module 6 output.data.state: expected "DONE", but it is "RUNNING"
              module 7: it ran never instead of once
              returns: expected {"a":1}, but it is nothing
              response: expected {"status":200}, but it is nothing
              waitedSeconds: expected 30, but it is 60
              incomplete: expected 1, but it is 0
              answers.7: nobody asked for it
            untouched: [7]
        "#]],
    );
}

#[test]
fn nothing_is_answered_that_nobody_wrote() {
    check(
        FLOW,
        r"
tests:
  - name: no answer at all
  - name: too few
    answers:
      2: { status: 200, body: { run_id: 1 } }
      6: [{ status: 200 }]
  - name: of nobody
    answers:
      99: { status: 200 }
  - name: a module that does not exist
    answers:
      2: { status: 500 }
  - name: two in one
    answers:
      2: { status: 200, timeout: true }
  - name: no class
    answers:
      2: { error: Oops }
",
        expect![[r#"
            no answer at all: differs
              module 2 (http:ActionSendData) calls POST https://dbc.example/api/2.1/jobs/run-now, and the case has no answer to it: write answers: { 2: … }
            too few: differs
              module 6 (http:ActionSendData) calls GET https://dbc.example/api/2.1/jobs/runs/get?run_id=1 for the 2nd time, and the case has 1 answers to it
            of nobody: differs
              the case speaks of module 99, and the flow has none of that id
            a module that does not exist: differs
              module 7 (mail:Invented) does not exist here, and the case has no answer to it: write answers: { 7: … }
            two in one: differs
              answers.2: an answer needs one of status, bundles, error, and timeout: true
            no class: differs
              answers.2: "Oops" is no class of errors, such as ConnectionError or RuntimeError
            untouched: [7]
        "#]],
    );
}

#[test]
fn a_slip_of_the_pen_is_found() {
    for (tests, expected) in [
        ("tests: 3", "tests: a list of cases is needed"),
        ("tests:\n  - { nam: x }", "tests[0]: nam: unknown field `nam`"),
        ("tests:\n  - { name: x, answers: { 2: { stats: 200 } } }", "case \"x\": answers.2: unknown field `stats`"),
        ("tests:\n  - { name: x, expect: { outcome: fine } }", "\"fine\" is none of success, warning, error"),
        ("tests:\n  - { name: x, expect: { modules: { 2: often } } }", "\"often\" is none of never, a number of runs"),
        ("tests:\n  - { name: x, at: yesterday }", "case \"x\": at: "),
    ] {
        let problem = report(FLOW, tests).expect_err("it is refused");
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn a_failure_is_repeated_as_the_engine_would_and_told() {
    let flow = r#"
flow:
  - { id: 1, module: "gateway:CustomWebHook" }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "https://x.example", method: get } }
  - { id: 3, module: "gateway:WebhookRespond", mapper: { status: 201, body: "{{2.statusCode}}", headers: [{ key: X-A, value: b }] } }
"#;
    check(
        flow,
        r#"
tests:
  - name: the second attempt is answered
    at: 2026-03-29T00:30:00Z
    answers:
      2: [{ timeout: true, takesSeconds: 40 }, { error: ConnectionError, message: reset }, { status: 204 }]
    expect:
      response: { status: 201, body: 204, headers: { x-a: b } }
      modules: { 2: { runs: 1, requests: ["*", "*", { method: GET }] } }
  - name: nobody ever answers
    answers:
      2: { timeout: true, takesSeconds: 40 }
    expect:
      outcome: error
      reason: "*no complete answer from https://x.example within 40000 ms*"
      modules: { 2: { error: "*40000 ms*" }, 3: never }
"#,
        expect![[r"
            the second attempt is answered: holds
            nobody ever answers: holds
            untouched: []
        "]],
    );
}

#[test]
fn data_stores_hold_what_the_case_says_and_touch_no_other() {
    let flow = r#"
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "datastore:ExistRecord", parameters: { datastore: seen }, mapper: { key: "{{1.order}}" } }
  - { id: 3, module: "datastore:AddRecord", parameters: { datastore: seen }, mapper: { key: "{{1.order}}", data: { at: "{{now}}" } }, filter: { conditions: [[{ a: "{{2.exist}}", o: "boolean:equal", b: "false" }]] } }
"#;
    check(
        flow,
        r#"
tests:
  - name: a new order is kept
    start: { order: b }
    stores: { seen: { a: { at: x } } }
    expect: { stores: { seen: { a: { at: x }, b: { at: "2026-01-01T00:00:00.000Z" } } } }
  - name: a known one is left as it is
    start: { order: a }
    stores: { seen: { a: { at: x } } }
    expect: { modules: { 3: never }, stores: { seen: { a: { at: x }, b: { at: y } } } }
"#,
        expect![[r#"
            a new order is kept: holds
            a known one is left as it is: differs
              stores.seen.b: expected {"at":"y"}, but it is nothing
            untouched: []
        "#]],
    );
}

#[test]
fn a_pattern_fits_with_stars_for_any_letters() {
    for (pattern, text, does) in [
        ("", "", true),
        ("a", "ab", false),
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("a*a", "a", false),
        ("2 * 3", "2 * 3", true),
    ] {
        assert_eq!(fits(pattern, text), does, "{pattern} and {text}");
    }
}

#[test]
fn what_is_expected_may_be_less_than_what_there_is_but_in_lists() {
    let differences = |expected: Json, actual: Json| {
        let mut differences = Vec::new();
        compare("x", &expected, &actual, &mut differences);
        differences
    };
    for (expected, actual) in [
        (json!({"a": 1}), json!({"a": 1.0, "b": 2})),
        (json!({"a": null}), json!({})),
        (json!([{"a": "*"}]), json!([{"a": 0, "b": 1}])),
    ] {
        assert_eq!(differences(expected, actual), Vec::<String>::new());
    }
    assert_eq!(differences(json!({"a b": [1, 2]}), json!({"a b": [1]})), ["x.`a b`[2]: expected 2, but it is nothing"]);
    assert_eq!(differences(json!({"a": "*"}), json!({"a": null})), ["x.a: expected \"*\", but it is nothing"]);
    assert_eq!(differences(json!({"a": {"b": 1}}), json!({"a": 1})), ["x.a: expected {\"b\":1}, but it is 1"]);
}
