//! A seat in the hands of a verb, and what becomes of it if nobody knows
//! whether the verb's commit counts.
//!
//! When the connection to the database is lost in the middle of a commit, it
//! may count or not. Then the seat stays held until the row has been read
//! again, and takes over what is found there; mostly that is done before the
//! caller is answered, who then hears what became of the verb.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base::db::{self, Tx};

use crate::error::Error;
use crate::events::Events;
use crate::outlet::Outlet;
use crate::subscription::{Subscription, SubscriptionId};
use crate::tables::{self, Stored, StoredSecret};

/// A row whose commit had no answer is asked for so often before the caller is
/// told that nobody knows …
pub(crate) const ASKED_AT_ONCE: usize = 3;
/// … and from then on this often, until it can be read.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// Tells whether a write may count although it failed.
pub(crate) fn has_no_answer(error: &Error) -> bool {
    matches!(error, Error::Database(db::Error::Unavailable { .. }))
}

/// What a verb decided, to be known again.
#[derive(PartialEq)]
pub(crate) struct Row {
    pub(crate) subscription: Subscription,
    headers_sealed: Vec<u8>,
    secrets: Vec<Vec<u8>>,
}

impl Row {
    pub(crate) fn of(stored: &Stored, secrets: &[StoredSecret]) -> Self {
        Row {
            subscription: stored.subscription.clone(),
            headers_sealed: stored.headers_sealed.clone(),
            secrets: secrets.iter().map(|secret| secret.sealed.clone()).collect(),
        }
    }
}

/// A seat that is held, with its pen. Dropping it lets the seat go as it was.
pub(crate) struct Held {
    events: Arc<Events>,
    id: SubscriptionId,
    /// What the verb's commit has to save first.
    pub(crate) progress: tables::Progress,
    _pen: tokio::sync::OwnedMutexGuard<()>,
}

impl Held {
    pub(crate) async fn take(events: &Arc<Events>, id: SubscriptionId) -> Result<Self, Error> {
        let not_found = || Error::NotFound { id: id.to_string() };
        let pen = events.roster().pen(id).ok_or_else(not_found)?;
        let pen = pen.lock_owned().await;
        let progress = events.roster().hold(id).ok_or_else(not_found)?;
        Ok(Held { events: events.clone(), id, progress, _pen: pen })
    }

    /// Finds out what became of a commit without an answer, and lets the seat
    /// be as its row is: `Ok` if the row is what was decided, nothing if that
    /// was an end. If the database does not say so now, somebody keeps asking.
    pub(crate) async fn find_out(self, decided: Option<Row>, error: Error) -> Result<(), Error> {
        for _ in 0..ASKED_AT_ONCE {
            if let Ok(found) = self.ask().await {
                return if self.settle(found, decided) { Ok(()) } else { Err(error) };
            }
        }
        tracing::error!(subscription.id = %self.id, %error, "nobody knows what became of a change; it is found out");
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ASKED_EVERY).await;
                if let Ok(found) = self.ask().await {
                    self.settle(found, decided);
                    return;
                }
            }
        });
        Err(error)
    }

    /// Reads the row. The server may still be at the commit whose answer was
    /// lost; by writing to the row one waits for its end.
    async fn ask(&self) -> Result<Option<(Stored, Vec<StoredSecret>)>, Error> {
        let id = self.id;
        let ask = move |tx: &mut dyn Tx| {
            tables::touch(tx, id)?;
            let Some(stored) = tables::find(tx, id)? else { return Ok(None) };
            Ok(Some((stored, tables::secrets(tx, id)?)))
        };
        self.events.ports.db.write("events.ask", ask).await
    }

    /// Takes over what was found; tells whether it is what was decided.
    fn settle(self, found: Option<(Stored, Vec<StoredSecret>)>, decided: Option<Row>) -> bool {
        let Some((stored, secrets)) = found else {
            self.end();
            return decided.is_none();
        };
        // If it is not, nothing was committed, and the seat is ahead of its row
        // as it was before.
        let counts = decided.is_some_and(|row| row == Row::of(&stored, &secrets));
        if counts && let Ok(outlet) = Outlet::open(&self.events.ports.keys, &stored, &secrets) {
            let now = self.events.now();
            self.change(stored, outlet, now);
        }
        counts
    }

    pub(crate) fn change(self, stored: Stored, outlet: Outlet, now: Timestamp) {
        self.events.roster().change(stored.subscription, Arc::new(outlet), stored.log, now);
    }

    pub(crate) fn end(self) {
        self.events.roster().unseat(self.id);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // After a change or an end there is nothing left to let go of.
        let now = self.events.now();
        self.events.roster().release(self.id, now);
        self.events.nudged.notify_one();
    }
}
