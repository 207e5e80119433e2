//! Values as numbers.
//!
//! Rows fall into groups, and values into an order, a million times a query.
//! So no value is made for that: a key is one 64-bit number per row, the same
//! for equal values of one vector. Keys of numbers and dates also have the
//! order of their values; those of texts are codes, which have none.

use std::collections::HashMap;

use super::vector::Operand;
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
            Type::Int => self.operand.int(row).map(|value| value as u64 ^ SIGN),
            Type::Date => self.operand.date(row).map(|value| value as u64 ^ SIGN),
            Type::Float => self.operand.float(row).map(of_float),
            Type::String => self.operand.code(row).map(u64::from),
        }
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

/// Orders doubles by their bits; both zeroes are one number.
fn of_float(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

pub(super) fn to_float(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
}

/// Divides each group by a further key; NULL is a key of its own. `groups`
/// holds a group below `count` per row of `rows`. The new groups are numbered
/// in the order of their first rows; their count is returned.
pub(super) fn refine(rows: &[u32], groups: &mut [u32], count: usize, keys: Keys<'_>) -> usize {
    let (mut least, mut most) = (u64::MAX, 0);
    for key in rows.iter().filter_map(|row| keys.key(*row as usize)) {
        least = least.min(key);
        most = most.max(key);
    }
    let mut next = 0_u32;
    let mut number = |known: &mut u32| {
        if *known == u32::MAX {
            *known = next;
            next += 1;
        }
        *known
    };
    // A table of all pairs is the fastest, as long as it is not mostly empty.
    let width = if least > most { 1 } else { (most - least).saturating_add(2) };
    let slots = width.checked_mul(count as u64).filter(|slots| *slots <= 4 * rows.len() as u64 + 1024);
    if let Some(slots) = slots {
        let mut table = vec![u32::MAX; slots as usize];
        for (row, group) in rows.iter().zip(groups.iter_mut()) {
            let place = keys.key(*row as usize).map_or(0, |key| key - least + 1);
            *group = number(&mut table[(u64::from(*group) * width + place) as usize]);
        }
    } else {
        let mut table: HashMap<(u32, Option<u64>), u32> = HashMap::new();
        for (row, group) in rows.iter().zip(groups.iter_mut()) {
            *group = number(table.entry((*group, keys.key(*row as usize))).or_insert(u32::MAX));
        }
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
pub(super) fn group(rows: &[u32], by: &[Operand]) -> Grouped {
    let mut groups = vec![0; rows.len()];
    let mut count = usize::from(!rows.is_empty());
    for operand in by {
        count = refine(rows, &mut groups, count, Keys::of(operand));
    }
    let mut firsts = Vec::with_capacity(count);
    for (row, group) in rows.iter().zip(&groups) {
        if *group as usize == firsts.len() {
            firsts.push(*row);
        }
    }
    Grouped { groups, firsts }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::vector::{GroupKey, Places, Vector};
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
                let Grouped { groups, firsts } = group(&chosen, by);
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
