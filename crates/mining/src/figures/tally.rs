//! What is known of one group of a shared figure: enough to add a value, to
//! take one out again, and to tell the figure.
//!
//! Nothing here is an estimate. Numbers are counted and summed without rounding
//! on the way; order statistics stand on a sorted multiset, and a quantile
//! keeps a finger on its element, which one value in or out moves by one place
//! at most. What has no shorter form is kept as the list of its values in
//! order, and its figure is computed anew when the group changes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::evaluate::{Contribution, ExactSum, GroupKey, aggregate_list, compare, quantile_place, sum_or_mean};
use crate::pql::check::type_of;
use crate::pql::plan::{Aggregation, PullUp};
use crate::value::{Type, Value};

/// How values are aggregated, and what comes out.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) aggregation: Aggregation,
    /// Of the values that go in.
    pub(super) own: Type,
    /// Of the figure.
    pub(super) result: Type,
    /// Stands between texts that are put together.
    pub(super) delimiter: Arc<str>,
}

impl Kind {
    /// Reads how a figure aggregates, given the type of what comes out.
    pub(super) fn of(pull_up: &PullUp, result: Type) -> Self {
        Kind {
            aggregation: pull_up.aggregation,
            own: type_of(&pull_up.value),
            result,
            delimiter: pull_up.delimiter.clone(),
        }
    }

    /// Tells whether it matters in which order the values come.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.start(), Tally::Listed(_))
    }

    /// Returns the tally of nothing.
    pub(super) fn start(&self) -> Tally {
        match self.aggregation {
            Aggregation::Count => Tally::Count(0),
            Aggregation::CountDistinct => Tally::Distinct(HashMap::new()),
            Aggregation::Sum if self.result == Type::Int => Tally::Whole(0, 0),
            Aggregation::Sum | Aggregation::Avg => Tally::Sum(0, ExactSum::default()),
            Aggregation::Min | Aggregation::Max => match self.own {
                Type::String => Tally::Texts(BTreeMap::new()),
                _ => Tally::Numbers(Ranks::default()),
            },
            Aggregation::Quantile(_) if self.own != Type::String => Tally::Numbers(Ranks::default()),
            _ => Tally::Listed(BTreeMap::new()),
        }
    }
}

/// What is known of a group.
#[derive(Clone, Debug)]
pub(super) enum Tally {
    Count(u64),
    Distinct(HashMap<GroupKey, u32>),
    /// How many, and their sum.
    Whole(u64, i128),
    Sum(u64, ExactSum),
    Numbers(Ranks),
    Texts(BTreeMap<Arc<str>, u32>),
    Listed(BTreeMap<Standing, Value>),
}

impl Tally {
    pub(super) fn add(&mut self, kind: &Kind, one: Contribution) {
        match self {
            Tally::Count(count) => *count += 1,
            Tally::Distinct(counts) => *counts.entry(one.value.into()).or_default() += 1,
            Tally::Whole(count, sum) => {
                *count += 1;
                *sum += whole(&one.value);
            }
            Tally::Sum(count, sum) => {
                *count += 1;
                sum.add(double(&one.value));
            }
            Tally::Numbers(ranks) => ranks.add(code(&one.value, kind.own), kind.fraction()),
            Tally::Texts(counts) => {
                if let Value::Text(text) = one.value {
                    *counts.entry(text).or_default() += 1;
                }
            }
            Tally::Listed(values) => {
                let value = one.value.clone();
                values.insert(Standing { keys: one.keys, place: one.place }, value);
            }
        }
    }

    pub(super) fn take_out(&mut self, kind: &Kind, one: Contribution) {
        match self {
            Tally::Count(count) => *count -= 1,
            Tally::Distinct(counts) => {
                let key: GroupKey = one.value.into();
                drop_one(counts.get_mut(&key).map(less)).then(|| counts.remove(&key));
            }
            Tally::Whole(count, sum) => {
                *count -= 1;
                *sum -= whole(&one.value);
            }
            Tally::Sum(count, sum) => {
                *count -= 1;
                sum.take_out(double(&one.value));
            }
            Tally::Numbers(ranks) => ranks.take_out(code(&one.value, kind.own), kind.fraction()),
            Tally::Texts(counts) => {
                if let Value::Text(text) = one.value {
                    drop_one(counts.get_mut(&text).map(less)).then(|| counts.remove(&text));
                }
            }
            Tally::Listed(values) => {
                values.remove(&Standing { keys: one.keys, place: one.place });
            }
        }
    }

