//! One value per row.

use std::collections::HashMap;
use std::sync::Arc;

use crate::log::{Chunked, NO_CODE, NO_ROW};
use crate::value::{Type, Value};

/// The values of an expression, one per row of its frame.
#[derive(Clone, Debug)]
pub enum Vector {
    /// True, false or unknown.
    Truth(Vec<Option<bool>>),
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Doubles.
    Float(Vec<Option<f64>>),
    /// Milliseconds since 1970.
    Date(Vec<Option<i64>>),
    /// Codes into words that are all different.
    Text {
        /// Per row, or [`NO_CODE`].
        codes: Vec<u32>,
        /// The words.
        words: Chunked<Arc<str>>,
    },
}

impl Vector {
    /// Makes a vector of truth values.
    pub(crate) fn truths(values: impl IntoIterator<Item = Option<bool>>) -> Vector {
        Vector::Truth(values.into_iter().collect())
    }

    /// Makes a vector of whole numbers.
    pub(crate) fn ints(values: impl IntoIterator<Item = Option<i64>>) -> Vector {
        Vector::Int(values.into_iter().collect())
    }

    /// Makes a vector of doubles.
    pub(crate) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> Vector {
        Vector::Float(values.into_iter().collect())
    }

    /// Makes a vector of milliseconds since 1970.
    pub(crate) fn dates(values: impl IntoIterator<Item = Option<i64>>) -> Vector {
        Vector::Date(values.into_iter().collect())
    }

    /// Returns what the values are; truth counts as whole numbers.
    pub(crate) fn value_type(&self) -> Type {
        match self {
            Vector::Truth(_) | Vector::Int(_) => Type::Int,
            Vector::Float(_) => Type::Float,
            Vector::Date(_) => Type::Date,
            Vector::Text { .. } => Type::String,
        }
    }

    /// Returns the truth at a 0-based place.
    pub(crate) fn truth(&self, place: usize) -> Option<bool> {
        if let Vector::Truth(values) = self { values[place] } else { None }
    }

    /// Returns how many values there are.
    pub fn len(&self) -> usize {
        match self {
            Vector::Truth(values) => values.len(),
            Vector::Int(values) | Vector::Date(values) => values.len(),
            Vector::Float(values) => values.len(),
            Vector::Text { codes, .. } => codes.len(),
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns one value; truth becomes 1 or 0.
    pub fn value(&self, row: usize) -> Value {
        match self {
            Vector::Truth(values) => values[row].map_or(Value::Null, |truth| Value::Int(truth.into())),
            Vector::Int(values) => values[row].map_or(Value::Null, Value::Int),
            Vector::Float(values) => values[row].map_or(Value::Null, Value::Float),
            Vector::Date(values) => values[row].map_or(Value::Null, Value::Date),
            Vector::Text { codes, words } => match codes[row] {
                NO_CODE => Value::Null,
                code => Value::Text(words.get(code as usize).clone()),
            },
        }
    }

    /// Returns the values at the given places, nothing where there is none.
    pub(crate) fn gather(&self, places: &[u32]) -> Vector {
        fn pick<T: Copy>(values: &[Option<T>], places: &[u32]) -> Vec<Option<T>> {
            places.iter().map(|place| if *place == NO_ROW { None } else { values[*place as usize] }).collect()
        }
        match self {
            Vector::Truth(values) => Vector::Truth(pick(values, places)),
            Vector::Int(values) => Vector::Int(pick(values, places)),
            Vector::Float(values) => Vector::Float(pick(values, places)),
            Vector::Date(values) => Vector::Date(pick(values, places)),
            Vector::Text { codes, words } => {
                let code = |place: &u32| if *place == NO_ROW { NO_CODE } else { codes[*place as usize] };
                Vector::Text { codes: places.iter().map(code).collect(), words: words.clone() }
            }
        }
    }

    /// Makes a vector of single values of one type.
    pub(crate) fn of(own: Type, values: impl IntoIterator<Item = Value>) -> Vector {
        let values = values.into_iter();
        match own {
            Type::Int => Vector::Int(values.map(|value| int(&value)).collect()),
            Type::Float => Vector::Float(values.map(|value| float(&value)).collect()),
            Type::Date => Vector::Date(values.map(|value| date(&value)).collect()),
            Type::String => {
                let mut texts = Texts::default();
                for value in values {
                    match value {
                        Value::Text(text) => texts.push(Some(&text)),
                        _ => texts.push(None),
                    }
                }
                texts.finish()
            }
        }
    }
}

pub(crate) fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

pub(crate) fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(*value),
        Value::Int(value) => Some(*value as f64),
        _ => None,
    }
}

pub(crate) fn date(value: &Value) -> Option<i64> {
    if let Value::Date(value) = value { Some(*value) } else { None }
}

