//! Versions of a knowledge model: publishing, looking back, comparing, rolling
//! back.
//!
//! Every publication keeps its text, and the texts that it extended then. A
//! rollback publishes an older text as a new version and leaves the draft as it
//! is: nobody loses what they are working on.

use base::db::{Row, Tx};
use base::{Actor, Timestamp, args, audit};
use serde_json::json;

use crate::difference::{self, ModelDifference};
use crate::error::ModelMistake;
use crate::knowledge_model::{Base, KnowledgeModel, Source};
use crate::live::Live;
use crate::mining::Mining;
use crate::notices::{self, Notice};
use crate::ports::Reason;
use crate::trigger::{Published, check_model};
use crate::views::Publication;
use crate::watch::News;
use crate::{Error, tables, unheard};

/// How many models may extend each other.
const BASES_MAX: usize = 8;

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionView {
    /// Counted from 1.
    pub version: u64,
    /// When it was published.
    pub published_at: Timestamp,
    /// By whom.
    pub published_by: String,
    /// The version whose text was published again, if it was a rollback.
    pub of_version: Option<u64>,
    /// What its author calls it: `metadata.version`.
    pub name: Option<String>,
    /// Whether it is the one that is followed.
    pub is_current: bool,
}

/// Names a text of a model: `draft`, `published`, or the number of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What is being worked on.
    Draft,
    /// The last publication.
    Published,
    /// The publication of this number.
    Version(u64),
}

impl std::str::FromStr for Which {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "draft" => Ok(Which::Draft),
            "published" => Ok(Which::Published),
            number => number.parse().map(Which::Version).map_err(|_| ()),
        }
    }
}

/// What a draft is like before it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// What keeps it from being published.
    pub mistakes: Vec<ModelMistake>,
    /// What it says without effect.
    pub notices: Vec<Notice>,
}

impl Mining {
    /// Publishes the draft: checks every expression against the data model,
    /// takes note of what matches already, and follows the data from here on.
    pub async fn publish(&self, actor: &Actor, model: &str) -> Result<Publication, Error> {
        let text = self.draft(model).await?;
        let bases = self.bases(model, &text).await?;
        self.publish_source(actor, model, Source { text, bases }, None).await
    }

    /// Publishes the text of an older version again, as a new one. The draft
    /// stays as it is.
    pub async fn roll_back(&self, actor: &Actor, model: &str, version: u64) -> Result<Publication, Error> {
        let source = self.source(model, Which::Version(version)).await?;
        self.publish_source(actor, model, source, Some(version)).await
    }

    /// Checks the draft as publishing it would, and tells everything at once.
    pub async fn check_draft(&self, model: &str) -> Result<Findings, Error> {
        let text = self.draft(model).await?;
        let mut mistakes = Vec::new();
        let bases = self.bases(model, &text).await;
        let parsed = bases.and_then(|bases| KnowledgeModel::of(&Source { text: text.clone(), bases }));
        let notices = notices::read(model, &text);
        let checked = match &parsed {
            Ok(parsed) => self.check(model, parsed).await.map(drop),
            Err(_) => Ok(()),
        };
        let heard = match parsed.as_ref().ok().filter(|_| checked.is_ok()) {
            Some(parsed) => self.unheard(parsed).await?,
            None => Vec::new(),
        };
        let mut told = Vec::new();
        for error in [parsed.err(), checked.err()].into_iter().flatten() {
            match error.model_mistakes() {
                found if found.is_empty() => {
                    let detail = error.to_string();
                    mistakes.push(ModelMistake { path: String::new(), line: 1, detail });
                }
                found => mistakes.extend(found),
            }
        }
        match notices {
            Ok(notices) => told = notices,
            Err(error) => crate::model_check::add(&mut mistakes, error)?,
        }
        told.extend(heard);
        mistakes.sort_by_key(|mistake| mistake.line);
        Ok(Findings { mistakes, notices: told })
    }

