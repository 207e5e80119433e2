//! An import: files that wait, what they seem to hold, and what a person says
//! about them.

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::Format;
use super::pieces::{ImportReading, ReadColumn};
use super::preview::{Preview, PreviewTable};
use super::survey::Part;
use crate::push_job::{DeclaredColumn, DeclaredType, FileType, PushJobSpec, PushType};
use crate::rows::ColumnType;
use crate::{ChunkId, ColumnOptions, CsvOptions, Error, ImportId, PoolId, PushJobId, State};

/// What a person says about an import. What is unset is guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ImportOptions {
    /// The table; named after the file if unset. A log that becomes several
    /// tables puts this in front of their names.
    pub table: Option<String>,
    /// What the files are.
    pub format: Option<Format>,
    /// The table holds these rows and no others afterwards.
    pub replace: bool,
    /// Key columns, by their names in the file or in the table: rows with equal
    /// keys are replaced. None to add.
    pub keys: Vec<String>,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// What is said of single columns.
    pub columns: Vec<ColumnChoice>,
    /// The column that says which case an event belongs to.
    pub case: Option<String>,
    /// The column that says what was done.
    pub activity: Option<String>,
    /// The column that says when.
    pub time: Option<String>,
}

/// What a person says of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ColumnChoice {
    /// Its name in the file, in any case.
    pub name: String,
    /// Its name in the table, where that differs.
    pub rename: Option<String>,
    /// What it holds. Said so, it binds: a value that does not fit ends the
    /// import, and is named by file, line and column.
    #[serde(rename = "type")]
    pub column_type: Option<ColumnType>,
    /// Leave it out.
    pub skip: bool,
    /// How its times are written, as a Java pattern.
    pub date_format: Option<String>,
    /// What stands before its decimals.
    pub decimal_separator: Option<String>,
    /// What stands between its thousands.
    pub thousand_separator: Option<String>,
}

impl ImportOptions {
    /// Returns what is said of a column.
    pub(crate) fn of_column(&self, name: &str) -> Option<&ColumnChoice> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Returns how CSV is said to be written, single columns among it.
    pub(crate) fn told(&self) -> CsvOptions {
        let mut csv = self.csv.clone();
        for column in &self.columns {
            let said = [&column.date_format, &column.decimal_separator, &column.thousand_separator];
            if said.iter().any(|option| option.is_some()) {
                csv.columns.push(ColumnOptions {
                    column: column.name.clone(),
                    date_format: column.date_format.clone(),
                    thousand_separator: column.thousand_separator.clone(),
                    decimal_separator: column.decimal_separator.clone(),
                });
            }
        }
        csv
    }
}

/// A file of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFile {
    /// Its id, and the name of its file in the spool.
    pub id: ChunkId,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the bytes as they came, in hexadecimal.
    pub checksum: String,
    /// How many bytes came.
    pub bytes: u64,
}

/// What is kept of an import beside its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    pub(crate) options: ImportOptions,
    pub(crate) preview: Preview,
    /// What was found by reading a log to its end.
    pub(crate) parts: Vec<Part>,
    /// What was found strange then.
    pub(crate) notes: Vec<String>,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Names of all files.
    pub(crate) names: Vec<String>,
}

/// A push job of an import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportJob {
    /// The job.
    pub job: PushJobId,
    /// Its table.
    pub table: String,
    /// Where it stands; `None` if it was deleted since.
    pub state: Option<State>,
    /// What there is to say about it.
    pub logs: Vec<String>,
    /// Rows that it brought, once it is done.
    pub rows: u64,
}

/// Where an import stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Its files wait for a person's word.
    Staged,
    /// Its rows are on their way.
    Loading,
    /// Its rows are in the tables.
    Done,
    /// Its jobs say why. Nothing is visible of those that failed; a log of
    /// objects fills several tables, and those that came before are there.
    Failed,
}

