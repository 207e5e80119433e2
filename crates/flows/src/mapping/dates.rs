//! Dates as texts, by the tokens of moment.js in English.
//!
//! Letters that are no token stay as they are, `[…]` keeps any text, and a
//! backslash keeps the token behind it. Reading is as forgiving as there: each
//! token looks for its digits or its name in what is left of the text, and
//! what stands between does not matter.
//!
//! Source: the tables of tokens at momentjs.com/docs; `tests/moment.json` has
//! what version 2.30 answers.

mod read;
mod write;

pub(super) use read::{parse, read};
pub(super) use write::format;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Sunday on, as setting a day counts them.
pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// All tokens but those of fractions; where several fit, the longest counts.
const TOKENS: [&str; 69] = [
    "hmmss", "Hmmss", "YYYYYY", "YYYYY", "ggggg", "GGGGG", "NNNNN", "YYYY", "MMMM", "DDDD", "DDDo", "dddd", "gggg",
    "GGGG", "NNNN", "yyyy", "hmm", "Hmm", "MMM", "DDD", "ddd", "NNN", "yyy", "YY", "MM", "Mo", "DD", "Do", "dd", "do",
    "ww", "wo", "WW", "Wo", "Qo", "NN", "yy", "yo", "gg", "GG", "hh", "HH", "kk", "mm", "ss", "zz", "ZZ", "Y", "M",
    "D", "d", "w", "W", "Q", "N", "y", "e", "E", "a", "A", "h", "H", "k", "m", "s", "x", "X", "z", "Z",
];

/// What stands for several tokens, as an American writes it.
const WHOLE_FORMS: [(&str, &str); 10] = [
    ("LLLL", "dddd, MMMM D, YYYY h:mm A"),
    ("LLL", "MMMM D, YYYY h:mm A"),
    ("LTS", "h:mm:ss A"),
    ("LT", "h:mm A"),
    ("LL", "MMMM D, YYYY"),
    ("L", "MM/DD/YYYY"),
    ("llll", "ddd, MMM D, YYYY h:mm A"),
    ("lll", "MMM D, YYYY h:mm A"),
    ("ll", "MMM D, YYYY"),
    ("l", "M/D/YYYY"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Token(&'static str),
    /// `S` to `SSSSSSSSS`.
    Fraction(usize),
    Literal(String),
}

/// Writes whole forms out, outside of brackets and not behind a backslash.
fn written_out(format: &str) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let form = |text: &str| WHOLE_FORMS.iter().find(|(form, _)| text.starts_with(form));
        let length = match (first, form(rest)) {
            ('[', _) => bracketed(rest).unwrap_or(1),
            ('\\', _) => 1 + form(&rest[1..]).map_or(0, |(form, _)| form.len()),
            (_, Some((form, tokens))) => {
                out.push_str(tokens);
                rest = &rest[form.len()..];
                continue;
            }
            _ => first.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// Takes a format apart.
fn pieces(format: &str) -> Vec<Piece> {
    let format = written_out(format);
    let mut pieces = Vec::new();
    let mut rest = format.as_str();
    while let Some(first) = rest.chars().next() {
        if first == '['
            && let Some(length) = bracketed(rest)
        {
            pieces.push(Piece::Literal(rest[1..length - 1].to_owned()));
            rest = &rest[length..];
        } else if first == '\\' {
            // A backslash goes, whether it keeps a token or nothing.
            let kept = token(&rest[1..]).or_else(|| whole_form(&rest[1..])).unwrap_or("");
            pieces.push(Piece::Literal(kept.to_owned()));
            rest = &rest[1 + kept.len()..];
        } else if first == 'S' {
            let length = (rest.len() - rest.trim_start_matches('S').len()).min(9);
            pieces.push(Piece::Fraction(length));
            rest = &rest[length..];
        } else if let Some(token) = token(rest) {
            pieces.push(Piece::Token(token));
            rest = &rest[token.len()..];
        } else {
            let length = first.len_utf8();
            match pieces.last_mut() {
                Some(Piece::Literal(text)) => text.push(first),
                _ => pieces.push(Piece::Literal(first.to_string())),
            }
            rest = &rest[length..];
        }
    }
    pieces
}

/// Length of the `[…]` at the beginning: up to the last bracket that closes
/// before another one opens.
fn bracketed(text: &str) -> Option<usize> {
    let end = text[1..].find('[').map_or(text.len(), |place| place + 1);
    text[..end].rfind(']').map(|place| place + 1)
}

/// Returns the longest token at the beginning of a text.
fn token(text: &str) -> Option<&'static str> {
    TOKENS.into_iter().filter(|token| text.starts_with(token)).max_by_key(|token| token.len())
}

fn whole_form(text: &str) -> Option<&'static str> {
    WHOLE_FORMS.into_iter().map(|(form, _)| form).find(|form| text.starts_with(form))
}

/// The week of a date in a calendar whose weeks begin on Sunday, and whose
/// first week is the one with the first of January: its year and its number.
fn sunday_week(date: jiff::civil::Date) -> (i64, i64) {
    let to_saturday = 6 - i64::from(date.weekday().to_sunday_zero_offset());
    // The week belongs to the year in which its Saturday lies.
    match date.checked_add(jiff::Span::new().days(to_saturday)) {
        Ok(saturday) => (i64::from(saturday.year()), (i64::from(saturday.day_of_year()) - 1) / 7 + 1),
        // Only the last days of the calendar have no Saturday.
        Err(_) => (i64::from(date.year()), 53),
    }
}
