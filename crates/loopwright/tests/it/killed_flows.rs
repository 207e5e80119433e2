//! The server is killed again and again while flows run; no run may be lost or
//! stuck, and nothing that is settled may be done again.
//!
//! Each round callers start runs without a pause, until the program is ended
//! with SIGKILL after so many calls of its flows as chance says. Their sink
//! keeps a book: which key came when, with which address. A run that was
//! answered as started must come to its end with all its calls; a call may come
//! twice only if it was in flight at a kill, with the same key; what is not safe
//! to repeat comes again after a decision only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::Method;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::house::House;
use crate::marks;
use crate::mixed;
use crate::receiver::PATIENCE;

const ROUNDS: u64 = 8;
const ROUNDS_LONG: u64 = 120;
/// Calls of flows after which the program is killed, at most.
const CALLS_MAX: u64 = 300;
/// Runs that one engine works on at the same time.
const IN_FLIGHT_MAX: usize = 64;

/// A loop, a sleep, and calls that may be repeated; the last one tells the end.
const WORK: &str = r#"
name: work
metadata: { loopwright: { retries: 3 } }
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "util:SetVariable2", mapper: { name: doubled, value: "{{1.n * 2}}" } }
  - { id: 3, module: "http:ActionSendData", mapper: { url: "SINK/begin/{{1.n}}", method: put } }
  - { id: 4, module: "builtin:BasicRepeater", mapper: { repeats: 2 } }
  - { id: 5, module: "http:ActionSendData", mapper: { url: "SINK/turn-{{4.i}}/{{1.n}}", method: post, headers: [{ name: x-key, value: "{{operationKey}}" }] } }
  - { id: 6, module: "builtin:BasicAggregator", parameters: { feeder: 4 }, mapper: { i: "{{4.i}}" } }
  - { id: 7, module: "util:FunctionSleep", mapper: { duration: 1 } }
  - { id: 8, module: "http:ActionSendData", mapper: { url: "SINK/end-{{length(6.array)}}/{{1.n}}", method: put } }
"#;

/// What must not be done twice.
const PAY: &str = r#"
name: pay
flow:
  - { id: 1, module: "loopwright:Manual" }
  - { id: 2, module: "http:ActionSendData", mapper: { url: "SINK/pay/{{1.n}}", method: post, bodyType: raw, data: "{{1.n}}" } }
"#;

const CALLS_OF_WORK: [&str; 4] = ["begin", "turn-1", "turn-2", "end-2"];

/// Takes calls, and writes each into a book before it answers.
struct Sink {
    address: SocketAddr,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    /// Key and address of each call, in the order in which they came.
    calls: Mutex<Vec<(String, String)>>,
    count: watch::Sender<u64>,
    open: watch::Sender<u64>,
}

impl Sink {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let book = Arc::new(Book::default());
        let shared = book.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let book = shared.clone();
                book.open.send_modify(|open| *open += 1);
                tokio::spawn(async move {
                    // A server that is killed hangs up.
                    let _ = take_calls(BufReader::new(stream), &book).await;
                    book.open.send_modify(|open| *open -= 1);
                });
            }
        });
        Sink { address, book }
    }

    /// Waits until so many more calls have come.
    async fn wait_for_more(&self, calls: u64) {
        let mut count = self.book.count.subscribe();
        let enough = *count.borrow() + calls;
        let came = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= enough)).await;
        came.expect("flows go on").expect("the sink lives on");
    }

    /// Waits until everything that a killed server has sent is in the book.
    async fn hang_up(&self) {
        let mut open = self.book.open.subscribe();
        let closed = tokio::time::timeout(PATIENCE, open.wait_for(|open| *open == 0)).await;
        closed.expect("a killed server holds no connection").expect("the sink lives on");
    }
}

async fn take_calls(mut stream: BufReader<TcpStream>, book: &Book) -> std::io::Result<()> {
    loop {
        let mut first = String::new();
        if stream.read_line(&mut first).await? == 0 {
            return Ok(());
        }
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        stream.read_exact(&mut vec![0; length]).await?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        book.calls.lock().push((headers.get("idempotency-key").cloned().unwrap_or_default(), path));
        book.count.send_modify(|count| *count += 1);
        stream.write_all(b"HTTP/1.1 200 Well\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}").await?;
    }
}

