//! One life: its acts, drawn from its seed.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use base::db::Tx;
use base::{Chance, args};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faulty_disk::{Fault, Point};
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

use super::answers::{ANSWERS, LONGEST_PAUSE};
use super::checks::{Books, Failed};
use super::ground::{Ground, OnDisk};
use super::verbs::policies;
use super::*;
use crate::work::StopWithin;

/// Subscriptions that there are, as long as nothing fails.
const SUBSCRIPTIONS: usize = 4;
const DAY: Duration = Duration::from_hours(24);
/// Notices are followed at every so many checks, and at the last.
const FOLLOW_EVERY: usize = 8;
/// Longer than any life.
const LONG: Duration = Duration::from_hours(100_000);

/// One life.
pub(super) struct World {
    seed: u64,
    chance: SeededChance,
    pub(super) house: House,
    ground: Ground,
    /// Nothing fails but receivers and clocks: for comparisons.
    is_calm: bool,
    pub(super) receivers: Arc<Receivers>,
    pub(super) subscriptions: Vec<SubscriptionId>,
    pub(super) states: BTreeMap<SubscriptionId, &'static str>,
    pub(super) failed: BTreeMap<SubscriptionId, Failed>,
    /// Where the log stands if an append without an answer counts.
    pub(super) unclear_head: Option<u64>,
    pub(super) trimmed: u64,
    pub(super) is_full: bool,
    /// It was, since the last stop.
    was_full: bool,
    /// Notices are kept for ever, and can be followed from the first.
    keeps_notices: bool,
    checks: usize,
    tale: Vec<String>,
    pub(super) report: Report,
}

/// The settings of a life: in every third there are so few slots that somebody
/// has to wait, in one of four little is kept of what waits, and in one of five
/// attempts and notices are removed.
fn options(seed: u64) -> Options {
    // Short enough that lives see events and attempts removed.
    let keep = Duration::from_hours(2);
    let mut options = Options { keep_events: keep, keep_deliveries: keep, ..Options::default() };
    if seed.is_multiple_of(3) {
        (options.calls_max, options.probes_max) = (2, 1);
    }
    if seed % 4 == 1 {
        options.queue_age_max = Duration::from_hours(12);
        options.queue_bytes_max = 4_000;
        options.keep_bytes = 1_000;
    }
    if seed % 5 != 2 {
        options.keep_deliveries = LONG * 2;
    }
    options
}

/// What became of something that was asked of the engine.
pub(super) enum Fate {
    Done,
    /// The engine said no; nothing has changed.
    Refused,
    /// The disk is full; nothing has changed.
    Full,
    /// It counts, or not.
    Unclear,
}

pub(super) fn fate<T>(answer: &Result<T, Error>) -> Fate {
    use base::db::Error as Db;
    match answer {
        Ok(_) => Fate::Done,
        Err(Error::Database(Db::Full)) => Fate::Full,
        Err(Error::Database(Db::BrokenDisk { .. } | Db::Unavailable { .. })) => Fate::Unclear,
        Err(_) => Fate::Refused,
    }
}

impl World {
    pub(super) async fn on_disk(seed: u64) -> World {
        let (ground, db) = OnDisk::build(seed);
        World::begin(seed, Ground::Disk(Box::new(ground)), db).await
    }

    /// Begins a life in a database that others have used before.
    pub(super) async fn on_server(seed: u64, db: Db<Control>, guard: Arc<DatabaseGuard>) -> World {
        guard.clear::<Control>();
        // What a migration writes is cleared with the rest.
        let first = |tx: &mut dyn Tx| tx.execute("INSERT INTO subscription_notice_ids (last) VALUES (0)", args![]);
        db.write("test.first", first).await.expect("an empty database is written to");
        World::begin(seed, Ground::Server(guard), db).await
    }

    async fn begin(seed: u64, ground: Ground, db: Db<Control>) -> World {
        let receivers = Arc::new(Receivers::default());
        let options = options(seed);
        receivers.ledger.lock().calls_max = options.calls_max;
        let keeps_notices = options.keep_deliveries > LONG;
        let house = House::with(db, Box::new(()), receivers.clone(), Arc::new(NoHooks), options, seed).await;
        World {
            seed,
            chance: SeededChance::new(seed),
            house,
            ground,
            is_calm: false,
            receivers,
            subscriptions: Vec::new(),
            states: BTreeMap::new(),
            failed: BTreeMap::new(),
            unclear_head: None,
            trimmed: 0,
            is_full: false,
            was_full: false,
            keeps_notices,
            checks: 0,
            tale: Vec::new(),
            report: Report::default(),
        }
    }

