//! Which table of a join is the N-side.
//!
//! A foreign key says which tables meet; on which side a key may occur more
//! than once, the rows say. A key that was declared the wrong way round is
//! turned; one whose keys repeat on both sides joins nothing that anyone could
//! count, and is refused.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pools::rows::{Cell, Column as RowsColumn, Values};
use pools::{DataModel, ForeignKey};

use super::build::Loaded;
use super::keys::Part;
use super::table::NO_ROW;

/// Returns the data model with each foreign key leading from the N-side to the
/// 1-side, or says which two tables are joined N:M, and by which rows.
pub(super) fn directed<'a>(model: &'a DataModel, loaded: &[Loaded<'_>]) -> Result<Cow<'a, DataModel>, String> {
    let mut directed = Cow::Borrowed(model);
    for (place, key) in model.foreign_keys.iter().enumerate() {
        let Some(to) = Side::repeated(model, loaded, &key.to_table, &key.to_columns) else { continue };
        if let Some(from) = Side::repeated(model, loaded, &key.from_table, &key.from_columns) {
            return Err(format!(
                "tables \"{}\" and \"{}\" are joined N:M, because values of {} occur several times in both, such as {} \
                 and {}; leave one of the rows out, or put a mapping table between them that has one row per pair, and \
                 join both to it",
                key.from_table,
                key.to_table,
                named(key),
                from.told(),
                to.told()
            ));
        }
        let ForeignKey { from_table, from_columns, to_table, to_columns } = key.clone();
        directed.to_mut().foreign_keys[place] = ForeignKey {
            from_table: to_table,
            from_columns: to_columns,
            to_table: from_table,
            to_columns: from_columns,
        };
    }
    Ok(directed)
}

fn named(key: &ForeignKey) -> String {
    let quoted =
        |columns: &[String]| columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
    let (from, to) = (quoted(&key.from_columns), quoted(&key.to_columns));
    if from == to { from } else { format!("{from} = {to}") }
}

/// A side of a join on which a key repeats.
struct Side<'a> {
    table: &'a str,
    read: &'a Loaded<'a>,
    key: Vec<&'a RowsColumn>,
    rows: [usize; 2],
}

impl<'a> Side<'a> {
    /// Finds the first key that occurs more than once in a table. Keys with a
    /// missing part join nothing and do not count.
    fn repeated(model: &DataModel, loaded: &'a [Loaded<'a>], table: &'a str, columns: &[String]) -> Option<Self> {
        let place = model.tables.iter().position(|name| name.eq_ignore_ascii_case(table));
        // A table that is made up, or missing, which others tell.
        let read = loaded.get(place?)?;
        let is_among = |name: &String| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
        if !read.keys.is_empty() && read.keys.iter().all(is_among) {
            return None;
        }
        let key = columns.iter().map(|name| read.column(name)).collect::<Option<Vec<_>>>()?;
        let rows = match key[..] {
            [RowsColumn { values: Values::Text { codes, dictionary }, validity, .. }] => {
                let is_valid = |row: usize| validity.as_ref().is_none_or(|valid| valid.get(row));
                repeated_code(codes, dictionary.len(), is_valid)
            }
            _ => repeated_key(&key, read.length),
        };
        Some(Side { table, read, key, rows: rows? })
    }

    /// Names the key and two of its rows, by their push keys if there are any.
    fn told(&self) -> String {
        let cells = |columns: &[&RowsColumn], row: usize| {
            let cell = |column: &&RowsColumn| format!("\"{}\" = {}", column.name, written(column.cell(row)));
            columns.iter().map(cell).collect::<Vec<_>>().join(", ")
        };
        let push_keys: Vec<&RowsColumn> = self.read.keys.iter().filter_map(|name| self.read.column(name)).collect();
        let [one, other] = self.rows.map(|row| match push_keys[..] {
            [] => (row + 1).to_string(),
            _ => cells(&push_keys, row),
        });
        format!("{} in the rows {one} and {other} of \"{}\"", cells(&self.key, self.rows[0]), self.table)
    }
}

fn written(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => "NULL".into(),
        Cell::Text(text) => format!("'{text}'"),
        Cell::Integer(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Time(micros) => base::Timestamp::from_micros(micros).to_string(),
    }
}

/// Finds two rows with the same code.
fn repeated_code(codes: &[u32], end: usize, is_valid: impl Fn(usize) -> bool) -> Option<[usize; 2]> {
    let mut first = vec![NO_ROW; end];
    for (row, code) in codes.iter().enumerate().filter(|(row, _)| is_valid(*row)) {
        match &mut first[*code as usize] {
            first @ &mut NO_ROW => *first = row as u32,
            first => return Some([*first as usize, row]),
        }
    }
    None
}

/// Finds two rows with the same key. Rows are kept by the hash of their keys,
/// so that nothing is made per row; the few whose hash is that of another key
/// stand aside.
fn repeated_key(key: &[&RowsColumn], length: usize) -> Option<[usize; 2]> {
    let is_missing = |row: usize| key.iter().any(|column| Part::of(column.cell(row)) == Part::Null);
    let is_same = |one: usize, other: usize| {
        let mut columns = key.iter();
        columns.all(|column| Part::of(column.cell(one)) == Part::of(column.cell(other)))
    };
    let mut first: HashMap<u64, u32> = HashMap::new();
    let mut aside: Vec<u32> = Vec::new();
    for row in 0..length {
        if is_missing(row) {
            continue;
        }
        match first.entry(super::keys::hash_of(key.iter().map(|column| column.cell(row)))) {
            Entry::Vacant(vacant) => drop(vacant.insert(row as u32)),
            Entry::Occupied(known) => {
                let mut known = std::iter::once(known.get()).chain(&aside).map(|known| *known as usize);
                if let Some(known) = known.find(|known| is_same(*known, row)) {
                    return Some([known, row]);
                }
                aside.push(row as u32);
            }
        }
    }
    None
}
