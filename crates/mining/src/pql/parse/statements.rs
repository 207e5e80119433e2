//! A query: its statements one after another, then what it shows.

use super::{Parsed, Parser};
use crate::pql::Mistake;
use crate::pql::syntax::{Expr, OrderBy, Query, QueryColumn, StaticFilter};
use crate::pql::token::TokenKind;

impl Parser {
    pub(super) fn query(&mut self) -> Option<Query> {
        let mut query = Query::default();
        loop {
            while self.take_sign(";") {}
            if self.at_end() {
                break;
            }
            self.statement(&mut query);
        }
        if query.columns.is_empty() && self.mistakes.is_empty() {
            let at = self.peek().span;
            self.mistakes.push(Mistake::new(at, "the query has no columns"));
        }
        Some(query)
    }

    /// Reads a statement and the semicolon behind it.
    fn statement(&mut self, query: &mut Query) {
        if self.at_default() {
            if let Some(column) = self.recovering(Parser::default_activity_column) {
                query.activity_column = Some(column);
            }
            return self.end_statement("\";\" after the DEFAULT ACTIVITY_COLUMN");
        }
        if self.take_word("FILTER") {
            self.skip_forced();
            query.filters.extend(self.recovering(Parser::expression));
            return self.end_statement("\";\" after the FILTER");
        }
        if self.peek_if() {
            match self.recovering(Parser::static_filter) {
                Some(filter) => query.static_filters.push(filter),
                // The semicolons inside are not its end.
                None => self.skip_behind_end(),
            }
            return self.end_statement("\";\" after END");
        }
        if query.columns.is_empty() {
            self.recovering(|parser| parser.result(query));
            return self.end_statement("the end of the query");
        }
        let mistake = self.unexpected("the end of the query");
        self.give_up(mistake);
    }

    fn end_statement(&mut self, expected: &str) {
        if !self.at_end() && !self.take_sign(";") {
            let mistake = self.unexpected(expected);
            self.give_up(mistake);
        }
    }

    fn result(&mut self, query: &mut Query) -> Parsed<()> {
        let wrapped = self.take_word("TABLE");
        if wrapped {
            self.expect_sign("(")?;
        }
        query.distinct = self.take_word("DISTINCT");
        loop {
            let close = if wrapped { ")" } else { "," };
            let column = self.item(close, |parser| {
                let value = parser.expression()?;
                let name = if parser.take_word("AS") { Some(parser.name()?.0) } else { None };
                Ok(QueryColumn { value, name })
            })?;
            query.columns.extend(column);
            if !self.take_sign(",") {
                break;
            }
        }
        if wrapped {
            self.expect_sign(")")?;
        }
        query.order_by = self.order_by()?;
        if self.take_word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.take_word("OFFSET") {
            query.offset = Some(self.count()?);
        }
        Ok(())
    }

    pub(super) fn order_by(&mut self) -> Parsed<Vec<OrderBy>> {
        if !self.take_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        self.order_keys()
    }

    pub(super) fn order_keys(&mut self) -> Parsed<Vec<OrderBy>> {
        let mut keys = Vec::new();
        loop {
            let key = self.expression()?;
            let descending = self.take_word("DESC");
            if !descending {
                self.take_word("ASC");
            }
            keys.push(OrderBy { key, descending });
            // A comma may also lead to the PARTITION BY of a window.
            let partition_follows = self.peek_sign(",") && self.are_words(self.next + 1, "PARTITION", "BY");
            if partition_follows || !self.take_sign(",") {
                return Ok(keys);
            }
        }
    }

    fn count(&mut self) -> Parsed<u64> {
        match self.peek().kind {
            TokenKind::Int(count) => {
                self.next += 1;
                Ok(count as u64)
            }
            _ => Err(self.unexpected("a number of rows")),
        }
    }

    /// Reads `IF c THEN FILTER …; [ELSE IF c THEN …] [ELSE …] END`.
    fn static_filter(&mut self) -> Parsed<StaticFilter> {
        let mut found = StaticFilter { branches: Vec::new(), otherwise: Vec::new() };
        self.next += 1;
        loop {
            let condition = self.expression()?;
            self.expect_word("THEN")?;
            found.branches.push((condition, self.filters()?));
            if !self.take_word("ELSE") {
                break;
            }
            if !self.take_word("IF") {
                found.otherwise = self.filters()?;
                break;
            }
        }
        self.expect_word("END")?;
        Ok(found)
    }

    fn filters(&mut self) -> Parsed<Vec<Expr>> {
        let mut filters = Vec::new();
        self.expect_word("FILTER")?;
        loop {
            self.skip_forced();
            filters.push(self.expression()?);
            self.expect_sign(";")?;
            if !self.take_word("FILTER") {
                return Ok(filters);
            }
        }
    }

    /// Leaves out FORCED, which is for the lists that dashboards offer and says
    /// nothing about rows.
    pub(super) fn skip_forced(&mut self) {
        let next = self.tokens.get(self.next + 1).map(|token| &token.kind);
        let is_name = matches!(next, Some(TokenKind::Sign(sign)) if *sign != "(") || next == Some(&TokenKind::End);
        if self.peek_word("FORCED") && !is_name {
            self.next += 1;
        }
    }
}
