//! What a task does: its body, one of those that this workspace runs.
//!
//! On the wire a task has one field whose name says what it is, such as
//! `notebook_task`; here that is a variant. What can never be done is refused
//! when the document is read, and not when the task's turn has come.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Task, workspace_source};
use crate::error::Error;
use crate::{JobId, parameters};

/// Tasks that a `for_each_task` may run at the same time.
const CONCURRENCY_MAX: u32 = 100;

/// What a task does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Runs a Python file.
    SparkPythonTask(PythonTask),
    /// Runs a notebook in source form.
    NotebookTask(NotebookTask),
    /// Calls a function of a Python package.
    PythonWheelTask(WheelTask),
    /// Sends SQL statements.
    SqlTask(SqlTask),
    /// Runs another job, and waits for it.
    RunJobTask(RunJobTask),
    /// Compares two values; tasks behind it may depend on the outcome.
    ConditionTask(ConditionTask),
    /// Runs a task once for each of some inputs.
    ForEachTask(ForEachTask),
}

/// The names of the bodies, as errors list them.
pub(crate) const BODIES: [&str; 7] = [
    "spark_python_task",
    "notebook_task",
    "python_wheel_task",
    "sql_task",
    "run_job_task",
    "condition_task",
    "for_each_task",
];

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

/// A notebook with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotebookTask {
    /// Path of the notebook in the workspace, without an ending.
    pub notebook_path: String,
    /// What `dbutils.widgets.get` finds; may hold `{{…}}` references.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub base_parameters: BTreeMap<String, String>,
    /// Always `WORKSPACE`; clients compare it.
    #[serde(default = "workspace_source")]
    pub source: String,
    /// Where its SQL cells go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warehouse_id: Option<String>,
}

/// A function of a Python package.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelTask {
    /// Name of the package, as it is installed.
    pub package_name: String,
    /// Name of an entry point of the package, or of a function in it.
    pub entry_point: String,
    /// What it finds in `sys.argv`; may hold `{{…}}` references.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// The same as `--name=value`; one excludes the other.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named_parameters: BTreeMap<String, String>,
}

/// SQL statements: those of a file or of a saved query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlTask {
    /// Where they go.
    pub warehouse_id: String,
    /// Values of the markers `:name`; may hold `{{…}}` references.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// A file of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SqlFile>,
    /// A saved query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<SqlQuery>,
}

/// A saved query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlQuery {
    /// Its id.
    pub query_id: String,
}

/// A file with SQL statements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlFile {
    /// Path of the file in the workspace.
    pub path: String,
    /// Always `WORKSPACE`; clients compare it.
    #[serde(default = "workspace_source")]
    pub source: String,
}

/// A run of another job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunJobTask {
    /// Which job.
    pub job_id: JobId,
    /// Values for its parameters; may hold `{{…}}` references.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub job_parameters: BTreeMap<String, String>,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionTask {
    /// How the two are compared.
    pub op: Comparison,
    /// The left one; may hold `{{…}}` references.
    pub left: String,
    /// The right one; may hold `{{…}}` references.
    pub right: String,
}

/// How two values are compared: as texts by the first two, as numbers by the
/// others. So `12.0` is not equal to `12`, but not less either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Comparison {
    /// The same text.
    EqualTo,
    /// Another text.
    NotEqual,
    /// A larger number.
    GreaterThan,
    /// A larger number, or the same.
    GreaterThanOrEqual,
    /// A smaller number.
    LessThan,
    /// A smaller number, or the same.
    LessThanOrEqual,
}

/// A task that runs once for each input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForEachTask {
    /// A JSON array, or a reference to one.
    pub inputs: String,
    /// Iterations that run at the same time; one after the other if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What runs; `{{input}}` in it is the iteration's own.
    pub task: Box<Task>,
}

