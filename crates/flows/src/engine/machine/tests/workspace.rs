//! A workspace for the pages of modules: jobs end well, but for job 13.

use base::testing::reply;
use serde_json::{Value as Json, json};

use super::START;
use crate::databricks::act::{Ask, Errand};
use crate::databricks::aloud::{Said, hold};
use crate::modules::Settled;

/// Holds the conversation of a module.
pub(super) fn answer(errand: &Errand, key: &str) -> Settled {
    let mut now = START;
    let held = hold::<std::convert::Infallible>(errand, key, &mut now, |ask, _, _| Ok(said(ask)));
    match held {
        Ok(settled) => settled,
        Err(never) => match never {},
    }
}

fn said(ask: &Ask) -> Said {
    let body = match ask.path.split('?').next().unwrap_or_default() {
        "/api/2.2/jobs/run-now" => {
            let sent: Json = serde_json::from_slice(&ask.body).expect("JSON");
            let id = if sent["job_id"] == 13 { 813 } else { 812_345_678_901_234_567_i64 };
            json!({"run_id": id, "number_in_job": id})
        }
        "/api/2.2/jobs/runs/submit" => json!({"run_id": 814}),
        "/api/2.2/jobs/runs/get" => run(ask.path.contains("run_id=813")),
        "/api/2.2/jobs/runs/get-output" if ask.path.contains("run_id=13") => {
            json!({"error": "ValueError: no such case", "error_trace": "Traceback …", "logs": "scoring\n"})
        }
        "/api/2.2/jobs/runs/get-output" => json!({"notebook_output": {"result": "expedite"}}),
        "/api/2.2/jobs/runs/cancel" => json!({}),
        "/api/2.2/jobs/runs/repair" => json!({"repair_id": 900}),
        "/api/2.2/jobs/list" => json!({"jobs": [
            {"job_id": 912_345_678_901_234_567_i64, "creator_user_name": "ann", "settings": {"name": "Score"}},
            {"job_id": 13, "creator_user_name": "ann", "settings": {"name": "Fails"}},
        ]}),
        "/serving-endpoints/delay/invocations" => json!({"predictions": [0.97]}),
        "/api/2.0/sql/statements" => json!({
            "statement_id": "s-1", "status": {"state": "SUCCEEDED"},
            "manifest": {"schema": {"columns": [
                {"name": "id", "type_name": "LONG", "type_text": "BIGINT"},
                {"name": "name", "type_name": "STRING", "type_text": "STRING"},
            ]}},
            "result": {"chunk_index": 0, "data_array": [["1", "Ann"]], "next_chunk_index": 1},
        }),
        "/api/2.0/sql/statements/s-1/result/chunks/1" => json!({"chunk_index": 1, "data_array": [["2", "Bob"]]}),
        path if path.starts_with("/api/2.0/fs/files/Volumes/") => json!({}),
        path => panic!("no page asks for {path}"),
    };
    Said::Response(reply(200, &body.to_string()))
}

fn run(fails: bool) -> Json {
    let (life, result) = if fails { ("INTERNAL_ERROR", "FAILED") } else { ("TERMINATED", "SUCCESS") };
    json!({
        "run_id": if fails { 813 } else { 812_345_678_901_234_567_i64 }, "job_id": 12, "run_page_url": "https://ws/run",
        "run_duration": 4_200, "state": {"life_cycle_state": life, "result_state": result, "state_message": ""},
        "job_parameters": [{"name": "case_id", "default": "", "value": "17"}],
        "tasks": [{
            "task_key": "score", "run_id": if fails { 13 } else { 5 }, "run_page_url": "https://ws/task",
            "state": {"life_cycle_state": "TERMINATED", "result_state": result},
        }],
    })
}
