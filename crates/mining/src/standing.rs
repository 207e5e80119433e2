//! How models and triggers stand: what was evaluated up to where, what comes
//! next, what is held back; and a person's hand on what is held.
//!
//! Reading waits for an evaluation that is under way and for nothing else: it
//! neither loads a data model nor lets it catch up, so that a status page shows
//! what is, and not what asking has made of it.

use std::sync::Arc;

use base::{Actor, Timestamp, audit};
use serde_json::json;

use crate::live::{Desk, Live, LiveModel};
use crate::matched_set::ITEMS_MAX;
use crate::mining::{Mining, counted};
use crate::pql::operators::hint;
use crate::tables::{self, Progress};
use crate::trigger::Trigger;
use crate::views::{Following, Held, ModelStanding, Preview, TriggerStanding};
use crate::watch::Watch;
use crate::{Error, Signal};

/// What becomes of signals that a cap holds back, when a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are sent now, whatever the cap says.
    Release,
    /// They are never sent.
    Drop,
}

impl Fate {
    fn verb(self) -> &'static str {
        match self {
            Fate::Release => "release-held",
            Fate::Drop => "drop-held",
        }
    }
}

/// What only memory knows of a model.
struct InMemory {
    following: Following,
    next_deadline: Option<Timestamp>,
    previews: Vec<Preview>,
    /// By trigger.
    triggers: Vec<TriggerInMemory>,
}

struct TriggerInMemory {
    id: String,
    next_deadline: Option<Timestamp>,
    rests_until: Option<Timestamp>,
    waiting: u64,
    sends_at: Option<Timestamp>,
}

impl Mining {
    /// Tells how a published model and its triggers stand.
    pub async fn standing(&self, model: &str) -> Result<ModelStanding, Error> {
        let published = self.checked(model).await?;
        let data_model = self.data_model_of(model).await?;
        let in_memory = match &*self.post(data_model.id).live.clone().lock_owned().await {
            None => None,
            Some(live) => live.models.iter().find(|followed| followed.id == model).map(|followed| {
                let wall = self.clock.now();
                in_memory(followed, wall)
            }),
        };
        let head = *self.tables.head(data_model.pool).borrow();
        let (id, on) = (model.to_owned(), data_model.id);
        let stored = self.desk.db.read("mining.standing", move |tx| {
            let unknown = || Error::UnknownModel { model: id.clone() };
            let version = tables::model(tx, &id)?.ok_or_else(unknown)?.published.unwrap_or_default();
            let mut views = Vec::new();
            for trigger in &published.triggers {
                views.push(counted(tx, &id, trigger)?);
            }
            Ok::<_, Error>((version, tables::progress(tx, &id)?, tables::clock(tx, on)?, views))
        });
        let (version, progress, clock, views) = stored.await?;
        let Progress { through, at, .. } = progress.unwrap_or_default();
        let memory = in_memory.unwrap_or_else(InMemory::none);
        let triggers = views.into_iter().map(|view| {
            let known = memory.triggers.iter().find(|known| known.id == view.id);
            TriggerStanding {
                next_deadline: known.and_then(|known| known.next_deadline),
                rests_until: known.and_then(|known| known.rests_until),
                waiting: known.map_or(0, |known| known.waiting),
                sends_at: known.and_then(|known| known.sends_at),
                trigger: view,
            }
        });
        Ok(ModelStanding {
            model: model.to_owned(),
            version,
            now: clock.now(self.clock.now()),
            through,
            evaluated_at: at,
            head,
            triggers: triggers.collect(),
            following: memory.following,
            next_deadline: memory.next_deadline,
            previews: memory.previews,
        })
    }

    /// Tells how a model stands, with one of its triggers.
    pub async fn trigger_standing(&self, model: &str, trigger: &str) -> Result<ModelStanding, Error> {
        self.published_trigger(model, trigger).await?;
        let mut standing = self.standing(model).await?;
        standing.triggers.retain(|own| own.trigger.id == trigger);
        Ok(standing)
    }

    /// Lists signals of a trigger that a cap holds back, the next one first.
    pub async fn held(&self, model: &str, trigger: &str, limit: u64) -> Result<Vec<Held>, Error> {
        self.published_trigger(model, trigger).await?;
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        let held = self.desk.db.read("mining.held", move |tx| tables::held_signals(tx, &model, &trigger, limit));
        Ok(held.await?.into_iter().map(|(place, signal)| Held { place, signal }).collect())
    }

