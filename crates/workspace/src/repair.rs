//! Repairing a run: some of its tasks once more, in the same run.
//!
//! A repair adds an attempt to each task that is to run again and opens the
//! run anew; what follows is decided as for any run. It uses the settings that
//! the run began with, and the parameters that come with it: those of the run
//! before are not remembered, as the real service does not.
//!
//! Repairs form a chain: whoever repairs a run for the second time names the
//! repair before, so that two people do not repair it beside each other.

use std::collections::BTreeSet;

use base::db::Tx;
use base::{Actor, Timestamp};
use serde_json::json;

use crate::decide::{Execution, Input, decide};
use crate::error::Error;
use crate::record;
use crate::run::{Detail, Overriding, ResultState, Run, RunState, TaskRun, TaskState};
use crate::settings::{JobSettings, Task};
use crate::view::RunView;
use crate::workspace::{Workspace, note};
use crate::{RunId, notices, tables};

/// What is to run again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepairRequest {
    /// These tasks; or else all that did not end well.
    pub rerun_tasks: Vec<String>,
    /// All that did not end well.
    pub rerun_all_failed_tasks: bool,
    /// The tasks behind them too.
    pub rerun_dependent_tasks: bool,
    /// The repair before, if there was one.
    pub latest_repair_id: Option<i64>,
    /// Values for the parameters of the job, and for tasks.
    pub overriding: Overriding,
}

/// A repair that was made, with how the run stood before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// Its number.
    pub id: i64,
    /// The task runs that it made.
    pub task_runs: Vec<RunId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What had come of the run.
    pub(crate) result: ResultState,
    pub(crate) message: String,
    pub(crate) overriding: Overriding,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
}

/// A stretch of a run: from its start, or from a repair, to the next repair.
#[derive(Clone, Debug, PartialEq)]
pub struct Stretch {
    /// The repair that it began with; the first one began with none.
    pub repair: Option<i64>,
    /// The run, as it stood at the end of the stretch.
    pub view: RunView,
    /// The task runs that belong to it.
    pub task_runs: Vec<RunId>,
}

/// Opens a run that has ended once more, with a new attempt for each task that
/// is to run again; `number` numbers them.
fn opened(
    execution: Execution,
    request: &RepairRequest,
    now: Timestamp,
    mut number: impl FnMut() -> RunId,
) -> Result<(Execution, Vec<RunId>), Error> {
    let refuse = |detail: String| Err(Error::Repair { detail });
    let Execution { mut run, mut attempts } = execution;
    match run.state {
        RunState::Ended(ResultState::MaximumConcurrentRunsReached) => {
            return refuse(format!("run {} was skipped, so there is nothing to repair: run the job again", run.id));
        }
        RunState::Ended(_) => {}
        _ => return refuse(format!("run {} is active: it can be repaired when it has ended", run.id)),
    }
    if request.rerun_tasks.is_empty() != request.rerun_all_failed_tasks {
        return refuse("exactly one of \"rerun_tasks\" and \"rerun_all_failed_tasks\" must be given".to_owned());
    }
    let mut wanted: BTreeSet<String> = request.rerun_tasks.iter().cloned().collect();
    if let Some(unknown) = wanted.iter().find(|key| run.settings.task(key).is_none()) {
        return refuse(format!("run {} has no task \"{unknown}\"", run.id));
    }
    if request.rerun_all_failed_tasks {
        wanted.extend(latest(&attempts).filter(|attempt| has_failed(attempt)).map(|attempt| attempt.task_key.clone()));
        if wanted.is_empty() {
            return refuse(format!("no task of run {} has failed, so there is nothing to repair", run.id));
        }
    }
    if request.rerun_dependent_tasks {
        wanted = with_downstream(&run.settings, wanted);
    }
    let mut made = Vec::new();
    for key in &wanted {
        let place = attempts.iter().rposition(|attempt| attempt.task_key == *key && attempt.parent.is_none());
        let Some(place) = place else { continue };
        let attempt = TaskRun {
            id: number(),
            attempt: attempts[place].attempt + 1,
            detail: Detail::default(),
            state: TaskState::Blocked,
            message: String::new(),
            error: None,
            error_trace: None,
            ..attempts[place].clone()
        };
        made.push(attempt.id);
        attempts.insert(place + 1, attempt);
    }
    run = Run {
        state: RunState::Active,
        message: String::new(),
        overriding: request.overriding.clone(),
        // Its deadline counts from here.
        started_at: Some(now),
        ended_at: None,
        warned_at: None,
        ..run
    };
    Ok((Execution { run, attempts }, made))
}

