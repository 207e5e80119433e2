//! From the start to the end of the process, and through its sudden end.

use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::house::{House, command};

#[tokio::test]
async fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let data = tempfile::tempdir().expect("a folder");
    let first = House::start(data.path()).await;
    let mut second = command(data.path()).spawn().expect("the program starts");
    let mut words = String::new();
    second.stderr.take().expect("piped").read_to_string(&mut words).await.expect("readable");
    let status = second.wait().await.expect("an end");
    assert_eq!(status.code(), Some(1));
    assert!(words.contains("is in use by another server"), "{words}");
    assert_eq!(first.get("/health/ready").await.0, 200);
}

#[tokio::test]
async fn sigterm_ends_the_server_cleanly() {
    let data = tempfile::tempdir().expect("a folder");
    let mut house = House::start(data.path()).await;
    let pid = house.child.id().expect("it runs").to_string();
    let told = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill is there");
    assert!(told.success());
    assert_eq!(house.child.wait().await.expect("an end").code(), Some(0));
}

#[tokio::test]
async fn rows_that_were_answered_done_survive_a_sudden_end() {
    let data = tempfile::tempdir().expect("a folder");
    let mut house = House::start(data.path()).await;
    let pool = house.pool("survivors").await;
    house.push(&pool, "Orders", "id,city\n1,Ulm\n2,Bonn\n").await;
    house.push(&pool, "Orders", "id,city\n3,Kiel\n").await;
    let before = house.sql(&pool, "SELECT id, city FROM Orders ORDER BY id").await;
    house.child.kill().await.expect("SIGKILL");

    let house = House::start(data.path()).await;
    let after = house.sql(&pool, "SELECT id, city FROM Orders ORDER BY id").await;
    assert_eq!(after, before);
    assert_eq!(after, json!([{"id": 1, "city": "Ulm"}, {"id": 2, "city": "Bonn"}, {"id": 3, "city": "Kiel"}]));
}

#[tokio::test]
async fn an_unknown_setting_stops_the_start() {
    let data = tempfile::tempdir().expect("a folder");
    let output = command(data.path()).env("LOOPWRIGHT_LISTN", "x").output().await.expect("the program starts");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains("listn"), "{words}");
}

#[tokio::test]
async fn health_and_metrics_need_no_key() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await.with_key("nobody:nothing");
    assert_eq!(house.get("/health/live").await.0, 200);
    assert_eq!(house.get("/health/ready").await.0, 200);
    let (status, metrics) = house.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(metrics.as_str().is_some_and(|text| text.contains("# TYPE")), "{metrics}");
}
