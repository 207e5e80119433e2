//! One life: its acts, drawn from its seed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::chance::SeededChance;
use base::db::{self, Db};
use base::secret::KeyRing;
use base::time::SimClock;
use base::{Actor, Clock, args};
use faulty_disk::{Fault, Point};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::author::{self, Lots, Manner, Starts};
use super::callers::{Callers, Circumstances};
use super::checks::RunBook;
use super::ground::{Ground, Life};
use super::incomplete::{Desk, RETRY_MINUTES};
use super::peer::{Ledger, Peer};
use super::reference::Reply;
use super::report::{Property, Report, broken};
use crate::error::Error;
use crate::flow::FlowState;
use crate::flows::{Decision, Flows, Options};
use crate::hook::Accepted;
use crate::limits::Limits;
use crate::run::RunId;
use crate::work::DATABASE_RETRY;

/// Runs of a life at most, before it is let come to its end.
const RUNS_MAX: usize = 40;
/// Rounds in which everybody must come to an end.
const HEAL_ROUNDS: usize = 4_000;
/// Turns that a task needs for anything that does not wait.
pub(super) const ENOUGH: u64 = 400;

/// One life.
pub(super) struct World {
    seed: u64,
    pub(super) lots: Lots,
    ground: Ground,
    life: Life,
    lives: u32,
    pub(super) db: Db<db::Flows>,
    pub(super) clock: Arc<SimClock>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) options: Options,
    pub(super) engine: Arc<Flows>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    pub(super) flows: Vec<FlowBook>,
    pub(super) runs: BTreeMap<RunId, RunBook>,
    pub(super) desk: Desk,
    pub(super) callers: Callers,
    by_hand: u64,
    is_full: bool,
    /// Nothing fails.
    is_calm: bool,
    tale: Vec<String>,
    pub(super) report: Report,
}

/// What was answered about a flow.
pub(super) struct FlowBook {
    pub(super) key: String,
    pub(super) manner: Manner,
    /// Documents by their hash.
    pub(super) versions: BTreeMap<String, Json>,
    /// Versions that a run may have been started with since the last look.
    pub(super) current: Vec<String>,
    pub(super) active: bool,
    /// Items that were answered as stored: 1 to this number.
    pub(super) stored: u64,
    /// The next item was brought, and nobody knows what became of it.
    pub(super) unclear: bool,
    /// So many of them had begun runs when it was paused.
    pub(super) frozen: Option<u64>,
    /// When its schedule was switched on last.
    pub(super) anchor: base::Timestamp,
}

pub(super) fn root() -> Actor {
    Actor::system("simulation")
}

impl World {
    pub(super) fn on_disk(seed: u64) -> World {
        let (ground, db) = Ground::on_disk(seed);
        World::begin(seed, ground, db)
    }

    /// Begins a life in a database that others have used before.
    pub(super) fn on_server(seed: u64, db: Db<db::Flows>, guard: Arc<base::testing::DatabaseGuard>) -> World {
        let (ground, db) = Ground::on_server(db, guard);
        World::begin(seed, ground, db)
    }

