//! Action flows and their runs.

use axum::Json;
use axum::extract::{Path, State};
use base::{Causes, Timestamp};
use flows::{
    Decision, FlowDetails, FlowInfo, FlowState, Notice, Operation, OperationStatus, Outcome, RunDetails, RunId,
    RunInfo, RunState, Severity,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::IntoParams;

use crate::app::App;
use crate::body::{self, MaybeJson, Query, Text, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Runs in a list, if nothing is said.
const RUNS_USUAL: usize = 50;
/// Runs in a list at most.
const RUNS_MAX: usize = 1_000;

/// A flow in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flow {
    key: String,
    name: String,
    state: &'static str,
    version: Option<u64>,
    draft_ahead: bool,
    hook: Option<String>,
    waiting: u64,
    next_at: Option<Timestamp>,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<String>,
}

/// A flow with its texts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowWithTexts {
    #[serde(flatten)]
    flow: Flow,
    draft: String,
    published: Option<String>,
    variables: Map<String, Value>,
    notices: Vec<Remark>,
}

/// What is noteworthy about a flow's text.
#[derive(Serialize)]
pub(super) struct Remark {
    severity: &'static str,
    module: Option<u32>,
    field: Option<String>,
    text: String,
}

/// A run in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    id: String,
    flow: String,
    version: String,
    started_by: String,
    state: &'static str,
    outcome: Option<&'static str>,
    reason: Option<String>,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    wakes_at: Option<Timestamp>,
    operation_count: u64,
}

/// A run with its operations.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunWithOperations {
    #[serde(flatten)]
    run: Run,
    input: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<Causes>,
    operations: Vec<Step>,
}

/// One step processing one bundle.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    number: u64,
    module: u32,
    kind: String,
    path: String,
    status: &'static str,
    status_code: Option<u16>,
    input: Value,
    output: Vec<Value>,
    detail: Option<String>,
    started_at: Timestamp,
    ended_at: Timestamp,
}

/// How many runs are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The latest so many, 50 if nothing is said. Above 1000 it means 1000.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
}

/// What becomes of a run that is held.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decided {
    decision: DecisionWord,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DecisionWord {
    Repeat,
    Abandon,
}

/// Lists the flows.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Flow>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.list().await?.into_iter().map(Flow::from).collect()))
}

/// Shows a flow with its texts.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<Json<FlowWithTexts>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.get(&flow).await?.into()))
}

/// Stores the draft of a flow; the body is its text, YAML or a blueprint.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Text(text): Text,
) -> Result<Json<Value>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let notices = app.flows.put(&actor, &flow, &text).await?;
    let notices: Vec<Remark> = notices.into_iter().map(Remark::from).collect();
    Ok(Json(json!({ "key": flow, "notices": notices })))
}

/// Sets values of the flow's variables.
pub(super) async fn set_variables(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    body::Json(variables): body::Json<Map<String, Value>>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.set_variables(&actor, &flow, variables).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the draft the version that runs.
pub(super) async fn publish(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<Json<Value>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let version = app.flows.publish(&actor, &flow).await?;
    Ok(Json(json!({ "key": flow, "version": version })))
}

/// Switches schedule or hook on.
pub(super) async fn activate(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.activate(&actor, &flow).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switches schedule or hook off.
pub(super) async fn deactivate(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.deactivate(&actor, &flow).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts one run; the body is its start bundle, an empty one if left out.
pub(super) async fn run_once(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    MaybeJson(input): MaybeJson<Value>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    rights::edit_flows(&app, &actor).await?;
    let run = app.flows.run_once(&actor, &flow, input.unwrap_or_else(|| json!({}))).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": run }))))
}

/// Lists the latest runs of a flow, newest first.
pub(super) async fn runs(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Run>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let runs =
        app.flows.runs(&flow, wanted.limit.map_or(RUNS_USUAL, |limit| limit.clamped(1, RUNS_MAX)) as u32).await?;
    Ok(Json(runs.into_iter().map(Run::from).collect()))
}

/// Shows a run with its operations.
pub(super) async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<String>,
) -> Result<Json<RunWithOperations>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.run_details(read_id(&run)?).await?.into()))
}

/// Takes a person's decision about a run that is in doubt or parked.
pub(super) async fn decide(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<String>,
    body::Json(decided): body::Json<Decided>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let decision = match decided.decision {
        DecisionWord::Repeat => Decision::Repeat,
        DecisionWord::Abandon => Decision::Abandon,
    };
    app.flows.decide(&actor, read_id(&run)?, decision).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_id(run: &str) -> Result<RunId, Fault> {
    run.parse().map_err(|_| Fault::not_found("run-unknown", format!("run \"{run}\" does not exist")))
}

impl From<FlowInfo> for Flow {
    fn from(info: FlowInfo) -> Self {
        let FlowInfo { key, name, state, version, draft_ahead, hook, waiting, next_at, updated_at, paused } = info;
        let state = match state {
            FlowState::Inactive => "inactive",
            FlowState::Active => "active",
            FlowState::Paused => "paused",
        };
        Flow { key, name, state, version, draft_ahead, hook, waiting, next_at, updated_at, paused }
    }
}

impl From<FlowDetails> for FlowWithTexts {
    fn from(details: FlowDetails) -> Self {
        let FlowDetails { info, draft, published, variables, notices } = details;
        let notices = notices.into_iter().map(Remark::from).collect();
        FlowWithTexts { flow: info.into(), draft, published, variables, notices }
    }
}

impl From<Notice> for Remark {
    fn from(notice: Notice) -> Self {
        let Notice { severity, module, field, text } = notice;
        let severity = match severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        Remark { severity, module, field, text }
    }
}

impl From<RunInfo> for Run {
    fn from(info: RunInfo) -> Self {
        Run {
            id: info.id.to_string(),
            flow: info.flow,
            version: info.version,
            started_by: info.started_by,
            state: match info.state {
                RunState::Live => "live",
                RunState::InDoubt => "in-doubt",
                RunState::Parked => "parked",
                RunState::Ended => "ended",
            },
            outcome: info.outcome.map(|outcome| match outcome {
                Outcome::Success => "success",
                Outcome::Warning => "warning",
                Outcome::Error => "error",
            }),
            reason: info.reason,
            started_at: info.started_at,
            ended_at: info.ended_at,
            wakes_at: info.wakes_at,
            operation_count: info.operations,
        }
    }
}

impl From<RunDetails> for RunWithOperations {
    fn from(details: RunDetails) -> Self {
        let RunDetails { info, input, causes, operations } = details;
        let operations = operations.into_iter().map(Step::from).collect();
        RunWithOperations { run: info.into(), input, causes, operations }
    }
}

impl From<Operation> for Step {
    fn from(operation: Operation) -> Self {
        Step {
            number: operation.number,
            module: operation.module,
            kind: operation.kind,
            path: operation.path,
            status: match operation.status {
                OperationStatus::Success => "success",
                OperationStatus::Warning => "warning",
                OperationStatus::Error => "error",
                OperationStatus::Filtered => "filtered",
            },
            status_code: operation.status_code,
            input: operation.input,
            output: operation.output,
            detail: operation.detail,
            started_at: operation.started_at,
            ended_at: operation.ended_at,
        }
    }
}
