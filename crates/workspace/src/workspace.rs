//! The verbs of the workspace.
//!
//! Each verb reads or writes rows in one transaction; what must happen in the
//! world afterwards (processes) is left to [`work`](crate::work), which is
//! only nudged from here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::db::{Control, Db};
use base::secret::KeyRing;
use base::{Actor, Chance, Clock, Secret};
use serde_json::Value as Json;

use crate::error::Error;
use crate::job::{Job, JobsQuery, Page};
use crate::run::RunRequest;
use crate::secrets::{SecretInfo, SecretScope};
use crate::settings::ApiVersion;
use crate::token::TokenInfo;
use crate::view::{FailedRuns, OutputView, RunCounts, RunView, RunsQuery};
use crate::{JobId, RunId};

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
}

impl Workspace {
    /// Makes the workspace whose files and outputs are below `folder`.
    pub fn new(
        db: Db<Control>,
        folder: PathBuf,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        options: Options,
    ) -> Self {
        Workspace { db, folder, keys, clock, chance, options }
    }

    /// Makes the first token, unless it is known already; its owner is the
    /// workspace's administrator. A revoked one stays revoked.
    pub async fn bootstrap_token(&self, token: &Secret) -> Result<(), Error> {
        todo!()
    }

    /// Makes a token on behalf of `owner` and returns its text, which cannot
    /// be read again.
    pub async fn create_token(
        &self,
        owner: &Actor,
        comment: &str,
        lifetime: Option<Duration>,
    ) -> Result<(TokenInfo, Secret), Error> {
        todo!()
    }

    /// Lists the tokens of `owner`, or all of them for an administrator.
    pub async fn tokens(&self, owner: &Actor) -> Result<Vec<TokenInfo>, Error> {
        todo!()
    }

    /// Ends a token at once.
    pub async fn revoke_token(&self, actor: &Actor, id: &str) -> Result<(), Error> {
        todo!()
    }

    /// Tells who presents an `Authorization` header.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Actor, Error> {
        todo!()
    }

    /// Makes a job from its settings.
    pub async fn create_job(&self, actor: &Actor, settings: Json, version: ApiVersion) -> Result<JobId, Error> {
        todo!()
    }

    /// Reads a job.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        todo!()
    }

    /// Lists jobs, newest first.
    pub async fn jobs(&self, query: JobsQuery) -> Result<Page<Job>, Error> {
        todo!()
    }

    /// Changes fields of a job's settings, and removes some.
    pub async fn update_job(
        &self,
        actor: &Actor,
        id: JobId,
        new_settings: Json,
        fields_to_remove: Vec<String>,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Replaces a job's settings; `run_as` stays where they do not name it.
    pub async fn reset_job(&self, actor: &Actor, id: JobId, settings: Json, version: ApiVersion) -> Result<(), Error> {
        todo!()
    }

    /// Removes a job. Its runs stay, and those that are open go on.
    pub async fn delete_job(&self, actor: &Actor, id: JobId) -> Result<(), Error> {
        todo!()
    }

    /// Runs a job. The answer is a run, not a success: where too many runs are
    /// active already it is queued or skipped.
    pub async fn run_now(&self, actor: &Actor, job: JobId, request: RunRequest) -> Result<RunId, Error> {
        todo!()
    }

    /// Runs settings that belong to no job. The document is that of
    /// `runs/submit`, its `idempotency_token` included.
    pub async fn submit(&self, actor: &Actor, document: Json, version: ApiVersion) -> Result<RunId, Error> {
        todo!()
    }

    /// Shows a run; the number of a task run is fine too.
    pub async fn show_run(&self, id: RunId) -> Result<RunView, Error> {
        todo!()
    }

    /// Lists runs, newest first.
    pub async fn runs(&self, query: RunsQuery) -> Result<Page<RunView>, Error> {
        todo!()
    }

    /// Shows what a task run printed, so far. The number of a run with a
    /// single task stands for its latest attempt.
    pub async fn output(&self, id: RunId) -> Result<OutputView, Error> {
        todo!()
    }

    /// Asks a run to stop. It is stopped some time later; asking again, or
    /// asking a run that is over, changes nothing.
    pub async fn cancel(&self, actor: &Actor, id: RunId) -> Result<(), Error> {
        todo!()
    }

    /// Removes a run that is over, with its output.
    pub async fn delete_run(&self, actor: &Actor, id: RunId) -> Result<(), Error> {
        todo!()
    }

    /// Counts the runs by what became of them.
    pub async fn run_counts(&self) -> Result<RunCounts, Error> {
        todo!()
    }

    /// Makes a scope for secrets.
    pub async fn create_scope(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        todo!()
    }

    /// Lists the scopes.
    pub async fn scopes(&self) -> Result<Vec<SecretScope>, Error> {
        todo!()
    }

    /// Removes a scope with its secrets.
    pub async fn delete_scope(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        todo!()
    }

    /// Sets the value of a secret.
    pub async fn put_secret(&self, actor: &Actor, scope: &str, key: &str, value: &Secret) -> Result<(), Error> {
        todo!()
    }

    /// Lists the secrets of a scope, without their values.
    pub async fn secrets(&self, scope: &str) -> Result<Vec<SecretInfo>, Error> {
        todo!()
    }

    /// Removes a secret.
    pub async fn delete_secret(&self, actor: &Actor, scope: &str, key: &str) -> Result<(), Error> {
        todo!()
    }

    /// Stores a file of the workspace under a path such as `/Shared/score.py`.
    pub async fn import_file(&self, actor: &Actor, path: &str, content: Vec<u8>, overwrite: bool) -> Result<(), Error> {
        todo!()
    }

    /// Reads a file of the workspace.
    pub async fn export_file(&self, path: &str) -> Result<Vec<u8>, Error> {
        todo!()
    }
}
