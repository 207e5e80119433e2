//! The functions of the mapping language.
//!
//! A file per family; each function is a row of its family's table. Names are
//! found in any letter case, because hand-written flows mix them up.

mod array;
mod bytes;
mod calendar;
mod date;
mod general;
mod math;
mod summaries;
mod text;

use super::Problem;
use super::evaluate::{Surroundings, evaluate, within};
use super::expression::Expression;
use crate::value::Value;

pub(crate) use date::to_date;

/// What computes a function.
enum Body {
    /// From the values of its arguments. The error is a sentence without the
    /// position, which the caller knows.
    Values(fn(&[Value], &dyn Surroundings) -> Result<Value, String>),
    /// From the arguments that it chooses to look at.
    Expressions(fn(&[Expression], &dyn Surroundings) -> Result<Value, Problem>),
}

/// A function.
pub struct Function {
    /// As it is usually written.
    pub name: &'static str,
    /// Its parameters, for people.
    pub signature: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    body: Body,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.signature)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// An upper bound for functions that take as many arguments as one likes.
const ANY: usize = usize::MAX;

const fn function(
    name: &'static str,
    signature: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    body: fn(&[Value], &dyn Surroundings) -> Result<Value, String>,
) -> Function {
    Function { name, signature, arguments_min, arguments_max, body: Body::Values(body) }
}

const fn lazy(
    name: &'static str,
    signature: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    body: fn(&[Expression], &dyn Surroundings) -> Result<Value, Problem>,
) -> Function {
    Function { name, signature, arguments_min, arguments_max, body: Body::Expressions(body) }
}

/// All functions by the group in which an editor shows them: its name, and a
/// family of functions in it.
pub static FUNCTIONS: [(&str, &[Function]); 7] = [
    ("general", general::FUNCTIONS),
    ("text", text::FUNCTIONS),
    ("text", bytes::FUNCTIONS),
    ("math", math::FUNCTIONS),
    ("array", array::FUNCTIONS),
    ("date", date::FUNCTIONS),
    ("date", calendar::FUNCTIONS),
];

fn all() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().flat_map(|(_, family)| family.iter())
}

/// Lists what the summaries are about, for the test of them.
#[cfg(test)]
pub(super) fn summaries() -> impl Iterator<Item = &'static str> {
    summaries::SUMMARIES.iter().map(|(name, _)| *name)
}

/// Finds a function by its name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name.eq_ignore_ascii_case(name))
}

/// Words of JavaScript and of spreadsheets, and what says the same here.
const ELSEWHERE: [(&str, &str); 14] = [
    ("JSON.stringify", "the module json:TransformToJSON"),
    ("stringify", "the module json:TransformToJSON"),
    ("JSON.parse", "the module json:ParseJSON"),
    ("parseJSON", "the module json:ParseJSON"),
    ("multiply", "a * b"),
    ("divide", "a / b"),
    ("subtract", "a - b"),
    ("toLowerCase", "lower(text)"),
    ("toUpperCase", "upper(text)"),
    ("concatenate", "a + b, or text with {{…}} inside"),
    ("filter", "map(array; key; filter key; filter values)"),
    ("today", "now"),
    ("coalesce", "ifempty(value; otherwise)"),
    ("count", "length(array)"),
];

/// Says that there is no such function, and what may have been meant.
pub(super) fn unknown(name: &str) -> String {
    if let Some((_, here)) = ELSEWHERE.iter().find(|(elsewhere, _)| elsewhere.eq_ignore_ascii_case(name)) {
        return format!("function \"{name}\" does not exist; use {here}");
    }
    match near(name) {
        Some(function) => format!("function \"{name}\" does not exist, perhaps {} is meant", function.signature),
        None => format!("function \"{name}\" does not exist"),
    }
}

/// Returns the name of a function that may have been meant, where nothing but
/// the name is wrong.
pub(super) fn nearest(name: &str) -> Option<String> {
    let is_elsewhere = ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere.eq_ignore_ascii_case(name));
    near(name).filter(|_| !is_elsewhere).map(|function| function.name.to_owned())
}

fn near(name: &str) -> Option<&'static Function> {
    let lower = name.to_ascii_lowercase();
    let likeness = |function: &Function| {
        let known = function.name.to_ascii_lowercase();
        let begins = lower.len() > 2 && (known.starts_with(&lower) || lower.starts_with(&known));
        if begins { 1.0 } else { strsim::damerau_levenshtein(&known, &lower) as f64 }
    };
    let near = all().map(|function| (likeness(function), function)).min_by(|left, right| left.0.total_cmp(&right.0));
    near.filter(|(likeness, _)| *likeness <= 2.0 && lower.len() > 2).map(|(_, function)| function)
}

impl Function {
    /// Returns what it does, in a sentence.
    pub fn summary(&self) -> &'static str {
        let found = summaries::SUMMARIES.iter().find(|(name, _)| *name == self.name);
        found.map_or("", |(_, summary)| summary)
    }

    /// Computes the function; `place` is the byte at which its call begins.
    pub(super) fn call(
        &self,
        arguments: &[Expression],
        around: &dyn Surroundings,
        place: usize,
    ) -> Result<Value, Problem> {
        let problem = |text| Problem { at: place, text };
        if arguments.len() < self.arguments_min || arguments.len() > self.arguments_max {
            let given = match arguments.len() {
                0 => "nothing".to_owned(),
                1 => "1 argument".to_owned(),
                many => format!("{many} arguments"),
            };
            return Err(problem(format!("{} was given {given}", self.signature)));
        }
        match self.body {
            Body::Expressions(body) => body(arguments, around),
            Body::Values(body) => {
                let values = arguments.iter().map(|each| evaluate(each, around)).collect::<Result<Vec<_>, _>>()?;
                // Both ends are held: a function may copy what it is given.
                within(around, &values, place)?;
                let value = body(&values, around).map_err(|text| problem(format!("{}: {text}", self.name)))?;
                within(around, [&value], place)?;
                Ok(value)
            }
        }
    }
}

/// Bytes of a text that is put together of many copies of another.
const COPIES_BYTES_MAX: usize = 64 << 20;

/// Refuses to make a text of so many copies that it would fill the memory.
fn copies(count: usize, bytes: usize) -> Result<(), String> {
    if count.saturating_mul(bytes) > COPIES_BYTES_MAX {
        return Err(format!("the text would have more than {COPIES_BYTES_MAX} bytes"));
    }
    Ok(())
}

/// Returns an argument, absent where it was left out.
fn at(arguments: &[Value], place: usize) -> Value {
    arguments.get(place).cloned().unwrap_or_default()
}

fn text_at(arguments: &[Value], place: usize) -> String {
    arguments.get(place).map(Value::to_text).unwrap_or_default()
}

fn number_at(arguments: &[Value], place: usize) -> Result<f64, String> {
    let value = at(arguments, place);
    value.to_f64().ok_or_else(|| format!("\"{}\" is not a number", value.to_text()))
}

fn whole_at(arguments: &[Value], place: usize) -> Result<i64, String> {
    let value = at(arguments, place);
    value.to_i64().ok_or_else(|| format!("\"{}\" is not a number", value.to_text()))
}

/// Returns the elements of an array argument; nothing counts as empty.
fn array_at(arguments: &[Value], place: usize) -> Result<Vec<Value>, String> {
    match at(arguments, place) {
        Value::Array(values) => Ok(values.to_vec()),
        Value::Absent | Value::Null => Ok(Vec::new()),
        other => Err(format!("\"{}\" is not a valid array", other.to_text())),
    }
}
