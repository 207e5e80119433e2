//! Runs of flows: finding them, and starting and ending them by hand.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use base::{Actor, Timestamp};
use flows::{Again, RunFacets, RunFilter, RunId, Standing, StartingAt, Trial, Which};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::flows::{Run, read_id};
use crate::app::App;
use crate::body::{self, MaybeJson, Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Runs in a list, if nothing is said.
const RUNS_USUAL: usize = 50;
/// Runs in a list at most.
const RUNS_MAX: usize = 1_000;

/// Which runs are wanted.
#[derive(Deserialize, IntoParams, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
#[schema(as = RunsWanted)]
pub(super) struct Wanted {
    /// Only runs of this flow.
    flow: Option<String>,
    /// Only runs that stand so: `running`, `sleeping`, `held`, `success`,
    /// `warning`, `error`, `cancelled`; several with commas between.
    status: Option<String>,
    /// Only runs that were started so: `signal`, `schedule`, `manual`,
    /// `replay`, `module` …
    started_by: Option<String>,
    /// Only runs that started then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    #[schema(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only runs that started before.
    #[param(value_type = Option<String>, format = DateTime)]
    #[schema(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// Only runs in whose id, reason, input or recorded results this stands, in
    /// whatever case. Bundles of confidential flows are not looked at.
    text: Option<String>,
    /// Only runs before this one, which is `next` of the answer before.
    before: Option<String>,
    /// At most so many, 50 if nothing is said. Above 1000 it means 1000.
    #[param(value_type = Option<u64>, minimum = 0)]
    #[schema(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
    /// Also counts what each choice would find; only of all runs, and not while
    /// a text is searched for.
    facets: Option<bool>,
}

/// Some runs, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = RunsFound)]
pub(super) struct Found {
    runs: Vec<Run>,
    /// More may be found before this one.
    #[schema(required = true)]
    next: Option<String>,
    /// Where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    facets: Option<Facets>,
}

/// How many runs each choice would find: among those that started in the same
/// time, with all that is said of the other choices.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RunFacets)]
pub(super) struct Facets {
    /// By the key of the flow.
    #[schema(example = json!({"purchase": 12, "expedite": 3}))]
    flow: BTreeMap<String, u64>,
    /// By how they stand.
    #[schema(example = json!({"success": 14, "error": 1}))]
    status: BTreeMap<&'static str, u64>,
    /// By what started them.
    #[schema(example = json!({"schedule": 10, "manual": 5}))]
    started_by: BTreeMap<String, u64>,
}

impl From<RunFacets> for Facets {
    fn from(RunFacets { flow, status, started_by }: RunFacets) -> Self {
        Facets { flow, status, started_by }
    }
}

/// Which text of a flow is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Meant {
    /// The draft, or the published version; the published version, or the
    /// draft if there is none, if nothing is said.
    #[param(inline)]
    of: Option<OfWord>,
}

/// Which text is meant, and with what it is to run.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MeantWith {
    /// The draft, or the published version; the published version, or the
    /// draft if there is none, if nothing is said.
    #[param(inline)]
    of: Option<OfWord>,
    /// `waiting`: with what waits on the flow's hook, as many items as a run
    /// takes; else with the body.
    #[param(inline)]
    with: Option<WithWord>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(rename_all = "kebab-case")]
enum WithWord {
    Waiting,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(rename_all = "kebab-case")]
pub(super) enum OfWord {
    Draft,
    Published,
}

impl From<OfWord> for Which {
    fn from(word: OfWord) -> Self {
        match word {
            OfWord::Draft => Which::Draft,
            OfWord::Published => Which::Published,
        }
    }
}

/// The form of something that is filled in, as JSON Schema.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Object)]
pub(super) struct JsonSchema(pub(super) Value);

/// What a module is to run with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ModuleTrial)]
pub(super) struct Given {
    /// Its fields, typed in; without them its own mapping is used.
    #[schema(value_type = Option<Object>)]
    input: Option<Map<String, Value>>,
    /// Bundles of modules before it, by their ids.
    #[schema(value_type = Object)]
    bundles: BTreeMap<u32, Value>,
}

/// How a run is to be run again.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunAgain)]
pub(super) struct AgainBody {
    #[serde(default)]
    of: AgainWord,
    #[schema(value_type = Value)]
    #[serde(default)]
    from: StartWord,
    #[schema(value_type = Option<Value>)]
    #[serde(default)]
    input: Option<Value>,
    #[schema(value_type = Object)]
    #[serde(default)]
    bundles: BTreeMap<u32, Value>,
}

/// `start`, `failure` or the number of an operation.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(try_from = "Value")]
struct StartWord(StartingAt);

impl TryFrom<Value> for StartWord {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match (value.as_str(), value.as_u64()) {
            (Some("start"), _) => Ok(StartWord(StartingAt::Start)),
            (Some("failure"), _) => Ok(StartWord(StartingAt::Failure)),
            (_, Some(number)) => Ok(StartWord(StartingAt::Operation(number))),
            _ => Err(format!("{value} is none of \"start\", \"failure\" and the number of an operation")),
        }
    }
}

