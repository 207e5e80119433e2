//! A table: typed columns, rows that live and die, keys.
//!
//! A row keeps its number for as long as the root's line lives: an upsert is a
//! new row, and the old one is dead. Row numbers are what joins and cases
//! point to.

use std::sync::Arc;

use base::Timestamp;
use pools::rows::{Cell, Column as RowsColumn, ColumnType};

use super::blocks::{Chunked, Sharded};
use crate::value::{Type, Value};

/// No row: what a join points to where there is no partner.
pub const NO_ROW: u32 = u32::MAX;

/// No text.
pub const NO_CODE: u32 = u32::MAX;

/// The values of a column, one per row, dead rows included.
#[derive(Clone, Debug)]
pub enum ColumnData {
    /// Whole numbers; also booleans, as 1 and 0.
    Int(Chunked<Option<i64>>),
    /// Doubles.
    Float(Chunked<Option<f64>>),
    /// Microseconds since 1970, because events of one millisecond have an order.
    Date(Chunked<Option<i64>>),
    /// Codes into the column's words, or [`NO_CODE`].
    Text {
        /// One per row.
        codes: Chunked<u32>,
        /// The distinct texts; never taken out.
        words: Chunked<Arc<str>>,
        /// Where a text stands in `words`.
        places: Places,
    },
}

/// Where a text stands among the words of a column.
#[derive(Clone, Debug, Default)]
pub struct Places(Sharded<Arc<str>, u32>);

impl ColumnData {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Integer | ColumnType::Boolean => ColumnData::Int(Chunked::default()),
            ColumnType::Float => ColumnData::Float(Chunked::default()),
            ColumnType::Time => ColumnData::Date(Chunked::default()),
            ColumnType::Text => {
                ColumnData::Text { codes: Chunked::default(), words: Chunked::default(), places: Places::default() }
            }
        }
    }

    /// Returns what the column holds, in the words of PQL.
    pub fn column_type(&self) -> Type {
        match self {
            ColumnData::Int(_) => Type::Int,
            ColumnData::Float(_) => Type::Float,
            ColumnData::Date(_) => Type::Date,
            ColumnData::Text { .. } => Type::String,
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match self {
            ColumnData::Int(values) => values.push(match cell {
                Cell::Integer(value) => Some(value),
                Cell::Boolean(value) => Some(value.into()),
                _ => None,
            }),
            ColumnData::Float(values) => values.push(match cell {
                // NaN is no number; PQL has one word for that.
                Cell::Float(value) => Some(value).filter(|value| !value.is_nan()),
                Cell::Integer(value) => Some(value as f64),
                _ => None,
            }),
            ColumnData::Date(values) => values.push(match cell {
                Cell::Time(value) => Some(value),
                _ => None,
            }),
            ColumnData::Text { codes, words, places } => match cell {
                Cell::Text(text) => {
                    let code = places.0.get(text).copied().unwrap_or_else(|| {
                        let text: Arc<str> = text.into();
                        let code = words.len() as u32;
                        words.push(text.clone());
                        places.0.insert(text, code);
                        code
                    });
                    codes.push(code);
                }
                _ => codes.push(NO_CODE),
            },
        }
    }

    /// Adds the value of a row of another column of the same type.
    fn push_value(&mut self, value: &KeyPart) {
        self.push(match value {
            KeyPart::Int(value) => Cell::Integer(*value),
            KeyPart::Float(bits) => Cell::Float(f64::from_bits(*bits)),
            KeyPart::Date(value) => Cell::Time(*value),
            KeyPart::Text(text) => Cell::Text(text),
        });
    }

    /// Returns the value of a row; dates lose what is below a millisecond.
    pub fn value(&self, row: u32) -> Value {
        let row = row as usize;
        match self {
            ColumnData::Int(values) => values.get(row).map_or(Value::Null, Value::Int),
            ColumnData::Float(values) => values.get(row).map_or(Value::Null, Value::Float),
            ColumnData::Date(values) => {
                values.get(row).map_or(Value::Null, |micros| Value::Date(Timestamp::from_micros(micros).as_millis()))
            }
            ColumnData::Text { codes, words, .. } => match *codes.get(row) {
                NO_CODE => Value::Null,
                code => Value::Text(words.get(code as usize).clone()),
            },
        }
    }

    fn key_part(&self, row: u32) -> Option<KeyPart> {
        let row = row as usize;
        match self {
            ColumnData::Int(values) => values.get(row).map(KeyPart::Int),
            ColumnData::Float(values) => values.get(row).map(KeyPart::of_float),
            ColumnData::Date(values) => values.get(row).map(KeyPart::Date),
            ColumnData::Text { codes, words, .. } => match *codes.get(row) {
                NO_CODE => None,
                code => Some(KeyPart::Text(words.get(code as usize).clone())),
            },
        }
    }

    /// Orders two rows, missing values first.
    pub(crate) fn compare(&self, one: u32, other: u32) -> std::cmp::Ordering {
        let (one, other) = (one as usize, other as usize);
        match self {
            ColumnData::Int(values) | ColumnData::Date(values) => values.get(one).cmp(values.get(other)),
            ColumnData::Float(values) => {
                values.get(one).partial_cmp(values.get(other)).expect("there is no NaN among them")
            }
            ColumnData::Text { codes, words, .. } => {
                let text = |row: usize| match *codes.get(row) {
                    NO_CODE => None,
                    code => Some(words.get(code as usize)),
                };
                text(one).cmp(&text(other))
            }
        }
    }
}

