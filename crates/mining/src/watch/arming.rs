//! Arming: when time alone may change an answer, and who reads which figures.

use std::collections::{BTreeSet, HashMap};

use super::looking::{passing, units_of};
use super::{Watch, Which};
use crate::crossings::{Crossings, Side, Why};
use crate::evaluate::{Group, InScope};
use crate::figures::Figures;
use crate::log::NO_ROW;
use crate::pql::deadline::next_change;
use crate::pql::plan::{Grain, Op};
use crate::reach::Threshold;

/// Units that are looked at together, so that a large log needs no more memory
/// at once than a small one.
const UNITS_AT_ONCE: usize = 4_096;

/// When time alone may change an answer.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    by_unit: HashMap<u32, i64>,
    pub(super) queue: BTreeSet<(i64, u32)>,
    /// When everything is looked at.
    pub(super) all: Option<i64>,
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
    pub(super) fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) {
        let before = std::mem::take(&mut self.by_unit);
        self.by_unit = before.into_iter().filter_map(|(unit, at)| Some((number(unit)?, at))).collect();
        self.queue = self.by_unit.iter().map(|(unit, at)| (*at, *unit)).collect();
    }

    pub(super) fn next(&self) -> Option<i64> {
        let first = self.queue.first().map(|(at, _)| *at);
        [first, self.all].into_iter().flatten().min()
    }
}

/// Who reads which groups in one place of the conditions.
pub(super) struct Reading {
    unit: u32,
    why: Why,
    pub(super) groups: Vec<(Grain, Group)>,
    pub(super) side: Side,
    /// The value is that of its one group.
    one_of_group: bool,
}

impl Watch {
    /// Takes note of when and by what the answers of those that were looked at
    /// may change.
    pub(super) fn arm(&mut self, which: &Which, now: i64, figures: &Figures) {
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
    pub(super) fn sides(
        &self,
        scope: &InScope<'_>,
        place: usize,
        wanted: impl Fn(u32) -> bool,
    ) -> Option<Vec<Reading>> {
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
}
