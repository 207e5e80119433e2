//! KPIs, variables, guards and static conditions, with the words of a
//! knowledge model.

use std::collections::HashMap;

use expect_test::{Expect, expect};

use super::{at, pages};
use crate::evaluate::answer;
use crate::pql::check::{Checker, Vocabulary};

fn words() -> Vocabulary {
    let kpi = |(id, pql): (&str, &str)| (id.to_owned(), pql.to_owned());
    let variable = |(id, value): (&str, &str)| (id.to_owned(), value.to_owned());
    Vocabulary {
        variables: HashMap::from(
            [
                ("LIMIT", "90"),
                ("REGION", "North"),
                ("REGIONS", "'North', 'East'"),
                ("NONE", ""),
                ("TABLE_NAME", "ORDERS"),
                ("SHARE", r#"SUM("ORDERS"."VALUE") / 2"#),
                ("EVIL", r"x' OR 1 = 1 --"),
            ]
            .map(variable),
        ),
        attributes: HashMap::new(),
        kpis: HashMap::from(
            [
                ("VALUE", r#"SUM("ORDERS"."VALUE")"#),
                ("TWICE", r#"KPI("VALUE") * 2"#),
                ("TIMES", "{p1} * {p2}"),
                ("OF_REGION", r#"SUM(CASE WHEN "ORDERS"."REGION" = '{p1}' THEN "ORDERS"."VALUE" END)"#),
                ("EVENTS_OF", r#"PU_COUNT({p1}, "EVENTS"."ACTIVITY")"#),
                ("COLUMN_OF", r#"MAX("{p1}"."REGION")"#),
                ("NESTED", r#"KPI("TIMES", {p1}, {p1} + 1)"#),
                ("SMALL", r#""ORDERS"."VALUE" < {p1}"#),
                ("BROKEN", "1 +\n  \"ORDERS\".\"VALEU\""),
                ("UNREADABLE", "SUM("),
                ("AROUND", r#"1 + KPI("BROKEN")"#),
                ("A", r#"KPI("B") + 1"#),
                ("B", r#"KPI("C")"#),
                ("C", r#"KPI("A")"#),
                ("GUARDED", r#"COUNT_TABLE("ORDERS") <% if(NONE != "") { %> + 1000 <% } else { %> + 1 <% } %>"#),
            ]
            .map(kpi),
        ),
        kpi_defaults: HashMap::from([
            ("TIMES".to_owned(), vec![None, Some("10".to_owned())]),
            ("EVENTS_OF".to_owned(), vec![Some("ORDERS".to_owned())]),
            ("OF_REGION".to_owned(), vec![Some("South".to_owned())]),
        ]),
    }
}

fn check(pql: &str, expected: &Expect) {
    let (log, words) = (pages::log(), words());
    match Checker::new(log.catalog().clone(), &words).query(pql) {
        Ok(plan) => {
            let answer = answer(log, &plan, at("2026-03-09 12:00").as_millis());
            let row = |row: &Vec<_>| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | ");
            expected.assert_eq(&answer.rows.iter().map(row).collect::<Vec<_>>().join("\n"));
        }
        Err(faults) => expected.assert_eq(&faults.to_string()),
    }
}

#[test]
fn kpis_stand_for_expressions_and_take_arguments() {
    check(r#"KPI("VALUE"), KPI("TWICE"), KPI("VALUE") / KPI("TWICE")"#, &expect!["390 | 780 | 0.5"]);
    // Each argument is a whole of its own, as if in parentheses.
    check(r#"KPI("TIMES", 1 + 2, 3 + 4), KPI("TIMES", 1 + 2), KPI("NESTED", 2)"#, &expect!["21 | 30 | 6"]);
    check(r#"KPI("OF_REGION", 'North'), KPI("OF_REGION")"#, &expect!["140 | 250"]);
    check(r#""VENDORS"."NAME", KPI("EVENTS_OF", "VENDORS")"#, &expect!["Miller | 9\nO'Hara | 4\nNobody | 0"]);
    check(r#""ORDERS"."ORDER_ID", KPI("EVENTS_OF")"#, &expect!["1 | 4\n2 | 5\n3 | 4\n4 | 1"]);
    check(r#"KPI("COLUMN_OF", 'ORDERS')"#, &expect!["South"]);
    check(r#"FILTER KPI("SMALL", <%= LIMIT %>); "ORDERS"."ORDER_ID""#, &expect!["3"]);
    check(r#""ORDERS"."REGION", KPI("GUARDED")"#, &expect!["North | 3\nSouth | 3"]);
}

#[test]
fn faults_inside_of_kpis_say_which_and_where() {
    check(
        r#"1, KPI("AROUND")"#,
        &expect![[
            r#"line 1, column 4: in KPI "AROUND": line 1, column 5: in KPI "BROKEN": line 2, column 3: table "ORDERS" has no column "VALEU"; did you mean "VALUE"?"#
        ]],
    );
    check(
        r#"KPI("UNREADABLE")"#,
        &expect![[r#"line 1, column 1: in KPI "UNREADABLE": line 1, column 5: expected an expression, the text ends"#]],
    );
    check(
        r#"KPI("A")"#,
        &expect![[
            r#"line 1, column 1: in KPI "A": line 1, column 1: in KPI "B": line 1, column 1: in KPI "C": line 1, column 1: KPI "A" refers to itself over KPI "B", KPI "C""#
        ]],
    );
    check(r#"KPI("TIMES")"#, &expect![[r#"line 1, column 1: KPI "TIMES" needs an argument for {p1}"#]]);
    check(r#"KPI("TIMES", 1, 2, 3)"#, &expect![[r#"line 1, column 20: KPI "TIMES" takes 2 arguments, found 3"#]]);
    check(
        r#"KPI("OF_REGION", "ORDERS"."REGION")"#,
        &expect![[
            r#"line 1, column 1: in KPI "OF_REGION": line 1, column 35: the argument {p1} stands in quotes here and must be a value"#
        ]],
    );
    check(r#"KPI("VALEU")"#, &expect![[r#"line 1, column 5: there is no KPI "VALEU"; did you mean "VALUE"?"#]]);
    check("{p1} + 1", &expect!["line 1, column 1: {p1} has a meaning only in a KPI that is called with arguments"]);
}

#[test]
fn variables_are_bound_as_a_whole() {
    check(
        r#"FILTER "ORDERS"."VALUE" > <%= LIMIT %> AND "ORDERS"."REGION" = <%= REGION %>; "ORDERS"."ORDER_ID""#,
        &expect!["1"],
    );
    check(r#"FILTER "ORDERS"."REGION" = <%= EVIL %>; "ORDERS"."ORDER_ID""#, &expect![""]);
    check("<%= SHARE %> * 2", &expect!["390.0"]);
    check(r#"FILTER "ORDERS"."REGION" IN (<%= REGIONS %>); "ORDERS"."ORDER_ID""#, &expect!["1\n3"]);
    check(r#"MAX("<%= TABLE_NAME %>"."REGION"), COUNT_TABLE(<%= TABLE_NAME %>)"#, &expect!["South | 4"]);
    check("VARIABLE(<%= LIMIT %>) + 1", &expect!["91"]);
    check(
        r#"VARIABLE("ORDERS"."VALUE")"#,
        &expect!["line 1, column 10: VARIABLE takes a plain value, found an expression over data"],
    );
    check("<%= LIMTI %>", &expect![[r#"line 1, column 1: there is no variable "LIMTI"; did you mean "LIMIT"?"#]]);
}

#[test]
fn guards_leave_out_text_and_keep_places() {
    check(
        r#"<% if(NONE != "") { %> FILTER "ORDERS"."REGION" = <%= NONE %>; <% } %> COUNT("ORDERS"."ORDER_ID")"#,
        &expect!["4"],
    );
    check(
        r#"<% if (REGION == 'North') { %> FILTER "ORDERS"."REGION" = <%= REGION %>; <% } %>
           COUNT("ORDERS"."ORDER_ID")"#,
        &expect!["2"],
    );
    check(
        "<% if(NONE != \"\") { %> ä § <% } %>\n \"ORDERS\".\"VALEU\"",
        &expect![[r#"line 2, column 2: table "ORDERS" has no column "VALEU"; did you mean "VALUE"?"#]],
    );
    check(
        "1 <% if(NONE != \"\") { %> + 1",
        &expect!["line 1, column 3: this guard is not closed; write <% } %> behind what it guards"],
    );
    check("1 <% } %>", &expect!["line 1, column 3: no <% if … { %> is open here"]);
    check(
        "<% if(true) { %>",
        &expect![[
            r#"line 1, column 1: only <% if(NAME != "") { %>, <% if(NAME == "…") { %>, <% } else { %> and <% } %> are understood"#
        ]],
    );
    check("1 <% while(true) { %>", &expect!["line 1, column 3: only <%= NAME %> is understood here"]);
    // A pattern is no guard.
    check(r#"FILTER "ORDERS"."REGION" LIKE '<%' OR "ORDERS"."REGION" LIKE '%>'; "ORDERS"."REGION""#, &expect![""]);
}

#[test]
fn static_statements_are_decided_before() {
    let query = |list: &str| {
        format!(
            r#"IF ARGUMENT_COUNT({list}) > 0 THEN FILTER "ORDERS"."REGION" IN ({list}); END;
               "ORDERS"."REGION", SUM("ORDERS"."VALUE")"#
        )
    };
    check(&query("<%= REGIONS %>"), &expect!["North | 140"]);
    check(&query("<%= NONE %>"), &expect!["North | 140\nSouth | 250"]);
    check(
        r#"IF <%= LIMIT %> > 100 THEN FILTER "ORDERS"."VALUE" > 100; ELSE IF COLUMN_TYPE("ORDERS"."VALUE") = 'INT'
           THEN FILTER "ORDERS"."VALUE" < 100; FILTER "ORDERS"."REGION" = 'North'; ELSE FILTER 1 = 2; END;
           "ORDERS"."ORDER_ID""#,
        &expect!["3"],
    );
    check(
        r#"STATIC CASE WHEN COLUMN_TYPE("ORDERS"."DUE") = 'DATE' THEN MAX("ORDERS"."REGION") ELSE "NO"."THING" END"#,
        &expect!["South"],
    );
    check(
        r#"STATIC CASE WHEN "ORDERS"."VALUE" = 1 THEN 1 END"#,
        &expect![
            "line 1, column 18: a static condition takes constants, variables, COLUMN_TYPE and ARGUMENT_COUNT only, because it is decided before any data is looked at"
        ],
    );
}
