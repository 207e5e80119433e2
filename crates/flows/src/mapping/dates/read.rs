//! A text becomes a date.

use base::Timestamp;
use jiff::civil::{Date, DateTime, ISOWeekDate, Time, Weekday};
use jiff::tz::Offset;
use jiff::{Span, Zoned};

use super::{MONTHS, Piece, WEEKDAYS, pieces};

/// What a text told; what no token named stays open.
#[derive(Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_weekday: Option<i64>,
    sunday_year: Option<i64>,
    sunday_week: Option<i64>,
    /// From Sunday, 0.
    weekday: Option<i64>,
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nanosecond: Option<i64>,
    is_afternoon: Option<bool>,
    offset_seconds: Option<i64>,
    instant: Option<Timestamp>,
    /// Some token found what it looked for.
    is_any: bool,
}

/// Reads a text by a format. What the format does not name is zero; the parts
/// of the date in front of the first that it names are those of `now`.
pub(in crate::mapping) fn parse(text: &str, format: &str, now: &Zoned) -> Result<Timestamp, String> {
    let mut found = Found::default();
    let mut rest = text.trim();
    for piece in pieces(format) {
        let taken = match piece {
            Piece::Literal(literal) => rest.find(&literal).map(|place| place + literal.len()),
            Piece::Fraction(digits) => found.fraction(rest, if digits > 3 { 9 } else { 3 }),
            Piece::Token(token) => found.token(rest, token),
        };
        rest = &rest[taken.unwrap_or(0)..];
    }
    let time = if found.is_any { found.time(now) } else { None };
    time.ok_or_else(|| format!("\"{text}\" does not fit the format \"{format}\""))
}

/// Finds the first run of digits, of which at most `digits_max` count; returns
/// the number and the byte behind it.
fn digits(text: &str, digits_max: usize) -> Option<(i64, usize)> {
    let start = text.find(|letter: char| letter.is_ascii_digit())?;
    let length = text[start..].bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
    Some((text[start..start + length].parse().ok()?, start + length))
}

/// Finds the first number, which may have a sign.
fn signed(text: &str) -> Option<(i64, usize)> {
    let (number, end) = digits(text, 18)?;
    let start = text.find(|letter: char| letter.is_ascii_digit())?;
    Some((if text[..start].ends_with('-') { -number } else { number }, end))
}

/// Finds the first of the names, of which `letters` suffice; returns its place
/// in the list and the byte behind it.
fn named(text: &str, names: &[&str], letters: usize) -> Option<(i64, usize)> {
    // Lower case of ASCII keeps the places of bytes.
    let lower = text.to_ascii_lowercase();
    let place_of = |number: usize| lower.find(&names[number][..letters].to_ascii_lowercase());
    let (start, number) = (0..names.len()).filter_map(|number| Some((place_of(number)?, number))).min()?;
    let whole = names[number].to_ascii_lowercase();
    let length = if lower[start..].starts_with(&whole) { whole.len() } else { letters };
    Some((i64::try_from(number).ok()?, start + length))
}

/// Years of two digits are those from 1969 to 2068.
fn full_year(short: i64) -> i64 {
    short + if short > 68 { 1_900 } else { 2_000 }
}

