//! A statement cut into words, texts and signs, by the rules of Databricks:
//! `"…"` is a text and `` `…` `` a name. (In standard SQL, and in our engine,
//! `"…"` is a name.)

use super::StatementError;

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// White space or a comment.
    Blank(String),
    /// A keyword, a number, or a name as it stands.
    Plain(String),
    /// A name in backticks.
    Name(String),
    /// A text, without its quotes.
    Text(String),
    /// Anything else: one character.
    Sign(char),
}

impl Word {
    /// Tells whether it is this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Word::Plain(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// Cuts a statement; a semicolon at its end is left out, as are blanks behind it.
pub(crate) fn cut(statement: &str) -> Result<Vec<Word>, StatementError> {
    let mut words = Vec::new();
    let mut rest = statement;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            letter if letter.is_whitespace() => {
                let end = rest.find(|other: char| !other.is_whitespace()).unwrap_or(rest.len());
                words.push(Word::Blank(rest[..end].to_owned()));
                end
            }
            '-' if rest.starts_with("--") => {
                let end = rest.find('\n').unwrap_or(rest.len());
                words.push(Word::Blank(format!("{}\n", &rest[..end])));
                end
            }
            '/' if rest.starts_with("/*") => {
                let end = end_of_comment(rest).ok_or_else(|| open("a comment"))?;
                // A comment may be a hint; the engine knows none.
                words.push(Word::Blank(" ".into()));
                end
            }
            '\'' | '"' => {
                let (text, end) = text(rest, first)?;
                words.push(Word::Text(text));
                end
            }
            '`' => {
                let (name, end) = name(rest)?;
                words.push(Word::Name(name));
                end
            }
            'r' | 'R' if rest[1..].starts_with(['\'', '"']) => {
                let quote = rest[1..].chars().next().unwrap_or('\'');
                let end = rest[2..].find(quote).ok_or_else(|| open("a text"))? + 3;
                words.push(Word::Text(rest[2..end - 1].to_owned()));
                end
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                let end = rest.find(|other: char| !other.is_alphanumeric() && other != '_').unwrap_or(rest.len());
                words.push(Word::Plain(rest[..end].to_owned()));
                end
            }
            sign => {
                words.push(Word::Sign(sign));
                sign.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    let is_end = |word: &Word| matches!(word, Word::Blank(_) | Word::Sign(';'));
    while words.last().is_some_and(is_end) {
        words.pop();
    }
    if words.contains(&Word::Sign(';')) {
        return Err(StatementError::bad(
            "only one statement can be run at a time: send what is behind the \";\" by itself",
        ));
    }
    Ok(words)
}

/// Writes words as our engine reads them: names in `"`, texts in `'`.
pub(crate) fn written(words: &[Word]) -> String {
    let mut out = String::new();
    for word in words {
        match word {
            Word::Blank(text) | Word::Plain(text) => out.push_str(text),
            Word::Name(name) => out.push_str(&quoted(name)),
            Word::Text(value) => out.push_str(&literal(value)),
            Word::Sign(sign) => out.push(*sign),
        }
    }
    out
}

/// Writes a name as our engine reads it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes a text as our engine reads it.
pub(crate) fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn open(what: &str) -> StatementError {
    StatementError {
        code: "BAD_REQUEST",
        message: format!("[PARSE_SYNTAX_ERROR] {what} is not closed"),
        sql_state: Some("42601"),
    }
}

fn end_of_comment(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// Reads a text with its escapes; returns where it ends.
fn text(rest: &str, quote: char) -> Result<(String, usize), StatementError> {
    let mut value = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                let (_, escaped) = letters.next().ok_or_else(|| open("a text"))?;
                match escaped {
                    'n' => value.push('\n'),
                    't' => value.push('\t'),
                    'r' => value.push('\r'),
                    '0' => value.push('\0'),
                    // LIKE has escapes of its own: they stay for it.
                    '%' | '_' => value.extend(['\\', escaped]),
                    other => value.push(other),
                }
            }
            letter if letter == quote => {
                if letters.peek().is_some_and(|(_, next)| *next == quote) {
                    letters.next();
                    value.push(quote);
                } else {
                    return Ok((value, at + 1));
                }
            }
            letter => value.push(letter),
        }
    }
    Err(open("a text"))
}

fn name(rest: &str) -> Result<(String, usize), StatementError> {
    let mut from = 1;
    loop {
        let end = from + rest[from..].find('`').ok_or_else(|| open("a name in backticks"))? + 1;
        if !rest[end..].starts_with('`') {
            return Ok((rest[1..end - 1].replace("``", "`"), end));
        }
        from = end + 1;
    }
}
