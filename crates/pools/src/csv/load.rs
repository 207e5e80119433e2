//! From the chunks of a job to rows.
//!
//! The files are read twice. The first time every column's type is guessed
//! over the whole job (what is declared, and what is text in the table
//! already, needs no guess); the second time rows are built, in pieces, so
//! that memory stays bounded however long a chunk is. A row that does not fit
//! ends the job and is named by file, line and column; the caller sees to it
//! that nothing of the job is visible then.

use std::collections::HashMap;
use std::path::Path;

use crate::port::{CHANGE_DATE_COLUMN, Piece, SEQ_COLUMN};
use crate::push_job::{ChunkKind, DeclaredColumn, DeclaredType, PushJobSpec};
use crate::rows::{Cell, ColumnBuilder, ColumnType, Rows, Schema};

use super::chunk::{ChunkFile, ChunkReader, Refusal};
use super::infer::{Forms, Guess, read_boolean};
use super::options::Dialect;
use super::records::Record;

/// Rows that one piece holds at most.
const PIECE_ROWS_MAX: usize = 65_536;
/// Bytes of fields after which a piece ends.
const PIECE_BYTES_MAX: usize = 16 << 20;

/// Reads all chunks and hands out pieces in order; returns what there is to
/// note, in sentences. `table` is what the table looks like, if it is there
/// and stays.
pub(crate) fn load(
    spec: &PushJobSpec,
    chunks: &[ChunkFile],
    table: Option<&Schema>,
    mut take: impl FnMut(Piece) -> Result<(), Refusal>,
) -> Result<Vec<String>, Refusal> {
    let dialect = spec.csv.dialect().map_err(Refusal::Rows)?;
    let mut notes = Notes::default();
    notes.add(spec.csv.note());
    let mut plan = Plan::new(spec, table);
    for chunk in chunks {
        plan.look_at(chunk, &dialect, &mut notes)?;
    }
    plan.settle(&mut notes);
    for chunk in chunks {
        plan.read(chunk, &dialect, &mut notes, &mut take)?;
    }
    plan.count_cuts(&mut notes);
    Ok(notes.0)
}

/// Reads one file as a push job with this specification would; returns what
/// there is to note, or why it cannot be loaded.
pub fn read_file(spec: &PushJobSpec, path: &Path, mut take: impl FnMut(Rows)) -> Result<Vec<String>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file =
        ChunkFile { kind: ChunkKind::Upsert, name, path: path.to_owned(), read: crate::import::BytesRead::default() };
    let loaded = load(spec, &[file], None, |piece| {
        if let Piece::Upsert(rows) = piece {
            take(rows);
        }
        Ok(())
    });
    loaded.map_err(|refusal| match refusal {
        Refusal::Rows(sentence) => sentence,
        Refusal::Stopped => "the reading was broken off".into(),
    })
}

/// Sentences, none twice.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, note: impl IntoIterator<Item = String>) {
        for note in note {
            if !self.0.contains(&note) {
                self.0.push(note);
            }
        }
    }
}

/// What is known about the columns of a job.
struct Plan<'a> {
    spec: &'a PushJobSpec,
    table: Option<&'a Schema>,
    keys: Vec<String>,
    columns: Vec<ColumnPlan>,
    /// Where a column stands, by its name without case.
    places: HashMap<String, usize>,
}

struct ColumnPlan {
    /// As the table writes it, else as first written.
    name: String,
    forms: Forms,
    declared: Option<DeclaredColumn>,
    guess: Option<Guess>,
    reading: Reading,
    length_max: Option<usize>,
    cuts: u64,
}

/// How a field becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Integer,
    Float,
    Time,
    Boolean,
    Text,
    /// The column is ours.
    Ignored,
}

impl Reading {
    fn of(column_type: ColumnType) -> Reading {
        match column_type {
            ColumnType::Integer => Reading::Integer,
            ColumnType::Float => Reading::Float,
            ColumnType::Time => Reading::Time,
            ColumnType::Boolean => Reading::Boolean,
            ColumnType::Text => Reading::Text,
        }
    }

