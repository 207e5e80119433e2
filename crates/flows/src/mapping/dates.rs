//! Dates as texts, by the tokens of moment.js.
//!
//! Letters that are no token stay as they are, and `[…]` keeps any text.

use base::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Zoned};

/// Longer tokens come before their beginnings.
const TOKENS: [&str; 48] = [
    "YYYY", "YY", "Y", "Qo", "Q", "MMMM", "MMM", "MM", "Mo", "M", "DDDD", "DDDo", "DDD", "DD", "Do", "D", "dddd",
    "ddd", "dd", "do", "d", "e", "E", "ww", "wo", "w", "WW", "Wo", "W", "gggg", "gg", "GGGG", "GG", "HH", "H", "hh",
    "h", "kk", "k", "mm", "m", "ss", "s", "ZZ", "Z", "X", "x", "a",
];

const MONTHS: [&str; 12] = [
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

enum Piece<'a> {
    Token(&'static str),
    /// `S` to `SSSSSSSSS`.
    Fraction(usize),
    /// `A`.
    UpperHalf,
    Literal(&'a str),
}

fn pieces(format: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        if let Some(inner) = rest.strip_prefix('[')
            && let Some(end) = inner.find(']')
        {
            pieces.push(Piece::Literal(&inner[..end]));
            rest = &inner[end + 1..];
        } else if first == 'S' {
            let length = rest.len() - rest.trim_start_matches('S').len();
            pieces.push(Piece::Fraction(length.min(9)));
            rest = &rest[length..];
        } else if first == 'A' {
            pieces.push(Piece::UpperHalf);
            rest = &rest[1..];
        } else if let Some(token) = TOKENS.iter().find(|token| rest.starts_with(**token)) {
            pieces.push(Piece::Token(token));
            rest = &rest[token.len()..];
        } else {
            pieces.push(Piece::Literal(&rest[..first.len_utf8()]));
            rest = &rest[first.len_utf8()..];
        }
    }
    pieces
}

/// Writes a time by a format.
pub(super) fn format(time: &Zoned, format: &str) -> String {
    let mut out = String::new();
    for piece in pieces(format) {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::UpperHalf => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
            Piece::Fraction(digits) => out.push_str(&format!("{:09}", time.subsec_nanosecond())[..digits]),
            Piece::Token(token) => out.push_str(&shown(time, token)),
        }
    }
    out
}

fn shown(time: &Zoned, token: &str) -> String {
    let date = time.date();
    let quarter = (time.month() - 1) / 3 + 1;
    let from_sunday = i64::from(date.weekday().to_sunday_zero_offset());
    let week_date = date.iso_week_date();
    let (sunday_year, sunday_week) = sunday_week(date);
    let hour12 = (time.hour() + 11) % 12 + 1;
    let hour24 = if time.hour() == 0 { 24 } else { time.hour() };
    let weekday = weekday_name(date.weekday());
    match token {
        "YYYY" => format!("{:04}", time.year()),
        "YY" => format!("{:02}", time.year().rem_euclid(100)),
        "Y" => time.year().to_string(),
        "Q" => quarter.to_string(),
        "Qo" => ordinal(quarter.into()),
        "MMMM" => month_name(time.month()).to_owned(),
        "MMM" => month_name(time.month())[..3].to_owned(),
        "MM" => format!("{:02}", time.month()),
        "Mo" => ordinal(time.month().into()),
        "M" => time.month().to_string(),
        "DDDD" => format!("{:03}", date.day_of_year()),
        "DDDo" => ordinal(date.day_of_year().into()),
        "DDD" => date.day_of_year().to_string(),
        "DD" => format!("{:02}", time.day()),
        "Do" => ordinal(time.day().into()),
        "D" => time.day().to_string(),
        "dddd" => weekday.to_owned(),
        "ddd" => weekday[..3].to_owned(),
        "dd" => weekday[..2].to_owned(),
        "do" => ordinal(from_sunday),
        "d" | "e" => from_sunday.to_string(),
        "E" => date.weekday().to_monday_one_offset().to_string(),
        "ww" => format!("{sunday_week:02}"),
        "wo" => ordinal(sunday_week),
        "w" => sunday_week.to_string(),
        "WW" => format!("{:02}", week_date.week()),
        "Wo" => ordinal(week_date.week().into()),
        "W" => week_date.week().to_string(),
        "gggg" => format!("{sunday_year:04}"),
        "gg" => format!("{:02}", sunday_year.rem_euclid(100)),
        "GGGG" => format!("{:04}", week_date.year()),
        "GG" => format!("{:02}", week_date.year().rem_euclid(100)),
        "HH" => format!("{:02}", time.hour()),
        "H" => time.hour().to_string(),
        "hh" => format!("{hour12:02}"),
        "h" => hour12.to_string(),
        "kk" => format!("{hour24:02}"),
        "k" => hour24.to_string(),
        "mm" => format!("{:02}", time.minute()),
        "m" => time.minute().to_string(),
        "ss" => format!("{:02}", time.second()),
        "s" => time.second().to_string(),
        "Z" => offset(time.offset(), ":"),
        "ZZ" => offset(time.offset(), ""),
        "X" => time.timestamp().as_second().to_string(),
        "x" => time.timestamp().as_millisecond().to_string(),
        "a" => if time.hour() < 12 { "am" } else { "pm" }.to_owned(),
        _ => String::new(),
    }
}

