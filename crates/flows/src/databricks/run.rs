//! How a run of a workspace stands, and when it is over.
//!
//! A run that failed does not always end as TERMINATED: on serverless compute
//! its life cycle ends as INTERNAL_ERROR. So three states are final, and then
//! the result counts. A state that nobody knows is not final.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::{Map, Value as Json, json};

use super::{first_line, id_of, text_of};
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// States of the life cycle that are final.
const OVER: [&str; 3] = ["TERMINATED", "SKIPPED", "INTERNAL_ERROR"];
/// Letters of an error that are told in one line.
const LINE_CHARS_MAX: usize = 300;

/// Tells whether a run, or a task's run, is over.
pub(crate) fn is_over(run: &Json) -> bool {
    match life_of(run) {
        "" => text_of(&run["status"], "state") == "TERMINATED",
        life => OVER.contains(&life),
    }
}

/// Returns the state of a run's life cycle as the older of its two blocks has it.
fn life_of(run: &Json) -> &str {
    text_of(&run["state"], "life_cycle_state")
}

/// Returns the result of a run that is over; empty for one that is not.
pub(crate) fn result_of(run: &Json) -> String {
    let said = text_of(&run["state"], "result_state");
    if !said.is_empty() {
        return said.to_owned();
    }
    if !is_over(run) {
        return String::new();
    }
    let code = text_of(&run["status"]["termination_details"], "code");
    match (code, life_of(run)) {
        ("SUCCESS" | "SUCCESS_WITH_FAILURES" | "SKIPPED" | "DISABLED", _) => code,
        ("USER_CANCELED" | "CANCELED", _) => "CANCELED",
        ("MAX_CONCURRENT_RUNS_EXCEEDED", _) => "MAXIMUM_CONCURRENT_RUNS_REACHED",
        ("", "SKIPPED") => "SKIPPED",
        _ => "FAILED",
    }
    .to_owned()
}

/// Tells whether a result is a success.
pub(crate) fn is_success(result: &str) -> bool {
    matches!(result, "SUCCESS" | "SUCCESS_WITH_FAILURES")
}

/// Returns the tasks' runs whose output can be asked for: those that ran.
pub(crate) fn outputs_to_ask(run: &Json) -> Vec<i64> {
    let ran = |task: &&Json| {
        let result = result_of(task);
        is_over(task)
            && life_of(task) != "SKIPPED"
            && !matches!(result.as_str(), "EXCLUDED" | "UPSTREAM_FAILED" | "UPSTREAM_CANCELED" | "DISABLED" | "SKIPPED")
    };
    tasks(run).into_iter().filter(ran).filter_map(|task| id_of(&task["run_id"])).collect()
}

/// Returns the task's run that explains why a run did not succeed: its output is
/// asked for even where nobody wants the others.
pub(crate) fn output_that_explains(run: &Json) -> Option<i64> {
    let result = result_of(run);
    if result.is_empty() || is_success(&result) {
        return None;
    }
    let failed = tasks(run).into_iter().find(|task| is_over(task) && result_of(task) == "FAILED")?;
    id_of(&failed["run_id"])
}

/// Returns the tasks of a run as they stand: of each its latest attempt. A run
/// that was repaired, or that tries its tasks again, lists the earlier ones
/// too, and nobody says in which order.
fn tasks(run: &Json) -> Vec<&Json> {
    let attempt = |task: &Json| task["attempt_number"].as_i64().unwrap_or(0);
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut latest: Vec<&Json> = Vec::new();
    for task in run["tasks"].as_array().into_iter().flatten() {
        match places.entry(text_of(task, "task_key")) {
            Entry::Vacant(new) => {
                new.insert(latest.len());
                latest.push(task);
            }
            Entry::Occupied(known) if attempt(latest[*known.get()]) < attempt(task) => latest[*known.get()] = task,
            Entry::Occupied(_) => {}
        }
    }
    latest
}

/// Returns what identifies this end of a run: a run that is repaired ends again.
pub(crate) fn repair_of(run: &Json) -> i64 {
    let history = run["repair_history"].as_array().map_or(&[][..], Vec::as_slice);
    let repairs = history.iter().filter(|entry| text_of(entry, "type") != "ORIGINAL");
    repairs.filter_map(|entry| id_of(&entry["id"])).next_back().unwrap_or(0)
}

