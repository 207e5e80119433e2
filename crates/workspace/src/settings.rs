//! The settings of a job: a stored document in Databricks' own JSON form.
//!
//! What the workspace acts on has a typed field. The rest falls into three
//! sorts. Words that change nothing here (tags, cluster sizes: tasks run on
//! this machine) are *kept* and given back as they came. Words that would have
//! to act, and do not yet (schedules, notifications, libraries), are *refused*
//! unless they are empty: a setting that is stored and ignored would be a lie.
//! Unknown words are refused too, because they are misspelt ones.
//!
//! Reading fills in the defaults that clients compare against when they read a
//! job back. The stored form is version [`FORMAT`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::error::Error;

/// The version of the stored form, kept beside each document.
pub const FORMAT: u32 = 1;

/// Tasks in a job, over version 2.2 of the API; before that, 100.
const TASKS_MAX: usize = 1_000;
const TASKS_MAX_BEFORE_2_2: usize = 100;
const CONCURRENT_RUNS_MAX: u32 = 1_000;

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
    /// On whose behalf the runs are; kept by a reset that does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<Json>,
    /// Always `MULTI_TASK`; clients compare it.
    #[serde(default = "multi_task")]
    pub format: String,
    /// Always empty; present, because clients compare it.
    #[serde(default)]
    pub email_notifications: Map<String, Json>,
    /// Always empty; present, because clients compare it.
    #[serde(default)]
    pub webhook_notifications: Map<String, Json>,
    /// What is kept and given back.
    #[serde(flatten)]
    pub kept: Map<String, Json>,
}

/// A part of a job: one process.
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
    /// What it runs.
    pub spark_python_task: PythonTask,
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
    /// Always empty; present, because clients compare it.
    #[serde(default)]
    pub email_notifications: Map<String, Json>,
    /// What is kept and given back.
    #[serde(flatten)]
    pub kept: Map<String, Json>,
}

/// A task that must have ended before another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Its key.
    pub task_key: String,
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

/// A Python file with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PythonTask {
    /// Path of the file in the workspace.
    pub python_file: String,
    /// What it finds in `sys.argv`; may hold `{{…}}` references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Always `WORKSPACE`; clients compare it.
    #[serde(default = "workspace_source")]
    pub source: String,
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
/// no effect; what it would have to install is refused.
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

/// Words of a job that change nothing here.
const JOB_KEPT: &[&str] = &[
    "description",
    "tags",
    "edit_mode",
    "deployment",
    "performance_target",
    "budget_policy_id",
    "usage_policy_id",
    "notification_settings",
];
/// Words of a job that would have to act.
const JOB_REFUSED: &[&str] = &[
    "schedule",
    "trigger",
    "continuous",
    "git_source",
    "health",
    "email_notifications",
    "webhook_notifications",
    "access_control_list",
];
/// Words of a task that change nothing here.
const TASK_KEPT: &[&str] =
    &["description", "existing_cluster_id", "notification_settings", "disable_auto_optimization"];
/// Words of a task that would have to act.
const TASK_REFUSED: &[&str] = &["libraries", "health", "email_notifications", "webhook_notifications", "compute"];
/// Words of an environment that change nothing here.
const ENVIRONMENT_KEPT: &[&str] = &["client", "environment_version"];
/// Words of an environment that would have to act.
const ENVIRONMENT_REFUSED: &[&str] = &["dependencies", "java_dependencies", "base_environment"];

