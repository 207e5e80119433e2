//! A table as it is at one commit: hot layers upon files at rest.
//!
//! A [`Table`] never changes; each commit and each flush makes a new one that
//! shares what stayed the same. Readers hold the one that they began with.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use arrow::array::{Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Schema as ArrowSchema, SchemaRef};
use pools::schema::Shape;
use pools::{CommitNumber, Rows, SEQ_COLUMN, TablesError};

use crate::arrow_rows::{arrow_schema, conform, position, seq_field, to_rows};
use crate::error::failed;
use crate::files;
use crate::hot::{Layer, Stack};
use crate::keys::{Coder, Key, Sought};
use crate::rest::{Rest, RestFile};
use crate::skipping::{Choice, keys_in};

/// A table at one commit.
#[derive(Debug)]
pub(crate) struct Table {
    /// As first written.
    pub(crate) name: String,
    /// Columns and keys.
    pub(crate) shape: Shape,
    /// The last commit that changed it.
    pub(crate) changed_by: CommitNumber,
    /// What is not at rest yet, oldest first.
    pub(crate) layers: Vec<Arc<Layer>>,
    /// Layers up to this commit are on their way to rest.
    pub(crate) sealed: CommitNumber,
    /// What lies under the layers.
    pub(crate) rest: Arc<Rest>,
    hot: OnceLock<Arc<Stack>>,
    rows: OnceLock<u64>,
}

impl Table {
    /// Puts a table together.
    pub(crate) fn new(
        name: String,
        shape: Shape,
        changed_by: CommitNumber,
        layers: Vec<Arc<Layer>>,
        sealed: CommitNumber,
        rest: Arc<Rest>,
    ) -> Self {
        Table { name, shape, changed_by, layers, sealed, rest, hot: OnceLock::new(), rows: OnceLock::new() }
    }

    /// Returns the table as it was after a commit, or after the newest one
    /// before it at which no layer is cut in two, and which that is. Without
    /// columns it was not there yet.
    pub(crate) fn at(self: &Arc<Self>, number: CommitNumber) -> Result<(Arc<Table>, CommitNumber), TablesError> {
        if self.rest.through > number {
            return Err(TablesError::Forgotten { gone: self.rest.through });
        }
        let lower = self.layers.iter().take_while(|layer| layer.through <= number).count();
        let Some(next) = self.layers.get(lower) else { return Ok((self.clone(), number)) };
        let newest = self.layers[..lower].last();
        let shape = newest.map_or(&self.rest.shape, |layer| &layer.shape);
        let changed_by = newest.map_or(self.rest.through, |layer| layer.through);
        let layers = self.layers[..lower].to_vec();
        let table = Table::new(self.name.clone(), shape.clone(), changed_by, layers, self.sealed, self.rest.clone());
        Ok((Arc::new(table), number.min(next.first - 1)))
    }

    /// Returns its layers as they are read, made ready when they are first
    /// asked for.
    pub(crate) fn hot(&self) -> Result<Arc<Stack>, TablesError> {
        if let Some(hot) = self.hot.get() {
            return Ok(hot.clone());
        }
        let hot = Arc::new(Stack::of(&self.layers).map_err(failed)?);
        Ok(self.hot.get_or_init(|| hot).clone())
    }

    /// Returns how many rows it has. Where pending keys may hide rows at rest,
    /// the first call has to look at the keys at rest.
    pub(crate) fn rows(&self) -> Result<u64, TablesError> {
        if let Some(rows) = self.rows.get() {
            return Ok(*rows);
        }
        let hot = self.hot()?;
        let mut rows = hot.rows()?;
        for file in self.rest.files.iter().filter(|_| !hot.replaces()) {
            rows += file.rows - hidden_in(&self.rest, file, &hot)?;
        }
        Ok(*self.rows.get_or_init(|| rows))
    }

    /// Returns all its columns in Arrow, `_seq` last.
    pub(crate) fn arrow_schema(&self) -> SchemaRef {
        arrow_schema(&self.shape.schema)
    }

    /// Returns a choice of its columns in Arrow; the error is the name of one
    /// that it does not have.
    pub(crate) fn choose(&self, columns: &[String]) -> Result<SchemaRef, String> {
        let all = self.arrow_schema();
        let mut fields = Vec::new();
        for column in columns.iter().filter(|column| !column.eq_ignore_ascii_case(SEQ_COLUMN)) {
            let place = position(&all, column).ok_or_else(|| column.clone())?;
            fields.push(all.field(place).clone());
        }
        fields.push(seq_field());
        Ok(Arc::new(ArrowSchema::new(fields)))
    }

    /// Reads what is to be seen of one file at rest, batch by batch, until
    /// `take` says that it has enough.
    pub(crate) fn read_file(
        &self,
        file: &RestFile,
        wanted: &SchemaRef,
        choice: Choice<'_>,
        take: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), TablesError> {
        let hot = self.hot()?;
        if hot.replaces() {
            return Ok(());
        }
        // Most files hold nothing that is hidden, and need not be asked row by
        // row.
        let hides = hot.may_hide_in(&self.rest, file).is_some();
        let besides = if hides { hot.hiding_columns() } else { &[] };
        files::read(&file.path, wanted, besides, choice, &mut |batch| {
            let seen = if hides { hot.lets_through(&batch) } else { hot.raise(&batch) };
            let seen = seen.map_err(failed)?;
            let nothing = seen.num_rows() == 0;
            Ok(nothing || take(conform(&seen, wanted).map_err(failed)?))
        })
    }