/// Starts runs, and knows which of them were answered.
#[derive(Default)]
struct Caller {
    next: AtomicU64,
    /// Runs that were answered as started: their id and number.
    started: Mutex<Vec<(&'static str, String, u64)>>,
}

impl Caller {
    async fn call_on(&self, house: &House) {
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let flow = if number.is_multiple_of(3) { "pay" } else { "work" };
            let path = format!("/api/v1/flows/{flow}/run");
            let body = json!({ "n": number }).to_string();
            let Some((status, run)) = house.try_send(Method::POST, &path, "application/json", body.into()).await else {
                // The server has ended, or is about to.
                std::future::pending::<()>().await;
                return;
            };
            assert!((200..300).contains(&status), "{status} {run}");
            let id = run["id"].as_str().or(run["run"].as_str()).expect("an id").to_owned();
            self.started.lock().push((flow, id, number));
        }
    }
}

/// What the book says, where all promises were kept.
#[derive(Default)]
struct Tally {
    repeated: usize,
    repeated_max: usize,
}

/// Judges the book: `kills` are its lengths at the ends of the lives, and
/// `permitted` the numbers whose payment a person let be repeated.
fn judge(book: &[(String, String)], kills: &[usize], permitted: &BTreeSet<String>) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut addresses: HashMap<&str, &str> = HashMap::new();
    let mut latest: HashMap<&str, &str> = HashMap::new();
    let mut paid: BTreeSet<&str> = BTreeSet::new();
    let mut last_life: HashMap<&str, usize> = HashMap::new();
    let mut repeated_in_life: BTreeMap<usize, usize> = BTreeMap::new();
    for (place, (key, path)) in book.iter().enumerate() {
        let life = kills.iter().filter(|kill| **kill <= place).count();
        let number = path.rsplit('/').next().unwrap_or_default();
        if *addresses.entry(key).or_insert(path) != path {
            return Err(format!("the key of {} came with {path}", addresses[key.as_str()]));
        }
        let is_new = !last_life.contains_key(key.as_str());
        if is_new {
            latest.insert(number, key);
        } else if latest[number] != key {
            return Err(format!("{path} was done again after its run had gone on"));
        } else if last_life[key.as_str()] == life {
            return Err(format!("{path} was done twice in one life"));
        } else {
            tally.repeated += 1;
            *repeated_in_life.entry(life).or_default() += 1;
        }
        last_life.insert(key, life);
        if path.starts_with("/pay/") && !paid.insert(number) && !permitted.contains(number) {
            return Err(format!("{path} was done twice without being asked"));
        }
    }
    tally.repeated_max = repeated_in_life.into_values().max().unwrap_or(0);
    Ok(tally)
}

