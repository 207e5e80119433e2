//! Recording what was decided, in one transaction.
//!
//! A run that ends gives its place to the run of the same job that has waited
//! longest; that belongs to the same transaction, or a crash in between would
//! leave a queue that nobody calls.

use std::time::Duration;

use base::db::Tx;
use base::{Actor, Chance, Timestamp};

use crate::decide::{Admission, Effect, Execution, Input, admit, decide, first_attempts};
use crate::error::Error;
use crate::run::{Overriding, ResultState, Run, RunCause, RunRequest, RunState, RunType};
use crate::settings::{Body, JobSettings, Task};
use crate::{JobId, RunId, clockwork, notices, parameters, references, tables};

/// A run whose state was recorded, and what is left to do for it.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) execution: Execution,
    pub(crate) effects: Vec<Effect>,
    /// The run has just ended.
    pub(crate) has_ended: bool,
}

/// What a new run is made of.
pub(crate) struct NewRun<'a> {
    /// The job, unless the settings were submitted.
    pub(crate) job: Option<JobId>,
    pub(crate) name: &'a str,
    pub(crate) creator: &'a str,
    /// On whose behalf its tasks act.
    pub(crate) run_as: Option<&'a Actor>,
    /// The task run that starts it, if one does.
    pub(crate) launched_by: Option<RunId>,
    /// Why it is started.
    pub(crate) cause: RunCause,
    pub(crate) settings: &'a JobSettings,
    pub(crate) request: &'a RunRequest,
}

/// Makes a run, or finds the one that the token has made before.
pub(crate) fn create(
    tx: &mut dyn Tx,
    new: &NewRun<'_>,
    chance: &dyn Chance,
    now: Timestamp,
    grace: Duration,
) -> Result<RunId, Error> {
    let token_scope = new.job.unwrap_or(JobId(0));
    if let Some(token) = &new.request.idempotency_token
        && let Some(run) = tables::run_of_token(tx, token_scope, token)?
    {
        return match tables::execution(tx, run) {
            Ok(_) => Ok(run),
            Err(Error::NoRun(run)) => Err(Error::TokenOfDeletedRun(run)),
            Err(error) => Err(error),
        };
    }
    let admission = match new.job {
        Some(job) => admit(new.settings, new.request.queue, tables::active_runs(tx, job)?),
        None => Admission::Start,
    };
    let execution = first_state(new, admission, chance, now, grace);
    tables::insert_execution(tx, &execution)?;
    notices::announce(tx, None, &execution.run, now)?;
    if !execution.run.state.is_open() {
        clockwork::after_end(tx, &execution.run, now)?;
    }
    if let Some(token) = &new.request.idempotency_token {
        tables::keep_token(tx, token_scope, token, execution.run.id, now)?;
    }
    Ok(execution.run.id)
}

fn first_state(
    new: &NewRun<'_>,
    admission: Admission,
    chance: &dyn Chance,
    now: Timestamp,
    grace: Duration,
) -> Execution {
    let most = new.settings.max_concurrent_runs;
    let (state, message) = match admission {
        Admission::Start => (RunState::Active, String::new()),
        Admission::Queue => {
            (RunState::Queued, format!("Queued: {most} runs of the job are active, which is its maximum."))
        }
        Admission::Skip => (
            RunState::Ended(ResultState::MaximumConcurrentRunsReached),
            format!("Skipped: {most} runs of the job are active, which is its maximum."),
        ),
    };
    let run = Run {
        id: RunId::new(chance),
        job: new.job,
        kind: if new.job.is_some() { RunType::JobRun } else { RunType::SubmitRun },
        name: new.name.to_owned(),
        creator: new.creator.to_owned(),
        run_as: new.run_as.cloned(),
        launched_by: new.launched_by,
        cause: new.cause,
        warned_at: None,
        settings: new.settings.clone(),
        overriding: new.request.overriding.clone(),
        state,
        message,
        created_at: now,
        started_at: (admission == Admission::Start).then_some(now),
        ended_at: (admission == Admission::Skip).then_some(now),
    };
    if admission == Admission::Skip {
        return Execution { run, attempts: Vec::new() };
    }
    let attempts = first_attempts(&run, || RunId::new(chance));
    decide(Execution { run, attempts }, &Input::Look, now, grace).0
}

