//! What a module wants of a workspace, as a conversation.
//!
//! [`Errand::next`] says what is to be done, given what is [`Known`]: ask
//! something, keep what is known before something that must not happen twice,
//! wait for a run or a statement, or be done. [`Errand::take`] adds what was
//! answered. Whoever holds the conversation may stop at any point and begin it
//! again with what it kept, in another life of the program: a question that
//! starts something bears the token of the operation, so that the workspace
//! tells the first run instead of starting a second one.

mod ask;
mod known;
mod take;
mod runs;
mod sql;
mod files;

use std::time::Duration;

use base::Timestamp;
use base::http::Method;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::problem::Subject;
use crate::modules::ModuleError;
use crate::value::Value;

pub(crate) use ask::{Answer, Ask, Kind, Watched, What};
pub(crate) use files::FILE_MARK;
pub(crate) use known::Known;
pub(crate) use sql::Sql;

use files::{file_of, in_path, put, writes};
use runs::{cancel, lists, repairs, start, told, waits};
use sql::queries;

/// What a module wants, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Errand {
    /// The connection that it names.
    pub connection: String,
    /// Name of the module, for the record of calls.
    pub module: &'static str,
    /// What it wants.
    pub(crate) act: Act,
}

/// What a module wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// A run is to be started, of a job or once.
    Run { path: &'static str, body: Json, job: Option<i64>, wait: Option<Wait> },
    /// How does a run stand?
    Get { run: i64, outputs: bool },
    /// A run is to be stopped.
    Cancel { run: i64 },
    /// Failed tasks of a run are to be run again.
    Repair { run: i64, body: Map<String, Json>, wait: Option<Wait> },
    /// Which jobs are there?
    List { name: Option<String>, limit: usize },
    /// A serving endpoint is asked.
    Query { endpoint: String, body: Bytes },
    /// A statement of SQL.
    Sql(Sql),
    /// A file is to be put into a volume.
    Upload { path: String, content: Bytes, overwrite: bool },
    /// Rows are to be put into a table, by way of a file.
    Write { volume: String, ending: &'static str, content: Bytes, rows: Option<u64>, sql: Sql },
}

/// How a run is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// It may take so long.
    pub deadline: Option<Duration>,
    /// What takes longer is cancelled.
    pub cancels: bool,
    /// A run that does not succeed is a failure of the module.
    pub fails: bool,
    /// The outputs of its tasks are asked for.
    pub outputs: bool,
}

/// What is to be done next.
pub(crate) enum Next {
    /// A question.
    Ask(Ask),
    /// What is known must be kept before the next question.
    Keep,
    /// Something under way ends at some time.
    Watch(Watched),
    /// It is through.
    Done(Result<Vec<Value>, ModuleError>),
}

impl Errand {
    /// Tells whether the whole operation may be performed again when it is not
    /// known how far it came.
    pub(crate) fn is_safe(&self) -> bool {
        match &self.act {
            Act::Sql(sql) => sql.is_safe,
            // All others bear a token, look first, or say the same again.
            _ => true,
        }
    }

    /// Says what is to be done. `key` is that of the operation: the same
    /// however often it is performed, another one for another attempt.
    pub(crate) fn next(&self, known: &Known, key: &str, now: Timestamp) -> Next {
        if let Some(unseen) = known.ended.as_ref().and_then(|ended| ModuleError::from_stored(ended.get("unseen")?)) {
            return Next::Done(Err(unseen));
        }
        match &self.act {
            Act::Run { path, body, job, wait } => match known.run {
                None => Next::Ask(start(path, body, *job, key)),
                Some(started) => match wait {
                    None => Next::Done(Ok(vec![Value::from_json(self.started(known, key))])),
                    Some(wait) => waits(started, wait, known, now),
                },
            },
            Act::Get { run, outputs } => match &known.ended {
                None => Next::Ask(Kind::Run.look(&run.to_string())),
                Some(seen) => told(seen, *outputs, known)
                    .map_or_else(|ask| Next::Ask(*ask), |bundle| Next::Done(Ok(vec![bundle]))),
            },
            Act::Cancel { run } => match &known.done {
                None => Next::Ask(cancel(*run)),
                Some(_) => {
                    let bundle = json!({"run_id": run, "cancelled": true});
                    Next::Done(Ok(vec![Value::from_json(bundle)]))
                }
            },
            Act::Repair { run, body, wait } => repairs(*run, body, wait.as_ref(), known, now),
            Act::List { name, limit } => lists(name.as_deref(), *limit, known),
            Act::Query { endpoint, body } => match &known.done {
                None => Next::Ask(Ask {
                    method: Method::POST,
                    body: body.clone(),
                    is_json: true,
                    // The longest that an endpoint may take, and some seconds.
                    timeout: Duration::from_mins(5),
                    ..Ask::get(What::Answer, format!("/serving-endpoints/{}/invocations", in_path(endpoint))).about(
                        Subject {
                            what: format!("the serving endpoint \"{endpoint}\""),
                            right: "CAN QUERY",
                            find: "look at its name under Serving",
                        },
                    )
                }),
                Some(answer) => Next::Done(Ok(vec![Value::from_json(answer.clone())])),
            },
            Act::Sql(sql) => queries(sql, known, now),
            Act::Upload { path, content, overwrite } => match &known.done {
                None => Next::Ask(put(path, content, *overwrite)),
                Some(_) => {
                    let bundle = json!({"path": path, "size": content.len()});
                    Next::Done(Ok(vec![Value::from_json(bundle)]))
                }
            },
            Act::Write { volume, ending, content, rows, sql } => {
                writes(&file_of(volume, key, ending), content, *rows, sql, known, now)
            }
        }
    }

    /// Makes the bundle of a run that is not waited for.
    fn started(&self, known: &Known, key: &str) -> Json {
        let job = match &self.act {
            Act::Run { job, .. } => *job,
            _ => None,
        };
        let mut bundle = json!({"run_id": known.run, "idempotency_token": key});
        if let Some(job) = job {
            bundle["job_id"] = job.into();
        }
        bundle
    }
}
