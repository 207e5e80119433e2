//! Sources as a person has them: a file, `apply`, and rows that come.

use std::time::Duration;

use http::Method;
use serde_json::{Value as Json, json};
use tokio::process::Command;

use crate::house::{House, KEY, command};

pub(crate) async fn apply(house: &House, folder: &str) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_loopwright"))
        .args(["apply", folder])
        .env("LOOPWRIGHT_URL", &house.url)
        .env("LOOPWRIGHT_APP_KEY", KEY)
        .env("INBOX_NAME", "inbox")
        .output()
        .await
        .expect("the program starts");
    let words = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&words).into_owned())
}

#[tokio::test]
async fn a_watched_folder_fills_a_table_and_goes_on_after_a_restart() {
    let ground = tempfile::tempdir().expect("a folder");
    let (data, files, inbox) = (ground.path().join("data"), ground.path().join("files"), ground.path().join("inbox"));
    for folder in [&data, &files, &inbox] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let start = || {
        let mut command = command(&data);
        command.env("LOOPWRIGHT_SOURCE_FOLDERS", ground.path());
        House::start_by(command)
    };
    let path = ground.path().display();
    let source = format!(
        "key: orders\ntable: Orders\npush:\n  keys: [ID]\n  csvParsingOptions: {{separatorSequence: \";\"}}\n\
         folder:\n  path: {path}/${{env.INBOX_NAME}}\n  pattern: \"*.csv\"\n  settleSeconds: 0\n  afterwards: delete\n\
         schedule: {{everySeconds: 1}}\n"
    );
    std::fs::write(files.join("loopwright.yaml"), "pool: p\nsources: [orders.yaml]\n").expect("a file");
    std::fs::write(files.join("orders.yaml"), source).expect("a file");
    let files = files.to_str().expect("a plain path");

    let mut house = start().await;
    std::fs::write(inbox.join("1.csv"), "ID;NAME\n1;a\n2;b\n").expect("a file");
    let (good, words) = apply(&house, files).await;
    assert!(good && words.contains("source \"orders\" is put"), "{words}");
    let (good, words) = apply(&house, files).await;
    assert!(good && words.contains("source \"orders\" is there"), "{words}");
    let orders = "/api/v1/pools/p/sources/orders";
    house.wait_for(orders, "the first rows", |source| source["rows"] == 2).await;
    let count = "SELECT count(*) AS n, max(name) AS last FROM orders";
    let pools = house.expect(Method::GET, "/api/v1/pools", Json::Null).await;
    let pool = pools[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.sql(&pool, count).await, json!([{ "n": 2, "last": "b" }]));

    house.child.kill().await.expect("it can be killed");
    std::fs::write(inbox.join("2.csv"), "ID;NAME\n2;c\n3;d\n").expect("a file");
    std::fs::write(inbox.join("bad.csv"), "ID;NAME\n4;e;f\n").expect("a file");
    let house = start().await;
    house.wait_for(orders, "the next rows", |source| source["rows"] == 4).await;
    let is_told = |source: &Json| source["badFiles"][0]["name"] == "bad.csv" && source["runsFailed"] == 1;
    house.wait_for(orders, "the bad file", is_told).await;
    assert_eq!(house.sql(&pool, count).await, json!([{ "n": 3, "last": "d" }]));
    tokio::time::timeout(Duration::from_mins(1), async {
        while inbox.join("2.csv").exists() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("what is in is deleted");
    assert!(inbox.join("bad.csv").exists());
    let runs = house.expect(Method::GET, &format!("{orders}/runs"), Json::Null).await;
    assert_eq!(runs.as_array().map(Vec::len), Some(3), "{runs}");
}

#[tokio::test]
async fn a_source_outside_the_open_folders_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    house.pool("p").await;
    let body = json!({ "table": "T", "folder": { "path": "/etc" } });
    let (status, answer) = house.call(Method::PUT, "/api/v1/pools/p/sources/s", body.to_string()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("source-invalid")), "{answer}");
    assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains("LOOPWRIGHT_SOURCE_FOLDERS")), "{answer}");
    let body = json!({ "table": "T", "postgres": {
        "connection": "host=127.0.0.1 user=u password=hunter2", "query": "SELECT 1 AS a",
    }});
    let (status, answer) = house.call(Method::PUT, "/api/v1/pools/p/sources/s", body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    assert!(!answer.to_string().contains("hunter2"), "{answer}");
    let (status, answer) = house.call(Method::POST, "/api/v1/pools/p/sources/s/test", String::new()).await;
    assert_eq!(status, 400, "{answer}");
    let words = answer.to_string();
    assert!(words.contains("LOOPWRIGHT_EGRESS_ALLOW") && !words.contains("hunter2"), "{words}");
}
