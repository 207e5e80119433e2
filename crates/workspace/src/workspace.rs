//! The verbs of the workspace.
//!
//! Each verb reads or writes rows in one transaction; what must happen in the
//! world afterwards (processes) is left to [`work`](crate::work), which is
//! only nudged from here.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::actor::ActorKind;
use base::db::{Control, Db, Tx};
use base::secret::KeyRing;
use base::{Actor, Chance, Clock, Secret, audit};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::sync::{Notify, watch};

use crate::decide::{Execution, Input};
use crate::error::Error;
use crate::folder::TaskFolder;
use crate::job::{Cursor, Job, JobsQuery, Page};
use crate::record::{self, NewRun};
use crate::run::{RunRequest, TaskRun};
use crate::secrets::{self, SECRETS_MAX, SecretInfo, SecretRef, SecretScope};
use crate::settings::{self, ApiVersion, JobSettings};
use crate::token::{self, TokenInfo};
use crate::view::{FailedRuns, OutputView, RunCounts, RunView, RunsQuery, Sight};
use crate::{JobId, RunId, files, output, tables};

/// Characters that an idempotency token may have.
const TOKEN_CHARACTERS_MAX: usize = 64;
/// Bytes that a family of parameters may have, as JSON.
const PARAMETER_BYTES_MAX: usize = 10_000;
/// Jobs, and runs, in an answer that does not say how many.
const PAGE_DEFAULT: u32 = 20;
const JOBS_PAGE_MAX: u32 = 100;
const RUNS_PAGE_MAX: u32 = 24;

/// How the workspace is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Command that ends in [`supervise`](crate::supervise): the program and
    /// its hidden verb. The folder of a task is added as the last argument.
    pub supervisor: Vec<OsString>,
    /// The Python interpreter: a path, or a name that is looked up in `PATH`
    /// of [`Options::environment`].
    pub python: PathBuf,
    /// Where the workspace's listener is reached, without a slash at the end.
    pub public_url: String,
    /// The number of this workspace in its pages' addresses.
    pub workspace_id: u64,
    /// Environment of every task. Tasks get this and what their cluster says,
    /// and nothing of the server's own environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Tasks that run at the same time at most; others are pending.
    pub tasks_at_once_max: usize,
    /// How long a process that is asked to end has before it is killed.
    pub stop_grace: Duration,
    /// How a failed run ends in the old state block.
    pub failed_runs: FailedRuns,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            supervisor: Vec::new(),
            python: "python3".into(),
            public_url: "http://127.0.0.1:8081".into(),
            workspace_id: 1,
            environment: vec![
                ("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()),
                ("LANG".into(), "C.UTF-8".into()),
                ("PYTHONUNBUFFERED".into(), "1".into()),
            ],
            tasks_at_once_max: 16,
            stop_grace: Duration::from_secs(10),
            failed_runs: FailedRuns::default(),
        }
    }
}

/// The local workspace.
pub struct Workspace {
    pub(crate) db: Db<Control>,
    pub(crate) folder: PathBuf,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) options: Options,
    /// Runs that a verb has touched since the loop last looked.
    pub(crate) to_look_at: Mutex<BTreeSet<RunId>>,
    pub(crate) wake: Notify,
    changes: watch::Sender<u64>,
}

