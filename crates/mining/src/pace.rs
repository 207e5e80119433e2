//! Caps: how many signals a trigger sends now, and what waits for later.
//!
//! What goes beyond a cap is held, in order and durably, and sent as soon as
//! there is room again. Nothing is dropped, and nothing overtakes what is held.

use base::Timestamp;

use crate::Signal;
use crate::knowledge_model::Caps;

const SECOND_MILLIS: i64 = 1_000;

/// How fast a trigger has been sending.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pace {
    /// Signals are held from this place on …
    from: u64,
    /// … to before this one.
    until: u64,
    /// Since when a minute counts, and how many were sent in it.
    minute: Option<(Timestamp, u64)>,
    /// When something was sent last.
    last: Option<Timestamp>,
}

/// What becomes of signals.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sending {
    /// These are sent at once.
    pub(crate) now: Vec<Signal>,
    /// These are held, from the place given.
    pub(crate) hold: (u64, Vec<Signal>),
    /// Those held from one place to before another are sent.
    pub(crate) release: (u64, u64),
}

impl Pace {
    /// Goes on with what is held.
    pub(crate) fn new(from: u64, until: u64) -> Self {
        Pace { from, until, ..Pace::default() }
    }

    /// Returns how many signals are held.
    pub(crate) fn held(&self) -> u64 {
        self.until - self.from
    }

    /// Returns from which place to before which other signals are held.
    pub(crate) fn places(&self) -> (u64, u64) {
        (self.from, self.until)
    }

    /// Goes on behind signals that somebody has sent or dropped by hand.
    pub(crate) fn pass(&mut self, until: u64) {
        self.from = until.clamp(self.from, self.until);
    }

    /// Decides what becomes of signals, when so many were sent on this occasion.
    pub(crate) fn take(&mut self, caps: &Caps, signals: Vec<Signal>, sent: &mut u64, wall: Timestamp) -> Sending {
        let minute = self.minute_at(wall);
        let room = [caps.per_commit.map(|cap| (cap, *sent)), caps.per_minute.map(|cap| (cap, minute.1))];
        let room = room.into_iter().flatten().map(|(cap, sent)| cap.saturating_sub(sent)).min().unwrap_or(u64::MAX);
        let mut sending = Sending::default();
        if self.held() == 0 {
            sending.now = signals;
            let kept = sending.now.split_off(sending.now.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            sending.hold = (self.until, kept);
        } else {
            sending.hold = (self.until, signals);
        }
        self.until += sending.hold.1.len() as u64;
        let rest = room - sending.now.len() as u64;
        sending.release = (self.from, self.from + rest.min(self.held()));
        let count = sending.now.len() as u64 + (sending.release.1 - sending.release.0);
        self.from = sending.release.1;
        *sent += count;
        self.minute = Some((minute.0, minute.1 + count));
        if count > 0 {
            self.last = Some(wall);
        }
        sending
    }

    /// Returns when there is room again for what is held.
    pub(crate) fn next(&self, caps: &Caps, wall: Timestamp) -> Option<Timestamp> {
        if self.held() == 0 {
            return None;
        }
        let minute = self.minute_at(wall);
        match caps.per_minute {
            Some(cap) if minute.1 >= cap => Some(Timestamp::from_millis(minute.0.as_millis() + 60 * SECOND_MILLIS)),
            _ => Some(self.last.map_or(wall, |last| Timestamp::from_millis(last.as_millis() + SECOND_MILLIS))),
        }
    }

    /// Tells whether something that is held may be sent now, without a commit:
    /// a second after the last time, else a cap per commit would be none.
    pub(crate) fn has_room(&self, caps: &Caps, wall: Timestamp) -> bool {
        let rested = self.last.is_none_or(|last| wall.as_millis() - last.as_millis() >= SECOND_MILLIS);
        self.held() > 0 && rested && caps.per_minute.is_none_or(|cap| self.minute_at(wall).1 < cap)
    }

    fn minute_at(&self, wall: Timestamp) -> (Timestamp, u64) {
        let goes_on =
            |(since, _): &(Timestamp, u64)| (0..60 * SECOND_MILLIS).contains(&(wall.as_millis() - since.as_millis()));
        self.minute.filter(goes_on).unwrap_or((wall, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    fn signals(keys: &[&str]) -> Vec<Signal> {
        let signal = |key: &&str| Signal {
            knowledge_model: "m".into(),
            trigger: "T".into(),
            key: (*key).to_owned(),
            identifier: String::new(),
            typed_identifier: serde_json::Value::Null,
            fields: Vec::new(),
            evaluated_at: Timestamp::EPOCH,
            reason: Reason::Data,
            causes: base::Causes::NONE,
        };
        keys.iter().map(signal).collect()
    }

    #[test]
    fn what_is_held_is_sent_later_in_order() {
        let caps = Caps { per_commit: Some(2), per_minute: Some(3) };
        let mut pace = Pace::default();
        let at = |second: i64| Timestamp::from_millis(1_000_000 + second * 1_000);
        let mut step = |keys: &[&str], second| {
            let sending = pace.take(&caps, signals(keys), &mut 0, at(second));
            let now: Vec<String> = sending.now.into_iter().map(|signal| signal.key).collect();
            (now.join(""), sending.hold.1.len(), sending.release, pace.held(), pace.next(&caps, at(second)))
        };
        assert_eq!(step(&["a", "b", "c"], 0), ("ab".into(), 1, (0, 0), 1, Some(at(1))));
        assert_eq!(step(&["d"], 1), (String::new(), 1, (0, 1), 1, Some(at(60))), "one more in this minute");
        assert_eq!(step(&[], 2), (String::new(), 0, (1, 1), 1, Some(at(60))));
        assert_eq!(step(&["e"], 60), (String::new(), 1, (1, 3), 0, None));
        assert_eq!(step(&["f"], 61), ("f".into(), 0, (3, 3), 0, None));
    }
}
