//! Parquet as people push it: read batch by batch, in our types.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type;
use pools::rows::{ColumnSchema, Rows, Schema};
use pools::{ParquetHead, TablesError};

use crate::arrow_rows::{adopted, column_type, to_rows};
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
        Ok(ParquetPiece::open_at_most(path, None)?.0)
    }

    /// Reads a file's first rows, and how many there are.
    pub(crate) fn head(path: &Path, rows: usize) -> Result<ParquetHead, TablesError> {
        let (piece, all) = ParquetPiece::open_at_most(path, Some(rows))?;
        Ok(ParquetHead { rows: all, first: piece.rows()? })
    }

    /// Opens a file to read so many of its rows, or all, and counts them.
    fn open_at_most(path: &Path, rows: Option<usize>) -> Result<(Self, u64), TablesError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bad = |detail: String| TablesError::BadFile { file: name.clone(), detail };
        let mut builder = builder_of(path).map_err(bad)?;
        let schema = schema_of(builder.schema().fields()).map_err(bad)?;
        let all = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
        if let Some(rows) = rows {
            builder = builder.with_limit(rows);
        }
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| bad(error.to_string()))?;
        Ok((ParquetPiece { plain: plain_schema(&schema), name, schema, reader }, all))
    }

    /// Returns its columns.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Reads all its rows into memory.
    pub(crate) fn rows(self) -> Result<Rows, TablesError> {
        let plain = self.plain.clone();
        let batches: Result<Vec<_>, _> = self.collect();
        Ok(to_rows(&plain, &batches?))
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

/// Opens a file. Times of the old 96-bit form are read as microseconds:
/// nanoseconds, which they are taken for, end in 2262, and 9999-12-31 is what
/// many systems write for "never".
fn builder_of(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|error| error.to_string())?;
    let old: HashSet<String> = metadata
        .parquet_schema()
        .columns()
        .iter()
        .filter(|column| column.physical_type() == Type::INT96)
        .map(|column| column.path().string())
        .collect();
    if old.is_empty() {
        return Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata));
    }
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = metadata.schema().fields().iter().map(|field| match old.contains(field.name()) {
        true => Field::new(field.name(), micros.clone(), field.is_nullable()),
        false => field.as_ref().clone(),
    });
    let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|error| error.to_string())
}

/// Refuses columns that would lose something: their name and the mend.
fn check_types(fields: &Fields) -> Result<(), String> {
    for field in fields {
        let mend = match field.data_type() {
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                "write it as a double, or as text where every digit counts"
            }
            DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(..)
            | DataType::Struct(_)
            | DataType::Map(..)
            | DataType::Union(..) => "flatten it into columns of single values, or write it as JSON text",
            _ => continue,
        };
        return Err(format!("column \"{}\" is of type {}: {mend}", field.name(), field.data_type()));
    }
    Ok(())
}

/// Returns the columns in our types; one whose type or name cannot be taken is
/// an error.
fn schema_of(fields: &Fields) -> Result<Schema, String> {
    check_types(fields)?;
    let mut schema = Schema::default();
    for field in fields {
        if schema.position(field.name()).is_some() {
            return Err(format!("it has two columns called \"{}\"", field.name()));
        }
        let column_type = column_type(field.data_type());
        schema.columns.push(ColumnSchema { name: field.name().clone(), column_type });
    }
    Ok(schema)
}

#[cfg(test)]
mod tests;
