//! Windows over a table and moving aggregates over a result, beside what one
//! finds by looking at every row around.

use proptest::prelude::*;

use super::reference::{World, load, worlds};
use crate::evaluate::answer;
use crate::pql::check::{Checker, Vocabulary};
use crate::value::Value;

fn asked(world: &World, text: &str) -> Vec<Vec<Value>> {
    let log = load(world);
    let words = Vocabulary::default();
    let plan = Checker::new(log.catalog().clone(), &words).query(text).expect("it fits");
    answer(log, &plan, 0).rows
}

fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

fn of(value: Option<i64>) -> Value {
    value.map_or(Value::Null, Value::Int)
}

fn mean(values: &[i64]) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    Value::Float(values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64)
}

/// The values of the rows from one offset to another.
fn around(rows: &[Option<i64>], place: usize, from: i64, to: i64) -> Vec<i64> {
    let inside = |other: &usize| (from..=to).contains(&(*other as i64 - place as i64));
    (0..rows.len()).filter(inside).filter_map(|other| rows[other]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn windows_see_the_rows_of_their_partition(world in worlds(), from in -3..2_i64, width in 0..3_i64, step in 1..3_usize) {
        let to = from + width;
        let text = format!(
            r#""ITEMS"."CASE", "ITEMS"."Q", INDEX_ORDER("ITEMS"."Q", PARTITION BY ("ITEMS"."CASE")),
               LAG("ITEMS"."Q", PARTITION BY ("ITEMS"."CASE"), {step}), LEAD("ITEMS"."Q", PARTITION BY ("ITEMS"."CASE"), {step}),
               RUNNING_SUM("ITEMS"."Q", PARTITION BY ("ITEMS"."CASE")),
               WINDOW_AVG("ITEMS"."Q", {from}, {to}, PARTITION BY ("ITEMS"."CASE")),
               INTERPOLATE("ITEMS"."Q", CONSTANT, PARTITION BY ("ITEMS"."CASE"))"#
        );
        let rows = asked(&world, &text);
        for (number, row) in rows.iter().enumerate() {
            let partition: Vec<usize> = (0..rows.len()).filter(|other| rows[*other][0] == row[0]).collect();
            let place = partition.iter().position(|other| *other == number).expect("it is among its own");
            let values: Vec<Option<i64>> = partition.iter().map(|other| int(&rows[*other][1])).collect();
            let before: Vec<i64> = values[..place].iter().flatten().copied().collect();
            let through: Vec<i64> = values[..=place].iter().flatten().copied().collect();
            let after: Vec<i64> = values[place + 1..].iter().flatten().copied().collect();
            let index = values[place].map(|_| through.len() as i64);
            let lag = before.iter().rev().nth(step - 1).copied();
            let lead = after.get(step - 1).copied();
            let sum = (!through.is_empty()).then(|| through.iter().sum());
            let mut expected = vec![of(index), of(lag), of(lead), of(sum)];
            expected.push(mean(&around(&values, place, from, to)));
            expected.push(of(through.last().copied()));
            prop_assert_eq!(&row[2..], &expected[..], "row {} of {:?}", number, rows);
        }
    }

    #[test]
    fn moving_aggregates_see_the_rows_of_the_result(world in worlds(), from in -3..2_i64, width in 0..3_i64) {
        let to = from + width;
        let text = format!(
            r#"FILTER "EV"."ACT" != 'c';
               TABLE("EV"."H" AS "h", MOVING_SUM("EV"."H", {from}, {to}), MOVING_AVG("EV"."H", {from}, {to}),
               MOVING_COUNT("EV"."H", {from}, {to}), MOVING_MAX("EV"."H", {from}, {to})) ORDER BY "h" DESC;"#
        );
        let rows = asked(&world, &text);
        let values: Vec<Option<i64>> = rows.iter().map(|row| int(&row[0])).collect();
        for (place, row) in rows.iter().enumerate() {
            let seen = around(&values, place, from, to);
            let sum = (!seen.is_empty()).then(|| seen.iter().sum());
            let expected = [of(sum), mean(&seen), Value::Int(seen.len() as i64), of(seen.iter().max().copied())];
            prop_assert_eq!(&row[1..], &expected[..], "row {} of {:?}", place, rows);
        }
    }
}
