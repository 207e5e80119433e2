//! What a push job does to its table.
//!
//! [`decide`] takes the table as it is and the pieces of a job as they were
//! staged, and returns what the log will say: the net effect, in the table's
//! own columns and types. It writes nothing. Replaying the log needs no
//! decision any more, so that a restart cannot come to another one.

use std::collections::{HashMap, HashSet};

use arrow::array::ArrayRef;
use pools::rows::{Cell, Column, ColumnBuilder, ColumnSchema, ColumnType, Rows, Schema, Values};
use pools::schema::{self, Shape, widened};
use pools::{CHANGE_DATE_COLUMN, Change, Commit, CommitNumber, Committed, Mode, SEQ_COLUMN, TablesError};

use crate::arrow_rows::{array_of, arrow_schema};
use crate::columns::empty_column;
use crate::error::failed;
use crate::keys::{Coder, Key};
use crate::run::Kind;
use crate::table::{Found, Table};

/// A piece of a job, its rows in memory.
#[derive(Clone, Debug)]
pub(crate) enum Staged {
    /// Rows to add, or to put in the place of those with the same key.
    Upsert(Rows),
    /// Keys to delete.
    Delete(Rows),
}

impl Staged {
    /// Makes a piece.
    pub(crate) fn of(kind: Kind, rows: Rows) -> Self {
        match kind {
            Kind::Upsert => Staged::Upsert(rows),
            Kind::Delete => Staged::Delete(rows),
        }
    }

    /// Returns what its rows are for.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Staged::Upsert(_) => Kind::Upsert,
            Staged::Delete(_) => Kind::Delete,
        }
    }

    /// Returns its rows or keys.
    pub(crate) fn content(&self) -> &Rows {
        let (Staged::Upsert(rows) | Staged::Delete(rows)) = self;
        rows
    }
}

/// What the log will say.
#[derive(Debug)]
pub(crate) struct Decision {
    /// Columns and keys of the table afterwards.
    pub(crate) shape: Shape,
    /// What the sender is told.
    pub(crate) committed: Committed,
    /// The net effect.
    pub(crate) change: Change,
}

/// Decides what a job does to its table as commit `number`.
pub(crate) fn decide(
    table: Option<&Table>,
    commit: &Commit,
    pieces: &[Staged],
    number: CommitNumber,
) -> Result<Decision, TablesError> {
    let columns: Vec<_> = pieces.iter().map(|piece| (piece.kind(), piece.content().schema())).collect();
    let shape = shape_after(table.map(|table| &table.shape), commit, &columns)?;
    let net = match &commit.mode {
        Mode::Replace | Mode::Append => all_of(pieces),
        Mode::Upsert { keep_missing, .. } => last_of_each_key(table, &shape, pieces, *keep_missing)?,
    };
    check_rows(commit, net.kept.len() as u64)?;
    let pieces = Pieces::in_shape(pieces, &shape);
    let upserts = upserts(&pieces, &net, &shape, number, commit.at.as_micros());
    let change = Change {
        number,
        table: table.map_or_else(|| commit.table.clone(), |table| table.name.clone()),
        mode: commit.mode.clone(),
        deletes: deletes(&pieces, &net, &shape),
        upserts,
        at: commit.at,
        causes: commit.causes.clone(),
    };
    let committed = Committed { number, upserted: net.kept.len() as u64, deleted: net.deleted };
    Ok(Decision { shape, committed, change })
}

/// Tells what a table looks like after a job with pieces of these kinds and
/// columns.
pub(crate) fn shape_after(
    table: Option<&Shape>,
    commit: &Commit,
    pieces: &[(Kind, Schema)],
) -> Result<Shape, TablesError> {
    let mismatch = |detail: String| TablesError::Mismatch { table: commit.table.clone(), detail };
    let takes_deletes = matches!(commit.mode, Mode::Upsert { .. });
    let mut incoming = Schema::default();
    for (kind, columns) in pieces {
        match kind {
            Kind::Upsert => incoming = schema::union(&incoming, columns),
            Kind::Delete if takes_deletes => {}
            Kind::Delete => return Err(mismatch("deletes need keys".into())),
        }
    }
    let shape = schema::after(table, &commit.mode, &incoming).map_err(mismatch)?;
    for (_, columns) in pieces.iter().filter(|_| takes_deletes) {
        if let Some(key) = shape.keys.iter().find(|key| columns.position(key).is_none()) {
            return Err(mismatch(format!("key column \"{key}\" is missing in a chunk")));
        }
    }
    Ok(shape)
}