impl Body {
    /// Returns the name of the field on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Body::SparkPythonTask(_) => "spark_python_task",
            Body::NotebookTask(_) => "notebook_task",
            Body::PythonWheelTask(_) => "python_wheel_task",
            Body::SqlTask(_) => "sql_task",
            Body::RunJobTask(_) => "run_job_task",
            Body::ConditionTask(_) => "condition_task",
            Body::ForEachTask(_) => "for_each_task",
        }
    }

    /// Tells whether a process of its own does it. The others are done by the
    /// server itself, and take up none of the places for processes.
    pub(crate) fn is_process(&self) -> bool {
        matches!(self, Body::SparkPythonTask(_) | Body::NotebookTask(_) | Body::PythonWheelTask(_))
    }

    /// Returns every text of it that may hold references.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Body::SparkPythonTask(task) => task.parameters.iter().map(String::as_str).collect(),
            Body::NotebookTask(task) => task.base_parameters.values().map(String::as_str).collect(),
            Body::PythonWheelTask(task) => {
                task.parameters.iter().chain(task.named_parameters.values()).map(String::as_str).collect()
            }
            Body::SqlTask(task) => task.parameters.values().map(String::as_str).collect(),
            Body::RunJobTask(task) => task.job_parameters.values().map(String::as_str).collect(),
            Body::ConditionTask(task) => vec![&task.left, &task.right],
            Body::ForEachTask(task) => {
                let mut texts = task.task.body.texts();
                texts.push(&task.inputs);
                texts
            }
        }
    }

    /// Refuses what can never be done.
    pub(super) fn check(&self, key: &str) -> Result<(), Error> {
        let invalid = |detail: String| Err(Error::Settings { detail: format!("task \"{key}\": {detail}") });
        match self {
            Body::SparkPythonTask(task) => {
                check_source(&task.source)?;
                if crate::volumes::is_in_one(&task.python_file) {
                    crate::volumes::volume_path(Path::new(""), &task.python_file)?;
                } else {
                    check_path(&task.python_file)?;
                }
            }
            Body::NotebookTask(task) => {
                check_source(&task.source)?;
                check_path(&task.notebook_path)?;
            }
            Body::PythonWheelTask(task) => {
                if task.package_name.is_empty() || task.entry_point.is_empty() {
                    return invalid("\"package_name\" and \"entry_point\" must be given".into());
                }
                if !task.parameters.is_empty() && !task.named_parameters.is_empty() {
                    return invalid("\"parameters\" and \"named_parameters\" exclude each other".into());
                }
            }
            Body::SqlTask(task) => match (&task.file, &task.query) {
                (Some(file), None) => {
                    check_source(&file.source)?;
                    check_path(&file.path)?;
                }
                (None, Some(_)) => {}
                _ => return invalid("\"sql_task\" needs a \"file\" or a \"query\", and not both".into()),
            },
            Body::RunJobTask(_) | Body::ConditionTask(_) => {}
            Body::ForEachTask(task) => {
                let concurrency = task.concurrency.unwrap_or(1);
                if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
                    return invalid(format!("concurrency {concurrency} is not between 1 and {CONCURRENCY_MAX}"));
                }
                if matches!(task.task.body, Body::ForEachTask(_)) {
                    return invalid("a \"for_each_task\" cannot run another one".into());
                }
                if parameters::references(&task.inputs).is_empty() {
                    crate::inputs::read(&task.inputs)
                        .map_err(|detail| Error::Settings { detail: format!("task \"{key}\": inputs: {detail}") })?;
                }
            }
        }
        parameters::check(&self.texts())
    }
}

fn check_source(source: &str) -> Result<(), Error> {
    if source == "WORKSPACE" {
        return Ok(());
    }
    Err(Error::Unsupported { setting: format!("source {source}"), hint: ": import the file into the workspace".into() })
}

fn check_path(path: &str) -> Result<(), Error> {
    crate::files::disk_path(Path::new(""), path).map(drop)
}
