//! What every request meets: ids, health, counters, tidy paths.

use axum::body::Body;
use expect_test::expect;

use super::{House, check, request, send};

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
          "administrator": true
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
          "message": "the body is longer than 16777216 bytes",
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
