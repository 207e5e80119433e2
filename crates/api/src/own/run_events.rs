//! Runs of flows and jobs as event logs, so that automation is mined too.
//!
//! A case is a run, an event one operation of a module or one attempt of a
//! task, with a first and a last event for the run itself. The CSV can be
//! pushed into a pool as it is: case `RUN`, activity `ACTIVITY`, time `AT`,
//! end `ENDED_AT`, and `EVENT` as a key, so that the same export pushed again
//! changes nothing.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base::Timestamp;
use flows::{OperationStatus, Outcome, RunDetails};
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use utoipa::IntoParams;
use workspace::{RunView, RunsQuery};

use crate::app::App;
use crate::body::{Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Runs in an export, if nothing is said; per flow.
const RUNS_USUAL: usize = 1_000;
const RUNS_MAX: usize = 10_000;
/// Runs of flows that are read at once.
const FLOW_RUNS_MAX: u32 = 10_000;

/// Which runs.
#[derive(Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Only runs that started then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only runs of this flow.
    flow: Option<String>,
    /// The newest so many, of flows per flow; 1000 if nothing is said. Above
    /// 10000 it means 10000.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
}

/// Exports the runs of flows: a row per start, operation and end.
pub(super) async fn of_flows(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    rights::use_flows(&app, &actor).await?;
    let limit = asked.limit.map_or(RUNS_USUAL, |limit| limit.clamped(1, RUNS_MAX)) as u32;
    let keys = match asked.flow {
        Some(flow) => vec![app.flows.get(&flow).await?.info.key],
        None => app.flows.list().await?.into_iter().map(|flow| flow.key).collect(),
    };
    let mut csv = String::from(
        "EVENT,RUN,ACTIVITY,AT,ENDED_AT,STATE,FLOW,VERSION,STARTED_BY,MODULE,KIND,STATUS_CODE,PATH,DETAIL\n",
    );
    for key in keys {
        for run in app.flows.runs(&key, limit.min(FLOW_RUNS_MAX)).await? {
            if asked.from.is_none_or(|from| run.started_at >= from) {
                write_flow_run(&mut csv, &app.flows.run_details(run.id).await?);
            }
        }
    }
    Ok(answer(csv))
}

/// Exports the runs of jobs: a row per start, attempt of a task and end.
pub(super) async fn of_jobs(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Asked>,
) -> Result<Response, Fault> {
    rights::use_flows(&app, &actor).await?;
    let mut left = asked.limit.map_or(RUNS_USUAL, |limit| limit.clamped(1, RUNS_MAX));
    let mut csv =
        String::from("EVENT,RUN,ACTIVITY,AT,ENDED_AT,STATE,JOB,JOB_NAME,CREATOR,TASK,ATTEMPT,DURATION_MS,DETAIL\n");
    let mut query = RunsQuery { start_from: asked.from, limit: Some(0), ..RunsQuery::default() };
    loop {
        let page = app.workspace.runs(query.clone()).await?;
        for run in page.items.iter().take(left) {
            write_job_run(&mut csv, run);
        }
        left = left.saturating_sub(page.items.len());
        match page.next {
            Some(next) if left > 0 => query.page_token = Some(next),
            _ => break,
        }
    }
    Ok(answer(csv))
}

fn answer(csv: String) -> Response {
    ([(CONTENT_TYPE, "text/csv; charset=utf-8")], Body::from(csv)).into_response()
}

fn write_flow_run(csv: &mut String, run: &RunDetails) {
    let info = &run.info;
    let id = info.id.to_string();
    let shared = [info.flow.as_str(), &info.version, &info.started_by];
    let mut row =
        |event: &str, activity: &str, at: Timestamp, ended: Option<Timestamp>, state: &str, own: [&str; 5]| {
            let (at, ended) = (at.to_string(), ended.map_or(String::new(), |at| at.to_string()));
            let head = [event, id.as_str(), activity, at.as_str(), ended.as_str(), state];
            line(csv, head.into_iter().chain(shared).chain(own));
        };
    row(&format!("{}/0", info.id), "Run started", info.started_at, None, "started", [""; 5]);
    for operation in run.operations.iter() {
        let state = match operation.status {
            OperationStatus::Success => "success",
            OperationStatus::Warning => "warning",
            OperationStatus::Error => "error",
            OperationStatus::Filtered => "filtered",
        };
        let module = operation.module.to_string();
        let code = operation.status_code.map_or(String::new(), |code| code.to_string());
        row(
            &format!("{}/{}", info.id, operation.number),
            &format!("{} {}", operation.module, operation.kind),
            operation.started_at,
            Some(operation.ended_at),
            state,
            [&module, &operation.kind, &code, &operation.path, operation.detail.as_deref().unwrap_or_default()],
        );
    }
    if let Some(ended) = info.ended_at {
        let (activity, state) = match info.outcome {
            Some(Outcome::Success) => ("Run succeeded", "success"),
            Some(Outcome::Warning) => ("Run ended with a warning", "warning"),
            Some(Outcome::Error) => ("Run failed", "error"),
            Some(Outcome::Cancelled) => ("Run cancelled", "cancelled"),
            None => ("Run ended", "ended"),
        };
        let reason = info.reason.as_deref().unwrap_or_default();
        row(&format!("{}/end", info.id), activity, ended, None, state, ["", "", "", "", reason]);
    }
}

fn write_job_run(csv: &mut String, run: &RunView) {
    let id = run.run.to_string();
    let job = run.job.map_or(String::new(), |job| job.to_string());
    let shared = [job.as_str(), &run.name, &run.creator];
    let mut row =
        |event: &str, activity: &str, at: Option<Timestamp>, ended: Option<Timestamp>, state: &str, own: [&str; 4]| {
            let Some(at) = at else { return };
            let (at, ended) = (at.to_string(), ended.map_or(String::new(), |at| at.to_string()));
            let head = [event, id.as_str(), activity, at.as_str(), ended.as_str(), state];
            line(csv, head.into_iter().chain(shared).chain(own));
        };
    row(&format!("{id}/start"), "Run asked for", run.start, None, "started", [""; 4]);
    let mut attempts: Vec<_> = run.history.iter().chain(&run.tasks).collect();
    attempts.sort_by_key(|task| (task.start, task.run));
    for task in attempts {
        let state = task.state.result.unwrap_or(task.state.life_cycle).to_ascii_lowercase();
        let (attempt, took) = (task.attempt.to_string(), task.execution_duration_ms.to_string());
        let own = [task.key.as_str(), attempt.as_str(), took.as_str(), task.state.message.as_str()];
        row(&format!("{id}/{}", task.run), &task.key, task.start, task.end, &state, own);
    }
    if run.end.is_some() {
        let state = run.state.result.unwrap_or(run.state.life_cycle).to_ascii_lowercase();
        let took = run.run_duration_ms.to_string();
        let own = ["", "", took.as_str(), run.state.message.as_str()];
        row(&format!("{id}/end"), &format!("Run ended: {state}"), run.end, None, &state, own);
    }
}

/// Writes a line of CSV; a cell with a comma, a quote or a line break stands
/// in quotes.
fn line<'a>(csv: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (place, cell) in cells.into_iter().enumerate() {
        if place > 0 {
            csv.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            let _ = write!(csv, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            csv.push_str(cell);
        }
    }
    csv.push('\n');
}
