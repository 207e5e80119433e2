//! The data side of the workspace's listener: statements, volumes, objects,
//! endpoints, catalog. The engine is a script with one answer.

use std::sync::Arc;

use ::workspace::sql::{AnswerColumn, Answered, Asked, Piece, StatementError, Statements};
use axum::body::Body;
use base::BoxFuture;
use http::header::{HeaderValue, RANGE};
use serde_json::json;
use tokio::sync::mpsc;

use super::{House, WORKSPACE_TOKEN, request, send};

/// Answers three chunks of a row each, or fails.
struct Script;

impl Statements for Script {
    fn run(&self, asked: Asked) -> BoxFuture<'_, Result<Answered, StatementError>> {
        Box::pin(async move {
            if asked.statement == "SELECT nonsense" {
                return Err(StatementError::bad("there is no nonsense"));
            }
            let (sender, pieces) = mpsc::channel(3);
            for row in 1..=3 {
                let bytes = format!("[[\"{row}\",null]]").into_bytes();
                sender.try_send(Ok(Piece { rows: 1, bytes, truncated: false })).expect("room");
            }
            let column = |name: &str| AnswerColumn {
                name: name.into(),
                type_name: "LONG".into(),
                type_text: "BIGINT".into(),
                precision: None,
                scale: None,
            };
            Ok(Answered { columns: vec![column("a"), column("b")], pieces, used: None })
        })
    }
}

const STATEMENTS: &str = "POST /api/2.0/sql/statements";

#[tokio::test]
async fn an_answer_is_fetched_chunk_by_chunk() {
    let house = House::open().await;
    house.app.workspace.set_statements(Arc::new(Script));
    let asked = json!({ "statement": "SELECT 1", "warehouse_id": "local" });
    for path in [STATEMENTS, "POST /api/2.0/sql/statements/"] {
        let answer = house.call_workspace(path, asked.to_string()).await.json();
        assert_eq!(answer["status"], json!({ "state": "SUCCEEDED" }));
        assert_eq!(answer["manifest"]["total_chunk_count"], 3);
        assert_eq!(answer["result"]["data_array"], json!([["1", null]]));
        let id = answer["statement_id"].as_str().expect("an id").to_owned();
        let mut next = answer["result"]["next_chunk_internal_link"].clone();
        let mut rows = Vec::new();
        while let Some(link) = next.as_str() {
            assert!(link.contains(&id), "{link}");
            let chunk = house.call_workspace(&format!("GET {link}"), "").await.json();
            rows.push(chunk["data_array"].clone());
            next = chunk["next_chunk_internal_link"].clone();
        }
        assert_eq!(rows, [json!([["2", null]]), json!([["3", null]])]);
    }
    let links = json!({ "statement": "SELECT 1", "warehouse_id": "local", "disposition": "EXTERNAL_LINKS" });
    let answer = house.call_workspace(STATEMENTS, links.to_string()).await.json();
    let link = answer["result"]["external_links"][0]["external_link"].as_str().expect("a link");
    let path = &link[link.find("/api/").expect("a path")..];
    let fetched = send(&house.workspace, request(&format!("GET {path}"), None, Body::empty())).await;
    assert_eq!((fetched.status.as_u16(), fetched.body.as_str()), (200, "[[\"1\",null]]"));
    let with_token = house.call_workspace(&format!("GET {path}"), "").await;
    assert_eq!(with_token.status, 400, "a link is no place for a token");
}

#[tokio::test]
async fn a_failing_statement_is_an_answer_and_a_bad_request_is_not() {
    let house = House::open().await;
    house.app.workspace.set_statements(Arc::new(Script));
    let failing = json!({ "statement": "SELECT nonsense", "warehouse_id": "local" });
    let answer = house.call_workspace(STATEMENTS, failing.to_string()).await;
    assert_eq!(answer.status, 200);
    let status = json!({
        "state": "FAILED",
        "error": { "error_code": "BAD_REQUEST", "message": "there is no nonsense" },
        "sql_state": "42000",
    });
    assert_eq!(answer.json()["status"], status);
    for (change, expected) in [
        (json!({ "warehouse_id": "" }), 400),
        (json!({ "warehouse_id": "nope" }), 404),
        (json!({ "wait_timeout": "3s" }), 400),
        (json!({ "wait_timeout": "0s", "on_wait_timeout": "CANCEL" }), 400),
        (json!({ "format": "CSV" }), 400),
        (json!({ "row_limit": 0 }), 400),
        (json!({ "session_id": "s" }), 501),
        (json!({ "disposition": "INLINE_OR_EXTERNAL_LINKS" }), 501),
    ] {
        let mut asked = json!({ "statement": "SELECT 1", "warehouse_id": "local" });
        asked.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        let refused = house.call_workspace(STATEMENTS, asked.to_string()).await;
        assert_eq!(refused.status.as_u16(), expected, "{change}: {}", refused.body);
        assert!(refused.json()["message"].is_string());
    }
}

