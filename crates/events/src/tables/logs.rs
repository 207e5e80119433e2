//! The logs: one per trigger, appended to, read and trimmed.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use crate::event::{self, Event, EventId, NewEvent, Offset, TriggerRef};
use crate::limits;
use crate::log::{Appended, Grown};

/// Number of a trigger's log.
pub(crate) type LogId = u64;

/// Where a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub(crate) log: LogId,
    pub(crate) head: Offset,
    pub(crate) trimmed: Offset,
}

/// Returns the log of a trigger and makes it if there is none. The row is
/// locked by this until the transaction ends, so that whoever commits first
/// also has the lower offsets.
pub(crate) fn log_of(tx: &mut dyn Tx, trigger: &TriggerRef) -> Result<LogRow, Error> {
    locked(tx, trigger).map(|(row, _)| row)
}

/// Returns the same, and the bytes of all events that were ever appended.
fn locked(tx: &mut dyn Tx, trigger: &TriggerRef) -> Result<(LogRow, u64), Error> {
    let row = tx.query_one(
        "INSERT INTO event_logs (log, knowledge_model, trigger_id, head, trimmed, delivered_before, failures_before)
         SELECT COALESCE(MAX(log), 0) + 1, $1, $2, 0, 0, 0, 0 FROM event_logs WHERE TRUE
         ON CONFLICT (knowledge_model, trigger_id) DO UPDATE SET head = event_logs.head
         RETURNING log, head, trimmed, bytes_ever",
        args![&trigger.knowledge_model, &trigger.trigger],
    )?;
    let row = row.ok_or(Error::Shape { column: 0 })?;
    Ok((log_row(&row, 0)?, row.get(3)?))
}

/// Returns the log of a trigger, if anybody has ever asked for it to be made.
pub(crate) fn known_log(tx: &mut dyn Tx, trigger: &TriggerRef) -> Result<Option<LogRow>, Error> {
    let row = tx.query_one(
        "SELECT log, head, trimmed FROM event_logs WHERE knowledge_model = $1 AND trigger_id = $2",
        args![&trigger.knowledge_model, &trigger.trigger],
    )?;
    row.map(|row| log_row(&row, 0)).transpose()
}

pub(super) fn log_row(row: &Row, column: usize) -> Result<LogRow, Error> {
    Ok(LogRow { log: row.get(column)?, head: row.get(column + 1)?, trimmed: row.get(column + 2)? })
}

/// Returns where every log stands.
pub(crate) fn logs(tx: &mut dyn Tx) -> Result<Vec<LogRow>, Error> {
    let rows = tx.query("SELECT log, head, trimmed FROM event_logs ORDER BY log", args![])?;
    rows.iter().map(|row| log_row(row, 0)).collect()
}

/// Appends events and returns what came of it; a key that is there already
/// keeps its offset.
pub(crate) fn append(
    tx: &mut dyn Tx,
    trigger: &TriggerRef,
    events: &[NewEvent],
    now: Timestamp,
) -> Result<Appended, Error> {
    if events.is_empty() {
        return Ok(Appended::nothing(trigger));
    }
    let (row, bytes_before) = locked(tx, trigger)?;
    let LogRow { log, head: before, .. } = row;
    let (mut head, mut bytes) = (before, bytes_before);
    let mut offsets = Vec::with_capacity(events.len());
    let mut fresh = Vec::with_capacity(events.len());
    for event in events {
        let id = event::event_id(trigger, &event.key);
        let document = event::document(id, event);
        let inserted = tx.execute(
            "INSERT INTO event_log (log, log_offset, event_key, event_id, created_at, appended_at, document,
               bytes_through)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (log, event_key) DO NOTHING",
            args![log, head.next(), &event.key, id, event.at, now, &document, bytes + document.len() as u64],
        )?;
        if inserted == 1 {
            head = head.next();
            bytes += document.len() as u64;
            offsets.push(head);
            fresh.push(Event { id, offset: head, at: event.at, document: document.into() });
        } else {
            let known = tx.query_one(
                "SELECT log_offset FROM event_log WHERE log = $1 AND event_key = $2",
                args![log, &event.key],
            )?;
            offsets.push(known.ok_or(Error::Shape { column: 0 })?.get(0)?);
        }
    }
    if head > before {
        tx.execute(
            "UPDATE event_logs SET head = $2, bytes = bytes + $3, bytes_ever = $4,
               day_events = CASE WHEN day = $5 THEN day_events + $6 ELSE $6 END, day = $5
             WHERE log = $1",
            args![log, head, bytes - bytes_before, bytes, limits::day_of(now), head.since(before)],
        )?;
    }
    let grown = Grown { row: LogRow { head, ..row }, before, fresh };
    Ok(Appended { trigger: trigger.clone(), offsets, grown: Some(grown) })
}

/// A read brings about so many bytes at most, if nobody asks for less.
const READ_BYTES_MAX: usize = 4 << 20;

/// Returns where a log stands, and the events after an offset, in order: at
/// most `limit`, and as [`read_log_within`] has it at most about 4 MiB of them.
pub(crate) fn read_log(
    tx: &mut dyn Tx,
    log: LogId,
    after: Offset,
    limit: usize,
) -> Result<(LogRow, Vec<Event>), Error> {
    read_log_within(tx, log, after, limit, READ_BYTES_MAX)
}

