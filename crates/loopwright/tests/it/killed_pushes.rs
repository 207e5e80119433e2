//! The server is killed again and again while rows are pushed; no row may be
//! lost, doubled or half there.
//!
//! Three pushers work at once, each on a table of its own: one upserts and
//! deletes by key, one appends, one replaces everything; a fourth caller brings
//! tables to rest meanwhile. Each pusher keeps a model of its table. After a
//! kill the job that was under way says itself what became of it, and the model
//! follows; then the table must be the model, row by row.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use crate::house::House;
use crate::mixed;
use crate::receiver::PATIENCE;

const ROUNDS: u64 = 15;
const ROUNDS_LONG: u64 = 100;
/// Keys that the upserting pusher knows.
const KEYS: u64 = 500;
/// Rows asked for at once.
const PAGE: usize = 5_000;

/// What a push does to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Upsert,
    Append,
    Replace,
}

/// A push on its way.
#[derive(Clone, Debug)]
struct Push {
    /// The job's path, once the server has made one.
    job: Option<String>,
    rows: Vec<(u64, u64)>,
    gone: Vec<u64>,
}

/// Fills one table, and knows what is in it.
struct Pusher {
    table: &'static str,
    way: Way,
    seed: u64,
    pushes: u64,
    /// Rows by value, which no two rows share; what they hold is the key.
    model: BTreeMap<u64, u64>,
    pending: Option<Push>,
}

/// Counts calls, and tells when there have been enough.
struct Countdown {
    left: AtomicU64,
    over: Notify,
}

impl Countdown {
    fn count(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.over.notify_one();
        }
    }
}

impl Pusher {
    fn new(table: &'static str, way: Way, seed: u64) -> Self {
        Pusher { table, way, seed, pushes: 0, model: BTreeMap::new(), pending: None }
    }

    /// Makes the next push: the same for the same seed.
    fn next(&mut self) -> Push {
        self.pushes += 1;
        let draw = |what: u64| mixed(self.seed ^ (self.pushes << 20) ^ what);
        let count = 1 + draw(0) % 300;
        let key = |row: u64| if self.way == Way::Upsert { draw(row + 1) % KEYS } else { row };
        let rows = (0..count).map(|row| (key(row), self.pushes * 1_000 + row)).collect();
        let deletes = if self.way == Way::Upsert { draw(900) % 20 } else { 0 };
        Push { job: None, rows, gone: (0..deletes).map(|row| draw(1_000 + row) % KEYS).collect() }
    }

    async fn push_on(&mut self, house: &House, pool: &str, calls: &Countdown) {
        while self.push(house, pool, calls).await.is_some() {}
        // The server has ended, or is about to.
        std::future::pending::<()>().await;
    }

    async fn push(&mut self, house: &House, pool: &str, calls: &Countdown) -> Option<()> {
        let push = self.next();
        let (rows, gone) = (push.rows.clone(), push.gone.clone());
        self.pending = Some(push);
        let keys: &[&str] = if self.way == Way::Upsert { &["id"] } else { &[] };
        let kind = if self.way == Way::Replace { "REPLACE" } else { "DELTA" };
        let jobs = format!("/integration/api/v1/data-push/{pool}/jobs");
        let spec = json!({
            "dataPoolId": pool, "targetName": self.table, "type": kind, "fileType": "CSV", "keys": keys,
        });
        calls.count();
        let (_, made) = house.try_send(Method::POST, &jobs, "application/json", spec.to_string().into()).await?;
        let job = format!("{jobs}/{}", made["id"].as_str().expect("an id"));
        self.pending.as_mut().expect("it was put there").job = Some(job.clone());
        let csv = |header: &str, lines: Vec<String>| format!("{header}\n{}\n", lines.join("\n"));
        let chunk = csv("id,value", rows.iter().map(|(id, value)| format!("{id},{value}")).collect());
        calls.count();
        house.try_chunk_of(&job, "upserted", chunk.as_bytes()).await?;
        if !gone.is_empty() {
            let chunk = csv("id", gone.iter().map(u64::to_string).collect());
            calls.count();
            house.try_chunk_of(&job, "deleted", chunk.as_bytes()).await?;
        }
        calls.count();
        house.try_send(Method::POST, &job, "application/json", Bytes::new()).await?;
        let ended = self.end_of(house, &job).await?;
        assert_eq!(ended, "DONE", "{job}");
        self.apply();
        Some(())
    }

    /// Waits until a job that was executed has ended.
    async fn end_of(&self, house: &House, job: &str) -> Option<String> {
        loop {
            let (status, shown) = house.try_send(Method::GET, job, "application/json", Bytes::new()).await?;
            assert_eq!(status, 200, "{shown}");
            match shown["status"].as_str().expect("a status") {
                "QUEUED" | "RUNNING" => tokio::task::yield_now().await,
                ended => return Some(ended.to_owned()),
            }
        }
    }

