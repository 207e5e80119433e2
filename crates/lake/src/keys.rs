//! Keys as bytes, and sets of them.
//!
//! Rows replace each other by key. A key is compared as bytes, in the types
//! that the key columns have at that time. Types only widen, and whoever asks
//! "is this older row's key among those?" asks a newer set: so the older row is
//! raised to the newer types first, and then equal bytes mean equal keys.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows as KeyRows, SortField};
use pools::rows::ColumnType;
use pools::schema::Shape;

use crate::arrow_rows::{arrow_type, position};
use crate::prints::{PrintSet, Prints, print_of};
use crate::route::Route;

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

    /// Returns the keys of a batch in the coder's own types. A key column that
    /// the batch lacks holds nothing.
    pub(crate) fn keys(&self, batch: &RecordBatch) -> Result<KeyRows, ArrowError> {
        let columns = self.columns.iter().zip(&self.types);
        let columns = columns.map(|(name, column_type)| match position(batch.schema_ref(), name) {
            Some(place) => batch.column(place).clone(),
            None => new_null_array(&arrow_type(*column_type), batch.num_rows()),
        });
        self.converter.convert_columns(&columns.collect::<Vec<_>>())
    }

    /// Returns the keys of arrays in the coder's own types.
    pub(crate) fn keys_of(&self, columns: &[ArrayRef]) -> Result<KeyRows, ArrowError> {
        self.converter.convert_columns(columns)
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

    /// Returns the same keys as prints, which take less memory.
    pub(crate) fn printed(&self) -> PrintSet {
        PrintSet::new(self.coder.clone(), Prints::new(self.keys.iter().map(|key| print_of(key)).collect()))
    }

    /// Returns the same keys in the types of a later table.
    pub(crate) fn raised(&self, later: &Shape, route: &Route) -> Result<KeySet, ArrowError> {
        let coder = Coder::new(later)?;
        if coder.types == self.coder.types {
            return Ok(self.clone());
        }
        let parser = self.coder.converter.parser();
        let columns = self.coder.converter.convert_rows(self.keys.iter().map(|key| parser.parse(key)))?;
        let columns = columns.iter().zip(&coder.columns).zip(&coder.types);
        let columns = columns.map(|((column, name), to)| route.raise(name, column, &arrow_type(*to)));
        let columns: Result<Vec<_>, _> = columns.collect();
        let keys = coder.keys_of(&columns?)?.iter().map(|key| key.data().into()).collect();
        Ok(KeySet { coder: Arc::new(coder), keys })
    }

    /// Returns the union with another set in the same types.
    pub(crate) fn with(&self, other: &KeySet) -> KeySet {
        let (most, few) = if self.len() >= other.len() { (self, other) } else { (other, self) };
        let mut union = most.clone();
        union.keys.extend(few.keys.iter().cloned());
        union
    }

    /// Tells which rows of an older batch, raised to the set's types, are not
    /// hidden.
    pub(crate) fn survivors(&self, older: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let keys = self.coder.keys(older)?;
        Ok(keys.iter().map(|key| Some(!self.keys.contains(key.data()))).collect())
    }
}
