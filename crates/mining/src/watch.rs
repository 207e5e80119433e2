//! Watching a trigger: who matches, who starts to, who stops, and when time
//! alone will change that.
//!
//! A [`Watch`] holds the *target*: the record instances that satisfy the
//! trigger on its root, by case, so that a commit replaces the answers of the
//! cases that it touched and leaves the others alone. Beside it stands what is
//! *stored*: the matched set that is durable. [`Watch::advance`] looks and
//! says by how much the two differ; nothing is stored before the difference is.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use base::Timestamp;

use crate::crossings::{Crossings, Side, Why};
use crate::detect::{Finding, Findings};
use crate::evaluate::{Evaluator, Group, InScope};
use crate::figures::{Figures, Links, dirty_rows, has_case};
use crate::knowledge_model::{FireOn, WhenFull};
use crate::log::{EventLog, NO_ROW, Renumbering, Touched};
use crate::matched_set::{Difference, Enter, Standing, Stored, kind};
use crate::ports::{Field, Reason};
use crate::pql::deadline::next_change;
use crate::pql::plan::{Grain, Op};
use crate::reach::Threshold;
use crate::trigger::Trigger;
use crate::value::{Type, Value};
use crate::views::Preview;

/// Which instances are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All of them.
    All,
    /// Those of these cases; of a record that is not below the case, these rows.
    Units(Vec<u32>),
}

/// A trigger on a root.
pub(crate) struct Watch {
    pub(crate) trigger: Arc<Trigger>,
    /// What matched at publication has not all been taken note of yet; until
    /// then nothing fires.
    pub(crate) silent: bool,
    evaluator: Evaluator,
    /// The shared figures that it reads.
    links: Links,
    by_unit: HashMap<u32, Vec<Arc<str>>>,
    /// Rows that bear an identifier, for it need not be unique.
    counts: HashMap<Arc<str>, u32>,
    stored: HashMap<Arc<str>, Stored>,
    matched: u64,
    /// Those of the target that are not stored, because the limit is reached,
    /// each with its unit.
    waiting: BTreeMap<Arc<str>, u32>,
    /// What its detector said last, if it stands on one.
    detected: Findings,
    deadlines: Deadlines,
    crossings: Crossings,
    /// A condition reads figures in a way that cannot be told apart: all are
    /// looked at when one of them moves.
    reads_all: bool,
    /// Something changed since a trigger that is evaluated whole was last looked
    /// at.
    pub(crate) stale: bool,
    /// Until when such a trigger rests, on the wall clock.
    pub(crate) rests_until: Timestamp,
    /// Instances looked at since the watch began; the tests hold it to what was
    /// touched, due or crossed.
    #[cfg(test)]
    pub(crate) looked_at: u64,
}

/// When time alone may change an answer.
#[derive(Debug, Default)]
struct Deadlines {
    by_unit: HashMap<u32, i64>,
    queue: BTreeSet<(i64, u32)>,
    /// When everything is looked at.
    all: Option<i64>,
}

impl Deadlines {
    fn clear(&mut self, unit: u32) {
        if let Some(at) = self.by_unit.remove(&unit) {
            self.queue.remove(&(at, unit));
        }
    }

    fn arm(&mut self, unit: u32, at: i64) {
        let at = self.by_unit.get(&unit).map_or(at, |known| at.min(*known));
        self.clear(unit);
        self.by_unit.insert(unit, at);
        self.queue.insert((at, unit));
    }

    /// Gives the units other numbers; whoever has none is forgotten.
    fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) {
        let before = std::mem::take(&mut self.by_unit);
        self.by_unit = before.into_iter().filter_map(|(unit, at)| Some((number(unit)?, at))).collect();
        self.queue = self.by_unit.iter().map(|(unit, at)| (*at, *unit)).collect();
    }

    fn next(&self) -> Option<i64> {
        let first = self.queue.first().map(|(at, _)| *at);
        [first, self.all].into_iter().flatten().min()
    }
}

/// Units that are looked at together, so that a large log needs no more memory
/// at once than a small one.
const UNITS_AT_ONCE: usize = 4_096;

