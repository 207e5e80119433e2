//! What a push job on disk does to its table.
//!
//! The sibling of [`crate::decide`] for a job whose rows are in a run. Its
//! rows are not moved any more: a bitmap says which of them count, and prints
//! of its keys say what they hide, which together take seventeen bytes a row.
//! That takes seconds for millions of rows, so it is done before the writer is
//! asked. The writer only checks that the plan still stands: whether the table
//! is as it was then, as far as it matters.

use std::sync::Arc;

use arrow::array::{AsArray as _, BooleanBufferBuilder, Int64Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Field, Int64Type, Schema as ArrowSchema};
use pools::rows::{ColumnBuilder, ColumnSchema, ColumnType, Rows, Schema};
use pools::schema::Shape;
use pools::{CHANGE_DATE_COLUMN, Change, Commit, CommitNumber, Committed, Mode, SEQ_COLUMN, TablesError};

use crate::arrow_rows::{arrow_schema, arrow_type, conform, to_batches, to_rows};
use crate::decide::{Decision, Staged, check_rows, decide, lacks_columns, shape_after};
use crate::error::failed;
use crate::hot::{Layer, Spilled};
use crate::keys::Coder;
use crate::prints::{Print, PrintSet, Prints, print_of};
use crate::rest::Rest;
use crate::route::Route;
use crate::run::{Kind, Run, Yard, plain_schema};
use crate::skipping::Choice;
use crate::table::Table;

/// What a job on disk does, as long as its table does not change.
#[derive(Debug)]
pub(crate) struct Plan {
    run: Arc<Run>,
    index: Option<Arc<Index>>,
    pieces: Arc<[(Kind, Schema)]>,
    shape: Shape,
    upserted: u64,
    deleted: u64,
    /// The last commit of the table on which it rests, 0 if there was no table;
    /// `None` if it does not depend on the rows that were there.
    rests_on: Option<CommitNumber>,
}

/// Which rows of a run count, and what they hide.
#[derive(Debug)]
pub(crate) struct Index {
    /// A bit per row of the run: later rows of a job replace earlier ones.
    pub(crate) counts: BooleanBuffer,
    /// Rows to upsert that count.
    pub(crate) upserted: u64,
    /// The keys of all rows.
    pub(crate) hides: Arc<PrintSet>,
}

/// Plans what a job does to its table as it is now.
pub(crate) fn plan(
    yard: &Yard,
    table: Option<&Table>,
    commit: &Commit,
    run: &Arc<Run>,
    pieces: &Arc<[(Kind, Schema)]>,
    piece_bytes: u64,
) -> Result<Plan, TablesError> {
    let shape = shape_after(table.map(|table| &table.shape), commit, pieces)?;
    check_rows(commit, run.rows())?;
    let (mut run, pieces) = (run.clone(), pieces.clone());
    let Mode::Upsert { keep_missing, .. } = commit.mode else {
        let upserted = run.rows_of(Kind::Upsert);
        return Ok(Plan { run, index: None, pieces, shape, upserted, deleted: 0, rests_on: None });
    };
    let now = Some(table.map_or(0, |table| table.changed_by));
    let lacks = pieces.iter().any(|(kind, columns)| *kind == Kind::Upsert && lacks_columns(columns, &shape));
    let (rests_on, deleted);
    if keep_missing && lacks {
        let (completed, found) = complete(yard, table, commit, &run, &shape, piece_bytes)?;
        run = Arc::new(completed);
        (rests_on, deleted) = (now, found);
    } else if run.rows_of(Kind::Delete) > 0 {
        (rests_on, deleted) = (now, count_deleted(table, &run, &shape)?);
    } else {
        (rests_on, deleted) = (None, 0);
    }
    let index = Arc::new(index(&run, &shape)?);
    Ok(Plan { run, upserted: index.upserted, index: Some(index), pieces, shape, deleted, rests_on })
}

impl Plan {
    /// Tells whether the job still does the same to the table.
    pub(crate) fn stands(&self, table: Option<&Table>, commit: &Commit) -> bool {
        let is_same = self.rests_on.is_none_or(|number| number == table.map_or(0, |table| table.changed_by));
        is_same && shape_after(table.map(|table| &table.shape), commit, &self.pieces).is_ok_and(|now| now == self.shape)
    }

