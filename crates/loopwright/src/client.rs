//! A client of a running Loopwright, for the verbs that are clients.
//!
//! It goes where the person points it, so it does not pass the egress guard.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use base::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as Connections;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value as Json;

use crate::upload::Pieces;

/// Time for one call; a push of a large file is many calls.
const CALL_TIMEOUT: Duration = Duration::from_mins(2);

/// Connections to whatever a person points at.
pub(crate) type Pool = Connections<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Calls one server with one credential.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool,
    url: String,
    authorization: Option<Secret>,
}

/// An answer with its body read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// There was no answer; the server may be starting.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {url}: is the server running?")]
pub(crate) struct Unreachable {
    url: String,
}

/// Makes connections over http, and over https to whom the well-known
/// authorities vouch for.
pub(crate) fn pool() -> Pool {
    connections()
}

fn connections<B>() -> Connections<hyper_rustls::HttpsConnector<HttpConnector>, B>
where
    B: http_body::Body + Send,
    B::Data: Send,
{
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .expect("the ring provider offers the default protocol versions")
        .https_or_http()
        .enable_http1()
        .build();
    Connections::builder(TokioExecutor::new()).build(connector)
}

impl Client {
    /// Makes a client of the server at `url`. `app_key` is `id:secret`.
    pub(crate) fn new(url: &str, app_key: Option<&Secret>) -> Self {
        let authorization = app_key.map(|key| Secret::new(format!("AppKey {}", BASE64.encode(key.expose()))));
        Client::with_authorization(url, authorization)
    }

    /// Makes a client that sends `Bearer token`, as the local workspace wants it.
    pub(crate) fn bearer(url: &str, token: &Secret) -> Self {
        Client::with_authorization(url, Some(Secret::new(format!("Bearer {}", token.expose()))))
    }

    fn with_authorization(url: &str, authorization: Option<Secret>) -> Self {
        Client { pool: pool(), url: url.trim_end_matches('/').to_owned(), authorization }
    }

    /// Returns the address of the server.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a call and returns the answer, whatever its status.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Bytes,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.expose());
        }
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(Full::new(body)).context("the address is not one that can be called")?;
        let exchange = async {
            let answer = self.pool.request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, anyhow::Error>(Answer { status, body })
        };
        match tokio::time::timeout(CALL_TIMEOUT, exchange).await {
            Ok(answer) => answer.context(Unreachable { url: self.url.clone() }),
            Err(_) => bail!("no answer from {} within {} s", self.url, CALL_TIMEOUT.as_secs()),
        }
    }

    /// Sends a body of any length, piece by piece, and returns the JSON answer.
    /// It takes as long as it takes: whoever sends looks on.
    pub(crate) async fn upload(&self, path: &str, content_type: &str, body: Pieces) -> Result<Json> {
        let mut request = Request::builder().method(Method::POST).uri(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.expose());
        }
        let request = request.header(header::CONTENT_TYPE, content_type).body(body);
        let request = request.context("the address is not one that can be called")?;
        let answer = connections().request(request).await.context(Unreachable { url: self.url.clone() })?;
        let status = answer.status();
        let body = answer.into_body().collect().await.context("the answer broke off")?.to_bytes();
        Answer { status, body }.json(&Method::POST, path)
    }

    /// Sends a call with a JSON body and returns the JSON answer; an answer
    /// that is not 2xx is an error with the server's own words.
    pub(crate) async fn json(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Json> {
        let (content_type, bytes) = match body {
            Some(body) => (Some("application/json"), Bytes::from(body.to_string())),
            None => (None, Bytes::new()),
        };
        self.call(method.clone(), path, content_type, bytes).await?.json(&method, path)
    }

    /// Reads a resource.
    pub(crate) async fn get(&self, path: &str) -> Result<Json> {
        self.json(Method::GET, path, None).await
    }

    /// Sends a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Json) -> Result<Json> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// Sends a text as it is.
    pub(crate) async fn put_text(&self, path: &str, content_type: &str, text: String) -> Result<Json> {
        self.call(Method::PUT, path, Some(content_type), text.into()).await?.json(&Method::PUT, path)
    }

    /// Sends a JSON body and writes the answer out as it comes. There is no
    /// time limit as long as something comes.
    pub(crate) async fn download(&self, path: &str, body: &Json, out: &mut dyn std::io::Write) -> Result<()> {
        let mut request = Request::post(format!("{}{path}", self.url)).header(header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.expose());
        }
        let request =
            request.body(Full::new(body.to_string().into())).context("the address is not one that can be called")?;
        let unreachable = || Unreachable { url: self.url.clone() };
        let answer = self.pool.request(request).await.with_context(unreachable)?;
        let status = answer.status();
        let mut body = answer.into_body();
        if !status.is_success() {
            let body = body.collect().await.with_context(unreachable)?.to_bytes();
            return Answer { status, body }.successful(&Method::POST, path).map(drop);
        }
        loop {
            let Ok(frame) = tokio::time::timeout(CALL_TIMEOUT, body.frame()).await else {
                bail!("nothing more came from {} within {} s", self.url, CALL_TIMEOUT.as_secs());
            };
            let Some(frame) = frame else { return Ok(()) };
            let frame =
                frame.context("the rows broke off: the statement was stopped or failed, the server's log says why")?;
            if let Some(piece) = frame.data_ref() {
                out.write_all(piece)?;
            }
        }
    }

    /// Asks SQL of a pool and returns its rows as objects.
    pub(crate) async fn sql(&self, pool: &str, query: &str) -> Result<Vec<Json>> {
        let path = format!("/api/v1/pools/{}/sql", segment(pool));
        let mut answer = self.post(&path, &serde_json::json!({ "query": query })).await?;
        match answer.get_mut("rows").map(Json::take) {
            Some(Json::Array(rows)) => Ok(rows),
            _ => Err(anyhow!("the server's answer has no rows")),
        }
    }
}

impl Answer {
    /// Returns the body of a success, or makes an error of another answer.
    pub(crate) fn successful(self, method: &Method, path: &str) -> Result<Bytes> {
        if !self.status.is_success() {
            bail!("{method} {path} answered {}: {}", self.status.as_u16(), words_of(&self.body));
        }
        Ok(self.body)
    }

    /// Reads the body as JSON (nothing is null), or makes an error of it.
    pub(crate) fn json(self, method: &Method, path: &str) -> Result<Json> {
        let body = self.successful(method, path)?;
        if body.is_empty() {
            return Ok(Json::Null);
        }
        serde_json::from_slice(&body).with_context(|| format!("{method} {path} did not answer with JSON"))
    }
}

/// Finds the sentence in an error answer, whichever surface wrote it.
fn words_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).into_owned();
    let Ok(json) = serde_json::from_str::<Json>(&text) else { return text };
    let candidates = [&json["detail"], &json["message"], &json["errors"][0]["error"], &json["error"], &json["title"]];
    candidates.iter().find_map(|words| words.as_str()).map_or(text, str::to_owned)
}

/// Writes a name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}
