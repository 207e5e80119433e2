//! Backtests of triggers, and why a trigger holds an instance.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use http::StatusCode;
use mining::backtest::{Backtest, BacktestWanted, EndSet, Firing, Occasion, Running, Score};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::explored::Durations;
use super::why::Why;
use crate::app::App;
use crate::body::MaybeJson;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Signals in an answer, if nothing is said.
const FIRINGS_USUAL: usize = 1_000;
const FIRINGS_MAX: usize = 100_000;

/// What to replay, and how.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = BacktestAsked)]
pub(super) struct Asked {
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    from: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(default)]
    to: Option<Timestamp>,
    /// Seconds from one push to the next; each instant is one if left out.
    #[serde(default)]
    every_seconds: Option<f64>,
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    finished: Option<String>,
    #[schema(value_type = Option<Value>)]
    #[serde(default)]
    end_set: Option<AskedEnds>,
    #[schema(value_type = Object)]
    #[serde(default)]
    variables: BTreeMap<String, Value>,
    #[serde(default)]
    known_by: BTreeMap<String, String>,
    #[serde(default)]
    draft: bool,
    /// Signals in the answer at most.
    #[serde(default)]
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
) -> Result<Json<Replayed>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    let asked = asked.unwrap_or_default();
    let limit = asked.limit.unwrap_or(FIRINGS_USUAL).min(FIRINGS_MAX);
    let found = app.mining.backtest(&model, &trigger, asked.wanted()?).await?;
    Ok(Json(Replayed::new(found, limit)))
}

/// Lists the backtests under way on models that the caller may use.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<UnderWay>>, Fault> {
    let models = rights::usable_models(&app, &actor).await?;
    let running = app.mining.backtests().into_iter();
    let own = running.filter(|running| models.iter().any(|model| model.id == running.model));
    Ok(Json(own.map(|running| UnderWay::from(&running)).collect()))
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
) -> Result<Json<Why>, Fault> {
    rights::use_model(&app, &actor, &model).await?;
    Ok(Json(app.mining.why(&model, &trigger, &identifier).await?.into()))
}

/// A backtest under way.
#[derive(Serialize, ToSchema)]
#[schema(as = BacktestUnderWay)]
pub(super) struct UnderWay {
    number: u64,
    model: String,
    trigger: String,
    /// On the wall clock.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// How much is done, from 0 to 1.
    share: f64,
    /// What the replayed clock shows.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    at: Option<Timestamp>,
}

/// What a trigger would have done.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Backtest)]
pub(super) struct Replayed {
    model: String,
    trigger: String,
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    #[schema(required = true)]
    end_set: Option<Vec<String>>,
    cases: u64,
    events: u64,
    timeless: u64,
    commits: u64,
    deadlines: u64,
    known_before: u64,
    matching: u64,
    fired: usize,
    fired_by_data: usize,
    fired_by_time: usize,
    per_day: Vec<Day>,
    per_day_mean: f64,
    #[schema(required = true)]
    score: Option<ScoreShown>,
    /// There were more signals than are told.
    truncated: bool,
    signals: Vec<Signal>,
}

/// What was fired on a day.
#[derive(Serialize, ToSchema)]
#[schema(as = BacktestDay)]
struct Day {
    #[schema(format = Date)]
    day: String,
    fired: u64,
}

/// A signal that would have been sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BacktestSignal)]
struct Signal {
    identifier: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `data` or `time`.
    by: &'static str,
    episode: u64,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    left_at: Option<Timestamp>,
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
}

/// Whether it would have been right.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BacktestScore)]
struct ScoreShown {
    bad: u64,
    warned: u64,
    warned_in_time: u64,
    false_alarms: u64,
    undecided: u64,
    bad_before: u64,
    #[schema(required = true)]
    precision: Option<f64>,
    #[schema(required = true)]
    recall: Option<f64>,
    #[schema(required = true)]
    recall_in_time: Option<f64>,
    #[schema(required = true)]
    lead: Option<Durations>,
}

impl From<&Running> for UnderWay {
    fn from(running: &Running) -> Self {
        let at = running.progress.at.load(std::sync::atomic::Ordering::Relaxed);
        UnderWay {
            number: running.number,
            model: running.model.clone(),
            trigger: running.trigger.clone(),
            since: running.since,
            share: running.share(),
            at: (at != 0).then(|| Timestamp::from_millis(at)),
        }
    }
}

impl Replayed {
    fn new(found: Backtest, limit: usize) -> Self {
        let days = found.per_day.iter().map(|(day, fired)| {
            let day = day.to_string();
            Day { day: day.split('T').next().unwrap_or_default().to_owned(), fired: *fired }
        });
        let by = |occasion: Occasion| found.firings.iter().filter(|firing| firing.occasion == occasion).count();
        Replayed {
            from: found.from,
            to: found.to,
            cases: found.cases,
            events: found.events,
            timeless: found.timeless,
            commits: found.commits,
            deadlines: found.deadlines,
            known_before: found.known_before,
            matching: found.matching,
            fired: found.firings.len(),
            fired_by_data: by(Occasion::Data),
            fired_by_time: by(Occasion::Time),
            per_day: days.collect(),
            per_day_mean: found.per_day_mean,
            score: found.score.map(ScoreShown::from),
            truncated: found.firings.len() > limit,
            signals: found.firings.iter().take(limit).map(Signal::from).collect(),
            model: found.model,
            trigger: found.trigger,
            end_set: found.end_set,
        }
    }
}

impl From<&Firing> for Signal {
    fn from(firing: &Firing) -> Self {
        let by = match firing.occasion {
            Occasion::Data => "data",
            Occasion::Time => "time",
        };
        Signal {
            identifier: firing.identifier.to_string(),
            at: firing.at,
            by,
            episode: firing.episode,
            left_at: firing.left_at,
            fields: firing.fields.iter().map(|field| (field.id.clone(), field.value.clone())).collect(),
        }
    }
}

impl From<Score> for ScoreShown {
    fn from(score: Score) -> Self {
        ScoreShown {
            bad: score.bad,
            warned: score.warned,
            warned_in_time: score.warned_in_time,
            false_alarms: score.false_alarms,
            undecided: score.undecided,
            bad_before: score.bad_before,
            precision: score.precision,
            recall: score.recall,
            recall_in_time: score.recall_in_time,
            lead: score.lead.map(Durations::from),
        }
    }
}
