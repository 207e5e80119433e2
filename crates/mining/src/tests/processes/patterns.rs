//! Cases by the order in which their activities follow each other.

use std::sync::Arc;

use expect_test::expect;

use super::{CASES, ask, check, log_of};
use crate::evaluate::unheard;
use crate::pql::check::{Checker, Vocabulary};

/// Which cases satisfy a condition.
fn check_cases(condition: &str, expected: &[&str]) {
    let found = ask(&log_of(CASES), &format!(r#"FILTER {condition}; "ORDERS"."CASE""#)).expect(condition);
    let mut found: Vec<String> = found.rows.iter().map(|row| row[0].to_string()).collect();
    found.sort();
    assert_eq!(found, expected, "{condition}");
}

#[test]
fn process_equals() {
    check_cases(r#"PROCESS ON "EV"."X" EQUALS 'A' TO 'B'"#, &["1", "2", "5"]);
    check_cases(r#"PROCESS ON "EV"."X" EQUALS START 'A' TO 'B'"#, &["1", "2"]);
    check_cases(r#"PROCESS ON "EV"."X" EQUALS 'B' -> ANY -> 'D' $"#, &["1"]);
    check_cases(r#"PROCESS ON "EV"."X" EQUALS ^ 'A' $"#, &["3"]);
    check_cases(r#"PROCESS ON "EV"."X" NOT EQUALS 'A' TO 'B'"#, &["3", "4"]);
    check_cases("PROCESS EQUALS LIKE 'hid%'", &["2"]);
    check_cases("PROCESS EQUALS LIKE 'HID%'", &[]);
    check_cases("PROCESS EQUALS ('D', LIKE 'h%') END", &["1"]);
    check_cases("PROCESS EQUALS 'Unknown'", &[]);
    check_cases("PROCESS NOT EQUALS 'Unknown'", &["1", "2", "3", "4", "5"]);
    check_cases(r#"NOT (PROCESS EQUALS 'A' TO 'B') AND "ORDERS"."VENDOR" = 'v1'"#, &["3"]);
    check(
        CASES,
        "CASE WHEN PROCESS EQUALS START 'A' THEN 'yes' ELSE 'no' END",
        &expect![[r"
            yes
            yes
            yes
            no
            no
        "]],
    );
}

#[test]
fn match_process() {
    let on = |pattern: &str| format!(r#"MATCH_PROCESS("EV"."X", {pattern}) = 1"#);
    check_cases(&on("NODE['A'] AS a, NODE['C'] AS c CONNECTED BY EVENTUALLY[a, c]"), &["1", "2"]);
    check_cases(&on("NODE['A'] AS a, NODE['B'] AS b CONNECTED BY DIRECT[a, b]"), &["1", "2", "5"]);
    check_cases(&on("NODE['A'] AS a, NODE['C'] AS c CONNECTED BY DIRECT[a, c]"), &[]);
    check_cases(
        &on("NODE['A'] AS a, LOOP['B'] AS b, NODE['C'] AS c CONNECTED BY DIRECT[a, b], DIRECT[b, c]"),
        &["1", "2"],
    );
    check_cases(
        &on("NODE['A'] AS a, OPTIONAL['B'] AS b, NODE['C'] AS c CONNECTED BY DIRECT[a, b], DIRECT[b, c]"),
        &["1"],
    );
    check_cases(&on("STARTING['C'] AS c, ENDING['A', 'D'] AS e CONNECTED BY EVENTUALLY[c, e]"), &["5"]);
    check_cases(&on("STARTING['A'] AS a, ENDING['A'] AS e CONNECTED BY EVENTUALLY[a, e]"), &[]);
    // B and C come after A, in any order.
    check_cases(
        &on("NODE['A'] AS a, NODE['B'] AS b, NODE['C'] AS c CONNECTED BY EVENTUALLY[a, c], EVENTUALLY[a, b]"),
        &["1", "2"],
    );
    // Without edges, they only have to be there.
    check_cases(&on("NODE['A'] AS a, NODE['B'] AS b, NODE['C'] AS c"), &["1", "2", "5"]);
    check_cases("MATCH_PROCESS(NODE[LIKE 'hid%'] AS h) = 1", &["2"]);
    check(
        CASES,
        "MATCH_PROCESS(NODE['A'] AS a CONNECTED BY DIRECT[a, bb])",
        &expect![[r#"line 1, column 43: there is no node "bb""#]],
    );
    check(
        CASES,
        "MATCH_PROCESS(NODE['A'] AS a, NODE['B'] AS b CONNECTED BY DIRECT[a, b], DIRECT[b, a])",
        &expect![
            "line 1, column 1: the nodes can stand in no order that satisfies all edges: an edge leads back, two nodes stand directly beside the same one, or a STARTING or ENDING node stands in the middle"
        ],
    );
    check(
        CASES,
        "MATCH_PROCESS(NODES['A'] AS a)",
        &expect![[
            r#"line 1, column 15: expected a node such as NODE['Ship'] AS s, found NODES; did you mean "NODE"?"#
        ]],
    );
}

#[test]
fn match_process_regex() {
    let on = |pattern: &str| format!(r#"MATCH_PROCESS_REGEX("EV"."X", {pattern}) = 1"#);
    check_cases(&on("'A' >> 'B'"), &["1", "2", "5"]);
    check_cases(&on("^ 'A' >> 'B'+ >> 'C' $"), &["2"]);
    check_cases(&on("^ 'A' >> ANY* >> ['C', 'D'] $"), &["1", "2"]);
    check_cases(&on("^ [! 'A']"), &["5"]);
    check_cases(&on("'B'{3}"), &["2"]);
    check_cases(&on("'B'{4,}"), &[]);
    check_cases(&on("^ .{4} $"), &["1", "5"]);
    check_cases(&on("^ 'A'? $"), &["3", "4"]);
    check_cases(&on("('C' >> 'D') | ('C' >> 'A')"), &["1", "5"]);
    check_cases(&on("('C' | 'D') AS x, 'B' >> x >> x"), &["1"]);
    check_cases("MATCH_PROCESS_REGEX(LIKE 'hid%' >> 'B') = 1", &["2"]);
    check_cases(r#"MATCH_PROCESS_REGEX(LOWER("EV"."X"), 'a' >> 'b') = 1"#, &["1", "2", "5"]);
    check(
        CASES,
        "MATCH_PROCESS_REGEX('A' >> B)",
        &expect![[
            r#"line 1, column 28: no pattern before this one is called "B"; an activity stands in single quotes"#
        ]],
    );
    check(
        CASES,
        "MATCH_PROCESS_REGEX(((('A'{1000}){1000}){1000}){1000})",
        &expect![
            "line 1, column 1: the pattern has 1001001001001 parts once repetitions are written out, and at most 20000 are possible"
        ],
    );
}

#[test]
fn names_that_no_event_bears_are_told() {
    let log = log_of(&[("1", "AB"), ("2", "C")]);
    let vocabulary = Vocabulary::default();
    let mut checker = Checker::new(log.catalog().clone(), &vocabulary);
    let texts = [
        "PROCESS EQUALS 'A' TO LIKE 'Ship%'",
        "MATCH_ACTIVITIES(NODE['A', 'AB'], EXCLUDING['AB']) = 1",
        "CALC_THROUGHPUT(CASE_START TO LAST_OCCURRENCE['D'], 1) > 1",
        r#"MATCH_PROCESS_REGEX(LOWER("EV"."ACT"), 'a' >> ['B', 'c']) = 1"#,
    ];
    let nodes = texts.map(|text| checker.condition(text).expect(text));
    let told = unheard(&log, &Arc::new(checker.finish()), &nodes, 0);
    expect![[r#"
        no event bears a name like 'Ship%'
        no event bears the name 'AB'; did you mean "A"?
        no event bears the name 'D'; did you mean "A"?
        no event bears the name 'B'; did you mean "b"?"#]]
    .assert_eq(&told.join("\n"));
}
