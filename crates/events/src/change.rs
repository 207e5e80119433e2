//! How a verb changes a subscription without getting into anyone's way.
//!
//! A verb *holds* the seat: no call starts meanwhile, and a result that comes
//! in waits. Its one transaction saves what deliveries had achieved so far,
//! reads the row, decides, and writes the decision with its audit row. After
//! the commit the seat takes over the new standing and is let go. So a verb
//! that was answered is durable, and the engine acts accordingly. Whatever can
//! go wrong does so before the commit: the seat and its row never disagree.
//!
//! There is one exception, the subject of the next chapter: a commit whose
//! answer was lost.
//!
//! Verbs run as tasks of their own: a caller who hangs up in the middle must
//! not leave a commit behind that the roster has never heard of.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::db::Tx;
use base::{Actor, Timestamp, audit};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use crate::callback::{Sink, shown};
use crate::diagram::{Around, Input, Next, decide};
use crate::error::Error;
use crate::event::TriggerRef;
use crate::events::{Events, Limits};
use crate::held::{ASKED_AT_ONCE, Held, Row, has_no_answer};
use crate::limits;
use crate::outlet::Outlet;
use crate::policy::Policy;
use crate::subscription::{LastSuccess, Owner, Standing, Subscription, SubscriptionId};
use crate::tables::{self, SkipRecord, Stored, StoredSecret};
use crate::telling;

impl Events {
    /// Writes a new subscription and gives it its seat. If the commit has no
    /// answer, it is written once more unless it is there.
    pub(crate) async fn seat_new(self: &Arc<Self>, actor: &Actor, draft: Draft) -> Result<Subscription, Error> {
        let (events, actor, draft) = (self.clone(), actor.clone(), Arc::new(draft));
        to_the_end(async move {
            let now = events.now();
            let mut left = ASKED_AT_ONCE;
            let (stored, outlet) = loop {
                let decided = Arc::new(AtomicBool::new(false));
                match events.write_new(&actor, &draft, &decided, now).await {
                    Err(error) if has_no_answer(&error) && decided.load(Ordering::SeqCst) && left > 0 => left -= 1,
                    answer => break answer?,
                }
            };
            events.roster().seat(stored.subscription.clone(), stored.log, Arc::new(outlet), now);
            events.has_told();
            events.nudged.notify_one();
            Ok(stored.subscription)
        })
        .await
    }

    /// Writes a new subscription, or finds that it was written. `decided` tells
    /// whether it came as far as a commit.
    async fn write_new(
        &self,
        actor: &Actor,
        draft: &Arc<Draft>,
        decided: &Arc<AtomicBool>,
        now: Timestamp,
    ) -> Result<(Stored, Outlet), Error> {
        let (keys, limits) = (self.ports.keys.clone(), self.options.limits);
        let (actor, draft, decided) = (actor.clone(), draft.clone(), decided.clone());
        let write = move |tx: &mut dyn Tx| {
            if let Some(stored) = tables::find(tx, draft.id)? {
                let outlet = Outlet::open(&keys, &stored, &tables::secrets(tx, draft.id)?)?;
                return Ok((stored, outlet));
            }
            let stored = draft.at_head_of(tables::log_of(tx, &draft.trigger)?, &actor, now);
            tables::insert(tx, &stored)?;
            for secret in &draft.secrets {
                tables::insert_secret(tx, draft.id, secret)?;
            }
            let after = audit_view(&stored.subscription);
            audit::record(tx, &actor, "create", OBJECT, &draft.id.to_string(), None, Some(&after), now)?;
            tell_of_new(tx, &stored.subscription, limits, now)?;
            let outlet = Outlet::open(&keys, &stored, &draft.secrets)?;
            decided.store(true, Ordering::SeqCst);
            Ok((stored, outlet))
        };
        self.ports.db.write("events.create", write).await
    }

    /// Lets an arrow of the diagram be taken.
    pub(crate) async fn take(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        verb: &'static str,
        input: Input,
    ) -> Result<Subscription, Error> {
        self.change(actor, id, verb, move |tx, stored, now| moved(tx, stored, input, now)).await
    }

