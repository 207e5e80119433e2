//! What a person may mistype: the parser and the checker tell it, with a place
//! inside of the text, and nothing breaks.

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use proptest::sample::Index;

use super::{pages, signals};
use crate::evaluate::answer;
use crate::knowledge_model::{KnowledgeModel, Record};
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::operators::OPERATORS;
use crate::pql::{Faults, parse};
use crate::trigger::check_model;

/// Queries that are right, one for each form there is.
const QUERIES: [&str; 14] = [
    r#"FILTER "EVENTS"."COST" > 1; TABLE(DISTINCT "EVENTS"."USER" AS "who", "EVENTS"."COST") ORDER BY "who" DESC LIMIT 3 OFFSET 1;"#,
    r#""ORDERS"."REGION", COUNT(DISTINCT "ORDERS"."VENDOR_ID"), SUM("ORDERS"."VALUE") * 2 / 3 - 1 % 2"#,
    r#"CASE WHEN "EVENTS"."ACTIVITY" LIKE 'Sh%' THEN 'a' WHEN NOT "EVENTS"."COST" IS NULL THEN 'b' ELSE NULL END || 'c'"#,
    r#"FILTER "EVENTS"."ACTIVITY" NOT IN ('Pay', 'it''s') AND ("EVENTS"."COST" BETWEEN 1 AND 50 OR 1 = 1); "EVENTS"."TIME""#,
    r#"PU_LAST("ORDERS", "EVENTS"."USER", "EVENTS"."ACTIVITY" = 'Approve' ORDER BY "EVENTS"."TIME" DESC)"#,
    r#"CALC_THROUGHPUT(CASE_START TO LAST_OCCURRENCE['Pay'], REMAP_TIMESTAMPS("EVENTS"."TIME", HOURS))"#,
    "MATCH_ACTIVITIES(NODE['Create', 'Pay'], EXCLUDING['Change'])",
    r#"FILTER HOURS_BETWEEN("EVENTS"."TIME", NOW(), WEEKDAY_CALENDAR(MONDAY 08:00-16:30 TUESDAY, 'Europe/Berlin')) > 2.5e1; "EVENTS"."USER""#,
    r#"REMAP_VALUES("EVENTS"."ACTIVITY", ['Pay', NULL], ['Ship', 'Sent'], 'other')"#,
    r#"FILTER MULTI_IN(("EVENTS"."USER", "EVENTS"."COST"), ('ann', 10), ('ben', 5)); "EVENTS"."ORDER_ID""#,
    r#"FILTER "EVENTS"."USER" NOT IN_LIKE ('a%', 'b\_'); TO_STRING("EVENTS"."TIME", FORMAT('%Y-%m'))"#,
    r"DATE_MATCH({d '2026-02-01'}, [2026], [], [1, 2]), {t -5}, {ts '2026-02-01 08:30'}",
    r#"ADD_WORKDAYS("EVENTS"."TIME", -2, INTERSECT(WEEKDAY_CALENDAR(MONDAY), FACTORY_CALENDAR("EVENTS"."TIME", "EVENTS"."END_TIME")))"#,
    "-- why\nROUND(- \"ITEMS\".\"PRICE\" * 1.5, 1) /* so */, TODAY('Asia/Tokyo'), UNIQUE_ID(\"ITEMS\".\"ITEM_ID\")",
];

fn faults_are_in(text: &str, faults: &Faults) -> Result<(), TestCaseError> {
    prop_assert!(!faults.0.is_empty());
    for fault in &faults.0 {
        let line = text.split('\n').nth(fault.line as usize - 1);
        prop_assert!(line.is_some(), "line {} of {:?}", fault.line, text);
        let width = line.map_or(0, |line| line.chars().count());
        prop_assert!((1..=width + 1).contains(&(fault.column as usize)), "{} in {:?}", fault, text);
        prop_assert!(!fault.detail.is_empty());
    }
    Ok(())
}