impl Workspace {
    /// Makes the workspace whose files and outputs are below `folder`.
    /// Nothing runs before [`Workspace::run`].
    pub fn new(
        db: Db<Control>,
        folder: PathBuf,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        options: Options,
    ) -> Self {
        // Tasks start in folders of their own, so a path must not depend on ours.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Workspace {
            db,
            folder,
            keys,
            clock,
            chance,
            options,
            to_look_at: Mutex::default(),
            wake: Notify::new(),
            changes: watch::Sender::new(0),
        }
    }

    /// Returns a number that changes whenever a run may have changed: whoever
    /// waits for a run waits for this, and then looks.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns how the workspace is set up.
    pub fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn tell_of_changes(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn files_folder(&self) -> PathBuf {
        self.folder.join("files")
    }

    fn run_folder(&self, run: RunId) -> PathBuf {
        self.folder.join("runs").join(run.to_string())
    }

    pub(crate) fn task_folder(&self, run: RunId, attempt: RunId) -> TaskFolder {
        TaskFolder::at(self.run_folder(run).join(attempt.to_string()))
    }

    fn look_at(&self, run: RunId) {
        self.to_look_at.lock().insert(run);
        self.nudge();
    }

    fn sight(&self) -> Sight {
        Sight {
            public_url: self.options.public_url.clone(),
            workspace_id: self.options.workspace_id,
            failed_runs: self.options.failed_runs,
            now: self.clock.now(),
        }
    }
}

/// Tokens.
impl Workspace {
    /// Makes the first token, unless it is known already; its owner is the
    /// workspace's administrator. A revoked one stays revoked.
    pub async fn bootstrap_token(&self, token: &Secret) -> Result<(), Error> {
        if token.expose().trim().is_empty() {
            return Err(Error::Parameter { detail: "the bootstrap token is empty".into() });
        }
        let owner = Actor {
            id: "workspace:admin".into(),
            name: "admin".into(),
            kind: ActorKind::ServicePrincipal,
            administrator: true,
        };
        let (token, _) = self.new_token(&owner, "bootstrap", None, Some(token));
        self.db
            .write("workspace.bootstrap_token", move |tx| {
                let (info, digest) = &token;
                if tables::insert_token(tx, info, digest)? {
                    let system = Actor::system("workspace");
                    note(tx, &system, "create", "workspace-token", &info.id, (None, Some(token_note(info))), info.created_at)?;
                }
                Ok(())
            })
            .await
    }

    /// Makes a token on behalf of `owner` and returns its text, which cannot
    /// be read again.
    pub async fn create_token(
        &self,
        owner: &Actor,
        comment: &str,
        lifetime: Option<Duration>,
    ) -> Result<(TokenInfo, Secret), Error> {
        let (token, text) = self.new_token(owner, comment, lifetime, None);
        let info = token.0.clone();
        self.db
            .write("workspace.create_token", move |tx| {
                let (info, digest) = &token;
                tables::insert_token(tx, info, digest)?;
                note(tx, &info.owner, "create", "workspace-token", &info.id, (None, Some(token_note(info))), info.created_at)
            })
            .await?;
        Ok((info, text))
    }

    fn new_token(
        &self,
        owner: &Actor,
        comment: &str,
        lifetime: Option<Duration>,
        given: Option<&Secret>,
    ) -> ((TokenInfo, Vec<u8>), Secret) {
        let text = given.cloned().unwrap_or_else(|| token::draw(&*self.chance));
        let mut id = [0; 16];
        self.chance.fill(&mut id);
        let created_at = self.clock.now();
        let info = TokenInfo {
            id: hex::encode(id),
            comment: comment.to_owned(),
            owner: owner.clone(),
            created_at,
            expires_at: lifetime.map(|lifetime| created_at.plus(lifetime)),
        };
        let digest = token::digest(text.expose());
        ((info, digest), text)
    }

    /// Lists the tokens of `owner`, or all of them for an administrator.
    pub async fn tokens(&self, owner: &Actor) -> Result<Vec<TokenInfo>, Error> {
        let owner = owner.clone();
        self.db.read("workspace.tokens", move |tx| tables::tokens(tx, whose(&owner))).await
    }

    /// Ends a token at once. A token of somebody else is not there, except for
    /// an administrator.
    pub async fn revoke_token(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        let (actor, id, now) = (actor.clone(), id.to_owned(), self.clock.now());
        self.db
            .write("workspace.revoke_token", move |tx| {
                if !tables::revoke_token(tx, &id, whose(&actor), now)? {
                    return Err(Error::NoToken(id.clone()));
                }
                note(tx, &actor, "revoke", "workspace-token", &id, (None, None), now)
            })
            .await
    }

