//! What the process looks like: map, variants, cases, throughput, activities,
//! conformance.
//!
//! All questions take the same words to say which cases they are about; times
//! are instants, durations milliseconds.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use events::TriggerRef;
use mining::explore::{Allowed, CaseOrder, CaseView, Coverage, VariantOrder, VariantsWanted, Wanted, Within};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::explored::{Activities, CaseShown, CaseSignal, Cases, Conformance, ProcessMap, Throughput, Variants};
use crate::app::App;
use crate::body::{self, Query, Share, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Lines on a page, if nothing is said.
const PAGE_USUAL: usize = 100;
/// Lines on a page at most.
const PAGE_MAX: usize = 10_000;
/// Bins of a histogram, if nothing is said.
const BINS_USUAL: usize = 24;
const BINS_MAX: usize = 1_000;

/// Makes the query string of a question: which cases it is about, and what else
/// it may say. (Flattening one struct into the others would let a misspelt
/// parameter pass.)
macro_rules! asked {
    ($(#[$doc:meta] $name:ident { $($(#[$about:meta])* $field:ident: $kind:ty,)* })*) => {$(
        #[$doc]
        #[derive(Default, Deserialize, IntoParams)]
        #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
        #[into_params(parameter_in = Query)]
        pub(super) struct $name {
            /// A condition in PQL.
            filter: Option<String>,
            /// Ids of filters of the model, with commas between.
            filter_ids: Option<String>,
            /// From this instant on.
            #[param(value_type = Option<String>, format = DateTime)]
            from: Option<Timestamp>,
            /// Before this instant.
            #[param(value_type = Option<String>, format = DateTime)]
            to: Option<Timestamp>,
            /// What of a case has to lie between the two; any moment of it if
            /// nothing is said.
            #[param(inline)]
            within: Option<WithinWord>,
            $($(#[$about])* $field: $kind,)*
        }

        impl $name {
            fn wanted(&self) -> Wanted {
                let ids = self.filter_ids.iter().flat_map(|ids| ids.split(','));
                Wanted {
                    filters: self.filter.clone().into_iter().collect(),
                    filter_ids: ids.map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
                    from: self.from.map(Timestamp::as_millis),
                    to: self.to.map(Timestamp::as_millis),
                    within: self.within.unwrap_or_default().into(),
                }
            }
        }
    )*};
}

asked! {
    /// The query string of the process map.
    MapAsked {
        /// Share of events whose activities are shown, 1 if nothing is said.
        #[param(value_type = Option<f64>, minimum = 0, maximum = 1)]
        activities: Option<Share>,
        /// Share of steps that are shown, 1 if nothing is said.
        #[param(value_type = Option<f64>, minimum = 0, maximum = 1)]
        edges: Option<Share>,
    }
    /// The query string of variants.
    VariantsAsked {
        /// Repetitions in a row at most.
        #[param(value_type = Option<u32>, minimum = 0)]
        shortened: Option<Whole>,
        /// What comes first; the most cases if nothing is said.
        #[param(inline)]
        order: Option<VariantOrderWord>,
        /// Lines that are passed over.
        #[param(value_type = Option<u64>, minimum = 0)]
        offset: Option<Whole>,
        /// Lines at most, 100 if nothing is said. Above 10000 it means 10000.
        #[param(value_type = Option<u64>, minimum = 0)]
        limit: Option<Whole>,
    }
    /// The query string of cases.
    CasesAsked {
        /// Only those of this variant, by its id.
        variant: Option<String>,
        /// What comes first; the latest start if nothing is said.
        #[param(inline)]
        order: Option<CaseOrderWord>,
        /// Lines that are passed over.
        #[param(value_type = Option<u64>, minimum = 0)]
        offset: Option<Whole>,
        /// Lines at most, 100 if nothing is said. Above 10000 it means 10000.
        #[param(value_type = Option<u64>, minimum = 0)]
        limit: Option<Whole>,
    }
    /// The query string of the histogram of durations.
    ThroughputAsked {
        /// Bins at most, 24 if nothing is said. Above 1000 it means 1000.
        #[param(value_type = Option<u64>, minimum = 0)]
        bins: Option<Whole>,
    }
    /// The query string of the statistics of activities.
    ActivitiesAsked {}
    /// The query string of conformance.
    ConformanceAsked {}
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum WithinWord {
    #[default]
    Touching,
    Started,
    Ended,
    Whole,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum VariantOrderWord {
    #[default]
    Cases,
    Median,
    Length,
    LastSeen,
    FirstSeen,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum CaseOrderWord {
    #[default]
    Start,
    Duration,
    Events,
    Id,
}

/// Returns which part of a list is meant: where it begins, and how long it is.
fn part(offset: Option<Whole>, limit: Option<Whole>) -> (usize, usize) {
    let limit = limit.map_or(PAGE_USUAL, |limit| limit.clamped(1, PAGE_MAX));
    (offset.map_or(0, |offset| offset.clamped(0, usize::MAX)), limit)
}

/// Draws the process map.
pub(super) async fn map(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<MapAsked>,
) -> Result<Json<ProcessMap>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let share = |share: Option<Share>| share.map_or(1.0, |share| share.0);
    let coverage = Coverage { activities: share(asked.activities), edges: share(asked.edges) };
    Ok(Json(app.mining.process_map(&model, asked.wanted(), coverage).await?.into()))
}

/// Lists variants.
pub(super) async fn variants(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<VariantsAsked>,
) -> Result<Json<Variants>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let (offset, limit) = part(asked.offset, asked.limit);
    let repeats_max = asked.shortened.map(|times| times.clamped(0, u32::MAX as usize) as u32);
    let how = VariantsWanted { repeats_max, order: asked.order.unwrap_or_default().into(), offset, limit };
    Ok(Json(app.mining.variants(&model, asked.wanted(), how).await?.into()))
}

/// Lists cases.
pub(super) async fn cases(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<CasesAsked>,
) -> Result<Json<Cases>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let (offset, limit) = part(asked.offset, asked.limit);
    let (wanted, order) = (asked.wanted(), asked.order.unwrap_or_default().into());
    Ok(Json(app.mining.cases(&model, wanted, asked.variant, order, offset, limit).await?.into()))
}

/// Shows a case with its events and what triggers know of it.
pub(super) async fn case(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, case)): Path<(String, String)>,
) -> Result<Json<CaseShown>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let view = app.mining.case(&model, &case).await?;
    let signals = signals_of(&app, &model, &view).await?;
    Ok(Json(CaseShown::new(view, signals)))
}

