//! Columns of intermediate results: one value per row.
//!
//! They are packed as the columns of the log are, and share their arrays where
//! a whole column is looked at as it stands. Whoever makes one takes
//! [`Vector::ints`] and its like, or [`Texts`]; whoever reads one looks through
//! an [`Operand`].

use std::ops::Range;
use std::sync::Arc;

use super::row_list::RowList;
use super::threads::fill_runs;
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

/// The byte of a truth that is not known.
pub(super) const UNKNOWN: u8 = 2;

impl Truths {
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<bool> {
        match self.0[place] {
            UNKNOWN => None,
            truth => Some(truth == 1),
        }
    }
}

/// Whole numbers. An array that is shared may have more than the vector has.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub(super) values: Ints,
    length: usize,
}

impl From<Ints> for Numbers {
    fn from(values: Ints) -> Self {
        Numbers { length: values.len(), values }
    }
}

/// Doubles. A NaN is none, nor is what a bitmap says is none.
#[derive(Clone, Debug)]
pub struct Floats {
    pub(super) values: Arc<Vec<f64>>,
    pub(super) valid: Option<Arc<Bitmap>>,
    length: usize,
}

impl From<Vec<f64>> for Floats {
    fn from(values: Vec<f64>) -> Self {
        Floats { length: values.len(), values: Arc::new(values), valid: None }
    }
}

impl Floats {
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<f64> {
        let is_valid = self.valid.as_ref().is_none_or(|valid| valid.get(place));
        Some(self.values[place]).filter(|value| is_valid && !value.is_nan())
    }
}

/// Texts by code.
#[derive(Clone, Debug)]
pub struct Coded {
    pub(super) codes: Narrow,
    pub(super) words: Arc<Words>,
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
        Vector::Float(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect::<Vec<_>>().into())
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

    /// Makes `length` truth values run by run, on several threads.
    pub(super) fn truths_in_runs(length: usize, of: impl Fn(Range<usize>, &mut [u8]) + Sync) -> Vector {
        Vector::Truth(Truths(fill_runs(length, of)))
    }

    /// Makes `length` doubles on several threads.
    pub(crate) fn floats_of(length: usize, of: impl Fn(usize) -> Option<f64> + Sync) -> Vector {
        Vector::Float(fill(length, |place| of(place).unwrap_or(f64::NAN)).into())
    }

    /// Makes `length` doubles run by run, on several threads; a NaN is none.
    pub(super) fn floats_in_runs(length: usize, of: impl Fn(Range<usize>, &mut [f64]) + Sync) -> Vector {
        Vector::Float(fill_runs(length, of).into())
    }

    /// Makes `length` whole numbers on several threads.
    pub(crate) fn ints_of(length: usize, of: impl Fn(usize) -> Option<i64> + Sync) -> Vector {
        Vector::Int(ints_of(length, of).into())
    }

    /// Makes `length` dates on several threads.
    pub(crate) fn dates_of(length: usize, of: impl Fn(usize) -> Option<i64> + Sync) -> Vector {
        Vector::Date(ints_of(length, of).into())
    }

    /// Makes a vector of texts by their codes, each below the number of words
    /// or [`NO_CODE`].
    pub(super) fn texts_of(words: Arc<Words>, length: usize, code: impl Fn(usize) -> u32 + Sync) -> Vector {
        Vector::Text(Coded { codes: Narrow::new(length, words.len(), code), words, length })
    }

    /// Brings the values of a column to rows. If these are the first rows of
    /// the column as it stands, its array is shared.
    pub(crate) fn of_column(column: &Column, rows: &RowList) -> Vector {
        let (base, base_length) = column.base();
        let length = rows.len();
        let is_start = matches!(rows, RowList::Start(_));
        let base = (is_start && length <= base_length).then_some(base);
        let millis = |micros: i64| micros.div_euclid(1_000);
        match column.column_type() {
            Type::Int => Vector::Int(match base {
                Some(Base::Ints(values)) => Numbers { values: values.clone(), length },
                _ => ints_of(length, |place| column.int(rows.get(place))).into(),
            }),
            Type::Date => Vector::Date(match base {
                Some(Base::Ints(Ints::Steps { low, step, steps })) if low % 1_000 == 0 && step % 1_000 == 0 => {
                    let values = Ints::Steps { low: low / 1_000, step: step / 1_000, steps: steps.clone() };
                    Numbers { values, length }
                }
                _ => ints_of(length, |place| column.int(rows.get(place)).map(millis)).into(),
            }),
            Type::Float => match base {
                Some(Base::Floats(values, valid)) => {
                    Vector::Float(Floats { values: values.clone(), valid: valid.clone(), length })
                }
                _ => Vector::floats_of(length, |place| column.float(rows.get(place))),
            },
            Type::String => {
                let words = column.words().clone();
                match base {
                    Some(Base::Codes(codes)) => Vector::Text(Coded { codes: codes.clone(), words, length }),
                    _ => Vector::texts_of(words, length, |place| column.code(rows.get(place))),
                }
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
    pub(super) fn is_null(&self, place: usize) -> bool {
        match self {
            Vector::Truth(values) => values.get(place).is_none(),
            Vector::Int(values) | Vector::Date(values) => values.values.get(place).is_none(),
            Vector::Float(values) => values.get(place).is_none(),
            Vector::Text(values) => values.codes.get(place) == NO_CODE,
        }
    }

    /// Returns the values at the given places, nothing where there is none.
    pub(crate) fn gather(&self, places: &[u32]) -> Vector {
        self.pick(places.len(), |row| places[row])
    }

    /// Returns `length` values, each from the place that is told for it.
    pub(super) fn pick(&self, length: usize, place: impl Fn(usize) -> u32 + Sync) -> Vector {
        let at = |row: usize| Some(place(row)).filter(|place| *place != NO_ROW).map(|place| place as usize);
        match self {
            Vector::Truth(values) => Vector::truths_of(length, |row| values.get(at(row)?)),
            Vector::Int(values) => Vector::Int(pick_ints(&values.values, length, at).into()),
            Vector::Date(values) => Vector::Date(pick_ints(&values.values, length, at).into()),
            Vector::Float(values) => Vector::floats_of(length, |row| values.get(at(row)?)),
            Vector::Text(Coded { codes, words, .. }) => {
                Vector::texts_of(words.clone(), length, |row| at(row).map_or(NO_CODE, |place| codes.get(place)))
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
    // The least number may be meant as such.
    let is_valid = |place: usize| values[place] != i64::MIN || of(place).is_some();
    let valid = values.contains(&i64::MIN).then(|| Arc::new(Bitmap::new(length, is_valid)));
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
