//! How long conditions hold, where some of them still do.
//!
//! Whoever takes the median of those that went away leaves out the longest:
//! they are still there. So the share that still holds after so long is
//! estimated by Kaplan and Meier: at each time at which one goes away, by the
//! share that it had among those that were watched for at least so long. One
//! that was watched for less counts as long as it was.

use std::time::Duration;

/// How long a condition held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// So long, or at least.
    pub lasted: Duration,
    /// Whether it went away then.
    pub is_over: bool,
}

/// How long conditions hold, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Spells that it stands on.
    pub spells: u64,
    /// Those of them that were over.
    pub over: u64,
    /// After so long half of them are over; nothing if that was not seen.
    pub median: Option<Duration>,
    /// After so long nine of ten are over; nothing if that was not seen.
    pub p90: Option<Duration>,
}

/// Estimates how long conditions hold.
pub fn times(spells: impl IntoIterator<Item = Spell>) -> Times {
    let mut spells: Vec<Spell> = spells.into_iter().collect();
    // Who was watched until then, was watched when others went away then.
    spells.sort_by_key(|spell| (spell.lasted, !spell.is_over));
    let over = spells.iter().filter(|spell| spell.is_over).count();
    let mut times = Times { spells: spells.len() as u64, over: over as u64, ..Times::default() };
    let (mut watched, mut holding) = (spells.len(), 1.0);
    for together in spells.chunk_by(|one, other| one.lasted == other.lasted) {
        let gone = together.iter().filter(|spell| spell.is_over).count();
        holding *= (watched - gone) as f64 / watched as f64;
        watched -= together.len();
        if gone > 0 {
            let reached = |share: f64| (holding <= share + EVEN).then_some(together[0].lasted);
            times.median = times.median.or_else(|| reached(0.5));
            times.p90 = times.p90.or_else(|| reached(0.1));
        }
    }
    times
}

/// Shares are products of fractions: what is so close is equal.
const EVEN: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Seconds, with `+` behind those that were not over.
    fn check(spells: &str, expected: &str) {
        let spell = |text: &str| Spell {
            lasted: Duration::from_secs(text.trim_end_matches('+').parse().expect("a number")),
            is_over: !text.ends_with('+'),
        };
        let found = times(spells.split_whitespace().map(spell));
        let shown = |time: Option<Duration>| time.map_or("-".to_owned(), |time| time.as_secs().to_string());
        let text = format!("{} of {}: {} {}", found.over, found.spells, shown(found.median), shown(found.p90));
        assert_eq!(text, expected, "{spells}");
    }

    #[test]
    fn those_that_still_hold_count_as_long_as_they_were_watched() {
        check("", "0 of 0: - -");
        check("5+ 6+", "0 of 2: - -");
        check("1 2 3 4", "4 of 4: 2 4");
        check("1 2 3 4 5 6 7 8 9 10", "10 of 10: 5 9");
        // Without those that hold the median would be 2.
        check("1 2 3 9+ 9+ 9+ 9+", "3 of 7: - -");
        check("1 2 3 9+ 9+", "3 of 5: 3 -");
        // The example of the textbooks: 6-MP in leukaemia, Freireich 1963.
        check("6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+", "9 of 21: 23 -");
    }

    proptest! {
        #[test]
        fn where_all_are_over_it_is_the_plain_quantile(mut seconds in prop::collection::vec(0..50_u64, 1..60)) {
            let spell = |seconds: &u64| Spell { lasted: Duration::from_secs(*seconds), is_over: true };
            let found = times(seconds.iter().map(spell));
            seconds.sort_unstable();
            let quantile = |tenths: usize| seconds[(seconds.len() * tenths).div_ceil(10) - 1];
            prop_assert_eq!(found.median, Some(Duration::from_secs(quantile(5))));
            prop_assert_eq!(found.p90, Some(Duration::from_secs(quantile(9))));
        }
    }
}