/// One part of a key, comparable across columns: a whole float equals the
/// integer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum KeyPart {
    Int(i64),
    /// By its bits; never a whole number that an integer could hold.
    Float(u64),
    Date(i64),
    Text(Arc<str>),
}

impl KeyPart {
    fn of_float(value: f64) -> Self {
        let is_whole = value.fract().abs() < f64::MIN_POSITIVE && value.abs() < 9.0e18;
        if is_whole { KeyPart::Int(value as i64) } else { KeyPart::Float(value.to_bits()) }
    }

    fn of_cell(cell: Cell<'_>) -> Option<Self> {
        Some(match cell {
            Cell::Null => return None,
            Cell::Integer(value) => KeyPart::Int(value),
            Cell::Boolean(value) => KeyPart::Int(value.into()),
            Cell::Float(value) => KeyPart::of_float(value),
            Cell::Time(value) => KeyPart::Date(value),
            Cell::Text(text) => KeyPart::Text(text.into()),
        })
    }
}

/// A key of one or more columns.
pub(crate) type Key = Vec<KeyPart>;

/// A table of the model.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    columns: Vec<(String, ColumnType, ColumnData)>,
    alive: Chunked<bool>,
    alive_count: usize,
    keys: Vec<String>,
    by_key: Sharded<Vec<Option<KeyPart>>, Vec<u32>>,
}

impl Table {
    pub(super) fn new(name: &str, columns: impl IntoIterator<Item = (String, ColumnType)>) -> Self {
        let columns = columns.into_iter();
        Table {
            name: name.to_owned(),
            columns: columns.map(|(name, column_type)| (name, column_type, ColumnData::new(column_type))).collect(),
            alive: Chunked::default(),
            alive_count: 0,
            keys: Vec::new(),
            by_key: Sharded::default(),
        }
    }

