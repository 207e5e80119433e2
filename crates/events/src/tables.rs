//! The SQL of this crate: plain functions over a transaction, each a statement
//! or a few, none with an opinion.

use base::args;
use base::db::{Error, Row, Tx, Value};
use base::{Actor, Timestamp};

use crate::callback::Sink;
use crate::delivery::{Attempt, Verdict};
use crate::event::{self, Event, EventId, NewEvent, Offset, TriggerRef};
use crate::policy::Policy;
use crate::subscription::{
    LastSuccess, Owner, Queue, SkipReason, Skipped, Standing, State, Subscription, SubscriptionId,
};
use crate::view::{DeliveryFilter, Listed, Page, Paging, Sort, SortField};

/// Number of a trigger's log.
pub(crate) type LogId = u64;

/// Where a log stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogRow {
    pub(crate) log: LogId,
    pub(crate) head: Offset,
    pub(crate) trimmed: Offset,
}

/// A subscription with what is not shown of it.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) subscription: Subscription,
    pub(crate) log: LogRow,
    /// Empty for a local one.
    pub(crate) headers_sealed: Vec<u8>,
}

/// A signing secret as it lies in the table.
#[derive(Clone)]
pub(crate) struct StoredSecret {
    pub(crate) made_at: Timestamp,
    pub(crate) sealed: Vec<u8>,
    /// Nothing: until a rotation ends it.
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) read_at: Option<Timestamp>,
}

/// Progress of one subscription that a group commit makes durable.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) id: SubscriptionId,
    pub(crate) standing: Standing,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) skips: Vec<SkipRecord>,
}

/// A skip with what the standing no longer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SkipRecord {
    pub(crate) generation: u64,
    pub(crate) skipped: Skipped,
    pub(crate) at: Timestamp,
}

// Logs.

/// Returns the log of a trigger and makes it if there is none. The row is
/// locked by this until the transaction ends, so that whoever commits first
/// also has the lower offsets.
pub(crate) fn log_of(tx: &mut dyn Tx, trigger: &TriggerRef) -> Result<LogRow, Error> {
    let row = tx.query_one(
        "INSERT INTO event_logs (log, knowledge_model, trigger_id, head, trimmed, delivered_before, failures_before)
         SELECT COALESCE(MAX(log), 0) + 1, $1, $2, 0, 0, 0, 0 FROM event_logs WHERE TRUE
         ON CONFLICT (knowledge_model, trigger_id) DO UPDATE SET head = event_logs.head
         RETURNING log, head, trimmed",
        args![&trigger.knowledge_model, &trigger.trigger],
    )?;
    log_row(&row.ok_or(Error::Shape { column: 0 })?, 0)
}

fn log_row(row: &Row, column: usize) -> Result<LogRow, Error> {
    Ok(LogRow { log: row.get(column)?, head: row.get(column + 1)?, trimmed: row.get(column + 2)? })
}

/// Returns where every log stands.
pub(crate) fn logs(tx: &mut dyn Tx) -> Result<Vec<LogRow>, Error> {
    let rows = tx.query("SELECT log, head, trimmed FROM event_logs ORDER BY log", args![])?;
    rows.iter().map(|row| log_row(row, 0)).collect()
}

/// Appends events and returns the offset of each; a key that is there already
/// keeps its offset.
pub(crate) fn append(
    tx: &mut dyn Tx,
    trigger: &TriggerRef,
    events: &[NewEvent],
    now: Timestamp,
) -> Result<Vec<Offset>, Error> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let LogRow { log, head: before, .. } = log_of(tx, trigger)?;
    let mut head = before;
    let mut offsets = Vec::with_capacity(events.len());
    for event in events {
        let id = event::event_id(trigger, &event.key);
        let document = event::document(id, event);
        let inserted = tx.execute(
            "INSERT INTO event_log (log, log_offset, event_key, event_id, created_at, appended_at, document)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (log, event_key) DO NOTHING",
            args![log, head.next(), &event.key, id, event.at, now, document],
        )?;
        if inserted == 1 {
            head = head.next();
            offsets.push(head);
        } else {
            let known = tx.query_one(
                "SELECT log_offset FROM event_log WHERE log = $1 AND event_key = $2",
                args![log, &event.key],
            )?;
            offsets.push(known.ok_or(Error::Shape { column: 0 })?.get(0)?);
        }
    }
    if head > before {
        tx.execute("UPDATE event_logs SET head = $2 WHERE log = $1", args![log, head])?;
    }
    Ok(offsets)
}

