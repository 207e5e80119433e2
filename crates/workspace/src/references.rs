//! What a task is told: the values of references, and its parameters.
//!
//! Everything here follows from the rows of a run, so it can be worked out
//! again at any time, also for whoever asks later what a task was given.

use std::collections::BTreeMap;

use base::Timestamp;
use serde_json::{Value as Json, json};

use crate::decide::Execution;
use crate::error::Error;
use crate::inputs::text_of;
use crate::parameters::{self, References};
use crate::run::{Overriding, Run, TaskRun};
use crate::settings::{Body, Task};

/// What references say of the workspace itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) workspace_id: u64,
    pub(crate) public_url: &'a str,
}

/// Returns what the references of an attempt stand for.
pub(crate) fn references(execution: &Execution, attempt: &TaskRun, place: Place<'_>) -> References {
    let run = &execution.run;
    let mut values = of_run(run, place);
    let own = [
        ("task.name", attempt.task_key.clone()),
        ("task_key", attempt.task_key.clone()),
        ("task.run_id", attempt.id.to_string()),
        ("run_id", attempt.id.to_string()),
        ("task.execution_count", (attempt.attempt + 1).to_string()),
        ("task_retry_count", attempt.attempt.to_string()),
    ];
    values.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if let Some(Body::NotebookTask(task)) = run.task_of(attempt).map(|task| &task.body) {
        values.insert("task.notebook_path".into(), task.notebook_path.clone());
    }
    for other in latest(execution).filter(|other| other.task_key != attempt.task_key) {
        of_task(other, &mut values);
    }
    if let Some(input) = &attempt.detail.input {
        values.insert("input".into(), text_of(input));
        for (key, value) in input.as_object().into_iter().flatten() {
            values.insert(format!("input.{key}"), text_of(value));
        }
    }
    References { values }
}

/// Returns the parameters of a job as a run has them.
pub(crate) fn job_parameters(run: &Run, place: Place<'_>) -> BTreeMap<String, String> {
    let known = References { values: facts(run, place) };
    let declared = run.settings.parameters.iter().map(|parameter| (&parameter.name, &parameter.default));
    let all = declared.chain(&run.overriding.job_parameters);
    // A parameter is what it says; a reference in it that has no value stays as it is.
    let value = |text: &String| parameters::resolve(text, &known).unwrap_or_else(|_| text.clone());
    all.map(|(name, text)| (name.clone(), value(text))).collect()
}

fn of_run(run: &Run, place: Place<'_>) -> BTreeMap<String, String> {
    let mut values = facts(run, place);
    for (name, value) in job_parameters(run, place) {
        values.insert(format!("job.parameters.{name}"), value);
    }
    values
}

fn facts(run: &Run, place: Place<'_>) -> BTreeMap<String, String> {
    let job = run.job.map_or(0, |job| job.0).to_string();
    let started = run.started_at.unwrap_or(run.created_at);
    let facts = [
        ("job.id", job.clone()),
        ("job_id", job),
        ("job.name", run.name.clone()),
        ("job.run_id", run.id.to_string()),
        ("parent_run_id", run.id.to_string()),
        ("job.trigger.type", if run.launched_by.is_some() { "run_job_task" } else { "one_time" }.to_owned()),
        ("workspace.id", place.workspace_id.to_string()),
        ("workspace.url", place.public_url.to_owned()),
    ];
    let mut values: BTreeMap<String, String> = facts.map(|(name, value)| (name.to_owned(), value)).into();
    of_time("job.start_time", started, &mut values);
    of_time("job.trigger.time", run.created_at, &mut values);
    values
}

/// Adds the forms in which a time can be had, all of them in UTC.
fn of_time(name: &str, time: Timestamp, values: &mut BTreeMap<String, String>) {
    const MILLIS_OF_DAY: i64 = 86_400_000;
    let iso = time.to_string();
    let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default().to_owned();
    // The first day of all was a Thursday.
    let weekday = (time.as_millis().div_euclid(MILLIS_OF_DAY) + 3).rem_euclid(7) + 1;
    let forms = [
        ("iso_date", part(0, 10)),
        ("iso_datetime", part(0, 19)),
        ("timestamp_ms", time.as_millis().to_string()),
        ("year", part(0, 4)),
        ("month", part(5, 7)),
        ("day", part(8, 10)),
        ("hour", part(11, 13)),
        ("minute", part(14, 16)),
        ("second", part(17, 19)),
        ("iso_weekday", weekday.to_string()),
        ("is_weekday", (weekday <= 5).to_string()),
    ];
    values.extend(forms.map(|(form, value)| (format!("{name}.{form}"), value)));
}

