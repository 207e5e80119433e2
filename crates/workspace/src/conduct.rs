//! What happens when a task's turn has come.
//!
//! Most tasks are processes: they are started or adopted, and waited for. Some
//! the server does itself. All of it may happen twice, because a server may go
//! down in the middle and the next one takes up whatever is in flight: so a
//! process is claimed, another job is run under a token, a statement commits
//! under a key, and the rest changes nothing.

use serde_json::Value as Json;

use crate::RunId;
use crate::condition;
use crate::decide::{Ending, Execution, How};
use crate::error::Error;
use crate::inputs;
use crate::process;
use crate::references::{self, Given, Place};
use crate::run::{TaskRun, TaskState};
use crate::settings::{Body, Task};
use crate::tables;
use crate::workspace::Workspace;

/// What came of conducting an attempt.
pub(crate) enum Conducted {
    /// It is over.
    Over(Ending),
    /// A `for_each_task` has these inputs.
    Opened(Vec<Json>),
}

impl Workspace {
    /// Does what an attempt is there for, and returns when it is over.
    pub(crate) async fn conduct(&self, execution: &Execution, id: RunId) -> Conducted {
        let attempt = execution.attempts.iter().find(|other| other.id == id);
        let found = attempt.and_then(|attempt| Some((attempt, execution.run.task_of(attempt)?)));
        let Some((attempt, task)) = found else {
            return refused(&Error::NoRun(id));
        };
        if task.body.is_process() {
            return Conducted::Over(self.conduct_process(execution, attempt, task).await);
        }
        let given = match references::given(execution, attempt, task, self.place()) {
            Ok(given) => given,
            Err(error) => return refused(&error),
        };
        match (&task.body, given) {
            (Body::ConditionTask(condition), Given::Sides(left, right)) => {
                done(condition::holds(condition.op, &left, &right).map(Some))
            }
            (Body::ForEachTask(_), Given::Inputs(text)) => match inputs::read(&text) {
                Ok(inputs) => Conducted::Opened(inputs),
                Err(why) => done(Err(why)),
            },
            (Body::RunJobTask(other), Given::Named(parameters)) => {
                Conducted::Over(self.conduct_run_job(execution, attempt, other, parameters).await)
            }
            (Body::SqlTask(sql), Given::Named(parameters)) => {
                Conducted::Over(self.conduct_sql(execution, attempt, sql, parameters).await)
            }
            (body, _) => done(Err(format!("a \"{}\" cannot be run", body.name()))),
        }
    }

    /// Starts the process of an attempt or adopts it, and waits for its end.
    async fn conduct_process(&self, execution: &Execution, attempt: &TaskRun, task: &Task) -> Ending {
        let folder = self.task_folder(execution.run.id, attempt.id);
        if folder.claim().is_none() && folder.exit().is_none() {
            let file = tokio::select! {
                file = self.task_file(execution, attempt, task, &folder) => file,
                // It may take long to install what the task asks for.
                () = self.until_stopped(execution.run.id, attempt.id) => {
                    process::forget_secrets(&folder);
                    return Ending::plain(How::NotStarted("it was asked to stop before".into()));
                }
            };
            let prepared = match file {
                Ok(file) => {
                    let folder = folder.clone();
                    // It waits for the disk, so it has a thread of its own.
                    let written = tokio::task::spawn_blocking(move || folder.prepare(&file)).await;
                    written.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = prepared {
                // A server before this one may have come further.
                process::forget_secrets(&folder);
                return Ending::plain(How::NotStarted(why));
            }
        }
        process::attend(folder, self.options.supervisor.clone()).await
    }

    /// Waits until an attempt is not to go on.
    pub(crate) async fn until_stopped(&self, run: RunId, attempt: RunId) {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let state = self.db.read("workspace.until_stopped", move |tx| {
                let execution = tables::execution(tx, run)?;
                Ok::<_, Error>(execution.attempts.iter().find(|other| other.id == attempt).map(|found| found.state))
            });
            match state.await {
                Ok(Some(TaskState::Running { .. })) => {}
                // The database is asked again when something has changed.
                Err(error) if !matches!(error, Error::NoRun(_)) => {
                    tracing::warn!(task_run.id = %attempt, %error, "a task cannot be looked at");
                }
                _ => return,
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place { workspace_id: self.options.workspace_id, public_url: &self.options.public_url }
    }
}

fn done(answer: Result<Option<bool>, String>) -> Conducted {
    Conducted::Over(Ending::plain(match answer {
        Ok(answer) => How::Done(answer),
        Err(why) => How::Refused(why),
    }))
}

fn refused(error: &Error) -> Conducted {
    done(Err(error.to_string()))
}
