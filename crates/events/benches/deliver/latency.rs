//! Latencies under a steady load: appends come when they come, whether or not
//! the one before has been answered.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::Scale;
use crate::figures::{Goal, Table, say, share, wall_micros};
use crate::house::{House, append};
use crate::limit::Caller;
use crate::receiver::Receiver;

/// Logs and subscriptions, one of each to one of the other.
const PAIRS: usize = 500;
/// Who append one by one, without a pause, where the maximum is looked for.
const APPENDING: usize = 256;
/// Appends begin at these moments.
const TICK: Duration = Duration::from_millis(2);

/// What a steady load met with, in milliseconds.
struct Met {
    /// From the call of `append` to its durable answer.
    appends: Vec<f64>,
    /// From that answer to the first byte at the receiver, by receiver.
    arrivals: HashMap<u32, Vec<f64>>,
    /// From the sending of a bare call in the same moments to its first byte:
    /// what the machine itself takes.
    bare: Vec<f64>,
}

impl Met {
    fn arrivals(&self, of: impl Fn(u32) -> bool) -> Vec<f64> {
        self.arrivals.iter().filter(|(who, _)| of(**who)).flat_map(|(_, times)| times.iter().copied()).collect()
    }
}

/// Appends `rate` events in a second, one by one, to one log after the other,
/// and watches them arrive. `whole` tells which receivers are waited for.
async fn steady(
    house: &House,
    receiver: &Receiver,
    rate: f64,
    length: Duration,
    whole: impl Fn(u32) -> bool,
) -> Result<Met> {
    receiver.forget()?;
    let beside = tokio::spawn(bare(Caller::connect(receiver, PAIRS).await?, length));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut asked, mut tasks) = (Instant::now(), 0, JoinSet::new());
    while begun.elapsed() < length {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * rate) as usize;
        for number in asked..due {
            let (events, db) = (house.events.clone(), house.db.clone());
            tasks.spawn(async move {
                let called = Instant::now();
                let offset = append(&events, &db, number % PAIRS, 1).await?;
                anyhow::Ok((((number % PAIRS) as u32, offset), called.elapsed(), wall_micros()))
            });
        }
        asked = due;
    }
    let (mut appends, mut answered) = (Vec::new(), HashMap::new());
    while let Some(task) = tasks.join_next().await {
        let (event, took, at) = task??;
        appends.push(crate::figures::millis(took));
        answered.insert(event, at);
    }
    let expected = answered.keys().filter(|(who, _)| whole(*who)).count();
    let sent = beside.await??;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if receiver.count()? >= (expected + sent.len()) as u64 {
            break;
        }
    }
    let mut arrivals: HashMap<u32, Vec<f64>> = HashMap::new();
    let mut bare = Vec::new();
    for record in receiver.records()? {
        if record.who == PAIRS as u32 {
            bare.extend(sent.get(&record.offset).map(|at| (record.at - at).max(0) as f64 / 1_000.0));
        }
        if let Some(at) = answered.get(&(record.who, record.offset)) {
            // It may be faster than the answer finds its way to its caller.
            arrivals.entry(record.who).or_default().push((record.at - at).max(0) as f64 / 1_000.0);
        }
    }
    let met = Met { appends, arrivals, bare };
    let arrived = met.arrivals(&whole).len();
    ensure!(arrived == expected, "{arrived} of {expected} events arrived at {rate} events/s");
    Ok(met)
}

/// Makes a bare call now and then, and returns when each was sent.
async fn bare(mut caller: Caller, length: Duration) -> Result<HashMap<u64, i64>> {
    let (mut ticks, begun, mut sent) = (tokio::time::interval(5 * TICK), Instant::now(), HashMap::new());
    for offset in 1.. {
        ticks.tick().await;
        if begun.elapsed() > length {
            break;
        }
        sent.insert(offset, wall_micros());
        caller.call(offset).await?;
    }
    Ok(sent)
}