/// Returns where a log stands, and the events after an offset, in order.
pub(crate) fn read_log(
    tx: &mut dyn Tx,
    log: LogId,
    after: Offset,
    limit: usize,
) -> Result<(LogRow, Vec<Event>), Error> {
    let row = tx.query_one("SELECT log, head, trimmed FROM event_logs WHERE log = $1", args![log])?;
    let standing = log_row(&row.ok_or(Error::Shape { column: 0 })?, 0)?;
    let rows = tx.query(
        "SELECT log_offset, event_id, created_at, document FROM event_log
         WHERE log = $1 AND log_offset > $2 ORDER BY log_offset LIMIT $3",
        args![log, after, limit],
    )?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.push(Event {
            offset: row.get(0)?,
            id: row.get::<EventId>(1)?,
            at: row.get(2)?,
            document: row.get::<String>(3)?.into(),
        });
    }
    Ok((standing, events))
}

/// Removes events that every subscription has behind it and that were appended
/// before `older_than`; at most `limit` of them. Returns how many. A destroyed
/// queue holds nothing back.
pub(crate) fn trim(tx: &mut dyn Tx, log: LogId, older_than: Timestamp, limit: u64) -> Result<u64, Error> {
    let row = tx.query_one(
        "SELECT l.log, l.head, l.trimmed, MIN(s.cursor_offset) FROM event_logs l LEFT JOIN subscriptions s
           ON s.log = l.log AND (s.state <> 'suspended' OR s.queue_kept = 1)
         WHERE l.log = $1 GROUP BY l.log, l.head, l.trimmed",
        args![log],
    )?;
    let Some(row) = row else { return Ok(0) };
    let LogRow { head, trimmed, .. } = log_row(&row, 0)?;
    let behind_all = row.get::<Option<Offset>>(3)?.unwrap_or(head);
    let last = tx.query_one(
        "SELECT MAX(log_offset) FROM event_log WHERE log = $1 AND log_offset <= $2 AND appended_at < $3",
        args![log, behind_all.min(Offset(trimmed.0 + limit)), older_than],
    )?;
    let Some(last) = last.map(|row| row.get::<Option<Offset>>(0)).transpose()?.flatten() else {
        return Ok(0);
    };
    tx.execute("UPDATE event_logs SET trimmed = $2 WHERE log = $1", args![log, last])?;
    tx.execute("DELETE FROM event_log WHERE log = $1 AND log_offset <= $2", args![log, last])
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

// Subscriptions.

const STORED: &str = "s.id, s.name, l.knowledge_model, l.trigger_id, s.owner_id, s.owner_name, s.uri, s.hook, s.policy,
    s.birth, s.created_at, s.updated_at, s.state, s.reason, s.failed_since, s.queue_kept, s.generation,
    s.cursor_offset, s.floor_offset, s.reached_offset, s.attempts, s.due_at, s.last_success_offset,
    s.last_success_at, s.delivered, s.failures, l.log, l.head, l.trimmed, s.headers_sealed
    FROM subscriptions s JOIN event_logs l ON l.log = s.log";

/// Adds a subscription.
pub(crate) fn insert(tx: &mut dyn Tx, stored: &Stored) -> Result<(), Error> {
    let s = &stored.subscription;
    let (uri, hook) = match &s.sink {
        Sink::Https { uri } => (Some(uri), None),
        Sink::Local { hook } => (None, Some(hook)),
    };
    let definition = args![
        s.id,
        stored.log.log,
        &s.name,
        &s.owner.id,
        &s.owner.name,
        uri,
        stored.headers_sealed.clone(),
        hook,
        policy_text(&s.policy),
        s.birth,
        s.created_at,
        s.updated_at,
    ];
    let mut values = definition.to_vec();
    values.extend(standing_values(&s.standing));
    tx.execute(
        "INSERT INTO subscriptions (id, log, name, owner_id, owner_name, uri, headers_sealed, hook, policy, birth,
           created_at, updated_at, state, reason, failed_since, queue_kept, generation, cursor_offset, floor_offset,
           reached_offset, attempts, due_at, last_success_offset, last_success_at, delivered, failures)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
           $23, $24, $25, $26)",
        &values,
    )?;
    Ok(())
}

