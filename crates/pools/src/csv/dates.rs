//! Times as people write them.
//!
//! A [`DateFormat`] is a Java date pattern (`yyyy-MM-dd'T'HH:mm:ss.SSSXXX`),
//! taken apart once. It is a little kinder than Java: `YYYY` and `DD` beside
//! `MM` mean what people mean by them, `hh` without a half of the day counts
//! to 23, and a fraction may have any number of digits. A time without a zone
//! is UTC.

use jiff::civil::{Date, Time};
use jiff::tz::Offset;

/// What stands at one place of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Year {
        digits: usize,
    },
    Month,
    MonthName,
    Day,
    DayOfYear,
    DayName,
    Hour,
    /// 1 to 24.
    HourFromOne,
    /// 1 to 12, or 0 to 11: the half of the day says the rest.
    HalfHour,
    HalfOfDay,
    Minute,
    Second,
    Fraction,
    Zone,
}

/// How times are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DateFormat {
    parts: Vec<Part>,
    /// For numbers that stand side by side: how many digits each has.
    widths: Vec<Option<usize>>,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl DateFormat {
    /// Takes a Java pattern apart; the error says which letter is unknown.
    pub(crate) fn of(pattern: &str) -> Result<DateFormat, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut counts = Vec::new();
        let letters: Vec<char> = pattern.chars().collect();
        let mut at = 0;
        while at < letters.len() {
            let letter = letters[at];
            let count = letters[at..].iter().take_while(|other| **other == letter).count();
            let mut literal = |text: String| {
                if let Some(Part::Literal(known)) = parts.last_mut() {
                    known.push_str(&text);
                } else {
                    parts.push(Part::Literal(text));
                    counts.push(0);
                }
            };
            if letter == '\'' {
                let close = letters[at + 1..].iter().position(|other| *other == '\'');
                let close = close.ok_or_else(|| "a quote is not closed".to_owned())?;
                let quoted: String = letters[at + 1..at + 1 + close].iter().collect();
                literal(if quoted.is_empty() { "'".into() } else { quoted });
                at += close + 2;
                continue;
            }
            // `T` outside quotes is a letter that people forget to quote.
            if !letter.is_ascii_alphabetic() || letter == 'T' {
                literal(letters[at..at + count].iter().collect());
                at += count;
                continue;
            }
            parts.push(match (letter, count) {
                ('y' | 'u' | 'Y', count) => Part::Year { digits: if count == 2 { 2 } else { 4 } },
                ('M' | 'L', 1 | 2) => Part::Month,
                ('M' | 'L', _) => Part::MonthName,
                ('d', _) => Part::Day,
                ('D', _) => Part::DayOfYear,
                ('E' | 'e', _) => Part::DayName,
                ('H', _) => Part::Hour,
                ('k', _) => Part::HourFromOne,
                ('h' | 'K', _) => Part::HalfHour,
                ('a', _) => Part::HalfOfDay,
                ('m', _) => Part::Minute,
                ('s', _) => Part::Second,
                ('S' | 'n', _) => Part::Fraction,
                ('X' | 'x' | 'Z' | 'z' | 'V' | 'O', _) => Part::Zone,
                _ => return Err(format!("\"{letter}\" is no part of a date")),
            });
            counts.push(count);
            at += count;
        }
        if parts.contains(&Part::Month) || parts.contains(&Part::MonthName) {
            for part in parts.iter_mut().filter(|part| **part == Part::DayOfYear) {
                *part = Part::Day;
            }
        }
        if !parts.contains(&Part::HalfOfDay) {
            for part in parts.iter_mut().filter(|part| **part == Part::HalfHour) {
                *part = Part::Hour;
            }
        }
        let numeric = |part: Option<&Part>| part.is_some_and(Part::is_numeric);
        let widths = (0..parts.len()).map(|place| {
            let beside = numeric(parts.get(place + 1)) || (place > 0 && numeric(parts.get(place - 1)));
            (numeric(parts.get(place)) && beside).then_some(counts[place])
        });
        Ok(DateFormat { widths: widths.collect(), parts })
    }

    /// Tells whether the pattern names a day; a time of day alone is no point
    /// in time.
    pub(crate) fn names_a_day(&self) -> bool {
        let has = |wanted: &dyn Fn(&Part) -> bool| self.parts.iter().any(wanted);
        has(&|part| matches!(part, Part::Year { .. }))
    }

    /// Reads a text as microseconds since 1970. Where the pattern names no
    /// day, the result is a time of day on the first of them.
    pub(crate) fn read(&self, text: &str) -> Option<i64> {
        let mut fields = Fields::default();
        let mut rest = text.trim();
        for (part, width) in self.parts.iter().zip(&self.widths) {
            rest = fields.take(part, *width, rest)?;
        }
        if !rest.is_empty() {
            return None;
        }
        fields.micros()
    }
}

