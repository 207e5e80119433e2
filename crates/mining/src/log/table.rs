//! A table: columns, rows that live and die, keys.
//!
//! Row numbers are what joins and cases point to. They hold for as long as a
//! root's base does: an upsert is a new row, and the old one is dead until the
//! next fold leaves it out and numbers the others anew.

use std::sync::Arc;

use pools::Rows;
use pools::rows::{Cell, Column as RowsColumn, ColumnType};

use super::blocks::Map;
use super::column::Column;
use super::keys::RowIndex;
use super::narrow::Bitmap;
use crate::value::Type;

/// No row: what a join points to where there is no partner.
pub const NO_ROW: u32 = u32::MAX;

/// No text.
pub const NO_CODE: u32 = u32::MAX;

/// A table of the model.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    columns: Vec<(Arc<str>, Column)>,
    capacity: u32,
    dead: Map<()>,
    /// By which pushed rows replace others, none for a table that is only
    /// appended to.
    keys: Vec<usize>,
    index: RowIndex,
}

impl Table {
    /// Makes a table of columns of equal length.
    pub(super) fn new(name: &str, columns: Vec<(Arc<str>, Column)>, capacity: u32) -> Self {
        Table {
            name: name.to_owned(),
            columns,
            capacity,
            dead: Map::default(),
            keys: Vec::new(),
            index: RowIndex::default(),
        }
    }

    /// Returns names and types of the columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Type)> {
        self.columns.iter().map(|(name, column)| (&**name, column.column_type()))
    }

    /// Returns the values of the column at a 0-based place.
    pub fn column(&self, place: usize) -> &Column {
        &self.columns[place].1
    }

    /// Returns the place of a column, ignoring case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(column, _)| column.eq_ignore_ascii_case(name))
    }

    pub(super) fn row_type(&self, place: usize) -> ColumnType {
        self.columns[place].1.rows_type()
    }

    /// Returns how many row numbers were given, dead rows included.
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Returns how many rows live.
    pub fn len(&self) -> usize {
        self.capacity() - self.dead.len()
    }

    /// Tells whether no row lives.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells whether a row lives.
    #[inline]
    pub fn is_alive(&self, row: u32) -> bool {
        self.dead.is_empty() || self.dead.get(row.into()).is_none()
    }

    /// Returns how many rows have come or gone since the base was made.
    pub(super) fn overlay(&self) -> usize {
        let base = self.columns.first().map_or(0, |(_, column)| column.base().1);
        self.capacity() - base + self.dead.len()
    }

    /// Goes through the rows that live; in order of arrival, but for the
    /// activity table, whose base stands in the order of cases.
    pub fn rows(&self) -> impl Iterator<Item = u32> {
        let mut dead = Bitmap::default();
        if !self.dead.is_empty() {
            dead = Bitmap::new(self.capacity(), |_| false);
            self.dead.iter().for_each(|(row, ())| dead.set(row as usize));
        }
        (0..self.capacity).filter(move |row| self.dead.is_empty() || !dead.get(*row as usize))
    }

    /// Tells whether rows with these columns fit without changing a type.
    pub(super) fn takes<'a>(&self, mut columns: impl Iterator<Item = &'a RowsColumn>) -> bool {
        columns.all(|column| {
            let place = self.position(&column.name);
            place.is_some_and(|place| self.row_type(place) == column.values.column_type())
        })
    }

    /// Adds a row of the given cells, one per column.
    pub(super) fn push<'a>(&mut self, cells: impl Fn(usize) -> Cell<'a>) -> u32 {
        for (place, (_, column)) in self.columns.iter_mut().enumerate() {
            column.push(cells(place));
        }
        let row = self.capacity;
        self.capacity += 1;
        if !self.keys.is_empty() {
            let columns = &self.columns;
            self.index.push(self.keys.iter().map(|key| columns[*key].1.cell(row)), row);
        }
        row
    }

    pub(super) fn kill(&mut self, row: u32) {
        self.dead.put(row.into(), ());
        if !self.keys.is_empty() {
            // A key that is written over and over is not to be found slower.
            let columns = &self.columns;
            self.index.forget(self.keys.iter().map(|key| columns[*key].1.cell(row)), row);
        }
    }

    pub(super) fn revive(&mut self, row: u32) {
        self.dead.remove(row.into());
    }

    /// Sees to it that rows can be found by these keys.
    pub(super) fn set_keys(&mut self, keys: &[String]) {
        let places: Option<Vec<usize>> = keys.iter().map(|key| self.position(key)).collect();
        if let Some(places) = places.filter(|places| *places != self.keys) {
            self.keys = places;
            self.reindex();
        }
    }

    /// Finds rows by the keys of another state of this table.
    pub(super) fn keep_keys(&mut self, other: &Table) {
        self.keys.clone_from(&other.keys);
        self.reindex();
    }

    fn reindex(&mut self) {
        self.index = RowIndex::default();
        if !self.keys.is_empty() {
            let columns: Vec<&Column> = self.keys.iter().map(|key| &self.columns[*key].1).collect();
            self.index = RowIndex::new(&columns, self.capacity(), |row| self.is_alive(row));
        }
    }

    /// Returns the live rows that bear a pushed key. Unlike in a join, a
    /// missing part equals a missing part here.
    pub(super) fn rows_with_key(&self, rows: &Rows, row: usize) -> Vec<u32> {
        if self.keys.is_empty() {
            return Vec::new();
        }
        let cell = |key: &usize| rows.column(&self.columns[*key].0).map_or(Cell::Null, |column| column.cell(row));
        let key: Vec<Cell<'_>> = self.keys.iter().map(cell).collect();
        let columns: Vec<&Column> = self.keys.iter().map(|key| &self.columns[*key].1).collect();
        let mut found = self.index.find(&columns, &key);
        found.retain(|row| self.is_alive(*row));
        found
    }

    /// Returns the values of a row in these columns.
    pub(super) fn cells<'a>(&'a self, row: u32, columns: &'a [usize]) -> impl Iterator<Item = Cell<'a>> {
        columns.iter().map(move |place| self.columns[*place].1.cell(row))
    }

    /// Returns the bytes of the values of each column.
    pub(super) fn column_bytes(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|(_, column)| column.bytes())
    }

    /// Returns the bytes of what finds rows by their push keys, and of the list
    /// of those that are dead.
    pub(super) fn key_bytes(&self) -> usize {
        self.index.bytes() + self.dead.len() * 24
    }
}
