//! The filter language against a naive evaluator.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::{model, table};
use crate::data::filter_language::{Field, Filter, Known, Literal, Part, instant, parse as parse_filter};
use crate::evaluate::answer;
use crate::log::EventLog;
use crate::pql::check::{Checker, More, Vocabulary};
use crate::pql::parse;
use crate::pql::syntax::{Comparison, Query, QueryColumn};
use crate::value::{Type, Value};

const FIELDS: [(&str, Type); 4] = [("N", Type::Int), ("F", Type::Float), ("T", Type::String), ("D", Type::Date)];

/// A literal of a type, as it may be written.
fn literal(of: Type) -> BoxedStrategy<Literal> {
    let bare = |text: String| Literal { text, quoted: false, at: 0 };
    let quoted = |text: String| Literal { text, quoted: true, at: 0 };
    match of {
        Type::Int => (-3..4_i64).prop_map(move |number| bare(number.to_string())).boxed(),
        Type::Float => (-4..5_i64).prop_map(move |half| bare(format!("{:.1}", half as f64 / 2.0))).boxed(),
        Type::String => "[ab'%_ ]{0,3}".prop_map(quoted).boxed(),
        Type::Date => prop::sample::select(vec![
            "2026-01-01",
            "2026-01-02T00:00:00Z",
            "2026-01-02T01:00:00+01:00",
            "2026-01-03T12:30:00",
        ])
        .prop_map(move |text| bare(text.to_owned()))
        .boxed(),
    }
}

fn filter() -> impl Strategy<Value = Filter> {
    let field = |name: &str| Field { name: name.to_owned(), at: 0 };
    let comparison = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ]);
    let compare = (0..4_usize, comparison).prop_flat_map(move |(place, comparison)| {
        let (name, of) = FIELDS[place];
        literal(of).prop_map(move |literal| Filter::Compare(field(name), comparison, literal))
    });
    let null = (0..4_usize, any::<bool>()).prop_map(move |(place, is)| {
        let comparison = if is { Comparison::Equal } else { Comparison::NotEqual };
        Filter::Compare(field(FIELDS[place].0), comparison, Literal { text: "null".into(), quoted: false, at: 0 })
    });
    let among = (0..4_usize).prop_flat_map(move |place| {
        let (name, of) = FIELDS[place];
        prop::collection::vec(literal(of), 1..4).prop_map(move |literals| Filter::In(field(name), literals))
    });
    let part = prop::sample::select(vec![Part::Contains, Part::StartsWith, Part::EndsWith]);
    let text = (part, literal(Type::String)).prop_map(move |(part, literal)| Filter::Text(part, field("T"), literal));
    prop_oneof![4 => compare, 1 => null, 1 => among, 2 => text].prop_recursive(3, 12, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(one, two)| Filter::And(Box::new(one), Box::new(two))),
            pair.prop_map(|(one, two)| Filter::Or(Box::new(one), Box::new(two))),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

type Row = HashMap<&'static str, Option<Value>>;

fn row() -> impl Strategy<Value = Row> {
    let days = prop::sample::select(vec!["2026-01-01", "2026-01-02", "2026-01-03T12:30:00"]);
    let date = days.prop_map(|text| Value::Date(instant(text).expect("a date")));
    (
        prop::option::of((-3..4_i64).prop_map(Value::Int)),
        prop::option::of((-4..5_i64).prop_map(|half| Value::Float(half as f64 / 2.0))),
        prop::option::of("[ab'%_ ]{1,3}".prop_map(|text| Value::Text(text.trim().into()))),
        prop::option::of(date),
    )
        .prop_map(|(n, f, t, d)| HashMap::from([("N", n), ("F", f), ("T", t), ("D", d)]))
}

