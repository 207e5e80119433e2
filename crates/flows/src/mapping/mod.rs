//! The mapping language: texts with `{{…}}` that take values from earlier
//! bundles.
//!
//! A template is parsed once and evaluated often. One that is a single
//! expression and nothing else passes the native value on (an array stays an
//! array); in all others each expression is converted to text and joined with
//! what stands around it.
//!
//! In a template that is JSON text ([`Template::json`]) a mapped value cannot
//! break out of its place: inside quotes it is escaped, outside of them it is
//! written as one JSON value.

mod dates;
mod evaluate;
mod expression;
mod functions;
pub mod handbook;
mod parse;
mod token;
pub mod tryout;

pub use evaluate::{Surroundings, evaluate};
pub use expression::{Binary, Expression, Form, Root, Segment};
pub(crate) use functions::to_date;
pub use functions::{FUNCTIONS, Function};
pub(crate) use handbook::is_known;

use crate::value::Value;
use token::Tokens;

/// What is wrong with a mapping, and at which byte of its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} (at position {})", at + 1)]
pub struct Problem {
    /// Byte of the template, from 0.
    pub at: usize,
    /// What is wrong, and the fix where it is plain.
    pub text: String,
}

/// A text with expressions, ready to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    Mapped(Expression, Place),
}

/// Where a mapped value stands, which says how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a text of any sort: as it is.
    Plain,
    /// Between the quotes of a JSON text: escaped.
    JsonQuotes,
    /// In JSON outside of quotes: as one JSON value.
    JsonBare,
}

impl Template {
    /// Reads a text.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::read(text, false)
    }

    /// Reads a text that is to become JSON; mapped values are escaped.
    pub fn json(text: &str) -> Result<Self, Problem> {
        Self::read(text, true)
    }

    fn read(text: &str, json: bool) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut place = 0;
        let mut quotes = Quotes::default();
        while let Some(open) = text[place..].find("{{") {
            let literal = &text[place..place + open];
            quotes.read(literal);
            if !literal.is_empty() {
                parts.push(Part::Text(literal.to_owned()));
            }
            let mut tokens = Tokens::new(text, place + open + 2);
            let expression = parse::expression(&mut tokens)?;
            place = tokens.place();
            parts.push(Part::Mapped(
                expression,
                match (json, quotes.inside) {
                    (false, _) => Place::Plain,
                    (true, true) => Place::JsonQuotes,
                    (true, false) => Place::JsonBare,
                },
            ));
        }
        if place < text.len() {
            parts.push(Part::Text(text[place..].to_owned()));
        }
        Ok(Template { parts })
    }

    /// Returns the text of a template without expressions.
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Returns the expressions inside.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Mapped(expression, _) => Some(expression),
        })
    }

    /// Comes to a value.
    pub fn evaluate(&self, around: &dyn Surroundings) -> Result<Value, Problem> {
        if let [Part::Mapped(expression, _)] = self.parts.as_slice() {
            return evaluate(expression, around);
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Mapped(expression, place) => {
                    let value = evaluate(expression, around)?;
                    match place {
                        Place::Plain => text.push_str(&value.to_text()),
                        Place::JsonQuotes => text.push_str(&escaped(&value.to_text())),
                        Place::JsonBare => text.push_str(&json_value(&value)),
                    }
                    if text.len() > around.value_bytes_max() {
                        let text = too_large(around.value_bytes_max());
                        return Err(Problem { at: expression.at, text });
                    }
                }
            }
        }
        Ok(Value::text(text))
    }
}

/// Tells whether values take more than so many bytes, without counting on when
/// that is clear.
fn is_larger<'a>(values: impl IntoIterator<Item = &'a Value>, bytes: usize) -> bool {
    fn spend(value: &Value, left: &mut usize) -> Option<()> {
        let own = match value {
            Value::Text(text) => text.len(),
            Value::Buffer(bytes) => bytes.len(),
            _ => 0,
        };
        // Beside what is in it, a value takes room for itself.
        *left = left.checked_sub(own + 8)?;
        match value {
            Value::Array(values) => values.iter().try_for_each(|value| spend(value, left)),
            Value::Collection(fields) => fields.iter().try_for_each(|(name, value)| {
                *left = left.checked_sub(name.len())?;
                spend(value, left)
            }),
            _ => Some(()),
        }
    }
    let mut left = bytes;
    values.into_iter().any(|value| spend(value, &mut left).is_none())
}

/// Says that a value is larger than it may be.
fn too_large(bytes_max: usize) -> String {
    format!("a value here has more than {bytes_max} bytes")
}

/// Follows whether JSON text is between quotes.
#[derive(Default)]
struct Quotes {
    inside: bool,
    after_backslash: bool,
}

impl Quotes {
    fn read(&mut self, text: &str) {
        for letter in text.chars() {
            if self.after_backslash {
                self.after_backslash = false;
            } else if letter == '"' {
                self.inside = !self.inside;
            } else if letter == '\\' && self.inside {
                self.after_backslash = true;
            }
        }
    }
}

/// Escapes a text for a place between the quotes of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Writes a value for a place outside of quotes. A text that is one whole JSON
/// value (a number typed as text, an object built by an earlier module) goes
/// in as it is; any other text becomes a JSON text. Either way it is one value
/// and cannot add fields.
fn json_value(value: &Value) -> String {
    match value {
        Value::Text(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => text.trim().to_owned(),
        value => value.to_json().to_string(),
    }
}

#[cfg(test)]
mod tests;
