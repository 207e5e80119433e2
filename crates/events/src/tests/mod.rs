//! The tests of this crate, and the small house that they live in: a new
//! database, a clock that moves when told, seeded chance, a scripted network.

mod transitions;
mod pace;
mod schedule;
mod lanes;
mod windows;
mod batches;
mod tables;
mod delivery;
mod verbs;
mod no_answer;
mod notices;
mod retention;
mod looking_on;
mod receivers;
mod simulation;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use base::actor::ActorKind;
use base::chance::SeededChance;
use base::db::{Control, Db};
use base::http::Http;
use base::secret::KeyRing;
use base::testing::ScriptedHttp;
use base::time::SimClock;
use base::{Actor, Causes, Clock, Timestamp};
use serde_json::json;

use crate::*;

/// Everything that a test needs to play with an engine.
struct House {
    /// Keeps the database alive.
    _guard: Box<dyn Any + Send>,
    db: Db<Control>,
    clock: Arc<SimClock>,
    ports: Ports,
    /// What the engine is opened with again after a crash.
    options: Options,
    events: Arc<Events>,
}

impl House {
    async fn build(http: Arc<dyn Http>, local: Arc<dyn LocalSink>) -> House {
        // Every commit is synced, and a simulation has not the time to wait
        // for a disk; where there is memory that looks like one, it is used.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
        let migrations = [base::MIGRATIONS, MIGRATIONS];
        let db = Db::open_sqlite(folder.path(), &migrations, base::db::Options::default());
        House::on(db.expect("a new database opens"), Box::new(folder), http, local).await
    }

    async fn on(db: Db<Control>, guard: Box<dyn Any + Send>, http: Arc<dyn Http>, local: Arc<dyn LocalSink>) -> House {
        House::with(db, guard, http, local, Options::default(), 1).await
    }

    async fn with(
        db: Db<Control>,
        guard: Box<dyn Any + Send>,
        http: Arc<dyn Http>,
        local: Arc<dyn LocalSink>,
        options: Options,
        seed: u64,
    ) -> House {
        let clock = Arc::new(SimClock::default());
        let chance = Arc::new(SeededChance::new(seed));
        let keys = Arc::new(KeyRing::generate(&*chance));
        let notifier = Arc::new(LogNotifier);
        let ports = Ports { db: db.clone(), http, local, notifier, keys, clock: clock.clone(), chance };
        let events = Events::open(ports.clone(), options.clone()).await.expect("an empty database opens");
        House { _guard: guard, db, clock, ports, options, events }
    }

    /// Makes a house whose network answers the probe of one subscription and
    /// then what the test scripts.
    async fn scripted() -> (House, Arc<ScriptedHttp>) {
        let http = Arc::new(ScriptedHttp::default());
        let house = House::build(http.clone(), Arc::new(NoHooks)).await;
        http.push(405, "");
        (house, http)
    }

    /// Drops the engine with all that it has not saved, and opens another one
    /// on the same database.
    async fn crash(&mut self) {
        let opened = Events::open(self.ports.clone(), self.options.clone()).await;
        self.events = opened.expect("the database opens again");
    }

    async fn append(&self, keys: impl IntoIterator<Item = u64>) -> Vec<Offset> {
        let events: Vec<NewEvent> = keys.into_iter().map(|key| order(key, self.clock.now())).collect();
        let engine = self.events.clone();
        let append = self.db.write("test.append", move |tx| engine.append(tx, &late_orders(), &events));
        let appended = append.await.expect("events are appended");
        let offsets = appended.offsets().to_vec();
        self.events.announce(appended);
        offsets
    }

    async fn subscribe(&self) -> SubscriptionId {
        self.events.create(&ada(), &late_orders(), request("orders")).await.expect("a subscription is made").id
    }

    async fn standing(&self, id: SubscriptionId) -> Standing {
        self.events.get(&ada(), id).await.expect("the subscription is there").subscription.standing
    }

    async fn skips(&self, id: SubscriptionId) -> Vec<Skipped> {
        let page = self.events.skips(&ada(), id, Paging::default()).await.expect("skips");
        page.content.into_iter().map(|shown| shown.skipped).collect()
    }

    /// Lets time pass, saves what is waiting, and does what has become due.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.events.step().await;
    }

    /// Waits for the next group commit.
    async fn save(&self) {
        self.pass(Duration::from_millis(50)).await;
    }
}

fn late_orders() -> TriggerRef {
    TriggerRef::new("purchasing.orders", "late-orders")
}

fn ada() -> Actor {
    actor("ada", false)
}

fn actor(id: &str, administrator: bool) -> Actor {
    Actor { id: id.into(), name: id.to_uppercase(), kind: ActorKind::User, administrator, causes: Causes::NONE }
}

fn request(name: &str) -> NewSubscription {
    NewSubscription {
        name: name.into(),
        uri: "https://receiver.example/in?key=1".into(),
        headers: vec![("Authorization".into(), base::Secret::new("Bearer t0ken"))],
        skip_errors: false,
    }
}

fn order(key: u64, at: Timestamp) -> NewEvent {
    NewEvent {
        key: format!("order {key}"),
        identifier: key.to_string(),
        typed_identifier: json!(key),
        fields: vec![
            EventField { id: "ORDER_ID".into(), value: json!(key), kind: "INT".into(), is_identifier: true },
            EventField { id: "CITY".into(), value: json!("Ulm"), kind: "STRING".into(), is_identifier: false },
        ],
        at,
    }
}
