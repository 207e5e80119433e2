//! What holds for any log.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::at;
use super::nets::{BPMN, NET};
use super::{ask, log_of};
use crate::evaluate::Evaluator;
use crate::log::EventLog;
use crate::pql::check::{Checker, Vocabulary};
use crate::pql::plan::Grain;
use crate::value::Value;

/// One expression of each operator, with and without what it may take.
const EXPRESSIONS: &[&str] = &[
    r#"VARIANT("EV"."X")"#,
    r#"SHORTENED(VARIANT("EV"."X"), 1)"#,
    r#"MATCH_ACTIVITIES("EV"."X", STARTING['A'], NODE_ANY['B', 'C'], EXCLUDING_ALL['A', 'C'])"#,
    r#"CALC_REWORK("EV"."X" = 'B')"#,
    r#"CALC_REWORK("EV"."X")"#,
    r#"CALC_THROUGHPUT(FIRST_OCCURRENCE['A'] TO LAST_OCCURRENCE['B'], REMAP_TIMESTAMPS("EV"."TS", HOURS), "EV"."X")"#,
    r#"CALC_CROP(FIRST_OCCURRENCE['A'] TO LAST_OCCURRENCE['B'], "EV"."X")"#,
    r#"CALC_CROP_TO_NULL(CASE_START TO FIRST_OCCURRENCE['B'], "EV"."X")"#,
    r#"ACTIVITY_LEAD("EV"."X", 2)"#,
    r#"ACTIVITY_LAG("EV"."X")"#,
    r#"INDEX_ACTIVITY_ORDER("EV"."X")"#,
    r#"INDEX_ACTIVITY_TYPE("EV"."X")"#,
    r#"INDEX_ACTIVITY_LOOP_REVERSE("EV"."X")"#,
    r#"INDEX_ACTIVITY_TYPE_REVERSE("EV"."N")"#,
    r#"SOURCE("EV"."X")"#,
    r#"DATEDIFF(mi, SOURCE("EV"."TS", "EV"."X", ANY_OCCURRENCE[] TO LAST_OCCURRENCE[] WITH START()),
                    TARGET("EV"."TS", "EV"."X", ANY_OCCURRENCE[] TO LAST_OCCURRENCE[] WITH END()))"#,
    r#"SOURCE("EV"."X", FIRST_OCCURRENCE[] TO ANY_OCCURRENCE_WITH_SELF[] WITH START('begin'))"#,
    r#"CASE WHEN "VENDOR"."NAME" = 'odd' THEN TARGET("EV"."X") END"#,
    r#"CASE WHEN SOURCE("EV"."N") < PU_COUNT("VENDOR", SOURCE("EV"."X")) THEN SOURCE("EV"."X") END"#,
    r#"PU_COUNT("ORDERS", SOURCE("EV"."X"), SOURCE("EV"."X") = TARGET("EV"."X"))"#,
    r#"CASE WHEN SOURCE("EV"."N") <= PU_COUNT(DOMAIN_TABLE(TARGET("EV"."X")), SOURCE("EV"."X")) THEN 1 END"#,
    r#"CASE WHEN PROCESS ON "EV"."X" EQUALS 'A' TO ANY TO 'B' END THEN 1 END"#,
    r#"CASE WHEN PROCESS ON "EV"."X" NOT EQUALS ^ ('A', 'B') THEN 1 END"#,
    r#"MATCH_PROCESS("EV"."X", NODE['A'] AS a, LOOP['B', 'C'] AS b, OPTIONAL['A'] AS c
       CONNECTED BY DIRECT[a, b], EVENTUALLY[b, c])"#,
    r#"MATCH_PROCESS_REGEX("EV"."X", ^ 'A' >> ANY* >> 'B'{2} $)"#,
    r#"READABLE(CONFORMANCE("EV"."X", ["p" "q"], ["a" "b"], [["p" "a"] ["a" "q"] ["q" "b"] ["b" "p"]],
                            [['A' "a"] ['B' "b"]], ["p"], ["q"]))"#,
    r#"BPMN_CONFORMS("EV"."X", [[0 BPMN_START] [1 BPMN_TASK 'A'] [2 BPMN_END]], [[0 1] [1 2]])"#,
];

