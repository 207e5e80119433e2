//! From bytes to UTF-8.
//!
//! [`Letters`] reads a chunk piece by piece, undoes gzip, drops the byte-order
//! mark, and hands out text. What is not text is refused with the line in
//! which it stands.

use std::fmt;
use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;

/// Which letters bytes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Latin1,
    Windows1252,
    Utf16Little,
    Utf16Big,
}

impl Charset {
    pub(crate) const NAMES: &str = "UTF-8, US-ASCII, ISO-8859-1, WINDOWS-1252, UTF-16, UTF-16LE, UTF-16BE";

    /// Reads a name, however it is spelled.
    pub(crate) fn of(name: &str) -> Option<Charset> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        Some(match plain.to_ascii_lowercase().as_str() {
            "utf8" | "usascii" | "ascii" => Charset::Utf8,
            "iso88591" | "latin1" => Charset::Latin1,
            "windows1252" | "cp1252" => Charset::Windows1252,
            // Without a mark of its own, UTF-16 is big-endian.
            "utf16" | "utf16be" => Charset::Utf16Big,
            "utf16le" => Charset::Utf16Little,
            _ => return None,
        })
    }
}

/// What the bytes 0x80 to 0x9F stand for in Windows 1252; the rest is Latin 1.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Why a file is not text.
#[derive(Debug)]
pub(crate) enum NotText {
    Empty,
    Binary { what: &'static str },
    Encoding { line: u64, letter: u64, charset: &'static str },
    Swollen { gigabytes: u64 },
    Gzip { detail: String },
    Disk(io::Error),
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotText::Empty => f.write_str("it is empty: a header row is needed"),
            NotText::Binary { what } => write!(f, "it is not CSV but {what}"),
            NotText::Encoding { line, letter, charset } => {
                write!(
                    f,
                    "line {line} is not {charset} from letter {letter} on: say in charSet how the file is encoded"
                )
            }
            NotText::Swollen { gigabytes } => {
                write!(f, "it holds more than {gigabytes} GiB once it is unpacked: split the file")
            }
            NotText::Gzip { detail } => write!(f, "it is not whole gzip: {detail}"),
            NotText::Disk(error) => write!(f, "it cannot be read: {error}"),
        }
    }
}

/// Bytes that a packed file may hold: a thousandth of it can be on the wire.
const UNPACKED_BYTES_MAX: u64 = 16 << 30;
/// Bytes read at once.
const PIECE_BYTES: usize = 256 << 10;

/// A file as a sequence of texts.
pub(crate) struct Letters {
    source: Box<dyn Read + Send>,
    charset: Charset,
    /// Bytes that were read and not handed out: the end of a letter is missing.
    rest: Vec<u8>,
    line: u64,
    /// Letters of this line that were handed out already.
    passed: u64,
    ended: bool,
    zipped: bool,
    /// Bytes that came so far, and that may come of a packed file.
    bytes: u64,
    bytes_max: u64,
}

impl Letters {
    /// Opens a file, zipped or not.
    pub(crate) fn open(source: impl Read + Send + 'static, declared: Option<Charset>) -> Result<Self, NotText> {
        let (start, source) = peek(Box::new(source), 4).map_err(NotText::Disk)?;
        let zipped = start.starts_with(&[0x1f, 0x8b]);
        let source: Box<dyn Read + Send> =
            if zipped { Box::new(MultiGzDecoder::new(BufReader::new(source))) } else { source };
        let mut letters = Letters {
            source,
            charset: declared.unwrap_or(Charset::Utf8),
            rest: Vec::new(),
            line: 1,
            passed: 0,
            ended: false,
            zipped,
            bytes: 0,
            bytes_max: UNPACKED_BYTES_MAX,
        };
        letters.fill()?;
        if letters.rest.is_empty() {
            return Err(NotText::Empty);
        }
        letters.skip_mark();
        letters.refuse_binary()?;
        Ok(letters)
    }

    /// Hands out the next text, none at the end.
    pub(crate) fn next(&mut self, text: &mut String) -> Result<bool, NotText> {
        text.clear();
        while text.is_empty() {
            if self.rest.is_empty() && self.ended {
                return Ok(false);
            }
            if !self.ended {
                self.fill()?;
            }
            self.decode(text)?;
        }
        self.line += newlines(text.as_bytes());
        let after = match text.rfind(['\r', '\n']) {
            Some(end) => {
                self.passed = 0;
                &text[end + 1..]
            }
            None => text.as_str(),
        };
        self.passed += after.chars().count() as u64;
        Ok(true)
    }

