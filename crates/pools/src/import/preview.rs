//! What a person sees before anything is committed.

use serde::{Deserialize, Serialize};

use super::format::Head;
use super::import::{ImportOptions, refuse};
use super::roles::{self, ColumnSeen, GuessedRole, Role};
use super::source::BytesRead;
use super::survey::{self, Part, ROWS_SHOWN};
use super::{Format, LogFile, dialect};
use crate::csv::{Forms, Guess, Refusal};
use crate::rows::ColumnType;
use crate::{ActivityTable, CsvOptions, DataModelSpec, Error};

/// What the files seem to hold, and what would become of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// What the files are.
    pub format: Format,
    /// They are packed.
    pub zipped: bool,
    /// How CSV is read; empty for the other formats.
    pub csv: CsvOptions,
    /// The tables that they become.
    pub tables: Vec<PreviewTable>,
    /// What looks strange, in sentences.
    pub warnings: Vec<String>,
}

/// A table that would be filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewTable {
    /// Which part of the log goes in; empty where there is one.
    pub part: String,
    /// Its name.
    pub table: String,
    /// How many rows there are; `None` where nobody knows yet.
    pub rows: Option<u64>,
    /// They were counted, not estimated.
    pub exact: bool,
    /// Its columns.
    pub columns: Vec<PreviewColumn>,
    /// The first rows, as the file states them, in order of the columns.
    pub first: Vec<Vec<Option<String>>>,
}

/// A column that would be filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewColumn {
    /// Its name in the file.
    pub name: String,
    /// Its name in the table; `None` if it is left out.
    pub target: Option<String>,
    /// What it seems to hold, or is said to.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// How that came about, in words.
    pub reason: String,
    /// What it says of the process.
    pub role: Option<GuessedRole>,
}

impl PreviewTable {
    /// Finds a column by its name in the file or in the table, and returns the
    /// latter.
    pub(crate) fn target_of(&self, name: &str) -> Result<&str, Error> {
        let called = |text: &str| text.eq_ignore_ascii_case(name.trim());
        let found =
            self.columns.iter().find(|column| called(&column.name) || column.target.as_deref().is_some_and(called));
        match found {
            Some(column) => column.target.as_deref().ok_or_else(|| refuse(format!("column \"{name}\" is left out"))),
            None => {
                let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).take(50).collect();
                Err(refuse(format!("there is no column \"{name}\"; there are \"{}\"", names.join("\", \""))))
            }
        }
    }

    /// Returns the name in the table of the column with a role.
    pub fn column_with(&self, role: Role) -> Option<&str> {
        let found = self.columns.iter().find(|column| column.role.as_ref().is_some_and(|guess| guess.role == role));
        found.and_then(|column| column.target.as_deref())
    }

    /// Returns a data model of this table alone, where its columns say enough.
    pub fn data_model(&self) -> Option<DataModelSpec> {
        let column = |role| self.column_with(role).map(str::to_owned);
        let (start, time) = (column(Role::Start), column(Role::Time)?);
        let (timestamp_column, end_timestamp_column) = match start {
            Some(start) => (start, Some(time)),
            None => (time, None),
        };
        Some(DataModelSpec {
            name: self.table.clone(),
            tables: vec![self.table.clone()],
            foreign_keys: Vec::new(),
            activity: ActivityTable {
                table: self.table.clone(),
                case_column: column(Role::Case)?,
                activity_column: column(Role::Activity)?,
                timestamp_column,
                end_timestamp_column,
                sorting_column: None,
                case_table: None,
                case_table_column: None,
            },
        })
    }
}

/// Finds out what the files are; all are of one format.
pub(crate) fn format_of_all(files: &[LogFile], options: &ImportOptions) -> Result<Format, Error> {
    let first = files.first().ok_or_else(|| refuse("there is no file"))?;
    let format = format_of(first, options)?;
    for file in &files[1..] {
        let other = format_of(file, options)?;
        if other != format {
            let (one, two) = (&first.name, &file.name);
            return Err(refuse(format!(
                "\"{one}\" is {format} and \"{two}\" is {other}: import them one after the other"
            )));
        }
    }
    Ok(format)
}

