//! Making a tree of words.
//!
//! The grammar, loosest first: `OR`, `AND`, `NOT`, comparisons (also `IN`,
//! `LIKE`, `IS NULL`, `BETWEEN`; they do not chain), `||`, `+ -`, `* / %`,
//! sign, and what stands alone. After a mistake the parser goes on behind the
//! next comma of the same list, else behind the next semicolon, so that one
//! call tells all mistakes of a text.

mod dates;
mod patterns;

use super::syntax::{
    Arithmetic, Call, Comparison, Expr, ExprKind, OrderBy, Query, QueryColumn, Shift, Span, StaticFilter,
};
use super::token::{Token, TokenKind, tokens};
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

impl Parser {
    fn query(&mut self) -> Option<Query> {
        let mut query = Query::default();
        loop {
            while self.take_sign(";") {}
            if self.at_default() {
                if let Some(column) = self.recovering(Parser::default_activity_column) {
                    query.activity_column = Some(column);
                }
                if !self.at_end() && !self.take_sign(";") {
                    let mistake = self.unexpected("\";\" after the DEFAULT ACTIVITY_COLUMN");
                    self.give_up(mistake);
                }
                continue;
            }
            if self.take_word("FILTER") {
                self.skip_forced();
                if let Some(condition) = self.recovering(Parser::expression) {
                    query.filters.push(condition);
                }
                if !self.at_end() && !self.take_sign(";") {
                    let mistake = self.unexpected("\";\" after the FILTER");
                    self.give_up(mistake);
                }
                continue;
            }
            if self.peek_if() {
                match self.recovering(Parser::static_filter) {
                    Some(filter) => query.static_filters.push(filter),
                    // The semicolons inside are not its end.
                    None => self.skip_behind_end(),
                }
                if !self.at_end() && !self.take_sign(";") {
                    let mistake = self.unexpected("\";\" after END");
                    self.give_up(mistake);
                }
                continue;
            }
            if self.at_end() {
                break;
            }
            if !query.columns.is_empty() {
                let mistake = self.unexpected("the end of the query");
                self.give_up(mistake);
                continue;
            }
            self.recovering(|parser| parser.result(&mut query));
            if !self.at_end() && !self.take_sign(";") {
                let mistake = self.unexpected("the end of the query");
                self.give_up(mistake);
            }
        }
        if query.columns.is_empty() && self.mistakes.is_empty() {
            let at = self.peek().span;
            self.mistakes.push(Mistake::new(at, "the query has no columns"));
        }
        Some(query)
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

    fn order_by(&mut self) -> Parsed<Vec<OrderBy>> {
        if !self.take_word("ORDER") {
            return Ok(Vec::new());
        }
        self.expect_word("BY")?;
        self.order_keys()
    }

    fn order_keys(&mut self) -> Parsed<Vec<OrderBy>> {
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

    fn expression(&mut self) -> Parsed<Expr> {
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

    fn concatenation(&mut self) -> Parsed<Expr> {
        self.chain(&[Arithmetic::Concat], |parser| {
            parser.chain(&[Arithmetic::Add, Arithmetic::Subtract], |parser| {
                parser.chain(&[Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Remainder], Parser::signed)
            })
        })
    }

    fn chain(&mut self, operators: &[Arithmetic], part: impl Fn(&mut Parser) -> Parsed<Expr>) -> Parsed<Expr> {
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

    fn deeper(&mut self, at: Span) -> Parsed<()> {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            return Ok(());
        }
        self.hopeless = true;
        Err(Mistake::new(at, format!("expressions nest at most {DEPTH_MAX} deep")))
    }

    /// A chain leans to the left and is as deep as it is long.
    fn bound(&mut self, links: usize) -> Parsed<()> {
        if links <= CHAIN_MAX {
            return Ok(());
        }
        self.hopeless = true;
        let detail = format!("this chain has more than {CHAIN_MAX} parts; divide it with parentheses");
        Err(Mistake::new(self.peek().span, detail))
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
    fn named(&mut self, word: &str, quoted: bool) -> Parsed<Expr> {
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
            let detail = "MULTI CASE WHEN is not understood, for it would make several rows of one; write one CASE WHEN per question";
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
    fn list(&mut self, close: &'static str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        loop {
            items.extend(self.item(close, Parser::expression)?);
            if !self.take_sign(",") {
                return Ok(items);
            }
        }
    }

    /// Reads an item of a list. After a mistake in it takes note and goes on
    /// at the comma behind it, or at what closes the list, if there is any.
    fn item<T>(&mut self, close: &str, part: impl FnOnce(&mut Parser) -> Parsed<T>) -> Parsed<Option<T>> {
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

    fn call(&mut self, name: String, name_span: Span) -> Parsed<Expr> {
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

    fn argument(&mut self) -> Parsed<Expr> {
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

    /// Leaves out FORCED, which is for the lists that dashboards offer and says
    /// nothing about rows.
    fn skip_forced(&mut self) {
        let next = self.tokens.get(self.next + 1).map(|token| &token.kind);
        let is_name = matches!(next, Some(TokenKind::Sign(sign)) if *sign != "(") || next == Some(&TokenKind::End);
        if self.peek_word("FORCED") && !is_name {
            self.next += 1;
        }
    }

    /// Goes on behind the next END, if there is one.
    fn skip_behind_end(&mut self) {
        let is_end = |token: &Token| matches!(&token.kind, TokenKind::Word(word) if word.eq_ignore_ascii_case("END"));
        if let Some(steps) = self.tokens[self.next.min(self.tokens.len())..].iter().position(is_end) {
            self.next += steps + 1;
        }
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

    /// Reads what follows a point: there no word has another meaning.
    fn column_name(&mut self) -> Parsed<(String, Span)> {
        if let Token { kind: TokenKind::Word(name), span } = self.peek().clone() {
            self.next += 1;
            return Ok((name, span));
        }
        self.name()
    }

    fn name(&mut self) -> Parsed<(String, Span)> {
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

    /// Runs a part; after a mistake in it, takes note and goes on behind the
    /// next semicolon.
    fn recovering<T>(&mut self, part: impl FnOnce(&mut Parser) -> Parsed<T>) -> Option<T> {
        self.depth = 0;
        match part(self) {
            Ok(parsed) => Some(parsed),
            Err(mistake) => {
                self.give_up(mistake);
                None
            }
        }
    }

    fn give_up(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
        while !self.at_end() && !self.peek_sign(";") {
            self.next += 1;
        }
    }

    fn expect_end(&mut self) {
        if !self.at_end() {
            let mistake = self.unexpected("the end");
            self.mistakes.push(mistake);
        }
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    fn peek_sign(&self, sign: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Sign(found) if found == sign)
    }

    fn peek_word(&self, word: &str) -> bool {
        matches!(&self.peek().kind, TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
            && !self.is_before_point()
    }

    /// Tells whether these two words come next.
    fn peek_words(&self, first: &str, second: &str) -> bool {
        self.are_words(self.next, first, second)
    }

    fn are_words(&self, place: usize, first: &str, second: &str) -> bool {
        let is = |place: usize, word: &str| {
            matches!(self.tokens.get(place), Some(Token { kind: TokenKind::Word(found), .. })
                if found.eq_ignore_ascii_case(word))
        };
        is(place, first) && is(place + 1, second)
    }

    /// Tells whether an IF statement comes next: IF is a word like any other
    /// where something stands behind it that makes it one.
    fn peek_if(&self) -> bool {
        let next = self.tokens.get(self.next + 1).map(|token| &token.kind);
        self.peek_word("IF") && !matches!(next, Some(TokenKind::Sign("," | ";") | TokenKind::End))
    }

    /// Tells whether a point follows: then even a reserved word is a name, for
    /// records like to be called ORDER.
    fn is_before_point(&self) -> bool {
        self.tokens.get(self.next + 1).is_some_and(|token| token.kind == TokenKind::Sign("."))
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.peek_sign(sign);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        self.next += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Parsed<Span> {
        let span = self.peek().span;
        if self.take_sign(sign) { Ok(span) } else { Err(self.unexpected(&format!("\"{sign}\""))) }
    }

    fn expect_word(&mut self, word: &str) -> Parsed<Span> {
        let span = self.peek().span;
        if self.take_word(word) { Ok(span) } else { Err(self.unexpected(word)) }
    }

    fn unexpected(&self, expected: &str) -> Mistake {
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

/// The days of a working week, in its order.
pub(crate) const WEEKDAYS: [&str; 7] = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

fn join(left: Expr, right: Expr, kind: impl FnOnce(Box<Expr>, Box<Expr>) -> ExprKind) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: kind(Box::new(left), Box::new(right)), span }
}

fn name_takes_precision(name: &str) -> bool {
    name == "PU_COUNT_DISTINCT"
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

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(word))
}
