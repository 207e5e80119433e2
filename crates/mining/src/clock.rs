//! The process clock: which time it is in the process that the data tells of.
//!
//! It may be the wall clock, or a replay of an old log: set, standing still, or
//! running at a speed. Only evaluation reads it; leases, tokens and retries go
//! by the wall clock.

use base::Timestamp;

use crate::views::ClockView;

/// A process clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ProcessClock {
    /// Shows what the wall clock shows.
    Wall,
    /// Showed `shown` when the wall clock showed `wall`.
    Replay {
        /// Then, in the process.
        shown: Timestamp,
        /// Then, on the wall.
        wall: Timestamp,
        /// Seconds per second; at 0 it stands still.
        speed: f64,
    },
}

impl ProcessClock {
    /// Returns what it shows when the wall clock shows `wall_now`.
    pub fn now(&self, wall_now: Timestamp) -> Timestamp {
        match self {
            ProcessClock::Wall => wall_now,
            ProcessClock::Replay { shown, wall, speed } => {
                let passed = wall_now.as_micros().saturating_sub(wall.as_micros()).max(0);
                let passed = (passed as f64 * speed) as i64;
                Timestamp::from_micros(shown.as_micros().saturating_add(passed))
            }
        }
    }

    /// Returns when the wall clock will show that `instant` is reached, if ever.
    pub fn wall_at(&self, instant: Timestamp) -> Option<Timestamp> {
        match self {
            ProcessClock::Wall => Some(instant),
            ProcessClock::Replay { speed, .. } if *speed <= 0.0 => None,
            ProcessClock::Replay { shown, wall, speed } => {
                let ahead = instant.as_micros().saturating_sub(shown.as_micros()) as f64 / speed;
                Some(Timestamp::from_micros(wall.as_micros().saturating_add(ahead.ceil() as i64)))
            }
        }
    }

    /// Returns how it looks from outside.
    pub fn view(&self, wall_now: Timestamp) -> ClockView {
        let speed = match self {
            ProcessClock::Wall => None,
            ProcessClock::Replay { speed, .. } => Some(*speed),
        };
        ClockView { now: self.now(wall_now), speed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_runs_at_its_speed_or_stands_still() {
        let at = Timestamp::from_millis;
        let clock = ProcessClock::Replay { shown: at(1_000), wall: at(50_000), speed: 60.0 };
        assert_eq!(clock.now(at(51_000)), at(61_000));
        assert_eq!(clock.wall_at(at(61_000)), Some(at(51_000)));
        let still = ProcessClock::Replay { shown: at(1_000), wall: at(50_000), speed: 0.0 };
        assert_eq!(still.now(at(99_000)), at(1_000));
        assert_eq!(still.wall_at(at(1_001)), None);
        assert_eq!(ProcessClock::Wall.now(at(7)), at(7));
    }
}
