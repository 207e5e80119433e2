//! What becomes of a table's columns when rows arrive.
//!
//! Types only ever widen: integer to float, anything to text. So a column that
//! held `4711` yesterday takes `A-12` today, and nobody has to be asked. The
//! functions here are pure; every implementation of the port uses them, so
//! that all of them agree.

use base::Timestamp;

use crate::port::{CHANGE_DATE_COLUMN, Mode, SEQ_COLUMN};
use crate::rows::{Cell, Column, ColumnBuilder, ColumnSchema, ColumnType, Schema};

/// A table's columns and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Columns in order, the change date among them, `_seq` not.
    pub schema: Schema,
    /// Key columns; empty for a table that is only appended to.
    pub keys: Vec<String>,
}

/// Returns the narrowest type that holds the values of both.
pub fn widest(one: ColumnType, other: ColumnType) -> ColumnType {
    match (one, other) {
        (one, other) if one == other => one,
        (ColumnType::Integer, ColumnType::Float) | (ColumnType::Float, ColumnType::Integer) => ColumnType::Float,
        _ => ColumnType::Text,
    }
}

/// Returns the columns of `one` with those of `other` added, types widened.
/// Names keep the case in which they were first written.
pub fn union(one: &Schema, other: &Schema) -> Schema {
    let mut both = one.clone();
    for column in &other.columns {
        match both.position(&column.name) {
            Some(place) => {
                let known = &mut both.columns[place];
                known.column_type = widest(known.column_type, column.column_type);
            }
            None => both.columns.push(column.clone()),
        }
    }
    both
}

/// Tells what a table looks like after a commit of rows with the columns
/// `incoming`; the error is the detail of a mismatch.
pub fn after(table: Option<&Shape>, mode: &Mode, incoming: &Schema) -> Result<Shape, String> {
    if incoming.position(SEQ_COLUMN).is_some() {
        return Err(format!("\"{SEQ_COLUMN}\" is a column of ours and cannot be pushed"));
    }
    let mut incoming = incoming.clone();
    incoming.columns.retain(|column| !column.name.eq_ignore_ascii_case(CHANGE_DATE_COLUMN));
    let mut shape = match (mode, table) {
        (Mode::Replace, _) | (_, None) => Shape { schema: incoming, keys: Vec::new() },
        (Mode::Append | Mode::Upsert { .. }, Some(table)) => {
            Shape { schema: union(&table.schema, &incoming), keys: table.keys.clone() }
        }
    };
    if shape.schema.columns.is_empty() {
        return Err("there are no columns".into());
    }
    if shape.schema.position(CHANGE_DATE_COLUMN).is_none() {
        shape.schema.columns.push(ColumnSchema { name: CHANGE_DATE_COLUMN.into(), column_type: ColumnType::Time });
    }
    if let Mode::Upsert { keys, .. } = mode {
        shape.keys = keys_after(&shape, keys)?;
    }
    Ok(shape)
}

fn keys_after(shape: &Shape, keys: &[String]) -> Result<Vec<String>, String> {
    if keys.is_empty() {
        return Err("an upsert needs keys".into());
    }
    let mut named = Vec::new();
    for key in keys {
        let place = shape.schema.position(key).ok_or_else(|| format!("key column \"{key}\" is missing"))?;
        named.push(shape.schema.columns[place].name.clone());
    }
    let sorted = |keys: &[String]| {
        let mut keys: Vec<_> = keys.iter().map(|key| key.to_ascii_lowercase()).collect();
        keys.sort();
        keys
    };
    if shape.keys.is_empty() {
        return Ok(named);
    }
    if sorted(&shape.keys) != sorted(&named) {
        return Err(format!("its keys are ({}), not ({})", shape.keys.join(", "), named.join(", ")));
    }
    Ok(shape.keys.clone())
}

/// Returns a column with its values as a wider type; see [`widest`].
pub fn widened(column: &Column, to: ColumnType) -> Column {
    if column.values.column_type() == to {
        return column.clone();
    }
    let mut wide = ColumnBuilder::new(column.name.clone(), to);
    for row in 0..column.values.len() {
        match (column.cell(row), to) {
            (Cell::Null, _) => wide.push(Cell::Null),
            (Cell::Integer(value), ColumnType::Float) => wide.push(Cell::Float(value as f64)),
            (cell, ColumnType::Text) => wide.push(Cell::Text(&text_of(cell))),
            (cell, to) => panic!("a {cell:?} does not widen to {to:?}"),
        }
    }
    wide.finish()
}

/// Returns the text that stands for a value once its column has become text.
/// What is nothing is an empty text here; callers keep nulls apart.
pub fn text_of(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Integer(value) => value.to_string(),
        Cell::Float(value) => format!("{value:?}"),
        Cell::Time(micros) => Timestamp::from_micros(micros).to_string(),
        Cell::Boolean(value) => value.to_string(),
        Cell::Text(text) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
