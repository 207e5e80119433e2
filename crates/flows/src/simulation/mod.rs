//! Random lives of flows: documents that nobody would draw, items, schedules
//! and people, answers, time, crashes and failing disks in any order, all of it
//! drawn from one seed.
//!
//! SQLite stands on a disk that fails on purpose (`faulty-disk`): a crash
//! strikes between two turns of any task, or at any write or sync; what nobody
//! had synced is then lost, kept, or torn. The disk runs full for a while, or
//! breaks or cannot be read, which ends the program. The peer may have done what it never got to
//! answer. It keeps a ledger, and in the end every run is told again by a small
//! interpreter of another hand (`reference`):
//!
//! | | property | who checks it |
//! |---|---|---|
//! | P1 | *conservation*: every item that was answered as stored waits on its hook or began one run, and another one after each that failed and gave it back; no run is lost, and its start bundles stay as they were | `World::look`, `World::bring`, `World::judge_items` |
//! | P2 | *once*: an effect whose result is recorded is never performed again, nor one after which the run went on; within one life only what may help is tried again, and no more often than allowed; a call of another flow is one run of it | `Ledger::note`, `World::judge_run`, `World::judge_calls` |
//! | P3 | *doubt*: what is not safe to repeat is repeated only after a decision; who was stopped in peace is in no doubt | `Ledger::note`, `World::stop` |
//! | P4 | *order*: items begin runs in the order of their arrival, no more of them at once than allowed; runs of a sequential flow do not overlap, nor with what is left of one before; a paused flow begins none | `World::judge_order`, `World::judge_sequence`, `World::compare` |
//! | P5 | *timers*: nothing happens before its sleep is over; a schedule that is due starts | `World::judge_run`, `World::heal` |
//! | P6 | *story*: the same requests in the same order with the same contents, the same operations and the same ending as the reference tells, whatever died meanwhile | `World::judge_run` |
//! | P7 | *versions*: a run keeps the version that it began with, and begins with one that was current | `World::see` |
//! | P8 | *liveness*: once disk and peer are well, everything comes to its end; nobody sleeps on who waits for a run that has ended | `World::heal`, `World::see_callers` |
//! | P9 | *keys*: a key means one request for ever, chance and time in it included; an attempt has that of the run before where nobody had answered | `Ledger::note`, `World::judge_run` |
//! | P10 | *ending*: what has ended has ended; nothing is parked | `World::see` |
//! | P11 | *set aside*: a failed bundle that is stored is there under its id with all that it could see; it goes on from its place and no other, one attempt at a time, no sooner and no more often than said, and is open, resolved or deleted in the end as the reference tells | `World::see_incomplete`, `Chains` |
//! | P12 | *told*: whoever waits for the answer of a run is told once, what its run has answered and nothing that a crash takes back; nobody is left waiting | `World::judge_told`, `World::see_nobody_waits` |
//!
//! A life that breaks a promise prints its seed and its tale;
//! `cargo xtask sim flows --seed N` tells it again.

mod author;
mod callers;
mod calls;
mod checks;
mod ground;
mod incomplete;
mod peer;
mod reference;
mod report;
mod returned;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base::testing::databases;
use faulty_disk::Point;
use parking_lot::Mutex;

use report::Report;
use world::World;

/// Seeds of an ordinary test run; `cargo xtask sim` asks for more.
const SEEDS: u64 = 30;
/// Seeds on PostgreSQL, if there is one: so many for each hundred on SQLite.
const SEEDS_ELSEWHERE_PERCENT: u64 = 5;
/// Acts of a life on SQLite, and on PostgreSQL, where each costs more.
const ACTS: usize = 120;
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
fn no_life_loses_a_run_or_does_anything_twice() {
    let begun = std::time::Instant::now();
    let report = live_all(seeds(100), |seed| run(async { World::on_disk(seed).live(ACTS).await }));
    let rate = report.of("lives", "seeds") as f64 / begun.elapsed().as_secs_f64();
    eprintln!("on SQLite, on a disk that fails\n{report}  lost 0, done twice 0; {rate:.0} seeds/s");
}

/// A repeater within a router within an aggregator, with effects of all sorts.
fn nested() -> serde_json::Value {
    let request = |id: u32, method: &str, value: &str| {
        serde_json::json!({
            "id": id, "module": "http:ActionSendData",
            "mapper": {
                "url": format!("https://peer/{{{{executionId}}}}/{id}/{value}"), "method": method, "parseResponse": true,
                "headers": [{"name": "x-luck", "value": "{{random}} {{timestamp}}"}],
            },
        })
    };
    serde_json::json!({
        "name": "nested",
        "metadata": {"version": 1},
        "flow": [
            {"id": 1, "module": "loopwright:Signal", "parameters": {"knowledgeModel": "p.k", "trigger": "T"}},
            {"id": 2, "module": "builtin:BasicRepeater", "mapper": {"repeats": "2"}},
            {"id": 3, "module": "builtin:BasicRouter", "routes": [
                {"flow": [
                    {"id": 4, "module": "builtin:BasicRepeater", "mapper": {"repeats": "2"}},
                    request(5, "put", "{{2.i}}/{{4.i}}"),
                    {"id": 6, "module": "util:FunctionSleep", "mapper": {"duration": 60}},
                    request(7, "post", "{{2.i}}/{{4.i}}/{{5.data.n}}"),
                    {"id": 8, "module": "builtin:BasicAggregator", "parameters": {"feeder": 2},
                        "mapper": {"x": "{{2.i}}-{{4.i}}", "y": "{{7.data.n}}"}},
                    request(9, "get", "{{length(8.array)}}/{{8.array[3].x}}"),
                ]},
                {"flow": [request(10, "post", "{{2.i}}")]},
            ]},
        ],
    })
}

#[test]
fn a_crash_at_any_write_inside_a_repeater_within_a_router_within_an_aggregator_changes_nothing() {
    for point in [Point::Write, Point::Sync] {
        let mut nth = 1;
        while run(World::one_item(nested(), point, nth)) {
            nth += 1;
        }
        assert!(nth > 10, "the run came to its end after {nth} times {point:?}");
        eprintln!("a crash at each of {} times {point:?}: the same story", nth - 1);
    }
}

#[test]
fn nor_does_a_life_of_flows_on_another_engine() {
    // A database for each thread, which its lives share one after the other.
    let made =
        (0..threads()).map(|_| databases::<base::db::Flows>(&[base::MIGRATIONS, crate::MIGRATIONS]).into_iter().nth(1));
    let free: Vec<_> = made.flatten().map(|(_, guard, db)| (Arc::new(guard), db)).collect();
    if free.is_empty() {
        return;
    }
    let free = Mutex::new(free);
    let report = live_all(seeds(SEEDS_ELSEWHERE_PERCENT), |seed| {
        let (guard, db) = free.lock().pop().expect("there is one for each thread");
        let report = run(async { World::on_server(seed, db.clone(), guard.clone()).live(ACTS_ELSEWHERE).await });
        free.lock().push((guard, db));
        report
    });
    eprintln!("on PostgreSQL\n{report}  lost 0, done twice 0");
}

#[test]
fn a_seed_of_flows_tells_the_same_tale_twice() {
    for seed in 0..4 {
        let tale = || run(async { World::on_disk(seed).tale(ACTS).await });
        assert_eq!(tale(), tale(), "seed {seed}");
    }
}
