//! Who satisfies the trigger, and who is in its stored set: deciding who enters
//! and who leaves, and taking over what was recorded.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use base::Timestamp;

use super::{News, Watch};
use crate::figures::Figures;
use crate::knowledge_model::WhenFull;
use crate::matched_set::{Difference, Standing, Stored};

/// The instances of a trigger. Whoever looks at everything on a thread of its
/// own has the same ones until it comes back with others.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    /// Those that satisfy the trigger, by the unit that they stand in.
    pub(super) by_unit: HashMap<u32, Vec<Arc<str>>>,
    /// Rows that bear an identifier, for it need not be unique.
    pub(super) counts: HashMap<Arc<str>, u32>,
    /// What is durable of each one that was ever in the set.
    stored: HashMap<Arc<str>, Stored>,
    /// How many are in the set.
    matched: u64,
    /// Those that satisfy the trigger and are not stored, because the limit is
    /// reached, each with its unit.
    waiting: BTreeMap<Arc<str>, u32>,
}

impl Members {
    pub(super) fn new(stored: HashMap<Arc<str>, Stored>) -> Self {
        let matched = stored.values().filter(|stored| stored.standing == Standing::In).count() as u64;
        Members { stored, matched, ..Members::default() }
    }

    /// Returns what is durable of an instance.
    pub(super) fn stored(&self, identifier: &Arc<str>) -> Option<&Stored> {
        self.stored.get(identifier)
    }

    /// Lists those that are stored and have not left.
    pub(super) fn known(&self) -> impl Iterator<Item = &Arc<str>> {
        let known = self.stored.iter().filter(|(_, stored)| stored.standing != Standing::Out);
        known.map(|(identifier, _)| identifier)
    }

    /// Counts those that satisfy the trigger and are not stored.
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// Gives the units other numbers. Those that are gone are together until
    /// all are looked at.
    pub(super) fn renumber(&mut self, unit: impl Fn(u32) -> u32) {
        let mut by_unit: HashMap<u32, Vec<Arc<str>>> = HashMap::new();
        for (before, identifiers) in std::mem::take(&mut self.by_unit) {
            by_unit.entry(unit(before)).or_default().extend(identifiers);
        }
        self.by_unit = by_unit;
        self.waiting.values_mut().for_each(|waiting| *waiting = unit(*waiting));
    }

    fn standing(&self, identifier: &Arc<str>) -> Standing {
        self.stored.get(identifier).map_or(Standing::Out, |stored| stored.standing)
    }

    fn oldest(&self, leaving: &[Arc<str>], count: u64) -> Vec<Arc<str>> {
        let leaving: HashSet<&Arc<str>> = leaving.iter().collect();
        let staying = self.stored.iter().filter(|(_, stored)| stored.standing == Standing::In);
        let mut staying: Vec<_> = staying
            .filter(|(identifier, _)| !leaving.contains(identifier))
            .map(|(identifier, stored)| (stored.since, identifier.clone()))
            .collect();
        staying.sort();
        staying.into_iter().take(count as usize).map(|(_, identifier)| identifier).collect()
    }

    fn put(&mut self, identifier: &Arc<str>, standing: Standing) {
        let stored = self.stored.get_mut(identifier).expect("what leaves has been in");
        self.matched -= u64::from(stored.standing == Standing::In);
        stored.standing = standing;
    }
}

impl Watch {
    pub(super) fn decide(
        &mut self,
        changed: Vec<Arc<str>>,
        found: &[(Arc<str>, u32)],
        now: i64,
        figures: &Figures,
        news: &News,
    ) -> Difference {
        let members = Arc::make_mut(&mut self.members);
        let mut waiting = std::mem::take(&mut members.waiting);
        for (identifier, unit) in found {
            // Whoever waits may stand in another unit by now.
            waiting.entry(identifier.clone()).and_modify(|known| *known = *unit);
        }
        let is_known = |identifier: &Arc<str>| members.standing(identifier) != Standing::Out;
        let mut leaves: Vec<Arc<str>> = changed;
        leaves.retain(|identifier| !members.counts.contains_key(identifier) && is_known(identifier));
        leaves.sort();
        leaves.dedup();
        // Those that wait come first, as long as they satisfy the trigger.
        let mut seen = HashSet::new();
        let mut entering: Vec<(Arc<str>, u32)> = waiting
            .into_iter()
            .filter(|(identifier, _)| members.counts.contains_key(identifier))
            .chain(found.iter().cloned())
            .filter(|(identifier, _)| !is_known(identifier) && seen.insert(identifier.clone()))
            .collect();

        let limit = self.trigger.item_limit;
        let leaving = leaves.iter().filter(|identifier| members.standing(identifier) == Standing::In).count();
        let kept = members.matched - leaving as u64;
        let room = limit.saturating_sub(kept);
        let mut displaced = Vec::new();
        if entering.len() as u64 > room {
            match self.trigger.when_full {
                WhenFull::KeepExisting => {
                    members.waiting = entering.split_off(room as usize).into_iter().collect();
                }
                WhenFull::ReplaceExisting => {
                    entering.truncate(limit as usize);
                    displaced = members.oldest(&leaves, (kept + entering.len() as u64).saturating_sub(limit));
                }
            }
        }
        let enters = self.describe(&entering, now, figures, news);
        Difference { enters, leaves, displaced, farewells: Vec::new() }
    }

    /// Takes over what has become durable.
    pub(crate) fn accept(&mut self, difference: &Difference, at: Timestamp) {
        let silent = std::mem::take(&mut self.silent);
        if difference.len() == 0 {
            return;
        }
        let members = Arc::make_mut(&mut self.members);
        for identifier in &difference.leaves {
            members.put(identifier, Standing::Out);
        }
        for identifier in &difference.displaced {
            members.put(identifier, Standing::Displaced);
        }
        for enter in &difference.enters {
            let fired = Some(at).filter(|_| !enter.quiet && !silent);
            let fired_at = fired.or_else(|| members.stored.get(&enter.identifier).and_then(|stored| stored.fired_at));
            let stored = Stored { standing: Standing::In, episode: enter.episode, since: at, fired_at };
            members.stored.insert(enter.identifier.clone(), stored);
            members.matched += 1;
        }
    }
}
