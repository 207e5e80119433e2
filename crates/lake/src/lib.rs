//! The rows: write-ahead log, hot store, Delta tables at rest, SQL.
//!
//! ```text
//!            stage, commit                      flush
//! pools ──▶ writer ──▶ log (sync) ──▶ hot layers ──────▶ Delta at rest
//!                                         │                  │
//!                    scan, SQL ◀──────────┴──────────────────┘
//! ```
//!
//! A push job is *decided* against its table as it is, *recorded* in the log
//! of its pool, and *applied* to the table in memory; one thread does all
//! three. The sync of the log is the commit point: a job of which the sender
//! was told is there after a power loss, and visible to every later read.
//! Everything behind the log can be made again from it, so the rest of the
//! house has no crash to fear: rows come to rest in their own time, in steps
//! that carry the number of the last commit they contain.
//!
//! A data folder looks like this, a folder per pool:
//!
//! ```text
//! lake.lock                               held by the process that works here
//! <pool>/~log/00000000000000000001.wal    segments by their first commit
//! <pool>/~log/ledger                      what outlives the oldest segments
//! <pool>/~runs/00000000000000000007-0-0.parquet    rows of big jobs that the log only names
//! <pool>/<table>/_delta_log/…             which files count
//! <pool>/<table>/00000000000000000042-0.parquet
//! ```
//!
//! The files that count are plain Delta of the oldest protocol, for anyone to
//! read; only this crate writes there.

mod error;
mod lake;
mod open;
mod writer;
mod staging;
mod decide;
mod plan;
mod dropping;
mod wal;
mod columns;
mod checksum;
mod log;
mod ledger;
mod disk;
mod apply;
mod pool;
mod table;
mod hot;
mod run;
mod pressure;
mod keys;
mod prints;
mod route;
mod arrow_rows;
mod parquet_piece;
mod lookup;
mod flusher;
mod rounds;
mod tidy;
mod pace;
mod merge;
mod rest;
mod store;
mod files;
mod asking;
mod scope;
mod bounds;
mod skipping;
mod query;
mod spelling;
mod views;
mod functions;
mod shown;
mod json;
mod download;
mod reading;
mod pieces;
mod answers;
mod rewrite;
mod transform;
mod explore;

pub use error::Error;
pub use lake::{Lake, Options};
pub use pieces::Piece;
pub use reading::{Answer, Column, Form, Limits, Parameter, Question, Reading};

#[cfg(test)]
mod tests;