fn latest(attempts: &[TaskRun]) -> impl Iterator<Item = &TaskRun> {
    let of_tasks: Vec<&TaskRun> = attempts.iter().filter(|attempt| attempt.parent.is_none()).collect();
    (0..of_tasks.len()).filter_map(move |index| {
        let next = of_tasks.get(index + 1).map(|next| next.position);
        (next != Some(of_tasks[index].position)).then_some(of_tasks[index])
    })
}

fn has_failed(attempt: &TaskRun) -> bool {
    attempt.state.result().is_some_and(|result| result.is_failure() || result.is_canceled())
}

fn with_downstream(settings: &JobSettings, mut keys: BTreeSet<String>) -> BTreeSet<String> {
    loop {
        let is_next = |task: &&Task| {
            !keys.contains(&task.task_key) && task.depends_on.iter().any(|before| keys.contains(&before.task_key))
        };
        let next: Vec<String> = settings.tasks.iter().filter(is_next).map(|task| task.task_key.clone()).collect();
        if next.is_empty() {
            return keys;
        }
        keys.extend(next);
    }
}

fn with_upstream(settings: &JobSettings, mut keys: BTreeSet<String>) -> BTreeSet<String> {
    loop {
        let of = |key: &String| settings.task(key).into_iter().flat_map(|task| &task.depends_on);
        let next: Vec<String> =
            keys.iter().flat_map(of).map(|before| before.task_key.clone()).filter(|key| !keys.contains(key)).collect();
        if next.is_empty() {
            return keys;
        }
        keys.extend(next);
    }
}

/// Narrows settings to some tasks: `key`, `+key` with what is before it,
/// `key+` with what is behind it. The others are disabled in this run.
pub(crate) fn narrowed(settings: JobSettings, only: &[String]) -> Result<JobSettings, Error> {
    if only.is_empty() {
        return Ok(settings);
    }
    let mut wanted = BTreeSet::new();
    for word in only {
        let (before, rest) = word.strip_prefix('+').map_or((false, word.as_str()), |rest| (true, rest));
        let (behind, key) = rest.strip_suffix('+').map_or((false, rest), |rest| (true, rest));
        if settings.task(key).is_none() {
            return Err(Error::Parameter {
                detail: format!("\"only\" names task \"{key}\", which the job does not have"),
            });
        }
        let this = BTreeSet::from([key.to_owned()]);
        if before {
            wanted.extend(with_upstream(&settings, this.clone()));
        }
        if behind {
            wanted.extend(with_downstream(&settings, this.clone()));
        }
        wanted.extend(this);
    }
    let mut settings = settings;
    for task in &mut settings.tasks {
        task.disabled |= !wanted.contains(&task.task_key);
    }
    Ok(settings)
}

impl Workspace {
    /// Runs some tasks of an ended run again, in the same run. Returns the
    /// number of the repair.
    pub async fn repair_run(&self, actor: &Actor, id: RunId, request: RepairRequest) -> Result<i64, Error> {
        let (actor, chance) = (actor.clone(), self.chance.clone());
        let (now, grace) = (self.clock.now(), self.options.stop_grace);
        let repair = self
            .db
            .write("workspace.repair_run", move |tx| {
                let before = tables::execution(tx, id)?;
                check_chain(tx, id, request.latest_repair_id)?;
                record::check_request(&before.run.settings, &request.overriding)?;
                let (open, task_runs) = opened(before.clone(), &request, now, || RunId::new(&*chance))?;
                if let Some(job) = open.run.job {
                    let (active, most) = (tables::active_runs(tx, job)?, open.run.settings.max_concurrent_runs);
                    if active >= u64::from(most) {
                        let detail =
                            format!("{active} runs of job {job} are active, and {most} may be: repair it later");
                        return Err(Error::Repair { detail });
                    }
                }
                let RunState::Ended(result) = before.run.state else {
                    return Err(Error::StillActive(id));
                };
                let repair = Repair {
                    id: RunId::new(&*chance).0,
                    task_runs,
                    created_at: now,
                    result,
                    message: before.run.message.clone(),
                    overriding: before.run.overriding.clone(),
                    started_at: before.run.started_at,
                    ended_at: before.run.ended_at,
                };
                let (after, _) = decide(open, &Input::Look, now, grace);
                tables::save_execution(tx, &before, &after)?;
                notices::announce(tx, Some(&before.run), &after.run, now)?;
                tables::save_overriding(tx, id, &after.run.overriding)?;
                tables::insert_repair(tx, id, &repair)?;
                let what = json!({ "repair_id": repair.id, "task_runs": repair.task_runs });
                note(tx, &actor, "repair", "workspace-run", &id.to_string(), (None, Some(what)), now)?;
                Ok::<_, Error>(repair.id)
            })
            .await?;
        self.look_at(id);
        Ok(repair)
    }

