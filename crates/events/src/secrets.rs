//! The signing secret of a subscription: its owner reads it once, and rotates it.

use std::sync::Arc;
use std::time::Duration;

use base::{Actor, Secret, Timestamp, audit};

use crate::change::{OBJECT, managed};
use crate::error::Error;
use crate::events::Events;
use crate::outlet;
use crate::signature;
use crate::subscription::SubscriptionId;
use crate::tables::{self, StoredSecret};

/// So many secrets sign at once, the newest included; beyond, the oldest ends.
/// Every one of them costs a signature per call and a place in a header.
const SIGNING_MAX: usize = 5;
/// An old secret signs along for at most so long.
const OVERLAP_MAX: Duration = Duration::from_hours(7 * 24);

impl Events {
    /// Gives the newest signing secret to the owner, once; the second time it
    /// is [`Error::SecretAlreadyRead`]. Not even an administrator reads it.
    pub async fn read_secret(&self, actor: &Actor, id: SubscriptionId) -> Result<Secret, Error> {
        let (reader, now, keys) = (actor.clone(), self.now(), self.ports.keys.clone());
        self.ports
            .db
            .write("events.read_secret", move |tx| {
                let stored = managed(tx, &reader, id)?;
                if stored.subscription.owner.id != reader.id {
                    return Err(Error::NotOwner { id });
                }
                let newest = tables::secrets(tx, id)?.into_iter().next().ok_or(Error::SecretAlreadyRead { id })?;
                if !tables::mark_read(tx, id, newest.made_at, now)? {
                    return Err(Error::SecretAlreadyRead { id });
                }
                audit::record(tx, &reader, "read-secret", OBJECT, &id.to_string(), None, None, now)?;
                // A secret that cannot be opened was not read.
                outlet::open_secret(&keys, id, &newest)
            })
            .await
    }

    /// Makes a new signing secret and returns it; the old ones sign along for
    /// `overlap`, at most 7 days, so that the receiver may change over in its
    /// own time. At most five sign at once: one rotation more ends the oldest now.
    pub async fn rotate_secret(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        overlap: Duration,
    ) -> Result<Secret, Error> {
        let overlap = overlap.min(OVERLAP_MAX);
        let secret = signature::new_secret(&*self.ports.chance);
        let sealed = outlet::seal_secret(&self.ports.keys, id, &secret, &*self.ports.chance);
        self.change(actor, id, "rotate-secret", move |tx, stored, now| {
            let last = tables::secrets(tx, id)?.first().map_or(Timestamp::EPOCH, |newest| newest.made_at);
            tables::end_secrets(tx, id, now.plus(overlap), now)?;
            // Two within a microsecond still have an order.
            let made_at = now.max(last.plus(Duration::from_micros(1)));
            let newest = StoredSecret { made_at, sealed: sealed.clone(), valid_until: None, read_at: Some(now) };
            tables::insert_secret(tx, id, &newest)?;
            tables::drop_old_secrets(tx, id, SIGNING_MAX)?;
            Ok(stored.clone())
        })
        .await?;
        Ok(secret)
    }
}
