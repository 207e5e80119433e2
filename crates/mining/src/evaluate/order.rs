//! Putting rows in order by values.

use std::cmp::Ordering;

use super::operand::Operand;
use super::vector::Vector;

/// What is compared of a row: a number that has the order of the values, NULL
/// first. Going downwards turns all around.
type Rank = Option<u64>;

/// Sorts rows by keys, NULL first, or last where a key goes downwards; equal
/// ones stay as they were.
pub(super) fn put_in_order(rows: &mut [u32], keys: &[(Operand, bool)]) {
    let ranks: Vec<(Vec<Rank>, bool)> = keys.iter().map(|(key, down)| (ranks(rows, key), *down)).collect();
    match &ranks[..] {
        [] => {}
        [(ranks, down)] => {
            let mut pairs: Vec<(Rank, u32)> = ranks.iter().copied().zip(rows.iter().copied()).collect();
            pairs.sort_by(|(one, _), (other, _)| directed(one.cmp(other), *down));
            rows.iter_mut().zip(pairs).for_each(|(row, (_, sorted))| *row = sorted);
        }
        ranks => {
            let mut places: Vec<u32> = (0..rows.len() as u32).collect();
            places.sort_by(|one, other| {
                let order = |(ranks, down): &(Vec<Rank>, bool)| {
                    directed(ranks[*one as usize].cmp(&ranks[*other as usize]), *down)
                };
                ranks.iter().map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            });
            let sorted: Vec<u32> = places.into_iter().map(|place| rows[place as usize]).collect();
            rows.copy_from_slice(&sorted);
        }
    }
}

fn directed(order: Ordering, down: bool) -> Ordering {
    if down { order.reverse() } else { order }
}

fn ranks(rows: &[u32], key: &Operand) -> Vec<Rank> {
    const SIGN: u64 = 1 << 63;
    let each = |rank: &dyn Fn(usize) -> Rank| rows.iter().map(|row| rank(*row as usize)).collect();
    match &*key.vector {
        Vector::Truth(_) | Vector::Int(_) => each(&|row| key.int(row).map(|value| value as u64 ^ SIGN)),
        Vector::Date(_) => each(&|row| key.date(row).map(|value| value as u64 ^ SIGN)),
        // As total_cmp orders them, both zeroes apart.
        Vector::Float(_) => each(&|row| {
            let bits = key.float(row)?.to_bits();
            Some(if bits & SIGN == 0 { bits | SIGN } else { !bits })
        }),
        Vector::Text(_) => {
            let codes: Vec<Option<u32>> = rows.iter().map(|row| key.code(*row as usize)).collect();
            let of_row = |(code, row): (&Option<u32>, &u32)| Some(((*code)?, *row));
            let mut texts: Vec<(u32, u32)> = codes.iter().zip(rows).filter_map(of_row).collect();
            texts.sort_unstable_by_key(|(code, _)| *code);
            texts.dedup_by_key(|(code, _)| *code);
            texts.sort_by(|(_, one), (_, other)| key.text(*one as usize).cmp(&key.text(*other as usize)));
            let mut by_code: Vec<(u32, u64)> = texts.iter().zip(0..).map(|((code, _), rank)| (*code, rank)).collect();
            by_code.sort_unstable_by_key(|(code, _)| *code);
            let rank = |code: u32| by_code.binary_search_by_key(&code, |(code, _)| *code).ok().map(|at| by_code[at].1);
            codes.into_iter().map(|code| code.and_then(rank)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::group_key::compare;
    use super::super::operand::Places;
    use super::*;
    use crate::value::{Type, Value};

    proptest! {
        #[test]
        fn rows_stand_as_their_values_compare(
            rows in prop::collection::vec(
                (
                    prop::option::of(prop_oneof![-2..2_i64, Just(i64::MIN), Just(i64::MAX)]),
                    prop::option::of(prop_oneof![Just(-0.0), Just(0.0), -2.0..2.0, Just(1.5)]),
                    prop::option::of("[a-c]{0,2}"),
                ),
                0..40,
            ),
            down: [bool; 3],
        ) {
            let texts = rows.iter().map(|row| row.2.clone().map_or(Value::Null, |text| Value::Text(text.into())));
            let vectors = [
                Vector::ints(rows.iter().map(|row| row.0)),
                Vector::floats(rows.iter().map(|row| row.1)),
                Vector::of(Type::String, texts),
            ];
            let operands = vectors.map(|vector| Operand { vector: Arc::new(vector), places: Places::Same });
            let keys: Vec<(Operand, bool)> = operands.into_iter().zip(down).collect();
            let chosen: Vec<u32> = (0..rows.len() as u32).rev().collect();
            for keys in [&keys[..], &keys[..1], &keys[1..2], &keys[2..], &[]] {
                let mut sorted = chosen.clone();
                put_in_order(&mut sorted, keys);
                let mut plainly = chosen.clone();
                plainly.sort_by(|one, other| {
                    let order = |(key, down): &(Operand, bool)| {
                        directed(compare(&key.value(*one as usize), &key.value(*other as usize)), *down)
                    };
                    keys.iter().map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
                });
                prop_assert_eq!(sorted, plainly);
            }
        }
    }
}
