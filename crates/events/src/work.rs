//! The engine: acts on what the roster says, and brings the outcomes back.
//!
//! Two sets of futures are under way at any time: *calls* to receivers, and
//! *chores* on the database. [`Events::run`] waits for the next of them, for a
//! nudge, or for the roster's next alarm, whichever comes first.
//! [`Events::step`] is the same engine for a test that holds the clock: it does
//! all that is due now, waits for the database but for no receiver and no time,
//! and returns.

use std::sync::Arc;
use std::time::Duration;

use base::db::{Control, Db, Error, Tx};
use base::{BoxFuture, Timestamp};
use futures::future::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::diagram::Outcome;
use crate::event::{Event, Offset};
use crate::events::{Events, Options, Ports};
use crate::notifying;
use crate::outlet::Finished;
use crate::retention::{self, Watched};
use crate::roster::{Group, Order, READ_EVENTS};
use crate::tables::{self, Keep, LogId, LogRow};

/// Rows that one closure of the tidying removes at most.
const TIDY_ROWS: u64 = 1_000;
/// Notices are kept at least so long.
const NOTICES_KEPT_MIN: Duration = Duration::from_hours(48);
/// While the program stops, it is looked this often whether all is saved.
const LAST_LOOK_EVERY: Duration = Duration::from_millis(50);
/// The longest wait on the machine's own timer: if somebody sets the wall
/// clock, alarms follow it within this time.
const NAP_MAX: Duration = Duration::from_secs(10);

/// How long the end may take, from when the program is told to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopWithin {
    /// For calls that are in flight.
    pub(crate) calls: Duration,
    /// For what they brought, and what came before: what is not saved by then
    /// is delivered once more.
    pub(crate) saves: Duration,
}

impl Default for StopWithin {
    fn default() -> Self {
        StopWithin { calls: Duration::from_secs(5), saves: Duration::from_mins(1) }
    }
}

/// What is under way.
#[derive(Default)]
pub(crate) struct Engine {
    calls: FuturesUnordered<BoxFuture<'static, Finished>>,
    chores: FuturesUnordered<BoxFuture<'static, Done>>,
}

/// A chore that came to an end.
enum Done {
    Read { log: LogId, after: Offset, read: Result<(LogRow, Vec<Event>), Error> },
    Saved { group: Group, saved: Result<(), Error> },
    Looked(Result<Vec<LogRow>, Error>),
    Tidied(Result<(), Error>),
    Watched(Result<Watched, Error>),
    Told(Result<Option<Timestamp>, Error>),
}

