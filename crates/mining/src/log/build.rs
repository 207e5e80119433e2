//! From rows that were read to a root, all at once.
//!
//! Cases are numbered as they first appear, events are counted into their
//! cases and put in order there, and only then are the columns packed, each
//! straight into its place. So a load reads its rows a few times from end to
//! end and makes nothing per row, and a column that was read goes as soon as it
//! is packed: hardly anything is in memory twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use pools::rows::{Cell, Column as RowsColumn, ColumnType, Values};
use pools::{CommitNumber, DataModel, Rows, SEQ_COLUMN};

use super::column::Column;
use super::event_log::{EventLog, Join};
use super::groups::{EventsOfCases, GroupOf, GroupOfRow, RowsOfGroups, Runs};
use super::keys::Keys;
use super::narrow::{Narrow, fill, threads};
use super::sides::directed;
use super::table::{NO_ROW, Table};
use super::words::{WordBlock, Words, hash};
use crate::pql::catalog::{Catalog, CatalogTable, Roles};

/// A table that was read. Its columns go as they are packed.
pub(super) struct Loaded<'a> {
    /// Without the hidden one.
    pub(super) columns: Vec<Cow<'a, RowsColumn>>,
    pub(super) length: usize,
    /// Its push keys.
    pub(super) keys: Cow<'a, [String]>,
}

impl Loaded<'_> {
    /// Finds a column by its name, ignoring case.
    pub(super) fn column(&self, name: &str) -> Option<&RowsColumn> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)).map(Cow::as_ref)
    }
}

impl EventLog {
    /// Makes a log of rows that were read at one commit number, one `Rows` per
    /// table of the model, in its order, with the push keys of each.
    pub fn new(model: &DataModel, loaded: &[(Rows, Vec<String>)], number: CommitNumber) -> Result<Self, String> {
        let loaded = loaded.iter().map(|(rows, keys)| {
            let columns = rows.columns().iter().filter(|column| column.name != SEQ_COLUMN);
            Loaded { columns: columns.map(Cow::Borrowed).collect(), length: rows.len(), keys: Cow::Borrowed(keys) }
        });
        EventLog::pack(model, loaded.collect(), number)
    }

    /// Makes the same and gives up each column as soon as it is packed.
    pub fn of_rows(model: &DataModel, loaded: Vec<(Rows, Vec<String>)>, number: CommitNumber) -> Result<Self, String> {
        let loaded = loaded.into_iter().map(|(rows, keys)| {
            let length = rows.len();
            let columns = rows.into_columns().into_iter().filter(|column| column.name != SEQ_COLUMN);
            Loaded { columns: columns.map(Cow::Owned).collect(), length, keys: Cow::Owned(keys) }
        });
        EventLog::pack(model, loaded.collect(), number)
    }