/// Which runs are to be run again, and how: the named ones, or those that are
/// found.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunsAgain)]
pub(super) struct ManyAgain {
    #[serde(default)]
    runs: Option<Vec<String>>,
    #[serde(rename = "where")]
    #[serde(default)]
    found: Option<Wanted>,
    #[serde(default)]
    of: AgainWord,
    #[schema(value_type = Value)]
    #[serde(default)]
    from: StartWord,
}

/// A run that was started.
#[derive(Serialize, ToSchema)]
#[schema(as = RunStarted)]
pub(super) struct Started {
    pub(super) id: String,
}

impl From<RunId> for Started {
    fn from(run: RunId) -> Self {
        Started { id: run.to_string() }
    }
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[schema(as = RunsStarted)]
pub(super) struct ManyStarted {
    started: Vec<StartedAgain>,
    refused: Vec<NotStarted>,
    /// Where the next look goes on, if there may be more.
    #[schema(required = true)]
    next: Option<String>,
}

/// A run that was run again.
#[derive(Serialize, ToSchema)]
struct StartedAgain {
    /// The earlier one.
    run: String,
    /// The new one.
    id: String,
}

/// A run that was not run again, and why.
#[derive(Serialize, ToSchema)]
struct NotStarted {
    run: String,
    code: &'static str,
    detail: String,
}

/// Which text is run.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RunAgainOf)]
enum AgainWord {
    #[default]
    ItsVersion,
    Current,
    Draft,
    Published,
}

/// Finds runs, newest first.
pub(super) async fn find(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(mut wanted): Query<Wanted>,
) -> Result<Json<Found>, Fault> {
    rights::use_flows(&app, &actor).await?;
    if wanted.facets.take() != Some(true) {
        return Ok(Json(found(&app, wanted).await?));
    }
    if wanted.text.as_deref().is_some_and(|text| !text.is_empty()) {
        let detail = "runs in which a text stands are not counted: leave out either \"facets\" or \"text\"";
        return Err(Fault::invalid("facets", "facets-of-text", detail));
    }
    let facets = app.flows.count_runs(filter(&wanted)?).await?;
    let found = found(&app, wanted).await?;
    Ok(Json(Found { facets: Some(facets.into()), ..found }))
}

fn filter(wanted: &Wanted) -> Result<RunFilter, Fault> {
    if wanted.facets.is_some() {
        let detail = "runs are counted only where all are listed: GET /api/v1/runs?facets=true";
        return Err(Fault::invalid("facets", "facets-elsewhere", detail));
    }
    Ok(RunFilter {
        flow: wanted.flow.clone(),
        standings: standings(wanted.status.as_deref())?,
        started_by: wanted.started_by.clone(),
        from: wanted.from,
        to: wanted.to,
        text: wanted.text.clone(),
    })
}

/// Lists runs of a flow, newest first.
pub(super) async fn of_flow(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Run>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(found(&app, Wanted { flow: Some(flow), ..wanted }).await?.runs))
}

async fn found(app: &App, wanted: Wanted) -> Result<Found, Fault> {
    let before = wanted.before.as_deref().map(|run| {
        run.parse().map_err(|_| Fault::invalid("before", "run-unknown", format!("\"{run}\" is not the id of a run")))
    });
    let limit = wanted.limit.map_or(RUNS_USUAL, |limit| limit.clamped(1, RUNS_MAX)) as u32;
    let page = app.flows.find_runs(filter(&wanted)?, before.transpose()?, limit).await?;
    let now = app.clock.now();
    let runs = page.runs.into_iter().map(|run| Run::new(run, now)).collect();
    Ok(Found { runs, next: page.next.map(|run| run.to_string()), facets: None })
}

fn standings(words: Option<&str>) -> Result<Vec<Standing>, Fault> {
    let read = |word: &str| {
        Standing::named(word).ok_or_else(|| {
            let known: Vec<&str> = Standing::ALL.iter().map(|standing| standing.word()).collect();
            Fault::invalid("status", "status-unknown", format!("\"{word}\" is not a status: {} are", known.join(", ")))
        })
    };
    words.map_or(Ok(Vec::new()), |words| words.split(',').map(|word| read(word.trim())).collect())
}

/// Shows the form of a flow's inputs, as JSON Schema.
pub(super) async fn form(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(meant): Query<Meant>,
) -> Result<Json<JsonSchema>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(JsonSchema(app.flows.form(&flow, meant.of.map(Which::from).unwrap_or_default()).await?)))
}

