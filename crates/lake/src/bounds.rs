//! What is known of the values in a file without opening it.
//!
//! Each file at rest says of its columns the smallest and the largest value
//! and how many are missing, in the Delta log for anyone to read. A bound may
//! lie further out than the values, never further in; where nothing certain can
//! be said, nothing is.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use base::Timestamp;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use pools::rows::{ColumnType, Schema};
use serde_json::{Map, Value as Json, json};

use crate::arrow_rows::column_type;

/// Texts that are longer, because nothing shorter is beyond them, are left out.
const BOUND_BYTES_MAX: usize = 128;

/// A value at or beyond one end of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bound {
    Integer(i64),
    Float(f64),
    /// In microseconds.
    Time(i64),
    Text(String),
}

/// What is known of one column.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extent {
    /// No value is smaller.
    pub(crate) low: Option<Bound>,
    /// No value is larger.
    pub(crate) high: Option<Bound>,
    /// How many values are missing.
    pub(crate) nulls: Option<u64>,
}

/// What is known of the columns of a file, by name in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extents(HashMap<String, Extent>);

impl Extents {
    /// Reads the statistics of a file of a table with these columns. What is
    /// not understood is not known.
    pub(crate) fn parse(stats: &str, schema: &Schema) -> Extents {
        let stats: Json = serde_json::from_str(stats).unwrap_or_default();
        let mut extents = HashMap::new();
        for column in &schema.columns {
            let bound = |which: &str| Bound::parse(stats.get(which)?.get(&column.name)?, column.column_type);
            let nulls = stats.get("nullCount").and_then(|nulls| nulls.get(&column.name)?.as_u64());
            let extent = Extent { low: bound("minValues"), high: bound("maxValues"), nulls };
            extents.insert(column.name.to_ascii_lowercase(), extent);
        }
        Extents(extents)
    }

    /// Returns what is known of a column, its name in any case.
    pub(crate) fn of(&self, column: &str) -> Option<&Extent> {
        self.0.get(&column.to_ascii_lowercase())
    }
}

/// Returns a written file's statistics in the form of the Delta log. Of the
/// columns in `strange` nothing is said: they hold values that have no place
/// in any order.
pub(crate) fn stats_of(metadata: &ParquetMetaData, schema: &SchemaRef, strange: &[bool]) -> String {
    let (mut smallest, mut largest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (place, field) in schema.fields().iter().enumerate() {
        let column_type = column_type(field.data_type());
        let groups: Vec<_> = metadata.row_groups().iter().map(|group| extent_of(group, place, column_type)).collect();
        let count: Option<u64> = groups.iter().map(|group| group.nulls).sum();
        if let Some(count) = count {
            nulls.insert(field.name().clone(), count.into());
        }
        // The log may only say what holds for every value: one row group
        // without bounds, and nothing is said.
        let ends: Option<Vec<_>> = groups.into_iter().map(|group| Some((group.low?, group.high?))).collect();
        let Some(ends) = ends.filter(|_| !strange[place]) else { continue };
        let (lows, highs): (Vec<_>, Vec<_>) = ends.into_iter().unzip();
        let ends = (lows.into_iter().reduce(Bound::smaller), highs.into_iter().reduce(Bound::larger));
        let (Some(low), Some(high)) = ends else { continue };
        if let (Some(low), Some(high)) = (low.json(false), high.json(true)) {
            smallest.insert(field.name().clone(), low);
            largest.insert(field.name().clone(), high);
        }
    }
    let rows = metadata.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": smallest, "maxValues": largest, "nullCount": nulls }).to_string()
}

/// Notes which columns of a batch hold something that is not a number: what is
/// smaller or larger than that?
pub(crate) fn note_strange(batch: &RecordBatch, strange: &mut [bool]) {
    for (column, strange) in batch.columns().iter().zip(strange) {
        if !*strange && *column.data_type() == DataType::Float64 {
            let values = column.as_primitive::<Float64Type>();
            *strange = values.iter().flatten().any(f64::is_nan);
        }
    }
}

/// Returns what a row group says about one of its columns.
pub(crate) fn extent_of(group: &RowGroupMetaData, place: usize, column_type: ColumnType) -> Extent {
    let Some(statistics) = group.column(place).statistics() else { return Extent::default() };
    let ends = match (statistics, column_type) {
        (Statistics::Int64(values), ColumnType::Integer) => {
            values.min_opt().zip(values.max_opt()).map(|(low, high)| (Bound::Integer(*low), Bound::Integer(*high)))
        }
        (Statistics::Int64(values), ColumnType::Time) => {
            values.min_opt().zip(values.max_opt()).map(|(low, high)| (Bound::Time(*low), Bound::Time(*high)))
        }
        (Statistics::Double(values), ColumnType::Float) => {
            let ends = values.min_opt().zip(values.max_opt()).filter(|(low, high)| low.is_finite() && high.is_finite());
            ends.map(|(low, high)| (Bound::Float(*low), Bound::Float(*high)))
        }
        // Long texts are cut, outward, by the writer of the file.
        (Statistics::ByteArray(values), ColumnType::Text) => {
            let text = |bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= BOUND_BYTES_MAX)?;
                Some(Bound::Text(text.to_owned()))
            };
            let ends = values.min_opt().zip(values.max_opt());
            ends.and_then(|(low, high)| Some((text(low.data())?, text(high.data())?)))
        }
        _ => None,
    };
    let (low, high) = ends.unzip();
    Extent { low, high, nulls: statistics.null_count_opt() }
}