    fn pack(model: &DataModel, mut loaded: Vec<Loaded<'_>>, number: CommitNumber) -> Result<Self, String> {
        let model = &*directed(model, &loaded)?;
        let shapes = shapes(model, &loaded)?;
        let roles = &shapes.catalog.roles;
        let cases = Cases::number(&shapes, &loaded);
        let mut tables = Vec::new();
        for (place, (name, read)) in model.tables.iter().zip(&mut loaded).enumerate() {
            let order = (place == roles.activity_table).then_some(cases.order.as_slice());
            let columns = std::mem::take(&mut read.columns).into_iter();
            let columns = columns.enumerate().map(|(own, column)| {
                let packed = match cases.groups_of(place, own, &shapes) {
                    Some(groups) => Column::of_keys(groups, read.length, cases.keys.words.clone()),
                    None => Column::of_rows(&column, order),
                };
                (Arc::from(column.name.as_str()), packed)
            });
            let mut table = Table::new(name, columns.collect(), read.length as u32);
            table.set_keys(&read.keys);
            tables.push(table);
        }
        if shapes.made_up {
            tables.push(cases.made_up_table(&shapes, &tables[roles.activity_table]));
        }
        let arrival = || {
            let mut arrival = vec![0; cases.order.len()];
            for (row, arrived) in cases.order.iter().enumerate() {
                arrival[*arrived as usize] = row as u32;
            }
            arrival
        };
        let joins = shapes.joins.iter().map(|join| {
            let is_activities = join.to == roles.activity_table;
            let arrival = is_activities.then(arrival);
            join.resolve(&tables, arrival.as_deref())
        });
        let joins = joins.collect();
        let runs = cases.runs.clone();
        let (case_rows, case_of_row) = if shapes.made_up {
            (RowsOfGroups::same(NO_ROW), GroupOfRow::new(GroupOf::Same(NO_ROW), usize::MAX))
        } else {
            let rows = cases.of_row.len();
            let members = (0..rows as u32).map(|row| (cases.of_row.get(row as usize), row));
            let members = members.filter(|(case, _)| *case != NO_ROW);
            let of_row = GroupOf::Listed(cases.of_row.clone());
            (RowsOfGroups::new(cases.keys.len(), members), GroupOfRow::new(of_row, rows))
        };
        Ok(EventLog {
            number,
            catalog: Arc::new(shapes.catalog),
            tables,
            joins,
            case_keys: cases.keys,
            events: EventsOfCases::new(runs.clone()),
            case_of_event: GroupOfRow::new(GroupOf::Runs(runs), cases.order.len()),
            case_rows,
            case_of_row,
            made_up: shapes.made_up,
            rows_held: false,
            folding: None,
        })
    }
}

/// What is known of a data model before its rows are packed.
struct Shapes {
    catalog: Catalog,
    joins: Vec<Shape>,
    made_up: bool,
}

/// A foreign key by places.
struct Shape {
    from: usize,
    from_columns: Vec<usize>,
    to: usize,
    to_columns: Vec<usize>,
}

impl Shape {
    fn resolve(&self, tables: &[Table], arrival: Option<&[u32]>) -> Join {
        let (from, to) = (&tables[self.from], &tables[self.to]);
        let is_text =
            |table: &Table, columns: &[usize]| columns.len() == 1 && table.row_type(columns[0]) == ColumnType::Text;
        let plain = is_text(from, &self.from_columns) && is_text(to, &self.to_columns);
        let mut block = WordBlock::default();
        let of_to = number_packed(&mut block, plain, to, &self.to_columns);
        let of_from = number_packed(&mut block, plain, from, &self.from_columns);
        let groups = block.len();
        let mut keys = Keys::new(plain);
        keys.words = Arc::new(Words::from(block));
        let present = |(key, _): &(u32, u32)| *key != NO_ROW;
        let parents = match arrival {
            Some(arrival) => {
                let members = arrival.iter().map(|row| (of_to[*row as usize], *row));
                RowsOfGroups::new(groups, members.filter(present))
            }
            None => RowsOfGroups::new(groups, of_to.iter().copied().zip(0..).filter(present)),
        };
        let children = RowsOfGroups::new(groups, of_from.iter().copied().zip(0..).filter(present));
        let key_of_row = GroupOf::Listed(Narrow::new(of_from.len(), groups, |row| of_from[row]));
        Join {
            from: self.from,
            from_columns: self.from_columns.clone(),
            to: self.to,
            to_columns: self.to_columns.clone(),
            keys,
            key_of_row: GroupOfRow::new(key_of_row, of_from.len()),
            parents,
            children,
        }
    }
}