    fn begin(seed: u64, ground: Ground, db: Db<db::Flows>) -> World {
        let lots = Lots::new(seed);
        let (clock, ledger) = (Arc::new(SimClock::default()), Arc::new(Mutex::new(Ledger::default())));
        let options = Options {
            // In every fourth life there is room for two runs only.
            concurrency: if seed % 4 == 1 { 2 } else { 16 },
            // In some, no machine stays in memory, so that each wake is a replay.
            warm_max: if seed % 3 == 1 { 0 } else { 1_024 },
            steps_at_once: if seed % 5 == 1 { 3 } else { 1_000 },
            grace: Duration::from_secs(if seed.is_multiple_of(2) { 0 } else { 3_600 }),
            // The peer takes its time, and how long is not what is tested here.
            limits: Limits {
                working_time_max: Duration::from_hours(1_000_000),
                incomplete_max: if seed % 4 == 2 { 1 + seed / 4 % 2 } else { 1_000 },
                retry_delays: RETRY_MINUTES.map(Duration::from_mins).to_vec(),
                ..Limits::default()
            },
            // A server takes its time.
            pauses: matches!(ground, Ground::Disk(_)).then(Arc::default),
            ..Options::default()
        };
        let life = ground.life();
        let (engine, stop, task) = open(seed, 0, &db, &life, &clock, &ledger, &options);
        let mut world = World {
            seed,
            lots,
            ground,
            life,
            lives: 0,
            db,
            clock,
            ledger,
            options,
            engine,
            stop,
            task,
            flows: Vec::new(),
            runs: BTreeMap::new(),
            desk: Desk::default(),
            callers: Callers::default(),
            by_hand: 0,
            is_full: false,
            is_calm: false,
            tale: Vec::new(),
            report: Report::default(),
        };
        for number in 0..=world.lots.below(3) {
            let manner = Manner::draw(&world.lots);
            world.add_flow(format!("f{number}"), manner);
        }
        // Flows call only those that stand behind them.
        for number in 0..world.lots.below(3) {
            let manner = Manner::of_called(&world.lots);
            world.add_flow(format!("called{number}"), manner);
        }
        world
    }

    pub(super) fn add_flow(&mut self, key: String, manner: Manner) {
        self.flows.push(FlowBook {
            key,
            manner,
            versions: BTreeMap::new(),
            current: Vec::new(),
            active: false,
            stored: 0,
            unclear: false,
            frozen: None,
            anchor: base::Timestamp::FAR_FUTURE,
        });
    }

    // A life, told in two ways.

    /// Lives to the end, and says what that came to.
    pub(super) async fn live(mut self, acts: usize) -> Report {
        self.acts(acts).await;
        if super::asked("LOOPWRIGHT_TEST_SEED").is_some() {
            eprintln!("seed {}:\n  {}", self.seed, self.tale.join("\n  "));
        }
        std::mem::take(&mut self.report)
    }

    /// Lives to the end, and tells what happened.
    pub(super) async fn tale(mut self, acts: usize) -> Vec<String> {
        self.acts(acts).await;
        std::mem::take(&mut self.tale)
    }

    async fn acts(&mut self, acts: usize) {
        // Whoever calls is switched on when there is somebody to be called.
        for place in (0..self.flows.len()).rev() {
            self.publish(place, None).await;
            self.switch(place, true).await;
        }
        for _ in 0..acts {
            self.act().await;
            let turns = if self.lots.one_in(3) { self.lots.below(12) } else { self.lots.below(ENOUGH) };
            self.turns(turns).await;
        }
        self.heal().await;
        self.judge().await;
        for (name, count) in [("seeds", 1), ("acts", acts as u64), ("programs", u64::from(self.lives) + 1)] {
            self.report.count("lives", name, count);
        }
        let ledger = self.ledger.lock();
        let effects: usize = ledger.runs.values().map(Vec::len).sum();
        for (name, count) in
            [("calls", ledger.calls), ("done", effects as u64), ("asked again, with the same key", ledger.repeated)]
        {
            self.report.count("effects", name, count);
        }
    }

    pub(super) fn tell(&mut self, what: impl Into<String>) {
        self.tale.push(what.into());
    }

    async fn act(&mut self) {
        let place = self.lots.below(self.flows.len() as u64) as usize;
        match self.lots.below(110) {
            0..24 => self.bring(place).await,
            24..30 => self.run_once(place).await,
            30..58 => self.answer(),
            58..70 => self.pass(),
            70..74 => self.publish(place, None).await,
            74..78 => {
                let on = !self.flows[place].active;
                self.switch(place, on).await;
            }
            78..84 => self.decide().await,
            84..86 => self.cancel().await,
            86..90 => self.crash("between").await,
            90..92 => self.stop().await,
            92..94 => self.look("now and then").await,
            100..108 => self.retry(place).await,
            108..110 => self.close(place).await,
            _ => self.trouble().await,
        }
    }

