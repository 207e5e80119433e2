//! A date becomes a text.

use std::fmt::Write as _;

use jiff::Zoned;
use jiff::tz::Offset;

use super::{MONTHS, Piece, WEEKDAYS, pieces, sunday_week};

/// Writes a time by a format.
pub(in crate::mapping) fn format(time: &Zoned, format: &str) -> String {
    let mut out = String::new();
    for piece in pieces(format) {
        match piece {
            Piece::Literal(text) => out.push_str(&text),
            Piece::Fraction(digits) => out.push_str(&format!("{:09}", time.subsec_nanosecond())[..digits]),
            Piece::Token(token) => token_shown(&mut out, time, token),
        }
    }
    out
}

fn token_shown(out: &mut String, time: &Zoned, token: &str) {
    let date = time.date();
    let quarter = i64::from((time.month() - 1) / 3 + 1);
    let weekday = i64::from(date.weekday().to_sunday_zero_offset());
    let weekday_name = WEEKDAYS[usize::try_from(weekday).unwrap_or(0)];
    let month_name = MONTHS[usize::try_from(time.month() - 1).unwrap_or(0)];
    let (month, day, day_of_year) = (i64::from(time.month()), i64::from(time.day()), i64::from(date.day_of_year()));
    let year = i64::from(time.year());
    let iso = date.iso_week_date();
    let (iso_year, iso_week) = (i64::from(iso.year()), i64::from(iso.week()));
    let (sunday_year, sunday_week) = sunday_week(date);
    let (hour, minute, second) = (i64::from(time.hour()), i64::from(time.minute()), i64::from(time.second()));
    let hour_of_12 = (hour + 11) % 12 + 1;
    let hour_of_24 = if hour == 0 { 24 } else { hour };
    // Years before the first are counted backwards from it.
    let (era, era_year) = if year > 0 { ("AD", year) } else { ("BC", 1 - year) };
    match token {
        "YYYYYY" => {
            let sign = if year < 0 { '-' } else { '+' };
            let _ = write!(out, "{sign}{:06}", year.abs());
        }
        "YYYYY" => padded(out, year, 5),
        "YYYY" | "Y" => {
            if year > 9_999 {
                out.push('+');
            }
            padded(out, year, 4);
        }
        "YY" => padded(out, year.rem_euclid(100), 2),
        "yyyy" | "yyy" | "yy" | "y" => padded(out, era_year, token.len()),
        "yo" => ordinal(out, era_year),
        "NNNN" => out.push_str(if year > 0 { "Anno Domini" } else { "Before Christ" }),
        "N" | "NN" | "NNN" | "NNNNN" => out.push_str(era),
        "Q" => padded(out, quarter, 1),
        "Qo" => ordinal(out, quarter),
        "MMMM" => out.push_str(month_name),
        "MMM" => out.push_str(&month_name[..3]),
        "MM" | "M" => padded(out, month, token.len()),
        "Mo" => ordinal(out, month),
        "DDDD" => padded(out, day_of_year, 3),
        "DDDo" => ordinal(out, day_of_year),
        "DDD" => padded(out, day_of_year, 1),
        "DD" | "D" => padded(out, day, token.len()),
        "Do" => ordinal(out, day),
        "dddd" => out.push_str(weekday_name),
        "ddd" => out.push_str(&weekday_name[..3]),
        "dd" => out.push_str(&weekday_name[..2]),
        "do" => ordinal(out, weekday),
        "d" | "e" => padded(out, weekday, 1),
        "E" => padded(out, if weekday == 0 { 7 } else { weekday }, 1),
        "ww" | "w" => padded(out, sunday_week, token.len()),
        "wo" => ordinal(out, sunday_week),
        "WW" | "W" => padded(out, iso_week, token.len()),
        "Wo" => ordinal(out, iso_week),
        "ggggg" | "gggg" => padded(out, sunday_year, token.len()),
        "gg" => padded(out, sunday_year.rem_euclid(100), 2),
        "GGGGG" | "GGGG" => padded(out, iso_year, token.len()),
        "GG" => padded(out, iso_year.rem_euclid(100), 2),
        "HH" | "H" => padded(out, hour, token.len()),
        "hh" | "h" => padded(out, hour_of_12, token.len()),
        "kk" | "k" => padded(out, hour_of_24, token.len()),
        "Hmm" | "hmm" | "Hmmss" | "hmmss" => {
            padded(out, if token.starts_with('H') { hour } else { hour_of_12 }, 1);
            padded(out, minute, 2);
            if token.ends_with("ss") {
                padded(out, second, 2);
            }
        }
        "mm" | "m" => padded(out, minute, token.len()),
        "ss" | "s" => padded(out, second, token.len()),
        "Z" => offset(out, time.offset(), ":"),
        "ZZ" => offset(out, time.offset(), ""),
        "z" | "zz" => {
            out.push_str(time.time_zone().to_offset_info(time.timestamp()).abbreviation());
        }
        "X" => padded(out, time.timestamp().as_millisecond().div_euclid(1_000), 1),
        "x" => padded(out, time.timestamp().as_millisecond(), 1),
        "a" => out.push_str(if hour < 12 { "am" } else { "pm" }),
        "A" => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        // There are no other tokens.
        _ => {}
    }
}

fn padded(out: &mut String, number: i64, digits: usize) {
    let sign = if number < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{:0digits$}", number.unsigned_abs());
}

fn ordinal(out: &mut String, number: i64) {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    let _ = write!(out, "{number}{ending}");
}

fn offset(out: &mut String, offset: Offset, separator: &str) {
    let seconds = offset.seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    let _ = write!(out, "{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60);
}
