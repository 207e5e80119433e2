//! What the process looks like: map, variants, cases, throughput, activities,
//! conformance.
//!
//! All questions take the same words to say which cases they are about; times
//! are instants, durations milliseconds.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use events::TriggerRef;
use mining::explore::{
    Allowed, CaseOrder, CaseView, CasesPage, Conformance, Coverage, Deviation, DeviationKind, Durations, Histogram,
    ProcessMap, Rework, Variant, VariantOrder, VariantsPage, VariantsWanted, Wanted, Within,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

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
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let share = |share: Option<Share>| share.map_or(1.0, |share| share.0);
    let coverage = Coverage { activities: share(asked.activities), edges: share(asked.edges) };
    Ok(Json(map_json(&app.mining.process_map(&model, asked.wanted(), coverage).await?)))
}

/// Lists variants.
pub(super) async fn variants(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<VariantsAsked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let (offset, limit) = part(asked.offset, asked.limit);
    let repeats_max = asked.shortened.map(|times| times.clamped(0, u32::MAX as usize) as u32);
    let how = VariantsWanted { repeats_max, order: asked.order.unwrap_or_default().into(), offset, limit };
    Ok(Json(variants_json(&app.mining.variants(&model, asked.wanted(), how).await?)))
}

/// Lists cases.
pub(super) async fn cases(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<CasesAsked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let (offset, limit) = part(asked.offset, asked.limit);
    let (wanted, order) = (asked.wanted(), asked.order.unwrap_or_default().into());
    Ok(Json(cases_json(&app.mining.cases(&model, wanted, asked.variant, order, offset, limit).await?)))
}

/// Shows a case with its events and what triggers know of it.
pub(super) async fn case(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, case)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let view = app.mining.case(&model, &case).await?;
    let signals = signals_of(&app, &model, &view).await?;
    Ok(Json(case_json(&view, &signals)))
}

/// Finds the signals that were sent for a case, in the order of their time.
async fn signals_of(app: &App, model: &str, view: &CaseView) -> Result<Vec<Value>, Fault> {
    let mut signals = Vec::new();
    for instance in &view.instances {
        let trigger = TriggerRef::new(model, &instance.trigger);
        for fired in app.events.fired(&trigger, instance.keys()).await? {
            let field = |name: &str| {
                let field = fired.fields.iter().find(|field| field.id == name);
                field.map_or(Value::Null, |field| field.value.clone())
            };
            let causes = field("causes");
            let causes: Vec<&str> = causes.as_str().map(|chain| chain.split(" > ").collect()).unwrap_or_default();
            signals.push((
                fired.at,
                json!({
                    "at": fired.at, "trigger": instance.trigger, "identifier": instance.identifier, "key": fired.key,
                    "event": fired.id, "offset": fired.offset, "reason": field("reason"), "change": field("change"),
                    "causes": causes,
                }),
            ));
        }
    }
    signals.sort_by_key(|(at, _)| *at);
    Ok(signals.into_iter().map(|(_, signal)| signal).collect())
}

/// Counts cases by how long they take.
pub(super) async fn throughput(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<ThroughputAsked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let bins = asked.bins.map_or(BINS_USUAL, |bins| bins.clamped(1, BINS_MAX));
    Ok(Json(histogram_json(&app.mining.throughput(&model, asked.wanted(), bins).await?)))
}

/// Tells what there is to say about each activity.
pub(super) async fn activities(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<ActivitiesAsked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(rework_json(&app.mining.activities(&model, asked.wanted()).await?)))
}

/// Compares cases with what is allowed; the body says that, in JSON or YAML.
pub(super) async fn conformance(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<ConformanceAsked>,
    body::Text(text): body::Text,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let allowed = Allowed::parse(&text)?;
    Ok(Json(conformance_json(&app.mining.conformance(&model, asked.wanted(), allowed).await?)))
}

pub(super) fn at(millis: i64) -> Value {
    json!(Timestamp::from_millis(millis))
}

/// Writes durations; milliseconds throughout.
pub(super) fn durations_json(durations: Option<Durations>) -> Value {
    durations.map_or(Value::Null, |took| {
        json!({
            "count": took.count, "min": took.min, "median": took.median, "p95": took.p95, "mean": took.mean,
            "max": took.max,
        })
    })
}

fn map_json(map: &ProcessMap) -> Value {
    let activities = map.activities.iter().map(|one| {
        json!({
            "name": *one.name, "events": one.events, "cases": one.cases, "starts": one.starts, "ends": one.ends,
            "sojourn": durations_json(one.sojourn), "service": durations_json(one.service),
        })
    });
    let edges = map.edges.iter().map(|edge| {
        json!({
            "from": edge.from.as_deref(), "to": edge.to.as_deref(), "events": edge.events, "cases": edge.cases,
            "durations": durations_json(edge.durations),
        })
    });
    json!({
        "cases": map.cases, "events": map.events, "eventsHidden": map.events_hidden, "casesHidden": map.cases_hidden,
        "activitiesTotal": map.activities_total, "edgesTotal": map.edges_total,
        "activities": activities.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>(),
    })
}