type Found = Vec<(u32, Value)>;

/// Asks all cases at once, and each alone.
fn per_case(log: &Arc<EventLog>, text: &str) -> (Found, Found) {
    let vocabulary = Vocabulary::default();
    let mut checker = Checker::new(log.catalog().clone(), &vocabulary);
    let node = checker.value(text).expect(text);
    let now = at("2026-03-04 12:00").as_millis();
    let evaluator = Evaluator::new(log.clone(), Arc::new(checker.finish()), now);
    let case_table = log.catalog().roles.case_table;
    let read = |scope: &crate::evaluate::InScope<'_>| -> Found {
        let (vector, cases) = (scope.vector(&node), scope.cases_of(node.grain, case_table));
        assert_eq!(vector.len(), cases.len(), "{text}");
        cases.iter().enumerate().map(|(place, case)| (*case, vector.value(place))).collect()
    };
    let mut together = evaluator.everything(|scope| read(scope));
    together.sort_by_key(|(case, _)| *case);
    let alone = (0..log.case_count()).flat_map(|case| evaluator.cases(&[case], now, None, |scope| read(scope)));
    (together, alone.collect())
}

fn cases() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[ABC-]{0,7}", 1..6)
}

fn load(cases: &[String]) -> Arc<EventLog> {
    let numbers: Vec<String> = (0..cases.len()).map(|number| number.to_string()).collect();
    log_of(&numbers.iter().map(String::as_str).zip(cases.iter().map(String::as_str)).collect::<Vec<_>>())
}

