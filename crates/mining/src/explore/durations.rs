//! How long things take, in milliseconds.

/// Figures of some durations, in milliseconds. Percentiles follow the rule of
/// PQL: of `n` sorted values the one at `floor(q * n)`, at most the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Durations {
    /// How many durations there are.
    pub count: u64,
    /// The shortest.
    pub min: i64,
    /// The upper middle one.
    pub median: i64,
    /// Longer than 95 of 100.
    pub p95: i64,
    /// Their mean.
    pub mean: f64,
    /// The longest.
    pub max: i64,
}

impl Durations {
    /// Looks at durations; of none there are no figures.
    pub fn of(mut values: Vec<i64>) -> Option<Self> {
        values.sort_unstable();
        let (min, max) = (*values.first()?, *values.last()?);
        let sum: f64 = values.iter().map(|value| *value as f64).sum();
        Some(Durations {
            count: values.len() as u64,
            min,
            median: pql_quantile(&values, 0.5)?,
            p95: pql_quantile(&values, 0.95)?,
            mean: sum / values.len() as f64,
            max,
        })
    }
}

/// Returns the element of sorted values at `floor(q * n)`, at most the last;
/// the rule of PQL. For an even count the median is the upper middle one.
pub fn pql_quantile(sorted: &[i64], share: f64) -> Option<i64> {
    let place = (share * sorted.len() as f64).floor() as usize;
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

/// Returns the quantile of sorted values by interpolation between the closest
/// ranks: `quantile_cont` in SQL, the default of numpy.
pub fn linear_quantile(sorted: &[i64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = *sorted.get(place.floor() as usize)? as f64;
    let above = *sorted.get(place.ceil() as usize)? as f64;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_rules_differ() {
        let sorted = [10, 20, 30, 40];
        assert_eq!(pql_quantile(&sorted, 0.5), Some(30));
        assert_eq!(linear_quantile(&sorted, 0.5), Some(25.0));
        assert_eq!(pql_quantile(&sorted, 1.0), Some(40));
        assert_eq!(linear_quantile(&sorted, 1.0), Some(40.0));
        assert_eq!((pql_quantile(&[], 0.5), linear_quantile(&[], 0.5)), (None, None));
        assert_eq!(Durations::of(Vec::new()), None);
    }
}