/// Builds a vector of texts, each distinct one stored once.
#[derive(Default)]
pub(crate) struct Texts {
    codes: Vec<u32>,
    words: Chunked<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: Option<&str>) {
        let code = text.map(|text| self.intern(text));
        self.push_code(code);
    }

    /// Returns the code of a text, for [`Texts::push_code`].
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        self.places.get(text).copied().unwrap_or_else(|| {
            let word: Arc<str> = text.into();
            let code = self.words.len() as u32;
            self.words.push(word.clone());
            self.places.insert(word, code);
            code
        })
    }

    /// Adds a text by its code.
    pub(crate) fn push_code(&mut self, code: Option<u32>) {
        self.codes.push(code.unwrap_or(NO_CODE));
    }

    pub(crate) fn finish(self) -> Vector {
        Vector::Text { codes: self.codes, words: self.words }
    }
}

/// Where the value for a row stands in a vector of another grain.
#[derive(Clone, Debug)]
pub(crate) enum Places {
    /// At the same place.
    Same,
    /// There is one value for all.
    First,
    /// At the place listed, or nowhere.
    Listed(Arc<Vec<u32>>),
}

impl Places {
    /// Returns the place for a row, if there is one.
    pub(crate) fn at(&self, row: usize) -> Option<usize> {
        match self {
            Places::Same => Some(row),
            Places::First => Some(0),
            Places::Listed(places) => (places[row] != NO_ROW).then_some(places[row] as usize),
        }
    }
}

/// A vector seen from the grain at which it is used.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) vector: Arc<Vector>,
    pub(crate) places: Places,
}

impl Operand {
    pub(crate) fn place(&self, row: usize) -> Option<usize> {
        match &self.places {
            Places::Same => Some(row),
            Places::First => Some(0),
            Places::Listed(places) => match places[row] {
                NO_ROW => None,
                place => Some(place as usize),
            },
        }
    }

    pub(crate) fn truth(&self, row: usize) -> Option<bool> {
        match &*self.vector {
            Vector::Truth(values) => values[self.place(row)?],
            _ => None,
        }
    }

    pub(crate) fn int(&self, row: usize) -> Option<i64> {
        match &*self.vector {
            Vector::Int(values) => values[self.place(row)?],
            _ => None,
        }
    }

    pub(crate) fn float(&self, row: usize) -> Option<f64> {
        match &*self.vector {
            Vector::Float(values) => values[self.place(row)?],
            Vector::Int(values) => values[self.place(row)?].map(|value| value as f64),
            Vector::Date(values) => values[self.place(row)?].map(|value| value as f64),
            _ => None,
        }
    }

    pub(crate) fn date(&self, row: usize) -> Option<i64> {
        match &*self.vector {
            Vector::Date(values) => values[self.place(row)?],
            _ => None,
        }
    }

    pub(crate) fn code(&self, row: usize) -> Option<u32> {
        match &*self.vector {
            Vector::Text { codes, .. } => Some(codes[self.place(row)?]).filter(|code| *code != NO_CODE),
            _ => None,
        }
    }

    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        match &*self.vector {
            Vector::Text { words, .. } => self.code(row).map(|code| &**words.get(code as usize)),
            _ => None,
        }
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        self.place(row).map_or(Value::Null, |place| self.vector.value(place))
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        let Some(place) = self.place(row) else { return true };
        match &*self.vector {
            Vector::Truth(values) => values[place].is_none(),
            Vector::Int(values) | Vector::Date(values) => values[place].is_none(),
            Vector::Float(values) => values[place].is_none(),
            Vector::Text { codes, .. } => codes[place] == NO_CODE,
        }
    }

    /// Brings the values to the places of `length` rows.
    pub(crate) fn spread(&self, length: usize) -> Arc<Vector> {
        match &self.places {
            Places::Same => self.vector.clone(),
            Places::First => Arc::new(self.vector.gather(&vec![0; length])),
            Places::Listed(places) => Arc::new(self.vector.gather(places)),
        }
    }
}

/// A value as a part of a group's key; NULL is a key of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum GroupKey {
    Null,
    Int(i64),
    Float(u64),
    Date(i64),
    Text(Arc<str>),
}

impl GroupKey {
    /// Returns the value that is the key.
    pub(crate) fn value(&self) -> Value {
        match self {
            GroupKey::Null => Value::Null,
            GroupKey::Int(value) => Value::Int(*value),
            GroupKey::Float(bits) => Value::Float(f64::from_bits(*bits)),
            GroupKey::Date(value) => Value::Date(*value),
            GroupKey::Text(value) => Value::Text(value.clone()),
        }
    }
}

impl From<Value> for GroupKey {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => GroupKey::Null,
            Value::Int(value) => GroupKey::Int(value),
            // Both zeroes are one number.
            Value::Float(value) => GroupKey::Float((value + 0.0).to_bits()),
            Value::Date(value) => GroupKey::Date(value),
            Value::Text(value) => GroupKey::Text(value),
        }
    }
}

/// Orders two values of one type, NULL first.
pub(crate) fn compare(one: &Value, other: &Value) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    match (one, other) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Int(one), Value::Int(other)) | (Value::Date(one), Value::Date(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) => one.cmp(other),
        (one, other) => match (float(one), float(other)) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => Ordering::Equal,
        },
    }
}