fn of_task(task: &TaskRun, values: &mut BTreeMap<String, String>) {
    let key = &task.task_key;
    for (name, value) in &task.detail.values {
        values.insert(format!("tasks.{key}.values.{name}"), text_of(value));
    }
    if let Some(result) = task.state.result() {
        values.insert(format!("tasks.{key}.result_state"), result.as_str().to_lowercase());
    }
    values.insert(format!("tasks.{key}.run_id"), task.id.to_string());
    values.insert(format!("tasks.{key}.execution_count"), (task.attempt + 1).to_string());
}

/// Returns what each task has set for those behind it.
pub(crate) fn task_values(execution: &Execution) -> BTreeMap<&str, &BTreeMap<String, Json>> {
    latest(execution).map(|attempt| (attempt.task_key.as_str(), &attempt.detail.values)).collect()
}

fn latest(execution: &Execution) -> impl Iterator<Item = &TaskRun> {
    let attempts = || execution.attempts.iter().filter(|attempt| attempt.parent.is_none());
    attempts().filter(move |attempt| {
        !attempts().any(|other| other.position == attempt.position && other.attempt > attempt.attempt)
    })
}

/// The parameters of a task, after the caller's and the job's have had their say.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Given {
    /// A list, in order.
    List(Vec<String>),
    /// Values by name.
    Named(BTreeMap<String, String>),
    /// The two sides of a comparison.
    Sides(String, String),
    /// The inputs of iterations, as text.
    Inputs(String),
}

/// Works out what an attempt is given. A parameter of the job wins over one of
/// the same name that the task or the caller has.
pub(crate) fn given(execution: &Execution, attempt: &TaskRun, task: &Task, place: Place<'_>) -> Result<Given, Error> {
    let (run, known) = (&execution.run, references(execution, attempt, place));
    let overriding = &run.overriding;
    let list = |texts: &[String]| texts.iter().map(|text| parameters::resolve(text, &known)).collect::<Result<_, _>>();
    let named = |own: &BTreeMap<String, String>, of_caller: &BTreeMap<String, String>, with_job: bool| {
        let mut all = BTreeMap::new();
        for (name, text) in own.iter().filter(|(name, _)| !of_caller.contains_key(*name)).chain(of_caller) {
            all.insert(name.clone(), parameters::resolve(text, &known)?);
        }
        if with_job {
            all.extend(job_parameters(run, place));
        }
        Ok::<_, Error>(Given::Named(all))
    };
    match &task.body {
        Body::SparkPythonTask(task) => {
            Ok(Given::List(list(overriding.python_params.as_deref().unwrap_or(&task.parameters))?))
        }
        Body::NotebookTask(task) => named(&task.base_parameters, &overriding.notebook_params, true),
        Body::PythonWheelTask(task)
            if task.named_parameters.is_empty() && overriding.python_named_params.is_empty() =>
        {
            Ok(Given::List(list(overriding.python_params.as_deref().unwrap_or(&task.parameters))?))
        }
        Body::PythonWheelTask(task) => named(&task.named_parameters, &overriding.python_named_params, true),
        Body::SqlTask(task) => named(&task.parameters, &overriding.sql_params, true),
        Body::RunJobTask(task) => named(&task.job_parameters, &BTreeMap::new(), false),
        Body::ConditionTask(task) => {
            Ok(Given::Sides(parameters::resolve(&task.left, &known)?, parameters::resolve(&task.right, &known)?))
        }
        Body::ForEachTask(task) => Ok(Given::Inputs(parameters::resolve(&task.inputs, &known)?)),
    }
}

/// Returns the texts that the parameters of a run are made of, before any
/// reference in them has its value.
pub(crate) fn texts<'a>(task: &'a Task, overriding: &'a Overriding) -> Vec<&'a str> {
    let replaced = |texts: &'a Vec<String>| texts.iter().map(String::as_str).collect();
    match (&task.body, &overriding.python_params) {
        (Body::SparkPythonTask(_) | Body::PythonWheelTask(_), Some(texts)) => replaced(texts),
        (Body::ForEachTask(each), _) => {
            let mut all = texts(&each.task, overriding);
            all.push(&each.inputs);
            all
        }
        (body, _) => body.texts(),
    }
}

/// Shows what an attempt was given, in the words of the API.
pub(crate) fn resolved_values(task: &Task, given: Given) -> Json {
    let field = match &task.body {
        Body::NotebookTask(_) => "base_parameters",
        Body::PythonWheelTask(_) if matches!(given, Given::Named(_)) => "named_parameters",
        Body::SparkPythonTask(_) | Body::PythonWheelTask(_) | Body::SqlTask(_) => "parameters",
        Body::RunJobTask(_) => "job_parameters",
        Body::ConditionTask(_) | Body::ForEachTask(_) => "inputs",
    };
    let value = match given {
        Given::List(list) => json!({ field: list }),
        Given::Named(named) => json!({ field: named }),
        Given::Sides(left, right) => json!({ "left": left, "right": right }),
        Given::Inputs(inputs) => json!({ field: inputs }),
    };
    json!({ task.body.name(): value })
}