    /// Holds a seat, lets `edit` change the row in one transaction with its
    /// audit row, and seats what came of it.
    pub(crate) async fn change(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        verb: &'static str,
        edit: impl Fn(&mut dyn Tx, &Stored, Timestamp) -> Result<Stored, Error> + Send + 'static,
    ) -> Result<Subscription, Error> {
        let (events, actor) = (self.clone(), actor.clone());
        to_the_end(async move {
            let held = Held::take(&events, id).await?;
            let progress = held.progress.clone();
            let now = events.now();
            let keys = events.ports.keys.clone();
            let decided = Arc::new(Mutex::new(None));
            let decision = decided.clone();
            let answer = events
                .ports
                .db
                .write("events.change", move |tx| {
                    tables::save_progress(tx, std::slice::from_ref(&progress))?;
                    let before = managed(tx, &actor, id)?;
                    let after = edit(tx, &before, now)?;
                    let s = &before.subscription;
                    let news = telling::changed(&after.subscription, &s.standing, before.log.head, now);
                    tables::insert_notices(tx, news.as_slice())?;
                    let (before, shown) = (audit_view(s), audit_view(&after.subscription));
                    audit::record(tx, &actor, verb, OBJECT, &id.to_string(), Some(&before), Some(&shown), now)?;
                    let secrets = tables::secrets(tx, id)?;
                    let outlet = Outlet::open(&keys, &after, &secrets)?;
                    // The closure may run twice: overwrite.
                    *decision.lock() = Some(Row::of(&after, &secrets));
                    Ok::<_, Error>((after, outlet))
                })
                .await;
            let decided = decided.lock().take();
            let subscription = match (answer, decided) {
                (Ok((stored, outlet)), _) => {
                    held.change(stored.clone(), outlet, events.now());
                    stored.subscription
                }
                (Err(error), Some(row)) if has_no_answer(&error) => {
                    let subscription = row.subscription.clone();
                    held.find_out(Some(row), error).await?;
                    subscription
                }
                (Err(error), _) => return Err(error),
            };
            events.has_told();
            Ok(subscription)
        })
        .await
    }

    /// Holds a seat, removes the row that `find` allows to be removed, with its
    /// audit row, and takes the seat away.
    pub(crate) async fn end(
        self: &Arc<Self>,
        actor: &Actor,
        id: SubscriptionId,
        find: fn(&mut dyn Tx, &Actor, SubscriptionId) -> Result<Stored, Error>,
    ) -> Result<(), Error> {
        let (events, actor) = (self.clone(), actor.clone());
        to_the_end(async move {
            let held = Held::take(&events, id).await?;
            let progress = held.progress.clone();
            let now = events.now();
            let decided = Arc::new(AtomicBool::new(false));
            let decision = decided.clone();
            let answer = events
                .ports
                .db
                .write("events.delete", move |tx| {
                    tables::save_progress(tx, std::slice::from_ref(&progress))?;
                    let stored = find(tx, &actor, id)?;
                    tables::delete(tx, &stored)?;
                    let news = telling::deleted(&stored.subscription, stored.log.head, now);
                    tables::insert_notices(tx, news.as_slice())?;
                    let before = audit_view(&stored.subscription);
                    audit::record(tx, &actor, "delete", OBJECT, &id.to_string(), Some(&before), None, now)?;
                    decision.store(true, Ordering::SeqCst);
                    Ok::<_, Error>(())
                })
                .await;
            match answer {
                Ok(()) => held.end(),
                Err(error) if has_no_answer(&error) && decided.load(Ordering::SeqCst) => {
                    held.find_out(None, error).await?;
                }
                Err(error) => return Err(error),
            }
            events.has_told();
            Ok(())
        })
        .await
    }
}

/// Tells of a new subscription, and that there are many, if so. One with a
/// callback is refused where there are too many.
fn tell_of_new(tx: &mut dyn Tx, s: &Subscription, limits: Limits, now: Timestamp) -> Result<(), Error> {
    let Some(created) = telling::created(s, now) else { return Ok(()) };
    // This one is among them.
    let others = tables::callbacks(tx)?.saturating_sub(1);
    if limits.enforce && others >= limits.subscriptions_max {
        return Err(Error::TooManySubscriptions { max: limits.subscriptions_max });
    }
    let mut notices = vec![created];
    notices.extend(limits::one_more(limits, others, &s.id.to_string(), now));
    Ok(tables::insert_notices(tx, &notices)?)
}

