//! What queries answer, on a log that fits on a screen.

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::asking::told;
use super::{at, model, rows};
use crate::log::EventLog;

/// Two vendors, three orders of which one has no vendor, and their events.
fn log() -> Arc<EventLog> {
    let events = rows(
        "CASE | ACT     | TS:time          | USER | H:float
         1    | Create  | 2026-03-01 08:00 | ann  | 1
         1    | Approve | 2026-03-01 10:00 | ben  | 2
         1    | Pay     | 2026-03-02 10:00 | ann  | -
         2    | Create  | 2026-03-01 09:00 | ann  | 4
         2    | Change  | 2026-03-01 12:00 | cid  | 8
         2    | Change  | 2026-03-01 12:00 | -    | 16
         2    | Approve | 2026-03-03 12:00 | ann  | 32
         3    | Create  | 2026-03-05 00:00 | ben  | 64
         9    | Create  | 2026-03-06 00:00 | eve  | 128
         -    | Create  | 2026-03-06 00:00 | eve  | 256",
    );
    let orders = rows(
        "CASE | VENDOR | VALUE:int
         1    | v1     | 100
         2    | v1     | 250
         3    | -      | 40
         4    | v2     | -",
    );
    let vendors = rows(
        "ID | NAME
         v1 | Miller
         v2 | Smith",
    );
    let model = model(&["EV", "ORDERS", "VENDOR"], Some("ORDERS"), &[("ORDERS", "VENDOR", "VENDOR", "ID")]);
    let loaded = [events, orders, vendors].map(|rows| (rows, Vec::new()));
    Arc::new(EventLog::new(&model, &loaded, 1).expect("it loads"))
}

fn check(pql: &str, expected: &Expect) {
    expected.assert_eq(&told(&log(), pql, at("2026-03-04 12:00")));
}

