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

use std::fmt;

use crate::pql::check::Condition;
use crate::pql::syntax::{Comparison, Expr};
use crate::value::{Type, Value};

/// How deep conditions may nest, and how many there may be.
const DEPTH_MAX: usize = 50;
const CONDITIONS_MAX: usize = 500;

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

/// A field of a question: what it computes, and of which type.
pub struct Known {
    /// Its expression.
    pub expr: Expr,
    /// What it yields.
    pub field_type: Type,
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Open,
    Close,
    Comma,
    Quoted(String),
    Bare(String),
}

struct Token {
    word: Word,
    at: usize,
    end: usize,
}

fn tokens(text: &str) -> Result<Vec<Token>, FilterMistake> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let word = match letter {
            _ if letter.is_whitespace() => continue,
            '(' => Word::Open,
            ')' => Word::Close,
            ',' => Word::Comma,
            '\'' => {
                let mut inside = String::new();
                loop {
                    match letters.next() {
                        Some((_, '\'')) if letters.next_if(|(_, next)| *next == '\'').is_some() => inside.push('\''),
                        Some((_, '\'')) => break,
                        Some((_, letter)) => inside.push(letter),
                        None => return mistake(at, "the text that begins here has no quote at its end"),
                    }
                }
                Word::Quoted(inside)
            }
            _ => {
                let mut inside = String::from(letter);
                while let Some((_, letter)) =
                    letters.next_if(|(_, next)| !next.is_whitespace() && !matches!(next, '(' | ')' | ',' | '\''))
                {
                    inside.push(letter);
                }
                Word::Bare(inside)
            }
        };
        let end = letters.peek().map_or(text.len(), |(at, _)| *at);
        tokens.push(Token { word, at, end });
    }
    Ok(tokens)
}

/// Reads a text in the filter language.
pub fn parse(text: &str) -> Result<Filter, FilterMistake> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, next: 0, depth: 0, conditions: 0 };
    let filter = parser.all()?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => parser.unexpected("\"and\", \"or\" or the end"),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
    depth: usize,
    conditions: usize,
}

