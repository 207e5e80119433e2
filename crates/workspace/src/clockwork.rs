//! Jobs that run by themselves.
//!
//! Each such job that is not paused has a row that says when it is due. The
//! run that is made for a due time, and the row's next time, are one commit,
//! and the due time is the run's idempotency token: so a time makes one run,
//! whatever goes down in between. Times that passed while nobody was there
//! make one run together.
//!
//! A continuous job is due when its run has ended, some seconds later; after
//! failures in a row it rests longer and longer.

use std::time::Duration;

use base::db::Tx;
use base::error::chain;
use base::{Actor, Chance, Coded, Kind, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::error::Error;
use crate::job::Job;
use crate::record::{self, NewRun};
use crate::run::{ResultState, Run, RunRequest, RunState};
use crate::settings::{JobSettings, Timetable, rest_after};
use crate::tables::DueJob;
use crate::workspace::{Workspace, note};
use crate::{JobId, RunId, tables};

/// Jobs that are started in one transaction.
const JOBS_AT_ONCE: u32 = 50;
/// The longest time it sleeps, for a clock that jumps.
const SLEEP_MAX: Duration = Duration::from_mins(1);
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

impl Workspace {
    /// Starts jobs whose time has come until told to stop.
    pub(crate) async fn run_clockwork(&self, stop: &CancellationToken) {
        loop {
            let next = match self.fire_due().await {
                Ok(next) => next.map_or(SLEEP_MAX, |due| due.since(self.clock.now()).min(SLEEP_MAX)),
                Err(error) => {
                    error!(error = %chain(&error), "jobs whose time has come cannot be started");
                    AFTER_A_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock_wake.notified() => {}
                () = tokio::time::sleep(next) => {}
            }
        }
    }

    /// Starts jobs whose time has come; returns when the next one is due.
    pub(crate) async fn fire_due(&self) -> Result<Option<Timestamp>, Error> {
        loop {
            let (chance, now, grace) = (self.chance.clone(), self.clock.now(), self.options.stop_grace);
            // It is asked often, and seldom is anything due.
            let next = self.db.read("workspace.next_due", tables::next_due).await?;
            if next.is_none_or(|next| next > now) {
                return Ok(next);
            }
            let runs = self
                .db
                .write("workspace.fire_due", move |tx| {
                    let mut runs = Vec::new();
                    for due in tables::due_jobs(tx, now, JOBS_AT_ONCE)? {
                        runs.extend(fire(tx, due, &*chance, now, grace)?);
                    }
                    Ok::<_, Error>(runs)
                })
                .await?;
            for run in &runs {
                self.look_at(*run);
            }
            if !runs.is_empty() {
                self.tell_of_changes();
            }
        }
    }

    /// Returns when a job runs by itself next: nothing if it does not, is
    /// paused, or waits for its own run to end.
    pub async fn next_run_of(&self, job: JobId) -> Result<Option<Timestamp>, Error> {
        let due = self.db.read("workspace.next_run_of", move |tx| tables::due_job(tx, job)).await?;
        Ok(due.and_then(|due| due.due_at))
    }
}

/// Makes the run of a time that has come, and says when the next one is.
fn fire(
    tx: &mut dyn Tx,
    due: DueJob,
    chance: &dyn Chance,
    now: Timestamp,
    grace: Duration,
) -> Result<Option<RunId>, Error> {
    let Some(due_at) = due.due_at else { return Ok(None) };
    let Job { settings, owner, creator, .. } = tables::job(tx, due.job)?;
    let Some(table) = settings.timetable()? else {
        tables::forget_due(tx, due.job)?;
        return Ok(None);
    };
    tables::put_due(tx, &DueJob { due_at: table.next(due_at, now), ..due })?;
    if table == Timetable::Continuous && tables::active_runs(tx, due.job)? > 0 {
        // It is due again when that one has ended.
        return Ok(None);
    }
    let request = RunRequest {
        // No client can send it: those tokens have no blank.
        idempotency_token: Some(format!("due {}", due_at.as_micros())),
        ..RunRequest::default()
    };
    let new = NewRun {
        job: Some(due.job),
        name: &settings.name,
        creator: &creator,
        run_as: owner.as_ref(),
        launched_by: None,
        cause: table.cause(),
        settings: &settings,
        request: &request,
    };
    let made = record::check_request(&settings, &request.overriding)
        .and_then(|()| record::create(tx, &new, chance, now, grace));
    match made {
        Ok(run) => {
            let after = json!({ "job_id": due.job, "run_id": run, "due_at": due_at });
            let system = Actor::system("workspace");
            note(tx, &system, "run", "workspace-job", &due.job.to_string(), (None, Some(after)), now)?;
            Ok(Some(run))
        }
        // Such as a job without tasks: other jobs must not wait for it.
        Err(error) if error.kind() == Kind::Invalid => {
            warn!(job.id = %due.job, %error, "a job whose time has come cannot run");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Says when a job runs next, after it was made or changed. What was due stays
/// due where the times are as they were.
pub(crate) fn set(
    tx: &mut dyn Tx,
    job: JobId,
    before: Option<&JobSettings>,
    after: &JobSettings,
    now: Timestamp,
) -> Result<(), Error> {
    let was = before.map(JobSettings::timetable).transpose()?.flatten();
    let is = after.timetable()?;
    if was == is {
        return Ok(());
    }
    let Some(table) = is else { return tables::forget_due(tx, job) };
    let due_at = match table {
        Timetable::Continuous if tables::active_runs(tx, job)? > 0 => None,
        table => table.first(now),
    };
    tables::put_due(tx, &DueJob { job, due_at, failures: 0 })
}

/// Says when a continuous job runs again, now that a run of it has ended.
pub(crate) fn after_end(tx: &mut dyn Tx, run: &Run, now: Timestamp) -> Result<(), Error> {
    let (Some(job), RunState::Ended(result)) = (run.job, run.state) else { return Ok(()) };
    if result == ResultState::MaximumConcurrentRunsReached {
        return Ok(());
    }
    let Some(due) = tables::due_job(tx, job)? else { return Ok(()) };
    let is_continuous = tables::job(tx, job)?.settings.timetable()? == Some(Timetable::Continuous);
    if !is_continuous || tables::active_runs(tx, job)? > 0 {
        return Ok(());
    }
    let has_failed = matches!(result, ResultState::Failed | ResultState::TimedOut);
    let failures = if has_failed { due.failures.saturating_add(1) } else { 0 };
    tables::put_due(tx, &DueJob { job, due_at: Some(now.plus(rest_after(failures))), failures })
}
