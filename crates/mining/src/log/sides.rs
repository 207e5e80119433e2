//! Which table of a join is the N-side.
//!
//! A foreign key says which tables meet; on which side a key may occur more
//! than once, the rows say. A key that was declared the wrong way round is
//! turned; one whose keys repeat on both sides joins nothing that anyone could
//! count, and is refused.

use std::borrow::Cow;
use std::collections::HashSet;

use pools::rows::Cell;
use pools::{DataModel, ForeignKey, Rows};

/// Returns the data model with each foreign key leading from the N-side to the
/// 1-side, or says which two tables are joined N:M.
pub(super) fn directed<'a>(model: &'a DataModel, loaded: &[(Rows, Vec<String>)]) -> Result<Cow<'a, DataModel>, String> {
    let mut directed = Cow::Borrowed(model);
    for (place, key) in model.foreign_keys.iter().enumerate() {
        if !repeats(model, loaded, &key.to_table, &key.to_columns) {
            continue;
        }
        if repeats(model, loaded, &key.from_table, &key.from_columns) {
            return Err(format!(
                "tables \"{}\" and \"{}\" are joined N:M, because values of {} occur several times in both; put a \
                 mapping table between them that has one row per pair, and join both to it",
                key.from_table,
                key.to_table,
                named(key)
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

/// Tells whether a key occurs more than once in a table. Keys with a missing
/// part join nothing and do not count.
fn repeats(model: &DataModel, loaded: &[(Rows, Vec<String>)], table: &str, columns: &[String]) -> bool {
    let place = model.tables.iter().position(|name| name.eq_ignore_ascii_case(table));
    // A table that is made up, or missing, which others tell.
    let Some((rows, push_keys)) = place.and_then(|place| loaded.get(place)) else { return false };
    let is_among = |name: &String| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    if !push_keys.is_empty() && push_keys.iter().all(is_among) {
        return false;
    }
    let find = |name: &String| rows.columns().iter().find(|column| column.name.eq_ignore_ascii_case(name));
    let Some(columns) = columns.iter().map(find).collect::<Option<Vec<_>>>() else { return false };
    let mut seen: HashSet<Box<[u8]>> = HashSet::with_capacity(rows.len());
    let mut key = Vec::new();
    (0..rows.len()).any(|row| {
        key.clear();
        let is_whole = columns.iter().all(|column| write(&mut key, &column.cell(row)));
        is_whole && !seen.insert(key.as_slice().into())
    })
}

/// Adds a cell to a key, unless there is nothing in it.
fn write(key: &mut Vec<u8>, cell: &Cell<'_>) -> bool {
    match cell {
        Cell::Null => return false,
        Cell::Text(text) => {
            key.extend((text.len() as u64).to_le_bytes());
            key.extend(text.as_bytes());
        }
        Cell::Integer(value) | Cell::Time(value) => key.extend(value.to_le_bytes()),
        Cell::Float(value) => key.extend((value + 0.0).to_bits().to_le_bytes()),
        Cell::Boolean(value) => key.push((*value).into()),
    }
    true
}