impl Found {
    /// Reads what a token names; returns the byte behind it.
    fn token(&mut self, text: &str, token: &str) -> Option<usize> {
        let two = || digits(text, 2);
        let (place, (number, end)) = match token {
            "YYYY" => {
                let (year, end) = digits(text, 4)?;
                let length = text[..end].bytes().rev().take_while(u8::is_ascii_digit).count();
                (&mut self.year, (if length == 2 { full_year(year) } else { year }, end))
            }
            "Y" | "YYYYY" | "YYYYYY" => (&mut self.year, signed(text)?),
            "YY" => (&mut self.year, two().map(|(year, end)| (full_year(year), end))?),
            "y" | "yy" | "yyy" | "yyyy" | "yo" => (&mut self.year, digits(text, 9)?),
            "Q" => (&mut self.month, digits(text, 1).map(|(quarter, end)| ((quarter - 1) * 3 + 1, end))?),
            "MMMM" | "MMM" => (&mut self.month, named(text, &MONTHS, 3).map(|(month, end)| (month + 1, end))?),
            "MM" | "M" | "Mo" => (&mut self.month, two()?),
            "DDDD" | "DDD" | "DDDo" => (&mut self.day_of_year, digits(text, 3)?),
            "DD" | "D" => (&mut self.day, two()?),
            "Do" => {
                let (day, end) = two()?;
                let letters = text[end..].bytes().take_while(u8::is_ascii_alphabetic).count();
                (&mut self.day, (day, end + letters))
            }
            "dddd" | "ddd" => (&mut self.weekday, named(text, &WEEKDAYS, 3)?),
            "dd" => (&mut self.weekday, named(text, &WEEKDAYS, 2)?),
            "d" | "e" => (&mut self.weekday, digits(text, 1)?),
            "E" => (&mut self.iso_weekday, digits(text, 1)?),
            "ww" | "w" | "wo" => (&mut self.sunday_week, two()?),
            "WW" | "W" | "Wo" => (&mut self.iso_week, two()?),
            "gggg" | "ggggg" => (&mut self.sunday_year, digits(text, 4)?),
            "gg" => (&mut self.sunday_year, two().map(|(year, end)| (full_year(year), end))?),
            "GGGG" | "GGGGG" => (&mut self.iso_year, digits(text, 4)?),
            "GG" => (&mut self.iso_year, two().map(|(year, end)| (full_year(year), end))?),
            // Without am or pm the hours of a half day are those of the day.
            "HH" | "H" | "hh" | "h" => (&mut self.hour, two()?),
            "kk" | "k" => (&mut self.hour, two().map(|(hour, end)| (hour % 24, end))?),
            "Hmm" | "hmm" | "Hmmss" | "hmmss" => return self.run_together(text, token),
            "mm" | "m" => (&mut self.minute, two()?),
            "ss" | "s" => (&mut self.second, two()?),
            "a" | "A" => return self.half(text),
            "Z" | "ZZ" => (&mut self.offset_seconds, offset(text)?),
            "X" | "x" => return self.instant(text, token == "X"),
            // Names of eras and of zones are not read.
            _ => return None,
        };
        *place = Some(number);
        self.is_any = true;
        Some(end)
    }

    fn fraction(&mut self, text: &str, digits_max: usize) -> Option<usize> {
        let (number, end) = digits(text, digits_max)?;
        let length = text[..end].bytes().rev().take(digits_max).take_while(u8::is_ascii_digit).count();
        self.nanosecond = Some(number * 10i64.pow(9u32.saturating_sub(length as u32)));
        self.is_any = true;
        Some(end)
    }

    /// `130` is half past one, `13000` that many seconds later none.
    fn run_together(&mut self, text: &str, token: &str) -> Option<usize> {
        let (number, end) = digits(text, 6)?;
        let (hours_and_minutes, second) =
            if token.ends_with("ss") { (number / 100, Some(number % 100)) } else { (number, None) };
        self.hour = Some(hours_and_minutes / 100);
        self.minute = Some(hours_and_minutes % 100);
        self.second = second.or(self.second);
        self.is_any = true;
        Some(end)
    }

    fn half(&mut self, text: &str) -> Option<usize> {
        let start = text.find(['a', 'A', 'p', 'P'])?;
        self.is_afternoon = Some(text[start..].starts_with(['p', 'P']));
        self.is_any = true;
        let rest = &text[start + 1..];
        let dot = usize::from(rest.starts_with('.'));
        let letter = usize::from(rest[dot..].starts_with(['m', 'M']));
        Some(start + 1 + dot + letter)
    }

