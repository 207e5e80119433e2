//! The workspace's listener.

use axum::body::Body;
use expect_test::expect;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::json;

use super::{ADMINISTRATOR, House, WORKSPACE_TOKEN, check, request, send};

fn job() -> String {
    json!({
        "name": "score",
        "tasks": [{ "task_key": "score", "spark_python_task": { "python_file": "/Shared/score.py" } }],
    })
    .to_string()
}

#[tokio::test]
async fn whoever_has_no_token_learns_nothing() {
    let house = House::open().await;
    let call =
        async |what: &str, authorization| send(&house.workspace, request(what, authorization, Body::empty())).await;
    check(
        &call("GET /api/2.1/jobs/list", None).await,
        expect![[r#"
        401 application/json
        {
          "error_code": "UNAUTHENTICATED",
          "message": "the access token is missing, invalid or expired",
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
    check(
        &call("GET /api/2.1/jobs/list", Some("Bearer dapi-wrong")).await,
        expect![[r#"
        401 application/json
        {
          "error_code": "UNAUTHENTICATED",
          "message": "the access token is missing, invalid or expired",
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
    check(
        &call("GET /api/no-such-thing", None).await,
        expect![[r#"
        401 application/json
        {
          "error_code": "UNAUTHENTICATED",
          "message": "the access token is missing, invalid or expired",
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
    check(
        &call("GET /.well-known/databricks-config", None).await,
        expect![[r#"
        200 application/json
        {
          "oidc_endpoint": "http://127.0.0.1:8081/oidc",
          "workspace_id": "1",
          "account_id": "<1>",
          "cloud": "AWS",
          "token_federation_default_oidc_audiences": []
        }
    "#]],
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_are_endpoints_not_found() {
    let house = House::open().await;
    check(
        &house.call_workspace("GET /api/2.1/jobs/explode", "").await,
        expect![[r#"
        404 application/json
        {
          "error_code": "ENDPOINT_NOT_FOUND",
          "message": "No API found for 'GET /api/2.1/jobs/explode'",
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
    check(
        &house.call_workspace("GET /api/2.1/jobs/create", "").await,
        expect![[r#"
        404 application/json
        {
          "error_code": "ENDPOINT_NOT_FOUND",
          "message": "No API found for 'GET /api/2.1/jobs/create'",
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
async fn a_job_keeps_every_digit_of_its_number() {
    let house = House::open().await;
    let made = house.call_workspace("POST /api/2.1/jobs/create", job()).await;
    let id = made.json()["job_id"].as_i64().expect("a 64-bit number");
    assert!(id > 1 << 46, "{id}");
    let shown = house.call_workspace(&format!("GET /api/2.2/jobs/get?job_id={id}"), "").await.json();
    assert_eq!(shown["job_id"].as_i64(), Some(id));
    assert_eq!(shown["settings"]["name"], "score");
    let listed = house.call_workspace("GET /api/2.2//jobs/list/?name=SCORE", "").await.json();
    assert_eq!(listed["jobs"][0]["job_id"].as_i64(), Some(id));
    assert_eq!(listed["jobs"][0]["settings"].get("tasks"), None);
    let reset = json!({ "job_id": id.to_string(), "new_settings": { "name": "score again" } });
    check(
        &house.call_workspace("POST /api/2.1/jobs/reset", reset.to_string()).await,
        expect![[r#"
        200 application/json
        {}
    "#]],
    );
    let body = json!({ "job_id": id }).to_string();
    check(
        &house.call_workspace("POST /api/2.1/jobs/delete", body).await,
        expect![[r#"
        200 application/json
        {}
    "#]],
    );
    check(
        &house.call_workspace("GET /api/2.1/jobs/get?job_id=9007199254740993", "").await,
        expect![[r#"
        404 application/json
        {
          "error_code": "RESOURCE_DOES_NOT_EXIST",
          "message": "Job 9007199254740993 does not exist.",
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
async fn what_a_run_cannot_do_is_refused() {
    let house = House::open().await;
    check(
        &house.call_workspace("POST /api/2.1/jobs/run-now", "{\"job_id\": 12345,\n}").await,
        expect![[r#"
        400 application/json
        {
          "error_code": "MALFORMED_REQUEST",
          "message": "the body is not valid JSON: trailing comma at line 2 column 1",
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
    check(
        &house.call_workspace("POST /api/2.1/jobs/run-now", r#"{"job_id": 1e17}"#).await,
        expect![[r#"
            400 application/json
            {
              "error_code": "INVALID_PARAMETER_VALUE",
              "message": "the body does not fit at \"job_id\": invalid type: floating point `1e+17`, expected a 64-bit whole number at line 1 column 15",
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
    check(
        &house.call_workspace("POST /api/2.1/jobs/run-now", r#"{"job_id": 12345}"#).await,
        expect![[r#"
        404 application/json
        {
          "error_code": "RESOURCE_DOES_NOT_EXIST",
          "message": "Job 12345 does not exist.",
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
    check(
        &house.call_workspace("GET /api/2.1/jobs/runs/get?run_id=7", "").await,
        expect![[r#"
        404 application/json
        {
          "error_code": "RESOURCE_DOES_NOT_EXIST",
          "message": "Run 7 does not exist.",
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
    check(
        &house.call_workspace("GET /api/2.1/jobs/runs/get", "").await,
        expect![[r#"
        400 application/json
        {
          "error_code": "INVALID_PARAMETER_VALUE",
          "message": "the query string does not fit: missing field `run_id`",
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
    let both = "GET /api/2.1/jobs/runs/list?active_only=true&completed_only=true";
    check(
        &house.call_workspace(both, "").await,
        expect![[r#"
        400 application/json
        {
          "error_code": "INVALID_PARAMETER_VALUE",
          "message": "\"active_only\" and \"completed_only\" exclude each other",
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
async fn parameters_that_reach_no_task_are_refused_with_those_that_would() {
    let house = House::open().await;
    let run_now = "POST /api/2.1/jobs/run-now";
    let unknown = r#"{"job_id": 12345, "notebook_params": {"case_id": "4711"}}"#;
    assert_eq!(house.call_workspace(run_now, unknown).await.status, 404);
    let id = house.call_workspace("POST /api/2.1/jobs/create", job()).await.json()["job_id"].clone();
    let with = async |name: &str, value: serde_json::Value| {
        house.call_workspace(run_now, json!({ "job_id": id, name: value }).to_string()).await
    };
    let refused = with("notebook_params", json!({ "case_id": "4711", "threshold_days": "5" })).await;
    assert_eq!(
        (refused.status.as_u16(), refused.json()["error_code"].as_str()),
        (400, Some("INVALID_PARAMETER_VALUE"))
    );
    let message = refused.json()["message"].as_str().unwrap_or_default().replace(&id.to_string(), "<job>");
    expect![[r#""notebook_params" only reach a "notebook_task", and the job has none: it has "spark_python_task". Send what its tasks take, or "job_parameters", to which their own parameters refer as {{job.parameters.NAME}}"#]]
        .assert_eq(&message);
    for (family, sort) in [
        ("python_named_params", "python_wheel_task"),
        ("jar_params", "spark_jar_task"),
        ("sql_params", "sql_task"),
        ("spark_submit_params", "spark_submit_task"),
        ("dbt_commands", "dbt_task"),
        ("pipeline_params", "pipeline_task"),
    ] {
        let is_named = ["python_named_params", "sql_params"].contains(&family);
        let refused = with(family, if is_named { json!({ "x": "y" }) } else { json!(["x"]) }).await;
        assert_eq!(refused.status, 400, "{family}");
        assert!(refused.body.contains(sort), "{}", refused.body);
    }
    assert_eq!(with("only", json!(["no such task"])).await.status, 400);
    // What is not set says nothing.
    for nothing in [json!(null), json!({}), json!([])] {
        assert_eq!(with("notebook_params", nothing).await.status, 200);
    }
    let run = with("python_params", json!(["--case", "4711"])).await.json();
    let run = house.call_workspace(&format!("GET /api/2.1/jobs/runs/get?run_id={}", run["run_id"]), "").await.json();
    assert_eq!(run["overriding_parameters"], json!({ "python_params": ["--case", "4711"] }));
    assert_eq!(with("python_params", json!("--case 4711")).await.status, 400);
    let number = json!({ "idempotency_token": 17, "tasks": [] });
    assert_eq!(house.call_workspace("POST /api/2.1/jobs/runs/submit", number.to_string()).await.status, 400);
}

#[tokio::test]
async fn a_run_tells_both_of_its_states() {
    let house = House::open().await;
    let id = house.call_workspace("POST /api/2.1/jobs/create", job()).await.json()["job_id"].clone();
    let body = json!({ "job_id": id, "idempotency_token": "once" }).to_string();
    let first = house.call_workspace("POST /api/2.1/jobs/run-now", body.clone()).await.json();
    let again = house.call_workspace("POST /api/2.1/jobs/run-now", body).await.json();
    assert_eq!(first["run_id"], again["run_id"]);
    assert_eq!(first["run_id"], first["number_in_job"]);
    let run = house.call_workspace(&format!("GET /api/2.1/jobs/runs/get?run_id={}", first["run_id"]), "").await.json();
    assert_eq!(run["run_id"], first["run_id"]);
    assert_eq!(run["state"]["life_cycle_state"], "PENDING");
    assert_eq!(run["status"]["state"], "PENDING");
    assert_eq!(run["tasks"][0]["task_key"], "score");
    let listed = house.call_workspace("GET /api/2.1/jobs/runs/list?active_only=true", "").await.json();
    assert_eq!(listed["runs"][0]["run_id"], first["run_id"]);
}

#[tokio::test]
async fn a_file_comes_as_base64_or_as_a_form() {
    let house = House::open().await;
    let import = "POST /api/2.0/workspace/import";
    let body = json!({ "path": "/Shared/score.py", "format": "AUTO", "overwrite": true, "content": "cHJpbnQoMSkK" });
    check(
        &house.call_workspace(import, body.to_string()).await,
        expect![[r#"
        200 application/json
        {}
    "#]],
    );
    assert_eq!(house.app.workspace.export_file("/Shared/score.py").await.expect("just stored"), b"print(1)\n");

    let form = "--b\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Shared/score.py\r\n\
                --b\r\nContent-Disposition: form-data; name=\"content\"; filename=\"c\"\r\n\r\nprint(2)\n\r\n--b--\r\n";
    let authorization = format!("Bearer {WORKSPACE_TOKEN}");
    let mut request = request(import, Some(&authorization), form);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=b"));
    check(
        &send(&house.workspace, request).await,
        expect![[r#"
        409 application/json
        {
          "error_code": "RESOURCE_ALREADY_EXISTS",
          "message": "there is already a file \"/Shared/score.py\" in the workspace",
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
    let bad = json!({ "path": "/Shared/b.py", "content": "not base64!" });
    check(
        &house.call_workspace(import, bad.to_string()).await,
        expect![[r#"
        400 application/json
        {
          "error_code": "INVALID_PARAMETER_VALUE",
          "message": "\"content\" is not base64: Invalid symbol 32, offset 3.",
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
async fn a_secret_goes_in_and_never_comes_out() {
    let house = House::open().await;
    let scope = r#"{"scope":"demo"}"#;
    check(
        &house.call_workspace("POST /api/2.0/secrets/scopes/create", scope).await,
        expect![[r#"
        200 application/json
        {}
    "#]],
    );
    check(
        &house.call_workspace("POST /api/2.0/secrets/scopes/create", scope).await,
        expect![[r#"
        409 application/json
        {
          "error_code": "RESOURCE_ALREADY_EXISTS",
          "message": "there is already a secret scope \"demo\"",
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
    let put = r#"{"scope":"demo","key":"app-key","string_value":"very secret"}"#;
    assert_eq!(house.call_workspace("POST /api/2.0/secrets/put", put).await.status, 200);
    let listed = house.call_workspace("GET /api/2.0/secrets/list?scope=demo", "").await;
    check(
        &listed,
        expect![[r#"
        200 application/json
        {
          "secrets": [
            {
              "key": "app-key",
              "last_updated_timestamp": 1767225600000
            }
          ]
        }
    "#]],
    );
    check(
        &house.call_workspace("GET /api/2.0/secrets/get?scope=demo&key=app-key", "").await,
        expect![[r#"
        400 application/json
        {
          "error_code": "BAD_REQUEST",
          "message": "secret \"app-key\" of scope \"demo\" can only be read from inside a job",
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
    let neither = r#"{"scope":"demo","key":"app-key"}"#;
    check(
        &house.call_workspace("POST /api/2.0/secrets/put", neither).await,
        expect![[r#"
        400 application/json
        {
          "error_code": "INVALID_PARAMETER_VALUE",
          "message": "exactly one of \"string_value\" and \"bytes_value\" must be given",
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
async fn the_caller_learns_who_it_is() {
    let house = House::open().await;
    let me = house.call_workspace("GET /api/2.0/preview/scim/v2/Me", "").await;
    assert_eq!(me.header("x-databricks-org-id"), "1");
    check(
        &me,
        expect![[r#"
        200 application/json
        {
          "schemas": [
            "urn:ietf:params:scim:schemas:core:2.0:User"
          ],
          "id": "workspace:admin",
          "userName": "admin",
          "displayName": "admin",
          "active": true,
          "emails": [],
          "groups": [
            {
              "display": "admins"
            }
          ],
          "entitlements": [
            {
              "value": "workspace-access"
            }
          ]
        }
    "#]],
    );
}

#[tokio::test]
async fn a_person_signs_in_to_the_pages_with_an_app_key() {
    let house = House::open().await;
    let login =
        async |key: &str| send(&house.workspace, request("POST /login", None, json!({ "key": key }).to_string())).await;
    let refused = login("admin:a-guess").await;
    assert_eq!((refused.status.as_u16(), refused.body.contains("a-guess")), (401, false));
    let token = login(ADMINISTRATOR).await.json()["token"].as_str().expect("a token").to_owned();
    let authorization = format!("Bearer {token}");
    let me = request("GET /api/2.0/preview/scim/v2/Me", Some(&authorization), Body::empty());
    let me = send(&house.workspace, me).await;
    assert_eq!((me.status.as_u16(), &me.json()["groups"][0]["display"]), (200, &json!("admins")));
}

#[tokio::test]
async fn every_address_of_a_page_is_answered_with_the_pages() {
    let house = House::open().await;
    for path in ["/", "/jobs", "/jobs/5", "/jobs/5/runs/7", "/runs", "/settings/tokens", "/?o=1"] {
        let mut asked = request(&format!("GET {path}"), None, Body::empty());
        asked.headers_mut().insert("accept", HeaderValue::from_static("text/html"));
        let page = send(&house.workspace, asked).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
    }
}
