//! The root: tables, joins resolved to row numbers, cases in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pools::rows::{Cell, ColumnType};
use pools::{Change, CommitNumber, DataModel, Mode, Rows, SEQ_COLUMN};

use super::blocks::{Chunked, Sharded};
use super::sides::directed;
use super::table::{Key, NO_ROW, Table};
use crate::pql::catalog::{Catalog, CatalogTable, Roles};

/// A case: what one case id ties together.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its events in the order of (time, sorting column, arrival).
    pub events: Arc<[u32]>,
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
    /// that repeats on the 1-side of a join): load the data model anew. The root must not be used any more.
    Reload,
}

#[derive(Clone, Debug)]
struct Join {
    from: usize,
    from_columns: Vec<usize>,
    to: usize,
    to_columns: Vec<usize>,
    /// Per row of `from` its partner, or [`NO_ROW`].
    partner: Chunked<u32>,
    /// Rows of `to` by key, in order of arrival; the last one counts.
    parents: Sharded<Key, Vec<u32>>,
    children: Sharded<Key, Vec<u32>>,
}

/// The tables of a data model at one commit.
#[derive(Clone, Debug)]
pub struct EventLog {
    /// The commit up to which everything is in.
    pub number: CommitNumber,
    catalog: Arc<Catalog>,
    tables: Vec<Table>,
    /// Without the one from activities to cases, which stands in `cases`.
    joins: Vec<Join>,
    cases: Chunked<Case>,
    case_numbers: Sharded<Key, u32>,
    case_of_event: Chunked<u32>,
    case_of_row: Chunked<u32>,
    /// The case table was made by us.
    made_up: bool,
}

