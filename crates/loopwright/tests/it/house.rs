//! A running program, and calls to it.

use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::receiver::PATIENCE;

/// The administrator of every test.
pub(crate) const KEY: &str = "tester:only-for-tests";

/// A token of its local workspace.
pub(crate) const WORKSPACE_TOKEN: &str = "dapi-only-for-tests";

/// Starts the program with a folder and free ports, not yet ready.
pub(crate) fn command(data: &Path) -> Command {
    command_at(data, "127.0.0.1:0")
}

/// The same, with the API at an address.
pub(crate) fn command_at(data: &Path, listen: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loopwright"));
    command
        .args(["serve", "--listen", listen, "--workspace-listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .env("LOOPWRIGHT_BOOTSTRAP_APP_KEY", KEY)
        .env("LOOPWRIGHT_WORKSPACE_BOOTSTRAP_TOKEN", WORKSPACE_TOKEN)
        .env("LOOPWRIGHT_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A program that is ready.
pub(crate) struct House {
    pub(crate) child: Child,
    pub(crate) url: String,
    pub(crate) workspace_url: String,
    client: Client<HttpConnector, Full<Bytes>>,
    key: String,
}

impl House {
    /// Starts the program on a folder and waits until it is ready.
    pub(crate) async fn start(data: &Path) -> Self {
        House::start_by(command(data)).await
    }

    /// Starts the program by a command and waits until it is ready.
    pub(crate) async fn start_by(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let output = child.stdout.take().expect("standard output is piped");
        let mut errors = child.stderr.take().expect("standard error is piped");
        // Read all the time: a full pipe would stop the program.
        let words = tokio::spawn(async move {
            let mut words = String::new();
            // A program that is killed may end in the middle of a letter.
            let _ = errors.read_to_string(&mut words).await;
            words
        });
        let mut lines = BufReader::new(output).lines();
        let Some(line) = lines.next_line().await.expect("a readable output") else {
            panic!("the program ended before it was ready: {}", words.await.expect("it reads on"));
        };
        let url = line.strip_prefix("listening on ").expect("the main listener's line").to_owned();
        let line = lines.next_line().await.expect("a readable output").expect("a second line");
        let workspace_url = line.strip_prefix("listening on ").expect("the workspace's line").to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        House { child, url, workspace_url, client, key: BASE64.encode(KEY) }
    }

    /// Calls as somebody else.
    pub(crate) fn with_key(mut self, key: &str) -> Self {
        self.key = BASE64.encode(key);
        self
    }

    /// Sends a call and returns status and body, as JSON where it is.
    pub(crate) async fn call(&self, method: Method, path: &str, body: impl Into<Bytes>) -> (u16, Json) {
        self.send(method, path, "application/json", body.into()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> (u16, Json) {
        self.call(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Json) {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Sends a call that succeeds and returns its answer. A body that is null
    /// is not sent.
    pub(crate) async fn expect(&self, method: Method, path: &str, body: Json) -> Json {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, answer) = self.call(method.clone(), path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Reads a resource again and again until something is true of it.
    pub(crate) async fn wait_for(&self, path: &str, what: &str, true_of: impl Fn(&Json) -> bool) -> Json {
        let mut last = Json::Null;
        let looked = tokio::time::timeout(PATIENCE, async {
            loop {
                last = self.expect(Method::GET, path, Json::Null).await;
                if true_of(&last) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let came = looked.await.is_ok();
        assert!(came, "{path}: {what} did not come; the last answer is {last}");
        last
    }

    async fn send(&self, method: Method, path: &str, content_type: &str, body: Bytes) -> (u16, Json) {
        self.try_send(method, path, content_type, body).await.expect("an answer")
    }

    /// Sends a call to a server that may die meanwhile.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Bytes,
    ) -> Option<(u16, Json)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("AppKey {}", self.key))
            .header("content-type", content_type)
            .body(Full::new(body))
            .expect("a well-formed request");
        let answer = self.client.request(request).await.ok()?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.ok()?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some((status, serde_json::from_str(&text).unwrap_or(Json::String(text))))
    }

    /// Sends a call to the local workspace, which may die meanwhile.
    pub(crate) async fn try_workspace(&self, method: Method, path: &str, body: Json) -> Option<(u16, Json)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.workspace_url))
            .header("authorization", format!("Bearer {WORKSPACE_TOKEN}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .expect("a well-formed request");
        let answer = self.client.request(request).await.ok()?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Json::Null)))
    }

    /// Sends a call to the local workspace that succeeds and returns its answer.
    pub(crate) async fn workspace(&self, method: Method, path: &str, body: Json) -> Json {
        let (status, answer) = self.try_workspace(method.clone(), path, body).await.expect("an answer");
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// Makes a pool and returns its id.
    pub(crate) async fn pool(&self, name: &str) -> String {
        let (status, pool) = self.post("/api/v1/pools", json!({ "name": name })).await;
        assert!(status == 200 || status == 201, "{status} {pool}");
        pool["id"].as_str().expect("an id").to_owned()
    }

    /// Creates a push job and returns the path of the job.
    pub(crate) async fn job(&self, pool: &str, table: &str, keys: &[&str]) -> String {
        self.try_job(pool, table, keys).await.expect("an answer")
    }

    async fn try_job(&self, pool: &str, table: &str, keys: &[&str]) -> Option<String> {
        let jobs = format!("/integration/api/v1/data-push/{pool}/jobs");
        let job = json!({
            "dataPoolId": pool, "targetName": table, "type": "DELTA", "fileType": "CSV", "keys": keys,
        });
        let (status, job) = self.try_send(Method::POST, &jobs, "application/json", job.to_string().into()).await?;
        assert_eq!(status, 200, "{job}");
        Some(format!("{jobs}/{}", job["id"].as_str().expect("an id")))
    }

    /// Adds a chunk in the part of this name.
    pub(crate) async fn chunk(&self, job: &str, part: &str, content: &[u8]) -> (u16, Json) {
        self.try_chunk(job, part, content).await.expect("an answer")
    }

    async fn try_chunk(&self, job: &str, part: &str, content: &[u8]) -> Option<(u16, Json)> {
        self.try_form(&format!("{job}/chunks/upserted"), part, content).await
    }

    /// Adds a chunk of a kind (`upserted`, `deleted`), if the server lives.
    pub(crate) async fn try_chunk_of(&self, job: &str, kind: &str, content: &[u8]) -> Option<()> {
        let (status, answer) = self.try_form(&format!("{job}/chunks/{kind}"), "file", content).await?;
        assert_eq!(status, 200, "{answer}");
        Some(())
    }

    async fn try_form(&self, path: &str, part: &str, content: &[u8]) -> Option<(u16, Json)> {
        let mut body = format!(
            "--edge\r\ncontent-disposition: form-data; name=\"{part}\"; filename=\"rows.csv\"\r\n\
             content-type: text/csv\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        self.try_send(Method::POST, path, "multipart/form-data; boundary=edge", body.into()).await
    }

    /// Executes a job and asks until it has ended; returns the job.
    pub(crate) async fn execute(&self, job: &str) -> Json {
        self.try_execute(job).await.expect("an answer")
    }

    async fn try_execute(&self, job: &str) -> Option<Json> {
        let (status, answer) = self.try_send(Method::POST, job, "application/json", Bytes::new()).await?;
        assert_eq!(status, 200, "{answer}");
        loop {
            let (_, job) = self.try_send(Method::GET, job, "application/json", Bytes::new()).await?;
            match job["status"].as_str() {
                Some("NEW" | "QUEUED" | "RUNNING") => tokio::task::yield_now().await,
                _ => return Some(job),
            }
        }
    }

    /// Pushes CSV rows and expects them to arrive.
    pub(crate) async fn push(&self, pool: &str, table: &str, csv: &str) {
        self.try_push(pool, table, csv).await.expect("an answer");
    }

    /// Pushes CSV rows, if the server lives long enough to say that they are in.
    pub(crate) async fn try_push(&self, pool: &str, table: &str, csv: &str) -> Option<()> {
        let job = self.try_job(pool, table, &[]).await?;
        let (status, answer) = self.try_chunk(&job, "file", csv.as_bytes()).await?;
        assert_eq!(status, 200, "{answer}");
        let ended = self.try_execute(&job).await?;
        assert_eq!(ended["status"], "DONE", "{ended}");
        Some(())
    }

    /// Asks SQL and returns the rows.
    pub(crate) async fn sql(&self, pool: &str, query: &str) -> Json {
        let (status, answer) = self.post(&format!("/api/v1/pools/{pool}/sql"), json!({ "query": query })).await;
        assert_eq!(status, 200, "{answer}");
        answer["rows"].clone()
    }
}
