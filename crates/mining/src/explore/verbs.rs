//! Exploration on the facade: every commit that is durable when somebody asks
//! is in the answer. A model that is not published yet is explored by its
//! draft.

use std::sync::Arc;

use crate::knowledge_model::{Filter, KnowledgeModel, Source};
use crate::log::EventLog;
use crate::matched_set::Standing;
use crate::mining::Mining;
use crate::post::blocking;
use crate::pql::check::Vocabulary;
use crate::pql::operators::hint;
use crate::trigger::check_model;
use crate::versions::Which;
use crate::{Error, tables};

use super::actions;
use super::activities::{self, Rework};
use super::cases::{self, CaseOrder, CaseView, CasesPage, Instance};
use super::conformance::{self, Allowed, Conformance};
use super::histogram::{self, Histogram};
use super::map::{self, Coverage, ProcessMap};
use super::slice::{Slice, Wanted};
use super::variants::{self, VariantsPage, VariantsWanted};

/// A root with what it takes to ask it.
pub(crate) struct Ground {
    pub(crate) log: Arc<EventLog>,
    pub(crate) model: KnowledgeModel,
    pub(crate) vocabulary: Vocabulary,
    /// The process clock, in milliseconds since 1970.
    pub(crate) now: i64,
}

impl Mining {
    /// Draws the process map of the wanted cases.
    pub async fn process_map(&self, model: &str, wanted: Wanted, coverage: Coverage) -> Result<ProcessMap, Error> {
        self.on_slice(model, wanted, move |_, slice| Ok(map::draw(&slice, coverage))).await
    }

    /// Lists the variants of the wanted cases.
    pub async fn variants(&self, model: &str, wanted: Wanted, how: VariantsWanted) -> Result<VariantsPage, Error> {
        self.on_slice(model, wanted, move |_, slice| Ok(variants::list(&slice, how))).await
    }

    /// Lists the wanted cases, of one variant if that is said.
    pub async fn cases(
        &self,
        model: &str,
        wanted: Wanted,
        variant: Option<String>,
        order: CaseOrder,
        offset: usize,
        limit: usize,
    ) -> Result<CasesPage, Error> {
        let list = move |_: Ground, slice: Slice| cases::list(&slice, variant.as_deref(), order, offset, limit);
        self.on_slice(model, wanted, list).await
    }

    /// Shows a case with its events, what triggers know of it and what can be
    /// done about it.
    pub async fn case(&self, model: &str, case: &str) -> Result<CaseView, Error> {
        let id = case.to_owned();
        let found = self.on_slice(model, Wanted::default(), move |ground, slice| {
            let number = slice.cases[cases::find(&slice, &id)?];
            Ok((cases::show(&ground.log, &slice, &id)?, ground, number))
        });
        let (mut view, ground, number) = found.await?;
        // A draft has no matched sets.
        let (_, data_model) = match self.published_text(model).await {
            Ok(published) => published,
            Err(Error::NotPublished { .. }) => return Ok(view),
            Err(error) => return Err(error),
        };
        let data_model = self.data_models.find(&data_model.to_string()).await?;
        let published = check_model(model, &ground.model, &data_model, ground.log.catalog())?;
        let id = model.to_owned();
        let (ground, actions) = blocking(move || {
            let actions = actions::list(&id, &ground, &data_model, number)?;
            Ok::<_, Error>((ground, actions))
        })
        .await?;
        view.actions = actions;
        let id = model.to_owned();
        view.instances = self
            .desk
            .db
            .read("mining.instances", move |tx| {
                let mut instances = Vec::new();
                for trigger in &published.triggers {
                    let identifiers = cases::identifiers(&ground.log, trigger, number);
                    let stored = tables::stored(tx, &id, &trigger.id)?;
                    for identifier in identifiers {
                        let Some(known) = stored.get(identifier.as_str()) else { continue };
                        instances.push(Instance {
                            trigger: trigger.id.clone(),
                            identifier,
                            matches: known.standing != Standing::Out,
                            episode: known.episode,
                            since: known.since,
                        });
                    }
                }
                Ok::<_, Error>(instances)
            })
            .await?;
        Ok(view)
    }

    /// Counts the wanted cases by how long they take.
    pub async fn throughput(&self, model: &str, wanted: Wanted, bins_max: usize) -> Result<Histogram, Error> {
        self.on_slice(model, wanted, move |_, slice| Ok(histogram::count(&slice, bins_max))).await
    }

    /// Tells what there is to say about each activity of the wanted cases.
    pub async fn activities(&self, model: &str, wanted: Wanted) -> Result<Rework, Error> {
        self.on_slice(model, wanted, |_, slice| Ok(activities::look(&slice))).await
    }

    /// Compares the wanted cases with what is allowed.
    pub async fn conformance(&self, model: &str, wanted: Wanted, allowed: Allowed) -> Result<Conformance, Error> {
        self.on_slice(model, wanted, move |_, slice| conformance::compare(&slice, &allowed)).await
    }

    /// Finds the text that counts: the published one, else the draft.
    pub(crate) async fn text_that_counts(&self, model: &str) -> Result<Source, Error> {
        match self.published_text(model).await {
            Ok((source, _)) => Ok(source),
            Err(Error::NotPublished { .. }) => self.source(model, Which::Draft).await,
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn ground(&self, model: &str) -> Result<Ground, Error> {
        let source = self.text_that_counts(model).await?;
        let parsed = KnowledgeModel::of(&source)?;
        let data_model = self.data_model_of(model).await?;
        let (log, clock) = self.fresh_root(data_model.id).await?;
        let now = clock.now(self.clock.now()).as_millis();
        Ok(Ground { log, vocabulary: parsed.vocabulary(), model: parsed, now })
    }

    async fn on_slice<T: Send + 'static>(
        &self,
        model: &str,
        mut wanted: Wanted,
        look: impl FnOnce(Ground, Slice) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ground = self.ground(model).await?;
        for id in std::mem::take(&mut wanted.filter_ids) {
            let filters = filter_closure(model, &ground.model, &id)?;
            wanted.filters.extend(filters.into_iter().map(|filter| filter.pql.value.clone()));
        }
        blocking(move || {
            let slice = Slice::cut(&ground.log, &ground.vocabulary, &wanted, ground.now)?;
            look(ground, slice)
        })
        .await
    }
}

/// Returns a filter and those that it refers to.
pub(super) fn filter_closure<'a>(name: &str, model: &'a KnowledgeModel, id: &str) -> Result<Vec<&'a Filter>, Error> {
    let mut open = vec![id];
    let mut found: Vec<&Filter> = Vec::new();
    while let Some(id) = open.pop() {
        let filter = model.filters.iter().find(|filter| filter.id.value.eq_ignore_ascii_case(id));
        let filter = filter.ok_or_else(|| {
            let hint = hint(id, model.filters.iter().map(|filter| filter.id.value.as_str()));
            Error::UnknownFilter { model: name.to_owned(), filter: id.to_owned(), hint }
        })?;
        if found.iter().any(|known| known.id.value == filter.id.value) {
            continue;
        }
        found.push(filter);
        open.extend(filter.filter_ids.iter().map(|id| id.value.as_str()));
    }
    Ok(found)
}