fn month_name(month: i8) -> &'static str {
    MONTHS[usize::try_from(month - 1).unwrap_or(0) % 12]
}

fn weekday_name(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// Returns year and week where weeks begin on Sunday and the week with the
/// first of January is week 1, as moment.js counts in English.
fn sunday_week(date: Date) -> (i64, i64) {
    let year = i64::from(date.year());
    let to_saturday = 6 - i64::from(date.weekday().to_sunday_zero_offset());
    // The week belongs to the year in which its Saturday lies.
    match date.checked_add(Span::new().days(to_saturday)) {
        Ok(saturday) => (i64::from(saturday.year()), (i64::from(saturday.day_of_year()) - 1) / 7 + 1),
        Err(_) => (year, 53),
    }
}

fn ordinal(number: i64) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

fn offset(offset: Offset, separator: &str) -> String {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
}

/// What a parse has found so far; what a format does not name is zero.
struct Found {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    nanosecond: i64,
    afternoon: Option<bool>,
    offset: Option<i64>,
    instant: Option<i64>,
}

/// Reads a text by a format.
pub(super) fn parse(text: &str, format: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let misfit = || format!("\"{text}\" does not fit the format \"{format}\"");
    let mut found = Found {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        afternoon: None,
        offset: None,
        instant: None,
    };
    let mut rest = text.trim();
    for piece in pieces(format) {
        rest = match piece {
            Piece::Literal(literal) if literal.trim().is_empty() => rest.trim_start(),
            Piece::Literal(literal) => rest.strip_prefix(literal).ok_or_else(misfit)?,
            Piece::UpperHalf => half(rest, &mut found).ok_or_else(misfit)?,
            Piece::Fraction(_) => fraction(rest, &mut found).ok_or_else(misfit)?,
            Piece::Token(token) => read_token(rest, token, &mut found).ok_or_else(misfit)?,
        };
    }
    found.time(zone).ok_or_else(misfit)
}

fn digits(text: &str, length_max: usize) -> Option<(i64, &str)> {
    let length = text.bytes().take(length_max).take_while(u8::is_ascii_digit).count();
    let number = text[..length].parse().ok()?;
    Some((number, &text[length..]))
}

fn fraction<'a>(text: &'a str, found: &mut Found) -> Option<&'a str> {
    let length = text.bytes().take(9).take_while(u8::is_ascii_digit).count();
    let number: i64 = text[..length].parse().ok()?;
    found.nanosecond = number * 10i64.pow(9 - length as u32);
    Some(&text[length..])
}

fn half<'a>(text: &'a str, found: &mut Found) -> Option<&'a str> {
    let letter = text.chars().next()?.to_ascii_lowercase();
    found.afternoon = Some(match letter {
        'a' => false,
        'p' => true,
        _ => return None,
    });
    let rest = &text[1..];
    Some(rest.strip_prefix(['m', 'M']).unwrap_or(rest))
}

