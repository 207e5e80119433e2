//! Due work: rows that say "do this at that time".
//!
//! This is for *cold* machines, whose steps are minutes apart: a nightly
//! clean-up, a token about to expire, a mail to be sent. (Hot ones, such as a
//! subscription, are their own due rows and keep their schedule in memory.)
//!
//! A row is named by its kind and key, and there is at most one of each: to
//! enqueue it again is to ask for the same thing once more. A worker
//! [`claim`]s rows for a while, acts, and then says [`complete`] or [`retry`].
//! If it dies, its lease runs out and the row is claimed anew, under the next
//! *epoch*; whatever the first worker still reports is refused as
//! [`Verdict::Stale`]. So an act may happen twice, but its result is recorded
//! once: acts must be repeatable.
//!
//! Everything here joins the caller's transaction.

use std::time::Duration;

use serde_json::Value as Json;

use crate::args;
use crate::chance::Chance;
use crate::db::{Error, Row, Tx};
use crate::time::Timestamp;

crate::id! {
    /// Names a row of due work; a row that is enqueued after completion gets another one.
    pub WorkId
}

/// Work to be enqueued.
#[derive(Clone, Debug, PartialEq)]
pub struct NewWork {
    /// Used if there is no row of this kind and key yet.
    pub id: WorkId,
    /// What is to be done, such as `pools.expire`.
    pub kind: &'static str,
    /// To what.
    pub key: String,
    /// When, at the earliest.
    pub due_at: Timestamp,
    /// What the worker needs to know, without secrets.
    pub payload: Json,
}

/// Work that the caller holds for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// The right to report about it.
    pub lease: Lease,
    /// What is to be done.
    pub kind: String,
    /// To what.
    pub key: String,
    /// When it was due.
    pub due_at: Timestamp,
    /// 1 for the first try.
    pub attempt: u32,
    /// What the worker needs to know.
    pub payload: Json,
}

/// The right to report about a row, until it runs out or the row is claimed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    id: WorkId,
    epoch: u64,
    revision: u64,
}

/// What became of a report.
#[must_use = "a stale report changed nothing, and its writer must undo or forget what it did"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is recorded.
    Recorded,
    /// The row belongs to somebody else now, or is gone; nothing changed.
    Stale,
}

/// Asks for work to be done.
///
/// If a row of this kind and key is there already, it takes the new payload
/// and the earlier of the two times. If somebody is at it just now, it is done
/// once more afterwards, because what they read may be out of date.
pub fn enqueue(tx: &mut dyn Tx, work: &NewWork) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO due_work (id, kind, key, due_at, attempt, payload, epoch, revision) \
         VALUES ($1, $2, $3, $4, 0, $5, 0, 0) \
         ON CONFLICT (kind, key) DO UPDATE SET \
            due_at = CASE WHEN due_work.lease_owner IS NULL AND due_work.due_at < excluded.due_at \
                          THEN due_work.due_at ELSE excluded.due_at END, \
            payload = excluded.payload, \
            revision = due_work.revision + 1",
        args![work.id, work.kind, &work.key, work.due_at, work.payload.to_string()],
    )?;
    Ok(())
}

/// Takes at most `limit` rows of these kinds that are due and held by nobody,
/// the longest due first within a kind, and holds them until `now + lease`.
pub fn claim(
    tx: &mut dyn Tx,
    owner: &str,
    kinds: &[&str],
    now: Timestamp,
    lease: Duration,
    limit: usize,
) -> Result<Vec<Due>, Error> {
    let mut claimed = Vec::new();
    for kind in kinds {
        if claimed.len() == limit {
            break;
        }
        let rows = tx.query(
            "UPDATE due_work SET lease_owner = $1, lease_until = $2, epoch = epoch + 1, attempt = attempt + 1 \
             WHERE id IN (SELECT id FROM due_work WHERE kind = $3 AND due_at <= $4 \
                          AND (lease_until IS NULL OR lease_until <= $4) ORDER BY due_at, id LIMIT $5) \
             RETURNING id, epoch, revision, kind, key, due_at, attempt, payload",
            args![owner, now.plus(lease), *kind, now, limit - claimed.len()],
        )?;
        let mut of_kind = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        of_kind.sort_by_key(|due| (due.due_at, due.lease.id));
        claimed.append(&mut of_kind);
    }
    Ok(claimed)
}

/// Holds a row longer.
pub fn renew(tx: &mut dyn Tx, lease: &Lease, until: Timestamp) -> Result<Verdict, Error> {
    let touched = tx.execute(
        "UPDATE due_work SET lease_until = $1 WHERE id = $2 AND epoch = $3 AND lease_owner IS NOT NULL",
        args![until, lease.id, lease.epoch],
    )?;
    Ok(verdict(touched))
}

