//! The root: tables, joins resolved to row numbers, cases in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pools::rows::{Cell, Column as RowsColumn};
use pools::{Change, CommitNumber, Mode, SEQ_COLUMN};

use super::fold::Folding;
use super::groups::{Events, EventsOfCases, GroupOfRow, RowsOfGroups, Runs};
use super::keys::Keys;
use super::table::{NO_ROW, Table};
use crate::pql::catalog::Catalog;

/// A case: what one case id ties together.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Its events in the order of (time, sorting column, arrival).
    pub events: Events<'a>,
    /// Its row in the case table, or [`NO_ROW`].
    pub row: u32,
}

/// What a commit touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Cases whose own rows or whose 1-side partners changed.
    pub cases: BTreeSet<u32>,
    /// Rows that went or came, each with its table. A row that went is still
    /// to be seen on the root before.
    pub rows: BTreeSet<(usize, u32)>,
    /// Whether a table of the model changed at all.
    pub any: bool,
}

impl Touched {
    /// Adds what another commit touched.
    pub(crate) fn join(&mut self, other: Touched) {
        self.cases.extend(other.cases);
        self.rows.extend(other.rows);
        self.any |= other.any;
    }
}

/// What became of a change.
#[derive(Debug)]
pub enum Applied {
    /// It is in.
    Touched(Touched),
    /// It cannot be applied in place (REPLACE, new or widened columns, a key
    /// that repeats on the 1-side of a join): load the data model anew. The
    /// root must not be used any more.
    Reload,
}

/// A foreign key, from the N-side to the 1-side.
#[derive(Clone, Debug)]
pub(super) struct Join {
    pub(super) from: usize,
    pub(super) from_columns: Vec<usize>,
    pub(super) to: usize,
    pub(super) to_columns: Vec<usize>,
    pub(super) keys: Keys,
    /// Per row of `from` the number of its key.
    pub(super) key_of_row: GroupOfRow,
    /// Rows of `to` by key; the last one counts.
    pub(super) parents: RowsOfGroups,
    /// Rows of `from` by key.
    pub(super) children: RowsOfGroups,
}

/// The tables of a data model at one commit.
///
/// Row numbers hold for one root, for a later one may have been folded
/// meanwhile; the numbers of cases hold for the whole line of roots.
#[derive(Clone, Debug)]
pub struct EventLog {
    /// The commit up to which everything is in.
    pub number: CommitNumber,
    pub(super) catalog: Arc<Catalog>,
    pub(super) tables: Vec<Table>,
    /// Without the one from activities to cases, which stands in `events`.
    pub(super) joins: Vec<Join>,
    /// The case ids; the number of the key is the number of the case.
    pub(super) case_keys: Keys,
    pub(super) events: EventsOfCases,
    pub(super) case_of_event: GroupOfRow,
    pub(super) case_rows: RowsOfGroups,
    pub(super) case_of_row: GroupOfRow,
    /// The case table was made by us; the row of a case has its number.
    pub(super) made_up: bool,
    /// Row numbers are to stay as they are.
    pub(super) rows_held: bool,
    pub(super) folding: Option<Folding>,
}

impl EventLog {
    /// Returns the tables, columns and joins, for checking queries.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Returns the table at a 0-based place of the catalog.
    pub fn table(&self, place: usize) -> &Table {
        &self.tables[place]
    }

    /// Returns how many case numbers were given, empty cases included.
    pub fn case_count(&self) -> u32 {
        self.case_keys.len() as u32
    }