/// Starts one run; the body is what was filled into the form of the flow's
/// inputs, nothing if left out.
pub(super) async fn start(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(meant): Query<MeantWith>,
    MaybeJson(input): MaybeJson<Value>,
) -> Result<(StatusCode, Json<Started>), Fault> {
    let which = startable(&app, &actor, meant.of).await?;
    let run = match (meant.with, input) {
        (None, input) => app.flows.start(&actor, &flow, which, input.unwrap_or_else(|| json!({}))).await?,
        (Some(WithWord::Waiting), None) => app.flows.start_waiting(&actor, &flow, which).await?,
        (Some(WithWord::Waiting), Some(_)) => {
            return Err(Fault::invalid("with", "run-input-twice", "a run takes what waits or what is given, not both"));
        }
    };
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// Says what is started: whoever may not change flows starts what is published.
async fn startable(app: &App, actor: &Actor, wanted: Option<OfWord>) -> Result<Which, Fault> {
    match wanted {
        Some(OfWord::Draft) => rights::edit_flows(app, actor).await?,
        Some(OfWord::Published) => rights::run_flows(app, actor).await?,
        None if rights::edit_flows(app, actor).await.is_ok() => {}
        None => {
            rights::run_flows(app, actor).await?;
            return Ok(Which::Published);
        }
    }
    Ok(wanted.map(Which::from).unwrap_or_default())
}

/// Runs one module alone.
pub(super) async fn run_module(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, module)): Path<(String, String)>,
    Query(meant): Query<Meant>,
    MaybeJson(given): MaybeJson<body::Object<Given>>,
) -> Result<(StatusCode, Json<Started>), Fault> {
    rights::edit_flows(&app, &actor).await?;
    let module = module.parse().map_err(|_| {
        Fault::not_found("module-unknown", format!("\"{module}\" is not the id of a module, which is a number"))
    })?;
    let given = given.map(|body::Object(given)| given).unwrap_or_default();
    let trial = Trial { input: given.input, bundles: given.bundles };
    let which = meant.of.map(Which::from).unwrap_or_default();
    let run = app.flows.run_module(&actor, &flow, which, module, &trial).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

impl From<AgainWord> for Option<Which> {
    fn from(word: AgainWord) -> Self {
        match word {
            AgainWord::ItsVersion => None,
            AgainWord::Current => Some(Which::Usual),
            AgainWord::Draft => Some(Which::Draft),
            AgainWord::Published => Some(Which::Published),
        }
    }
}

/// Runs again what an earlier run did, from its start or from an operation on.
pub(super) async fn replay(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<String>,
    MaybeJson(again): MaybeJson<body::Object<AgainBody>>,
) -> Result<(StatusCode, Json<Started>), Fault> {
    rights::edit_flows(&app, &actor).await?;
    let AgainBody { of, from, input, bundles } = again.map(|body::Object(again)| again).unwrap_or_default();
    let input = input.map(|input| match input {
        Value::Array(bundles) => bundles,
        bundle => vec![bundle],
    });
    let again = Again { which: of.into(), at: from.0, input, bundles };
    let run = app.flows.run_again(&actor, read_id(&run)?, &again).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// Runs again what many earlier runs did. One that cannot be run again does not
/// keep the others from it.
pub(super) async fn replay_many(
    State(app): State<App>,
    Caller(actor): Caller,
    MaybeJson(many): MaybeJson<body::Object<ManyAgain>>,
) -> Result<(StatusCode, Json<ManyStarted>), Fault> {
    rights::edit_flows(&app, &actor).await?;
    let many = many.map(|body::Object(many)| many).unwrap_or_default();
    let (runs, next) = match (many.runs, many.found) {
        (Some(runs), None) if runs.len() <= RUNS_MAX => (runs, None),
        (Some(_), None) => {
            return Err(Fault::invalid("runs", "runs-too-many", format!("at most {RUNS_MAX} runs at once")));
        }
        (None, Some(wanted)) => {
            let found = found(&app, wanted).await?;
            (found.runs.into_iter().map(|run| run.id).collect(), found.next)
        }
        _ => return Err(Fault::invalid("runs", "runs-unnamed", "say either \"runs\" or \"where\"".to_owned())),
    };
    let again = Again { which: many.of.into(), at: many.from.0, ..Again::default() };
    let (mut started, mut refused) = (Vec::new(), Vec::new());
    for run in runs {
        let tried = match read_id(&run) {
            Ok(id) => app.flows.run_again(&actor, id, &again).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match tried {
            Ok(id) => started.push(StartedAgain { run, id: id.to_string() }),
            Err(fault) if fault.status.is_server_error() => return Err(fault),
            Err(fault) => refused.push(NotStarted { run, code: fault.code, detail: fault.detail }),
        }
    }
    Ok((StatusCode::ACCEPTED, Json(ManyStarted { started, refused, next })))
}

/// Plays the cases that stand in a flow's text.
pub(super) async fn test(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(meant): Query<Meant>,
) -> Result<Json<flows::cases::Report>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let which = meant.of.map_or(Which::Draft, Which::from);
    Ok(Json(app.flows.play_cases(&flow, which).await?))
}

/// Ends a run that has not ended.
pub(super) async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.cancel(&actor, read_id(&run)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
