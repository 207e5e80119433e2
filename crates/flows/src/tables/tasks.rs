//! Questions to people.

use base::Timestamp;
use base::args;
use base::db::{Error, Row, Tx};

use super::StoredToken;
use crate::run::RunId;
use crate::task::{TaskDecision, TaskId, TaskInfo, TaskState};

/// A task, and the secret part of its address.
#[derive(Clone, Debug)]
pub(crate) struct TaskRow {
    pub(crate) info: TaskInfo,
    pub(crate) sealed_token: Vec<u8>,
}

const COLUMNS: &str = "tasks.id, tasks.run, tasks.flow, tasks.module, tasks.title, tasks.text, tasks.fields, \
     tasks.assignee, tasks.deadline, tasks.otherwise, tasks.created_at, tasks.decision, tasks.comment, \
     tasks.answered_by, tasks.answered_at, tasks.sealed_token, runs.state";
const FROM: &str = "FROM tasks LEFT JOIN runs ON runs.id = tasks.run";

fn task_row(row: &Row) -> Result<TaskRow, Error> {
    let fields: String = row.get(6)?;
    let decision = match row.get::<Option<String>>(11)? {
        None => None,
        Some(word) => Some(TaskDecision::named(&word).ok_or(Error::Shape { column: 11 })?),
    };
    let is_live = row.get::<Option<String>>(16)?.is_some_and(|state| state != "ended");
    let info = TaskInfo {
        id: row.get(0)?,
        state: match (decision, is_live) {
            (Some(_), _) => TaskState::Answered,
            (None, true) => TaskState::Open,
            (None, false) => TaskState::Withdrawn,
        },
        run: row.get(1)?,
        flow: row.get(2)?,
        module: row.get(3)?,
        title: row.get(4)?,
        text: row.get(5)?,
        fields: serde_json::from_str(&fields).map_err(|_| Error::Shape { column: 6 })?,
        assignee: row.get(7)?,
        deadline: row.get(8)?,
        otherwise: row.get(9)?,
        created_at: row.get(10)?,
        decision,
        comment: row.get(12)?,
        answered_by: row.get(13)?,
        answered_at: row.get(14)?,
    };
    Ok(TaskRow { info, sealed_token: row.get(15)? })
}

/// Makes a task, unless it is there already.
pub(crate) fn add_task(tx: &mut dyn Tx, task: &TaskInfo, token: &StoredToken) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO tasks (id, run, flow, module, title, text, fields, assignee, deadline, otherwise, token_hash, \
         sealed_token, created_at, awaited) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0) \
         ON CONFLICT (id) DO NOTHING",
        args![
            task.id,
            task.run,
            &task.flow,
            task.module,
            &task.title,
            &task.text,
            serde_json::to_string(&task.fields).expect("they are texts"),
            &task.assignee,
            task.deadline,
            &task.otherwise,
            &token.hash,
            token.sealed.as_slice(),
            task.created_at
        ],
    )?;
    Ok(())
}

pub(crate) fn task(tx: &mut dyn Tx, id: TaskId) -> Result<Option<TaskRow>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS} {FROM} WHERE tasks.id = $1"), args![id])?;
    row.as_ref().map(task_row).transpose()
}

pub(crate) fn task_by_token(tx: &mut dyn Tx, hash: &str) -> Result<Option<TaskRow>, Error> {
    let row = tx.query_one(&format!("SELECT {COLUMNS} {FROM} WHERE tasks.token_hash = $1"), args![hash])?;
    row.as_ref().map(task_row).transpose()
}

/// Lists tasks, the newest first: those that somebody may answer, or all.
pub(crate) fn tasks(tx: &mut dyn Tx, only_open: bool, limit: u32) -> Result<Vec<TaskInfo>, Error> {
    let open = if only_open { "WHERE tasks.decision IS NULL AND runs.state <> 'ended'" } else { "" };
    let sql = format!("SELECT {COLUMNS} {FROM} {open} ORDER BY tasks.created_at DESC, tasks.id DESC LIMIT $1");
    tx.query(&sql, args![limit])?.iter().map(|row| Ok(task_row(row)?.info)).collect()
}

/// Notes that a run sleeps until a task is answered.
pub(crate) fn await_task(tx: &mut dyn Tx, id: TaskId) -> Result<(), Error> {
    tx.execute("UPDATE tasks SET awaited = 1 WHERE id = $1", args![id])?;
    Ok(())
}

/// Writes an answer, if there is none, and wakes the run that sleeps until
/// then. Tells whether it was the first.
pub(crate) fn answer_task(
    tx: &mut dyn Tx,
    task: &TaskInfo,
    decision: TaskDecision,
    comment: &str,
    by: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE tasks SET decision = $2, comment = $3, answered_by = $4, answered_at = $5 \
               WHERE id = $1 AND decision IS NULL";
    if tx.execute(sql, args![task.id, decision.word(), comment, by, now])? == 0 {
        return Ok(false);
    }
    // A run that is somewhere else, perhaps in a sleep, sleeps on.
    let sql = "UPDATE runs SET wakes_at = $2 WHERE id = $1 AND state = 'live' AND wakes_at > $2 \
               AND EXISTS (SELECT 1 FROM tasks WHERE tasks.id = $3 AND tasks.awaited = 1)";
    tx.execute(sql, args![task.run, now, task.id])?;
    Ok(true)
}

/// Forgets the tasks of a run that is forgotten.
pub(crate) fn forget_tasks(tx: &mut dyn Tx, run: RunId) -> Result<(), Error> {
    tx.execute("DELETE FROM tasks WHERE run = $1", args![run])?;
    Ok(())
}
