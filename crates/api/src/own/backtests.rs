//! Backtests of triggers, and why a trigger holds an instance.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use http::StatusCode;
use mining::backtest::{Backtest, BacktestWanted, EndSet, Firing, Occasion, Running, Score};
use mining::explore::{Why, WhyComparison, WhyDetector, WhyMeasure, WhyNext, WhyStanding};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::explore::durations_json;
use crate::app::App;
use crate::body::MaybeJson;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Signals in an answer, if nothing is said.
const FIRINGS_USUAL: usize = 1_000;
const FIRINGS_MAX: usize = 100_000;

/// What to replay, and how.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Asked {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Seconds from one push to the next; each instant is one if left out.
    every_seconds: Option<f64>,
    outcome: Option<String>,
    finished: Option<String>,
    end_set: Option<AskedEnds>,
    variables: BTreeMap<String, Value>,
    known_by: BTreeMap<String, String>,
    draft: bool,
    /// Signals in the answer at most.
    limit: Option<usize>,
}

/// A list of activities, or `{ "share": 0.1 }`.
#[derive(Deserialize)]
#[serde(untagged)]
enum AskedEnds {
    Activities(Vec<String>),
    Learned { share: f64 },
}

impl Asked {
    fn wanted(self) -> Result<BacktestWanted, Fault> {
        let every = self.every_seconds.map(|seconds| (seconds * 1_000.0).round());
        if every.is_some_and(|every| !(1.0..1.0e14).contains(&every)) {
            return Err(Fault::invalid("everySeconds", "constraint-broken", "it takes at least a millisecond"));
        }
        let end_set = match self.end_set {
            None => None,
            Some(AskedEnds::Activities(activities)) => Some(EndSet::Activities(activities)),
            Some(AskedEnds::Learned { share }) if (0.0..=1.0).contains(&share) => Some(EndSet::Learned(share)),
            Some(AskedEnds::Learned { share }) => {
                let detail = format!("{share} is no share from 0 to 1");
                return Err(Fault::invalid("endSet.share", "constraint-broken", detail));
            }
        };
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok(BacktestWanted {
            from: self.from.map(Timestamp::as_millis),
            to: self.to.map(Timestamp::as_millis),
            every: every.map(|every| every as i64),
            outcome: self.outcome,
            finished: self.finished,
            end_set,
            variables: self.variables.into_iter().map(|(id, value)| (id, text(value))).collect(),
            known_by: self.known_by,
            draft: self.draft,
        })
    }
}

/// Replays history on a trigger. Whoever hangs up stops the replay.
pub(super) async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger)): Path<(String, String)>,
    MaybeJson(asked): MaybeJson<Asked>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let asked = asked.unwrap_or_default();
    let limit = asked.limit.unwrap_or(FIRINGS_USUAL).min(FIRINGS_MAX);
    let found = app.mining.backtest(&model, &trigger, asked.wanted()?).await?;
    Ok(Json(backtest_json(&found, limit)))
}

/// Lists the backtests under way on models that the caller may use.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Value>>, Fault> {
    let models = rights::usable_models(&app, &actor).await?;
    let running = app.mining.backtests().into_iter();
    let own = running.filter(|running| models.iter().any(|model| model.id == running.model));
    Ok(Json(own.map(|running| running_json(&running)).collect()))
}

/// Stops a backtest.
pub(super) async fn stop(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<StatusCode, Fault> {
    let running = app.mining.backtests().into_iter().find(|running| running.number.to_string() == number);
    let unknown = || Fault::not_found("backtest-unknown", format!("no backtest \"{number}\" is under way"));
    let running = running.ok_or_else(unknown)?;
    rights::use_model(&app, &actor, &running.model).await?;
    app.mining.stop_backtest(running.number)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells why a trigger holds an instance or does not.
pub(super) async fn why(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((model, trigger, identifier)): Path<(String, String, String)>,
) -> Result<Json<Value>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(why_json(&app.mining.why(&model, &trigger, &identifier).await?)))
}

fn running_json(running: &Running) -> Value {
    let at = running.progress.at.load(std::sync::atomic::Ordering::Relaxed);
    json!({
        "number": running.number, "model": running.model, "trigger": running.trigger, "since": running.since,
        "share": running.share(), "at": (at != 0).then(|| Timestamp::from_millis(at)),
    })
}

