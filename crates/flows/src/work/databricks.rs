//! Conversations with workspaces.
//!
//! A module plans an [`Errand`]; here its questions are asked, one after the
//! other, as long as answers come. What takes its time over there, and what
//! must be tried again later, is a row: the run sleeps, and no thread waits.
//! What is under way is looked at by `watch`, for all runs together.
//!
//! Whatever happens to the program meanwhile, the conversation begins again
//! with what it kept. A question that starts a run bears the key of the
//! operation as its token, so that the workspace answers with the run that was
//! started before.

use std::time::Duration;

use base::db::Tx;
use base::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use base::{Actor, Timestamp};
use sha2::{Digest, Sha256};

use super::advance::InFlight;
use super::call::Called;
use super::perform::For;
use crate::connection::Unsealed;
use crate::databricks::act::{Answer, Ask, Errand, Known, Next, Watched, What};
use crate::databricks::problem::{self, Facts, Refusal};
use crate::databricks::{CallInfo, pace};
use crate::error::Error;
use crate::feedback;
use crate::flows::{Behind, Flows};
use crate::modules::{Class, ModuleError, Settled};
use crate::run::RunId;
use crate::tables::{self, Conversation, ToWatch};
use crate::value::Value;

/// A run that waits looks by itself after so long, should nobody have woken it.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// Questions of one conversation without a pause; a result may have many chunks.
const QUESTIONS_MAX: usize = 20_000;
/// A short wait for leave to call is waited for on the spot.
const SHORT_WAIT: Duration = Duration::from_secs(2);

/// What came of a question.
pub(crate) enum Heard {
    /// An answer with a status of success.
    Answer(Response),
    /// No answer that could be used, but perhaps later.
    Later { error: ModuleError, after: Option<u64>, status: Option<u16>, was_not_done: bool },
    /// A refusal.
    Refused { error: ModuleError, refusal: Refusal },
    /// It was not even asked.
    Unasked(ModuleError),
}

/// On whose behalf a workspace is called.
pub(crate) struct Caller<'a> {
    pub(crate) behind: Behind<'a>,
    pub(crate) run: Option<RunId>,
    pub(crate) operation: &'a str,
}

impl Caller<'_> {
    fn flow(&self) -> (Option<String>, Option<String>) {
        match self.behind {
            Behind::Flow { flow, version } => (Some(flow.to_owned()), Some(version.to_owned())),
            Behind::Person(_) => (None, None),
        }
    }
}

/// What stands in the record of calls for one that has been made.
struct Made<'a> {
    unsealed: &'a Unsealed,
    workspace: &'a str,
    ask: &'a Ask,
    at: Timestamp,
    status: Option<u16>,
    code: Option<String>,
    started: Option<String>,
}

