//! What a root takes, and whether there is room for it.

use std::collections::HashSet;
use std::fmt;

use pools::TableInfo;
use pools::rows::ColumnType;

use super::event_log::EventLog;
use crate::value::Type;

/// Columns that a refusal names, so that somebody can leave them out.
const NAMED_MAX: usize = 5;

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

/// Bytes of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: String,
    /// Rows that live.
    pub rows: usize,
    /// Its columns, in their order.
    pub columns: Vec<ColumnSize>,
    /// Bytes of what finds its rows by their push keys.
    pub keys: usize,
}

/// Bytes of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSize {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub column_type: Type,
    /// Bytes of its values and of their distinct texts. Texts that several
    /// columns share count where they stand first; a column of case ids has no
    /// values of its own.
    pub bytes: usize,
}

/// The memory for data models, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What all of them may take together.
    pub all: usize,
    /// What the others take.
    pub taken: usize,
}

impl Room {
    /// As much as there is.
    pub const BOUNDLESS: Room = Room { all: usize::MAX, taken: 0 };

    fn holds(&self, bytes: usize) -> bool {
        bytes <= self.all.saturating_sub(self.taken)
    }

    /// Refuses tables whose values alone would not fit, before they are read.
    ///
    /// A packed value takes a byte or more, a double eight; case ids may take
    /// nothing. What is let through is measured once it is packed.
    pub(super) fn admit(&self, tables: &[TableInfo]) -> Result<(), String> {
        let mut columns = Vec::new();
        let mut rows = 0;
        for table in tables {
            rows += table.rows;
            for column in table.schema.columns.iter().filter(|column| column.name != pools::SEQ_COLUMN) {
                let width = if column.column_type == ColumnType::Float { 8 } else { 1 };
                columns.push((named(&table.name, &column.name), (table.rows * width) as usize));
            }
        }
        let case_ids = tables.iter().map(|table| table.rows).max().unwrap_or(0) as usize;
        let least = columns.iter().map(|(_, bytes)| bytes).sum::<usize>().saturating_sub(2 * case_ids);
        if self.holds(least) {
            return Ok(());
        }
        let takes = format!("it takes {} at the least, for {rows} rows", Bytes(least));
        Err(self.refusal(&takes, columns))
    }

    /// Refuses a root that does not fit, with the figures and the mend.
    pub fn check(&self, log: &EventLog) -> Result<(), String> {
        let size = log.size();
        if self.holds(size.bytes()) {
            return Ok(());
        }
        let tables = log.size_by_table();
        let columns = tables
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| (named(&table.name, &column.name), column.bytes)));
        Err(self.refusal(&format!("it takes {size}"), columns.collect()))
    }

    fn refusal(&self, takes: &str, mut columns: Vec<(String, usize)>) -> String {
        columns.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let largest = columns.iter().take(NAMED_MAX).map(|(name, bytes)| format!("{name} {}", Bytes(*bytes)));
        let largest = largest.collect::<Vec<_>>().join(", ");
        let others = match self.taken {
            0 => String::new(),
            taken => format!(", of which other data models take {}", Bytes(taken)),
        };
        format!(
            "{takes}, and the memory for data models is {}{others}; its largest columns are {largest}: leave columns \
             or tables out, or raise the setting \"data_models_bytes_max\"",
            Bytes(self.all)
        )
    }
}

fn named(table: &str, column: &str) -> String {
    format!("\"{table}\".\"{column}\"")
}

impl Size {
    /// Returns the bytes of all parts.
    pub fn bytes(&self) -> usize {
        self.columns + self.words + self.joins + self.keys
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [all, columns, words, joins, keys] =
            [self.bytes(), self.columns, self.words, self.joins, self.keys].map(Bytes);
        write!(
            f,
            "{all} for {} rows, {} of them events (columns {columns}, texts {words}, joins {joins}, push keys {keys})",
            self.rows, self.events
        )
    }
}

/// Bytes as people read them.
struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..0x400 => write!(f, "{bytes} bytes"),
            0x400..0x10_0000 => write!(f, "{:.1} KiB", bytes / 1_024.0),
            _ => write!(f, "{:.1} MiB", bytes / 1_048_576.0),
        }
    }
}

impl EventLog {
    /// Measures the root. It goes through the overlay, not through the base.
    pub fn size(&self) -> Size {
        let mut size = Size { events: self.event_count(), ..Size::default() };
        let mut words = SharedWords::default();
        for table in &self.tables {
            size.rows += table.len();
            size.columns += table.column_bytes().sum::<usize>();
            size.keys += table.key_bytes();
            size.words +=
                (0..table.columns().count()).map(|place| words.count(table.column(place).words())).sum::<usize>();
        }
        size.words += words.count(&self.case_keys.words);
        for join in &self.joins {
            size.words += words.count(&join.keys.words);
            size.joins += join.key_of_row.bytes() + join.parents.bytes() + join.children.bytes();
        }
        size.joins +=
            self.events.bytes() + self.case_of_event.bytes() + self.case_rows.bytes() + self.case_of_row.bytes();
        size
    }

    /// Measures each table and each column. Together with the joins and the
    /// keys of joins that is [`EventLog::size`].
    pub fn size_by_table(&self) -> Vec<TableSize> {
        let mut words = SharedWords::default();
        let table_size = |table: &super::Table| {
            let columns = table.columns().zip(table.column_bytes()).enumerate();
            let columns = columns.map(|(place, ((name, column_type), bytes))| ColumnSize {
                name: name.to_owned(),
                column_type,
                bytes: bytes + words.count(table.column(place).words()),
            });
            TableSize {
                name: table.name.clone(),
                rows: table.len(),
                columns: columns.collect(),
                keys: table.key_bytes(),
            }
        };
        self.tables.iter().map(table_size).collect()
    }
}

/// Words that were counted: columns that hold the same keys share theirs.
#[derive(Default)]
struct SharedWords(HashSet<*const super::WordBlock>);

impl SharedWords {
    fn count(&mut self, words: &super::Words) -> usize {
        let (block, bytes) = words.bytes();
        if self.0.insert(block) { bytes } else { 0 }
    }
}