    fn fill(&mut self) -> Result<(), NotText> {
        let before = self.rest.len();
        self.rest.resize(before + PIECE_BYTES, 0);
        let mut filled = before;
        while filled < self.rest.len() {
            match self.source.read(&mut self.rest[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.zipped => return Err(NotText::Gzip { detail: error.to_string() }),
                Err(error) => return Err(NotText::Disk(error)),
            }
        }
        self.rest.truncate(filled);
        self.bytes += (filled - before) as u64;
        if self.zipped && self.bytes > self.bytes_max {
            return Err(NotText::Swollen { gigabytes: self.bytes_max >> 30 });
        }
        Ok(())
    }

    /// Drops a byte-order mark; it knows better than who declared.
    fn skip_mark(&mut self) {
        let (charset, bytes) = match self.rest.as_slice() {
            [0xef, 0xbb, 0xbf, ..] => (Charset::Utf8, 3),
            [0xff, 0xfe, ..] => (Charset::Utf16Little, 2),
            [0xfe, 0xff, ..] => (Charset::Utf16Big, 2),
            _ => return,
        };
        // In a charset of one byte a letter the mark can only be a mark too.
        self.charset = charset;
        self.rest.drain(..bytes);
    }

    fn refuse_binary(&self) -> Result<(), NotText> {
        let what = match self.rest.as_slice() {
            [b'P', b'A', b'R', b'1', ..] => "Parquet: say so in fileType",
            [b'P', b'K', 3, 4, ..] => "a zip archive or a spreadsheet",
            [b'%', b'P', b'D', b'F', ..] => "a PDF",
            _ => {
                let wide = matches!(self.charset, Charset::Utf16Little | Charset::Utf16Big);
                if wide || !self.rest.contains(&0) {
                    return Ok(());
                }
                "binary: it holds zero bytes"
            }
        };
        Err(NotText::Binary { what })
    }

    fn decode(&mut self, text: &mut String) -> Result<(), NotText> {
        match self.charset {
            Charset::Utf8 => self.decode_utf8(text),
            Charset::Latin1 => {
                text.extend(self.rest.drain(..).map(char::from));
                Ok(())
            }
            Charset::Windows1252 => {
                text.extend(self.rest.drain(..).map(|byte| match byte {
                    0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
                    byte => char::from(byte),
                }));
                Ok(())
            }
            Charset::Utf16Little => self.decode_utf16(text, u16::from_le_bytes),
            Charset::Utf16Big => self.decode_utf16(text, u16::from_be_bytes),
        }
    }

    fn decode_utf8(&mut self, text: &mut String) -> Result<(), NotText> {
        // The bytes become the text without being copied, and the buffer of the
        // text before takes the next ones.
        let next = std::mem::take(text).into_bytes();
        let (valid, broken) = match String::from_utf8(std::mem::replace(&mut self.rest, next)) {
            Ok(all) => {
                self.rest.clear();
                (all, false)
            }
            // A letter may be cut by the end of the piece, not by that of the file.
            Err(error) => {
                let (valid, known) = (error.utf8_error().valid_up_to(), error.utf8_error().error_len().is_some());
                let mut bytes = error.into_bytes();
                self.rest.clear();
                self.rest.extend_from_slice(&bytes[valid..]);
                bytes.truncate(valid);
                (String::from_utf8(bytes).expect("just looked at"), known || self.ended)
            }
        };
        *text = valid;
        if broken {
            return Err(self.encoding(text, "UTF-8"));
        }
        if text.contains('\0') {
            return Err(NotText::Binary { what: "binary: it holds zero bytes" });
        }
        Ok(())
    }

    fn decode_utf16(&mut self, text: &mut String, unit: fn([u8; 2]) -> u16) -> Result<(), NotText> {
        let mut units: Vec<u16> = self.rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        // The first half of a pair waits for the second.
        if !self.ended && units.last().is_some_and(|last| (0xd800..0xdc00).contains(last)) {
            units.pop();
        }
        for letter in char::decode_utf16(units.iter().copied()) {
            match letter {
                Ok(letter) => text.push(letter),
                Err(_) => return Err(self.encoding(text, "UTF-16")),
            }
        }
        self.rest.drain(..units.len() * 2);
        if self.ended && !self.rest.is_empty() {
            return Err(self.encoding(text, "UTF-16"));
        }
        Ok(())
    }

    /// Says where the letters end that could be read.
    fn encoding(&self, read: &str, charset: &'static str) -> NotText {
        let line = self.line + newlines(read.as_bytes());
        let letter = match read.rfind(['\r', '\n']) {
            Some(end) => read[end + 1..].chars().count() as u64,
            None => self.passed + read.chars().count() as u64,
        };
        NotText::Encoding { line, letter: letter + 1, charset }
    }
}

/// Counts line ends roughly: `\r\n` once, a lone `\r` once.
#[expect(clippy::naive_bytecount, reason = "the compiler makes wide instructions of it")]
pub(crate) fn newlines(bytes: &[u8]) -> u64 {
    let count = |wanted: u8| bytes.iter().filter(|byte| **byte == wanted).count();
    if !bytes.contains(&b'\r') {
        return count(b'\n') as u64;
    }
    let pairs = bytes.windows(2).filter(|pair| *pair == b"\r\n").count();
    (count(b'\r') + count(b'\n') - pairs) as u64
}

/// Reads the first bytes of a source and puts them back.
fn peek(mut source: Box<dyn Read + Send>, bytes: usize) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut start = Vec::new();
    source.by_ref().take(bytes as u64).read_to_end(&mut start)?;
    Ok((start.clone(), Box::new(io::Cursor::new(start).chain(source))))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    fn check(bytes: &[u8], charset: Option<Charset>, expected: Expect) {
        expected.assert_eq(&read(bytes, charset).unwrap_or_else(|error| error.to_string()));
    }