/// Makes the bundle of a run, with the outputs of its tasks as far as they were
/// asked for.
pub(crate) fn bundle(run: &Json, outputs: &HashMap<i64, Json>) -> Json {
    let result = result_of(run);
    let status = text_of(&run["status"], "state");
    let state = if life_of(run).is_empty() { status } else { life_of(run) };
    let tasks: Vec<Json> = tasks(run).into_iter().map(|task| task_of(task, outputs)).collect();
    let failed = tasks.iter().find(|task| {
        let result = text_of(task, "result_state");
        !result.is_empty() && !is_success(result) && !text_of(task, "error").is_empty()
    });
    let failed = failed.or_else(|| tasks.iter().find(|task| text_of(task, "result_state") == "FAILED"));
    let mut bundle = Map::new();
    let mut put = |name: &str, value: Json| {
        if !value.is_null() && value != Json::String(String::new()) {
            bundle.insert(name.to_owned(), value);
        }
    };
    put("run_id", run["run_id"].clone());
    put("job_id", run["job_id"].clone());
    put("run_name", run["run_name"].clone());
    put("state", state.into());
    put("result_state", result.clone().into());
    put("succeeded", if result.is_empty() { Json::Null } else { is_success(&result).into() });
    let message = match text_of(&run["state"], "state_message") {
        "" => text_of(&run["status"]["termination_details"], "message"),
        message => message,
    };
    put("message", message.into());
    if !result.is_empty() && !is_success(&result) {
        let error = failed.map(|task| text_of(task, "error")).filter(|error| !error.is_empty()).unwrap_or(message);
        put("error", shortened(first_line(error)).into());
        put("failed_task", failed.map_or(Json::Null, |task| task["key"].clone()));
        let page = failed.map(|task| text_of(task, "run_page_url")).filter(|page| !page.is_empty());
        put("log_url", page.unwrap_or_else(|| text_of(run, "run_page_url")).into());
    }
    put("run_page_url", run["run_page_url"].clone());
    put("duration_ms", duration_of(run));
    put("queue_ms", run["queue_duration"].clone());
    put("start_time", run["start_time"].clone());
    put("end_time", run["end_time"].clone());
    put("attempt_number", run["attempt_number"].clone());
    put("parameters", parameters_of(run));
    bundle.insert("tasks".to_owned(), tasks.into());
    Json::Object(bundle)
}

fn task_of(task: &Json, outputs: &HashMap<i64, Json>) -> Json {
    let mut told = json!({
        "key": task["task_key"], "run_id": task["run_id"], "state": life_of(task), "result_state": result_of(task),
    });
    let message = text_of(&task["state"], "state_message");
    let mut put = |name: &str, value: Json| {
        if !value.is_null() && value != Json::String(String::new()) {
            told[name] = value;
        }
    };
    put("message", message.into());
    put("attempt_number", task["attempt_number"].clone());
    put("run_page_url", task["run_page_url"].clone());
    put("duration_ms", duration_of(task));
    let Some(output) = id_of(&task["run_id"]).and_then(|id| outputs.get(&id)) else { return told };
    put("error", output["error"].clone());
    put("error_trace", output["error_trace"].clone());
    put("logs", output["logs"].clone());
    put("logs_truncated", output["logs_truncated"].clone());
    put("result", output["notebook_output"]["result"].clone());
    put("result_truncated", output["notebook_output"]["truncated"].clone());
    put("sql", output["sql_output"].clone());
    put("started_run_id", output["run_job_output"]["run_id"].clone());
    put("info", output["info"].clone());
    put("output_missing", output["output_missing"].clone());
    told
}

fn duration_of(run: &Json) -> Json {
    if let Some(duration) = run["run_duration"].as_i64().filter(|duration| *duration > 0) {
        return duration.into();
    }
    match (run["start_time"].as_i64(), run["end_time"].as_i64()) {
        (Some(start), Some(end)) if start > 0 && end >= start => (end - start).into(),
        _ => Json::Null,
    }
}

