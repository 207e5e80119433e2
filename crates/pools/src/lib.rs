//! Data integration: pools, push jobs, chunks, CSV rules, table schemas, data models.
//!
//! Rows are reached only through the [`Tables`] port; this crate knows neither
//! Arrow nor Delta nor a SQL engine.

pub mod rows;
mod port;
pub mod schema;
pub mod memory;
mod data_model;

pub use data_model::{ActivityTable, DataModel, DataModelSpec, ForeignKey};
pub use port::{
    CHANGE_DATE_COLUMN, Change, Commit, CommitNumber, Committed, Mode, Piece, SEQ_COLUMN, Snapshot, TableInfo, Tables,
    TablesError,
};
pub use rows::Rows;

base::id! {
    /// Names a data pool.
    pub PoolId
}

base::id! {
    /// Names a data push job.
    pub PushJobId
}

base::id! {
    /// Names a chunk of a push job.
    pub ChunkId
}

base::id! {
    /// Names a data model.
    pub DataModelId
}
