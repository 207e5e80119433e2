//! When each row becomes known, as if it had come in on time.
//!
//! The tables of a pool say what is true today and not when it was pushed, so
//! the time of a row is taken from what it says itself:
//!
//! * an event is known at its time, or at its end if that is told and later;
//! * a row of a table for which a column was named is known at the time in it,
//!   without a time from the beginning on;
//! * a row of the case table is known with the first event of its case, and so
//!   is what refers to it by foreign keys;
//! * all other rows, master data, are known from the beginning on.
//!
//! What was overwritten or deleted since is not seen; nor is it told which
//! values of a case row were filled in later than the row came.

use std::collections::{BTreeMap, HashMap};

use base::Timestamp;
use pools::rows::{Cell, ColumnBuilder};
use pools::{DataModel, Rows};

use crate::Error;

/// The rows of a data model, in the order in which they become known.
pub(crate) struct Arrivals {
    tables: Vec<(Rows, Vec<String>)>,
    /// Rows of each table by the instant in milliseconds; `i64::MIN` for those
    /// that were always known.
    by_instant: BTreeMap<i64, Vec<Vec<u32>>>,
    /// Rows of the activity table without a time.
    pub(crate) timeless: u64,
}

/// Rows that become known together: per table, by its place in the data model.
pub(crate) type Batch = Vec<(usize, Rows)>;

impl Arrivals {
    /// Puts rows in order, one `Rows` per table of the model, with the push
    /// keys of each. `known_by` names a column by table, in upper case.
    pub(crate) fn new(
        model: &DataModel,
        tables: Vec<(Rows, Vec<String>)>,
        known_by: &BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let instants = instants(model, &tables, known_by)?;
        let mut by_instant: BTreeMap<i64, Vec<Vec<u32>>> = BTreeMap::new();
        let mut timeless = 0;
        for (table, instants) in instants.into_iter().enumerate() {
            for (row, instant) in instants.into_iter().enumerate() {
                let Some(instant) = instant else {
                    timeless += 1;
                    continue;
                };
                by_instant.entry(instant).or_insert_with(|| vec![Vec::new(); tables.len()])[table].push(row as u32);
            }
        }
        Ok(Arrivals { tables, by_instant, timeless })
    }

    /// Returns the first and the last instant at which something becomes known.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let mut instants = self.by_instant.keys().filter(|instant| **instant != i64::MIN);
        let first = *instants.next()?;
        Some((first, instants.next_back().copied().unwrap_or(first)))
    }

    /// Returns the rows that are known at an instant, with the push keys of
    /// each table.
    pub(crate) fn until(&self, instant: i64) -> Vec<(Rows, Vec<String>)> {
        let known: Vec<&Vec<Vec<u32>>> = self.by_instant.range(..=instant).map(|(_, rows)| rows).collect();
        let tables = self.tables.iter().enumerate();
        tables
            .map(|(place, (rows, keys))| {
                // The instants say when; rows of one load stand in the order of
                // their arrival.
                let mut picked: Vec<u32> = known.iter().flat_map(|tables| tables[place].iter().copied()).collect();
                picked.sort_unstable();
                (pick(rows, &picked), keys.clone())
            })
            .collect()
    }

    /// Lists the instants after `from` and up to `to` at which something
    /// becomes known; with `every` on the grid of so many milliseconds after
    /// `from`, each instant taken to the next point of it.
    pub(crate) fn steps(&self, from: i64, to: i64, every: Option<i64>) -> Vec<(i64, Vec<i64>)> {
        let mut steps: Vec<(i64, Vec<i64>)> = Vec::new();
        if from >= to {
            return steps;
        }
        for instant in self.by_instant.range(from + 1..=to).map(|(instant, _)| *instant) {
            let at = every.map_or(instant, |every| from + (instant - from + every - 1) / every * every);
            match steps.last_mut() {
                Some((last, instants)) if *last == at => instants.push(instant),
                _ => steps.push((at, vec![instant])),
            }
        }
        // What would be pushed only after the end is not.
        steps.retain(|(at, _)| *at <= to || every.is_none());
        steps
    }

    /// Returns what becomes known at instants that were listed.
    pub(crate) fn batch(&self, instants: &[i64]) -> Batch {
        let mut batch = Batch::new();
        for (place, (rows, _)) in self.tables.iter().enumerate() {
            let arriving = instants.iter().filter_map(|instant| self.by_instant.get(instant));
            let mut picked: Vec<u32> = arriving.flat_map(|tables| tables[place].iter().copied()).collect();
            if !picked.is_empty() {
                picked.sort_unstable();
                batch.push((place, pick(rows, &picked)));
            }
        }
        batch
    }
}