/// Returns what a run was given: the job's parameters with their values, and
/// the older families as they are.
fn parameters_of(run: &Json) -> Json {
    let mut given = Map::new();
    for parameter in run["job_parameters"].as_array().map_or(&[][..], Vec::as_slice) {
        let value = if parameter["value"].is_null() { &parameter["default"] } else { &parameter["value"] };
        given.insert(text_of(parameter, "name").to_owned(), value.clone());
    }
    for (family, values) in run["overriding_parameters"].as_object().into_iter().flatten() {
        match values.as_object().filter(|_| family == "job_parameters") {
            // They stand among the job's own as well, and there by their names.
            Some(values) => given.extend(values.clone()),
            None => _ = given.insert(family.clone(), values.clone()),
        }
    }
    if given.is_empty() { Json::Null } else { Json::Object(given) }
}

/// Returns the parameters of a run as a repair must be given them again,
/// because the workspace does not remember them.
pub(crate) fn parameters_to_repeat(run: &Json) -> Map<String, Json> {
    let mut given = Map::new();
    let overridden = run["job_parameters"].as_array().into_iter().flatten().filter(|one| one["value"].is_string());
    let parameters: Map<String, Json> =
        overridden.map(|one| (text_of(one, "name").to_owned(), one["value"].clone())).collect();
    if !parameters.is_empty() {
        given.insert("job_parameters".into(), parameters.into());
    }
    let families = run["overriding_parameters"].as_object().into_iter().flatten();
    given.extend(families.filter(|(_, values)| !values.is_null()).map(|(name, values)| (name.clone(), values.clone())));
    given
}

/// Makes the failure of a run that did not end well; its bundle is the detail.
pub(crate) fn failure(bundle: &Json) -> ModuleError {
    let job = id_of(&bundle["job_id"]).map_or_else(String::new, |job| format!(" of job {job}"));
    let result = match text_of(bundle, "result_state") {
        "" => "without a result",
        result => result,
    };
    let error = match text_of(bundle, "error") {
        "" => String::new(),
        error => format!(": {}", error.trim_end_matches('.')),
    };
    let task = match text_of(bundle, "failed_task") {
        "" => String::new(),
        task => format!(" (task \"{task}\")"),
    };
    let log = match text_of(bundle, "log_url") {
        "" => String::new(),
        url => format!("; its log: {url}"),
    };
    let mend = match result {
        "MAXIMUM_CONCURRENT_RUNS_REACHED" => {
            "; the job runs as often as it may at once: switch on its queue, or raise its maximum of concurrent runs"
        }
        _ => "",
    };
    let run = &bundle["run_id"];
    let message = format!("run {run}{job} ended as {result}{error}{task}{mend}{log}");
    ModuleError::new(Class::RuntimeError, message).with_detail(Value::from_json(bundle.clone()))
}

