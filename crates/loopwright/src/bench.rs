//! Measuring the loop from outside, as a client sees it.
//!
//! Latencies are told beside the time that the disk needs for one flush in the
//! same minute: without that, the disk's mood is what one publishes.

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use base::Secret;
use serde_json::json;

use crate::cli::say;
use crate::client::{Client, segment};
use crate::demo::example::{self, Log};
use crate::demo::receiver::Receiver;
use crate::demo::server::{Server, ServerPlan};
use crate::push::{PushPlan, push_csv};

const PUSHES: u64 = 300;
const PUSH_ROWS: usize = 300;
const PUSH_EVERY: Duration = Duration::from_millis(50);
const FLUSHES: usize = 200;

/// A knowledge model whose trigger is true for every case that a push marks.
const MODEL: &str = "bench.marks";
const MODEL_TEXT: &str = r#"kind: BASE
metadata: {key: marks, displayName: Marks, version: 1.0.0}
dataModelId: ${{data_model}}
records:
  - id: ORDER
    displayName: Order
    pql: '"PurchaseEvents_CASES"'
    identifier: {id: CASE_ID, displayName: Order, pql: '"PurchaseEvents_CASES"."case_id"'}
filters:
  - {id: MARKED, displayName: Marked, pql: 'MATCH_ACTIVITIES(NODE[''Bench mark'']) = 1'}
triggers:
  - {id: MARK, displayName: Marked, record: ORDER, filterIds: [MARKED], itemLimit: 1000000}
"#;

/// Runs a benchmark by name.
pub(crate) async fn run(name: &str) -> Result<()> {
    match name {
        "loop" => measure_loop().await,
        _ => bail!("there is no benchmark \"{name}\""),
    }
}

async fn measure_loop() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("loopwright-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure_in(&folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    measured
}

async fn measure_in(folder: &Path) -> Result<()> {
    tell("one flush of the disk", &flushes(folder)?);
    let receiver = Receiver::start().await?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let plan = ServerPlan {
        data: folder.to_owned(),
        listen: any,
        workspace_listen: any,
        app_key: Secret::new(format!("bench:{}", crate::demo::random_text()?)),
        workspace_token: Secret::new(format!("dapi{}", crate::demo::random_text()?)),
        receiver: receiver.address(),
    };
    let begun = Instant::now();
    let server = Server::start(plan.clone()).await?;
    say(&format!("start to ready, empty folder        {:8.1} ms", millis(begun.elapsed())));
    say(&format!("resident memory when idle           {:8.1} MiB", resident_mib(&server)?));

    let main = Client::new(&server.url(), Some(&plan.app_key));
    let pool = prepare(&main, &receiver).await?;
    let latencies = pushes(&main, &receiver, &pool).await?;
    tell("300-row push, DONE to first byte", &latencies);
    say(&format!("resident memory with the log        {:8.1} MiB", resident_mib(&server)?));
    server.stop().await?;

    let begun = Instant::now();
    let server = Server::start(plan).await?;
    say(&format!("start to ready, example folder      {:8.1} ms", millis(begun.elapsed())));
    server.stop().await
}

/// Loads the example log, publishes the model and subscribes.
async fn prepare(main: &Client, receiver: &Receiver) -> Result<String> {
    let pool = main.post("/api/v1/pools", &json!({ "name": "bench" })).await?;
    let pool = pool["id"].as_str().ok_or_else(|| anyhow!("the server did not name the pool"))?.to_owned();
    let end = base::Timestamp::FAR_FUTURE;
    let (_, csv) = Log::read()?.take_until(end, true, usize::MAX).ok_or_else(|| anyhow!("the log is empty"))?;
    push_csv(main, &plan_for(&pool), csv.as_bytes()).await?;
    let data_model = json!({
        "key": "orders", "name": "orders", "tables": [example::TABLE], "foreignKeys": [],
        "activity": {
            "table": example::TABLE, "caseColumn": "case_id", "activityColumn": "activity",
            "timestampColumn": "timestamp",
        },
    });
    let path = format!("/api/v1/pools/{pool}/data-models/orders");
    let data_model = main.json(http::Method::PUT, &path, Some(&data_model)).await?;
    let id = data_model["id"].as_str().ok_or_else(|| anyhow!("the server did not name the data model"))?;
    main.json(http::Method::PUT, "/api/v1/packages/bench", Some(&json!({ "name": "Bench" }))).await?;
    let model = format!("/api/v1/models/{}", segment(MODEL));
    main.put_text(&model, "application/yaml", MODEL_TEXT.replace("${{data_model}}", id)).await?;
    main.post(&format!("{model}/publish"), &json!({})).await?;
    receiver.subscribe(main, MODEL, "MARK").await?;
    Ok(pool)
}