impl Watch {
    pub(crate) fn new(
        trigger: Arc<Trigger>,
        figures: &mut Figures,
        log: Arc<EventLog>,
        stored: HashMap<Arc<str>, Stored>,
        silent: bool,
    ) -> Self {
        let evaluator = Evaluator::new(log, trigger.program.clone(), 0);
        let links = match trigger.reach.whole {
            true => Links::default(),
            false => {
                let conditions = trigger.selection.conditions.iter().map(|(condition, _)| condition);
                figures.keep(&trigger.program, conditions.chain(&trigger.values))
            }
        };
        let matched = stored.values().filter(|stored| stored.standing == Standing::In).count() as u64;
        Watch {
            trigger,
            silent,
            evaluator,
            links,
            by_unit: HashMap::new(),
            counts: HashMap::new(),
            stored,
            matched,
            waiting: BTreeMap::new(),
            detected: Findings::default(),
            deadlines: Deadlines::default(),
            crossings: Crossings::default(),
            reads_all: false,
            stale: false,
            rests_until: Timestamp::EPOCH,
            #[cfg(test)]
            looked_at: 0,
        }
    }

    /// Returns the shared figures that it reads.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Moves to a root that says the same with other row numbers.
    pub(crate) fn stand_on(&mut self, folded: Arc<EventLog>, rows: &Renumbering<'_>) {
        self.evaluator = Evaluator::new(folded, self.trigger.program.clone(), 0);
        let own = match self.trigger.target {
            Grain::Table(table) if !self.trigger.in_case => Some(table),
            _ => None,
        };
        let unit = |unit: u32| own.map_or(unit, |table| if unit == NO_ROW { unit } else { rows.row(table, unit) });
        let known = |number: u32| (number != NO_ROW).then_some(number);
        if own.is_some() {
            let mut by_unit: HashMap<u32, Vec<Arc<str>>> = HashMap::new();
            for (before, identifiers) in std::mem::take(&mut self.by_unit) {
                // Rows that are gone are together until all are looked at.
                by_unit.entry(unit(before)).or_default().extend(identifiers);
            }
            self.by_unit = by_unit;
            self.waiting.values_mut().for_each(|waiting| *waiting = unit(*waiting));
            self.deadlines.renumber(|before| known(unit(before)));
        }
        if own.is_some() || self.crossings.name_rows() {
            self.crossings.renumber(|before| known(unit(before)), |table, row| known(rows.row(table, row)));
        }
    }

    /// Moves to another root and tells whom that makes it look at: those that
    /// the commit touched, and those that a figure passed on its way.
    pub(crate) fn after_commit(
        &mut self,
        log: &Arc<EventLog>,
        touched: &Touched,
        figures: &Figures,
        now: i64,
    ) -> Which {
        let before = self.evaluator.log().clone();
        self.evaluator = Evaluator::new(log.clone(), self.trigger.program.clone(), 0);
        if self.trigger.reach.whole {
            self.stale = true;
            return Which::Units(Vec::new());
        }
        let Grain::Table(table) = self.trigger.target else { return Which::All };
        let mut units: BTreeSet<u32> = BTreeSet::new();
        if self.trigger.in_case {
            units.extend(&touched.cases);
            let roles = &log.catalog().roles;
            if table != roles.activity_table && table != roles.case_table {
                // An instance without a case is found only among all.
                let rows = dirty_rows(&before, log, touched, table);
                let strays = |log: &EventLog, row: u32| {
                    (row as usize) < log.table(table).capacity()
                        && log.table(table).is_alive(row)
                        && !has_case(log, table, row)
                };
                if rows.iter().any(|row| strays(&before, *row) || strays(log, *row)) {
                    return Which::All;
                }
            }
        } else {
            units = dirty_rows(&before, log, touched, table);
        }
        if self.trigger.wishes.on_load {
            // What time has changed since the last rows is told with these.
            match self.due_now(now) {
                Some(Which::All) => return Which::All,
                Some(Which::Units(due)) => units.extend(due),
                None => {}
            }
        }
        for unit in &units {
            self.crossings.forget(*unit);
        }
        let moved = figures.moved(&self.links);
        let turned = figures.turned(&self.links);
        if self.reads_all && (turned || !moved.is_empty()) {
            return Which::All;
        }
        if turned {
            units.extend(self.crossings.calendar_readers());
        }
        for (grain, group) in &moved {
            units.extend(self.crossings.readers(Why::Loose, *grain, group));
            for place in 0..self.trigger.reach.thresholds.len() {
                let why = Why::Threshold(place);
                let Some(unit) = self.crossings.representative(why, *grain, group) else { continue };
                let figure = self.figure_of(figures, place, unit, group);
                units.extend(self.crossings.moved(why, *grain, group, figure, now));
            }
        }
        Which::Units(units.into_iter().collect())
    }

