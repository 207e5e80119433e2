//! Callers who wait for what a run answers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::incomplete::was_without_room;
use super::reference::Told;
use super::report::{Property, broken};
use super::world::World;
use crate::hook::Answer;
use crate::run::{Outcome, RunDetails};

/// Nobody gives up before.
const PATIENCE: Duration = Duration::from_hours(24);

/// Those who wait and those who were told.
#[derive(Default)]
pub(super) struct Callers {
    waiting: Vec<(ItemOf, JoinHandle<Answer>)>,
    told: BTreeMap<ItemOf, (Answer, Circumstances)>,
}

/// The place of a flow, and the number of an item on its hook.
type ItemOf = (usize, u64);

/// When somebody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Circumstances {
    AtWork,
    /// The engine was to stop, and lets nobody wait.
    Stopping,
}

impl World {
    /// Lets somebody wait for what becomes of an item that is to be brought.
    pub(super) fn wait_for(&mut self, place: usize, item: u64) {
        let hook = format!("flow.{}", self.flows[place].key);
        let Some(ticket) = self.engine.callers.wait(&hook, &item.to_string(), PATIENCE) else {
            broken(Property::Told, format!("item {item} of {hook} has a caller already"));
        };
        self.callers.waiting.push(((place, item), tokio::spawn(ticket.answer())));
    }

    /// Lets whoever waits for an item hang up: it was not stored.
    pub(super) fn hang_up(&mut self, place: usize, item: u64) {
        self.callers.waiting.retain(|(of, task)| {
            let stays = *of != (place, item);
            if !stays {
                task.abort();
            }
            stays
        });
    }

    /// Collects what callers were told.
    pub(super) async fn hear(&mut self, when: Circumstances) {
        let (done, waiting) =
            std::mem::take(&mut self.callers.waiting).into_iter().partition(|(_, task)| task.is_finished());
        self.callers.waiting = waiting;
        let done: Vec<(ItemOf, JoinHandle<Answer>)> = done;
        for (item, task) in done {
            let answer = task.await.expect("a caller waits in peace");
            let word = match &answer {
                Answer::Accepted => "accepted",
                Answer::Response(_) => "answered",
                Answer::Failed { .. } => "failed",
            };
            self.report.count("callers", word, 1);
            self.callers.told.insert(item, (answer, when));
        }
    }

    /// Ends those who wait together with the program.
    pub(super) async fn drop_callers(&mut self) {
        self.hear(Circumstances::AtWork).await;
        for (_, task) in self.callers.waiting.drain(..) {
            task.abort();
            self.report.count("callers", "cut off", 1);
        }
    }

    /// Nobody is left waiting when all runs have ended.
    pub(super) async fn see_nobody_waits(&mut self) {
        self.turns(super::world::ENOUGH).await;
        self.hear(Circumstances::AtWork).await;
        if let Some(((place, item), _)) = self.callers.waiting.first() {
            let key = &self.flows[*place].key;
            broken(Property::Told, format!("all runs have ended, and whoever brought item {item} of {key} waits on"));
        }
    }

    /// Compares what the callers of a run were told with the reference.
    pub(super) fn judge_told(&self, place: usize, run: &RunDetails, told: &Told) {
        let items = run.input.iter().map(|bundle| bundle["item"].as_u64());
        for (bundle, item) in items.enumerate() {
            let Some((answer, when)) = item.and_then(|item| self.callers.told.get(&(place, item))) else { continue };
            // Of the runs that began with an item, the one that has answered.
            let is_of_another = match answer {
                Answer::Response(response) => !response.body.to_text().starts_with(&run.info.id.to_string()),
                Answer::Accepted | Answer::Failed { .. } => true,
            };
            if self.flows[place].manner.returns && is_of_another {
                continue;
            }
            let expected = told.responses.iter().find(|response| response.bundle.is_none_or(|of| of == bundle));
            let was_cut = self.runs[&run.info.id].is_abandoned || was_without_room(run);
            let has_failed = matches!(run.info.outcome, Some(Outcome::Error | Outcome::Cancelled));
            let is_right = match answer {
                Answer::Response(found) => expected.is_some_and(|expected| {
                    (found.status, found.body.to_text()) == (expected.status, expected.body.clone())
                }),
                Answer::Accepted => *when == Circumstances::Stopping || (expected.is_none() && !has_failed),
                Answer::Failed { .. } => has_failed && (expected.is_none() || was_cut),
            };
            if !is_right {
                let (id, outcome) = (run.info.id, run.info.outcome);
                let text =
                    format!("whoever brought bundle {bundle} of {id} ({outcome:?}) was told {answer:?} {when:?}");
                broken(Property::Told, format!("{text}, and should be {expected:?}"));
            }
        }
    }
}
