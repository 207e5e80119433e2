//! Functions of the values of one row.
//!
//! NULL in, NULL out, unless a function says otherwise. What cannot be said in
//! the result's type (a division by zero, an integer too large) is NULL too.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use super::group_key;
use super::operand::Operand;
use super::pattern::Pattern;
use super::rows::{self, Distinct};
use super::threads::RUN;
use super::vector::{self, Texts, UNKNOWN, Vector};
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
            Vector::truths_of(length, |row| value.truth(row).map(|truth| !truth))
        }
        Op::IsNull(value) => {
            let value = operand(value);
            Vector::truths_of(length, |row| Some(value.is_null(row)))
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
    Vector::truths_of(length, |row| match (left.truth(row), right.truth(row)) {
        (Some(truth), _) | (_, Some(truth)) if truth == decisive => Some(decisive),
        (Some(_), Some(_)) => Some(!decisive),
        _ => None,
    })
}

fn compare(comparison: Comparison, own: Type, left: &Operand, right: &Operand, length: usize) -> Vector {
    let byte = |order: Option<Ordering>| order.map_or(UNKNOWN, |order| comparison.holds(order).into());
    match own {
        Type::Int | Type::Date => Vector::truths_in_runs(length, |rows, into| {
            let (mut lefts, mut rights) = ([None; RUN], [None; RUN]);
            left.read_numbers(rows.clone(), &mut lefts[..into.len()]);
            right.read_numbers(rows, &mut rights[..into.len()]);
            for ((into, left), right) in into.iter_mut().zip(lefts).zip(rights) {
                *into = byte(left.zip(right).map(|(left, right): (i64, i64)| left.cmp(&right)));
            }
        }),
        Type::Float => Vector::truths_in_runs(length, |rows, into| {
            let (mut lefts, mut rights) = ([0.0; RUN], [0.0; RUN]);
            left.read_floats(rows.clone(), &mut lefts[..into.len()]);
            right.read_floats(rows, &mut rights[..into.len()]);
            for ((into, left), right) in into.iter_mut().zip(lefts).zip(rights) {
                *into = byte(left.partial_cmp(&right));
            }
        }),
        // With a constant each distinct text is compared once.
        Type::String if right.is_constant() || left.is_constant() => {
            let (texts, other) = if right.is_constant() { (left, right) } else { (right, left) };
            let turn = |order: Ordering| if right.is_constant() { order } else { order.reverse() };
            let order = |texts: &Operand, row| Some(turn(texts.text(row)?.cmp(other.text(row)?)));
            let truths = |texts: &Operand, length: usize| {
                Vector::truths((0..length).map(|row| order(texts, row).map(|order| comparison.holds(order))))
            };
            match Distinct::of(texts, length) {
                Some(distinct) => distinct.spread(&truths(&distinct.operand, distinct.count)),
                None => truths(texts, length),
            }
        }
        Type::String => Vector::truths_of(length, |row| Some(comparison.holds(left.text(row)?.cmp(right.text(row)?)))),
    }
}

fn is_in(value: &Operand, list: &[Value], length: usize) -> Vector {
    if let Some(distinct) = Distinct::of(value, length) {
        let among: HashSet<&str> =
            list.iter().filter_map(|item| if let Value::Text(text) = item { Some(&**text) } else { None }).collect();
        let found = (0..distinct.count).map(|row| distinct.operand.text(row).map(|text| among.contains(text)));
        return distinct.spread(&Vector::truths(found));
    }
    Vector::truths_of(length, |row| {
        let value = value.value(row);
        (value != Value::Null).then(|| list.iter().any(|item| group_key::compare(item, &value).is_eq()))
    })
}

fn like(value: &Operand, pattern: &Operand, length: usize) -> Vector {
    // A text and a pattern meet often; each pair is matched once.
    let mut known: HashMap<(u32, u32), bool> = HashMap::new();
    let mut fits = |value: &Operand, row: usize| {
        let codes = value.code(row).zip(pattern.code(row))?;
        let (text, pattern) = value.text(row).zip(pattern.text(row))?;
        Some(*known.entry(codes).or_insert_with(|| Pattern::new(pattern).fits(text)))
    };
    if pattern.is_constant()
        && let Some(distinct) = Distinct::of(value, length)
    {
        return distinct.spread(&Vector::truths((0..distinct.count).map(|row| fits(&distinct.operand, row))));
    }
    Vector::truths((0..length).map(|row| fits(value, row)))
}

fn case(own: Type, branches: &[(Operand, Operand)], otherwise: Option<&Operand>, length: usize) -> Vector {
    let chosen = |row: usize| {
        for (place, (condition, _)) in branches.iter().enumerate() {
            match condition.truth(row) {
                Some(true) => return Some(place),
                Some(false) => {}
                // Not decidable: not the ELSE branch, as it would be in SQL.
                None => return None,
            }
        }
        otherwise.map(|_| branches.len())
    };
    let values: Vec<&Operand> = branches.iter().map(|(_, value)| value).chain(otherwise).collect();
    choose(own, &values, length, chosen)
}

