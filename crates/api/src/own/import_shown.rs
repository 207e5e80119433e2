//! Imports as they are shown: where they stand, and what was found in the files.

use base::Timestamp;
use pools::rows::ColumnType;
use pools::{CsvOptions, Format, Import, ImportJob, PreviewColumn, PreviewTable, Role, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::data_models::Guessed;
use super::imports::Options;

/// Where an import stands, without its rows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Import)]
pub(super) struct Progress {
    id: String,
    pool: String,
    /// `staged`, `loading`, `done` or `failed`.
    state: &'static str,
    files: Vec<String>,
    bytes: u64,
    bytes_read: u64,
    rows_read: u64,
    jobs: Vec<Job>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
}

/// The push job of a table.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportJob)]
struct Job {
    id: String,
    table: String,
    #[schema(required = true)]
    status: Option<&'static str>,
    rows: u64,
    logs: Vec<String>,
}

/// An import with what was found in its files.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportWithPreview)]
pub(super) struct Shown {
    #[serde(flatten)]
    progress: Progress,
    /// What was said about it.
    options: Options,
    #[schema(value_type = String)]
    format: Format,
    zipped: bool,
    /// How its CSV is read.
    #[schema(required = true)]
    dialect: Option<Dialect>,
    tables: Vec<Table>,
    warnings: Vec<String>,
}

/// How CSV is read.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportDialect)]
struct Dialect {
    separator: String,
    quote: String,
    #[schema(required = true)]
    escape: Option<String>,
    charset: String,
    decimal_separator: String,
    #[schema(required = true)]
    thousand_separator: Option<String>,
    #[schema(required = true)]
    date_format: Option<String>,
    columns: Vec<DialectColumn>,
}

/// How a column of CSV is read that is other than the rest.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportDialectColumn)]
struct DialectColumn {
    name: String,
    #[schema(required = true)]
    date_format: Option<String>,
    #[schema(required = true)]
    decimal_separator: Option<String>,
    #[schema(required = true)]
    thousand_separator: Option<String>,
}

/// A table that would be filled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportTable)]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
struct Table {
    table: String,
    /// Which part of the files it is made of.
    part: String,
    /// How many rows it would get, as far as that is known.
    #[schema(required = true)]
    rows: Option<u64>,
    /// The rows were counted, and not only estimated.
    exact: bool,
    columns: Vec<Column>,
    /// Its first rows.
    first: Vec<Vec<Option<String>>>,
    #[schema(required = true)]
    data_model: Option<Guessed>,
}

/// A column as it was found.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportColumn)]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
struct Column {
    name: String,
    /// What it will be called; nothing if it is left out.
    #[schema(required = true)]
    target: Option<String>,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    column_type: ColumnType,
    /// Why it has this type.
    reason: String,
    #[schema(required = true)]
    role: Option<Guess>,
}

/// What a column may be for the process.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportRole)]
struct Guess {
    /// `case`, `activity`, `time`, `start` or `resource`.
    role: &'static str,
    /// From 0 to 1.
    confidence: f64,
    reason: String,
}

impl From<&Import> for Progress {
    fn from(import: &Import) -> Self {
        Progress {
            id: import.id.to_string(),
            pool: import.pool.to_string(),
            state: import.state.as_str(),
            files: import.files.clone(),
            bytes: import.bytes,
            bytes_read: import.bytes_read,
            rows_read: import.rows_read,
            jobs: import.jobs.iter().map(Job::from).collect(),
            created_at: import.created_at,
            created_by: import.created_by.clone(),
        }
    }
}

impl From<&ImportJob> for Job {
    fn from(job: &ImportJob) -> Self {
        Job {
            id: job.job.to_string(),
            table: job.table.clone(),
            status: job.state.map(State::as_str),
            rows: job.rows,
            logs: job.logs.clone(),
        }
    }
}

impl From<&Import> for Shown {
    fn from(import: &Import) -> Self {
        let preview = &import.preview;
        Shown {
            progress: import.into(),
            options: import.options.clone().into(),
            format: preview.format,
            zipped: preview.zipped,
            dialect: (preview.format == Format::Csv).then(|| Dialect::from(&preview.csv)),
            tables: preview.tables.iter().map(Table::from).collect(),
            warnings: preview.warnings.clone(),
        }
    }
}

impl From<&CsvOptions> for Dialect {
    fn from(csv: &CsvOptions) -> Self {
        let or = |said: &Option<String>, usual: &str| said.as_deref().unwrap_or(usual).to_owned();
        let columns = csv.columns.iter().map(|column| DialectColumn {
            name: column.column.clone(),
            date_format: column.date_format.clone(),
            decimal_separator: column.decimal_separator.clone(),
            thousand_separator: column.thousand_separator.clone(),
        });
        Dialect {
            separator: or(&csv.separator, ","),
            quote: or(&csv.quote, "\""),
            escape: csv.escape.clone(),
            charset: or(&csv.charset, "UTF-8"),
            decimal_separator: or(&csv.decimal_separator, "."),
            thousand_separator: csv.thousand_separator.clone(),
            date_format: csv.date_format.clone(),
            columns: columns.collect(),
        }
    }
}

impl From<&PreviewTable> for Table {
    fn from(table: &PreviewTable) -> Self {
        Table {
            table: table.table.clone(),
            part: table.part.clone(),
            rows: table.rows,
            exact: table.exact,
            columns: table.columns.iter().map(Column::from).collect(),
            first: table.first.clone(),
            data_model: table.data_model().map(Guessed::from),
        }
    }
}

impl From<&PreviewColumn> for Column {
    fn from(column: &PreviewColumn) -> Self {
        let role = column.role.as_ref().map(|guess| Guess {
            role: match guess.role {
                Role::Case => "case",
                Role::Activity => "activity",
                Role::Time => "time",
                Role::Start => "start",
                Role::Resource => "resource",
            },
            confidence: guess.confidence,
            reason: guess.reason.clone(),
        });
        Column {
            name: column.name.clone(),
            target: column.target.clone(),
            column_type: column.column_type,
            reason: column.reason.clone(),
            role,
        }
    }
}
