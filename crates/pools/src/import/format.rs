//! What a file is, told from how it begins rather than from its name.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

/// Bytes of a file that are looked at before anything is guessed.
pub(crate) const HEAD_BYTES: usize = 256 << 10;

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text with separators.
    Csv,
    /// Columns with types.
    Parquet,
    /// The XML of the IEEE standard for event logs.
    Xes,
    /// Object-centric event log, version 2.0, as JSON.
    Ocel,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Csv => "CSV",
            Format::Parquet => "Parquet",
            Format::Xes => "XES",
            Format::Ocel => "OCEL",
        })
    }
}

/// How a file begins.
pub(crate) struct Head {
    /// Its first bytes, unpacked.
    pub(crate) bytes: Vec<u8>,
    /// It is a gzip file.
    pub(crate) zipped: bool,
    /// The bytes are all there are.
    pub(crate) whole: bool,
    /// Bytes on disk that the first bytes took, roughly where it is zipped.
    pub(crate) packed: u64,
}

impl Head {
    /// Reads how a file begins.
    pub(crate) fn of(path: &Path) -> io::Result<Head> {
        let mut start = [0; 2];
        let length = File::open(path)?.read(&mut start)?;
        let zipped = start[..length] == [0x1f, 0x8b];
        let read = super::source::BytesRead::default();
        let file = super::source::CountedFile::open(path, &read)?;
        let mut bytes = Vec::new();
        if zipped {
            // A file that is not whole is found when it is read to its end.
            let unpacked = MultiGzDecoder::new(BufReader::with_capacity(4 << 10, file));
            let _ = unpacked.take(HEAD_BYTES as u64).read_to_end(&mut bytes);
        } else {
            file.take(HEAD_BYTES as u64).read_to_end(&mut bytes)?;
        }
        Ok(Head { whole: bytes.len() < HEAD_BYTES, bytes, zipped, packed: read.get() })
    }

    /// Tells what the file is; the error is a sentence.
    pub(crate) fn format(&self) -> Result<Format, String> {
        let bytes = self.bytes.as_slice();
        let plain: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).take(4_096).collect();
        let text = String::from_utf8_lossy(&plain);
        let text = text.trim_start_matches(['\u{feff}', '\u{fffd}']).trim_start();
        if bytes.is_empty() {
            return Err("it is empty".into());
        }
        match bytes {
            [b'P', b'A', b'R', b'1', ..] => return Ok(Format::Parquet),
            [b'P', b'K', 3, 4, ..] => {
                return Err("it is a zip archive or a spreadsheet: unpack it, or save the sheet as CSV".into());
            }
            [b'%', b'P', b'D', b'F', ..] => return Err("it is a PDF".into()),
            [b'S', b'Q', b'L', b'i', b't', b'e', ..] => {
                return Err("it is a SQLite file: export the log as OCEL 2.0 JSON".into());
            }
            [0x1f, 0x8b, ..] => return Err("it is packed twice: unpack it once".into()),
            _ => {}
        }
        if text.starts_with('{') {
            return self.of_json(text);
        }
        if !text.starts_with('<') {
            return Ok(Format::Csv);
        }
        match root_of(text) {
            Some("log" | "xes:log") | None => Ok(Format::Xes),
            Some("Log") => Err("its root is <Log>, where XES has <log>".into()),
            Some(root) => Err(format!("it is XML, yet its root is <{root}>, where XES has <log>")),
        }
    }

    fn of_json(&self, text: &str) -> Result<Format, String> {
        let has = |key: &str| text.contains(&format!("\"{key}\""));
        let version_2 = ["objectTypes", "eventTypes", "objects", "events"];
        if text.contains("\"ocel:") {
            return Err("it is OCEL 1.0: convert it to OCEL 2.0 (pm4py and ocpa can)".into());
        }
        let is_log = version_2.iter().any(|key| has(key)) || !self.whole;
        is_log.then_some(Format::Ocel).ok_or_else(|| {
            "it is JSON, yet it has none of objectTypes, eventTypes, objects and events, as OCEL 2.0 has".into()
        })
    }
}

/// Returns the name of the first element.
fn root_of(mut text: &str) -> Option<&str> {
    loop {
        text = text.trim_start();
        let end = match text.as_bytes() {
            [b'<', b'?', ..] => "?>",
            [b'<', b'!', b'-', b'-', ..] => "-->",
            [b'<', b'!', ..] => ">",
            [b'<', ..] => {
                let name = &text[1..];
                return name
                    .find(|letter: char| letter.is_whitespace() || letter == '>' || letter == '/')
                    .map(|end| &name[..end]);
            }
            _ => return None,
        };
        text = &text[text.find(end)? + end.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let head = Head { bytes: text.as_bytes().to_vec(), zipped: false, whole: true, packed: 0 };
        let answer = head.format().map_or_else(|sentence| sentence, |format| format.to_string());
        assert_eq!(answer, expected, "{text:?}");
    }

    #[test]
    fn a_file_is_what_it_begins_with() {
        check("case,activity\n", "CSV");
        check("\u{feff}case;activity\n", "CSV");
        check("PAR1", "Parquet");
        check("<?xml version=\"1.0\"?>\n<!-- by hand -->\n<log xes.version=\"1.0\">", "XES");
        check("\u{feff}<log>", "XES");
        check("{\n  \"objectTypes\": []}", "OCEL");
    }

    #[test]
    fn what_cannot_be_imported_is_called_by_its_name() {
        check("", "it is empty");
        check("PK\u{3}\u{4}", "it is a zip archive or a spreadsheet: unpack it, or save the sheet as CSV");
        check("<html>", "it is XML, yet its root is <html>, where XES has <log>");
        check("{\"ocel:global-log\": {}}", "it is OCEL 1.0: convert it to OCEL 2.0 (pm4py and ocpa can)");
        check(
            "{\"rows\": []}",
            "it is JSON, yet it has none of objectTypes, eventTypes, objects and events, as OCEL 2.0 has",
        );
    }
}