/// Returns the most events in a second that are appended one by one and
/// delivered, both at once: what arrives while appends never cease.
async fn maximum(house: &House, receiver: &Receiver, length: Duration) -> Result<f64> {
    receiver.forget()?;
    let (begun, mut callers) = (Instant::now(), JoinSet::new());
    for caller in 0..APPENDING {
        let (events, db) = (house.events.clone(), house.db.clone());
        callers.spawn(async move {
            let mut count = 0;
            while begun.elapsed() < length {
                append(&events, &db, (caller + count * APPENDING) % PAIRS, 1).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut appended = 0;
    while let Some(count) = callers.join_next().await {
        appended += count??;
    }
    let rate = receiver.count()? as f64 / begun.elapsed().as_secs_f64();
    // The next measurement begins with empty queues.
    while receiver.count()? < appended as u64 {
        ensure!(begun.elapsed() < 10 * length, "{} of {appended} events arrived", receiver.count()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(rate)
}

pub(crate) async fn at_rates(receiver: &Receiver, folder: &Path, scale: Scale, table: &mut Table) -> Result<()> {
    let mut house = House::open(folder).await?;
    house.subscribe(PAIRS, 1, |number| receiver.url("instant", number)).await?;
    house.run();
    steady(&house, receiver, 500.0, Duration::from_secs(1), |_| true).await?;
    let most = maximum(&house, receiver, scale.window).await?;
    table.add("appended one by one and delivered, most", "/s", most, Goal::None, None);
    let loads = [
        ("2,000 events/s".to_owned(), 2_000.0, Goal::AtMost(50.0, 15.0), Goal::AtMost(40.0, 15.0)),
        (format!("half of the maximum, {:.0} events/s", most / 2.0), most / 2.0, Goal::AtMost(150.0, 40.0), Goal::None),
    ];
    for (what, rate, arrival, append) in loads {
        let met = steady(&house, receiver, rate, scale.window, |_| true).await?;
        let all = met.arrivals(|_| true);
        table.add(&format!("durable to first byte, {what}, p50"), "ms", share(&all, 0.50), Goal::None, None);
        table.add(&format!("durable to first byte, {what}, p99"), "ms", share(&all, 0.99), arrival, None);
        table.add(&format!("a bare call beside it, {what}, p99"), "ms", share(&met.bare, 0.99), Goal::None, None);
        table.add(&format!("the append itself, {what}, p50"), "ms", share(&met.appends, 0.50), Goal::None, None);
        table.add(&format!("the append itself, {what}, p99"), "ms", share(&met.appends, 0.99), append, None);
    }
    house.close().await
}

pub(crate) async fn isolation(receiver: &Receiver, folder: &Path, scale: Scale, table: &mut Table) -> Result<()> {
    const RATE: f64 = 2_000.0;
    let mut p99 = Vec::new();
    for one_in in [usize::MAX, 100] {
        let folder = folder.join(one_in.to_string());
        std::fs::create_dir(&folder)?;
        let mut house = House::open(&folder).await?;
        let hangs = |number: usize| number % one_in == one_in - 1;
        let url = |number| receiver.url(if hangs(number) { "hang" } else { "instant" }, number);
        house.subscribe(PAIRS, 1, url).await?;
        house.run();
        steady(&house, receiver, 500.0, Duration::from_secs(1), |who| !hangs(who as usize)).await?;
        let met = steady(&house, receiver, RATE, scale.window, |who| !hangs(who as usize)).await?;
        p99.push(share(&met.arrivals(|who| !hangs(who as usize)), 0.99));
        // Whoever hangs would be waited for.
        tokio::time::timeout(Duration::from_secs(1), house.close()).await.ok();
    }
    say(&format!("  p99 {:.2} ms without, {:.2} ms with", p99[0], p99[1]));
    table.add("p99 of the healthy, 1 % hang, against none", "times", p99[1] / p99[0], Goal::AtMost(2.0, 1.2), None);
    Ok(())
}