    /// Reads the rows in motion.
    pub(crate) fn read_hot(
        &self,
        wanted: &SchemaRef,
        take: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), TablesError> {
        self.hot()?.read(wanted, &mut |batch| Ok(take(batch)))
    }

    /// Reads everything into memory, in order of `_seq`, which is the last of
    /// the wanted columns.
    pub(crate) fn scan(&self, wanted: &SchemaRef) -> Result<Rows, TablesError> {
        let mut batches = Vec::new();
        let mut keep = |batch: RecordBatch| {
            batches.push(batch);
            true
        };
        for file in &self.rest.files {
            self.read_file(file, wanted, Choice::All, &mut keep)?;
        }
        self.read_hot(wanted, &mut keep)?;
        Ok(to_rows(wanted, &in_order(wanted, batches)?))
    }

    /// Finds the rows that bear one of the keys, with the wanted columns,
    /// `_seq` last. Where several bear the same, the last of them in order of
    /// arrival is the one.
    pub(crate) fn find(&self, coder: &Coder, keys: &HashSet<Key>, wanted: &SchemaRef) -> Result<Found, TablesError> {
        let mut batches = Vec::new();
        let mut problem = None;
        let mut keep = |batch: RecordBatch| match bearing(&batch, coder, keys) {
            Ok(bearing) => {
                batches.extend((bearing.num_rows() > 0).then_some(bearing));
                true
            }
            Err(error) => {
                problem = Some(error);
                false
            }
        };
        let mut in_order_of_keys: Vec<Key> = keys.iter().cloned().collect();
        let sought = Sought::new(coder, &mut in_order_of_keys);
        for file in &self.rest.files {
            if let Some(choice) = keys_in(&self.rest, file, sought) {
                self.read_file(file, wanted, choice, &mut keep)?;
            }
        }
        self.read_hot(wanted, &mut keep)?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let mut by_key = HashMap::new();
        let batches = in_order(wanted, batches)?;
        let mut row = 0;
        for batch in &batches {
            for key in &coder.keys(batch).map_err(failed)? {
                by_key.insert(key.data().into(), row);
                row += 1;
            }
        }
        Ok(Found { rows: to_rows(wanted, &batches), by_key })
    }
}

/// Rows that were there before, by key.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The wanted columns.
    pub(crate) rows: Rows,
    /// Which row bears a key.
    pub(crate) by_key: HashMap<Key, usize>,
}

fn bearing(batch: &RecordBatch, coder: &Coder, keys: &HashSet<Key>) -> Result<RecordBatch, TablesError> {
    let theirs = coder.keys(batch).map_err(failed)?;
    let places = theirs.iter().enumerate().filter(|(_, key)| keys.contains(key.data()));
    let places: UInt32Array = places.map(|(place, _)| place as u32).collect::<Vec<_>>().into();
    take_record_batch(batch, &places).map_err(failed)
}

/// Sorts batches by `_seq`, which stands last, if they are not in order.
fn in_order(schema: &SchemaRef, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, TablesError> {
    let seqs = batches.iter().flat_map(|batch| seq_of(batch).values().iter().copied());
    if seqs.is_sorted() {
        return Ok(batches);
    }
    let mut places: Vec<(i64, usize, u32)> = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        places.extend(seq_of(batch).values().iter().enumerate().map(|(row, seq)| (*seq, number, row as u32)));
    }
    places.sort_unstable();
    let whole = concat_batches(schema, &batches).map_err(failed)?;
    let mut starts = Vec::new();
    let mut start = 0;
    for batch in &batches {
        starts.push(start);
        start += batch.num_rows() as u32;
    }
    let order: UInt32Array = places.iter().map(|(_, number, row)| starts[*number] + row).collect::<Vec<_>>().into();
    Ok(vec![take_record_batch(&whole, &order).map_err(failed)?])
}

fn seq_of(batch: &RecordBatch) -> &Int64Array {
    let last = batch.columns().last().expect("`_seq` stands last");
    debug_assert_eq!(*last.data_type(), DataType::Int64);
    last.as_any().downcast_ref().expect("`_seq` is an integer")
}

/// Returns how many rows of a file layers hide by their keys.
pub(crate) fn hidden_in(rest: &Rest, file: &RestFile, hot: &Stack) -> Result<u64, TablesError> {
    let Some(choice) = hot.may_hide_in(rest, file) else { return Ok(0) };
    let nothing = Arc::new(ArrowSchema::empty());
    let mut hidden = 0;
    files::read(&file.path, &nothing, hot.hiding_columns(), choice, &mut |batch| {
        let seen = hot.lets_through(&batch).map_err(failed)?;
        hidden += (batch.num_rows() - seen.num_rows()) as u64;
        Ok(true)
    })?;
    Ok(hidden)
}
