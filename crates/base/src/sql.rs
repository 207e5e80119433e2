//! The port through which SQL over rows is asked.
//!
//! The rows of pools live in `lake`, which nobody but the program knows. The
//! API and the local workspace ask through this port.

use bytes::Bytes;
use serde_json::Value as Json;

use crate::error::{Coded, Kind};
use crate::{BoxFuture, Timestamp};

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlColumn {
    /// As the statement names it.
    pub name: String,
    /// `integer`, `float`, `time`, `boolean`, `text`, or the engine's own word
    /// for anything else.
    pub kind: String,
}

/// The rows that a statement returned.
#[derive(Clone, Debug, Default)]
pub struct SqlAnswer {
    /// Columns in order.
    pub columns: Vec<SqlColumn>,
    /// Rows in order; a value stands at its column's place. Times are RFC 3339
    /// texts in UTC, 64-bit integers are exact.
    pub rows: Vec<Vec<Json>>,
    /// There were more rows than the limit of the request.
    pub truncated: bool,
    /// Where the next page is, if the request asked for pages and there are
    /// more rows.
    pub next: Option<String>,
}

/// A statement over the tables of one pool.
#[derive(Clone, Debug)]
pub struct SqlRequest {
    /// Whose tables: a pool's id.
    pub pool: String,
    /// The statement.
    pub statement: String,
    /// Rows returned at most.
    pub rows_max: usize,
    /// Wait until the pool has reached this commit number; the head at the
    /// time of the request if there is none.
    pub at_least: Option<u64>,
    /// Who asks, for the list of running statements.
    pub asked_by: String,
    /// Keep the statement open for [`Sql::page`] if there are more rows.
    pub pages: bool,
}

/// What a download looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlForm {
    /// Comma-separated values with a header, UTF-8.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

/// Rows on their way out, a piece at a time. Dropping it stops the statement.
pub type SqlDownload = std::pin::Pin<Box<dyn futures::Stream<Item = Result<Bytes, SqlError>> + Send>>;

/// A statement that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlRunning {
    /// By which it can be cancelled.
    pub id: String,
    /// As it was asked.
    pub statement: String,
    /// Who asked.
    pub asked_by: String,
    /// Since when.
    pub since: Timestamp,
    /// It rests between two pages.
    pub between_pages: bool,
}

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The statement does not parse, or names what is not there.
    #[error("{detail}")]
    Statement {
        /// What the engine said, with the place where it knows it.
        detail: String,
    },
    /// It took too long or too much memory.
    #[error("the statement was stopped: {detail}")]
    Stopped {
        /// Which limit.
        detail: String,
    },
    /// The page is not kept any more.
    #[error(
        "there is no page \"{cursor}\": pages are kept for {minutes} minutes, and only the last one is shown again"
    )]
    PageGone {
        /// As asked for.
        cursor: String,
        /// How long.
        minutes: u64,
    },
    /// The engine failed.
    #[error("the rows cannot be read")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Coded for SqlError {
    fn kind(&self) -> Kind {
        match self {
            SqlError::Statement { .. } => Kind::Invalid,
            SqlError::Stopped { .. } => Kind::Unavailable,
            SqlError::PageGone { .. } => Kind::Gone,
            SqlError::Engine(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SqlError::Statement { .. } => "sql-statement",
            SqlError::Stopped { .. } => "sql-stopped",
            SqlError::PageGone { .. } => "sql-page-gone",
            SqlError::Engine(_) => "sql-engine",
        }
    }
}

/// Answers SQL over the tables of a pool. Statements only read.
pub trait Sql: Send + Sync {
    /// Runs one statement.
    fn run(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlAnswer, SqlError>>;

    /// Returns the page that a cursor names. All pages of a statement show the
    /// pool as it was when the first one was asked for; the last page can be
    /// asked for again.
    fn page<'a>(
        &'a self,
        pool: &'a str,
        cursor: &'a str,
        rows_max: usize,
    ) -> BoxFuture<'a, Result<SqlAnswer, SqlError>>;

    /// Runs one statement and sends its rows as they come, however many. What
    /// goes wrong before the first rows is the error of the call.
    fn download(&self, request: SqlRequest, form: SqlForm) -> BoxFuture<'_, Result<SqlDownload, SqlError>>;

    /// Lists the statements of a pool that are under way, the oldest first.
    fn running(&self, pool: &str) -> Vec<SqlRunning>;

    /// Stops a statement of a pool; false if there is none of this id.
    fn cancel(&self, pool: &str, id: &str) -> bool;
}
