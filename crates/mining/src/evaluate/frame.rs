//! Which rows of a table take part, and in which order.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::row_list::RowList;
use super::threads::{at_once, parts};
use crate::log::{EventLog, Events, NO_ROW, Runs};
use crate::pql::catalog::{Catalog, Path};

/// The rows of a table that take part.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Row numbers in order.
    pub(crate) rows: RowList,
    segments: Segments,
    places: Inverse,
}

/// In the frame of the activity table: where each case stands.
#[derive(Debug)]
enum Segments {
    /// As the log has them; some may be empty.
    Runs(Runs),
    /// Each case with its first place.
    Listed(Vec<(u32, u32)>),
}

/// From row numbers to places.
#[derive(Debug)]
enum Inverse {
    Same,
    Dense(Vec<u32>),
    /// Made when somebody asks: most frames of a commit are only gone through.
    Sparse(OnceLock<HashMap<u32, u32>>),
}

impl Frame {
    fn new(rows: Vec<u32>, cases: Vec<(u32, u32)>, dense: Option<usize>) -> Self {
        let rows = if dense.is_some() { RowList::of(rows) } else { RowList::Listed(rows) };
        let numbered = || rows.iter().zip(0_u32..);
        let places = match (&rows, dense) {
            (RowList::Start(_), _) => Inverse::Same,
            (_, Some(capacity)) => {
                let mut places = vec![NO_ROW; capacity];
                numbered().for_each(|(row, place)| places[row as usize] = place);
                Inverse::Dense(places)
            }
            (_, None) => Inverse::Sparse(OnceLock::new()),
        };
        Frame { rows, segments: Segments::Listed(cases), places }
    }

    /// Returns the place of a row, or [`NO_ROW`].
    pub(crate) fn place(&self, row: u32) -> u32 {
        match &self.places {
            Inverse::Same => {
                if (row as usize) < self.rows.len() {
                    row
                } else {
                    NO_ROW
                }
            }
            Inverse::Dense(places) => places[row as usize],
            Inverse::Sparse(places) => {
                let numbered = || self.rows.iter().zip(0_u32..).collect();
                places.get_or_init(numbered).get(&row).copied().unwrap_or(NO_ROW)
            }
        }
    }

    /// Tells whether it is known which rows belong to which case.
    pub(crate) fn is_by_case(&self) -> bool {
        self.rows.is_empty() || self.segment_count() > 0
    }

    fn segment_count(&self) -> usize {
        match &self.segments {
            Segments::Runs(runs) => runs.len(),
            Segments::Listed(cases) => cases.len(),
        }
    }

    fn segment(&self, at: usize) -> (u32, Range<usize>) {
        match &self.segments {
            Segments::Runs(runs) => {
                let run = runs.run(at as u32);
                (at as u32, run.start as usize..run.end as usize)
            }
            Segments::Listed(cases) => {
                let (case, start) = cases[at];
                let end = cases.get(at + 1).map_or(self.rows.len(), |(_, next)| *next as usize);
                (case, start as usize..end)
            }
        }
    }

    fn segments_in(&self, part: Range<usize>) -> impl Iterator<Item = (u32, Range<usize>)> {
        part.map(|at| self.segment(at)).filter(|(_, places)| !places.is_empty())
    }

