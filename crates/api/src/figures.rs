//! The counters of the facades, read together: for the home page and for
//! `/metrics`.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::fault::Fault;
use crate::metrics::{head, line};

/// How much has gone round the loop. Except for what waits or runs, all counts
/// are since the beginning.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    pools: u64,
    rows_in: u64,
    push_jobs: PushJobs,
    cases_open: u64,
    signals: u64,
    deliveries: Deliveries,
    runs: Runs,
    job_runs: JobRuns,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = PushJobFigures)]
struct PushJobs {
    running: u64,
    done: u64,
    failed: u64,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = DeliveryFigures)]
struct Deliveries {
    succeeded: u64,
    failed: u64,
    queued: u64,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = RunFigures)]
struct Runs {
    running: u64,
    succeeded: u64,
    warning: u64,
    failed: u64,
    held: u64,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = JobRunFigures)]
struct JobRuns {
    running: u64,
    succeeded: u64,
    failed: u64,
}

/// Reads the counters of all facades.
pub(crate) async fn read(app: &App) -> Result<Figures, Fault> {
    let pools = app.pools.status().await?;
    let mining = app.mining.counters().await?;
    let events = app.events.status().await?;
    let flows = app.flows.counts().await?;
    let workspace = app.workspace.run_counts().await?;
    Ok(Figures {
        pools: pools.pools,
        rows_in: pools.rows_in,
        push_jobs: PushJobs {
            running: pools.jobs_queued + pools.jobs_running,
            done: pools.jobs_done,
            failed: pools.jobs_failed,
        },
        cases_open: mining.cases_open,
        signals: mining.signals,
        deliveries: Deliveries {
            succeeded: events.callbacks.delivered + events.hooks.delivered,
            failed: events.callbacks.failures + events.hooks.failures,
            queued: events.callbacks.queued + events.hooks.queued,
        },
        runs: Runs {
            running: flows.running,
            succeeded: flows.succeeded,
            warning: flows.warning,
            failed: flows.failed,
            held: flows.held,
        },
        job_runs: JobRuns {
            running: workspace.queued + workspace.active,
            succeeded: workspace.succeeded,
            failed: workspace.failed + workspace.canceled + workspace.skipped,
        },
    })
}

impl Figures {
    /// Writes the counters in Prometheus' text form.
    pub(crate) fn write(&self, text: &mut String) {
        let mut metric = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
            head(text, name, kind, help);
            for (labels, value) in values {
                line(text, name, labels, *value as f64);
            }
        };
        metric("loopwright_pools", "gauge", "Data pools.", &[("", self.pools)]);
        metric("loopwright_rows_in_total", "counter", "Rows brought in by push jobs.", &[("", self.rows_in)]);
        metric(
            "loopwright_push_jobs_total",
            "counter",
            "Push jobs that have ended.",
            &[("outcome=\"done\"", self.push_jobs.done), ("outcome=\"failed\"", self.push_jobs.failed)],
        );
        metric("loopwright_cases_open", "gauge", "Cases that are open.", &[("", self.cases_open)]);
        metric("loopwright_signals_total", "counter", "Signals fired.", &[("", self.signals)]);
        metric(
            "loopwright_deliveries_total",
            "counter",
            "Attempts to deliver an event.",
            &[("outcome=\"succeeded\"", self.deliveries.succeeded), ("outcome=\"failed\"", self.deliveries.failed)],
        );
        metric("loopwright_deliveries_queued", "gauge", "Events that wait.", &[("", self.deliveries.queued)]);
        metric("loopwright_flow_runs_running", "gauge", "Flow runs that go on.", &[("", self.runs.running)]);
        metric(
            "loopwright_flow_runs_total",
            "counter",
            "Flow runs that have ended.",
            &[
                ("outcome=\"succeeded\"", self.runs.succeeded),
                ("outcome=\"warning\"", self.runs.warning),
                ("outcome=\"failed\"", self.runs.failed),
            ],
        );
        metric("loopwright_job_runs_running", "gauge", "Job runs that go on.", &[("", self.job_runs.running)]);
        metric(
            "loopwright_job_runs_total",
            "counter",
            "Job runs that have ended.",
            &[("outcome=\"succeeded\"", self.job_runs.succeeded), ("outcome=\"failed\"", self.job_runs.failed)],
        );
    }
}