    // A life, told in three ways.

    /// Lives to the end, and says what that came to.
    pub(super) async fn live(mut self, acts: usize) -> Report {
        self.acts(acts).await;
        if asked("LOOPWRIGHT_TEST_SEED").is_some() {
            eprintln!("seed {}:\n  {}", self.seed, self.tale.join("\n  "));
        }
        std::mem::take(&mut self.report)
    }

    /// Lives to the end, and tells what happened.
    pub(super) async fn tale(mut self, acts: usize) -> Vec<String> {
        self.acts(acts).await;
        std::mem::take(&mut self.tale)
    }

    /// Lives without failing disks and sessions, and says what the receivers saw.
    pub(super) async fn history(mut self, acts: usize) -> Vec<String> {
        self.is_calm = true;
        self.acts(acts).await;
        let ledger = self.receivers.ledger.lock();
        let digest = |reader: &Reader| STANDARD.encode(reader.history.clone().finalize());
        ledger.readers.iter().map(|(id, reader)| format!("{id} {}", digest(reader))).collect()
    }

    async fn acts(&mut self, acts: usize) {
        self.check().await;
        for _ in 0..acts {
            self.act().await;
            self.check().await;
        }
        self.heal().await;
        let ledger = self.receivers.ledger.lock();
        let (calls, batches, duplicates, head) = (ledger.calls, ledger.batches, ledger.duplicates, ledger.head);
        drop(ledger);
        for (name, count) in [
            ("seeds", 1),
            ("acts", acts as u64),
            ("calls", calls),
            ("batches", batches),
            ("duplicates", duplicates),
            ("events appended", head),
        ] {
            self.report.count("lives", name, count);
        }
    }

    // Acts.

    pub(super) fn draw(&self, below: u64) -> u64 {
        self.chance.number() % below
    }

    pub(super) fn tell(&mut self, what: impl Into<String>) {
        self.tale.push(what.into());
    }

    async fn act(&mut self) {
        while self.subscriptions.len() < SUBSCRIPTIONS {
            let known = policies();
            let policy = match self.report.of("lives", "subscriptions") as usize {
                // Each life begins with others.
                place if place < SUBSCRIPTIONS => (self.seed as usize + place) % known.len(),
                _ => self.draw(known.len() as u64) as usize,
            };
            if !self.subscribe(known[policy].clone()).await {
                break;
            }
        }
        match self.draw(100) {
            0..22 => self.append().await,
            22..60 => self.answer().await,
            60..62 => self.stop().await,
            62..66 => self.set_clock(),
            66..80 => self.pass(),
            80..82 => self.rest().await,
            82..85 => self.crash("between").await,
            85..90 => self.trouble().await,
            _ => self.verb().await,
        }
        self.step().await;
    }

    /// Lets the engine work; if its disk failed, the program ends and begins again.
    async fn step(&mut self) {
        self.receivers.ledger.lock().now = self.house.clock.now();
        self.house.events.step().await;
        self.complaints();
        let Ground::Disk(ground) = &self.ground else { return };
        if ground.has_ended() {
            let kind = match ground.disk.crashed() {
                Some(Point::Write) => "at a write",
                Some(Point::Sync) => "at a sync",
                Some(Point::Cut | Point::Delete) => "at a cut",
                Some(Point::Read) => unreachable!("no crash strikes at a read"),
                None => "after an I/O error",
            };
            Box::pin(self.crash(kind)).await;
        }
    }

