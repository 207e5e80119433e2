//! A task that runs another job.
//!
//! The other run is made under an idempotency token that names the task run,
//! so that a server which went down in between finds it again. Whether it is
//! over is asked whenever a run has changed.

use base::db::Tx;

use crate::decide::{Ending, Execution, How};
use crate::error::Error;
use crate::job::Job;
use crate::permission::{self, Level};
use crate::record::{self, NewRun};
use crate::run::{Overriding, ResultState, RunCause, RunRequest, RunState, TaskRun, TaskState};
use crate::settings::RunJobTask;
use crate::workspace::{Workspace, note};
use crate::{JobId, RunId, tables};

/// Jobs that may run each other, one inside of the other.
const DEPTH_MAX: usize = 10;

impl Workspace {
    /// Runs the other job and waits until its run is over.
    pub(crate) async fn conduct_run_job(
        &self,
        execution: &Execution,
        attempt: &TaskRun,
        task: &RunJobTask,
        job_parameters: std::collections::BTreeMap<String, String>,
    ) -> Ending {
        let (run, other) = match self.start_other(execution, attempt, task.job_id, job_parameters).await {
            Ok(run) => (execution.run.id, run),
            Err(error) => return Ending::plain(How::Refused(error.to_string())),
        };
        self.look_at(other);
        let mut changes = self.changes();
        let mut is_told_to_stop = false;
        loop {
            changes.mark_unchanged();
            let states = self.db.read("workspace.wait_for_run", {
                let attempt = attempt.id;
                move |tx| {
                    let own = tables::execution(tx, run)?;
                    let own = own.attempts.iter().find(|other| other.id == attempt).map(|attempt| attempt.state);
                    Ok::<_, Error>((own, tables::execution(tx, other)?.run.state))
                }
            });
            match states.await {
                Ok((_, RunState::Ended(result))) => return ending(other, task.job_id, result),
                Ok((Some(TaskState::Stopping { .. }), _)) if !is_told_to_stop => {
                    let actor = execution.run.run_as.clone().unwrap_or_else(|| base::Actor::system("workspace"));
                    is_told_to_stop = self.cancel(&actor, other).await.is_ok();
                }
                Ok(_) => {}
                Err(Error::NoRun(_)) => {
                    return Ending::plain(How::Refused(format!("run {other} of job {} is gone", task.job_id)));
                }
                // The database is asked again when something has changed.
                Err(error) => tracing::warn!(run.id = %other, %error, "a job that was run cannot be looked at"),
            }
            if changes.changed().await.is_err() {
                return Ending::plain(How::Gone);
            }
        }
    }

    async fn start_other(
        &self,
        execution: &Execution,
        attempt: &TaskRun,
        job: JobId,
        job_parameters: std::collections::BTreeMap<String, String>,
    ) -> Result<RunId, Error> {
        let (own, id, chance) = (execution.run.clone(), attempt.id, self.chance.clone());
        let (now, grace) = (self.clock.now(), self.options.stop_grace);
        self.db
            .write("workspace.run_other_job", move |tx| {
                let actor = own.run_as.clone().ok_or(Error::NobodyToActFor(own.id))?;
                let overriding = Overriding { job_parameters: job_parameters.clone(), ..Overriding::default() };
                let request = RunRequest { overriding, idempotency_token: Some(token(id)), ..RunRequest::default() };
                if let Some(run) = tables::run_of_token(tx, job, &token(id))? {
                    return Ok(run);
                }
                permission::demand(tx, &actor, job, Level::ManageRun)?;
                let Job { settings, owner, .. } = tables::job(tx, job)?;
                record::check_request(&settings, &request.overriding)?;
                check_circle(tx, own.id, job)?;
                let new = NewRun {
                    job: Some(job),
                    name: &settings.name,
                    creator: &actor.name,
                    run_as: owner.as_ref(),
                    launched_by: Some(id),
                    cause: RunCause::RunJobTask,
                    settings: &settings,
                    request: &request,
                };
                let run = record::create(tx, &new, &*chance, now, grace)?;
                let after = serde_json::json!({ "job_id": job, "run_id": run, "task_run_id": id });
                note(tx, &actor, "run", "workspace-job", &job.to_string(), (None, Some(after)), now)?;
                Ok(run)
            })
            .await
    }

    /// Finds the run that an attempt of such a task has started.
    pub(crate) async fn run_of_task(&self, attempt: RunId, job: JobId) -> Result<Option<RunId>, Error> {
        self.db.read("workspace.run_of_task", move |tx| tables::run_of_token(tx, job, &token(attempt))).await
    }
}

/// Names the other run. No client can send it: those tokens have no blank.
fn token(attempt: RunId) -> String {
    format!("task run {attempt}")
}

fn ending(run: RunId, job: JobId, result: ResultState) -> Ending {
    Ending::plain(match result {
        ResultState::Success | ResultState::SuccessWithFailures => How::Done(None),
        other => How::Refused(format!("run {run} of job {job} ended as {}", other.as_str())),
    })
}

/// Refuses to run a job inside of itself, be it through others.
fn check_circle(tx: &mut dyn Tx, run: RunId, job: JobId) -> Result<(), Error> {
    let mut jobs = vec![job];
    let mut next = Some(run);
    while let Some(id) = next {
        let run = tables::execution(tx, id)?.run;
        jobs.extend(run.job);
        if run.job == Some(job) || jobs.len() > DEPTH_MAX {
            jobs.reverse();
            return Err(Error::Circle(jobs));
        }
        next = match run.launched_by {
            Some(attempt) => tables::run_of_attempt(tx, attempt)?,
            None => None,
        };
    }
    Ok(())
}
