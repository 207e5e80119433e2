//! The settings of a job: a stored document in Databricks' own JSON form.
//!
//! What the workspace acts on has a typed field. The rest falls into three
//! sorts. Words that change nothing here (tags, cluster sizes: tasks run on
//! this machine) are *kept* and given back as they came. Words that would have
//! to act, and do not yet (sources in Git, mail, some triggers), are *refused*
//! unless they are empty: a setting that is stored and ignored would be a lie.
//! Unknown words are refused too, because they are misspelt ones.
//!
//! Reading fills in the defaults that clients compare against when they read a
//! job back. The stored form is version [`FORMAT`].

mod body;
mod check;
mod merge;
mod notices;
mod timetable;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::Error;

pub(crate) use body::BODIES;
pub use body::{
    Body, Comparison, ConditionTask, ForEachTask, NotebookTask, PythonTask, RunJobTask, SqlFile, SqlQuery, SqlTask,
    WheelTask,
};
pub(crate) use merge::merge;
pub use notices::{Health, HealthRule, NotificationSettings, Webhook, WebhookNotifications};
pub(crate) use timetable::rest_after;
pub use timetable::{Continuous, CronSchedule, PauseStatus, Periodic, PeriodicUnit, Timetable, Trigger};

/// The version of the stored form, kept beside each document.
pub const FORMAT: u32 = 1;

/// The version of the Jobs API over which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiVersion {
    /// `/api/2.0/jobs`
    V2_0,
    /// `/api/2.1/jobs`: new jobs have no queue.
    V2_1,
    /// `/api/2.2/jobs`: new jobs have a queue.
    V2_2,
}

/// What a job is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSettings {
    /// What people read; need not be unique.
    #[serde(default = "untitled")]
    pub name: String,
    /// What it does, in no particular order: `depends_on` gives the order.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Clusters that several tasks share; here, the environment variables they set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub job_clusters: Vec<JobCluster>,
    /// Environments of serverless tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<Environment>,
    /// Parameters of the job, with their defaults.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<JobParameter>,
    /// Runs that may be active at once; 0 skips every run.
    #[serde(default = "one")]
    pub max_concurrent_runs: u32,
    /// After how long a run is stopped; 0 for never.
    #[serde(default)]
    pub timeout_seconds: u64,
    /// Whether a run beyond [`JobSettings::max_concurrent_runs`] waits instead of being skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// On whose behalf runs act, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<RunAs>,
    /// Runs at times of day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<CronSchedule>,
    /// Runs every so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
    /// Runs again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continuous: Option<Continuous>,
    /// When a run takes too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification_settings: Option<NotificationSettings>,
    /// Always `MULTI_TASK`; clients compare it.
    #[serde(default = "multi_task")]
    pub format: String,
    /// Always empty; present, because clients compare it.
    #[serde(default)]
    pub email_notifications: Map<String, Json>,
    /// Who is told; present even if empty, because clients compare it.
    #[serde(default)]
    pub webhook_notifications: WebhookNotifications,
    /// What is kept and given back.
    #[serde(flatten)]
    pub kept: Map<String, Json>,
}

/// On whose behalf runs act: exactly one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunAs {
    /// A person, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// A program, by application id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_principal_name: Option<String>,
}

/// A part of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name within the job.
    pub task_key: String,
    /// Which tasks must have ended before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// How they must have ended.
    #[serde(default)]
    pub run_if: RunIf,
    /// What it does.
    #[serde(flatten)]
    pub body: Body,
    /// How often it is tried again after a failure; -1 for ever.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_retries: i64,
    /// How long it waits before it is tried again.
    #[serde(default, skip_serializing_if = "is_none_u64")]
    pub min_retry_interval_millis: u64,
    /// Whether a timeout is tried again too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retry_on_timeout: bool,
    /// After how long an attempt is stopped; 0 for never.
    #[serde(default)]
    pub timeout_seconds: u64,
    /// Whether it is passed over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// A cluster of its own; here, the environment variables it sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_cluster: Option<Cluster>,
    /// Which of [`JobSettings::job_clusters`] it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_cluster_key: Option<String>,
    /// Which of [`JobSettings::environments`] it uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_key: Option<String>,
    /// Packages that it needs beside those of its environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<Library>,
    /// Always empty; present, because clients compare it.
    #[serde(default)]
    pub email_notifications: Map<String, Json>,
    /// What is kept and given back.
    #[serde(flatten)]
    pub kept: Map<String, Json>,
}

/// A package that a task needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Library {
    /// A wheel of the workspace or of a volume.
    Whl(String),
    /// A package of an index.
    Pypi(PypiPackage),
    /// A file with a list of packages.
    Requirements(String),
}

/// A package of an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PypiPackage {
    /// Its name, and maybe its version.
    pub package: String,
}