    async fn append(&mut self) {
        let head = self.receivers.ledger.lock().head;
        let count = 1 + self.draw(4);
        // One key in five was there before. (A key that was removed is new.)
        let again = u64::from(self.draw(5) == 0 && head > self.trimmed);
        let keys = head + 1 - again..=head + count;
        self.tell(format!("append {keys:?}"));
        let events: Vec<NewEvent> = keys.clone().map(|key| order(key, self.house.clock.now())).collect();
        let engine = self.house.events.clone();
        let append = self.house.db.write("test.append", move |tx| engine.append(tx, &late_orders(), &events));
        let answer = append.await.map_err(Error::from);
        match fate(&answer) {
            Fate::Done => {
                let appended = answer.expect("it is done");
                let offsets: Vec<u64> = appended.offsets().iter().map(|offset| offset.0).collect();
                if offsets != keys.clone().collect::<Vec<_>>() {
                    broken(Property::Identity, format!("{keys:?} were given the offsets {offsets:?}"));
                }
                self.receivers.ledger.lock().head = head + count;
                // Announcements may get lost; a nudge or a look makes up for it.
                match self.draw(4) {
                    0 => self.house.events.nudge(&late_orders()),
                    _ => self.house.events.announce(appended),
                }
            }
            Fate::Full => self.full(),
            Fate::Unclear => self.unclear(Some(head + count), None).await,
            Fate::Refused => broken(Property::Conservation, format!("an append was refused: {answer:?}")),
        }
    }

    pub(super) fn full(&mut self) {
        self.tell("the disk is full");
        if !self.is_full {
            broken(Property::Conservation, "a disk that has room is called full");
        }
        self.report.count("disk", "refused because it was full", 1);
    }

    /// Something has no answer. On a disk the program ends now. A server is
    /// asked: by a new program, or by one that goes on.
    pub(super) async fn unclear(&mut self, head: Option<u64>, verb_on: Option<SubscriptionId>) {
        self.tell("there is no answer");
        if let Ground::Server(_) = self.ground {
            self.report.count("database", "commits without an answer", 1);
            let goes_on = self.draw(3) > 0;
            if goes_on && let Some(id) = verb_on {
                // The engine has asked, or is about to: it did not count.
                let pen = self.house.events.roster().pen(id).expect("it has a seat");
                let known = pen.try_lock().is_ok();
                if known {
                    self.report.count("database", "of them known not to count", 1);
                    self.receivers.ledger.lock().reader(id).unclear = false;
                    return;
                }
            }
            self.unclear_head = head;
            self.crash("after a commit without an answer").await;
            return;
        }
        self.unclear_head = head;
        let Ground::Disk(ground) = &self.ground else { return };
        if !ground.has_ended() {
            broken(Property::Conservation, "a disk is called broken, and nobody is told");
        }
    }

    /// Lets a receiver answer, or the network before it.
    async fn answer(&mut self) {
        let open = self.receivers.ledger.lock().open.len() as u64;
        if open == 0 {
            return;
        }
        let place = self.draw(open) as usize;
        // In every other life the receivers are in a bad way.
        let way = (self.seed % 2) as usize;
        let mut lot = self.draw(ANSWERS.iter().map(|answer| answer.weights[way]).sum());
        let drawn = ANSWERS.iter().find(|answer| {
            let is_drawn = lot < answer.weights[way];
            lot = lot.saturating_sub(answer.weights[way]);
            is_drawn
        });
        let answer = drawn.expect("the lot is less than the sum of all weights");
        let call = self.receivers.ledger.lock().close(place, answer.received, answer.told);
        self.tell(format!("{} at {:?}: {}", call.subscription, call.extent, answer.name));
        if call.extent.start() < call.extent.end() {
            self.report.been.insert(("a batch", if answer.told { "received" } else { "not received" }));
        }
        self.report.count("network", answer.name, 1);
        call.answer.send((answer.make)()).expect("the engine waits for it");
        self.step().await;
    }

    fn set_clock(&mut self) {
        let (name, to) = match self.draw(4) {
            0 => ("a day ahead", self.house.clock.now().plus(DAY)),
            1 => ("a day back", self.house.clock.now().minus(DAY)),
            _ => ("an hour back", self.house.clock.now().minus(Duration::from_hours(1))),
        };
        self.tell(format!("the clock is set {name}"));
        self.report.count("clock", name, 1);
        self.house.clock.set(to);
        self.receivers.ledger.lock().clock_is_set();
    }

