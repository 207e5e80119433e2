use proptest::prelude::*;
use serde_json::json;

use super::*;

fn value(json: Json) -> Value {
    Value::from_json(json)
}

#[test]
fn every_operator_has_its_meaning() {
    for (left, operator, right, expected) in [
        (json!("x"), "exist", json!(null), true),
        (json!(""), "exist", json!(null), true),
        (json!(null), "exist", json!(null), false),
        (json!(null), "notexist", json!(null), true),
        (json!("Abc"), "text:equal", json!("abc"), false),
        (json!("Abc"), "text:equal:ci", json!("abc"), true),
        (json!("10"), "text:less", json!("7"), true),
        (json!("abc"), "text:contain", json!("b"), true),
        (json!("abc"), "text:notcontain", json!("b"), false),
        (json!("abc"), "text:startwith", json!("ab"), true),
        (json!("abc"), "text:notstartwith", json!("ab"), false),
        (json!("abc"), "text:endwith", json!("bc"), true),
        (json!("abc"), "text:notendwith:ci", json!("BC"), false),
        (json!("order 17"), "text:pattern", json!("\\d+"), true),
        (json!("order"), "text:notpattern", json!("\\d+"), true),
        (json!("order"), "text:pattern", json!("("), false),
        (json!("order"), "text:notpattern", json!("("), false),
        (json!(200), "number:equal", json!("200"), true),
        (json!(401), "number:notequal", json!(200), true),
        (json!("10"), "number:greater", json!("7"), true),
        (json!(7), "number:lessorequal", json!(7.0), true),
        (json!("seven"), "number:notequal", json!(7), false),
        (json!("2026-01-02"), "date:greater", json!("2026-01-01T23:00:00Z"), true),
        (json!("2026-01-02"), "date:equal", json!("02 Jan"), false),
        (json!("9:30"), "time:less", json!("10:00:00"), true),
        (json!(true), "boolean:equal", json!("true"), true),
        (json!(null), "boolean:equal", json!("false"), false),
        (json!(["a", "b"]), "array:contain", json!("b"), true),
        (json!(["a", "b"]), "array:notcontain:ci", json!("B"), false),
        (json!(["a", "b"]), "array:equal", json!(2), true),
        (json!(["a", "b"]), "array:greaterorequal", json!("3"), false),
        (json!("abc"), "text:startswith", json!("ab"), false),
    ] {
        assert_eq!(
            holds(operator, &value(left.clone()), &value(right.clone()), &TimeZone::UTC),
            expected,
            "{left} {operator} {right}"
        );
    }
}

#[test]
fn an_operator_that_nobody_knows_is_reported() {
    let mut unknown = Vec::new();
    let document = json!({"name": "late", "conditions": [[{"a": "{{1.x}}", "o": "date:before", "b": "{{now}}"}]]});
    Filter::read(&document, &mut |operator| unknown.push(operator.to_owned())).expect("a filter");
    assert_eq!(unknown, ["date:before"]);
}

/// Values that a person could map into a condition.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Absent),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-20..20_i64).prop_map(Value::Int),
        (-20.0..20.0_f64).prop_map(Value::Float),
        "[aAbB0-9. ]{0,3}".prop_map(Value::text),
        (0..3_i64).prop_map(|day| Value::text(format!("2026-01-0{}", day + 1))),
        (0..3_i64).prop_map(|day| Value::Date(base::Timestamp::from_millis(1_767_225_600_000 + day * 86_400_000))),
        prop::collection::vec("[ab]{0,2}".prop_map(Value::text), 0..3).prop_map(Value::array),
    ]
}

fn asked(operator: &str, left: &Value, right: &Value) -> bool {
    holds(operator, left, right, &TimeZone::UTC)
}

fn conditions() -> impl Strategy<Value = Vec<Vec<(i64, &'static str, i64)>>> {
    let operators = prop::sample::select(vec!["number:less", "number:equal", "number:greaterorequal", "text:contain"]);
    let condition = (0..4_i64, operators, 0..4_i64);
    prop::collection::vec(prop::collection::vec(condition, 1..4), 0..4)
}

fn filter(groups: &[Vec<(i64, &str, i64)>]) -> Filter {
    let condition = |(a, o, b): &(i64, &str, i64)| json!({"a": a.to_string(), "o": o, "b": b.to_string()});
    let groups: Vec<Vec<Json>> = groups.iter().map(|group| group.iter().map(condition).collect()).collect();
    Filter::read(&json!({ "conditions": groups }), &mut |_| {}).expect("a filter")
}

struct Nowhere(base::chance::SeededChance);

