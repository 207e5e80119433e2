//! The verbs of this crate: what the surfaces call.
//!
//! Here one reads what each verb does. How it does so safely beside the
//! deliveries is told in `change`; what may happen in which state, in
//! `diagram`.
//!
//! Every verb on a subscription is answered with [`Error::NotFound`] if there
//! is none (those of hooks count as none), with [`Error::NotOwner`] unless the
//! actor made it or is an administrator, and with [`Error::Refused`] where the
//! diagram has no arrow. Then nothing has changed.

use std::sync::Arc;
use std::time::Duration;

use base::db::{Control, Db, Tx};
use base::http::{Http, Method, Request};
use base::secret::KeyRing;
use base::{Actor, Chance, Clock, Secret, Timestamp};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, broadcast};

use crate::callback::{Callback, LocalSink, Sink};
use crate::change::{Draft, managed, moved};
use crate::diagram::Input;
use crate::error::Error;
use crate::event::{self, NewEvent, Offset, TriggerRef};
use crate::log::Appended;
use crate::notice::{NoticeKind, Notifier};
use crate::outlet::{self, Outlet};
use crate::policy::{OnError, Policy};
use crate::roster::{Roster, Slots};
use crate::signature;
use crate::subscription::{Subscription, SubscriptionId};
use crate::tables::{self, Stored, StoredSecret};
use crate::telling::NewNotice;
use crate::view::{Listed, Page, Paging, Sort};
use crate::work::Engine;

/// Events that one extraction takes at most.
const EXTRACT_MAX: usize = 50;
/// A callback that is asked whether it is there must answer within this time.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Whoever looks on and misses more nudges than that looks for himself.
const NUDGES_KEPT: usize = 256;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 1_024;

/// What `events` needs from the program.
#[derive(Clone)]
pub struct Ports {
    /// The control database.
    pub db: Db<Control>,
    /// The way out to callbacks.
    pub http: Arc<dyn Http>,
    /// The hooks of this program.
    pub local: Arc<dyn LocalSink>,
    /// Takes notices to people; [`crate::LogNotifier`] if there is nobody else.
    pub notifier: Arc<dyn Notifier>,
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
    /// The delivery settings of a new subscription.
    pub policy: Policy,
    /// Calls in flight at most, over all subscriptions.
    pub calls_max: usize,
    /// How many of them are for probes of failed subscriptions, and for nothing
    /// else; no more than half.
    pub probes_max: usize,
    /// Delivered events are kept so long for replays.
    pub keep_events: Duration,
    /// Delivered events of one log are kept up to so many bytes of documents,
    /// even if they are not old.
    pub keep_bytes: u64,
    /// Attempts and sent notices are kept so long for people.
    pub keep_deliveries: Duration,
    /// Bytes of documents that may wait in one log for the subscription that
    /// is furthest behind; beyond, it is suspended.
    pub queue_bytes_max: u64,
    /// The oldest event that waits may be so old; beyond, those that have not
    /// taken it are suspended.
    pub queue_age_max: Duration,
    /// How much there may be of everything.
    pub limits: Limits,
    /// Notices are collected for so long before they are sent.
    pub notice_every: Duration,
}

/// How much there may be. At 80 % and at 100 % the administrators get a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Subscriptions with a callback.
    pub subscriptions_max: u64,
    /// Events per UTC day, over all logs. It is only told when they are more:
    /// an event is the fact that something happened, and refusing it would
    /// lose it.
    pub events_per_day_max: u64,
    /// Subscriptions beyond the limit are refused, not only told of.
    pub enforce: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { subscriptions_max: 10_000, events_per_day_max: 1_000_000, enforce: false }
    }
}

impl Default for Options {
    fn default() -> Self {
        const WEEK: Duration = Duration::from_hours(7 * 24);
        Options {
            allow_http_callbacks: false,
            policy: Policy::default(),
            calls_max: 2_048,
            probes_max: 16,
            keep_events: WEEK,
            keep_bytes: 2 << 30,
            keep_deliveries: WEEK,
            queue_bytes_max: 8 << 30,
            queue_age_max: Duration::from_hours(30 * 24),
            limits: Limits::default(),
            notice_every: Duration::from_mins(1),
        }
    }
}