    /// Goes through the cases of an activity frame that have events: number and
    /// places.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (u32, Range<usize>)> {
        self.segments_in(0..self.segment_count())
    }

    /// Cuts the cases into parts with about as many events each, as many as
    /// are worth a thread.
    fn parts(&self) -> Vec<Range<usize>> {
        let count = self.segment_count();
        let parts = parts(self.rows.len());
        let cut = |part: usize| {
            if part == parts {
                return count;
            }
            let wanted = self.rows.len() * part / parts;
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = usize::midpoint(low, high);
                if self.segment(middle).1.start < wanted { low = middle + 1 } else { high = middle }
            }
            low
        };
        (0..parts).map(|part| cut(part)..cut(part + 1)).collect()
    }

    /// Works on parts of the cases at the same time; the results stand in the
    /// order of the parts.
    pub(crate) fn by_part<T: Send>(
        &self,
        work: impl Fn(&mut dyn Iterator<Item = (u32, Range<usize>)>) -> T + Sync,
    ) -> Vec<T> {
        let work = &work;
        at_once(self.parts().into_iter().map(|part| move || work(&mut self.segments_in(part))).collect())
    }

    /// Makes one value per event, case by case, on several threads. `start`
    /// makes what a thread needs, `work` gets the places of a case and where
    /// their values go; those that it leaves are `nothing`.
    pub(crate) fn fill<T: Send + Clone, S>(
        &self,
        nothing: T,
        start: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, Range<usize>, &mut [T]) + Sync,
    ) -> Vec<T> {
        let mut values = vec![nothing; self.rows.len()];
        let (mut rest, mut first, mut jobs) = (&mut values[..], 0, Vec::new());
        let (start, work) = (&start, &work);
        for part in self.parts() {
            let end = if part.end == self.segment_count() { self.rows.len() } else { self.segment(part.end).1.start };
            let (own, others) = std::mem::take(&mut rest).split_at_mut(end - first);
            let before = std::mem::replace(&mut first, end);
            rest = others;
            jobs.push(move || {
                let mut state = start();
                for (_, places) in self.segments_in(part) {
                    let into = places.start - before..places.end - before;
                    work(&mut state, places, &mut own[into]);
                }
            });
        }
        at_once(jobs);
        values
    }

    /// Lists all rows of a table.
    pub(crate) fn whole(log: &EventLog, table: usize) -> Self {
        let roles = &log.catalog().roles;
        if let Some(runs) = log.runs().filter(|_| table == roles.activity_table) {
            let rows = RowList::Start(runs.rows());
            return Frame { rows, segments: Segments::Runs(runs.clone()), places: Inverse::Same };
        }
        let capacity = log.table(table).capacity();
        if table == roles.activity_table || table == roles.case_table {
            let (rows, cases) = of_cases(log, table, 0..log.case_count());
            return Frame::new(rows, cases, Some(capacity));
        }
        Frame::new(log.table(table).rows().collect(), Vec::new(), Some(capacity))
    }

    /// Lists the rows of the given cases, for a table below the case.
    pub(crate) fn below(log: &EventLog, table: usize, cases: &[u32]) -> Self {
        let catalog = log.catalog();
        let roles = &catalog.roles;
        if table == roles.activity_table || table == roles.case_table {
            let (rows, cases) = of_cases(log, table, cases.iter().copied());
            return Frame::new(rows, cases, None);
        }
        let Path::Over(joins) = catalog.path(table, roles.case_table) else { return Frame::of(Vec::new()) };
        // From the case downwards, so that only rows of the cases are looked at.
        let from_events = joins.last() == Some(&0);
        let start = if from_events { roles.activity_table } else { roles.case_table };
        let (mut rows, _) = of_cases(log, start, cases.iter().copied());
        for join in joins.iter().rev().skip(usize::from(from_events)) {
            rows = rows.iter().flat_map(|row| log.children(*join, *row)).collect();
        }
        rows.sort_unstable();
        Frame::of(rows)
    }

    /// Lists the rows of `table` that rows of another one lead to, in order.
    pub(crate) fn above(log: &EventLog, own: usize, rows: &[u32], table: usize) -> Self {
        let catalog = log.catalog();
        let Path::Over(joins) = catalog.path(own, table) else { return Frame::of(Vec::new()) };
        let is_case = |row: &u32| {
            let case = log.case_of(table, *row).map(|case| log.case(case).row);
            table != catalog.roles.case_table || case == Some(*row)
        };
        let reached = |row: &u32| joins.iter().try_fold(*row, |row, join| log.partner(*join, row));
        let mut found: Vec<u32> = rows.iter().filter_map(reached).filter(is_case).collect();
        found.sort_unstable();
        found.dedup();
        Frame::of(found)
    }

    /// Lists the given rows.
    pub(crate) fn of(rows: Vec<u32>) -> Self {
        Frame::new(rows, Vec::new(), None)
    }
}

fn of_cases(log: &EventLog, table: usize, numbers: impl Iterator<Item = u32>) -> (Vec<u32>, Vec<(u32, u32)>) {
    let is_activities = table == log.catalog().roles.activity_table;
    let mut rows = Vec::new();
    let mut cases = Vec::new();
    for number in numbers {
        if is_activities {
            let events = log.events(number);
            if !events.is_empty() {
                cases.push((number, rows.len() as u32));
                match events {
                    Events::Run(start, end) => rows.extend(start..end),
                    Events::Listed(listed) => rows.extend_from_slice(listed),
                }
            }
        } else if log.case_row(number) != NO_ROW {
            rows.push(log.case_row(number));
        }
    }
    (rows, cases)
}

/// Tells whether a table is in the case or on the 1-side of one that is.
pub(crate) fn is_linked(catalog: &Catalog, table: usize) -> bool {
    let case_table = catalog.roles.case_table;
    (0..catalog.tables.len()).any(|below| catalog.leads_to(below, case_table) && catalog.leads_to(below, table))
}