impl Surroundings for Nowhere {
    fn bundle(&self, _module: u32) -> Option<Value> {
        None
    }
    fn name(&self, _name: &str) -> Option<Value> {
        None
    }
    fn now(&self) -> base::Timestamp {
        base::Timestamp::EPOCH
    }
    fn chance(&self) -> &dyn base::Chance {
        &self.0
    }
}

fn passes(groups: &[Vec<(i64, &str, i64)>]) -> bool {
    let around = Nowhere(base::chance::SeededChance::new(1));
    filter(groups).judge(&around).expect("nothing to compute") == Verdict::Passes
}

proptest! {
    #[test]
    fn of_an_operator_and_its_negation_exactly_one_holds(left in any_value(), right in any_value()) {
        prop_assert_ne!(asked("exist", &left, &right), asked("notexist", &left, &right));
        for operator in ["equal", "contain", "startwith", "endwith"] {
            for case in ["", ":ci"] {
                let (plain, negated) = (format!("text:{operator}{case}"), format!("text:not{operator}{case}"));
                prop_assert_ne!(asked(&plain, &left, &right), asked(&negated, &left, &right), "{} {:?} {:?}", plain, left, right);
            }
        }
        // What says neither true nor false equals nothing.
        if truth(&left).is_some() || truth(&right).is_some() {
            prop_assert_ne!(asked("boolean:equal", &left, &right), asked("boolean:notequal", &left, &right));
        }
    }

    #[test]
    fn orders_are_orders(left in any_value(), right in any_value()) {
        for kind in ["number", "date", "time"] {
            let is = |operator: &str, left: &Value, right: &Value| asked(&format!("{kind}:{operator}"), left, right);
            prop_assert_eq!(is("less", &left, &right), is("greater", &right, &left));
            prop_assert_eq!(is("equal", &left, &right), is("equal", &right, &left));
            prop_assert_eq!(is("lessorequal", &left, &right), is("less", &left, &right) || is("equal", &left, &right));
            prop_assert_eq!(is("greaterorequal", &left, &right), is("greater", &left, &right) || is("equal", &left, &right));
            // Where both can be converted, exactly one of three holds, else none.
            let held = ["less", "equal", "greater"].iter().filter(|operator| is(operator, &left, &right)).count();
            let can = is("equal", &left, &left) && is("equal", &right, &right);
            prop_assert_eq!(held, usize::from(can));
        }
    }

    #[test]
    fn the_order_of_conditions_does_not_matter(groups in conditions()) {
        let holds = |(a, o, b): &(i64, &str, i64)| asked(o, &Value::Int(*a), &Value::Int(*b));
        let expected = groups.is_empty() || groups.iter().any(|all| all.iter().all(holds));
        prop_assert_eq!(passes(&groups), expected);
        // What is told of it says the same, and does not change it.
        let mut told = Judgement::default();
        let around = Nowhere(base::chance::SeededChance::new(1));
        let verdict = filter(&groups).judge_telling(&around, &mut told).expect("nothing to compute");
        prop_assert_eq!((verdict == Verdict::Passes, told.passes), (expected, expected));
        let one_holds = told.any.iter().any(|all| all.iter().all(|judged| judged.holds));
        prop_assert_eq!(one_holds, expected && !groups.is_empty());
        let mut turned = groups;
        turned.reverse();
        for all in &mut turned {
            all.reverse();
        }
        prop_assert_eq!(passes(&turned), expected);
    }
}

#[test]
fn every_operator_that_is_offered_holds_for_some_values() {
    let values = [
        "null",
        "\"a\"",
        "\"B\"",
        "\"b\"",
        "\"\"",
        "1",
        "2",
        "true",
        "[1, 2]",
        "[\"B\"]",
        "\"2026-01-02\"",
        "\"2026-01-03\"",
        "\"10:00\"",
        "\"9:30\"",
    ];
    let values = values.map(|json| value(serde_json::from_str(json).expect("JSON")));
    for Operator { id, group, sides, .. } in OPERATORS {
        assert_eq!(id.split_once(':').map_or("exist", |(group, _)| group), group);
        let any_case = (sides == Sides::TwoInAnyCase).then(|| format!("{id}:ci"));
        for id in any_case.iter().map(String::as_str).chain([id]) {
            let pairs = values.iter().flat_map(|left| values.iter().map(move |right| (left, right)));
            let held = pairs.filter(|(left, right)| holds(id, left, right, &TimeZone::UTC)).count();
            assert!((1..values.len().pow(2)).contains(&held), "{id} held {held} times");
        }
    }
}
