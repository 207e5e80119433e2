//! What a filter means: every literal gets the type of its field.

use super::reading::Parsed;
use super::{Field, Filter, FilterMistake, Literal, Part, mistake};
use crate::pql::check::Condition;
use crate::pql::syntax::{Comparison, Expr};
use crate::value::{Type, Value};

/// A field of a question: what it computes, and of which type.
pub struct Known {
    /// Its expression.
    pub expr: Expr,
    /// What it yields.
    pub field_type: Type,
}

impl Filter {
    /// Gives every literal the type of its field, as `known` tells it.
    pub fn condition(&self, known: &mut impl FnMut(&Field) -> Result<Known, FilterMistake>) -> Parsed<Condition> {
        Ok(match self {
            Filter::Compare(field, comparison, literal) => compared(known(field)?, *comparison, literal)?,
            Filter::In(field, literals) => one_of(known(field)?, literals)?,
            Filter::Text(part, field, literal) => with_part(known(field)?, field, *part, literal)?,
            Filter::And(one, two) => Condition::And(Box::new(one.condition(known)?), Box::new(two.condition(known)?)),
            Filter::Or(one, two) => Condition::Or(Box::new(one.condition(known)?), Box::new(two.condition(known)?)),
            Filter::Not(inner) => Condition::Not(Box::new(inner.condition(known)?)),
        })
    }
}

fn compared(field: Known, comparison: Comparison, literal: &Literal) -> Parsed<Condition> {
    if !literal.is_null() {
        let value = literal.value(field.field_type)?;
        return Ok(Condition::Compare(field.expr, comparison, value));
    }
    let is_null = Condition::IsNull(field.expr);
    match comparison {
        Comparison::Equal => Ok(is_null),
        Comparison::NotEqual => Ok(Condition::Not(Box::new(is_null))),
        _ => mistake(literal.at, "null has no order; write eq null or ne null"),
    }
}

fn one_of(field: Known, literals: &[Literal]) -> Parsed<Condition> {
    let mut values = Vec::new();
    for literal in literals {
        if literal.is_null() {
            return mistake(literal.at, "null is no value of a list; add \"or FIELD eq null\"");
        }
        values.push(literal.value(field.field_type)?);
    }
    // A list has one type: with one number that has a point, all do.
    let is_mixed = field.field_type == Type::Int && values.iter().any(|value| matches!(value, Value::Float(_)));
    if !is_mixed {
        return Ok(Condition::In(field.expr, values));
    }
    let equal = |value| Condition::Compare(field.expr.clone(), Comparison::Equal, value);
    let either = |one, two| Condition::Or(Box::new(one), Box::new(two));
    let any = values.into_iter().map(equal).reduce(either);
    any.map_or_else(|| mistake(0, "in needs at least one value"), Ok)
}

fn with_part(known: Known, field: &Field, part: Part, literal: &Literal) -> Parsed<Condition> {
    if known.field_type != Type::String {
        let detail = format!("\"{}\" is no text; compare it with eq, ne, gt, ge, lt, le or in", field.name);
        return mistake(field.at, detail);
    }
    let mut escaped = String::new();
    for letter in literal.text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    let pattern = match part {
        Part::Contains => format!("%{escaped}%"),
        Part::StartsWith => format!("{escaped}%"),
        Part::EndsWith => format!("%{escaped}"),
    };
    Ok(Condition::Like(known.expr, pattern))
}

impl Literal {
    fn is_null(&self) -> bool {
        !self.quoted && self.text == "null"
    }

    /// Reads the literal as a value of a type.
    pub fn value(&self, wanted: Type) -> Parsed<Value> {
        let text = self.text.as_str();
        let value = match wanted {
            Type::String => Some(Value::Text(text.into())),
            Type::Int => match text {
                "true" => Some(Value::Int(1)),
                "false" => Some(Value::Int(0)),
                _ => text.parse().map(Value::Int).ok().or_else(|| number(text)),
            },
            Type::Float => number(text),
            Type::Date => instant(text).map(Value::Date),
        };
        let Some(value) = value else {
            let wanted = match wanted {
                Type::Int => "a whole number, or true or false",
                Type::Float => "a number",
                _ => "a date such as 2026-02-01 or 2026-02-01T08:00:00+01:00",
            };
            return mistake(self.at, format!("\"{text}\" is not {wanted}, which the field holds"));
        };
        Ok(value)
    }
}

fn number(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Value::Float(number))
}

/// Reads a date, or a date and time with or without an offset, as milliseconds
/// since 1970; without an offset it is UTC. A `+` that was not escaped in an
/// address arrives as a space.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    if let Some((before, offset)) = text.rsplit_once(' ')
        && before.contains('T')
        && let Ok(time) = format!("{before}+{offset}").parse::<jiff::Timestamp>()
    {
        return Some(time.as_millisecond());
    }
    let utc = |time: jiff::civil::DateTime| time.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let civil = text.parse::<jiff::civil::DateTime>().ok();
    let civil = civil.or_else(|| text.parse::<jiff::civil::Date>().ok().map(|day| day.at(0, 0, 0, 0)));
    civil.and_then(utc).map(|time| time.timestamp().as_millisecond())
}
