//! The rows: write-ahead log, hot store, Delta tables at rest, SQL.

mod error;
mod lake;

pub use error::Error;
pub use lake::{Lake, Options};
