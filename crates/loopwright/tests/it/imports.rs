//! `push` of logs as people have them, by the real program: what is guessed is
//! shown, what is committed can be asked, and what is wrong is named.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use http::Method;
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::house::{House, KEY};

const XES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849-2016">
  <classifier name="Activity" keys="concept:name"/>
  <global scope="event"><string key="lifecycle:transition" value="complete"/></global>
  <trace>
    <string key="concept:name" value="NA"/>
    <int key="amount" value="12"/>
    <event>
      <string key="concept:name" value="Create"/>
      <date key="time:timestamp" value="2026-02-03T09:15:00.000+01:00"/>
    </event>
    <event>
      <string key="concept:name" value="Pay &amp; close"/>
      <date key="time:timestamp" value="2026-02-04T10:00:00.000Z"/>
      <string key="lifecycle:transition" value="start"/>
    </event>
  </trace>
</log>
"#;

const OCEL: &str = r#"{
  "objectTypes": [{"name": "Order", "attributes": [{"name": "price", "type": "float"}]}, {"name": "Item", "attributes": []}],
  "eventTypes": [{"name": "Place", "attributes": []}],
  "objects": [
    {"id": "o1", "type": "Order", "attributes": [{"name": "price", "value": 12.5, "time": "1970-01-01T00:00:00Z"}],
     "relationships": [{"objectId": "i1", "qualifier": "has"}]},
    {"id": "i1", "type": "Item"}],
  "events": [{"id": "e1", "type": "Place", "time": "2026-02-03T09:15:00Z",
    "relationships": [{"objectId": "o1", "qualifier": "order"}, {"objectId": "i1", "qualifier": "item"}]}]
}"#;

fn program(house: &House, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loopwright"));
    command.args(arguments).env("LOOPWRIGHT_URL", &house.url).env("LOOPWRIGHT_APP_KEY", KEY);
    command
}

async fn verb(house: &House, arguments: &[&str]) -> Output {
    program(house, arguments).stdin(Stdio::null()).output().await.expect("the program starts")
}

async fn told(house: &House, arguments: &[&str]) -> String {
    let output = verb(house, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

async fn refused(house: &House, arguments: &[&str]) -> String {
    let output = verb(house, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("text")
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, bytes).expect("a writable folder");
    path.to_str().expect("a plain path").to_owned()
}

fn zipped(text: &str) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(text.as_bytes()).expect("memory can be written");
    zip.finish().expect("memory can be written")
}

#[tokio::test]
async fn logs_as_people_have_them_become_tables() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let files = tempfile::tempdir().expect("a folder");

    let xes = written(files.path(), "orders.xes.gz", &zipped(XES));
    let pushed = told(&house, &["push", "--create-pool", "shop", "events", &xes]).await;
    assert!(pushed.starts_with("orders.xes.gz: XES, 2 rows\n"), "{pushed}");
    assert!(pushed.contains("it is called \"case:concept:name\""), "{pushed}");
    assert!(pushed.contains("note: classifier \"Activity\" names an activity by concept:name"), "{pushed}");
    assert!(pushed.ends_with("2 rows are in \"events\"\n"), "{pushed}");
    let question = "SELECT \"case:concept:name\", \"case:amount\", \"concept:name\", \"lifecycle:transition\" \
                    FROM events ORDER BY \"time:timestamp\"";
    let rows = told(&house, &["sql", "shop", question, "--csv"]).await;
    assert!(rows.ends_with("\nNA,12,Create,complete\nNA,12,Pay & close,start\n"), "{rows}");

    let ocel = written(files.path(), "log.jsonocel", OCEL.as_bytes());
    let pushed = told(&house, &["push", "shop", "log", &ocel]).await;
    assert!(pushed.contains("2 rows are in \"log_event_objects\"\n"), "{pushed}");
    let question =
        "SELECT e.activity, o.price FROM log_event_objects e JOIN \"log_Order\" o ON e.object_id = o.object_id";
    let rows = told(&house, &["sql", "shop", question, "--csv"]).await;
    assert_eq!(rows, "activity,price\nPlace,12.5\n");

    let csv = written(
        files.path(),
        "fälle.csv",
        "Fall;Aktivität;Zeit\nNA;Prüfen;01.02.2024 13:45\n;Zahlen;02.02.2024 08:00\n".as_bytes(),
    );
    let pushed = told(&house, &["push", "shop", "cases", &csv, "--yes"]).await;
    assert!(pushed.contains("dd.MM.yyyy HH:mm"), "{pushed}");
    let rows = told(&house, &["sql", "shop", "SELECT \"Fall\", \"Zeit\" FROM cases ORDER BY \"Zeit\"", "--json"]).await;
    assert_eq!(
        rows,
        "{\"Fall\":\"NA\",\"Zeit\":\"2024-02-01T13:45:00.000Z\"}\n{\"Fall\":null,\"Zeit\":\"2024-02-02T08:00:00.000Z\"}\n"
    );
}

