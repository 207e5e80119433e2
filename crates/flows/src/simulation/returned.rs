//! Items that go back to their hook when a run that began with them fails.

use std::collections::BTreeMap;

use base::Timestamp;

use super::incomplete::was_without_room;
use super::reference::Told;
use super::report::{Property, broken};
use super::world::World;
use crate::run::{RunDetails, RunId};

/// The runs that began with each item, in their order, and whether each gave
/// it back. An item is named by the place of its flow and its number.
#[derive(Default)]
pub(super) struct Returned(BTreeMap<(usize, u64), Vec<Begun>>);

/// A run that began with an item: when, which, and whether it gave it back.
type Begun = (Timestamp, RunId, bool);

impl World {
    /// Notes what became of the items of a run; runs are noted in their order.
    pub(super) fn note_items(&self, returned: &mut Returned, place: usize, run: &RunDetails, told: &Told) {
        if run.info.started_by != "signal" {
            return;
        }
        let was_cut = self.runs[&run.info.id].is_abandoned || was_without_room(run);
        let returns = self.flows[place].manner.returns && told.returns && !was_cut;
        for item in run.input.iter().filter_map(|bundle| bundle["item"].as_u64()) {
            returned.0.entry((place, item)).or_default().push((run.info.started_at, run.info.id, returns));
        }
    }

    /// Looks that an item begins another run if the one before gave it back,
    /// and only then.
    pub(super) fn judge_items(&mut self, returned: &Returned) {
        for ((place, item), runs) in &returned.0 {
            // In the same moment, who gives it back comes first.
            let mut runs = runs.clone();
            runs.sort_by_key(|(at, _, returns)| (*at, !returns));
            let key = &self.flows[*place].key;
            let last = runs.len() - 1;
            for (number, (_, run, returns)) in runs.iter().enumerate() {
                let told = match (*returns, number < last) {
                    (true, false) => "was given back, and began no other run",
                    (false, true) => "was not given back, and began another run",
                    _ => continue,
                };
                let text = format!("item {item} of {key}, with which {run} began, {told}: {runs:?}");
                broken(Property::Conservation, text);
            }
            self.report.count("items", "given back", last as u64);
        }
    }
}
