//! What a root takes, and whether there is room for it.

use std::collections::HashMap;
use std::fmt;

use super::event_log::EventLog;

/// Bytes of a root by part. What two roots share counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Rows of all tables.
    pub rows: usize,
    /// Events in cases.
    pub events: usize,
    /// The values of all columns.
    pub columns: usize,
    /// The distinct texts, with what finds them.
    pub words: usize,
    /// Which rows are joined, and the order of events.
    pub joins: usize,
    /// What finds rows by their push keys.
    pub keys: usize,
}

impl Size {
    /// Returns the bytes of all parts.
    pub fn bytes(&self) -> usize {
        self.columns + self.words + self.joins + self.keys
    }

    /// Refuses what is larger than a budget in bytes, and says by how much.
    pub fn check(&self, budget: usize) -> Result<(), String> {
        if self.bytes() <= budget {
            return Ok(());
        }
        let budget = Megabytes(budget);
        Err(format!(
            "it takes {self}, and the memory for data models is {budget}: leave columns or tables out, or raise the limit"
        ))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [all, columns, words, joins, keys] =
            [self.bytes(), self.columns, self.words, self.joins, self.keys].map(Megabytes);
        write!(
            f,
            "{all} for {} rows, {} of them events (columns {columns}, texts {words}, joins {joins}, push keys {keys})",
            self.rows, self.events
        )
    }
}

struct Megabytes(usize);

impl fmt::Display for Megabytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
    }
}

impl EventLog {
    /// Measures the root. It goes through the overlay, not through the base.
    pub fn size(&self) -> Size {
        let mut size = Size { events: self.event_count(), ..Size::default() };
        // Columns that hold the same keys share their words.
        let mut words = HashMap::new();
        let mut count = |one: &super::Words| {
            let (block, bytes) = one.bytes();
            words.insert(block, bytes);
        };
        for table in &self.tables {
            size.rows += table.len();
            let (columns, keys) = table.bytes();
            size.columns += columns;
            size.keys += keys;
            (0..table.columns().count()).for_each(|place| count(table.column(place).words()));
        }
        count(&self.case_keys.words);
        for join in &self.joins {
            count(&join.keys.words);
            size.joins += join.key_of_row.bytes() + join.parents.bytes() + join.children.bytes();
        }
        size.joins +=
            self.events.bytes() + self.case_of_event.bytes() + self.case_rows.bytes() + self.case_of_row.bytes();
        size.words = words.into_values().sum();
        size
    }
}