    /// Gives the rows that values in order come from the numbers that they have
    /// after a fold; the order stays.
    pub(super) fn renumber(&mut self, row: impl Fn(u32) -> u32) {
        if let Tally::Listed(values) = self {
            let renumbered = std::mem::take(values).into_iter();
            let renumbered = renumbered.map(|(Standing { keys, place: (own, within) }, value)| {
                (Standing { keys, place: (row(own), within) }, value)
            });
            *values = renumbered.collect();
        }
    }

    /// Tells whether all that was added was taken out.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Tally::Count(count) | Tally::Whole(count, _) | Tally::Sum(count, _) => *count == 0,
            Tally::Distinct(counts) => counts.is_empty(),
            Tally::Numbers(ranks) => ranks.total == 0,
            Tally::Texts(counts) => counts.is_empty(),
            Tally::Listed(values) => values.is_empty(),
        }
    }

    /// Returns the figure.
    pub(super) fn value(&self, kind: &Kind) -> Value {
        let number = |code: Option<i64>| code.map_or(Value::Null, |code| decoded(code, kind.result));
        match self {
            Tally::Count(count) => Value::Int(*count as i64),
            Tally::Distinct(counts) => Value::Int(counts.len() as i64),
            Tally::Whole(0, _) => Value::Null,
            Tally::Whole(_, sum) => i64::try_from(*sum).map_or(Value::Null, Value::Int),
            Tally::Sum(count, sum) => {
                let is_mean = matches!(kind.aggregation, Aggregation::Avg);
                sum_or_mean(*count, sum, is_mean).map_or(Value::Null, Value::Float)
            }
            Tally::Numbers(ranks) => number(match kind.aggregation {
                Aggregation::Min => ranks.counts.keys().next().copied(),
                Aggregation::Max => ranks.counts.keys().next_back().copied(),
                _ => ranks.finger.map(|(code, _)| code),
            }),
            Tally::Texts(counts) => {
                let text = match kind.aggregation {
                    Aggregation::Min => counts.keys().next(),
                    _ => counts.keys().next_back(),
                };
                text.map_or(Value::Null, |text| Value::Text(text.clone()))
            }
            Tally::Listed(values) => {
                // The first and the last need not see those in between.
                let ends = match kind.aggregation {
                    Aggregation::First => values.values().next(),
                    Aggregation::Last => values.values().next_back(),
                    _ => None,
                };
                match ends {
                    Some(value) => value.clone(),
                    None => {
                        let values = values.values().cloned();
                        aggregate_list(kind.aggregation, kind.result, kind.own, &kind.delimiter, values)
                    }
                }
            }
        }
    }
}

impl Kind {
    fn fraction(&self) -> Option<f64> {
        if let Aggregation::Quantile(fraction) = self.aggregation { Some(fraction) } else { None }
    }
}

fn less(count: &mut u32) -> u32 {
    *count -= 1;
    *count
}

fn drop_one(left: Option<u32>) -> bool {
    left == Some(0)
}

fn whole(value: &Value) -> i128 {
    if let Value::Int(value) = value { i128::from(*value) } else { 0 }
}

fn double(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Int(value) => *value as f64,
        _ => 0.0,
    }
}

/// Returns a whole number that sorts as the value does.
fn code(value: &Value, own: Type) -> i64 {
    match value {
        Value::Int(value) if own != Type::Float => *value,
        Value::Date(value) => *value,
        _ => ordered(double(value)),
    }
}

fn decoded(code: i64, result: Type) -> Value {
    match result {
        Type::Date => Value::Date(code),
        Type::Float => Value::Float(double_of(code)),
        Type::Int | Type::String => Value::Int(code),
    }
}

/// Returns a whole number that sorts as doubles do, all of them.
pub(crate) fn ordered(value: f64) -> i64 {
    unordered(value.to_bits() as i64)
}

/// Returns the double of which [`ordered`] made a whole number.
pub(crate) fn double_of(code: i64) -> f64 {
    f64::from_bits(unordered(code) as u64)
}

/// Its own inverse: below zero, all bits but the sign are turned round.
fn unordered(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// A sorted multiset, with a finger on the element that a quantile picks.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks {
    counts: BTreeMap<i64, u32>,
    total: u64,
    /// The element, and how many are smaller.
    finger: Option<(i64, u64)>,
}

