//! The letters of an expression, read as tokens.
//!
//! The reader starts behind `{{` and stops at the `}}` that closes the
//! expression; braces inside strings and backticks do not count. There are no
//! escapes: people write `replace(x; newline; "\n")` to get a backslash and an
//! n. A doubled quote inside a string stands for one.

use super::Problem;
use crate::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Value),
    Text(String),
    /// A name, a keyword, or the word of an operator.
    Word(String),
    /// A name between backticks.
    Quoted(String),
    /// Punctuation or operator.
    Sign(&'static str),
    /// `}}`.
    End,
}

/// Longer signs come first, so that `<=` is not read as `<`.
const SIGNS: [&str; 23] = [
    "===", "==", "!=", "<=", ">=", "&&", "||", "=", "<", ">", "&", "|", "+", "-", "*", "/", "%", "(", ")", "[", "]",
    ";", ".",
];

pub(super) struct Tokens<'a> {
    text: &'a str,
    /// Byte at which the next token begins.
    place: usize,
    /// What was looked at and not yet taken, with its beginning.
    ahead: Option<(Token, usize)>,
}

impl<'a> Tokens<'a> {
    /// Reads `text` from byte `place` on, which is behind `{{`.
    pub(super) fn new(text: &'a str, place: usize) -> Self {
        Tokens { text, place, ahead: None }
    }

    /// Returns the byte behind what has been taken.
    pub(super) fn place(&self) -> usize {
        debug_assert!(self.ahead.is_none(), "the end is only asked for after it was taken");
        self.place
    }

    pub(super) fn peek(&mut self) -> Result<&(Token, usize), Problem> {
        if self.ahead.is_none() {
            self.ahead = Some(self.read()?);
        }
        Ok(self.ahead.as_ref().expect("it was read one line above"))
    }

    pub(super) fn take(&mut self) -> Result<(Token, usize), Problem> {
        match self.ahead.take() {
            Some(token) => Ok(token),
            None => self.read(),
        }
    }

    /// Takes the next token if it is this sign.
    pub(super) fn accept(&mut self, sign: &str) -> Result<bool, Problem> {
        let found = matches!(self.peek()?, (Token::Sign(next), _) if *next == sign);
        if found {
            self.take()?;
        }
        Ok(found)
    }

    fn read(&mut self) -> Result<(Token, usize), Problem> {
        let rest = &self.text[self.place..];
        let blank = rest.len() - rest.trim_start().len();
        let at = self.place + blank;
        let rest = &self.text[at..];
        let Some(first) = rest.chars().next() else {
            return Err(Problem { at, text: "the expression is not closed by \"}}\"".into() });
        };
        if rest.starts_with("}}") {
            self.place = at + 2;
            return Ok((Token::End, at));
        }
        if first == '"' || first == '\'' {
            let (text, length) = quoted(rest, first)
                .ok_or_else(|| Problem { at, text: format!("the text that begins here is not closed by {first}") })?;
            self.place = at + length;
            return Ok((Token::Text(text), at));
        }
        if first == '`' {
            let end = rest[1..]
                .find('`')
                .ok_or_else(|| Problem { at, text: "the name that begins here is not closed by a backtick".into() })?;
            self.place = at + end + 2;
            return Ok((Token::Quoted(rest[1..=end].to_owned()), at));
        }
        if first.is_ascii_digit() {
            return Ok((self.number(at), at));
        }
        if is_word(first) {
            let length = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
            self.place = at + length;
            return Ok((Token::Word(rest[..length].to_owned()), at));
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.place = at + sign.len();
            return Ok((Token::Sign(sign), at));
        }
        Err(Problem { at, text: unexpected(first) })
    }

    /// Reads digits, with a fraction only where a digit follows the dot:
    /// `1.data` is module 1 and a name.
    fn number(&mut self, at: usize) -> Token {
        let rest = &self.text[at..];
        let digits = |text: &str| text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let mut length = digits(rest);
        if let Some(fraction) = rest[length..].strip_prefix('.')
            && digits(fraction) > 0
        {
            length += 1 + digits(fraction);
        }
        let behind = rest[length..].chars().next();
        if behind.is_some_and(|letter| is_word(letter) && !letter.is_ascii_digit()) {
            // A name that begins with digits, such as `2fa`.
            let length = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
            self.place = at + length;
            return Token::Word(rest[..length].to_owned());
        }
        self.place = at + length;
        let text = &rest[..length];
        match text.parse::<i64>() {
            Ok(whole) => Token::Number(Value::Int(whole)),
            Err(_) => Token::Number(text.parse().map_or(Value::Absent, Value::Float)),
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '$' || letter == '@'
}

/// Reads a text up to its closing quote; returns it and its length with quotes.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((place, letter)) = letters.next() {
        if letter != quote {
            text.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == quote) {
            letters.next();
            text.push(quote);
        } else {
            return Some((text, place + 1));
        }
    }
    None
}

fn unexpected(letter: char) -> String {
    match letter {
        ',' => "\",\" does not separate arguments, use \";\"".into(),
        '\u{201c}' | '\u{201d}' | '\u{201e}' => format!("{letter} is a typographic quote, use \""),
        '{' | '}' => format!("\"{letter}\" has no meaning inside an expression; collections cannot be written here"),
        _ => format!("\"{letter}\" has no meaning inside an expression"),
    }
}