fn backtest_json(found: &Backtest, limit: usize) -> Value {
    let days = found.per_day.iter().map(|(day, count)| {
        let day = day.to_string();
        json!({ "day": day.split('T').next(), "fired": count })
    });
    let by = |occasion: Occasion| found.firings.iter().filter(|firing| firing.occasion == occasion).count();
    json!({
        "model": found.model, "trigger": found.trigger, "from": found.from, "to": found.to,
        "endSet": found.end_set, "cases": found.cases, "events": found.events, "timeless": found.timeless,
        "commits": found.commits, "deadlines": found.deadlines, "knownBefore": found.known_before,
        "matching": found.matching, "fired": found.firings.len(),
        "firedByData": by(Occasion::Data), "firedByTime": by(Occasion::Time),
        "perDay": days.collect::<Vec<_>>(), "perDayMean": found.per_day_mean,
        "score": found.score.as_ref().map(score_json),
        "truncated": found.firings.len() > limit,
        "signals": found.firings.iter().take(limit).map(firing_json).collect::<Vec<_>>(),
    })
}

fn firing_json(firing: &Firing) -> Value {
    let fields: Map<String, Value> =
        firing.fields.iter().map(|field| (field.id.clone(), field.value.clone())).collect();
    let occasion = match firing.occasion {
        Occasion::Data => "data",
        Occasion::Time => "time",
    };
    json!({
        "identifier": *firing.identifier, "at": firing.at, "by": occasion, "episode": firing.episode,
        "leftAt": firing.left_at, "fields": fields,
    })
}

fn score_json(score: &Score) -> Value {
    json!({
        "bad": score.bad, "warned": score.warned, "warnedInTime": score.warned_in_time,
        "falseAlarms": score.false_alarms, "undecided": score.undecided, "badBefore": score.bad_before,
        "precision": score.precision, "recall": score.recall, "recallInTime": score.recall_in_time,
        "lead": durations_json(score.lead),
    })
}

fn why_json(why: &Why) -> Value {
    let comparison = |one: &WhyComparison| {
        let rows = one.rows.iter().map(|(left, right, truth)| {
            let mut row = json!({ "left": left.to_json(), "truth": truth });
            if let Some(right) = right {
                row["right"] = right.to_json();
            }
            row
        });
        json!({
            "pql": one.pql, "left": one.left, "right": one.right, "rowCount": one.row_count,
            "rows": rows.collect::<Vec<_>>(),
        })
    };
    let filters = why.filters.iter().map(|filter| {
        json!({
            "id": filter.id, "pql": filter.pql, "truth": filter.truth,
            "comparisons": filter.comparisons.iter().map(comparison).collect::<Vec<_>>(),
        })
    });
    let standing = match &why.standing {
        WhyStanding::Never => json!({ "state": "never" }),
        WhyStanding::In { since, episode } => json!({ "state": "in", "since": since, "episode": episode }),
        WhyStanding::Left { since, episodes } => json!({ "state": "left", "since": since, "episode": episodes }),
        WhyStanding::Displaced { episodes } => json!({ "state": "displaced", "episode": episodes }),
        WhyStanding::Unpublished => json!({ "state": "unpublished" }),
    };
    let next = match &why.next {
        WhyNext::NoClock => json!({ "kind": "noClock" }),
        WhyNext::At(at, satisfies) => json!({ "kind": "at", "at": at, "satisfies": satisfies }),
        WhyNext::Never => json!({ "kind": "never" }),
        WhyNext::NotBefore(at) => json!({ "kind": "notBefore", "at": at }),
    };
    let case = why.case.as_ref().map(|(id, events)| json!({ "id": **id, "events": events }));
    json!({
        "model": why.model, "trigger": why.trigger, "name": why.name, "record": why.record,
        "identifier": why.identifier, "now": why.now, "satisfies": why.satisfies, "case": case,
        "filters": filters.collect::<Vec<_>>(), "detector": why.detector.as_ref().map(detector_json),
        "standing": standing, "next": next, "remarks": why.remarks,
    })
}

fn detector_json(detector: &WhyDetector) -> Value {
    let measure = |one: &WhyMeasure| {
        let figures = detector.fields.iter().zip(&one.values);
        let figures: Map<String, Value> = figures.map(|(name, value)| (name.clone(), value.to_json())).collect();
        json!({ "identifier": one.identifier, "fires": one.fires, "due": one.due, "figures": figures })
    };
    json!({
        "parameters": detector.parameters, "measured": detector.measured, "fields": detector.fields,
        "measures": detector.measures.iter().map(measure).collect::<Vec<_>>(),
    })
}