    /// Lets the engine take some turns, and looks whether it still lives.
    pub(super) async fn turns(&mut self, turns: u64) {
        for turn in 0..turns {
            tokio::task::yield_now().await;
            if let (Ground::Server { .. }, 0) = (&self.ground, turn % 20) {
                // There others do the work, and take their time.
                let waited = self.db.write("simulation.wait", |_| Ok::<_, db::Error>(())).await;
                waited.expect("the server answers");
            }
            if self.life.is_over() {
                break;
            }
        }
        self.complaints();
        if self.life.is_over() {
            let kind = match &self.ground {
                Ground::Disk(ground) => match ground.disk.crashed() {
                    Some(Point::Write) => "at a write",
                    Some(Point::Sync) => "at a sync",
                    Some(Point::Cut | Point::Delete) => "at a cut",
                    Some(Point::Read) => unreachable!("no crash strikes at a read"),
                    None => "after an I/O error",
                },
                Ground::Server { .. } => "between",
            };
            Box::pin(self.crash(kind)).await;
        }
    }

    /// Ends the life if the peer has something to complain about.
    fn complaints(&self) {
        if let Some((property, what)) = self.ledger.lock().complaints.first() {
            broken(*property, what);
        }
    }

    // Verbs.

    /// Sorts what a verb came to: done, or not; where that is not known, the
    /// program has ended.
    pub(super) fn fate<T>(&mut self, what: &str, answer: Result<T, Error>) -> Fate<T> {
        match answer {
            Ok(done) => Fate::Done(done),
            Err(_) if self.life.is_over() => {
                self.tell(format!("{what}: there is no answer"));
                Fate::Unclear
            }
            Err(Error::Database(db::Error::Full)) => {
                if !self.is_full {
                    broken(Property::Conservation, "a disk that has room is called full");
                }
                self.report.count("disk", "refused because it was full", 1);
                Fate::Not
            }
            Err(error) => broken(Property::Conservation, format!("{what} was refused: {error}")),
        }
    }

    /// Brings the next item, or one that was there before.
    pub(super) async fn bring(&mut self, place: usize) {
        let flow = &self.flows[place];
        let is_busy = self.runs.len() > RUNS_MAX && !self.is_calm;
        let (Starts::Signal { .. }, false) = (flow.manner.starts, is_busy) else { return };
        let (hook, stored, unclear) = (format!("flow.{}", flow.key), flow.stored, flow.unclear);
        let is_again = stored > 0 && !unclear && self.lots.one_in(6);
        let item = if is_again { 1 + self.lots.below(stored) } else { stored + 1 };
        let waits = !is_again && !unclear && (self.is_calm || self.lots.one_in(3));
        self.tell(format!("bring item {item} to {hook}{}", if waits { ", and wait" } else { "" }));
        if waits {
            self.wait_for(place, item);
        }
        let answer = self.engine.accept(&hook, &item.to_string(), payload(item)).await;
        let flow = &self.flows[place];
        if flow.current.is_empty() && matches!(answer, Err(Error::UnknownHook { .. })) {
            self.hang_up(place, item);
            return;
        }
        match self.fate("accept", answer) {
            Fate::Done(accepted) => {
                let may_be_known = is_again || unclear;
                if (accepted == Accepted::Known && !may_be_known) || (accepted == Accepted::Stored && is_again) {
                    broken(Property::Conservation, format!("item {item} of {hook} is {accepted:?}"));
                }
                let flow = &mut self.flows[place];
                flow.stored = flow.stored.max(item);
                flow.unclear = false;
                self.report.count("verbs", "items", 1);
            }
            Fate::Not => self.hang_up(place, item),
            Fate::Unclear => self.flows[place].unclear |= !is_again,
        }
    }

