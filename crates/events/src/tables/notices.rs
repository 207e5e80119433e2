//! The notices: written with what they tell of, sent, and kept for a while.

use base::Actor;
use base::args;
use base::db::{Error, Row, Tx};

use super::count;
use crate::notice::{Notice, NoticeKind};
use crate::subscription::Owner;
use crate::view::{Page, Paging};

const COLUMNS: &str = "id, kind, subscription_id, name, owner_id, owner_name, at, text";

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
