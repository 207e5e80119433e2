//! Parquet as people push it: read into rows.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::Type;
use pools::rows::Rows;
use pools::{TablesError, schema};

use crate::arrow_rows::{adopted, column_of, column_type};

/// Reads a whole file. Types are taken as the nearest of ours.
pub(crate) fn read_piece(path: &Path) -> Result<Rows, TablesError> {
    let bad = |detail: String| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        TablesError::BadFile { file, detail }
    };
    let builder = open(path).map_err(bad)?;
    let fields = builder.schema().fields().clone();
    check_names(&fields).map_err(bad)?;
    check_types(&fields).map_err(bad)?;
    let mut columns: Vec<Vec<ArrayRef>> = vec![Vec::new(); fields.len()];
    for batch in builder.build().map_err(|error| bad(error.to_string()))? {
        let batch = batch.map_err(|error| bad(error.to_string()))?;
        for ((arrays, array), field) in columns.iter_mut().zip(batch.columns()).zip(&fields) {
            let adopted = adopted(array).map_err(|error| bad(format!("column \"{}\": {error}", field.name())))?;
            arrays.push(adopted);
        }
    }
    let columns = fields.iter().zip(columns);
    let columns = columns.map(|(field, arrays)| column_of(field.name(), column_type(field.data_type()), &arrays));
    Ok(Rows::new(columns.collect()))
}

/// Returns the columns of a file, all of which can be taken.
pub(crate) fn fields_of(path: &Path) -> Result<Fields, TablesError> {
    let bad = |detail: String| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        TablesError::BadFile { file, detail }
    };
    let builder = open(path).map_err(bad)?;
    let fields = builder.schema().fields().clone();
    check_names(&fields).map_err(bad)?;
    check_types(&fields).map_err(bad)?;
    Ok(fields)
}

/// Opens a file. Times of the old 96-bit form are read as microseconds:
/// nanoseconds, which they are taken for, end in 2262, and 9999-12-31 is what
/// many systems write for "never".
fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, String> {
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
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
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

fn check_names(fields: &Fields) -> Result<(), String> {
    let mut known = pools::rows::Schema::default();
    for field in fields {
        if known.position(field.name()).is_some() {
            return Err(format!("it has two columns called \"{}\"", field.name()));
        }
        let column_type = column_type(field.data_type());
        let one = pools::rows::Schema {
            columns: vec![pools::rows::ColumnSchema { name: field.name().clone(), column_type }],
        };
        known = schema::union(&known, &one);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