    async fn run_once(&mut self, place: usize) {
        let flow = &self.flows[place];
        // By hand somebody may overtake those who wait in order.
        if flow.manner.sequential || flow.current.is_empty() || self.runs.len() > RUNS_MAX {
            return;
        }
        let key = flow.key.clone();
        self.tell(format!("run {key} by hand"));
        self.by_hand += 1;
        let input = json!({"n": self.lots.below(4), "list": [1, 0], "byHand": self.by_hand});
        let answer = self.engine.run_once(&root(), &key, input).await;
        if let Fate::Done(run) = self.fate("run_once", answer) {
            let version = self.flows[place].current.clone();
            self.runs.insert(run, RunBook::expected(&key, version));
            self.report.count("verbs", "runs by hand", 1);
        }
    }

    /// Publishes a new version, under the runs of the old one.
    pub(super) async fn publish(&mut self, place: usize, document: Option<Json>) {
        let behind = self.flows[place + 1..].iter().filter(|flow| flow.manner.starts == Starts::Call);
        let callable: Vec<String> = behind.map(|flow| flow.key.clone()).collect();
        let document = document.unwrap_or_else(|| author::write(&self.lots, self.flows[place].manner, &callable));
        let (key, text) = (self.flows[place].key.clone(), document.to_string());
        let hash = crate::program::hash_of(&text);
        self.tell(format!("publish {key}: {text}"));
        self.flows[place].versions.insert(hash.clone(), document);
        let put = self.engine.put(&root(), &key, &text).await;
        let Fate::Done(notices) = self.fate("put", put) else { return };
        if let Some(error) = notices.iter().find(|notice| notice.severity == crate::flow::Severity::Error) {
            panic!("what was drawn does not run: {error}: {text}");
        }
        // A run may begin with it as soon as that is asked for.
        self.flows[place].current.push(hash.clone());
        let answer = self.engine.publish(&root(), &key).await;
        match self.fate("publish", answer) {
            Fate::Done(_) => self.report.count("verbs", "publish", 1),
            Fate::Not => {
                self.flows[place].current.pop();
            }
            Fate::Unclear => {}
        }
    }

    /// Switches a flow on or off.
    pub(super) async fn switch(&mut self, place: usize, on: bool) {
        let key = self.flows[place].key.clone();
        self.tell(format!("{} {key}", if on { "activate" } else { "deactivate" }));
        let now = self.clock.now();
        let answer = match on {
            true => self.engine.activate(&root(), &key).await.map(|_| ()),
            false => self.engine.deactivate(&root(), &key).await,
        };
        if matches!(answer, Err(Error::NotPublished { .. } | Error::UnknownFlow { .. })) {
            return;
        }
        match self.fate("switch", answer) {
            Fate::Done(()) => {
                self.report.count("verbs", if on { "activate" } else { "deactivate" }, 1);
                let flow = &mut self.flows[place];
                flow.active = on;
                flow.frozen = None;
                flow.anchor = now;
                if !on {
                    // What was under way may still begin.
                    self.turns(ENOUGH).await;
                    self.look("when a flow is paused").await;
                    let taken = self.taken(place);
                    let flow = &mut self.flows[place];
                    flow.frozen = Some(taken).filter(|_| !flow.active);
                }
            }
            Fate::Not => {}
            // Whichever it is, the next look tells.
            Fate::Unclear => self.flows[place].frozen = None,
        }
    }

    /// Decides about a run that is held, if there is one.
    async fn decide(&mut self) {
        self.look("before a decision").await;
        let held: Vec<RunId> = self.runs.iter().filter(|(_, run)| run.is_held).map(|(id, _)| *id).collect();
        if held.is_empty() {
            return;
        }
        let run = *self.lots.pick(&held);
        let decision = if self.lots.one_in(3) { Decision::Abandon } else { Decision::Repeat };
        self.take_decision(run, decision).await;
    }

