//! The verbs of runs.

use base::Actor;
use serde_json::{Value as Json, json};

use crate::decide::{Execution, Input};
use crate::error::Error;
use crate::folder::TaskFolder;
use crate::job::Job;
use crate::output::{LogPiece, LogPlace};
use crate::paging::{Cursor, Page, Place, limit_of, page};
use crate::record::{self, NewRun};
use crate::run::{Overriding, RunCause, RunRequest, TaskRun};
use crate::settings::{ApiVersion, Body, JobSettings};
use crate::view::{BodyOutput, OutputView, RunCounts, RunView, RunsQuery};
use crate::workspace::{Workspace, note};
use crate::{JobId, RunId, acting, destinations, output, permission, references, repair, sql_task, tables};

/// Characters that an idempotency token may have.
const TOKEN_CHARACTERS_MAX: usize = 64;
/// Bytes that a family of parameters may have, as JSON.
const PARAMETER_BYTES_MAX: usize = 10_000;
const RUNS_PAGE_MAX: u32 = 24;

impl Workspace {
    /// Runs a job. The answer is a run, not a success: where too many runs are
    /// active already it is queued or skipped. A token is good for one job.
    pub async fn run_now(&self, actor: &Actor, job: JobId, request: RunRequest) -> Result<RunId, Error> {
        check_request(&request)?;
        let (actor, chance) = (actor.clone(), self.chance.clone());
        let (now, grace) = (self.clock.now(), self.options.stop_grace);
        let run = self
            .db
            .write("workspace.run_now", move |tx| {
                let Job { settings, owner, .. } = tables::job(tx, job)?;
                let settings = repair::narrowed(settings, &request.only)?;
                record::check_request(&settings, &request.overriding)?;
                let new = NewRun {
                    job: Some(job),
                    name: &settings.name,
                    creator: &actor.name,
                    run_as: owner.as_ref(),
                    launched_by: None,
                    cause: RunCause::OneTime,
                    settings: &settings,
                    request: &request,
                };
                let run = record::create(tx, &new, &*chance, now, grace)?;
                let after = json!({ "job_id": job, "run_id": run });
                note(tx, &actor, "run", "workspace-job", &job.to_string(), (None, Some(after)), now)?;
                Ok::<_, Error>(run)
            })
            .await?;
        self.look_at(run);
        Ok(run)
    }

    /// Runs settings that belong to no job. The document is that of
    /// `runs/submit`, its `idempotency_token` included.
    pub async fn submit(&self, actor: &Actor, mut document: Json, version: ApiVersion) -> Result<RunId, Error> {
        let mut request = RunRequest::default();
        if let Some(fields) = document.as_object_mut() {
            request.idempotency_token = token_of(fields.remove("idempotency_token"))?;
            if let Some(name) = fields.remove("run_name") {
                fields.insert("name".into(), name);
            }
        }
        check_request(&request)?;
        let rules = permission::taken_from(&mut document)?;
        for word in ["schedule", "trigger", "continuous"] {
            if document.get(word).is_some_and(Json::is_object) {
                let detail = format!("\"{word}\" belongs to a job: make one with jobs/create");
                return Err(Error::Parameter { detail });
            }
        }
        let settings = JobSettings::read(document, version)?;
        record::check_request(&settings, &request.overriding)?;
        let (actor, chance) = (actor.clone(), self.chance.clone());
        let (now, grace) = (self.clock.now(), self.options.stop_grace);
        let run = self
            .db
            .write("workspace.submit", move |tx| {
                let run_as = acting::of_new(tx, &actor, &settings)?;
                destinations::check_named(tx, &settings)?;
                let new = NewRun {
                    job: None,
                    name: &settings.name,
                    creator: &actor.name,
                    run_as: Some(&run_as),
                    launched_by: None,
                    cause: RunCause::OneTime,
                    settings: &settings,
                    request: &request,
                };
                let run = record::create(tx, &new, &*chance, now, grace)?;
                if tables::rules(tx, run.0)?.is_empty() {
                    permission::begin(tx, &actor, run.0, rules.clone())?;
                }
                note(tx, &actor, "submit", "workspace-run", &run.to_string(), (None, Some(settings.document())), now)?;
                Ok::<_, Error>(run)
            })
            .await?;
        self.look_at(run);
        Ok(run)
    }

    /// Shows a run; the number of a task run is fine too.
    pub async fn show_run(&self, id: RunId) -> Result<RunView, Error> {
        let (execution, attempt) = self.find(id).await?;
        Ok(match attempt {
            Some(attempt) => RunView {
                iterations: self.sight().iterations(&execution.run, attempt.id, &execution.attempts),
                ..self.sight().attempt_as_run(&execution.run, &attempt)
            },
            None => self.sight().run(&execution.run, &execution.attempts),
        })
    }