    /// Sends or drops the signals of a trigger that a cap holds back, all that
    /// are held now or the first `count` of them; returns how many they were.
    /// The instances stay in the matched set either way.
    pub async fn settle_held(
        &self,
        actor: &Actor,
        model: &str,
        trigger: &str,
        fate: Fate,
        count: Option<u64>,
    ) -> Result<u64, Error> {
        self.published_trigger(model, trigger).await?;
        let data_model = self.data_model_of(model).await?;
        let post = self.post(data_model.id);
        let guard = self.caught_up(&post).await?;
        let desk = self.desk.clone();
        let (actor, model, trigger) = (actor.clone(), model.to_owned(), trigger.to_owned());
        let settle = move |live: &mut Live| live.settle_held(&desk, &actor, (&model, &trigger), fate, count);
        let (settled, _) = self.with_live(guard, &post, settle).await?;
        post.changed.notify_one();
        Ok(settled)
    }

    /// Finds a trigger of the published version by its id.
    pub(crate) async fn published_trigger(&self, model: &str, trigger: &str) -> Result<Arc<Trigger>, Error> {
        let published = self.checked(model).await?;
        let found = published.triggers.iter().find(|known| known.id == trigger).cloned();
        found.ok_or_else(|| {
            let hint = hint(trigger, published.triggers.iter().map(|known| known.id.as_str()));
            Error::UnknownTrigger { model: model.to_owned(), trigger: trigger.to_owned(), hint }
        })
    }
}

impl InMemory {
    fn none() -> Self {
        InMemory { following: Following::NotLoaded, next_deadline: None, previews: Vec::new(), triggers: Vec::new() }
    }
}

fn in_memory(model: &LiveModel, wall: Timestamp) -> InMemory {
    let following = model.detached.as_ref().map_or(Following::Followed, |detached| Following::Detached {
        detail: detached.detail.clone(),
        again_at: detached.again_at,
    });
    let deadline = |at: Option<i64>| at.map(Timestamp::from_millis);
    let triggers = model.watches.iter().zip(&model.paces).map(|(watch, pace)| TriggerInMemory {
        id: watch.trigger.id.clone(),
        next_deadline: deadline(watch.next_deadline()),
        rests_until: (watch.stale.is_some() || watch.is_surveyed()).then_some(watch.rests_until.max(wall)),
        waiting: watch.waiting(),
        sends_at: pace.next(&watch.trigger.wishes.caps, wall),
    });
    InMemory {
        next_deadline: deadline(model.watches.iter().filter_map(Watch::next_deadline).min()),
        previews: model.previews.clone(),
        triggers: triggers.collect(),
        following,
    }
}

impl Live {
    /// Sends or drops what is held, some at a time; returns how many.
    fn settle_held(
        &mut self,
        desk: &Desk,
        actor: &Actor,
        (model, trigger): (&str, &str),
        fate: Fate,
        count: Option<u64>,
    ) -> Result<u64, Error> {
        let followed = self.models.iter_mut().find(|followed| followed.id == model);
        let Some(followed) = followed else { return Ok(0) };
        let place = followed.watches.iter().position(|watch| watch.trigger.id == trigger);
        let Some(place) = place else { return Ok(0) };
        let (first, held_until) = followed.paces[place].places();
        let until = count.map_or(held_until, |count| held_until.min(first.saturating_add(count)));
        let mut from = first;
        while from < until {
            let to = until.min(from + ITEMS_MAX as u64);
            followed.settle_places(desk, actor, trigger, fate, (from, to))?;
            followed.paces[place].pass(to);
            from = to;
        }
        Ok(until - first)
    }
}

impl LiveModel {
    fn settle_places(
        &mut self,
        desk: &Desk,
        actor: &Actor,
        trigger: &str,
        fate: Fate,
        (from, to): (u64, u64),
    ) -> Result<(), Error> {
        let (model, progress, wall) = (self.id.clone(), self.progress, desk.clock.now());
        let (outbox, actor, trigger) = (desk.outbox.clone(), actor.clone(), trigger.to_owned());
        let appended = desk.db.write_blocking("mining.settle_held", move |tx| {
            if !tables::move_on(tx, &model, &progress, progress.through, progress.at, false)? {
                return Err(Error::Overtaken { model: model.clone() });
            }
            let signals: Vec<Signal> = tables::unhold(tx, &model, &trigger, from, to)?;
            let told = json!({ "signals": signals.len(), "first": signals.first().map(|signal| &signal.key) });
            let name = format!("{model}/{trigger}");
            audit::record(tx, &actor, fate.verb(), "trigger", &name, None, Some(&told), wall)?;
            if fate == Fate::Drop {
                return Ok(None);
            }
            tables::count_fired(tx, &model, &trigger, signals.len() as u64)?;
            outbox.append(tx, &signals)
        })?;
        if let Some(appended) = appended {
            desk.outbox.announce(appended);
        }
        self.progress = Progress { step: progress.step + 1, ..progress };
        Ok(())
    }
}
