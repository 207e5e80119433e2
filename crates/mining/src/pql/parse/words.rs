//! Looking at the next words, taking them, and saying that they do not fit.

use super::{Parsed, Parser, is_reserved};
use crate::pql::Mistake;
use crate::pql::syntax::Span;
use crate::pql::token::{Token, TokenKind};

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    pub(super) fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    pub(super) fn peek_sign(&self, sign: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Sign(found) if found == sign)
    }

    pub(super) fn peek_word(&self, word: &str) -> bool {
        matches!(&self.peek().kind, TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
            && !self.is_before_point()
    }

    /// Tells whether these two words come next.
    pub(super) fn peek_words(&self, first: &str, second: &str) -> bool {
        self.are_words(self.next, first, second)
    }

    pub(super) fn are_words(&self, place: usize, first: &str, second: &str) -> bool {
        let is = |place: usize, word: &str| {
            matches!(self.tokens.get(place), Some(Token { kind: TokenKind::Word(found), .. })
                if found.eq_ignore_ascii_case(word))
        };
        is(place, first) && is(place + 1, second)
    }

    /// Tells whether an IF statement comes next: IF is a word like any other
    /// where something stands behind it that makes it one.
    pub(super) fn peek_if(&self) -> bool {
        let next = self.tokens.get(self.next + 1).map(|token| &token.kind);
        self.peek_word("IF") && !matches!(next, Some(TokenKind::Sign("," | ";") | TokenKind::End))
    }

    /// Tells whether a point follows: then even a reserved word is a name, for
    /// records like to be called ORDER.
    pub(super) fn is_before_point(&self) -> bool {
        self.tokens.get(self.next + 1).is_some_and(|token| token.kind == TokenKind::Sign("."))
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek_sign(sign);
        self.next += usize::from(found);
        found
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Parsed<Span> {
        let span = self.peek().span;
        if self.take_sign(sign) { Ok(span) } else { Err(self.unexpected(&format!("\"{sign}\""))) }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parsed<Span> {
        let span = self.peek().span;
        if self.take_word(word) { Ok(span) } else { Err(self.unexpected(word)) }
    }

    pub(super) fn expect_end(&mut self) {
        if !self.at_end() {
            let mistake = self.unexpected("the end");
            self.mistakes.push(mistake);
        }
    }

    pub(super) fn name(&mut self) -> Parsed<(String, Span)> {
        let Token { kind, span } = self.peek().clone();
        match kind {
            TokenKind::Quoted(name) => {
                self.next += 1;
                Ok((name, span))
            }
            TokenKind::Word(name) if !is_reserved(&name) => {
                self.next += 1;
                Ok((name, span))
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    /// Reads what follows a point: there no word has another meaning.
    pub(super) fn column_name(&mut self) -> Parsed<(String, Span)> {
        if let Token { kind: TokenKind::Word(name), span } = self.peek().clone() {
            self.next += 1;
            return Ok((name, span));
        }
        self.name()
    }

    pub(super) fn unexpected(&self, expected: &str) -> Mistake {
        let Token { kind, span } = self.peek();
        let found = match kind {
            TokenKind::End => "the text ends".to_owned(),
            TokenKind::Word(word) => format!("found {word}"),
            TokenKind::Quoted(name) => format!("found \"{name}\""),
            TokenKind::Text(text) => format!("found '{text}'"),
            TokenKind::Variable(name) => format!("found <%= {name} %>"),
            TokenKind::Int(number) => format!("found {number}"),
            TokenKind::Float(number) => format!("found {number:?}"),
            TokenKind::Parameter(number) => format!("found {{p{number}}}"),
            TokenKind::Sign(sign) => format!("found \"{sign}\""),
        };
        Mistake::new(*span, format!("expected {expected}, {found}"))
    }
}