    /// Returns what the log will say, except the rows.
    pub(crate) fn decision(&self, table: Option<&Table>, commit: &Commit, number: CommitNumber) -> Decision {
        let mut columns = self.shape.schema.columns.clone();
        columns.push(ColumnSchema { name: SEQ_COLUMN.into(), column_type: ColumnType::Integer });
        let change = Change {
            number,
            table: table.map_or_else(|| commit.table.clone(), |table| table.name.clone()),
            mode: commit.mode.clone(),
            upserts: no_rows(&columns),
            deletes: no_rows(&key_columns(&self.shape)),
            at: commit.at,
            causes: commit.causes.clone(),
        };
        let committed = Committed { number, upserted: self.upserted, deleted: self.deleted };
        Decision { shape: self.shape.clone(), committed, change }
    }

    /// Returns the rows as the commit of this number has them.
    pub(crate) fn spilled(&self, change: &Change) -> Spilled {
        spilled(self.run.clone(), self.index.clone(), change)
    }

    /// Returns the run.
    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }
}

/// Returns the rows of a commit that lie in a run.
fn spilled(run: Arc<Run>, index: Option<Arc<Index>>, change: &Change) -> Spilled {
    let first_seq = (change.number << 32) as i64;
    Spilled {
        rows: index.as_ref().map_or_else(|| run.rows_of(Kind::Upsert), |index| index.upserted),
        counts: index.as_ref().map(|index| index.counts.clone()),
        hides: index.map(|index| index.hides.clone()),
        run,
        first_seq,
        at: Some(change.at.as_micros()),
    }
}

/// Returns the rows of a commit that a restart finds in the log.
pub(crate) fn spilled_again(run: Arc<Run>, shape: &Shape, change: &Change) -> Result<Spilled, TablesError> {
    let index = match change.mode {
        Mode::Upsert { .. } => Some(Arc::new(index(&run, shape)?)),
        Mode::Append | Mode::Replace => None,
    };
    Ok(spilled(run, index, change))
}

/// Returns a change whose rows lie in a run, with its rows.
pub(crate) fn materialised(change: &Change, run: &Arc<Run>) -> Result<Change, TablesError> {
    let mut schema = change.upserts.schema();
    schema.columns.retain(|column| column.name != SEQ_COLUMN);
    let keys: Vec<_> = change.deletes.columns().iter().map(|column| column.name.clone()).collect();
    let shape = Shape { schema, keys };
    let spilled = spilled_again(run.clone(), &shape, change)?;
    let wanted = arrow_schema(&shape.schema);
    let mut upserts = Vec::new();
    spilled.read(&shape, &wanted, &[], &mut |batch| {
        upserts.push(conform(&batch, &wanted).map_err(failed)?);
        Ok(true)
    })?;
    let key_schema = plain_schema(&Schema { columns: key_columns(&shape) });
    let mut deletes = Vec::new();
    run.read(&[Kind::Delete], &key_schema, &[], &mut |place, batch| {
        let gone = spilled.counted(place.row, &batch)?;
        // Where nothing counts, the values may be of any type.
        if gone.num_rows() > 0 {
            deletes.push(conform(&gone, &key_schema).map_err(failed)?);
        }
        Ok(true)
    })?;
    let (upserts, deletes) = (to_rows(&wanted, &upserts), to_rows(&key_schema, &deletes));
    Ok(Change { upserts, deletes, ..change.clone() })
}

fn key_columns(shape: &Shape) -> Vec<ColumnSchema> {
    let keys = shape.keys.iter().map(|key| shape.schema.position(key).expect("keys are columns"));
    keys.map(|place| shape.schema.columns[place].clone()).collect()
}

fn no_rows(columns: &[ColumnSchema]) -> Rows {
    Rows::new(columns.iter().map(|column| ColumnBuilder::new(&column.name, column.column_type).finish()).collect())
}

