//! How long cases take, in bins of one width.

use super::durations::{Durations, linear_quantile};
use super::slice::Slice;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A day is 24 hours here, a week seven of them: no calendar has a part in it.
const DAY: i64 = 24 * HOUR;

/// Widths that people can read.
const WIDTHS: [i64; 32] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    60 * DAY,
    180 * DAY,
    360 * DAY,
];

/// How long cases take.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// The width of a bin in milliseconds, a number that people can read.
    pub width: i64,
    /// Without gaps, from that of the shortest case to that of the longest.
    pub bins: Vec<Bin>,
    /// Figures by the rule of PQL.
    pub durations: Option<Durations>,
    /// Median by interpolation, in milliseconds.
    pub median_linear: Option<f64>,
    /// 95th percentile by interpolation, in milliseconds.
    pub p95_linear: Option<f64>,
}

/// Cases that take about as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// In milliseconds, inclusive.
    pub from: i64,
    /// In milliseconds, exclusive.
    pub to: i64,
    /// How many cases.
    pub cases: u64,
}

/// Counts the cases of a slice in at most `bins_max` bins.
pub(crate) fn count(slice: &Slice, bins_max: usize) -> Histogram {
    let mut durations: Vec<i64> = slice.traces().map(|trace| trace.duration()).collect();
    durations.sort_unstable();
    let (Some(shortest), Some(longest)) = (durations.first(), durations.last()) else {
        return Histogram { width: 1, bins: Vec::new(), durations: None, median_linear: None, p95_linear: None };
    };
    let bins_of = |width: i64| (longest.div_euclid(width) - shortest.div_euclid(width) + 1) as usize;
    let bins_max = bins_max.max(1);
    let readable = WIDTHS.iter().copied().find(|width| bins_of(*width) <= bins_max);
    let years = || {
        let mut width = 720 * DAY;
        while bins_of(width) > bins_max {
            width += 720 * DAY;
        }
        width
    };
    // A boundary may lie between any two durations, so a single bin has a width of its own.
    let width = if bins_max == 1 { longest - shortest + 1 } else { readable.unwrap_or_else(years) };
    let first = if bins_max == 1 { *shortest } else { shortest.div_euclid(width) * width };
    let count = ((longest - first) / width + 1) as usize;
    let mut bins: Vec<Bin> =
        (0..count as i64).map(|at| Bin { from: first + at * width, to: first + (at + 1) * width, cases: 0 }).collect();
    for duration in &durations {
        bins[((duration - first) / width) as usize].cases += 1;
    }
    Histogram {
        width,
        bins,
        median_linear: linear_quantile(&durations, 0.5),
        p95_linear: linear_quantile(&durations, 0.95),
        durations: Durations::of(durations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(durations: &[i64], bins_max: usize, width: i64, expected: &[(i64, u64)]) {
        let events: Vec<[(&str, i64); 2]> = durations.iter().map(|end| [("A", 0), ("B", *end)]).collect();
        let cases: Vec<(&str, &[(&str, i64)])> = events.iter().map(|events| ("case", &events[..])).collect();
        let histogram = count(&Slice::of(&cases), bins_max);
        assert_eq!(histogram.width, width);
        let bins: Vec<(i64, u64)> = histogram.bins.iter().map(|bin| (bin.from, bin.cases)).collect();
        assert_eq!(bins, expected);
        assert_eq!(histogram.bins.iter().map(|bin| bin.cases).sum::<u64>(), durations.len() as u64);
    }

    #[test]
    fn widths_can_be_read() {
        check(&[0, HOUR, 25 * HOUR, 26 * HOUR], 3, 12 * HOUR, &[(0, 2), (12 * HOUR, 0), (DAY, 2)]);
        check(&[0, 1, 2, 3, 4], 10, 1, &[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
        check(&[7], 10, 1, &[(7, 1)]);
        check(&[5, 9], 1, 5, &[(5, 2)]);
        check(&[0, 100 * 360 * DAY], 20, 2_160 * DAY, &[(0, 1)].into_iter().chain(gap()).collect::<Vec<_>>());
        check(&[], 10, 1, &[]);
    }

    fn gap() -> impl Iterator<Item = (i64, u64)> {
        (1..=16).map(|at| (at * 2_160 * DAY, u64::from(at == 16)))
    }
}
