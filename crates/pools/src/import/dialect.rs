//! Guessing how a CSV file is written, from how it begins.
//!
//! Every way to take the rows apart is tried, and the one under which they are
//! all as wide as the header wins. Numbers and times are looked at per column,
//! for one file may write its prices in German and its times in English. What
//! is guessed is an option like one that a person gives: where the rest of the
//! file does not bear it out, the column stays text and the log says so.

use std::io::Cursor;

use crate::csv::{Charset, ColumnOptions, CsvOptions, DateFormat, Letters, NumberFormat, Records, read_iso};

use super::format::Head;

/// Rows of the head that are looked at.
pub(crate) const ROWS_MAX: usize = 1_000;
/// What may separate fields, the most likely first.
const SEPARATORS: [&str; 6] = [",", ";", "\t", "|", "\u{1}", "^"];

/// Ways to write a time beside ISO 8601, as Java patterns. Of two that fit all
/// values the first one is taken.
const DATE_FORMATS: [&str; 47] = [
    "dd.MM.yyyy HH:mm:ss",
    "dd.MM.yyyy HH:mm",
    "dd.MM.yyyy",
    "dd.MM.yyyy HH:mm:ss.SSS",
    "dd.MM.yyyy, HH:mm:ss",
    "dd.MM.yyyy, HH:mm",
    "dd.MM.yy HH:mm:ss",
    "dd.MM.yy HH:mm",
    "dd.MM.yy",
    "yyyy/MM/dd HH:mm:ss.SSS",
    "yyyy/MM/dd HH:mm:ss",
    "yyyy/MM/dd HH:mm",
    "yyyy/MM/dd",
    "yyyy.MM.dd HH:mm:ss",
    "yyyy.MM.dd HH:mm",
    "yyyy.MM.dd",
    "MM/dd/yyyy hh:mm:ss a",
    "MM/dd/yyyy hh:mm a",
    "MM/dd/yyyy HH:mm:ss.SSS",
    "MM/dd/yyyy HH:mm:ss",
    "MM/dd/yyyy HH:mm",
    "MM/dd/yyyy",
    "dd/MM/yyyy hh:mm:ss a",
    "dd/MM/yyyy hh:mm a",
    "dd/MM/yyyy HH:mm:ss.SSS",
    "dd/MM/yyyy HH:mm:ss",
    "dd/MM/yyyy HH:mm",
    "dd/MM/yyyy",
    "MM/dd/yy HH:mm",
    "dd/MM/yy HH:mm",
    "dd-MM-yyyy HH:mm:ss.SSS",
    "dd-MM-yyyy HH:mm:ss",
    "dd-MM-yyyy HH:mm",
    "dd-MM-yyyy:HH.mm",
    "dd-MM-yyyy",
    "dd-MMM-yyyy HH:mm:ss",
    "dd-MMM-yyyy HH:mm",
    "dd-MMM-yyyy",
    "dd MMM yyyy HH:mm:ss",
    "dd MMM yyyy",
    "MMM dd, yyyy hh:mm:ss a",
    "MMM dd, yyyy",
    "EEE MMM dd HH:mm:ss zzz yyyy",
    "yyyy-MM-dd hh:mm:ss a",
    "yyyy-MM-dd-HH.mm.ss.SSS",
    "yyyyMMdd HH:mm:ss",
    "yyyyMMdd HHmmss",
];
/// Digits alone, which are numbers unless the column is called a date.
const DATE_DIGITS: [&str; 2] = ["yyyyMMddHHmmss", "yyyyMMdd"];

/// How a CSV file seems to be written.
#[derive(Debug)]
pub(crate) struct GuessedDialect {
    pub(crate) options: CsvOptions,
    /// The header, then rows; none is longer than the header.
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) warnings: Vec<String>,
}

