//! Rows to Arrow and back.
//!
//! Inside this crate rows are record batches in five types: `Int64`,
//! `Float64`, microseconds in UTC, `Boolean` and `Utf8`. Text is plain here,
//! not a dictionary, since files at rest, keys and SQL functions all want it
//! plain; it becomes a dictionary again when rows leave for `mining`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    StringBuilder, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::{CastOptions, cast, cast_with_options, take};
use arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, Schema as ArrowSchema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use pools::SEQ_COLUMN;
use pools::rows::{Bits, Cell, Column, ColumnType, Dictionary, Rows, Schema, Values};
use pools::schema::text_of;

/// Rows of a batch at most, so that the offsets of texts never run out.
const BATCH_ROWS_MAX: usize = 32 * 1024;

/// Returns how a type is laid out in Arrow.
pub(crate) fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Text => DataType::Utf8,
    }
}

/// Returns which of our types an Arrow type is, or is best read as.
pub(crate) fn column_type(arrow: &DataType) -> ColumnType {
    match arrow {
        arrow if arrow.is_integer() => ColumnType::Integer,
        arrow if arrow.is_floating() || arrow.is_decimal() => ColumnType::Float,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => ColumnType::Time,
        DataType::Boolean => ColumnType::Boolean,
        DataType::Dictionary(_, values) => column_type(values),
        _ => ColumnType::Text,
    }
}

/// Returns a table's columns in Arrow, `_seq` last.
pub(crate) fn arrow_schema(schema: &Schema) -> SchemaRef {
    let columns = schema.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.column_type), true));
    Arc::new(ArrowSchema::new(columns.chain([seq_field()]).collect::<Vec<_>>()))
}

/// Returns the field of `_seq`.
pub(crate) fn seq_field() -> Field {
    Field::new(SEQ_COLUMN, DataType::Int64, true)
}

/// Returns rows as batches, one after the other.
pub(crate) fn to_batches(rows: &Rows) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + '_ {
    let schema = rows.schema();
    let fields = schema.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.column_type), true));
    let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
    // Once for all batches: a dictionary can be larger than any of them.
    let texts: Vec<_> = rows.columns().iter().map(texts_known).collect();
    (0..rows.len()).step_by(BATCH_ROWS_MAX).map(move |start| {
        let count = BATCH_ROWS_MAX.min(rows.len() - start);
        let mut columns = Vec::new();
        for (column, texts) in rows.columns().iter().zip(&texts) {
            let texts = texts.as_ref().map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
            columns.push(stretch_of(column, texts.as_ref(), start, count)?);
        }
        RecordBatch::try_new(schema.clone(), columns)
    })
}

/// Returns a stretch of a column as an array.
pub(crate) fn array_of(column: &Column, start: usize, count: usize) -> Result<ArrayRef, ArrowError> {
    stretch_of(column, texts_known(column)?.as_ref(), start, count)
}

/// Returns the texts of a column's dictionary, if it has any.
fn texts_known(column: &Column) -> Result<Option<StringArray>, ArrowError> {
    let Values::Text { dictionary, .. } = &column.values else { return Ok(None) };
    let (offsets, bytes) = dictionary.buffers();
    if offsets.is_empty() {
        return Ok(None);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets.to_vec()));
    StringArray::try_new(offsets, Buffer::from(bytes), None).map(Some)
}

fn stretch_of(
    column: &Column,
    texts: Option<&StringArray>,
    start: usize,
    count: usize,
) -> Result<ArrayRef, ArrowError> {
    let bits = |bits: &Bits| BooleanBuffer::new(Buffer::from(bits.bytes()), start, count);
    let nulls = column.validity.as_ref().map(|validity| NullBuffer::new(bits(validity)));
    let stretch = start..start + count;
    Ok(match &column.values {
        Values::Integer(values) => Arc::new(Int64Array::new(values[stretch].to_vec().into(), nulls)),
        Values::Float(values) => Arc::new(Float64Array::new(values[stretch].to_vec().into(), nulls)),
        Values::Time(values) => {
            Arc::new(TimestampMicrosecondArray::new(values[stretch].to_vec().into(), nulls).with_timezone("UTC"))
        }
        Values::Boolean(values) => Arc::new(BooleanArray::new(bits(values), nulls)),
        Values::Text { codes, .. } => {
            let Some(texts) = texts else { return Ok(new_null_array(&DataType::Utf8, count)) };
            let codes = UInt32Array::new(codes[stretch].to_vec().into(), nulls);
            take(texts, &codes, None)?
        }
    })
}

/// Returns a column from the arrays that it is made of, which must be of the
/// five types.
pub(crate) fn column_of(name: &str, column_type: ColumnType, arrays: &[ArrayRef]) -> Column {
    let count: usize = arrays.iter().map(arrow::array::Array::len).sum();
    let any_null = arrays.iter().any(|array| array.null_count() > 0);
    let validity = any_null.then(|| {
        let rows = arrays.iter().flat_map(|array| (0..array.len()).map(|row| array.is_valid(row)));
        rows.collect::<Bits>()
    });
    let values = match column_type {
        ColumnType::Integer => Values::Integer(gather(arrays, |array| array.as_primitive::<Int64Type>().values())),
        ColumnType::Float => Values::Float(gather(arrays, |array| array.as_primitive::<Float64Type>().values())),
        ColumnType::Time => {
            Values::Time(gather(arrays, |array| array.as_primitive::<TimestampMicrosecondType>().values()))
        }
        ColumnType::Boolean => Values::Boolean(arrays.iter().flat_map(|array| array.as_boolean().values()).collect()),
        ColumnType::Text => texts_of(arrays, count),
    };
    Column { name: name.to_owned(), values, validity }
}

