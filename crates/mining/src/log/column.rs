//! A column: a packed base, and a tail of what arrived since.

use std::cmp::Ordering;
use std::sync::Arc;

use base::Timestamp;
use pools::rows::{Cell, Column as RowsColumn, ColumnType, Values};

use super::blocks::Chunked;
use super::groups::GroupOf;
use super::narrow::{Bitmap, Ints, Narrow, fill};
use super::table::NO_CODE;
use super::words::{WordBlock, Words};
use crate::value::{Type, Value};

/// The values of a column, one per row, dead rows included. Times are
/// microseconds since 1970, because events of one millisecond have an order.
#[derive(Clone, Debug)]
pub struct Column {
    kind: ColumnType,
    base: Base,
    base_length: usize,
    tail: Tail,
    /// Of a text column.
    words: Arc<Words>,
}

/// Packed values.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    /// Whole numbers, booleans as 1 and 0, times.
    Ints(Ints),
    /// Doubles; where there is none, a zero.
    Floats(Arc<Vec<f64>>, Option<Arc<Bitmap>>),
    /// Codes into the words.
    Codes(Narrow),
    /// The key of the group to which the row belongs, whose number is the code.
    Keys(GroupOf),
}

#[derive(Clone, Debug)]
enum Tail {
    Ints(Chunked<Option<i64>>),
    Floats(Chunked<Option<f64>>),
    Codes(Chunked<u32>),
}

impl Tail {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Integer | ColumnType::Boolean | ColumnType::Time => Tail::Ints(Chunked::default()),
            ColumnType::Float => Tail::Floats(Chunked::default()),
            ColumnType::Text => Tail::Codes(Chunked::default()),
        }
    }
}

impl Column {
    /// Makes an empty column.
    pub(super) fn new(column_type: ColumnType) -> Self {
        let base = match column_type {
            ColumnType::Integer | ColumnType::Boolean | ColumnType::Time => Base::Ints(Ints::new(0, |_| None)),
            ColumnType::Float => Base::Floats(Arc::default(), None),
            ColumnType::Text => Base::Codes(Narrow::default()),
        };
        Column { kind: column_type, base, base_length: 0, tail: Tail::new(column_type), words: Arc::default() }
    }

    /// Packs rows that were read, in the given order, else as they stand.
    pub(super) fn of_rows(column: &RowsColumn, order: Option<&[u32]>) -> Self {
        let length = column.values.len();
        let row = |place: usize| order.map_or(place, |order| order[place] as usize);
        let valid = |row: usize| column.validity.as_ref().is_none_or(|valid| valid.get(row));
        let mut words = Arc::default();
        let base = match &column.values {
            Values::Integer(values) | Values::Time(values) => {
                let value = |row: usize| valid(row).then(|| values[row]);
                Base::Ints(Ints::in_order(length, value, |place| value(row(place))))
            }
            Values::Boolean(values) => Base::Ints(Ints::new(length, |place| {
                let row = row(place);
                valid(row).then(|| values.get(row).into())
            })),
            Values::Float(values) => floats(length, |place| {
                let row = row(place);
                // NaN is no number; PQL has one word for that.
                valid(row).then(|| values[row]).filter(|value| !value.is_nan())
            }),
            Values::Text { codes, dictionary } => {
                let mut block = WordBlock::default();
                // The texts of a dictionary are all different.
                for code in 0..dictionary.len() as u32 {
                    block.push_new(dictionary.text(code));
                }
                block.index();
                words = Arc::new(Words::from(block));
                Base::Codes(Narrow::new(length, dictionary.len(), |place| {
                    let row = row(place);
                    if valid(row) { codes[row] } else { NO_CODE }
                }))
            }
        };
        let column_type = column.values.column_type();
        Column { kind: column_type, base, base_length: length, tail: Tail::new(column_type), words }
    }

    /// Makes a text column whose values are the keys of groups.
    pub(super) fn of_keys(groups: GroupOf, length: usize, words: Arc<Words>) -> Self {
        let tail = Tail::new(ColumnType::Text);
        Column { kind: ColumnType::Text, base: Base::Keys(groups), base_length: length, tail, words }
    }

    /// Packs base and tail of the given rows into one base.
    pub(super) fn folded(&self, order: &[u32]) -> Self {
        let row = |place: usize| order[place];
        let base = match &self.tail {
            Tail::Ints(_) => Base::Ints(Ints::new(order.len(), |place| self.int(row(place)))),
            Tail::Floats(_) => floats(order.len(), |place| self.float(row(place))),
            Tail::Codes(_) => Base::Codes(Narrow::new(order.len(), self.words.len(), |place| self.code(row(place)))),
        };
        let words = Words::folded(&self.words);
        Column { kind: self.kind, base, base_length: order.len(), tail: Tail::new(self.kind), words }
    }

    /// Returns what the column holds, in the words of PQL.
    pub fn column_type(&self) -> Type {
        match self.kind {
            ColumnType::Integer | ColumnType::Boolean => Type::Int,
            ColumnType::Float => Type::Float,
            ColumnType::Time => Type::Date,
            ColumnType::Text => Type::String,
        }
    }

    pub(super) fn rows_type(&self) -> ColumnType {
        self.kind
    }