fn read_token<'a>(text: &'a str, token: &str, found: &mut Found) -> Option<&'a str> {
    let two = |text: &'a str| digits(text, 2);
    match token {
        "YYYY" | "Y" | "YY" => {
            let (year, rest) = digits(text, if token == "YY" { 2 } else { 4 })?;
            let short = text.len() - rest.len() <= 2;
            found.year = match year {
                year if !short => year,
                year @ 0..=68 => 2000 + year,
                year => 1900 + year,
            };
            Some(rest)
        }
        "Q" => {
            let (quarter, rest) = digits(text, 1)?;
            found.month = (quarter - 1) * 3 + 1;
            Some(rest)
        }
        "MMMM" | "MMM" => {
            let lower = text.to_lowercase();
            let month = MONTHS.iter().position(|name| lower.starts_with(&name[..3].to_lowercase()))?;
            found.month = month as i64 + 1;
            let full = MONTHS[month].len();
            let is_full = lower.starts_with(&MONTHS[month].to_lowercase());
            text.get(if is_full { full } else { 3 }..)
        }
        "MM" | "M" | "Mo" => set(two(text)?, &mut found.month, token),
        "DD" | "D" | "Do" => set(two(text)?, &mut found.day, token),
        "HH" | "H" | "hh" | "h" => set(two(text)?, &mut found.hour, token),
        "kk" | "k" => {
            let (hour, rest) = two(text)?;
            found.hour = hour % 24;
            Some(rest)
        }
        "mm" | "m" => set(two(text)?, &mut found.minute, token),
        "ss" | "s" => set(two(text)?, &mut found.second, token),
        "a" => half(text, found),
        "dddd" | "ddd" | "dd" => Some(text.trim_start_matches(|letter: char| letter.is_alphabetic())),
        "Z" | "ZZ" => {
            if let Some(rest) = text.strip_prefix('Z') {
                found.offset = Some(0);
                return Some(rest);
            }
            let (sign, rest) = match text.strip_prefix('-') {
                Some(rest) => (-1, rest),
                None => (1, text.strip_prefix('+')?),
            };
            let (hours, rest) = two(rest)?;
            let (minutes, rest) = two(rest.strip_prefix(':').unwrap_or(rest))?;
            found.offset = Some(sign * (hours * 60 + minutes) * 60);
            Some(rest)
        }
        "X" | "x" => {
            let (number, rest) = digits(text, 18)?;
            found.instant =
                Some(if token == "X" { number.checked_mul(1_000_000)? } else { number.checked_mul(1_000)? });
            Some(rest)
        }
        _ => None,
    }
}

fn set<'a>((number, rest): (i64, &'a str), place: &mut i64, token: &str) -> Option<&'a str> {
    *place = number;
    let ordinal = token.ends_with('o');
    Some(if ordinal { rest.trim_start_matches(|letter: char| letter.is_ascii_lowercase()) } else { rest })
}

impl Found {
    fn time(&self, zone: &TimeZone) -> Option<Timestamp> {
        if let Some(micros) = self.instant {
            return Some(Timestamp::from_micros(micros));
        }
        let hour = match self.afternoon {
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
            None => self.hour,
        };
        let date =
            Date::new(i16::try_from(self.year).ok()?, i8::try_from(self.month).ok()?, i8::try_from(self.day).ok()?)
                .ok()?;
        let time = Time::new(
            i8::try_from(hour).ok()?,
            i8::try_from(self.minute).ok()?,
            i8::try_from(self.second).ok()?,
            i32::try_from(self.nanosecond).ok()?,
        )
        .ok()?;
        let zone = match self.offset {
            Some(seconds) => Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?.to_time_zone(),
            None => zone.clone(),
        };
        let zoned = DateTime::from_parts(date, time).to_zoned(zone).ok()?;
        Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
    }
}

/// Reads a date in one of the forms that the conversion of fields accepts.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    const FORMATS: [&str; 12] = [
        "YYYY-MM-DD HH:mm:ss",
        "YYYY-MM-DD HH:mm",
        "YYYY-MM-DD",
        "YYYY-MM-DDTHH:mm:ss.S",
        "YYYY-MM-DDTHH:mm:ss",
        "YYYY-MM-DDTHH:mm",
        "YYYY/MM/DD HH:mm:ss",
        "YYYY/MM/DD",
        "MM/DD/YYYY HH:mm:ss",
        "MM/DD/YYYY",
        "D.M.YYYY HH:mm:ss",
        "D.M.YYYY",
    ];
    let text = text.trim();
    if !text.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    FORMATS.iter().find_map(|format| whole(text, format))
}

/// Reads a text by a format only if the text ends with it.
fn whole(text: &str, format: &str) -> Option<Timestamp> {
    // The marker must be reached right where the text ends.
    parse(&format!("{text}\u{1}"), &format!("{format}\u{1}"), &TimeZone::UTC).ok()
}