/// Returns per table and row when it becomes known; never is `None`.
fn instants(
    model: &DataModel,
    tables: &[(Rows, Vec<String>)],
    known_by: &BTreeMap<String, String>,
) -> Result<Vec<Vec<Option<i64>>>, Error> {
    let place = |name: &str| model.tables.iter().position(|table| table.eq_ignore_ascii_case(name));
    let refused = |detail: String| Error::BadBacktest { detail };
    let activity = &model.activity;
    let events = place(&activity.table).ok_or_else(|| refused(format!("there is no table \"{}\"", activity.table)))?;
    let mut found: Vec<Option<Vec<Option<i64>>>> = vec![None; tables.len()];
    let of_events = &tables[events].0;
    let mut known: Vec<Option<i64>> =
        (0..of_events.len()).map(|row| time(of_events, &activity.timestamp_column, row)).collect();
    if let Some(end) = &activity.end_timestamp_column {
        for (row, known) in known.iter_mut().enumerate() {
            *known = known.map(|start| time(of_events, end, row).map_or(start, |end| end.max(start)));
        }
    }
    let mut first_of_case: HashMap<String, i64> = HashMap::new();
    for (row, known) in known.iter().enumerate() {
        if let (Some(known), Some(case)) = (known, key(of_events, std::slice::from_ref(&activity.case_column), row)) {
            first_of_case.entry(case).and_modify(|first| *first = (*first).min(*known)).or_insert(*known);
        }
    }
    found[events] = Some(known);
    for (table, column) in known_by {
        let own = place(table).ok_or_else(|| refused(format!("the data model has no table \"{table}\"")))?;
        let rows = &tables[own].0;
        if rows.column(column).is_none() {
            return Err(refused(format!("table \"{table}\" has no column \"{column}\" to be known by")));
        }
        found[own] = Some((0..rows.len()).map(|row| Some(time(rows, column, row).unwrap_or(i64::MIN))).collect());
    }
    if let Some(cases) = activity.case_table.as_deref().and_then(place)
        && found[cases].is_none()
    {
        let rows = &tables[cases].0;
        let column = activity.case_table_column.as_ref().unwrap_or(&activity.case_column);
        let first =
            |row| key(rows, std::slice::from_ref(column), row).and_then(|case| first_of_case.get(&case).copied());
        found[cases] = Some((0..rows.len()).map(|row| Some(first(row).unwrap_or(i64::MIN))).collect());
    }
    // What refers to a row is not known before it; one step at a time.
    for _ in 0..tables.len() {
        for join in &model.foreign_keys {
            let (Some(from), Some(to)) = (place(&join.from_table), place(&join.to_table)) else { continue };
            let (None, Some(instants)) = (&found[from], &found[to]) else { continue };
            let parents: HashMap<String, i64> = (0..tables[to].0.len())
                .filter_map(|row| Some((key(&tables[to].0, &join.to_columns, row)?, instants[row]?)))
                .collect();
            let rows = &tables[from].0;
            let known = |row| key(rows, &join.from_columns, row).and_then(|key| parents.get(&key).copied());
            let known = (0..rows.len()).map(|row| Some(known(row).unwrap_or(i64::MIN))).collect();
            found[from] = Some(known);
        }
    }
    let always = |table: usize| vec![Some(i64::MIN); tables[table].0.len()];
    Ok(found.into_iter().enumerate().map(|(table, instants)| instants.unwrap_or_else(|| always(table))).collect())
}

fn time(rows: &Rows, column: &str, row: usize) -> Option<i64> {
    match rows.column(column)?.cell(row) {
        Cell::Time(micros) => Some(Timestamp::from_micros(micros).as_millis()),
        _ => None,
    }
}

/// Writes a key so that equal ones of different columns are equal.
fn key(rows: &Rows, columns: &[String], row: usize) -> Option<String> {
    let mut text = String::new();
    for column in columns {
        let part = match rows.column(column)?.cell(row) {
            Cell::Null => return None,
            Cell::Text(text) => format!("t{}:{text}", text.len()),
            // Whole floats equal integers in joins.
            Cell::Float(value) => format!("n{value}"),
            Cell::Integer(value) => format!("n{value}"),
            Cell::Boolean(value) => format!("n{}", i64::from(value)),
            Cell::Time(value) => format!("d{value}"),
        };
        text.push_str(&part);
        text.push('\n');
    }
    Some(text)
}

fn pick(rows: &Rows, picked: &[u32]) -> Rows {
    let columns = rows.columns().iter().map(|column| {
        let mut builder = ColumnBuilder::new(column.name.clone(), column.values.column_type());
        for row in picked {
            builder.push(column.cell(*row as usize));
        }
        builder.finish()
    });
    Rows::new(columns.collect())
}
