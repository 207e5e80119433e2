//! What explorations answer: times are instants, durations milliseconds.

use base::Timestamp;
use mining::explore as found;
use mining::explore::DeviationKind;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// How long something takes.
#[derive(Serialize, ToSchema)]
pub(super) struct Durations {
    /// How many there are.
    count: u64,
    min: i64,
    median: i64,
    /// Not longer than this are 95 of 100.
    p95: i64,
    mean: f64,
    max: i64,
}

/// The process as a graph.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProcessMap {
    cases: u64,
    events: u64,
    /// Events of activities that are not shown.
    events_hidden: u64,
    /// Cases of which nothing is shown.
    cases_hidden: u64,
    activities_total: u64,
    edges_total: u64,
    activities: Vec<MapActivity>,
    edges: Vec<MapEdge>,
}

/// An activity of the map.
#[derive(Serialize, ToSchema)]
struct MapActivity {
    name: String,
    events: u64,
    /// Cases in which it occurs.
    cases: u64,
    /// Cases that begin with it.
    starts: u64,
    /// Cases that end with it.
    ends: u64,
    /// From the event before to it.
    #[schema(required = true)]
    sojourn: Option<Durations>,
    /// From its start to its end, where that is known.
    #[schema(required = true)]
    service: Option<Durations>,
}

/// What follows what.
#[derive(Serialize, ToSchema)]
struct MapEdge {
    /// Nothing where cases begin.
    #[schema(required = true)]
    from: Option<String>,
    /// Nothing where cases end.
    #[schema(required = true)]
    to: Option<String>,
    events: u64,
    cases: u64,
    #[schema(required = true)]
    durations: Option<Durations>,
}

/// Some variants.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
pub(super) struct Variants {
    cases: u64,
    /// How many variants there are on all pages.
    total: u64,
    variants: Vec<Variant>,
}

/// Cases with the same activities in the same order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Variant {
    id: String,
    activities: Vec<String>,
    cases: u64,
    /// Of all cases, from 0 to 1.
    share: f64,
    durations: Durations,
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
    /// A case of it.
    example: String,
}

/// Some cases.
#[derive(Serialize, ToSchema)]
pub(super) struct Cases {
    /// How many there are on all pages.
    total: u64,
    cases: Vec<Case>,
}

/// A case in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Case {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end: Timestamp,
    duration: i64,
    events: u64,
    last_activity: String,
    variant: String,
}

/// A case with its events, and what triggers know of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaseShown {
    id: String,
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    end: Timestamp,
    duration: i64,
    variant: String,
    /// Cases that went the same way.
    variant_cases: u64,
    /// All cases.
    cases: u64,
    /// Its row of the case table, by the names of the columns.
    #[schema(value_type = Object)]
    values: Map<String, Value>,
    events: Vec<CaseEvent>,
    instances: Vec<Instance>,
    signals: Vec<CaseSignal>,
    /// What the knowledge model says can be done about it.
    actions: Vec<CaseAction>,
}

/// An action of the knowledge model, filled for a record instance of the case.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CaseAction {
    id: String,
    name: String,
    #[schema(required = true)]
    description: Option<String>,
    /// The key of the action flow that does it; `GET /flows/{flow}/form` asks
    /// for what `inputs` do not fill.
    #[schema(required = true)]
    flow: Option<String>,
    record: String,
    identifier: String,
    /// What the flow is given, by the names of its inputs.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    /// Whether its conditions hold now.
    applies: bool,
}

/// An event of a case.
#[derive(Serialize, ToSchema)]
struct CaseEvent {
    activity: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Since the event before; nothing for the first.
    #[schema(required = true)]
    wait: Option<i64>,
    /// Its row of the activity table, by the names of the columns.
    #[schema(value_type = Object)]
    values: Map<String, Value>,
}

