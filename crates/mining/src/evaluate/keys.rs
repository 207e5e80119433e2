//! Values as numbers.
//!
//! Rows fall into groups, and values into an order, a million times a query.
//! So no value is made for that: a key is one 64-bit number per row, the same
//! for equal values of one vector. Keys of numbers and dates also have the
//! order of their values; those of texts are codes, which have none.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use super::operand::Operand;
use super::row_list::RowList;
use super::threads::RUN;
use super::vector::{Coded, Vector};
use crate::log::{NO_CODE, hash_number};
use crate::value::{Type, Value};

const SIGN: u64 = 1 << 63;

/// Reads the keys of a vector's values.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    operand: &'a Operand,
    own: Type,
}

impl<'a> Keys<'a> {
    pub(super) fn of(operand: &'a Operand) -> Self {
        Keys { operand, own: operand.vector.value_type() }
    }

    /// Returns the key of a row's value, if it has one.
    pub(super) fn key(&self, row: usize) -> Option<u64> {
        match self.own {
            Type::Int => self.operand.int(row).map(of_int),
            Type::Date => self.operand.date(row).map(of_int),
            Type::Float => self.operand.float(row).map(of_float),
            Type::String => self.operand.code(row).map(u64::from),
        }
    }

    /// Reads the keys of a run of rows.
    fn read(&self, rows: std::ops::Range<usize>, into: &mut [Option<u64>]) {
        let length = into.len();
        match self.own {
            Type::Int | Type::Date => {
                let mut numbers = [None; RUN];
                self.operand.read_numbers(rows, &mut numbers[..length]);
                into.iter_mut().zip(numbers).for_each(|(key, number)| *key = number.map(of_int));
            }
            Type::Float => {
                let mut floats = [0.0_f64; RUN];
                self.operand.read_floats(rows, &mut floats[..length]);
                let one = |value: f64| (!value.is_nan()).then(|| of_float(value));
                into.iter_mut().zip(floats).for_each(|(key, value)| *key = one(value));
            }
            Type::String => {
                let mut codes = [NO_CODE; RUN];
                self.operand.read_codes(rows, &mut codes[..length]);
                let one = |code: u32| (code != NO_CODE).then(|| code.into());
                into.iter_mut().zip(codes).for_each(|(key, code)| *key = one(code));
            }
        }
    }

    /// Goes through some places of a list of rows: place, row and key.
    #[inline]
    pub(super) fn each(
        &self,
        rows: &RowList,
        places: std::ops::Range<usize>,
        mut see: impl FnMut(usize, u32, Option<u64>),
    ) {
        let RowList::Start(_) = rows else {
            for place in places {
                let row = rows.get(place);
                see(place, row, self.key(row as usize));
            }
            return;
        };
        let mut keys = [None; RUN];
        let mut first = places.start;
        while first < places.end {
            let end = places.end.min(first + RUN);
            self.read(first..end, &mut keys[..end - first]);
            for (place, key) in (first..end).zip(keys) {
                see(place, place as u32, key);
            }
            first = end;
        }
    }

    /// Returns bounds of the keys of some rows, the least and the largest.
    fn bounds(&self, rows: &RowList) -> Option<(u64, u64)> {
        if let Vector::Text(Coded { words, .. }) = &*self.operand.vector
            && words.len() <= 2 * rows.len()
        {
            return Some(0).zip((words.len() as u64).checked_sub(1));
        }
        let (mut least, mut most) = (u64::MAX, 0);
        self.each(rows, 0..rows.len(), |_, _, key| {
            if let Some(key) = key {
                (least, most) = (least.min(key), most.max(key));
            }
        });
        (least <= most).then_some((least, most))
    }

    /// Tells whether the keys have the order of the values.
    pub(super) fn are_ordered(&self) -> bool {
        self.own != Type::String
    }

    /// Returns the value of a key, unless it is a text.
    pub(super) fn value(&self, key: u64) -> Value {
        match self.own {
            Type::Int => Value::Int((key ^ SIGN) as i64),
            Type::Date => Value::Date((key ^ SIGN) as i64),
            Type::Float => Value::Float(to_float(key)),
            Type::String => Value::Null,
        }
    }
}

fn of_int(value: i64) -> u64 {
    value as u64 ^ SIGN
}

/// Orders doubles by their bits; both zeroes are one number.
fn of_float(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

pub(super) fn to_float(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
}

/// Hashes numbers with the seed of the process: whoever pushes values cannot
/// choose them so that they collide, and it is a few times as fast as what maps
/// do by themselves. Nothing depends on the order of the hashes.
#[derive(Clone, Copy, Default)]
struct Mixed(u64);

impl BuildHasher for Mixed {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(0)
    }
}

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = hash_number(self.0.rotate_left(23) ^ number);
    }
}

