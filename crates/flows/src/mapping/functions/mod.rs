//! The functions of the mapping language.
//!
//! A file per family; each function is a row of its family's table. Names are
//! found in any letter case, because hand-written flows mix them up.

mod array;
mod date;
mod general;
mod math;
mod text;

use super::evaluate::Surroundings;
use crate::value::Value;

pub(crate) use date::to_date;

/// What computes a function: its arguments and what it can see. The error is
/// a sentence without the position, which the caller knows.
type Body = fn(&[Value], &dyn Surroundings) -> Result<Value, String>;

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
    body: Body,
) -> Function {
    Function { name, signature, arguments_min, arguments_max, body }
}

/// All functions, by family.
pub static FUNCTIONS: [&[Function]; 5] =
    [general::FUNCTIONS, text::FUNCTIONS, math::FUNCTIONS, array::FUNCTIONS, date::FUNCTIONS];

/// Finds a function by its name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().flat_map(|family| family.iter()).find(|function| function.name.eq_ignore_ascii_case(name))
}

/// Says that there is no such function, and what may have been meant.
pub(super) fn unknown(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let near = FUNCTIONS.iter().flat_map(|family| family.iter()).find(|function| {
        let known = function.name.to_ascii_lowercase();
        lower.len() > 2 && (known.starts_with(&lower) || lower.starts_with(&known))
    });
    match near {
        Some(function) => format!("function \"{name}\" does not exist, perhaps {} is meant", function.signature),
        None => format!("function \"{name}\" does not exist"),
    }
}

impl Function {
    /// Computes the function.
    pub fn call(&self, arguments: &[Value], around: &dyn Surroundings) -> Result<Value, String> {
        if arguments.len() < self.arguments_min || arguments.len() > self.arguments_max {
            return Err(format!("{} was given {} arguments", self.signature, arguments.len()));
        }
        (self.body)(arguments, around).map_err(|problem| format!("{}: {problem}", self.name))
    }
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
