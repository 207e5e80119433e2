//! What became of events, for people: skips, and attempts over all subscriptions.

use base::args;
use base::db::{Error, Row, Tx, Value};
use base::{Actor, Timestamp};

use super::{SkipRecord, count};
use crate::delivery::{Attempt, Verdict};
use crate::subscription::{SkipReason, Skipped, SubscriptionId};
use crate::view::{LogFilter, Logged, Page, Paging};

/// Attempts of all subscriptions are counted up to here: to count millions of
/// them takes longer than anybody waits.
const COUNTED_MAX: u64 = 10_000;

/// Returns a page of what a subscription passed over, in order.
pub(crate) fn skips_page(tx: &mut dyn Tx, id: SubscriptionId, paging: Paging) -> Result<Page<SkipRecord>, Error> {
    let total = tx.query_one("SELECT COUNT(*) FROM subscription_skips WHERE subscription_id = $1", args![id])?;
    let rows = tx.query(
        "SELECT generation, first_offset, last_offset, reason, at FROM subscription_skips
         WHERE subscription_id = $1 ORDER BY generation, first_offset LIMIT $2 OFFSET $3",
        args![id, paging.size, paging.page.saturating_mul(paging.size).min(i64::MAX as u64)],
    )?;
    let content = rows.iter().map(skip_record).collect::<Result<_, Error>>()?;
    Ok(Page { content, total: count(total)? })
}

fn skip_record(row: &Row) -> Result<SkipRecord, Error> {
    let reason = SkipReason::parse(&row.get::<String>(3)?).ok_or(Error::Shape { column: 3 })?;
    let skipped = Skipped { first: row.get(1)?, last: row.get(2)?, reason };
    Ok(SkipRecord { generation: row.get(0)?, skipped, at: row.get(4)? })
}

/// Returns a page of attempts, the latest first: those of the actor's own
/// subscriptions, or all of them for an administrator.
pub(crate) fn delivery_log(
    tx: &mut dyn Tx,
    actor: &Actor,
    filter: &LogFilter,
    paging: Paging,
) -> Result<Page<Logged>, Error> {
    let from = filter.from.unwrap_or(Timestamp::from_micros(i64::MIN));
    let to = filter.to.unwrap_or(Timestamp::FAR_FUTURE);
    let mut conditions = vec!["d.started_at >= $1 AND d.started_at < $2".to_owned()];
    let mut values: Vec<Value> = args![from, to].to_vec();
    let mut takes = |values: &mut Vec<Value>, condition: &str, value: Value| {
        values.push(value);
        conditions.push(condition.replace('?', &format!("${}", values.len())));
    };
    if let Some(id) = filter.subscription {
        takes(&mut values, "d.subscription_id = ?", id.into());
    }
    if !actor.administrator {
        let own = "d.subscription_id IN (SELECT id FROM subscriptions WHERE owner_id = ? AND uri IS NOT NULL)";
        takes(&mut values, own, (&actor.id).into());
    }
    if let Some(state) = filter.state {
        takes(&mut values, "d.subscription_id IN (SELECT id FROM subscriptions WHERE state = ?)", state.into());
    }
    match filter.verdict {
        None => {}
        Some(Verdict::Delivered) => takes(&mut values, "d.result = ?", Verdict::Delivered.word().into()),
        // In these words, so that the index of the bad ones is used.
        Some(verdict) => takes(&mut values, "d.result <> 'delivered' AND d.result = ?", verdict.word().into()),
    }
    let conditions = conditions.join(" AND ");
    let total = tx.query_one(
        &format!("SELECT COUNT(*) FROM (SELECT 1 FROM deliveries d WHERE {conditions} LIMIT {COUNTED_MAX}) AS counted"),
        &values,
    )?;
    let (limit, offset) = (values.len() + 1, values.len() + 2);
    values.push(paging.size.into());
    values.push(paging.page.saturating_mul(paging.size).min(i64::MAX as u64).into());
    let rows = tx.query(
        &format!(
            "SELECT d.generation, d.log_offset, d.attempt, d.event_id, d.started_at, d.took_ms, d.result, d.status,
               d.detail, d.answer, d.next_at, COALESCE(d.through_offset, d.log_offset), d.subscription_id,
               COALESCE(s.name, '')
             FROM deliveries d LEFT JOIN subscriptions s ON s.id = d.subscription_id WHERE {conditions}
             ORDER BY d.started_at DESC, d.subscription_id, d.generation DESC, d.log_offset DESC, d.attempt DESC
             LIMIT ${limit} OFFSET ${offset}"
        ),
        &values,
    )?;
    let mut content = Vec::with_capacity(rows.len());
    for row in &rows {
        content.push(Logged { subscription: row.get(12)?, name: row.get(13)?, attempt: attempt(row)? });
    }
    Ok(Page { content, total: count(total)? })
}

/// Reads an attempt from the first twelve columns.
pub(super) fn attempt(row: &Row) -> Result<Attempt, Error> {
    Ok(Attempt {
        generation: row.get(0)?,
        offset: row.get(1)?,
        through: row.get(11)?,
        number: row.get(2)?,
        event_id: row.get(3)?,
        started_at: row.get(4)?,
        took_ms: row.get(5)?,
        verdict: Verdict::parse(&row.get::<String>(6)?).ok_or(Error::Shape { column: 6 })?,
        status: row.get(7)?,
        detail: row.get(8)?,
        answer: row.get(9)?,
        next_at: row.get(10)?,
    })
}