    /// Returns the group's side of a threshold, as one of its readers sees it.
    fn figure_of(&self, figures: &Figures, place: usize, unit: u32, group: &Group) -> Option<f64> {
        let side = |scope: &InScope<'_>| {
            let found = self.sides(scope, place, |_| true);
            let found =
                found.into_iter().flatten().find(|found| found.groups.len() == 1 && found.groups[0].1 == *group);
            found.and_then(|found| found.side.figure)
        };
        self.in_scope(&[unit], 0, figures, side)
    }

    /// Evaluates over some units.
    fn in_scope<T>(&self, units: &[u32], now: i64, figures: &Figures, run: impl FnOnce(&InScope<'_>) -> T) -> T {
        let given = figures.seen(&self.links);
        match self.trigger.target {
            Grain::Table(table) if !self.trigger.in_case => {
                let own = self.evaluator.log().table(table);
                let lives = |row: &u32| (*row as usize) < own.capacity() && own.is_alive(*row);
                let rows: Vec<u32> = units.iter().copied().filter(lives).collect();
                self.evaluator.rows(table, &rows, now, Some(&given), run)
            }
            _ => self.evaluator.cases(units, now, Some(&given), run),
        }
    }

    /// Returns the next instant in milliseconds at which it has to look.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        if self.trigger.wishes.on_load {
            return None;
        }
        [self.deadlines.next(), self.crossings.next()].into_iter().flatten().min()
    }

    /// Tells who is due at an instant, if anybody is.
    pub(crate) fn due(&mut self, now: i64) -> Option<Which> {
        if self.trigger.wishes.on_load {
            return None;
        }
        if self.trigger.reach.whole {
            if self.deadlines.all.is_some_and(|at| at <= now) {
                self.stale = true;
                self.deadlines.all = None;
            }
            return None;
        }
        self.due_now(now)
    }

    fn due_now(&mut self, now: i64) -> Option<Which> {
        if self.deadlines.all.is_some_and(|at| at <= now) {
            return Some(Which::All);
        }
        let crossed = self.crossings.due(now);
        let due = self.deadlines.queue.range(..=(now, u32::MAX)).map(|(_, unit)| *unit);
        let units: BTreeSet<u32> = due.chain(crossed.iter().flatten().copied()).collect();
        if units.is_empty() && crossed.is_none() {
            return None;
        }
        Some(Which::Units(units.into_iter().collect()))
    }

    /// Looks at instances at an instant and tells the difference to what is
    /// stored.
    pub(crate) fn advance(&mut self, which: &Which, now: i64, figures: &Figures, news: &News) -> Difference {
        if *which == Which::Units(Vec::new()) {
            return Difference::default();
        }
        self.evaluator.set_now(now);
        let found = self.find(which, now, figures);
        self.arm(which, now, figures);

        let mut changed: Vec<Arc<str>> = Vec::new();
        let mut left: HashMap<Arc<str>, u32> = HashMap::new();
        let replaced: Vec<u32> = match which {
            Which::All => self.by_unit.keys().copied().collect(),
            Which::Units(units) => units.clone(),
        };
        for unit in replaced {
            for identifier in self.by_unit.remove(&unit).unwrap_or_default() {
                let count = self.counts.get_mut(&identifier).expect("what stands in a unit is counted");
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&identifier);
                    left.insert(identifier.clone(), unit);
                }
                changed.push(identifier);
            }
        }
        for (identifier, unit) in &found {
            *self.counts.entry(identifier.clone()).or_default() += 1;
            self.by_unit.entry(*unit).or_default().push(identifier.clone());
        }
        if *which == Which::All {
            // After a restart the target starts empty; what is stored must
            // leave all the same if it no longer matches.
            let known = self.stored.iter().filter(|(_, stored)| stored.standing != Standing::Out);
            changed.extend(known.map(|(identifier, _)| identifier.clone()));
        }
        let mut difference = self.decide(changed, &found, now, figures, news);
        if self.trigger.wishes.fire_on != FireOn::Enter {
            let fires = |identifier: &&Arc<str>| {
                self.stored.get(*identifier).is_some_and(|stored| {
                    // Whoever came back too early came without a signal, and goes
                    // without one.
                    let quiet = stored.fired_at.is_some_and(|at| at != stored.since);
                    stored.standing == Standing::In && !(quiet && self.trigger.wishes.cooldown_millis > 0)
                })
            };
            let leaving: Vec<Arc<str>> = difference.leaves.iter().filter(fires).cloned().collect();
            difference.farewells = self.farewells(&leaving, &left, now, figures, news);
        }
        if *which == Which::All && !self.trigger.reach.whole {
            // From here on it looks at those that are touched or passed; what it
            // knows of all would be as large as the log, for each trigger.
            self.evaluator.rest();
        }
        difference
    }

    /// Says what there is to say of instances that stop to match: their outputs
    /// as they are now, nothing of those that are gone.
    fn farewells(
        &self,
        leaving: &[Arc<str>],
        left: &HashMap<Arc<str>, u32>,
        now: i64,
        figures: &Figures,
        news: &News,
    ) -> Vec<Enter> {
        if leaving.is_empty() {
            return Vec::new();
        }
        let trigger = &self.trigger;
        let look = |scope: &InScope<'_>| {
            let operands: Vec<_> = trigger.values.iter().map(|value| scope.operand(value, trigger.target)).collect();
            let mut rows: HashMap<String, Vec<Value>> = HashMap::new();
            for row in 0..scope.length(trigger.target) {
                let identifier = operands[0].value(row).to_string();
                rows.entry(identifier).or_insert_with(|| operands.iter().map(|operand| operand.value(row)).collect());
            }
            rows
        };
        let units: Option<BTreeSet<u32>> =
            leaving.iter().map(|identifier| left.get(identifier).copied().filter(|unit| *unit != NO_ROW)).collect();
        let rows = match units {
            Some(units) if !trigger.reach.whole => {
                self.in_scope(&units.into_iter().collect::<Vec<_>>(), now, figures, look)
            }
            _ => self.evaluator.everything_given(&figures.seen(&self.links), look),
        };
        let farewell = |identifier: &Arc<str>| {
            let own_type = trigger.fields[0].field_type;
            let mut gone = vec![Value::Null; trigger.values.len()];
            gone[0] = identified(identifier, own_type);
            let values = rows.get(&**identifier).unwrap_or(&gone);
            let stored = self.stored.get(identifier);
            let late = left.get(identifier).is_some_and(|unit| news.late.contains(unit));
            self.told(identifier, values, stored.map_or(1, |stored| stored.episode), false, news.reason_of(late))
        };
        leaving.iter().map(farewell).collect()
    }

    fn told(&self, identifier: &Arc<str>, values: &[Value], episode: u64, quiet: bool, reason: Reason) -> Enter {
        let fields = self.trigger.fields.iter().zip(values).map(|(field, value)| Field {
            id: field.id.clone(),
            value: value.to_json(),
            kind: kind(field.field_type),
            is_identifier: field.is_identifier,
        });
        Enter {
            identifier: identifier.clone(),
            episode,
            typed: values[0].to_json(),
            fields: fields.collect(),
            quiet,
            reason,
        }
    }

    /// Tells what a look at everything would change.
    pub(crate) fn preview(&mut self, now: i64, figures: &Figures) -> Preview {
        let difference = self.advance(&Which::All, now, figures, &News::of(Reason::LogicChange));
        self.told_of(&difference)
    }

    /// Sums up a difference that is not stored yet.
    pub(crate) fn told_of(&self, difference: &Difference) -> Preview {
        Preview {
            trigger: self.trigger.id.clone(),
            matching: self.counts.len() as u64,
            new: difference.enters.len() as u64,
            leaving: difference.leaves.len() as u64,
            fires: !self.silent,
        }
    }

    fn decide(
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

    /// Lists the instances that satisfy the trigger, with their unit.
    fn find(&mut self, which: &Which, now: i64, figures: &Figures) -> Vec<(Arc<str>, u32)> {
        let trigger = self.trigger.clone();
        if let Some(detector) = &trigger.detector {
            self.detected = detector.look(self.evaluator.log(), now);
            return self.detected.found.iter().map(|finding| (finding.identifier.clone(), NO_ROW)).collect();
        }
        let look = |scope: &InScope<'_>| {
            let selected = scope.selected(trigger.target, &trigger.selection.conditions);
            let mut found = Vec::new();
            if selected.contains(&true) {
                let identifier = scope.operand(&trigger.values[0], trigger.target);
                let units = units_of(scope, &trigger);
                for row in (0..selected.len()).filter(|row| selected[*row]) {
                    let value = identifier.value(row);
                    if value != Value::Null {
                        found.push((Arc::from(value.to_string()), units[row]));
                    }
                }
            }
            found
        };
        #[cfg(test)]
        {
            self.looked_at += match which {
                Which::Units(units) => units.len() as u64,
                Which::All => u64::from(self.evaluator.log().case_count()),
            };
        }
        match which {
            Which::Units(units) => self.in_scope(units, now, figures, look),
            Which::All if trigger.reach.whole => self.evaluator.everything(look),
            Which::All => self.evaluator.everything_given(&figures.seen(&self.links), look),
        }
    }

    /// Takes note of when and by what the answers of those that were looked at
    /// may change.
    fn arm(&mut self, which: &Which, now: i64, figures: &Figures) {
        let trigger = self.trigger.clone();
        let reach = &trigger.reach;
        let known = self.deadlines.all.filter(|at| *at > now);
        self.deadlines.all = [known, trigger.clock.next_boundary(now)].into_iter().flatten().min();
        if trigger.detector.is_some() {
            let next = self.detected.next.filter(|at| *at > now);
            self.deadlines.all = self.deadlines.all.into_iter().chain(next).min();
            return;
        }
        if reach.whole {
            // At instant 0 a comparison shows how far it is from its crossing.
            self.evaluator.set_now(0);
            let next = |scope: &InScope<'_>| scope.next_changes(&trigger.selection, &reach.timed, now);
            let (by_unit, all) = self.evaluator.everything(next);
            self.evaluator.set_now(now);
            let first = by_unit.into_values().chain(all).chain(self.deadlines.all).min();
            self.deadlines.all = first;
            return;
        }
        if reach.timed.is_empty() && reach.thresholds.is_empty() && reach.loose.is_empty() {
            return;
        }
        let units: Vec<u32> = match which {
            Which::Units(units) => {
                for unit in units {
                    self.deadlines.clear(*unit);
                    self.crossings.forget(*unit);
                }
                units.clone()
            }
            Which::All => {
                self.deadlines = Deadlines { all: self.deadlines.all, ..Deadlines::default() };
                self.crossings = Crossings::default();
                self.reads_all = false;
                let gated = |scope: &InScope<'_>| passing(scope, &trigger);
                let open = self.evaluator.everything_given(&figures.seen(&self.links), gated);
                open.into_iter().collect()
            }
        };
        for units in units.chunks(UNITS_AT_ONCE) {
            let (timed, found) = self.in_scope(units, 0, figures, |scope| {
                let timed = scope.next_changes(&trigger.selection, &reach.timed, now);
                (timed, self.readings(scope))
            });
            let (by_unit, all) = timed;
            for (unit, at) in by_unit {
                self.deadlines.arm(unit, at);
            }
            self.deadlines.all = [self.deadlines.all, all].into_iter().flatten().min();
            let Some(found) = found else {
                self.reads_all = true;
                continue;
            };
            for Reading { unit, why, groups, side, one_of_group } in found {
                match (&groups[..], one_of_group) {
                    ([(grain, group)], true) => self.crossings.put(unit, why, *grain, group, side, now),
                    (groups, _) => {
                        let nowhere = Side { own: 0.0, figure: None, slope: 0.0 };
                        for (grain, group) in groups {
                            self.crossings.put(unit, Why::Loose, *grain, group, nowhere, now);
                        }
                        let change = side.figure.filter(|_| side.slope != 0.0 && !groups.is_empty());
                        if let Some(at) = change.and_then(|figure| next_change(side.own - figure, side.slope, now)) {
                            self.deadlines.arm(unit, at);
                        }
                    }
                }
            }
        }
    }

    /// Tells who in scope reads which figures; nothing if that cannot be told.
    fn readings(&self, scope: &InScope<'_>) -> Option<Vec<Reading>> {
        let reach = &self.trigger.reach;
        if reach.thresholds.is_empty() && reach.loose.is_empty() {
            return Some(Vec::new());
        }
        let open = passing(scope, &self.trigger);
        let mut found = Vec::new();
        for place in 0..reach.thresholds.len() {
            found.extend(self.sides(scope, place, |unit| open.contains(&unit))?);
        }
        for node in &reach.loose {
            let reads = scope.reads(node)?;
            let side = Side { own: 0.0, figure: None, slope: 0.0 };
            for (unit, row) in self.unit_rows(scope, node.grain) {
                if open.contains(&unit) && !reads[row].groups.is_empty() {
                    let groups = reads[row].groups.clone();
                    found.push(Reading { unit, why: Why::Loose, groups, side, one_of_group: false });
                }
            }
        }
        Some(found)
    }

    /// Tells on which side of a threshold those in scope are.
    fn sides(&self, scope: &InScope<'_>, place: usize, wanted: impl Fn(u32) -> bool) -> Option<Vec<Reading>> {
        let mut found = Vec::new();
        let why = Why::Threshold(place);
        match &self.trigger.reach.thresholds[place] {
            Threshold::Against { comparison, own_is_left, slope } => {
                let Op::Compare(_, left, right) = &comparison.op else { return None };
                let (own, other) = if *own_is_left { (left, right) } else { (right, left) };
                let reads = scope.reads(other)?;
                let places = scope.operand(other, comparison.grain);
                let own = scope.operand(own, comparison.grain);
                for (unit, row) in self.unit_rows(scope, comparison.grain).into_iter().filter(|(unit, _)| wanted(*unit))
                {
                    // A side without a value decides nothing, wherever the other is.
                    let (Some(own), Some(at)) = (own.float(row), places.place(row)) else { continue };
                    let reads = &reads[at];
                    if !reads.groups.is_empty() {
                        let side = Side { own, figure: places.float(row), slope: *slope };
                        found.push(Reading { unit, why, groups: reads.groups.clone(), side, one_of_group: reads.pure });
                    }
                }
            }
            Threshold::Verdict(node) => {
                let reads = scope.reads(node)?;
                let truths = scope.vector(node);
                for (unit, row) in self.unit_rows(scope, node.grain).into_iter().filter(|(unit, _)| wanted(*unit)) {
                    let reads = &reads[row];
                    if !reads.groups.is_empty() {
                        let figure = truths.truth(row).map(|truth| f64::from(u8::from(truth)));
                        let side = Side { own: 0.0, figure, slope: 0.0 };
                        found.push(Reading { unit, why, groups: reads.groups.clone(), side, one_of_group: reads.pure });
                    }
                }
            }
        }
        Some(found)
    }

    /// Lists the rows of a grain that decide about a unit.
    fn unit_rows(&self, scope: &InScope<'_>, grain: Grain) -> Vec<(u32, usize)> {
        let trigger = &self.trigger;
        if trigger.in_case && trigger.program.is_in_case(grain) {
            let case_table = scope.log().catalog().roles.case_table;
            let cases = scope.cases_of(grain, case_table).into_iter().enumerate();
            return cases.filter(|(_, case)| *case != NO_ROW).map(|(row, case)| (case, row)).collect();
        }
        let places = scope.places(trigger.target, grain);
        let units = units_of(scope, trigger).into_iter().enumerate();
        units
            .filter_map(|(row, unit)| places.at(row).map(|place| (unit, place)))
            .filter(|(unit, _)| *unit != NO_ROW)
            .collect()
    }

    /// Evaluates the outputs of instances that start to match.
    fn describe(&self, entering: &[(Arc<str>, u32)], now: i64, figures: &Figures, news: &News) -> Vec<Enter> {
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
        let mut units: Vec<u32> = entering.iter().map(|(_, unit)| *unit).collect();
        units.sort_unstable();
        units.dedup();
        // An instance without a case is found only among all.
        let rows = if trigger.detector.is_some() {
            let values = |finding: &Finding| {
                let identifier = std::iter::once(Value::Text(finding.identifier.clone()));
                (finding.identifier.to_string(), identifier.chain(finding.values.iter().cloned()).collect())
            };
            self.detected.found.iter().map(values).collect()
        } else if trigger.reach.whole {
            self.evaluator.everything(look)
        } else if units.contains(&NO_ROW) {
            self.evaluator.everything_given(&figures.seen(&self.links), look)
        } else {
            self.in_scope(&units, now, figures, look)
        };
        let enter = |(identifier, unit): &(Arc<str>, u32)| {
            let values = rows.get(&**identifier)?;
            let stored = self.stored.get(identifier);
            let before = stored.map_or(0, |stored| stored.episode);
            let fired_at = stored.and_then(|stored| stored.fired_at);
            // A clock that was set back has not come to that signal yet.
            let cools = 0..trigger.wishes.cooldown_millis;
            let quiet = fired_at.is_some_and(|at| cools.contains(&(now - at.as_millis())));
            let quiet = quiet || trigger.wishes.fire_on == FireOn::Leave;
            Some(self.told(identifier, values, before + 1, quiet, news.reason_of(news.late.contains(unit))))
        };
        entering.iter().filter_map(enter).collect()
    }
}

