//! Files of volumes, and rows that go into a table by way of one.

use std::time::Duration;

use base::Timestamp;
use base::http::Method;
use bytes::Bytes;

use super::sql::result_of;
use super::{Ask, Known, Next, Sql, What};
use crate::databricks::problem::Subject;
use crate::databricks::text_of;
use crate::value::Value;

/// Returns the file through which rows go: the same however often they are
/// written, so that the table takes it once.
pub(super) fn file_of(volume: &str, key: &str, ending: &str) -> String {
    format!("{}/loopwright-{key}.{ending}", volume.trim_end_matches('/'))
}

/// The address of a file of the Files API.
pub(super) fn put(path: &str, content: &Bytes, overwrite: bool) -> Ask {
    let subject = Subject {
        what: format!("\"{path}\""),
        right: "WRITE VOLUME",
        find: "look at catalog, schema and volume in its path",
    };
    let address = format!("/api/2.0/fs/files{}?overwrite={overwrite}", file_address(path));
    let ask = Ask::get(What::Put, address).about(subject);
    Ask { method: Method::PUT, body: content.clone(), timeout: Duration::from_mins(5), ..ask }
}

fn file_address(path: &str) -> String {
    path.split('/').map(in_path).collect::<Vec<_>>().join("/")
}

pub(super) fn in_path(part: &str) -> String {
    crate::modules::http::path_part(part)
}

/// Puts rows into a table: a file, a statement that takes it in, and no file
/// any more.
pub(super) fn writes(file: &str, content: &Bytes, rows: Option<u64>, sql: &Sql, known: &Known, now: Timestamp) -> Next {
    if known.noted["uploaded"].is_null() {
        return Next::Ask(put(file, content, true));
    }
    let mut sql = sql.clone();
    let text = text_of(&sql.body, "statement").replace(FILE_MARK, &file.replace('\'', "''"));
    sql.body["statement"] = text.into();
    let ended = match result_of(&sql, known, now).map_err(|next| *next) {
        Err(Next::Done(Err(error))) if known.done.is_none() => {
            tracing::debug!(%error, "rows were not taken in, and their file is removed");
            return Next::Ask(removal(file));
        }
        Err(next) => return next,
        Ok(ended) => ended,
    };
    if known.done.is_none() {
        return Next::Ask(removal(file));
    }
    let first = known.rows.first();
    let number = |names: &[&str]| {
        names.iter().find_map(|name| first.map(|row| row.field(name)).filter(Value::exists)).unwrap_or_default()
    };
    let written = rows.map_or(Value::Absent, |rows| Value::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    Next::Done(Ok(vec![Value::collection([
        ("rows", written),
        ("inserted", number(&["num_inserted_rows", "num_affected_rows"])),
        ("statement_id", Value::text(text_of(ended, "statement_id"))),
        ("file", Value::text(file)),
    ])]))
}

/// Stands in a statement for the file that it takes in.
pub(crate) const FILE_MARK: &str = "\u{1}file\u{1}";

fn removal(file: &str) -> Ask {
    let ask = Ask::get(What::Remove, format!("/api/2.0/fs/files{}", file_address(file)));
    Ask { method: Method::DELETE, ..ask }
}
