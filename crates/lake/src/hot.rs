//! The hot store: rows in motion, in layers.
//!
//! Each commit lays one [`Layer`] upon the others: its rows, and the keys that
//! hide rows below. Layers never change, so that a reader holds on to those
//! that it saw; neighbours are merged into one as they pile up, small ones
//! first. What lies under all layers is at rest.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::error::ArrowError;
use base::Timestamp;
use pools::CommitNumber;
use pools::schema::Shape;

use crate::arrow_rows::{arrow_schema, conform};
use crate::keys::KeySet;
use crate::route::Route;

/// Batches smaller than this are joined when layers merge.
const BATCH_ROWS: usize = 8 * 1024;

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
    /// When the oldest commit in it was taken in.
    pub(crate) since: Timestamp,
}

impl Layer {
    /// Returns how many rows it holds.
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns about how much memory it takes.
    pub(crate) fn bytes(&self) -> u64 {
        let rows: usize = self.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let keys = self.hides.as_ref().map_or(0, KeySet::len) * 48;
        (rows + keys) as u64
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
        match &self.hides {
            None => Ok(raised),
            Some(hides) => filter_record_batch(&raised, &hides.survivors(&raised)?),
        }
    }
}

/// Lays a layer upon another and makes one of both.
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
/// to go there yet: layers are not merged across either.
pub(crate) fn settle(
    layers: &mut Vec<Arc<Layer>>,
    sealed: CommitNumber,
    ceiling: CommitNumber,
) -> Result<(), ArrowError> {
    let mut top = layers.len();
    while top >= 2 {
        let (older, newer) = (&layers[top - 2], &layers[top - 1]);
        let mergeable = older.through > sealed && newer.through <= ceiling;
        if mergeable && (newer.replaces || older.weight() <= 2 * newer.weight()) {
            let merged = merge(older, newer)?;
            layers.splice(top - 2..top, [Arc::new(merged)]);
        }
        top -= 1;
    }
    Ok(())
}

/// Merges all layers into one.
pub(crate) fn merge_all(layers: &[Arc<Layer>]) -> Result<Option<Arc<Layer>>, ArrowError> {
    let Some((newest, older)) = layers.split_last() else { return Ok(None) };
    let mut merged = newest.clone();
    for layer in older.iter().rev() {
        merged = Arc::new(merge(layer, &merged)?);
    }
    Ok(Some(merged))
}
