//! Our engine alone: the crate `flows` as the program wires it, behind a front
//! that does nothing but bring requests. The distance to the program is what
//! its door costs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use base::chance::SystemChance;
use base::db::Db;
use base::secret::KeyRing;
use base::time::SystemClock;
use base::{Actor, Causes};
use egress::{Egress, Origins};
use flows::hook::{Answer, Arrival};
use flows::value::Value;
use flows::{Flows, Options};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

struct Front {
    flows: Arc<Flows>,
    /// Secret parts of the addresses, by flow.
    tokens: RwLock<HashMap<String, String>>,
}

/// Serves at `port` for ever: `PUT /NAME` makes a flow and publishes it, `POST
/// /NAME` brings a request to its webhook.
pub(crate) fn serve(port: u16, concurrency: usize, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let db = Db::open_sqlite(folder, &[base::MIGRATIONS, flows::MIGRATIONS], base::db::Options::default())?;
        let http = Arc::new(Egress::new(vec!["127.0.0.0/8".parse()?], Origins::default()));
        let chance = Arc::new(SystemChance);
        let keys = Arc::new(KeyRing::open_or_create(&folder.join("keys"), &*chance)?);
        let options = Options { concurrency, ..Options::default() };
        let flows = Arc::new(Flows::new(db, http, keys, Arc::new(SystemClock), chance, options));
        tokio::spawn(flows.clone().run(CancellationToken::new()));
        let front = Arc::new(Front { tokens: RwLock::default(), flows });
        for hook in front.flows.hooks().await? {
            front.remember(&hook.name).await?;
        }
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.context("the port is taken")?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let front = front.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(|request| front.clone().answer(request));
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A caller may go when it likes.
                let _ = connection.await;
            });
        }
    })
}

impl Front {
    async fn remember(&self, name: &str) -> Result<()> {
        let token = self.flows.hook(name).await?.token.expose().to_owned();
        self.tokens.write().insert(name.to_owned(), token);
        Ok(())
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (status, body) = match self.perform(request).await {
            Ok(answer) => answer,
            Err(error) => (500, format!("{error:#}")),
        };
        let response = Response::builder().status(status).header("content-type", "application/json");
        Ok(response.body(Full::new(Bytes::from(body))).expect("a response"))
    }

    async fn perform(&self, request: Request<Incoming>) -> Result<(u16, String)> {
        let (head, body) = request.into_parts();
        let name = head.uri.path().trim_start_matches('/');
        let body = body.collect().await?.to_bytes();
        if head.method == Method::PUT {
            let (actor, text) = (Actor::system("bench"), String::from_utf8(body.to_vec())?);
            self.flows.put(&actor, name, &text).await?;
            self.flows.publish(&actor, name).await?;
            self.flows.activate(&actor, name).await?;
            self.remember(name).await?;
            return Ok((200, "{}".to_owned()));
        }
        let token = self.tokens.read().get(name).cloned();
        let Some(token) = token else { bail!("there is no flow \"{name}\"") };
        let webhook = self.flows.knock(&token, None).await?;
        let data = serde_json::from_slice::<serde_json::Value>(&body)?;
        let arrival = Arrival {
            data: Value::from_json(data),
            method: "POST".to_owned(),
            headers: Vec::new(),
            key: None,
            causes: Causes::NONE,
        };
        match self.flows.bring(&webhook, arrival).await?.answer().await {
            Answer::Accepted => Ok((202, "{}".to_owned())),
            Answer::Response(response) => {
                let body = response.body.as_text().map(str::to_owned);
                Ok((response.status, body.unwrap_or_else(|| response.body.to_json().to_string())))
            }
            Answer::Failed { reason } => bail!("{reason}"),
        }
    }
}