fn gather<T: Copy>(arrays: &[ArrayRef], values: impl Fn(&ArrayRef) -> &[T]) -> Vec<T> {
    let mut all = Vec::with_capacity(arrays.iter().map(arrow::array::Array::len).sum());
    for array in arrays {
        all.extend_from_slice(values(array));
    }
    all
}

fn texts_of(arrays: &[ArrayRef], count: usize) -> Values {
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut dictionary = Dictionary::default();
    let mut codes = Vec::with_capacity(count);
    for array in arrays {
        for text in array.as_string::<i32>() {
            // A code must point somewhere, also where no value is.
            let text = text.unwrap_or_default();
            codes.push(*known.entry(text).or_insert_with(|| dictionary.push(text)));
        }
    }
    Values::Text { codes, dictionary: Arc::new(dictionary) }
}

/// Returns rows from batches of one schema in the five types.
pub(crate) fn to_rows(schema: &ArrowSchema, batches: &[RecordBatch]) -> Rows {
    let columns = schema.fields().iter().enumerate().map(|(place, field)| {
        let arrays: Vec<_> = batches.iter().map(|batch| batch.column(place).clone()).collect();
        column_of(field.name(), column_type(field.data_type()), &arrays)
    });
    Rows::new(columns.collect())
}

/// Returns a batch with the columns of a schema: by name without case, types
/// widened, nothing where it has no such column.
pub(crate) fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns: Result<Vec<_>, _> = schema
        .fields()
        .iter()
        .map(|field| match position(batch.schema_ref(), field.name()) {
            Some(place) => widened(batch.column(place), field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns?, &options)
}

/// Returns the 0-based place of a column, ignoring case.
pub(crate) fn position(schema: &ArrowSchema, name: &str) -> Option<usize> {
    schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name))
}

/// Returns an array of one of the five types as a wider one. Texts come out as
/// `pools` writes them, so that a value is the same text whether it was
/// widened before it came to rest or after.
pub(crate) fn widened(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    match (column_type(array.data_type()), column_type(to)) {
        (ColumnType::Integer, ColumnType::Float) => cast(array, to),
        (_, ColumnType::Text) => {
            let mut texts = StringBuilder::new();
            for row in 0..array.len() {
                match cell_of(array, row) {
                    Cell::Null => texts.append_null(),
                    cell => texts.append_value(text_of(cell)),
                }
            }
            Ok(Arc::new(texts.finish()))
        }
        (from, to) => Err(ArrowError::CastError(format!("{from:?} does not widen to {to:?}"))),
    }
}

/// Returns one value of an array of the five types.
pub(crate) fn cell_of(array: &ArrayRef, row: usize) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(..) => Cell::Time(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        other => unreachable!("{other} is none of the five types"),
    }
}

/// Returns an array of any Arrow type as one of the five: what a foreign
/// Parquet file is read as. Times without a zone are UTC.
pub(crate) fn adopted(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let to = arrow_type(column_type(array.data_type()));
    if *array.data_type() == to {
        return Ok(array.clone());
    }
    // A value that does not fit is an error, not a quiet nothing.
    let strict = CastOptions { safe: false, format_options: FormatOptions::default() };
    match array.data_type() {
        DataType::Timestamp(unit, None) => {
            let zoned = cast_with_options(array, &DataType::Timestamp(*unit, Some("UTC".into())), &strict)?;
            cast_with_options(&zoned, &to, &strict)
        }
        _ => cast_with_options(array, &to, &strict),
    }
}

#[cfg(test)]
mod tests {
    use pools::rows::ColumnBuilder;

    use super::*;

    fn sample() -> Rows {
        let cells: [(&str, ColumnType, [Cell<'_>; 3]); 5] = [
            ("Id", ColumnType::Integer, [Cell::Integer(i64::MAX), Cell::Null, Cell::Integer(-1)]),
            ("Price", ColumnType::Float, [Cell::Float(0.5), Cell::Float(-0.0), Cell::Null]),
            ("When", ColumnType::Time, [Cell::Time(0), Cell::Time(1_767_225_600_123_456), Cell::Null]),
            ("Done", ColumnType::Boolean, [Cell::Boolean(true), Cell::Null, Cell::Boolean(false)]),
            ("Note", ColumnType::Text, [Cell::Text("Grüße"), Cell::Null, Cell::Text("")]),
        ];
        let columns = cells.map(|(name, column_type, cells)| {
            let mut builder = ColumnBuilder::new(name, column_type);
            for cell in cells {
                builder.push(cell);
            }
            builder.finish()
        });
        Rows::new(columns.into())
    }

    fn cells(rows: &Rows) -> Vec<Vec<Cell<'_>>> {
        rows.columns().iter().map(|column| (0..rows.len()).map(|row| column.cell(row)).collect()).collect()
    }

    #[test]
    fn rows_come_back_from_arrow_as_they_went_in() {
        let rows = sample();
        let batches: Vec<_> = to_batches(&rows).map(|batch| batch.expect("the five types have a layout")).collect();
        let back = to_rows(batches[0].schema_ref(), &batches);
        assert_eq!(cells(&back), cells(&rows));
        assert_eq!(back.schema(), rows.schema());
    }

    #[test]
    fn values_widen_to_the_texts_that_pools_writes() {
        let rows = sample();
        for column in rows.columns() {
            let array = array_of(column, 0, 3).expect("a layout");
            let wide = widened(&array, &DataType::Utf8).expect("everything widens to text");
            let expected = pools::schema::widened(column, ColumnType::Text);
            for row in 0..3 {
                assert_eq!(cell_of(&wide, row), expected.cell(row), "column {}, row {row}", column.name);
            }
        }
    }
}
