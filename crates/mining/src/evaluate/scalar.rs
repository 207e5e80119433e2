//! Functions of the values of one row.
//!
//! NULL in, NULL out, unless a function says otherwise. What cannot be said in
//! the result's type (a division by zero, an integer too large) is NULL too.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::pattern::Pattern;
use super::rows::{self, Distinct};
use super::vector::{self, Operand, Places, Texts, Vector};
use crate::dates;
use crate::pql::check::type_of;
use crate::pql::plan::{Function, Node, Op};
use crate::pql::syntax::Comparison;
use crate::value::{Type, Value};
use base::Timestamp;

/// Computes the operators whose value for a row depends on that row alone.
pub(super) fn rowwise(node: &Node, operand: &dyn Fn(&Node) -> Operand, length: usize) -> Vector {
    match &node.op {
        Op::Apply(function, arguments) => {
            let arguments: Vec<Operand> = arguments.iter().map(operand).collect();
            apply(*function, type_of(node), &arguments, length)
        }
        Op::Compare(comparison, left, right) => {
            compare(*comparison, type_of(left), &operand(left), &operand(right), length)
        }
        Op::And(left, right) => logic(&operand(left), &operand(right), false, length),
        Op::Or(left, right) => logic(&operand(left), &operand(right), true, length),
        Op::Not(value) => {
            let value = operand(value);
            Vector::truths((0..length).map(|row| value.truth(row).map(|truth| !truth)))
        }
        Op::IsNull(value) => {
            let value = operand(value);
            Vector::truths((0..length).map(|row| Some(value.is_null(row))))
        }
        Op::In(value, list) => is_in(&operand(value), list, length),
        Op::Like(value, pattern) => like(&operand(value), &operand(pattern), length),
        Op::Case(branches, otherwise) => {
            let branches: Vec<_> =
                branches.iter().map(|(condition, value)| (operand(condition), operand(value))).collect();
            let otherwise = otherwise.as_deref().map(operand);
            case(type_of(node), &branches, otherwise.as_ref(), length)
        }
        other => unreachable!("{other:?} looks at more than one row"),
    }
}

/// AND and OR of three values: `decisive` decides alone, unknown spoils the
/// rest.
fn logic(left: &Operand, right: &Operand, decisive: bool, length: usize) -> Vector {
    let one = |row| match (left.truth(row), right.truth(row)) {
        (Some(truth), _) | (_, Some(truth)) if truth == decisive => Some(decisive),
        (Some(_), Some(_)) => Some(!decisive),
        _ => None,
    };
    Vector::truths((0..length).map(one))
}

fn compare(comparison: Comparison, own: Type, left: &Operand, right: &Operand, length: usize) -> Vector {
    let order = |row: usize| -> Option<Ordering> {
        match own {
            Type::Int => Some(left.int(row)?.cmp(&right.int(row)?)),
            Type::Date => Some(left.date(row)?.cmp(&right.date(row)?)),
            Type::Float => left.float(row)?.partial_cmp(&right.float(row)?),
            Type::String => Some(left.text(row)?.cmp(right.text(row)?)),
        }
    };
    Vector::truths((0..length).map(|row| order(row).map(|order| comparison.holds(order))))
}

fn is_in(value: &Operand, list: &[Value], length: usize) -> Vector {
    if let Some(distinct) = Distinct::of(value, length) {
        let among: HashSet<&str> =
            list.iter().filter_map(|item| if let Value::Text(text) = item { Some(&**text) } else { None }).collect();
        let found = (0..distinct.count).map(|row| distinct.operand.text(row).map(|text| among.contains(text)));
        return distinct.spread(&Vector::truths(found));
    }
    let found = |row| {
        let value = value.value(row);
        (value != Value::Null).then(|| list.iter().any(|item| vector::compare(item, &value).is_eq()))
    };
    Vector::truths((0..length).map(found))
}

fn like(value: &Operand, pattern: &Operand, length: usize) -> Vector {
    // A text and a pattern meet often; each pair is matched once.
    let mut known: HashMap<(u32, u32), bool> = HashMap::new();
    let mut matches = Vec::with_capacity(length);
    for row in 0..length {
        let codes = value.code(row).zip(pattern.code(row));
        let texts = value.text(row).zip(pattern.text(row));
        matches.push(
            codes.zip(texts).map(|(codes, (text, pattern))| {
                *known.entry(codes).or_insert_with(|| Pattern::new(pattern).fits(text))
            }),
        );
    }
    Vector::truths(matches)
}

