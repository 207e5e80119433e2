//! Triggers that are evaluated whole: surveyed on a thread of their own, at
//! their own pace, while those that are followed go on.
//!
//! A survey stands on the root of its beginning and on its instant. What it
//! finds is recorded closure by closure, each under the lock of the post, with
//! commits in between: nobody else moves the matched set of its trigger. The
//! signals show the instant of the survey; the model's own progress stays where
//! the commits have brought it. If the process ends before the last closure,
//! the next one surveys anew: what is stored already is no longer in the
//! difference. If the model was published anew, reloaded or set back meanwhile,
//! nothing waits for the survey any more, and what it found is dropped.

use std::time::Duration;

use base::Timestamp;

use super::{Desk, Live};
use crate::Error;
use crate::watch::{Survey, Surveyed, Ticket};

/// A trigger that is evaluated whole rests at least so long …
const REST_MIN: Duration = Duration::from_secs(5);

/// … and so many times as long as it took.
const SHARE: u32 = 20;

/// Whether more of a survey is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandedIn {
    /// There is another part.
    More,
    /// All of it is durable, or nobody waits for it.
    Done,
}

impl Live {
    /// Begins the survey that has been due for the longest time, if one is.
    pub(crate) fn next_survey(&mut self, wall: Timestamp) -> Option<Survey> {
        let followed = self.models.iter_mut().filter(|model| model.detached.is_none());
        let watches = followed.flat_map(|model| {
            let at = self.clock.now(wall).max(model.progress.at);
            model.watches.iter_mut().map(move |watch| (watch, at))
        });
        let due = watches.filter(|(watch, _)| watch.wants_survey(wall));
        let (watch, at) = due.min_by_key(|(watch, _)| watch.rests_until)?;
        watch.begin_survey(&self.log, at, wall)
    }

    /// Returns when the next survey is due, on the wall clock.
    pub(crate) fn next_survey_at(&self) -> Option<Timestamp> {
        let followed = self.models.iter().filter(|model| model.detached.is_none());
        let stale = followed.flat_map(|model| &model.watches).filter(|watch| watch.stale.is_some());
        stale.map(|watch| watch.rests_until).min()
    }

    /// Records the next part of what a survey found, if it is still waited for.
    pub(crate) fn hand_in(&mut self, desk: &Desk, surveyed: &mut Surveyed) -> Result<HandedIn, Error> {
        let Some((model, place)) = self.waiting_for(&surveyed.ticket) else { return Ok(HandedIn::Done) };
        let model = &mut self.models[model];
        model.watches[place].take_back(surveyed);
        if model.record_part(desk, place, surveyed)? {
            return Ok(HandedIn::More);
        }
        model.watches[place].end_survey(rest_after(surveyed.began, desk.clock.now()));
        Ok(HandedIn::Done)
    }

    /// Takes note that a survey failed. Only its trigger stops; the others of
    /// its model go on.
    pub(crate) fn survey_failed(&mut self, ticket: &Ticket, detail: String, wall: Timestamp) {
        let Some((model, place)) = self.waiting_for(ticket) else { return };
        let model = &mut self.models[model];
        let watch = &mut model.watches[place];
        tracing::error!(
            knowledge_model.id = %model.id, trigger.id = %watch.trigger.id, %detail,
            "looking at everything failed for a trigger; the others go on, and it is tried again later"
        );
        watch.fail_survey(detail, wall);
    }

    fn waiting_for(&self, ticket: &Ticket) -> Option<(usize, usize)> {
        let mut followed = self.models.iter().enumerate().filter(|(_, model)| model.detached.is_none());
        followed.find_map(|(number, model)| {
            let place = model.watches.iter().position(|watch| watch.waits_for(ticket));
            place.map(|place| (number, place))
        })
    }
}

/// Tells until when a trigger rests that was looked at from one time of the wall
/// clock to another.
fn rest_after(began: Timestamp, ended: Timestamp) -> Timestamp {
    ended.plus((ended.since(began) * SHARE).max(REST_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_long_rests_long() {
        let rest = |from: i64, to: i64| {
            let ended = Timestamp::from_millis(to);
            rest_after(Timestamp::from_millis(from), ended).since(ended).as_millis()
        };
        assert_eq!([rest(0, 1), rest(0, 250), rest(1_000, 2_000)], [5_000, 5_000, 20_000]);
    }
}