#[expect(clippy::print_stdout, reason = "the seed, and the figures of the run")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_run_is_lost_or_stuck_when_the_server_is_killed_again_and_again() {
    let long = std::env::var_os("LOOPWRIGHT_TEST_LONG").is_some();
    let rounds = if long { ROUNDS_LONG } else { ROUNDS };
    let given = std::env::var_os("LOOPWRIGHT_TEST_SEED").and_then(|text| text.to_str()?.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("LOOPWRIGHT_TEST_SEED={seed}");

    let data = tempfile::tempdir().expect("a folder");
    let sink = Sink::start().await;
    let mut house = marks::house(data.path()).await;
    for (key, text) in [("work", WORK), ("pay", PAY)] {
        let text = text.replace("SINK", &format!("http://{}", sink.address));
        let (status, answer) = house.call(Method::PUT, &format!("/api/v1/flows/{key}"), text).await;
        assert!((200..300).contains(&status), "{status} {answer}");
        house.expect(Method::POST, &format!("/api/v1/flows/{key}/publish"), Json::Null).await;
    }

    let caller = Caller::default();
    let begun = Instant::now();
    let (mut kills, mut held, mut held_before) = (Vec::new(), 0, BTreeSet::new());
    let mut permitted = BTreeSet::new();
    for round in 0..rounds {
        let calls = 1 + mixed(seed ^ (round << 32)) % CALLS_MAX;
        let callers = async { tokio::join!(caller.call_on(&house), caller.call_on(&house), caller.call_on(&house)) };
        tokio::select! {
            () = sink.wait_for_more(calls) => {}
            _ = callers => {}
        }
        let pid = rustix::process::Pid::from_raw(house.child.id().expect("it runs").cast_signed()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
        house.child.wait().await.expect("an end");
        sink.hang_up().await;
        kills.push(sink.book.calls.lock().len());
        house = marks::house(data.path()).await;
        held += decide(&house, &mut held_before, &mut permitted).await;
    }

    let started = caller.started.lock().clone();
    settle(&house, &mut held_before, &mut permitted, &started, &mut held).await;
    let book = sink.book.calls.lock().clone();
    let tally = judge(&book, &kills, &permitted).expect("all promises are kept");
    assert!(tally.repeated_max <= IN_FLIGHT_MAX, "{} calls came again after one kill", tally.repeated_max);
    let done: BTreeSet<&str> = book.iter().map(|(_, path)| path.as_str()).collect();
    let complete = |number: u64| CALLS_OF_WORK.iter().all(|call| done.contains(format!("/{call}/{number}").as_str()));
    let lost: Vec<u64> = started
        .iter()
        .filter(|(flow, _, number)| match *flow {
            "work" => !complete(*number),
            _ => !done.contains(format!("/pay/{number}").as_str()),
        })
        .map(|(_, _, number)| *number)
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    // Nobody was told of them, and yet they began: they are through, too.
    let half: Vec<&&str> = done
        .iter()
        .filter(|path| !path.starts_with("/pay/"))
        .filter(|path| !complete(path.rsplit('/').next().and_then(|number| number.parse().ok()).unwrap_or(u64::MAX)))
        .collect();
    assert!(half.is_empty(), "not through: {half:?}");
    println!(
        "{rounds} kills in {:.1} s: {} runs, {} calls; lost 0, stuck 0, repeated {} (at most {} after one kill), in doubt {held}",
        begun.elapsed().as_secs_f64(),
        started.len(),
        book.len(),
        tally.repeated,
        tally.repeated_max,
    );
}

/// Lets every payment that is in doubt be repeated; returns how many there were.
async fn decide(house: &House, before: &mut BTreeSet<String>, permitted: &mut BTreeSet<String>) -> usize {
    let runs = house.expect(Method::GET, "/api/v1/flows/pay/runs?limit=1000", Json::Null).await;
    let mut held = 0;
    for run in runs.as_array().into_iter().flatten().filter(|run| run["state"] == "in-doubt") {
        let id = run["id"].as_str().expect("an id");
        let shown = house.expect(Method::GET, &format!("/api/v1/runs/{id}"), Json::Null).await;
        let number = shown["input"][0]["n"].to_string();
        permitted.insert(number);
        let (status, answer) = house.post(&format!("/api/v1/runs/{id}/decide"), json!({ "decision": "repeat" })).await;
        assert!((200..300).contains(&status), "{status} {answer}");
        held += usize::from(before.insert(id.to_owned()));
    }
    held
}

/// Waits until every run that was answered as started has ended well.
async fn settle(
    house: &House,
    before: &mut BTreeSet<String>,
    permitted: &mut BTreeSet<String>,
    started: &[(&'static str, String, u64)],
    held: &mut usize,
) {
    let mut last = Json::Null;
    let ended = tokio::time::timeout(PATIENCE, async {
        for (_, id, _) in started {
            loop {
                last = house.expect(Method::GET, &format!("/api/v1/runs/{id}"), Json::Null).await;
                if last["state"] == "ended" {
                    assert_eq!(last["outcome"], "success", "{last}");
                    break;
                }
                assert_ne!(last["state"], "parked", "{last}");
                *held += decide(house, before, permitted).await;
                tokio::task::yield_now().await;
            }
        }
        // Those that nobody was told of.
        for flow in ["work", "pay"] {
            loop {
                *held += decide(house, before, permitted).await;
                let runs =
                    house.expect(Method::GET, &format!("/api/v1/flows/{flow}/runs?limit=1000"), Json::Null).await;
                if runs.as_array().into_iter().flatten().all(|run| run["state"] == "ended") {
                    break;
                }
            }
        }
    });
    assert!(ended.await.is_ok(), "stuck: {last}");
}

#[test]
fn promises_kept_and_broken() {
    let book = |script: &str| -> Vec<(String, String)> {
        let calls = script.split_whitespace().map(|word| word.split_once('=').expect("key=path"));
        calls.map(|(key, path)| (key.to_owned(), path.to_owned())).collect()
    };
    for (script, kill, permitted, expected) in [
        ("a=/begin/1 b=/end/1", 9, "", "0 repeated"),
        ("a=/begin/1 a=/begin/1 b=/end/1", 1, "", "1 repeated"),
        ("a=/begin/1 a=/begin/1", 9, "", "/begin/1 was done twice in one life"),
        ("a=/begin/1 b=/end/1 a=/begin/1", 2, "", "/begin/1 was done again after its run had gone on"),
        ("a=/begin/1 a=/begin/2", 1, "", "the key of /begin/1 came with /begin/2"),
        ("a=/pay/1 a=/pay/1", 1, "", "/pay/1 was done twice without being asked"),
        ("a=/pay/1 a=/pay/1", 1, "1", "1 repeated"),
    ] {
        let found = judge(&book(script), &[kill], &permitted.split(' ').map(str::to_owned).collect());
        assert_eq!(found.map_or_else(|why| why, |tally| format!("{} repeated", tally.repeated)), expected, "{script}");
    }
}
