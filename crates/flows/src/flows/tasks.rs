//! The verbs about tasks: what flows ask people, and what these answer.

use base::{Actor, Secret, audit};
use serde_json::json;

use super::Flows;
use super::hooks::hash_of;
use crate::error::Error;
use crate::tables::{self, StoredToken, TaskRow};
use crate::task::{TaskDecision, TaskDetails, TaskId, TaskInfo, TaskState};

/// Random bytes of the secret part of a link.
const TOKEN_BYTES: usize = 24;
/// Letters of a comment that are kept.
const COMMENT_CHARS_MAX: usize = 4_000;

/// Who answers a task.
#[derive(Clone)]
pub enum Answerer {
    /// Somebody who is known.
    Known(Actor),
    /// Whoever has the link, by the name that he or she gave.
    Link {
        /// The secret part of the link.
        token: Secret,
        /// The name; may be empty.
        name: String,
    },
}

impl Flows {
    /// Says under which address people reach this server, such as
    /// `https://loopwright.example.org`; links of tasks begin with it. A
    /// second call is ignored.
    pub fn set_address(&self, address: &str) {
        let _ = self.address.set(address.trim_end_matches('/').to_owned());
    }

    /// Returns tasks, the newest first, at most `limit`: those that somebody
    /// may answer, or all that are kept.
    pub async fn tasks(&self, only_open: bool, limit: u32) -> Result<Vec<TaskInfo>, Error> {
        Ok(self.db.read("flows.tasks", move |tx| tables::tasks(tx, only_open, limit)).await?)
    }

    /// Returns a task with its link.
    pub async fn task(&self, id: TaskId) -> Result<TaskDetails, Error> {
        let row = self.db.read("flows.task", move |tx| tables::task(tx, id)).await?;
        let row = row.ok_or(Error::UnknownTask { id })?;
        Ok(TaskDetails { link: self.link_of(&row)?, info: row.info })
    }

    /// Returns the task to which a link leads.
    pub async fn task_at(&self, token: &str) -> Result<TaskInfo, Error> {
        let hash = hash_of(token);
        let row = self.db.read("flows.task_at", move |tx| tables::task_by_token(tx, &hash)).await?;
        row.map(|row| row.info).ok_or(Error::UnknownTaskAddress)
    }

    /// Takes the answer to a task, the first one only; its run goes on.
    pub async fn answer_task(
        &self,
        id: Option<TaskId>,
        by: Answerer,
        decision: TaskDecision,
        comment: &str,
    ) -> Result<TaskInfo, Error> {
        let comment: String = comment.trim().chars().take(COMMENT_CHARS_MAX).collect();
        let now = self.clock.now();
        let answered = self
            .db
            .write("flows.answer_task", move |tx| {
                let row = match (&by, id) {
                    (Answerer::Link { token, .. }, _) => {
                        tables::task_by_token(tx, &hash_of(token.expose()))?.ok_or(Error::UnknownTaskAddress)?
                    }
                    (Answerer::Known(_), Some(id)) => tables::task(tx, id)?.ok_or(Error::UnknownTask { id })?,
                    (Answerer::Known(_), None) => return Err(Error::UnknownTaskAddress),
                };
                let task = row.info;
                let is_late = task.deadline.is_some_and(|deadline| deadline <= now);
                if task.state != TaskState::Open || is_late {
                    return Err(Error::TaskClosed { id: task.id, why: closed(&task, is_late) });
                }
                let (actor, name) = match &by {
                    Answerer::Known(actor) => (actor.clone(), actor.name.clone()),
                    Answerer::Link { name, .. } => {
                        let name: String = name.trim().chars().take(200).collect();
                        let name = if name.is_empty() { "link".to_owned() } else { name };
                        let link = Actor { administrator: false, ..Actor::system("task link") };
                        (Actor { name: format!("{name} (by the link of the task)"), ..link }, name)
                    }
                };
                tables::answer_task(tx, &task, decision, &comment, &name, now)?;
                let (before, after) = (json!({"state": task.state}), json!({"decision": decision, "comment": comment}));
                let id = task.id.to_string();
                audit::record(tx, &actor, "answer", "task", &id, Some(&before), Some(&after), now)?;
                let row = tables::task(tx, task.id)?.ok_or(Error::UnknownTask { id: task.id })?;
                Ok(row.info)
            })
            .await?;
        self.nudge.notify_one();
        Ok(answered)
    }

    /// Returns the address at which anybody may answer a task.
    pub(crate) fn link_of(&self, row: &TaskRow) -> Result<Secret, Error> {
        let token = self.keys.open(&purpose_of(row.info.id), &row.sealed_token)?;
        // Where nobody has said where we are, it is a path.
        let address = self.address.get().map_or("", String::as_str);
        Ok(Secret::new(format!("{address}/tasks/{}", token.expose())))
    }

    pub(crate) fn new_task_token(&self, id: TaskId) -> StoredToken {
        let token = self.chance_text(TOKEN_BYTES);
        let hash = hash_of(&token);
        StoredToken { hash, sealed: self.keys.seal(&purpose_of(id), &Secret::new(token), &*self.chance) }
    }
}

fn purpose_of(id: TaskId) -> String {
    format!("task {id}")
}

/// Says why a task cannot be answered any more.
fn closed(task: &TaskInfo, is_late: bool) -> String {
    match (task.state, task.decision) {
        (TaskState::Answered, Some(decision)) => {
            let by = task.answered_by.as_deref().unwrap_or("somebody");
            format!("it was {} by {by}", decision.word())
        }
        (TaskState::Withdrawn, _) => "its run has ended".to_owned(),
        _ if is_late => "its time is over".to_owned(),
        _ => "it is closed".to_owned(),
    }
}