    /// Tells who presents an `Authorization` header (`Bearer`, in any case).
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Actor, Error> {
        let presented = authorization.and_then(token::bearer).ok_or(Error::Unauthenticated)?;
        let (digest, now) = (token::digest(presented), self.clock.now());
        let found = self
            .db
            .read("workspace.authenticate", move |tx| tables::token_by_digest(tx, &digest))
            .await?
            .filter(|token| token.expires_at.is_none_or(|expires_at| now < expires_at));
        found.map(|token| token.owner).ok_or(Error::Unauthenticated)
    }
}

/// Jobs.
impl Workspace {
    /// Makes a job from its settings.
    pub async fn create_job(&self, actor: &Actor, settings: Json, version: ApiVersion) -> Result<JobId, Error> {
        let job = Job {
            id: JobId::new(&*self.chance),
            creator: actor.name.clone(),
            created_at: self.clock.now(),
            settings: JobSettings::read(settings, version)?,
        };
        let (id, actor) = (job.id, actor.clone());
        self.db
            .write("workspace.create_job", move |tx| {
                tables::insert_job(tx, &job)?;
                let after = Some(job.settings.document());
                note(tx, &actor, "create", "workspace-job", &job.id.to_string(), (None, after), job.created_at)
            })
            .await?;
        Ok(id)
    }

    /// Reads a job.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        self.db.read("workspace.job", move |tx| tables::job(tx, id)).await
    }

    /// Lists jobs, newest first.
    pub async fn jobs(&self, query: JobsQuery) -> Result<Page<Job>, Error> {
        let limit = limit_of(query.limit, JOBS_PAGE_MAX)?;
        let after = cursor_of(query.page_token.as_deref())?;
        let jobs = self
            .db
            .read("workspace.jobs", move |tx| {
                tables::jobs(tx, query.name.as_deref(), after, query.offset.unwrap_or(0), limit + 1)
            })
            .await?;
        Ok(page(jobs, limit, |job| Cursor { micros: job.created_at.as_micros(), id: job.id.0 }))
    }

    /// Changes fields of a job's settings, and removes some. Lists with keys
    /// (tasks, clusters, parameters) are merged by key.
    pub async fn update_job(
        &self,
        actor: &Actor,
        id: JobId,
        new_settings: Json,
        fields_to_remove: Vec<String>,
    ) -> Result<(), Error> {
        self.change_job("workspace.update_job", actor, id, move |before| {
            let mut document = before.document();
            settings::merge(&mut document, new_settings.clone(), &fields_to_remove)?;
            let had_queue = document.get("queue").is_some_and(Json::is_object);
            let after = JobSettings::read(document, ApiVersion::V2_2)?;
            // The default of a version is for new jobs, and an update makes none.
            Ok(JobSettings { queue: after.queue.filter(|_| had_queue), ..after })
        })
        .await
    }

    /// Replaces a job's settings; `run_as` stays where they do not name it.
    pub async fn reset_job(&self, actor: &Actor, id: JobId, settings: Json, version: ApiVersion) -> Result<(), Error> {
        let settings = JobSettings::read(settings, version)?;
        self.change_job("workspace.reset_job", actor, id, move |before| {
            let run_as = settings.run_as.clone().or_else(|| before.run_as.clone());
            Ok(JobSettings { run_as, ..settings.clone() })
        })
        .await
    }

    async fn change_job(
        &self,
        name: &'static str,
        actor: &Actor,
        id: JobId,
        change: impl Fn(&JobSettings) -> Result<JobSettings, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write(name, move |tx| {
                let before = tables::job(tx, id)?.settings;
                let after = change(&before)?;
                tables::set_settings(tx, id, &after)?;
                let states = (Some(before.document()), Some(after.document()));
                note(tx, &actor, "update", "workspace-job", &id.to_string(), states, now)
            })
            .await
    }

    /// Removes a job. Its runs stay, and those that are open go on.
    pub async fn delete_job(&self, actor: &Actor, id: JobId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_job", move |tx| {
                let before = tables::job(tx, id)?.settings.document();
                tables::delete_job(tx, id)?;
                note(tx, &actor, "delete", "workspace-job", &id.to_string(), (Some(before), None), now)
            })
            .await
    }
}