/// Numbers the keys of a packed table's rows.
fn number_packed(block: &mut WordBlock, plain: bool, table: &Table, columns: &[usize]) -> Vec<u32> {
    let mut number = |row: u32| Keys::write(plain, table.cells(row, columns), |key| block.code(key)).unwrap_or(NO_ROW);
    let rows = 0..table.capacity() as u32;
    let &[column] = columns else { return rows.map(number).collect() };
    // One column repeats itself: a value is looked up once.
    let column = table.column(column);
    match column.rows_type() {
        ColumnType::Text => {
            let mut known = vec![NO_ROW; column.words().len()];
            let of = |row| match column.code(row) {
                super::table::NO_CODE => NO_ROW,
                code if known[code as usize] != NO_ROW => known[code as usize],
                code => {
                    known[code as usize] = number(row);
                    known[code as usize]
                }
            };
            rows.map(of).collect()
        }
        ColumnType::Float => rows.map(number).collect(),
        _ => {
            let mut known = HashMap::new();
            let of = |row| column.int(row).map_or(NO_ROW, |value| *known.entry(value).or_insert_with(|| number(row)));
            rows.map(of).collect()
        }
    }
}

/// Cases with their events in order, before anything is packed.
struct Cases {
    keys: Keys,
    runs: Runs,
    /// Rows of the activity table: the events of all cases, then the others.
    order: Vec<u32>,
    /// The case of each row of the case table, unless it was made up.
    of_row: Narrow,
    /// The rows that are no events bear no case ids either.
    others_bear_none: bool,
}