fn numbers(log: &Arc<EventLog>, pql: &str) -> Vec<Vec<Option<i64>>> {
    let number = |value: &Value| if let Value::Int(number) = value { Some(*number) } else { None };
    let answer = ask(log, pql).expect(pql);
    answer.rows.iter().map(|row| row.iter().map(number).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_case_alone_gets_what_it_gets_among_all(cases in cases()) {
        let log = load(&cases);
        for text in EXPRESSIONS {
            let (together, alone) = per_case(&log, text);
            prop_assert_eq!(together, alone, "{}", text);
        }
    }

    #[test]
    fn a_filter_on_pairs_selects_the_same_cases_alone(cases in cases()) {
        let log = load(&cases);
        let vocabulary = Vocabulary::default();
        for text in [
            r#"SOURCE("EV"."X") = 'A' AND TARGET("EV"."X") = 'B'"#,
            r#"SOURCE("EV"."X") = 'A' AND "VENDOR"."NAME" = 'odd'"#,
            r#"PU_COUNT("VENDOR", SOURCE("EV"."X")) > 3"#,
        ] {
            let mut checker = Checker::new(log.catalog().clone(), &vocabulary);
            let condition = checker.condition(text).expect(text);
            let source = checker.value(r#"SOURCE("EV"."X")"#).expect("pairs");
            let evaluate = |grain: Grain, checker: Checker<'_>| {
                let way = checker.way(&condition, grain).expect("a way");
                let evaluator = Evaluator::new(log.clone(), Arc::new(checker.finish()), 0);
                let case_table = log.catalog().roles.case_table;
                let read = |scope: &crate::evaluate::InScope<'_>| {
                    let selected = scope.selected(grain, &[(condition.clone(), way)]);
                    scope.cases_of(grain, case_table).into_iter().zip(selected).collect::<Vec<_>>()
                };
                let mut together = evaluator.everything(|scope| read(scope));
                together.sort_by_key(|(case, _)| *case);
                let alone: Vec<_> =
                    (0..log.case_count()).flat_map(|case| evaluator.cases(&[case], 0, None, |scope| read(scope))).collect();
                (together, alone)
            };
            let (together, alone) = evaluate(source.grain, checker);
            prop_assert_eq!(together, alone, "pairs of {}", text);
            let mut checker = Checker::new(log.catalog().clone(), &vocabulary);
            checker.condition(text).expect(text);
            let (together, alone) = evaluate(Grain::Table(log.catalog().roles.case_table), checker);
            prop_assert_eq!(together, alone, "cases of {}", text);
        }
    }

    #[test]
    fn neighbours_are_one_fewer_than_events(cases in cases()) {
        let log = load(&cases);
        let with_events = cases.iter().filter(|case| !case.is_empty()).count();
        let events: usize = cases.iter().map(String::len).sum();
        let pairs = |config: &str| {
            ask(&log, &format!(r#"SOURCE("EV"."ACT"{config})"#)).expect(config).rows.len()
        };
        prop_assert_eq!(pairs(""), events - with_events);
        prop_assert_eq!(pairs(", FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[]"), events - with_events);
        prop_assert_eq!(pairs(", FIRST_OCCURRENCE[] TO ANY_OCCURRENCE_WITH_SELF[]"), events);
        prop_assert_eq!(pairs(", ANY_OCCURRENCE[] TO LAST_OCCURRENCE[]"), events - with_events);
        let longer = cases.iter().filter(|case| case.len() > 1).count();
        prop_assert_eq!(pairs(", FIRST_OCCURRENCE[] TO LAST_OCCURRENCE[]"), longer);
        prop_assert_eq!(pairs(", WITH START('s')"), events);
    }

    #[test]
    fn pairs_are_what_lead_sees(cases in cases()) {
        let log = load(&cases);
        let texts = |pql: &str| ask(&log, pql).expect(pql).rows;
        let pairs = texts(r#"SOURCE("EV"."X", "EV"."X"), TARGET("EV"."X", "EV"."X")"#);
        let leads = texts(
            r#"FILTER "EV"."X" IS NOT NULL; FILTER ACTIVITY_LEAD("EV"."X") IS NOT NULL;
               "EV"."X", ACTIVITY_LEAD("EV"."X")"#,
        );
        prop_assert_eq!(pairs, leads);
    }

    #[test]
    fn positions_and_neighbours_agree(cases in cases()) {
        let log = load(&cases);
        let rows = numbers(
            &log,
            r#"INDEX_ACTIVITY_ORDER("EV"."X"), INDEX_ACTIVITY_ORDER_REVERSE("EV"."X"), CALC_REWORK("EV"."X"),
               INDEX_ACTIVITY_TYPE("EV"."X"), INDEX_ACTIVITY_TYPE_REVERSE("EV"."X"),
               PU_COUNT("ORDERS", "EV"."X", "EV"."X" = 'A'), CASE WHEN "EV"."X" = 'A' THEN 1 ELSE 0 END,
               INDEX_ACTIVITY_LOOP("EV"."X"), CASE WHEN "EV"."X" = ACTIVITY_LAG("EV"."X") THEN 1 ELSE 0 END,
               ACTIVITY_LAG(INDEX_ACTIVITY_ORDER("EV"."X")), ACTIVITY_LAG(INDEX_ACTIVITY_LOOP("EV"."X")),
               ACTIVITY_LAG(ACTIVITY_LEAD(INDEX_ACTIVITY_ORDER("EV"."X")))"#,
        );
        for row in rows {
            let Some(order) = row[0] else {
                prop_assert!([1, 3, 4, 7].iter().all(|column| row[*column].is_none()));
                continue;
            };
            let number = |column: usize| row[column].expect("an event with a value has a number");
            prop_assert_eq!(order + number(1), number(2) + 1);
            if row[6] == Some(1) {
                prop_assert_eq!(number(3) + number(4), number(5) + 1);
            }
            prop_assert_eq!(row[9], (order > 1).then_some(order - 1));
            // A run goes on exactly where the event before is alike.
            let before = if row[8] == Some(1) { number(10) } else { 0 };
            prop_assert_eq!(number(7), before + 1);
        }
    }
}

/// A pattern of one kind or another, as a tree that can be matched naively.
#[derive(Clone, Debug)]
enum Tree {
    Letter(char),
    Not(char),
    Any,
    Start,
    End,
    Sequence(Vec<Tree>),
    Either(Vec<Tree>),
    Repeat(Box<Tree>, u32, Option<u32>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => prop::sample::select(vec!['A', 'B', 'C']).prop_map(Tree::Letter),
        1 => prop::sample::select(vec!['A', 'B', 'C']).prop_map(Tree::Not),
        1 => Just(Tree::Any),
        1 => Just(Tree::Start),
        1 => Just(Tree::End),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Tree::Sequence),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Tree::Either),
            (inner, 0..3_u32, prop::option::of(0..3_u32)).prop_map(|(tree, least, more)| Tree::Repeat(
                tree.into(),
                least,
                more.map(|more| least + more)
            )),
        ]
    })
}