fn plan_for(pool: &str) -> PushPlan {
    let types = [("case_id", "STRING"), ("activity", "STRING"), ("timestamp", "DATETIME")];
    PushPlan {
        pool: pool.to_owned(),
        table: example::TABLE.to_owned(),
        types: types.map(|(name, kind)| (name.to_owned(), kind.to_owned())).to_vec(),
        ..PushPlan::default()
    }
}

/// Pushes at a steady rate and returns, for each push, the time from its DONE
/// to the first byte at the receiver. A callback may be faster than the poll
/// that sees DONE; that counts as zero.
async fn pushes(main: &Client, receiver: &Receiver, pool: &str) -> Result<Vec<Duration>> {
    let mut tasks = Vec::new();
    let mut ticks = tokio::time::interval(PUSH_EVERY);
    for number in 0..PUSHES {
        ticks.tick().await;
        let (main, plan) = (main.clone(), plan_for(pool));
        tasks.push(tokio::spawn(async move {
            push_csv(&main, &plan, marked_rows(number).as_bytes()).await?;
            Ok::<_, anyhow::Error>(Instant::now())
        }));
    }
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await??);
    }
    let mut count = receiver.count();
    let all = count.wait_for(|count| *count >= PUSHES);
    let waited = tokio::time::timeout(Duration::from_secs(30), all).await;
    waited.context("the receiver did not see every event")??;
    let book = receiver.book();
    if !book.complaints.is_empty() {
        bail!("the receiver complained: {}", book.complaints.join("; "));
    }
    let arrived: HashMap<&str, Instant> = book
        .events
        .iter()
        .zip(&book.arrived)
        .filter_map(|(event, at)| Some((event["event"]["identifier"].as_str()?, *at)))
        .collect();
    let latency = |(number, done): (usize, &Instant)| {
        arrived.get(format!("bench-{number}").as_str()).map(|at| at.saturating_duration_since(*done))
    };
    done.iter().enumerate().map(|pair| latency(pair).ok_or_else(|| anyhow!("push {} fired nothing", pair.0))).collect()
}

/// Rows of one push: one new case that is marked, and others that are not.
fn marked_rows(number: u64) -> String {
    let mut csv = String::from("case_id,activity,timestamp\n");
    csv.push_str(&format!("bench-{number},Bench mark,2011-10-15T00:00:00.000Z\n"));
    for row in 1..PUSH_ROWS {
        csv.push_str(&format!("bench-{number}-{},Create Purchase Requisition,2011-10-15T00:00:00.000Z\n", row % 60));
    }
    csv
}

/// Measures how long the disk takes to make 4 KiB durable.
fn flushes(folder: &Path) -> Result<Vec<Duration>> {
    let path = folder.join("flush-probe");
    let mut file = std::fs::File::create(&path)?;
    let mut taken = Vec::new();
    for _ in 0..FLUSHES {
        file.write_all(&[0; 4_096])?;
        let begun = Instant::now();
        file.sync_data()?;
        taken.push(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(taken)
}

fn tell(what: &str, times: &[Duration]) {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |share: f64| sorted[((sorted.len() as f64 * share) as usize).min(sorted.len() - 1)];
    say(&format!("{what:<34}  p50 {:8.2} ms  p99 {:8.2} ms", millis(at(0.50)), millis(at(0.99))));
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// Reads the server's resident memory as the kernel counts it.
fn resident_mib(server: &Server) -> Result<f64> {
    let pid = server.pid().ok_or_else(|| anyhow!("the server has ended"))?;
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("only Linux tells the memory")?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).ok_or_else(|| anyhow!("no VmRSS line"))?;
    let kib: f64 = line.split_whitespace().nth(1).unwrap_or("0").parse()?;
    Ok(kib / 1_024.0)
}
