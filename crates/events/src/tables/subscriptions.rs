//! The subscriptions: definition and standing in one row.

use base::args;
use base::db::{Error, Row, Tx, Value};
use base::{Actor, Timestamp};

use super::{LogRow, count, log_row};
use crate::callback::Sink;
use crate::event::{Offset, TriggerRef};
use crate::policy::Policy;
use crate::subscription::{LastSuccess, Owner, Queue, Standing, State, Subscription, SubscriptionId};
use crate::view::{Listed, Page, Paging, Sort, SortField};

/// A subscription with what is not shown of it.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) subscription: Subscription,
    pub(crate) log: LogRow,
    /// Empty for a local one.
    pub(crate) headers_sealed: Vec<u8>,
}

const STORED: &str = "s.id, s.name, l.knowledge_model, l.trigger_id, s.owner_id, s.owner_name, s.uri, s.hook, s.policy,
    s.birth, s.created_at, s.updated_at, s.state, s.reason, s.failed_since, s.queue_kept, s.generation,
    s.cursor_offset, s.floor_offset, s.reached_offset, s.attempts, s.due_at, s.last_success_offset,
    s.last_success_at, s.delivered, s.failures, l.log, l.head, l.trimmed, s.headers_sealed, s.alerts
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
           reached_offset, attempts, due_at, last_success_offset, last_success_at, delivered, failures, alerts)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
           $23, $24, $25, $26, $27)",
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
           last_success_offset = $12, last_success_at = $13, delivered = $14, failures = $15, alerts = $16
         WHERE id = $1 AND generation <= $6",
        &values,
    )?;
    Ok(touched == 1)
}

/// Waits for whoever is writing to a subscription, and changes nothing.
pub(crate) fn touch(tx: &mut dyn Tx, id: SubscriptionId) -> Result<(), Error> {
    tx.execute("UPDATE subscriptions SET generation = generation WHERE id = $1", args![id])?;
    Ok(())
}

fn standing_values(s: &Standing) -> [Value; 15] {
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
        s.alerts.into(),
    ]
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
        alerts: row.get(30)?,
    })
}

fn policy_text(policy: &Policy) -> String {
    serde_json::to_string(policy).expect("numbers and words have a JSON form")
}
