//! Keys as bytes, and sets of them.
//!
//! Rows replace each other by key. A key is compared as bytes, in the types
//! that the key columns have at that time. Types only widen, and whoever asks
//! "is this older row's key among those?" asks a newer set: so the older row's
//! values are widened to the set's types, and then either equal bytes mean
//! equal keys or there are none.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows as KeyRows, SortField};
use pools::rows::ColumnType;
use pools::schema::Shape;

use crate::arrow_rows::{arrow_type, position, widened};

/// A key's bytes.
pub(crate) type Key = Box<[u8]>;

/// Turns the key columns of batches into bytes.
#[derive(Debug)]
pub(crate) struct Coder {
    columns: Vec<String>,
    types: Vec<ColumnType>,
    converter: RowConverter,
}

impl Coder {
    /// Makes the coder for a table as it is now.
    pub(crate) fn new(shape: &Shape) -> Result<Self, ArrowError> {
        let types = shape.keys.iter().map(|key| {
            let place = shape.schema.position(key).expect("keys are columns");
            shape.schema.columns[place].column_type
        });
        let types: Vec<_> = types.collect();
        let fields = types.iter().map(|column_type| SortField::new(arrow_type(*column_type)));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Coder { columns: shape.keys.clone(), types, converter })
    }

    /// Returns the names of the key columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Returns the types of the key columns.
    pub(crate) fn types(&self) -> &[ColumnType] {
        &self.types
    }

    /// Returns the keys of a batch. A key column that it lacks holds nothing.
    pub(crate) fn keys(&self, batch: &RecordBatch) -> Result<KeyRows, ArrowError> {
        let columns: Result<Vec<_>, _> = self
            .columns
            .iter()
            .zip(&self.types)
            .map(|(name, column_type)| match position(batch.schema_ref(), name) {
                Some(place) => widened(batch.column(place), &arrow_type(*column_type)),
                None => Ok(new_null_array(&arrow_type(*column_type), batch.num_rows())),
            })
            .collect();
        self.converter.convert_columns(&columns?)
    }

    /// Returns the keys of arrays in the coder's own types.
    pub(crate) fn keys_of(&self, columns: &[ArrayRef]) -> Result<KeyRows, ArrowError> {
        self.converter.convert_columns(columns)
    }

    /// Returns the bytes of a key that another coder, of narrower types, made.
    fn recode(&self, narrow: &Coder, key: &Key) -> Result<Key, ArrowError> {
        let parser = narrow.converter.parser();
        let columns = narrow.converter.convert_rows([parser.parse(key)])?;
        let wide: Result<Vec<_>, _> = columns
            .iter()
            .zip(&self.types)
            .map(|(column, column_type)| widened(column, &arrow_type(*column_type)))
            .collect();
        Ok(self.converter.convert_columns(&wide?)?.row(0).data().into())
    }
}

/// Keys that hide older rows.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    coder: Arc<Coder>,
    keys: HashSet<Key>,
}

impl KeySet {
    /// Makes a set from keys that the coder made.
    pub(crate) fn new(coder: Arc<Coder>, keys: HashSet<Key>) -> Self {
        KeySet { coder, keys }
    }

    /// Returns how many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns the names of the key columns.
    pub(crate) fn columns(&self) -> &[String] {
        self.coder.columns()
    }

    /// Returns the union with an older set of the same table.
    pub(crate) fn with_older(&self, older: &KeySet) -> Result<KeySet, ArrowError> {
        let mut keys = self.keys.clone();
        if older.coder.types == self.coder.types {
            keys.extend(older.keys.iter().cloned());
        } else {
            for key in &older.keys {
                keys.insert(self.coder.recode(&older.coder, key)?);
            }
        }
        Ok(KeySet { coder: self.coder.clone(), keys })
    }

    /// Tells which rows of an older batch are not hidden.
    pub(crate) fn survivors(&self, older: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let keys = self.coder.keys(older)?;
        Ok(keys.iter().map(|key| Some(!self.keys.contains(key.data()))).collect())
    }

    /// Tells how an older batch would fare: the rows that bear one of the keys.
    pub(crate) fn hidden(&self, older: &RecordBatch) -> Result<usize, ArrowError> {
        let keys = self.coder.keys(older)?;
        Ok(keys.iter().filter(|key| self.keys.contains(key.data())).count())
    }
}