type Parsed<T> = Result<T, FilterMistake>;

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

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn at(&self) -> usize {
        self.peek().map_or(self.text.len(), |token| token.at)
    }

    fn take(&mut self, word: &Word) -> bool {
        let found = self.peek().is_some_and(|token| token.word == *word);
        self.next += usize::from(found);
        found
    }

    fn take_bare(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token { word: Word::Bare(bare), .. }) if bare == word);
        self.next += usize::from(found);
        found
    }

    fn unexpected<T>(&self, wanted: &str) -> Parsed<T> {
        match self.peek() {
            None => mistake(self.text.len(), format!("expected {wanted}, the text ends")),
            Some(token) => {
                let found = &self.text[token.at..token.end];
                let lower = found.to_lowercase();
                let known = ["and", "or", "not", "in"].into_iter();
                let mut known =
                    known.chain(COMPARISONS.iter().map(|(word, _)| *word)).chain(PARTS.iter().map(|(word, _)| *word));
                let mend = if *found != lower && known.any(|word| word == lower) {
                    format!("; write it in lower case, \"{lower}\"")
                } else {
                    String::new()
                };
                mistake(token.at, format!("expected {wanted}, found \"{}\"{mend}", found.trim_end()))
            }
        }
    }

    fn expect(&mut self, word: &Word, name: &str) -> Parsed<()> {
        if self.take(word) { Ok(()) } else { self.unexpected(name) }
    }

    fn all(&mut self) -> Parsed<Filter> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return mistake(self.at(), format!("conditions nest deeper than {DEPTH_MAX}"));
        }
        let mut filter = self.either()?;
        while self.take(&Word::Comma) {
            filter = Filter::And(Box::new(filter), Box::new(self.either()?));
        }
        self.depth -= 1;
        Ok(filter)
    }

    fn either(&mut self) -> Parsed<Filter> {
        let mut filter = self.both()?;
        while self.take_bare("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.both()?));
        }
        Ok(filter)
    }

    fn both(&mut self) -> Parsed<Filter> {
        let mut filter = self.not()?;
        while self.take_bare("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.not()?));
        }
        Ok(filter)
    }

    fn not(&mut self) -> Parsed<Filter> {
        let mut negations = 0_usize;
        while self.take_bare("not") {
            negations += 1;
            if negations > DEPTH_MAX {
                return mistake(self.at(), format!("conditions nest deeper than {DEPTH_MAX}"));
            }
        }
        let mut filter = if self.take(&Word::Open) {
            let filter = self.all()?;
            self.expect(&Word::Close, "\")\"")?;
            filter
        } else {
            self.condition()?
        };
        for _ in 0..negations {
            filter = Filter::Not(Box::new(filter));
        }
        Ok(filter)
    }

    fn condition(&mut self) -> Parsed<Filter> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return mistake(self.at(), format!("there are more than {CONDITIONS_MAX} conditions"));
        }
        let function =
            self.peek().and_then(|token| PARTS.iter().find(|(word, _)| token.word == Word::Bare((*word).into())));
        let opens = matches!(self.tokens.get(self.next + 1), Some(Token { word: Word::Open, .. }));
        if let Some((_, part)) = function.filter(|_| opens) {
            self.next += 2;
            let field = self.field()?;
            self.expect(&Word::Comma, "\",\"")?;
            let literal = self.literal()?;
            self.expect(&Word::Close, "\")\"")?;
            return Ok(Filter::Text(*part, field, literal));
        }
        let field = self.field()?;
        if self.take_bare("in") {
            self.expect(&Word::Open, "\"(\"")?;
            let mut literals = vec![self.literal()?];
            while self.take(&Word::Comma) {
                literals.push(self.literal()?);
            }
            self.expect(&Word::Close, "\")\" or \",\"")?;
            return Ok(Filter::In(field, literals));
        }
        for (word, comparison) in COMPARISONS {
            if self.take_bare(word) {
                return Ok(Filter::Compare(field, comparison, self.literal()?));
            }
        }
        for (word, part) in PARTS {
            if self.take_bare(word) {
                return Ok(Filter::Text(part, field, self.literal()?));
            }
        }
        self.unexpected("eq, ne, gt, ge, lt, le or in")
    }

    fn field(&mut self) -> Parsed<Field> {
        let at = self.at();
        match self.peek() {
            Some(Token { word: Word::Bare(name), .. }) => {
                let name = name.clone();
                self.next += 1;
                Ok(Field { name, at })
            }
            _ => self.unexpected("a field"),
        }
    }

    fn literal(&mut self) -> Parsed<Literal> {
        let at = self.at();
        match self.peek() {
            Some(Token { word: Word::Quoted(text), .. }) => {
                let text = text.clone();
                self.next += 1;
                Ok(Literal { text, quoted: true, at })
            }
            Some(Token { word: Word::Bare(_), .. }) => {
                // In the older form a text has no quotes, and may be several words.
                let mut end = at;
                while let Some(Token { word: Word::Bare(word), end: after, .. }) = self.peek() {
                    if end != at && matches!(word.as_str(), "and" | "or") {
                        break;
                    }
                    end = *after;
                    self.next += 1;
                }
                Ok(Literal { text: self.text[at..end].trim_end().to_owned(), quoted: false, at })
            }
            _ => self.unexpected("a value"),
        }
    }
}

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