impl Flows {
    /// Holds a conversation as far as it comes now.
    pub(super) async fn converse(
        &self,
        run: RunId,
        asked: &InFlight,
        errand: &Errand,
        whom: &For<'_>,
    ) -> Result<Called, Error> {
        let (effect, key) = (asked.intent.number, &asked.intent.key);
        let read = self.db.read("flows.databricks_known", move |tx| tables::known(tx, run, effect)).await?;
        let mut known = read.unwrap_or_default();
        let Behind::Flow { flow, version } = whom.behind else {
            unreachable!("a person does not hold the conversations of a run")
        };
        let of = Conversation {
            run,
            effect,
            flow: flow.to_owned(),
            version: version.to_owned(),
            module: errand.module.to_owned(),
            connection: errand.connection.clone(),
        };
        let settled = |result| Ok(Called::Settled(Settled::new(result)));
        if known.statement.is_some() && !asked.intent.is_safe {
            // It was started, and nothing that follows is in doubt.
            self.db.write("flows.set_begun", move |tx| tables::set_begun(tx, run, false, None)).await?;
        }
        if let Some(at) = known.retry_at.take().map(Timestamp::from_micros)
            && at > self.clock.now()
        {
            known.retry_at = Some(at.as_micros());
            return self.lie_down(&of, known, None, at, asked.intent.is_safe).await;
        }
        let unsealed = match self.unseal(&errand.connection, &whom.behind).await {
            Ok(unsealed) => unsealed,
            Err(error) => return settled(Err(error)),
        };
        let caller = Caller { behind: whom.behind, run: Some(run), operation: errand.module };
        let ends_at = tokio::time::Instant::now() + self.limits().operation_time_max;
        for _ in 0..QUESTIONS_MAX {
            known.begin_rows();
            let now = self.clock.now();
            let ask = match errand.next(&known, key, now) {
                Next::Done(result) => return settled(self.sized(result)),
                Next::Keep => {
                    known.was_kept();
                    let (of, kept) = (of.clone(), known.clone());
                    self.db
                        .write("flows.databricks_keep", move |tx| {
                            tables::expect_live(tx, of.run)?;
                            Ok::<_, Error>(tables::keep_known(tx, &of, &kept, None, now)?)
                        })
                        .await?;
                    continue;
                }
                Next::Watch(watched) => return self.wait_for(&of, known, watched, &unsealed).await,
                Next::Ask(ask) => ask,
            };
            if tokio::time::Instant::now() >= ends_at {
                let message = format!("it took longer than {} seconds", self.limits().operation_time_max.as_secs());
                return settled(Err(ModuleError::new(Class::RuntimeError, message)));
            }
            let heard = match self.leave_to_call(&unsealed).await {
                Ok(()) => self.ask_workspace(&unsealed, &ask, Some(whom), &caller).await,
                Err(wait) => {
                    let at = self.clock.now().plus(wait.mul_f64(1.0 + self.chance.fraction()));
                    known.retry_at = Some(at.as_micros());
                    return self.lie_down(&of, known, None, at, asked.intent.is_safe).await;
                }
            };
            match heard {
                Heard::Unasked(error) => return settled(Err(error)),
                Heard::Answer(response) => {
                    (known.failures, known.failing_since) = (0, None);
                    if response.truncated {
                        let message = format!("the answer is longer than {} bytes", response.body.len());
                        return settled(Err(ModuleError::new(Class::DataError, message)));
                    }
                    let model = response.headers.get("served-model-name").and_then(|name| name.to_str().ok());
                    let answer = Answer { body: &response.body, model: model.map(str::to_owned) };
                    if let Err(error) = errand.take(&mut known, &ask, &answer, self.clock.now()) {
                        return settled(Err(error));
                    }
                }
                Heard::Refused { error, refusal } => {
                    if !errand.overlooks(&mut known, &ask, refusal.status, &error.message) {
                        return Ok(Called::Settled(Settled {
                            status_code: Some(refusal.status),
                            ..Settled::new(Err(error))
                        }));
                    }
                }
                Heard::Later { error, after, status, was_not_done } => {
                    let now = self.clock.now();
                    known.failures += 1;
                    let since = *known.failing_since.get_or_insert(now.as_micros());
                    let is_patient = now.since(Timestamp::from_micros(since)) < self.options.databricks.patience;
                    let may_repeat = ask.is_safe || was_not_done || asked.intent.is_safe;
                    if !is_patient || !may_repeat {
                        let status_code = status.filter(|status| *status != 429);
                        return Ok(Called::Settled(Settled { status_code, ..Settled::new(Err(error)) }));
                    }
                    let at = now.plus(pace::retry_after(known.failures, after, &*self.chance));
                    tracing::debug!(%run, %error, %at, "a workspace is asked again later");
                    known.retry_at = Some(at.as_micros());
                    return self.lie_down(&of, known, None, at, asked.intent.is_safe).await;
                }
            }
        }
        settled(Err(ModuleError::new(Class::RuntimeError, format!("it needs more than {QUESTIONS_MAX} questions"))))
    }

    /// Refuses a result that is larger than a bundle may be.
    fn sized(&self, result: Result<Vec<Value>, ModuleError>) -> Result<Vec<Value>, ModuleError> {
        let (size, max) = (result.iter().flatten().map(Value::size).sum::<usize>(), self.limits().bundle_bytes_max);
        if size <= max {
            return result;
        }
        let message = format!("it gave {size} bytes, and at most {max} are allowed");
        Err(ModuleError::new(Class::DataSizeLimitExceededError, message))
    }

    /// Lets the run sleep until what is under way has ended.
    async fn wait_for(
        &self,
        of: &Conversation,
        known: Known,
        watched: Watched,
        unsealed: &Unsealed,
    ) -> Result<Called, Error> {
        let now = self.clock.now();
        let is_home = self.is_home(unsealed);
        let look_at = now.plus(self.options.databricks.look_after(now.since(watched.since), is_home));
        let until = [watched.deadline, Some(now.plus(LOOK_AGAIN))].into_iter().flatten().min().unwrap_or(now);
        let watch = ToWatch { kind: watched.kind, id: watched.id, since: watched.since, look_at };
        let called = self.lie_down(of, known, Some(watch), until, true).await;
        self.watch_nudge.notify_one();
        called
    }