/// Reads an identifier back from its text.
fn identified(text: &str, own: Type) -> Value {
    let number = match own {
        Type::Int => text.parse().ok().map(Value::Int),
        Type::Float => text.parse().ok().map(Value::Float),
        Type::Date => text.parse::<Timestamp>().ok().map(|at| Value::Date(at.as_millis())),
        Type::String => None,
    };
    number.unwrap_or_else(|| Value::Text(text.into()))
}

/// What made somebody look.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) reason: Reason,
    /// Cases of which something earlier than was known has arrived.
    pub(crate) late: HashSet<u32>,
    /// What led to the rows that arrived, as the commit names it.
    pub(crate) causes: Vec<String>,
}

impl News {
    pub(crate) fn of(reason: Reason) -> Self {
        News { reason, late: HashSet::new(), causes: Vec::new() }
    }

    fn reason_of(&self, late: bool) -> Reason {
        if late && self.reason == Reason::Data { Reason::LateData } else { self.reason }
    }
}

/// Who reads which groups in one place of the conditions.
struct Reading {
    unit: u32,
    why: Why,
    groups: Vec<(Grain, Group)>,
    side: Side,
    /// The value is that of its one group.
    one_of_group: bool,
}

/// Returns the unit of each row of the target.
fn units_of(scope: &InScope<'_>, trigger: &Trigger) -> Vec<u32> {
    match trigger.target {
        Grain::Table(table) if !trigger.in_case => scope.frame(table).rows.clone(),
        target => scope.cases_of(target, scope.log().catalog().roles.case_table),
    }
}

/// Lists the units with an instance that passes the gates: no figure and no
/// clock makes another one match.
fn passing(scope: &InScope<'_>, trigger: &Trigger) -> HashSet<u32> {
    let passes = scope.selected(trigger.target, &trigger.reach.gates);
    units_of(scope, trigger)
        .into_iter()
        .zip(passes)
        .filter(|(unit, passes)| *passes && *unit != NO_ROW)
        .map(|(unit, _)| unit)
        .collect()
}