    fn read(bytes: &[u8], charset: Option<Charset>) -> Result<String, NotText> {
        let mut letters = Letters::open(io::Cursor::new(bytes.to_vec()), charset)?;
        let (mut all, mut text) = (String::new(), String::new());
        while letters.next(&mut text)? {
            all.push_str(&text);
        }
        Ok(all)
    }

    #[test]
    fn marks_are_dropped_and_charsets_are_read() {
        check("\u{feff}a;ü".as_bytes(), None, expect!["a;ü"]);
        check(b"a;\xfc", Some(Charset::Latin1), expect!["a;ü"]);
        check(b"a;\x80", Some(Charset::Windows1252), expect!["a;€"]);
        check(b"\xff\xfea\0;\0\xfc\0", None, expect!["a;ü"]);
        check(b"\0a\0;\x20\xac", Charset::of("utf-16"), expect!["a;€"]);
    }

    #[test]
    fn gzip_is_undone() {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all("Id;Größe\n".as_bytes()).unwrap();
        let zipped = zip.finish().unwrap();
        check(
            &zipped,
            None,
            expect![[r"
            Id;Größe
        "]],
        );
        check(&zipped[..zipped.len() - 9], None, expect!["it is not whole gzip: incomplete deflate stream"]);
    }

    #[test]
    fn a_packed_file_has_an_end() {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(&vec![b'a'; 2 * PIECE_BYTES]).unwrap();
        let mut letters = Letters::open(io::Cursor::new(zip.finish().unwrap()), None).unwrap();
        letters.bytes_max = PIECE_BYTES as u64;
        let mut text = String::new();
        let swollen = letters.next(&mut text).unwrap_err();
        assert_eq!(swollen.to_string(), "it holds more than 0 GiB once it is unpacked: split the file");
    }

    #[test]
    fn what_is_not_text_is_refused_by_name() {
        check(b"", None, expect!["it is empty: a header row is needed"]);
        check(
            b"a;b\n1;2\n3;\xfc\n",
            None,
            expect!["line 3 is not UTF-8 from letter 3 on: say in charSet how the file is encoded"],
        );
        check(b"a\0b", None, expect!["it is not CSV but binary: it holds zero bytes"]);
        check(b"PAR1....", None, expect!["it is not CSV but Parquet: say so in fileType"]);
        check(b"PK\x03\x04...", None, expect!["it is not CSV but a zip archive or a spreadsheet"]);
        check(
            b"a\xe2\x82",
            None,
            expect!["line 1 is not UTF-8 from letter 2 on: say in charSet how the file is encoded"],
        );
    }

    #[test]
    fn letters_that_a_piece_cuts_stay_whole() {
        let long = "€".repeat(PIECE_BYTES);
        assert_eq!(read(long.as_bytes(), None).unwrap(), long);
        let wide: Vec<u8> = "a𝄞".repeat(PIECE_BYTES / 4).encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&wide, Some(Charset::Utf16Little)).unwrap(), "a𝄞".repeat(PIECE_BYTES / 4));
    }
}
