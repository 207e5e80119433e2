//! What differs between the root before a commit and the one after it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::log::{EventLog, Touched};
use crate::pql::catalog::Path;

/// Two roots and what differs between them.
pub(super) struct Roots<'a> {
    pub(super) before: Arc<EventLog>,
    pub(super) now: Arc<EventLog>,
    pub(super) touched: &'a Touched,
    /// Rows of a table that changed or whose 1-side did.
    rows: RefCell<HashMap<usize, Arc<BTreeSet<u32>>>>,
}

impl<'a> Roots<'a> {
    pub(super) fn new(before: Arc<EventLog>, now: Arc<EventLog>, touched: &'a Touched) -> Self {
        Roots { before, now, touched, rows: RefCell::default() }
    }

    /// Lists the rows of a table that changed or whose 1-side did.
    pub(super) fn rows(&self, table: usize) -> Arc<BTreeSet<u32>> {
        let found = || Arc::new(dirty_rows(&self.before, &self.now, self.touched, table));
        self.rows.borrow_mut().entry(table).or_insert_with(found).clone()
    }
}

/// Lists the rows of a table that a commit changed, or whose 1-side it did.
pub(crate) fn dirty_rows(before: &EventLog, now: &EventLog, touched: &Touched, table: usize) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for (changed, row) in &touched.rows {
        for log in [before, now] {
            if (*row as usize) < log.table(*changed).capacity()
                && let Path::Over(joins) = log.catalog().path(table, *changed)
            {
                // From the changed row downwards. Where the way leads over the
                // events of a case, its rows come with the case.
                if joins.contains(&0) {
                    continue;
                }
                let down =
                    |rows: Vec<u32>, join: &usize| rows.into_iter().flat_map(|row| log.children(*join, row)).collect();
                found.extend(joins.iter().rev().fold(vec![*row], down));
            }
        }
    }
    found
}

/// Tells whether a row of a table below the case belongs to one.
pub(crate) fn has_case(log: &EventLog, table: usize, row: u32) -> bool {
    let case_table = log.catalog().roles.case_table;
    let Path::Over(joins) = log.catalog().path(table, case_table) else { return false };
    let reached = joins.iter().try_fold(row, |row, join| log.partner(*join, row));
    let case = reached.and_then(|row| log.case_of(case_table, row).map(|case| (case, row)));
    case.is_some_and(|(case, row)| log.case(case).row == row)
}
