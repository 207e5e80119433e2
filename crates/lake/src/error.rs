//! Why a data folder cannot be opened.

use std::path::PathBuf;

use base::{Coded, Kind};
use pools::TablesError;

/// Why the rows cannot be opened. Errors of single calls are
/// [`pools::TablesError`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process works in the folder.
    #[error("the folder \"{}\" is in use by another process", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// A record of the write-ahead log is damaged although later ones are
    /// whole: nothing is guessed, a person must look.
    #[error("the write-ahead log is damaged: segment \"{}\", offset {offset}: {detail}", .segment.display())]
    DamagedLog {
        /// The segment file.
        segment: PathBuf,
        /// Where in it the damage begins.
        offset: u64,
        /// What is wrong there.
        detail: String,
    },
    /// A table at rest does not agree with the log, or cannot be read.
    #[error("the table in \"{}\" cannot be opened: {detail}", .folder.display())]
    DamagedTable {
        /// The table's folder.
        folder: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The disk refused.
    #[error("cannot use \"{}\"", .path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Locked { .. } => Kind::Conflict,
            Error::DamagedLog { .. } | Error::DamagedTable { .. } | Error::Disk { .. } => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Locked { .. } => "data-folder-in-use",
            Error::DamagedLog { .. } => "log-damaged",
            Error::DamagedTable { .. } => "table-damaged",
            Error::Disk { .. } => "disk-refused",
        }
    }
}

/// Returns the error of a call whose failure nobody can do anything about but
/// read.
pub(crate) fn failed(detail: impl std::fmt::Display) -> TablesError {
    TablesError::Failed { detail: detail.to_string() }
}