    fn apply(&mut self) {
        let Some(push) = self.pending.take() else { return };
        if self.way == Way::Replace {
            self.model.clear();
        }
        // Of several rows with one key the last one stays; deletions come after.
        for (id, value) in push.rows {
            if self.way == Way::Upsert {
                self.model.retain(|_, known| *known != id);
            }
            self.model.insert(value, id);
        }
        self.model.retain(|_, id| !push.gone.contains(id));
    }

    /// Asks what became of the push that a kill has met.
    async fn learn(&mut self, house: &House) {
        let Some(job) = self.pending.as_ref().and_then(|push| push.job.clone()) else {
            self.pending = None;
            return;
        };
        let ended = tokio::time::timeout(PATIENCE, self.end_of(house, &job)).await.expect("it ends");
        match ended.expect("nobody kills the server now").as_str() {
            "DONE" => self.apply(),
            // It was never executed, so that none of it is there.
            "NEW" => self.pending = None,
            other => panic!("{job} ended {other}"),
        }
    }

    /// Compares the table with the model.
    async fn check(&self, house: &House, pool: &str, when: &str) {
        if self.model.is_empty() {
            return;
        }
        let mut rows: Vec<(u64, u64)> = Vec::new();
        loop {
            // An answer has an end, so they are asked for in pages.
            let after = rows.last().map_or(0, |(value, _)| *value);
            let table = self.table;
            let query = format!("SELECT value, id FROM {table} WHERE value > {after} ORDER BY value LIMIT {PAGE}");
            let page = house.sql(pool, &query).await;
            let page = page.as_array().expect("rows");
            let number = |row: &Json, column: &str| row[column].as_u64().expect("a number");
            rows.extend(page.iter().map(|row| (number(row, "value"), number(row, "id"))));
            if page.len() < PAGE {
                break;
            }
        }
        let model: Vec<(u64, u64)> = self.model.iter().map(|(value, id)| (*value, *id)).collect();
        assert!(rows == model, "{when}: {} has {} rows, {} were pushed", self.table, rows.len(), model.len());
    }
}

/// Brings the tables to rest again and again.
async fn rest_on(house: &House, pool: &str, pushers: [&'static str; 3]) {
    for table in pushers.into_iter().cycle() {
        let path = format!("/api/v1/pools/{pool}/tables/{table}/flush");
        if house.try_send(Method::POST, &path, "application/json", Bytes::new()).await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[expect(clippy::print_stdout, reason = "the seed, and the figures of the run")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_row_is_lost_or_doubled_when_the_server_is_killed_again_and_again() {
    let long = std::env::var_os("LOOPWRIGHT_TEST_LONG").is_some();
    let rounds = if long { ROUNDS_LONG } else { ROUNDS };
    let given = std::env::var_os("LOOPWRIGHT_TEST_SEED").and_then(|text| text.to_str()?.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("LOOPWRIGHT_TEST_SEED={seed}");

    let data = tempfile::tempdir().expect("a folder");
    let mut house = House::start(data.path()).await;
    let pool = house.pool("kills").await;
    let mut upserts = Pusher::new("Upserts", Way::Upsert, seed);
    let mut appends = Pusher::new("Appends", Way::Append, seed + 1);
    let mut replaces = Pusher::new("Replaces", Way::Replace, seed + 2);
    let begun = Instant::now();
    for round in 0..rounds {
        let calls = Countdown { left: AtomicU64::new(1 + mixed(seed ^ (round << 40)) % 150), over: Notify::new() };
        let pid = house.child.id().expect("it runs").cast_signed();
        let pid = rustix::process::Pid::from_raw(pid).expect("a process");
        let end = async {
            tokio::time::timeout(PATIENCE, calls.over.notified()).await.expect("calls go on");
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        };
        tokio::select! {
            () = end => {}
            () = upserts.push_on(&house, &pool, &calls) => {}
            () = appends.push_on(&house, &pool, &calls) => {}
            () = replaces.push_on(&house, &pool, &calls) => {}
            () = rest_on(&house, &pool, ["Upserts", "Appends", "Replaces"]) => {}
        }
        house.child.wait().await.expect("an end");
        house = House::start(data.path()).await;
        for pusher in [&mut upserts, &mut appends, &mut replaces] {
            pusher.learn(&house).await;
            pusher.check(&house, &pool, &format!("after kill {round}")).await;
        }
    }
    for pusher in [&upserts, &appends, &replaces] {
        house.expect(Method::POST, &format!("/api/v1/pools/{pool}/tables/{}/flush", pusher.table), Json::Null).await;
        pusher.check(&house, &pool, "at rest").await;
    }
    let pushes = upserts.pushes + appends.pushes + replaces.pushes;
    println!("{rounds} kills in {:.1} s, {pushes} pushes, nothing lost", begun.elapsed().as_secs_f64());
}