    fn pass(&mut self) {
        const SPANS_MS: [u64; 9] = [1, 50, 50, 1_200, 20_000, 150_000, 150_000, 3_600_000, 5 * 3_600_000];
        let span = Duration::from_millis(SPANS_MS[self.draw(SPANS_MS.len() as u64) as usize]);
        self.tell(format!("{span:?} pass"));
        self.house.clock.advance(span);
    }

    /// Lets everybody be well for some hours, so that what is delivered grows old.
    async fn rest(&mut self) {
        self.tell("all is well for some hours");
        self.report.count("clock", "hours of rest", 3);
        self.receivers.well.store(true, Ordering::SeqCst);
        while !self.receivers.ledger.lock().open.is_empty() {
            let call = self.receivers.ledger.lock().close(0, true, true);
            call.answer.send(Ok(base::testing::reply(200, ""))).expect("the engine waits for it");
            self.step().await;
        }
        for _ in 0..6 {
            self.house.clock.advance(Duration::from_mins(30));
            self.step().await;
        }
        self.receivers.well.store(false, Ordering::SeqCst);
    }

    /// Lets the disk fail in one of its ways, soon; or kills the server's sessions.
    async fn trouble(&mut self) {
        let (kind, nth) = (self.draw(8), self.draw(40) + 1);
        if self.is_calm {
            return;
        }
        let disk = match &self.ground {
            Ground::Disk(ground) => ground.disk.clone(),
            Ground::Server(guard) => {
                let guard = guard.clone();
                self.tell("all sessions are killed");
                self.report.count("database", "sessions killed", 1);
                let cut = tokio::task::spawn_blocking(move || guard.cut_connections());
                // In the middle of a commit, or just beside it.
                match nth % 4 {
                    0 => self.append().await,
                    1 | 2 => self.verb().await,
                    _ => {}
                }
                cut.await.expect("the server cuts connections");
                return;
            }
        };
        let few = nth % 4 + 1;
        match kind {
            0 | 1 => disk.plan(Fault::Crash, Point::Write, nth),
            2 | 3 => disk.plan(Fault::Crash, Point::Sync, few),
            4 => disk.plan(Fault::Broken, Point::Write, nth),
            5 => disk.plan(Fault::Broken, Point::Sync, few),
            6 => {
                self.is_full = !self.is_full;
                self.was_full = true;
                disk.fill(self.is_full);
                self.report.count("disk", if self.is_full { "ran full" } else { "has room again" }, 1);
            }
            _ => {
                let Ground::Disk(ground) = &self.ground else { return };
                // It may meet the fault that is planned; then the program ends,
                // as it does when its own checkpointer meets it.
                let folded = faulty_disk::checkpoint(&ground.database(), nth.is_multiple_of(2));
                if folded.is_err() && !self.is_full {
                    disk.crash();
                }
                self.report.count("disk", "checkpoints", 1);
            }
        }
        self.tell(format!("disk: kind {kind}, {nth}"));
    }

    /// Stops the program as one should, and begins it again: what was answered
    /// stays settled, and nothing of it comes again.
    async fn stop(&mut self) {
        let Ground::Disk(ground) = &self.ground else { return };
        // Nobody can save on a disk that is full, or about to break.
        if self.is_calm || self.is_full || ground.disk.has_plans() {
            return;
        }
        self.tell("stop");
        self.report.count("crashes", "none: stopped", 1);
        // After a refusal the engine waits a moment before it saves again, and
        // here no time passes by itself.
        if std::mem::take(&mut self.was_full) {
            self.house.clock.advance(Duration::from_secs(1));
        }
        let stop = CancellationToken::new();
        stop.cancel();
        let within = StopWithin { calls: Duration::ZERO, saves: Duration::from_mins(1) };
        self.house.events.clone().run_and_stop(stop, within).await;
        self.receivers.ledger.lock().hang_up();
        self.house.crash().await;
        let books = self.read(false).await;
        self.after_crash(&books);
    }

