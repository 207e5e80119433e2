//! Keys as bytes, and sets of them.
//!
//! Rows replace each other by key. A key is compared as bytes, in the types
//! that the key columns have at that time. Types only widen, and whoever asks
//! "is this older row's key among those?" asks a newer set: so the older row is
//! raised to the newer types first, and then equal bytes mean equal keys.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array as _, ArrayRef, BooleanArray, RecordBatch, new_null_array};
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

    /// Returns no keys at all.
    pub(crate) fn empty(&self) -> KeyRows {
        self.converter.empty_rows(0, 0)
    }

    /// Tells whether the keys of a table are these, in these types.
    pub(crate) fn is_for(&self, shape: &Shape) -> bool {
        let same = |key: &String, own: &String, column_type: &ColumnType| {
            let place = shape.schema.position(key);
            key.eq_ignore_ascii_case(own)
                && place.is_some_and(|place| shape.schema.columns[place].column_type == *column_type)
        };
        let mut columns = shape.keys.iter().zip(self.columns.iter().zip(&self.types));
        shape.keys.len() == self.columns.len() && columns.all(|(key, (own, column_type))| same(key, own, column_type))
    }

    /// Returns the ranges of several stretches of rows, of which the ends of
    /// the first key columns are known. The order of keys is that of their
    /// bytes, and the bytes of a key are those of its columns in turn: so the
    /// range ends with the first column that is not known. `None` stands for a
    /// stretch of which nothing is known.
    pub(crate) fn ranges(&self, stretches: usize, columns: &[Ends]) -> Result<Vec<Option<KeyRange>>, ArrowError> {
        let mut ranges = vec![(Vec::new(), Vec::new(), true); stretches];
        for (ends, column_type) in columns.iter().zip(&self.types) {
            let converter = RowConverter::new(vec![SortField::new(arrow_type(*column_type))])?;
            let nothing = converter.convert_columns(&[new_null_array(&arrow_type(*column_type), 1)])?;
            let (lows, highs) = (
                converter.convert_columns(std::slice::from_ref(&ends.low))?,
                converter.convert_columns(std::slice::from_ref(&ends.high))?,
            );
            for (place, (low, high, is_known)) in ranges.iter_mut().enumerate() {
                *is_known &= !ends.high.is_null(place) && !ends.low.is_null(place);
                if !*is_known {
                    continue;
                }
                // Nothing comes before every value.
                let least = if ends.nulls[place] == Some(0) { lows.row(place) } else { nothing.row(0) };
                low.extend_from_slice(least.data());
                high.extend_from_slice(highs.row(place).data());
            }
        }
        let ranges = ranges
            .into_iter()
            .map(|(low, high, _)| (!high.is_empty()).then(|| KeyRange { low: low.into(), high: high.into() }));
        Ok(ranges.collect())
    }
}

/// The ends of a key column, for several stretches of rows.
#[derive(Debug)]
pub(crate) struct Ends {
    /// No value of a stretch is smaller; nothing if that is not known.
    pub(crate) low: ArrayRef,
    /// No value of a stretch is larger; nothing if that is not known.
    pub(crate) high: ArrayRef,
    /// How many values are missing.
    pub(crate) nulls: Vec<Option<u64>>,
}

/// Between which keys all keys of some rows lie. The ends may be the beginnings
/// of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    low: Key,
    high: Key,
}

impl KeyRange {
    /// Returns the lower end.
    pub(crate) fn low(&self) -> &[u8] {
        &self.low
    }

    /// Tells whether two ranges have a key in common.
    #[cfg(test)]
    pub(crate) fn meets(&self, other: &KeyRange) -> bool {
        self.reaches(&other.low) && other.reaches(&self.low)
    }

    /// Tells whether a key that is not below the range is not above it either.
    fn reaches(&self, key: &[u8]) -> bool {
        *key <= *self.high || key.starts_with(&self.high)
    }
}

/// Keys that are looked for, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sought<'a> {
    /// What made them.
    pub(crate) coder: &'a Coder,
    keys: &'a [Key],
}

impl<'a> Sought<'a> {
    /// Puts keys in order to look for them.
    pub(crate) fn new(coder: &'a Coder, keys: &'a mut [Key]) -> Self {
        keys.sort_unstable();
        Sought { coder, keys }
    }

    /// Tells whether one of them may lie in a range.
    pub(crate) fn may_lie_in(&self, range: &KeyRange) -> bool {
        let first = self.keys.partition_point(|key| **key < *range.low);
        self.keys.get(first).is_some_and(|key| range.reaches(key))
    }
}

/// Keys that hide older rows.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    coder: Arc<Coder>,
    keys: HashSet<Key>,
    /// The keys in order, once someone looks for them.
    sorted: OnceLock<Arc<[Key]>>,
}

impl KeySet {
    /// Makes a set from keys that the coder made.
    pub(crate) fn new(coder: Arc<Coder>, keys: HashSet<Key>) -> Self {
        KeySet { coder, keys, sorted: OnceLock::new() }
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

    /// Returns the keys as something to look for.
    pub(crate) fn sought(&self) -> Sought<'_> {
        let sorted = self.sorted.get_or_init(|| {
            let mut sorted: Vec<Key> = self.keys.iter().cloned().collect();
            sorted.sort_unstable();
            sorted.into()
        });
        Sought { coder: &self.coder, keys: sorted }
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
        Ok(KeySet::new(Arc::new(coder), keys))
    }

    /// Returns the union with another set in the same types.
    pub(crate) fn with(&self, other: &KeySet) -> KeySet {
        let (most, few) = if self.len() >= other.len() { (self, other) } else { (other, self) };
        let mut keys = most.keys.clone();
        keys.extend(few.keys.iter().cloned());
        KeySet::new(self.coder.clone(), keys)
    }

    /// Tells which rows of an older batch, raised to the set's types, are not
    /// hidden.
    pub(crate) fn survivors(&self, older: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        let keys = self.coder.keys(older)?;
        Ok(keys.iter().map(|key| Some(!self.keys.contains(key.data()))).collect())
    }
}
