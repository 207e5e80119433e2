//! Finding rows by the values of key columns.
//!
//! There are two kinds. *Keys* number the distinct keys of a join; a key with
//! a missing part is none. A *row index* finds the rows that bear a pushed key;
//! there a missing part equals a missing part. Both compare across types: a
//! whole float equals the integer.

use std::fmt::Write as _;
use std::sync::Arc;

use pools::rows::Cell;

use super::blocks::{Map, mix};
use super::column::Column;
use super::table::NO_ROW;
use super::words::{Words, hash, hash_number};

/// The distinct keys of a join, numbered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// A key of one text is that text; others are written out, each part with
    /// its kind.
    plain: bool,
    pub(crate) words: Arc<Words>,
}

impl Keys {
    pub(crate) fn new(plain: bool) -> Self {
        Keys { plain, words: Arc::default() }
    }

    /// Tells whether the keys are texts as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// Runs with a key as it is kept, unless a part is missing.
    pub(crate) fn write<'c, T>(
        plain: bool,
        parts: impl IntoIterator<Item = Cell<'c>>,
        then: impl FnOnce(&str) -> T,
    ) -> Option<T> {
        let mut parts = parts.into_iter();
        if plain {
            return if let Some(Cell::Text(text)) = parts.next() { Some(then(text)) } else { None };
        }
        let mut key = String::new();
        for part in parts {
            match Part::of(part) {
                Part::Null => return None,
                Part::Number(kind, number) => write!(key, "{kind}{number};"),
                Part::Text(text) => write!(key, "t{}:{text}", text.len()),
            }
            .expect("a string takes it");
        }
        Some(then(&key))
    }

    /// Returns the number of a key, which is given now if it is new; nothing
    /// if a part is missing.
    pub(crate) fn number<'c>(&mut self, parts: impl IntoIterator<Item = Cell<'c>>) -> Option<u32> {
        let words = &mut self.words;
        Keys::write(self.plain, parts, |key| Words::code(words, key))
    }
}

/// A part of a key, comparable across columns.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Null,
    /// The kind, and its bits.
    Number(char, i64),
    Text(&'a str),
}

impl<'a> Part<'a> {
    pub(super) fn of(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Null => Part::Null,
            Cell::Integer(value) => Part::Number('i', value),
            Cell::Boolean(value) => Part::Number('i', value.into()),
            Cell::Time(value) => Part::Number('d', value),
            Cell::Text(text) => Part::Text(text),
            Cell::Float(value) if value.is_nan() => Part::Null,
            Cell::Float(value) => {
                let is_whole = value.fract().abs() < f64::MIN_POSITIVE && value.abs() < 9.0e18;
                if is_whole { Part::Number('i', value as i64) } else { Part::Number('f', value.to_bits() as i64) }
            }
        }
    }

    fn hash(self) -> u64 {
        match self {
            Part::Null => 1,
            Part::Number(kind, number) => hash_number(number as u64 ^ (kind as u64) << 56),
            Part::Text(text) => hash(text),
        }
    }
}

/// Rows by the hash of their keys; whoever asks compares the keys themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowIndex {
    /// Rows by hash, else [`NO_ROW`]; the length is a power of two.
    base: Arc<Vec<u32>>,
    tail: Map<u32>,
}

impl RowIndex {
    /// Indexes the first `rows` rows of columns.
    pub(crate) fn new(columns: &[&Column], rows: usize, is_in: impl Fn(u32) -> bool) -> Self {
        if rows == 0 {
            return RowIndex::default();
        }
        // A search ends at a slot that is free.
        let last = (rows + rows / 3 + 1).next_power_of_two() - 1;
        let mut slots = vec![NO_ROW; last + 1];
        let hashes = |row: u32| hash_of(columns.iter().map(|column| column.cell(row)));
        // Hashing reads all over the words, so it is done by all; entering is
        // one after the other, so that slots stand in the order of rows.
        const BLOCK: usize = 1 << 20;
        for start in (0..rows).step_by(BLOCK) {
            let block = super::narrow::fill((rows - start).min(BLOCK), |place| hashes((start + place) as u32));
            for (place, hash) in block.into_iter().enumerate() {
                let row = (start + place) as u32;
                if is_in(row) {
                    let mut slot = hash as usize & last;
                    while slots[slot] != NO_ROW {
                        slot = (slot + 1) & last;
                    }
                    slots[slot] = row;
                }
            }
        }
        RowIndex { base: Arc::new(slots), tail: Map::default() }
    }

    /// Adds a row to the tail.
    pub(crate) fn push<'c>(&mut self, key: impl Iterator<Item = Cell<'c>>, row: u32) {
        self.tail.add(hash_of(key), row);
    }

    /// Forgets a row of the tail.
    pub(crate) fn forget<'c>(&mut self, key: impl Iterator<Item = Cell<'c>>, row: u32) {
        self.tail.remove_where(hash_of(key), |known| *known == row);
    }

    /// Lists the rows that bear a key, dead ones included.
    pub(crate) fn find(&self, columns: &[&Column], key: &[Cell<'_>]) -> Vec<u32> {
        let hash = hash_of(key.iter().copied());
        let bears =
            |row: &u32| columns.iter().zip(key).all(|(column, part)| Part::of(column.cell(*row)) == Part::of(*part));
        let mut found = Vec::new();
        if let Some(last) = self.base.len().checked_sub(1) {
            let mut slot = hash as usize & last;
            while self.base[slot] != NO_ROW {
                found.push(self.base[slot]);
                slot = (slot + 1) & last;
            }
        }
        found.extend(self.tail.all(hash));
        found.retain(bears);
        found
    }

    pub(crate) fn bytes(&self) -> usize {
        self.base.len() * 4 + self.tail.len() * 24
    }
}

/// Hashes a key, a missing part like any other.
pub(super) fn hash_of<'c>(key: impl Iterator<Item = Cell<'c>>) -> u64 {
    key.fold(0, |hash: u64, part| mix(hash.rotate_left(17) ^ Part::of(part).hash()))
}
