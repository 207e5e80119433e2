//! Which rows satisfy conditions, and until when.

use std::collections::{HashMap, HashSet};

use super::evaluator::InScope;
use super::moving::Moving;
use super::operand::{Operand, Places};
use super::threads::{RUN, fill_runs};
use crate::log::NO_ROW;
use crate::pql::deadline::{Course, next_change};
use crate::pql::plan::{Grain, Node, Op, Selection, Way};

/// Tells for each row whether all conditions hold.
fn hold(conditions: &[Operand], length: usize) -> Vec<bool> {
    fill_runs(length, |rows, into| {
        into.fill(true);
        let mut truths = [0; RUN];
        for condition in conditions {
            condition.read_truths(rows.clone(), &mut truths[..into.len()]);
            into.iter_mut().zip(truths).for_each(|(holds, truth)| *holds &= truth == 1);
        }
    })
}

impl InScope<'_> {
    /// Tells for each row of the target whether it satisfies all conditions.
    pub(crate) fn selected<'s>(
        &self,
        target: Grain,
        conditions: impl IntoIterator<Item = &'s (Node, Way)>,
    ) -> Vec<bool> {
        let length = self.length(target);
        // Conditions on one table are joined before they travel, so that one
        // and the same row has to satisfy them all.
        let mut by_home: Vec<((Grain, Way), Vec<&Node>)> = Vec::new();
        for (condition, way) in conditions {
            let home = (condition.grain, *way);
            match by_home.iter_mut().find(|(known, _)| *known == home) {
                Some((_, together)) => together.push(condition),
                None => by_home.push((home, vec![condition])),
            }
        }
        let mut brought = by_home.into_iter().map(|((grain, way), nodes)| self.brought(target, grain, way, &nodes));
        let mut selected = brought.next().unwrap_or_else(|| vec![true; length]);
        for one in brought {
            selected.iter_mut().zip(one).for_each(|(selected, keep)| *selected &= keep);
        }
        selected
    }

    fn brought(&self, target: Grain, grain: Grain, way: Way, together: &[&Node]) -> Vec<bool> {
        let length = self.length(target);
        let meeting = match way {
            Way::Down => {
                let operands: Vec<Operand> = together.iter().map(|node| self.operand(node, target)).collect();
                return hold(&operands, length);
            }
            Way::Up => target,
            Way::Over(table) => Grain::Table(table),
        };
        let program = &self.own.program;
        let stays_in_case = program.is_in_case(grain) && program.is_in_case(meeting);
        if !self.is_whole() && !stays_in_case {
            let all = self.everything().brought(target, grain, way, together);
            let Some(places) = self.places_in_whole(target) else { return all };
            return places.into_iter().map(|place| all[place as usize]).collect();
        }
        let operands: Vec<Operand> = together.iter().map(|node| self.operand(node, grain)).collect();
        let holds = hold(&operands, self.length(grain));
        if grain == meeting && target == meeting {
            return holds;
        }
        let mut met = vec![false; self.length(meeting)];
        let up = self.places(grain, meeting);
        for row in (0..holds.len()).filter(|row| holds[*row]) {
            match &up {
                Places::Same => met[row] = true,
                Places::First => met[0] = true,
                Places::Listed(places) if places[row] != NO_ROW => met[places[row] as usize] = true,
                Places::Listed(_) => {}
            }
        }
        match self.places(target, meeting) {
            Places::Same => met,
            Places::First => vec![met[0]; length],
            Places::Listed(places) => places.iter().map(|place| *place != NO_ROW && met[*place as usize]).collect(),
        }
    }

    /// Returns the cases (or all, as `None`) whose answer may change with time,
    /// each with the next instant after `now`.
    ///
    /// Only rows are asked that satisfy the conditions that do not look at the
    /// clock: the others change with the next commit at the earliest.
    pub(crate) fn next_changes(
        &self,
        selection: &Selection,
        comparisons: &[(Node, Course)],
        now: i64,
    ) -> (HashMap<u32, i64>, Option<i64>) {
        let mut by_case = HashMap::new();
        let mut all: Option<i64> = None;
        let case_table = self.own.log.catalog().roles.case_table;
        let steady = selection.conditions.iter().filter(|(condition, _)| !condition.is_clocked());
        let asked = self.selected(selection.target, steady);
        if !asked.contains(&true) {
            return (by_case, all);
        }
        let in_case = self.own.program.is_in_case(selection.target);
        let cases_of_target = self.cases_of(selection.target, case_table);
        let asked_cases: HashSet<u32> =
            asked.iter().zip(&cases_of_target).filter(|(asked, _)| **asked).map(|(_, case)| *case).collect();
        for (comparison, course) in comparisons {
            let Op::Compare(_, left, right) = &comparison.op else { continue };
            let grain = comparison.grain;
            let next: Box<dyn Fn(usize) -> Option<i64>> = match course {
                Course::Linear(slope) => {
                    let (left, right) = (self.operand(left, grain), self.operand(right, grain));
                    Box::new(move |row| next_change(left.float(row)? - right.float(row)?, *slope, now))
                }
                Course::Monotone => {
                    let moving = Moving::new(self, comparison);
                    Box::new(move |row| moving.next_change(row, now))
                }
            };
            let per_case = in_case && self.own.program.is_in_case(grain);
            let cases = if per_case { self.cases_of(grain, case_table) } else { vec![NO_ROW; self.length(grain)] };
            for (row, case) in cases.into_iter().enumerate() {
                let Some(change) = next(row) else { continue };
                if !per_case {
                    all = Some(all.map_or(change, |known| known.min(change)));
                } else if asked_cases.contains(&case) {
                    by_case.entry(case).and_modify(|known: &mut i64| *known = change.min(*known)).or_insert(change);
                }
            }
        }
        (by_case, all)
    }
}