impl Events {
    /// Delivers until told to stop; then lets calls in flight end, for a few
    /// seconds at most, and saves what they brought, however slow the disk is.
    /// Only one `run` works at a time; another one waits for it.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.run_and_stop(stop, StopWithin::default()).await;
    }

    pub(crate) async fn run_and_stop(self: Arc<Self>, stop: CancellationToken, within: StopWithin) {
        let mut engine = self.engine.lock().await;
        loop {
            self.turn(&mut engine);
            let nap = self.roster().wakes_at().since(self.now()).min(NAP_MAX);
            let Engine { calls, chores } = &mut *engine;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(done) = chores.next() => self.bring_back(done),
                Some(finished) = calls.next() => self.all_finished(finished, calls),
                () = self.nudged.notified() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
        self.wind_down(&mut engine, within).await;
    }

    /// Does all that is due now, and returns when there is nothing left to
    /// wait for but receivers and time. Chores are done one after the other:
    /// the same steps write the same things in the same order.
    pub async fn step(&self) {
        let mut engine = self.engine.lock().await;
        loop {
            let orders = self.roster().turn(self.now());
            let is_idle = orders.is_empty() && engine.chores.is_empty();
            for order in orders {
                self.end_chores(&mut engine).await;
                self.begin(&mut engine, [order]);
            }
            self.end_chores(&mut engine).await;
            if !is_idle {
                continue;
            }
            if let Some(Some(finished)) = engine.calls.next().now_or_never() {
                self.finished(finished);
            } else {
                return;
            }
        }
    }

    async fn end_chores(&self, engine: &mut Engine) {
        while let Some(done) = engine.chores.next().await {
            self.bring_back(done);
        }
    }

    /// Starts nothing new, and saves what is still coming back. Calls are not
    /// waited for without an end; but what has come back was received, and
    /// would be delivered twice if it were not saved.
    async fn wind_down(&self, engine: &mut Engine, within: StopWithin) {
        let began = tokio::time::Instant::now();
        loop {
            let order = self.roster().last_turn(self.now());
            self.begin(engine, order);
            let waited = began.elapsed();
            let all_is_back = engine.calls.is_empty() && engine.chores.is_empty();
            if all_is_back || waited >= within.calls {
                if self.roster().all_is_saved() {
                    break;
                }
                if waited >= within.saves {
                    tracing::error!("deliveries could not be saved in time; they will be made again");
                    break;
                }
            }
            let Engine { calls, chores } = &mut *engine;
            tokio::select! {
                biased;
                Some(done) = chores.next() => self.bring_back(done),
                Some(finished) = calls.next() => self.all_finished(finished, calls),
                // A verb may hold a seat, or the database may want a pause.
                () = tokio::time::sleep(LAST_LOOK_EVERY) => {}
            }
        }
        if !engine.calls.is_empty() {
            tracing::warn!(calls = engine.calls.len(), "calls in flight are cut off; they will be made again");
        }
    }

    fn turn(&self, engine: &mut Engine) {
        let orders = self.roster().turn(self.now());
        self.begin(engine, orders);
    }

    fn begin(&self, engine: &mut Engine, orders: impl IntoIterator<Item = Order>) {
        for order in orders {
            match order {
                Order::Call(call) => engine.calls.push(call.make(self.ports.clone()).boxed()),
                order => engine.chores.push(self.chore(order)),
            }
        }
    }

    fn chore(&self, order: Order) -> BoxFuture<'static, Done> {
        let db = self.ports.db.clone();
        let options = self.options.clone();
        let now = self.now();
        match order {
            Order::Call(_) => unreachable!("calls are no chores"),
            Order::Read { log, after, bytes_max } => async move {
                let read = move |tx: &mut dyn Tx| tables::read_log_within(tx, log, after, READ_EVENTS, bytes_max);
                let read = db.read("events.read_log", read).await;
                Done::Read { log, after, read }
            }
            .boxed(),
            Order::Save(group) => async move {
                let progress = group.progress.clone();
                let saved = db.write("events.save", move |tx| tables::save_progress(tx, &progress)).await;
                Done::Saved { group, saved }
            }
            .boxed(),
            Order::Look => async move { Done::Looked(db.read("events.look", tables::logs).await) }.boxed(),
            Order::Tidy => async move { Done::Tidied(tidy(&db, &options, now).await) }.boxed(),
            Order::Watch => async move { Done::Watched(retention::watch(&db, &options, now).await) }.boxed(),
            Order::Tell => {
                let Ports { notifier, clock, .. } = self.ports.clone();
                async move { Done::Told(notifying::tell(db, notifier, clock).await) }.boxed()
            }
        }
    }

    fn bring_back(&self, done: Done) {
        let now = self.now();
        match done {
            Done::Read { log, after, read } => self.roster().read(log, after, read, now),
            Done::Saved { group, saved } => {
                let tells = group.progress.iter().any(|progress| !progress.notices.is_empty());
                self.roster().saved(group, saved, now);
                if tells {
                    self.has_told();
                }
            }
            Done::Looked(looked) => self.roster().looked(looked, now),
            Done::Tidied(tidied) => {
                self.roster().tidied(now);
                if let Err(error) = tidied {
                    tracing::warn!(%error, "old events could not be removed; it is tried again");
                }
            }
            Done::Watched(watched) => {
                let watched = watched.unwrap_or_else(|error| {
                    tracing::warn!(%error, "the queues cannot be looked at; it is tried again");
                    Watched::default()
                });
                self.roster().watched(&watched.overdue, now);
                if watched.told {
                    self.has_told();
                }
            }
            Done::Told(told) => {
                let next = told.unwrap_or_else(|error| {
                    tracing::warn!(%error, "notices could not be sent; it is tried again");
                    Some(now.plus(self.options.notice_every))
                });
                self.roster().told(next);
            }
        }
    }

    /// Takes a call that has ended, and whoever has ended meanwhile: a turn of
    /// the roster for each would be many turns for little.
    fn all_finished(&self, finished: Finished, calls: &mut FuturesUnordered<BoxFuture<'static, Finished>>) {
        self.finished(finished);
        while let Some(Some(finished)) = calls.next().now_or_never() {
            self.finished(finished);
        }
    }

    fn finished(&self, finished: Finished) {
        // Chance costs a call to the operating system; who succeeds needs none.
        let luck = match finished.outcome {
            Outcome::Delivered => 0.0,
            _ => self.ports.chance.fraction(),
        };
        self.roster().finished(finished, luck, self.now());
    }
}

/// Removes delivered events, attempts and notices that are older than they
/// need to be, a piece at a time, so that nobody waits behind it for long.
async fn tidy(db: &Db<Control>, options: &Options, now: Timestamp) -> Result<(), Error> {
    let keep = Keep { since: now.minus(options.keep_events), bytes_max: options.keep_bytes };
    for log in db.read("events.logs", tables::logs).await? {
        by_pieces(db, "events.trim", move |tx| tables::trim(tx, log.log, keep, TIDY_ROWS)).await?;
    }
    let before = now.minus(options.keep_deliveries);
    by_pieces(db, "events.forget", move |tx| tables::forget_deliveries(tx, before, TIDY_ROWS)).await?;
    // That something of today was told must be known until the day is over.
    let before = now.minus(options.keep_deliveries.max(NOTICES_KEPT_MIN));
    by_pieces(db, "events.forget_notices", move |tx| tables::forget_notices(tx, before, TIDY_ROWS)).await
}

/// Removes rows until a piece comes out short.
async fn by_pieces(
    db: &Db<Control>,
    name: &'static str,
    remove: impl Fn(&mut dyn Tx) -> Result<u64, Error> + Clone + Send + 'static,
) -> Result<(), Error> {
    while db.write(name, remove.clone()).await? == TIDY_ROWS {}
    Ok(())
}
