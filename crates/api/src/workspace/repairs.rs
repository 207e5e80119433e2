//! Runs again: repair, cancel all, export.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::{JobId, Level, Overriding, RepairRequest, RunId};

use super::number::Number;
use super::run_view;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// What is to run again.
#[derive(Deserialize)]
pub(super) struct Repair {
    run_id: Number,
    rerun_tasks: Option<Vec<String>>,
    #[serde(default)]
    rerun_all_failed_tasks: bool,
    #[serde(default)]
    rerun_dependent_tasks: bool,
    latest_repair_id: Option<Number>,
    job_parameters: Option<BTreeMap<String, String>>,
    python_params: Option<Vec<String>>,
    notebook_params: Option<BTreeMap<String, String>>,
    python_named_params: Option<BTreeMap<String, String>>,
    sql_params: Option<BTreeMap<String, String>>,
}

/// Which runs are to stop.
#[derive(Deserialize)]
pub(super) struct All {
    job_id: Option<Number>,
    #[serde(default)]
    all_queued_runs: bool,
}

/// Which run is to be drawn, and what of it.
#[derive(Deserialize)]
pub(super) struct Export {
    run_id: Number,
    views_to_export: Option<String>,
}

/// Runs tasks of an ended run again.
pub(super) async fn repair(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(asked): body::Json<Repair>,
) -> Result<Json<Value>, Fault> {
    let run = RunId(asked.run_id.0);
    app.workspace.require_run(&actor, run, Level::ManageRun).await?;
    let request = RepairRequest {
        rerun_tasks: asked.rerun_tasks.unwrap_or_default(),
        rerun_all_failed_tasks: asked.rerun_all_failed_tasks,
        rerun_dependent_tasks: asked.rerun_dependent_tasks,
        latest_repair_id: asked.latest_repair_id.map(|number| number.0),
        overriding: Overriding {
            job_parameters: asked.job_parameters.unwrap_or_default(),
            python_params: asked.python_params.filter(|list| !list.is_empty()),
            notebook_params: asked.notebook_params.unwrap_or_default(),
            python_named_params: asked.python_named_params.unwrap_or_default(),
            sql_params: asked.sql_params.unwrap_or_default(),
        },
    };
    let repair = app.workspace.repair_run(&actor, run, request).await?;
    Ok(Json(json!({ "repair_id": repair })))
}

/// Stops all runs of a job, or all that wait for their turn.
pub(super) async fn cancel_all(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(asked): body::Json<All>,
) -> Result<Json<Value>, Fault> {
    let job = asked.job_id.map(|number| JobId(number.0));
    match job {
        Some(job) => {
            app.workspace.require_job(&actor, job, Level::ManageRun).await?;
            app.workspace.job(job).await?;
        }
        None if asked.all_queued_runs => {}
        None => {
            let detail = "\"job_id\" is missing: without it only \"all_queued_runs\" can be canceled";
            return Err(Fault::invalid("job_id", "body-field-missing", detail));
        }
    }
    app.workspace.cancel_all(&actor, job, asked.all_queued_runs).await?;
    Ok(Json(json!({})))
}

/// Draws the notebook of a run as HTML.
pub(super) async fn export(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(asked): Query<Export>,
) -> Result<Json<Value>, Fault> {
    let run = RunId(asked.run_id.0);
    app.workspace.require_run(&actor, run, Level::View).await?;
    let drawn = app.workspace.export_run(run).await?;
    let views = match asked.views_to_export.as_deref() {
        None | Some("" | "CODE" | "ALL") => {
            json!([{ "content": drawn.html, "name": drawn.name, "type": "NOTEBOOK" }])
        }
        // Notebooks have none here.
        Some("DASHBOARDS") => json!([]),
        Some(other) => {
            let detail = format!("views_to_export \"{other}\" is none of \"CODE\", \"DASHBOARDS\" and \"ALL\"");
            return Err(Fault::invalid("views_to_export", "parameter-invalid", detail));
        }
    };
    Ok(Json(json!({ "views": views })))
}

/// Tells what came of a run before and after each of its repairs.
pub(super) async fn history(app: &App, run: RunId) -> Result<Value, Fault> {
    let stretches = app.workspace.repair_history(run).await?;
    let shown = stretches.iter().map(|stretch| {
        let mut wire = json!({
            "type": if stretch.repair.is_some() { "REPAIR" } else { "ORIGINAL" },
            "start_time": run_view::millis(stretch.view.start),
            "end_time": run_view::millis(stretch.view.end),
            "state": run_view::state(&stretch.view.state),
            "status": run_view::status(&stretch.view.status),
            "task_run_ids": stretch.task_runs,
        });
        if let Some(repair) = stretch.repair {
            wire["id"] = repair.into();
        }
        wire
    });
    Ok(shown.collect())
}