/// Runs.
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
                let Job { settings, .. } = tables::job(tx, job)?;
                record::check_request(&settings, &request.overriding)?;
                let new = NewRun {
                    job: Some(job),
                    name: &settings.name,
                    creator: &actor.name,
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
            let text = |value: Json| value.as_str().map(str::to_owned);
            request.idempotency_token = fields.remove("idempotency_token").and_then(text);
            if let Some(name) = fields.remove("run_name") {
                fields.insert("name".into(), name);
            }
        }
        check_request(&request)?;
        let settings = JobSettings::read(document, version)?;
        record::check_request(&settings, &request.overriding)?;
        let (actor, chance) = (actor.clone(), self.chance.clone());
        let (now, grace) = (self.clock.now(), self.options.stop_grace);
        let run = self
            .db
            .write("workspace.submit", move |tx| {
                let new = NewRun {
                    job: None,
                    name: &settings.name,
                    creator: &actor.name,
                    settings: &settings,
                    request: &request,
                };
                let run = record::create(tx, &new, &*chance, now, grace)?;
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
            Some(attempt) => self.sight().attempt_as_run(&execution.run, &attempt),
            None => self.sight().run(&execution.run, &execution.attempts),
        })
    }

    /// Lists runs, newest first.
    pub async fn runs(&self, query: RunsQuery) -> Result<Page<RunView>, Error> {
        let limit = match query.limit {
            Some(0) => RUNS_PAGE_MAX,
            limit => limit_of(limit, RUNS_PAGE_MAX)?,
        };
        let after = cursor_of(query.page_token.as_deref())?;
        let found = self.db.read("workspace.runs", move |tx| tables::runs(tx, &query, after, limit + 1)).await?;
        let sight = self.sight();
        let found = page(found, limit, |found| Cursor { micros: found.run.created_at.as_micros(), id: found.run.id.0 });
        let items = found.items.iter().map(|found| sight.run(&found.run, &found.attempts)).collect();
        Ok(Page { items, next: found.next })
    }

    /// Shows what a task run printed, so far. The number of a run with a
    /// single task stands for its latest attempt.
    pub async fn output(&self, id: RunId) -> Result<OutputView, Error> {
        let (execution, attempt) = self.find(id).await?;
        let tasks = execution.run.settings.tasks.len();
        let attempt = match attempt {
            Some(attempt) => Some(attempt),
            None if tasks > 1 => return Err(Error::ManyTasks { run: id, tasks }),
            None => execution.attempts.last().cloned(),
        };
        let Some(attempt) = attempt else {
            // It was skipped: there never was a task run.
            let metadata = self.sight().run(&execution.run, &[]);
            return Ok(OutputView { metadata, error: None, error_trace: None, logs: String::new(), logs_truncated: false });
        };
        let folder = self.task_folder(execution.run.id, attempt.id);
        let path = folder.path.display().to_string();
        let read = tokio::task::spawn_blocking(move || output::logs(&folder)).await;
        let read = read.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        let (logs, logs_truncated) = read.map_err(|source| Error::Disk { deed: "read", path, source })?;
        Ok(OutputView {
            metadata: self.sight().attempt_as_run(&execution.run, &attempt),
            error: attempt.error,
            error_trace: attempt.error_trace,
            logs,
            logs_truncated,
        })
    }

    async fn find(&self, id: RunId) -> Result<(Execution, Option<TaskRun>), Error> {
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
        let folder = self.run_folder(id);
        // What stays behind after a crash here is only files that no row names.
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(run.id = %id, %error, "the output of a deleted run stays on disk");
        }
        self.tell_of_changes();
        Ok(())
    }

    /// Counts the runs by what became of them.
    pub async fn run_counts(&self) -> Result<RunCounts, Error> {
        self.db.read("workspace.run_counts", tables::run_counts).await
    }
}

