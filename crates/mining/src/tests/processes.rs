//! Operators over the events of a case: what they answer, and the laws that
//! hold between them.

mod patterns;
mod nets;
mod example;
mod laws;

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::{asking, at, model, rows};
use crate::log::EventLog;
use crate::value::Answer;

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
    asking::ask(log, pql, at("2026-03-04 12:00"))
}

fn check(cases: &[(&str, &str)], pql: &str, expected: &Expect) {
    expected.assert_eq(&asking::told(&log_of(cases), pql, at("2026-03-04 12:00")));
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
