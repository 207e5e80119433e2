//! Arrays and collections.

use std::cmp::Ordering;
use std::collections::HashSet;

use jiff::tz::TimeZone;

use super::general::followed;
use super::{ANY, Function, array_at, at, copies, function, text_at, whole_at};
use crate::mapping::evaluate::{compare, element, equal};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("first", "first(array)", 1, 1, |arguments, _| {
        Ok(array_at(arguments, 0)?.into_iter().next().unwrap_or_default())
    }),
    function("last", "last(array)", 1, 1, |arguments, _| {
        Ok(array_at(arguments, 0)?.into_iter().next_back().unwrap_or_default())
    }),
    function("map", "map(array; key; [filter key]; [filter values])", 2, 4, |arguments, _| {
        let key = text_at(arguments, 1);
        let filter = text_at(arguments, 2);
        let wanted: Vec<String> = match at(arguments, 3) {
            Value::Array(values) => values.iter().map(Value::to_text).collect(),
            value => value.to_text().split(',').map(|part| part.trim().to_owned()).collect(),
        };
        let mut values = array_at(arguments, 0)?;
        if !filter.is_empty() {
            values.retain(|value| wanted.contains(&followed(value, &filter).to_text()));
        }
        Ok(Value::array(values.iter().map(|value| followed(value, &key)).filter(Value::exists).collect()))
    }),
    function("join", "join(array; separator)", 2, 2, |arguments, _| {
        let texts: Vec<String> = array_at(arguments, 0)?.iter().map(Value::to_text).collect();
        let separator = text_at(arguments, 1);
        copies(texts.len(), separator.len())?;
        Ok(Value::text(texts.join(&separator)))
    }),
    function("add", "add(array; value; …)", 2, ANY, |arguments, _| {
        let mut values = array_at(arguments, 0)?;
        values.extend_from_slice(&arguments[1..]);
        Ok(Value::array(values))
    }),
    function("remove", "remove(array; value; …)", 2, ANY, |arguments, around| {
        let mut values = array_at(arguments, 0)?;
        let zone = around.zone();
        values.retain(|value| !arguments[1..].iter().any(|removed| equal(value, removed, &zone)));
        Ok(Value::array(values))
    }),
    function("sort", "sort(array; [asc, desc, asc ci or desc ci]; [key])", 1, 3, |arguments, around| {
        let mut values = array_at(arguments, 0)?;
        let zone = around.zone();
        let (mut order, mut key) = (text_at(arguments, 1), text_at(arguments, 2));
        if !["", "asc", "desc", "asc ci", "desc ci"].contains(&order.as_str()) {
            // The documentation also shows the key in second place.
            (order, key) = (key, order);
        }
        let of = |value: &Value| if key.is_empty() { value.clone() } else { followed(value, &key) };
        values.sort_by(|left, right| {
            let (left, right) = (of(left), of(right));
            let ordering = if order.ends_with("ci") {
                let lower = |value: &Value| value.to_text().to_lowercase();
                lower(&left).cmp(&lower(&right)).then_with(|| left.to_text().cmp(&right.to_text()))
            } else {
                in_order(&left, &right, &zone)
            };
            if order.starts_with("desc") { ordering.reverse() } else { ordering }
        });
        Ok(Value::array(values))
    }),
    function("reverse", "reverse(array)", 1, 1, |arguments, _| {
        let mut values = array_at(arguments, 0)?;
        values.reverse();
        Ok(Value::array(values))
    }),
    function("shuffle", "shuffle(array)", 1, 1, |arguments, around| {
        let mut values = array_at(arguments, 0)?;
        for place in (1..values.len()).rev() {
            let other = (around.chance().fraction() * (place + 1) as f64) as usize;
            values.swap(place, other);
        }
        Ok(Value::array(values))
    }),
    function("merge", "merge(array; array; …)", 1, ANY, |arguments, _| {
        let mut values = Vec::new();
        for place in 0..arguments.len() {
            values.extend(array_at(arguments, place)?);
        }
        Ok(Value::array(values))
    }),
    function("slice", "slice(array; start; [end])", 2, 3, |arguments, _| {
        let values = array_at(arguments, 0)?;
        let place = |index: i64| {
            let from_end = if index < 0 { index + values.len() as i64 } else { index };
            usize::try_from(from_end).unwrap_or(0).min(values.len())
        };
        let start = place(whole_at(arguments, 1)?);
        let end = if arguments.len() > 2 { place(whole_at(arguments, 2)?) } else { values.len() };
        Ok(Value::array(values.get(start..end).unwrap_or_default().to_vec()))
    }),
    function("flatten", "flatten(array; [depth])", 1, 2, |arguments, _| {
        let depth = if arguments.len() > 1 { whole_at(arguments, 1)? } else { 1 };
        Ok(Value::array(flat(array_at(arguments, 0)?, depth)))
    }),
    function("distinct", "distinct(array; [key])", 1, 2, |arguments, _| {
        let key = text_at(arguments, 1);
        let of = |value: &Value| if key.is_empty() { value.clone() } else { followed(value, &key) };
        let mut seen = HashSet::new();
        let mut kept = array_at(arguments, 0)?;
        kept.retain(|value| seen.insert(of(value).to_stored().to_string()));
        Ok(Value::array(kept))
    }),
    function("deduplicate", "deduplicate(array)", 1, 1, |arguments, _| {
        let mut seen = HashSet::new();
        let mut kept = array_at(arguments, 0)?;
        kept.retain(|value| seen.insert(value.to_stored().to_string()));
        Ok(Value::array(kept))
    }),
    function("arrayDifference", "arrayDifference(array; array; [classic or symmetric])", 2, 3, |arguments, _| {
        let (left, right) = (array_at(arguments, 0)?, array_at(arguments, 1)?);
        let without = |values: &[Value], others: &[Value]| {
            values.iter().filter(|value| !others.contains(value)).cloned().collect::<Vec<_>>()
        };
        let mut difference = without(&left, &right);
        match text_at(arguments, 2).as_str() {
            "" | "classic" => {}
            "symmetric" => difference.extend(without(&right, &left)),
            other => return Err(format!("\"{other}\" is neither classic nor symmetric")),
        }
        Ok(Value::array(difference))
    }),
    function("arrayElement", "arrayElement(array; number)", 2, 2, |arguments, _| {
        let number = whole_at(arguments, 1)?;
        let found = if number < 1 { Value::Absent } else { element(&Value::array(array_at(arguments, 0)?), number) };
        Ok(if found == Value::Absent { Value::Null } else { found })
    }),
    function("keys", "keys(collection or array)", 1, 1, |arguments, _| {
        Ok(Value::array(match &arguments[0] {
            Value::Collection(fields) => fields.keys().map(Value::text).collect(),
            // What JavaScript calls the keys of an array.
            Value::Array(values) => (0..values.len()).map(|place| Value::text(place.to_string())).collect(),
            _ => Vec::new(),
        }))
    }),
    function("toArray", "toArray(collection)", 1, 1, |arguments, _| {
        let Value::Collection(fields) = &arguments[0] else { return Ok(Value::array(Vec::new())) };
        let pair = |(name, value): (&String, &Value)| {
            Value::collection([("key", Value::text(name)), ("value", value.clone())])
        };
        Ok(Value::array(fields.iter().map(pair).collect()))
    }),
    function("toCollection", "toCollection(array; key name; value name)", 3, 3, |arguments, _| {
        let (key, value) = (text_at(arguments, 1), text_at(arguments, 2));
        let values = array_at(arguments, 0)?;
        Ok(Value::collection(values.iter().map(|each| (each.field(&key).to_text(), each.field(&value)))))
    }),
];

/// Numbers before texts, and nothing before both, so that any mixture has an
/// order.
fn in_order(left: &Value, right: &Value, zone: &TimeZone) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Absent | Value::Null => 0,
        Value::Text(_) if value.to_number().is_none() => 2,
        _ => 1,
    };
    rank(left).cmp(&rank(right)).then_with(|| compare(left, right, zone).unwrap_or(Ordering::Equal))
}

fn flat(values: Vec<Value>, depth: i64) -> Vec<Value> {
    let mut out = Vec::new();
    for value in values {
        match value {
            Value::Array(inner) if depth > 0 => out.extend(flat(inner.to_vec(), depth - 1)),
            other => out.push(other),
        }
    }
    out
}
