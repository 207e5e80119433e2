//! The port through which `pools` reaches the rows.
//!
//! `pools` decides what a push job means; the rows themselves lie behind
//! [`Tables`]. The real one is `lake` (write-ahead log, hot store, Delta at
//! rest); tests use [`MemTables`](crate::memory::MemTables).
//!
//! Commits of a pool are numbered 1, 2, 3 … in the order in which they became
//! durable. The number is what queries wait for and what triggers count by.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::error::{Coded, Kind};
use base::{BoxFuture, Causes, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::rows::{Rows, Schema};
use crate::{PoolId, PushJobId};

/// Number of a commit in its pool; 0 is "before the first".
pub type CommitNumber = u64;

/// Name of the column that every table at rest carries: where a row stands in
/// the order of arrival, `commit number * 2^32 + row in the commit`.
pub const SEQ_COLUMN: &str = "_seq";

/// Name of the time column that every table carries beside the pushed ones:
/// when the job that wrote the row was executed ([`Commit::at`]). It is a
/// column like any other (visible, in [`TableInfo::schema`], in scans and
/// changes), added at the end when the table is made; values that a push
/// brings for it are replaced.
pub const CHANGE_DATE_COLUMN: &str = "_CELONIS_CHANGE_DATE";

/// Rows on their way into a push job.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Rows to insert or, by key, to replace.
    Upsert(Rows),
    /// Rows whose keys are to be deleted; only key columns are looked at.
    Delete(Rows),
    /// A Parquet file to insert or upsert; it is read behind the port.
    UpsertParquet(PathBuf),
    /// A Parquet file with keys to delete.
    DeleteParquet(PathBuf),
}

/// What a commit does to its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The table holds these rows and no others afterwards, and has the
    /// columns of these rows and no keys.
    Replace,
    /// The rows are added, also where a row with the same key is there.
    Append,
    /// The rows replace those with equal keys, else they are added.
    Upsert {
        /// Key columns.
        keys: Vec<String>,
        /// Columns that a piece of the push lacks keep their value (`true`) or
        /// become null.
        keep_missing: bool,
    },
}

/// One push job, ready to become durable.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Whose table.
    pub pool: PoolId,
    /// The table's name, in the case in which it was first written.
    pub table: String,
    /// The push job: committing the same one twice returns the same number.
    pub job: PushJobId,
    /// What happens to the table.
    pub mode: Mode,
    /// When the job was executed; goes into `_CELONIS_CHANGE_DATE`.
    pub at: Timestamp,
    /// What led to it; stays with the commit.
    pub causes: Causes,
}

/// A commit that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub number: CommitNumber,
    /// Rows inserted or replaced.
    pub upserted: u64,
    /// Keys deleted.
    pub deleted: u64,
}

/// A table as it can be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// Its columns without the hidden ones.
    pub schema: Schema,
    /// Rows at the head.
    pub rows: u64,
    /// Key columns; empty for a table that is only appended to.
    pub keys: Vec<String>,
    /// Number of the last commit that changed it.
    pub changed_by: CommitNumber,
}

/// The rows of a table at one commit number.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The commit number.
    pub number: CommitNumber,
    /// The columns asked for, and [`SEQ_COLUMN`] last. Rows stand in order of
    /// `_seq`.
    pub rows: Rows,
}

/// The beginning of a Parquet file.
#[derive(Clone, Debug)]
pub struct ParquetHead {
    /// How many rows the file has.
    pub rows: u64,
    /// The first of them, with all columns.
    pub first: Rows,
}

/// What one commit changed, for consumers that follow along. It is the net
/// effect: a key that a job brings several times stands in it once, among the
/// upserts or among the deletes, whichever came last.
#[derive(Clone, Debug)]
pub struct Change {
    /// The commit number.
    pub number: CommitNumber,
    /// The table.
    pub table: String,
    /// What happened to the table.
    pub mode: Mode,
    /// Rows inserted or replaced, as the table holds them after this commit:
    /// all its columns, also those that an upsert kept, [`SEQ_COLUMN`] last.
    pub upserts: Rows,
    /// Keys deleted, one column per key; some may not have been there.
    pub deletes: Rows,
    /// When the job was executed.
    pub at: Timestamp,
    /// What led to it, as [`Commit::causes`] said.
    pub causes: Causes,
}

/// A statement of a data job, ready to run.
#[derive(Clone, Debug)]
pub struct Transform {
    /// Whose tables.
    pub pool: PoolId,
    /// What its commit is known by: running the same one twice commits once.
    pub job: PushJobId,
    /// One statement.
    pub statement: String,
    /// When it began; goes into `_CELONIS_CHANGE_DATE`.
    pub at: Timestamp,
    /// What led to it; stays with its commit.
    pub causes: Causes,
    /// Breaks it off as long as nothing of it is committed.
    pub stop: CancellationToken,
}

