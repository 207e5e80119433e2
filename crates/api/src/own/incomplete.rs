//! Incomplete executions of flows.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use flows::{IncompleteDetails, IncompleteId, IncompleteInfo, IncompleteState, RetryVersion};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::runs::Started;
use crate::app::App;
use crate::body::{MaybeJson, Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Executions in a list, if nothing is said.
const LISTED_USUAL: usize = 50;
/// Executions in a list at most.
const LISTED_MAX: usize = 1_000;

/// An incomplete execution in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Incomplete {
    id: String,
    flow: String,
    run: String,
    version: String,
    module: u32,
    class: String,
    reason: String,
    state: IncompleteState,
    attempts: u32,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    retry_at: Option<Timestamp>,
    #[schema(required = true)]
    retry_run: Option<String>,
    size: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// An incomplete execution with its bundles.
#[derive(Serialize, ToSchema)]
pub(super) struct IncompleteWithBundles {
    #[serde(flatten)]
    incomplete: Incomplete,
    #[schema(value_type = Object)]
    bundles: Map<String, Value>,
}

/// Which of them are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// The latest so many, 50 if nothing is said. Above 1000 it means 1000.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
    /// `open` for those that wait only; else all of them.
    state: Option<String>,
}

/// What came of letting many go on.
#[derive(Serialize, ToSchema)]
#[schema(as = IncompleteRetried)]
pub(super) struct ManyRetried {
    started: Vec<GoesOn>,
    refused: Vec<Stays>,
}

/// One that goes on.
#[derive(Serialize, ToSchema)]
#[schema(as = IncompleteGoesOn)]
struct GoesOn {
    /// The run.
    id: String,
    incomplete: String,
}

/// One that does not go on, and why.
#[derive(Serialize, ToSchema)]
#[schema(as = IncompleteStays)]
struct Stays {
    incomplete: String,
    code: &'static str,
    detail: String,
}

/// With which version one goes on.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetryOne)]
pub(super) struct Retried {
    #[serde(default)]
    version: VersionWord,
}

/// Which of them go on, all open ones if nothing is said, and with which
/// version.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RetryMany)]
pub(super) struct RetriedMany {
    #[serde(default)]
    version: VersionWord,
    #[serde(default)]
    ids: Option<Vec<String>>,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RetryVersion)]
enum VersionWord {
    #[default]
    Same,
    Published,
    Draft,
}

impl From<VersionWord> for RetryVersion {
    fn from(word: VersionWord) -> Self {
        match word {
            VersionWord::Same => RetryVersion::Same,
            VersionWord::Published => RetryVersion::Published,
            VersionWord::Draft => RetryVersion::Draft,
        }
    }
}

/// Lists the incomplete executions of a flow, newest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Incomplete>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let limit = wanted.limit.map_or(LISTED_USUAL, |limit| limit.clamped(1, LISTED_MAX)) as u32;
    let open_only = wanted.state.as_deref() == Some("open");
    let listed = app.flows.incompletes(&flow, open_only, limit).await?;
    Ok(Json(listed.into_iter().map(Incomplete::from).collect()))
}

/// Shows an incomplete execution with its bundles.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, id)): Path<(String, String)>,
) -> Result<Json<IncompleteWithBundles>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let IncompleteDetails { info, bundles } = app.flows.incomplete(&flow, read_id(&id)?).await?;
    Ok(Json(IncompleteWithBundles { incomplete: info.into(), bundles }))
}

/// Lets an incomplete execution go on now.
pub(super) async fn retry(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, id)): Path<(String, String)>,
    MaybeJson(retried): MaybeJson<Retried>,
) -> Result<(StatusCode, Json<Started>), Fault> {
    rights::edit_flows(&app, &actor).await?;
    let version = retried.unwrap_or_default().version.into();
    let run = app.flows.retry_incomplete(&actor, &flow, read_id(&id)?, version).await?;
    Ok((StatusCode::ACCEPTED, Json(run.into())))
}

/// Lets many of them go on now; one that cannot does not keep the others from
/// it.
pub(super) async fn retry_many(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(flow): Path<String>,
    MaybeJson(retried): MaybeJson<RetriedMany>,
) -> Result<(StatusCode, Json<ManyRetried>), Fault> {
    rights::edit_flows(&app, &actor).await?;
    let RetriedMany { version, ids } = retried.unwrap_or_default();
    let ids = match ids {
        Some(ids) => ids.iter().map(|id| read_id(id)).collect::<Result<Vec<_>, _>>()?,
        None => {
            let open = app.flows.incompletes(&flow, true, LISTED_MAX as u32).await?;
            // The oldest goes first, as it came.
            open.into_iter().rev().map(|info| info.id).collect()
        }
    };
    let (mut started, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        match app.flows.retry_incomplete(&actor, &flow, id, version.into()).await.map_err(Fault::from) {
            Ok(run) => started.push(GoesOn { id: run.to_string(), incomplete: id.to_string() }),
            Err(fault) if fault.status.is_server_error() => return Err(fault),
            Err(fault) => refused.push(Stays { incomplete: id.to_string(), code: fault.code, detail: fault.detail }),
        }
    }
    Ok((StatusCode::ACCEPTED, Json(ManyRetried { started, refused })))
}

/// Says that an incomplete execution is done.
pub(super) async fn resolve(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.resolve_incomplete(&actor, &flow, read_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes an incomplete execution with its data.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((flow, id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.delete_incomplete(&actor, &flow, read_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read_id(id: &str) -> Result<IncompleteId, Fault> {
    let unknown = || Fault::not_found("incomplete-unknown", format!("incomplete execution \"{id}\" does not exist"));
    id.parse().map_err(|_| unknown())
}

impl From<IncompleteInfo> for Incomplete {
    fn from(info: IncompleteInfo) -> Self {
        Incomplete {
            id: info.id.to_string(),
            flow: info.flow,
            run: info.run.to_string(),
            version: info.version,
            module: info.module,
            class: info.class,
            reason: info.reason,
            state: info.state,
            attempts: info.attempts,
            retry_at: info.retry_at,
            retry_run: info.retry_run.map(|run| run.to_string()),
            size: info.size,
            created_at: info.created_at,
            updated_at: info.updated_at,
        }
    }
}
