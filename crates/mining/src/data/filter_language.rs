//! The filter language of the Intelligence API: a lower-case part of OData's.
//!
//! ```text
//! all        = either { "," either }            the older form: a comma is an and
//! either     = both { "or" both }
//! both       = not { "and" not }
//! not        = "not" not | "(" all ")" | condition
//! condition  = field ("eq"|"ne"|"gt"|"ge"|"lt"|"le") literal
//!            | field "in" "(" literal { "," literal } ")"
//!            | ("contains"|"startswith"|"endswith") "(" field "," literal ")"
//! ```
//!
//! A literal is `'text'` with quotes doubled inside, or bare: a number, `true`,
//! `false`, `null`, a date such as `2026-02-01T08:00:00+01:00`, and in the
//! older form any words up to the next comma. What it means is decided by the
//! type of its field.

mod reading;
mod typing;

use std::fmt;

pub use reading::parse;
pub use typing::Known;
pub(crate) use typing::instant;

use crate::pql::syntax::Comparison;

/// A text in the filter language, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// A field compared with a value.
    Compare(Field, Comparison, Literal),
    /// A field that has one of several values.
    In(Field, Vec<Literal>),
    /// A text that has another one in it.
    Text(Part, Field, Literal),
    /// All hold.
    And(Box<Filter>, Box<Filter>),
    /// At least one holds.
    Or(Box<Filter>, Box<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
}

/// Where a text has another one in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Anywhere.
    Contains,
    /// At its beginning.
    StartsWith,
    /// At its end.
    EndsWith,
}

/// A field and its place.
#[derive(Clone, Debug)]
pub struct Field {
    /// As written: `FIELD`, or `RECORD.FIELD`.
    pub name: String,
    /// Bytes before it.
    pub at: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Literal {
    /// What it says.
    pub text: String,
    /// Whether it stands in quotes.
    pub quoted: bool,
    /// Bytes before it.
    pub at: usize,
}

// Two texts are the same if they say the same, wherever it is written.
impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        (self.quoted, &self.text) == (other.quoted, &other.text)
    }
}

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterMistake {
    /// Bytes before it.
    pub at: usize,
    /// What is wrong there, and the mend.
    pub detail: String,
}

fn mistake<T>(at: usize, detail: impl Into<String>) -> Result<T, FilterMistake> {
    Err(FilterMistake { at, detail: detail.into() })
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("eq", Comparison::Equal),
    ("ne", Comparison::NotEqual),
    ("gt", Comparison::Greater),
    ("ge", Comparison::GreaterOrEqual),
    ("lt", Comparison::Less),
    ("le", Comparison::LessOrEqual),
];

const PARTS: [(&str, Part); 3] =
    [("contains", Part::Contains), ("startswith", Part::StartsWith), ("endswith", Part::EndsWith)];

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::Compare(field, comparison, literal) => {
                let word = COMPARISONS.iter().find(|(_, known)| known == comparison).map_or("eq", |(word, _)| *word);
                write!(f, "{} {word} {literal}", field.name)
            }
            Filter::In(field, literals) => {
                let literals: Vec<String> = literals.iter().map(ToString::to_string).collect();
                write!(f, "{} in ({})", field.name, literals.join(", "))
            }
            Filter::Text(part, field, literal) => {
                let word = PARTS.iter().find(|(_, known)| known == part).map_or("contains", |(word, _)| *word);
                write!(f, "{word}({}, {literal})", field.name)
            }
            Filter::And(one, two) => write!(f, "{} and {}", At(one, 1), At(two, 2)),
            Filter::Or(one, two) => write!(f, "{} or {}", At(one, 0), At(two, 1)),
            Filter::Not(inner) => write!(f, "not {}", At(inner, 2)),
        }
    }
}

/// Writes a filter in parentheses if it holds together less than it must.
struct At<'a>(&'a Filter, u8);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = match self.0 {
            Filter::Or(..) => 0,
            Filter::And(..) => 1,
            _ => 2,
        };
        if own < self.1 { write!(f, "({})", self.0) } else { write!(f, "{}", self.0) }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted { write!(f, "'{}'", self.text.replace('\'', "''")) } else { f.write_str(&self.text) }
    }
}