/// Finds out which rows of a run count: of those with the same key the last.
pub(crate) fn index(run: &Run, shape: &Shape) -> Result<Index, TablesError> {
    let coder = Arc::new(Coder::new(shape).map_err(failed)?);
    let mut prints: Vec<Print> = Vec::with_capacity(run.rows() as usize);
    let mut all_fit = true;
    run.read_keys(shape, &coder, &mut |_, keys, fits| {
        all_fit &= fits.true_count() == fits.len();
        let fitting = keys.iter().zip(fits.iter()).filter(|(_, fits)| *fits == Some(true));
        prints.extend(fitting.map(|(key, _)| print_of(key.data())));
        Ok(())
    })?;
    prints.sort_unstable();
    let (repeated, mut left) = repeated(&prints);
    let mut counts = BooleanBufferBuilder::new(run.rows() as usize);
    let mut upserted = 0;
    if left.is_empty() && all_fit {
        counts.append_n(run.rows() as usize, true);
        upserted = run.rows_of(Kind::Upsert);
    } else {
        run.read_keys(shape, &coder, &mut |kind, keys, fits| {
            for (key, fits) in keys.iter().zip(fits.iter()) {
                let place = repeated.place(print_of(key.data()));
                let is_last = place.is_none_or(|place| {
                    left[place] -= u32::from(fits == Some(true));
                    left[place] == 0
                });
                let counts_here = fits == Some(true) && is_last;
                upserted += u64::from(counts_here && kind == Kind::Upsert);
                counts.append(counts_here);
            }
            Ok(())
        })?;
    }
    let hides = Arc::new(PrintSet::new(coder, Prints::of_sorted(prints)));
    Ok(Index { counts: counts.finish(), upserted, hides })
}

/// Returns the prints that stand several times among sorted ones, and how
/// often each of them does.
fn repeated(sorted: &[Print]) -> (Prints, Vec<u32>) {
    let several = sorted.chunk_by(|one, other| one == other).filter(|equal| equal.len() > 1);
    let (prints, counts) = several.map(|equal| (equal[0], equal.len() as u32)).unzip();
    (Prints::of_sorted(prints), counts)
}

/// Counts the keys that a job deletes: those that are there when it comes to
/// that, in the table or by an earlier row of the job.
fn count_deleted(table: Option<&Table>, run: &Run, shape: &Shape) -> Result<u64, TablesError> {
    let coder = Coder::new(shape).map_err(failed)?;
    let mut prints = Vec::new();
    run.read_keys(shape, &coder, &mut |kind, keys, fits| {
        let fitting = keys.iter().zip(fits.iter()).filter(|(_, fits)| kind == Kind::Delete && *fits == Some(true));
        prints.extend(fitting.map(|(key, _)| print_of(key.data())));
        Ok(())
    })?;
    let named = Prints::new(prints);
    let mut is_there = vec![false; named.len()];
    if let Some(table) = table {
        let fields = key_columns(shape).into_iter();
        let fields = fields.map(|column| Field::new(column.name, arrow_type(column.column_type), true));
        let wanted = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        let mut problem = None;
        let mut look = |batch: RecordBatch| match coder.keys(&batch) {
            Ok(keys) => {
                for place in keys.iter().filter_map(|key| named.place(print_of(key.data()))) {
                    is_there[place] = true;
                }
                true
            }
            Err(error) => {
                problem = Some(failed(error));
                false
            }
        };
        for file in &table.rest.files {
            table.read_file(file, &wanted, Choice::All, &mut look)?;
        }
        table.read_hot(&wanted, &mut look)?;
        problem.map_or(Ok(()), Err)?;
    }
    let mut deleted = 0;
    run.read_keys(shape, &coder, &mut |kind, keys, fits| {
        for (key, _) in keys.iter().zip(fits.iter()).filter(|(_, fits)| *fits == Some(true)) {
            let Some(place) = named.place(print_of(key.data())) else { continue };
            deleted += u64::from(kind == Kind::Delete && is_there[place]);
            is_there[place] = kind == Kind::Upsert;
        }
        Ok(())
    })?;
    Ok(deleted)
}

