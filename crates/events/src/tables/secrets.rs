//! The signing secrets, sealed.

use base::Timestamp;
use base::args;
use base::db::{Error, Tx};

use crate::subscription::SubscriptionId;

/// A signing secret as it lies in the table.
#[derive(Clone)]
pub(crate) struct StoredSecret {
    pub(crate) made_at: Timestamp,
    pub(crate) sealed: Vec<u8>,
    /// Nothing: until a rotation ends it.
    pub(crate) valid_until: Option<Timestamp>,
    pub(crate) read_at: Option<Timestamp>,
}

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

/// Removes all but the newest `kept` secrets of a subscription.
pub(crate) fn drop_old_secrets(tx: &mut dyn Tx, id: SubscriptionId, kept: usize) -> Result<(), Error> {
    for secret in secrets(tx, id)?.into_iter().skip(kept) {
        tx.execute(
            "DELETE FROM subscription_secrets WHERE subscription_id = $1 AND made_at = $2",
            args![id, secret.made_at],
        )?;
    }
    Ok(())
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
