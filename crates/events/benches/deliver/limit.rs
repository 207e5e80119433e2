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
        for who in 0..connections {
            let mut caller = Caller::connect(receiver, who).await?;
            let answered = answered.clone();
            tasks.spawn(async move {
                for offset in 1.. {
                    caller.call(offset).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        Ok(Loops { _tasks: tasks, answered })
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// A connection, and what is sent over it.
pub(crate) struct Caller {
    sender: SendRequest<Full<Bytes>>,
    key: SigningKey,
    authority: String,
    path: String,
    body: Bytes,
}

impl Caller {
    pub(crate) async fn connect(receiver: &Receiver, who: usize) -> Result<Self> {
        let stream = TcpStream::connect(receiver.address()).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Caller {
            sender,
            key: SigningKey::new(&new_secret(&SystemChance))?,
            authority: receiver.address().to_string(),
            path: format!("/instant/{who}"),
            body: Bytes::from(vec![b'x'; 1_024]),
        })
    }

    pub(crate) async fn call(&mut self, offset: u64) -> Result<()> {
        let now = SystemClock.now();
        let id = format!("018f3a1c-0000-8000-8000-{offset:012}");
        let request = Request::post(&self.path)
            .header("host", &self.authority)
            .header("authorization", "Bearer of-this-receiver")
            .header("content-type", "application/json")
            .header("user-agent", "Loopwright")
            .header("webhook-timestamp", now.as_millis() / 1_000)
            .header("webhook-signature", self.key.sign(&id, now, &self.body))
            .header("webhook-id", id)
            .header("loopwright-subscription", "018f3a1c-0000-8000-8000-000000000000")
            .header("loopwright-offset", offset)
            .header("loopwright-attempt", 1)
            .header("loopwright-replay", "false")
            .body(Full::new(self.body.clone()))?;
        self.sender.ready().await?;
        let mut answer = self.sender.send_request(request).await?.into_body();
        while let Some(frame) = answer.frame().await {
            frame?;
        }
        Ok(())
    }
}