/// Checks that the rows of a job can be numbered.
pub(crate) fn check_rows(commit: &Commit, rows: u64) -> Result<(), TablesError> {
    if u32::try_from(rows).is_ok() {
        return Ok(());
    }
    let detail = "one job cannot bring more than 4,294,967,295 rows".into();
    Err(TablesError::Mismatch { table: commit.table.clone(), detail })
}

/// A row of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    piece: usize,
    row: usize,
}

/// A row that stays, and where its values come from.
#[derive(Debug)]
struct Kept {
    /// How many rows arrived before it.
    arrival: u64,
    /// Rows of the job, newest first: a column that one lacks comes from the
    /// next.
    places: Vec<Place>,
    /// And in the end from this row of the table.
    base: Option<usize>,
}

/// What remains of a job once later rows have replaced earlier ones.
#[derive(Debug, Default)]
struct Net {
    kept: Vec<Kept>,
    gone: Vec<Place>,
    deleted: u64,
    before: Found,
}

/// Without keys every row stays.
fn all_of(pieces: &[Staged]) -> Net {
    let mut net = Net::default();
    for (piece, staged) in pieces.iter().enumerate() {
        let (Staged::Upsert(rows) | Staged::Delete(rows)) = staged;
        for row in 0..rows.len() {
            let arrival = net.kept.len() as u64;
            net.kept.push(Kept { arrival, places: vec![Place { piece, row }], base: None });
        }
    }
    net
}

enum Last {
    Upsert(Kept),
    Delete(Place),
}

fn last_of_each_key(
    table: Option<&Table>,
    shape: &Shape,
    pieces: &[Staged],
    keep_missing: bool,
) -> Result<Net, TablesError> {
    let coder = Coder::new(shape).map_err(failed)?;
    let keys: Result<Vec<_>, _> = pieces.iter().map(|piece| keys_of(piece, shape, &coder)).collect();
    let keys = keys?;
    let before = match table {
        Some(table) if asks_what_was(pieces, shape, keep_missing) => {
            let named: HashSet<Key> = keys.iter().flatten().flatten().cloned().collect();
            table.find(&coder, &named, &arrow_schema(&shape.schema))?
        }
        _ => Found::default(),
    };
    let mut last: HashMap<&Key, Last> = HashMap::new();
    let (mut arrived, mut deleted) = (0, 0);
    for (piece, (staged, keys)) in pieces.iter().zip(&keys).enumerate() {
        for (row, key) in keys.iter().enumerate() {
            let place = Place { piece, row };
            // A key that no row of the table can bear deletes nothing.
            let Some(key) = key else { continue };
            match staged {
                Staged::Delete(_) => {
                    deleted += u64::from(match last.insert(key, Last::Delete(place)) {
                        Some(Last::Upsert(_)) => true,
                        Some(Last::Delete(_)) => false,
                        None => before.by_key.contains_key(key),
                    });
                }
                Staged::Upsert(_) => {
                    let (mut places, base) = match last.remove(key) {
                        Some(Last::Upsert(kept)) if keep_missing => (kept.places, kept.base),
                        None if keep_missing => (Vec::new(), before.by_key.get(key).copied()),
                        _ => (Vec::new(), None),
                    };
                    places.insert(0, place);
                    last.insert(key, Last::Upsert(Kept { arrival: arrived, places, base }));
                    arrived += 1;
                }
            }
        }
    }
    let mut net = Net { deleted, before, ..Net::default() };
    for last in last.into_values() {
        match last {
            Last::Upsert(kept) => net.kept.push(kept),
            Last::Delete(place) => net.gone.push(place),
        }
    }
    net.kept.sort_by_key(|kept| kept.arrival);
    net.gone.sort_by_key(|place| (place.piece, place.row));
    Ok(net)
}

/// Tells whether a job's effect depends on the rows that were there before:
/// the number of keys that a delete finds does, and so do kept values.
fn asks_what_was(pieces: &[Staged], shape: &Shape, keep_missing: bool) -> bool {
    pieces.iter().any(|piece| match piece {
        Staged::Delete(_) => true,
        Staged::Upsert(rows) => keep_missing && lacks_columns(&rows.schema(), shape),
    })
}

/// Tells whether a piece lacks columns of the table that pushes bring.
pub(crate) fn lacks_columns(piece: &Schema, shape: &Shape) -> bool {
    let mut pushed = shape.schema.columns.iter().filter(|column| column.name != CHANGE_DATE_COLUMN);
    pushed.any(|column| piece.position(&column.name).is_none())
}

