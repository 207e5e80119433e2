//! Faults on purpose, limits and older ways of the workspace's listener.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::RETRY_AFTER;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{House, WORKSPACE_TOKEN, request, send};
use crate::{Faults, WithPeers, WorkspaceLimits, WorkspaceWays};

const RUN_NOW: &str = "POST /api/2.2/jobs/run-now";
const RULES: &str = "POST /__control/faults";

/// A house in which faults are permitted.
async fn faulty() -> House {
    House::open_in_ways(pools::Options::default(), |clock| WorkspaceWays {
        faults: Some(Arc::new(Faults::over(clock))),
        ..WorkspaceWays::default()
    })
    .await
}

async fn add(house: &House, rule: Value) -> Value {
    let added = house.call_workspace(RULES, rule.to_string()).await;
    assert_eq!(added.status, 200, "{}", added.body);
    added.json()
}

async fn new_job(house: &House) -> Value {
    let task = json!({ "task_key": "main", "spark_python_task": { "python_file": "/Shared/x.py" } });
    let job = json!({ "name": "score", "max_concurrent_runs": 5, "tasks": [task] });
    house.call_workspace("POST /api/2.2/jobs/create", job.to_string()).await.json()["job_id"].clone()
}

async fn runs_of(house: &House, job: &Value) -> usize {
    let runs = house.call_workspace(&format!("GET /api/2.2/jobs/runs/list?job_id={job}"), "").await.json();
    runs["runs"].as_array().map_or(0, Vec::len)
}