/// Writes a job anew with the values that its rows keep, and returns how many
/// keys it deletes.
///
/// The job is taken in pieces that fit in memory. Each is decided as a job of
/// its own upon a table that only we see, to which the next piece then comes.
/// That reads the table once per piece.
fn complete(
    yard: &Yard,
    table: Option<&Table>,
    commit: &Commit,
    run: &Arc<Run>,
    shape: &Shape,
    piece_bytes: u64,
) -> Result<(Run, u64), TablesError> {
    let mut scratch = Scratch {
        yard,
        commit,
        shape,
        table: table.map(|table| {
            let (name, shape) = (table.name.clone(), table.shape.clone());
            Table::new(name, shape, table.changed_by, table.layers.clone(), table.sealed, table.rest.clone())
        }),
        runs: Vec::new(),
        deleted: 0,
    };
    let pushed = shape.schema.columns.iter().filter(|column| column.name != CHANGE_DATE_COLUMN);
    // Every piece begins with all columns, so that each value widens at once
    // to what it is in the end.
    let header = Staged::Upsert(no_rows(&pushed.cloned().collect::<Vec<_>>()));
    let mut pieces = vec![header.clone()];
    let (mut bytes, mut first, mut next) = (0, 0, 0);
    for file in run.files() {
        let wanted = plain_schema(&file.schema);
        run.read_file(file, &wanted, &mut |batch| {
            bytes += batch.get_array_memory_size() as u64;
            next += if file.kind == Kind::Upsert { batch.num_rows() as u64 } else { 0 };
            pieces.push(Staged::of(file.kind, to_rows(&wanted, &[conform(&batch, &wanted).map_err(failed)?])));
            if bytes >= piece_bytes {
                scratch.add(&std::mem::replace(&mut pieces, vec![header.clone()]), first)?;
                (bytes, first) = (0, next);
            }
            Ok(true)
        })?;
    }
    if pieces.len() > 1 {
        scratch.add(&pieces, first)?;
    }
    let Scratch { runs, deleted, .. } = scratch;
    Ok((Run::joined(yard, &runs), deleted))
}

/// A table that only one job sees, piece by piece.
struct Scratch<'a> {
    yard: &'a Yard,
    commit: &'a Commit,
    shape: &'a Shape,
    table: Option<Table>,
    runs: Vec<Arc<Run>>,
    deleted: u64,
}

impl Scratch<'_> {
    /// Adds a piece, before which so many rows arrived.
    fn add(&mut self, pieces: &[Staged], first: u64) -> Result<(), TablesError> {
        let decision = decide(self.table.as_ref(), self.commit, pieces, 0)?;
        self.deleted += decision.committed.deleted;
        let change = decision.change;
        let mut writer = self.yard.begin();
        for batch in to_batches(&change.upserts) {
            let numbered = numbered_from(&batch.map_err(failed)?, first)?;
            writer.write(Kind::Upsert, &change.upserts.schema(), &numbered)?;
        }
        for batch in to_batches(&change.deletes) {
            writer.write(Kind::Delete, &change.deletes.schema(), &batch.map_err(failed)?)?;
        }
        let run = Arc::new(writer.finish()?);
        let changed_by = self.table.as_ref().map_or(0, |table| table.changed_by) + 1;
        let layer = Layer {
            first: changed_by,
            through: changed_by,
            replaces: false,
            hides: None,
            shape: self.shape.clone(),
            route: Route::default(),
            batches: Vec::new(),
            spilled: Some(spilled_again(run.clone(), self.shape, &Change { number: changed_by, ..change })?),
            since: self.commit.at,
        };
        let (name, mut layers, rest) = match &self.table {
            Some(table) => (table.name.clone(), table.layers.clone(), table.rest.clone()),
            None => (self.commit.table.clone(), Vec::new(), Arc::new(Rest::default())),
        };
        layers.push(Arc::new(layer));
        self.table = Some(Table::new(name, self.shape.clone(), changed_by, layers, 0, rest));
        self.runs.push(run);
        Ok(())
    }
}

/// Moves the numbers of rows, which stand last.
fn numbered_from(batch: &RecordBatch, first: u64) -> Result<RecordBatch, TablesError> {
    let mut columns = batch.columns().to_vec();
    let seqs = columns.pop().expect("`_seq` stands last");
    let seqs: Int64Array = seqs.as_primitive::<Int64Type>().unary(|seq| seq + first as i64);
    columns.push(Arc::new(seqs));
    RecordBatch::try_new(batch.schema(), columns).map_err(failed)
}