/// Finds the signals that were sent for a case, in the order of their time.
async fn signals_of(app: &App, model: &str, view: &CaseView) -> Result<Vec<CaseSignal>, Fault> {
    let mut signals = Vec::new();
    for instance in &view.instances {
        let trigger = TriggerRef::new(model, &instance.trigger);
        for fired in app.events.fired(&trigger, instance.keys()).await? {
            let field = |name: &str| {
                let field = fired.fields.iter().find(|field| field.id == name);
                field.map_or(Value::Null, |field| field.value.clone())
            };
            let causes = field("causes");
            let causes =
                causes.as_str().map(|chain| chain.split(" > ").map(str::to_owned).collect()).unwrap_or_default();
            signals.push(CaseSignal {
                at: fired.at,
                trigger: instance.trigger.clone(),
                identifier: instance.identifier.clone(),
                key: fired.key.clone(),
                event: fired.id.to_string(),
                offset: fired.offset.0,
                reason: field("reason").as_str().map(str::to_owned),
                change: field("change"),
                causes,
            });
        }
    }
    signals.sort_by_key(|signal| signal.at);
    Ok(signals)
}

/// Counts cases by how long they take.
pub(super) async fn throughput(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<ThroughputAsked>,
) -> Result<Json<Throughput>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let bins = asked.bins.map_or(BINS_USUAL, |bins| bins.clamped(1, BINS_MAX));
    Ok(Json(app.mining.throughput(&model, asked.wanted(), bins).await?.into()))
}

/// Tells what there is to say about each activity.
pub(super) async fn activities(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<ActivitiesAsked>,
) -> Result<Json<Activities>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.activities(&model, asked.wanted()).await?.into()))
}

/// Compares cases with what is allowed; the body says that, in JSON or YAML.
pub(super) async fn conformance(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<ConformanceAsked>,
    body::Text(text): body::Text,
) -> Result<Json<Conformance>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let allowed = Allowed::parse(&text)?;
    Ok(Json(app.mining.conformance(&model, asked.wanted(), allowed).await?.into()))
}

impl From<WithinWord> for Within {
    fn from(word: WithinWord) -> Self {
        match word {
            WithinWord::Touching => Within::Touching,
            WithinWord::Started => Within::Started,
            WithinWord::Ended => Within::Ended,
            WithinWord::Whole => Within::Whole,
        }
    }
}

impl From<VariantOrderWord> for VariantOrder {
    fn from(word: VariantOrderWord) -> Self {
        match word {
            VariantOrderWord::Cases => VariantOrder::Cases,
            VariantOrderWord::Median => VariantOrder::Median,
            VariantOrderWord::Length => VariantOrder::Length,
            VariantOrderWord::LastSeen => VariantOrder::LastSeen,
            VariantOrderWord::FirstSeen => VariantOrder::FirstSeen,
        }
    }
}

impl From<CaseOrderWord> for CaseOrder {
    fn from(word: CaseOrderWord) -> Self {
        match word {
            CaseOrderWord::Start => CaseOrder::Start,
            CaseOrderWord::Duration => CaseOrder::Duration,
            CaseOrderWord::Events => CaseOrder::Events,
            CaseOrderWord::Id => CaseOrder::Id,
        }
    }
}