/// Returns the key of each row of a piece; `None` where the table's key
/// columns cannot hold it.
fn keys_of(piece: &Staged, shape: &Shape, coder: &Coder) -> Result<Vec<Option<Key>>, TablesError> {
    let (Staged::Upsert(rows) | Staged::Delete(rows)) = piece;
    let mut fits = vec![true; rows.len()];
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, column_type) in shape.keys.iter().zip(coder.types()) {
        let column = rows.column(name).expect("key columns were looked for");
        let is = column.values.column_type();
        let column = if schema::widest(is, *column_type) == *column_type {
            widened(column, *column_type)
        } else {
            // Only deletes come here: upserts have widened the table.
            for (row, fits) in fits.iter_mut().enumerate() {
                *fits &= column.cell(row) == Cell::Null;
            }
            empty_column(name.clone(), *column_type, rows.len())
        };
        arrays.push(array_of(&column, 0, rows.len()).map_err(failed)?);
    }
    let keys = coder.keys_of(&arrays).map_err(failed)?;
    Ok(keys.iter().zip(fits).map(|(key, fits)| fits.then(|| key.data().into())).collect())
}

/// The columns of the pieces in the order and types of the table.
struct Pieces(Vec<Vec<Option<Column>>>);

impl Pieces {
    fn in_shape(pieces: &[Staged], shape: &Shape) -> Self {
        let in_shape = |rows: &Rows, column: &ColumnSchema| {
            let found = rows.column(&column.name)?;
            let fits = schema::widest(found.values.column_type(), column.column_type) == column.column_type;
            fits.then(|| Column { name: column.name.clone(), ..widened(found, column.column_type) })
        };
        Pieces(
            pieces
                .iter()
                .map(|piece| {
                    let (Staged::Upsert(rows) | Staged::Delete(rows)) = piece;
                    shape.schema.columns.iter().map(|column| in_shape(rows, column)).collect()
                })
                .collect(),
        )
    }

    fn column(&self, piece: usize, column: usize) -> Option<&Column> {
        self.0[piece][column].as_ref()
    }
}

fn upserts(pieces: &Pieces, net: &Net, shape: &Shape, number: CommitNumber, at: i64) -> Rows {
    let count = net.kept.len();
    let whole = whole_piece(pieces, net);
    let mut columns = Vec::new();
    for (place, column) in shape.schema.columns.iter().enumerate() {
        let ColumnSchema { name, column_type } = column;
        if name == CHANGE_DATE_COLUMN && *column_type == ColumnType::Time {
            columns.push(Column { name: name.clone(), values: Values::Time(vec![at; count]), validity: None });
        } else if let Some(piece) = whole {
            let there = pieces.column(piece, place).cloned();
            columns.push(there.unwrap_or_else(|| empty_column(name.clone(), *column_type, count)));
        } else {
            let mut builder = ColumnBuilder::new(name.clone(), *column_type);
            for kept in &net.kept {
                builder.push(value_of(pieces, net, kept, place));
            }
            columns.push(builder.finish());
        }
    }
    let first = (number << 32) as i64;
    let seqs = net.kept.iter().map(|kept| first + kept.arrival as i64).collect();
    columns.push(Column { name: SEQ_COLUMN.into(), values: Values::Integer(seqs), validity: None });
    Rows::new(columns)
}

/// Returns the piece whose rows are the net effect as they stand, which is so
/// for most jobs: its columns need no copying by value.
fn whole_piece(pieces: &Pieces, net: &Net) -> Option<usize> {
    let piece = net.kept.first()?.places[0].piece;
    let rows = pieces.0[piece].iter().flatten().next()?.values.len();
    let as_they_stand =
        net.kept.iter().enumerate().all(|(row, kept)| kept.base.is_none() && kept.places[..] == [Place { piece, row }]);
    (rows == net.kept.len() && as_they_stand).then_some(piece)
}

fn value_of<'a>(pieces: &'a Pieces, net: &'a Net, kept: &Kept, column: usize) -> Cell<'a> {
    for place in &kept.places {
        if let Some(column) = pieces.column(place.piece, column) {
            return column.cell(place.row);
        }
    }
    match kept.base {
        Some(row) => net.before.rows.columns()[column].cell(row),
        None => Cell::Null,
    }
}

fn deletes(pieces: &Pieces, net: &Net, shape: &Shape) -> Rows {
    let columns = shape.keys.iter().map(|key| {
        let column = shape.schema.position(key).expect("keys are columns");
        let mut builder = ColumnBuilder::new(key.clone(), shape.schema.columns[column].column_type);
        for place in &net.gone {
            let value = pieces.column(place.piece, column).map_or(Cell::Null, |column| column.cell(place.row));
            builder.push(value);
        }
        builder.finish()
    });
    Rows::new(columns.collect())
}
