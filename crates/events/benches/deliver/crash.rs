//! SIGKILL: how soon the next process delivers, what it needs, and what it
//! does twice.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::Scale;
use crate::figures::{Goal, Table, folder_bytes, memory_mib, say, wall_micros};
use crate::house::{Folder, House};
use crate::rates::feed;
use crate::receiver::{Receiver, Record};

/// Subscriptions to each log in the large queue.
const FAN_OUT: usize = 50;
/// Logs, and subscriptions to each, in the traffic that is cut off.
const TRAFFIC: (usize, usize) = (20, 10);

/// The role `engine`: delivers what lies in a folder until its input ends. With
/// `feed` it appends, too.
pub(crate) async fn serve(arguments: &[String]) -> Result<()> {
    let folder = arguments.first().context("the engine is told its folder")?;
    let mut house = House::open(Path::new(folder)).await?;
    house.run();
    let feeder =
        (arguments.get(1).map(String::as_str) == Some("feed")).then(|| feed(&house, TRAFFIC.0, TRAFFIC.1, 40_000));
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await??;
    if let Some(mut feeder) = feeder {
        feeder.shutdown().await;
    }
    house.close().await
}

/// An engine in a process of its own.
struct Engine(Child);

impl Engine {
    fn start(folder: &Folder, role: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("engine").arg(folder.path()).arg(role).stdin(Stdio::piped());
        Ok(Engine(command.spawn().context("the engine cannot be started")?))
    }

    fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    fn stop(mut self) -> Result<()> {
        drop(self.0.stdin.take());
        if !self.0.wait()?.success() {
            bail!("the engine did not stop well");
        }
        Ok(())
    }
}

pub(crate) async fn measure(receiver: &Receiver, scale: Scale, table: &mut Table) -> Result<()> {
    large_queue(receiver, scale, table).await?;
    receiver.forget()?;
    traffic(receiver, scale, table).await
}

async fn large_queue(receiver: &Receiver, scale: Scale, table: &mut Table) -> Result<()> {
    let (logs, events) = if scale.quick { (40, 500) } else { (200, 1_000) };
    let pairs = (logs * FAN_OUT * events) as u64;
    let folder = Folder::new("large-queue")?;
    let house = House::open(folder.path()).await?;
    let begun = Instant::now();
    house.subscribe(logs * FAN_OUT, FAN_OUT, |number| receiver.url("instant", number)).await?;
    say(&format!("  {} subscriptions made in {:.1} s", logs * FAN_OUT, begun.elapsed().as_secs_f64()));
    let before = folder_bytes(folder.path())?;
    for log in 0..logs {
        for _ in 0..events / 100 {
            house.append(log, 100).await?;
        }
    }
    house.close().await?;
    let bytes = folder_bytes(folder.path())?;
    let what = format!("{} subscriptions, {pairs} queued", logs * FAN_OUT);
    let by_ten_million = (bytes - before.min(bytes)) as f64 / pairs as f64 * 10e6 / 1e9;
    table.add("disk for 10 M queued pairs, fan-out 50", "GB", by_ten_million, Goal::AtMost(1.0, 0.5), None);

    let first = Engine::start(&folder, "deliver")?;
    first_record(receiver).await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let killed = wall_micros();
    first.kill()?;
    // What it had sent may still lie in the receiver's sockets.
    tokio::time::sleep(Duration::from_millis(20)).await;
    receiver.forget()?;
    let second = Engine::start(&folder, "deliver")?;
    let seconds = (first_record(receiver).await?.at - killed) as f64 / 1e6;
    table.add(&format!("SIGKILL to first delivery, {what}"), "s", seconds, Goal::AtMost(10.0, 2.0), None);
    tokio::time::sleep(scale.window).await;
    let (_, most) = memory_mib(second.0.id())?;
    table.add(&format!("resident memory at most, {what}"), "MiB", most, Goal::AtMost(1_024.0, 300.0), None);
    second.kill()
}

async fn first_record(receiver: &Receiver) -> Result<Record> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if receiver.count()? > 0 {
            return receiver.records()?.first().copied().context("a count has its records");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!("nothing was delivered within a minute")
}

async fn traffic(receiver: &Receiver, scale: Scale, table: &mut Table) -> Result<()> {
    let folder = Folder::new("traffic")?;
    let (logs, fan_out) = TRAFFIC;
    let house = House::open(folder.path()).await?;
    house.subscribe(logs * fan_out, fan_out, |number| receiver.url("instant", number)).await?;
    house.close().await?;

    let mut parts = Vec::new();
    for end in ["SIGKILL", "SIGKILL", "SIGKILL", "a stop", "SIGKILL"] {
        let engine = Engine::start(&folder, "feed")?;
        let begun = receiver.count()?;
        tokio::time::sleep(scale.window / 3 + Duration::from_secs(1)).await;
        if end == "a stop" {
            engine.stop()?
        } else {
            engine.kill()?
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        parts.push((end, begun as usize, receiver.count()? as usize));
    }
    let records = receiver.records()?;
    let mut seen = HashSet::new();
    let mut after = Vec::new();
    for (place, (_, from, to)) in parts.iter().enumerate() {
        let part = &records[*from..*to];
        let twice = part.iter().filter(|record| !seen.insert((record.who, record.offset))).count();
        let span = part.last().map_or(0, |record| record.at) - part.first().map_or(0, |record| record.at);
        let rate = part.len() as f64 / (span as f64 / 1e6);
        if place > 0 {
            let millis = twice as f64 / rate * 1_000.0;
            say(&format!("  after {}: {twice} twice, at {rate:.0}/s", parts[place - 1].0));
            after.push((parts[place - 1].0, millis));
        }
    }
    let most = |end: &str| after.iter().filter(|(of, _)| *of == end).map(|(_, millis)| *millis).fold(0.0, f64::max);
    table.add("duplicates after SIGKILL, of traffic", "ms", most("SIGKILL"), Goal::AtMost(200.0, 50.0), None);
    table.add("duplicates after a stop", "ms", most("a stop"), Goal::AtMost(0.0, 0.0), None);
    // Conservation and order, over all of it: no gap in what anybody saw.
    let mut next = std::collections::HashMap::new();
    for record in &records {
        let next = next.entry(record.who).or_insert(1);
        if record.offset > *next {
            bail!("receiver {} saw {} before {next}", record.who, record.offset);
        }
        *next = (*next).max(record.offset + 1);
    }
    Ok(())
}