fn case(own: Type, branches: &[(Operand, Operand)], otherwise: Option<&Operand>, length: usize) -> Vector {
    let value = |row: usize| {
        for (condition, value) in branches {
            match condition.truth(row) {
                Some(true) => return value.value(row),
                Some(false) => {}
                // Not decidable: not the ELSE branch, as it would be in SQL.
                None => return Value::Null,
            }
        }
        otherwise.map_or(Value::Null, |otherwise| otherwise.value(row))
    };
    Vector::of(own, (0..length).map(value))
}

/// Orders two rows by keys, NULL first, or last where it goes downwards.
pub(super) fn by_keys(keys: &[(Operand, bool)], one: usize, other: usize) -> Ordering {
    for (key, descending) in keys {
        let order = vector::compare(&key.value(one), &key.value(other));
        let order = if *descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn apply(function: Function, result: Type, arguments: &[Operand], length: usize) -> Vector {
    // Of a text whose other arguments are constants each distinct one is
    // computed once; a column has few, and a log has many rows.
    if let [first, others @ ..] = arguments
        && others.iter().all(|other| matches!(other.places, Places::First))
        && !matches!(function, Function::Coalesce | Function::Greatest | Function::Least | Function::IsNull)
        && function != Function::UniqueId
        && let Some(distinct) = Distinct::of(first, length)
    {
        let mut once = arguments.to_vec();
        once[0] = distinct.operand.clone();
        return distinct.spread(&apply_to_rows(function, result, &once, distinct.count));
    }
    apply_to_rows(function, result, arguments, length)
}

fn apply_to_rows(function: Function, result: Type, arguments: &[Operand], length: usize) -> Vector {
    if let Some(vector) = rows::apply(function, result, arguments, length) {
        return vector;
    }
    let rows = 0..length;
    let first = arguments.first();
    let a = || first.expect("the check counted the arguments");
    match (function, result) {
        (
            Function::Add
            | Function::Subtract
            | Function::Multiply
            | Function::Divide
            | Function::Remainder
            | Function::Power,
            Type::Float,
        ) => {
            let (left, right) = (&arguments[0], &arguments[1]);
            let one = |row| floats(function, left.float(row)?, right.float(row)?).filter(|value| value.is_finite());
            Vector::floats(rows.map(one))
        }
        (Function::Add | Function::Subtract | Function::Multiply | Function::Remainder, _) => {
            let (left, right) = (&arguments[0], &arguments[1]);
            Vector::ints(rows.map(|row| ints(function, left.int(row)?, right.int(row)?)))
        }
        (Function::Between(unit), _) => {
            let (from, to) = (&arguments[0], &arguments[1]);
            let one = |row| Some((to.date(row)? - from.date(row)?) as f64 / unit.millis());
            Vector::floats(rows.map(one))
        }
        (Function::AddTime(unit), _) => {
            let (date, count) = (&arguments[0], &arguments[1]);
            Vector::dates(rows.map(|row| dates::add(unit, date.date(row)?, count.float(row)?)))
        }
        (Function::Remap(unit), _) => {
            let whole = |millis: i64| millis.div_euclid(unit.millis() as i64);
            Vector::ints(rows.map(|row| a().date(row).map(whole)))
        }
        (Function::IsNull, _) => Vector::ints(rows.map(|row| Some(a().is_null(row).into()))),
        (Function::ToFloat, _) => Vector::floats(rows.map(|row| to_float(&a().value(row)))),
        (Function::ToInt, _) => Vector::ints(rows.map(|row| to_int(&a().value(row)))),
        (Function::Len, _) => Vector::ints(rows.map(|row| a().text(row).map(|text| text.chars().count() as i64))),
        (Function::Negate | Function::Abs | Function::Round | Function::Floor | Function::Ceil, Type::Int) => {
            let one = |row| match (function, a().vector.value_type()) {
                (Function::Negate, _) => a().int(row)?.checked_neg(),
                (Function::Abs, _) => a().int(row)?.checked_abs(),
                (Function::Floor, Type::Float) => whole(a().float(row)?.floor()),
                (Function::Ceil, Type::Float) => whole(a().float(row)?.ceil()),
                (Function::Round, Type::Float) => whole(a().float(row)?.round()),
                _ => a().int(row),
            };
            Vector::ints(rows.map(one))
        }
        (Function::Negate | Function::Abs | Function::Sqrt | Function::Log, _) => {
            let one = |row| {
                let value = a().float(row)?;
                let value = match function {
                    Function::Negate => -value,
                    Function::Abs => value.abs(),
                    Function::Sqrt => value.sqrt(),
                    _ => value.ln(),
                };
                Some(value).filter(|value| value.is_finite())
            };
            Vector::floats(rows.map(one))
        }
        (Function::Coalesce, _) => Vector::of(result, rows.map(|row| extreme(arguments, row, None))),
        (Function::Greatest, _) => Vector::of(result, rows.map(|row| extreme(arguments, row, Some(Ordering::Greater)))),
        (Function::Least, _) => Vector::of(result, rows.map(|row| extreme(arguments, row, Some(Ordering::Less)))),
        (Function::ToText, _) => texts(rows.map(|row| to_text(&a().value(row)).map(Cow::Owned))),
        (Function::Concat, _) => texts(rows.map(|row| {
            let parts: Option<Vec<&str>> = arguments.iter().map(|argument| argument.text(row)).collect();
            parts.map(|parts| Cow::Owned(parts.concat()))
        })),
        _ => texts(rows.map(|row| text_function(function, arguments, row))),
    }
}

pub(super) fn texts<'t>(items: impl Iterator<Item = Option<Cow<'t, str>>>) -> Vector {
    let mut texts = Texts::default();
    for item in items {
        texts.push(item.as_deref());
    }
    texts.finish()
}

pub(super) fn floats(function: Function, left: f64, right: f64) -> Option<f64> {
    Some(match function {
        Function::Add => left + right,
        Function::Subtract => left - right,
        Function::Multiply => left * right,
        Function::Divide => left / right,
        Function::Remainder => left % right,
        Function::Power => left.powf(right),
        _ => return None,
    })
}

pub(super) fn ints(function: Function, left: i64, right: i64) -> Option<i64> {
    match function {
        Function::Add => left.checked_add(right),
        Function::Subtract => left.checked_sub(right),
        Function::Multiply => left.checked_mul(right),
        Function::Remainder => left.checked_rem(right),
        _ => None,
    }
}

/// Takes a double without fraction as an integer, if one can hold it.
pub(super) fn whole(value: f64) -> Option<i64> {
    (value.abs() < 9.0e18).then_some(value as i64)
}

/// Returns the first value, or the largest or smallest, ignoring NULL.
fn extreme(arguments: &[Operand], row: usize, wanted: Option<Ordering>) -> Value {
    let mut best = Value::Null;
    for argument in arguments {
        let value = argument.value(row);
        let better = match wanted {
            _ if value == Value::Null => false,
            _ if best == Value::Null => true,
            None => false,
            Some(wanted) => vector::compare(&value, &best) == wanted,
        };
        if better {
            best = value;
        }
    }
    best
}

fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Date(millis) => Some(*millis as f64),
        other => vector::float(other),
    }
}

