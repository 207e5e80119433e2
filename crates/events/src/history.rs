//! What became of events: attempts, skips, notices and counts, for people.
//!
//! Nothing here changes anything. Lists show the caller what is his own; an
//! administrator sees all.

use base::Actor;

use crate::change::managed;
use crate::delivery::Attempt;
use crate::error::Error;
use crate::events::Events;
use crate::notice::Notice;
use crate::subscription::SubscriptionId;
use crate::tables::{self, SkipRecord};
use crate::view::{DeliveryFilter, LogFilter, Logged, Page, Paging, SkipShown, Status};

impl Events {
    /// Lists the attempts of a subscription, the latest first.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        id: SubscriptionId,
        filter: DeliveryFilter,
        paging: Paging,
    ) -> Result<Page<Attempt>, Error> {
        let actor = actor.clone();
        self.ports
            .db
            .read("events.deliveries", move |tx| {
                managed(tx, &actor, id)?;
                Ok(tables::deliveries(tx, id, filter, paging)?)
            })
            .await
    }

    /// Lists the attempts of the caller's own subscriptions, the latest first;
    /// an administrator sees those of all, of hooks and of deleted ones too.
    /// The total is counted up to 10,000.
    pub async fn delivery_log(&self, actor: &Actor, filter: LogFilter, paging: Paging) -> Result<Page<Logged>, Error> {
        let actor = actor.clone();
        self.ports
            .db
            .read("events.delivery_log", move |tx| {
                if let Some(id) = filter.subscription.filter(|_| !actor.administrator) {
                    managed(tx, &actor, id)?;
                }
                Ok(tables::delivery_log(tx, &actor, &filter, paging)?)
            })
            .await
    }

    /// Lists what a subscription passed over without success, and why, in the
    /// order in which it did.
    pub async fn skips(&self, actor: &Actor, id: SubscriptionId, paging: Paging) -> Result<Page<SkipShown>, Error> {
        let actor = actor.clone();
        self.ports
            .db
            .read("events.skips", move |tx| {
                managed(tx, &actor, id)?;
                let Page { content, total } = tables::skips_page(tx, id, paging)?;
                let shown = |SkipRecord { generation, skipped, at }| SkipShown { skipped, generation, at };
                Ok(Page { content: content.into_iter().map(shown).collect(), total })
            })
            .await
    }

    /// Lists what the caller was or will be told about his subscriptions, the
    /// latest first; an administrator sees all. What was sent is kept for
    /// [`Options::keep_deliveries`].
    pub async fn notices(&self, actor: &Actor, paging: Paging) -> Result<Page<Notice>, Error> {
        let actor = actor.clone();
        self.ports.db.read("events.notices", move |tx| Ok(tables::notices(tx, &actor, paging)?)).await
    }

    /// Counts, for a status page.
    pub async fn status(&self) -> Result<Status, Error> {
        let (events, delivered_before, failures_before) =
            self.ports.db.read("events.status", |tx| Ok::<_, Error>(tables::totals(tx)?)).await?;
        let (mut callbacks, hooks) = self.roster().tallies();
        callbacks.delivered += delivered_before;
        callbacks.failures += failures_before;
        Ok(Status { events, callbacks, hooks })
    }
}
