//! When rows in motion become too many for memory.
//!
//! A consumer that is behind holds up the flush, and pushes go on. Then the
//! oldest layers of a table go to runs on disk. Nothing else changes: the log
//! has their rows still, so a restart reads them from there, and such a run
//! goes with the last one who reads it.

use std::sync::Arc;

use pools::rows::{ColumnSchema, ColumnType};
use pools::{PoolId, SEQ_COLUMN, TablesError};
use tracing::warn;

use crate::arrow_rows::{arrow_schema, conform};
use crate::error::failed;
use crate::hot::{Layer, Spilled};
use crate::run::{Kind, Yard};
use crate::table::Table;

/// Returns the layers that are to leave memory, oldest first: so many that
/// half of the bound is free again.
pub(crate) fn layers_to_spill(table: &Table, bytes_max: u64) -> Vec<Arc<Layer>> {
    let in_memory = table.layers.iter().filter(|layer| layer.spilled.is_none());
    let mut bytes: u64 = in_memory.clone().map(|layer| layer.memory_bytes()).sum();
    let mut leaving = Vec::new();
    if bytes <= bytes_max {
        return leaving;
    }
    for layer in in_memory.filter(|layer| layer.rows() > 0) {
        if bytes <= bytes_max / 2 {
            break;
        }
        bytes -= layer.memory_bytes();
        leaving.push(layer.clone());
    }
    leaving
}

/// Writes a layer to disk and returns it as it is there.
pub(crate) fn spill(yard: &Yard, layer: &Layer) -> Result<Layer, TablesError> {
    let mut columns = layer.shape.schema.clone();
    columns.columns.push(ColumnSchema { name: SEQ_COLUMN.into(), column_type: ColumnType::Integer });
    let schema = arrow_schema(&layer.shape.schema);
    let mut writer = yard.begin();
    for batch in &layer.batches {
        writer.write(Kind::Upsert, &columns, &conform(batch, &schema).map_err(failed)?)?;
    }
    let spilled = Spilled {
        run: Arc::new(writer.finish()?),
        first_seq: 0,
        at: None,
        counts: None,
        rows: layer.rows() as u64,
        hides: layer.hides.as_ref().map(|keys| Arc::new(keys.printed())),
    };
    Ok(Layer { hides: None, batches: Vec::new(), spilled: Some(spilled), ..layer.clone() })
}

/// Reports rows that could not be written; they stay in memory.
pub(crate) fn complain(pool: PoolId, table: &str, error: &TablesError) {
    warn!(pool = %pool, table, error = %error, "rows in motion could not leave memory; it will be tried again");
}
