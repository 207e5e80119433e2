//! PQL, the process query language.
//!
//! A text goes through four chapters, each a pure function of the one before:
//!
//! * [`token`] cuts it into words, each with its place;
//! * [`parse`] makes a tree of [`syntax`] and [`pattern`], telling all faults at once, each
//!   with its place; [`print`] writes the tree down again, and what it writes
//!   reads back as the same tree;
//! * `bind` puts arguments in the place of parameters and cuts out what guards
//!   leave out;
//! * [`check`] resolves names against a [`catalog`], gives every expression a
//!   type and a table it stands on, and yields a [`plan`];
//! * [`deadline`] tells when a plan that looks at the clock will change its
//!   answer though no row does.
//!
//! The plan is evaluated elsewhere ([`crate::evaluate`]), over all rows or over
//! those of touched cases.

pub mod syntax;
pub mod pattern;
pub mod token;
pub mod parse;
pub mod print;
pub(crate) mod bind;
pub mod catalog;
pub mod regex;
pub mod net;
pub mod operators;
pub mod plan;
pub mod check;
pub mod deadline;

use std::fmt;

/// Says what is wrong with a text in PQL, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {detail}")]
pub struct Fault {
    /// 1-based.
    pub line: u32,
    /// 1-based, in characters.
    pub column: u32,
    /// What is wrong there, and what could be meant instead.
    pub detail: String,
}

/// At least one [`Fault`], in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            let between = if place == 0 { "" } else { "; " };
            write!(f, "{between}{fault}")?;
        }
        Ok(())
    }
}

/// A fault that still counts in bytes of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) at: syntax::Span,
    pub(crate) detail: String,
}

impl Mistake {
    pub(crate) fn new(at: syntax::Span, detail: impl Into<String>) -> Self {
        Mistake { at, detail: detail.into() }
    }

    /// Translates bytes to lines and columns of the text.
    pub(crate) fn place(self, text: &str) -> Fault {
        let mut start = (self.at.start as usize).min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Fault {
            line: before.matches('\n').count() as u32 + 1,
            column: before[line_start..].chars().count() as u32 + 1,
            detail: self.detail,
        }
    }
}

pub(crate) fn place_all(mistakes: Vec<Mistake>, text: &str) -> Faults {
    Faults(mistakes.into_iter().map(|mistake| mistake.place(text)).collect())
}