impl Ranks {
    fn add(&mut self, code: i64, fraction: Option<f64>) {
        *self.counts.entry(code).or_default() += 1;
        self.total += 1;
        let Some(fraction) = fraction else { return };
        match &mut self.finger {
            Some((element, smaller)) => *smaller += u64::from(code < *element),
            None => self.finger = Some((code, 0)),
        }
        self.settle(fraction);
    }

    fn take_out(&mut self, code: i64, fraction: Option<f64>) {
        let count = self.counts.get_mut(&code).expect("what is taken out was added");
        *count -= 1;
        let is_gone = *count == 0;
        if is_gone {
            self.counts.remove(&code);
        }
        self.total -= 1;
        let (Some(fraction), Some((element, smaller))) = (fraction, &mut self.finger) else { return };
        *smaller -= u64::from(code < *element);
        if is_gone && code == *element {
            let next = self.counts.range(code..).next().map(|(code, _)| *code);
            match next.or_else(|| self.counts.keys().next_back().copied()) {
                Some(next) if next > code => *element = next,
                Some(last) => {
                    *element = last;
                    *smaller -= u64::from(self.counts[&last]);
                }
                None => self.finger = None,
            }
        }
        self.settle(fraction);
    }

    /// Moves the finger to the element that the quantile picks now.
    fn settle(&mut self, fraction: f64) {
        let Some((element, smaller)) = &mut self.finger else { return };
        let place = quantile_place(fraction, self.total as usize) as u64;
        while place < *smaller {
            let (before, count) = self.counts.range(..*element).next_back().expect("some are smaller");
            *element = *before;
            *smaller -= u64::from(*count);
        }
        while place >= *smaller + u64::from(self.counts[element]) {
            *smaller += u64::from(self.counts[element]);
            let above = (std::ops::Bound::Excluded(*element), std::ops::Bound::Unbounded);
            let (after, _) = self.counts.range(above).next().expect("the place is below the total");
            *element = *after;
        }
    }
}

/// Where a value stands among those of its group.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    keys: Vec<(Value, bool)>,
    place: (u32, u32),
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> Ordering {
        for ((one, down), (another, _)) in self.keys.iter().zip(&other.keys) {
            let order = compare(one, another);
            let order = if *down { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        self.place.cmp(&other.place)
    }
}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Standing {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Standing {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::evaluate::Group;

    fn contribution(value: Value, place: u32) -> Contribution {
        Contribution { group: Group::All, value, keys: Vec::new(), place: (place, 0) }
    }

    const ALL: [Aggregation; 11] = [
        Aggregation::Count,
        Aggregation::CountDistinct,
        Aggregation::Sum,
        Aggregation::Avg,
        Aggregation::Min,
        Aggregation::Max,
        Aggregation::First,
        Aggregation::Last,
        Aggregation::Quantile(0.95),
        Aggregation::Quantile(0.5),
        Aggregation::Quantile(0.0),
    ];

    proptest! {
        #[test]
        fn what_was_taken_out_was_never_in(
            steps in prop::collection::vec((-4_i64..5, any::<bool>()), 1..60), own in 0..3_u8,
        ) {
            let own = [Type::Int, Type::Float, Type::Date][usize::from(own)];
            let value = |number: i64| match own {
                Type::Float => Value::Float(number as f64 * 0.1),
                Type::Date => Value::Date(number),
                _ => Value::Int(number),
            };
            for aggregation in ALL {
                let result = match aggregation {
                    Aggregation::Count | Aggregation::CountDistinct => Type::Int,
                    Aggregation::Sum | Aggregation::Avg if own == Type::Date => continue,
                    Aggregation::Avg => Type::Float,
                    _ => own,
                };
                let kind = Kind { aggregation, own, result, delimiter: "".into() };
                let mut tally = kind.start();
                let mut inside: Vec<(u32, Value)> = Vec::new();
                for (place, (number, takes)) in steps.iter().enumerate() {
                    if *takes && !inside.is_empty() {
                        let (place, value) = inside.remove(number.unsigned_abs() as usize % inside.len());
                        tally.take_out(&kind, contribution(value, place));
                    } else {
                        inside.push((place as u32, value(*number)));
                        tally.add(&kind, contribution(value(*number), place as u32));
                    }
                    let values = inside.iter().map(|(_, value)| value.clone());
                    let expected = aggregate_list(aggregation, result, own, "", values);
                    prop_assert_eq!(tally.value(&kind), expected, "{:?}", aggregation);
                    prop_assert_eq!(tally.is_empty(), inside.is_empty());
                }
            }
        }
    }
}