    /// Keeps what is known and lets the run sleep; but not if what it waits for
    /// has ended meanwhile.
    async fn lie_down(
        &self,
        of: &Conversation,
        known: Known,
        watch: Option<ToWatch>,
        until: Timestamp,
        is_safe: bool,
    ) -> Result<Called, Error> {
        let (of, now) = (of.clone(), self.clock.now());
        self.db
            .write("flows.databricks_wait", move |tx: &mut dyn Tx| {
                tables::expect_live(tx, of.run)?;
                tables::keep_known(tx, &of, &known, watch.as_ref(), now)?;
                let until = if watch.is_some() && tables::has_ended(tx, of.run, of.effect)? { now } else { until };
                tables::sleep_until(tx, of.run, until)?;
                if !is_safe || watch.is_some() {
                    // Whatever was sent has been answered, so nothing is in doubt.
                    tables::set_begun(tx, of.run, false, None)?;
                }
                Ok::<_, Error>(Called::Sleeps(until))
            })
            .await
    }

    /// Takes leave to call a workspace; the error is how long to wait.
    async fn leave_to_call(&self, unsealed: &Unsealed) -> Result<(), Duration> {
        let workspace = unsealed.workspace().unwrap_or_default();
        let per_second = self.options.databricks.calls_per_second;
        loop {
            match self.buckets.take(&workspace, per_second, self.clock.now()) {
                Ok(()) => return Ok(()),
                Err(wait) if wait <= SHORT_WAIT && !self.is_simulated() => tokio::time::sleep(wait).await,
                Err(wait) => return Err(wait),
            }
        }
    }

    /// Tells whether a connection leads to our own workspace.
    pub(super) fn is_home(&self, unsealed: &Unsealed) -> bool {
        unsealed.workspace().is_ok_and(|workspace| self.http.own_address(&workspace).is_some())
    }

    /// Asks one question, once again with another token where the first was not
    /// accepted, and writes each call down.
    pub(crate) async fn ask_workspace(
        &self,
        unsealed: &Unsealed,
        ask: &Ask,
        whom: Option<&For<'_>>,
        caller: &Caller<'_>,
    ) -> Heard {
        let workspace = match unsealed.workspace() {
            Ok(workspace) => workspace,
            Err(error) => return Heard::Unasked(error),
        };
        let facts = unsealed.facts(&workspace);
        let mut may_renew = true;
        loop {
            let (mut request, is_elsewhere) = match request_of(ask, &workspace) {
                Ok(request) => request,
                Err(error) => return Heard::Unasked(error),
            };
            if !is_elsewhere && let Err(error) = unsealed.apply(&mut request, &*self.http, self.clock.now()).await {
                return match error.class {
                    Class::ConnectionError => Heard::Later { error, after: None, status: None, was_not_done: true },
                    _ => Heard::Unasked(error),
                };
            }
            if let Some(whom) = whom
                && self.http.own_address(&request.url).is_some()
            {
                let mut why = HeaderMap::new();
                feedback::tell(whom.causes, &mut why, &self.keys, &*self.chance);
                request.headers.extend(why);
            }
            let used = request.headers.get("authorization").cloned();
            let at = self.clock.now();
            let heard = self.http.send(request).await;
            let (status, code, started) = match &heard {
                Ok(response) => {
                    let status = response.status.as_u16();
                    let refusal = (status >= 300).then(|| Refusal::read(status, &response.body));
                    let started =
                        (ask.what == What::Start && status < 300).then(|| started_in(&response.body)).flatten();
                    (Some(status), refusal.map(|refusal| refusal.code).filter(|code| !code.is_empty()), started)
                }
                Err(error) => (None, Some(base::error::Coded::code(error).to_owned()), None),
            };
            let made = Made { unsealed, workspace: &workspace, ask, at, status, code, started };
            self.write_down(made, caller).await;
            match heard {
                Ok(response) if response.status.is_success() => return Heard::Answer(response),
                Ok(response)
                    if response.status == StatusCode::UNAUTHORIZED
                        && may_renew
                        && !is_elsewhere
                        && unsealed.forget_used_token(used.as_ref()) =>
                {
                    // What is answered by 401 was not done, so it is safe to ask once more.
                    may_renew = false;
                }
                Ok(response) => return judged(&response, ask, &facts, self.clock.now()),
                Err(error) => {
                    let told = problem::unanswered(&error, &facts);
                    return match problem::may_be_answered_later(&error) {
                        true => Heard::Later {
                            error: told,
                            after: None,
                            status: None,
                            was_not_done: problem::was_not_sent(&error),
                        },
                        false => Heard::Unasked(told),
                    };
                }
            }
        }
    }

