//! The notices: written with what they tell of, sent, and kept for a while.

use base::args;
use base::db::{Error, Row, Tx};
use base::{Actor, Timestamp};

use super::count;
use crate::notice::{Notice, NoticeKind};
use crate::notifying::{Sent, Waiting};
use crate::subscription::Owner;
use crate::telling::NewNotice;
use crate::view::{Page, Paging};

const COLUMNS: &str = "id, kind, subscription_id, name, owner_id, owner_name, at, text";

/// Writes notices; what was told before is not told again.
pub(crate) fn insert_notices(tx: &mut dyn Tx, notices: &[NewNotice]) -> Result<(), Error> {
    if notices.is_empty() {
        return Ok(());
    }
    let last =
        tx.query_one("UPDATE subscription_notice_ids SET last = last + $1 RETURNING last", args![notices.len()])?;
    let last: u64 = last.ok_or(Error::Shape { column: 0 })?.get(0)?;
    let mut sets = Vec::with_capacity(notices.len());
    for (id, notice) in (last + 1 - notices.len() as u64..).zip(notices) {
        let owner = notice.owner.as_ref();
        let values = args![
            id,
            &notice.about,
            notice.kind.word(),
            notice.subscription,
            &notice.name,
            owner.map(|owner| &owner.id),
            owner.map(|owner| &owner.name),
            notice.at,
            // A zero byte has no place in a text column.
            notice.text.replace('\0', "\u{fffd}"),
        ];
        sets.push(values.to_vec());
    }
    tx.execute_many(
        "INSERT INTO subscription_notices (id, about, kind, subscription_id, name, owner_id, owner_name, at, text,
           state, attempts, due_at, detail)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', 0, $8, '') ON CONFLICT (about) DO NOTHING",
        &sets,
    )?;
    Ok(())
}

/// Tells whether there is a notice of that.
pub(crate) fn is_told(tx: &mut dyn Tx, about: &str) -> Result<bool, Error> {
    Ok(tx.query_one("SELECT 1 FROM subscription_notices WHERE about = $1", args![about])?.is_some())
}

/// Returns the notices that wait to be sent, the oldest first.
pub(crate) fn notices_waiting(tx: &mut dyn Tx, limit: usize) -> Result<Vec<Waiting>, Error> {
    let rows = tx.query(
        &format!(
            "SELECT {COLUMNS}, attempts, due_at FROM subscription_notices
             WHERE settled_at IS NULL ORDER BY id LIMIT $1"
        ),
        args![limit],
    )?;
    rows.iter().map(|row| Ok(Waiting { notice: notice(row)?, attempts: row.get(8)?, due: row.get(9)? })).collect()
}

/// Notes what became of notices.
pub(crate) fn settle_notices(tx: &mut dyn Tx, sent: &[(u64, Sent)], now: Timestamp) -> Result<(), Error> {
    for (id, sent) in sent {
        match sent {
            Sent::Taken => tx.execute(
                "UPDATE subscription_notices SET state = 'sent', settled_at = $2 WHERE id = $1",
                args![*id, now],
            )?,
            Sent::GivenUp { detail } => tx.execute(
                "UPDATE subscription_notices SET state = 'given-up', settled_at = $2, detail = $3 WHERE id = $1",
                args![*id, now, detail],
            )?,
            Sent::Again { due, detail } => tx.execute(
                "UPDATE subscription_notices SET attempts = attempts + 1, due_at = $2, detail = $3 WHERE id = $1",
                args![*id, *due, detail],
            )?,
        };
    }
    Ok(())
}

/// Removes notices that were sent or given up before `older_than`; at most
/// `limit` of them. Returns how many.
pub(crate) fn forget_notices(tx: &mut dyn Tx, older_than: Timestamp, limit: u64) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM subscription_notices WHERE id IN
           (SELECT id FROM subscription_notices WHERE settled_at IS NOT NULL AND settled_at < $1
            ORDER BY settled_at LIMIT $2)",
        args![older_than, limit],
    )
}

/// Returns a page of the notices, the latest first: the actor's own, or all of
/// them for an administrator.
pub(crate) fn notices(tx: &mut dyn Tx, actor: &Actor, paging: Paging) -> Result<Page<Notice>, Error> {
    let condition = if actor.administrator { "$1 <> ''" } else { "owner_id = $1" };
    let total =
        tx.query_one(&format!("SELECT COUNT(*) FROM subscription_notices WHERE {condition}"), args![&actor.id])?;
    let rows = tx.query(
        &format!("SELECT {COLUMNS} FROM subscription_notices WHERE {condition} ORDER BY id DESC LIMIT $2 OFFSET $3"),
        args![&actor.id, paging.size, paging.page.saturating_mul(paging.size).min(i64::MAX as u64)],
    )?;
    Ok(Page { content: rows.iter().map(notice).collect::<Result<_, _>>()?, total: count(total)? })
}

fn notice(row: &Row) -> Result<Notice, Error> {
    let owner = match (row.get::<Option<String>>(4)?, row.get::<Option<String>>(5)?) {
        (Some(id), Some(name)) => Some(Owner { id, name }),
        _ => None,
    };
    Ok(Notice {
        id: row.get(0)?,
        kind: NoticeKind::parse(&row.get::<String>(1)?).ok_or(Error::Shape { column: 1 })?,
        subscription: row.get(2)?,
        name: row.get(3)?,
        owner,
        at: row.get(6)?,
        text: row.get(7)?,
    })
}
