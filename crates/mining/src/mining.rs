//! The facade: the verbs that the HTTP interface and the program call.

use std::collections::HashMap;
use std::sync::Arc;

use base::db::{Control, Db, Tx};
use base::{Actor, Chance, Clock, Timestamp, audit};
use pools::{DataModel, DataModelId, Tables};
use serde_json::json;
use tokio::sync::Notify;

use crate::clock::ProcessClock;
use crate::evaluate;
use crate::figures::Figures;
use crate::knowledge_model::{KnowledgeModel, Source};
use crate::live::{Desk, Live, open_cases};
use crate::notices::{self, Notice};
use crate::ports::{DataModels, Outbox, Signal};
use crate::post::{Post, Shown, blocking};
use crate::pql::check::{Checker, More};
use crate::pql::operators::hint;
use crate::pql::parse;
use crate::trigger::{Published, Trigger, check_model};
use crate::value::Answer;
use crate::versions::Which;
use crate::views::{ClockView, Counters, Matched, ModelSummary, ModelTexts, Preview, RecordView, TriggerView};
use crate::watch::Watch;
use crate::{Error, data, tables};

/// Process intelligence over the rows of all pools.
pub struct Mining {
    pub(crate) desk: Desk,
    pub(crate) tables: Arc<dyn Tables>,
    pub(crate) data_models: Arc<dyn DataModels>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) posts: parking_lot::Mutex<HashMap<DataModelId, Arc<Post>>>,
    /// Something was published.
    pub(crate) published: Notify,
    pub(crate) backtests: crate::backtest::BacktestsUnderWay,
    /// Bytes that all data models may take together.
    pub(crate) memory: usize,
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
            desk: Desk { db, outbox, clock: clock.clone() },
            tables,
            data_models,
            clock,
            posts: parking_lot::Mutex::default(),
            published: Notify::new(),
            backtests: crate::backtest::BacktestsUnderWay::default(),
            memory: usize::MAX,
        }
    }

    // Knowledge models.

    /// Stores a draft; its id is the package and the `metadata.key` of the text.
    pub async fn put_draft(&self, actor: &Actor, package: &str, yaml: &str) -> Result<ModelSummary, Error> {
        let Some(metadata) = KnowledgeModel::head(yaml)? else {
            let no_key = Error::BadKey { key: String::new() };
            return Err(KnowledgeModel::parse(yaml).err().unwrap_or(no_key));
        };
        let key = metadata.key.value.clone();
        for part in [package, &key] {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if part.is_empty() || !part.chars().all(fits) {
                return Err(Error::BadKey { key: part.to_owned() });
            }
        }
        let id = format!("{package}.{key}");
        match self.bases(&id, yaml).await {
            Ok(bases) => drop(KnowledgeModel::of(&Source { text: yaml.to_owned(), bases })?),
            // Without what it extends it is not whole; publishing will ask for that.
            Err(Error::BadBase { .. }) => {}
            Err(error) => return Err(error),
        }
        let now = self.clock.now();
        let draft = ModelSummary {
            id,
            package: package.to_owned(),
            display_name: metadata.display_name.unwrap_or_else(|| key.clone()),
            key,
            published: None,
            changed_at: now,
            published_at: None,
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

    /// Tells what publishing the draft would do to the matched sets, without
    /// doing it: how many instances would match, how many of them are new, and
    /// whether that would fire.
    pub async fn preview(&self, model: &str) -> Result<Vec<Preview>, Error> {
        let parsed = KnowledgeModel::of(&self.source(model, Which::Draft).await?)?;
        let data_model = self.data_models.find(parsed.data_model()).await?;
        let (root, clock) = self.fresh_root(data_model.id).await?;
        let published = check_model(model, &parsed, &data_model, root.catalog())?;
        let (id, noted, now) = (model.to_owned(), published.noted(), clock.now(self.clock.now()));
        let states = self.desk.db.read("mining.preview", move |tx| {
            let logics = tables::logics(tx, &id)?;
            let mut states = Vec::new();
            for noted in &noted {
                let silent = tables::starts_silently(noted, logics.get(&noted.id).map(String::as_str));
                states.push((silent.unwrap_or(false), tables::stored(tx, &id, &noted.id)?));
            }
            Ok::<_, Error>(states)
        });
        let states = states.await?;
        blocking(move || {
            let mut figures = Figures::new(root.clone());
            let watches = published.triggers.iter().zip(states);
            let preview = |(trigger, (silent, stored)): (&Arc<Trigger>, _)| {
                let mut watch = Watch::new(trigger.clone(), &mut figures, root.clone(), stored, silent);
                watch.preview(now.as_millis(), &figures)
            };
            Ok(watches.map(preview).collect())
        })
        .await
    }

    /// Lists what the published text says without effect, and the activity names
    /// in it that no event bears so far.
    pub async fn notices(&self, model: &str) -> Result<Vec<Notice>, Error> {
        let (source, _) = self.published_text(model).await?;
        let mut notices = notices::read(model, &source.text)?;
        notices.extend(self.unheard(&KnowledgeModel::of(&source)?).await?);
        Ok(notices)
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
                let published = tables::published(tx, &id)?.map(|(source, _)| source.text);
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
                    views.push(counted(tx, &id, trigger)?);
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
        Ok(self.ask(model, pql).await?.0)
    }

    /// Answers as [`Mining::query`] does, and says beside it what is strange
    /// about the question: activity names that no event bears.
    pub async fn ask(&self, model: &str, pql: &str) -> Result<(Answer, Vec<String>), Error> {
        let (source, data_model) = self.published_text(model).await?;
        let parsed = KnowledgeModel::of(&source)?;
        let (vocabulary, where_joined) = (parsed.vocabulary(), data::global_filters(&parsed)?);
        let (root, clock) = self.fresh_root(data_model).await?;
        let now = clock.now(self.clock.now()).as_millis();
        let pql = pql.to_owned();
        blocking(move || {
            let more = More { where_joined, ..More::default() };
            let plan = Checker::new(root.catalog().clone(), &vocabulary).query_of(&parse::query(&pql)?, &pql, &more)?;
            let notes = evaluate::unheard_in_query(&root, &plan, now);
            Ok((evaluate::answer(root, &plan, now), notes))
        })
        .await
    }

    /// Lists the record instances that satisfy a trigger, by identifier.
    pub async fn matched(&self, model: &str, trigger: &str) -> Result<Vec<Matched>, Error> {
        self.expect_trigger(model, trigger).await?;
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        self.desk.db.read("mining.matched", move |tx| Ok(tables::matched(tx, &model, &trigger)?)).await
    }

    /// Refuses a trigger that the published text does not name.
    pub(crate) async fn expect_trigger(&self, model: &str, trigger: &str) -> Result<(), Error> {
        let (source, _) = self.published_text(model).await?;
        let parsed = KnowledgeModel::of(&source)?;
        let known = parsed.triggers.iter().map(|trigger| trigger.id.value.as_str());
        if known.clone().any(|known| known == trigger) {
            return Ok(());
        }
        let hint = hint(trigger, known);
        Err(Error::UnknownTrigger { model: model.to_owned(), trigger: trigger.to_owned(), hint })
    }

    /// Lists what a trigger in shadow mode would have sent, the last 1,000.
    pub async fn shadows(&self, model: &str, trigger: &str) -> Result<Vec<Signal>, Error> {
        self.published_trigger(model, trigger).await?;
        let (model, trigger) = (model.to_owned(), trigger.to_owned());
        self.desk.db.read("mining.shadows", move |tx| Ok(tables::shadows(tx, &model, &trigger)?)).await
    }

    /// Lists the models whose evaluation failed and that will catch up later,
    /// each with what went wrong.
    pub fn detached(&self) -> Vec<(String, String)> {
        let posts: Vec<Arc<Post>> = self.posts.lock().values().cloned().collect();
        posts.iter().filter_map(|post| post.shown()).flat_map(|shown| shown.detached).collect()
    }

    /// Counts for a status page. Data models that are not loaded yet do not
    /// count. A case is open if it satisfies the filter `OPEN` of its knowledge
    /// model; without such a filter every case is.
    pub async fn counters(&self) -> Result<Counters, Error> {
        let signals = self.desk.db.read("mining.counters", |tx| Ok::<_, Error>(tables::fired(tx)?)).await?;
        let posts: Vec<Arc<Post>> = self.posts.lock().values().cloned().collect();
        let shown: Vec<Shown> = posts.iter().filter_map(|post| post.shown()).collect();
        let now = self.clock.now();
        let cases_open = blocking(move || Ok(shown.iter().map(|shown| open_cases(shown, now)).sum())).await?;
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
        let guard = self.caught_up(&post).await?;
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
        let set = move |live: &mut Live| {
            live.clock = clock;
            if now < before.now(wall) { live.set_back(&desk, now) } else { live.walk(&desk, now) }
        };
        drop(self.with_live(guard, &post, set).await?);
        post.changed.notify_one();
        Ok(clock.view(wall))
    }

    /// Reads the process clock of the model's data model.
    pub async fn clock(&self, model: &str) -> Result<ClockView, Error> {
        let id = self.data_model_of(model).await?.id;
        let clock = self.desk.db.read("mining.clock", move |tx| Ok::<_, Error>(tables::clock(tx, id)?)).await?;
        Ok(clock.view(self.clock.now()))
    }

    /// Lets the data model that a knowledge model stood on forget it.
    pub(crate) async fn leave(&self, model: &str, before: DataModelId) {
        let post = self.post(before);
        if let Some(live) = &mut *post.live.clone().lock_owned().await {
            live.models.retain(|followed| followed.id != model);
        }
        post.changed.notify_one();
    }

    /// Folds the log of a data model now, or begins to.
    #[cfg(test)]
    pub(crate) async fn fold(&self, id: DataModelId, now: bool) {
        let mut guard = self.post(id).live.clone().lock_owned().await;
        guard.as_mut().expect("it is followed").fold(now);
    }

    /// Returns how many instances the triggers of a data model have looked at.
    #[cfg(test)]
    pub(crate) async fn looked_at(&self, id: DataModelId) -> u64 {
        self.looked_at_by_trigger(id).await.into_values().sum()
    }

    /// Returns how many cases each trigger of a data model has looked at.
    #[cfg(test)]
    pub(crate) async fn looked_at_by_trigger(&self, id: DataModelId) -> std::collections::BTreeMap<String, u64> {
        let guard = self.post(id).live.clone().lock_owned().await;
        let models = guard.iter().flat_map(|live| &live.models);
        models.flat_map(crate::live::LiveModel::looked_at).collect()
    }

    pub(crate) async fn checked(&self, model: &str) -> Result<Published, Error> {
        let (source, data_model) = self.published_text(model).await?;
        let data_model = self.data_models.find(&data_model.to_string()).await?;
        let root = match self.post(data_model.id).shown() {
            Some(shown) => shown.root,
            None => self.fresh_root(data_model.id).await?.0,
        };
        check_model(model, &KnowledgeModel::of(&source)?, &data_model, root.catalog())
    }

    pub(crate) async fn draft(&self, model: &str) -> Result<String, Error> {
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.draft", move |tx| tables::draft(tx, &id)?.ok_or(Error::UnknownModel { model: id }))
            .await
    }

    pub(crate) async fn published_text(&self, model: &str) -> Result<(Source, DataModelId), Error> {
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
    pub(crate) async fn data_model_of(&self, model: &str) -> Result<DataModel, Error> {
        match self.published_text(model).await {
            Ok((_, id)) => self.data_models.find(&id.to_string()).await,
            Err(Error::NotPublished { .. }) => {
                let parsed = KnowledgeModel::of(&self.source(model, Which::Draft).await?)?;
                self.data_models.find(parsed.data_model()).await
            }
            Err(error) => Err(error),
        }
    }
}

/// Describes a trigger with what is stored of it.
pub(crate) fn counted(tx: &mut dyn Tx, model: &str, trigger: &Trigger) -> Result<TriggerView, Error> {
    let (_, fired) = tables::trigger(tx, model, &trigger.id)?;
    let (from, until) = tables::held(tx, model, &trigger.id)?;
    let matched = tables::count_matched(tx, model, &trigger.id)?;
    let shadowed = tables::count_shadowed(tx, model, &trigger.id)?;
    Ok(view(trigger, matched, fired, until - from, shadowed))
}

fn view(trigger: &Trigger, matched: u64, fired: u64, held: u64, shadowed: u64) -> TriggerView {
    TriggerView {
        id: trigger.id.clone(),
        name: trigger.name.clone(),
        record: trigger.record.clone(),
        fields: trigger.fields.clone(),
        class: trigger.class,
        cost: trigger.cost.clone(),
        cadence: trigger.cadence(),
        item_limit: trigger.item_limit,
        matched,
        fired,
        held,
        shadowed,
        shadow: trigger.wishes.shadow,
    }
}