impl Part {
    fn is_numeric(&self) -> bool {
        !matches!(self, Part::Literal(_) | Part::MonthName | Part::DayName | Part::HalfOfDay | Part::Zone)
    }
}

/// What was read so far.
#[derive(Default)]
struct Fields {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    afternoon: Option<bool>,
    half_hour: Option<i8>,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset_seconds: i32,
}

impl Fields {
    fn take<'t>(&mut self, part: &Part, width: Option<usize>, text: &'t str) -> Option<&'t str> {
        let number = |least: usize, most: usize| -> Option<(i32, &'t str)> {
            let (least, most) = width.map_or((least, most), |width| (width, width));
            let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
            let read = text[..digits].parse().ok();
            read.filter(|_| digits >= least).map(|number| (number, &text[digits..]))
        };
        match part {
            Part::Literal(literal) => text.strip_prefix(literal.as_str()),
            Part::Year { digits: 2 } => {
                let (year, rest) = number(2, 2)?;
                self.year = Some((if year < 70 { 2000 + year } else { 1900 + year }) as i16);
                Some(rest)
            }
            Part::Year { .. } => {
                let (year, rest) = number(4, 4)?;
                self.year = Some(year as i16);
                Some(rest)
            }
            Part::Month => {
                let (month, rest) = number(1, 2)?;
                self.month = Some(month as i8);
                Some(rest)
            }
            Part::MonthName => {
                let (place, rest) = name(text, &MONTHS)?;
                self.month = Some(place as i8 + 1);
                Some(rest)
            }
            Part::Day => {
                let (day, rest) = number(1, 2)?;
                self.day = Some(day as i8);
                Some(rest)
            }
            Part::DayOfYear => {
                let (day, rest) = number(1, 3)?;
                self.day_of_year = Some(day as i16);
                Some(rest)
            }
            Part::DayName => name(text, &DAYS).map(|(_, rest)| rest),
            Part::Hour => {
                let (hour, rest) = number(1, 2)?;
                self.hour = hour as i8;
                Some(rest)
            }
            Part::HourFromOne => {
                let (hour, rest) = number(1, 2)?;
                self.hour = if hour == 24 { 0 } else { hour as i8 };
                Some(rest)
            }
            Part::HalfHour => {
                let (hour, rest) = number(1, 2)?;
                self.half_hour = Some((hour % 12) as i8).filter(|_| hour <= 12);
                self.half_hour.map(|_| rest)
            }
            Part::HalfOfDay => {
                let half = text.get(..2)?.to_ascii_lowercase();
                self.afternoon = Some(match half.as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
                Some(&text[2..])
            }
            Part::Minute => {
                let (minute, rest) = number(1, 2)?;
                self.minute = minute as i8;
                Some(rest)
            }
            Part::Second => {
                let (second, rest) = number(1, 2)?;
                self.second = second as i8;
                Some(rest)
            }
            Part::Fraction => {
                let (nanoseconds, rest) = fraction(text, width)?;
                self.nanosecond = nanoseconds;
                Some(rest)
            }
            Part::Zone => {
                let (seconds, rest) = zone(text)?;
                self.offset_seconds = seconds;
                Some(rest)
            }
        }
    }

    fn micros(&self) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let date = match self.day_of_year {
            Some(day) => Date::new(year, 1, 1).ok()?.with().day_of_year(day).build().ok()?,
            None => Date::new(year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?,
        };
        let hour = match (self.half_hour, self.afternoon) {
            (Some(hour), Some(true)) => hour + 12,
            (Some(hour), _) => hour,
            (None, _) => self.hour,
        };
        let time = Time::new(hour, self.minute, self.second, self.nanosecond).ok()?;
        let offset = Offset::from_seconds(self.offset_seconds).ok()?;
        offset.to_timestamp(date.to_datetime(time)).ok().map(jiff::Timestamp::as_microsecond)
    }
}

/// Reads a name in full or by its first three letters.
fn name<'t>(text: &'t str, names: &[&str]) -> Option<(usize, &'t str)> {
    for (place, name) in names.iter().enumerate() {
        for length in [name.len(), 3] {
            let starts = text.get(..length).is_some_and(|start| start.eq_ignore_ascii_case(&name[..length]));
            if starts {
                return Some((place, &text[length..]));
            }
        }
    }
    None
}

