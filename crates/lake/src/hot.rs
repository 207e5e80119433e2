//! The hot store: rows in motion, in layers.
//!
//! Each commit lays one [`Layer`] upon the others: its rows, and the keys that
//! hide rows below. Layers never change, so that a reader holds on to those
//! that it saw; neighbours are merged into one as they pile up, small ones
//! first. What lies under all layers is at rest.
//!
//! The rows of a layer are in memory, or in a run on disk if they are too
//! many. Layers on disk are not merged: who reads lets each batch rise through
//! the layers above it, a [`Stack`] of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Int64Type, Schema as ArrowSchema, SchemaRef};
use arrow::error::ArrowError;
use base::Timestamp;
use pools::rows::Schema;
use pools::schema::Shape;
use pools::{CHANGE_DATE_COLUMN, CommitNumber, SEQ_COLUMN, TablesError};

use crate::arrow_rows::{arrow_schema, conform, position, widened};
use crate::error::failed;
use crate::keys::KeySet;
use crate::prints::PrintSet;
use crate::rest::{Rest, RestFile};
use crate::route::Route;
use crate::run::{Kind, Run};
use crate::skipping::{Choice, keys_in};

/// Batches smaller than this are joined when layers merge.
const BATCH_ROWS: usize = 8 * 1024;

/// Layers that consumers hold up are merged up to this.
const HELD_WEIGHT_MAX: usize = 64 * 1024;

/// What one commit, or several in a row, laid upon a table.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The first commit in it.
    pub(crate) first: CommitNumber,
    /// The last commit in it.
    pub(crate) through: CommitNumber,
    /// Nothing below is to be seen.
    pub(crate) replaces: bool,
    /// Keys that hide rows below.
    pub(crate) hides: Option<KeySet>,
    /// The table's columns and keys after the last commit.
    pub(crate) shape: Shape,
    /// How columns came by their types meanwhile.
    pub(crate) route: Route,
    /// Rows in order of `_seq`, which stands last.
    pub(crate) batches: Vec<RecordBatch>,
    /// Rows on disk. Such a layer holds none in memory, and what it hides
    /// stands here too.
    pub(crate) spilled: Option<Spilled>,
    /// When the oldest commit in it was taken in.
    pub(crate) since: Timestamp,
}

/// The rows of a layer on disk.
#[derive(Clone, Debug)]
pub(crate) struct Spilled {
    /// Where they lie.
    pub(crate) run: Arc<Run>,
    /// What is added to their numbers.
    pub(crate) first_seq: i64,
    /// Their change date; `None` if each bears its own.
    pub(crate) at: Option<i64>,
    /// Which rows of the run count; `None` if all do.
    pub(crate) counts: Option<BooleanBuffer>,
    /// How many rows there are that count.
    pub(crate) rows: u64,
    /// Keys that hide rows below.
    pub(crate) hides: Option<Arc<PrintSet>>,
}

impl Spilled {
    /// Returns the rows of a batch that count; it begins at a row of the run.
    pub(crate) fn counted(&self, row: usize, batch: &RecordBatch) -> Result<RecordBatch, TablesError> {
        let Some(counts) = &self.counts else { return Ok(batch.clone()) };
        let counts = counts.slice(row, batch.num_rows());
        if counts.count_set_bits() == batch.num_rows() {
            return Ok(batch.clone());
        }
        filter_record_batch(batch, &BooleanArray::new(counts, None)).map_err(failed)
    }

