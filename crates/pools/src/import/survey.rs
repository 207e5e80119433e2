//! What a log holds, found by reading it once to its end.
//!
//! A log says what its columns are only as it goes along. So it is read once
//! for its columns, types, first rows and for whether it is whole, when it is
//! staged; and once for its rows, when it is committed.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::csv::Refusal;
use crate::rows::ColumnType;

use super::source::BytesRead;
use super::value::{self, Field, Fits};
use super::{Format, LogFile, LogNotes, Told};

/// Rows that a person sees before a commit.
pub(crate) const ROWS_SHOWN: usize = 20;
/// Columns that a table of a log may have.
const COLUMNS_MAX: usize = 2_000;
/// Tables that a log may have.
const PARTS_MAX: usize = 500;

/// A part of a log, which becomes a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Part {
    /// Which one it is; empty where there is only one.
    pub(crate) name: String,
    /// Its columns, as the log names them.
    pub(crate) columns: Vec<(String, ColumnType)>,
    /// How many rows it has.
    pub(crate) rows: u64,
    /// The first rows, as texts, in order of the columns.
    pub(crate) first: Vec<Vec<Option<String>>>,
}

/// What was found in the files of a log.
pub(crate) struct Survey {
    pub(crate) parts: Vec<Part>,
    pub(crate) notes: Vec<String>,
}

/// Reads the files of a log to their ends.
pub(crate) fn survey(format: Format, files: &[LogFile], progress: &BytesRead) -> Result<Survey, Refusal> {
    let mut notes = LogNotes::default();
    let mut parts = Parts::default();
    for file in files {
        super::read(format, file, progress, &mut notes, &mut |told| match told {
            Told::Row { part, fields, .. } => parts.see(file, part, fields),
            Told::Declared { part, columns } => parts.declare(file, part, columns),
        })?;
    }
    Ok(parts.finish(notes))
}

#[derive(Default)]
struct Parts {
    parts: Vec<Seen>,
    places: HashMap<String, usize>,
}

struct Seen {
    name: String,
    columns: Vec<ColumnSeen>,
    places: HashMap<String, usize>,
    rows: u64,
    first: Vec<Vec<Field>>,
}

struct ColumnSeen {
    name: String,
    fits: Fits,
    declared: Option<ColumnType>,
    /// It has a value somewhere.
    seen: bool,
}

impl Parts {
    fn part(&mut self, file: &LogFile, name: &str) -> Result<&mut Seen, Refusal> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None if self.parts.len() == PARTS_MAX => {
                return Err(file.refusal(&format!("it would become more than {PARTS_MAX} tables")));
            }
            None => {
                self.places.insert(name.to_owned(), self.parts.len());
                self.parts.push(Seen {
                    name: name.to_owned(),
                    columns: Vec::new(),
                    places: HashMap::new(),
                    rows: 0,
                    first: Vec::new(),
                });
                self.parts.len() - 1
            }
        };
        Ok(&mut self.parts[place])
    }

    fn see(&mut self, file: &LogFile, part: &str, fields: &[Field]) -> Result<(), Refusal> {
        let part = self.part(file, part)?;
        for (name, value) in fields {
            let column = part.column(file, name)?;
            column.fits.see(value);
            column.seen = true;
        }
        part.rows += 1;
        if part.first.len() < ROWS_SHOWN {
            part.first.push(fields.to_vec());
        }
        Ok(())
    }

    fn declare(&mut self, file: &LogFile, part: &str, columns: &[(String, ColumnType)]) -> Result<(), Refusal> {
        // A table of events has the columns of ours in front, even if empty.
        let part = self.part(file, part)?;
        for (name, column_type) in columns {
            let column = part.column(file, name)?;
            let declared = column.declared.map_or(*column_type, |known| crate::schema::widest(known, *column_type));
            column.declared = Some(declared);
        }
        Ok(())
    }

    fn finish(self, mut notes: LogNotes) -> Survey {
        let parts = self.parts.into_iter().map(|part| part.finish(&mut notes)).collect();
        Survey { parts, notes: notes.sentences() }
    }
}

impl Seen {
    fn column(&mut self, file: &LogFile, name: &str) -> Result<&mut ColumnSeen, Refusal> {
        if let Some(place) = self.places.get(name) {
            return Ok(&mut self.columns[*place]);
        }
        // Names match without case in a table.
        let known = self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        let place = known.unwrap_or(self.columns.len());
        if place == COLUMNS_MAX {
            return Err(file.refusal(&format!("it has more than {COLUMNS_MAX} columns; the next one is \"{name}\"")));
        }
        self.places.insert(name.to_owned(), place);
        if known.is_none() {
            self.columns.push(ColumnSeen { name: name.to_owned(), fits: Fits::ALL, declared: None, seen: false });
        }
        Ok(&mut self.columns[place])
    }

    fn finish(self, notes: &mut LogNotes) -> Part {
        let columns = self.columns.iter().map(|column| {
            let declared = column.declared.filter(|declared| column.fits.allow(*declared));
            let found = declared.unwrap_or_else(|| column.fits.narrowest());
            if let Some(said) = column.declared.filter(|said| column.seen && *said != found) {
                let (said, found) = (word(said), word(found));
                notes.add(format!(
                    "column \"{}\" of \"{}\" is said to hold {said}, yet its values need {found}",
                    column.name, self.name
                ));
            }
            (column.name.clone(), found)
        });
        let columns: Vec<_> = columns.collect();
        let shown = |row: &Vec<Field>| {
            let mut cells = vec![None; columns.len()];
            for (name, value) in row {
                if let Some(place) = self.places.get(name) {
                    cells[*place] = Some(value::text(value).into_owned());
                }
            }
            cells
        };
        Part { first: self.first.iter().map(shown).collect(), name: self.name, columns, rows: self.rows }
    }
}

/// Returns the word for a type that people read.
pub(crate) fn word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Integer => "integer",
        ColumnType::Float => "float",
        ColumnType::Time => "time",
        ColumnType::Boolean => "boolean",
        ColumnType::Text => "text",
    }
}
