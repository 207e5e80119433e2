//! Reading patterns over activities, and the edges of SOURCE and TARGET.
//!
//! A pattern of `MATCH_PROCESS_REGEX`, loosest first: `|`, `>>`, what is
//! repeated, what stands alone. The anchors `^` and `$` need no `>>` beside
//! them.

use super::super::Mistake;
use super::super::operators::hint;
use super::super::pattern::{
    ActivityName, MatchProcess, MatchRegex, NodeKind, Pattern, PatternEdge, PatternNode, ProcessEquals, Step,
};
use super::super::syntax::{Expr, ExprKind, Span};
use super::super::token::{Token, TokenKind};
use super::{DEPTH_MAX, Parsed, Parser, is_reserved};

impl Parser {
    /// Tells whether `PROCESS EQUALS` or one of its longer forms begins here.
    pub(super) fn at_process(&self) -> bool {
        let follows = |word: &str| self.is_word_at(1, word);
        self.peek_word("PROCESS") && (follows("ON") || follows("EQUALS") || follows("NOT"))
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        let token = self.tokens.get(self.next + ahead);
        token.is_some_and(|token| matches!(&token.kind, TokenKind::Word(found) if found.eq_ignore_ascii_case(word)))
    }

    fn is_sign_at(&self, ahead: usize, sign: &str) -> bool {
        let token = self.tokens.get(self.next + ahead);
        token.is_some_and(|token| matches!(token.kind, TokenKind::Sign(found) if found == sign))
    }

    pub(super) fn process(&mut self) -> Parsed<Expr> {
        let start = self.expect_word("PROCESS")?;
        let column = if self.take_word("ON") { Some(Box::new(self.concatenation()?)) } else { None };
        let negated = self.take_word("NOT");
        self.expect_word("EQUALS")?;
        let from_start = self.take_word("START") || self.take_sign("^");
        self.take_arrow();
        let mut steps = vec![self.step()?];
        let mut to_end = self.take_end();
        while !to_end && self.take_arrow() {
            // `… TO END` says the same as `… END`.
            to_end = self.take_end();
            if !to_end {
                steps.push(self.step()?);
                to_end = self.take_end();
            }
        }
        let span = start.to(self.last_span());
        let process = ProcessEquals { column, negated, from_start, steps, to_end };
        Ok(Expr { kind: ExprKind::Process(process), span })
    }

    fn take_arrow(&mut self) -> bool {
        self.take_word("TO") || self.take_sign("->")
    }

    fn take_end(&mut self) -> bool {
        self.take_word("END") || self.take_sign("$")
    }

    fn last_span(&self) -> Span {
        self.tokens[self.next.saturating_sub(1)].span
    }

    fn step(&mut self) -> Parsed<Step> {
        if self.take_word("ANY") || self.take_sign("*") {
            return Ok(Step::Any);
        }
        if !self.take_sign("(") {
            return Ok(Step::OneOf(vec![self.activity("an activity such as 'Ship', ANY or a list of activities")?]));
        }
        let names = self.activities(")")?;
        Ok(Step::OneOf(names))
    }

    /// Reads activities with commas between, and the sign behind them.
    fn activities(&mut self, close: &str) -> Parsed<Vec<ActivityName>> {
        let mut names = vec![self.activity("an activity such as 'Ship'")?];
        while self.take_sign(",") {
            names.push(self.activity("an activity such as 'Ship'")?);
        }
        self.expect_sign(close)?;
        Ok(names)
    }

    fn activity(&mut self, expected: &str) -> Parsed<ActivityName> {
        let like = self.take_word("LIKE");
        let Token { kind, span } = self.peek().clone();
        let kind = match kind {
            TokenKind::Text(text) => ExprKind::Text(text),
            TokenKind::Variable(name) => ExprKind::Variable(name),
            _ if like => return Err(self.unexpected("a text such as 'Ship%'")),
            _ => return Err(self.unexpected(expected)),
        };
        self.next += 1;
        Ok(ActivityName { like, name: Expr { kind, span } })
    }

    /// Reads what follows `MATCH_PROCESS_REGEX(`.
    pub(super) fn match_regex(&mut self, name_span: Span) -> Parsed<Expr> {
        // Only a column has a point behind its table, and only a call has a
        // parenthesis behind its name; a pattern begins otherwise.
        let is_column = matches!(self.peek().kind, TokenKind::Word(_) | TokenKind::Quoted(_))
            && (self.is_sign_at(1, ".") || self.is_sign_at(1, "("));
        let mut column = None;
        let is_variable = matches!(self.peek().kind, TokenKind::Variable(_)) && self.is_sign_at(1, ",");
        if is_column || is_variable || self.peek_word("CASE") {
            column = Some(Box::new(self.expression()?));
            self.expect_sign(",")?;
        }
        let mut definitions = Vec::new();
        let pattern = loop {
            let pattern = self.pattern()?;
            let named = if self.take_word("AS") { Some(self.name()?.0) } else { None };
            let goes_on = self.take_sign(",");
            match named {
                Some(name) if goes_on => definitions.push((name, pattern)),
                None if goes_on => {
                    let at = self.last_span();
                    return Err(Mistake::new(at, "only the last pattern may be without a name; add AS \"name\""));
                }
                _ => break pattern,
            }
        };
        let end = self.expect_sign(")")?;
        let kind = ExprKind::MatchRegex(Box::new(MatchRegex { column, definitions, pattern }));
        Ok(Expr { kind, span: name_span.to(end) })
    }