    /// Tells what came of a run before and after each of its repairs; a run
    /// that was never repaired has one stretch.
    pub async fn repair_history(&self, id: RunId) -> Result<Vec<Stretch>, Error> {
        let (execution, repairs) = self
            .db
            .read("workspace.repair_history", move |tx| {
                let run = tables::run_of_attempt(tx, id)?.unwrap_or(id);
                Ok::<_, Error>((tables::execution(tx, run)?, tables::repairs(tx, run)?))
            })
            .await?;
        let sight = self.sight();
        let of_repairs: BTreeSet<RunId> = repairs.iter().flat_map(|repair| repair.task_runs.clone()).collect();
        let mut stretches = Vec::new();
        for index in 0..=repairs.len() {
            let begun = index.checked_sub(1).map(|before| &repairs[before]);
            let run = match repairs.get(index) {
                Some(next) => Run {
                    state: RunState::Ended(next.result),
                    message: next.message.clone(),
                    overriding: next.overriding.clone(),
                    started_at: next.started_at,
                    ended_at: next.ended_at,
                    ..execution.run.clone()
                },
                None => execution.run.clone(),
            };
            let mut view = sight.run(&run, &execution.attempts);
            if let Some(begun) = begun {
                view.start = Some(begun.created_at);
            }
            let task_runs = match begun {
                Some(begun) => begun.task_runs.clone(),
                None => {
                    let of_tasks = execution.attempts.iter().filter(|attempt| attempt.parent.is_none());
                    of_tasks.map(|attempt| attempt.id).filter(|id| !of_repairs.contains(id)).collect()
                }
            };
            stretches.push(Stretch { repair: begun.map(|repair| repair.id), view, task_runs });
        }
        Ok(stretches)
    }

    /// Asks all runs of a job to stop, or all that wait for their turn: of the
    /// job, or of every job that the actor may run.
    pub async fn cancel_all(&self, actor: &Actor, job: Option<crate::JobId>, only_queued: bool) -> Result<(), Error> {
        let viewer = actor.clone();
        let runs = self
            .db
            .read("workspace.open_runs", move |tx| {
                let mut wanted = Vec::new();
                for (run, object) in tables::open_runs(tx, job, only_queued)? {
                    let may = viewer.administrator
                        || crate::permission::level_of(&viewer, &tables::rules(tx, object)?)
                            .is_some_and(|level| level >= crate::Level::ManageRun);
                    if may {
                        wanted.push(run);
                    }
                }
                Ok::<_, Error>(wanted)
            })
            .await?;
        for run in runs {
            match self.cancel(actor, run).await {
                // It was deleted meanwhile.
                Ok(()) | Err(Error::NoRun(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Demands that the caller knows the latest repair.
fn check_chain(tx: &mut dyn Tx, run: RunId, given: Option<i64>) -> Result<(), Error> {
    let latest = tables::repairs(tx, run)?.last().map(|repair| repair.id);
    match (latest, given) {
        (latest, given) if latest == given => Ok(()),
        (Some(latest), None) => Err(Error::Repair {
            detail: format!("run {run} was repaired before: \"latest_repair_id\" must be {latest}"),
        }),
        (Some(latest), Some(given)) => Err(Error::Repair {
            detail: format!("latest_repair_id {given} is not the latest repair of run {run}, which is {latest}"),
        }),
        (None, _) => {
            Err(Error::Repair { detail: format!("run {run} was never repaired: leave \"latest_repair_id\" out") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiVersion;

    fn settings() -> JobSettings {
        let task = |key: &str, before: &[&str]| {
            let before: Vec<_> = before.iter().map(|key| json!({ "task_key": key })).collect();
            json!({ "task_key": key, "depends_on": before, "spark_python_task": { "python_file": "/Shared/x.py" } })
        };
        let tasks = [task("a", &[]), task("b", &["a"]), task("c", &["b"]), task("d", &[])];
        JobSettings::read(json!({ "name": "job", "tasks": tasks }), ApiVersion::V2_2).expect("good settings")
    }

    #[test]
    fn only_some_tasks_run() {
        for (only, expected) in [
            (vec!["b"], "b"),
            (vec!["+b"], "a b"),
            (vec!["b+"], "b c"),
            (vec!["+b+"], "a b c"),
            (vec!["c", "d"], "c d"),
            (vec![], "a b c d"),
            (vec!["x"], "\"only\" names task \"x\", which the job does not have"),
        ] {
            let only: Vec<String> = only.into_iter().map(str::to_owned).collect();
            let told = match narrowed(settings(), &only) {
                Ok(settings) => {
                    let kept = settings.tasks.iter().filter(|task| !task.disabled);
                    kept.map(|task| task.task_key.as_str()).collect::<Vec<_>>().join(" ")
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected, "{only:?}");
        }
    }
}