    async fn take_decision(&mut self, run: RunId, decision: Decision) {
        self.tell(format!("{decision:?} {run}"));
        if decision == Decision::Repeat {
            *self.ledger.lock().permits.entry(run.to_string()).or_default() += 1;
        }
        let answer = self.engine.decide(&root(), run, decision).await;
        match self.fate("decide", answer) {
            Fate::Done(()) => {
                self.report.count("verbs", if decision == Decision::Repeat { "repeat" } else { "abandon" }, 1);
                let book = self.runs.get_mut(&run).expect("it is known");
                book.is_held = false;
                book.is_abandoned |= decision == Decision::Abandon;
            }
            Fate::Not => drop(self.ledger.lock().permits.remove(&run.to_string())),
            Fate::Unclear => {
                let book = self.runs.get_mut(&run).expect("it is known");
                book.is_unclear = true;
            }
        }
    }

    /// Cancels a run that has not ended, if there is one.
    async fn cancel(&mut self) {
        self.look("before somebody cancels").await;
        let open: Vec<RunId> = self.runs.iter().filter(|(_, run)| !run.has_ended()).map(|(id, _)| *id).collect();
        if open.is_empty() {
            return;
        }
        let run = *self.lots.pick(&open);
        self.tell(format!("cancel {run}"));
        let answer = self.engine.cancel(&root(), run).await;
        if matches!(answer, Err(Error::HasEnded { .. })) {
            return;
        }
        self.runs.get_mut(&run).expect("it is known").may_be_cancelled = true;
        if let Fate::Done(()) = self.fate("cancel", answer) {
            self.ledger.lock().cancel(&run.to_string());
            let called = self.called_by(run).await;
            self.runs.get_mut(&run).expect("it is known").called_at_most = called;
            self.report.count("verbs", "cancel", 1);
        }
    }

    // The peer, time, and what goes wrong.

    /// Answers some of those who wait.
    fn answer(&mut self) {
        for _ in 0..=self.lots.below(3) {
            let open = self.ledger.lock().open.len() as u64;
            if open > 0 {
                self.answer_one(self.lots.below(open) as usize);
            }
        }
    }

    fn answer_one(&mut self, place: usize) {
        let n = self.lots.below(4);
        let (name, with) = match self.lots.below(15) {
            0 => ("404", Reply::Number { status: 404, n }),
            1 => ("503", Reply::Number { status: 503, n }),
            2 | 12.. => ("none", Reply::Nothing),
            3 => ("garbage", Reply::Garbage { status: *self.lots.pick(&[200, 500]) }),
            4 if self.lots.one_in(3) => ("endless", Reply::Endless),
            _ => ("200", Reply::Number { status: 200, n }),
        };
        self.ledger.lock().answer(place, with, self.clock.now());
        self.tell(format!("answer {name}"));
        self.report.count("answers", name, 1);
    }

    fn pass(&mut self) {
        let seconds = *self.lots.pick(&[1, 1, 5, 29, 60, 250, 900]);
        self.tell(format!("{seconds} s pass"));
        self.report.count("clock", "seconds", seconds);
        self.clock.advance(Duration::from_secs(seconds));
        self.time_has_passed();
    }

    /// Tells the engine, which waits for nobody's clock.
    fn time_has_passed(&self) {
        if let Some(pauses) = &self.options.pauses {
            pauses.notify_waiters();
        }
        self.engine.nudge.notify_one();
    }

    /// Lets the disk fail in one of its ways, soon.
    async fn trouble(&mut self) {
        let (kind, nth) = (self.lots.below(9), self.lots.below(30) + 1);
        let Ground::Disk(ground) = &self.ground else { return };
        if self.is_calm {
            return;
        }
        self.tale.push(format!("disk: kind {kind}, {nth}"));
        let (disk, few) = (ground.disk.clone(), nth % 5 + 1);
        match kind {
            0 | 1 => disk.plan(Fault::Crash, Point::Write, nth),
            2..5 => disk.plan(Fault::Crash, Point::Sync, few),
            5 => disk.plan(Fault::Broken, if nth % 2 == 0 { Point::Write } else { Point::Sync }, few),
            // What cannot be read must not be taken for what is not there.
            8 => {
                disk.plan(Fault::Broken, Point::Read, few);
                self.report.count("disk", "cannot be read", 1);
                for _ in 0..3 {
                    self.answer();
                    self.pass();
                    self.bring(0).await;
                    self.turns(50).await;
                }
                // What looks on is not to be struck.
                disk.plan(Fault::Broken, Point::Read, u64::MAX);
            }
            6 => {
                disk.fill(true);
                self.is_full = true;
                self.report.count("disk", "ran full", 1);
                for _ in 0..3 {
                    self.bring(0).await;
                    self.answer();
                    self.turns(50).await;
                }
                self.make_room().await;
            }
            _ => {
                let folded = faulty_disk::checkpoint(&ground.database(), nth.is_multiple_of(2));
                if folded.is_err() {
                    disk.crash();
                }
                self.report.count("disk", "checkpoints", 1);
            }
        }
    }