/// What a statement of a data job came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transformed {
    /// Rows are durable.
    Committed(Committed),
    /// There was nothing to do.
    Nothing,
    /// A view is to be kept; views live with whoever asked.
    ViewMade(ViewDefinition),
    /// The view of this name is to be forgotten.
    ViewDropped(String),
}

/// A question with a name, to be used like a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewDefinition {
    /// Its name.
    pub name: String,
    /// A SELECT.
    pub query: String,
}

/// A table or view with all that is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explored {
    /// Name, columns, keys and rows; of a view, rows and changes are 0.
    pub info: TableInfo,
    /// The question behind it, if it is a view, or why it cannot be asked.
    pub view: Option<ViewShown>,
    /// What lies at rest, if anything does.
    pub rest: Option<AtRest>,
    /// When it changed last, as far as that is known.
    pub changed_at: Option<Timestamp>,
}

/// A view as the explorer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewShown {
    /// A SELECT.
    pub query: String,
    /// Why it cannot be asked at the moment, such as a table that is gone.
    pub broken: Option<String>,
}

/// The part of a table that lies in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtRest {
    /// The folder of the Delta table.
    pub path: PathBuf,
    /// Its version.
    pub version: u64,
    /// How many files count.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The last commit in it.
    pub through: CommitNumber,
}

/// Why the rows are not as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TablesError {
    /// No such table.
    #[error("table \"{table}\" does not exist in this pool")]
    UnknownTable {
        /// As asked for.
        table: String,
    },
    /// The rows do not fit the table.
    #[error("the rows do not fit table \"{table}\": {detail}")]
    Mismatch {
        /// The table.
        table: String,
        /// Which column, which type, which key.
        detail: String,
    },
    /// A file is not what it should be.
    #[error("file \"{file}\" cannot be read: {detail}")]
    BadFile {
        /// Its name.
        file: String,
        /// What is wrong with it.
        detail: String,
    },
    /// No room is left; nothing of the job is visible.
    #[error("the disk that holds the tables is full")]
    Full,
    /// The disk failed.
    #[error("the disk failed under the tables: {detail}")]
    BrokenDisk {
        /// What the operating system said.
        detail: String,
    },
    /// Changes before this number are no longer kept; load a snapshot instead.
    #[error("changes up to commit {gone} are no longer kept")]
    Forgotten {
        /// The last number that is gone.
        gone: CommitNumber,
    },
    /// A table changed while a statement rewrote it, and again when it was
    /// tried again.
    #[error(
        "table \"{table}\" changes faster than the statement can rewrite it: run it while less is pushed, or give the table keys"
    )]
    Moved {
        /// The table.
        table: String,
    },
    /// A statement does not parse, or names what is not there.
    #[error("{detail}")]
    Statement {
        /// What is wrong, with the place where it is known.
        detail: String,
    },
    /// A statement was stopped before it was done; nothing of it is visible.
    #[error("the statement was stopped: {detail}")]
    Stopped {
        /// Which limit, or who.
        detail: String,
    },
    /// Something else failed.
    #[error("the tables failed: {detail}")]
    Failed {
        /// What happened.
        detail: String,
    },
}

impl Coded for TablesError {
    fn kind(&self) -> Kind {
        match self {
            TablesError::UnknownTable { .. } => Kind::NotFound,
            TablesError::Mismatch { .. } | TablesError::BadFile { .. } | TablesError::Statement { .. } => Kind::Invalid,
            TablesError::Moved { .. } => Kind::Conflict,
            TablesError::Full | TablesError::Stopped { .. } => Kind::Unavailable,
            TablesError::Forgotten { .. } => Kind::Gone,
            TablesError::BrokenDisk { .. } | TablesError::Failed { .. } => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            TablesError::UnknownTable { .. } => "table-unknown",
            TablesError::Mismatch { .. } => "table-mismatch",
            TablesError::BadFile { .. } => "file-unreadable",
            TablesError::Full => "disk-full",
            TablesError::Forgotten { .. } => "changes-forgotten",
            TablesError::BrokenDisk { .. } => "disk-broken",
            TablesError::Statement { .. } => "sql-statement",
            TablesError::Moved { .. } => "table-moved",
            TablesError::Stopped { .. } => "sql-stopped",
            TablesError::Failed { .. } => "tables-failed",
        }
    }
}

/// The rows of all pools.
pub trait Tables: Send + Sync {
    /// Takes a piece of a push job; nothing of it is visible until
    /// [`Tables::commit`]. Pieces keep their order.
    fn stage(&self, pool: PoolId, job: PushJobId, piece: Piece) -> BoxFuture<'_, Result<(), TablesError>>;

    /// Forgets what was staged for a job. After a restart nothing is staged.
    fn abandon(&self, job: PushJobId);

