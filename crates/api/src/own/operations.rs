//! The operations of a run, page by page: a run of ten thousand is looked at
//! without loading all that it was given.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use flows::{Operation, OperationStatus, RunDetails};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::flows::{Step, read_id};
use crate::app::App;
use crate::body::{Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Operations in an answer, if nothing is said.
const LIMIT_USUAL: usize = 100;
/// Operations in an answer at most; without their bundles, ten times as many.
const LIMIT_MAX: usize = 1_000;

/// Which operations are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Only those with a higher number, which is `next` of the answer before.
    #[param(value_type = Option<u64>, minimum = 0)]
    after: Option<Whole>,
    /// At most so many, 100 if nothing is said.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 10_000)]
    limit: Option<Whole>,
    /// Only those of the module with this id.
    #[param(value_type = Option<u64>, minimum = 0)]
    module: Option<Whole>,
    /// Without input and output.
    #[serde(default)]
    light: bool,
}

/// Some operations of a run, in their order.
#[derive(Serialize, ToSchema)]
#[schema(as = Operations)]
pub(super) struct Page {
    operations: Vec<OneOf>,
    /// More may follow behind this number.
    #[schema(required = true)]
    next: Option<u64>,
    /// How many there are that are wanted, on all pages.
    total: u64,
}

/// An operation, whole or without its bundles.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = OperationOrOutline)]
enum OneOf {
    Whole(Step),
    Light(Outline),
}

/// An operation without its bundles.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OperationOutline)]
struct Outline {
    /// 1, 2, 3 … in the run.
    number: u64,
    /// Id of the module in the flow.
    module: u32,
    /// Which bundles led here.
    path: String,
    status: OperationStatus,
    /// HTTP status, where there is one.
    #[schema(required = true)]
    status_code: Option<u16>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    ended_at: Timestamp,
}

impl From<&Operation> for Outline {
    fn from(operation: &Operation) -> Self {
        Outline {
            number: operation.number,
            module: operation.module,
            path: operation.path.clone(),
            status: operation.status,
            status_code: operation.status_code,
            started_at: operation.started_at,
            ended_at: operation.ended_at,
        }
    }
}

/// Lists operations of a run in their order.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page>, Fault> {
    let details = details(&app, &actor, &run).await?;
    let most = if wanted.light { 10 * LIMIT_MAX } else { LIMIT_MAX };
    let limit = wanted.limit.map_or(LIMIT_USUAL, |limit| limit.clamped(1, most));
    let after = wanted.after.map_or(0, |after| after.0);
    let module = wanted.module.map(|module| module.0);
    let is_wanted = |operation: &Operation| module.is_none_or(|module| u64::from(operation.module) == module);
    let mut operations: Vec<&Operation> = details.operations.iter().filter(|operation| is_wanted(operation)).collect();
    let total = operations.len() as u64;
    operations.retain(|operation| operation.number > after);
    let is_more = operations.len() > limit;
    operations.truncate(limit);
    let next = operations.last().filter(|_| is_more).map(|operation| operation.number);
    let one = |operation: &Operation| {
        if wanted.light { OneOf::Light(operation.into()) } else { OneOf::Whole(operation.clone().into()) }
    };
    Ok(Json(Page { operations: operations.into_iter().map(one).collect(), next, total }))
}

/// Shows one operation, whole.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((run, number)): Path<(String, String)>,
) -> Result<Json<Step>, Fault> {
    let details = details(&app, &actor, &run).await?;
    let unknown = || Fault::not_found("operation-unknown", format!("run \"{run}\" has no operation \"{number}\""));
    let wanted: u64 = number.parse().map_err(|_| unknown())?;
    let found = details.operations.iter().find(|operation| operation.number == wanted);
    found.map(|operation| Json(operation.clone().into())).ok_or_else(unknown)
}

async fn details(app: &App, actor: &base::Actor, run: &str) -> Result<RunDetails, Fault> {
    rights::use_flows(app, actor).await?;
    Ok(app.flows.run_details(read_id(run)?).await?)
}