/// A request for a subscription, or for its replacement by an update.
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
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) roster: Mutex<Roster>,
    pub(crate) engine: tokio::sync::Mutex<Engine>,
    /// Told when the roster has something new for the engine.
    pub(crate) nudged: Notify,
    /// Told which log has grown; for those who look on.
    pub(crate) grew: broadcast::Sender<TriggerRef>,
    /// Whoever watches or unwatches has it.
    pub(crate) hooks: tokio::sync::Mutex<()>,
}

impl Events {
    /// Opens the engine: gives every subscription its seat, as the tables have
    /// it. Nothing is delivered before [`Events::run`].
    pub async fn open(ports: Ports, options: Options) -> Result<Arc<Self>, Error> {
        options.policy.check()?;
        let now = ports.clock.now();
        let seats = ports
            .db
            .read("events.open", |tx| {
                let mut seats = Vec::new();
                for stored in tables::all(tx)? {
                    let secrets = tables::secrets(tx, stored.subscription.id)?;
                    seats.push((stored, secrets));
                }
                Ok::<_, Error>(seats)
            })
            .await?;
        let mut roster = Roster::new(Slots::new(options.calls_max, options.probes_max), now);
        for (stored, secrets) in seats {
            let outlet = Arc::new(Outlet::open(&ports.keys, &stored, &secrets)?);
            roster.seat(stored.subscription, stored.log, outlet, now);
        }
        Ok(Arc::new(Events {
            ports,
            options,
            roster: Mutex::new(roster),
            engine: tokio::sync::Mutex::default(),
            nudged: Notify::new(),
            grew: broadcast::channel(NUDGES_KEPT).0,
            hooks: tokio::sync::Mutex::default(),
        }))
    }

    // The log.

    /// Appends events to a trigger's log, in the caller's transaction, and
    /// returns the offset of each. An event whose key is in the log already
    /// keeps its offset, and nothing changes; what has grown old and was removed
    /// ([`Options::keep_events`]) is no longer known. Hand what is returned to
    /// [`Events::announce`] after the commit.
    pub fn append(
        &self,
        tx: &mut dyn Tx,
        trigger: &TriggerRef,
        events: &[NewEvent],
    ) -> Result<Appended, base::db::Error> {
        tables::append(tx, trigger, events, self.now())
    }

    /// Says that an append is durable, and brings its events to hand: whoever
    /// keeps up is called without a look at the database.
    pub fn announce(&self, appended: Appended) {
        let Appended { trigger, grown, .. } = appended;
        let cared_for = grown.is_some_and(|grown| self.roster().announce(grown, self.now()));
        if cared_for {
            self.nudged.notify_one();
        }
        // Fails if nobody looks on.
        self.grew.send(trigger).ok();
    }

    /// Tells administrators, in the caller's transaction, of something that
    /// keeps events from coming; `about` names it, and is told once.
    pub fn tell_administrators(
        &self,
        tx: &mut dyn Tx,
        kind: NoticeKind,
        about: &str,
        name: &str,
        text: &str,
    ) -> Result<(), base::db::Error> {
        let about = format!("{}/{about}", kind.word());
        let notice = NewNotice::for_administrators(kind, about, self.now(), text.to_owned());
        tables::insert_notices(tx, &[NewNotice { name: name.to_owned(), ..notice }])
    }

    /// Says that what administrators are told is durable, so that it is sent.
    pub fn announce_notices(&self) {
        self.has_told();
        self.nudged.notify_one();
    }

    /// Says that a trigger's log has grown, by whatever way, so that nobody
    /// waits for the next look at it.
    pub fn nudge(&self, trigger: &TriggerRef) {
        if self.roster().nudge(trigger) {
            self.nudged.notify_one();
        }
        // Fails if nobody looks on.
        self.grew.send(trigger.clone()).ok();
    }

    // Subscriptions.

