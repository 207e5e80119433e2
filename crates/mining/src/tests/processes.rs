//! Operators over the events of a case: what they answer, and the laws that
//! hold between them.

mod example;
mod laws;

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::{at, model, rows};
use crate::evaluate::{answer, unheard};
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::value::{Answer, Value};

/// Loads events of `case: activities`, one letter each, `-` for one without a
/// name in column X; an hour lies between two events.
fn log_of(cases: &[(&str, &str)]) -> Arc<EventLog> {
    let mut events = "CASE | ACT | X | TS:time | N:int\n".to_owned();
    let mut orders = "CASE | VENDOR\n".to_owned();
    for (case, activities) in cases {
        for (hour, activity) in activities.chars().enumerate() {
            let name = if activity == '-' { "hidden".to_owned() } else { activity.to_string() };
            let (day, hour) = (hour / 24 + 1, hour % 24);
            events += &format!("{case} | {name} | {activity} | 2026-03-{day:02} {hour:02}:00 | {}\n", name.len());
        }
        orders += &format!("{case} | v{}\n", activities.len() % 2);
    }
    let vendors = rows("ID | NAME\nv0 | even\nv1 | odd");
    let model = model(&["EV", "ORDERS", "VENDOR"], Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]);
    let loaded = [rows(&events), rows(&orders), vendors].map(|rows| (rows, Vec::new()));
    Arc::new(EventLog::new(&model, &loaded, 1).expect("it loads"))
}

fn ask(log: &Arc<EventLog>, pql: &str) -> Result<Answer, String> {
    let vocabulary = Vocabulary::default();
    let plan = Checker::new(log.catalog().clone(), &vocabulary).query(pql).map_err(|faults| faults.to_string())?;
    Ok(answer(log.clone(), &plan, at("2026-03-04 12:00").as_millis()))
}

fn check(cases: &[(&str, &str)], pql: &str, expected: &Expect) {
    let line = |row: &Vec<Value>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ") + "\n";
    match ask(&log_of(cases), pql) {
        Ok(answer) => expected.assert_eq(&answer.rows.iter().map(line).collect::<String>()),
        Err(faults) => expected.assert_eq(&faults),
    }
}

const CASES: &[(&str, &str)] = &[("1", "ABCD"), ("2", "AB-BBC"), ("3", "A"), ("4", ""), ("5", "CABA")];

