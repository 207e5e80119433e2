//! One chunk: a file with a header and rows that are not longer than it.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::import::{BytesRead, CountedFile};
use crate::push_job::ChunkKind;

use super::charset::{Letters, NotText};
use super::options::Dialect;
use super::records::{Record, Records};

/// A chunk as a file.
#[derive(Clone, Debug)]
pub(crate) struct ChunkFile {
    pub(crate) kind: ChunkKind,
    /// What its caller calls it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Counts what was read of it.
    pub(crate) read: BytesRead,
}

/// Why a job cannot be loaded.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The rows are at fault; the sentence names file, line and column.
    Rows(String),
    /// Whoever takes the pieces takes no more.
    Stopped,
}

/// How the sentence ends that suspects the separator.
pub(crate) const SUSPICION: &str = "check separatorSequence";

/// A chunk with its header read.
pub(crate) struct ChunkReader<'a> {
    /// What its caller calls the file.
    pub(crate) file: &'a str,
    /// Names of the columns; none is empty, no two are equal.
    pub(crate) header: Vec<String>,
    records: Records,
}

impl<'a> ChunkReader<'a> {
    /// Opens a chunk and reads its header.
    pub(crate) fn open(chunk: &'a ChunkFile, dialect: &Dialect) -> Result<Self, Refusal> {
        let file = chunk.name.as_str();
        let refuse = |detail: &dyn std::fmt::Display| Refusal::Rows(format!("file \"{file}\": {detail}"));
        let source = CountedFile::open(&chunk.path, &chunk.read).map_err(|error| refuse(&NotText::Disk(error)))?;
        let letters = Letters::open(source, dialect.charset).map_err(|error| refuse(&error))?;
        let mut records = Records::new(letters, dialect);
        let header = match records.next() {
            Ok(Some(record)) => record.fields().map(str::to_owned).collect::<Vec<_>>(),
            Ok(None) => return Err(refuse(&NotText::Empty)),
            Err(error) => return Err(refuse(&error)),
        };
        let header = named(header).map_err(|detail| refuse(&detail))?;
        Ok(ChunkReader { file, header, records })
    }

    /// Names the file in front of what is wrong with it.
    pub(crate) fn refusal(&self, detail: &dyn std::fmt::Display) -> Refusal {
        Refusal::Rows(format!("file \"{}\": {detail}", self.file))
    }

    /// Returns the next row; one that is longer than the header is refused.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>, Refusal> {
        let file = self.file;
        let columns = self.header.len();
        match self.records.next() {
            Ok(Some(record)) if record.len() > columns => {
                let (line, fields, first) = (record.line, record.len(), record.field(columns));
                let shown: String = first.chars().take(60).collect();
                let place = columns + 1;
                Err(Refusal::Rows(format!(
                    "file \"{file}\", line {line}, column {place}: the row has {fields} fields where the header has \
                     {columns}; {shown:?} is one too many"
                )))
            }
            Ok(record) => Ok(record),
            Err(error) => Err(Refusal::Rows(format!("file \"{file}\": {error}"))),
        }
    }

    /// Says that the separator is probably another one.
    pub(crate) fn suspicion(&self, dialect: &Dialect) -> Option<String> {
        let [only] = self.header.as_slice() else { return None };
        let others = [(";", ";"), (",", ","), ("\t", "\\t"), ("|", "|")];
        let (_, shown) = others.iter().find(|(other, _)| *other != dialect.separator && only.contains(other))?;
        Some(format!("one column, its header contains `{shown}`: {SUSPICION}"))
    }
}

/// Gives a name to columns that have none, and refuses two of one name.
fn named(header: Vec<String>) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    let mut known = HashMap::with_capacity(header.len());
    for (place, name) in header.into_iter().enumerate() {
        let name = if name.trim().is_empty() { format!("column_{}", place + 1) } else { name.trim().to_owned() };
        if let Some(other) = known.insert(name.to_ascii_lowercase(), place) {
            return Err(format!("columns {} and {} are both named \"{name}\"", other + 1, place + 1));
        }
        names.push(name);
    }
    Ok(names)
}
