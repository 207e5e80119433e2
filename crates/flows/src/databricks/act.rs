//! What a module wants of a workspace, as a conversation.
//!
//! [`Errand::next`] says what is to be done, given what is [`Known`]: ask
//! something, keep what is known before something that must not happen twice,
//! wait for a run or a statement, or be done. [`Errand::take`] adds what was
//! answered. Whoever holds the conversation may stop at any point and begin it
//! again with what it kept, in another life of the program: a question that
//! starts something bears the token of the operation, so that the workspace
//! tells the first run instead of starting a second one.

use std::collections::HashMap;
use std::time::Duration;

use base::Timestamp;
use base::http::Method;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::problem::Subject;
use super::{id_of, run, statement, text_of};
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// Jobs whose outputs are asked for are long; more tasks than these are told
/// without theirs.
const OUTPUTS_MAX: usize = 100;
/// How long a workspace itself waits for a statement before it answers.
const STATEMENT_WAIT: &str = "10s";

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

/// A statement of SQL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sql {
    pub(crate) body: Json,
    pub(crate) deadline: Option<Duration>,
    /// All rows come in one bundle.
    pub(crate) together: bool,
    /// Repeating it does no harm.
    pub(crate) is_safe: bool,
}

/// What is known so far. What is not skipped outlives the program.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The run that was started, or that is asked about.
    #[serde(default)]
    pub(crate) run: Option<i64>,
    /// The statement that was started.
    #[serde(default)]
    pub(crate) statement: Option<String>,
    /// What a conversation of several parts must remember.
    #[serde(default)]
    pub(crate) noted: Json,
    /// When the run or statement was started, in microseconds.
    #[serde(default)]
    pub(crate) since: Option<i64>,
    /// It took too long, and was cancelled.
    #[serde(default)]
    pub(crate) cancelled: bool,
    /// How often in a row there was no usable answer.
    #[serde(default)]
    pub(crate) failures: u32,
    /// Since when, in microseconds.
    #[serde(default)]
    pub(crate) failing_since: Option<i64>,
    /// When the next try is due, in microseconds.
    #[serde(default)]
    pub(crate) retry_at: Option<i64>,
    /// How the run or statement ended.
    #[serde(skip)]
    pub(crate) ended: Option<Json>,
    /// What was noted lately is still as it was.
    #[serde(skip)]
    is_fresh: bool,
    #[serde(skip)]
    outputs: HashMap<i64, Json>,
    #[serde(skip)]
    listed: Vec<Json>,
    #[serde(skip)]
    page: Option<String>,
    #[serde(skip)]
    rows: Vec<Value>,
    #[serde(skip)]
    result: Option<Json>,
    #[serde(skip)]
    links: Vec<(String, Vec<(String, String)>)>,
    #[serde(skip)]
    done: Option<Json>,
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

/// Something under way whose end is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) since: Timestamp,
    pub(crate) deadline: Option<Timestamp>,
}

/// What sort of thing is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Statement,
}

impl Kind {
    /// Returns the word for it, as in the database.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Run => "run",
            Kind::Statement => "statement",
        }
    }

    /// Finds it by its word.
    pub(crate) fn named(word: &str) -> Option<Self> {
        [Kind::Run, Kind::Statement].into_iter().find(|kind| kind.word() == word)
    }

    /// Returns the question how it stands.
    pub(crate) fn look(self, id: &str) -> Ask {
        match self {
            Kind::Run => {
                let path = format!("/api/2.2/jobs/runs/get?run_id={id}&include_history=true");
                Ask::get(What::Look, path).about(of_run(id))
            }
            Kind::Statement => Ask::get(What::Look, format!("/api/2.0/sql/statements/{id}")).about(of_statement(id)),
        }
    }

    /// Tells whether an answer says that it is over.
    pub(crate) fn is_over(self, answer: &Json) -> bool {
        match self {
            Kind::Run => run::is_over(answer),
            Kind::Statement => statement::standing(answer) != statement::Standing::Open,
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ask {
    pub(crate) what: What,
    pub(crate) method: Method,
    /// With its query; a whole address for what lies elsewhere.
    pub(crate) path: String,
    pub(crate) body: Bytes,
    /// The body is JSON.
    pub(crate) is_json: bool,
    /// It goes to where a link leads, without credentials.
    pub(crate) headers_elsewhere: Option<Vec<(String, String)>>,
    /// Asking again does no harm.
    pub(crate) is_safe: bool,
    pub(crate) subject: Option<Subject>,
    pub(crate) token: Option<String>,
    pub(crate) timeout: Duration,
}

/// Which question it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Start,
    Look,
    /// A further page of a run's tasks.
    Tasks,
    Output(i64),
    Cancel,
    Jobs,
    Answer,
    Chunk,
    Link,
    Put,
    Remove,
}

/// An answer with a status of success.
pub(crate) struct Answer<'a> {
    pub(crate) body: &'a [u8],
    /// The header that says which model has answered.
    pub(crate) model: Option<String>,
}