    /// Lists the publications, the latest first.
    pub async fn versions(&self, model: &str) -> Result<Vec<VersionView>, Error> {
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.versions", move |tx| {
                let Some(summary) = tables::model(tx, &id)? else { return Err(Error::UnknownModel { model: id }) };
                let rows = tx.query(
                    "SELECT version, published_at, published_by, of_version, text FROM mining_versions
                     WHERE model = $1 ORDER BY version DESC",
                    args![&id],
                )?;
                Ok(rows.iter().map(|row| view(row, summary.published)).collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Returns a text of a model, with those that it extends.
    pub async fn source(&self, model: &str, which: Which) -> Result<Source, Error> {
        match which {
            Which::Draft => {
                let text = self.draft(model).await?;
                let bases = self.bases(model, &text).await?;
                Ok(Source { text, bases })
            }
            Which::Published => Ok(self.published_text(model).await?.0),
            Which::Version(version) => self.version(model, version).await,
        }
    }

    async fn version(&self, model: &str, version: u64) -> Result<Source, Error> {
        let id = model.to_owned();
        self.desk
            .db
            .read("mining.version", move |tx| {
                let Some(summary) = tables::model(tx, &id)? else { return Err(Error::UnknownModel { model: id }) };
                let row = tx.query_one(
                    "SELECT text, bases FROM mining_versions WHERE model = $1 AND version = $2",
                    args![&id, version],
                )?;
                let Some(row) = row else {
                    let hint = summary.published.map_or_else(
                        || "; it was never published".to_owned(),
                        |last| format!("; the last one is {last}"),
                    );
                    return Err(Error::UnknownVersion { model: id, version: version.to_string(), hint });
                };
                Ok(tables::source(&row, 0)?)
            })
            .await
    }

    /// Compares two texts of a model: object by object, and line by line. For
    /// triggers it is told whether their logic is another one.
    pub async fn difference(&self, model: &str, from: Which, to: Which) -> Result<ModelDifference, Error> {
        let (from, to) = (self.source(model, from).await?, self.source(model, to).await?);
        let mut difference = difference::between(&from, &to)?;
        let (before, after) = (self.logic_of(model, &from).await, self.logic_of(model, &to).await);
        if let (Some(before), Some(after)) = (before, after) {
            difference.tell_logic(&before, &after);
        }
        Ok(difference)
    }

    /// Returns id and logic of the triggers of a text, if it still fits the data.
    async fn logic_of(&self, model: &str, source: &Source) -> Option<Vec<(String, String)>> {
        let parsed = KnowledgeModel::of(source).ok()?;
        let published = self.check(model, &parsed).await.ok()?;
        Some(published.noted().into_iter().map(|noted| (noted.id, noted.logic)).collect())
    }

    /// Holds a model against the data that it names now.
    async fn check(&self, model: &str, parsed: &KnowledgeModel) -> Result<Published, Error> {
        let data_model = self.data_models.find(parsed.data_model()).await?;
        let root = match self.post(data_model.id).shown() {
            Some(shown) => shown.root,
            None => self.fresh_root(data_model.id).await?.0,
        };
        check_model(model, parsed, &data_model, root.catalog())
    }

    /// Lists the activity names in a model that no event bears.
    pub(crate) async fn unheard(&self, parsed: &KnowledgeModel) -> Result<Vec<Notice>, Error> {
        let data_model = self.data_models.find(parsed.data_model()).await?;
        let (root, clock) = self.fresh_root(data_model.id).await?;
        Ok(unheard::in_model(parsed, &root, clock.now(self.clock.now()).as_millis()))
    }

    /// Finds the texts that a text extends, the nearest first, as they are
    /// published now.
    pub(crate) async fn bases(&self, model: &str, text: &str) -> Result<Vec<String>, Error> {
        let mut bases: Vec<String> = Vec::new();
        let mut seen = vec![model.to_owned()];
        let mut next = KnowledgeModel::base_of(text)?;
        while let Some(base) = next {
            let refused = |detail: &str| Error::BadBase {
                model: model.to_owned(),
                base: base.key.value.clone(),
                detail: detail.to_owned(),
            };
            let own_package = seen.last().and_then(|id| id.split_once('.')).map_or("", |(package, _)| package);
            let id = match base.key.value.contains('.') {
                true => base.key.value.clone(),
                false => format!("{own_package}.{}", base.key.value),
            };
            if seen.contains(&id) {
                return Err(refused("it would extend itself"));
            }
            if seen.len() > BASES_MAX {
                return Err(refused("too many models extend each other"));
            }
            let found = self.base_text(&id, &base).await.map_err(|error| match error {
                Error::Database(error) => Error::Database(error),
                error => refused(&format!("{error}; publish it, or name a version that was published")),
            })?;
            next = KnowledgeModel::base_of(&found)?;
            bases.push(found);
            seen.push(id);
        }
        Ok(bases)
    }

    /// Finds a published text by the number of its version or by the version
    /// that its author calls it; the last one if nothing is said.
    async fn base_text(&self, id: &str, base: &Base) -> Result<String, Error> {
        let Some(wanted) = &base.version else { return Ok(self.published_text(id).await?.0.text) };
        let versions = self.versions(id).await?;
        let named = versions.iter().find(|version| version.name.as_deref() == Some(wanted));
        let found = named.or_else(|| versions.iter().find(|version| version.version.to_string() == *wanted));
        let unknown = || Error::UnknownVersion { model: id.to_owned(), version: wanted.clone(), hint: String::new() };
        let version = found.ok_or_else(unknown)?.version;
        Ok(self.version(id, version).await?.text)
    }

    async fn publish_source(
        &self,
        actor: &Actor,
        model: &str,
        source: Source,
        of_version: Option<u64>,
    ) -> Result<Publication, Error> {
        let parsed = KnowledgeModel::of(&source)?;
        let mut notices = notices::read(model, &source.text)?;
        let data_model = self.data_models.find(parsed.data_model()).await?;
        let post = self.post(data_model.id);
        let guard = self.caught_up(&post).await?;
        let live = guard.as_ref().expect("a model that was caught up with is loaded");
        let published = check_model(model, &parsed, &live.model, live.log.catalog())?;
        notices.extend(unheard::in_model(&parsed, &live.log, live.clock.now(self.clock.now()).as_millis()));
        let noted = published.noted();
        let (actor, id, now) = (actor.clone(), model.to_owned(), self.clock.now());
        let (written, data_model) = (source.clone(), live.model.id);
        let at = live.clock.now(now);
        let told: Vec<String> = notices.iter().map(ToString::to_string).collect();
        let (version, before) = self
            .desk
            .db
            .write("mining.publish", move |tx| {
                let before = tables::published(tx, &id)?;
                let version = tables::publish(tx, &id, &written, data_model, &actor.name, now)?;
                tables::put_triggers(tx, &id, &noted, (at, now))?;
                let before_it = json!({ "version": version - 1 });
                let (verb, it) = match of_version {
                    None => ("publish", json!({ "version": version, "notices": told })),
                    Some(of) => {
                        note_roll_back(tx, &id, version, of)?;
                        ("roll-back", json!({ "version": version, "ofVersion": of, "notices": told }))
                    }
                };
                audit::record(tx, &actor, verb, "knowledge-model", &id, Some(&before_it), Some(&it), now)?;
                Ok::<_, Error>((version, before))
            })
            .await?;
        let (desk, id) = (self.desk.clone(), model.to_owned());
        let take_over = move |live: &mut Live| {
            let at = live.clock.now(now);
            live.take_over(&desk, &id, &source, now, Some(at), &News::of(Reason::LogicChange))?;
            let followed = live.models.iter().find(|model| model.id == id);
            Ok(followed.map(|model| model.previews.clone()).unwrap_or_default())
        };
        // The post is given back before another one is asked for: two
        // publications that cross must not wait for each other.
        let (previews, guard) = self.with_live(guard, &post, take_over).await?;
        drop(guard);
        post.changed.notify_one();
        if let Some((_, before)) = before.filter(|(_, before)| *before != data_model) {
            self.leave(model, before).await;
        }
        self.published.notify_one();
        tracing::info!(knowledge_model.id = model, version, "knowledge model published");
        for notice in &notices {
            tracing::warn!(knowledge_model.id = model, %notice, "knowledge model says something that has no effect");
        }
        let triggers = self.triggers(model).await?;
        Ok(Publication { model: model.to_owned(), version, triggers, notices, previews })
    }
}

fn note_roll_back(tx: &mut dyn Tx, model: &str, version: u64, of: u64) -> Result<(), base::db::Error> {
    let set = "UPDATE mining_versions SET of_version = $3 WHERE model = $1 AND version = $2";
    tx.execute(set, args![model, version, of])?;
    Ok(())
}

fn view(row: &Row, current: Option<u64>) -> Result<VersionView, base::db::Error> {
    let version: u64 = row.get(0)?;
    let text: String = row.get(4)?;
    Ok(VersionView {
        version,
        published_at: row.get(1)?,
        published_by: row.get(2)?,
        of_version: row.get(3)?,
        name: difference::author_version(&text),
        is_current: current == Some(version),
    })
}
