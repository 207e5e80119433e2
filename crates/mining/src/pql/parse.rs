//! Making a tree of words.
//!
//! The grammar, loosest first: `OR`, `AND`, `NOT`, comparisons (also `IN`,
//! `LIKE`, `IS NULL`, `BETWEEN`; they do not chain), `||`, `+ -`, `* / %`,
//! sign, and what stands alone. After a mistake the parser goes on behind the
//! next comma of the same list, else behind the next semicolon, so that one
//! call tells all mistakes of a text.

mod statements;
mod expressions;
mod calls;
mod dates;
mod patterns;
mod words;
mod recovery;

use super::syntax::{Expr, Query};
use super::token::{Token, tokens};
use super::{Faults, Mistake, place_all};

/// How deep expressions may nest: more than anyone writes, less than a stack
/// holds.
const DEPTH_MAX: usize = 60;

/// How many parts a chain of operators of one kind may have.
const CHAIN_MAX: usize = 200;

/// Words that cannot be bare names.
pub(crate) const RESERVED: [&str; 25] = [
    "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "DESC", "DISTINCT", "ELSE", "END", "FILTER", "IN", "IN_LIKE", "IS",
    "LIKE", "LIMIT", "NOT", "NULL", "OFFSET", "OR", "ORDER", "TABLE", "THEN", "TO", "WHEN",
];

/// After so many mistakes there is nothing to learn from more of them.
const MISTAKES_MAX: usize = 20;

/// Parses a whole query: FILTER statements, then `TABLE(…)` or loose columns.
pub fn query(text: &str) -> Result<Query, Faults> {
    run(text, Parser::query)
}

/// Parses one expression.
pub fn expression(text: &str) -> Result<Expr, Faults> {
    run(text, |parser| {
        let value = parser.recovering(Parser::expression)?;
        parser.expect_end();
        Some(value)
    })
}

/// Parses a condition: an expression with or without `FILTER` before it and a
/// semicolon behind it.
pub fn condition(text: &str) -> Result<Expr, Faults> {
    run(text, |parser| {
        if parser.take_word("FILTER") {
            parser.skip_forced();
        }
        let value = parser.recovering(Parser::expression)?;
        parser.take_sign(";");
        parser.expect_end();
        Some(value)
    })
}

fn run<T>(text: &str, parse: impl FnOnce(&mut Parser) -> Option<T>) -> Result<T, Faults> {
    let mut mistakes = Vec::new();
    let tokens = tokens(text, &mut mistakes);
    let mut parser = Parser { tokens, next: 0, depth: 0, hopeless: false, mistakes };
    let parsed = parse(&mut parser);
    let mut mistakes = parser.mistakes;
    match parsed {
        Some(parsed) if mistakes.is_empty() => Ok(parsed),
        _ => {
            mistakes.sort_by_key(|mistake| mistake.at.start);
            mistakes.truncate(MISTAKES_MAX);
            Err(place_all(mistakes, text))
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    /// The text is too deep or too long to look for more mistakes in it.
    hopeless: bool,
    mistakes: Vec<Mistake>,
}

type Parsed<T> = Result<T, Mistake>;

/// The days of a working week, in its order.
pub(crate) const WEEKDAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
