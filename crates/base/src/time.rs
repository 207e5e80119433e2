//! Time as a value.
//!
//! A [`Timestamp`] is microseconds since 1970, UTC. The clock is a parameter:
//! the real one is made once, in the program; everyone else is handed a
//! [`Clock`]. Tests move a [`SimClock`] by hand and never sleep.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
///
/// As text it is RFC 3339 with milliseconds and `Z`, or with microseconds
/// where they are not zero. Reading takes any offset and drops what is finer
/// than a microsecond. (Points outside the years −9999 to 9999, such as
/// [`Timestamp::FAR_FUTURE`], have no such text; they are shown as a number.)
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// Later than anything that will be stored.
    pub const FAR_FUTURE: Timestamp = Timestamp(i64::MAX);

    /// Makes a timestamp from microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Timestamp(micros)
    }

    /// Makes a timestamp from milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis.saturating_mul(1_000))
    }

    /// Returns microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Returns whole milliseconds since 1970, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Returns the timestamp `span` later; stops at the far future.
    pub fn plus(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_add(micros_of(span)))
    }

    /// Returns the timestamp `span` earlier.
    pub fn minus(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_sub(micros_of(span)))
    }

    /// Returns how long it is since `earlier`; nothing if that lies ahead.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) if self.0 % 1_000 == 0 => write!(f, "{time:.3}"),
            Ok(time) => write!(f, "{time:.6}"),
            // Outside what a calendar can say, the number is the honest answer.
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Says that a text is not a point in time.
#[derive(Debug, thiserror::Error)]
#[error("\"{text}\" is not a date and time such as 2026-02-03T09:15:00Z")]
pub struct NotATimestamp {
    text: String,
    #[source]
    source: jiff::Error,
}

impl FromStr for Timestamp {
    type Err = NotATimestamp;

    fn from_str(text: &str) -> Result<Self, NotATimestamp> {
        text.parse::<jiff::Timestamp>()
            .map(|time| Timestamp(time.as_microsecond()))
            .map_err(|source| NotATimestamp { text: text.to_owned(), source })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Returns the present point in time.
    fn now(&self) -> Timestamp;
}

/// The wall clock of the machine. Made once, by the program.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that moves only when told, for tests and simulations.
#[derive(Debug)]
pub struct SimClock(AtomicI64);

impl SimClock {
    /// Makes a clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        SimClock(AtomicI64::new(start.as_micros()))
    }

    /// Moves the clock forward and returns the new time.
    pub fn advance(&self, span: Duration) -> Timestamp {
        let later = |now| Some(Timestamp(now).plus(span).0);
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
        Timestamp(before.expect("the step is always taken")).plus(span)
    }

    /// Sets the clock, also backwards, as a wall clock may be.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.as_micros(), Ordering::SeqCst);
    }
}

impl Default for SimClock {
    /// Makes a clock that shows 2026-01-01T00:00:00Z.
    fn default() -> Self {
        SimClock::at(Timestamp::from_millis(1_767_225_600_000))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that goes as another one does and can be put off it, for whoever
/// tries what a jump of the clock does to a program.
pub struct ShiftedClock {
    other: Arc<dyn Clock>,
    shift_micros: AtomicI64,
}

impl ShiftedClock {
    /// Makes a clock that shows what `other` does.
    pub fn over(other: Arc<dyn Clock>) -> Self {
        ShiftedClock { other, shift_micros: AtomicI64::new(0) }
    }

    /// Puts the clock forward by so many microseconds; back, if they are negative.
    pub fn jump(&self, micros: i64) {
        let shifted = |shift: i64| Some(shift.saturating_add(micros));
        let before = self.shift_micros.fetch_update(Ordering::SeqCst, Ordering::SeqCst, shifted);
        before.expect("the step is always taken");
    }

    /// Lets the clock show again what the other one does.
    pub fn set_right(&self) {
        self.shift_micros.store(0, Ordering::SeqCst);
    }

    /// Returns how many microseconds the clock is ahead of the other one.
    pub fn shift_micros(&self) -> i64 {
        self.shift_micros.load(Ordering::SeqCst)
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.other.now().0.saturating_add(self.shift_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_rfc_3339_and_reads_back() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_225_600_000_000, "2026-01-01T00:00:00.000Z"),
            (1_767_225_600_123_456, "2026-01-01T00:00:00.123456Z"),
            (-1_000_000, "1969-12-31T23:59:59.000Z"),
        ] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(time.to_string(), text);
            assert_eq!(text.parse::<Timestamp>().expect("own text form reads back"), time);
        }
    }

    #[test]
    fn an_offset_counts_and_what_is_finer_than_a_microsecond_does_not() {
        let time: Timestamp = "2026-01-01T01:00:00.1234567+01:00".parse().expect("RFC 3339");
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.123456Z");
        assert!("2026-01-01T01:00:00".parse::<Timestamp>().is_err(), "a reading without an offset is no point in time");
    }

    #[test]
    fn spans_stop_at_the_ends_of_time() {
        let hour = Duration::from_hours(1);
        assert_eq!(Timestamp::FAR_FUTURE.plus(hour), Timestamp::FAR_FUTURE);
        assert_eq!(Timestamp::EPOCH.plus(Duration::MAX), Timestamp::FAR_FUTURE);
        assert_eq!(Timestamp::EPOCH.plus(hour).since(Timestamp::EPOCH), hour);
        assert_eq!(Timestamp::EPOCH.since(Timestamp::EPOCH.plus(hour)), Duration::ZERO);
        assert_eq!(Timestamp::EPOCH.plus(hour).minus(hour), Timestamp::EPOCH);
    }

    #[test]
    fn a_clock_of_a_test_moves_only_when_told() {
        let clock = SimClock::default();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(clock.advance(Duration::from_secs(90)), clock.now());
        assert_eq!(clock.now().to_string(), "2026-01-01T00:01:30.000Z");
        clock.set(Timestamp::FAR_FUTURE);
        assert_eq!(clock.advance(Duration::from_secs(1)), Timestamp::FAR_FUTURE);
    }

    #[test]
    fn a_shifted_clock_goes_on_from_where_it_was_put() {
        let other = Arc::new(SimClock::default());
        let clock = ShiftedClock::over(other.clone());
        clock.jump(3_600_000_000);
        other.advance(Duration::from_secs(5));
        assert_eq!(clock.now().to_string(), "2026-01-01T01:00:05.000Z");
        clock.jump(-7_200_000_000);
        assert_eq!(clock.now().to_string(), "2025-12-31T23:00:05.000Z");
        clock.set_right();
        assert_eq!((clock.now(), clock.shift_micros()), (other.now(), 0));
    }

    #[test]
    fn a_text_without_a_date_is_refused_with_an_example() {
        let error = "tomorrow".parse::<Timestamp>().expect_err("not a date");
        assert_eq!(error.to_string(), "\"tomorrow\" is not a date and time such as 2026-02-03T09:15:00Z");
    }
}