/// Reads the files of a log for its parts, and what looks strange in them.
/// CSV has none: its head says enough. Those of Parquet lie behind the port.
pub(crate) fn parts_of(files: &[LogFile], format: Format) -> Result<(Vec<Part>, Vec<String>), Error> {
    match format {
        Format::Xes | Format::Ocel => {
            let survey = survey::survey(format, files, &BytesRead::default()).map_err(|refusal| match refusal {
                Refusal::Rows(sentence) => refuse(sentence),
                Refusal::Stopped => refuse("its reading was broken off"),
            })?;
            if let (Format::Xes, true, Some(first)) = (format, survey.parts.is_empty(), files.first()) {
                return Err(refuse(format!("file \"{}\": it has no events", first.name)));
            }
            Ok((survey.parts, survey.notes))
        }
        Format::Csv | Format::Parquet => Ok((Vec::new(), Vec::new())),
    }
}

fn format_of(file: &LogFile, options: &ImportOptions) -> Result<Format, Error> {
    if let Some(format) = options.format {
        return Ok(format);
    }
    let head = Head::of(&file.path).map_err(|error| refuse(format!("file \"{}\": {error}", file.name)))?;
    head.format().map_err(|sentence| refuse(format!("file \"{}\": {sentence}", file.name)))
}

/// Makes the preview from what was found by reading the files.
pub(crate) fn preview(
    files: &[LogFile],
    bytes: u64,
    format: Format,
    parts: &[Part],
    notes: &[String],
    options: &ImportOptions,
) -> Result<Preview, Error> {
    let first = files.first().ok_or_else(|| refuse("there is no file"))?;
    let table = match options.table.as_deref().filter(|table| !table.trim().is_empty()) {
        Some(table) => crate::pool::named("table", table)?,
        None => table_named_after(&first.name),
    };
    let head = Head::of(&first.path).map_err(|error| refuse(format!("file \"{}\": {error}", first.name)))?;
    let mut preview = Preview {
        format,
        zipped: head.zipped,
        csv: CsvOptions::default(),
        tables: Vec::new(),
        warnings: notes.to_vec(),
    };
    match format {
        Format::Csv => csv(&mut preview, files, &head, bytes, table, options)?,
        Format::Parquet => {
            if options
                .columns
                .iter()
                .any(|column| column.rename.is_some() || column.skip || column.column_type.is_some())
            {
                return Err(refuse("the columns of a Parquet file keep their names and types"));
            }
            preview.tables.extend(parts.iter().map(|part| table_of(part, &table, "the file says so")));
        }
        Format::Xes | Format::Ocel => {
            for part in parts {
                preview.tables.push(table_of(part, &table, "the log says so"));
            }
        }
    }
    for table in &mut preview.tables {
        choose(table, options)?;
    }
    check(&preview, options)?;
    give_roles(&mut preview, options)?;
    Ok(preview)
}

/// Makes a table's name of a file's.
fn table_named_after(file: &str) -> String {
    let base = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let mut stem = base;
    for ending in [".gz", ".csv", ".tsv", ".txt", ".parquet", ".xes", ".json", ".jsonocel", ".ocel"] {
        let cut = stem.len().saturating_sub(ending.len());
        if stem.is_char_boundary(cut) && stem[cut..].eq_ignore_ascii_case(ending) {
            stem = &stem[..cut];
        }
    }
    let plain = stem.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' });
    let name: String = plain.collect::<String>().trim_matches('_').chars().take(100).collect();
    if name.is_empty() { "events".to_owned() } else { name }
}