impl Cases {
    fn number(shapes: &Shapes, loaded: &[Loaded<'_>]) -> Self {
        let roles = &shapes.catalog.roles;
        let activities = &loaded[roles.activity_table];
        let [case, activity, time] =
            [roles.case_column, roles.activity_column, roles.timestamp_column].map(|place| &*activities.columns[place]);
        let case_rows = (!shapes.made_up).then(|| {
            let rows = &loaded[roles.case_table];
            (&*rows.columns[roles.case_table_column], rows.length)
        });
        let is_text = |column: &RowsColumn| column.values.column_type() == ColumnType::Text;
        let plain = is_text(case) && case_rows.is_none_or(|(column, _)| is_text(column));
        let has = |column: &RowsColumn, row: usize| column.validity.as_ref().is_none_or(|valid| valid.get(row));
        let is_event = |row: usize| has(activity, row) && has(time, row) && !is_nan(activity, row);

        let mut block = WordBlock::default();
        let (mut of_event, mut of_row) = (Vec::new(), Vec::new());
        for table in 0..loaded.len() {
            if table == roles.activity_table {
                of_event = number_rows(&mut block, plain, case, activities.length, is_event);
            } else if let Some((column, length)) = case_rows.filter(|_| table == roles.case_table) {
                of_row = number_rows(&mut block, plain, column, length, |_| true);
            }
        }
        let cases = block.len();
        let mut offsets = vec![0_u32; cases + 1];
        let mut others = Vec::new();
        for (row, case) in of_event.iter().enumerate() {
            if *case == NO_ROW { others.push(row as u32) } else { offsets[*case as usize + 1] += 1 }
        }
        let others_bear_none = others.iter().all(|row| !has(case, *row as usize));
        for place in 1..offsets.len() {
            offsets[place] += offsets[place - 1];
        }
        let events = offsets[cases] as usize;
        let mut order = vec![0; of_event.len()];
        let mut next = offsets.clone();
        for (row, case) in of_event.iter().enumerate().filter(|(_, case)| **case != NO_ROW) {
            let place = &mut next[*case as usize];
            order[*place as usize] = row as u32;
            *place += 1;
        }
        order[events..].copy_from_slice(&others);
        drop((of_event, next));
        let sorting = roles.sorting_column.map(|place| &*activities.columns[place]);
        sort_events(&mut order[..events], &offsets, time, sorting);
        let mut keys = Keys::new(plain);
        keys.words = Arc::new(Words::from(block));
        let of_row = Narrow::new(of_row.len(), cases, |row| of_row[row]);
        Cases { keys, runs: Runs::new(offsets), order, of_row, others_bear_none }
    }

    /// Returns where a column's values are found if it holds the case ids.
    fn groups_of(&self, table: usize, column: usize, shapes: &Shapes) -> Option<GroupOf> {
        let roles = &shapes.catalog.roles;
        if !self.keys.is_plain() {
            return None;
        }
        if (table, column) == (roles.activity_table, roles.case_column) {
            return self.others_bear_none.then(|| GroupOf::Runs(self.runs.clone()));
        }
        let is_case_id = (table, column) == (roles.case_table, roles.case_table_column);
        is_case_id.then(|| GroupOf::Listed(self.of_row.clone()))
    }

    fn made_up_table(&self, shapes: &Shapes, activities: &Table) -> Table {
        let roles = &shapes.catalog.roles;
        let described = &shapes.catalog.tables[roles.case_table];
        let cases = self.keys.len();
        let column = if self.keys.is_plain() {
            Column::of_keys(GroupOf::Same(NO_ROW), cases, self.keys.words.clone())
        } else {
            let firsts: Vec<u32> = (0..cases as u32).map(|case| self.runs.run(case).start).collect();
            activities.column(roles.case_column).folded(&firsts)
        };
        Table::new(&described.name, vec![(described.columns[0].0.as_str().into(), column)], cases as u32)
    }
}

fn is_nan(column: &RowsColumn, row: usize) -> bool {
    matches!(&column.values, Values::Float(values) if values[row].is_nan())
}

/// Numbers the keys in one column of rows that were read; rows that are not in
/// have none.
fn number_rows(
    block: &mut WordBlock,
    plain: bool,
    column: &RowsColumn,
    length: usize,
    is_in: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let valid = |row: usize| is_in(row) && column.validity.as_ref().is_none_or(|valid| valid.get(row));
    let mut numbers = vec![NO_ROW; length];
    let rows = (0..length).filter(|row| valid(*row));
    match &column.values {
        Values::Text { codes, dictionary } if plain && block.len() == 0 => {
            // The texts of a dictionary are all different, so none of them is
            // looked for.
            let mut known = vec![NO_ROW; dictionary.len()];
            for row in rows {
                let known = &mut known[codes[row] as usize];
                if *known == NO_ROW {
                    *known = block.push_new(dictionary.text(codes[row]));
                }
                numbers[row] = *known;
            }
            block.index();
        }
        Values::Text { codes, dictionary } => {
            let find = |text: &str| block.find(text, hash(text)).unwrap_or(NO_ROW);
            let mut known = match plain {
                true => fill(dictionary.len(), |code| find(dictionary.text(code as u32))),
                false => vec![NO_ROW; dictionary.len()],
            };
            let mut number = |cell: Cell<'_>| Keys::write(plain, [cell], |key| block.code(key)).unwrap_or(NO_ROW);
            for row in rows {
                let known = &mut known[codes[row] as usize];
                if *known == NO_ROW {
                    *known = number(Cell::Text(dictionary.text(codes[row])));
                }
                numbers[row] = *known;
            }
        }
        Values::Integer(values) | Values::Time(values) => {
            let mut number = |cell: Cell<'_>| Keys::write(plain, [cell], |key| block.code(key)).unwrap_or(NO_ROW);
            let mut known = HashMap::new();
            for row in rows {
                numbers[row] = *known.entry(values[row]).or_insert_with(|| number(column.cell(row)));
            }
        }
        Values::Float(_) | Values::Boolean(_) => {
            for row in rows {
                numbers[row] = Keys::write(plain, [column.cell(row)], |key| block.code(key)).unwrap_or(NO_ROW);
            }
        }
    }
    numbers
}

/// Puts the events of each case in the order of (time, sorting column,
/// arrival); they come in order of arrival.
fn sort_events(order: &mut [u32], offsets: &[u32], time: &RowsColumn, sorting: Option<&RowsColumn>) {
    let Values::Time(times) = &time.values else { unreachable!("the roles were checked") };
    let time = |row: &u32| times[*row as usize];
    let tie = |one: &u32, other: &u32| match sorting {
        Some(column) => compare(column.cell(*one as usize), column.cell(*other as usize)),
        None => std::cmp::Ordering::Equal,
    };
    let by = |one: &u32, other: &u32| time(one).cmp(&time(other)).then_with(|| tie(one, other));
    let sort = |events: &mut [u32], cases: Range<usize>| {
        let first = offsets[cases.start] as usize;
        for case in cases {
            let run = &mut events[offsets[case] as usize - first..offsets[case + 1] as usize - first];
            if !run.is_sorted_by(|one, other| by(one, other).is_le()) {
                run.sort_by(by);
            }
        }
    };
    let (cases, parts) = (offsets.len() - 1, threads());
    std::thread::scope(|scope| {
        let (mut rest, mut from) = (order, 0);
        for part in 1..=parts {
            // As many events for each.
            let wanted = (offsets[cases] as usize * part / parts) as u32;
            let until =
                if part == parts { cases } else { offsets.partition_point(|offset| *offset < wanted).min(cases) };
            let until = until.max(from);
            let (own, others) = std::mem::take(&mut rest).split_at_mut((offsets[until] - offsets[from]) as usize);
            rest = others;
            let range = from..until;
            let sort = &sort;
            if part == parts {
                sort(own, range);
            } else if !own.is_empty() {
                scope.spawn(move || sort(own, range));
            }
            from = until;
        }
    });
}

/// Orders two cells of one column, missing values first.
fn compare(one: Cell<'_>, other: Cell<'_>) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let is_missing = |cell: &Cell<'_>| match cell {
        Cell::Null => true,
        Cell::Float(value) => value.is_nan(),
        _ => false,
    };
    match (one, other) {
        _ if is_missing(&one) || is_missing(&other) => is_missing(&other).cmp(&is_missing(&one)),
        (Cell::Integer(one), Cell::Integer(other)) | (Cell::Time(one), Cell::Time(other)) => one.cmp(&other),
        (Cell::Float(one), Cell::Float(other)) => one.partial_cmp(&other).unwrap_or(Ordering::Equal),
        (Cell::Boolean(one), Cell::Boolean(other)) => one.cmp(&other),
        (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
        _ => Ordering::Equal,
    }
}

