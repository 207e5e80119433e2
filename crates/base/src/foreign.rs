//! The port through which rows of a foreign database are read.
//!
//! A [`ForeignQuery`] is one statement that only reads, with the highest
//! *watermark* that was seen before as its one argument. The answer comes in
//! batches through a cursor on the server, so that neither side holds it as a
//! whole. Every value travels as text in one agreed form, and the columns say
//! what the texts are:
//!
//! | there | here |
//! |---|---|
//! | `smallint`, `integer`, `bigint`, `oid`, `numeric(p, 0)` up to 18 digits | whole numbers |
//! | `real`, `double precision`, every other `numeric` | doubles; `NaN` and infinities are nothing |
//! | `timestamp with time zone` | a point in time, in UTC with microseconds |
//! | `timestamp`, `date` | the same, the reading taken as UTC |
//! | `boolean` | `true` and `false` |
//! | arrays, composites | JSON text |
//! | everything else (`json`, `uuid`, `time`, enumerations …) | text as the server writes it |
//!
//! A `numeric` of which every digit counts is read by `column::text` in the
//! query. Times that are infinite or outside the years 1 to 9999 are nothing.
//!
//! The socket comes from a [`Dial`]: the program's guard judges addresses here
//! as it does for HTTP.

mod postgres;
mod secured;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Coded, Kind};
use crate::http::HttpError;
use crate::{BoxFuture, Secret};

pub use postgres::PostgresReader;

/// Stands in a query for the highest watermark that was seen before.
pub const WATERMARK: &str = "{{watermark}}";

/// What values a watermark has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatermarkKind {
    /// Whole numbers, such as a serial key.
    Integer,
    /// Points in time, such as the time of the last change.
    Timestamp,
    /// Texts, in the order that the server has for them.
    Text,
}

/// By which column a query goes on where it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// A column of the answer, in any case.
    pub column: String,
    /// What it holds.
    pub kind: WatermarkKind,
    /// What takes the place of [`WATERMARK`]; `None` is before everything.
    pub after: Option<String>,
}

/// One question to a foreign database.
#[derive(Clone)]
pub struct ForeignQuery {
    /// Where, as whom, and with which password.
    pub connection: Secret,
    /// A statement that only reads.
    pub query: String,
    /// How it goes on; `None` reads everything.
    pub watermark: Option<Watermark>,
    /// Rows fetched at once.
    pub batch_rows: usize,
    /// Rows after which the answer ends, but never between equal watermarks.
    pub rows_max: Option<u64>,
    /// Time for one call to the server.
    pub patience: Duration,
}

impl std::fmt::Debug for ForeignQuery {
    /// Shows the statement only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ForeignQuery({})", self.query)
    }
}

/// What the texts of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForeignType {
    /// Whole numbers of 64 bits.
    Integer,
    /// Doubles.
    Float,
    /// `2026-01-31T08:15:00.000000Z`.
    Time,
    /// `2026-01-31`.
    Day,
    /// `true` or `false`.
    Boolean,
    /// Any text.
    Text,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignColumn {
    /// As the query names it.
    pub name: String,
    /// What its texts are.
    pub column_type: ForeignType,
}

/// Some rows of an answer; a value stands at its column's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignBatch {
    /// The rows; none in the last batch.
    pub rows: Vec<Vec<Option<String>>>,
    /// The watermark of the last row: the highest so far.
    pub watermark: Option<String>,
}

/// Why there are no rows. No variant holds a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ForeignError {
    /// The connection text is not one.
    #[error("the connection text is not one such as postgresql://user:password@host:5432/database: {detail}")]
    BadConnection {
        /// What is wrong with it, without its text.
        detail: String,
    },
    /// Nobody is there, or the way is closed.
    #[error(transparent)]
    Way(#[from] HttpError),
    /// The server did not let us in.
    #[error("{target} does not let us in: {detail}")]
    Refused {
        /// Host and port.
        target: String,
        /// What it said.
        detail: String,
    },
    /// The statement does not do.
    #[error("the query cannot be run: {detail}")]
    Query {
        /// What the server said, or what is to be changed.
        detail: String,
    },
    /// The connection broke on the way.
    #[error("the connection to {target} broke: {detail}")]
    Broken {
        /// Host and port.
        target: String,
        /// What happened.
        detail: String,
    },
    /// The server thinks for too long.
    #[error("{target} gave no answer within {seconds} s")]
    TooSlow {
        /// Host and port.
        target: String,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl Coded for ForeignError {
    fn kind(&self) -> Kind {
        match self {
            ForeignError::BadConnection { .. } | ForeignError::Query { .. } => Kind::Invalid,
            ForeignError::Way(error) => error.kind(),
            ForeignError::Refused { .. } | ForeignError::Broken { .. } | ForeignError::TooSlow { .. } => {
                Kind::Unavailable
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ForeignError::BadConnection { .. } => "foreign-connection",
            ForeignError::Way(error) => error.code(),
            ForeignError::Refused { .. } => "foreign-refused",
            ForeignError::Query { .. } => "foreign-query",
            ForeignError::Broken { .. } => "foreign-broken",
            ForeignError::TooSlow { .. } => "foreign-slow",
        }
    }
}

/// Reads rows of foreign databases.
pub trait Foreign: Send + Sync {
    /// Opens a cursor over the answer to a query.
    fn open(&self, query: ForeignQuery) -> BoxFuture<'_, Result<Box<dyn ForeignCursor>, ForeignError>>;
}

/// An answer that is read batch by batch. Dropped, it ends on the server too.
pub trait ForeignCursor: Send + Sync {
    /// Returns the columns in order.
    fn columns(&self) -> &[ForeignColumn];

    /// Reads the next rows; an empty batch is the end.
    fn next(&mut self) -> BoxFuture<'_, Result<ForeignBatch, ForeignError>>;
}

/// A connection, whatever it is made of.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Makes connections that are not HTTP, under the same guard as HTTP.
pub trait Dial: Send + Sync {
    /// Connects to a host, every address of which is judged first.
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Box<dyn Stream>, HttpError>>;

    /// Agrees on TLS over a connection. The certificate must be the host's and
    /// of a well-known authority.
    fn secure(&self, host: String, stream: Box<dyn Stream>) -> BoxFuture<'static, Result<Box<dyn Stream>, HttpError>>;
}

#[cfg(test)]
mod tests;
