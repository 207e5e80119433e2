//! Action flows and their runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use base::{Causes, Timestamp};
use flows::filter::Judgement;
use flows::history;
use flows::{
    Choice, Decision, FlowDetails, FlowInfo, FlowState, InFlight, ModuleTotal, Notice, Operation, OperationStatus,
    Outcome, RunDetails, RunId, RunInfo, RunState, Severity, Standing,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{self, Query, Text};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A flow in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flow {
    key: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    package: Option<String>,
    state: FlowState,
    #[schema(required = true)]
    version: Option<u64>,
    draft_ahead: bool,
    #[schema(required = true)]
    hook: Option<String>,
    waiting: u64,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    paused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    switched_off: Option<String>,
}

/// A flow with its texts.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlowWithTexts {
    #[serde(flatten)]
    flow: Flow,
    draft: String,
    #[schema(required = true)]
    published: Option<String>,
    #[schema(value_type = Object)]
    variables: Map<String, Value>,
    notices: Vec<Remark>,
}

/// What is noteworthy about a flow's text.
#[derive(Serialize, ToSchema)]
pub(super) struct Remark {
    severity: Severity,
    #[schema(required = true)]
    module: Option<u32>,
    #[schema(required = true)]
    field: Option<String>,
    text: String,
}

/// A run in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run {
    pub(super) id: String,
    flow: String,
    version: String,
    started_by: String,
    /// How it stands, in one word; `state` and `outcome` say the same apart.
    status: Standing,
    state: RunState,
    #[schema(required = true)]
    outcome: Option<Outcome>,
    #[schema(required = true)]
    reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    ended_at: Option<Timestamp>,
    /// From its start to its end.
    #[schema(required = true)]
    duration_ms: Option<u64>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    wakes_at: Option<Timestamp>,
    operation_count: u64,
}

/// A run with its operations.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunWithOperations {
    #[serde(flatten)]
    run: Run,
    #[schema(value_type = Vec<Value>)]
    input: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Value>)]
    causes: Vec<Causes>,
    /// The operations added up by module.
    modules: Vec<ModuleTotal>,
    operations: Vec<Step>,
    /// Which ways bundles went between them, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    choices: Vec<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    in_flight: Option<InFlight>,
    /// What came of the effect in flight after the run was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    late: Option<Step>,
    /// Why the operations are not all there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    note: Option<String>,
}

/// One step processing one bundle.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Operation)]
pub(super) struct Step {
    /// 1, 2, 3 … in the run.
    number: u64,
    /// Id of the module in the flow.
    module: u32,
    /// Kind of the module.
    kind: String,
    /// Which bundles led here: `1.2/5.1` is the first bundle of module 5 below
    /// the second one of module 1.
    path: String,
    status: OperationStatus,
    /// HTTP status, where there is one.
    #[schema(required = true)]
    status_code: Option<u16>,
    /// What the module was given, its secrets blotted out.
    #[schema(value_type = Value)]
    input: Value,
    /// The bundles that it gave.
    #[schema(value_type = Vec<Value>)]
    output: Vec<Value>,
    /// What went wrong, or why a bundle did not pass.
    #[schema(required = true)]
    detail: Option<String>,
    /// What the filter at its entrance said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    filter: Option<Judgement>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ended_at: Timestamp,
}

/// A draft that was stored, or a flow that was switched on.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowTold)]
pub(super) struct Told {
    key: String,
    notices: Vec<Remark>,
}

/// A flow that was published.
#[derive(Serialize, ToSchema)]
#[schema(as = FlowPublished)]
pub(super) struct Published {
    key: String,
    version: u64,
}

/// What becomes of a run that is held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunDecision)]
pub(super) struct Decided {
    decision: DecisionWord,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RunDecisionWord)]
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
) -> Result<Json<Told>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let notices = app.flows.put(&actor, &flow, &text).await?;
    let notices: Vec<Remark> = notices.into_iter().map(Remark::from).collect();
    Ok(Json(Told { key: flow, notices }))
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
    body::MaybeJson(remarks): body::MaybeJson<super::flow_versions::Remarks>,
) -> Result<Json<Published>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let version = app.flows.publish_noted(&actor, &flow, remarks.unwrap_or_default().note).await?;
    Ok(Json(Published { key: flow, version }))
}

/// Switches schedule or hook on; names the modules that will fail because they
/// are not known here.
pub(super) async fn activate(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
) -> Result<Json<Told>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let notices = app.flows.activate(&actor, &flow).await?;
    let notices: Vec<Remark> = notices.into_iter().map(Remark::from).collect();
    Ok(Json(Told { key: flow, notices }))
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

/// How much of a run is wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Extent {
    /// `false` leaves the operations out; they can be had page by page.
    #[serde(default = "yes")]
    operations: bool,
}

fn yes() -> bool {
    true
}

/// Shows a run with its operations.
pub(super) async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<String>,
    Query(extent): Query<Extent>,
) -> Result<Json<RunWithOperations>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let details = app.flows.run_details(read_id(&run)?).await?;
    Ok(Json(RunWithOperations::new(details, extent.operations, app.clock.now())))
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

pub(super) fn read_id(run: &str) -> Result<RunId, Fault> {
    run.parse().map_err(|_| Fault::not_found("run-unknown", format!("run \"{run}\" does not exist")))
}

impl From<FlowInfo> for Flow {
    fn from(info: FlowInfo) -> Self {
        let FlowInfo {
            key,
            name,
            package,
            state,
            version,
            draft_ahead,
            hook,
            waiting,
            next_at,
            updated_at,
            paused,
            switched_off,
        } = info;
        Flow {
            key,
            name,
            package,
            state,
            version,
            draft_ahead,
            hook,
            waiting,
            next_at,
            updated_at,
            paused,
            switched_off,
        }
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
        Remark { severity, module, field, text }
    }
}

impl Run {
    pub(super) fn new(info: RunInfo, now: Timestamp) -> Self {
        Run {
            status: info.standing(now),
            id: info.id.to_string(),
            flow: info.flow,
            version: info.version,
            started_by: info.started_by,
            state: info.state,
            outcome: info.outcome,
            duration_ms: info.ended_at.map(|ended_at| ended_at.since(info.started_at).as_millis() as u64),
            reason: info.reason,
            started_at: info.started_at,
            ended_at: info.ended_at,
            wakes_at: info.wakes_at,
            operation_count: info.operations,
        }
    }
}

impl RunWithOperations {
    /// Without its operations, if they are not wanted: copying ten thousand takes time.
    fn new(details: RunDetails, with_operations: bool, now: Timestamp) -> Self {
        let RunDetails { info, input, causes, operations, choices, in_flight, late, note } = details;
        let modules = history::totals(&operations);
        let wanted = if with_operations { operations.as_slice() } else { &[] };
        let operations = wanted.iter().cloned().map(Step::from).collect();
        let late = late.map(Step::from);
        RunWithOperations {
            run: Run::new(info, now),
            input,
            causes,
            modules,
            operations,
            choices: Arc::unwrap_or_clone(choices),
            in_flight,
            late,
            note,
        }
    }
}

impl From<Operation> for Step {
    fn from(operation: Operation) -> Self {
        Step {
            number: operation.number,
            module: operation.module,
            kind: operation.kind,
            path: operation.path,
            status: operation.status,
            status_code: operation.status_code,
            input: operation.input,
            output: operation.output,
            detail: operation.detail,
            filter: operation.filter,
            started_at: operation.started_at,
            ended_at: operation.ended_at,
        }
    }
}
