//! From what a log tells to rows of a table.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::csv::Refusal;
use crate::port::{CHANGE_DATE_COLUMN, Piece, SEQ_COLUMN};
use crate::rows::{Cell, ColumnBuilder, ColumnType, Rows};

use super::source::BytesRead;
use super::value::{self, Field};
use super::{Format, LogFile, LogNotes, Told};

/// Rows that one piece holds at most.
const PIECE_ROWS_MAX: usize = 65_536;
/// Bytes of values after which a piece ends.
const PIECE_BYTES_MAX: usize = 16 << 20;

/// How a column of a file becomes one of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadColumn {
    /// Its name in the file.
    pub name: String,
    /// Its name in the table; `None` for a column that is left out.
    pub target: Option<String>,
    /// What it holds; `None` where the reader finds out.
    pub column_type: Option<ColumnType>,
}

/// How the files of an import are read by their push job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReading {
    /// What the files are.
    pub format: Format,
    /// Which part of the log goes into the table; empty where there is one.
    pub part: String,
    /// The columns of a log, all of them; of a CSV file those that differ.
    pub columns: Vec<ReadColumn>,
}

/// Reads the files of a log and hands out the rows of one part in pieces;
/// returns what there is to note.
pub(crate) fn load(
    reading: &ImportReading,
    files: &[LogFile],
    progress: &BytesRead,
    take: &mut dyn FnMut(Piece) -> Result<(), Refusal>,
) -> Result<Vec<String>, Refusal> {
    let mut notes = LogNotes::default();
    let mut columns = Vec::new();
    for column in &reading.columns {
        let ours = |name: &str| name.eq_ignore_ascii_case(CHANGE_DATE_COLUMN) || name.eq_ignore_ascii_case(SEQ_COLUMN);
        match &column.target {
            Some(target) if ours(target) => {
                notes.add(format!("column \"{target}\" is not read: its values are set when rows arrive"));
            }
            Some(target) => columns.push(Target {
                source: column.name.clone(),
                name: target.clone(),
                column_type: column.column_type.unwrap_or(ColumnType::Text),
            }),
            None => {}
        }
    }
    let mut table = Table::new(columns);
    for file in files {
        super::read(reading.format, file, progress, &mut notes, &mut |told| {
            let Told::Row { part, fields, line } = told else { return Ok(()) };
            if part != reading.part {
                return Ok(());
            }
            table.push(file, fields, line)?;
            if table.is_full() { take(table.next_piece()) } else { Ok(()) }
        })?;
    }
    // A log without rows still brings its columns.
    if table.rows > 0 || !table.handed_out {
        take(table.next_piece())?;
    }
    Ok(notes.sentences())
}

struct Target {
    source: String,
    name: String,
    column_type: ColumnType,
}

/// The rows of a piece on their way.
struct Table {
    columns: Vec<Target>,
    places: HashMap<String, usize>,
    builders: Vec<ColumnBuilder>,
    /// Which columns the present row has a value for.
    filled: Vec<bool>,
    rows: usize,
    bytes: usize,
    handed_out: bool,
}

impl Table {
    fn new(columns: Vec<Target>) -> Self {
        let places = columns.iter().enumerate().map(|(place, column)| (column.source.clone(), place)).collect();
        let filled = vec![false; columns.len()];
        let builders = builders(&columns);
        Table { columns, places, builders, filled, rows: 0, bytes: 0, handed_out: false }
    }

    fn push(&mut self, file: &LogFile, fields: &[Field], line: Option<u64>) -> Result<(), Refusal> {
        self.filled.fill(false);
        for (name, value) in fields {
            let Some(place) = self.place(name).filter(|place| !self.filled[*place]) else { continue };
            let column = &self.columns[place];
            let text;
            let cell = match value::cell(value, column.column_type) {
                Some(cell) => cell,
                None if column.column_type == ColumnType::Text => {
                    text = value::text(value);
                    Cell::Text(&text)
                }
                None => {
                    let shown: String = value::text(value).chars().take(60).collect();
                    let kind = super::survey::word(column.column_type);
                    let place = line.map_or_else(String::new, |line| format!("line {line}, "));
                    return Err(file.refusal(&format!("{place}column \"{name}\": {shown:?} is not of type {kind}")));
                }
            };
            self.bytes += if let Cell::Text(text) = cell { text.len() + 4 } else { 8 };
            self.builders[place].push(cell);
            self.filled[place] = true;
        }
        for (builder, filled) in self.builders.iter_mut().zip(&self.filled) {
            if !filled {
                builder.push(Cell::Null);
            }
        }
        self.rows += 1;
        Ok(())
    }

    fn place(&mut self, name: &str) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        let place = self.columns.iter().position(|column| column.source.eq_ignore_ascii_case(name))?;
        self.places.insert(name.to_owned(), place);
        Some(place)
    }

    fn is_full(&self) -> bool {
        self.rows >= PIECE_ROWS_MAX || self.bytes >= PIECE_BYTES_MAX
    }

    fn next_piece(&mut self) -> Piece {
        let done = std::mem::replace(&mut self.builders, builders(&self.columns));
        (self.rows, self.bytes, self.handed_out) = (0, 0, true);
        Piece::Upsert(Rows::new(done.into_iter().map(ColumnBuilder::finish).collect()))
    }
}

fn builders(columns: &[Target]) -> Vec<ColumnBuilder> {
    columns.iter().map(|column| ColumnBuilder::new(column.name.clone(), column.column_type)).collect()
}