    /// Reads rows in the types of the layer's shape, `_seq` last: the wanted
    /// columns and others besides, as far as the shape has them.
    pub(crate) fn read(
        &self,
        shape: &Shape,
        wanted: &SchemaRef,
        besides: &[String],
        take: &mut dyn FnMut(RecordBatch) -> Result<bool, TablesError>,
    ) -> Result<(), TablesError> {
        let names = wanted.fields().iter().map(|field| field.name()).chain(besides);
        let mut schema = Schema::default();
        for place in names.filter_map(|name| shape.schema.position(name)) {
            let column = &shape.schema.columns[place];
            if schema.position(&column.name).is_none() {
                schema.columns.push(column.clone());
            }
        }
        let schema = arrow_schema(&schema);
        self.run.read(&[Kind::Upsert], &schema, &[], &mut |place, batch| {
            let rows = batch.num_rows();
            let mut columns: Vec<ArrayRef> = Vec::new();
            for field in schema.fields() {
                let found = position(batch.schema_ref(), field.name()).map(|place| batch.column(place));
                columns.push(match (field.name().as_str(), self.at, found) {
                    (SEQ_COLUMN, _, Some(numbers)) => {
                        let numbers = numbers.as_primitive::<Int64Type>();
                        Arc::new(numbers.unary::<_, Int64Type>(|number| number + self.first_seq))
                    }
                    (SEQ_COLUMN, _, None) => {
                        let first = self.first_seq + place.upsert as i64;
                        Arc::new(Int64Array::from_iter_values(first..first + rows as i64))
                    }
                    (CHANGE_DATE_COLUMN, Some(at), _) => {
                        Arc::new(TimestampMicrosecondArray::from_value(at, rows).with_timezone("UTC"))
                    }
                    (_, _, Some(column)) => widened(column, field.data_type()).map_err(failed)?,
                    (_, _, None) => new_null_array(field.data_type(), rows),
                });
            }
            let batch = RecordBatch::try_new(schema.clone(), columns).map_err(failed)?;
            let counted = self.counted(place.row, &batch)?;
            Ok(counted.num_rows() == 0 || take(counted)?)
        })
    }
}

impl Layer {
    /// Returns how many rows it holds.
    pub(crate) fn rows(&self) -> usize {
        match &self.spilled {
            Some(spilled) => spilled.rows as usize,
            None => self.batches.iter().map(RecordBatch::num_rows).sum(),
        }
    }

    /// Returns about how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let rows: usize = self.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let keys = self.hides.as_ref().map_or(0, KeySet::len) * 48;
        let prints = self.spilled.as_ref().and_then(|spilled| spilled.hides.as_ref());
        (rows + keys + prints.map_or(0, |prints| prints.bytes())) as u64
    }

    /// Returns about how big it is, in memory or on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.memory_bytes() + self.spilled.as_ref().map_or(0, |spilled| spilled.run.bytes())
    }

    /// Returns the key columns by which it hides rows, if it does.
    pub(crate) fn hiding_columns(&self) -> Option<&[String]> {
        match (&self.hides, &self.spilled) {
            (Some(keys), _) => Some(keys.columns()),
            (None, Some(spilled)) => spilled.hides.as_ref().map(|prints| prints.columns()),
            (None, None) => None,
        }
    }

    /// Tells what of a file at rest it may hide; `None` if nothing.
    pub(crate) fn may_hide_in(&self, rest: &Rest, file: &RestFile) -> Option<Choice<'_>> {
        match &self.hides {
            Some(keys) => keys_in(rest, file, keys.sought()),
            // Prints know no order.
            None => self.hiding_columns().map(|_| Choice::All),
        }
    }

    /// Reads its rows batch by batch, in its own types: the wanted columns and
    /// others besides, or more.
    pub(crate) fn read(
        &self,
        wanted: &SchemaRef,
        besides: &[String],
        take: &mut dyn FnMut(RecordBatch) -> Result<bool, TablesError>,
    ) -> Result<(), TablesError> {
        if let Some(spilled) = &self.spilled {
            return spilled.read(&self.shape, wanted, besides, take);
        }
        for batch in &self.batches {
            if !take(batch.clone())? {
                break;
            }
        }
        Ok(())
    }

    /// Returns how much it weighs when layers are compared for merging.
    fn weight(&self) -> usize {
        self.rows() + self.hides.as_ref().map_or(0, KeySet::len) + 1
    }

    /// Returns an older batch in the types of this layer.
    pub(crate) fn raise(&self, older: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.route.raise_batch(older, &self.shape.schema)
    }

    /// Returns the rows of an older batch that this layer lets be seen, in its
    /// types.
    pub(crate) fn lets_through(&self, older: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.replaces {
            return Ok(older.slice(0, 0));
        }
        let raised = self.raise(older)?;
        let survivors = match (&self.hides, &self.spilled) {
            (Some(hides), _) => hides.survivors(&raised)?,
            (None, Some(Spilled { hides: Some(hides), .. })) => hides.survivors(&raised)?,
            (None, _) => return Ok(raised),
        };
        filter_record_batch(&raised, &survivors)
    }
}