fn csv(
    preview: &mut Preview,
    files: &[LogFile],
    head: &Head,
    bytes: u64,
    table: String,
    options: &ImportOptions,
) -> Result<(), Error> {
    let told = options.told();
    let in_file = |file: &LogFile, sentence: String| refuse(format!("file \"{}\": {sentence}", file.name));
    let guessed = dialect::guess(head, &told).map_err(|sentence| in_file(&files[0], sentence))?;
    for other in &files[1..] {
        let head = Head::of(&other.path).map_err(|error| in_file(other, error.to_string()))?;
        let also = dialect::guess(&head, &guessed.options).map_err(|sentence| in_file(other, sentence))?;
        let missing =
            guessed.header.iter().find(|name| !also.header.iter().any(|also| also.eq_ignore_ascii_case(name)));
        if let Some(missing) = missing {
            preview.warnings.push(format!("file \"{}\" has no column \"{missing}\": it is empty there", other.name));
        }
    }
    let columns = guessed.header.iter().enumerate().map(|(place, name)| {
        let values: Vec<&str> = guessed
            .rows
            .iter()
            .filter_map(|row| row.get(place))
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        let (forms, _) = Forms::of(name, &guessed.options);
        let mut guess = Guess::new(forms, None);
        for text in &values {
            guess.see(text);
        }
        let column_type = guess.answer();
        let reason = reason(column_type, values.len(), &guessed.options, name);
        let column = PreviewColumn { name: name.clone(), target: Some(name.clone()), column_type, reason, role: None };
        (column, values)
    });
    let (mut columns, values): (Vec<_>, Vec<_>) = columns.unzip();
    let seen: Vec<_> = columns
        .iter()
        .zip(values)
        .map(|(column, values)| ColumnSeen {
            name: &column.name,
            column_type: column.column_type,
            values,
            rows: guessed.rows.len(),
        })
        .collect();
    let roles = roles::guess(&seen);
    drop(seen);
    for (column, role) in columns.iter_mut().zip(roles) {
        column.role = role;
    }
    // What was looked at may be all there is.
    let exact = head.whole && files.len() == 1 && guessed.rows.len() < dialect::ROWS_MAX;
    let rows = if exact { Some(guessed.rows.len() as u64) } else { rows_estimated(&guessed, head, bytes) };
    let width = columns.len();
    let first = guessed
        .rows
        .iter()
        .take(ROWS_SHOWN)
        .map(|row| (0..width).map(|place| row.get(place).filter(|text| !text.is_empty()).cloned()).collect());
    preview.warnings.extend(guessed.warnings);
    preview.csv = guessed.options;
    preview.tables.push(PreviewTable { part: String::new(), table, rows, exact, columns, first: first.collect() });
    Ok(())
}

/// Estimates the rows of a file by the length of those that were seen.
fn rows_estimated(guessed: &dialect::GuessedDialect, head: &Head, bytes: u64) -> Option<u64> {
    let seen: usize = guessed.rows.iter().map(|row| row.iter().map(|field| field.len() + 1).sum::<usize>()).sum();
    if seen == 0 || head.packed == 0 {
        return None;
    }
    let row_bytes = seen as f64 / guessed.rows.len() as f64;
    let unpacked = bytes as f64 * head.bytes.len() as f64 / head.packed as f64;
    Some((unpacked / row_bytes).round() as u64)
}

fn reason(column_type: ColumnType, values: usize, options: &CsvOptions, name: &str) -> String {
    if values == 0 {
        return "it is empty as far as it was seen".to_owned();
    }
    let all = format!("all {values} values seen");
    match column_type {
        ColumnType::Time => match options.date_format(name) {
            Some(pattern) => format!("{all} are {pattern}"),
            None => format!("{all} are ISO 8601"),
        },
        ColumnType::Integer => format!("{all} are whole numbers"),
        ColumnType::Float => match options.decimal_separator(name) {
            Some(decimal) => format!("{all} are numbers with `{decimal}`"),
            None => format!("{all} are numbers"),
        },
        ColumnType::Boolean => format!("{all} are true or false"),
        ColumnType::Text => format!("not all of {values} values seen are numbers or times"),
    }
}

