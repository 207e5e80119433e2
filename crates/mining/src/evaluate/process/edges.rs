//! Pairs of events, as SOURCE and TARGET see them.

use std::ops::Range;

use crate::evaluate::evaluator::InScope;
use crate::log::NO_ROW;
use crate::pql::plan::{Edges, Grain, Pairing};

/// The pairs of the cases in scope, those of a case side by side.
#[derive(Debug, Default)]
pub(crate) struct EdgeRows {
    /// Place of the earlier event in the frame of activities, or [`NO_ROW`].
    pub(crate) sources: Vec<u32>,
    /// Place of the later event, or [`NO_ROW`].
    pub(crate) targets: Vec<u32>,
    /// Number of the case.
    pub(crate) cases: Vec<u32>,
}

impl EdgeRows {
    /// Pairs the events of the cases in scope.
    pub(crate) fn of(scope: &InScope<'_>, edges: &Edges) -> Self {
        let events = scope.log().catalog().roles.activity_table;
        let frame = scope.frame(events);
        let filter = edges.filter.as_ref().map(|filter| scope.operand(filter, Grain::Table(events)));
        let mut rows = EdgeRows::default();
        let mut present: Vec<u32> = Vec::new();
        for (case, segment) in frame.segments() {
            present.clear();
            let counts = |row: &usize| filter.as_ref().is_none_or(|filter| !filter.is_null(*row));
            present.extend(segment.filter(counts).map(|row| row as u32));
            if let [first, .., last] | [first @ last] = present[..] {
                rows.add(case, &present, (first, last), edges);
            }
        }
        rows
    }

    fn add(&mut self, case: u32, present: &[u32], (first, last): (u32, u32), edges: &Edges) {
        if edges.with_start {
            self.push(case, NO_ROW, first);
        }
        match edges.pairing {
            Pairing::Neighbours => {
                present.iter().zip(&present[1..]).for_each(|(one, other)| self.push(case, *one, *other));
            }
            Pairing::FirstToAny => present[1..].iter().for_each(|row| self.push(case, first, *row)),
            Pairing::FirstToAnyWithSelf => present.iter().for_each(|row| self.push(case, first, *row)),
            Pairing::AnyToLast => {
                present[..present.len() - 1].iter().for_each(|row| self.push(case, *row, last));
            }
            Pairing::FirstToLast if present.len() > 1 => self.push(case, first, last),
            Pairing::FirstToLast => {}
        }
        if edges.with_end {
            self.push(case, last, NO_ROW);
        }
    }

    fn push(&mut self, case: u32, source: u32, target: u32) {
        self.sources.push(source);
        self.targets.push(target);
        self.cases.push(case);
    }

    /// Returns where the pairs of a case stand.
    pub(crate) fn of_case(&self) -> std::collections::HashMap<u32, Range<usize>> {
        let mut ranges = std::collections::HashMap::new();
        for (place, case) in self.cases.iter().enumerate() {
            ranges.entry(*case).or_insert(place..place).end = place + 1;
        }
        ranges
    }
}
