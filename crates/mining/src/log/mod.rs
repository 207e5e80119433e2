//! The event log in memory.

use pools::PoolId;

/// What `mining` needs to know of a data model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The data model's id.
    pub id: String,
    /// Whose tables.
    pub pool: PoolId,
    /// The data model's key.
    pub key: String,
    /// The tables that take part.
    pub tables: Vec<String>,
    /// How they hang together.
    pub foreign_keys: Vec<LayoutKey>,
    /// Which table holds the activities.
    pub activity: LayoutActivity,
}

/// N rows of one table point to one row of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutKey {
    /// The N-side.
    pub from_table: String,
    /// Its columns.
    pub from_columns: Vec<String>,
    /// The 1-side.
    pub to_table: String,
    /// Its columns, in the same order.
    pub to_columns: Vec<String>,
}

/// The roles in the activity table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutActivity {
    /// The table.
    pub table: String,
    /// Which case.
    pub case_column: String,
    /// Which activity.
    pub activity_column: String,
    /// When; orders the events of a case.
    pub timestamp_column: String,
    /// When it ended.
    pub end_timestamp_column: Option<String>,
    /// Orders events of equal time.
    pub sorting_column: Option<String>,
    /// The table of cases; made from the case ids if there is none.
    pub case_table: Option<String>,
    /// Its key.
    pub case_table_column: Option<String>,
}