    /// Ends the program and begins it again with what is durable.
    async fn crash(&mut self, kind: &'static str) {
        self.tell(format!("crash {kind}"));
        self.report.count("crashes", kind, 1);
        self.receivers.ledger.lock().forget();
        if let Ground::Disk(ground) = &mut self.ground {
            let tally = ground.disk.tally();
            let (db, remains) = ground.crash();
            for (name, count) in [
                ("writes", tally.writes),
                ("syncs", tally.syncs),
                ("I/O errors", tally.broken),
                ("writes without room", tally.full),
                ("unsynced writes lost", remains.lost),
                ("unsynced writes kept", remains.kept),
                ("torn", remains.torn),
            ] {
                self.report.count("disk", name, count);
            }
            self.house.ports.db = db.clone();
            self.house.db = db;
            self.is_full = false;
        }
        // The last that knows the old database is the old engine.
        self.house.crash().await;
        let books = self.read(false).await;
        self.after_crash(&books);
        for id in books.ids().into_iter().filter(|id| !self.subscriptions.contains(id)) {
            // It was made, and nobody was told: nobody has its secret.
            self.house.events.delete(&actor("root", true), id).await.expect("an administrator may");
        }
        Box::pin(self.step()).await;
    }

    // The books.

    pub(super) async fn read(&self, with_notices: bool) -> Books {
        match self.house.db.read("test.books", move |tx| Books::read(tx, with_notices)).await {
            Ok(books) => books,
            Err(error) => broken(Property::Conservation, format!("the books cannot be read: {error}")),
        }
    }

    async fn check(&mut self) {
        // What was told stays told: it is enough to follow it now and then.
        let books = self.read(self.keeps_notices && self.checks.is_multiple_of(FOLLOW_EVERY)).await;
        self.checks += 1;
        self.books(&books);
        self.arrows();
    }

    /// Lets everything get well, and waits for everybody to catch up.
    async fn heal(&mut self) {
        self.tell("heal");
        // A crash forgets the open calls, and ends whatever was planned for the disk.
        self.receivers.well.store(true, Ordering::SeqCst);
        // Whoever is far behind is given the time to get well.
        let Options { queue_bytes_max, queue_age_max, .. } = Options::default();
        (self.house.options.queue_bytes_max, self.house.options.queue_age_max) = (queue_bytes_max, queue_age_max);
        self.crash("between").await;
        while self.subscriptions.len() < SUBSCRIPTIONS {
            self.subscribe(Policy::default()).await;
        }
        for id in self.subscriptions.clone() {
            let standing = self.house.events.roster().standing(id).expect("it has a seat");
            let again = match standing.state {
                State::Active | State::Failed { .. } => continue,
                State::Paused => self.house.events.resume(&ada(), id).await,
                State::Rejected | State::Suspended { .. } => {
                    self.house.events.update(&ada(), id, request("well")).await
                }
            };
            let mut ledger = self.receivers.ledger.lock();
            let reader = ledger.reader(id);
            reader.silent = false;
            reader.first_seen.clear();
            reader.generation = again.expect("the diagram has this arrow").standing.generation;
            self.states.insert(id, "active");
        }
        // Whose events were all taken out by hand is tried again with the next.
        self.append().await;
        // The longest pause, for those who wait for a time that the clock has
        // gone back from.
        for _ in 0..LONGEST_PAUSE.as_secs().div_ceil(360) {
            self.house.clock.advance(Duration::from_mins(6));
            self.step().await;
        }
        // Those with a limit have no more than their calls per second.
        let head = Offset(self.receivers.ledger.lock().head);
        for _ in 0..head.0 {
            let cursor = |id| self.house.events.roster().standing(id).map(|standing| standing.cursor);
            if self.subscriptions.iter().all(|id| cursor(*id) == Some(head)) {
                break;
            }
            self.house.clock.advance(Duration::from_secs(1));
            self.step().await;
        }
        self.house.clock.advance(Duration::from_millis(50));
        self.step().await;
        self.check().await;
        // What they have caught up with is durable.
        self.crash("between").await;
        self.checks = 0;
        self.check().await;
        for id in self.subscriptions.clone() {
            let listed = self.house.events.get(&ada(), id).await.expect("it is there");
            let standing = listed.subscription.standing;
            if (standing.state, listed.queued, standing.cursor) != (State::Active, 0, head) {
                broken(Property::Liveness, format!("{id}: it did not catch up with {head}: {standing:?}"));
            }
        }
    }
}

/// Prints the seed and the tale of a life that ended in a panic.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}:\n  {}", self.seed, self.tale.join("\n  "));
        }
    }
}
