//! Many values to one.
//!
//! Each aggregation goes through the rows a fixed number of times and makes
//! nothing per row; what needs the values of a group side by side has them in
//! one long list, cut by group.

use std::sync::Arc;

use super::exact_sum::ExactSum;
use super::keys::{Keys, refine};
use super::vector::{Operand, Places, Texts, Vector};
use crate::pql::plan::Aggregation;
use crate::value::{Type, Value};

/// Which rows belong to which group.
#[derive(Clone, Copy)]
pub(super) struct Groups<'a> {
    /// The rows, in the order that FIRST and LAST mean.
    pub(super) rows: &'a [u32],
    /// Per row its group.
    pub(super) group_of: &'a [u32],
    /// How many groups there are.
    pub(super) count: usize,
}

impl Groups<'_> {
    /// Goes through the rows that have a value: row and group.
    fn present(self, value: &Operand) -> impl Iterator<Item = (usize, usize)> {
        let members = self.rows.iter().zip(self.group_of);
        members.map(|(row, group)| (*row as usize, *group as usize)).filter(|(row, _)| !value.is_null(*row))
    }

    /// Lists what `read` finds in the rows, group by group.
    fn cut<T: Copy + Default>(self, value: &Operand, read: impl Fn(usize) -> T) -> Cut<T> {
        let mut starts = vec![0_usize; self.count + 1];
        for (_, group) in self.present(value) {
            starts[group + 1] += 1;
        }
        for group in 0..self.count {
            starts[group + 1] += starts[group];
        }
        let mut items = vec![T::default(); starts[self.count]];
        let mut next = starts.clone();
        for (row, group) in self.present(value) {
            items[next[group]] = read(row);
            next[group] += 1;
        }
        Cut { starts, items }
    }
}

/// A long list, cut by group.
struct Cut<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T> Cut<T> {
    /// Reduces each group's items.
    fn map<R>(mut self, mut reduce: impl FnMut(&mut [T]) -> R) -> Vec<R> {
        let groups = self.starts.windows(2).map(|ends| ends[0]..ends[1]).collect::<Vec<_>>();
        groups.into_iter().map(|range| reduce(&mut self.items[range])).collect()
    }
}

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
            for (_, group) in groups.present(value) {
                counts[group] += 1;
            }
            Vector::ints(counts.into_iter().map(Some))
        }
        Aggregation::CountDistinct => count_distinct(value, keys, groups),
        Aggregation::Sum if result == Type::Int => {
            // Wide enough that only the result can be too large, in whatever
            // order the values come.
            let mut sums: Vec<Option<i128>> = vec![None; groups.count];
            for (row, group) in groups.present(value) {
                let value = i128::from(value.int(row).unwrap_or(0));
                sums[group] = Some(sums[group].unwrap_or(0) + value);
            }
            Vector::ints(sums.into_iter().map(|sum| sum.and_then(|sum| i64::try_from(sum).ok())))
        }
        Aggregation::Product if result == Type::Int => whole_product(value, groups),
        Aggregation::Product => {
            let mut found: Vec<Option<f64>> = vec![None; groups.count];
            for (row, group) in groups.present(value) {
                found[group] = Some(found[group].unwrap_or(1.0) * value.float(row).unwrap_or(1.0));
            }
            Vector::floats(found.into_iter().map(|product| product.filter(|value| value.is_finite())))
        }
        Aggregation::Sum | Aggregation::Avg => {
            let mut sums = vec![(0_u64, ExactSum::default()); groups.count];
            for (row, group) in groups.present(value) {
                let (count, sum) = &mut sums[group];
                *count += 1;
                sum.add(value.float(row).unwrap_or(0.0));
            }
            let is_mean = aggregation == Aggregation::Avg;
            Vector::floats(sums.iter().map(|(count, sum)| sum_or_mean(*count, sum, is_mean)))
        }
        Aggregation::Min | Aggregation::Max | Aggregation::First | Aggregation::Last => {
            best(aggregation, result, value, keys, groups)
        }
        Aggregation::Quantile(fraction) => {
            let pick = |keys: &mut [u64]| Some(*place(keys, quantile_place(fraction, keys.len()))?);
            of_keys(result, keys, groups.cut(value, |row| keys.key(row).unwrap_or(0)).map(pick))
        }
        Aggregation::QuantileLinear(fraction) => {
            let read = |key: u64| match keys.value(key) {
                Value::Int(value) | Value::Date(value) => value as f64,
                Value::Float(value) => value,
                _ => 0.0,
            };
            let cut = groups.cut(value, |row| keys.key(row).unwrap_or(0));
            let points = cut.map(|keys| linear(fraction, keys, read));
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
            let cut = groups.cut(value, |row| value.float(row).unwrap_or(0.0));
            Vector::floats(cut.map(|values| trimmed_mean(low, high, values)))
        }
        Aggregation::StringAgg => {
            let mut texts = Texts::default();
            for joined in groups.cut(value, |row| row as u32).map(|rows| {
                let parts: Vec<&str> = rows.iter().filter_map(|row| value.text(*row as usize)).collect();
                (!parts.is_empty()).then(|| parts.join(delimiter))
            }) {
                texts.push(joined.as_deref());
            }
            texts.finish()
        }
    }
}