/// Guesses how a file is written. What is set in `told` is not guessed.
pub(crate) fn guess(head: &Head, told: &CsvOptions) -> Result<GuessedDialect, String> {
    let mut options = told.clone();
    let mut warnings = Vec::new();
    let set = |option: &Option<String>| option.as_ref().is_some_and(|text| !text.is_empty());
    if !set(&options.charset)
        && let Some(name) = charset_of(&head.bytes)
    {
        options.charset = Some(name.to_owned());
        if name == "WINDOWS-1252" {
            warnings.push("it is not UTF-8; it is read as WINDOWS-1252, as spreadsheets write".to_owned());
        }
    }
    let charset = options.charset.as_deref().filter(|name| !name.is_empty());
    let charset = match charset {
        Some(name) => {
            let known = Charset::of(name);
            known.ok_or_else(|| format!("charset \"{name}\" is not one of {}", Charset::NAMES))?
        }
        None => Charset::Utf8,
    };
    let text = decoded(&head.bytes, charset, head.whole)?;
    let separators: Vec<String> = match &options.separator {
        Some(separator) if !separator.is_empty() => vec![separator.clone()],
        _ => SEPARATORS.iter().map(|separator| (*separator).to_owned()).collect(),
    };
    let quotes: &[&str] = if set(&options.quote) { &[] } else { &["\"", "'"] };
    let mut best: Option<(f64, Taken, CsvOptions)> = None;
    for separator in &separators {
        for variant in variants(&options, separator, quotes, &text) {
            let Some(taken) = take_apart(&text, &variant, head.whole) else { continue };
            let score = taken.score();
            if best.as_ref().is_none_or(|(best, ..)| score > *best) {
                best = Some((score, taken, variant));
            }
        }
    }
    let Some((_, taken, mut chosen)) = best else { return Err("it has no header".into()) };
    if taken.header.len() == 1 && !set(&told.separator) {
        chosen.separator = None;
        warnings.push("it has one column: if that is wrong, say what separates the fields".to_owned());
    }
    // What is as usual need not be said.
    chosen.quote = chosen.quote.filter(|quote| quote != "\"" || set(&told.quote));
    let Taken { header, rows, .. } = taken;
    let european = chosen.separator.as_deref() == Some(";");
    guess_columns(&header, &rows, told, european, &mut chosen, &mut warnings);
    Ok(GuessedDialect { options: chosen, header, rows, warnings })
}

/// Returns the name of the charset, where the bytes are not UTF-8.
fn charset_of(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Some("UTF-16");
    }
    let start = &bytes[..bytes.len().min(4_096)];
    let zeros = |odd: usize| start.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    // Text of the west has a zero in every other byte.
    let many = start.len() / 4;
    if many > 0 && zeros(1) > many && zeros(0) == 0 {
        return Some("UTF-16LE");
    }
    if many > 0 && zeros(0) > many && zeros(1) == 0 {
        return Some("UTF-16BE");
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => None,
        // The head may end within a letter.
        Err(error) if error.error_len().is_none() => None,
        Err(_) => Some("WINDOWS-1252"),
    }
}

/// Makes text of the head; a last line that is cut is left out.
fn decoded(bytes: &[u8], charset: Charset, whole: bool) -> Result<String, String> {
    let mut end = bytes.len();
    if !whole {
        match charset {
            Charset::Utf16Little | Charset::Utf16Big => end -= end % 2,
            _ => end = bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(end, |place| place + 1),
        }
    }
    let mut letters =
        Letters::open(Cursor::new(bytes[..end].to_vec()), Some(charset)).map_err(|error| error.to_string())?;
    let (mut all, mut text) = (String::new(), String::new());
    while letters.next(&mut text).map_err(|error| error.to_string())? {
        all.push_str(&text);
    }
    if !whole && let Some(place) = all.rfind(['\n', '\r']) {
        all.truncate(place + 1);
    }
    Ok(all)
}