/// What a trigger holds that is about a case.
#[derive(Serialize, ToSchema)]
#[schema(as = CaseInstance)]
struct Instance {
    trigger: String,
    identifier: String,
    /// It satisfies the trigger now.
    matches: bool,
    /// 1 for the first time that it did.
    episode: u64,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// A signal that was sent for a case.
#[derive(Serialize, ToSchema)]
pub(super) struct CaseSignal {
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: Timestamp,
    pub(super) trigger: String,
    pub(super) identifier: String,
    pub(super) key: String,
    pub(super) event: String,
    pub(super) offset: u64,
    #[schema(required = true)]
    pub(super) reason: Option<String>,
    #[schema(value_type = Value)]
    pub(super) change: Value,
    /// What led to the change, the nearest last.
    pub(super) causes: Vec<String>,
}

/// How many cases take how long.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Throughput {
    /// Of a bin.
    width: i64,
    bins: Vec<Bin>,
    #[schema(required = true)]
    durations: Option<Durations>,
    /// As other tools compute it, between two values.
    #[schema(required = true)]
    median_linear: Option<f64>,
    #[schema(required = true)]
    p95_linear: Option<f64>,
}

/// Cases that take about as long.
#[derive(Serialize, ToSchema)]
#[schema(as = ThroughputBin)]
struct Bin {
    from: i64,
    to: i64,
    cases: u64,
}

/// What there is to say about the activities.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the wire")]
pub(super) struct Activities {
    cases: u64,
    /// Cases in which some activity occurs more than once.
    rework_cases: u64,
    events: u64,
    rework_events: u64,
    activities: Vec<Activity>,
}

/// What there is to say about an activity.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Activity {
    name: String,
    events: u64,
    cases: u64,
    starts: u64,
    ends: u64,
    /// Cases in which it occurs more than once.
    rework_cases: u64,
    /// Its events beyond the first of each case.
    rework_events: u64,
    self_loops: u64,
    ping_pongs: u64,
    events_in_case_max: u64,
    #[schema(required = true)]
    sojourn: Option<Durations>,
    #[schema(required = true)]
    service: Option<Durations>,
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_seen: Timestamp,
}

/// How cases compare with what is allowed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Conformance {
    cases: u64,
    cases_fitting: u64,
    /// Of the cases, from 0 to 1.
    share: f64,
    variants: u64,
    variants_fitting: u64,
    fitness: f64,
    deviations: Vec<Deviation>,
    unfitting: Vec<Unfitting>,
}

/// A way in which cases differ from what is allowed.
#[derive(Serialize, ToSchema)]
struct Deviation {
    /// `extra` or `missing`.
    kind: &'static str,
    activity: String,
    #[schema(required = true)]
    after: Option<String>,
    cases: u64,
    occurrences: u64,
    /// Ids of cases.
    examples: Vec<String>,
}

