//! Columns of intermediate results: one value per row.
//!
//! They are packed as the columns of the log are, and share their arrays where
//! a whole column is looked at as it stands. Whoever makes one takes
//! [`Vector::ints`] and its like, or [`Texts`]; whoever reads one looks through
//! an [`Operand`].

use std::sync::Arc;

use crate::log::{Base, Bitmap, Column, Ints, NO_CODE, NO_ROW, Narrow, WordBlock, Words, fill};
use crate::value::{Type, Value};

/// The values of an expression, one per row of its frame.
#[derive(Clone, Debug)]
pub enum Vector {
    /// True, false or unknown.
    Truth(Truths),
    /// Whole numbers.
    Int(Numbers),
    /// Doubles.
    Float(Floats),
    /// Milliseconds since 1970.
    Date(Numbers),
    /// Codes into words that are all different.
    Text(Coded),
}

/// Truth values, one byte each.
#[derive(Clone, Debug)]
pub struct Truths(Vec<u8>);

const UNKNOWN: u8 = 2;

impl Truths {
    #[inline]
    fn get(&self, place: usize) -> Option<bool> {
        match self.0[place] {
            UNKNOWN => None,
            truth => Some(truth == 1),
        }
    }
}

/// Whole numbers. An array that is shared may have more than the vector has.
#[derive(Clone, Debug)]
pub struct Numbers {
    values: Ints,
    length: usize,
}

impl From<Ints> for Numbers {
    fn from(values: Ints) -> Self {
        Numbers { length: values.len(), values }
    }
}

/// Doubles; where there is none, a zero.
#[derive(Clone, Debug)]
pub struct Floats {
    values: Arc<Vec<f64>>,
    valid: Option<Arc<Bitmap>>,
    length: usize,
}

impl Floats {
    #[inline]
    fn get(&self, place: usize) -> Option<f64> {
        self.valid.as_ref().is_none_or(|valid| valid.get(place)).then(|| self.values[place])
    }
}

/// Texts by code.
#[derive(Clone, Debug)]
pub struct Coded {
    codes: Narrow,
    words: Arc<Words>,
    length: usize,
}

/// Puts values and validity apart; there is no bitmap as long as all are there.
fn apart<T: Default>(values: impl IntoIterator<Item = Option<T>>) -> (Vec<T>, Option<Arc<Bitmap>>) {
    let values = values.into_iter();
    let mut all: Vec<T> = Vec::with_capacity(values.size_hint().0);
    let mut valid: Option<Bitmap> = None;
    for value in values {
        if let Some(valid) = &mut valid {
            valid.push(all.len(), value.is_some());
        } else if value.is_none() {
            let before = all.len();
            let mut bits = Bitmap::new(before, |_| true);
            bits.push(before, false);
            valid = Some(bits);
        }
        all.push(value.unwrap_or_default());
    }
    (all, valid.map(Arc::new))
}

impl Vector {
    /// Makes a vector of truth values.
    pub(crate) fn truths(values: impl IntoIterator<Item = Option<bool>>) -> Vector {
        Vector::Truth(Truths(values.into_iter().map(|value| value.map_or(UNKNOWN, u8::from)).collect()))
    }

    /// Makes a vector of whole numbers.
    pub(crate) fn ints(values: impl IntoIterator<Item = Option<i64>>) -> Vector {
        let (values, valid) = apart(values);
        Vector::Int(Ints::Wide(Arc::new(values), valid).into())
    }

    /// Makes a vector of doubles.
    pub(crate) fn floats(values: impl IntoIterator<Item = Option<f64>>) -> Vector {
        let (values, valid) = apart(values);
        Vector::Float(Floats { length: values.len(), values: Arc::new(values), valid })
    }

    /// Makes a vector of milliseconds since 1970.
    pub(crate) fn dates(values: impl IntoIterator<Item = Option<i64>>) -> Vector {
        let (values, valid) = apart(values);
        Vector::Date(Ints::Wide(Arc::new(values), valid).into())
    }

    /// Makes `length` truth values on several threads.
    pub(crate) fn truths_of(length: usize, of: impl Fn(usize) -> Option<bool> + Sync) -> Vector {
        Vector::Truth(Truths(fill(length, |place| of(place).map_or(UNKNOWN, u8::from))))
    }

    /// Makes `length` doubles on several threads.
    pub(crate) fn floats_of(length: usize, of: impl Fn(usize) -> Option<f64> + Sync) -> Vector {
        // Doubles have room for one more sign: a NaN is none of them.
        let values = fill(length, |place| of(place).unwrap_or(f64::NAN));
        let valid = values.iter().any(|value| value.is_nan()).then(|| {
            let values = &values;
            Arc::new(Bitmap::new(length, |place| !values[place].is_nan()))
        });
        Vector::Float(Floats { values: Arc::new(values), valid, length })
    }

