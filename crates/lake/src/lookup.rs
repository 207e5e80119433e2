//! What `pools` asks about single keys.

use std::collections::HashSet;

use pools::rows::{Rows, Schema};
use pools::schema::{self, Shape, widened};
use pools::{SEQ_COLUMN, TablesError};

use crate::arrow_rows::{array_of, arrow_schema};
use crate::error::failed;
use crate::keys::{Coder, Key};
use crate::table::Table;

/// Finds the rows of a table that bear one of the keys, with these keys and
/// those of the wanted columns that the table has. Keys are compared as they
/// will be once the new rows have widened the table.
pub(crate) fn find(table: &Table, keys: &Rows, columns: &[String]) -> Result<Rows, TablesError> {
    let wide = schema::union(&table.shape.schema, &keys.schema());
    let names: Vec<String> = keys.columns().iter().map(|column| column.name.clone()).collect();
    let known = |name: &str| table.shape.schema.position(name).map(|place| wide.columns[place].clone());
    let mut wanted = Schema::default();
    for name in names.iter().chain(columns) {
        if let Some(column) = known(name).filter(|_| wanted.position(name).is_none()) {
            wanted.columns.push(column);
        }
    }
    // Where the table lacks a key column, no row of it bears the key.
    if names.is_empty() || !names.iter().all(|name| known(name).is_some()) {
        return Ok(Rows::default());
    }
    let coder = Coder::new(&Shape { schema: wide.clone(), keys: names }).map_err(failed)?;
    let mut arrays = Vec::new();
    for (column, to) in keys.columns().iter().zip(coder.types()) {
        arrays.push(array_of(&widened(column, *to), 0, keys.len()).map_err(failed)?);
    }
    let coded = coder.keys_of(&arrays).map_err(failed)?;
    let named: HashSet<Key> = coded.iter().map(|key| Key::from(key.data())).collect();
    let found = table.find(&coder, &named, &arrow_schema(&wanted))?;
    let columns = found.rows.columns().iter().filter(|column| column.name != SEQ_COLUMN);
    Ok(Rows::new(columns.cloned().collect()))
}
