//! The statements of a transformation: where each begins, what it does, and to
//! which table.
//!
//! This crate knows no SQL engine. It knows enough of SQL to cut a text at the
//! semicolons that are not inside of something, and to read the first words of
//! a statement. Whether the rest makes sense, the engine tells when it runs.

/// One statement of a transformation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The transformation.
    pub transformation: String,
    /// Its place in the transformation, from 1.
    pub number: usize,
    /// The line of the transformation on which it begins, from 1.
    pub line: usize,
    /// Without the semicolon.
    pub text: String,
    /// What it does.
    pub verb: Verb,
    /// The table or view that it changes, as written; empty where there is none.
    pub target: String,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// CREATE TABLE.
    Create,
    /// DROP TABLE.
    Drop,
    /// INSERT.
    Insert,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// CREATE VIEW or DROP VIEW.
    View,
    /// Something that scripts bring along and that needs no doing here.
    Nothing,
}

impl Verb {
    /// Returns the word under which runs are kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "CREATE",
            Verb::Drop => "DROP",
            Verb::Insert => "INSERT",
            Verb::Update => "UPDATE",
            Verb::Delete => "DELETE",
            Verb::View => "VIEW",
            Verb::Nothing => "NOTHING",
        }
    }
}

/// Cuts a text into statements; the error names the place.
pub(crate) fn statements(transformation: &str, text: &str) -> Result<Vec<Statement>, String> {
    let mut statements = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut start: Option<(usize, usize)> = None;
    let mut line = 1;
    let mut rest = text;
    let place =
        |number: usize, line: usize| format!("transformation \"{transformation}\", statement {number}, line {line}");
    while let Some(piece) = next_piece(rest) {
        let at = text.len() - rest.len();
        let number = statements.len() + 1;
        match piece {
            Piece::Blank(_) => {}
            Piece::Open(what, _) => return Err(format!("{}: {what} is not closed", place(number, line))),
            Piece::Semicolon => {
                if let Some((begin, begun_on)) = start.take() {
                    let (verb, target) =
                        meaning(&words).map_err(|wrong| format!("{}: {wrong}", place(number, begun_on)))?;
                    let text = text[begin..at].trim_end().to_owned();
                    let transformation = transformation.to_owned();
                    statements.push(Statement { transformation, number, line: begun_on, text, verb, target });
                }
                words.clear();
            }
            Piece::Word(word) => {
                start.get_or_insert((at, line));
                words.push(word.to_owned());
            }
            Piece::Other(other) => {
                start.get_or_insert((at, line));
                words.push(other.to_owned());
            }
        }
        let length = piece.length();
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    if let Some((begin, begun_on)) = start {
        let number = statements.len() + 1;
        let (verb, target) = meaning(&words).map_err(|wrong| format!("{}: {wrong}", place(number, begun_on)))?;
        let text = text[begin..].trim_end().to_owned();
        statements.push(Statement {
            transformation: transformation.to_owned(),
            number,
            line: begun_on,
            text,
            verb,
            target,
        });
    }
    Ok(statements)
}

#[derive(Clone, Copy, Debug)]
enum Piece<'a> {
    /// White space or a comment.
    Blank(&'a str),
    Semicolon,
    /// A word, or a name in quotes.
    Word(&'a str),
    /// A text in quotes, or a sign.
    Other(&'a str),
    /// Something that has no end.
    Open(&'static str, &'a str),
}

impl Piece<'_> {
    fn length(&self) -> usize {
        match self {
            Piece::Semicolon => 1,
            Piece::Blank(text) | Piece::Word(text) | Piece::Other(text) | Piece::Open(_, text) => text.len(),
        }
    }
}

fn next_piece(rest: &str) -> Option<Piece<'_>> {
    let first = rest.chars().next()?;
    let piece = match first {
        ';' => Piece::Semicolon,
        letter if letter.is_whitespace() => {
            Piece::Blank(&rest[..rest.find(|other: char| !other.is_whitespace()).unwrap_or(rest.len())])
        }
        '-' if rest.starts_with("--") => Piece::Blank(&rest[..rest.find('\n').unwrap_or(rest.len())]),
        '/' if rest.starts_with("/*") => match end_of_comment(rest) {
            Some(end) => Piece::Blank(&rest[..end]),
            None => Piece::Open("a comment", rest),
        },
        '\'' => match end_of_quotes(rest, '\'') {
            Some(end) => Piece::Other(&rest[..end]),
            None => Piece::Open("a text in quotes", rest),
        },
        '"' | '`' => match end_of_quotes(rest, first) {
            Some(end) => Piece::Word(&rest[..end]),
            None => Piece::Open("a name in quotes", rest),
        },
        letter if letter.is_alphanumeric() || letter == '_' => {
            let end = rest.find(|other: char| !other.is_alphanumeric() && other != '_' && other != '$');
            Piece::Word(&rest[..end.unwrap_or(rest.len())])
        }
        other => Piece::Other(&rest[..other.len_utf8()]),
    };
    Some(piece)
}

/// Finds the end of a text in quotes; a doubled quote is one inside.
fn end_of_quotes(rest: &str, quote: char) -> Option<usize> {
    let mut from = 1;
    loop {
        let end = from + rest[from..].find(quote)? + 1;
        if !rest[end..].starts_with(quote) {
            return Some(end);
        }
        from = end + 1;
    }
}

/// Finds the end of a comment; they nest.
fn end_of_comment(rest: &str) -> Option<usize> {
    let mut depth = 0;
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

/// Reads from the first words what a statement does, and to what.
fn meaning(words: &[String]) -> Result<(Verb, String), String> {
    let mut reading = Words(words);
    let first = reading.next_upper();
    match first.as_str() {
        "CREATE" => {
            let _ = reading.skip("OR") && reading.skip("REPLACE");
            if reading.skip("TABLE") {
                let _ = reading.skip("IF") && reading.skip("NOT") && reading.skip("EXISTS");
                return Ok((Verb::Create, reading.name()?));
            }
            if reading.skip("VIEW") {
                return Ok((Verb::View, reading.name()?));
            }
            Err("CREATE makes a TABLE or a VIEW here".into())
        }
        "DROP" => {
            let is_view = reading.skip("VIEW");
            if !is_view && !reading.skip("TABLE") {
                return Err("DROP removes a TABLE or a VIEW here".into());
            }
            let _ = reading.skip("IF") && reading.skip("EXISTS");
            Ok((if is_view { Verb::View } else { Verb::Drop }, reading.name()?))
        }
        "INSERT" => {
            if !reading.skip("INTO") {
                return Err("INSERT needs INTO and a table".into());
            }
            let _ = reading.skip("TABLE");
            Ok((Verb::Insert, reading.name()?))
        }
        "UPDATE" => Ok((Verb::Update, reading.name()?)),
        "DELETE" => {
            if !reading.skip("FROM") {
                return Err("DELETE needs FROM and a table".into());
            }
            Ok((Verb::Delete, reading.name()?))
        }
        // Scripts for the original end in it; here figures are always fresh.
        "SELECT" if reading.skip("ANALYZE_STATISTICS") => Ok((Verb::Nothing, String::new())),
        "SELECT" | "WITH" | "VALUES" => Err("a transformation changes tables; a question alone has no effect here: \
                                             write CREATE TABLE name AS, or ask it by itself"
            .into()),
        other => Err(format!("\"{other}\" is none of CREATE TABLE … AS, CREATE VIEW, DROP, INSERT, UPDATE and DELETE")),
    }
}

struct Words<'a>(&'a [String]);

impl Words<'_> {
    fn next_upper(&mut self) -> String {
        let Some((first, rest)) = self.0.split_first() else { return String::new() };
        self.0 = rest;
        first.to_ascii_uppercase()
    }

    fn skip(&mut self, word: &str) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(word) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let missing = || "it names no table".to_owned();
        let first = self.0.first().ok_or_else(missing)?;
        if self.0.get(1).is_some_and(|sign| sign == ".") {
            return Err(format!(
                "tables have plain names here: write {} without \"{first}.\"",
                self.0.get(2).map_or("", String::as_str)
            ));
        }
        let quote = first.chars().next().filter(|letter| matches!(letter, '"' | '`'));
        match quote {
            Some(quote) => {
                let inner = &first[1..first.len() - 1];
                Ok(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
            }
            None if first.chars().next().is_some_and(|letter| letter.is_alphabetic() || letter == '_') => {
                Ok(first.clone())
            }
            None => Err(missing()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let shown = match statements("Clean", text) {
            Ok(statements) => statements
                .iter()
                .map(|one| {
                    format!("{} line {}: {} {:?}: {}\n", one.number, one.line, one.verb.as_str(), one.target, one.text)
                })
                .collect(),
            Err(error) => error,
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn statements_end_at_semicolons_that_are_not_inside_of_something() {
        check(
            "-- first; of all\nDROP TABLE IF EXISTS \"a;b\";\n\n/* then; /* nested; */ */ insert into Log VALUES (';', 'it''s'); ;\n\
             CREATE OR REPLACE VIEW `v``1` AS SELECT 1 -- ; the end",
            expect![[r#"
                1 line 2: DROP "a;b": DROP TABLE IF EXISTS "a;b"
                2 line 4: INSERT "Log": insert into Log VALUES (';', 'it''s')
                3 line 5: VIEW "v`1": CREATE OR REPLACE VIEW `v``1` AS SELECT 1 -- ; the end
            "#]],
        );
        check(" ; -- nothing\n", expect![[""]]);
        check(
            "UPDATE Orders SET x = 1; delete from Orders; SELECT ANALYZE_STATISTICS('Orders');",
            expect![[r#"
                1 line 1: UPDATE "Orders": UPDATE Orders SET x = 1
                2 line 1: DELETE "Orders": delete from Orders
                3 line 1: NOTHING "": SELECT ANALYZE_STATISTICS('Orders')
            "#]],
        );
    }

    #[test]
    fn what_cannot_run_is_named_with_its_place() {
        check(
            "DROP TABLE x;\nUPDATE y SET a = 'open",
            expect![[r#"transformation "Clean", statement 2, line 2: a text in quotes is not closed"#]],
        );
        check(
            "DROP TABLE x;\nSELECT * FROM y",
            expect![[
                r#"transformation "Clean", statement 2, line 2: a transformation changes tables; a question alone has no effect here: write CREATE TABLE name AS, or ask it by itself"#
            ]],
        );
        check(
            "TRUNCATE x",
            expect![[
                r#"transformation "Clean", statement 1, line 1: "TRUNCATE" is none of CREATE TABLE … AS, CREATE VIEW, DROP, INSERT, UPDATE and DELETE"#
            ]],
        );
        check(
            "DELETE FROM raw.x",
            expect![[
                r#"transformation "Clean", statement 1, line 1: tables have plain names here: write x without "raw.""#
            ]],
        );
        check("DROP TABLE", expect![[r#"transformation "Clean", statement 1, line 1: it names no table"#]]);
    }
}