fn table_of(part: &Part, table: &str, reason: &str) -> PreviewTable {
    let name = if part.name.is_empty() { table.to_owned() } else { format!("{table}_{}", plain(&part.name)) };
    let values: Vec<Vec<&str>> = (0..part.columns.len())
        .map(|place| part.first.iter().filter_map(|row| row[place].as_deref()).collect())
        .collect();
    let seen: Vec<_> = part
        .columns
        .iter()
        .zip(values)
        .map(|((name, column_type), values)| ColumnSeen {
            name,
            column_type: *column_type,
            values,
            rows: part.first.len(),
        })
        .collect();
    let mut roles = roles::guess(&seen);
    // Only events have roles; what an object is called is no case of its own.
    if !roles.iter().flatten().any(|guess| guess.role == Role::Activity) {
        roles.fill(None);
    }
    let columns = part.columns.iter().zip(roles).map(|((name, column_type), role)| PreviewColumn {
        name: name.clone(),
        target: Some(name.clone()),
        column_type: *column_type,
        reason: reason.to_owned(),
        role,
    });
    PreviewTable {
        part: part.name.clone(),
        table: name,
        rows: Some(part.rows),
        exact: true,
        columns: columns.collect(),
        first: part.first.clone(),
    }
}

fn plain(name: &str) -> String {
    name.trim().chars().map(|letter| if letter.is_alphanumeric() || letter == '_' { letter } else { '_' }).collect()
}

/// Lets a person's choices win over the guesses.
fn choose(table: &mut PreviewTable, options: &ImportOptions) -> Result<(), Error> {
    for column in &mut table.columns {
        let Some(choice) = options.of_column(&column.name) else { continue };
        if let Some(rename) = choice.rename.as_deref().filter(|rename| !rename.trim().is_empty()) {
            column.target = Some(crate::pool::named("column", rename)?);
        }
        if let Some(column_type) = choice.column_type {
            column.column_type = column_type;
            "you said so".clone_into(&mut column.reason);
        }
        if choice.skip {
            column.target = None;
            column.role = None;
        }
    }
    for (place, column) in table.columns.iter().enumerate() {
        let twin = |other: &PreviewColumn| match (&other.target, &column.target) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        };
        if let Some(other) = table.columns[..place].iter().find(|other| twin(other)) {
            let (one, two, name) = (&other.name, &column.name, column.target.as_deref().unwrap_or_default());
            return Err(refuse(format!("columns \"{one}\" and \"{two}\" would both be called \"{name}\"")));
        }
    }
    Ok(())
}

/// Refuses choices that mean nothing.
fn check(preview: &Preview, options: &ImportOptions) -> Result<(), Error> {
    for choice in &options.columns {
        let known =
            |table: &PreviewTable| table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(&choice.name));
        if !preview.tables.iter().any(known) {
            let table = preview.tables.first().ok_or_else(|| refuse("it has no rows"))?;
            table.target_of(&choice.name)?;
        }
    }
    Ok(())
}

/// Gives a table the roles that a person chose, if it has the columns.
fn give_roles(preview: &mut Preview, options: &ImportOptions) -> Result<(), Error> {
    let chosen = [(Role::Case, &options.case), (Role::Activity, &options.activity), (Role::Time, &options.time)];
    for (role, name) in chosen {
        let Some(name) = name.as_deref().filter(|name| !name.is_empty()) else { continue };
        let mut found = false;
        for table in &mut preview.tables {
            let Ok(target) = table.target_of(name).map(str::to_owned) else { continue };
            found = true;
            for column in &mut table.columns {
                let is_it = column.target.as_deref() == Some(&target);
                if is_it {
                    column.role = Some(GuessedRole { role, confidence: 1.0, reason: "you said so".to_owned() });
                } else if column.role.as_ref().is_some_and(|guess| guess.role == role) {
                    column.role = None;
                }
            }
        }
        if let (false, Some(table)) = (found, preview.tables.first()) {
            table.target_of(name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