    async fn make_room(&mut self) {
        if !std::mem::take(&mut self.is_full) {
            return;
        }
        if let Ground::Disk(ground) = &self.ground {
            ground.disk.fill(false);
        }
        // Whoever was refused tries again after a while.
        match &self.options.pauses {
            Some(pauses) => pauses.notify_waiters(),
            None => tokio::time::sleep(DATABASE_RETRY + Duration::from_millis(5)).await,
        }
        self.turns(ENOUGH).await;
    }

    /// Ends the program and begins it again with what is durable.
    pub(super) async fn crash(&mut self, kind: &'static str) {
        self.tell(format!("crash {kind}"));
        self.report.count("crashes", kind, 1);
        let (db, remains) = self.ground.crash();
        for (name, count) in [("unsynced lost", remains.lost), ("unsynced kept", remains.kept), ("torn", remains.torn)]
        {
            self.report.count("disk", name, count);
        }
        self.is_full = false;
        self.drop_callers().await;
        self.task.abort();
        let _ = (&mut self.task).await;
        self.ledger.lock().open.clear();
        self.open(db);
        // The tasks of the old engine go with it.
        tokio::task::yield_now().await;
        self.look("after a crash").await;
        self.turns(30).await;
    }

    /// Stops the program as one should, and begins it again.
    async fn stop(&mut self) {
        if self.is_full {
            return;
        }
        self.tell("stop");
        // Whoever is in doubt since a crash before is found by then.
        self.turns(2 * ENOUGH).await;
        let is_clear = self.ledger.lock().open.len() + 4 < self.options.concurrency;
        self.report.count("crashes", "none: stopped", 1);
        self.hear(Circumstances::AtWork).await;
        let lets_end = !self.options.grace.is_zero();
        self.stop.cancel();
        if !lets_end {
            // Whoever waits no time waits a moment of the machine's clock.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for _ in 0..100 * ENOUGH {
            if self.task.is_finished() || self.life.is_over() {
                break;
            }
            if lets_end && !self.ledger.lock().open.is_empty() {
                self.ledger.lock().answer(0, Reply::Number { status: 200, n: 1 }, self.clock.now());
            }
            self.turns_of_stop().await;
        }
        self.complaints();
        self.hear(Circumstances::Stopping).await;
        if self.life.is_over() {
            self.turns(1).await;
            return;
        }
        if !self.task.is_finished() {
            broken(Property::Liveness, "the engine was told to stop, and goes on");
        }
        let was_held = self.runs.values().filter(|run| run.is_held).count();
        let was_unclear = self.runs.values().any(|run| run.is_unclear);
        let (db, _) = match &mut self.ground {
            // What a stop leaves is what lies there.
            ground @ Ground::Disk(_) => ground.crash(),
            Ground::Server { db, .. } => (db.clone(), faulty_disk::Remains::default()),
        };
        self.ledger.lock().open.clear();
        self.look_is_clean(db, lets_end && is_clear && !was_unclear, was_held).await;
    }

    async fn turns_of_stop(&self) {
        tokio::task::yield_now().await;
        if let Ground::Server { .. } = self.ground {
            let _ = self.db.write("simulation.wait", |_| Ok::<_, db::Error>(())).await;
        }
    }

