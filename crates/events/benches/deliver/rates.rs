//! Rates: how many in a second, by the clock on the wall and by processor time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use events::Offset;
use tokio::task::JoinSet;

use crate::Scale;
use crate::figures::{CORES, Goal, Limit, Table, cpu_seconds, say};
use crate::house::{House, append, owner};
use crate::limit::Loops;
use crate::receiver::{Receiver, Record};

/// Subscriptions that call at the same time, and connections of the bare loop.
const CALLERS: usize = 200;
/// Subscriptions to receivers that take their time.
const SLOW_CALLERS: usize = 2_500;
/// Events appended at once.
const BATCH: usize = 100;

/// What happened in a window of time.
struct Window {
    count: f64,
    seconds: f64,
    sender_cpu: f64,
    receiver_cpu: f64,
}

impl Window {
    fn rate(&self) -> f64 {
        self.count / self.seconds
    }

    /// What two cores would do that have nothing else to do, the receiver's
    /// time not counted.
    fn by_sender_cpu(&self) -> f64 {
        self.count / self.sender_cpu.max(0.01) * CORES
    }

    /// The same with the receiver on these two cores.
    fn by_all_cpu(&self) -> f64 {
        self.count / (self.sender_cpu + self.receiver_cpu).max(0.01) * CORES
    }
}

async fn window(receiver: &Receiver, length: Duration, counted: impl Fn() -> u64) -> Result<Window> {
    let us = std::process::id();
    // What begins is slower than what runs.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let (begun, count) = (Instant::now(), counted());
    let (sender_cpu, receiver_cpu) = (cpu_seconds(us)?, receiver.cpu()?);
    tokio::time::sleep(length).await;
    let (seconds, count) = (begun.elapsed().as_secs_f64(), (counted() - count) as f64);
    let (sender_cpu, receiver_cpu) = (cpu_seconds(us)? - sender_cpu, receiver.cpu()? - receiver_cpu);
    Ok(Window { count, seconds, sender_cpu, receiver_cpu })
}

pub(crate) async fn limit(receiver: &Receiver, scale: Scale, table: &mut Table) -> Result<()> {
    let loops = Loops::start(receiver, CALLERS).await?;
    let window = window(receiver, scale.window, || loops.answered()).await?;
    table.limit = Some(Limit { rate: window.by_all_cpu(), by_cpu: window.by_sender_cpu() });
    tell(table, "bare loop", &window, Goal::None, Goal::None);
    Ok(())
}

fn tell(table: &mut Table, what: &str, window: &Window, rate: Goal, by_cpu: Goal) {
    let limit = table.limit;
    let physics = |part: fn(Limit) -> f64| limit.map(part);
    table.add(&format!("{what}, as it ran here"), "/s", window.rate(), rate, None);
    table.add(
        &format!("{what}, two whole cores, receiver on them"),
        "/s",
        window.by_all_cpu(),
        rate,
        physics(|l| l.rate),
    );
    table.add(
        &format!("{what}, receiver's time not counted"),
        "/s",
        window.by_sender_cpu(),
        by_cpu,
        physics(|l| l.by_cpu),
    );
    table.add(
        &format!("{what}, processor time each, sender"),
        "µs",
        window.sender_cpu / window.count * 1e6,
        Goal::None,
        None,
    );
    table.add(
        &format!("{what}, processor time each, receiver"),
        "µs",
        window.receiver_cpu / window.count * 1e6,
        Goal::None,
        None,
    );
}

