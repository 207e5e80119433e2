//! Records of many dialects; writing and reading again is the identity.

use std::io::Cursor;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn dialect(separator: &str, quote: &str, escape: Option<&str>) -> Dialect {
    Dialect { separator: separator.into(), quote: quote.into(), escape: escape.map(str::to_owned), charset: None }
}

fn read(text: &str, dialect: &Dialect) -> Result<Vec<(u64, Vec<String>)>, Broken> {
    let letters = Letters::open(Cursor::new(text.as_bytes().to_vec()), None)?;
    let mut records = Records::new(letters, dialect);
    let mut all = Vec::new();
    while let Some(record) = records.next()? {
        all.push((record.line, record.fields().map(str::to_owned).collect()));
    }
    Ok(all)
}

fn check(text: &str, dialect: &Dialect, expected: Expect) {
    let answer = match read(text, dialect) {
        Ok(records) => records.iter().fold(String::new(), |text, (line, fields)| format!("{text}{line}: {fields:?}\n")),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&answer);
}

#[test]
fn rows_end_at_any_newline_and_empty_lines_are_none() {
    let common = dialect(",", "\"", None);
    let three = ["a,b\n1,2\n\n3,4", "a,b\r1,2\r\r3,4\r", "a,b\r\n1,2\r\n\r\n3,4\r\n"];
    for text in three {
        check(
            text,
            &common,
            expect![[r#"
                1: ["a", "b"]
                2: ["1", "2"]
                4: ["3", "4"]
            "#]],
        );
    }
}

#[test]
fn quotes_hold_separators_newlines_and_quotes() {
    let text = "a,b\n\"x, y\",\"two\r\nlines\"\n\"say \"\"hi\"\"\",in \"the\" middle\n";
    check(
        text,
        &dialect(",", "\"", None),
        expect![[r#"
            1: ["a", "b"]
            2: ["x, y", "two\r\nlines"]
            4: ["say \"hi\"", "in \"the\" middle"]
        "#]],
    );
}

#[test]
fn an_escape_is_one_only_before_a_quote() {
    let text = r#"a,b
"C:\temp","say \"hi\""
"ends with \\",\"bare\"
"#;
    check(
        text,
        &dialect(",", "\"", Some("\\")),
        expect![[r#"
            1: ["a", "b"]
            2: ["C:\\temp", "say \"hi\""]
            3: ["ends with \\", "\\\"bare\\\""]
        "#]],
    );
}

#[test]
fn separators_and_quotes_may_be_long_or_rare() {
    check(
        "a||b\n''x||y''||it's |here\n",
        &dialect("||", "''", None),
        expect![[r#"
            1: ["a", "b"]
            2: ["x||y", "it's |here"]
        "#]],
    );
    check(
        "a§b\n«x§y«§z\n",
        &dialect("§", "«", None),
        expect![[r#"
            1: ["a", "b"]
            2: ["x§y", "z"]
        "#]],
    );
}

#[test]
fn a_quote_that_stays_open_is_refused() {
    check(
        "a,b\n1,2\n3,\"open\n5,6\n",
        &dialect(",", "\"", None),
        expect!["a quote that opens in the row that begins in line 3 is never closed"],
    );
    check(
        "a,b\n1,\"closed\"",
        &dialect(",", "\"", None),
        expect![[r#"
        1: ["a", "b"]
        2: ["1", "closed"]
    "#]],
    );
}

fn write(records: &[Vec<String>], dialect: &Dialect, newline: &str) -> String {
    let mut text = String::new();
    for record in records {
        let fields = record.iter().map(|field| {
            let mut inner = field.clone();
            if let Some(escape) = &dialect.escape {
                inner = inner.replace(escape, &escape.repeat(2));
            }
            inner = inner.replace(&dialect.quote, &dialect.quote.repeat(2));
            format!("{quote}{inner}{quote}", quote = dialect.quote)
        });
        text.push_str(&fields.collect::<Vec<_>>().join(&dialect.separator));
        text.push_str(newline);
    }
    text
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let separators = prop_oneof![Just(","), Just(";"), Just("\t"), Just("||"), Just("§"), Just("<->")];
    let quotes = prop_oneof![Just("\""), Just("'"), Just("«"), Just("#!")];
    let escapes = prop_oneof![Just(None), Just(Some("\\")), Just(Some("^^"))];
    (separators, quotes, escapes).prop_map(|(separator, quote, escape)| dialect(separator, quote, escape))
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        records in proptest::collection::vec(proptest::collection::vec("[a-c,;|'\"\\\\§«#!<>^\r\n -]{0,8}", 1..4), 1..6),
        dialect in dialects(),
        newline in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
    ) {
        let text = write(&records, &dialect, newline);
        let seen: Vec<_> = read(&text, &dialect).unwrap().into_iter().map(|(_, fields)| fields).collect();
        prop_assert_eq!(seen, records);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,40}[,\"\n\r]{0,8}\\PC{0,40}", dialect in dialects()) {
        // Whatever it is, it is records or a clear refusal.
        let _ = read(&text, &dialect);
    }
}
