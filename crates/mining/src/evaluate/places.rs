//! From grain to grain: which rows are in scope, and where their partners stand.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::evaluator::{InScope, Scope};
use super::frame::{Frame, is_linked};
use super::operand::Places;
use super::process::EdgeRows;
use crate::log::NO_ROW;
use crate::pql::catalog::Path;
use crate::pql::plan::Grain;

/// Spreads what is told per case over its events.
fn of_segments(frame: &Frame, mut of: impl FnMut(u32) -> u32) -> Vec<u32> {
    let mut all = vec![NO_ROW; frame.rows.len()];
    frame.segments().for_each(|(case, events)| all[events].fill(of(case)));
    all
}

impl InScope<'_> {
    /// Returns the pairs that SOURCE and TARGET make of the events in scope.
    pub(crate) fn edges(&self) -> Arc<EdgeRows> {
        if let Some(edges) = &*self.own.edges.borrow() {
            return edges.clone();
        }
        let described = self.own.program.edges.as_ref().expect("the check noted the pairs of SOURCE and TARGET");
        let edges = Arc::new(EdgeRows::of(self, described));
        *self.own.edges.borrow_mut() = Some(edges.clone());
        edges
    }

    pub(crate) fn frame(&self, table: usize) -> Arc<Frame> {
        self.own.sight.frame(table, || self.make_frame(table))
    }

    fn make_frame(&self, table: usize) -> Frame {
        let log = &self.own.log;
        let catalog = log.catalog();
        let cases = match &self.own.scope {
            Scope::Cases(cases) if is_linked(catalog, table) => cases,
            Scope::Rows(own, rows) => return Frame::above(log, *own, rows, table),
            _ => return Frame::whole(log, table),
        };
        if self.own.program.is_in_case(Grain::Table(table)) {
            return Frame::below(log, table, cases);
        }
        // On the 1-side of cases: the partners of what is in scope.
        let mut rows = BTreeSet::new();
        for (place, (many, one)) in catalog.joins.iter().enumerate() {
            if *one == table && is_linked(catalog, *many) {
                rows.extend(self.frame(*many).rows.iter().filter_map(|row| log.partner(place, row)));
            }
        }
        Frame::of(rows.into_iter().collect())
    }

    /// Tells for each row of `from` where its value of the grain `to` stands.
    pub(crate) fn places(&self, from: Grain, to: Grain) -> Places {
        match (from, to) {
            _ if from == to => Places::Same,
            (_, Grain::Constant) => Places::First,
            (Grain::Table(from), Grain::Table(to)) => {
                Places::Listed(self.own.sight.lift(from, to, || self.partner_places(from, to)))
            }
            (Grain::Table(_) | Grain::Edges, _) => {
                if let Some(known) = self.own.lifts.borrow().get(&(from, to)) {
                    return Places::Listed(known.clone());
                }
                let listed = Arc::new(match to {
                    Grain::Domain(domain) => self.domain_places(from, domain),
                    Grain::Table(table) => self.places_of_edges(table),
                    Grain::Constant | Grain::Group | Grain::Edges => unreachable!("handled above, or never lifted"),
                });
                self.own.lifts.borrow_mut().insert((from, to), listed.clone());
                Places::Listed(listed)
            }
            _ => unreachable!("the check lets only tables be on the N-side"),
        }
    }

    fn partner_places(&self, from: usize, to: usize) -> Vec<u32> {
        let log = &self.own.log;
        let Path::Over(joins) = log.catalog().path(from, to) else { unreachable!("the check found a path") };
        let frame = self.frame(from);
        if let Some(targets) = self.places_of_cases(&frame, &joins, to) {
            // All events of a case lead to the same row, found once.
            let mut targets = targets.into_iter();
            return of_segments(&frame, |_| targets.next().unwrap_or(NO_ROW));
        }
        let target = self.frame(to);
        let partner = |row: u32| {
            let found = joins.iter().try_fold(row, |row, join| log.partner(*join, row));
            found.map_or(NO_ROW, |row| target.place(row))
        };
        frame.rows.iter().map(partner).collect()
    }

    /// Tells where the events of each case that has some lead to, if all events
    /// of a case lead to the same row.
    fn places_of_cases(&self, frame: &Frame, joins: &[usize], to: usize) -> Option<Vec<u32>> {
        let [0, further @ ..] = joins else { return None };
        if !frame.is_by_case() {
            return None;
        }
        let (log, target) = (self.log(), self.frame(to));
        let place = |(case, _): (u32, Range<usize>)| {
            let row = Some(log.case_row(case)).filter(|row| *row != NO_ROW);
            let found = row.and_then(|row| further.iter().try_fold(row, |row, join| log.partner(*join, row)));
            found.map_or(NO_ROW, |row| target.place(row))
        };
        let parts = frame.by_part(|cases| cases.map(place).collect::<Vec<u32>>());
        Some(parts.into_iter().flatten().collect())
    }

    /// Tells where the events of each case lead to, where it is all of them
    /// that lead there by their case.
    pub(super) fn cases_to(&self, from: Grain, to: Grain) -> Option<(Arc<Frame>, Arc<Vec<u32>>)> {
        let (Grain::Table(table), Grain::Table(target)) = (from, to) else { return None };
        if table == target {
            return None;
        }
        let frame = self.frame(table);
        let targets = self.own.sight.case_lift(table, target, || {
            let Path::Over(joins) = self.log().catalog().path(table, target) else { return None };
            self.places_of_cases(&frame, &joins, target)
        })?;
        Some((frame, targets))
    }

    /// Tells for each pair of events where the partner of its case stands.
    fn places_of_edges(&self, to: usize) -> Vec<u32> {
        let log = &self.own.log;
        let case_table = log.catalog().roles.case_table;
        let Path::Over(joins) = log.catalog().path(case_table, to) else { unreachable!("the check found a path") };
        let target = self.frame(to);
        let partner = |case: &u32| {
            let row = Some(log.case(*case).row).filter(|row| *row != NO_ROW)?;
            joins.iter().try_fold(row, |row, join| log.partner(*join, row))
        };
        self.edges().cases.iter().map(|case| partner(case).map_or(NO_ROW, |row| target.place(row))).collect()
    }

    /// Tells for each row or pair in scope where it stands in the whole.
    pub(super) fn places_in_whole(&self, grain: Grain) -> Option<Vec<u32>> {
        match grain {
            Grain::Table(table) => {
                let all = self.everything().frame(table);
                Some(self.frame(table).rows.iter().map(|row| all.place(row)).collect())
            }
            Grain::Edges => {
                let all = self.everything().edges().of_case();
                let mut places = Vec::new();
                for (case, own) in self.edges().of_case() {
                    places.extend(own.zip(all.get(&case).cloned().unwrap_or_default()));
                }
                places.sort_unstable();
                Some(places.into_iter().map(|(_, place)| place as u32).collect())
            }
            Grain::Constant | Grain::Domain(_) | Grain::Group => None,
        }
    }

    /// Returns the case of each row of a grain, or [`NO_ROW`].
    pub(crate) fn cases_of(&self, grain: Grain, case_table: usize) -> Vec<u32> {
        let log = &self.own.log;
        if grain == Grain::Edges {
            return self.edges().cases.clone();
        }
        let Grain::Table(table) = grain else { return vec![NO_ROW; self.length(grain)] };
        let frame = self.frame(table);
        if table == log.catalog().roles.activity_table && frame.is_by_case() {
            return of_segments(&frame, |case| case);
        }
        if table == case_table || table == log.catalog().roles.activity_table {
            return frame.rows.iter().map(|row| log.case_of(table, row).unwrap_or(NO_ROW)).collect();
        }
        if !self.own.program.is_in_case(grain) {
            return vec![NO_ROW; frame.rows.len()];
        }
        let Path::Over(joins) = log.catalog().path(table, case_table) else { return vec![NO_ROW; frame.rows.len()] };
        let case = |row: u32| {
            let row = joins.iter().try_fold(row, |row, join| log.partner(*join, row))?;
            log.case_of(case_table, row)
        };
        frame.rows.iter().map(|row| case(row).unwrap_or(NO_ROW)).collect()
    }
}
