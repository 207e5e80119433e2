//! A receiver that remembers everything: who called, with what, and what it
//! answered. It can be made to answer badly, late, or not at all.
//!
//! It speaks HTTP by hand, because it must be able to do what a well-behaved
//! server library would not: hang up in the middle of a request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::time::SystemClock;
use base::{Clock, Secret};
use events::signature::SigningKey;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// No test waits longer than this for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// What a receiver does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It answers with this status.
    Status(u16),
    /// It answers 200 when so many other calls have come, or none come any more.
    After(u64),
    /// It reads the call and hangs up.
    HangUp,
    /// It hangs up before it has read the body.
    HangUpUnread,
}

/// One event of one call.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    /// Which server run made the call, by count.
    pub(crate) life: u64,
    /// Which call of the receiver it came with; a batch has many events.
    pub(crate) call: u64,
    /// The path that was called; every subscription has its own.
    pub(crate) path: String,
    pub(crate) offset: u64,
    /// The event's id.
    pub(crate) id: String,
    /// What says who it is: the case of the event.
    pub(crate) identifier: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: HashMap<String, String>,
    /// The signature fits a secret that the receiver knows.
    pub(crate) believed: bool,
    pub(crate) at: Instant,
    /// A 2xx was written to the last byte.
    pub(crate) accepted: bool,
    /// The sender's saved cursor had passed the event before the call came.
    pub(crate) saved_before: bool,
}

type Mood = Arc<dyn Fn(&str, u64, u64) -> Answer + Send + Sync>;

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    listening: tokio::task::JoinHandle<()>,
}

struct State {
    book: Mutex<Vec<Receipt>>,
    keys: Mutex<HashMap<String, Vec<SigningKey>>>,
    floors: Mutex<HashMap<String, u64>>,
    mood: Mutex<Mood>,
    life: Mutex<u64>,
    /// Calls so far.
    calls: watch::Sender<u64>,
    /// Connections that are open.
    open: watch::Sender<u64>,
    /// Nobody is kept waiting any more.
    calm: watch::Sender<bool>,
}

impl Receiver {
    /// Starts on a free port, and answers 200 to everything.
    pub(crate) fn start() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Receiver::start_at(any)
    }

    /// Starts on a port.
    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("a setting of every socket");
        socket.bind(address).expect("a free port");
        let listener = socket.listen(1_024).expect("a listener");
        let address = listener.local_addr().expect("a bound address");
        let state = Arc::new(State {
            book: Mutex::default(),
            keys: Mutex::default(),
            floors: Mutex::default(),
            mood: Mutex::new(Arc::new(|_, _, _| Answer::Status(200))),
            life: Mutex::default(),
            calls: watch::channel(0).0,
            open: watch::channel(0).0,
            calm: watch::channel(false).0,
        });
        let listening = tokio::spawn(accept(listener, state.clone()));
        Receiver { address, state, listening }
    }

    /// The address of a callback.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Believes calls to a path that are signed with this secret.
    pub(crate) fn believe(&self, path: &str, secret: &str) {
        let key = SigningKey::new(&Secret::new(secret)).expect("a secret of the server");
        self.state.keys.lock().entry(path.to_owned()).or_default().push(key);
    }

    /// Chooses answers by path, offset, and how often the offset has come to
    /// this path before.
    pub(crate) fn answer(&self, mood: impl Fn(&str, u64, u64) -> Answer + Send + Sync + 'static) {
        *self.state.mood.lock() = Arc::new(mood);
    }

    /// From here on every call is answered 200, and nobody waits.
    pub(crate) fn calm_down(&self) {
        self.answer(|_, _, _| Answer::Status(200));
        self.state.calm.send_replace(true);
    }

    /// Notes the cursor that the sender has saved for a path.
    pub(crate) fn saved(&self, path: &str, cursor: u64) {
        let mut floors = self.state.floors.lock();
        let floor = floors.entry(path.to_owned()).or_default();
        *floor = cursor.max(*floor);
    }

    /// Says that the sender is dead: returns when all that it had still sent is
    /// in the book, and counts what comes later as the next life's.
    pub(crate) async fn end_of_life(&self) {
        // Connections are accepted in their order: when this one is served,
        // those of the dead were accepted.
        let mut marker = TcpStream::connect(self.address).await.expect("it listens");
        marker.write_all(b"HEAD /marker HTTP/1.1\r\nconnection: close\r\n\r\n").await.expect("it reads");
        marker.read_to_end(&mut Vec::new()).await.expect("it answers");
        drop(marker);
        let mut open = self.state.open.subscribe();
        tokio::time::timeout(PATIENCE, open.wait_for(|open| *open == 0))
            .await
            .expect("the dead hang up")
            .expect("kept");
        *self.state.life.lock() += 1;
    }

    /// Watches how many calls have come.
    pub(crate) fn calls(&self) -> watch::Receiver<u64> {
        self.state.calls.subscribe()
    }

    /// Waits until something is true of what has come.
    pub(crate) async fn wait_for(&self, what: &str, true_of: impl Fn(&[Receipt]) -> bool) {
        let mut calls = self.calls();
        let waited = tokio::time::timeout(PATIENCE, calls.wait_for(|_| true_of(&self.state.book.lock()))).await;
        if waited.is_err() {
            let book = self.state.book.lock();
            let last: Vec<(&str, u64)> =
                book.iter().rev().take(5).map(|receipt| (receipt.path.as_str(), receipt.offset)).collect();
            panic!("{what}: it did not come; {} receipts, the last {last:?}", book.len());
        }
    }

    /// Returns everything that has come, in the order in which it came.
    pub(crate) fn book(&self) -> Vec<Receipt> {
        self.state.book.lock().clone()
    }

    /// Returns the offsets that were received on a path, in order.
    pub(crate) fn offsets(&self, path: &str) -> Vec<u64> {
        self.state.book.lock().iter().filter(|receipt| receipt.path == path).map(|receipt| receipt.offset).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
        self.state.calm.send_replace(true);
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        state.open.send_modify(|open| *open += 1);
        let state = state.clone();
        tokio::spawn(async move {
            // A peer that hangs up is part of the game.
            let _ = converse(BufReader::new(stream), &state).await;
            state.open.send_modify(|open| *open -= 1);
        });
    }
}

