//! Data models: which tables belong together, and which of them tell the story
//! of a case.

mod assistant;

use serde::{Deserialize, Serialize};

pub use assistant::GuessedDataModel;

use crate::{DataModelId, Error, PoolId, TableInfo};

/// A data model of a pool, in one of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataModel {
    /// Stays the same over all versions.
    pub id: DataModelId,
    /// Where its tables lie.
    pub pool: PoolId,
    /// Its name in addresses and files; unique in the pool.
    pub key: String,
    /// Counts from 1; each replacement is a version of its own.
    pub version: u64,
    /// What people read.
    pub name: String,
    /// The tables that take part.
    pub tables: Vec<String>,
    /// How they hang together.
    pub foreign_keys: Vec<ForeignKey>,
    /// Where the activities are.
    pub activity: ActivityTable,
}

/// What a person writes to make a data model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataModelSpec {
    /// What people read; the key if left out.
    #[serde(default)]
    pub name: String,
    /// The tables that take part.
    pub tables: Vec<String>,
    /// How they hang together.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Where the activities are.
    pub activity: ActivityTable,
}

/// A connection of two tables: many rows of `from` belong to one row of `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForeignKey {
    /// The table on the N side.
    pub from_table: String,
    /// Its columns, in the order of `to_columns`.
    pub from_columns: Vec<String>,
    /// The table on the 1 side.
    pub to_table: String,
    /// Its columns.
    pub to_columns: Vec<String>,
}

/// The table that holds one row per activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivityTable {
    /// Its name.
    pub table: String,
    /// Which case an activity belongs to.
    pub case_column: String,
    /// What was done.
    pub activity_column: String,
    /// When it was done, or begun where an end is known too.
    pub timestamp_column: String,
    /// When it ended.
    #[serde(default)]
    pub end_timestamp_column: Option<String>,
    /// What decides where times are equal.
    #[serde(default)]
    pub sorting_column: Option<String>,
    /// The table that holds one row per case.
    #[serde(default)]
    pub case_table: Option<String>,
    /// Its column that names the case.
    #[serde(default)]
    pub case_table_column: Option<String>,
}

impl DataModel {
    pub(crate) fn new(id: DataModelId, pool: PoolId, key: String, version: u64, spec: DataModelSpec) -> Self {
        let DataModelSpec { name, tables, foreign_keys, activity } = spec;
        DataModel { id, pool, key, version, name, tables, foreign_keys, activity }
    }

    /// Returns what a person would write to make this version.
    pub fn spec(&self) -> DataModelSpec {
        DataModelSpec {
            name: self.name.clone(),
            tables: self.tables.clone(),
            foreign_keys: self.foreign_keys.clone(),
            activity: self.activity.clone(),
        }
    }
}

/// Lets through a key that can stand in an address and in a file name.
pub(crate) fn checked_key(key: &str) -> Result<String, Error> {
    let key = crate::pool::named("data model", key)?;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if !key.chars().all(plain) {
        let detail = "a key holds letters, digits, points, dashes and underscores";
        return Err(Error::BadName { name: key, noun: "data model", detail });
    }
    Ok(key)
}

/// Lets through a data model that holds together and fits the tables there
/// are. Tables that do not exist yet are allowed, for a model may be applied
/// before the first push; each of them is a note. The error names the table or
/// the column.
pub(crate) fn check(spec: &DataModelSpec, existing: &[TableInfo]) -> Result<Vec<String>, String> {
    let mut model = Checking { spec, existing, notes: Vec::new() };
    for (place, table) in spec.tables.iter().enumerate() {
        if spec.tables[..place].iter().any(|other| other.eq_ignore_ascii_case(table)) {
            return Err(format!("table \"{table}\" is listed twice"));
        }
        if model.table(table).is_none() {
            model.notes.push(format!("table \"{table}\" does not exist yet"));
        }
    }
    let activity = &spec.activity;
    model.columns(
        &activity.table,
        [&activity.case_column, &activity.activity_column, &activity.timestamp_column]
            .into_iter()
            .chain(&activity.end_timestamp_column)
            .chain(&activity.sorting_column),
    )?;
    match (&activity.case_table, &activity.case_table_column) {
        (Some(table), Some(column)) => model.columns(table, [column])?,
        (None, None) => {}
        _ => return Err("caseTable and caseTableColumn belong together".into()),
    }
    for key in &spec.foreign_keys {
        if key.from_columns.is_empty() || key.from_columns.len() != key.to_columns.len() {
            return Err(format!(
                "the foreign key from \"{}\" to \"{}\" needs as many columns on one side as on the other",
                key.from_table, key.to_table
            ));
        }
        model.columns(&key.from_table, &key.from_columns)?;
        model.columns(&key.to_table, &key.to_columns)?;
    }
    Ok(model.notes)
}

struct Checking<'a> {
    spec: &'a DataModelSpec,
    existing: &'a [TableInfo],
    notes: Vec<String>,
}

impl Checking<'_> {
    fn table(&self, name: &str) -> Option<&TableInfo> {
        self.existing.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// Looks for columns in a table of the model; where the table does not
    /// exist yet, they cannot be missing.
    fn columns<'c>(&self, name: &str, columns: impl IntoIterator<Item = &'c String>) -> Result<(), String> {
        if !self.spec.tables.iter().any(|table| table.eq_ignore_ascii_case(name)) {
            return Err(format!("table \"{name}\" is not among its tables"));
        }
        let Some(table) = self.table(name) else { return Ok(()) };
        for column in columns {
            if table.schema.position(column).is_none() {
                return Err(format!("table \"{name}\" has no column \"{column}\""));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
