//! Folding: what has arrived since the base was made goes into a new base.
//!
//! A fold reads one root and makes another that says the same, with other row
//! numbers. It takes as long as reading the log, so it happens on a thread of
//! its own while commits go on; what they changed meanwhile is noted in the
//! root and applied to the new one, which then takes its place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use pools::Change;

use super::blocks::Chunked;
use super::column::Column;
use super::event_log::{Applied, EventLog, Join};
use super::groups::{EventsOfCases, GroupOf, GroupOfRow, RowsOfGroups, Runs};
use super::keys::Keys;
use super::narrow::Narrow;
use super::table::{NO_CODE, NO_ROW, Table};
use super::words::Words;

/// Rows beside the base below which a fold is not worth it. Tests fold early, so
/// that they meet folds.
const OVERLAY_MIN: usize = if cfg!(test) { 32 } else { 1 << 16 };

/// A fold is due when the overlay has this part of the base.
const OVERLAY_PART: usize = 16;

/// Rows that a commit makes up for at most; more are made up for on a thread.
const ARREARS_MAX: usize = if cfg!(test) { 4 } else { 5_000 };

/// A fold under way.
#[derive(Clone, Debug)]
pub(crate) struct Folding {
    /// The root that it makes; nothing if it failed.
    result: Arc<OnceLock<Option<EventLog>>>,
    /// What has changed since it began.
    since: Chunked<Arc<Change>>,
    rows: usize,
}

impl Folding {
    fn start(work: impl FnOnce() -> EventLog + Send + 'static) -> Self {
        let result = Arc::new(OnceLock::new());
        let promised = result.clone();
        let thread = std::thread::Builder::new().name("fold".into());
        let started = thread.spawn(move || {
            let folded = catch_unwind(AssertUnwindSafe(work)).ok();
            // Nobody else sets it.
            let _ = promised.set(folded);
        });
        if let Err(error) = started {
            tracing::warn!(%error, "no thread could be started to fold an event log");
            let _ = result.set(None);
        }
        Folding { result, since: Chunked::default(), rows: 0 }
    }
}

impl EventLog {
    /// Returns the root that was folded in the background, once it is ready. It
    /// says the same with other row numbers, so whoever keeps one root beside
    /// another takes it between two commits, for both.
    #[must_use]
    pub fn folded_meanwhile(&self) -> Option<EventLog> {
        let folding = self.folding.as_ref()?;
        let Some(folded) = folding.result.get()? else {
            tracing::warn!("an event log could not be folded; it goes on as it is");
            return Some(EventLog { folding: None, ..self.clone() });
        };
        let (mut next, since, number) = (folded.clone(), folding.since.clone(), self.number);
        let make_up = move || {
            for change in since.iter() {
                if let Applied::Reload = next.apply_now(change) {
                    unreachable!("it could be applied before");
                }
            }
            next.number = number;
            next
        };
        if folding.rows > ARREARS_MAX {
            // Too much for one commit to wait for; the root stays another while.
            return Some(EventLog { folding: Some(Folding::start(make_up)), ..self.clone() });
        }
        Some(make_up())
    }

    /// Says whether rows are to keep their numbers. As long as that is so no fold
    /// begins, and one under way is given up.
    pub(crate) fn hold_rows(&mut self, held: bool) {
        self.rows_held = held;
        if held {
            self.folding = None;
        }
    }

    /// Tells whether a fold is under way.
    #[cfg(test)]
    pub(crate) fn is_folding(&self) -> bool {
        self.folding.is_some()
    }

    /// Takes note of a change for a fold under way, or begins one.
    pub(super) fn note(&mut self, change: &Change) {
        if self.rows_held {
            return;
        }
        if let Some(folding) = &mut self.folding {
            folding.rows += change.upserts.len() + change.deletes.len();
            folding.since.push(Arc::new(change.clone()));
            return;
        }
        let overlay: usize = self.tables.iter().map(Table::overlay).sum();
        let rows: usize = self.tables.iter().map(Table::capacity).sum();
        if overlay > OVERLAY_MIN.max(rows / OVERLAY_PART) {
            self.begin_fold();
        }
    }

    /// Begins to fold in the background.
    pub(crate) fn begin_fold(&mut self) {
        let root = self.clone();
        self.folding = Some(Folding::start(move || root.folded()));
    }