    fn column_type(self) -> ColumnType {
        match self {
            Reading::Integer => ColumnType::Integer,
            Reading::Float => ColumnType::Float,
            Reading::Time => ColumnType::Time,
            Reading::Boolean => ColumnType::Boolean,
            Reading::Text | Reading::Ignored => ColumnType::Text,
        }
    }
}

impl<'a> Plan<'a> {
    fn new(spec: &'a PushJobSpec, table: Option<&'a Schema>) -> Self {
        Plan { spec, table, keys: spec.keys(), columns: Vec::new(), places: HashMap::new() }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.places.get(&name.to_ascii_lowercase()).copied()
    }

    /// Returns where the columns of a header stand in the plan; those that
    /// were not there are added.
    fn columns_of(&mut self, header: &[String], notes: &mut Notes) -> Vec<usize> {
        let mut places = Vec::with_capacity(header.len());
        for name in header {
            places.push(self.position(name).unwrap_or(self.columns.len()));
            if places.last() == Some(&self.columns.len()) {
                self.add_column(name, notes);
            }
        }
        places
    }

    fn add_column(&mut self, name: &str, notes: &mut Notes) {
        let in_table = self.table.and_then(|table| table.position(name).map(|place| &table.columns[place]));
        let declared = self.spec.declared.iter().find(|column| column.name.eq_ignore_ascii_case(name)).cloned();
        let (mut forms, note) = Forms::of(name, &self.spec.csv);
        notes.add(note);
        // A column of times stays one, whichever of the two ways they come.
        forms.iso_too = declared.is_none() && in_table.is_some_and(|column| column.column_type == ColumnType::Time);
        let ours = name.eq_ignore_ascii_case(CHANGE_DATE_COLUMN) || name.eq_ignore_ascii_case(SEQ_COLUMN);
        if ours {
            notes.add([format!("column \"{name}\" is not read: its values are set when rows arrive")]);
        }
        let reading = match &declared {
            _ if ours => Some(Reading::Ignored),
            Some(column) => Some(match column.column_type {
                DeclaredType::Integer => Reading::Integer,
                DeclaredType::Float => Reading::Float,
                DeclaredType::Date | DeclaredType::DateTime => Reading::Time,
                DeclaredType::Boolean => Reading::Boolean,
                DeclaredType::Time | DeclaredType::String => Reading::Text,
            }),
            None if in_table.is_some_and(|column| column.column_type == ColumnType::Text) => Some(Reading::Text),
            None => None,
        };
        let declared_length = declared.as_ref().and_then(|column| column.length);
        let length_max = declared_length.or(self.spec.fallback_varchar_length).map(|length| length as usize);
        self.places.insert(name.to_ascii_lowercase(), self.columns.len());
        self.columns.push(ColumnPlan {
            name: in_table.map_or_else(|| name.to_owned(), |column| column.name.clone()),
            guess: reading.is_none().then(|| Guess::new(forms.clone(), in_table.map(|column| column.column_type))),
            reading: reading.unwrap_or(Reading::Text),
            forms,
            declared,
            length_max,
            cuts: 0,
        });
    }

    /// Reads a chunk for the types of its columns.
    fn look_at(&mut self, chunk: &ChunkFile, dialect: &Dialect, notes: &mut Notes) -> Result<(), Refusal> {
        let mut reader = ChunkReader::open(chunk, dialect)?;
        if chunk.kind == ChunkKind::Upsert {
            notes.add(reader.suspicion(dialect));
        }
        self.must_have_keys(&reader)?;
        let columns = self.columns_of(&reader.header, notes);
        // What a deletion brings decides nothing: it only names keys.
        if chunk.kind == ChunkKind::Delete {
            return Ok(());
        }
        while let Some(record) = reader.next()? {
            let mut open = false;
            for (place, field) in record.fields().enumerate() {
                if let Some(guess) = &mut self.columns[columns[place]].guess
                    && !guess.is_settled()
                {
                    guess.see(field);
                    open = true;
                }
            }
            if !open {
                break;
            }
        }
        Ok(())
    }

