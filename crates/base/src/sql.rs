//! The port through which SQL over rows is asked.
//!
//! The rows of pools live in `lake`, which nobody but the program knows. The
//! API and the local workspace ask through this port.

use serde_json::Value as Json;

use crate::BoxFuture;
use crate::error::{Coded, Kind};

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
    /// The engine failed.
    #[error("the rows cannot be read")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Coded for SqlError {
    fn kind(&self) -> Kind {
        match self {
            SqlError::Statement { .. } => Kind::Invalid,
            SqlError::Stopped { .. } => Kind::Unavailable,
            SqlError::Engine(_) => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SqlError::Statement { .. } => "sql-statement",
            SqlError::Stopped { .. } => "sql-stopped",
            SqlError::Engine(_) => "sql-engine",
        }
    }
}

/// Answers SQL over the tables of a pool. Statements only read.
pub trait Sql: Send + Sync {
    /// Runs one statement.
    fn run(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlAnswer, SqlError>>;
}
