//! Parquet as people push it: read into rows.

use std::fs::File;
use std::path::Path;

use arrow::array::ArrayRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pools::rows::{Rows, Schema};
use pools::{TablesError, schema};

use crate::arrow_rows::{adopted, column_of, column_type};

/// Reads a whole file. Types are taken as the nearest of ours.
pub(crate) fn read_piece(path: &Path) -> Result<Rows, TablesError> {
    let bad = |detail: String| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        TablesError::BadFile { file, detail }
    };
    let file = File::open(path).map_err(|error| bad(error.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| bad(error.to_string()))?;
    let fields = builder.schema().fields().clone();
    check_names(&fields).map_err(bad)?;
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

fn check_names(fields: &arrow::datatypes::Fields) -> Result<(), String> {
    let mut known = Schema::default();
    for field in fields {
        if known.position(field.name()).is_some() {
            return Err(format!("it has two columns called \"{}\"", field.name()));
        }
        let column_type = column_type(field.data_type());
        let one = Schema { columns: vec![pools::rows::ColumnSchema { name: field.name().clone(), column_type }] };
        known = schema::union(&known, &one);
    }
    Ok(())
}