fn shortened(line: &str) -> String {
    line.chars().take(LINE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn three_states_are_final_and_then_the_result_counts() {
        for (run, over, result) in [
            (json!({"state": {"life_cycle_state": "RUNNING"}}), false, ""),
            (json!({"state": {"life_cycle_state": "TERMINATING"}}), false, ""),
            (json!({"state": {"life_cycle_state": "QUEUED"}}), false, ""),
            (json!({"state": {"life_cycle_state": "SOMETHING_NEW"}}), false, ""),
            (json!({"state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}}), true, "SUCCESS"),
            (json!({"state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}}), true, "FAILED"),
            (json!({"state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED"}}), true, "FAILED"),
            (json!({"state": {"life_cycle_state": "INTERNAL_ERROR"}}), true, "FAILED"),
            (
                json!({"state": {"life_cycle_state": "SKIPPED", "result_state": "MAXIMUM_CONCURRENT_RUNS_REACHED"}}),
                true,
                "MAXIMUM_CONCURRENT_RUNS_REACHED",
            ),
            (json!({"status": {"state": "RUNNING"}}), false, ""),
            (
                json!({"status": {"state": "TERMINATED", "termination_details": {"code": "USER_CANCELED"}}}),
                true,
                "CANCELED",
            ),
            (
                json!({"status": {"state": "TERMINATED", "termination_details": {"code": "RUN_EXECUTION_ERROR"}}}),
                true,
                "FAILED",
            ),
            (json!({}), false, ""),
        ] {
            assert_eq!((is_over(&run), result_of(&run).as_str()), (over, result), "{run}");
        }
    }

    #[test]
    fn a_failed_run_names_the_first_line_of_its_error_and_its_log() {
        let run = json!({
            "run_id": 812_345_678_901_234_567_i64, "job_id": 912_345_678_901_234_567_i64, "run_page_url": "https://w/run",
            "state": {"life_cycle_state": "INTERNAL_ERROR", "result_state": "FAILED", "state_message": "Task score failed"},
            "job_parameters": [{"name": "case_id", "default": "", "value": "17"}],
            "tasks": [
                {"task_key": "load", "run_id": 1, "state": {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}},
                {"task_key": "score", "run_id": 2, "run_page_url": "https://w/task",
                 "state": {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}},
                {"task_key": "tell", "run_id": 3, "state": {"life_cycle_state": "SKIPPED", "result_state": "UPSTREAM_FAILED"}},
            ],
        });
        assert_eq!(outputs_to_ask(&run), [1, 2]);
        assert_eq!(output_that_explains(&run), Some(2));
        let outputs = HashMap::from([
            (1, json!({"notebook_output": {"result": "42"}})),
            (2, json!({"error": "ValueError: no such case\n  more", "error_trace": "Traceback", "logs": "scoring\n"})),
        ]);
        let bundle = bundle(&run, &outputs);
        expect![[r#"{"run_id":812345678901234567,"job_id":912345678901234567,"state":"INTERNAL_ERROR","result_state":"FAILED","succeeded":false,"message":"Task score failed","error":"ValueError: no such case","failed_task":"score","log_url":"https://w/task","run_page_url":"https://w/run","parameters":{"case_id":"17"},"tasks":[{"key":"load","run_id":1,"state":"TERMINATED","result_state":"SUCCESS","result":"42"},{"key":"score","run_id":2,"state":"TERMINATED","result_state":"FAILED","run_page_url":"https://w/task","error":"ValueError: no such case\n  more","error_trace":"Traceback","logs":"scoring\n"},{"key":"tell","run_id":3,"state":"SKIPPED","result_state":"UPSTREAM_FAILED"}]}"#]]
        .assert_eq(&bundle.to_string());
        expect![[r#"RuntimeError: run 812345678901234567 of job 912345678901234567 ended as FAILED: ValueError: no such case (task "score"); its log: https://w/task"#]]
        .assert_eq(&failure(&bundle).to_string());
    }

    #[test]
    fn of_a_task_that_was_tried_again_the_latest_attempt_counts() {
        let task = |key: &str, run: i64, attempt: i64, result: &str| {
            let state = json!({"life_cycle_state": "TERMINATED", "result_state": result});
            json!({"task_key": key, "run_id": run, "attempt_number": attempt, "state": state})
        };
        let (old, load, new) = (task("a", 1, 0, "FAILED"), task("load", 2, 0, "SUCCESS"), task("a", 3, 1, "SUCCESS"));
        for order in [[&old, &load, &new], [&new, &load, &old]] {
            let run = json!({"tasks": order});
            assert_eq!(outputs_to_ask(&run), [3, 2], "{run}");
        }
    }

    #[test]
    fn what_a_run_was_given_is_told_once_and_by_its_names() {
        let run = json!({
            "job_parameters": [{"name": "a", "default": "1", "value": "2"}],
            "overriding_parameters": {"job_parameters": {"a": "2"}, "notebook_params": {"c": "3"}},
        });
        assert_eq!(parameters_of(&run), json!({"a": "2", "notebook_params": {"c": "3"}}));
    }

    #[test]
    fn a_repair_is_given_the_parameters_again() {
        let run = json!({
            "job_parameters": [{"name": "a", "default": "1", "value": "2"}, {"name": "b", "default": "1"}],
            "overriding_parameters": {"notebook_params": {"c": "3"}},
            "repair_history": [{"type": "ORIGINAL"}, {"type": "REPAIR", "id": 5}, {"type": "REPAIR", "id": 9}],
        });
        let expected = json!({"job_parameters": {"a": "2"}, "notebook_params": {"c": "3"}});
        assert_eq!(Json::Object(parameters_to_repeat(&run)), expected);
        assert_eq!((repair_of(&run), repair_of(&json!({}))), (9, 0));
    }
}