async fn converse(mut stream: BufReader<TcpStream>, state: &State) -> std::io::Result<()> {
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
        if first.starts_with("HEAD") {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            if headers.get("connection").is_some_and(|value| value == "close") {
                return Ok(());
            }
            continue;
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        // A batch names its first and its last.
        let offsets = headers.get("loopwright-offset").map(String::as_str).unwrap_or_default();
        let first = offsets.split(|letter: char| !letter.is_ascii_digit()).next();
        let offset = first.and_then(|text| text.parse().ok()).unwrap_or_default();
        let seen = |receipt: &&Receipt| receipt.path == path && receipt.offset == offset;
        let times = state.book.lock().iter().filter(seen).count() as u64;
        let mood = state.mood.lock().clone();
        let answer = mood(&path, offset, times);
        if answer == Answer::HangUpUnread {
            return Ok(());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let written = note(state, &path, headers, body);
        match answer {
            Answer::HangUp | Answer::HangUpUnread => return Ok(()),
            Answer::Status(status) => {
                let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: 4\r\n\r\nwell");
                stream.write_all(text.as_bytes()).await?;
                if (200..300).contains(&status) {
                    accepted(state, written);
                }
            }
            Answer::After(others) => {
                let mut calls = state.calls.subscribe();
                let mut calm = state.calm.subscribe();
                let enough = *calls.borrow() + others;
                tokio::select! {
                    _ = calls.wait_for(|calls| *calls >= enough) => {}
                    _ = calm.wait_for(|calm| *calm) => {}
                    gone = stream.fill_buf() => if gone?.is_empty() { return Ok(()) },
                }
                stream.write_all(b"HTTP/1.1 200 At last\r\ncontent-length: 0\r\n\r\n").await?;
                accepted(state, written);
            }
        }
    }
}

/// Writes a call into the book, an entry for each event, and returns where.
fn note(state: &State, path: &str, headers: HashMap<String, String>, body: Vec<u8>) -> std::ops::Range<usize> {
    let text = |name: &str| headers.get(name).map(String::as_str).unwrap_or_default();
    let now = SystemClock.now();
    let believed = state.keys.lock().get(path).is_some_and(|keys| {
        keys.iter().any(|key| {
            let signature = text("webhook-signature");
            key.verify(text("webhook-id"), text("webhook-timestamp"), signature, &body, now).is_ok()
        })
    });
    let (batch, events): (bool, Vec<Json>) = match serde_json::from_slice(&body).expect("a body is JSON") {
        Json::Array(events) => (true, events),
        event => (false, vec![event]),
    };
    let call = *state.calls.borrow();
    let life = *state.life.lock();
    let floor = state.floors.lock().get(path).copied().unwrap_or_default();
    let mut book = state.book.lock();
    let begin = book.len();
    for event in &events {
        let offset = event["offset"].as_u64().expect("an event has an offset");
        let one = |member: &str| event["event"][member].as_str().unwrap_or_default().to_owned();
        book.push(Receipt {
            life,
            call,
            path: path.to_owned(),
            offset,
            id: one("id"),
            identifier: one("identifier"),
            // The bytes of an event in a batch are those that it has alone.
            body: if batch { event.to_string().into_bytes() } else { body.clone() },
            headers: headers.clone(),
            believed,
            at: Instant::now(),
            accepted: false,
            saved_before: offset <= floor,
        });
    }
    let written = begin..book.len();
    drop(book);
    state.calls.send_modify(|calls| *calls += 1);
    written
}

fn accepted(state: &State, written: std::ops::Range<usize>) {
    for receipt in &mut state.book.lock()[written] {
        receipt.accepted = true;
    }
    // Whoever waits for the book looks again.
    state.calls.send_modify(|_| {});
}
