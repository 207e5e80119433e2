//! What a settings document must be to be accepted.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::body::BODIES;
use super::{ApiVersion, Body, JobSettings, Library, Task};
use crate::error::Error;

/// Tasks in a job, over version 2.2 of the API; before that, 100.
const TASKS_MAX: usize = 1_000;
const TASKS_MAX_BEFORE_2_2: usize = 100;
const CONCURRENT_RUNS_MAX: u32 = 1_000;

/// Words of a job that change nothing here.
const JOB_KEPT: &[&str] =
    &["description", "tags", "edit_mode", "deployment", "performance_target", "budget_policy_id", "usage_policy_id"];
/// Words of a job that would have to act.
const JOB_REFUSED: &[&str] = &["git_source"];
/// Words of a task that change nothing here.
const TASK_KEPT: &[&str] = &["description", "existing_cluster_id", "disable_auto_optimization"];
/// Words of a task that would have to act.
const TASK_REFUSED: &[&str] =
    &["health", "email_notifications", "webhook_notifications", "notification_settings", "compute"];
/// Words of an environment that change nothing here, and its dependencies.
const ENVIRONMENT_KEPT: &[&str] = &["client", "environment_version", "dependencies"];
/// Words of an environment that would have to act.
const ENVIRONMENT_REFUSED: &[&str] = &["java_dependencies", "base_environment"];
/// Libraries that this workspace can install.
const LIBRARIES: &[&str] = &["whl", "pypi", "requirements"];

impl JobSettings {
    pub(super) fn check(&mut self, version: ApiVersion) -> Result<(), Error> {
        let invalid = |detail: String| Err(Error::Settings { detail });
        refuse_mail("", &mut self.email_notifications)?;
        check_words("", &mut self.kept, JOB_KEPT, JOB_REFUSED)?;
        self.check_times()?;
        self.check_notices()?;
        if self
            .run_as
            .as_ref()
            .is_some_and(|run_as| run_as.user_name.is_some() == run_as.service_principal_name.is_some())
        {
            return invalid("\"run_as\" has exactly one of \"user_name\" and \"service_principal_name\"".into());
        }
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
            let dependencies = environment
                .spec
                .get("dependencies")
                .map_or(&[][..], |list| list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice));
            if let Some(other) = dependencies.iter().find(|one| !one.as_str().is_some_and(is_dependency)) {
                return invalid(format!("{path}dependencies: {other} is not a package, a wheel or \"-r FILE\""));
            }
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
            if let Body::ForEachTask(each) = &mut task.body {
                each.task.check_nested(&task.task_key)?;
            }
        }
        let nested = self.tasks.iter().filter_map(|task| match &task.body {
            Body::ForEachTask(each) => Some(&*each.task),
            _ => None,
        });
        for task in self.tasks.iter().chain(nested) {
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
        self.check_outcomes()?;
        self.check_order()
    }

    /// Refuses to depend on the outcome of what has none.
    fn check_outcomes(&self) -> Result<(), Error> {
        for task in &self.tasks {
            for upstream in task.depends_on.iter().filter(|upstream| upstream.outcome.is_some()) {
                let is_condition = |task: &Task| matches!(task.body, Body::ConditionTask(_));
                if !self.task(&upstream.task_key).is_some_and(is_condition) {
                    return Err(Error::Settings {
                        detail: format!(
                            "task \"{}\": it depends on an outcome of \"{}\", which is no \"condition_task\"",
                            task.task_key, upstream.task_key
                        ),
                    });
                }
            }
        }
        Ok(())
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
        refuse_mail(&format!("tasks.{key}."), &mut self.email_notifications)?;
        check_words(&format!("tasks.{key}."), &mut self.kept, TASK_KEPT, TASK_REFUSED)?;
        if let Some(unknown) = self.depends_on.iter().find(|upstream| !keys.contains(&upstream.task_key)) {
            return invalid(format!("it depends on \"{}\", which is not there", unknown.task_key));
        }
        if self.max_retries < -1 {
            return invalid("max_retries is below -1".into());
        }
        if let Some(library) = self.libraries.iter().find_map(|library| match library {
            Library::Pypi(package) if !is_dependency(&package.package) => Some(&package.package),
            Library::Whl(path) | Library::Requirements(path) if !path.starts_with('/') => Some(path),
            _ => None,
        }) {
            return invalid(format!("library \"{library}\" is not a package, or not a path of the workspace"));
        }
        if let Some(cluster) = &self.new_cluster
            && let Some(name) = cluster.spark_env_vars.keys().find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return invalid(format!("\"{name}\" is not a name of an environment variable"));
        }
        self.body.check(&key)
    }

    /// Checks the task that a `for_each_task` runs. It has no place of its own
    /// in the order.
    fn check_nested(&mut self, outer: &str) -> Result<(), Error> {
        if self.task_key.is_empty() || self.task_key == outer || !self.depends_on.is_empty() {
            return Err(Error::Settings {
                detail: format!("task \"{outer}\": the task in it needs a key of its own, and depends on nothing"),
            });
        }
        self.check(&[])
    }
}

