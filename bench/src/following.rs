//! From a commit, or from an instant that is reached, to the fired signals.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use base::chance::SeededChance;
use base::db::{Control, Db, Options, Tx};
use base::time::SimClock;
use base::{Actor, BoxFuture, Timestamp};
use events::{Appended, TriggerRef};
use mining::{DataModels, Error, Mining, Outbox, Signal};
use pools::DataModel;

use crate::process::{self, Chance, Event, START};
use crate::tables::Generated;
use crate::{SEED, data_model, figure, memory};

const PUSHES: usize = 200;
const ROWS_PER_PUSH: usize = 300;
const TRIGGERS: usize = 20;

/// In microseconds.
const DAY: i64 = 86_400_000_000;

struct OneModel;

impl DataModels for OneModel {
    fn find<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<DataModel, Error>> {
        Box::pin(async { Ok(data_model()) })
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Outbox for Counting {
    fn append(&self, _: &mut dyn Tx, signals: &[Signal]) -> Result<Option<Appended>, Error> {
        self.0.fetch_add(signals.len() as u64, Ordering::Relaxed);
        Ok(signals.first().map(|signal| Appended::nothing(&TriggerRef::new(&signal.knowledge_model, &signal.trigger))))
    }

    fn announce(&self, _: Appended) {}
}

/// Triggers that look at the case alone, at its vendor, and at the clock.
fn knowledge_model(triggers: usize) -> String {
    let mut filters = String::new();
    let mut ids = String::new();
    for number in 0..triggers {
        let activity = process::ACTIVITIES[number % 12];
        let pql = match number % 4 {
            0 => format!(r#"PU_LAST("ORDERS", "EV"."ACT") = '{activity}' AND "VENDOR"."RATING" > 2"#),
            1 => format!(r#"PU_COUNT("ORDERS", "EV"."ACT", "EV"."ACT" = '{activity}') > 2"#),
            2 => format!(r#"PU_SUM("ORDERS", "EV"."COST") > {}"#, 6_000 + 100 * number),
            _ => format!(
                r#"PU_LAST("ORDERS", "EV"."ACT") = '{activity}' AND DAYS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) > {}"#,
                700 + number
            ),
        };
        writeln!(filters, "  - {{ id: F{number}, pql: '{}' }}", pql.replace('\'', "''")).expect("a string takes it");
        writeln!(ids, "  - {{ id: T{number}, record: ORDER, filterIds: [F{number}], itemLimit: 100000000 }}")
            .expect("a string takes it");
    }
    head() + "filters:\n" + &filters + "triggers:\n" + &ids
}

fn head() -> String {
    "metadata: { key: km }\ndataModelId: orders\nrecords:\n  - id: ORDER\n    pql: '\"ORDERS\"'\n    \
     identifier: { id: CASE, pql: '\"ORDERS\".\"CASE\"' }\n"
        .to_owned()
}

struct Bench {
    folder: tempfile::TempDir,
    tables: Arc<Generated>,
    outbox: Arc<Counting>,
    mining: Mining,
}

impl Bench {
    async fn start(tables: Generated, knowledge_model: &str, now: i64) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let migrations = [base::MIGRATIONS, mining::MIGRATIONS];
        let options = Options { read_time_max: Duration::from_mins(10), ..Options::default() };
        let db = Db::<Control>::open_sqlite(folder.path(), &migrations, options)?;
        let (tables, outbox) = (Arc::new(tables), Arc::new(Counting::default()));
        let clock = Arc::new(SimClock::at(Timestamp::from_micros(now)));
        let chance = Arc::new(SeededChance::new(1));
        let mining = Mining::new(db, tables.clone(), Arc::new(OneModel), outbox.clone(), clock, chance);
        let actor = Actor::system("bench");
        let draft = mining.put_draft(&actor, "p", knowledge_model).await?;
        mining.set_clock(&actor, &draft.id, Timestamp::from_micros(now), 0.0).await?;
        mining.publish(&actor, &draft.id).await?;
        Ok(Bench { folder, tables, outbox, mining })
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Measures pushes of 300 rows into a log of a size, with 20 triggers.
pub(crate) fn pushes(events: usize) -> Result<()> {
    let log = process::Log::new(SEED, events);
    let (cases, end) = (log.cases, log.end);
    let tables = Generated::new(vec![
        ("EV", process::events(&log)),
        ("ORDERS", process::orders(SEED, cases)),
        ("VENDOR", process::vendors()),
    ]);
    drop(log);
    runtime()?.block_on(async {
        let start = Instant::now();
        let bench = Bench::start(tables, &knowledge_model(TRIGGERS), end).await?;
        figure("20 triggers published", start.elapsed().as_secs_f64(), "s", None);
        let mut chance = Chance::new(SEED + 7);
        let mut waits = Vec::new();
        for push in 0..PUSHES {
            let rows: Vec<Event> = (0..ROWS_PER_PUSH)
                .map(|_| Event {
                    // Now and then a case that is new.
                    case: chance.below(cases + cases / 50 + 1),
                    activity: chance.below(12) as u8,
                    user: chance.below(300) as u16,
                    time: end + (push as i64) * 1_000_000,
                    cost: chance.below(900) as u16,
                })
                .collect();
            let rows = process::push(&rows);
            let start = Instant::now();
            bench.tables.push(rows);
            bench.mining.catch_up().await?;
            waits.push(start.elapsed().as_secs_f64() * 1_000.0);
        }
        waits.sort_by(f64::total_cmp);
        figure("push to signal p50", waits[PUSHES / 2], "ms", None);
        figure("push to signal p99", waits[PUSHES * 99 / 100], "ms", None);
        figure("signals", bench.outbox.0.load(Ordering::Relaxed) as f64, "", None);
        figure("whole process, following", memory("VmRSS") / events as f64, "bytes/event", None);
        figure("flush of the disk", flush(bench.folder.path())?, "ms", None);
        Ok(())
    })
}

/// Measures how long the disk takes to make a few bytes durable.
fn flush(folder: &std::path::Path) -> Result<f64> {
    use std::io::Write as _;
    let mut file = std::fs::File::create(folder.join("flush"))?;
    let mut waits = Vec::new();
    for _ in 0..100 {
        let start = Instant::now();
        file.write_all(&[0; 4_096])?;
        file.sync_data()?;
        waits.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    waits.sort_by(f64::total_cmp);
    Ok(waits[50])
}

/// Measures an instant at which some of the open cases become due.
pub(crate) fn tick(cases: u32, due: u32) -> Result<()> {
    // The first ones have waited since the same instant, the others wait on.
    let time = |case: u32| if case < due { START } else { START + 10 * DAY + i64::from(case) * 1_000_000 };
    let event = |case: u32| Event { case, activity: 0, user: 0, time: time(case), cost: 0 };
    let events: Vec<Event> = (0..cases).map(event).collect();
    let tables = Generated::new(vec![
        ("EV", process::push(&events)),
        ("ORDERS", process::orders(SEED, cases)),
        ("VENDOR", process::vendors()),
    ]);
    let filter = r#"DAYS_BETWEEN(PU_LAST("ORDERS", "EV"."TS"), NOW()) > 30"#;
    let text = head()
        + &format!("filters:\n  - {{ id: F, pql: '{filter}' }}\n")
        + "triggers:\n  - { id: T, record: ORDER, filterIds: [F], itemLimit: 100000000, caps: { perCommit: null, perMinute: null } }\n";
    runtime()?.block_on(async {
        let now = START + 30 * DAY - 1_000_000;
        let start = Instant::now();
        let bench = Bench::start(tables, &text, now).await?;
        figure("a million open cases watched", start.elapsed().as_secs_f64(), "s", None);
        let now = Timestamp::from_micros(now + DAY);
        let start = Instant::now();
        bench.mining.set_clock(&Actor::system("bench"), "p.km", now, 0.0).await?;
        figure("tick", start.elapsed().as_secs_f64() * 1_000.0, "ms", None);
        figure("signals", bench.outbox.0.load(Ordering::Relaxed) as f64, "", None);
        Ok(())
    })
}