    /// Makes a root that says the same with nothing beside its base.
    #[must_use]
    pub fn folded(&self) -> EventLog {
        let roles = &self.catalog.roles;
        let cases = self.case_count();
        let mut orders = Vec::new();
        let mut offsets = Vec::with_capacity(cases as usize + 1);
        for (place, table) in self.tables.iter().enumerate() {
            orders.push(if place == roles.activity_table {
                let mut order = Vec::with_capacity(table.len());
                for case in 0..cases {
                    offsets.push(order.len() as u32);
                    order.extend(self.events.get(case).iter());
                }
                offsets.push(order.len() as u32);
                order.extend(table.rows().filter(|row| self.case_of_event.get(*row) == NO_ROW));
                order
            } else if place == roles.case_table && self.made_up {
                // The row of a case has its number, and returns with it.
                (0..table.capacity() as u32).collect()
            } else {
                table.rows().collect()
            });
        }
        let runs = Runs::new(offsets);
        let case_words = Words::folded(&self.case_keys.words);
        let tables = self.tables.iter().zip(&orders).enumerate();
        let tables: Vec<Table> =
            tables.map(|(place, (table, order))| self.folded_table(place, table, order, &runs, &case_words)).collect();
        let joins = self.joins.iter().map(|join| self.folded_join(join, &orders, &tables)).collect();
        let (case_rows, case_of_row) = if self.made_up {
            (RowsOfGroups::same(NO_ROW), GroupOfRow::new(GroupOf::Same(NO_ROW), usize::MAX))
        } else {
            let order = &orders[roles.case_table];
            let of_row = Narrow::new(order.len(), cases as usize, |place| self.case_of_row.get(order[place]));
            let members = (0..order.len() as u32).map(|row| (of_row.get(row as usize), row));
            let case_rows = RowsOfGroups::new(cases as usize, members.filter(|(case, _)| *case != NO_ROW));
            (case_rows, GroupOfRow::new(GroupOf::Listed(of_row), order.len()))
        };
        let mut case_keys = Keys::new(self.case_keys.is_plain());
        case_keys.words = case_words;
        EventLog {
            number: self.number,
            catalog: self.catalog.clone(),
            tables,
            joins,
            case_keys,
            events: EventsOfCases::new(runs.clone()),
            case_of_event: GroupOfRow::new(GroupOf::Runs(runs), orders[roles.activity_table].len()),
            case_rows,
            case_of_row,
            made_up: self.made_up,
            rows_held: self.rows_held,
            folding: None,
        }
    }

    fn folded_table(&self, place: usize, table: &Table, order: &[u32], runs: &Runs, words: &Arc<Words>) -> Table {
        let roles = &self.catalog.roles;
        let columns = table.columns().enumerate().map(|(own, (name, _))| {
            let column = table.column(own);
            let folded = if !column.is_of_keys() {
                column.folded(order)
            } else if place == roles.activity_table {
                let others = &order[runs.rows() as usize..];
                if others.iter().all(|row| column.code(*row) == NO_CODE) {
                    Column::of_keys(GroupOf::Runs(runs.clone()), order.len(), words.clone())
                } else {
                    column.folded(order)
                }
            } else if self.made_up {
                Column::of_keys(GroupOf::Same(NO_ROW), order.len(), words.clone())
            } else {
                let groups = Narrow::new(order.len(), words.len(), |place| self.case_of_row.get(order[place]));
                Column::of_keys(GroupOf::Listed(groups), order.len(), words.clone())
            };
            (Arc::from(name), folded)
        });
        let mut folded = Table::new(&table.name, columns.collect(), order.len() as u32);
        folded.keep_keys(table);
        if self.made_up && place == roles.case_table {
            for row in order.iter().filter(|row| !table.is_alive(**row)) {
                folded.kill(*row);
            }
        }
        folded
    }

    fn folded_join(&self, join: &Join, orders: &[Vec<u32>], tables: &[Table]) -> Join {
        let mut keys = Keys::new(join.keys.is_plain());
        keys.words = Words::folded(&join.keys.words);
        let order = &orders[join.from];
        let key_of_row = Narrow::new(order.len(), keys.len(), |place| join.key_of_row.get(order[place]));
        let children = (0..order.len() as u32).map(|row| (key_of_row.get(row as usize), row));
        let children = RowsOfGroups::new(keys.len(), children.filter(|(key, _)| *key != NO_ROW));
        // The lists stand in order of arrival, the rows need not.
        let mut moved = vec![NO_ROW; self.tables[join.to].capacity()];
        for (row, before) in orders[join.to].iter().enumerate() {
            moved[*before as usize] = row as u32;
        }
        let mut members = Vec::with_capacity(tables[join.to].len());
        for key in 0..keys.len() as u32 {
            let rows = join.parents.living(key, &self.tables[join.to]);
            members.extend(rows.map(|row| (key, moved[row as usize])));
        }
        let parents = RowsOfGroups::new(keys.len(), members.into_iter());
        Join {
            from: join.from,
            from_columns: join.from_columns.clone(),
            to: join.to,
            to_columns: join.to_columns.clone(),
            key_of_row: GroupOfRow::new(GroupOf::Listed(key_of_row), order.len()),
            keys,
            parents,
            children,
        }
    }
}