    pub(super) fn pattern(&mut self) -> Parsed<Pattern> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Mistake::new(self.peek().span, format!("patterns nest at most {DEPTH_MAX} deep")));
        }
        let mut parts = vec![self.pattern_sequence()?];
        while self.take_sign("|") {
            parts.push(self.pattern_sequence()?);
        }
        self.depth -= 1;
        Ok(if parts.len() > 1 { Pattern::Either(parts) } else { parts.remove(0) })
    }

    fn pattern_sequence(&mut self) -> Parsed<Pattern> {
        let mut parts = Vec::new();
        loop {
            parts.push(self.pattern_repeat()?);
            let leans_on = parts.last() == Some(&Pattern::Start) && self.begins_pattern();
            if !self.take_sign(">>") && !leans_on && !self.peek_sign("$") {
                break;
            }
        }
        Ok(if parts.len() > 1 { Pattern::Sequence(parts) } else { parts.remove(0) })
    }

    fn begins_pattern(&self) -> bool {
        match &self.peek().kind {
            TokenKind::Text(_) | TokenKind::Variable(_) | TokenKind::Quoted(_) => true,
            TokenKind::Word(word) => word.eq_ignore_ascii_case("LIKE") || !is_reserved(word),
            TokenKind::Sign(sign) => ["(", "[", ".", "^", "$"].contains(sign),
            _ => false,
        }
    }

    fn pattern_repeat(&mut self) -> Parsed<Pattern> {
        let mut pattern = self.pattern_single()?;
        for marks in 0.. {
            let (least, most) = if self.take_sign("*") {
                (0, None)
            } else if self.take_sign("+") {
                (1, None)
            } else if self.take_sign("?") {
                (0, Some(1))
            } else if self.take_sign("{") {
                self.repetitions()?
            } else {
                break;
            };
            if marks >= DEPTH_MAX {
                return Err(Mistake::new(self.last_span(), format!("patterns nest at most {DEPTH_MAX} deep")));
            }
            pattern = Pattern::Repeat { pattern: Box::new(pattern), least, most };
        }
        Ok(pattern)
    }

    fn repetitions(&mut self) -> Parsed<(u32, Option<u32>)> {
        let start = self.last_span();
        let least = self.repetition()?;
        let most = match (self.take_sign(","), self.peek_sign("}")) {
            (false, _) => Some(least),
            (true, true) => None,
            (true, false) => Some(self.repetition()?),
        };
        let end = self.expect_sign("}")?;
        if most.is_some_and(|most| most < least) {
            return Err(Mistake::new(start.to(end), "the second number is smaller than the first"));
        }
        Ok((least, most))
    }

    fn repetition(&mut self) -> Parsed<u32> {
        match self.peek().kind {
            TokenKind::Int(number @ 0..=1_000) => {
                self.next += 1;
                Ok(number as u32)
            }
            _ => Err(self.unexpected("a number up to 1000")),
        }
    }

    fn pattern_single(&mut self) -> Parsed<Pattern> {
        let Token { kind, span } = self.peek().clone();
        match kind {
            TokenKind::Sign("^") => self.skip(Pattern::Start),
            TokenKind::Sign("$") => self.skip(Pattern::End),
            TokenKind::Sign(".") => self.skip(Pattern::Any),
            TokenKind::Text(text) if text == "*" => self.skip(Pattern::Any),
            TokenKind::Sign("(") => {
                self.next += 1;
                let inner = self.pattern()?;
                self.expect_sign(")")?;
                Ok(inner)
            }
            TokenKind::Sign("[") => {
                self.next += 1;
                let negated = self.take_sign("!");
                let names = self.activities("]")?;
                Ok(Pattern::OneOf { names, negated })
            }
            TokenKind::Word(_) if self.peek_word("ANY") => self.skip(Pattern::Any),
            TokenKind::Quoted(name) => self.skip(Pattern::Named { name, span }),
            TokenKind::Word(name) if !is_reserved(&name) => self.skip(Pattern::Named { name, span }),
            _ => Ok(Pattern::OneOf { names: vec![self.activity("a pattern such as 'Ship'")?], negated: false }),
        }
    }

    fn skip(&mut self, pattern: Pattern) -> Parsed<Pattern> {
        self.next += 1;
        Ok(pattern)
    }

    /// Reads what follows `MATCH_PROCESS(`.
    pub(super) fn match_process(&mut self, name_span: Span) -> Parsed<Expr> {
        let mut column = None;
        if self.node_kind().is_none() && !self.is_sign_at(1, "[") {
            column = Some(Box::new(self.expression()?));
            self.expect_sign(",")?;
        }
        let mut nodes = vec![self.pattern_node()?];
        while self.take_sign(",") {
            nodes.push(self.pattern_node()?);
        }
        let mut edges = Vec::new();
        if self.take_word("CONNECTED") {
            self.expect_word("BY")?;
            edges.push(self.pattern_edge()?);
            while self.take_sign(",") {
                edges.push(self.pattern_edge()?);
            }
        }
        let end = self.expect_sign(")")?;
        let kind = ExprKind::MatchProcess(Box::new(MatchProcess { column, nodes, edges }));
        Ok(Expr { kind, span: name_span.to(end) })
    }

    fn node_kind(&self) -> Option<NodeKind> {
        let kind = NodeKind::ALL.iter().find(|(word, _)| self.is_sign_at(1, "[") && self.peek_word(word));
        kind.map(|(_, kind)| *kind)
    }

    fn pattern_node(&mut self) -> Parsed<PatternNode> {
        let start = self.peek().span;
        let Some(kind) = self.node_kind() else {
            let hint = match &self.peek().kind {
                TokenKind::Word(word) => hint(word, NodeKind::ALL.iter().map(|(word, _)| *word)),
                _ => String::new(),
            };
            let Mistake { at, detail } = self.unexpected("a node such as NODE['Ship'] AS s");
            return Err(Mistake::new(at, detail + &hint));
        };
        self.next += 2;
        let names = self.activities("]")?;
        self.expect_word("AS")?;
        let (name, end) = self.name()?;
        Ok(PatternNode { kind, names, name, span: start.to(end) })
    }

    fn pattern_edge(&mut self) -> Parsed<PatternEdge> {
        let start = self.peek().span;
        let direct = self.take_word("DIRECT");
        if !direct && !self.take_word("EVENTUALLY") {
            return Err(self.unexpected("DIRECT[a, b] or EVENTUALLY[a, b]"));
        }
        self.expect_sign("[")?;
        let (from, _) = self.name()?;
        self.expect_sign(",")?;
        let (to, _) = self.name()?;
        let end = self.expect_sign("]")?;
        Ok(PatternEdge { direct, from, to, span: start.to(end) })
    }

    /// Reads `[a, b, …]`, or, where models are written down, `[a b …]`.
    pub(super) fn spaced_list(&mut self) -> Parsed<Expr> {
        let start = self.expect_sign("[")?;
        let mut items = Vec::new();
        if !self.peek_sign("]") {
            items.push(self.expression()?);
            while self.take_sign(",") || (!self.peek_sign("]") && !self.at_end()) {
                items.push(self.expression()?);
            }
        }
        let end = self.expect_sign("]")?;
        Ok(Expr { kind: ExprKind::Bracket { word: String::new(), items }, span: start.to(end) })
    }

    /// Tells whether `DEFAULT ACTIVITY_COLUMN` begins here.
    pub(super) fn at_default(&self) -> bool {
        self.peek_word("DEFAULT") && self.is_word_at(1, "ACTIVITY_COLUMN")
    }

    /// Reads `DEFAULT ACTIVITY_COLUMN column`.
    pub(super) fn default_activity_column(&mut self) -> Parsed<Expr> {
        self.next += 2;
        self.expression()
    }

    /// Tells whether `WITH START(…)` or `WITH END(…)` begins here.
    pub(super) fn at_with(&self) -> bool {
        self.peek_word("WITH") && (self.is_word_at(1, "START") || self.is_word_at(1, "END"))
    }

    /// Reads `WITH START('a') WITH END('b')` behind a path, or without one.
    pub(super) fn with_ends(&mut self, path: Option<Expr>) -> Parsed<Expr> {
        let begin = path.as_ref().map_or(self.peek().span, |path| path.span);
        let (mut start, mut end) = (None, None);
        while self.at_with() {
            self.next += 1;
            let at = self.peek().span;
            let is_start = self.peek_word("START");
            self.next += 1;
            if (if is_start { &start } else { &end }).is_some() {
                return Err(Mistake::new(at, "this was said already"));
            }
            self.expect_sign("(")?;
            let value = if self.peek_sign(")") { Vec::new() } else { vec![self.expression()?] };
            self.expect_sign(")")?;
            if is_start {
                start = Some(value);
            } else {
                end = Some(value);
            }
        }
        let span = begin.to(self.last_span());
        Ok(Expr { kind: ExprKind::Edges { path: path.map(Box::new), start, end }, span })
    }
}
