//! A push job on the wire.
//!
//! Clients send every key, the unset ones as `null` or 0, and some send keys
//! that no reference knows. All of them come back in the answer as they were
//! sent; those that mean something here are read into the job.

use base::Timestamp;
use pools::{
    ColumnOptions, CsvOptions, DeclaredColumn, DeclaredType, FileType, PushJob, PushJobSpec, PushType, UpsertStrategy,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::body;
use crate::fault::Fault;

/// Keys that every answer has, whatever the request had.
const KEYS: [&str; 24] = [
    "id",
    "dataPoolId",
    "connectionId",
    "targetName",
    "targetSchema",
    "mirrorTargetNames",
    "type",
    "fileType",
    "status",
    "keys",
    "foreignKeys",
    "upsertStrategy",
    "allowDuplicate",
    "fallbackVarcharLength",
    "tableSchema",
    "csvParsingOptions",
    "optionalColumns",
    "postExecutionQuery",
    "sanitizedPostExecutionQuery",
    "logs",
    "creationDate",
    "changeDate",
    "lastModified",
    "lastPing",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    target_name: Option<String>,
    #[serde(rename = "type")]
    job_type: Option<JobType>,
    file_type: Option<FileForm>,
    keys: Option<Vec<String>>,
    upsert_strategy: Option<Strategy>,
    connection_id: Option<String>,
    fallback_varchar_length: Option<u32>,
    table_schema: Option<TableSchema>,
    csv_parsing_options: Option<CsvForm>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum JobType {
    Replace,
    Delta,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum FileForm {
    Parquet,
    Csv,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Strategy {
    UpsertWithUnchangedMetadata,
    UpsertWithNullification,
}

#[derive(Deserialize)]
struct TableSchema {
    columns: Option<Vec<SchemaColumn>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaColumn {
    column_name: String,
    column_type: ColumnForm,
    field_length: Option<u32>,
    pk_field: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum ColumnForm {
    Integer,
    Date,
    Time,
    DateTime,
    Float,
    Boolean,
    String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CsvForm {
    separator_sequence: Option<String>,
    quote_sequence: Option<String>,
    escape_sequence: Option<String>,
    line_ending: Option<String>,
    char_set: Option<String>,
    decimal_separator: Option<String>,
    #[serde(alias = "thousandsSeparator")]
    thousand_separator: Option<String>,
    date_format: Option<String>,
    additional_column_options: Option<Vec<ColumnOptionsForm>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ColumnOptionsForm {
    column_name: String,
    date_format: Option<String>,
    // With an "s" here and without one above: the wire's own spelling.
    #[serde(alias = "thousandSeparator")]
    thousands_separator: Option<String>,
    decimal_separator: Option<String>,
}

/// Reads a push job from a JSON text.
pub(crate) fn read(text: &str) -> Result<PushJobSpec, Fault> {
    let form: Form = body::parse(text.as_bytes())?;
    let echo: Map<String, Value> = body::parse(text.as_bytes())?;
    let missing = |key: &'static str| Fault::invalid(key, "key-missing", format!("\"{key}\" is missing"));
    let schema = form.table_schema.and_then(|schema| schema.columns).unwrap_or_default();
    Ok(PushJobSpec {
        target: form.target_name.ok_or_else(|| missing("targetName"))?,
        job_type: match form.job_type.ok_or_else(|| missing("type"))? {
            JobType::Replace => PushType::Replace,
            JobType::Delta => PushType::Delta,
        },
        file_type: match form.file_type {
            Some(FileForm::Csv) => FileType::Csv,
            // The default of the original, which every client knows.
            Some(FileForm::Parquet) | None => FileType::Parquet,
        },
        keys: form.keys.unwrap_or_default(),
        upsert_strategy: match form.upsert_strategy {
            Some(Strategy::UpsertWithNullification) => UpsertStrategy::UpsertWithNullification,
            Some(Strategy::UpsertWithUnchangedMetadata) | None => UpsertStrategy::UpsertWithUnchangedMetadata,
        },
        connection: form.connection_id,
        fallback_varchar_length: form.fallback_varchar_length,
        declared: schema.into_iter().map(DeclaredColumn::from).collect(),
        csv: form.csv_parsing_options.map(CsvOptions::from).unwrap_or_default(),
        newest_by: None,
        instead_of: None,
        continuous: None,
        echo: Value::Object(echo),
        import: None,
        // Not the form says so, but the call.
        causes: base::Causes::NONE,
    })
}

/// Other options for a job that is loaded again.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Again {
    csv_parsing_options: CsvForm,
}

/// Reads how a job is to be loaded again: what is given takes the place of
/// what was.
pub(crate) fn read_again(job: &PushJob, text: &str) -> Result<PushJobSpec, Fault> {
    let again: Again = body::parse(text.as_bytes())?;
    let given: Map<String, Value> = body::parse(text.as_bytes())?;
    let (was, is) = (job.spec.csv.clone(), CsvOptions::from(again.csv_parsing_options));
    let csv = CsvOptions {
        separator: is.separator.or(was.separator),
        quote: is.quote.or(was.quote),
        escape: is.escape.or(was.escape),
        line_ending: is.line_ending.or(was.line_ending),
        charset: is.charset.or(was.charset),
        decimal_separator: is.decimal_separator.or(was.decimal_separator),
        thousand_separator: is.thousand_separator.or(was.thousand_separator),
        date_format: is.date_format.or(was.date_format),
        columns: if is.columns.is_empty() { was.columns } else { is.columns },
    };
    // The answer about the new job shows the options as they are now.
    let mut echo = match &job.spec.echo {
        Value::Object(echo) => echo.clone(),
        _ => Map::new(),
    };
    let options = echo.entry("csvParsingOptions").or_insert(Value::Null);
    let mut shown = options.as_object().cloned().unwrap_or_default();
    if let Some(Value::Object(given)) = given.get("csvParsingOptions") {
        shown.extend(
            given.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    *options = Value::Object(shown);
    Ok(PushJobSpec { csv, echo: Value::Object(echo), ..job.spec.clone() })
}

/// Writes a push job: what was sent, and over it what is known.
pub(super) fn write(job: &PushJob) -> Value {
    let mut wire: Map<String, Value> = KEYS.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    if let Value::Object(echo) = &job.spec.echo {
        wire.extend(echo.clone());
    }
    let job_type = match job.spec.job_type {
        PushType::Replace => JobType::Replace,
        PushType::Delta => JobType::Delta,
    };
    let file_type = match job.spec.file_type {
        FileType::Csv => FileForm::Csv,
        FileType::Parquet => FileForm::Parquet,
    };
    let known = json!({
        "id": job.id,
        "dataPoolId": job.pool,
        "targetName": job.spec.target,
        "type": job_type,
        "fileType": file_type,
        "status": job.state.as_str(),
        "logs": job.logs,
        "creationDate": job.created_at.as_millis(),
        "changeDate": job.changed_at.as_millis(),
        "lastModified": job.changed_at.as_millis(),
        "lastPing": job.executed_at.map(Timestamp::as_millis),
    });
    if let Value::Object(known) = known {
        wire.extend(known);
    }
    Value::Object(wire)
}

impl From<SchemaColumn> for DeclaredColumn {
    fn from(column: SchemaColumn) -> Self {
        DeclaredColumn {
            name: column.column_name,
            column_type: match column.column_type {
                ColumnForm::Integer => DeclaredType::Integer,
                ColumnForm::Date => DeclaredType::Date,
                ColumnForm::Time => DeclaredType::Time,
                ColumnForm::DateTime => DeclaredType::DateTime,
                ColumnForm::Float => DeclaredType::Float,
                ColumnForm::Boolean => DeclaredType::Boolean,
                ColumnForm::String => DeclaredType::String,
            },
            length: column.field_length,
            key: column.pk_field.unwrap_or(false),
        }
    }
}

impl From<CsvForm> for CsvOptions {
    fn from(form: CsvForm) -> Self {
        let columns = form.additional_column_options.unwrap_or_default();
        CsvOptions {
            separator: form.separator_sequence,
            quote: form.quote_sequence,
            escape: form.escape_sequence,
            line_ending: form.line_ending,
            charset: form.char_set,
            decimal_separator: form.decimal_separator,
            thousand_separator: form.thousand_separator,
            date_format: form.date_format,
            columns: columns.into_iter().map(ColumnOptions::from).collect(),
        }
    }
}

impl From<ColumnOptionsForm> for ColumnOptions {
    fn from(form: ColumnOptionsForm) -> Self {
        ColumnOptions {
            column: form.column_name,
            date_format: form.date_format,
            thousand_separator: form.thousands_separator,
            decimal_separator: form.decimal_separator,
        }
    }
}