/// Secrets.
impl Workspace {
    /// Makes a scope for secrets.
    pub async fn create_scope(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        secrets::check_name("scope", name)?;
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("workspace.create_scope", move |tx| {
                if !tables::insert_scope(tx, &name, now)? {
                    return Err(Error::ScopeExists(name.clone()));
                }
                note(tx, &actor, "create", "workspace-secret-scope", &name, (None, None), now)
            })
            .await
    }

    /// Lists the scopes.
    pub async fn scopes(&self) -> Result<Vec<SecretScope>, Error> {
        self.db.read("workspace.scopes", tables::scopes).await
    }

    /// Removes a scope with its secrets.
    pub async fn delete_scope(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let (actor, name, now) = (actor.clone(), name.to_owned(), self.clock.now());
        self.db
            .write("workspace.delete_scope", move |tx| {
                if !tables::delete_scope(tx, &name)? {
                    return Err(Error::NoScope(name.clone()));
                }
                note(tx, &actor, "delete", "workspace-secret-scope", &name, (None, None), now)
            })
            .await
    }

    /// Sets the value of a secret. Tasks that run already keep the old one.
    pub async fn put_secret(&self, actor: &Actor, scope: &str, key: &str, value: &Secret) -> Result<(), Error> {
        secrets::check_name("key of a secret", key)?;
        secrets::check_value(value.expose())?;
        let place = SecretRef { scope: scope.to_owned(), key: key.to_owned() };
        let sealed = self.keys.seal(&place.purpose(), value, &*self.chance);
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.put_secret", move |tx| {
                if !tables::has_scope(tx, &place.scope)? {
                    return Err(Error::NoScope(place.scope.clone()));
                }
                tables::put_secret(tx, &place, &sealed, now)?;
                if tables::secrets(tx, &place.scope)?.len() as u64 > SECRETS_MAX {
                    return Err(Error::Parameter { detail: format!("a scope holds at most {SECRETS_MAX} secrets") });
                }
                let name = format!("{}/{}", place.scope, place.key);
                note(tx, &actor, "put", "workspace-secret", &name, (None, None), now)
            })
            .await
    }

    /// Lists the secrets of a scope, without their values.
    pub async fn secrets(&self, scope: &str) -> Result<Vec<SecretInfo>, Error> {
        let scope = scope.to_owned();
        self.db
            .read("workspace.secrets", move |tx| match tables::has_scope(tx, &scope)? {
                true => tables::secrets(tx, &scope),
                false => Err(Error::NoScope(scope)),
            })
            .await
    }

    /// Removes a secret.
    pub async fn delete_secret(&self, actor: &Actor, scope: &str, key: &str) -> Result<(), Error> {
        let place = SecretRef { scope: scope.to_owned(), key: key.to_owned() };
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("workspace.delete_secret", move |tx| {
                if !tables::delete_secret(tx, &place)? {
                    return Err(no_secret(&place));
                }
                let name = format!("{}/{}", place.scope, place.key);
                note(tx, &actor, "delete", "workspace-secret", &name, (None, None), now)
            })
            .await
    }

    /// Opens a secret for a task. There is no verb for it: values stay inside.
    pub(crate) async fn open_secret(&self, place: &SecretRef) -> Result<Secret, Error> {
        let wanted = place.clone();
        let sealed = self.db.read("workspace.open_secret", move |tx| tables::sealed_secret(tx, &wanted)).await?;
        let sealed = sealed.ok_or_else(|| no_secret(place))?;
        Ok(self.keys.open(&place.purpose(), &sealed)?)
    }
}

