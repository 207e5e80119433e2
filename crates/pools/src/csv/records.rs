//! From text to records, on csv-core.
//!
//! csv-core knows separators, quotes and escapes of one byte. Longer ones (and
//! letters beyond ASCII) are turned into single bytes first that UTF-8 never
//! uses, and back again wherever they stood for themselves. So there is one
//! reader for all dialects, and the common one pays nothing.

use std::fmt;

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::charset::{Letters, NotText, newlines};
use super::options::Dialect;

/// Bytes that a record may have: a quote that is never closed must not eat the
/// memory.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Stand-ins: no byte of UTF-8 is above 0xF4.
const SEPARATOR: u8 = 0xff;
const QUOTE: u8 = 0xfe;
const ESCAPE: u8 = 0xfd;

/// Why a file cannot be taken apart.
#[derive(Debug)]
pub(crate) enum Broken {
    NotText(NotText),
    OpenQuote { line: u64 },
    LongRecord { line: u64 },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::NotText(error) => fmt::Display::fmt(error, f),
            Broken::OpenQuote { line } => {
                write!(f, "a quote that opens in the row that begins in line {line} is never closed")
            }
            Broken::LongRecord { line } => {
                let megabytes = RECORD_BYTES_MAX >> 20;
                write!(f, "the row that begins in line {line} is longer than {megabytes} MiB: is a quote left open?")
            }
        }
    }
}

impl From<NotText> for Broken {
    fn from(error: NotText) -> Self {
        Broken::NotText(error)
    }
}

/// A row of a file.
pub(crate) struct Record<'a> {
    /// In which line it begins, from 1.
    pub(crate) line: u64,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Record<'a> {
    /// Tells how many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns a field, without its quotes.
    pub(crate) fn field(&self, place: usize) -> &'a str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.text[start..self.ends[place]]
    }

    /// Returns all fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'a str> + '_ {
        (0..self.len()).map(|place| self.field(place))
    }
}

/// The rows of a file, one after the other.
pub(crate) struct Records {
    letters: Letters,
    csv: csv_core::Reader,
    stand_ins: Option<StandIns>,
    text: String,
    input: Vec<u8>,
    at: usize,
    ended: bool,
    /// Where the next byte stands.
    line: u64,
    after_return: bool,
    output: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    fields: usize,
    restored: Vec<u8>,
}

impl Records {
    pub(crate) fn new(letters: Letters, dialect: &Dialect) -> Self {
        let stand_ins = StandIns::of(dialect);
        let single = |text: &str, stand_in: u8| match text.as_bytes() {
            [byte] if byte.is_ascii() => *byte,
            _ => stand_in,
        };
        let mut builder = ReaderBuilder::new();
        builder.delimiter(single(&dialect.separator, SEPARATOR)).quote(single(&dialect.quote, QUOTE));
        if dialect.escape.is_some() {
            builder.escape(Some(ESCAPE));
        }
        Records {
            letters,
            csv: builder.build(),
            stand_ins,
            text: String::new(),
            input: Vec::new(),
            at: 0,
            ended: false,
            line: 1,
            after_return: false,
            output: vec![0; 4096],
            filled: 0,
            ends: vec![0; 64],
            fields: 0,
            restored: Vec::new(),
        }
    }

    /// Returns the next row, none at the end. Empty lines are no rows.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, Broken> {
        (self.filled, self.fields) = (0, 0);
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let line = self.line;
        loop {
            if self.at == self.input.len() && !self.fill()? {
                // A line end closes every row but one whose quotes are open.
                return Err(Broken::OpenQuote { line });
            }
            let (result, read, written, ended) = self.csv.read_record(
                &self.input[self.at..],
                &mut self.output[self.filled..],
                &mut self.ends[self.fields..],
            );
            self.pass(read);
            self.filled += written;
            self.fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.output.len() >= RECORD_BYTES_MAX => {
                    return Err(Broken::LongRecord { line });
                }
                ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => return Ok(Some(self.record(line))),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn record(&mut self, line: u64) -> Record<'_> {
        let written = &self.output[..self.filled];
        let ends = &mut self.ends[..self.fields];
        let bytes = match &self.stand_ins {
            Some(stand_ins) if written.iter().any(|byte| *byte >= ESCAPE) => {
                stand_ins.undo(written, ends, &mut self.restored);
                &self.restored
            }
            _ => written,
        };
        Record { line, text: std::str::from_utf8(bytes).expect("fields are whole parts of a text"), ends }
    }

