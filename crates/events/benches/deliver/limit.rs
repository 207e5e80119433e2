//! The physical limit: the same calls, signed the same, with nothing behind
//! them. No database, no subscription, no guard, one connection per loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use base::Clock;
use base::chance::SystemChance;
use base::time::SystemClock;
use events::signature::{SigningKey, new_secret};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::receiver::Receiver;

/// Loops that call until they are dropped.
pub(crate) struct Loops {
    _tasks: JoinSet<Result<()>>,
    answered: Arc<AtomicU64>,
}

impl Loops {
    pub(crate) async fn start(receiver: &Receiver, connections: usize) -> Result<Self> {
        let (answered, mut tasks) = (Arc::new(AtomicU64::new(0)), JoinSet::new());
        let key = SigningKey::new(&new_secret(&SystemChance))?;
        for who in 0..connections {
            let stream = TcpStream::connect(receiver.address()).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tasks.spawn(async move { Ok(connection.await?) });
            tasks.spawn(calls(sender, receiver.url("instant", who), key.clone(), answered.clone()));
        }
        Ok(Loops { _tasks: tasks, answered })
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

async fn calls(
    mut sender: SendRequest<Full<Bytes>>,
    url: String,
    key: SigningKey,
    answered: Arc<AtomicU64>,
) -> Result<()> {
    let body = Bytes::from(vec![b'x'; 1_024]);
    let authority = url.split('/').nth(2).unwrap_or_default().to_owned();
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    for offset in 1_u64.. {
        let now = SystemClock.now();
        let id = format!("018f3a1c-0000-8000-8000-{offset:012}");
        let request = Request::post(format!("/{path}"))
            .header("host", &authority)
            .header("authorization", "Bearer of-this-receiver")
            .header("content-type", "application/json")
            .header("user-agent", "Loopwright")
            .header("webhook-timestamp", now.as_millis() / 1_000)
            .header("webhook-signature", key.sign(&id, now, &body))
            .header("webhook-id", id)
            .header("loopwright-subscription", "018f3a1c-0000-8000-8000-000000000000")
            .header("loopwright-offset", offset)
            .header("loopwright-attempt", 1)
            .header("loopwright-replay", "false")
            .body(Full::new(body.clone()))?;
        sender.ready().await?;
        let mut answer = sender.send_request(request).await?.into_body();
        while let Some(frame) = answer.frame().await {
            frame?;
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
