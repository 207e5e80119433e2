//! How fast deliveries are, and how close that comes to what physics allows.
//!
//! `cargo xtask bench deliver` builds this with optimisation, without the heavy
//! crates, and runs it; `-- --quick` takes less than a minute, and names pick
//! some of the measurements. The engine is the real one, on a database on a
//! disk, through the real way out; the receiver is a process of its own, so
//! that its processor time can be told apart. Beside each figure stand its
//! goals, and beside rates the share of what a bare loop reaches that sends the
//! same calls to the same receiver and remembers nothing.
//!
//! Rates on a machine that others use as well are floors. So each is told a
//! second time by processor time: events for each second that the process
//! really had, times two cores.

mod crash;
mod figures;
mod house;
mod latency;
mod limit;
mod rates;
mod receiver;

use std::time::Duration;

use anyhow::{Result, bail};

use figures::{Goal, Table, flushes, say, share};
use house::Folder;
use receiver::Receiver;

/// What is measured, in order, and what it tells.
const MEASUREMENTS: [(&str, &str); 10] = [
    ("disk", "one flush of the disk"),
    ("limit", "the bare loop"),
    ("fan-out-1", "deliveries, each event to one subscription"),
    ("fan-out-10", "deliveries, each event to ten"),
    ("slow", "deliveries to 2,500 receivers that take 100 ms"),
    ("ingest", "durable appends, in batches and one by one"),
    ("latency", "from a durable append to the first byte, at 2,000 events/s and at half of the maximum"),
    ("isolation", "the same beside 1 % of receivers that hang"),
    ("replay", "many events once more"),
    ("crash", "SIGKILL: to the first delivery, memory, disk, duplicates"),
];

/// How long and how much.
#[derive(Clone, Copy)]
struct Scale {
    quick: bool,
    /// A rate is measured for so long.
    window: Duration,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("receiver") => return receiver::serve(),
        Some("engine") => return runtime()?.block_on(crash::serve(&arguments[1..])),
        _ => {}
    }
    let (flags, names): (Vec<String>, Vec<String>) = arguments.into_iter().partition(|name| name.starts_with("--"));
    for name in &names {
        if !MEASUREMENTS.iter().any(|(known, _)| known == name) {
            let known: Vec<String> = MEASUREMENTS.iter().map(|(name, what)| format!("  {name:<12}{what}")).collect();
            bail!("there is no measurement \"{name}\"; there are:\n{}", known.join("\n"));
        }
    }
    let quick = flags.iter().any(|flag| flag == "--quick");
    let scale = Scale { quick, window: Duration::from_secs(if quick { 3 } else { 10 }) };
    let mut table = Table::default();
    let done = runtime()?.block_on(measure(&names, scale, &mut table));
    table.print();
    done
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

async fn measure(names: &[String], scale: Scale, table: &mut Table) -> Result<()> {
    for (name, what) in MEASUREMENTS {
        if !names.is_empty() && !names.iter().any(|asked| asked == name) {
            continue;
        }
        say(&format!("\n{name}: {what}"));
        let receiver = Receiver::start()?;
        let folder = Folder::new(name)?;
        match name {
            "disk" => {
                let flushes = flushes(folder.path())?;
                table.add("one flush of 4 KiB, p50", "ms", share(&flushes, 0.50), Goal::None, None);
                table.add("one flush of 4 KiB, p99", "ms", share(&flushes, 0.99), Goal::None, None);
            }
            "limit" => rates::limit(&receiver, scale, table).await?,
            "fan-out-1" => rates::fan_out(&receiver, folder.path(), scale, 1, table).await?,
            "fan-out-10" => rates::fan_out(&receiver, folder.path(), scale, 10, table).await?,
            "slow" => rates::slow(&receiver, folder.path(), scale, table).await?,
            "ingest" => rates::ingest(folder.path(), scale, table).await?,
            "latency" => latency::at_rates(&receiver, folder.path(), scale, table).await?,
            "isolation" => latency::isolation(&receiver, folder.path(), scale, table).await?,
            "replay" => rates::replay(&receiver, folder.path(), scale, table).await?,
            _ => crash::measure(&receiver, scale, table).await?,
        }
    }
    Ok(())
}