    /// Goes to the beginning of the next row; false if there is none.
    fn skip_line_ends(&mut self) -> Result<bool, Broken> {
        loop {
            let rest = &self.input[self.at..];
            let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let found = ends < rest.len();
            self.pass(ends);
            if found {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    /// Steps over bytes and counts lines.
    fn pass(&mut self, bytes: usize) {
        let passed = &self.input[self.at..self.at + bytes];
        let Some(last) = passed.last() else { return };
        // `\r\n` is one line end, also where a piece ends between the two.
        self.line += newlines(passed) - u64::from(self.after_return && passed[0] == b'\n');
        self.after_return = *last == b'\r';
        self.at += bytes;
    }

    /// Reads on; at the end a line end is added, then there is no more.
    fn fill(&mut self) -> Result<bool, Broken> {
        self.input.clear();
        self.at = 0;
        while self.input.is_empty() {
            if self.ended {
                return Ok(false);
            }
            if self.letters.next(&mut self.text)? {
                match &mut self.stand_ins {
                    Some(stand_ins) => stand_ins.put(self.text.as_bytes(), false, &mut self.input),
                    None => self.input.extend_from_slice(self.text.as_bytes()),
                }
            } else {
                self.ended = true;
                if let Some(stand_ins) = &mut self.stand_ins {
                    stand_ins.put(&[], true, &mut self.input);
                }
                self.input.push(b'\n');
            }
        }
        Ok(true)
    }
}

/// Puts single bytes in the place of longer sequences, and undoes it.
struct StandIns {
    /// What is replaced by what; the longest first.
    replacements: Vec<(Vec<u8>, Vec<u8>)>,
    separator: Vec<u8>,
    quote: Vec<u8>,
    escape: Vec<u8>,
    /// The end of the last piece, which may be the beginning of a sequence.
    held: Vec<u8>,
}

impl StandIns {
    /// Returns none where the dialect needs none.
    fn of(dialect: &Dialect) -> Option<Self> {
        let mut replacements = Vec::new();
        let mut short = |text: &str, stand_in: u8| -> Vec<u8> {
            if let [byte] = text.as_bytes() {
                return vec![*byte];
            }
            replacements.push((text.as_bytes().to_vec(), vec![stand_in]));
            vec![stand_in]
        };
        short(&dialect.separator, SEPARATOR);
        let quote = short(&dialect.quote, QUOTE);
        let escape = dialect.escape.as_deref().unwrap_or_default().as_bytes().to_vec();
        if !escape.is_empty() {
            // An escape means something only before a quote or another escape;
            // elsewhere (`C:\temp`) it is a letter like any other.
            let before_quote = [&escape[..], dialect.quote.as_bytes()].concat();
            replacements.push((before_quote, [&[ESCAPE], &quote[..]].concat()));
            replacements.push((escape.repeat(2), [&[ESCAPE], &escape[..]].concat()));
        }
        replacements.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        (!replacements.is_empty()).then(|| StandIns {
            replacements,
            separator: dialect.separator.clone().into_bytes(),
            quote: dialect.quote.clone().into_bytes(),
            escape,
            held: Vec::new(),
        })
    }

    fn put(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        let mut at = 0;
        while at < all.len() {
            let rest = &all[at..];
            let cut = |from: &[u8]| rest.len() < from.len() && from.starts_with(rest);
            if !last && self.replacements.iter().any(|(from, _)| cut(from)) {
                self.held = rest.to_vec();
                return;
            }
            if let Some((from, to)) = self.replacements.iter().find(|(from, _)| rest.starts_with(from)) {
                out.extend_from_slice(to);
                at += from.len();
            } else {
                out.push(all[at]);
                at += 1;
            }
        }
    }

    /// Writes the fields with the sequences that stand for themselves, and
    /// moves their ends along.
    fn undo(&self, fields: &[u8], ends: &mut [usize], out: &mut Vec<u8>) {
        out.clear();
        let mut start = 0;
        for end in ends {
            for byte in &fields[start..*end] {
                match *byte {
                    SEPARATOR => out.extend_from_slice(&self.separator),
                    QUOTE => out.extend_from_slice(&self.quote),
                    ESCAPE => out.extend_from_slice(&self.escape),
                    byte => out.push(byte),
                }
            }
            start = *end;
            *end = out.len();
        }
    }
}

#[cfg(test)]
mod tests;
