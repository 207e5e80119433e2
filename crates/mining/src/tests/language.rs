//! The text side of PQL: trees, faults, and back to text.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::pql::parse;
use crate::pql::syntax::{Arithmetic, Call, Comparison, Expr, ExprKind, OrderBy, Query, QueryColumn, Shift, Span};

fn check(text: &str, expected: &Expect) {
    match parse::query(text) {
        Ok(query) => expected.assert_eq(&query.to_string()),
        Err(faults) => expected.assert_eq(&faults.to_string()),
    }
}

#[test]
fn texts_are_read_and_written_again() {
    check(
        r"FILTER ev.act LIKE 'Ship%' AND NOT (a.b = 1 OR a.c IS NULL); a.b, SUM(a.c * (1 + 2)) AS total",
        &expect![[r#"
            FILTER "ev"."act" LIKE 'Ship%' AND NOT ("a"."b" = 1 OR "a"."c" IS NULL);
            TABLE("a"."b", SUM("a"."c" * (1 + 2)) AS "total");"#]],
    );
    check(
        r#"TABLE(DISTINCT match_activities(NODE['A', 'it''s']) AS "m") ORDER BY "m" desc, a.b ASC LIMIT 3 OFFSET 1;"#,
        &expect![[
            r#"TABLE(DISTINCT MATCH_ACTIVITIES(NODE['A', 'it''s']) AS "m") ORDER BY "m" DESC, "a"."b" LIMIT 3 OFFSET 1;"#
        ]],
    );
    check(
        "PU_LAST(t, ORDER.case, CASE.when = 1 ORDER BY ORDER.by)",
        &expect![[r#"TABLE(PU_LAST(t, "ORDER"."case", "CASE"."when" = 1 ORDER BY "ORDER"."by"));"#]],
    );
    check(
        "-- a comment\nCASE WHEN x.y <> -1.5e3 THEN <%= LIMIT_H %> END /* another */",
        &expect![[r#"TABLE(CASE WHEN "x"."y" != - 1500.0 THEN <%= LIMIT_H %> END);"#]],
    );
    check(
        r"IN_CALENDAR({ts '2026-02-01T08:30:00.250Z'}, weekday_calendar(monday 8:00-16:30, Tuesday, 'UTC')), {d '2026-02-01'}, {t -1}",
        &expect![
            "TABLE(IN_CALENDAR({ts '2026-02-01 08:30:00.250'}, WEEKDAY_CALENDAR(MONDAY 08:00-16:30 TUESDAY, 'UTC')), {d '2026-02-01'}, {ts '1969-12-31 23:59:59.999'});"
        ],
    );
    check(
        r"REMAP_VALUES(a.b, ['x', NULL], 'C:\\'), MULTI_IN((a.b, a.c), ('it\'s', 1)), a.b NOT IN_LIKE ('a\%', 'b\\')",
        &expect![[
            r#"TABLE(REMAP_VALUES("a"."b", ['x', NULL], 'C:\\'), MULTI_IN(["a"."b", "a"."c"], ['it''s', 1]), "a"."b" NOT IN_LIKE ('a\%', 'b\\'));"#
        ]],
    );
    check(
        "CALC_THROUGHPUT(CASE_START TO LAST_OCCURRENCE['Pay'], REMAP_TIMESTAMPS(e.t, HOURS))",
        &expect![[
            r#"TABLE(CALC_THROUGHPUT(CASE_START TO LAST_OCCURRENCE['Pay'], REMAP_TIMESTAMPS("e"."t", HOURS)));"#
        ]],
    );
}

#[test]
fn faults_name_their_place_and_all_are_told() {
    check(
        "TABLE(SUM(a.b +), a.c AS, F(1, (2 = ), 3), G(a.d a.e)) LIMIT x",
        &expect![[
            r#"line 1, column 16: expected an expression, found ")"; line 1, column 25: expected a name, found ","; line 1, column 37: expected an expression, found ")"; line 1, column 50: expected ")", found a; line 1, column 62: expected a number of rows, found x"#
        ]],
    );
    check(
        "a.b +, CASE WHEN THEN 1 END, F([1, 2",
        &expect![[
            r#"line 1, column 6: expected an expression, found ","; line 1, column 18: expected an expression, found THEN; line 1, column 37: expected "]", the text ends"#
        ]],
    );
    check("SUM(", &expect!["line 1, column 5: expected an expression, the text ends"]);
    check(
        "FILTER a.b = ;\nFILTER a.b IN ();\na.c ||",
        &expect![
            "line 1, column 14: expected an expression, found \";\"; line 2, column 16: expected an expression, found \")\"; line 3, column 7: expected an expression, the text ends"
        ],
    );
    check("'open", &expect!["line 1, column 1: this quote is not closed; add ' at its end"]);
    check(
        "a.b = 99999999999999999999",
        &expect![
            "line 1, column 7: the number 99999999999999999999 is too large; line 1, column 27: expected an expression, the text ends"
        ],
    );
    check("FILTER a.b = 1;", &expect!["line 1, column 16: the query has no columns"]);
    check("a.b = c.d = e.f", &expect!["line 1, column 11: expected the end of the query, found \"=\""]);
    check(
        &format!("{}1{}", "(".repeat(200), ")".repeat(200)),
        &expect!["line 1, column 61: expressions nest at most 60 deep"],
    );
    check(
        &vec!["1"; 300].join(" + "),
        &expect!["line 1, column 807: this chain has more than 200 parts; divide it with parentheses"],
    );
}

fn expr(kind: ExprKind) -> Expr {
    Expr { kind, span: Span::default() }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Z][A-Z_]{0,5}", "[a-z \"]{1,4}"]
}

fn word() -> impl Strategy<Value = String> {
    "[A-Z][A-Z_]{0,5}".prop_filter("not a reserved word", |word| !parse::is_reserved(word))
}

fn call(name: &str, arguments: Vec<Expr>) -> Call {
    let (name, name_span) = (name.to_owned(), Span::default());
    Call { name, name_span, distinct: false, arguments, order_by: Vec::new() }
}

fn shift() -> impl Strategy<Value = Expr> {
    let minutes = prop::option::of((0..=24 * 60_u32, 0..=24 * 60_u32));
    (prop::sample::select(parse::WEEKDAYS.to_vec()), minutes)
        .prop_map(|(day, minutes)| expr(ExprKind::Shift(Shift { day: day.to_owned(), minutes })))
}

fn any_expr() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        (name(), name()).prop_map(|(table, column)| ExprKind::Column { table, column }),
        name().prop_map(|name| ExprKind::Name { name, quoted: true }),
        word().prop_map(|name| ExprKind::Name { name, quoted: false }),
        word().prop_map(ExprKind::Variable),
        (0..=i64::MAX).prop_map(ExprKind::Int),
        (0.0..1e300).prop_map(ExprKind::Float),
        ".{0,6}".prop_map(ExprKind::Text),
        r"[\\'%a]{0,6}".prop_map(ExprKind::Text),
        (-17_987_443_200_000..253_402_300_800_000_i64).prop_map(ExprKind::Date),
        (-10_000..40_000_i64).prop_map(|day| ExprKind::Date(day * 86_400_000)),
        Just(ExprKind::Null),
    ]
    .prop_map(expr);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let boxed = || inner.clone().prop_map(Box::new);
        let list = || prop::collection::vec(inner.clone(), 1..3);
        let arithmetic = prop::sample::select(vec![
            Arithmetic::Add,
            Arithmetic::Subtract,
            Arithmetic::Multiply,
            Arithmetic::Divide,
            Arithmetic::Remainder,
            Arithmetic::Concat,
        ]);
        let comparison = prop::sample::select(vec![Comparison::Equal, Comparison::NotEqual, Comparison::LessOrEqual]);
        let orders = prop::collection::vec((inner.clone(), any::<bool>()), 0..2)
            .prop_map(|keys| keys.into_iter().map(|(key, descending)| OrderBy { key, descending }).collect());
        prop_oneof![
            boxed().prop_map(ExprKind::Negate),
            boxed().prop_map(ExprKind::Not),
            (arithmetic, boxed(), boxed()).prop_map(|(sign, left, right)| ExprKind::Arithmetic(sign, left, right)),
            (comparison, boxed(), boxed()).prop_map(|(sign, left, right)| ExprKind::Compare(sign, left, right)),
            (boxed(), boxed()).prop_map(|(left, right)| ExprKind::And(left, right)),
            (boxed(), boxed()).prop_map(|(left, right)| ExprKind::Or(left, right)),
            (boxed(), boxed(), boxed(), any::<bool>()).prop_map(|(value, low, high, negated)| ExprKind::Between {
                value,
                low,
                high,
                negated
            }),
            (boxed(), list(), any::<bool>()).prop_map(|(value, list, negated)| ExprKind::In { value, list, negated }),
            (boxed(), boxed(), any::<bool>()).prop_map(|(value, pattern, negated)| ExprKind::Like {
                value,
                pattern,
                negated
            }),
            (boxed(), list(), any::<bool>()).prop_map(|(value, list, negated)| ExprKind::InLike {
                value,
                list,
                negated
            }),
            (boxed(), any::<bool>()).prop_map(|(value, negated)| ExprKind::IsNull { value, negated }),
            (prop::collection::vec((inner.clone(), inner.clone()), 1..3), prop::option::of(boxed()))
                .prop_map(|(branches, otherwise)| ExprKind::Case { branches, otherwise }),
            (word(), list()).prop_map(|(word, items)| ExprKind::Bracket { word, items }),
            prop::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| ExprKind::Bracket { word: String::new(), items }),
            (prop::collection::vec(shift(), 1..4), prop::option::of(inner.clone())).prop_map(|(shifts, zone)| {
                let arguments = shifts.into_iter().chain(zone).collect();
                ExprKind::Call(call("WEEKDAY_CALENDAR", arguments))
            }),
            (word(), inner.clone(), boxed(), boxed()).prop_map(|(name, first, from, to)| {
                ExprKind::Call(call(&name, vec![first, expr(ExprKind::Range(from, to))]))
            }),
            (word(), any::<bool>(), list(), orders).prop_map(|(name, distinct, arguments, order_by)| {
                ExprKind::Call(Call { name, name_span: Span::default(), distinct, arguments, order_by })
            }),
        ]
        .prop_map(expr)
    })
}

fn any_query() -> impl Strategy<Value = Query> {
    let columns = prop::collection::vec((any_expr(), prop::option::of(name())), 1..3);
    let order = prop::collection::vec((any_expr(), any::<bool>()), 0..2);
    let limits = (prop::option::of(0..1_000_u64), prop::option::of(0..1_000_u64));
    (prop::collection::vec(any_expr(), 0..2), any::<bool>(), columns, order, limits).prop_map(
        |(filters, distinct, columns, order, (limit, offset))| {
            let columns = columns.into_iter().map(|(value, name)| QueryColumn { value, name }).collect();
            let order_by = order.into_iter().map(|(key, descending)| OrderBy { key, descending }).collect();
            Query { filters, distinct, columns, order_by, limit, offset }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same(query in any_query()) {
        let text = query.to_string();
        prop_assert_eq!(parse::query(&text), Ok(query), "{}", text);
    }
}
