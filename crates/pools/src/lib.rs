//! Data integration: pools, push jobs, chunks, CSV rules, table schemas, data
//! models.
//!
//! A *pool* holds tables. A *push job* brings rows into one of them: it is
//! made, takes *chunks* (CSV or Parquet files, kept in the *spool*), is
//! executed once, and ends DONE or ERROR, all or nothing. A *data model* says
//! which tables belong together and which of them tells the story of a case.
//!
//! What cannot happen here:
//!
//! * A job is DONE before its rows would survive a power loss: the commit of
//!   the rows is the truth, and the job's row follows it. After a crash a
//!   RUNNING job first asks whether its commit is there.
//! * A job is applied twice, or half.
//! * Jobs of one table overtake each other: they run in the order in which
//!   they were executed.
//!
//! Rows are reached only through the [`Tables`] port; this crate knows neither
//! Arrow nor Delta nor a SQL engine.

pub mod rows;
mod port;
pub mod schema;
pub mod memory;
mod pool;
mod push_job;
pub mod csv;
mod spool;
mod chunk_upload;
mod continuous;
mod newest;
mod kept;
mod limits;
mod data_model;
mod import;
mod tables;
mod push_tables;
mod pools;
mod execution;
mod work;
mod transformation;
mod data_job;
mod data_run;
mod data_job_tables;
mod data_jobs;
mod data_job_work;
mod source;
mod error;

pub use chunk_upload::ChunkUpload;
pub use continuous::ItemUpload;
pub use csv::{ColumnOptions, CsvOptions};
pub use data_job::{DataJob, DataJobSpec, TransformationSpec};
pub use data_model::{ActivityTable, DataModel, DataModelSpec, ForeignKey, GuessedDataModel};
pub use data_run::{Cause, DataRun, RunState, StatementEnd, StatementRun};
pub use error::Error;
pub use import::{
    ColumnChoice, Format, GuessedRole, Import, ImportFile, ImportJob, ImportOptions, ImportReading, ImportState,
    ImportUpload, Preview, PreviewColumn, PreviewTable, ReadColumn, Role,
};
pub use kept::JobDetails;
pub use pool::{Pool, Status};
pub use pools::{Options, Pools, PutDataModel};
pub use port::{AtRest, Explored, Transform, Transformed, ViewDefinition, ViewShown};
pub use port::{
    CHANGE_DATE_COLUMN, Change, Commit, CommitNumber, Committed, Mode, ParquetHead, Piece, SEQ_COLUMN, Snapshot,
    TableInfo, Tables, TablesError,
};
pub use push_job::{
    Chunk, ChunkKind, Continuous, DeclaredColumn, DeclaredType, FileType, PushJob, PushJobSpec, PushType, State,
    UpsertStrategy,
};
pub use rows::Rows;
pub use source::{
    Afterwards, BadFile, Cursor, Folder, Origin, Outside, Postgres, Rhythm, Sample, Source, SourceFormat, SourceId,
    SourceRun, SourceRunId, SourceRunState, SourceSecrets, SourceSpec, Url, WatermarkSpec,
};
pub use tables::MIGRATIONS;
pub use transformation::Verb;

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

base::id! {
    /// Names a data job.
    pub DataJobId
}

base::id! {
    /// Names a run of a data job.
    pub DataRunId
}

base::id! {
    /// Names an import.
    pub ImportId
}
