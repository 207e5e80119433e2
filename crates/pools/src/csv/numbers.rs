//! Numbers as people write them.
//!
//! There are two ways to look at a text. *Guessing* takes for a number only
//! what loses nothing by it: `007`, `+49` and a number of 20 digits are texts,
//! for they would not come back as they were. *Reading* a column that was
//! declared a number takes every way to write one.

/// How numbers are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NumberFormat {
    pub(crate) decimal: String,
    pub(crate) thousand: Option<String>,
}

impl NumberFormat {
    pub(crate) fn new(decimal: Option<&str>, thousand: Option<&str>) -> Self {
        let decimal = decimal.unwrap_or(".").to_owned();
        let thousand = thousand.filter(|thousand| *thousand != decimal).map(str::to_owned);
        NumberFormat { decimal, thousand }
    }

    /// Returns the integer that the text certainly is.
    pub(crate) fn guess_integer(&self, text: &str) -> Option<i64> {
        // Digits that certainly fit are most of them.
        let bytes = text.as_bytes();
        if let [b'1'..=b'9', rest @ ..] = bytes
            && rest.len() < 18
            && rest.iter().all(u8::is_ascii_digit)
        {
            return Some(bytes.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')));
        }
        let (negative, digits) = signed(text);
        let digits = self.ungrouped(digits)?;
        let canonical = digits == "0" && !negative || !digits.starts_with('0');
        if !canonical || !all_digits(&digits) {
            return None;
        }
        match digits {
            std::borrow::Cow::Borrowed(_) => text.parse().ok(),
            std::borrow::Cow::Owned(digits) if negative => format!("-{digits}").parse().ok(),
            std::borrow::Cow::Owned(digits) => digits.parse().ok(),
        }
    }

    /// Returns the double that the text certainly is.
    pub(crate) fn guess_float(&self, text: &str) -> Option<f64> {
        if self.decimal == "."
            && let Some(number) = short_decimal(text)
        {
            return Some(number);
        }
        let (_, unsigned) = signed(text);
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(place) => (&unsigned[..place], Some(&unsigned[place + 1..])),
            None => (unsigned, None),
        };
        let (whole, decimals) = match mantissa.split_once(self.decimal.as_str()) {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (mantissa, None),
        };
        let whole = self.ungrouped(whole)?;
        let whole_fits = whole.is_empty() && decimals.is_some() || whole == "0" || !whole.starts_with('0');
        if !whole_fits || !whole.bytes().all(|byte| byte.is_ascii_digit()) || !decimals.is_none_or(all_digits) {
            return None;
        }
        if whole.is_empty() && decimals.is_none() {
            return None;
        }
        match (decimals, exponent) {
            // A whole number too long for an integer would lose digits.
            (None, None) if whole.parse::<i64>().is_err() => return None,
            // `12E5` is more often an article than a number.
            (None, Some(exponent)) if !exponent.starts_with(['+', '-']) => return None,
            (_, Some(exponent)) if !all_digits(exponent.trim_start_matches(['+', '-'])) => return None,
            _ => {}
        }
        // The common form needs no rewriting.
        if self.decimal == "." && self.thousand.is_none() {
            return text.parse().ok().filter(|number: &f64| number.is_finite());
        }
        let sign = if text.starts_with('-') { "-" } else { "" };
        let exponent = exponent.map_or_else(String::new, |exponent| format!("e{exponent}"));
        let number = format!("{sign}{whole}.{}{exponent}", decimals.unwrap_or("0")).parse::<f64>().ok()?;
        number.is_finite().then_some(number)
    }

    /// Returns the integer of a column that was declared to hold integers.
    pub(crate) fn read_integer(&self, text: &str) -> Option<i64> {
        let text = text.trim();
        let whole = match text.split_once(self.decimal.as_str()) {
            // A program that knows only doubles writes `5.0`.
            Some((whole, decimals)) if decimals.bytes().all(|byte| byte == b'0') => whole,
            Some(_) => return None,
            None => text,
        };
        self.without_groups(whole).parse().ok()
    }

    /// Returns the double of a column that was declared to hold doubles.
    pub(crate) fn read_float(&self, text: &str) -> Option<f64> {
        let plain = self.without_groups(text.trim());
        // What the decimal separator took the place of is no part of a number.
        if self.decimal != "." && plain.contains('.') {
            return None;
        }
        let plain = plain.replacen(self.decimal.as_str(), ".", 1);
        if !plain.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        plain.parse::<f64>().ok().filter(|number| number.is_finite())
    }

