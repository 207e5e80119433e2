//! Parquet as people push it: read batch by batch, in our types.

use std::fs::File;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use pools::TablesError;
use pools::rows::{ColumnSchema, Schema};

use crate::arrow_rows::{adopted, column_type};
use crate::run::plain_schema;

const BATCH_ROWS: usize = 8 * 1024;

/// A file that somebody pushed. Types are taken as the nearest of ours.
pub(crate) struct ParquetPiece {
    name: String,
    schema: Schema,
    plain: SchemaRef,
    reader: ParquetRecordBatchReader,
}

impl ParquetPiece {
    /// Opens a file and looks at its columns.
    pub(crate) fn open(path: &Path) -> Result<Self, TablesError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bad = |detail: String| TablesError::BadFile { file: name.clone(), detail };
        let file = File::open(path).map_err(|error| bad(error.to_string()))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| bad(error.to_string()))?;
        let mut schema = Schema::default();
        for field in builder.schema().fields() {
            if schema.position(field.name()).is_some() {
                return Err(bad(format!("it has two columns called \"{}\"", field.name())));
            }
            let column_type = column_type(field.data_type());
            schema.columns.push(ColumnSchema { name: field.name().clone(), column_type });
        }
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| bad(error.to_string()))?;
        Ok(ParquetPiece { plain: plain_schema(&schema), name, schema, reader })
    }

    /// Returns its columns.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    fn adopt(&self, batch: &RecordBatch) -> Result<RecordBatch, String> {
        let columns = batch.columns().iter().zip(&self.schema.columns);
        let columns = columns
            .map(|(array, column)| adopted(array).map_err(|error| format!("column \"{}\": {error}", column.name)));
        let columns: Result<Vec<ArrayRef>, _> = columns.collect();
        RecordBatch::try_new(self.plain.clone(), columns?).map_err(|error| error.to_string())
    }
}

impl Iterator for ParquetPiece {
    type Item = Result<RecordBatch, TablesError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.reader.next()? {
            Ok(batch) => self.adopt(&batch),
            Err(error) => Err(error.to_string()),
        };
        Some(batch.map_err(|detail| TablesError::BadFile { file: self.name.clone(), detail }))
    }
}
