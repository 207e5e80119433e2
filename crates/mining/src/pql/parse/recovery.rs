//! Going on after a mistake, and giving up where there is no end to it.

use super::{CHAIN_MAX, DEPTH_MAX, MISTAKES_MAX, Parsed, Parser};
use crate::pql::Mistake;
use crate::pql::syntax::Span;
use crate::pql::token::{Token, TokenKind};

impl Parser {
    /// Runs a part; after a mistake in it, takes note and goes on behind the
    /// next semicolon.
    pub(super) fn recovering<T>(&mut self, part: impl FnOnce(&mut Parser) -> Parsed<T>) -> Option<T> {
        self.depth = 0;
        match part(self) {
            Ok(parsed) => Some(parsed),
            Err(mistake) => {
                self.give_up(mistake);
                None
            }
        }
    }

    pub(super) fn give_up(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
        while !self.at_end() && !self.peek_sign(";") {
            self.next += 1;
        }
    }

    /// Goes on behind the next END, if there is one.
    pub(super) fn skip_behind_end(&mut self) {
        let is_end = |token: &Token| matches!(&token.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case("END"));
        if let Some(steps) = self.tokens[self.next.min(self.tokens.len())..].iter().position(is_end) {
            self.next += steps + 1;
        }
    }

    /// Reads an item of a list. After a mistake in it takes note and goes on
    /// at the comma behind it, or at what closes the list, if there is any.
    pub(super) fn item<T>(&mut self, close: &str, part: impl FnOnce(&mut Parser) -> Parsed<T>) -> Parsed<Option<T>> {
        let (start, depth) = (self.next, self.depth);
        let mistake = match part(self) {
            Ok(item) => return Ok(Some(item)),
            Err(mistake) => mistake,
        };
        if self.hopeless || self.mistakes.len() >= MISTAKES_MAX {
            return Err(mistake);
        }
        let mut open = 0_usize;
        for at in start..self.tokens.len() {
            let TokenKind::Sign(sign) = self.tokens[at].kind else { continue };
            if at >= self.next && open == 0 && (sign == "," || sign == close) {
                self.mistakes.push(mistake);
                (self.next, self.depth) = (at, depth);
                return Ok(None);
            }
            match sign {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" if open == 0 => break,
                ")" | "]" | "}" => open -= 1,
                ";" => break,
                _ => {}
            }
        }
        Err(mistake)
    }

    pub(super) fn deeper(&mut self, at: Span) -> Parsed<()> {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return Ok(());
        }
        self.hopeless = true;
        Err(Mistake::new(at, format!("expressions nest at most {DEPTH_MAX} deep")))
    }

    /// A chain leans to the left and is as deep as it is long.
    pub(super) fn bound(&mut self, links: usize) -> Parsed<()> {
        if links <= CHAIN_MAX {
            return Ok(());
        }
        self.hopeless = true;
        let detail = format!("this chain has more than {CHAIN_MAX} parts; divide it with parentheses");
        Err(Mistake::new(self.peek().span, detail))
    }
}