    /// Shows a run as [`Workspace::show_run`] does, with what each of its tasks
    /// was given, as far as that is known: not before a task's turn has come.
    pub async fn show_run_resolved(&self, id: RunId) -> Result<RunView, Error> {
        let (execution, _) = self.find(id).await?;
        let mut view = self.show_run(id).await?;
        for shown in view.tasks.iter_mut().chain(&mut view.history).chain(&mut view.iterations) {
            let attempt = execution.attempts.iter().find(|attempt| attempt.id == shown.run);
            let started = attempt.filter(|attempt| attempt.state.started_at().is_some());
            shown.resolved = started.and_then(|attempt| {
                let given = references::given(&execution, attempt, &shown.task, self.place()).ok()?;
                Some(references::resolved_values(&shown.task, given))
            });
        }
        Ok(view)
    }

    /// Lists runs, newest first.
    pub async fn runs(&self, query: RunsQuery) -> Result<Page<RunView>, Error> {
        let limit = match query.limit {
            Some(0) => RUNS_PAGE_MAX,
            limit => limit_of(limit, RUNS_PAGE_MAX)?,
        };
        let place = Place::parse(query.page_token.as_deref())?;
        let found = self.db.read("workspace.runs", move |tx| tables::runs(tx, &query, place, limit + 1)).await?;
        let sight = self.sight();
        let cursor = |found: &Execution| Cursor { micros: found.run.created_at.as_micros(), id: found.run.id.0 };
        let found = page(found, limit, place, cursor);
        let items = found.items.iter().map(|found| sight.run(&found.run, &found.attempts)).collect();
        Ok(Page { items, next: found.next, previous: found.previous })
    }

    /// Shows what a task run printed, so far. The number of a run with a
    /// single task stands for its latest attempt.
    pub async fn output(&self, id: RunId) -> Result<OutputView, Error> {
        let (execution, attempt) = self.find(id).await?;
        let tasks = execution.run.settings.tasks.len();
        let attempt = match attempt {
            Some(attempt) => Some(attempt),
            None if tasks > 1 => return Err(Error::ManyTasks { run: id, tasks }),
            None => execution.attempts.iter().rfind(|attempt| attempt.parent.is_none()).cloned(),
        };
        let Some(attempt) = attempt else {
            // It was skipped: there never was a task run.
            let metadata = self.sight().run(&execution.run, &[]);
            return Ok(OutputView {
                metadata,
                error: None,
                error_trace: None,
                logs: String::new(),
                logs_truncated: false,
                of_body: BodyOutput::Plain,
            });
        };
        let folder = self.task_folder(execution.run.id, attempt.id);
        let body = execution.run.task_of(&attempt).map(|task| task.body.clone());
        let of_body = match &body {
            Some(Body::NotebookTask(_)) => {
                BodyOutput::Notebook { exit: self.read_folder(&folder, output::notebook_exit).await? }
            }
            Some(Body::RunJobTask(other)) => {
                BodyOutput::RunJob { run: self.run_of_task(attempt.id, other.job_id).await? }
            }
            Some(Body::SqlTask(task)) => {
                // The file may be gone since.
                let text = self.sql_source(task).await.map(|source| source.text).unwrap_or_default();
                let lookup_keys = sql_task::lookup_keys(attempt.id, &text);
                BodyOutput::Sql { text, warehouse: task.warehouse_id.clone(), lookup_keys }
            }
            _ => BodyOutput::Plain,
        };
        let (logs, logs_truncated) = match &of_body {
            BodyOutput::Notebook { .. } | BodyOutput::Sql { .. } => (String::new(), false),
            _ => self.read_folder(&folder, output::logs).await?,
        };
        Ok(OutputView {
            metadata: self.sight().attempt_as_run(&execution.run, &attempt),
            error: attempt.error,
            error_trace: attempt.error_trace,
            logs,
            logs_truncated,
            of_body,
        })
    }

    /// Reads on in what a task run has printed, so far, whatever sort of task
    /// it is of: for whoever looks on. Begin with [`LogPlace::default`].
    pub async fn logs(&self, task_run: RunId, from: LogPlace) -> Result<LogPiece, Error> {
        let (execution, attempt) = self.find(task_run).await?;
        let attempt = attempt.ok_or(Error::NoRun(task_run))?;
        let folder = self.task_folder(execution.run.id, attempt.id);
        self.read_folder(&folder, move |folder| output::piece(folder, from)).await
    }

