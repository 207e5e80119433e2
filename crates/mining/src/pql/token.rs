//! Cutting a text into words.

use super::Mistake;
use super::syntax::Span;

/// A word with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A bare word.
    Word(String),
    /// `"…"`.
    Quoted(String),
    /// `'…'`.
    Text(String),
    /// `<%= … %>`.
    Variable(String),
    /// `{p1}`, an argument of a KPI.
    Parameter(u32),
    Int(i64),
    Float(f64),
    /// A sign such as `(` or `<=`.
    Sign(&'static str),
    End,
}

/// Signs, longer ones first.
const SIGNS: [&str; 30] = [
    "||", "!=", "<>", "<=", ">=", ">>", "->", "|", "!", "?", "^", "$", "{", "}", "(", ")", "[", "]", ",", ".", ";",
    "+", "-", "*", "/", "%", "=", "<", ">", ":",
];

/// Cuts a text into words. What cannot be a word becomes a mistake and is left
/// out, so that the parser can go on.
pub(crate) fn tokens(text: &str, mistakes: &mut Vec<Mistake>) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next().expect("the text goes on");
        let (kind, length) = if first.is_whitespace() {
            (None, first.len_utf8())
        } else if rest.starts_with("--") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, comment(rest, at, mistakes))
        } else if first == '\'' || first == '"' {
            quoted(rest, first, at, mistakes)
        } else if rest.starts_with("<%") {
            variable(rest, at, mistakes)
        } else if let Some((kind, length)) = parameter(rest) {
            (Some(kind), length)
        } else if first.is_ascii_digit() {
            number(rest, at, mistakes)
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            (Some(TokenKind::Word(rest[..end].to_owned())), end)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Some(TokenKind::Sign(sign)), sign.len())
        } else {
            mistakes.push(Mistake::new(span(at, first.len_utf8()), format!("\"{first}\" has no meaning here")));
            (None, first.len_utf8())
        };
        if let Some(kind) = kind {
            tokens.push(Token { kind, span: span(at, length) });
        }
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, span: span(text.len(), 0) });
    tokens
}

fn span(at: usize, length: usize) -> Span {
    Span { start: at as u32, end: (at + length) as u32 }
}

fn comment(rest: &str, at: usize, mistakes: &mut Vec<Mistake>) -> usize {
    if let Some(end) = rest.find("*/") {
        return end + 2;
    }
    mistakes.push(Mistake::new(span(at, 2), "this comment has no end; close it with \"*/\""));
    rest.len()
}

/// Reads up to the closing quote; a doubled quote stands for itself. In a text
/// a backslash takes the meaning from a quote and from a backslash; before
/// anything else it stays, for there it has a meaning in patterns only.
fn quoted(rest: &str, quote: char, at: usize, mistakes: &mut Vec<Mistake>) -> (Option<TokenKind>, usize) {
    let mut content = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((place, character)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if quote == '\'' && character == '\\' && matches!(next, Some('\'' | '\\')) {
            content.extend(next);
            characters.next();
        } else if character != quote {
            content.push(character);
        } else if next == Some(quote) {
            content.push(quote);
            characters.next();
        } else {
            let kind = if quote == '"' { TokenKind::Quoted(content) } else { TokenKind::Text(content) };
            return (Some(kind), place + 1);
        }
    }
    let slash = if rest.contains("\\'") { " (\\' is a quote inside of the text)" } else { "" };
    mistakes.push(Mistake::new(span(at, 1), format!("this quote is not closed; add {quote} at its end{slash}")));
    (None, rest.len())
}

fn variable(rest: &str, at: usize, mistakes: &mut Vec<Mistake>) -> (Option<TokenKind>, usize) {
    let Some(end) = rest[2..].find("%>").map(|end| end + 2) else {
        mistakes.push(Mistake::new(span(at, 2), "this variable is not closed; write <%= NAME %>"));
        return (None, rest.len());
    };
    let name = rest[2..end].strip_prefix('=').map(str::trim);
    if let Some(name) = name.filter(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')) {
        (Some(TokenKind::Variable(name.to_owned())), end + 2)
    } else {
        mistakes.push(Mistake::new(span(at, end + 2), "only <%= NAME %> is understood here"));
        (None, end + 2)
    }
}

/// Reads `{p1}`.
pub(crate) fn parameter(rest: &str) -> Option<(TokenKind, usize)> {
    let (digits, _) = rest.strip_prefix("{p")?.split_once('}')?;
    let plain = !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| plain)?;
    Some((TokenKind::Parameter(number), digits.len() + 3))
}

fn number(rest: &str, at: usize, mistakes: &mut Vec<Mistake>) -> (Option<TokenKind>, usize) {
    let digits = |from: usize| rest[from..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| from + end);
    let mut end = digits(0);
    let mut whole = true;
    if rest[end..].starts_with('.') && rest[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end = digits(end + 1);
        whole = false;
    }
    let exponent = rest[end..].strip_prefix(['e', 'E']);
    let unsigned = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    if let Some(unsigned) = unsigned.filter(|unsigned| unsigned.starts_with(|c: char| c.is_ascii_digit())) {
        end = digits(rest.len() - unsigned.len());
        whole = false;
    }
    let text = &rest[..end];
    let kind = if whole {
        text.parse().ok().map(TokenKind::Int)
    } else {
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(TokenKind::Float)
    };
    if kind.is_none() {
        mistakes.push(Mistake::new(span(at, end), format!("the number {text} is too large")));
    }
    (kind, end)
}
