//! The verbs.
use std::sync::Arc;
use std::time::Duration;

use base::db::{Control, Db, Tx};
use base::http::Http;
use base::secret::KeyRing;
use base::{Actor, Chance, Clock, Secret};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::callback::{Callback, LocalSink};
use crate::delivery::Attempt;
use crate::error::Error;
use crate::event::{NewEvent, Offset, TriggerRef};
use crate::policy::Policy;
use crate::subscription::{Subscription, SubscriptionId};
use crate::view::{DeliveryFilter, Listed, Page, Paging, Sort, Status};

/// What `events` needs from the program.
#[derive(Clone)]
pub struct Ports {
    /// The control database.
    pub db: Db<Control>,
    /// The way out to callbacks.
    pub http: Arc<dyn Http>,
    /// The hooks of this program.
    pub local: Arc<dyn LocalSink>,
    /// Seals headers and signing secrets.
    pub keys: Arc<KeyRing>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Jitter and secrets.
    pub chance: Arc<dyn Chance>,
}

/// Settings of the whole engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Callbacks may begin with `http`.
    pub allow_http_callbacks: bool,
    /// What a new subscription's delivery settings are.
    pub policy: Policy,
    /// Calls in flight at most, over all subscriptions.
    pub calls_max: usize,
    /// Delivered events are kept so long for replays.
    pub keep_events: Duration,
    /// Attempts are kept so long for people.
    pub keep_deliveries: Duration,
}

impl Default for Options {
    fn default() -> Self {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
        Options {
            allow_http_callbacks: false,
            policy: Policy::default(),
            calls_max: 2_048,
            keep_events: WEEK,
            keep_deliveries: WEEK,
        }
    }
}

/// A request for a subscription, and for its replacement by an update.
#[derive(Clone)]
pub struct NewSubscription {
    /// 1 to 1,024 characters.
    pub name: String,
    /// The callback's address.
    pub uri: String,
    /// The callback's headers.
    pub headers: Vec<(String, Secret)>,
    /// `SKIP_ERRORS`.
    pub skip_errors: bool,
}

/// The event subscription engine.
pub struct Events {
    _ports: Ports,
}

impl Events {
    /// Opens the engine: reads where every subscription stands.
    pub async fn open(_ports: Ports, _options: Options) -> Result<Arc<Self>, Error> {
        todo!()
    }

    /// Appends events to a trigger's log, in the caller's transaction, and
    /// returns the offset of each. An event whose key is in the log already
    /// keeps its offset. Call [`Events::nudge`] after the commit.
    pub fn append(
        &self,
        _tx: &mut dyn Tx,
        _trigger: &TriggerRef,
        _events: &[NewEvent],
    ) -> Result<Vec<Offset>, base::db::Error> {
        todo!()
    }

    /// Says that a trigger's log has grown.
    pub fn nudge(&self, _trigger: &TriggerRef) {
        todo!()
    }

    /// Makes a subscription; its callback is probed first.
    pub async fn create(
        &self,
        _actor: &Actor,
        _trigger: &TriggerRef,
        _request: NewSubscription,
    ) -> Result<Subscription, Error> {
        todo!()
    }

    /// Lists the caller's own subscriptions; an administrator sees all.
    pub async fn list(&self, _actor: &Actor, _sort: Sort, _paging: Paging) -> Result<Page<Listed>, Error> {
        todo!()
    }

    /// Returns one subscription.
    pub async fn get(&self, _actor: &Actor, _id: SubscriptionId) -> Result<Listed, Error> {
        todo!()
    }

    /// Replaces the definition and sets the subscription going, from any state.
    pub async fn update(
        &self,
        _actor: &Actor,
        _id: SubscriptionId,
        _request: NewSubscription,
    ) -> Result<Subscription, Error> {
        todo!()
    }

    /// Ends a subscription.
    pub async fn delete(&self, _actor: &Actor, _id: SubscriptionId) -> Result<(), Error> {
        todo!()
    }

    /// Stops deliveries; events queue.
    pub async fn pause(&self, _actor: &Actor, _id: SubscriptionId) -> Result<Subscription, Error> {
        todo!()
    }

    /// Goes on where it was paused.
    pub async fn resume(&self, _actor: &Actor, _id: SubscriptionId) -> Result<Subscription, Error> {
        todo!()
    }

    /// Goes on with fresh events only.
    pub async fn resume_from_latest(&self, _actor: &Actor, _id: SubscriptionId) -> Result<Subscription, Error> {
        todo!()
    }

    /// Starts again at an offset.
    pub async fn replay(&self, _actor: &Actor, _id: SubscriptionId, _from: Offset) -> Result<Subscription, Error> {
        todo!()
    }

    /// Takes up to 50 undelivered events out by hand: the bodies that the
    /// callback would have received.
    pub async fn extract(&self, _actor: &Actor, _id: SubscriptionId) -> Result<Vec<Bytes>, Error> {
        todo!()
    }

    /// Changes the delivery settings.
    pub async fn set_policy(
        &self,
        _actor: &Actor,
        _id: SubscriptionId,
        _policy: Policy,
    ) -> Result<Subscription, Error> {
        todo!()
    }

    /// Gives the signing secret to the owner, once.
    pub async fn read_secret(&self, _actor: &Actor, _id: SubscriptionId) -> Result<Secret, Error> {
        todo!()
    }

    /// Makes a new signing secret and returns it; the old ones sign along for
    /// `overlap`.
    pub async fn rotate_secret(
        &self,
        _actor: &Actor,
        _id: SubscriptionId,
        _overlap: Duration,
    ) -> Result<Secret, Error> {
        todo!()
    }

    /// Lists the attempts of a subscription, the latest first.
    pub async fn deliveries(
        &self,
        _actor: &Actor,
        _id: SubscriptionId,
        _filter: DeliveryFilter,
        _paging: Paging,
    ) -> Result<Page<Attempt>, Error> {
        todo!()
    }

    /// Lets a hook of this program receive a trigger's events from now on.
    /// Doing so again changes nothing.
    pub async fn watch(&self, _actor: &Actor, _hook: &str, _trigger: &TriggerRef) -> Result<SubscriptionId, Error> {
        todo!()
    }

    /// Ends everything that a hook receives.
    pub async fn unwatch(&self, _actor: &Actor, _hook: &str) -> Result<(), Error> {
        todo!()
    }

    /// Counts, for a status page.
    pub async fn status(&self) -> Result<Status, Error> {
        todo!()
    }

    /// Delivers until told to stop; then lets calls in flight end and saves
    /// what they brought.
    pub async fn run(self: Arc<Self>, _stop: CancellationToken) {
        todo!()
    }

    /// Checks a callback as [`Events::create`] does, without calling it.
    pub fn callback(&self, _request: &NewSubscription) -> Result<Callback, Error> {
        todo!()
    }
}