impl JobSettings {
    /// Reads a document as it comes from a client, checks it, and fills in
    /// what it leaves out.
    pub fn read(document: Json, version: ApiVersion) -> Result<Self, Error> {
        check_bodies(&document)?;
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

    fn check(&mut self, version: ApiVersion) -> Result<(), Error> {
        let invalid = |detail: String| Err(Error::Settings { detail });
        for notifications in [&self.email_notifications, &self.webhook_notifications] {
            refuse_unless_empty("job notifications", &Json::Object(notifications.clone()))?;
        }
        check_words("", &mut self.kept, JOB_KEPT, JOB_REFUSED)?;
        if self.format != "MULTI_TASK" {
            return invalid(format!("format \"{}\" is not \"MULTI_TASK\"", self.format));
        }
        if self.max_concurrent_runs > CONCURRENT_RUNS_MAX {
            return invalid(format!("max_concurrent_runs is above {CONCURRENT_RUNS_MAX}"));
        }
        let tasks_max = if version >= ApiVersion::V2_2 { TASKS_MAX } else { TASKS_MAX_BEFORE_2_2 };
        if self.tasks.len() > tasks_max {
            return invalid(format!("it has {} tasks, and {tasks_max} are allowed", self.tasks.len()));
        }
        for environment in &mut self.environments {
            let path = format!("environments.{}.", environment.environment_key);
            check_words(&path, &mut environment.spec, ENVIRONMENT_KEPT, ENVIRONMENT_REFUSED)?;
        }
        let (clusters, environments): (BTreeSet<&str>, BTreeSet<&str>) = (
            self.job_clusters.iter().map(|cluster| cluster.job_cluster_key.as_str()).collect(),
            self.environments.iter().map(|environment| environment.environment_key.as_str()).collect(),
        );
        let keys: Vec<String> = self.tasks.iter().map(|task| task.task_key.clone()).collect();
        for (index, task) in self.tasks.iter_mut().enumerate() {
            if task.task_key.is_empty() || keys[..index].contains(&task.task_key) {
                return invalid(format!("task key \"{}\" is empty or stands twice", task.task_key));
            }
            task.check(&keys)?;
            if let Some(key) = &task.job_cluster_key
                && !clusters.contains(key.as_str())
            {
                return invalid(format!("task \"{}\" uses job cluster \"{key}\", which is not there", task.task_key));
            }
            if let Some(key) = &task.environment_key
                && !environments.contains(key.as_str())
            {
                return invalid(format!("task \"{}\" uses environment \"{key}\", which is not there", task.task_key));
            }
        }
        self.check_order()
    }

    /// Refuses a circle of dependencies, naming a task that stands in it.
    fn check_order(&self) -> Result<(), Error> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        loop {
            let before = done.len();
            for task in &self.tasks {
                if task.depends_on.iter().all(|upstream| done.contains(upstream.task_key.as_str())) {
                    done.insert(&task.task_key);
                }
            }
            if done.len() == self.tasks.len() {
                return Ok(());
            }
            if done.len() == before {
                let stuck = self.tasks.iter().find(|task| !done.contains(task.task_key.as_str()));
                let key = stuck.map_or("", |task| &task.task_key);
                return Err(Error::Settings { detail: format!("task \"{key}\" depends on itself, through others") });
            }
        }
    }
}

impl Task {
    fn check(&mut self, keys: &[String]) -> Result<(), Error> {
        let key = self.task_key.clone();
        let invalid = |detail: String| Err(Error::Settings { detail: format!("task \"{key}\": {detail}") });
        refuse_unless_empty("task notifications", &Json::Object(self.email_notifications.clone()))?;
        check_words(&format!("tasks.{key}."), &mut self.kept, TASK_KEPT, TASK_REFUSED)?;
        if let Some(unknown) = self.depends_on.iter().find(|upstream| !keys.contains(&upstream.task_key)) {
            return invalid(format!("it depends on \"{}\", which is not there", unknown.task_key));
        }
        if self.max_retries < -1 {
            return invalid("max_retries is below -1".into());
        }
        if self.spark_python_task.source != "WORKSPACE" {
            return Err(Error::Unsupported {
                setting: format!("source {}", self.spark_python_task.source),
                hint: ": import the file into the workspace".into(),
            });
        }
        if let Some(cluster) = &self.new_cluster
            && let Some(name) = cluster.spark_env_vars.keys().find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return invalid(format!("\"{name}\" is not a name of an environment variable"));
        }
        crate::files::disk_path(std::path::Path::new(""), &self.spark_python_task.python_file)?;
        crate::parameters::check(&self.spark_python_task.parameters)
    }
}