/// Files.
impl Workspace {
    /// Stores a file of the workspace under a path such as `/Shared/score.py`.
    /// Folders on the way are made.
    pub async fn import_file(&self, actor: &Actor, path: &str, content: Vec<u8>, overwrite: bool) -> Result<(), Error> {
        let bytes = content.len();
        if bytes > files::FILE_BYTES_MAX {
            return Err(Error::FileTooLarge { bytes, bytes_max: files::FILE_BYTES_MAX });
        }
        let (folder, shown, chance) = (self.files_folder(), path.to_owned(), self.chance.clone());
        let stored = tokio::task::spawn_blocking(move || files::store(&folder, &shown, &content, overwrite, &*chance)).await;
        stored.unwrap_or_else(|error| Err(files::failed("write", path, std::io::Error::other(error))))?;
        let (actor, path, now) = (actor.clone(), path.to_owned(), self.clock.now());
        self.db
            .write("workspace.import_file", move |tx| {
                note(tx, &actor, "import", "workspace-file", &path, (None, Some(json!({ "bytes": bytes }))), now)
            })
            .await
    }

    /// Reads a file of the workspace.
    pub async fn export_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        let (folder, shown) = (self.files_folder(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || files::load(&folder, &shown)).await;
        read.unwrap_or_else(|error| Err(files::failed("read", path, std::io::Error::other(error))))
    }
}

fn note(
    tx: &mut dyn Tx,
    actor: &Actor,
    verb: &str,
    object_kind: &str,
    object_id: &str,
    (before, after): (Option<Json>, Option<Json>),
    now: base::Timestamp,
) -> Result<(), Error> {
    Ok(audit::record(tx, actor, verb, object_kind, object_id, before.as_ref(), after.as_ref(), now)?)
}

/// What the audit trail says of a token: everything but the token.
fn token_note(token: &TokenInfo) -> Json {
    json!({ "comment": token.comment, "owner": token.owner.name, "expires_at": token.expires_at })
}

/// Whose tokens an actor sees: its own, or everybody's.
fn whose(actor: &Actor) -> Option<&str> {
    (!actor.administrator).then_some(actor.id.as_str())
}

fn no_secret(place: &SecretRef) -> Error {
    Error::NoSecret { scope: place.scope.clone(), key: place.key.clone() }
}

fn check_request(request: &RunRequest) -> Result<(), Error> {
    let refuse = |detail: String| Err(Error::Parameter { detail });
    if let Some(token) = &request.idempotency_token
        && (token.is_empty() || token.chars().count() > TOKEN_CHARACTERS_MAX)
    {
        return refuse(format!("an idempotency token has 1 to {TOKEN_CHARACTERS_MAX} characters"));
    }
    let overriding = &request.overriding;
    if overriding.python_params.iter().flatten().any(|text| !text.is_ascii()) {
        return refuse("\"python_params\" may only hold ASCII: use \"job_parameters\"".into());
    }
    let python = overriding.python_params.as_ref().map_or(0, |list| json!(list).to_string().len());
    if python.max(json!(overriding.job_parameters).to_string().len()) > PARAMETER_BYTES_MAX {
        return refuse(format!("parameters have at most {PARAMETER_BYTES_MAX} bytes as JSON"));
    }
    Ok(())
}

fn limit_of(wanted: Option<u32>, most: u32) -> Result<u32, Error> {
    match wanted.unwrap_or(PAGE_DEFAULT) {
        limit if (1..=most).contains(&limit) => Ok(limit),
        limit => Err(Error::Parameter { detail: format!("limit {limit} is not between 1 and {most}") }),
    }
}

fn cursor_of(token: Option<&str>) -> Result<Cursor, Error> {
    match token.filter(|token| !token.is_empty()) {
        None => Ok(Cursor::START),
        Some(token) => Cursor::parse(token)
            .ok_or_else(|| Error::Parameter { detail: format!("\"{token}\" is not a page token of this list") }),
    }
}

/// Cuts a list that was read with one item too many, to see whether there is more.
fn page<T>(mut items: Vec<T>, limit: u32, place: impl Fn(&T) -> Cursor) -> Page<T> {
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| has_more).map(|last| place(last).to_string());
    Page { items, next }
}
