//! The way by which a column's type came to be what it is.
//!
//! A column that held integers, then floats, then texts, went from 4711 by way
//! of 4711.0 to the text of that. Rows at rest and older layers are widened
//! only when they are read or merged, perhaps after the whole way was gone; so
//! that it makes no difference when that happens, a layer remembers which of
//! its text columns were floats in between.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use arrow::error::ArrowError;
use pools::rows::{ColumnType, Schema};

use crate::arrow_rows::{arrow_type, widened};

/// Which text columns were floats in between, by name in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    by_float: BTreeSet<String>,
}

impl Route {
    /// Returns the way through two stretches, of which the older one ended
    /// with the columns `between` and the newer one with `after`.
    pub(crate) fn through(older: &Route, between: &Schema, newer: &Route, after: &Schema) -> Route {
        let mut by_float = BTreeSet::new();
        for column in after.columns.iter().filter(|column| column.column_type == ColumnType::Text) {
            let name = column.name.to_ascii_lowercase();
            let was_float = between
                .position(&column.name)
                .is_some_and(|place| between.columns[place].column_type == ColumnType::Float);
            if was_float || older.by_float.contains(&name) || newer.by_float.contains(&name) {
                by_float.insert(name);
            }
        }
        Route { by_float }
    }

    /// Raises a column from before to the type that it has after.
    pub(crate) fn raise(&self, name: &str, column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
        let by_float = *column.data_type() == DataType::Int64
            && *to == DataType::Utf8
            && self.by_float.contains(&name.to_ascii_lowercase());
        if by_float { widened(&widened(column, &DataType::Float64)?, to) } else { widened(column, to) }
    }

    /// Raises all columns of a batch to the types that they have after.
    pub(crate) fn raise_batch(&self, batch: &RecordBatch, after: &Schema) -> Result<RecordBatch, ArrowError> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let to = match after.position(field.name()) {
                Some(place) => arrow_type(after.columns[place].column_type),
                None => field.data_type().clone(),
            };
            columns.push(self.raise(field.name(), column, &to)?);
            fields.push(Field::new(field.name(), to, true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(ArrowSchema::new(fields)), columns, &options)
    }
}