/// Returns the options to try for a separator.
fn variants(options: &CsvOptions, separator: &str, quotes: &[&str], text: &str) -> Vec<CsvOptions> {
    let base = CsvOptions { separator: Some(separator.to_owned()), ..options.clone() };
    if quotes.is_empty() {
        return vec![base];
    }
    let mut all = Vec::new();
    for quote in quotes {
        // A quote that never follows a separator or a line end is a letter.
        let opens = [separator, "\n", "\r"].iter().any(|before| text.contains(&format!("{before}{quote}")));
        if *quote != "\"" && !(opens || text.starts_with(quote)) {
            continue;
        }
        let quoted = CsvOptions { quote: Some((*quote).to_owned()), ..base.clone() };
        if text.contains(&format!("\\{quote}")) && options.escape.is_none() {
            all.push(CsvOptions { escape: Some("\\".into()), ..quoted.clone() });
        }
        // Without it the usual reading comes first, so that it wins a tie.
        all.insert(if *quote == "\"" { 0 } else { all.len() }, quoted);
    }
    all
}

/// The rows of the head under one way to take them apart.
struct Taken {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Rows as wide as the header, narrower, wider.
    even: usize,
    short: usize,
    long: usize,
    /// Fields that hold a quote which was no quote here.
    stray: usize,
}

impl Taken {
    /// Tells how well the rows hang together; more is better.
    fn score(&self) -> f64 {
        let rows = (self.even + self.short + self.long).max(1) as f64;
        let width = self.header.len();
        let distinct = (1..width).all(|place| !self.header[..place].contains(&self.header[place]));
        let even = (self.even as f64 + 0.5 * self.short as f64) / rows;
        let wide = if width > 1 { 1.0 + (width.min(60) as f64) / 100.0 } else { 0.2 };
        let strays = self.stray as f64 / (rows * width as f64);
        // Rows that are longer than the header would be refused.
        even * wide - 2.0 * (self.long as f64 / rows) - strays - if distinct { 0.0 } else { 0.5 }
    }
}

fn take_apart(text: &str, options: &CsvOptions, whole: bool) -> Option<Taken> {
    let dialect = options.dialect().ok()?;
    let letters = Letters::open(Cursor::new(text.as_bytes().to_vec()), Some(Charset::Utf8)).ok()?;
    let mut records = Records::new(letters, &dialect);
    let header: Vec<String> = records.next().ok()??.fields().map(|name| name.trim().to_owned()).collect();
    let mut taken = Taken { header, rows: Vec::new(), even: 0, short: 0, long: 0, stray: 0 };
    while taken.rows.len() < ROWS_MAX {
        let record = match records.next() {
            Ok(Some(record)) => record,
            Ok(None) => break,
            // A quote may close behind the end of the head.
            Err(_) if !whole => break,
            Err(_) => {
                taken.long += 1;
                break;
            }
        };
        let width = taken.header.len();
        match record.len() {
            length if length == width => taken.even += 1,
            length if length < width => taken.short += 1,
            _ => taken.long += 1,
        }
        let fields: Vec<String> = record.fields().take(width).map(str::to_owned).collect();
        let other_quote = if dialect.quote == "\"" { '\'' } else { '"' };
        let is_stray = |field: &&String| {
            field.len() > 1 && field.starts_with(other_quote) && field.ends_with(other_quote) || field.ends_with(['\\'])
        };
        taken.stray += fields.iter().filter(is_stray).count();
        taken.rows.push(fields);
    }
    for (place, name) in taken.header.iter_mut().enumerate() {
        if name.is_empty() {
            *name = format!("column_{}", place + 1);
        }
    }
    Some(taken)
}