/// Names what a task is, before its missing or unknown body becomes an error
/// about a field.
pub(super) fn check_bodies(document: &Json) -> Result<(), Error> {
    let tasks = document.get("tasks").and_then(Json::as_array);
    tasks.into_iter().flatten().try_for_each(check_body)
}

fn check_body(task: &Json) -> Result<(), Error> {
    let Some(fields) = task.as_object() else { return Ok(()) };
    let key = fields.get("task_key").and_then(Json::as_str).unwrap_or_default();
    let bodies: Vec<(&String, &Json)> = fields.iter().filter(|(name, _)| name.ends_with("_task")).collect();
    if let Some((body, _)) = bodies.iter().find(|(name, _)| !BODIES.contains(&name.as_str())) {
        return Err(Error::TaskType { task: key.to_owned(), body: (*body).clone() });
    }
    let invalid = |detail: String| Err(Error::Settings { detail: format!("task \"{key}\" {detail}") });
    let (name, body) = match bodies.as_slice() {
        [] => return invalid(format!("has nothing to run: one of \"{}\"", BODIES.join("\", \""))),
        [(name, body)] => (name.as_str(), *body),
        [(one, _), (other, _), ..] => return invalid(format!("is two things at once, \"{one}\" and \"{other}\"")),
    };
    let libraries = fields.get("libraries").and_then(Json::as_array);
    let mut sorts = libraries.into_iter().flatten().filter_map(Json::as_object).flat_map(Map::keys);
    if let Some(sort) = sorts.find(|sort| !LIBRARIES.contains(&sort.as_str())) {
        return Err(Error::Unsupported {
            setting: format!("tasks.{key}.libraries.{sort}"),
            hint: ": \"whl\", \"pypi\" and \"requirements\" are".into(),
        });
    }
    match name {
        "for_each_task" => body.get("task").map_or(Ok(()), check_body),
        "sql_task" => match ["dashboard", "alert"].iter().find(|sort| body.get(**sort).is_some()) {
            Some(sort) => Err(Error::Unsupported {
                setting: format!("tasks.{key}.sql_task.{sort}"),
                hint: ": it takes a \"file\" of the workspace, or a saved \"query\"".into(),
            }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Options of the installer would not be what they look like.
fn is_dependency(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && (!text.starts_with('-') || text.starts_with("-r /"))
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
    if says_nothing(value) {
        return Ok(());
    }
    Err(Error::Unsupported { setting: setting.to_owned(), hint: String::new() })
}

fn refuse_mail(path: &str, events: &mut Map<String, Json>) -> Result<(), Error> {
    if std::mem::take(events).values().all(says_nothing) {
        return Ok(());
    }
    Err(Error::Unsupported {
        setting: format!("{path}email_notifications"),
        hint: ": name a notification destination in the job's \"webhook_notifications\"".into(),
    })
}

/// Words that mean nothing if what they hold says nothing.
const SILENT_IF_EMPTY: [&str; 6] = ["schedule", "trigger", "continuous", "health", "notification_settings", "run_as"];

/// Drops words that clients send empty where they do not set them.
pub(super) fn drop_silent(document: &mut Json) {
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|word, value| !SILENT_IF_EMPTY.contains(&word.as_str()) || !says_nothing(value));
    }
}

/// Clients send what they do not set as null, as false, or empty.
pub(super) fn says_nothing(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Object(members) => members.values().all(says_nothing),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Drops fields that are null: they are not set.
pub(super) fn drop_nulls(value: &mut Json) {
    match value {
        Json::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