    /// Returns names and types of the columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Type)> {
        self.columns.iter().map(|(name, _, data)| (name.as_str(), data.column_type()))
    }

    /// Returns the values of the column at a 0-based place.
    pub fn column(&self, place: usize) -> &ColumnData {
        &self.columns[place].2
    }

    /// Returns the place of a column, ignoring case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, ..)| column.eq_ignore_ascii_case(name))
    }

    pub(super) fn row_type(&self, place: usize) -> ColumnType {
        self.columns[place].1
    }

    /// Returns how many row numbers were given, dead rows included.
    pub fn capacity(&self) -> usize {
        self.alive.len()
    }

    /// Returns how many rows live.
    pub fn len(&self) -> usize {
        self.alive_count
    }

    /// Tells whether no row lives.
    pub fn is_empty(&self) -> bool {
        self.alive_count == 0
    }

    /// Tells whether a row lives.
    pub fn is_alive(&self, row: u32) -> bool {
        *self.alive.get(row as usize)
    }

    /// Goes through the rows that live, in order of arrival.
    pub fn rows(&self) -> impl Iterator<Item = u32> {
        self.alive.iter().enumerate().filter(|(_, alive)| **alive).map(|(row, _)| row as u32)
    }

    /// Tells whether rows with these columns fit without changing a type.
    pub(super) fn takes<'a>(&self, mut columns: impl Iterator<Item = &'a RowsColumn>) -> bool {
        columns.all(|column| {
            let place = self.position(&column.name);
            place.is_some_and(|place| self.columns[place].1 == column.values.column_type())
        })
    }

    /// Adds a row of the given cells, one per column.
    pub(super) fn push<'a>(&mut self, cells: impl Fn(usize) -> Cell<'a>) -> u32 {
        for (place, (.., data)) in self.columns.iter_mut().enumerate() {
            data.push(cells(place));
        }
        self.finish_row()
    }

    /// Adds a row to a table of one column, the made-up case table.
    pub(super) fn push_key(&mut self, part: &KeyPart) -> u32 {
        self.columns[0].2.push_value(part);
        self.finish_row()
    }

    fn finish_row(&mut self) -> u32 {
        let row = self.alive.len() as u32;
        self.alive.push(true);
        self.alive_count += 1;
        if !self.keys.is_empty() {
            let key = self.push_key_of(row);
            self.by_key.change(&key, |rows| rows.push(row), |_| true);
        }
        row
    }

    pub(super) fn kill(&mut self, row: u32) {
        self.alive.set(row as usize, false);
        self.alive_count -= 1;
        if !self.keys.is_empty() {
            let key = self.push_key_of(row);
            self.by_key.change(&key, |rows| rows.retain(|other| *other != row), |rows| !rows.is_empty());
        }
    }

    pub(super) fn revive(&mut self, row: u32) {
        self.alive.set(row as usize, true);
        self.alive_count += 1;
    }

    /// Sees to it that rows can be found by these keys.
    pub(super) fn set_keys(&mut self, keys: &[String]) {
        if self.keys == keys || keys.iter().any(|key| self.position(key).is_none()) {
            return;
        }
        keys.clone_into(&mut self.keys);
        self.by_key = Sharded::default();
        for row in self.rows().collect::<Vec<_>>() {
            let key = self.push_key_of(row);
            self.by_key.change(&key, |rows| rows.push(row), |_| true);
        }
    }

    /// Returns the live rows that bear a pushed key. Unlike in a join, a
    /// missing part equals a missing part here.
    pub(super) fn rows_with_key(&self, rows: &pools::Rows, row: usize) -> Vec<u32> {
        let part = |key: &String| rows.column(key).and_then(|column| KeyPart::of_cell(column.cell(row)));
        let key: Vec<_> = self.keys.iter().map(part).collect();
        self.by_key.get(&key).cloned().unwrap_or_default()
    }

    fn push_key_of(&self, row: u32) -> Vec<Option<KeyPart>> {
        let place = |key: &String| self.position(key).expect("keys were checked when they were set");
        self.keys.iter().map(|key| self.columns[place(key)].2.key_part(row)).collect()
    }

    /// Returns the key of a row in a join; nothing if a part is missing.
    pub(super) fn key(&self, row: u32, columns: &[usize]) -> Option<Key> {
        columns.iter().map(|place| self.columns[*place].2.key_part(row)).collect()
    }
}
