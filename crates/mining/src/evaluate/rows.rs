//! Functions of one row that the evaluator prepares for: formats, zones and
//! lists are read once, not per row.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::group_key::GroupKey;
use super::operand::{Operand, Places};
use super::pattern::Pattern;
use super::scalar::texts;
use super::threads::fill_runs;
use super::vector::{Coded, Vector};
use crate::dates;
use crate::log::NO_CODE;
use crate::pql::plan::Function;
use crate::value::{Type, Value};

/// Computes a function that takes more than values; `None` for others.
pub(super) fn apply(function: Function, result: Type, arguments: &[Operand], length: usize) -> Option<Vector> {
    let rows = 0..length;
    let first = arguments.first()?;
    Some(match function {
        Function::Part(part) => Vector::ints_of(length, |row| dates::part(part, first.date(row)?)),
        Function::RoundTime(part) => Vector::dates_of(length, |row| dates::round(part, first.date(row)?)),
        Function::FormatDate => {
            texts(rows.map(|row| dates::write(arguments[1].text(row)?, first.date(row)?).map(Cow::Owned)))
        }
        Function::ParseDate => Vector::dates(rows.map(|row| dates::read(arguments[1].text(row)?, first.text(row)?))),
        Function::ConvertZone => {
            let zones: Vec<Option<TimeZone>> =
                arguments[1..].iter().map(|zone| zone.text(0).and_then(dates::zone)).collect();
            let [Some(from), Some(to)] = &zones[..] else { unreachable!("the check knew the zones") };
            Vector::dates_of(length, |row| dates::convert(from, to, first.date(row)?))
        }
        Function::DateBetween => Vector::ints_of(length, |row| {
            let (date, from, to) = (first.date(row)?, arguments[1].date(row)?, arguments[2].date(row)?);
            Some(i64::from(from <= date && date <= to))
        }),
        Function::RoundTo => Vector::floats_of(length, |row| round_to(first.float(row)?, arguments[1].int(row)?)),
        Function::Split => texts(rows.map(|row| {
            let (text, separator) = (first.text(row)?, arguments[1].text(row)?);
            let place = usize::try_from(arguments[2].int(row)?).ok()?;
            if separator.is_empty() {
                return (place == 0).then_some(Cow::Borrowed(text));
            }
            text.split(separator).nth(place).map(Cow::Borrowed)
        })),
        Function::PatIndex => {
            let mut known: HashMap<u32, Pattern> = HashMap::new();
            Vector::ints(rows.map(|row| {
                let (text, pattern) = (first.text(row)?, arguments[1].text(row)?);
                let occurrence = arguments[2].int(row)?;
                let pattern = known.entry(arguments[1].code(row)?).or_insert_with(|| Pattern::new(pattern));
                Some(pattern.place_in(text, occurrence) as i64)
            }))
        }
        Function::RemapValues(has_default) => remap(arguments, has_default, result, length),
        Function::UniqueId => Vector::ints_of(length, |row| Some(unique_id(arguments, row))),
        _ => return None,
    })
}

/// Rounds half away from zero, as `ROUND` without digits does.
fn round_to(value: f64, digits: i64) -> Option<f64> {
    let digits = i32::try_from(digits.clamp(-400, 400)).ok()?;
    let factor = 10_f64.powi(digits.abs());
    let rounded = if digits >= 0 { (value * factor).round() / factor } else { (value / factor).round() * factor };
    if rounded.is_finite() {
        return Some(rounded);
    }
    // More digits than a double has change nothing; fewer leave nothing.
    Some(if digits > 0 { value } else { 0.0 })
}

fn remap(arguments: &[Operand], has_default: bool, result: Type, length: usize) -> Vector {
    let pairs = &arguments[1..arguments.len() - usize::from(has_default)];
    let mut known: HashMap<GroupKey, Value> = HashMap::new();
    for pair in pairs.chunks(2) {
        // Of two pairs for one value the first counts.
        known.entry(pair[0].value(0).into()).or_insert_with(|| pair[1].value(0));
    }
    let default = arguments.last().filter(|_| has_default);
    let replaced = |row: usize| {
        let value = arguments[0].value(row);
        match known.get(&value.clone().into()) {
            Some(replacement) => replacement.clone(),
            None if value == Value::Null => Value::Null,
            None => default.map_or(value, |default| default.value(row)),
        }
    };
    Vector::of(result, (0..length).map(replaced))
}

/// Returns a number that is the same for equal rows of values and, but for one
/// chance in 2^63 per pair, different for others; today and in all versions.
fn unique_id(arguments: &[Operand], row: usize) -> i64 {
    let mut hash = Sha256::new();
    for argument in arguments {
        match argument.value(row) {
            Value::Null => hash.update([0]),
            Value::Int(value) => hash.update([&[1][..], &value.to_be_bytes()].concat()),
            Value::Float(value) => hash.update([&[2][..], &(value + 0.0).to_bits().to_be_bytes()].concat()),
            Value::Date(value) => hash.update([&[3][..], &value.to_be_bytes()].concat()),
            Value::Text(text) => {
                hash.update([&[4][..], &(text.len() as u64).to_be_bytes()].concat());
                hash.update(text.as_bytes());
            }
        }
    }
    let digest = hash.finalize();
    let first: [u8; 8] = std::array::from_fn(|place| digest[place]);
    (u64::from_be_bytes(first) >> 1) as i64
}

/// The distinct texts of an operand, each at one of its rows.
pub(super) struct Distinct {
    /// Stands for the operand, one row per text.
    pub(super) operand: Operand,
    /// How many there are.
    pub(super) count: usize,
    /// Where the text of each row stands.
    places: Vec<u32>,
}

impl Distinct {
    /// Lists the distinct texts, if that is what the operand has.
    pub(super) fn of(operand: &Operand, length: usize) -> Option<Self> {
        let Vector::Text(Coded { words, .. }) = &*operand.vector else { return None };
        if operand.is_constant() {
            return None;
        }
        let mut codes: Vec<u32> = fill_runs(length, |rows, into| operand.read_codes(rows, into));
        if words.len() <= length {
            // All words, whether there is a row with each or not.
            let (words, count) = (words.clone(), words.len());
            let vector = Vector::texts_of(words, count, |code| code as u32);
            let operand = Operand { vector: Arc::new(vector), places: Places::Same };
            return Some(Distinct { operand, count, places: codes });
        }
        let mut known: HashMap<u32, u32> = HashMap::new();
        let mut firsts: Vec<u32> = Vec::new();
        for (row, code) in codes.iter_mut().enumerate().filter(|(_, code)| **code != NO_CODE) {
            let Some(place) = operand.place(row) else { continue };
            *code = *known.entry(*code).or_insert_with(|| {
                firsts.push(place as u32);
                firsts.len() as u32 - 1
            });
        }
        let count = firsts.len();
        let operand = Operand { vector: operand.vector.clone(), places: Places::Listed(Arc::new(firsts)) };
        Some(Distinct { operand, count, places: codes })
    }

    /// Brings what was computed per text to the rows.
    pub(super) fn spread(&self, computed: &Vector) -> Vector {
        computed.gather(&self.places)
    }
}
