//! A commit from the log, laid upon its table.
//!
//! This is the one way in which rows become visible, just after a commit as
//! well as when a restart replays the log. It decides nothing.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::error::ArrowError;
use base::Timestamp;
use pools::schema::Shape;
use pools::{Change, CommitNumber, Mode, SEQ_COLUMN};

use crate::arrow_rows::{array_of, to_batches};
use crate::hot::{Layer, settle};
use crate::keys::{Coder, Key, KeySet};
use crate::rest::Rest;
use crate::route::Route;
use crate::table::Table;
use crate::wal::Record;

/// Returns the table after a commit. `ceiling` is the last commit that every
/// consumer is done with.
pub(crate) fn apply(
    table: Option<&Table>,
    record: &Record,
    now: Timestamp,
    ceiling: CommitNumber,
) -> Result<Table, ArrowError> {
    let change = &record.change;
    let shape = shape_after(change, &record.keys);
    let layer = layer_of(change, &shape, now)?;
    let (name, mut layers, sealed, rest) = match table {
        Some(table) => (table.name.clone(), table.layers.clone(), table.sealed, table.rest.clone()),
        None => (change.table.clone(), Vec::new(), 0, Arc::new(Rest::default())),
    };
    layers.push(Arc::new(layer));
    settle(&mut layers, sealed, ceiling)?;
    Ok(Table::new(name, shape, change.number, layers, sealed, rest))
}

fn shape_after(change: &Change, keys: &[String]) -> Shape {
    let mut schema = change.upserts.schema();
    schema.columns.retain(|column| column.name != SEQ_COLUMN);
    Shape { schema, keys: keys.to_vec() }
}

fn layer_of(change: &Change, shape: &Shape, now: Timestamp) -> Result<Layer, ArrowError> {
    let hides = match change.mode {
        Mode::Upsert { .. } => {
            let coder = Arc::new(Coder::new(shape)?);
            let keys = hiding_keys(change, &coder)?;
            Some(KeySet::new(coder, keys))
        }
        Mode::Append | Mode::Replace => None,
    };
    Ok(Layer {
        first: change.number,
        through: change.number,
        replaces: change.mode == Mode::Replace,
        hides,
        shape: shape.clone(),
        route: Route::default(),
        batches: to_batches(&change.upserts)?,
        since: now,
    })
}

/// Returns the keys that hide rows below: those that a change upserts and
/// those that it deletes.
fn hiding_keys(change: &Change, coder: &Coder) -> Result<HashSet<Key>, ArrowError> {
    let mut hiding = HashSet::new();
    for rows in [&change.upserts, &change.deletes] {
        let columns = coder.columns().iter().filter_map(|key| rows.column(key));
        let columns: Result<Vec<_>, _> = columns.map(|column| array_of(column, 0, rows.len())).collect();
        let keys = coder.keys_of(&columns?)?;
        hiding.extend(keys.iter().map(|key| Key::from(key.data())));
    }
    Ok(hiding)
}
