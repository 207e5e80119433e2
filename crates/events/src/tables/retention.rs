//! How much there is: queues, events of a day, subscriptions.

use base::Timestamp;
use base::args;
use base::db::{Error, Tx};

use super::count;
use crate::subscription::SubscriptionId;

/// From when on a subscription is of interest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near {
    /// So many bytes wait for it.
    pub(crate) bytes: u64,
    /// Its next event was appended before.
    pub(crate) before: Timestamp,
}

/// A subscription that is far behind, or was when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Laggard {
    pub(crate) id: SubscriptionId,
    pub(crate) generation: u64,
    /// Bytes of documents that wait for it.
    pub(crate) bytes: u64,
    /// When its next event was appended; nothing if none waits.
    pub(crate) oldest: Option<Timestamp>,
    /// Its owner was told.
    pub(crate) told: bool,
}

/// Returns the subscriptions that hold events and are far behind, and those
/// whose owners were told that they are; the furthest behind first.
pub(crate) fn laggards(tx: &mut dyn Tx, near: Near) -> Result<Vec<Laggard>, Error> {
    let rows = tx.query(
        "SELECT s.id, s.generation, COALESCE(l.bytes_ever - e.bytes_through + octet_length(e.document), 0),
           e.appended_at, s.retention_near
         FROM subscriptions s JOIN event_logs l ON l.log = s.log
         LEFT JOIN event_log e ON e.log = s.log AND e.log_offset = s.cursor_offset + 1
           AND (s.state <> 'suspended' OR s.queue_kept = 1)
         WHERE s.retention_near = 1 OR e.appended_at <= $1
           OR l.bytes_ever - e.bytes_through + octet_length(e.document) >= $2
         ORDER BY s.cursor_offset, s.id",
        args![near.before, near.bytes],
    )?;
    let mut laggards = Vec::with_capacity(rows.len());
    for row in rows {
        laggards.push(Laggard {
            id: row.get(0)?,
            generation: row.get(1)?,
            bytes: row.get(2)?,
            oldest: row.get(3)?,
            told: row.get(4)?,
        });
    }
    Ok(laggards)
}

/// Notes whether the owner of a subscription was told that it is far behind.
pub(crate) fn set_retention_near(tx: &mut dyn Tx, id: SubscriptionId, near: bool) -> Result<(), Error> {
    tx.execute("UPDATE subscriptions SET retention_near = $2 WHERE id = $1", args![id, near])?;
    Ok(())
}

/// Returns how many events were appended on a UTC day, over all logs. Of a
/// log, only its latest day is known.
pub(crate) fn events_of_day(tx: &mut dyn Tx, day: i64) -> Result<u64, Error> {
    count(
        tx.query_one("SELECT CAST(COALESCE(SUM(day_events), 0) AS BIGINT) FROM event_logs WHERE day = $1", args![day])?,
    )
}

/// Returns how many subscriptions with a callback there are.
pub(crate) fn callbacks(tx: &mut dyn Tx) -> Result<u64, Error> {
    count(tx.query_one("SELECT COUNT(*) FROM subscriptions WHERE uri IS NOT NULL", args![])?)
}
