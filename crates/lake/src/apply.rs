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
use crate::hot::{Layer, Spilled, settle};
use crate::keys::{Coder, Key, KeySet};
use crate::rest::Rest;
use crate::route::Route;
use crate::table::Table;
use crate::wal::Record;

/// Returns the table after a commit. Rows on disk come as they were `spilled`.
/// `ceiling` is the last commit that every consumer is done with.
pub(crate) fn apply(
    table: Option<&Table>,
    record: &Record,
    spilled: Option<Spilled>,
    now: Timestamp,
    ceiling: CommitNumber,
) -> Result<Table, ArrowError> {
    let change = &record.change;
    let shape = shape_after(record);
    let layer = layer_of(change, &shape, spilled, now)?;
    let (name, mut layers, sealed, rest) = match table {
        Some(table) => (table.name.clone(), table.layers.clone(), table.sealed, table.rest.clone()),
        None => (change.table.clone(), Vec::new(), 0, Arc::new(Rest::default())),
    };
    layers.push(Arc::new(layer));
    settle(&mut layers, sealed, ceiling)?;
    Ok(Table::new(name, shape, change.number, layers, sealed, rest))
}

/// Returns the columns and keys of a table after a commit.
pub(crate) fn shape_after(record: &Record) -> Shape {
    let mut schema = record.change.upserts.schema();
    schema.columns.retain(|column| column.name != SEQ_COLUMN);
    Shape { schema, keys: record.keys.clone() }
}

fn layer_of(change: &Change, shape: &Shape, spilled: Option<Spilled>, now: Timestamp) -> Result<Layer, ArrowError> {
    let hides = match change.mode {
        Mode::Upsert { .. } if spilled.is_none() => {
            let coder = Arc::new(Coder::new(shape)?);
            let keys = hiding_keys(change, &coder)?;
            Some(KeySet::new(coder, keys))
        }
        _ => None,
    };
    Ok(Layer {
        first: change.number,
        through: change.number,
        replaces: change.mode == Mode::Replace,
        hides,
        shape: shape.clone(),
        route: Route::default(),
        batches: to_batches(&change.upserts).collect::<Result<_, _>>()?,
        spilled,
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
