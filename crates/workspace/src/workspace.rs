//! The workspace: what it is made of, and how it is set up.
//!
//! Its verbs stand with their nouns: tokens, jobs, runs, secrets, files. Each
//! reads or writes rows in one transaction; what must happen in the world
//! afterwards (processes) is left to `work`, which is only
//! nudged from there.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::db::{Control, Db, Tx};
use base::secret::KeyRing;
use base::{Actor, Chance, Clock, Timestamp, audit};
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::{Notify, watch};

use crate::RunId;
use crate::addresses::AddressRules;
use crate::environment::Locks;
use crate::error::Error;
use crate::folder::{Limits, TaskFolder};
use crate::sql::Statements;
use crate::view::{FailedRuns, Sight};

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
    /// How long an access token of a service principal lasts.
    pub access_token_life: Duration,
    /// How long a personal access token may last, if that is limited.
    pub token_life_max: Option<Duration>,
    /// Rows of a chunk of an SQL answer at most.
    pub chunk_rows: u64,
    /// Bytes of a chunk of an SQL answer, about.
    pub chunk_bytes: u64,
    /// What each process of a task may use.
    pub limits: Limits,
    /// Where Spark Connect answers, such as `sc://127.0.0.1:15002`.
    pub spark_remote: Option<String>,
    /// What every `pip install` is given, such as an index.
    pub pip_arguments: Vec<String>,
    /// Where the virtual environments of tasks lie; below the workspace's own
    /// folder if nothing is said.
    pub environments_folder: Option<PathBuf>,
    /// How long the token of a task without a timeout is good.
    pub task_token_life: Duration,
    /// How long a run is kept after its end.
    pub runs_kept: Duration,
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
            access_token_life: Duration::from_hours(1),
            token_life_max: None,
            chunk_rows: 100_000,
            chunk_bytes: 16 << 20,
            limits: Limits::default(),
            spark_remote: None,
            pip_arguments: Vec::new(),
            environments_folder: None,
            task_token_life: Duration::from_hours(24),
            runs_kept: Duration::from_hours(60 * 24),
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
    /// Jobs that run by themselves, and notices, may have become due.
    pub(crate) clock_wake: Notify,
    pub(crate) notice_wake: Notify,
    changes: watch::Sender<u64>,
    /// The lists of addresses, once read; nothing after a change.
    pub(crate) address_rules: Mutex<Option<Arc<AddressRules>>>,
    statements: OnceLock<Arc<dyn Statements>>,
    pub(crate) running: crate::statements::Running,
    pub(crate) handles: crate::storage::Handles,
    pub(crate) environment_locks: Locks,
    pub(crate) serving: crate::serving::Serving,
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
            clock_wake: Notify::new(),
            notice_wake: Notify::new(),
            changes: watch::Sender::new(0),
            address_rules: Mutex::default(),
            statements: OnceLock::new(),
            running: crate::statements::Running::default(),
            handles: crate::storage::Handles::default(),
            environment_locks: Locks::default(),
            serving: crate::serving::Serving::default(),
        }
    }

    /// Says who answers SQL. Without it every statement is refused.
    pub fn set_statements(&self, statements: Arc<dyn Statements>) {
        // Only the first word counts: the house is wired once.
        let _ = self.statements.set(statements);
    }

    /// Returns who answers SQL.
    pub fn statements(&self) -> Result<&Arc<dyn Statements>, Error> {
        self.statements
            .get()
            .ok_or(Error::Unsupported { setting: "sql".into(), hint: ": no SQL engine is wired to it".into() })
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

    pub(crate) fn run_folder(&self, run: RunId) -> PathBuf {
        self.folder.join("runs").join(run.to_string())
    }

    pub(crate) fn task_folder(&self, run: RunId, attempt: RunId) -> TaskFolder {
        TaskFolder::at(self.run_folder(run).join(attempt.to_string()))
    }

    pub(crate) fn look_at(&self, run: RunId) {
        self.to_look_at.lock().insert(run);
        self.nudge();
    }

    pub(crate) fn sight(&self) -> Sight {
        Sight {
            public_url: self.options.public_url.clone(),
            workspace_id: self.options.workspace_id,
            failed_runs: self.options.failed_runs,
            now: self.clock.now(),
        }
    }
}

/// What an object was before a change, and what it is after.
pub(crate) type BeforeAndAfter = (Option<Json>, Option<Json>);

/// Adds a row to the audit trail, in the transaction of the change.
pub(crate) fn note(
    tx: &mut dyn Tx,
    actor: &Actor,
    verb: &str,
    object_kind: &str,
    object_id: &str,
    (before, after): BeforeAndAfter,
    now: Timestamp,
) -> Result<(), Error> {
    Ok(audit::record(tx, actor, verb, object_kind, object_id, before.as_ref(), after.as_ref(), now)?)
}