impl Filter {
    /// Gives every literal the type of its field.
    pub fn condition(&self, known: &mut impl FnMut(&Field) -> Result<Known, FilterMistake>) -> Parsed<Condition> {
        match self {
            Filter::Compare(field, comparison, literal) => {
                let field = known(field)?;
                if !literal.quoted && literal.text == "null" {
                    let is_null = Condition::IsNull(field.expr);
                    return match comparison {
                        Comparison::Equal => Ok(is_null),
                        Comparison::NotEqual => Ok(Condition::Not(Box::new(is_null))),
                        _ => mistake(literal.at, "null has no order; write eq null or ne null"),
                    };
                }
                let value = literal.value(field.field_type)?;
                Ok(Condition::Compare(field.expr, *comparison, value))
            }
            Filter::In(field, literals) => {
                let field = known(field)?;
                let mut values = Vec::new();
                for literal in literals {
                    if !literal.quoted && literal.text == "null" {
                        return mistake(literal.at, "null is no value of a list; add \"or FIELD eq null\"");
                    }
                    values.push(literal.value(field.field_type)?);
                }
                // A list has one type: with one number that has a point, all do.
                if field.field_type == Type::Int && values.iter().any(|value| matches!(value, Value::Float(_))) {
                    let mut any: Option<Condition> = None;
                    for value in values {
                        let one = Condition::Compare(field.expr.clone(), Comparison::Equal, value);
                        any = Some(match any {
                            None => one,
                            Some(before) => Condition::Or(Box::new(before), Box::new(one)),
                        });
                    }
                    return any.map_or_else(|| mistake(0, "in needs at least one value"), Ok);
                }
                Ok(Condition::In(field.expr, values))
            }
            Filter::Text(part, field, literal) => {
                let at = field.at;
                let name = &field.name;
                let field = known(field)?;
                if field.field_type != Type::String {
                    let detail = format!("\"{name}\" is no text; compare it with eq, ne, gt, ge, lt, le or in");
                    return mistake(at, detail);
                }
                let escaped: String = literal.text.chars().fold(String::new(), |mut text, letter| {
                    if matches!(letter, '%' | '_' | '\\') {
                        text.push('\\');
                    }
                    text.push(letter);
                    text
                });
                let pattern = match part {
                    Part::Contains => format!("%{escaped}%"),
                    Part::StartsWith => format!("{escaped}%"),
                    Part::EndsWith => format!("%{escaped}"),
                };
                Ok(Condition::Like(field.expr, pattern))
            }
            Filter::And(one, two) => {
                Ok(Condition::And(Box::new(one.condition(known)?), Box::new(two.condition(known)?)))
            }
            Filter::Or(one, two) => Ok(Condition::Or(Box::new(one.condition(known)?), Box::new(two.condition(known)?))),
            Filter::Not(inner) => Ok(Condition::Not(Box::new(inner.condition(known)?))),
        }
    }
}

impl Literal {
    /// Reads the literal as a value of a type.
    pub fn value(&self, wanted: Type) -> Parsed<Value> {
        let text = self.text.as_str();
        let value = match wanted {
            Type::String => Some(Value::Text(text.into())),
            Type::Int => match text {
                "true" => Some(Value::Int(1)),
                "false" => Some(Value::Int(0)),
                _ => text.parse().map(Value::Int).ok().or_else(|| number(text)),
            },
            Type::Float => number(text),
            Type::Date => instant(text).map(Value::Date),
        };
        let Some(value) = value else {
            let wanted = match wanted {
                Type::Int => "a whole number, or true or false",
                Type::Float => "a number",
                _ => "a date such as 2026-02-01 or 2026-02-01T08:00:00+01:00",
            };
            return mistake(self.at, format!("\"{text}\" is not {wanted}, which the field holds"));
        };
        Ok(value)
    }
}

fn number(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then_some(Value::Float(number))
}

/// Reads a date, or a date and time with or without an offset, as milliseconds
/// since 1970; without an offset it is UTC. A `+` that was not escaped in an
/// address arrives as a space.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    if let Some((before, offset)) = text.rsplit_once(' ')
        && before.contains('T')
        && let Ok(time) = format!("{before}+{offset}").parse::<jiff::Timestamp>()
    {
        return Some(time.as_millisecond());
    }
    let utc = |time: jiff::civil::DateTime| time.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let civil = text.parse::<jiff::civil::DateTime>().ok();
    let civil = civil.or_else(|| text.parse::<jiff::civil::Date>().ok().map(|day| day.at(0, 0, 0, 0)));
    civil.and_then(utc).map(|time| time.timestamp().as_millisecond())
}