/// Lays a layer upon another and makes one of both. Both are in memory, or the
/// older is to be seen no more.
pub(crate) fn merge(older: &Layer, newer: &Layer) -> Result<Layer, ArrowError> {
    let (first, since) = (older.first, older.since);
    if newer.replaces {
        return Ok(Layer { first, since, ..newer.clone() });
    }
    let schema = arrow_schema(&newer.shape.schema);
    let mut batches = Vec::new();
    for batch in &older.batches {
        let seen = newer.lets_through(batch)?;
        if seen.num_rows() > 0 {
            batches.push(conform(&seen, &schema)?);
        }
    }
    for batch in &newer.batches {
        batches.push(conform(batch, &schema)?);
    }
    let hidden_before = match &older.hides {
        // Below a layer that replaces there is nothing to hide.
        Some(hides) if !older.replaces => Some(hides.raised(&newer.shape, &newer.route)?),
        _ => None,
    };
    let hides = match (hidden_before, &newer.hides) {
        _ if older.replaces => None,
        (Some(before), Some(newer)) => Some(newer.with(&before)),
        (Some(hides), None) => Some(hides),
        (None, hides) => hides.clone(),
    };
    let route = Route::through(&older.route, &older.shape.schema, &newer.route, &newer.shape.schema);
    Ok(Layer {
        first,
        through: newer.through,
        replaces: older.replaces,
        hides,
        shape: newer.shape.clone(),
        route,
        batches: joined(batches)?,
        spilled: None,
        since,
    })
}

/// Joins runs of small batches.
fn joined(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut joined = Vec::new();
    let mut run: Vec<RecordBatch> = Vec::new();
    let mut run_rows = 0;
    for batch in batches {
        if run_rows + batch.num_rows() > BATCH_ROWS && !run.is_empty() {
            joined.push(concat_batches(run[0].schema_ref(), &run)?);
            run.clear();
            run_rows = 0;
        }
        run_rows += batch.num_rows();
        run.push(batch);
    }
    if !run.is_empty() {
        joined.push(concat_batches(run[0].schema_ref(), &run)?);
    }
    Ok(joined)
}

/// Merges neighbours that are about equally heavy, so that their number grows
/// with the logarithm of the rows; what is replaced is let go at once. Commits
/// up to `sealed` are on their way to rest, and those after `ceiling` not free
/// to go there yet: layers are not merged across either. Those that are not
/// free grow only so big together that they do not wait for each other long.
pub(crate) fn settle(
    layers: &mut Vec<Arc<Layer>>,
    sealed: CommitNumber,
    ceiling: CommitNumber,
) -> Result<(), ArrowError> {
    let mut top = layers.len();
    while top >= 2 {
        let (older, newer) = (&layers[top - 2], &layers[top - 1]);
        let are_free = newer.through <= ceiling;
        let are_held = older.first > ceiling && older.weight() + newer.weight() <= HELD_WEIGHT_MAX;
        let mergeable = older.through > sealed && (are_free || are_held);
        let in_memory = older.spilled.is_none() && newer.spilled.is_none();
        let worth_it = in_memory && older.weight() <= 2 * newer.weight();
        if mergeable && (newer.replaces || worth_it) {
            let merged = merge(older, newer)?;
            layers.splice(top - 2..top, [Arc::new(merged)]);
        }
        top -= 1;
    }
    Ok(())
}

/// Merges layers in memory into one.
fn merge_all(layers: &[Arc<Layer>]) -> Result<Option<Arc<Layer>>, ArrowError> {
    let Some((newest, older)) = layers.split_last() else { return Ok(None) };
    let mut merged = newest.clone();
    for layer in older.iter().rev() {
        merged = Arc::new(merge(layer, &merged)?);
    }
    Ok(Some(merged))
}

/// Layers as they are read, oldest first: neighbours in memory are one, and
/// all but the lowest let something be seen of those below.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    layers: Vec<Arc<Layer>>,
}

