//! `apply` and the other verbs that are clients, as a person runs them.

use std::path::{Path, PathBuf};
use std::process::Output;

use tokio::process::Command;

use crate::house::{House, KEY, WORKSPACE_TOKEN};

/// Runs a verb against a server.
async fn verb(house: &House, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loopwright"))
        .args(arguments)
        .env("LOOPWRIGHT_URL", &house.url)
        .env("LOOPWRIGHT_APP_KEY", KEY)
        .env("LOOPWRIGHT_WORKSPACE_URL", &house.workspace_url)
        .env("LOOPWRIGHT_WORKSPACE_TOKEN", WORKSPACE_TOKEN)
        .output()
        .await
        .expect("the program starts")
}

/// Runs a verb that succeeds and returns what it printed.
async fn told(house: &House, arguments: &[&str]) -> String {
    let output = verb(house, arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/purchase-to-pay")
}

#[tokio::test]
async fn applying_the_example_twice_changes_nothing_the_second_time() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let folder = example();
    let folder = folder.to_str().expect("a plain path");
    let log = format!("{folder}/events.csv.gz");
    let pushed = told(&house, &["push", "--create-pool", "purchase-to-pay", "PurchaseEvents", &log]).await;
    assert!(pushed.ends_with("9119 rows are in \"PurchaseEvents\"\n"), "{pushed}");

    let planned = told(&house, &["apply", "--dry-run", folder]).await;
    assert!(planned.contains("knowledge model \"purchase-to-pay.late-steps\" would be published"), "{planned}");
    let first = told(&house, &["apply", folder]).await;
    assert!(first.contains("knowledge model \"purchase-to-pay.late-steps\" is published, version 1"), "{first}");
    assert!(first.contains("flow \"score-late-order\" is active"), "{first}");
    let second = told(&house, &["apply", folder]).await;
    assert!(second.contains("knowledge model \"purchase-to-pay.late-steps\" is there"), "{second}");
    let job = |text: &str| text.lines().find(|line| line.starts_with("job ")).map(str::to_owned);
    assert_eq!(job(&first), job(&second), "the same job is reset, not made again");

    let cases =
        told(&house, &["query", "purchase-to-pay.late-steps", "COUNT_TABLE(\"PurchaseEvents_CASES\")", "--csv"]);
    assert_eq!(cases.await.lines().last(), Some("608"));
    let top = "SELECT activity, count(*) AS n FROM purchaseevents GROUP BY 1 ORDER BY 2 DESC LIMIT 1";
    let rows = told(&house, &["sql", "purchase-to-pay", top, "--json"]).await;
    assert_eq!(rows, "{\"activity\":\"Analyze Request for Quotation\",\"n\":1107}\n");
}

#[tokio::test]
async fn a_mistake_is_told_with_its_place() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path()).await;
    let manifest = data.path().join("loopwright.yaml");
    std::fs::write(&manifest, "pool: p\nflow: []\n").expect("a writable folder");
    for (arguments, expected) in [
        (vec!["apply", manifest.to_str().expect("a plain path")], "flow"),
        (vec!["apply", "/nowhere"], "/nowhere"),
        (vec!["sql", "nowhere", "SELECT 1"], "there is no pool \"nowhere\""),
        (vec!["query", "p.k", "1"], "p.k"),
    ] {
        let output = verb(&house, &arguments).await;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {words}");
        assert!(words.contains(expected), "{arguments:?}: {words}");
    }
}
