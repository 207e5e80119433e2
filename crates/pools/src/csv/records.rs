//! From text to records, on csv-core.
//!
//! csv-core knows separators, quotes and escapes of one byte. Longer ones (and
//! letters beyond ASCII) are turned into single bytes first that UTF-8 never
//! uses, and back again wherever they stood for themselves. So there is one
//! reader for all dialects, and the common one pays nothing.
//!
//! Most rows need no reader at all: they stand whole in the text at hand, and
//! what is quoted in them holds neither quotes nor newlines. Such a row is cut
//! where it stands; the first oddity hands it over to csv-core.

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
    /// Where each field begins and ends.
    bounds: &'a [(usize, usize)],
}

impl<'a> Record<'a> {
    /// Tells how many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.bounds.len()
    }

    /// Returns a field, without its quotes.
    pub(crate) fn field(&self, place: usize) -> &'a str {
        let (start, end) = self.bounds[place];
        &self.text[start..end]
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
    bounds: Vec<(usize, usize)>,
    separator: u8,
    quote: u8,
    /// Bytes at which a row that stands whole in the text has to be looked at.
    special: [bool; 256],
}

impl Records {
    pub(crate) fn new(letters: Letters, dialect: &Dialect) -> Self {
        let stand_ins = StandIns::of(dialect);
        let single = |text: &str, stand_in: u8| match text.as_bytes() {
            [byte] if byte.is_ascii() => *byte,
            _ => stand_in,
        };
        let (separator, quote) = (single(&dialect.separator, SEPARATOR), single(&dialect.quote, QUOTE));
        let mut special = [false; 256];
        for byte in [separator, quote, b'\r', b'\n'] {
            special[usize::from(byte)] = true;
        }
        let mut builder = ReaderBuilder::new();
        builder.delimiter(separator).quote(quote);
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
            bounds: Vec::new(),
            separator,
            quote,
            special,
        }
    }

    /// Returns the next row, none at the end. Empty lines are no rows.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, Broken> {
        (self.filled, self.fields) = (0, 0);
        if !self.skip_line_ends()? {
            return Ok(None);
        }
        let line = self.line;
        let start = self.at;
        if self.stand_ins.is_none()
            && let Some(length) = self.cut_row()
        {
            self.at += length;
            self.after_return = false;
            let text = &self.text[start..self.at];
            return Ok(Some(Record { line, text, bounds: &self.bounds }));
        }
        loop {
            if self.rest().is_empty() && !self.fill()? {
                // A line end closes every row but one whose quotes are open.
                return Err(Broken::OpenQuote { line });
            }
            let input = if self.stand_ins.is_some() { self.input.as_slice() } else { self.text.as_bytes() };
            let (result, read, written, ended) =
                self.csv.read_record(&input[self.at..], &mut self.output[self.filled..], &mut self.ends[self.fields..]);
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
        self.bounds.clear();
        let mut start = 0;
        for end in ends {
            self.bounds.push((start, *end));
            start = *end;
        }
        let text = std::str::from_utf8(bytes).expect("fields are whole parts of a text");
        Record { line, text, bounds: &self.bounds }
    }

    /// What is at hand and was not read yet.
    fn rest(&self) -> &[u8] {
        let input = if self.stand_ins.is_some() { self.input.as_slice() } else { self.text.as_bytes() };
        &input[self.at..]
    }

    /// Cuts the row that begins here and returns its length, if it ends in the
    /// text at hand and there is nothing odd about it.
    fn cut_row(&mut self) -> Option<usize> {
        let rest = &self.text.as_bytes()[self.at..];
        self.bounds.clear();
        let mut at = 0;
        loop {
            let quoted = *rest.get(at)? == self.quote;
            let start = at + usize::from(quoted);
            let mut end = start + rest[start..].iter().position(|byte| self.special[usize::from(*byte)])?;
            if quoted {
                while rest[end] == self.separator {
                    end += 1 + rest[end + 1..].iter().position(|byte| self.special[usize::from(*byte)])?;
                }
            }
            // A quote closes what is quoted, and stands nowhere else.
            if quoted != (rest[end] == self.quote) {
                return None;
            }
            at = end + usize::from(quoted);
            self.bounds.push((start, end));
            match *rest.get(at)? {
                byte if byte == self.separator => at += 1,
                b'\r' | b'\n' => return Some(at),
                _ => return None,
            }
        }
    }

    /// Goes to the beginning of the next row; false if there is none.
    fn skip_line_ends(&mut self) -> Result<bool, Broken> {
        loop {
            let rest = self.rest();
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
        let passed = &self.rest()[..bytes];
        let Some(last) = passed.last() else { return };
        // `\r\n` is one line end, also where a piece ends between the two.
        let last = *last;
        let lines = newlines(passed) - u64::from(self.after_return && passed[0] == b'\n');
        self.line += lines;
        self.after_return = last == b'\r';
        self.at += bytes;
    }

    /// Reads on; at the end a line end is added, then there is no more.
    fn fill(&mut self) -> Result<bool, Broken> {
        self.input.clear();
        self.at = 0;
        loop {
            if self.ended {
                self.text.clear();
                return Ok(false);
            }
            self.ended = !self.letters.next(&mut self.text)?;
            match &mut self.stand_ins {
                Some(stand_ins) => {
                    stand_ins.put(self.text.as_bytes(), self.ended, &mut self.input);
                    self.input.extend(self.ended.then_some(b'\n'));
                }
                None if self.ended => self.text.push('\n'),
                None => {}
            }
            if !self.rest().is_empty() {
                return Ok(true);
            }
        }
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