    /// Begins again after a stop: who was let come to an end is in no doubt.
    async fn look_is_clean(&mut self, db: Db<db::Flows>, is_clean: bool, held_before: usize) {
        let held_unseen = match is_clean {
            true => self.engine.counts().await.map_or(u64::MAX, |counts| counts.held),
            false => u64::MAX,
        };
        self.open(db);
        tokio::task::yield_now().await;
        let life = self.lives;
        self.turns(ENOUGH).await;
        self.look("after a stop").await;
        let held = self.runs.values().filter(|run| run.is_held).count();
        let before = u64::max(held_unseen, held_before as u64);
        if is_clean && self.lives == life && held as u64 > before {
            broken(Property::Doubt, "a run is in doubt though the engine was stopped in peace");
        }
    }

    fn open(&mut self, db: Db<db::Flows>) {
        self.lives += 1;
        self.life = self.ground.life();
        (self.engine, self.stop, self.task) =
            open(self.seed, self.lives, &db, &self.life, &self.clock, &self.ledger, &self.options);
        self.db = db;
    }

    /// Lets everything get well, and waits for everybody to come to an end.
    async fn heal(&mut self) {
        self.tell("heal");
        self.is_calm = true;
        self.make_room().await;
        self.crash("between").await;
        {
            let mut ledger = self.ledger.lock();
            ledger.is_well = true;
            ledger.recovers_in = 4 * self.lots.below(20);
            while !ledger.open.is_empty() {
                ledger.answer(0, Reply::Number { status: 200, n: 3 }, self.clock.now());
            }
        }
        for place in 0..self.flows.len() {
            let manner = self.flows[place].manner;
            if manner.returns {
                self.publish(place, Some(author::write_mended(manner))).await;
            } else if self.flows[place].current.is_empty() {
                self.publish(place, None).await;
            }
            if self.flows[place].unclear {
                self.bring(place).await;
            }
            self.switch(place, true).await;
        }
        self.turns(ENOUGH).await;
        self.look("when all is well").await;
        // A schedule that is on is heard of.
        let scheduled = |world: &World, place: usize| {
            let key = &world.flows[place].key;
            world.runs.values().filter(|run| run.flow == *key && run.started_by == "schedule").count()
        };
        for place in 0..self.flows.len() {
            let Starts::Schedule { seconds } = self.flows[place].manner.starts else { continue };
            let before = scheduled(self, place);
            self.clock.advance(Duration::from_secs(seconds));
            self.time_has_passed();
            // Elsewhere than on the disk, others take their time; only the clock of
            // the life stands still.
            for _ in 0..20 {
                self.turns(ENOUGH).await;
                self.look("when a schedule is due").await;
                if scheduled(self, place) > before || self.flows[place].manner.sequential {
                    break;
                }
            }
            if scheduled(self, place) == before && !self.flows[place].manner.sequential {
                broken(Property::Timers, format!("{}: its time came, and it did not start", self.flows[place].key));
            }
            self.switch(place, false).await;
        }
        // Some are waited for until the end, and some of those are cancelled.
        for place in 0..self.flows.len() {
            self.bring(place).await;
            self.bring(place).await;
            self.turns(self.lots.below(60)).await;
            if self.lots.one_in(4) {
                self.cancel().await;
            }
        }
        self.come_to_an_end().await;
        self.see_nobody_waits().await;
        // What they have come to is durable.
        self.crash("between").await;
        self.look("at the end").await;
    }

    /// Tells whether, in one moment, nothing runs and nothing waits.
    async fn is_quiet(&self) -> bool {
        let sql = "SELECT (SELECT COUNT(*) FROM runs WHERE state <> 'ended') + \
                   (SELECT COUNT(*) FROM hook_items WHERE run IS NULL)";
        let read = self.db.read("simulation.is_quiet", move |tx| {
            tx.query_one(sql, args![])?.map(|row| row.get::<u64>(0)).transpose()
        });
        read.await.is_ok_and(|left| left == Some(0))
    }

