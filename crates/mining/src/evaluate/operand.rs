//! Vectors seen from the grain at which they are used.
//!
//! Whoever looks at few rows asks for them one by one; whoever looks at all
//! reads them in runs, so that what a vector is made of is asked once per run.

use std::ops::Range;
use std::sync::Arc;

use super::vector::{Coded, UNKNOWN, Vector};
use crate::log::{Ints, NO_CODE, NO_ROW, Narrow};
use crate::value::Value;

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

    /// Tells whether there is one value for all rows.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self.places, Places::First)
    }

    #[inline]
    pub(crate) fn truth(&self, row: usize) -> Option<bool> {
        self.vector.truth(self.place(row)?)
    }

    #[inline]
    pub(crate) fn int(&self, row: usize) -> Option<i64> {
        match &*self.vector {
            Vector::Int(values) => values.values.get(self.place(row)?),
            Vector::Truth(values) => values.get(self.place(row)?).map(i64::from),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn float(&self, row: usize) -> Option<f64> {
        match &*self.vector {
            Vector::Float(values) => values.get(self.place(row)?),
            Vector::Int(values) | Vector::Date(values) => values.values.get(self.place(row)?).map(|value| value as f64),
            Vector::Truth(_) => self.int(row).map(|value| value as f64),
            Vector::Text(_) => None,
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

    /// Returns the text of a code.
    pub(super) fn word(&self, code: u32) -> &str {
        if let Vector::Text(Coded { words, .. }) = &*self.vector { words.get(code) } else { "" }
    }

    pub(crate) fn value(&self, row: usize) -> Value {
        self.place(row).map_or(Value::Null, |place| self.vector.value(place))
    }

    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.place(row).is_none_or(|place| self.vector.is_null(place))
    }

    /// Tells whether all of some rows have a value.
    pub(super) fn are_there(&self, rows: Range<usize>) -> bool {
        match (&*self.vector, &self.places) {
            (Vector::Int(values) | Vector::Date(values), Places::Same) => match &values.values {
                Ints::Steps { steps, .. } => is_full(steps, rows),
                Ints::Wide(_, valid) => valid.as_ref().is_none_or(|valid| rows.clone().all(|row| valid.get(row))),
            },
            (Vector::Text(Coded { codes, .. }), Places::Same) => is_full(codes, rows),
            _ => rows.clone().all(|row| !self.is_null(row)),
        }
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

    /// Returns the values of some rows, nothing for [`NO_ROW`].
    pub(super) fn gather(&self, rows: &[u32]) -> Vector {
        let place = |row: u32| self.place(row as usize).map_or(NO_ROW, |place| place as u32);
        self.vector.pick(rows.len(), |at| if rows[at] == NO_ROW { NO_ROW } else { place(rows[at]) })
    }

    /// Reads whole numbers, or dates as their milliseconds.
    pub(super) fn read_numbers(&self, rows: Range<usize>, into: &mut [Option<i64>]) {
        match &*self.vector {
            Vector::Int(values) | Vector::Date(values) => {
                let one = |place: usize| values.values.get(place);
                self.read(rows, into, None, |run, into| read_ints(&values.values, run, into), one);
            }
            Vector::Truth(values) => self.read_singly(rows, into, None, |place| values.get(place).map(i64::from)),
            _ => into.fill(None),
        }
    }

    /// Reads doubles; a NaN is none.
    pub(super) fn read_floats(&self, rows: Range<usize>, into: &mut [f64]) {
        match &*self.vector {
            Vector::Float(values) => {
                let one = |place: usize| values.get(place).unwrap_or(f64::NAN);
                match values.valid {
                    None => self.read(rows, into, f64::NAN, |run, into| into.copy_from_slice(&values.values[run]), one),
                    Some(_) => self.read_singly(rows, into, f64::NAN, one),
                }
            }
            Vector::Int(values) | Vector::Date(values) => {
                let one = |place: usize| values.values.get(place).map_or(f64::NAN, |value| value as f64);
                self.read_singly(rows, into, f64::NAN, one);
            }
            _ => rows.zip(into).for_each(|(row, into)| *into = self.float(row).unwrap_or(f64::NAN)),
        }
    }

    /// Reads the codes of texts, or [`NO_CODE`].
    pub(super) fn read_codes(&self, rows: Range<usize>, into: &mut [u32]) {
        let Vector::Text(Coded { codes, .. }) = &*self.vector else { return into.fill(NO_CODE) };
        self.read(rows, into, NO_CODE, |run, into| read_narrow(codes, run, into), |place| codes.get(place));
    }

    /// Reads truths as [`Vector::truths_in_runs`] writes them.
    pub(super) fn read_truths(&self, rows: Range<usize>, into: &mut [u8]) {
        let Vector::Truth(values) = &*self.vector else { return into.fill(UNKNOWN) };
        self.read_singly(rows, into, UNKNOWN, |place| values.get(place).map_or(UNKNOWN, u8::from));
    }

    /// Reads a run of rows: `run` what stands side by side, `one` the others.
    fn read<T: Copy>(
        &self,
        rows: Range<usize>,
        into: &mut [T],
        none: T,
        run: impl FnOnce(Range<usize>, &mut [T]),
        one: impl Fn(usize) -> T,
    ) {
        match &self.places {
            Places::Same => run(rows, into),
            Places::First => into.fill(one(0)),
            Places::Listed(places) => {
                for (into, place) in into.iter_mut().zip(&places[rows]) {
                    *into = if *place == NO_ROW { none } else { one(*place as usize) };
                }
            }
        }
    }

    fn read_singly<T: Copy>(&self, rows: Range<usize>, into: &mut [T], none: T, one: impl Fn(usize) -> T) {
        let run = |run: Range<usize>, into: &mut [T]| run.zip(into).for_each(|(place, into)| *into = one(place));
        self.read(rows, into, none, run, &one);
    }
}

fn is_full(values: &Narrow, run: Range<usize>) -> bool {
    match values {
        Narrow::Bytes(values) => !values[run].contains(&u8::MAX),
        Narrow::Shorts(values) => !values[run].contains(&u16::MAX),
        Narrow::Words(values) => !values[run].contains(&NO_CODE),
    }
}

fn read_narrow(values: &Narrow, run: Range<usize>, into: &mut [u32]) {
    fn widened<T: Copy + PartialEq + Into<u32>>(values: &[T], none: T, into: &mut [u32]) {
        for (into, value) in into.iter_mut().zip(values) {
            *into = if *value == none { NO_CODE } else { (*value).into() };
        }
    }
    match values {
        Narrow::Bytes(values) => widened(&values[run], u8::MAX, into),
        Narrow::Shorts(values) => widened(&values[run], u16::MAX, into),
        Narrow::Words(values) => into.copy_from_slice(&values[run]),
    }
}

fn read_ints(values: &Ints, run: Range<usize>, into: &mut [Option<i64>]) {
    fn stepped<T: Copy + PartialEq + Into<i64>>(values: &[T], none: T, scale: (i64, i64), into: &mut [Option<i64>]) {
        let (low, step) = scale;
        for (into, value) in into.iter_mut().zip(values) {
            *into = (*value != none).then(|| low + (*value).into() * step);
        }
    }
    match values {
        Ints::Steps { low, step, steps } => match steps {
            Narrow::Bytes(values) => stepped(&values[run], u8::MAX, (*low, *step), into),
            Narrow::Shorts(values) => stepped(&values[run], u16::MAX, (*low, *step), into),
            Narrow::Words(values) => stepped(&values[run], u32::MAX, (*low, *step), into),
        },
        Ints::Wide(values, None) => {
            for (into, value) in into.iter_mut().zip(&values[run]) {
                *into = Some(*value);
            }
        }
        Ints::Wide(values, Some(valid)) => {
            for (into, place) in into.iter_mut().zip(run) {
                *into = valid.get(place).then(|| values[place]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::threads::RUN;
    use super::*;
    use crate::value::Type;

    /// Reads in a run what is asked for one by one.
    fn check(vector: Vector) {
        let length = vector.len();
        let vector = Arc::new(vector);
        let listed = (0..length as u32).rev().map(|row| if row % 3 == 0 { NO_ROW } else { row }).collect();
        for places in [Places::Same, Places::First, Places::Listed(Arc::new(listed))] {
            let operand = Operand { vector: vector.clone(), places };
            for start in (0..length).step_by(RUN) {
                let rows = start..length.min(start + RUN);
                let all = |row: usize| (operand.int(row).or(operand.date(row)), operand.float(row), operand.code(row));
                let (mut numbers, mut floats, mut codes) = ([None; RUN], [0.0; RUN], [0; RUN]);
                operand.read_numbers(rows.clone(), &mut numbers[..rows.len()]);
                operand.read_floats(rows.clone(), &mut floats[..rows.len()]);
                operand.read_codes(rows.clone(), &mut codes[..rows.len()]);
                assert_eq!(operand.are_there(rows.clone()), rows.clone().all(|row| !operand.is_null(row)));
                for (place, row) in rows.enumerate() {
                    let float = Some(floats[place]).filter(|value| !value.is_nan());
                    let code = Some(codes[place]).filter(|code| *code != NO_CODE);
                    assert_eq!((numbers[place], float, code), all(row), "row {row} of {:?}", operand.vector);
                }
            }
        }
    }

    #[test]
    fn what_is_read_in_runs_is_what_stands_there() {
        let numbers = [Some(3), None, Some(-1), Some(i64::MIN), Some(i64::MAX), None, Some(7)];
        check(Vector::ints(numbers));
        check(Vector::ints(numbers.into_iter().flatten().map(Some)));
        check(Vector::dates(numbers));
        for step in [1, 1_000, 100_000_000] {
            let packed = Ints::new(9, |place| (place % 4 != 1).then_some(place as i64 * step));
            check(Vector::Int(packed.into()));
        }
        check(Vector::floats([Some(0.5), None, Some(-0.0), Some(2.0), Some(9.0), None]));
        check(Vector::truths([Some(true), None, Some(false), Some(true), None]));
        let texts = ["a", "", "b", "a", "c"].map(|text| Value::Text(text.into()));
        check(Vector::of(Type::String, texts.into_iter().chain([Value::Null])));
    }
}