/// A socket on which the house's workspace listens.
async fn listening(house: &House) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound address");
    let router = WithPeers(house.workspace.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Sends a request on a connection of its own and returns all that comes back.
async fn over_the_wire(address: std::net::SocketAddr, what: &str, body: &Value) -> String {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let body = body.to_string();
    let request = format!(
        "{what} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {WORKSPACE_TOKEN}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("the request goes out");
    let mut answer = Vec::new();
    // A connection may end with a reset, which is an answer of its own.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn without_the_setting_there_are_no_faults_and_it_says_so() {
    let house = House::open().await;
    for what in
        ["GET /__control/faults", RULES, "DELETE /__control/faults/1", "POST /__control/clock", "POST /__control/reset"]
    {
        let refused = house.call_workspace(what, "{}").await;
        assert_eq!(refused.status, 501, "{what}");
        assert!(
            refused.body.contains(r#"start the server with the setting \"workspace_faults\" = true"#),
            "{}",
            refused.body
        );
    }
}

#[tokio::test]
async fn a_rule_is_added_listed_and_removed() {
    let house = faulty().await;
    let rule = json!({ "route": "get /api/2.*/jobs/list", "times": 2, "status": 503 });
    let added = add(&house, rule).await;
    let expected = json!({
        "id": 1, "route": "GET /api/2.*/jobs/list", "after": 0, "times": 2, "seen": 0, "struck": 0, "status": 503,
    });
    assert_eq!(added, expected);
    let list = async || house.call_workspace("GET /api/2.1/jobs/list", "").await.status.as_u16();
    assert_eq!([list().await, list().await, list().await], [503, 503, 200]);
    let listed = house.call_workspace("GET /__control/faults", "").await.json();
    assert_eq!((&listed["rules"][0]["seen"], &listed["rules"][0]["struck"]), (&json!(3), &json!(2)));
    assert_eq!(house.call_workspace("DELETE /__control/faults/1", "").await.status, 200);
    assert_eq!(house.call_workspace("DELETE /__control/faults/1", "").await.status, 404);
    add(&house, json!({ "route": "* /api/2.1/*", "times": 0, "status": 500 })).await;
    assert_eq!([list().await, list().await], [500, 500]);
    assert_eq!(house.call_workspace("POST /__control/reset", "").await.status, 200);
    assert_eq!(list().await, 200);
    for (body, expected) in [
        (r#"{"route": "GET /api/2.1/jobs/list", "statuss": 500}"#, "unknown field `statuss`"),
        (r#"{"route": "GET /api/2.1/jobs/lists", "status": 500}"#, "no route of this workspace is like"),
        (r#"{"status": 500}"#, "missing field `route`"),
        ("{", "the body is not valid JSON"),
    ] {
        let refused = house.call_workspace(RULES, body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.body);
        assert!(refused.json()["message"].as_str().is_some_and(|told| told.contains(expected)), "{}", refused.body);
    }
}

#[tokio::test]
async fn an_error_says_in_one_of_four_ways_when_to_come_again() {
    let house = faulty().await;
    let told = async |more: Value| {
        let mut rule = json!({ "route": RUN_NOW, "status": 429 });
        rule.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        add(&house, rule).await;
        house.call_workspace(RUN_NOW, r#"{"job_id": 1}"#).await
    };
    for (more, header) in [
        (json!({}), ""),
        (json!({ "retry_after_ms": 1_200 }), "2"),
        (json!({ "retry_after_ms": 1_200, "retry_after_style": "date" }), "Thu, 01 Jan 2026 00:00:02 GMT"),
        (json!({ "retry_after_ms": 1_200, "retry_after_style": "details" }), ""),
    ] {
        let answer = told(more.clone()).await;
        assert_eq!((answer.status.as_u16(), answer.header(RETRY_AFTER.as_str())), (429, header), "{more}");
        let body = answer.json();
        assert_eq!(body["error_code"], "REQUEST_LIMIT_EXCEEDED");
        let retry = body["details"].as_array().expect("details").get(1).map(|info| info["retry_delay"].clone());
        assert_eq!(retry, (more["retry_after_style"] == "details").then(|| json!("1.2s")), "{more}");
    }
    let own = told(json!({ "status": 400, "error_code": "COULD_NOT_ACQUIRE_LOCK", "message": "later" })).await;
    assert_eq!((own.status.as_u16(), &own.json()["error_code"]), (400, &json!("COULD_NOT_ACQUIRE_LOCK")));
    for (status, error_code) in [
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (499, "CANCELLED"),
        (502, "INTERNAL_ERROR"),
        (504, "DEADLINE_EXCEEDED"),
    ] {
        assert_eq!(told(json!({ "status": status })).await.json()["error_code"], error_code, "{status}");
    }
    add(&house, json!({ "route": "POST /oidc/v1/token", "status": 503 })).await;
    let token = house.call_workspace("POST /oidc/v1/token", "").await;
    assert_eq!((token.status.as_u16(), &token.json()["error"]), (503, &json!("temporarily_unavailable")));
}

/// Check 3 of the wire: a client that gets no answer sends the same again.
#[tokio::test]
async fn an_answer_that_is_lost_after_the_work_makes_no_second_run() {
    let house = faulty().await;
    let job = new_job(&house).await;
    let address = listening(&house).await;
    let attempt = |number: u64| json!({ "job_id": job, "idempotency_token": format!("flow-1/attempt-{number}") });
    add(&house, json!({ "route": "POST /api/2.*/jobs/run-now", "drop": "before" })).await;
    add(&house, json!({ "route": "POST /api/2.*/jobs/run-now", "drop": "after" })).await;
    // Nothing was done, then all was done; the client cannot tell them apart.
    for runs in [0, 1] {
        assert_eq!(over_the_wire(address, "POST /api/2.2/jobs/run-now", &attempt(1)).await, "");
        assert_eq!(runs_of(&house, &job).await, runs);
    }
    let answer = over_the_wire(address, "POST /api/2.2/jobs/run-now", &attempt(1)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(runs_of(&house, &job).await, 1);
    // Somebody who wants another run says so.
    let answer = over_the_wire(address, "POST /api/2.2/jobs/run-now", &attempt(2)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(runs_of(&house, &job).await, 2);
}

#[tokio::test]
async fn an_answer_is_cut_off_where_a_rule_says() {
    let house = faulty().await;
    let address = listening(&house).await;
    let whole = over_the_wire(address, "GET /api/2.1/jobs/list", &Value::Null).await;
    let (_, body) = whole.split_once("\r\n\r\n").expect("a head and a body");
    add(&house, json!({ "route": "GET /api/2.1/jobs/list", "truncate_bytes": 5 })).await;
    let cut = over_the_wire(address, "GET /api/2.1/jobs/list", &Value::Null).await;
    let (head, rest) = cut.split_once("\r\n\r\n").expect("a head and a part of the body");
    assert!(head.to_ascii_lowercase().contains(&format!("content-length: {}", body.len())), "{head}");
    assert_eq!(rest, &body[..5]);
}

#[tokio::test]
async fn a_request_that_is_held_back_lets_others_pass() {
    let house = faulty().await;
    add(&house, json!({ "route": "GET /api/2.1/jobs/list", "delay_ms": 3_600_000 })).await;
    let held = house.call_workspace("GET /api/2.1/jobs/list", "");
    let others = async {
        for _ in 0..3 {
            assert_eq!(house.call_workspace("GET /api/2.2/jobs/list", "").await.status, 200);
        }
    };
    tokio::select! {
        biased;
        _ = held => panic!("an hour has not passed"),
        () = others => {}
    }
    let listed = house.call_workspace("GET /__control/faults", "").await.json();
    assert_eq!(listed["rules"][0]["struck"], 1);
}

#[tokio::test]
async fn tokens_expire_by_a_rule_and_by_a_jump_of_the_clock() {
    let house = faulty().await;
    let made = house.call_workspace("POST /api/2.0/token/create", r#"{"lifetime_seconds": 600}"#).await.json();
    let token = format!("Bearer {}", made["token_value"].as_str().expect("a token"));
    let list = async || {
        let asked = request("GET /api/2.1/jobs/list", Some(&token), Body::empty());
        send(&house.workspace, asked).await
    };
    add(&house, json!({ "route": "GET /api/2.1/jobs/list", "after": 1, "expired_token": true })).await;
    assert_eq!(list().await.status, 200);
    let expired = list().await;
    assert_eq!((expired.status.as_u16(), &expired.json()["error_code"]), (401, &json!("UNAUTHENTICATED")));
    assert_eq!(expired.json()["message"], "the access token is missing, invalid or expired");
    assert_eq!(list().await.status, 200);
    // This one is expired in earnest, and stays so until the clock is set right.
    add(&house, json!({ "route": "GET /api/2.1/jobs/list", "clock_jump_seconds": 600 })).await;
    assert_eq!([list().await.status, list().await.status], [401, 401]);
    let ahead = house.call_workspace("POST /__control/clock", r#"{"jump_seconds": -601}"#).await.json();
    assert_eq!(ahead["clock_ahead_seconds"], -1);
    assert_eq!(list().await.status, 200);
    assert_eq!(house.call_workspace("POST /__control/reset", "").await.status, 200);
    house.clock.advance(Duration::from_mins(10));
    assert_eq!(list().await.status, 401);
}

#[tokio::test]
async fn where_limits_are_on_the_next_run_is_refused() {
    let ways = |_| WorkspaceWays { limits: WorkspaceLimits::Databricks, ..WorkspaceWays::default() };
    let house = House::open_in_ways(pools::Options::default(), ways).await;
    let body = json!({ "job_id": new_job(&house).await }).to_string();
    let run_now = async || house.call_workspace(RUN_NOW, body.clone()).await;
    for _ in 0..20 {
        assert_eq!(run_now().await.status, 200);
    }
    let refused = run_now().await;
    assert_eq!((refused.status.as_u16(), refused.header(RETRY_AFTER.as_str())), (429, "1"));
    assert_eq!(refused.json()["error_code"], "REQUEST_LIMIT_EXCEEDED");
    assert!(refused.body.contains("20 runs started by run-now are possible in a second"), "{}", refused.body);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(run_now().await.status, 200);
}

#[tokio::test]
async fn what_is_not_there_is_400_where_that_is_wanted() {
    let ways = |_| WorkspaceWays { missing_is_400: true, ..WorkspaceWays::default() };
    let house = House::open_in_ways(pools::Options::default(), ways).await;
    for (what, message) in [
        ("GET /api/2.1/jobs/get?job_id=7", "Job 7 does not exist."),
        ("GET /api/2.1/jobs/runs/get?run_id=7", "Run 7 does not exist."),
    ] {
        let refused = house.call_workspace(what, "").await;
        let told = refused.json();
        assert_eq!((refused.status.as_u16(), &told["error_code"]), (400, &json!("INVALID_PARAMETER_VALUE")), "{what}");
        assert_eq!(told["message"], message);
    }
    assert_eq!(house.call_workspace("GET /api/2.1/no-such-thing", "").await.status, 404);
}