impl Stack {
    /// Makes a stack of layers.
    pub(crate) fn of(layers: &[Arc<Layer>]) -> Result<Stack, ArrowError> {
        let lowest = layers.iter().rposition(|layer| layer.replaces).unwrap_or(0);
        let mut stack = Stack::default();
        let in_memory = |layer: &Arc<Layer>| layer.spilled.is_none();
        for neighbours in layers[lowest..].chunk_by(|older, newer| in_memory(older) && in_memory(newer)) {
            stack.layers.extend(merge_all(neighbours)?);
        }
        Ok(stack)
    }

    /// Returns the uppermost layer, whose columns and keys are those of all.
    pub(crate) fn newest(&self) -> Option<&Arc<Layer>> {
        self.layers.last()
    }

    /// Tells whether nothing below is to be seen.
    pub(crate) fn replaces(&self) -> bool {
        self.layers.first().is_some_and(|layer| layer.replaces)
    }

    /// Returns the key columns by which rows below are hidden; none if none
    /// are.
    pub(crate) fn hiding_columns(&self) -> &[String] {
        // All layers above one that replaces have the same keys.
        self.layers.iter().rev().find_map(|layer| layer.hiding_columns()).unwrap_or(&[])
    }

    /// Tells what of a file at rest is hidden perhaps; `None` if nothing.
    pub(crate) fn may_hide_in(&self, rest: &Rest, file: &RestFile) -> Option<Choice<'_>> {
        let mut choices = self.layers.iter().filter_map(|layer| layer.may_hide_in(rest, file));
        let only = choices.next()?;
        Some(if choices.next().is_some() { Choice::All } else { only })
    }

    /// Tells whether some of its rows lie on disk.
    pub(crate) fn is_on_disk(&self) -> bool {
        self.layers.iter().any(|layer| layer.spilled.is_some())
    }

    /// Returns a batch from below, of which nothing is hidden, in the types of
    /// the uppermost layer.
    pub(crate) fn raise(&self, older: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.layers.iter().try_fold(older.clone(), |risen, layer| layer.raise(&risen))
    }

    /// Returns the rows of a batch from below that are to be seen, in the
    /// types of the uppermost layer.
    pub(crate) fn lets_through(&self, older: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        rise(older.clone(), &self.layers)
    }

    /// Reads the rows of all layers that are to be seen, oldest first, batch
    /// by batch.
    pub(crate) fn read(
        &self,
        wanted: &SchemaRef,
        take: &mut dyn FnMut(RecordBatch) -> Result<bool, TablesError>,
    ) -> Result<(), TablesError> {
        let mut goes_on = true;
        for (place, layer) in self.layers.iter().enumerate() {
            let above = &self.layers[place + 1..];
            layer.read(wanted, self.hiding_columns(), &mut |batch| {
                let seen = rise(batch, above).map_err(failed)?;
                goes_on = seen.num_rows() == 0 || take(conform(&seen, wanted).map_err(failed)?)?;
                Ok(goes_on)
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Returns how many rows of all layers are to be seen.
    pub(crate) fn rows(&self) -> Result<u64, TablesError> {
        let nothing = Arc::new(ArrowSchema::empty());
        let mut rows = 0;
        for (place, layer) in self.layers.iter().enumerate() {
            let above = &self.layers[place + 1..];
            if above.iter().all(|layer| layer.hiding_columns().is_none()) {
                rows += layer.rows() as u64;
                continue;
            }
            layer.read(&nothing, self.hiding_columns(), &mut |batch| {
                rows += rise(batch, above).map_err(failed)?.num_rows() as u64;
                Ok(true)
            })?;
        }
        Ok(rows)
    }
}

/// Lets a batch rise through the layers above it, one after the other: so each
/// of its values widens by the way that the columns took.
fn rise(batch: RecordBatch, above: &[Arc<Layer>]) -> Result<RecordBatch, ArrowError> {
    let mut risen = batch;
    for layer in above {
        if risen.num_rows() == 0 {
            break;
        }
        risen = layer.lets_through(&risen)?;
    }
    Ok(risen)
}