#[tokio::test]
async fn keys_patterns_input_and_a_look_before() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let files = tempfile::tempdir().expect("a folder");
    let one = written(files.path(), "a1.csv", b"id,n\n1,10\n2,20\n");
    written(files.path(), "a2.csv", b"id,n\n2,21\n3,30\n");
    let all = files.path().join("a*.csv");

    let looked = told(&house, &["push", "--create-pool", "p", "t", &one, "--dry-run"]).await;
    assert!(looked.ends_with("nothing was committed\n"), "{looked}");
    refused(&house, &["sql", "p", "SELECT * FROM t"]).await;
    told(&house, &["push", "p", "t", all.to_str().expect("a plain path"), "--key", "id"]).await;
    let sum = ["sql", "p", "SELECT count(*) AS rows, sum(n) AS n FROM t", "--csv"];
    assert_eq!(told(&house, &sum).await, "rows,n\n3,61\n");

    let mut pushing = program(&house, &["push", "p", "t", "-", "--key", "id", "--separator", ";"]);
    let mut pushing = pushing.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
    let mut input = pushing.stdin.take().expect("a pipe");
    input.write_all(b"id;n\n4;40\n").await.expect("the program reads");
    drop(input);
    assert!(pushing.wait().await.expect("the program ends").success());
    assert_eq!(told(&house, &sum).await, "rows,n\n4,101\n");

    told(&house, &["push", "p", "t", &one, "--replace"]).await;
    assert_eq!(told(&house, &sum).await, "rows,n\n2,30\n");
    let imports = house.expect(Method::GET, "/api/v1/pools/p/imports", Json::Null).await;
    assert_eq!(imports.as_array().map(Vec::len), Some(3), "what was only looked at is gone: {imports}");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_of_it_is_there() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let files = tempfile::tempdir().expect("a folder");
    let broken = written(files.path(), "log.xes", XES.replace("</trace>", "").as_bytes());
    let long = written(files.path(), "long.csv", b"id,n\n1,2\n3,4,5\n");
    let good = written(files.path(), "good.csv", b"id,n\n1,2\n");
    for (file, more, expected) in [
        (&broken, None, "file \"log.xes\", line"),
        (&long, None, "file \"long.csv\", line 3, column 3"),
        (&good, Some("--key=order"), "there is no column \"order\"; there are \"id\", \"n\""),
        (&good, Some("--case=order"), "there is no column \"order\""),
    ] {
        let mut arguments = vec!["push", "--create-pool", "p", "t", file];
        arguments.extend(more);
        let words = refused(&house, &arguments).await;
        assert!(words.contains(expected), "{words}");
    }
    let tables = house.expect(Method::GET, "/api/v1/pools/p/tables", Json::Null).await;
    assert_eq!(tables, json!([]));
}

#[tokio::test]
async fn a_data_model_is_guessed_and_can_be_put() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let files = tempfile::tempdir().expect("a folder");
    let mut events = String::from("order_id,activity,timestamp\n");
    for order in 1..=20 {
        events.push_str(&format!("O{order},Create,2026-01-01T08:00:00Z\nO{order},Pay,2026-01-02T08:00:00Z\n"));
    }
    let mut orders = String::from("order_id,vendor_id\n");
    (1..=20).for_each(|order| orders.push_str(&format!("O{order},V{}\n", order % 3)));
    for (table, text) in [("events", events.as_str()), ("orders", &orders), ("vendors", "id,name\nV0,A\nV1,B\nV2,C\n")]
    {
        let file = written(files.path(), &format!("{table}.csv"), text.as_bytes());
        told(&house, &["push", "--create-pool", "p", table, &file]).await;
    }
    let guessed = house.expect(Method::POST, "/api/v1/pools/p/data-models/guess", Json::Null).await;
    let model = &guessed["dataModel"];
    assert_eq!(model["activity"]["table"], "events", "{guessed}");
    assert_eq!(model["activity"]["caseTable"], "orders", "{guessed}");
    assert_eq!(model["foreignKeys"].as_array().map(Vec::len), Some(2), "{guessed}");
    let put = house.expect(Method::PUT, "/api/v1/pools/p/data-models/orders", model.clone()).await;
    assert_eq!(put["version"], 1, "{put}");
}
