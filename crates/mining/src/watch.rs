//! Watching a trigger: who matches, who starts to, who stops, and when time
//! alone will change that.
//!
//! A [`Watch`] holds the *target*: the record instances that satisfy the
//! trigger on its root, by case, so that a commit replaces the answers of the
//! cases that it touched and leaves the others alone. Beside it stands what is
//! *stored*: the matched set that is durable. [`Watch::advance`] looks and
//! says by how much the two differ; nothing is stored before the difference is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use base::Timestamp;

use crate::evaluate::{Evaluator, InScope};
use crate::knowledge_model::WhenFull;
use crate::log::{EventLog, NO_ROW};
use crate::matched_set::{Difference, Enter, Standing, Stored, kind};
use crate::ports::Field;
use crate::trigger::Trigger;
use crate::value::Value;

/// Which cases are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// These.
    Cases(Vec<u32>),
}

/// A trigger on a root.
pub(crate) struct Watch {
    pub(crate) trigger: Arc<Trigger>,
    /// What matched at publication has not all been taken note of yet; until
    /// then nothing fires.
    pub(crate) silent: bool,
    evaluator: Evaluator,
    by_case: HashMap<u32, Vec<Arc<str>>>,
    /// Rows that bear an identifier, for it need not be unique.
    counts: HashMap<Arc<str>, u32>,
    stored: HashMap<Arc<str>, Stored>,
    matched: u64,
    /// Some of the target is not stored, because the limit is reached.
    overflowing: bool,
    deadlines: Deadlines,
    /// Cases looked at since the watch began; the tests hold it to what was
    /// touched or due.
    #[cfg(test)]
    pub(crate) looked_at: u64,
}

/// When time alone may change an answer.
#[derive(Debug, Default)]
struct Deadlines {
    by_case: HashMap<u32, i64>,
    queue: BTreeSet<(i64, u32)>,
    /// When everything is looked at.
    all: Option<i64>,
}

impl Deadlines {
    fn clear(&mut self, case: u32) {
        if let Some(at) = self.by_case.remove(&case) {
            self.queue.remove(&(at, case));
        }
    }

    fn arm(&mut self, case: u32, at: i64) {
        self.clear(case);
        self.by_case.insert(case, at);
        self.queue.insert((at, case));
    }

    fn next(&self) -> Option<i64> {
        let first = self.queue.first().map(|(at, _)| *at);
        [first, self.all].into_iter().flatten().min()
    }
}

impl Watch {
    pub(crate) fn new(
        trigger: Arc<Trigger>,
        log: Arc<EventLog>,
        stored: HashMap<Arc<str>, Stored>,
        silent: bool,
    ) -> Self {
        let evaluator = Evaluator::new(log, trigger.program.clone(), 0);
        let matched = stored.values().filter(|stored| stored.standing == Standing::In).count() as u64;
        Watch {
            trigger,
            silent,
            evaluator,
            by_case: HashMap::new(),
            counts: HashMap::new(),
            stored,
            matched,
            overflowing: false,
            deadlines: Deadlines::default(),
            #[cfg(test)]
            looked_at: 0,
        }
    }

    /// Moves to another root; what is known of cases stays until it is looked
    /// at again.
    pub(crate) fn set_root(&mut self, log: Arc<EventLog>) {
        self.evaluator = Evaluator::new(log, self.trigger.program.clone(), 0);
    }

    /// Tells which cases a commit makes it look at.
    pub(crate) fn after_commit(&self, touched: &BTreeSet<u32>) -> Which {
        // Room may have come up for those that wait, whoever they are.
        if self.trigger.touched_only && !self.overflowing {
            Which::Cases(touched.iter().copied().collect())
        } else {
            Which::All
        }
    }

