//! Why a trigger holds an instance or does not, as it is told.

use base::Timestamp;
use mining::explore::{self as found, WhyNext, WhyStanding};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Why a trigger holds an instance, or does not.
#[derive(Serialize, ToSchema)]
pub(super) struct Why {
    model: String,
    trigger: String,
    /// What people call the trigger.
    name: String,
    record: String,
    identifier: String,
    /// What the process clock shows.
    #[schema(value_type = String, format = DateTime)]
    now: Timestamp,
    /// It satisfies the filters now.
    satisfies: bool,
    /// The case that it is about, where there is one.
    #[schema(required = true)]
    case: Option<Case>,
    filters: Vec<Filter>,
    #[schema(required = true)]
    detector: Option<Detector>,
    standing: Standing,
    next: Next,
    /// What else there is to know.
    remarks: Vec<String>,
}

/// The case of an instance.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyCase)]
struct Case {
    id: String,
    events: u64,
}

/// A filter of the trigger, and what it says.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyFilter)]
struct Filter {
    id: String,
    pql: String,
    /// Null where it says neither.
    #[schema(required = true)]
    truth: Option<bool>,
    comparisons: Vec<Comparison>,
}

/// A comparison in a filter.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WhyComparison)]
struct Comparison {
    pql: String,
    left: String,
    right: String,
    /// How many rows there are; not all are told.
    row_count: u64,
    rows: Vec<Compared>,
}

/// What a comparison came to in a row.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyCompared)]
struct Compared {
    #[schema(value_type = Value)]
    left: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, nullable = false)]
    right: Option<Value>,
    #[schema(required = true)]
    truth: Option<bool>,
}

/// Where an instance stands with a trigger.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "camelCase")]
#[schema(as = WhyStanding)]
enum Standing {
    /// It was never in it.
    Never,
    /// It is in it.
    In {
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
        episode: u64,
    },
    /// It was in it, and is not any more.
    Left {
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
        episode: u64,
    },
    /// It had to make room for newer ones.
    Displaced { episode: u64 },
    /// The trigger is not published.
    Unpublished,
}

/// What time alone will do.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[schema(as = WhyNext)]
enum Next {
    /// Only data can change the answer.
    NoClock,
    /// The answer changes then, to this.
    At {
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
        satisfies: bool,
    },
    /// Time does not change it.
    Never,
    /// It was looked that far ahead.
    NotBefore {
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
    },
}

/// What a detector measured.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyDetector)]
struct Detector {
    #[schema(value_type = Value)]
    parameters: Value,
    measured: u64,
    fields: Vec<String>,
    measures: Vec<Measure>,
}

/// What a detector measured of an instance.
#[derive(Serialize, ToSchema)]
#[schema(as = WhyMeasure)]
struct Measure {
    identifier: String,
    fires: bool,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    due: Option<Timestamp>,
    /// By the fields of the detector.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
}

impl From<found::Why> for Why {
    fn from(why: found::Why) -> Self {
        let standing = match why.standing {
            WhyStanding::Never => Standing::Never,
            WhyStanding::In { since, episode } => Standing::In { since, episode },
            WhyStanding::Left { since, episodes } => Standing::Left { since, episode: episodes },
            WhyStanding::Displaced { episodes } => Standing::Displaced { episode: episodes },
            WhyStanding::Unpublished => Standing::Unpublished,
        };
        let next = match why.next {
            WhyNext::NoClock => Next::NoClock,
            WhyNext::At(at, satisfies) => Next::At { at, satisfies },
            WhyNext::Never => Next::Never,
            WhyNext::NotBefore(at) => Next::NotBefore { at },
        };
        Why {
            model: why.model,
            trigger: why.trigger,
            name: why.name,
            record: why.record,
            identifier: why.identifier,
            now: why.now,
            satisfies: why.satisfies,
            case: why.case.map(|(id, events)| Case { id: id.to_string(), events }),
            filters: why.filters.into_iter().map(Filter::from).collect(),
            detector: why.detector.map(Detector::from),
            standing,
            next,
            remarks: why.remarks,
        }
    }
}

impl From<found::WhyFilter> for Filter {
    fn from(filter: found::WhyFilter) -> Self {
        let comparison = |one: found::WhyComparison| Comparison {
            rows: one.rows.iter().map(compared).collect(),
            pql: one.pql,
            left: one.left,
            right: one.right,
            row_count: one.row_count,
        };
        let comparisons = filter.comparisons.into_iter().map(comparison).collect();
        Filter { id: filter.id, pql: filter.pql, truth: filter.truth, comparisons }
    }
}

fn compared((left, right, truth): &(mining::Value, Option<mining::Value>, Option<bool>)) -> Compared {
    Compared { left: left.to_json(), right: right.as_ref().map(mining::Value::to_json), truth: *truth }
}

impl From<found::WhyDetector> for Detector {
    fn from(detector: found::WhyDetector) -> Self {
        let measure = |one: &found::WhyMeasure| {
            let figures = detector.fields.iter().zip(&one.values);
            let figures = figures.map(|(name, value)| (name.clone(), value.to_json())).collect();
            Measure { identifier: one.identifier.clone(), fires: one.fires, due: one.due, figures }
        };
        let measures = detector.measures.iter().map(measure).collect();
        Detector { parameters: detector.parameters, measured: detector.measured, measures, fields: detector.fields }
    }
}