/// Replaces the definition of a subscription; its standing is left alone.
pub(crate) fn save_definition(tx: &mut dyn Tx, stored: &Stored) -> Result<(), Error> {
    let s = &stored.subscription;
    let uri = match &s.sink {
        Sink::Https { uri } => Some(uri),
        Sink::Local { .. } => None,
    };
    tx.execute(
        "UPDATE subscriptions SET name = $2, uri = $3, headers_sealed = $4, policy = $5, updated_at = $6 WHERE id = $1",
        args![s.id, &s.name, uri, stored.headers_sealed.clone(), policy_text(&s.policy), s.updated_at],
    )?;
    Ok(())
}

/// Overwrites the standing of a subscription; false if it is gone, or if its
/// generation has gone on without us.
pub(crate) fn save_standing(tx: &mut dyn Tx, id: SubscriptionId, standing: &Standing) -> Result<bool, Error> {
    let mut values = vec![Value::from(id)];
    values.extend(standing_values(standing));
    let touched = tx.execute(
        "UPDATE subscriptions SET state = $2, reason = $3, failed_since = $4, queue_kept = $5, generation = $6,
           cursor_offset = $7, floor_offset = $8, reached_offset = $9, attempts = $10, due_at = $11,
           last_success_offset = $12, last_success_at = $13, delivered = $14, failures = $15
         WHERE id = $1 AND generation <= $6",
        &values,
    )?;
    Ok(touched == 1)
}

fn standing_values(s: &Standing) -> [Value; 14] {
    let failed_since = match s.state {
        State::Failed { since } => Some(since),
        _ => None,
    };
    let queue_kept = match s.state {
        State::Suspended { queue } => Some(queue == Queue::Kept),
        _ => None,
    };
    let (success_offset, success_at) = match s.last_success {
        LastSuccess::None => (None, None),
        LastSuccess::Event { offset, at } => (Some(offset), Some(at)),
    };
    [
        s.state.word().into(),
        (&s.reason).into(),
        failed_since.into(),
        queue_kept.into(),
        s.generation.into(),
        s.cursor.into(),
        s.floor.into(),
        s.reached.into(),
        s.attempts.into(),
        s.due.into(),
        success_offset.into(),
        success_at.into(),
        s.delivered.into(),
        s.failures.into(),
    ]
}