#[test]
fn events_are_counted_within_their_case() {
    check(
        &[("1", "ABAA-A")],
        r#""EV"."X", INDEX_ACTIVITY_ORDER("EV"."X"), INDEX_ACTIVITY_ORDER_REVERSE("EV"."X"),
           INDEX_ACTIVITY_TYPE("EV"."X"), INDEX_ACTIVITY_TYPE_REVERSE("EV"."X"),
           INDEX_ACTIVITY_LOOP("EV"."X"), INDEX_ACTIVITY_LOOP_REVERSE("EV"."X"), INDEX_ACTIVITY_TYPE("EV"."N"),
           PROCESS_ORDER("EV"."X"), ACTIVATION_COUNT("EV"."X")"#,
        &expect![[r"
            A | 1 | 5 | 1 | 4 | 1 | 1 | 1 | 1 | 1
            B | 2 | 4 | 1 | 1 | 1 | 1 | 2 | 2 | 1
            A | 3 | 3 | 2 | 3 | 1 | 3 | 3 | 3 | 2
            A | 4 | 2 | 3 | 2 | 2 | 2 | 4 | 4 | 3
            NULL | NULL | NULL | NULL | NULL | NULL | NULL | 1 | NULL | NULL
            A | 5 | 1 | 4 | 1 | 3 | 1 | 5 | 5 | 4
        "]],
    );
}

#[test]
fn variants_and_rework() {
    check(
        CASES,
        r#""ORDERS"."CASE", VARIANT("EV"."X"), SHORTENED(VARIANT("EV"."X")), SHORTENED(VARIANT("EV"."X"), 1),
           VARIANT(LOWER("EV"."X")), CALC_REWORK("EV"."X"), CALC_REWORK("EV"."ACT" = 'B', "EV"."X"), CALC_REWORK()"#,
        &expect![[r"
            1 | A, B, C, D | A, B, C, D | A, B, C, D | a, b, c, d | 4 | 1 | 4
            2 | A, B, B, B, C | A, B, B, C | A, B, C | a, b, b, b, c | 5 | 3 | 6
            3 | A | A | A | a | 1 | 0 | 1
            5 | C, A, B, A | C, A, B, A | C, A, B, A | c, a, b, a | 4 | 1 | 4
            4 | NULL | NULL | NULL | NULL | 0 | 0 | 0
        "]],
    );
    check(
        CASES,
        r#"SHORTENED("EV"."X")"#,
        &expect![[r#"line 1, column 11: expected a variant, as in VARIANT("TABLE"."COLUMN")"#]],
    );
    check(CASES, r#"SHORTENED(VARIANT("EV"."X"), 0)"#, &expect!["line 1, column 30: expected a whole number above 0"]);
}

#[test]
fn throughput_and_crops() {
    check(
        CASES,
        r#""ORDERS"."CASE", CALC_THROUGHPUT(CASE_START TO CASE_END, REMAP_TIMESTAMPS("EV"."TS", HOURS)),
           CALC_THROUGHPUT(FIRST_OCCURRENCE['A'] TO LAST_OCCURRENCE['B'], REMAP_TIMESTAMPS("EV"."TS", HOURS), "EV"."X"),
           CALC_THROUGHPUT(LAST_OCCURRENCE['B'] TO FIRST_OCCURRENCE['A'], REMAP_TIMESTAMPS("EV"."TS", HOURS)),
           CALC_THROUGHPUT(CASE_START TO LAST_OCCURRENCE['Nothing'], REMAP_TIMESTAMPS("EV"."TS", HOURS))"#,
        &expect![[r"
            1 | 3 | 1 | NULL | NULL
            2 | 5 | 4 | NULL | NULL
            3 | NULL | NULL | NULL | NULL
            5 | 3 | 1 | NULL | NULL
            4 | NULL | NULL | NULL | NULL
        "]],
    );
    check(
        CASES,
        r#""EV"."CASE", "EV"."X", CALC_CROP(FIRST_OCCURRENCE['B'] TO LAST_OCCURRENCE['C'], "EV"."X"),
           CALC_CROP_TO_NULL(FIRST_OCCURRENCE['B'] TO CASE_END, "EV"."X")"#,
        &expect![[r"
            1 | A | NULL | NULL
            1 | B | 1 | B
            1 | C | 1 | C
            1 | D | NULL | D
            2 | A | NULL | NULL
            2 | B | 1 | B
            2 | NULL | 1 | NULL
            2 | B | 1 | B
            2 | B | 1 | B
            2 | C | 1 | C
            3 | A | NULL | NULL
            5 | C | NULL | NULL
            5 | A | NULL | NULL
            5 | B | NULL | B
            5 | A | NULL | A
        "]],
    );
}

#[test]
fn pairs_of_events() {
    let all = [
        "ANY_OCCURRENCE[] TO ANY_OCCURRENCE[]",
        "FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[]",
        "FIRST_OCCURRENCE[] TO ANY_OCCURRENCE_WITH_SELF[]",
        "ANY_OCCURRENCE[] TO LAST_OCCURRENCE[]",
        "FIRST_OCCURRENCE[] TO LAST_OCCURRENCE[]",
    ];
    let expected = [
        expect![[r"
        1 | A | B | 1.0
        1 | B | C | 2.0
    "]],
        expect![[r"
        1 | A | B | 1.0
        1 | A | C | 3.0
    "]],
        expect![[r"
        1 | A | A | 0.0
        1 | A | B | 1.0
        1 | A | C | 3.0
        2 | D | D | 0.0
    "]],
        expect![[r"
        1 | A | C | 3.0
        1 | B | C | 2.0
    "]],
        expect![[r"
        1 | A | C | 3.0
    "]],
    ];
    for (pairing, expected) in all.into_iter().zip(expected) {
        let pql = format!(
            r#""ORDERS"."CASE", SOURCE("EV"."ACT", "EV"."X", {pairing}), TARGET("EV"."ACT", "EV"."X", {pairing}),
               DATEDIFF(hh, SOURCE("EV"."TS", "EV"."X", {pairing}), TARGET("EV"."TS", "EV"."X", {pairing}))"#
        );
        check(&[("1", "AB-C"), ("2", "D")], &pql, &expected);
    }
    check(
        &[("1", "AB"), ("2", "C"), ("3", "")],
        r#""ORDERS"."CASE", SOURCE("EV"."ACT", WITH START('begin')), TARGET("EV"."ACT", WITH END()), SOURCE("EV"."N")"#,
        &expect![[r"
            1 | begin | A | NULL
            1 | A | B | 1
            1 | B | NULL | 1
            2 | begin | C | NULL
            2 | C | NULL | 1
        "]],
    );
}

#[test]
fn pairs_are_grouped_filtered_and_pulled_up() {
    check(
        CASES,
        r#"TABLE(SOURCE("EV"."ACT") AS s, TARGET("EV"."ACT") AS t, COUNT(SOURCE("EV"."ACT")),
           AVG(DATEDIFF(mi, SOURCE("EV"."TS"), TARGET("EV"."TS")))) ORDER BY s, t"#,
        &expect![[r"
            A | B | 3 | 60.0
            B | A | 1 | 60.0
            B | B | 1 | 60.0
            B | C | 2 | 60.0
            B | hidden | 1 | 60.0
            C | A | 1 | 60.0
            C | D | 1 | 60.0
            hidden | B | 1 | 60.0
        "]],
    );
    check(
        CASES,
        r#"FILTER SOURCE("EV"."ACT") = 'A' AND TARGET("EV"."ACT") = 'B'; "ORDERS"."CASE", COUNT("EV"."ACT")"#,
        &expect![[r"
            1 | 4
            2 | 6
            5 | 4
        "]],
    );
    check(
        CASES,
        r#"FILTER PROCESS EQUALS 'B' TO 'A'; SOURCE("EV"."ACT"), TARGET("EV"."ACT"), "VENDOR"."NAME""#,
        &expect![[r"
            C | A | even
            A | B | even
            B | A | even
        "]],
    );
    check(
        CASES,
        r#""ORDERS"."CASE", PU_COUNT("ORDERS", SOURCE("EV"."ACT"), SOURCE("EV"."ACT") = TARGET("EV"."ACT")),
           PU_LAST("ORDERS", TARGET("EV"."ACT")), PU_COUNT("VENDOR", SOURCE("EV"."ACT"))"#,
        &expect![[r"
            1 | 0 | D | 11
            2 | 1 | C | 11
            3 | 0 | NULL | 0
            5 | 0 | A | 11
            4 | 0 | NULL | 11
        "]],
    );
    check(
        CASES,
        r#"SOURCE("EV"."ACT"), TARGET("EV"."ACT", "EV"."X")"#,
        &expect![[
            r#"line 1, column 21: TARGET("EV"."ACT", "EV"."X") pairs other events than SOURCE("EV"."ACT"); all SOURCE and TARGET of a query need the same filter column and the same edge configuration"#
        ]],
    );
    check(
        CASES,
        r#"SOURCE("EV"."ACT"), "EV"."ACT""#,
        &expect![[
            r#"line 1, column 21: the pairs of SOURCE and TARGET and table "EV" have no common table; pull one up with a PU operator or use BIND"#
        ]],
    );
    check(
        CASES,
        r#"SOURCE("EV"."ACT", FIRST_OCCURENCE[] TO ANY_OCCURRENCE[])"#,
        &expect![
            "line 1, column 20: expected ANY_OCCURRENCE[] TO ANY_OCCURRENCE[], FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[], FIRST_OCCURRENCE[] TO ANY_OCCURRENCE_WITH_SELF[], ANY_OCCURRENCE[] TO LAST_OCCURRENCE[] or FIRST_OCCURRENCE[] TO LAST_OCCURRENCE[]"
        ],
    );
    check(
        CASES,
        r#"SOURCE("EV"."ACT", WITH END('x'))"#,
        &expect!["line 1, column 20: WITH START belongs into SOURCE, WITH END into TARGET"],
    );
    check(
        CASES,
        r#"SOURCE("EV"."N", WITH START('x'))"#,
        &expect!["line 1, column 29: an INT and a STRING do not go together here"],
    );
}

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
fn pairs_have_combinations() {
    check(
        CASES,
        r#"TABLE(DISTINCT SOURCE("EV"."ACT") AS s, TARGET("EV"."ACT") AS t,
                 PU_COUNT(DOMAIN_TABLE(SOURCE("EV"."ACT"), TARGET("EV"."ACT")), SOURCE("EV"."ACT")),
                 PU_COUNT(DOMAIN_TABLE("VENDOR"."NAME"), SOURCE("EV"."ACT"))) ORDER BY s, t"#,
        &expect![[r"
            A | B | 3 | 11
            B | A | 1 | 11
            B | B | 1 | 11
            B | C | 2 | 11
            B | hidden | 1 | 11
            C | A | 1 | 11
            C | D | 1 | 11
            hidden | B | 1 | 11
        "]],
    );
}

#[test]
fn tables_and_columns_by_their_role() {
    check(
        &[("1", "AB")],
        r#"DEFAULT ACTIVITY_COLUMN LOWER("EV"."X");
           CASE_ID_COLUMN(), ACTIVITY_COLUMN("EV"), TIMESTAMP_COLUMN("EV"."ACT"), END_TIMESTAMP_COLUMN(),
           PU_COUNT(CASE_TABLE(), ACTIVITY_COLUMN()), PU_COUNT(CASE_TABLE("EV"), "EV"."ACT"),
           MATCH_ACTIVITIES(NODE['a']), CALC_THROUGHPUT(CASE_START TO LAST_OCCURRENCE['b'], "EV"."N")"#,
        &expect![[r"
            1 | A | 2026-03-01T00:00:00.000Z | 2026-03-01T00:00:00.000Z | 2 | 2 | 1 | 0
            1 | B | 2026-03-01T01:00:00.000Z | 2026-03-01T01:00:00.000Z | 2 | 2 | 1 | 0
        "]],
    );
    check(
        &[("1", "AB")],
        "COUNT_TABLE(ACTIVITY_TABLE())",
        &expect![[r"
        2
    "]],
    );
    check(
        &[("1", "AB")],
        "SORTING_COLUMN()",
        &expect!["line 1, column 1: the data model names no sorting column; give it one, or order by time"],
    );
    check(
        &[("1", "AB")],
        r#"ACTIVITY_COLUMN("ORDERS")"#,
        &expect![[r#"line 1, column 17: "ORDERS" is not the activity table; that is "EV""#]],
    );
    check(
        &[("1", "AB")],
        "CASE_TABLE()",
        &expect!["line 1, column 1: CASE_TABLE is a table; it stands where a table's name could stand"],
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

/// A, then B or both C and D, then E.
const NET: &str = r#"["p0" "p1" "p2" "p3" "p4" "p5" "p6" "p7"], ["a" "b" "fork" "c" "d" "join" "e"],
    [["p0" "a"] ["a" "p1"] ["p1" "b"] ["b" "p6"] ["p1" "fork"] ["fork" "p2"] ["fork" "p3"] ["p2" "c"] ["c" "p4"]
     ["p3" "d"] ["d" "p5"] ["p4" "join"] ["p5" "join"] ["join" "p6"] ["p6" "e"] ["e" "p7"]],
    [['A' "a"] ['B' "b"] ['C' "c"] ['D' "d"] ['E' "e"]], ["p0"], ["p7"]"#;

/// The same.
const BPMN: &str = "[[0 BPMN_START] [1 BPMN_TASK 'A'] [2 BPMN_EXCLUSIVE_CHOICE] [3 BPMN_TASK 'B'] [4 BPMN_PARALLEL]
     [5 BPMN_TASK 'C'] [6 BPMN_TASK 'D'] [7 BPMN_PARALLEL] [8 BPMN_EXCLUSIVE_CHOICE] [9 BPMN_TASK 'E'] [10 BPMN_END]],
    [[0 1] [1 2] [2 3] [2 4] [4 5] [4 6] [5 7] [6 7] [3 8] [7 8] [8 9] [9 10]]";

#[test]
fn cases_are_replayed_on_a_model() {
    let cases = &[
        ("1", "ABE"),
        ("2", "AC-DE"),
        ("3", "ADCE"),
        ("4", "AE"),
        ("5", "AXBE"),
        ("6", "BE"),
        ("7", "AB"),
        ("8", "ABBE"),
        ("9", ""),
    ];
    check(
        cases,
        &format!(
            r#"FILTER CONFORMANCE("EV"."X", {NET}) != 0;
               "EV"."CASE", "EV"."X", CONFORMANCE("EV"."X", {NET}), READABLE(CONFORMANCE("EV"."X", {NET}))"#
        ),
        &expect![[r"
            4 | E | 4294967301 | 'A' is followed by 'E'
            5 | X | -1 | 'X' is an undesired activity
            6 | B | 2 | 'B' is executed as start activity
            7 | B | 2147483647 | 'B' is executed as end activity
            8 | B | 8589934594 | 'B' is followed by 'B'
        "]],
    );
    check(
        cases,
        &format!(r#""ORDERS"."CASE", BPMN_CONFORMS("EV"."X", {BPMN})"#),
        &expect![[r"
        1 | 1
        2 | 1
        3 | 1
        4 | 0
        5 | 0
        6 | 0
        7 | 0
        8 | 0
        9 | 0
    "]],
    );
    check(
        cases,
        r#"CONFORMANCE("EV"."X", ["p"], ["t"], [["p" "t2"]], [], ["p"], ["p"])"#,
        &expect![[r#"line 1, column 43: there is no place or transition "t2"; did you mean "t"?"#]],
    );
    check(
        cases,
        r#"CONFORMANCE("EV"."X", ["p" "q"], ["t"], [["p" "q"]], [], ["p"], ["p"])"#,
        &expect!["line 1, column 42: an edge leads from a place to a transition, or from a transition to a place"],
    );
    check(
        cases,
        r#"CONFORMANCE("EV"."X", ["p"], ["t"], [], [['A' "t"]], ["p"], [])"#,
        &expect!["line 1, column 61: expected at least one place"],
    );
    check(cases, r#"READABLE("EV"."X")"#, &expect!["line 1, column 10: expected CONFORMANCE(…), which it explains"]);
    check(
        cases,
        r#"BPMN_CONFORMS("EV"."X", [[0 BPMN_START] [1 BPMN_TAKS 'A']], [[0 1]])"#,
        &expect![[
            r#"line 1, column 41: expected a vertex such as [0 BPMN_START] or [1 BPMN_TASK 'Ship']; did you mean "BPMN_TASK"?"#
        ]],
    );
    check(
        cases,
        r#"BPMN_CONFORMS("EV"."X", [[0 BPMN_START] [1 BPMN_END]], [[0 2]])"#,
        &expect!["line 1, column 60: expected the number of a vertex"],
    );
    check(
        cases,
        r#"BPMN_CONFORMS("EV"."X", [[0 BPMN_START] [1 BPMN_END] [2 BPMN_PARALLEL]], [[0 1]])"#,
        &expect![
            "line 1, column 54: vertex 2 has 0 edges in and 0 out: a start has one out, an end at least one in, a task at least one in and one out, a gateway at least one of each"
        ],
    );
}

#[test]
fn a_model_with_endless_silent_steps_is_given_up() {
    check(
        &[("1", "AB")],
        r#"CONFORMANCE("EV"."X", ["p" "q" ""], ["a" "more"], [["p" "a"] ["a" "q"] ["q" "more"] ["more" "q"] ["more" "r"]],
                       [['A' "a"] ['B' "a"]], ["p"], ["q"])"#,
        &expect![[r#"line 1, column 106: there is no place or transition "r"; did you mean "p"?"#]],
    );
}
