//! The pieces of a push job before its commit.
//!
//! They stay in memory while they are small together, which most jobs always
//! are. Once they are more than the bound, all of them go to a run on disk,
//! and so does each piece that follows, as it comes. Whoever lets go of a
//! staging lets go of its run too.

use std::path::Path;

use arrow::array::RecordBatch;
use pools::rows::{Rows, Schema, Values};
use pools::{Piece, TablesError};

use crate::arrow_rows::{to_batches, to_rows};
use crate::decide::Staged;
use crate::error::failed;
use crate::parquet_piece::ParquetPiece;
use crate::run::{Kind, Run, RunWriter, Yard, plain_schema};

/// What was staged for one job.
#[derive(Debug)]
pub(crate) struct Staging {
    yard: Yard,
    bytes_max: u64,
    pieces: Vec<Staged>,
    bytes: u64,
    spilled: Option<Spilled>,
    /// Why a piece is missing. The job cannot be committed without it.
    failure: Option<TablesError>,
}

/// The pieces so far, on disk.
#[derive(Debug)]
struct Spilled {
    writer: RunWriter,
    /// Kind and columns of the pieces, each once.
    pieces: Vec<(Kind, Schema)>,
}

impl Spilled {
    fn announce(&mut self, kind: Kind, schema: &Schema) {
        let known = self.pieces.iter().any(|(other, columns)| *other == kind && columns == schema);
        if !known {
            self.pieces.push((kind, schema.clone()));
        }
    }

    fn write(&mut self, kind: Kind, rows: &Rows) -> Result<(), TablesError> {
        let schema = rows.schema();
        self.announce(kind, &schema);
        for batch in to_batches(rows) {
            self.writer.write(kind, &schema, &batch.map_err(failed)?)?;
        }
        Ok(())
    }
}

/// What a job brings to its commit.
#[derive(Debug)]
pub(crate) enum Load {
    /// Pieces in memory.
    Memory(Vec<Staged>),
    /// A run that is synced, and kind and columns of the pieces in it, each
    /// once.
    Run(Run, Vec<(Kind, Schema)>),
}

impl Staging {
    /// Begins to take pieces, up to so many bytes in memory.
    pub(crate) fn new(yard: Yard, bytes_max: u64) -> Self {
        Staging { yard, bytes_max, pieces: Vec::new(), bytes: 0, spilled: None, failure: None }
    }

    /// Takes a piece whose rows are in memory and may stay there; gives it
    /// back if it has to be written.
    pub(crate) fn take(&mut self, piece: Piece) -> Option<Piece> {
        let (kind, rows) = match piece {
            Piece::Upsert(rows) => (Kind::Upsert, rows),
            Piece::Delete(rows) => (Kind::Delete, rows),
            file => return Some(file),
        };
        let bytes = self.bytes + bytes_of(&rows);
        if self.spilled.is_some() || bytes > self.bytes_max {
            return Some(match kind {
                Kind::Upsert => Piece::Upsert(rows),
                Kind::Delete => Piece::Delete(rows),
            });
        }
        self.bytes = bytes;
        self.pieces.push(Staged::of(kind, rows));
        None
    }

    /// Takes a piece, and writes it to disk if it is too much for memory.
    pub(crate) fn add(&mut self, piece: Piece) -> Result<(), TablesError> {
        let Some(piece) = self.take(piece) else { return Ok(()) };
        let added = match piece {
            Piece::Upsert(rows) => self.spilled().and_then(|spilled| spilled.write(Kind::Upsert, &rows)),
            Piece::Delete(rows) => self.spilled().and_then(|spilled| spilled.write(Kind::Delete, &rows)),
            Piece::UpsertParquet(file) => self.add_parquet(Kind::Upsert, &file),
            Piece::DeleteParquet(file) => self.add_parquet(Kind::Delete, &file),
        };
        if let Err(error) = &added {
            self.failure = Some(error.clone());
        }
        added
    }

    /// Reads a file batch by batch, so that it is never whole in memory unless
    /// it is small.
    fn add_parquet(&mut self, kind: Kind, path: &Path) -> Result<(), TablesError> {
        let file = ParquetPiece::open(path)?;
        let schema = file.schema().clone();
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut bytes = self.bytes;
        for batch in file {
            let batch = batch?;
            bytes += batch.get_array_memory_size() as u64;
            if self.spilled.is_none() && bytes <= self.bytes_max {
                batches.push(batch);
                continue;
            }
            let spilled = self.spilled()?;
            spilled.announce(kind, &schema);
            for batch in batches.drain(..).chain([batch]) {
                spilled.writer.write(kind, &schema, &batch)?;
            }
        }
        match &mut self.spilled {
            Some(spilled) => spilled.announce(kind, &schema),
            None => {
                self.bytes = bytes;
                self.pieces.push(Staged::of(kind, to_rows(&plain_schema(&schema), &batches)));
            }
        }
        Ok(())
    }

    /// Returns the run, begun with what was in memory.
    fn spilled(&mut self) -> Result<&mut Spilled, TablesError> {
        if self.spilled.is_none() {
            let mut spilled = Spilled { writer: self.yard.begin(), pieces: Vec::new() };
            for piece in std::mem::take(&mut self.pieces) {
                spilled.write(piece.kind(), piece.content())?;
            }
            self.spilled = Some(spilled);
        }
        Ok(self.spilled.as_mut().expect("it was begun above"))
    }

    /// Tells whether there is a run to end, which takes its time.
    pub(crate) fn is_spilled(&self) -> bool {
        self.spilled.is_some()
    }

    /// Ends the staging and returns what came together.
    pub(crate) fn finish(self) -> Result<Load, TablesError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        match self.spilled {
            None => Ok(Load::Memory(self.pieces)),
            Some(spilled) => Ok(Load::Run(spilled.writer.finish()?, spilled.pieces)),
        }
    }
}

/// Returns about how much memory rows take.
fn bytes_of(rows: &Rows) -> u64 {
    let columns = rows.columns().iter().map(|column| match &column.values {
        Values::Text { codes, dictionary } => {
            let (offsets, bytes) = dictionary.buffers();
            codes.len() * 4 + offsets.len() * 4 + bytes.len()
        }
        Values::Boolean(bits) => bits.bytes().len(),
        values => values.len() * 8,
    });
    columns.sum::<usize>() as u64
}