    /// Makes a subscription to the events that come from now on. Its callback
    /// must be there: any HTTP answer to a HEAD within 10 s counts, or else it
    /// is [`Error::CallbackFailed`].
    pub async fn create(
        self: &Arc<Self>,
        actor: &Actor,
        trigger: &TriggerRef,
        request: NewSubscription,
    ) -> Result<Subscription, Error> {
        let callback = self.accept(&request)?;
        self.probe(&callback).await?;
        let Ports { keys, chance, .. } = &self.ports;
        let now = self.now();
        let id = SubscriptionId::new(now, &**chance);
        let secret = signature::new_secret(&**chance);
        let sealed = outlet::seal_secret(keys, id, &secret, &**chance);
        let secret = StoredSecret { made_at: now, sealed, valid_until: None, read_at: None };
        let headers_sealed = outlet::seal_headers(keys, id, &callback, &**chance);
        let on_error = if request.skip_errors { OnError::Skip } else { OnError::Keep };
        let draft = Draft {
            id,
            name: request.name,
            trigger: trigger.clone(),
            sink: Sink::Https { uri: request.uri },
            policy: Policy { on_error, ..self.options.policy.clone() },
            headers_sealed,
            secrets: vec![secret],
        };
        self.seat_new(actor, draft).await
    }

    /// Lists the caller's own subscriptions; an administrator sees all. Those
    /// of hooks are not listed.
    pub async fn list(&self, actor: &Actor, sort: Sort, paging: Paging) -> Result<Page<Listed>, Error> {
        let actor = actor.clone();
        self.ports.db.read("events.list", move |tx| Ok(tables::list(tx, &actor, sort, paging)?)).await
    }

    /// Returns one subscription.
    pub async fn get(&self, actor: &Actor, id: SubscriptionId) -> Result<Listed, Error> {
        let actor = actor.clone();
        self.ports.db.read("events.get", move |tx| Ok(tables::listed(managed(tx, &actor, id)?))).await
    }

    /// Replaces the definition and sets the subscription going, from any state.
    /// The callback is not asked first: the next delivery will tell.
    pub async fn update(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        request: NewSubscription,
    ) -> Result<Subscription, Error> {
        let callback = self.accept(&request)?;
        let headers_sealed = outlet::seal_headers(&self.ports.keys, id, &callback, &*self.ports.chance);
        let on_error = if request.skip_errors { OnError::Skip } else { OnError::Keep };
        self.change(actor, id, "update", move |tx, stored, now| {
            let s = &stored.subscription;
            let changed = Subscription {
                name: request.name.clone(),
                sink: Sink::Https { uri: request.uri.clone() },
                policy: Policy { on_error, ..s.policy.clone() },
                updated_at: now,
                ..s.clone()
            };
            let changed = Stored { subscription: changed, headers_sealed: headers_sealed.clone(), ..stored.clone() };
            tables::save_definition(tx, &changed)?;
            moved(tx, &changed, Input::Update, now)
        })
        .await
    }

    /// Ends a subscription and its queue.
    pub async fn delete(self: &Arc<Self>, actor: &Actor, id: SubscriptionId) -> Result<(), Error> {
        self.end(actor, id, managed).await
    }

    /// Stops deliveries; events queue.
    pub async fn pause(self: &Arc<Self>, actor: &Actor, id: SubscriptionId) -> Result<Subscription, Error> {
        self.take(actor, id, "pause", Input::Pause).await
    }

    /// Goes on where it was paused.
    pub async fn resume(self: &Arc<Self>, actor: &Actor, id: SubscriptionId) -> Result<Subscription, Error> {
        self.take(actor, id, "resume", Input::Resume).await
    }

    /// Goes on with fresh events only; those that had queued are passed over,
    /// on record.
    pub async fn resume_from_latest(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
    ) -> Result<Subscription, Error> {
        self.take(actor, id, "resume-from-latest", Input::ResumeFromLatest).await
    }

    /// Starts again at an offset; 0 means as early as possible. Refused before
    /// the subscription's own beginning, where events are no longer kept, and
    /// beyond the next event; what it leaves out ahead is passed over, on record.
    pub async fn replay(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        from: Offset,
    ) -> Result<Subscription, Error> {
        self.take(actor, id, "replay", Input::Replay { from }).await
    }

    /// Takes up to 50 undelivered events out by hand and returns the bodies
    /// that the callback would have received, one for each. A second call
    /// returns the next. One that finds none sets a failed or rejected
    /// subscription going again. Refused while the subscription is active or paused.
    pub async fn extract(self: &Arc<Self>, actor: &Actor, id: SubscriptionId) -> Result<Vec<Bytes>, Error> {
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let taken = bodies.clone();
        self.change(actor, id, "extract", move |tx, stored, now| {
            let s = &stored.subscription;
            let mut events = Vec::new();
            if !s.standing.queue_is_destroyed() {
                (_, events) = tables::read_log(tx, stored.log.log, s.standing.cursor, EXTRACT_MAX)?;
            }
            let through = events.last().map_or(s.standing.cursor, |event| event.offset);
            let body = |event| event::callback_body(s.id, &s.trigger, event);
            // The closure may run twice: overwrite, do not add.
            *taken.lock() = events.iter().map(body).collect();
            moved(tx, stored, Input::Extract { through }, now)
        })
        .await?;
        Ok(std::mem::take(&mut *bodies.lock()))
    }

