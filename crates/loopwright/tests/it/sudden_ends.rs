//! The server is killed again and again while events flow; nothing may be lost.
//!
//! Each round starts the real program on the same folder, pushes rows without
//! a pause, and ends the program with SIGKILL at a moment that chance chose:
//! while it starts, after so many calls, after so many pushes. The receiver
//! answers well, late, badly or not at all. In the end `ledger` judges the
//! receiver's book, and what the API says must be the same story.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Instant;

use http::Method;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::house::House;
use crate::ledger::{self, Tally};
use crate::marks;
use crate::mixed;
use crate::receiver::{Answer, PATIENCE, Receipt, Receiver};

const ROUNDS: u64 = 30;
const ROUNDS_LONG: u64 = 200;
/// Cases that one push marks at most.
const CASES_MAX: u64 = 24;

/// The subscriptions: the path that tells them apart, and their settings.
fn subscriptions() -> Vec<(&'static str, Json)> {
    let swift = json!({ "retryPausesMs": [5, 10, 20], "probeFirstMs": 100, "probeMaxMs": 200 });
    let with = |member: &str, value: Json| {
        let mut settings = swift.clone();
        settings[member] = value;
        settings
    };
    vec![
        ("/steady", json!({})),
        ("/late", swift.clone()),
        ("/moody", swift.clone()),
        ("/failing", with("retryPausesMs", json!([]))),
        ("/batches", with("batchEventsMax", json!(10))),
        ("/skipping", with("onError", json!("skip"))),
    ]
}

/// What the receiver answers: the same for the same seed.
fn mood(seed: u64, path: &str, offset: u64, times: u64) -> Answer {
    let luck = mixed(seed ^ offset.wrapping_mul(31) ^ times.wrapping_mul(1_009)) % 100;
    match path {
        "/late" if luck < 30 => Answer::After(1 + luck),
        "/moody" if luck < 10 => Answer::Status(500),
        "/moody" if luck < 15 => Answer::HangUp,
        "/moody" if luck < 20 => Answer::HangUpUnread,
        "/moody" if luck < 25 => Answer::Status(429),
        "/failing" if luck < 10 => Answer::Status(503),
        // Some events are refused for ever, and passed over.
        "/skipping" if offset % 11 == 3 => Answer::Status(400),
        "/skipping" | "/batches" if luck < 10 => Answer::HangUp,
        _ => Answer::Status(200),
    }
}

/// When a life ends.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Ready,
    Calls(u64),
    Pushes(u64),
}

impl Moment {
    fn chosen_by(chance: u64) -> Self {
        match chance % 10 {
            0 => Moment::Ready,
            1..=3 => Moment::Pushes(1 + (chance >> 8) % 3),
            _ => Moment::Calls(1 + (chance >> 8) % 300),
        }
    }
}

/// Marks new cases without a pause. What a kill has cut off is pushed again:
/// a case that is marked already fires no second time.
struct Pusher {
    pool: String,
    seed: u64,
    made: u64,
    pending: Vec<String>,
    done: Vec<String>,
    pushes: watch::Sender<u64>,
}

impl Pusher {
    async fn push_on(&mut self, house: &House) {
        while self.push(house).await {}
        // The server is about to end, or has ended.
        std::future::pending::<()>().await;
    }

    async fn push(&mut self, house: &House) -> bool {
        if self.pending.is_empty() {
            let count = 1 + mixed(self.seed ^ self.made) % CASES_MAX;
            self.pending = (self.made..self.made + count).map(|number| format!("case-{number:06}")).collect();
            self.made += count;
        }
        let done = marks::try_mark(house, &self.pool, &self.pending).await;
        if done {
            self.done.append(&mut self.pending);
            self.pushes.send_modify(|pushes| *pushes += 1);
        }
        done
    }
}

#[expect(clippy::print_stdout, reason = "the seed, and the figures of the run")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_server_is_killed_again_and_again() {
    let long = std::env::var_os("LOOPWRIGHT_TEST_LONG").is_some();
    let rounds = if long { ROUNDS_LONG } else { ROUNDS };
    let given = std::env::var_os("LOOPWRIGHT_TEST_SEED").and_then(|text| text.to_str()?.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("LOOPWRIGHT_TEST_SEED={seed}");

    let data = tempfile::tempdir().expect("a folder");
    let receiver = Receiver::start();
    let mut house = marks::house(data.path()).await;
    let pool = marks::publish(&house).await;
    let mut ids = Vec::new();
    for (path, settings) in subscriptions() {
        ids.push((path, marks::subscribe(&house, &receiver, path, settings).await));
    }
    receiver.answer(move |path, offset, times| mood(seed, path, offset, times));
    let mut pusher = Pusher { pool, seed, made: 0, pending: Vec::new(), done: Vec::new(), pushes: watch::channel(0).0 };

    let begun = Instant::now();
    let mut kills = Vec::new();
    for round in 0..rounds {
        let moment = Moment::chosen_by(mixed(seed.wrapping_add(round)));
        live_until(moment, &mut house, &receiver, &mut pusher, &ids).await;
        house.child.wait().await.expect("an end");
        kills.push(Instant::now());
        receiver.end_of_life().await;
        house = marks::house(data.path()).await;
    }
    receiver.calm_down();
    if !pusher.pending.is_empty() {
        assert!(pusher.push(&house).await, "nobody kills the server now");
    }
    let story = the_end(&house, &receiver, &pusher, &ids, &kills).await;
    println!("{rounds} rounds in {:.1} s: {story}", begun.elapsed().as_secs_f64());
}