#[tokio::test]
async fn a_file_of_a_volume_goes_up_and_down() {
    let house = House::open().await;
    house.pool().await;
    let file = "/api/2.0/fs/files/Volumes/loopwright/purchasing/in/a%20b/x.txt";
    let call = async |what: &str, body: &str| house.call_workspace(what, body.to_owned()).await;
    assert_eq!(call(&format!("PUT {file}"), "0123456789").await.status, 204);
    assert_eq!(call(&format!("PUT {file}"), "x").await.status, 409);
    assert_eq!(call(&format!("PUT {file}?overwrite=true"), "abcdefghij").await.status, 204);
    assert_eq!(call(&format!("GET {file}"), "").await.body, "abcdefghij");
    let authorization = format!("Bearer {WORKSPACE_TOKEN}");
    let mut part = request(&format!("GET {file}"), Some(&authorization), Body::empty());
    part.headers_mut().insert(RANGE, HeaderValue::from_static("bytes=2-4"));
    let part = send(&house.workspace, part).await;
    assert_eq!((part.status.as_u16(), part.body.as_str()), (206, "cde"));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    let listed = call("GET /api/2.0/fs/directories/Volumes/loopwright/Purchasing/in/a%20b", "").await.json();
    assert_eq!(listed["contents"][0]["file_size"], 10);
    for what in [format!("PUT {file}?action=initiate-upload"), "POST /api/2.0/fs/create-download-url".into()] {
        let refused = call(&what, "").await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error_code"]), (404, &json!("ENDPOINT_NOT_FOUND")));
    }
    assert_eq!(call("PUT /api/2.0/fs/files/Volumes/loopwright/purchasing/in/..%2f..%2fx", "").await.status, 400);
    assert_eq!(call("PUT /api/2.0/fs/files/Volumes/main/purchasing/in/x", "").await.status, 404);
    assert_eq!(call(&format!("DELETE {file}"), "").await.status, 204);
    assert_eq!(call(&format!("GET {file}"), "").await.status, 404);
}

#[tokio::test]
async fn whoever_has_no_token_reaches_no_data() {
    let house = House::open().await;
    for what in [
        STATEMENTS,
        "GET /api/2.0/sql/statements/x",
        "GET /api/2.0/sql/warehouses",
        "GET /api/2.0/sql/history/queries",
        "GET /api/2.0/sql/queries",
        "PUT /api/2.0/fs/files/Volumes/loopwright/a/b/c",
        "GET /api/2.0/dbfs/list?path=/",
        "GET /api/2.0/workspace/list?path=/",
        "GET /api/2.0/secrets/acls/list?scope=s",
        "GET /api/2.0/serving-endpoints",
        "POST /serving-endpoints/x/invocations",
        "POST /serving-endpoints/chat/completions",
        "GET /api/2.1/unity-catalog/catalogs",
    ] {
        let answer = send(&house.workspace, request(what, None, Body::empty())).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
    }
    let forged = send(&house.workspace, request("GET /api/2.0/sql/results?key=AAAA", None, Body::empty())).await;
    assert_eq!(forged.status, 403);
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let house = House::open().await;
    let model = json!({ "name": "m", "config": { "served_entities": [{ "entity_name": "main.models.risk" }] } });
    for (what, body) in [
        ("POST /api/2.0/serving-endpoints", model.to_string()),
        ("POST /api/2.0/sql/sessions", "{}".into()),
        ("GET /api/2.1/unity-catalog/external-locations", String::new()),
        ("POST /api/2.0/workspace/import", json!({ "path": "/a", "format": "DBC", "content": "" }).to_string()),
    ] {
        let refused = house.call_workspace(what, body).await;
        assert_eq!(refused.status, 501, "{what}: {}", refused.body);
        assert_eq!(refused.json()["error_code"], "NOT_IMPLEMENTED");
    }
}
