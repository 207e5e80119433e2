//! Reading the filter language: words, then conditions.

use super::{COMPARISONS, Field, Filter, FilterMistake, Literal, PARTS, mistake};

/// How deep conditions may nest, and how many there may be.
const DEPTH_MAX: usize = 50;
const CONDITIONS_MAX: usize = 500;

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

pub(super) type Parsed<T> = Result<T, FilterMistake>;

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
