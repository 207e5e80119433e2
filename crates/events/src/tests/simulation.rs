//! Random lives of subscriptions: verbs, answers, time, clocks that are set,
//! crashes and failing disks in any order, all of it drawn from one seed.
//!
//! SQLite stands on a disk that fails on purpose (`faulty-disk`): a crash
//! strikes between two acts, or at any write or sync; what nobody had synced is
//! then lost, kept, or torn. The disk runs full for a while, or breaks, which
//! ends the program. PostgreSQL has its sessions killed. Receivers may have
//! received what they never got to acknowledge. After every act the books are
//! checked against what the receivers saw:
//!
//! | | property | who checks it |
//! |---|---|---|
//! | P1 | *conservation*: what was answered as appended is there after every crash, wholly; every event up to the cursor was acknowledged or stands on record as passed over; all later ones are in the log; no receiver sees what was not durable | `checks::books`, `checks::after_crash`, `World::append`, `Ledger::note` |
//! | P2 | *order*: within a generation, events are first seen in the order of their offsets, one call at a time | `Ledger::note` |
//! | P3 | *identity*: an offset has one id and one byte string for ever, and a key one offset | `Ledger::note`, `World::append` |
//! | P4 | *cursor*: it passes nothing without success or record (with P1), and what was acknowledged is sent again only after a crash or for a replay | `checks::books`, `Ledger::note` |
//! | P5 | *states*: a verb is accepted exactly where the diagram has an arrow, and leads where it points; by itself a subscription takes no other arrows; what was answered is not undone | `World::verb`, `checks::arrows`, `checks::after_crash` |
//! | P6 | *silence*: after a pause, a suspension or a delete is answered, no call starts | `Ledger::note`, `checks::after_crash` |
//! | P7 | *liveness*: once disk and receivers are well, everybody catches up, and it is durable | `World::heal` |
//! | P8 | *eight hours*: a failed subscription is suspended then, and not before | `checks::arrows` |
//! | P9 | *signature*: every call bears a signature for every secret that is valid | `Ledger::note` |
//! | P11 | *bounds*: no more calls than slots, no more within a second than the limit and what was saved up, no more events in one than were asked for, and what failed in a batch comes alone | `Ledger::note`, `Reader::paced` |
//! | P14 | *telling*: every change of a state has its notice in the same commit, once; alerts are raised when they are due | `World::telling`, `checks::arrows` |
//!
//! A life that breaks a promise prints its seed and its tale;
//! `cargo xtask sim events --seed N` tells it again. `docs/proofs.md` has more.

mod answers;
mod checks;
mod ground;
mod report;
mod verbs;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base::testing::{DatabaseGuard, databases};
use parking_lot::Mutex;

use super::receivers::{Reader, Receivers};
use super::*;

use report::{Report, broken};
use world::World;

pub(super) use report::Property;

/// Seeds of an ordinary test run; `cargo xtask sim` asks for more.
const SEEDS: u64 = 60;
/// Seeds on PostgreSQL, if there is one: so many for each hundred on SQLite.
const SEEDS_ELSEWHERE_PERCENT: u64 = 10;
/// Acts of a life on SQLite, and on PostgreSQL, where each costs more.
const ACTS: usize = 100;
const ACTS_ELSEWHERE: usize = 40;

/// Reads a number that `cargo xtask sim` hands over.
#[expect(clippy::disallowed_methods, reason = "tests have no configuration but such variables")]
fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to live: one that was asked for, or as many as were asked for.
fn seeds(percent: u64) -> std::ops::Range<u64> {
    match (asked("LOOPWRIGHT_TEST_SEED"), asked("LOOPWRIGHT_TEST_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, count) => 0..(count.unwrap_or(SEEDS) * percent).div_ceil(100),
    }
}

/// Runs something to its end on a runtime of one thread.
fn run<T>(life: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(life)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Lives some lives, on as many threads as the machine has, and returns what
/// they came to. The first that breaks a promise ends the test.
fn live_all(seeds: std::ops::Range<u64>, live: impl Fn(u64) -> Report + Sync) -> Report {
    let (next, sum, failed) = (AtomicU64::new(seeds.start), Mutex::new(Report::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end || failed.load(Ordering::SeqCst) {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| live(seed))) {
                        Ok(report) => sum.lock().add(&report),
                        Err(_) => failed.store(true, Ordering::SeqCst),
                    }
                }
            });
        }
    });
    let lived = sum.lock().of("lives", "seeds");
    assert!(!failed.load(Ordering::SeqCst), "a life broke a promise, after {lived} that did not; see its tale above");
    sum.into_inner()
}

#[test]
fn no_life_loses_an_event_or_its_order() {
    let report = live_all(seeds(100), |seed| run(async { World::on_disk(seed).await.live(ACTS).await }));
    eprintln!("on SQLite, on a disk that fails\n{report}  lost 0, order violations 0");
    if report.of("lives", "seeds") < SEEDS {
        return;
    }
    // A simulation that never comes to a place proves nothing about it.
    for verb in ["delete", "extract", "pause", "replay", "resume", "resume from latest", "skip", "update"] {
        for state in ["active", "failed", "paused", "rejected", "suspended"] {
            assert!(report.been.contains(&(verb, state)), "nobody ever tried to {verb} while {state}");
        }
    }
    for (what, how) in
        [("fall behind", "suspended"), ("alert", "failed"), ("a batch", "received"), ("a batch", "not received")]
    {
        assert!(report.been.contains(&(what, how)), "{what}, {how}: nobody ever came there");
    }
    for crash in ["between", "at a write", "at a sync", "after an I/O error", "none: stopped"] {
        assert!(report.of("crashes", crash) > 0, "nobody ever crashed {crash}");
    }
    for answer in &answers::ANSWERS {
        assert!(report.of("network", answer.name) > 0, "nobody ever answered: {}", answer.name);
    }
}

#[test]
fn nor_does_a_life_on_another_engine() {
    // A database for each thread, which its lives share one after the other.
    let made = (0..threads()).map(|_| databases::<Control>(&[base::MIGRATIONS, MIGRATIONS]).into_iter().nth(1));
    let free: Vec<_> = made.flatten().map(|(_, guard, db)| (Arc::new(guard), db)).collect();
    if free.is_empty() {
        return;
    }
    let free = Mutex::new(free);
    let report = live_all(seeds(SEEDS_ELSEWHERE_PERCENT), |seed| {
        let (guard, db) = free.lock().pop().expect("there is one for each thread");
        let report = run(async { World::on_server(seed, db.clone(), guard.clone()).await.live(ACTS_ELSEWHERE).await });
        free.lock().push((guard, db));
        report
    });
    eprintln!("on PostgreSQL, whose sessions are killed\n{report}  lost 0, order violations 0");
}

#[test]
fn a_seed_tells_the_same_tale_twice() {
    for seed in 0..8 {
        let tale = || run(async { World::on_disk(seed).await.tale(ACTS).await });
        assert_eq!(tale(), tale(), "seed {seed}");
    }
}

/// P13, as far as there are engines: the same calls, in the same order.
#[test]
fn every_engine_shows_receivers_the_same_history() {
    for (engine, guard, db) in databases(&[base::MIGRATIONS, MIGRATIONS]).into_iter().skip(1) {
        let guard = Arc::new(guard);
        for seed in 0..3 {
            let here = run(async { World::on_disk(seed).await.history(ACTS_ELSEWHERE).await });
            let there =
                run(async { World::on_server(seed, db.clone(), guard.clone()).await.history(ACTS_ELSEWHERE).await });
            assert_eq!(here, there, "seed {seed} on {engine}");
        }
    }
}
