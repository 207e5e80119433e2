//! Data models: which tables belong together, and which of them tell the story
//! of a case.

use serde::{Deserialize, Serialize};

use crate::{DataModelId, PoolId};

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