    /// Returns a case by its number.
    pub fn case(&self, case: u32) -> Case<'_> {
        Case { events: self.events.get(case), row: self.case_row(case) }
    }

    /// Returns the events of a case in their order.
    #[inline]
    pub fn events(&self, case: u32) -> Events<'_> {
        self.events.get(case)
    }

    /// Returns the events of all cases as runs of rows that follow each other
    /// from the first one, if no case was touched since the base was made.
    pub(crate) fn runs(&self) -> Option<&Runs> {
        self.events.untouched()
    }

    /// Returns the row of a case in the case table, or [`NO_ROW`].
    #[inline]
    pub fn case_row(&self, case: u32) -> u32 {
        self.case_rows.last(case, &self.tables[self.catalog.roles.case_table])
    }

    /// Returns how many rows of the activity table are no events, because
    /// their case, activity or time is missing.
    pub fn excluded(&self) -> usize {
        self.tables[self.catalog.roles.activity_table].len() - self.events.count()
    }

    /// Returns how many events there are.
    pub fn event_count(&self) -> usize {
        self.events.count()
    }

    /// Returns the row on the 1-side of a join of the catalog.
    #[inline]
    pub fn partner(&self, join: usize, row: u32) -> Option<u32> {
        let partner = match join {
            0 => match self.case_of_event.get(row) {
                NO_ROW => NO_ROW,
                case => self.case_row(case),
            },
            join => {
                let join = &self.joins[join - 1];
                match join.key_of_row.get(row) {
                    NO_ROW => NO_ROW,
                    key => join.parents.last(key, &self.tables[join.to]),
                }
            }
        };
        (partner != NO_ROW).then_some(partner)
    }

    /// Goes through the rows on the N-side of a join other than the first.
    pub fn children(&self, join: usize, row: u32) -> impl Iterator<Item = u32> + '_ {
        let join = &self.joins[join - 1];
        let cells = self.tables[join.to].cells(row, &join.to_columns);
        let key = Keys::write(join.keys.is_plain(), cells, |key| join.keys.words.find(key)).flatten();
        key.into_iter().flat_map(|key| join.children.living(key, &self.tables[join.from]))
    }

    /// Returns the case of an activity or of a row of the case table.
    pub fn case_of(&self, table: usize, row: u32) -> Option<u32> {
        let roles = &self.catalog.roles;
        let case = if table == roles.activity_table {
            self.case_of_event.get(row)
        } else if table == roles.case_table {
            self.case_of_row.get(row)
        } else {
            NO_ROW
        };
        (case != NO_ROW).then_some(case)
    }

    /// Applies what one commit changed.
    pub fn apply(&mut self, change: &Change) -> Applied {
        let applied = self.apply_now(change);
        if let Applied::Touched(_) = applied {
            self.note(change);
        }
        applied
    }

    pub(super) fn apply_now(&mut self, change: &Change) -> Applied {
        self.number = change.number;
        let mut touched = Touched::default();
        let own = self.tables.len() - usize::from(self.made_up);
        let place = self.tables[..own].iter().position(|table| table.name.eq_ignore_ascii_case(&change.table));
        let Some(table) = place else { return Applied::Touched(touched) };
        let arriving = change.upserts.columns().iter().filter(|column| column.name != SEQ_COLUMN);
        if change.mode == Mode::Replace || !self.tables[table].takes(arriving) {
            return Applied::Reload;
        }
        touched.any = true;
        let mut fresh = Fresh::default();
        if let Mode::Upsert { keys, .. } = &change.mode {
            self.tables[table].set_keys(keys);
            for rows in [&change.deletes, &change.upserts] {
                for row in 0..rows.len() {
                    for old in self.tables[table].rows_with_key(rows, row) {
                        self.touch(table, old, &mut touched.cases);
                        touched.rows.insert((table, old));
                        self.remove(table, old, &mut fresh);
                    }
                }
            }
        }
        let names = self.tables[table].columns();
        let columns: Vec<Option<&RowsColumn>> = names.map(|(name, _)| change.upserts.column(name)).collect();
        let mut arrived = Vec::new();
        for row in 0..change.upserts.len() {
            let cell = |place: usize| columns[place].map_or(Cell::Null, |column| column.cell(row));
            let number = self.tables[table].push(cell);
            self.link(table, number, &mut fresh);
            arrived.push(number);
        }
        self.settle(&fresh);
        if arrived.iter().any(|row| self.is_second(table, *row)) {
            return Applied::Reload;
        }
        for row in arrived {
            self.touch(table, row, &mut touched.cases);
            touched.rows.insert((table, row));
        }
        Applied::Touched(touched)
    }

    /// Tells whether a row repeats a key of the 1-side of a join, so that it is
    /// to be seen anew which side that is.
    fn is_second(&self, table: usize, row: u32) -> bool {
        let own = &self.tables[table];
        let mut into = self.joins.iter().filter(|join| join.to == table);
        into.any(|join| {
            let cells = own.cells(row, &join.to_columns);
            let key = Keys::write(join.keys.is_plain(), cells, |key| join.keys.words.find(key)).flatten();
            key.is_some_and(|key| join.parents.living(key, own).nth(1).is_some())
        })
    }

    fn link(&mut self, table: usize, row: u32, fresh: &mut Fresh) {
        let roles = &self.catalog.roles;
        let (activities, cases, case_key) = (roles.activity_table, roles.case_table, roles.case_table_column);
        if table == activities {
            let (case_column, needed) = (roles.case_column, [roles.activity_column, roles.timestamp_column]);
            let is_event = self.tables[table].cells(row, &needed).all(|cell| cell != Cell::Null);
            let case = if is_event { self.case_number(table, row, case_column) } else { NO_ROW };
            self.case_of_event.push(case);
            if case != NO_ROW {
                fresh.events.entry(case).or_default().push(row);
            }
        }
        if table == cases && !self.made_up {
            let case = self.case_number(table, row, case_key);
            self.case_of_row.push(case);
            if case != NO_ROW {
                self.case_rows.push(case, row, &self.tables[table]);
            }
        }
        self.link_joins(table, row);
    }

    fn link_joins(&mut self, table: usize, row: u32) {
        for join in &mut self.joins {
            let own = &self.tables[table];
            if join.from == table {
                let key = join.keys.number(own.cells(row, &join.from_columns));
                join.key_of_row.push(key.unwrap_or(NO_ROW));
                if let Some(key) = key {
                    join.children.push(key, row, own);
                }
            }
            if join.to == table
                && let Some(key) = join.keys.number(own.cells(row, &join.to_columns))
            {
                join.parents.push(key, row, own);
            }
        }
    }

    fn remove(&mut self, table: usize, row: u32, fresh: &mut Fresh) {
        if table == self.catalog.roles.activity_table
            && let Some(case) = self.case_of(table, row)
        {
            fresh.events.entry(case).or_default();
        }
        self.tables[table].kill(row);
    }

    /// Returns the case of a row's key, or [`NO_ROW`].
    fn case_number(&mut self, table: usize, row: u32, column: usize) -> u32 {
        let known = self.case_keys.len();
        let number = self.case_keys.number(self.tables[table].cells(row, &[column]));
        let Some(number) = number else { return NO_ROW };
        if self.made_up && self.case_keys.len() > known {
            let place = self.catalog.roles.case_table;
            let [activities, cases] = self.tables.get_disjoint_mut([table, place]).expect("they are two tables");
            let row = cases.push(|_| activities.column(column).cell(row));
            self.link_joins(place, row);
        }
        number
    }

    /// Puts the events of changed cases in order. A made-up case row lives as
    /// long as its case has events.
    fn settle(&mut self, fresh: &Fresh) {
        let roles = self.catalog.roles.clone();
        for (case, arrived) in &fresh.events {
            let activities = &self.tables[roles.activity_table];
            let mut events: Vec<u32> = self.events.get(*case).iter().chain(arrived.iter().copied()).collect();
            events.retain(|row| activities.is_alive(*row));
            let time = activities.column(roles.timestamp_column);
            let sorting = roles.sorting_column.map(|place| activities.column(place));
            events.sort_by(|one, other| {
                let tie = || sorting.map_or(std::cmp::Ordering::Equal, |column| column.compare(*one, *other));
                time.compare(*one, *other).then_with(tie).then_with(|| one.cmp(other))
            });
            if self.made_up {
                let table = &mut self.tables[roles.case_table];
                match (table.is_alive(*case), events.is_empty()) {
                    (true, true) => table.kill(*case),
                    (false, false) => table.revive(*case),
                    _ => {}
                }
            }
            self.events.put(*case, events);
        }
    }

    /// Collects the cases that see a row: its own, or those from which joins
    /// lead to it.
    fn touch(&self, table: usize, row: u32, cases: &mut BTreeSet<u32>) {
        let roles = &self.catalog.roles;
        if table == roles.activity_table || table == roles.case_table {
            cases.extend(self.case_of(table, row));
        }
        for (place, join) in self.joins.iter().enumerate() {
            let down = join.to == table && table != roles.case_table;
            if down {
                for child in self.children(place + 1, row) {
                    self.touch(join.from, child, cases);
                }
            }
        }
        self.touch_upwards(table, row, cases);
    }

    /// Follows joins to the 1-side as long as they lead to the case table.
    fn touch_upwards(&self, table: usize, row: u32, cases: &mut BTreeSet<u32>) {
        let roles = &self.catalog.roles;
        if table == roles.case_table || table == roles.activity_table {
            cases.extend(self.case_of(table, row));
            return;
        }
        for (place, join) in self.joins.iter().enumerate() {
            if join.from == table
                && self.catalog.leads_to(join.to, roles.case_table)
                && let Some(partner) = self.partner(place + 1, row)
            {
                self.touch_upwards(join.to, partner, cases);
            }
        }
    }
}

/// Events that arrived, by case; an empty list says that one has gone.
#[derive(Default)]
struct Fresh {
    events: BTreeMap<u32, Vec<u32>>,
}
