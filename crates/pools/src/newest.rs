//! Which of several rows with one key is the newest.
//!
//! Usually the one that came last. Where a caller names an order column, it is
//! the one with the greatest value there, among the rows that come together
//! and against the row that the table holds: a row that is older than the
//! stored one is left out, one that is as old takes its place. Nothing is
//! older than everything.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::rows::{Cell, Column, ColumnBuilder, Rows};
use crate::schema::{self, widened};

/// What is left of rows that came together.
pub(crate) struct Newest {
    /// As they came, without those that a newer one outdoes.
    pub(crate) rows: Vec<Rows>,
    /// Rows that another one of the same push outdid.
    pub(crate) repeated: u64,
    /// Rows that a stored one outdid.
    pub(crate) outdated: u64,
}

/// Leaves out what is not the newest row of its key. `stored` are rows of the
/// table with at least its keys and, if it has it, the order column.
pub(crate) fn newest(came: &[Rows], keys: &[String], order: &str, stored: &[Rows]) -> Newest {
    let all: Vec<&Rows> = came.iter().chain(stored).collect();
    let mut both = crate::rows::Schema::default();
    for rows in &all {
        both = schema::union(&both, &rows.schema());
    }
    let in_one_type = |rows: &Rows, name: &str| -> Option<Column> {
        let to = both.columns[both.position(name)?].column_type;
        rows.column(name).map(|column| widened(column, to))
    };
    let sets: Vec<Set> = all
        .iter()
        .map(|rows| Set {
            keys: keys.iter().map(|key| in_one_type(rows, key)).collect(),
            order: in_one_type(rows, order),
        })
        .collect();
    let mut held: HashMap<Vec<u8>, (usize, usize)> = HashMap::new();
    for (place, rows) in stored.iter().enumerate() {
        let set = came.len() + place;
        held.extend((0..rows.len()).map(|row| (sets[set].key(row), (set, row))));
    }

    let mut kept: Vec<Vec<bool>> = came.iter().map(|rows| vec![false; rows.len()]).collect();
    let mut best: HashMap<Vec<u8>, (usize, usize)> = HashMap::new();
    let (mut repeated, mut outdated) = (0, 0);
    for (place, rows) in came.iter().enumerate() {
        for row in 0..rows.len() {
            let key = sets[place].key(row);
            let age = sets[place].age(row);
            let is_older = |set: &Set, other: usize| compare(age, set.age(other)) == Ordering::Less;
            if held.get(&key).is_some_and(|(set, stored)| is_older(&sets[*set], *stored)) {
                outdated += 1;
                continue;
            }
            match best.get_mut(&key) {
                Some((set, other)) if is_older(&sets[*set], *other) => repeated += 1,
                Some(before) => {
                    kept[before.0][before.1] = false;
                    *before = (place, row);
                    kept[place][row] = true;
                    repeated += 1;
                }
                None => {
                    best.insert(key, (place, row));
                    kept[place][row] = true;
                }
            }
        }
    }
    let rows = came.iter().zip(&kept).map(|(rows, kept)| only(rows, kept)).collect();
    Newest { rows, repeated, outdated }
}

/// Returns those columns of rows that are there.
pub(crate) fn columns_of(rows: &Rows, names: &[String]) -> Rows {
    Rows::new(names.iter().filter_map(|name| rows.column(name).cloned()).collect())
}

struct Set {
    keys: Vec<Option<Column>>,
    order: Option<Column>,
}