    fn without_groups(&self, text: &str) -> String {
        match &self.thousand {
            Some(thousand) => text.replace(thousand.as_str(), ""),
            None => text.to_owned(),
        }
    }

    /// Takes groups of three apart; none if they are not groups of three.
    fn ungrouped<'a>(&self, whole: &'a str) -> Option<std::borrow::Cow<'a, str>> {
        match &self.thousand {
            Some(thousand) if whole.contains(thousand.as_str()) => {
                let mut groups = whole.split(thousand.as_str());
                let first = groups.next()?;
                let grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
                grouped.then(|| whole.replace(thousand.as_str(), "").into())
            }
            _ => Some(whole.into()),
        }
    }
}

/// Reads `1234.56`: so few digits that a quotient of two exact doubles is the
/// nearest double. `None` says only that it is not that plain.
fn short_decimal(text: &str) -> Option<f64> {
    const TENS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
    let (negative, digits) = signed(text);
    let (whole, decimals) = digits.as_bytes().split_at(digits.bytes().position(|byte| byte == b'.')?);
    let decimals = &decimals[1..];
    let plain = matches!((whole, decimals.len()), ([b'0'] | [b'1'..=b'9', ..], 1..=9)) && whole.len() <= 6;
    if !plain || !whole.iter().chain(decimals).all(u8::is_ascii_digit) {
        return None;
    }
    let digits = whole.iter().chain(decimals).fold(0i64, |number, digit| number * 10 + i64::from(digit - b'0'));
    let number = digits as f64 / TENS[decimals.len()];
    Some(if negative { -number } else { number })
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_one_does(text in "-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,10})?") {
            if let Some(number) = short_decimal(&text) {
                prop_assert_eq!(number.to_bits(), text.parse::<f64>().expect("a number").to_bits());
            }
            if let Some(number) = common().guess_integer(&text) {
                prop_assert_eq!(number.to_string(), text);
            }
        }
    }

    fn common() -> NumberFormat {
        NumberFormat::new(None, None)
    }

    fn german() -> NumberFormat {
        NumberFormat::new(Some(","), Some("."))
    }

    #[test]
    fn a_guess_loses_nothing() {
        for (text, integer) in
            [("0", Some(0)), ("4711", Some(4711)), ("-5", Some(-5)), ("9223372036854775807", Some(i64::MAX))]
        {
            assert_eq!(common().guess_integer(text), integer, "{text}");
        }
        for text in ["", "-", "007", "+49", "-0", " 5", "1,000", "9223372036854775808", "12E5", "A-12", "٣"] {
            assert_eq!(common().guess_integer(text), None, "{text}");
        }
        for (text, float) in
            [("1.5", 1.5), ("-0.25", -0.25), (".5", 0.5), ("1e-05", 1e-5), ("2.5E3", 2500.0), ("7", 7.0)]
        {
            assert_eq!(common().guess_float(text), Some(float), "{text}");
        }
        for text in
            ["", "-", ".", "1.", "01.5", "12E5", "NaN", "inf", "1.5.2", "12345678901234567890", "1,5", "1e", "1e-+5"]
        {
            assert_eq!(common().guess_float(text), None, "{text}");
        }
    }

    #[test]
    fn separators_are_those_that_were_told() {
        assert_eq!(german().guess_integer("1.234.567"), Some(1_234_567));
        assert_eq!(german().guess_integer("1.23"), None);
        assert_eq!(german().guess_float("-1.234,56"), Some(-1234.56));
        assert_eq!(german().guess_float("1,5"), Some(1.5));
        assert_eq!(german().guess_float("1.5"), None);
        assert_eq!(NumberFormat::new(Some(";"), None).guess_float("1.5"), None);
    }

    #[test]
    fn a_declared_column_takes_every_way_to_write_a_number() {
        assert_eq!(common().read_integer("+007"), Some(7));
        assert_eq!(common().read_integer(" 5.00 "), Some(5));
        assert_eq!(common().read_integer("5.5"), None);
        assert_eq!(common().read_float("12E5"), Some(12e5));
        assert_eq!(german().read_float("1.234,5"), Some(1234.5));
        for text in ["abc", "", "NaN", "inf", "."] {
            assert_eq!(common().read_float(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back_as_they_went_in(integer in any::<i64>(), float in any::<f64>().prop_filter("finite", |f| f.is_finite())) {
            prop_assert_eq!(common().guess_integer(&integer.to_string()), Some(integer));
            prop_assert_eq!(common().read_float(&format!("{float:?}")), Some(float));
        }
    }
}
