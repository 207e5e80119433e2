//! A sum of doubles that does not depend on the order of its parts.
//!
//! Adding doubles one after the other rounds at every step, so that a sum
//! depends on the order, and what was added cannot be taken out again. A figure
//! that is kept up to date by adding and taking out would then drift away from
//! the one that is computed anew. So the sum is held without any rounding, as
//! parts that do not overlap (Shewchuk), and rounded once, when it is asked
//! for, to the nearest double. Nearly always there is one part and nothing to
//! be done.

/// Values of this magnitude and above are summed apart, scaled down, so that
/// no step on the way overflows.
const LARGE: f64 = 1.0e290;

/// By a power of two, which rounds nothing.
const SCALE: f64 = 1.0 / (1_u128 << 100) as f64;

/// A sum of doubles, exact.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    /// The sum, as long as one double holds it.
    one: f64,
    more: Option<Box<Parts>>,
}

#[derive(Clone, Debug, Default)]
struct Parts {
    /// From the smallest to the largest, without overlap.
    usual: Vec<f64>,
    /// The same of what is large, scaled.
    large: Vec<f64>,
    /// How many infinite values are in it.
    infinite: u64,
}

impl ExactSum {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        if self.more.is_none() && value.abs() < LARGE {
            let (high, low) = two_sum(self.one, value);
            if low == 0.0 && high.abs() < LARGE {
                self.one = high;
                return;
            }
        }
        let parts = self.parts();
        if !value.is_finite() {
            parts.infinite += 1;
        } else if value.abs() < LARGE {
            grow(&mut parts.usual, value);
        } else {
            grow(&mut parts.large, value * SCALE);
        }
    }

    /// Takes out a value that was added.
    pub(crate) fn take_out(&mut self, value: f64) {
        if value.is_finite() {
            self.add(-value);
        } else {
            let parts = self.parts();
            parts.infinite = parts.infinite.saturating_sub(1);
        }
        let settled = self
            .more
            .as_ref()
            .is_some_and(|parts| parts.infinite == 0 && parts.large.is_empty() && matches!(&parts.usual[..], [] | [_]));
        if settled && let Some(parts) = self.more.take() {
            self.one = parts.usual.first().copied().unwrap_or(0.0);
        }
    }

    /// Returns the sum, rounded once; nothing if no double holds it.
    pub(crate) fn value(&self) -> Option<f64> {
        let Some(parts) = &self.more else { return Some(self.one) };
        if parts.infinite > 0 {
            return None;
        }
        let sum = rounded(&parts.large) / SCALE + rounded(&parts.usual);
        Some(sum).filter(|sum| sum.is_finite())
    }

    fn parts(&mut self) -> &mut Parts {
        let one = std::mem::take(&mut self.one);
        self.more.get_or_insert_with(|| {
            let usual = if one == 0.0 { Vec::new() } else { vec![one] };
            Box::new(Parts { usual, ..Parts::default() })
        })
    }
}

/// Returns the rounded sum and what the rounding cut off.
fn two_sum(one: f64, other: f64) -> (f64, f64) {
    let high = one + other;
    let part = high - one;
    (high, (one - (high - part)) + (other - part))
}

fn grow(parts: &mut Vec<f64>, value: f64) {
    let mut value = value;
    let mut kept = 0;
    for place in 0..parts.len() {
        let (high, low) = two_sum(value, parts[place]);
        if low != 0.0 {
            parts[kept] = low;
            kept += 1;
        }
        value = high;
    }
    parts.truncate(kept);
    if value != 0.0 {
        parts.push(value);
    }
}

/// Rounds to the nearest double, to an even one half-way.
fn rounded(parts: &[f64]) -> f64 {
    let Some((last, mut rest)) = parts.split_last() else { return 0.0 };
    let (mut high, mut low) = (*last, 0.0);
    while let Some((next, before)) = rest.split_last() {
        (high, low) = two_sum(high, *next);
        rest = before;
        if low != 0.0 {
            break;
        }
    }
    // Half-way only as far as this part goes: the next one decides.
    if let Some(next) = rest.last()
        && ((low < 0.0 && *next < 0.0) || (low > 0.0 && *next > 0.0))
    {
        let doubled = low * 2.0;
        let up = high + doubled;
        if (up - high).to_bits() == doubled.to_bits() {
            return up;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ExactSum;

    fn sum(values: &[f64]) -> Option<f64> {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add(*value);
        }
        sum.value()
    }

    #[test]
    fn small_parts_are_not_lost_beside_large_ones() {
        for (values, expected) in [
            (vec![], Some(0.0)),
            (vec![0.1; 10], Some(1.0)),
            (vec![1.0e100, 1.0, -1.0e100], Some(1.0)),
            (vec![1.0e308, 1.0e308, -1.0e308], Some(1.0e308)),
            (vec![1.0e308, 1.0e308], None),
            (vec![f64::INFINITY, 1.0], None),
            (vec![9_007_199_254_740_992.0, 1.0, 1.0e-20], Some(9_007_199_254_740_994.0)),
        ] {
            assert_eq!(sum(&values), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn order_and_what_was_taken_out_do_not_matter(
            mut values in prop::collection::vec(
                prop_oneof![-1.0e3..1.0e3, -1.0e300..1.0e300, -1.0e-300..1.0e-300, Just(0.1)], 0..40),
            out in prop::collection::vec(-1.0e18..1.0e18, 0..20),
        ) {
            let expected = sum(&values);
            let mut other = ExactSum::default();
            for value in &out {
                other.add(*value);
            }
            values.reverse();
            for (place, value) in values.iter().enumerate() {
                other.add(*value);
                if let Some(gone) = out.get(place) {
                    other.take_out(*gone);
                }
            }
            for value in out.iter().skip(values.len()) {
                other.take_out(*value);
            }
            prop_assert_eq!(other.value().map(f64::to_bits), expected.map(f64::to_bits));
        }
    }
}
