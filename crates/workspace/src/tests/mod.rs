//! A workspace for tests: real processes, but a clock that moves by hand.
//!
//! Scripts are shell scripts where Python is not the point, because a shell
//! starts faster. A script that must be caught in the middle waits at a
//! [`Gate`]; nothing here sleeps.

mod decisions;
mod documents;
mod lives;
mod notebooks;
mod packages;
mod sorts;
mod processes;
mod verbs;
mod statements;
mod endpoints;
mod clockwork;
mod notices;
mod acting;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base::actor::{Actor, ActorKind};
use base::chance::SeededChance;
use base::db::{Control, Db, Options as DbOptions};
use base::secret::KeyRing;
use base::time::SimClock;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{ApiVersion, JobId, MIGRATIONS, Options, Overriding, RunId, RunRequest, RunView, Workspace, supervise};

/// How long a test waits for what must come, before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Not a test of its own: the test binary is also the program that supervises
/// tasks. Started with the folder of a task it does that; otherwise nothing.
#[test]
fn stands_in_for_the_program() {
    let folder = std::env::args().skip(1).find(|argument| Path::new(argument).is_absolute());
    if let Some(folder) = folder {
        supervise(Path::new(&folder));
    }
}

fn supervisor() -> Vec<OsString> {
    let program = std::env::current_exe().expect("a test knows its own program");
    vec![program.into(), "--exact".into(), "tests::stands_in_for_the_program".into()]
}

fn admin() -> Actor {
    Actor {
        id: "u-1".into(),
        name: "ada".into(),
        kind: ActorKind::User,
        administrator: true,
        causes: base::Causes::NONE,
    }
}

/// A workspace on a folder, with its loop running.
struct House {
    folder: tempfile::TempDir,
    clock: Arc<SimClock>,
    chance: Arc<SeededChance>,
    keys: Arc<KeyRing>,
    options: Options,
    workspace: Arc<Workspace>,
    stop: CancellationToken,
    worker: Option<JoinHandle<()>>,
}

impl House {
    /// A house whose tasks are shell scripts.
    fn new() -> Self {
        House::with(Options { python: "/bin/sh".into(), ..Options::default() })
    }

    fn with(options: Options) -> Self {
        let mut house = House::asleep(options);
        house.wake_up();
        house
    }

    /// A house whose loop does not run.
    fn asleep(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let chance = Arc::new(SeededChance::new(7));
        let keys = Arc::new(KeyRing::generate(&*chance));
        let clock = Arc::new(SimClock::default());
        let options = Options { supervisor: supervisor(), ..options };
        let workspace = open(folder.path(), &clock, &chance, &keys, &options);
        House { folder, clock, chance, keys, options, workspace, stop: CancellationToken::new(), worker: None }
    }

    fn wake_up(&mut self) {
        self.stop = CancellationToken::new();
        self.worker = Some(tokio::spawn(self.workspace.clone().run(self.stop.clone())));
    }

    /// Ends the server, and leaves its tasks alone.
    async fn go_down(&mut self) {
        self.stop.cancel();
        if let Some(worker) = self.worker.take() {
            worker.await.expect("the loop ends in peace");
        }
    }

    /// Makes a new server on the same folder.
    fn come_back(&mut self) {
        self.workspace = open(self.folder.path(), &self.clock, &self.chance, &self.keys, &self.options);
        self.wake_up();
    }

    async fn script(&self, path: &str, text: &str) {
        let stored = self.workspace.import_file(&admin(), path, text.as_bytes().to_vec(), true).await;
        stored.expect("the file can be stored");
    }

    /// Makes a job with one task that runs `text`; `more` are fields of the task.
    async fn job(&self, text: &str, more: Json) -> JobId {
        self.script("/Shared/task.sh", text).await;
        let mut task = json!({ "task_key": "main", "spark_python_task": { "python_file": "/Shared/task.sh" } });
        for (name, value) in more.as_object().expect("fields") {
            task[name] = value.clone();
        }
        self.job_of(json!({ "name": "job", "max_concurrent_runs": 10, "tasks": [task] })).await
    }

