//! The text side of PQL: trees, faults, and back to text.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::pql::parse;
use crate::pql::pattern::{
    ActivityName, MatchProcess, MatchRegex, NodeKind, Pattern, PatternEdge, PatternNode, ProcessEquals, Step,
};
use crate::pql::syntax::{
    Arithmetic, Call, Comparison, Expr, ExprKind, OrderBy, Query, QueryColumn, Shift, Span, StaticFilter,
};

fn check(text: &str, expected: &Expect) {
    match parse::query(text) {
        Ok(query) => expected.assert_eq(&query.to_string()),
        Err(faults) => expected.assert_eq(&faults.to_string()),
    }
}

#[test]
fn texts_are_read_and_written_again() {
    check(
        "FILTER ev.act LIKE 'Ship%' AND NOT (a.b = 1 OR a.c IS NULL); a.b, SUM(a.c * (1 + 2)) AS total",
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
            r#"TABLE(REMAP_VALUES("a"."b", ['x', NULL], 'C:\\'), MULTI_IN(("a"."b", "a"."c"), ('it''s', 1)), "a"."b" NOT IN_LIKE ('a\%', 'b\\'));"#
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
fn patterns_are_read_and_written_again() {
    check(
        "FILTER process on e.act not equals ^ 'A' -> any -> * TO ('B', like 'C%') $; e.c",
        &expect![[r#"
            FILTER PROCESS ON "e"."act" NOT EQUALS START 'A' TO ANY TO ANY TO ('B', LIKE 'C%') END;
            TABLE("e"."c");"#]],
    );
    check(
        "CASE WHEN PROCESS EQUALS 'A' TO END THEN 1 END, NOT PROCESS EQUALS 'B' AND x.y = 1",
        &expect![[r#"TABLE(CASE WHEN PROCESS EQUALS 'A' END THEN 1 END, NOT (PROCESS EQUALS 'B') AND "x"."y" = 1);"#]],
    );
    check(
        "MATCH_PROCESS(e.act, STARTING['A'] AS a, OPTIONAL_LOOP[LIKE 'B%', 'C'] AS b CONNECTED BY DIRECT[a, b], EVENTUALLY[a, b])",
        &expect![[
            r#"TABLE(MATCH_PROCESS("e"."act", STARTING['A'] AS "a", OPTIONAL_LOOP[LIKE 'B%', 'C'] AS "b" CONNECTED BY DIRECT["a", "b"], EVENTUALLY["a", "b"]));"#
        ]],
    );
    check(
        "MATCH_PROCESS_REGEX(e.act, ('A' | LIKE 'B%') AS x, ^ 'A' >> ['B','C'] >> (ANY)* >> .{2,} >> '*'{3} >> [! 'D']? >> (x >> 'E'){0,4} $)",
        &expect![[
            r#"TABLE(MATCH_PROCESS_REGEX("e"."act", 'A' | LIKE 'B%' AS "x", ^ 'A' >> ['B', 'C'] >> ANY* >> ANY{2,} >> ANY{3} >> [! 'D']? >> ("x" >> 'E'){0,4} $));"#
        ]],
    );
    check(
        "SOURCE(e.act, e.f, FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[] WITH START('s')), TARGET(e.act, with end())",
        &expect![[
            r#"TABLE(SOURCE("e"."act", "e"."f", FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[] WITH START('s')), TARGET("e"."act", WITH END()));"#
        ]],
    );
    check(
        "DEFAULT ACTIVITY_COLUMN e.user; F([['a', 'b'], []])",
        &expect![[r#"
            DEFAULT ACTIVITY_COLUMN "e"."user";
            TABLE(F([['a', 'b'], []]));"#]],
    );
}

#[test]
fn faults_in_patterns_name_their_place() {
    check(
        "PROCESS EQUALS 'A' TO 1",
        &expect!["line 1, column 23: expected an activity such as 'Ship', ANY or a list of activities, found 1"],
    );
    check("PROCESS ON e.a EQUALS ('A' 'B')", &expect![[r#"line 1, column 28: expected ")", found 'B'"#]]);
    check("MATCH_PROCESS(e.a, NODE['A'])", &expect![[r#"line 1, column 29: expected AS, found ")""#]]);
    check(
        "MATCH_PROCESS(NODES['A'] AS a)",
        &expect![[
            r#"line 1, column 15: expected a node such as NODE['Ship'] AS s, found NODES; did you mean "NODE"?"#
        ]],
    );
    check(
        "MATCH_PROCESS(NODE['A'] AS a CONNECTED BY NEXT[a, a])",
        &expect!["line 1, column 43: expected DIRECT[a, b] or EVENTUALLY[a, b], found NEXT"],
    );
    check(
        "MATCH_PROCESS_REGEX(e.a, 'A' >> )",
        &expect![[r#"line 1, column 33: expected a pattern such as 'Ship', found ")""#]],
    );
    check(
        "MATCH_PROCESS_REGEX(e.a, 'A', 'B')",
        &expect![[r#"line 1, column 29: only the last pattern may be without a name; add AS "name""#]],
    );
    check(
        "MATCH_PROCESS_REGEX(e.a, 'A'{3,2})",
        &expect!["line 1, column 29: the second number is smaller than the first"],
    );
    check(
        "MATCH_PROCESS_REGEX(e.a, 'A'{3000})",
        &expect!["line 1, column 30: expected a number up to 1000, found 3000"],
    );
    check(
        "MATCH_PROCESS_REGEX(e.a, [! ])",
        &expect![[r#"line 1, column 29: expected an activity such as 'Ship', found "]""#]],
    );
    check("SOURCE(e.a, WITH START('a') WITH START('b'))", &expect!["line 1, column 34: this was said already"]);
}

#[test]
fn windows_static_statements_and_parameters_are_written_again() {
    check(
        "LAG(t.c, ORDER BY (t.a DESC, t.b), PARTITION BY (t.p, t.q), 2), INDEX_ORDER(t.c ORDER BY t.a, PARTITION BY t.p)",
        &expect![[
            r#"TABLE(LAG("t"."c", PARTITION BY ("t"."p", "t"."q"), 2 ORDER BY "t"."a" DESC, "t"."b"), INDEX_ORDER("t"."c", PARTITION BY ("t"."p") ORDER BY "t"."a"));"#
        ]],
    );
    check(
        "PU_FIRST(t, t.c ORDER BY (t.a + t.b) * 2, t.d), LOOKUP(t, s.v, (t.k, s.k), (t.l = s.l))",
        &expect![[
            r#"TABLE(PU_FIRST(t, "t"."c" ORDER BY ("t"."a" + "t"."b") * 2, "t"."d"), LOOKUP(t, "s"."v", ("t"."k", "s"."k"), "t"."l" = "s"."l"));"#
        ]],
    );
    check(
        "IF 1 = 2 THEN FILTER a.b = 1; FILTER a.c = 2; else if 1 = 1 THEN FILTER a.d = 3; ELSE FILTER a.e = 4; END; {p1} + {p12}",
        &expect![[r#"
            IF 1 = 2 THEN FILTER "a"."b" = 1; FILTER "a"."c" = 2; ELSE IF 1 = 1 THEN FILTER "a"."d" = 3; ELSE FILTER "a"."e" = 4; END;
            TABLE({p1} + {p12});"#]],
    );
    check(
        "static case when COLUMN_TYPE(a.b) = 'INT' then 1 else 2 end, PU_COUNT_DISTINCT(approx t, a.b), IF, STATIC",
        &expect![[
            r#"TABLE(STATIC CASE WHEN COLUMN_TYPE("a"."b") = 'INT' THEN 1 ELSE 2 END, PU_COUNT_DISTINCT(approx, t, "a"."b"), IF, STATIC);"#
        ]],
    );
    check("LAG(a.b ORDER BY a.c ORDER BY a.d)", &expect![[r#"line 1, column 22: expected ")", found ORDER"#]]);
    check("IF 1 = 1 THEN a.b; END; a.c", &expect!["line 1, column 15: expected FILTER, found a"]);
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
    check("<%>", &expect!["line 1, column 1: this variable is not closed; write <%= NAME %>"]);
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

fn activities() -> impl Strategy<Value = Vec<ActivityName>> {
    let name = prop_oneof!["[a-z' ]{0,3}".prop_map(ExprKind::Text), word().prop_map(ExprKind::Variable)];
    let activity = (any::<bool>(), name).prop_map(|(like, name)| ActivityName { like, name: expr(name) });
    prop::collection::vec(activity, 1..3)
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let leaf = prop_oneof![
        (activities(), any::<bool>()).prop_map(|(names, negated)| Pattern::OneOf { names, negated }),
        Just(Pattern::Any),
        Just(Pattern::Start),
        Just(Pattern::End),
        name().prop_map(|name| Pattern::Named { name, span: Span::default() }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Pattern::Sequence),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Pattern::Either),
            (inner, 0..3_u32, prop::option::of(0..3_u32)).prop_map(|(pattern, least, more)| Pattern::Repeat {
                pattern: Box::new(pattern),
                least,
                most: more.map(|more| least + more)
            }),
        ]
    })
}

/// What is written in a grammar of its own; `column` says whether it names one.
fn process() -> impl Strategy<Value = ExprKind> {
    let column = || {
        let column = (name(), name()).prop_map(|(table, column)| Box::new(expr(ExprKind::Column { table, column })));
        prop::option::of(column)
    };
    let step = prop_oneof![Just(Step::Any), activities().prop_map(Step::OneOf)];
    let equals = (column(), any::<[bool; 3]>(), prop::collection::vec(step, 1..3)).prop_map(
        |(column, [negated, from_start, to_end], steps)| {
            ExprKind::Process(ProcessEquals { column, negated, from_start, steps, to_end })
        },
    );
    let kind = prop::sample::select(NodeKind::ALL.map(|(_, kind)| kind).to_vec());
    let node = (kind, activities(), name()).prop_map(|(kind, names, name)| PatternNode {
        kind,
        names,
        name,
        span: Span::default(),
    });
    let edge = (any::<bool>(), name(), name()).prop_map(|(direct, from, to)| PatternEdge {
        direct,
        from,
        to,
        span: Span::default(),
    });
    let nodes = prop::collection::vec(node, 1..3);
    let graph = (column(), nodes, prop::collection::vec(edge, 0..3))
        .prop_map(|(column, nodes, edges)| ExprKind::MatchProcess(Box::new(MatchProcess { column, nodes, edges })));
    let definitions = prop::collection::vec((name(), pattern()), 0..2);
    let regex = (column(), definitions, pattern()).prop_map(|(column, definitions, pattern)| {
        ExprKind::MatchRegex(Box::new(MatchRegex { column, definitions, pattern }))
    });
    prop_oneof![equals, graph, regex]
}

/// Arguments of a call, among them lists and partitions.
fn any_arguments(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Vec<Expr>> {
    let pair = prop::collection::vec(inner.clone(), 2..4).prop_map(|items| expr(ExprKind::Tuple(items)));
    let partition = prop::collection::vec(inner.clone(), 1..3).prop_map(|items| expr(ExprKind::PartitionBy(items)));
    prop::collection::vec(prop_oneof![4 => inner, 1 => pair, 1 => partition], 1..3)
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
        (1..30_u32).prop_map(ExprKind::Parameter),
        (0..=i64::MAX).prop_map(ExprKind::Int),
        (0.0..1e300).prop_map(ExprKind::Float),
        ".{0,6}".prop_map(ExprKind::Text),
        r"[\\'%a]{0,6}".prop_map(ExprKind::Text),
        (-17_987_443_200_000..253_402_300_800_000_i64).prop_map(ExprKind::Date),
        (-10_000..40_000_i64).prop_map(|day| ExprKind::Date(day * 86_400_000)),
        Just(ExprKind::Null),
        process(),
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
            (prop::collection::vec((inner.clone(), inner.clone()), 1..3), prop::option::of(boxed()))
                .prop_map(|(branches, otherwise)| ExprKind::StaticCase { branches, otherwise }),
            (word(), list()).prop_map(|(word, items)| ExprKind::Bracket { word, items }),
            (prop::collection::vec(shift(), 1..4), prop::option::of(inner.clone())).prop_map(|(shifts, zone)| {
                let arguments = shifts.into_iter().chain(zone).collect();
                ExprKind::Call(call("WEEKDAY_CALENDAR", arguments))
            }),
            (word(), inner.clone(), boxed(), boxed()).prop_map(|(name, first, from, to)| {
                ExprKind::Call(call(&name, vec![first, expr(ExprKind::Range(from, to))]))
            }),
            list().prop_map(|items| ExprKind::Bracket { word: String::new(), items }),
            (word(), edges(inner.clone())).prop_map(|(name, edges)| {
                let arguments = vec![edges];
                let (name_span, order_by) = (Span::default(), Vec::new());
                ExprKind::Call(Call { name, name_span, distinct: false, arguments, order_by })
            }),
            (word(), any::<bool>(), any_arguments(inner.clone()), orders).prop_map(
                |(name, distinct, arguments, order_by)| {
                    ExprKind::Call(Call { name, name_span: Span::default(), distinct, arguments, order_by })
                }
            ),
        ]
        .prop_map(expr)
    })
}

fn edges(value: impl Strategy<Value = Expr> + Clone + 'static) -> impl Strategy<Value = Expr> {
    let end = || prop::option::of(prop::collection::vec(value.clone(), 0..2));
    let path = (value.clone(), value.clone())
        .prop_map(|(from, to)| Box::new(expr(ExprKind::Range(Box::new(from), Box::new(to)))));
    let some = |(_, start, end): &(_, Option<_>, Option<_>)| start.is_some() || end.is_some();
    (prop::option::of(path), end(), end())
        .prop_filter("no WITH", some)
        .prop_map(|(path, start, end)| expr(ExprKind::Edges { path, start, end }))
}

fn any_query() -> impl Strategy<Value = Query> {
    let columns = prop::collection::vec((any_expr(), prop::option::of(name())), 1..3);
    let activity_column = prop::option::of(any_expr());
    let filters = || prop::collection::vec(any_expr(), 1..3);
    let static_filter = (prop::collection::vec((any_expr(), filters()), 1..3), prop::collection::vec(any_expr(), 0..2))
        .prop_map(|(branches, otherwise)| StaticFilter { branches, otherwise });
    let statements = (prop::collection::vec(any_expr(), 0..2), prop::collection::vec(static_filter, 0..2));
    let order = prop::collection::vec((any_expr(), any::<bool>()), 0..2);
    let limits = (prop::option::of(0..1_000_u64), prop::option::of(0..1_000_u64));
    (activity_column, statements, any::<bool>(), columns, order, limits).prop_map(
        |(activity_column, (filters, static_filters), distinct, columns, order, (limit, offset))| {
            let columns = columns.into_iter().map(|(value, name)| QueryColumn { value, name }).collect();
            let order_by = order.into_iter().map(|(key, descending)| OrderBy { key, descending }).collect();
            Query { activity_column, filters, static_filters, distinct, columns, order_by, limit, offset }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same(query in any_query()) {
        let text = query.to_string();
        prop_assert_eq!(parse::query(&text), Ok(query), "{}", text);
    }

    #[test]
    fn no_pattern_makes_the_parser_panic(
        text in "(MATCH_PROCESS_REGEX\\(|MATCH_PROCESS\\(|PROCESS EQUALS |SOURCE\\()(('A'|LIKE|ANY|NODE\\[|\\]| AS |x|,|>>|\\||\\(|\\)|\\[|!|\\*|\\{2,3\\}|\\^|\\$|TO|END|CONNECTED BY|DIRECT| |WITH START\\()){0,12}"
    ) {
        if let Err(faults) = parse::query(&text) {
            prop_assert!(!faults.0.is_empty());
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[A-Za-z0-9'\"().,;<>=%+*/\\[\\]{}^$!?| \n-]{0,60}") {
        if let Err(faults) = parse::query(&text) {
            prop_assert!(!faults.0.is_empty());
        }
    }
}
