//! Asking a person: an effect that ends with somebody's answer.
//!
//! The task's id comes from the key of the operation and from when it was asked
//! for, so however often the effect is performed, there is one task. The run
//! sleeps as a row; the answer wakes it, or the deadline does, and then it
//! performs the effect again and finds the task answered.

use std::time::Duration;

use base::Timestamp;
use base::db::Tx;

use super::advance::InFlight;
use super::call::{Called, id_of};
use crate::error::Error;
use crate::flows::Flows;
use crate::modules::loopwright::task::{Asked, Otherwise, Question, Until};
use crate::modules::{Class, ModuleError, Settled};
use crate::run::RunId;
use crate::tables::{self, StoredToken, TaskRow};
use crate::task::{TaskDecision, TaskField, TaskId, TaskInfo, TaskState};
use crate::value::Value;

/// A run looks by itself after so long, should nobody have woken it.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// Who answers when nobody does.
const DEADLINE: &str = "deadline";

/// A question as one transaction takes it.
enum Step {
    Make { task: Box<TaskInfo>, token: StoredToken, waits: bool },
    Wait { id: TaskId },
}

/// What is known afterwards.
enum Seen {
    /// The task is there.
    Made(Box<TaskRow>),
    /// It is answered, or will be some time.
    Waits(Called),
}

impl Flows {
    /// Makes the task that a question asks for, if it has not been made, and
    /// looks whether it is answered.
    pub(super) async fn ask(
        &self,
        run: RunId,
        flow: &str,
        asked: &InFlight,
        question: &Question,
    ) -> Result<Called, Error> {
        let step = match question {
            Question::New { task, waits } => {
                let id = TaskId::from_bytes(id_of("task", &asked.intent.key, asked.asked_at));
                let task = Box::new(task_of(task, id, run, flow, asked));
                Step::Make { task, token: self.new_task_token(id), waits: *waits }
            }
            Question::Known { id } => match id.parse() {
                Ok(id) => Step::Wait { id },
                Err(_) => return Ok(settled(Err(unknown(id)))),
            },
        };
        let now = self.clock.now();
        match self.db.write("flows.ask", move |tx| perform(tx, run, &step, now)).await? {
            Seen::Waits(called) => Ok(called),
            Seen::Made(row) => {
                let link = self.link_of(&row)?;
                let bundle = [
                    ("id", Value::text(row.info.id.to_string())),
                    ("link", Value::text(link.expose())),
                    ("title", Value::text(&row.info.title)),
                ];
                Ok(settled(Ok(vec![Value::collection(bundle)])))
            }
        }
    }
}

fn settled(result: Result<Vec<Value>, ModuleError>) -> Called {
    Called::Settled(Settled::new(result))
}

fn unknown(id: &str) -> ModuleError {
    let message = format!("task \"{id}\" does not exist: map the id that loopwright:CreateTask gave in this run");
    ModuleError::new(Class::DataError, message)
}

fn task_of(asked: &Asked, id: TaskId, run: RunId, flow: &str, effect: &InFlight) -> TaskInfo {
    TaskInfo {
        id,
        state: TaskState::Open,
        title: asked.title.clone(),
        text: asked.text.clone(),
        fields: asked.fields.iter().cloned().map(|(name, value)| TaskField { name, value }).collect(),
        assignee: asked.assignee.clone(),
        deadline: match asked.until {
            Until::Never => None,
            Until::At(at) => Some(at),
            Until::After(seconds) => Some(effect.asked_at.plus(Duration::from_secs(seconds))),
        },
        otherwise: asked.otherwise.word().to_owned(),
        flow: flow.to_owned(),
        run,
        module: effect.intent.module,
        created_at: effect.asked_at,
        decision: None,
        comment: None,
        answered_by: None,
        answered_at: None,
    }
}

fn perform(tx: &mut dyn Tx, run: RunId, step: &Step, now: Timestamp) -> Result<Seen, Error> {
    tables::expect_live(tx, run)?;
    let (id, waits) = match step {
        Step::Make { task, token, waits } => {
            tables::add_task(tx, task, token)?;
            (task.id, *waits)
        }
        Step::Wait { id } => (*id, true),
    };
    // A task of another run is withdrawn with that, so nobody else waits for it.
    let Some(row) = tables::task(tx, id)?.filter(|row| row.info.run == run) else {
        return Ok(Seen::Waits(settled(Err(unknown(&id.to_string())))));
    };
    if !waits {
        return Ok(Seen::Made(Box::new(row)));
    }
    let mut task = row.info;
    if task.decision.is_none() && task.deadline.is_some_and(|deadline| deadline <= now) {
        let decision = match Otherwise::named(&task.otherwise) {
            Some(Otherwise::Approved) => TaskDecision::Approved,
            Some(Otherwise::Rejected) => TaskDecision::Rejected,
            _ => TaskDecision::Expired,
        };
        tables::answer_task(tx, &task, decision, "", DEADLINE, now)?;
        task.decision = Some(decision);
        (task.comment, task.answered_by, task.answered_at) = (None, Some(DEADLINE.into()), Some(now));
    }
    if task.decision.is_some() {
        return Ok(Seen::Waits(settled(answer(&task))));
    }
    let look_at = [task.deadline, Some(now.plus(LOOK_AGAIN))].into_iter().flatten().min().unwrap_or(now);
    tables::await_task(tx, id)?;
    tables::sleep_until(tx, run, look_at)?;
    Ok(Seen::Waits(Called::Sleeps(look_at)))
}

/// Makes the bundle of an answer.
fn answer(task: &TaskInfo) -> Result<Vec<Value>, ModuleError> {
    let decision = task.decision.unwrap_or(TaskDecision::Expired);
    if decision == TaskDecision::Expired && Otherwise::named(&task.otherwise) == Some(Otherwise::Fail) {
        let message = format!("nobody answered \"{}\" in time", task.title);
        return Err(ModuleError::new(Class::RuntimeError, message));
    }
    let text = |text: &Option<String>| Value::text(text.as_deref().unwrap_or_default());
    Ok(vec![Value::collection([
        ("decision", Value::text(decision.word())),
        ("approved", Value::Bool(decision == TaskDecision::Approved)),
        ("comment", text(&task.comment)),
        ("by", text(&task.answered_by)),
        ("at", task.answered_at.map_or(Value::Absent, Value::Date)),
        ("task", Value::text(task.id.to_string())),
    ])])
}
