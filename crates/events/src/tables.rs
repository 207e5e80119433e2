//! The SQL of this crate: plain functions over a transaction, each a statement
//! or a few, none with an opinion.

mod logs;
mod subscriptions;
mod secrets;
mod progress;
mod history;
mod notices;
mod retention;

use base::db::{Error, Row};

pub(crate) use history::{delivery_log, skips_page};
pub(crate) use logs::{
    Keep, LogId, LogRow, append, event_of_key, known_log, log_of, logs, read_log, read_log_within, totals, trim,
};
pub(crate) use notices::{forget_notices, insert_notices, is_told, notices, notices_waiting, settle_notices};
#[cfg(test)]
pub(crate) use progress::skips;
pub(crate) use progress::{Progress, SkipRecord, deliveries, forget_deliveries, insert_skip, save_progress};
pub(crate) use retention::{Near, callbacks, events_of_day, laggards, set_retention_near};
pub(crate) use secrets::{StoredSecret, drop_old_secrets, end_secrets, insert_secret, mark_read, secrets};
pub(crate) use subscriptions::{
    Stored, all, delete, find, insert, list, listed, of_hook, save_definition, save_standing, touch,
};

use logs::log_row;

/// Reads the answer to a `SELECT COUNT(*)`.
fn count(row: Option<Row>) -> Result<u64, Error> {
    row.map_or(Ok(0), |row| row.get(0))
}