#[test]
fn rows_come_from_the_common_table() {
    check(
        r#""ORDERS"."CASE", "VENDOR"."NAME""#,
        &expect![[r"
            1 | Miller
            2 | Miller
            3 | NULL
            4 | Smith
        "]],
    );
    // Order 9 has events, but no row: its events stay, with nothing beside them.
    check(
        r#"TABLE("EV"."ACT", "ORDERS"."VALUE" AS "value") ORDER BY "value" DESC, "EV"."TS" LIMIT 5 OFFSET 1"#,
        &expect![[r"
            Change | 250
            Change | 250
            Approve | 250
            Create | 100
            Approve | 100
        "]],
    );
    check(
        r#"FILTER "VENDOR"."NAME" = 'Miller'; "EV"."CASE", COUNT("EV"."ACT")"#,
        &expect![[r"
            1 | 3
            2 | 4
        "]],
    );
}

#[test]
fn aggregates_group_by_the_other_columns() {
    check(
        r#""VENDOR"."NAME", COUNT_TABLE("ORDERS"), SUM("ORDERS"."VALUE"), AVG("ORDERS"."VALUE"), MAX("ORDERS"."CASE")"#,
        &expect![[r"
            Miller | 2 | 350 | 175.0 | 2
            NULL | 1 | 40 | 40.0 | 3
            Smith | 1 | NULL | NULL | 4
        "]],
    );
    // An activity column multiplies the values of its case.
    check(r#"SUM("ORDERS"."VALUE"), COUNT("EV"."ACT"), COUNT(DISTINCT "EV"."USER")"#, &expect!["1340 | 9 | 4\n"]);
    check(
        r#"QUANTILE("EV"."H", 0.5), MEDIAN("EV"."H"), MIN("EV"."TS")"#,
        &expect!["16.0 | 16.0 | 2026-03-01T08:00:00.000Z\n"],
    );
    check(r#"FILTER "EV"."ACT" = 'Nothing'; COUNT("EV"."ACT"), SUM("EV"."H")"#, &expect!["0 | NULL\n"]);
    check(
        r#""EV"."ACT", SUM("EV"."H") / COUNT("EV"."H") + 1 AS x"#,
        &expect![[r"
        Create | 50.25
        Approve | 18.0
        Pay | NULL
        Change | 13.0
    "]],
    );
}

#[test]
fn filters_travel_along_the_joins() {
    // To the 1-side: an order stays if one of its events does. Both conditions
    // have to hold for one and the same event.
    check(r#"FILTER "EV"."ACT" = 'Change'; FILTER "EV"."USER" = 'cid'; "ORDERS"."CASE""#, &expect!["2\n"]);
    check(r#"FILTER "EV"."ACT" = 'Pay'; FILTER "EV"."USER" = 'ben'; "ORDERS"."CASE""#, &expect![""]);
    check(r#"FILTER "EV"."ACT" = 'Pay'; "VENDOR"."NAME""#, &expect!["Miller\n"]);
    // Unknown drops the row.
    check(r#"FILTER "EV"."USER" != 'ann'; "EV"."CASE""#, &expect!["1\n2\n3\n9\n"]);
    check(r#"FILTER "EV"."USER" = NULL; "EV"."CASE""#, &expect![""]);
    check(r#"FILTER "EV"."USER" IS NULL; "EV"."CASE""#, &expect!["2\n"]);
}

#[test]
fn null_is_not_false() {
    check(
        r#"TABLE(CASE WHEN "ORDERS"."VALUE" > 90 THEN 'big' ELSE 'small' END)"#,
        &expect![[r"
            big
            big
            small
            NULL
        "]],
    );
    check(
        r#"FILTER "ORDERS"."CASE" IN ('1', '4');
           COALESCE("ORDERS"."VALUE", 0), ISNULL("ORDERS"."VALUE"), "ORDERS"."VALUE" / 0, "ORDERS"."VALUE" + 1"#,
        &expect![[r"
            100 | 0 | NULL | 101
            0 | 1 | NULL | NULL
        "]],
    );
    check(r#"FILTER NOT ("ORDERS"."VALUE" > 90 AND "ORDERS"."VENDOR" = 'v1'); "ORDERS"."CASE""#, &expect!["3\n4\n"]);
    check(r#"FILTER "ORDERS"."VALUE" NOT BETWEEN 50 AND 150; "ORDERS"."CASE""#, &expect!["2\n3\n"]);
}

#[test]
fn values_are_pulled_up() {
    check(
        r#""ORDERS"."CASE", PU_COUNT("ORDERS", "EV"."ACT"), PU_COUNT("ORDERS", "EV"."ACT", "EV"."ACT" = 'Change'),
           PU_COUNT_DISTINCT("ORDERS", "EV"."USER"), PU_SUM("ORDERS", "EV"."H"), PU_FIRST("ORDERS", "EV"."USER"),
           PU_LAST("ORDERS", "EV"."USER"), PU_LAST("ORDERS", "EV"."USER" ORDER BY "EV"."H" DESC)"#,
        &expect![[r"
            1 | 3 | 0 | 2 | 3.0 | ann | ann | ann
            2 | 4 | 2 | 2 | 60.0 | ann | ann | ann
            3 | 1 | 0 | 1 | 64.0 | ben | ben | ben
            4 | 0 | 0 | 0 | NULL | NULL | NULL | NULL
        "]],
    );
    check(
        r#""VENDOR"."NAME", PU_AVG("VENDOR", "ORDERS"."VALUE"), PU_MAX("VENDOR", "EV"."TS"), PU_MEDIAN("VENDOR", "EV"."H")"#,
        &expect![[r"
            Miller | 175.0 | 2026-03-03T12:00:00.000Z | 8.0
            Smith | NULL | NULL | NULL
        "]],
    );
    // Filters leave pulled-up values alone.
    check(r#"FILTER "EV"."ACT" = 'Pay'; "ORDERS"."CASE", PU_COUNT("ORDERS", "EV"."ACT")"#, &expect!["1 | 3\n"]);
    check(
        r#"FILTER "EV"."H" > PU_QUANTILE(DOMAIN_TABLE("EV"."ACT"), "EV"."H", 0.5); "EV"."ACT", "EV"."H""#,
        &expect!["Create | 128.0\n"],
    );
    check(r#"FILTER "EV"."H" >= PU_MAX(CONSTANT(), "EV"."H"); "EV"."CASE""#, &expect!["9\n"]);
    check(r#"PU_MAX("ORDERS", BIND("EV", "VENDOR"."NAME"))"#, &expect!["Miller\nMiller\nNULL\nNULL\n"]);
}

#[test]
fn process_operators_follow_the_order_of_events() {
    check(
        r#"FILTER "EV"."CASE" = '2'; "EV"."ACT", ACTIVITY_LAG("EV"."ACT"), ACTIVITY_LEAD("EV"."USER"),
           INDEX_ACTIVITY_ORDER("EV"."ACT"), INDEX_ACTIVITY_ORDER_REVERSE("EV"."USER"),
           HOURS_BETWEEN("EV"."TS", ACTIVITY_LEAD("EV"."TS"))"#,
        &expect![[r"
            Create | NULL | cid | 1 | 3 | 3.0
            Change | Create | ann | 2 | 2 | 0.0
            Change | Change | ann | 3 | NULL | 48.0
            Approve | Change | NULL | 4 | 1 | NULL
        "]],
    );
    check(
        r#""ORDERS"."CASE", VARIANT("EV"."ACT"), CALC_REWORK("EV"."ACT" = 'Change'), CALC_REWORK(),
           MATCH_ACTIVITIES(STARTING['Create'], NODE['Approve'], EXCLUDING['Pay']),
           CALC_THROUGHPUT(CASE_START TO FIRST_OCCURRENCE['Approve'], REMAP_TIMESTAMPS("EV"."TS", HOURS))"#,
        &expect![[r"
            1 | Create, Approve, Pay | 0 | 3 | 0 | 2
            2 | Create, Change, Change, Approve | 2 | 4 | 1 | 51
            3 | Create | 0 | 1 | 0 | NULL
            4 | NULL | 0 | 0 | 0 | NULL
        "]],
    );
}

#[test]
fn functions() {
    check(
        r"TABLE(DISTINCT UPPER('ab') || 1, LEN('häh'), SUBSTRING('hello', 2, 3), RIGHT('hello', 2), REPLACE('aXa', 'X', '-'),
            FLOOR(1.5), ROUND(2.5), 7 % 4, 50 / 100, GREATEST(1, 2.5), TO_INT('12'), ABS(-3)) LIMIT 1",
        &expect!["AB1 | 3 | ell | lo | a-a | 1 | 3 | 3 | 0.5 | 2.5 | 12 | 3\n"],
    );
    check(
        r"NOW(), TODAY(), HOUR_NOW(), HOURS_BETWEEN(TODAY(), NOW()), DATEDIFF(mi, TODAY(), NOW()),
           ADD_DAYS(TODAY(), 1.5), ADD_MONTHS(ADD_DAYS(TODAY(), 27), -1)",
        &expect![
            "2026-03-04T12:00:00.000Z | 2026-03-04T00:00:00.000Z | 12 | 12.0 | 720.0 | 2026-03-05T12:00:00.000Z | 2026-02-28T00:00:00.000Z\n"
        ],
    );
}

#[test]
fn mistakes_name_the_place_and_what_could_be_meant() {
    check(
        "PU_CONT(\"ORDERS\", \"EV\".\"ACT\")",
        &expect![[r#"line 1, column 1: there is no operator "PU_CONT"; did you mean "PU_COUNT"?"#]],
    );
    check("\"EV\".\"ACTS\"", &expect![[r#"line 1, column 1: table "EV" has no column "ACTS"; did you mean "ACT"?"#]]);
    check("\"ORDER\".\"CASE\"", &expect![[r#"line 1, column 1: there is no table "ORDER"; did you mean "ORDERS"?"#]]);
    check(r#"FILTER "EV"."H"; "EV"."ACT""#, &expect!["line 1, column 8: expected a condition, found a FLOAT"]);
    check(r#""EV"."H" = 'a'"#, &expect!["line 1, column 12: a FLOAT and a STRING do not go together here"]);
    check(
        r#"FILTER SUM("EV"."H") > 1; "EV"."ACT""#,
        &expect![
            "line 1, column 8: SUM cannot stand in a FILTER, which is decided row by row; use PU_SUM(TABLE, …), or PU_SUM(CONSTANT(), …) for one value over all rows, instead"
        ],
    );
    check(
        r#"PU_SUM("EV", "ORDERS"."VALUE")"#,
        &expect![[
            r#"line 1, column 8: table "EV" is not on the 1-side of table "ORDERS" but on its N-side: there each row has one value already, so use the column itself"#
        ]],
    );
    check(r#""EV"."ACT" AND 1 = 1"#, &expect!["line 1, column 1: expected a condition, found a STRING"]);
    check(r#"QUANTILE("EV"."H", 1.5)"#, &expect!["line 1, column 20: expected a constant from 0 to 1"]);
    check(
        r#""EV"."ACT", SUM("EV"."H") + "EV"."H""#,
        &expect![
            "line 1, column 29: outside of an aggregate only columns can stand that are columns of the result themselves"
        ],
    );
}
