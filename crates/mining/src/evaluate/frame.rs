//! Which rows of a table take part, and in which order.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::log::{EventLog, Events, NO_ROW};
use crate::pql::catalog::{Catalog, Path};

/// The rows of a table that take part.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Row numbers in order.
    pub(crate) rows: Vec<u32>,
    /// In the frame of the activity table: each case with its first place.
    pub(crate) cases: Vec<(u32, usize)>,
    /// The rows are the first ones of the table, as they stand.
    pub(crate) is_start: bool,
    places: Inverse,
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
    fn new(rows: Vec<u32>, cases: Vec<(u32, usize)>, dense: Option<usize>) -> Self {
        let is_start = dense.is_some() && rows.iter().enumerate().all(|(place, row)| *row as usize == place);
        let places = match dense {
            Some(_) if is_start => Inverse::Same,
            Some(capacity) => {
                let mut places = vec![NO_ROW; capacity];
                for (place, row) in rows.iter().enumerate() {
                    places[*row as usize] = place as u32;
                }
                Inverse::Dense(places)
            }
            None => Inverse::Sparse(OnceLock::new()),
        };
        Frame { rows, cases, is_start, places }
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
                let numbered = || self.rows.iter().enumerate().map(|(place, row)| (*row, place as u32)).collect();
                places.get_or_init(numbered).get(&row).copied().unwrap_or(NO_ROW)
            }
        }
    }

    /// Tells whether it is known which rows belong to which case.
    pub(crate) fn is_by_case(&self) -> bool {
        self.rows.is_empty() || !self.cases.is_empty()
    }

    /// Goes through the cases of an activity frame: number and places.
    pub(crate) fn segments(&self) -> impl Iterator<Item = (u32, std::ops::Range<usize>)> {
        self.cases.iter().enumerate().map(|(at, (case, start))| {
            let end = self.cases.get(at + 1).map_or(self.rows.len(), |(_, next)| *next);
            (*case, *start..end)
        })
    }

    /// Lists all rows of a table.
    pub(crate) fn whole(log: &EventLog, table: usize) -> Self {
        let roles = &log.catalog().roles;
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

fn of_cases(log: &EventLog, table: usize, numbers: impl Iterator<Item = u32>) -> (Vec<u32>, Vec<(u32, usize)>) {
    let is_activities = table == log.catalog().roles.activity_table;
    let mut rows = Vec::new();
    let mut cases = Vec::new();
    for number in numbers {
        if is_activities {
            let events = log.events(number);
            if !events.is_empty() {
                cases.push((number, rows.len()));
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
