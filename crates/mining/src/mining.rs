//! The facade: the verbs that the HTTP interface and the program call.

use std::collections::HashMap;
use std::sync::Arc;

use base::db::{Control, Db};
use base::{Actor, Chance, Clock, Timestamp, audit};
use pools::{DataModel, DataModelId, Tables, TablesError};
use serde_json::json;
use tokio::sync::{Notify, OwnedMutexGuard};

use crate::clock::ProcessClock;
use crate::evaluate;
use crate::knowledge_model::KnowledgeModel;
use crate::live::{Desk, Followed, Live};
use crate::log::{self, EventLog};
use crate::ports::{DataModels, Outbox};
use crate::pql::check::Checker;
use crate::pql::operators::hint;
use crate::trigger::{Published, Trigger, check_model};
use crate::value::Answer;
use crate::views::{ClockView, Counters, Matched, ModelSummary, ModelTexts, Publication, RecordView, TriggerView};
use crate::{Error, tables};

/// Changes read at once while following.
const CHANGES_AT_ONCE: usize = 256;

/// Process intelligence over the rows of all pools.
pub struct Mining {
    pub(crate) desk: Desk,
    pub(crate) tables: Arc<dyn Tables>,
    data_models: Arc<dyn DataModels>,
    pub(crate) clock: Arc<dyn Clock>,
    posts: parking_lot::Mutex<HashMap<DataModelId, Arc<Post>>>,
    /// Something was published.
    pub(crate) published: Notify,
}

/// The place from which a data model is followed.
pub(crate) struct Post {
    pub(crate) id: DataModelId,
    /// Nothing while it is not loaded, or after it could not be recorded.
    live: Arc<tokio::sync::Mutex<Option<Live>>>,
    /// The last root that was evaluated, for those who need no newer one.
    root: parking_lot::Mutex<Option<(Arc<EventLog>, ProcessClock)>>,
    /// The clock was set, or a model published.
    pub(crate) changed: Notify,
}

impl Post {
    /// Returns the number up to which every commit was evaluated.
    pub(crate) fn evaluated(&self) -> u64 {
        self.root.lock().as_ref().map_or(0, |(root, _)| root.number)
    }
}

impl Mining {
    /// Makes the engine; nothing is loaded before it is asked for or
    /// [`Mining::run`].
    pub fn new(
        db: Db<Control>,
        tables: Arc<dyn Tables>,
        data_models: Arc<dyn DataModels>,
        outbox: Arc<dyn Outbox>,
        clock: Arc<dyn Clock>,
        // Nothing here is left to chance yet; the parameter keeps its place.
        _chance: Arc<dyn Chance>,
    ) -> Self {
        Mining {
            desk: Desk { db, outbox },
            tables,
            data_models,
            clock,
            posts: parking_lot::Mutex::default(),
            published: Notify::new(),
        }
    }

    // Knowledge models.

    /// Stores a draft; its id is the package and the `metadata.key` of the text.
    pub async fn put_draft(&self, actor: &Actor, package: &str, yaml: &str) -> Result<ModelSummary, Error> {
        let model = KnowledgeModel::parse(yaml)?;
        let key = model.metadata.key.value.clone();
        for part in [package, &key] {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if part.is_empty() || !part.chars().all(fits) {
                return Err(Error::BadKey { key: part.to_owned() });
            }
        }
        let now = self.clock.now();
        let draft = ModelSummary {
            id: format!("{package}.{key}"),
            package: package.to_owned(),
            display_name: model.metadata.display_name.unwrap_or_else(|| key.clone()),
            key,
            published: None,
            changed_at: now,
        };
        let (actor, text) = (actor.clone(), yaml.to_owned());
        self.desk
            .db
            .write("mining.put_draft", move |tx| {
                let before = tables::draft(tx, &draft.id)?;
                tables::put_draft(tx, &draft, &text)?;
                let verb = if before.is_some() { "update" } else { "create" };
                let before = before.map(|text| json!({ "draft": text }));
                let after = json!({ "draft": text });
                audit::record(tx, &actor, verb, "knowledge-model", &draft.id, before.as_ref(), Some(&after), now)?;
                tables::model(tx, &draft.id)?.ok_or_else(|| Error::UnknownModel { model: draft.id.clone() })
            })
            .await
    }

