//! Guessing what a column holds.
//!
//! A [`Guess`] looks at every value that a job brings into a column and keeps
//! the narrowest type that holds them all. A column that the table has
//! already only ever widens; a new one may become integer, float, time or
//! text. Boolean is never guessed: `0` and `1` are more often codes.

use crate::rows::ColumnType;

use super::dates::{DateFormat, read_iso};
use super::numbers::NumberFormat;
use super::options::CsvOptions;

/// How the values of a column are written, as far as that was told.
#[derive(Clone, Debug)]
pub(crate) struct Forms {
    pub(crate) numbers: NumberFormat,
    /// `None`: the forms of ISO 8601.
    pub(crate) times: Option<DateFormat>,
    /// The forms of ISO 8601 beside what was told.
    pub(crate) iso_too: bool,
    decimal_told: Option<String>,
    times_told: Option<String>,
    /// How times are written was told of this very column, so that digits
    /// alone are a time too.
    own_times: bool,
}

impl Forms {
    /// Gathers what was told about a column; the note says what was not
    /// understood.
    pub(crate) fn of(column: &str, options: &CsvOptions) -> (Forms, Option<String>) {
        let decimal = options.decimal_separator(column);
        let pattern = options.date_format(column);
        let (times, note) = match pattern.map(DateFormat::of) {
            Some(Ok(format)) => (Some(format), None),
            Some(Err(detail)) => {
                let pattern = pattern.unwrap_or_default();
                (None, Some(format!("dateFormat \"{pattern}\" is not understood ({detail}) and has no effect")))
            }
            None => (None, None),
        };
        let forms = Forms {
            numbers: NumberFormat::new(decimal, options.thousand_separator(column)),
            times_told: times.is_some().then(|| pattern.unwrap_or_default().to_owned()),
            own_times: times.is_some()
                && options.columns.iter().any(|own| {
                    own.column.eq_ignore_ascii_case(column)
                        && own.date_format.as_ref().is_some_and(|own| !own.is_empty())
                }),
            times,
            iso_too: false,
            decimal_told: decimal.filter(|decimal| *decimal != ".").map(str::to_owned),
        };
        (forms, note)
    }

    /// Reads a point in time.
    pub(crate) fn time(&self, text: &str) -> Option<i64> {
        let told = match &self.times {
            Some(format) if format.names_a_day() => format.read(text),
            Some(_) => None,
            None => return read_iso(text),
        };
        if self.iso_too { told.or_else(|| read_iso(text)) } else { told }
    }
}

/// Reads a truth value; only for columns that are known to hold them.
pub(crate) fn read_boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// What a column may still be.
#[derive(Clone, Debug)]
pub(crate) struct Guess {
    forms: Forms,
    /// The type that the table has for it.
    known: Option<ColumnType>,
    seen: bool,
    integer: bool,
    float: bool,
    time: bool,
    boolean: bool,
    /// The first value that is not of the type that the table has.
    stranger: Option<String>,
    /// What it might have been, had nothing been told.
    point_decimal: bool,
    iso_time: bool,
    time_of_day: bool,
}

impl Guess {
    pub(crate) fn new(forms: Forms, known: Option<ColumnType>) -> Self {
        let may_be = |column_type: ColumnType| known.is_none_or(|known| known == column_type);
        Guess {
            seen: false,
            stranger: None,
            integer: may_be(ColumnType::Integer),
            float: may_be(ColumnType::Float) || known == Some(ColumnType::Integer),
            time: may_be(ColumnType::Time),
            boolean: known == Some(ColumnType::Boolean),
            point_decimal: known.is_none() && forms.decimal_told.is_some(),
            iso_time: known.is_none() && forms.times_told.is_some(),
            time_of_day: known.is_none() && forms.times.as_ref().is_some_and(|times| !times.names_a_day()),
            forms,
            known,
        }
    }

    /// Tells whether no value can change the answer any more.
    pub(crate) fn is_settled(&self) -> bool {
        let open = self.integer || self.float || self.time || self.boolean;
        self.known == Some(ColumnType::Text) || (self.seen && !open && !self.point_decimal && !self.iso_time)
    }

    /// Looks at a value.
    pub(crate) fn see(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.seen = true;
        self.integer = self.integer && self.forms.numbers.guess_integer(text).is_some();
        self.float = self.float && (self.integer || self.forms.numbers.guess_float(text).is_some());
        self.time = self.time && self.forms.time(text).is_some();
        self.boolean = self.boolean && read_boolean(text).is_some();
        if self.known.is_some() && self.stranger.is_none() && self.answer() == ColumnType::Text {
            self.stranger = Some(text.chars().take(60).collect());
        }
        self.point_decimal = self.point_decimal && NumberFormat::new(None, None).guess_float(text).is_some();
        self.iso_time = self.iso_time && read_iso(text).is_some();
        self.time_of_day =
            self.time_of_day && self.forms.times.as_ref().is_some_and(|times| times.read(text).is_some());
    }

