//! The bare loop: the same work by hand, without an engine.
//!
//! What a patient person would write for this one flow and no other: the order
//! is durable before the call, every step and the result are before the
//! answer, and one thread writes for all in common commits. How much an engine
//! costs is told by the distance to it.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Records that share a commit at most.
const BATCH_MAX: usize = 512;

/// A step that was done, and its result.
type Step = (&'static str, String);

/// What is to be written; the answer comes when it is durable.
struct Record {
    run: i64,
    steps: Vec<Step>,
    state: &'static str,
    durable: oneshot::Sender<()>,
}

struct Loop {
    writer: std::sync::mpsc::Sender<Record>,
    client: Client<HttpConnector, Full<Bytes>>,
    sink: String,
    next: std::sync::atomic::AtomicI64,
}

/// Serves `/hook` (called, answered), `/pure` (not called, answered) and
/// `/later` (answered, called) at `port` for ever.
pub(crate) fn serve(port: u16, sink: u16, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let database = open(&folder.join("bare.db"))?;
    let next = database.query_row("SELECT coalesce(max(run), 0) + 1 FROM bare_run", [], |row| row.get(0))?;
    let (writer, records) = std::sync::mpsc::channel();
    std::thread::spawn(move || write(database, &records).expect("the database can be written"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.context("the port is taken")?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let sink = format!("http://127.0.0.1:{sink}/orders");
        let bare = Arc::new(Loop { writer, client, sink, next: std::sync::atomic::AtomicI64::new(next) });
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let bare = bare.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| bare.clone().answer(request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A caller may go when it likes.
                let _ = connection.await;
            });
        }
    })
}

fn open(path: &Path) -> Result<Connection> {
    let database = Connection::open(path)?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS bare_run (run INTEGER PRIMARY KEY, state TEXT NOT NULL);
         CREATE TABLE IF NOT EXISTS bare_step (
             run INTEGER, step TEXT, result TEXT NOT NULL, PRIMARY KEY (run, step)) WITHOUT ROWID;",
    )?;
    Ok(database)
}

/// Writes what comes, as much as has come in one commit.
fn write(mut database: Connection, records: &std::sync::mpsc::Receiver<Record>) -> Result<()> {
    while let Ok(first) = records.recv() {
        let mut batch = vec![first];
        batch.extend(records.try_iter().take(BATCH_MAX - 1));
        let tx = database.transaction()?;
        for record in &batch {
            tx.prepare_cached("INSERT OR REPLACE INTO bare_run (run, state) VALUES (?, ?)")?
                .execute(params![record.run, record.state])?;
            for (step, result) in &record.steps {
                tx.prepare_cached("INSERT INTO bare_step (run, step, result) VALUES (?, ?, ?)")?
                    .execute(params![record.run, step, result])?;
            }
        }
        tx.commit()?;
        for record in batch {
            // Whoever asked may have gone.
            let _ = record.durable.send(());
        }
    }
    Ok(())
}

impl Loop {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let (status, body) = match self.perform(&path, request.into_body()).await {
            Ok(answer) => answer,
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": format!("{error:#}") }).to_string()),
        };
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok(response.body(Full::new(Bytes::from(body))).expect("a response"))
    }

    async fn perform(self: Arc<Self>, path: &str, body: Incoming) -> Result<(StatusCode, String)> {
        let body = body.collect().await?.to_bytes();
        let run = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let accepted = String::from_utf8_lossy(&body).into_owned();
        self.record(run, vec![("accepted", accepted)], "running").await?;
        if path == "/later" {
            tokio::spawn(async move { self.finish(run, &body, true).await });
            return Ok((StatusCode::ACCEPTED, "{}".to_owned()));
        }
        Ok((StatusCode::OK, self.finish(run, &body, path != "/pure").await?))
    }

    /// Performs the steps after the order was accepted.
    async fn finish(&self, run: i64, body: &[u8], calls: bool) -> Result<String> {
        let order: Value = serde_json::from_slice(body)?;
        let (name, amount) = (&order["orderId"], order["amount"].as_f64().unwrap_or_default());
        let set = json!({ "order": name, "amount": amount }).to_string();
        if amount <= 100.0 {
            self.record(run, vec![("set", set)], "filtered").await?;
            return Ok("{}".to_owned());
        }
        let items = order["items"].as_array().map_or(0, Vec::len);
        let mapped = json!({ "id": name, "total": amount * 1.2, "n": items }).to_string();
        let answer = if calls { self.call(mapped.clone()).await? } else { mapped.clone() };
        let passed = ("filter", "true".to_owned());
        let steps = vec![("set", set), passed, ("map", mapped), ("call", answer.clone())];
        self.record(run, steps, "success").await?;
        Ok(answer)
    }

    async fn call(&self, mapped: String) -> Result<String> {
        let request = Request::post(&self.sink).header("content-type", "application/json");
        let answer = self.client.request(request.body(Full::new(Bytes::from(mapped)))?).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        Ok(serde_json::from_slice::<Value>(&body)?.to_string())
    }

    async fn record(&self, run: i64, steps: Vec<Step>, state: &'static str) -> Result<()> {
        let (durable, waits) = oneshot::channel();
        self.writer.send(Record { run, steps, state, durable }).map_err(|_| anyhow::anyhow!("the writer has ended"))?;
        Ok(waits.await?)
    }
}