impl Tree {
    fn text(&self) -> String {
        let joined = |parts: &[Tree], between| parts.iter().map(Tree::text).collect::<Vec<_>>().join(between);
        match self {
            Tree::Letter(letter) => format!("'{letter}'"),
            Tree::Not(letter) => format!("[! '{letter}']"),
            Tree::Any => "ANY".into(),
            Tree::Start => "^".into(),
            Tree::End => "$".into(),
            Tree::Sequence(parts) => format!("({})", joined(parts, " >> ")),
            Tree::Either(parts) => format!("({})", joined(parts, " | ")),
            Tree::Repeat(inner, least, None) => format!("({}){{{least},}}", inner.text()),
            Tree::Repeat(inner, least, Some(most)) => format!("({}){{{least},{most}}}", inner.text()),
        }
    }

    /// Lists where reading may go on, by trying everything.
    fn ends(&self, text: &[char], from: usize) -> Vec<usize> {
        let one = |fits: bool| if fits { vec![from + 1] } else { Vec::new() };
        let mut ends = match self {
            Tree::Letter(letter) => one(text.get(from) == Some(letter)),
            Tree::Not(letter) => one(text.get(from).is_some_and(|found| found != letter)),
            Tree::Any => one(from < text.len()),
            Tree::Start => {
                if from == 0 {
                    vec![from]
                } else {
                    Vec::new()
                }
            }
            Tree::End => {
                if from == text.len() {
                    vec![from]
                } else {
                    Vec::new()
                }
            }
            Tree::Sequence(parts) => parts
                .iter()
                .fold(vec![from], |froms, part| froms.into_iter().flat_map(|from| part.ends(text, from)).collect()),
            Tree::Either(parts) => parts.iter().flat_map(|part| part.ends(text, from)).collect(),
            Tree::Repeat(inner, least, most) => {
                let mut all = Vec::new();
                let mut froms = vec![from];
                // Beyond so many rounds nothing new can be read.
                for round in 0..=most.unwrap_or(*least + text.len() as u32 + 1) {
                    if round >= *least {
                        all.extend(&froms);
                    }
                    froms = froms.iter().flat_map(|from| inner.ends(text, *from)).collect();
                    froms.sort_unstable();
                    froms.dedup();
                }
                all
            }
        };
        ends.sort_unstable();
        ends.dedup();
        ends
    }

    fn occurs(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().filter(|letter| *letter != '-').collect();
        (0..=text.len()).any(|from| !self.ends(&text, from).is_empty())
    }
}

/// Nodes of MATCH_PROCESS: how often and where, and their activities.
fn nodes() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let kind = prop::sample::select(vec!["NODE", "NODE", "LOOP", "STARTING", "ENDING"]);
    let letters = prop::sample::select(vec!["A", "B", "C", "AB"]);
    prop::collection::vec((kind, letters), 1..4)
}

/// Lays a node out on events in all ways, then the ones after it.
fn lays_out(
    text: &[char],
    nodes: &[(&str, &str)],
    edges: &[(usize, usize, bool)],
    laid: &mut Vec<(usize, usize)>,
) -> bool {
    let Some((kind, letters)) = nodes.get(laid.len()) else {
        let apart = |one: &(usize, usize), other: &(usize, usize)| one.1 < other.0 || other.1 < one.0;
        let all_apart = (0..laid.len()).all(|one| (0..one).all(|other| apart(&laid[one], &laid[other])));
        return all_apart
            && edges.iter().all(|(from, to, direct)| {
                let (end, begin) = (laid[*from].1, laid[*to].0);
                if *direct { begin == end + 1 } else { begin > end }
            });
    };
    for from in 0..text.len() {
        for to in from..text.len() {
            let fits = text[from..=to].iter().all(|letter| letters.contains(*letter))
                && (from == to || *kind == "LOOP")
                && (*kind != "STARTING" || from == 0)
                && (*kind != "ENDING" || to + 1 == text.len());
            if fits {
                laid.push((from, to));
                if lays_out(text, nodes, edges, laid) {
                    return true;
                }
                laid.pop();
            }
        }
    }
    false
}