    /// Brings the values of a column to rows. If these are the first rows of
    /// the column as it stands, its array is shared.
    pub(crate) fn of_column(column: &Column, rows: &[u32], is_start: bool) -> Vector {
        let (base, base_length) = column.base();
        let length = rows.len();
        let base = (is_start && length <= base_length).then_some(base);
        let millis = |micros: i64| micros.div_euclid(1_000);
        match column.column_type() {
            Type::Int => Vector::Int(match base {
                Some(Base::Ints(values)) => Numbers { values: values.clone(), length },
                _ => ints_of(length, |place| column.int(rows[place])).into(),
            }),
            Type::Date => Vector::Date(match base {
                Some(Base::Ints(Ints::Steps { low, step, steps })) if low % 1_000 == 0 && step % 1_000 == 0 => {
                    let values = Ints::Steps { low: low / 1_000, step: step / 1_000, steps: steps.clone() };
                    Numbers { values, length }
                }
                _ => ints_of(length, |place| column.int(rows[place]).map(millis)).into(),
            }),
            Type::Float => match base {
                Some(Base::Floats(values, valid)) => {
                    Vector::Float(Floats { values: values.clone(), valid: valid.clone(), length })
                }
                _ => Vector::floats_of(length, |place| column.float(rows[place])),
            },
            Type::String => {
                let words = column.words().clone();
                let codes = match base {
                    Some(Base::Codes(codes)) => codes.clone(),
                    _ => Narrow::new(length, words.len(), |place| column.code(rows[place])),
                };
                Vector::Text(Coded { codes, words, length })
            }
        }
    }

    /// Returns what the values are; truth counts as whole numbers.
    pub(crate) fn value_type(&self) -> Type {
        match self {
            Vector::Truth(_) | Vector::Int(_) => Type::Int,
            Vector::Float(_) => Type::Float,
            Vector::Date(_) => Type::Date,
            Vector::Text(_) => Type::String,
        }
    }

    /// Returns the truth at a 0-based place.
    #[inline]
    pub(crate) fn truth(&self, place: usize) -> Option<bool> {
        if let Vector::Truth(values) = self { values.get(place) } else { None }
    }