/// A variant that is not allowed.
#[derive(Serialize, ToSchema)]
#[schema(as = UnfittingVariant)]
struct Unfitting {
    id: String,
    cases: u64,
    /// How many changes would make it fit.
    changes: u64,
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn texts(names: &[std::sync::Arc<str>]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

impl From<found::Durations> for Durations {
    fn from(took: found::Durations) -> Self {
        let found::Durations { count, min, median, p95, mean, max } = took;
        Durations { count, min, median, p95, mean, max }
    }
}

impl From<found::ProcessMap> for ProcessMap {
    fn from(map: found::ProcessMap) -> Self {
        let activities = map.activities.iter().map(|one| MapActivity {
            name: one.name.to_string(),
            events: one.events,
            cases: one.cases,
            starts: one.starts,
            ends: one.ends,
            sojourn: one.sojourn.map(Durations::from),
            service: one.service.map(Durations::from),
        });
        let edges = map.edges.iter().map(|edge| MapEdge {
            from: edge.from.as_deref().map(str::to_owned),
            to: edge.to.as_deref().map(str::to_owned),
            events: edge.events,
            cases: edge.cases,
            durations: edge.durations.map(Durations::from),
        });
        ProcessMap {
            cases: map.cases,
            events: map.events,
            events_hidden: map.events_hidden,
            cases_hidden: map.cases_hidden,
            activities_total: map.activities_total,
            edges_total: map.edges_total,
            activities: activities.collect(),
            edges: edges.collect(),
        }
    }
}

impl From<found::VariantsPage> for Variants {
    fn from(page: found::VariantsPage) -> Self {
        let variants = page.variants.into_iter().map(|one| Variant {
            id: one.id,
            activities: texts(&one.activities),
            cases: one.cases,
            share: one.share,
            durations: one.durations.into(),
            first_seen: at(one.first_seen),
            last_seen: at(one.last_seen),
            example: one.example.to_string(),
        });
        Variants { cases: page.cases, total: page.total, variants: variants.collect() }
    }
}

impl From<found::CasesPage> for Cases {
    fn from(page: found::CasesPage) -> Self {
        let cases = page.cases.into_iter().map(|one| Case {
            id: one.id.to_string(),
            start: at(one.start),
            end: at(one.end),
            duration: one.end - one.start,
            events: one.events,
            last_activity: one.last.to_string(),
            variant: one.variant,
        });
        Cases { total: page.total, cases: cases.collect() }
    }
}

impl CaseShown {
    pub(super) fn new(view: found::CaseView, signals: Vec<CaseSignal>) -> Self {
        let row = |columns: &[mining::AnswerColumn], values: &[mining::Value]| {
            let pairs = columns.iter().zip(values);
            pairs.map(|(column, value)| (column.name.clone(), value.to_json())).collect::<Map<_, _>>()
        };
        let events = view.events.iter().map(|event| CaseEvent {
            activity: event.activity.to_string(),
            at: at(event.at),
            wait: event.wait,
            values: row(&view.columns, &event.values),
        });
        let instances = view.instances.iter().map(|one| Instance {
            trigger: one.trigger.clone(),
            identifier: one.identifier.clone(),
            matches: one.matches,
            episode: one.episode,
            since: one.since,
        });
        CaseShown {
            id: view.id.to_string(),
            start: at(view.start),
            end: at(view.end),
            duration: view.end - view.start,
            variant_cases: view.variant_cases,
            cases: view.cases,
            values: row(&view.case_columns, &view.case_values),
            events: events.collect(),
            instances: instances.collect(),
            signals,
            actions: view.actions.into_iter().map(CaseAction::from).collect(),
            variant: view.variant,
        }
    }
}

impl From<found::CaseAction> for CaseAction {
    fn from(action: found::CaseAction) -> Self {
        let inputs = action.inputs.into_iter().map(|(name, value)| (name, value.to_json()));
        CaseAction {
            id: action.id,
            name: action.name,
            description: action.description,
            flow: action.flow,
            record: action.record,
            identifier: action.identifier,
            inputs: inputs.collect(),
            applies: action.applies,
        }
    }
}

impl From<found::Histogram> for Throughput {
    fn from(histogram: found::Histogram) -> Self {
        let bins = histogram.bins.iter().map(|bin| Bin { from: bin.from, to: bin.to, cases: bin.cases });
        Throughput {
            width: histogram.width,
            bins: bins.collect(),
            durations: histogram.durations.map(Durations::from),
            median_linear: histogram.median_linear,
            p95_linear: histogram.p95_linear,
        }
    }
}

impl From<found::Rework> for Activities {
    fn from(rework: found::Rework) -> Self {
        let activities = rework.activities.iter().map(|one| Activity {
            name: one.name.to_string(),
            events: one.events,
            cases: one.cases,
            starts: one.starts,
            ends: one.ends,
            rework_cases: one.rework_cases,
            rework_events: one.rework_events,
            self_loops: one.self_loops,
            ping_pongs: one.ping_pongs,
            events_in_case_max: one.events_in_case_max,
            sojourn: one.sojourn.map(Durations::from),
            service: one.service.map(Durations::from),
            first_seen: at(one.seen.0),
            last_seen: at(one.seen.1),
        });
        Activities {
            cases: rework.cases,
            rework_cases: rework.rework_cases,
            events: rework.events,
            rework_events: rework.rework_events,
            activities: activities.collect(),
        }
    }
}

impl From<found::Conformance> for Conformance {
    fn from(found: found::Conformance) -> Self {
        let deviations = found.deviations.iter().map(|one| Deviation {
            kind: match one.kind {
                DeviationKind::Extra => "extra",
                DeviationKind::Missing => "missing",
            },
            activity: one.activity.to_string(),
            after: one.after.as_deref().map(str::to_owned),
            cases: one.cases,
            occurrences: one.occurrences,
            examples: texts(&one.examples),
        });
        let unfitting = found.unfitting.into_iter().map(|(id, cases, changes)| Unfitting { id, cases, changes });
        let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        Conformance {
            cases: found.cases,
            cases_fitting: found.cases_fitting,
            share: share(found.cases_fitting, found.cases),
            variants: found.variants,
            variants_fitting: found.variants_fitting,
            fitness: found.fitness,
            deviations: deviations.collect(),
            unfitting: unfitting.collect(),
        }
    }
}