impl Bound {
    fn parse(json: &Json, column_type: ColumnType) -> Option<Bound> {
        match column_type {
            ColumnType::Integer => json.as_i64().map(Bound::Integer),
            ColumnType::Float => json.as_f64().map(Bound::Float),
            ColumnType::Time => {
                let time: Timestamp = json.as_str()?.parse().ok()?;
                Some(Bound::Time(time.as_micros()))
            }
            ColumnType::Text => Some(Bound::Text(json.as_str()?.to_owned())),
            ColumnType::Boolean => None,
        }
    }

    /// Tells how two bounds of one type stand to each other; `None` if they
    /// are of two, or nobody can tell.
    pub(crate) fn compare(&self, other: &Bound) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Bound::Integer(one), Bound::Integer(other)) | (Bound::Time(one), Bound::Time(other)) => {
                Some(one.cmp(other))
            }
            (Bound::Float(one), Bound::Float(other)) => one.partial_cmp(other),
            (Bound::Text(one), Bound::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }

    /// Returns the type of column that it bounds.
    pub(crate) fn column_type(&self) -> ColumnType {
        match self {
            Bound::Integer(_) => ColumnType::Integer,
            Bound::Float(_) => ColumnType::Float,
            Bound::Time(_) => ColumnType::Time,
            Bound::Text(_) => ColumnType::Text,
        }
    }

    /// Returns the smaller of two.
    pub(crate) fn smaller(self, other: Bound) -> Bound {
        if other.compare(&self).is_some_and(std::cmp::Ordering::is_lt) { other } else { self }
    }

    /// Returns the larger of two.
    pub(crate) fn larger(self, other: Bound) -> Bound {
        if other.compare(&self).is_some_and(std::cmp::Ordering::is_gt) { other } else { self }
    }

    /// Returns the bound as an array of one value. Zero has a sign in the
    /// order of keys, which a bound does not: it is taken outward.
    pub(crate) fn array(&self, upward: bool) -> ArrayRef {
        match self {
            Bound::Integer(value) => Arc::new(Int64Array::from(vec![*value])),
            Bound::Float(value) if *value == 0.0 => Arc::new(Float64Array::from(vec![if upward { 0.0 } else { -0.0 }])),
            Bound::Float(value) => Arc::new(Float64Array::from(vec![*value])),
            Bound::Time(value) => Arc::new(TimestampMicrosecondArray::from(vec![*value]).with_timezone("UTC")),
            Bound::Text(value) => Arc::new(StringArray::from(vec![value.as_str()])),
        }
    }

    /// Times are written in milliseconds, outward, since the log knows no
    /// finer ones; those that no calendar has are not written at all.
    fn json(self, upward: bool) -> Option<Json> {
        match self {
            Bound::Time(micros) => {
                let millis = micros.div_euclid(1_000) + i64::from(upward && micros.rem_euclid(1_000) > 0);
                let text = Timestamp::from_millis(millis).to_string();
                text.ends_with('Z').then(|| text.into())
            }
            Bound::Integer(value) => Some(value.into()),
            Bound::Float(value) => Some(value.into()),
            Bound::Text(text) => Some(text.into()),
        }
    }
}
