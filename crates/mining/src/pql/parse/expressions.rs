//! Expressions, loosest first, down to what stands alone.

use super::{Parsed, Parser, is_reserved};
use crate::pql::Mistake;
use crate::pql::syntax::{Arithmetic, Comparison, Expr, ExprKind, Span};
use crate::pql::token::{Token, TokenKind};

impl Parser {
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        self.deeper(self.peek().span)?;
        let mut left = self.conjunction()?;
        for links in 0.. {
            self.bound(links)?;
            if !self.take_word("OR") {
                break;
            }
            let right = self.conjunction()?;
            left = join(left, right, ExprKind::Or);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut left = self.negation()?;
        for links in 0.. {
            self.bound(links)?;
            if !self.take_word("AND") {
                break;
            }
            let right = self.negation()?;
            left = join(left, right, ExprKind::And);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Parsed<Expr> {
        let start = self.peek().span;
        if !self.take_word("NOT") {
            return self.comparison();
        }
        self.deeper(start)?;
        let value = self.negation()?;
        self.depth -= 1;
        let span = start.to(value.span);
        Ok(Expr { kind: ExprKind::Not(Box::new(value)), span })
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.concatenation()?;
        let sign = match &self.peek().kind {
            TokenKind::Sign(sign) => comparison_of(sign),
            _ => None,
        };
        if let Some(comparison) = sign {
            self.next += 1;
            let right = self.concatenation()?;
            return Ok(join(left, right, |left, right| ExprKind::Compare(comparison, left, right)));
        }
        let start = left.span;
        let value = Box::new(left);
        if self.take_word("IS") {
            let negated = self.take_word("NOT");
            let end = self.expect_word("NULL")?;
            return Ok(Expr { kind: ExprKind::IsNull { value, negated }, span: start.to(end) });
        }
        let before = self.next;
        let negated = self.take_word("NOT");
        if self.peek_word("IN") || self.peek_word("IN_LIKE") {
            let is_like = !self.take_word("IN") && self.take_word("IN_LIKE");
            self.expect_sign("(")?;
            let list = self.list(")")?;
            let end = self.expect_sign(")")?;
            let kind =
                if is_like { ExprKind::InLike { value, list, negated } } else { ExprKind::In { value, list, negated } };
            return Ok(Expr { kind, span: start.to(end) });
        }
        if self.take_word("LIKE") {
            let pattern = Box::new(self.concatenation()?);
            let span = start.to(pattern.span);
            return Ok(Expr { kind: ExprKind::Like { value, pattern, negated }, span });
        }
        if self.take_word("BETWEEN") {
            let low = Box::new(self.concatenation()?);
            self.expect_word("AND")?;
            let high = Box::new(self.concatenation()?);
            let span = start.to(high.span);
            return Ok(Expr { kind: ExprKind::Between { value, low, high, negated }, span });
        }
        self.next = before;
        Ok(*value)
    }

    pub(super) fn concatenation(&mut self) -> Parsed<Expr> {
        self.chain(&[Arithmetic::Concat], |parser| {
            parser.chain(&[Arithmetic::Add, Arithmetic::Subtract], |parser| {
                parser.chain(&[Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Remainder], Parser::signed)
            })
        })
    }

    pub(super) fn chain(
        &mut self,
        operators: &[Arithmetic],
        part: impl Fn(&mut Parser) -> Parsed<Expr>,
    ) -> Parsed<Expr> {
        let mut left = part(self)?;
        for links in 0.. {
            self.bound(links)?;
            let operator = operators.iter().find(|operator| self.peek().kind == TokenKind::Sign(operator.sign()));
            let Some(operator) = operator else { return Ok(left) };
            self.next += 1;
            let right = part(self)?;
            left = join(left, right, |left, right| ExprKind::Arithmetic(*operator, left, right));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Parsed<Expr> {
        let start = self.peek().span;
        if self.take_sign("+") {
            return self.nested_sign(start);
        }
        if !self.take_sign("-") {
            return self.single();
        }
        let value = self.nested_sign(start)?;
        let span = start.to(value.span);
        Ok(Expr { kind: ExprKind::Negate(Box::new(value)), span })
    }

    fn nested_sign(&mut self, start: Span) -> Parsed<Expr> {
        self.deeper(start)?;
        let value = self.signed()?;
        self.depth -= 1;
        Ok(value)
    }

    fn single(&mut self) -> Parsed<Expr> {
        let Token { kind, span } = self.peek().clone();
        let kind = match kind {
            TokenKind::Int(number) => ExprKind::Int(number),
            TokenKind::Float(number) => ExprKind::Float(number),
            TokenKind::Text(text) => ExprKind::Text(text),
            TokenKind::Variable(name) => ExprKind::Variable(name),
            TokenKind::Parameter(number) => ExprKind::Parameter(number),
            TokenKind::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                if self.take_sign(",") {
                    let mut items = vec![inner];
                    items.extend(self.list(")")?);
                    let end = self.expect_sign(")")?;
                    return Ok(Expr { kind: ExprKind::Tuple(items), span: span.to(end) });
                }
                let end = self.expect_sign(")")?;
                return Ok(Expr { kind: inner.kind, span: span.to(end) });
            }
            TokenKind::Sign("[") => return self.spaced_list(),
            TokenKind::Sign("{") => return self.date(),
            TokenKind::Word(_) if self.peek_word("CASE") => return self.case(),
            TokenKind::Word(_) if self.at_process() => return self.process(),
            TokenKind::Word(_) if self.peek_words("STATIC", "CASE") => {
                self.next += 1;
                let Expr { kind, span: case } = self.case()?;
                let ExprKind::Case { branches, otherwise } = kind else { unreachable!("that is what was read") };
                return Ok(Expr { kind: ExprKind::StaticCase { branches, otherwise }, span: span.to(case) });
            }
            TokenKind::Word(_) if self.peek_word("NULL") => ExprKind::Null,
            TokenKind::Word(word) if !is_reserved(&word) || self.is_before_point() => return self.named(&word, false),
            TokenKind::Quoted(word) => return self.named(&word, true),
            _ => return Err(self.unexpected("an expression")),
        };
        self.next += 1;
        Ok(Expr { kind, span })
    }

    /// Reads what begins with a name: a column, a call, a bracket, or the name.
    pub(super) fn named(&mut self, word: &str, quoted: bool) -> Parsed<Expr> {
        let start = self.peek().span;
        self.next += 1;
        if self.take_sign(".") {
            let (column, end) = self.column_name()?;
            return Ok(Expr { kind: ExprKind::Column { table: word.to_owned(), column }, span: start.to(end) });
        }
        if !quoted && self.take_sign("(") {
            return match word.to_ascii_uppercase() {
                name if name == "MATCH_PROCESS" => self.match_process(start),
                name if name == "MATCH_PROCESS_REGEX" => self.match_regex(start),
                name => self.call(name, start),
            };
        }
        if !quoted && self.take_sign("[") {
            return self.bracket(word.to_ascii_uppercase(), start);
        }
        if !quoted && word.eq_ignore_ascii_case("MULTI") && self.peek_word("CASE") {
            let detail = "MULTI CASE WHEN is not understood, for it would make several rows of one; write one column with CASE WHEN per condition";
            return Err(Mistake::new(start, detail));
        }
        Ok(Expr { kind: ExprKind::Name { name: word.to_owned(), quoted }, span: start })
    }

    fn bracket(&mut self, word: String, start: Span) -> Parsed<Expr> {
        let items = if self.peek_sign("]") { Vec::new() } else { self.list("]")? };
        let end = self.expect_sign("]")?;
        Ok(Expr { kind: ExprKind::Bracket { word, items }, span: start.to(end) })
    }

    /// Reads expressions with commas between, up to what closes the list.
    pub(super) fn list(&mut self, close: &'static str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        loop {
            items.extend(self.item(close, Parser::expression)?);
            if !self.take_sign(",") {
                return Ok(items);
            }
        }
    }

    fn case(&mut self) -> Parsed<Expr> {
        let start = self.expect_word("CASE")?;
        let mut branches = Vec::new();
        self.expect_word("WHEN")?;
        loop {
            let condition = self.expression()?;
            self.expect_word("THEN")?;
            branches.push((condition, self.expression()?));
            if !self.take_word("WHEN") {
                break;
            }
        }
        let otherwise = if self.take_word("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        let end = self.expect_word("END")?;
        Ok(Expr { kind: ExprKind::Case { branches, otherwise }, span: start.to(end) })
    }
}

pub(super) fn join(left: Expr, right: Expr, kind: impl FnOnce(Box<Expr>, Box<Expr>) -> ExprKind) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: kind(Box::new(left), Box::new(right)), span }
}

fn comparison_of(sign: &str) -> Option<Comparison> {
    Some(match sign {
        "=" => Comparison::Equal,
        "!=" | "<>" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