/// Pushes and looks until the moment has come; then the server is killed,
/// with all calls to it under way.
async fn live_until(
    moment: Moment,
    house: &mut House,
    receiver: &Receiver,
    pusher: &mut Pusher,
    ids: &[(&str, String)],
) {
    let pid = house.child.id().expect("it runs").cast_signed();
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    let (mut calls, mut pushes) = (receiver.calls(), pusher.pushes.subscribe());
    let (calls_before, pushes_before) = (*calls.borrow(), *pushes.borrow());
    let end = async {
        let come = async {
            match moment {
                Moment::Ready => {}
                Moment::Calls(count) => drop(calls.wait_for(|calls| *calls >= calls_before + count).await),
                Moment::Pushes(count) => drop(pushes.wait_for(|pushes| *pushes >= pushes_before + count).await),
            }
        };
        tokio::time::timeout(PATIENCE, come).await.unwrap_or_else(|_| panic!("{moment:?} did not come"));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
    };
    tokio::select! {
        () = end => {}
        () = pusher.push_on(house) => {}
        () = look_on(house, receiver, ids) => {}
    }
}

/// Asks for the saved cursors all the time: no event behind one may come again.
async fn look_on(house: &House, receiver: &Receiver, ids: &[(&str, String)]) {
    loop {
        for (path, id) in ids {
            let asked = format!("/api/v1/subscriptions/{id}");
            match house.try_send(Method::GET, &asked, "application/json", bytes::Bytes::new()).await {
                Some((200, shown)) => receiver.saved(path, shown["cursor"].as_u64().expect("a cursor")),
                Some((status, answer)) => panic!("{asked}: {status} {answer}"),
                None => std::future::pending().await,
            }
        }
    }
}

/// Waits until everything has been delivered, and judges.
async fn the_end(
    house: &House,
    receiver: &Receiver,
    pusher: &Pusher,
    ids: &[(&str, String)],
    kills: &[Instant],
) -> String {
    let head = pusher.done.len() as u64;
    let mut cases: Option<Vec<String>> = None;
    let (mut story, mut all, mut delivered) = (String::new(), Tally::default(), 0);
    for (path, id) in ids {
        let at_rest = |shown: &Json| shown["status"] == "active" && shown["queued"] == 0 && shown["head"] == head;
        let shown = house.wait_for(&format!("/api/v1/subscriptions/{id}"), "the rest", at_rest).await;
        let skipped = skipped(house, id).await;
        let book = receiver.book();
        let mine: Vec<&Receipt> = book.iter().filter(|receipt| receipt.path == *path).collect();
        let tally = ledger::judge(&mine, &skipped, head, kills).unwrap_or_else(|broken| panic!("{path}: {broken}"));
        // A crash takes the count back together with the cursor: no event is
        // counted twice, however often it came.
        assert_eq!(shown["delivered"], head - skipped.len() as u64, "{path}: {shown}");
        assert!((*path == "/skipping") != skipped.is_empty(), "{path} passed over {skipped:?}");
        delivered += shown["delivered"].as_u64().expect("a count");
        all.deliveries += tally.deliveries;
        all.repeated += tally.repeated;
        all.repeated_max = all.repeated_max.max(tally.repeated_max);
        all.window_ms_max = all.window_ms_max.max(tally.window_ms_max);

        // Every subscription sees the same log.
        let mut named = vec![String::new(); head as usize];
        for receipt in mine {
            named[receipt.offset as usize - 1].clone_from(&receipt.identifier);
        }
        if *path == "/steady" {
            cases = Some(named);
        } else {
            let steady = cases.as_ref().expect("the steady one is the first");
            let differs = (0..named.len()).find(|place| !named[*place].is_empty() && named[*place] != steady[*place]);
            assert_eq!(differs, None, "{path}: another event has the place");
        }
    }
    let mut fired = cases.expect("there is a steady one");
    fired.sort();
    assert_eq!(fired, pusher.done, "every case that was marked fired once");

    let status = house.expect(Method::GET, "/api/v1/status", Json::Null).await;
    assert_eq!(status["signals"], head, "{status}");
    assert_eq!(status["deliveries"]["succeeded"], delivered, "{status}");
    assert_eq!(status["deliveries"]["queued"], 0, "{status}");
    assert_eq!(status["pushJobs"]["failed"], 0, "{status}");
    write!(
        story,
        "{head} events, {} deliveries, {} repeated after a kill (at most {} of a subscription), \
         the oldest {} ms before it",
        all.deliveries, all.repeated, all.repeated_max, all.window_ms_max
    )
    .expect("a text grows");
    story
}

async fn skipped(house: &House, id: &str) -> BTreeSet<u64> {
    let path = format!("/api/v1/subscriptions/{id}/skips?pageSize=1000");
    let answer = house.expect(Method::GET, &path, Json::Null).await;
    let records = answer["skips"].as_array().expect("a list").clone();
    assert_eq!(answer["total"], records.len() as u64, "they fit on one page");
    let number = |record: &Json, member: &str| record[member].as_u64().expect("an offset");
    records.iter().flat_map(|record| number(record, "first")..=number(record, "last")).collect()
}
