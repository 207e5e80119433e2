//! CSV as people send it.

mod options;
mod charset;

pub use options::{ColumnOptions, CsvOptions};
