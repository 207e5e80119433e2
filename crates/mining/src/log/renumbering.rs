//! Which number a row has after a fold.
//!
//! A fold keeps the living rows of a table in their order, the events of cases
//! apart, and so does what a commit does to a root before and after it. So the
//! first living row of one root is the first of the other, and so on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::event_log::EventLog;
use super::table::NO_ROW;

/// From the rows of a root to those of one that says the same.
pub(crate) struct Renumbering<'a> {
    before: &'a EventLog,
    now: &'a EventLog,
    /// Made when somebody asks for a row of the table.
    tables: RefCell<HashMap<usize, Rc<Vec<u32>>>>,
}

impl<'a> Renumbering<'a> {
    /// Stands between a root and what it was folded into.
    pub(crate) fn new(before: &'a EventLog, now: &'a EventLog) -> Self {
        Renumbering { before, now, tables: RefCell::default() }
    }

    /// Returns what number a row has now, or [`NO_ROW`] if it no longer lives.
    ///
    /// Not for the activity table, whose rows change their order: its events
    /// are named by their case, which keeps its number.
    pub(crate) fn row(&self, table: usize, row: u32) -> u32 {
        let known = self.tables.borrow().get(&table).cloned();
        let rows = known.unwrap_or_else(|| {
            let made = Rc::new(self.made(table));
            self.tables.borrow_mut().insert(table, made.clone());
            made
        });
        rows.get(row as usize).copied().unwrap_or(NO_ROW)
    }

    fn made(&self, table: usize) -> Vec<u32> {
        assert_ne!(table, self.before.catalog().roles.activity_table, "events are named by their case");
        let (before, now) = (self.before.table(table), self.now.table(table));
        assert_eq!(before.len(), now.len(), "a fold keeps the rows of table \"{}\"", before.name);
        let mut rows = vec![NO_ROW; before.capacity()];
        for (old, new) in before.rows().zip(now.rows()) {
            rows[old as usize] = new;
        }
        rows
    }
}