    fn must_have_keys(&self, reader: &ChunkReader<'_>) -> Result<(), Refusal> {
        let mode = self.spec.mode();
        if !matches!(mode, crate::Mode::Upsert { .. }) {
            return Ok(());
        }
        for key in &self.keys {
            if !reader.header.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                let header = reader.header.join("\", \"");
                return Err(reader.refusal(&format!("key column \"{key}\" is missing; there are \"{header}\"")));
            }
        }
        Ok(())
    }

    /// Ends the guessing.
    fn settle(&mut self, notes: &mut Notes) {
        for column in &mut self.columns {
            if let Some(guess) = column.guess.take() {
                notes.add(guess.note(&column.name));
                column.reading = Reading::of(guess.answer());
            }
            let is_text = column.reading == Reading::Text;
            column.length_max = column.length_max.filter(|_| is_text);
        }
        for declared in &self.spec.declared {
            if self.position(&declared.name).is_none() {
                notes.add([format!("column \"{}\" of tableSchema is in no chunk", declared.name)]);
            }
        }
    }

    /// Reads a chunk for its rows.
    fn read(
        &mut self,
        chunk: &ChunkFile,
        dialect: &Dialect,
        notes: &mut Notes,
        take: &mut impl FnMut(Piece) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let mut reader = ChunkReader::open(chunk, dialect)?;
        let deletes = chunk.kind == ChunkKind::Delete;
        let mut columns = self.columns_of(&reader.header, notes);
        if deletes {
            for place in &mut columns {
                let key = self.keys.iter().any(|key| key.eq_ignore_ascii_case(&self.columns[*place].name));
                if !key {
                    *place = usize::MAX;
                }
            }
        }
        let header_length = columns.len();
        let file = reader.file.to_owned();
        let (mut short_rows, mut first_short, mut strangers) = (0u64, 0, 0u64);
        let mut piece = PieceBuilder::new(self, &columns);
        // A chunk without rows still brings its columns.
        let mut handed_out = false;
        while let Some(record) = reader.next()? {
            if record.len() < header_length {
                short_rows += 1;
                first_short = if short_rows == 1 { record.line } else { first_short };
            }
            if deletes {
                match self.values(&record, &columns) {
                    Some(values) => piece.push(&values),
                    None => strangers += 1,
                }
            } else if let Err((place, detail)) = self.push(&record, &columns, &mut piece) {
                let name = &self.columns[columns[place]].name;
                let (line, column) = (record.line, place + 1);
                let sentence = format!("file \"{file}\", line {line}, column {column} (\"{name}\"): {detail}");
                return Err(Refusal::Rows(sentence));
            }
            if piece.is_full() {
                take(piece.finish(deletes))?;
                handed_out = true;
                piece = PieceBuilder::new(self, &columns);
            }
        }
        if piece.rows > 0 || !handed_out {
            take(piece.finish(deletes))?;
        }
        if short_rows > 0 {
            notes.add([format!(
                "file \"{file}\": {short_rows} rows have fewer fields than the header, the first in line {first_short}; \
                 what is missing is empty"
            )]);
        }
        if strangers > 0 {
            notes
                .add([format!("file \"{file}\": {strangers} keys to delete cannot be in the table and were left out")]);
        }
        Ok(())
    }

    /// Reads the fields of a row into a piece; what the row lacks is null. After
    /// an error the piece is of no use.
    fn push(
        &mut self,
        record: &Record<'_>,
        columns: &[usize],
        piece: &mut PieceBuilder,
    ) -> Result<(), (usize, String)> {
        let mut builders = piece.builders.iter_mut();
        for (place, column) in columns.iter().enumerate() {
            let column = &mut self.columns[*column];
            if column.reading == Reading::Ignored {
                continue;
            }
            let builder = builders.next().expect("a builder for every column that is read");
            // An empty field is nothing, quoted or not: few programs can tell
            // the two apart, and no number or time is empty.
            let text = if place < record.len() { record.field(place) } else { "" };
            if text.is_empty() {
                builder.push(Cell::Null);
                piece.bytes += 8;
                continue;
            }
            let Some(value) = column.value(text) else { return Err((place, column.misfit(text))) };
            piece.bytes += if matches!(value, Cell::Text(_)) { text.len() + 4 } else { 8 };
            builder.push(value);
        }
        piece.rows += 1;
        Ok(())
    }

    /// Reads the keys of a row to delete; `None` is a key that no row can have.
    fn values<'r>(&mut self, record: &Record<'r>, columns: &[usize]) -> Option<Vec<Cell<'r>>> {
        let mut values = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let Some(column) = self.columns.get_mut(*column) else { continue };
            if column.reading == Reading::Ignored {
                continue;
            }
            let text = if place < record.len() { record.field(place) } else { "" };
            values.push(if text.is_empty() { Cell::Null } else { column.value(text)? });
        }
        Some(values)
    }

    fn count_cuts(&self, notes: &mut Notes) {
        for column in self.columns.iter().filter(|column| column.cuts > 0) {
            let (name, cuts, length) = (&column.name, column.cuts, column.length_max.unwrap_or_default());
            notes.add([format!("column \"{name}\": {cuts} texts were cut to {length} letters, as was asked")]);
        }
    }
}