/// What audit rows call a subscription.
pub(crate) const OBJECT: &str = "subscription";

/// A subscription that is not written yet.
pub(crate) struct Draft {
    pub(crate) id: SubscriptionId,
    pub(crate) name: String,
    pub(crate) trigger: TriggerRef,
    pub(crate) sink: Sink,
    pub(crate) policy: Policy,
    pub(crate) headers_sealed: Vec<u8>,
    pub(crate) secrets: Vec<StoredSecret>,
}

impl Draft {
    fn at_head_of(&self, log: tables::LogRow, owner: &Actor, now: Timestamp) -> Stored {
        let subscription = Subscription {
            id: self.id,
            name: self.name.clone(),
            trigger: self.trigger.clone(),
            owner: Owner { id: owner.id.clone(), name: owner.name.clone() },
            sink: self.sink.clone(),
            policy: self.policy.clone(),
            standing: Standing::new(log.head),
            birth: log.head,
            created_at: now,
            updated_at: now,
        };
        Stored { subscription, log, headers_sealed: self.headers_sealed.clone() }
    }
}

/// Runs a verb as a task of its own, so that it comes to its end even if the
/// caller does not wait for it.
pub(crate) async fn to_the_end<T: Send + 'static>(
    verb: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(verb).await {
        Ok(answer) => answer,
        // A bug is the caller's to see, as if there were no task in between.
        Err(end) if end.is_panic() => std::panic::resume_unwind(end.into_panic()),
        Err(_) => Err(Error::Stopping),
    }
}

/// Finds a subscription that the actor may manage. Those of hooks are nobody's
/// business out there.
pub(crate) fn managed(tx: &mut dyn Tx, actor: &Actor, id: SubscriptionId) -> Result<Stored, Error> {
    let stored = existing(tx, id)?;
    if let Sink::Local { .. } = stored.subscription.sink {
        return Err(Error::NotFound { id: id.to_string() });
    }
    if !actor.administrator && stored.subscription.owner.id != actor.id {
        return Err(Error::NotOwner { id });
    }
    Ok(stored)
}

/// Finds a subscription, whoever asks.
pub(crate) fn existing(tx: &mut dyn Tx, id: SubscriptionId) -> Result<Stored, Error> {
    tables::find(tx, id)?.ok_or_else(|| Error::NotFound { id: id.to_string() })
}

/// Decides what a subscription becomes, and writes it.
pub(crate) fn moved(tx: &mut dyn Tx, stored: &Stored, input: Input, now: Timestamp) -> Result<Stored, Error> {
    let s = &stored.subscription;
    let around = Around { policy: &s.policy, head: stored.log.head, trimmed: stored.log.trimmed, now };
    let standing = match decide(&s.standing, input, &around).map_err(|refusal| Error::Refused { id: s.id, refusal })? {
        Next::Stays | Next::Ends => return Ok(stored.clone()),
        Next::Becomes(standing) => standing,
        Next::Skips(standing, skipped) => {
            let record = SkipRecord { generation: standing.generation, skipped, at: now };
            tables::insert_skip(tx, s.id, &record)?;
            standing
        }
    };
    tables::save_standing(tx, s.id, &standing)?;
    Ok(Stored { subscription: Subscription { standing, ..s.clone() }, ..stored.clone() })
}

/// Shows a subscription as audit rows keep it: without secrets.
fn audit_view(s: &Subscription) -> Json {
    let sink = match &s.sink {
        Sink::Https { uri } => shown(uri),
        Sink::Local { hook } => format!("hook:{hook}"),
    };
    let last_success = match s.standing.last_success {
        LastSuccess::None => Json::Null,
        LastSuccess::Event { offset, .. } => json!(offset),
    };
    json!({
        "name": s.name,
        "trigger": s.trigger,
        "sink": sink,
        "delivery": s.policy,
        "state": s.standing.state.word(),
        "generation": s.standing.generation,
        "cursor": s.standing.cursor,
        "lastSuccess": last_success,
    })
}