    /// Returns the next instant in milliseconds at which it has to look.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.deadlines.next()
    }

    /// Tells which cases are due at an instant, if any.
    pub(crate) fn due(&self, now: i64) -> Option<Which> {
        if self.deadlines.all.is_some_and(|at| at <= now) {
            return Some(Which::All);
        }
        let due = self.deadlines.queue.range(..=(now, u32::MAX)).map(|(_, case)| *case);
        let cases: Vec<u32> = due.collect();
        if cases.is_empty() {
            return None;
        }
        // As at a commit: whoever waits for room is looked at too.
        Some(if self.overflowing { Which::All } else { Which::Cases(cases) })
    }

    /// Looks at cases at an instant and tells the difference to what is stored.
    pub(crate) fn advance(&mut self, which: &Which, now: i64) -> Difference {
        if *which == Which::Cases(Vec::new()) {
            return Difference::default();
        }
        // An instance that is of no one case is found only among all.
        let which = if self.trigger.in_case { which } else { &Which::All };
        self.evaluator.set_now(now);
        let found = self.find(which, now);
        self.arm(which, now);
        if self.trigger.touched_only && *which == Which::All {
            // It will look at touched cases only; what it knows of all of them
            // would be as large as the log, for each trigger.
            self.evaluator.rest();
        }

        let mut changed: Vec<Arc<str>> = Vec::new();
        let replaced: Vec<u32> = match which {
            Which::All => self.by_case.keys().copied().collect(),
            Which::Cases(cases) => cases.clone(),
        };
        for case in replaced {
            for identifier in self.by_case.remove(&case).unwrap_or_default() {
                let count = self.counts.get_mut(&identifier).expect("what stands in a case is counted");
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&identifier);
                }
                changed.push(identifier);
            }
        }
        for (identifier, case) in &found {
            *self.counts.entry(identifier.clone()).or_default() += 1;
            self.by_case.entry(*case).or_default().push(identifier.clone());
        }
        if *which == Which::All {
            // After a restart the target starts empty; what is stored must
            // leave all the same if it no longer matches.
            let known = self.stored.iter().filter(|(_, stored)| stored.standing != Standing::Out);
            changed.extend(known.map(|(identifier, _)| identifier.clone()));
        }
        self.decide(changed, &found, now)
    }

    fn decide(&mut self, changed: Vec<Arc<str>>, found: &[(Arc<str>, u32)], now: i64) -> Difference {
        let is_known = |identifier: &Arc<str>| self.standing(identifier) != Standing::Out;
        let mut leaves: Vec<Arc<str>> = changed;
        leaves.retain(|identifier| !self.counts.contains_key(identifier) && is_known(identifier));
        leaves.sort();
        leaves.dedup();
        let mut seen = HashSet::new();
        let mut entering: Vec<(Arc<str>, u32)> = found
            .iter()
            .filter(|(identifier, _)| !is_known(identifier) && seen.insert(identifier.clone()))
            .cloned()
            .collect();

        let limit = self.trigger.item_limit;
        let leaving = leaves.iter().filter(|identifier| self.standing(identifier) == Standing::In).count();
        let kept = self.matched - leaving as u64;
        let room = limit.saturating_sub(kept);
        let mut displaced = Vec::new();
        self.overflowing = false;
        if entering.len() as u64 > room {
            match self.trigger.when_full {
                WhenFull::KeepExisting => {
                    entering.truncate(room as usize);
                    self.overflowing = true;
                }
                WhenFull::ReplaceExisting => {
                    entering.truncate(limit as usize);
                    displaced = self.oldest(&leaves, (kept + entering.len() as u64).saturating_sub(limit));
                }
            }
        }
        let enters = self.describe(&entering, now);
        Difference { enters, leaves, displaced }
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
            let stored = Stored { standing: Standing::In, episode: enter.episode, since: at };
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

    /// Lists the instances that satisfy the trigger, with their case.
    fn find(&mut self, which: &Which, now: i64) -> Vec<(Arc<str>, u32)> {
        let trigger = self.trigger.clone();
        let case_table = self.evaluator.log().catalog().roles.case_table;
        let look = |scope: &InScope<'_>| {
            let selected = scope.selected(trigger.target, &trigger.selection.conditions);
            let mut found = Vec::new();
            if selected.contains(&true) {
                let identifier = scope.operand(&trigger.values[0], trigger.target);
                let cases = scope.cases_of(trigger.target, case_table);
                for row in (0..selected.len()).filter(|row| selected[*row]) {
                    let value = identifier.value(row);
                    if value != Value::Null {
                        found.push((Arc::from(value.to_string()), cases[row]));
                    }
                }
            }
            found
        };
        #[cfg(test)]
        {
            self.looked_at += match which {
                Which::Cases(cases) => cases.len() as u64,
                Which::All => u64::from(self.evaluator.log().case_count()),
            };
        }
        match which {
            Which::Cases(cases) => self.evaluator.cases(cases, now, look),
            Which::All => self.evaluator.everything(look),
        }
    }

    /// Arms the deadlines of the cases that were looked at.
    fn arm(&mut self, which: &Which, now: i64) {
        let trigger = self.trigger.clone();
        if trigger.clock.is_none() {
            return;
        }
        // At instant 0 a comparison shows how far it is from its crossing.
        let next = |scope: &InScope<'_>| scope.next_changes(&trigger.selection, &trigger.clock, now);
        let (by_case, all) = match which {
            Which::Cases(cases) => {
                for case in cases {
                    self.deadlines.clear(*case);
                }
                self.evaluator.cases(cases, 0, next)
            }
            Which::All => {
                self.deadlines = Deadlines::default();
                self.evaluator.set_now(0);
                let changes = self.evaluator.everything(next);
                self.evaluator.set_now(now);
                changes
            }
        };
        for (case, at) in by_case {
            self.deadlines.arm(case, at);
        }
        let known = self.deadlines.all.filter(|at| *at > now);
        self.deadlines.all = [known, all, trigger.clock.next_boundary(now)].into_iter().flatten().min();
    }

    /// Evaluates the outputs of instances that start to match.
    fn describe(&self, entering: &[(Arc<str>, u32)], now: i64) -> Vec<Enter> {
        if entering.is_empty() {
            return Vec::new();
        }
        let trigger = &self.trigger;
        let look = |scope: &InScope<'_>| {
            let selected = scope.selected(trigger.target, &trigger.selection.conditions);
            let operands: Vec<_> = trigger.values.iter().map(|value| scope.operand(value, trigger.target)).collect();
            let mut rows: HashMap<String, Vec<Value>> = HashMap::new();
            for row in (0..selected.len()).filter(|row| selected[*row]) {
                let identifier = operands[0].value(row).to_string();
                rows.entry(identifier).or_insert_with(|| operands.iter().map(|operand| operand.value(row)).collect());
            }
            rows
        };
        let rows = if trigger.in_case {
            let mut cases: Vec<u32> = entering.iter().map(|(_, case)| *case).filter(|case| *case != NO_ROW).collect();
            cases.sort_unstable();
            cases.dedup();
            self.evaluator.cases(&cases, now, look)
        } else {
            self.evaluator.everything(look)
        };
        let enter = |(identifier, _): &(Arc<str>, u32)| {
            let values = rows.get(&**identifier)?;
            let before = self.stored.get(identifier).map_or(0, |stored| stored.episode);
            let fields = trigger.fields.iter().zip(values).map(|(field, value)| Field {
                id: field.id.clone(),
                value: value.to_json(),
                kind: kind(field.field_type),
                is_identifier: field.is_identifier,
            });
            Some(Enter {
                identifier: identifier.clone(),
                episode: before + 1,
                typed: values[0].to_json(),
                fields: fields.collect(),
            })
        };
        entering.iter().filter_map(enter).collect()
    }
}