    /// Returns the narrowest type that holds what was seen.
    pub(crate) fn answer(&self) -> ColumnType {
        match self.known {
            Some(known) if !self.seen => known,
            _ if !self.seen => ColumnType::Text,
            Some(ColumnType::Float) if self.float => ColumnType::Float,
            _ if self.time && self.forms.own_times => ColumnType::Time,
            _ if self.integer => ColumnType::Integer,
            _ if self.float => ColumnType::Float,
            _ if self.time => ColumnType::Time,
            _ if self.boolean => ColumnType::Boolean,
            _ => ColumnType::Text,
        }
    }

    /// Returns the sentence to log where what was told kept the column text.
    pub(crate) fn note(&self, column: &str) -> Option<String> {
        if !self.seen || self.answer() != ColumnType::Text {
            return None;
        }
        if let (Some(known), Some(stranger)) = (self.known, &self.stranger) {
            let held = format!("{known:?}").to_lowercase();
            return Some(format!("column \"{column}\" of type {held} becomes text: {stranger:?} does not fit"));
        }
        let because = |option: &str, told: &str, why: &str| {
            Some(format!("column \"{column}\" is kept as text: {option} \"{told}\" {why}"))
        };
        match (&self.forms.decimal_told, &self.forms.times_told) {
            (Some(told), _) if self.point_decimal => because("decimalSeparator", told, "does not fit its values"),
            (_, Some(told)) if self.iso_time => because("dateFormat", told, "does not fit its values"),
            (_, Some(told)) if self.time_of_day => because("dateFormat", told, "names no day"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(options: &CsvOptions, known: Option<ColumnType>, values: &[&str], expected: Expect) {
        let (forms, note) = Forms::of("Amount", options);
        let mut guess = Guess::new(forms, known);
        for value in values {
            guess.see(value);
        }
        let notes = [note, guess.note("Amount")].into_iter().flatten();
        expected.assert_eq(&[format!("{:?}", guess.answer())].into_iter().chain(notes).collect::<Vec<_>>().join("; "));
    }

    #[test]
    fn the_narrowest_type_that_holds_all() {
        let plain = CsvOptions::default();
        check(&plain, None, &["1", "", "-7"], expect!["Integer"]);
        check(&plain, None, &["1", "2.5"], expect!["Float"]);
        check(&plain, None, &["2026-02-03", "2026-02-03 09:15:00"], expect!["Time"]);
        check(&plain, None, &["1", "A-12"], expect!["Text"]);
        check(&plain, None, &["true", "false"], expect!["Text"]);
        check(&plain, None, &["1", "2026-02-03"], expect!["Text"]);
        check(&plain, None, &["", ""], expect!["Text"]);
        check(&plain, None, &["NA"], expect!["Text"]);
    }

    #[test]
    fn what_the_table_has_is_respected() {
        let plain = CsvOptions::default();
        check(
            &plain,
            Some(ColumnType::Text),
            &["1"],
            expect![[r#"Text; column "Amount" of type text becomes text: "1" does not fit"#]],
        );
        check(&plain, Some(ColumnType::Float), &["1"], expect!["Float"]);
        check(&plain, Some(ColumnType::Integer), &["1.5"], expect!["Float"]);
        check(
            &plain,
            Some(ColumnType::Integer),
            &["5", "A-12", "B"],
            expect![[r#"Text; column "Amount" of type integer becomes text: "A-12" does not fit"#]],
        );
        check(&plain, Some(ColumnType::Boolean), &["true", "0"], expect!["Boolean"]);
        check(&plain, Some(ColumnType::Time), &[""], expect!["Time"]);
        check(
            &plain,
            Some(ColumnType::Time),
            &["2026-02-03", "yesterday"],
            expect![[r#"Text; column "Amount" of type time becomes text: "yesterday" does not fit"#]],
        );
    }

    #[test]
    fn an_option_that_does_not_fit_leaves_text_and_a_note() {
        let guide = CsvOptions {
            decimal_separator: Some(";".into()),
            date_format: Some("hh:mm:ss".into()),
            ..CsvOptions::default()
        };
        check(
            &guide,
            None,
            &["1.5", "2.5"],
            expect![[r#"Text; column "Amount" is kept as text: decimalSeparator ";" does not fit its values"#]],
        );
        check(
            &guide,
            None,
            &["2026-02-03", "2026-02-04"],
            expect![[r#"Text; column "Amount" is kept as text: dateFormat "hh:mm:ss" does not fit its values"#]],
        );
        check(
            &guide,
            None,
            &["09:15:00"],
            expect![[r#"Text; column "Amount" is kept as text: dateFormat "hh:mm:ss" names no day"#]],
        );
        check(&guide, None, &["1;5", "2"], expect!["Float"]);
        check(&guide, None, &["order"], expect!["Text"]);
        let odd = CsvOptions { date_format: Some("qq".into()), ..CsvOptions::default() };
        check(
            &odd,
            None,
            &["2026-02-03"],
            expect![[r#"Time; dateFormat "qq" is not understood ("q" is no part of a date) and has no effect"#]],
        );
    }
}