impl Set {
    fn age(&self, row: usize) -> Cell<'_> {
        self.order.as_ref().map_or(Cell::Null, |order| order.cell(row))
    }

    /// Returns bytes that are equal for equal keys only.
    fn key(&self, row: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for key in &self.keys {
            match key.as_ref().map_or(Cell::Null, |key| key.cell(row)) {
                Cell::Null => bytes.push(0),
                Cell::Integer(value) | Cell::Time(value) => {
                    bytes.push(1);
                    bytes.extend(value.to_le_bytes());
                }
                Cell::Float(value) => {
                    bytes.push(1);
                    bytes.extend(value.to_bits().to_le_bytes());
                }
                Cell::Boolean(value) => bytes.extend([1, u8::from(value)]),
                Cell::Text(text) => {
                    bytes.push(1);
                    bytes.extend((text.len() as u64).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        bytes
    }
}

/// Compares values of one type; nothing comes before everything.
fn compare(one: Cell<'_>, other: Cell<'_>) -> Ordering {
    match (one, other) {
        (Cell::Integer(one), Cell::Integer(other)) | (Cell::Time(one), Cell::Time(other)) => one.cmp(&other),
        (Cell::Float(one), Cell::Float(other)) => one.total_cmp(&other),
        (Cell::Boolean(one), Cell::Boolean(other)) => one.cmp(&other),
        (Cell::Text(one), Cell::Text(other)) => one.cmp(other),
        (one, other) => (one != Cell::Null).cmp(&(other != Cell::Null)),
    }
}

fn only(rows: &Rows, kept: &[bool]) -> Rows {
    if kept.iter().all(|kept| *kept) {
        return rows.clone();
    }
    let columns = rows.columns().iter().map(|column| {
        let mut builder = ColumnBuilder::new(column.name.clone(), column.values.column_type());
        for row in (0..rows.len()).filter(|row| kept[*row]) {
            builder.push(column.cell(row));
        }
        builder.finish()
    });
    Rows::new(columns.collect())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::rows::ColumnType;

    /// Rows of an id, an age and a note.
    fn rows(rows: &[(i64, Option<i64>, &str)]) -> Rows {
        let mut id = ColumnBuilder::new("Id", ColumnType::Integer);
        let mut age = ColumnBuilder::new("Age", ColumnType::Integer);
        let mut note = ColumnBuilder::new("Note", ColumnType::Text);
        for (a, b, c) in rows {
            id.push(Cell::Integer(*a));
            age.push(b.map_or(Cell::Null, Cell::Integer));
            note.push(Cell::Text(c));
        }
        Rows::new(vec![id.finish(), age.finish(), note.finish()])
    }

    fn check(came: &[Rows], stored: &Rows, expected: Expect) {
        let newest = newest(came, &["ID".into()], "age", std::slice::from_ref(stored));
        let notes = newest.rows.iter().map(|rows| {
            let note = rows.column("Note").expect("a column of the test");
            (0..rows.len()).map(|row| schema::text_of(note.cell(row))).collect::<Vec<_>>().join(" ")
        });
        let notes = notes.collect::<Vec<_>>().join(" | ");
        expected.assert_eq(&format!("{notes}; {} repeated, {} outdated", newest.repeated, newest.outdated));
    }

    #[test]
    fn the_greatest_value_is_the_newest_and_the_last_of_equals() {
        let none = Rows::default();
        check(&[rows(&[(1, Some(2), "b"), (1, Some(1), "a")])], &none, expect!["b; 1 repeated, 0 outdated"]);
        check(&[rows(&[(1, Some(1), "a"), (1, Some(1), "b")])], &none, expect!["b; 1 repeated, 0 outdated"]);
        check(
            &[rows(&[(1, None, "a"), (1, Some(0), "b"), (1, None, "c")])],
            &none,
            expect!["b; 2 repeated, 0 outdated"],
        );
        check(
            &[rows(&[(1, Some(3), "a"), (2, Some(1), "b")]), rows(&[(1, Some(2), "c"), (2, Some(2), "d")])],
            &none,
            expect!["a | d; 2 repeated, 0 outdated"],
        );
    }

    #[test]
    fn a_row_that_is_older_than_the_stored_one_is_left_out() {
        let stored = rows(&[(1, Some(5), "old"), (2, None, "old")]);
        check(
            &[rows(&[(1, Some(4), "a"), (2, Some(1), "b"), (3, None, "c")])],
            &stored,
            expect!["b c; 0 repeated, 1 outdated"],
        );
        check(&[rows(&[(1, Some(5), "as old")])], &stored, expect!["as old; 0 repeated, 0 outdated"]);
        check(&[rows(&[(1, None, "nothing")])], &stored, expect!["; 0 repeated, 1 outdated"]);
    }

    #[test]
    fn keys_and_ages_of_other_types_are_compared_as_the_wider_one() {
        let mut id = ColumnBuilder::new("Id", ColumnType::Text);
        id.push(Cell::Text("1"));
        let mut age = ColumnBuilder::new("Age", ColumnType::Float);
        age.push(Cell::Float(4.5));
        let stored = Rows::new(vec![id.finish(), age.finish()]);
        check(&[rows(&[(1, Some(4), "a")])], &stored, expect!["; 0 repeated, 1 outdated"]);
        check(&[rows(&[(1, Some(5), "a")])], &stored, expect!["a; 0 repeated, 0 outdated"]);
    }
}