/// Reads the digits after a decimal point as nanoseconds; more than nine are
/// cut.
fn fraction(text: &str, width: Option<usize>) -> Option<(i32, &str)> {
    let digits = text.bytes().take(width.unwrap_or(usize::MAX)).take_while(u8::is_ascii_digit).count();
    if digits == 0 || width.is_some_and(|width| digits < width) {
        return None;
    }
    let mut nanoseconds = 0;
    for place in 0..9 {
        let digit = text.as_bytes()[..digits].get(place).map_or(0, |byte| byte - b'0');
        nanoseconds = nanoseconds * 10 + i32::from(digit);
    }
    Some((nanoseconds, &text[digits..]))
}

/// Reads `Z`, `UTC`, `GMT`, `+02:00`, `+0200` or `+02` as seconds east.
fn zone(text: &str) -> Option<(i32, &str)> {
    for name in ["UTC", "GMT", "Z", "z"] {
        if let Some(rest) = text.strip_prefix(name) {
            return match rest.as_bytes().first() {
                Some(b'+' | b'-') => zone(rest),
                _ => Some((0, rest)),
            };
        }
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |text: &str| -> Option<i32> {
        let digits = text.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits.and_then(|digits| digits.parse().ok())
    };
    let hours = two(&text[1..])?;
    let rest = &text[3..];
    let after_colon = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = match two(after_colon) {
        Some(minutes) => (minutes, &after_colon[2..]),
        None => (0, rest),
    };
    (hours <= 18 && minutes < 60).then_some((sign * (hours * 3600 + minutes * 60), rest))
}

/// Reads the forms of ISO 8601 that programs write: a day, or a day and a time
/// with `T` or a space between, with or without seconds, fraction and zone.
pub(crate) fn read_iso(text: &str) -> Option<i64> {
    read_plain_iso(text.as_bytes()).or_else(|| read_any_iso(text))
}

/// Reads `2026-02-03`, `2026-02-03T09:15:00` and `2026-02-03 09:15:00.123Z`,
/// which are most of them. `None` says only that it is not that plain.
fn read_plain_iso(bytes: &[u8]) -> Option<i64> {
    let number = |from: usize, length: usize| {
        let digits = bytes.get(from..from + length)?;
        digits
            .iter()
            .try_fold(0i64, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
    };
    let is = |place: usize, wanted: &[u8]| bytes.get(place).is_some_and(|byte| wanted.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_max = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // The last year of the calendar ends early, and belongs to the long way.
    let possible = (1..9_999).contains(&year) && (1..=12).contains(&month) && (1..=days_max).contains(&day);
    if !possible || !is(4, b"-") || !is(7, b"-") {
        return None;
    }
    let days = days_from_1970(year, month, day);
    if bytes.len() == 10 {
        return Some(days * 86_400_000_000);
    }
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    if !is(10, b"T ") || !is(13, b":") || !is(16, b":") || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000;
    let end = bytes.len() - usize::from(bytes.ends_with(b"Z"));
    if end == 19 {
        return Some(micros);
    }
    let digits = end.checked_sub(20).filter(|digits| (1..=6).contains(digits) && is(19, b"."))?;
    Some(micros + number(20, digits)? * 10i64.pow(6 - digits as u32))
}

/// Counts days in eras of 400 years that begin in March, so that a leap day is
/// the last of its year.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

fn read_any_iso(text: &str) -> Option<i64> {
    let mut fields = Fields::default();
    let bytes = text.as_bytes();
    if bytes.len() < 10 || bytes[4] != b'-' {
        return None;
    }
    let steps = [(Part::Year { digits: 4 }, Some(4), "-"), (Part::Month, Some(2), "-"), (Part::Day, Some(2), "")];
    let mut rest = text;
    for (part, width, literal) in steps {
        rest = fields.take(&part, width, rest)?.strip_prefix(literal)?;
    }
    if rest.is_empty() {
        return fields.micros();
    }
    rest = rest.strip_prefix(['T', ' ', 't'])?;
    rest = fields.take(&Part::Hour, Some(2), rest)?.strip_prefix(':')?;
    rest = fields.take(&Part::Minute, Some(2), rest)?;
    if let Some(seconds) = rest.strip_prefix(':') {
        rest = fields.take(&Part::Second, Some(2), seconds)?;
        if let Some(digits) = rest.strip_prefix(['.', ',']) {
            rest = fields.take(&Part::Fraction, None, digits)?;
        }
    }
    rest = rest.strip_prefix(' ').unwrap_or(rest);
    if !rest.is_empty() {
        rest = fields.take(&Part::Zone, None, rest)?;
    }
    if rest.is_empty() { fields.micros() } else { None }
}

#[cfg(test)]
mod tests;