    async fn job_of(&self, settings: Json) -> JobId {
        self.workspace.create_job(&admin(), settings, ApiVersion::V2_1).await.expect("good settings")
    }

    async fn run_now(&self, job: JobId) -> RunId {
        self.workspace.run_now(&admin(), job, RunRequest::default()).await.expect("the job can run")
    }

    /// Waits until a run looks as wanted.
    async fn until(&self, run: RunId, is_wanted: impl Fn(&RunView) -> bool) -> RunView {
        let mut changes = self.workspace.changes();
        let wait = async {
            loop {
                let view = self.workspace.show_run(run).await.expect("the run is there");
                if is_wanted(&view) {
                    return view;
                }
                changes.changed().await.expect("the workspace is there");
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        let Ok(view) = waited else {
            panic!("run {run} is {:?}", self.workspace.show_run(run).await.map(|view| view.state));
        };
        view
    }

    async fn until_ended(&self, run: RunId) -> RunView {
        self.until(run, |view| view.end.is_some()).await
    }

    /// Waits until a task has printed something.
    async fn until_printed(&self, run: RunId, wanted: &str) {
        let wait = async {
            while !self.workspace.output(run).await.expect("the run is there").logs.contains(wanted) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the task prints in time");
    }

    fn advance(&self, span: Duration) {
        self.clock.advance(span);
        self.workspace.nudge();
    }

    fn gate(&self, name: &str) -> Gate {
        Gate::at(self.folder.path().join(name))
    }
}

fn open(
    folder: &Path,
    clock: &Arc<SimClock>,
    chance: &Arc<SeededChance>,
    keys: &Arc<KeyRing>,
    options: &Options,
) -> Arc<Workspace> {
    let migrations = &[base::MIGRATIONS, MIGRATIONS];
    let db: Db<Control> = Db::open_sqlite(folder, migrations, DbOptions::default()).expect("a database opens");
    let folder = folder.join("workspace");
    Arc::new(Workspace::new(db, folder, keys.clone(), clock.clone(), chance.clone(), options.clone()))
}

/// Where a script waits (`read go < GATE`) until the test lets it pass.
struct Gate {
    path: PathBuf,
    pipe: File,
}

impl Gate {
    fn at(path: PathBuf) -> Self {
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is there");
        assert!(made.success());
        // Open for both, so that neither side waits for the other to open it.
        let pipe = File::options().read(true).write(true).open(&path).expect("the pipe was made");
        Gate { path, pipe }
    }

    fn open(&mut self) {
        self.pipe.write_all(b"go\n").expect("a pipe takes a few bytes");
    }
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.path.display(), f)
    }
}

/// One line that says where a run and the latest attempts of its tasks are.
fn story(view: &RunView) -> String {
    let of = |life_cycle: &str, result: Option<&str>| match result {
        Some(result) => format!("{life_cycle} {result}"),
        None => life_cycle.to_owned(),
    };
    let mut parts = vec![of(view.state.life_cycle, view.state.result)];
    parts.push(match &view.status.termination {
        Some(termination) => format!("{} {} {}", view.status.state, termination.code, termination.kind),
        None => view.status.state.to_owned(),
    });
    for task in &view.tasks {
        parts.push(format!("{}#{}: {}", task.key, task.attempt, of(task.state.life_cycle, task.state.result)));
    }
    parts.join(" | ")
}

fn with_token(token: &str) -> RunRequest {
    RunRequest { idempotency_token: Some(token.to_owned()), ..RunRequest::default() }
}

fn with_parameters(parameters: &[(&str, &str)]) -> RunRequest {
    let job_parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RunRequest { overriding: Overriding { job_parameters, ..Overriding::default() }, ..RunRequest::default() }
}