    /// Publishes the draft: checks every expression against the data model,
    /// takes note of what matches already, and follows the data from here on.
    pub async fn publish(&self, actor: &Actor, model: &str) -> Result<Publication, Error> {
        let text = self.draft(model).await?;
        let parsed = KnowledgeModel::parse(&text)?;
        let data_model = self.data_models.find(parsed.data_model()).await?;
        let post = self.post(data_model.id);
        let mut guard = self.caught_up(&post, Some(data_model)).await?;
        let live = guard.as_mut().expect("a model that was caught up with is loaded");
        let published = check_model(model, &parsed, live.log.catalog())?;
        let noted: Vec<(String, String, bool)> = published
            .triggers
            .iter()
            .map(|trigger| (trigger.id.clone(), trigger.logic.clone(), trigger.fire_existing))
            .collect();
        let (actor, id, now) = (actor.clone(), model.to_owned(), self.clock.now());
        let (written, data_model) = (text.clone(), live.model.id);
        let (version, before) = self
            .desk
            .db
            .write("mining.publish", move |tx| {
                let before = tables::published(tx, &id)?;
                let version = tables::publish(tx, &id, &written, data_model, &actor.name, now)?;
                tables::put_triggers(tx, &id, &noted)?;
                let (told_before, told) = (json!({ "version": version - 1 }), json!({ "version": version }));
                audit::record(tx, &actor, "publish", "knowledge-model", &id, Some(&told_before), Some(&told), now)?;
                Ok::<_, Error>((version, before))
            })
            .await?;
        if let Some((_, before)) = before.filter(|(_, before)| *before != data_model) {
            // It stands on another data model now; the old one forgets it.
            *self.post(before).live.clone().lock_owned().await = None;
        }
        let (desk, id, wall_now) = (self.desk.clone(), model.to_owned(), now);
        let guard = self
            .on_live(guard, &post, move |live| {
                let at = live.clock.now(wall_now);
                live.take_over(&desk, &id, &text, wall_now, Some(at))
            })
            .await?;
        drop(guard);
        post.changed.notify_one();
        self.published.notify_one();
        tracing::info!(knowledge_model.id = model, version, "knowledge model published");
        Ok(Publication { model: model.to_owned(), version, triggers: self.triggers(model).await? })
    }

    /// Lists the knowledge models by id.
    pub async fn list(&self) -> Result<Vec<ModelSummary>, Error> {
        self.desk.db.read("mining.list", |tx| Ok(tables::models(tx)?)).await
    }

