//! Many values to one.
//!
//! Each aggregation goes through the rows a fixed number of times and makes
//! nothing per row; what needs the values of a group side by side has them in
//! one long list, cut by group.

use std::sync::Arc;

use super::exact_sum::ExactSum;
use super::groups::{Groups, Of};
use super::keys::{Keys, refine};
use super::operand::{Operand, Places};
use super::row_list::RowList;
use super::vector::{Texts, Vector};
use crate::log::NO_ROW;
use crate::pql::plan::Aggregation;
use crate::value::{Type, Value};

/// Aggregates the values of each group; missing values are as if the row did
/// not exist.
pub(super) fn aggregate(
    aggregation: Aggregation,
    result: Type,
    value: &Operand,
    delimiter: &str,
    groups: Groups<'_>,
) -> Vector {
    let keys = Keys::of(value);
    match aggregation {
        Aggregation::Count => {
            let mut counts = vec![0_i64; groups.count];
            groups.each_key(keys, |_, group, _| counts[group] += 1);
            Vector::ints(counts.into_iter().map(Some))
        }
        Aggregation::CountDistinct => count_distinct(keys, groups),
        Aggregation::Sum if result == Type::Int => {
            // Wide enough that only the result can be too large, in whatever
            // order the values come.
            let mut sums: Vec<Option<i128>> = vec![None; groups.count];
            groups.each_present(value, |row, group| {
                let value = i128::from(value.int(row).unwrap_or(0));
                sums[group] = Some(sums[group].unwrap_or(0) + value);
            });
            Vector::ints(sums.into_iter().map(|sum| sum.and_then(|sum| i64::try_from(sum).ok())))
        }
        Aggregation::Product if result == Type::Int => whole_product(value, groups),
        Aggregation::Product => {
            let mut found: Vec<Option<f64>> = vec![None; groups.count];
            groups.each_present(value, |row, group| {
                found[group] = Some(found[group].unwrap_or(1.0) * value.float(row).unwrap_or(1.0));
            });
            Vector::floats(found.into_iter().map(|product| product.filter(|value| value.is_finite())))
        }
        Aggregation::Sum | Aggregation::Avg => {
            let mut sums = vec![(0_u64, ExactSum::default()); groups.count];
            groups.each_present(value, |row, group| {
                let (count, sum) = &mut sums[group];
                *count += 1;
                sum.add(value.float(row).unwrap_or(0.0));
            });
            let is_mean = aggregation == Aggregation::Avg;
            Vector::floats(sums.iter().map(|(count, sum)| sum_or_mean(*count, sum, is_mean)))
        }
        Aggregation::Min | Aggregation::Max => best(aggregation, result, value, keys, groups),
        Aggregation::First | Aggregation::Last => at_end(aggregation == Aggregation::Last, result, value, groups),
        Aggregation::Quantile(fraction) => {
            let pick = |keys: &mut [u64]| Some(*place(keys, quantile_place(fraction, keys.len()))?);
            of_keys(result, keys, groups.cut(keys, |_, key| key).map(pick))
        }
        Aggregation::QuantileLinear(fraction) => {
            let read = |key: u64| match keys.value(key) {
                Value::Int(value) | Value::Date(value) => value as f64,
                Value::Float(value) => value,
                _ => 0.0,
            };
            let points = groups.cut(keys, |_, key| key).map(|keys| linear(fraction, keys, read));
            match result {
                Type::Date => Vector::dates(points.into_iter().map(|point| point.map(|point| point.round() as i64))),
                _ => Vector::floats(points),
            }
        }
        Aggregation::Stdev | Aggregation::Var => {
            let variances = spread(value, groups).into_iter().map(Spread::variance);
            let root = |variance: f64| if aggregation == Aggregation::Stdev { variance.sqrt() } else { variance };
            Vector::floats(variances.map(|variance| variance.map(root).filter(|value| value.is_finite())))
        }
        Aggregation::Mode => mode(result, value, keys, groups),
        Aggregation::TrimmedMean(low, high) => {
            let cut = groups.cut(keys, |row, _| value.float(row as usize).unwrap_or(0.0));
            Vector::floats(cut.map(|values| trimmed_mean(low, high, values)))
        }
        Aggregation::StringAgg => {
            let mut texts = Texts::default();
            let joined = groups.cut(keys, |row, _| row).map(|rows| {
                let parts: Vec<&str> = rows.iter().filter_map(|row| value.text(*row as usize)).collect();
                (!parts.is_empty()).then(|| parts.join(delimiter))
            });
            for text in &joined {
                texts.push(text.as_deref());
            }
            texts.finish()
        }
    }
}

