//! Callers: so many at once, each as soon as it has its answer, or so many a
//! second whatever becomes of them.
//!
//! With a rate, time counts from the moment at which a call was *meant* to
//! start: an engine that stops for a second is charged for all who would have
//! called meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::message::Connection;
use crate::share_ms;
use crate::sink::Sink;

/// What to call, and how.
#[derive(Clone, Deserialize)]
pub(crate) struct Drive {
    port: u16,
    path: String,
    /// Further lines of the head.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    connections: usize,
    /// Ends after this time or after so many calls.
    #[serde(default)]
    seconds: Option<f64>,
    #[serde(default)]
    count: Option<u64>,
    /// Calls a second; as many as go if nothing is said.
    #[serde(default)]
    rate: Option<f64>,
    /// Number of the first order.
    #[serde(default)]
    first: u64,
    /// Bytes by which a body is longer.
    #[serde(default)]
    padding: usize,
    /// Each body has a field `wait`: whole seconds until this moment, counted
    /// from the beginning of the drive, at least one.
    #[serde(default)]
    due_in_s: Option<f64>,
    /// If set: the drive is at its end when the sink has been called so often
    /// for each call that was answered.
    #[serde(default)]
    settle_calls: Option<u64>,
    /// How long a call may take, and how long settling.
    #[serde(default = "ten")]
    timeout_s: f64,
}

fn ten() -> f64 {
    10.0
}

/// What became of the calls.
#[derive(Default)]
struct Told {
    /// Microseconds of those that were answered by 2xx.
    taken: Vec<u32>,
    /// Which order was answered when, and when it was sent.
    answered: Vec<(u64, Instant, Instant)>,
    statuses: BTreeMap<u16, u64>,
    broken: u64,
    fault: Option<String>,
}

impl Told {
    fn note(&mut self, number: u64, start: Instant, sent: Instant, called: Result<(u16, bool)>) {
        match called {
            Ok((status, _)) => {
                *self.statuses.entry(status).or_default() += 1;
                if status < 300 {
                    let now = Instant::now();
                    self.taken.push((now - start).as_micros() as u32);
                    self.answered.push((number, sent, now));
                }
            }
            Err(error) => {
                self.broken += 1;
                self.fault.get_or_insert(error.to_string());
            }
        }
    }
}

impl Drive {
    /// Calls until the end, and tells.
    pub(crate) async fn run(&self, sink: &Arc<Sink>) -> Result<Value> {
        let (begun, calls_before) = (Instant::now(), sink.calls());
        let told = Rc::new(RefCell::new(Told::default()));
        tokio::task::LocalSet::new().run_until(self.call_all(begun, &told)).await;
        let mut ended = Instant::now();
        let mut told = told.take();
        let mut settled = None;
        if let Some(each) = self.settle_calls {
            let wanted = calls_before + each * told.taken.len() as u64;
            settled = Some(sink.wait_for(wanted, Duration::from_secs_f64(self.timeout_s)).await);
            ended = sink.latest().map_or(ended, |latest| latest.max(ended));
        }
        let seconds = (ended - begun).as_secs_f64();
        told.taken.sort_unstable();
        let failed: u64 = told.statuses.iter().filter(|(status, _)| **status >= 300).map(|(_, times)| times).sum();
        Ok(json!({
            "answered": told.taken.len(), "failed": failed + told.broken, "statuses": told.statuses,
            "fault": told.fault, "seconds": seconds, "rate": told.taken.len() as f64 / seconds, "settled": settled,
            "p50_ms": share_ms(&told.taken, 0.5), "p90_ms": share_ms(&told.taken, 0.9),
            "p99_ms": share_ms(&told.taken, 0.99), "sink": first_bytes(&told.answered, sink),
        }))
    }

