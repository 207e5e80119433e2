//! What deliveries achieve: cursors in groups, with the attempts and with what
//! was passed over.

use base::Timestamp;
use base::args;
use base::db::{Error, Tx, Value};

use super::history::attempt;
use super::{count, insert_notices, save_standing};
use crate::delivery::{Attempt, Verdict};
#[cfg(test)]
use crate::subscription::SkipReason;
use crate::subscription::{Skipped, Standing, SubscriptionId};
use crate::telling::NewNotice;
use crate::view::{DeliveryFilter, Page, Paging};

/// Progress of one subscription that a group commit makes durable.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) id: SubscriptionId,
    pub(crate) standing: Standing,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) skips: Vec<SkipRecord>,
    pub(crate) notices: Vec<NewNotice>,
}

/// A skip with what the standing no longer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SkipRecord {
    pub(crate) generation: u64,
    pub(crate) skipped: Skipped,
    pub(crate) at: Timestamp,
}

/// Makes progress durable: standings, attempts, what was passed over, and what
/// there is to tell of it.
pub(crate) fn save_progress(tx: &mut dyn Tx, group: &[Progress]) -> Result<(), Error> {
    let mut attempts = Vec::new();
    let mut notices = Vec::new();
    for progress in group {
        // A subscription that is gone has no use for its attempts either.
        if !save_standing(tx, progress.id, &progress.standing)? {
            continue;
        }
        for skip in &progress.skips {
            insert_skip(tx, progress.id, skip)?;
        }
        notices.extend(progress.notices.iter().cloned());
        attempts.extend(progress.attempts.iter().map(|attempt| attempt_values(progress.id, attempt)));
    }
    tx.execute_many(
        "INSERT INTO deliveries (subscription_id, generation, log_offset, attempt, event_id, started_at, took_ms,
           result, status, detail, answer, next_at, through_offset)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (subscription_id, generation, log_offset, attempt) DO NOTHING",
        &attempts,
    )?;
    insert_notices(tx, &notices)
}

/// Puts on record that events were passed over.
pub(crate) fn insert_skip(tx: &mut dyn Tx, id: SubscriptionId, skip: &SkipRecord) -> Result<(), Error> {
    let SkipRecord { generation, skipped, at } = skip;
    tx.execute(
        "INSERT INTO subscription_skips (subscription_id, generation, first_offset, last_offset, reason, at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (subscription_id, generation, first_offset) DO NOTHING",
        args![id, *generation, skipped.first, skipped.last, skipped.reason.word(), *at],
    )?;
    Ok(())
}

/// Returns all that a subscription passed over, in order.
#[cfg(test)]
pub(crate) fn skips(tx: &mut dyn Tx, id: SubscriptionId) -> Result<Vec<SkipRecord>, Error> {
    let rows = tx.query(
        "SELECT generation, first_offset, last_offset, reason, at FROM subscription_skips
         WHERE subscription_id = $1 ORDER BY generation, first_offset",
        args![id],
    )?;
    let mut skips = Vec::with_capacity(rows.len());
    for row in rows {
        let reason = SkipReason::parse(&row.get::<String>(3)?).ok_or(Error::Shape { column: 3 })?;
        let skipped = Skipped { first: row.get(1)?, last: row.get(2)?, reason };
        skips.push(SkipRecord { generation: row.get(0)?, skipped, at: row.get(4)? });
    }
    Ok(skips)
}

fn attempt_values(id: SubscriptionId, attempt: &Attempt) -> Vec<Value> {
    args![
        id,
        attempt.generation,
        attempt.offset,
        attempt.number,
        attempt.event_id,
        attempt.started_at,
        attempt.took_ms,
        attempt.verdict.word(),
        attempt.status,
        &attempt.detail,
        &attempt.answer,
        attempt.next_at,
        (attempt.through > attempt.offset).then_some(attempt.through),
    ]
    .to_vec()
}

/// Returns a page of the attempts of a subscription, the latest first.
pub(crate) fn deliveries(
    tx: &mut dyn Tx,
    id: SubscriptionId,
    filter: DeliveryFilter,
    paging: Paging,
) -> Result<Page<Attempt>, Error> {
    const WHERE: &str = "FROM deliveries WHERE subscription_id = $1 AND ($2 = '' OR result = $2)
        AND started_at >= $3 AND started_at < $4";
    let result = filter.verdict.map_or("", Verdict::word);
    let from = filter.from.unwrap_or(Timestamp::from_micros(i64::MIN));
    let to = filter.to.unwrap_or(Timestamp::FAR_FUTURE);
    let total = tx.query_one(&format!("SELECT COUNT(*) {WHERE}"), args![id, result, from, to])?;
    let rows = tx.query(
        &format!(
            "SELECT generation, log_offset, attempt, event_id, started_at, took_ms, result, status, detail, answer,
               next_at, COALESCE(through_offset, log_offset) {WHERE}
             ORDER BY started_at DESC, generation DESC, log_offset DESC, attempt DESC LIMIT $5 OFFSET $6"
        ),
        args![id, result, from, to, paging.size, paging.page.saturating_mul(paging.size).min(i64::MAX as u64)],
    )?;
    let content = rows.iter().map(attempt).collect::<Result<_, Error>>()?;
    Ok(Page { content, total: count(total)? })
}

/// Removes attempts that began before `older_than`; at most `limit` of them.
pub(crate) fn forget_deliveries(tx: &mut dyn Tx, older_than: Timestamp, limit: u64) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM deliveries WHERE (subscription_id, generation, log_offset, attempt) IN
           (SELECT subscription_id, generation, log_offset, attempt FROM deliveries
            WHERE started_at < $1 ORDER BY started_at LIMIT $2)",
        args![older_than, limit],
    )
}
