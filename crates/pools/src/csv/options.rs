//! How a CSV file says what it means.
//!
//! Callers leave most of this unset, or set it wrong. So unset is the common
//! form (comma, double quotes, UTF-8), rows end at any newline whatever was
//! declared, and only what cannot work at all is refused.

use serde::{Deserialize, Serialize};

use super::charset::Charset;

/// What a caller says about the CSV of a push job. An empty text is unset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CsvOptions {
    /// What stands between fields: one letter or several; `,` if unset.
    pub separator: Option<String>,
    /// What stands around fields; `"` if unset. Doubled inside, it stands for
    /// itself.
    pub quote: Option<String>,
    /// What stands before a quote inside quotes that is meant as a letter.
    /// Unset there is none, for a backslash at the end of a path is common.
    pub escape: Option<String>,
    /// Kept for the answer: rows end at `\r`, `\n` and `\r\n` alike.
    pub line_ending: Option<String>,
    /// Which letters the bytes stand for; UTF-8 if unset.
    pub charset: Option<String>,
    /// What stands before the decimals; `.` if unset.
    pub decimal_separator: Option<String>,
    /// What stands between thousands; nothing if unset.
    pub thousand_separator: Option<String>,
    /// How times are written, as a Java pattern; the forms of ISO 8601 if unset.
    pub date_format: Option<String>,
    /// What differs for single columns.
    pub columns: Vec<ColumnOptions>,
}

/// What differs for one column. What is unset is as for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ColumnOptions {
    /// Its name, in any case.
    pub column: String,
    /// How its times are written.
    pub date_format: Option<String>,
    /// What stands between its thousands.
    pub thousand_separator: Option<String>,
    /// What stands before its decimals.
    pub decimal_separator: Option<String>,
}

/// What separates, quotes and escapes, and which letters the bytes stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) separator: String,
    pub(crate) quote: String,
    /// `None` where only doubling escapes.
    pub(crate) escape: Option<String>,
    pub(crate) charset: Option<Charset>,
}

/// Returns a text that is set: `null` and nothing are the same to callers.
pub(crate) fn set(option: Option<&String>) -> Option<&str> {
    option.map(String::as_str).filter(|text| !text.is_empty())
}

/// Reads `\t` and its kin, which people type into forms, as what they mean.
fn unescaped(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\u0001", "\u{1}").replace("\\u001f", "\u{1f}")
}

impl CsvOptions {
    /// Resolves what is unset; the error is a sentence.
    pub(crate) fn dialect(&self) -> Result<Dialect, String> {
        let separator = unescaped(set(self.separator.as_ref()).unwrap_or(","));
        let quote = unescaped(set(self.quote.as_ref()).unwrap_or("\""));
        let escape = set(self.escape.as_ref()).map(str::to_owned).filter(|escape| *escape != quote);
        if separator == quote {
            return Err(format!("separatorSequence and quoteSequence are both \"{separator}\""));
        }
        if escape.as_ref() == Some(&separator) {
            return Err(format!("separatorSequence and escapeSequence are both \"{separator}\""));
        }
        for (option, text) in [
            ("separatorSequence", Some(&separator)),
            ("quoteSequence", Some(&quote)),
            ("escapeSequence", escape.as_ref()),
        ] {
            if text.is_some_and(|text| text.contains(['\r', '\n'])) {
                return Err(format!("{option} holds a line ending"));
            }
        }
        let charset = match set(self.charset.as_ref()) {
            None => None,
            Some(name) => {
                let known = Charset::of(name);
                Some(known.ok_or_else(|| format!("charSet \"{name}\" is not one of {}", Charset::NAMES))?)
            }
        };
        Ok(Dialect { separator, quote, escape, charset })
    }

    /// Tells what cannot work, in a sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.dialect().map(drop)
    }

    /// Returns the sentence to log about options that have no effect.
    pub(crate) fn note(&self) -> Option<String> {
        let ending = set(self.line_ending.as_ref())?;
        let newline = matches!(ending, "\r" | "\n" | "\r\n" | "\n\r" | "\\r" | "\\n" | "\\r\\n" | "\\n\\r");
        (!newline).then(|| format!("lineEnding {ending:?} has no effect: rows end at \\r, \\n and \\r\\n"))
    }

    fn of_column(&self, column: &str) -> Option<&ColumnOptions> {
        self.columns.iter().find(|options| options.column.eq_ignore_ascii_case(column))
    }

    /// Returns how a column writes decimals, where that is said.
    pub(crate) fn decimal_separator(&self, column: &str) -> Option<&str> {
        let own = self.of_column(column).and_then(|options| set(options.decimal_separator.as_ref()));
        own.or(set(self.decimal_separator.as_ref()))
    }

    /// Returns how a column writes thousands, where that is said.
    pub(crate) fn thousand_separator(&self, column: &str) -> Option<&str> {
        let own = self.of_column(column).and_then(|options| set(options.thousand_separator.as_ref()));
        own.or(set(self.thousand_separator.as_ref()))
    }

    /// Returns how a column writes times, where that is said.
    pub(crate) fn date_format(&self, column: &str) -> Option<&str> {
        let own = self.of_column(column).and_then(|options| set(options.date_format.as_ref()));
        own.or(set(self.date_format.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(options: CsvOptions, expected: Expect) {
        let answer = match options.dialect() {
            Ok(dialect) => format!("{dialect:?}"),
            Err(sentence) => sentence,
        };
        expected.assert_eq(&answer);
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn unset_is_the_common_form() {
        check(
            CsvOptions::default(),
            expect![[r#"Dialect { separator: ",", quote: "\"", escape: None, charset: None }"#]],
        );
        let empty = CsvOptions { separator: some(""), quote: some(""), escape: some("\""), ..CsvOptions::default() };
        assert_eq!(empty.dialect(), CsvOptions::default().dialect());
    }

    #[test]
    fn what_cannot_work_is_refused() {
        check(
            CsvOptions { separator: some("\""), ..CsvOptions::default() },
            expect![[r#"separatorSequence and quoteSequence are both """"#]],
        );
        check(
            CsvOptions { charset: some("klingon"), ..CsvOptions::default() },
            expect![[
                r#"charSet "klingon" is not one of UTF-8, US-ASCII, ISO-8859-1, WINDOWS-1252, UTF-16, UTF-16LE, UTF-16BE"#
            ]],
        );
        check(
            CsvOptions { separator: some("\\t"), ..CsvOptions::default() },
            expect![[r#"Dialect { separator: "\t", quote: "\"", escape: None, charset: None }"#]],
        );
    }

    #[test]
    fn a_column_may_differ() {
        let options = CsvOptions {
            decimal_separator: some(","),
            date_format: some("dd.MM.yyyy"),
            columns: vec![ColumnOptions {
                column: "When".into(),
                date_format: some("yyyy"),
                ..ColumnOptions::default()
            }],
            ..CsvOptions::default()
        };
        assert_eq!(options.date_format("WHEN"), Some("yyyy"));
        assert_eq!(options.decimal_separator("WHEN"), Some(","));
        assert_eq!(options.date_format("Other"), Some("dd.MM.yyyy"));
    }
}