/// Takes for each row the value of one of several operands, or none.
fn choose(own: Type, values: &[&Operand], length: usize, chosen: impl Fn(usize) -> Option<usize> + Sync) -> Vector {
    let one = |row: usize| chosen(row).map(|place| values[place]);
    match own {
        Type::Int => Vector::ints_of(length, |row| one(row)?.int(row)),
        Type::Date => Vector::dates_of(length, |row| one(row)?.date(row)),
        Type::Float => Vector::floats_of(length, |row| one(row)?.float(row)),
        Type::String => {
            // Each text of each operand gets its code once.
            let mut texts = Texts::default();
            let mut known: HashMap<(usize, u32), u32> = HashMap::new();
            for row in 0..length {
                let found = chosen(row).and_then(|place| Some((place, values[place].code(row)?)));
                let code = found.map(|(place, code)| {
                    let text = || values[place].text(row).unwrap_or_default();
                    *known.entry((place, code)).or_insert_with(|| texts.intern(text()))
                });
                texts.push_code(code);
            }
            texts.finish()
        }
    }
}

fn apply(function: Function, result: Type, arguments: &[Operand], length: usize) -> Vector {
    // Of a text whose other arguments are constants each distinct one is
    // computed once; a column has few, and a log has many rows.
    if let [first, others @ ..] = arguments
        && others.iter().all(Operand::is_constant)
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
            Vector::floats_in_runs(length, |rows, into| {
                let mut rights = [0.0; RUN];
                left.read_floats(rows.clone(), into);
                right.read_floats(rows, &mut rights[..into.len()]);
                for (into, right) in into.iter_mut().zip(rights) {
                    // What is missing is a NaN here, of which a power may make a number.
                    let is_there = !into.is_nan() && !right.is_nan();
                    let value = floats(function, *into, right).filter(|value| is_there && value.is_finite());
                    *into = value.unwrap_or(f64::NAN);
                }
            })
        }
        (Function::Add | Function::Subtract | Function::Multiply | Function::Remainder, _) => {
            let (left, right) = (&arguments[0], &arguments[1]);
            Vector::ints_of(length, |row| ints(function, left.int(row)?, right.int(row)?))
        }
        (Function::Between(unit), _) => {
            let (from, to) = (&arguments[0], &arguments[1]);
            Vector::floats_in_runs(length, |rows, into| {
                let (mut starts, mut ends) = ([None; RUN], [None; RUN]);
                from.read_numbers(rows.clone(), &mut starts[..into.len()]);
                to.read_numbers(rows, &mut ends[..into.len()]);
                for ((into, start), end) in into.iter_mut().zip(starts).zip(ends) {
                    let both = start.zip(end);
                    *into = both.map_or(f64::NAN, |(start, end): (i64, i64)| (end - start) as f64 / unit.millis());
                }
            })
        }
        (Function::AddTime(unit), _) => {
            let (date, count) = (&arguments[0], &arguments[1]);
            Vector::dates_of(length, |row| dates::add(unit, date.date(row)?, count.float(row)?))
        }
        (Function::Remap(unit), _) => {
            let whole = |millis: i64| millis.div_euclid(unit.millis() as i64);
            Vector::ints_of(length, |row| a().date(row).map(whole))
        }
        (Function::IsNull, _) => Vector::ints_of(length, |row| Some(a().is_null(row).into())),
        (Function::ToFloat, _) => Vector::floats_of(length, |row| to_float(&a().value(row))),
        (Function::ToInt, _) => Vector::ints_of(length, |row| to_int(&a().value(row))),
        (Function::Len, _) => Vector::ints_of(length, |row| a().text(row).map(|text| text.chars().count() as i64)),
        (Function::Negate | Function::Abs | Function::Round | Function::Floor | Function::Ceil, Type::Int) => {
            let one = |row| match (function, a().vector.value_type()) {
                (Function::Negate, _) => a().int(row)?.checked_neg(),
                (Function::Abs, _) => a().int(row)?.checked_abs(),
                (Function::Floor, Type::Float) => whole(a().float(row)?.floor()),
                (Function::Ceil, Type::Float) => whole(a().float(row)?.ceil()),
                (Function::Round, Type::Float) => whole(a().float(row)?.round()),
                _ => a().int(row),
            };
            Vector::ints_of(length, one)
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
            Vector::floats_of(length, one)
        }
        (Function::Coalesce, _) => {
            let values: Vec<&Operand> = arguments.iter().collect();
            choose(result, &values, length, |row| values.iter().position(|value| !value.is_null(row)))
        }
        (Function::Greatest, _) => Vector::of(result, rows.map(|row| extreme(arguments, row, Ordering::Greater))),
        (Function::Least, _) => Vector::of(result, rows.map(|row| extreme(arguments, row, Ordering::Less))),
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

/// Returns the largest or smallest value, ignoring NULL.
fn extreme(arguments: &[Operand], row: usize, wanted: Ordering) -> Value {
    let mut best = Value::Null;
    for argument in arguments {
        let value = argument.value(row);
        let better = match wanted {
            _ if value == Value::Null => false,
            _ if best == Value::Null => true,
            _ => group_key::compare(&value, &best) == wanted,
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