    /// Makes the staged pieces of a job durable and visible, all or nothing,
    /// and returns when a power loss can no longer undo it.
    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>>;

    /// Tells whether a job was committed: what DONE is derived from after a
    /// crash.
    fn outcome(&self, pool: PoolId, job: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>>;

    /// Lists the tables of a pool by name.
    fn list(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>>;

    /// Describes a table, its name in any case.
    fn table<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>>;

    /// Returns the columns of a table, its name in any case. Each push asks:
    /// whoever has to look at rows to count them need not do so here.
    fn columns<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<Schema>, TablesError>> {
        Box::pin(async move { Ok(self.table(pool, table).await?.map(|table| table.schema)) })
    }

    /// Reads a table as it was after commit `number`, or after the newest one
    /// before it of which that is still known, which is named in the answer.
    /// What no consumer has released is known, unless somebody had the table
    /// flushed by hand; where even the oldest known state is later, the error
    /// is [`TablesError::Forgotten`].
    fn scan_at<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        number: CommitNumber,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        Box::pin(async move {
            let head = self.scan(pool, table, None).await?;
            let gone = head.number;
            if gone <= number { Ok(head) } else { Err(TablesError::Forgotten { gone }) }
        })
    }

    /// Reads columns of a table (all if `None`) at the head, which is named in
    /// the answer.
    fn scan<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        columns: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>>;

    /// Returns what the commits after `after` changed, in order, at most
    /// `limit` of them.
    fn changes(
        &self,
        pool: PoolId,
        after: CommitNumber,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Change>, TablesError>>;

    /// Says that `consumer` has no more use for the changes up to `through`.
    /// What no consumer needs may be forgotten.
    fn release(&self, pool: PoolId, consumer: &str, through: CommitNumber);

    /// Watches the number of the last durable commit.
    fn head(&self, pool: PoolId) -> watch::Receiver<CommitNumber>;

    /// Waits until the pool has reached a number; false if `patience` ran out.
    fn wait_for(&self, pool: PoolId, number: CommitNumber, patience: Duration) -> BoxFuture<'_, bool> {
        let mut head = self.head(pool);
        Box::pin(async move {
            let reached = head.wait_for(|head| *head >= number);
            tokio::time::timeout(patience, reached).await.is_ok_and(|reached| reached.is_ok())
        })
    }

    /// Reads the beginning of a Parquet file: its columns, how many rows it
    /// has, and `rows` of them at most.
    fn parquet_head<'a>(&'a self, file: &'a Path, rows: usize) -> BoxFuture<'a, Result<ParquetHead, TablesError>> {
        let _ = rows;
        Box::pin(async move { Err(no_parquet(file)) })
    }

    /// Reads a Parquet file into memory; only for files that are small.
    fn read_parquet<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Rows, TablesError>> {
        Box::pin(async move { Err(no_parquet(file)) })
    }

    /// Finds the rows of a table that may bear one of the keys (the columns of
    /// `keys`), with these keys and the columns asked for. Rows with other keys
    /// may be among them; a column that the table does not have is not.
    fn find<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        keys: Rows,
        columns: Vec<String>,
    ) -> BoxFuture<'a, Result<Rows, TablesError>> {
        Box::pin(async move {
            let Some(known) = self.table(pool, table).await? else { return Ok(Rows::default()) };
            let keys = keys.columns().iter().map(|column| column.name.clone());
            let wanted = keys.chain(columns).filter(|name| known.schema.position(name).is_some());
            Ok(self.scan(pool, table, Some(wanted.collect())).await?.rows)
        })
    }

    /// Writes what is pending of a table to rest and returns the version of
    /// the Delta table that holds it.
    fn flush<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>>;

    /// Runs a statement of a data job and commits what it makes, all or
    /// nothing. Tables without a SQL engine cannot.
    fn transform(&self, transform: Transform) -> BoxFuture<'_, Result<Transformed, TablesError>> {
        let detail = format!("there is no SQL engine behind these tables for: {}", transform.statement);
        Box::pin(async { Err(TablesError::Failed { detail }) })
    }

    /// Says which views a pool has, from now on.
    fn show_views(&self, _pool: PoolId, _views: Vec<ViewDefinition>) {}

    /// Returns the last commit that changed a table, its name in any case.
    /// It looks at nothing that takes time.
    fn last_change(&self, _pool: PoolId, _table: &str) -> Option<CommitNumber> {
        None
    }

    /// Lists tables and views with all that is known about them.
    fn explore(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<Explored>, TablesError>> {
        Box::pin(async move {
            let tables = self.list(pool).await?.into_iter();
            Ok(tables.map(|info| Explored { info, view: None, rest: None, changed_at: None }).collect())
        })
    }
}

fn no_parquet(file: &Path) -> TablesError {
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    TablesError::BadFile { file, detail: "these tables do not read Parquet".into() }
}