/// A task that must have ended before another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its key.
    pub task_key: String,
    /// How a condition must have come out: `true` or `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// How a condition comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    True,
    /// It does not.
    False,
}

impl Outcome {
    /// Returns the word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::True => "true",
            Outcome::False => "false",
        }
    }
}

impl From<bool> for Outcome {
    fn from(holds: bool) -> Self {
        if holds { Outcome::True } else { Outcome::False }
    }
}

/// How the tasks before it must have ended for a task to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunIf {
    /// All of them well.
    #[default]
    AllSuccess,
    /// In any way.
    AllDone,
    /// None of them failed, and at least one ran well.
    NoneFailed,
    /// At least one of them well.
    AtLeastOneSuccess,
    /// All of them failed.
    AllFailed,
    /// At least one of them failed.
    AtLeastOneFailed,
}

/// A named cluster of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobCluster {
    /// Its name within the job.
    pub job_cluster_key: String,
    /// What it is made of.
    pub new_cluster: Cluster,
}

/// A cluster. Tasks run on this machine: of a cluster only the environment
/// variables have an effect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Environment of the task's process; a value may hold `{{secrets/scope/key}}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub spark_env_vars: BTreeMap<String, String>,
    /// What is kept and given back.
    #[serde(flatten)]
    pub kept: Map<String, Json>,
}

/// A named environment of serverless tasks. It may name a version, which has
/// no effect, and `dependencies`, which are installed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name within the job.
    pub environment_key: String,
    /// What it is made of.
    #[serde(default)]
    pub spec: Map<String, Json>,
}

/// A parameter of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobParameter {
    /// What tasks call it: `{{job.parameters.NAME}}`.
    pub name: String,
    /// Its value where a run does not set it.
    pub default: String,
}

/// Whether runs wait for their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// They do.
    pub enabled: bool,
}

fn untitled() -> String {
    "Untitled".into()
}

fn multi_task() -> String {
    "MULTI_TASK".into()
}

fn workspace_source() -> String {
    "WORKSPACE".into()
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none_u64(number: &u64) -> bool {
    *number == 0
}

impl JobSettings {
    /// Reads a document as it comes from a client, checks it, and fills in
    /// what it leaves out.
    pub fn read(mut document: Json, version: ApiVersion) -> Result<Self, Error> {
        check::drop_nulls(&mut document);
        check::check_bodies(&document)?;
        check::drop_silent(&mut document);
        timetable::check_triggers(&document)?;
        notices::check_events(&mut document)?;
        let mut settings: JobSettings =
            serde_json::from_value(document).map_err(|error| Error::Settings { detail: error.to_string() })?;
        settings.check(version)?;
        for task in &mut settings.tasks {
            task.depends_on.sort_by(|a, b| a.task_key.cmp(&b.task_key));
        }
        settings.queue = settings.queue.or((version >= ApiVersion::V2_2).then_some(Queue { enabled: true }));
        Ok(settings)
    }

    /// Reads a document that this workspace has stored.
    pub fn stored(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| Error::Settings { detail: format!("as stored: {error}") })
    }

    /// Returns the document, as it is stored and given back.
    pub fn document(&self) -> Json {
        serde_json::to_value(self).expect("settings are made of texts, numbers and maps with text keys")
    }

    /// Tells whether runs wait for their turn.
    pub fn is_queued(&self) -> bool {
        self.queue.is_some_and(|queue| queue.enabled)
    }

    /// Finds a task.
    pub fn task(&self, key: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.task_key == key)
    }

    /// Returns what a task wants to be installed, as `pip` names it; a path is
    /// one of the workspace.
    pub fn dependencies_of(&self, task: &Task) -> Vec<String> {
        let own = task.libraries.iter().map(|library| match library {
            Library::Whl(path) => path.clone(),
            Library::Pypi(package) => package.package.clone(),
            Library::Requirements(path) => format!("-r {path}"),
        });
        let shared = task
            .environment_key
            .as_ref()
            .and_then(|key| self.environments.iter().find(|environment| environment.environment_key == *key))
            .and_then(|environment| environment.spec.get("dependencies")?.as_array());
        let shared = shared.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned);
        shared.chain(own).collect()
    }

    /// Returns the environment variables that a task asks for, references and all.
    pub fn variables_of(&self, task: &Task) -> BTreeMap<String, String> {
        let shared = task
            .job_cluster_key
            .as_ref()
            .and_then(|key| self.job_clusters.iter().find(|cluster| cluster.job_cluster_key == *key))
            .map(|cluster| &cluster.new_cluster);
        let mut variables = BTreeMap::new();
        for cluster in [shared, task.new_cluster.as_ref()].into_iter().flatten() {
            variables.extend(cluster.spark_env_vars.clone());
        }
        variables
    }
}