/// Reports that the work is done; the row goes away unless it was asked for
/// again in the meantime.
pub fn complete(tx: &mut dyn Tx, lease: &Lease) -> Result<Verdict, Error> {
    let gone = tx.execute(
        "DELETE FROM due_work WHERE id = $1 AND epoch = $2 AND lease_owner IS NOT NULL AND revision = $3",
        args![lease.id, lease.epoch, lease.revision],
    )?;
    if gone > 0 {
        return Ok(Verdict::Recorded);
    }
    let asked_again = tx.execute(
        "UPDATE due_work SET lease_owner = NULL, lease_until = NULL, attempt = 0 \
         WHERE id = $1 AND epoch = $2 AND lease_owner IS NOT NULL",
        args![lease.id, lease.epoch],
    )?;
    Ok(verdict(asked_again))
}

/// Reports that the work did not succeed; it is due again at `at`, or earlier
/// if it was asked for again in the meantime.
pub fn retry(tx: &mut dyn Tx, lease: &Lease, at: Timestamp) -> Result<Verdict, Error> {
    let touched = tx.execute(
        "UPDATE due_work SET lease_owner = NULL, lease_until = NULL, \
            due_at = CASE WHEN revision <> $3 AND due_at < $4 THEN due_at ELSE $4 END \
         WHERE id = $1 AND epoch = $2 AND lease_owner IS NOT NULL",
        args![lease.id, lease.epoch, lease.revision, at],
    )?;
    Ok(verdict(touched))
}

/// Takes work back, also from somebody who is at it. Tells whether there was any.
pub fn cancel(tx: &mut dyn Tx, kind: &str, key: &str) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM due_work WHERE kind = $1 AND key = $2", args![kind, key])? > 0)
}

/// Frees what a process held that has ended. It is for those who know that
/// nobody else is at work on these kinds; others wait for leases to run out.
pub fn free(tx: &mut dyn Tx, kinds: &[&str]) -> Result<u64, Error> {
    let mut freed = 0;
    for kind in kinds {
        freed += tx.execute(
            "UPDATE due_work SET lease_owner = NULL, lease_until = NULL WHERE kind = $1 AND lease_owner IS NOT NULL",
            args![*kind],
        )?;
    }
    Ok(freed)
}

/// Returns when the next row of these kinds can be claimed: how long a worker
/// may rest.
pub fn next_due(tx: &mut dyn Tx, kinds: &[&str]) -> Result<Option<Timestamp>, Error> {
    let mut next = None;
    for kind in kinds {
        let row = tx.query_one(
            "SELECT CASE WHEN lease_until IS NOT NULL AND lease_until > due_at THEN lease_until ELSE due_at END \
             FROM due_work WHERE kind = $1 ORDER BY 1 LIMIT 1",
            args![*kind],
        )?;
        if let Some(row) = row {
            let at = row.get::<Timestamp>(0)?;
            next = Some(next.map_or(at, |earlier: Timestamp| earlier.min(at)));
        }
    }
    Ok(next)
}

/// How long to wait before trying again: twice as long each time, up to a cap,
/// spread by 20 % to both sides so that those who failed together do not come
/// back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first attempt.
    pub first: Duration,
    /// The longest wait, before it is spread.
    pub cap: Duration,
}

impl Backoff {
    /// Returns the wait after attempt number `attempt`, counted from 1.
    pub fn wait(&self, attempt: u32, chance: &dyn Chance) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let middle = self.first.saturating_mul(1 << doublings).min(self.cap);
        middle.mul_f64(0.8 + 0.4 * chance.fraction())
    }

    /// Returns when to try again.
    pub fn retry_at(&self, attempt: u32, now: Timestamp, chance: &dyn Chance) -> Timestamp {
        now.plus(self.wait(attempt, chance))
    }
}

fn verdict(touched: u64) -> Verdict {
    if touched > 0 { Verdict::Recorded } else { Verdict::Stale }
}

fn read(row: &Row) -> Result<Due, Error> {
    Ok(Due {
        lease: Lease { id: row.get(0)?, epoch: row.get(1)?, revision: row.get(2)? },
        kind: row.get(3)?,
        key: row.get(4)?,
        due_at: row.get(5)?,
        attempt: row.get(6)?,
        payload: serde_json::from_str(&row.get::<String>(7)?).map_err(|_| Error::Shape { column: 7 })?,
    })
}

#[cfg(test)]
mod tests;