    /// Reads something out of the folder of a task, in a thread that may wait.
    pub(crate) async fn read_folder<T: Send + 'static>(
        &self,
        folder: &TaskFolder,
        read: impl FnOnce(&TaskFolder) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (folder, path) = (folder.clone(), folder.path.display().to_string());
        let read = tokio::task::spawn_blocking(move || read(&folder)).await;
        let read = read.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        read.map_err(|source| Error::Disk { deed: "read", path, source })
    }

    pub(crate) async fn find(&self, id: RunId) -> Result<(Execution, Option<TaskRun>), Error> {
        self.db
            .read("workspace.find_run", move |tx| {
                let Some(run) = tables::run_of_attempt(tx, id)? else { return Ok((tables::execution(tx, id)?, None)) };
                let execution = tables::execution(tx, run)?;
                let attempt = execution.attempts.iter().find(|attempt| attempt.id == id).cloned();
                Ok((execution, attempt))
            })
            .await
    }

    /// Asks a run to stop. It is stopped some time later; asking again, or
    /// asking a run that is over, changes nothing.
    pub async fn cancel(&self, actor: &Actor, id: RunId) -> Result<(), Error> {
        let (actor, now, grace) = (actor.clone(), self.clock.now(), self.options.stop_grace);
        let moved = self
            .db
            .write("workspace.cancel", move |tx| {
                if tables::execution(tx, id)?.run.state.is_open() {
                    note(tx, &actor, "cancel", "workspace-run", &id.to_string(), (None, None), now)?;
                }
                record::advance(tx, id, &Input::Cancel, now, grace)
            })
            .await?;
        for moved in &moved {
            self.act(moved);
            self.look_at(moved.execution.run.id);
        }
        self.tell_of_changes();
        Ok(())
    }

    /// Removes a run that is over, with its output. Its idempotency token
    /// stays reserved.
    pub async fn delete_run(&self, actor: &Actor, id: RunId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_run", move |tx| {
                if tables::execution(tx, id)?.run.state.is_open() {
                    return Err(Error::StillActive(id));
                }
                tables::delete_run(tx, id)?;
                note(tx, &actor, "delete", "workspace-run", &id.to_string(), (None, None), now)
            })
            .await?;
        self.remove_output(id).await;
        self.tell_of_changes();
        Ok(())
    }

    /// Counts the runs by what became of them.
    pub async fn run_counts(&self) -> Result<RunCounts, Error> {
        self.db.read("workspace.run_counts", tables::run_counts).await
    }
}

/// Reads an idempotency token. One that was dropped because it is no text
/// would make two runs of one.
fn token_of(value: Option<Json>) -> Result<Option<String>, Error> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(token)) => Ok(Some(token).filter(|token| !token.is_empty())),
        Some(_) => Err(Error::Parameter { detail: "\"idempotency_token\" must be a text".into() }),
    }
}

fn check_request(request: &RunRequest) -> Result<(), Error> {
    let refuse = |detail: String| Err(Error::Parameter { detail });
    if let Some(token) = &request.idempotency_token
        && (token.is_empty() || token.chars().count() > TOKEN_CHARACTERS_MAX)
    {
        return refuse(format!("an idempotency token has 1 to {TOKEN_CHARACTERS_MAX} characters"));
    }
    // Whoever took one of these could swallow a run that is due.
    let own = ["due ", "task run "];
    if let Some(start) =
        own.iter().find(|start| request.idempotency_token.as_deref().is_some_and(|token| token.starts_with(**start)))
    {
        return refuse(format!(
            "an idempotency token that begins with \"{start}\" is one of the workspace's own: choose another"
        ));
    }
    check_families(&request.overriding)
}

/// Refuses families of parameters that are too long, or not as the API wants them.
fn check_families(overriding: &Overriding) -> Result<(), Error> {
    let refuse = |detail: String| Err(Error::Parameter { detail });
    if overriding.python_params.iter().flatten().any(|text| !text.is_ascii()) {
        return refuse("\"python_params\" may only hold ASCII: use \"job_parameters\"".into());
    }
    let families = serde_json::to_value(overriding).expect("parameters are texts");
    for (family, value) in families.as_object().into_iter().flatten() {
        let bytes = value.to_string().len();
        if bytes > PARAMETER_BYTES_MAX {
            return refuse(format!(
                "parameters have at most {PARAMETER_BYTES_MAX} bytes as JSON, and \"{family}\" has {bytes}"
            ));
        }
    }
    Ok(())
}
