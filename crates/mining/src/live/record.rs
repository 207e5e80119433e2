//! Recording: from the differences of a model's triggers to closures, each of
//! which moves matched sets, sends signals or holds them, and is conditional on
//! nobody else having written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::Timestamp;

use super::{Desk, ITEMS_MAX, LiveModel};
use crate::knowledge_model::FireOn;
use crate::matched_set::{Difference, End, Enter, signal};
use crate::pace::Sending;
use crate::tables::{self, Progress};
use crate::trigger::Trigger;
use crate::watch::News;
use crate::{Error, Signal};

impl LiveModel {
    pub(super) fn record(
        &mut self,
        desk: &Desk,
        differences: Vec<Difference>,
        through: u64,
        at: Timestamp,
        news: &News,
    ) -> Result<(), Error> {
        let named: Vec<(Arc<Trigger>, bool)> =
            self.watches.iter().map(|watch| (watch.trigger.clone(), watch.silent)).collect();
        let named = Arc::new(named);
        let wall = desk.clock.now();
        let mut sent = vec![0; named.len()];
        let chunks = chunks(&differences);
        let last = chunks.len() - 1;
        for (number, mut chunk) in chunks.into_iter().enumerate() {
            let is_last = number == last;
            let mut paces = self.paces.clone();
            let mut sendings: Vec<(usize, Sending, Vec<Signal>)> = Vec::new();
            for (place, (trigger, silent)) in named.iter().enumerate() {
                let part = chunk.get_mut(&place);
                let farewells = part.map(|part| std::mem::take(&mut part.farewells)).unwrap_or_default();
                let signals = self.signals(trigger, &farewells, chunk.get(&place), *silent, news, at);
                let caps = &trigger.wishes.caps;
                if trigger.wishes.shadow {
                    sendings.push((place, Sending::default(), signals));
                } else if !signals.is_empty() || (is_last && paces[place].held() > 0) {
                    let before = paces[place].held();
                    let sending = paces[place].take(caps, signals, &mut sent[place], wall);
                    if before == 0 && paces[place].held() > 0 {
                        let held = paces[place].held();
                        tracing::warn!(
                            knowledge_model.id = %self.id, trigger.id = %trigger.id, held,
                            "a trigger reached its cap; what is beyond is held and sent later"
                        );
                    }
                    sendings.push((place, sending, Vec::new()));
                }
            }
            let (model, progress, named) = (self.id.clone(), self.progress, named.clone());
            let outbox = desk.outbox.clone();
            let appended = desk.db.write_blocking("mining.fire", move |tx| {
                let mut appended = Vec::new();
                if !tables::move_on(tx, &model, &progress, through, at, !is_last)? {
                    return Err(Error::Overtaken { model: model.clone() });
                }
                for (place, part) in &chunk {
                    let (trigger, silent) = &named[*place];
                    tables::leave(tx, &model, &trigger.id, &part.leaves)?;
                    tables::displace(tx, &model, &trigger.id, &part.displaced)?;
                    tables::enter(tx, &model, &trigger.id, &part.enters, at, *silent)?;
                }
                for (place, sending, shadows) in &sendings {
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
                    // Should this be the last closure before a crash, the rest
                    // must stay silent too.
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
        }
        for (watch, difference) in self.watches.iter_mut().zip(&differences) {
            watch.accept(difference, at);
        }
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

/// Cuts the differences of all triggers into closures; at least one, even of
/// nothing. Whoever leaves does so before others enter.
fn chunks(differences: &[Difference]) -> Vec<BTreeMap<usize, Difference>> {
    enum Item {
        Leave(Arc<str>, Option<Enter>),
        Displace(Arc<str>),
        Enter(Enter),
    }
    let mut items = Vec::new();
    for (place, difference) in differences.iter().enumerate() {
        let told: HashMap<&Arc<str>, &Enter> =
            difference.farewells.iter().map(|farewell| (&farewell.identifier, farewell)).collect();
        let leave = |identifier: &Arc<str>| {
            (place, Item::Leave(identifier.clone(), told.get(identifier).map(|farewell| (*farewell).clone())))
        };
        items.extend(difference.leaves.iter().map(leave));
        items.extend(difference.displaced.iter().map(|identifier| (place, Item::Displace(identifier.clone()))));
        items.extend(difference.enters.iter().map(|enter| (place, Item::Enter(enter.clone()))));
    }
    let mut chunks = vec![BTreeMap::new()];
    for (number, (place, item)) in items.into_iter().enumerate() {
        if number > 0 && number % ITEMS_MAX == 0 {
            chunks.push(BTreeMap::new());
        }
        let chunk: &mut BTreeMap<usize, Difference> = chunks.last_mut().expect("there is always one");
        let part = chunk.entry(place).or_default();
        match item {
            Item::Leave(identifier, farewell) => {
                part.leaves.push(identifier);
                part.farewells.extend(farewell);
            }
            Item::Displace(identifier) => part.displaced.push(identifier),
            Item::Enter(enter) => part.enters.push(enter),
        }
    }
    chunks
}
