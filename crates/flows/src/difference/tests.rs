use expect_test::{Expect, expect};

use super::*;

fn check(before: &str, after: &str, expected: &Expect) {
    let read = |flow: &str| blueprint::document(flow).expect("a flow");
    let told = difference(&read(before), &read(after)).to_string();
    expected.assert_eq(&told);
    assert!(difference(&read(after), &read(after)).is_empty());
}

const BEFORE: &str = r#"
name: Late
scheduling: { type: indefinitely, interval: 900 }
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://a.example", headers: [{ name: Authorization, value: "Bearer dapi0123456789abcdef0123456789abcdef" }] }, metadata: { designer: { x: 0, y: 0, name: Start it } } }
  - { id: 2, module: "util:FunctionSleep", mapper: { duration: 30 } }
  - id: 3
    module: builtin:BasicRouter
    routes:
      - { flow: [{ id: 4, module: "util:ComposeTransformer", mapper: { value: a } }, { id: 5, module: "util:ComposeTransformer", mapper: { value: b } }] }
"#;

#[test]
fn each_change_is_told_by_its_module() {
    check(
        BEFORE,
        r#"
name: Late
scheduling: { type: indefinitely, interval: 300 }
flow:
  - { id: 1, module: "http:ActionSendData", mapper: { url: "https://b.example", headers: [{ name: Authorization, value: "Bearer dapiffffffffffffffffffffffffffffffff" }], timeout: 3 }, metadata: { designer: { x: 70, y: 0, name: Start it } } }
  - { id: 7, module: "util:ComposeTransformer", mapper: { value: new } }
  - id: 3
    module: builtin:BasicRouter
    parameters: { else: 0 }
    routes:
      - { flow: [{ id: 5, module: "util:ComposeTransformer", mapper: { value: b } }] }
      - { flow: [{ id: 4, module: "util:ComposeTransformer", mapper: { value: c } }] }
"#,
        &expect![[r#"
            ~ module 1, http:ActionSendData "Start it"
                mapper.headers[1].value: "Bearer dapi…" → "Bearer dapi…"
                mapper.timeout: 3 is new
                mapper.url: "https://a.example" → "https://b.example"
            + module 7, util:ComposeTransformer: new, behind module 1
            ~ module 3, builtin:BasicRouter
                parameters.else: 0 is new
                routes[2]: {} is new
            > module 4, util:ComposeTransformer: moved here: in route 2 of module 3, first; before: in route 1 of module 3, first
                mapper.value: "a" → "c"
            - module 2, util:FunctionSleep: gone, behind module 1
            ~ the flow
                scheduling.interval: 900 → 300
        "#]],
    );
}

#[test]
fn what_is_drawn_elsewhere_is_no_change() {
    check(BEFORE, &BEFORE.replace("x: 0", "x: 300"), &expect![""]);
}
