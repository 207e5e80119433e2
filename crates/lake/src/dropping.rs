//! Dropping a table.
//!
//! A table without columns is none. So a drop is a commit like any other: it
//! replaces everything by nothing, columns included. It has its number, it
//! survives a crash, followers hear of it, a flush brings it to rest, and the
//! next push of that name begins a new table in its place.

use pools::rows::{Column, Rows, Values};
use pools::schema::Shape;
use pools::{Change, Commit, CommitNumber, Committed, Mode, SEQ_COLUMN};

use crate::decide::Decision;
use crate::table::Table;

/// Returns what the log will say about it.
pub(crate) fn dropped(table: Option<&Table>, commit: &Commit, number: CommitNumber) -> Decision {
    let nothing = Column { name: SEQ_COLUMN.into(), values: Values::Integer(Vec::new()), validity: None };
    Decision {
        shape: Shape::default(),
        committed: Committed { number, upserted: 0, deleted: 0 },
        change: Change {
            number,
            table: table.map_or_else(|| commit.table.clone(), |table| table.name.clone()),
            mode: Mode::Replace,
            upserts: Rows::new(vec![nothing]),
            deletes: Rows::default(),
            at: commit.at,
            causes: commit.causes.clone(),
        },
    }
}

impl Table {
    /// Tells whether nothing is left of it but its history.
    pub(crate) fn is_dropped(&self) -> bool {
        self.shape.schema.columns.is_empty()
    }
}