/// Makes progress durable: standings, attempts, and what was passed over.
pub(crate) fn save_progress(tx: &mut dyn Tx, group: &[Progress]) -> Result<(), Error> {
    let mut attempts = Vec::new();
    for progress in group {
        // A subscription that is gone has no use for its attempts either.
        if !save_standing(tx, progress.id, &progress.standing)? {
            continue;
        }
        for skip in &progress.skips {
            insert_skip(tx, progress.id, skip)?;
        }
        attempts.extend(progress.attempts.iter().map(|attempt| attempt_values(progress.id, attempt)));
    }
    tx.execute_many(
        "INSERT INTO deliveries (subscription_id, generation, log_offset, attempt, event_id, started_at, took_ms,
           result, status, detail, answer, next_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (subscription_id, generation, log_offset, attempt) DO NOTHING",
        &attempts,
    )?;
    Ok(())
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

/// Returns what a subscription passed over, in order.
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

/// Removes a subscription. What its callback received stays counted; its
/// attempts are left to grow old.
pub(crate) fn delete(tx: &mut dyn Tx, stored: &Stored) -> Result<(), Error> {
    let s = &stored.subscription;
    if let Sink::Https { .. } = s.sink {
        tx.execute(
            "UPDATE event_logs SET delivered_before = delivered_before + $2, failures_before = failures_before + $3
             WHERE log = $1",
            args![stored.log.log, s.standing.delivered, s.standing.failures],
        )?;
    }
    tx.execute("DELETE FROM subscription_secrets WHERE subscription_id = $1", args![s.id])?;
    tx.execute("DELETE FROM subscription_skips WHERE subscription_id = $1", args![s.id])?;
    tx.execute("DELETE FROM subscriptions WHERE id = $1", args![s.id])?;
    Ok(())
}

/// Returns one subscription.
pub(crate) fn find(tx: &mut dyn Tx, id: SubscriptionId) -> Result<Option<Stored>, Error> {
    let row = tx.query_one(&format!("SELECT {STORED} WHERE s.id = $1"), args![id])?;
    row.map(|row| stored(&row)).transpose()
}

/// Returns all subscriptions, by id.
pub(crate) fn all(tx: &mut dyn Tx) -> Result<Vec<Stored>, Error> {
    tx.query(&format!("SELECT {STORED} ORDER BY s.id"), args![])?.iter().map(stored).collect()
}

/// Returns the subscriptions of a hook.
pub(crate) fn of_hook(tx: &mut dyn Tx, hook: &str) -> Result<Vec<Stored>, Error> {
    tx.query(&format!("SELECT {STORED} WHERE s.hook = $1 ORDER BY s.id"), args![hook])?.iter().map(stored).collect()
}

/// Returns a page of the subscriptions with a callback: the actor's own, or
/// all of them for an administrator.
pub(crate) fn list(tx: &mut dyn Tx, actor: &Actor, sort: Sort, paging: Paging) -> Result<Page<Listed>, Error> {
    let column = match sort.field {
        SortField::Id => "s.id",
        SortField::Name => "s.name",
        SortField::KnowledgeModel => "l.knowledge_model",
        SortField::Trigger => "l.trigger_id",
        SortField::OwnerName => "s.owner_name",
        SortField::State => "s.state",
        SortField::CreatedAt => "s.created_at",
        SortField::LastSuccessAt => "COALESCE(s.last_success_at, 0)",
        SortField::LastSuccessOffset => "COALESCE(s.last_success_offset, 0)",
    };
    let direction = if sort.descending { "DESC" } else { "ASC" };
    let owner = if actor.administrator { "" } else { &actor.id };
    let total = tx.query_one(
        "SELECT COUNT(*) FROM subscriptions WHERE uri IS NOT NULL AND ($1 = '' OR owner_id = $1)",
        args![owner],
    )?;
    let rows = tx.query(
        &format!(
            "SELECT {STORED} WHERE s.uri IS NOT NULL AND ($1 = '' OR s.owner_id = $1)
             ORDER BY {column} {direction}, s.id LIMIT $2 OFFSET $3"
        ),
        args![owner, paging.size, paging.page.saturating_mul(paging.size).min(i64::MAX as u64)],
    )?;
    let content = rows.iter().map(|row| Ok(listed(stored(row)?))).collect::<Result<_, Error>>()?;
    Ok(Page { content, total: count(total)? })
}

/// Turns a stored subscription into what is shown of it.
pub(crate) fn listed(stored: Stored) -> Listed {
    let queued = stored.subscription.standing.queued(stored.log.head);
    Listed { head: stored.log.head, queued, subscription: stored.subscription }
}

fn stored(row: &Row) -> Result<Stored, Error> {
    let sink = match (row.get::<Option<String>>(6)?, row.get::<Option<String>>(7)?) {
        (Some(uri), None) => Sink::Https { uri },
        (None, Some(hook)) => Sink::Local { hook },
        _ => return Err(Error::Shape { column: 6 }),
    };
    let subscription = Subscription {
        id: row.get(0)?,
        name: row.get(1)?,
        trigger: TriggerRef { knowledge_model: row.get(2)?, trigger: row.get(3)? },
        owner: Owner { id: row.get(4)?, name: row.get(5)? },
        sink,
        policy: serde_json::from_str(&row.get::<String>(8)?).map_err(|_| Error::Shape { column: 8 })?,
        birth: row.get(9)?,
        created_at: row.get(10)?,
        updated_at: row.get(11)?,
        standing: standing(row)?,
    };
    let headers_sealed = row.get::<Option<Vec<u8>>>(29)?.unwrap_or_default();
    Ok(Stored { subscription, log: log_row(row, 26)?, headers_sealed })
}

fn standing(row: &Row) -> Result<Standing, Error> {
    let state = match row.get::<String>(12)?.as_str() {
        "active" => State::Active,
        "failed" => State::Failed { since: row.get(14)? },
        "suspended" => State::Suspended { queue: if row.get(15)? { Queue::Kept } else { Queue::Destroyed } },
        "paused" => State::Paused,
        "rejected" => State::Rejected,
        _ => return Err(Error::Shape { column: 12 }),
    };
    let last_success = match (row.get::<Option<Offset>>(22)?, row.get::<Option<Timestamp>>(23)?) {
        (Some(offset), Some(at)) => LastSuccess::Event { offset, at },
        _ => LastSuccess::None,
    };
    Ok(Standing {
        state,
        reason: row.get(13)?,
        generation: row.get(16)?,
        cursor: row.get(17)?,
        floor: row.get(18)?,
        reached: row.get(19)?,
        attempts: row.get(20)?,
        due: row.get(21)?,
        last_success,
        delivered: row.get(24)?,
        failures: row.get(25)?,
    })
}

fn policy_text(policy: &Policy) -> String {
    serde_json::to_string(policy).expect("numbers and words have a JSON form")
}

fn count(row: Option<Row>) -> Result<u64, Error> {
    row.map_or(Ok(0), |row| row.get(0))
}

// Secrets.

/// Returns the signing secrets of a subscription, the newest first.
pub(crate) fn secrets(tx: &mut dyn Tx, id: SubscriptionId) -> Result<Vec<StoredSecret>, Error> {
    let rows = tx.query(
        "SELECT made_at, sealed, valid_until, read_at FROM subscription_secrets
         WHERE subscription_id = $1 ORDER BY made_at DESC",
        args![id],
    )?;
    let mut secrets = Vec::with_capacity(rows.len());
    for row in rows {
        secrets.push(StoredSecret {
            made_at: row.get(0)?,
            sealed: row.get(1)?,
            valid_until: row.get(2)?,
            read_at: row.get(3)?,
        });
    }
    Ok(secrets)
}

/// Adds a signing secret.
pub(crate) fn insert_secret(tx: &mut dyn Tx, id: SubscriptionId, secret: &StoredSecret) -> Result<(), Error> {
    let StoredSecret { made_at, sealed, valid_until, read_at } = secret;
    tx.execute(
        "INSERT INTO subscription_secrets (subscription_id, made_at, sealed, valid_until, read_at)
         VALUES ($1, $2, $3, $4, $5)",
        args![id, *made_at, sealed.clone(), *valid_until, *read_at],
    )?;
    Ok(())
}

/// Marks a secret as read; false if it was read before.
pub(crate) fn mark_read(
    tx: &mut dyn Tx,
    id: SubscriptionId,
    made_at: Timestamp,
    now: Timestamp,
) -> Result<bool, Error> {
    let touched = tx.execute(
        "UPDATE subscription_secrets SET read_at = $3
         WHERE subscription_id = $1 AND made_at = $2 AND read_at IS NULL",
        args![id, made_at, now],
    )?;
    Ok(touched == 1)
}

/// Lets the present secrets end at `until`, if they do not end sooner, and
/// removes those that ended before `now`.
pub(crate) fn end_secrets(tx: &mut dyn Tx, id: SubscriptionId, until: Timestamp, now: Timestamp) -> Result<(), Error> {
    tx.execute(
        "UPDATE subscription_secrets SET valid_until = $2
         WHERE subscription_id = $1 AND (valid_until IS NULL OR valid_until > $2)",
        args![id, until],
    )?;
    tx.execute("DELETE FROM subscription_secrets WHERE subscription_id = $1 AND valid_until <= $2", args![id, now])?;
    Ok(())
}

// Attempts.

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
               next_at {WHERE}
             ORDER BY started_at DESC, generation DESC, log_offset DESC, attempt DESC LIMIT $5 OFFSET $6"
        ),
        args![id, result, from, to, paging.size, paging.page.saturating_mul(paging.size).min(i64::MAX as u64)],
    )?;
    let mut content = Vec::with_capacity(rows.len());
    for row in rows {
        content.push(Attempt {
            generation: row.get(0)?,
            offset: row.get(1)?,
            number: row.get(2)?,
            event_id: row.get(3)?,
            started_at: row.get(4)?,
            took_ms: row.get(5)?,
            verdict: Verdict::parse(&row.get::<String>(6)?).ok_or(Error::Shape { column: 6 })?,
            status: row.get(7)?,
            detail: row.get(8)?,
            answer: row.get(9)?,
            next_at: row.get(10)?,
        });
    }
    Ok(Page { content, total: count(total)? })
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