    async fn call_all(&self, begun: Instant, told: &Rc<RefCell<Told>>) {
        let end = self.seconds.map(|seconds| begun + Duration::from_secs_f64(seconds));
        let (due, starts) = mpsc::unbounded_channel();
        let starts = Rc::new(tokio::sync::Mutex::new(starts));
        let count = self.count.unwrap_or(u64::MAX);
        let alarm = self.rate.map(|rate| {
            std::thread::spawn(move || {
                for number in 0..count {
                    let start = begun + Duration::from_secs_f64(number as f64 / rate);
                    if end.is_some_and(|end| start >= end) {
                        break;
                    }
                    // A timer of the runtime is a millisecond late; a thread's sleep is not.
                    #[expect(clippy::disallowed_methods, reason = "a call starts when it is due, by the clock")]
                    std::thread::sleep(start.saturating_duration_since(Instant::now()));
                    if due.send((number, start)).is_err() {
                        break;
                    }
                }
            })
        });
        let next = Rc::new(RefCell::new(0));
        let callers = (0..self.connections).map(|_| {
            let (drive, told, next, starts) = (self.clone(), told.clone(), next.clone(), starts.clone());
            tokio::task::spawn_local(async move {
                let mut connection = None;
                loop {
                    let (number, start) = if drive.rate.is_some() {
                        let Some(start) = starts.lock().await.recv().await else { break };
                        start
                    } else {
                        let number = next.replace_with(|number| *number + 1);
                        if number >= count || end.is_some_and(|end| Instant::now() >= end) {
                            break;
                        }
                        (number, Instant::now())
                    };
                    drive.call(drive.first + number, begun, start, &mut connection, &told).await;
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        for caller in callers {
            caller.await.expect("a caller does not panic");
        }
        if let Some(alarm) = alarm {
            alarm.join().expect("an alarm does not panic");
        }
    }

    async fn call(
        &self,
        number: u64,
        begun: Instant,
        start: Instant,
        connection: &mut Option<Connection>,
        told: &RefCell<Told>,
    ) {
        let request = self.request(number, begun.elapsed().as_secs_f64());
        let sent = Instant::now();
        let called = async {
            if connection.is_none() {
                *connection = Some(Connection::open(self.port).await?);
            }
            connection.as_mut().expect("it was opened").call(&request).await
        };
        let called = match tokio::time::timeout(Duration::from_secs_f64(self.timeout_s), called).await {
            Ok(called) => called,
            Err(late) => Err(late.into()),
        };
        let is_broken = called.is_err();
        if is_broken || matches!(called, Ok((_, false))) {
            *connection = None;
        }
        told.borrow_mut().note(number, start, sent, called);
        if is_broken {
            // Whoever is refused does not knock without a breath in between.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The order of the side-by-side comparison, with a number of its own.
    fn request(&self, number: u64, elapsed_s: f64) -> Vec<u8> {
        let wait = self.due_in_s.map_or(0, |due| (due - elapsed_s).ceil().max(1.0) as u64);
        let padding = "x".repeat(self.padding);
        let body = format!(r#"{{"orderId":"PO-{number:08}","amount":1250.5,"vendor":"ACME{padding}","wait":{wait},"#)
            + r#""items":[{"sku":"a","qty":3},{"sku":"b","qty":1}]}"#;
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            self.path,
            self.port,
            body.len()
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        (head + "\r\n" + &body).into_bytes()
    }
}

/// How long after a call was sent, and after it was answered, the sink saw the
/// first byte of what came of it. What came before the answer took no time.
fn first_bytes(answered: &[(u64, Instant, Instant)], sink: &Sink) -> Value {
    let (mut after_sent, mut after_answer) = (Vec::new(), Vec::new());
    for (number, sent, answer) in answered {
        let Some(first) = sink.first_of(*number) else { continue };
        after_sent.push(first.saturating_duration_since(*sent).as_micros() as u32);
        after_answer.push(first.saturating_duration_since(*answer).as_micros() as u32);
    }
    after_sent.sort_unstable();
    after_answer.sort_unstable();
    json!({
        "found": after_sent.len(),
        "after_sent_p50_ms": share_ms(&after_sent, 0.5), "after_sent_p99_ms": share_ms(&after_sent, 0.99),
        "after_answer_p50_ms": share_ms(&after_answer, 0.5), "after_answer_p99_ms": share_ms(&after_answer, 0.99),
    })
}