/// Returns where a log stands, and the events after an offset, in order: at
/// most `limit`, and none behind the one whose text fills up `bytes_max`. So
/// there is at least one, if there is any.
pub(crate) fn read_log_within(
    tx: &mut dyn Tx,
    log: LogId,
    after: Offset,
    limit: usize,
    bytes_max: usize,
) -> Result<(LogRow, Vec<Event>), Error> {
    let row = tx.query_one("SELECT log, head, trimmed FROM event_logs WHERE log = $1", args![log])?;
    let standing = log_row(&row.ok_or(Error::Shape { column: 0 })?, 0)?;
    let rows = tx.query(
        "SELECT log_offset, event_id, created_at, document FROM event_log
         WHERE log = $1 AND log_offset > $2 AND log_offset <= COALESCE(
           (SELECT MIN(full_at) FROM
             (SELECT log_offset AS full_at, SUM(size) OVER (ORDER BY log_offset) AS bytes FROM
               (SELECT log_offset, OCTET_LENGTH(document) AS size FROM event_log
                WHERE log = $1 AND log_offset > $2 ORDER BY log_offset LIMIT $3) AS sizes) AS sums
            WHERE bytes >= $4), 9223372036854775807)
         ORDER BY log_offset LIMIT $3",
        args![log, after, limit, bytes_max],
    )?;
    let events = rows.iter().map(event).collect::<Result<_, _>>()?;
    Ok((standing, events))
}

/// Finds the event of a key in a log.
pub(crate) fn event_of_key(tx: &mut dyn Tx, log: LogId, key: &str) -> Result<Option<Event>, Error> {
    let row = tx.query_one(
        "SELECT log_offset, event_id, created_at, document FROM event_log WHERE log = $1 AND event_key = $2",
        args![log, key],
    )?;
    row.as_ref().map(event).transpose()
}

fn event(row: &Row) -> Result<Event, Error> {
    Ok(Event {
        offset: row.get(0)?,
        id: row.get::<EventId>(1)?,
        at: row.get(2)?,
        document: row.get::<String>(3)?.into(),
    })
}

/// How much of what every subscription has behind it is kept for replays.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// What was appended before may go.
    pub(crate) since: Timestamp,
    /// Of documents, per log; what is older goes first.
    pub(crate) bytes_max: u64,
}

/// Removes events that every subscription has behind it and that need not be
/// kept; at most `limit` of them. Returns how many. A destroyed queue holds
/// nothing back.
pub(crate) fn trim(tx: &mut dyn Tx, log: LogId, keep: Keep, limit: u64) -> Result<u64, Error> {
    let row = tx.query_one(
        "SELECT l.log, l.head, l.trimmed, l.bytes_ever, MIN(s.cursor_offset) FROM event_logs l LEFT JOIN subscriptions s
           ON s.log = l.log AND (s.state <> 'suspended' OR s.queue_kept = 1)
         WHERE l.log = $1 GROUP BY l.log, l.head, l.trimmed, l.bytes_ever",
        args![log],
    )?;
    let Some(row) = row else { return Ok(0) };
    let LogRow { head, trimmed, .. } = log_row(&row, 0)?;
    let bytes_ever: u64 = row.get(3)?;
    let behind_all = row.get::<Option<Offset>>(4)?.unwrap_or(head);
    let done =
        tx.query_one("SELECT bytes_through FROM event_log WHERE log = $1 AND log_offset = $2", args![log, behind_all])?;
    // Nothing is there that everybody has behind him.
    let Some(done) = done else { return Ok(0) };
    // So many bytes, counted from the log's beginning, are more than is kept.
    let surplus = done.get::<u64>(0)?.saturating_sub(keep.bytes_max);
    let last = tx.query_one(
        "SELECT log_offset, bytes_through FROM event_log
         WHERE log = $1 AND log_offset <= $2 AND (appended_at < $3 OR bytes_through - octet_length(document) < $4)
         ORDER BY log_offset DESC LIMIT 1",
        args![log, behind_all.min(Offset(trimmed.0 + limit)), keep.since, surplus],
    )?;
    let Some(last) = last else { return Ok(0) };
    let (last, through) = (last.get::<Offset>(0)?, last.get::<u64>(1)?);
    tx.execute(
        "UPDATE event_logs SET trimmed = $2, bytes = $3 WHERE log = $1",
        args![log, last, bytes_ever.saturating_sub(through)],
    )?;
    tx.execute("DELETE FROM event_log WHERE log = $1 AND log_offset <= $2", args![log, last])
}

/// Counts that no subscription bears: events appended, and what the callbacks
/// of deleted subscriptions had received and had not.
pub(crate) fn totals(tx: &mut dyn Tx) -> Result<(u64, u64, u64), Error> {
    let row = tx.query_one(
        "SELECT CAST(COALESCE(SUM(head), 0) AS BIGINT), CAST(COALESCE(SUM(delivered_before), 0) AS BIGINT),
           CAST(COALESCE(SUM(failures_before), 0) AS BIGINT) FROM event_logs",
        args![],
    )?;
    match row {
        Some(row) => Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        None => Ok((0, 0, 0)),
    }
}