    /// Tells whether the values are the keys of groups.
    pub(super) fn is_of_keys(&self) -> bool {
        matches!(self.base, Base::Keys(_))
    }

    /// Returns the distinct texts.
    pub fn words(&self) -> &Arc<Words> {
        &self.words
    }

    /// Returns the packed part and how many rows it has.
    pub(crate) fn base(&self) -> (&Base, usize) {
        (&self.base, self.base_length)
    }

    /// Returns the whole number, or the microseconds, of a row.
    #[inline]
    pub fn int(&self, row: u32) -> Option<i64> {
        let row = row as usize;
        if row < self.base_length {
            return if let Base::Ints(values) = &self.base { values.get(row) } else { None };
        }
        if let Tail::Ints(values) = &self.tail { *values.get(row - self.base_length) } else { None }
    }

    /// Returns the double of a row of a column of doubles.
    #[inline]
    pub fn float(&self, row: u32) -> Option<f64> {
        let row = row as usize;
        if row < self.base_length {
            return match &self.base {
                Base::Floats(values, valid) => valid.as_ref().is_none_or(|valid| valid.get(row)).then(|| values[row]),
                _ => None,
            };
        }
        if let Tail::Floats(values) = &self.tail { *values.get(row - self.base_length) } else { None }
    }

    /// Returns the code of a row's text, or [`NO_CODE`].
    #[inline]
    pub fn code(&self, row: u32) -> u32 {
        if (row as usize) < self.base_length {
            return match &self.base {
                Base::Codes(codes) => codes.get(row as usize),
                Base::Keys(groups) => groups.get(row),
                _ => NO_CODE,
            };
        }
        if let Tail::Codes(codes) = &self.tail { *codes.get(row as usize - self.base_length) } else { NO_CODE }
    }

    /// Returns the value of a row as it was pushed; booleans are numbers.
    pub(super) fn cell(&self, row: u32) -> Cell<'_> {
        match self.kind {
            ColumnType::Integer | ColumnType::Boolean => self.int(row).map_or(Cell::Null, Cell::Integer),
            ColumnType::Time => self.int(row).map_or(Cell::Null, Cell::Time),
            ColumnType::Float => self.float(row).map_or(Cell::Null, Cell::Float),
            ColumnType::Text => match self.code(row) {
                NO_CODE => Cell::Null,
                code => Cell::Text(self.words.get(code)),
            },
        }
    }

    /// Returns the value of a row; dates lose what is below a millisecond.
    pub fn value(&self, row: u32) -> Value {
        match self.cell(row) {
            Cell::Null => Value::Null,
            Cell::Integer(value) => Value::Int(value),
            Cell::Boolean(value) => Value::Int(value.into()),
            Cell::Float(value) => Value::Float(value),
            Cell::Time(micros) => Value::Date(Timestamp::from_micros(micros).as_millis()),
            Cell::Text(_) => Value::Text(self.words.shared(self.code(row))),
        }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, cell: Cell<'_>) {
        match &mut self.tail {
            Tail::Ints(values) => values.push(match (self.kind, cell) {
                (ColumnType::Time, Cell::Time(value)) | (_, Cell::Integer(value)) => Some(value),
                (_, Cell::Boolean(value)) => Some(value.into()),
                _ => None,
            }),
            Tail::Floats(values) => values.push(match cell {
                Cell::Float(value) => Some(value).filter(|value| !value.is_nan()),
                Cell::Integer(value) => Some(value as f64),
                _ => None,
            }),
            Tail::Codes(codes) => codes.push(match cell {
                Cell::Text(text) => Words::code(&mut self.words, text),
                _ => NO_CODE,
            }),
        }
    }

    /// Orders two rows, missing values first.
    #[inline]
    pub(crate) fn compare(&self, one: u32, other: u32) -> Ordering {
        match self.kind {
            ColumnType::Float => self.float(one).partial_cmp(&self.float(other)).expect("there is no NaN among them"),
            ColumnType::Text => {
                let text = |row| Some(self.code(row)).filter(|code| *code != NO_CODE).map(|code| self.words.get(code));
                text(one).cmp(&text(other))
            }
            _ => self.int(one).cmp(&self.int(other)),
        }
    }

    /// Returns the bytes of the values, without words.
    pub(super) fn bytes(&self) -> usize {
        let base = match &self.base {
            Base::Ints(values) => values.bytes(),
            Base::Floats(values, valid) => values.len() * 8 + valid.as_ref().map_or(0, |valid| valid.bytes()),
            Base::Codes(codes) => codes.bytes(),
            // Counted where the groups are.
            Base::Keys(_) => 0,
        };
        base + match &self.tail {
            Tail::Ints(values) => values.len() * 16,
            Tail::Floats(values) => values.len() * 16,
            Tail::Codes(codes) => codes.len() * 4,
        }
    }
}

fn floats(length: usize, of: impl Fn(usize) -> Option<f64> + Sync) -> Base {
    // No value is a NaN, so it can say that there is none.
    let mut values = fill(length, |place| of(place).unwrap_or(f64::NAN));
    let mut valid = None;
    if values.iter().any(|value| value.is_nan()) {
        valid = Some(Arc::new(Bitmap::new(length, |place| !values[place].is_nan())));
        values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
    }
    Base::Floats(Arc::new(values), valid)
}