    fn instant(&mut self, text: &str, is_in_seconds: bool) -> Option<usize> {
        let (number, end) = signed(text)?;
        let (micros, end) = if is_in_seconds {
            let fraction = text[end..].strip_prefix('.').and_then(|rest| {
                let length = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
                let millis: i64 = rest[..length].parse().ok()?;
                Some((millis * 10i64.pow(6 - length as u32), end + 1 + length))
            });
            let (rest, end) = fraction.unwrap_or((0, end));
            (number.checked_mul(1_000_000)?.checked_add(if number < 0 { -rest } else { rest })?, end)
        } else {
            (number.checked_mul(1_000)?, end)
        };
        self.instant = Some(Timestamp::from_micros(micros));
        self.is_any = true;
        Some(end)
    }

    fn time(&self, now: &Zoned) -> Option<Timestamp> {
        if let Some(instant) = self.instant {
            return Some(instant);
        }
        let date = self.date(now.date())?;
        if self.weekday.is_some_and(|weekday| weekday != i64::from(date.weekday().to_sunday_zero_offset())) {
            return None;
        }
        let mut hour = self.hour.unwrap_or(0);
        if let Some(is_afternoon) = self.is_afternoon {
            hour = hour % 12 + if is_afternoon { 12 } else { 0 };
        }
        let (minute, second, nanosecond) =
            (self.minute.unwrap_or(0), self.second.unwrap_or(0), self.nanosecond.unwrap_or(0));
        // 24:00 is the beginning of the next day.
        let is_end_of_day = hour == 24 && minute == 0 && second == 0 && nanosecond == 0;
        let date = if is_end_of_day { date.checked_add(Span::new().days(1)).ok()? } else { date };
        let hour = if is_end_of_day { 0 } else { hour };
        let time = Time::new(
            i8::try_from(hour).ok()?,
            i8::try_from(minute).ok()?,
            i8::try_from(second).ok()?,
            i32::try_from(nanosecond).ok()?,
        )
        .ok()?;
        let zone = match self.offset_seconds {
            Some(seconds) => Offset::from_seconds(i32::try_from(seconds).ok()?).ok()?.to_time_zone(),
            None => now.time_zone().clone(),
        };
        let zoned = DateTime::from_parts(date, time).to_zoned(zone).ok()?;
        Some(Timestamp::from_micros(zoned.timestamp().as_microsecond()))
    }

