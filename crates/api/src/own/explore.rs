//! What the process looks like: map, variants, cases, throughput, activities,
//! conformance.
//!
//! All questions take the same words to say which cases they are about; times
//! are instants, durations milliseconds.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::explore::{
    Allowed, CaseOrder, CaseView, CasesPage, Conformance, Coverage, Deviation, DeviationKind, Durations, Histogram,
    ProcessMap, Rework, Variant, VariantOrder, VariantsPage, VariantsWanted, Wanted, Within,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body::{self, Query};
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

/// Which cases a question is about, and what else it may say.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Asked {
    /// A condition in PQL.
    filter: Option<String>,
    /// Ids of filters of the model, with commas between.
    filter_ids: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// `touching`, `started`, `ended` or `whole`.
    within: Option<String>,
    /// Map: share of events and of steps that is shown.
    activities: Option<f64>,
    edges: Option<f64>,
    /// Variants: repetitions in a row at most.
    shortened: Option<u32>,
    /// Cases: of this variant.
    variant: Option<String>,
    order: Option<String>,
    offset: Option<usize>,
    limit: Option<usize>,
    bins: Option<usize>,
}

impl Asked {
    fn wanted(&self) -> Result<Wanted, Fault> {
        let within = match self.within.as_deref() {
            None | Some("touching") => Within::Touching,
            Some("started") => Within::Started,
            Some("ended") => Within::Ended,
            Some("whole") => Within::Whole,
            Some(other) => return Err(one_of("within", other, "touching, started, ended or whole")),
        };
        let ids = self.filter_ids.iter().flat_map(|ids| ids.split(','));
        Ok(Wanted {
            filters: self.filter.clone().into_iter().collect(),
            filter_ids: ids.map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
            from: self.from.map(Timestamp::as_millis),
            to: self.to.map(Timestamp::as_millis),
            within,
        })
    }

    fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_USUAL).clamp(1, PAGE_MAX)
    }
}

fn one_of(attribute: &'static str, said: &str, known: &str) -> Fault {
    Fault::invalid(attribute, "constraint-broken", format!("\"{said}\" is none of {known}"))
}

fn share(attribute: &'static str, share: Option<f64>) -> Result<f64, Fault> {
    match share.unwrap_or(1.0) {
        share if (0.0..=1.0).contains(&share) => Ok(share),
        other => Err(Fault::invalid(attribute, "constraint-broken", format!("{other} is no share from 0 to 1"))),
    }
}

/// Draws the process map.
pub(super) async fn map(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let coverage = Coverage { activities: share("activities", asked.activities)?, edges: share("edges", asked.edges)? };
    Ok(Json(map_json(&app.mining.process_map(&model, asked.wanted()?, coverage).await?)))
}

/// Lists variants.
pub(super) async fn variants(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let order = match asked.order.as_deref() {
        None | Some("cases") => VariantOrder::Cases,
        Some("median") => VariantOrder::Median,
        Some("length") => VariantOrder::Length,
        Some("lastSeen") => VariantOrder::LastSeen,
        Some("firstSeen") => VariantOrder::FirstSeen,
        Some(other) => return Err(one_of("order", other, "cases, median, length, lastSeen or firstSeen")),
    };
    let how =
        VariantsWanted { repeats_max: asked.shortened, order, offset: asked.offset.unwrap_or(0), limit: asked.limit() };
    Ok(Json(variants_json(&app.mining.variants(&model, asked.wanted()?, how).await?)))
}

/// Lists cases.
pub(super) async fn cases(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let order = match asked.order.as_deref() {
        None | Some("start") => CaseOrder::Start,
        Some("duration") => CaseOrder::Duration,
        Some("events") => CaseOrder::Events,
        Some("id") => CaseOrder::Id,
        Some(other) => return Err(one_of("order", other, "start, duration, events or id")),
    };
    let (wanted, limit) = (asked.wanted()?, asked.limit());
    let page = app.mining.cases(&model, wanted, asked.variant, order, asked.offset.unwrap_or(0), limit).await?;
    Ok(Json(cases_json(&page)))
}

/// Shows a case with its events and what triggers know of it.
pub(super) async fn case(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, case)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(case_json(&app.mining.case(&model, &case).await?)))
}

/// Counts cases by how long they take.
pub(super) async fn throughput(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let bins = asked.bins.unwrap_or(BINS_USUAL).clamp(1, BINS_MAX);
    Ok(Json(histogram_json(&app.mining.throughput(&model, asked.wanted()?, bins).await?)))
}

/// Tells what there is to say about each activity.
pub(super) async fn activities(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(rework_json(&app.mining.activities(&model, asked.wanted()?).await?)))
}

/// Compares cases with what is allowed; the body says that, in JSON or YAML.
pub(super) async fn conformance(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(model): Path<String>,
    Query(asked): Query<Asked>,
    body::Text(text): body::Text,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let allowed = Allowed::parse(&text)?;
    Ok(Json(conformance_json(&app.mining.conformance(&model, asked.wanted()?, allowed).await?)))
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

fn case_json(view: &CaseView) -> Value {
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
        "events": events.collect::<Vec<_>>(), "instances": instances.collect::<Vec<_>>(),
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