/// Refuses a request whose parameters can never reach a task.
pub(crate) fn check_request(settings: &JobSettings, overriding: &Overriding) -> Result<(), Error> {
    if settings.tasks.is_empty() {
        return Err(Error::Settings { detail: "there are no tasks to run".into() });
    }
    check_reach(settings, overriding)?;
    let known = |name: &str| {
        settings.parameters.iter().any(|parameter| parameter.name == name)
            || overriding.job_parameters.contains_key(name)
    };
    for text in settings.tasks.iter().flat_map(|task| references::texts(task, overriding)) {
        for reference in parameters::references(text) {
            if let Some(name) = reference.strip_prefix("job.parameters.").filter(|name| !known(name)) {
                return Err(Error::Parameter {
                    detail: format!("\"{name}\" is not a parameter of the job, and the run does not set it"),
                });
            }
        }
    }
    Ok(())
}

/// Refuses a family of parameters that no task of the job takes: it would be
/// taken and have no effect.
fn check_reach(settings: &JobSettings, overriding: &Overriding) -> Result<(), Error> {
    fn inner(task: &Task) -> &Body {
        match &task.body {
            Body::ForEachTask(each) => &each.task.body,
            body => body,
        }
    }
    let reaches = |is_taken: fn(&Body) -> bool| settings.tasks.iter().any(|task| is_taken(inner(task)));
    let refuse = |family: &'static str, sort: &'static str| {
        let names = settings.tasks.iter().map(|task| inner(task).name());
        Err(Error::Family { family, sort, has: names.collect() })
    };
    if !overriding.notebook_params.is_empty() && !reaches(|body| matches!(body, Body::NotebookTask(_))) {
        return refuse("notebook_params", "notebook_task");
    }
    if !overriding.python_named_params.is_empty() && !reaches(|body| matches!(body, Body::PythonWheelTask(_))) {
        return refuse("python_named_params", "python_wheel_task");
    }
    if !overriding.sql_params.is_empty() && !reaches(|body| matches!(body, Body::SqlTask(_))) {
        return refuse("sql_params", "sql_task");
    }
    let takes_a_list = |body: &Body| matches!(body, Body::SparkPythonTask(_) | Body::PythonWheelTask(_));
    if overriding.python_params.is_some() && !reaches(takes_a_list) {
        return refuse("python_params", "spark_python_task");
    }
    Ok(())
}

/// Records what follows from an input, for the run and for those that it lets go.
pub(crate) fn advance(
    tx: &mut dyn Tx,
    id: RunId,
    input: &Input,
    now: Timestamp,
    grace: Duration,
) -> Result<Vec<Moved>, Error> {
    let before = match tables::execution(tx, id) {
        Ok(execution) => execution,
        // It was deleted meanwhile; there is nothing left to move.
        Err(Error::NoRun(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let was_open = before.run.state.is_open();
    let was_active = matches!(before.run.state, RunState::Active | RunState::Stopping(_));
    let (execution, effects) = decide(before.clone(), input, now, grace);
    tables::save_execution(tx, &before, &execution)?;
    notices::announce(tx, Some(&before.run), &execution.run, now)?;
    let has_ended = was_open && !execution.run.state.is_open();
    let freed = execution.run.job.filter(|_| was_active && has_ended);
    let run = execution.run.clone();
    let mut moved = vec![Moved { execution, effects, has_ended }];
    if let Some(job) = freed {
        call_queued(tx, job, now, grace, &mut moved)?;
    }
    if has_ended {
        clockwork::after_end(tx, &run, now)?;
    }
    Ok(moved)
}

/// Lets queued runs of a job go while there are places.
fn call_queued(
    tx: &mut dyn Tx,
    job: JobId,
    now: Timestamp,
    grace: Duration,
    moved: &mut Vec<Moved>,
) -> Result<(), Error> {
    while let Some(next) = tables::oldest_queued(tx, job)? {
        let before = tables::execution(tx, next)?;
        if tables::active_runs(tx, job)? >= u64::from(before.run.settings.max_concurrent_runs) {
            return Ok(());
        }
        let mut called = before.clone();
        called.run.state = RunState::Active;
        called.run.message.clear();
        called.run.started_at = Some(now);
        let (execution, effects) = decide(called, &Input::Look, now, grace);
        tables::save_execution(tx, &before, &execution)?;
        notices::announce(tx, Some(&before.run), &execution.run, now)?;
        moved.push(Moved { execution, effects, has_ended: false });
    }
    Ok(())
}
