//! The engine with all that it has in the program: a database on a disk, sealed
//! secrets, signatures, the guarded way out. Nothing here is a double.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use base::chance::SystemChance;
use base::db::{Control, Db};
use base::http::{Http, HttpError, Request, Response};
use base::secret::KeyRing;
use base::time::SystemClock;
use base::{Actor, BoxFuture, Clock, Timestamp};
use egress::{Egress, Origins};
use events::{
    EventField, Events, NewEvent, NewSubscription, NoHooks, Offset, Options, Ports, SubscriptionId, TriggerRef,
};
use futures::stream::{StreamExt as _, TryStreamExt as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Bytes of filling, so that a callback's body has 1 KiB.
const FILLING: usize = 650;
/// Calls in flight at most.
const CALLS_MAX: usize = 2_560;

/// A folder that vanishes, on a real disk.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let path = target.join("bench-deliver").join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Counts the answers that mean success.
struct Counted {
    inner: Egress,
    received: Arc<AtomicU64>,
}

impl Http for Counted {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let is_event = request.method == base::http::Method::POST;
        let answer = self.inner.send(request);
        Box::pin(async move {
            let answer = answer.await;
            if is_event && answer.as_ref().is_ok_and(|answer| answer.status.is_success()) {
                self.received.fetch_add(1, Ordering::Relaxed);
            }
            answer
        })
    }
}

/// An engine.
pub(crate) struct House {
    pub(crate) events: Arc<Events>,
    pub(crate) db: Db<Control>,
    received: Arc<AtomicU64>,
    stop: CancellationToken,
    running: Option<JoinHandle<()>>,
}

impl House {
    /// Opens what lies in a folder; nothing is delivered yet.
    pub(crate) async fn open(folder: &Path) -> Result<Self> {
        let db = Db::open_sqlite(folder, &[base::MIGRATIONS, events::MIGRATIONS], base::db::Options::default())?;
        let received = Arc::new(AtomicU64::new(0));
        let inner = Egress::new(vec!["127.0.0.0/8".parse()?], Origins::default());
        let chance = Arc::new(SystemChance);
        let ports = Ports {
            db: db.clone(),
            http: Arc::new(Counted { inner, received: received.clone() }),
            local: Arc::new(NoHooks),
            keys: Arc::new(KeyRing::open_or_create(&folder.join("keys"), &*chance)?),
            clock: Arc::new(SystemClock),
            chance,
        };
        let options = Options { allow_http_callbacks: true, calls_max: CALLS_MAX, ..Options::default() };
        let events = Events::open(ports, options).await?;
        Ok(House { events, db, received, stop: CancellationToken::new(), running: None })
    }

    /// Begins to deliver.
    pub(crate) fn run(&mut self) {
        self.running = Some(tokio::spawn(self.events.clone().run(self.stop.clone())));
    }

    /// Stops as the program does.
    pub(crate) async fn close(self) -> Result<()> {
        self.stop.cancel();
        if let Some(running) = self.running {
            running.await?;
        }
        Ok(())
    }

    /// Deliveries that were answered with success so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Returns what counts them.
    pub(crate) fn counter(&self) -> impl Fn() -> u64 + Send + 'static {
        let received = self.received.clone();
        move || received.load(Ordering::Relaxed)
    }

    /// Makes subscriptions, the first ones to the first trigger, and so on:
    /// `fan_out` to each.
    pub(crate) async fn subscribe(
        &self,
        count: usize,
        fan_out: usize,
        url: impl Fn(usize) -> String,
    ) -> Result<Vec<SubscriptionId>> {
        let all = futures::stream::iter(0..count).map(|number| {
            let request = NewSubscription {
                name: format!("bench {number}"),
                uri: url(number),
                headers: vec![("Authorization".into(), base::Secret::new("Bearer of-this-receiver"))],
                skip_errors: false,
            };
            let events = self.events.clone();
            async move { Ok(events.create(&owner(), &trigger(number / fan_out), request).await?.id) }
        });
        all.buffered(64).try_collect().await
    }

    /// Appends events to a trigger's log, durably, and returns the last offset.
    pub(crate) async fn append(&self, number: usize, count: usize) -> Result<u64> {
        append(&self.events, &self.db, number, count).await
    }
}

/// Appends events to a trigger's log, durably, and returns the last offset.
pub(crate) async fn append(events: &Arc<Events>, db: &Db<Control>, number: usize, count: usize) -> Result<u64> {
    static KEYS: AtomicU64 = AtomicU64::new(0);
    let first = KEYS.fetch_add(count as u64, Ordering::Relaxed);
    let now = SystemClock.now();
    let new: Vec<NewEvent> = (first..first + count as u64).map(|key| event(key, now)).collect();
    let (engine, log) = (events.clone(), trigger(number));
    let appended = db.write("bench.append", move |tx| engine.append(tx, &log, &new)).await?;
    events.nudge(&trigger(number));
    Ok(appended.last().copied().unwrap_or(Offset::START).0)
}

pub(crate) fn owner() -> Actor {
    Actor::system("bench")
}

pub(crate) fn trigger(number: usize) -> TriggerRef {
    TriggerRef::new("purchasing.orders", format!("late-orders-{number}"))
}

fn event(key: u64, at: Timestamp) -> NewEvent {
    let text = |id: &str, value: String| EventField {
        id: id.into(),
        value: value.into(),
        kind: "STRING".into(),
        is_identifier: false,
    };
    NewEvent {
        // Another process may have appended to this log before.
        key: format!("{}-{key}", std::process::id()),
        identifier: key.to_string(),
        typed_identifier: key.into(),
        fields: vec![text("CITY", "Ulm".into()), text("NOTE", "x".repeat(FILLING))],
        at,
    }
}
