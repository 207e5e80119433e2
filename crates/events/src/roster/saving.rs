//! Saving: making durable in groups what deliveries achieved.
//!
//! Between a result and its commit lie at most 50 ms or 1,000 results; a crash
//! in between repeats those calls. A commit that failed gives everything back,
//! in order, to be saved with what came since.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use tokio::sync::OwnedMutexGuard as HeldPen;

use super::{PAUSE_AFTER_TROUBLE, Roster};
use crate::subscription::SubscriptionId;
use crate::tables::Progress;

/// A result waits at most so long for its commit …
pub(crate) const SAVE_AFTER: Duration = Duration::from_millis(50);
/// … and at most so many results wait for one.
pub(crate) const SAVE_RESULTS: usize = 1_000;
/// Results that may be unsaved in all; above it no call starts, because the
/// database does not keep up.
pub(super) const UNSAVED_MAX: usize = 4 * SAVE_RESULTS;

/// Progress on its way into one commit, with the pens of those whose it is.
pub(crate) struct Group {
    pub(crate) progress: Arc<Vec<Progress>>,
    _pens: Vec<HeldPen<()>>,
}

impl Roster {
    pub(super) fn note_unsaved(&mut self, id: SubscriptionId, now: Timestamp) {
        if self.unsaved.is_empty() && !self.saving {
            self.save_at = now.plus(SAVE_AFTER);
        }
        self.unsaved.insert(id);
    }

    pub(super) fn group(&mut self, now: Timestamp) -> Option<Group> {
        let is_due = now >= self.save_at || (self.results >= SAVE_RESULTS && !self.troubled);
        if self.saving || self.unsaved.is_empty() || !is_due {
            return None;
        }
        let (mut progress, mut pens) = (Vec::new(), Vec::new());
        let mut results = 0;
        for id in self.unsaved.clone() {
            let seat = self.seats.get_mut(&id).expect("whoever leaves is taken off this list");
            // A verb that has the pen saves this progress with its own commit.
            let Ok(pen) = seat.pen.clone().try_lock_owned() else { continue };
            if results > 0 && results + seat.attempts.len() > SAVE_RESULTS {
                break;
            }
            results += seat.attempts.len();
            progress.push(seat.take_progress(id));
            pens.push(pen);
            self.unsaved.remove(&id);
        }
        if progress.is_empty() {
            // All of them are in a verb's hands; look again soon.
            self.save_at = now.plus(SAVE_AFTER);
            return None;
        }
        self.results -= results;
        self.saving = true;
        Some(Group { progress: Arc::new(progress), _pens: pens })
    }

    /// Takes the outcome of a commit.
    pub(crate) fn saved(&mut self, group: Group, saved: Result<(), base::db::Error>, now: Timestamp) {
        self.saving = false;
        self.troubled = saved.is_err();
        let Err(error) = saved else {
            self.save_at = if self.unsaved.is_empty() { Timestamp::FAR_FUTURE } else { now.plus(SAVE_AFTER) };
            return;
        };
        tracing::error!(%error, "deliveries cannot be saved; it is tried again");
        self.save_at = now.plus(PAUSE_AFTER_TROUBLE);
        for progress in Arc::unwrap_or_clone(group.progress) {
            let Some(seat) = self.seats.get_mut(&progress.id) else { continue };
            self.results += progress.attempts.len();
            seat.attempts.splice(0..0, progress.attempts);
            seat.skips.splice(0..0, progress.skips);
            seat.notices.splice(0..0, progress.notices);
            self.unsaved.insert(progress.id);
        }
    }

    /// Makes the next group due, however short the wait was, unless the
    /// database is in trouble.
    pub(super) fn hurry(&mut self) {
        if !self.troubled {
            self.save_at = Timestamp::EPOCH;
        }
    }
}
