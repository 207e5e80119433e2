//! Import: event logs as people have them.
//!
//! From the file to the table: [`source`] makes text of bytes and counts lines,
//! [`format`](mod@format) tells what a file is, [`value`] is what a log says of
//! one thing, [`xes`] and [`ocel`] read the two formats of process mining,
//! [`survey`] gathers what columns a log has, and [`pieces`] makes rows of it.
//! [`dialect`], [`roles`] and [`preview`] are the guesses that a person sees
//! before anything is committed; [`import`], [`imports`], [`import_tables`] and
//! [`staging`] are the life of an import.
//!
//! What cannot happen here:
//!
//! * A guess binds. Only what a person says about a column binds; a guess that
//!   the file does not bear out leaves the column text.
//! * A text is taken for nothing. Missing is the empty field only; a case
//!   called `NA` is a case.
//! * A log is in the table in part: its rows travel in a push job, and a log
//!   of several tables is read to its end before the first of them is touched.

mod source;
mod format;
mod value;
mod xes;
mod ocel;
mod survey;
mod pieces;
mod dialect;
mod roles;
mod parquet;
mod preview;
#[expect(clippy::module_inception, reason = "the noun of this folder")]
mod import;
mod imports;
mod import_tables;
mod staging;

pub use format::Format;
pub use import::{ColumnChoice, Import, ImportFile, ImportJob, ImportOptions, ImportState};
pub use imports::ImportUpload;
pub use pieces::{ImportReading, ReadColumn};
pub use preview::{Preview, PreviewColumn, PreviewTable};
pub use roles::{GuessedRole, Role};

pub(crate) use import_tables::files_needed;
pub(crate) use roles::{ColumnSeen, guess as guess_roles};
pub(crate) use source::{BytesRead, CountedFile};
pub(crate) use staging::Progress;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::csv::Refusal;
use crate::rows::ColumnType;

use value::Field;

/// A file of a log.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    /// What its owner calls it.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

impl LogFile {
    /// Names the file in front of what is wrong with it.
    pub(crate) fn refusal(&self, detail: &dyn fmt::Display) -> Refusal {
        Refusal::Rows(format!("file \"{}\": {detail}", self.name))
    }
}

/// What a reader of logs tells.
pub(crate) enum Told<'a> {
    /// A row of a part of the log (a log of one table has one part, without a
    /// name), and the line in which it begins where that is known.
    Row { part: &'a str, fields: &'a [Field], line: Option<u64> },
    /// That there is such a part, and what its columns are said to hold.
    Declared { part: &'a str, columns: &'a [(String, ColumnType)] },
}

/// Takes what a reader tells.
pub(crate) type Take<'a> = dyn FnMut(Told<'_>) -> Result<(), Refusal> + 'a;

/// Reads a log to its end.
pub(crate) fn read(
    format: Format,
    file: &LogFile,
    progress: &BytesRead,
    notes: &mut LogNotes,
    take: &mut Take<'_>,
) -> Result<(), Refusal> {
    match format {
        Format::Ocel => ocel::read(file, progress, notes, take),
        Format::Xes | Format::Csv | Format::Parquet => xes::read(file, progress, notes, take),
    }
}

/// What there is to say about a log, in sentences, none twice.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogNotes {
    sentences: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

impl LogNotes {
    pub(crate) fn add(&mut self, sentence: String) {
        if !self.sentences.contains(&sentence) {
            self.sentences.push(sentence);
        }
    }

    /// Counts something that would else be said a thousand times.
    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn sentences(self) -> Vec<String> {
        let counted = self.counts.into_iter().map(|(what, count)| format!("{count} {what}"));
        self.sentences.into_iter().chain(counted).collect()
    }
}

#[cfg(test)]
mod tests;
