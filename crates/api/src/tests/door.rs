//! What every request meets: ids, health, counters, tidy paths.

use std::time::Duration;

use axum::body::Body;
use expect_test::expect;
use futures::{StreamExt, stream};

use super::{ADMINISTRATOR, House, WORKSPACE_TOKEN, app_key, check, request, send};
use crate::body::without_silence;

#[tokio::test]
async fn health_tells_alive_before_ready() {
    let house = House::open().await;
    check(
        &house.call_with(None, "GET /health/live").await,
        expect![[r#"
        200 application/json
        {
          "status": "alive"
        }
    "#]],
    );
    house.app.readiness.loading("p2p.km");
    check(
        &house.call_with(None, "GET /health/ready").await,
        expect![[r#"
        503 application/json
        {
          "status": "starting",
          "loading": [
            "p2p.km"
          ]
        }
    "#]],
    );
    house.app.readiness.set_ready();
    house.app.readiness.loaded("p2p.km");
    check(
        &house.call_with(None, "GET /health/ready/").await,
        expect![[r#"
        200 application/json
        {
          "status": "ready",
          "loading": []
        }
    "#]],
    );
}

#[tokio::test]
async fn a_decent_request_id_is_kept_and_another_is_replaced() {
    let house = House::open().await;
    for (brought, kept) in [("client-4711", true), ("a", false), ("two words here", false), ("<script>alert", false)] {
        let mut request = request("GET /api/v1/pools", None, Body::empty());
        request.headers_mut().insert("x-request-id", brought.parse().expect("a header value"));
        let answer = send(&house.main, request).await;
        assert_eq!(answer.header("x-request-id") == brought, kept, "{brought}");
        assert_eq!(answer.json()["instance"], answer.header("x-request-id"));
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_and_status() {
    let house = House::open().await;
    house.pool().await;
    house.call("GET /api/v1/pools/Purchasing", "").await;
    house.call("GET /api/v1/pools/Sales", "").await;
    house.call("GET /no-such-thing", "").await;
    house.call_workspace("GET /api/2.1/jobs/list", "").await;
    let metrics = house.call_with(None, "GET /metrics").await;
    let counted = metrics.body.lines().filter(|line| !line.contains("_seconds_") && !line.starts_with('#'));
    let counted: Vec<&str> = counted.collect();
    expect![[r#"
        loopwright_http_requests_total{listener="main",route="(none)",method="GET",status="404"} 1
        loopwright_http_requests_total{listener="main",route="/api/v1/pools",method="POST",status="201"} 1
        loopwright_http_requests_total{listener="main",route="/api/v1/pools/{pool}",method="GET",status="200"} 1
        loopwright_http_requests_total{listener="main",route="/api/v1/pools/{pool}",method="GET",status="404"} 1
        loopwright_http_requests_total{listener="workspace",route="/api/2.1/jobs/list",method="GET",status="200"} 1
        loopwright_pools 1
        loopwright_rows_in_total 0
        loopwright_push_jobs_total{outcome="done"} 0
        loopwright_push_jobs_total{outcome="failed"} 0
        loopwright_cases_open 0
        loopwright_signals_total 0
        loopwright_deliveries_total{outcome="succeeded"} 0
        loopwright_deliveries_total{outcome="failed"} 0
        loopwright_deliveries_queued 0
        loopwright_flow_runs_running 0
        loopwright_flow_runs_total{outcome="succeeded"} 0
        loopwright_flow_runs_total{outcome="warning"} 0
        loopwright_flow_runs_total{outcome="failed"} 0
        loopwright_job_runs_running 0
        loopwright_job_runs_total{outcome="succeeded"} 0
        loopwright_job_runs_total{outcome="failed"} 0"#]]
    .assert_eq(&counted.join("\n"));
}

#[tokio::test]
async fn unknown_addresses_are_json_and_the_root_is_a_page() {
    let house = House::open().await;
    check(
        &house.call_with(None, "GET /no-such-thing").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:path-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "there is nothing at GET /no-such-thing",
              "instance": "<1>",
              "code": "path-unknown"
            }
        "#]],
    );
    check(
        &house.call_with(None, "DELETE /metrics").await,
        expect![[r#"
            405 application/problem+json
            {
              "type": "urn:loopwright:problem:method-unknown",
              "title": "Method Not Allowed",
              "status": 405,
              "detail": "DELETE is not possible at /metrics",
              "instance": "<1>",
              "code": "method-unknown"
            }
        "#]],
    );
    check(
        &house.call("GET /api/v1/no-such-thing", "").await,
        expect![[r#"
            404 application/problem+json
            {
              "type": "urn:loopwright:problem:path-unknown",
              "title": "Not Found",
              "status": 404,
              "detail": "there is nothing at GET /api/v1/no-such-thing",
              "instance": "<1>",
              "code": "path-unknown"
            }
        "#]],
    );
    check(
        &house.call("PATCH /api/v1/pools", "").await,
        expect![[r#"
            405 application/problem+json
            {
              "type": "urn:loopwright:problem:method-unknown",
              "title": "Method Not Allowed",
              "status": 405,
              "detail": "PATCH is not possible at /api/v1/pools",
              "instance": "<1>",
              "code": "method-unknown"
            }
        "#]],
    );
    let root = house.call_with(None, "GET /").await;
    assert_eq!(root.status, 200);
    assert!(root.header("content-type").starts_with("text/html"));
    assert!(root.header("content-security-policy").contains("script-src 'self'"));
}

#[tokio::test]
async fn the_home_page_gets_its_figures() {
    let house = House::open().await;
    house.pool().await;
    check(
        &house.call("GET /api/v1/status", "").await,
        expect![[r#"
        200 application/json
        {
          "pools": 1,
          "rowsIn": 0,
          "pushJobs": {
            "running": 0,
            "done": 0,
            "failed": 0
          },
          "casesOpen": 0,
          "signals": 0,
          "deliveries": {
            "succeeded": 0,
            "failed": 0,
            "queued": 0
          },
          "runs": {
            "running": 0,
            "succeeded": 0,
            "warning": 0,
            "failed": 0,
            "held": 0
          },
          "jobRuns": {
            "running": 0,
            "succeeded": 0,
            "failed": 0
          },
          "at": "2026-01-01T00:00:00.000Z"
        }
    "#]],
    );
    check(
        &house.call("GET /api/v1/me", "").await,
        expect![[r#"
            200 application/json
            {
              "id": "admin",
              "name": "bootstrap (admin)",
              "kind": "app-key",
              "administrator": true,
              "may": {
                "useFlows": true,
                "runFlows": true,
                "editFlows": true,
                "manageConnections": true,
                "administrate": true
              }
            }
        "#]],
    );
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    let house = House::open().await;
    let body = format!(r#"{{"name":"{}"}}"#, "a".repeat(17 << 20));
    check(
        &house.call("POST /api/v1/pools", body.clone()).await,
        expect![[r#"
            413 application/problem+json
            {
              "type": "urn:loopwright:problem:body-too-long",
              "title": "Payload Too Large",
              "status": 413,
              "detail": "the body is longer than 16777216 bytes",
              "instance": "<1>",
              "code": "body-too-long"
            }
        "#]],
    );
    check(
        &house.call_workspace("POST /api/2.1/jobs/create", body).await,
        expect![[r#"
        400 application/json
        {
          "error_code": "BAD_REQUEST",
          "message": "the body is longer than 10485760 bytes",
          "details": [
            {
              "@type": "type.googleapis.com/google.rpc.RequestInfo",
              "request_id": "<1>",
              "serving_data": ""
            }
          ]
        }
    "#]],
    );
}

#[tokio::test]
async fn a_body_that_falls_silent_is_given_up() {
    let house = House::open().await;
    let form = "multipart/form-data; boundary=b";
    let main = format!("POST /integration/api/v1/data-push/{}/jobs", house.pool().await);
    let job = house.call(&main, r#"{"targetName":"T","type":"DELTA","fileType":"CSV"}"#).await.json()["id"].clone();
    let chunk = format!("{main}/{}/chunks/upserted", job.as_str().expect("an id"));
    let begun = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\na,b\r\n";
    for (listener, authorization, what, kind, text) in [
        (&house.main, app_key(ADMINISTRATOR), "POST /api/v1/pools", "application/json", "{\"name\":"),
        (&house.main, app_key(ADMINISTRATOR), chunk.as_str(), form, begun),
        (&house.workspace, format!("Bearer {WORKSPACE_TOKEN}"), "POST /api/2.1/jobs/create", "", "{"),
        (&house.workspace, format!("Bearer {WORKSPACE_TOKEN}"), "POST /api/2.0/workspace/import", form, begun),
    ] {
        let pieces = stream::iter([Ok::<_, std::io::Error>(text.to_owned())]).chain(stream::pending());
        let mut request = request(what, Some(&authorization), Body::from_stream(pieces));
        request.headers_mut().insert("content-type", kind.parse().expect("a header value"));
        // What the listener does with half a minute, with no time at all.
        let answer = send(listener, without_silence(request, Duration::ZERO)).await;
        assert_eq!(answer.status, 408, "{what}: {}", answer.body);
        assert!(answer.body.contains("the body did not come in time"), "{}", answer.body);
    }
}

#[tokio::test]
async fn odd_input_is_refused_in_the_words_of_its_surface() {
    let house = House::open().await;
    house.pool().await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let json = deep("[", "]");
    let yaml = format!("name: x\nflow: {json}\n");
    let anchors: Vec<String> = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]", n - 1)).collect();
    let anchors = format!("a0: &a0 [x, x]\n{}\nflow: []\n", anchors.join("\n"));
    let mapping = |text: &str| {
        let value = serde_json::to_string(text).expect("a text");
        format!("flow:\n  - {{ id: 1, module: \"util:SetVariable2\", mapper: {{ name: a, value: {value} }} }}\n")
    };
    let brackets = mapping(&format!("{{{{{}1{}}}}}", "(".repeat(50_000), ")".repeat(50_000)));
    let minuses = mapping(&format!("{{{{{}1}}}}", "-".repeat(50_000)));
    let calls = mapping(&format!("{{{{{}1{}}}}}", "lower(".repeat(50_000), ")".repeat(50_000)));
    for (what, body) in [
        ("GET /api/v1/pools/%FF", ""),
        ("GET /api/v1/pools/%00", ""),
        ("GET /integration/api/pools/%FF/tables", ""),
        ("GET /intelligence/api/knowledge-models/%C3%28/triggers", ""),
        ("GET /intelligence/api/subscriptions?page=18446744073709551616", ""),
        ("GET /intelligence/api/subscriptions?pageSize=-1", ""),
        ("GET /api/v1/audit?before=99999999999999999999", ""),
        ("GET /api/v1/audit?limit=-1", ""),
        ("POST /api/v1/pools", ""),
        ("POST /api/v1/pools", "null"),
        ("POST /api/v1/pools", "{\"name\": \"\\ud800\"}"),
        ("POST /api/v1/pools", "{\"name\": 1e999}"),
        ("POST /api/v1/pools", "\u{feff}{\"name\": \"x\"}"),
        ("POST /api/v1/pools", &json),
        ("POST /api/v1/pools/Purchasing/sql", "{\"query\": \"SELECT 1\", \"limit\": -1}"),
        ("PUT /api/v1/flows/x", &json),
        ("PUT /api/v1/flows/x", &yaml),
        ("PUT /api/v1/flows/x", &anchors),
        ("PUT /api/v1/flows/%FF", "flow: []"),
        ("PUT /api/v1/models/p.k", &json),
        ("PUT /api/v1/models/p.k", &anchors),
        ("POST /api/v1/runs/%E2%98%83/decide", "{\"decision\": \"repeat\"}"),
        ("POST /api/v1/runs/x/decide", "{\"decision\": \"maybe\"}"),
        ("POST /integration/api/v1/data-push/Purchasing/jobs", &json),
        ("POST /integration/api/v1/data-push/Purchasing/jobs/x/chunks/upserted", "not a form"),
    ] {
        let answer = house.call(what, body.to_owned()).await;
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.body);
        assert!(answer.header("content-type").ends_with("json"), "{what}: {}", answer.header("content-type"));
        assert!(answer.body.len() < 4_000, "{what}: an answer of {} bytes", answer.body.len());
    }
    // A draft may be wrong, but it must not break the house.
    for text in [&brackets, &minuses, &calls] {
        let answer = house.call("PUT /api/v1/flows/x", text.clone()).await;
        assert!(answer.status.is_client_error() || answer.status == 200, "{} {}", answer.status, answer.body);
    }
    for (what, body) in [
        ("GET /api/2.1/jobs/get?job_id=9223372036854775808", ""),
        ("GET /api/2.1/jobs/get?job_id=-9223372036854775808", ""),
        ("GET /api/2.1/jobs/get?job_id=%00", ""),
        ("GET /api/2.1/jobs/list?limit=4294967296", ""),
        ("GET /api/2.1/jobs/list?page_token=%FF%00", ""),
        ("GET /api/2.1/jobs/runs/list?page_token=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk6MQ", ""),
        ("GET /api/2.1/jobs/runs/list?start_time_from=9223372036854775808", ""),
        ("POST /api/2.1/jobs/create", ""),
        ("POST /api/2.1/jobs/create", "[]"),
        ("POST /api/2.1/jobs/create", &json),
        ("POST /api/2.1/jobs/create", "{\"timeout_seconds\": 1e30}"),
        ("POST /api/2.1/jobs/run-now", "{\"job_id\": 1, \"job_parameters\": {\"a\": {}}}"),
        ("POST /api/2.0/workspace/import", "{\"path\": \"/a\\u0000b\", \"content\": \"\"}"),
        ("POST /api/2.0/secrets/put", "{\"scope\": \"\u{202e}\", \"key\": \"k\", \"string_value\": \"v\"}"),
    ] {
        let answer = house.call_workspace(what, body.to_owned()).await;
        assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.body);
        assert!(answer.json()["error_code"].is_string(), "{what}: {}", answer.body);
        assert!(answer.body.len() < 4_000, "{what}: an answer of {} bytes", answer.body.len());
    }
    let earliest = "GET /api/2.1/jobs/runs/list?start_time_from=-9223372036854775808&start_time_to=9223372036854775807";
    assert_eq!(house.call_workspace(earliest, "").await.status, 200);
    let last = "GET /intelligence/api/subscriptions?page=9223372036854775807&pageSize=1000";
    assert_eq!(house.call(last, "").await.status, 200);
}