fn of_run(id: impl std::fmt::Display) -> Subject {
    Subject { what: format!("run {id}"), right: "CAN VIEW", find: "look at the run's id; runs vanish after 60 days" }
}

fn of_statement(id: &str) -> Subject {
    let find = "results of statements are kept for an hour";
    Subject { what: format!("statement {id}"), right: "CAN USE on the warehouse", find }
}

impl Ask {
    pub(crate) fn get(what: What, path: String) -> Self {
        Ask {
            what,
            method: Method::GET,
            path,
            body: Bytes::new(),
            is_json: false,
            headers_elsewhere: None,
            is_safe: true,
            subject: None,
            token: None,
            timeout: Duration::from_mins(1),
        }
    }

    pub(crate) fn post(what: What, path: &str, body: &Json) -> Self {
        let body = Bytes::from(body.to_string());
        Ask { method: Method::POST, body, is_json: true, ..Ask::get(what, path.to_owned()) }
    }

    fn about(self, subject: Subject) -> Self {
        Ask { subject: Some(subject), ..self }
    }
}

fn data_error(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::DataError, message)
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

    /// Adds what was answered.
    pub(crate) fn take(
        &self,
        known: &mut Known,
        ask: &Ask,
        answer: &Answer<'_>,
        now: Timestamp,
    ) -> Result<(), ModuleError> {
        let json = || -> Result<Json, ModuleError> {
            serde_json::from_slice(answer.body).map_err(|_| {
                let said: String = String::from_utf8_lossy(answer.body).trim().chars().take(100).collect();
                data_error(format!(
                    "the answer is not that of a workspace, because it is not JSON (\"{said}\"): is the connection's \
                     address that of a workspace?"
                ))
            })
        };
        match &ask.what {
            What::Start if matches!(self.act, Act::Repair { .. }) => {
                let answer = json()?;
                let id = id_of(&answer["repair_id"]).ok_or_else(|| data_error("the repair has no \"repair_id\""))?;
                known.noted["repair"] = id.into();
                known.since = Some(now.as_micros());
            }
            What::Start if matches!(self.act, Act::Sql(_) | Act::Write { .. }) => {
                let answer = json()?;
                let id = text_of(&answer, "statement_id").to_owned();
                known.since = Some(now.as_micros());
                known.statement = Some(id);
                if Kind::Statement.is_over(&answer) {
                    known.ended = Some(answer);
                }
            }
            What::Start => {
                let answer = json()?;
                let id = id_of(&answer["run_id"]).ok_or_else(|| {
                    data_error(
                        "the workspace took the request and named no run: a job that runs continuously has no runs of \
                         its own to start",
                    )
                })?;
                known.run = Some(id);
                known.since = Some(now.as_micros());
            }
            What::Look => {
                let answer = json()?;
                if let Act::Repair { run: repaired, body, .. } = &self.act
                    && known.noted["repair"].is_null()
                {
                    let latest = run::repair_of(&answer);
                    if known.noted.is_null() {
                        if !run::is_over(&answer) {
                            return Err(data_error(format!(
                                "run {repaired} has not ended, so it cannot be repaired yet"
                            )));
                        }
                        let mut given = run::parameters_to_repeat(&answer);
                        given.extend(body.clone());
                        known.noted = json!({"latest": latest, "body": given});
                    } else if id_of(&known.noted["latest"]) != Some(latest) {
                        // It was asked for before, and did happen.
                        known.noted["repair"] = latest.into();
                        known.since = Some(now.as_micros());
                    }
                    known.is_fresh = true;
                    return Ok(());
                }
                known.ended = Some(answer);
            }
            What::Tasks => {
                let answer = json()?;
                if let Some(ended) = &mut known.ended {
                    let more = answer["tasks"].as_array().cloned().unwrap_or_default();
                    match ended["tasks"].as_array_mut() {
                        Some(tasks) => tasks.extend(more),
                        None => ended["tasks"] = more.into(),
                    }
                    ended["next_page_token"] = answer["next_page_token"].clone();
                }
            }
            What::Output(task) => {
                let output = json()?;
                known.outputs.insert(*task, output);
            }
            What::Cancel => {
                known.cancelled = true;
                known.done = Some(Json::Null);
            }
            What::Jobs => {
                let answer = json()?;
                known.listed.extend(answer["jobs"].as_array().cloned().unwrap_or_default());
                known.page = Some(text_of(&answer, "next_page_token").to_owned());
            }
            What::Answer => {
                let mut answered = json()?;
                if let (Some(fields), Some(model)) = (answered.as_object_mut(), &answer.model) {
                    fields.insert("served_model_name".into(), model.clone().into());
                }
                known.done = Some(answered);
            }
            What::Chunk => {
                let answer = json()?;
                known.take_result(&answer);
            }
            What::Link => {
                let rows: Vec<Json> = serde_json::from_slice(answer.body)
                    .map_err(|_| data_error("a part of the result is not rows in JSON"))?;
                known.take_rows(&rows);
                if !known.links.is_empty() {
                    known.links.remove(0);
                }
            }
            What::Put => match &self.act {
                Act::Write { .. } => known.noted = json!({"uploaded": true}),
                _ => known.done = Some(Json::Null),
            },
            What::Remove => known.done = Some(Json::Null),
        }
        Ok(())
    }

    /// Takes a refusal that does not matter; tells whether it was one.
    pub(crate) fn overlooks(&self, known: &mut Known, ask: &Ask, status: u16, said: &str) -> bool {
        match &ask.what {
            // A task of some kinds has no output, and its run counts all the same.
            What::Output(task) => {
                known.outputs.insert(*task, json!({"output_missing": said}));
                true
            }
            // The file is gone, or stays; the rows are in the table.
            What::Remove => {
                known.done = Some(json!({"left": status != 404}));
                true
            }
            // What is over cannot be cancelled.
            What::Cancel if !matches!(self.act, Act::Cancel { .. }) => {
                known.cancelled = true;
                true
            }
            _ => false,
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

impl Known {
    pub(crate) fn since(&self, now: Timestamp) -> Timestamp {
        self.since.map_or(now, Timestamp::from_micros)
    }

    fn take_result(&mut self, result: &Json) {
        self.links.extend(statement::links(result));
        let rows = result["data_array"].as_array().map_or(&[][..], Vec::as_slice).to_vec();
        self.take_rows(&rows);
        let next = statement::next_chunk(result);
        self.result = Some(json!({ "next": next }));
    }

    fn take_rows(&mut self, rows: &[Json]) {
        let manifest = self.ended.as_ref().map(|ended| ended["manifest"].clone()).unwrap_or_default();
        self.rows.extend(rows.iter().map(|row| statement::row(&manifest, row)));
    }

    /// Takes the first part of a statement's result, which came with its end.
    pub(crate) fn begin_rows(&mut self) {
        if self.result.is_none()
            && let Some(ended) = &self.ended
            && statement::standing(ended) == statement::Standing::Succeeded
        {
            let first = ended["result"].clone();
            self.take_result(&first);
        }
    }
}

fn start(path: &str, body: &Json, job: Option<i64>, key: &str) -> Ask {
    let mut body = body.clone();
    let token = body["idempotency_token"].as_str().map_or_else(|| key.to_owned(), str::to_owned);
    body["idempotency_token"] = token.clone().into();
    let subject = job.map_or_else(
        || Subject {
            what: "a run of its own".into(),
            right: "the right to submit runs",
            find: "look at what its tasks name",
        },
        |job| Subject {
            what: format!("job {job}"),
            right: "CAN MANAGE RUN",
            find: "look at the id in the address of the job's page (#job/ID)",
        },
    );
    Ask { token: Some(token), ..Ask::post(What::Start, path, &body).about(subject) }
}

fn cancel(run: i64) -> Ask {
    let subject = Subject { right: "CAN MANAGE RUN", ..of_run(run) };
    Ask::post(What::Cancel, "/api/2.2/jobs/runs/cancel", &json!({ "run_id": run })).about(subject)
}

/// Waits for the end of a run, and tells of it.
fn waits(id: i64, wait: &Wait, known: &Known, now: Timestamp) -> Next {
    let since = known.since(now);
    let deadline = wait.deadline.map(|deadline| since.plus(deadline));
    let Some(ended) = &known.ended else {
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        return match (is_late, wait.cancels, known.cancelled) {
            (true, true, false) => Next::Ask(cancel(id)),
            (true, true, true) => Next::Done(Err(ModuleError::new(
                Class::RuntimeError,
                format!("run {id} was cancelled, because it took longer than {}", span(wait.deadline)),
            ))),
            // It goes on, so whoever tries again waits for the same run.
            (true, false, _) => Next::Done(Err(ModuleError::new(
                Class::ModuleTimeoutError,
                format!("run {id} has not ended within {}; it goes on", span(wait.deadline)),
            ))),
            (false, ..) => Next::Watch(Watched { kind: Kind::Run, id: id.to_string(), since, deadline }),
        };
    };
    let bundle = match told(ended, wait.outputs, known) {
        Ok(bundle) => bundle,
        Err(ask) => return Next::Ask(*ask),
    };
    let succeeded = run::is_success(&run::result_of(ended));
    if wait.fails && !succeeded {
        return Next::Done(Err(run::failure(&bundle.to_json())));
    }
    Next::Done(Ok(vec![bundle]))
}

fn span(deadline: Option<Duration>) -> String {
    let seconds = deadline.unwrap_or_default().as_secs();
    match seconds {
        1 => "1 second".to_owned(),
        _ if seconds >= 120 && seconds.is_multiple_of(60) => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

/// Makes the bundle of a run, or the question that is still to be asked for it.
fn told(seen: &Json, outputs: bool, known: &Known) -> Result<Value, Box<Ask>> {
    let page = text_of(seen, "next_page_token");
    let id = id_of(&seen["run_id"]).unwrap_or_default();
    if !page.is_empty() {
        let path = format!("/api/2.2/jobs/runs/get?run_id={id}&page_token={}", in_path(page));
        return Err(Box::new(Ask::get(What::Tasks, path).about(of_run(id))));
    }
    let wanted = match outputs {
        true => run::outputs_to_ask(seen).into_iter().take(OUTPUTS_MAX).collect(),
        false => Vec::from_iter(run::output_that_explains(seen)),
    };
    if let Some(task) = wanted.into_iter().find(|task| !known.outputs.contains_key(task)) {
        let path = format!("/api/2.2/jobs/runs/get-output?run_id={task}");
        return Err(Box::new(Ask::get(What::Output(task), path).about(of_run(task))));
    }
    Ok(Value::from_json(run::bundle(seen, &known.outputs)))
}

/// Repairs a run: looks how often it was repaired, keeps that, and asks. A
/// repair bears no token; who finds one more than before has asked already.
fn repairs(id: i64, body: &Map<String, Json>, wait: Option<&Wait>, known: &Known, now: Timestamp) -> Next {
    if known.noted.is_null() || known.noted["repair"].is_null() && !known.is_fresh {
        return Next::Ask(Kind::Run.look(&id.to_string()));
    }
    if known.noted["repair"].is_null() {
        if known.noted["kept"].is_null() {
            return Next::Keep;
        }
        let mut sent = known.noted["body"].as_object().cloned().unwrap_or_else(|| body.clone());
        sent.insert("run_id".into(), id.into());
        if let Some(latest) = id_of(&known.noted["latest"]).filter(|latest| *latest != 0) {
            sent.insert("latest_repair_id".into(), latest.into());
        }
        let subject = Subject { right: "CAN MANAGE RUN", ..of_run(id) };
        let ask = Ask::post(What::Start, "/api/2.2/jobs/runs/repair", &Json::Object(sent)).about(subject);
        // Not before somebody has looked again.
        return Next::Ask(ask);
    }
    match wait {
        None => {
            let bundle = json!({"run_id": id, "repair_id": known.noted["repair"]});
            Next::Done(Ok(vec![Value::from_json(bundle)]))
        }
        Some(wait) => waits(id, wait, known, now),
    }
}

impl Known {
    /// Notes that it was kept as it is.
    pub(crate) fn was_kept(&mut self) {
        if self.noted.is_object() {
            self.noted["kept"] = true.into();
        }
    }
}

fn lists(name: Option<&str>, limit: usize, known: &Known) -> Next {
    let is_through = known.page.as_ref().is_some_and(String::is_empty) || known.listed.len() >= limit;
    if !is_through {
        let mut path = format!("/api/2.2/jobs/list?limit={}", limit.clamp(1, 100));
        if let Some(name) = name {
            path.push_str(&format!("&name={}", in_path(name)));
        }
        if let Some(page) = &known.page {
            path.push_str(&format!("&page_token={}", in_path(page)));
        }
        return Next::Ask(Ask::get(What::Jobs, path));
    }
    let job = |job: &Json| {
        Value::from_json(json!({
            "job_id": job["job_id"], "name": job["settings"]["name"], "creator_user_name": job["creator_user_name"],
            "created_time": job["created_time"], "settings": job["settings"],
        }))
    };
    Next::Done(Ok(known.listed.iter().take(limit).map(job).collect()))
}

fn queries(sql: &Sql, known: &Known, now: Timestamp) -> Next {
    match result_of(sql, known, now) {
        Err(next) => *next,
        Ok(ended) => {
            if !sql.together {
                return Next::Done(Ok(known.rows.clone()));
            }
            let count = Value::Int(known.rows.len() as i64);
            Next::Done(Ok(vec![Value::collection([
                ("rows", Value::array(known.rows.clone())),
                ("count", count),
                ("columns", Value::from_json(statement::columns(&ended["manifest"]))),
                ("truncated", Value::Bool(ended["manifest"]["truncated"].as_bool().unwrap_or(false))),
                ("statement_id", Value::text(text_of(ended, "statement_id"))),
            ])]))
        }
    }
}

/// Brings a statement to its end and fetches all that it gives; whatever is
/// still to be done stands in the error.
fn result_of<'a>(sql: &Sql, known: &'a Known, now: Timestamp) -> Result<&'a Json, Box<Next>> {
    let warehouse = text_of(&sql.body, "warehouse_id");
    let Some(id) = &known.statement else {
        let mut body = sql.body.clone();
        body["wait_timeout"] = STATEMENT_WAIT.into();
        body["on_wait_timeout"] = "CONTINUE".into();
        let subject = Subject {
            what: format!("the warehouse \"{warehouse}\""),
            right: "CAN USE",
            find: "look at its id under SQL Warehouses",
        };
        let ask = Ask::post(What::Start, "/api/2.0/sql/statements", &body).about(subject);
        return Err(Box::new(Next::Ask(Ask { is_safe: sql.is_safe, ..ask })));
    };
    let Some(ended) = &known.ended else {
        let since = known.since(now);
        let deadline = sql.deadline.map(|deadline| since.plus(deadline));
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        return Err(Box::new(match (is_late, known.cancelled) {
            (true, false) => {
                let path = format!("/api/2.0/sql/statements/{id}/cancel");
                Next::Ask(Ask::post(What::Cancel, &path, &json!({})).about(of_statement(id)))
            }
            (true, true) => Next::Done(Err(ModuleError::new(
                Class::RuntimeError,
                format!("statement {id} was cancelled, because it took longer than {}", span(sql.deadline)),
            ))),
            (false, _) => Next::Watch(Watched { kind: Kind::Statement, id: id.clone(), since, deadline }),
        }));
    };
    if statement::standing(ended) == statement::Standing::Failed {
        return Err(Box::new(Next::Done(Err(statement::failure(ended)))));
    }
    if let Some((link, headers)) = known.links.first() {
        let ask = Ask::get(What::Link, link.clone());
        return Err(Box::new(Next::Ask(Ask { headers_elsewhere: Some(headers.clone()), ..ask })));
    }
    if let Some(chunk) = known.result.as_ref().and_then(|result| result["next"].as_i64()) {
        let path = format!("/api/2.0/sql/statements/{id}/result/chunks/{chunk}");
        return Err(Box::new(Next::Ask(Ask::get(What::Chunk, path).about(of_statement(id)))));
    }
    Ok(ended)
}

/// Returns the file through which rows go: the same however often they are
/// written, so that the table takes it once.
fn file_of(volume: &str, key: &str, ending: &str) -> String {
    format!("{}/loopwright-{key}.{ending}", volume.trim_end_matches('/'))
}

/// The address of a file of the Files API.
fn put(path: &str, content: &Bytes, overwrite: bool) -> Ask {
    let subject = Subject {
        what: format!("\"{path}\""),
        right: "WRITE VOLUME",
        find: "look at catalog, schema and volume in its path",
    };
    let address = format!("/api/2.0/fs/files{}?overwrite={overwrite}", file_address(path));
    let ask = Ask::get(What::Put, address).about(subject);
    Ask { method: Method::PUT, body: content.clone(), timeout: Duration::from_mins(5), ..ask }
}

fn file_address(path: &str) -> String {
    path.split('/').map(in_path).collect::<Vec<_>>().join("/")
}

fn in_path(part: &str) -> String {
    crate::modules::http::path_part(part)
}

/// Puts rows into a table: a file, a statement that takes it in, and no file
/// any more.
fn writes(file: &str, content: &Bytes, rows: Option<u64>, sql: &Sql, known: &Known, now: Timestamp) -> Next {
    if known.noted["uploaded"].is_null() {
        return Next::Ask(put(file, content, true));
    }
    let mut sql = sql.clone();
    let text = text_of(&sql.body, "statement").replace(FILE_MARK, &file.replace('\'', "''"));
    sql.body["statement"] = text.into();
    let ended = match result_of(&sql, known, now).map_err(|next| *next) {
        Err(Next::Done(Err(error))) if known.done.is_none() => {
            tracing::debug!(%error, "rows were not taken in, and their file is removed");
            return Next::Ask(removal(file));
        }
        Err(next) => return next,
        Ok(ended) => ended,
    };
    if known.done.is_none() {
        return Next::Ask(removal(file));
    }
    let first = known.rows.first();
    let number = |names: &[&str]| {
        names.iter().find_map(|name| first.map(|row| row.field(name)).filter(Value::exists)).unwrap_or_default()
    };
    let written = rows.map_or(Value::Absent, |rows| Value::Int(i64::try_from(rows).unwrap_or(i64::MAX)));
    Next::Done(Ok(vec![Value::collection([
        ("rows", written),
        ("inserted", number(&["num_inserted_rows", "num_affected_rows"])),
        ("statement_id", Value::text(text_of(ended, "statement_id"))),
        ("file", Value::text(file)),
    ])]))
}

/// Stands in a statement for the file that it takes in.
pub(crate) const FILE_MARK: &str = "\u{1}file\u{1}";

fn removal(file: &str) -> Ask {
    let ask = Ask::get(What::Remove, format!("/api/2.0/fs/files{}", file_address(file)));
    Ask { method: Method::DELETE, ..ask }
}