fn count_distinct(value: &Operand, keys: Keys<'_>, groups: Groups<'_>) -> Vector {
    let (rows, mut pairs): (Vec<u32>, Vec<u32>) =
        groups.present(value).map(|(row, group)| (row as u32, group as u32)).unzip();
    let own = pairs.clone();
    refine(&rows, &mut pairs, groups.count, keys);
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
    for (row, group) in groups.present(value) {
        let both = found[group].1.zip(value.int(row));
        found[group] = (true, both.and_then(|(so_far, value)| so_far.checked_mul(value)));
    }
    Vector::ints(found.into_iter().map(|(any, found)| found.filter(|_| any)))
}

/// Finds a row of each group and takes its value.
fn best(aggregation: Aggregation, result: Type, value: &Operand, keys: Keys<'_>, groups: Groups<'_>) -> Vector {
    let mut chosen: Vec<Option<usize>> = vec![None; groups.count];
    for (row, group) in groups.present(value) {
        let order = |known: usize| {
            if keys.are_ordered() {
                keys.key(row).cmp(&keys.key(known))
            } else {
                value.text(row).cmp(&value.text(known))
            }
        };
        let better = match (chosen[group], aggregation) {
            (None, _) | (_, Aggregation::Last) => true,
            (Some(known), Aggregation::Min) => order(known).is_lt(),
            (Some(known), Aggregation::Max) => order(known).is_gt(),
            _ => false,
        };
        if better {
            chosen[group] = Some(row);
        }
    }
    Vector::of(result, chosen.into_iter().map(|row| row.map_or(Value::Null, |row| value.value(row))))
}

fn of_keys(result: Type, keys: Keys<'_>, found: Vec<Option<u64>>) -> Vector {
    Vector::of(result, found.into_iter().map(|key| key.map_or(Value::Null, |key| keys.value(key))))
}

fn mode(result: Type, value: &Operand, keys: Keys<'_>, groups: Groups<'_>) -> Vector {
    // A row stands beside its key, because a text is found by its row only.
    let cut = groups.cut(value, |row| (keys.key(row).unwrap_or(0), row as u32));
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
        best.map(|(_, row)| row as usize)
    });
    Vector::of(result, most.into_iter().map(|row| row.map_or(Value::Null, |row| value.value(row))))
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
    for (row, group) in groups.present(value) {
        spreads[group].add(value.float(row).unwrap_or(0.0));
    }
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
    let rows: Vec<u32> = (0..vector.len() as u32).collect();
    let group_of = vec![0; rows.len()];
    let value = Operand { vector, places: Places::Same };
    let groups = Groups { rows: &rows, group_of: &group_of, count: 1 };
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
