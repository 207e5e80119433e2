//! A run in the words of the wire.
//!
//! Both blocks, the old `state` and the new `status`, are always there: clients
//! of each generation read one of them without asking whether it exists.

use base::Timestamp;
use serde_json::{Map, Value, json};
use workspace::view::{BodyOutput, OutputView, ParameterView, RunView, StateBlock, StatusBlock, TaskRunView};

/// Whether earlier attempts are told.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum History {
    Shown,
    LeftOut,
}

/// Writes a run with its tasks.
pub(super) fn run(view: &RunView, history: History) -> Value {
    let mut wire = head(view);
    let earlier = if history == History::Shown { view.history.as_slice() } else { &[] };
    let tasks = view.tasks.iter().chain(earlier);
    wire.insert("tasks".to_owned(), tasks.map(task).collect());
    if !view.iterations.is_empty() {
        wire.insert("iterations".to_owned(), view.iterations.iter().map(task).collect());
    }
    wire.insert("job_parameters".to_owned(), view.job_parameters.iter().map(parameter).collect());
    let document = view.settings.document();
    for word in ["job_clusters", "environments"] {
        if let Some(value) = document.get(word) {
            wire.insert(word.to_owned(), value.clone());
        }
    }
    Value::Object(wire)
}

/// Writes a run as lists show it.
pub(super) fn listed(view: &RunView, tasks: bool) -> Value {
    let mut wire = head(view);
    if tasks {
        wire.insert("tasks".to_owned(), view.tasks.iter().map(task).collect());
        wire.insert("job_parameters".to_owned(), view.job_parameters.iter().map(parameter).collect());
    }
    Value::Object(wire)
}

/// Writes the output of a task.
pub(super) fn output(view: &OutputView) -> Value {
    let mut wire = json!({
        "metadata": run(&view.metadata, History::LeftOut),
        "logs": view.logs,
        "logs_truncated": view.logs_truncated,
    });
    // Only files and packages show what they printed.
    if matches!(view.of_body, BodyOutput::Notebook { .. } | BodyOutput::Sql { .. } | BodyOutput::RunJob { .. })
        && let Value::Object(members) = &mut wire
    {
        members.retain(|name, _| !name.starts_with("logs"));
    }
    match &view.of_body {
        BodyOutput::Plain => {}
        BodyOutput::Notebook { exit } => {
            wire["notebook_output"] = match exit {
                Some((result, truncated)) => json!({ "result": result, "truncated": truncated }),
                None => json!({}),
            };
        }
        BodyOutput::Sql { text, warehouse, lookup_keys } => {
            let statements: Vec<Value> = lookup_keys.iter().map(|key| json!({ "lookup_key": key })).collect();
            wire["sql_output"] = json!({ "query_output": {
                "query_text": text,
                "warehouse_id": warehouse,
                "output_link": view.metadata.page_url,
                "sql_statements": statements,
            } });
        }
        BodyOutput::RunJob { run } => wire["run_job_output"] = json!({ "run_id": run.map_or(0, |run| run.0) }),
    }
    if let Some(error) = &view.error {
        wire["error"] = error.as_str().into();
    }
    if let Some(trace) = &view.error_trace {
        wire["error_trace"] = trace.as_str().into();
    }
    wire
}

fn head(view: &RunView) -> Map<String, Value> {
    let overriding = serde_json::to_value(&view.overriding).expect("parameters are texts");
    let wire = json!({
        "job_id": view.job.map_or(0, |job| job.0),
        "run_id": view.run,
        "job_run_id": view.job_run,
        "number_in_job": view.run,
        "original_attempt_run_id": view.original,
        "attempt_number": view.attempt,
        "run_name": view.name,
        "run_type": view.kind.as_str(),
        "trigger": view.cause.as_str(),
        "format": "MULTI_TASK",
        "creator_user_name": view.creator,
        "run_page_url": view.page_url,
        "start_time": millis(view.start),
        "end_time": millis(view.end),
        "setup_duration": 0,
        "execution_duration": view.run_duration_ms,
        "cleanup_duration": 0,
        "run_duration": view.run_duration_ms,
        "queue_duration": view.queue_duration_ms,
        "overriding_parameters": overriding,
        "state": state(&view.state),
        "status": status(&view.status),
    });
    match wire {
        Value::Object(members) => members,
        _ => unreachable!("the literal above is an object"),
    }
}

fn task(view: &TaskRunView) -> Value {
    // The wire repeats the task's settings beside the attempt's own words.
    let mut wire = serde_json::to_value(&view.task).expect("settings are made of texts, numbers and maps");
    let attempt = json!({
        "run_id": view.run,
        "task_key": view.key,
        "attempt_number": view.attempt,
        "run_page_url": view.page_url,
        "start_time": millis(view.start),
        "end_time": millis(view.end),
        "setup_duration": 0,
        "execution_duration": view.execution_duration_ms,
        "cleanup_duration": 0,
        "state": state(&view.state),
        "status": status(&view.status),
    });
    if let (Value::Object(wire), Value::Object(attempt)) = (&mut wire, attempt) {
        wire.extend(attempt);
    }
    if let Some(answer) = view.detail.answer {
        wire["condition_task"]["outcome"] = answer.to_string().into();
    }
    if let Some(resolved) = &view.resolved {
        wire["resolved_values"] = resolved.clone();
    }
    wire
}

pub(super) fn state(block: &StateBlock) -> Value {
    let mut wire = json!({
        "life_cycle_state": block.life_cycle,
        "state_message": block.message,
        "user_cancelled_or_timedout": block.user_cancelled_or_timedout,
    });
    if let Some(result) = block.result {
        wire["result_state"] = result.into();
    }
    if let Some(reason) = &block.queue_reason {
        wire["queue_reason"] = reason.as_str().into();
    }
    wire
}

pub(super) fn status(block: &StatusBlock) -> Value {
    let mut wire = json!({ "state": block.state });
    if let Some(end) = &block.termination {
        wire["termination_details"] = json!({ "code": end.code, "type": end.kind, "message": end.message });
    }
    if let Some(code) = block.queue_code {
        wire["queue_details"] = json!({ "code": code });
    }
    wire
}

fn parameter(view: &ParameterView) -> Value {
    let mut wire = json!({ "name": view.name });
    if let Some(default) = &view.default {
        wire["default"] = default.as_str().into();
    }
    if let Some(value) = &view.value {
        wire["value"] = value.as_str().into();
    }
    wire
}

/// An open end is 0 there.
pub(super) fn millis(time: Option<Timestamp>) -> i64 {
    time.map_or(0, Timestamp::as_millis)
}