/// Appends to logs in turn, in batches, but never so much that more than a few
/// seconds of work wait.
pub(crate) fn feed(house: &House, logs: usize, fan_out: usize, backlog_max: u64) -> JoinSet<Result<()>> {
    let mut feeder = JoinSet::new();
    let (events, db) = (house.events.clone(), house.db.clone());
    let received = house.counter();
    feeder.spawn(async move {
        let mut queued = 0;
        loop {
            for log in 0..logs {
                append(&events, &db, log, BATCH).await?;
                queued += (BATCH * fan_out) as u64;
                while queued.saturating_sub(received()) > backlog_max {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
    });
    feeder
}

pub(crate) async fn fan_out(
    receiver: &Receiver,
    folder: &Path,
    scale: Scale,
    fan_out: usize,
    table: &mut Table,
) -> Result<()> {
    let mut house = House::open(folder).await?;
    house.subscribe(CALLERS, fan_out, |number| receiver.url("instant", number)).await?;
    house.run();
    let backlog = (2 * BATCH * CALLERS) as u64;
    let mut feeder = feed(&house, CALLERS / fan_out, fan_out, backlog);
    let window = window(receiver, scale.window, || house.received()).await?;
    feeder.shutdown().await;
    house.close().await?;
    in_order(&receiver.records()?)?;
    let (good, by_cpu) = match fan_out {
        10 => (Goal::AtLeast(12_000.0, 25_000.0), Goal::AtLeast(20_000.0, 40_000.0)),
        _ => (Goal::None, Goal::None),
    };
    tell(table, &format!("deliveries, fan-out {fan_out}, durable"), &window, good, by_cpu);
    Ok(())
}

pub(crate) async fn slow(receiver: &Receiver, folder: &Path, scale: Scale, table: &mut Table) -> Result<()> {
    let mut house = House::open(folder).await?;
    house.subscribe(SLOW_CALLERS, 50, |number| receiver.url("slow", number)).await?;
    for log in 0..SLOW_CALLERS / 50 {
        house.append(log, BATCH).await?;
    }
    house.run();
    let mut feeder = feed(&house, SLOW_CALLERS / 50, 50, 2 * (SLOW_CALLERS * BATCH) as u64);
    let window = window(receiver, scale.window, || house.received()).await?;
    feeder.shutdown().await;
    house.close().await?;
    in_order(&receiver.records()?)?;
    let goal = Goal::AtLeast(8_000.0, 20_000.0);
    table.add("deliveries, receivers take 100 ms, 2,500 at once, as it ran here", "/s", window.rate(), goal, None);
    table.add("deliveries, receivers take 100 ms, two whole cores", "/s", window.by_all_cpu(), goal, None);
    Ok(())
}

/// Fails if a receiver saw an event, for the first time, after a later one.
pub(crate) fn in_order(records: &[Record]) -> Result<()> {
    let mut last = std::collections::HashMap::new();
    for record in records {
        let last = last.entry(record.who).or_insert(0);
        ensure!(record.offset == *last + 1, "receiver {} saw {} after {last}", record.who, record.offset);
        *last = record.offset;
    }
    Ok(())
}

pub(crate) async fn ingest(folder: &Path, scale: Scale, table: &mut Table) -> Result<()> {
    let house = Arc::new(House::open(folder).await?);
    for (what, callers, batch, goal) in [
        ("durable ingest, 8 callers, batches of 100", 8, BATCH, Goal::AtLeast(20_000.0, 60_000.0)),
        ("durable ingest, 256 callers, one by one", 256, 1, Goal::AtLeast(6_000.0, 12_000.0)),
    ] {
        let end = Instant::now() + scale.window;
        let (begun, cpu) = (Instant::now(), cpu_seconds(std::process::id())?);
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let house = house.clone();
            tasks.spawn(async move {
                let mut appended = 0;
                while Instant::now() < end {
                    house.append(caller % 32, batch).await?;
                    appended += batch;
                }
                anyhow::Ok(appended)
            });
        }
        let mut appended = 0;
        while let Some(task) = tasks.join_next().await {
            appended += task??;
        }
        let rate = appended as f64 / begun.elapsed().as_secs_f64();
        let cpu = cpu_seconds(std::process::id())? - cpu;
        table.add(what, "/s", rate, goal, None);
        say(&format!("  {:.1} µs of processor time each", cpu / appended as f64 * 1e6));
    }
    Ok(())
}

pub(crate) async fn replay(receiver: &Receiver, folder: &Path, scale: Scale, table: &mut Table) -> Result<()> {
    let (logs, fan_out, events) = if scale.quick { (10, 10, 400) } else { (10, 20, 5_000) };
    let mut house = House::open(folder).await?;
    let ids = house.subscribe(logs * fan_out, fan_out, |number| receiver.url("instant", number)).await?;
    for id in &ids {
        house.events.pause(&owner(), *id).await?;
    }
    for log in 0..logs {
        for _ in 0..events / BATCH {
            house.append(log, BATCH).await?;
        }
    }
    // What it has passed over it has seen: from here on it is a replay.
    for id in &ids {
        house.events.resume_from_latest(&owner(), *id).await?;
    }
    let all = (ids.len() * events) as u64;
    for id in &ids {
        house.events.replay(&owner(), *id, Offset::START).await?;
    }
    let begun = Instant::now();
    let cpu = (cpu_seconds(std::process::id())?, receiver.cpu()?);
    house.run();
    while house.received() < all {
        if begun.elapsed() > Duration::from_mins(10) {
            bail!("the replay stands still at {} of {all}", house.received());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let window = Window {
        count: all as f64,
        seconds,
        sender_cpu: cpu_seconds(std::process::id())? - cpu.0,
        receiver_cpu: receiver.cpu()? - cpu.1,
    };
    house.close().await?;
    let records = receiver.records()?;
    in_order(&records)?;
    ensure!(records.len() as u64 == all, "{} of {all} events came", records.len());
    let what = format!("replay of {all} events to {} subscriptions", ids.len());
    tell(table, &what, &window, Goal::AtLeast(10_000.0, 25_000.0), Goal::None);
    Ok(())
}
