//! Hooks of this program: subscriptions that nobody out there sees.
//!
//! Watching looks for a subscription before it makes one, and unwatching must
//! find those that others are making. So they take turns; they are rare.

use std::sync::Arc;

use base::Actor;

use crate::callback::Sink;
use crate::change::{Draft, existing, to_the_end};
use crate::error::Error;
use crate::event::TriggerRef;
use crate::events::Events;
use crate::policy::Policy;
use crate::subscription::SubscriptionId;
use crate::tables::{self, Stored};

impl Events {
    /// Lets a hook of this program receive a trigger's events from now on.
    /// Doing so again changes nothing.
    pub async fn watch(
        self: &Arc<Self>,
        actor: &Actor,
        hook: &str,
        trigger: &TriggerRef,
    ) -> Result<SubscriptionId, Error> {
        let (events, actor, hook, trigger) = (self.clone(), actor.clone(), hook.to_owned(), trigger.clone());
        to_the_end(async move {
            let _turn = events.hooks.lock().await;
            let known = events.of_hook(&hook).await?;
            if let Some(known) = known.iter().find(|stored| stored.subscription.trigger == trigger) {
                return Ok(known.subscription.id);
            }
            let draft = Draft {
                id: SubscriptionId::new(events.now(), &*events.ports.chance),
                name: hook.clone(),
                trigger,
                sink: Sink::Local { hook },
                policy: Policy::default(),
                headers_sealed: Vec::new(),
                secrets: Vec::new(),
            };
            Ok(events.seat_new(&actor, draft).await?.id)
        })
        .await
    }

    /// Ends everything that a hook receives.
    pub async fn unwatch(self: &Arc<Self>, actor: &Actor, hook: &str) -> Result<(), Error> {
        let (events, actor, hook) = (self.clone(), actor.clone(), hook.to_owned());
        to_the_end(async move {
            let _turn = events.hooks.lock().await;
            for stored in events.of_hook(&hook).await? {
                events.end(&actor, stored.subscription.id, |tx, _, id| existing(tx, id)).await?;
            }
            Ok(())
        })
        .await
    }

    async fn of_hook(&self, hook: &str) -> Result<Vec<Stored>, Error> {
        let hook = hook.to_owned();
        self.ports.db.read("events.of_hook", move |tx| Ok(tables::of_hook(tx, &hook)?)).await
    }
}