    /// Lets time pass until nothing runs, is held or waits; who is held may repeat.
    async fn come_to_an_end(&mut self) {
        for round in 0.. {
            self.turns(ENOUGH).await;
            // What waits is read first: an item that is taken between the two
            // is then counted twice. The other way round it would be nowhere.
            let (Ok(flows), Ok(counts)) = (self.engine.list().await, self.engine.counts().await) else { continue };
            let waiting: u64 = flows.iter().map(|flow| flow.waiting).sum();
            // A flow that has failed too often was switched off.
            for flow in flows.iter().filter(|flow| flow.waiting > 0 && !matches!(flow.state, FlowState::Active)) {
                let place = self.flows.iter().position(|known| known.key == flow.key).expect("it is known");
                self.switch(place, true).await;
            }
            let under_way = counts.running + counts.held;
            let open = self.see_to_incomplete().await;
            // A run that gave its item back between the two is in neither.
            if under_way + waiting == 0 && open == 0 && self.is_quiet().await {
                break;
            }
            if round > HEAL_ROUNDS {
                let text = format!("{counts:?}, {waiting} items and {open} executions never came to their end");
                broken(Property::Liveness, text);
            }
            if counts.held > 0 {
                self.look("for decisions").await;
                let held: Vec<RunId> = self.runs.iter().filter(|(_, run)| run.is_held).map(|(id, _)| *id).collect();
                for run in held {
                    self.take_decision(run, Decision::Repeat).await;
                }
            }
            self.clock.advance(Duration::from_mins(2));
            self.time_has_passed();
        }
    }

    /// Lives for one item of one flow, on a disk that crashes at the `nth`
    /// operation of a kind. Tells whether it came to that.
    pub(super) async fn one_item(document: Json, point: Point, nth: u64) -> bool {
        let (seed, manner) = (
            0,
            Manner {
                starts: Starts::Signal { results_max: 1 },
                sequential: false,
                retries: 0,
                stores: false,
                returns: false,
            },
        );
        let mut world = World::on_disk(seed);
        world.flows.clear();
        world.add_flow("f".into(), manner);
        world.publish(0, Some(document)).await;
        world.switch(0, true).await;
        world.ledger.lock().is_well = true;
        let Ground::Disk(ground) = &world.ground else { unreachable!("it was made so") };
        let disk = ground.disk.clone();
        disk.plan(Fault::Crash, point, nth);
        world.bring(0).await;
        world.turns(ENOUGH).await;
        if world.flows[0].unclear {
            world.bring(0).await;
        }
        world.come_to_an_end().await;
        world.look("at the end").await;
        world.judge().await;
        if world.runs.len() != 1 {
            broken(Property::Conservation, format!("one item began {} runs", world.runs.len()));
        }
        disk.crashed().is_some()
    }
}

/// What became of a verb.
pub(super) enum Fate<T> {
    Done(T),
    Not,
    Unclear,
}

pub(super) fn payload(item: u64) -> Json {
    json!({"item": item, "n": item % 4, "list": [2, 0, item % 3]})
}

/// Starts an engine.
fn open(
    seed: u64,
    number: u32,
    db: &Db<db::Flows>,
    life: &Life,
    clock: &Arc<SimClock>,
    ledger: &Arc<Mutex<Ledger>>,
    options: &Options,
) -> (Arc<Flows>, CancellationToken, JoinHandle<()>) {
    let peer = Arc::new(Peer { life: life.clone(), number, clock: clock.clone(), ledger: ledger.clone() });
    let keys = Arc::new(KeyRing::generate(&SeededChance::new(1)));
    let chance = Arc::new(SeededChance::new(seed.wrapping_mul(1_000_003) + u64::from(number)));
    let engine = Arc::new(Flows::new(db.clone(), peer, keys, clock.clone(), chance, options.clone()));
    let stop = CancellationToken::new();
    let task = tokio::spawn(engine.clone().run(stop.clone()));
    (engine, stop, task)
}

/// Prints the seed and the tale of a life that ended in a panic.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}:\n  {}", self.seed, self.tale.join("\n  "));
        }
    }
}