fn to_int(value: &Value) -> Option<i64> {
    match value {
        Value::Text(text) => text.trim().parse().ok(),
        Value::Date(millis) => Some(*millis),
        Value::Float(number) => whole(number.trunc()),
        other => vector::int(other),
    }
}

fn to_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Float(number) => Some(number.to_string()),
        Value::Date(millis) => Some(Timestamp::from_millis(*millis).to_string()),
        other => Some(other.to_string()),
    }
}

fn text_function(function: Function, arguments: &[Operand], row: usize) -> Option<Cow<'_, str>> {
    let text = arguments[0].text(row)?;
    let count = |place: usize| arguments[place].int(row).map(|count| usize::try_from(count).unwrap_or(0));
    Some(match function {
        Function::Upper => Cow::Owned(text.to_uppercase()),
        Function::Lower => Cow::Owned(text.to_lowercase()),
        Function::TrimLeft => Cow::Borrowed(text.trim_start()),
        Function::TrimRight => Cow::Borrowed(text.trim_end()),
        Function::Left => Cow::Owned(text.chars().take(count(1)?).collect()),
        Function::Right => {
            let skip = text.chars().count().saturating_sub(count(1)?);
            Cow::Owned(text.chars().skip(skip).collect())
        }
        // 1-based, as in SQL.
        Function::Substring => Cow::Owned(text.chars().skip(count(1)?.saturating_sub(1)).take(count(2)?).collect()),
        Function::Replace => Cow::Owned(text.replace(arguments[1].text(row)?, arguments[2].text(row)?)),
        other => unreachable!("{other:?} yields no text"),
    })
}
