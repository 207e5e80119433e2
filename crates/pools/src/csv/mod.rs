//! CSV as people send it.
//!
//! From the outside in: [`options`] says how a file is written, [`charset`]
//! makes text of bytes, [`records`] makes records of text, [`numbers`] and
//! [`dates`] make values of fields, [`chunk`] puts a header over the records of
//! a file, [`infer`] guesses what a column holds, and [`load`] makes rows of a
//! whole job.
//!
//! The rules, where the world is silent or disagrees with itself:
//!
//! * The first row is the header. Rows end at `\r`, `\n` or `\r\n`, whatever
//!   was declared; empty lines are no rows.
//! * An empty field is nothing (null), quoted or not. `NA`, `null` and `-` are
//!   texts.
//! * A row with fewer fields than the header is filled up with nothing, and
//!   the log counts such rows; one with more ends the job.
//! * Without `escapeSequence` only doubling escapes a quote.
//! * Types that `tableSchema` declares bind. Others are guessed over the whole
//!   job; an option that does not fit a column's values leaves it text, and the
//!   log says so.
//! * A wrong separator loads as one column, and the log says what to look at.

mod options;
mod charset;
mod records;
mod numbers;
mod dates;
mod chunk;
mod infer;
mod load;

pub use options::{ColumnOptions, CsvOptions};

pub(crate) use chunk::{ChunkFile, Refusal, SUSPICION};
pub(crate) use load::load;
pub use load::read_file;

// For the other formats of an import.
pub(crate) use charset::{Charset, Letters, NotText};
pub(crate) use dates::{DateFormat, read_iso};
pub(crate) use infer::{Forms, Guess, read_boolean};
pub(crate) use numbers::NumberFormat;
pub(crate) use records::Records;
