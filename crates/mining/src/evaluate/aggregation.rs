//! Many values to one.

use std::collections::HashSet;
use std::sync::Arc;

use super::exact_sum::ExactSum;
use super::vector::{GroupKey, Operand, Places, Vector, compare};
use crate::pql::plan::Aggregation;
use crate::value::{Type, Value};

/// Which rows belong to which group.
pub(super) struct Groups<'a> {
    /// Row and group, in the order that FIRST and LAST mean.
    pub(super) members: &'a [(usize, u32)],
    /// How many groups there are.
    pub(super) count: usize,
}

/// Aggregates the values of each group; missing values are as if the row did
/// not exist.
pub(super) fn aggregate(aggregation: Aggregation, result: Type, value: &Operand, groups: &Groups<'_>) -> Vector {
    let present =
        || groups.members.iter().filter(|(row, _)| !value.is_null(*row)).map(|(row, group)| (*row, *group as usize));
    match aggregation {
        Aggregation::Count => {
            let mut counts = vec![0_i64; groups.count];
            for (_, group) in present() {
                counts[group] += 1;
            }
            Vector::ints(counts.into_iter().map(Some))
        }
        Aggregation::CountDistinct => {
            let mut counts = vec![0_i64; groups.count];
            let mut seen: HashSet<(usize, GroupKey)> = HashSet::new();
            for (row, group) in present() {
                counts[group] += i64::from(seen.insert((group, value.value(row).into())));
            }
            Vector::ints(counts.into_iter().map(Some))
        }
        Aggregation::Sum if result == Type::Int => {
            // Wide enough that only the result can be too large, in whatever
            // order the values come.
            let mut sums: Vec<Option<i128>> = vec![None; groups.count];
            for (row, group) in present() {
                let value = i128::from(value.int(row).unwrap_or(0));
                sums[group] = Some(sums[group].unwrap_or(0) + value);
            }
            Vector::ints(sums.into_iter().map(|sum| sum.and_then(|sum| i64::try_from(sum).ok())))
        }
        Aggregation::Sum | Aggregation::Avg => {
            let mut sums = vec![(0_u64, ExactSum::default()); groups.count];
            for (row, group) in present() {
                let (count, sum) = &mut sums[group];
                *count += 1;
                sum.add(value.float(row).unwrap_or(0.0));
            }
            let is_mean = aggregation == Aggregation::Avg;
            Vector::floats(sums.iter().map(|(count, sum)| sum_or_mean(*count, sum, is_mean)))
        }
        Aggregation::Min | Aggregation::Max | Aggregation::First | Aggregation::Last => {
            let mut best = vec![Value::Null; groups.count];
            for (row, group) in present() {
                let value = value.value(row);
                let known = &mut best[group];
                let better = *known == Value::Null
                    || match aggregation {
                        Aggregation::Min => compare(&value, known).is_lt(),
                        Aggregation::Max => compare(&value, known).is_gt(),
                        Aggregation::Last => true,
                        _ => false,
                    };
                if better {
                    *known = value;
                }
            }
            Vector::of(result, best)
        }
        Aggregation::Quantile(fraction) => {
            let mut rows: Vec<Vec<usize>> = vec![Vec::new(); groups.count];
            for (row, group) in present() {
                rows[group].push(row);
            }
            let pick = |mut rows: Vec<usize>| {
                if rows.is_empty() {
                    return Value::Null;
                }
                let place = quantile_place(fraction, rows.len());
                let by_value = |one: &usize, other: &usize| compare(&value.value(*one), &value.value(*other));
                let (_, row, _) = rows.select_nth_unstable_by(place, by_value);
                value.value(*row)
            };
            Vector::of(result, rows.into_iter().map(pick))
        }
    }
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
    values: impl IntoIterator<Item = Value>,
) -> Value {
    let vector = Arc::new(Vector::of(own, values));
    let members: Vec<(usize, u32)> = (0..vector.len()).map(|row| (row, 0)).collect();
    let value = Operand { vector, places: Places::Same };
    aggregate(aggregation, result, &value, &Groups { members: &members, count: 1 }).value(0)
}

/// Returns the 0-based place of a quantile among `count` sorted values:
/// floor(q * n), at most the last. A product that only rounding keeps from a
/// whole number counts as that number.
pub(crate) fn quantile_place(fraction: f64, count: usize) -> usize {
    let product = fraction * count as f64;
    let nearest = product.round();
    let place = if (product - nearest).abs() < 1e-9 * nearest.max(1.0) { nearest } else { product.floor() };
    (place as usize).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::quantile_place;

    #[test]
    fn quantiles_pick_the_documented_element() {
        for (fraction, count, place) in
            [(0.25, 3, 0), (0.5, 2, 1), (0.5, 4, 2), (0.0, 5, 0), (1.0, 5, 4), (0.95, 20, 19), (0.29, 100, 29)]
        {
            assert_eq!(quantile_place(fraction, count), place, "{fraction} of {count}");
        }
    }
}