/// Guesses how the columns write numbers and times.
fn guess_columns(
    header: &[String],
    rows: &[Vec<String>],
    told: &CsvOptions,
    european: bool,
    options: &mut CsvOptions,
    warnings: &mut Vec<String>,
) {
    let columns: Vec<Vec<&str>> = (0..header.len())
        .map(|place| {
            rows.iter().filter_map(|row| row.get(place)).map(String::as_str).filter(|text| !text.is_empty()).collect()
        })
        .collect();
    let commas = columns.iter().any(|values| number_form(values, false) == Some((",", None)));
    for (name, values) in header.iter().zip(&columns) {
        if values.is_empty() {
            continue;
        }
        let mut own = ColumnOptions { column: name.clone(), ..ColumnOptions::default() };
        if told.date_format(name).is_none() && !values.iter().all(|text| read_iso(text).is_some()) {
            own.date_format = date_format(name, values, european, warnings);
        }
        let numbers_told = told.decimal_separator(name).is_some() || told.thousand_separator(name).is_some();
        if own.date_format.is_none()
            && !numbers_told
            && let Some((decimal, thousand)) = number_form(values, european || commas)
        {
            own.decimal_separator = Some(decimal.to_owned()).filter(|decimal| decimal != ".");
            own.thousand_separator = thousand.map(str::to_owned);
        }
        let says_something =
            own.date_format.is_some() || own.decimal_separator.is_some() || own.thousand_separator.is_some();
        let is_told = told.columns.iter().any(|column| column.column.eq_ignore_ascii_case(name));
        if says_something && !is_told {
            options.columns.push(own);
        }
    }
}

/// Finds the pattern that all values follow.
fn date_format(name: &str, values: &[&str], european: bool, warnings: &mut Vec<String>) -> Option<String> {
    let has_digits = |text: &&str| text.bytes().filter(u8::is_ascii_digit).count() >= 3;
    if !values.iter().all(has_digits) {
        return None;
    }
    let fits = |pattern: &str| {
        let format = DateFormat::of(pattern).expect("our own patterns are well-formed");
        values.iter().all(|text| format.read(text).is_some())
    };
    if let Some(pattern) = DATE_FORMATS.iter().find(|pattern| fits(pattern)) {
        if !pattern.starts_with("MM/dd") {
            return Some((*pattern).to_owned());
        }
        let other = pattern.replacen("MM/dd", "dd/MM", 1);
        if !fits(&other) {
            return Some((*pattern).to_owned());
        }
        let (taken, left) = if european { (other.as_str(), *pattern) } else { (*pattern, other.as_str()) };
        warnings.push(format!("column \"{name}\" could be {taken} or {left}: it is taken for {taken}"));
        return Some(taken.to_owned());
    }
    let called = name.to_lowercase();
    let is_date = ["date", "datum", "time", "zeit", "dat", "day", "tag"].iter().any(|word| called.contains(word))
        || ["aedat", "erdat", "budat", "bedat", "bldat", "cpudt"].contains(&called.as_str());
    let digits =
        DATE_DIGITS.iter().find(|pattern| values.iter().all(|text| text.len() == pattern.len()) && fits(pattern));
    digits.filter(|_| is_date).map(|pattern| (*pattern).to_owned())
}

/// Finds decimal and thousands signs that all values follow, where they are
/// not the usual ones.
fn number_form(values: &[&str], commas: bool) -> Option<(&'static str, Option<&'static str>)> {
    let fits = |decimal: &str, thousand: Option<&str>| {
        let form = NumberFormat::new(Some(decimal), thousand);
        values.iter().all(|text| form.guess_integer(text).is_some() || form.guess_float(text).is_some())
    };
    // `1.234` is a thousand and more where decimals have a comma.
    let grouped = |text: &&str| {
        let mut parts = text.trim_start_matches('-').split('.');
        let starts = parts.next().is_some_and(|first| (1..=3).contains(&first.len()) && first != "0");
        starts && text.contains('.') && parts.all(|part| part.len() == 3)
    };
    let whole = |text: &&str| !text.contains('.') && text.trim_start_matches('-').len() <= 3;
    let thousands = commas && values.iter().any(grouped) && values.iter().all(|text| grouped(text) || whole(text));
    if fits(".", None) && !thousands {
        return None;
    }
    let forms =
        [(",", None), (",", Some(".")), (".", Some(",")), (",", Some(" ")), (".", Some("'")), (",", Some("\u{a0}"))];
    let order: &[usize] = if commas { &[1, 0, 2, 3, 4, 5] } else { &[2, 0, 1, 3, 4, 5] };
    // Without groups of three, a comma is a decimal sign.
    order.iter().map(|place| forms[*place]).find(|(decimal, thousand)| fits(decimal, *thousand))
}
