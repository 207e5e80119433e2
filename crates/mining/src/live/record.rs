//! Recording: from the differences of a model's triggers to closures, each of
//! which moves matched sets, sends signals or holds them, and is conditional on
//! nobody else having written.

use std::sync::Arc;

use base::Timestamp;

use super::{Desk, LiveModel};
use crate::knowledge_model::FireOn;
use crate::matched_set::{Closure, Difference, End, Enter, closures, signal};
use crate::pace::Sending;
use crate::ports::Reason;
use crate::tables::{self, Moment, Progress};
use crate::trigger::Trigger;
use crate::watch::{News, Surveyed};
use crate::{Error, Signal};

/// On which occasion something is recorded.
#[derive(Clone, Copy)]
pub(super) struct Occasion<'a> {
    /// Every commit up to here has fired when it is done.
    pub(super) through: u64,
    /// At this instant of the process clock.
    pub(super) at: Timestamp,
    /// The instant that the difference was found at, which the signals show: for
    /// what was surveyed an earlier one.
    pub(super) evaluated_at: Timestamp,
    pub(super) news: &'a News,
}

/// What becomes of the signals of one trigger in one closure.
struct Dispatch {
    place: usize,
    sending: Sending,
    /// Recorded only.
    shadows: Vec<Signal>,
}

impl LiveModel {
    /// Records what was found at a commit or at a deadline.
    pub(super) fn record(
        &mut self,
        desk: &Desk,
        differences: &[Difference],
        through: u64,
        at: Timestamp,
        news: &News,
    ) -> Result<(), Error> {
        let occasion = Occasion { through, at, evaluated_at: at, news };
        let mut sent = vec![0; self.watches.len()];
        let closures = closures(differences);
        let last = closures.len() - 1;
        for (number, closure) in closures.into_iter().enumerate() {
            self.close(desk, occasion, closure, number == last, &mut sent)?;
        }
        for (watch, difference) in self.watches.iter_mut().zip(differences) {
            watch.accept(difference, at);
        }
        Ok(())
    }

    /// Records the next part of what a survey found; false once there is none.
    /// The model has come further meanwhile, and stays where it is.
    pub(super) fn record_part(&mut self, desk: &Desk, place: usize, surveyed: &mut Surveyed) -> Result<bool, Error> {
        let Some(part) = surveyed.parts.pop_front() else { return Ok(false) };
        let Progress { through, at, .. } = self.progress;
        let occasion = Occasion { through, at, evaluated_at: surveyed.at, news: &surveyed.news };
        let mut sent = vec![0; self.watches.len()];
        sent[place] = surveyed.sent;
        self.close(desk, occasion, Closure::from([(place, part.clone())]), true, &mut sent)?;
        surveyed.sent = sent[place];
        self.watches[place].accept(&part, surveyed.at);
        Ok(!surveyed.parts.is_empty())
    }

    /// Makes one closure durable: nothing of it is, or all of it.
    fn close(
        &mut self,
        desk: &Desk,
        occasion: Occasion<'_>,
        mut closure: Closure,
        is_last: bool,
        sent: &mut [u64],
    ) -> Result<(), Error> {
        let Occasion { through, at, evaluated_at, news } = occasion;
        let wall = desk.clock.now();
        let mut paces = self.paces.clone();
        let mut dispatches: Vec<Dispatch> = Vec::new();
        for (place, watch) in self.watches.iter().enumerate() {
            let trigger = &watch.trigger;
            let part = closure.get_mut(&place);
            let farewells = part.map(|part| std::mem::take(&mut part.farewells)).unwrap_or_default();
            let signals = self.signals(trigger, &farewells, closure.get(&place), watch.silent, news, evaluated_at);
            if trigger.wishes.shadow {
                dispatches.push(Dispatch { place, sending: Sending::default(), shadows: signals });
            } else if !signals.is_empty() || (is_last && paces[place].held() > 0) {
                let before = paces[place].held();
                let sending = paces[place].take(&trigger.wishes.caps, signals, &mut sent[place], wall);
                if before == 0 && paces[place].held() > 0 {
                    let held = paces[place].held();
                    tracing::warn!(
                        knowledge_model.id = %self.id, trigger.id = %trigger.id, held,
                        "a trigger reached its cap; what is beyond is held and sent later"
                    );
                }
                dispatches.push(Dispatch { place, sending, shadows: Vec::new() });
            }
        }
        let (model, progress, outbox) = (self.id.clone(), self.progress, desk.outbox.clone());
        let named: Vec<(Arc<Trigger>, bool)> =
            self.watches.iter().map(|watch| (watch.trigger.clone(), watch.silent)).collect();
        let moment = Moment { at: evaluated_at, recorded: wall, reason: news.reason, causes: news.causes.clone() };
        let appended = desk.db.write_blocking("mining.fire", move |tx| {
            let mut appended = Vec::new();
            if !tables::move_on(tx, &model, &progress, through, at, !is_last)? {
                return Err(Error::Overtaken { model: model.clone() });
            }
            if moment.reason == Reason::SetBack {
                tables::untime(tx, &model)?;
            }
            for (place, part) in &closure {
                let (trigger, silent) = &named[*place];
                tables::move_episodes(tx, (&model, &trigger.id), part, *silent, &moment)?;
                tables::leave(tx, &model, &trigger.id, &part.leaves)?;
                tables::displace(tx, &model, &trigger.id, &part.displaced)?;
                tables::enter(tx, &model, &trigger.id, &part.enters, evaluated_at, *silent)?;
            }
            for Dispatch { place, sending, shadows } in &dispatches {
                let trigger = &named[*place].0.id;
                if !shadows.is_empty() {
                    tables::shadow(tx, &model, trigger, shadows)?;
                }
                let (first, hold) = &sending.hold;
                tables::hold(tx, &model, trigger, *first, hold)?;
                let (from, until) = sending.release;
                let mut signals = sending.now.clone();
                if from < until {
                    signals.extend(tables::unhold(tx, &model, trigger, from, until)?);
                }
                if !signals.is_empty() {
                    appended.extend(outbox.append(tx, &signals)?);
                    tables::count_fired(tx, &model, trigger, signals.len() as u64)?;
                }
            }
            if !is_last {
                // Should this be the last closure before a crash, the rest must
                // stay silent too.
                for (trigger, _) in named.iter().filter(|(_, silent)| *silent) {
                    tables::keep_silence(tx, &model, &trigger.id)?;
                }
            }
            if is_last && named.iter().any(|(_, silent)| *silent) {
                tables::end_silence(tx, &model)?;
            }
            Ok(appended)
        })?;
        for appended in appended {
            desk.outbox.announce(appended);
        }
        self.paces = paces;
        self.progress = Progress { step: progress.step + 1, through, at, ..progress };
        Ok(())
    }

    /// Writes the signals of a part of a difference. Whoever leaves does so
    /// before others enter.
    fn signals(
        &self,
        trigger: &Trigger,
        farewells: &[Enter],
        part: Option<&Difference>,
        silent: bool,
        news: &News,
        at: Timestamp,
    ) -> Vec<Signal> {
        if silent {
            return Vec::new();
        }
        let shows_end = trigger.wishes.fire_on != FireOn::Enter;
        let write = |enter: &Enter, end| signal(&self.id, &trigger.id, enter, end, shows_end, &news.causes, at);
        let entering = part.into_iter().flat_map(|part| &part.enters).filter(|enter| !enter.quiet);
        let leaving = farewells.iter().map(|enter| write(enter, End::Leave));
        leaving.chain(entering.map(|enter| write(enter, End::Enter))).collect()
    }
}