impl ColumnPlan {
    fn value<'r>(&mut self, text: &'r str) -> Option<Cell<'r>> {
        let declared = self.declared.is_some();
        match self.reading {
            Reading::Integer if declared => self.forms.numbers.read_integer(text).map(Cell::Integer),
            Reading::Integer => self.forms.numbers.guess_integer(text).map(Cell::Integer),
            Reading::Float if declared => self.forms.numbers.read_float(text).map(Cell::Float),
            Reading::Float => self.forms.numbers.guess_float(text).map(Cell::Float),
            Reading::Time => self.forms.time(text).map(Cell::Time),
            Reading::Boolean => read_boolean(text).map(Cell::Boolean),
            Reading::Text | Reading::Ignored => Some(Cell::Text(self.cut(text))),
        }
    }

    fn cut<'r>(&mut self, text: &'r str) -> &'r str {
        let Some(length_max) = self.length_max else { return text };
        match text.char_indices().nth(length_max) {
            Some((end, _)) => {
                self.cuts += 1;
                &text[..end]
            }
            None => text,
        }
    }

    /// Says what is wrong with a value of a declared column.
    fn misfit(&self, text: &str) -> String {
        let shown: String = text.chars().take(60).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        let what = match self.declared.as_ref().map(|column| column.column_type) {
            Some(DeclaredType::Integer) => "an INTEGER",
            Some(DeclaredType::Float) => "a FLOAT",
            Some(DeclaredType::Boolean) => "a BOOLEAN",
            Some(DeclaredType::Date) => "a DATE",
            Some(DeclaredType::DateTime) => "a DATETIME",
            _ => return format!("{shown:?}{more} has changed while it was read"),
        };
        format!("{shown:?}{more} is not {what}, as tableSchema declares it")
    }
}

/// The rows of a piece on their way.
struct PieceBuilder {
    builders: Vec<ColumnBuilder>,
    rows: usize,
    bytes: usize,
}

impl PieceBuilder {
    fn new(plan: &Plan<'_>, columns: &[usize]) -> Self {
        let columns = columns.iter().filter_map(|column| plan.columns.get(*column));
        let read = columns.filter(|column| column.reading != Reading::Ignored);
        let builders = read.map(|column| ColumnBuilder::new(column.name.clone(), column.reading.column_type()));
        PieceBuilder { builders: builders.collect(), rows: 0, bytes: 0 }
    }

    fn push(&mut self, values: &[Cell<'_>]) {
        for (builder, value) in self.builders.iter_mut().zip(values) {
            builder.push(*value);
            self.bytes += match value {
                Cell::Text(text) => text.len() + 4,
                _ => 8,
            };
        }
        self.rows += 1;
    }

    fn is_full(&self) -> bool {
        self.rows >= PIECE_ROWS_MAX || self.bytes >= PIECE_BYTES_MAX
    }

    fn finish(self, deletes: bool) -> Piece {
        let rows = Rows::new(self.builders.into_iter().map(ColumnBuilder::finish).collect());
        if deletes { Piece::Delete(rows) } else { Piece::Upsert(rows) }
    }
}

#[cfg(test)]
mod tests;
