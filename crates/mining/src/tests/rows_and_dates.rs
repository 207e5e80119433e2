//! Functions of one row: texts, numbers, dates, lists.

use std::sync::Arc;

use expect_test::{Expect, expect};

use super::asking::told;
use super::{at, model, rows};
use crate::log::EventLog;

fn log() -> Arc<EventLog> {
    let events = rows(
        "CASE | ACT           | TS:time          | USER  | N:int
         1    | Create Order  | 2024-02-29 23:59 | a.b.c | 1
         2    | Pay 100%      | 2026-03-29 02:30 | a     | 2
         3    | -             | -                | -     | -",
    );
    let orders = rows(
        "CASE | VALUE:float
         1    | 1234.567
         2    | -0.5
         3    | -",
    );
    let model = model(&["EV", "ORDERS"], Some("ORDERS"), &[]);
    Arc::new(EventLog::new(&model, &[(events, Vec::new()), (orders, Vec::new())], 1).expect("it loads"))
}

fn check(pql: &str, expected: &Expect) {
    expected.assert_eq(&told(&log(), pql, at("2026-03-28 23:30")));
}

/// Asks for constants: one row.
fn one(pql: &str, expected: &Expect) {
    check(&format!("TABLE({pql})"), expected);
}

#[test]
fn texts() {
    one(
        r"STRING_SPLIT('a;b;;c', ';', 0), STRING_SPLIT('a;b;;c', ';', 2), STRING_SPLIT('a;b', ';', 2), STRING_SPLIT('a;b', ';', -1),
          STRING_SPLIT('a', '', 0), STRING_SPLIT(NULL, ';', 0)",
        &expect!["a |  | NULL | NULL | a | NULL\n"],
    );
    one(
        r"PATINDEX('I like it, like you', '%like%'), PATINDEX('I like it, like you', '%like%', 2), PATINDEX('abc', 'b'), PATINDEX('äb', '%b%'), PATINDEX('abc', NULL)",
        &expect!["3 | 12 | 0 | 2 | NULL\n"],
    );
    one(
        r"'it\'s', 'it''s', 'a\\b', 'a\%b', LEN('\\')",
        &expect![[r"
        it's | it's | a\b | a\%b | 1
    "]],
    );
    check(
        r#""EV"."ACT", STRING_SPLIT("EV"."ACT", ' ', 1), UPPER("EV"."USER"), LEN("EV"."USER"), REPLACE("EV"."USER", '.', '')"#,
        &expect![[r"
            Create Order | Order | A.B.C | 5 | abc
            Pay 100% | 100% | A | 1 | a
        "]],
    );
}

#[test]
fn likeness() {
    check(
        r#""EV"."ACT", CASE WHEN "EV"."ACT" LIKE 'ORDER' THEN 1 ELSE 0 END, CASE WHEN "EV"."ACT" LIKE '%ORDER' THEN 1 ELSE 0 END,
           CASE WHEN "EV"."ACT" LIKE '%\%' THEN 1 ELSE 0 END, CASE WHEN "EV"."ACT" IN_LIKE ('order', '_ay%') THEN 1 ELSE 0 END,
           CASE WHEN "EV"."ACT" NOT IN_LIKE ('order', 'refund') THEN 1 ELSE 0 END,
           CASE WHEN "EV"."ACT" NOT LIKE NULL THEN 1 ELSE 0 END"#,
        &expect![[r"
            Create Order | 1 | 0 | 0 | 1 | 0 | NULL
            Pay 100% | 0 | 0 | 1 | 1 | 1 | NULL
        "]],
    );
}

#[test]
fn lists() {
    check(
        r#""EV"."USER", REMAP_VALUES("EV"."USER", ['a', 'ann'], ['a', 'second']), REMAP_VALUES("EV"."USER", ['a', NULL], 'other'),
           REMAP_VALUES("EV"."USER", ['x', 'y'], "EV"."ACT"), REMAP_INTS("EV"."N", [1, 10], [2, NULL]), REMAP_INTS("EV"."N", [1, -1], 0)"#,
        &expect![[r"
            a.b.c | a.b.c | other | Create Order | 10 | -1
            a | ann | NULL | Pay 100% | NULL | 0
        "]],
    );
    check(
        r#""EV"."N", CASE WHEN MULTI_IN(("EV"."USER", "EV"."N"), ('a', 1), ('a', 2)) THEN 'in' ELSE 'out' END,
           CASE WHEN "EV"."N" IN (2, NULL) THEN 'in' ELSE 'out' END, CASE WHEN "EV"."N" NOT IN (2, NULL) THEN 'out' ELSE 'in' END,
           CASE WHEN NOT MULTI_IN(["EV"."USER", "EV"."N"], ['a', NULL]) THEN 'out' ELSE 'in' END"#,
        &expect![[r"
            1 | out | NULL | NULL | out
            2 | in | in | in | NULL
        "]],
    );
    one(
        "CASE WHEN UNIQUE_ID('a', 1) = UNIQUE_ID('a', 1) THEN 'same' END, CASE WHEN UNIQUE_ID('ab', NULL) != UNIQUE_ID('a', 'b') THEN 'other' END, UNIQUE_ID(1)",
        &expect![[r"
            same | other | 8833702067451372210
        "]],
    );
    check(
        "REMAP_VALUES(\"EV\".\"USER\", ['a'])",
        &expect!["line 1, column 27: expected a pair such as ['old', 'new']"],
    );
    check("REMAP_INTS(\"EV\".\"N\", ['a', 'b'])", &expect!["line 1, column 23: expected an INT, found a STRING"]);
    check(
        "['a', 'b'] = 1",
        &expect!["line 1, column 1: a list has a meaning only inside REMAP_VALUES, MULTI_IN and DATE_MATCH"],
    );
}

#[test]
fn numbers() {
    check(
        r#""ORDERS"."VALUE", ROUND("ORDERS"."VALUE"), ROUND("ORDERS"."VALUE", 1), ROUND("ORDERS"."VALUE", -2), FLOOR("ORDERS"."VALUE"), CEIL("ORDERS"."VALUE")"#,
        &expect![[r"
            1234.567 | 1235 | 1234.6 | 1200.0 | 1234 | 1235
            -0.5 | -1 | -0.5 | -0.0 | -1 | 0
            NULL | NULL | NULL | NULL | NULL | NULL
        "]],
    );
    one(
        "ROUND(5, 1), ROUND(2.675, 400), LOG(8, 2), LOG(0), SQRT(-1), POWER(2, 0.5) * POWER(2, 0.5), 7 / 2, -7 % 3",
        &expect!["5.0 | 2.675 | 3.0 | NULL | NULL | 2.0000000000000004 | 3.5 | -1\n"],
    );
}

#[test]
fn parts_of_dates() {
    check(
        r#""EV"."TS", YEAR("EV"."TS"), QUARTER("EV"."TS"), MONTH("EV"."TS"), CALENDAR_WEEK("EV"."TS"), DAY("EV"."TS"), DAY_OF_WEEK("EV"."TS"),
           HOURS("EV"."TS"), MINUTES("EV"."TS"), SECONDS("EV"."TS"), MILLIS("EV"."TS"), DAYS_IN_MONTH("EV"."TS")"#,
        &expect![[r"
            2024-02-29T23:59:00.000Z | 2024 | 1 | 2 | 9 | 29 | 4 | 23 | 59 | 0 | 0 | 29
            2026-03-29T02:30:00.000Z | 2026 | 1 | 3 | 13 | 29 | 0 | 2 | 30 | 0 | 0 | 31
        "]],
    );
    one(
        "ROUND_SECOND({ts '2026-08-19 13:14:15.678'}), ROUND_MINUTE({ts '2026-08-19 13:14:15.678'}), ROUND_HOUR({ts '2026-08-19 13:14:15.678'}), ROUND_DAY({ts '2026-08-19 13:14:15.678'})",
        &expect![
            "2026-08-19T13:14:15.000Z | 2026-08-19T13:14:00.000Z | 2026-08-19T13:00:00.000Z | 2026-08-19T00:00:00.000Z\n"
        ],
    );
    one(
        "ROUND_WEEK({d '2026-08-19'}), ROUND_MONTH({d '2026-08-19'}), ROUND_QUARTER({d '2026-08-19'}), ROUND_YEAR({d '2026-08-19'}), ROUND_WEEK({d '1969-12-31'}), ROUND_HOUR({t -1})",
        &expect![
            "2026-08-17T00:00:00.000Z | 2026-08-01T00:00:00.000Z | 2026-07-01T00:00:00.000Z | 2026-01-01T00:00:00.000Z | 1969-12-29T00:00:00.000Z | 1969-12-31T23:00:00.000Z\n"
        ],
    );
    // The unit of DATEDIFF and the part of a date are one word.
    one("DATEDIFF(HOURS, {d '2026-01-01'}, {d '2026-01-02'}), HOURS({t 7200000})", &expect!["24.0 | 2\n"]);
}

#[test]
fn dates_are_written_and_read() {
    check(
        r#"TO_STRING("EV"."TS", FORMAT('%d.%m.%Y %H:%M')), TO_DATE(TO_STRING("EV"."TS", FORMAT('%Y%m%d')), FORMAT('%Y%m%d')), TO_STRING("EV"."N")"#,
        &expect![[r"
            29.02.2024 23:59 | 2024-02-29T00:00:00.000Z | 1
            29.03.2026 02:30 | 2026-03-29T00:00:00.000Z | 2
        "]],
    );
    one(
        "TO_DATE('2026-02-01 13:05:09', FORMAT('%Y-%m-%d %H:%M:%S')), TO_DATE('Feb 2026', FORMAT('%b %Y')), TO_DATE('31.02.2026', FORMAT('%d.%m.%Y')), TO_DATE('x', FORMAT('%Y')), TO_DATE('2026-02-01T00:30+02:00', FORMAT('%Y-%m-%dT%H:%M%:z'))",
        &expect!["2026-02-01T13:05:09.000Z | 2026-02-01T00:00:00.000Z | NULL | NULL | 2026-01-31T22:30:00.000Z\n"],
    );
    one(
        "{d '2026-02-01'}, {ts '2026-02-01 08:30:00'}, {t 0}, {t '08:30:00'}, {ts '2026-02-01T08:30:00Z'}, {d'1970-01-03 00:00:00'}",
        &expect![
            "2026-02-01T00:00:00.000Z | 2026-02-01T08:30:00.000Z | 1970-01-01T00:00:00.000Z | 1970-01-01T08:30:00.000Z | 2026-02-01T08:30:00.000Z | 1970-01-03T00:00:00.000Z\n"
        ],
    );
    check(
        "{d '2026-02-30'}",
        &expect![
            "line 1, column 4: '2026-02-30' is no date; write one as '2026-02-01', '2026-02-01 08:30:00' or '08:30:00'"
        ],
    );
    check("{t 999999999999999999}", &expect!["line 1, column 4: dates go from the year 1400 to the year 9999"]);
    check(
        r#"TO_STRING("EV"."TS", FORMAT('%Y-%'))"#,
        &expect![
            "line 1, column 29: '%Y-%' is no format: strftime formatting failed: invalid format string, expected byte after `%`, but found end of format string; write it of %Y %m %d %H %M %S %b %B %a %A %y %j and the like"
        ],
    );
    check(
        r#"TO_STRING("EV"."TS", "EV"."ACT")"#,
        &expect!["line 1, column 22: expected a format, as in FORMAT('%Y-%m-%d %H:%M')"],
    );
}

#[test]
fn months_end_where_they_end() {
    one(
        "ADD_MONTHS({d '2020-01-31'}, 1), ADD_MONTHS({d '2018-02-28'}, 24), ADD_MONTHS({d '2020-02-29'}, 14), ADD_MONTHS({d '2018-01-30'}, 1), ADD_YEARS({d '2020-02-29'}, 1), ADD_YEARS({d '9999-01-01'}, 1), ADD_DAYS({d '1400-01-01'}, -1)",
        &expect![
            "2020-02-29T00:00:00.000Z | 2020-02-29T00:00:00.000Z | 2021-04-30T00:00:00.000Z | 2018-02-28T00:00:00.000Z | 2021-02-28T00:00:00.000Z | NULL | NULL\n"
        ],
    );
    one(
        "MONTHS_BETWEEN({d '2026-01-01'}, {d '2027-01-01'}), YEARS_BETWEEN({d '2026-01-01'}, {d '2025-01-01'})",
        &expect![[r"
            11.992032690609664 | -0.9993360575508052
        "]],
    );
}

#[test]
fn zones() {
    check(
        r#""EV"."TS", CONVERT_TIMEZONE("EV"."TS", 'America/New_York'), CONVERT_TIMEZONE("EV"."TS", 'Europe/Berlin', 'UTC')"#,
        &expect![[r"
            2024-02-29T23:59:00.000Z | 2024-02-29T18:59:00.000Z | 2024-02-29T22:59:00.000Z
            2026-03-29T02:30:00.000Z | 2026-03-28T22:30:00.000Z | 2026-03-29T00:30:00.000Z
        "]],
    );
    // It is 23:30 in UTC, half past midnight in Berlin.
    one(
        "TODAY(), TODAY('Europe/Berlin'), HOUR_NOW(), HOUR_NOW('Europe/Berlin'), MINUTE_NOW('Asia/Kathmandu'), TODAY('UTC')",
        &expect!["2026-03-28T00:00:00.000Z | 2026-03-29T00:00:00.000Z | 23 | 0 | 15 | 2026-03-28T00:00:00.000Z\n"],
    );
    one("TODAY('Mars/Olympus')", &expect![[r#"line 1, column 13: there is no time zone "Mars/Olympus""#]]);
}

#[test]
fn dates_are_matched() {
    check(
        r#""EV"."TS", DATE_MATCH("EV"."TS", [2024, 2025]), DATE_MATCH("EV"."TS", [], [1], [2, 3], [], [29]), DATE_MATCH("EV"."TS", [], [], [], [13], []),
           DATE_BETWEEN("EV"."TS", {d '2024-01-01'}, {d '2025-01-01'}), DATE_BETWEEN("EV"."TS", "EV"."TS", NULL)"#,
        &expect![[r"
            2024-02-29T23:59:00.000Z | 1 | 1 | 0 | 1 | NULL
            2026-03-29T02:30:00.000Z | 0 | 1 | 1 | 0 | NULL
        "]],
    );
    one("DATE_MATCH(NULL, [2024]), DATE_MATCH({d '2024-01-01'}, [])", &expect!["NULL | 1\n"]);
}

#[test]
fn undecidable_is_null() {
    check(
        r#""ORDERS"."CASE", CASE WHEN "ORDERS"."VALUE" > 0 THEN 'a' WHEN 1 = 1 THEN 'b' END, CASE WHEN "ORDERS"."VALUE" > 5000 THEN 'a' END,
           CASE WHEN "ORDERS"."VALUE" > 0 OR 1 = 1 THEN 'a' ELSE 'b' END"#,
        &expect![[r"
            1 | a | NULL | a
            2 | b | NULL | a
            3 | NULL | NULL | a
        "]],
    );
    check(
        "MULTI CASE WHEN 1 = 1 THEN 1 END",
        &expect![
            "line 1, column 1: MULTI CASE WHEN is not understood, for it would make several rows of one; write one column with CASE WHEN per condition"
        ],
    );
}