    /// Returns how many values there are.
    pub fn len(&self) -> usize {
        match self {
            Vector::Truth(values) => values.0.len(),
            Vector::Int(values) | Vector::Date(values) => values.length,
            Vector::Float(values) => values.length,
            Vector::Text(values) => values.length,
        }
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns one value; truth becomes 1 or 0.
    pub fn value(&self, row: usize) -> Value {
        match self {
            Vector::Truth(values) => values.get(row).map_or(Value::Null, |truth| Value::Int(truth.into())),
            Vector::Int(values) => values.values.get(row).map_or(Value::Null, Value::Int),
            Vector::Float(values) => values.get(row).map_or(Value::Null, Value::Float),
            Vector::Date(values) => values.values.get(row).map_or(Value::Null, Value::Date),
            Vector::Text(Coded { codes, words, .. }) => match codes.get(row) {
                NO_CODE => Value::Null,
                code => Value::Text(words.shared(code)),
            },
        }
    }

    #[inline]
    fn is_null(&self, place: usize) -> bool {
        match self {
            Vector::Truth(values) => values.get(place).is_none(),
            Vector::Int(values) | Vector::Date(values) => values.values.get(place).is_none(),
            Vector::Float(values) => values.valid.as_ref().is_some_and(|valid| !valid.get(place)),
            Vector::Text(values) => values.codes.get(place) == NO_CODE,
        }
    }

    /// Returns the values at the given places, nothing where there is none.
    pub(crate) fn gather(&self, places: &[u32]) -> Vector {
        self.pick(places.len(), |row| places[row])
    }

    fn pick(&self, length: usize, place: impl Fn(usize) -> u32 + Sync) -> Vector {
        let at = |row: usize| Some(place(row)).filter(|place| *place != NO_ROW).map(|place| place as usize);
        match self {
            Vector::Truth(values) => Vector::truths_of(length, |row| values.get(at(row)?)),
            Vector::Int(values) => Vector::Int(pick_ints(&values.values, length, at).into()),
            Vector::Date(values) => Vector::Date(pick_ints(&values.values, length, at).into()),
            Vector::Float(values) => Vector::floats_of(length, |row| values.get(at(row)?)),
            Vector::Text(Coded { codes, words, .. }) => {
                let code = |row: usize| at(row).map_or(NO_CODE, |place| codes.get(place));
                Vector::Text(Coded { codes: Narrow::new(length, words.len(), code), words: words.clone(), length })
            }
        }
    }

    /// Makes a vector of single values of one type.
    pub(crate) fn of(own: Type, values: impl IntoIterator<Item = Value>) -> Vector {
        let values = values.into_iter();
        match own {
            Type::Int => Vector::ints(values.map(|value| int(&value))),
            Type::Float => Vector::floats(values.map(|value| float(&value))),
            Type::Date => Vector::dates(values.map(|value| date(&value))),
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

/// Makes whole numbers on several threads.
fn ints_of(length: usize, of: impl Fn(usize) -> Option<i64> + Sync) -> Ints {
    let values = fill(length, |place| of(place).unwrap_or(i64::MIN));
    let valid = values.contains(&i64::MIN).then(|| Arc::new(Bitmap::new(length, |place| of(place).is_some())));
    Ints::Wide(Arc::new(values), valid)
}

fn pick_ints(values: &Ints, length: usize, at: impl Fn(usize) -> Option<usize> + Sync) -> Ints {
    match values {
        // What is narrow stays so.
        Ints::Steps { low, step, steps } => {
            let end = match steps {
                Narrow::Bytes(_) => usize::from(u8::MAX),
                Narrow::Shorts(_) => usize::from(u16::MAX),
                Narrow::Words(_) => NO_CODE as usize,
            };
            let picked = |row: usize| at(row).map_or(NO_CODE, |place| steps.get(place));
            Ints::Steps { low: *low, step: *step, steps: Narrow::new(length, end, picked) }
        }
        Ints::Wide(..) => ints_of(length, |row| values.get(at(row)?)),
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
    words: WordBlock,
}

impl Texts {
    pub(crate) fn push(&mut self, text: Option<&str>) {
        let code = text.map(|text| self.intern(text));
        self.push_code(code);
    }

    /// Returns the code of a text, for [`Texts::push_code`].
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        self.words.code(text)
    }

    /// Adds a text by its code.
    pub(crate) fn push_code(&mut self, code: Option<u32>) {
        self.codes.push(code.unwrap_or(NO_CODE));
    }

    pub(crate) fn finish(self) -> Vector {
        let length = self.codes.len();
        let codes = Narrow::new(length, self.words.len(), |row| self.codes[row]);
        Vector::Text(Coded { codes, words: Arc::new(Words::from(self.words)), length })
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
    #[inline]
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
    #[inline]
    pub(crate) fn place(&self, row: usize) -> Option<usize> {
        self.places.at(row)
    }

    #[inline]
    pub(crate) fn truth(&self, row: usize) -> Option<bool> {
        self.vector.truth(self.place(row)?)
    }

    #[inline]
    pub(crate) fn int(&self, row: usize) -> Option<i64> {
        match &*self.vector {
            Vector::Int(values) => values.values.get(self.place(row)?),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn float(&self, row: usize) -> Option<f64> {
        match &*self.vector {
            Vector::Float(values) => values.get(self.place(row)?),
            Vector::Int(values) | Vector::Date(values) => values.values.get(self.place(row)?).map(|value| value as f64),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn date(&self, row: usize) -> Option<i64> {
        match &*self.vector {
            Vector::Date(values) => values.values.get(self.place(row)?),
            _ => None,
        }
    }

    /// Returns the code of a text; equal texts of one vector have equal codes.
    #[inline]
    pub(crate) fn code(&self, row: usize) -> Option<u32> {
        match &*self.vector {
            Vector::Text(Coded { codes, .. }) => Some(codes.get(self.place(row)?)).filter(|code| *code != NO_CODE),
            _ => None,
        }
    }

    pub(crate) fn text(&self, row: usize) -> Option<&str> {
        match &*self.vector {
            Vector::Text(Coded { words, .. }) => self.code(row).map(|code| words.get(code)),
            _ => None,
        }
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        self.place(row).map_or(Value::Null, |place| self.vector.value(place))
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.place(row).is_none_or(|place| self.vector.is_null(place))
    }

    /// Brings the values to the places of `length` rows.
    pub(crate) fn spread(&self, length: usize) -> Arc<Vector> {
        match &self.places {
            Places::Same if self.vector.len() == length => self.vector.clone(),
            Places::Same => Arc::new(self.vector.pick(length, |row| row as u32)),
            Places::First => Arc::new(self.vector.pick(length, |_| 0)),
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
