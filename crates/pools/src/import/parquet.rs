//! What Parquet files hold: they say themselves what their columns are.
//!
//! Parquet is read behind the port to the rows, so this is the one format of
//! which a look needs more than the files.

use super::survey::{Part, ROWS_SHOWN, word};
use super::{LogFile, import::refuse};
use crate::rows::{Cell, ColumnType, Rows};
use crate::{Error, Pools, TablesError};

impl Pools {
    /// Reads the heads of Parquet files that go into one table: its columns,
    /// how many rows there are, and the first ones of the first file. What
    /// looks strange comes back in sentences.
    pub(crate) async fn parquet_part(&self, files: &[LogFile]) -> Result<(Part, Vec<String>), Error> {
        let mut part = Part { name: String::new(), columns: Vec::new(), rows: 0, first: Vec::new() };
        let mut notes = Vec::new();
        for (place, file) in files.iter().enumerate() {
            let head = match self.tables.parquet_head(&file.path, ROWS_SHOWN).await {
                Ok(head) => head,
                Err(TablesError::BadFile { detail, .. }) => {
                    return Err(refuse(format!("file \"{}\": {detail}", file.name)));
                }
                Err(error) => return Err(error.into()),
            };
            part.rows += head.rows;
            let columns = head.first.schema().columns;
            let columns: Vec<_> = columns.into_iter().map(|column| (column.name, column.column_type)).collect();
            if place == 0 {
                part.first = first_rows(&head.first);
                part.columns = columns;
            } else {
                notes.extend(differences(&part.columns, &columns, &file.name));
                let is_new = |name: &str| !part.columns.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
                let more: Vec<_> = columns.into_iter().filter(|(name, _)| is_new(name)).collect();
                part.first.iter_mut().for_each(|row| row.resize(part.columns.len() + more.len(), None));
                part.columns.extend(more);
            }
        }
        Ok((part, notes))
    }
}

/// Says how the columns of a further file differ from those of the ones before.
fn differences(known: &[(String, ColumnType)], columns: &[(String, ColumnType)], file: &str) -> Vec<String> {
    let find = |columns: &[(String, ColumnType)], name: &str| {
        columns.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, column_type)| *column_type)
    };
    let mut notes = Vec::new();
    for (name, before) in known {
        match find(columns, name) {
            None => notes.push(format!("file \"{file}\" has no column \"{name}\": it is empty there")),
            Some(own) if own != *before => notes.push(format!(
                "column \"{name}\" holds {} in file \"{file}\" and {} before",
                word(own),
                word(*before)
            )),
            Some(_) => {}
        }
    }
    for (name, _) in columns.iter().filter(|(name, _)| find(known, name).is_none()) {
        notes.push(format!("column \"{name}\" is only in file \"{file}\""));
    }
    notes
}

fn first_rows(rows: &Rows) -> Vec<Vec<Option<String>>> {
    let text = |cell: Cell<'_>| match cell {
        Cell::Null => None,
        Cell::Integer(value) => Some(value.to_string()),
        Cell::Float(value) => Some(value.to_string()),
        Cell::Time(micros) => Some(base::Timestamp::from_micros(micros).to_string()),
        Cell::Boolean(value) => Some(value.to_string()),
        Cell::Text(text) => Some(text.to_owned()),
    };
    (0..rows.len()).map(|row| rows.columns().iter().map(|column| text(column.cell(row))).collect()).collect()
}
