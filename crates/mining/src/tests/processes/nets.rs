//! Cases replayed on a model of the process.

use expect_test::expect;

use super::check;

/// A, then B or both C and D, then E.
pub(super) const NET: &str = r#"["p0" "p1" "p2" "p3" "p4" "p5" "p6" "p7"], ["a" "b" "fork" "c" "d" "join" "e"],
    [["p0" "a"] ["a" "p1"] ["p1" "b"] ["b" "p6"] ["p1" "fork"] ["fork" "p2"] ["fork" "p3"] ["p2" "c"] ["c" "p4"]
     ["p3" "d"] ["d" "p5"] ["p4" "join"] ["p5" "join"] ["join" "p6"] ["p6" "e"] ["e" "p7"]],
    [['A' "a"] ['B' "b"] ['C' "c"] ['D' "d"] ['E' "e"]], ["p0"], ["p7"]"#;

/// The same.
pub(super) const BPMN: &str =
    "[[0 BPMN_START] [1 BPMN_TASK 'A'] [2 BPMN_EXCLUSIVE_CHOICE] [3 BPMN_TASK 'B'] [4 BPMN_PARALLEL]
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