/// Divides each group by a further key; NULL is a key of its own. `groups`
/// holds a group below `count` per row of `rows`. The new groups are numbered
/// in the order of their first rows; their count is returned.
pub(super) fn refine(rows: &RowList, groups: &mut [u32], count: usize, keys: Keys<'_>) -> usize {
    let bounds = keys.bounds(rows);
    let mut next = 0_u32;
    let mut number = |known: &mut u32| {
        if *known == u32::MAX {
            *known = next;
            next += 1;
        }
        *known
    };
    // A table of all pairs is the fastest, as long as it is not mostly empty.
    let (least, width) = bounds.map_or((0, 1), |(least, most)| (least, (most - least).saturating_add(2)));
    let slots = width.checked_mul(count as u64).filter(|slots| *slots <= 4 * rows.len() as u64 + 1024);
    if let Some(slots) = slots {
        let mut table = vec![u32::MAX; slots as usize];
        keys.each(rows, 0..rows.len(), |place, _, key| {
            let group = &mut groups[place];
            let slot = key.map_or(0, |key| key - least + 1);
            *group = number(&mut table[(u64::from(*group) * width + slot) as usize]);
        });
    } else {
        // Whether it is NULL is said beside the group.
        let mut table: HashMap<(u64, u64), u32, Mixed> = HashMap::default();
        keys.each(rows, 0..rows.len(), |place, _, key| {
            let group = &mut groups[place];
            let pair = (u64::from(*group) << 1 | u64::from(key.is_none()), key.unwrap_or(0));
            *group = number(table.entry(pair).or_insert(u32::MAX));
        });
    }
    next as usize
}

/// Rows that fell into groups.
pub(super) struct Grouped {
    /// Per row its group.
    pub(super) groups: Vec<u32>,
    /// Per group its first row.
    pub(super) firsts: Vec<u32>,
}

/// Groups rows by the values of several operands. Without any there is one
/// group, if there are rows.
pub(super) fn group(rows: &RowList, by: &[Operand]) -> Grouped {
    let mut groups = vec![0; rows.len()];
    let mut count = usize::from(!rows.is_empty());
    for operand in by {
        count = refine(rows, &mut groups, count, Keys::of(operand));
    }
    let mut firsts = Vec::with_capacity(count);
    for (place, group) in groups.iter().enumerate() {
        if *group as usize == firsts.len() {
            firsts.push(rows.get(place));
        }
        if firsts.len() == count {
            break;
        }
    }
    Grouped { groups, firsts }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::group_key::GroupKey;
    use super::super::operand::Places;
    use super::super::vector::Vector;
    use super::*;

    fn operand(vector: Vector) -> Operand {
        Operand { vector: Arc::new(vector), places: Places::Same }
    }

    /// Groups by a list of values per row, as one would write it down.
    fn plainly(rows: &[u32], by: &[Operand]) -> (Vec<u32>, Vec<u32>) {
        let mut known: HashMap<Vec<GroupKey>, u32> = HashMap::new();
        let mut firsts = Vec::new();
        let groups = rows.iter().map(|row| {
            let key = by.iter().map(|operand| operand.value(*row as usize).into()).collect();
            let next = known.len() as u32;
            let group = *known.entry(key).or_insert(next);
            if group == next {
                firsts.push(*row);
            }
            group
        });
        (groups.collect(), firsts)
    }

    proptest! {
        #[test]
        fn groups_are_those_of_whole_values(
            rows in prop::collection::vec(
                (
                    prop::option::of(prop_oneof![-3..3_i64, Just(i64::MIN), Just(i64::MAX)]),
                    prop::option::of(prop_oneof![Just(-0.0), Just(0.0), -2.0..2.0, Just(1.5)]),
                    prop::option::of("[abc]"),
                ),
                0..40,
            ),
            step in 1..3_usize,
        ) {
            let texts = rows.iter().map(|row| row.2.clone().map_or(Value::Null, |text| Value::Text(text.into())));
            let by = [
                operand(Vector::ints(rows.iter().map(|row| row.0))),
                operand(Vector::floats(rows.iter().map(|row| row.1))),
                operand(Vector::of(Type::String, texts)),
            ];
            let chosen: Vec<u32> = (0..rows.len() as u32).step_by(step).collect();
            for by in [&by[..], &by[..1], &by[1..], &by[2..], &[]] {
                let Grouped { groups, firsts } = group(&RowList::of(chosen.clone()), by);
                prop_assert_eq!((groups, firsts), plainly(&chosen, by));
            }
        }

        #[test]
        fn keys_have_the_order_of_their_numbers(one: f64, other: f64) {
            prop_assume!(!one.is_nan() && !other.is_nan());
            prop_assert_eq!(of_float(one).cmp(&of_float(other)), one.partial_cmp(&other).expect("no NaN"));
            prop_assert_eq!(to_float(of_float(one)).to_bits(), (one + 0.0).to_bits());
        }
    }
}