    fn date(&self, today: Date) -> Option<Date> {
        let year = |year: Option<i64>| i16::try_from(year.unwrap_or(i64::from(today.year()))).ok();
        if let Some(day) = self.day_of_year {
            let first = Date::new(year(self.year)?, 1, 1).ok()?;
            let date = first.checked_add(Span::new().try_days(day - 1).ok()?).ok()?;
            return (date.year() == first.year()).then_some(date);
        }
        if self.month.is_none() && self.day.is_none() {
            if self.iso_year.is_some() || self.iso_week.is_some() || self.iso_weekday.is_some() {
                let this_week = today.iso_week_date();
                let iso_year = self.iso_year.or(self.year).unwrap_or(i64::from(this_week.year()));
                let week = self.iso_week.unwrap_or(1);
                let weekday = Weekday::from_monday_one_offset(i8::try_from(self.iso_weekday.unwrap_or(1)).ok()?);
                let date = ISOWeekDate::new(i16::try_from(iso_year).ok()?, i8::try_from(week).ok()?, weekday.ok()?);
                return date.ok().map(ISOWeekDate::date);
            }
            if self.sunday_year.is_some() || self.sunday_week.is_some() {
                let first = Date::new(year(self.sunday_year.or(self.year))?, 1, 1).ok()?;
                let to_sunday = -i64::from(first.weekday().to_sunday_zero_offset());
                let days = to_sunday + (self.sunday_week.unwrap_or(1) - 1) * 7 + self.weekday.unwrap_or(0);
                return first.checked_add(Span::new().try_days(days).ok()?).ok();
            }
            if let (None, Some(weekday)) = (self.year, self.weekday) {
                let to_weekday = weekday - i64::from(today.weekday().to_sunday_zero_offset());
                return today.checked_add(Span::new().try_days(to_weekday).ok()?).ok();
            }
        }
        // In front of the first part that is named everything is as today.
        let month = match (self.year, self.month) {
            (_, Some(month)) => month,
            (None, None) => i64::from(today.month()),
            (Some(_), None) => 1,
        };
        let day = match (self.year.or(self.month), self.day) {
            (_, Some(day)) => day,
            (None, None) => i64::from(today.day()),
            (Some(_), None) => 1,
        };
        Date::new(year(self.year)?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    }
}

/// Finds `Z`, `+02:00`, `+0200` or `+02`; returns seconds and the byte behind it.
fn offset(text: &str) -> Option<(i64, usize)> {
    let start = text.find(['Z', 'z', '+', '-'])?;
    if text[start..].starts_with(['Z', 'z']) {
        return Some((0, start + 1));
    }
    let sign = if text[start..].starts_with('-') { -1 } else { 1 };
    let pair = |place: usize| text.get(place..place + 2)?.parse::<i64>().ok();
    let hours = pair(start + 1)?;
    let behind = start + 3;
    let colon = usize::from(text[behind..].starts_with(':'));
    Some(match pair(behind + colon) {
        Some(minutes) => (sign * (hours * 60 + minutes) * 60, behind + colon + 2),
        None => (sign * hours * 3_600, behind),
    })
}

/// Reads a date in one of the forms that a field of type date takes: ISO 8601,
/// or year, month and day with `-` or `/`, or as Americans and Germans write
/// it, each with or without a time, half of the day and offset. Without an
/// offset it is a time in the zone of `now`.
pub(in crate::mapping) fn read(text: &str, now: &Zoned) -> Option<Timestamp> {
    const DATES: [(&str, &str); 4] =
        [("####-#-#", "YYYY-M-D"), ("####/#/#", "YYYY/M/D"), ("#/#/####", "M/D/YYYY"), ("#.#.####", "D.M.YYYY")];
    let text = text.trim();
    if !text.starts_with(|letter: char| letter.is_ascii_digit()) {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let date_length = text.find([' ', 'T', 't']).unwrap_or(text.len());
    let (date, time) = (&text[..date_length], text[date_length..].trim_start_matches(['T', 't']).trim());
    let (_, date_format) = DATES.iter().find(|(shape, _)| has_shape(date, shape))?;
    let (time, offset) = split_offset(time);
    let time_format = match time.to_ascii_lowercase() {
        none if none.is_empty() => "",
        half if half.ends_with('m') && half.matches(':').count() == 2 => " h:m:s A",
        half if half.ends_with('m') => " h:m A",
        plain if plain.contains('.') => " H:m:s.SSSSSSSSS",
        plain if plain.matches(':').count() == 2 => " H:m:s",
        _ => " H:m",
    };
    if !time.chars().all(|letter| letter.is_ascii_digit() || ":. aApPmM".contains(letter)) {
        return None;
    }
    let offset_format = if offset.is_empty() { "" } else { " Z" };
    parse(&format!("{date} {time} {offset}"), &format!("{date_format}{time_format}{offset_format}"), now).ok()
}

/// Tells whether a date has the shape: `#` is one digit or two, `####` four.
fn has_shape(date: &str, shape: &str) -> bool {
    let separator = |letter: char| !letter.is_ascii_digit();
    let (mut parts, mut shapes) = (date.split(separator), shape.split(|letter| letter != '#'));
    let separators =
        |text: &str, is: &dyn Fn(char) -> bool| text.chars().filter(|letter| is(*letter)).collect::<String>();
    separators(date, &separator) == separators(shape, &|letter| letter != '#')
        && parts.by_ref().zip(shapes.by_ref()).all(|(part, shape)| match shape.len() {
            4 => part.len() == 4,
            _ => (1..=2).contains(&part.len()),
        })
}

/// Takes the offset off a time: `Z`, `+02:00`, `GMT+02:00`.
fn split_offset(time: &str) -> (&str, &str) {
    let Some(start) = time.find(['Z', 'z', '+', '-']) else { return (time, "") };
    let before = time[..start].trim_end();
    let zone_names = ["GMT", "UTC"];
    let before = zone_names.iter().find_map(|name| before.strip_suffix(name)).unwrap_or(before);
    (before.trim_end(), &time[start..])
}