    /// Returns a knowledge model with its texts.
    pub async fn get(&self, model: &str) -> Result<ModelTexts, Error> {
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.get", move |tx| {
                let unknown = || Error::UnknownModel { model: id.clone() };
                let summary = tables::model(tx, &id)?.ok_or_else(unknown)?;
                let draft = tables::draft(tx, &id)?.ok_or_else(unknown)?;
                let published = tables::published(tx, &id)?.map(|(text, _)| text);
                Ok(ModelTexts { summary, draft, published })
            })
            .await
    }

    /// Lists the triggers of the published version.
    pub async fn triggers(&self, model: &str) -> Result<Vec<TriggerView>, Error> {
        let published = self.checked(model).await?;
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.triggers", move |tx| {
                let mut views = Vec::new();
                for trigger in &published.triggers {
                    let (_, fired) = tables::trigger(tx, &id, &trigger.id)?;
                    views.push(view(trigger, tables::count_matched(tx, &id, &trigger.id)?, fired));
                }
                Ok(views)
            })
            .await
    }

    /// Lists the records of the published version.
    pub async fn records(&self, model: &str) -> Result<Vec<RecordView>, Error> {
        Ok(self.checked(model).await?.records)
    }

    // Questions.

    /// Answers a query against the model's data at its process clock. Every
    /// commit that is durable when the question is asked is in.
    pub async fn query(&self, model: &str, pql: &str) -> Result<Answer, Error> {
        let (text, data_model) = self.published_text(model).await?;
        let vocabulary = KnowledgeModel::parse(&text)?.vocabulary();
        let (root, clock) = self.fresh_root(data_model).await?;
        let now = clock.now(self.clock.now()).as_millis();
        let pql = pql.to_owned();
        blocking(move || {
            let plan = Checker::new(root.catalog().clone(), &vocabulary).query(&pql)?;
            Ok(evaluate::answer(root, &plan, now))
        })
        .await
    }

    /// Lists the record instances that satisfy a trigger, by identifier.
    pub async fn matched(&self, model: &str, trigger: &str) -> Result<Vec<Matched>, Error> {
        let (text, _) = self.published_text(model).await?;
        let parsed = KnowledgeModel::parse(&text)?;
        let known = parsed.triggers.iter().map(|trigger| trigger.id.value.as_str());
        if !known.clone().any(|known| known == trigger) {
            let hint = hint(trigger, known);
            return Err(Error::UnknownTrigger { model: model.to_owned(), trigger: trigger.to_owned(), hint });
        }
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        self.desk.db.read("mining.matched", move |tx| Ok(tables::matched(tx, &model, &trigger)?)).await
    }

    /// Counts for a status page. Data models that are not loaded yet do not
    /// count. A case is open if it satisfies the filter `OPEN` of its knowledge
    /// model; without such a filter every case is.
    pub async fn counters(&self) -> Result<Counters, Error> {
        let signals = self.desk.db.read("mining.counters", |tx| Ok::<_, Error>(tables::fired(tx)?)).await?;
        let posts: Vec<Arc<Post>> = self.posts.lock().values().cloned().collect();
        let mut cases_open = 0;
        for post in posts {
            let guard = post.live.clone().lock_owned().await;
            let now = self.clock.now();
            cases_open += blocking(move || Ok(guard.as_ref().map_or(0, |live| live.open_cases(now)))).await?;
        }
        Ok(Counters { cases_open, signals })
    }

    // The process clock.

    /// Sets the process clock of the model's data model. First evaluates every
    /// commit that is durable now at the old clock, then each deadline up to
    /// `now` at its own instant. A clock that is set back fires nothing: what
    /// matches at the earlier time is taken as known.
    pub async fn set_clock(&self, actor: &Actor, model: &str, now: Timestamp, speed: f64) -> Result<ClockView, Error> {
        if !(0.0..=1_000_000.0).contains(&speed) {
            return Err(Error::BadSpeed { speed });
        }
        let data_model = self.data_model_of(model).await?;
        let post = self.post(data_model.id);
        let guard = self.caught_up(&post, Some(data_model.clone())).await?;
        let wall = self.clock.now();
        let (actor, id) = (actor.clone(), data_model.id);
        let before = self
            .desk
            .db
            .write("mining.set_clock", move |tx| {
                let before = tables::clock(tx, id)?;
                tables::set_clock(tx, id, now, wall, speed)?;
                let told = json!({ "now": now, "speed": speed });
                let told_before = json!({ "now": before.now(wall), "speed": before.view(wall).speed });
                audit::record(
                    tx,
                    &actor,
                    "set-clock",
                    "data-model",
                    &id.to_string(),
                    Some(&told_before),
                    Some(&told),
                    wall,
                )?;
                Ok::<_, Error>(before)
            })
            .await?;
        let clock = ProcessClock::Replay { shown: now, wall, speed };
        let desk = self.desk.clone();
        let guard = self
            .on_live(guard, &post, move |live| {
                live.clock = clock;
                if now < before.now(wall) { live.set_back(&desk, now) } else { live.walk(&desk, now) }
            })
            .await?;
        drop(guard);
        post.changed.notify_one();
        Ok(clock.view(wall))
    }

    /// Reads the process clock of the model's data model.
    pub async fn clock(&self, model: &str) -> Result<ClockView, Error> {
        let id = self.data_model_of(model).await?.id;
        let clock = self.desk.db.read("mining.clock", move |tx| Ok::<_, Error>(tables::clock(tx, id)?)).await?;
        Ok(clock.view(self.clock.now()))
    }

    // Following.

    /// Evaluates every commit that is durable now and every deadline that has
    /// passed, of every data model with a published model.
    pub async fn catch_up(&self) -> Result<(), Error> {
        for id in self.followed().await? {
            self.caught_up(&self.post(id), None).await?;
        }
        Ok(())
    }

    /// Lists the data models with a published model.
    pub(crate) async fn followed(&self) -> Result<Vec<DataModelId>, Error> {
        self.desk.db.read("mining.followed", |tx| Ok(tables::published_data_models(tx)?)).await
    }

    /// Catches up with one data model; returns its pool and the wall time at
    /// which it has to be looked at again though no row came.
    pub(crate) async fn follow_once(&self, post: &Arc<Post>) -> Result<(pools::PoolId, Option<Timestamp>), Error> {
        let guard = self.caught_up(post, None).await?;
        let live = guard.as_ref().expect("a model that was caught up with is loaded");
        let next = live.next_deadline().and_then(|instant| live.clock.wall_at(instant));
        Ok((live.model.pool, next))
    }

    pub(crate) fn post(&self, id: DataModelId) -> Arc<Post> {
        let mut posts = self.posts.lock();
        let make =
            || Arc::new(Post { id, live: Arc::default(), root: parking_lot::Mutex::default(), changed: Notify::new() });
        posts.entry(id).or_insert_with(make).clone()
    }

    /// Loads a data model if need be and evaluates every commit that is durable
    /// now and every deadline that has passed.
    async fn caught_up(
        &self,
        post: &Arc<Post>,
        wanted: Option<DataModel>,
    ) -> Result<OwnedMutexGuard<Option<Live>>, Error> {
        let mut guard = post.live.clone().lock_owned().await;
        // A data model with other tables or keys is loaded anew.
        if let (Some(live), Some(wanted)) = (&*guard, &wanted)
            && live.model != *wanted
        {
            *guard = None;
        }
        if guard.is_none() {
            guard = self.load(guard, post, wanted, None).await?;
        }
        let live = guard.as_ref().expect("it was loaded if it was not");
        let (pool, model) = (live.model.pool, live.model.clone());
        let head = *self.tables.head(pool).borrow();
        loop {
            let number = guard.as_ref().map_or(0, |live| live.log.number);
            if number >= head {
                break;
            }
            let changes = match self.tables.changes(pool, number, CHANGES_AT_ONCE).await {
                Ok(changes) => changes,
                Err(TablesError::Forgotten { .. }) => {
                    guard = self.load(guard, post, Some(model.clone()), None).await?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if changes.is_empty() {
                // The commits up to the head left nothing behind to follow.
                guard = self
                    .on_live(guard, post, move |live| {
                        Arc::make_mut(&mut live.log).number = head;
                        Ok(())
                    })
                    .await?;
                break;
            }
            let (desk, wall_now) = (self.desk.clone(), self.clock.now());
            let (followed, back) = self
                .with_live(guard, post, move |live| {
                    for change in &changes {
                        if live.commit(&desk, change, wall_now)? == Followed::Reload {
                            return Ok(Followed::Reload);
                        }
                    }
                    Ok(Followed::Yes)
                })
                .await?;
            guard = back;
            if followed == Followed::Reload {
                guard = self.load(guard, post, Some(model.clone()), Some(wall_now)).await?;
            }
        }
        let (desk, wall_now) = (self.desk.clone(), self.clock.now());
        let guard = self
            .on_live(guard, post, move |live| {
                let now = live.clock.now(wall_now);
                live.walk(&desk, now)
            })
            .await?;
        let number = guard.as_ref().map_or(0, |live| live.log.number);
        self.tables.release(pool, &format!("mining:{}", post.id), number);
        Ok(guard)
    }

    /// Loads a data model and takes over its published models. `arrived` is the
    /// wall time of the commit that asked for it, if one did.
    async fn load(
        &self,
        mut guard: OwnedMutexGuard<Option<Live>>,
        post: &Arc<Post>,
        wanted: Option<DataModel>,
        arrived: Option<Timestamp>,
    ) -> Result<OwnedMutexGuard<Option<Live>>, Error> {
        *guard = None;
        let model = match wanted {
            Some(model) => model,
            None => self.data_models.find(&post.id.to_string()).await?,
        };
        let log = log::load(&*self.tables, &model).await?;
        let id = model.id;
        let clock = self.desk.db.read("mining.clock", move |tx| Ok::<_, Error>(tables::clock(tx, id)?)).await?;
        tracing::info!(
            data_model.key = %model.key,
            commit = log.number,
            cases = log.case_count(),
            rows_without_case_or_time = log.excluded(),
            "data model loaded"
        );
        let (desk, wall_now) = (self.desk.clone(), self.clock.now());
        let at = arrived.map(|wall| clock.now(wall));
        let guard = blocking(move || {
            *guard = Some(Live::open(&desk, model, log, clock, wall_now, at)?);
            Ok(guard)
        })
        .await?;
        Ok(show(guard, post))
    }

    async fn on_live(
        &self,
        guard: OwnedMutexGuard<Option<Live>>,
        post: &Arc<Post>,
        work: impl FnOnce(&mut Live) -> Result<(), Error> + Send + 'static,
    ) -> Result<OwnedMutexGuard<Option<Live>>, Error> {
        self.with_live(guard, post, work).await.map(|((), guard)| guard)
    }

    /// Works on a loaded data model on a thread of its own. If that fails, what
    /// is in memory may be ahead of what is stored; it is dropped, and the next
    /// one to ask loads it anew.
    async fn with_live<T: Send + 'static>(
        &self,
        mut guard: OwnedMutexGuard<Option<Live>>,
        post: &Arc<Post>,
        work: impl FnOnce(&mut Live) -> Result<T, Error> + Send + 'static,
    ) -> Result<(T, OwnedMutexGuard<Option<Live>>), Error> {
        let (result, guard) = blocking(move || {
            let live = guard.as_mut().expect("only a loaded data model is worked on");
            let worked = work(live);
            if worked.is_err() {
                *guard = None;
            }
            worked.map(|result| (result, guard))
        })
        .await?;
        Ok((result, show(guard, post)))
    }

    /// Returns a root that holds every commit that is durable now.
    async fn fresh_root(&self, data_model: DataModelId) -> Result<(Arc<EventLog>, ProcessClock), Error> {
        let post = self.post(data_model);
        let guard = self.caught_up(&post, None).await?;
        let live = guard.as_ref().expect("a model that was caught up with is loaded");
        Ok((live.log.clone(), live.clock))
    }

    /// Returns how many cases the triggers of a data model have looked at.
    #[cfg(test)]
    pub(crate) async fn looked_at(&self, id: DataModelId) -> u64 {
        let guard = self.post(id).live.clone().lock_owned().await;
        guard.as_ref().map_or(0, |live| live.models.iter().map(crate::live::LiveModel::looked_at).sum())
    }

    async fn checked(&self, model: &str) -> Result<Published, Error> {
        let (text, data_model) = self.published_text(model).await?;
        let shown = self.post(data_model).root.lock().clone();
        let (root, _) = match shown {
            Some(shown) => shown,
            None => self.fresh_root(data_model).await?,
        };
        check_model(model, &KnowledgeModel::parse(&text)?, root.catalog())
    }

    async fn draft(&self, model: &str) -> Result<String, Error> {
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.draft", move |tx| tables::draft(tx, &id)?.ok_or(Error::UnknownModel { model: id }))
            .await
    }

    async fn published_text(&self, model: &str) -> Result<(String, DataModelId), Error> {
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.published", move |tx| {
                if tables::model(tx, &id)?.is_none() {
                    return Err(Error::UnknownModel { model: id });
                }
                tables::published(tx, &id)?.ok_or(Error::NotPublished { model: id })
            })
            .await
    }

    /// Finds the data model of the published version, or of the draft.
    async fn data_model_of(&self, model: &str) -> Result<DataModel, Error> {
        match self.published_text(model).await {
            Ok((_, id)) => self.data_models.find(&id.to_string()).await,
            Err(Error::NotPublished { .. }) => {
                let parsed = KnowledgeModel::parse(&self.draft(model).await?)?;
                self.data_models.find(parsed.data_model()).await
            }
            Err(error) => Err(error),
        }
    }
}

/// Publishes the root for queries.
fn show(guard: OwnedMutexGuard<Option<Live>>, post: &Arc<Post>) -> OwnedMutexGuard<Option<Live>> {
    if let Some(live) = &*guard {
        *post.root.lock() = Some((live.log.clone(), live.clock));
    }
    guard
}

/// Computes on a thread where it may take its time.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(stopped) if stopped.is_panic() => std::panic::resume_unwind(stopped.into_panic()),
        Err(_) => Err(Error::Database(base::db::Error::Unavailable { detail: "it is shutting down".into() })),
    }
}

fn view(trigger: &Trigger, matched: u64, fired: u64) -> TriggerView {
    TriggerView {
        id: trigger.id.clone(),
        name: trigger.name.clone(),
        record: trigger.record.clone(),
        fields: trigger.fields.clone(),
        class: trigger.class,
        cost: trigger.cost.clone(),
        item_limit: trigger.item_limit,
        matched,
        fired,
    }
}
