//! Bad input: a clear error that names the place, and the state before it intact.

use http::Method;
use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn bad_input_is_told_and_changes_nothing() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let pool = house.pool("orders").await;
    house.push(&pool, "Orders", "id,city\n1,Ulm\n").await;

    // A row with too many fields names its line and column.
    let job = house.job(&pool, "Orders", &[]).await;
    assert_eq!(house.chunk(&job, "file", b"id,city\n2,Bonn\n3,Kiel,surplus\n").await.0, 200);
    let ended = house.execute(&job).await;
    assert_eq!(ended["status"], "ERROR", "{ended}");
    let log = ended["logs"].to_string();
    assert!(log.contains("line 3"), "{log}");

    // A chunk that is no CSV.
    let job = house.job(&pool, "Orders", &[]).await;
    let (status, answer) = house.chunk(&job, "file", b"\x00\xff\xfe\x80not text").await;
    if status == 200 {
        let ended = house.execute(&job).await;
        assert_eq!(ended["status"], "ERROR", "{ended}");
    } else {
        assert_eq!(status, 400, "{answer}");
    }

    // A part of another name.
    let (status, answer) = house.chunk(&job, "upload", b"id\n1\n").await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.to_string().contains("file"), "{answer}");

    // A job executed twice.
    let job = house.job(&pool, "Orders", &[]).await;
    assert_eq!(house.chunk(&job, "file", b"id,city\n4,Hof\n").await.0, 200);
    assert_eq!(house.execute(&job).await["status"], "DONE");
    let (status, answer) = house.call(Method::POST, &job, "").await;
    assert_eq!(status, 409, "{answer}");

    // An unknown pool and an unknown table.
    let (status, answer) = house.post("/api/v1/pools/nowhere/sql", json!({ "query": "SELECT 1" })).await;
    assert_eq!(status, 404, "{answer}");
    let query = json!({ "query": "SELECT * FROM Nothing" });
    let (status, answer) = house.post(&format!("/api/v1/pools/{pool}/sql"), query).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["detail"].to_string().to_lowercase().contains("nothing"), "{answer}");

    let rows = house.sql(&pool, "SELECT id, city FROM Orders ORDER BY id").await;
    assert_eq!(rows, json!([{"id": 1, "city": "Ulm"}, {"id": 4, "city": "Hof"}]));

    // A wrong key, in the shape of each surface.
    let house = house.with_key("tester:wrong");
    let (status, answer) = house.get("/api/v1/pools").await;
    assert_eq!((status, answer["code"].is_string()), (401, true), "{answer}");
    assert_eq!(house.get("/intelligence/api/subscriptions").await.0, 401);
    assert_eq!(house.get(&format!("/integration/api/v1/data-push/{pool}/jobs/")).await.0, 401);
}