    /// Passes over the event behind the cursor, on record, and sets the
    /// subscription going: the way out when one event is wrong. Refused unless
    /// the subscription is failed or rejected and an event is queued.
    pub async fn skip_one(self: &Arc<Self>, actor: &Actor, id: SubscriptionId) -> Result<Subscription, Error> {
        self.take(actor, id, "skip", Input::SkipOne).await
    }

    /// Replaces the delivery settings; the state stays as it is.
    pub async fn set_policy(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        policy: Policy,
    ) -> Result<Subscription, Error> {
        self.edit_policy(actor, id, move |_| policy.clone()).await
    }

    /// Changes the delivery settings from what they are, whoever else changes
    /// them meanwhile; the state stays as it is. `edit` may be called twice.
    pub async fn edit_policy(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        edit: impl Fn(&Policy) -> Policy + Send + 'static,
    ) -> Result<Subscription, Error> {
        self.change(actor, id, "set-delivery", move |tx, stored, now| {
            let policy = edit(&stored.subscription.policy);
            policy.check()?;
            let subscription = Subscription { policy, updated_at: now, ..stored.subscription.clone() };
            let changed = Stored { subscription, ..stored.clone() };
            tables::save_definition(tx, &changed)?;
            Ok(changed)
        })
        .await
    }

    // How verbs work.

    pub(crate) fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock()
    }

    /// Tells administrators that a flow was paused. The same pause may be told
    /// again: there is one notice of it.
    pub async fn flow_paused(&self, flow: &str, at: Timestamp, text: &str) -> Result<(), Error> {
        self.tell_of_flow(NoticeKind::FlowPaused, flow, at, text).await
    }

    /// Tells administrators that a flow was switched off because its runs
    /// failed. It may be told again: there is one notice of it.
    pub async fn flow_switched_off(&self, flow: &str, at: Timestamp, text: &str) -> Result<(), Error> {
        self.tell_of_flow(NoticeKind::FlowSwitchedOff, flow, at, text).await
    }

    /// Tells administrators that a connection of flows has ended, or soon
    /// will. It may be told again: there is one notice of it.
    pub async fn connection_ends(&self, connection: &str, at: Timestamp, text: &str) -> Result<(), Error> {
        self.tell_of_flow(NoticeKind::ConnectionEnds, connection, at, text).await
    }

    async fn tell_of_flow(&self, kind: NoticeKind, flow: &str, at: Timestamp, text: &str) -> Result<(), Error> {
        let notice = NewNotice {
            name: flow.to_owned(),
            ..NewNotice::for_administrators(
                kind,
                format!("{}/{flow}/{}", kind.word(), at.as_micros()),
                at,
                text.to_owned(),
            )
        };
        let write = self.ports.db.write("events.tell_of_flow", move |tx| {
            Ok::<_, Error>(tables::insert_notices(tx, std::slice::from_ref(&notice))?)
        });
        write.await?;
        self.has_told();
        Ok(())
    }

    /// Sees to it that notices which were just written are sent.
    pub(crate) fn has_told(&self) {
        let due = self.now().plus(self.options.notice_every);
        self.roster().tell_by(due);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn accept(&self, request: &NewSubscription) -> Result<Callback, Error> {
        let chars = request.name.chars().count();
        if request.name.trim().is_empty() || chars > NAME_CHARS_MAX || request.name.contains('\0') {
            return Err(Error::NameIllegal);
        }
        Callback::parse(&request.uri, &request.headers, self.options.allow_http_callbacks)
    }

    /// Asks a callback whether it is there.
    async fn probe(&self, callback: &Callback) -> Result<(), Error> {
        let mut request = Request::new(Method::HEAD, callback.uri());
        request.headers = callback.header_map();
        request.timeout = PROBE_TIMEOUT;
        request.response_bytes_max = 0;
        match self.ports.http.send(request).await {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::CallbackFailed { source }),
        }
    }
}