    /// Adds a call to the record. A record that cannot be written must not
    /// undo what was done.
    async fn write_down(&self, made: Made<'_>, caller: &Caller<'_>) {
        let Made { unsealed, workspace, ask, at, status, code, started } = made;
        let (flow, version) = caller.flow();
        let mut hash = Sha256::new();
        hash.update(format!("{} {}\n", ask.method, ask.path));
        hash.update(&ask.body);
        let is_elsewhere = ask.headers_elsewhere.is_some();
        let about = ask.subject.as_ref().and_then(|subject| subject.what.strip_prefix("run ")).map(str::to_owned);
        let info = CallInfo {
            id: self.new_call_id(at),
            at,
            connection: unsealed.name().to_owned(),
            workspace: workspace.to_owned(),
            who: self.who_is(caller).await,
            flow,
            version,
            run: caller.run.map(|run| run.to_string()),
            operation: caller.operation.to_owned(),
            method: ask.method.to_string(),
            // A link to a result is a secret.
            path: match is_elsewhere {
                true => "(a link to a result)".to_owned(),
                false => ask.path.split('?').next().unwrap_or_default().to_owned(),
            },
            idempotency_token: ask.token.clone(),
            databricks_run: started.or(about),
            status,
            error_code: code,
            duration_ms: u64::try_from(self.clock.now().since(at).as_millis()).unwrap_or(u64::MAX),
            request_hash: hex::encode(hash.finalize()),
        };
        let written = self.db.write("flows.databricks_call", move |tx| tables::add_call_to_workspace(tx, &info)).await;
        if let Err(error) = written {
            tracing::warn!(%error, "a call to a workspace is missing in the record of calls");
        }
    }

    /// Returns the id of a call: it begins with its time.
    fn new_call_id(&self, at: Timestamp) -> String {
        format!("{:016x}{:016x}", at.as_micros().max(0), self.chance.number())
    }

    async fn who_is(&self, caller: &Caller<'_>) -> String {
        match caller.behind {
            Behind::Person(actor) => actor.id.clone(),
            Behind::Flow { flow, version } => {
                let (flow, version) = (flow.to_owned(), version.to_owned());
                let author = self.db.read("flows.author", move |tx| tables::author(tx, &flow, &version)).await;
                author.ok().flatten().unwrap_or_else(|| Actor::system("flows").id)
            }
        }
    }
}

fn judged(response: &Response, ask: &Ask, facts: &Facts, now: Timestamp) -> Heard {
    let status = response.status.as_u16();
    let refusal = Refusal::read(status, &response.body);
    let sent: &[u8] = if ask.is_json { &ask.body } else { b"" };
    let error = problem::explain(&refusal, facts, ask.subject.as_ref(), sent);
    if refusal.may_pass() {
        let after = crate::modules::http::retry_after(&response.headers, now);
        let error = ModuleError { retry_after: after, ..error };
        return Heard::Later { error, after, status: Some(status), was_not_done: refusal.did_nothing() };
    }
    Heard::Refused { error, refusal }
}

/// Returns the id of what an answer says that was started.
fn started_in(body: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let id = crate::databricks::id_of(&answer["run_id"]).map(|id| id.to_string());
    id.or_else(|| answer["statement_id"].as_str().map(str::to_owned))
}

/// Makes the request of a question; the second part tells whether it goes
/// elsewhere, without credentials.
fn request_of(ask: &Ask, workspace: &str) -> Result<(Request, bool), ModuleError> {
    let elsewhere = ask.headers_elsewhere.as_ref();
    let url = if elsewhere.is_some() { ask.path.clone() } else { format!("{workspace}{}", ask.path) };
    let mut request = Request::new(ask.method.clone(), url);
    request.timeout = ask.timeout;
    request.response_bytes_max = 64 << 20;
    request.body = ask.body.clone();
    let fixed = HeaderValue::from_static;
    match elsewhere {
        Some(headers) => {
            for (name, value) in headers {
                let bad = || ModuleError::new(Class::DataError, "a link to a result has a header that cannot be sent");
                let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
                request.headers.insert(name, HeaderValue::from_str(value).map_err(|_| bad())?);
            }
        }
        None => {
            request.headers.insert("accept", fixed("application/json"));
            if !ask.body.is_empty() || ask.is_json {
                let kind = if ask.is_json { "application/json" } else { "application/octet-stream" };
                request.headers.insert("content-type", fixed(kind));
            }
            request.headers.insert("user-agent", fixed(concat!("loopwright/", env!("CARGO_PKG_VERSION"))));
        }
    }
    Ok((request, elsewhere.is_some()))
}