fn count_distinct(keys: Keys<'_>, groups: Groups<'_>) -> Vector {
    let (mut rows, mut pairs) = (Vec::new(), Vec::new());
    groups.each_key(keys, |row, group, _| {
        rows.push(row);
        pairs.push(group as u32);
    });
    let own = pairs.clone();
    refine(&RowList::of(rows), &mut pairs, groups.count, keys);
    let mut counts = vec![0_i64; groups.count];
    // Pairs are numbered in the order in which they are met.
    let mut met = 0;
    for (pair, group) in pairs.into_iter().zip(own) {
        if pair == met {
            met += 1;
            counts[group as usize] += 1;
        }
    }
    Vector::ints(counts.into_iter().map(Some))
}

/// Multiplies whole numbers. What is too large stays so.
fn whole_product(value: &Operand, groups: Groups<'_>) -> Vector {
    let mut found: Vec<(bool, Option<i64>)> = vec![(false, Some(1)); groups.count];
    groups.each_present(value, |row, group| {
        let both = found[group].1.zip(value.int(row));
        found[group] = (true, both.and_then(|(so_far, value)| so_far.checked_mul(value)));
    });
    Vector::ints(found.into_iter().map(|(any, found)| found.filter(|_| any)))
}

/// Finds the row of each group with the least or the largest value.
fn best(aggregation: Aggregation, result: Type, value: &Operand, keys: Keys<'_>, groups: Groups<'_>) -> Vector {
    let wanted = if aggregation == Aggregation::Min { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
    let mut chosen = vec![(NO_ROW, 0_u64); groups.count];
    groups.each_key(keys, |row, group, key| {
        let (known, best) = &mut chosen[group];
        let order = || {
            if keys.are_ordered() { key.cmp(best) } else { value.text(row as usize).cmp(&value.text(*known as usize)) }
        };
        if *known == NO_ROW || order() == wanted {
            (*known, *best) = (row, key);
        }
    });
    of_rows(result, value, &chosen.into_iter().map(|(row, _)| row).collect::<Vec<_>>())
}

/// Finds the first or the last row of each group that has a value.
fn at_end(last: bool, result: Type, value: &Operand, groups: Groups<'_>) -> Vector {
    let mut chosen = vec![NO_ROW; groups.count];
    let mut take = |row: u32, group: usize| {
        if last || chosen[group] == NO_ROW {
            chosen[group] = row;
        }
    };
    match groups.of {
        // Of the events of a case only those at its end are looked at.
        Of::Cases(frame, targets) => {
            let counts = |row: &usize| groups.counts(*row) && !value.is_null(*row);
            let found = frame.by_part(|cases| {
                let end = |(_, mut places): (u32, std::ops::Range<usize>)| {
                    let row = if last { places.rfind(counts) } else { places.find(counts) };
                    row.map_or(NO_ROW, |row| row as u32)
                };
                cases.map(end).collect::<Vec<u32>>()
            });
            for (row, group) in found.into_iter().flatten().zip(targets) {
                if row != NO_ROW && *group != NO_ROW {
                    take(row, *group as usize);
                }
            }
        }
        _ => groups.each_present(value, |row, group| take(row as u32, group)),
    }
    of_rows(result, value, &chosen)
}

/// Takes the values of rows, one for each group.
pub(super) fn of_rows(result: Type, value: &Operand, rows: &[u32]) -> Vector {
    if !matches!(&*value.vector, Vector::Truth(_)) {
        return value.gather(rows);
    }
    let one = |row: &u32| if *row == NO_ROW { Value::Null } else { value.value(*row as usize) };
    Vector::of(result, rows.iter().map(one))
}

fn of_keys(result: Type, keys: Keys<'_>, found: Vec<Option<u64>>) -> Vector {
    Vector::of(result, found.into_iter().map(|key| key.map_or(Value::Null, |key| keys.value(key))))
}

fn mode(result: Type, value: &Operand, keys: Keys<'_>, groups: Groups<'_>) -> Vector {
    // A row stands beside its key, because a text is found by its row only.
    let cut = groups.cut(keys, |row, key| (key, row));
    let most = cut.map(|pairs| {
        pairs.sort_unstable();
        let mut best: Option<(usize, u32)> = None;
        for run in pairs.chunk_by(|one, other| one.0 == other.0) {
            let row = run[0].1;
            let smaller = |known: u32| {
                let (row, known) = (row as usize, known as usize);
                if keys.are_ordered() { keys.key(row) < keys.key(known) } else { value.text(row) < value.text(known) }
            };
            let better = best.is_none_or(|(count, known)| run.len() > count || run.len() == count && smaller(known));
            if better {
                best = Some((run.len(), row));
            }
        }
        best.map_or(NO_ROW, |(_, row)| row)
    });
    of_rows(result, value, &most)
}

/// Count, mean and sum of squared distances from it, kept up in one pass.
#[derive(Clone, Copy, Default)]
pub(super) struct Spread {
    count: u64,
    /// The mean of what was added.
    pub(super) mean: f64,
    squares: f64,
}

impl Spread {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// Returns the variance of a sample: 0 for one value, nothing for none.
    pub(super) fn variance(self) -> Option<f64> {
        match self.count {
            0 => None,
            1 => Some(0.0),
            count => Some(self.squares / (count - 1) as f64),
        }
    }
}

/// Measures how the values of each group spread.
pub(super) fn spread(value: &Operand, groups: Groups<'_>) -> Vec<Spread> {
    let mut spreads = vec![Spread::default(); groups.count];
    groups.each_present(value, |row, group| spreads[group].add(value.float(row).unwrap_or(0.0)));
    spreads
}

/// Returns the value that would stand at a place if the values were sorted.
fn place(keys: &mut [u64], place: usize) -> Option<&u64> {
    if keys.is_empty() {
        return None;
    }
    Some(keys.select_nth_unstable(place).1)
}

/// Returns the sum of `count` values, or their mean; nothing without values.
pub(crate) fn sum_or_mean(count: u64, sum: &ExactSum, is_mean: bool) -> Option<f64> {
    let sum = sum.value().filter(|_| count > 0)?;
    Some(if is_mean { sum / count as f64 } else { sum })
}

/// Aggregates the values of one group, none of them missing, in the order that
/// FIRST and LAST mean.
pub(crate) fn aggregate_list(
    aggregation: Aggregation,
    result: Type,
    own: Type,
    delimiter: &str,
    values: impl IntoIterator<Item = Value>,
) -> Value {
    let vector = Arc::new(Vector::of(own, values));
    let rows = RowList::all(vector.len());
    let value = Operand { vector, places: Places::Same };
    let groups = Groups { rows: &rows, of: Of::One, count: 1, filter: None };
    aggregate(aggregation, result, &value, delimiter, groups).value(0)
}

/// Returns the 0-based place of a quantile among `count` sorted values:
/// floor(q * n), at most the last. A product that only rounding keeps from a
/// whole number counts as that number.
pub(crate) fn quantile_place(fraction: f64, count: usize) -> usize {
    let product = fraction * count as f64;
    let nearest = product.round();
    let place = if (product - nearest).abs() < 1e-9 * nearest.max(1.0) { nearest } else { product.floor() };
    (place as usize).min(count.saturating_sub(1))
}

/// Returns the point at q * (n - 1) of the sorted values, on the line between
/// the two around it.
fn linear(fraction: f64, keys: &mut [u64], read: impl Fn(u64) -> f64) -> Option<f64> {
    let last = keys.len().checked_sub(1)?;
    let point = fraction * last as f64;
    let low = (point.floor() as usize).min(last);
    let (_, below, above) = keys.select_nth_unstable(low);
    let below = read(*below);
    let above = above.iter().min().map_or(below, |key| read(*key));
    Some(below + (above - below) * (point - low as f64)).filter(|value| value.is_finite())
}

/// Returns the mean without the given percents of the values on either side,
/// each rounded down to whole values; 0 if that leaves none.
fn trimmed_mean(low: f64, high: f64, values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let cut = |percent: f64| (values.len() as f64 * percent / 100.0).floor() as usize;
    let kept = values.get(cut(low)..values.len() - cut(high)).unwrap_or_default();
    if kept.is_empty() {
        return Some(0.0);
    }
    let mean = kept.iter().sum::<f64>() / kept.len() as f64;
    Some(mean).filter(|mean| mean.is_finite())
}

#[cfg(test)]
mod tests {
    use super::{linear, quantile_place, trimmed_mean};

    #[test]
    fn quantiles_pick_the_documented_element() {
        for (fraction, count, place) in
            [(0.25, 3, 0), (0.5, 2, 1), (0.5, 4, 2), (0.0, 5, 0), (1.0, 5, 4), (0.95, 20, 19), (0.29, 100, 29)]
        {
            assert_eq!(quantile_place(fraction, count), place, "{fraction} of {count}");
        }
    }

    #[test]
    fn linear_quantiles_lie_between_two_values() {
        for (fraction, values, expected) in [
            (0.5, vec![1, 2, 3, 4], Some(2.5)),
            (0.25, vec![10, 20, 30], Some(15.0)),
            (0.95, vec![7], Some(7.0)),
            (1.0, vec![3, 1, 2], Some(3.0)),
            (0.5, vec![], None),
        ] {
            let mut keys: Vec<u64> = values.clone();
            assert_eq!(linear(fraction, &mut keys, |key| key as f64), expected, "{fraction} of {values:?}");
        }
    }

    #[test]
    fn what_is_trimmed_is_rounded_down_to_whole_values() {
        let values = || (1..=10).map(f64::from).collect::<Vec<_>>();
        assert_eq!(trimmed_mean(5.0, 0.0, &mut values()), Some(5.5), "half a value is none");
        assert_eq!(trimmed_mean(19.0, 19.0, &mut values()), Some(5.5));
        assert_eq!(trimmed_mean(20.0, 0.0, &mut values()), Some(6.5));
        // The documented examples: three of ten on either side; two of five,
        // none of one, and all of four.
        let example = &mut [102.0, 101.0, 100.0, 4.0, 3.0, 2.0, 1.0, -100.0, -101.0, -102.0];
        assert_eq!(trimmed_mean(30.0, 30.0, example), Some(2.5));
        assert_eq!(trimmed_mean(50.0, 50.0, &mut [10.0, 3.0, 5.0, 7.0, 1.0]), Some(5.0));
        assert_eq!(trimmed_mean(50.0, 50.0, &mut [10.0]), Some(10.0));
        assert_eq!(trimmed_mean(50.0, 50.0, &mut [2.0, 40.0, 1.0, 3.0]), Some(0.0));
        assert_eq!(trimmed_mean(60.0, 60.0, &mut values()), Some(0.0));
        assert_eq!(trimmed_mean(5.0, 5.0, &mut []), None);
    }
}