proptest! {
    #[test]
    fn nodes_are_found_where_trying_everything_lays_them_out(
        nodes in nodes(),
        edges in prop::collection::vec((0..3_usize, 0..3_usize, any::<bool>()), 0..4),
        cases in cases(),
    ) {
        let edges: Vec<_> =
            edges.into_iter().filter(|(from, to, _)| from != to && from.max(to) < &nodes.len()).collect();
        let node = |(place, (kind, letters)): (usize, &(&str, &str))| {
            let names: Vec<String> = letters.chars().map(|letter| format!("'{letter}'")).collect();
            format!("{kind}[{}] AS n{place}", names.join(", "))
        };
        let edge = |(from, to, direct): &(usize, usize, bool)| {
            format!("{}[n{from}, n{to}]", if *direct { "DIRECT" } else { "EVENTUALLY" })
        };
        let nodes_text = nodes.iter().enumerate().map(node).collect::<Vec<_>>().join(", ");
        let edges_text = edges.iter().map(edge).collect::<Vec<_>>().join(", ");
        let connected = if edges.is_empty() { String::new() } else { format!(" CONNECTED BY {edges_text}") };
        let text = format!(r#""ORDERS"."CASE", MATCH_PROCESS("EV"."X", {nodes_text}{connected})"#);
        let log = load(&cases);
        let expected = |case: &String| {
            let letters: Vec<char> = case.chars().filter(|letter| *letter != '-').collect();
            lays_out(&letters, &nodes, &edges, &mut Vec::new())
        };
        match ask(&log, &text) {
            Ok(answer) => {
                for row in answer.rows {
                    let case = &cases[row[0].to_string().parse::<usize>().expect("a number")];
                    prop_assert_eq!(&row[1], &Value::Int(expected(case).into()), "{} in {}", text, case);
                }
            }
            Err(refused) => prop_assert!(!cases.iter().any(expected), "{}: {}", text, refused),
        }
    }

    #[test]
    fn a_model_and_a_pattern_that_say_the_same_agree(
        cases in prop::collection::vec("A?(B|CD|DC|C|X|)-?E?|[A-E]{0,4}", 1..8)
    ) {
        let log = load(&cases);
        let conforms = format!(r#"BPMN_CONFORMS("EV"."X", {BPMN})"#);
        let complete = format!(
            r#"CASE WHEN PU_COUNT("ORDERS", "EV"."X", CONFORMANCE("EV"."X", {NET}) != 0) = 0
                    AND PU_COUNT("ORDERS", "EV"."X") > 0 THEN 1 ELSE 0 END"#
        );
        let pattern = r#"MATCH_PROCESS_REGEX("EV"."X", ^ 'A' >> ('B' | 'C' >> 'D' | 'D' >> 'C') >> 'E' $)"#;
        for row in numbers(&log, &format!("{conforms}, {complete}, {pattern}")) {
            prop_assert_eq!(row[0], row[2]);
            prop_assert_eq!(row[1], row[2]);
        }
    }

    #[test]
    fn patterns_are_found_where_trying_everything_finds_them(tree in tree(), cases in cases()) {
        let log = load(&cases);
        let text = format!(r#""ORDERS"."CASE", MATCH_PROCESS_REGEX("EV"."X", {})"#, tree.text());
        for row in ask(&log, &text).expect(&text).rows {
            let case = &cases[row[0].to_string().parse::<usize>().expect("a number")];
            let expected = Value::Int(tree.occurs(case).into());
            prop_assert_eq!(&row[1], &expected, "{} in {}", tree.text(), case);
        }
    }
}
