//! Arrays and collections.

use std::cmp::Ordering;

use super::{ANY, Function, array_at, at, function, text_at, whole_at};
use crate::mapping::evaluate::{compare, equal};
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
            values.retain(|value| wanted.contains(&dotted(value, &filter).to_text()));
        }
        Ok(Value::array(values.iter().map(|value| dotted(value, &key)).filter(Value::exists).collect()))
    }),
    function("join", "join(array; separator)", 2, 2, |arguments, _| {
        let texts: Vec<String> = array_at(arguments, 0)?.iter().map(Value::to_text).collect();
        Ok(Value::text(texts.join(&text_at(arguments, 1))))
    }),
    function("add", "add(array; value; …)", 2, ANY, |arguments, _| {
        let mut values = array_at(arguments, 0)?;
        values.extend_from_slice(&arguments[1..]);
        Ok(Value::array(values))
    }),
    function("remove", "remove(array; value; …)", 2, ANY, |arguments, _| {
        let mut values = array_at(arguments, 0)?;
        values.retain(|value| !arguments[1..].iter().any(|removed| equal(value, removed)));
        Ok(Value::array(values))
    }),
    function("sort", "sort(array; [asc, desc, asc ci or desc ci]; [key])", 1, 3, |arguments, _| {
        let mut values = array_at(arguments, 0)?;
        let (mut order, mut key) = (text_at(arguments, 1), text_at(arguments, 2));
        if !["", "asc", "desc", "asc ci", "desc ci"].contains(&order.as_str()) {
            // The documentation also shows the key in second place.
            (order, key) = (key, order);
        }
        let of = |value: &Value| if key.is_empty() { value.clone() } else { dotted(value, &key) };
        values.sort_by(|left, right| {
            let (left, right) = (of(left), of(right));
            let ordering = if order.ends_with("ci") {
                left.to_text().to_lowercase().cmp(&right.to_text().to_lowercase())
            } else {
                compare(&left, &right).unwrap_or(Ordering::Equal)
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
        let of = |value: &Value| if key.is_empty() { value.clone() } else { dotted(value, &key) };
        let mut kept: Vec<Value> = Vec::new();
        for value in array_at(arguments, 0)? {
            if !kept.iter().any(|earlier| of(earlier) == of(&value)) {
                kept.push(value);
            }
        }
        Ok(Value::array(kept))
    }),
    function("deduplicate", "deduplicate(array)", 1, 1, |arguments, _| {
        let mut kept: Vec<Value> = Vec::new();
        for value in array_at(arguments, 0)? {
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        Ok(Value::array(kept))
    }),
    function("keys", "keys(collection)", 1, 1, |arguments, _| {
        let Value::Collection(fields) = &arguments[0] else { return Ok(Value::array(Vec::new())) };
        Ok(Value::array(fields.keys().map(Value::text).collect()))
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

fn dotted(value: &Value, path: &str) -> Value {
    path.split('.').fold(value.clone(), |value, segment| value.field(segment))
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
