//! How many push jobs may be executed.
//!
//! The service whose clients come here counts executions by the second and by
//! the hour of the clock (UTC), for a whole team. We do not need that, so both
//! limits are off unless an installation sets them, to try a client against
//! them, say. They are counted in memory: a restart begins anew.

use base::Timestamp;

use crate::{Error, Pools};

/// Executions in the present second and hour.
#[derive(Debug, Default)]
pub(crate) struct Executions {
    second: Window,
    hour: Window,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    number: i64,
    count: u64,
}

impl Window {
    /// Returns the window in which a time lies, with what was counted in it.
    fn at(self, millis: i64, length_ms: i64) -> Window {
        let number = millis.div_euclid(length_ms);
        if self.number == number { self } else { Window { number, count: 0 } }
    }
}

impl Executions {
    /// Counts one execution, or tells which limit it would pass; then it is
    /// not counted.
    fn count(&mut self, now: Timestamp, per_second_max: u64, per_hour_max: u64) -> Result<(), Error> {
        let millis = now.as_millis();
        let (second, hour) = (self.second.at(millis, SECOND_MS), self.hour.at(millis, HOUR_MS));
        let rest_s = |length_ms: i64| ((length_ms - millis.rem_euclid(length_ms) + 999) / 1_000) as u64;
        if per_hour_max > 0 && hour.count >= per_hour_max {
            let retry_after_s = rest_s(HOUR_MS);
            return Err(Error::TooManyExecutions { max: per_hour_max, per: "an hour", retry_after_s });
        }
        if per_second_max > 0 && second.count >= per_second_max {
            let retry_after_s = rest_s(SECOND_MS);
            return Err(Error::TooManyExecutions { max: per_second_max, per: "a second", retry_after_s });
        }
        self.second = Window { count: second.count + 1, ..second };
        self.hour = Window { count: hour.count + 1, ..hour };
        Ok(())
    }
}

const SECOND_MS: i64 = 1_000;
const HOUR_MS: i64 = 3_600_000;

impl Pools {
    pub(crate) fn count_execution(&self, now: Timestamp) -> Result<(), Error> {
        let options = &self.options;
        self.executions.lock().count(now, options.executions_per_second_max, options.executions_per_hour_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Executes at these milliseconds and draws what came of it.
    fn check(per_second_max: u64, per_hour_max: u64, times: &[i64], expected: &[Option<u64>]) {
        let mut executions = Executions::default();
        let outcomes = times.iter().map(|millis| {
            match executions.count(Timestamp::from_millis(*millis), per_second_max, per_hour_max) {
                Ok(()) => None,
                Err(Error::TooManyExecutions { retry_after_s, .. }) => Some(retry_after_s),
                Err(error) => panic!("{error}"),
            }
        });
        assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn windows_begin_with_the_second_and_with_the_hour_of_the_clock() {
        check(0, 0, &[0, 0, 0], &[None, None, None]);
        check(2, 0, &[0, 999, 999, 1_000], &[None, None, Some(1), None]);
        check(0, 2, &[3_599_000, 3_599_500, 3_599_500, 3_600_000], &[None, None, Some(1), None]);
        check(0, 1, &[0, 600_000, 3_600_000], &[None, Some(3_000), None]);
    }

    #[test]
    fn what_was_refused_is_not_counted() {
        check(1, 2, &[0, 1, 1, 1_000, 2_000], &[None, Some(1), Some(1), None, Some(3_598)]);
    }
}