fn variants_json(page: &VariantsPage) -> Value {
    let variant = |one: &Variant| {
        let activities: Vec<&str> = one.activities.iter().map(|name| &**name).collect();
        json!({
            "id": one.id, "activities": activities, "cases": one.cases, "share": one.share,
            "durations": durations_json(Some(one.durations)), "firstSeen": at(one.first_seen),
            "lastSeen": at(one.last_seen), "example": *one.example,
        })
    };
    let variants: Vec<Value> = page.variants.iter().map(variant).collect();
    json!({ "cases": page.cases, "total": page.total, "variants": variants })
}

fn cases_json(page: &CasesPage) -> Value {
    let cases = page.cases.iter().map(|one| {
        json!({
            "id": *one.id, "start": at(one.start), "end": at(one.end), "duration": one.end - one.start,
            "events": one.events, "lastActivity": *one.last, "variant": one.variant,
        })
    });
    json!({ "total": page.total, "cases": cases.collect::<Vec<_>>() })
}

fn case_json(view: &CaseView, signals: &[Value]) -> Value {
    let row = |columns: &[mining::AnswerColumn], values: &[mining::Value]| {
        let pairs = columns.iter().zip(values).map(|(column, value)| (column.name.clone(), value.to_json()));
        Value::Object(pairs.collect())
    };
    let events = view.events.iter().map(|event| {
        json!({
            "activity": *event.activity, "at": at(event.at), "wait": event.wait,
            "values": row(&view.columns, &event.values),
        })
    });
    let instances = view.instances.iter().map(|one| {
        json!({
            "trigger": one.trigger, "identifier": one.identifier, "matches": one.matches, "episode": one.episode,
            "since": one.since,
        })
    });
    json!({
        "id": *view.id, "start": at(view.start), "end": at(view.end), "duration": view.end - view.start,
        "variant": view.variant, "variantCases": view.variant_cases, "cases": view.cases,
        "values": row(&view.case_columns, &view.case_values),
        "events": events.collect::<Vec<_>>(), "instances": instances.collect::<Vec<_>>(), "signals": signals,
    })
}

fn histogram_json(histogram: &Histogram) -> Value {
    let bins = histogram.bins.iter().map(|bin| json!({ "from": bin.from, "to": bin.to, "cases": bin.cases }));
    json!({
        "width": histogram.width, "bins": bins.collect::<Vec<_>>(),
        "durations": durations_json(histogram.durations), "medianLinear": histogram.median_linear,
        "p95Linear": histogram.p95_linear,
    })
}

fn rework_json(rework: &Rework) -> Value {
    let activities = rework.activities.iter().map(|one| {
        json!({
            "name": *one.name, "events": one.events, "cases": one.cases, "starts": one.starts, "ends": one.ends,
            "reworkCases": one.rework_cases, "reworkEvents": one.rework_events, "selfLoops": one.self_loops,
            "pingPongs": one.ping_pongs, "eventsInCaseMax": one.events_in_case_max,
            "sojourn": durations_json(one.sojourn), "service": durations_json(one.service),
            "firstSeen": at(one.seen.0), "lastSeen": at(one.seen.1),
        })
    });
    json!({
        "cases": rework.cases, "reworkCases": rework.rework_cases, "events": rework.events,
        "reworkEvents": rework.rework_events, "activities": activities.collect::<Vec<_>>(),
    })
}

fn conformance_json(found: &Conformance) -> Value {
    let deviation = |one: &Deviation| {
        let kind = match one.kind {
            DeviationKind::Extra => "extra",
            DeviationKind::Missing => "missing",
        };
        let examples: Vec<&str> = one.examples.iter().map(|case| &**case).collect();
        json!({
            "kind": kind, "activity": *one.activity, "after": one.after.as_deref(), "cases": one.cases,
            "occurrences": one.occurrences, "examples": examples,
        })
    };
    let unfitting = found.unfitting.iter();
    let unfitting = unfitting.map(|(id, cases, changes)| json!({ "id": id, "cases": cases, "changes": changes }));
    let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    json!({
        "cases": found.cases, "casesFitting": found.cases_fitting, "share": share(found.cases_fitting, found.cases),
        "variants": found.variants, "variantsFitting": found.variants_fitting, "fitness": found.fitness,
        "deviations": found.deviations.iter().map(deviation).collect::<Vec<_>>(),
        "unfitting": unfitting.collect::<Vec<_>>(),
    })
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
