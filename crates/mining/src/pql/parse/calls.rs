//! Operators with their arguments in parentheses, and what else may stand there.

use super::expressions::join;
use super::{Parsed, Parser};
use crate::pql::syntax::{Call, Expr, ExprKind, OrderBy, Span};
use crate::pql::token::{Token, TokenKind};

impl Parser {
    pub(super) fn call(&mut self, name: String, name_span: Span) -> Parsed<Expr> {
        let mut call = Call { name, name_span, distinct: false, arguments: Vec::new(), order_by: Vec::new() };
        call.distinct = self.take_word("DISTINCT");
        if name_takes_precision(&call.name)
            && let Some(word) = self.precision()
        {
            call.arguments.push(word);
        }
        let has_shifts = call.name == "WEEKDAY_CALENDAR";
        while !self.peek_sign(")") {
            if self.at_with() {
                let ends = self.with_ends(None)?;
                call.arguments.push(ends);
                if !self.take_sign(",") {
                    break;
                }
                continue;
            }
            if self.peek_word("ORDER") {
                if !call.order_by.is_empty() {
                    return Err(self.unexpected("one ORDER BY"));
                }
                call.order_by = self.order_in_call()?;
                if !self.take_sign(",") {
                    break;
                }
                continue;
            }
            if self.peek_words("PARTITION", "BY") {
                call.arguments.push(self.partition_by()?);
                if !self.take_sign(",") && !self.peek_word("ORDER") {
                    break;
                }
                continue;
            }
            let argument = self.item(")", |parser| match parser.weekday().filter(|_| has_shifts) {
                Some(day) => parser.shift(day),
                None if has_shifts => parser.no_shift(),
                None => parser.argument(),
            })?;
            call.arguments.extend(argument);
            let another_day = has_shifts && self.weekday().is_some();
            if !another_day && !self.take_sign(",") && !self.peek_word("ORDER") {
                break;
            }
        }
        let end = self.expect_sign(")")?;
        Ok(Expr { kind: ExprKind::Call(call), span: name_span.to(end) })
    }

    pub(super) fn argument(&mut self) -> Parsed<Expr> {
        let mut argument = self.expression()?;
        if self.take_word("TO") {
            let to = self.expression()?;
            argument = join(argument, to, ExprKind::Range);
        }
        if self.at_with() {
            argument = self.with_ends(Some(argument))?;
        }
        Ok(argument)
    }

    /// Reads `PARTITION BY (a, b)`; the parentheses may miss around one.
    fn partition_by(&mut self) -> Parsed<Expr> {
        let start = self.peek().span;
        self.next += 2;
        let one = self.expression()?;
        let span = start.to(one.span);
        let items = if let ExprKind::Tuple(items) = one.kind { items } else { vec![one] };
        Ok(Expr { kind: ExprKind::PartitionBy(items), span })
    }

    /// Reads the order inside a call: `ORDER BY a, b DESC` up to its end, or
    /// `ORDER BY (a, b DESC)`, after which more may follow.
    fn order_in_call(&mut self) -> Parsed<Vec<OrderBy>> {
        if !self.order_is_enclosed() {
            return self.order_by();
        }
        self.next += 3;
        let keys = self.order_keys()?;
        self.expect_sign(")")?;
        Ok(keys)
    }

    /// Tells whether the keys after ORDER BY stand in parentheses of their own
    /// rather than beginning with some.
    fn order_is_enclosed(&self) -> bool {
        let sign = |place: usize, sign: &str| matches!(self.tokens.get(place), Some(Token { kind: TokenKind::Sign(found), .. }) if *found == sign);
        let open = self.next + 2;
        if !self.peek_words("ORDER", "BY") || !sign(open, "(") {
            return false;
        }
        let mut depth = 0_usize;
        for place in open..self.tokens.len() {
            depth += usize::from(sign(place, "("));
            depth -= usize::from(sign(place, ")"));
            if depth == 0 {
                return sign(place + 1, ")") || sign(place + 1, ",");
            }
        }
        false
    }

    /// Reads the word before the first argument of PU_COUNT_DISTINCT, with or
    /// without a comma behind it.
    fn precision(&mut self) -> Option<Expr> {
        let Token { kind: TokenKind::Word(word), span } = self.peek().clone() else { return None };
        let next = &self.tokens.get(self.next + 1)?.kind;
        let goes_on = matches!(next, TokenKind::Word(_) | TokenKind::Quoted(_) | TokenKind::Variable(_));
        if !goes_on || !matches!(word.to_ascii_uppercase().as_str(), "EXACT" | "APPROX") {
            return None;
        }
        self.next += 1;
        Some(Expr { kind: ExprKind::Name { name: word, quoted: false }, span })
    }
}

fn name_takes_precision(name: &str) -> bool {
    name == "PU_COUNT_DISTINCT"
}