/// Names what a task is, before its missing or unknown body becomes an error
/// about a field.
fn check_bodies(document: &Json) -> Result<(), Error> {
    let tasks = document.get("tasks").and_then(Json::as_array);
    for task in tasks.into_iter().flatten().filter_map(Json::as_object) {
        let key = task.get("task_key").and_then(Json::as_str).unwrap_or_default();
        let other =
            task.iter().find(|(name, body)| name.ends_with("_task") && *name != "spark_python_task" && !body.is_null());
        if let Some((body, _)) = other {
            return Err(Error::TaskType { task: key.to_owned(), body: body.clone() });
        }
        if !task.contains_key("spark_python_task") {
            return Err(Error::Settings {
                detail: format!("task \"{key}\" has nothing to run: \"spark_python_task\""),
            });
        }
    }
    Ok(())
}

/// Lets the kept words pass, drops refused ones that say nothing, and refuses
/// the rest.
fn check_words(path: &str, words: &mut Map<String, Json>, kept: &[&str], refused: &[&str]) -> Result<(), Error> {
    for (word, value) in words.iter() {
        if refused.contains(&word.as_str()) {
            refuse_unless_empty(&format!("{path}{word}"), value)?;
        } else if !kept.contains(&word.as_str()) && !value.is_null() {
            return Err(Error::Settings { detail: format!("\"{path}{word}\" is not a setting") });
        }
    }
    words.retain(|word, _| kept.contains(&word.as_str()));
    Ok(())
}

fn refuse_unless_empty(setting: &str, value: &Json) -> Result<(), Error> {
    let says_nothing = match value {
        Json::Null => true,
        Json::Object(members) => members.values().all(|member| member.as_array().is_some_and(Vec::is_empty)),
        Json::Array(items) => items.is_empty(),
        _ => false,
    };
    if says_nothing {
        return Ok(());
    }
    Err(Error::Unsupported { setting: setting.to_owned(), hint: String::new() })
}

/// Applies an update: a field of `changes` replaces that of `document`, but
/// lists with keys are merged by key; `removed` are names of fields, or
/// `tasks/KEY` and the like.
pub(crate) fn merge(document: &mut Json, changes: Json, removed: &[String]) -> Result<(), Error> {
    let (Json::Object(fields), Json::Object(changes)) = (document, changes) else {
        return Err(Error::Settings { detail: "\"new_settings\" is not an object".into() });
    };
    for name in removed {
        match name.split_once('/') {
            None => drop(fields.remove(name)),
            Some((list, key)) => {
                let (Some(Json::Array(items)), Some(key_name)) = (fields.get_mut(list), key_of(list)) else { continue };
                items.retain(|item| item.get(key_name).and_then(Json::as_str) != Some(key));
            }
        }
    }
    for (name, change) in changes {
        match (fields.get_mut(&name), change, key_of(&name)) {
            (Some(Json::Array(items)), Json::Array(news), Some(key)) => merge_by_key(items, news, key),
            (_, change, _) => drop(fields.insert(name, change)),
        }
    }
    Ok(())
}

/// Which field tells the items of a list apart.
fn key_of(list: &str) -> Option<&'static str> {
    match list {
        "tasks" => Some("task_key"),
        "job_clusters" => Some("job_cluster_key"),
        "environments" => Some("environment_key"),
        "parameters" => Some("name"),
        _ => None,
    }
}

fn merge_by_key(items: &mut Vec<Json>, news: Vec<Json>, key: &str) {
    for new in news {
        match items.iter_mut().find(|item| item.get(key) == new.get(key)) {
            Some(item) => *item = new,
            None => items.push(new),
        }
    }
}
