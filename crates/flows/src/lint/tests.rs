use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

/// Each remark with its place, as the command line prints it.
fn told(text: &str) -> String {
    let report = lint(text);
    let line = |remark: &Remark| {
        let place = remark.place.map_or_else(String::new, |place| format!("{}:{}: ", place.line, place.column));
        format!("{place}{}", remark.notice)
    };
    report
        .problem
        .iter()
        .map(|problem| format!("cannot be read: {problem}"))
        .chain(report.remarks.iter().map(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn check(flow: &str, expected: &Expect) {
    expected.assert_eq(&told(&format!("name: F\nflow:\n{flow}")));
}

#[test]
fn what_cannot_be_told_apart_is_told_with_its_place() {
    expect![[r#"
        cannot be read: missing field `id`
        1:1: module number 1 of the flow has no id: give it a number that no other has
        1:1: module number 1 of route 2 of module 2 has the id 0, which is not a whole number from 1 on
        1:55: module 2, module: "Sleep" is not the name of a module: it is written app:Name
        1:74: module 2, version: the version "three" is not a whole number"#]]
    .assert_eq(
        &told(r#"{"flow": [{"module": "util:FunctionSleep"}, {"id": 2, "module": "Sleep", "version": "three", "routes": [{}, {"flow": [{"id": 0, "module": "a:B"}]}]}]}"#),
    );
}

#[test]
fn ways_that_nothing_takes_are_told() {
    check(
        r#"  - { id: 1, module: "http:ActionSendData", version: 3, parameters: { handleErrors: true }, mapper: { url: "https://x.example", method: get } }
  - id: 2
    module: builtin:BasicRouter
    mapper: { a: 1 }
    onerror: [{ id: 9, module: "builtin:Ignore", onerror: [{ id: 10, module: "builtin:Ignore" }] }, { id: 11, module: "util:FunctionSleep", mapper: { duration: 1 } }]
    routes:
      - flow:
          - { id: 3, module: "util:ComposeTransformer", mapper: { value: "{{1.headers[0].name}}" }, filter: { conditions: [[{ a: "{{1.statusCode}}", o: "number:notequal", b: 200 }]] } }
      - flow:
          - { id: 4, module: "util:TextAggregator", parameters: { feeder: 3 }, mapper: { value: "{{run_id}}" } }
  - { id: 5, module: "util:ComposeTransformer", mapper: { value: "{{celonis.case_id}}" } }
"#,
        &expect![[r#"
            4:5: module 2: module 5 is never reached: nothing goes on behind "builtin:BasicRouter"
            6:5: module 2, mapper: a router has no fields: what is mapped here has no effect
            7:5: module 2, onerror: Make refuses an error route on a router; it does here what it does elsewhere
            7:15: module 9: module 11 is never reached: nothing goes on behind "builtin:Ignore"
            7:50: module 9, onerror: a directive cannot fail, so its error route is never taken
            10:67: module 3, mapper.value: elements are counted from 1: [0] is always empty
            10:101: module 3, filter: module 1 evaluates 4xx and 5xx as errors, so it fails before this filter sees them: switch "Evaluate all states as errors" off there, or give it an error route
            12:67: module 4, parameters.feeder: the source module 3 is on another path: nothing of it comes here
            12:90: module 4, mapper.value: "run_id" stands for nothing: write {{1.data.run_id}}
            13:59: module 5, mapper.value: "celonis.case_id" is a field of the signal that starts the flow, and no signal starts it: begin with loopwright:Signal, or declare the input "case_id""#]],
    );
    check(
        r#"  - id: 1
    module: builtin:BasicIfElse
    branches:
      - { type: condition, conditions: [[{ a: "{{1.x}}", o: exist }]], flow: [{ id: 2, module: "builtin:BasicRouter", routes: [{ flow: [{ id: 3, module: "util:ComposeTransformer", mapper: { value: x } }] }] }] }
      - { type: condition, conditions: [[{ a: "{{1.x}}", o: exist }]], flow: [] }
"#,
        &expect![[r"
            6:79: module 2: the editor of the original takes no router or if-else inside a branch; it runs here
            7:9: module 1, branches[2]: it is never taken: a branch before it has the same conditions"]],
    );
}

#[test]
fn settings_that_are_missing_or_unknown_are_told() {
    check(
        r#"  - { id: 1, module: "http:ActionSendData", version: 3, mapper: { Url: "https://x.example", timout: 3, body: "{“a”: 1}" } }
  - id: 2
    module: acme:Do
    parameters: { level: 9 }
    mapper: { size: large, count: many }
    metadata:
      parameters: [{ name: level, type: uinteger, label: Level, validate: { max: 5 } }, { name: __IMTCONN__, type: "account:acme", label: Connection, required: true }]
      expect:
        - { name: text, type: text, label: Text, required: true }
        - { name: size, type: select, validate: { enum: [small, big] } }
        - { name: count, type: number }
"#,
        &expect![[r#"
            3:57: module 1, mapper.url: "url" (URL) is required and missing
            3:67: module 1, mapper.Url: "http:ActionSendData" knows no "Url", which has no effect: did you mean "url"?
            3:93: module 1, mapper.timout: "http:ActionSendData" knows no "timout", which has no effect: did you mean "timeout"?
            3:104: module 1, mapper.body: it has typographic quotes, which JSON does not know: use "
            3:104: module 1, mapper.body: "http:ActionSendData" knows no "body", which has no effect: did you mean "bodyType"?
            4:5: module 2: module "acme:Do" does not exist here: a run fails when it comes to it
            6:5: module 2, parameters.__IMTCONN__: "__IMTCONN__" (Connection) is required and missing
            6:19: module 2, parameters.level: 9 is more than 5
            7:5: module 2, mapper.text: "text" (Text) is required and missing
            7:15: module 2, mapper.size: "large" is not one of "small", "big"
            7:28: module 2, mapper.count: "many" is not a number"#]],
    );
}

#[test]
fn a_flow_without_faults_is_passed_over_in_silence() {
    let flow = json!({"name": "F", "flow": [
        {"id": 1, "module": "http:ActionSendData", "version": 3, "parameters": {"handleErrors": false, "useNewZLibDeCompress": true},
         "mapper": {"url": "https://x.example", "serializeUrl": false, "method": "post", "headers": [], "qs": [], "bodyType": "raw",
            "parseResponse": true, "authUser": "", "authPass": "", "timeout": "", "shareCookies": false, "ca": "", "rejectUnauthorized": true,
            "followRedirect": true, "useQuerystring": false, "gzip": true, "useMtls": false, "contentType": "application/json",
            "data": "{\"a\": \"{{2.x}}\"}", "followAllRedirects": false}},
    ]});
    let text = flow.to_string().replace("{{2.x}}", "b");
    assert_eq!(told(&text), "");
}