impl ImportState {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            ImportState::Staged => "staged",
            ImportState::Loading => "loading",
            ImportState::Done => "done",
            ImportState::Failed => "failed",
        }
    }
}

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    /// Its id.
    pub id: ImportId,
    /// Whose tables it fills.
    pub pool: PoolId,
    /// What was said about it.
    pub options: ImportOptions,
    /// What a person sees before the commit.
    pub preview: Preview,
    /// Names of its files.
    pub files: Vec<String>,
    /// Bytes of all files, as they came.
    pub bytes: u64,
    /// Where it stands.
    pub state: ImportState,
    /// Bytes that were read so far; of a log that becomes several tables, the
    /// mean over them.
    pub bytes_read: u64,
    /// Rows that were read so far.
    pub rows_read: u64,
    /// The jobs that bring its rows, once it is committed.
    pub jobs: Vec<ImportJob>,
    /// When its files had come.
    pub created_at: Timestamp,
    /// Name of who brought them.
    pub created_by: String,
}

/// Tells where an import stands, by where its jobs stand.
pub(crate) fn state_of(committed: bool, jobs: &[ImportJob]) -> ImportState {
    if !committed {
        return ImportState::Staged;
    }
    let any = |wanted: fn(State) -> bool| jobs.iter().filter_map(|job| job.state).any(wanted);
    if any(|state| !state.is_final()) {
        return ImportState::Loading;
    }
    if any(|state| matches!(state, State::Error | State::Canceled)) {
        return ImportState::Failed;
    }
    ImportState::Done
}

/// Makes the push jobs of an import: one for each table.
pub(crate) fn jobs_of(document: &Document) -> Result<Vec<PushJobSpec>, Error> {
    let tables =
        document.preview.tables.iter().filter(|table| table.columns.iter().any(|column| column.target.is_some()));
    let jobs: Vec<_> = tables.map(|table| job_of(document, table)).collect::<Result<_, _>>()?;
    if jobs.is_empty() {
        return Err(refuse("it has no columns that could go into a table"));
    }
    Ok(jobs)
}

fn job_of(document: &Document, table: &PreviewTable) -> Result<PushJobSpec, Error> {
    let Document { options, preview, .. } = document;
    let mut spec = PushJobSpec::csv(&table.table);
    spec.job_type = if options.replace { PushType::Replace } else { PushType::Delta };
    spec.keys = keys_of(options, preview.format, table)?;
    spec.file_type = if preview.format == Format::Parquet { FileType::Parquet } else { FileType::Csv };
    if preview.format == Format::Csv {
        spec.csv = preview.csv.clone();
        spec.declared = options.columns.iter().filter_map(declared).collect();
    }
    if preview.format != Format::Parquet {
        spec.import = Some(ImportReading {
            format: preview.format,
            part: table.part.clone(),
            columns: table
                .columns
                .iter()
                .map(|column| ReadColumn {
                    name: column.name.clone(),
                    target: column.target.clone(),
                    column_type: (preview.format != Format::Csv).then_some(column.column_type),
                })
                .collect(),
        });
    }
    Ok(spec)
}

fn declared(choice: &ColumnChoice) -> Option<DeclaredColumn> {
    let column_type = match choice.column_type? {
        ColumnType::Integer => DeclaredType::Integer,
        ColumnType::Float => DeclaredType::Float,
        ColumnType::Time => DeclaredType::DateTime,
        ColumnType::Boolean => DeclaredType::Boolean,
        ColumnType::Text => DeclaredType::String,
    };
    Some(DeclaredColumn { name: choice.name.clone(), column_type, length: None, key: false })
}

/// Returns the key columns by their names in the table.
fn keys_of(options: &ImportOptions, format: Format, table: &PreviewTable) -> Result<Vec<String>, Error> {
    match format {
        Format::Ocel if !options.keys.is_empty() => {
            let detail =
                "an object-centric log becomes several tables, which have no keys in common: replace them instead";
            return Err(refuse(detail));
        }
        _ => {}
    }
    options.keys.iter().map(|key| table.target_of(key).map(str::to_owned)).collect()
}

pub(crate) fn refuse(detail: impl Into<String>) -> Error {
    Error::BadImport { detail: detail.into() }
}