/// Checks a data model against the columns of its tables.
fn shapes(model: &DataModel, loaded: &[Loaded<'_>]) -> Result<Shapes, String> {
    let mut tables: Vec<Table> = Vec::new();
    for (name, read) in model.tables.iter().zip(loaded) {
        if u32::try_from(read.length).is_err() {
            return Err(format!("table \"{name}\" has more than {} rows", u32::MAX));
        }
        let columns = read.columns.iter();
        let columns = columns.map(|column| (Arc::from(column.name.as_str()), Column::new(column.values.column_type())));
        tables.push(Table::new(name, columns.collect(), 0));
    }
    let (roles, made_up) = roles(model, &mut tables)?;
    if roles.activity_table == roles.case_table {
        return Err(format!("table \"{}\" cannot hold both its activities and its cases", model.activity.table));
    }
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
            joins.push(Shape { from, from_columns, to, to_columns });
        }
    }
    let catalog = catalog(&tables, &joins, roles);
    for (many, one) in &catalog.joins {
        if catalog.leads_to(*one, *many) {
            let [many, one] = [many, one].map(|table| &catalog.tables[*table].name);
            return Err(format!("its foreign keys go round in a circle over \"{many}\" and \"{one}\""));
        }
    }
    Ok(Shapes { catalog, joins, made_up })
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
        let column = (activity.case_column.as_str().into(), Column::new(own.row_type(case_column)));
        let made_up = Table::new(&format!("{}_CASES", own.name), vec![column], 0);
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

fn catalog(tables: &[Table], joins: &[Shape], roles: Roles) -> Catalog {
    let described = tables.iter().map(|table| CatalogTable {
        name: table.name.clone(),
        columns: table.columns().map(|(name, column_type)| (name.to_owned(), column_type)).collect(),
    });
    let first = (roles.activity_table, roles.case_table);
    let joins = std::iter::once(first).chain(joins.iter().map(|join| (join.from, join.to))).collect();
    Catalog { tables: described.collect(), joins, roles }
}