impl EventLog {
    /// Makes a log of rows that were read at one commit number, one `Rows` per
    /// table of the model, in its order, with the push keys of each.
    pub fn new(model: &DataModel, loaded: &[(Rows, Vec<String>)], number: CommitNumber) -> Result<Self, String> {
        let model = &*directed(model, loaded)?;
        let mut tables = Vec::new();
        for (name, (rows, keys)) in model.tables.iter().zip(loaded) {
            let columns = rows.schema().columns.into_iter().filter(|column| column.name != SEQ_COLUMN);
            let mut table = Table::new(name, columns.map(|column| (column.name, column.column_type)));
            table.set_keys(keys);
            tables.push(table);
        }
        let (roles, made_up) = roles(model, &mut tables)?;
        let mut joins = Vec::new();
        for key in &model.foreign_keys {
            let (from, from_columns) = side(&tables, &key.from_table, &key.from_columns)?;
            let (to, to_columns) = side(&tables, &key.to_table, &key.to_columns)?;
            if from_columns.len() != to_columns.len() || from_columns.is_empty() {
                return Err(format!(
                    "the foreign key from \"{}\" to \"{}\" needs as many columns on both sides",
                    key.from_table, key.to_table
                ));
            }
            // Activities and cases are joined by their roles already.
            if (from, to) != (roles.activity_table, roles.case_table) {
                joins.push(Join {
                    from,
                    from_columns,
                    to,
                    to_columns,
                    partner: Chunked::default(),
                    parents: Sharded::default(),
                    children: Sharded::default(),
                });
            }
        }
        let catalog = catalog(&tables, &joins, roles);
        for (many, one) in &catalog.joins {
            if catalog.leads_to(*one, *many) {
                let [many, one] = [many, one].map(|table| &catalog.tables[*table].name);
                return Err(format!("its foreign keys go round in a circle over \"{many}\" and \"{one}\""));
            }
        }
        let mut log = EventLog {
            number,
            catalog: Arc::new(catalog),
            tables,
            joins,
            cases: Chunked::default(),
            case_numbers: Sharded::default(),
            case_of_event: Chunked::default(),
            case_of_row: Chunked::default(),
            made_up,
        };
        let mut fresh = Fresh::default();
        for (table, (rows, _)) in loaded.iter().enumerate() {
            for row in 0..rows.len() {
                log.insert(table, rows, row, &mut fresh);
            }
        }
        log.settle(&fresh);
        Ok(log)
    }

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
        self.cases.len() as u32
    }

    /// Returns a case by its number.
    pub fn case(&self, case: u32) -> &Case {
        self.cases.get(case as usize)
    }

    /// Returns how many rows of the activity table are no events, because
    /// their case, activity or time is missing.
    pub fn excluded(&self) -> usize {
        let events: usize = self.cases.iter().map(|case| case.events.len()).sum();
        self.tables[self.catalog.roles.activity_table].len() - events
    }

    /// Returns the row on the 1-side of a join of the catalog.
    pub fn partner(&self, join: usize, row: u32) -> Option<u32> {
        let partner = match join {
            0 => match *self.case_of_event.get(row as usize) {
                NO_ROW => NO_ROW,
                case => self.case(case).row,
            },
            join => *self.joins[join - 1].partner.get(row as usize),
        };
        (partner != NO_ROW).then_some(partner)
    }

    /// Returns the rows on the N-side of a join other than the first.
    pub fn children(&self, join: usize, row: u32) -> &[u32] {
        let join = &self.joins[join - 1];
        let key = self.tables[join.to].key(row, &join.to_columns);
        key.and_then(|key| join.children.get(&key)).map_or(&[], Vec::as_slice)
    }

    /// Returns the case of an activity or of a row of the case table.
    pub fn case_of(&self, table: usize, row: u32) -> Option<u32> {
        let roles = &self.catalog.roles;
        let case = if table == roles.activity_table {
            *self.case_of_event.get(row as usize)
        } else if table == roles.case_table {
            *self.case_of_row.get(row as usize)
        } else {
            NO_ROW
        };
        (case != NO_ROW).then_some(case)
    }

    /// Applies what one commit changed.
    pub fn apply(&mut self, change: &Change) -> Applied {
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
        let mut arrived = Vec::new();
        for row in 0..change.upserts.len() {
            arrived.push(self.insert(table, &change.upserts, row, &mut fresh));
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
        let into = self.joins.iter().filter(|join| join.to == table);
        into.filter_map(|join| join.parents.get(&self.tables[table].key(row, &join.to_columns)?))
            .any(|rows| rows.len() > 1)
    }

    fn insert(&mut self, table: usize, rows: &Rows, row: usize, fresh: &mut Fresh) -> u32 {
        let names: Vec<_> = self.tables[table].columns().map(|(name, _)| rows.column(name)).collect();
        let cells = |place: usize| names[place].map_or(Cell::Null, |column| column.cell(row));
        // The names borrow from `rows` only, once collected.
        let number = {
            let cells: Vec<Cell<'_>> = (0..names.len()).map(cells).collect();
            self.tables[table].push(|place| cells[place])
        };
        self.link(table, number, fresh);
        number
    }

    fn link(&mut self, table: usize, row: u32, fresh: &mut Fresh) {
        let roles = self.catalog.roles.clone();
        if table == roles.activity_table {
            let own = &self.tables[table];
            let is_event = own.key(row, &[roles.activity_column, roles.timestamp_column]).is_some();
            let key = own.key(row, &[roles.case_column]).filter(|_| is_event);
            let case = key.map_or(NO_ROW, |key| self.case_number(key));
            self.case_of_event.push(case);
            if case != NO_ROW {
                fresh.events.entry(case).or_default().push(row);
            }
        }
        if table == roles.case_table && !self.made_up {
            let key = self.tables[table].key(row, &[roles.case_table_column]);
            let case = key.map_or(NO_ROW, |key| self.case_number(key));
            self.case_of_row.push(case);
            if case != NO_ROW {
                // Rows come in order of arrival, so the last one counts.
                let known = self.case(case).clone();
                self.cases.set(case as usize, Case { row, ..known });
            }
        }
        for place in 0..self.joins.len() {
            if self.joins[place].from == table {
                let key = self.tables[table].key(row, &self.joins[place].from_columns);
                let join = &mut self.joins[place];
                let partner = key.as_ref().and_then(|key| join.parents.get(key)).and_then(|rows| rows.last());
                let partner = partner.copied().unwrap_or(NO_ROW);
                join.partner.push(partner);
                if let Some(key) = key {
                    join.children.change(&key, |rows| rows.push(row), |_| true);
                }
            }
            if self.joins[place].to == table {
                self.change_parent(place, row, |rows| rows.push(row));
            }
        }
    }

    /// Changes the rows of a key on the 1-side and points the N-side to what
    /// counts now.
    fn change_parent(&mut self, place: usize, row: u32, change: impl FnOnce(&mut Vec<u32>)) {
        let join = &mut self.joins[place];
        let Some(key) = self.tables[join.to].key(row, &join.to_columns) else { return };
        let counts = join.parents.change(
            &key,
            |rows| {
                change(rows);
                rows.last().copied().unwrap_or(NO_ROW)
            },
            |rows| !rows.is_empty(),
        );
        for child in join.children.get(&key).cloned().unwrap_or_default() {
            join.partner.set(child as usize, counts);
        }
    }

    fn remove(&mut self, table: usize, row: u32, fresh: &mut Fresh) {
        let roles = self.catalog.roles.clone();
        for place in 0..self.joins.len() {
            if self.joins[place].to == table {
                self.change_parent(place, row, |rows| rows.retain(|other| *other != row));
            }
            let join = &mut self.joins[place];
            if join.from == table
                && let Some(key) = self.tables[table].key(row, &join.from_columns)
            {
                let without = |rows: &mut Vec<u32>| rows.retain(|other| *other != row);
                join.children.change(&key, without, |rows| !rows.is_empty());
                join.partner.set(row as usize, NO_ROW);
            }
        }
        let case = self.case_of(table, row);
        self.tables[table].kill(row);
        let Some(case) = case else { return };
        if table == roles.activity_table {
            fresh.events.entry(case).or_default();
            self.case_of_event.set(row as usize, NO_ROW);
        }
        if table == roles.case_table {
            self.case_of_row.set(row as usize, NO_ROW);
            let known = self.case(case).clone();
            if known.row == row {
                self.cases.set(case as usize, Case { row: NO_ROW, ..known });
            }
        }
    }

    fn case_number(&mut self, key: Key) -> u32 {
        if let Some(number) = self.case_numbers.get(&key) {
            return *number;
        }
        let number = self.cases.len() as u32;
        let mut row = NO_ROW;
        if self.made_up {
            let place = self.catalog.roles.case_table;
            row = self.tables[place].push_key(&key[0]);
            self.case_of_row.push(number);
            for join in &mut self.joins {
                if join.from == place {
                    join.partner.push(NO_ROW);
                }
            }
        }
        self.cases.push(Case { events: Arc::from([]), row });
        self.case_numbers.insert(key, number);
        number
    }

    /// Puts the events of changed cases in order. A made-up case row lives as
    /// long as its case has events.
    fn settle(&mut self, fresh: &Fresh) {
        let roles = self.catalog.roles.clone();
        for (case, arrived) in &fresh.events {
            let activities = &self.tables[roles.activity_table];
            let known = self.case(*case).clone();
            let mut events: Vec<u32> = known.events.iter().chain(arrived).copied().collect();
            events.retain(|row| activities.is_alive(*row));
            let time = activities.column(roles.timestamp_column);
            let sorting = roles.sorting_column.map(|place| activities.column(place));
            events.sort_by(|one, other| {
                let tie = || sorting.map_or(std::cmp::Ordering::Equal, |column| column.compare(*one, *other));
                time.compare(*one, *other).then_with(tie).then_with(|| one.cmp(other))
            });
            if self.made_up && known.row != NO_ROW {
                let table = &mut self.tables[roles.case_table];
                match (table.is_alive(known.row), events.is_empty()) {
                    (true, true) => table.kill(known.row),
                    (false, false) => table.revive(known.row),
                    _ => {}
                }
            }
            self.cases.set(*case as usize, Case { events: events.into(), row: known.row });
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
                for child in self.children(place + 1, row).to_vec() {
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

fn side(tables: &[Table], table: &str, columns: &[String]) -> Result<(usize, Vec<usize>), String> {
    let place = find(tables, table)?;
    let columns: Result<_, _> = columns.iter().map(|column| column_of(&tables[place], column)).collect();
    Ok((place, columns?))
}

fn find(tables: &[Table], name: &str) -> Result<usize, String> {
    let place = tables.iter().position(|table| table.name.eq_ignore_ascii_case(name));
    place.ok_or_else(|| format!("table \"{name}\" is not among its tables"))
}

fn column_of(table: &Table, column: &str) -> Result<usize, String> {
    table.position(column).ok_or_else(|| format!("table \"{}\" has no column \"{column}\"", table.name))
}

fn roles(model: &DataModel, tables: &mut Vec<Table>) -> Result<(Roles, bool), String> {
    let activity = &model.activity;
    let activity_table = find(tables, &activity.table)?;
    let own = &tables[activity_table];
    let case_column = column_of(own, &activity.case_column)?;
    let optional = |column: &Option<String>| column.as_ref().map(|column| column_of(own, column)).transpose();
    let timestamp_column = column_of(own, &activity.timestamp_column)?;
    if own.row_type(timestamp_column) != ColumnType::Time {
        return Err(format!("column \"{}\" of \"{}\" does not hold times", activity.timestamp_column, own.name));
    }
    let activity_column = column_of(own, &activity.activity_column)?;
    let end_timestamp_column = optional(&activity.end_timestamp_column)?;
    let sorting_column = optional(&activity.sorting_column)?;
    let (case_table, case_table_column, made_up) = if let Some(name) = &activity.case_table {
        let place = find(tables, name)?;
        let column = activity.case_table_column.as_ref().unwrap_or(&activity.case_column);
        (place, column_of(&tables[place], column)?, false)
    } else {
        let column = (activity.case_column.clone(), own.row_type(case_column));
        let made_up = Table::new(&format!("{}_CASES", own.name), [column]);
        tables.push(made_up);
        (tables.len() - 1, 0, true)
    };
    let roles = Roles {
        activity_table,
        case_column,
        activity_column,
        timestamp_column,
        end_timestamp_column,
        sorting_column,
        case_table,
        case_table_column,
    };
    Ok((roles, made_up))
}

fn catalog(tables: &[Table], joins: &[Join], roles: Roles) -> Catalog {
    let described = tables.iter().map(|table| CatalogTable {
        name: table.name.clone(),
        columns: table.columns().map(|(name, column_type)| (name.to_owned(), column_type)).collect(),
    });
    let first = (roles.activity_table, roles.case_table);
    let joins = std::iter::once(first).chain(joins.iter().map(|join| (join.from, join.to))).collect();
    Catalog { tables: described.collect(), joins, roles }
}
