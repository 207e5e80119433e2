//! A file as text whose places are known.
//!
//! Readers of XML and JSON want bytes; people want a line and a column.
//! [`SourceText`] unpacks, decodes and counts, and it ends a file in which one
//! element never ends before that element has eaten the memory.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::csv::{Charset, Letters, NotText};

/// Bytes that one element of a log may have.
const ELEMENT_BYTES_MAX: usize = 16 << 20;

/// How many bytes of a file were read, for those who look on.
#[derive(Clone, Debug, Default)]
pub(crate) struct BytesRead(Arc<AtomicU64>);

impl BytesRead {
    /// Tells how many there were so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file that counts what is read of it.
pub(crate) struct CountedFile {
    file: File,
    read: BytesRead,
}

impl CountedFile {
    pub(crate) fn open(path: &Path, read: &BytesRead) -> io::Result<Self> {
        Ok(CountedFile { file: File::open(path)?, read: read.clone() })
    }
}

impl Read for CountedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        self.read.0.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// The text of a file, unpacked and decoded, with the place of the next byte.
pub(crate) struct SourceText {
    letters: Letters,
    text: String,
    at: usize,
    line: u64,
    column: u64,
    /// Bytes since the last element began.
    element: usize,
}

impl SourceText {
    /// Opens a file that is in this charset unless its mark says otherwise.
    pub(crate) fn open(source: impl Read + Send + 'static, charset: Option<Charset>) -> Result<Self, NotText> {
        let letters = Letters::open(source, charset)?;
        Ok(SourceText { letters, text: String::new(), at: 0, line: 1, column: 1, element: 0 })
    }

    /// Returns line and column of the next byte, from 1.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.line, self.column)
    }

    /// Says that an element has ended.
    pub(crate) fn next_element(&mut self) {
        self.element = 0;
    }
}

impl Read for SourceText {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for SourceText {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.element > ELEMENT_BYTES_MAX {
            let megabytes = ELEMENT_BYTES_MAX >> 20;
            return Err(io::Error::other(format!("one element is longer than {megabytes} MiB: is it never closed?")));
        }
        if self.at == self.text.len() {
            self.at = 0;
            // At the end the text is left empty, which says so to the reader.
            self.letters.next(&mut self.text).map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(&self.text.as_bytes()[self.at..])
    }

    fn consume(&mut self, length: usize) {
        for byte in &self.text.as_bytes()[self.at..self.at + length] {
            match byte {
                b'\n' => (self.line, self.column) = (self.line + 1, 1),
                // The further bytes of a letter are no columns of their own.
                0x80..=0xbf => {}
                _ => self.column += 1,
            }
        }
        self.at += length;
        self.element += length;
    }
}