/// Parses, checks and answers as far as it goes.
fn try_out(log: &Arc<EventLog>, words: &Vocabulary, text: &str) -> Result<(), TestCaseError> {
    match parse::query(text) {
        Err(faults) => faults_are_in(text, &faults)?,
        Ok(query) => {
            let printed = query.to_string();
            prop_assert_eq!(parse::query(&printed), Ok(query), "{}", printed);
        }
    }
    match Checker::new(log.catalog().clone(), words).query(text) {
        Err(faults) => faults_are_in(text, &faults)?,
        Ok(plan) => {
            answer(log.clone(), &plan, 1_772_000_000_000);
        }
    }
    Ok(())
}

fn token() -> impl Strategy<Value = String> {
    let words = [
        "AND",
        "OR",
        "NOT",
        "IN",
        "IN_LIKE",
        "LIKE",
        "IS",
        "NULL",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "BETWEEN",
        "AS",
        "TABLE",
        "FILTER",
        "DISTINCT",
        "ORDER",
        "BY",
        "LIMIT",
        "TO",
        "MONDAY",
        "08:00-16:30",
        "HOURS",
        "MULTI",
        "d",
        "ts",
    ];
    let signs = [
        "(", ")", "[", "]", "{", "}", ",", ".", ";", "+", "-", "*", "/", "%", "=", "<", ">", "<=", "!=", "||", ":",
        "'", "\"", "<%", "%>", "/*", "--", "\\", "\n",
    ];
    let operators: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
    prop_oneof![
        3 => prop::sample::select(words.to_vec()).prop_map(str::to_owned),
        4 => prop::sample::select(signs.to_vec()).prop_map(str::to_owned),
        2 => prop::sample::select(operators).prop_map(|name| format!("{name}(")),
        2 => Just(r#""EVENTS"."TIME""#.to_owned()),
        1 => Just(r#""ORDERS""#.to_owned()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| format!("{number:?}")),
        1 => "'.{0,4}'",
        1 => ".{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn soup_is_told_to_be_soup(tokens in prop::collection::vec(token(), 0..30)) {
        try_out(&pages::log(), &Vocabulary::default(), &tokens.join(" "))?;
    }

    #[test]
    fn slips_are_told(
        query in prop::sample::select(QUERIES.to_vec()),
        slips in prop::collection::vec(slip(), 1..4),
    ) {
        try_out(&pages::log(), &Vocabulary::default(), &slipped(query, slips))?;
    }
}

proptest! {
    // The usual number of cases, which the environment can raise.
    #![proptest_config(ProptestConfig::default())]

    #[test]
    fn slips_on_the_pages_are_told(page in any::<Index>(), slips in prop::collection::vec(slip(), 1..4)) {
        let examples = EXAMPLES.get_or_init(pages::examples);
        let (log, words) = HOUSE.get_or_init(|| (pages::log(), pages::words()));
        try_out(log, words, &slipped(&examples[page.index(examples.len())], slips))?;
    }

    #[test]
    fn slips_in_models_are_told(template in any::<Index>(), slips in prop::collection::vec(slip(), 1..4)) {
        let templates = TEMPLATES.get_or_init(|| signals::templates().into_values().collect());
        let log = LOG.get_or_init(|| signals::load("purchase-to-pay", "2011-02-01"));
        let text = slipped(&templates[template.index(templates.len())], slips);
        let checked = KnowledgeModel::parse(&text)
            .and_then(|model| check_model("p.km", &model, &signals::data_model(), log.catalog()).map(|_| ()));
        let Err(error) = checked else { return Ok(()) };
        let mistakes = error.model_mistakes();
        prop_assert!(!mistakes.is_empty(), "{error} has no place in\n{text}");
        for mistake in mistakes {
            let lines = text.lines().count().max(1) as u64 + 1;
            prop_assert!((1..=lines).contains(&mistake.line), "{mistake:?} in\n{text}");
            prop_assert!(!mistake.detail.is_empty());
        }
    }
}

static EXAMPLES: OnceLock<Vec<String>> = OnceLock::new();
static HOUSE: OnceLock<(Arc<EventLog>, Vocabulary)> = OnceLock::new();
static TEMPLATES: OnceLock<Vec<String>> = OnceLock::new();
static LOG: OnceLock<Arc<EventLog>> = OnceLock::new();

/// From where, to where, what comes in, and what happens.
type Slip = (Index, Index, String, u8);

fn slip() -> impl Strategy<Value = Slip> {
    (any::<Index>(), any::<Index>(), token(), 0..4_u8)
}

/// Returns a text with slips in it: letters left out, a word too many, a piece
/// lost or written twice.
fn slipped(text: &str, slips: Vec<Slip>) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for (from, to, token, kind) in slips {
        let (from, to) = (from.index(characters.len() + 1), to.index(characters.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        match kind {
            0 => drop(characters.drain(from..to.min(from + 3))),
            1 => drop(characters.splice(from..from, token.chars())),
            2 => drop(characters.drain(from..to)),
            _ => {
                let again = characters[from..to].to_vec();
                drop(characters.splice(to..to, again));
            }
        }
    }
    characters.into_iter().collect()
}

#[test]
fn what_is_printed_is_read_back_on_all_pages_and_in_all_templates() {
    let mut read = 0;
    for text in pages::examples() {
        // Guards are cut out before the parser sees the text.
        let text = if text.contains("<% if") { continue } else { text };
        if let Ok(query) = parse::query(&text) {
            let printed = query.to_string();
            assert_eq!(parse::query(&printed), Ok(query), "{printed}");
            read += 1;
        }
    }
    assert!(read > 150, "{read} queries of the pages can be read");
    for (name, text) in signals::templates() {
        let model = KnowledgeModel::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let attributes = model.records.iter().flat_map(Record::all_attributes);
        let expressions = attributes.map(|attribute| &attribute.written.value);
        for text in expressions.chain(model.kpis.iter().map(|kpi| &kpi.written.value)) {
            let expression = parse::expression(text).unwrap_or_else(|faults| panic!("{name}: {text}: {faults}"));
            let printed = expression.to_string();
            assert_eq!(parse::expression(&printed), Ok(expression), "{name}: {printed}");
        }
        for filter in &model.filters {
            let text = &filter.pql.value;
            let condition = parse::condition(text).unwrap_or_else(|faults| panic!("{name}: {text}: {faults}"));
            let printed = condition.to_string();
            assert_eq!(parse::condition(&printed), Ok(condition), "{name}: {printed}");
        }
    }
}

#[test]
fn the_queries_to_start_from_are_right() {
    let log = pages::log();
    for query in QUERIES {
        let vocabulary = Vocabulary::default();
        let plan = Checker::new(log.catalog().clone(), &vocabulary).query(query);
        assert!(plan.is_ok(), "{query}: {:?}", plan.err());
    }
}

#[test]
fn depth_is_bounded_whatever_is_nested() {
    for opening in
        ["(", "[", "-", "NOT ", "F(", "A[", "CASE WHEN ", "1 IN (", "f(1, ", "{", "1 + (", "<", "'", "\"", "a.", "1, "]
    {
        let text = opening.repeat(99_999);
        let faults = parse::query(&text).expect_err("it has no end");
        assert!(!faults.0.is_empty() && faults.0.len() <= 20, "{opening}: {} faults", faults.0.len());
    }
    // What is just not too deep is checked and answered.
    let (log, vocabulary) = (pages::log(), Vocabulary::default());
    for (opening, inner, closing) in [
        ("(", "1", ")"),
        ("ABS(", "1", ")"),
        ("- ", "1", ""),
        ("COALESCE(NULL, ", "1", ")"),
        ("CASE WHEN 1 = 1 THEN ", "1", " END"),
        ("1 + (", "1", ")"),
    ] {
        let text = format!("{}{inner}{}", opening.repeat(59), closing.repeat(59));
        let plan = Checker::new(log.catalog().clone(), &vocabulary).query(&text);
        answer(log.clone(), &plan.expect("it is not too deep"), 0);
    }
    let long = vec!["1"; 100_000];
    for between in ["+", " AND ", " OR ", "||", "*"] {
        parse::query(&long.join(between)).expect_err("it is too long");
    }
    // A list may be long, for it is not deep.
    let list = format!(r#"CASE WHEN "EVENTS"."COST" IN ({}, NULL) THEN 1 ELSE 0 END"#, long[..5_000].join(","));
    let plan = Checker::new(log.catalog().clone(), &vocabulary).query(&list).expect("it is checked");
    assert_eq!(answer(log, &plan, 0).rows.len(), 14);
}