/// What a filter says of a row, without an engine; nothing if that is unknown.
fn naive(filter: &Filter, row: &Row) -> Option<bool> {
    let order = |value: &Value, literal: &Literal| match value {
        Value::Int(own) => (*own as f64).partial_cmp(&literal.text.parse::<f64>().ok()?),
        Value::Float(own) => own.partial_cmp(&literal.text.parse::<f64>().ok()?),
        Value::Text(own) => Some((**own).cmp(literal.text.as_str())),
        Value::Date(own) => Some(own.cmp(&instant(&literal.text)?)),
        Value::Null => None,
    };
    match filter {
        Filter::Compare(field, comparison, literal) if !literal.quoted && literal.text == "null" => {
            Some(row[field.name.as_str()].is_none() == (*comparison == Comparison::Equal))
        }
        Filter::Compare(field, comparison, literal) => {
            let value = row[field.name.as_str()].as_ref()?;
            order(value, literal).map(|order| comparison.holds(order))
        }
        Filter::In(field, literals) => {
            let value = row[field.name.as_str()].as_ref()?;
            Some(literals.iter().any(|literal| order(value, literal) == Some(Ordering::Equal)))
        }
        Filter::Text(part, field, literal) => {
            let Some(Value::Text(text)) = &row[field.name.as_str()] else { return None };
            Some(match part {
                Part::Contains => text.contains(&literal.text),
                Part::StartsWith => text.starts_with(&literal.text),
                Part::EndsWith => text.ends_with(&literal.text),
            })
        }
        Filter::And(one, two) => match (naive(one, row), naive(two, row)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Filter::Or(one, two) => match (naive(one, row), naive(two, row)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Filter::Not(inner) => naive(inner, row).map(|holds| !holds),
    }
}

fn log_of(rows: &[Row]) -> Arc<EventLog> {
    use pools::rows::ColumnType;
    let columns = [
        ("CASE", ColumnType::Integer),
        ("ACT", ColumnType::Text),
        ("TS", ColumnType::Time),
        ("N", ColumnType::Integer),
        ("F", ColumnType::Float),
        ("T", ColumnType::Text),
        ("D", ColumnType::Time),
    ];
    let columns: Vec<_> = columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    let cell = |value: &Option<Value>| match value {
        None => "-".to_owned(),
        Some(value) => value.to_string(),
    };
    let lines: Vec<Vec<String>> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| {
            let own = ["N", "F", "T", "D"].map(|name| cell(&row[name]));
            [place.to_string(), "a".into(), "2026-01-01 00:00".into()].into_iter().chain(own).collect()
        })
        .collect();
    let loaded = [(table(&columns, &lines), Vec::new())];
    Arc::new(EventLog::new(&model(&["EV"], None, &[]), &loaded, 1).expect("it loads"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_is_read_back(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(parse_filter(&text), Ok(filter), "{}", text);
    }

    #[test]
    fn a_filter_selects_what_a_naive_evaluator_does(filter in filter(), rows in prop::collection::vec(row(), 1..6)) {
        let expr = |name: &str| parse::expression(&format!("\"EV\".\"{name}\"")).expect("a column");
        let condition = filter.condition(&mut |field: &Field| {
            let (_, field_type) = FIELDS.iter().find(|(name, _)| *name == field.name).expect("a field");
            Ok(Known { expr: expr(&field.name), field_type: *field_type })
        });
        let more = More { conditions: vec![condition.expect("literals of the right type")], ..More::default() };
        let query = Query { columns: vec![QueryColumn { value: expr("CASE"), name: None }], ..Query::default() };
        let log = log_of(&rows);
        let words = Vocabulary::default();
        let plan = Checker::new(log.catalog().clone(), &words).query_of(&query, "", &more).expect("it fits");
        let found: Vec<Value> = answer(log, &plan, 0).rows.into_iter().flatten().collect();
        let expected = rows.iter().enumerate().filter(|(_, row)| naive(&filter, row) == Some(true));
        let expected: Vec<Value> = expected.map(|(place, _)| Value::Int(place as i64)).collect();
        prop_assert_eq!(found, expected, "{}", filter);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place(text in "[a-z0-9'(),. ]{0,30}") {
        if let Err(mistake) = parse_filter(&text) {
            prop_assert!(mistake.at <= text.len() && text.is_char_boundary(mistake.at));
        }
    }
}
