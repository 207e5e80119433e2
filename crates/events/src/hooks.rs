//! Hooks of this program: subscriptions that nobody out there sees.

use std::sync::Arc;

use base::Actor;

use crate::callback::Sink;
use crate::change::{Draft, existing};
use crate::error::Error;
use crate::event::TriggerRef;
use crate::events::Events;
use crate::policy::Policy;
use crate::subscription::SubscriptionId;
use crate::tables;

impl Events {
    /// Lets a hook of this program receive a trigger's events from now on.
    /// Doing so again changes nothing.
    pub async fn watch(
        self: &Arc<Self>,
        actor: &Actor,
        hook: &str,
        trigger: &TriggerRef,
    ) -> Result<SubscriptionId, Error> {
        let of_hook = hook.to_owned();
        let known =
            self.ports.db.read("events.of_hook", move |tx| Ok::<_, Error>(tables::of_hook(tx, &of_hook)?)).await?;
        if let Some(known) = known.iter().find(|stored| stored.subscription.trigger == *trigger) {
            return Ok(known.subscription.id);
        }
        let draft = Draft {
            id: SubscriptionId::new(self.now(), &*self.ports.chance),
            name: hook.to_owned(),
            trigger: trigger.clone(),
            sink: Sink::Local { hook: hook.to_owned() },
            policy: Policy::default(),
            headers_sealed: Vec::new(),
            secrets: Vec::new(),
        };
        Ok(self.seat_new(actor, draft).await?.id)
    }

    /// Ends everything that a hook receives.
    pub async fn unwatch(self: &Arc<Self>, actor: &Actor, hook: &str) -> Result<(), Error> {
        let of_hook = hook.to_owned();
        let known =
            self.ports.db.read("events.of_hook", move |tx| Ok::<_, Error>(tables::of_hook(tx, &of_hook)?)).await?;
        for stored in known {
            match self.end(actor, stored.subscription.id, existing).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
