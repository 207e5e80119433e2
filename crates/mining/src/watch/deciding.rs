//! Deciding who enters and who leaves, and taking over what was stored.

use std::collections::HashSet;
use std::sync::Arc;

use base::Timestamp;

use super::{News, Watch};
use crate::figures::Figures;
use crate::knowledge_model::WhenFull;
use crate::matched_set::{Difference, Standing, Stored};

impl Watch {
    pub(super) fn decide(
        &mut self,
        changed: Vec<Arc<str>>,
        found: &[(Arc<str>, u32)],
        now: i64,
        figures: &Figures,
        news: &News,
    ) -> Difference {
        let mut waiting = std::mem::take(&mut self.waiting);
        for (identifier, unit) in found {
            // Whoever waits may stand in another unit by now.
            waiting.entry(identifier.clone()).and_modify(|known| *known = *unit);
        }
        let is_known = |identifier: &Arc<str>| self.standing(identifier) != Standing::Out;
        let mut leaves: Vec<Arc<str>> = changed;
        leaves.retain(|identifier| !self.counts.contains_key(identifier) && is_known(identifier));
        leaves.sort();
        leaves.dedup();
        // Those that wait come first, as long as they satisfy the trigger.
        let mut seen = HashSet::new();
        let mut entering: Vec<(Arc<str>, u32)> = waiting
            .into_iter()
            .filter(|(identifier, _)| self.counts.contains_key(identifier))
            .chain(found.iter().cloned())
            .filter(|(identifier, _)| !is_known(identifier) && seen.insert(identifier.clone()))
            .collect();

        let limit = self.trigger.item_limit;
        let leaving = leaves.iter().filter(|identifier| self.standing(identifier) == Standing::In).count();
        let kept = self.matched - leaving as u64;
        let room = limit.saturating_sub(kept);
        let mut displaced = Vec::new();
        if entering.len() as u64 > room {
            match self.trigger.when_full {
                WhenFull::KeepExisting => {
                    self.waiting = entering.split_off(room as usize).into_iter().collect();
                }
                WhenFull::ReplaceExisting => {
                    entering.truncate(limit as usize);
                    displaced = self.oldest(&leaves, (kept + entering.len() as u64).saturating_sub(limit));
                }
            }
        }
        let enters = self.describe(&entering, now, figures, news);
        Difference { enters, leaves, displaced, farewells: Vec::new() }
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

    /// Takes over what has become durable.
    pub(crate) fn accept(&mut self, difference: &Difference, at: Timestamp) {
        for identifier in &difference.leaves {
            self.put(identifier, Standing::Out);
        }
        for identifier in &difference.displaced {
            self.put(identifier, Standing::Displaced);
        }
        for enter in &difference.enters {
            let fired = Some(at).filter(|_| !enter.quiet && !self.silent);
            let fired_at = fired.or_else(|| self.stored.get(&enter.identifier).and_then(|stored| stored.fired_at));
            let stored = Stored { standing: Standing::In, episode: enter.episode, since: at, fired_at };
            self.stored.insert(enter.identifier.clone(), stored);
            self.matched += 1;
        }
        self.silent = false;
    }

    fn put(&mut self, identifier: &Arc<str>, standing: Standing) {
        let stored = self.stored.get_mut(identifier).expect("what leaves has been in");
        self.matched -= u64::from(stored.standing == Standing::In);
        stored.standing = standing;
    }
}
