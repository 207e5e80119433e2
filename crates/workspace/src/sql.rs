//! SQL: the port through which statements are asked and answered.
//!
//! The workspace knows no SQL engine and no tables. Whoever has both answers
//! through [`Statements`]: it judges what the caller may see, runs the
//! statement, and hands its rows out as bytes, a piece at a time, in the form
//! in which they go over the wire. So a large answer never stands in memory,
//! and formats that only an engine can write (Arrow) need nothing here.

use base::{Actor, BoxFuture};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A statement, and everything that its answer depends on.
#[derive(Clone, Debug)]
pub struct Asked {
    /// On whose behalf: rights are those of this actor.
    pub actor: Actor,
    /// The statement, in the SQL of Databricks as far as the engine has it.
    pub statement: String,
    /// Where names with one or two parts are looked up; `loopwright` if nothing is said.
    pub catalog: Option<String>,
    /// Where names with one part are looked up; `default` if nothing is said.
    pub schema: Option<String>,
    /// Values for the markers `:name`. They are bound, never pasted.
    pub parameters: Vec<Parameter>,
    /// What the rows look like.
    pub form: Form,
    /// Rows returned at most; the rest is left out and said to be.
    pub rows_max: Option<u64>,
    /// Bytes returned at most, likewise.
    pub bytes_max: Option<u64>,
    /// How much stands in one piece.
    pub chunk: ChunkSize,
    /// Names what the statement writes: under one key it commits once.
    pub key: [u8; 16],
    /// Stops it.
    pub stop: CancellationToken,
}

/// The value of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The marker without the colon.
    pub name: String,
    /// The value as text; `None` is NULL.
    pub value: Option<String>,
    /// A type of SQL such as `STRING`, `INT`, `DATE` or `DECIMAL(10,2)`.
    pub kind: String,
}

/// In which form rows are handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Each piece is a JSON array of rows, a row an array of texts or nulls.
    JsonArray,
    /// Each piece is CSV; the first one begins with a header.
    Csv,
    /// Each piece is an Arrow IPC stream of its own.
    ArrowStream,
}

/// A piece is closed at the first of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize {
    /// Rows of a piece at most.
    pub rows: u64,
    /// Bytes of a piece, about.
    pub bytes: u64,
}

/// A statement that has begun to answer.
#[derive(Debug)]
pub struct Answered {
    /// The columns, in order.
    pub columns: Vec<AnswerColumn>,
    /// The rows. Dropping it stops the statement; it ends behind the last
    /// piece. A statement without rows has no pieces.
    pub pieces: mpsc::Receiver<Result<Piece, StatementError>>,
    /// Where names are looked up from now on, after `USE`.
    pub used: Option<Used>,
}

/// What `USE` has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// The catalog, if it was named.
    pub catalog: Option<String>,
    /// The schema, if it was named.
    pub schema: Option<String>,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AnswerColumn {
    /// As the statement names it.
    pub name: String,
    /// The word of the API for the type, such as `LONG`.
    pub type_name: String,
    /// The type as SQL writes it, such as `BIGINT`.
    pub type_text: String,
    /// Digits of a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u8>,
    /// Digits of a decimal behind the point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<i8>,
}

/// Some rows of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many.
    pub rows: u64,
    /// In the form that was asked for.
    pub bytes: Vec<u8>,
    /// Rows behind these were left out, because of a limit.
    pub truncated: bool,
}

/// Why a statement failed, in the words of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatementError {
    /// One of the API's codes, such as `BAD_REQUEST`.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub message: String,
    /// The SQLSTATE, where there is one.
    pub sql_state: Option<&'static str>,
}

impl StatementError {
    /// The statement does not make sense.
    pub fn bad(message: impl Into<String>) -> Self {
        StatementError { code: "BAD_REQUEST", message: message.into(), sql_state: Some("42000") }
    }

    /// The engine does not do such a thing.
    pub fn unsupported(message: impl Into<String>) -> Self {
        StatementError { code: "NOT_IMPLEMENTED", message: message.into(), sql_state: Some("0A000") }
    }

    /// The caller may not.
    pub fn denied(message: impl Into<String>) -> Self {
        StatementError { code: "PERMISSION_DENIED", message: message.into(), sql_state: Some("42501") }
    }

    /// Something else failed; the message is for the person who keeps the house.
    pub fn internal(message: impl Into<String>) -> Self {
        StatementError { code: "INTERNAL_ERROR", message: message.into(), sql_state: None }
    }
}

/// Answers statements. The program has it over the tables of the pools.
pub trait Statements: Send + Sync {
    /// Runs one statement. An error of the call is an error before the first
    /// row; what goes wrong later comes as the last piece.
    fn run(&self, asked: Asked) -> BoxFuture<'_, Result<Answered, StatementError>>;
}
